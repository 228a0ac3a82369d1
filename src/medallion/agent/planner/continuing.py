"""What a question takes from the answer before it: pronouns, and rows by their number."""

from __future__ import annotations

from dataclasses import replace

from medallion.agent.planner.comparing import Comparing
from medallion.agent.planner.lexer import Span
from medallion.agent.planner.lexicon import Sense
from medallion.agent.planner.marking import QUIET, RANKS, Unclear
from medallion.agent.planner.restricting import OF_CONTACTS
from medallion.agent.planner.slots import TEAMS, About, left_out_owner, names_of
from medallion.metrics import periods
from medallion.metrics.conditions import Test

#: Kinds of spans of which a question about one row of the answer before is made.
_OF_ROW = (
    "field", "dim", "when", "who", "list", "how", "verb", "it", "its", "they", "person", "carry", "intent", "present", "past", "why", "joined",
    "last", "yes_no", "comma", "more_of_it", "how_long", "takes", "and_how",
)  # fmt: skip
#: Those that it may have beside a pronoun alone.
_WITH_PRONOUN = ("entity", "by", "modal", "me", "ours", "to", "size", "state")

#: Kinds of words before which a word for a person is an article, where it may be one: `el negocio más grande`.
_AFTER_ARTICLES = (
    "entity", "kind", "state", "field", "metric", "desc", "asc", "newest", "oldest", "best", "worst", "nth", "ordinal", "value",
    "number", "num", "dim", "last", "next", "unit",
)  # fmt: skip

#: Those of a question about one contact.
_OF_CONTACT = (
    "when",
    "person",
    "its",
    "it",
    "they",
    "past",
    "yes_no",
    "carry",
    "and",
    "present",
    "last",
    "list",
    "to",
    "with",
)


