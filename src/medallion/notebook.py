"""Settings for a notebook: widgets on Databricks, options when it runs as a plain script."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medallion.config import Settings, load

#: Parameters of every notebook, empty for what config.yaml or the default says.
PARAMETERS = {
    "source": "folder of CRM exports",
    "lakehouse": "folder of the tables",
    "as_of": "latest, today or a date",
    "contract": "contract files laid over the shipped ones, separated by commas",
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
    given = _given(names)
    contracts = tuple(Path(item.strip()) for item in given["contract"].split(",") if item.strip())
    config = Path(given["config"]) if given["config"] else None
    overrides = {name: given[name] or None for name in ("source", "lakehouse", "as_of")}
    return load(config, contracts=contracts or None, **overrides)


def out(names: Mapping[str, Any], default: str) -> Path:
    """The folder that the notebook writes files into, `default` unless it was given one."""
    return Path(_given(names)["out"] or default)


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
        print(f"{seconds:7.2f} s  {name}")  # noqa: T201
