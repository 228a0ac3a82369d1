"""What is left of a question at the end: what says nothing, what conflicts, and what is not understood."""

from __future__ import annotations

from collections.abc import Sequence

from medallion import metrics
from medallion.agent.planner.colloquial import Colloquial
from medallion.agent.planner.lexer import Span
from medallion.agent.planner.lexicon import Sense, lexicon, plain_words
from medallion.agent.planner.marking import DASHES, QUIET, Unclear
from medallion.agent.planner.slots import OF_DEED, OF_OPEN, TEAMS, Threshold, names_of
from medallion.metrics.conditions import Test

#: Kinds of spans before which a dash is a pause: what is asked of what stands before it.
_AFTER_PAUSES = ("both_of", "count", "amount", "list", "by", "entity", "state", "when", "who", "why", "how")
#: Who does something, in English, which alone has one word for being open and for opening.
_WE = frozenset({"we", "you", "they"})
#: Questions that are of whoever is named in their words.
_OF_ME = (Sense("intent", "forecast"), Sense("intent", "attain"))
#: Words that ask for what was done, where no records are named.
_WHAT = frozenset({"what", "was", "que", "qu'est-ce que", "qué"})
#: Words that a name follows.
_OF = frozenset(
    {"of", "from", "with", "for", "at", "von", "mit", "für", "bei", "de", "avec", "pour", "chez", "con", "para"}
)
#: Kinds of words that ask or tell to do something, which stand for nothing where a name does.
_TELLING = frozenset({"list", "action", "intent", "verb"})
#: Figures that a single deal has.
_OF_DEALS = {"total_deal_value", "open_pipeline", "weighted_pipeline"}
#: Kinds of words that say which records are asked about.
_RECORDS = ("entity", "metric", "account", "deal")
#: Articles that stand for records with the word after them, where that is no noun.
_ARTICLES = frozenset({"die", "les", "los", "las"})
#: States of which a record has one: named together, either is meant.
_OUTCOMES = frozenset({"open", "won", "lost", "closed"})
#: Kinds of words that restrict, whatever was restricted before them.
_LIMITS = ("gt", "ge", "lt", "le", "not", "no", "never")


def _says_too(clause: Sequence[Span]) -> bool:
    """Whether a clause says that it is in addition, and nothing else."""
    return any(span.of("too") for span in clause) and all(span.of("too", "comma") for span in clause)


def _adds(clause: Sequence[Span]) -> bool:
    """Whether a clause names records: `the lost ones`, `die verlorenen`; a relative clause does not."""
    named = any(
        span.of("ones_of", "more_of_it", "joined", "entity") or span.text.casefold() in _ARTICLES for span in clause
    )
    return named and not any(span.of("be", "with", "who", "yes_no") for span in clause)


def _restricts(clause: Sequence[Span], first: Sequence[Span]) -> bool:
    """Whether a clause says of its records what was not said, in another way, of those before it."""
    states, before = _names("state", clause), _names("state", first)
    if states:
        return not (states <= _OUTCOMES and before & _OUTCOMES)
    kinds = [kind for kind in ("account", "deal") if _names(kind, clause) and not _names(kind, first)]
    new = _names("value", clause) - _names("value", first)
    return bool(new or kinds) or any(span.of(*_LIMITS) for span in clause)


def _names(kind: str, spans: Sequence[Span]) -> set[str]:
    return {sense.name for span in spans for sense in span.all(kind)}


def _phrases(spans: Sequence[Span]) -> tuple[str, ...]:
    """Words that mean nothing, those that stand beside each other together."""
    phrases: list[list[Span]] = []
    for span in spans:
        if span.senses:
            continue
        if phrases and phrases[-1][-1].last == span.first and span.text[:1].isupper():
            phrases[-1].append(span)
        else:
            phrases.append([span])
    return tuple(" ".join(span.text for span in phrase) for phrase in phrases)


