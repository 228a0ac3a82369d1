"""Reasons for a deal and against it in plain words, most important first: by what a rep sees or does, not by signal."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import reduce
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from medallion.scoring.matrix import Floats
from medallion.scoring.signals import SEASON, Own

Places = NDArray[np.int64]

#: Reasons given each way, and the least effect on the logarithm of the odds that is worth a word.
MOST, LEAST_EFFECT = 3, 0.015
_CALENDAR = frozenset(signal.name for signal in SEASON)


@dataclass(frozen=True)
class Phrase:
    """How a signal's value is put into words; `{}` stands for the value. A `silent` one says nothing of 0."""

    many: str
    one: str = ""
    zero: str = ""
    unknown: str = ""
    below: str = ""
    silent: bool = False

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
        if number and self.silent:
            words = pc.if_else(pc.equal(values, 0), "", words)
        return pc.if_else(values.is_null(), self.unknown, words)


def _always(text: str, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(text), count)


PHRASES: dict[str, Phrase] = {
    "lead_score": Phrase("Rule score of {}"),
    "source": Phrase("Source: {}", unknown="Source unknown"),
    "product": Phrase("Product: {}", unknown="No product named"),
    "amount_at_entry": Phrase("First value: {}", unknown="No value at first", zero="First value: 0"),
    "owner": Phrase("Owner: {}", unknown="Owner unknown"),
    "days_overdue": Phrase(
        "Expected close {} days overdue", "Expected close 1 day overdue", "Expected close not overdue",
        "Expected close unknown",
    ),
    "days_to_close_date": Phrase(
        "Expected to close in {} days", "Expected to close in 1 day", "Expected close reached", "Expected close unknown"
    ),
    "close_date_pushes": Phrase(
        "Expected close pushed {} times", "Expected close pushed once", "Expected close never pushed",
        "Expected close unknown",
    ),
    "days_open": Phrase("Open for {} days", "Open for 1 day", "Opened today", "Opening date unknown"),
    "industry": Phrase("Industry: {}", unknown="Industry unknown"),
    "country": Phrase("Country: {}", unknown="Country unknown"),
    "size_band": Phrase("Company size: {}", unknown="Company size unknown"),
    "segment": Phrase("Segment: {}", unknown="Segment unknown"),
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
    "deal_people": Phrase(
        "{} contacts took part in this deal", "1 contact took part in this deal", "No contact took part in this deal"
    ),
    "deal_trend": Phrase(
        "More touches about this deal than a month ago", zero="As many touches about this deal as a month ago",
        below="Fewer touches about this deal than a month ago",
    ),
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


def phrases(own: Collection[Own] = ()) -> dict[str, Phrase]:
    """The words of each signal, those of a contract by their label."""
    words = {
        signal.name: Phrase(
            f"{signal.label}: {{}}{' days away' if signal.is_time else ''}", unknown=f"{signal.label} unknown"
        )
        for signal in own
    }
    return {**PHRASES, **words}


@dataclass(frozen=True)
class Group:
    """What a rep sees or does as one thing: signals whose effects are added up, and the words for them.

    Attributes:
        signals: Those that belong together.
        says: Signals that are put into words, in order; an empty text is left out.
        won: What is said of deals that were won, with their medians; left out where one of these is not known.
    """

    signals: tuple[str, ...]
    says: tuple[tuple[str, Phrase], ...]
    won: str = ""

    def contrast(self, typical: Mapping[str, float]) -> str:
        """What is said of deals that were won."""
        try:
            return (
                f"; deals that were won: {self.won.format_map({k: f'{v:g}' for k, v in typical.items()})}"
                if self.won
                else ""
            )
        except KeyError:
            return ""


_AGO = Phrase("last {} days ago", "last 1 day ago", "last today")
GROUPS: tuple[Group, ...] = (
    Group(
        ("deal_touches", "deal_touches_30d", "days_since_deal_touch", "deal_trend", "deal_calls"),
        (("deal_touches", PHRASES["deal_touches"]), ("days_since_deal_touch", _AGO)),
        "{deal_touches}, last {days_since_deal_touch} days ago",
    ),
    Group(
        ("deal_positive", "deal_neutral", "deal_negative"),
        (
            ("deal_positive", Phrase("Answers over this deal of late: {} positive")),
            ("deal_neutral", Phrase("{} neutral")),
            ("deal_negative", Phrase("{} negative")),
        ),
        "{deal_positive} positive, {deal_neutral} neutral, {deal_negative} negative",
    ),
    Group(
        ("deal_meetings_booked", "deal_meetings"),
        (
            ("deal_meetings_booked", Phrase("Meetings over this deal of late: {} booked")),
            ("deal_meetings", Phrase("{} held")),
        ),
        "{deal_meetings_booked} booked, {deal_meetings} held",
    ),
    Group(("deal_people",), (("deal_people", PHRASES["deal_people"]),), "{deal_people}"),
    Group(
        (
            *("touches_30d", "touches_90d", "touches_365d", "positive_365d", "negative_365d", "unanswered_365d"),
            *("days_since_touch", "days_since_positive"),
        ),
        (
            ("touches_90d", Phrase("{} touches of the account in 90 days", "1 touch of the account in 90 days", "No touch of the account in 90 days")),
            ("days_since_touch", _AGO),
            ("positive_365d", Phrase("{} positive in a year")),
        ),
        "{touches_90d}, last {days_since_touch} days ago, {positive_365d} positive",
    ),
    Group(("days_open",), (("days_open", PHRASES["days_open"]),), "{days_open} days"),
    Group(
        ("stage", "days_in_stage", "stage_moves"),
        (("stage", PHRASES["stage"]), ("days_in_stage", Phrase("for {} days", "for 1 day", "since today"))),
    ),
    Group(
        ("days_overdue", "days_to_close_date", "close_date_pushes"),
        (
            ("days_overdue", Phrase("Expected close {} days overdue", "Expected close 1 day overdue", unknown="Expected close unknown", zero="Expected close ahead")),
            ("close_date_pushes", Phrase("pushed {} times", "pushed once", "never pushed")),
        ),
    ),
    Group(
        ("industry", "country", "size_band", "segment", "employee_count", "account_age_days"),
        (
            ("industry", Phrase("Account: {}", unknown="Account of unknown industry")),
            ("size_band", Phrase("size {}")),
            ("country", Phrase("{}")),
        ),
    ),
    Group(
        ("account_closed", "account_open", "account_win_lift"),
        (("account_closed", PHRASES["account_closed"]), ("account_win_lift", Phrase("wins above the average", below="wins below the average", silent=True))),
    ),
    Group(("owner", "owner_win_lift"), (("owner", PHRASES["owner"]),)),
)  # fmt: skip
#: Signals whose median among won deals is told beside that of a deal.
CONTRASTED = tuple(
    dict.fromkeys(name for group in GROUPS for name, _ in group.says if f"{{{name}}}" in group.won)
)  # fmt: skip


def typical(rows: pa.Table) -> dict[str, float]:
    """Medians of the signals that reasons compare with, of snapshots whose deal was won within the horizon."""
    won = rows.filter(pc.equal(rows["won"], 1))
    medians = {name: pc.quantile(won[name], 0.5)[0].as_py() for name in CONTRASTED}
    return {name: round(float(value), 1) for name, value in medians.items() if value is not None}


def reasons(
    rows: pa.Table | pa.RecordBatch,
    names: list[str],
    effects: Floats,
    own: Collection[Own] = (),
    typical: Mapping[str, float] = MappingProxyType({}),
) -> tuple[pa.Array, pa.Array]:
    """Lists of text per row: reasons for the deal, and reasons against it, at most `MOST` each; the calendar is none.

    Signals that are one thing to a rep are one reason, on the side on which they lie together, so that no deal has the
    same thing for and against it.

    Args:
        rows: Snapshots.
        names: Signals, in the order of the columns of `effects`.
        effects: What each signal adds to the logarithm of the odds.
        own: Signals of a contract among them.
        typical: Medians of won deals, as `typical` gives them.
    """
    groups = _groups(names, phrases(own))
    place = {name: column for column, name in enumerate(names)}
    sums = np.stack(
        [effects[:, [place[name] for name in group.signals if name in place]].sum(axis=1) for group in groups], axis=1
    ) if groups else np.zeros((len(effects), 0))  # fmt: skip
    order = np.argsort(-sums, axis=1)
    most = min(MOST, len(groups))
    best, worst = order[:, :most], order[:, ::-1][:, :most]
    up = np.take_along_axis(sums, best, axis=1) >= LEAST_EFFECT
    down = np.take_along_axis(sums, worst, axis=1) <= -LEAST_EFFECT
    places = np.concatenate([best[up], worst[down]])
    of = np.concatenate([np.nonzero(up)[0], np.nonzero(down)[0]])
    texts = _texts(rows, groups, places, of, typical)
    count_up = int(up.sum())
    return _lists(texts.slice(0, count_up), up), _lists(texts.slice(count_up), down)


def _groups(names: list[str], words: Mapping[str, Phrase]) -> list[Group]:
    """The groups that a model has signals of; a signal that is in none is one by itself."""
    there = {*names}
    grouped = {name for group in GROUPS for name in group.signals}
    alone = [Group((name,), ((name, words[name]),)) for name in names if name not in grouped | _CALENDAR]
    return [*(group for group in GROUPS if there & {*group.signals}), *alone]


def _texts(
    rows: pa.Table | pa.RecordBatch, groups: list[Group], places: Places, of: Places, typical: Mapping[str, float]
) -> pa.Array:
    """A text for each pair of a group's place and a row's; only these are put into words."""
    by_group = np.argsort(places, kind="stable")
    ends = np.cumsum(np.bincount(places, minlength=len(groups)))
    parts = [pa.array([], pa.string())]
    for group, pairs in zip(groups, np.split(by_group, ends[:-1]), strict=True):
        if len(pairs):
            parts.append(_of_group(rows, group, pa.array(of[pairs]), group.contrast(typical)))
    back = np.empty_like(by_group)
    back[by_group] = np.arange(len(by_group))
    return pa.concat_arrays(parts).take(pa.array(back))


def _of_group(rows: pa.Table | pa.RecordBatch, group: Group, which: pa.Array, contrast: str) -> pa.Array:
    """The words of a group for some rows; null where nothing is known of it."""
    parts = []
    for name, phrase in group.says:
        chosen = _whole(rows.column(name)).take(which).dictionary_encode("encode")
        words = phrase.of(chosen.dictionary).cast(pa.string())
        parts.append(
            pc.replace_with_mask(words, pc.equal(words, ""), pa.scalar(None, pa.string())).take(chosen.indices)
        )
    # joining leaves a row of nothing but nulls out, which would move the texts of the rows after it
    nothing = reduce(pc.and_, (part.is_null() for part in parts))
    parts[0] = pc.if_else(nothing, "", parts[0])
    whole = pc.binary_join_element_wise(*parts, ", ", null_handling="skip") if len(parts) > 1 else parts[0]
    whole = pc.binary_join_element_wise(whole, contrast, "") if contrast else whole
    return pc.if_else(nothing, pa.scalar(None, pa.string()), whole)


def _lists(texts: pa.Array, chosen: NDArray[np.bool_]) -> pa.Array:
    """The texts that there are, as a list per row."""
    of_rows = np.nonzero(chosen)[0][texts.is_valid().to_numpy(zero_copy_only=False)]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(of_rows, minlength=len(chosen)))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), texts.drop_null())


def _whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


__all__ = ["CONTRASTED", "GROUPS", "PHRASES", "Group", "Phrase", "phrases", "reasons", "typical"]
