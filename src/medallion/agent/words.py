"""Questions without a model: matched against the vocabulary of metrics, dimensions, values, periods and accounts.

Every word of a question has to be understood. One that is not makes the whole question declined, with the closest
questions that can be answered: half an understanding would answer another question than the one asked.
"""

from __future__ import annotations

import calendar
import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from medallion import metrics
from medallion.agent.serving import Serving

_STOP = frozenset(
    """a an the of in on at for from to by per with and or is are was were be been do does did done have has had
    having how many much what whats which who whom whose when where our us we i me my you your it its this that
    these those there their they them show tell give list display find get let please can could would should
    will number count amount figure value total overall all altogether any currently current now today so far as
    many each every split broken down across made make makes did bring brought come came s than about most least
    best worst highest lowest largest smallest biggest top bottom rank ranked ranking order ordered sorted
    compare compared vs versus between during within only just whole entire company's company team business have
    got gotten been rate brings bring brought long last lasts take takes show shows""".split()  # noqa: SIM905
)
_NUMBERS = {
    w: n
    for n, w in enumerate(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    )
}
_MONTHS = {name.lower(): n for n, name in enumerate(calendar.month_name) if name} | {
    name.lower(): n for n, name in enumerate(calendar.month_abbr) if name
}
#: Metrics that are asked by a dimension or a period which only their sibling over touches has.
_SIBLINGS = {"total_interactions": "touches", "positive_rate": "touch_positive_rate"}
#: What is asked of one account: words, and the column of the brief.
FACTS: dict[str, tuple[str, ...]] = {
    "lead_score": ("lead score", "score"),
    "lead_quality": ("band", "quality", "lead quality"),
    "industry": ("industry", "sector"),
    "country": ("country",),
    "size_band": ("company size", "size"),
    "employee_count": ("employees", "staff", "headcount"),
    "account_manager": ("account manager",),
    "segment": ("segment",),
    "preferred_channel": ("preferred channel", "favourite channel", "best channel"),
    "probability_to_convert": ("probability", "chance", "probability to convert", "chances"),
    "won_value": ("revenue", "won value", "sales", "bought", "spent"),
    "open_value": ("open value", "open pipeline", "pipeline"),
    "weighted_pipeline": ("expected value", "weighted pipeline"),
    "open_leads": ("open deals", "open leads", "open opportunities"),
    "won_leads": ("won deals", "wins", "deals won"),
    "lost_leads": ("lost deals", "losses", "deals lost"),
    "interactions": ("interactions", "touches", "contacts"),
    "calls": ("calls",),
    "emails": ("emails", "e-mails"),
    "meetings": ("meetings",),
    "whatsapps": ("whatsapps", "whatsapp messages"),
    "positive_rate": ("positive rate",),
    "last_interaction_at": (
        "last contact",
        "last interaction",
        "last touch",
        "last touched",
        "last contacted",
        "contacted last",
    ),
    "days_since_last_interaction": ("days since the last contact", "days since last contact", "days silent"),
    "engagement_score": ("engagement", "engagement score"),
    "next_step": ("next step", "next action", "next best action", "do next"),
}


@dataclass(frozen=True)
class Call:
    """A tool to call, with its arguments, and a column to tell of an account."""

    tool: str
    arguments: dict[str, Any] = field(default_factory=dict)
    column: str | None = None


@dataclass(frozen=True)
class Declined:
    """Why a question is not answered, and the nearest that are."""

    reason: str
    closest: tuple[str, ...] = ()


def _ended(match: re.Match[str]) -> str:
    """`deals did we win` as `won deals`."""
    return f" {({'win': 'won', 'lose': 'lost'}).get(match[2], match[2])} deals"


