"""What a CRM recorded, day by day, and its exports as of any of these days.

A world fills a `Crm`; `write` writes it as CSV, as one folder or as monthly deliveries, each with what was recorded
until then. Days are whole numbers from the first day on, seconds count from midnight.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

Columns = dict[str, np.ndarray]

#: Of one deal and as-of day. Probabilities are those of the process, given what the CRM had recorded by the end of
#: that day, `p_won_quarter` by the end of the quarter of the day after; `expected_close` is the mean day of the decision, won or lost, and its interval holds 80% of them.
TRUTH = (
    *("deal_id", "as_of", "p_won_90", "p_won_ever", "p_won_quarter", "expected_close", "close_p10", "close_p90"),
    *("amount", "owner"),
)


@dataclass
class Crm:
    """Everything recorded. One entry of `changes[name]` is (deal, day, value), in order of time."""

    first_day: date
    accounts: Columns
    products: list[dict[str, Any]]
    deals: Columns  # account, created, second and columns that never change
    touches: Columns  # account, deal (-1: none), day, second, recorded, and columns
    stages: Columns  # deal, day, second, stage
    changes: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=dict)
    closed: Columns = field(default_factory=dict)  # day (-1: never), second, won; of each deal


def ids(prefix: str, numbers: Iterable[int]) -> list[str]:
    """Keys as CRMs make them."""
    return [f"{prefix}{number:06d}" for number in numbers]


def load(kind: type, file: Path | None, **given: Any) -> Any:
    """Parameters of a world: the defaults, then a JSON file, then what was given. An unknown name is refused."""
    values = {} if file is None else json.loads(file.read_text(encoding="utf-8"))
    values |= {name: value for name, value in given.items() if value is not None}
    unknown = sorted(set(values) - {f.name for f in fields(kind)})
    if unknown:
        raise ValueError(f"Unknown parameters: {', '.join(unknown)}")
    return kind(**values)


def day_of(crm: Crm, day: date | str) -> int:
    """Number of a day."""
    return ((date.fromisoformat(day) if isinstance(day, str) else day) - crm.first_day).days


def quarter_end(day: date) -> date:
    """Last day of the calendar quarter."""
    month = (day.month - 1) // 3 * 3 + 3
    return (date(day.year, month, 28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def month_ends(first: date, last: date) -> list[date]:
    """Last days of months after `first`, up to and with `last`."""
    ends, day = [], first
    while day < last:
        end = (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
        ends.append(min(end, last))
        day = end + timedelta(days=1)
    return ends


def latest(crm: Crm, name: str, until: int, start: Any) -> np.ndarray:
    """Values of a changing column at the end of a day, of every deal."""
    deal, day, value = crm.changes[name]
    known = day <= until
    held = np.full(len(crm.deals["created"]), start, dtype=value.dtype if not isinstance(start, str) else object)
    held[deal[known]] = value[known]  # in order of time, so the last one stays
    return held


def touched_until(crm: Crm, until: int) -> np.ndarray:
    """Day on which each deal was last changed."""
    last = crm.deals["created"].copy()
    for deal, day, _ in crm.changes.values():
        known = day <= until
        np.maximum.at(last, deal[known], day[known])
    known = crm.stages["day"] <= until
    np.maximum.at(last, crm.stages["deal"][known], crm.stages["day"][known])
    closed = crm.closed["day"]
    return np.where((closed >= 0) & (closed <= until), np.maximum(last, closed), last)


class _Text:
    """Days and seconds as text."""

    def __init__(self, crm: Crm) -> None:
        self.days = [(crm.first_day + timedelta(days=n)).isoformat() for n in range(8000)]

    def day(self, days: np.ndarray) -> list[str]:
        return [self.days[n] if n >= 0 else "" for n in days.tolist()]

    def time(self, days: np.ndarray, seconds: np.ndarray) -> list[str]:
        return [
            f"{self.days[n]} {s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" if n >= 0 else ""
            for n, s in zip(days.tolist(), seconds.tolist(), strict=True)
        ]


def _save(path: Path, columns: dict[str, Sequence[Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def write_rows(path: Path, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A CSV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)


def write(crm: Crm, out: Path, until: date, deliveries: str = "one") -> list[Path]:
    """The exports of a day, in one folder, or in one folder per month with what was new in it (`monthly`)."""
    if deliveries == "one":
        _folder(crm, out, -1, day_of(crm, until))
        return [out]
    folders, before = [], -1
    for end in month_ends(crm.first_day, until):
        folders.append(out / end.isoformat())
        _folder(crm, folders[-1], before, day_of(crm, end))
        before = day_of(crm, end)
    return folders


def _folder(crm: Crm, out: Path, after: int, until: int) -> None:
    """What was recorded after one day and until another."""
    text = _Text(crm)
    accounts = crm.accounts
    new = np.flatnonzero((accounts["created"] > after) & (accounts["created"] <= until))
    _save(
        out / "accounts.csv",
        {
            "account_id": ids("A", new + 1),
            **{name: accounts[name][new].tolist() for name in accounts if name != "created"},
            "created_at": text.time(accounts["created"][new], np.full(len(new), 7 * 3600)),
        },
    )
    if after < 0:
        _save(out / "products.csv", {name: [p[name] for p in crm.products] for name in crm.products[0]})
    deals, last = crm.deals, touched_until(crm, until)
    of = np.flatnonzero((deals["created"] <= until) & (last > after))
    closed = (crm.closed["day"] >= 0) & (crm.closed["day"] <= until)
    columns: dict[str, Sequence[Any]] = {
        "deal_id": ids("D", of + 1),
        "account_id": ids("A", deals["account"][of] + 1),
        "product_id": ids("P", deals["product"][of] + 1),
        **{n: deals[n][of].tolist() for n in deals if n not in ("account", "product", "created", "second")},
        "status": np.where(closed, np.where(crm.closed["won"], "won", "lost"), "open")[of].tolist(),
        "currency": ["USD"] * len(of),
    }
    for name in crm.changes:
        held = latest(crm, name, until, "" if crm.changes[name][2].dtype.kind in "OU" else -1)[of]
        columns[name] = text.day(held) if name == "expected_close_date" else held.tolist()
    stage = np.full(len(deals["created"]), "", dtype=object)
    known = crm.stages["day"] <= until
    stage[crm.stages["deal"][known]] = crm.stages["stage"][known]
    stage = np.where(closed, np.where(crm.closed["won"], "closed_won", "closed_lost"), stage)
    columns["stage"] = stage[of].tolist()
    columns["created_at"] = text.time(deals["created"][of], deals["second"][of])
    ended = np.where(closed, crm.closed["day"], -1)[of]
    columns["closed_at"] = text.time(ended, crm.closed["second"][of])
    at_close = last[of] == ended
    later = np.where(last[of] > deals["created"][of], 17 * 3600, deals["second"][of])
    columns["updated_at"] = text.time(last[of], np.where(at_close, crm.closed["second"][of], later))
    _save(out / "deals.csv", columns)

    touches = crm.touches
    of = np.flatnonzero((touches["recorded"] > after) & (touches["recorded"] <= until))
    fixed = ("account", "deal", "day", "second", "recorded")
    _save(
        out / "interactions.csv",
        {
            "interaction_id": ids("I", of + 1),
            "account_id": ids("A", touches["account"][of] + 1),
            "deal_id": [f"D{n + 1:06d}" if n >= 0 else "" for n in touches["deal"][of].tolist()],
            **{name: touches[name][of].tolist() for name in touches if name not in fixed},
            "occurred_at": text.time(touches["day"][of], touches["second"][of]),
            "logged_on": text.day(touches["recorded"][of]),
        },
    )
    stages = crm.stages
    of = np.flatnonzero((stages["day"] > after) & (stages["day"] <= until))
    _save(
        out / "stage_history.csv",
        {
            "deal_id": ids("D", stages["deal"][of] + 1),
            "stage": stages["stage"][of].tolist(),
            "entered_at": text.time(stages["day"][of], stages["second"][of]),
        },
    )


def write_outcomes(crm: Crm, path: Path, until: date) -> None:
    """What came after a day: every deal that was open then or opened later, with how and when it ended."""
    text, at = _Text(crm), day_of(crm, until)
    closed = crm.closed["day"]
    of = np.flatnonzero((closed < 0) | (closed > at))
    ended = closed[of] >= 0
    _save(
        path,
        {
            "deal_id": ids("D", of + 1),
            "opened_on": text.day(crm.deals["created"][of]),
            "status": np.where(ended, np.where(crm.closed["won"][of], "won", "lost"), "open").tolist(),
            "closed_on": text.day(closed[of]),
            "deal_value": latest(crm, "deal_value", 10**6, -1)[of].tolist(),
        },
    )


def revenue(crm: Crm, first: date, last: date) -> float:
    """USD won from one day to another, both included, whether the deals were open before or not."""
    closed = crm.closed["day"]
    within = (closed >= day_of(crm, first)) & (closed <= day_of(crm, last)) & crm.closed["won"]
    return float(latest(crm, "deal_value", 10**6, -1)[within].sum())


def truth_rows(crm: Crm, of: np.ndarray, as_of: date, won: np.ndarray, lost: np.ndarray) -> list[tuple[Any, ...]]:
    """Rows of `TRUTH` from the cumulative chances of the next days, given as (days, deals)."""
    if not len(of):
        return []
    decided = won + lost
    share = decided / decided[-1]
    # Mean of the day of the decision: the sum of what is undecided before each day.
    mean = 1 + (1 - share).sum(axis=0)
    low, high = ((share < q).sum(axis=0) + 1 for q in (0.1, 0.9))
    day = day_of(crm, as_of)
    left = (quarter_end(as_of + timedelta(days=1)) - as_of).days  # on its last day the next quarter is meant
    quarter = won[left - 1]
    text = _Text(crm)
    return list(
        zip(
            ids("D", of + 1),
            [as_of.isoformat()] * len(of),
            *(np.round(p, 6).tolist() for p in (won[89], won[-1], quarter)),
            *(text.day(day + np.round(n).astype(int)) for n in (mean, low, high)),
            latest(crm, "deal_value", day, -1)[of].tolist(),
            (latest(crm, "owner", day, "") if "owner" in crm.changes else crm.deals["owner"])[of].tolist(),
            strict=True,
        )
    )


def as_of_days(first: date, last: date) -> list[date]:
    """The last day, and the ends of the twelve months before it."""
    ends = [day for day in month_ends(first, last) if day < last and (day - first).days > 120]
    return [*ends[-12:], last]


def arguments(parser: argparse.ArgumentParser) -> None:
    """What every world's command line takes."""
    parser.add_argument("--out", type=Path, required=True, help="folder to write; `export` holds the CSV files")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--accounts", type=int)
    parser.add_argument("--days", type=int)
    parser.add_argument("--until", type=date.fromisoformat, help="day of the export [default: the last]")
    parser.add_argument("--deliveries", choices=("one", "monthly"), default="one")
    parser.add_argument("--params", type=Path, help="JSON of further parameters")


def write_world(world: Any, given: argparse.Namespace) -> None:
    """Exports, `truth.csv`, `outcomes.csv` and `world.json`."""
    until = given.until or world.last
    write(world.crm, given.out / "export", until, given.deliveries)
    rows = [row for day in as_of_days(world.first, until) for row in world.truth(day)]
    write_rows(given.out / "truth.csv", TRUTH, rows)
    write_outcomes(world.crm, given.out / "outcomes.csv", until)
    (given.out / "world.json").write_text(json.dumps(asdict(world.params), indent=1) + "\n", encoding="utf-8")
