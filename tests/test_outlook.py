"""The page of the forecast: it is the command's, and each of its figures is what its rows add up to."""

from __future__ import annotations

import html
import io
import json
import re

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from conftest import NOW
from medallion import figures
from medallion.config import load
from medallion.dashboard import outlook
from medallion.lakehouse import query
from medallion.learning import forecasts
from medallion.metrics.compilers.duckdb import answer
from medallion.metrics.question import Question
from medallion.scoring import forecast


def body(client, address, status=200):
    answer = client.get(address)
    assert answer.status_code == status, (address, answer.text[:400])
    return answer.text


def listed(client, address):
    """The rows of a listing, and what its file says narrows them."""
    table = pq.read_table(io.BytesIO(client.get(address.replace("/deals?", "/deals.parquet?")).content))
    return table.to_pylist(), json.loads(table.schema.metadata[b"medallion"])


@pytest.mark.parametrize("asked", ["", "?period=2025-Q3&by=product", "?period=2025&by=stage"])
def test_every_figure_is_what_its_rows_add_up_to(dashboard, sample, asked):
    client = dashboard(sample)
    text = body(client, f"/forecast{asked}")
    links = re.findall(r'<a href="([^"]+)" data-part="(\w+)"(?: data-group="([^"]*)")?>([^<]*)</a>', text)
    assert {part for _, part, _, _ in links} == {*outlook.PARTS}
    for address, part, group, shown in links:
        rows, told = listed(client, html.unescape(address))
        assert told["figure"] == outlook.PARTS[part]
        column = "expected_value" if part == "open" else "deal_value"
        value = figures.money(sum(float(row[column] or 0) for row in rows), "USD")
        card = re.search(rf'data-figure="{part}">([^<]*)<', text).group(1)
        if not group and "deal" in shown:  # a card, which has the number of deals beneath its value
            assert (int(shown.split()[0].replace(",", "")), value) == (len(rows), card), address
        elif part in ("overdue", "slipped", "silent"):
            assert int(shown) == len(rows)
        else:
            assert shown == value, address
        page = html.unescape(body(client, html.unescape(address)))
        assert all(row["lead_id"] in page for row in rows)
        assert f'data-total="{column}">{value}<' in page or part == "open" or not rows


def test_overdue_and_silent_deals_are_those_of_the_metrics(dashboard, deliver):
    """On their borders too: due on the as-of day, touched on the last day that counts, never touched."""
    leads = "lead_id,customer_id,status,deal_value,created_at,expected_close_date,owner\n" + "".join(
        f"L{n},C{n},open,10,2025-01-01,2025-06-{29 + n},Ann\n"
        if n < 2
        else f"L{n},C{n},open,10,2025-01-01,2025-05-01,Ann\n"
        for n in range(4)
    )
    touches = "interaction_id,customer_id,channel,occurred_at,outcome\nI1,C0,call,2025-05-31,neutral\nI2,C1,call,2025-05-30,neutral\nI3,C2,call,2025-06-30,neutral\n"
    customers = "customer_id,customer_name\n" + "".join(f"C{n},Account {n}\n" for n in range(4))
    _, lake = deliver({"customers.csv": customers, "leads.csv": leads, "interactions.csv": touches})
    client = dashboard(lake)
    with query.connect(lake) as connection:
        known = {
            part: answer(connection, Question.read(metrics=f"{part}_deals")).rows[0]["value"]
            for part in ("overdue", "silent")
        }
    assert known == {"overdue": 3, "silent": 1}
    text = body(client, "/forecast")
    for part, count in known.items():
        assert re.search(rf'data-part="{part}">{count} deal', text), part
    assert forecasts.make(load(None, lakehouse=lake.root), NOW, keep=False).overdue["deals"] == 3


@pytest.mark.parametrize("probability", [None, 0.0, 0.399, 0.4, 0.699, 0.7, 1.0])
def test_a_deal_counts_in_a_figure_from_the_probability_on_that_the_figure_does(probability):
    deal = forecasts.Deal("L1", "", False, 100.0, probability, False, False, False)
    some = np.array([] if probability is None else [probability])
    deals = forecast.Deals(np.full(len(some), 100.0), np.zeros(len(some), dtype=np.int64), some, some, some)
    *_, total = forecast.expect(np.zeros(1), deals, forecast.NewDeals(np.zeros(1), np.zeros(0)), 1)
    assert [deal.part_of(part) for part in ("commit", "best_case")] == [total.commit > 0, total.best_case > 0]
    assert deal.part_of("open") == (probability is not None)


def test_it_is_the_forecast_of_the_command(dashboard, sample):
    made = forecasts.make(load(None, lakehouse=sample.root), NOW, "2025-Q3", "owner", keep=False)
    text = body(dashboard(sample), "/forecast?period=Q3-2025")
    for name in ("expected", "won", "open", "commit", "best_case"):
        assert f'data-figure="{name}">{figures.money(made.total[name], "USD")}<' in text
    for group in made.groups:
        assert group["owner"] in text


def test_quotas_and_outcomes_stand_beside_it(sample):
    """Of an owner with a quota the share that is won; of a kept forecast what came, inside its interval or not."""
    with duckdb.connect() as connection:
        connection.execute("create schema gold; create schema ops")
        connection.execute(
            "create table gold.deals as select 'won' as status, 100::decimal(18, 2) as deal_value, date '2025-05-01' as closed_at; "
            "create table ops.forecasts as select '2025-Q2' as period, null as part, true as new_deals, date '2025-05-10' as as_of, "
            "date '2025-04-01' as first_day, date '2025-06-30' as last_day, now() as made_at, 120::decimal(18, 2) as expected_amount"
        )
        (row,) = forecasts.outcomes(connection, NOW.date())
    assert (row["period"], row["revenue"]) == ("2025-Q2", 100.0)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("/forecast?period=soon", "is no period"),
        ("/forecast?by=mood", "not split by 'mood'"),
        ("/forecast/deals?part=luck", "no figure 'luck'"),
        ("/forecast/deals?part=won&group=Nobody", "called 'Nobody'"),
        ("/forecast/deals", "no figure ''"),
    ],
)
def test_what_is_not_there_is_refused(dashboard, sample, address, says):
    assert says in html.unescape(body(dashboard(sample), address, 400))


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
