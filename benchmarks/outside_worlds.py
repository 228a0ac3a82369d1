"""Scores and forecasts against the truth of worlds that nobody fitted them to (`tests/worlds`).

    python benchmarks/outside_worlds.py --world hazards committee --seeds 1-5

Per world and seed: write exports, run, train, score, all by the command line; then compare with the true probability of
every open deal, and with what came. Seeds 1 to 49 are for development; seeds from 1000 are not used for tuning.
How near one can come depends on how much there is to learn from: XGBoost with every signal that counts, owners among
them, stays .045 (hazards) and .026 (committee) in AUC behind the oracle with 3,000 accounts, and .03 and .015 with 10,000.
`--quarters 4` does the same at four earlier days, a month into a quarter each, and counts how often the revenue of
the quarter falls within the forecast's intervals, where the command `medallion forecast` is there. `--world leadforge`
needs a Python that has leadforge, `--forge PATH`.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent / "tests"
RESULT = HERE / "results" / "outside_worlds.json"
MODULES = {"hazards": "worlds.hazards", "committee": "worlds.committee", "leadforge": "worlds.leadforge_world"}
sys.path.append(str(TESTS))
from worlds import crm  # noqa: E402, no part of the package


def medallion(*words: str | Path) -> tuple[int, Any]:
    """Exit status and document of a command; the text of what it said where there is no document."""
    done = subprocess.run(
        [sys.executable, "-m", "medallion", *map(str, words), "--json"], capture_output=True, text=True, check=False
    )
    try:
        return done.returncode, json.loads(done.stdout)
    except json.JSONDecodeError:
        return done.returncode, (done.stderr or done.stdout).strip()[-600:]


@cache
def _options(command: str) -> str:
    """Help of a command, to see what this version has."""
    done = subprocess.run(
        [sys.executable, "-m", "medallion", command, "--help"], capture_output=True, text=True, check=False
    )
    return done.stdout


def known_at(last: date) -> list[str]:
    """The option that says when a delivery became known: the end of its last day. Empty where there is none."""
    return ["--known-at", last.isoformat()] if "--known-at" in _options("run") else []


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# What a forecast is worth


def expected_auc(truth: np.ndarray, forecast: np.ndarray) -> float:
    """P(a deal that is won has the higher forecast than one that is not), over the true probabilities; ties count half."""
    order = np.argsort(forecast, kind="stable")
    won, values = truth[order], forecast[order]
    lost = 1 - won
    first = np.flatnonzero(np.r_[True, np.diff(values) > 0])
    groups = np.repeat(np.arange(len(first)), np.diff(np.r_[first, len(values)]))
    within = np.bincount(groups, lost)
    below = np.cumsum(within) - within
    pairs = (won * (below[groups] + 0.5 * (within[groups] - lost))).sum()
    return float(pairs / (won.sum() * lost.sum() - (won * lost).sum()))


def slope(truth: np.ndarray, forecast: np.ndarray) -> float:
    """Slope of the logistic recalibration of a forecast; above 1 where probabilities are squeezed together."""
    x = np.log(forecast / (1 - forecast))
    design, beta = np.stack([np.ones_like(x), x], axis=1), np.array([0.0, 1.0])
    for _ in range(50):
        p = 1 / (1 + np.exp(-design @ beta))
        step = np.linalg.solve((design * (p * (1 - p))[:, None]).T @ design, design.T @ (truth - p))
        beta = beta + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-8:
            break
    return float(beta[1])


def against_truth(truth: dict[str, float], deals: list[dict[str, Any]]) -> dict[str, Any]:
    """Forecasts of the open deals compared with their true probabilities."""
    known = [deal for deal in deals if deal["lead_id"] in truth and deal["probability"]]
    p = np.array([truth[deal["lead_id"]] for deal in known])
    q = np.clip(np.array([float(deal["probability"]) for deal in known]), 1e-4, 1 - 1e-4)
    low, high = (np.array([float(deal[f"probability_{end}"]) for deal in known]) for end in ("low", "high"))
    order = np.argsort(q, kind="stable")
    parts = np.array_split(order, 10)
    tiers: dict[Any, list[int]] = defaultdict(list)
    for i, deal in enumerate(known):
        tiers[deal["tier"]].append(i)
    groups = [np.array(rows) for tier, rows in tiers.items() if tier]
    # The interval of a deal is that of the level of its tier: it should hold the mean truth of the tier.
    held = [bool(low[g].mean() <= p[g].mean() <= high[g].mean()) for g in groups]
    ours, best = expected_auc(p, q), expected_auc(p, p)
    return {
        "open_deals": len(deals),
        "compared": len(known),
        "auc": round(ours, 4),
        "auc_oracle": round(best, 4),
        "gap": round(best - ours, 4),
        "ece": round(sum(len(g) * abs(q[g].mean() - p[g].mean()) for g in parts) / len(q), 4),
        "slope": round(slope(p, q), 3),
        "mean_truth": round(float(p.mean()), 4),
        "mean_forecast": round(float(q.mean()), 4),
        "excess_brier": round(float(((p - q) ** 2).mean()), 5),
        "deals_covered": round(float(((low <= p) & (p <= high)).mean()), 4),
        "tiers": len(groups),
        "tiers_covered": sum(held),
        "tier_width": round(statistics.median(float((high[g] - low[g]).mean()) for g in groups), 4) if groups else None,
    }


# Revenue of a quarter


def _day(text: str) -> date:
    return date.fromisoformat(text[:10])


class Revenue:
    """Revenue by quarter, of an export and what came after it."""

    def __init__(self, export: Path, outcomes: Path, as_of: date) -> None:
        self.as_of = as_of
        deals: dict[str, dict[str, Any]] = {}
        stages = []
        for folder in sorted({file.parent for file in export.rglob("deals.csv")}):
            deals |= {row["deal_id"]: row for row in read(folder / "deals.csv")}
            stages += read(folder / "stage_history.csv")
        self.deals = {
            key: (_day(row["created_at"]), row["status"], _day(row["closed_at"]) if row["closed_at"] else None, float(row["deal_value"]))
            for key, row in deals.items()
        }  # fmt: skip
        self.came = [row for row in read(outcomes) if row["status"] == "won"]
        self.stages: dict[str, list[tuple[date, str]]] = defaultdict(list)
        for row in sorted(stages, key=lambda row: row["entered_at"]):
            self.stages[row["deal_id"]].append((_day(row["entered_at"]), row["stage"]))

    def so_far(self, first: date, last: date) -> float:
        return sum(
            v for _, status, closed, v in self.deals.values() if status == "won" and closed and first <= closed <= last
        )

    def actual(self, first: date, last: date) -> float:
        later = sum(float(row["deal_value"]) for row in self.came if first <= _day(row["closed_on"]) <= last)
        return self.so_far(first, last) + later

    def _open(self, day: date) -> list[tuple[str, str, float]]:
        found = []
        for key, (created, _, closed, value) in self.deals.items():
            if created <= day and (closed is None or closed > day):
                reached = [stage for at, stage in self.stages[key] if at <= day]
                found.append((key, reached[-1] if reached else "", value))
        return found

    def weighted_pipeline(self, offset: int) -> tuple[float, float] | None:
        """The forecast to beat: won so far, open value times the share that its stage brought, and what new deals
        brought, each as in earlier quarters at the same day; with the standard deviation of its relative error then.
        """
        first, past = _quarter(self.as_of)[0], []
        while len(past) < 10:
            last_before = first - timedelta(days=1)
            first = _quarter(last_before)[0]
            if first + timedelta(days=offset) < min(c for c, *_ in self.deals.values()) + timedelta(days=90):
                break
            past.append((first, last_before))
        if len(past) < 4:
            return None
        seen = []
        for begun, ended in past:
            day = begun + timedelta(days=offset)
            still = self._open(day)
            won = {
                k
                for k, (_, status, closed, _) in self.deals.items()
                if status == "won" and closed and day < closed <= ended
            }
            value, brought = defaultdict(float), defaultdict(float)
            for key, stage, amount in still:
                value[stage] += amount
                brought[stage] += amount * (key in won)
            new = sum(self.deals[key][3] for key in won - {key for key, *_ in still})
            seen.append((value, brought, new, self.so_far(begun, day), self.so_far(begun, ended)))

        def forecast(value: dict[str, float], won: float, others: list[Any]) -> float:
            total = sum(other[2] for other in others) / len(others)
            for stage, amount in value.items():
                had = sum(other[0][stage] for other in others)
                total += amount * (sum(other[1][stage] for other in others) / had if had else 0.0)
            return won + total

        errors = []
        for i, (value, _, _, won, actual) in enumerate(seen):
            said = forecast(value, won, seen[:i] + seen[i + 1 :])
            errors.append(actual / said - 1 if said else 0.0)
        value = defaultdict(float)
        for _, stage, amount in self._open(self.as_of):
            value[stage] += amount
        begun = _quarter(self.as_of)[0]
        return forecast(value, self.so_far(begun, self.as_of), seen), statistics.stdev(errors)


def _quarter(day: date) -> tuple[date, date]:
    return date(day.year, (day.month - 1) // 3 * 3 + 1, 1), crm.quarter_end(day)


def intervals(document: Any) -> dict[int, tuple[float, float]]:
    """Intervals of a forecast's total: `low_80` and `high_80`, at the top or in `total`."""
    total = document.get("total", document) if isinstance(document, dict) else {}
    return {
        share: (float(total[f"low_{share}"]), float(total[f"high_{share}"]))
        for share in (50, 80)
        if f"low_{share}" in total
    }


