"""Read-only serving of the lakehouse through DuckDB: how every consumer reads silver, gold and ops.

A connection sees each table as a view `layer.table` over the Parquet files of one Delta version, fixed when it
was opened, so that figures read from it belong together.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import re
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast
from urllib.parse import unquote

import duckdb
from deltalake import DeltaTable

from medallion import addresses, temporary
from medallion.contracts import Override, entities, table
from medallion.contracts.own import opened
from medallion.errors import LakehouseError, StateRemovedError
from medallion.lakehouse import manifests, unity, visible
from medallion.lakehouse.commits import GO_BACK, damage
from medallion.lakehouse.places import LAYERS
from medallion.lakehouse.store import Lakehouse, erasing

#: A text, a comment or another quoted name, or else a table that is named outside of them. Parsing by sqlglot takes a hundred times as long,
#: for every query, and does not know all that DuckDB does.
_NAMED = re.compile(
    r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/"
    rf'|(?<!\w)"?({"|".join(LAYERS)})"?\s*\.\s*"?([a-z]\w*)"?'
    r'|"[^"]*"',
    re.IGNORECASE | re.DOTALL,
)
#: The contract files that the lakehouse was used with.
CONTRACTS = "ops.contracts"
_counter = itertools.count()


@cache
def _instance() -> duckdb.DuckDBPyConnection:
    """The one DuckDB of this process: to start another takes ten times as long as to attach a database to it.

    It keeps no content of files: it lives as long as the process, and the engine wants the memory.
    """
    atexit.register(_instance.cache_clear)
    return duckdb.connect(config={"enable_external_file_cache": False, "temp_directory": temporary.spill()})


@contextmanager
def _database(alone: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to an empty database in memory, which is gone afterwards."""
    if alone:
        with duckdb.connect(config={"temp_directory": temporary.spill()}) as connection:
            yield connection
        return
    name = f"lakehouse_{next(_counter)}"
    connection = _instance().cursor()
    try:
        connection.execute(f"attach ':memory:' as {name}; use {name}")
        yield connection
    finally:
        with contextlib.suppress(duckdb.Error):  # what went wrong inside is what is to be told
            connection.close()
            with _instance().cursor() as ending:
                ending.execute(f"detach {name}")


