"""Explore: the answer of the typed question, narrowed by a click, and each figure computed again from the rows behind it."""

from __future__ import annotations

import html
import io
import json
import re
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pyarrow.parquet as pq
import pytest
from in_memory import in_memory

from medallion import metrics
from medallion.contracts import own
from medallion.dashboard import explore, saved
from medallion.dashboard.parameters import Given
from medallion.errors import ContractError, MedallionError
from medallion.lakehouse import query
from medallion.metrics.compilers.duckdb import answer, behind, written_rows
from medallion.metrics.question import Question

HERE = {"origin": "http://testserver", "host": "testserver"}


def body(client, address, status=200):
    found = client.get(address)
    assert found.status_code == status, (address, found.text[:400])
    return html.unescape(found.text)


@pytest.fixture(scope="module")
def connection(sample):
    with query.connect(sample) as found:
        yield in_memory(found)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        pytest.param({"by": ("owner",), "period": "2025-Q2"}, marks=pytest.mark.slow),
        {"by": ("month",), "period": "2025-Q2"},  # of what is open, at the end of each
        {"by": ("industry", "source"), "where": "not source = website"},
    ],
    ids=str,
)
def test_every_figure_is_computed_again_from_the_rows_behind_it(connection, asked):
    """Of every metric that the question can be asked of: the total and each row, and as many rows as `n` says."""
    figures = 0
    for name, metric in metrics.metrics().items():
        question = Question.read(name, **asked)
        try:
            told = answer(connection, question)
        except ContractError:
            continue
        if metric.measure.parts:
            continue
        rows = [(told.totals or told.rows[0], ())]
        if asked.get("by"):
            rows += [
                (row, [explore.key_of(row[str(split)]) for split, _ in told.understood.splits]) for row in told.rows[:2]
            ]
        for row, keys in rows:
            found = behind(connection, question, name, keys)
            assert (found.value or 0) == pytest.approx(row["value"] or 0, rel=1e-9), (name, keys)
            if (metric.measure.n or "").startswith("SUM("):  # of rows of channels, each with its touches
                continue
            if not metric.measure.expr.startswith("COUNT(CASE"):  # which counts fewer rows than it looks at
                assert len(found.rows) == row["n"], (name, keys)
            elif " / " not in metric.measure.expr:
                assert len(found.rows) == row["value"], (name, keys)
            figures += 1
    assert figures > 20


def test_the_page_is_the_answer_and_its_numbers_open_their_rows(dashboard, sample, connection):
    client = dashboard(sample)
    asked = {"metrics": "revenue,win_rate", "by": "owner", "period": "2025-Q2"}
    text = body(client, f"/explore?{urlencode(asked)}")
    told = answer(connection, Question.read(**asked))
    assert str(told.understood) in text
    rows = re.findall(r'<a href="([^"]+)" data-column="([^"]+)">([^<]*)</a>', text)
    assert len(rows) == 4 * (len(told.rows) + 1), "two values with their rows, of each row and of the total"
    shown = {value for _, _, value in rows}
    for row in (*written_rows(told, "USD"),):
        assert {row["revenue"], row["win_rate"]} <= shown
    for address, name, value in rows:
        if name.endswith("_n"):
            continue
        page = body(client, address)
        assert f": {value}</h1>" in page, (address, value)
        file = client.get(address.replace("/rows?", "/rows.parquet?"))
        table = pq.read_table(io.BytesIO(file.content))
        told = json.loads(table.schema.metadata[b"medallion"])
        assert told["as of"] == "2025-06-30"
        assert "2025" in told["period"]
        if name == "revenue":
            assert metrics.written(name, sum(table["deal_value"].to_pylist()), "USD") == value


@pytest.mark.parametrize("asked", ["metrics=revenue&by=owner", "metrics=revenue&by=month", "metrics=touches&by=hour&by=channel",
                                   "metrics=open_leads&by=industry", "metrics=won_leads&by=closed_date:week&where=industry+%3D+Retail"])  # fmt: skip
def test_a_click_narrows_to_the_figure_that_was_clicked(dashboard, sample, connection, asked):
    text = body(dashboard(sample), f"/explore?{asked}")
    rows = re.findall(
        r'<tr[^>]*><td[^>]*><a href="(/explore\?[^"]+)">[^<]*</a></td>.*?data-column="value">([^<]*)</a>',
        text,
        re.DOTALL,
    )
    assert rows
    told = answer(connection, explore.question(explore.given(parse_qsl(asked))))
    first = str(told.understood.splits[0][0])
    known = [row for row in told.rows if first != "month" or row[first] is not None]  # no period is the time of nothing
    for (address, value), row in list(zip(rows, known, strict=True))[:4]:
        found = explore.given(parse_qsl(urlsplit(address).query))
        narrowed = answer(connection, explore.question(found))
        total = (narrowed.totals or narrowed.rows[0])["value"]
        if len(told.understood.splits) == 1:
            assert total == row["value"], address
            assert metrics.written(told.understood.metrics[0].name, total, "USD") == value


