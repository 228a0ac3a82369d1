"""Every write of every writing command, killed before or after it, or refused by a full disk, in one process.

All that is written to a lakehouse passes `medallion.door`. A double of it ends the command at the write that a test
names, and lets nothing of it through from then on, so that no clean-up helps. Afterwards readers see the state before or
the state after; the next command heals it, or refuses in words; the accounts add up. Then the newest file is cut short or
removed, as a machine that loses power leaves it.

CI takes one write of most commands (`test_kills` has runs); `MEDALLION_EVERY_WRITE=1` takes all (`just nightly-faults`), each
with a kill and without room. `MEDALLION_FAULT_SEED` says which, and where a stride begins.
"""

from __future__ import annotations

import errno
import os
import random
import secrets
import shutil
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
from faults.test_kills import content as rows_of

from conftest import NOW, ROOT
from medallion import door, pipeline
from medallion.care import doctor, erasure, maintain, quarantine, restore, status, verify
from medallion.config import load
from medallion.errors import LakehouseError
from medallion.lakehouse import manifests, publishing, query
from medallion.lakehouse.store import Lakehouse
from medallion.learning import train
from medallion.pipeline import batches, journal
from medallion.scoring import registry
from medallion.simulate import World, simulate

DAY = NOW + timedelta(days=1)
#: Take every N-th write; 0 takes one or two of each command.
EVERY = int(os.environ.get("MEDALLION_EVERY_WRITE", "0"))
SEED = os.environ.get("MEDALLION_FAULT_SEED", "1")
#: Tables that tell how long something took, or that are written beside the lock.
TOLD = ("ops.runs", "ops.proofs")


class KilledError(BaseException):
    """Stands in for a process that ends."""


class Double:
    """In the door: counts what passes, and ends a command there. `how` is before, after, full (once) or stays full."""

    def __init__(self, monkeypatch):
        self.real, self.here = door.through, threading.RLock()
        self.watched, self.seen, self.outside = None, {}, []
        self.open()
        monkeypatch.setattr(door, "through", self.through)

    def open(self, at=None, how=""):
        self.passed, self.at, self.how, self.dead, self.paths = 0, at, how, False, []

    def watch(self, *folders):
        """From now on write down what changes in the folders without passing here."""
        self.watched, self.outside = folders, []
        self.seen = self._files()

    def _files(self):
        found = {}
        for folder in self.watched or ():
            for path in Path(folder).rglob("*"):
                if path.is_file() and path.name != ".lock":
                    stat = path.stat()
                    found[str(path)] = (stat.st_size, stat.st_mtime_ns)
        return found

    def look(self):
        if self.watched:
            now = self._files()
            self.outside += sorted(name for name in {*now, *self.seen} if now.get(name) != self.seen.get(name))
            self.seen = now

    def _end(self):
        self.dead = True
        raise KilledError

    @contextmanager
    def through(self, path):
        with self.here:
            number, hit = self.passed, self.passed == self.at
            self.passed += 1
            self.paths.append(str(path))
            if self.dead or (hit and self.how == "before"):
                self._end()
            self.look()
            with self.real(path):
                if (hit and self.how == "full") or (self.how == "stays full" and self.at <= number):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                yield
            if self.watched:
                self.seen = self._files()
            if hit and self.how == "after":
                self._end()


@pytest.fixture(scope="module")
def double():
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(secrets, "token_hex", lambda size: "5a" * size)  # the salt of an erasure
        yield Double(patched)


def settings(lake, **more):
    return load(None, lakehouse=lake.root, **more)


def content(lake):
    """Rows and hash of every table, as a reader sees them."""
    opened, models = manifests.opened(lake), Path(lake.root, "models")
    found = {n: (kept.rows, kept.content) for n, kept in publishing.kept(opened) if n not in TOLD}
    if models.exists():
        champion = models / "champion.json"
        registered, active = registry.versions(models), champion.read_text() if champion.exists() else ""
        if registered or active:
            found["models"] = (registered, active)
    return found


def told_of_batches(lake):
    """The journal as a reader sees it, without the versions that states rest on: a healed lakehouse has more of them."""
    with query.connect(manifests.opened(lake), layers=["ops"], only={batches.JOURNAL}) as connection:
        return str(query.rows(connection, f"select * exclude (rests_on) from {batches.JOURNAL} order by all"))


def run(lake):
    pipeline.run(settings(lake, source=str(ROOT / "data" / "updates")), DAY)


def score(lake):
    pipeline.run(settings(lake, as_of="2025-03-31"), DAY, stages=[pipeline.SILVER_TO_GOLD])


def go_back(lake):
    restore.apply(lake, "1")


def replay(lake):
    quarantine.reprocess_refused(settings(lake), DAY, lambda *_: None, everything=True)


