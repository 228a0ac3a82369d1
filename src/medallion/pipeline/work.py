"""A run: batches through bronze and silver, gold brought up to date, and what was done written down."""

from __future__ import annotations

import json
import logging
import time
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from medallion import contracts, log, sources
from medallion.contracts.filling import RECORD
from medallion.errors import SourceError
from medallion.gold import SCORED, gold_contract, graph
from medallion.lakehouse import contracts_in_use, query
from medallion.lakehouse.session import engine_name, session
from medallion.pipeline import batches, decisions, drift, erasure_log, hold, journal, proof
from medallion.pipeline.backlog import Backlog
from medallion.pipeline.batches import Batch
from medallion.pipeline.context import Context, check_folder
from medallion.pipeline.freshness import Freshness, Stale, optional_tables, recorded
from medallion.pipeline.recording import append_row, peak_mib, record_run
from medallion.pipeline.result import Result
from medallion.version import VERSION

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

#: At most so many records with a contact of someone who was forgotten are named one by one.
_MOST_NAMED = 5


class Work(Backlog):
    """One run: what it is to do, with which contracts, and what came of it."""

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
            peak_mib=peak_mib(),
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
        check_folder(lake)
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
        record_run(spark, lake, result, fresh.document(result.as_of) if fresh and result.as_of else None, now)

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
        append_row(spark, self.lake, proof.contract(), row)

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
            check_folder(self.lake)
            append_row(session(), self.lake, contracts.table("ops.failures"), row)
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


def _kind(todo: list[Batch]) -> str:
    """What read these batches."""
    if any(batch.is_reread for batch in todo):
        return journal.REPROCESS
    return (
        journal.QUARANTINE_REPLAY
        if todo and all(batch.origin and not batch.is_held_file for batch in todo)
        else journal.RUN
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
