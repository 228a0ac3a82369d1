"""What a wheel task of a Databricks job calls: the `medallion` command, ending as such a task has to.

A task counts as failed when its function raises, and `SystemExit` counts as raising even with status 0; so this returns
on success and raises on anything else, with the message that a terminal would show.
"""

from __future__ import annotations

import sys

from medallion.cli import app
from medallion.errors import MedallionError


def main() -> None:
    """Run `medallion` with the parameters of the task.

    Raises:
        MedallionError: The command failed; the message says why.
    """
    status = app(sys.argv[1:], standalone_mode=False)
    if status:
        raise MedallionError(
            f"medallion {' '.join(sys.argv[1:2])} ended with status {status}", "What it printed says why."
        )
