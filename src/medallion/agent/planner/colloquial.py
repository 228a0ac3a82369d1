"""Constructions of spoken questions that mean what longer ones do: `which took longest`, `who is second`, `and how many in June`."""

from __future__ import annotations

from itertools import pairwise

from medallion.agent.planner.lexicon import Sense
from medallion.agent.planner.marking import RANKS, Unclear
from medallion.agent.planner.slots import OF_LIFE, Rank
from medallion.agent.planner.subjects import Subjects
from medallion.metrics.conditions import Test

#: What is done to a deal that ends it, and the metric of how long that takes.
_LASTING = {"win": "average_cycle_days", "close": "average_cycle_days", "sell": "average_cycle_days", "lose": "average_days_to_loss"}  # fmt: skip
#: Metrics of how long something takes.
_CYCLE = "average_cycle_days"
#: Metrics that are an amount of money.
_MONEY = frozenset(
    {"open_pipeline", "weighted_pipeline", "total_deal_value", "revenue", "lost_value", "average_deal_value", "average_won_value"}
)  # fmt: skip
#: Kinds of words that a value of a split is asked for by.
_SPLITS = ("who", "dim", "unit")
#: Kinds of words that are records or figures, where a dimension has the same name.
_NO_COUNTS = ("people", "entity", "metric", "kind", "value")


