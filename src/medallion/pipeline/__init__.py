"""Sources to gold: the only place where transformations meet the store.

`run` is what the command does: take the new files through bronze and silver as one batch, recompute gold, check
the laws, and write down what was done.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from medallion import contracts, log, sources
from medallion.config import Settings, end_of_day
from medallion.contracts import Entity, Table
from medallion.contracts.filling import COMPLETE, RECORD
from medallion.contracts.own import bring
from medallion.errors import ContractError, LakehouseError, SourceError
from medallion.gold import SCORED, gold_contract, graph, written_names
from medallion.lakehouse import contracts_in_use, locks, maintenance, query, store
from medallion.lakehouse.session import begin, engine_name, session
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import (
    awaiting,
    batches,
    decisions,
    drift,
    erasure_log,
    extensions,
    hold,
    journal,
    models,
    proof,
)
from medallion.pipeline.batches import Batch
from medallion.pipeline.context import Context
from medallion.pipeline.freshness import Freshness, Stale, optional_tables, recorded
from medallion.pipeline.lineage import Lineage
from medallion.pipeline.steps import Report, Steps
from medallion.sources import currencies, rates
from medallion.sources.memory import Memory
from medallion.version import VERSION

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from medallion.identities.decisions import Decision
    from medallion.pipeline import conventions


@dataclass
class Result:
    """What a run did. `changed` is false when there was nothing to do and no table was touched.

    `refused` are files that could not be read, `held` files that were held back, in this run or before, and `poor`
    files that were loaded although most of their rows were refused. `given_up` says which held files are no longer
    waited for, `rebuilt` which tables of gold were computed, each with why. `proof` is what the deals come to, where
    something was read or gold was computed; `first_proof` says that nothing was proved under these contracts before.
    """

    run_id: str
    changed: bool = False
    batch_id: str | None = None
    as_of: date | None = None
    files: list[str] = field(default_factory=list)
    already_known: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    refused: list[sources.Refusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    held: list[sources.Refusal] = field(default_factory=list)
    poor: list[sources.Refusal] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)
    new_columns: dict[str, list[str]] = field(default_factory=dict)
    missing_columns: dict[str, list[str]] = field(default_factory=dict)
    skipped_lines: dict[str, int] = field(default_factory=dict)
    contracts: list[str] = field(default_factory=list)
    unfed: list[str] = field(default_factory=list)
    accounts: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    recovered: list[str] = field(default_factory=list)
    rebuilt: dict[str, str] = field(default_factory=dict)
    steps: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    proof: proof.Proof | None = None
    first_proof: bool = False

    @property
    def wrong(self) -> list[tuple[str, sources.Refusal]]:
        """What is wrong with files, each with a label; not empty means exit status 1."""
        labels = (("Not read", self.refused), ("Held back", self.held), ("Refused", self.poor))
        return [(label, item) for label, items in labels for item in items]


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
    work = _Work(settings, now, report, full_refresh, known_at)
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
    work = _Work(settings, now, report)
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
    work = _Work(settings, now, report)
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
    work = _Work(settings, now, report)
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
    _check_folder(other)
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
#: At most so many records with a contact of someone who was forgotten are named one by one.
_MOST_NAMED = 5


class _Work:
    """One run: what it is to do, with which contracts, and what came of it."""

    def __init__(
        self,
        settings: Settings,
        now: datetime,
        report: Report,
        full_refresh: bool = False,
        known_at: datetime | None = None,
    ) -> None:
        self.known_at = known_at or now
        self.started = time.perf_counter()
        self.settings, self.now, self.full_refresh = settings, now, full_refresh
        self.lake = Lakehouse(settings.lakehouse)
        used = contracts_in_use.overrides(self.lake, settings.contracts, newest=True)
        self.overrides = contracts_in_use.in_currency(self.lake, used, settings.currency, newest=True)
        self.entities = contracts.entities(self.overrides)
        self.rates = contracts_in_use.rates(self.lake, settings.rates, newest=True)
        leads = self.entities["leads"]
        if contracts_in_use.is_set(self.overrides) and leads.unsaid != leads.currency and not self.rates:
            raise ContractError(
                f"`currency` is {leads.currency}, but amounts without a currency are in {leads.unsaid}: a contract says so, or "
                "earlier runs read them so",
                "Give a table of rates, `rates:` in config.yaml, to convert them. If they are in "
                f"{leads.currency}, say so in a contract, `default: \"'{leads.currency}'\"` of leads.currency, and read into a "
                "new --lakehouse.",
            )
        if self.rates:
            rates.read(self.rates.text, self.rates.path, leads.currency)  # refused before anything is done
            self.entities["leads"] = leads.in_any_currency(currencies.SPELLINGS)
        self.said = (*self.overrides, *([self.rates] if self.rates else []))
        guesses = contracts.guesses(self.entities.values())
        if guesses and not settings.accept and not contracts_in_use.are_in_use(self.lake, self.overrides):
            raise ContractError(
                f"The contract still guesses: {'; '.join(guesses[:5])}{f' and {len(guesses) - 5} more' * (len(guesses) > 5)}",
                "Read each, correct it and delete its confidence line; or run on the guesses with --accept.",
            )
        bring(self.entities, self.lake.root)
        extensions.load(settings)
        self.read_by = contracts_in_use.fingerprint(self.said)
        self.held_under = hold.under(settings.hold_back, self.said)
        self.goal = _goal(settings, now)
        self.model = models.champion(settings)
        self.steps = Steps(report)
        self.result = Result(run_id=f"{now:%Y%m%dT%H%M%S.%f}"[:-3], contracts=[item.path for item in self.overrides])
        self.replaced: list[Batch] = []
        self.decided: Sequence[Decision] = ()
        log.common["run_id"] = self.result.run_id
        self.lineage = Lineage(settings.lakehouse)

    def pending(self) -> list[Batch]:
        """Batches that a killed run left unfinished."""
        waiting = [b for b in batches.history(self.lake) if b.state in (batches.STARTED, batches.INGESTED)]
        return [replace(batch, files=tuple(map(self._as_now, batch.files))) for batch in waiting]

    def check_known_at(self) -> None:
        """Refuse a time of delivery in the future, or one at which a later delivery was known already.

        Raises:
            LakehouseError: It is one.
        """
        if self.known_at == self.now:
            return
        stamp = f"{self.known_at:%Y-%m-%d %H:%M}"
        if self.known_at > self.now:
            raise LakehouseError(f"--known-at {stamp} UTC is in the future", "Name the time at which the files came.")
        last = max((batch.known_at for batch in batches.history(self.lake)), default=None)
        if last is not None and last >= self.known_at:
            raise LakehouseError(
                f"{self.lake.root}: a delivery is known since {last:%Y-%m-%d %H:%M} UTC, which is not before {stamp}",
                "Load deliveries in the order in which they came, the oldest first, into a new lakehouse.",
            )

    def _as_now(self, file: sources.SourceFile) -> sources.SourceFile:
        """A file that was read before, by the present contracts; accepted once, it stays accepted."""
        mapped = sources.remapped(file, self.entities)
        return replace(mapped, accept=mapped.accept or self.settings.accept)

    def files(self, scan: sources.Scan) -> list[Batch]:
        """What a killed run left unfinished, then one batch of the tables whose content was never read as theirs."""
        known = batches.history(self.lake)
        kept = [batch for batch in known if batch.state != batches.ABANDONED]
        read = {(file.content_hash, file.entity) for batch in kept for file in batch.files}
        new: dict[tuple[str, str], sources.SourceFile] = {}
        unread = [file for file in scan.files if (file.content_hash, file.entity) not in read]
        scan = sources.without(scan, _not_whole(scan, kept), self.entities)
        if unread:
            begin(self.settings.engine, self.settings.memory_gib)  # while the files are looked at
        doubtful = self._doubtful(unread)
        if not self.settings.accept:
            scan = sources.without(scan, doubtful, self.entities)
        for file in scan.files:
            key = (file.content_hash, file.entity)
            if key in read or key in new:
                self.result.already_known += [file.name] * (file.name not in self.result.already_known)
            else:
                new[key] = replace(file, accept=self.settings.accept)
        earlier = [file for batch in kept for file in batch.files]
        settled = self._settle(list(new.values()), earlier) if new else None
        refused = [*scan.refused, *(settled.refused if settled else ())]
        files = settled.files if settled else ()
        read_now = sources.hold_back(files, refused, scan.ignored, self.entities, to_load=True)
        accepted = [item.problem for item in doubtful if self.settings.accept]
        self.result.refused, self.result.notes = (
            list(read_now.refused),
            [*accepted, *(settled.notes if settled else ())],
        )
        if not known and not read_now.files:
            problems = dict.fromkeys(item.problem for item in self.result.refused)
            raise SourceError("\n".join(problems), self.result.refused[0].remedy)
        fresh = [Batch.of(read_now.files, self.known_at)] if read_now.files else []
        unread_names = {(item.name, item.entity) for item in self.result.refused}
        there = tuple(file for file in scan.files if (file.name, file.entity) not in unread_names)
        stayed = {batch.batch_id for batch in hold.replaced(known) if self._left_behind(batch)}
        replaced = hold.replaced([*known, Batch.of(there, self.known_at)])
        self.replaced = [batch for batch in replaced if batch.batch_id not in stayed]
        gone = {batch.batch_id for batch in self.replaced}
        left = [batch for batch in known if batch.batch_id not in gone]
        arriving = {file.entity for file in read_now.files}
        again = hold.to_try(left, self.held_under, self.settings.accept, self.entities, arriving)
        again = [checked for batch in again if (checked := self._checked_again(batch, known))]
        times = (self.now + timedelta(microseconds=place) for place in range(1, len(again) + 1))
        again = [replace(batch, known_at=time) for batch, time in zip(again, times, strict=True)]
        return [*self.pending(), *fresh, *again]

    def _doubtful(self, files: list[sources.SourceFile]) -> list[sources.Refusal]:
        """The files of which it cannot be told what currency their amounts are in."""
        if not files:
            return []
        from medallion.pipeline import amounts  # with what reads cells, which a run with nothing new has no need of

        return amounts.refused(files, self.entities)

    def _settle(self, files: list[sources.SourceFile], earlier: list[sources.SourceFile]) -> conventions.Settled:
        """How the cells of files are written, and which of them are in doubt."""
        from medallion.pipeline import conventions  # with the words of CRMs, as above

        accept, today = self.settings.accept, self.now.date()
        return conventions.settle(files, self.entities, earlier, accept=accept, today=today)

    def _left_behind(self, batch: Batch) -> sources.Refusal | None:
        entity = self.entities.get(batch.files[0].entity)  # None where the contract has dropped it since
        return hold.left_behind(self.lake, entity, batch, self.settings.hold_back) if entity else None

    def _checked_again(self, batch: Batch, known: list[Batch]) -> Batch | None:
        """A held file to be tried again, with its dates and amounts looked at by the present contracts as those of a
        new file are; None when they are in doubt, which `Result.held` then says.
        """
        before = next(old for old in known if old.batch_id == batch.batch_id).files[0]
        file, refused = self._settled(before, batch.files[0], known)
        self.result.held += refused
        return None if refused else replace(batch, files=(file,))

    def refused_again(
        self, chosen: Mapping[str, Mapping[str, str]], before: bool = False
    ) -> list[tuple[Batch, frozenset[str]]]:
        """Batches that reprocess refused records, for `reprocess_refused`; known `before` the files of this run."""
        known = {batch.batch_id: batch for batch in batches.history(self.lake)}
        todo = []
        for place, (origin, ids) in enumerate(chosen.items(), -len(chosen) if before else 0):
            files = [replace(file, accept=True) for file in known[origin].files if file.entity in ids.values()]
            mapped = tuple(self.mapped_again(file, known.values()) for file in files)
            as_of = self.now + timedelta(microseconds=place)
            todo.append((Batch.again(known[origin], mapped, sorted(ids), as_of), frozenset(ids)))
        return todo

    def waiting_for_rates(self) -> dict[str, dict[str, str]]:
        """Deals that wait for the table of rates, for `reprocess_refused`; none while a batch is unfinished."""
        waiting: dict[str, dict[str, str]] = {}
        there = set(self.lake.tables())
        if self.rates and "silver.quarantine" in there and not self.pending():
            with query.connect(self.lake, layers=["silver", "bronze"], only={*awaiting.TABLES}) as connection:
                known = batches.history(self.lake)
                for row in awaiting.deals(connection, there, known, self.entities["leads"]):
                    waiting.setdefault(row["batch_id"], {})[row["quarantine_id"]] = "leads"
        return waiting

    def again(self, only: Collection[str]) -> list[Batch]:
        """Every batch of files to be read again: per entity, parents first, as they were delivered."""
        known = batches.history(self.lake)
        read = [batch for batch in known if batch.state == batches.FINISHED and batch.has_files]
        names = set(only) or set(self.entities)
        wanted = [replace(b, files=tuple(f for f in b.files if f.entity in names & set(self.entities))) for b in read]
        mapped = [self._anew(batch, known) for batch in wanted]
        rereads: list[Batch] = []
        for entity in self.entities:
            for batch in mapped:
                if files := batch.files_of(entity):
                    rereads.append(Batch.reread(batch, tuple(files), self.now + timedelta(microseconds=len(rereads))))
        return rereads

    def _anew(self, batch: Batch, known: Collection[Batch]) -> Batch:
        """A batch with its files by the present contracts, and with how their cells are written decided again as far as
        they are still there.
        """
        there, gone = [], []
        for file in batch.files:
            try:
                sources.unchanged(file)
                there.append(sources.undated(sources.remapped(file, self.entities)))
            except SourceError:
                gone.append(self.mapped_again(file, known))
        contents = {file.content_hash for file in batch.files}
        earlier = [file for other in known for file in other.files if file.content_hash not in contents]
        doubtful = [] if self.settings.accept else self._doubtful(there)
        settled = self._settle(there, earlier)
        self.result.notes += settled.notes
        for item in (*doubtful, *settled.refused):
            raise SourceError(item.problem, item.remedy)
        return replace(batch, files=(*settled.files, *gone))

    def mapped_again(self, file: sources.SourceFile, known: Collection[Batch]) -> sources.SourceFile:
        """A file of which refused records are reprocessed, by the present contracts.

        Raises:
            SourceError: They fill dates or amounts otherwise than before, and it is in doubt how these are written.
        """
        mapped = sources.remapped(file, self.entities)
        if not sources.refilled(file, mapped, self.entities[file.entity]):
            return mapped
        mapped, refused = self._settled(file, mapped, known)
        for item in refused:
            raise SourceError(item.problem, item.remedy)
        return mapped

    def _settled(
        self, before: sources.SourceFile, file: sources.SourceFile, known: Collection[Batch]
    ) -> tuple[sources.SourceFile, list[sources.Refusal]]:
        """A file that was read before, with how its cells are written decided again, and what is in doubt about it."""
        accept = self.settings.accept
        changed = sources.refilled(before, file, self.entities[file.entity])
        try:
            sources.unchanged(file)
        except SourceError:
            if not changed or accept:
                return file, []
            problem = (
                f"{file.name}: the contract fills {', '.join(changed)} otherwise than before, and the file itself is "
                "no longer there to tell how their values are written"
            )
            remedy = f"Put the file back as {file.uri}; or name the form of dates in the contract with dateFormats."
            return file, [sources.Refusal(file.name, file.entity, problem, remedy)]
        if not accept and (refused := self._doubtful([file])):
            return file, refused
        # its own record comes last: how its dates were written stays decided where the same columns fill them
        earlier = [other for batch in known for other in batch.files if other.content_hash != file.content_hash]
        settled = self._settle([file], [*earlier, file])
        self.result.notes += settled.notes
        return (settled.files or [file])[0], settled.refused

    def do(
        self, todo: list[tuple[Batch, frozenset[str]]], with_gold: bool, intent: AbstractContextManager[None]
    ) -> Result:
        """Take batches through bronze and silver, bring gold up to date where it is not, write down what was done."""
        result, behind = self.result, journal.without_gold(self.lake)
        stale = with_gold and (bool(todo or behind or self.decided) or not self._freshness().is_current())
        if todo or stale or self.replaced:
            log.event("run started", lakehouse=self.lake.root, batches=len(todo))
            self.lineage.started()
            try:
                with intent:
                    self._do(todo, stale)
            except BaseException as error:
                self.lineage.failed(error)
                log.event("run failed", logging.ERROR, error=type(error).__name__)
                if isinstance(error, Exception) and engine_name():
                    self._record_failure(error)
                raise
            self.lineage.finished()
        listed = {(item.name, item.entity) for item in result.held}
        for batch in hold.waiting(batches.history(self.lake)):
            if (batch.files[0].name, batch.files[0].entity) not in listed:
                result.held.append(hold.told(batch))
        result.steps, result.seconds = self.steps.seconds, round(time.perf_counter() - self.started, 3)
        log.event(
            "run finished",
            changed=result.changed,
            batch_id=result.batch_id,
            as_of=result.as_of,
            seconds=result.seconds,
            rows={account["entity"]: account["rows_read"] for account in result.accounts},
            quarantined=sum(account["quarantined"] for account in result.accounts),
            files_refused=len(result.refused),
            files_held=len(result.held),
            peak_mib=_peak_mib(),
        )
        return result

    def _do(self, todo: list[tuple[Batch, frozenset[str]]], stale: bool) -> None:
        from medallion.pipeline import (
            bronze_to_silver,
            identities,
            silver_to_gold,
        )  # these bring the engine's functions along
        from medallion.pipeline.gate import Gate

        lake, settings, result, now = self.lake, self.settings, self.result, self.now
        with self.steps.step("start the engine"):
            spark = session(settings.engine, settings.memory_gib)
        _check_folder(lake)
        before = batches.history(lake)
        replaced = batches.replaced([*before, *(batch for batch, _ in todo)])
        decisions.record(spark, lake, self.decided)
        context = Context(
            spark,
            lake,
            self.entities,
            self.steps,
            now,
            result.run_id,
            replaced,
            identities.frames(spark, lake, self.entities),
        )
        contracts_in_use.record(spark, lake, self.overrides, now)
        contracts_in_use.record_rates(spark, lake, self.rates, now)
        self._try_expressions(spark, [batch for batch, _ in todo])
        reread = {file.entity for batch, _ in todo if batch.is_reread for file in batch.files}
        for name in sorted(reread):
            context.delete_rows(self.entities[name].clean.name, "true")
        waiting = deque(todo)
        while waiting:
            batch, chosen = waiting.popleft()
            gate = Gate(context, batch, settings.hold_back, self.held_under)
            try:
                accounts = bronze_to_silver.bronze_to_silver(context, batch, gate, chosen)
            except SourceError as error:
                if (rest := self._without_unreadable(batch, error)) is None:
                    raise
                waiting.appendleft((rest, chosen))
                continue
            result.accounts += accounts
            if batch.is_reread and not settings.accept:
                _needs_most_rows(accounts)
            result.held += [verdict.refusal for verdict in gate.verdicts if verdict.held]
            result.poor += [verdict.refusal for verdict in gate.verdicts if not verdict.held]
            result.batch_id = batch.batch_id
            if not batch.origin:
                result.files += [file.name for file in batch.files]
                self._tell_columns(batch, before)
            self._tell_lineage(batch, accounts)
        with self.steps.step("silver: records that are one"):
            identities.settle(context, delivered=bool(todo))
        for batch in self.replaced:
            if stays := self._left_behind(batch):
                result.held.append(stays)
                continue
            batches.record(spark, lake, batch, batches.ABANDONED, now)
            result.given_up.append(hold.given_up(lake, batch))
        fresh = self._freshness() if stale else None
        if fresh is not None:

            def why(day: date) -> Stale:
                stale = fresh.stale(day)
                stale = replace(stale, anew=stale.anew or bool(reread))
                result.rebuilt = dict(stale.tables)
                return stale

            result.as_of, result.warnings = silver_to_gold.silver_to_gold(
                context,
                self.goal,
                settings.score,
                champion=self.model,
                score_at=now,
                stale=why,
                time_zone=settings.time_zone,
            )
            for step in graph():
                if step.table in result.rebuilt:
                    read = [name for name in step.inputs if "." in name]
                    self.lineage.job(step.table, read, [gold_contract(step.table)])
        if todo and lake.exists(erasure_log.TABLE):
            self._flag_returned(spark, [batch.batch_id for batch, _ in todo])
        if todo or fresh is not None:
            with self.steps.step("prove what was read"):
                self._prove(spark, todo)
        result.changed = True
        result.steps, result.seconds = self.steps.seconds, round(time.perf_counter() - self.started, 3)
        _record_run(spark, lake, result, fresh.document(result.as_of) if fresh and result.as_of else None, now)

    def _flag_returned(self, spark: SparkSession, batch_ids: list[str]) -> None:
        """Warn of records with a contact of someone who was forgotten, and flag them until someone decides."""
        lake = self.lake
        back = erasure_log.returned(lake, self.entities, batch_ids if lake.exists(erasure_log.RETURNED) else None)
        erasure_log.note(spark, lake, back, erasure_log.FLAGGED, self.now)
        self.result.warnings += [f"{record.says}. {erasure_log.TO_DO}" for record in back[:_MOST_NAMED]]
        if len(back) > _MOST_NAMED:
            more = f"{len(back) - _MOST_NAMED:,} more records like these; `medallion status` lists them."
            self.result.warnings.append(more)

    def _without_unreadable(self, batch: Batch, error: SourceError) -> Batch | None:
        """The files of a batch that was rolled back without the one that an error names, and those that wait for it."""
        bad = [file for file in batch.files if error.problem.startswith(f"{file.name}: ")]
        if not bad or not batch.has_files:
            return None
        remedy = "Mend or remove the file and run again."
        refused = [sources.Refusal(file.name, file.entity, error.problem, remedy) for file in bad]
        left = [file for file in batch.files if file not in bad]
        refused = [*self.result.refused, *refused]
        kept = sources.hold_back(left, refused, self.result.ignored, self.entities, to_load=True)
        if not kept.files:
            return None
        self.result.refused = list(kept.refused)
        return Batch.of(kept.files, batch.known_at)

    def _prove(self, spark: SparkSession, todo: list[tuple[Batch, frozenset[str]]]) -> None:
        """Compute the totals of the deals, and record them beside those of earlier runs."""
        current = self.result.proof = proof.of_lake(self.lake, self.entities, self.entities["leads"].currency)
        if current is None:
            return
        used = contracts_in_use.fingerprint(self.overrides)
        self.result.first_proof = used not in {row["contracts"] for row in proof.recorded(self.lake)}
        row = {
            "run_id": self.result.run_id,
            "batch_id": self.result.batch_id,
            "known_at": self.now,
            "kind": _kind([batch for batch, _ in todo]),
            "source": self.settings.source,
            "contracts": used,
            **{state: current.deals(state) for state in proof.STATES},
            "question": current.question,
            "document": proof.kept(current),
        }
        _append_row(spark, self.lake, proof.contract(), row)

    def _record_failure(self, error: Exception) -> None:
        """Write down that the run failed, and where; a failure to do so must not hide the error itself."""
        failed_after = round(time.perf_counter() - self.started, 3)
        row = {
            "run_id": self.result.run_id,
            "started_at": self.now,
            "failed_at": self.now + timedelta(seconds=failed_after),
            "step": self.steps.failed,
            "error": type(error).__name__,
            "version": VERSION,
            "engine": engine_name(),
            "seconds": failed_after,
            "steps": json.dumps(self.steps.seconds),
        }
        try:
            _check_folder(self.lake)
            _append_row(session(), self.lake, contracts.table("ops.failures"), row)
        except Exception as other:  # noqa: BLE001 - the error that it stands beside is the one to tell
            log.event("failure not recorded", logging.WARNING, error=type(other).__name__)

    def _tell_lineage(self, batch: Batch, accounts: list[dict[str, Any]]) -> None:
        """A job per entity: from its files, and from those that it refers to, to its tables."""
        for account in accounts:
            entity = self.entities[account["entity"]]
            parents = [self.entities[name].clean.name for name in sorted(entity.parents)]
            written = [entity.history, entity.clean, contracts.table("silver.quarantine")]
            read = [] if batch.origin else [file.uri for file in batch.files_of(entity.name)]
            kept = account["accepted"] + account["superseded"]
            self.lineage.job(f"silver.{entity.name}", parents, written, read, kept)

    def _try_expressions(self, spark: SparkSession, todo: list[Batch]) -> None:
        """Refuse a contract's expression that the engine does not know, before anything is written."""
        from medallion import silver

        for entity in self.entities.values():
            for file in {f.uri + f.sheet + f.member: f for batch in todo for f in batch.files_of(entity.name)}.values():
                for name, item in file.mapping.items():
                    if item.sql is not None:
                        columns = [*(column for _, column in file.columns), RECORD]
                        silver.tried(spark, columns, item.sql, f"{entity.name}.{name}")

    def _tell_columns(self, batch: Batch, before: list[Batch]) -> None:
        """Note columns that no contract reads, columns that only earlier files had, and lines above a header."""
        for name in dict.fromkeys(file.name for file in batch.files):
            files = [file for file in batch.files if file.name == name]
            mapped = set().union(*(file.columns_read for file in files))
            written = [header for header, _ in files[0].columns]
            extra = [
                f"{header} (as {column})" if written.count(header) > 1 else header
                for header, column in files[0].columns
                if column not in mapped
            ]
            if extra:
                self.result.new_columns[name] = extra
            if files[0].header_line > 1:
                self.result.skipped_lines[name] = files[0].header_line - 1
            if gone := sorted(set().union(*(drift.missing(file, before) for file in files))):
                self.result.missing_columns[name] = gone

    def _freshness(self) -> Freshness:
        """What gold depends on now, beside what it depended on when it was computed last."""
        rows: list[dict[str, Any]] = []
        if self.lake.exists(journal.RUNS):
            with query.connect(self.lake, layers=["ops"], only={journal.RUNS}) as connection:
                sql = f"select fingerprint from {journal.RUNS} where fingerprint is not null order by started_at desc limit 1"
                rows = query.rows(connection, sql)
        given = {
            "": contracts_in_use.fingerprint(self.said),
            "as_of": self.settings.score.model_dump(mode="json"),
            SCORED: self.model.scorer.version if self.model else None,
            "time_zone": self.settings.time_zone,
        }
        dated = (entity.clean.name for entity in self.entities.values() if any(c.event for c in entity.columns))
        last = recorded(rows[0]["fingerprint"] if rows else None)
        there = optional_tables(self.lake, self.entities)
        merged = decisions.fingerprint(self.lake, self.entities)
        return Freshness(self.lake, tuple(dated), self.goal, given, last, self.full_refresh, there, merged)


