"""The engine seam: one function gives the Spark session, whatever runs behind it.

- `sail` (default): an embedded Spark Connect server in this process, no JVM;
- `remote`: the Spark Connect server that `SPARK_REMOTE` names;
- `databricks`: the session that the notebook or job already has; elsewhere, Databricks Connect.
"""

from __future__ import annotations

import os
import socket
import threading
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from medallion.errors import MedallionError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ENGINES = ("auto", "sail", "remote", "databricks")
#: Port of Spark Connect where an address names none, and seconds to wait for an answer.
_CONNECT_PORT, _PATIENCE = 15002, 10
_lock = threading.Lock()
_open: dict[str, Any] = {}


def session(engine: str = "auto", memory_gib: float | None = None) -> SparkSession:
    """The session of this process, started on first use.

    Args:
        engine: One of `ENGINES`; `auto` takes what it finds: Databricks, then `SPARK_REMOTE`, then Sail.
        memory_gib: Memory that the embedded engine may use, in GiB; half of the machine's when None.

    Raises:
        MedallionError: The engine is not installed or not reachable.
    """
    with _lock:
        if "spark" not in _open:
            # windows over all rows here run over days or fifty customers
            warnings.filterwarnings("ignore", message="WARN WindowExpression")
            chosen = _choose(engine)
            _open["spark"] = {"sail": _sail, "remote": _remote, "databricks": _active}[chosen](memory_gib)
            _open["engine"] = chosen
            _open["spark"].conf.set("spark.sql.session.timeZone", "UTC")
        return _open["spark"]


def begin(engine: str = "auto", memory_gib: float | None = None) -> None:
    """Start the embedded engine beside what this process does meanwhile; `session` waits for it, or says why it does not run.

    Args:
        engine: As of `session`; any engine but the embedded one is there already.
        memory_gib: As of `session`.
    """

    def start() -> None:
        with suppress(Exception):  # whoever asks for the session is told
            session(engine, memory_gib)

    if _choose(engine) == "sail" and "spark" not in _open:
        threading.Thread(target=start, name="start the engine").start()


def engine_name() -> str:
    """What the open session runs on, such as `sail`; empty when none is open."""
    return str(_open.get("engine", ""))


def close() -> None:
    """Stop the session and the embedded server, in that order: the other way round hangs."""
    with _lock:
        if spark := _open.pop("spark", None):
            spark.stop() if _open.get("engine") == "sail" else None
        if server := _open.pop("server", None):
            server.stop()
        _open.pop("engine", None)


def _choose(engine: str) -> str:
    if engine != "auto":
        return engine
    if "DATABRICKS_RUNTIME_VERSION" in os.environ:
        return "databricks"
    return "remote" if os.environ.get("SPARK_REMOTE") else "sail"


def _sail(memory_gib: float | None) -> SparkSession:
    limit = int((memory_gib or _half_of_memory_gib()) * (1 << 30))
    os.environ.setdefault("SAIL_RUNTIME__MEMORY_POOL__TYPE", "fair")
    os.environ.setdefault("SAIL_RUNTIME__MEMORY_POOL__FAIR__MAX_SIZE", str(limit))
    os.environ.setdefault("SAIL_EXECUTION__BATCH_SIZE", "32768")
    # texts as Arrow's plain strings: views of them are copied once more wherever a table is written
    os.environ.setdefault("SAIL_PARQUET__SCHEMA_FORCE_VIEW_TYPES", "false")
    # the session is this process's own: it ends with it, not after five minutes in which nothing was asked of it
    os.environ.setdefault("SAIL_SPARK__SESSION_TIMEOUT_SECS", str(365 * 24 * 3600))
    os.environ.setdefault("RUST_LOG", "error")
    try:
        from pysail.spark import SparkConnectServer
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise MedallionError(
            f"The embedded engine is not installed: {error}",
            "Install it with: pip install 'medallion-crm[sail]'",
        ) from error
    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    _open["server"] = server
    _, port = server.listening_address
    spark = SparkSession.builder.remote(f"sc://127.0.0.1:{port}").getOrCreate()
    # call sites for error messages: half of the time that building a plan takes; fixed at its start on Apache Spark
    spark.conf.set("spark.python.sql.dataFrameDebugging.enabled", "false")
    return spark


def _half_of_memory_gib() -> float:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30) / 2
    except (ValueError, OSError):
        return 4.0


def _answers(address: str) -> None:
    """Refuse an address at which nothing listens: the client would wait for it without end."""
    try:
        target = urlsplit(address)
        with socket.create_connection((target.hostname or "", target.port or _CONNECT_PORT), timeout=_PATIENCE):
            return
    except (OSError, ValueError) as error:
        raise MedallionError(
            f"SPARK_REMOTE {address.split(';')[0]}: nothing answers there: {error}",
            "Start the Spark Connect server, or unset SPARK_REMOTE to use the embedded engine.",
        ) from error


def _remote(memory_gib: float | None) -> SparkSession:
    from pyspark.sql import SparkSession

    address = os.environ.get("SPARK_REMOTE")
    if not address:
        raise MedallionError("engine is remote, but SPARK_REMOTE is not set", "Set it to sc://HOST:PORT.")
    _answers(address)
    return SparkSession.builder.remote(address).getOrCreate()


def _active(memory_gib: float | None) -> SparkSession:
    if "DATABRICKS_RUNTIME_VERSION" not in os.environ:
        return _databricks_connect()
    from pyspark.sql import SparkSession

    spark = SparkSession.getActiveSession()
    return spark if spark is not None else SparkSession.builder.getOrCreate()


def _databricks_connect() -> SparkSession:
    """A session on a cluster or serverless compute, from a laptop; signed in as the Databricks SDK is."""
    try:
        from databricks.connect import DatabricksSession
    except ImportError as error:
        raise MedallionError(
            f"engine is databricks, but this is no notebook or job, and Databricks Connect is not installed: {error}",
            "Install databricks-connect into an environment without pyspark, or use another engine.",
        ) from error
    builder = DatabricksSession.builder
    if not os.environ.get("DATABRICKS_CLUSTER_ID"):
        builder = builder.serverless(True)
    try:
        return builder.getOrCreate()
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        raise MedallionError(
            f"Databricks Connect: {reason}", "Check the login (`databricks auth login`) and DATABRICKS_CLUSTER_ID."
        ) from error
