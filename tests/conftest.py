"""Shared by all tests: one engine for the session, the sample brought through once, rows as tables."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import hypothesis
import pytest

hypothesis.settings.register_profile("ci", derandomize=True)  # the same examples for everyone
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")

ROOT = Path(__file__).resolve().parents[1]
#: Run by other environments, which have what they import.
collect_ignore = ["doubles"]
#: Modules of which CI runs on Apache Spark what needs no whole run: cells, checks, and frames made by hand.
ENGINE_QUICK = (
    *("columns", "quality"),  # doctests
    *(
        "test_columns",
        "test_data_quality",
        "test_features",
        "test_silver_to_gold",
        "test_lead_score",
        "test_snapshots",
        "test_rates",
    ),
    "test_same_tables",  # whole runs on both engines
)
#: Modules whose results an engine computes; the others read finished tables, or have nothing to do with an engine.
ENGINE = (
    *ENGINE_QUICK,
    *("test_bronze_to_silver", "test_properties", "test_mapping", "test_quarantine", "test_hostile", "test_bad_input"),
    *("test_contracts", "test_gate", "test_metrics", "test_query", "test_sample", "test_deliveries", "test_erasure"),
    "test_learning",
)
#: Fixtures of long tests, half a minute or more each on Apache Spark: whole deliveries, and leak checks on a broken copy.
_LONG = {"deliver", "to_silver", "sample", "learned_late"}
#: The time at which tests "read" files; after every event of the sample.
NOW = datetime(2025, 7, 1, 8, 0)

os.environ.setdefault("SAIL_RUNTIME__MEMORY_POOL__FAIR__MAX_SIZE", str(2 << 30))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what `just test-on-spark` runs on Apache Spark, and the part of it that is quick enough for CI."""
    for item in items:
        if item.path.stem in ENGINE:
            item.add_marker(pytest.mark.engine)
        if item.path.stem in ENGINE_QUICK and not _LONG & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.engine_quick)


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """The session of the whole test run: the server that SPARK_REMOTE names, else embedded Sail."""
    from medallion.lakehouse import session

    yield session.session()
    session.close()


@pytest.fixture
def frame(spark: Any) -> Callable[..., Any]:
    """`frame("a string, b bigint", ("x", 1), ("y", 2))` is a DataFrame of these rows."""

    def make(schema: str, *rows: Sequence[Any]) -> Any:
        return spark.createDataFrame([tuple(row) for row in rows], schema)

    return make


@pytest.fixture
def deliver(spark: Any, tmp_path: Path) -> Callable[..., Any]:
    """`deliver({"leads.csv": "lead_id,...\\n..."})` runs the pipeline on files and gives result and lakehouse.

    Called again it is the next delivery into the same lakehouse; `now` moves the clock.
    """
    from medallion import pipeline
    from medallion.config import load
    from medallion.lakehouse.store import Lakehouse

    count = 0

    def run(
        files: dict[str, str | bytes], now: datetime = NOW, stages: Collection[str] = pipeline.BOTH, **settings: Any
    ) -> tuple[Any, Any]:
        nonlocal count
        count += 1
        folder = tmp_path / f"delivery_{count}"
        folder.mkdir()
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            (folder / name).write_bytes(data)
        lake = Lakehouse(str(tmp_path / "lakehouse"))
        result = pipeline.run(load(None, source=str(folder), lakehouse=lake.root, **settings), now, stages=stages)
        return result, lake

    return run


@pytest.fixture
def to_silver(deliver: Callable[..., Any]) -> Callable[..., Any]:
    """As `deliver`, without gold: for what is told of silver, which is half of the time."""
    from medallion import pipeline

    return partial(deliver, stages=[pipeline.BRONZE_TO_SILVER])


@pytest.fixture(scope="session")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], object]], Path]:
    """`built_once("sample", build)` is a folder as `build(folder)` fills it, which one worker does for all.

    Each worker has its own copy, so that no other one's test changes it. Read it, do not write to it.
    """
    from filelock import FileLock

    own, is_alone = tmp_path_factory.getbasetemp(), "PYTEST_XDIST_WORKER" not in os.environ
    built = own / "built" if is_alone else own.parent / "built"  # that of all workers
    built.mkdir(exist_ok=True)
    copies: dict[str, Path] = {}

    def folder(name: str, build: Callable[[Path], object]) -> Path:
        if name in copies:
            return copies[name]
        whole, done = built / name, built / f"{name}.done"
        with FileLock(built / f"{name}.lock"):
            if not done.exists():
                shutil.rmtree(whole, ignore_errors=True)  # of a worker whose build failed
                whole.mkdir()
                build(whole)
                done.touch()
        copies[name] = whole if is_alone else Path(shutil.copytree(whole, own / "built" / name))
        return copies[name]

    return folder


