"""What init keeps expecting although it cannot read it, and which identifiers it does not fold."""

from __future__ import annotations

import gzip
import re
import sys

import pytest

from medallion import contracts, proposal, sources
from medallion.contracts import Override
from medallion.proposal import profile
from medallion.sources import files

ACCOUNTS = "Account ID,Account Name,Industry\n"
UNREADABLE = [
    # file, content                                                     -> the entity that expects it
    ("activities.csv", b"Activity ID,Account ID,Type,Date\nT1,A1,Call,2025-01-06\nT2,A1,Call,pasted\x00\n", "interactions"),
    ("Deals 2025.csv.gz", b"not gz at all", "leads"),
    ("opportunities.xlsx", b"PK\x03\x04 cut short [Content_Types].xml", "leads"),
    ("activities.json", b'[{"id": 1,', "interactions"),
    ("export_1.csv", b"Deal ID,Stage,Amount,Close Date,Owner\n1,Won,10,2025-01-02,Ines\n2,\x00Won,10,,\n", "leads"),
    ("notes.pdf", b"%PDF", None),  # never a table: left alone by name
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "entity"), UNREADABLE, ids=[item[0] for item in UNREADABLE])
def test_a_file_that_init_could_not_read_is_expected(tmp_path, name, content, entity):
    """It is unreadable, not left alone, until it can be read; then it is read."""
    (tmp_path / "accounts.csv").write_text(f"{ACCOUNTS}A1,Tarn Foods,Food\n")
    (tmp_path / name).write_bytes(content)
    proposed = proposal.propose(str(tmp_path), "x")
    entities = contracts.entities([Override("x", proposed.text)])
    scan = sources.scan(str(tmp_path), entities)
    assert [(item.name, item.entity) for item in scan.refused] == ([(name, entity)] if entity else [])
    assert scan.ignored == (() if entity else (name,))
    assert any("could not be read" in guess for guess in contracts.guesses(entities.values())) == bool(entity)
    if name == "activities.csv":
        (tmp_path / name).write_text("Activity ID,Account ID,Type,Occurred At,Outcome\nT1,A1,Call,2025-01-06,neutral\n")
        scan = sources.scan(str(tmp_path), entities)
        assert [file.entity for file in scan.files] == ["customers", "interactions"]


