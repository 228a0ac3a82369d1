"""The dashboard: its numbers are the metrics', its addresses are checked, its texts are escaped, its door holds."""

from __future__ import annotations

import asyncio
import html
import io
import json
import re
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, timedelta
from pathlib import Path
from threading import Event
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import duckdb
import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot
from deltalake import write_deltalake
from in_memory import in_memory
from starlette.testclient import TestClient
from typer.testing import CliRunner

from conftest import NOW
from medallion import metrics
from medallion.access import Person
from medallion.cli import app
from medallion.config import load
from medallion.dashboard import pages, parameters, safety, tables, words
from medallion.dashboard.export import export
from medallion.dashboard.reading import Reading
from medallion.dashboard.serving import serve
from medallion.dashboard.web import application
from medallion.dashboard.web.options import Options
from medallion.errors import LakehouseError, MedallionError, StateRemovedError
from medallion.lakehouse import publishing, query
from medallion.metrics import Filter

PAGES = [f"/{name}" for name in words.PAGES]
SAFE = ("127.0.0.1", "localhost", "testserver")


def written(name, value):
    return metrics.written(name, value, "USD")


def open_dashboard(lake, door=None, **options):
    door = door or safety.Door(hosts=SAFE)
    return TestClient(application(Options(load(None, lakehouse=lake.root), door, **options)), follow_redirects=False)


@pytest.fixture(scope="module")
def client(sample):
    return open_dashboard(sample)


@pytest.fixture(scope="module")
def connection(sample):
    with query.connect(sample) as found:
        yield in_memory(found)


def body(client, address, status=200):
    answer = client.get(address)
    assert answer.status_code == status, (address, answer.status_code, answer.text[:500])
    return answer.text


def cards(text):
    """Metric to the text of its value and to the address of the rows behind."""
    found = re.findall(
        r'data-metric="(\w+)">.*?<p class="value[^"]*">([^<]*?)\s*(?:<span.*?)?</p>.*?href="([^"]*)">([\d,]+) rows?<',
        text,
        re.DOTALL,
    )
    return {
        name: (html.unescape(value.strip()), html.unescape(rows), int(n.replace(",", "")))
        for name, value, rows, n in found
    }


FILTERED = {
    "pipeline": ({"industry": "Retail"}, {"owner": "Priya Nair", "band": "Hot"}),
    "customers": ({"band": "Cool"},),
    "interactions": ({"from": "2025-06-10", "to": "2025-06-20"}, {"channel": "call"}),
    "sales": ({"from": "2025-03-01"}, {"owner": "Tom Brannigan", "to": "2025-05-31"}),
}
DIMENSIONS = {"industry": "industry", "owner": "owner", "band": "lead_quality", "channel": "channel"}
#: Said once more here, so that a change of the dashboard's own table of dates is a decision.
BY_CLOSING = {"revenue", "won_leads", "win_rate", "win_rate_by_value", "average_won_value", "average_cycle_days"}
BY_OPENING = {"conversion_rate"}


def expected(connection, name, given):
    view = metrics.named(name).view
    where = [Filter(DIMENSIONS[k], (v,)) for k, v in given.items() if k in DIMENSIONS and view.dimension(DIMENSIONS[k])]
    dated = (
        "closed_date"
        if name in BY_CLOSING
        else "created_date"
        if name in BY_OPENING
        else "date"
        if view.dimension("date")
        else None
    )
    where += [Filter(dated, (given[k],), o) for k, o in (("from", ">="), ("to", "<=")) if k in given and dated]
    return metrics.ask(connection, name, where=where)


@pytest.mark.parametrize(
    ("page", "given"), [(page, given) for page, views in FILTERED.items() for given in ({}, *views)], ids=str
)
def test_every_number_is_the_metrics_value(client, connection, page, given):
    found = cards(body(client, f"/{page}?{urlencode(given)}"))
    assert set(found) == set(pages.PAGES[page].cards)
    for name, (text, _rows, _n) in found.items():
        unknown = parameters.unknown(metrics.named(name), parameters.Given(tuple(given.items())))
        assert bool(unknown) == (
            (name, *given)
            in {("sales_velocity", "from"), ("sales_velocity", "owner", "to"), ("hot_lead_share", "band")}
        )
        assert text == written(name, None if unknown else expected(connection, name, given).value), name


@pytest.mark.parametrize("page", pages.PAGES)
def test_every_number_leads_to_its_rows(client, page):
    for given in ({}, *FILTERED[page]):
        for name, (_text, rows, n) in cards(body(client, f"/{page}?{urlencode(given)}")).items():
            told = re.search(r'<p class="foot"[^>]*>\s*(?:[\d,]+–[\d,]+ of ([\d,]+))?', body(client, rows)).group(1)
            assert int((told or "0").replace(",", "")) == n, (name, rows)


def test_a_figure_is_computed_once_while_others_wait_and_a_failure_is_not_kept(sample):
    reading, calls = Reading(sample), []

    def slow():
        calls.append(1)
        Event().wait(0.2)
        return 7

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: reading.once("key", slow), range(8)))
    assert (answers, calls) == ([7] * 8, [1])
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            reading.once("other", lambda: 1 / 0)
    assert reading.once("other", lambda: 3) == 3
    gone = weakref.ref(reading)
    reading = None
    assert gone() is None, "a version that nobody reads any more keeps its memory"


def test_the_rows_behind_add_up_to_the_number(client, connection):
    sums = {"open_pipeline", "hot_pipeline", "revenue"}
    counts = {"open_leads", "won_leads", "total_customers", "touches"}
    seen = set()
    for page in pages.PAGES:
        for given in ({}, *FILTERED[page]):
            for name, (text, address, _n) in cards(body(client, f"/{page}?{urlencode(given)}")).items():
                if name in sums | counts:
                    rows = pq.read_table(
                        io.BytesIO(
                            client.get(
                                address.replace("?", ".parquet?") if "?" in address else address + ".parquet"
                            ).content
                        )
                    )
                    value = sum(rows["deal_value"].to_pylist()) if name in sums else rows.num_rows
                    assert text == written(name, float(value)), (name, address)
                    seen.add(name)
    assert seen == sums | counts


