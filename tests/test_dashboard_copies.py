"""Narrow copies give what the tables give: every metric, every page of a table, accounts touched on any days."""

from __future__ import annotations

import csv
import gc
import random
import shutil
import threading
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from in_memory import in_memory

from conftest import NOW
from medallion import metrics
from medallion.dashboard import copies, tables, writing
from medallion.dashboard.parameters import Given
from medallion.dashboard.reading import Reading, Source
from medallion.lakehouse import query
from medallion.metrics import Filter


@pytest.fixture(scope="module")
def world(spark, tmp_path_factory):
    """A lakehouse of random deals and touches: several a day and hour, unknown channels, days without any."""
    from medallion import pipeline
    from medallion.config import load
    from medallion.lakehouse.store import Lakehouse

    pick, folder = random.Random(8), tmp_path_factory.mktemp("world")  # noqa: S311

    def ago(days):
        return datetime(2025, 1, 1) + timedelta(days=pick.randrange(days), minutes=30 * pick.randrange(48))

    made = {
        "customers": [["customer_id", "customer_name", "industry", "country", "employee_count"]]
        + [[f"C{n}", f"Name {n % 40}", pick.choice(["Retail", "Media", ""]), "France", pick.choice([9, 999, ""])] for n in range(50)],
        "leads": [["lead_id", "customer_id", "source", "status", "stage", "deal_value", "created_at", "closed_at", "owner"]]
        + [[f"L{n}", f"C{pick.randrange(50)}", pick.choice(["referral", "event"]), status := pick.choice(["open", "won", "lost"]), "demo",
            pick.choice(["", pick.randrange(10**7) / 100]), opened := ago(60), "" if status == "open" else opened + timedelta(days=pick.randrange(40)),
            pick.choice(["Ann", "Bob", ""])] for n in range(200)],
        "interactions": [["interaction_id", "customer_id", "channel", "occurred_at", "outcome"]]
        + [[f"I{n}", f"C{pick.randrange(45)}", pick.choice(["call", "email", "fax", ""]), ago(100), pick.choice(["positive", "meeting booked", "neutral", "no_answer"])]
           for n in range(600)],
    }  # fmt: skip
    for name, rows in made.items():
        with (folder / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows)
    lake = Lakehouse(str(folder / "lakehouse"))
    pipeline.run(load(None, source=str(folder), lakehouse=lake.root), NOW)
    return lake


