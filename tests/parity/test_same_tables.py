"""Sail and Apache Spark leave the same tables, cell by cell.

Needs a Spark Connect server with Delta Lake: `just parity`. Without `SPARK_REMOTE` it is skipped.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT
from medallion import query
from medallion.store import LAYERS, Lakehouse

pytestmark = pytest.mark.skipif("SPARK_REMOTE" not in os.environ, reason="no Apache Spark: see `just parity`")

#: What may differ: times and identities of a run on this machine, a salt that is drawn, bytes that an engine wrote.
NOT_COMPARED = {
    "ops.runs": {"run_id", "finished_at", "engine", "seconds", "steps", "fingerprint"},
    "ops.forgotten": {"salt", "hash", "key_hash"},
    "ops.erasures": {"certificate", "tables"},
}


def engines(tmp_path: Path, scenario: str, *arguments: str) -> dict[str, Path]:
    """The scenario on both engines; the lakehouse of each."""
    made = {}
    for engine in ("sail", "spark"):
        folder = tmp_path / engine
        folder.mkdir()
        environment = {k: v for k, v in os.environ.items() if engine == "spark" or k != "SPARK_REMOTE"}
        command = [sys.executable, str(Path(__file__).with_name("scenario.py")), str(folder), scenario, *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == 0, f"{engine}: {done.stderr[-3000:]}"
        made[engine] = folder
    return made


def differences(one: Path, other: Path) -> list[str]:
    """Tables that differ between two lakehouses, each with how and some rows."""
    lakes = [Lakehouse(str(path)) for path in (one, other)]
    names = [lake.tables() for lake in lakes]
    assert names[0] == names[1]
    assert len(names[0]) > 20
    found = []
    with query.connect(lakes[0], LAYERS) as left, query.connect(lakes[1], LAYERS) as right:
        for name in names[0]:
            if name.startswith("bronze."):
                left_columns = {row[0] for row in left.execute(f"describe {name}").fetchall()}
            else:
                left_columns = {row[0] for row in left.execute(f"describe {name}").fetchall()}
                right_columns = {row[0] for row in right.execute(f"describe {name}").fetchall()}
                assert left_columns == right_columns, name
            columns = sorted(left_columns - NOT_COMPARED.get(name, set()))
            listed = ", ".join(f'"{column}"' for column in columns)
            mine = left.execute(f"select {listed} from {name}").to_arrow_table()
            theirs = right.execute(f"select {listed} from {name}").to_arrow_table()
            left.register("mine", mine)
            left.register("theirs", theirs)
            missing = left.execute(
                "select count(*) from (from mine except all from theirs) union all "
                "select count(*) from (from theirs except all from mine)"
            ).fetchall()
            if any(count for (count,) in missing):
                told = [
                    f"{column}: {n}"
                    for column in columns
                    if (
                        n := left.execute(
                            f'select count(*) from (select "{column}" from mine except all select "{column}" from theirs)'
                        ).fetchone()[0]
                    )
                ]
                some = left.execute("from (from mine except all from theirs) order by all limit 2").fetchall()
                others = left.execute("from (from theirs except all from mine) order by all limit 2").fetchall()
                found.append(f"{name}: {missing}, columns {told}\n  {some}\n  {others}")
            left.unregister("mine")
            left.unregister("theirs")
    return found


def test_the_sample_with_its_second_day_corrections_erasure_and_replay(tmp_path):
    made = engines(tmp_path, "sample")
    assert not differences(made["sail"] / "lake", made["spark"] / "lake")
    assert not differences(made["sail"] / "replayed", made["spark"] / "replayed")


def test_a_messy_world_in_deliveries_with_a_trained_model(tmp_path):
    from medallion.simulate import World, simulate

    simulate(World(customers=500, days=540, seed=5), tmp_path / "exports", mess="some", batches=3)
    made = engines(tmp_path, "world", str(tmp_path / "exports"))
    assert not differences(made["sail"] / "lake", made["spark"] / "lake")
    models = [sorted(p.name for p in (made[engine] / "lake" / "models").iterdir()) for engine in made]
    assert models[0] == models[1]