def test_init_ends_with_exit_status_1_when_a_file_cannot_be_read(tmp_path, monkeypatch, capsys):
    from medallion import cli

    (tmp_path / "accounts.csv").write_text(f"{ACCOUNTS}A1,Tarn Foods,Food\n")
    (tmp_path / "calls.csv").write_bytes(b"id\x00,date\n")
    out = tmp_path / "x.odcs.yaml"
    monkeypatch.setattr(sys, "argv", ["medallion", "init", str(tmp_path), "--out", str(out)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 1
    assert "calls.csv: line 1: holds a NUL byte" in capsys.readouterr().out
    assert "- file: calls" in out.read_text()


KEYS = [
    (["0015f00000Bx7aQ", "0015f00000Bx7aq"], True),
    (["ab1", "AB1", *map(str, range(10, 3010))], False),  # typed in capitals: one record
    (["aB1", "AB1", *map(str, range(10, 3010))], True),  # one pair among thousands
    (["C1", "C2"], False),
]


@pytest.mark.parametrize(("keys", "as_written"), KEYS, ids=["salesforce", "typed", "one pair", "plain"])
def test_keys_that_case_tells_apart_are_compared_as_written(tmp_path, keys, as_written):
    (tmp_path / "accounts.csv").write_text(ACCOUNTS + "".join(f"{key},Firm {n},Food\n" for n, key in enumerate(keys)))
    text = proposal.propose(str(tmp_path), "x").text
    assert ("semanticType: text" in text) == as_written


@pytest.mark.parametrize("turned", [False, True])
def test_short_and_long_identifiers_are_cut(tmp_path, turned):
    """The first 15 characters are the same record's; case tells them apart, so they are compared as written."""
    long, short = ["0015f00000Bx7aQAAR", "0015f00000Bx7aqAAR"], ["0015f00000Bx7aQ", "0015f00000Bx7aq"]
    (own, theirs) = (short, long) if turned else (long, short)
    (tmp_path / "accounts.csv").write_text(f"{ACCOUNTS}{own[0]},Halden,Marine\n{own[1]},Lumen,Optics\n")
    deals = (
        "Opportunity ID,Account ID,Stage,Amount,Created Date\n"
        f"0065f00000Cy1tX,{theirs[0]},Closed Won,10,2025-01-10\n"
        f"0065f00000Cy1tY,{theirs[1]},Closed Lost,20,2025-01-11\n"
    )
    (tmp_path / "opportunities.csv").write_text(deals)
    (tmp_path / "tasks.csv").write_text(
        f"Task ID,Account ID,Type,Date\nT1,{own[0]},Call,2025-01-06\nT2,{own[1]},Call,2025-01-07\n"
    )
    found = proposal.propose(str(tmp_path), "x")
    cut = {c["entity"]: c["from"] for c in found.columns if c["column"] == "customer_id"}
    assert cut == dict.fromkeys(("customers", "leads", "interactions"), "substring(`account_id`, 1, 15)")
    assert "semanticType: text" in found.text


def test_short_and_long_identifiers_that_lead_nowhere_are_named(tmp_path):
    (tmp_path / "accounts.csv").write_text(
        f"{ACCOUNTS}0015f00000Bx7aQAAR,Halden,Marine\n0015f00000Bx7aRAAR,Lumen,Optics\n"
    )
    (tmp_path / "opportunities.csv").write_text(
        "Opportunity ID,Account ID,Stage,Amount,Created Date\n"
        "0065f00000Cy1tX,0015f00000Bx7aQ,Closed Won,10,2025-01-10\n"
        "0065f00000Cy1tY,0015f00000Bx9aZ,Closed Lost,20,2025-01-11\n"
        "0065f00000Cy1tZ,0015f00000Bx9aX,Closed Lost,20,2025-01-11\n"
    )
    proposed = proposal.propose(str(tmp_path), "x")
    (item,) = [c for c in proposed.columns if (c["entity"], c["column"]) == ("leads", "customer_id")]
    assert item["confidence"] < 0.8
    assert "short (15) and long (18 characters) forms" in item["reason"]
    assert "substring(" in item["reason"]


def test_a_long_or_wide_export_is_proposed_from_its_beginning_and_says_so(tmp_path, monkeypatch):
    header = "Deal ID,Company,Deal Stage,Amount,Create Date,Close Date"
    rows = [f"D{n},Firm {n % 40},Closed Won,{n},2025-01-{n % 28 + 1:02},2025-03-01" for n in range(3_000)]
    (tmp_path / "deals.csv").write_text("\n".join((header, *rows)) + "\n")
    assert proposal.propose(str(tmp_path), "x").sampled == {}
    monkeypatch.setattr(profile, "_CELLS", 6 * 500)
    found = proposal.propose(str(tmp_path), "x")
    assert found.sampled == {"deals.csv": "the first 500 of about 3,000 rows"}
    assert "# Proposed from the first 500 of about 3,000 rows in deals.csv; a run looks at every row." in found.text
    monkeypatch.setattr(profile, "_CELLS", 1_000_000)
    monkeypatch.setattr(profile, "BEGINNING", 20_000)
    (shown,) = proposal.propose(str(tmp_path), "x").sampled.values()
    assert re.fullmatch(r"the first [34]\d\d of about [23],\d00 rows", shown), "cut at the end of a line"
    (tmp_path / "deals.csv.gz").write_bytes(gzip.compress((tmp_path / "deals.csv").read_bytes()))
    (tmp_path / "deals.csv").unlink()
    (shown,) = proposal.propose(str(tmp_path), "x").sampled.values()
    assert re.fullmatch(r"the first [34]\d\d of more rows", shown)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_the_beginning_of_a_text_ends_with_a_line(tmp_path, encoding):
    text = "".join(f"{n};Größe {n}\n" for n in range(500))
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))
    place = files.Place.at(str(tmp_path / "a.csv"))
    for size in range(1_000, 1_040):
        with files.beginnings(size), place.text() as stream:
            head = stream.read().decode(encoding)
        assert text.startswith(head.lstrip("\ufeff"))
        assert head.endswith("\n")
        assert place.lines() == 500


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
