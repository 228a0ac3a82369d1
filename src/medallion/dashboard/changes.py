"""The page of what changed: how the open pipeline of one day became that of another, and the steps behind each bar."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from medallion.dashboard import parameters, words
from medallion.dashboard.listing import Listing
from medallion.dashboard.parameters import BadRequestError, Given
from medallion.dashboard.reading import Reading
from medallion.dashboard.tables import Column
from medallion.metrics import over_time

PARAMETERS = ("from", "to", "by")
#: Days between the two of an address that names one.
SPAN_DAYS = 30
#: What the bridge may be split by.
SPLITS = ("owner", "stage", "source", "industry", "country", "expected_close_month")
#: Names of the parts; those of the two ends have their day.
PARTS = {
    "start": "Open on", "opened": "Opened", "reopened": "Reopened", "moved_in": "Moved in", "moved_out": "Moved out",
    "revalued": "Re-valued", "won": "Won", "lost": "Lost", "withdrawn": "Withdrawn", "end": "Open on",
}  # fmt: skip
_MEANS = {
    "start": "Deals that were open at the end of the day.",
    "opened": "Deals that were opened, with their first value.",
    "reopened": "Deals that were closed and are open again.",
    "moved_in": "Deals that came from another part.",
    "moved_out": "Deals that went to another part.",
    "revalued": "Open deals whose value was changed, by the change.",
    "won": "Deals that were won, with the value that they closed with.",
    "lost": "Deals that were lost, with the value that they closed with.",
    "withdrawn": "Deals that the source no longer has, with their last value.",
    "end": "Deals that were open at the end of the day.",
    "slipped": "Open deals whose expected close date was moved later, one row per time.",
}
_NAMED = (
    Column("lead_id", "Deal", link="/deals/{}"),
    Column("customer_name", "Customer", link="/customers/{}", link_by="customer_id"),
    Column("day", "Day", "day"),
    Column("owner", "Owner then"),
    Column("stage", "Stage then"),
)
_COLUMNS = (*_NAMED, Column("deal_value", "Value then", "money"), Column("value", "Counts as", "money"))
_PUSHES = (
    *_NAMED,
    Column("was_expected", "Expected close, before", "day"),
    Column("expected_close_date", "Expected close, after", "day"),
    Column("days", "Days", "number"),
    Column("deal_value", "Value", "money"),
)


def days(reading: Reading, params: Given) -> tuple[date, date]:
    """The two days of an address; by default the last day of the data and the one thirty days before it.

    Raises:
        BadRequestError: There is no history, or the days cannot be read, are in the wrong order, or are after the data.
    """
    last = _last_day(reading)
    if last is None:
        raise BadRequestError(words.say("no_changes"))
    read = parameters.checked(params, reading)
    end = date.fromisoformat(read.get("to") or last.isoformat())
    start = date.fromisoformat(
        read.get("from") or (end - timedelta(days=min(SPAN_DAYS, (end - date.min).days))).isoformat()
    )
    if end > last:
        raise BadRequestError(words.say("after_the_data", day=end, last=last))
    if start > end:
        raise BadRequestError(words.say("turned", first=start, last=end))
    if params.get("by") not in (None, *SPLITS):
        raise BadRequestError(words.say("no_such_split", name=params.get("by"), known=", ".join(SPLITS)))
    return start, end


def page(reading: Reading, params: Given) -> dict[str, Any]:
    """What the page shows; without history only the days and the split, all None."""
    if _last_day(reading) is None:
        return {"start": None, "end": None, "by": None}
    start, end = days(reading, params)
    by = params.get("by")
    whole, groups, slipped = reading.once(("changes", start, end, by), lambda: reading.answer(
        lambda cursor: (
            over_time.movement(cursor, start, end)[0],
            over_time.movement(cursor, start, end, (by,)) if by else [],
            over_time.slips(cursor, start, end)[0],
        )
    ))  # fmt: skip
    rows = [{"key": parameters.UNKNOWN if row[by] is None else str(row[by]), **row} for row in groups if by]
    parts = [
        part
        for part in PARTS
        if part in ("start", "end") or any(row[part] or row.get(f"{part}_deals") for row in (whole, *groups))
    ]
    base = Given((*((("by", by),) if by else ()), ("from", start.isoformat()), ("to", end.isoformat())))
    return {
        "start": start,
        "end": end,
        "by": by,
        "bars": _bars(whole, start, end),
        "parts": parts,
        "groups": reading.in_funnel(sorted(rows, key=lambda row: -row["end"]), by or ""),
        "whole": whole,
        "slipped": slipped,
        "base": base,
        "names": PARTS,
        "means": _MEANS,
        "presets": _presets(reading.last_day, by, start, end),
        "days": _history(reading, reading.last_day),
    }


def _last_day(reading: Reading) -> date | None:
    """The last day of the history of deals; None without a history."""
    last: date | None = reading.last_day
    return last if "gold.deal_changes" in reading.tables else None


def _history(reading: Reading, last: date) -> tuple[date, date]:
    """The first and the last day that may be shown."""
    first = reading.rows("select min(from_day) as day from gold.deal_changes")[0]["day"]
    return min(first or last, last), last


def _bars(whole: dict[str, Any], start: date, end: date) -> list[dict[str, Any]]:
    """The bars of the bridge: each starts where the one before ended; positions are shares of the whole width."""
    bars, at = [], 0.0
    for part in PARTS:
        value = float(whole[part])
        if part not in ("start", "end") and not value and not whole.get(f"{part}_deals"):
            continue
        begin = 0.0 if part in ("start", "end") else at
        at = value if part in ("start", "end") else at + value
        name = PARTS[part] + {"start": f" {start}", "end": f" {end}"}.get(part, "")
        kind = "total" if part in ("start", "end") else "up" if value >= 0 else "down"
        bars.append({"part": part, "name": name, "kind": kind, "value": whole[part], "low": min(begin, at), "high": max(begin, at),
                     "deals": whole.get(f"{part}_deals")})  # fmt: skip
    low, high = min(0.0, *(bar["low"] for bar in bars)), max(1.0, *(bar["high"] for bar in bars))
    return [
        {**bar, "x": (bar["low"] - low) / (high - low), "width": (bar["high"] - bar["low"]) / (high - low)}
        for bar in bars
    ]


def _presets(last: date | None, by: str | None, start: date, end: date) -> list[tuple[str, str, bool]]:
    """Spans of days to choose from: name, address, and whether the page shows it."""
    presets = []
    for name, span in parameters.presets(last).items():
        first, until = span.first - timedelta(days=1), min(span.last, last)  # type: ignore[operator, type-var]
        address = f"/changes{Given().query(by=by, from_=str(first), to=str(until))}"
        presets.append((name, address, (first, until) == (start, end)))
    return presets


def listed(reading: Reading, params: Given) -> Listing:
    """The steps behind a bar, or a cell of its split.

    Raises:
        BadRequestError: There is no such part.
    """
    start, end = days(reading, params)
    part, by, group = params.get("part") or "", params.get("by"), params.get("group")
    if part not in _MEANS:
        raise BadRequestError(words.say("no_such_step", name=part[:40], known=", ".join(_MEANS)))
    _needs_group(reading, part, start, end, by, group)
    columns: tuple[Column, ...]
    if part == "slipped":
        rows = reading.answer(lambda cursor: over_time.pushes(cursor, start, end))
        columns, totals = (
            _PUSHES,
            {"deal_value": sum(row["deal_value"] for row in rows), "days": sum(row["days"] for row in rows)},
        )
    else:
        wanted = (by, parameters.stored(group) or None) if by and group is not None else (None, None)
        rows = reading.answer(lambda cursor: over_time.steps(cursor, start, end, part, *wanted))
        columns, totals = _COLUMNS, {"value": sum(row["value"] for row in rows)}
    named = {
        row["lead_id"]: row
        for row in reading.rows(
            "select lead_id, customer_id, customer_name from gold.deals where lead_id in (select unnest(?))",
            [tuple(sorted({row["lead_id"] for row in rows}))],
        )
    }
    nobody = {"customer_id": None, "customer_name": None}
    name = {"start": f"Open on {start}", "end": f"Open on {end}", "slipped": "Slipped"}.get(part) or PARTS[part]
    asked = [("part", name), ("from the end of", str(start)), ("to the end of", str(end))]
    asked += [(by, group)] if by and group is not None else []
    return Listing(
        "changes", name, _MEANS[part], columns, [{**nobody, **named.get(row["lead_id"], {}), **row} for row in rows], totals,
        (*asked, ("as of", str(reading.last_day))),
    )  # fmt: skip


def _needs_group(reading: Reading, part: str, start: date, end: date, by: str | None, group: str | None) -> None:
    """Make sure that a group is one of the split's: rows of another would look as if there were none.

    Raises:
        BadRequestError: It is none, or nothing is split.
    """
    if group is None:
        return
    if by is None or part == "slipped":
        raise BadRequestError(words.say("not_split", part=part, group=group[:60]))
    groups = reading.once(
        ("changes by", start, end, by),
        lambda: reading.answer(lambda cursor: over_time.movement(cursor, start, end, (by,))),
    )
    if parameters.stored(group) not in {"" if row[by] is None else str(row[by]) for row in groups}:
        raise BadRequestError(words.say("no_such_group", name=group[:60], by=by.replace("_", " ")))
