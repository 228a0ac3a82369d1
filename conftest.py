"""Gives the doctests of `medallion.columns` a session and a way to show a column."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import pytest

# workers share the cores: threads of one that wait for those of another made trainings twice as slow
os.environ.setdefault("OMP_NUM_THREADS", "1")
# the engine's allocator gives no memory back between small statements: a twentieth of a run of the pipeline
os.environ.setdefault("MIMALLOC_PURGE_DELAY", "-1")
# an installation has its modules compiled: rewriting all assertions takes ten seconds of each worker, and commands import
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
main = sys.modules["__main__"]
if not hasattr(main, "__file__"):  # a worker of pytest-xdist, which PySpark would take for its own doctests
    main.__file__ = __file__


@pytest.fixture(autouse=True)
def _vocabulary(request: pytest.FixtureRequest, doctest_namespace: dict[str, Any]) -> None:
    if not request.node.nodeid.startswith("src/medallion/columns.py"):
        return
    from medallion.lakehouse import session

    spark = session.session()

    def show(texts: list[str | None], function: Callable[[Any], Any]) -> list[Any]:
        from pyspark.sql import functions as F

        frame = spark.createDataFrame([(place, text) for place, text in enumerate(texts)], "n int, text string")
        found = frame.select("n", function(F.col("text")).alias("value")).orderBy("n").collect()
        return [str(row.value) if type(row.value).__name__ == "Decimal" else row.value for row in found]

    from pyspark.sql import functions as F

    doctest_namespace.update(show=show, F=F)
