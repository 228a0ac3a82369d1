"""Spans of a question into slots: every span fills a slot or says nothing, or the question is not understood."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal, InvalidOperation

from medallion import metrics
from medallion.agent.planner.lexer import Lexed
from medallion.agent.planner.lexicon import Sense, meanings
from medallion.agent.planner.slots import About, Rank, Slots, Threshold
from medallion.agent.planner.times import Times
from medallion.metrics import periods
from medallion.metrics.conditions import Condition, Or, Test
from medallion.metrics.periods import Today

_TOUCHES = frozenset({"channel", "outcome", "direction"})
_COMPARED = ("gt", "ge", "lt", "le", "eq", "between")
_OPS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "eq": "="}
_RANKS = ("desc", "asc", "best", "worst", "newest", "oldest", "likeliest")
#: Dimensions whose values `by` may lead to.
_LED = frozenset({"owner", "account_manager", "owner_manager", "channel"})
_LAST = {f"last {unit}": f"this {unit}" for unit in ("day", "week", "month", "quarter", "year")}
#: A measure beside another: the average value, how many on average.
_MEASURED = {("amount", "average"), ("count", "average"), ("amount", "median"), ("average", "median")}
_ONE = frozenset({"a", "an", "one", "ein", "eine", "einen", "einem", "einer", "un", "une", "una", "uno"})
_DAYS = {"day": 1, "week": 7, "month": 30, "quarter": 91, "year": 365}
#: Kinds of spans beside which a question says the same, where they are left over.
_QUIET = frozenset({"neutral", "comma", "prep", "joined", "during"})


class Unclear(Exception):  # noqa: N818 - no error: the question is asked back
    """A question that is not understood, or may mean several things.

    Attributes:
        reason: Why, in words.
        closest: Questions that can be answered instead; none where nothing is near.
    """

    def __init__(self, reason: str, *closest: str) -> None:
        super().__init__(reason)
        self.reason, self.closest = reason, closest


class Reading:
    """One question being read: what is understood is marked as used."""

    def __init__(self, lexed: Lexed, today: Today, currency: str) -> None:
        self.spans, self.lexed, self.today, self.currency = lexed.spans, lexed, today, currency
        self.goal, self.entity, self.deed, self.turn, self.compare = "", "", "", "", ""
        self.states: list[tuple[str, bool]] = []
        self.where: list[Condition] = []
        self.by: list[str] = []
        self.fields: list[str] = []
        self.metrics: list[str] = []
        self.thresholds: list[Threshold] = []
        self.about: list[About] = []
        self.rank: Rank | None = None
        self.share = self.versus = self.me = self.past = self.follows = self.refers = False
        self.contrast = ""
        self.yes_no = bool(self.spans and self.spans[0].of("yes_no"))
        self.notes: list[str] = []

    # spans

    def has(self, place: int, *kinds: str) -> Sense | None:
        """The sense of an unused span of one of some kinds."""
        if not 0 <= place < len(self.spans) or self.spans[place].used:
            return None
        return self.spans[place].of(*kinds)

    def places(self, *kinds: str) -> list[int]:
        """Where unused spans of some kinds stand."""
        return [place for place in range(len(self.spans)) if self.has(place, *kinds)]

    def use(self, *places: int) -> None:
        """Mark spans as understood."""
        for place in places:
            self.spans[place].used = True

    def quiet(self, place: int) -> bool:
        """Whether a span says nothing by itself."""
        return bool(self.spans[place].senses) and all(one.kind in _QUIET for one in self.spans[place].senses)

    def near(self, place: int, step: int, *, over: tuple[str, ...] = ()) -> int:
        """The next place in a direction whose span says something; -1 or the number of spans where there is none."""
        place += step
        while 0 <= place < len(self.spans) and (self.quiet(place) or (over and self.spans[place].of(*over))):
            place += step
        return place

    def take(self, *kinds: str) -> bool:
        """Mark all spans of some kinds as understood; whether there are any."""
        found = self.places(*kinds)
        self.use(*found)
        return bool(found)

    # the whole

    def slots(self) -> Slots:
        """What the question says.

        Raises:
            Unclear: A span says something that no slot takes.
        """
        steps: tuple[Callable[[], None], ...] = (
            self._us, self._plan, self._gates, self._times, self._about, self._intents, self._silent, self._thresholds,
            self._values, self._unknown, self._ranked, self._compared, self._states, self._measure, self._splits, self._deeds,
            self._subject, self._rest,
        )  # fmt: skip
        for step in steps:
            step()
        if self.rank and self.rank.count is None and not self.rank.several:
            self.rank = replace(self.rank, several=self._several())
        return Slots(
            self.goal, tuple(dict.fromkeys(self.metrics)), tuple(dict.fromkeys(self.fields)), self.entity,
            tuple(dict.fromkeys(self.states)), tuple(self.where), tuple(self.times), self.deed,
            tuple(dict.fromkeys(self.by)), self.rank, tuple(self.thresholds), self.compare, self.versus, self.turn,
            self.share, self.me, tuple(dict.fromkeys(self.about)), self.yes_no,
            self.contrast, self._narrow(), tuple(self.notes), follows=self.follows or self.refers, refers=self.refers, past=self.past,
        )  # fmt: skip

    def _narrow(self) -> str:
        """The slot that the last condition of the question is in: what a share is of what comes before it."""
        for span in reversed(self.spans):
            if span.used and span.of("state") and not span.of("value"):
                return "states"
            if span.used and span.of("value", "kind", "outcome", "direction", "booked"):
                return "where"
            if span.used and span.of("number", "num") and self.thresholds:
                return "thresholds"
        return ""

    def _several(self) -> bool:
        """Whether the records or values that are ranked are said in the plural."""
        kinds = ("dim", "unit") if self.by and self.by != ["customer_name"] else ("entity", "kind")
        for place, span in enumerate(self.spans):
            if not span.of(*kinds):
                continue
            before = self.near(place, -1, over=("state", "value", "size"))
            led = before < 0 or self.spans[before].of("list", "by", *_RANKS)
            if led and (
                span.of("many") or (span.text.casefold().endswith(("s", "x")) and not span.text.endswith("ss"))
            ):
                return True
        return False

    def _us(self) -> None:
        """`US` written large is the country, `us` is who asks."""
        for place, span in enumerate(self.spans):
            kinds = {one.kind for one in span.senses}
            if not {"neutral", "value"} <= kinds:
                continue
            before = self.spans[place - 1].text.casefold() if place else ""
            named = span.text.isupper() or before in ("in", "the", "from")
            keep = "value" if named and not self._all_large() else "neutral"
            span.senses = tuple(one for one in span.senses if (one.kind == "value") == (keep == "value"))

    def _all_large(self) -> bool:
        return all(one.text.isupper() for one in self.spans) and len(self.spans) > 2

    # gates

    def _gates(self) -> None:
        """What there is no answer to, whatever stands beside it."""
        for place, span in enumerate(self.spans):
            if span.used:
                continue
            only = {one.kind for one in span.senses}
            if "nodata" in only and only <= {"nodata"}:
                raise Unclear(f"the data have nothing about {span.text!r}")
            if "kind" in only and span.of("kind") == Sense("kind", "email") and self._addresses(place):
                raise Unclear(
                    "addresses are personal data, which I do not read", "how many emails were sent last week?"
                )
            if "personal" in only and not self._contact(place):
                raise Unclear(f"{span.text!r} is personal data, which I do not read")
            if only and only <= {"notes"}:
                raise Unclear(f"{span.text!r} stands in notes and messages, which I do not read")
            first = all(self.quiet(other) for other in range(place))
            if "action" in only and first:
                raise Unclear(
                    "nothing can be changed from a conversation: propose it with `medallion actions propose`",
                    "medallion actions propose --help",
                )

    def _addresses(self, place: int) -> bool:
        """Whether the e-mails of accounts are asked for, which are addresses."""
        owner = self.near(place, 1)
        of = place + 1 < len(self.spans) and self.spans[place + 1].of("prep")
        return bool(
            of
            and owner < len(self.spans)
            and self.spans[owner].of("entity", "account", "deal")
            and not self.places("count")
        )

    def _contact(self, place: int) -> bool:
        return self.goal == "plan" and self.spans[place].of("verb") is not None

    def _plan(self) -> None:
        """Whom to call: a list of calls, or who or which, a word such as should, who asks or a rep, and calling."""
        if lists := self.places("intent"):
            named = [place for place in lists if self.spans[place].of("intent") == Sense("intent", "plan")]
            if named:
                self.goal = "plan"
                self.use(*named)
        calls = [place for place in self.places("verb") if Sense("verb", "contact") in self.spans[place].senses]
        asks = self.places("who", "whom", "list")
        if not self.goal and calls and asks and asks[0] < calls[-1]:
            call = calls[-1]
            wanted = [place for place in self.places("modal", "me") if place < call]
            after = [
                place
                for place in range(call + 1, len(self.spans))
                if self.has(place, "value", "me", "account", "entity")
            ]
            if wanted and not after and not self.places("state", "not", "never"):
                self.goal = "plan"
                self.use(call, *asks)
        if self.goal == "plan":
            self.take("modal", "first_thing", "verb")
            self.use(
                *[place for place in self.places("entity") if self.has(place, "entity") == Sense("entity", "accounts")]
            )
            if self.take("me"):
                self.me = True

    # times and names

    def _times(self) -> None:
        due = any(Sense("verb", "due") in self.spans[place].senses for place in self.places("verb"))
        future = self.goal == "plan" or bool(self.places("next")) or due
        found = Times(self.spans, self.today, future=future)
        if found.doubt:
            raise Unclear(found.doubt)
        self.times = found.found
        if vague := self.places("recently"):
            if self.places("intent"):
                self.use(*vague)  # what happened lately: the last touches
            else:
                raise Unclear(f"{self.spans[vague[0]].text!r} is no time: say since when", "in the last 30 days")
        if self.take("so_far"):
            self.past = False

    def _about(self) -> None:
        for place in self.places("account", "deal"):
            senses = self.spans[place].all("account") or self.spans[place].all("deal")
            keys = {one.name for one in senses}
            if len(keys) > 1:
                raise Unclear(
                    f"{self.spans[place].text!r} may mean several accounts",
                    *(f"{senses[0].value} ({key})" for key in sorted(keys)[:5]),
                )
            self.about.append(About(senses[0].kind, senses[0].name, senses[0].value))
            self.use(place)
            before = place - 1
            if self.has(before, "entity") == Sense("entity", "accounts" if senses[0].kind == "account" else "deals"):
                self.use(before)  # the account Lumen Works
            before = self.near(place, -1, over=("entity",))
            if self.has(before, "with", "from"):
                self.use(before)

    def _intents(self) -> None:
        """The named intents that are not about figures."""
        for place in self.places("intent"):
            name = self.spans[place].all("intent")
            for one in name:
                if self.goal or not self._fits(one.name, place):
                    continue
                self.goal = one.name
                self.use(place)
        told = [place for place in self.places("verb") if self._says(place, "verb", "define")]
        last = self.near(told[-1], 1) if told else 0
        asks = self.places("how") or (self.places("list") and last >= len(self.spans))
        if told and not self.goal and asks and not self.has(last, "metric", "field"):
            self.goal = "define"
            self.use(*told, *self.places("how"))
        if why := self.places("why"):
            self.goal = "score" if self.goal == "score" or (self.about and not self.places("metric")) else "why"
            self.use(*why)
        if self.goal == "score":
            self.take("intent", "size", "field", "verb")
        if self.goal == "brief":
            self.use(
                *[place for place in self.places("verb", "entity", "list", "when") if not self.has(place, "metric")]
            )

    def _fits(self, name: str, place: int) -> bool:
        if name == "score":
            return bool(self.about and self.places("why"))
        if name == "brief":
            return bool(self.about) and not self.places("metric", "field", "dim")
        if name == "forecast":
            return self.spans[place].of("value") is None or not self._stands_as_name(place)
        if name == "changed":
            return not self.about
        return True

    # conditions

    def _silent(self) -> None:
        """Not touched for so long: a duration, or a time beside words for silence."""
        quiet = self.places("not.lately")
        quiet = [place for place in range(len(self.spans)) if self._says(place, "not", "lately")]
        if not quiet:
            return
        for place in range(len(self.spans)):
            days = self._duration(place)
            if days is None:
                continue
            first, count = days
            op = ">"
            before = self.near(place, -1)
            if one := self.has(before, "gt", "ge"):
                op = _OPS[one.kind]
                self.use(before)
            self.use(*range(place, first))
            self.use(*[one for one in self.places("since", "within", "during") if one < place])
            self._silence(op, count, quiet)
            return
        for time in self.times:
            span = periods.read(time.text, self.today)
            if span.first and self.today.day and time.text.split()[0] in ("last", "since"):
                count = (self.today.day - span.first).days
                self._silence(">", count, quiet)
                self.times = [one for one in self.times if one is not time]
                return

    def _silence(self, op: str, days: int, quiet: list[int]) -> None:
        self.thresholds.append(Threshold("days_silent", op, str(days)))
        self.use(*quiet)

    def _says(self, place: int, kind: str, name: str) -> bool:
        return not self.spans[place].used and any(
            (one.kind, one.name) == (kind, name) for one in self.spans[place].senses
        )

    def _duration(self, place: int) -> tuple[int, int] | None:
        """Where a number of days, weeks or months ends, and how many days they are."""
        number = self.has(place, "number", "num")
        unit = self.has(place + 1, "unit")
        if number and unit and unit.name in _DAYS and number.name.isdigit():
            return place + 2, int(number.name) * _DAYS[unit.name]
        one = self.has(place, "unit") if unit is None and place else None
        if one and one.name in _DAYS and self.spans[place - 1].text.casefold() in _ONE:
            return place + 1, _DAYS[one.name]
        return None

    def _number(self, place: int) -> tuple[str, bool, bool, int] | None:
        """A number from a place on: how it is written, whether it is money or a share, and where it ends."""
        money = bool(self.has(place, "currency"))
        if money:
            self._currency(place)
        at = place + money
        found = self.has(at, "number", "num")
        if found is None:
            return None
        try:
            value = Decimal(found.name)
        except InvalidOperation:
            return None
        at += 1
        if magnitude := self.has(at, "magnitude"):
            value = value.scaleb(int(magnitude.name))
            money, at = money or magnitude.name != "3" or True, at + 1
        percent = bool(self.has(at, "percent"))
        at += percent
        if self.has(at, "currency"):
            self._currency(at)
            money, at = True, at + 1
        return f"{value.normalize():f}", money, percent, at

    def _currency(self, place: int) -> None:
        found = self.spans[place].of("currency")
        if found and found.name != self.currency:
            raise Unclear(
                f"all amounts are in {self.currency}, and there is no rate to {found.name}",
                f"the same in {self.currency}",
            )

    def _thresholds(self) -> None:
        """Comparisons with numbers: `more than 5`, `under $5k`, `between 10 and 20`, `30 or more`."""
        for place in range(len(self.spans)):
            kind = self.has(place, *_COMPARED)
            if kind is not None:
                self._compare_with(place, kind)
            elif (number := self._number(place)) and (more := self.has(number[3], "or_more", "or_less")):
                self._threshold(place, place, number, ">=" if more.kind == "or_more" else "<=", number[3] + 1)
        for place in self.places("currency"):
            self._currency(place)

    def _compare_with(self, place: int, kind: Sense) -> None:
        at = self.near(place, 1)
        number = self._number(at) if at < len(self.spans) else None
        if number is None and self.has(at, "unit") and self.spans[at - 1].text.casefold() in _ONE:
            number = ("1", False, False, at)  # older than a year
        if number is None:
            if kind.kind in ("gt", "lt") and place + 1 < len(self.spans) and self.spans[place + 1].used:
                self.use(place)  # over the last 30 days: the time has it
            return
        if kind.kind == "between":
            second = self.near(number[3] - 1, 1)
            other = self._number(second + 1) if self.has(second, "and") else None
            if other is None:
                return
            self._threshold(place, place, number, ">=", number[3])
            self._threshold(place, place, other, "<=", other[3])
            return
        self._threshold(place, at, number, _OPS[kind.kind], number[3], age=kind.name == "age")

    def _threshold(
        self, place: int, at: int, number: tuple[str, bool, bool, int], op: str, end: int, *, age: bool = False
    ) -> None:
        value, money, percent, after = number
        left = self.near(place, -1, over=("eq", "past", "yes_no"))
        column = ""
        unit = self.has(after, "unit")
        right = self.near(after - 1, 1)
        if unit and unit.name in _DAYS:
            value = str(int(Decimal(value)) * _DAYS[unit.name])
            end = max(end, after + 1)
            column = "age_days" if age else ""
            in_stage = self.near(after, 1)
            if not column and self._says(in_stage, "field", "days_in_stage") if in_stage < len(self.spans) else False:
                column = "days_in_stage"
                self.use(in_stage)
        if not column and (sense := self.has(left, "field", "metric")):
            column = sense.name
            self.use(left)
            if self.has(left - 1, "with") or self.has(self.near(left, -1), "with"):
                self.use(self.near(left, -1))
        elif not column and not unit and (sense := self.has(right, "field")) and not money:
            column = sense.name
            self.use(right)
        elif not column and not unit and not money and self.has(right, "state") and self.has(right + 1, "entity"):
            state = self.has(right, "state")
            column = f"{state.name}_deals" if state else ""
            self.use(right, right + 1)
        if not column and unit:
            quiet = [
                one
                for one in range(len(self.spans))
                if self._says(one, "state", "silent") or self._says(one, "not", "lately")
            ]
            stuck = [one for one in range(len(self.spans)) if self._says(one, "state", "stuck")]
            if quiet:
                column = "days_silent"
                self.use(*quiet)
            elif stuck:
                column = "days_in_stage"
                self.use(*stuck)
            elif any(self._says(one, "state", "open") for one in range(place)):
                column = "age_days"  # open for more than 60 days
            else:
                raise Unclear(f"{value} days since what: opening, the last touch, or in the stage?", "open for more than 60 days", "not touched for 30 days")  # fmt: skip
        lead = self.near(place, -1)
        if self.has(lead, "with"):
            self.use(lead)
        for one in (left, self.near(left, -1) if left >= 0 else -1):  # small deals under 5k, with a score above 90
            if self.has(one, "size"):
                wanted = "small" if op[0] == "<" else "big"
                if self.has(one, "size").name == wanted:  # type: ignore[union-attr]
                    self.use(one)
        self.thresholds.append(Threshold(column, op, value, money, percent))
        self.use(*range(place, end))
        for one in self.places("with", "size"):
            size = self.has(one, "size")
            if size and size.name == ("small" if op[0] == "<" else "big"):
                self.use(one)

    def _stands_as_name(self, place: int) -> bool:
        """Whether a word that means something else too stands as a name: after in, of, from; or written large."""
        before = place - 1
        while before >= 0 and self.spans[before].text.casefold() in ("the", "our"):
            before -= 1
        led = before >= 0 and self.spans[before].of("prep", "from", "via", "except", "or")
        entity = self.near(place, 1)
        return bool(
            (led and not (entity < len(self.spans) and self.has(entity, "entity"))) or self.spans[place].capital
        )

    def _concept(self, place: int) -> list[Sense]:
        """What a span that is a value is the value of; none where it says something else."""
        span = self.spans[place]
        senses = span.all("value")
        other = [one for one in span.senses if one.kind not in ("value", "neutral", "prep", "deal", "account")]
        beside = [one for one in (self.near(place, -1), self.near(place, 1)) if self.has(one, "dim")]
        for one in beside:
            dims = {sense.name for sense in self.spans[one].all("dim")}
            chosen = [sense for sense in senses if sense.name in dims]
            if chosen and (one == self.near(place, -1) or not self._is_split(one)):
                self.use(one)
                return chosen[:1]
        if other and not self._stands_as_name(place):
            return []
        touching = self.places("kind") or any(Sense("entity", "interactions") in one.senses for one in self.spans) or any(
            Sense("metric", "touches") in one.senses or Sense("metric", "touch_positive_rate") in one.senses for one in self.spans
        )  # fmt: skip
        of_touches = [one for one in senses if one.name in _TOUCHES]
        if touching and of_touches:
            senses = of_touches
        elif len(of_touches) < len(senses):
            senses = [one for one in senses if one.name not in _TOUCHES]
        if any(one.name == "owner" for one in senses):
            senses = [one for one in senses if one.name != "account_manager"]
        names = dict.fromkeys(one.name for one in senses)
        if len(names) > 1:
            raise Unclear(
                f"{span.text!r} may be {' or '.join(name.replace('_', ' ') for name in names)}",
                *(f"{name.replace('_', ' ')} {span.text}" for name in names),
            )
        return senses[:1]

    def _is_split(self, place: int) -> bool:
        return bool(self.has(self.near(place, -1), "by", "list", *_RANKS))

    def _values(self) -> None:
        """Values of dimensions: joined by and, or, commas; left out by not and except; compared by versus."""
        groups: list[tuple[int, int, str, list[str]]] = []
        for place in self.places("value"):
            found = self._concept(place)
            if not found:
                continue
            one = found[0]
            self.use(place)
            last = groups[-1] if groups else None
            if last and last[2] == one.name and self._contrasted(last[1], place):
                self.versus = True
                self.by.append(one.name)
                groups[-1] = (last[0], place, one.name, [*last[3], one.value])
            elif last and last[2] == one.name and self._joined(last[1], place, "and", "or", "vs", "to"):
                if self._joined(last[1], place, "vs") or (
                    self.places("compare") and not self._joined(last[1], place, "or")
                ):
                    self.versus = True
                    self.by.append(one.name)
                groups[-1] = (last[0], place, one.name, [*last[3], one.value])
                self.use(*[p for p in range(last[1], place) if self.has(p, "and", "or", "vs", "to")])
            else:
                groups.append((place, place, one.name, [one.value]))
        before: tuple[int, Condition] | None = None
        for first, last_place, name, values in groups:
            test: Condition = Test(name, "=", tuple(dict.fromkeys(values)))
            if self._negated(first):
                test = Test(name, "!=", tuple(dict.fromkeys(values)))
            lead = first - 1
            while lead >= 0 and (self.quiet(lead) or (self.spans[lead].used and self.spans[lead].of("dim"))):
                lead -= 1
            while self.has(lead, "from", "via", "only", "with") or (self.has(lead, "by") and name in _LED):
                self.use(lead)
                lead -= 1
                while lead >= 0 and (self.quiet(lead) or self.spans[lead].used):
                    lead -= 1
            if before and self._joined(before[0], first, "or"):
                self.use(*[p for p in range(before[0], first) if self.has(p, "or")])
                self.where[-1] = Or((before[1], test))
            else:
                if before and self._joined(before[0], first, "and"):
                    self.use(*[p for p in range(before[0], first) if self.has(p, "and")])
                self.where.append(test)
            before = (last_place, test)

    def _contrasted(self, first: int, last: int) -> bool:
        """Whether two values are put against each other: more ... than, better ... or; uses the words that do so."""
        between = [p for p in range(first + 1, last) if not self.spans[p].used]
        joints = [p for p in between if self.spans[p].of("vs", "gt", "lt", "or")]
        signs = [p for p in self.places("more", "fewer", "gt", "lt") if not self.has(p, "neutral")]
        if not joints or not signs:
            return False
        self.contrast = "fewer" if self.spans[signs[0]].of("fewer", "lt") else "more"
        self.yes_no |= not self.places("list", "who") and not any(self.has(p, "or") for p in joints)
        self.use(*joints, *signs)
        return True

    def _joined(self, first: int, last: int, *kinds: str) -> bool:
        """Whether nothing stands between two places but words that join, one of these kinds among them, or a comma."""
        between = range(first + 1, last)
        joins = [p for p in between if self.spans[p].of(*kinds)]
        quiet = [p for p in between if self.quiet(p) or self.spans[p].of("from", "via")]
        comma = any(self.spans[p].of("comma") for p in between)
        return len({*joins, *quiet}) == len(between) and bool(
            joins or (comma and kinds != ("vs",) and kinds != ("or",))
        )

    def _negated(self, place: int) -> bool:
        """Whether what stands at a place is left out; uses the word that says so."""
        at = place - 1
        while at >= 0 and (
            self.quiet(at) or (self.spans[at].of("from", "with", "verb") is not None and not self.has(at, "no"))
        ):
            at -= 1
        sense = self.has(at, "not", "except", "never", "no")
        if sense and sense.name != "lately":
            self.use(at)
            return True
        return False

    def _unknown(self) -> None:
        """`without an owner`, `with a close date`: what is not known, or known."""
        for place in self.places("no", "with"):
            at = self.near(place, 1)
            sense = self.has(at, "dim", "field")
            if sense is None or (self.has(place, "with") and not self._ends(at)):
                continue
            self.where.append(Test(sense.name, "unknown" if self.has(place, "no") else "known"))
            self.use(place, at)

    def _ends(self, place: int) -> bool:
        """Whether nothing that says something stands after a place."""
        return self.near(place, 1) >= len(self.spans)

    # figures

    def _ranked(self) -> None:
        """Which end of an order: `top 5`, `the three biggest`, `most`, `latest`; `last 5 deals`."""
        for place in self.places("order"):
            way = self.has(place, "order")
            self.rank = Rank(way.name if way else "desc", None, self.spans[place].text, several=True)
            self.use(place)
        for place in self.places("more", "fewer"):
            if len(self.times) > 1 and not self.contrast:
                self.contrast = "fewer" if self.has(place, "fewer") else "more"
                self.versus = True
                self.use(place)
        for place in self.places(*_RANKS, "last"):
            way = self.has(place, *_RANKS, "last")
            if way is None:
                continue
            if (
                self.rank is not None
                and self.rank.several
                and way.kind in (self.rank.way, "best")
                and self.rank.way == "desc"
            ):
                self.use(place)  # rank the best
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
            for at in (place + 1, place - 1):
                if self._count(at) is not None:
                    count, counted = self._count(at), [at]
                    break
            if self.rank is not None:
                raise Unclear(f"{self.rank.word!r} and {self.spans[place].text!r}: ask for one order at a time")
            if count is not None and count < 1:
                raise Unclear(f"{self.spans[place].text} {count} is none")
            self.rank = Rank(way.kind, count, self.spans[place].text, sized=self.spans[place].of("sized") is not None)
            self.use(place, *counted)
        if self.rank is None:
            return
        if self.rank.count is None and (lists := self.places("list", "count")):
            for place in lists:  # which 3 owners have the highest revenue
                if (count := self._count(place + 1)) is not None:
                    self.rank = Rank(self.rank.way, count, self.rank.word)
                    self.use(place + 1)

    def _count(self, place: int) -> int | None:
        found = self.has(place, "number", "num")
        if found and found.name.isdigit() and not self.has(place + 1, "unit", "percent", "magnitude", "currency"):
            return int(found.name)
        return None

    def _compared(self) -> None:
        """Beside what a figure is to be put, and whether it moved."""
        for kind, compare in (("last_year", "year-ago"), ("before_that", "previous")):
            if self.take(kind):
                self.compare = compare
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
        joins = self.places("vs") if len(self.times) > 1 or self.compare else []
        self.use(*joins)
        if self.take("compare") or joins:
            self.versus = True
        for kind in ("up", "down", "change"):
            if self.places(kind) and self.goal != "changed":
                self.turn = kind
                self.use(*self.places(kind))
        if self.turn == "change" and self.places("how") and not self.goal and not self.compare:
            self.take("how")
            self.turn = ""
            self.by.append("time:month")  # how did revenue develop
        for place in self.places("trend"):
            unit = self.spans[place].of("trend")
            self.by.append(f"time:{unit.name or 'month'}" if unit else "time:month")
            self.use(place)
        if self.versus or self.compare or (len(self.times) > 1):
            self.use(*self.places("same"))
            if len(self.times) > 1:
                self.use(
                    *[p for p in self.places("and", "or", "to", "from", "vs", "gt", "lt") if self._between_times(p)]
                )

    def _between_times(self, place: int) -> bool:
        before = place > 0 and any(self.spans[p].used for p in range(place) if self.near(p, 1) >= place - 1)
        places = [one.place for one in self.times]
        return (before and any(one > place for one in places) and any(one < place for one in places)) or (
            place < min(places) and self.has(place, "from") is not None
        )

    def _states(self) -> None:
        """States of records, each with whether they are in it."""
        for place in self.places("state"):
            span = self.spans[place]
            sense = span.of("state")
            if sense is None or (span.of("value") and self._stands_as_name(place)):
                continue
            if span.of("metric") and not span.of("state", "untouched"):
                continue
            state = sense.name
            positive = not self._negated(place)
            self.states.append((state, positive))
            self.use(place)
            for beside in (place - 1, place + 1):
                if self.has(beside, "still"):
                    self.use(beside)
            lead = self.near(place, -1)
            if self.has(lead, "only", "with"):
                self.use(lead)
            if len(self.states) > 1 and self.has(lead, "and", "or"):
                self.use(lead)

    def _measure(self) -> None:
        """How many, how much, average, share."""
        for kind in ("median", "average", "count", "amount", "share", "when"):
            for place in self.places(kind):
                if kind == "amount" and self.has(place, "metric", "field") and self.goal != "count":
                    continue
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
                elif not self.goal:
                    self.goal = kind
                elif self.goal != kind and (kind, self.goal) not in _MEASURED:
                    continue
                self.use(place)
        self.take("total")

    def _splits(self) -> None:
        """What to split by."""
        for place in self.places("by"):
            sense = self.has(place, "by")
            at = self.near(place, 1)
            if self._split_at(at):
                self.use(place)
                self._more_splits(at)
            elif sense and sense.name == "own":
                self.use(place)
            elif (
                self.rank
                and at < len(self.spans)
                and self.spans[at].of("metric", "field", "state", "entity", "count", "amount", "average", "total")
            ):
                self.use(place)  # the top 5 reps by revenue
        loose = self.rank or self.versus or self.share or self.turn or self.thresholds or self.places("list", "who")
        if loose and self.goal not in ("define", "plan", "score", "brief") and not self.about:
            for place in self.places("dim"):
                self._split_at(place)
            for place in self.places("unit"):
                if self.near(place, -1) >= 0 and self.spans[self.near(place, -1)].of("list", *_RANKS):
                    self._split_at(place)  # which month, the best week
        for place in self.places("who"):
            before = self.near(place, -1, over=("carry",))
            if before >= 0 and (
                self.spans[before].of("dim") or self.spans[before].of("entity") == Sense("entity", "accounts")
            ):
                self.use(place)  # customers who bought
            elif before < 0 and not self.about and not any(Sense("verb", "own") in one.senses for one in self.spans):
                self.by.append("owner")
                self.use(place)

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
            if name.name in ("create", "close", "win", "lose", "due", "move", "sell"):
                if self.deed and self.deed != name.name and {self.deed, name.name} != {"sell", "win"}:
                    if name.name == "sell":
                        self.use(place)
                    continue
                self.deed = self.deed or name.name
                self.use(place)

    # what it is about

    def _subject(self) -> None:
        """Metrics, columns and records that are asked for."""
        for place in self.places("metric"):
            sense = self.spans[place].of("metric")
            column = self.spans[place].of("field")
            if sense is None:
                continue
            if column and self.about and not metrics.metrics()[sense.name].measure.period:
                self.fields.append(column.name)
            elif (
                (self.spans[place].of("entity") and self.goal == "list" and not self.by)
                or self.spans[place].of("kind")
                or (self.spans[place].of("entity") and (self.metrics or self.entity))
            ):
                continue
            else:
                self.metrics.append(self._averaged(sense.name) if self.goal in ("average", "median") else sense.name)
            self.use(place)
            told = metrics.metrics()[sense.name].measure.unit if sense.name in metrics.metrics() else ""
            if told in ("days", "hours", "minutes"):
                self.take("how_long")
            for unit in self.places("unit"):
                if told == f"{self.spans[unit].of('unit').name}s" and self.spans[unit - 1].of("prep"):  # type: ignore[union-attr]
                    self.use(unit)  # the sales cycle in days
            joint = self.near(place, -1)
            if len(self.metrics) + len(self.fields) > 1 and self.has(joint, "and", "vs"):
                self.use(joint)
        for place in self.places("entity", "kind", "outcome", "booked", "direction"):
            self._records(place)
        for place in self.places("field"):
            sense = self.has(place, "field")
            if sense and (self.about or self.entity or self.rank or self.goal in ("when", "average", "median")):
                self.fields.append(sense.name)
                self.use(place)
        if self.about:
            for place in self.places("dim"):
                sense = self.has(place, "dim")
                self.fields.append(sense.name if sense else "")
                self.use(place)
            own = [place for place in self.places("verb") if self._says(place, "verb", "own")]
            if own and self.places("who", "list"):
                self.fields.append("owner")
                self.use(*own, *self.places("who", "list"))
            self._day_of()
        owned = [place for place in self.places("verb") if self._says(place, "verb", "own")]
        if owned and any("owner" in str(one) for one in self.where):
            self.use(*owned)

    def _day_of(self) -> None:
        """`when does L-1 close`, `the value of L-1`: a column of the one account or deal."""
        days = {"close": "expected_close_date", "due": "expected_close_date", "create": "created_date", "win": "closed_date",
                "lose": "closed_date"}  # fmt: skip
        if self.goal == "when" and not self.fields:
            touched = [place for place in self.places("verb") if self._says(place, "verb", "touch")]
            if self.deed in days:
                self.fields.append(days[self.deed])
                self.deed = ""
            elif touched:
                self.fields.append("last_touch_date")
                self.use(*touched)
        elif self.goal == "amount" and not self.fields and not self.metrics and self.about[0].kind == "deal":
            self.fields.append("deal_value")

    def _averaged(self, name: str) -> str:
        """The metric that an average or median of another one is; of a total there is none without saying per what."""
        measure = metrics.metrics()[name].measure
        found = meanings()["averages"][self.goal].get(name)
        if found is None and (measure.additivity == "flow" or measure.format.type == "currency"):
            raise Unclear(
                f"the {self.goal} of {measure.display_name.lower()} per what?",
                f"{self.goal} deal size", f"{measure.display_name.lower()} by month",
            )  # fmt: skip
        return found or name

    def _records(self, place: int) -> None:
        """A word for records: deals, accounts, touches of a kind."""
        sense = self.has(place, "kind", "outcome", "direction", "booked", "entity")
        if sense is None:
            return
        if sense.kind in ("kind", "outcome", "direction", "booked"):
            touching = sense.kind != "booked" or self.entity == "interactions" or self._near_touch(place)
            if not touching:
                return
            test = {
                "kind": Test("channel", "=", (sense.name,)), "outcome": Test("outcome", "=", (sense.name,)),
                "direction": Test("direction", "=", (sense.name,)), "booked": Test("outcome", "=", ("meeting_booked",)),
            }[sense.kind]  # fmt: skip
            if sense.kind == "outcome" and sense.name == "positive":
                test = Test("positive", "is")
            if sense.kind == "kind" and sense.name == "meeting" and self._booked():
                test = Test("outcome", "=", ("meeting_booked",))
            if not self.entity or self.entity == "interactions":
                self.entity = "interactions"
                self.where.append(test)
                self.use(place)
            return
        if self.entity and self.entity != sense.name:
            if {self.entity, sense.name} == {"accounts", "deals"}:
                self._both(place, sense.name)
            elif self.entity == "interactions" or sense.name == "interactions":
                self._with_touches(place, sense.name)
            return
        self.entity = sense.name
        self.use(place)

    def _booked(self) -> bool:
        found = self.places("booked")
        self.use(*found)
        return bool(found)

    def _near_touch(self, place: int) -> bool:
        return bool(self.places("kind"))

    def _both(self, place: int, name: str) -> None:
        """Accounts and deals in one question: customers with open deals; deals of customers in Germany."""
        if self.entity == "accounts":
            negated = self._negated(place) or any(self._negated(p) for p in range(place) if self.spans[p].of("state"))
            if negated and not self.states:
                self.states.append(("any_deal", False))
            elif negated:
                self.states = [(state, False) for state, _ in self.states]
            if not self.states and not self.rank:
                return
            lead = self.near(place, -1, over=("state",))
            if self.has(lead, "with"):
                self.use(lead)
        elif self.by or self.rank:
            self.by.append("customer_name")
        self.use(place)

    def _with_touches(self, place: int, name: str) -> None:
        if self.entity == "interactions" and name == "accounts" and not self.rank:
            self.use(place)

    # what is left

    def _rest(self) -> None:
        """What no slot has taken: who asks, words of lists, and what is not understood."""
        if me := self.places("me"):
            self.use(*me)
            self.me = True
        if past := self.places("past"):
            self.past = True
            self.use(*past)
        if self.take("list"):
            self.goal = self.goal or "list"
            deeds = ("win", "lose", "close", "create", "due", "sell")
            if (
                self.goal == "list"
                and self.deed in deeds
                and not (self.entity or self.metrics or self.by or self.rank or self.about)
            ):
                self.entity = "deals"  # what did we win last week
        if self.take("ones"):
            self.goal = "list"
            self.refers = True
        if self.spans and self.spans[0].of("carry"):
            self.follows = True
        if self.take("more_of_it"):
            self.refers = True
        for place, span in enumerate(self.spans):
            if (
                span.text in ("-", "\u2013")
                and self.near(place, 1) < len(self.spans)
                and self.spans[self.near(place, 1)].of("count", "amount", "list", "by")
            ):
                self.use(place)
        self._helpers()
        left = [span for place, span in enumerate(self.spans) if not span.used and not self._says_nothing(place)]
        if left:
            told = ", ".join(repr(one.text) for one in left[:4])
            raise Unclear(f"I do not understand {told} in the question")

    def _helpers(self) -> None:
        """Verbs and joints that say the same as what was understood already."""
        for place in self.places("verb"):
            name = {one.name for one in self.spans[place].all("verb")}
            figure = self.metrics or self.entity == "interactions" or self.goal in ("amount", "count")
            if (
                (("get" in name or "sell" in name or "work" in name) and figure and not self.places("who"))
                or ("happen" in name and self.goal in ("changed", "brief", "why"))
                or ("touch" in name and (self.entity == "interactions" or "last_touch_date" in self.fields))
            ):
                self.use(place)
        for place in self.places("carry"):
            led = all(self.spans[p].used or self.quiet(p) or self.spans[p].of("carry") for p in range(place))
            beside = place == 0 or self.spans[place - 1].of("carry") or self.quiet(place - 1)
            if led and beside and not self.has(place, "not"):
                self.use(place)
        if self.goal == "list" or self.entity == "interactions":
            self.take("whom")
        if self.entity or self.metrics or self.where:
            for place in self.places("only"):
                self.use(place)
        if self.states:
            self.take("still")
        if self.goal == "define":
            self.take("you", "how", "list", "when", "past", "to")
        if self.goal in ("why", "changed"):
            self.take("list", "how", "verb")

    def _says_nothing(self, place: int) -> bool:
        """Whether a span that no slot took says nothing where it stands: what follows `in` and `of` is a name."""
        span = self.spans[place]
        if span.of("value") or not any(one.kind in _QUIET for one in span.senses):
            return False
        large = span.text.isupper() and 1 < len(span.text) < 4 and not self._all_large() and span.text != "OK"
        if large or place + 1 < len(self.spans) or place == 0:
            return not large
        if span.of("ours", "comma", "joined"):
            return True
        return not span.of("prep") and not self.spans[place - 1].of("prep")
