"""A CRM world of any size whose conversion process is known: exports as CSV, and the truth about every open deal."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from medallion.errors import MedallionError
from medallion.simulate.mess import MESS
from medallion.simulate.process import Process, Truth
from medallion.simulate.world import World
from medallion.simulate.write import Exporter, Files

__all__ = ["MESS", "World", "simulate"]

MANIFEST = "simulation.json"


def simulate(
    world: World,
    out: Path,
    mess: str = "none",
    batches: int = 1,
    *,
    people: bool = False,
    force: bool = False,
    together: int = 4,
    report: Callable[[int, int], None] = lambda done, of: None,
) -> dict[str, Any]:
    """Write the exports of a world, `truth.parquet` and `simulation.json`; gives what the last one says.

    The same arguments give the same bytes (with the same versions of numpy and pyarrow). Memory does not depend on
    the number of accounts.

    Args:
        world: The world.
        out: Folder to write; it appears when it is whole.
        mess: none, some or much; it changes the exports, never the world or its truth.
        batches: Deliveries. The first holds all but the last `batches - 1` days, then one comes each day.
        people: Write contacts, owners, quotas, people in deals and line items too; nothing is planted in these, and of the
            other files only touches change: they say whom they reached.
        force: Replace a simulation that is there. Nothing else is ever replaced.
        together: Strands held in memory before they are written; the files do not depend on it.
        report: Is told after every strand how many of how many are done.

    Raises:
        MedallionError: An argument is impossible, or the folder is there or cannot be written.
    """
    if mess not in MESS:
        raise MedallionError(f"mess: {mess!r} is not a level", f"Levels: {', '.join(MESS)}.")
    if not 1 <= batches <= world.days:
        raise MedallionError(
            f"batches: {batches} is not 1 to {world.days}", "One delivery comes each day: ask for no more than days."
        )
    target = out.expanduser().resolve()
    _check(target, force)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise MedallionError(f"{out}: cannot be written: {error}", "Choose another folder with --out.") from error
    try:
        document = _write(world, part, mess, batches, people, max(1, together), report)
        part.chmod(0o755)
        _check(target, force)
        if target.exists():
            _remove(target)
        part.replace(target)
    except OSError as error:
        raise MedallionError(f"{out}: cannot be written: {error}", "Choose another folder with --out.") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return document


def _check(target: Path, force: bool) -> None:
    if target.exists() and not target.is_dir():
        raise MedallionError(f"{target}: is not a folder", "Name a folder with --out.")
    if not target.exists() or not any(target.iterdir()):
        return
    if not (target / MANIFEST).is_file():
        raise MedallionError(f"{target}: is not empty, and not a simulation", "Name another folder with --out.")
    if not force:
        raise MedallionError(f"{target}: holds a simulation already", "Replace it with --force, or name another.")


def _remove(target: Path) -> None:
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    target.replace(aside)
    shutil.rmtree(aside)


def _write(
    world: World, folder: Path, mess: str, batches: int, people: bool, together: int, report: Callable[[int, int], None]
) -> dict[str, Any]:
    process = Process(world)
    exporter, files, truth = (
        Exporter(process, MESS[mess], batches, people=people),
        Files(folder, batches),
        Truth(process),
    )
    for name, table in ({"products": exporter.products()} | (exporter.team() if people else {})).items():
        files.append(name, table, np.zeros(len(table), dtype=np.int64))
    strands, leads, opened, expected = process.strands(), 0, 0, 0.0
    writer = None
    try:
        for start in range(0, strands, together):
            tables = []
            for number in range(start, min(start + together, strands)):
                accounts, deals, touches, changes = process.past(number)
                tables.append(exporter.strand(number, accounts, deals, touches, changes))
                known = exporter.truth(accounts, deals, touches, truth)
                writer = writer or pq.ParquetWriter(folder / "truth.parquet", known.schema)
                writer.write_table(known, row_group_size=max(1, len(known)))
                leads, opened = leads + len(deals.account), opened + len(known)
                expected += float(known["probability"].to_numpy().sum())
                report(number + 1, strands)
            for name in tables[0]:
                table = pa.concat_tables([strand[name][0] for strand in tables])
                files.append(name, table, np.concatenate([strand[name][1] for strand in tables]))
    finally:
        if writer:
            writer.close()
    document = {
        "world": {
            name: value.isoformat() if isinstance(value, date) else value for name, value in asdict(world).items()
        },
        "mess": {"level": mess, **asdict(MESS[mess])},
        "batches": batches,
        "rows": dict(files.rows),
        "leads": leads,
        "open_leads": opened,
        "expected_wins": round(expected, 6),
        **({"people": True} if people else {}),
        "planted": {name: dict(counts) for name, counts in exporter.planted.items()},
    }
    (folder / MANIFEST).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return document
