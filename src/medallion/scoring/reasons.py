"""Reasons for a deal and against it in plain words, most important first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from medallion.scoring.matrix import Floats
from medallion.scoring.signals import SEASON

Places = NDArray[np.int64]

#: Reasons given each way, and the least effect on the logarithm of the odds that is worth a word.
MOST, LEAST_EFFECT = 5, 0.015
_CALENDAR = frozenset(signal.name for signal in SEASON)


@dataclass(frozen=True)
class Phrase:
    """How a signal's value is put into words; `{}` stands for the value."""

    many: str
    one: str = ""
    zero: str = ""
    unknown: str = ""
    below: str = ""

    def of(self, values: pa.Array) -> pa.Array:
        """The words per row."""
        head, tail = self.many.split("{}") if "{}" in self.many else (self.many, "")
        number = pa.types.is_integer(values.type) or pa.types.is_floating(values.type)
        shown = pc.round(values, ndigits=1) if pa.types.is_floating(values.type) else values
        text = shown.cast(pa.string())
        words = pc.binary_join_element_wise(head, text, tail, "") if "{}" in self.many else _always(head, len(values))
        if number and self.one:
            words = pc.if_else(pc.equal(shown, 1), self.one, words)
        if number and self.below:
            words = pc.if_else(pc.less(values, 0), self.below, words)
        if number and self.zero:
            words = pc.if_else(pc.equal(values, 0), self.zero, words)
        return pc.if_else(values.is_null(), self.unknown, words)


def _always(text: str, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(text), count)


PHRASES: dict[str, Phrase] = {
    "lead_score": Phrase("Rule score of {}"),
    "source": Phrase("Source: {}", unknown="Source unknown"),
    "days_open": Phrase("Open for {} days", "Open for 1 day", "Opened today", "Opening date unknown"),
    "industry": Phrase("Industry: {}", unknown="Industry unknown"),
    "country": Phrase("Country: {}", unknown="Country unknown"),
    "size_band": Phrase("Company size: {}", unknown="Company size unknown"),
    "employee_count": Phrase("{} employees", "1 employee", unknown="Number of employees unknown"),
    "account_age_days": Phrase("Account known for {} days", unknown="Age of the account unknown"),
    "touches_30d": Phrase("{} touches in 30 days", "1 touch in 30 days", "No touch in 30 days"),
    "touches_90d": Phrase("{} touches in 90 days", "1 touch in 90 days", "No touch in 90 days"),
    "touches_365d": Phrase("{} touches in a year", "1 touch in a year", "No touch in a year"),
    "positive_365d": Phrase("{} positive touches in a year", "1 positive touch in a year", "No positive touch in a year"),
    "negative_365d": Phrase("{} negative touches in a year", "1 negative touch in a year", "No negative touch in a year"),
    "unanswered_365d": Phrase(
        "{} unanswered touches in a year", "1 unanswered touch in a year", "No unanswered touch in a year"
    ),
    "days_since_touch": Phrase("Last touch {} days ago", "Last touch 1 day ago", "Touched today", "No touch in a year"),
    "days_since_positive": Phrase(
        "Last positive touch {} days ago", "Last positive touch 1 day ago", "Positive touch today",
        "No positive touch in a year",
    ),
    "deal_touches": Phrase("{} touches about this deal", "1 touch about this deal", "No touch about this deal"),
    "deal_touches_30d": Phrase(
        "{} touches about this deal in 30 days", "1 touch about this deal in 30 days",
        "No touch about this deal in 30 days",
    ),
    "days_since_deal_touch": Phrase(
        "Last touch about this deal {} days ago", "Last touch about this deal 1 day ago",
        "Touched about this deal today", "No touch about this deal",
    ),
    "deal_meetings_booked": Phrase("Meeting booked over this deal", zero="No meeting booked over this deal"),
    "deal_positive": Phrase("Positive answers over this deal", zero="No positive answer over this deal"),
    "deal_neutral": Phrase("Neutral answers over this deal", zero="No neutral answer over this deal"),
    "deal_negative": Phrase("Negative answers over this deal", zero="No negative answer over this deal"),
    "deal_meetings": Phrase("Meetings held over this deal", zero="No meeting held over this deal"),
    "deal_calls": Phrase("Calls over this deal", zero="No call over this deal"),
    "account_closed": Phrase("{} deals closed before", "1 deal closed before", "No deal closed before"),
    "account_open": Phrase("{} other open deals", "1 other open deal", "No other open deal"),
    "account_win_lift": Phrase(
        "Account buys more often than others", zero="No earlier deal of the account tells",
        below="Account buys less often than others",
    ),
    "owner_win_lift": Phrase(
        "Owner wins more often than others", zero="Owner wins as often as others",
        below="Owner wins less often than others", unknown="Owner unknown",
    ),
    "stage": Phrase("Stage: {}", unknown="Stage unknown"),
    "days_in_stage": Phrase("In its stage for {} days", "In its stage for 1 day", "Entered its stage today", "Stage unknown"),
    "stage_moves": Phrase("Entered {} stages", "Entered 1 stage", unknown="No stage change known"),
    "season_cos": Phrase("Time of year"),
    "season_sin": Phrase("Time of year"),
    "half_season_cos": Phrase("Time of year"),
    "half_season_sin": Phrase("Time of year"),
}  # fmt: skip


def reasons(rows: pa.Table | pa.RecordBatch, names: list[str], effects: Floats) -> tuple[pa.Array, pa.Array]:
    """Lists of text per row: reasons for the deal, and reasons against it, at most five each; the calendar is none.

    Args:
        rows: Snapshots.
        names: Signals, in the order of the columns of `effects`.
        effects: What each signal adds to the logarithm of the odds.
    """
    effects = np.where([name in _CALENDAR for name in names], 0.0, effects)
    order = np.argsort(-effects, axis=1)
    most = min(MOST, len(names))
    best, worst = order[:, :most], order[:, ::-1][:, :most]
    up = np.take_along_axis(effects, best, axis=1) >= LEAST_EFFECT
    down = np.take_along_axis(effects, worst, axis=1) <= -LEAST_EFFECT
    told = np.concatenate([best[up], worst[down]])
    of = np.concatenate([np.nonzero(up)[0], np.nonzero(down)[0]])
    texts = _texts(rows, names, told, of)
    here = int(up.sum())
    return _lists(texts.slice(0, here), up), _lists(texts.slice(here), down)


def _texts(rows: pa.Table | pa.RecordBatch, names: list[str], told: Places, of: Places) -> pa.Array:
    """A text for each pair of a signal's place and a row's; only these are put into words."""
    by_signal = np.argsort(told, kind="stable")
    ends = np.cumsum(np.bincount(told, minlength=len(names)))
    parts = [pa.array([], pa.string())]
    for name, pairs in zip(names, np.split(by_signal, ends[:-1]), strict=True):
        if len(pairs):
            chosen = _whole(rows.column(name)).take(pa.array(of[pairs])).dictionary_encode("encode")
            words = PHRASES[name].of(chosen.dictionary).cast(pa.string())
            parts.append(words.take(chosen.indices))
    back = np.empty_like(by_signal)
    back[by_signal] = np.arange(len(by_signal))
    return pa.concat_arrays(parts).take(pa.array(back))


def _lists(texts: pa.Array, chosen: NDArray[np.bool_]) -> pa.Array:
    offsets = np.concatenate([[0], np.cumsum(chosen.sum(axis=1))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), texts)


def _whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


__all__ = ["PHRASES", "Phrase", "reasons"]