@pytest.fixture(scope="module", params=["world", pytest.param("sample", marks=[pytest.mark.slow, pytest.mark.nightly])])
def lake(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def reading(lake):
    found = Reading(lake)
    copies.make(found)
    assert set(found.copies.values()) == {"copies.customers", "copies.deals", "copies.calls"}
    assert set(found.relations) == {
        metrics.named(one).view.source for one in ("total_customers", "total_leads", "touches")
    }
    assert found.shortcut
    yield found
    found.close()


@pytest.fixture(scope="module")
def direct(lake):
    with query.connect(lake) as connection:
        yield in_memory(connection)


WHERES = (
    (),
    (Filter("industry", ("Retail",)),),
    (Filter("industry", ("",)), Filter("lead_quality", ("Cold", "Cool"))),
    (Filter("owner", ("",), "!="),),
    (Filter("closed_date", ("2025-02-03",), ">="), Filter("closed_date", ("2025-02-28",), "<=")),
    (Filter("channel", ("email",)),),
    (Filter("channel", ("",)),),
    (Filter("date", ("2025-02-11",), ">="), Filter("date", ("2025-03-31",), "<=")),
    (Filter("outcome", ("positive",)), Filter("date", ("2025-03-10",), ">=")),
)


def by_both_routes():
    """Every metric; of each table with the same dimensions three in the default tests."""
    seen = Counter()
    for name, one in metrics.metrics().items():
        if one.stands_alone:
            seen[id(one.view), one.dimensions] += 1
            yield name if seen[id(one.view), one.dimensions] <= 3 else pytest.param(name, marks=pytest.mark.slow)


@pytest.mark.parametrize("name", list(by_both_routes()))
@pytest.mark.parametrize("under", ["the first and last condition", pytest.param("the others", marks=pytest.mark.slow)])
def test_every_metric_by_both_routes(reading, direct, name, under):
    metric = metrics.named(name)
    known = {one.name for one in metric.dimensions}  # a stock is not asked for by time
    asked = [where for where in WHERES if {one.dimension for one in where} <= known]
    possible = [where for where in asked if not metrics.contradicted(metric, where)]
    wheres = possible[1:-1] if under == "the others" else possible[:1] + possible[1:][-1:]
    for where in wheres:
        for by in [(), *((one.name,) for one in metric.dimensions)]:
            assert reading.ask(name, by, where) == metrics.ask(direct, name, by, where), (by, where)
    same = [
        one
        for one, other in metrics.metrics().items()
        if other.stands_alone and other.view is metric.view and other.dimensions == metric.dimensions
    ]
    for where in wheres:
        reading.ahead((one, where) for one in same if not metrics.contradicted(metrics.named(one), where))
        assert reading.ask(name, (), where) == metrics.ask(direct, name, where=where)


@pytest.mark.slow
def test_accounts_touched_on_any_days(reading, direct):
    pick = random.Random(4)  # noqa: S311
    first, days = (date(2025, 1, 1), 97) if "world" in reading.lake.root else (date(2025, 5, 20), 42)
    for _ in range(60):
        start, channel = first + timedelta(days=pick.randrange(days)), pick.choice(["call", "email", "other", ""])
        end = start + timedelta(days=pick.randrange(60))
        where = (
            *([Filter("date", (start.isoformat(),), ">=")] if pick.random() < 0.8 else []),
            *([Filter("date", (end.isoformat(),), "<=")] if pick.random() < 0.8 else []),
            *([Filter("channel", (channel,))] if channel else []),
        )
        for by in ((), ("month",)):
            with reading.cursor() as cursor:
                found = reading.shortcut(cursor, "touched_customers", by, where)
            assert found == metrics.ask(direct, "touched_customers", by, where), (by, where)


def test_what_a_summary_does_not_know_is_asked_of_the_tables(reading):
    over = reading.relations[metrics.named("touches").view.source]
    assert over.covers(metrics.named("touch_positive_rate"), ("hour", "weekday", "month", "date", "channel", "outcome"))
    assert not over.covers(metrics.named("touches"), ("direction",))
    assert not over.covers(metrics.named("touched_customers"), ())
    with reading.cursor() as cursor:
        for by, where in (
            (("hour",), ()),
            ((), (Filter("outcome", ("positive",)),)),
            ((), (Filter("channel", ("",)),)),
        ):
            assert reading.shortcut(cursor, "touched_customers", by, where) is None


@pytest.mark.parametrize("name", ["calls", "moves", "deals", "customers"])
def test_pages_of_a_table_by_both_routes(reading, lake, name):
    table, plain = tables.TABLES[name], Reading(lake)
    shown = [one for one in table.columns if not one.pii]

    def page(of, where, **state):
        found = tables.page(of, table, Given(tuple(state.items())), where, pii=False, size=7)
        cells = [[writing.cell(one.kind, row[one.name], "USD") for one in shown] for row in found.rows]
        return cells, found.count, found.at

    for column in [one.name for one in shown if one.kind not in ("list", "why")]:
        for sort in (column, f"-{column}"):
            assert page(reading, (), sort=sort) == page(plain, (), sort=sort), sort
    for where in ((Filter("industry", ("Retail",)),), (Filter("industry", ("",)),)):
        assert page(reading, where) == page(plain, where)
    assert page(reading, (), q="name 1") == page(plain, (), q="name 1")
    after = tables.page(plain, table, Given(), (), pii=False, size=7).after
    if after:  # a place that was found before the copies were there
        assert page(reading, (), after=after, at="7") == page(plain, (), after=after, at="7")
    plain.close()


def test_memory_that_is_short_is_waited_for(world):
    reading, asked = Reading(world), []

    def question(cursor):
        asked.append(cursor.execute("select current_setting('memory_limit')").fetchall()[0][0])
        if len(asked) == 1:
            raise duckdb.OutOfMemoryException("no room")
        return len(asked)

    reading.alone.acquire()  # as work in the background holds it
    threading.Timer(0.1, reading.alone.release).start()
    assert reading.answer(question) == 2
    assert reading.rows("select current_setting('memory_limit') as now")[0]["now"] == asked[0] != asked[1]
    reading.close()


def test_copies_go_with_their_version(world, monkeypatch, capsys):
    made = []
    source = Source(world, lambda reading: (copies.make(reading), made.append(reading.folder)))
    monkeypatch.setattr("medallion.dashboard.reading.PAUSE", 0.0)
    reading = source.reading()
    folder = Path(reading.folder)
    assert not (folder / "copies.duckdb").exists()
    source.answered()
    assert reading.complete.wait(30)
    assert (folder / "copies.duckdb").exists()
    source.forget()  # as when a run has ended since
    again = source.reading()
    assert again is not reading
    del reading
    gc.collect()
    assert not folder.exists()
    source.answered()
    assert again.complete.wait(30)
    source.close()
    assert not Path(again.folder).exists()
    closed = Reading(world)
    closed.close()
    copies.make(closed)
    assert closed.complete.is_set()
    assert capsys.readouterr().err == ""
    broken = Reading(world)
    shutil.rmtree(broken.folder)
    copies.make(broken)
    assert "reads the tables themselves" in capsys.readouterr().err
    assert broken.ask("total_leads").value == 200
    broken.close()


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
