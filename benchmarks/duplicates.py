"""How well and how fast duplicates are found in a world where they were planted: precision, recall, seconds, memory.

    PYTHONPATH=src:tests python benchmarks/duplicates.py --seed 101 --accounts 100000 --contacts 300000

Seeds from 1 to 49 are for development. Precision is that of pairs that a threshold would merge without being looked at,
recall that of all pairs that are shown. The peak of memory is that of the process, with the records in it.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from worlds import duplicates as world

from medallion.care import compared
from medallion.identities import forms, matching
from medallion.lakehouse.store import Lakehouse


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--accounts", type=int, default=5000)
    parser.add_argument("--contacts", type=int, default=15000)
    parser.add_argument("--params", type=Path, help="JSON of further parameters of the world")
    parser.add_argument("--out", type=Path, help="file for the result, as JSON")
    given = parser.parse_args()
    params = world.load(world.Params, given.params, seed=given.seed, accounts=given.accounts, contacts=given.contacts)
    made = world.World(params)
    with tempfile.TemporaryDirectory() as folder:
        world.write_rows(Path(folder, "accounts.csv"), world.ACCOUNT, made.accounts)
        world.write_rows(Path(folder, "contacts.csv"), world.CONTACT, made.contacts)
        accounts, contacts = (_rows(Path(folder, f"{name}.csv")) for name in ("accounts", "contacts"))
    truth = {"accounts": made.account_truth, "contacts": made.contact_truth}
    del made
    names = {row["account_id"]: row["account_name"] for row in accounts}
    records = {
        "accounts": [
            {
                "key": row["account_id"],
                "name": row["account_name"],
                "postcode": row["postal_code"],
                **{column: row[column] for column in ("email", "website", "phone", "country", "city", "street")},
            }
            for row in accounts
        ],
        "contacts": [
            {
                "key": row["contact_id"],
                "first": row["first_name"],
                "last": row["last_name"],
                "email": row["email"],
                "phone": row["mobile"] or row["phone"],
                "employer": names.get(row["account_id"]),
            }
            for row in contacts
        ],
    }
    result: dict[str, Any] = {"seed": given.seed, "params": str(given.params or ""), "seconds": 0.0}
    for kind, rows in records.items():
        began, used = time.perf_counter(), time.process_time()
        of = forms.of_accounts if kind == "accounts" else forms.of_contacts
        own = of(rows)
        found = matching.candidates(forms.compared(own, kind), kind)
        seconds = round(time.perf_counter() - began, 1)
        result["seconds"] += seconds
        sure = [(p.left, p.right) for p in found.pairs if p.automatic and p.probability >= matching.AUTOMATIC]
        shown = [(p.left, p.right) for p in found.pairs]
        result[kind] = {
            "records": len(rows),
            "seconds": seconds,
            "cpu_seconds": round(time.process_time() - used, 1),
            "learned": found.learned,
            "automatic": world.quality(sure, truth[kind]),
            "review": world.quality(shown, truth[kind]),
            "delivery_cpu_seconds": _delivery(kind, rows, own, found),
        }
    result["peak_mib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    text = json.dumps(result, indent=1)
    if given.out:
        given.out.write_text(text + "\n", encoding="utf-8")
    print(text)


def _delivery(kind: str, rows: list[dict[str, Any]], own: pa.Table, found: matching.Candidates) -> float:
    """Processor time of a delivery that changes one record in a hundred, with reading and keeping what was compared."""
    of = forms.of_accounts if kind == "accounts" else forms.of_contacts
    with tempfile.TemporaryDirectory() as folder:
        lake = Lakehouse(folder)
        compared.keep(lake, kind, compared.Compared(own, found), "before")
        del own
        used = time.process_time()
        before = compared.read(lake, kind)
        changed = of(rows[::100])
        keys = set(changed["unique_id"].to_pylist())
        there = before.own["unique_id"]
        kept = before.own.filter(pc.invert(pc.is_in(there, changed["unique_id"].combine_chunks())))
        whole = pa.concat_tables([kept, changed]).sort_by("unique_id")
        new = matching.candidates_of(forms.compared(whole, kind), kind, keys, before.found.weights)
        after = compared.joined(before.found, {*there.to_pylist()} - keys, new)
        compared.keep(lake, kind, compared.Compared(whole, after, len(keys)), "after")
        return round(time.process_time() - used, 1)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


if __name__ == "__main__":
    main()
