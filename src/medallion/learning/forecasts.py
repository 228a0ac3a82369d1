"""The forecast of a period from gold: made, kept in `ops.forecasts`, and later compared with what came."""

from __future__ import annotations

import calendar
import re
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from medallion import contracts
from medallion.config import Settings
from medallion.errors import LakehouseError, MedallionError
from medallion.lakehouse import manifests, query, store
from medallion.lakehouse.session import session
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import journal
from medallion.scoring import forecast
from medallion.scoring.forecast import Deals, Expected, LifeTable, NewDeals, Pace
from medallion.scoring.hazards import Curves, Floats, edges
from medallion.scoring.models import logit, sigmoid

TABLE = "ops.forecasts"
_QUOTAS = "gold.attainment"
#: What a forecast may be split by, and the column of `gold.deals` that says it.
DIMENSIONS = {
    "owner": "owner",
    "product": "product_id",
    "source": "source",
    "industry": "industry",
    "country": "country",
    "size_band": "size_band",
    "stage": "stage",
    "quality": "lead_quality",
}
_QUARTER = re.compile(r"(?:Q([1-4])[- ]?(\d{4})|(\d{4})[- ]?Q([1-4]))", re.IGNORECASE)
_MONTH, _YEAR = re.compile(r"(\d{4})-(\d{1,2})"), re.compile(r"\d{4}")
#: Days of history from which it is told what a win is worth, and how many deals are opened.
_LOOK_BACK, _LATELY = 365, 182
#: Earlier periods that tell how many new deals are won in time: at most, at least, and days of history before each.
_ALIKE, _LEAST_ALIKE, _SETTLED = 4, 2, 90


