"""Read, write and merge named tables of a lakehouse, wherever it is (`places`).

A table is named `layer.table`, such as `gold.sales_summary`, and is a Delta table under
`<root>/<layer>/<table>`, or in Unity Catalog where the root is `uc://CATALOG`. Every write casts to the table's contract, is one atomic commit, is tried again when
another writer was faster, and is checked by reading the schema back; in a catalog, whose engine refuses other types, once per table.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.schema import Schema
from tenacity import retry, retry_if_exception_message, stop_after_attempt, wait_random_exponential

from medallion import addresses, door
from medallion.access import Person
from medallion.contracts import Table
from medallion.errors import LakehouseError, StateRemovedError
from medallion.lakehouse import locks, places, removal, unity
from medallion.lakehouse.commits import GO_BACK, damage, data_files, is_empty_commit, newest_commit
from medallion.lakehouse.places import BESIDE, LAYERS, Place
from medallion.lakehouse.session import engine_name

if TYPE_CHECKING:
    from deltalake.transaction import AddAction, RemoveAction
    from pyspark.sql import DataFrame, SparkSession


#: Versions are removed by upkeep, which knows the manifests, and not with whatever is written after a checkpoint.
KEEP_COMMITS = {"delta.enableExpiredLogCleanup": "false"}
_NAME = re.compile(rf"(?:{'|'.join(LAYERS)})\.[a-z][a-z0-9_]*")
_again = retry(
    retry=retry_if_exception_message(match=r"(?s).*(Failed to commit transaction|Missing commit file|Concurrent).*"),
    stop=stop_after_attempt(6),
    wait=wait_random_exponential(multiplier=0.1, max=3),
    reraise=True,
)


#: Lakehouses that this process reads at an earlier state, by their place.
_reading: dict[str, Mapping[str, int]] = {}


@contextmanager
def reading(root: str, versions: Mapping[str, int]) -> Iterator[None]:
    """Read a lakehouse at an earlier state, whoever in this process opens it."""
    key = Lakehouse(root).place.key
    _reading[key] = versions
    try:
        yield
    finally:
        _reading.pop(key)


#: Who looks at lakehouses that this process reads, by their place.
_looking: dict[str, Person] = {}

#: Tables that stay open, by the place of their lakehouse, each with the commit that was its newest when it was opened.
_open: dict[str, dict[str, tuple[tuple[str, int, int, int], DeltaTable]]] = {}


@contextmanager
def kept_open(lake: Lakehouse) -> Iterator[None]:
    """Open each table of a lakehouse in a folder or catalog once per commit of it, instead of whenever its columns are asked for.

    In a catalog its tables are listed once, too: whether one is there is a statement. For who holds the lock: nearly every
    commit is then its own, and what others commit beside the lock is seen too.
    """
    _open[lake.place.key] = {}
    try:
        with lake.place.kept():
            yield
    finally:
        _open.pop(lake.place.key, None)


@dataclass(frozen=True)
class Lakehouse:
    """Where the tables are: a folder, an address or a catalog. Frozen, so that it can be handed to threads.

    Attributes:
        root: The folder, the address or the catalog.
        versions: Version of each table that is read, as a manifest has them; without it the newest ones. Who holds the
            lakehouse for writing reads what it writes.
        person: Who reads it; without one, whoever this process reads it for.
        place: What the root names; all that differs between a folder, an address and a catalog is asked of it.
    """

    root: str
    versions: Mapping[str, int] | None = field(default=None, hash=False)
    person: Person | None = field(default=None, hash=False)
    place: Place = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        root = addresses.of_lakehouse(self.root)
        object.__setattr__(self, "root", root)
        object.__setattr__(self, "place", places.of(root))

    @property
    def pinned(self) -> Mapping[str, int] | None:
        """Version of each table that is read; None where it is the newest."""
        versions = _reading.get(self.place.key) if _reading and self.versions is None else self.versions
        return None if versions is None or locks.is_ours(self.root) else versions

    @property
    def seen_by(self) -> Person | None:
        """Who reads it, and sees no more than is declared; None where nothing is declared, and for who writes."""
        return self.person or (_looking.get(self.place.key) if _looking else None)

    @contextmanager
    def looking(self, person: Person) -> Iterator[None]:
        """Read of the lakehouse what a person sees, whoever in this process opens it."""
        _looking[self.place.key] = person
        try:
            yield
        finally:
            _looking.pop(self.place.key)

    @property
    def folder(self) -> Path | None:
        """The folder that the tables are in, for what can only be done with files; None elsewhere."""
        return self.place.folder

    @property
    def catalog(self) -> str | None:
        """The catalog of Unity Catalog that the tables are in, None elsewhere."""
        return self.place.catalog

    def path(self, name: str) -> str:
        """The folder of a table, absolute since an engine may run in another folder; in a catalog, its quoted name.

        Raises:
            ValueError: The name is not `layer.table`.
        """
        if not _NAME.fullmatch(name):
            raise ValueError(f"not a table name: {name!r}")
        return self.place.path(name)

    def delta(self, name: str) -> DeltaTable:
        """The Delta table of that name, for its log and versions.

        Raises:
            LakehouseError: There is no such table.
        """
        pinned = self.pinned
        version = pinned.get(name) if pinned is not None else None
        path = self.path(name)
        opened = _open.get(self.place.key) if _open and version is None else None
        now = state(self, name) if opened is not None else None
        before = opened.get(name) if opened is not None and now else None
        if before and before[0] == now:
            return before[1]
        try:
            if before and now and _leads_on(name, before[0], now):
                table = before[1]
                table.update_incremental()
            else:
                table = self.place.delta(name, version)
        except DeltaError as error:
            if damaged := damage(self, name):
                raise damaged.error() from error
            if version is not None:
                raise erasing(self) or StateRemovedError(
                    f"{self.root}: {name} has no version {version} any more, which a manifest names",
                    "Open a later manifest, or see what `medallion doctor` says.",
                ) from error
            if isinstance(error, TableNotFoundError):
                raise LakehouseError(
                    f"{self.root}: there is no table {name}", "Run `medallion run` first, or check --lakehouse."
                ) from error
            reason = str(error).strip().split("\n")[0][:200]
            raise LakehouseError(
                f"{path}: its log cannot be read: {reason}",
                f"See what `medallion doctor` says; the next command that writes mends what it can. Or: {GO_BACK}.",
            ) from error
        # an empty commit reads as if it were not there: the version before would pass for the newest
        if self.folder is not None and is_empty_commit(self, name, table.version()) and (damaged := damage(self, name)):
            raise damaged.error()
        if opened is not None and now:
            opened[name] = now, table
        return table

    def exists(self, name: str) -> bool:
        """Whether the table has been written."""
        if (pinned := self.pinned) is not None and name not in BESIDE:
            return name in pinned
        if newest_commit(self, name):  # refuses what is no name of a table
            return True
        if (
            (opened := _open.get(self.place.key)) is not None
            and name in opened
            and opened[name][0] == state(self, name)
        ):
            return True
        try:
            return self.place.exists(name)
        except DeltaError as error:
            reason = str(error).strip().split("\n")[0][:200]
            problem = f"{self.root}: is no address of a lakehouse: {reason}"
            raise LakehouseError(problem, "Use a folder, or an address such as abfss://...") from error

    def version(self, name: str) -> int:
        """Number of the table's newest commit, counted from 0; -1 when there is no table."""
        if self.pinned is None and (commit := newest_commit(self, name)) and commit.stat().st_size:
            return int(commit.stem)  # its log need not be read
        return self.delta(name).version() if self.exists(name) else -1

    def tables(self, layers: Iterable[str] = LAYERS, only: Container[str] | None = None) -> list[str]:
        """Names of the tables that exist in these layers, by layer; of those in `only` where it is given."""
        layers = {*layers}

        def wanted(name: str) -> bool:
            return name.split(".")[0] in layers and (only is None or name in only)

        if (pinned := self.pinned) is None:
            names = self.place.tables([layer for layer in LAYERS if layer in layers])
            return [name for name in names if _NAME.fullmatch(name) and wanted(name)]
        beside = sorted(filter(wanted, BESIDE))
        if beside and not self.place.reads_files:
            beside = sorted({*beside}.intersection(self.place.tables(["ops"])))
        else:
            beside = [name for name in beside if self.exists(name)]
        return [*filter(wanted, pinned), *beside]