def _check_folder(lake: Lakehouse) -> None:
    """Sail 0.7 puts the log and the files of a table into two other folders where a path has such characters.

    Raises:
        LakehouseError: The embedded engine cannot write to a folder of that name.
    """
    if lake.folder is None:
        return
    path = str(lake.folder.absolute())
    odd = [letter for letter in path if not (letter.isascii() and (letter.isalnum() or letter in "/!$&'()+,-.:;=@_"))]
    if odd and engine_name() == "sail":
        raise LakehouseError(
            f"{path}: the embedded engine cannot write to a folder with {odd[0]!r} in its path",
            "Choose a --lakehouse with plain letters, digits, - and _ only.",
        )


def _kind(todo: list[Batch]) -> str:
    """What read these batches."""
    if any(batch.is_reread for batch in todo):
        return journal.REPROCESS
    return (
        journal.QUARANTINE_REPLAY
        if todo and all(batch.origin and not batch.is_held_file for batch in todo)
        else journal.RUN
    )


def _recovered(settings: Settings) -> list[str]:
    """Roll back what a killed process has left, before anything is read that it may have changed: contracts in use too."""
    lake = Lakehouse(settings.lakehouse)
    if (lake.folder and lake.folder.is_file()) or journal.unfinished_intent(lake) is None:
        return []  # the writer says what is wrong with the address
    with journal.writing(lake) as writer:
        return writer.recovered


