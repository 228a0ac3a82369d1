"""What a run is to read: new files, unfinished batches, files that were held back, refused records, all anew."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from medallion import contracts, log, sources
from medallion.config import Settings
from medallion.contracts.filling import COMPLETE
from medallion.contracts.own import bring
from medallion.errors import ContractError, LakehouseError, SourceError
from medallion.lakehouse import contracts_in_use, query
from medallion.lakehouse.session import begin
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import awaiting, batches, extensions, hold, models
from medallion.pipeline.batches import Batch
from medallion.pipeline.lineage import Lineage
from medallion.pipeline.result import Result
from medallion.pipeline.steps import Report, Steps
from medallion.sources import currencies, rates

if TYPE_CHECKING:
    from medallion.identities.decisions import Decision
    from medallion.pipeline import conventions


class Backlog:
    """One run: by which contracts, and the batches that it is to take through bronze and silver."""

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


def _goal(settings: Settings, now: datetime) -> date | None:
    if settings.as_of == "latest":
        return None
    return now.date() if settings.as_of == "today" else date.fromisoformat(settings.as_of)