def erasing(lake: Lakehouse) -> LakehouseError | None:
    """Why a version cannot be read while an erasure removes older ones, or after one was interrupted; None without one."""
    intent = locks.peek(lake.root).get("intent") or {}
    if intent.get("kind") != "forget":
        return None
    if locks.is_ours(lake.root) or locks.is_held(lake.root):
        return LakehouseError(
            f"{lake.root}: an erasure is under way, and what readers would open is being removed",
            "Wait until it has ended.",
        )
    return LakehouseError(
        f"{lake.root}: an erasure was interrupted, and what readers would open is partly removed",
        "Complete it with `medallion forget --resume`.",
    )


def _leads_on(name: str, before: tuple[str, int, int, int], now: tuple[str, int, int, int]) -> bool:
    """Whether a table that was opened at a commit reaches a later one by reading the commits in between.

    It does if its commit is unchanged: the table was neither made anew since nor rolled back. A table that is written
    beside the lock is opened again, so that a writer that appends to it sees the commits of others.
    """
    try:
        stat = Path(before[0]).stat()
    except (OSError, ValueError):
        return False
    same = (stat.st_ino, stat.st_size, stat.st_mtime_ns) == before[1:]
    return same and before[0] < now[0] and name not in BESIDE


def state(lake: Lakehouse, name: str) -> tuple[str, int, int, int] | None:
    """What identifies the newest version of a table in a folder: its commit file, by inode, size and time of change.

    In a catalog that this process holds, how often it has written the table. None where it is not known, or not the version
    that is read.
    """
    if lake.pinned is not None and name not in BESIDE:
        return None
    commit = newest_commit(lake, name)
    if commit is None:
        return None if name in BESIDE else lake.place.state(name)
    stat = commit.stat()
    return str(commit), stat.st_ino, stat.st_size, stat.st_mtime_ns


