"""What notebooks and scripts share: settings as widgets or options, errors in words, the sample where nothing is yet."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from medallion import pipeline
from medallion.config import Settings, load, utc_now
from medallion.errors import LakehouseError, MedallionError
from medallion.lakehouse.store import Lakehouse
from medallion.log import one_line, plain
from medallion.pipeline.result import Result

#: Parameters of every notebook, empty for what config.yaml or the default says.
PARAMETERS = {
    "source": "folder of CRM exports",
    "lakehouse": "folder of the tables",
    "as_of": "latest, today or a date",
    "models": "folder of the models",
    "contract": "contract files that override the shipped ones, separated by commas",
    "config": "settings file",
    "out": "folder to write files into, where the notebook writes any",
}


def settings(names: Mapping[str, Any]) -> Settings:
    """The settings that the notebook was given.

    Args:
        names: The notebook's `globals()`; with `dbutils` in it, widgets are made and read.

    Raises:
        ContractError: A value is wrong.
    """
    if "dbutils" not in names:
        in_words()
    given = _given(names)
    contracts = tuple(Path(item.strip()) for item in given["contract"].split(",") if item.strip())
    config = Path(given["config"]) if given["config"] else None
    overrides = {name: given[name] or None for name in ("source", "lakehouse", "as_of", "models")}
    return load(config, contracts=contracts or None, **overrides).with_own_metrics()


def in_words() -> None:
    """From now on end with the message of an error that the user can put right, instead of its traceback."""
    sys.excepthook = _in_words


def _in_words(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if isinstance(error, MedallionError):
        print(f"Error: {plain(str(error))}", file=sys.stderr)  # noqa: T201
    else:
        sys.__excepthook__(kind, error, trace)


def need_silver(settings: Settings) -> None:
    """Refuse to compute gold from nothing.

    Raises:
        LakehouseError: Nothing was brought to silver yet.
    """
    if not _has(settings, "silver"):
        raise LakehouseError(
            f"{settings.lakehouse}: nothing is in silver yet",
            "Run notebooks/01_bronze_to_silver.py first, or check the lakehouse.",
        )


def bring_to_gold(names: Mapping[str, Any], settings: Settings) -> None:
    """Run what is missing of the pipeline, for a script whose lakehouse has no gold yet.

    On Databricks the job's tasks do this, and a lakehouse without gold is a mistake: nothing is run there. Ends with
    status 1 where something is wrong with files, as `medallion run` does.

    Args:
        names: The notebook's `globals()`.
        settings: Where from and where to.
    """
    if "dbutils" in names or (_has(settings, "silver") and _has(settings, "gold")):
        return
    tell(f"{settings.lakehouse}: no gold tables yet, so {settings.source} is brought there first.")
    result = pipeline.run(settings, utc_now(), say)
    tell_wrong(result)
    if result.wrong:
        raise SystemExit(1)


def tell(text: str) -> None:
    """Print a line without what would steer a terminal; texts of files are never printed past this."""
    print(one_line(text))  # noqa: T201


def tell_wrong(result: Result) -> None:
    """Print what is wrong with files."""
    for label, refusal in result.wrong:
        tell(f"{label}: {refusal.problem} {refusal.remedy}")


def _has(settings: Settings, layer: str) -> bool:
    return any(name.startswith(f"{layer}.") for name in Lakehouse(settings.lakehouse).tables())


def out(names: Mapping[str, Any], default: str) -> Path:
    """The folder that the notebook writes files into, `default` unless it was given one."""
    return Path(_given(names)["out"] or default)


def show(names: Mapping[str, Any], path: Path) -> None:
    """Print a file that quotes records; not on Databricks, where whoever may see a job sees what it prints."""
    if "dbutils" not in names:
        print(path.read_text(encoding="utf-8"))  # noqa: T201


def _given(names: Mapping[str, Any]) -> dict[str, str]:
    return _widgets(names["dbutils"]) if "dbutils" in names else _options()


def _widgets(dbutils: Any) -> dict[str, str]:
    for name, label in PARAMETERS.items():
        dbutils.widgets.text(name, "", label)
    return {name: dbutils.widgets.get(name) for name in PARAMETERS}


def _options() -> dict[str, str]:
    parser = argparse.ArgumentParser()
    for name, label in PARAMETERS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", dest=name, default="", help=label)
    return vars(parser.parse_args())


def say(name: str, seconds: float | None) -> None:
    """Print a finished step, for `pipeline.run(report=...)`."""
    if seconds is not None:
        tell(f"{seconds:7.2f} s  {name}")
