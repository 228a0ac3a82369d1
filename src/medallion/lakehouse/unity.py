"""Tables of a Unity Catalog catalog: a lakehouse whose root is `uc://CATALOG` has its layers as schemas, one whose root is
`uc://CATALOG/PREFIX_` as schemas whose names begin with the prefix, so that several lakehouses can share a catalog.

There the engine alone knows where a table lies, so everything is asked of the session that it gives.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache, cached_property, reduce
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.schema import ArrayType, Field, PrimitiveType, Schema

from medallion import log
from medallion.errors import LakehouseError, StateRemovedError
from medallion.lakehouse.session import session

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

PREFIX = "uc://"
#: How long files of earlier versions stay, so that manifests of the last 30 days can be opened; the platform's own is a week.
RETENTION = {"delta.deletedFileRetentionDuration": "interval 30 days"}
#: For tables whose earlier versions nobody may read, while they are removed.
KEEP_NOTHING = {"delta.deletedFileRetentionDuration": "interval 0 hours"}
#: For tables that others write to beside the lock: files that a commit may be about to name stay.
_KEEP_AN_HOUR = {"delta.deletedFileRetentionDuration": "interval 1 hours"}
_ROOT = re.compile(r"uc://([A-Za-z_][\w-]{0,254})(?:/([A-Za-z]\w{0,199}_)?)?", re.ASCII)
#: Operations of a history that change files or settings, and no row.
_UPKEEP = frozenset(
    {"OPTIMIZE", "REORG", "VACUUM START", "VACUUM END", "SET TBLPROPERTIES", "UNSET TBLPROPERTIES", "CLUSTER BY"}
    | {"COMPUTE STATS", "ANALYZE", "UPGRADE PROTOCOL", "ADD FEATURE", "DROP FEATURE", "CHANGE COLUMN", "SET TABLE COMMENT"}
)  # fmt: skip
#: So many commits are asked for at once: the newest, and those of upkeep since a command last wrote.
_COMMITS = 20
_counter = itertools.count(1)
#: Schemas of which this process is the only writer, by their quoted names: the number of its last write to a table, by the
#: table's quoted name.
_written: dict[str, dict[str, int]] = {}
#: Names of the tables of these schemas, as far as they have been listed: nobody else makes or removes one.
_listed: dict[str, set[str]] = {}
#: Columns of the tables of these schemas, by the quoted name, as far as they have been asked for.
_columns: dict[str, Schema] = {}


def catalog(root: str) -> str:
    """The catalog that a root names.

    Raises:
        LakehouseError: It names none.
    """
    return _parts(root)[0]


def schema(root: str, layer: str) -> tuple[str, str]:
    """The catalog and the schema of a layer.

    Raises:
        LakehouseError: The root names no catalog.
    """
    name, prefix = _parts(root)
    return name, f"{prefix}{layer}"


def _parts(root: str) -> tuple[str, str]:
    match = _ROOT.fullmatch(root)
    if match is None:
        raise LakehouseError(
            f"{root}: names no catalog",
            "Write uc://CATALOG, such as uc://crm_prod, or uc://CATALOG/PREFIX_, such as uc://crm_dev/dev_ann_, "
            "for schemas whose names begin with the prefix.",
        )
    return match[1], match[2] or ""


def quoted(root: str, name: str) -> str:
    """The full name of a table `layer.table`, or of a layer's schema, as SQL wants it."""
    layer, *table = name.split(".")
    return ".".join(f"`{part}`" for part in (*schema(root, layer), *table))


@contextmanager
def kept(root: str, layers: Iterable[str]) -> Iterator[None]:
    """Keep what is known of the tables of layers until this process writes to them, as who holds the lock may."""
    schemas = [quoted(root, layer) for layer in layers]
    _written.update((schema, {}) for schema in schemas)
    try:
        yield
    finally:
        for schema in schemas:
            _written.pop(schema, None)
            _listed.pop(schema, None)
            for table in [table for table in _columns if table.startswith(f"{schema}.")]:
                _columns.pop(table)