def count(lake: Lakehouse, name: str) -> int | None:
    """How many rows a table has, as its statistics say, or the engine where only it knows; None where they do not say."""
    table = lake.delta(name)
    if not lake.place.reads_files:
        return table.count()
    counts = data_files(table)["num_records"].to_pylist()
    return None if None in counts else sum(counts)


def read(spark: SparkSession, lake: Lakehouse, name: str, version: int | None = None) -> DataFrame:
    """The table as a DataFrame, at its newest version or an earlier one.

    Raises:
        LakehouseError: There is no such table (Sail would give an empty frame for a missing path).
    """
    if not lake.exists(name):
        lake.delta(name)
    reader = spark.read.format("delta")
    if version is None and lake.pinned is not None:
        version = lake.pinned.get(name)
    if version is not None:
        reader = reader.option("versionAsOf", version)
    path = lake.path(name)
    return reader.table(path) if _quoted(path) else reader.load(path)


def save(
    frame: DataFrame,
    spark: SparkSession,
    lake: Lakehouse,
    contract: Table,
    *,
    append: bool = False,
    whole: bool = False,
) -> None:
    """Write a frame as the contract's table.

    Args:
        frame: What to write; columns are taken and cast as the contract has them.
        spark: The session.
        lake: The lakehouse.
        contract: Name, columns and types of the table.
        append: Add the rows; without it the table's content is replaced.
        whole: The frame has every column of the contract, so that the engine need not be asked which it has: for a
            plan of many columns that takes as long as a small table takes to write.

    Raises:
        LakehouseError: What was read back does not have the contract's columns and types.
    """
    options: dict[str, str] = {}
    names = contract.column_names if whole else None
    if not lake.exists(contract.name):
        create(spark, lake, contract)
        frame, append = _shaped(frame, _wanted(contract), names), True
    elif append:
        frame = _shaped(frame, _grown(lake, contract), names)
    elif spark_types(lake, contract.name) != _wanted(contract):
        frame = empty(spark, contract).unionByName(_shaped(frame, _wanted(contract), names))
        options = {"overwriteSchema": "true"}
    else:
        frame = _shaped(frame, _wanted(contract), names)
    _commit(frame, lake.path(contract.name), "append" if append else "overwrite", options)
    _check(lake, contract)


