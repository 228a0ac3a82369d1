"""Questions without a model: matched against the vocabulary of metrics, dimensions, values, periods and accounts.

Every word of a question has to be understood. One that is not makes the whole question declined, with the closest
questions that can be answered: half an understanding would answer another question than the one asked. The idioms
themselves are in `words.yaml`.
"""

from __future__ import annotations

import calendar
import difflib
import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

import sqlglot

from medallion import contracts, metrics
from medallion.agent.serving import Serving
from medallion.contracts import yaml
from medallion.metrics.relations import columns_of

_IDIOMS = yaml.load(files("medallion.agent").joinpath("words.yaml").read_text(encoding="utf-8"))
WORDS: dict[str, tuple[str, ...]] = {name: tuple(text.split()) for name, text in _IDIOMS["words"].items()}
#: A pattern begins with the blank before its first word and ends before the one after its last.
_PATTERNS: dict[str, str] = {
    name: re.sub(r"<(\w+)>", lambda found: f"(?:{'|'.join(WORDS[found[1]])})", text)
    for name, text in _IDIOMS["patterns"].items()
}
_PREPOSITIONS, _DETERMINERS = frozenset(WORDS["prepositions"]), frozenset(WORDS["determiners"])
_NEUTRAL = _PREPOSITIONS | _DETERMINERS | frozenset(WORDS["neutral"])
_DOING, _COMING, _ENDING = ("|".join(WORDS[name]) for name in ("doing", "coming", "ending"))
_VERBS = frozenset(WORDS["doing"] + WORDS["coming"])
#: Stands before a word that would be neutral where it is a name: `in the US`.
_NAMED = "¦"
_MARKS = frozenset("|§¤")
#: Words that rank, by the argument of `metric_value` that they ask for.
_RANKED = {word: end for end, name in (("top", "down"), ("bottom", "up")) for word in WORDS[name]}
_JUDGED, _ORDINARY = frozenset(WORDS["judged"]), frozenset(WORDS["ordinary"])
_NUMBERS = {word: number for number, word in enumerate(WORDS["numbers"])}
_MONTHS = {
    name.lower(): n for names in (calendar.month_name, calendar.month_abbr) for n, name in enumerate(names) if name
}
#: A dimension with more values than this has none that are words.
MOST_VALUES = 2000
#: What is asked of one account: the column of the brief, and words for it.
FACTS: dict[str, list[str]] = _IDIOMS["facts"]


@dataclass(frozen=True)
class Call:
    """A tool to call, with its arguments, a column to tell of an account, and what to say beside the answer."""

    tool: str
    arguments: dict[str, Any] = field(default_factory=dict)
    column: str | None = None
    note: str = ""


@dataclass(frozen=True)
class Declined:
    """Why a question is not answered, and the nearest that are."""

    reason: str
    closest: tuple[str, ...] = ()


def _ended(match: re.Match[str]) -> str:
    """`deals did we win` as `won deals`."""
    return f" {({'win': 'won', 'lose': 'lost'}).get(match[1], match[1])} deals"


