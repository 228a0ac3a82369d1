"""Slots put into the form of questions, lists and intents.

forming (conditions, names) -> counting (figures) -> listing (records) -> asking (intents; which of them it is)
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from medallion import metrics
from medallion.agent.planner.forming import Asked, Intent, _with, any_of
from medallion.agent.planner.lexicon import meanings
from medallion.agent.planner.listing import Listing
from medallion.agent.planner.marking import Unclear, without_quotas
from medallion.agent.planner.slots import (
    OF_DEED,
    OF_LIFE,
    OF_OPEN,
    TEAMS,
    Slots,
    Threshold,
    beside,
    names_of,
    selected,
)
from medallion.agent.planner.times import Time
from medallion.metrics import periods
from medallion.metrics.conditions import And, Condition, Or, Test
from medallion.metrics.question import Order, Question, Records

#: What the values of a split have of themselves, beside what their deals have.
_OF_VALUES = {"owner": ("team", "owner_team", "owner_manager"), "product": ("category",), "city": ("country",)}
#: What a forecast may be split by (`medallion.learning.forecasts.DIMENSIONS`).
_FORECAST_BY = ("owner", "product", "source", "industry", "country", "size_band", "stage", "quality")


def _days(span: periods.Span) -> tuple[date | None, date | None]:
    return span.first, span.last


def _in_any(bands: tuple[tuple[Threshold, ...], ...]) -> Condition:
    """The condition that a deal is worth what one of some bands holds."""
    parts = [tuple(Test("deal_value", limit.op, (limit.value,)) for limit in band) for band in bands]
    return Or(tuple(And(tests) if len(tests) > 1 else tests[0] for tests in parts))


class Asking(Listing):
    """Turns slots into what is asked."""

    def asked(self) -> tuple[Asked, ...]:
        """What is asked.

        Raises:
            Unclear: The slots do not make a question.
        """
        if self._denies_of_open():
            return self.of(_with(self.slots, states=(("open", True), *self.slots.states))).asked()
        if self._is_typical_beside():
            return self.of(_with(self._typical_beside(), typical=False)).asked()
        if self._is_typical():
            return self.of(_with(self.slots, typical=False, states=(*self.slots.states, ("won", True)))).asked()
        if self.slots.bands:
            bare = _with(self.slots, bands=(), versus=False)
            if self.slots.whole and not (self.slots.versus or self.slots.contrast):  # under 10k and over 100k combined
                return self.of(_with(bare, where=(*bare.where, _in_any(self.slots.bands)))).asked()
            each = [_with(bare, each=True, thresholds=(*bare.thresholds, *band)) for band in self.slots.bands]
            return tuple(request for slots in each for request in self.of(slots).asked())
        if self.slots.other_way and self.slots.rank:
            ends = (self.slots.rank, replace(self.slots.rank, way=self.slots.other_way))
            of_ends = [self.of(_with(self.slots, rank=rank, other_way="")) for rank in ends]
            return tuple(request for asking in of_ends for request in asking.asked())
        if self.slots.number_of:
            bare = _with(
                self.slots, number_of=False, goal="" if self.slots.goal in ("list", "overview") else self.slots.goal
            )
            if not (bare.metrics or bare.entity or bare.thresholds or bare.deed):
                bare = _with(bare, metrics=("total_leads",))  # how many products do we have
            return tuple(map(self._number_of, self.of(bare).asked()))
        if self.slots.running:
            return tuple(map(self._running, self.of(_with(self.slots, running=False)).asked()))
        asked = self._intent() or self._fact() or self._asked()
        skip = self.slots.rank.skip if self.slots.rank else 0
        return tuple(self._after(request, skip) for request in asked) if skip else asked

    def _is_typical_beside(self) -> bool:
        """Whether the size of deals is asked for beside other figures, and it is not said of which deals: `wins and average deal size`."""
        slots = self.slots
        sizes = {"average_deal_value", "median_deal_value"} & {*slots.metrics}
        return slots.typical and bool(sizes) and len(slots.metrics) > len(sizes) and not self._says_which_deals()

    def _typical_beside(self) -> Slots:
        """The slots with the size of deals as that of those won, where the others are of deals won, of how many are, or of no deals.

        Raises:
            Unclear: The others are of open, lost or all deals, or there is no median of the deals won beside them.
        """
        names = self.slots.metrics
        others = [metrics.metrics()[name] for name in names if name not in ("average_deal_value", "median_deal_value")]
        states = {selected(metric) for metric in others if metric.view.entity == "deals"}
        if states == {frozenset({"won"})}:
            return _with(self.slots, states=(*self.slots.states, ("won", True)))
        if "median_deal_value" in names or not frozenset[str]().union(*states) >= ({"won"} if states else set()):
            raise Unclear(
                "the size of which deals: of those won, or of all?",
                "average deal size of won deals this quarter", "average size of all deals",
            )  # fmt: skip
        means = {"average_deal_value": "average_won_value"}
        return _with(self.slots, metrics=tuple(means.get(name, name) for name in names))

    def _says_which_deals(self) -> bool:
        """Whether it is said of which deals a size is asked for."""
        slots, life = self.slots, {"stage", "status", "probability", "lead_id"}
        named = {*slots.by} | {name for part in slots.where for name in names_of(part)}
        others = slots.states or slots.deed or slots.whole or slots.about or slots.bands or slots.share
        return bool(others or named & life)

    def _denies_of_open(self) -> bool:
        """Whether deals are asked for that are not overdue or silent, which open deals alone can be."""
        slots = self.slots
        every = {"total_leads", "total_deal_value", "average_deal_value", "median_deal_value"}
        of_deals = {*slots.metrics} <= every and (slots.entity == "deals" or slots.metrics)
        denied = any(state in OF_OPEN and not is_in for state, is_in in slots.states)
        return bool(of_deals and denied and not slots.deed and not {state for state, _ in slots.states} & OF_LIFE)

    def _is_typical(self) -> bool:
        """Whether the size of deals is asked for and not of which: of those won, which the average deal size is of."""
        slots = self.slots
        sizes = {"average_deal_value", "median_deal_value"}
        asked = slots.typical and slots.metrics and {*slots.metrics} <= sizes
        mean = not slots.metrics and slots.entity == "deals" and slots.goal in ("average", "median")
        asked = asked or (mean and slots.fields in ((), ("deal_value",)) and (slots.typical or bool(slots.rank)))
        return bool(asked) and not self._says_which_deals()

    def _number_of(self, asked: Asked) -> Intent:
        """How many values of a split have a figure: reps with more than 50 open deals, countries with any revenue."""
        if isinstance(asked, Intent) and asked.tool == "without_figure":
            return replace(asked, arguments={**asked.arguments, "count": True})
        accounts = isinstance(asked, Question) and {split.name for split in asked.by} == {
            "customer_id",
            "customer_name",
        }
        if not isinstance(asked, Question) or not (len(asked.by) == 1 or accounts) or asked.compare or asked.limit:
            raise Unclear("how many of what, and by what?", "how many reps have more than 50 open deals")
        return self._in_number_of(asked)

    def _without_figure(self) -> Intent | None:
        """The values of a split that have no deals of some kind: reps without open deals in Germany; None for other questions.

        All values that there are stand in no answer about those deals, so they are asked for by themselves.
        """
        slots = self.slots
        counts = {*meanings()["measures"]["deals"]["count"].values(), *meanings()["composed"]}
        none = [limit for limit in slots.thresholds if (limit.op, limit.value) == ("=", "0") and limit.column in counts]
        limits = tuple(
            replace(limit, column=limit.column or "deal_value") for limit in slots.thresholds if limit not in none
        )
        restricted = slots.where or limits or slots.me or slots.about
        if len(none) != 1 or len(slots.by) != 1 or slots.by[0].startswith("time:") or not restricted:
            return None
        if slots.goal not in ("", "list") or slots.metrics or slots.rank or slots.compare or slots.turn or slots.share:
            raise Unclear("who has none of some deals is listed or counted", "which reps have no open deals")
        if len(slots.times) > 1:
            raise Unclear("none of some deals in which of the times?", "which reps won nothing in May")
        (split,) = slots.by
        of_values = {split, *_OF_VALUES.get(split, ())}
        own = tuple(part for part in slots.where if {*names_of(part)} <= of_values)
        of_asker = slots.me and split == "owner"
        bare = _with(
            slots, thresholds=(), times=(), about=(), goal="", where=own, me=of_asker, team=slots.team and of_asker
        )
        every = self.of(bare)._question(("total_leads",))
        some = self.of(_with(slots, thresholds=limits, goal=""))._question((none[0].column,))
        return Intent("without_figure", {"every": every, "some": replace(some, having=(any_of(some.metrics),))})

    @staticmethod
    def _running(asked: Asked) -> Intent:
        """Figures by time, added up from one to the next."""
        names = asked.metrics if isinstance(asked, Question) else ()
        labels = [metrics.metrics()[name].measure for name in names]
        for measure in labels:
            if measure.additivity != "flow":
                raise Unclear(f"{measure.display_name} does not add up from one time to the next", "revenue by month")
        if not isinstance(asked, Question) or [split.grain is None for split in asked.by] != [False] or asked.compare:
            label = labels[0].display_name.lower() if labels else "revenue"
            raise Unclear(
                "a running total is of a figure by month, week, quarter or day", f"{label} by month this year"
            )
        if asked.having or asked.order or asked.limit:
            raise Unclear("a running total is of all times in their order", "revenue by month this year, cumulative")
        return Intent("running_total", {"asked": asked})

    @staticmethod
    def _after(asked: Asked, skip: int) -> Intent:
        """The rows after the first ones: the second biggest, the next five."""
        if isinstance(asked, Intent) and asked.tool == "rows_after":
            return asked
        if isinstance(asked, Intent) or not asked.limit:
            raise Unclear("after the first ones there are others in an order only", "top 10 open deals")
        return Intent("rows_after", {"asked": replace(asked, limit=asked.limit + skip), "skip": skip})

    def _intent(self) -> tuple[Asked, ...] | None:
        slots, goal = self.slots, self.slots.goal
        about = slots.about[0] if slots.about else None
        kinds = {"plan": "call plan", "define": "definition", "changed": "what changed"}
        if goal in ("plan", "channels", "score", "define", "changed", "why"):
            if goal == "plan" and slots.team:
                raise Unclear("a call list is of a rep or of everybody", "who should I call?")
            if goal == "plan" and about:
                raise Unclear("a call list is of a rep, not of an account", f"tell me about {about.key}")
            self._only(kinds.get(goal, goal))
        if goal == "plan":
            return (self._plan(),)
        if goal == "forecast":
            return (self._forecast(),)
        if goal == "channels":
            return (Intent("compare_channels"),)
        if goal == "score" and about:
            if any(test.name != "lead_quality" for test in self._tests()) or len(slots.where) > 1:
                raise Unclear("a score is of one account or deal", f"why is {about.key} scored so high?")
            return (Intent("explain_score", {"key": about.key}),)
        if goal == "call" and about:
            self._only("score")
            return self._why_call()
        if goal == "lacking" and about:
            if slots.times:
                raise Unclear(
                    "what an account never bought is of all time: ask without the time, or what it bought then",
                    f"which products has {about.key} never bought", f"deals won with {about.key} this year",
                )  # fmt: skip
            self._only("lacking")
            return (Intent("not_bought", {"customer": about.key, "by": slots.by[0]}),)
        if goal == "draft":
            key = about.key if about else "KEY"
            raise Unclear("a draft is a command of its own", remedy=f"Run `medallion draft {key} --kind email`.")
        if goal == "define":
            return self._defined()
        if goal == "changed":
            return self._changed()
        if goal == "why":
            return self._why()
        if goal == "overview":
            return self._overview()
        if goal == "attain":
            return self._attained()
        if goal == "cover":
            return self._covering()
        if goal == "existing":
            self._only("existing")
            listed = self.of(_with(slots, goal="list", entity="deals", states=(("closed", True),)))._listed(())[-1]
            return (Intent("existing_or_new", {"records": listed}),)
        if slots.passage:
            self._only("passage")
            if len(slots.times) > 1:
                raise Unclear("a conversion in which of the times?", "conversion from new to won this year")
            times = {"period": slots.times[0].text if slots.times else None}
            return (Intent("passed_on", {"first": slots.passage[0], "then": slots.passage[1], **times}),)
        return None

    def _attained(self) -> tuple[Asked, ...]:
        """What is expected of a time, the current quarter where none is named, beside its quota."""
        slots = self.slots
        if "quota" not in metrics.metrics():
            raise without_quotas("revenue this quarter", so="so whether one is met is not known")
        self._only("attain")
        ends = [periods.read(time.text, self.today).last for time in slots.times]
        over = any(self.today.day and last and last < self.today.day for last in ends)
        if slots.team and not (over or slots.past):
            raise Unclear("a forecast is of all deals or of one rep", "how is my team doing against quota")
        if over or slots.past:  # what was won is known
            return self.of(_with(slots, goal="", metrics=("quota_gap",)))._asked()
        period = self._calendar() if slots.times else self._quarter()
        return (Intent("pipeline_forecast", {"period": period, "owner": self._forecast_of()}),)

    def _covering(self) -> tuple[Asked, ...]:
        """The open value that is due in a time, the current quarter where none is named, and what is left of the quota."""
        self._only("cover")
        if len(self.slots.times) > 1:
            raise Unclear("the pipeline of one time covers the quota of that time", "open value due next quarter")
        times = self.slots.times or (Time("this quarter", 0),)
        names = ("quota_coverage", "quota_gap", "quota") if "quota" in metrics.metrics() else ()
        of_each = [("open_value_due",), *([names] if names else [])]
        return tuple(
            self.of(_with(self.slots, goal="amount", metrics=of, times=times))._question(self._of_teams(of))
            for of in of_each
        )

    def _forecast_of(self) -> str | None:
        """The rep whose forecast is asked for; None for all deals."""
        slots = self.slots
        named = [test for test in self._tests() if test.name == "owner" and test.op == "=" and len(test.values) == 1]
        if len(named) != len(slots.where) or (named and slots.me) or slots.team:
            raise Unclear("a forecast is of all deals or of one rep", "forecast for this quarter")
        if slots.me and self.me is None:
            raise Unclear("I do not know who you are: say it with `--me NAME` or as `me` in the settings")
        return str(named[0].values[0]) if named else self.me if slots.me else None

    def _quarter(self) -> str:
        day = self.today.day or date.min
        return f"{day.year}-Q{(day.month + 2) // 3}"

    def _overview(self) -> tuple[Asked, ...]:
        """The main figures side by side: for everything, for who or what is named, or for each of those compared."""
        slots = self.slots
        self._only("overview")
        touches = any(
            name in ("channel", "direction", "outcome") for condition in slots.where for name in names_of(condition)
        )
        names = meanings()["overview"]["interactions" if touches else "deals"]
        flows = [name for name in names if metrics.metrics()[name].measure.additivity != "stock"]
        return self.of(_with(slots, goal="amount", metrics=tuple(flows if slots.times else names)))._asked()

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
            quota = slots.metrics in (("quota",), ("quota_attainment",))  # forecast vs quota: it has both
            own = quota or slots.metrics == ("revenue",)
            self.of(_with(slots, metrics=() if own else slots.metrics, where=(), me=False))._only("forecast")
        except Unclear as error:
            raise Unclear(
                "a forecast is of all deals of a month, quarter or year", "forecast for this quarter by owner"
            ) from error
        owner = self._forecast_of()
        if owner and not slots.by:
            period = self._calendar() if slots.times else self._quarter()
            return Intent("pipeline_forecast", {"period": period, "owner": owner})
        if owner:
            raise Unclear("the forecast of one rep cannot be split", "forecast for this quarter by owner")
        if not slots.times and not slots.by:
            return Intent("pipeline_forecast", {"period": self._quarter()} if quota else {})
        period, by = self._calendar(), self._forecast_by()
        return Intent("pipeline_forecast", {"period": period, "by": by})

    def _calendar(self) -> str:
        """The month, quarter or year of the calendar that is named."""
        times = self.slots.times
        span = periods.read(times[0].text, self.today) if len(times) == 1 else None
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
        dimensions = [names.get(name, name) for name in self.slots.by]
        if len(dimensions) > 1 or (dimensions and dimensions[0] not in _FORECAST_BY):
            raise Unclear(
                f"a forecast is split by one of {', '.join(_FORECAST_BY)}", "forecast for this quarter by owner"
            )
        return dimensions[0] if dimensions else None

    def _defined(self) -> tuple[Asked, ...]:
        names = list(self.slots.metrics)
        for state, _ in self.slots.states:
            names += [{"silent": "silent_deals", "overdue": "overdue_deals", "untouched": "never_touched_deals",
                       "open": "open_leads", "won": "won_leads", "lost": "lost_leads"}.get(state, "")]  # fmt: skip
        names = [name for name in names if name]
        if not names:
            raise Unclear("which metric is to be explained?", "how is the win rate calculated?")
        return tuple(Intent("definition", {"metric": name}) for name in names)

    def _changed(self) -> tuple[Asked, ...]:
        if not self.slots.times:
            raise Unclear("since when?", "what changed since Monday?", "what changed this month?")
        if len(self.slots.times) > 1:
            raise Unclear("what changed is of one time", "what changed since Monday?")
        if any(name == "stage" for condition in self.slots.where for name in names_of(condition)):
            raise Unclear("what changed is not of a stage", "which deals moved to Negotiation this month?")
        span = periods.read(self.slots.times[0].text, self.today)
        return (
            Intent(
                "what_changed", {"first": span.first, "last": span.last, "where": self._where(metrics.views()["deals"])}
            ),
        )

    def _why(self) -> tuple[Asked, ...]:
        """Why a figure moved, by its parts or by what is named; why it is what it is, beside that of all."""
        slots = self.slots
        self._only("why")
        if {name.removeprefix("team_") for name in slots.metrics} & {*meanings()["current"]}:
            raise Unclear(
                "why a quota was reached or missed is not computed: it is what was won beside the quota",
                "why did revenue change this quarter", "quota, won value and gap by owner this quarter",
            )  # fmt: skip
        restricted = bool(slots.where or slots.me)
        if restricted and not slots.by and (not slots.metrics or not (slots.times or slots.compare)):
            return self._beside_all()
        counted = slots.deed in ("win", "lose") or slots.entity == "deals"
        if not slots.metrics and not counted:
            raise Unclear("why what?", "why did revenue drop in May?")
        names = slots.metrics or self.of(_with(slots, goal="count", turn="", compare="", by=()))._metrics()
        if not slots.times and not slots.compare:
            raise Unclear("in which period?", f"why did {names[0].replace('_', ' ')} change last month?")
        time, compare = self._change(names) if len(slots.times) > 1 else (None, slots.compare or "previous")
        of = self.of(_with(slots, metrics=names, turn="", compare="", deed="" if slots.deed in OF_DEED else slots.deed))
        if slots.by:
            asked = of._question(names[:1], period=time, compare=compare)
            return (replace(asked, order=(Order("change", slots.turn != "down"),)),)
        return (Intent("explain_change", {"question": of._question(names[:1], period=time), "compare": compare}),)

    def _beside_all(self) -> tuple[Asked, ...]:
        """The figures that are asked about, the main ones where none is named, beside those of all deals; of one rep in Germany, beside all there."""
        slots = self.slots
        names = slots.metrics or tuple(meanings()["overview"]["reasons"])
        if len(slots.times) > 1:
            raise Unclear("one rep is compared with everybody for one period at a time", "win rate by owner last month")
        bare = _with(slots, metrics=names, turn="", compare="", versus=False, goal="")
        whose = {"owner", "account_manager", *TEAMS}
        others = tuple(part for part in slots.where if not whose & {*names_of(part)})
        person = slots.me or slots.team or len(others) < len(slots.where)
        everybody = _with(bare, where=others if person else (), me=False, team=False, team_of="")
        return (*self.of(bare)._figures(names), *self.of(everybody)._figures(names))

    def _why_call(self) -> tuple[Asked, ...]:
        """Reasons to call an account, or for and against a deal: what is open, the last touch, the next step and the score."""
        about = self.slots.about[0]
        score = Intent("explain_score", {"key": about.key})
        if about.kind == "deal":
            return (Records("deals", (Test("lead_id", "=", (about.key,)),)), score)
        columns = ("customer_id", "customer_name", "lead_quality", "lead_score", "open_deals", "open_value", "won_value", "last_touch_date", "next_step")  # fmt: skip
        return (Records("accounts", (Test("customer_id", "=", (about.key,)),), columns=columns), score)

    def _change(self, names: tuple[str, ...]) -> tuple[str, str]:
        """The later of two times, and how the earlier one relates to it: `previous` or `year-ago`."""
        spans = sorted(
            ((periods.read(time.text, self.today), time.text) for time in self.slots.times),
            key=lambda pair: pair[0].first or date.min,
        )
        (span, text), then = spans[-1], spans[0][0]
        beside = [
            name for name in ("previous", "year-ago") if _days(periods.before(span, name, self.today)[1]) == _days(then)
        ]
        if len(spans) > 2 or not beside:
            raise Unclear(
                "a change is explained from one time to the one before it",
                f"why did {(names or ('revenue',))[0].replace('_', ' ')} change last month?",
            )
        return text, beside[0]

    def _asked(self) -> tuple[Asked, ...]:
        slots = self.slots
        if slots.share and slots.goal in ("when", "average", "median"):
            raise Unclear(f"a share and {slots.goal!r} are two questions", "share of revenue by country")
        states = {state for state, positive in slots.states if positive}
        for state, wording in (("slipped", "that slipped, not of those that did not"), ("stuck", "that are stuck, not of those that are not")):  # fmt: skip
            if (state, False) in slots.states:
                raise Unclear(f"there is a list of the deals {wording}", f"which deals {wording.split(',')[0][5:]}", "open deals that are not overdue")  # fmt: skip
        if "slipped" in states:
            return (self._slipped(),)
        if ("new", False) in slots.states or ("new" in states and not self._new()):
            raise Unclear("new since when?", "new deals this week", "new customers this month", "deals in stage new")
        if (
            slots.deed == "move"
            or "stuck" in states
            or ("days_in_stage" in slots.fields and slots.rank)
            or any(threshold.column == "days_in_stage" for threshold in slots.thresholds)
        ):
            return self._stays()
        if slots.metrics == ("conversion_rate",) and slots.by == ("stage",):
            return (self._stage_conversion(),)
        if self._channels():
            return (Intent("compare_channels"),)
        if slots.rank and slots.rank.records and slots.by and not slots.metrics and slots.goal in ("", "list"):
            return (self._first_of_each(),)
        if slots.rank and slots.rank.way == "furthest":
            return (self._furthest(),)
        if slots.average:
            return (self._beside_average(),)
        if slots.without:
            return (self._without_touches(),)
        if slots.lacks or self._bought_nothing():
            return (self._without_deals(),)
        if none := self._without_figure():
            return (none,)
        if slots.deed == "create" and len(slots.times) > 1 and {"won", "lost", "closed"} & states:
            raise Unclear(
                "opened in one time and ended in another: only one of the two is read",
                "deals won in May by month opened",
            )
        if slots.share and slots.deed == "close" and any(map(beside, slots.where)):
            in_all = tuple(dict.fromkeys((*slots.states, ("closed", True))))
            return self.of(_with(slots, deed="", states=in_all))._asked()
        closed = ("closed", True) in slots.states or (slots.times and not slots.states and not slots.where)
        if slots.share and slots.deed == "win" and closed:
            return self._rate()
        if slots.entity == "accounts" and not slots.metrics and not slots.share and self._bought():
            return self._buyers()
        if slots.entity == "accounts" and slots.metrics and slots.rank and not slots.by:
            return self._accounts_by()
        column = meanings()["columns"]["accounts"].get(slots.metrics[0]) if len(slots.metrics) == 1 else None
        if (
            slots.each
            and slots.goal in ("", "list", "amount")
            and slots.entity == "accounts"
            and column
            and slots.rank
            and slots.rank.records
            and slots.by
            and not slots.times
        ):
            return (self.of(_with(slots, metrics=(), fields=(column,), goal="list"))._first_of_each(),)
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
        if slots.rank and slots.rank.count and (slots.share or self._in_the_first()):
            return (self._share_of_first(),)
        if ((slots.rank and slots.turn) or slots.moved) and len(slots.times) > 1:
            text, compare = self._change(slots.metrics)
            return self.of(_with(slots, times=(Time(text, 0),), compare=compare, versus=False))._asked()
        if self._are_contacts():
            return self.of(_with(slots, metrics=(), entity="contacts"))._listed(("contacts",))
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
        if slots.entity == "deals" and not self._is_listed(slots):
            return self._in_number()
        if slots.entity:
            return self._listed(names)
        products = [str(test.values[0]) for test in self._tests() if test.name == "product" and test.values]
        if slots.goal == "count" and slots.deed == "sell" and products:
            raise Unclear(
                "the number of units is no declared figure or dimension", f"how many deals of {products[0]} did we win"
            )
        raise Unclear(
            "the question does not say what is asked for", "how many open deals are there?", "revenue last month"
        )

    @staticmethod
    def _is_listed(slots: Slots) -> bool:
        """Whether deals that are only named, as `deals won in May` are, are listed and not counted: those that are work to do."""
        states = {state for state, is_in in slots.states if is_in}
        ended = bool(states & {"won", "lost", "closed"}) or slots.deed in ("win", "lose", "close")
        ended = ended and "open" not in states
        opened = states == {"open"} and slots.deed == "create" and bool(slots.times)
        asks = (
            slots.goal or slots.rank or slots.by or slots.about or slots.me or slots.fields or slots.columns or slots.average
            or slots.exists or slots.yes_no or slots.each or slots.refers or slots.ones or slots.rows
        )  # fmt: skip
        others = states & {*OF_OPEN, "new", "stuck", "slipped"} or any(map(beside, slots.where))
        keys = {"lead_id", "customer_id"} & {name for part in slots.where for name in names_of(part)}
        return bool(asks or others or keys or not (ended or opened))

    def _in_number(self) -> tuple[Asked, ...]:
        """The number of deals, and what those that have ended are worth."""
        slots = self.slots
        states = {state for state, is_in in slots.states if is_in}
        goal = "count" if states == {"open"} else "both"
        return self.of(_with(slots, goal=goal))._asked()

    def _new(self) -> bool:
        """Whether the question says since when something is new, for records that have a beginning."""
        time = any(split.startswith(("time:", "created")) for split in self.slots.by) or self.slots.times
        return bool(time) and (
            (self.slots.entity == "deals" and self.slots.deed in ("", "create")) or self.slots.entity == "accounts"
        )

    def _channels(self) -> bool:
        tested = [test.name for test in self._tests()]
        others = self.slots.times or self.slots.thresholds or self.slots.states or self.slots.about or self.slots.me
        return bool(self.slots.by == ("channel",) and self.slots.rank and tested == ["positive"]) and not others
