"""Silver from bronze again under another contract: gold follows, the old reading stays, a kill leaves no half."""

from __future__ import annotations

import importlib
import json
import shutil
from datetime import datetime, timedelta

import pytest
from typer.testing import CliRunner

from medallion import pipeline
from medallion.care import doctor, quarantine, status
from medallion.care.quarantine import Correction
from medallion.cli.app import app
from medallion.config import load
from medallion.lakehouse import query
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import batches

DAY = datetime(2025, 7, 1)
CUSTOMERS = "customer_id,customer_name\nC1,Anvil\n"
HEADER = "lead_id,customer_id,Phase,deal_value,created_at,closed_at\n"
FIRST = HEADER + "L1,C1,P5,100,2025-01-02,2025-02-01\nL2,C1,P1,20,2025-01-03,\nL3,C2,P5,7,2025-01-04,2025-02-02\n"
SECOND = HEADER + "L2,C1,P5,25,2025-01-03,2025-03-01\nL4,C1,P9,9,2025-01-05,2025-03-02\n"


def contract(folder, **states):
    """A contract that says what the phases mean."""
    path = folder / f"{'_'.join(states.values())}.odcs.yaml"
    values = ", ".join(f"{name}: {state}" for name, state in states.items())
    columns = "".join(
        f"              {n}: {n}\n" for n in ("lead_id", "customer_id", "deal_value", "created_at", "closed_at")
    )
    path.write_text(
        "apiVersion: v3.1.0\nkind: DataContract\nid: x\nname: x\nversion: 1.0.0\nstatus: active\nschema:\n"
        "  - name: leads\n    customProperties:\n      - property: sources\n        value:\n"
        f'          - file: "leads*"\n            columns:\n{columns}'
        f"              status: {{column: Phase, values: {{{values}}}}}\n"
    )  # fmt: skip
    return path


@pytest.fixture(scope="module")
def read_wrongly(spark, tmp_path_factory):
    """Two deliveries by a contract that takes signed deals for open ones; a refused deal was corrected by hand."""
    folder = tmp_path_factory.mktemp("wrong")
    one, two, lake = folder / "one", folder / "two", folder / "lake"
    for path, deals in ((one, FIRST), (two, SECOND)):
        path.mkdir()
        (path / "leads.csv").write_text(deals)
    (one / "customers.csv").write_text(CUSTOMERS)
    wrong = contract(folder, P5="open", P1="open", P9="lost")
    for hours, path in enumerate((one, two)):
        given = load(None, source=str(path), lakehouse=str(lake), contracts=(wrong,))
        pipeline.run(given, DAY + timedelta(hours=hours))
    given = load(None, lakehouse=str(lake))
    (waits,) = quarantine.waiting(Lakehouse(str(lake)))
    quarantine.fix(given, [Correction(waits["quarantine_id"], "customer_id", "C1")], "ana", DAY + timedelta(hours=2))
    quarantine.reprocess_refused(given, DAY + timedelta(hours=3), lambda *_: None)
    return folder


@pytest.fixture
def folder(read_wrongly, tmp_path):
    shutil.copytree(read_wrongly / "lake", tmp_path / "lake")
    for name in ("one", "two"):
        (tmp_path / name).symlink_to(read_wrongly / name)
    return tmp_path


def figures(lake):
    found = status.insights(Lakehouse(str(lake)))
    with query.connect(Lakehouse(str(lake))) as connection:
        rows = query.rows(
            connection,
            "select count(*) filter (status = 'won') as won, count(*) filter (status = 'lost') as lost, "
            "count(*) filter (status = 'open') as open from gold.deals",
        )[0]
    return (*rows.values(), found["revenue"])


