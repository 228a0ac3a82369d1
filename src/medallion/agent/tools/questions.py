"""Questions of metrics and lists of records, answered as findings."""

from __future__ import annotations

import dataclasses

from medallion import metrics
from medallion.agent.facts import Field, Found
from medallion.agent.tools.findings import Findings
from medallion.errors import ContractError
from medallion.metrics.compilers.duckdb import Answer as Answered
from medallion.metrics.compilers.duckdb import Column, answer
from medallion.metrics.conditions import Test
from medallion.metrics.question import Order, Question, Records
from medallion.metrics.understanding import Understood


class Questions(Findings):
    """Questions of metrics and lists of records."""

    def metric_value(
        self,
        metric: str,
        by: list[str] | None = None,
        where: list[str] | None = None,
        top: int | None = None,
        bottom: int | None = None,
        period: str | None = None,
        compare: str | None = None,
        having: list[str] | None = None,
        order: list[str] | None = None,
        limit: int | None = None,
        as_of: str | None = None,
    ) -> Found:
        """The value of a metric of the dictionary, total or split, filtered, in a period, compared with another.

        Args:
            metric: Its name, such as win_rate; several with commas.
            by: What to split by: dimensions, `closed_at:month`, or `month` for the metric's own time.
            where: Conditions such as `open and country in (Germany, France)`; all must hold.
            top: Only that many rows, the largest values first.
            bottom: Only that many rows, the smallest values first.
            period: Such as `2025-Q1`, `last 3 months`, `ytd` or `2025-01 to 2025-03`.
            compare: `previous` for the period before, `year-ago` for the same a year ago.
            having: Which rows are shown, such as `value > 10000 and n >= 5`.
            order: Columns to order by, `-value` for the largest first.
            limit: Only that many rows.
            as_of: Day that relative periods count from and nothing after which counts.

        Raises:
            ContractError: There is no such metric, dimension or value, or a stock is asked for by time.
        """
        if (top is not None or bottom is not None) and (top or bottom or 0) < 1:
            raise ContractError("top and bottom are at least 1", "Give a whole number from 1.")
        if top is not None and bottom is not None:
            raise ContractError("top and bottom exclude each other", "Give one of the two.")
        ranked = top if top is not None else bottom
        if ranked is not None and (order or limit):
            raise ContractError("top and bottom stand for order and limit", "Give one or the others.")
        asked = Question.read(metric, by or (), where, period, compare, having, order or (), limit, as_of)
        if ranked is not None and by:
            asked = dataclasses.replace(asked, order=(Order(asked.metrics[0], top is not None),), limit=ranked)
        return self.asked(asked, "metric_value")

    def asked(self, asked: Question | Records, tool: str = "asked") -> Found:
        """The answer to a typed question. A ranking leaves out what has nothing to rank it by, and says how many.

        Raises:
            ContractError: It is not understood whole.
        """
        if isinstance(asked, Records):
            with self.serving.reading() as connection:
                listed = answer(connection, asked)
            return self._answered(tool, listed, "", listed.total)
        first = asked.metrics[0]
        ranked = bool(asked.by and asked.limit and asked.order and asked.order[0].name == first)
        whole = asked
        if ranked:
            asked = dataclasses.replace(asked, having=(*asked.having, f"{first} is known"))
        with self.serving.reading() as connection:
            result = answer(connection, asked)
            unknown = answer(connection, dataclasses.replace(whole, limit=1)).total - result.total if ranked else 0
            nameless = [column for column in result.columns if ranked and self._is_unknown(result, column)]
            if nameless:  # nobody is the best of the reps
                known = tuple(Test(column.name, "known") for column in nameless)
                result = answer(connection, dataclasses.replace(asked, where=(*asked.where, *known)))
        note = " ".join((metrics.named(first).measure.comment, *result.notes))
        if unknown:
            note += f" {unknown:,} without a value left out."
        if nameless:
            note += f" Not ranked: what is of no known {' and '.join(column.label.lower() for column in nameless)}."
        if self.serving.currencies and any(column.type == "currency" for column in result.columns):
            note += f" {self.serving.currencies}"
        understood = result.understood
        if ranked and isinstance(understood, Understood) and not whole.having:
            result = dataclasses.replace(result, understood=dataclasses.replace(understood, having=None))
        return self._answered(tool, result, note, None if whole.limit is None else result.total)

    @staticmethod
    def _is_unknown(result: Answered, column: Column) -> bool:
        """Whether a split of an answer has a row of what it does not know."""
        named = column.name == "customer_name" and any(other.name == "customer_id" for other in result.columns)
        if column.role != "split" or ":" in column.name or named:  # an account without a name is known by its key
            return False
        return any(row[column.name] is None for row in result.rows)

    def records(
        self,
        entity: str,
        where: list[str] | None = None,
        period: str | None = None,
        order: list[str] | None = None,
        limit: int = 25,
        columns: list[str] | None = None,
        as_of: str | None = None,
        each: str | None = None,
    ) -> Found:
        """A list of records: which deals, which accounts, which touches.

        Args:
            entity: `deals`, `accounts`, `interactions`, `stage_changes` or `channels`.
            where: Conditions such as `open and days_silent > 30` or `closed_date > expected_close_date`; all must hold.
            period: When, such as `last 7 days`.
            order: Columns to order by, `-value` for the largest first.
            limit: Only that many records.
            columns: What is shown.
            as_of: Day that relative periods count from.
            each: A column of each of whose values the first `limit` records are shown: the largest deal of each owner.

        Raises:
            ContractError: There is no such entity, column or value.
        """
        asked = Records.read(entity, where, period, order or (), limit, columns or (), as_of, each=each)
        return self.asked(asked, "records")

    def _answered(self, tool: str, result: Answered, note: str, total: int | None) -> Found:
        """The answer to a question as a finding."""
        names = {column.name: column.name.replace(":", "_") for column in result.columns}
        fields = tuple(_field(column, names[column.name]) for column in result.columns)
        key = tuple(names[column.name] for column in result.columns if column.role == "split")
        rows = [{names[name]: value for name, value in row.items()} for row in result.rows]
        return Found(
            tool, str(result.understood), fields, key or tuple(field.name for field in fields[:1] if result.is_list), rows,
            self.serving.read(*result.tables), result.sql, result.bindings, self.serving.as_of, note, total,
            self.serving.currency,
        )  # fmt: skip


def _field(column: Column, name: str) -> Field:
    """A column of an answer as one of a finding."""
    kind = {"currency": "money", "percentage": "percent", "number": "number", "day": "date"}.get(column.type, "text")
    places = 0
    if column.name.endswith("weekday"):
        kind = "weekday"
    if column.format:
        kind = {"currency": "money", "percentage": "percent"}.get(column.format.type, "number")
        places = column.format.decimal_places.places
    return Field(name, column.label, kind, places)  # type: ignore[arg-type]
