"""Questions in plain words as `Question`, `Records` or an intent; no model.

    words/*.yaml -> lexicon -> lexer (spans) -> reading (slots) -> asking (questions)

Every span of a question fills a slot or says nothing. Whatever is left over makes the whole question declined, with the
closest questions that can be answered: half an understanding would answer another question than the one asked.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date

from medallion import metrics
from medallion.agent.planner import carrying
from medallion.agent.planner.asking import Asking
from medallion.agent.planner.forming import Asked, Intent
from medallion.agent.planner.lexer import Lexed, lex, parted
from medallion.agent.planner.lexicon import plain_words
from medallion.agent.planner.marking import QUIET, Unclear
from medallion.agent.planner.names import Names
from medallion.agent.planner.reading import Reading
from medallion.agent.planner.slots import TEAMS, About, Slots, names_of
from medallion.agent.serving import Serving
from medallion.errors import ContractError
from medallion.metrics import periods
from medallion.metrics.conditions import Test
from medallion.metrics.loading import declarations
from medallion.metrics.periods import Today
from medallion.metrics.question import Question, Records

#: Letters of a question that are read.
LONGEST = 1_000


#: Where a question is parted to offer what can be answered of it, and how many parts are offered.
_CLAUSES = re.compile(r"[.!?;:,\n]+(?:\s+|$)|\s+[-\u2013]\s+")
MOST_PARTS = 2


#: Questions that can be answered wherever there is gold, by what they are about.
_NEAR = {
    "deals": ("How many open deals are there?", "Which deals are closing this month?"),
    "accounts": ("top 10 customers by revenue", "new customers this year"),
    "interactions": ("touches by channel", "Which channel works best?"),
}
#: Of which records words of a kind are.
_OF_KIND = {"kind": "interactions", "outcome": "interactions", "state": "deals", "verb": "deals"}
#: How to see the deals that were counted.
_ASK_WHICH = "Ask `which ones` for the list."
#: Where contacts have names.
_NAMES = "Names of contacts are personal data: who may see them finds them on the account's page of the dashboard."
_USUAL = ("What is the win rate?", "Who should I call?", "Which channel works best?")


@dataclass(frozen=True)
class Understood:
    """What a question asks.

    Attributes:
        asked: Questions, lists and intents, in order.
        slots: What it says, with what was carried over; what a question that follows goes on from.
        language: The one that it is in.
        notes: How it was understood, where that is not plain: misspellings, what was carried over, names of accounts.
    """

    asked: tuple[Asked, ...]
    slots: Slots
    language: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Declined:
    """Why a question is not answered, the nearest that are, and what else helps, a sentence.

    Attributes:
        reason: Why.
        closest: Questions that can be answered.
        remedy: What helps that is no question.
        named: Whom or what it named that there is, which a question that follows may be about.
        language: The one that it is in.
        choice: The question, the part of an account's name in it that several have, and all that is known of the name.
        speaker: The owner who has said who they are, whose `my` means in what follows.
    """

    reason: str
    closest: tuple[str, ...] = ()
    remedy: str = ""
    named: Slots | None = field(default=None, compare=False)
    language: str = field(default="", compare=False)
    choice: tuple[str, str, str] | None = field(default=None, compare=False)
    speaker: str = field(default="", compare=False)


#: What a question may go on from: the one before it, understood or not.
Before = Understood | Declined | None


def speaker_of(before: Before) -> str:
    """The owner who has said who they are in a question before; empty where nobody has."""
    return before.slots.speaker if isinstance(before, Understood) else before.speaker if before else ""


#: Kinds of words that mean something named before.
_PRONOUNS = ("it", "unnamed", "they", "its", "person")


@dataclass
class Planner:
    """The planner over one lakehouse.

    Attributes:
        serving: What is read.
        me: The owner who asks, where it is known.
    """

    serving: Serving
    me: str | None = None
    names: Names = field(init=False)

    def __post_init__(self) -> None:
        self.names = Names(self.serving)

    def understand(self, question: str, before: Before = None) -> Understood | Declined:
        """What a question asks, or why it is declined.

        Args:
            question: As it was asked.
            before: What was asked before, which a question without a subject of its own goes on from.
        """
        understood = self._chosen(question, before) or self._answered(question, before)
        if isinstance(understood, Understood) or not plain_words(question[:LONGEST]):
            return understood
        named, language = self._named(question[:LONGEST], before)
        speaker = self._reading(question[:LONGEST], before).introduced() or speaker_of(before)
        return replace(understood, named=named, language=language, speaker=speaker)

    def _reading(self, question: str, before: Before) -> Reading:
        """A question as it is read from its first word on, by itself."""
        lexed = lex(question, self.names, before.language if before else None)
        return Reading(lexed, self._today(), self.serving.currency)

    def _today(self) -> Today:
        return Today(self.serving.as_of or date(1970, 1, 1), declarations().calendar.fiscal_year_starts)

    def _named(self, question: str, before: Before) -> tuple[Slots | None, str]:
        """What a declined question named: one account, deal or owner, or that of the question before; and its language."""
        lexed = lex(question, self.names, before.language if before else None)
        spans = lexed.spans
        about = dict.fromkeys(
            About(sense.kind, sense.name, sense.value)
            for span in spans
            if len({sense.name for sense in span.senses if sense.kind in ("account", "deal")}) == 1
            for sense in span.senses
            if sense.kind in ("account", "deal")
        )
        owners = {sense.value for span in spans for sense in span.all("value") if sense.name == "owner"}
        if len(about) == 1 and not owners:
            return Slots(about=tuple(about)), lexed.language
        if len(owners) == 1 and not about:
            return Slots(where=(Test("owner", "=", tuple(owners)),)), lexed.language
        was = before.slots if isinstance(before, Understood) else before.named if before else None
        record = was.record if was and not (about or owners) else None
        if was and record and was.metrics == ("contacts",):
            return Slots("list", was.metrics, about=was.about, where=was.where), lexed.language
        return Slots(about=(record,)) if record else None, lexed.language

    def _chosen(self, question: str, before: Before) -> Understood | Declined | None:
        """The question before with the account that is chosen of those offered: `the one at Stores`, `the second one`."""
        if not isinstance(before, Declined) or before.choice is None or len(question) > LONGEST:
            return None
        asked, part, known = before.choice
        lexed = lex(question, self.names, before.language)
        spans, misspelt = lexed.spans, {written for written, _ in lexed.corrected}  # of a name, they are not
        unknown = [span for span in spans if not span.senses or span.text in misspelt or span.of("account")]
        kinds = (*QUIET, "carry", "nth", "foremost", "ordinal", "num", "number", "entity")
        if not all(span in unknown or span.of(*kinds) for span in spans):
            return None
        more = " ".join(span.text for span in spans if unknown and (span in unknown or span.of("number")))
        numbers = [sense for span in spans for sense in (span.of("nth", "foremost", "ordinal"),) if sense]
        accounts: tuple[str, ...]
        whole_names = [span.text for span in spans if span.of("account")]
        if len(whole_names) == 1 and {*plain_words(known)} <= {*plain_words(whole_names[0])}:
            count, accounts = 1, (whole_names[0],)
        else:
            count, accounts = self.names.in_part(f"{known} {more}") if more else (0, ())
        if count > 1:
            offered = tuple(asked.replace(part, name) for name in accounts)
            reason = f"{count:,} accounts have {f'{known} {more}'!r} in the name: which one is meant?"
            return Declined(reason, offered, "Ask by its whole name.", choice=(asked, part, f"{known} {more}"))
        if not more and len(numbers) == 1:
            place = int(numbers[0].name or 1)
            accounts = self.names.in_part(known)[1][place - 1 : place]
        if not accounts:
            return None
        whole = asked.replace(part, accounts[0])
        chosen = self._answered(whole, None, before.speaker)
        return (
            replace(chosen, notes=(f"Read as {whole!r}.", *chosen.notes)) if isinstance(chosen, Understood) else chosen
        )

    def _answered(self, question: str, before: Before, speaker: str = "") -> Understood | Declined:
        """What a question asks, or why it is declined; what it named is left out."""
        if len(question) > LONGEST:
            return Declined(f"the question has {len(question):,} letters; {LONGEST:,} are read", self.closest(""))
        if not plain_words(question):
            return Declined("there is no question", self.closest(""))
        try:
            return self._alone(question, before) or self._understood(question, before, None, speaker)
        except Unclear as error:
            if both := self._both(question, before, speaker):
                return both
            if named := self._named_in_part(question, error.unknown, before):
                return named
            nearest = dict.fromkeys((*self._without(error, before), *self._parts(question, before)))
            closest = error.closest or (*nearest, *self.closest(question))
            return Declined(error.reason, closest, error.remedy)
        except ContractError as error:
            return Declined(error.problem, self.closest(question), error.remedy)

    def _alone(self, question: str, before: Before) -> Understood | None:
        """A question that stands by itself as it is without the one before it; None where it goes on from that."""
        if before is None:
            return None
        understood: Understood | None = None
        speaker = speaker_of(before)
        for language in dict.fromkeys(("", before.language)):
            with suppress(Unclear, ContractError):
                understood = understood or self._understood(question, None, language, speaker)
        understood = understood or self._both(question, None, speaker)
        if understood is None or not understood.slots.complete:
            return None
        was = before.slots if isinstance(before, Understood) else before.named
        if was is not None and was.metrics and understood.slots.ranks_values and understood.slots.by == was.by:
            return None  # which rep is best, after the win rate by rep
        notes = (*understood.notes, *_left_behind(understood.slots, was, before))
        return replace(understood, notes=notes, language=lex(question, self.names, before.language).language)

    def _understood(self, question: str, before: Before, language: str | None = None, speaker: str = "") -> Understood:
        lexed = lex(question, self.names, before.language if before else language)
        speaker = speaker or speaker_of(before)
        unanswered = isinstance(before, Declined)
        if isinstance(before, Declined):
            before = Understood((), before.named, before.language) if before.named else None
        today = self._today()
        slots = Reading(lexed, today, self.serving.currency, before.slots if before else None).slots()
        notes = [*_notes(lexed), *slots.notes]
        if slots.greets:
            return _greeting(slots.speaker, before.slots if before else Slots(), lexed.language)
        if unanswered and carrying.leans(slots, before.slots if before else None):
            raise Unclear(
                "the question before was not answered, so what this one leaves open is not known",
                *self.closest(question),
                remedy="Ask it in one question.",
            )
        if (
            unanswered
            and before is not None
            and not (slots.points or slots.refers or slots.follows or slots.is_kind_alone)
        ):
            understood = self._understood(question, None, lexed.language, speaker)
            left = _left_behind(understood.slots, before.slots, before)
            return replace(understood, notes=(*understood.notes, *left))
        if unanswered and before is None and slots.of_all:
            notes.append("The question before was not answered, and nothing of it is carried over.")
        of_owner = carrying.of_owner(slots, before.slots) if before is not None else None
        if before is not None and (of_record := carrying.of_record(slots, before.slots)):
            slots = self._of_account(of_record, before.slots)
            notes.append(f"Carried over from the question before: {slots.about[0].name}.")
            if before.slots.times and not slots.times:
                notes.append("The time of the question before is not carried over; name it to keep it.")
        elif before is not None and of_owner:
            slots = of_owner
            owners = [str(part) for part in slots.where if names_of(part) == ["owner"]]
            notes.append(f"Carried over from the question before: {', '.join(owners) or 'whose it is'}.")
            if len(before.slots.where) > len(owners) or {*before.slots.times} > {*slots.times}:
                notes.append("Its other conditions are not carried over; name them to keep them.")
        if (
            before is not None
            and slots.fragment
            and any(isinstance(p, Test) and p.values == ("other",) for p in slots.where)
        ):
            raise Unclear("other deals than those before, or deals of the source named other?", remedy="Ask it whole.")
        if before is None and slots.refers:
            raise Unclear("the question is about an answer before it, and there is none", *self.closest(question))
        if slots.ones and (before is None or before.slots.entity not in ("", slots.entity)) and slots.entity:
            raise Unclear("the ones of what? The question before was not of such records", remedy="Ask it whole.")
        if before is not None and slots.says_nothing:
            raise Unclear("there is no question in it", *self.closest(""))
        if before is not None:
            slots = carrying.of_those(slots, before.slots)
        if before is not None and carrying.picks_of(slots, before.slots) and before.slots.rows is not None:
            keys = before.slots.rows.keys
            slots = replace(carrying.of_rows(slots, before.slots.rows, before.slots), narrows=False, restricted=False)
            notes.append(f"Of the {len(keys)} rows of the answer before.")
        elif before is not None and carrying.picks_of(slots, before.slots):
            raise Unclear(
                "the last answer was a ranking, and its rows are not known any more", remedy="Ask it in one question."
            )
        elif before is not None and carrying.goes_on(slots, before.slots):
            rows = before.slots.rows
            furthest = slots.rank is not None and slots.rank.way == "furthest"
            if (furthest or (carrying.cuts(slots, before.slots) and not slots.rank)) and rows is not None:
                slots = carrying.of_rows(slots, rows, before.slots)
                notes.append(
                    f"Of the {len(rows.keys)} rows of the answer before."
                    if len(rows.keys) > 1
                    else "Of the row of the answer before."
                )
        if before is not None and carrying.goes_on(slots, before.slots):
            if carrying.cuts(slots, before.slots):
                raise Unclear(
                    "the last answer was a ranking, and the question does not say which of its rows it means",
                    remedy="Ask by its name.",
                )
            if lost := carrying.lost(slots, before.slots):
                raise Unclear(lost, remedy="Ask it whole.")
            mean = carrying.beside_mean(slots, before.slots)
            if slots.is_of_nothing() and not mean and not (slots.whole and before.slots.by):
                raise Unclear(
                    "the question does not say what to total or average", "average deal size", "win rate by owner"
                )
            slots, kept = carrying.carried(slots, before.slots)
            if kept:
                notes.append(f"Carried over from the question before: {', '.join(kept)}.")
            notes += _replaced(slots, before.slots)
        elif before is not None and not of_owner:
            notes += _left_behind(slots, before.slots, before)
        if before is not None and slots.times == () and before.slots.times and carrying.of_person(slots, before.slots):
            notes.append("The time of the question before is not carried over; name it to keep it.")
        if before is not None and carrying.lacks_time_of(slots, before.slots):
            slots = replace(slots, times=before.slots.times)
            notes.append("Carried over from the question before: times.")
        if not slots.has_subject:
            raise Unclear("the question does not say what is asked for", *self.closest(question))
        if speaker and not slots.speaker:
            slots = replace(slots, speaker=speaker, asker=slots.asker or speaker)
            notes += [f"I and my mean {speaker}, as said before."] if slots.me and slots.asker == speaker else []
        me = slots.asker or self.me
        team = self.names.team(slots.team_of or me) if slots.team else None
        slots, members = self._by_members(self._led(slots))
        notes += members
        asked = Asking(slots.spoken(), today, me, team).asked()
        self._premise(slots)
        if counted_deals(slots, asked):
            notes.append(_ASK_WHICH)
        whole = [
            request.arguments["records" if request.tool == "furthest" else "asked"]
            if isinstance(request, Intent) and request.tool in ("rows_after", "running_total", "furthest")
            else request
            for request in asked
        ]
        lists = not any(isinstance(request, Question) for request in whole)
        if slots.me and me is None and lists and not any(isinstance(request, Intent) for request in whole):
            notes.append("I do not know who you are, so these are everybody's: `--me NAME`, or `me` in the settings.")
        if slots.goal == "cover":
            asked, uncovered = self._covered(asked, today)
            notes += [uncovered] if uncovered else []
        notes += self._without_deals(slots)
        if slots.premise:
            notes.append("Why a quota was missed is not computed: these are its figures.")
        if any(isinstance(request, Records) and request.entity == "contacts" for request in asked):
            notes.append(_NAMES)
        return Understood(asked, slots, lexed.language, tuple(notes))

    def _of_account(self, slots: Slots, before: Slots) -> Slots:
        """The same of the account of a deal, where people are asked for, whom accounts have."""
        (record,) = slots.about
        if record.kind != "deal" or "contacts" not in slots.metrics:
            return slots
        keys = before.rows.accounts if before.rows else ()
        rows = self.serving.rows("select customer_id from gold.deals where lead_id = ?", [record.key])
        key = keys[0] if len(keys) == 1 else str(rows[0]["customer_id"])
        return replace(slots, about=(About("account", key, key),))

    def _by_members(self, slots: Slots) -> tuple[Slots, list[str]]:
        """Touches of a team as those of its owners, with a note who they are: touches have an owner and no team."""
        touches = slots.entity == "interactions" or (
            slots.metrics
            and {metrics.metrics()[name].view.entity for name in slots.metrics if name in metrics.metrics()}
            == {"interactions"}
        )
        notes: list[str] = []
        where = list(slots.where)
        for place, part in enumerate(where):
            if touches and isinstance(part, Test) and part.name in TEAMS and part.op == "=":
                teams = tuple(map(str, part.values))
                if (owners := self.names.of_teams(teams)) and not (slots.versus or TEAMS & {*slots.by}):
                    where[place] = Test("owner", "=", owners)
                    notes.append(f"Touches have an owner and no team: those of {', '.join(owners)}.")
        return replace(slots, where=tuple(where)), notes

    def _led(self, slots: Slots) -> Slots:
        """Of the managers of a team's owners those who are in the team themselves, where there are any: who leads it."""
        teams = [part for part in slots.where if isinstance(part, Test) and part.name in TEAMS and part.op == "="]
        if slots.by != ("owner_manager",) or slots.metrics != ("total_leads",) or len(teams) != 1:
            return slots
        rows = self.serving.rows(
            "select distinct owner_manager from gold.deals where owner_team = $1 and owner_manager in "
            "(select owner from gold.deals where owner_team = $1) order by 1",
            [str(teams[0].values[0])],
        )
        leads = tuple(str(row["owner_manager"]) for row in rows)
        return replace(slots, where=(*slots.where, Test("owner_manager", "=", leads))) if leads else slots

    def _without_deals(self, slots: Slots) -> list[str]:
        """A note on owners who have no deals at all, who are in no row, where those with none are asked for."""
        none = any(
            limit.op == "=" and limit.value == "0" and limit.column.endswith("_leads") for limit in slots.thresholds
        )
        facts = self.names.facts
        if not none or slots.by != ("owner",) or facts is None or not facts.there("silver.owners_clean"):
            return []
        rows = self.serving.rows(
            "select distinct owner_name from silver.owners_clean where owner_name not in "
            "(select owner from gold.deals where owner is not null) order by 1"
        )
        names = ", ".join(str(row["owner_name"]) for row in rows)
        return [f"Owners without any deal: {names}."] if names else []

    def _covered(self, asked: tuple[Asked, ...], today: Today) -> tuple[tuple[Asked, ...], str]:
        """What is due alone, and a note, where no quota begins in the time."""
        due = asked[0]
        assert isinstance(due, Question)  # noqa: S101 - asked for
        span = periods.read(due.period or "this quarter", today)
        if len(asked) > 1 and self.serving.rows(
            "select 1 from gold.attainment where period_start between ? and ? limit 1", [span.first, span.last]
        ):
            return asked, ""
        return (
            due,
        ), f"There is no quota for {span}, so whether this covers it is not known: it is the open value due then."

    def _premise(self, slots: Slots) -> None:
        """Refuse to say why an account is in a band that it is not in."""
        bands = [str(value) for condition in slots.where for value in getattr(condition, "values", ())]
        if slots.goal != "score" or not bands:
            return
        about = slots.about[0]
        key = (
            "customer_id = ?"
            if about.kind == "account"
            else "customer_id in (select customer_id from gold.deals where lead_id = ?)"
        )
        rows = self.serving.rows(f"select lead_quality from gold.customer_features where {key}", [about.key])
        if rows and rows[0]["lead_quality"] not in bands:
            raise Unclear(
                f"{about.name} is {rows[0]['lead_quality']}, not {bands[0]}",
                f"why is {about.key} {rows[0]['lead_quality']}?",
            )

    def _named_in_part(self, question: str, unknown: tuple[str, ...], before: Before) -> Understood | Declined | None:
        """Why a question is declined that names an account in part, or somebody who is not there; None where it does not."""
        for phrase in unknown:
            count, accounts = self.names.in_part(phrase)
            if count > 1 and (of_rows := self._of_rows(question, phrase, before)):
                return of_rows
            if count:
                several = f"{count:,} accounts have" if count > 1 else "an account has"
                offered = tuple(f"tell me about {name}" for name in accounts)
                return Declined(
                    f"{several} {phrase!r} in the name: which one is meant?", offered, "Ask by its whole name.",
                    choice=(question, phrase, phrase),
                )  # fmt: skip
        names = [phrase for phrase in unknown if all(word[:1].isupper() for word in phrase.split())]
        for phrase in names if len(unknown) == 1 else ():
            answerable = []
            for owner in self.names.owners_like(phrase):
                asked = question.replace(phrase, owner)
                with suppress(Unclear, ContractError):
                    self._understood(asked, before)
                    answerable.append(asked)
            if answerable:
                reason = f"there is no owner, account or value {phrase!r}"
                return Declined(
                    reason, tuple(answerable), f"The nearest owners are {', '.join(self.names.owners_like(phrase))}."
                )
            if "contacts" in metrics.metrics() and len(phrase.split()) > 1:
                return Declined(
                    f"there is no owner or account {phrase!r}",
                    self.closest(question),
                    f"{_NAMES} Ask with the account.",
                )
        return None

    def _of_rows(self, question: str, phrase: str, before: Before) -> Understood | None:
        """A question that names in part one account of the rows of the answer before."""
        rows = before.slots.rows if isinstance(before, Understood) else None
        accounts = (rows.accounts if rows.entity == "deals" else rows.keys) if rows and rows.entity else ()
        keys = self.names.in_part_of(phrase, accounts) if accounts else ()
        if len(keys) != 1:
            return None
        with suppress(Unclear, ContractError):
            understood = self._understood(question.replace(phrase, keys[0]), before)
            note = f"Read {phrase!r} as {keys[0]} of the answer before."
            return replace(understood, notes=(note, *understood.notes))
        return None

    def _without(self, error: Unclear, before: Before) -> tuple[str, ...]:
        """The question without what was not understood, where that can be answered."""
        if not error.without:
            return ()
        try:
            self._understood(error.without, before)
        except (Unclear, ContractError):
            return ()
        return (error.without,)

    def _both(self, question: str, before: Before, speaker: str = "") -> Understood | None:
        """Two questions in one, where each can be answered by itself and neither restricts the other."""
        pairs: list[tuple[Understood, Understood]] = []
        for first, then, apart in parted(question, self.names):
            with suppress(Unclear, ContractError):
                former = self._understood(first, before, None, speaker)
                if former.slots.about:
                    latter = self._understood(then, former)
                    if latter.slots.about != former.slots.about:
                        continue
                elif not (latter := self._second(then, former)).slots.refers:
                    of_former, of_latter = former.slots.restrictions, latter.slots.restrictions
                    if self._leans(then) or not (of_former <= of_latter if apart else of_former == of_latter):
                        continue
                pairs.append((former, latter))
        if len(pairs) != 1:
            return None
        former, latter = pairs[0]
        notes = tuple(dict.fromkeys((*former.notes, *latter.notes)))
        slots = replace(latter.slots, complete=former.slots.complete)
        return Understood((*former.asked, *latter.asked), slots, former.language, notes)

    def _leans(self, question: str) -> bool:
        """Whether a question rests on what was said before it: a pronoun, or `combien` alone, a number or money."""
        spans = lex(question, self.names).spans
        bare = any(span.of("count") and span.of("amount") for span in spans)
        return any(span.of(*_PRONOUNS) for span in spans) or (bare and not any(span.of("entity") for span in spans))

    def _second(self, question: str, first: Understood) -> Understood:
        """The second of two questions: by itself, or about what the first one found where it says so."""
        try:
            return self._understood(question, None, None, first.slots.speaker)
        except (Unclear, ContractError):
            understood = self._understood(question, first)
            if not understood.slots.refers:
                raise
            return understood

    def _parts(self, question: str, before: Before) -> tuple[str, ...]:
        """The sentences and clauses of a question that can be answered by themselves; what stands beside may restrict them."""
        parts = [part.strip() for part in _CLAUSES.split(question)]
        halves = [half for first, then, apart in parted(question, self.names) if not apart for half in (first, then)]
        parts = [*halves, *parts] if halves else parts
        answerable: list[str] = []
        for part in parts if len(parts) > 1 else ():
            if len(part.split()) > 1 and len(answerable) < MOST_PARTS:
                with suppress(Unclear, ContractError):
                    if self._understood(part, before).asked:
                        answerable.append(part)
        return tuple(answerable)

    def closest(self, question: str) -> tuple[str, ...]:
        """Questions that can be answered, those about the same metrics or the same records first."""
        every = metrics.metrics()
        senses = [sense for span in lex(question, self.names).spans for sense in span.senses]
        near = dict.fromkeys(sense.name for sense in senses if sense.kind == "metric" and sense.name in every)
        labels = [every[name].measure.display_name.lower() for name in [*near][:2]]
        kinds = [sense.name if sense.kind == "entity" else _OF_KIND.get(sense.kind, "") for sense in senses]
        questions = [f"What {'are' if label.endswith('s') else 'is'} the {label}?" for label in labels]
        questions += [example for kind in kinds for example in _NEAR.get(kind, ())]
        return tuple(dict.fromkeys([*questions, *_USUAL]))[: max(len(_USUAL), len(labels) + 1)]