class Colloquial(Subjects):
    """Reads what is said in passing as what it stands for."""

    def _dated(self) -> None:
        """`created on Monday`: what was done then, not the column of that name."""
        starts = {time.place for time in self.times}
        done = {"created_date": Sense("verb", "create"), "closed_date": Sense("state", "closed")}
        for place in self.places("field"):
            sense = self.has(place, "field")
            if sense and sense.name in done and place + 1 in starts and " " in self.spans[place].text:
                self.spans[place].senses = (done[sense.name],)

    def _active(self) -> None:
        """`active deals`: open ones; active customers may be several things."""
        for place in self.places("active"):
            for at in (place + 1, place - 1):
                if self.has(at, "entity") == Sense("entity", "deals"):
                    self.spans[place].senses = (Sense("state", "open"),)

    def _money_lost(self) -> None:
        """`which rep lost the most money`: the value of the deals lost."""
        lost = any(
            span.of("state") == Sense("state", "lost") or Sense("verb", "lose") in span.senses for span in self.spans
        )
        for span in self.spans if lost else ():
            if span.text.casefold() == "money" and Sense("metric", "revenue") in span.senses:
                span.senses = (Sense("metric", "lost_value"),)

    def _my_reps(self) -> None:
        """`my weakest rep`: of those of my team, not of mine alone."""
        for place in self.places("me"):
            at = self.near(place, 1, over=RANKS)
            ranked = any(span.of(*RANKS) for span in self.spans[place + 1 : at])
            if self.spans[place].text.casefold() == "my" and ranked and self.has(at, "dim") == Sense("dim", "owner"):
                self.me = self.team = True
                self.use(place)

    def _repeated(self) -> None:
        """`how many in May, and how many in June`: the number is of each of the times or values, asked once."""
        starts = {time.place for time in self.times}
        for first, again in pairwise(self.places("count")):
            joints = [at for at in range(first + 1, again) if self.has(at, "and", "comma")]
            if not joints or joints[-1] != again - 1:
                continue
            nouns = {sense for span in self.spans[first:again] for sense in (*span.all("entity"), *span.all("kind"))}
            at, same = again + 1, []
            while at < len(self.spans) and at not in starts and (self.quiet(at) or nouns & {*self.spans[at].senses}):
                same += [] if self.quiet(at) else [at]
                at += 1
            timed = at in starts and any(first < start < again for start in starts)
            named = self.has(at, "value")
            other = named and [
                sense
                for span in self.spans[first:again]
                for sense in span.all("value")
                if sense.name == named.name and sense != named
            ]
            if not (timed or other):
                continue
            self.apart |= bool(other)
            for place in (again, *same):
                self.spans[place].senses = (Sense("neutral"),)
            self.use(again, *same)

    def _counted_values(self) -> None:
        """`how many reps have more than 50 open deals`: which they are, and of these the number."""
        for place in self.places("count"):
            at = self.near(place, 1)
            sense = self.has(at, "dim", "unit")
            if (
                sense is None
                or any(span.of("account", "deal") for span in self.spans)
                or any(self.has(at, kind) for kind in _NO_COUNTS)
            ):
                continue
            if sense.kind == "unit" and not (
                sense.name in ("week", "month", "quarter", "year") and self.places("gt", "ge", "lt", "le")
            ):
                continue
            self.spans[place].senses = (Sense("list"),)
            self.number_of = True
            last = len(self.spans) - 1
            if self.has(last, "to"):  # how many countries do we sell to
                self.use(last)

    def _best_seller(self) -> None:
        """`which product is our best seller`: not who sells it."""
        for place in self.places("dim"):
            named = self.spans[place].text.casefold() in ("seller", "sellers")
            others = any(span.of("dim") and span is not self.spans[place] for span in self.spans)
            if named and place and self.spans[place - 1].of("best", "desc") and others:
                self.use(place)

    def _placed(self) -> None:
        """`who is second in revenue`, `which country is last`: one place of an order that no word ranks."""
        if self.rank is not None or self.places(*RANKS) or not self.places(*_SPLITS):
            return
        places = [at for at in self.places("nth", "foremost", "last", "placed") if self._is_placed(at)]
        if len(places) != 1:
            return
        (place,) = places
        sense = self.spans[place].of("placed", "nth", "foremost", "last")
        assert sense is not None  # noqa: S101 - looked at above
        named = [sense for span in self.spans for sense in span.all("metric")]
        counted = any(span.of("state") or span.of("count", "kind") for span in self.spans)
        last = sense.kind == "last" or sense.name == "last"
        ways = ("asc", "desc") if (named and not self._lasting(named)) or counted else ("worst", "best")
        number = int(sense.name) if sense.name.isdigit() else 1
        self.rank = Rank(ways[0] if last else ways[1], 1, self.spans[place].text, skip=0 if last else number - 1)
        self.use(place)

    def _is_placed(self, place: int) -> bool:
        """Whether a number of a place stands after `is`, with a figure, a time or nothing after it."""
        if self.has(place, "placed"):
            return True
        led = place > 0 and self.spans[place - 1].of("be") is not None
        after = place + 1
        if after >= len(self.spans):
            return led
        span = self.spans[after]
        return (
            led and bool(span.used or span.of("prep", "by", "comma")) and not self.has(after, "unit", "entity", "kind")
        )

    @staticmethod
    def _lasting(named: list[Sense]) -> bool:
        return named[0].name in (_CYCLE, *_LASTING.values())

    def _taken_longest(self) -> None:
        """`which won deal took the longest to close`, `who closes fastest`: deals or values by how long they take."""
        ranks = [at for at, span in enumerate(self.spans) if span.used and span.of("lasts")]
        if self.rank is None or not self.rank.lasts or len(ranks) != 1:
            return
        taken = [at for at in self.places("takes") if not self.spans[at].of("until", "to")]
        verbs = [at for at in self.places("verb") if (verb := self.has(at, "verb")) and verb.name in _LASTING]
        metrics = [at for at in self.places("metric") if self.has(at, "metric") in (Sense("metric", _CYCLE), Sense("metric", "average_days_to_loss"))]  # fmt: skip
        splits = self.places(*_SPLITS) or ([] if self._is_of_deals() else self.places("list"))
        ended = bool(verbs) and self._ends_deal(ranks[0], verbs[0])
        if (
            not (taken or ended)
            or self.goal in ("count", "amount")
            or any(self.has(at, "kind") for at in range(len(self.spans)))
        ):
            return
        if self.places(*_SPLITS) and splits and not self._ranks_deal(ranks[0]):
            if not metrics and not verbs and not self._is_of_deals():
                return
            name = _LASTING[str(self.spans[verbs[0]].all("verb")[0].name)] if verbs and not metrics else ""
            name = _CYCLE if not (name or metrics) else name
            self.metrics += [name] if name else []
            self.use(*taken, *verbs[:1], *[at for at in range(len(self.spans)) if self._is_deals(at)])
        elif self._is_of_deals() or metrics:
            self.use(*taken)
            self.entity = "deals"
            self.use(*metrics, *[at for at in range(len(self.spans)) if self._is_deals(at)])
            states = {sense.name for span in self.spans for sense in span.all("state")} & OF_LIFE
            if not states and not verbs:
                self.states.append(("closed", True))
            if states & {"won", "lost"}:
                self.use(*verbs)
        else:
            return
        self.use(*[at for at in self.places("to", "modal") if ranks[0] < at and self._leads_to_verb(at)])
        self.take("past")

    def _leads_to_verb(self, place: int) -> bool:
        after = self.spans[place + 1 : place + 2]
        return bool(after) and (after[0].of("verb", "metric") is not None or after[0].of("state") is not None)

    def _is_of_deals(self) -> bool:
        return any(Sense("entity", "deals") in span.senses for span in self.spans)

    def _ranks_deal(self, rank: int) -> bool:
        """Whether the order stands right before deals: `which rep won the fastest deal`."""
        after = self.near(rank, 1, over=("state",))
        return self._is_deals(after)

    def _ends_deal(self, rank: int, verb: int) -> bool:
        """Whether a verb stands beside the word for an order: `closes fastest`, `closes deals fastest`, `fastest to close`."""
        between = range(min(rank, verb) + 1, max(rank, verb))
        over = [
            at
            for at in between
            if not self.quiet(at) and not self._is_deals(at) and not self.spans[at].of("to", "modal")
        ]
        led = rank < verb and any(self.spans[at].of("to", "modal") for at in between)
        return not over and (verb < rank or led)

    def _worth_said(self) -> None:
        """`what are our open deals worth`, `what's the pipeline worth`: what they come to, asked for after them."""
        places = self.places("worth")
        if len(places) != 1 or self.rank or self.about or self.goal not in ("", "amount"):
            return
        (place,) = places
        after = [at for at in range(place + 1, len(self.spans)) if not self.quiet(at) and not self.spans[at].used]
        figures = {sense.name for span in self.spans[:place] for sense in span.all("metric")}
        money = bool(figures & _MONEY)
        if any(not self.spans[at].of("total", "now", "to_us", "neutral", "ours", "together") for at in after):
            return
        first = next((at for at in range(len(self.spans)) if not self.quiet(at)), 0)
        asks = self.spans[first].of("list", "amount", "yes_no", "be", "carry")
        named = money or self._is_of_deals()
        if not asks or not named:
            return
        self.use(place, *[at for at in after if self.has(at, "together")])
        self.goal = "" if money else "amount"
        self.use(*[at for at in self.places("list", "amount") if at == first])

    def _sorted_values(self) -> None:
        """`how many are in negotiation`, `how much money is in negotiation`: deals, which alone are in a stage."""
        stages = [part for part in self.where if isinstance(part, Test) and part.name == "stage"]
        own = (
            self.entity or self.metrics or self.fields or self.about or self.by or self.rank or self.share or self.deed
        )
        if stages and self.goal in ("count", "amount", "both") and not own and not self.follows and self.before is None:
            self.entity = "deals"

    def _won_of_opened(self, place: int) -> bool:
        """Of deals opened in a time those that have ended since: `how many of the leads created in March did we win`.

        Raises:
            Unclear: The time may be of either.
        """
        verb = self.has(place, "verb")
        ended = {"win": "won", "lose": "lost", "close": "closed", "sell": "won"}
        pair = {self.deed, verb.name if verb else ""}
        if "create" not in pair or len(pair) != 2 or not (pair - {"create"}) <= ended.keys() or len(self.times) > 1:
            return False
        last = max((at for at in range(place) if self.spans[at].used and self.spans[at].of("verb")), default=-1)
        opened, closed = (last, place) if self.deed == "create" else (place, last)
        if self.times:
            time = self.times[0].place
            beside = [abs(time - at) for at in (opened, closed)]
            if beside[0] >= beside[1]:
                raise Unclear(
                    "opened then, or ended then?",
                    "how many of the deals created in May are won",
                    "deals won in May by month opened",
                )
        (other,) = pair - {"create"}
        self.deed = "create"
        self.states.append((ended[other], True))
        self.use(place)
        return True
