"""Runs one task of the job in this environment the way Databricks does, with a stand-in for its notebook tools.

usage: run_task.py JOB.json TASK PARAMETERS.json. A notebook sees the job's parameters as widgets; a wheel task is the
entry point of the installed package, called in this process. Anything raised, SystemExit too, is a failure.
"""

from __future__ import annotations

import json
import re
import sys
from importlib.metadata import distribution
from pathlib import Path
from typing import Any


class Widgets:
    """`dbutils.widgets`: values of the job win over defaults."""

    def __init__(self, given: dict[str, str]) -> None:
        self.given, self.known = given, dict[str, str]()

    def text(self, name: str, default: str, label: str = "") -> None:
        """Declare a widget."""
        self.known[name] = self.given.get(name, default)

    def get(self, name: str) -> str:
        """Its value."""
        return self.known[name]


def main(job: dict[str, Any], key: str, given: dict[str, str]) -> None:
    """Run a task of a job."""
    (task,) = [task for task in job["tasks"] if task["task_key"] == key]
    values = {item["name"]: item["default"] for item in job["parameters"]} | given
    if notebook := task.get("notebook_task"):
        path = Path(notebook["notebook_path"])
        tools = type("DbUtils", (), {"widgets": Widgets(values | notebook.get("base_parameters", {}))})
        exec(compile(path.read_text(), str(path), "exec"), {"dbutils": tools, "__name__": "__main__"})  # noqa: S102
        return
    wheel = task["python_wheel_task"]
    fill = re.compile(r"\{\{job\.parameters\.(\w+)\}\}")
    sys.argv = [wheel["entry_point"], *(fill.sub(lambda m: values[m[1]], text) for text in wheel["parameters"])]
    (entry_point,) = distribution(wheel["package_name"]).entry_points.select(name=wheel["entry_point"])
    entry_point.load()()


if __name__ == "__main__":
    try:
        main(json.loads(Path(sys.argv[1]).read_text()), sys.argv[2], json.loads(sys.argv[3]))
    except BaseException as error:  # noqa: BLE001
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(9)