def quarter(lake: Path, folder: Path, as_of: date, mean: float) -> dict[str, Any]:
    """The revenue of the quarter, the forecast's intervals of it, and those of the weighted pipeline."""
    first, last = _quarter(as_of)
    money = Revenue(folder / "export", folder / "outcomes.csv", as_of)
    actual = money.actual(first, last)
    found: dict[str, Any] = {
        "quarter": f"Q{(first.month + 2) // 3}-{first.year}",
        "as_of": as_of.isoformat(),
        "actual": round(actual),
        "won_so_far": round(money.so_far(first, as_of)),
        "true_mean_of_open": round(mean),
    }
    pipeline = money.weighted_pipeline((as_of - first).days)
    if pipeline:
        said, error = pipeline
        width = 2 * 1.2816 * error * said
        found["pipeline"] = {"said": round(said), "width_80": round(width), "held_80": abs(actual - said) <= width / 2}
    status, document = medallion("forecast", "--period", found["quarter"], "--lakehouse", lake)
    if status == 0:
        found["intervals"] = {
            str(share): {"low": low, "high": high, "held": low <= actual <= high}
            for share, (low, high) in intervals(document).items()
        }
    else:
        found["forecast"] = "no such command" if status == 2 else document
    return found


# One world


def write(world: str, seed: int, folder: Path, given: argparse.Namespace, until: date | None) -> None:
    """Exports and truth."""
    python = given.forge if world == "leadforge" else sys.executable
    if python is None:
        raise SystemExit("leadforge needs --forge: a Python that has it")
    line = [python, "-m", MODULES[world], "--seed", str(seed), "--out", str(folder), "--deliveries", given.deliveries]
    for option, value in (
        ("accounts", given.accounts),
        ("days", given.days),
        ("params", given.params),
        ("until", until),
    ):
        line += [f"--{option}", str(value)] if value is not None else []
    subprocess.run(line, check=True, env=os.environ | {"PYTHONPATH": str(TESTS)}, capture_output=True, text=True)