def fix(lake):
    (row, *_) = (one for one in quarantine.waiting(lake) if one["entity"] == "customers")
    quarantine.fix(settings(lake), [quarantine.Correction(row["quarantine_id"], "customer_name", "A Name")], "ana", DAY)


def forget(lake):
    erasure.forget(settings(lake), "C004", "request 17", "ana", DAY)


def read_again(lake):
    pipeline.reprocess(settings(lake, accept=True), DAY, ["products"])


def keep_up(lake):
    maintain.maintain(lake, DAY)


def learn(lake):
    train.train(settings(lake), NOW)


#: Writing commands, each with the lakehouse that it starts from.
COMMANDS = {
    "run": (run, "first"),
    "score": (score, "second"),
    "restore": (go_back, "second"),
    "quarantine replay": (replay, "second"),
    "quarantine fix": (fix, "second"),
    "forget": (forget, "second"),
    "reprocess": (read_again, "second"),
    "maintain": (keep_up, "second"),
}
if EVERY:  # there must be enough to learn from
    COMMANDS["train"] = (learn, "world")


@pytest.fixture(scope="module")
def lakes(spark, tmp_path_factory):
    """The sample, and the sample with its second day."""
    found = {name: Lakehouse(str(tmp_path_factory.mktemp(name) / "lakehouse")) for name in ("first", "second")}
    pipeline.run(settings(found["first"], source=str(ROOT / "data")), NOW)
    shutil.copytree(found["first"].root, found["second"].root)
    run(found["second"])
    if EVERY:
        folder = tmp_path_factory.mktemp("world")
        found["world"] = Lakehouse(str(folder / "lakehouse"))
        simulate(World(customers=1500, days=540, seed=11), folder / "exports")
        pipeline.run(settings(found["world"], source=str(folder / "exports")), NOW)
    return found


@dataclass
class Unbroken:
    """A command that nobody killed: what was there before and after it, its writes, and what it wrote past the door."""

    before: dict
    after: dict
    rows: dict
    paths: list
    outside: list
    batches: str


@pytest.fixture(scope="module")
def unbroken(lakes, tmp_path_factory, double):
    """`unbroken("score")` is that command, done once."""

    @cache
    def done(name):
        command, start = COMMANDS[name]
        lake = copied(lakes[start], tmp_path_factory.mktemp("unbroken") / "lake")
        before = content(lake)
        double.open()
        double.watch(lake.root)
        command(lake)
        double.look()
        double.watched = None
        found = Unbroken(
            before, content(lake), rows_of(lake), list(double.paths), double.outside, told_of_batches(lake)
        )
        shutil.rmtree(lake.root)
        return found

    return done


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS if EVERY else ["score", "restore", "quarantine fix", "forget", "maintain"])
def test_every_write(lakes, tmp_path, double, unbroken, name):
    """All writes pass the door; killed at any, or without room for it, the command is done or as if it had never begun."""
    (command, start), one = COMMANDS[name], unbroken(name)
    assert one.outside == []
    assert one.after != one.before or name == "maintain"
    for at, how in kills(name, len(one.paths)):
        about = (name, at, how, one.paths[at][-60:])
        lake = copied(lakes[start], tmp_path / "lake")
        double.open(at, how)
        try:
            command(lake)
            assert "full" in how, about  # what is written beside, such as failures, may be left out
        except KilledError:
            assert how in ("before", "after"), about
        except LakehouseError as error:
            if "full" not in how or "there is no room left" not in error.problem:
                raise
        double.open()
        readers_see(lake, one, about, refused="an erasure was interrupted" if name == "forget" else None)
        healed(lake, name, command, about)
        is_before_or_after(lake, one, about)
        left(lake, about)
        shutil.rmtree(lake.root)


def readers_see(lake, one, about, *, refused):
    """What readers open before anything else has written: one of the two, or, where `refused` is a text, words that have it."""
    try:
        there = content(lake)
    except LakehouseError as error:
        if refused is None or refused not in error.problem or not error.remedy:
            raise
        return
    if "models" in one.after:
        # they stand beside the tables: one may be there before it is active, or before its snapshots are seen; not after
        model, was = there.pop("models", None), one.before.get("models")
        tables = [{n: kept for n, kept in of.items() if n != "models"} for of in (one.before, one.after)]
        allowed = [(was, tables[0]), (one.after["models"], tables[0]), (one.after["models"], tables[1])]
        begun = model is not None and not model[1] and there == tables[0]
        assert begun or (model, there) in allowed, about
        return
    assert there in (one.before, one.after), (about, differ(there, one.before), differ(there, one.after))


