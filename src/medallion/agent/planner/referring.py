"""What is asked of the records before in words of its own: what they are worth, which one is the biggest, whose they are."""

from __future__ import annotations

from itertools import pairwise

from medallion import metrics
from medallion.agent.planner.continuing import Continuing
from medallion.agent.planner.lexicon import Sense, folded, meanings
from medallion.agent.planner.marking import RANKS, Unclear
from medallion.metrics.conditions import Test

#: Kinds of words for who sells or looks after something, and for whose it is.
_WHOSE = ("who", "verb", "dim", "entity", "be", "list", "it", "its", "unnamed", "carry", "present")
#: Dimensions that say whose a record is.
_OWNERS = frozenset({"owner", "account_manager"})
#: Kinds of words beside those for how long ago the last touch was.
_BESIDE_DAYS = (
    "since", "ago", "not", "no", "never", "past", "they", "its", "thing", "me", "ourselves", "account", "deal", "with", "to", "prep",
    "last", "lastly", "lately", "carry", "be", "yes_no", "it", "present", "from",
)  # fmt: skip
#: Metrics that are an amount of money.
_MONEY = frozenset(
    {"open_pipeline", "weighted_pipeline", "total_deal_value", "revenue", "lost_value", "average_deal_value", "average_won_value"}
)  # fmt: skip
#: Kinds of words that name who brought something in.
_SUBJECTS = ("entity", "dim", "value", "account", "deal", "who", "me", "kind", "state")