def written(table: str, *, columns: bool = False) -> None:
    """Forget what is known of a table, by its quoted name, since this process has written to it.

    Its columns are known to be as they were, which Delta Lake sees to, unless they were changed on purpose.
    """
    if columns:
        _columns.pop(table, None)
    schema, _, name = table.rpartition(".")
    if (numbers := _written.get(schema)) is not None:
        numbers[table] = next(_counter)
    if (names := _listed.get(schema)) is not None:
        names.add(name.strip("`"))


def removed(table: str) -> None:
    """Forget a table, by its quoted name, since this process has removed it."""
    written(table, columns=True)
    schema, _, name = table.rpartition(".")
    _listed.get(schema, set()).discard(name.strip("`"))


def known(root: str, layer: str) -> set[str] | None:
    """The tables of a layer, `layer.table`, listed once by who holds the lock; None while others may make some too."""
    schema = quoted(root, layer)
    if schema not in _written:
        return None
    if schema not in _listed:
        _listed[schema] = {name.split(".")[1] for name in tables(root, [layer]) if name.startswith(f"{layer}.")}
    return {f"{layer}.{name}" for name in _listed[schema]}


def state(table: str) -> tuple[str, int, int, int] | None:
    """What tells a table from itself before the last write to it, by its quoted name; None while others may write too."""
    if (numbers := _written.get(table.rpartition(".")[0])) is None:
        return None
    return table, 0, 0, numbers.setdefault(table, next(_counter))


def exists(root: str, name: str) -> bool:
    """Whether there is such a table."""
    return bool(session().catalog.tableExists(quoted(root, name)))


def tables(root: str, layers: Iterable[str]) -> list[str]:
    """Names of all tables, by layer; views and temporary ones left out."""
    spark, names = session(), []
    for layer in layers:
        where = quoted(root, layer)
        try:
            rows = ask(f"SHOW TABLES IN {where}")
        except Exception:
            if spark.catalog.databaseExists(where):
                raise
            continue
        names += sorted(f"{layer}.{row['tableName']}" for row in rows if not row["isTemporary"])
    return names


def drop(root: str, name: str) -> None:
    """Remove a table."""
    ask(f"DROP TABLE IF EXISTS {quoted(root, name)}")
    removed(quoted(root, name))


def row(root: str, name: str, columns: str) -> tuple[Any, ...] | None:
    """Columns of the only row of a table; None where there is no such table."""
    try:
        return tuple(frame(root, name).select(*columns.split(", ")).collect()[0])
    except Exception:
        if exists(root, name):
            raise
        return None


def ask(statement: str, spark: SparkSession | None = None) -> list[dict[str, Any]]:
    """Run a command; gives its rows.

    A client of Spark Connect has them with the answer, since the engine runs a command at once; `collect` would send them
    to the engine and back. Other clients, and engines that wait to be asked, are asked.
    """
    frame = (spark or session()).sql(statement)
    answer = getattr(getattr(frame, "_plan", None), "_plan", None)
    if answer is None or answer.WhichOneof("rel_type") != "local_relation":
        return [row.asDict() for row in frame.collect()]
    data = answer.local_relation.data
    return list(pa.ipc.open_stream(data).read_all().to_pylist()) if data else []


def fetch(frame: DataFrame) -> pa.Table:
    """The rows of a frame. A client of Spark Connect gets their types with them; `toArrow` would ask for these first."""
    rows = getattr(frame, "_to_table", None)
    return rows()[0] if rows else frame.toArrow()


def execute(statement: str) -> int | None:
    """Run a statement; gives how many rows it has changed, None where the engine does not say."""
    rows = ask(statement)
    counts = rows[0] if len(rows) == 1 else {}
    return next((int(counts[name]) for name in ("num_affected_rows", "count") if counts.get(name) is not None), None)


