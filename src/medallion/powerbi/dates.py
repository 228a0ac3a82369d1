"""The date table and the calculation group for time.

Each column of the date table is told three times: in Python for the data in a .pbix, in Spark SQL for a warehouse, and in
Power Query; a test compares the first two. The texts are those that a question takes as a period: `2025-Q1`, `2025-W07`,
`FY2025-Q3`.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from medallion.metrics.periods import add_months

#: The table of the calculation group and its column.
TIME = ("Time", "Time")
#: The last day of the data in DAX.
AS_OF = "CALCULATE(COALESCE(MAX('Customers'[as_of]), MAX('Deals'[as_of])), REMOVEFILTERS())"


@dataclass(frozen=True)
class Part:
    """A column of the date table.

    Attributes:
        name: What readers see; of a hidden one its name in the query.
        source: Its name in the query.
        is_number: Whether it is a whole number; text otherwise.
        description: What it means.
        sql: Spark SQL over `date`.
        m: Power Query over `[date]`.
        sort_by: The column that gives its order.
    """

    name: str
    source: str
    is_number: bool
    description: str
    sql: str
    m: str
    sort_by: str | None = None

    @property
    def hidden(self) -> bool:
        """Whether readers do not see it."""
        return self.name == self.source


def parts(fiscal: int) -> tuple[Part, ...]:
    """The columns of the date table after the day itself.

    Args:
        fiscal: The month with which the fiscal year begins.
    """
    months = (13 - fiscal) % 12
    within = f"ADD_MONTHS(date, {months})" if months else "date"
    fiscal_day = f"Date.AddMonths([date], {months})"
    weekday = "(DATEDIFF(date, DATE '1900-01-01') % 7)"
    thursday = f"DATE_ADD(date, 3 - {weekday})"
    begins = f"begins with {calendar.month_name[fiscal]}, named for the year it ends in"
    return (
        Part("Year", "year", True, "Calendar year.", "YEAR(date)", "Date.Year([date])"),
        Part("Quarter", "quarter", False, "Year and quarter.", "CONCAT(YEAR(date), '-Q', QUARTER(date))",
             'Text.From(Date.Year([date])) & "-Q" & Text.From(Date.QuarterOfYear([date]))'),
        Part("Month", "month", False, "Year and month.", "DATE_FORMAT(date, 'yyyy-MM')",
             'Date.ToText([date], [Format = "yyyy-MM", Culture = "en-US"])'),
        Part("month_number", "month_number", True, "Month, 1 to 12.", "MONTH(date)", "Date.Month([date])"),
        Part("Month name", "month_name", False, "Name of the month.", _named("MONTH(date)", calendar.month_name[1:]),
             'Date.ToText([date], [Format = "MMMM", Culture = "en-US"])', "month_number"),
        Part("Week", "week", False, "ISO year and week, which begins on Monday.",
             f"CONCAT(YEAR({thursday}), '-W', LPAD(CAST(FLOOR((DAYOFYEAR({thursday}) + 6) / 7) AS STRING), 2, '0'))",
             "let thursday = Date.AddDays([date], 3 - Date.DayOfWeek([date], Day.Monday)) in "
             'Text.From(Date.Year(thursday)) & "-W" & '
             'Text.PadStart(Text.From(Number.IntegerDivide(Date.DayOfYear(thursday) + 6, 7)), 2, "0")'),
        Part("weekday_number", "weekday_number", True, "Day of the week, 1 for Monday.", f"{weekday} + 1",
             "Date.DayOfWeek([date], Day.Monday) + 1"),
        Part("Day of week", "weekday", False, "Name of the day.", _named(f"{weekday} + 1", calendar.day_name[:]),
             'Date.ToText([date], [Format = "dddd", Culture = "en-US"])', "weekday_number"),
        Part("Fiscal year", "fiscal_year", False, f"Fiscal year; it {begins}.", f"CONCAT('FY', YEAR({within}))",
             f'"FY" & Text.From(Date.Year({fiscal_day}))'),
        Part("Fiscal quarter", "fiscal_quarter", False, f"Quarter of the fiscal year, which {begins}.",
             f"CONCAT('FY', YEAR({within}), '-Q', QUARTER({within}))",
             f'"FY" & Text.From(Date.Year({fiscal_day})) & "-Q" & Text.From(Date.QuarterOfYear({fiscal_day}))'),
    )  # fmt: skip


def _named(number: str, names: list[str]) -> str:
    return f"CASE {number} {' '.join(f'WHEN {n} THEN {name!r}' for n, name in enumerate(names, 1))} END"


def days(first: date, last: date, fiscal: int) -> Iterator[tuple[datetime | int | str, ...]]:
    """Rows of the date table: the day and the values of `parts`."""
    day = first
    while day <= last:
        iso, within = day.isocalendar(), add_months(day, (13 - fiscal) % 12)
        yield (
            datetime(day.year, day.month, day.day),  # noqa: DTZ001 - a day has no zone
            day.year,
            f"{day.year}-Q{(day.month + 2) // 3}",
            f"{day:%Y-%m}",
            day.month,
            calendar.month_name[day.month],
            f"{iso.year}-W{iso.week:02d}",
            iso.weekday,
            calendar.day_name[day.weekday()],
            f"FY{within.year}",
            f"FY{within.year}-Q{(within.month + 2) // 3}",
        )
        day += timedelta(days=1)


@dataclass(frozen=True)
class Item:
    """A choice of the calculation group: what it makes of every measure."""

    name: str
    expression: str
    description: str


#: What is one value in the date table and how far the one before lies, the smaller first.
_STEPS = (
    ("Date", "-1, DAY"), ("Week", "-7, DAY"), ("Month", "-1, MONTH"), ("Quarter", "-1, QUARTER"),
    ("Fiscal quarter", "-1, QUARTER"), ("Year", "-1, YEAR"), ("Fiscal year", "-1, YEAR"),
)  # fmt: skip
#: The choice that cards show below their figure.
COMPARED = "Compared"
_TODAY = f"VAR Today = {AS_OF}"


def items(fiscal: int) -> tuple[Item, ...]:
    """The choices. A period that is not over is compared with the same part of the other; none goes beyond the data.

    Args:
        fiscal: The month with which the fiscal year begins.
    """
    steps = ", ".join(f"HASONEVALUE('Date'[{column}]), {_moved(step)}" for column, step in _STEPS)
    previous = f"SWITCH(TRUE(), NOT ISFILTERED('Date'), BLANK(), {steps})"
    year_ago = f"IF(ISFILTERED('Date'), {_moved('-1, YEAR')})"
    units = [("Month", "Month"), ("Quarter", "Quarter"), ("Year", "Year")]
    units += [("Fiscal year", "Fiscal year")] if fiscal > 1 else []
    return (
        Item("Current", "SELECTEDMEASURE()", "The period itself."),
        Item("Previous", f"{_TODAY} RETURN {previous}", "The day, week, month, quarter or year before the one in view."),
        Item("Year ago", f"{_TODAY} RETURN {year_ago}", "The same period a year before."),
        Item("Change", _change(previous), "The period less the one before."),
        Item("Change on year ago", _change(year_ago), "The period less the same a year before."),
        Item(COMPARED, _compared(previous), "The change as words, for a card."),
        *(Item(f"{label} to date", _to_date(column), f"From the beginning of the {label.lower()} to the last day in view.")
          for label, column in units),
    )  # fmt: skip


def _moved(step: str) -> str:
    days = f"CALCULATETABLE(DATEADD('Date'[Date], {step}), KEEPFILTERS('Date'[Date] <= Today))"
    return f"CALCULATE(SELECTEDMEASURE(), {days})"


def _change(before: str) -> str:
    known = "NOT ISSELECTEDMEASURE([As of]) && NOT ISBLANK(Now) && NOT ISBLANK(Before)"
    return f"{_TODAY} VAR Now = SELECTEDMEASURE() VAR Before = {before} RETURN IF({known}, Now - Before)"


def _compared(before: str) -> str:
    """The change since the period before in the form of the measure, or why there is none."""
    change = 'FORMAT(Now - Before, SELECTEDMEASUREFORMATSTRING()) & " on previous"'
    return (
        f"{_TODAY} VAR Now = SELECTEDMEASURE() VAR Before = {before} RETURN SWITCH(TRUE(), "
        'NOT ISFILTERED(\'Date\'), "Choose a period", ISBLANK(Now) || ISBLANK(Before), "Nothing to compare", '
        f"{change})"
    )


def _to_date(column: str) -> str:
    unit = f"LOOKUPVALUE('Date'[{column}], 'Date'[Date], LastDay)"
    return (
        f"{_TODAY} VAR LastDay = MIN(MAX('Date'[Date]), Today) VAR Unit = {unit} RETURN IF(MIN('Date'[Date]) <= Today, "
        f"CALCULATE(SELECTEDMEASURE(), FILTER(ALL('Date'), 'Date'[{column}] = Unit && 'Date'[Date] <= LastDay)))"
    )
