"""Whether a question stands by itself, or goes on from the one before it: the one rule of it.

A question stands by itself where it is understood without another one, says what it asks for and of which records, and has
no word for something before it. What goes on is

- what says so: `and`, `only`, `what about`, `too`;
- what has a word for something before it, and names nothing itself that this may stand for: `it`, `those`, `there`;
- what has no subject: a value, a time or a split alone;
- a fragment: a figure alone (`win rate?`), or records with one condition at most (`calls?`, `overdue deals?`), which leave
  open whose they are. With two (`deals won above 200k`) nothing is left open.
"""

from __future__ import annotations

from medallion.agent.planner.checking import Checking
from medallion.agent.planner.slots import Slots
from medallion.metrics.conditions import Test

#: Kinds of spans that say what is asked for, or when it was; not of what.
_NOUNS = (
    "metric", "entity", "kind", "outcome", "direction", "booked", "state", "field", "value", "number", "num", "ordinal", "newest",
    "oldest", "desc", "asc", "last", "this", "next", "unit", "month", "quarter", "today", "yesterday", "count", "amount", "total",
    "average", "median", "carry", "and", "only", "still", "too", "exists", "past", "else", "foremost", "thing",
    "gt", "ge", "lt", "le", "between", "or_more", "or_less", "currency", "magnitude",
)  # fmt: skip
#: Kinds of words for something before them.
_POINTING = (
    "they", "its", "person", "it", "unnamed", "ones", "ones_of", "more_of_it", "the_one", "row_of", "that_time", "else", "mates",
    "and_how",
)  # fmt: skip
#: Kinds of words that name what a word after them may stand for.
_NAMING = ("entity", "dim", "metric", "kind", "account", "deal", "people")
#: Kinds of words between what is named and a word that stands for it.
_JOINTS = ("and", "vs", "gt", "lt", "comma", "with", "who", "list")
#: So many conditions describe records whole; fewer leave open whose they are.
WHOLE = 2


class Standing(Checking):
    """Says whether the question that was read stands by itself."""

    def stands(self, slots: Slots) -> bool:
        """Whether it goes on from no other question."""
        says_so = slots.follows or slots.refers or slots.narrows or slots.against or slots.too or slots.picks
        says_so = says_so or slots.ones or slots.everyone or slots.further is not None
        asks = slots.metrics or slots.entity or slots.by or slots.about
        orders = slots.rank is not None and slots.rank.sorts and not asks
        alone = slots.restricted and slots.names_records_only  # for deals above 50k
        if says_so or orders or alone or not slots.has_subject or (slots.goal == "why" and not slots.metrics):
            return False
        whose = slots.by or slots.where or any(span.of("how", "compare") for span in self.spans)
        if slots.goal == "overview" and slots.versus and not whose:
            return False  # this month vs last month
        if self.names_no_records(slots):
            return False
        timeless = slots.is_of_quotas and not slots.times and not any(name.startswith("time:") for name in slots.by)
        return not (timeless or self.points_back() or self._leaves_open(slots))

    def names_no_records(self, slots: Slots) -> bool:
        """Whether it asks how much or how many are in some state or stage, and of no records: `how much is overdue`."""
        asks = slots.goal in ("amount", "count") and (slots.states or slots.where) and not slots.says_whose
        named = slots.metrics or slots.entity or slots.fields or slots.deed or slots.rank or slots.share or slots.times
        nouns = any(span.of("entity", "metric", "kind", "dim", "ourselves", "exists", "people") for span in self.spans)
        nouns |= any("pipeline" in span.text.casefold() for span in self.spans)  # how much is in the pipeline
        return bool(asks) and not (named or nouns)

    def points_back(self) -> bool:
        """Whether a word stands for something that the question itself does not name before it: `it`, `other deals?`."""
        others = any(isinstance(part, Test) and part.values == ("other",) for part in self.where)
        points = [place for place, span in enumerate(self.spans) if span.of(*_POINTING) and not self.is_article(place)]
        return self.they_brought() or (others and self.is_fragment()) or not all(map(self._named_before, points))

    def _named_before(self, place: int) -> bool:
        """Whether a clause before a place names what stands there: `which reps lost more deals than they won`."""
        for joint in range(1, place + 1):
            joins = self.spans[joint - 1].ends or (joint < place and self.spans[joint].of(*_JOINTS))
            if joins and any(span.of(*_NAMING) for span in self.spans[:joint]):
                return True
        own = (
            self.spans[place].of("they", "its")
            and place + 1 < len(self.spans)
            and self.spans[place + 1].of("field", "dim")
        )
        if own and any(span.of("entity") for span in self.spans[:place]):
            return True  # deals that closed after their expected close date
        return self.is_own_object(place)

    def _leaves_open(self, slots: Slots) -> bool:
        """Whether it is a figure or records of some kind, and does not say whose."""
        if slots.metrics and slots.metrics not in (("contacts",), ("touches",)):
            figures = [span for span in self.spans if span.of("metric", "field")]
            described = any(span.of("state") and [span] != figures for span in self.spans)  # average size of won deals
            return slots.is_figure_alone and not described and (self._is_of_nouns() or self.is_past())
        if self.rank and self.by and not (slots.metrics or slots.entity or slots.times or slots.where or slots.states):
            return True  # who made the fewest
        if not self.is_fragment() or slots.says_whose:
            return False
        return slots.conditions < (1 if slots.entity == "accounts" else WHOLE)

    def _is_of_nouns(self, *more: str) -> bool:
        """Whether nothing is said but what is asked for: no verb, nobody who does it."""
        return all(self.quiet(place) or span.of(*_NOUNS, *more) for place, span in enumerate(self.spans))

    def is_fragment(self) -> bool:
        """Whether nothing is said but what is asked for, not of what: `calls?`; a figure alone is a question of its own."""
        more: tuple[str, ...] = ("who", "yes_no", "be") if self.metrics == ["contacts"] else ()
        more += ("list", "yes_no", "be") if self.states and not (self.entity or self.metrics) else ()
        of_last = self.entity == "interactions" and self.rank is not None and self.rank.way in ("newest", "oldest")
        more += ("when", "yes_no", "be") if of_last else ()  # when was the last call
        if not self._is_of_nouns(*more):
            return False
        if any(span.of("ourselves") or (span.of("exists") and self.goal == "count") for span in self.spans):
            return False
        figure = self.metrics and self.metrics not in (["contacts"], ["touches"])
        return not figure or self.spans[-1].ends or self.follows