def append(root: str, name: str, more: pa.Table) -> None:
    """Add a few rows to a table, which is made where there is none; one commit."""
    path, schema = quoted(root, name), struct((field.name, _SPARK[str(field.type)]) for field in more.schema)
    frame = session().createDataFrame([tuple(row.values()) for row in more.to_pylist()], schema)
    frame.write.format("delta").mode("append").options(**RETENTION).saveAsTable(path)
    written(path)


def struct(columns: Iterable[tuple[str, str]]) -> StructType:
    """Nullable columns and their types as Spark writes them; from a text, the engine would be asked what it means."""
    from pyspark.sql.types import StructType

    fields = Schema([field(name, kind) for name, kind in columns])
    return StructType.fromJson(json.loads(fields.to_json()))


def field(column: str, kind: str) -> Field:
    """A nullable column of a Delta table; `kind` is its type as Spark writes it."""
    if kind.startswith("array<"):
        return Field(column, ArrayType(PrimitiveType(kind[len("array<") : -1]), contains_null=True))
    return Field(column, PrimitiveType({"bigint": "long", "int": "integer"}.get(kind, kind)))


_SPARK = {"string": "string", "int64": "bigint", "timestamp[us, tz=UTC]": "timestamp"}


def frame(root: str, name: str, version: int | None = None) -> DataFrame:
    """A table at its newest version or an earlier one."""
    reader = session().read.format("delta")
    return (reader if version is None else reader.option("versionAsOf", version)).table(quoted(root, name))


def arrow(root: str, name: str, version: int | None = None) -> pa.Table:
    """All rows of a table, fetched through the engine.

    Where the engine no longer opens the version, and nothing but upkeep has come after it, the newest one has its rows.

    Raises:
        StateRemovedError: The version cannot be opened any more.
    """
    try:
        return rows(root, name, version)
    except Exception as error:
        if version is None:
            raise
        newest = rows(root, name) if exists(root, name) else None
        if newest is None or not Table(root, name).is_since(version):
            raise StateRemovedError(
                f"{root}: {name} has no version {version} any more, which a manifest names: {reason(error)}",
                "Open a later manifest; see `medallion status`.",
            ) from error
        return newest


def rows(root: str, name: str, version: int | None = None) -> pa.Table:
    """All rows of a table at its newest version or an earlier one, fetched through the engine."""
    return fetch(frame(root, name, version))


def sums(root: str, tables: Mapping[str, int | None]) -> dict[str, tuple[int, int]]:
    """Per table, at a version or the newest one, the sum of the hashes of its rows and how many there are, by one statement."""
    total = "coalesce(sum(CAST(xxhash64(to_json(struct(*))) AS DECIMAL(38, 0))), 0) AS total"
    each = (
        frame(root, name, version).selectExpr(total, "count(*) AS n").selectExpr(f"'{name}' AS name", "total", "n")
        for name, version in tables.items()
    )
    rows = reduce(lambda left, right: left.unionAll(right), each).collect()
    return {row["name"]: (int(row["total"]), int(row["n"])) for row in rows}


@cache
def hashed_by() -> str:
    """What the engine's hash makes of known values: its hashes compare only where this is the same."""
    values = "'a' AS a, 1L AS b, 1.5D AS c, CAST(2.5 AS DECIMAL(18, 2)) AS d, DATE '2025-07-01' AS e, TIMESTAMP '2025-07-01 01:02:03' AS f, true AS g, CAST(NULL AS STRING) AS h, array('b') AS i"
    (row,) = session().range(1).selectExpr(f"xxhash64(to_json(struct({values}))) AS hash").collect()
    return f"engine {row['hash'] & (1 << 64) - 1:016x}"


def upkeep(root: str) -> bool | None:
    """Whether predictive optimization keeps up the tables of a catalog; None where the engine does not say."""
    try:
        rows = [[*row.values()] for row in ask(f"DESCRIBE CATALOG EXTENDED `{catalog(root)}`")]
    except Exception as error:  # noqa: BLE001 - without Unity Catalog there is no such statement, and one may not be allowed it
        log.event("predictive optimization not known", catalog=catalog(root), error=reason(error))
        return None
    known = {str(row[0]).strip().casefold(): str(row[1]).strip().upper() for row in rows}
    setting = known.get("predictive optimization")
    return None if setting is None else setting.startswith("ENABLE")