def save_files(
    frame: DataFrame,
    spark: SparkSession,
    lake: Lakehouse,
    tables: Mapping[Table, str],
    own_rows: str = "true",
    *,
    append: bool = True,
    names: Iterable[str] | None = None,
) -> None:
    """Write rows to several tables in one pass over them: files first, then a commit per table, in their order.

    A kill in between leaves files that no commit names, or the first tables written and the others not. Where the engine
    writes its tables itself, it is one write per table.

    Args:
        frame: The rows.
        spark: The session.
        lake: The lakehouse.
        tables: Contracts, each with the condition that its rows meet; the first has all rows of the frame.
        own_rows: The condition that tells these rows from others in the first table.
        append: Add the rows; without it the content of the tables is replaced, and a table with other columns made anew.
        names: The columns of the frame, so that the engine need not be asked which it has, as in `save`.

    Raises:
        LakehouseError: A column has another type than its contract says.
    """
    (first, _), *others = tables.items()
    columns = {}
    for contract in tables:
        if not append and lake.exists(contract.name) and spark_types(lake, contract.name) != _wanted(contract):
            removal.drop(lake, [contract.name])
        create(spark, lake, contract)
        columns[contract.name] = _grown(lake, contract)
    if not all(_takes_files(lake, name) for name in columns):
        every = None if names is None else {*names}
        save(frame, spark, lake, first, append=append, whole=every is not None and every.issuperset(first.column_names))
        rows = read(spark, lake, first.name).filter(own_rows)
        for contract, condition in others:
            save(rows.filter(condition), spark, lake, contract, append=append, whole=True)
        return
    _in_one_pass(frame, lake, columns, [condition for _, condition in others], append=append, names=names)
    for contract in tables:
        _check(lake, contract)


def _takes_files(lake: Lakehouse, name: str) -> bool:
    """Whether this process writes the files of a table: in a folder beside the embedded engine, which reads them there."""
    return engine_name() == "sail" and lake.folder is not None and not lake.delta(name).metadata().partition_columns


def _in_one_pass(
    frame: DataFrame,
    lake: Lakehouse,
    tables: Mapping[str, list[tuple[str, str]]],
    conditions: Sequence[str] = (),
    *,
    append: bool = True,
    names: Iterable[str] | None = None,
) -> None:
    """Write rows to tables of these columns, those after the first by condition, then commit the files of each."""
    from medallion.lakehouse import onepass

    flags = {onepass.flag(place): condition for place, condition in enumerate(conditions, 1)}
    columns = {name: kind for named in tables.values() for name, kind in named} | dict.fromkeys(flags, "boolean")
    flagged = frame.selectExpr("*", *(f"{condition} AS {flag}" for flag, condition in flags.items()))
    shaped = _shaped(flagged, [*columns.items()], None if names is None else {*names, *flags})
    folders = {name: lake.path(name) for name in tables}
    schemas = {name: pa.schema(lake.delta(name).schema().to_arrow()) for name in tables}
    locks.check()
    with door.through(next(iter(folders.values()))):
        files = onepass.write(shaped, columns, folders, schemas)
    for name in tables:
        rows = sum(file["rows"] for file in files[name])
        added: list[AddAction | RemoveAction] = [onepass.added(file) for file in files[name]]
        _commit_files(lake, name, added, rows, "append" if append else "overwrite")


@_again
def _commit_files(lake: Lakehouse, name: str, files: list[AddAction | RemoveAction], rows: int, mode: str) -> None:
    """Make files that were written part of a table, with the numbers by which a commit that was cut short is known."""
    locks.check()
    metrics = {"numAddedFiles": len(files), "numOutputRows": rows}
    with door.through(lake.path(name)):
        table = lake.delta(name)
        table.create_write_transaction(
            files,
            mode,
            table.schema(),
            commit_properties=CommitProperties(custom_metadata={"operationMetrics": metrics}),
        )


def append_rows(rows: Sequence[tuple[Any, ...]], spark: SparkSession, lake: Lakehouse, contract: Table) -> None:
    """Append rows that this process has in hand, values in the order of the contract's columns, timestamps in UTC.

    In a folder without the engine, which takes longer to plan such a write than to do it.
    """
    if lake.folder is None:
        save(
            spark.createDataFrame(rows, unity.struct(_wanted(contract))), spark, lake, contract, append=True, whole=True
        )
        return
    create(spark, lake, contract)
    _grown(lake, contract)
    columns = dict(zip(contract.column_names, zip(*rows, strict=True), strict=True))
    schema = pa.schema(lake.delta(contract.name).schema().to_arrow())
    cells = [pa.array(columns.get(field.name, [None] * len(rows)), field.type) for field in schema]
    _append(pa.Table.from_arrays(cells, schema=schema), lake, contract.name)
    _check(lake, contract)


