"""The environment of the bundle's job: what serverless compute brings, then the job's own dependencies, and nothing else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from medallion.deploy import databricks
from medallion.errors import MedallionError

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
#: Packages of the platform, and the client that stands in for its own.
BROUGHT = (ROOT / "config" / "databricks_environment.txt", HERE / "serverless.txt")
#: The Python of serverless environment 5.
PYTHON = "3.12"
_PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)==([\w.!+]+)", re.MULTILINE)


def make(job: dict[str, Any], folder: Path, brought: Iterable[Path] = BROUGHT, more: Iterable[str] = ()) -> Path:
    """Make the environment in a new folder, with the wheel built from the tree; gives its interpreter.

    Args:
        job: The job, as `bundle.load` reads it.
        folder: Where it is made.
        brought: Requirements of what is there before the job's own dependencies are installed.
        more: Further requirements, such as an embedded engine.

    Raises:
        MedallionError: There is no such Python, or a package cannot be installed, or the job replaces one of the platform.
    """
    python = _empty(folder / "env")
    before = [f"-r{path}" for path in brought]
    if before:
        _install(python, before, "what the platform brings")
    wheel, wanted = databricks.build_wheel(ROOT, folder / "dist"), list[str]()
    for dependency in dict.fromkeys(_dependencies(job)):
        wanted.append(str(wheel) if dependency.endswith(".whl") else dependency.replace("-r ", "-r", 1))
    _install(python, [*wanted, *more], "the job's dependencies")
    if replaced := _replaced(python, brought):
        raise MedallionError(
            f"The job replaces packages that the platform's own client needs: {', '.join(replaced)}", "Run `just lock`."
        )
    return python


def _dependencies(job: dict[str, Any]) -> Iterable[str]:
    return (text for item in job["environments"] for text in item["spec"]["dependencies"])


def _uv(*arguments: str) -> subprocess.CompletedProcess[str]:
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv") or "uv"
    return subprocess.run([uv, *arguments], capture_output=True, text=True, check=False)


def _empty(folder: Path) -> Path:
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for candidate in (PYTHON, *sorted(map(str, versions.glob(f"{PYTHON}*/bin/python")))):
        if _uv("venv", "-q", "--no-python-downloads", "--python", candidate, str(folder)).returncode == 0:
            return folder / "bin" / "python"
    raise MedallionError(f"There is no Python {PYTHON} on this machine", "Install it; serverless environment 5 has it.")


def _install(python: Path, wanted: Iterable[str], what: str) -> None:
    done = _uv("pip", "install", "-q", "--python", str(python), *wanted)
    if done.returncode:
        raise MedallionError(f"Cannot install {what}: {done.stderr.strip()}", "See config/requirements.databricks.txt.")


def _replaced(python: Path, brought: Iterable[Path]) -> list[str]:
    """Packages of the platform that have another version after the job's own dependencies were installed."""
    there = dict(_PIN.findall(_uv("pip", "freeze", "--python", str(python)).stdout))
    pins = (pin for path in brought for pin in _PIN.findall(path.read_text(encoding="utf-8")))
    return [f"{name} {version} by {there.get(name)}" for name, version in pins if there.get(name) != version]
