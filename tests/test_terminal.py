"""What a terminal shows of texts from a CRM: they are texts, whatever is in them."""

from __future__ import annotations

import ast
import json
import re
import shlex
import shutil
from io import StringIO
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text
from test_typed import parses
from typer.testing import CliRunner

from conftest import NOW, ROOT
from medallion import pipeline, progress
from medallion.cli import app, console
from medallion.cli.command import Call
from medallion.config import Settings
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


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**9), 10**12),
    st.sampled_from(
        [
            "2025-06-30",
            "2025-06-30 10:20:59",
            "$16,770,900",
            "CHF 1,090,000",
            "L-1498-2",
            "87.2%",
            "gold.customer_features",
        ]
    ),
    st.lists(st.sampled_from(["touches", "of", "the", "account", "2025-06-30", "東京", "a,b"]), max_size=30).map(
        " ".join
    ),
)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 12).flatmap(lambda n: st.lists(st.lists(VALUES, min_size=n, max_size=n), min_size=1, max_size=4)),
    st.sampled_from([60, 80, 120]),
)
@example([["2025-06-30 10:20:59", "$16,770,900", "gold.customer_features", "87.2%"] * 3], 60)
@example([["2025-06-30 10:20:59", "$16,770,900", "touches of the account in ninety days"] * 2], 80)
@example([[False, "touches touches touches", "of of the 2025-06-30 東京"]], 60)
def test_a_table_splits_no_value_and_is_no_wider_than_the_screen(rows, width):
    screen = console.Screen(width=width)
    screen.file = StringIO()
    console.records(screen, "Title", [{f"column {at}": value for at, value in enumerate(row)} for row in rows])
    shown = screen.file.getvalue()
    assert max(map(cell_len, shown.splitlines())) <= width
    for value in (value for row in rows for value in row if value is not None and value != ""):
        written = value if isinstance(value, str) else console._cell(value).plain
        whole = [written] if cell_len(written) <= 24 and "  " not in written else written.split()
        for part in whole:
            assert re.search(rf"(?<![^\s]){re.escape(part)}(?![^\s])", shown), (part, shown)


@pytest.mark.parametrize(("width", "blocks"), [(80, True), (140, False)])
def test_a_table_too_wide_for_the_screen_is_lines_per_record(width, blocks):
    screen = console.Screen(width=width)
    screen.file = StringIO()
    console.records(screen, "Forecast", [{f"part {at}": "$16,770,900" for at in range(8)} | {"quota": None}])
    lines = screen.file.getvalue().splitlines()
    assert any(re.fullmatch(r" part 0  \$16,770,900 *", line) for line in lines) == blocks
    assert not any("quota" in line for line in lines)  # a column without any value says nothing


def test_columns_of_the_environment_say_how_wide_a_table_is_where_there_is_no_terminal(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert console.screen().width >= 120
    monkeypatch.setenv("COLUMNS", "76")
    assert console.screen().width == 76


def next_steps():
    """The lines to type that commands end with, a letter in place of what they fill in."""
    for path in sorted((ROOT / "src" / "medallion" / "cli").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("next", "typed")
            ):
                for told in node.args:
                    parts = told.values if isinstance(told, ast.JoinedStr) else [told]
                    text = "".join(part.value if isinstance(part, ast.Constant) else "X" for part in parts)
                    if isinstance(told, ast.Constant | ast.JoinedStr):
                        yield pytest.param(text, id=f"{path.stem}: {text}")


@pytest.mark.parametrize("line", list(next_steps()))
def test_a_next_step_is_a_command_on_the_same_lakehouse(line):
    if line.startswith("planX"):
        line = "plan --owner X --capacity 3"  # the owner is a part of its own
    typed = Call(config=Path("a b.yaml"), path="my lake").typed(line)
    words = shlex.split(typed)
    assert words[-4:] == ["--lakehouse", "my lake", "--config", "a b.yaml"]
    parses(words[1:])


def test_a_terminal_sees_rows_rate_and_time_left_on_standard_error(monkeypatch):
    there, here = console.Screen(width=100), console.Screen(width=100)
    there._force_terminal, there.file, here.file = True, StringIO(), StringIO()
    monkeypatch.setattr(console, "screen", lambda stderr=False: there if stderr else here)
    clock = iter([100.0])
    monkeypatch.setattr(console, "perf_counter", lambda: next(clock, 110.0))
    progress.reading.begin(1_000_000_000)
    shown = console.Progressing(here)
    with shown as report:
        report("look at the source files", None)
        assert shown.amount(99.0) == ""
        report(progress.STEP, None)
        assert shown.amount(100.0) == ""
        progress.reading.add(2_000_000, 250_000_000)
        assert shown.amount(110.0) == "2,000,000 rows, 200,000 a second  about 4 min left"
        report(progress.STEP, 12.0)
        report("silver: conform leads", None)
        assert shown.amount(130.0) == "about 40 s left"
        assert shown.amount(200.0) == ""  # longer than was thought: nothing is said
    assert progress.STEP in there.file.getvalue()
    assert here.file.getvalue() == ""


def test_without_a_terminal_there_is_a_line_per_step():
    here = console.Screen(width=100)
    here.file = StringIO()
    with console.Progressing(here) as report:
        report(progress.STEP, None)
        report(progress.STEP, 1.5)
    assert here.file.getvalue() == f"   1.50 s  {progress.STEP}\n"


@pytest.mark.slow
def test_the_rows_of_a_run_are_counted_while_it_reads(tmp_path):
    for name in ("customers", "products", "leads", "interactions"):
        shutil.copy(ROOT / "data" / f"{name}.csv", tmp_path)
    pipeline.run(Settings(source=str(tmp_path), lakehouse=str(tmp_path / "lake")), NOW)
    assert progress.reading.rows == 61
    assert progress.reading.expected == sum(path.stat().st_size for path in tmp_path.glob("*.csv"))
    assert 0.8 < progress.reading.share <= 1


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
