"""The real argument parser of the Azure CLI in front of nothing: parse, log, answer from a small script.

Run by a Python that has azure-cli; unknown commands, unknown options and values outside an enumeration end with 2, as
in the real one. AZ_LOG names the file that the accepted command lines are appended to, one JSON list a line.
AZ_GROUP_EXISTS=true lets `az group exists` say so.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

os.environ.update(AZURE_CORE_COLLECT_TELEMETRY="no", AZURE_EXTENSION_USE_DYNAMIC_INSTALL="no")
os.environ.setdefault("AZURE_CONFIG_DIR", tempfile.mkdtemp(prefix="az-"))

from azure.cli.core import get_default_cli
from azure.cli.core.commands import AzCliCommandInvoker


def _answer(self: AzCliCommandInvoker, jobs: list, ids: list) -> tuple[list, list]:
    """In place of running: by now the line has been parsed and its values checked."""
    words = sys.argv[1:]
    with Path(os.environ["AZ_LOG"]).open("a", encoding="utf-8") as log:
        log.write(json.dumps(words) + "\n")
    if words[:2] == ["group", "exists"]:
        print(os.environ.get("AZ_GROUP_EXISTS", "false"))
    return [{}], []


AzCliCommandInvoker._run_jobs_serially = _answer
AzCliCommandInvoker._run_jobs_concurrently = _answer

if __name__ == "__main__":
    sys.exit(get_default_cli().invoke(sys.argv[1:]))
