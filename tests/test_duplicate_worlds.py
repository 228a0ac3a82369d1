"""The world of duplicates itself: the same from the same seed, and true to what it says is planted."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path

import pytest
from worlds import duplicates, names
from worlds.crm import load


@pytest.fixture(scope="module")
def world():
    return duplicates.World(duplicates.Params(seed=2, accounts=4000, contacts=12000))


@pytest.fixture(scope="module")
def accounts(world):
    """Records of each company, as rows by column, with their kind and group."""
    found = defaultdict(list)
    for row, (key, entity, kind, group) in zip(world.accounts, world.account_truth, strict=True):
        assert row[0] == key
        found[entity].append(dict(zip(duplicates.ACCOUNT, row, strict=True), kind=kind, group=group, entity=entity))
    return found


def website(row):
    return re.sub(r"^(https?://)?(www\.)?|/$", "", row["website"])


def last_digits(text):
    return re.sub(r"\D", "", re.sub(r" ext.*", "", text))[-7:]


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_the_same_seed_writes_the_same_bytes(tmp_path, hash_seed):
    line = [sys.executable, "-m", "worlds.duplicates", "--seed", "3", "--accounts", "200", "--contacts", "500"]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    subprocess.run([*line, "--out", str(tmp_path)], cwd=Path(__file__).parent, check=True, env=environment)
    made = duplicates.World(duplicates.Params(seed=3, accounts=200, contacts=500))
    lines = (tmp_path / "export" / "contacts.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 501
    assert lines[0] == ",".join(duplicates.CONTACT)
    for line, row in zip(lines[1:], made.contacts, strict=True):
        assert line.replace('"', "") == ",".join(map(str, row)).replace('"', "")
    assert len((tmp_path / "export" / "accounts.csv").read_text(encoding="utf-8").splitlines()) == 201
    assert made.accounts != duplicates.World(duplicates.Params(seed=4, accounts=200, contacts=500)).accounts


def test_sizes_are_those_asked_for_and_shares_those_of_the_parameters(world, accounts):
    assert (len(world.accounts), len(world.contacts)) == (4000, 12000)
    assert len({row[0] for row in world.accounts}) == 4000
    assert [row[0] for row in world.contacts] == [row[0] for row in world.contact_truth]
    several = [rows for rows in accounts.values() if len(rows) > 1]
    assert 0.17 < len(several) / len(accounts) < 0.23
    kinds = Counter(rows[0]["kind"] for rows in accounts.values())
    assert set(kinds) == {"plain", "subsidiary", "namesake", "franchise", "mailbox"}
    assert {row[2] for row in world.contact_truth} == {"plain", "role mailbox", "same name", "changed job"}
    known = {row[0] for row in world.accounts}
    assert {row[1] for row in world.contacts} - {""} <= known


def test_parameters_come_from_a_file(tmp_path):
    file = tmp_path / "params.json"
    file.write_text(json.dumps({"namesakes": 0.5, "changes": [1.0, 0.0, 0.0, 0.0]}), encoding="utf-8")
    made = duplicates.World(load(duplicates.Params, file, seed=1, accounts=300, contacts=300))
    assert Counter(row[2] for row in made.account_truth)["namesake"] > 150


def test_the_records_of_a_company_differ_and_still_have_something_in_common(accounts):
    pairs = [pair for rows in accounts.values() for pair in combinations(rows, 2)]
    assert len(pairs) > 700
    assert sum(a["account_name"] == b["account_name"] for a, b in pairs) < 0.15 * len(pairs)

    def evidence(a, b):
        return [
            names.latin(a["account_name"]).lower()[:5] == names.latin(b["account_name"]).lower()[:5],
            website(a) != "" and website(a) == website(b),
            a["phone"] != "" and last_digits(a["phone"]) == last_digits(b["phone"]),
            a["email"] != "" and a["email"] == b["email"],
        ]

    found = [evidence(a, b) for a, b in pairs]
    assert sum(map(any, found)) > 0.95 * len(pairs)
    for one in zip(*found, strict=True):
        assert 0.1 < sum(one) / len(pairs) < 0.9  # no single one tells
    assert any(a["phone"] != b["phone"] and last_digits(a["phone"]) == last_digits(b["phone"]) != "" for a, b in pairs)
    assert any(website(a) and website(b) and website(a) != website(b) for a, b in pairs)  # a domain that has moved


def test_names_come_in_other_letters_too(accounts):
    for first, last in (("а", "я"), ("α", "ω"), ("à", "ž")):
        native = re.compile(f"[{first}-{last}]", re.IGNORECASE)
        letters = [
            [bool(native.search(row["account_name"].split(" ")[0])) for row in rows] for rows in accounts.values()
        ]
        assert any(0 < sum(found) < len(found) for found in letters)


def test_look_alikes_are_companies_of_their_own(accounts):
    groups = defaultdict(list)
    for rows in accounts.values():
        groups[rows[0]["group"]].append(rows[0])
    families = [g for g in groups.values() if any(r["kind"] == "subsidiary" for r in g) and len(g) > 1]
    branches = [g for g in groups.values() if g[0]["kind"] == "franchise" and len(g) > 1]
    assert families
    assert branches
    assert any(website(a) == website(b) != "" for g in families for a, b in combinations(g, 2))
    assert any(a["street"] == b["street"] != "" for g in families for a, b in combinations(g, 2))
    one_website = [
        Counter(website(row) for row in branch if website(row)).most_common(1)[0][1] / len(branch)
        for branch in branches
    ]
    assert sum(one_website) > 0.7 * len(branches)
    for branch in branches:
        numbers = [last_digits(row["phone"]) for row in branch if row["phone"]]
        assert len(set(numbers)) == len(numbers)
    by_name = defaultdict(set)
    for entity, rows in accounts.items():
        if rows[0]["kind"] == "namesake":
            by_name[names.latin(rows[0]["account_name"].rsplit(" ", 1)[0]).lower()].add(entity)
    assert sum(len(entities) > 1 for entities in by_name.values()) > 20
    domains = defaultdict(set)
    for rows in accounts.values():
        if rows[0]["kind"] in ("plain", "mailbox"):
            domains[website(rows[0])].add(rows[0]["group"])
    domains.pop("")
    assert all(len(found) == 1 for found in domains.values())


def test_people_share_names_and_mailboxes(world):
    rows = [dict(zip(duplicates.CONTACT, row, strict=True)) for row in world.contacts]
    entity = {row[0]: row[1] for row in world.contact_truth}
    by_mail, by_name, by_mobile = defaultdict(set), defaultdict(set), defaultdict(set)
    for row in rows:
        by_mail[row["email"].lower()].add(entity[row["contact_id"]])
        by_name[row["account_id"], row["first_name"], row["last_name"]].add(entity[row["contact_id"]])
        by_mobile[last_digits(row["mobile"])].add(entity[row["contact_id"]])
    for found in (by_mail, by_mobile):
        found.pop("", None)
    assert sum(len(found) > 1 for mail, found in by_mail.items() if mail.partition("@")[0] in duplicates.ROLES) > 10
    assert sum(len(found) > 1 for found in by_name.values()) > 5
    assert sum(len(found) > 1 for found in by_mobile.values()) < 0.01 * len(by_mobile)
    everyone = Counter(names.latin(f"{row['first_name']} {row['last_name']}") for row in rows)
    assert everyone.most_common(1)[0][1] > 3  # different people of one name
    assert sum(count == 1 for count in everyone.values()) > 0.5 * len(everyone)


def test_precision_and_recall_of_pairs():
    truth = [("A1", "E1", "plain"), ("A2", "E1", "plain"), ("A3", "E1", "plain"), ("A4", "E2", "subsidiary")]
    assert duplicates.pairs(truth) == {("A1", "A2"), ("A1", "A3"), ("A2", "A3")}
    found = duplicates.quality([("A2", "A1"), ("A1", "A2"), ("A1", "A4")], truth)
    assert (found["pairs"], found["found"], found["precision"]) == (3, 2, 0.5)
    assert found["recall"] == pytest.approx(1 / 3)
    assert (found["wrong"], found["missed"]) == ({"plain / subsidiary": 1}, {"plain": 2})


def test_there_are_names_enough():
    assert len(names.BRANDS) >= 800
    assert len({name for country in names.COUNTRIES for name in names.given(country).values}) >= 1500
    assert len({name for country in names.COUNTRIES for name in names.surnames(country).values}) >= 3000


@pytest.mark.parametrize(
    ("text", "country", "written", "spellings"),
    [
        ("Georgi Zhivkov", "BG", "Георги Живков", {"Georgi Zhivkov", "Georgi Zivkov"}),
        ("Tsvetelina", "BG", "Цветелина", {"Tsvetelina", "Cvetelina"}),
        ("Christos Papadopoulos", "GR", "Χριστος Παπαδοπουλος", {"Christos Papadopoulos", "Hristos Papadopoulos"}),
        ("Jürgen Groß", "DE", "Jürgen Groß", {"Juergen Gross", "Jurgen Gross"}),
        ("Łódź", "PL", "Łódź", {"Lodz"}),
    ],
)
def test_scripts(text, country, written, spellings):
    assert names.native(text, country) == written
    assert {names.latin(written, way) for way in (0, 1)} == spellings
