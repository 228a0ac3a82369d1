"""What serverless compute refuses, as far as a request of Spark Connect shows it.

From the pages "Serverless compute limitations" and "Spark configuration" of Databricks and from errors that users report,
as of November 2026. Where the words of the platform are known, they are these; the others only say what is the matter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from google.protobuf.message import Message
from pyspark.sql.connect.proto import base_pb2

#: The only settings of Spark that a serverless notebook or job can make.
CONFIGS = frozenset(
    {
        "spark.databricks.execution.timeout",
        "spark.sql.ansi.enabled",
        "spark.sql.files.maxPartitionBytes",
        "spark.sql.legacy.timeParserPolicy",
        "spark.sql.session.timeZone",
        "spark.sql.shuffle.partitions",
    }
)
#: The only formats of files and streams that serverless compute reads.
FORMATS = frozenset(
    {"avro", "binaryfile", "cloudfiles", "csv", "delta", "json", "kafka", "orc", "parquet", "text", "xml"}
)
#: Messages that are not looked into: what they compute is the same everywhere, and they are most of a plan.
_SKIPPED = frozenset({"spark.connect.Expression", "spark.connect.DataType", "spark.connect.LocalRelation"})
_CLOUD = re.compile(r"(?:abfss|s3|gs|r2)://", re.IGNORECASE)
_PATH_IN_SQL = re.compile(
    r"(?i)\b(?:delta|parquet|csv|json|orc|text|avro)\s*\.\s*`([^`]*[/:][^`]*)`|\bLOCATION\s+'([^']*)'"
)


class Refusal(NamedTuple):
    """An error of Spark: its class, its state of SQL, and what it says."""

    error: str
    state: str
    text: str

    def __str__(self) -> str:
        return f"[{self.error}] {self.text} SQLSTATE: {self.state}"


def unsupported(what: str) -> Refusal:
    """The refusal of a statement or call."""
    return Refusal("NOT_SUPPORTED_WITH_SERVERLESS", "0A000", f"{what} is not supported on serverless compute.")


def of(request: Message, volumes: str = "/Volumes") -> Refusal | None:
    """The first thing in a request that serverless compute refuses, None where there is none.

    Args:
        request: `ExecutePlanRequest`, `AnalyzePlanRequest`, `ConfigRequest` or `AddArtifactsRequest`.
        volumes: The folder that stands for `/Volumes`; other folders of this machine cannot be reached.
    """
    return next((refusal for message in _messages(request) for refusal in _in(message, volumes)), None)


def _messages(message: Message) -> Iterator[Message]:
    """A message and all in it, the outer ones first."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.full_name in _SKIPPED:
            continue
        if field.message_type.GetOptions().map_entry:
            continue
        for inner in value if field.is_repeated else [value]:
            yield from _messages(_decompressed(inner) if isinstance(inner, _COMPRESSED) else inner)


_COMPRESSED = base_pb2.Plan.CompressedOperation


def _decompressed(plan: Message) -> Message:
    """A plan that the client has compressed, since it is long."""
    import zstandard

    operation: Any = plan
    kinds = {1: "root", 2: "command"}
    plain = base_pb2.Plan()
    with zstandard.ZstdDecompressor().stream_reader(operation.data) as content:
        getattr(plain, kinds[operation.op_type]).ParseFromString(content.read())
    return plain


def _in(message: Any, volumes: str) -> Iterator[Refusal]:
    if look := _LOOKS.get(message.DESCRIPTOR.name):
        yield from look(message)
    for path in _paths(message):
        if not _reachable(path, volumes):
            yield Refusal("INSUFFICIENT_PERMISSIONS", "42501", f"Local filesystem access is forbidden: {path}.")


def _set(key: str) -> Iterator[Refusal]:
    if key not in CONFIGS:
        yield Refusal("CONFIG_NOT_AVAILABLE", "42K0I", f"Configuration {key} is not available.")


def _config(request: Any) -> Iterator[Refusal]:
    operation = request.operation
    keys = [pair.key for pair in operation.set.pairs] + list(operation.unset.keys)
    return (refusal for key in keys for refusal in _set(key))


def _analyze(request: Any) -> Iterator[Refusal]:
    kind = request.WhichOneof("analyze")
    if kind in ("persist", "unpersist"):
        yield unsupported(f"{kind.upper()} TABLE")


def _command(command: Any) -> Iterator[Refusal]:
    kind = command.WhichOneof("command_type")
    if kind == "checkpoint_command":
        yield unsupported("CHECKPOINT")
    elif kind == "create_dataframe_view" and command.create_dataframe_view.is_global:
        yield unsupported("GLOBAL TEMPORARY VIEW")
    elif kind == "register_function" and command.register_function.HasField("java_udf"):
        yield unsupported("Registering a Java function")
    elif kind == "write_operation" and command.write_operation.source.casefold() == "hive":
        yield unsupported("Hive SerDe")
    elif kind == "write_stream_operation_start":
        trigger = command.write_stream_operation_start.WhichOneof("trigger")
        if trigger not in ("available_now", "once"):
            yield Refusal(
                "INFINITE_STREAMING_TRIGGER_NOT_SUPPORTED",
                "0A000",
                f"Trigger type {trigger or 'processing_time_interval'} is not supported for this cluster type. "
                "Use a different trigger type e.g. AvailableNow, Once.",
            )


