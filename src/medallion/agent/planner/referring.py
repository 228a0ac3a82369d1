"""What is asked of the records before in words of its own: what they are worth, which one is the biggest, whose they are."""

from __future__ import annotations

from medallion import metrics
from medallion.agent.planner.continuing import Continuing
from medallion.agent.planner.lexicon import folded, meanings
from medallion.agent.planner.marking import RANKS, Unclear

#: Kinds of words for who sells or looks after something, and for whose it is.
_WHOSE = ("who", "verb", "dim", "entity", "be", "list", "it", "its", "unnamed", "carry", "present")
#: Dimensions that say whose a record is.
_OWNERS = frozenset({"owner", "account_manager"})
#: Kinds of words beside those for how long ago the last touch was.
_BESIDE_DAYS = (
    "since", "ago", "not", "no", "never", "past", "they", "its", "thing", "me", "ourselves", "account", "deal", "with", "to", "prep",
    "last", "lastly", "lately", "carry", "be", "yes_no", "it", "present", "from",
)  # fmt: skip
#: Kinds of words that name who brought something in.
_SUBJECTS = ("entity", "dim", "value", "account", "deal", "who", "me", "metric", "kind", "state")


class Referring(Continuing):
    """Reads questions about the records of the answer before that no pronoun alone says."""

    def _worth(self) -> None:
        """`what are the ones in negotiation worth`, `what is our pipeline worth`: a value, asked for by a verb at the end."""
        for place in self.places("worth"):
            after = [at for at in range(place + 1, len(self.spans)) if not self.quiet(at)]
            led = [at for at in self.places("list", "amount", "count", "how") if at < place]
            limit = any(self.spans[at].of("gt", "ge", "lt", "le", "between", "number", "num") for at in after)
            if limit or not (led or any(self.spans[at].of("amount") for at in after)):
                continue
            self.use(place, *led[:1], *[at for at in after if self.has(at, "amount")])
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
        others = [at for at in self.places("verb", "dim") if at not in (*verbs, *dims)]
        records = {sense.name for span in self.spans for sense in span.all("entity")}
        asks = (bool(self.places("who")) and (verbs or dims or records)) or (bool(dims) and bool(records))
        if others or not asks or "interactions" in records or any(span.of("ours") for span in self.spans):
            return
        rows = self.before.rows if self.before is not None else None
        if "accounts" in records and record.kind == "deal":
            record = rows.one("accounts") if rows else None
        if record is None or ("deals" in records and record.kind == "account"):
            return
        self.about, self.fields = [record], ["owner"]
        self.use(*range(len(self.spans)))

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

    def _brought(self) -> None:
        """`how much did they bring`, after accounts: the revenue of just those.

        Raises:
            Unclear: Which they are cannot be said of deals: those that were new in a time.
        """
        was = self.before
        if was is None or self.about or not self.places("amount", "count") or self.places(*_SUBJECTS):
            return
        sells = [at for at in self.places("verb") if self._says(at, "verb", "sell")]
        units = {metrics.metrics()[name].measure.unit for name in was.metrics if name in metrics.metrics()}
        if not sells or not (was.entity == "accounts" or units == {"accounts"}) or not self._is_of_them():
            return
        if was.rows is not None and was.rows.entity == "accounts":
            self.refers = True
        elif was.times or was.states or was.thresholds or was.metrics not in ((), ("total_customers",)):
            raise Unclear(
                "what just those accounts brought is not read", "revenue by customer this year", remedy="Ask by what they are, such as their country or industry."
            )  # fmt: skip
        self.metrics, self.refers = ["revenue"], True
        self.take("amount", "count", "they", "unnamed", "joined", "past")
        self.use(*sells)

    def _is_of_them(self) -> bool:
        """Whether others than we did something: `they`, or a verb in the third person."""
        if any(span.of("ourselves", "first_person") for span in self.spans):
            return False
        words = {folded(word) for span in self.spans for word in span.text.split()}
        endings = tuple(meanings()["they_did"][self.lexed.language])
        named = any(span.of("they", "unnamed", "joined", "more_of_it") for span in self.spans)
        return named or any(word.endswith(endings) for word in words if endings)
