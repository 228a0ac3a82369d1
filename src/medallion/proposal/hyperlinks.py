"""Cells with a link, as Notion, Markdown, HTML and spreadsheets write them: whatever reads such a column reads it without."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Mapping

from medallion.contracts import Entity, Filling
from medallion.contracts.filling import Condition, Expression, Merged
from medallion.contracts.model import Column as Declared
from medallion.proposal import asking
from medallion.proposal.feeds import Feed, Proposal
from medallion.proposal.profile import Column, Table


def ask(feed: Feed, entity: Entity) -> None:
    """Ask once about a column of names or keys of which only some have a link, and about links that have to stay."""
    asked: set[str] = set()
    for name, item in feed.fillings.items():
        column = feed.table.column(item.column) if item.column else None
        if column is None or column.header in asked or not column.linked:
            continue
        if item.fill_down:  # which only a column as it is can be
            reason = f"{item.reason}; its cells keep their links, such as {column.link[:80]!r}: may they?"
            feed.fillings[name] = item.model_copy(update={"confidence": asking.ASKED, "reason": reason})
        elif column.is_partly_linked and _is_name(entity.column(name)):
            asked.add(column.header)
            reason = (
                f"{item.reason}; {column.links:,} of {column.filled:,} cells have a link, such as {column.link[:80]!r}: is the "
                f"name what is left without it? Then delete this confidence; else write `{name}: {{column: {column.header}}}`"
            )
            sure = min(item.confidence or 1, asking.ASKED)
            feed.fillings[name] = item.model_copy(update={"confidence": sure, "reason": reason})


def leave_out(proposal: Proposal, tables: Iterable[Table], entities: Mapping[str, Entity]) -> None:
    """Read linked columns without their links in everything that a proposal says of its tables."""
    by_file = {glob.escape(table.stems[-1]): table for table in tables}
    for feed in proposal.feeds:
        entity = entities.get(feed.entity)
        for name, item in feed.fillings.items():
            feed.fillings[name] = _filling(item, feed.table, entity.column(name) if entity else None)
        for word, clause in feed.life.items():
            if isinstance(clause, Condition):
                feed.life[word] = clause.model_copy(update={"when": _sql(clause.when, feed.table)})
            elif isinstance(clause, Merged):
                feed.life[word] = _merged(clause, by_file.get(str(clause.file), feed.table))


def _is_name(declared: Declared) -> bool:
    return declared.kind in ("identifier", "text") and not declared.accepted


def _filling(item: Filling, table: Table, declared: Declared | None) -> Filling:
    if item.sql:
        return item.model_copy(update={"sql": _sql(item.sql, table)})
    column = table.column(item.column) if item.column else None
    is_prose = declared is not None and declared.kind == "free_text"
    if column is None or not column.linked or item.fill_down or (is_prose and column.is_partly_linked):
        return item
    reason = "; ".join(filter(None, (item.reason, "without its link")))
    return item.model_copy(update={"column": None, "sql": column.sql, "reason": reason})


def _merged(item: Merged, table: Table) -> Merged:
    columns: dict[str, Column] = {column.header: column for column in table.columns if column.linked}
    if item.column in columns:
        return item.model_copy(update={"column": None, "sql": columns[item.column].sql})
    update: dict[str, str | Expression | None] = {}
    for name, given in (("from_", item.from_), ("to", item.to)):
        if isinstance(given, Expression):
            update[name] = Expression(sql=_sql(given.sql, table))
        elif given in columns:
            update[name] = Expression(sql=columns[given].sql)
    update |= {name: _sql(text, table) for name, text in (("sql", item.sql), ("where", item.where)) if text}
    return item.model_copy(update=update)


def _sql(text: str, table: Table) -> str:
    for column in table.columns:
        if column.linked:
            text = text.replace(f"`{column.name}`", column.sql)
    return text
