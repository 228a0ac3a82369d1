"""The page of a manager: the forecast of a period beside its quota, by rep or product, and the deals behind each figure."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import Any

from medallion import metrics
from medallion.config import Settings
from medallion.dashboard import words
from medallion.dashboard.listing import Listing
from medallion.dashboard.parameters import BadRequestError, Given
from medallion.dashboard.reading import Reading
from medallion.dashboard.tables import Column
from medallion.errors import MedallionError
from medallion.learning import forecasts
from medallion.learning.forecasts import Deal, Forecast

#: What the page may be split by; the first without another wish.
SPLITS = ("owner", "product", "source", "industry", "country", "stage")
PARAMETERS = ("period", "by")
#: Names of the figures with deals behind them.
PARTS = {
    "won": "Won", "open": "Expected from open deals", "commit": "Commit", "best_case": "Best case",
    "pipeline": "Expected to close in the period", "overdue": "Overdue", "slipped": "Slipped out of the period", "silent": "Silent",
}  # fmt: skip
_MEANS = {
    "won": "Deals won in the period.",
    "open": "Open deals; what each brings is its value times the probability that it is won in the period.",
    "commit": "Won deals, and open ones with a probability of at least 70% to be won in the period.",
    "best_case": "Won deals, and open ones with a probability of at least 40% to be won in the period.",
    "pipeline": "Open deals whose expected close date is in the period.",
    "overdue": "Open deals whose expected close date has passed.",
    "slipped": "Open deals whose expected close date lay in the period and was moved to after it.",
    "silent": f"Open deals whose account was touched, but not in the last {metrics.threshold('silent_days'):g} days.",
}
_COLUMNS = (
    Column("lead_id", "Deal", link="/deals/{}"),
    Column("customer_name", "Customer", link="/customers/{}", link_by="customer_id"),
    Column("owner", "Owner"),
    Column("product_name", "Product"),
    Column("status", "Status", "status"),
    Column("stage", "Stage"),
    Column("deal_value", "Value", "money"),
    Column("won_in_period", "Probability in the period", "percent"),
    Column("expected_value", "Expected", "money"),
    Column("expected_close_date", "Expected close", "day"),
    Column("days_since_last_interaction", "Days silent", "number"),
)


def read(reading: Reading, settings: Settings, params: Given) -> tuple[Forecast, list[Deal]]:
    """The forecast that an address asks for, and its deals.

    Raises:
        BadRequestError: The period or the split is not valid.
    """
    if why := _nothing(reading):
        raise BadRequestError(words.say(why))
    by = params.get("by") or SPLITS[0]
    if by not in SPLITS:
        raise BadRequestError(words.say("no_such_split", name=by[:40], known=", ".join(SPLITS)))
    day = reading.last_day
    try:
        when = forecasts.period(params.get("period"), day).name
    except MedallionError as error:
        raise BadRequestError(words.refused(error)) from error
    horizon, quotas = settings.score.horizon_days, "gold.attainment" in reading.tables

    def compute() -> tuple[Forecast, list[Deal]]:
        return reading.answer(lambda cursor: forecasts.read(cursor, horizon, when, by, quotas=quotas))

    return reading.once(("forecast", when, by), compute)


def _nothing(reading: Reading) -> str:
    """Why there is no forecast, as a text of `words`; empty where there is one."""
    if not reading.rows("select 1 from gold.deals limit 1"):
        return "no_deals"
    return "" if "gold.lead_scores" in reading.tables and reading.last_day is not None else "no_scores"


def page(reading: Reading, settings: Settings, params: Given) -> dict[str, Any]:
    """What the page shows; where there is no forecast only `why`, and `told` as None."""
    if why := _nothing(reading):
        return {"told": None, "why": why}
    forecast, deals = read(reading, settings, params)
    by, silent, names = str(forecast.dimension), _silent(reading), _names(reading, str(forecast.dimension))
    members: dict[str, dict[str, list[Deal]]] = defaultdict(lambda: {part: [] for part in PARTS})
    whole: dict[str, list[Deal]] = {part: [] for part in PARTS}
    for deal in deals:
        for part in PARTS:
            if _counts(deal, part, silent):
                members[deal.group][part].append(deal)
                whole[part].append(deal)
    rows = [
        {
            **group,
            "key": str(group[by]),
            "name": names.get(str(group[by]), str(group[by])),
            **{part: len(members[str(group[by])][part]) for part in ("overdue", "slipped", "silent")},
        }
        for group in forecast.groups
    ]
    return {
        "told": forecast,
        "rows": reading.in_funnel(
            [row for row in rows if any(row[name] for name in ("expected", "overdue", "silent", "quota"))], by
        ),
        "base": Given((("by", by), ("period", forecast.period.name))),
        "parts": PARTS,
        "means": _MEANS,
        "counts": {part: len(some) for part, some in whole.items()},
        "silent_value": sum(deal.value for deal in whole["silent"]),
        "most": max([row["high_80"] or 0 for row in rows] + [row["quota"] or 0 for row in rows] + [1]),
        "periods": _periods(reading, forecast),
        "outcomes": _outcomes(reading),
    }


def _counts(deal: Deal, part: str, silent: frozenset[str]) -> bool:
    return deal.lead_id in silent if part == "silent" else deal.part_of(part)


def _silent(reading: Reading) -> frozenset[str]:
    """The deals that the metric `silent_deals` counts."""
    rows = reading.rows(
        "select lead_id from gold.deals where status = 'open' and days_since_last_interaction > ?",
        [metrics.threshold("silent_days")],
    )
    return frozenset(row["lead_id"] for row in rows)


def _names(reading: Reading, by: str) -> dict[str, str]:
    """Names of the groups, where their keys are none."""
    if by != "product" or not _has_products(reading):
        return {}
    rows = reading.rows("select distinct product_id, product_name from gold.deals where product_name is not null")
    return {row["product_id"]: row["product_name"] for row in rows}


def _periods(reading: Reading, forecast: Forecast) -> list[str]:
    """Periods to choose from: the quarter of the last day and the next one, the months, the year, and the chosen one."""
    day, this = reading.last_day, forecasts.period(None, reading.last_day)
    next_month = day.replace(day=1) + timedelta(days=32)
    days = (this.first - timedelta(days=1), day, this.last + timedelta(days=1))
    quarters = [forecasts.period(None, quarter_day).name for quarter_day in days]
    months = [forecasts.period(f"{month.year}-{month.month}", day).name for month in (day, next_month)]
    return list(dict.fromkeys([*quarters, *months, str(day.year), forecast.period.name]))


def _outcomes(reading: Reading) -> list[dict[str, Any]]:
    """How earlier forecasts came out."""
    if forecasts.TABLE not in reading.tables:
        return []
    rows = reading.once("outcomes", lambda: reading.answer(lambda cursor: forecasts.outcomes(cursor, reading.last_day)))
    return [
        {
            **row,
            "inside": float(row["low_80_amount"]) <= row["revenue"] <= float(row["high_80_amount"]),
            "off": (float(row["expected_amount"]) - row["revenue"]) / row["revenue"] if row["revenue"] else None,
        }
        for row in rows
    ]


def listed(reading: Reading, settings: Settings, params: Given) -> Listing:
    """The deals behind a figure of the page: `part` says which, `group` narrows them to a row of its table.

    Raises:
        BadRequestError: There is no such figure or row.
    """
    forecast, deals = read(reading, settings, params)
    by = str(forecast.dimension)
    part, group = params.get("part") or "", params.get("group")
    if part not in PARTS:
        raise BadRequestError(words.say("no_such_part", name=part[:40], known=", ".join(PARTS)))
    if group is not None and group not in {str(row[by]) for row in forecast.groups}:
        raise BadRequestError(words.say("no_such_group", name=group[:60], by=by))
    silent = _silent(reading)
    chosen = {deal.lead_id: deal for deal in deals if _counts(deal, part, silent) and group in (None, deal.group)}
    named = reading.rows(
        "select lead_id, customer_id, customer_name, owner, status, stage, deal_value, expected_close_date, "
        f"days_since_last_interaction{', product_name' if _has_products(reading) else ''} from gold.deals "
        "where lead_id in (select unnest(?)) order by deal_value desc, lead_id",
        [tuple(chosen)],
    )
    rows = []
    for row in named:
        p = chosen[row["lead_id"]].probability
        rows.append(
            {**row, "won_in_period": p, "expected_value": None if p is None else chosen[row["lead_id"]].value * p}
        )
    totals = {"deal_value": sum(chosen[row["lead_id"]].value for row in rows)}
    if part == "open":
        totals["expected_value"] = sum(row["expected_value"] for row in rows)
    columns = tuple(column for column in _COLUMNS if column.name != "product_name" or _has_products(reading))
    asked = [("figure", PARTS[part]), ("period", forecast.period.name)]
    asked += [(by, _names(reading, by).get(group, group))] if group is not None else []
    return Listing(
        "forecast", f"{PARTS[part]}, {forecast.period.name}", _MEANS[part], columns, rows, totals,
        (*asked, ("as of", str(forecast.as_of))),
    )  # fmt: skip


def _has_products(reading: Reading) -> bool:
    return any(row["column_name"] == "product_name" for row in reading.rows("describe gold.deals"))
