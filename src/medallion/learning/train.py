"""Training on a lakehouse: evidence, snapshots, leak checks, models, promotion, registration."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from medallion import addresses, charts, contracts, log
from medallion.config import Settings, end_of_day
from medallion.contracts.model import STANDING
from medallion.errors import LakehouseError, MedallionError
from medallion.lakehouse import contracts_in_use, query, removal, store, unity
from medallion.lakehouse.session import session
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import batches, identities, journal, models
from medallion.pipeline.silver_to_gold import verify
from medallion.pipeline.steps import Report, Steps
from medallion.scoring import afterwards, card, drift, leaks, reasons, registry, signals, snapshots, training
from medallion.scoring.evaluation import gain
from medallion.scoring.predict import Scorer
from medallion.scoring.readiness import BOOST_LEADS, BOOST_WON, Evidence, NotReadyError
from medallion.scoring.signals import Kind
from medallion.scoring.snapshots import Facts, versions, with_entry
from medallion.silver import life, resolved, without
from medallion.version import VERSION

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

    from medallion.contracts import Entity
    from medallion.pipeline.journal import Writer
    from medallion.scoring.leaks import Checked
    from medallion.scoring.registry import Entry
    from medallion.scoring.snapshots import Facts
    from medallion.scoring.training import Learned

#: Snapshots that are learned from at most; of more, whole deals are drawn by the hash of their key.
MOST_ROWS = 1_000_000
SEED = 7
#: Snapshots whose effects weigh the signals for drift.
_PROFILED = 10_000


@dataclass
class Outcome:
    """What a training came to."""

    as_of: date
    horizon_days: int
    evidence: Evidence
    version: str | None = None
    promoted: bool = False
    reason: str = ""
    champion: str | None = None
    evaluation: dict[str, Any] = field(default_factory=dict)
    folder: str = ""


def train(
    settings: Settings,
    now: datetime,
    report: Report = lambda name, seconds: None,
    *,
    anyway: bool = False,
    kinds: Sequence[str] | None = None,
) -> Outcome:
    """Learn P(an open deal is won within the horizon), and activate the best model if it is better beyond doubt.

    Args:
        settings: Which lakehouse; `as_of`, `score.horizon_days`, `models` and `fixed_columns` matter.
        now: The clock, UTC without zone.
        report: Is told of each step.
        anyway: Take the new model even where it cannot be shown to be as good as the present one.
        kinds: Models to try; those that there is evidence enough for when None.

    Raises:
        NotReadyError: There is too little to learn from.
        MedallionError: A leak check failed, or the extra `ml` is not installed.
        LakehouseError: There is no lakehouse, or another run is writing.
    """
    _needs_ml()
    lake = Lakehouse(settings.lakehouse)
    lake.delta("silver.leads_history")
    where = models.folder(settings)
    if where is None:
        raise LakehouseError(
            f"{lake.root}: models cannot be kept in an object store", "Name a folder: `models: ...` in config.yaml."
        )
    work = _Training(settings, lake, where, now, Steps(report))
    with journal.writing(lake) as writer:
        journal.needs_whole_batches(lake)
        with writer.intent(journal.TRAIN, [snapshots.CONTRACT.name], models=str(where.absolute())):
            return work.do(anyway, writer, kinds)


def _needs_ml() -> None:
    try:
        import sklearn  # noqa: F401
        import xgboost  # noqa: F401
    except ImportError as error:
        raise MedallionError(
            f"Training is not installed: {error}", "Install it with: pip install 'medallion-crm[ml]'"
        ) from error


class _Training:
    def __init__(self, settings: Settings, lake: Lakehouse, where: Path, now: datetime, steps: Steps) -> None:
        self.settings, self.lake, self.where, self.now, self.steps = settings, lake, where, now, steps
        self.horizon = settings.score.horizon_days
        self.entities = contracts.entities(contracts_in_use.overrides(lake, settings.contracts))
        self.own = signals.own(self.entities)
        self.signals = signals.kinds(self.own)
        self.left_out: dict[str, str] = {}

    def do(self, anyway: bool, writer: Writer, kinds: Sequence[str] | None) -> Outcome:
        """Everything, in order."""
        day = self._day()
        evidence = self._evidence(day)
        evidence.check()
        outcome = Outcome(day, self.horizon, evidence, folder=str(self.where))
        with self.steps.step("start the engine"):
            spark = session(self.settings.engine, self.settings.memory_gib)
        with self.steps.step("snapshots"):
            cutoffs = self._cutoffs(day)
            facts = self._facts(spark)
            self._save_snapshots(spark, facts, cutoffs, day)
            rows = self._rows()
            self._leave_out(rows)
        with self.steps.step("leak checks"):
            leaks = self._check_leaks(spark, facts, cutoffs)
        with self.steps.step("train and test"):
            try:
                tried = evidence.kinds if kinds is None else kinds
                learned = training.learn(rows, self.horizon, tried, self.settings.score, SEED, self.signals)
            except NotReadyError as error:
                raise self._cause(error) from error
        with self.steps.step("compare and register"):
            removal.flush(self.lake, "gold.lead_snapshots")  # a model must not outlast what it was learned from
            self._conclude(outcome, learned, leaks, rows, anyway, writer)
        if self.settings.mlflow and outcome.version is not None:
            with self.steps.step("MLflow"):
                from medallion.learning import tracking  # MLflow, an extra

                tracking.track(
                    self.settings.mlflow, outcome, unity.schema(self.lake.root, "ops") if self.lake.catalog else None
                )
        return outcome

    def _day(self) -> date:
        """The last day whose outcomes count."""
        if self.settings.as_of == "today":
            return self.now.date()
        if self.settings.as_of != "latest":
            return date.fromisoformat(self.settings.as_of)
        with query.connect(self.lake, layers=["gold"]) as connection:
            rows = query.rows(connection, "select max(as_of) as day from gold.customer_features")
        day: date | None = rows[0]["day"] if rows else None
        if day is None:
            raise LakehouseError(f"{self.lake.root}: gold is empty", "Run `medallion run` first.")
        return day

    def _evidence(self, day: date) -> Evidence:
        sql = (
            "select count(*) filter (status = 'won') as won, count(*) filter (status = 'lost') as lost "
            "from silver.leads_clean where closed_at < $1 and created_at < closed_at"
        )
        with query.connect(self.lake, layers=["silver"]) as connection:
            row = query.rows(connection, sql, [end_of_day(day)])[0]
        return Evidence(row["won"], row["lost"])

    def _cutoffs(self, day: date) -> list[datetime]:
        """Cutoffs before the end of the day."""
        with query.connect(self.lake, layers=["silver"]) as connection:
            first = query.rows(connection, "select min(created_at) as first from silver.leads_clean")[0]["first"]
        return snapshots.cutoffs(end_of_day(day), None if first is None else first.replace(tzinfo=None), self.horizon)

    def _facts(self, spark: SparkSession) -> Facts:

        journal = batches.history(self.lake)
        replaced = batches.replaced(journal)
        known = [batch.known_at for batch in journal if batch.state == batches.FINISHED]
        pairs = {
            name: identities.into(members)
            for name, members in identities.frames(spark, self.lake, self.entities).items()
        }

        def of(entity: Entity) -> DataFrame:
            history = store.read(spark, self.lake, entity.history.name)
            history = without(history, replaced.get(entity.name, ()))
            accepted = history.filter(f"_outcome IN {STANDING}").count()
            single = accepted == store.read(spark, self.lake, entity.clean.name).count()
            history = life.following(history, resolved.references(entity, pairs))
            versioned = versions(history, entity.key, min(known), single=single)
            return with_entry(versioned, entity.currency, single=single) if entity.name == "leads" else versioned

        stages = self.entities.get("stage_changes")
        there = stages is not None and self.lake.exists(stages.history.name)
        return Facts(
            of(self.entities["customers"]),
            of(self.entities["leads"]),
            of(self.entities["interactions"]),
            of(stages) if stages is not None and there else None,
        )

    def _save_snapshots(self, spark: SparkSession, facts: Facts, cutoffs: list[datetime], day: date) -> None:

        if not cutoffs:
            Evidence(0, 0).check()
        rows = snapshots.snapshots(facts, cutoffs, self.settings.score, self.settings.fixed_columns, own=self.own)
        leads = store.read(spark, self.lake, self.entities["leads"].clean.name)
        labelled = snapshots.labelled(rows, leads, self.horizon, end_of_day(day))
        contract = snapshots.contract(self.own)
        store.save(labelled, spark, self.lake, contract)
        verify(store.read(spark, self.lake, contract.name), snapshots.contract(self.own, self.horizon))

    def _rows(self) -> pa.Table:
        """The snapshots, or those of some of the deals where there are too many to learn from at once."""
        with query.connect(self.lake, layers=["gold"]) as connection:
            count = query.rows(connection, "select count(*) as n from gold.lead_snapshots")[0]["n"]
            parts = -(-count // MOST_ROWS)
            some = f"where md5_number_lower(lead_id) % {parts} = 0" if parts > 1 else ""
            table: pa.Table = connection.sql(f"from gold.lead_snapshots {some}").to_arrow_table()
            return table

    def _cause(self, error: NotReadyError) -> NotReadyError:
        """The error, or the reason behind it: deals that had ended when the first delivery of them came."""
        sql = (
            "with first as (select lead_id, min(known_at) as told from silver.leads_history group by 1) "
            "select count(*) as ended, count(*) filter (told > (select min(told) from first) and closed_at <= told) as late "
            "from silver.leads_clean join first using (lead_id) where status <> 'open'"
        )
        with query.connect(self.lake, layers=["silver"]) as connection:
            row = query.rows(connection, sql)[0]
        if row["late"] * 2 < row["ended"]:
            return error
        return NotReadyError(
            f"{error.problem}. The cause: {row['late']:,} of {row['ended']:,} closed deals came with a later delivery that was "
            "read when they had ended, so nothing was known of them while they were open",
            "If these are exports of the past, load them into a new lakehouse, the oldest first, each with the day on which "
            "it came: medallion run --source FOLDER --known-at DATE.",
        )

    def _leave_out(self, rows: pa.Table) -> None:
        """Learn from no signal that is filled, or changed, only when a deal ends."""
        suspects = [name for name in (*signals.LATEST, *(signal.name for signal in self.own)) if name in self.signals]
        with query.connect(self.lake, layers=["silver"]) as connection:
            rows_of = query.rows(connection, "select distinct lead_id from silver.leads_history where status = 'open'")
        open_then = {row["lead_id"] for row in rows_of}
        self.left_out = afterwards.found(rows, {name: self.signals[name] for name in suspects}, open_then)
        for name in self.left_out:
            del self.signals[name]

    def _check_leaks(self, spark: SparkSession, facts: Facts, cutoffs: list[datetime]) -> list[Checked]:

        some = leaks.sample(facts)

        local = partial(_local, spark)
        stages = some.stage_changes
        sample = replace(
            some,
            customers=local(some.customers),
            leads=local(some.leads),
            interactions=local(some.interactions),
            stage_changes=None if stages is None else local(stages),
        )
        checked = leaks.check(sample, cutoffs, self.settings.score, self.settings.fixed_columns, self.own)
        if failed := [item for item in checked if item.differ]:
            raise MedallionError(
                "Snapshots depend on the future: "
                + "; ".join(f"{item.name}: {item.differ} of {item.rows} differ" for item in failed),
                "No model was trained. Report this as a defect.",
            )
        return checked

    def _trained_on(self) -> str:
        """Where the deals came from, in words: a simulation says so in the folder of its exports."""
        for batch in batches.history(self.lake):
            for file in batch.files:
                marker = Path(addresses.same(file.uri)).parent / "simulation.json"
                if marker.is_file():
                    world = json.loads(marker.read_text(encoding="utf-8")).get("world", {})
                    return (
                        f"{registry.SIMULATED} of {world.get('customers')} customers over {world.get('days')} days, "
                        f"seed {world.get('seed')}"
                    )
        return "the deals of this lakehouse"

    def _present(self) -> Entry | None:
        """The active model; None where there is none, or it cannot be used: training replaces it."""
        try:
            return models.champion(self.settings)
        except LakehouseError as error:
            log.event("the active model is replaced", logging.WARNING, problem=error.problem)
            return None

    def _conclude(
        self,
        outcome: Outcome,
        learned: Learned,
        leaks: list[Checked],
        rows: pa.Table,
        anyway: bool,
        writer: Writer,
    ) -> None:

        evaluation = learned.evaluation
        evaluation["trained_on"] = self._trained_on()
        evaluation["closed_deals"] = asdict(outcome.evidence)
        evaluation["tried_xgboost_from"] = {"closed": BOOST_LEADS, "won": BOOST_WON}
        evaluation["leak_checks"] = [{**asdict(item), "passed": item.passed} for item in leaks]
        evaluation["as_of"], evaluation["horizon_days"] = outcome.as_of.isoformat(), self.horizon
        evaluation["fixed_columns"] = list(self.settings.fixed_columns)
        evaluation["own_kinds"] = {signal.name: signal.kind for signal in self.own if signal.name in self.signals}
        evaluation["left_out"] = self.left_out
        outcome.evaluation = evaluation
        present = self._present()
        outcome.champion = present.scorer.version if present else None
        model = learned.model
        if model is None:
            outcome.reason = "no model was better beyond doubt than the rates per score band, which stay in use"
            return
        document: dict[str, Any] = {
            "kind": learned.champion,
            "as_of": outcome.as_of.isoformat(),
            "horizon_days": self.horizon,
            "trained_on": evaluation["trained_on"],
            "fixed_columns": list(self.settings.fixed_columns),
            "own_signals": [signal.dump() for signal in self.own if signal.name in model.names],
            "typical": reasons.typical(rows),
            "learned_until": evaluation["last_cutoff"],
            "model": model.dump(),
            "settings": learned.candidates[learned.champion].settings,
            "calibration": learned.calibration.dump(),
            "tiers": learned.tiers,
            "unrest": {str(days): list(both) for days, both in learned.unrest.items()},
            "product": VERSION,
        }
        trees = getattr(model, "trees", None)
        scorer = Scorer("", model.kind, document["model"], trees, learned.calibration, learned.tiers, self.horizon)
        effects = scorer.contributions(_spread(rows, _PROFILED))
        document["profile"] = drift.profile(rows, model.names, effects, self.signals)
        if present is not None and not anyway:
            outcome.reason = _not_as_good(present, learned, rows, self.signals) or ""
        outcome.promoted = not outcome.reason
        texts = {
            "evaluation.json": json.dumps(evaluation, indent=1) + "\n",
            "model_card.md": card.card(evaluation, model.names, picture=charts.available()),
        }
        if charts.available():
            texts["reliability.svg"] = charts.svg(charts.reliability(evaluation["reliability"], self.horizon))
        version = registry.named(document, trees)["version"]
        if version not in registry.versions(self.where):
            writer.amend(registered=version)
        outcome.version = registry.register(self.where, document, trees, texts)
        if outcome.promoted:
            registry.crown(self.where, outcome.version)
            outcome.champion = outcome.version


def _local(spark: SparkSession, frame: DataFrame) -> DataFrame:
    """A frame whose rows are held here, so that they are computed once."""
    table = frame.toArrow()
    # the engine takes no schema from a table without rows, such as that of touches where there are none
    local: DataFrame = spark.createDataFrame(table) if table.num_rows else spark.createDataFrame([], frame.schema)
    return local


def _spread(rows: pa.Table, most: int) -> pa.Table:
    """At most so many rows, spread evenly over the cutoffs: the same ones in whatever order an engine gives them."""
    ordered = rows.sort_by([("cutoff", "ascending"), ("lead_id", "ascending")])
    return ordered.take(np.unique(np.linspace(0, max(len(rows) - 1, 0), most).astype(int))) if len(rows) else rows


def _not_as_good(present: Entry, learned: Learned, rows: pa.Table, kinds: dict[str, Kind]) -> str | None:
    """Why a new model may not take the place of the present one; None when it may.

    Compared are the recipes: the kind and the settings of the present one, learned from the same rows as the new one,
    on the same later deals. The present model itself may have learned from these.
    """
    horizon = int(learned.evaluation["horizon_days"])
    other = training.again(rows, horizon, present.scorer.kind, present.document["settings"], SEED, kinds)
    new = learned.candidates[learned.champion]
    difference = gain(other.actual, other.forecast, new.forecast, other.accounts, SEED)
    if difference.no_worse:
        return None
    return (
        f"on {len(other.actual)} later snapshots it loses {-difference.log_loss:.4f} of log loss to the recipe of "
        f"{present.scorer.version} learned from the same deals, which stays active"
    )