def is_before_or_after(lake, one, about):
    there = content(lake)
    if about[0] == "run" and there != one.after:  # sums may be made anew, where an unbroken run adds to them
        assert rows_of(lake) == one.rows, about
    elif about[0] == "quarantine replay" and differ(there, one.before) == ["ops.batches"]:
        pass  # begun and given up: its records wait again, and the journal says so
    elif differ(there, one.after) == ["ops.batches"]:
        assert told_of_batches(lake) == one.batches, about
    else:
        assert there in (one.before, one.after), (about, differ(there, one.before), differ(there, one.after))


def differ(one, other):
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))


def copied(lake, to):
    return Lakehouse(str(shutil.copytree(lake.root, to)))


def kills(name, count):
    """Which writes to end at, and how."""
    pick = random.Random(f"{SEED} {name}")  # noqa: S311
    hows = ("before", "after", "full", "stays full")
    stride = EVERY or count
    if EVERY == 1:
        return [(at, pick.choice(two)) for at in range(count) for two in (hows[:2], hows[2:])]
    return [(at, pick.choice(hows)) for at in range(pick.randrange(stride), count, stride)]


def healed(lake, name, command, about):
    """The next command heals, or refuses in words and says how to go on."""
    if name == "run":
        command(lake)
        return
    intent = journal.unfinished_intent(lake)
    if intent and intent["kind"] == journal.FORGET:
        with pytest.raises(LakehouseError, match="is not complete"), journal.writing(lake):
            pytest.fail("it may not write")
        assert status.status(lake, DAY)["unfinished"][0]["what"] == journal.FORGET, about
        told = [one.remedy for one in doctor.examine(settings(lake)) if one.about == journal.FORGET]
        assert told == ["`medallion forget --resume`"], about
        assert erasure.resume(settings(lake))["found"] == []
        return
    with journal.writing(lake) as writer:
        assert bool(writer.recovered) == bool(intent), about
    if unfinished := journal.unfinished(lake):  # a batch of records
        assert [one["what_to_do"] for one in unfinished] == ["`medallion run` finishes it; until then gold lacks it"], (
            about
        )
        run(lake)


def left(lake, about):
    """Nothing unfinished, nothing lying about, every row accounted for, and files and content as the manifests say."""
    assert journal.unfinished_intent(lake) is None, about
    over = [path for path in Path(lake.root).rglob("*") if path.suffix == ".part" or path.name == ".gone"]
    assert over == [], about
    found = [one for one in verify.verify(settings(lake)) if one.state != doctor.OK]
    assert found == [], about
    last = manifests.newest(lake)
    manifests.still_there(lake, last)
    assert [one for one in verify._contents(lake, last) if one.state != doctor.OK] == [], about


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.4, 1] if EVERY else [0.4])
def test_a_delivery_is_not_lost_by_a_restore_that_is_killed(lakes, tmp_path, double, share):
    """In the middle, and when all it had still to do was to close its intent: the run that comes next loads what is new."""
    lake = copied(lakes["second"], tmp_path / "lake")
    before = rows_of(lake)
    double.open()
    restore.apply(copied(lakes["second"], tmp_path / "counted"), "1")
    double.open(round((double.passed - 1) * share), "before")
    with pytest.raises(KilledError):
        restore.apply(lake, "1")
    double.open()
    assert journal.unfinished(lake)[0]["what"] == "restore"
    run(lake)
    assert rows_of(lake) == before
    left(lake, share)


@pytest.mark.slow
def test_a_run_without_room_for_gold_is_read_once_it_has_it(lakes, tmp_path, double, unbroken):
    """Silver is kept, and nobody reads it beside the old gold, whatever ends meanwhile."""
    one = unbroken("run")
    at = next(place for place, path in enumerate(one.paths) if "/gold/" in path)
    lake = copied(lakes["first"], tmp_path / "lake")
    double.open(at, "full")
    with pytest.raises(LakehouseError, match="there is no room left"):
        run(lake)
    double.open()
    assert content(lake) == one.before
    keep_up(lake)
    assert content(lake) == one.before
    for refused in (read_again, forget):
        with pytest.raises(LakehouseError, match="is unfinished: the run that read it was interrupted"):
            refused(lake)
    run(lake)
    assert rows_of(lake) == one.rows
    left(lake, at)


# --- a machine that loses power ----------------------------------------------------------------------------------------


def newest_files(lake, since):
    """Files that were written and not flushed, the newest first.

    Intents and models are flushed before anything else is written, snapshots before a model that learned from them is,
    and checkpoints before commits that they sum up are removed.
    """
    models = [path for path in Path(lake.root, "models").rglob("*") if path.is_file()]
    learned = any(path.stat().st_mtime_ns > since for path in models)
    but = {".lock", ".intent.json"}
    files = [path for path in Path(lake.root).rglob("*") if path.is_file() and path.name not in but]
    kept = [Path(lake.root, "models"), *([Path(lake.root, "gold", "lead_snapshots")] if learned else [])]
    files = [path for path in files if not {*kept} & {*path.parents}]
    return sorted(
        (p for p in files if p.stat().st_mtime_ns > since and not is_needed(p)),
        key=lambda p: p.stat().st_mtime_ns,
        reverse=True,
    )


