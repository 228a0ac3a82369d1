"""What each page shows: metrics, figures and tables. Every number is a metric's or a gold table's; none is made here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from medallion import figures, metrics
from medallion.dashboard import parameters, tables, words
from medallion.dashboard.parameters import Given
from medallion.dashboard.reading import Reading
from medallion.errors import ContractError
from medallion.metrics import Answer, Filter, periods

#: Categories that a figure shows at most, the largest first.
MOST = 15


@dataclass(frozen=True)
class Beside:
    """A value of another time: how the card's differs from it, what it was, when, and the page that explains it."""

    change: str
    text: str
    when: str
    address: str


@dataclass(frozen=True)
class Card:
    """A metric with what it is worth.

    Attributes:
        name: The metric.
        label: Its name for people.
        text: The value as it is read.
        unit: What it is counted in, where the value does not say so.
        means: Its definition.
        n: Rows behind it.
        address: The page that explains it.
        rows: The page of the rows behind it.
        left_out: Filters of the page that it is not narrowed by.
        unknown: Filters of the page under which it has no value.
        beside: What it was before, where the page has dates.
    """

    name: str
    label: str
    text: str
    unit: str
    means: str
    n: int
    address: str
    rows: str
    left_out: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    beside: tuple[Beside, ...] = ()


@dataclass(frozen=True)
class Part:
    """A metric split by a dimension, to be drawn.

    Attributes:
        name: In addresses.
        title: Heading.
        metrics: Names; the first is what is drawn, the others are in the table beside.
        by: Dimension.
        where: Filters beside those of the page.
        form: How it is drawn.
        order: In which order categories stand: by value, by name, or as listed.
        wide: Whether it takes the whole width.
        says: What to know when reading it.
    """

    name: str
    title: str
    metrics: tuple[str, ...]
    by: str
    form: str = "bars"
    where: tuple[Filter, ...] = ()
    order: str | tuple[str, ...] = "value"
    wide: bool = False
    says: str = ""


@dataclass(frozen=True)
class Trend:
    """A column of gold.sales_summary over its days.

    Attributes:
        name: In addresses.
        title: Heading.
        column: What is drawn.
        kind: How its values are written.
        says: What to know when reading it.
        wide: Whether it takes the whole width.
    """

    name: str
    title: str
    column: str
    kind: str
    says: str = ""
    wide: bool = False

    def rows(self, filters: Given, reading: Reading) -> list[dict[str, Any]]:
        """Its `day` and `value`, within the dates of the page."""
        sql = (
            f"select day, {self.column} as value from gold.sales_summary "
            "where ($1 is null or day >= cast($1 as date)) and ($2 is null or day <= cast($2 as date)) order by day"
        )
        return reading.rows(sql, [filters.get("from"), filters.get("to")])


@dataclass(frozen=True)
class Page:
    """A page: what narrows it, and what stands on it in order."""

    name: str
    filters: tuple[str, ...]
    cards: tuple[str, ...]
    parts: tuple[Part | Trend, ...]
    table: str | None
    more: tuple[str, ...] = ()
    size: int = tables.PAGE

    @property
    def title(self) -> str:
        """Its name for people."""
        return words.PAGES[self.name][0]

    @property
    def allowed(self) -> list[str]:
        """Names of the parameters that it takes."""
        return [*self.filters, *(tables.STATE if self.table else ())]


_EVERY = "All industries and owners."
_OPEN, _WON = (Filter("status", ("open",)),), (Filter("status", ("won",)),)
SIZES = ("1-50", "51-200", "201-1000", "1000+", "unknown")
WEEKDAYS = {"1": "Mon", "2": "Tue", "3": "Wed", "4": "Thu", "5": "Fri", "6": "Sat", "7": "Sun"}

