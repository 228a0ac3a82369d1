"""The command `medallion demo`."""

from __future__ import annotations

import json
import shlex
import shutil
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import typer

from medallion import pipeline, simulate
from medallion.care import status
from medallion.cli.command import Call, command, group
from medallion.config import Settings, utc_now
from medallion.errors import MedallionError, look_for
from medallion.figures import count, duration, money, percent
from medallion.lakehouse.store import Lakehouse
from medallion.learning import forecasts
from medallion.pipeline.steps import Steps

app = group()

#: The simulated company. Its last day is in the middle of a quarter, so that the quarter has won deals, open ones and a
#: quota beside its forecast.
WORLD = simulate.World(customers=3000, days=731, seed=7, last_day=date(2025, 5, 15))
#: The file that marks a folder as a demo.
MARKER, MADE_BY = "demo.json", "medallion demo"
#: What the demo writes beside its marker, and all that `--force` deletes.
EXPORTS, LAKEHOUSE = "exports", "lakehouse"
#: A question that the demo answers.
QUESTION = "What is the win rate by source?"


@command(
    app,
    examples=(
        "`medallion demo` · then `medallion dashboard --lakehouse demo/lakehouse --open`",
        "`medallion demo --out elsewhere --force` · again, in place of the one that is there",
    ),
    lakehouse=False,
)
def demo(
    call: Call,
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("demo"),
    force: Annotated[bool, typer.Option("--force", help="Replace a demo that is there.")] = False,
) -> None:
    """Make a simulated company of 3,000 accounts to look around in: two years of deals, loaded, scored and forecast."""
    look_for("sail,ml,dashboard", "The demo", "pysail", "sklearn", "xgboost", "starlette")
    begun = perf_counter()
    make_room(out, force)
    with call.steps() as report:
        result = make(out, Steps(report))
    result["seconds"] = round(perf_counter() - begun, 1)
    call.answer(result, lambda: _show(call, result))


def make_room(out: Path, force: bool) -> None:
    """Make the folder and mark it as a demo; with `force` what an earlier demo wrote is deleted, and nothing else.

    Raises:
        MedallionError: Something else is there, or a demo and no `force`.
    """
    if out.exists() and not out.is_dir():
        raise MedallionError(f"{out}: is not a folder", "Name a folder with --out.")
    if out.is_dir() and any(out.iterdir()):
        if not _is_demo(out / MARKER):
            raise MedallionError(f"{out}: is not empty, and not a demo", "Name another folder with --out.")
        if not force:
            raise MedallionError(
                f"{out}: has a demo already",
                f"Open it with `{_there(out).typed('dashboard --open')}`, or replace it with --force.",
            )
        for name in (EXPORTS, LAKEHOUSE):
            if (out / name).exists():
                shutil.rmtree(out / name)
    out.mkdir(parents=True, exist_ok=True)
    marks = {"made_by": MADE_BY, "customers": WORLD.customers, "days": WORLD.days, "seed": WORLD.seed}
    (out / MARKER).write_text(json.dumps(marks, indent=2) + "\n", encoding="utf-8")


def _is_demo(marker: Path) -> bool:
    try:
        content = json.loads(marker.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("made_by") == MADE_BY


def make(out: Path, steps: Steps) -> dict[str, Any]:
    """Simulate the company, load its exports, learn, score and forecast; gives what there is to see.

    Raises:
        MedallionError: The machine lacks space or memory, or another command writes there.
    """
    from medallion.learning import train  # it loads the engine, which `--help` has no need of

    settings = Settings(source=str(out / EXPORTS), lakehouse=str(out / LAKEHOUSE))
    with steps.step("simulate a company, and write its exports"):
        simulate.simulate(WORLD, out / EXPORTS, "some", people=True)
    with steps.step("load them through bronze, silver and gold"):
        loaded = pipeline.run(settings, utc_now())
    with steps.step("learn when deals are won"):
        learned = train.train(settings, utc_now(), kinds=("logistic",))  # trees take a minute, and find nothing here
    with steps.step("score the open deals"):
        pipeline.run(settings, utc_now(), stages=[pipeline.SILVER_TO_GOLD])
    with steps.step("forecast the quarter"):
        quarter = forecasts.make(settings, utc_now())
    lake = Lakehouse(settings.lakehouse)
    figures = status.insights(lake)
    best = status.scores(lake, 1)["deals"]
    return {
        "folder": str(out),
        "as_of": quarter.as_of,
        "rows_read": sum(account["rows_read"] for account in loaded.accounts),
        "quarantined": sum(account["quarantined"] for account in loaded.accounts),
        "revenue": figures["revenue"],
        "open_pipeline": figures["open_pipeline"],
        "win_rate": figures["win_rate"],
        "model": learned.version if learned.promoted else None,
        "quarter": quarter.period.name,
        "forecast": {name: quarter.total[name] for name in ("expected", "low_80", "high_80", "won", "quota")},
        "best_deal": best[0]["lead_id"] if best else None,
        "its_owner": best[0]["owner"] if best else None,
    }


def _show(call: Call, result: dict[str, Any]) -> None:
    """Show the figures of the demo, and what to try next."""

    def amount(value: Any) -> str:
        return money(value, "USD")

    ahead, quota = result["forecast"], result["forecast"]["quota"]
    call.records(
        f"A simulated company as of {result['as_of']}: {count(WORLD.customers, 'account')}, {WORLD.days // 365} years of deals",
        [
            {"figure": "Revenue", "value": amount(result["revenue"])},
            {"figure": "Open pipeline", "value": amount(result["open_pipeline"])},
            {"figure": "Win rate", "value": percent(result["win_rate"])},
            {"figure": f"Won in {result['quarter']} so far", "value": amount(ahead["won"])},
            {
                "figure": f"Forecast of {result['quarter']}",
                "value": f"{amount(ahead['expected'])} (80%: {amount(ahead['low_80'])} to {amount(ahead['high_80'])})",
            },
            *([] if quota is None else [{"figure": f"Quota of {result['quarter']}", "value": amount(quota)}]),
            {"figure": "Model", "value": result["model"] or "none: rates by age and stage"},
            {"figure": "Records refused", "value": f"{count(result['quarantined'])} of {count(result['rows_read'])}"},
        ],
    )
    call.say(f"Made in {duration(result['seconds'])}, in {result['folder']}. To remove it, delete that folder.", "")
    best = [f"explain {result['best_deal']}"] if result["best_deal"] else []
    whose = f" --owner {shlex.quote(result['its_owner'])}" if result["its_owner"] else ""
    _there(Path(result["folder"])).next(
        "dashboard --open", f"plan{whose} --capacity 3", f"ask '{QUESTION}'", *best, "quarantine list"
    )


def _there(out: Path) -> Call:
    """A call of a command on the lakehouse of a demo."""
    return Call(path=str(out / LAKEHOUSE))
