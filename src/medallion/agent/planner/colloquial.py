"""Constructions of spoken questions that mean what longer ones do: `which took longest`, `who is second`, `and how many in June`."""

from __future__ import annotations

from itertools import pairwise

from medallion.agent.planner.lexicon import Sense
from medallion.agent.planner.marking import RANKS, Unclear
from medallion.agent.planner.slots import OF_LIFE, TEAMS, Rank
from medallion.agent.planner.subjects import Subjects
from medallion.metrics.conditions import Test

#: What is done to a deal that ends it, and the metric of how long that takes.
_LASTING = {"win": "average_cycle_days", "close": "average_cycle_days", "sell": "average_cycle_days", "lose": "average_days_to_loss"}  # fmt: skip
#: Metrics of how long something takes.
_CYCLE = "average_cycle_days"
#: Kinds of words that a value of a split is asked for by.
_SPLITS = ("who", "dim", "unit")
#: Kinds of words that say what who sells has or does.
_OF_SELLERS = (
    "entity",
    "metric",
    "field",
    "kind",
    "exists",
    "ourselves",
    "missed",
    "reached",
    "short",
    "my_team",
    "intent",
)
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
            if span.of("money") and Sense("metric", "revenue") in span.senses:
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

    def _persons(self) -> None:
        """`how many people did we call`: accounts or their contacts, and not who sells.

        Raises:
            Unclear: People are named to whom something was done, or who are not said to sell.
        """
        for place in self.places("dim", "humans"):
            humans = self.has(place, "humans") is not None
            before = self.near(place, -1)
            asked = before >= 0 and self.spans[before].of("count", "list", "whom")
            if not asked or not (humans or self.has(place, "dim") == Sense("dim", "owner")):
                continue
            done = [at for at in range(place + 1, len(self.spans)) if self._is_done(at)]
            bought = humans and any(Sense("state", "bought") in span.senses for span in self.spans)
            to_us = humans and any(map(self._reaches_us, done))
            owners = any(sense.name in ("owner", *TEAMS) for span in self.spans for sense in span.all("value"))
            sells = any(span.of(*_OF_SELLERS) or span.of("verb", "state") for span in self.spans)
            idle = humans and not (sells or done or owners) and any(span.of("value") for span in self.spans)
            if bought or to_us or idle or (done and self._we_between(place, done[0])):
                raise Unclear(
                    f"{self.spans[place].text!r}: are accounts meant? People of theirs are not counted",
                    "how many customers did we call this month", "how many customers called us this month",
                    "how many customers bought this month", "how many reps have open deals",
                )  # fmt: skip

    def _is_done(self, place: int) -> bool:
        """Whether something that is done to others stands at a place: called, met, won, sold to."""
        names = {sense.name for sense in self.spans[place].all("verb")}
        others = self.spans[place].of("done", "kind") or names & {"touch", "contact", "win", "lose", "sell"}
        deals = any(span.of("entity", "metric") and not span.of("kind") for span in self.spans[place:])
        return bool(others) and not deals

    def _we_between(self, first: int, last: int) -> bool:
        """Whether we, or a rep by name, stand between two places, as who does it."""
        return any(
            span.of("ourselves", "me", "first_person") or any(sense.name == "owner" for sense in span.all("value"))
            for span in self.spans[first + 1 : last + 1]
        )

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

    def _staged_deals(self) -> None:
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