PAGES = {
    page.name: page
    for page in (
        Page(
            "pipeline",
            ("industry", "owner", "band"),
            ("open_pipeline", "weighted_pipeline", "expected_wins", "open_leads", "hot_pipeline", "silent_deals", "never_touched_deals", "overdue_deals", "sales_velocity"),
            (
                Part("stages", "Open pipeline by stage", ("open_pipeline", "weighted_pipeline", "open_leads"), "stage", where=_OPEN),
                Part("bands", "Open pipeline by band", ("open_pipeline", "weighted_pipeline", "open_leads"), "lead_quality", where=_OPEN, order=parameters.BANDS),
                Part("sources", "Conversion rate by source", ("conversion_rate", "won_leads", "total_leads"), "source"),
                Part("days_in_stage", "Days in stage", ("average_days_in_stage", "stage_entries"), "stage", says="All deals, whatever the filters."),
            ),
            "calls",
            ("moves",),
            size=12,
        ),
        Page(
            "customers",
            ("industry", "band"),
            ("total_customers", "buying_customers", "active_customers", "average_lead_score", "hot_lead_share", "average_engagement_score", "revenue_per_customer", "top_customer_share"),
            (
                Part("quality", "Customers by band", ("total_customers", "average_lead_score", "revenue_per_customer"), "lead_quality", order=parameters.BANDS),
                Part("segments", "Customers by segment", ("total_customers", "average_lead_score", "revenue_per_customer"), "segment"),
                Part("industries", "Revenue by industry", ("revenue", "won_leads", "win_rate", "open_pipeline"), "industry", says=f"The {MOST} with most."),
                Part("sizes", "Customers by company size", ("total_customers", "average_lead_score", "revenue_per_customer"), "size_band", order=SIZES),
            ),
            "customers",
        ),
        Page(
            "interactions",
            ("from", "to", "channel"),
            ("touches", "touched_customers", "touch_positive_rate", "meetings_booked", "no_answer_rate", "average_duration_minutes", "attributed_revenue", "median_response_hours"),
            (
                Part("outcomes", "Touches by outcome", ("touches",), "outcome", order=("meeting_booked", "positive", "neutral", "no_answer", "negative")),
                Part("channel_answers", "Positive rate by channel", ("touch_positive_rate", "touches"), "channel"),
                Part("hours", "Touches by hour", ("touches", "touch_positive_rate"), "hour", form="columns", order="name"),
                Part("weekdays", "Touches by weekday", ("touches", "touch_positive_rate"), "weekday", form="columns", order="name"),
                Part("touch_months", "Touches by month", ("touches", "touch_positive_rate", "touched_customers"), "month", form="columns", order="name", wide=True),
                Part("preferred", "Channel that customers answer best on", ("total_customers", "average_engagement_score"), "preferred_channel", says="All customers, whatever the filters."),
                Part("revenue_channels", "Attributed revenue by channel", ("attributed_revenue", "total_interactions"), "channel", says="All dates."),
            ),
            "channels",
        ),
        Page(
            "sales",
            ("from", "to", "industry", "owner"),
            ("revenue", "won_leads", "win_rate", "win_rate_by_value", "average_won_value", "average_cycle_days", "sales_velocity", "conversion_rate"),
            (
                Part("months", "Revenue by month", ("revenue", "won_leads", "average_won_value"), "closed_month", form="columns", order="name", wide=True, where=_WON),
                Part("win_months", "Win rate by month of closing", ("win_rate", "won_leads", "lost_leads"), "closed_month", form="columns", order="name", wide=True, where=(Filter("status", ("won", "lost")),)),
                Trend("revenue_30d", "Revenue of the last 30 days", "revenue_30d", "money", _EVERY),
                Trend("open_pipeline", "Open pipeline at the end of the day", "open_pipeline", "money", _EVERY),
                Part("reps", "Revenue by owner", ("revenue", "won_leads", "win_rate", "average_cycle_days", "open_pipeline"), "owner", says=f"The {MOST} with most."),
                Part("won_sources", "Win rate by source", ("win_rate", "won_leads", "lost_leads"), "source"),
            ),
            "top",
        ),
    )
}  # fmt: skip


