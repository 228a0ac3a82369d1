"""What a lakehouse holds and how fresh it is, read from its ops tables and Delta logs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from datetime import UTC, date, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import duckdb

from medallion import contracts, figures, metrics
from medallion.contracts import Table
from medallion.errors import LakehouseError
from medallion.gold import gold_contract
from medallion.lakehouse import contracts_in_use, manifests, query, store
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import batches, drift, erasure_log, journal, proof

_RUNS = 10


def tables(lake: Lakehouse) -> list[dict[str, Any]]:
    """One record per table: name, rows, columns, version, grain and path.

    Raises:
        LakehouseError: There is no lakehouse.
    """
    records = []
    entities = contracts.entities(contracts_in_use.overrides(lake))
    with query.connect(lake, layers=("bronze", "silver", "gold", "ops")) as connection:
        for name in lake.tables():
            count = query.rows(connection, f"select count(*) as n from {name}")[0]["n"]
            delta = lake.delta(name)
            records.append(
                {
                    "table": name,
                    "rows": count,
                    "columns": len(delta.schema().fields),
                    "version": delta.version(),
                    "grain": _grain(name, entities),
                    "path": lake.path(name),
                }
            )
    return records


def _grain(name: str, entities: Mapping[str, contracts.Entity]) -> str:
    if name.startswith("bronze."):
        return "one row per record of an export, cells as text"
    for entity in entities.values():
        for contract in (entity.clean, entity.history, entity.staged, entity.orphan_keys, entity.conflicting_keys):
            if contract.name == name:
                return contract.grain
    try:
        known: Table = gold_contract(name)
    except KeyError:  # somebody's own table beside those of the pipeline
        return "no contract describes this table"
    return known.grain


def status(
    lake: Lakehouse, now: datetime, overrides: Iterable[Path] = (), over: duckdb.DuckDBPyConnection | None = None
) -> dict[str, Any]:
    """Runs, manifests, batches, row accounts, quarantine and freshness of a lakehouse as plain values.

    Freshness compares the hours since the newest event of an entity with what its contract promises. A date
    after the reading of its row is a plan or a mistake, not an event.

    Quarantine counts records that wait there. A lakehouse that a run has left half made shows as far as it is.
    `over` is a connection that is open already. While an erasure removes what readers would open, or after one was
    interrupted there, only `unfinished` is told.

    Raises:
        LakehouseError: There is no lakehouse.
    """
    try:
        return _status(lake, now, overrides, over)
    except LakehouseError:
        if store.erasing(lake) is None:
            raise
    lists = ("contracts", "returned", "runs", "manifests", "failures", "batches", "drift", "row_accounts", "proofs")
    document: dict[str, Any] = {name: [] for name in (*lists, "quarantine", "freshness")}
    return {
        **document,
        "lakehouse": lake.root,
        "unfinished": journal.unfinished(lake),
        "currencies": "",
        "tables": {},
    }


def _status(
    lake: Lakehouse, now: datetime, overrides: Iterable[Path], over: duckdb.DuckDBPyConnection | None
) -> dict[str, Any]:
    known = batches.history(lake)
    if not known:
        with query.connect(lake):
            lake.delta(batches.JOURNAL)
    entities = contracts.entities(contracts_in_use.overrides(lake, overrides))
    document: dict[str, Any] = {
        "lakehouse": lake.root,
        "contracts": [item.path for item in contracts_in_use.overrides(lake, overrides)],
        "unfinished": [*journal.unfinished(lake), *_left(lake)],
        "returned": [
            {"what": record.says, "what_to_do": erasure_log.TO_DO} for record in erasure_log.waiting(lake, entities)
        ],
        "runs": [],
        "manifests": _manifests(lake, now),
        "failures": [],
        "batches": [
            {
                "batch_id": batch.batch_id,
                "state": batch.state,
                "known_at": batch.known_at.isoformat(sep=" ", timespec="seconds"),
                "files": list(dict.fromkeys(file.name for file in batch.files)) if batch.has_files else [],
                "takes_up": batch.origin,
            }
            for batch in known
        ],
        "drift": _drift(known),
        "row_accounts": [],
        "proofs": [
            {name: _plain(row)[name] for name in ("run_id", "kind", "won", "lost", "open", "question")}
            for row in proof.recorded(lake)[-_RUNS:][::-1]
        ],
        "currencies": proof.note(lake),
        "quarantine": [],
        "freshness": [],
        "tables": {name: lake.version(name) for name in lake.tables()},
    }
    later = ", ".join(
        f"{batches.account_sql(lake, name)} as {name}"
        for name in ("excluded", "withdrawn", "merged", "implied", "erased")
    )
    with nullcontext(over) if over else query.connect(lake) as connection:

        def rows(table: str, sql: str) -> list[dict[str, Any]]:
            return [_plain(row) for row in query.rows(connection, sql)] if lake.exists(table) else []

        document["runs"] = rows(
            "ops.runs",
            "select run_id, batch_id, started_at, seconds, cast(as_of - interval 1 microsecond as date) as as_of, "
            f"version, engine from ops.runs order by started_at desc limit {_RUNS}",
        )
        document["failures"] = rows(
            "ops.failures",
            "select run_id, started_at, failed_at, step, error, seconds, version, engine "
            f"from ops.failures order by started_at desc limit {_RUNS}",
        )
        document["row_accounts"] = rows(
            "ops.row_accounts",
            f"select batch_id, entity, rows_read, accepted, duplicate, superseded, quarantined, {later}, balanced "
            "from ops.row_accounts order by known_at, batch_id, entity",
        )
        document["quarantine"] = rows(
            "silver.quarantine",
            "select entity, failed_check, count(*) as records from "
            "(select entity, unnest(failed_checks) as failed_check from silver.quarantine where resolved_by is null) "
            "group by all order by records desc, entity, failed_check",
        )
        fresh = [_freshness(connection, entity, now) for entity in entities.values() if lake.exists(entity.clean.name)]
        document["freshness"] = [row for row in fresh if row]
    return document


def _left(lake: Lakehouse) -> list[dict[str, Any]]:
    """Erasures that are complete but for what their search found."""
    return [
        {
            "what": journal.FORGET,
            "began_at": arguments["now"].replace("T", " ")[:19],
            "state": "something of the account was found",
            "what_to_do": f"remove what {erasure_id} in ops/certificates names, then `{journal.RESUME}`",
        }
        for erasure_id, arguments in erasure_log.left(lake).items()
    ]


def _drift(known: list[batches.Batch]) -> list[dict[str, Any]]:
    """Tables whose columns differ from those of the table before them."""
    changes = []
    for place, batch in enumerate(known):
        for file in batch.files if not batch.origin else ():
            gone, new = (sorted(change(file, known[:place])) for change in (drift.missing, drift.gained))
            if gone or new:
                changes.append(
                    {"batch_id": batch.batch_id, "file": file.name, "new_columns": new, "missing_columns": gone}
                )
    return changes


def _manifests(lake: Lakehouse, now: datetime) -> list[dict[str, Any]]:
    """The last states of a lakehouse that can be opened, the newest first."""
    known = manifests.history(lake)
    opens = manifests.openable(known, now.replace(tzinfo=UTC), month_ends=lake.place.reads_files)
    return [
        {
            "manifest": manifest.number,
            "written_at": f"{manifest.written_at:%Y-%m-%dT%H:%M:%S}",
            "by": manifest.kind,
            "run_id": manifest.run_id,
            "tables": len(manifest.tables),
            "rows": sum(kept.rows for kept in manifest.tables.values()),
            "opens": manifest.number in opens,
        }
        for manifest in known[-_RUNS:][::-1]
    ]


def _freshness(connection: Any, entity: contracts.Entity, now: datetime) -> dict[str, Any] | None:
    events = [
        f"max(case when {column.name} <= known_at then {column.name} end)" for column in entity.columns if column.event
    ]
    if not events:
        return None
    value = query.rows(connection, f"select greatest({', '.join(events)}, null) as newest from {entity.clean.name}")
    newest = value[0]["newest"]
    row = {
        "entity": entity.name,
        "newest_event": None if newest is None else newest.replace(tzinfo=None).isoformat(sep=" "),
        "promised_hours": entity.freshness_hours,
    }
    return aged(row, now)


def aged(row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """A row of freshness as of a given time."""
    newest, promised = row["newest_event"], row["promised_hours"]
    hours = None if newest is None else round((now - datetime.fromisoformat(newest)).total_seconds() / 3600, 1)
    return {
        "entity": row["entity"],
        "newest_event": newest,
        "hours_old": hours,
        "promised_hours": promised,
        "kept": None if hours is None or promised is None else hours <= promised,
    }


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value.replace(tzinfo=None).isoformat(sep=" ", timespec="seconds") if isinstance(value, datetime) else value
        for key, value in row.items()
    }


def needs(lake: Lakehouse, tables: Iterable[str]) -> None:
    """Make sure that the tables are there.

    Raises:
        LakehouseError: One is not.
    """
    for name in tables:
        lake.delta(name)


def insights(lake: Lakehouse) -> dict[str, Any]:
    """The figures of the gold tables, by metric name.

    Raises:
        LakehouseError: There is no gold yet, or not all of it.
    """
    contracts_in_use.for_readers(lake)
    tables = {table for name in metrics.INSIGHTS for table in metrics.named(name).view.tables}
    needs(lake, sorted(tables))
    with query.connect(lake, only=tables) as connection:
        return dict(metrics.insights(connection))


def as_of(lake: Lakehouse) -> date | None:
    """The last day that the gold tables include; None when they are empty.

    Raises:
        LakehouseError: There is no gold yet.
    """
    lake.delta("gold.sales_summary")
    with query.connect(lake, only={"gold.sales_summary"}) as connection:
        day = query.rows(connection, "select max(day) as day from gold.sales_summary")[0]["day"]
    return day if isinstance(day, date) else None


def scores(lake: Lakehouse, top: int) -> dict[str, Any]:
    """The open deals most likely to be won, by their last scores, and how many there are.

    Raises:
        LakehouseError: There are no scores.
    """
    lake.delta("gold.lead_scores")
    latest = (
        "from gold.lead_scores where (as_of, known_as_of) = "
        "(select (as_of, known_as_of) from gold.lead_scores order by known_as_of desc, as_of desc limit 1)"
    )
    with query.connect(lake, layers=["gold"]) as connection:
        whole = query.rows(
            connection,
            f"select count(*) as open_deals, max(as_of) as as_of, max(model_version) as model_version, "
            f"round(sum(probability), 2) as expected_wins {latest}",
        )[0]
        best = query.rows(
            connection,
            f"select s.lead_id, d.customer_name, d.owner, d.deal_value, s.probability, s.probability_low, "
            f"s.probability_high, s.probability_source, s.tier, s.lead_score, s.lead_quality, s.trend, s.reasons_up, "
            f"s.reasons_down from (select * {latest}) s join gold.deals d using (lead_id) "
            "order by s.probability desc nulls last, s.lead_score desc, s.lead_id limit $1",
            [top],
        )
        bands = _bands(connection) if lake.exists("gold.score_bands") else []
    return {
        **whole,
        "bands": bands,
        "doubts": doubts(bands),
        "deals": best,
        "shown": len(best),
        "total": whole["open_deals"],
        "currency": contracts_in_use.currency(lake),
    }


#: Closed deals from which the win rate of a band is compared, and open deals from which a band should not hold half of them.
_LEAST_CLOSED, _LEAST_OPEN = 20, 200
_Z_90 = 1.645


def _bands(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Per band of the rule score, the best first: its lowest score, open deals and the scores of these, closed deals and
    the share won of these.
    """
    return query.rows(
        connection,
        "select b.lead_quality as band, (select min(lead_score) from gold.customer_features f "
        "where f.lead_quality = b.lead_quality) as score_from, count(d.lead_id) as open_deals, "
        "count(distinct d.lead_score) as scores, any_value(b.closed_leads) as closed, any_value(b.win_rate) as win_rate "
        "from gold.score_bands b left join gold.deals d on d.lead_quality = b.lead_quality and d.status = 'open' "
        "group by b.lead_quality order by list_position(['Hot', 'Warm', 'Cool', 'Cold'], band)",
    )


