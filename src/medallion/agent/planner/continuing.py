"""What a question takes from the answer before it: pronouns, and rows by their number."""

from __future__ import annotations

from medallion.agent.planner.comparing import Comparing
from medallion.agent.planner.lexer import Span
from medallion.agent.planner.lexicon import Sense
from medallion.agent.planner.marking import RANKS
from medallion.agent.planner.slots import About, names_of
from medallion.metrics.conditions import Test

#: Kinds of spans of which a question about one row of the answer before is made.
_OF_ROW = (
    "field", "dim", "when", "who", "list", "how", "verb", "it", "its", "they", "person", "carry", "intent", "present", "past", "why", "joined",
    "last", "yes_no", "comma", "more_of_it", "how_long", "takes",
)  # fmt: skip
#: Those that it may have beside a pronoun alone.
_WITH_PRONOUN = ("entity", "by", "modal", "me", "ours", "to", "size", "state")


class Continuing(Comparing):
    """Reads what is about the answer before."""

    def _before(self) -> list[About]:
        """The account or deal that the question before named or found."""
        if self.before is None:
            return []
        record = self.before.rows.one("accounts") if self.before.rows else None
        return list(self.before.about) or ([record] if record else [])

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
        asked = any(span.of("field", "dim", "when", "who", "intent", "why", "how_long") for span in self.spans)
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