class Checking(Colloquial):
    """Checks that every span of a question has filled a slot or says nothing."""

    def _conflicting(self) -> None:
        """Refuse words of which one slot can take but one: two numbers asked for, a median of an average, one name twice.

        Raises:
            Unclear: There are such words.
        """
        counts = sum(span.of("count") is not None for span in self.spans) - self.counted
        if counts > (0 if self.counted else 1) and not self.by:
            raise Unclear("there is more than one question in it", remedy="Ask one after the other.")
        if any(span.of("median") for span in self.spans) and not any(map(self._is_median, self.metrics)):
            for name in self.metrics[:1]:
                raise self._no_median(name)
        named = any(span.of("metric", "field", "entity") for span in self.spans)
        if self.goal in ("average", "median") and self.metrics == ["revenue"] and not named:
            raise Unclear(f"the {self.goal} of revenue per what?", f"{self.goal} deal size", "revenue by month")
        for left, span, right in zip(self.spans, self.spans[1:], self.spans[2:], strict=False):
            if span.of("vs", "to", "until") and {*left.all("value")} & {*right.all("value")}:
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
            raise Unclear(
                f"{figure} is not a figure of one deal: is its owner or its account meant?", remedy="Ask by their name."
            )

    def _rest(self) -> None:
        """What no slot has taken: who asks, words of lists, and what is not understood."""
        if self.spans[-1].of("until"):
            raise Unclear(f"{self.spans[-1].text} when?")
        if me := self.places("me"):
            self.use(*me)
            self.me = True
        if self.take("and_total"):
            both = self.goal == "count" and self.entity == "deals" and not self.by
            self.with_total, self.total = bool(self.by), not (self.by or both)
            self.goal = "both" if both else self.goal  # how many deals, and the total
        if self.take("my_team"):
            self.me = self.team = True
        of_me = any(span.of("first_person") or self._says_mine(span) for span in self.spans)
        if of_me and not any(span.of("who") for span in self.spans):
            self.me = True  # cuánto vendí
        if past := self.places("past"):
            self.past = True
            self.use(*past)
        if self.take("list"):
            self.goal = self.goal or "list"
            deeds = ("win", "lose", "close", "create", "due", "sell")
            stated = {state for state, _ in self.states}
            whole = self.before is None or self.where or self.me
            if (
                self.goal == "list"
                and (
                    self.deed in deeds
                    or {"won", "lost"} & stated
                    or (whole and {"open", "overdue", "silent", "slipped", "stuck"} & stated)
                )
                and not (self.entity or self.metrics or self.by or self.rank or self.about)
            ):
                self.entity = "deals"
                if self._asks_what_was_done(deeds):
                    self.goal = "both"  # what did we win last week
        ranked = self.rank is not None and (bool(self.fields) or self.rank.way == "likeliest")
        if ranked and self.states and not (self.entity or self.metrics or self.by or self.about):
            self.entity = "deals"  # which 5 of those that I have open have the best chance
        asks = self.entity or self.metrics or self.by or self.rank or self.about
        if self.deed == "due" and self.times and not (asks or self.goal or self.places("who", "thing")):
            self.entity = asks = "deals"  # closing next month
        done = (
            self.deed in ("win", "lose", "close", "create")
            or {"won", "lost", "closed", "open", *OF_OPEN} & dict(self.states).keys()
        )
        things = self.places("thing")
        if (self.yes_no or things) and (done or self.deed == "due" or (things and self.thresholds)) and not asks:
            self.use(*things)
            self.entity = "deals"  # did we win anything last week
        if self.take("ones"):
            self.goal = "list"
            self.refers = True
        self._besides()
        last = len(self.spans) - 1
        if self.spans and (self.spans[0].of("carry") or self.has(last, "too")):
            self.follows = True
            self.use(*[at for at in (last,) if self.has(at, "too")])  # win rates too
        if self.goal == "both" and self.deed in OF_DEED and not (self.entity or self.metrics):
            self.entity = "deals"  # how many did we win, and how much were they worth
        if self.versus:
            self.take("how")
        starts = {time.place for time in self.times}
        self.use(*[place for place in self.places("from") if place + 1 in starts])  # leads from this month
        if self._says_risk():
            self.take("risk")
        if self.goal in ("average", "median"):
            self.take("not_total")  # on average, not in total
        if self.entity == "accounts" and ("bought", True) in self.states and self.take("repeat"):
            self.states.remove(("bought", True))  # which more than once says too
            self.thresholds.append(Threshold("won_deals", ">", "1"))
        if self.rank and self.turn and self.before is not None and (self.before.by or self.by):
            self.take("the_one", "list")
            self.goal = "" if self.goal == "list" else self.goal  # which one grew the most
        if self.rank and self.rank.count and (self.share or (self.goal == "amount" and self.metrics)):
            self.take("from", "up", "to", "in_the_first")  # what share of revenue comes from the top 10 customers
            self.turn = ""
            self.use(*[place for place in self.places("verb") if self._says(place, "verb", "sell")])
        narrows = ("gt", "ge", "lt", "le", "not", "no", "never", "between", "with")
        for place in self.places("and"):  # over 100k and no contact for two weeks
            after = self.near(place, 1, over=("yes_no",))
            beside = [self.spans[at] for at in (place - 1, after) if 0 <= at < len(self.spans)]
            if len(beside) > 1 and all(span.used for span in beside) and beside[1].of(*narrows):
                self.use(place)
        if self.about and self.states and self.goal in ("", "list") and not (self.entity or self.metrics or self.by):
            self.entity = "deals"  # what is open at Lumen Works
            named = any(span.of("account") for span in self.spans) and not (self.yes_no or self.places("thing"))
            self.worth_too = named and self.states == [("open", True)] and not (self.where or self.times)
            self.take("thing", "exists")
        if self.about and self.deed in ("win", "lose", "close") and things and not (self.entity or self.metrics):
            self.entity = "deals"  # did we lose anything there
            self.take("thing", "exists")
        if "owner" in self.by and (self.versus or self.contrast):
            self.take("who")  # A or B: who has more
        for place in self.places("aside"):
            led = all(self.quiet(at) or self.spans[at].of("aside", "carry", "i_am") for at in range(place))
            if led or self.about or self.goal in ("brief", "plan", "draft", "score"):
                self.use(place, *[at for at in range(place) if led and self.has(at, "i_am", "carry")])
                self.use(*[at for at in (place + 1,) if at < len(self.spans) and self.spans[at].text in DASHES])
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
            if span.text in DASHES and after < len(self.spans) and self.spans[after].of(*_AFTER_PAUSES):
                self.use(place)
        self._helpers()
        left = [span for place, span in enumerate(self.spans) if not span.used and not self._says_nothing(place)]
        if left:
            words = ", ".join(repr(span.text) for span in left[:4])
            unknown = not any(span.senses for span in left)
            rest = " ".join(span.text for span in self.spans if span not in left) if unknown else ""
            raise Unclear(f"I do not understand {words} in the question", without=rest, unknown=_phrases(left))

    def _asks_what_was_done(self, deeds: tuple[str, ...]) -> bool:
        """Whether `what` is asked of what was won, lost, closed or booked in a time, which its number and sum tell."""
        ended = self.deed in deeds and self.deed not in ("create", "due")
        led = next((span for at, span in enumerate(self.spans) if not self.quiet(at) and not span.of("carry")), None)
        asks = led is not None and led.text.casefold() in _WHAT
        listed = self.thresholds or self.fields or self.average or self.refers or self.places("still") or self.me
        return ended and asks and not listed and bool(self.times)

    def _helpers(self) -> None:
        """Verbs and joints that say the same as what was understood already."""
        if self.metrics and self._asks_how_it_is() and not (self.by or self.rank or self.goal):
            self.take("how")  # how is the win rate this month
        if self.metrics and self.by and self.led:
            self.take("how")  # how is revenue split by country
        for place in self.places("verb"):
            names = {verb.name for verb in self.spans[place].all("verb")}
            if "work" in names and self.metrics and not self.about:
                self.take("how")  # how is revenue doing
            figure = self.metrics or self.entity == "interactions" or self.goal in ("amount", "count")
            if (
                (({"get", "sell", "work"} & names) and figure and not (self.places("who") or self._is_named(place)))
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
        if self.entity == "interactions" and self.about and not (self.metrics or self.by):
            self.take("how")  # how did their calls go
        if self.entity or self.metrics or self.where or self.thresholds or self.states or self.rank or self.times:
            for place in self.places("only"):
                self.use(place)
        if self.where and self.spans and self.has(len(self.spans) - 1, "from"):
            self.use(len(self.spans) - 1)  # die nicht von der Website kommen
        if self.deed == "due":
            self.take("modal")  # sollen im Mai abgeschlossen werden
        if self.states or self.where:
            self.take("still")
        if self.goal == "define":
            self.take("you", "how", "list", "past", "to")
        if self.goal in ("why", "changed"):
            self.take("list", "how", "verb")

    def _is_named(self, place: int) -> bool:
        """Whether a word stands where a name does: `revenue of Works`."""
        return place > 0 and self.spans[place - 1].text.casefold() in _OF

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

    def _named(self) -> None:
        """Refuse a word that tells to do something where a name is expected: `revenue of Get last month`.

        Raises:
            Unclear: There is such a word.
        """
        for place, span in enumerate(self.spans):
            kinds = {sense.kind for sense in span.senses}
            end = place + 1 >= len(self.spans) or self.spans[place + 1].used or self.spans[place + 1].of("comma")
            if span.used or not kinds or not kinds <= _TELLING or "list" not in kinds:
                continue
            if end and self._is_named(place) and span.capital and not self.spans[place - 1].ends:
                raise Unclear(
                    f"I do not understand {span.text!r} in the question: there is no such name", unknown=(span.text,)
                )

    def _opened(self) -> None:
        """`did we open`, `do I open`: what somebody does, where `open` alone is a state."""
        for place in range(2, len(self.spans)):
            span, who, verb = self.spans[place], self.spans[place - 1], self.spans[place - 2]
            subject = who.of("me", "person") or who.text.casefold() in _WE or any(s.name == "owner" for s in who.senses)
            if span.text.casefold() == "open" and verb.text.casefold() in ("do", "did", "does") and subject:
                span.senses = (Sense("verb", "create"),)

    def _sent(self) -> None:
        """What we or a rep sent is outbound; what customers sent is asked about. Without who did it, it is what went either way.

        Raises:
            Unclear: It was sent to us, or it is not clear by whom.
        """
        to_me = [at for at, span in enumerate(self.spans) if span.of("list") and span.of("to_me")]
        if self._of_undirected_touches() and not self.places("sends", "receives"):
            self._reached()
        sent = self.places("sends") or [
            at for at in to_me if not self._begins(at)
        ]  # send me the calls of May is a request
        if not sent or not self._of_undirected_touches():
            return
        passive = any(
            Sense("verb", "get") in span.senses or span.of("receives") for span in self.spans if not span.of("sends")
        )
        to_us = from_them = False
        to_them: list[int] = []
        for place, span in enumerate(self.spans):
            them, to = span.of("account") or Sense("entity", "accounts") in span.senses, self._led_by_to(place)
            to_them += [to, place] if them and to is not None else []
            from_them |= bool(them and to is None)
            to_us |= bool(span.of("to_us", "they", "to_me") or (to is not None and self._acts(span)))
        ours = self._we_did("sends") or bool(to_them and not to_us)
        if passive or ((to_us or from_them) and not ours):
            raise self._which_way("sent")
        if ours or any(self._acts(span) for span in self.spans):
            self.where.append(Test("direction", "=", ("outbound",)))
            self.use(*to_them)
        self.take("sends")

    def _reached(self) -> None:
        """`calls to Germany`, `emails to Lumen Works`: those that went out."""
        for place in self.places("to"):
            span = self.spans[self._past(place + 1)] if self._past(place + 1) < len(self.spans) else None
            customer = span is not None and (
                span.of("account")
                or Sense("entity", "accounts") in span.senses
                or any(sense.name in ("country", "industry", "city", "segment") for sense in span.all("value"))
            )
            before = self.near(place, -1, over=("booked",))
            touch = before >= 0 and (self.spans[before].of("kind") or self.spans[before].of("entity"))
            if customer and touch and not self.spans[before].of("verb"):
                self.where.append(Test("direction", "=", ("outbound",)))
                self.use(place)
                return

    def _received(self) -> None:
        """What we or a rep received is inbound.

        Raises:
            Unclear: It is not clear who received it.
        """
        if not self._of_undirected_touches() or not any(span.of("receives") for span in self.spans):
            return
        them = [place for place, span in enumerate(self.spans) if Sense("entity", "accounts") in span.senses]
        by_them = bool(self.about) or any(not self.has(place - 1, "from") for place in them)
        if not (self._we_did("receives") or (any(map(self._acts, self.spans)) and not by_them)):
            raise self._which_way("received")
        self.where.append(Test("direction", "=", ("inbound",)))
        self.use(*self.places("receives"), *[at for place in them for at in (place - 1, place) if place])

    def _says_mine(self, span: Span) -> bool:
        """Whether the words of a figure or verb have `I` or `my` among them: how old are my deals."""
        figures = [sense for sense in span.senses if sense.kind == "metric" and sense.name != "contacts"]
        if not (figures or span.of("verb", "leaves") or {*_OF_ME} & {*span.senses}):
            return False
        words, phrases = plain_words(span.text), lexicon(self.lexed.language).phrases
        return len(words) > 1 and any(Sense("me") in phrases.get((word,), ()) for word in words)

    def _we_did(self, verb: str) -> bool:
        """Whether `we` or `I` stands right before a verb, as who does it, or the verb says so itself."""
        for place in self.places(verb):
            before = place - 1
            while (
                before >= 0 and not self._acts(self.spans[before]) and (self.quiet(before) or self.has(before, "past"))
            ):
                before -= 1
            subject = before >= 0 and self._acts(self.spans[before])
            if subject or Sense(verb, "own") in self.spans[place].senses:
                return True
        return False

    def _begins(self, place: int) -> bool:
        """Whether nothing that says something stands before a place."""
        return all(map(self.quiet, range(place)))

    def _led_by_to(self, place: int) -> int | None:
        """Where `to` stands before a place, articles aside."""
        before = place - 1
        while before >= 0 and not self.spans[before].of("to") and self.quiet(before):
            before -= 1
        return before if before >= 0 and self.spans[before].of("to") else None

    @staticmethod
    def _acts(span: Span) -> bool:
        """Whether a span says that somebody of ours does it: we, I, a rep by name, which rep."""
        of_us = ("owner", *TEAMS)
        person = any(sense.name in of_us for sense in span.senses if sense.kind in ("value", "dim", "entity"))
        ours = span.of("ourselves", "me", "first_person") is not None
        return person or (ours and span.of("to_me") is None)

    def _of_undirected_touches(self) -> bool:
        """Whether touches are asked about, and not those of one direction."""
        of_touches = self.entity == "interactions" or {"touches", "touch_positive_rate"} & {*self.metrics}
        return bool(of_touches) and not any(name == "direction" for part in self.where for name in names_of(part))

    def _which_way(self, done: str) -> Unclear:
        return Unclear(f"{done} by us, or by them?", "inbound emails last month", "outbound emails last month")

    def _us(self) -> None:
        """`US` in capitals is the country, `us` is who asks."""
        for place, span in enumerate(self.spans):
            kinds = {sense.kind for sense in span.senses}
            if not {"neutral", "value"} <= kinds:
                continue
            before = self.spans[place - 1].text.casefold() if place else ""
            if before == "from" and not span.text.isupper() and self._of_touches():
                self._from_us(place)
                continue
            if before == "from" and not span.text.isupper() and self._bought_from(place):
                span.senses = tuple(sense for sense in span.senses if sense.kind == "neutral")
                self.use(place - 1, place)  # bought anything from us
                continue
            named = span.text.isupper() or before in ("in", "the", "from")
            keep = "value" if named and not self._all_large() else "neutral"
            span.senses = tuple(sense for sense in span.senses if (sense.kind == "value") == (keep == "value"))

    def _of_touches(self) -> bool:
        """Whether the question names touches."""
        return any(span.of("kind") or Sense("entity", "interactions") in span.senses for span in self.spans)

    def clauses(self) -> list[list[int]]:
        """The places of the spans of each clause, with the comma or dash that ends it."""
        clauses: list[list[int]] = [[]]
        for place, span in enumerate(self.spans):
            clauses[-1].append(place)
            if span.ends or span.of("comma") or span.text in DASHES:
                clauses.append([])
        return clauses

    def _besides(self) -> None:
        """`all deals in Germany, the lost ones too`: a clause that adds records to those before it does not restrict them.

        Raises:
            Unclear: It adds records in a state or otherwise restricted, which would be read as a condition on all of them.
        """
        clauses = [[self.spans[place] for place in clause] for clause in self.clauses()]
        too = [any(span.of("too") for span in clause) for clause in clauses]
        for number, clause in enumerate(clauses):
            beside = [at for at in (number - 1, number + 1) if 0 <= at < len(clauses) and _says_too(clauses[at])]
            first = [span for earlier in clauses[:number] if not _says_too(earlier) for span in earlier]
            asks = any(span.of(*_RECORDS) for span in first)
            if asks and (too[number] or beside) and _adds(clause) and _restricts(clause, first):
                words = " ".join(span.text for span in clause if not span.of("comma"))
                whole = " ".join(span.text for span in first if span not in first[-1:] or not span.of("comma"))
                raise Unclear(
                    f"{words!r} may be in addition to the others, or narrow them",
                    without=whole,
                    remedy="Ask about each separately.",
                )

    def _bought_from(self, place: int) -> bool:
        """Whether somebody buys from what stands at a place: `bought anything from us`."""
        before = place - 2
        while before >= 0 and self.spans[before].of("thing"):
            before -= 1
        joined = place + 1 < len(self.spans) and self.spans[place + 1].of("and", "or")
        return before >= 0 and not joined and Sense("state", "bought") in self.spans[before].senses

    def _from_us(self, place: int) -> None:
        """`calls from us to Germany`: who asks, who made them; without anybody that they went to it may be the country.

        Raises:
            Unclear: Nobody is named that they went to.
        """
        after = self.near(place, 1)
        if not self.has(after, "to"):
            raise Unclear(
                f"'from {self.spans[place].text}': who asks, or the country?", "outbound calls", "calls in the US"
            )
        self.where.append(Test("direction", "=", ("outbound",)))
        self.use(place - 1, place, after)

    def _all_large(self) -> bool:
        return all(span.text.isupper() for span in self.spans) and len(self.spans) > 2
