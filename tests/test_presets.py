"""Presets of CRMs: one file each, shipped or given to `medallion init`."""

from __future__ import annotations

import pytest

from medallion import proposal
from medallion.contracts import CONFIDENT, Override, entities
from medallion.errors import ContractError, SourceError
from medallion.proposal import systems

PRESET = """
name: Kontor
signature: [vgnr, knr, volumenplan]
customers: {KNR: customer_id, Bezeichnung2: customer_name}
leads: {VGNR: lead_id, KNR: customer_id, Volumenplan: deal_value, Lage: status, Eröffnet am: created_at, Vermerk: null}
"""


@pytest.fixture
def folder(tmp_path):
    home = tmp_path / "kontor"
    home.mkdir()
    (home / "vorgaenge.csv").write_text(
        "VGNR;KNR;Volumenplan;Lage;Eröffnet am;Vermerk\n"
        + "".join(
            f"V{n};K{n % 3};{n}00,50;{'gewonnen' if n % 2 else 'offen'};{n + 12}.03.2025;x\n" for n in range(1, 9)
        )
    )
    (home / "kunden.csv").write_text("KNR;Bezeichnung2\nK0;Acme\nK1;Bolt\nK2;Corn\n")
    (tmp_path / "kontor.yaml").write_text(PRESET)
    return home


def filled(found, entity):
    return {row["column"]: row["from"] for row in found.columns if row["entity"] == entity}


def test_a_preset_says_what_headers_mean_that_nobody_could_guess(folder):
    guessed = proposal.propose(str(folder), "kontor")
    assert "its headers are in words that are not known (--preset says what they mean)" in guessed.text
    assert all("the entity" in table["to_review"] for table in guessed.tables if table["entity"] == "leads")
    (folder / "vorgaenge.csv").rename(folder.parent / "vorgaenge.csv")
    with pytest.raises(SourceError, match="nothing here looks like a CRM export") as error:
        proposal.propose(str(folder), "kontor")
    assert "--preset" in error.value.remedy
    (folder.parent / "vorgaenge.csv").rename(folder / "vorgaenge.csv")
    found = proposal.propose(str(folder), "kontor", folder.parent / "kontor.yaml")
    assert found.system == "Kontor"
    leads = filled(found, "leads")
    assert leads | {"lead_id": "VGNR", "deal_value": "Volumenplan", "status": "Lage"} == leads
    assert filled(found, "customers")["customer_name"] == "Bezeichnung2"
    assert "Vermerk" not in leads.values()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("leads: {VGNR: lead_id}", "has no name"),
        ("name: X\nleads: {Wert: deal_valeu}", "'Wert' fills 'deal_valeu', which is no column of leads"),
        ("name: X\ndeals: {Wert: deal_value}", "'deals' is no entity"),
        ("name: [", "cannot be read"),
    ],
)
def test_a_preset_that_cannot_be_used_is_refused(tmp_path, text, says):
    path = tmp_path / "crm.yaml"
    path.write_text(text)
    with pytest.raises(ContractError) as error:
        systems.read(path)
    assert str(path) in error.value.problem
    assert says in error.value.problem
    assert error.value.remedy


def test_a_missing_preset_is_refused(tmp_path):
    with pytest.raises(ContractError, match="cannot be read"):
        systems.read(tmp_path / "none.yaml")


def test_shipped_presets_name_columns_that_there_are():
    assert {system.name for system in systems.shipped()} >= {
        "Dynamics 365",
        "HubSpot",
        "Pipedrive",
        "SAP",
        "Salesforce",
    }
    for system in systems.shipped():
        assert len(system.signature) >= 3
        assert set(system.columns) <= set(entities())


NORWEGIAN = """name: Fjordbok
signature: [Fjærfarge, "Tlf #2", Kunde-løpenr]
customers: {Kunde-løpenr: customer_id, Fjærfarge: industry, "Tlf #2": phone, Имя: customer_name, Номер: null}
"""


