"""A run killed with -9 at any time: the next run completes it, and everything is as if it had never been killed.

`MEDALLION_KILLS` is how many; `just faults` takes 200.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from conftest import NOW, ROOT
from medallion.care import doctor
from medallion.config import load
from medallion.lakehouse import manifests, query
from medallion.lakehouse.places import LAYERS
from medallion.lakehouse.store import Lakehouse

KILLS = int(os.environ.get("MEDALLION_KILLS", "6"))
#: Columns that tell when and in which run, not what.
WHEN = {
    "known_at",
    "known_from",
    "known_to",
    "basis",  # has it in it
    "known_as_of",
    "_batch_id",
    "_ingested_at",
    "batch_id",
    "run_id",
    "quarantined_at",
    "quarantine_id",
}

#: Tables whose rows are to be added up, and by what.
ADDED_UP = {"gold.touch_totals": ("customer_id",), "gold.touch_days": ("day", "channel", "outcome")}


def content(lake: Lakehouse) -> dict[str, list[str]]:
    """What is in bronze, silver and gold, without when it came there."""
    found = {}
    with query.connect(lake, LAYERS) as connection:
        for name in manifests.opened(lake).tables():
            if name.startswith("ops."):
                continue
            columns = [f'"{c}"' for c in sorted(connection.table(name).columns) if c not in WHEN]
            named = {'"resolved_by"': '"resolved_by" is null as waits'}  # by a batch that is named by its time
            sql = f"select {', '.join(named.get(one, one) for one in columns)} from {name} order by all"
            if name in ADDED_UP:  # a killed run may have them made anew, where an unbroken one adds to them
                kinds = {row[0]: row[1] for row in connection.execute(f"describe {name}").fetchall()}
                sums = [
                    f'{"sum" if kinds[c] == "BIGINT" else "min" if c == "first_at" else "max"}("{c}")'
                    for c in sorted(kinds)
                    if c not in WHEN and c not in ADDED_UP[name]
                ]
                by = ", ".join(ADDED_UP[name])
                sql = f"select {by}, {', '.join(sums)} from {name} group by {by} order by all"
            found[name] = [str(row) for row in connection.execute(sql).fetchall()]
    return found


@pytest.fixture(scope="module")
def unbroken(spark, tmp_path_factory):
    """Per stage, a lakehouse before the run and what is in it after a run that nobody killed."""
    from medallion import pipeline

    folder = tmp_path_factory.mktemp("unbroken")
    first, second = folder / "first", folder / "second"
    pipeline.run(load(None, source=str(ROOT / "data"), lakehouse=str(first)), NOW)
    shutil.copytree(first, second)
    pipeline.run(load(None, source=str(ROOT / "data" / "updates"), lakehouse=str(second)), NOW + timedelta(days=1))
    return [
        (None, ROOT / "data", content(Lakehouse(str(first)))),
        (first, ROOT / "data" / "updates", content(Lakehouse(str(second)))),
    ]


def killed(lake: Path, source: Path, after: float) -> bool:
    """Start a run and kill it after some seconds; whether it was still running."""
    return killed_command(lake, ["run", "--source", str(source)], after)


def killed_command(lake: Path, words: list[str], after: float) -> bool:
    """Start a command and kill it after some seconds; whether it was still running."""
    command = [sys.executable, "-m", "medallion", *words, "--lakehouse", str(lake)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


@pytest.mark.slow
def test_killed_at_random_times(spark, unbroken, tmp_path):
    from medallion import pipeline

    pick = random.Random(os.environ.get("MEDALLION_KILL_SEED", "1"))  # noqa: S311
    before, source, _ = unbroken[0]
    started = time.perf_counter()
    assert not killed(tmp_path / "whole", source, 120)
    usual = time.perf_counter() - started
    hit = 0
    for number in range(KILLS):
        before, source, expected = unbroken[number % 2]
        lake = tmp_path / f"lake_{number}"
        if before:
            shutil.copytree(before, lake)
        hit += killed(lake, source, pick.uniform(0.3, 1.0) * usual)
        settings = load(None, source=str(source), lakehouse=str(lake))
        pipeline.run(settings, NOW + timedelta(days=2))
        assert content(Lakehouse(str(lake))) == expected, number
        bad = [one for one in doctor.examine(settings) if one.state != doctor.OK]
        assert not bad, number
        assert not pipeline.run(settings, NOW + timedelta(days=3)).changed, number
        shutil.rmtree(lake)
    assert hit >= KILLS // 2


#: Commands that write, beside `run`.
COMMANDS = {
    "score": ["score", "--as-of", "2025-03-31"],
    "restore": ["restore", "--to", "1"],
    "quarantine replay": ["quarantine", "replay", "--all"],
    "forget": ["forget", "C004", "--reason", "request 17", "--yes"],
    "maintain": ["maintain"],
    "reprocess": ["reprocess", "--entity", "products", "--accept"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_commands_killed_at_random_times(spark, unbroken, tmp_path, name):
    """Before or after: what readers open at once, and what is there after the next command. CI takes one command."""
    from medallion import pipeline
    from medallion.care import erasure
    from medallion.errors import LakehouseError
    from medallion.pipeline import journal

    seed = os.environ.get("MEDALLION_KILL_SEED", "1")
    if len(COMMANDS) * 4 > KILLS and name != random.Random(seed).choice(list(COMMANDS)):  # noqa: S311
        pytest.skip("another night, or just faults")
    pick = random.Random(f"{seed} {name}")  # noqa: S311
    start, done = tmp_path / "start", tmp_path / "done"
    shutil.copytree(unbroken[1][0], start)
    pipeline.run(load(None, source=str(unbroken[1][1]), lakehouse=str(start)), NOW + timedelta(days=1))
    shutil.copytree(start, done)
    began = time.perf_counter()
    assert not killed_command(done, COMMANDS[name], 200)
    usual = time.perf_counter() - began
    before, after = content(Lakehouse(str(start))), content(Lakehouse(str(done)))
    for number in range(max(1, KILLS // len(COMMANDS))):
        lake = Lakehouse(str(shutil.copytree(start, tmp_path / f"lake_{number}")))
        killed_command(Path(lake.root), COMMANDS[name], pick.uniform(0.3, 1.0) * usual)
        try:
            assert content(lake) in (before, after), number
        except LakehouseError:
            assert name == "forget", number
        intent = journal.unfinished_intent(lake)
        if intent and intent["kind"] == journal.FORGET:
            erasure.resume(load(None, lakehouse=lake.root))
        else:
            with journal.writing(lake):
                pass
        if journal.unfinished(lake):  # a batch of records, which the next run finishes
            assert not killed_command(Path(lake.root), ["run", "--source", str(unbroken[1][1])], 200), number
        assert content(lake) in (before, after), number
        bad = [one for one in doctor.examine(load(None, lakehouse=lake.root)) if one.state != doctor.OK]
        assert not bad, number
        shutil.rmtree(lake.root)
