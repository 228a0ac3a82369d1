"""Amounts in other currencies: converted by a table of rates, or held out and named; never added across currencies."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP
from decimal import Decimal as D

import pytest
from pyspark.sql import functions as F
from typer.testing import CliRunner

from conftest import NOW
from medallion import contracts, pipeline
from medallion.agent import serving
from medallion.agent.rules import Rules
from medallion.agent.tools import Tools
from medallion.care import status
from medallion.cli.app import app
from medallion.config import load
from medallion.dashboard.reading import Reading
from medallion.errors import ContractError
from medallion.lakehouse import contracts_in_use, query
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import amounts, proof, silver_to_gold
from medallion.pipeline.work import Work
from medallion.report import facts, findings
from medallion.silver import converted
from medallion.sources import rates, scan

RATES = "date,currency,rate\n2025-01-01,EUR,1.10\n2025-03-01,EUR,1.20\n2025-01-01,JPY,0.0067\n"

WRONG = [
    # what the table says -> what is said of it
    ("date,currency,rate\n2025-01-01,EURO,1.1", "r.csv:2: currency: 'EURO' is no currency code"),
    ("date,currency,rate\n\n2025-01-01,EUR,0", "r.csv:3: rate: '0' is not above 0"),
    ("date,currency,rate\n2025-01-01,EUR,-1.1", "r.csv:2: rate: '-1.1' is not above 0"),
    ("date,currency,rate\n2025-01-01,EUR,NaN", "r.csv:2: rate: 'NaN' is no number"),
    ('date,currency,rate\n2025-01-01,EUR,"1,1"', "r.csv:2: rate: '1,1' is no number"),
    ("date,currency,rate\n2025-01-01,EUR,", "r.csv:2: rate: '' is no number"),
    ("date,currency,rate\n2025-01-01,EUR,1e-12", "r.csv:2: rate: '1e-12' is too small or too large"),
    ("date,currency,rate\n2025-01-01,EUR,1e30", "r.csv:2: rate: '1e30' is too small or too large"),
    ("date,currency,rate\n31.01.2025,EUR,1.1", "r.csv:2: date: '31.01.2025' is no day"),
    ("date,currency,rate\n0202-01-01,EUR,1.1", "r.csv:2: date: 0202-01-01 lies outside of 1970 to 2099"),
    (RATES + "2025-01-01,eur,1.11\n", "r.csv:5: rate: EUR on 2025-01-01 is worth 1.11 here and 1.1 on line 2"),
    ("date,currency,rate\n2025-01-01,USD,1.1", "r.csv:2: rate: '1.1' of USD, which is the reporting currency"),
    ("date,from,to,rate\n2025-01-01,EUR,CHF,0.9", "r.csv:2: neither EUR nor CHF is USD, the reporting currency"),
    ("date,currency\n2025-01-01,EUR", "r.csv:1: the columns are date, currency"),
    ("date,currency,rate\n2025-01-01,EUR", "r.csv:2: has 2 cells, and the first line 3"),
    ("", "r.csv:1: the columns are none"),
]


@pytest.mark.parametrize(("text", "says"), WRONG, ids=[says for _, says in WRONG])
def test_a_table_that_cannot_be_used_is_refused_by_line_column_and_value(text, says):
    with pytest.raises(ContractError) as refused:
        rates.read(text, "r.csv", "USD")
    assert says in refused.value.problem
    assert refused.value.remedy


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffDate;Currency;Rate\r\n2025-01-31;eur;1.25\r\n2025-01-31;EUR;1.250\r\n2025-01-31;USD;1\r\n",
        "rate\tcurrency\tdate\n1.25\tEUR\t2025-01-31\n\n",
        "date,from,to,rate\n2025-01-31,EUR,USD,1.25\n",
        "date,from,to,rate\n2025-01-31,USD,EUR,0.8\n",
    ],
)
def test_a_table_may_be_written_in_several_ways(text):
    (only,) = rates.read(text, "r.csv", "USD")
    assert (only.currency, only.day, only.rate) == ("EUR", date(2025, 1, 31), D("1.25"))


def test_a_rate_holds_until_the_next_and_to_the_end_of_the_table():
    found = rates.by_day(rates.read(RATES + "2025-03-03,CHF,1.1\n", "r.csv", "USD")).to_pylist()
    of = {(row["_code"], row["_day"]): (row["rate"], row["rate_date"]) for row in found}
    assert len(of) == len(found)
    assert of["EUR", date(2025, 2, 28)] == (D("1.1"), date(2025, 1, 1))
    assert of["EUR", date(2025, 3, 3)] == (D("1.2"), date(2025, 3, 1))
    assert of["JPY", date(2025, 3, 3)] == (D("0.0067"), date(2025, 1, 1))
    assert ("CHF", date(2025, 3, 2)) not in of
    assert rates.by_day(()).num_rows == 0


LEAD = (
    "lead_id string, status string, deal_value decimal(18,2), currency string, created_at timestamp, closed_at timestamp, "
    "expected_close_date date, _source_file string, _source_row bigint"
)


def deal(key, status, value, currency, opened, closed=None, expected=None):
    times = (None if day is None else datetime.fromisoformat(day) for day in (opened, closed))
    amount = None if value is None else D(value)
    planned = None if expected is None else date.fromisoformat(expected)
    return (key, status, amount, currency, *times, planned, "deals.csv", 2)


def valued(spark, frame, deals, text=RATES, last="2025-06-30", reporting="USD"):
    known = rates.read(text, "r.csv", reporting)
    by_day = spark.createDataFrame(rates.by_day(known), rates.BY_DAY)
    end = min(date.fromisoformat(last), max((each.day for each in known), default=date.max))
    found = converted.in_currency(frame(LEAD, *deals), by_day, end, reporting, rates.places(reporting))
    return {row["lead_id"]: row.asDict() for row in found.collect()}, found


def test_the_rate_is_that_of_the_close_the_expected_close_or_the_opening(spark, frame):
    deals = [
        deal("won", "won", "100", "EUR", "2025-02-01", "2025-03-02"),
        deal("won before", "won", "100", "EUR", "2025-01-05", "2025-02-28", "2025-04-01"),
        deal("open", "open", "100", "EUR", "2025-01-05"),
        deal("planned", "open", "100", "EUR", "2025-01-05", expected="2025-03-01"),
        deal("far", "open", "100", "EUR", "2025-01-05", expected="2099-01-01"),
        deal("too early", "won", "100", "EUR", "2024-12-01", "2024-12-31"),
        deal("unknown", "won", "100", "GBP", "2025-02-01", "2025-03-02"),
        deal("without", "won", None, "GBP", "2025-02-01", "2025-03-02"),
        deal("own", "won", "100", "USD", "2025-02-01", "2025-03-02"),
        deal("unsaid", "won", "100", None, "2025-02-01", "2025-03-02"),
    ]
    found, _ = valued(spark, frame, deals)
    values = {key: row["value"] and str(row["value"]) for key, row in found.items()}
    assert values == {
        "won": "120.00", "won before": "110.00", "open": "110.00", "planned": "120.00", "far": "120.00",
        "too early": None, "unknown": None, "without": None, "own": "100.00", "unsaid": "100.00",
    }  # fmt: skip
    assert {key: row["held_out"] for key, row in found.items() if row["held_out"]} == {
        "too early": "no rate of EUR by 2024-12-31",
        "unknown": "no rate of GBP by 2025-03-02",
    }
    assert (found["planned"]["rate"], found["planned"]["rate_date"]) == (D("1.2"), date(2025, 3, 1))
    earlier, _ = valued(spark, frame, [deals[4]], last="2025-02-15")  # no rate from after the last day
    assert str(earlier["far"]["value"]) == "110.00"


def test_amounts_are_rounded_half_up_to_what_the_currency_has(spark, frame):
    deals = [
        deal("up", "won", "0.05", "EUR", "2025-01-01", "2025-01-02"),  # 0.055
        deal("credit", "won", "-0.05", "EUR", "2025-01-01", "2025-01-02"),
        deal("large", "won", "9999999999999999.99", "EUR", "2025-01-01", "2025-01-02"),
    ]
    found, frame_of = valued(spark, frame, deals)
    assert [str(found[key]["value"]) for key in ("up", "credit")] == ["0.06", "-0.06"]
    assert found["large"]["held_out"] == "its amount is too large"
    listed = converted.conversions(frame_of, "USD").collect()
    assert {row["lead_id"]: row["value"] for row in listed}["large"] is None
    yen, _ = valued(spark, frame, [deal("a", "won", "1.50", "USD", "2025-01-01", "2025-01-02")],
                    "date,currency,rate\n2025-01-01,USD,149\n", reporting="JPY")  # fmt: skip
    assert str(yen["a"]["value"]) == "224.00"  # 223.5


def test_what_is_converted_adds_up_to_what_it_was(spark, frame):
    """Per currency and rate: the sum of what was is the sum of what is, divided by the rate, within half a cent a deal."""
    pick = random.Random(5)  # noqa: S311
    codes = ["EUR", "JPY", "GBP", "KWD", "USD"]
    days = [date(2024, 1, 1) + timedelta(days=n) for n in range(0, 400, 25)]
    known = {
        (code, day): D(pick.randrange(1, 10**6)) / 10**4 for code in codes[:4] for day in days[pick.randrange(4) :]
    }
    text = "date,currency,rate\n" + "".join(f"{day},{code},{rate}\n" for (code, day), rate in known.items())
    deals = []
    for n in range(300):
        opened = date(2024, 1, 1) + timedelta(days=pick.randrange(420))
        value = str(D(pick.randrange(-(10**6), 10**8)) / 100)
        deals.append(
            deal(f"L{n:03}", pick.choice(["won", "lost"]), value, pick.choice(codes), str(opened), str(opened))
        )
    _, whole = valued(spark, frame, deals, text, last="2025-12-31")
    before: dict[str, D] = defaultdict(D)
    after: dict[str, D] = defaultdict(D)
    counted = {row["lead_id"]: row["deal_value"] for row in converted.counted(whole, whole.columns, "USD").collect()}
    for key, _, value, code, _, closed, *_ in deals:
        held = [day for given, day in known if given == code and day <= closed.date()]
        rate = known[code, max(held)] if held else D(1) if code == "USD" else None
        assert (key in counted) == (rate is not None), key
        if rate is not None:
            assert counted[key] == (value * rate).quantize(D("0.01"), ROUND_HALF_UP), key
            before[code] += value
            after[code] += counted[key] / rate
    assert set(before) == set(codes)
    least = min(known.values())
    assert all(abs(before[code] - after[code]) <= D("0.005") * 300 / least for code in codes)
    written, now = converted.conversions(whole, "USD"), frame(LEAD, *deals)
    again = converted.as_written(now, written, "USD")
    assert {row["lead_id"]: row["deal_value"] for row in again.collect()} == counted
    # what no run has converted yet is never added: deals that came or changed since, all of another reporting currency
    amount, code, changed = F.col("deal_value"), F.col("currency"), F.col("lead_id") < "L100"
    later = now.withColumn("deal_value", F.when(changed, amount + 1).otherwise(amount))
    later = later.unionByName(
        now.filter("currency = 'EUR'").withColumn("lead_id", F.concat(F.lit("N"), F.col("lead_id")))
    )
    there = {row["lead_id"]: row["deal_value"] for row in converted.as_written(later, written, "USD").collect()}
    mine = {key for key, _, _, code, *_ in deals if code == "USD"}
    assert there == {key: value + (key < "L100") for key, value in counted.items() if key in mine or key >= "L100"}
    left = converted.as_written(now.withColumn("deal_value", F.when(code != "JPY", amount)), written, "EUR").collect()
    assert {row["currency"] for row in left} == {"EUR"}
    assert {row["lead_id"] for row in left} == {key for key, _, _, code, *_ in deals if code in ("EUR", "JPY")}


def test_rates_that_are_long_out_of_date_are_told(spark, frame):
    text = "date,currency,rate\n2015-01-01,EUR,2.5\n2025-02-01,CHF,1.1\n2025-01-01,JPY,0.01\n"
    deals = [
        deal("old", "won", "100", "EUR", "2025-01-10", "2025-02-01"),
        deal("in time", "won", "50", "EUR", "2015-01-10", "2015-02-15"),
        deal("new", "won", "7", "EUR", "2015-01-10", "2015-02-16"),
        deal("open", "open", "100", "CHF", "2025-01-10", expected="2099-01-01"),
        deal("a", "won", "9", "GBP", "2025-01-10", "2025-02-01"),
        deal("large", "won", "9999999999999999.99", "CHF", "2025-02-10", "2025-02-12"),
    ]
    _, whole = valued(spark, frame, deals, text, last="2025-03-18")
    told = [
        row.asDict() for row in converted.in_doubt(converted.conversions(whole, "USD"), date(2025, 3, 18)).collect()
    ]
    known = {"EUR": date(2015, 1, 1)}
    assert [silver_to_gold._doubt(row, "r.csv", known.get(row["original_currency"])) for row in told] == [
        "1 deal is held out of every figure: CHF 10,000,000,000,000,000 in all, such as large (deals.csv:2): its amount is too large. "
        "Correct it in the CRM and deliver it again.",
        "2 deals are converted at a EUR rate more than 45 days older than the deal: €107 in all, such as new (deals.csv:2). "
        "The last EUR rate is dated 2015-01-01; add newer ones to r.csv and run again.",
        "1 deal is held out of every figure: £9 in all, such as a (deals.csv:2): no rate of GBP by 2025-02-01. Add it to r.csv and run again.",
    ]
    later = converted.in_doubt(converted.conversions(whole, "USD"), date(2025, 3, 19)).filter(
        "original_currency = 'CHF' and not held"
    )
    assert [row["lead_id"] for row in later.collect()] == ["open"]


HEAD = "lead_id,customer_id,status,deal_value,currency,created_at,updated_at,closed_at"
ACCOUNTS = "customer_id,customer_name,created_at\nC1,Acme,2025-01-01\n"


def _consumers(lake):
    """What a terminal, a report, a dashboard, an agent and a Power BI model say."""
    yield " ".join(CliRunner().invoke(app, ["insights", "--lakehouse", lake.root]).output.split())
    yield status.status(lake, NOW, ())["currencies"]
    with query.connect(lake) as connection:
        yield " ".join(findings.caveats(facts.gather(connection, lake), []))
    reading = Reading(lake)
    yield reading.currencies
    reading.close()
    with serving.serve(lake) as served:
        yield Tools(served, Rules()).metric_value("revenue").note


#: Deals that are not in gold.deals as they are last in their history, or the other way round.
APART = """with last as (select lead_id, status, deal_value from gold.deal_changes where valid_to is null and known_to is null),
    now as (select lead_id, status, deal_value from gold.deals) (from last except from now) union all (from now except from last)"""


@pytest.mark.slow
def test_three_deliveries_and_a_changed_table(deliver, rows, tmp_path):
    table = tmp_path / "rates.csv"
    table.write_text(RATES)
    first = f"{HEAD}\nL1,C1,won,1000,EUR,2025-01-10,2025-02-01,2025-02-01\nL2,C1,won,500,USD,2025-01-10,2025-02-01,2025-02-01\n"
    first += "L3,C1,won,70,GBP,2025-01-10,2025-02-01,2025-02-01\nL4,C1,open,10,Euro,2025-01-10,2025-02-01,\n"
    revenue = "select sum(deal_value) filter (status = 'won') as won, count(*) as deals from gold.deals"
    result, lake = deliver({"leads.csv": first, "customers.csv": ACCOUNTS}, rates=table)
    assert rows(lake, revenue) == [{"won": D(1600), "deals": 3}]
    assert rows(lake, APART) == []
    assert result.warnings == [
        f"1 deal is held out of every figure: £70 in all, such as L3 (leads.csv:4): no rate of GBP by 2025-02-01. Add it to {table} and run again."
    ]
    assert result.proof.question == ("Your CRM should show 3 won, €1,000 and £70 and $500; 0 lost; 1 open. Is that so?")
    assert proof.note(lake) == (
        "Figures are in USD. 2 deals in EUR are converted: €1,010 to $1,111. 1 deal in GBP is held out of every figure: £70."
    )
    assert all(proof.note(lake) in text for text in _consumers(lake))
    listed = rows(lake, "select * from silver.conversions order by lead_id")
    assert [
        (row["lead_id"], row["original_amount"], row["rate"], row["rate_date"], row["value"]) for row in listed
    ] == [
        ("L1", D(1000), D("1.1"), date(2025, 1, 1), D(1100)),
        ("L3", D(70), None, None, None),
        ("L4", D(10), D("1.1"), date(2025, 1, 1), D(11)),
    ]
    # the next delivery is without the setting: the table in use holds
    second = f"{HEAD}\nL5,C1,won,100,EUR,2025-03-01,2025-03-05,2025-03-05\n"
    result, lake = deliver({"leads.csv": second}, NOW + timedelta(days=1), stages=[pipeline.BRONZE_TO_SILVER])
    settings = load(None, source=str(tmp_path / "delivery_2"), lakehouse=lake.root)
    pipeline.run(settings, NOW + timedelta(days=1, minutes=1), stages=[pipeline.SILVER_TO_GOLD])
    assert rows(lake, revenue) == [{"won": D(1720), "deals": 4}]
    assert "3 deals in EUR are converted: €1,110 to $1,231." in proof.note(lake)
    nothing = pipeline.run(
        load(None, source=str(tmp_path / "delivery_2"), lakehouse=lake.root, rates=table), NOW + timedelta(days=2)
    )
    assert not nothing.changed
    # another table: figures follow without a delivery, and a replay by what was known has those of then
    table.write_text(RATES.replace("1.20", "1.30") + "2025-01-01,GBP,1.25\n")
    settings = load(None, source=str(tmp_path / "delivery_2"), lakehouse=lake.root, rates=table)
    changed = pipeline.run(settings, NOW + timedelta(days=3))
    assert changed.warnings == []
    assert rows(lake, revenue) == [{"won": D("1817.50"), "deals": 5}]
    assert proof.note(lake).endswith("1 deal in GBP is converted: £70 to $88.")
    third = f"{HEAD}\nL1,C1,lost,1000,EUR,2025-01-10,2025-04-01,2025-04-01\nL6,C1,won,-50,EUR,2025-03-01,2025-04-02,2025-04-02\n"
    result, lake = deliver({"leads.csv": third}, NOW + timedelta(days=4))
    assert rows(lake, revenue) == [{"won": D("717.50"), "deals": 5}]  # L6: a credit needs a contract that allows it
    assert rows(lake, APART) == []
    was = "select distinct deal_value from gold.deal_changes where lead_id = 'L1' and known_to is null and status = 'open'"
    assert rows(lake, was) == [{"deal_value": D(1100)}]
    other = Lakehouse(str(tmp_path / "june"))
    pipeline.replay(load(None, lakehouse=lake.root), date(2025, 6, 30), NOW + timedelta(days=3), other.root)
    assert rows(other, revenue) == [{"won": D(1720), "deals": 4}]


@pytest.mark.slow
def test_without_rates_other_currencies_are_held_out_and_named(deliver, rows, tmp_path):
    text = f"{HEAD}\nL1,C1,won,1000,EUR,2025-01-10,2025-02-01,2025-02-01\nL2,C1,won,500,USD,2025-01-10,2025-02-01,2025-02-01\n"
    text += 'L3,C1,won,"1,070.50",GBP,2025-01-10,2025-02-01,2025-02-01\n'
    text += "L4,C1,won,100,EUR,2025-01-10,2025-02-01,2025-02-01\nL5,C1,open,7,EUR,2025-01-10,2025-02-01,\n"
    text += "L6,C1,won,100,EUR,2025-01-10,2025-03-01,2025-02-01\n"
    deliver({"leads.csv": text, "customers.csv": ACCOUNTS}, NOW - timedelta(days=1))
    late = "L6,C1,open,50,USD,2025-01-10,2025-01-12,\n"  # an older version of L6, which arrives late
    result, lake = deliver({"leads.csv": f"{HEAD}\nL4,C1,lost,200,USD,2025-01-10,2025-02-01,2025-02-01\n{late}"})
    assert rows(lake, "select sum(deal_value) as won from gold.deals") == [{"won": D(750)}]
    assert proof.note(lake) == (
        "Figures are in USD. 3 deals in EUR are held out of every figure: €1,107. 1 deal in GBP is held out of every figure: £1,070."
    )
    assert json.loads(proof.recorded(lake)[-1]["document"])["foreign"][0]["held_value"] == "1107.00"
    # given later, the rates let in what waits, and not over what has come since, in this delivery or before
    (tmp_path / "rates.csv").write_text(RATES)
    last = {"leads.csv": f"{HEAD}\nL5,C1,lost,8,USD,2025-01-10,2025-02-01,2025-02-01\n"}
    result, lake = deliver(last, NOW + timedelta(days=1), rates=tmp_path / "rates.csv")
    settings = load(None, source=str(tmp_path / "delivery_1"), lakehouse=lake.root, rates=tmp_path / "rates.csv")
    assert rows(lake, "select sum(deal_value) as won from gold.deals") == [{"won": D(1918)}]
    assert rows(lake, "select status from gold.deals where lead_id = 'L6'") == [{"status": "won"}]
    assert rows(lake, "select record_key from silver.quarantine where resolved_by is null") == [{"record_key": "L4"}]
    assert [warning[:58] for warning in result.warnings] == [
        "1 deal is held out of every figure: £1,070 in all, such as"
    ]
    assert not pipeline.run(settings, NOW + timedelta(days=2)).changed


@pytest.mark.slow
def test_the_setting_is_the_currency_of_every_later_command(to_silver, rows):
    text = f"{HEAD}\nL1,C1,won,1000,EUR,2025-01-10,2025-02-01,2025-02-01\nL2,C1,won,500,USD,2025-01-10,2025-02-01,2025-02-01\n"
    _, lake = to_silver({"leads.csv": text, "customers.csv": ACCOUNTS}, currency="EUR")
    assert contracts_in_use.currency(lake) == "EUR"
    assert rows(lake, "select lead_id, currency from silver.leads_clean") == [{"lead_id": "L1", "currency": "EUR"}]
    used = contracts_in_use.overrides(lake)
    assert contracts_in_use.in_currency(lake, used, "EUR")[-1].text == used[-1].text
    assert len(contracts_in_use.in_currency(lake, used, "CHF")) == len(used) == 1


def _said(default):
    return contracts.Override(
        "mine.yaml",
        "apiVersion: v3.1.0\nkind: DataContract\nid: x\nversion: 1.0.0\nstatus: active\nschema:\n  - name: leads\n    properties:\n"
        f"      - {{name: currency, enum: [{{value: {default}}}], customProperties: [{{property: default, value: \"'{default}'\"}}]}}\n",
    )


def _currencies(lake, used, code):
    """What figures are shown in, and what amounts of which nothing is said are in: of deals, products and accounts."""
    known = contracts.entities(contracts_in_use.in_currency(lake, used, code))
    leads = known["leads"]
    units = known["products"].column("list_price").unit, known["customers"].column("annual_revenue").unit
    return leads.currency, leads.column("currency").default, leads.unsaid, *units


@pytest.mark.parametrize(("code", "default"), [("EUR", "USD"), ("USD", "EUR"), ("CHF", "EUR")])
def test_the_setting_gives_no_other_name_to_amounts_that_are_said_or_were_read(tmp_path, monkeypatch, code, default):
    new, old = Lakehouse(str(tmp_path / "new")), Lakehouse(str(tmp_path / "old"))
    monkeypatch.setattr(
        Lakehouse, "exists", lambda lake, name: lake.root == old.root and name == "silver.leads_history"
    )
    assert _currencies(new, (), code) == (code, f"'{code}'", code, code, code)  # nothing is read, nothing is said
    said = (_said(default),)
    assert _currencies(new, said, code)[:3] == (code, f"'{default}'", default)
    assert _currencies(new, said, code)[4] == default
    assert _currencies(new, said, default)[:3] == (default, f"'{default}'", default)
    assert _currencies(new, said, None)[:3] == (default, f"'{default}'", default)
    before = () if default == "USD" else contracts_in_use.in_currency(new, (), default)
    monkeypatch.setattr(contracts_in_use, "_in_use", lambda lake, newest: before)
    assert _currencies(old, before, code) == (code, f"'{default}'", default, default, default)
    once = contracts_in_use.in_currency(old, before, code)
    monkeypatch.setattr(contracts_in_use, "_in_use", lambda lake, newest: once)
    assert contracts_in_use.in_currency(old, once, code)[-1].text == once[-1].text  # and once more
    monkeypatch.setattr(pipeline.contracts_in_use, "overrides", lambda lake, given, **_: once)
    for setting in (code, None):  # also where it is only in use
        with pytest.raises(
            ContractError, match=f"`currency` is {code}, but amounts without a currency are in {default}"
        ):
            Work(load(None, lakehouse=old.root, currency=setting), NOW, lambda *told: None)


CREDIT = (
    _said("USD")
    .text.replace("{name: currency", "{name: deal_value, logicalTypeOptions: {minimum: -5}}")
    .partition(", enum")[0]
)


def test_a_contract_that_is_given_later_leaves_the_setting_in_use(tmp_path, monkeypatch):
    lake, given = Lakehouse(str(tmp_path)), tmp_path / "mine.yaml"
    in_use = contracts_in_use.in_currency(lake, (), "EUR")
    monkeypatch.setattr(Lakehouse, "exists", lambda lake, name: name == "silver.leads_history")
    monkeypatch.setattr(contracts_in_use, "_in_use", lambda lake, newest: in_use)
    given.write_text(CREDIT)
    used = contracts_in_use.overrides(lake, [given])
    assert [each.text for each in used] == [CREDIT, in_use[0].text]
    assert contracts.entities(used)["leads"].column("deal_value").minimum == -5
    assert _currencies(lake, used, None) == ("EUR", "'EUR'", "EUR", "EUR", "EUR")
    assert _currencies(lake, used, "CHF")[:2] == ("CHF", "'EUR'")
    given.write_text(_said("USD").text)  # what it says of amounts without a currency holds, and figures stay in euro
    assert _currencies(lake, contracts_in_use.overrides(lake, [given]), None)[:3] == ("EUR", "'USD'", "USD")
    with pytest.raises(ContractError, match="`currency` is EUR, but amounts without a currency are in USD"):
        Work(load(None, lakehouse=lake.root, contracts=(given,)), NOW, lambda *told: None)


@pytest.mark.parametrize(("header", "asked"), [("Amount (EUR)", True), ("Amount (USD)", False), ("Amount", False)])
def test_an_amount_that_names_no_currency_is_in_that_of_the_contract(tmp_path, header, asked):
    """And not in the one of the setting, by which the header would be right."""
    (tmp_path / "leads.csv").write_text(f"lead_id,customer_id,status,created_at,{header}\nL1,C1,won,2025-01-10,100\n")
    said = contracts_in_use.in_currency(Lakehouse(str(tmp_path / "lake")), (_said("USD"),), "EUR")
    file = '{file: leads, columns: {lead_id: lead_id, customer_id: customer_id, status: status, created_at: created_at, deal_value: "%s"}}'
    sources = f"    customProperties:\n      - {{property: sources, value: [{file % header}]}}\n"
    entities = contracts.entities([contracts.Override("mine.yaml", said[0].text + sources), *said[1:]])
    entities["leads"] = entities["leads"].in_any_currency({})
    found = amounts.refused(scan(str(tmp_path), entities).files, entities)
    assert ["every amount would count as USD" in item.problem for item in found] == [True] * asked


def test_a_unit_that_is_no_currency_says_nothing_of_it():
    text = _said("EUR").text.replace("customProperties: [", "customProperties: [{property: unit, value: ISO 4217}, ")
    leads = contracts.entities([contracts.Override("mine.yaml", text)])["leads"]
    assert (leads.currency, leads.unsaid, leads.column("deal_value").unit) == ("EUR", "EUR", "EUR")


CREDITS = """apiVersion: v3.1.0
kind: DataContract
id: x
version: 1.0.0
status: active
schema:
  - name: leads
    properties:
      - {name: deal_value, logicalTypeOptions: {minimum: -1000000}}
      - {name: currency, enum: [{value: USD}, {value: EUR}]}
