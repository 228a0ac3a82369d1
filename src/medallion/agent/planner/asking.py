"""Slots put into the form of questions, lists and intents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from medallion import metrics
from medallion.agent.planner.lexicon import meanings
from medallion.agent.planner.marking import Unclear
from medallion.agent.planner.slots import OF_DEED, Slots, Threshold, beside, names_of
from medallion.metrics import Filter, Metric, MetricView, contradicted, periods
from medallion.metrics.conditions import And, Condition, Not, Or, Test, both, parse
from medallion.metrics.periods import Today
from medallion.metrics.question import Order, Question, Records, Split

LISTED = 25
#: What a forecast may be split by (`medallion.learning.forecasts.DIMENSIONS`).
_FORECAST_BY = ("owner", "product", "source", "industry", "country", "size_band", "stage", "quality")
#: Slots that a question may fill, and by what is asked those that it uses; a slot that is not used declines the question.
_SLOTS = ("metrics", "fields", "entity", "states", "where", "times", "deed", "by", "rank", "thresholds", "compare", "versus",
          "turn", "share", "me", "about", "contrast", "average")  # fmt: skip
_USES: dict[str, frozenset[str]] = {
    name: frozenset(slots.split())
    for name, slots in {
        "call plan": "where times rank me entity",
        "forecast": "times by",
        "channels": "",
        "score": "about fields where",
        "definition": "metrics states entity",
        "what changed": "times where",
        "why": "metrics times compare versus where turn states entity about",
        "one record": "about fields deed entity me",
        "figure": "metrics entity states where times deed by rank thresholds compare versus turn me about contrast",
        "share": "metrics entity states where times deed by thresholds share me about",
        "list": "entity states where times deed rank thresholds me about fields average",
        "stages": "entity states where times deed thresholds me about",
        "slipped deals": "entity states where times thresholds me",
        "conversion by stage": "metrics by times",
    }.items()
}


def _days(span: periods.Span) -> tuple[date | None, date | None]:
    return span.first, span.last


@dataclass(frozen=True)
class Intent:
    """A tool of the agent with its arguments."""

    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        told = ", ".join(f"{name} {value}" for name, value in self.arguments.items() if value is not None)
        return f"{self.tool.replace('_', ' ')}{': ' if told else ''}{told}"


Asked = Question | Records | Intent


@dataclass(frozen=True)
class Asking:
    """Turns slots into what is asked.

    Attributes:
        slots: What the question says.
        today: The last day of the data.
        me: Who asks, where it is known.
    """

    slots: Slots
    today: Today
    me: str | None = None

    def asked(self) -> tuple[Asked, ...]:
        """What is asked.

        Raises:
            Unclear: The slots do not make a question.
        """
        return self._intent() or self._fact() or self._asked()

    def _only(self, name: str, *goals: str) -> None:
        """Refuse what the question says beside what this kind of question uses."""
        more = [slot for slot in _SLOTS if getattr(self.slots, slot) and slot not in _USES[name]]
        if self.slots.goal in ("when", "average", "median") and self.slots.goal not in goals:
            more.append(self.slots.goal)
        if more:
            told = ", ".join(
                {"me": "whose it is", "by": "a split", "deed": "what happened"}.get(one, one) for one in more
            )
            raise Unclear(f"a question of the kind {name!r} takes no such thing: {told}")

    # intents

    def _intent(self) -> tuple[Asked, ...] | None:
        slots, goal = self.slots, self.slots.goal
        about = slots.about[0] if slots.about else None
        kinds = {"plan": "call plan", "define": "definition", "changed": "what changed"}
        if goal in ("plan", "channels", "score", "define", "changed", "why"):
            self._only(kinds.get(goal, goal))
        if goal == "plan":
            return (self._plan(),)
        if goal == "forecast":
            return (self._forecast(),)
        if goal == "channels":
            return (Intent("compare_channels"),)
        if goal == "score" and about:
            if any(one.name != "lead_quality" for one in self._tests()) or len(slots.where) > 1:
                raise Unclear("a score is of one account or deal", f"why is {about.key} scored so high?")
            return (Intent("explain_score", {"key": about.key}),)
        if goal == "draft":
            key = about.key if about else "KEY"
            raise Unclear("a draft is a command of its own", remedy=f"Run `medallion draft {key} --kind email`.")
        if goal == "define":
            return self._defined()
        if goal == "changed":
            return self._changed()
        if goal == "why":
            return self._why()
        return None

    def _plan(self) -> Intent:
        owner = next((str(test.values[0]) for test in self._tests() if test.name == "owner" and test.op == "="), None)
        if any(test.name != "owner" for test in self._tests()) or len(self.slots.where) > 1:
            raise Unclear("a call list is of a rep or of everybody", "who should I call?")
        day = None
        if self.slots.times:
            span = periods.read(self.slots.times[0].text, self.today)
            if span.first != span.last or len(self.slots.times) > 1:
                raise Unclear("a call list is for one day", "who should I call tomorrow?")
            day = span.first
        if self.slots.me and owner is not None:
            raise Unclear("my calls, or those of somebody else?", "who should I call?", f"call list for {owner}")
        if self.slots.me:
            owner = self.me
        if self.slots.rank and self.slots.rank.count is None:
            raise Unclear(
                f"a call list has an order of its own: {self.slots.rank.word!r} says no more", "who should I call?"
            )
        count = self.slots.rank.count if self.slots.rank else None
        return Intent("call_plan", {"owner": owner, "capacity": count, "day": day})

    def _forecast(self) -> Intent:
        """The pipeline by month, or the revenue that is expected in a month, quarter or year."""
        slots = self.slots
        try:
            self._only("forecast")
        except Unclear as error:
            raise Unclear(
                "a forecast is of all deals of a month, quarter or year", "forecast for this quarter by owner"
            ) from error
        if not slots.times and not slots.by:
            return Intent("pipeline_forecast")
        period, by = self._calendar(), self._forecast_by()
        return Intent("pipeline_forecast", {"period": period, "by": by})

    def _calendar(self) -> str:
        """The month, quarter or year of the calendar that is named."""
        told = self.slots.times
        span = periods.read(told[0].text, self.today) if len(told) == 1 else None
        first, last = (span.first, span.last) if span else (None, None)
        if first and last and first.day == 1 and (last + timedelta(days=1)).day == 1:
            months = 12 * (last.year - first.year) + last.month - first.month + 1
            if months == 1:
                return f"{first.year}-{first.month:02}"
            if months == 3 and first.month % 3 == 1:
                return f"{first.year}-Q{(first.month + 2) // 3}"
            if months == 12 and first.month == 1:
                return str(first.year)
        raise Unclear("a forecast is of one month, quarter or year", "forecast for this quarter")

    def _forecast_by(self) -> str | None:
        names = {"lead_quality": "quality", "product_id": "product"}
        found = [names.get(name, name) for name in self.slots.by]
        if len(found) > 1 or (found and found[0] not in _FORECAST_BY):
            raise Unclear(
                f"a forecast is split by one of {', '.join(_FORECAST_BY)}", "forecast for this quarter by owner"
            )
        return found[0] if found else None

    def _tests(self) -> list[Test]:
        return [one for one in self.slots.where if isinstance(one, Test)]

    def _defined(self) -> tuple[Asked, ...]:
        names = list(self.slots.metrics)
        for state, _ in self.slots.states:
            names += [{"silent": "silent_deals", "overdue": "overdue_deals", "untouched": "never_touched_deals",
                       "open": "open_leads", "won": "won_leads", "lost": "lost_leads"}.get(state, "")]  # fmt: skip
        names = [one for one in names if one]
        if not names:
            raise Unclear("which metric is to be explained?", "how is the win rate calculated?")
        return tuple(Intent("definition", {"metric": name}) for name in names)

    def _changed(self) -> tuple[Asked, ...]:
        if not self.slots.times:
            raise Unclear("since when?", "what changed since Monday?", "what changed this month?")
        if len(self.slots.times) > 1:
            raise Unclear("what changed is of one time", "what changed since Monday?")
        if any(name == "stage" for one in self.slots.where for name in names_of(one)):
            raise Unclear("what changed is not of a stage", "which deals moved to Negotiation this month?")
        span = periods.read(self.slots.times[0].text, self.today)
        return (
            Intent(
                "what_changed", {"first": span.first, "last": span.last, "where": self._where(metrics.views()["deals"])}
            ),
        )

    def _why(self) -> tuple[Asked, ...]:
        slots = self.slots
        if not slots.metrics:
            raise Unclear("why what?", "why did revenue drop in May?")
        if not slots.times and not slots.compare:
            raise Unclear("in which time?", f"why did {slots.metrics[0].replace('_', ' ')} change last month?")
        time, compare = self._change() if len(slots.times) > 1 else (None, slots.compare or "previous")
        asked = self._question(slots.metrics[:1], period=time)
        return (Intent("explain_change", {"question": asked, "compare": compare}),)

    def _change(self) -> tuple[str, str]:
        """The later of two times, and how the other one lies before it."""
        spans = sorted(
            ((periods.read(one.text, self.today), one.text) for one in self.slots.times),
            key=lambda one: one[0].first or date.min,
        )
        (span, text), then = spans[-1], spans[0][0]
        beside = [
            name for name in ("previous", "year-ago") if _days(periods.before(span, name, self.today)[1]) == _days(then)
        ]
        if len(spans) > 2 or not beside:
            raise Unclear(
                "a change is explained from one time to the one before it",
                f"why did {self.slots.metrics[0].replace('_', ' ')} change last month?",
            )
        return text, beside[0]

    # one account or deal

    def _fact(self) -> tuple[Asked, ...] | None:
        slots = self.slots
        if not slots.about or slots.metrics or (slots.entity and slots.goal != "brief"):
            return None
        if len(slots.about) > 1 or slots.where or slots.by or slots.rank or slots.states or slots.times:
            if slots.goal == "brief" and len(slots.about) == 1 and not slots.where and not slots.by:
                pass
            else:
                return None
        self._only("one record", "when")
        one = slots.about[0]
        entity = "deals" if one.kind == "deal" else "accounts"
        key = "lead_id" if one.kind == "deal" else "customer_id"
        where = (Test(key, "=", (one.key,)),)
        if slots.goal == "when" and not slots.fields:
            raise Unclear(f"when what of {one.name}?", f"when was {one.name} last contacted?")
        if not slots.fields:
            if one.kind == "deal":
                return (
                    Records("deals", where, limit=1),
                    Records(
                        "stage_changes",
                        where,
                        order=(Order("entered_date"),),
                        columns=("stage", "entered_date", "days_in_stage"),
                    ),
                )
            return (Intent("account_brief", {"customer": one.key}),)
        if "probability" in slots.fields:
            if one.kind == "deal":
                return (Intent("explain_score", {"key": one.key}),)
            return (Intent("account_brief", {"customer": one.key}),)
        view = metrics.views()[entity]
        columns = tuple(self._name(view, name, entity) for name in slots.fields)
        if slots.goal == "when" and not any((found := view.field(name)) and found.type == "day" for name in columns):
            raise Unclear(
                f"{', '.join(slots.fields).replace('_', ' ')} is no day", f"when was {one.name} last contacted?"
            )
        return (Records(entity, where, columns=tuple(dict.fromkeys((key, "customer_name", *columns)))),)

    # figures and lists

    def _asked(self) -> tuple[Asked, ...]:
        slots = self.slots
        if slots.share and slots.goal in ("when", "average", "median"):
            raise Unclear(f"a share and {slots.goal!r} are two questions", "share of revenue by country")
        states = {state for state, positive in slots.states if positive}
        if "slipped" in states:
            return (self._slipped(),)
        if ("new", False) in slots.states or ("new" in states and not self._new()):
            raise Unclear("new since when?", "new deals this week", "new customers this month", "deals in stage new")
        if slots.deed == "move" or "stuck" in states or any(one.column == "days_in_stage" for one in slots.thresholds):
            return self._stays()
        if slots.metrics == ("conversion_rate",) and slots.by == ("stage",):
            return (self._stage_conversion(),)
        if self._channels():
            return (Intent("compare_channels"),)
        if slots.rank and slots.rank.records and slots.by and not slots.metrics and slots.goal in ("", "list"):
            return (self._first_of_each(),)
        if slots.average:
            return (self._beside_average(),)
        if slots.deed == "create" and len(slots.times) > 1 and {"won", "lost", "closed"} & states:
            raise Unclear(
                "opened in one time and ended in another: only one of the two is read",
                "deals won in May by month opened",
            )
        if slots.share and slots.deed == "close" and any(map(beside, slots.where)):
            in_all = tuple(dict.fromkeys((*slots.states, ("closed", True))))
            return Asking(_with(slots, deed="", states=in_all), self.today, self.me)._asked()
        closed = ("closed", True) in slots.states or (slots.times and not slots.states and not slots.where)
        if slots.share and slots.deed == "win" and closed:
            return self._rate()
        if slots.entity == "accounts" and not slots.metrics and not slots.share and self._bought():
            return self._buyers()
        if slots.entity == "accounts" and slots.metrics and slots.rank and not slots.by:
            return self._accounts_by()
        best = bool(slots.rank and slots.rank.way in ("best", "worst") and slots.by and not slots.rank.records)
        if slots.entity == "accounts" and (slots.metrics or best) and slots.rank and "customer_name" not in slots.by:
            raise Unclear("accounts in an order, and a split of another kind: ask for one of them", "top 5 customers by revenue")  # fmt: skip
        if (
            slots.rank
            and slots.rank.sized
            and slots.entity
            and slots.by
            and not slots.metrics
            and slots.goal not in ("count", "amount", "average", "median")
        ):
            if slots.entity == "deals" and len(slots.by) == 1 and not slots.by[0].startswith("time:"):
                return self._owner_of_first()
            raise Unclear(f"{slots.rank.word!r}: {slots.entity} have a number, not a size", f"most {slots.entity} by owner", "biggest open deals")  # fmt: skip
        names = self._metrics()
        if slots.share:
            return (self._share(names),)
        if names and (
            slots.metrics
            or slots.goal not in ("list", "", "when")
            or slots.by
            or slots.contrast
            or slots.versus
            or slots.compare
        ):
            return self._figures(names)
        if slots.entity:
            return self._listed(names)
        raise Unclear(
            "the question does not say what is asked for", "how many open deals are there?", "revenue last month"
        )

    def _accounts_by(self) -> tuple[Asked, ...]:
        """Accounts in the order of a figure: a column of theirs, or a metric by account."""
        slots, name = self.slots, self.slots.metrics[0]
        if metrics.metrics()[name].view.entity == "accounts":
            column = meanings()["columns"]["accounts"].get(name)
            if column is None:
                raise Unclear(
                    f"{metrics.metrics()[name].measure.display_name} is not of one account",
                    "top 10 customers by revenue",
                )
            return Asking(_with(slots, metrics=(), fields=(column,), goal="list"), self.today, self.me).asked()
        return Asking(_with(slots, entity="", by=("customer_name",)), self.today, self.me)._asked()

    def _first_of_each(self) -> Records:
        """The first records of each value of a split: the biggest open deal of each rep."""
        slots, rank = self.slots, self.slots.rank
        assert rank is not None  # noqa: S101 - asked for
        view = metrics.views()[slots.entity]
        if len(slots.by) > 1 or slots.by[0].startswith("time:"):
            raise Unclear("the first of each of what?", "the biggest open deal of each rep")
        if rank.limit is None:
            raise Unclear(f"{rank.word!r} {slots.entity} of each: how many?", f"top 3 {slots.entity} per rep")
        group = self._name(view, slots.by[0], slots.entity)
        bare = _with(
            slots, by=(), goal="list", fields=slots.fields or (("won_value",) if slots.entity == "accounts" else ())
        )
        listed = Asking(bare, self.today, self.me)._listed(())[0]
        assert isinstance(listed, Records)  # noqa: S101 - a list
        columns = tuple(dict.fromkeys((group, *listed.columns)))
        return replace(listed, each=group, columns=columns)

    def _owner_of_first(self) -> tuple[Asked, ...]:
        """The first records, with the split that is asked for: which rep has the biggest open deal."""
        view = metrics.views()["deals"]
        group = self._name(view, self.slots.by[0], "deals")
        listed = Asking(_with(self.slots, by=(), goal="list"), self.today, self.me)._listed(())
        return tuple(
            replace(one, columns=tuple(dict.fromkeys((group, *one.columns))))
            for one in listed
            if isinstance(one, Records)
        )

    def _beside_average(self) -> Intent:
        """Records above or below the average of all that are listed, or of those of their group."""
        slots, average = self.slots, self.slots.average
        assert average is not None  # noqa: S101 - asked for
        if not slots.entity or slots.rank or slots.goal not in ("", "list", "count"):
            raise Unclear("what is above or below the average?", "open deals above average")
        view = metrics.views()[slots.entity]
        if slots.me and self.me is None:
            self._mine(view)  # says so
        usual = {"deals": "deal_value", "accounts": "lead_score", "interactions": "duration_minutes"}
        column = self._name(view, average.column or usual.get(slots.entity, ""), slots.entity)
        group = self._name(view, average.group, slots.entity) if average.group else None
        listed = Asking(_with(slots, average=None, goal="list"), self.today, self.me)._listed(())[-1]
        assert isinstance(listed, Records)  # noqa: S101 - a list
        given = {"records": listed, "column": column, "op": average.op, "group": group}
        return Intent("beside_average", given)

    def _rate(self) -> tuple[Asked, ...]:
        """`what share of the closed deals did we win`: the win rate."""
        states = tuple(one for one in self.slots.states if one != ("closed", True))
        asked = _with(self.slots, share=False, deed="", states=states, metrics=("win_rate",), entity="", goal="")
        return Asking(asked, self.today, self.me)._asked()

    def _bought(self) -> bool:
        """Whether accounts are asked for by what they bought and when."""
        slots = self.slots
        deal = any(
            name in ("product", "product_id", "category", "source") for one in slots.where for name in names_of(one)
        )
        won = slots.deed in ("win", "sell", "close") or any(
            one in (("bought", True), ("won", True)) for one in slots.states
        )
        return won and (bool(slots.times) or deal) and not slots.rank

    def _buyers(self) -> tuple[Asked, ...]:
        """Accounts that bought, with what they bought."""
        products = [one for part in self.slots.where for one in names_of(part) if one in ("product", "category")]
        if len(products) > 1 or self.slots.anded:
            raise Unclear("of which products: of one of them, or of each?", "customers that bought this year")
        if self.slots.goal in ("count", "amount", "average"):
            raise Unclear("how many accounts bought in a time is not a figure that there is", "new customers this month", "which customers bought this month")  # fmt: skip
        deals = _with(self.slots, entity="", goal="", states=(("won", True),), by=("customer_name",), deed="")
        asked = Asking(deals, self.today, self.me)._question(("revenue", "won_leads"))
        where = asked.where if any(str(one) == "won" for one in asked.where) else (*asked.where, Test("won", "is"))
        return (replace(asked, where=where, order=(Order("revenue", True),)),)

    def _new(self) -> bool:
        """Whether it is said since when something is new, of what has a beginning."""
        time = any(one.startswith(("time:", "created")) for one in self.slots.by) or self.slots.times
        return bool(time) and (
            (self.slots.entity == "deals" and self.slots.deed in ("", "create")) or self.slots.entity == "accounts"
        )

    def _channels(self) -> bool:
        told = [one.name for one in self._tests()]
        others = self.slots.times or self.slots.thresholds or self.slots.states or self.slots.about or self.slots.me
        return bool(self.slots.by == ("channel",) and self.slots.rank and told == ["positive"]) and not others

    def _metrics(self) -> tuple[str, ...]:
        """The metrics that are asked for, by name or by what is counted of which records."""
        slots = self.slots
        if slots.metrics:
            team = [f"team_{name}" for name in slots.metrics]
            if slots.entity == "deals" and slots.goal in ("count", "both") and not slots.rank:
                return (*self._of_states(slots.metrics), self._number_beside(slots.metrics[0]))
            if {"team", "owner_team"} & {*slots.by} and all(name in metrics.metrics() for name in team):
                return tuple(team)
            return self._of_states(slots.metrics)
        entity, goal = slots.entity, slots.goal
        if not entity:
            told = tuple(one.column for one in slots.thresholds if one.column in metrics.metrics())
            if slots.by and told and goal not in ("average", "median"):
                return told[:1]  # countries with a win rate under 41%
            if slots.deed and (goal in ("amount", "average", "median") or slots.by or slots.rank or slots.contrast):
                return self._of_deed("average" if goal in ("average", "median") else "value")
            if goal == "amount" and slots.states:
                return self._measured("deals", "value")
            if goal == "count" and slots.deed in ("win", "lose"):
                return self._of_deed("count")
            if slots.ranks_values and goal in ("", "list"):
                return ("revenue",)
            return ()
        if goal == "both":
            return tuple(name for kind in ("count", "value") for name in self._of_goal(entity, kind))
        return self._of_goal(entity, {"amount": "value", "average": "average", "median": "median"}.get(goal, "count"))

    def _number_beside(self, name: str) -> str:
        """The number of deals that a figure of deals is of: `how many deals and how much revenue`."""
        metric, count = metrics.metrics()[name], meanings()["measures"]["deals"]["count"]
        states = _selected(metric)
        if metric.view.entity != "deals" or len(states) > 1:
            raise Unclear(f"how many deals beside {metric.measure.display_name.lower()}?", "how many deals did we win")
        return str(count[next(iter(states), "")])

    def _of_goal(self, entity: str, kind: str) -> tuple[str, ...]:
        """The metrics of a number, value or average of records."""
        slots, goal = self.slots, self.slots.goal
        if entity == "accounts" and slots.deed:
            raise Unclear(f"accounts that we {slots.deed}: since when, or which?", "customers that bought this month", "new customers this month")  # fmt: skip
        if entity == "accounts" and ("new", True) in slots.states:
            return ("new_customers",)
        if entity == "deals" and slots.fields and goal in ("average", "median"):
            if slots.fields == ("deal_value",):
                return self._measured("deals", goal)
            raise Unclear(
                f"there is no {goal} of {slots.fields[0].replace('_', ' ')}", "average deal size", "sales cycle"
            )
        if entity == "deals" and slots.deed in ("win", "lose", "close", "sell", "due"):
            return self._of_deed(kind)
        return self._measured(entity, kind)

    def _of_deed(self, kind: str) -> tuple[str, ...]:
        """What is won, lost, closed, opened or due, in number or value."""
        of = (
            meanings()["measures"]["deals"][kind]
            if kind in ("count", "value")
            else meanings()["measures"]["deals"]["average"]
        )
        deed = self.slots.deed
        if deed == "close" and kind == "count":
            return (of["won"], of["lost"])
        if deed == "due":
            return ("open_value_due",) if kind == "value" and self.slots.times else (of.get("open") or of[""],)
        state = {"win": "won", "sell": "won", "close": "won", "lose": "lost"}.get(deed, "")
        return (of.get(state) or of[""],)

    def _measured(self, entity: str, kind: str) -> tuple[str, ...]:
        """The metrics of a number, value or average of records, one for each of the states that exclude each other."""
        of: dict[str, str] | None = meanings()["measures"].get(entity, {}).get(kind)
        if of is None:
            raise Unclear(f"there is no {kind} of {entity}", f"how many {entity} are there?")
        states = [state for state, positive in self.slots.states if positive]
        if "closed" in states:
            states += ["won", "lost"]
        found = tuple(of[state] for state in dict.fromkeys(states) if state in of)
        implied = {"overdue", "silent", "untouched", "never_touched"} & {*states}
        if (
            not found
            and entity == "deals"
            and (implied or any(one.column == "days_silent" for one in self.slots.thresholds))
        ):
            return (of.get("open") or of[""],)
        return found or (of[""],)

    def _of_states(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Metrics of all deals as those of the deals in a state: the average value of won deals."""
        found: list[str] = []
        for name in names:
            family = next(
                (of for kinds in meanings()["measures"].values() for of in kinds.values() if of.get("") == name), None
            )
            states = [state for state, positive in self.slots.states if positive and family and state in family]
            found += [family[state] for state in states] if family and states else [name]
        return tuple(found)

    def _figures(self, names: tuple[str, ...]) -> tuple[Asked, ...]:
        slots = self.slots
        self._only("figure", "average", "median")
        view = metrics.metrics()[names[0]].view
        rate = metrics.metrics()[names[0]].measure
        if slots.goal == "count" and rate.format.type == "percentage":
            raise Unclear(
                f"how many, or the {rate.display_name.lower()}?",
                f"What is the {rate.display_name.lower()}?",
                "how many deals did we win?",
            )
        if len(slots.times) > 1 and not self._two_days():
            if len(slots.times) > 2 and not slots.versus:
                raise Unclear("the question names several times", "revenue in May and in June")
            return tuple(self._question(names, period=one.text) for one in slots.times)
        compare = slots.compare
        if any(one.edge == "as of" for one in slots.times) and rate.additivity != "stock":
            raise Unclear(
                f"{rate.display_name} is of a time, not of a day", f"{rate.display_name.lower()} until the end of May"
            )
        if slots.turn and not compare and not slots.times and not any(one.startswith("time:") for one in slots.by):
            raise Unclear(
                "compared with when?", f"{names[0].replace('_', ' ')} this quarter compared with the one before"
            )
        if slots.turn and slots.times and not compare:
            compare = "previous"
        if compare == "year-ago" and not slots.times:
            return (self._question(names, period="this year", compare=compare),)
        if compare and not slots.times:
            raise Unclear("a comparison needs a period", f"{names[0].replace('_', ' ')} this quarter vs a year ago")
        if slots.versus and not (slots.by or compare or slots.times or len(names) > 1):
            raise Unclear("compared with what?", f"{names[0].replace('_', ' ')} by owner")
        asked = self._question(names, compare=compare)
        state = metrics.metrics()[names[0]]
        past = (
            slots.past
            and state.measure.additivity == "stock"
            and not slots.times
            and not slots.thresholds
            and view.entity == "deals"
        )
        if past and not any(one.column for one in slots.thresholds):
            raise Unclear(
                f"{state.measure.display_name} is a state: of which day?",
                f"{state.measure.display_name.lower()} today", f"{state.measure.display_name.lower()} at the end of last month",
            )  # fmt: skip
        return (asked,)

    def _two_days(self) -> bool:
        return False

    def _question(self, names: tuple[str, ...], *, period: str | None = None, compare: str = "") -> Question:
        """The question of some metrics with the conditions, splits, period and order of the slots."""
        slots = self.slots
        metric = metrics.metrics()[names[0]]
        view = metric.view
        by = self._by(view)
        chosen = [metrics.metrics()[name] for name in names]
        where = self._where(view, metric, frozenset[str]().union(*map(_selected, chosen)))
        self._deed_fits(chosen)
        time = period or (slots.times[0].text if slots.times else None)
        own = metric.measure.period
        if time and self._day(metric, view) not in (None, own):
            where = (*where, Test(str(self._day(metric, view)), "=", (time,)))
            time = None
        having = tuple(
            Test("value" if len(names) == 1 else names[0], one.op, (self._written(one),))
            for one in slots.thresholds
            if self._of_figure(one, names, view)
        )
        order, limit = self._order(names, bool(by), metric)
        if slots.me:
            where = (*where, self._mine(view))
        return Question(
            names, by, where, time, compare or None, having, order, limit  # type: ignore[arg-type]
        )  # fmt: skip

    def _day(self, metric: Metric, view: MetricView) -> str | None:
        """The day that the period is about, where the question says it."""
        if view.entity != "deals":
            return None
        days: dict[str, str] = meanings()["days"]
        if self.slots.deed in ("create", "due"):
            return days[self.slots.deed]
        return None

    def _mine(self, view: MetricView) -> Condition:
        if any(test.name in ("owner", "account_manager") for test in self._tests()):
            raise Unclear("mine, and of somebody else: ask for one of them", "my open deals")
        if self.me is None:
            raise Unclear("I do not know who you are: say it with `--me NAME` or as `me` in the settings")
        return Test(self._name(view, "owner", view.entity), "=", (self.me,))

    def _written(self, one: Threshold) -> str:
        return f"{one.value}%" if one.percent else one.value

    def _of_figure(self, one: Threshold, names: tuple[str, ...], view: MetricView) -> bool:
        """Whether a threshold is of the figure asked for, not of the records."""
        if one.column in names:
            return bool(self.slots.by)
        return not one.column and bool(self.slots.by) and self.slots.entity != "deals"

    def _order(self, names: tuple[str, ...], split: bool, metric: Metric) -> tuple[tuple[Order, ...], int | None]:
        rank = self.slots.rank
        if rank is None:
            return (), None
        if not split:
            raise Unclear(
                f"{rank.word!r} ranks, and the question does not say what by",
                f"{metric.measure.display_name.lower()} by owner",
            )
        if rank.way in ("newest", "oldest", "likeliest"):
            raise Unclear(
                f"{rank.word!r} of figures means nothing", f"highest {metric.measure.display_name.lower()} by owner"
            )
        bad = {state for state, is_in in self.slots.states if is_in} & {
            "overdue",
            "silent",
            "untouched",
            "never_touched",
        }
        less = names[0] in meanings()["less_is_better"] or bool(bad)
        down = rank.way == "desc" or (rank.way == "best" and not less) or (rank.way == "worst" and less)
        return (Order(names[0], down),), rank.limit

    def _by(self, view: MetricView) -> tuple[Split, ...]:
        found: list[Split] = []
        for name in self.slots.by:
            if name.startswith("time:"):
                found.append(Split("time", name[5:]))
                continue
            if name == "customer_name" and view.field("customer_id") and view.entity != "accounts":
                found.append(Split("customer_id"))
            found.append(Split(self._name(view, name, view.entity)))
        return tuple(found)

    @staticmethod
    def _name(view: MetricView, concept: str, entity: str) -> str:
        """What a view calls what a word is about."""
        columns: dict[str, str] = meanings()["columns"].get(view.entity, {})
        names = [*meanings()["concepts"].get(concept, [concept])]
        if concept in columns:
            names.append(columns[concept])
        known = {one.name for one in (*view.dimensions, *view.fields)}
        known |= {alias for one in (*view.dimensions, *view.fields) for alias in one.aliases}
        found: str | None = next((name for name in names if name in known), None)
        if found is None:
            label = concept.replace("_", " ")
            raise Unclear(f"there is no {label} of {(entity or view.entity).replace('_', ' ')}", f"{(view.measures[0].display_name if view.measures else entity).lower()} by {view.dimensions[0].display_name.lower()}")  # fmt: skip
        return found

    def _deed_fits(self, chosen: Sequence[Metric]) -> None:
        """Refuse what happens to deals beside a figure that is not of those: the win rate of what we won."""
        deed, views = self.slots.deed, {one.view.entity for one in chosen}
        own = frozenset[str]().union(*map(_selected, chosen))
        label = chosen[0].measure.display_name
        fits = own == frozenset(OF_DEED.get(deed, ())) or (deed == "close" and own and own <= OF_DEED["close"])
        made = deed == "sell" and views == {"interactions"}  # calls that were made
        if deed in OF_DEED and not made and not (fits and views == {"deals"}):
            raise Unclear(f"{label} is not of deals that we {deed}", f"{label.lower()} this month")
        if deed in ("create", "due") and views != {"deals"}:
            raise Unclear(f"{label} is not of deals that are {deed}d" if deed == "create" else f"{label} is not due")

    def _where(
        self, view: MetricView, metric: Metric | None = None, own: frozenset[str] = frozenset()
    ) -> tuple[Condition, ...]:
        """The conditions of the question on the records of a view."""
        entity = view.entity
        found = [self._renamed(one, view) for one in self.slots.where]
        if self.slots.about:
            kinds = {one.kind for one in self.slots.about}
            if len(kinds) > 1:
                raise Unclear("an account and a deal at once: ask for one of them")
            key = "lead_id" if kinds == {"deal"} else "customer_id"
            found.append(Test(self._name(view, key, entity), "=", tuple(one.key for one in self.slots.about)))
        states = [
            (state, positive) for state, positive in self.slots.states if state not in ("new", "stuck", "slipped")
        ]
        exclusive = [state for state, positive in states if positive and state in ("open", "won", "lost", "closed")]
        if {"won", "lost"} & {*exclusive}:
            exclusive = [state for state in exclusive if state != "closed"]  # won deals that closed late
        meant = {one for state in exclusive for one in (("won", "lost") if state == "closed" else (state,))}
        if exclusive and entity == "deals" and meant != own:
            if metric and (own or metric.measure.additivity == "ratio"):
                self._not_undone(metric, sorted(meant))
            found.append(parse(" or ".join(dict.fromkeys(_state(entity, one) for one in exclusive))))  # type: ignore[arg-type]
        elif exclusive and metric and metric.measure.additivity == "ratio":
            self._not_undone(metric, sorted(meant))
        for state, positive in states:
            if positive and entity == "deals" and state in ("open", "won", "lost", "closed"):
                continue
            if positive and own and state in ("won", "bought") and entity != "accounts":
                continue
            text = _state(entity, state)
            if not text:
                raise Unclear(f"{entity} are not {state}", f"how many {entity} are there?")
            test = parse(text)
            assert test is not None  # noqa: S101 - a state of the vocabulary
            if not positive and text.endswith("> 0"):
                test = parse(text.replace("> 0", "= 0"))
            elif not positive:
                test = Not(test)
            found.append(test)  # type: ignore[arg-type]
        if (
            not metric
            and self.slots.deed in ("win", "lose", "sell", "close", "due")
            and entity == "deals"
            and not exclusive
        ):
            state = {"win": "won", "sell": "won", "lose": "lost", "close": "closed", "due": "open"}[self.slots.deed]
            found.append(parse(_state(entity, state)))  # type: ignore[arg-type]
        for one in self.slots.thresholds:
            names = (metric.name,) if metric else ()
            if not self._of_figure(one, names, view):
                found.append(self._threshold(one, view))
        quiet = any(one.column == "days_silent" for one in self.slots.thresholds)
        if quiet and entity == "deals" and not states and not own:
            found.append(Test("open", "is"))
        parts = both(*found)
        return parts.parts if isinstance(parts, And) else (parts,) if parts else ()

    @staticmethod
    def _not_undone(metric: Metric, states: list[str]) -> None:
        """Refuse a state that undoes a metric: revenue of lost deals, the win rate of won ones."""
        if contradicted(metric, [Filter("status", tuple(states))]):
            label = metric.measure.display_name
            raise Unclear(
                f"{label} is not of {' and '.join(states)} deals",
                f"What is the {label.lower()}?",
                f"how many {states[0]} deals",
            )

    def _threshold(self, one: Threshold, view: MetricView) -> Condition:
        column = one.column or "deal_value"
        if not one.column and view.entity != "deals":
            raise Unclear(f"{one.op} {one.value} of what?", "customers with a lead score above 80")
        name = self._name(view, column, view.entity)
        found = view.field(name)
        if one.percent and not (found and found.format and found.format.type == "percentage"):
            raise Unclear(f"{one.value}% of what?", "open deals with a probability above 40%")
        value = f"{float(one.value) / 100:g}" if one.percent else one.value
        test = Test(name, one.op, (value,)) if one.op != "=" else Test(name, "=", (value,))
        if name == "days_silent" and view.entity == "accounts":
            return Or((test, Not(Test("touched", "is"))))
        return test

    def _renamed(self, one: Condition, view: MetricView) -> Condition:
        if isinstance(one, Test):
            return Test(self._name(view, one.name, view.entity), one.op, one.values)
        if isinstance(one, Not):
            return Not(self._renamed(one.part, view))
        return type(one)(tuple(self._renamed(part, view) for part in one.parts))

    # lists

    def _listed(self, names: tuple[str, ...]) -> tuple[Asked, ...]:
        """A list of records; with their number before it where the question is but a name for them."""
        slots = self.slots
        self._only("list")
        entity = slots.entity
        view = metrics.views()[entity]
        if entity == "accounts" and slots.rank and not slots.fields:
            return self._best_accounts()
        where = self._where(view)
        if slots.me and (self.me is not None or self._tests()):
            where = (
                *where,
                *(
                    [self._mine(view)]
                    if self.me is not None or any(one.name == "owner" for one in self._tests())
                    else []
                ),
            )
        if len(slots.times) > 1:
            raise Unclear("a list is of one time", "deals won in May")
        if any(one.edge == "as of" for one in slots.times):
            raise Unclear("a list is of today", "open pipeline as of the end of May")
        if slots.times:
            where = (*where, *(Test(self._list_day(entity), "=", (one.text,)) for one in slots.times))
        order, limit = self._list_order(entity)
        asked_by = [
            name for one in (*where, *order) for name in ((one.name,) if isinstance(one, Order) else names_of(one))
        ]
        more = [name for name in asked_by if (one := view.field(name)) and one.type in ("number", "day")]
        if "created_date" in more and view.field("age_days"):
            more.append("age_days")
        more += [self._name(view, name, entity) for name in slots.fields]
        more = ["customer_id", *more] if view.field("customer_id") else more
        shown = tuple(dict.fromkeys((*view.key, *more, *view.listed)))
        listed = Records(entity, where, order=order, limit=limit, columns=shown)
        alone = (
            not slots.goal
            and not slots.rank
            and not slots.about
            and not slots.me
            and entity in ("deals", "accounts", "interactions")
        )
        if alone and len(names) == 1 and not slots.times:
            return (self._question(names), listed)
        return (listed,)

    def _best_accounts(self) -> tuple[Asked, ...]:
        """Accounts by what they brought."""
        revenue = Asking(
            _with(self.slots, metrics=("revenue",), entity="", by=("customer_name",), goal="amount"),
            self.today,
            self.me,
        )
        if self.slots.rank and self.slots.rank.way not in ("desc", "asc", "best", "worst"):
            raise Unclear(f"{self.slots.rank.word!r} accounts by what?", "top 10 customers by revenue")
        return revenue.asked()

    def _list_day(self, entity: str) -> str:
        days: dict[str, str] = meanings()["days"]
        if entity == "interactions":
            return "date"
        if entity != "deals":
            raise Unclear(f"{entity} have no day of their own", "new customers this month")
        told = [self.slots.deed, *(state for state, positive in self.slots.states if positive)]
        if self.slots.deed == "close":
            return days["close"]
        found = next((days[one] for one in told if one in days), None)
        if found is None:
            raise Unclear(
                "deals of which time: opened, closed or expected to close then?",
                "deals opened this month", "deals won this month", "deals closing this month",
            )  # fmt: skip
        return found

    def _list_order(self, entity: str) -> tuple[tuple[Order, ...], int]:
        rank, fields = self.slots.rank, self.slots.fields
        view = metrics.views()[entity]
        if rank is None:
            column = {"deals": "deal_value", "accounts": "lead_score", "interactions": "date"}.get(entity)
            return ((Order(column, True),) if column else ()), LISTED
        if rank.way in ("newest", "oldest"):
            states = {state for state, positive in self.slots.states if positive}
            closed = self.slots.deed in ("win", "lose", "close", "sell") or states & {"won", "lost", "closed"}
            column = {"deals": "closed_date" if closed else "created_date", "interactions": "date"}.get(entity)
            if column is None:
                raise Unclear(f"{rank.word!r} {entity} by what?", "new customers this month")
            return (Order(column, rank.way == "newest"),), rank.limit or LISTED
        if rank.way == "likeliest":
            return (Order(self._name(view, "probability", entity), True),), rank.limit or LISTED
        column = self._name(view, fields[0], entity) if fields else {"deals": "deal_value"}.get(entity)
        if column is None or (rank.way in ("best", "worst") and not fields):
            raise Unclear(f"{rank.word!r} {entity} by what?", "top 10 deals by value")
        return (Order(column, rank.way in ("desc", "best")),), rank.limit or LISTED

    def _stays(self) -> tuple[Asked, ...]:
        """Deals that came to a stage, or have been in theirs for long."""
        self._only("stages")
        if any(one not in (("stuck", True), ("open", True)) for one in self.slots.states):
            raise Unclear("stuck and moved are of open deals, whatever else they are", "which deals are stuck?")
        slots = self.slots
        view = metrics.views()["stage_changes"]
        bare = Asking(_with(slots, states=(), thresholds=(), deed=""), self.today, self.me)
        where = bare._where(view)
        long = [one for one in slots.thresholds if one.column == "days_in_stage"]
        if slots.deed == "move":
            if not slots.times:
                raise Unclear("moved when?", "which deals moved stage this week?")
            if len(slots.times) > 1:
                raise Unclear("a list is of one time", "which deals moved stage this week?")
            where = (*where, Test("moved", "is"), Test("entered_date", "=", (slots.times[0].text,)))
            order = (Order("entered_date", True),)
        else:
            if slots.times:
                raise Unclear(
                    "stuck is a state of today", "which deals are stuck?", "which deals moved stage this week?"
                )
            where = (*where, Test("status", "=", ("open",)), Test("left_date", "unknown"))
            where = (*where, *(Test("days_in_stage", one.op, (one.value,)) for one in long))
            if not long:
                where = (*where, Test("days_in_stage", ">", ("30",)))
            order = (Order("days_in_stage", True),)
        if slots.me and self.me is not None:
            where = (*where, self._mine(view))
        if slots.goal in ("count", "amount"):
            return (Question(("stage_entries",), self._by(view), where),)
        return (Records("stage_changes", where, order=order, limit=LISTED),)

    def _slipped(self) -> Intent:
        self._only("slipped deals")
        view = metrics.views()["deals"]
        slots = _with(self.slots, states=tuple(one for one in self.slots.states if one[0] != "slipped"))
        period = self.slots.times[0].text if self.slots.times else "this quarter"
        where = (*Asking(slots, self.today, self.me)._where(view), *([self._mine(view)] if slots.me else []))
        return Intent("slipped_deals", {"period": period, "where": where})

    def _stage_conversion(self) -> Intent:
        self._only("conversion by stage")
        if self.slots.where or self.slots.about:
            raise Unclear("the conversion of stages is of all deals", "conversion by stage last quarter")
        return Intent("stage_conversion", {"period": self.slots.times[0].text if self.slots.times else None})

    def _share(self, names: tuple[str, ...]) -> Intent:
        """A part of a whole: by splits, or of what the last condition or state leaves."""
        slots = self.slots
        if slots.narrow == "unsure":
            raise Unclear(
                "a share of what: which of the conditions are of the whole?",
                "what share of revenue from Germany comes from referral?", "share of revenue by country",
            )  # fmt: skip
        self._only("share")
        if len(names) != 1 and not slots.states:
            raise Unclear("a share of what?", "share of revenue by country")
        if len(names) > 1 and slots.times:
            raise Unclear("a share of the deals closed in a time is not a figure that there is", "win rate by month")
        names = names if len(names) == 1 else ("total_leads",)
        if slots.by:
            return Intent("share_of", {"part": self._question(names), "whole": None})
        less: dict[str, Any] = {
            "where": {"where": slots.where[:-1]}, "states": {"states": slots.states[:-1]}, "thresholds": {"thresholds": ()},
            "beside": {"where": tuple(one for one in slots.where if not beside(one))},
        }  # fmt: skip
        if slots.deed in ("win", "lose") and slots.where and slots.narrow != "deed":
            raise Unclear(
                "a share of which deals: of those won, or of all?", "win rate by source", "share of won deals by source"
            )
        if slots.deed in ("win", "lose") and not slots.states:
            state = "won_leads" if slots.deed == "win" else "lost_leads"
            return Intent("share_of", {"part": self._question((state,)), "whole": self._question(("total_leads",))})
        narrow = (
            slots.narrow
            if slots.narrow == "beside" or (slots.narrow in less and getattr(slots, slots.narrow))
            else next((name for name in ("where", "states", "thresholds") if getattr(slots, name)), "")
        )
        if not narrow:
            raise Unclear("a share of what?", "share of revenue by country")
        rest = Asking(_with(slots, **less[narrow]), self.today, self.me)
        of = rest._metrics()
        part, whole = self._question(names), rest._question(of if len(of) == 1 else names)
        return Intent("share_of", {"part": part, "whole": whole})


def _with(slots: Slots, **changes: Any) -> Slots:
    return replace(slots, **changes)


def _state(entity: str, state: str) -> str:
    """The condition of a state on the records of an entity; empty where it has none."""
    return str(meanings()["states"].get(entity, {}).get(state, ""))


def _selected(metric: Metric) -> frozenset[str]:
    """The states of deals that a metric looks at by itself."""
    return frozenset(one for one in ("open", "won", "lost") if f"'{one}'" in metric.expanded)