class Vocabulary:
    """The words of one lakehouse."""

    def __init__(self, serving: Serving) -> None:
        self.serving = serving
        self.phrases: dict[str, str] = {}
        for name, metric in metrics.metrics().items():
            for text in (name.replace("_", " "), metric.measure.display_name, *metric.measure.synonyms):
                self.phrases.setdefault(_plain(text), name)
        views = {id(one.view): one.view for one in metrics.metrics().values()}.values()
        #: Names that a dimension has and a metric too: after `by` they are the dimension.
        self.shared = {name for view in views for one in view.dimensions for name in _names(one)} & {*self.phrases}
        self._values: dict[tuple[str, str], dict[str, str]] = {}
        self._first: dict[str, date | None] = {}

    def values(self, dimension: metrics.Dimension) -> dict[str, str]:
        """Values of a dimension by how they are said; none where there are too many to be words."""
        key = dimension.name, dimension.expr
        if key not in self._values:
            with self.serving.lock:
                found = metrics.values_of(self.serving.connection, dimension)
            said: dict[str, str] = {}
            for value in dict.fromkeys((*dimension.values, *found)) if len(found) <= MOST_VALUES else ():
                if value:
                    said.setdefault(_plain(value), value)
                    said.setdefault(_plain(value.replace("_", " ")), value)
            for spelling, value in _spellings(dimension.name).items():
                if value in said.values():
                    said.setdefault(spelling, value)
            said |= {".".join(text): value for text, value in said.items() if re.fullmatch("[a-z]{2,3}", text)}
            self._values[key] = {_marked(text): value for text, value in said.items()}
        return self._values[key]

    def called(self, word: str) -> set[str]:
        """The values of any dimension that are called by a word."""
        told = [self.values(one) for one in self._texts()]
        return {many[name] for many in told for name in (word, f"{_NAMED}{word}") if name in many}

    def _texts(self) -> list[metrics.Dimension]:
        """The dimensions of text of all views."""
        views = {id(one.view): one.view for one in metrics.metrics().values()}.values()
        return [one for view in views for one in view.dimensions if one.type == "text"]

    def sign(self, question: str) -> str:
        """The first sign of comparing or reckoning in a question that is not part of a value or of an account's name."""
        if not _sign(question):
            return ""
        names = {value for one in self._texts() for value in self.values(one).values()}
        rows = self.serving.rows(
            "select distinct customer_name from gold.customer_features where contains(lower($1), lower(customer_name))",
            [question],
        )
        names |= {row["customer_name"] for row in rows if row["customer_name"][:1].isalnum()}
        for name in sorted(names, key=lambda one: (-len(one), one)):
            if _sign(name) and any(letter.isalnum() for letter in name):
                question = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", " ", question, flags=re.IGNORECASE)
        return _sign(question)

    def first_day(self, metric: metrics.Metric) -> date | None:
        """The first day of the data by the metric's own period."""
        day = metric.dimension(str(metric.measure.period))
        if day.expr not in self._first:
            sql = metric.spark_sql(values={"first": f"MIN({day.expr})"})
            with self.serving.lock:
                found = self.serving.connection.execute(
                    sqlglot.transpile(sql, read="spark", write="duckdb")[0]
                ).fetchone()
            self._first[day.expr] = found[0] if found else None
        return self._first[day.expr]

    def understand(self, question: str) -> Call | Declined:
        """The tool call that answers a question, or why there is none."""
        text = _plain(question)
        if not text:
            return Declined("there is no question", self.closest(""))
        if sign := self.sign(question):
            return Declined(f"I do not understand {sign!r} in the question: say it in words", self.closest(text))
        reading = _Reading(self, text, question)
        if call := reading.special():
            return call
        metric = _Reading(self, text, question).of_metric()
        named = reading.named()
        if named is None:
            return reading.of_deal() or metric
        phrase, keys = named
        if isinstance(metric, Call):  # a metric, a value or a period of that name comes first, and it is said
            also = f"{phrase!r} is also the name of an account: for that one, ask by its key {keys[0]}."
            return replace(metric, note=f"{metric.note} {also}".strip())
        if self.shadowed(phrase) and phrase not in (key.casefold() for key in keys):
            about = tuple(f"Tell me about {key}" for key in keys[:3])
            also = f"{phrase!r} is also the name of an account ({', '.join(keys[:3])})"
            return Declined(f"{metric.reason}; {also}", (*metric.closest[:2], *about))
        return reading.of_deal() or reading.of_account(phrase, keys)

    def shadowed(self, phrase: str) -> bool:
        """Whether each word of a name, or all of it, means something else in questions too."""
        known = self.known()
        return phrase in known or all(word in known or word.isdigit() for word in phrase.split())

    def known(self) -> set[str]:
        """Words and phrases that mean something in questions."""
        known = {
            *self.phrases,
            *_NEUTRAL,
            *_VERBS,
            "us",
            *_ORDINARY,
            *_RANKED,
            *_JUDGED,
            *_NUMBERS,
            *_MONTHS,
            *WORDS["plan"],
            *WORDS["times"],
        }
        known |= {said for many in FACTS.values() for said in many}
        for view in {id(one.view): one.view for one in metrics.metrics().values()}.values():
            for dimension in view.dimensions:
                known |= _names(dimension)
                if dimension.type == "text":
                    known |= {said.removeprefix(_NAMED) for said in self.values(dimension)}
        return known

    def closest(self, text: str) -> tuple[str, ...]:
        """Questions that can be answered, nearest first."""
        near = difflib.get_close_matches(text, self.phrases, n=3, cutoff=0.3) or [
            "win rate",
            "revenue",
            "open pipeline",
        ]
        labels = dict.fromkeys(metrics.metrics()[self.phrases[phrase]].measure.display_name.lower() for phrase in near)
        return (*(f"Show the {label}" for label in labels), "Who should I call?", "Which channel works best?")


def _names(dimension: metrics.Dimension) -> set[str]:
    """What a dimension is called."""
    return {_plain(text) for text in (dimension.name.replace("_", " "), dimension.display_name, *dimension.synonyms)}


def _column(name: str) -> str:
    """A name that is not that of a metric any more."""
    return name.replace(" ", "_") + "_"


def _plain(text: str) -> str:
    """Lower case, with everything but letters, digits and what joins them as blanks."""
    return " ".join(_words(str(text).casefold()))


def _words(text: str) -> list[str]:
    kept = re.sub(r"[^\w&+/'.-]+", " ", text.replace("’", "'"))
    return [word.strip(".'-/") for word in kept.split() if word.strip(".'-/")]


def _marked(said: str) -> str:
    """How a value is said, marked where that is a word that means something else as well."""
    return f"{_NAMED}{said}" if said in _NEUTRAL or said == "us" else said


def _sign(text: str) -> str:
    """The first sign of comparing or reckoning: `!=`, `<`, `~`, a minus; none within words, dates and numbers.

    >>> _sign("revenue != Retail"), _sign("revenue - Retail"), _sign("revenue -Retail"), _sign("25 % of it")
    ('!=', '-', '-', '%')
    >>> _sign("e-mail on 2025-06-01, 06/01/2025, R+D!")
    ''
    """
    for place, sign in enumerate(text):
        before, after = text[:place][-1:].isalnum(), text[place + 1 : place + 2].isalnum()
        kind = unicodedata.category(sign)
        if sign == "!":
            found = after or text[place + 1 : place + 2] in ("=", "~")
        elif sign in "+-/\u2010\u2011":
            found = not (before and after)
        else:
            found = kind in ("Sm", "Pd") or sign in "*%^"
        if found:
            return text[place : place + 2] if text[place : place + 2] in ("!=", "<>", "<=", ">=", "==", "->") else sign
    return ""


@cache
def _spellings(name: str) -> dict[str, str]:
    """Other spellings of the values of an open list, such as countries, as silver makes them one."""
    columns = [one for entity in contracts.entities().values() for one in entity.columns if one.name == name]
    return {
        _plain(form.replace("_", " ")): value
        for one in columns
        if not one.accepted
        for form, value in one.spellings.items()
    }


