"""What questions ask beside figures and lists: definitions, shares, why a figure changed, what changed since a day.

Functions over the tools of a conversation; each gives findings with receipts, as the tools do.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from medallion import metrics
from medallion.agent.facts import Field, Found, Kind
from medallion.errors import ContractError
from medallion.metrics import changes, over_time, periods
from medallion.metrics.compilers.duckdb import answer, funnel
from medallion.metrics.conditions import Condition, Test
from medallion.metrics.periods import Today
from medallion.metrics.question import MOST_ROWS, Order, Question, Records, Split

if TYPE_CHECKING:
    from medallion.agent.tools import Tools

#: How many values a number of them names.
_NAMED = 10
_CHANGES, _DEALS = "gold.deal_changes", "gold.deals"
_KINDS: dict[str, Kind] = {"currency": "money", "percentage": "percent", "number": "number"}
#: Deals whose account had won another one before they were opened.
_BOUGHT_BEFORE = """
select d.lead_id from gold.deals as d
where exists (select 1 from gold.deals as w where w.customer_id = d.customer_id and w.status = 'won' and w.closed_at < d.created_at)
"""
#: Deals whose expected close was moved later between the ends of two days, and that are open.
_SLIPPED = f"""
with steps as (
  select *, lag(expected_close_date) over (partition by lead_id order by valid_from) as was_expected
  from {_CHANGES} where known_to is null
), moved as (
  select lead_id, count(*) as pushes, min(was_expected) as was_expected from steps
  where status = 'open' and expected_close_date > was_expected
    and cast(valid_from as date) > ? and cast(valid_from as date) <= ? group by 1
)
select d.lead_id, d.customer_name, d.owner, d.deal_value, m.was_expected, d.expected_close_date, m.pushes
from moved m join {_DEALS} d using (lead_id) where d.status = 'open' order by d.deal_value desc, d.lead_id"""


def definition(tools: Tools, metric: str) -> Found:
    """How a metric is defined: what it means, its expression, the day it is counted by, its thresholds."""
    entry = metrics.named(metric)
    row = {
        "metric": entry.measure.display_name,
        "meaning": entry.measure.comment,
        "expression": entry.measure.expr,
        "counted_by": entry.measure.period,
        "thresholds": ", ".join(f"{p.name} = {p.default:g}" for p in entry.parameters if p.default is not None) or None,
    }
    fields = (Field("metric", "Metric"), Field("meaning", "Meaning"), Field("expression", "Computed as"),
              Field("counted_by", "Counted by"), Field("thresholds", "Thresholds"))  # fmt: skip
    return tools.found("definition", "Definition", fields, ("metric",), [row], entry.view.tables, entry.measure.expr)


def share_of(tools: Tools, part: Question, whole: Question | None = None) -> Found:
    """What share of the whole a part is; of each row of a split without a whole, or each of the same row of the whole."""
    metric = metrics.named(part.metrics[0])
    if metric.measure.additivity == "ratio" or metric.measure.format.type == "percentage":
        raise ContractError(
            f"{metric.measure.display_name} does not add up, so it has no shares", "Ask for it by owner."
        )
    with tools.serving.reading() as connection:
        first = answer(connection, dataclasses.replace(part, limit=None))
        second = first if whole is None else answer(connection, whole)
    splits = [column for column in first.columns if column.role == "split"]
    names = [column.name for column in splits]
    each = {tuple(row[name] for name in names): row["value"] for row in second.rows} if whole and whole.by else {}
    total = second.totals["value"] if whole is None else None if each else second.value
    kind = _KINDS[metric.measure.format.type]
    rows = []
    for row in first.rows[: part.limit]:
        value = row["value"]
        total = each.get(tuple(row[name] for name in names)) if each else total
        share = float(value) / float(total) if total and value is not None else None
        rows.append(
            {
                **{name: row[name] for name in row if name not in ("value", "n")},
                "share": share,
                "value": value,
                "whole": total,
            }
        )
    fields = (
        *(Field(column.name.replace(":", "_"), column.label) for column in splits),
        Field("share", "Share", "percent", 1), Field("value", metric.measure.display_name, kind), Field("whole", "Of", kind),
    )  # fmt: skip
    rows = [{name.replace(":", "_"): value for name, value in row.items()} for row in rows]
    title = f"Share: {first.understood}" + (f", of {second.understood}" if whole is not None else "")
    key = tuple(column.name.replace(":", "_") for column in splits)
    return tools.found("share_of", title, fields, key, rows, first.tables, first.sql, first.bindings)


def share_of_first(tools: Tools, part: Question, whole: Question) -> list[Found]:
    """What share of a figure the first of an order have, together and each."""
    each = share_of(tools, part)
    with tools.serving.reading() as connection:
        total = answer(connection, whole).value
    values = [row["value"] for row in each.rows if row["value"] is not None]
    value = sum(values) if values else None
    share = float(value) / float(total) if total and value is not None else None
    fields = tuple(field for field in each.fields if field.name in ("share", "value", "whole"))
    row = {"share": share, "value": value, "whole": total}
    title = f"{each.title}, the first {len(each.rows)} together"
    together = tools.found("share_of_first", title, fields, (), [row], each.tables, each.sql, each.bindings)
    return [together, each]


def explain_change(tools: Tools, question: Question, compare: str = "previous") -> list[Found]:
    """Why a metric changed between two periods: the figures, and parts of the change that add up to it."""
    asked = dataclasses.replace(question, compare=compare)  # type: ignore[arg-type]
    with tools.serving.reading() as connection:
        explanation = changes.explain(connection, asked)
    metric = metrics.named(question.metrics[0])
    kind = _KINDS[metric.measure.format.type]
    places = metric.measure.format.decimal_places.places
    first = tools.asked(explanation.told.understood.question)  # type: ignore[union-attr]
    findings = []
    for of in dict.fromkeys(effect.of for effect in explanation.effects):
        parts = [effect for effect in explanation.effects if effect.of == of]
        rows = [
            {
                "part": effect.part,
                "before": _simple(effect.before),
                "now": _simple(effect.now),
                "effect": float(effect.effect),
            }
            for effect in parts
        ]
        label = metric.measure.display_name.lower()
        own = Field("before", "Before", "number", 2) if of == "how" else Field("before", "Before", kind, places)
        now = dataclasses.replace(own, name="now", label="Now")
        fields = (Field("part", "Part"), own, now, Field("effect", "Effect", kind, places + 2 * (kind == "percent")))
        title = f"Change of {label} {'by its parts' if of == 'how' else 'by ' + of.replace('_', ' ')}"
        source = next(
            (query for query in explanation.queries if of in [str(c.name) for c in query.columns]), explanation.told
        )
        findings.append(
            tools.found("explain_change", title, fields, ("part",), rows, source.tables, source.sql, source.bindings,
                   "The effects add up to the change.")
        )  # fmt: skip
    return [first, *findings]


def what_changed(tools: Tools, first: date, last: date | None, where: Iterable[Condition] = ()) -> list[Found]:
    """What became of the pipeline since a day: its movement, what was opened, won and lost, and which deals moved stage."""
    end = min(last or tools.day, tools.day)
    given = tuple(where)
    period = f"{first} to {end}"
    figures = Question(("total_leads", "won_leads", "lost_leads", "revenue", "lost_value"), where=given, period=period)
    findings = [tools.asked(figures)]
    if not given:
        start = first - timedelta(days=1)
        row = tools.reading(over_time.movement, start, end)[0]
        parts = ("start", *over_time.PARTS, "end")
        fields = tuple(Field(part, f"{part.replace('_', ' ').capitalize()}", "money") for part in parts)
        rows = [{part: row[part] for part in parts}]
        findings.insert(0, tools.found("what_changed", f"Movement of the pipeline, {first} to {end}", fields, (), rows,
                               (_CHANGES,), "medallion.metrics.over_time.movement", (start, end)))  # fmt: skip
    won = Records("deals", (*given, "won", f"closed_date = '{period}'"), order=(Order("deal_value", True),), limit=10,
                  columns=("lead_id", "customer_name", "owner", "deal_value", "closed_date"))  # fmt: skip
    return [*findings, tools.asked(won)]


def stage_conversion(tools: Tools, period: str | None = None) -> Found:
    """What became of the deals that entered a stage, per stage: how many moved on, were won or lost, or are still there."""
    span = periods.read(period or "all", Today(tools.day))
    start = (span.first or date(1970, 1, 2)) - timedelta(days=1)
    end = min(span.last or tools.day, tools.day)
    rows = tools.reading(over_time.stage_conversion, start, end)
    for row in rows:
        row["on_share"] = (row["moved_on"] + row["won"]) / row["entered"] if row["entered"] else None
    fields = (
        Field("stage", "Stage"), Field("on_share", "Went on", "percent", 1), Field("entered", "Entered", "number"),
        Field("moved_on", "Moved on", "number"), Field("won", "Won from it", "number"), Field("lost", "Lost from it", "number"),
        Field("still", "Still in it", "number"), Field("won_since", "Won by now", "number"),
        Field("average_days", "Days in it", "number", 1),
    )  # fmt: skip
    title = f"Conversion by stage{f', {span}' if period else ''}"
    return tools.found("stage_conversion", title, fields, ("stage",), rows, (_CHANGES,),
                  "medallion.metrics.over_time.stage_conversion", (start, end),
                  "Of the deals that entered a stage; went on are those that moved to another stage or were won from it.")  # fmt: skip


def passed_on(tools: Tools, first: str, then: str, period: str | None = None) -> Found:
    """Of the deals that entered a stage, how many came to another one after it, or were won."""
    span = periods.read(period or "all", Today(tools.day))
    start = (span.first or date(1970, 1, 2)) - timedelta(days=1)
    end = min(span.last or tools.day, tools.day)
    row = tools.reading(over_time.passed_on, start, end, first, then)[0]
    row["share"] = row["reached"] / row["entered"] if row["entered"] else None
    fields = (Field("share", "Share", "percent", 1), Field("reached", f"Came to {then}", "number"),
              Field("entered", f"Entered {first}", "number"))  # fmt: skip
    title = f"Conversion from {first} to {then}{f', {span}' if period else ''}"
    note = f"Of the deals that entered {first}, those that {'were won' if then == 'won' else f'entered {then}'} later, by the end of the data."
    return tools.found("passed_on", title, fields, (), [row], (_CHANGES,), "medallion.metrics.over_time.passed_on",
                  (start, end, first, then), note)  # fmt: skip


def slipped_deals(tools: Tools, period: str, where: Iterable[Condition] = ()) -> Found | list[Found]:
    """Open deals whose expected close was moved later in a period; those overdue since then where none was ever moved."""
    span = periods.read(period, Today(tools.day))
    start, end = (span.first or date(1970, 1, 2)) - timedelta(days=1), min(span.last or tools.day, tools.day)
    rows = tools.serving.rows(_SLIPPED, [start, end])
    given = tuple(where)
    if given:
        with tools.serving.reading() as connection:
            kept = answer(connection, Records("deals", given, limit=None, columns=("lead_id",)))
        keys = {row["lead_id"] for row in kept.rows}
        rows = [row for row in rows if row["lead_id"] in keys]
    fields = (
        Field("lead_id", "Deal"), Field("customer_name", "Account"), Field("owner", "Owner"), Field("deal_value", "Value", "money"),
        Field("was_expected", "Expected before", "date"), Field("expected_close_date", "Expected close", "date"),
        Field("pushes", "Times moved", "number"),
    )  # fmt: skip
    title = f"Open deals whose expected close was moved later, {span}"
    restriction = " where " + " and ".join(map(str, given)) if given else ""
    moved = tools.found(
        "slipped_deals", title + restriction, fields, ("lead_id",), rows, (_CHANGES, _DEALS), _SLIPPED, (start, end)
    )
    if rows or tools.serving.rows(_SLIPPED, [date(1970, 1, 1), tools.day]):
        return moved
    moved = dataclasses.replace(
        moved, note="No expected close was ever moved in this data; the deals below became overdue in that period."
    )
    due = (*given, "overdue", f"expected_close_date = '{period}'")
    return [moved, tools.asked(Records("deals", due, order=(Order("deal_value", True),), limit=25))]


def beside_average(tools: Tools, records: Records, column: str, op: str, group: str | None = None) -> Found:
    """The records of a list above or below the average of a column: of all of the list, or of those of the same group."""
    shown = tuple(dict.fromkeys((*((group,) if group else ()), column, *records.columns)))
    every = dataclasses.replace(records, limit=MOST_ROWS, columns=shown)
    finding = tools.asked(every, "beside_average")
    if finding.count > len(finding.rows):
        raise ContractError(f"{finding.count:,} records are too many for an average", "Narrow the list.")
    values: dict[Any, list[float]] = {}
    for row in finding.rows:
        if row[column] is not None:
            values.setdefault(row[group] if group else None, []).append(float(row[column]))
    means = {name: sum(some) / len(some) for name, some in values.items()}
    rows = []
    for row in finding.rows:
        mean = means.get(row[group] if group else None)
        if mean is not None and row[column] is not None and (row[column] > mean if op == ">" else row[column] < mean):
            rows.append({**row, "average": mean})
    own = finding.field(column)
    assert own is not None  # noqa: S101 - it is shown
    fields = (*finding.fields, dataclasses.replace(own, name="average", label="Average"))
    of = f"of the same {finding.field(group).label.lower()}" if group else "of these"  # type: ignore[union-attr]
    title = f"{finding.title}, {own.label.lower()} {'above' if op == '>' else 'below'} the average {of}"
    return dataclasses.replace(finding, title=title, fields=fields, rows=rows, total=len(rows))


def without_touches(tools: Tools, records: Records, touches: Question) -> Found:
    """The records of a list whose account has none of some touches, counted by account."""
    shown = tuple(dict.fromkeys((*records.columns, "customer_id")))
    finding = tools.asked(dataclasses.replace(records, limit=MOST_ROWS, columns=shown), "without_touches")
    if finding.count > len(finding.rows):
        raise ContractError(f"{finding.count:,} records are too many to look for their touches", "Narrow the list.")
    with tools.serving.reading() as connection:
        touched = {row["customer_id"] for row in answer(connection, touches).rows}
    rows = [row for row in finding.rows if row["customer_id"] not in touched]
    kind = f" where {' and '.join(map(str, touches.where))}" if touches.where else ""
    period = f", {periods.read(touches.period, Today(tools.day))}" if touches.period else ""
    title = f"{finding.title}{',' if ' where ' in finding.title else ''} without touches{kind}{period}"
    return dataclasses.replace(finding, title=title, rows=rows, total=len(rows))


def without_deals(tools: Tools, asked: Question | Records, bought: tuple[Question, ...], count: bool = False) -> Found:
    """Accounts of a list or ranking that have none of some deals won, counted by account; only their number if asked for."""
    if isinstance(asked, Records):
        shown = tuple(dict.fromkeys((*asked.columns, "customer_id")))
        asked = dataclasses.replace(asked, limit=MOST_ROWS, columns=shown)
    finding = tools.asked(asked, "without_deals")
    if finding.count > len(finding.rows):
        raise ContractError(f"{finding.count:,} accounts are too many to look for their deals", "Narrow the list.")
    with tools.serving.reading() as connection:
        buyers = {row["customer_id"] for question in bought for row in answer(connection, question).rows}
    rows = [row for row in finding.rows if row["customer_id"] not in buyers]
    kinds = " or ".join(" and ".join(map(str, question.where)) for question in bought)
    span = periods.read(bought[0].period, Today(tools.day)) if bought[0].period else ""
    title = f"{finding.title}, without deals won{f' where {kinds}' if kinds else ''}{f', {span}' if span else ''}"
    if not count:
        return dataclasses.replace(finding, title=title, rows=rows, total=len(rows))
    fields = (Field("value", "Accounts", "number"),)
    return dataclasses.replace(finding, title=title, fields=fields, key=(), rows=[{"value": len(rows)}], total=1)


def not_bought(tools: Tools, customer: str, by: str) -> Found:
    """Products or categories that an account has not bought, with what all accounts bought of each."""
    every = tools.asked(Question(("revenue", "won_leads"), (Split(by),), order=(Order("revenue", True),)), "not_bought")
    with tools.serving.reading() as connection:
        own = answer(connection, Question(("won_leads",), (Split(by),), (Test("customer_id", "=", (customer,)), "won")))
    bought = {row[by] for row in own.rows if row["value"]}
    rows = [row for row in every.rows if row[by] not in bought]
    title = f"Products that {customer} has not bought, with what all accounts bought of them"
    return dataclasses.replace(every, title=title, rows=rows, total=len(rows))


def existing_or_new(tools: Tools, records: Records) -> Found:
    """Closed deals of a list by whether their account had bought before they were opened: win rate and revenue."""
    shown = ("lead_id", "status", "deal_value")
    finding = tools.asked(dataclasses.replace(records, limit=MOST_ROWS, columns=shown), "existing_or_new")
    bought = {row["lead_id"] for row in tools.serving.rows(_BOUGHT_BEFORE)}
    rows = []
    for label, existing in (("existing", True), ("new", False)):
        of = [row for row in finding.rows if (row["lead_id"] in bought) == existing]
        won = [row["deal_value"] for row in of if row["status"] == "won"]
        rows.append({"customer": label, "win_rate": len(won) / len(of) if of else None, "won_leads": len(won),
                     "lost_leads": len(of) - len(won), "revenue": sum(won)})  # fmt: skip
    fields = (Field("customer", "Customer"), Field("win_rate", "Win rate", "percent", 1), Field("won_leads", "Deals won", "number"),
              Field("lost_leads", "Deals lost", "number"), Field("revenue", "Revenue", "money"))  # fmt: skip
    title = f"Win rate and revenue of existing and new customers: {finding.title[0].lower()}{finding.title[1:]}"
    note = "Existing: the account had won a deal before this one was opened. Deals of an account that opened before its first win are new."
    return tools.found("existing_or_new", title, fields, ("customer",), rows, (_DEALS,), _BOUGHT_BEFORE, (), note)


def furthest(tools: Tools, records: Records) -> Found:
    """Open deals that are in the last stage of the funnel that any of a list has reached.

    Raises:
        ContractError: No deal has passed yet between that stage and another, so that their order is not known.
    """
    shown = tuple(dict.fromkeys((*records.columns, "stage")))
    finding = tools.asked(dataclasses.replace(records, limit=MOST_ROWS, columns=shown), "furthest")
    stages = [row["stage"] for row in tools.asked(Question(("open_leads",), (Split("stage"),))).rows]  # in their order
    place = {stage: number for number, stage in enumerate(stages)}
    last = max((place.get(row["stage"], -1) for row in finding.rows), default=-1)
    rows = [row for row in finding.rows if place.get(row["stage"], -1) == last]
    stage = metrics.views()["deals"].field("stage")
    passed = {} if stage and stage.values else dict(tools.reading(funnel))
    for other in dict.fromkeys(row["stage"] for row in finding.rows if row not in rows):
        if rows and other in passed and passed[other] == passed.get(rows[0]["stage"]):
            earlier, later = sorted((other, rows[0]["stage"]))
            raise ContractError(
                f"no deal has passed between {earlier} and {later} yet: which is further along is not known",
                "Ask for open deals by stage.",
            )
    return dataclasses.replace(finding, title=f"{finding.title}, furthest along", rows=rows, total=len(rows))


def rows_after(tools: Tools, asked: Question | Records, skip: int) -> Found:
    """The rows of a ranking after the first ones: the second biggest, the next five."""
    finding = tools.asked(asked, "rows_after")
    rows = finding.rows[skip:]
    places = f"place {skip + 1}" if len(rows) == 1 else f"places {skip + 1} to {skip + len(rows)}"
    title = f"{finding.title}, {places}" if rows else finding.title
    return dataclasses.replace(finding, title=title, rows=rows, total=finding.count if rows else 0)


def number_of(tools: Tools, asked: Question) -> Found:
    """How many values of a split there are, and which they are where they are few."""
    finding = tools.asked(asked, "number_of")
    name = finding.key[0]
    rows = [row for row in finding.rows if row[name] is not None]
    labels = {metric: metrics.named(metric).measure.display_name.lower() for metric in asked.metrics}
    limits = [test for test in asked.having if isinstance(test, Test) and test.values]
    first = next(iter(labels))
    each = [(labels.get(test.name, labels[first]), f"{test.op} {test.values[0]}") for test in limits]
    having = " and ".join(
        f"without {label}" if limit == "= 0" else f"with {label}{'' if limit == '> 0' else f' {limit}'}"
        for label, limit in each
    )
    having = having or f"with {' or '.join(labels.values())}"
    where = f" where {' and '.join(map(str, asked.where))}" if asked.where else ""
    period = f", {periods.read(asked.period, Today(tools.day))}" if asked.period else ""
    count = finding.count - (len(finding.rows) - len(rows))
    title = f"{_plural(finding, name)} {having}{where}{period}"
    return _counted(tools, finding, title, rows, count, "number_of")


def without_figure(tools: Tools, every: Question, some: Question, count: bool = False) -> Found:
    """The values of a split that are in one answer and not in another: reps without open deals; only their number if asked for."""
    finding = tools.asked(every, "without_figure")
    name = finding.key[0]
    with tools.serving.reading() as connection:
        having = {row[name] for row in answer(connection, some).rows}
    rows = [{name: row[name]} for row in finding.rows if row[name] is not None and row[name] not in having]
    label = metrics.named(some.metrics[0]).measure.display_name.lower()
    where = f" where {' and '.join(map(str, some.where))}" if some.where else ""
    period = f", {periods.read(some.period, Today(tools.day))}" if some.period else ""
    title = f"{_plural(finding, name)} without {label}{where}{period}"
    if count:
        return _counted(tools, finding, title, rows, len(rows), "without_figure")
    fields = tuple(field for field in finding.fields if field.name == name)
    return dataclasses.replace(finding, title=title, fields=fields, rows=rows, total=len(rows), note="")


def _counted(tools: Tools, finding: Found, title: str, rows: list[dict[str, Any]], count: int, tool: str) -> Found:
    """The number of rows of a finding, with the values that they are of where they are few."""
    name = finding.key[0]
    shown = next((field for field in finding.fields if field.name == "customer_name"), finding.field(name))
    of_row = shown or Field(name, name)
    which = ", ".join(of_row.written(row[of_row.name], finding.currency) for row in rows[:_NAMED])
    note = f"These are {which}{' and others' if len(rows) > _NAMED else ''}." if rows else ""
    fields = (Field("value", "Number", "number"),)
    return tools.found(tool, title, fields, (), [{"value": count}], finding.tables, finding.sql, finding.bindings, note)


def _plural(finding: Found, name: str) -> str:
    """What several values of a split are called: owners, countries."""
    split = finding.field(name)
    label = "Account" if name == "customer_id" else (split.label if split else name).removesuffix(" name")
    return f"{label[:-1]}ies" if label.endswith("y") else f"{label}s"


def running_total(tools: Tools, asked: Question) -> Found:
    """Figures by time, and beside each the total of it and those before it."""
    finding = tools.asked(asked, "running_total")
    figures = [field for field in finding.fields if field.name in ("value", *asked.metrics)]
    totals = {field.name: [*itertools.accumulate(row[field.name] or 0 for row in finding.rows)] for field in figures}
    rows = [
        {**row, **{f"{name}_so_far": total[place] for name, total in totals.items()}}
        for place, row in enumerate(finding.rows)
    ]
    added = [
        dataclasses.replace(field, name=f"{field.name}_so_far", label=f"{field.label} so far") for field in figures
    ]
    fields = tuple(
        other for field in finding.fields for other in (field, *(a for a in added if a.name == f"{field.name}_so_far"))
    )
    return dataclasses.replace(
        finding, title=f"{finding.title}, added up from one to the next", fields=fields, rows=rows
    )


#: By name, what the planner calls beside the tools.
EXPLAINING: dict[str, Callable[..., Found | list[Found]]] = {
    function.__name__: function
    for function in (
        definition,
        share_of,
        explain_change,
        what_changed,
        stage_conversion,
        slipped_deals,
        beside_average,
        without_touches,
        without_deals,
        not_bought,
        existing_or_new,
        furthest,
        rows_after,
        running_total,
        number_of,
        without_figure,
        share_of_first,
        passed_on,
    )
}


def _simple(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value