def keep(root: str, name: str) -> bool:
    """Have the files of a table's earlier versions stay as long as manifests can be opened; whether that was new.

    A table of which `purge` has left the earlier versions to the platform stays as it is until they are removed.
    """
    rows = ask(f"SHOW TBLPROPERTIES {quoted(root, name)}")
    known = {str(row["key"]): str(row["value"]) for row in rows}
    (retention,) = (known.get(key) for key in RETENTION)
    if retention in (*KEEP_NOTHING.values(), *_KEEP_AN_HOUR.values()):
        versions = {commit["operation"]: commit["version"] for commit in reversed(Table(root, name).history())}
        if versions.get("VACUUM END", -1) < versions.get("SET TBLPROPERTIES", -1):
            return False
    elif retention is not None:
        return False
    _set(root, name, RETENTION)
    return True


def listed(properties: Mapping[str, str]) -> str:
    """Properties as SQL lists them."""
    return ", ".join(f"'{key}' = '{value}'" for key, value in properties.items())


def _set(root: str, name: str, properties: Mapping[str, str]) -> None:
    execute(f"ALTER TABLE {quoted(root, name)} SET TBLPROPERTIES ({listed(properties)})")
    written(quoted(root, name))


def vacuum(root: str, name: str) -> int | None:
    """Remove the files that the newest version of a table does not need, as its properties say; gives how many, if told."""
    execute(f"VACUUM {quoted(root, name)}")
    written(quoted(root, name))
    ended = next((commit for commit in Table(root, name).history(_COMMITS) if commit["operation"] == "VACUUM END"), {})
    count = (ended.get("operationMetrics") or {}).get("numDeletedFiles")
    return None if count is None else int(count)


def purge_earlier(root: str, name: str) -> None:
    """Remove the earlier versions of a table of which none is ever read, now or when the platform next does."""
    try:
        _set(root, name, KEEP_NOTHING)
        vacuum(root, name)
    except Exception as error:  # noqa: BLE001 - whatever the platform says of it
        log.event("earlier versions left to the platform", table=name, error=reason(error))


def purge(root: str, name: str, *, beside: bool = False) -> tuple[int, int | None, str]:
    """Remove everything of a table but its newest version, and the rows that deletion vectors hide in its files.

    Where the platform does not do it on request, the table goes on keeping no earlier file, so that its own VACUUM does.

    Args:
        root: The lakehouse.
        name: The table.
        beside: Others write to it meanwhile: files of the last hour stay.

    Returns:
        How many versions there were, how many files went (None where that is not told), and why it is left to the platform's
        own VACUUM; empty where it is not.
    """
    before = len(Table(root, name).history())
    try:
        _set(root, name, _KEEP_AN_HOUR if beside else KEEP_NOTHING)
        execute(f"REORG TABLE {quoted(root, name)} APPLY (PURGE)")
        gone = vacuum(root, name)
    except Exception as error:  # noqa: BLE001 - whatever the platform says of it
        return before, None, reason(error)
    _set(root, name, RETENTION)
    return before, gone, ""


