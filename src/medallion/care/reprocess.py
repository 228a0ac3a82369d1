"""Reading again what bronze has: what it would change, seen beside the lakehouse, and the change itself."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from medallion import contracts, pipeline, temporary
from medallion.config import Settings
from medallion.errors import LakehouseError
from medallion.lakehouse import contracts_in_use
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import proof
from medallion.pipeline.proof import Proof
from medallion.pipeline.result import Result
from medallion.pipeline.steps import Report

#: What a reading needs and changes; gold follows from it.
_LAYERS = ("bronze", "silver", "ops")


@dataclass(frozen=True)
class Change:
    """What the deals came to before, and what they come to after their files were read again."""

    before: Proof
    after: Proof
    result: Result

    def rows(self) -> list[dict[str, Any]]:
        """One record per currency and state: deals and their value before and after."""
        records = []
        units = sorted({each.currency for each in (*self.before.amounts, *self.after.amounts)})
        for unit in units:
            for state in proof.STATES:
                (was, value), (now, new) = (_of(each, unit, state) for each in (self.before, self.after))
                records.append(
                    {
                        "currency": unit,
                        "state": state,
                        "before": was,
                        "after": now,
                        "value before": value,
                        "value after": new,
                    }
                )
        return records

    def document(self) -> dict[str, Any]:
        """As plain values."""
        return {"before": self.before.document(), "after": self.after.document(), "changes": self.rows()}


def _of(totals: Proof, unit: str, state: str) -> tuple[int, Any]:
    each = next((each for each in totals.amounts if each.currency == unit), None)
    return (each.deals[state], each.values[state]) if each else (0, 0)


def preview(settings: Settings, now: datetime, only: Collection[str], report: Report) -> Change:
    """What reading again would come to: done in a copy of the tables, which is gone afterwards. The lakehouse is only read.

    Args:
        settings: Which lakehouse, by which contracts.
        now: The clock, UTC without zone.
        only: Entities to read again; all unless named.
        report: Is told of each step.

    Raises:
        LakehouseError: The lakehouse is not in a folder, an entity is not known, or it cannot be done.
    """
    before = _now(settings, only)
    with _copied(Lakehouse(settings.lakehouse)) as folder:
        there = settings.model_copy(update={"lakehouse": folder})
        result = pipeline.reprocess(there, now, only, report, with_gold=False)
    if result.proof is None:
        raise LakehouseError(f"{settings.lakehouse}: has no deals", "Run `medallion run` first.")
    return Change(before, result.proof, result)


def apply(settings: Settings, now: datetime, only: Collection[str], report: Report) -> Change:
    """Read again, as `pipeline.reprocess` does, and tell what changed.

    Raises:
        LakehouseError: As `pipeline.reprocess`, or an entity is not known.
    """
    before = _now(settings, only)
    result = pipeline.reprocess(settings, now, only, report)
    return Change(before, result.proof or before, result)


def _now(settings: Settings, only: Collection[str]) -> Proof:
    """What the deals come to now.

    Raises:
        LakehouseError: There are none, or an entity is not known.
    """
    lake = Lakehouse(settings.lakehouse)
    entities = contracts.entities(contracts_in_use.overrides(lake, settings.contracts))
    for name in only:
        if name not in entities:
            raise LakehouseError(f"there is no entity {name!r}", f"Entities: {', '.join(entities)}.")
    lake.delta("silver.leads_clean")
    totals = proof.of_lake(lake, entities, entities["leads"].currency)
    if totals is None:
        raise LakehouseError(f"{lake.root}: has no deals", "Run `medallion run` first.")
    return totals


@contextmanager
def _copied(lake: Lakehouse) -> Iterator[str]:
    """A folder with the tables that a reading needs; data files, which are never changed, are links where that is possible.

    Raises:
        LakehouseError: The lakehouse is not in a folder.
    """
    if lake.folder is None:
        raise LakehouseError(
            f"{lake.root}: what would change can only be seen for a lakehouse in a folder",
            "Run it with --yes; `RESTORE TABLE` on the platform takes it back.",
        )
    with temporary.folder() as folder:
        for layer in _LAYERS:
            if (layer_folder := Path(lake.root, layer)).is_dir():
                shutil.copytree(layer_folder, Path(folder, layer), copy_function=_linked)
        for path in Path(folder).rglob("*"):  # of a lakehouse that may only be read, too
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o700 if path.is_dir() else 0o600))
        yield folder


def _linked(source: str, target: str) -> None:
    if source.endswith(".parquet") and "_delta_log" not in Path(source).parts:
        try:
            Path(target).symlink_to(Path(source).resolve())
            return
        except OSError:  # not on this system
            pass
    shutil.copy2(source, target)