@dataclass(frozen=True)
class Period:
    """A month, a quarter or a year of the calendar, first and last day included."""

    name: str
    first: date
    last: date

    def before(self, count: int) -> Period:
        """The period of the same length so many such periods earlier."""
        months = 12 * (self.last.year - self.first.year) + self.last.month - self.first.month + 1
        month = 12 * self.first.year + self.first.month - 1 - count * months
        return _months(self.name, month // 12, month % 12 + 1, months)


@dataclass
class Forecast:
    """The forecast of a period, and of each group.

    Attributes:
        as_of: Last day that counts.
        manifest: The state of the lakehouse that it was made from.
        period: The period.
        dimension: What it is split by, or None.
        total: All of it.
        groups: Its parts, the largest first.
        open_deals, scored_deals: Open deals with a probability, and those of them that a model scored.
        pipeline: Value of the open deals whose expected close date, as the CRM has it, is in the period.
        overdue, slipped: Number and value of open deals whose expected close date has passed, and of those whose date
            lay in the period before and lies after it now.
        unknown: Open deals without a probability or a value, which count as nothing.
    """

    as_of: date
    manifest: int
    period: Period
    dimension: str | None
    new_deals: bool
    total: dict[str, Any]
    groups: list[dict[str, Any]] = field(default_factory=list)
    open_deals: int = 0
    scored_deals: int = 0
    pipeline: float = 0.0
    overdue: dict[str, Any] = field(default_factory=dict)
    slipped: dict[str, Any] = field(default_factory=dict)
    unknown: int = 0
    stored: bool = False


@dataclass(frozen=True)
class Deal:
    """A deal behind a forecast: won in the period, or open.

    Attributes:
        lead_id: Its key.
        group: Its part of the dimension that the forecast is split by; empty without one.
        is_won: Won in the period.
        value: What it is worth.
        probability: P(won in the period): 1 of a won one, None where it is not known.
        is_due: Open, and its expected close date is in the period.
        is_overdue: Open, and its expected close date has passed.
        is_slipped: Open, and its expected close date lay in the period before and lies after it now.
    """

    lead_id: str
    group: str
    is_won: bool
    value: float
    probability: float | None
    is_due: bool
    is_overdue: bool
    is_slipped: bool

    def part_of(self, part: str) -> bool:
        """Whether it is counted in a figure of the forecast, one of `PARTS`."""
        p = -1.0 if self.probability is None else self.probability
        return {
            "won": self.is_won,
            "open": not self.is_won and p >= 0,
            "commit": p >= forecast.COMMIT,
            "best_case": p >= forecast.BEST_CASE,
            "pipeline": self.is_due,
            "overdue": self.is_overdue,
            "slipped": self.is_slipped,
        }[part]


#: Figures of a forecast that have deals behind them; that of `open` is the value times the probability.
PARTS = ("won", "open", "commit", "best_case", "pipeline", "overdue", "slipped")


def period(text: str | None, day: date) -> Period:
    """The period that a text names, the quarter of the day when None.

    >>> period("q3-2025", date(2025, 1, 1)), period("2025-02", date(2025, 1, 1)).last
    (Period(name='2025-Q3', first=datetime.date(2025, 7, 1), last=datetime.date(2025, 9, 30)), datetime.date(2025, 2, 28))

    Raises:
        MedallionError: It names none.
    """
    given = (text or f"{day.year}-Q{(day.month + 2) // 3}").strip()
    if match := _QUARTER.fullmatch(given):
        year, quarter = int(match[2] or match[3]), int(match[1] or match[4])
        return _months(f"{year}-Q{quarter}", year, 3 * quarter - 2, 3)
    if (match := _MONTH.fullmatch(given)) and 1 <= int(match[2]) <= 12:
        return _months(f"{match[1]}-{int(match[2]):02}", int(match[1]), int(match[2]), 1)
    if _YEAR.fullmatch(given):
        return _months(given, int(given), 1, 12)
    raise MedallionError(f"{given!r} is no period", "Name a quarter, a month or a year: Q3-2025, 2025-07, 2025.")


def _months(name: str, year: int, month: int, count: int) -> Period:
    if not 1900 <= year <= 9000:
        raise MedallionError(f"{name!r} is no period", "Name a quarter, a month or a year: Q3-2025, 2025-07, 2025.")
    end = month + count - 1
    return Period(name, date(year, month, 1), date(year, end, calendar.monthrange(year, end)[1]))


def make(
    settings: Settings,
    now: datetime,
    named: str | None = None,
    by: str | None = None,
    *,
    new_deals: bool = True,
    keep: bool = True,
) -> Forecast:
    """Forecast the revenue of a period from gold as it is, and keep the forecast.

    Args:
        settings: Which lakehouse.
        now: The clock, UTC without zone.
        named: The period, such as `Q3-2025`; the quarter of gold's last day when None.
        by: One of `DIMENSIONS`.
        new_deals: Expect revenue from deals that are not opened yet, too.
        keep: Add the forecast to `ops.forecasts`; one that is there already is not added again, and one of only some
            of the deals, since who looks sees no others, never.

    Raises:
        LakehouseError: There is no lakehouse, or gold is empty.
        MedallionError: The period or the dimension is none.
    """
    _one_of_the_dimensions(by)
    lake = Lakehouse(settings.lakehouse)
    for name in ("gold.deals", "gold.lead_scores"):
        lake.delta(name)
    with query.connect(lake, layers=["gold", "silver"]) as connection:
        result, _ = read(
            connection, settings.score.horizon_days, named, by, new_deals=new_deals, quotas=lake.exists(_QUOTAS)
        )
    result.manifest = manifests.number(lake)
    if keep and (lake.seen_by is None or lake.seen_by.sees_all):
        result.stored = _kept(settings, lake, result, now)
    return result


def read(
    connection: duckdb.DuckDBPyConnection,
    horizon_days: int,
    named: str | None = None,
    by: str | None = None,
    *,
    new_deals: bool = True,
    quotas: bool = True,
    history: bool = True,
) -> tuple[Forecast, list[Deal]]:
    """The forecast of a period over the views of gold that a connection has, and the deals behind it.

    Args:
        connection: With the views of gold and silver.
        horizon_days: Of the probability, where no model says it.
        named: The period; the quarter of gold's last day when None.
        by: One of `DIMENSIONS`.
        new_deals: Expect revenue from deals that are not opened yet, too.
        quotas: Whether `gold.attainment` is there.
        history: Whether `silver.leads_history` is there, which tells of slipped deals; without it there are none.

    Raises:
        LakehouseError: Gold is empty.
        MedallionError: The period or the dimension is none.
    """
    _one_of_the_dimensions(by)
    day = query.rows(connection, "select max(as_of) as day from gold.deals")[0]["day"]
    if day is None:
        raise LakehouseError("gold has no deals", "Run `medallion run` first.")
    result, deals = _forecast(connection, horizon_days, day, period(named, day), by, new_deals, history)
    if quotas:
        _with_quotas(result, _quotas(connection, result.period))
    return result, deals


def _one_of_the_dimensions(by: str | None) -> None:
    if by is not None and by not in DIMENSIONS:
        raise MedallionError(f"{by!r} is nothing to split a forecast by", f"Choose one of: {', '.join(DIMENSIONS)}.")


#: Deals with what the last score of the day kept of them.
_DEALS = """
select d.lead_id, coalesce(cast({dimension} as varchar), 'unknown') as grouped, d.status, d.deal_value::double as value,
       d.has_value, d.created_at::date as opened, d.closed_at::date as closed, d.expected_close_date as expected,
       d.probability_to_convert as p, d.probability_low as low, d.probability_high as high,
       s.won_by, s.lost_by, s.horizon_days
from gold.deals d left join (
    from gold.lead_scores where as_of = $1
    qualify row_number() over (partition by lead_id order by known_as_of desc) = 1
) s using (lead_id)
order by d.lead_id
"""


def _forecast(
    connection: duckdb.DuckDBPyConnection,
    horizon: int,
    day: date,
    when: Period,
    by: str | None,
    new_deals: bool,
    history: bool,
) -> tuple[Forecast, list[Deal]]:
    rows = query.rows(connection, _DEALS.format(dimension=f"d.{DIMENSIONS[by]}" if by else "''"), [day])
    names = sorted({row["grouped"] for row in rows})
    place = {name: k for k, name in enumerate(names)}
    begins, ends = (when.first - day).days - 1, (when.last - day).days
    still = [row for row in rows if row["status"] == "open"]
    forecastable = [row for row in still if row["p"] is not None and row["has_value"]]
    won = np.zeros(len(names))
    for row in rows:
        if row["status"] == "won" and row["closed"] is not None and when.first <= row["closed"] <= when.last:
            won[place[row["grouped"]]] += row["value"]
    table, pace = _life_table(rows, day), _pace(rows, day)
    open_deals = _open(forecastable, place, table, horizon, day, begins, ends, pace)
    none = NewDeals(np.zeros(len(names)), np.zeros(0))
    new = _new(rows, place, table, horizon, day, when) if new_deals else none
    parts = forecast.expect(won, open_deals, new, len(names), _unrest(rows, table, day, ends, pace))
    groups = [{by: name, **_amounts(part)} for name, part in zip(names, parts, strict=False)] if by else []
    slipped = _slipped(connection, when) if history else set()
    in_period = {row["lead_id"]: float(p) for row, p in zip(forecastable, open_deals.probability, strict=True)}
    deals = [
        _deal(row, in_period.get(row["lead_id"]), when, day, is_slipped=row["lead_id"] in slipped)
        for row in rows
        if row["status"] == "open"
        or (row["status"] == "won" and row["closed"] is not None and when.first <= row["closed"] <= when.last)
    ]
    result = Forecast(
        day,
        0,
        when,
        by,
        new_deals,
        _amounts(parts[-1]),
        sorted(groups, key=lambda row: (-row["expected"], str(row[by]))) if by else [],
        len(forecastable),
        sum(row["won_by"] is not None for row in forecastable),
        sum(row["value"] for row in still if row["expected"] and when.first <= row["expected"] <= when.last),
        _sum([row for row in still if row["expected"] and row["expected"] < day]),
        _sum([row for row in still if row["lead_id"] in slipped]),
        len(still) - len(forecastable),
    )
    return result, deals


def _deal(row: dict[str, Any], probability: float | None, when: Period, day: date, *, is_slipped: bool) -> Deal:
    is_won, expected = row["status"] == "won", row["expected"]
    return Deal(
        row["lead_id"],
        row["grouped"],
        is_won,
        row["value"],
        1.0 if is_won else probability,
        not is_won and expected is not None and when.first <= expected <= when.last,
        not is_won and expected is not None and expected < day,
        not is_won and is_slipped,
    )


def _quotas(connection: duckdb.DuckDBPyConnection, when: Period) -> dict[str | None, float]:
    """Quotas of the period by owner, and of everyone under None: those of the very period, or of its parts if they fill it."""
    rows = query.rows(
        connection,
        f"select level, who, period_start as first, period_end as last, quota::double as quota from {_QUOTAS} "
        "where level in ('owner', 'everyone') and period_start >= $1 and period_end <= $2",
        [when.first, when.last],
    )
    quotas: dict[str | None, float] = {}
    for who in {(row["level"], row["who"]) for row in rows}:
        own_rows = [row for row in rows if (row["level"], row["who"]) == who]
        whole = [row for row in own_rows if (row["first"], row["last"]) == (when.first, when.last)]
        days = sum((row["last"] - row["first"]).days + 1 for row in own_rows)
        if whole or days == (when.last - when.first).days + 1:
            quotas[who[1] if who[0] == "owner" else None] = sum(row["quota"] for row in whole or own_rows)
    if quotas and None not in quotas:
        quotas[None] = sum(quotas.values())
    return quotas


def _with_quotas(result: Forecast, quotas: dict[str | None, float]) -> None:
    """Put the quotas beside the forecast of everyone and of each owner."""
    result.total["quota"] = quotas.get(None)
    for group in result.groups:
        group["quota"] = quotas.get(str(group["owner"])) if result.dimension == "owner" else None


def _amounts(part: Expected) -> dict[str, Any]:
    return {**asdict(part), "expected": round(part.total, 2), "quota": None}


def _sum(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"deals": len(rows), "value": round(sum(row["value"] for row in rows), 2)}


def _life_table(rows: list[dict[str, Any]], day: date) -> LifeTable:
    dated = [row for row in rows if row["opened"] and (row["status"] == "open" or row["closed"])]
    days = np.array([((row["closed"] or day) - row["opened"]).days for row in dated], dtype=float)
    status = np.array([row["status"] for row in dated], dtype=object)
    whole = days >= 0
    return LifeTable.of(days[whole], (status == "won")[whole], (status == "lost")[whole])


def _lives(rows: list[dict[str, Any]], day: date) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Of each deal days since its opening and its end, NaN while it is open, and whether it was won."""
    return (
        np.array([(day - row["opened"]).days for row in rows], dtype=float),
        np.array([(day - row["closed"]).days if row["closed"] else np.nan for row in rows], dtype=float),
        np.array([row["status"] == "won" for row in rows], dtype=bool),
    )


def _pace(rows: list[dict[str, Any]], day: date) -> Pace:
    """How fast deals are won in each week of a quarter."""
    return Pace.of(*_lives([r for r in rows if r["opened"] and (r["status"] == "open" or r["closed"])], day), day)


def _unrest(rows: list[dict[str, Any]], table: LifeTable, day: date, length: int, pace: Pace) -> float:
    """How far past periods of this length were off together."""
    dated = [row for row in rows if row["opened"] and row["has_value"] and (row["status"] == "open" or row["closed"])]
    value = np.array([row["value"] for row in dated], dtype=float)
    return forecast.unrest(*_lives(dated, day), value, table, max(length, 1), pace, day)


def _open(
    rows: list[dict[str, Any]],
    place: dict[str, int],
    table: LifeTable,
    horizon: int,
    day: date,
    begins: int,
    ends: int,
    pace: Pace,
) -> Deals:
    """Open deals with P(won in the period) and its interval, which is as wide on the log odds as the published one."""
    p, low, high = (np.array([row[name] for row in rows], dtype=float) for name in ("p", "low", "high"))
    probability = np.zeros(len(rows))
    scored = np.array([row["won_by"] is not None for row in rows], dtype=bool)
    factors = pace.days(day, max(ends, 0))
    ages = np.array([(day - row["opened"]).days if row["opened"] else 0 for row in rows], dtype=float)
    if (~scored).any():
        by_age = table.curves(ages[~scored], horizon).tilted(p[~scored], horizon)
        probability[~scored] = forecast.in_period(by_age, begins, ends, factors)
    for own in sorted({row["horizon_days"] for row in rows if row["won_by"] is not None}):
        same_horizon = np.array([row["won_by"] is not None and row["horizon_days"] == own for row in rows])
        kept = [row for row, is_same in zip(rows, same_horizon, strict=True) if is_same]
        curves = Curves(edges(own), np.array([r["won_by"] for r in kept]), np.array([r["lost_by"] for r in kept]))
        probability[same_horizon] = forecast.in_period(curves, begins, ends, factors)
    own = logit(probability)
    return Deals(
        np.array([row["value"] for row in rows], dtype=float),
        np.array([place[row["grouped"]] for row in rows], dtype=np.int64),
        probability,
        sigmoid(own + logit(low) - logit(p)),
        sigmoid(own + logit(high) - logit(p)),
    )


def _new(
    rows: list[dict[str, Any]],
    place: dict[str, int],
    table: LifeTable,
    horizon: int,
    day: date,
    when: Period,
) -> NewDeals:
    """Deals that are not opened yet: as many per day as in the last half year, and worth what the wins of a year were.

    The share of them that is won in the period is that of the same part of up to four periods before, which has the same
    ends of quarters in it; by the life table where there are fewer than two.
    """
    opened = [row for row in rows if row["opened"] and row["opened"] <= day]
    first = min((row["opened"] for row in opened), default=day)
    lately = [row for row in opened if (day - row["opened"]).days < _LATELY]
    counts = np.bincount([place[row["grouped"]] for row in lately], minlength=len(place)).astype(float)
    per_day = counts / max(1, min(_LATELY, (day - first).days + 1))
    values = [
        row["value"]
        for row in rows
        if row["status"] == "won" and row["has_value"] and row["closed"] and (day - row["closed"]).days < _LOOK_BACK
    ]
    begins, ends = (when.first - day).days - 1, (when.last - day).days
    if ends <= 0 or not values:
        return NewDeals(np.zeros(len(place)), np.zeros(0))
    came, all_opened, alike = 0, 0, 0
    for k in range(1, _ALIKE + 1):
        other = when.before(k)
        then = other.first + (day - when.first)
        if then < first + timedelta(days=_SETTLED):
            break
        new = [row for row in opened if then < row["opened"] <= other.last]
        came += sum(
            row["status"] == "won" and row["closed"] is not None and other.first <= row["closed"] <= other.last
            for row in new
        )
        all_opened, alike = all_opened + len(new), alike + 1
    if alike >= _LEAST_ALIKE and all_opened:
        return NewDeals(per_day * ends * came / all_opened, np.array(values, dtype=float))
    return NewDeals(forecast.arriving(table, per_day, begins, ends, horizon), np.array(values, dtype=float))


def _slipped(connection: duckdb.DuckDBPyConnection, when: Period) -> set[str]:
    """Open deals whose expected close date lay in the period in an earlier version and lies after it now."""
    rows = query.rows(
        connection,
        "select distinct d.lead_id from gold.deals d join silver.leads_history h using (lead_id) where d.status = 'open' "
        "and d.expected_close_date > $2 and h.expected_close_date between $1 and $2",
        [when.first, when.last],
    )
    return {row["lead_id"] for row in rows}


#: Columns of the table that a forecast has under the same name.
_AMOUNTS = ("won", "open", "new", "expected", "low_80", "low_50", "high_50", "high_80", "commit", "best_case")


def _kept(settings: Settings, lake: Lakehouse, result: Forecast, now: datetime) -> bool:
    """Add a forecast to the table; whether it was not there already."""
    contract = contracts.table(TABLE)
    by = result.dimension
    rows = []
    for part, name in [(result.total, None), *((group, str(group[by or ""])) for group in result.groups)]:
        amounts = {f"{key}_amount": Decimal(str(part[key])).quantize(Decimal("0.01")) for key in _AMOUNTS}
        rows.append(
            {
                "as_of": result.as_of, "made_at": now, "manifest": result.manifest, "period": result.period.name,
                "first_day": result.period.first, "last_day": result.period.last, "dimension": by, "part": name,
                "new_deals": result.new_deals, "open_deals": result.open_deals, "scored_deals": result.scored_deals,
                **amounts,
                "quota_amount": None if part["quota"] is None else Decimal(str(part["quota"])).quantize(Decimal("0.01")),
            }
        )  # fmt: skip
    if lake.exists(TABLE) and _is_there(lake, result):
        return False
    with journal.writing(lake) as writer, writer.intent("forecast", [TABLE]):
        spark = None
        if lake.folder is None or not lake.exists(TABLE):
            spark = session(settings.engine, settings.memory_gib)
        store.append_rows([tuple(row[name] for name in contract.column_names) for row in rows], spark, lake, contract)
    return True


def _is_there(lake: Lakehouse, result: Forecast) -> bool:
    """Whether the same forecast was kept before: of the same day, period, split and amounts."""
    with query.connect(lake, layers=["ops"], only={TABLE}) as connection:
        rows = query.rows(
            connection,
            f"select 1 as one from {TABLE} where as_of = $1 and period = $2 and dimension is not distinct from $3 "
            "and new_deals = $4 and part is null and abs(expected_amount::double - $5) < 0.005 "
            "and abs(low_80_amount::double - $6) < 0.005",
            [
                result.as_of, result.period.name, result.dimension, result.new_deals, result.total["expected"],
                result.total["low_80"],
            ],
        )  # fmt: skip
    return bool(rows)


def outcomes(connection: duckdb.DuckDBPyConnection, day: date) -> list[dict[str, Any]]:
    """Kept forecasts of periods that are over by a day, each with the `revenue` that came, the oldest period first.

    Of each period and day the last forecast of all deals together counts, made before the period was over and with
    deals that were not opened yet.
    """
    return query.rows(
        connection,
        f"select f.*, coalesce((select sum(deal_value) from gold.deals where status = 'won' and closed_at::date "
        f"between f.first_day and f.last_day), 0)::double as revenue from {TABLE} f "
        "where part is null and new_deals and as_of < last_day and last_day <= $1 "
        "qualify row_number() over (partition by period, as_of order by made_at desc) = 1 order by last_day, as_of",
        [day],
    )


def compared(lake: Lakehouse, day: date) -> dict[str, Any] | None:
    """Kept forecasts of periods that are over, compared with what came, as `outcomes` has them; None where there are none.

    `error` is the mean of |forecast - revenue| / revenue.
    """
    if not lake.exists(TABLE):
        return None
    with query.connect(lake, layers=["ops", "gold"]) as connection:
        rows = outcomes(connection, day)
    if not rows:
        return None
    inside = {
        share: sum(float(r[f"low_{share}_amount"]) <= r["revenue"] <= float(r[f"high_{share}_amount"]) for r in rows)
        for share in (80, 50)
    }
    errors = [abs(float(r["expected_amount"]) - r["revenue"]) / r["revenue"] for r in rows if r["revenue"]]
    return {
        "forecasts": len(rows),
        "periods": len({r["period"] for r in rows}),
        "inside_80": round(inside[80] / len(rows), 4),
        "inside_50": round(inside[50] / len(rows), 4),
        "error": round(float(np.mean(errors)), 4) if errors else None,
        "last": {
            "period": rows[-1]["period"],
            "as_of": rows[-1]["as_of"],
            "expected": float(rows[-1]["expected_amount"]),
            "revenue": rows[-1]["revenue"],
        },
    }
