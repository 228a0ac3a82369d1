"""What was compared before: forms of records, weights and pairs, so that a delivery costs what is new of it.

It is in the folder `cache` of a lakehouse, for whoever may write there alone, and can be removed at any time; an erasure does.
"""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from medallion import door
from medallion.errors import LakehouseError
from medallion.identities.matching import Candidates, Pair, Weights
from medallion.lakehouse.store import Lakehouse
from medallion.version import VERSION

#: Weights are learned anew when this share of the records is new or has changed since.
LEARNED_FOR = 0.1


@dataclass(frozen=True)
class Compared:
    """The state of a comparison.

    Attributes:
        own: What `forms.of_accounts` or `forms.of_contacts` gave, with `content`, a hash of what each record said.
        found: The pairs from `matching.REVIEW` on, and the weights.
        changed: How many records are new or have changed since the weights were learned.
    """

    own: pa.Table
    found: Candidates
    changed: int = 0


def read(lake: Lakehouse, kind: str) -> Compared | None:
    """The state that was kept; None where there is none, another version wrote it, or it is damaged."""
    if lake.folder is None:
        return None
    records, state = _places(lake.folder, kind)
    with suppress(OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        kept = json.loads(state.read_text(encoding="utf-8"))
        own = pq.read_table(records)
        if kept["version"] == VERSION and (own.schema.metadata or {}).get(b"stamp") == kept["stamp"].encode():
            levels = {name: tuple((m, u) for m, u in each) for name, each in kept["weights"]["levels"].items()}
            pairs = tuple(
                Pair(left, right, p, tuple(evidence), because) for left, right, p, evidence, because in kept["pairs"]
            )
            candidates = Candidates(pairs, kept["learned"], Weights(kept["weights"]["matching"], levels))
            return Compared(own.replace_schema_metadata(None), candidates, kept["changed"])
    return None


def keep(lake: Lakehouse, kind: str, state: Compared, stamp: str) -> None:
    """Keep a state in place of the one before; where the lakehouse cannot be written, it is not kept.

    Args:
        lake: The lakehouse.
        kind: `accounts` or `contacts`.
        state: The state.
        stamp: A text unique to this state, written into both of its files to show that they belong together.
    """
    if lake.folder is None or state.found.weights is None:
        return
    kept: dict[str, Any] = {
        "version": VERSION,
        "stamp": stamp,
        "changed": state.changed,
        "learned": state.found.learned,
        "weights": asdict(state.found.weights),
        "pairs": [[pair.left, pair.right, pair.probability, pair.evidence, pair.because] for pair in state.found.pairs],
    }
    content = BytesIO()
    pq.write_table(state.own.replace_schema_metadata({"stamp": stamp}), content)
    records, state_file = _places(lake.folder, kind)
    with suppress(OSError, LakehouseError):
        door.write(records, content.getvalue())
        door.write(state_file, json.dumps(kept))


def drop(lake: Lakehouse) -> None:
    """Remove all that is kept."""
    if lake.folder is not None and (folder := lake.folder / "cache").is_dir():
        with door.through(folder):
            shutil.rmtree(folder)


def _places(folder: Path, kind: str) -> tuple[Path, Path]:
    return folder / "cache" / f"duplicates_{kind}.parquet", folder / "cache" / f"duplicates_{kind}.json"


def joined(before: Candidates, unchanged: set[str], new: tuple[Pair, ...]) -> Candidates:
    """The pairs of records that are as they were, with those of the others, the likeliest first."""
    kept = (pair for pair in before.pairs if pair.left in unchanged and pair.right in unchanged)
    pairs = sorted((*kept, *new), key=lambda pair: (-pair.probability, pair.left, pair.right))
    return replace(before, pairs=tuple(pairs))
