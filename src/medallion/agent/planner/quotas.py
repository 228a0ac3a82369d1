"""What a question asks of quotas: who reached them, how far somebody is from one, and why one was missed."""

from __future__ import annotations

from medallion.agent.planner.lexicon import Sense, folded, lexicon, meanings
from medallion.agent.planner.marking import Unclear
from medallion.agent.planner.measuring import unit_of
from medallion.agent.planner.referring import Referring
from medallion.agent.planner.slots import TEAMS, Rank, Threshold
from medallion.metrics.conditions import Test

#: Where I stand, not where we do.
_MINE = (Sense("ahead", "mine"), Sense("behind", "mine"))
#: Words for a quota that are no names of it.
_QUOTAS = frozenset({"target", "targets", "goal", "number", "ziel", "objectif", "objetivo", "quota", "quote", "cuota"})
#: Kinds of words for what else is asked for.
_OTHER_FIGURES = ("entity", "count", "amount", "average", "share")
#: Words for having won a quota, or not, as comparisons.
_ATTAINED = (("missed", "<"), ("short", "<"), ("reached", ">="))


class Quotas(Referring):
    """Reads what is asked of quotas."""

    def _covered(self) -> None:
        """`do we have enough pipeline to make Q3 quota`: what is due in a time beside what is to be won in it."""
        if not self._asks_cover():
            return
        covers = self.places("cover")
        pipeline = [at for at in self.places("metric") if self.has(at, "metric") == Sense("metric", "open_pipeline")]
        if self.places("who", "dim", "list", "count", "share", "average"):
            return
        quota = [at for at in self.places("metric") if self.spans[at].all("metric")[0].name in meanings()["current"]]
        quota += [at for at in self.places("intent") if Sense("intent", "attain") in self.spans[at].senses]
        self.goal = "cover"
        self.use(*covers, *pipeline, *quota, *self.places("for_it", "reached", "will", "modal", "exists"))

    def _asks_cover(self) -> bool:
        """Whether it is asked if the pipeline is enough."""
        pipeline = [at for at in self.places("metric") if self.has(at, "metric") == Sense("metric", "open_pipeline")]
        return len(pipeline) == 1 and bool(self.places("cover"))

    def _lagging(self) -> None:
        """`who is furthest behind`, `closest to target`: those ranked by how much of their quota they have won.

        Raises:
            Unclear: It is not said behind what.
        """
        places = self.places("lagging", "leading")
        if not places or self.places(*_OTHER_FIGURES):
            return
        place = places[0]
        words = {*folded(self.spans[place].text).split()}
        phrases = lexicon(self.lexed.language).phrases
        quota = any(Sense("metric", "quota") in phrases.get((word,), ()) for word in words) or words & _QUOTAS
        named = any(span.of("metric") == Sense("metric", "quota") for span in self.spans)
        if not (quota or named or (self.before is not None and self.before.is_of_quotas)):
            raise Unclear(f"{self.spans[place].text!r}: of what?", "quota attainment by owner this quarter")
        self.metrics.append("quota_attainment")
        self.rank = Rank("asc" if self.has(place, "lagging") else "desc", None, self.spans[place].text)
        if self.has(place, "leading") == Sense("leading", "near"):
            self.thresholds.append(Threshold("quota_attainment", "<", "100", percent=True))
            self.notes.append("Of those who have not reached it.")
        self.use(place, *[at for at in self.places("metric") if self.has(at, "metric") == Sense("metric", "quota")])
        if not self.places("who", "dim"):
            self.by.append("owner")

    def _rated(self) -> None:
        """`und die Quote` after deals: how many of them are won, not what is to be."""
        was = self.before
        if self.lexed.language != "de" or was is None or was.is_of_quotas:
            return
        counted = {*was.metrics} & {"won_leads", "lost_leads", "win_rate"}
        if not (counted or was.entity == "deals" or was.deed in ("win", "lose", "close")):
            return
        for span in self.spans:
            if span.text.casefold() == "quote" and span.of("metric") in (None, Sense("metric", "quota")):
                span.senses = (Sense("metric", "win_rate"),)
                self.notes.append(f"Read {span.text!r} as the win rate.")

    def _made(self) -> None:
        """`who made quota`: reached it, and sold nothing."""
        if any(Sense("metric", "quota") in span.senses for span in self.spans):
            for span in self.spans:
                if span.of("reached") and span.of("verb"):
                    span.senses = tuple(sense for sense in span.senses if sense.kind != "verb")

    def _attained(self) -> None:
        """`are we going to hit our quota`: what is expected of the time, beside the quota; who hit it, and who did not."""
        of_whom = self.goal == "attain" and bool({"owner", *TEAMS} & {*self.by})
        quota = [place for place in self.places("metric") if self.has(place, "metric") == Sense("metric", "quota")]
        if self.goal == "why" and self._why_quota(quota):
            return
        implied = self.before is not None and self.before.is_of_quotas
        if implied:
            self._made_it()
        half = self.places("by_half")
        kinds = [
            (place, op)
            for kind, op in _ATTAINED
            for place in self.places(kind)
            if quota or kind == "short" or (half and kind == "missed")
        ]
        everybody = self.places("who_not") if (of_whom or kinds) and self.by else []
        ahead = self.places("will", "modal") if of_whom else []
        if ahead:
            raise Unclear("who will reach a quota is a forecast", "forecast for this quarter by owner")
        failed = any(span.of("failed") for span in self.spans)
        if everybody:
            self.goal = "" if of_whom else self.goal
            self.metrics += ["quota_attainment", "quota_gap"]
            self.rank = self.rank or Rank("desc", None, self.spans[everybody[0]].text, several=True)
            self.use(*everybody, *quota, *[place for place, _ in kinds])
        elif self._ever() and not self.by and ((kinds and quota) or self.goal == "attain"):
            self.goal = ""  # did Ben ever hit his quota last year: in each quarter
            self.metrics.append("quota_attainment")
            self.by.append("time:quarter")
            self.yes_no = False
            self.use(*[place for place, _ in kinds], *quota)
            self.take("will", "modal", "intent", "to", "figure", "exists", "person", "they")
        elif kinds and not self.by and quota and self.goal in ("", "attain"):  # did Ben hit his quota
            self.goal = "attain"
            self.use(*[place for place, _ in kinds], *quota)
        elif kinds:
            place, op = kinds[0]
            least = "50" if half and op == "<" else "100"
            self.thresholds.append(Threshold("quota_attainment", op, least, percent=True))
            self.use(place, *quota, *(half if least == "50" else ()))
        elif of_whom:  # which reps hit quota
            self.goal = ""
            if self.places("never") and not self.times:
                raise Unclear("never in which periods?", "which reps missed their quota last quarter")
            negated = self.places("not", "never")
            self.thresholds.append(
                Threshold("quota_attainment", "<" if negated or failed else ">=", "100", percent=True)
            )
            self.use(*negated[:1])  # another one denies it again
        of_quota = everybody or kinds or of_whom or implied
        if of_quota and self.places("by_how_much"):
            self.metrics += [name for name in ("quota_attainment", "quota_gap") if name not in self.metrics]
            self.follows |= not (everybody or kinds or of_whom)
            self.take("by_how_much")
        moved = self.before is not None and (self.before.compare or self.before.turn)
        if moved and not of_quota and self.take("by_how_much"):
            self.follows = True  # the change stands beside the figures
        if everybody or kinds or of_whom:
            self.take("they", "will", "modal")
            return
        if self.goal == "attain":
            self.take("will", "modal", "intent", "to", "figure", "exists")

    def _ever(self) -> bool:
        """Whether something is asked of any time within a year or all years: `ever`."""
        years = not self.times or (len(self.times) == 1 and unit_of(self.times[0].text) == "year")
        return years and any(span.of("ever") for span in self.spans)

    def _why_quota(self, quota: list[int]) -> bool:
        """`why did Ben miss his quota`: the figures of the quota, which show whether he did."""
        owners = [part for part in self.where if isinstance(part, Test)]
        single = not self.where or (
            len(owners) == len(self.where) == 1 and owners[0].name == "owner" and len(owners[0].values) == 1
        )
        missed = [at for at, span in enumerate(self.spans) if span.of("failed", "missed")]
        if not missed or not single or self.by or not (quota or any(self.spans[at].of("failed") for at in missed)):
            return False
        self.goal, self.premise = "", "missed"
        self.metrics.append("quota_gap")
        self.use(*missed, *quota, *self.places("person", "they"))
        return True

    def _from_quota(self) -> None:
        """`how far is Ben from his quota`, `where does that leave her against quota`: what is won of it, and what is left."""
        for place in self.places("metric"):
            before = self.near(place, -1)
            attained = self.has(place, "metric") == Sense("metric", "quota_attainment")
            if attained and self._says_against(place) and self._is_won(before):  # won vs quota
                self.metrics.append("quota_gap")
                self.use(place, before)
                self.states = [state for state in self.states if state[0] != "won"]
                return
            if self.has(place, "metric") != Sense("metric", "quota"):
                continue
            at = self.near(place, -1, over=("person", "its", "they"))
            after = self.near(place, 1)
            if self.has(after, "vs") and self._is_won(self.near(after, 1)):  # quota vs won in the first half
                self.metrics.append("quota_gap")
                self.use(place, after, self.near(after, 1))
                self.states = [state for state in self.states if state[0] != "won"]
                return
            if self.has(at, "vs") and self._is_won(self.near(at, -1)):
                self.metrics.append("quota_gap")
                self.use(place, at, self.near(at, -1))
                self.states = [state for state in self.states if state[0] != "won"]
                return
            extent = [far for far, span in enumerate(self.spans) if span.of("extent")]
            beside = [at] if self.has(at, "gap_of", "from", "vs", "ahead", "behind") else []
            if beside or extent:
                self.metrics.append("quota_gap")
                self.goal = "" if self.goal == "amount" else self.goal
                self.me |= any(self.has(each, "ahead", "behind") in _MINE for each in beside)
                self.use(place, *extent, *beside)
                self.take("gap_of")

    def _says_against(self, place: int) -> bool:
        """Whether a phrase begins with a word such as versus: `vs quota`."""
        word = folded(self.spans[place].text.split()[0])
        return Sense("vs") in lexicon(self.lexed.language).phrases.get((word,), ())

    def _is_won(self, place: int) -> bool:
        """Whether what was won stands at a place: won, revenue, what we won."""
        if not 0 <= place < len(self.spans):
            return False
        senses = self.spans[place].senses
        return any(
            sense in senses for sense in (Sense("state", "won"), Sense("metric", "revenue"), Sense("verb", "win"))
        )

    def _made_it(self) -> None:
        """`did any of them make it`: of those whose quota was asked for before."""
        rows = self.before.rows if self.before is not None else None
        they = self.places("they", "more_of_it")
        for place in self.places("made_it"):
            if rows is None or rows.name != "owner" or not they or self.by or self.thresholds:
                return
            op = "<" if self.take("not", "never") else ">="
            self.thresholds.append(Threshold("quota_attainment", op, "100", percent=True))
            self.where.append(Test("owner", "=", rows.keys))
            self.by.append("owner")
            self.use(place, *they)
            self.take("exists", "total", "past", "every")

    def _quota(self) -> None:
        """`how is my team doing against quota`, `how far am I from it`: how much is won of it, and what is left."""
        if not self.metrics or not {*self.metrics} <= {*meanings()["overview"]["quota"]}:
            return
        self.take("how", "still", "will", "leaves", "extent")
        self.use(*[place for place in self.places("verb") if self._says(place, "verb", "work")])
