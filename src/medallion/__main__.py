"""``python -m medallion`` is the ``medallion`` command."""

from __future__ import annotations

import atexit
import os
import sys

from medallion.cli import main


def run() -> None:
    """The command as a process, which ends as soon as all is written.

    Python would look for garbage once more in modules, contracts and plans, a third of a second, though the system takes
    the memory back as a whole.
    """
    status = 0
    try:
        main()
    except SystemExit as end:
        if isinstance(end.code, str):
            raise
        status = end.code or 0
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # nobody reads on
            status = status or 1
        except (AttributeError, ValueError):  # there is none, or a server has closed it
            continue
    os._exit(status)


if __name__ == "__main__":
    run()
