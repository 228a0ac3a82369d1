"""What a terminal shows of texts from a CRM: they are texts, whatever is in them."""

from __future__ import annotations

import json
import shutil
from io import StringIO

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from rich.text import Text
from typer.testing import CliRunner

from medallion import console
from medallion.cli import app
from medallion.store import Lakehouse

#: Markup that ends what was never begun, a cleared screen, a title for the window, a bell, a change of direction, a
#: second line, a backspace, and one of the C1 controls.
HOSTILE = "[/red][bold]\x1b[2J\x1b]0;x\x07\u202etxt\u2066\nApproved: yes\x08\x9b31m"
FORBIDDEN = [letter for letter in HOSTILE if not letter.isprintable() and letter != "\n"]


def test_the_screen_prints_no_markup_and_no_control_character(monkeypatch):
    screen = console.screen()
    screen.file = StringIO()
    console.records(screen, HOSTILE, [{HOSTILE: HOSTILE, "many": [HOSTILE], "n": 1, "ok": False}], HOSTILE)
    console.line(screen, HOSTILE)
    console.lines(screen, HOSTILE)
    screen.print(HOSTILE)
    screen.print(Text(HOSTILE))
    shown = screen.file.getvalue()
    assert not [letter for letter in FORBIDDEN if letter in shown]
    assert shown.count("[/red][bold]") >= 6
    assert "\\x1b[2J" in shown
    one_line = StringIO()
    screen.file = one_line
    console.line(screen, HOSTILE)
    assert one_line.getvalue().count("\n") == 1


@pytest.fixture(scope="module")
def hostile(sample, tmp_path_factory):
    """The sample with hostile texts in every column of text that no rule of the product makes."""
    lake = Lakehouse(str(tmp_path_factory.mktemp("hostile") / "lakehouse"))
    shutil.copytree(sample.root, lake.root)
    texts = {
        "customer_name",
        "owner",
        "account_manager",
        "next_step",
        "stage",
        "source_file",
        "_source_file",
        "reasons_up",
    }
    for name in ("gold.customer_features", "gold.deals", "gold.lead_scores", "gold.top_customers", "silver.interactions_clean",
                 "silver.leads_clean", "ops.batches", "silver.quarantine"):  # fmt: skip
        path = lake.path(name)
        table = DeltaTable(path).to_pyarrow_table()
        for at, column in enumerate(table.schema):
            if column.name in texts or (name == "silver.quarantine" and column.name in ("reasons", "payload", "raw")):
                bad = [HOSTILE] if pa.types.is_list(column.type) or pa.types.is_large_list(column.type) else HOSTILE
                if pa.types.is_struct(column.type) or pa.types.is_map(column.type):
                    continue
                values = [None if value is None else bad for value in table.column(at).to_pylist()]
                table = table.set_column(at, column, pa.array(values, column.type))
        write_deltalake(path, table, mode="overwrite")
    return lake


COMMANDS = [
    ["brief", "C001"], ["brief", "C001", "--receipts"], ["plan"], ["draft", "C001"], ["draft", "C001", "--kind", "call-script"],
    ["explain", "C001"], ["explain", "L-1013"], ["score"], ["status"], ["tables"], ["insights"], ["quarantine", "list"],
    ["ask", "revenue by owner"], ["ask", "Tell me about C001", "--receipts"], ["ask", "top 3 customers"], ["ask", "Who should I call?"],
    ["ask", "revenue of [/red]\x1b[2J"], ["chat"], ["actions", "list"], ["metrics", "value", "revenue", "--by", "owner"],
    ["metrics", "value", "revenue", "--where", f"owner={HOSTILE}x"], ["brief", HOSTILE], ["doctor"], ["monitor"], ["quarantine", "suggest"],
]  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words)[:40].encode("ascii", "replace").decode())
def test_hostile_names_through_every_command_that_prints_them(hostile, words):
    if words[0] == "actions":
        from medallion.agent.actions import Actions
        from medallion.config import utc_now

        Actions(hostile).propose("deal", "L-1013", {"next_step": "send the offer"}, HOSTILE, HOSTILE, utc_now())
    done = CliRunner().invoke(
        app, [*words, "--lakehouse", hostile.root], input="revenue by owner\nTell me about C001\n\n"
    )
    shown = done.output
    assert not [letter for letter in FORBIDDEN if letter in shown], words
    assert not [line for line in shown.splitlines() if line.startswith("Approved: yes")], words
    assert (
        done.exception is None
        or isinstance(done.exception, SystemExit)
        or "MedallionError" in str(type(done.exception).__mro__)
    )


def test_one_record_of_quarantine(hostile):
    waiting = json.loads(CliRunner().invoke(app, ["quarantine", "list", "--json", "--lakehouse", hostile.root]).output)
    for record in waiting[:1]:
        done = CliRunner().invoke(app, ["quarantine", "show", record["quarantine_id"], "--lakehouse", hostile.root])
        assert done.exit_code == 0, done.output
        assert not [letter for letter in FORBIDDEN if letter in done.output]