class Deals:
    """A reading over some deals, held in memory."""

    tables = ("gold.deals",)

    def __init__(self, rows):
        self.connection = duckdb.connect()
        self.connection.execute(
            "create schema gold; create table gold.deals (lead_id text, status text, days_since_last_interaction bigint, "
            "expected_close_date date, as_of date, deal_value decimal(18, 2), customer_id text, customer_name text, "
            "stage text, probability_to_convert double, weighted_value double, owner text, source text, industry text, "
            "country text, size_band text, product_id text, lead_quality text, created_at timestamp, closed_at timestamp, "
            "cycle_days bigint)"
        )
        columns = "lead_id, status, days_since_last_interaction, expected_close_date, as_of, deal_value"
        for row in rows:
            self.connection.execute(f"insert into gold.deals ({columns}) values (?, ?, ?, ?, '2025-06-30', 1)", row)

    def ask(self, name, by=(), where=()):
        return metrics.ask(self.connection, name, by, where)

    last_day = None

    def known(self, dimension):
        return metrics.values_of(self.connection, dimension)

    def rows(self, sql, bindings=()):
        return query.rows(self.connection, sql, list(bindings))

    def at_hand(self, source):
        return source


BEHIND = {"silent_deals": ["A31", "A90"], "never_touched_deals": ["N1", "N2", "N3"], "overdue_deals": ["A90", "N3"]}


@pytest.mark.parametrize(("name", "deals"), BEHIND.items())
def test_the_rows_behind_deals_without_care_are_those_that_are_counted(name, deals):
    reading = Deals(
        [
            ("A30", "open", 30, "2025-07-01"),
            ("A31", "open", 31, None),
            ("A90", "open", 90, "2025-06-29"),
            ("N1", "open", None, None),
            ("N2", "open", None, "2025-06-30"),
            ("N3", "open", None, "2025-01-01"),
            ("W1", "won", 90, "2025-01-01"),
            ("L1", "lost", None, "2025-01-01"),
        ]
    )
    address, n = tables.behind(reading, {name: ()})[name]
    assert n == len(deals) == reading.ask(name).value
    table = tables.TABLES["deals"]
    asked = parameters.given(parse_qsl(urlsplit(address).query), table.allowed)
    shown = tables.page(reading, table, asked, table.understood(asked, reading), pii=False)
    assert shown.count == n
    assert sorted(row["lead_id"] for row in shown.rows) == deals


@pytest.mark.parametrize("name", sorted({name for page in pages.PAGES.values() for name in page.cards}))
def test_the_rows_of_a_metric_are_a_page_whether_or_not_there_are_any(client, name):
    body(client, tables.rows_address(name, ()))


def test_the_rows_of_another_table_are_not_those_of_a_metric(client):
    for of in ("touches", "nothing"):
        assert f"not the rows of a metric '{of}'" in html.unescape(body(client, f"/rows/deals?of={of}", 400))


def test_every_card_and_every_row_of_a_figure_is_computed_again_from_the_rows_that_it_opens(client, connection):
    """The listed rows and no others: a ratio has its denominator, a sum its summands; the count beside it is theirs."""
    assert len(crawled(client, connection, {page: ({}, FILTERED[page][0]) for page in pages.PAGES})) > 25


def test_figures_of_records_with_gaps_are_computed_again_from_the_rows_that_they_open(evil):
    """Hostile names, an account that is not there, no values, a touch without a time: no figure counts what is not listed."""
    with query.connect(evil) as connection:
        seen = crawled(open_dashboard(evil), connection, {page: ({},) for page in pages.PAGES})
    assert len(seen) > 25


def crawled(client, connection, given):
    """The metrics of the cards and figures of all pages under filters, each of which was computed again."""
    seen = set()
    for page, filters in given.items():
        for chosen in filters:
            for name, (text, address, n) in cards(body(client, f"/{page}?{urlencode(chosen)}")).items():
                if not parameters.unknown(metrics.named(name), parameters.Given(tuple(chosen.items()))):
                    seen.add((name, again(client, connection, name, address, n) == text))
        for part in pages.PAGES[page].parts:
            if isinstance(part, pages.Part):
                told = body(client, f"/figures/{page}/{part.name}")
                for text, address, n in re.findall(
                    rf'data-metric="{part.metrics[0]}">([^<]*)</td>.*?<a href="([^"]*)">([^<]*)</a>', told
                ):
                    found = again(client, connection, part.metrics[0], html.unescape(address), n)
                    seen.add((part.metrics[0], found == html.unescape(text)))
    assert {name for name, same in seen if not same} == set()
    return seen


def test_a_ratio_of_counts_opens_its_numerator_too(client, connection):
    """Of every metric: the rows that its page gives as those above are as many as its numerator counts."""
    seen = []
    for name, metric in metrics.metrics().items():
        if not metric.stands_alone:
            continue
        for address, count in re.findall(r'<a href="([^"]*)" data-above="(\d+)">', body(client, f"/metrics/{name}")):
            path, _, asked = html.unescape(address).partition("?")
            tree = sqlglot.parse_one(metric.expression({}), read="spark").this
            whole = tables.TABLES[path.removeprefix("/rows/")].source
            (wanted,) = connection.execute(f"select {tree.sql('duckdb')} from {whole}").fetchall()[0]
            rows = pq.read_table(io.BytesIO(client.get(f"{path}.parquet?{asked}").content))
            assert (int(count), rows.num_rows) == (wanted, wanted), name
            seen.append(name)
    assert {"win_rate", "conversion_rate"} <= {*seen}
    assert "the part above" in html.unescape(body(client, "/rows/deals?of=revenue&part=above", 400))
    assert "the part above" in html.unescape(body(client, "/rows/deals?part=above", 400))