def cards(page: Page, filters: Given, reading: Reading) -> list[Card]:
    """The metrics at the top of a page."""
    known = [name for name in page.cards if _there(metrics.named(name), reading)]
    answerable = [name for name in known if not parameters.unknown(metrics.named(name), filters)]
    wheres = {name: parameters.filters(metrics.named(name), filters) for name in answerable}
    others = [then for then, _ in _times(filters, reading)]
    before = [
        (name, parameters.filters(metrics.named(name), then)) for then in others for name in answerable if _moves(name)
    ]
    reading.ahead([*wheres.items(), *before])
    behind = tables.behind(reading, {name: parameters.filters(metrics.named(name), filters) for name in known})
    return [_card(name, filters, reading, *behind[name]) for name in known]


def _card(name: str, filters: Given, reading: Reading, rows: str, n: int) -> Card:
    """A metric under the filters of a page, with the address of its rows and how many there are."""
    metric = metrics.named(name)
    where = parameters.filters(metric, filters)
    unknown = parameters.unknown(metric, filters)
    value = None if unknown else reading.ask(name, where=where).value
    address = Given(tuple(parameters.of_dimensions(where).items())).query()
    return Card(
        name,
        metric.measure.display_name,
        metrics.written(name, value, reading.currency),
        words.UNITS.get(name, ""),
        metric.measure.comment,
        n,
        f"/metrics/{name}{address}",
        rows,
        tuple(key for key in parameters.left_out(metric, filters) if key not in unknown),
        unknown,
        () if value is None or not _moves(name) else tuple(_beside(metric, value, filters, reading)),
    )


def _moves(name: str) -> bool:
    """Whether a metric is narrowed by the dates of a page."""
    return metrics.named(name).measure.period is not None


def _times(filters: Given, reading: Reading) -> list[tuple[Given, str]]:
    """The filters of a page moved to the period before and to a year ago; none where they have no first day."""
    if not filters.get("from") or reading.last_day is None:
        return []
    first, last = (date.fromisoformat(text) if (text := filters.get(name)) else None for name in parameters.DATES)
    times = []
    for compare, when in (("previous", "the period before"), ("year-ago", "a year ago")):
        try:
            _, then, _ = periods.before(periods.Span(first, last), compare, periods.Today(reading.last_day))
        except ContractError:  # there is no such time before the year 1
            continue
        dates = {"from": str(then.first), "to": str(then.last)}
        times.append((Given(tuple({**dict(filters.values), **dates}.items())), when))
    return times


def _beside(metric: metrics.Metric, value: Any, filters: Given, reading: Reading) -> Iterator[Beside]:
    for then, when in _times(filters, reading):
        where = parameters.filters(metric, then)
        before = reading.ask(metric.name, where=where).value
        if not before:
            continue
        share = metric.measure.format.type == "percentage"
        change = float(value) - float(before) if share else float(value) / float(before) - 1
        address = f"/metrics/{metric.name}{Given(tuple(parameters.of_dimensions(where).items())).query()}"
        text = figures.change(change, points=share)
        yield Beside(text, metrics.written(metric.name, before, reading.currency), when, address)


def _there(metric: metrics.Metric, reading: Reading) -> bool:
    return all(name in reading.tables for name in metric.view.tables)


@dataclass(frozen=True)
class Split:
    """The rows of a part.

    Attributes:
        part: What it is.
        rows: One per category: `key` as the data has it, `label` for people, and every metric.
        answer: The answer of the first metric.
        folded: Categories that are not shown.
        n: Rows behind all of it.
    """

    part: Part
    rows: list[dict[str, Any]]
    answer: Answer
    folded: int

    @property
    def n(self) -> int:
        """Rows behind the answer of the first metric."""
        return sum(row["n"] for row in self.rows)


