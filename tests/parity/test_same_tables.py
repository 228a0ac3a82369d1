"""Sail and Apache Spark leave the same tables, cell by cell.

Needs a Spark Connect server with Delta Lake: `just parity`. Without `SPARK_REMOTE` it is skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT
from medallion.lakehouse import query
from medallion.lakehouse.places import LAYERS
from medallion.lakehouse.store import Lakehouse

pytestmark = pytest.mark.skipif("SPARK_REMOTE" not in os.environ, reason="no Apache Spark: see `just parity`")

#: What may differ: times and identities of a run on this machine, a salt that is drawn, bytes that an engine wrote.
NOT_COMPARED = {
    "ops.runs": {"run_id", "finished_at", "engine", "seconds", "steps", "fingerprint", "peak_mib"},
    "ops.erasures": {"salt", "value_hash"},
    "gold.deal_changes": {"basis"},  # a hash, which every engine computes its own way
    "ops.manifests": {"written_at", "run_id", "tables", "previous", "hash"},
}


def engines(tmp_path: Path, scenario: str, *arguments: str) -> dict[str, Path]:
    """The scenario on both engines; the lakehouse of each."""
    made = {}
    for engine in ("sail", "spark"):
        made[engine] = folder = tmp_path / engine
        folder.mkdir()
        on(engine, "scenario.py", folder, scenario, *arguments)
    return made


def on(engine: str, script: str, *arguments: str | Path) -> None:
    """A script of this folder on an engine, as a process of its own."""
    environment = {k: v for k, v in os.environ.items() if engine == "spark" or k != "SPARK_REMOTE"}
    command = [sys.executable, str(Path(__file__).with_name(script)), *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, f"{engine}: {done.stderr[-3000:]}"


def differences(one: Path, other: Path) -> list[str]:
    """Tables that differ between two lakehouses, each with the columns and some rows."""
    lakes = [Lakehouse(str(path)) for path in (one, other)]
    names, theirs = (lake.tables() for lake in lakes)
    assert names == theirs
    found = []
    with query.connect(lakes[0], LAYERS) as left, query.connect(lakes[1], LAYERS) as right:

        def only(these: str, those: str, column: str = "*") -> list[tuple[Any, ...]]:
            return left.sql(f"select {column} from {these} except all select {column} from {those}").fetchall()

        for name in names:
            columns = sorted(set(left.table(name).columns) - NOT_COMPARED.get(name, set()))
            listed = ", ".join(f'"{column}"' for column in columns)
            left.register("mine", left.sql(f"select {listed} from {name}").to_arrow_table())
            left.register("theirs", right.sql(f"select {listed} from {name}").to_arrow_table())
            mine, yours = only("mine", "theirs"), only("theirs", "mine")
            if mine or yours:
                odd = [column for column in columns if only("mine", "theirs", f'"{column}"')]
                found.append(f"{name}: {len(mine)} and {len(yours)} rows, columns {odd}\n{mine[:2]}\n{yours[:2]}")
            left.unregister("mine")
            left.unregister("theirs")
    return found


def test_every_text_is_read_alike(tmp_path):
    read = {}
    for engine in ("sail", "spark"):
        on(engine, "texts.py", tmp_path / engine)
        read[engine] = json.loads((tmp_path / engine).read_text())
    assert len(read["sail"]) > 4900
    assert [(one, other) for one, other in zip(read["sail"], read["spark"], strict=True) if one != other] == []
    nothing_read = [name for name, of in enumerate(zip(*read["sail"], strict=True)) if len(set(of)) < 3]
    assert not nothing_read


def test_the_sample_with_its_second_day_corrections_erasure_and_replay(tmp_path):
    made = engines(tmp_path, "sample")
    assert len(Lakehouse(str(made["sail"] / "lake")).tables()) > 25
    assert not differences(made["sail"] / "lake", made["spark"] / "lake")
    assert not differences(made["sail"] / "replayed", made["spark"] / "replayed")


def test_what_a_contract_may_say(tmp_path):
    made = engines(tmp_path, "words")
    with query.connect(Lakehouse(str(made["sail"] / "lake")), LAYERS) as connection:
        (counts,) = query.rows(
            connection,
            "select (select count(*) from silver.leads_clean) as deals, (select count(*) from silver.conversions) as converted, "
            "(select count(*) from silver.quarantine where resolved_by is null) as waiting, "
            "(select count(*) from silver.leads_history where _outcome = 'withdrawn') as withdrawn",
        )
    assert min(counts.values()) > 0  # each word had something to do
    assert not differences(made["sail"] / "lake", made["spark"] / "lake")


def test_a_messy_world_in_deliveries_with_a_trained_model(tmp_path):
    from medallion.simulate import World, simulate

    simulate(World(customers=800, days=730, seed=5), tmp_path / "exports", mess="some", batches=3)
    made = engines(tmp_path, "world", str(tmp_path / "exports"))
    assert not differences(made["sail"] / "lake", made["spark"] / "lake")
    models = [sorted(p.name for p in (made[engine] / "lake" / "models").iterdir()) for engine in made]
    assert models[0] == models[1]
