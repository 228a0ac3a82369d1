"""Exports of the past that are loaded later, each with the time at which it was delivered."""

from __future__ import annotations

import json
from datetime import datetime

import deltalake
import pyarrow as pa
import pytest
import typer
from typer.testing import CliRunner

from conftest import NOW
from medallion import pipeline
from medallion.cli import app, days
from medallion.config import load
from medallion.errors import LakehouseError

HEAD = "lead_id,customer_id,status,deal_value,created_at,closed_at\n"
ACCOUNTS = "customer_id,customer_name\nC1,Acme\n"
MONTHS = {
    "2024-01": HEAD + "L1,C1,open,100,2024-01-05,\n",
    "2024-02": HEAD + "L1,C1,won,120,2024-01-05,2024-02-20\nL2,C1,open,50,2024-02-09,\n",
}


@pytest.mark.parametrize(
    ("text", "source", "expected"),
    [
        (None, "exports", None),
        ("2024-01-31", "exports", datetime(2024, 2, 1)),
        ("2024-01-31T18:00", "exports", datetime(2024, 1, 31, 18)),
        ("name", "exports/2024-02", datetime(2024, 3, 1)),
        ("name", "exports/crm_20240115/", datetime(2024, 1, 16)),
        ("name", "abfss://crm@store/2023-12-31", datetime(2024, 1, 1)),
    ],
)
def test_when_a_delivery_came(text, source, expected):
    assert days.of_delivery(text, source) == expected


@pytest.mark.parametrize(
    ("text", "source"),
    [("name", "exports"), ("name", "2024-01 to 2024-03"), ("name", "2024-02-31"), ("soon", "exports")],
)
def test_what_tells_no_time_of_delivery_is_refused(text, source):
    with pytest.raises(typer.BadParameter, match="2025-06-30"):
        days.of_delivery(text, source)


def test_months_of_the_past_are_known_since_they_came(spark, tmp_path, rows):
    from medallion.lakehouse.store import Lakehouse

    lake = str(tmp_path / "lake")
    for month, text in MONTHS.items():
        folder = tmp_path / month
        folder.mkdir()
        (folder / "leads.csv").write_text(text)
        (folder / "customers.csv").write_text(ACCOUNTS)
        done = CliRunner().invoke(
            app, ["run", "--source", str(folder), "--lakehouse", lake, "--known-at", "name", "--json"]
        )
        assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["changed"]
    found = rows(
        Lakehouse(lake), "select lead_id, status, known_at::timestamp as t from silver.leads_history order by t, 1"
    )
    assert [(row["lead_id"], row["status"], row["t"]) for row in found] == [
        ("L1", "open", datetime(2024, 2, 1)),
        ("L1", "won", datetime(2024, 3, 1)),
        ("L2", "open", datetime(2024, 3, 1)),
    ]
    settings = load(None, source=str(tmp_path / "2024-02"), lakehouse=lake)
    for time, says in ((datetime(2024, 3, 1), "known since 2024-03-01"), (datetime(2099, 1, 1), "is in the future")):
        with pytest.raises(LakehouseError, match=says):
            pipeline.run(settings, NOW, known_at=time)


@pytest.mark.parametrize(("told", "is_the_cause"), [(datetime(2025, 6, 1), True), (datetime(2024, 3, 1), False)])
def test_training_says_when_deals_came_only_after_they_had_ended(tmp_path, told, is_the_cause):
    from medallion.lakehouse.store import Lakehouse
    from medallion.learning.train import _Training
    from medallion.pipeline.steps import Steps
    from medallion.scoring.readiness import NotReadyError

    lake, first = str(tmp_path), datetime(2024, 1, 1)
    keys = [f"L{k}" for k in range(10)]
    history = {"lead_id": keys, "known_at": pa.array([first] * 2 + [told] * 8, pa.timestamp("us", "UTC"))}
    ended = {
        "lead_id": keys,
        "status": ["won"] * 10,
        "closed_at": pa.array([datetime(2024, 6, 1)] * 10, pa.timestamp("us", "UTC")),
    }
    deltalake.write_deltalake(f"{lake}/silver/leads_history", pa.table(history))
    deltalake.write_deltalake(f"{lake}/silver/leads_clean", pa.table(ended))
    work = _Training(
        load(None, lakehouse=lake), Lakehouse(lake), tmp_path / "models", NOW, Steps(lambda name, seconds: None)
    )
    error = NotReadyError("Too little to learn from", "Until then")
    found = work._cause(error)
    assert (found is not error) == is_the_cause
    if is_the_cause:
        assert "8 of 10 closed deals came with a later delivery" in found.problem
        assert "--known-at" in found.remedy
