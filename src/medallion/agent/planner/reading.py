"""Spans of a question into slots: every span fills a slot or says nothing, or the question is not understood."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from medallion import metrics
from medallion.agent.planner.lexer import Span
from medallion.agent.planner.lexicon import Sense, lexicon, meanings
from medallion.agent.planner.marking import QUIET, RANKS, Unclear
from medallion.agent.planner.measuring import Measuring
from medallion.agent.planner.slots import About, Slots, Threshold, beside, names_of, selected
from medallion.agent.planner.times import Times
from medallion.metrics.conditions import Test, tests

_DASHES = ("-", "\u2013")
#: Kinds of spans before which a dash is a pause: what is asked of what stands before it.
_AFTER_PAUSES = ("count", "amount", "list", "by", "entity", "state", "when", "who", "why", "how")


#: Kinds of spans that tell when something is.
_WHEN = (
    "number", "num", "ordinal", "unit", "month", "weekday", "today", "tomorrow", "yesterday", "day", "period", "within", "this",
    "last", "next", "ago", "me", "carry", "i_am", "first_thing", "to", "clock",
)  # fmt: skip


def _is_of_aside(span: Span) -> bool:
    """Whether a span tells what a question is for, when that is, or nothing."""
    return bool(span.of("aside", *_WHEN, *QUIET))


#: Kinds of spans of which a question about one row of the answer before is made.
_OF_ROW = (
    "field", "dim", "when", "who", "list", "how", "verb", "it", "its", "they", "person", "carry", "intent", "present", "past", "why", "joined",
    "last", "yes_no", "comma", "more_of_it",
)  # fmt: skip
#: Those that it may have beside a pronoun alone.
_WITH_PRONOUN = ("entity", "by", "modal", "me", "ours", "to", "size", "state")
#: Figures that a single deal has.
_OF_DEALS = {"total_deal_value", "open_pipeline", "weighted_pipeline"}


class Reading(Measuring):
    """One question being read."""

    def slots(self) -> Slots:
        """What the question says.

        Raises:
            Unclear: A span says something that no slot takes.
        """
        steps: tuple[Callable[[], None], ...] = (
            self._asides, self._corrected, self._us, self._speaker, self._plan, self._gates, self._times, self._about, self._intents, self._silent, self._beside, self._thresholds,
            self._passed, self._values, self._unknown, self._ranked, self._compared, self._states, self._per_record, self._measure, self._splits, self._deeds,
            self._attained, self._duration_of_deals, self._subject, self._quota, self._beside_states, self._overview, self._rest, self._conflicting, self._whose,
        )  # fmt: skip
        for step in steps:
            step()
        if self.rank and self.led:
            self.rank = replace(self.rank, records=self._ranks_records())
        if self.rank and self.rank.count is None and not self.rank.several:
            self.rank = replace(self.rank, several=self._several())
        narrow = self._narrow()
        return Slots(
            self.goal, tuple(dict.fromkeys(self.metrics)), tuple(dict.fromkeys(self.fields)), self.entity,
            tuple(dict.fromkeys(self.states)), tuple(self.where), tuple(self.times), self.deed,
            tuple(dict.fromkeys(self.by)), self.rank, tuple(self.thresholds), self.compare, self.versus, self.turn,
            self.share, self.me, tuple(dict.fromkeys(self.about)), self.yes_no,
            self.average, self.contrast, narrow, tuple(self.notes), follows=(self.follows or self.refers) and not self.of_row, refers=self.refers, past=self.past,
            narrows=self._narrows(), whole=self.total, exists=self._exists(), against=self.against, restricted=self._restricted(), anded=self.anded, ones=bool(self.spans and self.spans[0].of("ones_of")),
            each=self._each(),
            further=self.further, with_total=self.with_total, passage=self.passage, team=self.team,
        )  # fmt: skip

    def _each(self) -> bool:
        """Whether a split is said as `each` or `per`, which asks for the first of each, not as `by`."""
        senses = [
            sense for span in self.spans if span.used and span.text.casefold() != "by" for sense in span.all("by")
        ]
        return any(sense.name != "own" for sense in senses)

    def _restricted(self) -> bool:
        """Whether it begins with what leads to a name: `for`, `and in`."""
        for span in self.spans:
            if not span.of("carry"):
                return span.of("prep") is not None
            if any(
                Sense("prep") in lexicon(self.lexed.language).phrases.get((word,), ())
                for word in span.text.casefold().split()[-1:]
            ):
                return True
        return False

    def _exists(self) -> bool:
        """Whether it is asked if there is such a thing, not whether all are so: `are there any`, `did we win`."""
        asked = any(span.of("exists", "thing") for span in self.spans)
        asked |= bool(self.yes_no and self.deed and not self.total)
        asked |= bool(self.yes_no and self.about and self.entity and self.before is not None)
        other = ("not", "no", "never", "only", "every", "list", "count", "amount", "who", "when", "why", "how")
        return asked and not any(span.of(*other) for span in self.spans)

    def _narrows(self) -> bool:
        """Whether the question begins with `only` and asks for nothing but states, values and thresholds."""
        asks = self.goal or self.metrics or self.fields or self.by or self.rank or self.deed or self.about
        return bool(self.spans and self.spans[0].of("only") and not asks)

    def _narrow(self) -> str:
        """The slot that the last condition of the question is in: what a share is of what comes before it."""
        for place, span in reversed(list(enumerate(self.spans))):
            if span.used and self.deed in ("win", "lose") and Sense("verb", self.deed) in span.senses:
                return "deed"
            if span.used and (span.of("against") or (span.of("field") and any(map(beside, self.where)))):
                return "beside"
            stated = {sense.name for sense in span.all("state")} & {state for state, _ in self.states}
            values = {sense.value for sense in span.all("value")}
            if (
                span.used
                and stated
                and not any(values & {*map(str, test.values)} for part in self.where for test in tests(part))
            ):
                return "states"
            if span.used and span.of("value", "kind", "outcome", "direction", "booked"):
                return "where" if self._parted(place) and self._put_last(place) else "unsure"
            if span.used and span.of("number", "num") and self.thresholds:
                return "thresholds"
        return ""

    def _several(self) -> bool:
        """Whether the records or values that are ranked are said in the plural."""
        of_split = self.by and self.by != ["customer_name"] and not (self.rank and self.rank.records)
        kinds = ("dim", "unit") if of_split else ("entity", "kind")
        for place, span in enumerate(self.spans):
            if not span.of(*kinds):
                continue
            before = self.near(place, -1, over=("state", "value", "size"))
            led = before < 0 or self.spans[before].of("list", "by", *RANKS)
            if led and (
                span.of("many") or (span.text.casefold().endswith(("s", "x")) and not span.text.endswith("ss"))
            ):
                return True
        return False

    def _put_last(self, place: int) -> bool:
        """Put the condition that a span is read as after the others; whether there is one such."""
        words = {text for sense in self.spans[place].senses for text in (sense.name, sense.value) if text}
        words |= {"meeting_booked"} if self.spans[place].of("booked") else set()
        conditions = [
            condition
            for condition in self.where
            if any(
                (test.op == "is" and test.name in words) or words & {*map(str, test.values)}
                for test in tests(condition)
            )
        ]
        if self.share and len(self.where) > 1 and len(conditions) == 1:
            self.where = [*(condition for condition in self.where if condition is not conditions[0]), conditions[0]]
        return not self.share or len(self.where) < 2 or len(conditions) == 1

    def _parted(self, last: int) -> bool:
        """Whether a verb parts the last condition from those before it: `revenue from referral comes from Germany`."""
        before = [place for place in range(last) if self.spans[place].used and self.spans[place].of("value", "against")]
        before += [place for place in range(last) if self.spans[place].of("field") and any(map(beside, self.where))]
        if len(self.where) == 1 or not before:
            return True
        return any(
            span.of("yes_no", "past") or (span.of("from", "verb") and not span.of("prep", "neutral"))
            for span in self.spans[max(before) + 1 : last]
        ) and not any(map(beside, self.where))

    def _ranks_records(self) -> bool:
        """Whether the word of an order stands beside that for records: `top 3 deals per rep`, not `reps by deals`."""
        kinds = (Sense("entity", "deals"), *((Sense("entity", "accounts"),) if self.entity == "accounts" else ()))
        for place, span in enumerate(self.spans):
            if not span.used or not span.of(*RANKS) or span.of("manyness"):
                continue
            for step in (1, -1):
                beside = self.near(place, step, over=("number", "num", "state", "value", "size"))
                if 0 <= beside < len(self.spans) and self.spans[beside].of("entity") in kinds:
                    return True
        return False

    def _asides(self) -> None:
        """Clauses that tell what the question is for, with when that is: `we have a board meeting at 3, ...`."""
        clauses: list[list[int]] = [[]]
        for place, span in enumerate(self.spans):
            clauses[-1].append(place)
            if span.ends or span.of("comma") or span.text in _DASHES:
                clauses.append([])
        for clause in clauses:
            spans = [self.spans[place] for place in clause if self.spans[place].text not in _DASHES]
            aside = [span for span in spans if span.of("aside")]
            if aside and len(spans) < len(self.spans) and all(_is_of_aside(span) for span in spans):
                self.use(*clause)

    def _speaker(self) -> None:
        """`I am Tess Nair`: who asks is an owner, and what is theirs is what is asked for."""
        for place in self.places("i_am"):
            at = self.near(place, 1)
            named = self.spans[at].all("value") if at < len(self.spans) else []
            if any(sense.name == "owner" for sense in named):
                self.use(place)
                self.take("me")

    def _corrected(self) -> None:
        """`no, won ones`: a no before a comma denies the question before, not what follows."""
        if len(self.spans) > 2 and self.spans[0].of("no", "not") and self.spans[1].of("comma"):
            self.spans[0].senses = (Sense("carry"),)

    def _us(self) -> None:
        """`US` in capitals is the country, `us` is who asks."""
        for place, span in enumerate(self.spans):
            kinds = {sense.kind for sense in span.senses}
            if not {"neutral", "value"} <= kinds:
                continue
            before = self.spans[place - 1].text.casefold() if place else ""
            named = span.text.isupper() or before in ("in", "the", "from")
            keep = "value" if named and not self._all_large() else "neutral"
            span.senses = tuple(sense for sense in span.senses if (sense.kind == "value") == (keep == "value"))

    def _all_large(self) -> bool:
        return all(span.text.isupper() for span in self.spans) and len(self.spans) > 2

    # gates

    def _gates(self) -> None:
        """What there is no answer to, whatever stands beside it."""
        for place, span in enumerate(self.spans):
            if span.used:
                continue
            only = {sense.kind for sense in span.senses}
            if "exists" in only and self.has(place + 1, "no", "not") and not self._says(place + 1, "not", "lately"):
                raise Unclear(
                    f"'{span.text} {self.spans[place + 1].text}': whether there are any, or which are not?",
                    "how many overdue deals are there?",
                )
            if "nodata" in only and only <= {"nodata"}:
                raise Unclear(f"the data have nothing about {span.text!r}")
            drafts = any(Sense("intent", "draft") in other.senses for other in self.spans)
            if "kind" in only and span.of("kind") == Sense("kind", "email") and not drafts and self._addresses(place):
                raise Unclear(
                    "addresses are personal data, which I do not read", "how many emails were sent last week?"
                )
            if "personal" in only and not self._contact(place):
                raise Unclear(
                    f"{span.text!r} is personal data, which I do not read",
                    remedy="Who may see it finds it on the account's page of the dashboard (`medallion dashboard`).",
                )
            if "help" in only and all(self.quiet(other) for other in range(len(self.spans)) if other != place):
                raise Unclear(
                    "ask for a figure, a list, an account or what changed",
                    *("revenue by month this year", "Which deals are closing this month?", "Who should I call?"),
                )
            if only and only <= {"operations"}:
                raise Unclear(
                    f"{span.text!r} is about loads, of which I know nothing",
                    remedy="`medallion status` tells of the last run, `medallion quarantine list` of refused records.",
                )
            if only and only <= {"notes"}:
                named = [other.text for other in self.spans if other.of("account", "deal")]
                named += [record.key for record in self._before()]
                raise Unclear(
                    f"{span.text!r} stands in notes and messages, of which I read only what a brief says of them",
                    *(f"tell me about {name}" for name in named[:1]),
                )
            first = all(self.quiet(other) for other in range(place))
            if "action" in only and first:
                raise Unclear(
                    "nothing can be changed from a conversation",
                    remedy="Propose it with `medallion actions propose`; its `--help` says how.",
                )

    def _before(self) -> list[About]:
        """The account or deal that the question before named or found."""
        if self.before is None:
            return []
        record = self.before.rows.one("accounts") if self.before.rows else None
        return list(self.before.about) or ([record] if record else [])

    def _addresses(self, place: int) -> bool:
        """Whether the e-mails of accounts are asked for, which are addresses."""
        owner = self.near(place, 1, over=("from",))
        of = place + 1 < len(self.spans) and self.spans[place + 1].of("prep", "from")
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
        ends = self.places("before", "until", "deadline") and not self.places("past")
        due |= bool(
            ends and [place for place in self.places("present") if Sense("verb", "close") in self.spans[place].senses]
        )
        due |= any(Sense("intent", "forecast") in self.spans[place].senses for place in self.places("intent"))
        future = self.goal == "plan" or bool(self.places("next")) or due
        times = Times(self.spans, self.today, future=future)
        if times.doubt:
            raise Unclear(times.doubt)
        self.times = times.found
        if vague := self.places("recently"):
            if self.places("intent"):
                self.use(*vague)  # what happened lately: the last touches
            else:
                raise Unclear(f"{self.spans[vague[0]].text!r} is no time: say since when", "in the last 30 days")
        so_far = [
            place
            for place in self.places("so_far")
            if not (self.has(place, "by") and self.has(place + 1, "dim", "unit"))
        ]
        if so_far:  # je, but not je Branche
            self.use(*so_far)
            self.past = False

    def _about(self) -> None:
        for place in self.places("account", "deal"):
            senses = self.spans[place].all("account") or self.spans[place].all("deal")
            keys = {sense.name for sense in senses}
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
        self._pronouns()

    def _row_numbered(self) -> None:
        """`the first one`, `number 2`: a row of the answer before."""
        rows = self.before.rows if self.before is not None else None
        if rows is None or not rows.entity or self.about:
            return
        for place, span in enumerate(self.spans):
            sense = span.of("nth", "foremost", "ordinal", "last")
            if sense is None or span.used or not self._is_one(place + 1):
                continue
            number = {"foremost": 1, "last": len(rows.keys)}.get(sense.kind) or int(sense.name)
            if number <= len(rows.keys):
                kind = "deal" if rows.entity == "deals" else "account"
                self.about, self.of_row = [About(kind, rows.keys[number - 1], rows.keys[number - 1])], True
                self.use(place, place + 1)
            return

    def _is_one(self, place: int) -> bool:
        return 0 <= place < len(self.spans) and self.spans[place].text.casefold() in ("one", "ones", "deal", "account")

    def _row_before(self) -> None:
        """`who owns it`, `close date?`: the one deal or account that the answer before found; `he` is the one of its split."""
        rows = self.before.rows if self.before is not None else None
        named = self.before.about if self.before is not None else ()
        listed = rows is not None and rows.entity == "deals" and {record.kind for record in named} == {"account"}
        if rows is None or len(rows.keys) != 1 or self.about or (named and not listed):
            return
        pronouns = self.places("they", "its", "it", "person")
        of_account = (
            Sense("entity", "accounts"), Sense("its", "account"), Sense("dim", "account"), Sense("field", "last_touch_date"),
        )  # fmt: skip
        account = any(sense in of_account for span in self.spans for sense in span.senses)
        if not rows.entity:
            if people := self.places("person"):
                self.where.append(Test(rows.name, "=", rows.keys))
                self.use(*people)
            return
        asked = any(span.of("field", "dim", "when", "who", "intent", "why") for span in self.spans)
        kinds = (*_OF_ROW, *_WITH_PRONOUN) if pronouns else _OF_ROW
        bare = all(
            self.quiet(place) or (span.of(*kinds) and self._of_record(span)) for place, span in enumerate(self.spans)
        )
        if self.yes_no and pronouns and not self.places("metric", "dim", "when", "count", "amount", *RANKS):
            self.about = [record for record in (rows.one(),) if record]  # is it overdue
            self.entity = rows.entity
            self.use(*pronouns)
            return
        record = rows.one("accounts" if account else "")
        if record is not None and bare and (asked or (account and pronouns)):
            self.about, self.of_row = [record], True
            self.use(*pronouns, *(self.places("entity") if account or pronouns else ()))

    def _conflicting(self) -> None:
        """Refuse words of which one slot can take but one: two numbers asked for, a median of an average, one name twice.

        Raises:
            Unclear: There are such words.
        """
        if sum(span.of("count") is not None for span in self.spans) > 1 and not self.by:
            raise Unclear("there is more than one question in it", remedy="Ask one after the other.")
        if any(span.of("median") for span in self.spans) and not any(map(self._is_median, self.metrics)):
            for name in self.metrics[:1]:
                raise self._no_median(name)
        for left, span, right in zip(self.spans, self.spans[1:], self.spans[2:], strict=False):
            if span.of("vs") and {*left.all("value")} & {*right.all("value")}:
                raise Unclear(f"{left.text} and {right.text} are the same", remedy="Name two.")

    def _whose(self) -> None:
        """Refuse what a pronoun leaves open: `how many deals does it have` after a ranking, `his win rate` after a deal.

        Raises:
            Unclear: The question would be of everything, or asks of one deal what a deal does not have.
        """
        restricted = self.about or self.refers or self.where or self.me or self.by or (self.rank and not self.yes_no)
        subject = self.metrics or self.fields or self.entity or self.deed or self.compare or self.yes_no
        rows = self.before.rows if self.before is not None else None
        if rows is not None and subject and not restricted and any(span.of("unnamed") for span in self.spans):
            raise Unclear("which of the rows before is meant?", remedy="Ask by its name.")
        pronouns = any(span.of("they", "its", "person") for span in self.spans)
        of_deal = pronouns and {record.kind for record in self.about} == {"deal"}
        if of_deal and self.metrics and not {*self.metrics} <= _OF_DEALS:
            figure = metrics.metrics()[self.metrics[0]].measure.display_name.lower()
            raise Unclear(f"{figure} is not of one deal: of its owner, or of its account?", remedy="Ask by their name.")

    @staticmethod
    def _of_record(span: Span) -> bool:
        """Whether what is said may be asked of one record: a summary of it, not a list of calls."""
        wide = {sense.name for sense in span.all("intent")} - {"brief", "score", "draft"}
        return not wide and Sense("verb", "contact") not in span.senses

    def _pronouns(self) -> None:
        """`it`, `they` and `hers` are of what was asked before: the account, deal or owner that it named, or its rows."""
        self._row_numbered()
        self._row_before()
        they, singular = self.places("they"), self.places("its", "person")
        if self.before is None or not (they or singular or self.places("it", "field", "when")) or self.about:
            return
        if self.before.about and (singular or not self.places("metric", "entity", "value")):
            self.about = list(self.before.about)
            self.use(*they, *singular)
        elif self.places("person") and self._names_one_owner():
            self.use(*self.places("person"))
            self.refers = True
        elif they and (self.before.where or self.before.entity):
            self.use(*they)
            self.refers = True

    def _names_one_owner(self) -> bool:
        """Whether the question before was of one owner and nobody else."""
        owners = [part for part in self.before.where if "owner" in names_of(part)] if self.before else []
        condition = owners[0] if len(owners) == 1 else None
        return isinstance(condition, Test) and condition.op == "=" and len(condition.values) == 1

    def _duration_of_deals(self) -> None:
        """`how long does it take to win a deal`: the cycle, as far as nothing else is measured."""
        states = {state for state, is_in in self.states if is_in}
        done = self.deed in ("win", "close") or states & {"won", "closed"}
        measured = self.goal == "median" or self.places("metric", "field")
        aged = states == {"open"} and not self.deed and not self.thresholds
        lost = (self.deed == "lose" and not states) or states == {"lost"}
        takes = self.places("takes") or aged
        if measured or not ((done or lost or aged) and self.places("how_long") and takes):
            return
        if aged or (lost and not done):
            self.take("how_long", "takes", "average", "to", "past")
            self.use(*[place for place in self.places("entity") if self._is_deals(place)])
            self.metrics.append("average_deal_age" if aged else "average_days_to_loss")
            self.states = [state for state in self.states if state[0] not in ("open", "lost")]
            self.deed, self.goal = "", "" if self.goal == "average" else self.goal
            return
        self.take("how_long", "takes", "average", "to")
        self.use(*[place for place in self.places("entity") if self._is_deals(place)])
        self.metrics.append("average_cycle_days")
        self.states = [state for state in self.states if state[0] != "closed"]
        self.deed, self.goal = "", "" if self.goal == "average" else self.goal

    def _is_deals(self, place: int) -> bool:
        return self.has(place, "entity") == Sense("entity", "deals")

    def _intents(self) -> None:
        """The named intents that are not about figures."""
        for place in self.places("intent"):
            intents = self.spans[place].all("intent")
            for intent in intents:
                if self.goal or not self._fits(intent.name, place):
                    continue
                self.goal = intent.name
                self.use(place)
        verbs = [place for place in self.places("verb") if self._says(place, "verb", "define")]
        last = self.near(verbs[-1], 1) if verbs else 0
        asks = self.places("how") or (self.places("list") and last >= len(self.spans))
        if verbs and not self.goal and asks and not self.has(last, "metric", "field"):
            self.goal = "define"
            self.use(*verbs, *self.places("how"))
        if why := self.places("why"):
            self.goal = "score" if self.goal == "score" or (self.about and not self.places("metric")) else "why"
            self.use(*why)
        if self.goal == "score":
            self.take("intent", "size", "field", "verb", "entity")
        if self.goal == "draft" and not self.about:
            self.about = self._before()
        if self.goal == "draft":
            self.take("intent", "to", "modal", "kind", "dim")  # a follow-up email to
        if self.goal == "brief":
            self.use(*[place for place in self.places("verb", "entity", "list") if not self.has(place, "metric")])

    def _fits(self, name: str, place: int) -> bool:
        if self.spans[place].of("dim") and self.has(self.near(place, -1), "by"):
            return False  # by forecast, where an export has a column of that name
        if name == "score":
            return bool(self.about and self.places("why"))
        if name == "brief":
            return bool(self.about) and not self.places("metric", "field", "dim")
        if name == "forecast":
            return self.spans[place].of("value") is None or not self._stands_as_name(place)
        if name == "changed":
            return not self.about
        return True

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
                self.metrics += self._means(sense.name) if self.goal in ("average", "median") else [sense.name]
                measured = [at for at in range(place) if self.spans[at].used and self.spans[at].of("metric")]
                joints = ("and", "vs", "comma", "with", "or", "by", "gt", "lt", "from", "to")
                if (
                    len(set(self.metrics)) > 1
                    and measured
                    and not any(span.of(*joints) for span in self.spans[measured[-1] + 1 : place])
                ):
                    raise Unclear(
                        f"{self.spans[measured[-1]].text!r} or {self.spans[place].text!r}: ask for one of them, or for both with 'and'"
                    )
            self.use(place, *[at for at in (place + 1,) if self.has(at, "figure")])  # the pipeline number
            measured_in = metrics.metrics()[sense.name].measure.unit if sense.name in metrics.metrics() else ""
            if measured_in in ("days", "hours", "minutes"):
                self.take("how_long")
            for unit in self.places("unit"):
                if measured_in == f"{self.spans[unit].of('unit').name}s" and self.spans[unit - 1].of("prep"):  # type: ignore[union-attr]
                    self.use(unit)  # the sales cycle in days
            joint = self.near(place, -1)
            if len(self.metrics) + len(self.fields) > 1 and self.has(joint, "and", "vs"):
                self.use(joint)
        for place in self.places("entity", "kind", "outcome", "booked", "direction"):
            self._records(place)
        for place in self.places("field"):
            sense = self.has(place, "field")
            worth = sense and sense.name == "deal_value" and self.entity == "deals" and not self.about
            if worth and self.goal in ("average", "median"):
                self.use(place)  # the average size of the deals that we won
                continue
            if worth and not (self.goal or self.rank) and (self.total or not self.places("list")):
                self.goal = "amount"  # montant total des affaires ouvertes
                self.use(place)
                continue
            of_before = self.before is not None and self.before.entity == "deals" and len(self.spans) == 1
            asked = self.about or self.entity or self.rank or of_before or self.goal in ("when", "average", "median")
            if sense and asked:
                self.fields.append(sense.name)
                self.use(place)
        if self.about:
            for place in self.places("dim"):
                sense = self.has(place, "dim")
                self.fields.append(sense.name if sense else "")
                self.use(place)
                if sense and sense.name in ("owner", "account_manager", "owner_manager"):
                    self.take("who")
            own = [place for place in self.places("verb") if self._says(place, "verb", "own")]
            if not (own or self.fields or self.goal or self.metrics or self.places("verb")) and self.places("who"):
                self.fields.append("owner")  # whose deal is L-1
                self.use(*self.places("who", "entity"))
            if own and self.places("who", "list"):
                self.fields.append("owner")
                self.use(*own, *self.places("who", "list"))
            self._day_of()
        owned = [place for place in self.places("verb") if self._says(place, "verb", "own")]
        if owned and any("owner" in str(condition) for condition in self.where):
            self.use(*owned)
        if owned and self.refers and self.places("who"):
            self.by.append("owner")  # who owns them
            self.use(*owned, *self.places("who"))

    def _day_of(self) -> None:
        """`when does L-1 close`, `the value of L-1`: a column of the one account or deal."""
        days = {"close": "expected_close_date", "due": "expected_close_date", "create": "created_date", "win": "closed_date",
                "lose": "closed_date"}  # fmt: skip
        if self.goal == "when" and not self.fields:
            touched = [place for place in self.places("verb") if self._says(place, "verb", "touch")]
            if self.deed in days:
                self.fields.append(days[self.deed])
                self.take("modal")  # wann soll L-1 abgeschlossen werden
                self.deed = ""
            elif touched:
                self.fields.append("last_touch_date")
                self.use(*touched)
        elif self.goal == "amount" and not self.fields and not self.metrics and self.about[0].kind == "deal":
            self.fields.append("deal_value")

    def _means(self, name: str) -> list[str]:
        """The average or the median of a metric, or both where both are said: the median cycle, and the mean."""
        means = meanings()["averages"]["median"].items()
        pairs = {median: mean for mean, median in means if mean.startswith("average")}
        if self.goal == "average" and name in pairs:
            return [name, pairs[name]]
        names = [self._averaged(name)]
        if self.goal == "median" and self.mean_too:
            self.goal = "average"
            names.append(self._averaged(name))
        return names

    @staticmethod
    def _is_median(name: str) -> bool:
        return "MEDIAN" in metrics.metrics()[name].measure.expr

    @staticmethod
    def _no_median(name: str) -> Unclear:
        label = metrics.metrics()[name].measure.display_name.lower()
        return Unclear(f"there is no median of {label}", "median deal size")

    def _averaged(self, name: str) -> str:
        """The metric that an average or median of another one is; of a total there is none without saying per what."""
        measure = metrics.metrics()[name].measure
        metric = meanings()["averages"][self.goal].get(name)
        if self.goal == "median" and metric is None and not self._is_median(name):
            raise self._no_median(name)
        if metric not in (None, name) and self.by:
            raise Unclear(
                f"the {self.goal} of {measure.display_name.lower()} per what: of deals, or of the sums of the split?",
                *(f"{self.goal} deal size by owner", f"{measure.display_name.lower()} by owner"),
            )
        if metric is None and (measure.additivity == "flow" or measure.format.type == "currency"):
            raise Unclear(
                f"the {self.goal} of {measure.display_name.lower()} per what?",
                f"{self.goal} deal size", f"{measure.display_name.lower()} by month",
            )  # fmt: skip
        return metric or name

    def _records(self, place: int) -> None:
        """A word for records: deals, accounts, touches of a kind."""
        sense = self.has(place, "kind", "outcome", "direction", "booked", "entity")
        if sense is None:
            return
        if sense.kind in ("kind", "outcome", "direction", "booked"):
            of_touches = self.before is not None and self.before.entity == "interactions"
            touching = sense.kind != "booked" or self.entity == "interactions" or of_touches or self._near_touch(place)
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
            if sense.kind == "kind" and self._another_kind(place, test):
                return
            if not self.entity or self.entity == "interactions":
                self.refers |= sense.kind == "booked" and not self.entity and not self._near_touch(place)
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

    def _another_kind(self, place: int, test: Test) -> bool:
        """Whether a kind of touches stands beside another one: calls and emails, calls vs emails."""
        last = next((at for at in range(place - 1, -1, -1) if self.spans[at].used and self.spans[at].of("kind")), None)
        was = self.where[-1] if self.where else None
        if last is None or not isinstance(was, Test) or (was.name, was.op) != ("channel", "="):
            return False
        counted = [
            at for at in range(last + 1, place) if self.spans[at].of("count")
        ]  # how many calls and how many meetings
        if not self._joined(last, place, "and", "or", "vs") and not (
            counted
            and self.has(last + 1, "and")
            and all(at in counted or self.has(at, "and") for at in range(last + 1, place))
        ):
            return False
        if counted:
            self.by.append("channel")
            self.use(*counted)
        if self._joined(last, place, "vs") or self.versus:
            self.versus = True
            self.by.append("channel")
        self.where[-1] = replace(was, values=(*was.values, *test.values))
        self.use(place, *[at for at in range(last, place) if self.has(at, "and", "or", "vs")])
        return True

    def _attained(self) -> None:
        """`are we going to hit our quota`: what is expected of the time, beside the quota."""
        of_whom = self.goal == "attain" and any(
            self.has(place, "dim") == Sense("dim", "owner") or self.has(place, "who")
            for place in range(len(self.spans))
        )
        quota = [place for place in self.places("metric") if self.has(place, "metric") == Sense("metric", "quota")]
        for kind, op in (("missed", "<"), ("reached", ">=")):
            for place in self.places(kind) if quota else ():
                self.thresholds.append(Threshold("quota_attainment", op, "100", percent=True))
                self.use(place, *quota)
                self.take("they")
                return
        if of_whom:  # which reps hit quota
            self.goal = ""
            self.thresholds.append(Threshold("quota_attainment", ">=", "100", percent=True))
        if self.goal == "attain":
            self.take("will", "modal", "intent", "to", "number", "exists")

    def _quota(self) -> None:
        """`how is my team doing against quota`, `how far am I from it`: how much is won of it, and what is left."""
        if not self.metrics or not {*self.metrics} <= {*meanings()["overview"]["quota"]}:
            return
        self.take("how", "still", "will")
        self.use(*[place for place in self.places("verb") if self._says(place, "verb", "work")])

    def _beside_states(self) -> None:
        """Won beside lost: in number, each its own metric; a figure of both by their state."""
        beside = [state for state, is_in in self.states if is_in and state in ("open", "won", "lost")]
        if not self.versus or len(beside) < 2 or self.by or self.rank:
            return
        if selective := [name for name in self.metrics if selected(metrics.metrics()[name])]:
            label = metrics.metrics()[selective[0]].measure.display_name
            raise Unclear(f"{label} is not of {' and '.join(beside)} deals each", f"What is the {label.lower()}?")
        if self.metrics or self.goal in ("average", "median"):
            self.states = [state for state in self.states if state[0] not in beside]
            self.where.append(Test("status", "=", tuple(beside)))
            self.by.append("status")
        elif not (self.entity or self.goal):
            self.entity, self.goal = "deals", "count"

    def _overview(self) -> None:
        """`how is Rosa doing`, `compare Rosa and Noor`: the main figures, where none is named."""
        subject = self.metrics or self.entity or self.fields or self.goal or self.rank or self.about or self.turn
        doing = [place for place in self.places("verb") if self._says(place, "verb", "work")]
        if subject or self.deed or self.states or self.average or self.share or self.follows or self.refers:
            return
        if doing and self.places("how", "compare"):
            self.take("how", "compare")
            self.use(*doing)
            self.goal = "overview"
        elif self.versus and (self.by or len(self.times) > 1) and not self.states:
            self.goal = "overview"

    def _booked(self) -> bool:
        places = self.places("booked")
        self.use(*places)
        return bool(places)

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
        if self.take("and_total"):
            self.with_total, self.total = bool(self.by), not self.by
        if self.take("my_team"):
            self.me = self.team = True
        if any(span.of("first_person") for span in self.spans):
            self.me = True  # cuánto vendí
        if past := self.places("past"):
            self.past = True
            self.use(*past)
        if self.take("list"):
            self.goal = self.goal or "list"
            deeds = ("win", "lose", "close", "create", "due", "sell")
            if (
                self.goal == "list"
                and (self.deed in deeds or {"won", "lost"} & {state for state, _ in self.states})
                and not (self.entity or self.metrics or self.by or self.rank or self.about)
            ):
                self.entity = "deals"  # what did we win last week
        ranked = self.rank is not None and (bool(self.fields) or self.rank.way == "likeliest")
        if ranked and self.states and not (self.entity or self.metrics or self.by or self.about):
            self.entity = "deals"  # which 5 of those that I have open have the best chance
        asks = self.entity or self.metrics or self.by or self.rank or self.about
        if self.deed == "due" and self.times and not (asks or self.goal or self.places("who", "thing")):
            self.entity = asks = "deals"  # closing next month
        done = (
            self.deed in ("win", "lose", "close", "create")
            or {"won", "lost", "closed", "open"} & dict(self.states).keys()
        )
        things = self.places("thing")
        if (self.yes_no or things) and (done or self.deed == "due" or (things and self.thresholds)) and not asks:
            self.use(*things)
            self.entity = "deals"  # did we win anything last week
        if self.take("ones"):
            self.goal = "list"
            self.refers = True
        if self.spans and self.spans[0].of("carry"):
            self.follows = True
        if self.versus:
            self.take("how")
        if self.goal in ("average", "median"):
            self.take("not_total")  # on average, not in total
        if self.entity == "accounts" and ("bought", True) in self.states and self.take("repeat"):
            self.states.remove(("bought", True))  # which more than once says too
            self.thresholds.append(Threshold("won_deals", ">", "1"))
        if self.rank and self.rank.count and (self.share or (self.goal == "amount" and self.metrics)):
            self.take("from", "up", "to", "in_the_first")  # what share of revenue comes from the top 10 customers
            self.turn = ""
            self.use(*[place for place in self.places("verb") if self._says(place, "verb", "sell")])
        narrows = ("gt", "ge", "lt", "le", "not", "no", "never", "between", "with")
        for place in self.places("and"):  # over 100k and no contact for two weeks
            beside = [self.spans[at] for at in (place - 1, place + 1) if 0 <= at < len(self.spans)]
            if len(beside) > 1 and all(span.used for span in beside) and beside[1].of(*narrows):
                self.use(place)
        if self.about and self.states and self.goal in ("", "list") and not (self.entity or self.metrics or self.by):
            self.entity = "deals"  # what is open at Lumen Works
        if "owner" in self.by and (self.versus or self.contrast):
            self.take("who")  # A or B: who has more
        for place in self.places("aside"):
            led = all(self.quiet(at) or self.spans[at].of("aside", "carry", "i_am") for at in range(place))
            if led or self.about or self.goal in ("brief", "plan", "draft", "score"):
                self.use(place, *[at for at in range(place) if led and self.has(at, "i_am", "carry")])
                self.use(*[at for at in (place + 1,) if at < len(self.spans) and self.spans[at].text in _DASHES])
        if self.goal == "why" and len(self.times) > 1 and not self.versus:
            raise Unclear(
                "a change is between two times, put against each other", "why did revenue drop in May versus April?"
            )
        if any(span.used and span.of("more_of_it") and span.of("amount") for span in self.spans):
            self.refers = not self.about  # what are they worth
        if self.take("more_of_it"):
            self.refers = not self.about  # what stage is that in, of a deal that is named
        ranked = bool(self.by and self.rank)
        if (ranked or (self.spans and self.spans[0].of("list"))) and self.has(len(self.spans) - 1, "prep"):
            self.use(len(self.spans) - 1)  # what weekday do we win most on
        for place, span in enumerate(self.spans):
            after = self.near(place, 1)
            if span.text in _DASHES and after < len(self.spans) and self.spans[after].of(*_AFTER_PAUSES):
                self.use(place)
        of_touches = self.entity == "interactions" or any(
            name in ("touches", "touch_positive_rate") for name in self.metrics
        )
        if (
            of_touches
            and any(span.of("receives") for span in self.spans)
            and not any(name == "direction" for part in self.where for name in names_of(part))
        ):
            raise Unclear("received by us, or by them?", "inbound emails last month", "outbound emails last month")
        self._helpers()
        left = [span for place, span in enumerate(self.spans) if not span.used and not self._says_nothing(place)]
        if left:
            words = ", ".join(repr(span.text) for span in left[:4])
            unknown = not any(span.senses for span in left)
            rest = " ".join(span.text for span in self.spans if span not in left) if unknown else ""
            raise Unclear(f"I do not understand {words} in the question", without=rest)

    def _helpers(self) -> None:
        """Verbs and joints that say the same as what was understood already."""
        for place in self.places("verb"):
            names = {verb.name for verb in self.spans[place].all("verb")}
            figure = self.metrics or self.entity == "interactions" or self.goal in ("amount", "count")
            if (
                (("get" in names or "sell" in names or "work" in names) and figure and not self.places("who"))
                or ("happen" in names and self.goal in ("changed", "brief", "why"))
                or ("touch" in names and (self.entity == "interactions" or "last_touch_date" in self.fields))
            ):
                self.use(place)
        for place in self.places("carry"):
            led = all(self.spans[p].used or self.quiet(p) or self.spans[p].of("carry") for p in range(place))
            beside = place == 0 or self.spans[place - 1].of("carry") or self.quiet(place - 1)
            if led and beside and not self.has(place, "not"):
                self.use(place)
        if self.goal == "list" or self.entity == "interactions":
            self.take("whom")
        if self.entity or self.metrics or self.where or self.thresholds or self.states or self.rank or self.times:
            for place in self.places("only"):
                self.use(place)
        if self.where and self.spans and self.has(len(self.spans) - 1, "from"):
            self.use(len(self.spans) - 1)  # die nicht von der Website kommen
        if self.deed == "due":
            self.take("modal")  # sollen im Mai abgeschlossen werden
        if self.states:
            self.take("still")
        if self.goal == "define":
            self.take("you", "how", "list", "past", "to")
        if self.goal in ("why", "changed"):
            self.take("list", "how", "verb")

    def _says_nothing(self, place: int) -> bool:
        """Whether a span that no slot took says nothing where it stands: what follows `in` and `of` is a name."""
        span = self.spans[place]
        if span.of("value") or not any(sense.kind in QUIET for sense in span.senses):
            return False
        large = span.text.isupper() and 1 < len(span.text) < 4 and not self._all_large() and span.text != "OK"
        if large or place + 1 < len(self.spans) or place == 0:
            return not large
        if span.of("ours", "comma", "joined") or (self.about and self.fields):
            return True  # what industry is C004 in
        return not span.of("prep") and not self.spans[place - 1].of("prep")