def one(world: str, seed: int, folder: Path, given: argparse.Namespace, until: date | None) -> dict[str, Any]:
    """A world at one day."""
    write(world, seed, folder, given, until)
    lake, seconds = folder / "lake", {}
    truth_rows = read(folder / "truth.csv")
    as_of = until or max(_day(row["as_of"]) for row in truth_rows)
    rows = [row for row in truth_rows if row["as_of"] == as_of.isoformat()]

    def timed(name: str, *words: str | Path) -> tuple[int, Any]:
        started = time.perf_counter()
        answer = medallion(*words, "--lakehouse", lake)
        seconds[name] = round(seconds.get(name, 0) + time.perf_counter() - started, 1)
        return answer

    for source in sorted({file.parent for file in (folder / "export").rglob("deals.csv")}):
        when = known_at(date.fromisoformat(source.name)) if given.deliveries == "monthly" else []
        status, said = timed("run", "run", "--source", source, *when)
        if status:
            raise SystemExit(f"{world} {seed}: the run failed: {said}")
    status, said = timed("train", "train")
    trained = "declined" if status == 3 else "failed" if status else said["champion"]
    scored, document = timed("score", "score")
    if scored:
        raise SystemExit(f"{world} {seed}: scoring failed: {document}")
    medallion("export", "--lakehouse", lake, "--format", "csv", "--to", folder / "plain", "--table", "gold.lead_scores")
    newest: dict[str, dict[str, Any]] = {}
    for row in sorted(read(folder / "plain" / "gold.lead_scores.csv"), key=lambda row: row["known_as_of"]):
        if row["as_of"][:10] == as_of.isoformat():
            newest[row["lead_id"]] = row
    mean = sum(float(row["p_won_quarter"]) * float(row["amount"]) for row in rows)
    return {
        "world": world,
        "seed": seed,
        "as_of": as_of.isoformat(),
        "model": document.get("model_version") or "none",
        "train": trained if status == 0 else f"{trained}: {said}",
        **against_truth({row["deal_id"]: float(row["p_won_90"]) for row in rows}, list(newest.values())),
        "quarter": quarter(lake, folder, as_of, mean),
        "seconds": seconds,
    }


