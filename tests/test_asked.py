"""What is understood is not asked about: no question on the sample, on simulated exports, on clean exports of a CRM."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import pytest

from medallion import contracts, proposal, sources
from medallion.contracts import Override
from medallion.pipeline import conventions
from medallion.proposal import systems
from medallion.simulate import MESS, World, simulate

SAMPLE = Path(__file__).parent.parent / "data"
TODAY = date(2026, 7, 1)


def asked(folder, overrides=()) -> list[str]:
    entities = contracts.entities(list(overrides))
    scan = sources.scan(str(folder), entities)
    settled = conventions.settle(list(scan.files), entities, [], today=TODAY)
    return [item.problem for item in (*scan.refused, *settled.refused)]


@pytest.mark.parametrize("folder", [SAMPLE, SAMPLE / "updates"], ids=["sample", "second delivery"])
def test_nothing_is_asked_about_the_sample(folder):
    assert asked(folder) == []


@pytest.mark.parametrize("mess", list(MESS))
def test_nothing_is_asked_about_simulated_exports(tmp_path, mess):
    simulate(World(200, 60, 2), tmp_path / "out", mess)
    assert asked(tmp_path / "out") == []


def cell(canonical: str, n: int) -> str:
    """A clean cell for a canonical column of the n-th record."""
    state = ("Closed Won", "Closed Lost", "Qualification")[n % 3]
    day = f"2025-0{n % 6 + 1}-{n % 28 + 1:02}"
    return {
        "lead_id": f"7{n:04}", "customer_id": f"5{n % 12:03}", "lead_name": f"Renewal {n}", "company": f"Firm {n % 12}",
        "customer_name": f"Firm {n % 12}", "status": state, "stage": state, "deal_value": f"{1_000 + n * 37}.50", "currency": "USD",
        "created_at": day, "closed_at": f"2025-08-{n % 28 + 1:02}" if n % 3 < 2 else "", "updated_at": f"2025-09-{n % 28 + 1:02}",
        "expected_close_date": f"2025-08-{n % 28 + 1:02}" if n % 3 < 2 else "2026-12-01", "owner": f"Ines {'ABC'[n % 3]}",
    }.get(canonical, "")  # fmt: skip


@pytest.mark.parametrize("name", sorted(path.stem for path in Path(systems.__file__).with_suffix("").glob("*.yaml")))
def test_nothing_is_asked_about_a_clean_export_of_a_preset(tmp_path, name):
    system = systems.read(Path(systems.__file__).with_suffix("") / f"{name}.yaml")
    for entity, count in (("customers", 12), ("leads", 48)):
        headers: dict[str, str] = {}
        for header, canonical in system.columns.get(entity, {}).items():
            if canonical and cell(canonical, 1):
                headers.setdefault(canonical, header)
        if not headers:
            continue
        with (tmp_path / f"{entity}.csv").open("w", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(headers.values())
            writer.writerows([cell(canonical, n) for canonical in headers] for n in range(count))
    found = proposal.propose(str(tmp_path), "x", Path(systems.__file__).with_suffix("") / f"{name}.yaml")
    assert {table["table"]: table["to_review"] for table in found.tables if table["to_review"]} == {}
    assert asked(tmp_path, [Override("x", found.text)]) == []