def again(client, connection, name, address, n):
    """A metric computed again over the rows that an address lists; its text."""
    path, _, asked = address.partition("?")
    rows = pq.read_table(io.BytesIO(client.get(f"{path}.parquet?{asked}").content))
    assert f"{rows.num_rows:,}" == str(n).split()[0] or rows.num_rows == n, address
    metric = metrics.named(name)
    table = tables.TABLES[path.removeprefix("/rows/")]
    key = table.key[0]
    connection.register("listed", rows)
    (figure,) = sqlglot.transpile(metric.expression({}), read="spark", write="duckdb")
    whole = f"(select * from {table.source} where {key} in (select {key} from listed))"
    sql = f"select {figure} from {whole if key in rows.column_names else 'listed'}"
    value = metrics.plain(connection.execute(sql).fetchall()[0][0])
    connection.unregister("listed")
    return written(name, value)


def test_a_value_of_a_filter_of_rows_alone_is_checked(client):
    assert "never, recent, silent" in html.unescape(body(client, "/rows/deals?last_touch=forgotten", 400))


def test_metrics_asked_together_are_those_asked_alone(connection):
    for source in {metric.view.source for metric in metrics.metrics().values()}:
        names = [n for n, metric in metrics.metrics().items() if metric.view.source == source and metric.stands_alone]
        view = metrics.named(names[0]).view
        days = [one.name for one in view.dimensions if one.name in ("date", "closed_date")]
        for where in [(), *((Filter(day, ("2025-03-02",), ">="),) for day in days)]:
            for name, answer in zip(names, metrics.together(connection, names, where), strict=True):
                alone = metrics.computed(connection, metrics.named(name), filters=where)
                assert (answer.rows, answer.sql, answer.bindings) == (alone.rows, alone.sql, alone.bindings), name


@pytest.mark.parametrize(("page", "part"), [(p.name, part) for p in pages.PAGES.values() for part in p.parts], ids=str)
def test_every_figure_is_the_metrics_values(client, connection, page, part):
    if isinstance(part, pages.Trend):
        assert (
            client.get(f"/figures/{page}/{part.name}?from=2025-03-01" if page == "sales" else "").headers["location"]
            == "/rows/days?day_from=2025-03-01"
        )
        drawn = client.get(f"/charts/{page}/{part.name}.json").json()
        values = (
            {row["day"]: row["value"] for row in next(iter(drawn["datasets"].values()))}
            if "datasets" in drawn
            else {row["day"]: row["value"] for row in drawn["data"]["values"]}
        )
        wanted = query.rows(
            connection,
            f"select cast(day as varchar) as day, cast({part.column} as double) as value from gold.sales_summary",
        )
        assert values == {row["day"]: row["value"] for row in wanted}
        return
    text = body(client, f"/figures/{page}/{part.name}")
    rows = re.findall(r'<tr[^>]* data-key="([^"]*)">(.*?)</tr>', text, re.DOTALL)
    assert rows
    for place, name in enumerate(part.metrics):
        values = {
            ("" if row[part.by] is None else str(row[part.by])): row["value"]
            for row in metrics.ask(connection, name, part.by, part.where).rows
        }
        for key, cells in rows:
            shown = re.findall(r'data-metric="(\w+)">([^<]*)<', cells)[place]
            filled = (
                0
                if part.form == "columns"
                and name in ("touches", "revenue", "won_leads", "lost_leads", "touched_customers")
                else None
            )
            assert shown == (name, written(name, values.get(html.unescape(key), filled))), (key, name)
    drawn = client.get(f"/charts/{page}/{part.name}.svg")
    assert drawn.status_code == 200
    assert drawn.headers["content-type"].startswith("image/svg+xml")
    empty = all(
        value is None
        for value in (row["value"] for row in metrics.ask(connection, part.metrics[0], part.by, part.where).rows)
    )
    assert ("Nothing to show" in drawn.text) is empty


def test_the_data_page_tells_the_row_accounts(client, connection):
    text = body(client, "/health")
    names = ("rows_read", "accepted", "duplicate", "superseded", "quarantined")
    wanted = query.rows(
        connection, f"select {', '.join(f'sum({n})::bigint as {n}' for n in names)} from ops.row_accounts"
    )[0]
    assert {n: int(v.replace(",", "")) for n, v in re.findall(r'data-account="(\w+)">([\d,]+)<', text)} == wanted
    assert "holds for every batch" in text


def test_metric_pages_tell_definition_query_and_split(client, connection):
    for name, metric in metrics.metrics().items():
        by = metric.view.dimensions[0].name
        if not metric.stands_alone:
            assert f"{metric.measure.display_name} " in html.unescape(body(client, f"/metrics/{name}?by={by}", 400))
            continue
        text = html.unescape(body(client, f"/metrics/{name}?by={by}"))
        assert metric.measure.comment in text
        assert metric.measure.expr in text
        for row in metrics.ask(connection, name, by, largest=200).rows:
            assert f'<td class="n">{written(name, row["value"])}</td>' in text, (name, row)