def _not_whole(scan: sources.Scan, known: Collection[Batch]) -> list[sources.Refusal]:
    """New files that a contract says are complete deliveries, and that may be an earlier one, or lie beside one."""
    latest: dict[tuple[str, str], Batch] = {}
    for batch in known:
        latest |= {place: batch for file in batch.files if (place := _complete(file))}
    read = {(file.content_hash, file.entity) for batch in known for file in batch.files}
    last = {(file.content_hash, file.entity) for batch in latest.values() for file in batch.files}
    refusals = []
    for file in scan.files:
        place, content = _complete(file), (file.content_hash, file.entity)
        if place is None or content in last:
            continue
        beside = [other for other in scan.files if other is not file and _complete(other) == place]
        old = [other.name for other in beside if (other.content_hash, other.entity) in read]
        if content in read:
            problem = "has the content of an earlier delivery, and a later one has been read since"
            remedy = "Export it again; as it is, nothing tells whether it is the newest state."
        elif old:
            problem = f"is a complete delivery by the contract, but {old[0]} lies beside"
            remedy = "Give a folder with this delivery alone and whole: what it lacks has ended."
        else:
            continue
        refusals.append(sources.Refusal(file.name, file.entity, f"{file.name}: {problem}", remedy))
    return refusals


def _complete(file: sources.SourceFile) -> tuple[str, str] | None:
    filling = file.mapping.get(COMPLETE)
    return (file.entity, str(filling.value)) if filling else None


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