def reason(error: Exception) -> str:
    """An error of the engine in one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


class Metadata(NamedTuple):
    """What is asked of the metadata of a `deltalake.DeltaTable`."""

    id: str


class Table:
    """What is asked of a `deltalake.DeltaTable`, asked of the engine; opened at a version or the newest one."""

    def __init__(self, root: str, name: str, at: int | None = None) -> None:
        self.root, self.table, self.at = root, name, at
        self.name = quoted(root, name)
        self.alter = self

    def history(self, limit: int | None = None) -> list[dict[str, Any]]:
        """The commits that the table knows of, the newest first: `version`, `timestamp` (ms since 1970), `operation` and its
        metrics.
        """
        more = "" if limit is None else f" LIMIT {limit}"
        return [
            {
                "timestamp": _since_1970(row["timestamp"]),
                "version": row["version"],
                "operation": row["operation"],
                "operationMetrics": dict(row["operationMetrics"] or ()),
            }
            for row in ask(f"DESCRIBE HISTORY {self.name}{more}")
        ]

    @cached_property
    def _newest(self) -> list[dict[str, Any]]:
        try:
            return self.history(_COMMITS)
        except Exception as error:
            if exists(self.root, self.table):
                raise
            raise TableNotFoundError(self.name) from error

    @cached_property
    def _commit(self) -> dict[str, Any]:
        if self.at is None:
            return self._newest[0]
        commits = [commit for commit in self._known_from(self.at) if commit["version"] == self.at]
        if not commits:
            raise DeltaError(f"there is no version {self.at}")
        return commits[0]

    def _known_from(self, version: int) -> list[dict[str, Any]]:
        """The commits from a version on, and perhaps others."""
        return self._newest if self._newest[-1]["version"] <= version else self.history()

    def version(self) -> int:
        """Number of the commit that was opened."""
        return int(self._commit["version"])

    def metadata(self) -> Metadata:
        """Which commit it is: one of the same number of a table that was removed and recreated was made at another time."""
        return Metadata(str(self._commit["timestamp"]))

    def is_since(self, version: int, made_at: str | None = None) -> bool:
        """Whether the newest version has the rows of an earlier one: nothing but upkeep has come after it."""
        known = self._known_from(version)
        then = [
            commit for commit in known if commit["version"] == version and made_at in (None, str(commit["timestamp"]))
        ]
        after = [commit for commit in known if commit["version"] > version]
        return bool(then) and all(commit["operation"] in _UPKEEP for commit in after)

    def count(self) -> int:
        """How many rows there are."""
        return int(frame(self.root, self.table, self.at).count())

    def to_pyarrow_table(
        self, columns: Sequence[str] | None = None, filters: Sequence[tuple[str, str, Any]] | None = None
    ) -> pa.Table:
        """Rows, those for which all filters (column, `=`, text) hold."""
        try:
            rows = frame(self.root, self.table, self.at)
            for column, _, value in filters or ():
                rows = rows.filter(rows[column] == value)
            return fetch(rows.select(*columns) if columns else rows)
        except Exception as error:
            if self.at is None:
                raise
            raise DeltaError(reason(error)) from error

    @cached_property
    def _schema(self) -> Schema:
        if (known := _columns.get(self.name)) is not None:
            return known
        schema = Schema.from_json(session().table(self.name).schema.json())
        if state(self.name) is not None:
            _columns[self.name] = schema
        return schema

    def schema(self) -> Schema:
        """Columns and types."""
        return self._schema

    def restore(self, version: int) -> None:
        """Go back to an earlier version, as a new commit."""
        ask(f"RESTORE TABLE {self.name} TO VERSION AS OF {version}")
        written(self.name, columns=True)

    def add_columns(self, fields: list[Field]) -> None:
        """Give the table more columns, null so far."""
        columns = ", ".join(f"`{field.name}` {_sql_type(field.type)}" for field in fields)
        ask(f"ALTER TABLE {self.name} ADD COLUMNS ({columns})")
        written(self.name, columns=True)

    def __getattr__(self, name: str) -> Any:
        raise LakehouseError(
            f"{self.name}: {name} is left to Unity Catalog",
            "Use its own means, such as VACUUM or REORG TABLE ... APPLY (PURGE).",
        )


def _since_1970(time: datetime) -> int:
    return round(time.timestamp() * 1000)


def _sql_type(delta_type: Any) -> str:
    if hasattr(delta_type, "element_type"):
        return f"ARRAY<{_sql_type(delta_type.element_type)}>"
    return {"long": "BIGINT", "integer": "INT"}.get(str(delta_type.type), str(delta_type.type).upper())