@_again
def _append(rows: pa.Table, lake: Lakehouse, name: str) -> None:
    locks.check()
    with door.through(lake.path(name)):
        write_deltalake(lake.delta(name), rows, mode="append")


def create(spark: SparkSession, lake: Lakehouse, contract: Table) -> None:
    """Write the contract's table without rows, unless it is there."""
    if not lake.exists(contract.name):
        _make(spark, lake, contract.name, _wanted(contract))


def _make(spark: SparkSession, lake: Lakehouse, name: str, columns: list[tuple[str, str]]) -> None:
    """An empty table of nullable columns; made from a frame with literals, some would be NOT NULL for all time."""
    if lake.folder is None:
        _commit(
            spark.createDataFrame([], unity.struct(columns)),
            lake.path(name),
            "append",
            unity.RETENTION if _quoted(lake.path(name)) else {},
        )
        return

    locks.check()
    with door.through(lake.path(name)):
        fields = Schema([unity.field(column, kind) for column, kind in columns])
        DeltaTable.create(lake.path(name), fields, mode="ignore", configuration=KEEP_COMMITS)


def _shaped(frame: DataFrame, schema: list[tuple[str, str]], names: Iterable[str] | None = None) -> DataFrame:
    """The frame in exactly these columns and types; a column that it does not have is null. `names` are its columns."""
    from pyspark.sql import functions as F

    present = set(frame.columns) if names is None else set(names)
    return frame.select(
        *((F.col(f"`{name}`") if name in present else F.lit(None)).cast(kind).alias(name) for name, kind in schema)
    )


def grow(lake: Lakehouse, contract: Table) -> bool:
    """Give a table the columns that its contract has gained; whether there is such a table."""
    there = lake.exists(contract.name)
    if there:
        _grown(lake, contract)
    return there


def _grown(lake: Lakehouse, contract: Table) -> list[tuple[str, str]]:
    """The columns of an existing table after it was given those that its contract has gained, null so far.

    Raises:
        LakehouseError: A column has another type than the contract says; appending would make it null.
    """
    existing, wanted = spark_types(lake, contract.name), _wanted(contract)
    known = dict(existing)
    for name, kind in wanted:
        if known.get(name, kind) != kind:
            raise LakehouseError(
                f"{contract.name}: column {name} is {known[name]}, but its contract now says {kind}",
                "Start a new lakehouse with --lakehouse, or keep the type.",
            )
    gained = [(name, kind) for name, kind in wanted if name not in known]
    _add_columns(lake, contract.name, gained)
    return [*existing, *gained]


def _add_columns(lake: Lakehouse, name: str, columns: list[tuple[str, str]]) -> None:
    if columns:
        with door.through(lake.path(name)):
            lake.delta(name).alter.add_columns([unity.field(column, kind) for column, kind in columns])


def empty(spark: SparkSession, contract: Table) -> DataFrame:
    """The contract's columns, all nullable, without rows.

    A table made from a frame with literal columns alone would have them NOT NULL for all time.
    """
    return spark.createDataFrame([], unity.struct(_wanted(contract)))


@_again
def _commit(frame: DataFrame, path: str, mode: str, options: Mapping[str, str]) -> None:
    locks.check()
    writer = frame.write.format("delta").mode(mode).options(**options)
    with door.through(path):
        writer.saveAsTable(path) if _quoted(path) else writer.save(path)
    unity.written(path, columns="overwriteSchema" in options)


def _quoted(path: str) -> bool:
    return path.startswith("`")


def _sql(lake: Lakehouse, name: str) -> str:
    """The table as SQL names it."""
    path = lake.path(name)
    return path if _quoted(path) else f"delta.`{path}`"


def spark_types(lake: Lakehouse, name: str) -> list[tuple[str, str]]:
    """Columns of a table with their types as Spark writes them, in order."""
    fields = lake.delta(name).schema().fields
    return [(field.name, _spark_type(field.type)) for field in fields]


def _spark_type(delta_type: Any) -> str:
    if hasattr(delta_type, "element_type"):
        return f"array<{_spark_type(delta_type.element_type)}>"
    text = str(delta_type.type)
    return {"long": "bigint", "integer": "int"}.get(text, text.replace(" ", ""))


