"""Sources to gold: the only place where transformations meet the store.

`run` is what the command does: take the new files through bronze and silver as one batch, recompute gold, check
the laws, and write down what was done.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from medallion import contracts, sources
from medallion.config import Settings
from medallion.contracts import Entity
from medallion.errors import LakehouseError, SourceError
from medallion.gold import written_names
from medallion.lakehouse import contracts_in_use, locks, maintenance, query
from medallion.lakehouse.session import session
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import batches, extensions, journal, models
from medallion.pipeline.context import Context, check_folder
from medallion.pipeline.result import Result
from medallion.pipeline.steps import Report, Steps
from medallion.pipeline.work import Work
from medallion.sources.memory import Memory

if TYPE_CHECKING:
    from medallion.identities.decisions import Decision

#: The two stages of a run; the notebooks run one each.
BRONZE_TO_SILVER, SILVER_TO_GOLD = "bronze_to_silver", "silver_to_gold"
BOTH = (BRONZE_TO_SILVER, SILVER_TO_GOLD)


def run(
    settings: Settings,
    now: datetime,
    report: Report = lambda name, seconds: None,
    stages: Collection[str] = BOTH,
    full_refresh: bool = False,
    known_at: datetime | None = None,
) -> Result:
    """Bring what is new in the source folder into the lakehouse, then gold up to date.

    Args:
        settings: Where from, where to, as of when.
        now: The clock, UTC without zone; becomes `known_at` of what is read.
        report: Is told of each step.
        stages: Run only one of `BRONZE_TO_SILVER` and `SILVER_TO_GOLD`.
        full_refresh: Compute every table of gold again, whether or not anything it depends on has changed, and read every
            source file, also those that are as the last run has read them.
        known_at: When the files were delivered, UTC without zone: for exports of the past that are loaded later, in the
            order in which they came. None is now.

    Raises:
        ContractError: A contract cannot be used, or says something that is only a guess.
        SourceError: Nothing in the folder can be read.
        LakehouseError: Another run is writing, the folder cannot be written, or `known_at` is not between the last delivery
            and now.
        ConservationError: A law does not hold; the batch is left unfinished.
    """
    recovered = _recovered(settings)
    work = Work(settings, now, report, full_refresh, known_at)
    work.check_known_at()
    scan = sources.Scan((), (), ())
    memory = Memory.of({} if full_refresh else locks.sources(work.lake.root), work.read_by)
    if BRONZE_TO_SILVER in stages:
        with work.steps.step("look at the source files"):
            scan = sources.scan(settings.source, work.entities, memory)
    work.result.refused, work.result.ignored = list(scan.refused), list(scan.ignored)
    work.result.unfed = list(scan.unfed)
    with journal.writing(work.lake) as writer:
        work.result.recovered = [*recovered, *writer.recovered]
        if BRONZE_TO_SILVER in stages:
            locks.remember_sources(work.lake.root, memory.document())
            todo, kind = [(batch, _NOTHING) for batch in work.files(scan)], journal.RUN
            try:
                todo = [*work.refused_again(work.waiting_for_rates(), before=True), *todo]
            except SourceError as error:  # they wait on
                work.result.notes.append(f"{error.problem}. {error.remedy}")
        else:
            journal.needs_whole_batches(work.lake, with_gold=False)
            todo, kind = [], journal.SCORE
        result = work.do(todo, SILVER_TO_GOLD in stages, writer.intent(kind, [*written_names(), journal.RUNS]))
        if result.changed and (due := maintenance.due(work.lake)):
            with work.steps.step("maintain tables"):
                writer.maintain(now, due, thorough=False)
        if result.changed:
            maintenance.sum_up(work.lake)
        return result


def reprocess_refused(
    settings: Settings,
    now: datetime,
    chosen: Mapping[str, Mapping[str, str]],
    report: Report = lambda name, seconds: None,
) -> Result:
    """Reprocess refused records, with their corrections and by the present contracts; then bring gold up to date.

    Each batch of files whose records are among them gives one batch of its own.

    Args:
        settings: Which lakehouse, as of when.
        now: The clock, UTC without zone; becomes `known_at` of what is accepted.
        chosen: Per batch of files, identifiers of records that wait in `silver.quarantine`, each with its entity.
        report: Is told of each step.

    Raises:
        LakehouseError: Another run is writing, or there is no such batch.
        ConservationError: A law does not hold; the batch is left unfinished.
    """
    recovered = _recovered(settings)
    work = Work(settings, now, report)
    with journal.writing(work.lake) as writer:
        work.result.recovered = [*recovered, *writer.recovered]
        todo = [*((batch, _NOTHING) for batch in work.pending()), *work.refused_again(dict(sorted(chosen.items())))]
        # one batch is continued by its own journal; several are reprocessed all or none
        tables = [*written_names(), journal.RUNS] if len(todo) == 1 else None
        return work.do(todo, True, writer.intent(journal.QUARANTINE_REPLAY, tables))


def reprocess(
    settings: Settings,
    now: datetime,
    only: Collection[str] = (),
    report: Report = lambda name, seconds: None,
    with_gold: bool = True,
) -> Result:
    """Build silver from bronze again, by the present contracts and code; then bring gold up to date.

    Each batch of files gives a batch of its own per entity, whose reading counts from now on. The reading before stays
    in history, and `replay` gives its figures for a time before `now`. Done as a whole or not at all.

    Args:
        settings: Which lakehouse, by which contracts, as of when.
        now: The clock, UTC without zone.
        only: Entities to read again; all that have files unless named.
        report: Is told of each step.
        with_gold: Bring gold up to date as well.

    Raises:
        LakehouseError: Another run is writing, a batch is unfinished, or there is nothing of these entities.
        SourceError: The present contract fills dates or amounts otherwise, and it is in doubt how these are written.
        ConservationError: A law does not hold; everything is rolled back.
    """
    recovered = _recovered(settings)
    work = Work(settings, now, report)
    with journal.writing(work.lake) as writer:
        work.result.recovered = [*recovered, *writer.recovered]
        journal.needs_whole_batches(work.lake)
        _needs_rows_that_say_all(work.lake, work.entities)
        todo = [(batch, _NOTHING) for batch in work.again(only)]
        if not todo:
            raise LakehouseError(
                f"{work.lake.root}: nothing was read of {', '.join(only) or 'any entity'}",
                f"Entities: {', '.join(work.entities)}.",
            )
        return work.do(todo, with_gold, writer.intent(journal.REPROCESS))


def decide(
    settings: Settings,
    now: datetime,
    decided: Sequence[Decision],
    report: Report = lambda name, seconds: None,
) -> Result:
    """Record decisions about records that may be one and apply them to silver and gold, as a whole or not at all.

    Args:
        settings: Which lakehouse, as of when.
        now: The clock, UTC without zone.
        decided: The decisions.
        report: Is told of each step.

    Raises:
        LakehouseError: Another run is writing, or a batch is unfinished.
        ConservationError: A law does not hold; everything is rolled back.
    """
    recovered = _recovered(settings)
    work = Work(settings, now, report)
    with journal.writing(work.lake) as writer:
        work.result.recovered = [*recovered, *writer.recovered]
        journal.needs_whole_batches(work.lake)
        work.decided = decided
        return work.do([], True, writer.intent(journal.DUPLICATES))


def replay(
    settings: Settings,
    day: date,
    known_as_of: datetime | None,
    target: str,
    report: Report = lambda name, seconds: None,
) -> None:
    """Write the gold tables into another lakehouse as they would have been computed at the end of a day.

    Reads only versions of silver that were known before `known_as_of`, so what has arrived since then changes nothing.
    Contracts and weights are those of now.

    Args:
        settings: Which lakehouse, and how gold is scored.
        day: The last day to count.
        known_as_of: Only versions known before this time (UTC) count; None is everything known by now.
        target: Lakehouse to write gold into.
        report: Is told of each step.

    Raises:
        LakehouseError: There is no lakehouse, nothing was known by then, or the target is the lakehouse itself.
    """
    from medallion.pipeline.silver_to_gold import silver_to_gold

    lake, other = Lakehouse(settings.lakehouse), Lakehouse(target)
    for name in ("silver.customers_history", "silver.leads_history"):
        lake.delta(name)
    if lake.path("gold.deals") == other.path("gold.deals") or other.exists("ops.batches"):
        raise LakehouseError(f"{target}: is a lakehouse with batches of its own", "Name another folder with --to.")
    known = [batch.known_at for batch in batches.history(lake) if batch.state == batches.FINISHED]
    if known_as_of is not None and not any(time < known_as_of for time in known):
        first = f"; the first batch was read at {min(known):%Y-%m-%d %H:%M:%S} UTC" if known else ""
        raise LakehouseError(
            f"{lake.root}: nothing was known before {known_as_of:%Y-%m-%d %H:%M:%S} UTC{first}",
            "Choose a later --known-as-of, or leave it out for what is known by now.",
        )
    steps = Steps(report)
    extensions.load(settings)
    used = contracts_in_use.overrides(lake, settings.contracts)
    entities = contracts.entities(used)
    with steps.step("start the engine"):
        spark = session(settings.engine, settings.memory_gib)
    check_folder(other)
    written = (*written_names(), contracts_in_use.TABLE)
    with journal.writing(other) as writer, writer.intent(journal.REPLAY, written):
        model = models.champion(settings)
        score_at = known_as_of or max(known) + timedelta(microseconds=1)
        contracts_in_use.put(spark, other, used, score_at)  # readers learn from it what currency the amounts are in
        context = Context(spark, lake, entities, steps, score_at)
        silver_to_gold(
            context,
            day,
            settings.score,
            known_as_of,
            other,
            champion=model,
            score_at=score_at,
            time_zone=settings.time_zone,
        )


_NOTHING: frozenset[str] = frozenset()


def _recovered(settings: Settings) -> list[str]:
    """Roll back what a killed process has left, before anything is read that it may have changed: contracts in use too."""
    lake = Lakehouse(settings.lakehouse)
    if (lake.folder and lake.folder.is_file()) or journal.unfinished_intent(lake) is None:
        return []  # the writer says what is wrong with the address
    with journal.writing(lake) as writer:
        return writer.recovered


def _needs_rows_that_say_all(lake: Lakehouse, entities: Mapping[str, Entity]) -> None:
    """Refuse to read again where what becomes of a record depends on more than its own row.

    Raises:
        LakehouseError: Records ended with a delivery or a merge, or the contract lets them.
    """
    for entity in entities.values():
        words = [("where", "where"), ("complete", "complete"), ("snapshot", "snapshot"), ("merged_into", "mergedInto")]
        endings = [word for name, word in words if any(getattr(source, name) for source in entity.sources)]
        if not endings and lake.exists(entity.history.name):
            with query.connect(lake, layers=["silver"], only={entity.history.name}) as connection:
                sql = f"select 1 from {entity.history.name} where _outcome in ('gone', 'moved') limit 1"
                endings = ["complete or mergedInto"] if query.rows(connection, sql) else []
        if endings:
            raise LakehouseError(
                f"{lake.root}: {entity.name} cannot be read again: records end by {' and '.join(endings)}, so what became of "
                "them depends on more than their own rows",
                "Run the deliveries in their order, with the contract of today, into a new --lakehouse.",
            )
