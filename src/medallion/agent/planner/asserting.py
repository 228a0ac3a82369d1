"""Questions whose words put a figure against something that no answer tells: all of a group, the first of an order, a sum.

They are refused at the end, when everything else is read: what is left of them would answer another question in silence.
"""

from __future__ import annotations

from medallion import metrics
from medallion.agent.planner.lexer import Span
from medallion.agent.planner.lexicon import folded
from medallion.agent.planner.marking import RANKS, Unclear
from medallion.agent.planner.reasons import Reasons

#: Words for all of a group, beside which `any` and `in total` are read too.
_ALL = frozenset({"all", "every", "alle", "aller", "allen", "sämtliche", "tous", "toutes", "todos", "todas"})
#: Words for more than half of a group, where they do not rank.
_MOST = frozenset({"most", "meisten"})
#: Words for nothing else than a group.
_ONLY = frozenset(
    {"only", "solely", "exclusively", "nur", "lediglich", "ausschließlich", "bloß", "seulement", "uniquement"}
    | {"solo", "sólo", "solamente", "únicamente"}
)
#: Words for a sum of all, which a limit is of.
_SUM = frozenset({"in total", "in all", "altogether", "all together", "combined", "total"})
#: Words for several things added up.
_TOGETHER = frozenset({"combined", "together", "altogether", "all together"})
#: How French begins a question of yes or no.
_FRENCH = frozenset({"est ce que", "est ce qu"})
#: With what a comparison ends, before what it is put against.
_THAN = frozenset({"than", "als", "que"})
#: How it is asked what deals are worth.
_WORTH = {
    "en": "how much are {} worth", "de": "wie viel sind {} wert", "fr": "combien valent {}", "es": "cuánto valen {}",
}  # fmt: skip
#: Kinds of spans that ask for something else than yes or no.
_ASKING = ("who", "list", "when", "why", "how", "count", "amount")


