"""The manifest of a command that has ended: versions of all tables with their rows, files and the hash of their content."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from types import MappingProxyType

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from medallion.lakehouse import manifests, query
from medallion.lakehouse.manifests import Kept
from medallion.lakehouse.store import BESIDE, Lakehouse
from medallion.version import VERSION

#: The command that writes versions, and no content.
MAINTAIN = "maintain"
#: Endings of tables that hold work in progress only.
WORK = ("_staged", "_strays", "_contested")
#: Tables from this size (bytes) on are hashed by the files that were added, not as a whole.
_LARGE = 8 << 20


def publish(lake: Lakehouse, kind: str, run_id: str = "") -> manifests.Manifest | None:
    """Add the manifest of a command that has ended; None where no table has changed, and in a catalog.

    The caller holds the lock.

    Raises:
        LakehouseError: Another writer has added one meanwhile.
    """
    if lake.in_catalog:
        return None
    before = manifests.newest(lake)
    known = before.tables if before and before.hashed_by == probe() else {}
    tables = dict(kept(lake, known))
    if kind == MAINTAIN:
        tables |= {name: replace(one, since=known[name].since) for name, one in tables.items() if name in known}
    if before and {name: one.version for name, one in tables.items()} == before.versions:
        return None
    number = before.number + 1 if before else 1
    erased = kind == "forget"
    opens_from = number if erased or before is None else before.opens_from
    manifest = manifests.Manifest(
        number,
        datetime.now(UTC),
        kind,
        run_id,
        manifests.FORMAT,
        VERSION,
        opens_from,
        probe(),
        tables,
        before.hash if before else "",
    ).sealed()
    manifests.add(lake, manifest)
    return manifest


def kept(
    lake: Lakehouse, known: Mapping[str, Kept] = MappingProxyType({}), only: Iterable[str] | None = None
) -> Iterator[tuple[str, Kept]]:
    """Each table with its version, rows, files and content; of those that have not changed as it was known."""
    changed: dict[str, DeltaTable] = {}
    for name in lake.tables() if only is None else only:
        if only is None and (name in BESIDE or name.endswith(WORK)):
            continue
        table = lake.delta(name)
        if name in known and known[name].version == table.version():
            yield name, known[name]
        else:
            changed[name] = table
    sums: dict[str, tuple[str, str, int]] = {}
    for name, table in changed.items():
        sums[name] = _to_hash(lake, name, table, known.get(name))
    contents = _contents({name: sql for name, (sql, _, _) in sums.items()})
    for name, table in changed.items():
        actions = pa.table(table.get_add_actions(flatten=True))
        _, before, rows = sums[name]
        total, counted = contents[name]
        yield (
            name,
            Kept(
                table.version(),
                table.version(),
                counted + rows,
                actions.num_rows,
                sum(actions["size_bytes"].to_pylist()),
                str((total + int(before or 0)) % (1 << 127)),
            ),
        )


def _to_hash(lake: Lakehouse, name: str, table: DeltaTable, known: Kept | None) -> tuple[str, str, int]:
    """What is to be hashed of a table, as SQL, and the content and rows that need not be hashed again."""
    if known is not None and known.bytes >= _LARGE:
        try:
            old = DeltaTable(lake.path(name), version=known.version)
            same = old.schema() == table.schema()
            gained = set(table.file_uris()) - set(old.file_uris())
            if same and set(old.file_uris()) <= set(table.file_uris()):
                return query.select_of(table, name, gained), known.content, known.rows
        except DeltaError:  # the version before is gone: as a whole
            pass
    return query.select_of(table, name), "", 0


def _contents(selects: Mapping[str, str]) -> dict[str, tuple[int, int]]:
    """Per table the sum of the hashes of its rows, and how many there are."""
    if not selects:
        return {}
    with query.empty() as connection:
        sql = " union all ".join(
            f"select '{name}', coalesce(sum(hash(rows)::hugeint), 0), count(*) from ({select}) rows"
            for name, select in selects.items()
        )
        return {name: (int(total), int(count)) for name, total, count in connection.execute(sql).fetchall()}


@cache
def probe() -> str:
    """What DuckDB's hash makes of known values: its hashes compare only where this is the same."""
    with query.empty() as connection:
        values = "'a', 1::bigint, 1.5::double, 2.50::decimal(18, 2), date '2025-07-01', true, null::varchar, ['b']"
        (row,) = connection.execute(f"select hash(row({values}))").fetchall()
    return f"{row[0]:016x}"