@contextmanager
def empty(alone: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to a database in memory with the layers as schemas and no tables, in UTC."""
    with _database(alone) as connection:
        # without the last one a table that is not there would be a variable of its name in the Python that asks
        for setting in ("timezone = 'UTC'", "enable_progress_bar = false", "python_enable_replacements = false"):
            connection.execute(f"set {setting}")
        for layer in LAYERS:
            connection.execute(f"create schema {layer}")
        yield connection


@contextmanager
def connect(
    lake: Lakehouse,
    layers: Iterable[str] = ("silver", "gold", "ops"),
    only: Container[str] | None = None,
    alone: bool = False,
    newest: bool = False,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB connection with a view per table of `layers`, in UTC; of those in `only` where it is given.

    Tables are read as the last command that ended left them, or as the lakehouse was opened; with `newest` as they are
    while a command writes.

    Settings that DuckDB has once per instance, such as a limit of memory, are for a connection that is `alone`; so are
    cursors, which see no views of a connection that shares the instance.

    Raises:
        LakehouseError: There is no lakehouse, or a table uses deletion vectors, which Parquet readers ignore.
    """
    opened(lake.root)
    if not newest:
        lake = manifests.as_read(lake)
    names = lake.tables(layers, only)
    if not names:
        raise LakehouseError(
            f"{lake.root}: there is no lakehouse here", "Run `medallion run` first, or check --lakehouse."
        )
    with empty(alone) as connection, damage_in_words(lake, names):
        whole = _whole(connection, lake)
        seen = _seen(connection, lake, names, whole)
        if not lake.place.reads_files:
            yield cast(duckdb.DuckDBPyConnection, _Fetching(connection, names, seen))
            return
        for name in names:
            if (rows := seen(name)) is not None:
                connection.execute(f"create view {name} as {rows}")
        yield connection


def _whole(connection: duckdb.DuckDBPyConnection, lake: Lakehouse) -> Callable[[str], visible.Whole]:
    """What gives the query of all rows of a table, and its columns; of a catalog the rows are fetched first, once."""

    @cache
    def of(name: str) -> visible.Whole:
        if lake.place.reads_files:
            opened_table = lake.delta(name)
            gained = _gained(name, opened_table)
            rows = source(connection, lake, name, opened_table, gained=gained)
            return rows, [*(field.name for field in opened_table.schema().fields), *gained]
        rows, fetched = (
            unity.arrow(lake.root, name, (lake.pinned or {}).get(name)),
            f"fetched.{name.replace('.', '__')}",
        )
        connection.execute("select 1").fetchall()  # rows of an answer that nobody read would be in the way
        connection.register("fetching", rows)
        connection.execute(f"create schema if not exists fetched; create table {fetched} as from fetching")
        connection.unregister("fetching")
        return f"from {fetched}", rows.schema.names

    return of


def _seen(
    connection: duckdb.DuckDBPyConnection,
    lake: Lakehouse,
    names: Collection[str],
    whole: Callable[[str], visible.Whole],
) -> Callable[[str], str | None]:
    """What gives the query of the rows of a table that whoever reads the lakehouse sees; None where they see none."""
    person = lake.seen_by
    if person is None or visible.MACHINERY.issuperset(names) or (person.sees_all and person.personal):
        return lambda name: whole(name)[0]
    used = [] if not lake.exists(CONTRACTS) else rows(connection, contract_files(f"({whole(CONTRACTS)[0]})"))
    personal = visible.personal(entities(Override(row["path"], row["content"]) for row in used).values())
    return visible.compiled(connection, person, lambda name: whole(name) if lake.exists(name) else None, personal)


def contract_files(of: str) -> str:
    """A query that gives the contract files that were used last: `path` and `content`, in their order.

    Args:
        of: `CONTRACTS`, or a query of its rows.
    """
    return f"select path, content from {of} where known_at = (select max(known_at) from {of}) order by position"


@contextmanager
def damage_in_words(lake: Lakehouse, names: Iterable[str]) -> Iterator[None]:
    """Turn an error about a missing or damaged file of the lakehouse into one that says what it is.

    Raises:
        StateRemovedError: It was removed since the state was opened, and a later one can be read.
        LakehouseError: A file is missing or damaged, or a table is not there.
    """
    try:
        yield
    except duckdb.CatalogException as error:
        absent = re.search(r"Table with name (\S+) does not exist", str(error))
        if not absent:
            raise
        problem = f"{lake.root}: there is no table {absent[1]}"
        raise LakehouseError(problem, f"Run `medallion run` first. If it was there before: {GO_BACK}.") from error
    except (duckdb.Error, OSError) as error:
        for damaged in filter(None, (damage(lake, name) for name in names)):  # its last commit was not written whole
            raise damaged.error() from error
        file = re.search(r"[^'\"\s\[]*\.parquet\b", str(error))
        if not file or not file[0].startswith((str(Path(lake.root).absolute()), lake.root)):
            raise
        reason = str(error).strip().split("\n")[0].replace(file[0], "").replace("''", "it").replace('""', "it")
        if removing := erasing(lake):
            raise removing from error
        if _has_moved_on(lake):
            problem = f"{lake.root}: an erasure or upkeep has removed files of the state that was being read"
            raise StateRemovedError(problem, "Run it again: it reads the newest state.") from error
        raise LakehouseError(f"{file[0]}: is missing or damaged ({reason})", f"{GO_BACK}.") from error


def _has_moved_on(lake: Lakehouse) -> bool:
    """Whether a command has ended since the state that a lakehouse is read at was the newest."""
    pinned, manifest = lake.pinned, manifests.newest(lake)
    return bool(pinned is not None and manifest and any(pinned.get(n) != v for n, v in manifest.versions.items()))


def source(
    connection: duckdb.DuckDBPyConnection,
    lake: Lakehouse,
    name: str,
    table: DeltaTable,
    of: Collection[str] | None = None,
    gained: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """A query that gives the rows of a table in a folder or at an address.

    Args:
        connection: Where it will run.
        lake: The lakehouse.
        name: The table.
        table: The same, opened.
        of: Those of its data files that count; None is all.
        gained: DuckDB's types of columns that it lacks and that are to be null.
    """
    if lake.folder is not None:
        return _select(table, name, of, gained)
    from pyarrow.dataset import FileSystemDataset  # a quarter of a second

    # the files are where delta-rs can sign in and DuckDB cannot
    rows, view = table.to_pyarrow_dataset(), name.replace(".", "__")
    if of is not None:
        named = {unquote(uri.rsplit("/", 1)[-1]) for uri in of}
        parts = [part for part in rows.get_fragments() if part.path.rsplit("/", 1)[-1] in named]
        rows = FileSystemDataset(parts, rows.schema, rows.format, rows.filesystem)
    connection.register(view, rows)
    more = "".join(f", cast(null as {kind}) as {column}" for column, kind in gained.items())
    return f"select *{more} from {view}"


def _gained(name: str, opened_table: DeltaTable) -> dict[str, str]:
    """DuckDB's types of the columns that a table of ours lacks, since an earlier version has written it and none since."""
    declared = _declared(name)
    there = {field.name for field in opened_table.schema().fields}
    is_ours = bool(declared) and next(iter(declared)) in there
    return {column: kind for column, kind in declared.items() if column not in there} if is_ours else {}


@cache
def _declared(name: str) -> dict[str, str]:
    """DuckDB's types of the columns of a table of ours as this version writes it; empty for others."""
    try:
        return {column.name: _DUCKDB.get(column.type, column.type) for column in table(name).columns}
    except KeyError:
        return {}


#: Types of contracts that DuckDB has by another name.
_DUCKDB = {
    "string": "varchar",
    "timestamp": "timestamptz",
    "int": "integer",
    "array<string>": "varchar[]",
    "array<double>": "double[]",
}


def named(sql: str) -> set[str]:
    """The tables that a query names; at times one more, such as a column `gold.deals` of a table called gold.

    >>> sorted(named("select 'of gold.deals' from Silver.leads_clean, gold.top_customers -- not ops.runs"))
    ['gold.top_customers', 'silver.leads_clean']
    """
    return {f"{layer}.{table}".lower() for layer, table in _NAMED.findall(sql) if layer}


class _Fetching:
    """A connection to the tables of a catalog: those that a query names are fetched through the engine before it runs.

    Each is fetched once, whole; for tables that do not fit into memory a SQL warehouse is the better place to ask.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, names: Iterable[str], seen: Callable[[str], str | None]
    ) -> None:
        self._connection, self._waiting, self._seen = connection, set(names), seen

    def execute(self, sql: str, *arguments: Any) -> duckdb.DuckDBPyConnection:
        self._fetch(sql)
        return self._connection.execute(sql, *arguments)

    def sql(self, sql: str, **arguments: Any) -> duckdb.DuckDBPyRelation:
        self._fetch(sql)
        return self._connection.sql(sql, **arguments)

    def _fetch(self, sql: str) -> None:
        for name in sorted(self._waiting & named(sql)):
            if (rows := self._seen(name)) is not None:
                self._connection.execute(f"create view {name} as {rows}")
            self._waiting.discard(name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def _select(
    table: DeltaTable, name: str, of: Collection[str] | None = None, gained: Mapping[str, str] = MappingProxyType({})
) -> str:
    _without_vectors(name, table)
    fields = {'"' + field.name.replace('"', '""') + '"': field.type for field in table.schema().fields}
    typed = ", ".join(f"cast(null as {_duckdb_type(kind)}) as {name}" for name, kind in fields.items())
    lacking = [f"cast(null as {kind}) as {column}" for column, kind in gained.items()]
    files = table.file_uris() if of is None else sorted(of)
    if not files:
        return f"select {', '.join([typed, *lacking])} where false"
    # by name, since a column that a table has gained may not be in any of its files yet
    return (
        f"select {', '.join([*fields, *lacking])} from (from read_parquet([{_listed(files)}], union_by_name = true) "
        f"union all by name select {typed} where false)"
    )


def hashed(name: str, table: DeltaTable, of: Collection[str] | None = None) -> str:
    """A query that gives the sum of the hashes of the rows of a table in a folder, and their number.

    It is planned in half the time of one over `source`, and fails where no file has a column that the table has gained.
    """
    _without_vectors(name, table)
    files = table.file_uris() if of is None else sorted(of)
    if not files:
        return "select 0::hugeint, 0"
    cells = []
    for field in table.schema().fields:
        column, kind = '"' + field.name.replace('"', '""') + '"', _duckdb_type(field.type)
        cells.append(column if kind == "varchar" else f"{column}::{kind}")
    row = f"hash(row({', '.join(cells)}))::hugeint"
    return f"select coalesce(sum({row}), 0), count(*) from read_parquet([{_listed(files)}], union_by_name = true)"


def _listed(files: Iterable[str]) -> str:
    return ", ".join("'" + _pattern(uri).replace("'", "''") + "'" for uri in files)


def _without_vectors(name: str, table: DeltaTable) -> None:
    if "deletionVectors" in (table.protocol().reader_features or []):
        raise LakehouseError(
            f"{name}: uses deletion vectors, which are not read here",
            "Purge them (REORG TABLE ... APPLY (PURGE)) and leave delta.enableDeletionVectors off.",
        )


def _pattern(uri: str) -> str:
    """The file of a Delta log as DuckDB wants it: a local path in plain letters that matches nothing but itself.

    >>> _pattern("/my%20lake/[a]/part-0.parquet"), _pattern("az://lake/part-0.parquet")
    ('/my lake/[[]a]/part-0.parquet', 'az://lake/part-0.parquet')
    """
    path = addresses.on_disk(uri)
    return path if addresses.is_address(path) else re.sub(r"([*?[])", r"[\1]", path)


def _duckdb_type(delta_type: Any) -> str:
    if hasattr(delta_type, "element_type"):
        return f"{_duckdb_type(delta_type.element_type)}[]"
    text = str(delta_type.type)
    return {"string": "varchar", "long": "bigint", "timestamp": "timestamptz"}.get(text, text)


def rows(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Iterable[Any] = ()) -> list[dict[str, Any]]:
    """The rows of a query as dicts."""
    cursor = connection.execute(sql, list(parameters))
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def readable(connection: duckdb.DuckDBPyConnection, names: Iterable[str]) -> list[str]:
    """Those of some tables that can be read through the connection."""
    tables = []
    for name in names:
        with contextlib.suppress(duckdb.CatalogException):
            connection.execute(f"select 1 from {name} limit 0")
            tables.append(name)
    return tables


def for_spreadsheets(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    """A select of a table whose cells a spreadsheet takes as they are.

    A text that it would take for a formula (it starts with `=`, `+`, `-`, `@`, tab or carriage return) gets a leading
    apostrophe, and lists become JSON.
    """
    columns = []
    for row in rows(connection, f"describe {name}"):
        column, kind = '"' + row["column_name"].replace('"', '""') + '"', row["column_type"]
        if kind == "VARCHAR":
            value = f"case when regexp_matches({column}, '^[=+\\-@\\t\\r]') then '''' || {column} else {column} end"
        elif kind.endswith("[]"):
            value = f"to_json({column})"
        else:
            value = column
        columns.append(f"{value} as {column}")
    return f"select {', '.join(columns)} from {name}"