class Asserting(Reasons):
    """Refuses what a question asserts of all, of most, of the first, or of a sum, with the nearest that can be answered."""

    def _asserted(self) -> None:
        """Refuse what is asserted and not told by any answer.

        Raises:
            Unclear: It asserts that all or only some are so, that something is the first, or what a sum is.
        """
        self._of_all()
        self._the_first()
        self._of_a_sum()
        self._share_of_groups()
        self._than_before()
        self._first_of_each()
        self._first_part()
        self._added_up()

    def _opens(self) -> Span | None:
        """The word that makes it a question of yes or no: the first one that says something, or what French turns round."""
        for at, span in enumerate(self.spans):
            if span.of("yes_no") or folded(span.text) in _FRENCH:
                return span
            if not (self.quiet(at) or span.of("carry")) or span.of("exists"):
                break
        for left, right in zip(self.spans, self.spans[1:], strict=False):
            turned = right.text.casefold().split()[-1] in ("il", "elle", "ils", "elles")
            if self.lexed.language == "fr" and turned and left.of("yes_no", "gt", "lt") and left.last == right.first:
                return left
        return None

    def _text(self, *left_out: Span | None) -> str:
        """The question without some of its spans, and without the words before them that lead to nothing then."""
        places = {at for at, span in enumerate(self.spans) if any(span is other for other in left_out)}
        for at in sorted(places, reverse=True):
            before = at - 1
            while before >= 0 and self.quiet(before) and self.spans[before].of("prep") and at and before not in places:
                places.add(before)
                before -= 1
        return " ".join(span.text for at, span in enumerate(self.spans) if at not in places)

    def _of_all(self) -> None:
        """`are all open deals in negotiation`, `are most customers in Germany`, `do we only win in Germany`."""
        opening = self._opens()
        exists = next((span for span in self.spans if not span.of("carry")), None)
        begins = opening or (exists if exists is not None and exists.of("exists", "ourselves") else None)
        if not (self.entity or self.deed or self.states or self.by or self.refers):
            return
        words: list[Span] = []
        for at, span in enumerate(self.spans):
            word = span.text.casefold().split()[0]
            after = self.spans[at + 1] if at + 1 < len(self.spans) else None
            leads = all(self.quiet(p) or self.spans[p].of("carry", "exists", "yes_no") for p in range(at))
            if word in _ALL and span.of("every", "total") and opening is not None and span is not opening:
                words = [span]
            elif word in _MOST and leads and (opening or (after is not None and after.of("prep"))):
                words = [span, *([after] if after is not None and after.of("prep") else [])]
            elif begins is not None and span.of("only") and {*span.text.casefold().split()} & _ONLY:
                words = [span]
            if words:
                break
        if not words:
            return
        raise Unclear(
            "whether there are no others is not computed" if words[0].of("only")
            else f"whether {words[0].text!r} are so is not computed", without=self._text(begins, *words),
            remedy="Ask for the number or the share of those that are.",
        )  # fmt: skip

    def _the_first(self) -> None:
        """`is Ben Haddad the best rep`, `is our biggest open deal in Germany`: the order tells it, and not one row of it."""
        if self.rank is None or self.share or any(span.of("exists", "thing") for span in self.spans):
            return
        opening = self._opens()
        named = ("value", "account", "deal", "month")
        if opening is None:
            for at, span in enumerate(self.spans):
                before, after = self.near(at, -1), self.near(at, 1, over=("nth", "ordinal", "person"))
                beside = before >= 0 and after < len(self.spans) and self.spans[after].used
                if span.of("be") and beside and self.spans[before].of(*named):
                    ranks = self.spans[after].text == self.rank.word
                    opening = span if ranks and not any(other.of(*_ASKING) for other in self.spans[:at]) else None
        if opening is None or any(span.of("who", "count", "amount", "when") for span in self.spans):
            return
        left_out = [
            span for span in self.spans if span.of("be") or (span.of(*named) and (span.used and not span.of("from")))
        ]
        raise Unclear(
            f"whether it is the one that {self.rank.word!r} asks for is not computed",
            without=self._text(opening, *left_out), remedy="Ask for the first ones in their order.",
        )  # fmt: skip

    def _of_a_sum(self) -> None:
        """`are our open deals worth more than 5m`: together or each; `is the pipeline more than 5m` is of the sum."""
        opening = self._opens()
        limits = [limit for limit in self.thresholds if limit.column in ("", "deal_value")]
        signs = [at for at, span in enumerate(self.spans) if span.used and span.of("gt", "ge", "lt", "le", "between")]
        if not limits or not signs:
            return
        last = max(at for at, span in enumerate(self.spans) if span.of("number", "num", "magnitude", "currency"))
        rest = self.spans[last + 1 :]
        of_sum = any(span.text.casefold() in _SUM for span in rest)
        asks = opening is not None or (of_sum and any(span.of("exists") for span in self.spans))
        is_so = opening is not None and (opening.of("be", "gt", "lt") or folded(opening.text) in _FRENCH)
        if not asks or not (is_so or of_sum) or any(span.of("entity", "state", "value", "verb") for span in rest):
            return
        if not of_sum and any(span.of("exists", "thing") for span in self.spans):
            return
        if not (self.metrics or self.entity == "deals" or self.states):
            return
        limit = list(self.spans[signs[0] : last + 1])
        worth = [span for span in self.spans if span.of("worth", "amount") or span.text.casefold() in _SUM]
        exists = [span for span in self.spans[:1] if span.of("exists")]
        be = [span for span in self.spans[: signs[0]] if span.of("be")]
        subject = self._text(opening, *limit, *worth, *exists, *be)
        figure = any(span.of("metric") for span in self.spans)
        closest = () if figure else (_WORTH[self.lexed.language].format(subject),)
        raise Unclear(
            "a figure is not put against a number" if figure else "are they worth that together, or each of them?",
            *closest, without=subject,
            remedy="Ask for the figure." if figure else "Ask which deals are, for those that are worth it each.",
        )  # fmt: skip

    def _share_of_groups(self) -> None:
        """`what percentage of reps won a deal`: of the reps, where a share by rep is of the deals."""
        for at, span in enumerate(self.spans):
            after = self.near(at, 1, over=("prep",))
            if not span.of("share") or after >= len(self.spans):
                continue
            dims = {sense.name for sense in self.spans[after].all("dim")} & {*self.by}
            rest = [place for place in range(after + 1, len(self.spans)) if not self.quiet(place)]
            does = rest and (self.thresholds or any(self.spans[p].of("verb", "state", "with", "past") for p in rest))
            led = after + 1 < len(self.spans) and self.spans[after + 1].of("prep")
            of_figure = led and self.spans[self._past(after + 1)].of("metric", "entity", "state") if rest else False
            if dims and does and not of_figure and not any(span.of("metric") for span in self.spans):
                group = _label(min(dims))
                raise Unclear(
                    f"a share by {group} is of deals, not of how many there are of {group}",
                    f"deals won by {group}", f"open deals by {group}",
                    remedy=f"Ask for the figures by {group} and count them.",
                )  # fmt: skip

    def _than_before(self) -> None:
        """`is revenue higher than last year`: two times are put against each other, and one of them was lost."""
        if self.compare or self.turn or self.versus or self.contrast or self.thresholds or len(self.times) != 1:
            return
        for at, span in enumerate(self.spans):
            than = span.text.casefold().split()[-1] in _THAN and span.used
            sign = span.of("gt", "lt")
            if sign and than and sign.name != "age" and at < self.times[0].place <= self.near(at, 1):
                time, figure = self.times[0].text, _label(self.metrics[0]) if self.metrics else "revenue"
                unit = time.removeprefix("last ")
                pair = f"{figure} this {unit} vs last {unit}" if unit != time else "revenue in May vs April"
                raise Unclear(f"what is {span.text!r} put against {time!r}: which other time?", pair)

    def _first_of_each(self) -> None:
        """`best rep of each country`: the first row of each group, where an order has but one first row."""
        splits = [split for split in dict.fromkeys(self.by) if split != "customer_name"]
        rank = self.rank
        if rank is None or len(splits) != 2 or not self._each() or (rank.count is None and rank.several):
            return
        first, second = (_label(split.removeprefix("time:")) for split in splits)
        stated = "lost" if "lost" in dict(self.states) else "won" if "won" in dict(self.states) else ""
        figure = _label(self.metrics[0]) if self.metrics else f"deals {stated}" if stated else "revenue"
        raise Unclear(f"the first of each {first} or {second} is not computed", f"{figure} by {first} and {second}")

    def _first_part(self) -> None:
        """`top 10% of customers`: a part of a group, and not so many of it."""
        for at, span in enumerate(self.spans[:-2]):
            number, percent = self.spans[at + 1], self.spans[at + 2]
            part = percent.of("percent") or percent.text.startswith("%")
            if self.rank and span.used and span.of(*RANKS) and number.of("number", "num") and part:
                raise Unclear(
                    "the first part of a group is not computed, only so many of it",
                    "top 10 customers by revenue", "share of revenue of the top 10 customers",
                )  # fmt: skip

    def _added_up(self) -> None:
        """`revenue in May and June combined`, `the first half vs the second half of June`."""
        several = len(self.times) > 1 and not (self.versus or self.compare or self.by)
        if several and any(span.text.casefold() in _TOGETHER and span.used for span in self.spans):
            raise Unclear(
                "figures of several times are not added up", "revenue from May to June", "revenue this quarter"
            )
        halves = [at for at, span in enumerate(self.spans) if span.of("half")]
        ends = [self._past(at + 1) for at in halves]
        of_month = [end < len(self.spans) and self.spans[end].of("month", "quarter") is not None for end in ends]
        if len(halves) > 1 and any(of_month) and not all(of_month):
            raise Unclear("half of what, of a year or of a month", remedy="Name it beside each half.")

    def _each(self) -> bool:
        """Whether a split is said as `each` or `per`, which asks for the first of each, not as `by`."""
        senses = [
            sense for span in self.spans if span.used and span.text.casefold() != "by" for sense in span.all("by")
        ]
        return any(sense.name != "own" for sense in senses)


def _label(name: str) -> str:
    """How a metric is called, or a split."""
    every = metrics.metrics()
    return every[name].measure.display_name.lower() if name in every else name.replace("_", " ")