class Vocabulary:
    """The words of one lakehouse."""

    def __init__(self, serving: Serving) -> None:
        self.serving = serving
        self.phrases: dict[str, str] = {}
        for name, metric in metrics.metrics().items():
            for text in (name.replace("_", " "), metric.measure.display_name, *metric.measure.synonyms):
                self.phrases.setdefault(_plain(text), name)
        self._values: dict[tuple[str, str], dict[str, str]] = {}

    def values(self, metric: metrics.Metric, dimension: str) -> dict[str, str]:
        """Values of a dimension by how they are said; none where there are too many to be words."""
        key = metric.view.source, dimension
        if key not in self._values:
            rows = metrics.ask(self.serving.connection, metric.name, dimension, largest=2001).rows
            said: dict[str, str] = {}
            if len(rows) <= 2000:
                for row in rows:
                    if isinstance(row[dimension], str) and row[dimension]:
                        said.setdefault(_plain(row[dimension]), row[dimension])
                        said.setdefault(_plain(row[dimension].replace("_", " ")), row[dimension])
            self._values[key] = said
        return self._values[key]

    def understand(self, question: str) -> Call | Declined:
        """The tool call that answers a question, or why there is none."""
        text = _plain(question)
        if not text:
            return Declined("there is no question", self.closest(""))
        reading = _Reading(self, text, question)
        return reading.special() or reading.of_account() or reading.of_metric()

    def closest(self, text: str) -> tuple[str, ...]:
        """Questions that can be answered, nearest first."""
        near = difflib.get_close_matches(text, self.phrases, n=3, cutoff=0.3) or [
            "win rate",
            "revenue",
            "open pipeline",
        ]
        labels = dict.fromkeys(metrics.metrics()[self.phrases[phrase]].measure.display_name.lower() for phrase in near)
        return (*(f"Show the {label}" for label in labels), "Who should I call?", "Which channel works best?")


def _plain(text: str) -> str:
    """Lower case, with everything but letters, digits and what joins them as blanks."""
    kept = re.sub(r"[^\w&+/'.-]+", " ", str(text).casefold().replace("’", "'"))
    return " ".join(word.strip(".'-/") for word in kept.split() if word.strip(".'-/"))


