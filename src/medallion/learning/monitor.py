"""Whether the model still holds: drift of its signals, its scores and the outcomes of the deals, what to do."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from medallion import contracts
from medallion.config import Settings, end_of_day
from medallion.figures import percent
from medallion.lakehouse import contracts_in_use, query
from medallion.lakehouse.session import session
from medallion.lakehouse.store import Lakehouse
from medallion.learning import forecasts, train
from medallion.learning.facts import current_facts
from medallion.pipeline import models
from medallion.pipeline.steps import Report, Steps
from medallion.scoring import drift, snapshots
from medallion.scoring.drift import DRIFTED, GROWING, MATTERS
from medallion.scoring.evaluation import figures, gain
from medallion.scoring.training import SHORT_DAYS

if TYPE_CHECKING:
    import pyarrow as pa

    from medallion.scoring.registry import Entry

KEEP, RETRAIN, ROLL_BACK, TRAIN = "keep", "retrain", "roll back", "train"
#: Scored deals whose horizon is over, of each outcome, from which calibration is judged.
LEAST_ENDED = 30
#: Distance of the mean forecast from the share won that is worth a training, beyond chance.
MOST_OFF = 0.03
#: Days after which a model is trained again in any case.
MOST_DAYS = 180
#: Days before which drift is no reason: there is nothing new to learn from yet.
LEAST_DAYS = 27
_Z_90 = 1.645
#: Distance from what was expected within a few weeks, in standard deviations, that is taken for a break; deals that
#: chance must be able to move for that to be told; and days of scores that are compared at once.
BREAK, LEAST_CHANCE, SHORT_WINDOW = 3.5, 4.0, 28


@dataclass
class Watch:
    """What watching found.

    Attributes:
        as_of: Last day that counts.
        champion: The active model, or None.
        drift: Population stability index per signal, the largest first.
        ended: Per means of scoring (a model's version, or base_rate_by_band): figures of its scores whose horizon is
            over.
        bands: Observed conversion of these per band of the rule score.
        short: Per number of days and end: deals that the active model scored lately, how many of them were expected to
            be won or lost within these days, how many were, and the distance in standard deviations.
        forecasts: Kept forecasts of periods that are over, compared with what came; None without any.
        recommendation: keep, retrain, roll back or train.
        because: Why, in sentences.
    """

    as_of: date
    champion: str | None
    drift: dict[str, float] = field(default_factory=dict)
    ended: dict[str, dict[str, Any]] = field(default_factory=dict)
    bands: list[dict[str, Any]] = field(default_factory=list)
    short: list[dict[str, Any]] = field(default_factory=list)
    forecasts: dict[str, Any] | None = None
    recommendation: str = KEEP
    because: list[str] = field(default_factory=list)

    @property
    def asks(self) -> bool:
        """Whether something should be done about the model in use."""
        return self.champion is not None and self.recommendation != KEEP


def watch(settings: Settings, report: Report = lambda name, seconds: None) -> Watch:
    """Compare the champion of a lakehouse with the present, and its forecasts with the outcomes of the deals it scored.

    Raises:
        LakehouseError: There is no lakehouse, or gold has no scores yet.
    """
    steps, lake = Steps(report), Lakehouse(settings.lakehouse)
    for name in ("gold.lead_scores", "silver.leads_clean"):
        lake.delta(name)
    with query.connect(lake, layers=["gold"]) as connection:
        day = query.rows(connection, "select max(as_of) as day from gold.customer_features")[0]["day"]
    entry = models.champion(settings)
    findings = Watch(day, entry.scorer.version if entry else None)
    with steps.step("scores and outcomes of the deals"):
        findings.ended, findings.bands = _ended(lake, day)
        findings.short = _short(lake, day, entry) if entry is not None else []
        findings.forecasts = forecasts.compared(lake, day)
    if entry is not None:
        with steps.step("signals of the open deals"):
            now = _signals(settings, lake, entry, day)
        findings.drift = drift.stability(now, entry.document["profile"])
    findings.recommendation, findings.because = _recommend(findings, entry)
    return findings


def _signals(settings: Settings, lake: Lakehouse, entry: Entry, day: date) -> pa.Table:
    """Signals of the deals that are open now."""
    spark = session(settings.engine, settings.memory_gib)
    facts = current_facts(spark, lake, contracts.entities(contracts_in_use.overrides(lake, settings.contracts)))
    return snapshots.snapshots(facts, [end_of_day(day)], settings.score, entry.fixed, own=entry.own).toArrow()


#: One score per deal and day, the one known last, of deals whose horizon is over, with their outcomes.
_SQL = """
select coalesce(model_version, probability_source) as means, s.lead_id, s.lead_quality, s.probability,
       cast(coalesce(l.status = 'won' and l.closed_at < s.as_of + to_days(1 + horizon_days::int), false) as int) as won
from gold.lead_scores s join silver.leads_clean l using (lead_id)
where s.probability is not null and s.as_of + to_days(horizon_days::int) <= $1
  and (l.closed_at is null or l.closed_at >= s.as_of + to_days(1))
qualify row_number() over (partition by s.lead_id, s.as_of, means order by known_as_of desc) = 1
"""


def _ended(lake: Lakehouse, day: date) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:

    with query.connect(lake, layers=["gold", "silver"]) as connection:
        connection.execute(f"create temp table ended as {_SQL}", [day])
        bands = query.rows(
            connection,
            "select means, lead_quality, count(*) as scores, round(avg(won), 4) as converted, "
            "round(avg(probability), 4) as forecast from ended group by all order by means, forecast desc",
        )
        table = connection.sql("from ended order by means, lead_id").to_arrow_table()
    by_means: dict[str, dict[str, Any]] = {}
    means = np.asarray(table["means"].to_pylist())
    for name in dict.fromkeys(means.tolist()):
        members = means == name
        won = table["won"].to_numpy()[members].astype(float)
        forecast = table["probability"].to_numpy()[members]
        deals = np.asarray(table["lead_id"].to_pylist())[members]
        flat = np.full(len(won), (won.sum() + 0.5) / (len(won) + 1))
        by_means[name] = {
            **asdict(figures(won, forecast)),
            "won": int(won.sum()),
            "deals": len(np.unique(deals)),
            "against_flat": asdict(gain(won, flat, forecast, deals, train.SEED)),
        }
    return by_means, bands


#: The last score of each deal that is old enough, with what came of it so soon.
_SOON = """
select s.won_by[$3] as won_p, s.lost_by[$3] as lost_p,
       cast(coalesce(l.closed_at < s.as_of + to_days(1 + $2::int), false) as int) as ended, l.status = 'won' as won
from gold.lead_scores s join silver.leads_clean l using (lead_id)
where s.model_version = $1 and s.won_by is not null and s.as_of + to_days($2::int) <= $4
  and s.as_of + to_days($2::int + $5::int) > $4 and (l.closed_at is null or l.closed_at >= s.as_of + to_days(1))
qualify row_number() over (partition by s.lead_id order by s.as_of desc, s.known_as_of desc) = 1
"""


def _short(lake: Lakehouse, day: date, entry: Entry) -> list[dict[str, Any]]:
    """Wins and losses a few weeks after a score, against what was expected; chance as wide as training has seen it."""
    scorer, rows = entry.scorer, []
    with query.connect(lake, layers=["gold", "silver"]) as connection:
        for days in SHORT_DAYS:
            place = scorer.edges.index(days)
            table = connection.execute(_SOON, [scorer.version, days, place, day, SHORT_WINDOW]).fetchnumpy()
            wide = entry.document["unrest"][str(days)]
            won = table["won"].astype(bool)
            for end, spread in zip(("won", "lost"), wide, strict=True):
                p = np.asarray(table[f"{end}_p"], dtype=float)
                chance, came = float((p * (1 - p)).sum()), int((table["ended"] * (won == (end == "won"))).sum())
                rows.append(
                    {
                        "days": days, "end": end, "scores": len(p), "expected": round(float(p.sum()), 1), "came": came,
                        "off": round((came - float(p.sum())) / (chance * spread) ** 0.5, 2) if chance >= LEAST_CHANCE else None,
                    }
                )  # fmt: skip
    return rows


def _recommend(findings: Watch, entry: Entry | None) -> tuple[str, list[str]]:
    """What to do, and why."""
    if entry is None:
        return TRAIN, ["no model is active; `medallion train` says whether there is enough to learn from"]
    because = []
    ended = findings.ended.get(entry.scorer.version)
    if ended and min(ended["won"], ended["n"] - ended["won"]) >= LEAST_ENDED:
        if ended["against_flat"]["high"] < 0:
            return ROLL_BACK, [
                f"on {ended['n']} scores whose horizon is over it did worse than one number for all deals: log loss "
                f"{ended['log_loss']:.4f}; choose an earlier version with `medallion models --use`"
            ]
        off = ended["mean_forecast"] - ended["won_share"]
        margin = _Z_90 * (ended["won_share"] * (1 - ended["won_share"]) / ended["deals"]) ** 0.5
        if abs(off) > max(MOST_OFF, margin):
            because.append(
                f"it forecast {percent(ended['mean_forecast'])} on average and {percent(ended['won_share'])} were won"
            )
    because += [
        f"within {row['days']} days {row['came']} of {row['scores']} scored deals were {row['end']}, {row['expected']} were "
        f"expected: {abs(row['off']):.1f} standard deviations off"
        for row in findings.short
        if row["off"] is not None and abs(row["off"]) >= BREAK
    ]
    profile = entry.document["profile"]
    moved = [
        f"{name} ({psi:.2f})"
        for name, psi in findings.drift.items()
        if psi >= DRIFTED and profile[name]["weight"] >= MATTERS and name not in GROWING
    ]
    age = (findings.as_of - entry.as_of).days
    if moved and age >= LEAST_DAYS:
        because.append(f"open deals differ from those that it learned from: {', '.join(moved[:5])}")
    if age > MOST_DAYS:
        because.append(f"it learned from outcomes up to {entry.as_of}, {age} days ago")
    if because:
        return RETRAIN, because
    judged = ended or any(row["off"] is not None for row in findings.short)
    scores = "its scores hold" if judged else "none of its scores is old enough to judge"
    signals = (
        f"it learned from outcomes up to {entry.as_of}, too lately to learn anew" if moved else "its signals are stable"
    )
    return KEEP, [signals, scores]
