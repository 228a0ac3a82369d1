"""Pairs of records that may be about one company or person: planted ones are found, look-alikes are not merged unseen."""

from __future__ import annotations

import random
import sys

import pytest

from medallion.identities import forms, matching, normal

pytest.importorskip("splink")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Müller Maschinenbau GmbH & Co. KG", "MUELLER MASCHINENBAU"),
        ("Ромашка Логистик ООО", "Romashka Logistics"),
        ("The Acme Mfg. Co., Inc.", "ACME Manufacturing"),
        ("Société Générale S.A.", "Societe Generale"),
        ("Nordwind A/S", "Nordwind ApS"),
    ],
)
def test_spellings_of_one_company_come_to_one_form(one, other):
    assert normal.company(one) == normal.company(other)


def test_what_is_told_by_a_word_stays_apart():
    assert normal.company("Nordwind Energy AG") != normal.company("Nordwind Logistics AG")
    assert normal.company("GmbH & Co. KG") != ""  # a name of nothing but a legal form keeps it


def test_a_domain_that_many_companies_share_is_nobodys():
    names = ("Acme", "Bolt", "Crux", "Dorn", "Elbe", "Falk", "Gral")
    rows = [{"key": str(n), "name": name, "email": f"{name}@portal.com"} for n, name in enumerate(names)]
    assert set(forms.accounts(rows)["domain"].to_pylist()) == {None}
    assert set(forms.accounts(rows[:3])["domain"].to_pylist()) == {"portal.com"}


def _companies(count: int, seed: int) -> list[dict[str, str | None]]:
    draw = random.Random(seed)  # noqa: S311 - names, no secrets
    syllables = (
        "bar",
        "dek",
        "fol",
        "gin",
        "har",
        "jor",
        "kel",
        "lum",
        "mar",
        "nor",
        "pel",
        "sta",
        "tor",
        "vel",
        "zil",
    )
    kinds = ("Logistics", "Energy", "Foods", "Software", "Metals")
    found = []
    for n in range(count):
        stem = "".join(draw.choice(syllables) for _ in range(3)).title()
        found.append(
            {
                "key": f"A{n}",
                "name": f"{stem} {draw.choice(kinds)} GmbH",
                "email": f"info@{stem.lower()}.de",
                "phone": f"+4930{draw.randrange(10**6, 10**7)}",
                "city": draw.choice(("Berlin", "Hamburg", "Bonn", "Jena")),
                "country": "Germany",
            }
        )
    return found


def test_planted_pairs_are_found_and_look_alikes_are_not_merged_unseen():
    rows = _companies(120, 7)
    twin = {**rows[0], "key": "B0", "name": str(rows[0]["name"]).upper().replace(" GMBH", ""), "email": None}
    typo = {**rows[1], "key": "B1", "name": str(rows[1]["name"])[:4] + "x" + str(rows[1]["name"])[4:], "city": None}
    branch = {**rows[2], "key": "B2", "city": "Mainz", "phone": "+496131999999"}
    subsidiary = {**rows[3], "key": "B3", "name": f"{rows[3]['name']} Leasing", "phone": None}
    other = {**rows[5], "key": "B5", "name": str(rows[5]["name"]).replace("GmbH", "AG")}
    abroad = {**rows[4], "key": "B4", "country": "France", "phone": None}
    found = matching.candidates(forms.accounts([*rows, twin, typo, branch, subsidiary, abroad, other]), "accounts")
    sure = {(p.left, p.right) for p in found.pairs if p.automatic and p.probability >= matching.AUTOMATIC}
    assert sure == {("A0", "B0"), ("A1", "B1")}
    because = {(p.left, p.right): p.because for p in found.pairs if not p.automatic}
    assert because[("A2", "B2")] == "they are in different cities"
    assert because[("A3", "B3")] == "their names differ by a word"
    assert because[("A5", "B5")] == "their legal forms differ"
    assert because[("A4", "B4")] == "they are in different countries"
    assert "too few to learn from" in found.learned
    top = next(p for p in found.pairs if (p.left, p.right) == ("A0", "B0"))
    assert any("same name" in says for says in top.evidence)
    assert any("same telephone number" in says for says in top.evidence)


def test_pairs_are_found_without_what_splink_only_declares(monkeypatch):
    for name in ("igraph", "texttable"):
        monkeypatch.setitem(sys.modules, name, None)
    rows = _companies(30, 5)
    found = matching.candidates(forms.accounts([*rows, {**rows[0], "key": "B0"}]), "accounts")
    assert [(pair.left, pair.right) for pair in found.pairs] == [("A0", "B0")]


def test_two_people_who_share_a_number_are_not_one():
    people = [
        {"key": f"C{n}", "first": f"Anna{n}", "last": f"Lehr{n}", "email": f"a{n}@x{n}.de", "employer": f"Firma{n}"}
        for n in range(40)
    ]
    people += [
        {"key": "D1", "first": "Rosa", "last": "Ott", "email": "rosa.ott@elbe.de", "phone": "+49 40 777777", "employer": "Elbe"},
        {"key": "D2", "first": "Kurt", "last": "Ott", "email": "kurt.ott@elbe.de", "phone": "+49 40 777777", "employer": "Elbe"},
        {"key": "D3", "first": "R.", "last": "Ott", "email": "rosa.ott@elbe.de", "employer": "Elbe GmbH"},
    ]  # fmt: skip
    found = matching.candidates(forms.contacts(people), "contacts")
    assert {(p.left, p.right) for p in found.pairs if p.automatic and p.probability >= matching.AUTOMATIC} == {
        ("D1", "D3")
    }


@pytest.mark.slow
def test_weights_are_learned_where_there_are_enough_records():
    rows = _companies(700, 3)
    twins = [
        {**row, "key": f"B{n}", "name": str(row["name"]).replace(" GmbH", ""), "phone": None if n % 3 else row["phone"]}
        for n, row in enumerate(rows[:120])
    ]
    found = matching.candidates(forms.accounts([*rows, *twins]), "accounts")
    assert found.learned == "Learned from 820 accounts, by those that agree in name and domain."
    truth = {(row["key"], f"B{n}") for n, row in enumerate(rows[:120])}
    pairs = {(p.left, p.right) for p in found.pairs}
    assert len(truth & pairs) >= 0.95 * len(truth)
    sure = {(p.left, p.right) for p in found.pairs if p.automatic and p.probability >= matching.AUTOMATIC}
    assert len(sure & truth) >= 0.99 * len(sure)