@pytest.mark.slow
def test_a_corrected_contract_mends_what_was_read(folder, tmp_path):
    lake = folder / "lake"
    assert figures(lake) == (0, 1, 3, 0)
    right = contract(folder, P5="won", P1="open", P9="lost")
    given = load(None, lakehouse=str(lake), contracts=(right,))
    later = DAY + timedelta(hours=5)
    result = pipeline.reprocess(given, later)
    assert figures(lake) == (3, 1, 0, 132)
    assert all(account["balanced"] for account in result.accounts)
    read = {(a["batch_id"].count("reread"), a["entity"], a["rows_read"]) for a in result.accounts}
    assert read == {(1, "customers", 1), (1, "leads", 3), (1, "leads", 2)}
    assert quarantine.waiting(Lakehouse(str(lake))) == []  # what was put right by hand stays right

    pipeline.replay(load(None, lakehouse=str(lake)), DAY.date(), later, str(tmp_path / "then"))
    assert figures(tmp_path / "then") == (0, 1, 3, 0)
    pipeline.replay(load(None, lakehouse=str(lake)), DAY.date(), None, str(tmp_path / "now"))
    assert figures(tmp_path / "now") == (3, 1, 0, 132)


@pytest.mark.slow
def test_what_would_change_is_shown_and_nothing_is_touched(folder):
    lake = Lakehouse(str(folder / "lake"))
    right = contract(folder, P5="won", P1="open", P9="lost")
    before = {name: lake.version(name) for name in lake.tables()}
    args = ["--lakehouse", lake.root, "--contract", str(right)]
    shown = CliRunner().invoke(app, ["reprocess", *args, "--dry-run", "--json"])
    assert shown.exit_code == 0, shown.output
    document = json.loads(shown.stdout)
    assert (document["before"]["question"], document["after"]["question"]) == (
        "Your CRM should show 0 won, $0; 1 lost; 3 open. Is that so?",
        "Your CRM should show 3 won, $132; 1 lost; 0 open. Is that so?",
    )
    refused = CliRunner().invoke(app, ["reprocess", *args], input="n\n")
    assert refused.exit_code == 1
    assert "Before: 0 won, $0; 1 lost; 3 open\nAfter:  3 won, $132; 1 lost; 0 open\n" in refused.output
    assert {name: lake.version(name) for name in lake.tables()} == before


@pytest.mark.slow
def test_the_command_asks_and_does_it(folder):
    lake = Lakehouse(str(folder / "lake"))
    right = contract(folder, P5="won", P1="open", P9="lost")
    done = CliRunner().invoke(app, ["reprocess", "--lakehouse", lake.root, "--contract", str(right)], input="y\n")
    assert done.exit_code == 0, done.output
    assert figures(folder / "lake") == (3, 1, 0, 132)
    again = CliRunner().invoke(app, ["reprocess", "--lakehouse", lake.root, "--entity", "leads", "--yes"])
    assert again.exit_code == 0, again.output
    assert figures(folder / "lake") == (3, 1, 0, 132)
    assert doctor.document(doctor.examine(load(None, lakehouse=lake.root)))["state"] == "ok"


@pytest.mark.slow
def test_the_doctor_names_what_today_is_read_otherwise(folder):
    right = contract(folder, P5="won", P1="open", P9="lost")
    given = load(None, lakehouse=str(folder / "lake"))
    assert {one.state for one in doctor.examine(given)} == {"ok"}
    found = [one for one in doctor.examine(load(None, lakehouse=str(folder / "lake"), contracts=(right,))) if one.state != "ok"]  # fmt: skip
    assert [(one.check, one.about) for one in found] == [("reading", "leads")]
    assert "leads.csv, leads.csv: the contract of today fills status otherwise" in found[0].says


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["_accounts", "_mark_reread"])
def test_a_killed_reprocess_leaves_the_reading_before(folder, moment):
    lake = folder / "lake"
    half = importlib.import_module("medallion.pipeline.bronze_to_silver")
    right = contract(folder, P5="won", P1="open", P9="lost")
    given, calls, real = load(None, lakehouse=str(lake), contracts=(right,)), [], getattr(half, moment)

    def killed(*arguments):
        calls.append(1)
        if len(calls) == 2:  # of three batches
            raise KeyboardInterrupt
        return real(*arguments)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(half, moment, killed)
        pipeline.reprocess(given, DAY + timedelta(hours=5))
    plain = load(None, source=str(folder / "one"), lakehouse=str(lake))
    result = pipeline.run(plain, DAY + timedelta(hours=6))
    assert "It was rolled back" in result.recovered[0]
    assert figures(lake) == (0, 1, 3, 0)
    assert not any(batch.is_reread for batch in batches.history(Lakehouse(str(lake))))
    assert [one for one in doctor.examine(plain) if one.state != "ok"] == []