def doubts(bands: list[dict[str, Any]]) -> list[str]:
    """What is odd about the bands, in sentences: a lower band wins significantly more often, or one has most open deals."""
    sentences = []
    known = [band for band in bands if (band["closed"] or 0) >= _LEAST_CLOSED]
    for higher, lower in combinations(known, 2):
        p, q = float(higher["win_rate"]), float(lower["win_rate"])
        chance = (p * (1 - p) / higher["closed"] + q * (1 - q) / lower["closed"]) ** 0.5
        if q - p > _Z_90 * chance:
            sentences.append(
                f"{lower['band']} deals were won more often than {higher['band']} ones, {figures.percent(q)} of "
                f"{lower['closed']:,} against {figures.percent(p)} of {higher['closed']:,}: go by the probability, not by "
                "the band"
            )
    total = sum(band["open_deals"] for band in bands)
    for band in bands:
        if total >= _LEAST_OPEN and band["open_deals"] * 2 > total:
            holds = f"{band['band']} holds {figures.percent(band['open_deals'] / total)} of {total:,} open deals"
            why = (
                f"{holds}, all with the score {band['score_from']}: go by the probability, not by the band"
                if band["scores"] == 1
                else f"{holds}, so the bands hardly divide them: `quarters_from: {_LEAST_OPEN}` beside your thresholds in "
                "config.yaml makes the bands quarters of them"
            )
            sentences.append(why)
    return sentences