def test_a_chip_is_taken_away_by_its_cross(dashboard, sample):
    client = dashboard(sample)
    asked = "metrics=revenue&where=industry+%3D+Retail+and+(source+%3D+referral+or+source+%3D+event)&period=2025"
    crosses = re.findall(r'<a href="(/explore\?[^"]+)" aria-label="Without', body(client, f"/explore?{asked}"))
    left = [dict(parse_qsl(urlsplit(one).query)) for one in crosses]
    assert [one.get("where") for one in left[:2]] == ["source = referral or source = event", "industry = Retail"]
    assert "period" not in left[2]
    for one in crosses:
        body(client, one)


def test_the_file_is_what_is_shown(dashboard, sample, connection):
    asked = {"metrics": "open_pipeline", "by": "stage,industry", "where": "source = referral", "order": "-value"}
    told = answer(connection, Question.read(**asked))
    file = dashboard(sample).get(f"/explore.parquet?{urlencode(asked)}")
    table = pq.read_table(io.BytesIO(file.content))
    assert table.column_names == [one.name for one in told.columns]
    assert table.to_pylist() == told.rows
    said = json.loads(table.schema.metadata[b"medallion"])
    assert {**asked, "as of": "2025-06-30"} == said
    assert "source-referral" in file.headers["content-disposition"]
    compared = {"metrics": "revenue,win_rate", "by": "owner", "period": "2025-Q2", "compare": "previous"}
    client = dashboard(sample)
    for show, columns in (("chart", 7), ("table", 11)):
        address = urlencode({**compared, "show": show})
        heads = re.findall(r"<th scope=\"col\"[^>]*>[^<]+</th>", body(client, f"/explore?{address}"))
        file = client.get(f"/explore.parquet?{address}")
        assert len(heads) == pq.read_table(io.BytesIO(file.content)).num_columns == columns
    text = dashboard(sample).get(f"/explore.csv?{urlencode(asked)}").text.splitlines()
    assert len(text) == len(told.rows) + 1


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("metrics=revenu", "revenue"),
        ("metrics=revenue&by=mood", "no dimension 'mood'"),
        ("metrics=revenue&where=industry+%3D+Retial", "Nearest: Retail"),
        ("metrics=revenue&period=soon", "no period"),
        ("metrics=revenue&compare=previous", "needs a period"),
    ],
)
def test_what_is_not_understood_is_said_and_stays_in_the_form(dashboard, sample, asked, says):
    text = body(dashboard(sample), f"/explore?{asked}", 400)
    assert says in text
    assert 'data-column="' not in text
    for name, value in parse_qsl(asked):
        assert value in text, name


def test_rows_of_no_figure_are_refused(dashboard, sample):
    client = dashboard(sample)
    assert "no part of this question" in body(client, "/explore/rows?metrics=revenue&of=win_rate", 400)
    assert "value for every split" in body(
        client, "/explore/rows?metrics=revenue&by=owner,industry&of=revenue&key0=x", 400
    )
    more = "/explore/rows?metrics=revenue&by=owner&of=revenue&key0=Priya+Nair&key1=Retail"
    assert "value for every split" in body(client, more, 400)  # a part that counts for nothing
    assert "no row of Nobody" in body(client, "/explore/rows?metrics=revenue&by=owner&of=revenue&key0=Nobody", 400)
    assert body(client, "/explore?show=pie", 400)
    whole = body(client, "/explore/rows?metrics=conversion_rate_by_period&period=2025&of=won_leads")
    assert metrics.named("won_leads").measure.display_name in whole


def test_a_view_is_kept_listed_and_checked(dashboard, sample, tmp_path, monkeypatch):
    monkeypatch.setattr(own, "_METRICS", tmp_path)
    client = dashboard(sample)
    asked = {"metrics": "revenue", "by": "owner", "where": 'industry = "Retail"', "view": "Retail: <b>mine</b>"}
    assert client.post("/explore/views", data=asked).status_code == 403
    answer = client.post("/explore/views", data=asked, headers=HERE)
    assert answer.status_code == 303
    kept = {name: text for name, text in asked.items() if name != "view"}
    assert dict(parse_qsl(urlsplit(answer.headers["location"]).query)) == kept
    (view,) = saved.views()
    assert (view.name, view.file.name) == ("Retail: <b>mine</b>", "retail-b-mine-b.yaml")
    page = client.get("/explore").text
    assert "Retail: &lt;b&gt;mine&lt;/b&gt;" in page
    assert "<b>mine" not in page
    assert client.post("/explore/views", data=asked, headers=HERE).status_code == 409
    assert (
        client.post("/explore/views", data={**asked, "metrics": "revenu", "view": "x"}, headers=HERE).status_code == 400
    )
    assert client.post("/explore/views", data={**asked, "view": "../../x"}, headers=HERE).status_code == 303
    assert {one.file.parent for one in saved.views()} == {tmp_path / "views"}
    (tmp_path / "views" / "bad.yaml").write_text("view: Bad\nquestion: {metrics: revenue, colour: red}\n")
    assert [one.problem for one in saved.views() if one.problem] == [
        "bad.yaml: colour is no part of a question, or no text in quotes"
    ]
    assert metrics.metrics(), "the folder of metrics still loads"
    monkeypatch.setattr(own, "_METRICS", None)
    with pytest.raises(MedallionError, match="no folder for views"):
        saved.save("x", Given())


def test_every_metric_is_in_the_catalogue(dashboard, sample):
    text = body(dashboard(sample), "/metrics")
    for name, metric in metrics.metrics().items():
        assert f"/explore?metrics={quote(name)}" in text
        assert metric.measure.comment in text


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
