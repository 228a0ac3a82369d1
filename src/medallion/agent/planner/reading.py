"""Spans of a question into slots: every span fills a slot or says nothing, or the question is not understood."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from medallion.agent.planner.asserting import Asserting
from medallion.agent.planner.lexer import Span
from medallion.agent.planner.lexicon import Sense, folded, lexicon, meanings
from medallion.agent.planner.marking import DASHES, QUIET, RANKS, Unclear, without_quotas
from medallion.agent.planner.slots import TEAMS, About, Slots, beside
from medallion.agent.planner.times import Times
from medallion.metrics.conditions import tests

#: Kinds of spans that tell when something is.
_WHEN = (
    "number", "num", "ordinal", "unit", "month", "weekday", "today", "tomorrow", "yesterday", "day", "period", "within", "this",
    "last", "next", "ago", "me", "carry", "i_am", "first_thing", "to", "clock",
)  # fmt: skip


#: Endings of words in the singular that end as plurals do: business, mois, mes.
_SINGULAR = ("ss", "mois", "mes")


#: Words for who asks with all the others.
_OURS = frozenset({"we", "our", "us", "unser", "unsere", "unseren", "unserer", "uns", "nous", "notre", "nos", "nuestro", "nuestra", "nuestros", "nuestras"})  # fmt: skip


def _is_of_aside(span: Span) -> bool:
    """Whether a span tells what a question is for, when that is, or nothing."""
    return bool(span.of("aside", *_WHEN, *QUIET))


class Reading(Asserting):
    """One question being read."""

    def slots(self) -> Slots:
        """What the question says.

        Raises:
            Unclear: A span says something that no slot takes.
        """
        steps: tuple[Callable[[], None], ...] = (
            self._asides, self._purposes, self._but, self._formerly, self._having_none, self._denied_twice, self._corrected, self._rated, self._lagging, self._made, self._us, self._opened, self._speaker, self._plan, self._gates, self._times, self._active, self._money_lost, self._my_reps, self._dated, self._repeated, self._persons, self._counted_values, self._named, self._that_time, self._whose_record, self._about, self._existing, self._other_deals, self._days_since, self._brought, self._traded, self._open_things, self._covered, self._existing_or_new, self._caused, self._unanswered, self._preferred, self._reached_whom, self._touched_account, self._touched_accounts, self._last_done, self._becoming, self._responding, self._intents, self._silent, self._beside, self._bands, self._thresholds,
            self._who_did, self._picked_up, self._passed, self._lacking, self._values, self._teams, self._others, self._unknown, self._together, self._nothing, self._outnumber, self._placed, self._ranked, self._taken_longest, self._in_stage_longest, self._dependent, self._from_to, self._compared, self._several_figures, self._further_columns, self._in_the_pipeline, self._states, self._per_record, self._account_products, self._worth, self._measure, self._the_ones, self._bought, self._best_seller, self._splits, self._by_quarter, self._deeds,
            self._attained, self._from_quota, self._duration_of_deals, self._managed, self._used, self._subject, self._have_deals, self._contacts, self._came_of_it, self._quota, self._beside_states, self._overview, self._sent, self._received, self._rest, self._staged_deals, self._conflicting, self._whose,
        )  # fmt: skip
        for step in steps:
            step()
        if self.rank and self.led:
            self.rank = replace(self.rank, records=self._ranks_records())
        if self.rank and self.rank.count is None and not self.rank.several:
            self.rank = replace(self.rank, several=self._several())
        self._asserted()
        narrow = self._narrow()
        slots = Slots(
            self.goal, tuple(dict.fromkeys(self.metrics)), tuple(dict.fromkeys(self.fields)), self.entity,
            tuple(dict.fromkeys(self.states)), tuple(self.where), tuple(self.times), self.deed,
            tuple(dict.fromkeys(self.by)), self.rank, tuple(self.thresholds), self.compare, self.versus, self.turn,
            self.share, self.me, tuple(dict.fromkeys(self.about)), self.yes_no,
            self.average, self.contrast, narrow, tuple(self.notes), follows=(self.follows or self.refers) and not self.of_row, refers=self.refers, past=self.past,
            narrows=self._narrows(), whole=self.total, exists=self._exists(), against=self.against, restricted=self._restricted(), anded=self.anded, ones=bool(self.spans and self.spans[0].of("ones_of")),
            each=self._each(),
            further=self.further, with_total=self.with_total, passage=self.passage, team=self.team, team_of=self.team_of, without=self.without, columns=tuple(dict.fromkeys(self.columns)), worth_too=self.worth_too, bands=tuple(self.bands), other_way=self.other_way, premise=self.premise,
            number_of=self.number_of, typical=any(span.of("deal_size") for span in self.spans), picks=self._picks(), fragment=self.is_fragment(), running=self.running, speaker=self.speaker, asker=self.asker, greets=self.greets, of_entity=self.of_entity, lacks=tuple(self.lacks), judged=self.judged, listed=self.listed, everyone=self.everyone, too=bool(self.spans and (self.spans[-1].of("too") or self.spans[0].of("and", "too"))),
        )  # fmt: skip
        return replace(
            slots, complete=self.stands(slots), points=self.points_back(), nounless=self.names_no_records(slots)
        )

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

    def _picks(self) -> bool:
        """Whether it begins with what picks some of the rows before."""
        beginning = folded(" ".join(span.text for span in self.spans[:4]))
        return any(f"{beginning} ".startswith(f"{begin} ") for begin in meanings()["picks"][self.lexed.language])

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
        if not of_split and not any(span.of(*kinds) for span in self.spans):
            kinds = ("metric", "state")  # the biggest losses
        for place, span in enumerate(self.spans):
            if not span.of(*kinds):
                continue
            before = self.near(place, -1, over=("state", "value", "size"))
            led = before < 0 or self.spans[before].of("list", "by", *RANKS)
            if led and (
                span.of("many")
                or (span.text.casefold().endswith(("s", "x")) and not span.text.casefold().endswith(_SINGULAR))
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
        for clause in self.clauses():
            spans = [self.spans[place] for place in clause if self.spans[place].text not in DASHES]
            aside = [span for span in spans if span.of("aside")]
            begins = spans and not spans[0].of(
                "number", "num", "ordinal", "foremost"
            )  # a time stands after what is at that time
            if aside and begins and len(spans) < len(self.spans) and all(_is_of_aside(span) for span in spans):
                self.use(*clause)

    def _having_none(self) -> None:
        """`accounts that have no deals`, `customers that have never bought`: what follows denies it."""
        for place in range(len(self.spans) - 1):
            span, after = self.spans[place], self.spans[place + 1]
            if span.of("with") and {sense.kind for sense in after.senses} & {"no", "not", "never"}:
                self.use(place)

    def _speaker(self) -> None:
        """`I am Tess Nair`, `Greta Stroud here`: who asks is an owner, whose are what `I` and `my` stand for.

        Where nobody says who they are, `for Tess Nair, my open deals`, that is so in this question alone.
        """
        for clause in self.clauses():
            words = [place for place in clause if not self.quiet(place) and not self.has(place, "carry")]
            says = [place for place in clause if self._introduces(place)]
            named = [place for place in words if self._owner_at(place)]
            alone = len(named) == 1 and {*words} <= {*says, *named}
            others = any(not self.quiet(at) and not self.has(at, "carry") for at in range(len(self.spans)) if at not in clause)  # fmt: skip
            begins = bool(says) and named[:1] == [says[0] + 1] and self._begins_with(says[0])
            greets = alone and not others and bool(says) and self._leads_to_name(says, named[0], clause)
            if greets or (alone and others and (says or self._says_me(0))) or (begins and self._says_me(says[0] + 2)):
                owner = self._owner_at(named[0])
                self.speaker, self.asker, self.greets = (owner if says else ""), owner, greets
                self.use(named[0], *(clause if alone else says[:1]))
                if alone and others:  # the rest is read as if it stood alone
                    self.spans = [span for at, span in enumerate(self.spans) if at not in clause]
                break
        else:
            return
        if self.greets:
            return
        named_too = any(self._owner_at(at) for at in range(len(self.spans)))
        if self._says_me(0):
            self.notes.append(f"I and my mean {self.asker}, as the question says.")
        elif named_too or self._is_of_everybody():
            self.notes.append(f"{self.asker} is asking; the answer is not limited to what is theirs.")
        else:
            self.me = True
            self.notes.append(f"For {self.asker}, who is asking; say `our` to ask about everybody's.")

    def _leads_to_name(self, says: list[int], name: int, clause: list[int]) -> bool:
        """Whether a clause introduces somebody where nothing else is said: `I'm Tess Nair`, `Tess Nair here`; not `is it Tess Nair`."""
        led = any(at < name and (self.has(at, "i_am") or not self.spans[at].of("yes_no")) for at in says)
        return led or (name == min(clause) or any(at > name for at in says))

    def _is_of_everybody(self) -> bool:
        """Whether it is of all of us, or puts one owner beside the others: `our win rate`, `who sold most`, `pipeline by rep`."""
        whose = {"owner", "account_manager", "owner_manager", *TEAMS}
        return any(
            span.of("ourselves", "my_team", "total", "every", "who", "everyone", "mates")
            or span.text.casefold() in _OURS
            or whose & {sense.name for sense in span.all("dim")}
            for span in self.spans
        )

    def introduced(self) -> str:
        """The owner who says who they are, whatever else is asked; empty where nobody does."""
        self._speaker()
        return self.speaker

    def _owner_at(self, place: int) -> str:
        """The owner whose name stands at an unused place; empty where none does."""
        senses = [] if self.spans[place].used else self.spans[place].all("value")
        return next((sense.value for sense in senses if sense.name == "owner"), "")

    def _introduces(self, place: int) -> bool:
        """Whether a span leads to the name of who asks, or follows it: `I am`, `it's`, `here`."""
        words = folded(self.spans[place].text)
        return bool(self.has(place, "i_am")) or words in meanings()["introductions"][self.lexed.language]

    def _begins_with(self, place: int) -> bool:
        """Whether nothing but a greeting stands before a place."""
        return all(self.quiet(at) or self.spans[at].of("carry") for at in range(place))

    def _says_me(self, first: int) -> bool:
        """Whether `I` or `my` is said from a place on."""
        return any(span.of("me", "first_person") or self._says_mine(span) for span in self.spans[first:])

    def _corrected(self) -> None:
        """`no, won ones`: a no before a comma denies the question before, not what follows."""
        if len(self.spans) > 2 and self.spans[0].of("no", "not") and self.spans[1].of("comma"):
            self.spans[0].senses = (Sense("carry"),)

    # gates

    def _gates(self) -> None:
        """What there is no answer to, whatever stands beside it."""
        for place, span in enumerate(self.spans):
            if span.used:
                continue
            only = {sense.kind for sense in span.senses}
            denied = (
                "exists" in only and self.has(place + 1, "no", "not") and not self._says(place + 1, "not", "lately")
            )
            if denied and not self.has(self.near(place + 1, 1), "done"):
                raise Unclear(
                    f"'{span.text} {self.spans[place + 1].text}': whether there are any, or which are not?",
                    "how many overdue deals are there?",
                )
            if only == {"undeclared"}:
                name = span.senses[0].name
                raise Unclear(f"{name} is no declared figure or dimension", "win rate by product", "revenue by product")
            if only == {"absent"}:
                self._refuse_absent(place)
            if "nodata" in only and only <= {"nodata"}:
                raise Unclear(f"the data have nothing about {span.text!r}")
            drafts = any(Sense("intent", "draft") in other.senses for other in self.spans)
            if "kind" in only and span.of("kind") == Sense("kind", "email") and not drafts and self._addresses(place):
                raise Unclear(
                    "addresses are personal data, which I do not read",
                    "how many emails were sent last week?",
                    remedy="Who may see it finds it on the account's page of the dashboard (`medallion dashboard`).",
                )
            if "personal" in only and not self._contact(place):
                raise Unclear(
                    f"{span.text!r} is personal data, which I do not read",
                    remedy="Who may see it finds it on the account's page of the dashboard (`medallion dashboard`).",
                )
            if "leads_whom" in only and self._leads_team(place):
                continue
            if "leads_whom" in only:
                raise Unclear(
                    f"{span.text!r}: is the owner of a deal meant, or the manager of a rep?", "open pipeline by manager"
                )
            if "help" in only and all(self.quiet(other) for other in range(len(self.spans)) if other != place):
                raise Unclear(
                    "ask for a figure, a list, an account or what changed",
                    *("revenue by month this year", "Which deals are closing this month?", "Who should I call?"),
                )
            if only and only <= {"operations"}:
                raise Unclear(
                    f"{span.text!r} is about loads, of which I know only that the data end on {self.today.day:%Y-%m-%d}",
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
            another = span.of("other") and span.text.isascii()  # andere, not ändere
            if "action" in only and first and not another:
                raise Unclear(
                    "nothing can be changed from a conversation",
                    remedy="Propose it with `medallion actions propose`; its `--help` says how.",
                )

    def _refuse_absent(self, place: int) -> None:
        """Refuse a figure of records that this lakehouse has none of: quotas, people of accounts.

        Raises:
            Unclear: Always.
        """
        span = self.spans[place]
        named = [other.text for other in self.spans if other.of("account", "deal")]
        if span.of("absent") == Sense("absent", "contacts"):
            raise Unclear(
                f"{span.text!r}: contacts are personal data, which I do not read",
                *(f"who is the account manager of {name}" for name in named[:1]),
                remedy="Who may see them finds them on the account's page of the dashboard (`medallion dashboard`).",
            )
        if any(sense.name.removeprefix("team_") in meanings()["current"] for sense in span.all("absent")):
            raise without_quotas("revenue this quarter by owner")
        raise Unclear(
            f"this lakehouse has no data for {span.text!r}",
            remedy="`medallion metrics list` says what there is; docs/PROPOSALS.md, which files can be added.",
        )

    def _leads_team(self, place: int) -> bool:
        """`who leads West`: the manager of a team or a rep that is named, said as a dimension of theirs."""
        led = [span for span in self.spans if any(sense.name in (*TEAMS, "owner") for sense in span.all("value"))]
        if len(led) != 1:
            return False
        self.spans[place].senses = (Sense("dim", "owner_manager"),)
        return True

    def _addresses(self, place: int) -> bool:
        """Whether the e-mails of accounts are asked for, which are addresses."""
        of_people = self.before is not None and self.before.metrics == ("contacts",)
        alone = all(self.quiet(at) or span.of("carry", "and", "its", "person", "they") for at, span in enumerate(self.spans) if at != place)  # fmt: skip
        if of_people and alone:
            return True  # email?, after who the decision maker is
        owner = self.near(place, 1, over=("from",))
        of = place + 1 < len(self.spans) and self.spans[place + 1].of("prep", "from")
        return bool(
            of
            and owner < len(self.spans)
            and (self.spans[owner].of("entity", "account", "deal") or self._people_of_account(place, owner))
            and not self.places("count")
        )

    def _people_of_account(self, place: int, owner: int) -> bool:
        """`the email of the contact at Lumen Works`; `emails from contacts` are touches."""
        people = self.spans[owner].of("people") and self.spans[place + 1].of("prep")
        return bool(people) and any(span.of("account", "deal") for span in self.spans[owner:])

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
            ranked = self.places("desc", "asc", "more", "last", "yesterday")  # quien llamo más: llamó
            in_first_person = self.spans[call].of("first_person") is not None and not ranked
            wanted += [call] * in_first_person
            after = [
                place
                for place in range(call + 1, len(self.spans))
                if self.has(place, "value", "me", "account", "entity")
                and not (in_first_person and self.has(place, "me"))
            ]
            past = any(span.of("past") for span in self.spans[:call])
            if wanted and not after and not past and not self.places("state", "not", "never"):
                self.goal = "plan"
                self.use(call, *asks)
        if self.goal == "plan":
            self.take("modal", "first_thing", "verb")
            self.use(*[at for at in (len(self.spans) - 1,) if folded(self.spans[at].text) == "an"])  # wen rufe ich an
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
        due |= bool(ends and self._closings_at())
        due |= self._goes_on_ahead() or any(Sense("metric", "open_value_due") in span.senses for span in self.spans)
        due |= any(Sense("intent", "forecast") in self.spans[place].senses for place in self.places("intent"))
        due |= self._asks_cover()
        future = self.goal == "plan" or bool(self.places("next")) or due
        times = Times(self.spans, self.today, future=future, day_first=self.lexed.language != "en")
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

    def _goes_on_ahead(self) -> bool:
        """Whether nothing but another time is said after deals that are due: `and in August`."""
        due = self.before is not None and self.before.deed == "due"
        return due and not self.places("metric", "verb", "entity", "state", "kind", "past", "intent")

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
        self._row_of_account()
        self._pronouns()

    def _intents(self) -> None:
        """The named intents that are not about figures."""
        for place in self.places("intent"):
            intents = self.spans[place].all("intent")
            for intent in intents:
                if self.goal or not self._fits(intent.name, place):
                    continue
                self.goal = intent.name
                self.use(place)
        if self.goal == "forecast":
            self.take("amount", "will")  # how much do we expect
        verbs = [place for place in self.places("verb") if self._says(place, "verb", "define")]
        last = self.near(verbs[-1], 1) if verbs else 0
        asks = self.places("how") or (self.places("list") and last >= len(self.spans))
        if verbs and not self.goal and asks and not self.has(last, "metric", "field"):
            self.goal = "define"
            self.use(*verbs, *self.places("how"))
        self._why()
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
        if name == "overview":
            return not (self.spans[place].of("extent") and self.places("metric"))
        if name == "brief":
            return bool(self.about) and not self.places("metric", "field", "dim")
        if name == "channels" and [record.kind for record in self.about] == ["account"]:
            self.fields.append("preferred_channel")  # best channel for Lumen Works
            self.use(place)
            return False
        if name == "forecast" and self.spans[place].of("metric"):  # expected revenue of a time; else of the pipeline
            return bool(self.times) and not self.places("state", "entity", "value", "verb", "share", "average")
        if name == "forecast":
            return self.spans[place].of("value") is None or not self._stands_as_name(place)
        if name == "changed":
            return not self.about
        return True

    # what it is about

    # what is left
