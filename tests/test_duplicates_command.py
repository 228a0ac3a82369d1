"""`medallion duplicates`: what a merge would change, decisions, and pairs with evidence."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from decimal import Decimal

import pytest
from test_dashboard import body, open_dashboard

from conftest import NOW
from medallion.care import compared as kept
from medallion.care import duplicates
from medallion.config import load
from medallion.errors import LakehouseError
from medallion.identities import matching


@pytest.fixture
def settings(own_sample):
    return load(None, lakehouse=own_sample.root)


def test_the_effect_of_a_merge_is_told_in_figures_and_nothing_is_written(settings, own_sample, rows):
    before = {name: own_sample.version(name) for name in own_sample.tables()}
    effect = duplicates.merging(settings, "accounts", ["C001", "c002"], "ann", "one company", NOW)
    there = rows(own_sample, "select count(*) as n from silver.customers_clean")[0]["n"]
    of = "from gold.deals where customer_id in ('C001', 'C002')"
    (wanted,) = rows(own_sample, f"select count(*) filter (status = 'open') as n, coalesce(sum(deal_value) filter (status = 'open'), 0) as v {of}")  # fmt: skip
    (group,) = effect.groups
    assert (group["survivor"], list(group["made_of"])) == ("C001", ["C002"])
    assert (group["open_deals"], group["open_value"]) == (wanted["n"], Decimal(str(wanted["v"])))
    assert effect.says[0] == f"{there} accounts become {there - 1}."
    assert [(one.source_key, one.entity_key, one.decided_by) for one in effect.decisions] == [("C002", "C001", "ann")]
    assert {name: own_sample.version(name) for name in own_sample.tables()} == before


def test_two_that_are_kept_apart_are_not_merged_until_that_is_undone(settings):
    duplicates.keep_apart(settings, "accounts", "C001", "C002", "ann", "parent and subsidiary", NOW)
    with pytest.raises(LakehouseError, match="decided to keep them apart"):
        duplicates.merging(settings, "accounts", ["C002", "C003", "C001"], "ann", "", NOW)
    later = NOW + timedelta(hours=1)
    last, result = duplicates.undo(settings, "accounts", ["C002", "C001"], "ann", "", later, lambda name, seconds: None)
    assert (last.action, result) == ("keep_apart", None)
    assert duplicates.in_effect(settings, "accounts") == []
    assert duplicates.merging(settings, "accounts", ["C001", "C002"], "ann", "", later).merged == 1


@pytest.mark.parametrize(
    ("keys", "says"),
    [(["C001", "C999"], "there is no account C999"), (["C001", "C001"], "are one account already")],
)
def test_what_cannot_be_merged_is_refused(settings, keys, says):
    with pytest.raises(LakehouseError, match=says):
        duplicates.merging(settings, "accounts", keys, "ann", "", NOW)


def test_there_are_no_contacts_to_compare_in_a_lakehouse_without_them(settings):
    with pytest.raises(LakehouseError, match="has no contacts"):
        duplicates.candidates(settings, "contacts")


def test_what_is_personal_is_not_shown(settings):
    side = duplicates.side(settings, "accounts", "C001")
    assert "email" not in side.values
    assert "email" in side.personal


@pytest.fixture
def medallion(spark, capsys, monkeypatch):
    from medallion import cli

    def call(*args):
        monkeypatch.setattr(sys, "argv", ["medallion", "duplicates", *map(str, args)])
        monkeypatch.setenv("COLUMNS", "200")
        with pytest.raises(SystemExit) as end:
            cli.main()
        out, err = capsys.readouterr()
        return end.value.code, out, err

    return call


@pytest.mark.slow
def test_merge_and_undo_by_command(medallion, own_sample, rows):
    at = ("--lakehouse", own_sample.root)
    status, out, err = medallion("merge", "C001", "C002", "--yes", "--json", *at)
    assert status == 0, err
    told = json.loads(out)
    assert (told["done"], told["before"] - told["after"]) == (True, 1)
    assert rows(own_sample, "select customer_id as c from gold.customer_features where customer_id in ('C001', 'C002')") == [{"c": "C001"}]  # fmt: skip
    pages = open_dashboard(own_sample)
    assert "made of C002 too" in body(pages, "/customers/C001")
    assert '<p class="soft">C001' in body(pages, "/customers/C002")  # an old address leads to the survivor
    status, out, _ = medallion("undo", "C002", *at)
    assert "C002 is a record of its own again" in out
    assert len(rows(own_sample, "select 1 as n from gold.customer_features where customer_id in ('C001', 'C002')")) == 2


def test_merge_wants_records_or_a_probability(medallion, own_sample):
    status, _, err = medallion("merge", "--lakehouse", own_sample.root)
    assert status == 2
    assert "--above" in err


def test_a_pair_is_listed_with_its_evidence(medallion, own_sample):
    pytest.importorskip("splink")
    status, out, _ = medallion("list", "--json", "--above", "0.01", "--lakehouse", own_sample.root)
    assert status == 0
    assert "too few to learn from" in json.loads(out)["learned"]


@pytest.mark.slow
def test_only_what_is_new_of_a_delivery_is_compared(to_silver, monkeypatch):
    pytest.importorskip("splink")
    head = "customer_id,customer_name,email,phone,city,country\n"
    names = ("Acme Logistics", "Bolt Energy", "Crux Foods", "Dornier Metals", "Elbe Software", "Falkenberg", "Graliton")
    rows = [f"C{n},{name},info@{name[:4].lower()}.example,+4930{n}5{n}{n}12{n},,\n" for n, name in enumerate(names)]
    rows += ["D0,ACME Logistics GmbH,info@acme.example,,,\n", "D1,Bolt Energy,,+49301511121,,\n"]
    _, lake = to_silver({"customers.csv": head + "".join(rows)})
    settings = load(None, lakehouse=lake.root)
    first = duplicates.candidates(settings, "accounts")
    assert {(pair.left, pair.right) for pair in first.pairs} == {("C0", "D0"), ("C1", "D1")}
    assert (lake.folder / "cache" / "duplicates_accounts.json").stat().st_mode & 0o077 == 0
    more = "D2,Crux Foods,info@crux.example,,,\nD1,Another Name,,,Paris,France\n"
    to_silver({"customers.csv": head + more}, NOW + timedelta(days=1))
    compared = []
    monkeypatch.setattr(kept, "LEARNED_FOR", 0.5)
    whole, some = matching.candidates, matching.candidates_of
    monkeypatch.setattr(matching, "candidates", None)
    monkeypatch.setattr(matching, "candidates_of", lambda *given: compared.append(given[2]) or some(*given))
    second = duplicates.candidates(settings, "accounts")
    assert compared == [{"D1", "D2"}]
    assert {(pair.left, pair.right) for pair in second.pairs} == {("C0", "D0"), ("C2", "D2")}
    assert duplicates.candidates(settings, "accounts") == second
    assert len(compared) == 1
    pair = duplicates.pair(settings, "accounts", "D0", "C0")
    assert (pair.left, pair.right, pair.probability > 0.5) == ("C0", "D0", True)
    monkeypatch.setattr(matching, "candidates", whole)
    (lake.folder / "cache" / "duplicates_accounts.parquet").write_bytes(b"damaged")
    anew = duplicates.candidates(settings, "accounts")
    assert [(one.left, one.right) for one in anew.pairs] == [(one.left, one.right) for one in second.pairs]
    for one, other in zip(anew.pairs, second.pairs, strict=True):  # by weights that were learned from other records
        assert one.probability == pytest.approx(other.probability, abs=1e-4)
    kept.drop(lake)
    assert not (lake.folder / "cache").exists()
