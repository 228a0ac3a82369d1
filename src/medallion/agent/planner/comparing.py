"""What a question compares: times put against each other, and states."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

from medallion import metrics
from medallion.agent.planner.lexicon import Sense, folded, lexicon, meanings
from medallion.agent.planner.marking import RANKS, Unclear
from medallion.agent.planner.measuring import Measuring, unit_of
from medallion.agent.planner.slots import TEAMS, Threshold, selected
from medallion.agent.planner.times import Time
from medallion.metrics import periods
from medallion.metrics.conditions import Test

_LAST = {f"last {unit}": f"this {unit}" for unit in ("day", "week", "month", "quarter", "year")}


#: What is won or lost, by what is done and by the state.
_DONE = {"win": "won", "sell": "won", "lose": "lost", "won": "won", "lost": "lost"}

#: Metrics that count deals in a state of today.
_NOW = {"open": "open_leads", "overdue": "overdue_deals", "silent": "silent_deals", "untouched": "never_touched_deals"}

#: Units of time of which the one that is not over is left out of what rises or falls.
_UNITS = ("week", "month", "quarter", "year")
#: Kinds of words that say how existing and new customers are put beside each other.
_BESIDE_EXISTING = ("more", "fewer", "how", "compare", "metric", "with", "from", "to", "past", "exists", "list")


class Comparing(Measuring):
    """Reads what a figure is compared with, and whether it moved."""

    def _becoming(self) -> None:
        """`getting shorter`, `werden größer`: a figure that falls or rises now; of deals that grow, what they are worth."""
        for place in self.places("grade"):
            leads = [at for at in self.places("becomes") if at < place]
            grade = self.has(place, "grade")
            if not leads or grade is None or self.has(place + 1, "vs") or self.has(place + 1, "entity", "dim"):
                continue
            sized, whole = self.spans[place].of("sized"), self.places("metric", "field")
            deals = [at for at in range(len(self.spans)) if self.has(at, "entity") == Sense("entity", "deals")]
            if deals and not whole and (not sized or self.places("list", "who")):  # which of them
                continue
            if deals and not whole:
                self.metrics.append("average_deal_value")
                self.use(*deals)
            judged = grade.name if grade.name in ("better", "worse") else ""
            way = "up" if grade.name in ("up", "better") else "down"
            size = [sense for sense in self.spans[place].senses if sense.kind == "deal_size"]
            self.spans[place].senses = (Sense(way, judged), Sense("moving"), *size)
            self.use(*leads)

    def _by_quarter(self) -> None:
        """`is the win rate going up`: by quarter, up to the last one that is over, where it is not said against when."""
        asks = self.places("list", "who", "count", "amount", "why", "how") and not any(
            split.startswith("time:") for split in self.by
        )
        self.yes_no |= self.moving and not asks
        timed = self.times or (self.before is not None and self.before.times)
        if not self.moving or self.compare or timed or self.versus or self.rank or self.goal == "why":
            return
        judged = any(
            sense.name in ("better", "worse") for span in self.spans for sense in (*span.all("up"), *span.all("down"))
        )
        if judged and not any(span.of("metric") for span in self.spans):
            raise Unclear("better or worse by what?", "is the win rate going up", "are our deals getting bigger")
        if not any(split.startswith("time:") for split in self.by):
            self.by.append("time:quarter")
        if self.places("list", "who") and not all(split.startswith("time:") for split in self.by):
            raise Unclear(
                "which of them moves is told by two times beside each other",
                "revenue by owner this quarter compared with the quarter before",
            )
        unit = next(split for split in self.by if split.startswith("time:")).removeprefix("time:")
        current = periods.read(f"this {unit}", self.today) if unit in _UNITS else None
        if current and self.today.day and current.first and current.last != self.today.day:
            self.times = [Time(f"until {current.first - timedelta(days=1)}", 0, edge="until")]

    def _existing_or_new(self) -> None:
        """`do we win more often with existing customers or with new ones`: won and lost by whether they had bought before."""
        existing = self.places("existing")
        if len(existing) != 1:
            return
        anew = self.places("anew") or [at for at in self.places("state") if self._says(at, "state", "new")]
        joints = [
            at
            for at in self.places("or", "vs", "and")
            if existing[0] < at < (anew or [0])[-1] or (anew or [0])[0] < at < existing[0]
        ]
        measured = {
            sense.name for at in self.places("metric") for sense in self.spans[at].all("metric")[:1] if at not in anew
        }
        won = [at for at, state in self._done() if state == "won"]
        fits = len(measured) == 1 and measured <= {"win_rate", "revenue"}
        if len(anew) != 1 or len(joints) != 1 or not (fits or (won and not measured)):
            return
        self.goal = "existing"
        signs = [at for at in self.places(*_BESIDE_EXISTING) if at not in won]
        others = [at for at in self.places("entity", "ones_of", "joined") if at > min(*existing, *anew)]
        self.use(*existing, *anew, *joints, *won, *signs, *others)

    def _done(self) -> list[tuple[int, str]]:
        """Where deals are won or lost, by a verb or as a state, and which of both."""
        done = ((at, self.has(at, "verb", "state")) for at in range(len(self.spans)))
        return [(at, _DONE[sense.name]) for at, sense in done if sense is not None and sense.name in _DONE]

    def _nothing(self) -> None:
        """`who has not won anything`, `reps with nothing won`: a number of none of each of them."""
        done, nothing = self._done(), self.places("nothing")
        if not self.times:
            done += [(at, name) for at in self.places("state") for name in _NOW if self._says(at, "state", name)]
        both = self.lexed.language == "es" and nothing and done and done[0][0] < nothing[0]  # no ganó nada
        people = [
            Sense("dim", name)
            for name in ("owner", *TEAMS, "product", "country", "industry", "source", "category", "city")
        ]
        whose = self.places("who") or [at for at in self.places("dim") if self.has(at, "dim") in people]
        denied = [at for at in self.places("not", "no", "never") if not self._says(at, "not", "lately")]
        doubled = len(denied) != (1 if both else 0) if nothing else len(denied) != 1
        first = min([*denied, *nothing], default=len(self.spans))  # deals that are not open are others
        things = [at for at in self.places("thing", "entity") if self.has(at, "thing") or (self._is_deals_at(at) and at > first)]  # fmt: skip
        figure = self.about or self.places("metric", "count", "amount", "more", "fewer", *RANKS)
        doubled |= any(self.has(at, "thing") for at in things) and any(self.has(at, "no") for at in denied)
        if len(done) != 1 or not whose or doubled or not (nothing or things) or figure:
            self._refuse_none_left(denied)
            return
        if (self.where or self.thresholds) and not any(self.has(at, "dim") for at in whose):
            limit = "a limit on the value of deals" if self.thresholds else "what limits the deals"
            raise Unclear(
                f"who has won nothing cannot be asked together with {limit}: say of whom",
                "which reps won nothing over 50k this year", "which reps have no open deals in Germany",
            )  # fmt: skip
        (place, state) = done[0]
        self.thresholds.append(Threshold(_NOW.get(state) or f"{state}_leads", "=", "0"))
        self.use(place, *denied, *nothing, *things)
        self.take("with", "still")

    def _refuse_none_left(self, denied: list[int]) -> None:
        """Refuse that somebody has no deals of a kind that `_nothing` does not read: it would be read as deals not of that kind.

        Raises:
            Unclear: It is said so.
        """
        whose = [at for at in self.places("dim", "unit") if not self.has(at - 1, "by")]
        accounts = any(Sense("entity", "accounts") in span.senses for span in self.spans)
        for place in denied if not (accounts or self.about) else ():
            after = self.near(place, 1)
            state = self.has(after, "state") or (self._is_deals_at(after) and self.has(self.near(after, 1), "state"))
            if state and self.has(place, "no") and any(at < place for at in whose):
                raise Unclear(
                    f"who has no deals that are {state.name.replace('_', ' ')} is not read of this",
                    "which reps have no open deals", "which reps won nothing last month",
                )  # fmt: skip

    def _denied_twice(self) -> None:
        """`no tienen ninguna`, `n'ont aucune`, `nunca compraron nada`: in French and Spanish two words that deny deny once."""
        if self.lexed.language not in ("fr", "es"):
            return
        denied = self.places("no", "not", "never")
        for place, after in pairwise(denied):
            if all(self.quiet(at) or self.spans[at].of("with", "past") for at in range(place + 1, after)):
                self.use(place)

    def _traded(self) -> None:
        """`never sold anything to`, `have bought nothing`: accounts that bought, or did not, by what we sold them."""
        entities = {sense.name for span in self.spans for sense in span.all("entity")}
        named = any(span.of("account") for span in self.spans)
        of_before = self.before is not None and "accounts" in (self.before.entity, *(r.kind + "s" for r in self.before.about))  # fmt: skip
        if not (entities == {"accounts"} or ((named or of_before) and not entities)):
            return
        for place, span in enumerate(self.spans):
            to = self.near(place, 1, over=("thing", "nothing"))
            sells = self.has(place, "sold") and not self.places("metric", "count", "amount")
            objects = [
                at for at in range(max(place - 3, 0), min(place + 4, len(self.spans))) if self._is_object(at, place)
            ]
            if sells and (self.has(to, "to") or (objects and self.lexed.language != "en")):
                span.senses = (Sense("state", "bought"),)
                self.use(
                    *[at for at in self.places("they") if at < place and entities]
                )  # denen wir nie etwas verkauft haben
                self.use(*([to] if self.has(to, "to") else []))
            elif span.of("state") != Sense("state", "bought") or span.used:
                continue
            self._objects(place, objects)

    def _objects(self, place: int, objects: list[int]) -> None:
        """Use `anything` beside a state of accounts; `nothing` denies it."""
        for at in objects:
            denied = any(self.has(before, "no", "not", "never") for before in range(place))
            if self.has(at, "nothing") and not denied:
                self.spans[at].senses = (Sense("no"),)
                if at > place:  # have bought nothing
                    self.states.append((str(self.spans[place].senses[0].name), False))
                    self.use(place, at)
            elif self.has(at, "thing") or (self.lexed.language in ("fr", "es") and denied):
                self.use(at)

    def _is_object(self, at: int, place: int) -> bool:
        """Whether `anything` or `nothing` stands beside a place, with nothing between that says something."""
        if at == place or not self.has(at, "thing", "nothing"):
            return False
        between = range(min(at, place) + 1, max(at, place))
        return all(
            self.quiet(mid) or self.spans[mid].of("past", "with", "verb", "still", "not", "never") for mid in between
        )

    def _open_things(self) -> None:
        """`have something open`, `nichts offen`: accounts by whether they have deals in a state."""
        accounts = any(Sense("entity", "accounts") in span.senses for span in self.spans)
        of_before = (
            self.before is not None
            and self.before.entity == "accounts"
            and any(span.of("more_of_it", "they", "carry") for span in self.spans)
        )
        deals = any(Sense("entity", "deals") in span.senses for span in self.spans)
        if deals or not (accounts or of_before):
            return
        for place in self.places("state"):
            sense = self.has(place, "state")
            if sense is None or sense.name not in ("open", "won", "lost"):
                continue
            objects = [
                at for at in range(max(place - 3, 0), min(place + 4, len(self.spans))) if self._is_object(at, place)
            ]
            self._objects(place, objects)
            for at in objects:
                lead = self.near(at, -1)
                self.use(*[lead] * bool(self.has(lead, "with")))

    def _is_deals_at(self, place: int) -> bool:
        return self.has(place, "entity") == Sense("entity", "deals")

    def _outnumber(self) -> None:
        """`did we lose more than we won`, `more lost than won`: the number of the one beside that of the other."""
        done = self._done()
        if len(done) != 2 or done[0][1] == done[1][1] or self.places("metric", "amount", "average", "median", "share"):
            return
        (first, state), (second, other) = done
        signs = [at for at in self.places("more", "fewer", "gt", "lt") if at < second and self._number(at + 1) is None]
        than = [at for at in range(first + 1, second) if self.has(at, "vs", "gt", "lt")]
        if len({*signs, *than}) not in (1, 2) or not signs or len(than) != 1:
            return
        kinds = ("entity", "they", "ourselves", "ours", "past", "me", "be", "yes_no")
        if any(not self.quiet(at) and at not in (*signs, *than) and not self.spans[at].of(*kinds) for at in range(first + 1, second)):  # fmt: skip
            return
        fewer = self.spans[signs[0]].of("fewer", "lt") is not None
        self.use(first, second, *signs, *than)
        self.use(*[at for at in range(first, second) if self.has(at, "they", "ourselves", "ours", "past", "yes_no")])
        self.use(*[at for at in range(len(self.spans)) if self._is_deals_at(at)])
        if self.places("who", "dim", "unit"):  # which reps lost more than they won
            self.thresholds.append(
                Threshold("win_rate", "<" if (state == "lost") != fewer else ">", "50", percent=True)
            )
            self.metrics += ["win_rate", "won_leads", "lost_leads"]
        else:
            self.metrics += [f"{state}_leads", f"{other}_leads"]
            self.contrast = "fewer" if fewer else "more"
            self.yes_no |= self.spans[0].of("exists") is not None  # haben wir mehr verloren

    def _together(self) -> None:
        """`Q1 and Q2 together`: times that follow one another as one; values named side by side are added up anyway."""
        places = self.places("together")
        if places and len(self.times) > 1 and not (self.versus or self.compare):
            days = [periods.read(time.text, self.today) for time in self.times]
            follow = all(a.last and b.first and (b.first - a.last).days == 1 for a, b in pairwise(days))
            if not follow:
                raise Unclear("only periods that follow one another are added up", "revenue in Q1 and Q2 together")
            joints = [at for at in self.places("and", "comma") if self._between_times(at)]
            self.times = [replace(self.times[0], text=f"{days[0].first} to {days[-1].last}", floating="", year=False)]
            self.use(*places, *joints)
        elif places and self.bands and not self.versus:
            self.total = True  # under 10k and over 100k together
            self.use(*places)
        elif any(isinstance(part, Test) and len(part.values) > 1 for part in self.where) and not self.versus:
            self.use(*places)

    def _compared(self) -> None:
        """What a figure is compared with, and whether it moved."""
        units: set[str] = set()
        for kind in ("last_year", "before_that"):
            for place in self.places(kind):
                units |= self._units_in(place)
                self.compare = self._a_year_before(place) if kind == "last_year" else self._before_that(place)
                self.use(place)
        if self.compare and self.before is not None and self._listed_before():
            self.use(*[place for place in self.places("vs") if place == 0])  # vs same time last year
            was = periods.read(self.before.times[0].text, self.today)
            until = (
                replace(self.today, day=was.last or self.today.day) if units else self.today
            )  # the same quarter, whole
            time = periods.before(was, self.compare, until)[1]
            self.times, self.compare = [replace(self.before.times[0], text=f"{time.first} to {time.last}")], ""
        for kind, turn in (("ahead", "up"), ("behind", "down")):
            for place in self.places(kind):
                text = self.times[0].text if len(self.times) == 1 and self._leads_to(place, self.times[0].place) else ""
                if text in _LAST and not self.compare:
                    self.times, self.compare = [replace(self.times[0], text=_LAST[text])], "previous"
                    self.turn, self.yes_no = turn, True  # are we ahead of last quarter
                    self.me |= Sense(kind, "mine") in self.spans[place].senses
                    self.metrics += [] if self.places("metric", "entity") else ["revenue"]
                    self.use(place)
        if self.compare and len(self.times) == 2 and self.times[0].text == self.times[1].text:
            self.times = self.times[:1]  # year to date vs last year to date
        beside = self.places("vs", "compare", "gt", "lt")
        if len(self.times) == 2 and self.times[0].text == self.times[1].text and beside:
            if not self.times[0].text.startswith("last "):
                raise Unclear("that is the same time twice", "revenue last month compared with the month before")
            between = [place for place in beside if self.times[0].place < place < self.times[1].place]
            self.use(*between)
            self.times, self.compare = self.times[:1], "previous"  # last month and the previous one
        for place in self.places("vs", "gt", "lt"):
            if (
                len(self.times) == 1
                and self.times[0].place == place + 1
                and self.times[0].text in _LAST
                and not self.compare
            ):
                self.times = [replace(self.times[0], text=_LAST[self.times[0].text])]
                self.compare = "previous"  # compared with last month: this one
                self.use(place)
        if (
            self.has(0, "vs")
            and not self.has(0, "list")
            and len(self.times) == 1
            and self.times[0].place == 1
            and not self.compare
        ):
            self.use(0)  # vs April, after May
            self.versus = self.follows = True
        condition = self.where[0] if len(self.where) == 1 and not self.times else None
        if (
            self.has(0, "vs")
            and not self.has(0, "list")
            and self.before is not None
            and isinstance(condition, Test)
            and condition.op == "="
        ):
            self.use(0)  # vs Kavya, after Liam's
            self.versus = self.follows = True
        self.against = bool(self.spans and self.spans[0].used and self.spans[0].of("vs") and self.follows)
        joins = [
            place
            for place in self.places("vs")
            if (len(self.times) > 1 and not self._before_a_range(place))
            or (self.compare and place + 1 < len(self.spans) and self.spans[place + 1].used)
        ]
        self.use(*joins)
        if self.take("compare") or joins:
            self.versus = True
        for kind in ("up", "down", "change"):
            if self.places(kind) and self.goal != "changed":
                self.turn = kind
                self.moving |= any(self.spans[place].of("moving") for place in self.places(kind))
                judged = any(sense.name for place in self.places(kind) for sense in self.spans[place].all(kind))
                if judged and self._less_is_better():
                    self.turn = {"up": "down", "down": "up"}[kind]  # a sales cycle that has improved has fallen
                self.use(*self.places(kind))
        if self.turn == "change" and self.places("how") and not (self.goal or self.compare or len(self.times) > 1):
            self.take("how")
            self.turn = ""
            self.by.append("time:month")  # how did revenue develop
        if self.turn and len(self.times) > 1 and not self.goal:
            self.take("how")  # how did revenue change from January to March
        self.running = self.take("running")
        for place in self.places("trend"):
            unit = self.spans[place].of("trend")
            self.by.append(f"time:{unit.name or 'month'}" if unit else "time:month")
            self.use(place)
        if self.versus or self.compare or (len(self.times) > 1):
            self.use(*self.places("same"))
            if len(self.times) > 1:
                joints = self.places("and", "to", "from", "vs", "gt", "lt")
                self.use(*[p for p in self.places("between") if self.near(p, 1) == self.times[0].place])
                joints += [p for p in self.places("or") if self.spans[p - 1].used and not self.has(p + 1, "metric")]
                between = [p for p in joints if self._between_times(p) and not self.spans[p - 1].of("vs")]
                plain = [p for p in between if not self.spans[p].of("or")]
                self.use(*(plain or between))

    def _before_a_range(self, place: int) -> bool:
        """Whether what stands at a place leads to a time that another word leads on from: `than April to May`."""
        first, then = self.times[0].place, self.times[1].place
        return 0 < place < first and any(self.spans[at].of("to") for at in range(first, then))

    def _leads_to(self, place: int, end: int) -> bool:
        """Whether nothing but what says nothing stands between two places."""
        return place < end and all(self.quiet(between) for between in range(place + 1, end))

    def _less_is_better(self) -> bool:
        """Whether the figure asked for, here or before, is the better the smaller it is."""
        named = [sense.name for place in self.places("metric") for sense in self.spans[place].all("metric")]
        asked = named or self.metrics or (self.before.metrics if self.before else ())
        return bool(asked) and asked[0] in meanings()["less_is_better"]

    def _listed_before(self) -> bool:
        """Whether a list of one time was asked for before: what follows moves its time, since lists are not compared."""
        was = self.before
        alone = not (self.times or self.places("metric", "entity", "count", "amount", "average", "share"))
        listed = was is not None and was.entity and not (was.metrics or was.by) and was.goal in ("", "list")
        return bool(alone and was and listed and len(was.times) == 1)

    def _a_year_before(self, place: int) -> str:
        """The same a year ago; `same quarter last year` is of a quarter, and without another time that quarter itself."""
        units = self._units_in(place)
        beside = self.spans[place].text.casefold().startswith(("vs", "versus", "compared", "than", "against"))
        alone = not (beside or self.times or self.places("vs", "compare", "up", "down", "change", "more", "fewer"))
        if alone and len(units) == 1 and (self.before is None or not self.before.times):
            (unit,) = units
            this = periods.read(f"this {unit}", self.today)
            time = periods.before(this, "year-ago", replace(self.today, day=this.last or self.today.day))[1]
            self.times = [Time(f"{time.first} to {time.last}", place)]
            return ""
        times = self.times or (self.before.times if self.before else ())
        of_times = {unit_of(time.text) for time in times}
        if units and units != of_times:
            raise Unclear(
                f"{self.spans[place].text!r} is of another length than the time that is asked for",
                "revenue last month compared with the same month last year",
            )
        return "year-ago"

    def _units_in(self, place: int) -> set[str]:
        """The units of time that a span names, other than years: that of `same quarter last year`."""
        words = self.spans[place].text.casefold().replace("'", " ").split()
        return {sense.name for word in words for sense in self._unit(word)} - {"year"}

    def _before_that(self, place: int) -> str:
        """What `the month before` is of the period that is asked for: the one before it, or the one a year ago."""
        units = {sense.name for word in self.spans[place].text.casefold().split() for sense in self._unit(word)}
        times = self.times or (self.before.times if self.before else ())
        of_times = {unit_of(time.text) for time in times}
        if not units or not times or units == of_times:
            return "previous"
        if units == {"year"} and None not in of_times:
            return "year-ago"
        raise Unclear(
            f"{self.spans[place].text!r} is of another length than the time that is asked for",
            "revenue last month compared with the month before",
        )

    def _unit(self, word: str) -> list[Sense]:
        senses = lexicon(self.lexed.language).phrases.get((folded(word.removeprefix("d'").removeprefix("l'")),), ())
        return [sense for sense in senses if sense.kind == "unit"]

    def _between_times(self, place: int) -> bool:
        before = place > 0 and any(self.spans[p].used for p in range(place) if self.near(p, 1) >= place - 1)
        places = [time.place for time in self.times]
        return (before and any(other > place for other in places) and any(other < place for other in places)) or (
            place < min(places) and self.has(place, "from") is not None
        )

    def _counts_beside(self, states: list[str]) -> bool:
        """`North and South: revenue, won and lost deals`: the numbers of deals beside another figure of each of some values."""
        several = [part for part in self.where if isinstance(part, Test) and part.op == "=" and len(part.values) > 1]
        if len(several) != 1 or self.goal or self.rank or not {*self.by} <= {several[0].name}:
            return False
        count: dict[str, str] = meanings()["measures"]["deals"]["count"]
        self.metrics += [count[state] for state in states]
        self.states, self.entity = [state for state in self.states if state[0] not in states], ""
        self.by = [several[0].name]
        return True

    def _beside_states(self) -> None:
        """Won beside lost: in number, each its own metric; a figure of both by their state."""
        beside = [state for state, is_in in self.states if is_in and state in ("open", "won", "lost")]
        if len(beside) > 1 and self.metrics and self.entity == "deals" and self._counts_beside(beside):
            return
        if not self.versus or len(beside) < 2 or self.by or self.rank:
            return
        selective = [name for name in self.metrics if selected(metrics.metrics()[name])]
        if selective:
            label = metrics.metrics()[selective[0]].measure.display_name
            raise Unclear(f"{label} is not of {' and '.join(beside)} deals each", f"What is the {label.lower()}?")
        if self.metrics or self.goal in ("average", "median"):
            self.states = [state for state in self.states if state[0] not in beside]
            self.where.append(Test("status", "=", tuple(beside)))
            self.by.append("status")
        elif not (self.entity or self.goal):
            self.entity, self.goal = "deals", "count"