def is_needed(path):
    """A checkpoint, or its commit, which were flushed before the commits that it sums up were removed."""
    if (path.parent / f"{0:020d}.json").exists():
        return False
    return ".checkpoint" in path.name or (path.parent / f"{path.stem}.checkpoint.parquet").exists()


def spoil(path, how):
    data = path.read_bytes()
    if how == "removed":
        path.unlink()
    else:
        path.write_bytes(data[: len(data) // 2 if how == "cut" else 0])


def power_losses(name, count):
    """At which write the machine stops, count where the command had ended; which of the newest files is not whole, and how."""
    pick = random.Random(f"power {SEED} {name}")  # noqa: S311
    every = [
        (at, rank, how)
        for at in (*range(1, count), *[count] * 8)
        for rank in range(4)
        for how in ("empty", "cut", "removed")
    ]
    return pick.sample(every, len(every) // (12 * EVERY) if EVERY else 1 if name == "forget" else 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS if EVERY else ["score", "maintain", "forget"])
def test_power_is_lost(lakes, tmp_path, double, unbroken, name):
    """Readers see the state before, the state after, or words; the next command heals, or refuses with a way that works."""
    (command, start), one = COMMANDS[name], unbroken(name)
    for at, rank, how in power_losses(name, len(one.paths)):
        lake = copied(lakes[start], tmp_path / "lake")
        since = time.time_ns()
        double.open(at - 1, "after")
        with suppress(KilledError):
            command(lake)
        double.open()
        files = newest_files(lake, since)
        if rank < len(files):
            about = (name, at, len(one.paths), how, str(files[rank].relative_to(lake.root)))
            spoil(files[rank], how)
            readers_see(lake, one, about, refused="")
            try:
                healed(lake, name, command, about)
            except LakehouseError as error:
                if not error.remedy:
                    raise
                assert any(found.state == doctor.BROKEN for found in verify.verify(settings(lake))), about
                go_back_to_the_last(lake, about)
            else:
                is_before_or_after(lake, one, about)
            left(lake, about)
        shutil.rmtree(lake.root)


def go_back_to_the_last(lake, about):
    """The way out: to the newest state that is whole, which is then as it was."""
    refused = []
    for point in restore.points(lake)[::-1]:
        wanted = {n: (kept.rows, kept.content) for n, kept in manifests.found(lake, str(point.manifest)).tables.items()}
        try:
            restore.apply(lake, str(point.manifest))
        except LakehouseError as error:
            refused.append(error)
            continue
        there = content(lake)
        assert there == {name: kept for name, kept in wanted.items() if name not in TOLD}, (
            about,
            differ(there, wanted),
        )
        return
    pytest.fail(f"{about}: no way out: {refused}")


@pytest.mark.slow
@pytest.mark.parametrize(
    "table",
    [
        "ops/batches",
        *(pytest.param(table, marks=pytest.mark.nightly) for table in ("ops/batches finished", "ops/runs")),
    ],
)
def test_power_is_lost_of_what_a_journal_tells_of(lakes, tmp_path, double, unbroken, table):
    """What a batch has come to, or that the run ended, was kept, and a commit of a table before it was not: refused, or healed."""
    one, pick = unbroken("run"), random.Random(f"journal {SEED} {table}")  # noqa: S311
    journal_of, _, finished = table.partition(" ")
    at = [place for place, path in enumerate(one.paths) if path.endswith(journal_of)]
    double.open(at[2] if finished else at[1] if len(at) > 1 else at[0], "after")
    killed = copied(lakes["first"], tmp_path / "killed")
    since = time.time_ns()
    with suppress(KilledError):
        run(killed)
    double.open()
    written = [path.parent.parent for path in newest_files(killed, since) if path.parent.name == "_delta_log"]
    tables = sorted({path.relative_to(killed.root) for path in written} - {Path(journal_of)})
    assert len(tables) >= 3
    for lost in tables if EVERY else pick.sample(tables, 2):
        lake = copied(killed, tmp_path / "lake")
        max(Path(lake.root, lost, "_delta_log").glob("*.json")).unlink()
        readers_see(lake, one, lost, refused=None)
        if lost.parts[0] == "gold" or lost.name in ("proofs", "batches"):
            run(lake)
        else:  # what the journal says was read or conformed
            with pytest.raises(LakehouseError, match="its newest commits are lost"):
                run(lake)
            assert [found.about for found in doctor.examine(settings(lake)) if found.state == doctor.BROKEN]
            go_back_to_the_last(lake, lost)
            run(lake)
        assert rows_of(lake) == one.rows, lost
        left(lake, lost)
        shutil.rmtree(lake.root)