def _wanted(contract: Table) -> list[tuple[str, str]]:
    return [(column.name, column.type) for column in contract.columns]


def _check(lake: Lakehouse, contract: Table) -> None:
    types = dict(spark_types(lake, contract.name))
    odd = [f"{name} {kind}" for name, kind in _wanted(contract) if types.get(name) != kind]
    if odd:
        raise LakehouseError(
            f"{contract.name}: what was written does not match its contract: {', '.join(odd)}",
            "Restore the version before with `deltalake` and report this as a defect.",
        )


def merge(
    frame: DataFrame, spark: SparkSession, lake: Lakehouse, contract: Table, *, whole: bool = False, met: bool = False
) -> None:
    """Insert or replace rows by the contract's key, one commit; the frame has one row per key.

    It has every column of the contract where it is `whole`, as in `save`, and some of its keys were known before where they
    are `met`; neither is then asked of the engine.

    Rows whose keys are all new are appended. The embedded engine's MERGE writes every file of the table anew, whatever
    it changes, and takes two to three times as long as that needs (decision 11); so in a folder, which only one
    process at a time writes to, the rows to keep and the new ones are written as the table's next version instead.
    Elsewhere it is a MERGE.
    """
    create(spark, lake, contract)
    columns = _grown(lake, contract)
    frame = _shaped(frame, columns, contract.column_names if whole else None)
    keys, there = list(contract.key), read(spark, lake, contract.name)
    if not met and there.select(*keys).join(frame.select(*keys), on=keys, how="left_semi").isEmpty():
        _commit(frame, lake.path(contract.name), "append", {})
    elif engine_name() == "sail" and lake.folder is not None:
        kept = there.join(frame.select(*keys), on=keys, how="left_anti").select(*(f"`{name}`" for name, _ in columns))
        _commit(kept.unionByName(frame), lake.path(contract.name), "overwrite", {})
    else:
        _merge(frame, spark, lake, contract)
    _check(lake, contract)


def _merge(frame: DataFrame, spark: SparkSession, lake: Lakehouse, contract: Table) -> None:
    view = f"_merge_{contract.name.replace('.', '_')}"
    frame.createOrReplaceTempView(view)
    on = " AND ".join(f"t.`{name}` = s.`{name}`" for name in contract.key)
    statement = (
        f"MERGE INTO {_sql(lake, contract.name)} AS t USING {view} AS s ON {on} "
        "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
    )
    try:
        _execute(spark, lake.path(contract.name), statement)
    finally:
        spark.catalog.dropTempView(view)


@_again
def _execute(spark: SparkSession, path: str, statement: str) -> None:
    locks.check()
    with door.through(path):
        unity.ask(statement, spark)
    unity.written(path)


def append_raw(
    frame: DataFrame, spark: SparkSession, lake: Lakehouse, name: str, columns: Sequence[tuple[str, str]]
) -> None:
    """Append a frame of these columns and types to a bronze table, whose columns are whatever the exports had.

    Columns that the table does not have yet are added to it first (as nullable text), those that the frame
    does not have become null.
    """
    if not lake.exists(name):
        _make(spark, lake, name, [*columns])
    known, there = spark_types(lake, name), [column for column, _ in columns]
    gained = [(column, "string") for column in there if column not in dict(known)]
    _add_columns(lake, name, gained)
    if _takes_files(lake, name):
        _in_one_pass(frame, lake, {name: [*known, *gained]}, names=there)
    else:
        _commit(_shaped(frame, [*known, *gained], there), lake.path(name), "append", {})


def delete_rows(spark: SparkSession, lake: Lakehouse, name: str, where: str) -> None:
    """Delete the rows for which a SQL condition holds, one commit; nothing when there is no such table."""
    if lake.exists(name):
        _execute(spark, lake.path(name), f"DELETE FROM {_sql(lake, name)} WHERE {where}")


def replace(frame: DataFrame, lake: Lakehouse, name: str, *, anew: bool = False) -> None:
    """Put the rows of a frame in place of a table's; one commit. The frame has its columns, or others if it is made `anew`."""
    if anew:
        _commit(frame, lake.path(name), "overwrite", {"overwriteSchema": "true"})
    else:
        _commit(_shaped(frame, spark_types(lake, name)), lake.path(name), "overwrite", {})