@pytest.mark.parametrize("table", tables.TABLES)
@pytest.mark.slow
def test_pages_of_a_table_give_every_row_once_in_order(sample, table):
    from medallion.dashboard.parameters import Given

    reading, declared = Reading(sample), tables.TABLES[table]

    def keys(state, size):
        got = tables.page(reading, declared, Given(tuple(state.items())), (), pii=False, size=size)
        return got, [tuple(row[f"_key{place}"] for place in (1,)) for row in got.rows]

    for column in [one for one in declared.columns if one.kind not in ("list", "why") and not one.pii]:
        for sort in (column.name, f"-{column.name}"):
            whole, wanted = keys({"sort": sort}, 1000)
            seen, state = [], {"sort": sort}
            while state:
                got, more = keys(state, max(3, whole.count // 4))
                seen += more
                state = {"sort": sort, "after": got.after, "at": str(len(seen))} if got.after else {}
            assert seen == wanted, sort
            assert len(set(seen)) == whole.count, sort
            values = [row[column.name] for row in whole.rows if row[column.name] is not None]
            assert values == sorted(values, reverse=sort.startswith("-")), sort


HOSTILE = [
    "/pipeline?unknown=1",
    "/pipeline?industry=Retail&industry=Media",
    "/pipeline?industry=' or 1=1 --",
    "/pipeline?industry=<script>alert(1)</script>",
    "/pipeline?band=boiling",
    "/pipeline?sort=deal_value; drop view gold.deals",
    "/pipeline?sort=reasons_up",
    "/pipeline?after=[]",
    "/pipeline?after=%5B%22x%22,%22L-1%22%5D",
    "/pipeline?after=%7B%7D&at=1",
    "/pipeline?at=3",
    "/pipeline?q=" + "x" * 201,
    "/pipeline?q=a%00b",
    "/sales?from=yesterday",
    "/sales?from=2025-02-30",
    "/sales?from=20250230",
    "/sales?from=2025-06-30&to=2025-01-01",
    "/sales?band=Hot",
    "/interactions?channel=pigeon",
    "/metrics/win_rate?by=password",
    "/metrics/win_rate?where=1",
    "/rows/deals?closed_date_from=1",
    "/rows/deals?sort=email",
    "/rows/deals.csv?sort=nothing",
    "/figures/sales/months?owner=Nobody",
    "/charts/sales/months.svg?mode=pink",
    "/charts/sales/months.svg?size=1000000",
    "/health?x=1",
    "/customers/C001?x=1",
    "/metrics/revenue?status=Win",
    "/metrics/revenue?closed_date_from=06/01/2025",
    "/metrics/touches?hour=24",
    "/metrics/open_pipeline?by=closed_month",
    "/metrics/open_pipeline?closed_date_from=2025-01-01",
    "/sales?from=2031-01-01",
    "/metrics/revenue?closed_date_from=2031-01-01",
    "/rows/deals?closed_month=2031-01",
    "/metrics/revenue?status=open",
    "/rows/deals?owner=Nobody",
    "/rows/deals.csv?owner=Nobody",
    "/rows/calls?industry=Nowhere",
    "/rows/days?day_from=2025-02-30",
    "/rows/deals?created_date_from=2025-06-30&created_date_to=2025-06-01",
]  # fmt: skip
MISSING = [
    "/nothing",
    "/rows/secrets",
    "/rows/silver.leads_clean",
    "/rows/deals.exe",
    "/metrics/none",
    "/figures/sales/none",
    "/figures/none/none",
    "/charts/sales/months.png",
    "/charts/none/none.svg",
    "/customers/" + quote("' or 1=1 --"),
    "/customers/",
    "/static/../serving.py",
    "/static/%2e%2e%2fserving.py",
    "/static/none.js",
]


@pytest.mark.parametrize(("address", "status"), [*((one, 400) for one in HOSTILE), *((one, 404) for one in MISSING)])
def test_what_is_not_there_is_said_in_words(client, address, status):
    text = body(client, address, status)
    assert "<h1>" in text
    assert "Traceback" not in text
    assert "<script>" not in text
    assert "duckdb" not in text.lower()


@pytest.mark.parametrize(
    ("address", "says", "kept"),
    [
        ("/sales?from=2025-06-30&to=2025-06-01&owner=Tom+Brannigan", "The start, 2025-06-30, is after the end, 2025-06-01", ("2025-06-30", "2025-06-01", "Tom Brannigan")),
        ("/sales?from=2025-02-30&owner=Tom+Brannigan", "is not a day", ("Tom Brannigan",)),
        ("/pipeline?industry=Retial&owner=Priya+Nair", "Nearest: Retail", ("Retial", "Priya Nair")),
    ],
)  # fmt: skip
def test_a_filter_that_is_refused_stays_on_the_page(client, address, says, kept):
    """It is said, nothing is shown as if it were not there, and the other filters are not lost."""
    text = body(client, address, 400)
    assert says in text
    assert not cards(text)
    chosen = re.findall(r'<option selected>([^<]*)<|type="date"[^>]*value="([^"]+)"', text)
    assert set(kept) <= {html.unescape(one or other) for one, other in chosen}


def test_a_value_in_another_case_is_shown_as_it_was_understood(client):
    assert "<strong>Retail</strong>" in body(client, "/rows/deals?industry=RETAIL")
    assert cards(body(client, "/pipeline?industry=retail")) == cards(body(client, "/pipeline?industry=Retail"))


def test_stages_of_which_each_deal_has_one_stand_by_its_age(client):
    shown = re.findall(r'data-key="(\w+)"', body(client, "/figures/pipeline/days_in_stage"))
    assert shown == ["discovery", "proposal", "negotiation", "closed_won", "closed_lost"]


def test_stages_stand_as_deals_go_through_them(dashboard, own_sample):
    """Deals skip stages and go back; a stage stands by where in its deals it is found, and those that end a deal last."""
    ways = {
        "L-1012": "discovery proposal negotiation",
        "L-1002": "discovery closed_lost",
        "L-1005": "discovery negotiation closed_won",
        "L-1014": "discovery proposal discovery proposal negotiation",
    }
    stays = [
        {"lead_id": lead, "stage": stage, "entered_at": NOW.replace(tzinfo=UTC) + timedelta(days=day), "days_in_stage": float(day),
         "left_at": NOW.replace(tzinfo=UTC) + timedelta(days=day + 1) if day + 1 < len(stages.split()) else None}
        for lead, stages in ways.items()
        for day, stage in enumerate(stages.split())
    ]  # fmt: skip
    write_deltalake(
        own_sample.path("gold.stage_history"), pa.Table.from_pylist(stays), mode="overwrite", schema_mode="overwrite"
    )
    publishing.publish(own_sample, "run")
    client = dashboard(own_sample)
    way = ["discovery", "proposal", "negotiation"]
    for address, shown in (("days_in_stage", [*way, "closed_won", "closed_lost"]), ("stages", way)):
        assert re.findall(r'data-key="(\w+)"', body(client, f"/figures/pipeline/{address}")) == shown
    for address in (
        "/explore?metrics=open_pipeline&by=stage&where=status+%3D+open",
        "/changes?by=stage",
    ):
        named = re.findall(
            r"<td[^>]*>(?:<a[^>]*>)?(discovery|proposal|negotiation)(?:</a>)?</td>", body(client, address)
        )
        assert named == way, address


def test_old_figures_say_how_old_they_are(client):
    """The sample ends in June 2025: its age stands on every page."""
    assert re.search(
        r'as of <time datetime="2025-06-\d\d">2025-06-\d\d</time><br><strong class="warn">\d+ (?:days|months) old</strong>',
        body(client, "/sales"),
    )


def test_a_card_says_what_it_was_before_and_a_year_ago(client, connection):
    """February beside January, a rate in points; nothing is said of a time without a value, or without dates."""
    shown = body(client, "/sales?from=2025-02-01&to=2025-02-28")
    told = dict(re.findall(r'data-metric="(\w+)">(.*?)</article>', shown, re.DOTALL))
    here, then = (
        expected(connection, "revenue", {"from": first, "to": last}).value
        for first, last in (("2025-02-01", "2025-02-28"), ("2025-01-01", "2025-01-31"))
    )
    ((change, address, text),) = re.findall(
        r'<span class="whole">([+-][\d.]+%) vs <a href="([^"]*)">([^<]*)</a> the period before</span>', told["revenue"]
    )
    assert (change, text) == (f"{float(here) / float(then) - 1:+,.1%}", written("revenue", then))
    assert text in body(client, html.unescape(address))
    assert "+0.0 points vs" in told["win_rate"]
    assert "a year ago" not in told["revenue"]
    assert "</a> the period before</span>" not in body(client, "/sales") + body(
        client, "/sales?from=2025-01-01&to=2025-01-31"
    )


def test_periods_are_chosen_by_a_click_and_keep_the_other_filters(client, sample):
    """The sample's last day is in June 2025."""
    shown = html.unescape(body(client, "/sales?owner=Tom+Brannigan&sort=rank"))
    spans = dict(
        re.findall(
            r'<a href="([^"]*)"(?: aria-current="true")?>([^<]*)</a></li>', shown.split('aria-label="Periods"')[1]
        )
    )
    names = {name: address for address, name in spans.items()}
    assert "from=2025-01-01&to=2025-03-31" in names["Last quarter"]
    assert "owner=Tom+Brannigan" in names["Last quarter"]
    again = html.unescape(body(client, names["Last quarter"]))
    assert re.search(r'<a href="[^"]*" aria-current="true">Last quarter</a>', again)
    assert "from=" not in re.search(r'<a href="([^"]*)">All time</a>', again).group(1)


def test_what_a_filter_leaves_alone_says_so(client):
    assert "Not narrowed by dates, owner." in body(client, "/sales?from=2025-03-01&owner=Tom+Brannigan")
    figure = body(client, "/figures/sales/reps?from=2025-03-01")
    assert "no value by dates" in figure
    assert set(re.findall(r'data-metric="open_pipeline">([^<]*)<', figure)) == {"no data"}
    shown = body(client, "/sales?from=2025-03-01")
    assert (cards(shown)["sales_velocity"][0], "no value by dates" in shown) == ("no data", True)
    assert "no value by band" in body(client, "/pipeline?band=Cold")
    links = re.findall(r'href="/metrics/open_pipeline\?by=(\w+)"', body(client, "/metrics/open_pipeline"))
    assert "owner" in links
    assert "closed_month" not in links


def every_page(client, most=80):
    """Each page, and each that one of the first pages leads to."""
    seen, wanted = {}, list(PAGES)
    while wanted:
        address = wanted.pop(0)
        if address in seen or address.startswith(("/static", "#")):
            continue
        answer = client.get(address)
        assert answer.status_code in (200, 303, 307), (address, answer.status_code)
        seen[address] = answer
        if len(seen) < most and "text/html" in answer.headers.get("content-type", ""):
            wanted += [html.unescape(one).split("#")[0] for one in re.findall(r'href="(/[^"]*)"', answer.text)]
    return seen


@pytest.mark.slow
def test_every_link_leads_somewhere_and_every_answer_is_kept_safe(client):
    found = every_page(client)
    assert len(found) > 70
    for address, answer in found.items():
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self';" in policy, address
        assert "unsafe" not in policy, address
        assert answer.headers["x-content-type-options"] == "nosniff", address
        if "text/html" in answer.headers.get("content-type", ""):
            assert not re.search(
                r"<script(?![^>]*\ssrc=)|<style|\son\w+=|\sstyle=|javascript:|https?://", answer.text
            ), address
            assert answer.headers["cache-control"] == "no-store", address
    assert client.get("/static/vega.js").status_code == 200


EVIL = "<img src=x onerror=alert(1)>"
FORMULA = '=HYPERLINK("http://x")'


@pytest.fixture(scope="module")
def evil(spark, tmp_path_factory):
    from medallion import pipeline
    from medallion.lakehouse.store import Lakehouse

    folder = tmp_path_factory.mktemp("evil")
    (folder / "in").mkdir()
    (folder / "in" / "customers.csv").write_text(
        "customer_id,customer_name,industry,country,employee_count,created_at,email\n"
        f"C1,{EVIL},{EVIL},DE,10,2025-01-01,secret@example.org\n"
        f'C2,"{FORMULA.replace(chr(34), chr(34) * 2)}",\'; drop table x; --,DE,10,2025-01-01,\n'
    )
    (folder / "in" / "leads.csv").write_text(
        "lead_id,customer_id,lead_name,source,status,stage,deal_value,created_at,closed_at,owner\n"
        f"L1,C1,Secret Person,{EVIL},open,{EVIL},100,2025-06-01,,{EVIL}\n"
        f'L2,C2,Secret Person,website,won,closed,200,2025-05-01,2025-06-02,"+{FORMULA.replace(chr(34), chr(34) * 2)}"\n'
        "L3,nobody,Secret Person,website,won,closed,200,2025-05-01,2025-06-02,x\n"
    )
    (folder / "in" / "interactions.csv").write_text(
        "interaction_id,customer_id,lead_id,channel,occurred_at,duration_minutes,outcome,notes\n"
        "I1,C1,L1,call,2025-06-20 10:00,5,positive,Secret note\n"
        "I2,C1,L1,call,Secret moment,5,positive,Secret note\n"
    )
    lake = Lakehouse(str(folder / "lakehouse"))
    pipeline.run(load(None, source=str(folder / "in"), lakehouse=lake.root), NOW)
    return lake


@pytest.fixture(scope="module")
def evil_pages(evil):
    return every_page(open_dashboard(evil))


@pytest.mark.parametrize("most", [7, pytest.param(80, marks=pytest.mark.slow)])
def test_texts_of_the_crm_stay_texts(evil, request, most):
    shown = open_dashboard(evil)
    found = request.getfixturevalue("evil_pages") if most == 80 else every_page(shown, most)
    assert "/customers/C1" in found
    escaped = 0
    for address, answer in found.items():
        if "text/html" in answer.headers.get("content-type", ""):
            assert "<img src=x" not in answer.text, address
            escaped += html.escape(EVIL) in answer.text
    assert escaped > 5
    assert html.escape(EVIL) in body(shown, f"/pipeline?{urlencode({'industry': EVIL})}")


def test_a_download_is_safe_for_spreadsheets_and_complete(evil, client, connection):
    text = open_dashboard(evil).get("/rows/deals.csv").text
    assert "'+=HYPERLINK" in text
    assert "'=HYPERLINK" in open_dashboard(evil).get("/rows/customers.csv").text
    answer = client.get("/rows/deals.parquet?status=won&sort=-deal_value")
    table = pq.read_table(io.BytesIO(answer.content))
    wanted = query.rows(
        connection, "select lead_id from gold.deals where status = 'won' order by deal_value desc, lead_id"
    )
    assert table["lead_id"].to_pylist() == [row["lead_id"] for row in wanted]
    assert re.search(r'filename="deals-won-2025-0\d-\d\d.parquet"', answer.headers["content-disposition"])
    narrowed = client.get("/rows/deals.parquet?status=won&of=win_rate&q=L-1&owner=Tom+Brannigan")
    told = json.loads(pq.read_table(io.BytesIO(narrowed.content)).schema.metadata[b"medallion"])
    assert {**told, "as of": ""} == {
        "rows of": "Win rate",
        "status": "won",
        "owner": "Tom Brannigan",
        "search": "L-1",
        "as of": "",
    }
    assert "deals-Win-rate-won-Tom-Brannigan-L-1-2025" in narrowed.headers["content-disposition"]


@pytest.mark.slow
def test_personal_data_stays_out_unless_asked_for(evil, evil_pages, tmp_path):
    for address, answer in evil_pages.items():
        assert "secret" not in answer.text.lower(), address
    shown = open_dashboard(evil, pii=True)
    assert "Secret note" in body(shown, "/rows/touches")
    assert "Secret moment" in html.unescape(body(shown, "/rows/quarantine"))
    assert "Secret note" in shown.get("/rows/touches.csv").text
    assert "secret" not in open_dashboard(evil).get("/rows/touches.csv").text.lower()
    export(load(None, lakehouse=evil.root), tmp_path / "one.html")
    text = (tmp_path / "one.html").read_text()
    assert "secret" not in text.lower()
    assert "<img src=x" not in text
    assert html.escape(EVIL) in text


@pytest.mark.slow
def test_the_file_needs_nothing_else(sample, connection, tmp_path):
    export(load(None, lakehouse=sample.root), tmp_path / "one.html")
    text = (tmp_path / "one.html").read_text()
    assert not re.search(r"<script|<link|https?://(?!www\.w3\.org)|href=\"(?!#)|\bstyle=", text)
    assert "default-src 'none'" in html.unescape(text)
    for page in pages.PAGES.values():
        for name in page.cards:
            shown = re.search(rf'data-metric="{name}">.*?<p class="value[^"]*">([^<]*)', text, re.DOTALL).group(1)
            assert html.unescape(shown.strip()) == written(name, metrics.value(connection, name)), name
    assert text.count("data:image/svg+xml") == 2 * sum(len(page.parts) for page in pages.PAGES.values())
    with pytest.raises(MedallionError, match="cannot be written"):
        export(load(None, lakehouse=sample.root), tmp_path / "one.html" / "two.html")


def test_a_password_is_asked_for_and_guessing_is_slowed(sample):
    door = safety.Door("correct horse", hosts=SAFE, secure=True)
    shown = TestClient(
        application(Options(load(None, lakehouse=sample.root), door)),
        base_url="https://localhost",
        follow_redirects=False,
    )
    for address in [*PAGES, "/rows/deals.csv", "/charts/sales/months.svg", "/metrics/revenue", "/static/vega.js"]:
        answer = shown.get(address)
        assert (answer.status_code, answer.headers.get("location")) == (303, "/sign-in"), address
    assert shown.post("/sign-in", data={"password": "wrong"}).status_code == 403
    answer = shown.post("/sign-in", data={"password": "correct horse"})
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "secure" in cookie
    assert "samesite=strict" in cookie
    assert shown.get("/pipeline").status_code == 200
    stolen = answer.cookies[safety.COOKIE]
    assert shown.post("/sign-out").status_code == 303
    assert shown.get("/pipeline", headers={"cookie": f"{safety.COOKIE}={stolen}"}).status_code == 303
    for _ in range(safety.ATTEMPTS):
        shown.post("/sign-in", data={"password": "wrong"})
    assert shown.post("/sign-in", data={"password": "correct horse"}).status_code == 429


def test_users_sign_in_by_name_and_see_what_is_declared_for_them(two_reps, tmp_path):
    """Each their own, with roles and without a proxy; wrong passwords of one stop nobody else behind the same address."""
    file = tmp_path / "passwords"
    for user in ("Ann@us.example", "max", "nobody"):
        safety.set_password(file, user, f"secret of {user}")
    assert "secret" not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    people = (
        Person("ann@us.example", "rep", ("Ann Lee",), (), False, 1),
        Person("max", "analyst", (), (), False, 2),
    )
    app = application(
        Options(
            load(None, lakehouse=two_reps.root),
            safety.Door(passwords=safety.passwords(file), hosts=SAFE),
            people=people,
        )
    )

    def sign_in(user, password):
        shown = TestClient(app, follow_redirects=False)
        return shown, shown.post("/sign-in", data={"user": user, "password": password}).status_code

    assert TestClient(app, follow_redirects=False).get("/rows/deals").headers["location"] == "/sign-in"
    assert 'autocomplete="username"' in TestClient(app).get("/sign-in").text
    owners = {}
    for user in ("ANN@us.example", "max"):
        shown, status = sign_in(user, f"secret of {user.replace('ANN', 'Ann')}")
        assert status == 303
        owners[user] = set(re.findall(r"Ann Lee|Max Poole", body(shown, "/rows/deals")))
    assert owners == {"ANN@us.example": {"Ann Lee"}, "max": {"Ann Lee", "Max Poole"}}
    shown, status = sign_in("nobody", "secret of nobody")
    assert (status, shown.get("/rows/deals").status_code) == (303, 403)
    for user, password in (("max", "secret of nobody"), ("else", "secret of max"), ("", ""), ("max", "")):
        shown, status = sign_in(user, password)
        assert (status, shown.get("/rows/deals").status_code) == (403, 303), user
    for _ in range(safety.ATTEMPTS):
        sign_in("max", "wrong")
    assert sign_in("max", "secret of max")[1] == 429
    assert sign_in("ann@us.example", "secret of Ann@us.example")[1] == 303


def test_guesses_that_come_at_once_are_counted_before_they_are_checked(sample):
    """And a right password is not counted as a guess."""
    door = safety.Door(passwords={"ann": safety.kept("secret of ann")}, hosts=SAFE)
    served = application(Options(load(None, lakehouse=sample.root), door))

    async def burst(password, number):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(served), base_url="http://localhost") as shown:
            sent = [shown.post("/sign-in", data={"user": "Ann", "password": password}) for _ in range(number)]
            return [answer.status_code for answer in await asyncio.gather(*sent)]

    assert asyncio.run(burst("secret of ann", 4)) + asyncio.run(burst("secret of ann", 4)) == [303] * 8
    statuses = asyncio.run(burst("wrong", 12))
    assert (statuses.count(403), statuses.count(429)) == (safety.ATTEMPTS, 12 - safety.ATTEMPTS)


def test_a_user_is_kept_as_declared_however_the_name_is_typed():
    door = safety.Door(passwords={"ann@us.example": safety.kept("secret of ann")})
    assert door.admits("secret of ann", "ANN@US.example")
    cookie = door.enter("::1", door.attempt("::1", "ANN@US.example"), "ANN@US.example")
    assert door.user(cookie, {}) == "ann@us.example"


@pytest.mark.parametrize("page", ["/sales", "/health"])
def test_a_page_that_is_kept_leads_to_the_plan_of_who_looks(sample, page):
    shown = open_dashboard(sample)
    for owner in ("Priya Nair", "Tom Brannigan"):
        shown.cookies.set("mine", quote(owner))
        assert f"/today?{urlencode({'owner': owner})}" in html.unescape(body(shown, page))


def test_dates_with_no_time_before_them_are_not_compared(client):
    text = body(client, "/sales?from=0001-01-01")
    assert cards(text)["revenue"]
    assert "a year ago" not in text
    assert body(client, "/changes?to=0001-01-05")


def test_who_has_no_deals_is_told_so(two_reps):
    nobody = Person("eve", "rep", ("Eve Nobody",), (), False, 1)
    shown = open_dashboard(two_reps, people=(nobody,), me=nobody)
    for address in PAGES:
        if address != "/health":
            body(shown, address)
    assert words.say("no_deals") in body(shown, "/forecast")
    assert words.say("no_deals") in body(shown, "/forecast/deals?part=won", 400)


@pytest.mark.parametrize(
    ("text", "says"),
    [("ann", "line 1: not a user with"), ("ann:plain", "line 1: not a user with"), (f"a:{safety.kept('x' * 8)}\nA:{safety.kept('y' * 8)}", "line 2: A has a password")],
    ids=["no colon", "plain", "twice"],
)  # fmt: skip
def test_a_file_that_is_none_of_passwords_is_refused_by_line(tmp_path, text, says):
    (tmp_path / "passwords").write_text(text)
    with pytest.raises(MedallionError, match=says):
        safety.passwords(tmp_path / "passwords")
    for user, password in (("a:b", "long enough"), ("", "long enough"), ("ann", "short")):
        with pytest.raises(MedallionError):
            safety.set_password(tmp_path / "new", user, password)


def test_a_password_is_set_by_the_command(tmp_path):
    file = tmp_path / "passwords"
    asked = ["dashboard", "--passwords", str(file), "--set-password", "ann"]
    assert CliRunner().invoke(app, asked, input="long enough\nlong enough\n").exit_code == 0
    assert safety.fits("long enough", safety.passwords(file)["ann"])
    both = CliRunner().invoke(app, ["dashboard", "--passwords", str(file), "--user-header", "X"])
    assert (both.exit_code, "in no other way" in str(both.exception)) == (1, True)


def test_only_its_own_host_names_and_the_proxys_users_are_answered(sample):
    shown = open_dashboard(sample, safety.Door())
    assert shown.get("/pipeline", headers={"host": "evil.example"}).status_code == 421
    assert shown.get("/pipeline", headers={"host": "127.0.0.1:8787"}).status_code == 200
    assert shown.get("/pipeline", headers={"host": "[::1]:8787"}).status_code == 200
    behind = open_dashboard(sample, safety.Door(user_header="x-user", hosts=None))
    assert behind.get("/pipeline").status_code == 401
    assert behind.get("/pipeline", headers={"x-user": "ann"}).status_code == 200
    with pytest.raises(MedallionError, match="opens the dashboard to others"):
        serve(load(None, lakehouse=sample.root), "192.0.2.1", 0)


def test_themes_are_remembered_and_lead_back_here_only(client):
    answer = client.post("/theme", data={"theme": "dark"}, headers={"referer": "http://testserver/sales?owner=x"})
    assert answer.headers["location"] == "/sales?owner=x"
    assert "theme=dark" in answer.headers["set-cookie"]
    answer = client.post("/theme", data={"theme": "dark"}, headers={"referer": "http://evil.example/sales"})
    assert answer.headers["location"] == "/pipeline"
    assert client.post("/theme", data={"theme": "<script>"}).status_code == 400
    client.cookies.set("theme", "dark")
    assert 'data-theme="dark"' in body(client, "/sales")
    client.cookies.clear()


def test_nothing_writes(client):
    for address in PAGES:
        for method in ("post", "put", "delete", "patch"):
            assert getattr(client, method)(address).status_code in (404, 405)


@pytest.mark.slow
def test_a_new_run_shows_and_a_missing_lakehouse_is_said(deliver, tmp_path, monkeypatch):
    from medallion.lakehouse.store import Lakehouse

    monkeypatch.setattr("medallion.dashboard.reading.LOOK", 0.0)
    empty = open_dashboard(Lakehouse(str(tmp_path / "nowhere")))
    text = body(empty, "/pipeline", 503)
    assert "there is no lakehouse here" in text
    assert "medallion run" in text
    customers = "customer_id,customer_name,industry,country,employee_count,created_at\nC1,One,Retail,DE,10,2025-01-01\n"
    leads = "lead_id,customer_id,source,status,stage,deal_value,created_at,closed_at,owner\n"
    _, lake = deliver({"customers.csv": customers, "leads.csv": leads})
    shown = open_dashboard(lake)
    for address in PAGES:
        body(shown, address)
    assert words.say("no_changes") in body(shown, "/changes")
    assert "1970" not in body(shown, "/changes")
    text = body(shown, "/pipeline")
    assert words.EMPTY["calls"] in text
    assert cards(text)["open_leads"][0] == "0"
    assert "no data" in cards(body(shown, "/sales"))["win_rate"][0]
    export(load(None, lakehouse=lake.root), tmp_path / "empty.html")
    deliver({"leads.csv": leads + "L1,C1,website,open,new,5000,2025-06-01,,Ann\n"}, NOW + timedelta(days=1))
    assert cards(body(shown, "/pipeline"))["open_pipeline"][0] == "$5,000"
    with pytest.raises(LakehouseError):
        serve(load(None, lakehouse=str(tmp_path / "nowhere")), "127.0.0.1", 0)


@pytest.mark.parametrize("removed", ["while it is shown", "while it is opened"])
def test_a_state_that_is_removed_is_shown_as_it_is_now(own_sample, monkeypatch, capsys, removed):
    """A page reads the newest state once more, and says in words where that cannot be read either."""
    for name in ("LOOK", "PAUSE"):
        monkeypatch.setattr(f"medallion.dashboard.reading.{name}", 3600.0)
    client = open_dashboard(own_sample)
    body(client, "/pipeline")
    deals = own_sample.delta("gold.deals")
    write_deltalake(own_sample.path("gold.deals"), deals.to_pyarrow_table(), mode="overwrite")
    publishing.publish(own_sample, "forget")
    for uri in deals.file_uris():
        Path(uri.removeprefix("file://")).unlink()
    if removed == "while it is opened":
        opened = iter([True])

        def open_(lake, sign):
            if next(opened, False):
                raise StateRemovedError("gone")
            return Reading(lake, sign)

        monkeypatch.setattr("medallion.dashboard.reading.Reading", open_)
        client = open_dashboard(own_sample)
    body(client, "/sales")
    for uri in own_sample.delta("gold.deals").file_uris():
        Path(uri.removeprefix("file://")).unlink()
    assert "gold.deals: its last commit" in body(client, "/pipeline", 503)
    assert capsys.readouterr().err == ""


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))