def _catalog(catalog: Any) -> Iterator[Refusal]:
    kind = catalog.WhichOneof("cat_type") or ""
    if kind in ("cache_table", "uncache_table", "clear_cache", "refresh_table"):
        yield unsupported(kind.replace("_", " ").upper())
    elif kind == "drop_global_temp_view":
        yield unsupported("GLOBAL TEMPORARY VIEW")


def _source(source: Any) -> Iterator[Refusal]:
    if source.format and source.format.casefold() not in FORMATS:
        yield unsupported(f"The data source {source.format}")


def _table(table: Any) -> Iterator[Refusal]:
    if table.unparsed_identifier.casefold().startswith("global_temp."):
        yield unsupported("GLOBAL TEMPORARY VIEW")


_STATEMENTS: tuple[tuple[str, str], ...] = (
    (r"CACHE\s+(?:LAZY\s+)?TABLE\b.*\bSELECT\b", "CACHE TABLE AS SELECT"),
    (r"CACHE\s+(?:LAZY\s+)?TABLE\b", "CACHE TABLE"),
    (r"UNCACHE\s+TABLE\b", "UNCACHE TABLE"),
    (r"CLEAR\s+CACHE\b", "CLEAR CACHE"),
    (r"REFRESH\s+(?:TABLE\b)?", "REFRESH TABLE"),
    (r"CREATE\s+(?:OR\s+REPLACE\s+)?GLOBAL\s+TEMP", "GLOBAL TEMPORARY VIEW"),
    (r"ADD\s+JARS?\b", "ADD JAR"),
    (
        r"CREATE\s+(?:OR\s+REPLACE\s+)?(?:TEMPORARY\s+)?FUNCTION\b.*\b(?:AS\s+'|USING\s+JAR)",
        "Registering a Java function",
    ),
    (r"CREATE\b.*\b(?:ROW\s+FORMAT|STORED\s+(?:AS|BY)|USING\s+HIVE)\b", "Hive SerDe"),
)
_SET = re.compile(r"(?is)\s*(?:SET|RESET)\s+(?!VAR|TIME\s+ZONE\b)([\w.`-]+)")


def _sql(sql: Any) -> Iterator[Refusal]:
    return statement(sql.query)


def _sql_command(command: Any) -> Iterator[Refusal]:
    return statement(command.sql)


def statement(text: str) -> Iterator[Refusal]:
    """What is refused of a statement of SQL.

    >>> [str(refusal) for refusal in statement("CACHE TABLE a")]
    ['[NOT_SUPPORTED_WITH_SERVERLESS] CACHE TABLE is not supported on serverless compute. SQLSTATE: 0A000']
    >>> [refusal.text for refusal in statement("SET spark.sql.adaptive.enabled = false")]
    ['Configuration spark.sql.adaptive.enabled is not available.']
    >>> list(statement("SELECT 'cache table' FROM a"))
    []
    """
    if match := _SET.match(text):
        yield from _set(match[1].strip("`"))
    for pattern, what in _STATEMENTS:
        if re.match(rf"\s*{pattern}", text, re.IGNORECASE | re.DOTALL):
            yield unsupported(what)
    if re.search(r"(?i)\bglobal_temp\s*\.", text):
        yield unsupported("GLOBAL TEMPORARY VIEW")


def _artifacts(request: Any) -> Iterator[Refusal]:
    names = [artifact.name for artifact in request.batch.artifacts] + [request.begin_chunk.name]
    if any(name.startswith(("jars/", "classes/")) for name in names):
        yield unsupported("ADD JAR")


_LOOKS: dict[str, Callable[[Any], Iterator[Refusal]]] = {
    "ConfigRequest": _config,
    "AnalyzePlanRequest": _analyze,
    "AddArtifactsRequest": _artifacts,
    "Command": _command,
    "Catalog": _catalog,
    "DataSource": _source,
    "NamedTable": _table,
    "SQL": _sql,
    "SqlCommand": _sql_command,
}


def _paths(message: Any) -> Iterator[str]:
    """Files and folders that a message names, to be read or written."""
    name = message.DESCRIPTOR.name
    if name == "DataSource":
        yield from (*message.paths, *(value for key, value in message.options.items() if key.casefold() == "path"))
    elif name in ("WriteOperation", "WriteStreamOperationStart"):
        options = {key.casefold(): value for key, value in message.options.items()}
        yield from filter(None, (message.path, options.get("path"), options.get("checkpointlocation")))
    elif name in ("SQL", "SqlCommand"):
        text = message.query if name == "SQL" else message.sql
        yield from (match[1] or match[2] for match in _PATH_IN_SQL.finditer(text))


def _reachable(path: str, volumes: str) -> bool:
    local = re.sub(r"^(?:dbfs|file):/*", "/", path)
    return bool(_CLOUD.match(path)) or local.startswith(("/Volumes/", f"{volumes.rstrip('/')}/"))