class _Reading:
    """One question being read: what has been understood is taken out of `left`."""

    def __init__(self, vocabulary: Vocabulary, text: str, question: str) -> None:
        self.words, self.left, self.question = vocabulary, f" {text} ", question

    def take(self, phrases: Iterable[str]) -> str | None:
        """Take the longest of these phrases out of what is left."""
        for phrase in sorted({p for p in phrases if p}, key=lambda p: (-len(p), p)):
            if f" {phrase} " in self.left:
                self.left = self.left.replace(f" {phrase} ", " | ", 1)
                return phrase
        return None

    def special(self) -> Call | None:
        """Questions that a tool answers by itself."""
        ask = self.left.strip()
        if re.search(
            r"\b(?:who|whom) (?:should |do |can |must |shall )?(?:\w+ ){0,4}(?:to )?(?:call|contact|phone|ring|visit)|\bcall list\b|\bcall plan\b|who to call",
            ask,
        ):
            return self._plan()
        if re.fullmatch(
            r"(please )?(compare|show|rank)( me)?( the| our| all)? channels( please)?|which channels? (works?|performs?|is|are|do|does)( \w+)? ?(best|better)?( for us)?|what( is| s)? (the )?best channel",
            ask,
        ):
            return Call("compare_channels")
        if re.search(r"\bforecast\b", ask) and not re.search(r"weather|stock", ask):
            rest = set(ask.split()) - _STOP - {"forecast", "pipeline", "sales", "month", "months", "next"}
            return Call("pipeline_forecast") if not rest else None
        found = re.fullmatch(
            r"(?:(?:what|who|which) are |show |list |give )?(?:me )?(?:the |our )?(?:top|best|biggest|largest) ?(\w+)? (?:customers|accounts|clients|buyers)(?: by revenue)?",
            ask,
        )
        if found and (found[1] is None or found[1].isdigit() or found[1] in _NUMBERS):
            count = 10 if found[1] is None else _NUMBERS.get(found[1]) or int(found[1] if found[1].isdigit() else 10)
            return Call("top_customers", {"count": count})
        return None

    def _plan(self) -> Call | None:
        owners = {
            _plain(row["owner"]): row["owner"]
            for row in self.words.serving.rows("select distinct owner from gold.deals where owner is not null")
        }
        firsts: dict[str, list[str]] = {}
        for plain_name, name in owners.items():
            firsts.setdefault(plain_name.split()[0], []).append(name)
        said = self.take(owners)
        owner = owners.get(said or "")
        if owner is None and (first := self.take(name for name, whole in firsts.items() if len(whole) == 1)):
            owner = firsts[first][0]
        count = re.search(r" (\d+) ", self.left)
        known = _STOP | {
            "call",
            "contact",
            "phone",
            "ring",
            "visit",
            "plan",
            "tomorrow",
            "next",
            "list",
            "today's",
            "|",
            "customers",
            "accounts",
            "people",
            "leads",
            "deals",
        }
        rest = set(self.left.split()) - known - ({count[1]} if count else set())
        if rest:
            return None
        arguments: dict[str, Any] = {"owner": owner} if owner else {}
        if count:
            arguments["capacity"] = int(count[1])
        return Call("call_plan", arguments)

    def of_account(self) -> Call | Declined | None:
        """A question about one account, named by key or whole name."""
        deals = [word for word in self.left.split() if any(c.isdigit() for c in word)]
        known = self.words.serving.rows(
            "select lead_id from gold.deals where lower(lead_id) in (select unnest($1)) limit 2", [deals]
        )
        if len(known) == 1:
            self.left = self.left.replace(f" {known[0]['lead_id'].casefold()} ", " | ", 1)
            return self._all_understood(
                Call("explain_score", {"key": known[0]["lead_id"]}),
                {
                    "why",
                    "explain",
                    "score",
                    "scored",
                    "reason",
                    "reasons",
                    "lead",
                    "deal",
                    "high",
                    "low",
                    "likely",
                    "win",
                    "won",
                    "chance",
                    "probability",
                },
            )
        names = self._named()
        if not names:
            return None
        phrase, keys = names
        if len(keys) > 1:
            return Declined(f"{phrase!r} may mean several accounts: {', '.join(keys)}; say which key")
        self.left = self.left.replace(f" {phrase} ", " | ", 1)
        key = keys[0]
        if re.search(r"\b(why|explain|reasons?)\b", self.left):
            return self._all_understood(
                Call("explain_score", {"key": key}),
                {"why", "explain", "score", "scored", "reason", "reasons", "hot", "lead", "high", "low"},
            )
        column = next(
            (
                name
                for said, name in sorted(((s, n) for n, many in FACTS.items() for s in many), key=lambda p: -len(p[0]))
                if self.take([said])
            ),
            None,
        )
        if column is None:
            return self._all_understood(
                Call("account_brief", {"customer": key}),
                {
                    "brief",
                    "summary",
                    "summarise",
                    "summarize",
                    "know",
                    "account",
                    "customer",
                    "details",
                    "facts",
                    "happened",
                    "news",
                    "status",
                },
            )
        return self._all_understood(
            Call("account_brief", {"customer": key}, column), {"customer", "account", "client", "long", "ago"}
        )

    def _named(self) -> tuple[str, list[str]] | None:
        parts = self.left.split()
        grams = [" ".join(parts[i:j]) for i in range(len(parts)) for j in range(i + 1, min(i + 8, len(parts)) + 1)]
        grams = [gram for gram in grams if gram not in _STOP and "|" not in gram]
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
        """A question about a metric: split, filtered, of a period, the largest first."""
        self.left = re.sub(
            r" (deals|leads) (?:(?:were|was|got|been|have|did|do|we|i) )*(won|win|lost|lose|open)(?= )",
            _ended,
            self.left,
        )
        self.left = re.sub(r" (?:were|was|are|is|be|been|have|has|had|did|do|does)(?= )", "", self.left)
        said = self.take(self.words.phrases)
        if said is None:
            return Declined(f"I know no metric in {self.question!r}", self.words.closest(self.left.strip()))
        name = self.words.phrases[said]
        metric = metrics.metrics()[name]
        period = self._period()
        if isinstance(period, Declined):
            return period
        by = self._split(metric)
        if name in _SIBLINGS and (period or (by is None and self._wants_sibling(metric, name))):
            metric = metrics.metrics()[_SIBLINGS[name]]
            by = by or self._split(metric)
        top = self._top()
        where = self._filters(metric, by)
        if isinstance(where, Declined):
            return where
        if period and self.words.serving.as_of and period[0] > self.words.serving.as_of:
            return Declined(
                f"the figures end on {self.words.serving.as_of.isoformat()}", ("Show the pipeline forecast",)
            )
        if period:
            if metric.measure.period is None:
                return Declined(
                    f"{metric.measure.display_name} is a present state, not of a period",
                    (
                        f"What is the {metric.measure.display_name.lower()}?",
                        "medallion replay DAY gives the state of a past day",
                    ),
                )
            day = metric.measure.period
            where += [f"{day}>={period[0].isoformat()}", f"{day}<={period[1].isoformat()}"]
        arguments: dict[str, Any] = {"metric": metric.name}
        if by:
            arguments["by"] = by
        if where:
            arguments["where"] = where
        if top and by:
            arguments["top"] = top
        nearest = f"What is the {metric.measure.display_name.lower()}?"
        return self._all_understood(Call("metric_value", arguments), set(), (nearest,))

    def _wants_sibling(self, metric: metrics.Metric, name: str) -> bool:
        other = metrics.metrics()[_SIBLINGS[name]]
        own = {one.name for one in metric.view.dimensions}
        said = [
            _plain(s) for one in other.view.dimensions if one.name not in own for s in (one.display_name, *one.synonyms)
        ]
        return any(re.search(rf" (by|per|each|which|what) (the )?{re.escape(s)} ", self.left) for s in said)

    def _split(self, metric: metrics.Metric) -> list[str] | None:
        found = []
        for one in metric.view.dimensions:
            for said in sorted(
                {_plain(s) for s in (one.name.replace("_", " "), one.display_name, *one.synonyms)},
                key=lambda s: -len(s),
            ):
                pattern = rf" ((?:by|per|each|every|across|which|what)(?: the| our| all)?|top(?: \w+)?|\d+|and) {re.escape(said)}(?= )"
                if match := re.search(pattern, self.left):
                    self.left = self.left.replace(
                        match[0], f" {match[1]} |" if match[1].startswith("top") or match[1].isdigit() else " |", 1
                    )
                    found.append((match.start(), one.name))
                    break
        return [name for _, name in sorted(found)] or None

    def _top(self) -> int | None:
        match = re.search(r" (?:top|best|largest|biggest|highest) (\w+) ", self.left)
        if match and (match[1].isdigit() or match[1] in _NUMBERS):
            self.left = self.left.replace(match[0], " ", 1)
            return int(match[1]) if match[1].isdigit() else _NUMBERS[match[1]]
        if re.search(r" (most|highest|best|top|largest|biggest) ", self.left):
            return 1
        return None

    def _filters(self, metric: metrics.Metric, by: list[str] | None) -> list[str] | Declined:
        where: dict[str, list[str]] = {}
        while True:
            matches: dict[str, list[tuple[str, str]]] = {}
            for one in metric.view.dimensions:
                if one.name in (
                    metric.measure.period,
                    "created_month",
                    "closed_month",
                    "month",
                    "date",
                    "created_date",
                    "closed_date",
                ):
                    continue
                for said, value in self.words.values(metric, one.name).items():
                    if f" {said} " in self.left and said not in _STOP:
                        matches.setdefault(said, []).append((one.name, value))
            if not matches:
                return [f"{name}={','.join(values)}" for name, values in where.items()]
            said = max(matches, key=lambda s: (len(s), s))
            told = matches[said]
            if len(told) > 1:
                near = [t for t in told if f" {t[0].replace('_', ' ')} " in self.left]
                if len(near) != 1:
                    return Declined(
                        f"{said!r} may be {' or '.join(name.replace('_', ' ') for name, _ in told)}; say which"
                    )
                told = near
                self.left = self.left.replace(f" {near[0][0].replace('_', ' ')} ", " ", 1)
            name, value = told[0]
            if "," in value:
                return Declined(f"{value!r} holds a comma, which a filter takes for two values")
            where.setdefault(name, []).append(value)
            self.left = self.left.replace(f" {said} ", " | ", 1)

    def _period(self) -> tuple[date, date] | Declined | None:
        last = self.words.serving.as_of or date(1970, 1, 1)
        text = self.left

        def took(match: re.Match[str], first: date, end: date) -> tuple[date, date]:
            self.left = self.left.replace(match[0], " ", 1)
            return first, end

        months = "|".join(sorted(_MONTHS, key=lambda m: -len(m)))
        if m := re.search(rf" (?:in |during |of |for )?({months}) (\d{{4}})(?= )", text):
            return took(m, *_month(int(m[2]), _MONTHS[m[1]]))
        if m := re.search(r" (?:in |during |of |for )?(\d{4})-(\d{2})(?= )", text):
            if 1 <= int(m[2]) <= 12:
                return took(m, *_month(int(m[1]), int(m[2])))
            return Declined(f"{m[0].strip()!r} is no month")
        if m := re.search(r" (?:in |during |of |for )?q([1-4]) ?(?:of )?(\d{4})(?= )", text):
            return took(m, *_quarter(int(m[2]), int(m[1])))
        if m := re.search(
            r" (?:in |during |of |for |over )?(?:the )?(?:last|past) (\d+) (days|weeks|months)(?= )", text
        ):
            days = int(m[1]) * {"days": 1, "weeks": 7, "months": 30}[m[2]]
            return took(m, last - timedelta(days=min(days, 36500) - 1), last) if days else None
        if m := re.search(r" (?:in |during |of |for )?(this|last) (month|quarter|year)(?= )", text):
            return took(m, *_relative(last, m[1] == "last", m[2]))
        if m := re.search(r" (?:since|from|after) (\d{4}-\d{2}-\d{2})(?= )", text):
            try:
                return took(m, date.fromisoformat(m[1]), last)
            except ValueError:
                return Declined(f"{m[1]!r} is no date")
        if m := re.search(r" (?:in|during|of|for) (\d{4})(?= )", text):
            return took(m, date(int(m[1]), 1, 1), date(int(m[1]), 12, 31)) if int(m[1]) else None
        return None

    def _all_understood(self, call: Call, also: set[str], nearest: tuple[str, ...] = ()) -> Call | Declined:
        rest = [word for word in self.left.split() if word not in _STOP and word not in also and word != "|"]
        if not rest:
            return call
        return Declined(
            f"I do not understand {', '.join(repr(word) for word in rest)} in the question",
            (*nearest, *self.words.closest(" ".join(rest))),
        )


def _month(year: int, month: int) -> tuple[date, date]:
    return date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1])


def _quarter(year: int, quarter: int) -> tuple[date, date]:
    return date(year, 3 * quarter - 2, 1), _month(year, 3 * quarter)[1]


def _relative(last: date, before: bool, unit: str) -> tuple[date, date]:
    """Month, quarter or year, this one or the last, counted from gold's last day."""
    if unit == "year":
        year = last.year - before
        return date(year, 1, 1), date(year, 12, 31)
    if unit == "quarter":
        number = last.year * 4 + (last.month - 1) // 3 - before
        return _quarter(number // 4, number % 4 + 1)
    number = last.year * 12 + last.month - 1 - before
    return _month(number // 12, number % 12 + 1)
