"""A lakehouse in a catalog: its lock, its manifests and what reads them, over Delta tables that delta-rs writes.

What only an engine can show is in `parity/test_in_a_catalog.py` and `test_elsewhere.py`.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from doubles.catalog import OnDisk

from medallion.care import doctor, maintain, restore, status, verify
from medallion.care.doctor import BROKEN, OK, WARNING
from medallion.care.erasure import certificate
from medallion.config import load
from medallion.errors import LakehouseError, StateRemovedError
from medallion.lakehouse import locks, manifests, places, query, store, unity
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import freshness, journal

ROOT = "uc://crm"
DEALS, RUNS = "gold.deals", "ops.runs"


class KilledError(BaseException):
    """Stands in for a process that ends."""


@pytest.fixture
def engine(tmp_path, monkeypatch):
    return OnDisk(tmp_path, monkeypatch)


@pytest.fixture
def lake(engine):
    """A lakehouse whose two tables were written by two commands: values 1, then 2."""
    lake = Lakehouse(ROOT)
    for value in (1, 2):
        write(engine, lake, value)
    return lake


def write(engine, lake, value, kind=journal.TRAIN):
    with journal.writing(lake) as writer, writer.intent(kind, (DEALS, RUNS)):
        for name in (DEALS, RUNS):
            engine.write(ROOT, name, [value] * value)


def values(lake):
    """What a reader sees: the same in both tables, or the test fails."""
    with query.connect(lake, ("gold", "ops"), only={DEALS, RUNS}) as connection:
        found = [connection.execute(f"select value from {name}").fetchall() for name in (DEALS, RUNS)]
    assert found[0] == found[1]
    return found[0][0][0]


def test_who_writes_to_one_lakehouse_of_a_catalog_does_not_write_to_another():
    """Two lakehouses of one catalog differ by the prefix of their schemas."""
    mine, other = ("uc://crm/dev_ann_", "uc://crm")
    with places.of(mine).kept():
        first = places.of(mine).state(DEALS)
        assert first is not None
        assert places.of(other).state(DEALS) is None
        unity.written(unity.quoted(other, DEALS))
        assert places.of(mine).state(DEALS) == first
        unity.written(unity.quoted(mine, DEALS))
        assert places.of(mine).state(DEALS) != first
    assert places.of(mine).state(DEALS) is None


def test_tables_are_listed_once_while_nobody_else_writes(engine, lake):
    def asked(name, times=3):
        engine.said.clear()
        found = {lake.exists(name) for _ in range(times)}
        assert len(found) == 1
        return found.pop(), len(engine.said)

    assert asked("gold.top_customers") == (False, 3), "others may write"
    with store.kept_open(lake):
        assert asked("gold.top_customers") == (False, 1)
        engine.write(ROOT, "gold.top_customers", [1])
        assert asked("gold.top_customers") == (True, 0)
        engine.write(ROOT, "gold.top_customers", [1])
        assert asked("gold.top_customers") == (True, 0), "nobody else removes it"
        lake.delta("gold.top_customers")
        assert "exists" not in engine.said
        lake.place.remove("gold.top_customers")
        lake.place.remove("gold.top_customers")
        assert engine.said == ["DROP"]
        assert asked("gold.top_customers") == (False, 0)
        engine.said.clear()
        assert [name for name in lake.tables() if name in (DEALS, RUNS)] == [DEALS, RUNS]
        assert engine.said == ["SHOW TABLES"] * 3, "bronze and silver were not known yet, and others make tables in ops"
        assert asked("ops.failures") == (False, 3), "others write to it beside the lock"
    assert asked("gold.top_customers") == (False, 3)


def test_a_command_costs_few_statements(engine, lake):
    engine.said.clear()
    write(engine, lake, 3)
    assert engine.said.count("UPDATE") == 4, "taken, intent, manifest with the intent closed, freed"
    assert {word: engine.said.count(word) for word in ("CREATE", "INSERT", "SUM")} == {
        "CREATE": 0,
        "INSERT": 1,
        "SUM": 1,
    }
    engine.said.clear()
    assert manifests.newest(lake).number == 3
    assert len(engine.said) == 1, "what the lock says names a manifest that this process knows"
    engine.said.clear()
    read = manifests.opened(lake)
    assert engine.said == ["SELECT", "SHOW TABLES"], "the lock, and what somebody else has in gold"
    engine.said.clear()
    assert (read.tables(["gold"]), read.tables(["ops"], only={RUNS})) == ([DEALS], [RUNS])
    read.delta(DEALS)
    assert engine.said == [], "a manifest names them"
    assert RUNS in read.tables()
    assert engine.said == ["SHOW TABLES"], "what others make in ops"


def test_what_an_engine_does_not_say_of_an_update_is_read_back(engine, lake, monkeypatch):
    real = unity.execute
    monkeypatch.setattr(unity, "execute", lambda statement: [real(statement), None][1])
    write(engine, lake, 3)
    assert values(lake) == 3
    row, late = places.of(ROOT).document(), places.of(ROOT).document()
    row.read(), late.read()
    row.write({"holder": None})
    with pytest.raises(places.ConflictError):
        late.write({"holder": {"id": "late"}})


def test_of_two_writers_one_takes_the_lock_every_time(engine, lake):
    for _ in range(20):
        rows = [places.of(ROOT).document() for _ in range(2)]
        for row in rows:
            row.read()
        together, won = threading.Barrier(2), []

        def take(row, name, together=together, won=won):
            together.wait()
            try:
                row.write({"holder": {"id": name}})
                won.append(name)
            except places.ConflictError:
                pass

        both = [threading.Thread(target=take, args=(row, place)) for place, row in enumerate(rows)]
        for one in both:
            one.start()
        for one in both:
            one.join()
        assert won == [locks.peek(ROOT)["holder"]["id"]]


def test_readers_open_the_manifest_while_a_command_writes(engine, lake, monkeypatch):
    with journal.writing(lake) as writer, writer.intent(journal.TRAIN, (DEALS, RUNS)):
        engine.write(ROOT, DEALS, [3])
        with monkeypatch.context() as other:
            other.setattr(locks, "_ours", {})  # as another process sees it
            assert values(lake) == 2
        engine.write(ROOT, RUNS, [3])
    assert values(lake) == 3
    assert [values(manifests.opened(lake, str(number))) for number in (1, 2, 3)] == [1, 2, 3]
    listed = status._manifests(lake, datetime.now(UTC).replace(tzinfo=None))
    assert [(one["manifest"], one["opens"]) for one in listed] == [(3, True), (2, True), (1, True)]


def killed(engine, lake, monkeypatch, instead_of):
    """A command whose process ends when it is to call a method of the lock."""
    with monkeypatch.context() as patch, pytest.raises(KilledError):
        real = getattr(locks.Held, instead_of)

        def end(held, *given):
            if given == (None,):
                raise KilledError
            return real(held, *given)

        patch.setattr(locks.Held, instead_of, end)
        patch.setattr(locks.Held, "release", lambda held: None)
        write(engine, lake, 9)
    monkeypatch.setattr(locks, "alive", lambda holder: False)


def test_a_command_that_dies_before_its_manifest_counts_is_rolled_back(engine, lake, monkeypatch):
    killed(engine, lake, monkeypatch, "note")
    left = unity.rows(ROOT, manifests.TABLE).column("number").to_pylist()
    assert (sorted(left), [one.number for one in manifests.history(lake)]) == ([1, 2, 3], [1, 2])
    assert values(lake) == 2
    with journal.writing(lake) as writer:
        assert "rolled back" in writer.recovered[0]
    assert values(lake) == 2
    assert [(one.number, one.kind) for one in manifests.history(lake)][-1] == (3, journal.RECOVER)
    assert [one.state for one in verify.chain(manifests.history(lake))] == [OK]


def test_a_second_writer_is_refused_until_the_lease_expires(engine, lake, monkeypatch):
    monkeypatch.setattr(locks, "alive", lambda holder: None)  # on another machine
    now = datetime.now(UTC)
    row = places.of(ROOT).document()
    intent = {"kind": "train", "began_at": now.isoformat(), "before": {DEALS: 0}, "all": False, "manifest": 2}
    for age, refused in ((timedelta(minutes=9), True), (timedelta(minutes=11), False)):
        row.read()
        row.write({"holder": {"id": "x", "renewed_at": (now - age).isoformat()}, "intent": intent})
        if refused:
            with pytest.raises(LakehouseError, match="another run is writing"), journal.writing(lake):
                pytest.fail("two at once")
        else:
            with journal.writing(lake) as writer:
                assert "rolled back" in writer.recovered[0]
            with pytest.raises(places.ConflictError):
                row.write({"holder": {"id": "x"}})
    assert locks.peek(ROOT)["holder"] is None


def test_a_lakehouse_from_before_there_were_manifests_gets_one(engine):
    lake = Lakehouse(ROOT)
    engine.write(ROOT, DEALS, [1])
    unity.execute("CREATE TABLE `crm`.`ops`.`_writer`")
    assert manifests.opened(lake).versions is None
    with journal.writing(lake):
        assert [one.kind for one in manifests.history(lake)] == [journal.FOUND]
    assert manifests.opened(lake).versions == {DEALS: 0}


def test_going_back(engine, lake):
    assert [(one.manifest, one.by) for one in restore.points(lake)] == [(1, "train"), (2, "train")]
    assert {(one.table, one.now, one.to) for one in restore.plan(lake, "1")} == {(DEALS, 1, 0), (RUNS, 1, 0)}
    restore.apply(lake, "1")
    assert values(lake) == 1
    assert manifests.newest(lake).kind == journal.RESTORE
    with pytest.raises(LakehouseError, match="there is no version 8"):
        restore.plan(lake, "8", DEALS)


def test_a_table_that_was_recreated_is_not_taken_for_the_one_before(engine, lake):
    before = {one.number for one in manifests.history(lake)}
    unity.drop(ROOT, DEALS)
    for value in (7, 8, 9):
        engine.write(ROOT, DEALS, [value])
    with pytest.raises(LakehouseError, match="was removed and recreated since manifest 1"):
        manifests.opened(lake, str(min(before)))


def test_a_version_that_no_longer_opens_is_read_from_the_newest_after_upkeep(engine, lake, monkeypatch):
    real = unity.rows

    def rows(root, name, version=None):
        if version is not None:
            raise RuntimeError("Cannot time travel beyond the retention")
        return real(root, name)

    monkeypatch.setattr(unity, "rows", rows)
    assert values(lake) == 2
    unity.execute("ALTER TABLE `crm`.`gold`.`deals` SET TBLPROPERTIES ('delta.appendOnly' = 'false')")
    assert values(lake) == 2
    engine.write(ROOT, DEALS, [3])
    with pytest.raises(StateRemovedError, match=r"gold.deals has no version 1 any more.*Cannot time travel"):
        values(lake)


def test_upkeep_of_the_platform_is_no_other_content(engine, lake):
    unity.execute("ALTER TABLE `crm`.`gold`.`deals` SET TBLPROPERTIES ('delta.appendOnly' = 'false')")
    before = manifests.newest(lake).tables[DEALS]
    engine.said.clear()
    with journal.writing(lake):
        pass
    now = manifests.newest(lake).tables[DEALS]
    assert (now.version, now.since, now.content) == (before.version + 1, before.since, before.content)
    assert manifests.newest(lake).kind == "maintain"
    assert "SUM" not in engine.said


def test_gold_is_not_computed_again_for_upkeep_of_the_platform(engine, lake):
    before = manifests.newest(lake).tables[DEALS]
    unity.execute("ALTER TABLE `crm`.`gold`.`deals` SET TBLPROPERTIES ('delta.appendOnly' = 'false')")
    assert freshness.Freshness(lake, (), None, {}, {})._version(DEALS) == before.since
    engine.write(ROOT, DEALS, [3])
    assert freshness.Freshness(lake, (), None, {}, {})._version(DEALS) == before.version + 2


def test_verify_compares_what_it_can_and_says_what_it_cannot(engine, lake):
    settings = load(None, lakehouse=ROOT)
    found = verify.verify(settings, deep=True)
    assert {one.state for one in found} == {OK, WARNING}
    assert [one.says for one in found if one.state == WARNING] == [
        "sizes and names of data files were not compared: tables are read by the engine"
    ]
    assert {one.about for one in found if one.check == "content"} == {DEALS, RUNS}
    engine.write(ROOT, DEALS, [5])
    (odd,) = [one for one in verify.verify(settings) if one.check == "state" and one.state == WARNING]
    assert odd.says == "is at version 2, manifest 2 has 1"
    rows = unity.rows(ROOT, manifests.TABLE).to_pylist()
    changed = manifests.Manifest.of(rows[0])
    assert [one.state for one in verify.chain([changed, changed])] == [BROKEN]


def test_doctor_examines_what_it_can_and_says_what_it_cannot(engine, lake):
    settings = load(None, lakehouse=ROOT)
    found = doctor.examine(settings)
    assert {(one.check, one.about, one.says) for one in found if one.check in ("files", "not compared")} == {
        ("files", DEALS, "version 1"),
        ("files", RUNS, "version 1"),
        ("files", manifests.TABLE, "version 1"),
        ("not compared", ROOT, "sizes and names of data files were not compared: tables are read by the engine"),
    }
    assert {(one.check, one.about) for one in found if one.state == BROKEN} == set()
    with pytest.raises(KilledError), journal.writing(lake) as writer, writer.intent(journal.TRAIN, (DEALS,)):
        raise KilledError
    (left,) = [one for one in doctor.examine(settings) if one.check == "journal"]
    assert (left.about, left.state) == (journal.TRAIN, WARNING)


def test_doctor_tells_of_a_table_that_cannot_be_opened(engine, lake, monkeypatch):
    def lost(table, limit=None):
        raise LakehouseError("its files are gone", "Bring them back.")

    monkeypatch.setattr(unity.Table, "history", lost)
    found = doctor.files(load(None, lakehouse=ROOT))
    assert {(one.check, one.about, one.says) for one in found if one.state == BROKEN} == {
        ("log", name, "its files are gone") for name in (DEALS, RUNS, manifests.TABLE)
    }


def test_only_the_last_thirty_days_open_where_the_platform_removes_files(engine, lake):
    known = manifests.history(lake)
    later = known[-1].written_at + timedelta(days=45)
    assert manifests.openable(known, later, month_ends=False) == {2}


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([("Catalog Name", "crm"), ("Predictive Optimization", "ENABLE (inherited from METASTORE x)")], "is on for"),
        ([("Catalog Name", "crm")], "is not known to the engine"),
        ([("Predictive Optimization", "DISABLE")], None),
    ],
)
def test_maintain_leaves_it_to_predictive_optimization_and_looks_whether_it_is_on(
    engine, lake, monkeypatch, rows, says
):
    asked = []

    def ask(statement):
        asked.append(statement)
        if statement.startswith("SHOW TBLPROPERTIES"):
            return [{"key": "delta.minReaderVersion", "value": "1"}]
        return [{"info_name": name, "info_value": value} for name, value in rows]

    monkeypatch.setattr(unity, "ask", ask)
    if says is None:
        with pytest.raises(LakehouseError, match="predictive optimization is off") as told:
            maintain.left_to(lake)
        assert told.value.remedy == "Switch it on: ALTER CATALOG `crm` ENABLE PREDICTIVE OPTIMIZATION."
        return
    assert says in maintain.left_to(lake)
    assert asked[0] == "DESCRIBE CATALOG EXTENDED `crm`"
    kept = store.Lakehouse(ROOT).delta(DEALS).history(1)[0]["operation"]
    assert kept == "SET TBLPROPERTIES"
    assert maintain.maintain(lake, datetime.now(UTC).replace(tzinfo=None)) == []
    assert values(lake) == 2


def test_what_is_purged_and_what_the_platform_is_left_to_do(engine, lake):
    def retention():
        from deltalake import DeltaTable

        told = DeltaTable(engine.path(DEALS)).metadata().configuration
        return told["delta.deletedFileRetentionDuration"]

    engine.fails = "^VACUUM"
    versions, _, left = unity.purge(ROOT, DEALS)
    assert (versions, left, retention()) == (2, "VACUUM is not for you", "interval 0 hours")
    assert unity.rows(ROOT, DEALS, 0).num_rows == 1
    engine.fails = ""
    _, gone, left = unity.purge(ROOT, DEALS)
    assert (gone, left, retention()) == (1, "", "interval 30 days")
    assert unity.Table(ROOT, DEALS).version() > 1
    with pytest.raises(FileNotFoundError):
        unity.rows(ROOT, DEALS, 0)


@pytest.mark.parametrize("vacuumed", [False, True])
def test_a_table_keeps_no_earlier_file_until_the_platform_has_removed_them(engine, lake, monkeypatch, vacuumed):
    engine.fails = "^VACUUM"
    unity.purge(ROOT, DEALS)
    history = unity.Table(ROOT, DEALS).history()
    later = [{"version": history[0]["version"] + 1, "operation": "VACUUM END"}] if vacuumed else []
    monkeypatch.setattr(unity.Table, "history", lambda table, limit=None: [*later, *history])
    shown = [{"key": "delta.deletedFileRetentionDuration", "value": "interval 0 hours"}]
    monkeypatch.setattr(unity, "ask", lambda statement: shown)
    assert unity.keep(ROOT, DEALS) == vacuumed


@pytest.mark.parametrize("left", [False, True])
def test_the_certificate_of_a_catalog_says_what_the_platform_was_left_to_do(lake, left):
    tables = [
        {"table": DEALS, certificate.LEFT: "VACUUM is not for you"} if left else {"table": DEALS},
        {"table": RUNS},
    ]
    says, unread = certificate.older_versions(tables), certificate.not_searched(lake, tables, 0)
    assert ("from every table but gold.deals, whose are left to the platform, without a search" in says) == left
    wanted = "earlier versions of gold.deals: they are left to the next VACUUM of the platform"
    assert [one.startswith(wanted) for one in unread].count(True) == left
    assert "query history, lineage and audit logs of the platform" in unread
    assert [one["where"] for one in certificate.searched_in(lake)] == ["tables", "what is left"]


def test_the_certificate_that_was_written_last_counts(engine, lake):
    for found in (["gold.deals: 1 texts"], []):
        place = certificate.write(lake, "E1", {"found": found})
    certificate.write(lake, "E2", {"found": ["another"]})
    assert place == "`crm`.`ops`.`certificates`, erasure E1"
    assert certificate.read(lake, "E1") == {"found": []}


def test_what_the_lock_has_said_of_an_erasure_goes_with_it(engine, lake, tmp_path):
    files = lambda: {path.name for path in (tmp_path / "ops" / "_writer").glob("*.parquet")}  # noqa: E731
    with locks.hold(ROOT) as held:
        held.note({"kind": "forget", "arguments": {"subject": "Ann"}})
        secret = files()
        held.keep("left", {"E1": {"subject": "Ann"}})
        held.note(None)
        assert locks.peek(ROOT)["left"] == {"E1": {"subject": "Ann"}}
        held.keep("left", None)
        held.settle()
        held.purge()
        assert len(files()) == 1
        assert not files() & secret
    assert "left" not in locks.peek(ROOT)
    assert manifests.newest(lake).number == 2


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
