"""A model trained on a simulated world, as files for people, and its scores compared with the known truth.

The files are the safe ones that the product loads, and a pickle for those who expect one.
"""

from __future__ import annotations

import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from medallion import pipeline
from medallion.config import Settings, end_of_day, load
from medallion.errors import MedallionError
from medallion.lakehouse import query
from medallion.lakehouse.store import Lakehouse
from medallion.learning import train
from medallion.pipeline import models
from medallion.pipeline.steps import Report
from medallion.scoring import registry
from medallion.simulate import World, simulate
from medallion.simulate.world import Floats

PICKLE = "lead_scoring_model.pkl"
_TEXTS = ("evaluation.json", "model_card.md", "reliability.svg")


def publish(entry: registry.Entry, folder: Path) -> list[Path]:
    """Write a registered model into a folder as its only one; gives the files.

    `champion.json` and `<version>/` are a registry that `--models` takes. `lead_scoring_model.pkl` holds the same model
    with `predict_proba`; nothing here ever reads it back.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in registry.versions(folder):
        shutil.rmtree(folder / old)
    target = folder / entry.scorer.version
    target.mkdir()
    for name in ("model.json", "model.ubj"):
        if (entry.folder / name).is_file():
            shutil.copyfile(entry.folder / name, target / name)
    for name in _TEXTS:
        (folder / name).unlink(missing_ok=True)
        if (entry.folder / name).is_file():
            shutil.copyfile(entry.folder / name, folder / name)
    registry.crown(folder, entry.scorer.version)
    (folder / PICKLE).write_bytes(pickle.dumps(replace(entry.scorer), protocol=5))
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc"))


def train_on_simulation(
    work: Path,
    customers: int,
    days: int,
    seed: int,
    report: Report = lambda name, seconds: None,
) -> registry.Entry:
    """Simulate a world, take it through the pipeline and train on it; gives the model that earned its place.

    Args:
        work: Folder for exports and lakehouse, `exports` and `lake`; both must be new.
        customers: Size of the world.
        days: Length of the world, to 30 June 2025.
        seed: Of the world.
        report: Is told of each step.

    Raises:
        MedallionError: No model earned its place.
    """
    world = World(customers=customers, days=days, seed=seed)
    settings = _brought_in(work, world, report)
    outcome = train.train(settings, end_of_day(world.last_day), report)
    entry = models.champion(settings)
    if entry is None:
        raise MedallionError(f"No model earned its place: {outcome.reason}", "Simulate a larger or longer world.")
    return entry


def against_truth(
    work: Path, models: Path, customers: int, seed: int, report: Report = lambda name, seconds: None
) -> dict[str, Any]:
    """Score the open deals of a simulated world with the model of a registry, and compare with the truth.

    Args:
        work: New folder for exports and lakehouse.
        models: The registry.
        customers: Size of the world, of two years.
        seed: Of the world.
        report: Is told of each step.

    Raises:
        LakehouseError: The model cannot be used.
        MedallionError: There is none.
    """
    entry = registry.champion(models)
    if entry is None:
        raise MedallionError(f"{models}: there is no model", "Train one, or name another folder.")
    world = World(customers=customers, days=730, seed=seed)
    settings = _brought_in(work, world, report, models=str(models))
    return {
        "model": entry.scorer.version,
        "trained_on": entry.scorer.trained_on,
        "world": {"customers": customers, "days": world.days, "seed": seed},
        **held_against_truth(Path(settings.lakehouse), work / "exports"),
    }


def held_against_truth(lake: Path, exports: Path) -> dict[str, Any]:
    """Figures of the last scores of a lakehouse against `truth.parquet` of the simulation it came from."""
    with query.connect(Lakehouse(str(lake)), layers=["gold"]) as connection:
        columns = connection.execute(
            "select t.probability as truth, s.probability as forecast from gold.lead_scores s join read_parquet($1) t "
            "using (lead_id) qualify row_number() over (partition by lead_id order by s.known_as_of desc) = 1 "
            "order by lead_id",
            [str(exports / "truth.parquet")],
        ).fetchnumpy()
    truth, forecast = columns["truth"], columns["forecast"]
    return {
        "open_deals": len(truth),
        "roc_auc": round(expected_auc(truth, forecast), 4),
        "roc_auc_of_the_oracle": round(expected_auc(truth, truth), 4),
        "ece": round(expected_calibration_error(truth, forecast), 4),
        "mean_forecast": round(float(forecast.mean()), 4),
        "mean_truth": round(float(truth.mean()), 4),
    }


def expected_auc(truth: Floats, forecast: Floats) -> float:
    """ROC-AUC to be expected when each deal is won with its true probability; ties of the forecast count half.

    Args:
        truth: True probability per deal.
        forecast: Forecast per deal; the truth itself gives the oracle's.
    """
    order = np.argsort(forecast, kind="stable")
    p, q = truth[order], forecast[order]
    _, first, counts = np.unique(q, return_index=True, return_counts=True)
    lost = 1 - p
    before = np.concatenate([[0.0], np.cumsum(lost)])
    below, tied = before[first], before[first + counts] - before[first]
    won = np.add.reduceat(p, first)
    # a deal is not compared with itself
    itself = float((p * lost).sum())
    pairs = float(p.sum() * lost.sum()) - itself
    return float((won * (below + tied / 2)).sum() - itself / 2) / pairs


def expected_calibration_error(truth: Floats, forecast: Floats, bins: int = 10) -> float:
    """Mean distance of forecast and truth over bins of equal size, sorted by the forecast."""
    parts = np.array_split(np.argsort(forecast, kind="stable"), bins)
    return float(
        sum(abs(truth[part].mean() - forecast[part].mean()) * len(part) for part in parts if len(part)) / len(truth)
    )


def _brought_in(work: Path, world: World, report: Report, **settings: Any) -> Settings:
    """A simulated world in a lakehouse, known from the end of its last day on, whenever this runs."""
    simulate(world, work / "exports")
    found = load(
        None,
        source=str(work / "exports"),
        lakehouse=str(work / "lake"),
        as_of=world.last_day.isoformat(),
        **settings,
    )
    pipeline.run(found, end_of_day(world.last_day), report)
    return found