def split(part: Part, filters: Given, reading: Reading) -> Split:
    """A part's metrics by its dimension, under the filters of a page."""
    answers: dict[str, dict[str | None, dict[str, Any]]] = {}
    for name in part.metrics:
        metric = metrics.named(name)
        if not _there(metric, reading):
            return Split(part, [], Answer(metric, (part.by,), [], ""), 0)
        if name != part.metrics[0] and parameters.unknown(metric, filters):
            answers[name] = {}
            continue
        answer = reading.ask(name, (part.by,), (*part.where, *parameters.filters(metric, filters)))
        answers[name] = {_key(row[part.by]): row for row in answer.rows}
        if name == part.metrics[0]:
            first = answer
            behind = tables.behind_split(reading, name, part.by, (*part.where, *parameters.filters(metric, filters)))
    rows = []
    for key, row in answers[part.metrics[0]].items():
        values = {name: (answers[name].get(key) or {}).get("value") for name in part.metrics}
        rows.append(
            {
                "key": key,
                "label": label(part.by, key),
                "n": row["n"] if behind is None else behind.get(key, 0),
                **values,
            }
        )
    rows = reading.in_funnel(_ordered(_filled(rows, part), part), part.by)
    kept = rows if part.form == "columns" else rows[:MOST]
    return Split(part, kept, first, len(rows) - len(kept))


def _key(value: Any) -> str | None:
    return None if value is None else str(value)


def label(by: str, key: str | None) -> str:
    """A category as people read it."""
    if key is None:
        return "not known"
    if by == "weekday":
        return WEEKDAYS.get(key, key)
    if by == "hour":
        return f"{int(key):02d}"
    return key.replace("_", " ")


def _filled(rows: list[dict[str, Any]], part: Part) -> list[dict[str, Any]]:
    """Hours, weekdays and months in between that have no rows: what counts or sums is 0 there, a rate is unknown."""
    known = {row["key"] for row in rows if row["key"] is not None}
    if part.form != "columns" or not known:
        return rows
    if part.by == "hour":
        span = [str(hour) for hour in range(24)]
    elif part.by == "weekday":
        span = list(WEEKDAYS)
    else:
        first, last = (int(text[:4]) * 12 + int(text[5:7]) - 1 for text in (min(known), max(known)))
        span = [f"{month // 12:04d}-{month % 12 + 1:02d}" for month in range(first, last + 1)]
    nothing = {
        name: 0 if metrics.named(name).measure.expr.startswith(("COUNT(", "COALESCE(")) else None
        for name in part.metrics
    }
    nothing = {name: None if "/" in metrics.named(name).measure.expr else value for name, value in nothing.items()}
    return rows + [{"key": key, "label": label(part.by, key), "n": 0, **nothing} for key in span if key not in known]


def _ordered(rows: list[dict[str, Any]], part: Part) -> list[dict[str, Any]]:
    if isinstance(part.order, tuple):
        place = {name: at for at, name in enumerate(part.order)}
        return sorted(rows, key=lambda row: (place.get(row["key"], len(place)), row["label"]))
    if part.order == "name":
        return sorted(rows, key=lambda row: (row["key"] is None, _natural(row["key"])))
    first = part.metrics[0]
    return sorted(rows, key=lambda row: (row[first] is None, -(row[first] or 0), row["label"]))


def _natural(key: str | None) -> tuple[int, str]:
    return (int(key), "") if key is not None and key.isdecimal() else (0, key or "")


def part_of(page: Page, name: str) -> Part | Trend | None:
    """A part of a page by its name."""
    return next((part for part in page.parts if part.name == name), None)


def observed(reading: Reading) -> list[dict[str, Any]]:
    """Outcomes of the closed deals of each band, as gold has them, and the mean forecast of its open ones; none in a
    lakehouse of before `gold.score_bands`.
    """
    if "gold.score_bands" not in reading.tables:
        return []
    forecast = {row["lead_quality"]: row["value"] for row in reading.ask("average_probability", ("lead_quality",)).rows}
    place = {name: at for at, name in enumerate(parameters.BANDS)}
    ranked = sorted(
        reading.rows("from gold.score_bands"), key=lambda row: place.get(str(row["lead_quality"]), len(place))
    )
    return [
        {
            "band": row["lead_quality"],
            "score_from": row.get("score_from"),  # not in lakehouses of before it was added
            "customers": row["customers"],
            "closed": row["closed_leads"],
            "win_rate": row["win_rate"],
            "forecast": forecast.get(row["lead_quality"]),
        }
        for row in ranked
    ]
