"""DAX evaluated without Power BI, by pbix-mcp, to compare measures with metrics and to draw pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from medallion.errors import MedallionError
from medallion.powerbi import dax
from medallion.powerbi.model import Model
from medallion.powerbi.rows import Rows

Field = tuple[str, str]


def available() -> bool:
    """Whether the extra `powerbi` is installed."""
    try:
        import pbix_mcp.dax.engine  # noqa: F401
    except ImportError:
        return False
    return True


def needed() -> None:
    """Raise where the extra `powerbi` is missing."""
    if not available():
        raise MedallionError("pbix-mcp is not installed", "pip install 'medallion-crm[powerbi]'")


class Evaluator:
    """A model with its rows, asked for the values of measures in a filter context."""

    def __init__(self, model: Model, rows: Rows) -> None:
        needed()
        self.model = model
        self._tables: dict[str, dict[str, list[Any]]] = {
            table.name: {
                "columns": [column.name for column in table.columns],
                "rows": [[_number(cell) for cell in row] for row in rows.tables[table.name]],
            }
            for table in model.tables
        }
        bare = [name for name, table in self._tables.items() if not table["rows"]]
        self._measures = {measure.name: _of_bare(measure.expression, bare) for measure in model.measures}
        self._groups = [
            {
                "table": table.name, "column": table.columns[0].name, "precedence": 0,
                "items": [{"name": item.name, "expression": item.expression, "ordinal": place}
                          for place, item in enumerate(table.items)],
            }
            for table in model.tables if table.items
        ]  # fmt: skip
        self._relationships = [
            {
                "FromTable": link.table, "FromColumn": link.column, "ToTable": link.to, "ToColumn": link.to_column,
                "IsActive": int(link.active), "FromCardinality": 2, "ToCardinality": 1, "CrossFilteringBehavior": 1,
            }
            for link in model.relationships
        ]  # fmt: skip

    def values(
        self, names: Sequence[str], filters: Mapping[Field, Iterable[Any]] | None = None, by: Sequence[Field] = ()
    ) -> dict[str, Any]:
        """What measures are worth under filters: the values that a column may have, None for blank.

        `by` names the columns of `filters` that a visual is split by, the others being slicers.
        """
        from pbix_mcp.dax.engine import evaluate_measures_batch

        context = {f"{table}.{column}": list(values) for (table, column), values in (filters or {}).items()}
        grouped = {f"{table}.{column}" for table, column in by}
        values: dict[str, Any] = evaluate_measures_batch(
            list(names), self._tables, self._measures, context,
            relationships=self._relationships, date_tables={"Date": "Date"}, calculation_groups=self._groups,
            measure_formats={measure.name: {"format_string": measure.form, "expression": None}
                             for measure in self.model.measures},
            group_keys=grouped or None,
            selected_filters={k: v for k, v in context.items() if k not in grouped} if grouped else None,
            model_columns={name: set(table["columns"]) for name, table in self._tables.items()},
        )  # fmt: skip
        return values

    def distinct(self, field: Field) -> list[Any]:
        """The values of a column in the order that a visual shows them: by its sort column, blank last."""
        table = self.model.table(field[0])
        at = table.columns.index(table.column(field[1]))
        sort = table.columns[at].sort_by
        order = table.columns.index(table.column(sort)) if sort else at
        ranks = {row[at]: row[order] for row in self._tables[field[0]]["rows"]}
        return sorted(ranks, key=lambda value: (value is None, ranks[value] if value is not None else 0))

    def has_blank(self, field: Field) -> bool:
        """Whether rows may belong to none of a table's, so that a reader may choose blank beside its values."""
        return any(link.to == field[0] for link in self.model.relationships) and None not in self.distinct(field)

    def first_day(self, field: Field, value: Any) -> date:
        """The first day of the date table that has a value in one of its columns."""
        table = self.model.table(field[0])
        day, at = (table.columns.index(table.column(name)) for name in ("Date", field[1]))
        first: date = next(row[day] for row in self._tables[field[0]]["rows"] if row[at] == value).date()
        return first

    def combinations(self, fields: Sequence[Field], filters: Mapping[Field, Iterable[Any]]) -> list[tuple[Any, ...]]:
        """The combinations of columns that occur, looked up from the table on the many side of the others."""
        tables = list(dict.fromkeys(table for table, _ in (*fields, *filters)))
        base = tables[0]
        if len(tables) > 1:
            base = next(name for name in ("Deals", "Touches", *tables) if {*tables} <= {name, *self._reached(name)})
        table = self.model.table(base)
        combinations: dict[tuple[Any, ...], None] = {}
        for row in self._tables[base]["rows"]:
            cells = {(base, column.name): value for column, value in zip(table.columns, row, strict=True)}
            for other in tables:
                cells |= self._one_side(base, other, cells) if other != base else {}
            if all(cells[field] in values for field, values in filters.items()):
                combinations[tuple(cells[field] for field in fields)] = None
        return list(combinations)

    def _reached(self, table: str) -> set[str]:
        return {link.to for link in self.model.relationships if link.table == table and link.active}

    def _one_side(self, base: str, other: str, cells: Mapping[Field, Any]) -> dict[Field, Any]:
        """The row of another table that a row belongs to; blanks where it belongs to none."""
        link = next(
            link for link in self.model.relationships if (link.table, link.to, link.active) == (base, other, True)
        )
        table = self.model.table(other)
        at = table.columns.index(table.column(link.to_column))
        match = next((row for row in self._tables[other]["rows"] if row[at] == cells[base, link.column]), None)
        return {(other, column.name): match and match[n] for n, column in enumerate(table.columns)}


def _number(cell: Any) -> Any:
    """Money as the evaluator takes it; to a cent it is the same up to some 90 trillion."""
    return float(cell) if isinstance(cell, Decimal) else cell


def _of_bare(expression: str, bare: Iterable[str]) -> str:
    """An expression over tables that have no row at all: pbix-mcp says of none of them that it is empty."""
    for name in bare:
        expression = expression.replace(f"ISEMPTY({dax.quoted(name)})", "TRUE()")
    return expression
