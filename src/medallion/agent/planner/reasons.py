"""Why something is so, and who was or was not reached: questions about causes and about what came of touches."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from medallion.agent.planner.lexicon import Sense, expanded, folded, meanings, plain_words
from medallion.agent.planner.marking import DASHES, Unclear
from medallion.agent.planner.slots import OF_DEED, Rank
from medallion.agent.planner.standing import Standing
from medallion.metrics import periods
from medallion.metrics.conditions import Test

#: What a cause is of: a figure, or how it moved.
_MOVED = ("up", "down", "change", "metric")
#: Kinds of spans that name a time between two others.
_SPANS = ("month", "quarter")
#: So many spans say at most that something is wanted.
_LONGEST_WANTED = 6
#: Kinds of words that deny or limit.
_LIMITS = ("no", "not", "never", "nothing", "with", "only", "gt", "ge", "lt", "le")
#: Words that mean nothing where nothing is asked of them.
_GREAT = frozenset({"great", "good", "super", "well", "genial", "bueno", "gut"})
#: What accounts buy, as a dimension of deals.
_PRODUCTS = ("product", "category")


def _whole(day: date, unit: str) -> str:
    """The month or quarter that a day is in, as a question writes it.

    >>> _whole(date(2025, 6, 30), "month"), _whole(date(2025, 6, 30), "quarter")
    ('2025-06', '2025-Q2')
    """
    return f"{day.year}-Q{(day.month + 2) // 3}" if unit == "quarter" else f"{day.year}-{day.month:02}"


class Reasons(Standing):
    """Reads why something is so, and whom touches reached."""

    def _caused(self) -> None:
        """`which products are behind the increase`, `what is dragging our win rate down`: why it is so, by what is named.

        Raises:
            Unclear: Single deals are asked for.
        """
        for place in self.places("cause"):
            asks = [at for at in self.places("list", "who") if at < place]
            moved = any(span.of(*_MOVED) for span in self.spans)
            of_owner = any(sense.name == "owner" for span in self.spans for sense in span.all("value"))
            after = [at for at in range(place + 1, len(self.spans)) if not self.quiet(at)]
            says = [span for span in self.spans[:place] if span.of("judged", *_MOVED) or span.text.casefold() in _GREAT]
            refers = not after and bool(says)
            if not (self.places("why") or (asks and (moved or of_owner)) or refers):
                continue
            subject = self.near(asks[0], 1) if asks else len(self.spans)
            sense = self.has(subject, "entity") if subject < place else None
            if sense == Sense("entity", "accounts"):
                self.by.append("customer_name")
                self.use(subject)
            elif sense:
                raise Unclear(
                    "a change is explained by its parts, not by single records",
                    "why did revenue go up last month, by product",
                )
            self.spans[place].senses = (Sense("why"),)

    def _why(self) -> None:
        """Why a figure moved or is so low, why an account or deal is scored as it is, and why to call it."""
        if not (why := self.places("why")):
            return
        self._refuse_why_it_ended()
        self.goal = "score" if self.goal == "score" or (self.about and not self.places("metric")) else "why"
        self.use(*why)
        if self.goal == "score" and self._asks_to_call():
            self.goal = "call"
            self.take("on_list", "modal", "me", "first_thing", "foremost", "verb", "intent", "list")
            self.times = [time for time in self.times if time.text not in ("today", "tomorrow", "this week")]
        if self.goal == "why":
            self.judged = any(span.of("judged") or span.text.casefold() in _GREAT for span in self.spans)
            self.take("judged", "cause", "intent")
            unsaid = not self.places("metric") and not self._restricted_why()
            moved = self.judged or self.places("up", "down", "change") or self.places("dim")
            if unsaid and self.times and moved and not self._counts_deals():
                self.metrics.append("revenue")
                self.notes.append("Revenue, since no figure is named.")
            elif unsaid and self._counts_deals():
                self.take("more", "fewer", "judged", "much")

    def _refuse_why_it_ended(self) -> None:
        """`why did we lose Lumen Works`: no score says that.

        Raises:
            Unclear: It is asked why a deal was won or lost.
        """
        senses = {sense for place in self.places("verb", "state") for sense in self.spans[place].senses}
        lost = {Sense("verb", "lose"), Sense("state", "lost")} & senses
        won = Sense("verb", "win") in senses and self.places("past")
        if self.about and (lost or won):
            raise Unclear("why a deal was won or lost is not in the data", f"tell me about {self.about[0].key}")

    def _counts_deals(self) -> bool:
        """Whether deals are named, or what became of them: `why did we lose so many deals`."""
        done = any(sense.name in OF_DEED for span in self.spans for sense in span.all("verb"))
        return done or any(Sense("entity", "deals") in span.senses for span in self.spans)

    def _restricted_why(self) -> bool:
        """Whether it is asked of whom or of what: a rep, a country, who asks."""
        return any(span.of("value", "me") for span in self.spans)

    def _from_to(self) -> None:
        """`the increase from May to June`: two times, of which the first is compared with, not one that holds both."""
        if self.goal == "why" and len(self.times) == 2:
            first, then = sorted(time.place for time in self.times)
            between = any(span.of("to") or folded(span.text) == "auf" for span in self.spans[first : then + 1])
            self.versus |= between or (first > 0 and self.spans[first - 1].of("between") is not None)
        if self.goal != "why" or len(self.times) != 1 or " to " not in self.times[0].text:
            return
        first = self.times[0].place
        named = [at for at in range(first, len(self.spans)) if self.spans[at].used and self.spans[at].of(*_SPANS)]
        span = periods.read(self.times[0].text, self.today)
        if len(named) < 2 or span.first is None or span.last is None:
            return
        unit = "quarter" if self.spans[named[0]].of("quarter") else "month"
        ends = [_whole(day, unit) for day in (span.first, span.last)]
        if self.spans[named[0]].of("month", "quarter") and ends[0] != ends[1]:
            self.times = [replace(self.times[0], text=text, place=first + at) for at, text in enumerate(ends)]
            self.versus = True

    def _asks_to_call(self) -> bool:
        """Whether it is asked why to call an account: `why should I ring it first`, `why is it on my list`."""
        calls = any(Sense("verb", "contact") in span.senses or span.of("on_list") for span in self.spans)
        return calls or any(Sense("intent", "plan") in span.senses for span in self.spans)

    def _unanswered(self) -> None:
        """`who didn't pick up when we called on Friday`: the accounts that our touches found no answer at."""
        for place in self.places("unanswered"):
            sense = self.spans[place].of("unanswered")
            kinds = [at for at in self.places("kind", "done") if at != place]
            named = self.spans[kinds[0]].of("kind", "done") if kinds else None
            channel = (sense.name if sense else "") or (named.name if named else "")
            asked = self.places("who", "whom") or self._accounts_asked()
            if not asked or len(kinds) > 1:
                return
            self._touched_by_account(asked)
            self.where += [Test("channel", "=", (channel,))] if channel else []
            self.where += [Test("direction", "=", ("outbound",)), Test("outcome", "=", ("no_answer",))]
            self.use(place, *kinds)
            self.take("past", "when", "ourselves", "first_person")
            return

    def _reached_whom(self) -> None:
        """`which customers did I talk to today`, `who did we call yesterday`: the accounts of our touches."""
        done = [at for at in self.places("verb") if self._touches_at(at)] + self.places("done")
        to_us = len(done) == 1 and self._reaches_us(done[0])
        asked = self.places("whom") or self._accounts_asked() or (self.places("who") if to_us else self._asked_of_us())
        past = (
            self.places("past") or any(span.of("first_person", "ourselves") for span in self.spans) or self._in_past()
        )
        past = past or (to_us and self.places("done", "verb") == done)
        counted = [at for at in self.places("count") if self.near(at, 1) in asked]
        others = self.places("not", "no", "never", "metric", "amount", "modal", "unanswered", "state")
        others += [at for at in self.places("count") if at not in counted]
        others += self.places("when", "how", "why", "desc", "asc", "last", "newest", "more", "fewer")
        ahead = any(time.text.startswith(("next", "tomorrow", "from")) for time in self.times)
        if len(done) != 1 or not asked or not past or ahead or others or self.about or self.goal:
            return
        if (counted and to_us and self.places("who")) or self._they_did(done[0], asked, to_us=to_us):
            return
        self._touched_by_account(asked)
        self._of_touch(done[0])
        self.number_of |= bool(counted)  # how many customers called us
        self.use(*counted)
        self.use(done[0], *[at for at in (done[0] + 1,) if self.has(at, "to", "with")])
        self.use(*[at for at in range(asked[0]) if self.has(at, "with")])
        self.take("past")

    def _last_done(self) -> None:
        """`when did we last call them`, `when did they last call us`: the last touch that went out, or that came in."""
        for place in self.places("kind", "metric"):
            to_us, sense = self._reaches_us(place), self.has(place, "kind", "metric")
            called = self.has(place, "kind") and self.spans[place].of("verb") and self.has(place - 1, "last")
            if called and sense and sense.name in ("call", "email") and (to_us or self._we_at(place - 2)):
                self.where.append(Test("direction", "=", ("inbound" if to_us else "outbound",)))
            elif sense == Sense("metric", "touched_customers") and to_us:
                self.where.append(Test("direction", "=", ("inbound",)))  # customers contacted us

    def _we_at(self, place: int) -> bool:
        """Whether a word for us, or for who asks, stands at a place."""
        return 0 <= place < len(self.spans) and self.spans[place].of("ourselves", "me") is not None

    def _of_touch(self, place: int) -> None:
        """The channel and direction of the touch at a place: what we did went out, what was done to us came in."""
        sense = self.spans[place].of("done") or self._called_at(place)
        to_us = self._reaches_us(place)
        self.where += [Test("channel", "=", (sense.name,))] if sense else []
        directed = sense.name in ("call", "email") if sense else to_us and not self.spans[place].of("converses")
        self.where += [Test("direction", "=", ("inbound" if to_us else "outbound",))] if directed else []

    def _reaches_us(self, place: int) -> bool:
        """Whether the touch at a place is one of theirs to us: `called us`, `haben uns angerufen`, `nos llamaron`."""
        if self.spans[place].of("hears"):
            return True
        ours = [at for at, span in enumerate(self.spans) if span.of("to_us", "to_me") and not span.of("list")]
        if self.lexed.language == "en":
            after = place + 1
            while after < len(self.spans) and after not in ours and (self.quiet(after) or self.spans[after].of("to")):
                after += 1
            return after in ours
        by_us = [at for at in ours if at and self.spans[at - 1].of("from", "by", "via")]  # von uns angerufen
        return bool(ours) and not (by_us or self._we_did_it(ours))

    def _we_did_it(self, objects: list[int]) -> bool:
        """Whether a verb or pronoun says that we did something, in languages where it alone says so; objects are none."""
        words = [word for at, span in enumerate(self.spans) if at not in objects for word in plain_words(span.text)]
        did = [str(word) for word in meanings()["we_did"][self.lexed.language]]
        ends = tuple(word[1:] for word in did if word.startswith("-"))
        return bool({*words} & {*did} or (ends and any(word.endswith(ends) for word in words)))

    def _they_did(self, place: int, asked: list[int], *, to_us: bool) -> bool:
        """Whether accounts are those who called or wrote, to nobody that is named: `welche Kunden haben gestern angerufen`."""
        sense = self.spans[place].of("done")
        directed = sense is not None and sense.name in ("call", "email")
        accounts = all(self.has(at, "entity") for at in asked)
        if to_us or not (directed and accounts) or self.lexed.language == "en":
            return False
        ours = any(span.of("ourselves", "first_person", "me") for span in self.spans)
        owners = any(sense.name == "owner" for span in self.spans for sense in span.all("value"))
        words = {word for span in self.spans for word in plain_words(span.text)}
        passive = words & {*map(str, meanings()["passive"][self.lexed.language])}
        return not (ours or owners or passive or self._we_did_it([]))

    def _touches_at(self, place: int) -> bool:
        names = {sense.name for sense in self.spans[place].all("verb")}
        return bool(names & {"touch", "contact"})

    def _called_at(self, place: int) -> Sense | None:
        """The channel of a verb for calling: `did Ben call`."""
        return self.spans[place].of("kind") or (Sense("done", "call") if self.spans[place].of("calls") else None)

    def _in_past(self) -> bool:
        """Whether the time that is named is over, or today."""
        return (
            bool(self.times)
            and all(not time.text.startswith(("next", "tomorrow", "from")) for time in self.times)
            and self.lexed.language != "en"
        )

    def _accounts_asked(self) -> list[int]:
        """Where accounts are asked for: `which customers`, `with which accounts`."""
        return [
            at
            for at in self.places("entity")
            if self.has(at, "entity") == Sense("entity", "accounts")
            and any(self.spans[before].of("list", "count") for before in (self.near(at, -1),) if before >= 0)
        ]

    def _asked_of_us(self) -> list[int]:
        """`who did we call`: who, before what we did; in `who called` it is who did it."""
        places = self.places("who")
        if len(places) != 1 or not self._leads_to_past(places[0]):
            return []
        after = self.near(places[0], 1, over=("past", "yes_no"))
        ours = any(span.text.casefold() == "we" or span.of("me", "ourselves") for span in self.spans[places[0] + 1 :])
        owner = after < len(self.spans) and self._named_owner(after)
        return places if ours or owner else []

    def _leads_to_past(self, place: int) -> bool:
        return place + 1 < len(self.spans) and self.spans[place + 1].of("past", "yes_no") is not None

    def _named_owner(self, place: int) -> bool:
        return any(sense.name == "owner" for sense in self.spans[place].all("value"))

    def _touched_by_account(self, asked: list[int]) -> None:
        """Touches by account, in place of the accounts that are asked for."""
        self.metrics.append("touches")
        self.by.append("customer_name")
        self.use(*asked, *[before for at in asked for before in (self.near(at, -1),) if self.has(before, "list")])

    def _preferred(self) -> None:
        """`how does Lumen Works prefer to be contacted`, `when is it best reached`: of one account, or of all touches."""
        for place in self.places("dim"):
            if self._says(place, "dim", "preferred_channel") and [record.kind for record in self.about] == ["account"]:
                self.fields.append("preferred_channel")
                self.use(place)
                self.take("how", "compare", "best", "list", "modal")
        for place in self.places("best_time"):
            sense = self.has(place, "best_time")
            self.metrics.append("touch_positive_rate")
            self.by.append("hour")
            self.rank = Rank("best", 3, self.spans[place].text)
            self.where += [Test("channel", "=", (sense.name,))] if sense and sense.name else []
            self.use(place)
            self.take("when", "modal", "me", "best")
            self.use(*[at for at in self.places("entity") if self.has(at, "entity") == Sense("entity", "accounts")])
            self.notes.append("Hours are in UTC; a rate of few touches says little.")

    def _account_products(self) -> None:
        """`which products does Lumen Works already have`: what it bought by product; what it never bought, the others."""
        if {record.kind for record in self.about} == {"account"} and len(self.about) > 1:
            self._several_accounts()
        if [record.kind for record in self.about] == ["account"] and self._is_scored():
            return
        if [record.kind for record in self.about] == ["account"] and (offers := self.places("offer")):
            self.by, self.metrics, self.goal = ["product"], ["revenue"], "lacking"
            self.use(*offers)
            self.take("to", "still", "verb", "sold")
            return
        if [record.kind for record in self.about] != ["account"] or self.metrics or self.goal not in ("", "list"):
            return
        named = [at for at in self.places("dim") if any(self._says(at, "dim", name) for name in _PRODUCTS)]
        others = self.places("entity", "metric", "count", "amount", "when", "why", "desc", "asc") or self.where
        states = {name for name, _ in self.states}
        if len(named) == 1 and not others and states <= {"bought", "won"}:
            sense = self.spans[named[0]].of("dim")
            denied = self.places("not", "no", "never")
            lacking = bool(denied) or any(not is_in for _, is_in in self.states)
            self.states = []
            self.use(*denied, *named)
            self.take("list", "still", "sold", "uses", "past", "modal", "to")
            self.use(*[at for at in self.places("verb") if {sense.name for sense in self.spans[at].all("verb")} & {"own", "sell"}])  # fmt: skip
            self.by, self.metrics = [sense.name if sense else "product"], ["revenue"]
            self.goal = "lacking" if lacking else ""
            return
        products = [part for part in self.where if isinstance(part, Test) and part.name in _PRODUCTS]
        asks = self.places("entity", "metric", "dim", "count", "amount") or self.states or self.deed
        if products and len(products) == len(self.where) and products[0].op == "=" and self.yes_no and not asks:
            self.states.append(("won", True))  # does Lumen Works have Routing
            self.take("sold", "uses", "past")

    def _several_accounts(self) -> None:
        """`compare Lumen Works and Lumen Labs`: accounts side by side, where nothing else is asked of them."""
        asks = self.places("metric", "entity", "dim", "field", "count", "amount", "verb", "state", "share")
        named = [at for at, span in enumerate(self.spans) if span.used and span.of("account")]
        joints = [at for at in range(named[0], named[-1]) if self.has(at, "and", "vs", "or")]
        if not asks and not self.goal and (joints or self.places("compare")):
            self.entity, self.goal = "accounts", "list"
            self.use(*joints)
            self.take("compare", "list")
            self.versus = False

    def _is_scored(self) -> bool:
        """Whether it is asked if an account is hot: its band and score."""
        banded = len(self.where) == 1 and isinstance(self.where[0], Test) and self.where[0].name == "lead_quality"
        asks = self.places("entity", "metric", "dim", "field", "count", "amount", "list", "verb", "state", "why")
        if banded and self.yes_no and not (asks or self.goal):
            self.where, self.fields = [], ["lead_quality", "lead_score"]
        return banded and bool(self.fields)

    def _touched_account(self) -> None:
        """`has anybody called Lumen Works this month`, `how often did we talk to them`: the touches of an account."""
        done = [at for at in self.places("verb") if self._touches_at(at)] + self.places("done")
        often = self.places("how_often")
        begins = self.spans[0].of("yes_no", "exists") and (self.yes_no or self.spans[0].of("exists"))  # haben wir
        asked = often or begins or (len(done) == 1 and self._reaches_us(done[0]))
        others = self.places(
            "not", "no", "never", "metric", "entity", "count", "amount", "modal", "unanswered", "state"
        )
        others += self.places(
            "when", "how", "why", "desc", "asc", "last", "newest", "more", "fewer", "latest", "lastly"
        )
        if len(self.about) != 1 or len(done) != 1 or not asked or others or self.goal or self.fields:
            return
        self._of_touch(done[0])
        self.use(done[0], *often, *[at for at in (done[0] + 1,) if self.has(at, "to", "with")])
        if often:
            self.metrics.append("touches")
        else:
            self.entity = "interactions"
        self.take("past", "ourselves", "first_person")

    def _touched_accounts(self) -> None:
        """`which customers had a meeting last week`, `accounts with a positive answer`: touches of a kind by account."""
        asked = [at for at in self.places("entity") if self.has(at, "entity") == Sense("entity", "accounts")]
        kinds = self.places("kind", "outcome", "booked")
        others = self.places("not", "no", "never", "metric", "count", "amount", "modal", "state", "verb", "who", "dim", "unanswered", "done", "without", "except")  # fmt: skip
        alone = [at for at in self.places("entity") if at not in asked]
        if len(asked) != 1 or not kinds or others or alone or self.about or self.goal or asked[0] > kinds[0]:
            return
        if not self.times or not all(self.quiet(at) or self.spans[at].used or at in kinds or self.spans[at].of("with", "past", "list", "value", "me", "and", "yes_no", "to_us", "ours") for at in range(asked[0] + 1, len(self.spans))):  # fmt: skip
            return
        self._touched_by_account(asked)
        if any(self.spans[at].of("kind") == Sense("kind", "email") and self._we_at(at - 1) for at in kinds):
            self.where.append(Test("direction", "=", ("outbound",)))  # which customers did we email
        self.use(*[at for at in self.places("with") if at > asked[0]])
        self.take("past")

    def _lacking(self) -> None:
        """`that bought Tracker but not Routing`, `without Routing`: products that accounts have not bought."""
        deals = any(Sense("entity", "deals") in span.senses for span in self.spans)
        accounts = any(Sense("entity", "accounts") in span.senses for span in self.spans)
        bought = any(Sense("state", "bought") in span.senses for span in self.spans)
        if self.about or deals or not (accounts or (bought and self.places("who"))) or self.places("metric"):
            return
        last = -1
        for place in self.places("value"):
            sense = next((sense for sense in self.spans[place].all("value") if sense.name in _PRODUCTS), None)
            if sense is None:
                continue
            joined = bool(self.lacks) and self._joined(last, place, "and", "or")
            denied = self._denied_before(place)
            if joined or denied:
                self.lacks.append(Test(sense.name, "=", (sense.value,)))
                self.use(place, *(range(last + 1, place) if joined else denied))
                last = place
        has = [
            at for at in self.places("value") if any(sense.name in _PRODUCTS for sense in self.spans[at].all("value"))
        ]
        if not (self.lacks or has) or (self.lacks and self.places("unsupported")):
            return
        if self.lacks or bought or self._only_owned(has):
            self.entity = self.entity or "accounts"
            self.use(*(self.places("who") if not accounts else ()))
            self.goal = self.goal or ("list" if not accounts else "")
        stated = any(self.has(at, "state") == Sense("state", "bought") for at in range(len(self.spans)))
        if has and not stated and self._only_owned(has):
            self.states.append(("bought", True))  # customers with Routing
            self.take("uses")

    def _denied_before(self, place: int) -> list[int]:
        """The words before a place that deny that it was bought: `but have not bought`, `without`; none where it was."""
        at, words = place - 1, []
        while at >= 0 and (
            self.quiet(at)
            or self.spans[at].of("past", "with", "still", "sold", "and", "but", "uses", "yes_no", "prep", "whom", "dim")
            or Sense("state", "bought") in self.spans[at].senses
        ):
            words.append(at)
            at -= 1
        sense = self.has(at, "not", "no", "never", "except")
        if sense is None or sense.name == "lately":
            return []
        words.append(at)
        if self.has(at - 1, "and", "but") or self.has(at - 1, "past", "with"):
            words.append(at - 1)
        return words

    def _only_owned(self, products: list[int]) -> bool:
        """Whether accounts have a product, as far as is said: `customers with Routing`, `who have Routing`."""
        return (
            bool(products)
            and not self.places("verb", "metric", "count", "amount", "unsupported")
            and not any(self.has(at, "state") for at in range(len(self.spans)))
            and any(span.of("with", "uses") or span.text.casefold() in ("have", "has") for span in self.spans)
        )

    def _formerly(self) -> None:
        """`past buyers`, `existing customers`: accounts that bought; those that return bought more than once."""
        for place in self.places("former"):
            if self.has(place + 1, "entity") == Sense("entity", "accounts"):
                self.spans[place].senses = (Sense("state", "bought"),)

    def _existing(self) -> None:
        """`existing customers with nothing open`: accounts that bought, where they are not put beside new ones."""
        for place in self.places("existing"):
            beside_new = any(self._says(at, "state", "new") for at in range(len(self.spans)))
            others = self.entity or beside_new or self.places("metric", "vs", "or", "anew", "entity")
            alone = all(self.quiet(at) or at == place for at in range(len(self.spans)))
            if others or alone or len(self.spans[place].text.split()) == 1:
                continue
            self.spans[place].senses = (Sense("entity", "accounts"),)
            self.states.append(("bought", True))

    def _but(self) -> None:
        """`with won deals but nothing open`: a but before what denies or limits says no more than an and."""
        for place in self.places("but"):
            after = self.near(place, 1, over=("past", "yes_no"))
            if after < len(self.spans) and self.spans[after].of(*_LIMITS):
                self.use(place)

    def _purposes(self) -> None:
        """`for a cross-sell campaign`: what a list is for says nothing of what is in it."""
        for place in self.places("purpose"):
            first = self._wanted(place)
            alone = all(self.quiet(at) or first <= at <= place for at in range(len(self.spans)))
            if not alone:
                dash = [at for at in (first - 1,) if at >= 0 and self.spans[at].text in DASHES]
                self.use(*dash, *range(first, place + 1))

    def _wanted(self, place: int) -> int:
        """The place from which on it is said that something is wanted, directly before a place; that place where nothing says so."""
        phrases = {
            " ".join(plain_words(phrase))
            for text in meanings()["wanted"][self.lexed.language]
            for phrase in expanded(text)
        }
        for first in range(max(place - _LONGEST_WANTED, 0), place):
            if " ".join(word for span in self.spans[first:place] for word in plain_words(span.text)) in phrases:
                return first
        return place
