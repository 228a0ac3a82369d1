"""How a question measures."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

from medallion.agent.planner.banding import Banding
from medallion.agent.planner.lexer import Span
from medallion.agent.planner.lexicon import Sense, folded, lexicon, meanings, plain_words
from medallion.agent.planner.marking import RANKS, Unclear
from medallion.agent.planner.slots import OF_DEED, Rank, Slots
from medallion.agent.planner.times import Time
from medallion.metrics import periods
from medallion.metrics.conditions import And, Test

_CONVERSION = Sense("metric", "conversion_rate")
#: A measure beside another: the average value, how many on average.
_MEASURED = {("amount", "average"), ("count", "average"), ("amount", "median"), ("average", "median")}


_LEFT = (
    "which stage deals have left is not read, only the one that they came to",
    "which deals moved to Negotiation this month?",
)
#: How many are few.
FEW = 5
#: Of which unit a written time is.
_UNIT_OF = {
    "year": r"ytd|(?:last|this|next) year|\d{4}", "quarter": r"qtd|(?:last|this|next) quarter|\d{4}-Q\d",
    "month": r"mtd|(?:last|this|next) month|\d{4}-\d\d", "week": r"wtd|(?:last|this|next) week|\d{4}-W\d\d",
    "day": r"today|yesterday|tomorrow|\d{4}-\d\d-\d\d",
}  # fmt: skip


def _in_words(text: str) -> str:
    """A period as a question says it.

    >>> _in_words("2025-12"), _in_words("2025-07-01 to 2025-12-31")
    ('in 2025-12', 'from 2025-07-01 to 2025-12-31')
    """
    return f"from {text}" if " to " in text else f"in {text}"


def unit_of(text: str) -> str | None:
    """The unit of time that a period is; None where it is none.

    >>> unit_of("2025-Q2"), unit_of("last month"), unit_of("since 2025-06-01")
    ('quarter', 'month', None)
    """
    return next((unit for unit, form in _UNIT_OF.items() if re.fullmatch(form, text)), None)


class Measuring(Banding):
    """Reads how a question measures: orders, comparisons, states, numbers and shares, splits, and what happens to deals."""

    def _per_record(self) -> None:
        """A number of one thing per record of another: contacts per deal, touches per won deal."""
        for place in self.places("by"):
            at = self.near(place, 1, over=("state",))
            record = self.has(at, "entity", "metric") if at < len(self.spans) else None
            for before in self.places("metric", "entity"):
                sense = self.has(before, "metric", "entity")
                of = meanings()["per"].get({"interactions": "touches"}.get(sense.name, sense.name) if sense else "", {})
                states = [state for state, is_in in self.states if is_in]
                metric = of.get(".".join([record.name, *states])) if record and before < place else None
                if metric:
                    self.metrics.append(str(metric))
                    self.states = []
                    self.use(place, before, at)
                    self.take("average", "count")
                    return

    def _passed(self) -> None:
        """`conversion from proposal to negotiation`: two stages, the second one after the first."""
        if self.places("count", "share") or any(span.of("metric") == _CONVERSION for span in self.spans):
            for place in self.places("to"):
                before, after = self.near(place, -1), self.near(place, 1)
                first = next((sense.value for sense in self._stage_at(before)), "")
                then = next((sense.value for sense in self._stage_at(after)), "")
                if not then and (state := self.has(after, "state")) and state.name == "won":
                    then = "won"
                moved = any(self._says(at, "verb", "move") for at in range(len(self.spans)))
                if first and then and first != then and not moved:
                    self.passage = (first, then)
                    lead = self.near(before, -1)
                    self.use(before, place, after, *([lead] if self.has(lead, "from") else []))
                    self.use(*[at for at in self.places("verb") if self._says(at, "verb", "get")])
                    self.use(*[at for at in self.places("metric") if self.has(at, "metric") == _CONVERSION])
                    self.use(
                        *[at for at in self.places("entity") if self.has(at, "entity") == Sense("entity", "deals")]
                    )
                    self.take("count", "share")
                    return

    def _who_did(self) -> None:
        """`who called most, Ben or Carla`: those who did it are ranked by how often they did."""
        ranked = self.places("desc", "asc", "more", "fewer")
        if not self.places("who") or not ranked or self.places("metric", "entity", "kind", "not", "no", "never"):
            return
        done = self.places("done")
        if len(done) != 1:
            return
        (place,) = done
        name = self.spans[place].all("done")[0].name
        to_us = self._reaches_us(place)
        self.spans[place].senses = (Sense("kind", name),)
        if to_us:  # who called us most
            self.by.append("customer_name")
            self.use(*self.places("who"))
            self.where += [Test("direction", "=", ("inbound",))] if name in ("call", "email") else []
        elif name in ("call", "email"):
            self.where.append(Test("direction", "=", ("outbound",)))
        self.goal = "count"

    def _reaches_us(self, place: int) -> bool:
        """Whether the touch at a place is one of theirs to us."""
        raise NotImplementedError

    def _picked_up(self) -> None:
        """`how often do people pick up when we call`: the share of our calls that did not end without an answer."""
        places = self.places("picks_up")
        if len(places) != 1 or any(span.of("value", "account", "deal") for span in self.spans):
            return
        self.share, self.entity = True, "interactions"
        self.where += [Test("channel", "=", ("call",)), Test("direction", "=", ("outbound",))]
        self.where.append(And((Test("outcome", "!=", ("no_answer",)), Test("outcome", "known"))))
        self.use(*places)

    def _stage_at(self, place: int) -> list[Sense]:
        if not 0 <= place < len(self.spans) or self.spans[place].used:
            return []
        return [sense for sense in self.spans[place].all("value") if sense.name == "stage"]

    def _ranked(self) -> None:
        """Which end of an order: `top 5`, `the three biggest`, `most`, `latest`; `last 5 deals`."""
        for place in self.places("order"):
            way = self.has(place, "order")
            self.rank = Rank(way.name if way else "desc", None, self.spans[place].text, several=True)
            self.use(place)
        for place in self.places("sorted"):
            by = self.near_word(self.near(place, -1), -1, over=("field", "metric"))
            if self.has(by, "by"):  # nach Wert sortiert
                self.spans[by].senses = (Sense("sort"),)
                self.use(place)
        for place in self.places("sort") if not self.places(*RANKS) else ():
            if self.rank is None:
                self.rank = Rank(
                    "asc" if self.take("order") or self.take("asc") else "desc",
                    None,
                    self.spans[place].text,
                    several=True,
                    sorts=True,
                )
                self.follows |= all(map(self.quiet, range(place)))  # sort by win rate: the answer before
                self.use(place)
        self._latest()
        for place in self.places("more", "fewer"):
            if len(self.times) > 1 and not self.contrast:
                self.contrast = "fewer" if self.has(place, "fewer") else "more"
                self.versus = True
                self.use(place)
        if self.rank is None and (furthest := self.places("furthest")):
            self.rank = Rank("furthest", None, self.spans[furthest[0]].text)  # along the stages
            self.use(*furthest, *[place + 1 for place in furthest if self.has(place + 1, "it")])
            self.take("the_one")
        for place in self.places(*RANKS, "last"):
            way = self.has(place, *RANKS, "last")
            if way is None:
                continue
            first = self.has(place + 1, "foremost") is not None and self._count(place) is None
            if (
                self.rank is not None
                and self.rank.several
                and way.kind in (self.rank.way, "best")
                and self.rank.way == "desc"
            ):
                self.use(place, *([place + 1] if first else []))  # rank the best
                continue
            if first and (self.rank is None or self.rank.several):
                self.rank = Rank(way.kind, None, f"{self.spans[place].text} {self.spans[place + 1].text}", several=True,
                    sized=self.spans[place].of("sized") is not None,
                )  # fmt: skip
                self.use(place, place + 1)  # rank reps by win rate, worst first
                continue
            if way.kind == "last":
                at = place + 1
                count = self._count(at)
                noun = (
                    self.near(at if count is not None else place, 1, over=("state",))
                    if count is None
                    else self.near(at, 1, over=("state",))
                )
                if not self.has(noun, "entity", "kind"):
                    continue
                if self.rank is not None:
                    raise Unclear(f"{self.rank.word!r} and {self.spans[place].text!r}: ask for one order at a time")
                self.rank = Rank("newest", count or 1, self.spans[place].text)
                self.use(place, *([at] if count is not None else []))
                continue
            count, counted = None, []
            before = self.near(place, -1, over=("entity", "state"))  # los 3 negocios más grandes
            for at in (place + 1, place - 1, before):
                if self._count(at) is not None:
                    count, counted = self._count(at), [at]
                    break
            if self.rank is not None and self.rank.way == way.kind == "desc" and self._leads_on(place):
                self.rank = replace(  # top 5 longest
                    self.rank,
                    sized=self.spans[place].of("sized") is not None,
                    lasts=self.spans[place].of("lasts") is not None,
                )
                self.use(place)
                continue
            if self.rank is not None and self._other_end(place, way.kind):
                self.rank = replace(self.rank, count=self.rank.count or count)
                if count not in (None, self.rank.count):
                    raise Unclear("a different number for each end: ask for one of them at a time")
                self.use(place, *counted)
                continue
            if self.rank is not None:
                raise Unclear(f"{self.rank.word!r} and {self.spans[place].text!r}: ask for one order at a time")
            if count is not None and count < 1:
                raise Unclear(f"{self.spans[place].text} {count} is none")
            self.rank = Rank(
                way.kind,
                count,
                self.spans[place].text,
                sized=self.spans[place].of("sized") is not None,
                lasts=self.spans[place].of("lasts") is not None,
            )
            if self.spans[place].of("often"):
                self.goal = "count"  # which industry do we lose in most often
            self.use(place, *counted)
            lead = self.near(place, -1)
            if self.has(lead, "with"):
                self.use(lead)  # the country with the least revenue
        if self.rank is None:
            self._further()
            return
        for place in self.places("enough"):  # five is enough
            count = self._count(place - 1)
            if count is not None and self.rank.count is None:
                self.rank = replace(self.rank, count=count)
                self.use(place - 1, place)
        if self.rank.count is None and self.take("just_one"):
            self.rank = replace(self.rank, count=1)
        self._nth()
        if self.rank.count is None:
            for place in range(len(self.spans) - 1):  # les trois commerciaux avec le plus gros pipeline
                count = self._count(place) if self.has(place + 1, "dim", "entity") else None
                if count is not None and self.rank.count is None:
                    self.rank = replace(self.rank, count=count)
                    self.use(place)
        if self.rank.count is None and (lists := self.places("list", "count")):
            for place in lists:  # which 3 owners have the highest revenue
                if (count := self._count(place + 1)) is not None:
                    self.rank = Rank(self.rank.way, count, self.rank.word)
                    self.use(place + 1)

    def _leads_on(self, place: int) -> bool:
        """Whether another word for the same end of the order and its number stand right before a place."""
        at = place - 1
        while at >= 0 and self.spans[at].used and self.spans[at].of("number", "num"):
            at -= 1
        return at >= 0 and self.spans[at].used and self.spans[at].text.casefold() == "top"

    def _in_stage_longest(self) -> None:
        """`in negotiation the longest`: by the days in that stage, not by those since opening."""
        stages = [at for at, span in enumerate(self.spans) if span.used and self._is_stage(span)]
        ranks = [at for at, span in enumerate(self.spans) if span.used and span.of("lasts")]
        if len(stages) != 1 or len(ranks) != 1 or not (self.rank and self.rank.lasts):
            return
        first, last = sorted((stages[0], ranks[0]))
        if all(self.quiet(at) or self.spans[at].of("from") for at in range(first + 1, last)):
            self.fields.append("days_in_stage")

    def _other_end(self, place: int, way: str) -> bool:
        """Whether a word for the other end of the order stands after the first one: `best and worst`; uses what joins them."""
        ends = ({"best", "worst"}, {"desc", "asc"}, {"newest", "oldest"})
        last = max((at for at in range(place) if self.spans[at].used and self.spans[at].of(*RANKS)), default=-1)
        joints = [at for at in range(last + 1, place) if self.has(at, "and")]
        between = (
            self.quiet(at) or at in joints or self.spans[at].of("number", "num") for at in range(last + 1, place)
        )
        if (
            self.rank is None
            or self.other_way
            or {self.rank.way, way} not in ends
            or len(joints) != 1
            or not all(between)
        ):
            return False
        self.other_way = way
        self.use(*joints)
        return True

    def _latest(self) -> None:
        """When something was done last: `when did we last meet them`, `the last time we called`, `zuletzt telefoniert`."""
        kinds = [(place, sense) for place in self.places("latest") if (sense := self.has(place, "latest"))]
        lastly = self.places("lastly")
        for place in range(len(self.spans)) if lastly else ():
            if sense := self.has(place, "done"):
                kinds.append((place, sense))
            elif self._says(place, "verb", "touch"):
                self.fields.append("last_touch_date")
                self.use(place, *lastly)
                return
        if len(kinds) == 1 and self.rank is None and not self.entity:
            place, sense = kinds[0]
            self.rank, self.entity = Rank("newest", 1, self.spans[place].text), "interactions"
            self.where.append(Test("channel", "=", (sense.name,)))
            if sense.name in ("call", "email") and self._reaches_us(place):  # when did they last ring us
                self.where.append(Test("direction", "=", ("inbound",)))
            self.use(place, *lastly)

    def _nth(self) -> None:
        """The second biggest, the third largest: one row, after those before it."""
        places = [
            place for place, span in enumerate(self.spans) if span.of("nth") and (not span.used or span.of(*RANKS))
        ]
        places += [place for place in self.places("ordinal") if self.has(place + 1, *RANKS) or self._led_by_rank(place)]
        if len(places) != 1 or self.rank is None or self.rank.count is not None or self.rank.several:
            return
        sense = self.spans[places[0]].of("nth", "ordinal")
        if sense and sense.name.isdigit() and int(sense.name) > 0:
            self.rank = replace(self.rank, count=1, skip=int(sense.name) - 1)
            self.use(places[0])

    def _led_by_rank(self, place: int) -> bool:
        """Whether an order was read right after a place."""
        return place + 1 < len(self.spans) and self.spans[place + 1].used and bool(self.spans[place + 1].of(*RANKS))

    def _dependent(self) -> None:
        """`do we depend on few customers`: the share of revenue of the five biggest; of the biggest, where it is one."""
        for place in self.places("depends"):
            at = self.near(place, 1, over=("few", "num", "desc", "number", "only"))
            if self.has(at, "entity") != Sense("entity", "accounts"):
                continue
            single = any(self._count(between) == 1 for between in range(place, at))
            few = [between for between in range(place, at) if self.has(between, "few")]
            if few or single:
                self.rank = Rank("desc", 1 if single else FEW, self.spans[place].text)
                self.use(*range(place, at))
            elif self.rank is None or not self.rank.count:
                continue
            self.share, self.yes_no = True, False
            self.metrics += [] if self.places("metric") or self.metrics else ["revenue"]
            self.use(place)
            self.take("off", "how", "amount")

    def _further(self) -> None:
        """`the next five`: more rows of the answer before."""
        was = self.before.shown if self.before is not None else None
        significant = [
            place
            for place, span in enumerate(self.spans)
            if not (self.quiet(place) or span.of("list", "carry", "ours", "me", "entity", "ones_of"))
        ]
        more = [place for place in significant if self.has(place, "next", "further")]
        counts = [place for place in significant if self._count(place) is not None]
        if was is None or len(more) != 1 or sorted([*more, *counts]) != significant or len(counts) > 1:
            return
        self.further = self._count(counts[0]) if counts else was
        self.follows = True
        self.use(*range(len(self.spans)))

    def _count(self, place: int) -> int | None:
        number = self.has(place, "number", "num") if not self.has(place, "ordinal") else None
        if number and number.name.isdigit() and not self.has(place + 1, "unit", "percent", "magnitude", "currency"):
            return int(number.name)
        return None

    def _states(self) -> None:
        """States of records, each with whether they are in it."""
        for place in self.places("state"):
            span = self.spans[place]
            sense = span.of("state")
            if sense is None or (span.of("value") and self._stands_as_name(place)):
                continue
            if span.of("metric") and not span.of("state", "untouched"):
                continue
            if sense.name == "moved" and span.of("verb"):
                continue  # to a stage: what happened, no state of a deal
            state = sense.name
            if state == "slipped" and self._is_of_stage(place):
                raise Unclear(*_LEFT)
            positive = not self._negated(place)
            self.states.append((state, positive))
            self.use(place)
            for beside in (place - 1, place + 1):
                if self.has(beside, "still"):
                    self.use(beside)
            lead = self.near(place, -1)
            if self.has(lead, "only", "with"):
                self.use(lead)
            if len(self.states) > 1 and self.has(lead, "and", "or", "vs"):
                compared = self.has(lead, "vs") or (self.versus and self.has(lead, "and"))
                self.versus |= bool(compared and self.spans[self.near(lead, -1, over=("entity",))].of("state"))
                self.use(lead)

    def _in_the_pipeline(self) -> None:
        """`how many deals are in my pipeline`: those that are open; what changed in it is no state."""
        if self.goal == "changed":
            self.use(*[place for place in self.places("state") if " " in self.spans[place].text])
        for place in self.places("metric"):
            at = self.near_word(place, -1, over=("me", "person", "its", "they"))
            counted = self.places("count", "both_of") or self.places("entity")
            if counted and self.has(place, "metric") == Sense("metric", "open_pipeline") and self._is_inside(at):
                self.states += [] if self.goal == "changed" else [("open", True)]
                self.use(place)

    def _is_inside(self, place: int) -> bool:
        return 0 <= place < len(self.spans) and self.spans[place].of("inside") is not None

    def _measure(self) -> None:
        """How many, how much, average, share."""
        if self.take("both_of"):
            self.goal = "both"
        for kind in ("median", "average", "count", "amount", "share", "when"):
            for place in self.places(kind):
                if kind == "amount" and self.has(place, "metric", "field") and self.goal != "count":
                    continue
                of_money = self.spans[place].of("amount") and not self.places("entity", "kind", "metric")
                if kind == "count" and of_money and not self._counts_records_before():
                    continue  # combien avons-nous vendu
                if kind == "share":
                    self.share = True
                elif kind == "amount" and self.goal == "count":
                    self.goal = "both"
                    joint = [
                        p
                        for p in self.places("and")
                        if self.near(p, 1) == place or self.near(p, -1) == place or p == place - 1
                    ]
                    self.use(*joint)
                elif kind == "count" and self.goal in ("average", "median"):
                    raise Unclear(
                        f"the {self.goal} of a number is not a figure that there is",
                        "how many deals did we win this year, by month",
                    )
                elif not self.goal:
                    self.goal = kind
                elif self.goal != kind and (kind, self.goal) not in _MEASURED:
                    continue
                self.mean_too |= (kind, self.goal) == ("average", "median")
                self.use(place)
        self.total |= self.take("total")

    def _counts_records_before(self) -> bool:
        """Whether `combien` is of the records before: `combien d'entre eux ont acheté`, `combien sont en retard`."""
        was = self.before
        if was is None or any(span.of("worth", "verb") for span in self.spans):
            return False
        pointed = any(span.of("more_of_it", "ones_of", "they") for span in self.spans)
        bought = any(Sense("state", "bought") in span.senses for span in self.spans)
        return bool(was.entity or was.metrics) and (pointed or bought or bool(self.states))

    def _splits(self) -> None:
        """What to split by."""
        for place in self.places("by"):
            sense = self.has(place, "by")
            at = self.near(place, 1)
            if self._split_at(at):
                self.use(place)
                self.use(*[p for p in (place - 1,) if sense == Sense("by", "each") and self.has(p, "from")])
                self.led = True
                self._more_splits(at)
            elif sense and sense.name == "own":
                self.use(place)
            elif self._orders_by_value(place, at):
                self.use(place, at)  # lost deals in May by value: as lists of deals are anyway
                self.goal = self.goal or "list"
            elif self.before is not None and self.before.by and self.before.rank and self._says_worth(place, at):
                self.use(place, at)  # and by value, after who won the most deals
                self.metrics.append(self._worth_of(self.before))
                self.follows = True
            elif (
                self.rank
                and sense != Sense("by", "each")
                and at < len(self.spans)
                and self.spans[at].of("metric", "field", "state", "entity", "count", "amount", "average", "total")
            ):
                self.use(place)  # the top 5 reps by revenue
        loose = self.rank or self.versus or self.share or self.turn or self.thresholds or self.places("list", "who")
        if loose and self.goal not in ("define", "plan", "score", "brief") and not self.about:
            for place in self.places("dim"):
                if not self._is_measured_size(place):
                    self._split_at(place)
            for place in self.places("unit"):
                if self.near(place, -1) >= 0 and self.spans[self.near(place, -1)].of("list", *RANKS):
                    self._split_at(place)  # which month, the best week
        for place in self.places("who"):
            before = self.near(place, -1, over=("carry",))
            if (
                before >= 0
                and self.near(place, 1) < len(self.spans)
                and not self.spans[self.near(place, 1)].of("account", "deal", "dim", "its", "metric")
                and (self.spans[before].of("dim") or self.spans[before].of("entity") == Sense("entity", "accounts"))
            ):
                self.use(place)  # customers who bought
            elif before >= 0 and self.rank and self._names_owners():
                self.by.append("owner")  # A ou B, qui a le plus de pipeline
                self.use(place)
            elif before < 0 and self._are_accounts(place):
                self.use(place)  # who are our best customers
                self.goal = self.goal or ("" if self.rank else "list")
            elif before < 0 and not self.about and not any(Sense("verb", "own") in span.senses for span in self.spans):
                self.by.append("owner")
                self.use(place)

    def _is_measured_size(self, place: int) -> bool:
        """Whether a word for a dimension is a column of deals of which the average is asked for: the average size of deals."""
        before = self.near(place, -1)
        measured = before >= 0 and self.spans[before].of("average", "median")
        return bool(measured) and self.spans[place].of("field") == Sense("field", "deal_value")

    def _names_owners(self) -> bool:
        """Whether several owners are named, one or the other."""
        return any(
            isinstance(condition, Test) and condition.name == "owner" and len(condition.values) > 1
            for condition in self.where
        )

    def _orders_by_value(self, by: int, at: int) -> bool:
        """Whether deals are named, and `by value` is the last that is said of them: an order of a list.

        Raises:
            Unclear: Their number or an average is asked for, which values neither order nor split.
        """
        deals = any(Sense("entity", "deals") in span.senses for span in self.spans[:by])
        last = self.near(at, 1) >= len(self.spans)
        plain = not (self.rank or self.places("metric", "count", "amount", "average", "median", "share"))
        by_value = self.has(by, "by") == Sense("by") and self.has(at, "field") == Sense("field", "deal_value")
        listed = deals and last and plain and by_value and (self.before is None or bool(self.places("entity")))
        if listed and (self.goal not in ("", "list") or self.share):
            raise Unclear(
                "by value: as a list in that order, or by bands of it?",
                "open deals by value", "how many deals by size: under 10k, 10k to 50k, above",
            )  # fmt: skip
        return listed

    def _says_worth(self, by: int, at: int) -> bool:
        """Whether a question says nothing but `by value`."""
        alone = all(place in (by, at) or self.quiet(place) or span.of("carry") for place, span in enumerate(self.spans))
        return alone and self.has(at, "field") == Sense("field", "deal_value")

    @staticmethod
    def _worth_of(before: Slots) -> str:
        """The metric of what the deals that were counted before are worth."""
        of: dict[str, str] = meanings()["measures"]["deals"]["value"]
        states = [*OF_DEED.get(before.deed, ()), *(state for state, is_in in before.states if is_in)]
        return next((of[state] for state in states if state in of), of[""])

    def _are_accounts(self, place: int) -> bool:
        """Whether `who are` at a place goes on with accounts, which are then asked for themselves."""
        spans = self.spans[place + 1 :]
        contracted = self.lexed.language == "en" and not any(span.of("yes_no") for span in spans)  # who's
        if not spans or not (spans[0].of("be") or contracted):
            return False
        named = next((span for span in spans if span.of("entity")), None)
        before = spans[: spans.index(named)] if named else []
        says = {"neutral", "me", "number", "num", *RANKS, "size", "state", "value"}
        return (
            named is not None
            and not named.used
            and named.of("entity") == Sense("entity", "accounts")
            and all(span.of(*says) for span in before)
        )

    def _more_splits(self, at: int) -> None:
        """What `and` and commas lead on to after a split."""
        while True:
            joint = at + 1
            while (
                joint < len(self.spans) and self.spans[joint].of("neutral") and not self.spans[joint].of("comma", "and")
            ):
                joint += 1
            if joint >= len(self.spans) or not self.spans[joint].of("comma", "and"):
                return
            after = self.near(joint, 1, over=("by",))
            if after >= len(self.spans) or not self._split_at(after):
                return
            self.use(joint, *[p for p in range(joint, after) if self.has(p, "by", "and")])
            at = after

    def _split_at(self, place: int) -> bool:
        sense = self.has(place, "dim", "unit")
        if sense is None:
            if self.has(place, "entity") == Sense("entity", "accounts"):
                self.by.append("customer_name")
                self.use(place)
                return True
            return False
        if sense.kind == "unit":
            if sense.name == "hour":
                self.by.append("hour")
                self.use(place)
                return True
            if sense.name not in ("day", "week", "month", "quarter", "year"):
                return False
            fiscal = "fiscal_" if self.has(place - 1, "fiscal") else ""
            self.use(*([place - 1] if fiscal else []))
            self.by.append(f"time:{fiscal}{sense.name}")
        else:
            self.by.append(sense.name)
        self.use(place)
        return True

    def _deeds(self) -> None:
        """What happens to deals, and when."""
        for place in self.places("verb"):
            name = self.spans[place].of("verb")
            if name is None:
                continue
            if self.spans[place].of("entity", "kind", "metric") and name.name in ("contact", "touch"):
                continue
            gets = Sense("verb", "get") in self.spans[place].senses
            after = self.near(place, 1)
            if (
                name.name == "create"
                and not self.deed
                and after < len(self.spans)
                and self._is_stage(self.spans[after])
            ):
                self.deed = "move"  # entered negotiation
                self.use(place)
                continue
            if name.name in ("create", "get") and gets and self.places("metric") and not self.places("entity"):
                self.use(place)  # how much revenue came in
                continue
            if name.name in ("create", "close", "win", "lose", "due", "move", "sell"):
                if {self.deed, name.name} == {"win", "lose"} and self._beside_deed(place):
                    continue
                if self._won_of_opened(place):
                    continue
                if name.name == "sell" and self.turn and self.before is not None and self.before.metrics:
                    self.use(place)  # which product made the biggest difference
                    continue
                if name.name == "sell" and self.spans[place].of("does") and self._of_figure_before():
                    self.use(place)  # who made the fewest, of calls
                    self.follows = True
                    continue
                if self.deed and self.deed != name.name and {self.deed, name.name} != {"sell", "win"}:
                    if name.name == "sell":
                        self.use(place)
                    continue
                ahead = name.name == "close" and self.spans[place].of("present") and self._is_ahead()
                self.deed = self.deed or ("due" if ahead else name.name)
                self.use(place)
                if name.name == "move":
                    self._moved_to()
                    self.use(
                        *[
                            p
                            for p in self.places("to")
                            if self.has(p + 1, "value") or (self.spans[p + 1 :][:1] and self.spans[p + 1].used)
                        ]
                    )
        self._ahead()

    def _won_of_opened(self, place: int) -> bool:
        """Whether what was opened and has ended since is asked for at a place."""
        raise NotImplementedError

    def _of_figure_before(self) -> bool:
        """Whether what is done is what was asked for before, since nothing is named."""
        asked = self.before is not None and (self.before.metrics or self.before.entity)
        return bool(asked and (self.rank or self.goal == "count") and not self.places("metric", "entity", "kind"))

    def _beside_deed(self, place: int) -> bool:
        """Whether what we lost stands beside what we won: both are states of deals then."""
        last = max((at for at in range(place) if self.spans[at].used and self.spans[at].of("verb")), default=-1)
        joints = [at for at in range(last + 1, place) if self.has(at, "vs", "or", "and")]
        if last < 0 or not joints or not all(self.quiet(at) or at in joints for at in range(last + 1, place)):
            return False
        self.versus |= any(self.spans[at].of("vs") for at in joints)
        self.states += [("won", True), ("lost", True)]
        self.deed = ""
        self.use(place, *joints)
        return True

    def _ahead(self) -> None:
        """Refuse what is to have happened in a time that has not begun; what is open in such a time is due then."""
        begins = [periods.read(time.text, self.today).first for time in self.times]
        ahead = any(self.today.day and first and self.today.day < first for first in begins)
        self._closings(ahead=ahead)
        if not self.deed and self._is_of_open():
            if ahead:
                self.deed = "due"
            elif len(self.times) == 1 and not self.is_past() and self._is_nearer_ahead(self.times[0]):
                coming, was = self._coming(self.times[0]), self.times[0].text
                raise Unclear(
                    f"what is due {_in_words(coming)}, or what was open {_in_words(was)}? Say the year",
                    f"open deals due {_in_words(coming)}",
                    f"open pipeline at the end of {was}",
                )
        done = self.deed in ("create", "win", "lose", "sell", "close")
        done |= self.deed != "due" and bool(
            {"won", "lost", "closed"} & {state for state, is_in in self.states if is_in}
        )
        if ahead and done:
            raise Unclear("that time is still to come: nothing has happened in it", "deals due next month")

    def _closings(self, *, ahead: bool) -> None:
        """`closings next month` are the deals due then, `closings in May` those won; of a month that may be either it is asked.

        Raises:
            Unclear: The time is as likely to come as it is past.
        """
        places = self._closings_at()
        if not places or not self.times or self.deed not in ("", "win"):
            return
        ends = [periods.read(time.text, self.today).last for time in self.times]
        later = all(self.today.day and last and self.today.day < last for last in ends)
        until = later and all(time.edge == "until" for time in self.times)
        over = self.past or self.is_past()
        if (ahead or until) and not over:
            self.states = [state for state in self.states if state[0] != "won"]
            self.deed, self.entity = "due", "deals"
            self.notes.append(f"{self.spans[places[0]].text!r} of a time to come are the deals due then.")
        elif len(self.times) == 1 and not over and self._is_nearer_ahead(self.times[0]):
            coming, was = self._coming(self.times[0]), self.times[0].text
            raise Unclear(
                f"the deals due {_in_words(coming)}, or those won {_in_words(was)}? Say the year",
                f"deals due {_in_words(coming)}",
                f"deals won {_in_words(was)}",
            )
        elif later and not over:
            self.notes.append(
                f"{self.spans[places[0]].text!r} are the deals won; ask for the deals due to see what is still to come."
            )

    def _closings_at(self) -> list[int]:
        """Where words stand that are of deals won as well as of deals due: `closings`."""
        words = {folded(word) for word in meanings()["said_as"][self.lexed.language]}
        return [at for at, span in enumerate(self.spans) if folded(span.text) in words]

    def is_past(self) -> bool:
        """Whether it is told in the past, also where the word is a part of a phrase: `what was the average deal size`."""
        phrases = lexicon(self.lexed.language).phrases
        return any(Sense("past") in phrases.get((word,), ()) for span in self.spans for word in plain_words(span.text))

    def _is_nearer_ahead(self, time: Time) -> bool:
        """Whether a month, quarter or half without a year is past and comes again sooner than it was: Q3, asked on 30 June."""
        last = periods.read(time.text, self.today).last
        if not time.floating or last is None or self.today.day is None or last >= self.today.day:
            return False
        first = periods.read(self._coming(time), self.today).first
        return first is not None and (first - self.today.day).days < (self.today.day - last).days

    def _coming(self, time: Time) -> str:
        """The same month, quarter or half of the next year."""
        period = periods.read(time.text, self.today)
        assert period.first and period.last  # noqa: S101, PT018 - it floats, so it is a part of a year
        if time.floating.startswith("half"):
            first = periods.add_months(period.first, 12)
            return f"{first} to {periods.add_months(first, 6) - timedelta(days=1)}"
        return f"{int(time.text[:4]) + 1}{time.text[4:]}"

    def _is_of_open(self) -> bool:
        """Whether it asks for open deals, which a time may be of in two ways."""
        senses = {sense.name for place in self.places("metric") for sense in self.spans[place].all("metric")}
        figures = {"open_pipeline", "weighted_pipeline", "open_leads"} & {*senses, *self.metrics}
        return bool(figures) or (("open", True) in self.states and self.goal in ("count", "amount", "average"))

    def _moved_to(self) -> None:
        """Refuse a stage that deals have left: only the one that they came to is read."""
        arrived = False
        for place, span in enumerate(self.spans):
            arrived |= span.of("to") is not None
            left = self.spans[place + 1 :][:1]
            before = arrived or not any(other.of("to") for other in self.spans[place:])
            if (span.of("from") and left and self._is_stage(left[0])) or (self._is_stage(span) and not before):
                raise Unclear(*_LEFT)

    def _is_of_stage(self, place: int) -> bool:
        """Whether a stage that was left follows: `moved out of discovery`."""
        after = self.spans[place + 1 : place + 3]
        return len(after) == 2 and after[0].text.casefold() == "of" and self._is_stage(after[1])

    def _is_stage(self, span: Span) -> bool:
        return any(sense.name == "stage" for sense in span.all("value"))

    def _is_ahead(self) -> bool:
        """Whether a question in the present is about a time that is not over: `which deals close this month`."""
        ends = [periods.read(time.text, self.today).last for time in self.times]
        past = any(span.of("past") for span in self.spans)
        return bool(ends) and not past and all(self.today.day and last and last >= self.today.day for last in ends)