class Continuing(Comparing):
    """Reads what is about the answer before."""

    def _that_time(self) -> None:
        """`that month`: the time of the question before, where it was of one such."""
        for place in self.places("that_time"):
            unit = self.spans[place].all("that_time")[0].name
            times = self.before.times if self.before else ()
            if len(times) != 1 or periods.read(times[0].text, self.today).unit != unit:
                raise Unclear(f"{self.spans[place].text!r}: which {unit}?", remedy="Name it.")
            self.times.append(replace(times[0], place=place))
            self.use(place)

    def _before(self) -> list[About]:
        """The account or deal that the question before named or found."""
        if self.before is None:
            return []
        record = self.before.rows.one("accounts") if self.before.rows else None
        return list(self.before.about) or ([record] if record else [])

    def _row_numbered(self) -> None:
        """`the first one`, `number 2`: a row of the answer before."""
        rows = (self.before.listed or self.before.rows) if self.before is not None else None
        if rows is None or not rows.entity or self.about:
            return
        alone = all(
            self.quiet(at) or span.of("carry", "nth", "foremost", "ordinal", "last", "num")
            for at, span in enumerate(self.spans)
        )
        for place, span in enumerate(self.spans):
            sense = span.of("nth", "foremost", "ordinal", "last")
            ends = alone and sense is not None and sense.kind == "nth"
            if sense is None or span.used or not (self._is_one(place + 1) or (ends and place + 1 == len(self.spans))):
                continue
            number = {"foremost": 1, "last": len(rows.keys)}.get(sense.kind) or int(sense.name)
            if number <= len(rows.keys):
                kind = "deal" if rows.entity == "deals" else "account"
                self.about, self.of_row = [About(kind, rows.keys[number - 1], rows.keys[number - 1])], True
                self.listed = rows
                if alone and self.before is not None and self.before.listed:
                    self.fields, self.goal = list(self.before.fields), self.before.goal  # and the third one
                self.use(place, *[at for at in (place + 1,) if self._is_one(at)])
            return

    def _row_of_account(self) -> None:
        """`the one at Lumen Works`: the deal of the answer before that is of that account.

        Raises:
            Unclear: Several of its deals are.
        """
        rows = self.before.rows if self.before is not None else None
        places = [at for at, span in enumerate(self.spans) if span.of("account")]
        if rows is None or rows.entity != "deals" or len(places) != 1 or len(self.about) != 1 or not rows.accounts:
            return
        (place,) = places
        if not (place and self.spans[place - 1].of("row_of")) and not self._is_one(place + 1):
            return
        deals = [key for key, account in zip(rows.keys, rows.accounts, strict=True) if account == self.about[0].key]
        if len(deals) > 1:
            raise Unclear(
                f"several of these deals are of {self.about[0].name}", *(f"tell me about {key}" for key in deals)
            )
        if deals:
            self.about, self.of_row = [About("deal", deals[0], deals[0])], True
            self.use(*[at for at in (place + 1,) if self._is_one(at)])

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
            others = rows.entity == "accounts" and (self.places("thing") or self._names_deals())
            self.entity = "" if others else rows.entity
            self._use_with_leads(*pronouns)
            return
        record = rows.one("accounts" if account else "")
        if record is not None and bare and (asked or (account and pronouns)):
            self.about, self.of_row = [record], True
            self._use_with_leads(*pronouns)
            self.use(*(self.places("entity") if account or pronouns else ()))

    @staticmethod
    def _of_record(span: Span) -> bool:
        """Whether what is said may be asked of one record: a summary of it, not a list of calls."""
        wide = {sense.name for sense in span.all("intent")} - {"brief", "score", "draft"}
        return not wide and Sense("verb", "contact") not in span.senses

    def _pronouns(self) -> None:
        """`it`, `they` and `hers` are of what was asked before: the account, deal or owner that it named, or its rows."""
        for place, span in enumerate(self.spans):
            if self.is_article(place):
                span.senses = tuple(sense for sense in span.senses if sense.kind != "person")
        if self._contacts_before():
            return
        self._row_numbered()
        self._row_before()
        they = [place for place in self.places("they") if not self.is_own_object(place)]
        singular = self.places("its", "person")
        if self.before is None or not (they or singular or self.places("it", "field", "when")) or self.about:
            return
        if self.before.about and self.places("person") and {"owner", "account_manager"} & {*self.before.fields}:
            whose = self.spans[self.places("person")[0]].text
            raise Unclear(f"{whose!r}: of the account, or of who owns it?", remedy="Ask by the name.")
        accounts = they and [record.kind for record in self.before.about] == ["account"]
        if any(span.of("its") == Sense("its", "account") for span in self.spans) and not accounts:
            record = self.before.rows.one("accounts") if self.before.rows else None
            if [record.kind for record in self.before.about] == ["deal"]:
                if record:
                    self.about = [record]
                    self._use_with_leads(*they, *singular)
                return
        if self.before.about and (singular or accounts or not self.places("metric", "entity", "value")):
            self.about = list(self.before.about)
            self._use_with_leads(*they, *singular)
        elif self.places("person") and (owner := self.before.team_of or self._owner_of_states()):
            self.where.append(Test("owner", "=", (owner,)))
            self.use(*self.places("person"))
        elif self.places("person") and self._names_one_owner():
            self.use(*self.places("person"))
            self.refers = True
        elif they and (self.before.where or self.before.entity or self._ranked_before()):
            self._use_with_leads(*they)
            self.refers = True

    def _ranked_before(self) -> bool:
        """Whether the answer before has the first values of a split, which `their win rate` is of."""
        was = self.before
        return (
            was is not None and was.rank is not None and bool(was.by) and was.rows is not None and not was.rows.entity
        )

    def is_article(self, place: int) -> bool:
        """Whether a word that may stand for somebody is an article where it stands."""
        after = self.spans[place + 1] if place + 1 < len(self.spans) else None
        person = self.spans[place].of("person") and self.spans[place].of("neutral")
        return bool(person and after and after.of(*_AFTER_ARTICLES))

    def _contacts_before(self) -> bool:
        """`when was he last contacted`, after whom we know somewhere: of those contacts, never of the whole account.

        Raises:
            Unclear: Something else is asked of one of them.
        """
        if self.before is None or self.before.metrics != ("contacts",) or self.about:
            return False
        touched = [at for at in self.places("verb") if self._says(at, "verb", "touch")] if self.places("when") else []
        columns = [at for at in self.places("field") if self._says(at, "field", "last_touch_date")] + touched
        columns += [at for at in self.places("dim") if {sense.name for sense in self.spans[at].senses} & OF_CONTACTS]
        alone = all(
            at in columns or span.of(*_OF_CONTACT, *QUIET) or self._says(at, "verb", "touch")
            for at, span in enumerate(self.spans)
        )
        if columns and alone:
            self.metrics, self.goal = ["contacts"], "list"
            self.about, self.where = list(self.before.about), list(self.before.where)
            self.use(*range(len(self.spans)))
            return True
        if self.places("person") or (columns and self.places("they")):
            raise Unclear(
                "of a contact only the role, the language, the consent and the last touch are known here",
                *(f"touches of {record.key} by channel" for record in self.before.about),
                remedy="The account's page of the dashboard has more.",
            )
        return False

    def _owner_of_states(self) -> str:
        """The owner before, where a state of today is asked for and figures were: `what is overdue on his side`."""
        of_figures = self.before is not None and not self.before.entity
        states = self.places("state") and not (self.times or self.places("metric", "count", "amount", "verb"))
        return self._owner_before() if of_figures and states else ""

    def _use_with_leads(self, *places: int) -> None:
        """Use pronouns, and the `with`, `from` or `to` that leads to one."""
        for place in places:
            leads = (place - 1,) if self.has(place - 1, "with", "from", "to") else ()
            self.use(place, *leads)

    def _names_deals(self) -> bool:
        return any(self.has(place, "entity") == Sense("entity", "deals") for place in range(len(self.spans)))

    def _others(self) -> None:
        """`is anything else open there`: other deals than those of the answer before; `everyone`: whoever was left out too."""
        left_out = self.before is not None and any(map(left_out_owner, self.before.where))
        if left_out and self.take("everyone"):
            self.everyone = self.follows = True
        rows = self.before.rows if self.before is not None else None
        if not self.about or not any(span.of("else") for span in self.spans):
            return
        if rows is not None and rows.entity == "deals":
            self.where.append(Test("lead_id", "!=", rows.keys))
        self.take("else")

    def _teams(self) -> None:
        """`Ben Haddad's team`, `his team`, `the others in his team`; `his` after somebody who is named is theirs."""
        named = [part for part in self.where if isinstance(part, Test) and part.name == "owner" and part.op == "="]
        owner = str(named[0].values[0]) if len(named) == 1 and len(named[0].values) == 1 else ""
        people = [at for at, span in enumerate(self.spans) if span.of("person", "its", "they")]
        mates, teams = self.places("mates"), [at for at in self.places("dim", "the_team") if self._is_team(at)]
        was = self._owner_before()
        several = [str(value) for part in named for value in part.values] if not owner else []
        if any(self._names_owner(self.near(place, -1), name) for place in teams for name in several):
            raise Unclear("teams are compared by their names, not by who is in them", "revenue by team this quarter")
        if any(isinstance(part, Test) and part.name in TEAMS for part in self.where):
            self.use(*[at for at in people if self.near(at, 1) < len(self.spans)])  # the West team against its quota
        if owner and not mates:
            for place in teams:
                after = self.near(place, 1, over=("from", "prep", "neutral"))
                if self._names_owner(self.near(place, -1), owner) or (
                    self._names_owner(after, owner) and not self._is_split(place)
                ):
                    self.team, self.team_of = True, owner
                    self.use(place)
                    break
            theirs = [at for at in people if self.near(at, 1) < len(self.spans)]
            self.use(*[at for at in theirs if any(self._names_owner(before, owner) for before in range(at))])
        elif was and (mates or any(self.near(at, 1) in teams for at in people)) and not self.where:
            self.team, self.team_of = True, was
            self.where.append(Test("owner", "=", (was,)))
            if mates:
                self.by.append("owner")
                self.where.append(Test("owner", "!=", (was,)))
            self.use(*mates, *[at for at in (*people, *teams) if not mates])
            self.follows = True

    def _is_team(self, place: int) -> bool:
        """Whether a team is named at a place: `team`, or `the team`, where somebody's follows."""
        span = self.spans[place]
        return not span.used and (any(sense.name in TEAMS for sense in span.all("dim")) or bool(span.of("the_team")))

    def _names_owner(self, place: int, owner: str) -> bool:
        return 0 <= place < len(self.spans) and Sense("value", "owner", owner) in self.spans[place].senses

    def _owner_before(self) -> str:
        """The one owner that the question before was of, or that its answer found."""
        if self.before is None:
            return ""
        rows = self.before.rows
        if rows is not None and rows.name == "owner" and len(rows.keys) == 1:
            return rows.keys[0]
        owners = [part for part in self.before.where if isinstance(part, Test) and part.name == "owner"]
        single = len(owners) == 1 and owners[0].op == "=" and len(owners[0].values) == 1
        return str(owners[0].values[0]) if single else ""

    def _names_one_owner(self) -> bool:
        """Whether the question before was of one owner and nobody else."""
        owners = [part for part in self.before.where if "owner" in names_of(part)] if self.before else []
        return len(owners) == 1 and bool(self._owner_before())
