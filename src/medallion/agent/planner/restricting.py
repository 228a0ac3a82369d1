"""Which records a question is about."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal, InvalidOperation

from medallion.agent.planner.lexicon import Sense, meanings
from medallion.agent.planner.marking import RANKS, Marking, Unclear
from medallion.agent.planner.slots import OF_DEED, Average, Threshold
from medallion.metrics.conditions import Beside, Condition, Or, Test

_TOUCHES = frozenset({"channel", "outcome", "direction"})
#: What only contacts have.
OF_CONTACTS = frozenset({"role", "language", "consent"})
_COMPARED = ("gt", "ge", "lt", "le", "eq", "between")
OPS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "eq": "="}
#: Dimensions whose values `by` may lead to.
_LED = frozenset({"owner", "account_manager", "owner_manager", "channel", "source", "team", "owner_team"})
#: Columns that are days.
_DAY_FIELDS = frozenset({"expected_close_date", "closed_date", "created_date", "last_touch_date", "entered_date"})
#: Metrics that are an average of what records are worth.
_AVERAGES = (Sense("metric", "average_deal_value"), Sense("metric", "average_won_value"))
ONE = frozenset({"a", "an", "one", "ein", "eine", "einen", "einem", "einer", "un", "une", "una", "uno"})
DAYS = {"day": 1, "week": 7, "month": 30, "quarter": 91, "year": 365}


class Restricting(Marking):
    """Reads which records a question is about: values, thresholds, silence, what is not known."""

    def _beside(self) -> None:
        """A column beside another, or beside an average: `closed after their expected close date`, `above average`."""
        for place in self.places("against"):
            sense = self.has(place, "against")
            late = sense is not None and sense.name == "late"
            self.where.append(Test("closed_date", ">" if late else "<", (Beside("expected_close_date"),)))
            if not any(self.spans[at].of("state", "verb") for at in range(len(self.spans)) if at != place):
                self.states.append(("closed", True))
            self.use(place)
        for place in self.places("after", "before", "gt", "lt"):
            sign = self.has(place, "after", "before", "gt", "lt")
            at = self.near(place, 1, over=("they",))
            op = ">" if sign and sign.kind in ("after", "gt") else "<"
            if sign and sign.kind in ("gt", "lt") and self._average_at(at):
                self._beside_average(place, at, op)
                continue
            other = self.has(at, "field")
            column = self._day_beside(place, at) if other and other.name in _DAY_FIELDS else ""
            if other and column and column != other.name:
                self.where.append(Test(column, op, (Beside(other.name),)))
                self.use(*range(place, at + 1))

    def _day_beside(self, place: int, last: int) -> str:
        """The day that is compared: a column, or that on which deals were opened, won or closed; German says it last."""
        days: dict[str, str] = meanings()["days"]
        for at in (*range(place - 1, -1, -1), *range(last + 1, len(self.spans))):
            if sense := self.has(at, "field"):
                if sense.name in _DAY_FIELDS:
                    self.use(at)
                    return sense.name
                return ""
            for meaning in self.spans[at].senses:
                if (
                    meaning.kind in ("state", "verb")
                    and meaning.name in days
                    and meaning.name not in ("due", "overdue")
                ):
                    return days[meaning.name]
        return ""

    def _average_at(self, place: int) -> bool:
        """Whether an average is what stands at a place, or a group and its average."""
        at = place
        while at < len(self.spans) and self.has(at, "dim", "entity", "they", "prep", "neutral"):
            if self.has(at, "average", "metric"):
                break
            at += 1
        return bool(self.has(at, "average")) or self.has(at, "metric") in _AVERAGES

    def _beside_average(self, place: int, at: int, op: str) -> None:
        group = ""
        end = at
        while not (self.has(end, "average") or self.has(end, "metric") in _AVERAGES):
            if sense := self.has(end, "dim", "entity"):
                group = {"accounts": "customer_name", "deals": ""}.get(sense.name, sense.name)
            end += 1
        left = self.near(place, -1, over=("yes_no",))
        column = self.has(left, "field")
        rest = end + 1
        while rest < len(self.spans) and self.has(
            rest, "entity", "state", "field", "neutral", "prep", "from", "they", "dim"
        ):
            if sense := self.has(rest, "dim"):
                if not self.spans[rest - 1].of("prep", "from", "neutral"):
                    break
                group = sense.name
            if self.has(rest, "entity") == Sense("entity", "accounts"):
                group = "customer_name"
            rest += 1
        states = [position for position in range(end + 1, rest) if self.has(position, "state")]
        before = [self.spans[position].of("state") for position in range(place) if self.has(position, "state")]
        if any(self.spans[position].of("state") not in before for position in states):
            return  # the average of other records than those that are listed
        while rest > end + 1 and not self.spans[rest - 1].of("entity", "state", "field", "dim"):
            rest -= 1
        if column:
            lead = self.near(left, -1)
            self.use(left, *([lead] if self.has(lead, "with") else []))
        self.average = Average(column.name if column else "", op, group)
        self.use(*range(place, rest))

    def _says(self, place: int, kind: str, name: str) -> bool:
        return (
            place < len(self.spans)
            and not self.spans[place].used
            and any((sense.kind, sense.name) == (kind, name) for sense in self.spans[place].senses)
        )

    def _number(self, place: int) -> tuple[str, bool, bool, int] | None:
        """A number from a place on: how it is written, whether it is money or a share, and where it ends."""
        money = bool(self.has(place, "currency"))
        if money:
            self._currency(place)
        at = place + money
        number = self.has(at, "number", "num")
        if number is None:
            return None
        try:
            value = Decimal(number.name)
        except InvalidOperation:
            return None
        at += 1
        if magnitude := self.has(at, "magnitude"):
            value = value.scaleb(int(magnitude.name))
            money, at = money or magnitude.name != "3" or True, at + 1
        percent = bool(
            self.has(at, "percent") or (self.has(at, "share") and self.has(at + 1, "metric"))
        )  # 50% of quota
        at += percent
        if self.has(at, "currency"):
            self._currency(at)
            money, at = True, at + 1
        return f"{value.normalize():f}", money, percent, at

    def _between(self, place: int, at: int, number: tuple[str, bool, bool, int]) -> None:
        """`between 10 and 20k`, `between 2 and 4 weeks old`: what the second number counts, the first counts too.

        Raises:
            Unclear: Nothing is between the two.
        """
        second = self.near(number[3] - 1, 1)
        other = self._number(second + 1) if self.has(second, "and") else None
        if other is None:
            return
        unit = self.has(other[3], "unit")
        number = self._scaled_as(number, at, other, second + 1)
        if unit and unit.name in DAYS and not self.has(number[3], "unit"):
            number = (str(int(Decimal(number[0]) * DAYS[unit.name])), *number[1:])
        self._threshold(place, place, number, ">=", number[3])
        self._threshold(place, place, other, "<=", other[3])
        low, high = self.thresholds[-2:]
        if Decimal(low.value) > Decimal(high.value):
            raise Unclear(f"nothing is between {low.value} and {high.value}", remedy="Name the smaller one first.")
        column, percent = low.column or high.column, low.percent or high.percent
        self.thresholds[-2:] = [replace(each, column=column, percent=percent) for each in (low, high)]

    def _scaled_as(
        self, number: tuple[str, bool, bool, int], at: int, other: tuple[str, bool, bool, int], place: int
    ) -> tuple[str, bool, bool, int]:
        """The first of two numbers, at `at`, where the second at `place` says for both what they count: `10 and 20 thousand`."""
        first, written = (self.has(each + bool(self.has(each, "currency")), "number", "num") for each in (at, place))
        value, money, percent, end = number
        if first is None or written is None or percent or Decimal(value) != Decimal(first.name):
            return number  # it says what it counts by itself
        if Decimal(value) >= Decimal(written.name) or not Decimal(written.name):
            return number
        scale = Decimal(other[0]) / Decimal(written.name)
        return f"{(Decimal(value) * scale).normalize():f}", money or other[1], other[2], end

    def _currency(self, place: int) -> None:
        currency = self.spans[place].of("currency")
        if currency and currency.name != self.currency:
            raise Unclear(
                f"all amounts are in {self.currency}, and there is no rate to {currency.name}",
                f"the same in {self.currency}",
            )

    def _thresholds(self) -> None:
        """Comparisons with numbers: `more than 5`, `under $5k`, `between 10 and 20`, `30 or more`."""
        self._stuck_for()
        for place in range(len(self.spans)):
            kind = self.has(place, *_COMPARED)
            if kind is not None:
                self._compare_with(place, kind)
            elif number := self._number(place):
                unit = self.has(number[3], "unit") is not None
                if more := self.has(number[3] + unit, "or_more", "or_less"):  # 10 days or more
                    op = ">=" if more.kind == "or_more" else "<="
                    self._threshold(place, place, number, op, number[3] + unit + 1)
        for place in self.places("currency"):
            self._currency(place)

    def _stuck_for(self) -> None:
        """`that have not moved in 30 days`, `stuck for a month`: longer than that in their stage."""
        stuck = [place for place in self.places("state") if self._says(place, "state", "stuck")]
        for place in self.places("number", "num", "unit") if len(stuck) == 1 else ():
            unit = self.has(place, "unit") or self.has(place + 1, "unit")
            number = self.has(place, "number", "num")
            single = number is None and place > 0 and self.spans[place - 1].text.casefold() in ONE
            count = number.name if number else "1" if single else ""
            before = self.near(place, -1)
            led = before in stuck or (self.has(before, "since", "within", "during") and self.near(before, -1) in stuck)
            if led and unit and unit.name in DAYS and count.isdigit():
                end = place + 2 if number else place + 1
                op = ">=" if self.has(end, "or_more") else ">"
                self.thresholds.append(Threshold("days_in_stage", op, str(int(count) * DAYS[unit.name])))
                self.use(*stuck, *range(before, end), *([end] if op == ">=" else []))

    def _compare_with(self, place: int, kind: Sense) -> None:
        at = self.near(place, 1)
        number = self._number(at) if at < len(self.spans) else None
        alone = self.has(at, "unit") or self._counted(at)
        if number is None and alone and (kind.name == "one" or self.spans[at - 1].text.casefold() in ONE):
            number = ("1", False, False, at)  # older than a year, plus d'une affaire ouverte
        if (
            number is None
            and self.has(at, "metric") == Sense("metric", "quota")
            and kind.kind in ("gt", "ge", "lt", "le")
        ):
            self.thresholds.append(Threshold("quota_attainment", OPS[kind.kind], "100", percent=True))
            self.use(*range(place, at + 1))  # over quota
            return
        if number is None:
            if kind.kind in ("gt", "lt") and place + 1 < len(self.spans) and self.spans[place + 1].used:
                self.use(place)  # over the last 30 days: the time has it
            return
        if kind.kind == "between":
            self._between(place, at, number)
            return
        self._threshold(place, at, number, OPS[kind.kind], number[3], age=kind.name == "age")

    def _threshold(
        self, place: int, at: int, number: tuple[str, bool, bool, int], op: str, end: int, *, age: bool = False
    ) -> None:
        value, money, percent, after = number
        left = self.near(place, -1, over=("eq", "past", "yes_no"))
        column = ""
        of_quota = self.near(end - 1, 1)
        if percent and self.has(of_quota, "metric") == Sense("metric", "quota"):
            column = "quota_attainment"  # below 50% of quota
            self.use(of_quota)
        unit = self.has(after, "unit")
        right = self.near(end - 1, 1)
        if unit and unit.name in DAYS:
            value = str(int(Decimal(value)) * DAYS[unit.name])
            end = max(end, after + 1)
            unmoved = any(self._says(position, "state", "stuck") for position in range(len(self.spans)))
            column = "age_days" if age and not unmoved else ""
            for in_stage in (self.near(after, 1), left):
                if 0 <= in_stage < len(self.spans) and self._says(in_stage, "field", "days_in_stage"):
                    column = "days_in_stage"  # seit über 30 Tagen in derselben Phase
                    self.use(in_stage)
            stage = {sense.name for sense in self.spans[left].all("value")} if left >= 0 else set()
            if not (column or age) and stage == {"stage"}:
                column = "days_in_stage"  # in negotiation for more than 60 days
        out = self.near(place, -1, over=("entity",))
        if self.has(out, "except"):  # excluding deals under 10k
            if any(self.has(position, "entity") == Sense("entity", "deals") for position in range(out, place)):
                column = column or "deal_value"
            self.use(*[position for position in range(out, place) if self.has(position, "except", "entity")])
            op = {">": "<=", ">=": "<", "<": ">=", "<=": ">", "=": "!="}[op]
        kinds = ("metric", "field") if self.places("dim", "unit", "who") else ("field", "metric")
        if not column and (sense := self.has(left, *kinds)):
            column = sense.name
            self.use(left)
            if self.has(left - 1, "with") or self.has(self.near(left, -1), "with"):
                self.use(self.near(left, -1))
        elif not column and not unit and (sense := self.has(right, "field")) and not money:
            column = sense.name
            self.use(right)
        elif not column and not unit and not money and self._counted(right):
            state = self.has(right, "state") or self.has(right + 1, "state")
            column = self._count_of(state.name if state else "")
            if not column:
                raise Unclear(
                    f"the number of {self.spans[right].text} {self.spans[right + 1].text} is no figure to compare with",
                    "owners with more than 3 open deals",
                )
            self.use(right, right + 1)
        elif not (column or unit or money or percent) and self.has(right, "entity") == Sense("entity", "deals"):
            column = self._count_of("")
            if not column:
                raise Unclear(f"{op} {value} deals of whom?", "owners with more than 3 open deals")
            self.use(right)
        if not column and unit:
            quiet = [
                position
                for position in range(len(self.spans))
                if self._says(position, "state", "silent")
                or self._says(position, "state", "untouched")
                or self._says(position, "not", "lately")
            ]
            stuck = [position for position in range(len(self.spans)) if self._says(position, "state", "stuck")]
            if quiet:
                column = "days_silent"
                self.use(*quiet)
            elif stuck:
                column = "days_in_stage"
                self.use(*stuck)
            elif any(self._says(position, "state", "open") for position in range(place)):
                column = "age_days"  # open for more than 60 days
            else:
                raise Unclear(f"{value} days since what: opening, the last touch, or in the stage?", "open for more than 60 days", "not touched for 30 days")  # fmt: skip
        lead = self.near(place, -1)
        if self.has(lead, "with"):
            self.use(lead)
        for position in (left, self.near(left, -1) if left >= 0 else -1):  # small deals under 5k, with a score above 90
            if self.has(position, "size"):
                wanted = "small" if op[0] == "<" else "big"
                if self.has(position, "size").name == wanted:  # type: ignore[union-attr]
                    self.use(position)
        self.thresholds.append(Threshold(column, op, value, money, percent))
        self.use(*range(place, end))
        for position in self.places("with", "size"):
            size = self.has(position, "size")
            if size and size.name == ("small" if op[0] == "<" else "big"):
                self.use(position)

    def _count_of(self, state: str) -> str:
        """What counts deals in a state: a column of accounts, or the metric where owners, months and the like are asked for.

        Where no state is said it is that of what happened to them: `who won more than 3 deals`.
        """
        deeds = {sense.name for span in self.spans for sense in span.all("verb") if sense.name in OF_DEED}
        done = {outcome for deed in deeds for outcome in OF_DEED[deed]}
        stated = {sense.name for span in self.spans for sense in span.all("state")}
        done |= stated & {"won", "lost"}
        if "closed" in stated and not done:
            done = {*OF_DEED["close"]}
        if not state and done:
            if len(done) > 1:
                raise Unclear("deals are won or lost, and the question counts both", "who won more than 3 deals")
            state = done.pop()
            if not self.places("dim", "unit", "who"):
                return ""
        if self.places("dim", "unit", "who"):
            count: dict[str, str] = meanings()["measures"]["deals"]["count"]
            own = f"{state if state != 'untouched' else 'never_touched'}_deals"
            return count.get(state, own if own in meanings()["composed"] else "")
        return f"{state}_deals" if state else ""

    def _counted(self, place: int) -> bool:
        """Whether records in a state stand at a place, in the one order or the other: `won deals`, `affaires gagnées`."""
        pair = [{kind for kind in ("state", "entity") if self.has(at, kind)} for at in (place, place + 1)]
        return ("state" in pair[0] and "entity" in pair[1]) or ("entity" in pair[0] and "state" in pair[1])

    def _stands_as_name(self, place: int) -> bool:
        """Whether a word that means something else too stands as a name: after in, of, from; or written large."""
        before = place - 1
        while before >= 0 and self.spans[before].text.casefold() in ("the", "our"):
            before -= 1
        led = before >= 0 and self.spans[before].of("prep", "from", "via", "except", "or")
        entity = self.near(place, 1)
        noun = self.lexed.language == "de" and self.spans[place].of("kind")  # every noun is written so
        named = self.spans[place].capital and not noun
        return bool((led and not (entity < len(self.spans) and self.has(entity, "entity"))) or named)

    def _concept(self, place: int) -> list[Sense]:
        """What a span that is a value is the value of; none where it says something else."""
        span = self.spans[place]
        senses = span.all("value")
        other = [sense for sense in span.senses if sense.kind not in ("value", "neutral", "prep", "deal", "account")]
        lead = self.near(place, -1)
        stage = [sense for sense in senses if sense.name == "stage"]
        if stage and lead >= 0 and self._says(lead, "field", "days_in_stage"):
            self.use(lead)  # in der Phase negotiation
            return stage[:1]
        beside = [at for at in (self.near(place, -1, over=("from",)), self.near(place, 1)) if self.has(at, "dim")]
        of_category = [sense for sense in senses if sense.name == "category"]
        if of_category and self.has(place + 1, "dim") == Sense("dim", "product"):
            self.use(place + 1)  # the platform products
            return of_category[:1]
        beside_dim = any(self.has(at, "dim") == Sense("dim", "segment") for at in beside)
        for at in beside:
            dims = {sense.name for sense in self.spans[at].all("dim")}
            if "owner_manager" in dims and at != place - 1:
                continue  # the manager of Ben Haddad, not Ben Haddad as the manager of others
            chosen = [sense for sense in senses if sense.name in dims]
            if chosen and (at == self.near(place, -1) or not self._is_split(at)):
                self.use(at)
                return chosen[:1]
        in_question = {sense for other_span in self.spans for sense in other_span.senses}
        if span.of("risk") and not beside_dim and self._says_risk():
            self.use(place)  # deals at risk: over 100k and no contact for two weeks
            return []
        if span.of("risk") and not beside_dim and Sense("entity", "deals") in in_question:
            raise Unclear(
                f"{span.text!r} is a segment of accounts: which deals are?",
                "overdue deals", "silent deals", f"customers in segment {span.text}",
            )  # fmt: skip
        if [sense for sense in other if sense.kind != "risk"] and not self._stands_as_name(place):
            return []
        touches = {Sense("entity", "interactions"), Sense("metric", "touches"), Sense("metric", "touch_positive_rate")}
        touching = self.places("kind") or touches & in_question
        of_touches = [sense for sense in senses if sense.name in _TOUCHES]
        if touching and of_touches:
            senses = of_touches
        elif len(of_touches) < len(senses):
            senses = [sense for sense in senses if sense.name not in _TOUCHES]
        people = [sense for sense in senses if sense.name in OF_CONTACTS]
        if self._asks_contacts() or len(people) == len(senses):
            senses = people or senses
        else:
            senses = [sense for sense in senses if sense not in people]
        if any(sense.name == "owner" for sense in senses):
            senses = [sense for sense in senses if sense.name not in ("account_manager", "owner_manager")]
        names = dict.fromkeys(sense.name for sense in senses)
        if len(names) > 1:
            raise Unclear(
                f"{span.text!r} may be {' or '.join(name.replace('_', ' ') for name in names)}",
                *(f"{name.replace('_', ' ')} {span.text}" for name in names),
            )
        return senses[:1]

    def _asks_contacts(self) -> bool:
        """Whether contacts are asked about, here or before."""
        before = self.before.metrics if self.before is not None else ()
        return "contacts" in before or any(Sense("metric", "contacts") in span.senses for span in self.spans)

    def _says_risk(self) -> bool:
        """Whether the question says itself which deals it holds to be at risk, after a colon or comma."""
        risks = [place for place, span in enumerate(self.spans) if span.of("risk")]
        apart = risks and (self.spans[risks[0]].ends or self.has(risks[0] + 1, "comma"))
        return bool(apart) and any(threshold.column == "days_silent" for threshold in self.thresholds)

    def _is_split(self, place: int) -> bool:
        return bool(self.has(self.near(place, -1), "by", "list", *RANKS))

    def _values(self) -> None:
        """Values of dimensions: joined by and, or, commas; left out by not and except; compared by versus."""
        groups: list[tuple[int, int, str, list[str]]] = []
        for place in self.places("value"):
            senses = self._concept(place)
            if not senses:
                continue
            sense = senses[0]
            self.use(place)
            last = groups[-1] if groups else None
            if last and last[2] == sense.name and self._contrasted(last[1], place):
                self.versus = True
                self.by.append(sense.name)
                groups[-1] = (last[0], place, sense.name, [*last[3], sense.value])
            elif last and last[2] == sense.name and (apart := self._apart(last[1], place)):
                self.versus = True
                self.by.append(sense.name)
                self.use(*apart)
                groups[-1] = (last[0], place, sense.name, [*last[3], sense.value])
            elif last and last[2] == sense.name and self._joined(last[1], place, "and", "or", "vs", "to"):
                if self._joined(last[1], place, "vs") or (
                    (self.places("compare") or self.apart) and not self._joined(last[1], place, "or")
                ):
                    self.versus = True
                    self.by.append(sense.name)
                groups[-1] = (last[0], place, sense.name, [*last[3], sense.value])
                if self.spans[place].ends and last[0] == 0 and self._joined(last[1], place, "and"):
                    self.versus = True  # Ben and Carla: win rate and revenue
                    self.by.append(sense.name)
                self.anded |= sense.name in ("product", "category") and self._joined(last[1], place, "and")
                self.use(*[p for p in range(last[1], place) if self.has(p, "and", "or", "vs", "to")])
            else:
                groups.append((place, place, sense.name, [sense.value]))
        before: tuple[int, Condition] | None = None
        for first, last_place, name, values in groups:
            test: Condition = Test(name, "=", tuple(dict.fromkeys(values)))
            if self._negated(first):
                test = Test(name, "!=", tuple(dict.fromkeys(values)))
                out = max(
                    (p for p in range(first) if self.spans[p].used and self.spans[p].of("except", "not", "no")),
                    default=0,
                )
                if (dim := self.has(out - 1, "dim")) and dim.name == name and not self._is_split(out - 1):
                    self.use(out - 1)  # in countries other than Germany
            lead = first - 1
            while lead >= 0 and (self.quiet(lead) or (self.spans[lead].used and self.spans[lead].of("dim"))):
                lead -= 1
            while self.has(lead, "from", "via", "only", "with") or (
                self.has(lead, "by") not in (None, Sense("by", "each")) and name in _LED
            ):
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
            if test in self.where[:-1] and self.where[-1] == test:
                self.where.pop()  # who said no to marketing (consent denied)
            before = (last_place, test)

    def _contrasted(self, first: int, last: int) -> bool:
        """Whether two values are put against each other: more ... than, better ... or; uses the words that do so."""
        between = [p for p in range(first + 1, last) if not self.spans[p].used]
        joints = [p for p in between if self.spans[p].of("vs", "gt", "lt", "or")]
        signs = [p for p in self.places("more", "fewer") if not self.has(p, "neutral")]
        signs += [p for p in joints if self.spans[p].of("gt", "lt") and p not in signs]
        if not joints or not signs or len({self.spans[p].of("or") is not None for p in joints}) > 1:
            return False
        self.contrast = "fewer" if self.spans[signs[0]].of("fewer", "lt") else "more"
        if self.spans[signs[0]].of("sized") and self.has(self.near(signs[0], 1), "entity") == Sense("entity", "deals"):
            self.goal = "average"  # bigger deals
        either = any(self.has(p, "or") for p in joints)
        self.yes_no = not either and (self.yes_no or not self.places("list", "who", "amount", "count", "how"))
        self.use(*joints, *signs)
        return True

    def _apart(self, first: int, last: int) -> list[int]:
        """The words that put two values beside each other, with what is measured between them: A's win rate vs B."""
        between = range(first + 1, last)
        joints = [p for p in between if self.has(p, "vs")]
        figures = [self.spans[p].of("metric") for p in range(first + 1, len(self.spans)) if self.has(p, "metric")]
        inner = [p for p in between if self.has(p, "metric")]
        if joints and inner and len({*figures}) > 1:
            raise Unclear(
                "another figure of each of them: ask for one of them, or for both of each",
                *(f"{self.spans[p].text} of {self.spans[first].text}" for p in inner[:1]),
            )
        kinds = ("metric", "entity", "verb", "vs", "from", "dim")
        others = [p for p in between if not self.quiet(p) and not self.spans[p].of("vs", "from")]
        whole = others and all(self.quiet(p) or self.spans[p].of(*kinds) for p in between)
        return joints if len(joints) == 1 and whole and not self.places("than") else []

    def _joined(self, first: int, last: int, *kinds: str) -> bool:
        """Whether nothing stands between two places but words that join, one of these kinds among them, or a comma."""
        between = range(first + 1, last)
        joins = [p for p in between if self.spans[p].of(*kinds)]
        named = [p for p in between if self.spans[p].used and self.spans[p].of("dim")]  # team West vs team South
        quiet = [p for p in between if self.quiet(p) or self.spans[p].of("from", "via")] + named
        comma = any(self.spans[p].of("comma") for p in between)
        if "to" in kinds and len(joins) > 1:
            return False
        return len({*joins, *quiet}) == len(between) and bool(
            joins or (comma and kinds != ("vs",) and kinds != ("or",))
        )

    def _negated(self, place: int) -> bool:
        """Whether what stands at a place is left out; uses the word that says so."""
        at = place - 1
        while at >= 0 and (
            self.quiet(at)
            or (self.spans[at].of("from", "with", "verb") is not None and not self.has(at, "no"))
            or (self.spans[at].used and self.spans[at].of("dim", "thing"))  # except those in stage new
            or (self.spans[at].of("yes_no", "be") and self.has(at - 1, "not", "no"))  # que no están atrasados
        ):
            at -= 1
        sense = self.has(at, "not", "except", "never", "no")
        if sense and sense.kind == "never" and self._never_done(at, place):
            return False  # products never sold in France: not those sold elsewhere
        if sense and sense.name != "lately":
            self.use(at)
            if self.has(at - 1, "past") and any(
                self.spans[position].of("from", "verb") for position in range(at, place)
            ):
                self.use(at - 1)  # that did not come from events
            return True
        return False

    def _never_done(self, first: int, last: int) -> bool:
        """Whether what was never won, sold or bought stands between two places, and no records that it was not done to."""
        done = {sense.name for span in self.spans[first:last] for sense in (*span.all("verb"), *span.all("state"))}
        return bool(done & {*OF_DEED, "won", "lost", "bought"}) and bool(self.places("dim", "who"))

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
