"""The quality gate, and the way a wheel task ends."""

from __future__ import annotations

import sys
from datetime import timedelta

import pytest

from conftest import NOW, ROOT
from medallion.care import gate
from medallion.cli import task
from medallion.errors import LakehouseError, MedallionError
from medallion.lakehouse import publishing
from medallion.lakehouse.store import Lakehouse


def test_a_clean_delivery_passes(sample):
    assert [check.name for check in gate.checks(sample)] == ["conservation", "refused", "gold", "finished"]
    assert gate.as_dict(gate.checks(sample))["passed"] is True


@pytest.mark.slow
def test_too_many_refused_rows_close_it_and_only_the_newest_delivery_counts(own_sample, deliver):
    second = {path.name: path.read_bytes() for path in (ROOT / "data" / "updates").glob("*.csv")}
    _, lake = deliver(second, now=NOW + timedelta(days=1))
    found = {check.name: check for check in gate.checks(lake)}
    assert (found["refused"].passed, found["refused"].value) == (False, "41.7% of 24 rows")
    assert found["conservation"].passed
    assert {check.name: check.passed for check in gate.checks(lake, 0.42)}["refused"]


def test_rows_that_are_lost_close_it(deliver):
    from deltalake import DeltaTable

    _, lake = deliver({"customers.csv": "customer_id,customer_name\nC1,One\n"})

    def passed(check):
        publishing.publish(lake, "correction")  # what no manifest has is not read
        return {one.name: one.passed for one in gate.checks(lake)}[check]

    assert passed("conservation")
    DeltaTable(lake.path("ops.row_accounts")).update(updates={"accepted": "accepted - 1"})
    assert passed("conservation") is False
    DeltaTable(lake.path("ops.batches")).delete("state = 'finished'")
    assert passed("finished") is False
    DeltaTable(lake.path("gold.customer_features")).delete()
    assert passed("gold") is False


def test_nothing_to_check(tmp_path):
    with pytest.raises(LakehouseError, match="there is no table ops.row_accounts"):
        gate.checks(Lakehouse(str(tmp_path)))


def test_a_task_that_works_returns_and_one_that_does_not_raises(sample, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["medallion-task", "gate", "--lakehouse", sample.root])
    task.main()
    assert "every row accounted for" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["medallion-task", "gate", "--lakehouse", str(ROOT / "nowhere")])
    with pytest.raises(LakehouseError):
        task.main()
    monkeypatch.setattr(sys, "argv", ["medallion-task", "databricks", "status", "--target", "moon"])
    with pytest.raises(MedallionError):
        task.main()


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