"""


@pytest.mark.slow
def test_a_contract_may_allow_credits_and_several_currencies_which_are_not_added(deliver, rows, tmp_path):
    (tmp_path / "credits.yaml").write_text(CREDITS)
    text = f"{HEAD}\nL1,C1,won,1000,EUR,2025-01-10,2025-02-01,2025-02-01\nL2,C1,won,500,USD,2025-01-10,2025-02-01,2025-02-01\n"
    text += "L3,C1,won,(70.01),USD,2025-01-10,2025-02-01,2025-02-01\n"
    touches = "interaction_id,customer_id,channel,outcome,occurred_at\n" + "".join(
        f"T{n},C1,{channel},positive,2025-01-{n + 11}\n" for n, channel in enumerate(("call", "call", "email"))
    )
    files = {"leads.csv": text, "customers.csv": ACCOUNTS, "interactions.csv": touches}
    result, lake = deliver(files, contracts=(tmp_path / "credits.yaml",))
    assert rows(lake, "select sum(deal_value) as won, count(*) as n from gold.deals") == [{"won": D("429.99"), "n": 2}]
    parts = rows(
        lake, "select channel, attributed_revenue as part from gold.attribution where lead_id = 'L3' order by 1"
    )
    assert [(row["channel"], row["part"]) for row in parts] == [("call", D("-46.68")), ("email", D("-23.33"))]
    assert [warning[:58] for warning in result.warnings] == [
        "1 deal is held out of every figure: €1,000 in all, such as"
    ]