@pytest.fixture(scope="session")
def brought(spark: Any, built_once: Callable[..., Path]) -> Callable[..., Any]:
    """`brought("name", {"leads.csv": "lead_id,..."})` is a lakehouse with these exports, brought through once for all workers.

    Read it, do not write to it. A folder of exports may be in the place of the texts; `now` and settings are those of the run.
    """
    from medallion import pipeline
    from medallion.config import load
    from medallion.lakehouse.store import Lakehouse

    named: dict[str, object] = {}

    def lakehouse(name: str, exports: dict[str, str] | Path, now: datetime = NOW, **settings: Any) -> Any:
        of_name = (exports, now, settings)
        assert named.setdefault(name, of_name) == of_name, f"{name!r} stands for other exports or settings already"

        def build(folder: Path) -> None:
            source = exports if isinstance(exports, Path) else folder / "in"
            if not isinstance(exports, Path):
                source.mkdir()
                for file, text in exports.items():
                    (source / file).write_text(text)
            pipeline.run(load(None, source=str(source), lakehouse=str(folder / "lakehouse"), **settings), now)

        return Lakehouse(str(built_once(name, build) / "lakehouse"))

    return lakehouse


@pytest.fixture(scope="session")
def sample(brought: Callable[..., Any]) -> Any:
    """A lakehouse with the shipped sample in it. Read it, do not write to it."""
    return brought("sample", ROOT / "data")


@pytest.fixture(scope="session")
def two_reps(brought: Callable[..., Any]) -> Any:
    """A lakehouse with the exports of `two_reps`, with contacts, owners and quotas. Read it, do not write to it."""
    from two_reps import FILES

    return brought("two_reps", FILES)


@pytest.fixture
def own_sample(sample: Any, tmp_path: Path) -> Any:
    """A copy of `sample` at `deliver`'s place, to write to."""
    from medallion.lakehouse.store import Lakehouse

    return Lakehouse(str(shutil.copytree(sample.root, tmp_path / "lakehouse")))


@pytest.fixture
def dashboard() -> Iterator[Callable[..., Any]]:
    """`dashboard(lake, pii=True)` is a client of a dashboard, which ends with the test."""
    from contextlib import ExitStack

    from starlette.testclient import TestClient

    from medallion.config import load
    from medallion.dashboard import safety
    from medallion.dashboard.web import application
    from medallion.dashboard.web.options import Options

    with ExitStack() as stack:

        def open_(lake: Any, door: Any = None, **options: Any) -> Any:
            door = door or safety.Door(hosts=("testserver",))
            app = application(Options(load(None, lakehouse=lake.root), door, **options))
            return stack.enter_context(TestClient(app, follow_redirects=False))

        yield open_


@pytest.fixture
def rows(spark: Any) -> Callable[..., list[dict[str, Any]]]:
    """`rows(lake, "select ... from gold.deals")` are the rows of a query as dicts."""
    from medallion.lakehouse import query

    def select(lake: Any, sql: str) -> list[dict[str, Any]]:
        with query.connect(lake) as connection:
            return query.rows(connection, sql)

    return select


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Azurite on a port of its own; everything in this process and its children that talks to Azure talks to it."""
    import signal
    import socket
    import subprocess
    import time
    from urllib.request import urlopen

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    flags = ["--silent", "--disableTelemetry", "--inMemoryPersistence", "--skipApiVersionCheck"]
    server = subprocess.Popen(
        [
            str(ROOT / ".tools" / "azurite" / "node_modules" / ".bin" / "azurite-blob"),
            *flags,
            "--blobHost",
            "127.0.0.1",
            "--blobPort",
            str(port),
        ],
        cwd=tmp_path_factory.mktemp("azurite"),
        start_new_session=True,
    )
    before = {name: os.environ.get(name) for name in ("AZURE_STORAGE_USE_EMULATOR", "AZURITE_BLOB_STORAGE_URL")}
    os.environ.update(AZURE_STORAGE_USE_EMULATOR="true", AZURITE_BLOB_STORAGE_URL=url)
    for _ in range(150):
        try:
            urlopen(url, timeout=1)
        except OSError as error:
            if hasattr(error, "code"):  # it answers, if only to refuse
                break
            time.sleep(0.2)
    yield url
    os.killpg(server.pid, signal.SIGTERM)
    server.wait()
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})
