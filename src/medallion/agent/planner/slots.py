"""What a question says, slot by slot, before it is put into the form of `Question`, `Records` or an intent."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from medallion.agent.planner.times import Time
from medallion.metrics.conditions import Condition, tests


@dataclass(frozen=True)
class Rank:
    """Which end of an order is asked for, and how many of it.

    Attributes:
        way: `desc`, `asc`, `best`, `worst`, `newest`, `oldest` or `likeliest`.
        count: How many; None where the question does not say.
        word: As it was said.
        several: Whether more than one is asked for, where no number is said.
    """

    way: str
    count: int | None = None
    word: str = ""
    several: bool = False

    @property
    def limit(self) -> int | None:
        """How many are asked for; None for all, in their order."""
        return self.count if self.count is not None or self.several else 1


@dataclass(frozen=True)
class Threshold:
    """A comparison with a number, of a column or of the figure asked for where none is named."""

    column: str
    op: str
    value: str
    money: bool = False
    percent: bool = False


@dataclass(frozen=True)
class About:
    """An account or a deal that a question names."""

    kind: str
    key: str
    name: str


@dataclass(frozen=True)
class Slots:
    """What a question says.

    Attributes:
        goal: What is wanted: `count`, `amount`, `average`, `median`, `list`, `when`, an intent, or nothing said.
        metrics: Metrics by name.
        fields: Columns that are asked for.
        entity: Of what: deals, accounts, interactions.
        states: States of the records, each with whether they are in it.
        where: Conditions; names are of words, which a view may have under another.
        times: Periods, in order.
        deed: What happens to deals in the period: `create`, `close`, `win`, `lose`, `due`, `move`.
        by: What to split by: a dimension, or a unit of time as `time:month`.
        rank: Which end of an order.
        thresholds: Comparisons with numbers.
        compare: `previous` or `year-ago`.
        versus: Whether two things are to be compared.
        turn: `up`, `down` or `change`: whether and how a figure moved.
        share: Whether a part of the whole is asked for.
        me: Whether it is about who asks.
        about: Accounts and deals that are named.
        yes_no: Whether it is answered by yes or no.
        silent: Days without a touch that are asked for.
    """

    goal: str = ""
    metrics: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    entity: str = ""
    states: tuple[tuple[str, bool], ...] = ()
    where: tuple[Condition, ...] = ()
    times: tuple[Time, ...] = ()
    deed: str = ""
    by: tuple[str, ...] = ()
    rank: Rank | None = None
    thresholds: tuple[Threshold, ...] = ()
    compare: str = ""
    versus: bool = False
    turn: str = ""
    share: bool = False
    me: bool = False
    about: tuple[About, ...] = ()
    yes_no: bool = False
    notes: tuple[str, ...] = field(default=(), compare=False)
    follows: bool = field(default=False, compare=False)
    past: bool = field(default=False, compare=False)

    @property
    def has_subject(self) -> bool:
        """Whether it says by itself what is asked for."""
        deed = self.deed and (self.by or self.rank or self.goal in ("amount", "count", "average", "median", "when"))
        amount = self.goal == "amount" and self.states
        return bool(self.metrics or self.entity or self.fields or self.about or self.goal in INTENTS or deed or amount)

    def carried(self, before: Slots) -> tuple[Slots, list[str]]:
        """This as a continuation of what was asked before, and what was taken over from it, in words."""
        told: dict[str, object] = {}
        kept: list[str] = []
        for name in ("goal", "metrics", "fields", "entity", "states", "where", "times", "deed", "by", "rank",
                     "thresholds", "compare", "turn", "share", "about", "me"):  # fmt: skip
            own, was = getattr(self, name), getattr(before, name)
            if own or not was:
                continue
            told[name] = was
            kept.append(name)
        if self.where and before.where:
            mine = {one for part in self.where for one in names_of(part)}
            rest = tuple(part for part in before.where if not mine & set(names_of(part)))
            told["where"] = (*rest, *self.where)
        if self.states and before.states:
            told["states"] = self.states
        if self.times and before.compare:
            told["compare"] = self.compare
        if self.by and before.rank and not self.rank:
            told["rank"] = None
        return replace(self, **told), kept  # type: ignore[arg-type]


#: Goals that need nothing else to be asked for.
INTENTS = ("plan", "forecast", "changed", "channels", "define", "brief", "score", "draft", "why")


def names_of(condition: Condition) -> list[str]:
    """What a condition is about."""

    return [one.name for one in tests(condition)]
