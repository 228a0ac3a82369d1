"""Slots as figures: metrics, splits, periods, orders and shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from medallion import metrics
from medallion.agent.planner.forming import Asked, Forming, Intent, _with, any_of
from medallion.agent.planner.lexicon import meanings
from medallion.agent.planner.marking import Unclear, without_quotas
from medallion.agent.planner.slots import OF_DEED, TEAMS, beside, names_of, selected
from medallion.agent.planner.times import Time
from medallion.metrics import Metric, MetricView
from medallion.metrics.conditions import Test
from medallion.metrics.question import Order, Question, Split


class Counting(Forming):
    """Turns slots into figures."""

    def _metrics(self) -> tuple[str, ...]:
        """The metrics that are asked for, by name or by what is counted of which records."""
        slots = self.slots
        of_quota = {*slots.metrics, *(threshold.column for threshold in slots.thresholds)} & {*meanings()["current"]}
        if of_quota and not of_quota & metrics.metrics().keys():
            raise without_quotas("revenue this quarter by owner")
        if slots.metrics == ("quota_gap",):
            return self._of_teams(tuple(meanings()["overview"]["quota"]))
        if slots.goal == "both" and not slots.entity and len(slots.metrics) == 1:
            return self._both_of(slots.metrics[0])
        if slots.metrics:
            if slots.entity == "deals" and slots.goal in ("count", "both") and not slots.rank:
                return (*self._of_states(slots.metrics), self._number_beside(slots.metrics[0]))
            return self._of_states(self._of_teams(slots.metrics))
        entity, goal = slots.entity, slots.goal
        if not entity:
            figures = tuple(threshold.column for threshold in slots.thresholds if threshold.column in metrics.metrics())
            if slots.by and figures and goal not in ("average", "median"):
                return self._of_teams(figures[:1])  # countries with a win rate under 41%
            money = [threshold for threshold in slots.thresholds if threshold.money and not threshold.column]
            if slots.by and money and goal in ("", "list") and not (slots.deed or slots.states or slots.rank):
                return ("revenue",)  # which reps are below 1m this quarter
            if goal == "count" and slots.deed in ("win", "lose") and slots.rank:
                return self._of_deed("count")  # which industry do we lose in most often
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

    @staticmethod
    def _both_of(name: str) -> tuple[str, ...]:
        """The number and the value of the deals that a figure is one of both of: `wins in June, how many and how much`."""
        of = meanings()["measures"]["deals"]
        states = [state for kind in ("count", "value") for state, metric in of[kind].items() if metric == name]
        if not states:
            label = metrics.metrics()[name].measure.display_name.lower()
            raise Unclear(f"the number and the value of {label}?", "how many deals did we win, and how much")
        return str(of["count"][states[0]]), str(of["value"][states[0]])

    def _of_teams(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The metrics of teams where teams are asked for: a team may have a quota of its own."""
        of_team = self.slots.team or any(test.name in TEAMS for test in self._tests())
        asked = TEAMS & {*self.slots.by} or (of_team and "owner" not in self.slots.by)
        if not asked or not {*names} <= {*meanings()["current"]}:
            return names
        return tuple(team for name in names if (team := f"team_{name}") in metrics.metrics()) or names

    def _number_beside(self, name: str) -> str:
        """The metric that counts the deals a figure is about: `how many deals and how much revenue`."""
        metric, count = metrics.metrics()[name], meanings()["measures"]["deals"]["count"]
        states = selected(metric)
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
            if goal == "average" and (mean := meanings()["averages"]["fields"].get(slots.fields[0])):
                return self._of_states((mean,))
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
        names = tuple(of[state] for state in dict.fromkeys(states) if state in of)
        implied = {"overdue", "silent", "untouched", "never_touched"} & {*states}
        if (
            not names
            and entity == "deals"
            and (implied or any(threshold.column == "days_silent" for threshold in self.slots.thresholds))
        ):
            return (of.get("open") or of[""],)
        return names or (of[""],)

    def _of_states(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Metrics of all deals narrowed to the states that are named: the average value of won deals."""
        narrowed: list[str] = []
        for name in names:
            family = next(
                (of for kinds in meanings()["measures"].values() for of in kinds.values() if of.get("") == name), None
            )
            states = [state for state, positive in self.slots.states if positive and family and state in family]
            narrowed += [family[state] for state in states] if family and states else [name]
        return tuple(narrowed)

    def _figures(self, names: tuple[str, ...]) -> tuple[Asked, ...]:
        slots = self.slots
        self._only("figure", "average", "median")
        if not slots.times and self._of_now(names):
            return self.of(_with(slots, times=(Time("this quarter", 0),)))._figures(names)
        names = self._with_none(names)
        view = metrics.metrics()[names[0]].view
        rate = metrics.metrics()[names[0]].measure
        # how many reps are below 80%
        reached = slots.by and any(threshold.column == names[0] for threshold in slots.thresholds)
        if slots.goal == "count" and rate.format.type == "percentage" and not reached:
            raise Unclear(
                f"how many, or the {rate.display_name.lower()}?",
                f"What is the {rate.display_name.lower()}?",
                "how many deals did we win?",
            )
        if len(slots.times) > 1:
            if len(slots.times) > 2 and not slots.versus:
                raise Unclear("the question names several times", "revenue in May and in June")
            return tuple(self._question(names, period=time.text) for time in slots.times)
        compare = slots.compare
        if any(time.edge == "as of" for time in slots.times) and rate.additivity != "stock":
            raise Unclear(
                f"{rate.display_name} is of a time, not of a day", f"{rate.display_name.lower()} until the end of May"
            )
        if slots.turn and not compare and not slots.times and not any(split.startswith("time:") for split in slots.by):
            raise Unclear(
                "compared with when?", f"{names[0].replace('_', ' ')} this quarter compared with the one before"
            )
        timed = any(split.startswith("time:") for split in slots.by)
        if slots.turn and slots.times and not compare and not timed:
            compare = "previous"
        if compare == "year-ago" and not slots.times:
            return (self._question(names, period="this year", compare=compare),)
        if compare and not slots.times:
            raise Unclear("a comparison needs a period", f"{names[0].replace('_', ' ')} this quarter vs a year ago")
        if slots.versus and not (slots.by or compare or slots.times or len(names) > 1):
            raise Unclear("compared with what?", f"{names[0].replace('_', ' ')} by owner")
        asked = self._question(names, compare=compare)
        if self._may_differ_in_year(names, compare):
            whole = self.of(_with(slots, times=(Time("last year", 0),), compare="", turn=""))
            return (asked, whole._question(names))
        if slots.with_total:
            if not slots.by or compare:
                raise Unclear("the total of what split?", "revenue by owner and in total")
            return (asked, self.of(_with(slots, by=(), rank=None, with_total=False, whole=True))._question(names))
        state = metrics.metrics()[names[0]]
        past = (
            slots.past
            and state.measure.additivity == "stock"
            and not slots.times
            and not slots.thresholds
            and view.entity == "deals"
        )
        if past and not any(threshold.column for threshold in slots.thresholds):
            raise Unclear(
                f"{state.measure.display_name} is a state: of which day?",
                f"{state.measure.display_name.lower()} today", f"{state.measure.display_name.lower()} at the end of last month",
            )  # fmt: skip
        return (asked,)

    def _may_differ_in_year(self, names: tuple[str, ...], compare: str) -> bool:
        """Whether it is asked if a rate has become better or worse this year: beside the same part of the last year the whole of it."""
        slots = self.slots
        rate = len(names) == 1 and metrics.metrics()[names[0]].measure.additivity == "ratio"
        moved = slots.turn in ("up", "down") and slots.yes_no and compare == "previous" and not slots.by
        return bool(rate and moved) and [time.text for time in slots.times] in (["this year"], ["ytd"])

    def _with_none(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Numbers of deals in a time beside those open and lost, where who has few is asked: who has none has no row else."""
        if names not in (("won_leads",), ("lost_leads",), ("revenue",)) or not (self.slots.by and self.slots.times):
            return names
        limits = [limit for limit in self.slots.thresholds if limit.op in ("<", "<=", "=")]
        if not any(self._of_figure(limit, names, metrics.metrics()[names[0]].view) for limit in limits):
            return names
        still = "total_leads" if TEAMS & {*self.slots.by} else "open_leads"  # which is not kept by team
        return tuple(dict.fromkeys((*names, *(() if names == ("revenue",) else ("won_leads",)), "lost_leads", still)))

    def _of_now(self, names: tuple[str, ...]) -> bool:
        """Whether figures are of the current quarter where no time is said: quotas, unless they are split by time."""
        current = {name.removeprefix("team_") for name in names} & {*meanings()["current"]}
        return bool(current) and not any(split.startswith(("time:", "quota_")) for split in self.slots.by)

    def _question(self, names: tuple[str, ...], *, period: str | None = None, compare: str = "") -> Question:
        """The question of some metrics with the conditions, splits, period and order of the slots."""
        slots = self.slots
        metric = metrics.metrics()[names[0]]
        view = metric.view
        by = self._by(view, metric)
        chosen = [metrics.metrics()[name] for name in names]
        counted = frozenset[str]().union(*map(selected, chosen))
        every = (
            counted if all(map(selected, chosen)) else frozenset[str]()
        )  # a median of all beside the mean of those won
        where = self._where(view, metric, every)
        self._deed_fits(chosen)
        time = period or (slots.times[0].text if slots.times else None)
        if view.entity == "deals" and "stage" in slots.by and counted == {"open"} and not (time or compare):
            where = (*where, Test("open", "is"))  # no open deal is in a stage where deals have ended
        days = [day for each in chosen if (day := self._day(each, view)) not in (None, each.measure.period)]
        if day := next(iter(days), None):
            by = tuple(replace(split, name=str(day)) if split.name == "time" else split for split in by)
            if time:
                where, time = (*where, Test(str(day), "=", (time,))), None
        having = tuple(
            Test("value" if len(names) == 1 else names[0], threshold.op, (self._written(threshold, metric),))
            for threshold in slots.thresholds
            if self._of_figure(threshold, names, view)
        )
        if compare and slots.moved and not slots.rank and len(names) == 1:
            having = (*having, Test("change", ">" if slots.turn == "up" else "<", ("0",)))
        order, limit = self._order(names, bool(by), metric)
        if slots.me:
            where = (*where, self._mine(view))
        return Question(
            tuple(dict.fromkeys(names)), by, where, time, compare or None, having, order, limit  # type: ignore[arg-type]
        )  # fmt: skip

    def _day(self, metric: Metric, view: MetricView) -> str | None:
        """The date column that the period applies to, if the question names one."""
        if view.entity != "deals":
            return None
        days: dict[str, str] = meanings()["days"]
        if self.slots.deed in ("create", "due"):
            return days[self.slots.deed]
        ended = {state for state, is_in in self.slots.states if is_in} & {"open", "won", "lost", "closed"}
        if ended and "open" not in ended and metric.measure.period == days["create"] and not selected(metric):
            return days["close"]  # the average size of the deals lost in May
        return None

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
        lasting = metric.measure.unit in ("days", "hours", "minutes")
        if rank.lasts and not lasting:
            raise Unclear(
                f"{rank.word!r} is about time, and {metric.measure.display_name.lower()} is not",
                "sales cycle by owner",
            )
        if self.slots.turn == "down" and rank.way == "asc":
            raise Unclear(
                f"does {rank.word!r} mean the smallest fall or the biggest?",
                f"which {self.slots.by[0]} fell the most",
            )
        if self.slots.turn:  # which grew the most; all of them, where it does not say up or down
            down = (self.slots.turn == "down") == (rank.way in ("asc", "worst"))
            return (Order("change", down),), rank.limit if self.slots.turn in ("up", "down") else None
        less = names[0] in meanings()["less_is_better"] or bool(bad)
        down = rank.way == "desc" or (rank.way == "best" and not less) or (rank.way == "worst" and less)
        return (Order(names[0], down),), rank.limit

    def _by(self, view: MetricView, metric: Metric | None = None) -> tuple[Split, ...]:
        splits: list[Split] = []
        for name in self.slots.by:
            if name == "weekday" and metric and not view.field("weekday"):
                day = self._day(metric, view) or metric.measure.period or ""
                splits.append(Split(self._name(view, f"{day.removesuffix('_date')}_weekday", view.entity)))
                continue
            if name.startswith("time:"):
                splits.append(Split("time", name[5:]))
                continue
            if name == "customer_name" and view.field("customer_id") and view.entity != "accounts":
                splits.append(Split("customer_id"))
            splits.append(Split(self._name(view, name, view.entity)))
        return tuple(splits)

    def _deed_fits(self, chosen: Sequence[Metric]) -> None:
        """Refuse a figure that does not measure the deals of the verb: the win rate of what we won."""
        deed, views = self.slots.deed, {metric.view.entity for metric in chosen}
        own = frozenset[str]().union(*map(selected, chosen))
        label = chosen[0].measure.display_name
        fits = own == frozenset(OF_DEED.get(deed, ())) or (deed == "close" and own and own <= OF_DEED["close"])
        of_touches = deed == "sell" and views == {"interactions"}  # calls that were made
        if deed in OF_DEED and not of_touches and not (fits and views == {"deals"}):
            raise Unclear(f"{label} is not of deals that we {deed}", f"{label.lower()} this month")
        if deed in ("create", "due") and views != {"deals"}:
            raise Unclear(f"{label} is not of deals that are {deed}d" if deed == "create" else f"{label} is not due")

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
            return self.of(_with(slots, metrics=(), fields=(column,), goal="list")).asked()
        return self.of(_with(slots, entity="", by=("customer_name",)))._asked()

    def _rate(self) -> tuple[Asked, ...]:
        """`what share of the closed deals did we win`: the win rate."""
        states = tuple(state for state in self.slots.states if state != ("closed", True))
        asked = _with(self.slots, share=False, deed="", states=states, metrics=("win_rate",), entity="", goal="")
        return self.of(asked)._asked()

    def _bought(self) -> bool:
        """Whether accounts are asked for by what they bought and when."""
        slots = self.slots
        deal = any(
            name in ("product", "product_id", "category", "source")
            for condition in slots.where
            for name in names_of(condition)
        )
        won = slots.deed in ("win", "sell", "close") or any(
            state in (("bought", True), ("won", True)) for state in slots.states
        )
        return won and (bool(slots.times) or deal) and not slots.rank

    def _buyers(self) -> tuple[Asked, ...]:
        """Accounts that bought, with what they bought."""
        products = [name for part in self.slots.where for name in names_of(part) if name in ("product", "category")]
        if len(products) > 1 or self.slots.anded:
            raise Unclear("of which products: of one of them, or of each?", "customers that bought this year")
        if self.slots.goal == "count" and self.slots.deed in ("win", "close"):
            raise Unclear("accounts that are won: those that are new, or all that bought?", "new customers this month", "how many customers bought this month")  # fmt: skip
        if self.slots.goal in ("amount", "average", "median"):
            raise Unclear("accounts that bought are listed or counted", "how many customers bought this month", "which customers bought this month")  # fmt: skip
        deals = _with(self.slots, entity="", goal="", states=(("won", True),), by=("customer_name",), deed="")
        asked = self.of(deals)._question(("revenue", "won_leads"))
        where = (
            asked.where
            if any(str(condition) == "won" for condition in asked.where)
            else (*asked.where, Test("won", "is"))
        )
        if self.slots.goal == "count":
            return (self._in_number_of(replace(asked, metrics=("won_leads",), where=where)),)
        return (replace(asked, where=where, order=(Order("revenue", True),)),)

    @staticmethod
    def _in_number_of(asked: Question) -> Intent:
        """How many rows of an answer have something of one of its figures, or what the question wants of them."""
        having = asked.having or (any_of(asked.metrics),)
        return Intent("number_of", {"asked": replace(asked, having=having, order=())})

    def _in_the_first(self) -> bool:
        """Whether the question asks how much of a figure the top rows hold: `how much of our pipeline is in the top 5 deals`."""
        slots = self.slots
        named = slots.entity in ("deals", "accounts") and len(slots.metrics) == 1 and not slots.by
        return named and slots.goal == "amount" and metrics.metrics()[slots.metrics[0]].measure.additivity != "ratio"

    def _share_of_first(self) -> Intent:
        """The share of a figure that the top rows hold: the revenue of the top ten customers."""
        slots, rank = self.slots, self.slots.rank
        self._only("share of the first")
        if rank is None or rank.way not in ("desc", "best") or rank.skip or len(slots.metrics) > 1:
            raise Unclear("a share of which first ones?", "share of revenue of the top 10 customers")
        by = slots.by or {"accounts": ("customer_name",), "deals": ("lead_id",)}.get(slots.entity, ())
        if len(by) != 1 or by[0].startswith("time:"):
            raise Unclear("a share of which first ones?", "share of revenue of the top 10 customers")
        sizes = tuple(replace(threshold, column=threshold.column or "deal_value") for threshold in slots.thresholds)
        slots = _with(slots, thresholds=sizes)  # of the deals that count, not of what they come to
        if slots.metrics:
            names = slots.metrics
        elif not slots.by:
            names = ("revenue",) if slots.entity == "accounts" else ("total_deal_value",)
        elif slots.entity:
            names = self.of(_with(slots, goal="count", share=False, rank=None, by=(), deed=""))._metrics()
        else:
            raise Unclear("a share of what?", "share of revenue of the top 10 customers")
        measure = metrics.metrics()[names[0]].measure
        if measure.additivity == "ratio" or measure.format.type == "percentage":
            raise Unclear(f"{measure.display_name} does not add up, so it has no shares", "share of revenue by owner")
        rest = self.of(_with(slots, entity="", goal="amount", metrics=names, by=by, share=False, rank=None))
        part = rest._question(names)
        ordered = replace(part, order=(Order(names[0], True),), limit=rank.count)
        whole = self.of(_with(rest.slots, by=()))._question(names)
        return Intent("share_of_first", {"part": ordered, "whole": whole})

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
            timed = all(name.startswith("time:") for name in slots.by)
            if slots.where and timed and slots.of_before and slots.narrow == "where":
                whole = self.of(_with(slots, where=slots.where[:-1]))._question(names)
                return Intent("share_of", {"part": self._question(names), "whole": whole})
            if slots.where and timed:
                raise Unclear(
                    "a share of each period's own total, or of the total of all periods?", "share of touches by channel"
                )
            return Intent("share_of", {"part": self._question(names), "whole": None})
        less: dict[str, Any] = {
            "where": {"where": slots.where[:-1]}, "states": {"states": slots.states[:-1]}, "thresholds": {"thresholds": ()},
            "beside": {"where": tuple(condition for condition in slots.where if not beside(condition))},
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
        rest = self.of(_with(slots, **less[narrow]))
        of = rest._metrics()
        part, whole = self._question(names), rest._question(of if len(of) == 1 else names)
        return Intent("share_of", {"part": part, "whole": whole})
