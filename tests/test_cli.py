"""The command as people and scripts use it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from conftest import ROOT
from medallion.lakehouse import query
from medallion.lakehouse.store import Lakehouse
from medallion.metrics.over_time import PARTS

FIGURES = {
    "total_deal_value": 1937000, "average_deal_value": 129133.333, "total_customers": 13, "total_interactions": 25,
    "average_lead_score": 88.692, "hot_lead_share": 0.846, "conversion_rate": 0.4, "win_rate": 0.545,
    "top_customer_revenue": 550000,
}  # fmt: skip
COMMANDS = ("run", "insights", "status", "tables", "export")


@pytest.fixture
def medallion(spark, capsys, monkeypatch):
    """`medallion("run", "--json")` gives exit status, standard output and standard error."""
    from medallion import cli

    def call(*args):
        monkeypatch.setattr(sys, "argv", ["medallion", *map(str, args)])
        monkeypatch.setenv("COLUMNS", "200")
        with pytest.raises(SystemExit) as end:
            cli.main()
            raise SystemExit(0)
        printed = capsys.readouterr()
        return end.value.code or 0, printed.out, printed.err

    return call


def test_run_twice(medallion, tmp_path):
    lake = tmp_path / "lake"
    code, out, _ = medallion("run", "--source", ROOT / "data", "--lakehouse", lake, "--json")
    document = json.loads(out)
    assert code == 0
    assert {name: round(document[name], 3) for name in FIGURES} == FIGURES
    assert document["changed"] is True
    assert sum(row["rows_read"] for row in document["row_accounts"]) == 61
    code, out, _ = medallion("run", "--source", ROOT / "data", "--lakehouse", lake)
    assert code == 0
    assert "Nothing new (4 files, all read before); every table is as it was." in out
    assert "\x1b" not in out  # plain where there is no terminal
    code, out, _ = medallion("run", "--source", ROOT / "data", "--lakehouse", lake, "--json")
    assert json.loads(out)["tables"] == document["tables"]


@pytest.mark.slow
def test_what_a_run_shows(medallion, tmp_path):
    code, out, _ = medallion("run", "--source", ROOT / "data", "--lakehouse", tmp_path / "lake")
    assert code == 0
    for words in (
        "What happened to every row",
        "bronze: read the files",
        "Insights as of 2025-06-30",
        "$1,937,000",
        "84.6%",
        "medallion status",
        "data/updates",
    ):
        assert words in out


@pytest.mark.slow
def test_insights_status_tables(medallion, sample):
    lake = ("--lakehouse", sample.root)
    _, out, _ = medallion("insights", "--json", *lake)
    assert {name: round(value, 3) for name, value in json.loads(out).items() if name in FIGURES} == FIGURES
    _, out, _ = medallion("status", "--json", *lake)
    status = json.loads(out)
    assert {"runs", "batches", "row_accounts", "quarantine", "freshness", "tables"} <= set(status)
    assert status["batches"][0]["state"] == "finished"
    assert {row["entity"]: row["kept"] for row in status["freshness"]} == {
        "customers": False,
        "leads": False,
        "interactions": False,
    }
    _, out, _ = medallion("tables", "--json", *lake)
    tables = {row["table"]: row for row in json.loads(out)}
    assert tables["gold.customer_features"]["rows"] == 13
    assert all(row["grain"].startswith("one row per") for row in tables.values())
    assert not any(name.endswith("_staged") for name in tables)
    for command in ("insights", "status", "tables"):
        code, out, _ = medallion(command, *lake)
        assert code == 0
        assert out


def test_export(medallion, sample, tmp_path):
    code, out, _ = medallion(
        "export", "--lakehouse", sample.root, "--format", "csv", "--to", tmp_path, "--table", "gold.deals", "--json"
    )
    assert code == 0
    assert json.loads(out) == [{"table": "gold.deals", "rows": 15, "path": str(tmp_path / "gold.deals.csv")}]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples(medallion, command):
    code, out, _ = medallion(command, "--help")
    assert code == 0
    assert "Examples" in out
    assert f"medallion {command}" in out


def test_version(medallion):
    from medallion.version import VERSION

    assert medallion("--version")[:2] == (0, f"medallion {VERSION}\n")


BAD = [
    # arguments                                     -> what it says                                     exit
    (["run", "--source", "{tmp}/nope"], ["nope: there is no such folder", "--source"], 1),
    (["run", "--source", "{tmp}"], ["no file here is recognized (the folder is empty)"], 1),
    (["run", "--as-of", "someday"], ["as_of", "'someday'", "a date such as 2025-06-30"], 1),
    (["run", "--config", "{tmp}/nope.yaml"], ["nope.yaml: cannot be read"], 1),
    (["run", "--source", "{root}/data", "--contract", "{tmp}/nope.yaml", "--lakehouse", "{tmp}/l"], ["nope.yaml: cannot be read"], 1),
    (["run", "--source", "{root}/data", "--lakehouse", "/proc/lake"], ["/proc/lake: cannot be written"], 1),
    (["insights", "--lakehouse", "{tmp}/nope"], ["nope: there is no table", "medallion run"], 1),
    (["status", "--lakehouse", "{tmp}/nope"], ["nope: there is no lakehouse here", "medallion run"], 1),
    (["tables", "--lakehouse", "{tmp}/nope"], ["nope: there is no lakehouse here"], 1),
    (["export", "--lakehouse", "{tmp}/nope", "--to", "{tmp}/x"], ["nope: there is no lakehouse here"], 1),
    (["export", "--to", "{tmp}/x", "--format", "xml"], ["'xml' is not parquet or csv"], 2),
    (["frobnicate"], ["No such command 'frobnicate'"], 2),
    (["run", "--sauce", "x"], ["--sauce"], 2),
]  # fmt: skip


@pytest.mark.parametrize(("args", "says", "code"), BAD, ids=[" ".join(args) for args, _, _ in BAD])
def test_wrong_command_lines(medallion, tmp_path, args, says, code):
    before = sorted(tmp_path.rglob("*"))
    status, _, err = medallion(*(arg.format(tmp=tmp_path, root=ROOT) for arg in args))
    assert status == code
    for words in says:
        assert words in err.replace("\n", " ") if code == 1 else words in err
    assert "Traceback" not in err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_file_without_corrections_is_named(medallion, tmp_path):
    (tmp_path / "none.csv").write_text("quarantine_id,column,value\n")
    code, _, err = medallion("quarantine", "fix", "--from", str(tmp_path / "none.csv"))
    assert code == 1
    assert "none.csv: has no corrections" in err.replace("\n", " ")


CONFIGS = [
    ("sauce: data\n", "sauce: is not a setting"),
    ("engine: warp\n", "engine: Input should be"),
    ("score: {parts: {fit: 300}}\n", "score.parts.fit: Input should be less than or equal to 100"),
    ("score: {sorce: {}}\n", "score.sorce: is not a setting"),
    ("score: {parts: {fit: 40}}\n", "score.parts: fit, engagement, recency and intent add up to 110, not to 100"),
    ("score: {bands: {hot: 50}}\n", "score.bands: hot 50, warm 60 and cool 40 do not fall from 100 to 0"),
    ("score: {outcome: {postive: 1}}\n", "score.outcome: postive is not one of meeting_booked, positive"),
    ("time_zone: Europe/Berln\n", "time_zone: is no time zone; use a name such as Europe/Berlin"),
    ("as_of: 9999-12-31\n", "as_of: use latest, today or a date such as 2025-06-30"),
    ("- a\n- b\n", "is not a list of `key: value` lines"),
    ("source: [\n", "cannot be read"),
]


@pytest.mark.parametrize(("text", "says"), CONFIGS)
def test_wrong_settings(medallion, tmp_path, text, says):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    code, _, err = medallion("run", "--config", path)
    assert code == 1
    assert says in err
    assert str(path) in err


@pytest.mark.slow
def test_files_that_cannot_be_read(medallion, tmp_path):
    """A bad file stops itself and what depends on it; the rest is loaded, and mended it all comes in."""
    source, lake = tmp_path / "in", tmp_path / "lake"
    source.mkdir()
    (source / "customers.csv").write_bytes(b"customer_id,customer_name\nC1,\x00\n")
    (source / "products.csv").write_text("product_id,product_name\nP1,x\n")
    (source / "interactions.csv").write_text(
        "interaction_id,customer_id,channel,occurred_at,outcome\nI1,C1,call,2025-01-01,good\n"
    )
    (source / "notes.md").write_text("hello")
    args = ("run", "--source", source, "--lakehouse", lake)
    code, out, err = medallion(*args, "--json")
    assert code == 1
    document = json.loads(out)
    assert document["files_read"] == ["products.csv"]
    assert document["files_ignored"] == ["notes.md"]
    assert "customers.csv: line 2: holds a NUL byte" in err
    assert "interactions.csv: held back" in err
    (source / "customers.csv").write_text("customer_id,customer_name\nC1,Acme\n")
    code, out, _ = medallion(*args, "--json")
    assert code == 0
    assert json.loads(out)["files_read"] == ["customers.csv", "interactions.csv"]
    assert json.loads(out)["total_interactions"] == 1


def test_only_a_header(medallion, tmp_path):
    (tmp_path / "customers.csv").write_text("customer_id,customer_name\n")
    code, out, _ = medallion("run", "--source", tmp_path, "--lakehouse", tmp_path / "lake")
    assert code == 0
    assert "customers: a header and no rows" in out


def test_a_bad_file_leaves_what_was_good(medallion, sample, tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    (source / "leads.csv").write_text("")
    before = {name: sample.version(name) for name in sample.tables()}
    code, out, err = medallion("run", "--source", source, "--lakehouse", sample.root)
    assert code == 1
    assert "leads.csv: the file is empty" in err
    assert "$1,937,000" in out
    assert {name: sample.version(name) for name in sample.tables()} == before


def test_a_record_too_long_to_read(medallion, tmp_path, monkeypatch):
    """Found only while the engine reads: the delivery is rolled back, and the next one comes in."""
    from medallion.sources import parsing

    monkeypatch.setattr(parsing, "_BLOCK", 4096)
    source, lake = tmp_path / "in", tmp_path / "lake"
    source.mkdir()
    (source / "customers.csv").write_text(f'customer_id,customer_name\nC1,a\nC2,"{"x" * 20000}"\n')
    args = ("run", "--source", source, "--lakehouse", lake)
    code, _, err = medallion(*args)
    assert code == 1
    assert "customers.csv: cannot be read to its end" in err
    assert "Traceback" not in err
    (source / "customers.csv").write_text("customer_id,customer_name\nC1,a\n")
    code, out, _ = medallion(*args, "--json")
    assert code == 0
    assert [(row["rows_read"], row["accepted"]) for row in json.loads(out)["row_accounts"]] == [(1, 1)]


@pytest.mark.skipif("SPARK_REMOTE" in os.environ, reason="the embedded engine only")
@pytest.mark.parametrize("folder", ["two words", "Größe", "[prod]"])
def test_a_folder_that_the_engine_would_misread(medallion, tmp_path, folder):
    args = ("run", "--source", ROOT / "data", "--lakehouse", tmp_path / folder / "lake")
    code, _, err = medallion(*args)
    assert code == 1
    assert "the embedded engine cannot write to a folder with" in err
    assert [path.name for path in tmp_path.iterdir()] == [folder]


def test_a_lakehouse_that_another_run_writes_to(medallion, sample):
    from filelock import FileLock

    with FileLock(f"{sample.root}/.lock"):
        code, _, err = medallion("run", "--source", ROOT / "data/updates", "--lakehouse", sample.root)
        assert code == 1
        assert "another run is writing to this lakehouse" in err
        assert medallion("insights", "--lakehouse", sample.root)[0] == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written(medallion, tmp_path):
    tmp_path.chmod(0o500)
    code, _, err = medallion("run", "--source", ROOT / "data", "--lakehouse", tmp_path / "lake")
    assert code == 1
    assert "cannot be written" in err


def test_a_traceback_only_with_debug(tmp_path):
    quiet, loud = (
        subprocess.run(
            [sys.executable, "-m", "medallion", *debug, "run", "--source", str(tmp_path / "nope")],
            capture_output=True,
            text=True,
            check=False,
        )
        for debug in ((), ("--debug",))
    )
    assert quiet.returncode == loud.returncode == 1
    assert "Traceback" not in quiet.stderr
    assert "Traceback" in loud.stderr


def test_a_movement_adds_up(sample, medallion):
    line = ["metrics", "movement", "2025-05-31", "2025-06-30", "--lakehouse", sample.root]
    code, out, _ = medallion(*line, "--by", "owner", "--json")
    assert code == 0
    rows = json.loads(out)["rows"]
    assert len(rows) > 1
    assert all(row["start"] + sum(row[part] for part in PARTS) == pytest.approx(row["end"]) for row in rows)
    with query.connect(Lakehouse(sample.root), layers=["gold"]) as connection:
        won = "select sum(revenue)::double as won, max_by(open_pipeline, day)::double as still from gold.sales_summary where day > date '2025-05-31'"
        (known,) = query.rows(connection, won)
    assert (-sum(row["won"] for row in rows), sum(row["end"] for row in rows)) == (known["won"], known["still"])
    code, out, _ = medallion(*line)
    assert code == 0
    assert "revalued" not in out  # nothing was
    code, _, err = medallion("metrics", "movement", "2025-05-31", "2025-08-30", "--lakehouse", sample.root)
    assert code == 1
    assert "2025-08-30 is after 2025-06-30, the last day of the data" in err


@pytest.mark.parametrize("module", ["models", "powerbi"])
def test_help_does_not_wait_for_the_engine(module):
    code = f"import sys, medallion.cli.{module}; sys.exit('pyspark' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_command_that_went_well_says_nothing_beside_its_answer(sample):
    """Neither do the libraries that it uses, when the process ends."""
    line = [sys.executable, "-m", "medallion", "tables", "--lakehouse", sample.root]
    assert subprocess.run(line, capture_output=True, text=True, check=True).stderr == ""


@pytest.mark.parametrize(
    ("words", "status", "says"), [(["--version"], 0, ""), (["tables"], 1, "no lakehouse"), (["nosuch"], 2, "nosuch")]
)
def test_a_process_ends_with_the_status_of_its_command(tmp_path, words, status, says):
    ended = subprocess.run([sys.executable, "-m", "medallion", *words], cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == status
    assert bool(ended.stdout) == (status == 0)
    assert says in ended.stderr


@pytest.mark.parametrize("closed", ["sys.stdout.close()", "sys.stdout = None"])
def test_a_process_whose_output_is_closed_ends_as_it_went(closed):
    code = f"import sys; from medallion import __main__ as it; it.main = lambda: exec('{closed}'); it.run()"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
