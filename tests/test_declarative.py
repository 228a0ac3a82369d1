"""Gold as a declarative pipeline on Apache Spark gives row by row what the job gives: `just declarative`."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from conftest import ROOT
from medallion.lakehouse import query

pytestmark = pytest.mark.declarative


def written(row):
    return json.dumps({name: str(value).replace("+00:00", "") for name, value in row.items()}, sort_keys=True)


def test_the_views_are_the_tables(sample, tmp_path):
    lake = shutil.copytree(sample.root, tmp_path / "lake")
    work = tmp_path / "work"
    work.mkdir()
    line = [ROOT / ".tools" / "spark" / "bin" / "python", ROOT / "tests" / "doubles" / "dry_run.py", lake, work]
    done = subprocess.run([str(word) for word in line], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout)
    for verb in ("dry-run", "run"):
        status, output = told[verb]
        assert status == 0, output
        assert "Run is COMPLETED" in output
    assert set(told["rows"]) == {
        "customer_features", "deals", "sales_summary", "channel_performance", "top_customers", "stage_history",
        "attribution", "deal_changes", "touch_totals", "touch_days", "score_bands",
    }  # fmt: skip
    with query.connect(sample, layers=["gold"]) as connection:
        for name, found in told["rows"].items():
            wanted = query.rows(connection, f"select * from gold.{name}")
            mine = [json.loads(row) for row in found]
            for row in (*mine, *wanted):
                row.pop("known_to", None)  # views are made anew; the job notes what it has taken in
                row.pop("basis", None)  # a hash that is compared within one engine only
            for one, other in zip(sorted(map(written, mine)), sorted(map(written, wanted)), strict=True):
                assert one == other, name


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, "-m", "declarative", "-n", "0"]))