class _Reading:
    """One question being read: what has been understood is taken out of `left`.

    `|` stands where something was taken out, `§` where the metric stood, `¤` where a split stood, and `‹name›` where a
    value of that dimension stood.
    """

    def __init__(self, vocabulary: Vocabulary, text: str, question: str) -> None:
        self.words, self.question = vocabulary, question
        self.ourselves = False
        text = self._names_marked(text.split())
        self.left = f" {re.sub(_PATTERNS['lead'], '', re.sub(_PATTERNS['closing'], '', text), count=1)} "
        self.whole = f" {text} "
        self.notes: list[str] = []

    def _names_marked(self, words: list[str]) -> str:
        """The question without `us` for who asks, and with a mark before neutral words that stand as names."""
        written = _words(self.question)
        if len(written) != len(words) or self.question.isupper():
            written = words
        kept: list[str] = []
        for place, word in enumerate(words):
            after = "".join(words[place + 1 : place + 2])
            before = [one for one in words[:place] if one != "the"][-1:]
            alone = not after or after in _PREPOSITIONS or after in ("and", "or", "by")
            if word == "us":
                capital = written[place] == "US"
                if self._is_us(words, place, capital=capital):
                    if kept[-1:] == ["for"]:
                        kept.pop()
                    continue
                if capital or before == ["in"] or (before and words[place - 1] == "the"):
                    word = f"{_NAMED}us"
            elif word in _NEUTRAL:
                stands = alone and before and before[0] in (*_PREPOSITIONS, "from")
                capital = written[place] != word and (place > 0 or written[place][1:].isupper())
                noun = word in ("company", "business") and before != ["our"]
                if stands or capital or noun:
                    values = self.words.called(word)
                    if values and (stands or noun or written[place] in values):
                        word = f"{_NAMED}{word}"
            kept.append(word)
        return " ".join(kept)

    def _is_us(self, words: list[str], place: int, *, capital: bool) -> bool:
        """Whether `us` is who asks: after `tell`, `show` and the like, and in `for us` where no name begins with it."""
        before, after = "".join(words[place - 1 : place] if place else []), "".join(words[place + 1 : place + 2])
        if before in WORDS["to_us"]:
            clear = after in _DETERMINERS or after in ("how", "what", "which", "who", "whom", "about", "know", "see")
            self.ourselves |= not clear
            return clear or not capital
        if (
            before == "for"
            and not capital
            and not self.question.isupper()
            and (not after or after in WORDS["after_us"])
        ):
            self.ourselves = True
            return True
        return False

    def strange(self, also: Collection[str] = ()) -> list[str]:
        """The words of what is left that are not understood: neutral ones too, where they do not stand as such."""
        words = self.left.split()
        return [
            word.removeprefix(_NAMED)
            for place, word in enumerate(words)
            if not (word in also or _is_mark(word) or (word in _NEUTRAL and _stands(words, place, also)))
        ]

    def take(self, phrases: Iterable[str], mark: str = "|") -> str | None:
        """Take the longest of these phrases out of what is left."""
        for phrase in sorted({p for p in phrases if p}, key=lambda p: (-len(p), p)):
            if f" {phrase} " in self.left:
                self.left = self.left.replace(f" {phrase} ", f" {mark} ", 1)
                return phrase
        return None

    def took(self, pattern: str, mark: str = "|") -> re.Match[str] | None:
        """Take the first match of a pattern out of what is left; it begins with a blank and ends before one."""
        match = re.search(pattern, self.left)
        if match:
            self.left = f"{self.left[: match.start()]} {mark}{self.left[match.end() :]}"
        return match

    def special(self) -> Call | Declined | None:
        """Questions that a tool answers by itself."""
        ask = self.whole.strip()
        if re.search(_PATTERNS["call_list"], ask):
            return self._plan()
        if re.fullmatch(_PATTERNS["channels"], ask):
            return Call("compare_channels")
        if re.search(_PATTERNS["forecast"], ask) and not re.search(_PATTERNS["no_forecast"], ask):
            self.took(r" (?:by|per) month(?= )")
            strange = self.strange(WORDS["of_forecast"])
            return Call("pipeline_forecast") if not strange else None
        found = re.fullmatch(_PATTERNS["top_customers"], ask)
        if found and (found[1] is None or found[1].isdigit() or found[1] in _NUMBERS):
            count = 10 if found[1] is None else _NUMBERS[found[1]] if found[1] in _NUMBERS else int(found[1])
            return Call("top_customers", {"count": count})
        return None

    def _plan(self) -> Call | Declined | None:
        owners = {
            _plain(row["owner"]): row["owner"]
            for row in self.words.serving.rows("select distinct owner from gold.deals where owner is not null")
        }
        firsts: dict[str, list[str]] = {}
        for plain_name, name in owners.items():
            firsts.setdefault(plain_name.split()[0], []).append(name)
        said = self.take(owners, "‹rep›")
        owner = owners.get(said or "")
        if owner is None and (first := self.take((name for name, whole in firsts.items() if len(whole) == 1), "‹rep›")):
            owner = firsts[first][0]
        count = self.took(r" (?:top )?(\d{1,3}) (?:customers|accounts)(?= )")
        day = self.took(r" (?:for )?(today|tomorrow)(?:'s)?(?= )", "")
        if not any(self.took(_PATTERNS[form]) for form in ("calls_who", "calls_whom", "calls_list")):
            return None
        if rest := self.strange():
            return Declined(
                f"I do not understand {', '.join(map(repr, rest))} for a call list",
                ("Who should I call?", "Who should I call tomorrow?"),
            )
        arguments: dict[str, Any] = {"owner": owner} if owner else {}
        if count:
            arguments["capacity"] = int(count[1])
        if day and (last := self.words.serving.as_of):
            arguments["day"] = last + timedelta(days=day[1] == "tomorrow")
        return Call("call_plan", arguments)

    def of_deal(self) -> Call | Declined | None:
        """A question about one deal, named by its key: why it is scored as it is."""
        keys = [word for word in self.left.split() if any(c.isdigit() for c in word)]
        known = self.words.serving.rows(
            "select lead_id, status, customer_id from gold.deals where lower(lead_id) in (select unnest($1)) limit 2",
            [keys],
        )
        if len(known) != 1:
            return None
        key = known[0]["lead_id"]
        self.left = self.left.replace(f" {key.casefold()} ", " | ", 1)
        if self.took(_PATTERNS["probability"]):
            status = known[0]["status"]
            if status != "open":
                return Declined(
                    f"{key} is {status}: only an open deal has a probability", (f"Why is {key} scored so?",)
                )
            self.took(r" (?:be )?(?:win|won)(?= )")
        if wrong := self._not_so(key, known[0]["customer_id"]):
            return wrong
        also = WORDS["of_score_of_deal"]
        return self._all_understood(Call("explain_score", {"key": key}), also, (f"Why is {key} scored so?",))

    def _not_so(self, key: str, customer: str | None) -> Declined | None:
        """Take out what a question says of a score; declined where the account's band says otherwise."""
        said = self.took(_PATTERNS["band"])
        if not said:
            return None
        rows = self.words.serving.rows(
            "select lead_quality from gold.customer_features where customer_id = $1", [customer]
        )
        band = str(rows[0]["lead_quality"] or "without a band") if rows else "without a band"
        true = {"high": ("hot", "warm"), "low": ("cool", "cold")}.get(said[1], (said[1],))
        if band.casefold() in true:
            return None
        return Declined(
            f"the account of {key} is {band}, not {said[1]}" if key != customer else f"{key} is {band}, not {said[1]}",
            (f"Why is {key} scored so?",),
        )

    def of_account(self, phrase: str, keys: list[str]) -> Call | Declined:
        """A question about one account, named by key or whole name."""
        if len(keys) > 1:
            return Declined(f"{phrase!r} may mean several accounts: {', '.join(keys)}; say which key")
        self.left = self.left.replace(f" {phrase} ", " | ", 1)
        key = keys[0]
        if re.search(_PATTERNS["why"], self.left):
            asked = Call("explain_score", {"key": key})
            return self._not_so(key, key) or self._all_understood(asked, WORDS["of_score"])
        self.took(_PATTERNS["how_much_of_account"])
        column = next(
            (
                name
                for said, name in sorted(((s, n) for n, many in FACTS.items() for s in many), key=lambda p: -len(p[0]))
                if self.take([said])
            ),
            None,
        )
        if column is None:
            also = (*WORDS["of_account"], *_VERBS)
            return self._all_understood(Call("account_brief", {"customer": key}), also)
        history = column in _IDIOMS["history"]
        if not history and re.search(_PATTERNS["past"], self.left):
            return Declined(
                f"the {FACTS[column][0]} of {key} is known only as of the last day of the data",
                (f"What is the {FACTS[column][0]} of {key}?", "medallion replay DAY gives the state of a past day"),
            )
        also = (*WORDS["of_fact"], *((*WORDS["be"], *_VERBS) if history else ()))
        if column == "last_interaction_at":
            also += WORDS["of_last_contact"]
        return self._all_understood(Call("account_brief", {"customer": key}, column), also)

    def named(self) -> tuple[str, list[str]] | None:
        """The account that is named, by key or whole name, and its keys."""
        self.left = self.left.replace(_NAMED, "")
        parts = self.left.split()
        grams = [" ".join(parts[i:j]) for i in range(len(parts)) for j in range(i + 1, min(i + 8, len(parts)) + 1)]
        grams = [gram for gram in grams if gram not in _NEUTRAL and gram not in _VERBS and gram != "us"]
        rows = self.words.serving.rows(
            "select customer_id, customer_name from gold.customer_features where lower(customer_id) in (select unnest($1)) "
            "or trim(regexp_replace(regexp_replace(lower(customer_name), '[^\\w&+/''.-]+', ' ', 'g'), '[.]+( |$)', ' ', 'g')) in (select unnest($1)) "
            "order by customer_id",
            [grams],
        )
        found: dict[str, list[str]] = {}
        for row in rows:
            for said in (_plain(row["customer_id"]), _plain(row["customer_name"] or "")):
                if said in grams:
                    found.setdefault(said, []).append(row["customer_id"])
        if not found:
            return None
        longest = max(found, key=lambda said: (len(said), said))
        return longest, found[longest]

    def of_metric(self) -> Call | Declined:
        """A question about a metric: split, filtered, of a period, the largest or smallest first."""
        past = re.search(_PATTERNS["past"], self.left) is not None
        if re.search(_PATTERNS["opening"], self.left):
            return Declined("'open' may ask for deals that are open or for deals that were opened", self._openings())
        self.left = re.sub(_PATTERNS["ended"], _ended, self.left)
        self.left = re.sub(r" (?:deals|leads) (?:(?:that|which|are) )*open(?= )", " open deals", self.left)
        helped = re.search(r" (?:have|has|had|did|do|does) ", self.left) is not None
        self.left = re.sub(_PATTERNS["do"], lambda found: f"{found[1]} done" if found[1] else "done", self.left)
        kept = re.sub(_PATTERNS["have_got"], r"\1\2", self.left)
        possessed, self.left = kept != self.left, re.sub(_PATTERNS["be"], "", kept)
        for name in self.words.shared:
            self.left = re.sub(rf" ({_PATTERNS['split']}) {re.escape(name)}(?= )", rf" \1 {_column(name)}", self.left)
        said = self.take(self.words.phrases, "§")
        if said is None:
            known = {word for one in self.words.known() for word in one.split()}
            left = self.left.replace(_NAMED, "").split()
            strange = [w for w in left if w not in known and not w.isdigit() and not _is_mark(w)]
            reason = f"I do not understand {', '.join(map(repr, strange))}" if strange else "I know no metric"
            return Declined(f"{reason} in {self.question!r}", self.words.closest(self.left.strip()))
        metric = metrics.metrics()[self.words.phrases[said]]
        period = self._period()
        if isinstance(period, Declined):
            return period
        split = self._split(metric)
        if metric.name in _IDIOMS["siblings"] and (period or (not split and self._wants_sibling(metric))):
            metric = metrics.metrics()[_IDIOMS["siblings"][metric.name]]
            split = split or self._split(metric)
        by = [name for name, _ in split]
        if metric.name == "total_leads" and self.took(r" new(?= §)"):
            dated = period or {"created_month", "created_date"} & set(by)
            if not dated:
                return Declined("'new deals' needs a time in which they were opened", self._openings())
        wrong = (
            self._of_time(metric, period, past=past)
            or self._quantity(metric)
            or self._ranking(metric, split)
            or self._filters(metric)
            or self._doings(metric, said, by, helped=helped, got=possessed and bool(period))
        )
        if wrong:
            return wrong
        states = [*self.where.get("status", ()), *self.where.get("stage", ())]
        if (past or period) and (state := next((s for s in states if not re.search("won|lost", s)), None)):
            return Declined(f"which deals are {state} is known only as of the last day of the data", self._openings())
        if period and "status" in self.where and metric.measure.period == "created_date":
            won = "lost" if "lost" in self.where["status"] else "won"
            return Declined(
                f"{metric.measure.display_name} are counted by opening date and {won} deals by closing date",
                (f"How many deals were {won} in June 2025?", f"deals {won} by owner"),
            )
        where = [f"{name}={','.join(values)}" for name, values in self.where.items()]
        if period and not self.present:
            where += [
                f"{metric.measure.period}>={period[0].isoformat()}",
                f"{metric.measure.period}<={period[1].isoformat()}",
            ]
        arguments: dict[str, Any] = {"metric": metric.name}
        arguments |= {"by": by} if by else {}
        arguments |= {"where": where} if where else {}
        arguments |= {self.ranked: self.count} if self.ranked else {}
        label = metric.measure.display_name.lower()
        nearest = (
            _asked(metric),
            *(f"{label} by {one.display_name.lower()}" for one in metric.dimensions[:2]),
        )
        if self.ourselves and (values := self.words.called("us")):
            self.notes.append(f"'us' was taken for who asks; for {min(values)}, write its name.")
        return self._all_understood(Call("metric_value", arguments, note=" ".join(self.notes)), (), nearest)

    def _doings(self, metric: metrics.Metric, said: str, by: list[str], *, helped: bool, got: bool) -> Declined | None:
        """What was done, got, brought or closed: all that a metric counts, or declined with what may be meant.

        Args:
            metric: What is asked for.
            said: How it was said.
            by: What it is split by.
            helped: Whether somebody has or does it.
            got: Whether somebody has got it in a period.
        """
        doing = re.search(rf" ({_DOING})(?= )", self.left)
        coming = re.search(rf" ({_COMING})(?= )", self.left)
        label, achieved = metric.measure.display_name.lower(), _achieved(metric)
        if metric.name == "meetings_booked" and "booked" not in said and (doing or coming or helped):
            return Declined(
                f"{said!r} may ask for {label}, or for touches by meeting", (_asked(metric), "touches by channel")
            )
        origin = {"source", "channel"} & {*by, *self.where}
        word = doing[1] if doing else "got" if got else coming[1] if coming and not origin else ""
        deals = metric.name in ("total_leads", "total_deal_value", "average_deal_value", "median_deal_value")
        if deals and not word and (ending := re.search(rf" ({_ENDING})(?= )", self.left)):
            word = ending[1]
        if word and not achieved:
            word = word if f" {word} " in self.whole else "do"
            if metric.name == "total_leads":
                won, lost = (metrics.metrics()[name] for name in ("won_leads", "lost_leads"))
                return Declined(
                    f"{word!r} may ask for {won.measure.display_name.lower()}, for deals won or lost, or for new deals",
                    (_asked(won), _asked(lost), "deals by status", self._openings()[0]),
                )
            other = {"total_customers": "buying_customers", "average_deal_value": "average_won_value"}
            near = other.get(metric.name, "revenue" if deals else metric.name)
            return Declined(
                f"I do not understand {word!r} for {label}",
                tuple(dict.fromkeys((_asked(metrics.metrics()[near]), _asked(metric)))),
            )
        self.left = re.sub(rf" (?:{_DOING}|{_COMING})(?: in)?(?= )", "", self.left)
        return None

    def _openings(self) -> tuple[str, ...]:
        """Questions for deals that are open, and for those that were opened in the last month of the data."""
        last = self.words.serving.as_of or date(1970, 1, 1)
        return f"How many new deals in {calendar.month_name[last.month]} {last.year}?", "How many open deals are there?"

    ranked, count = "", 0

    def _of_time(self, metric: metrics.Metric, period: tuple[date, date] | None, *, past: bool) -> Declined | None:
        """Whether the metric has a value for the period that was named, and for the tense."""
        measure, last = metric.measure, self.words.serving.as_of
        now = (_asked(metric), "medallion replay DAY gives the state of a past day")
        if measure.additivity == "stock":
            today = period is not None and period == (last, last)
            if (period and not today) or past:
                return Declined(f"{measure.display_name} is known only as of the last day of the data", now)
            if self.took(_PATTERNS["present"]) or today:
                self.present = True
                self.notes.append(f"As of {last.isoformat() if last else 'the last day'}, the last day of the data.")
            return None
        if period is None:
            self.took(_PATTERNS["ever"])
            return None
        if last and period[0] > last:
            return Declined(f"the figures end on {last.isoformat()}", ("Show the pipeline forecast",))
        if measure.period is None:
            return Declined(f"{measure.display_name} is of all time: its table has no dates", now[:1])
        if last and period[1] >= last:
            self.took(_PATTERNS["until_now"])
        first = self.words.first_day(metric)
        if first and period[1] < first:
            return Declined(f"the figures of {measure.display_name.lower()} begin on {first.isoformat()}", now[:1])
        return None

    def _quantity(self, metric: metrics.Metric) -> Declined | None:
        """Words that say what kind of figure is wanted: a number, an amount, a share, a sum, a duration, a list."""
        kind, label = metric.measure.format.type, metric.measure.display_name
        sums = _adds_up(metric)
        counts = kind == "number" and sums
        nearest = (_asked(metric),)
        if counts and re.search(_PATTERNS["listing"], self.left):
            return Declined(f"I can count {label.lower()}, not list them", (_asked(metric), "Who should I call?"))  # fmt: skip
        self.counted = bool(self.took(_PATTERNS["how_many"]))
        if self.counted and not counts:
            return Declined(
                f"{label} is {({'currency': 'an amount', 'percentage': 'a share'}).get(kind, 'a measured value')}, not a count",
                nearest,
            )
        if self.took(r" how much(?= )") and counts:
            return Declined(f"{label} is a number, not an amount", nearest)
        if self.took(_PATTERNS["amount"]) and kind != "currency":
            return Declined(f"{label} is not an amount of money", nearest)
        if self.took(_PATTERNS["share"]) and kind != "percentage":
            return Declined(f"{label} is not a share", nearest)
        if self.took(_PATTERNS["total"]) and not sums:
            return Declined(f"{label} does not add up to a total", nearest)
        self.took(r" overall(?= )")
        if re.search(_PATTERNS["how_long"], self.left):
            lasts = re.search(r"days|hours|minutes", f"{metric.name} {metric.measure.expr}") is not None
            if (" how long " in self.left and not lasts) or counts:
                return Declined(f"I do not understand 'how' for {label.lower()}", nearest)
            self.took(_PATTERNS["how_long"])
            self.took(r" (?:takes?|lasts?)(?= )")
        if counts and not self.counted and re.match(r" *how ", self.left):
            return Declined(f"I do not understand 'how' for {label.lower()}, a count", nearest)
        if re.match(r" *how (?:the |our |§)", self.left):
            self.took(r" how(?= )")
        if re.match(r" *what ", self.left):
            self.took(r" what(?= )")
        if re.match(r" *which (?:the |our )*§", self.left):
            return Declined(f"I do not understand 'which' for {label.lower()}", nearest)
        self.took(r" (?:list|display|find|show|give)(?= )")
        return None

    counted = present = False
    many: int | None = None

    def _ranking(self, metric: metrics.Metric, split: list[tuple[str, str]]) -> Declined | None:
        """The largest or the smallest of a split: how many, and which end."""
        label = metric.measure.display_name.lower()
        nearest = (f"{label} by {metric.dimension(split[0][0]).display_name.lower()}",) if split else (_asked(metric),)  # fmt: skip
        if word := next((w for w in self.left.split() if w in _JUDGED), None):
            return Declined(f"{word!r} is ambiguous for {label}: say highest or lowest", nearest)
        if re.search(r" at (?:most|least) ", self.left):
            return Declined("I do not understand 'at most' and 'at least'", nearest)
        words = "|".join(_RANKED)
        number = r"(\d{1,3}|" + "|".join(_NUMBERS) + ")"
        match = self.took(rf" ({words}) {number}(?= )") or self.took(rf" {number} ({words})(?= )")
        if match:
            word, many = (match[1], match[2]) if match[1] in _RANKED else (match[2], match[1])
            self.count = int(many) if many.isdigit() else _NUMBERS[many]
            if self.many is not None and self.many != self.count:
                return Declined(f"the question names two numbers, {self.many} and {self.count}", nearest)
        elif match := self.took(rf" ({words})(?= )"):
            word, self.count = match[1], 1 if self.many is None else self.many
        elif self.many is not None:
            return Declined(f"{self.many} of them: say highest or lowest", nearest)
        else:
            return None
        if not split:
            return Declined(f"{word!r} ranks, and the question does not say what by", (f"{label} by owner",))
        if self.count < 1:
            return Declined(f"{word} {self.count} is none", nearest)
        if (
            word in WORDS["sizes"]
            and metric.measure.format.type == "number"
            and not self.counted
            and f" {word} §" in match.string.replace(" ¤", "")
        ):
            return Declined(f"{label} has a number, not a size", nearest)
        if (
            len(match.groups()) == 1
            and self.many is None
            and any(said.endswith("s") and not said.endswith("ss") for _, said in split)
        ):
            return Declined(f"{word!r} of several: say how many", (f"{word} 5 {split[0][1]} by {label}",))
        self.took(r" by(?= (?:the |our )?§)")
        self.ranked = _RANKED[word]
        return None

    def _wants_sibling(self, metric: metrics.Metric) -> bool:
        other = metrics.metrics()[_IDIOMS["siblings"][metric.name]]
        own = {one.name for one in metric.view.dimensions}
        said = [
            _plain(s) for one in other.view.dimensions if one.name not in own for s in (one.display_name, *one.synonyms)
        ]
        return any(re.search(rf" (by|per|each|which|what) (the )?{re.escape(s)} ", self.left) for s in said)

    def _split(self, metric: metrics.Metric) -> list[tuple[str, str]]:
        """Dimensions that the metric is split by, in their order, each as it was said."""
        found: list[tuple[int, int, str, str]] = []
        said_as = sorted(
            (
                (_column(said) if said in self.words.shared else said, one.name)
                for one in metric.dimensions
                for said in _names(one)
            ),
            key=lambda pair: (-len(pair[0]), pair),
        )
        ranked = "|".join((*_RANKED, *_JUDGED))
        number = r"(?:\d{1,3}|" + "|".join(_NUMBERS) + ")"
        for said, name in said_as * 2:  # twice: "and" leads on from one that was found
            if name in [done for _, _, done, _ in found]:
                continue
            for before, keep in ((_PATTERNS["split"], ""), (rf"(?:{ranked}) {number}", " "), (rf"{number} (?:{ranked})", " "), (rf"(?:which|what|the) {number}", "number"), (rf"(?:{ranked})", " "), (r"¤ and(?: the| our)?", "¤")):  # fmt: skip
                match = re.search(rf" ({before}) {re.escape(said)}(?= )", self.left)
                if match:
                    kept = f" {match[1]}" if keep == " " else ""
                    if keep == "number":
                        many = match[1].split()[-1]
                        self.many = int(many) if many.isdigit() else _NUMBERS[many]
                    self.left = f"{self.left[: match.start()]}{kept} ¤{self.left[match.end() :]}"
                    found.append((match.start(), len(found), name, said))
                    break
        if not found and any(one.name == "owner" for one in metric.dimensions) and re.match(r" *who (?=\S)", self.left):
            self.took(r" who(?= )", "¤")
            found.append((0, 0, "owner", "owner"))
        return [(name, said) for *_, name, said in sorted(found)]

    def _filters(self, metric: metrics.Metric) -> Declined | None:
        self.where: dict[str, list[str]] = {}
        while True:
            matches: dict[str, list[tuple[str, str]]] = {}
            for one in metric.view.dimensions:
                if one.type != "text":
                    continue
                for said, value in self.words.values(one).items():
                    if f" {said} " in self.left and said not in _NEUTRAL and said not in _ORDINARY:
                        matches.setdefault(said, []).append((one.name, value))
            if not matches:
                return self._joined()
            found = max(matches, key=lambda s: (len(s), s))
            told, said = matches[found], found.removeprefix(_NAMED)
            if len(told) > 1:
                near = [t for t in told if f" {t[0].replace('_', ' ')} " in self.left]
                if len(near) != 1:
                    return Declined(
                        f"{said!r} may be {' or '.join(name.replace('_', ' ') for name, _ in told)}; say which"
                    )
                told = near
                self.left = self.left.replace(f" {near[0][0].replace('_', ' ')} ", " ", 1)
            name, value = told[0]
            wrong = self._contradicts(metric, name, said)
            if wrong:
                return wrong
            if "," in value:
                return Declined(f"{value!r} holds a comma, which a filter takes for two values")
            self.where.setdefault(name, []).append(value)
            self.left = self.left.replace(f" {found} ", f" ‹{name}› ", 1)

    def _contradicts(self, metric: metrics.Metric, name: str, said: str) -> Declined | None:
        """A value of what the metric itself looks at: revenue of open deals is none, and the answer would be 0."""
        own = columns_of(metric.measure.expr)
        about = {name, "status"} if name == "stage" and metric.measure.additivity != "stock" else {name}
        if own & about:
            label = metric.measure.display_name
            kept = set(re.findall(r"'(open|won|lost)'", metric.measure.expr))
            depends = (
                f"counts {min(kept)} deals only"
                if len(kept) == 1 and metric.measure.additivity != "ratio"
                else (f"already depends on {' and '.join(sorted(own & about))}".replace("_", " "))
            )
            return Declined(
                f"{label} {depends}, so it cannot be filtered by {said}",
                (_asked(metric),),
            )
        return None

    def _joined(self) -> Declined | None:
        """What stands between values: `or` joins those of one dimension, and some prepositions lead to one."""
        self.left = re.sub(r" ‹(\w+)› (?:or|and)(?: (?:in|from|for|of|the))*(?= ‹\1›)", "", self.left)
        for word, dimensions in _IDIOMS["before"].items():
            names = "|".join(dimensions or self.where)
            if names:
                self.took(rf" {word}(?= (?:the )?‹(?:{names})›)")
        self.left = re.sub(r"‹\w+›", "|", self.left)
        return None

    def _period(self) -> tuple[date, date] | Declined | None:
        last = self.words.serving.as_of or date(1970, 1, 1)
        months = "|".join(sorted(_MONTHS, key=lambda m: -len(m)))
        lead = r" (?:in |during |of |for )?(?:the )?"
        if m := self.took(rf"{lead}({months}) (\d{{4}})(?= )"):
            return _month(int(m[2]), _MONTHS[m[1]]) if int(m[2]) else Declined(f"{m[2]!r} is no year")
        if m := self.took(rf"{lead}(\d{{4}})-(\d{{2}})(?= )"):
            if 1 <= int(m[2]) <= 12 and int(m[1]):
                return _month(int(m[1]), int(m[2]))
            return Declined(f"{m[0].strip()!r} is no month")
        if m := self.took(rf"{lead}q([1-4]) ?(?:of )?(\d{{4}})(?= )"):
            return _quarter(int(m[2]), int(m[1])) if int(m[2]) else Declined(f"{m[2]!r} is no year")
        if m := self.took(r" (?:in |during |of |for |over )?(?:the )?(?:last|past) (\d+) (days|weeks|months)(?= )"):
            number = min(int(m[1]), 1200)
            if not number:
                return Declined(f"{m[0].strip()!r} is no time")
            if m[2] == "months":
                return _months_before(last + timedelta(days=1), number), last
            return last - timedelta(days=number * {"days": 1, "weeks": 7}[m[2]] - 1), last
        if m := self.took(rf"{lead}(this|last) (week|month|quarter|year)(?= )"):
            return _relative(last, m[1] == "last", m[2])
        if m := self.took(r" (today|yesterday)(?= )"):
            day = last - timedelta(days=m[1] == "yesterday")
            return day, day
        if m := self.took(r" (since|after) (\d{4}-\d{2}-\d{2})(?= )"):
            try:
                return date.fromisoformat(m[2]) + timedelta(days=m[1] == "after"), last
            except (ValueError, OverflowError):
                return Declined(f"{m[2]!r} is no date")
        if m := self.took(r" (?:in|during|of|for) (?:the year )?(\d{4})(?= )"):
            return (date(int(m[1]), 1, 1), date(int(m[1]), 12, 31)) if int(m[1]) else Declined(f"{m[1]!r} is no year")
        return None

    def _all_understood(self, call: Call, also: Collection[str], nearest: tuple[str, ...] = ()) -> Call | Declined:
        rest = self.strange(also)
        if not rest:
            return call
        if call.tool == "metric_value" and (other := self.take(self.words.phrases)):
            label = metrics.metrics()[call.arguments["metric"]].measure.display_name.lower()
            return Declined(
                f"the question names two metrics, {label!r} and {other!r}: ask for one at a time",
                tuple(
                    dict.fromkeys(
                        _asked(metrics.metrics()[one]) for one in (call.arguments["metric"], self.words.phrases[other])
                    )
                ),
            )
        return Declined(
            f"I do not understand {', '.join(repr(word) for word in rest)} in the question",
            (*nearest, *self.words.closest(" ".join(rest))),
        )