def numbers(text: str) -> list[int]:
    """`1-5` or `3`."""
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


def cuts(first: date, last: date, count: int) -> list[date | None]:
    """The last day, and days a month into each of the quarters before, not before nine months have gone."""
    days: list[date | None] = [None]
    begun = _quarter(last)[0]
    for _ in range(count):
        begun = _quarter(begun - timedelta(days=1))[0]
        day = begun + timedelta(days=30)
        if day >= first + timedelta(days=270):
            days.append(day)
    return days


def table(runs: list[dict[str, Any]]) -> str:
    """The runs as lines, and their medians by world."""
    names = ("gap", "ece", "slope", "excess_brier", "deals_covered", "tier_width")
    lines = [f"{'world':<10} {'seed':>5} {'as of':<10} {'auc':>6} {'oracle':>6} " + " ".join(f"{n:>13}" for n in names)]
    for r in runs:
        figures = " ".join(f"{'-' if r[n] is None else r[n]:>13}" for n in names)
        lines.append(f"{r['world']:<10} {r['seed']:>5} {r['as_of']} {r['auc']:>6.3f} {r['auc_oracle']:>6.3f} {figures}")
    for world in dict.fromkeys(r["world"] for r in runs):
        mine = [r for r in runs if r["world"] == world]
        middle = {n: [r[n] for r in mine if r[n] is not None] for n in names}
        figures = " ".join(f"{statistics.median(v):>13.4f}" if v else f"{'-':>13}" for v in middle.values())
        tiers = f"tiers covered {sum(r['tiers_covered'] for r in mine)} of {sum(r['tiers'] for r in mine)}"
        lines.append(f"{world:<10} median of {len(mine):<26} {figures}  {tiers}")
    for share in ("50", "80"):
        held = [r["quarter"]["intervals"][share]["held"] for r in runs if share in r["quarter"].get("intervals", {})]
        if held:
            lines.append(f"quarters within the forecast's {share}% interval: {sum(held)} of {len(held)}")
    both = [
        (r["quarter"]["intervals"]["80"], r["quarter"]["pipeline"])
        for r in runs
        if "80" in r["quarter"].get("intervals", {}) and "pipeline" in r["quarter"]
    ]
    if both:
        ratio = statistics.median((a["high"] - a["low"]) / b["width_80"] for a, b in both if b["width_80"])
        held = sum(b["held_80"] for _, b in both)
        lines.append(
            f"width of the 80% interval to that of the weighted pipeline: {ratio:.2f}; that one held {held} of {len(both)}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", nargs="+", choices=sorted(MODULES), default=["hazards", "committee"])
    parser.add_argument("--seeds", type=numbers, default=numbers("1-5"))
    parser.add_argument("--accounts", type=int)
    parser.add_argument("--days", type=int)
    parser.add_argument("--params", type=Path, help="JSON of parameters of the world")
    parser.add_argument("--deliveries", choices=("one", "monthly"), default="one")
    parser.add_argument("--quarters", type=int, default=0, help="earlier quarters beside the last day")
    parser.add_argument("--forge", help="a Python that has leadforge")
    parser.add_argument("--work", type=Path, help="keep exports and lakehouses in this folder")
    parser.add_argument("--out", type=Path, default=RESULT)
    given = parser.parse_args()
    runs: list[dict[str, Any]] = []
    for world in given.world:
        for seed in given.seeds:
            days: list[date | None] = [None]
            for until in days:
                with tempfile.TemporaryDirectory() as temporary:
                    work = (given.work or Path(temporary)) / f"{world}-{seed}-{until or 'last'}"
                    runs.append(one(world, seed, work, given, until))
                    params = json.loads((work / "world.json").read_text(encoding="utf-8"))
                print(table(runs[-1:]).splitlines()[1], flush=True)
                if until is None and given.quarters:
                    first = date.fromisoformat(params["first_day"])
                    days += cuts(first, first + timedelta(days=params["days"] - 1), given.quarters)[1:]
    print()
    print(table(runs))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps({"runs": runs}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
