"""Facts: what a tool found, each cell of which can be referred to, written out, and traced to its table."""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

from medallion import figures
from medallion.metrics import plain

Kind = Literal["text", "number", "money", "percent", "date", "timestamp", "list", "weekday"]

#: A reference to a cell: `F2.0.revenue` is column `revenue` of row 0 of the second finding.
REFERENCE = re.compile(r"\{\s*(F\d+)\.(\d+)\.([a-z_0-9]+)\s*\}")

#: A value is one line: what came from a CRM must not look like the next line of an answer.
_BREAK = re.compile(r"[\r\n\v\f\x85\u2028\u2029]+")


@dataclass(frozen=True)
class Field:
    """A column of a finding: its name, its label, and how it is written."""

    name: str
    label: str
    kind: Kind = "text"
    places: int = 0

    def written(self, value: Any, currency: str) -> str:
        """The value as text for readers.

        >>> Field("revenue", "Revenue", "money").written(1090000, "EUR"), Field("p", "Probability", "percent", 1).written(0.237, "EUR")
        ('€1,090,000', '23.7%')
        """
        if value is None or value == "":
            return "unknown"
        if self.kind == "weekday":
            return calendar.day_name[int(value) - 1]
        if self.kind == "list":
            return "; ".join(_BREAK.sub(" ", str(part)) for part in value) or "none"
        if self.kind == "money":
            return figures.money(value, currency, self.places)
        if self.kind in ("number", "percent") and not isinstance(value, bool):
            return (figures.percent if self.kind == "percent" else figures.ratio)(value, self.places)
        if isinstance(value, datetime):
            return figures.minute(value)
        return figures.day(value) if isinstance(value, date) else _BREAK.sub(" ", str(value))


@dataclass(frozen=True)
class Found:
    """What one tool call found: rows of one table version, and the query that gave them.

    Attributes:
        tool: The tool.
        title: What it is, in words without figures.
        fields: Columns, in order.
        key: Columns that tell one row from another.
        rows: One dict per row.
        tables: Versions of the tables that were read, by name.
        sql: The query, with `?` for each of `bindings`.
        as_of: Last day that the figures include.
        note: What a reader should know beside them.
        total: How many rows there are, where `rows` are the first of them; None where they are all.
        currency: ISO code of its amounts.
    """

    tool: str
    title: str
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    rows: list[dict[str, Any]]
    tables: Mapping[str, int]
    sql: str
    bindings: tuple[Any, ...] = ()
    as_of: date | None = None
    note: str = ""
    total: int | None = None
    currency: str = "USD"

    @property
    def count(self) -> int:
        """How many rows there are, given or not."""
        return len(self.rows) if self.total is None else max(self.total, len(self.rows))

    def field(self, name: str) -> Field | None:
        """The column of that name."""
        return next((column for column in self.fields if column.name == name), None)

    def written(self, row: Mapping[str, Any], name: str) -> str:
        """A cell of a row as text for readers."""
        column = self.field(name)
        return column.written(row.get(name), self.currency) if column else str(row.get(name))


@dataclass(frozen=True)
class Receipt:
    """Where one written value comes from."""

    reference: str
    label: str
    written: str
    value: Any
    column: str
    key: dict[str, Any]
    tables: Mapping[str, int]
    sql: str
    bindings: tuple[Any, ...]

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "reference": self.reference,
            "label": self.label,
            "written": self.written,
            "value": simple(self.value),
            "column": self.column,
            "key": {name: simple(value) for name, value in self.key.items()},
            "tables": dict(self.tables),
            "sql": self.sql,
            "bindings": [simple(value) for value in self.bindings],
        }


def simple(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        return [simple(part) for part in value]
    return value if isinstance(value, (str, bool)) or value is None else plain(value)


@dataclass
class Ledger:
    """The findings of one question, in the order in which tools gave them: `F1`, `F2` and so on."""

    found: list[Found] = field(default_factory=list)

    def add(self, finding: Found) -> str:
        """Keep a finding and give its name."""
        self.found.append(finding)
        return f"F{len(self.found)}"

    def receipt(self, name: str, row: int, column: str) -> Receipt | None:
        """The receipt of a cell; None where there is no such cell."""
        place = int(name[1:]) - 1
        if not 0 <= place < len(self.found):
            return None
        finding = self.found[place]
        about = finding.field(column)
        if about is None or not 0 <= row < len(finding.rows):
            return None
        cells = finding.rows[row]
        return Receipt(
            f"{name}.{row}.{column}",
            about.label,
            finding.written(cells, column),
            cells.get(column),
            column,
            {key: cells.get(key) for key in finding.key},
            finding.tables,
            finding.sql,
            finding.bindings,
        )