def _greeting(speaker: str, before: Slots, language: str) -> Understood:
    """What is said to somebody who only says who they are; what was asked before can still be gone on from."""
    text = f"Hello, {speaker}. From now on, `I` and `my` mean {speaker}."
    return Understood((), replace(before, speaker=speaker, asker=speaker), language, (text,))


def _left_behind(slots: Slots, was: Slots | None, before: Before) -> list[str]:
    """A note on what a question does not take over from the one before it, where a reader might think that it does."""
    if was is None:
        unanswered = isinstance(before, Declined) and slots.of_all
        return ["The question before was not answered, and nothing of it is carried over."] if unanswered else []
    if carrying.widens(slots, was):
        way = "add `of those`" if slots.metrics or not slots.entity else "name them"
        return [f"The conditions of the question before are not carried over; {way} to keep them."]
    if carrying.of_everything(slots, was):
        return [f"This covers all accounts, not {was.about[0].name} alone; name it to ask about it."]
    if dropped := carrying.drops(slots, was):
        return [f"The conditions of the question before are not carried over ({dropped}); name them to keep them."]
    return []


def _replaced(slots: Slots, was: Slots) -> list[str]:
    """A note on limits of the question before in whose place others have come, or on a split that is not of one owner alone."""
    if was.me and not slots.me and "owner" in slots.by:
        return ["This covers everybody, not only what is yours as the question before."]
    gone = [limit for limit in was.thresholds if slots.thresholds and limit not in slots.thresholds]
    limits = ", ".join(f"{limit.op} {limit.value}{'%' if limit.percent else ''}" for limit in gone)
    return [f"The limit of the question before ({limits}) is replaced."] if limits else []


def counted_deals(slots: Slots, asked: tuple[Asked, ...]) -> bool:
    """Whether deals that were only named, as `deals won in May`, are answered by their number, of which there is a list."""
    named = slots.entity == "deals" and not (slots.metrics or slots.by) and slots.goal in ("", "both")
    return named and len(asked) == 1 and isinstance(asked[0], Question) and asked[0].metrics != ("total_leads",)


def _notes(lexed: Lexed) -> list[str]:
    notes = [f"Read {written!r} as {near!r}." for written, near in lexed.corrected]
    for name, keys in lexed.also.items():
        notes.append(f"{name!r} is also the name of an account: for that one, ask by its key {keys[0]}.")
    return notes


__all__ = ["Before", "Declined", "Intent", "Planner", "Understood"]