def test_headers_in_any_letters_are_taken_at_their_word(tmp_path):
    (tmp_path / "fjordbok.yaml").write_text(NORWEGIAN, encoding="utf-8")
    preset = systems.read(tmp_path / "fjordbok.yaml")
    assert preset.columns["customers"] == {
        "kundeløpenr": "customer_id",
        "fjærfarge": "industry",
        "tlf2": "phone",
        "имя": "customer_name",
        "номер": None,
    }
    assert preset.signature == {"fjærfarge", "tlf2", "kundeløpenr"}
    exports = tmp_path / "exports"
    exports.mkdir()
    (exports / "kunder.csv").write_text("Kunde-løpenr,Имя,Номер\nK1,Ås AS,7\nK2,Bø AS,8\n", encoding="utf-8")
    found = proposal.propose(str(exports), "fjordbok", tmp_path / "fjordbok.yaml")
    assert filled(found, "customers") == {"customer_id": "Kunde-løpenr", "customer_name": "Имя"}


@pytest.mark.parametrize(("header", "preset"), [("LOEVM", None), ("Kz Entf", "deleted: [Kz Entf]\n")])
def test_what_a_system_says_is_deleted_has_ended(tmp_path, header, preset):
    exports = tmp_path / "exports"
    exports.mkdir()
    (exports / "customers.csv").write_text(
        f"MANDT,KUNNR,NAME1,LAND1,ORT01,{header}\n"
        + "".join(f"100,000010470{n},Firm {n},NO,Oslo,{'X' if n == 3 else ''}\n" for n in range(5))
    )
    path = tmp_path / "own.yaml"
    path.write_text(f"name: Own\n{preset}customers:\n  KUNNR: customer_id\n  NAME1: customer_name\n")
    found = proposal.propose(str(exports), "sap", path if preset else None)
    (source,) = entities([Override("x", found.text)])["customers"].sources
    assert source.absent is not None
    assert source.absent.confidence >= CONFIDENT
    assert source.absent.reason == f"{header} marks 1 of 5 rows"
    assert source.absent.when.startswith(
        f"lower(trim(coalesce(`{header.lower().replace(' ', '_')}`, ''))) NOT IN ('', "
    )


@pytest.mark.parametrize("rejections", [False, True], ids=["GBSTK alone", "with ABGRU"])
def test_tables_of_sap_are_known_by_their_headers(tmp_path, rejections):
    accounts = "MANDT,KUNNR,NAME1,LAND1,ORT01\n" + "".join(f"100,000010470{n},Firm {n},NO,Oslo\n" for n in range(5))
    quotes = f"VBELN,ERDAT,AUART,VKORG,KUNNR,NETWR,WAERK,GBSTK{',ABGRU' if rejections else ''}\n" + "".join(
        f"00200000{n:02},202501{n + 1:02},QT,1000,10470{n % 5},{n}50.00,USD,{'ABC'[n % 3]}{(',', ',02')[n > 8] if rejections else ''}\n"
        for n in range(12)
    )
    (tmp_path / "KNA1.csv").write_text(accounts)
    (tmp_path / "VBAK.csv").write_text(quotes)
    found = proposal.propose(str(tmp_path), "sap")
    assert found.system == "SAP"
    assert {name: filled(found, "leads")[name] for name in ("lead_id", "deal_value", "created_at", "currency")} == {
        "lead_id": "VBELN", "deal_value": "NETWR", "created_at": "ERDAT", "currency": "WAERK",
    }  # fmt: skip
    assert filled(found, "customers")["country"] == "LAND1"
    (asked,) = [c for c in found.columns if c["confidence"] < CONFIDENT]
    lost = "WHEN nullif(trim(`abgru`), '') IS NOT NULL THEN 'lost' " if rejections else ""
    won = "WHEN trim(`gbstk`) IN ('C') THEN 'won' ELSE 'open' END"
    assert (asked["column"], asked["from"]) == ("status", f"CASE {lost}{won}")
    assert ("since ABGRU is not in the file" in asked["reason"]) != rejections
