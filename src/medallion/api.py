"""What Python code calls: the functions of `import medallion`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.config import load, utc_now
from medallion.errors import LakehouseError
from medallion.lakehouse import contracts_in_use
from medallion.lakehouse.store import Lakehouse

if TYPE_CHECKING:
    from medallion.pipeline.result import Result


def _load_client() -> None:
    """Load the client of Spark, which takes a process without a main file (`python -c`) for its own doctests and ends it."""
    main = sys.modules["__main__"]
    if main.__spec__ is None and not hasattr(main, "__file__") and not hasattr(sys, "ps1"):
        main.__file__ = "-c"
        try:
            import pyspark.sql.connect  # noqa: F401
        finally:
            del main.__file__


def run(
    source: str | None = None,
    lakehouse: str | None = None,
    *,
    config: Path | None = None,
    full_refresh: bool = False,
    **settings: Any,
) -> Result:
    """Bring new exports of a folder through bronze, silver and gold, as `medallion run` does.

    Args:
        source: Folder of exports; as the settings say by default.
        lakehouse: Where the tables are; as the settings say by default.
        config: Settings file; `config/config.yaml` by default, where there is one.
        full_refresh: Rebuild every table of gold.
        settings: Other settings, such as `as_of="2025-03-31"`.

    Returns:
        What happened to every row, and what is wrong with files: `result.wrong` is empty when every file was taken in.

    Raises:
        MedallionError: Something is wrong; `problem` says what and `remedy` what to do.
    """
    _load_client()
    from medallion import pipeline

    run_settings = load(config, source=source, lakehouse=lakehouse, **settings)
    return pipeline.run(run_settings, utc_now(), full_refresh=full_refresh)


def open(lakehouse: str | None = None, *, config: Path | None = None) -> Lakehouse:  # noqa: A001
    """The lakehouse of a folder, an address or a catalog, to read with `query.connect`.

    Raises:
        LakehouseError: There is none.
    """
    lake = Lakehouse(load(config, lakehouse=lakehouse).with_own_metrics().lakehouse)
    if not lake.tables():
        raise LakehouseError(f"{lake.root}: there is no lakehouse here", "Run `medallion run` first.")
    contracts_in_use.for_readers(lake)
    return lake