def _needs_most_rows(accounts: Iterable[Mapping[str, Any]]) -> None:
    """Refuse a reading of which more than half of the rows are refused.

    Raises:
        SourceError: One is.
    """
    for account in accounts:
        if account["quarantined"] * 2 > account["rows_read"]:
            raise SourceError(
                f"{account['entity']}: {hold.part_of(account['quarantined'], account['rows_read'])} would be refused",
                "Correct the contract; --accept reads them so all the same. The next command rolls this one back.",
            )


def _goal(settings: Settings, now: datetime) -> date | None:
    if settings.as_of == "latest":
        return None
    return now.date() if settings.as_of == "today" else date.fromisoformat(settings.as_of)


def _peak_mib() -> float | None:
    """Largest resident memory of this process so far."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10  # bytes there, kibibytes elsewhere
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)


def _record_run(spark: SparkSession, lake: Lakehouse, result: Result, fingerprint: str | None, now: datetime) -> None:
    contract = contracts.table("ops.runs")
    row = {
        "run_id": result.run_id,
        "batch_id": result.batch_id,
        "started_at": now,
        "finished_at": now + timedelta(seconds=result.seconds),
        "as_of": end_of_day(result.as_of) if result.as_of else None,
        "fingerprint": fingerprint,
        "version": VERSION,
        "engine": engine_name(),
        "seconds": result.seconds,
        "steps": json.dumps(result.steps),
        "rows_read": sum(int(account["rows_read"]) for account in result.accounts),
        "peak_mib": _peak_mib(),
    }
    _append_row(spark, lake, contract, row)


def _append_row(spark: SparkSession, lake: Lakehouse, contract: Table, row: Mapping[str, Any]) -> None:
    store.append_rows([tuple(row[name] for name in contract.column_names)], spark, lake, contract)
