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

from conftest import NOW
from medallion.cli import app, console
from medallion.lakehouse.store import Lakehouse

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
    texts = {"customer_name", "owner", "account_manager", "next_step", "stage", "_source_file", "reasons_up"}
    for name in (
        "gold.customer_features", "gold.deals", "gold.lead_scores", "gold.top_customers", "silver.interactions_clean", "silver.leads_clean",
    ):  # fmt: skip
        table = DeltaTable(lake.path(name)).to_pyarrow_table()
        for at, column in enumerate(table.schema):
            if column.name in texts:
                bad = HOSTILE if pa.types.is_string(column.type) or pa.types.is_large_string(column.type) else [HOSTILE]
                values = [None if value is None else bad for value in table.column(at).to_pylist()]
                table = table.set_column(at, column, pa.array(values, column.type))
        write_deltalake(lake.path(name), table, mode="overwrite")
    schema = DeltaTable(lake.path("silver.quarantine")).to_pyarrow_table().schema
    refused = {
        "quarantine_id": "ABCD", "entity": "leads", "record_key": HOSTILE, "reasons": [HOSTILE], "failed_checks": ["lead_id.required"],
        "source_file": HOSTILE, "source_row": 2, "raw": json.dumps({HOSTILE: HOSTILE}), "known_at": NOW, "batch_id": "b",
    }  # fmt: skip
    write_deltalake(lake.path("silver.quarantine"), pa.Table.from_pylist([refused], schema), mode="append")
    return lake


COMMANDS = [
    ["brief", "C001"], ["brief", "C001", "--receipts"], ["plan"], ["draft", "C001"], ["draft", "C001", "--kind", "call-script"],
    ["explain", "C001"], ["explain", "L-1013"], ["score"], ["status"], ["tables"], ["insights"], ["quarantine", "list"],
    ["ask", "revenue by owner"], ["ask", "Tell me about C001", "--receipts"], ["ask", "top 3 customers"], ["ask", "Who should I call?"],
    ["ask", "revenue of [/red]\x1b[2J"], ["chat"], ["actions", "list"], ["metrics", "value", "revenue", "--by", "owner"],
    ["metrics", "value", "revenue", "--where", f"owner={HOSTILE}x"], ["brief", HOSTILE], ["doctor"], ["monitor"], ["quarantine", "suggest"], ["quarantine", "show", "ABCD"],
]  # fmt: skip


def some(words):
    """One command of each kind always; the others with the slow tests."""
    first = (
        ["brief", "C001"],
        ["plan"],
        ["explain", "C001"],
        ["chat"],
        ["quarantine", "list"],
        ["quarantine", "show", "ABCD"],
    )
    return words if words in first else pytest.param(words, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    "words",
    [some(words) for words in COMMANDS],
    ids=lambda words: " ".join(words)[:40].encode("ascii", "replace").decode(),
)
def test_hostile_names_through_every_command_that_prints_them(hostile, words):
    if words[0] == "actions":
        from medallion.care.proposals import Actions
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
