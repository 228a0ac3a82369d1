"""Tables beside the deals that tell of their stages: the CRM's own list, changes of stage, leads before them."""

from __future__ import annotations

from medallion.contracts import Filling
from medallion.proposal import date_columns, feeding, funnel, match, stages
from medallion.proposal.draft import Draft
from medallion.proposal.feeds import Feed
from medallion.proposal.profile import Column


def of_deals(draft: Draft, feed: Feed) -> None:
    """Take the state of a deal's stage from the CRM's own table of stages, before any guess by words."""
    mapped = [item.column for name in ("stage", "status") if (item := feed.fillings.get(name)) and item.column]
    candidates = [stage_table for table in draft.free(feed) if (stage_table := stages.of(table))]
    use = stages.used(candidates, feed.table, mapped)
    if use is None:
        return
    table, pipeline = use.stages.table, use.stages.pipeline
    key = Filling(column=use.by.header, confidence=0.95, reason="what deals name a stage by")
    text = Filling(column=use.column.header)
    if use.pipeline and pipeline:
        key = Filling(sql=_joined(pipeline, use.by), confidence=0.9, reason="names repeat from one pipeline to another")
        text = Filling(sql=_joined(use.pipeline, use.column))
    fillings = {"record_id": key}
    for name, column in (
        ("label", use.stages.label),
        ("position", use.stages.position),
        ("probability", use.stages.probability),
    ):
        if column:
            fillings[name] = Filling(column=column.header, confidence=0.9, reason="its name")
    sure, reason = stages.explained(use)
    fillings["state"] = Filling(sql=use.stages.sql, confidence=0.95, reason=use.stages.basis)
    status = feed.fillings["status"]
    keeps = status.sql is not None or (status.column not in (None, use.column.header) and _tells(draft, feed))
    by_label = use.by is use.stages.label
    if keeps and by_label:
        return
    name = draft.add_further(table, f"the stages that {use.column.header} of {feed.table.file.name} names", fillings)
    looked_up = text.model_copy(update={"lookup": name, "by": "record_id", "confidence": sure, "reason": reason})
    if not keeps:
        feed.fillings["status"] = looked_up.model_copy(update={"take": "state"})
    if not by_label and use.stages.label:
        reason = f"the names that {table.file.name} has for its values"
        feed.fillings["stage"] = looked_up.model_copy(
            update={"take": "label", "confidence": max(sure, 0.9), "reason": reason}
        )
    else:
        stage = feed.fillings.get("stage") or Filling(column=use.column.header)
        feed.fillings["stage"] = stage.model_copy(
            update={
                "column": use.column.header,
                "confidence": 0.9,
                "reason": f"its values are stages in {table.file.name}",
            }
        )


def _tells(draft: Draft, feed: Feed) -> bool:
    """Whether a column of states, all of which are understood, tells how deals ended."""
    column = feed.table.column(str(feed.fillings["status"].column))
    meant = [match.meaning("leads", draft.entities["leads"].column("status"), text) for text in column.counts]
    return all(meant) and bool({"won", "lost"} & {meaning.value for meaning in meant if meaning})


def before(draft: Draft, before: funnel.Before) -> None:
    """Leads that became deals: read as a table of their own, so that none counts twice."""
    item = before.match
    reason = f"the stage before the deals of {before.deals.table.file.name}, which are not counted twice"
    fillings = {"record_id": Filling(column=before.key.header, confidence=0.95, reason="every row has its own")}
    if before.deal:
        count = f"{before.deal.filled} of {before.deal.rows} became a deal"
        fillings["deal_id"] = Filling(column=before.deal.header, confidence=0.95, reason=count)
    feed = Feed(item.table, "leads", 0.9, reason)
    for name in ("status", "source", "created_at"):
        column = item.columns[name][0] if name in item.columns else None
        if column is not None and column not in (before.key, before.deal):
            filling = Filling(column=column.header, confidence=0.9, reason=item.columns[name][1].reason)
            if name == "source":
                filling = feeding.valued(draft, filling, column, feed, draft.entities["leads"].column("source"))
            fillings[name] = filling
    name = draft.add_further(item.table, reason, fillings)
    deals = next((f for f in draft.feeds if f.table is before.deals.table and f.entity == "leads"), None)
    if deals is None or "source" in deals.fillings or "source" not in fillings:
        return
    own = draft.own(deals)
    link = (before.named_by, "record_id") if before.named_by else (own, "deal_id")
    if link[0] is not None:
        deals.fillings["source"] = Filling(
            column=link[0].header, lookup=name, by=link[1], take="source",
            confidence=0.9, reason=f"where its lead in {item.table.file.name} came from",
        )  # fmt: skip


def history(draft: Draft, feed: Feed) -> None:
    """Add the changes of stage that a table beside the deals records."""
    own, stage = draft.own(feed), feed.fillings.get("stage")
    if own is None or stage is None or stage.column is None:
        return
    known = feed.table.column(stage.column).forms
    tables = [f for f in draft.feeds if stage.lookup and f.entity == stage.lookup]
    for lookup in tables:
        key_column = lookup.fillings["record_id"].column
        known |= lookup.table.column(key_column).forms if key_column else frozenset()
    used = {id(f.table) for f in draft.feeds}
    for table in [t for t in draft.free(feed) if id(t) not in used]:
        stage_history = funnel.history(table, own.forms, known)
        if stage_history is None:
            continue
        reason = f"each row is a deal of {feed.table.file.name} and a stage that it entered"
        changes = Feed(table, "stage_changes", stage_history.confidence, reason)
        if stage_history.key:
            changes.fillings["change_id"] = Filling(
                column=stage_history.key.header, confidence=0.9, reason="every row has its own"
            )
        entered = Filling(
            column=stage_history.entered.header, confidence=stage_history.confidence, reason="its name; dates"
        )
        changes.fillings |= {
            "lead_id": Filling(column=stage_history.deal.header, confidence=0.95, reason="known deals"),
            "stage": stage.model_copy(
                update={"column": stage_history.stage.header, "confidence": 0.9, "reason": "stages of the deals"}
            ),
            "entered_at": date_columns.dated(draft, entered, stage_history.entered, table),
        }
        draft.feeds.append(changes)


def _joined(*columns: Column) -> str:
    return f"concat_ws('|', {', '.join(f'`{column.name}`' for column in columns)})"