def _is_mark(word: str) -> bool:
    return word in _MARKS or word.startswith("‹")


def _stands(words: list[str], place: int, also: Collection[str]) -> bool:
    """Whether a neutral word stands as in a sentence: what follows in, of or for is named, and no neutral word is a
    name. Words that are not neutral are judged for themselves.
    """
    word, rest = words[place], words[place + 1 :]
    thing = next((one for one in rest if one not in _DETERMINERS), "")
    if word in _PREPOSITIONS:
        return thing != ""
    if word in _DETERMINERS:
        of_many = word in ("any", "all") and rest[:1] == ["of"]
        noun = thing in also or thing not in _NEUTRAL or thing.startswith(("company", "business"))
        return of_many or (thing != "" and noun)
    if word in ("company", "business"):
        return words[:place][-1:] == ["our"]
    if word in ("company's", "companys"):
        return bool(rest) and _is_mark(rest[0])
    if word == "and":
        return bool(rest)
    before = [one for one in words[:place] if one not in _DETERMINERS][-1:]
    return not before or before[0] not in _PREPOSITIONS


def _adds_up(metric: metrics.Metric) -> bool:
    return metric.measure.additivity != "ratio" and not re.search(r"/|AVG|MEDIAN|MAX\(", metric.measure.expr)


