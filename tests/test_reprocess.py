"""Silver from bronze again under another contract: gold follows, the old reading stays, a kill leaves no half."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta

import pytest

from medallion import pipeline
from medallion.care import quarantine, status
from medallion.care.quarantine import Correction
from medallion.config import load
from medallion.lakehouse import query
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import batches

DAY = datetime(2025, 7, 1)
CUSTOMERS = "customer_id,customer_name\nC1,Anvil\n"
HEADER = "lead_id,customer_id,Phase,deal_value,created_at,closed_at\n"
FIRST = (
    HEADER + "L1,C1,P5,100,2025-01-02,2025-02-01\nL2,C1,P1,20,2025-01-03,\nL3,C2,P5,7,2025-01-04,2025-02-02\n"
)
SECOND = HEADER + "L2,C1,P5,25,2025-01-03,2025-03-01\nL4,C1,P9,9,2025-01-05,2025-03-02\n"


def contract(folder, **states):
    """A contract that says what the phases mean."""
    path = folder / f"{'_'.join(states.values())}.odcs.yaml"
    values = ", ".join(f"{name}: {state}" for name, state in states.items())
    columns = "".join(f"              {n}: {n}\n" for n in ("lead_id", "customer_id", "deal_value", "created_at", "closed_at"))
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
    quarantine.take_up(given, DAY + timedelta(hours=3), lambda *_: None)
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
