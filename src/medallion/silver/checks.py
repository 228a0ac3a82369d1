"""Contract to checks: each check is a Column that is a message or null.

A row with a message from a check of severity `reject` is refused with every such message; one with only
failures of severity `warn` is accepted and they are counted. A message reads `column: what is wrong: 'value'`;
beside it stands the code `column.check`, which counting and filtering go by, since the value in a message is
untrusted text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from medallion.columns import rounded
from medallion.contracts import Column as Declared
from medallion.contracts import Entity, Severity

#: Text of each check: what is wrong with the value.
MESSAGES = {
    "null": "is missing",
    "readable": "cannot be read as {kind}",
    "accepted": "is not an accepted value",
    "range": "is {range}",
    "pattern": "is not a well-formed identifier",
    "cut": "is a number that a spreadsheet has cut to a few digits; export the column as text",
    "future": "lies after the file was read",
    "reference": "is not a known {entity}",
    "lookup": "leads to {no} {entity}",
    "shape": "cannot be read",
    "head": "the head of its group cannot be read",
    "erased": "withheld, since it is about someone who was forgotten",
}
#: Why a record of someone who was forgotten has no cells.
ERASED = "about someone who was forgotten"
_KINDS = {
    "money": "an amount in {unit}",
    "integer": "a whole number",
    "date": "a date",
    "timestamp": "a date and time",
    "phone": "a telephone number",
}
_SEPARATOR = ": "
_LONGEST_VALUE = 80


@dataclass(frozen=True)
class Check:
    """One check of one column. `fails` is true for a row that breaks it, never null."""

    column: str
    name: str
    severity: Severity
    fails: Column
    message: Column

    @property
    def code(self) -> str:
        """`column.check`, the name that quarantine and metrics know the check by."""
        return f"{self.column}.{self.name}"


def checks(
    entity: Entity,
    texts: Mapping[str, Column],
    read_as: Mapping[str, Column],
    known: Mapping[str, Column],
    looked_up: Mapping[str, Lookup] | None = None,
) -> list[Check]:
    """The checks that a contract asks for.

    Args:
        entity: The contract.
        texts: Per canonical column, the cell's text, null for a placeholder.
        read_as: Per column that is filled or derived, what the cell was read as before that.
        known: Per referring column, true where the referred key exists.
        looked_up: Per column that is looked up in another entity, how that went.
    """
    result = []
    for column in entity.columns:
        value = F.col(column.name)
        text = texts.get(column.name, F.lit(None).cast("string"))
        is_key = column.name == entity.key
        cut = F.coalesce(value.cast("string").rlike(_CUT), F.lit(False)) if is_key else F.lit(False)
        if is_key:
            message = F.concat(F.lit(f"{column.name}{_SEPARATOR}{MESSAGES['cut']}"), *_quoted(value.cast("string")))
            result.append(Check(column.name, "cut", "reject", cut, message))
        for name, severity in column.checks.items():
            seen = read_as.get(column.name, value) if name in ("readable", "accepted") else value
            fails = _fails(name, column, seen, text, known)
            if fails is not None:
                shown = text if name in ("readable", "accepted") else value.cast("string")
                fails = fails & ~cut if is_key and name == "pattern" else fails
                result.append(Check(column.name, name, severity, fails, _message(column, name, shown)))
        if looked_up and (lookup := looked_up.get(column.name)):
            result.append(_lookup(column, lookup, text))
    return result


#: A key that a spreadsheet has made a number of a few digits, so that it may be that of several records.
_CUT = r"^[0-9][.,][0-9]+[Ee]\+?[0-9]{1,3}\z"


@dataclass(frozen=True)
class Lookup:
    """A column looked up in `entity`: true in `orphan` where a text leads to nothing or, in `several`, to many.

    With `by_key` the text is the record's own key: one that is not there has no value, and no wrong one.
    """

    entity: str
    orphan: Column
    several: Column
    by_key: bool = False


def _lookup(column: Declared, lookup: Lookup, text: Column) -> Check:
    singular = lookup.entity.removesuffix("s").replace("_", " ")
    none = MESSAGES["lookup"].format(no="no", entity=singular)
    many = MESSAGES["lookup"].format(no="several", entity=lookup.entity.replace("_", " "))
    head = F.when(lookup.several, F.lit(many)).otherwise(F.lit(none))
    message = F.concat(F.lit(f"{column.name}{_SEPARATOR}"), head, *_quoted(text))
    severity = column.checks.get("null", "warn") if lookup.by_key else column.lookup_severity
    return Check(column.name, "lookup", severity, lookup.orphan, message)


def _fails(name: str, column: Declared, value: Column, text: Column, known: Mapping[str, Column]) -> Column | None:
    if name == "null":
        return value.isNull() & text.isNull()
    if name == "readable":
        return value.isNull() & text.isNotNull() if not column.accepted else None
    if name == "accepted":
        return text.isNotNull() & value.isNull()
    if name == "range":
        value = value.cast("date") if column.type == "timestamp" else value
        low = value < F.lit(column.minimum) if column.minimum is not None else F.lit(False)
        high = value > F.lit(column.maximum) if column.maximum is not None else F.lit(False)
        return F.coalesce(low | high, F.lit(False))
    if name == "pattern":
        return F.coalesce(~value.rlike(_whole(column.pattern)), F.lit(False)) if column.pattern else F.lit(False)
    if name == "future":
        return F.coalesce(value > F.col("known_at"), F.lit(False))
    return value.isNotNull() & ~known[column.name] if column.name in known else None


def _whole(pattern: str) -> str:
    r"""A pattern whose `$` at the end is the end of the text; for Java it also stands before a last line end.

    >>> _whole("^L-[0-9]+$"), _whole(r"\$"), _whole("a")
    ('^L-[0-9]+\\z', '\\$', 'a')
    """
    return pattern[:-1] + r"\z" if pattern.endswith("$") and not pattern.endswith(r"\$") else pattern


def _message(column: Declared, name: str, shown: Column) -> Column:
    low, high = column.minimum, column.maximum
    shown_as = [
        f"{bound:,}" if isinstance(bound, int | float) else str(bound) for bound in (low, high) if bound is not None
    ]
    bounds = f"{'outside' if len(shown_as) > 1 else 'above' if low is None else 'below'} {' to '.join(shown_as)}"
    entity = (column.reference.entity if column.reference else "").removesuffix("s")
    text = MESSAGES[name].format(
        kind=_KINDS.get(column.kind, column.type).format(unit=column.unit or "USD"), range=bounds, entity=entity
    )
    head = F.lit(f"{column.name}{_SEPARATOR}{text}")
    if name == "null":
        return head
    return F.concat(head, *_quoted(shown))


def _quoted(shown: Column) -> tuple[Column, ...]:
    return F.lit(f"{_SEPARATOR}'"), F.coalesce(F.substring(shown, 1, _LONGEST_VALUE), F.lit("")), F.lit("'")


def messages(judged: list[Check]) -> Column:
    """Why a row is refused, array<string>; null when it is not. Built only for rows that fail."""
    return _listed([(check.fails, check.message) for check in judged if check.severity == "reject"])


def refuses(judged: list[Check]) -> Column:
    """True for a row that fails a check of severity reject."""
    return reduce(Column.__or__, (check.fails for check in judged if check.severity == "reject"), F.lit(False))


def failed_checks(judged: list[Check]) -> Column:
    """Codes of every check that the row fails, of either severity, array<string>; null when it fails none."""
    return _listed([(check.fails, F.lit(check.code)) for check in judged])


def _listed(pairs: list[tuple[Column, Column]]) -> Column:
    if not pairs:
        return F.lit(None).cast("array<string>")
    any_fails = reduce(Column.__or__, (fails for fails, _ in pairs))
    return F.when(any_fails, F.array_compact(F.array(*(F.when(fails, text) for fails, text in pairs))))


def counts(staged: DataFrame, entity: Entity) -> DataFrame:
    """What `quality` is told from, one row: `entity`, `rows`, `hours` from the newest event to the reading, and `failed`, a
    count per column and metric in the order of `_failing`.
    """
    events = [column.name for column in entity.columns if column.event]
    accepted = F.col("_reasons").isNull()
    newest = [F.unix_seconds(F.max(F.when(accepted, F.col(name)))) for name in events]
    nothing = F.lit(None).cast("bigint")
    seconds = F.greatest(*newest, nothing) if newest else nothing
    failed = [F.count_if(fails).cast("bigint") for fails in _failing(entity).values()]
    return staged.agg(
        F.lit(entity.name).alias("entity"),
        F.count(F.lit(1)).alias("rows"),
        rounded((F.unix_seconds(F.max("known_at")) - seconds) / F.lit(3600.0), 2).alias("hours"),
        F.array(*failed).alias("failed"),
    )


def _failing(entity: Entity) -> dict[tuple[str, str], Column]:
    """Per column and metric, true for a row that fails it."""
    failing = {(column.name, "completeness"): F.col(column.name).isNull() for column in entity.columns}
    looked_up = {name for source in entity.sources for name, item in (source.columns or {}).items() if item.lookup}
    for column in entity.columns:
        for metric, names in _METRICS.items():
            checked = (*column.checks, *(["lookup"] if column.name in looked_up else []))
            checked = (*checked, "cut") if column.name == entity.key else checked
            codes = [f"{column.name}.{name}" for name in checked if name in names]
            if codes:
                hit = reduce(Column.__or__, (F.array_contains("_failed_checks", code) for code in codes))
                failing[column.name, metric] = F.coalesce(hit, F.lit(False))
    return failing


def quality(counted: Mapping[str, Any], entity: Entity, repeated: int) -> list[dict[str, Any]]:
    """Quality of a batch, one row per column and metric, from what `counts` gave.

    Columns: `column_name`, `metric`, `rows`, `failed` and `value`, the share of rows that did not fail, in
    [0, 1]. Completeness counts rows without a value, validity rows that failed a check of the column,
    integrity rows whose reference leads nowhere, uniqueness the `repeated` rows (duplicate or superseded).
    Freshness has no `failed`; its `value` is hours from the newest event to the reading.
    """
    rows = counted["rows"]
    failed = dict(zip(_failing(entity), counted["failed"], strict=True)) | {(entity.key, "uniqueness"): repeated}
    measures: list[dict[str, Any]] = [
        {"column_name": name, "metric": metric, "rows": rows, "failed": count, "value": passed_share(count, rows)}
        for (name, metric), count in failed.items()
    ]
    if counted["hours"] is not None:
        measures.append(
            {"column_name": "", "metric": "freshness", "rows": rows, "failed": None, "value": counted["hours"]}
        )
    return measures


_METRICS = {
    "validity": {"readable", "accepted", "range", "pattern", "cut", "future"},
    "integrity": {"reference", "lookup"},
}


def passed_share(failed: int, rows: int) -> float:
    """`1 - failed / rows` to six decimals, halves up; 1 for no rows.

    >>> passed_share(1, 3), passed_share(0, 0)
    (0.666667, 1.0)
    """
    return math.floor((1.0 - failed / rows) * 1e6 + 0.5) / 1e6 if rows else 1.0
