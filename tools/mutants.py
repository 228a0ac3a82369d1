# /// script
# requires-python = ">=3.11"
# dependencies = ["cosmic-ray==8.7.0"]
# ///
"""Mutants of the code that decides meaning: single changes to it that the tests of its area do or do not notice.

Cosmic Ray makes the mutants and runs the tests of their area in `mutants.toml` on each, in a temporary copy of the
checkout and with a time limit. `uv run --script` gives it an environment of its own: `just mutants [area] [count] [seed]`.
"""

import ast
import math
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from cosmic_ray.commands import init
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.work_db import use_db
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkerOutcome, WorkResult

ROOT = Path(__file__).resolve().parents[1]
AREAS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
#: What replaces an operator: its neighbor and its opposite. All that Cosmic Ray has, such as `<<` for `-`, fail at once.
_REPLACED = (
    *("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "FloorDiv_Div", "Mod_FloorDiv", "BitAnd_BitOr", "BitOr_BitAnd"),
    *("Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is"),
    *("Lt_LtE", "Lt_GtE", "LtE_Lt", "LtE_Gt", "Gt_GtE", "Gt_LtE", "GtE_Gt", "GtE_Lt"),
    *("Delete_Not", "Delete_Invert", "Delete_USub"),
)


def without_meaning(source: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Spans in which a mutant is hardly another program: annotations, decorators (`frozen=True`), and `strict=` of a zip."""
    nodes: list[ast.AST | None] = []
    for node in ast.walk(ast.parse(source)):
        nodes += getattr(node, "decorator_list", [])
        nodes += [getattr(node, "annotation", None), getattr(node, "returns", None)]
        nodes += [node.value] if isinstance(node, ast.keyword) and node.arg == "strict" else []
    return [
        ((node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0))
        for node in nodes
        if isinstance(node, ast.expr)
    ]


def mutants(sources: list[str]) -> list[MutationSpec]:
    """All mutants of the files that patterns name, in the order of their lines."""
    files = sorted(file for pattern in sources for file in Path().glob(pattern))
    spans = {file: without_meaning(file.read_text(encoding="utf-8")) for file in files}
    with tempfile.TemporaryDirectory() as folder, use_db(Path(folder, "session.sqlite")) as session:
        init(files, session, {})
        possible = [mutation for item in session.work_items for mutation in item.mutations]

    def wanted(mutation: MutationSpec) -> bool:
        kind, _, replaced = mutation.operator_name.removeprefix("core/").partition("Operator_")
        if kind == "RemoveDecorator" or (kind.startswith("Replace") and replaced and replaced not in _REPLACED):
            return False
        return not any(start <= mutation.start_pos <= end for start, end in spans[mutation.module_path])

    order = {file: place for place, file in enumerate(files)}
    return sorted(
        filter(wanted, possible), key=lambda m: (order[m.module_path], m.start_pos, m.operator_name, m.occurrence)
    )


def copied(folder: Path) -> None:
    """Copy what git would add, with what is not committed, so that a run that is killed leaves the checkout alone."""
    listed = subprocess.check_output(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, text=True)  # noqa: S607
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def shown(mutation: MutationSpec, result: WorkResult) -> str:
    """A survivor: its file and line, what was replaced, and the lines before and after."""
    lines = [line for line in (result.diff or "").splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    name = mutation.operator_name.removeprefix("core/")
    return "\n".join([f"{mutation.module_path}:{mutation.start_pos[0]}  {name}", *(f"    {line}" for line in lines)])


def outcomes(area: str, count: str, seed: str) -> Iterator[str]:
    """Run the tests of an area on its mutants, or a sample of them, and give the outcome of each."""
    command = f"{ROOT / '.venv/bin/python'} -m pytest -n 0 -x --tb=no {shlex.join(AREAS[area]['tests'])}"
    start = time.monotonic()
    before = subprocess.run(shlex.split(command), capture_output=True, text=True, check=False)
    if before.returncode:
        sys.exit(f"{area}: the tests fail without a mutant\n{before.stdout}{before.stderr}")
    seconds = time.monotonic() - start
    limit = math.ceil(3 * seconds) + 10
    every = mutants(AREAS[area]["sources"])
    number = len(every) if count == "all" else min(int(count), len(every))
    chosen = random.Random(f"{seed} {area}").sample(every, number)  # noqa: S311
    print(
        f"== {area}: {number} of {len(every)} mutants; the tests take {seconds:.0f} s, a mutant has {limit} s",
        flush=True,
    )
    for mutation in chosen:
        result = mutate_and_test([mutation], command, limit)
        if result.worker_outcome is not WorkerOutcome.NORMAL:
            continue  # Cosmic Ray has no mutant of the name with a dot in `except duckdb.Error`
        if result.test_outcome is TestOutcome.SURVIVED:
            print(f"\n{shown(mutation, result)}", flush=True)
            yield "survived"
        else:
            yield "timeout" if result.output == "timeout" else "killed"


def main(area: str, count: str, seed: str) -> None:
    """Print the survivors of an area or of all areas, and a table of scores, also of a run that is ended early."""
    if area != "all" and area not in AREAS:
        sys.exit(f"{area!r} is no area. Areas: all, {', '.join(AREAS)}.")
    counts = {name: Counter[str]() for name in AREAS if area in ("all", name)}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copied(Path(folder))
        os.chdir(folder)
        os.environ |= {"PYTHONPATH": str(Path(folder, "src")), "CI": "true"}
        # compiled once; by content, since a mutant may be as long as its original and written in the same second
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        subprocess.check_call(
            [ROOT / ".venv/bin/python", "-m", "compileall", "-q", "--invalidation-mode", "checked-hash", "src"]
        )
        try:
            for name, counted in counts.items():
                for outcome in outcomes(name, count, seed):
                    counted[outcome] += 1
        finally:
            os.chdir(ROOT)
            print(
                "\n" + "".join(f"{head:<12}" for head in ("area", "mutants", "killed", "timeout", "survived", "score"))
            )
            for name, counted in counts.items():
                score = f"{1 - counted['survived'] / counted.total():.0%}" if counted else "-"
                numbers = (counted.total(), counted["killed"], counted["timeout"], counted["survived"], score)
                print("".join(f"{cell:<12}" for cell in (name, *numbers)))


if __name__ == "__main__":
    main(*sys.argv[1:])