class Referring(Continuing):
    """Reads questions about the records of the answer before that no pronoun alone says."""

    def _worth(self) -> None:
        """`what are the ones in negotiation worth`, `what is our pipeline worth`: a value, asked for by a verb at the end."""
        for place in self.places("worth"):
            after = [at for at in range(place + 1, len(self.spans)) if not self.quiet(at)]
            led = [at for at in self.places("list", "amount", "count", "how") if at < place]
            limit = any(self.spans[at].of("gt", "ge", "lt", "le", "between", "number", "num") for at in after)
            first = next((at for at in range(len(self.spans)) if not self.quiet(at)), 0)
            figures = {sense.name for span in self.spans[:place] for sense in span.all("metric")}
            of_deals = any(Sense("entity", "deals") in span.senses for span in self.spans)
            begins = self.spans[first].of("yes_no", "be", "carry") and (of_deals or figures & _MONEY)  # and is it worth
            asked = (
                led or any(self.spans[at].of("amount") for at in after) or self.quiet(0) or begins
            )  # was sind die wert
            if limit or not asked or (place and self.spans[place - 1].of("by", "with")):
                continue
            self.use(place, *led[:1], *[at for at in after if self.has(at, "amount", "together")])
            if not self.places("metric"):
                self.goal = "amount"
            return

    def _the_ones(self) -> None:
        """`the ones in negotiation`, `which one is the biggest`: of the records before."""
        if self.before is None:
            return
        named = self.places("entity", "metric", "kind", "account", "deal") or self.about
        if self.places("the_one") and (self.places(*RANKS) or self.rank) and not named:
            self.take("the_one")
        elif self.places("the_one") and self.states and not named:
            self.take("the_one")  # which one is not overdue
            self.goal, self.refers = "list", True
        ends = meanings()["ends_with_them"][self.lexed.language]
        if self.goal == "count" and folded(self.spans[-1].text) in ends and not self.about:
            self.refers = True
        ones = any(span.of("ones_of", "more_of_it") for span in self.spans)
        if ones and not named and self.goal == "amount":
            self.refers = True
            self.take("more_of_it")

    def _whose_record(self) -> None:
        """`who owns the account`, `whose is it`: of the one account or deal before."""
        record = self.before.record if self.before is not None else None
        if (
            record is None
            or self.about
            or not all(self.quiet(at) or span.of(*_WHOSE) for at, span in enumerate(self.spans))
        ):
            return
        verbs = [at for at in self.places("verb") if self._says(at, "verb", "own")]
        dims = [at for at in self.places("dim") if {sense.name for sense in self.spans[at].all("dim")} & _OWNERS]
        others = [at for at in self.places("verb", "dim") if at not in (*verbs, *dims) and not self.has(at, "entity")]
        records = {sense.name for span in self.spans for sense in span.all("entity")}
        asks = (bool(self.places("who")) and (verbs or dims or records)) or (bool(dims) and bool(records))
        if (
            others
            or not asks
            or "interactions" in records
            or any(span.of("ours") and not span.of("it") for span in self.spans)
        ):
            return
        rows = self.before.rows if self.before is not None else None
        if "accounts" in records and record.kind == "deal":
            record = rows.one("accounts") if rows else None
        if record is None or ("deals" in records and record.kind == "account"):
            return
        self.about, self.fields = [record], ["owner"]
        self.use(*range(len(self.spans)))

    def _other_deals(self) -> None:
        """`other deals?`, `any other open deals there`: those of the account before, without the deals that were shown.

        Raises:
            Unclear: It is not known which were shown.
        """
        was = self.before
        record = was.record if was is not None else None
        deals = Sense("entity", "deals")
        places = [at for at in self.places("other") if self.has(self.near(at, 1, over=("state",)), "entity") == deals]
        if was is None or record is None or len(places) != 1 or self._names_others():
            return
        rows = was.rows if was.rows is not None and was.rows.entity == "deals" else None
        keys = (record.key,) if record.kind == "deal" else rows.keys if rows else ()
        account = record if record.kind == "account" else rows.one("accounts") if rows else None
        if not keys or account is None:
            raise Unclear("other deals than those before, or deals of the source named other?", remedy="Ask it whole.")
        self.about, self.refers = [account], False
        self.where.append(Test("lead_id", "!=", keys))
        self.use(*places)
        self.take("they", "its", "with", "exists", "thing")
        self.use(*[at for at in self.places("entity") if self.has(at, "entity") == Sense("entity", "accounts")])

    def _names_others(self) -> bool:
        """Whether records are described by more than their state: `other deals of Ben`, which may be of the source."""
        return any(
            span.of("account", "deal", "dim", "me", "number") or (span.all("value") and not span.of("other"))
            for span in self.spans
        )

    def _days_since(self) -> None:
        """`how many days since anybody spoke to them`, `how long ago was the last contact`: the days without a touch."""
        long = self.places("how_long")
        touched = [at for at in self.places("verb") if self._says(at, "verb", "touch")]
        touched += [at for at in self.places("field") if self._says(at, "field", "last_touch_date")]
        since = self.places("since", "ago") or any(map(self._says_since, long))
        if not (long and touched and since) or not self._has_record():
            return
        if all(
            self.quiet(at) or at in (*long, *touched) or span.of(*_BESIDE_DAYS) for at, span in enumerate(self.spans)
        ):
            self.fields.append("days_silent")
            self.use(*(at for at, span in enumerate(self.spans) if not span.of("account", "deal", "they", "its")))

    def _has_record(self) -> bool:
        return bool(self.about) or any(span.of("account", "deal") for span in self.spans)

    def _have_deals(self) -> None:
        """`which of them have open deals`, after accounts: those accounts, not their deals."""
        was = self.before
        units = {metrics.metrics()[name].measure.unit for name in was.metrics} if was else set()
        accounts = was is not None and ("accounts" in (was.entity, was.of_entity) or units == {"accounts"})
        have = {folded(word) for word in meanings()["have"][self.lexed.language]}
        has = any(span.of("more_of_it") and folded(after.text) in have for span, after in pairwise(self.spans))
        of_them = any(span.of("more_of_it") for span in self.spans)
        if accounts and of_them and has and self.entity == "deals" and self.states and not (self.metrics or self.deed):
            self.entity, self.refers = "accounts", True

    def _brought(self) -> None:
        """`how much did they bring`, after accounts: the revenue of just those.

        Raises:
            Unclear: Which they are cannot be said of deals: those that were new in a time.
        """
        was = self.before
        units = {metrics.metrics()[name].measure.unit for name in was.metrics} if was else set()
        if (
            was is None
            or self.about
            or not (was.entity == "accounts" or units == {"accounts"})
            or not self.they_brought()
        ):
            return
        listed = was.rows is not None and was.rows.entity == "accounts"
        described = was.times or was.states or was.thresholds or was.metrics not in ((), ("total_customers",))
        if described and not listed:
            raise Unclear(
                "what just those accounts brought is not read",
                "revenue by customer this year",
                remedy="Ask by what they are, such as their country or industry.",
            )
        self.metrics, self.refers, self.of_entity = ["revenue"], True, "accounts"
        self.take("amount", "count", "they", "unnamed", "joined", "more_of_it", "past", "metric")
        self.use(*[at for at in self.places("verb") if self._says(at, "verb", "sell")])

    def they_brought(self) -> bool:
        """Whether it is asked how much others brought who are not named: `how much did they bring`, `cuánto han facturado`."""
        asks = any(span.of("amount", "count") for span in self.spans)
        sells = any(Sense("verb", "sell") in span.senses for span in self.spans)
        figures = {sense.name for span in self.spans for sense in span.all("metric")} <= {"revenue"}
        named = any(span.of(*_SUBJECTS) or span.of("ourselves", "first_person") for span in self.spans)
        if not (asks and sells and figures) or named:
            return False
        words = {folded(word) for span in self.spans for word in span.text.split()}
        did = [str(word) for word in meanings()["they_did"][self.lexed.language]]
        ends = tuple(word[1:] for word in did if word.startswith("-"))
        others = words & {*did} or (ends and any(word.endswith(ends) for word in words))
        return bool(others) or any(span.of("they", "more_of_it") for span in self.spans)