@pytest.mark.parametrize("library", ["cachetools", "jinja2", "starlette", "uvicorn"])
def test_without_the_extra_the_command_says_what_to_install(tmp_path, monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MedallionError, match="The dashboard cannot be used") as told:
        CliRunner().invoke(
            app, ["dashboard", "--lakehouse", str(tmp_path), "--export", "x.html"], catch_exceptions=False
        )
    assert "medallion-crm[dashboard]" in told.value.remedy


def test_a_question_and_a_list_by_their_address(client, connection):
    from medallion.metrics.compilers.duckdb import answer
    from medallion.metrics.question import Question, Records

    question = {"metrics": "revenue,won_leads", "by": "industry,closed_at:quarter", "where": "not country = Germany", "period": "ytd",
                "having": "revenue > 0", "order": "-revenue", "limit": "2"}  # fmt: skip
    text = html.unescape(body(client, f"/question?{urlencode(question)}"))
    found = answer(connection, Question.read(**question))
    assert str(found.understood) in text
    assert "2 of" in text
    for row in found.rows:
        assert written("revenue", row["revenue"]) in text
    listed = html.unescape(body(client, "/records/deals?where=open+and+days_silent+%3E+3&order=-deal_value"))
    for row in answer(connection, Records.read("deals", "open and days_silent > 3")).rows:
        assert row["lead_id"] in listed
    for wrong, says in (("/question?metrics=revenue&where=country+%3D+Germny", "Nearest: Germany"), ("/question", "no metric"),
                        ("/question?metrics=revenue&period=soon", "no period"), ("/records/deels", "no records of"),
                        ("/question?metrics=revenue&wher=open", "wher"), ("/records/deals?limit=x", "number of rows")):  # fmt: skip
        assert says.casefold() in html.unescape(body(client, wrong, 400)).casefold()