def _achieved(metric: metrics.Metric) -> bool:
    """Whether a metric is of what was done and got: of won deals alone, of touches, or a share."""
    expr = metric.measure.expr
    only_won = set(re.findall(r"'(open|won|lost)'", expr)) == {"won"} or "won_value" in expr
    return only_won or metric.measure.format.type == "percentage" or metric.name in _IDIOMS["done"]


def _asked(metric: metrics.Metric) -> str:
    """The plain question for a metric."""
    label = metric.measure.display_name.lower()
    return (
        f"How many {label} are there?"
        if metric.measure.format.type == "number" and _adds_up(metric)
        else f"What is the {label}?"
    )


def _months_before(last: date, number: int) -> date:
    """The same day so many months before, or the last of that month."""
    place = last.year * 12 + last.month - 1 - number
    end = _month(place // 12, place % 12 + 1)[1]
    return min(end, end.replace(day=min(last.day, end.day)))


def _month(year: int, month: int) -> tuple[date, date]:
    return date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1])


def _quarter(year: int, quarter: int) -> tuple[date, date]:
    return date(year, 3 * quarter - 2, 1), _month(year, 3 * quarter)[1]


def _relative(last: date, before: bool, unit: str) -> tuple[date, date]:
    """Week (from Monday), month, quarter or year, this one or the last, counted from gold's last day."""
    if unit == "week":
        monday = last - timedelta(days=last.weekday() + 7 * before)
        return monday, monday + timedelta(days=6)
    if unit == "year":
        year = last.year - before
        return date(year, 1, 1), date(year, 12, 31)
    if unit == "quarter":
        number = last.year * 4 + (last.month - 1) // 3 - before
        return _quarter(number // 4, number % 4 + 1)
    number = last.year * 12 + last.month - 1 - before
    return _month(number // 12, number % 12 + 1)
