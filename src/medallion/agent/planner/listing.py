"""Slots as lists of records: deals, accounts, touches, stays in stages; one account or deal."""

from __future__ import annotations

from dataclasses import replace

from medallion import metrics
from medallion.agent.planner.counting import Counting
from medallion.agent.planner.forming import Asked, Intent, _with, any_of
from medallion.agent.planner.lexicon import meanings
from medallion.agent.planner.marking import Unclear
from medallion.agent.planner.slots import LISTED, OF_DEED, OF_LIFE, Rank, names_of
from medallion.metrics import periods
from medallion.metrics.conditions import Test
from medallion.metrics.question import Order, Question, Records, Split


class Listing(Counting):
    """Turns slots into lists of records."""

    def _listed(self, names: tuple[str, ...]) -> tuple[Asked, ...]:
        """A list of records, preceded by their number if the question only names them."""
        slots = self.slots
        self._only("list", *(["when"] if slots.rank and slots.rank.way in ("newest", "oldest") else []))
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
                    if self.me is not None or any(test.name == "owner" for test in self._tests())
                    else []
                ),
            )
        if len(slots.times) > 1:
            raise Unclear("a list is of one time", "deals won in May")
        if any(time.edge == "as of" for time in slots.times):
            raise Unclear("a list is of today", "open pipeline as of the end of May")
        if slots.times:
            where = (*where, *(Test(self._list_day(entity), "=", (time.text,)) for time in slots.times))
        order, limit = self._list_order(entity)
        asked_by = [
            name
            for clause in (*where, *order)
            for name in ((clause.name,) if isinstance(clause, Order) else names_of(clause))
        ]
        more = [name for name in asked_by if (column := view.field(name)) and column.type in ("number", "day")]
        if "created_date" in more and view.field("age_days"):
            more.append("age_days")
        more += [self._name(view, name, entity) for name in (*slots.fields, *slots.columns)]
        more = ["customer_id", *more] if view.field("customer_id") else more
        shown = tuple(dict.fromkeys((*view.key, *more, *view.listed)))
        listed = Records(entity, where, order=order, limit=limit, columns=shown)
        if slots.worth_too and not (slots.rank or slots.by or slots.fields):
            worth = self.of(_with(slots, goal="amount", worth_too=False))._asked()
            return (*worth, listed)
        alone = (
            not slots.goal
            and not slots.rank
            and not slots.about
            and not slots.me
            and not slots.asker
            and entity in ("deals", "accounts", "interactions", "contacts")
        )
        if alone and len(names) == 1 and not slots.times:
            return (self._question(names), listed)
        return (listed,)

    def _are_contacts(self) -> bool:
        """Whether contacts are listed: those of an account, in a role, or all where a list is asked for."""
        slots = self.slots
        figure = slots.by or slots.rank or slots.share or slots.compare or slots.versus or slots.turn
        some = slots.goal == "list" or slots.about or slots.where or slots.states
        return slots.metrics == ("contacts",) and slots.goal in ("", "list") and bool(some) and not figure

    def _best_accounts(self) -> tuple[Asked, ...]:
        """Accounts ranked by revenue."""
        revenue = self.of(_with(self.slots, metrics=("revenue",), entity="", by=("customer_name",), goal="amount"))
        if self.slots.rank and self.slots.rank.way not in ("desc", "asc", "best", "worst"):
            raise Unclear(f"{self.slots.rank.word!r} accounts by what?", "top 10 customers by revenue")
        return revenue.asked()

    def _list_day(self, entity: str) -> str:
        days: dict[str, str] = meanings()["days"]
        if entity == "interactions":
            return "date"
        if entity != "deals":
            raise Unclear(f"{entity} have no day of their own", "new customers this month")
        events = [self.slots.deed, *(state for state, positive in self.slots.states if positive)]
        if self.slots.deed == "close":
            return days["close"]
        day = next((days[event] for event in events if event in days), None)
        if day is None:
            raise Unclear(
                "deals of which time: opened, closed or expected to close then?",
                "deals opened this month", "deals won this month", "deals closing this month",
            )  # fmt: skip
        return day

    def _list_order(self, entity: str) -> tuple[tuple[Order, ...], int]:
        rank, fields = self.slots.rank, self.slots.fields
        view = metrics.views()[entity]
        if rank is None:
            column = {
                "deals": "deal_value",
                "accounts": "lead_score",
                "interactions": "date",
                "contacts": "touches",
            }.get(entity)
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
        if rank.lasts and not fields:
            return (Order(self._lasted(entity, rank), rank.way in ("desc", "worst")),), rank.limit or LISTED
        column = self._name(view, fields[0], entity) if fields else {"deals": "deal_value"}.get(entity)
        if column is None or (rank.way in ("best", "worst") and not fields):
            raise Unclear(f"{rank.word!r} {entity} by what?", "top 10 deals by value")
        return (Order(column, rank.way in ("desc", "best")),), rank.limit or LISTED

    def _lasted(self, entity: str, rank: Rank) -> str:
        """The column that says how long records took: the fastest win, the longest call, the longest open deal."""
        states = {state for state, is_in in self.slots.states if is_in}
        ended = self.slots.deed in OF_DEED or bool(states & {"won", "lost", "closed"})
        is_open = "open" in states and rank.way == "desc"
        if entity == "deals" and (ended or is_open):
            return "cycle_days" if ended else "age_days"
        if entity == "interactions":
            return "duration_minutes"
        raise Unclear(f"{rank.word!r} {entity} by what?", "the fastest deals that we won", "sales cycle by owner")

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
        listed = self.of(bare)._listed(())[0]
        assert isinstance(listed, Records)  # noqa: S101 - a list
        columns = tuple(dict.fromkeys((group, *listed.columns)))
        return replace(listed, each=group, columns=columns)

    def _furthest(self) -> Intent:
        """The open deals that are furthest along the stages."""
        slots = self.slots
        ended = {state for state, is_in in slots.states if is_in} & (OF_LIFE - {"open"})
        if slots.entity != "deals" or slots.goal not in ("", "list") or slots.metrics or slots.by or ended:
            raise Unclear("what is furthest along are open deals", "which of my open deals are furthest along")
        opened = slots.states if ("open", True) in slots.states else (*slots.states, ("open", True))
        listed = self.of(_with(slots, rank=None, goal="list", states=opened))._listed(())
        return Intent("furthest", {"records": listed[0]})

    def _owner_of_first(self) -> tuple[Asked, ...]:
        """The first records, with the split that is asked for: which rep has the biggest open deal."""
        view = metrics.views()["deals"]
        group = self._name(view, self.slots.by[0], "deals")
        listed = self.of(_with(self.slots, by=(), goal="list"))._listed(())
        return tuple(
            replace(request, columns=tuple(dict.fromkeys((group, *request.columns))))
            for request in listed
            if isinstance(request, Records)
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
        listed = self.of(_with(slots, average=None, goal="list"))._listed(())[-1]
        assert isinstance(listed, Records)  # noqa: S101 - a list
        given = {"records": listed, "column": column, "op": average.op, "group": group}
        return Intent("beside_average", given)

    def _without_touches(self) -> Intent:
        """Accounts without a touch in a time or of a kind; deals by those of their account."""
        slots = self.slots
        assert slots.without is not None  # noqa: S101 - asked for
        if slots.entity not in ("accounts", "deals") or slots.goal not in ("", "list", "count") or slots.metrics:
            raise Unclear("what had no touches is an account or a deal", "customers not touched this month")
        ended = tuple((state, True) for state in OF_DEED.get(slots.deed, ()))
        states = slots.states or ended or ((("open", True),) if slots.entity == "deals" else ())
        if slots.me and self.me is None:
            self._mine(metrics.views()[slots.entity])  # says so
        listed = self.of(_with(slots, without=None, goal="list", states=states))._listed(())[-1]
        if not isinstance(listed, Records) or slots.rank:
            raise Unclear("what had no touches is listed, not ranked", "customers not touched this month")
        channel, period = slots.without
        last = periods.read(period, self.today).last if period else None
        if slots.entity == "deals" and last and self.today.day and last < self.today.day:
            listed = replace(listed, where=(*listed.where, Test("created_date", "=", (f"until {last}",))))
        where = (Test("channel", "=", (channel,)),) if channel else ()
        touches = Question(("touches",), (Split("customer_id"),), where, period or None)
        return Intent("without_touches", {"records": listed, "touches": touches})

    def _bought_nothing(self) -> bool:
        """Whether accounts are asked for that bought nothing in a time, which is no state of an account as never having bought is."""
        denied = {("bought", False), ("won", False)} & {*self.slots.states}
        return self.slots.entity == "accounts" and bool(denied) and bool(self.slots.times)

    def _without_deals(self) -> Intent:
        """Accounts that have not bought some products, or nothing in a time, of those that bought others or of all that are named."""
        slots = self.slots
        if slots.entity != "accounts" or slots.goal not in ("", "list", "count") or slots.metrics or slots.by:
            raise Unclear("only accounts can lack a product", "customers that have not bought Routing")
        if len(slots.times) > 1 or slots.rank or slots.deed:
            raise Unclear("accounts that bought nothing in which time?", "customers that bought nothing this year")
        positive = any(name in ("product", "category") for part in slots.where for name in names_of(part))
        if slots.times and positive:
            raise Unclear("is the period about what was bought, or about what was not?", remedy="Ask without the time.")
        bare = _with(slots, lacks=(), goal="list", times=slots.times if positive else ())
        if positive:
            bare = _with(bare, states=tuple({**dict(slots.states), "bought": True}.items()), goal="")
            (listed,) = self.of(bare)._buyers()
        else:
            states = tuple(state for state in slots.states if state not in (("bought", False), ("won", False)))
            sizes = () if self._bought_nothing() else slots.thresholds  # no deal over 50k won this year
            listed = self.of(_with(bare, states=states, thresholds=sizes))._listed(())[-1]
        period = slots.times[0].text if slots.times and not positive else None
        own = _with(
            self.slots, where=(), states=(), me=False, lacks=(), entity="", by=("customer_name",), times=(), goal=""
        )
        own = _with(
            own, thresholds=tuple(replace(limit, column=limit.column or "deal_value") for limit in slots.thresholds)
        )
        if slots.lacks:
            own = _with(own, thresholds=())
        of_each: list[tuple[Test, ...]] = [(product,) for product in slots.lacks] or [()]
        bought = tuple(
            replace(
                self.of(_with(own, where=product))._question(("won_leads",), period=period),
                having=(any_of(("won_leads",)),),
            )
            for product in of_each
        )
        return Intent("without_deals", {"asked": listed, "bought": bought, "count": slots.goal == "count"})

    def _stays(self) -> tuple[Asked, ...]:
        """Deals that moved to a stage, or have been in theirs for long."""
        self._only("stages")
        if any(state not in (("stuck", True), ("open", True)) for state in self.slots.states):
            raise Unclear("stuck and moved are of open deals, whatever else they are", "which deals are stuck?")
        slots = self.slots
        view = metrics.views()["stage_changes"]
        long = [threshold for threshold in slots.thresholds if threshold.column == "days_in_stage"]
        sizes = tuple(
            replace(threshold, column=threshold.column or "deal_value")
            for threshold in slots.thresholds
            if threshold not in long
        )
        where = self.of(_with(slots, states=(), thresholds=sizes, deed="", by=()))._where(view)
        if slots.goal in ("amount", "both"):
            raise Unclear("stays in stages have a number, but no value", "which deals are stuck?")
        rank, limit = slots.rank, LISTED
        if (slots.fields or rank) and not (slots.fields in ((), ("days_in_stage",)) and rank and slots.deed != "move"):
            raise Unclear("deals in a stage are listed by how long they are in it", "which deals are stuck?")
        if rank and slots.by:
            raise Unclear(
                "the longest in a stage are deals: ask for them", "which deals are in negotiation the longest"
            )
        sized = rank is not None and rank.way in ("desc", "asc") and not (rank.lasts or slots.fields)
        if rank and not (rank.lasts or slots.fields or sized):
            raise Unclear(f"{rank.word!r} of the deals in a stage by what?", "deals longest in their stage")
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
            where = (*where, *(Test("days_in_stage", threshold.op, (threshold.value,)) for threshold in long))
            if not long and (rank is None or sized):
                where = (*where, Test("days_in_stage", ">", ("30",)))
            column = "deal_value" if sized else "days_in_stage"
            order = (Order(column, rank is None or rank.way in ("desc", "worst")),)
            limit = rank.limit or LISTED if rank else LISTED
        if slots.me and self.me is not None:
            where = (*where, self._mine(view))
        if slots.goal in ("count", "amount") or slots.by:
            return (Question(("stage_entries",), self._by(view), where),)
        more = ["deal_value"] * sized + [threshold.column for threshold in sizes]
        columns = tuple(dict.fromkeys((*view.key, *more, *view.listed))) if more else ()
        return (Records("stage_changes", where, order=order, limit=limit, columns=columns),)

    def _slipped(self) -> Intent:
        self._only("slipped deals")
        view = metrics.views()["deals"]
        slots = _with(self.slots, states=tuple(state for state in self.slots.states if state[0] != "slipped"))
        period = self.slots.times[0].text if self.slots.times else "this quarter"
        where = (*self.of(slots)._where(view), *([self._mine(view)] if slots.me else []))
        return Intent("slipped_deals", {"period": period, "where": where})

    def _stage_conversion(self) -> Intent:
        self._only("conversion by stage")
        if self.slots.where or self.slots.about:
            raise Unclear("the conversion of stages is of all deals", "conversion by stage last quarter")
        return Intent("stage_conversion", {"period": self.slots.times[0].text if self.slots.times else None})

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
        record = slots.about[0]
        entity = "deals" if record.kind == "deal" else "accounts"
        key = "lead_id" if record.kind == "deal" else "customer_id"
        where = (Test(key, "=", (record.key,)),)
        if slots.goal == "when" and not slots.fields:
            raise Unclear(f"when what of {record.name}?", f"when was {record.name} last contacted?")
        if not slots.fields:
            if record.kind == "deal":
                return (
                    Records("deals", where, limit=1),
                    Records(
                        "stage_changes",
                        where,
                        order=(Order("entered_date"),),
                        columns=("stage", "entered_date", "days_in_stage"),
                    ),
                )
            return (Intent("account_brief", {"customer": record.key}),)
        if slots.goal == "when" and "probability" in slots.fields:
            raise Unclear(f"when what of {record.name}?", f"when does {record.name} close?")
        if "probability" in slots.fields:
            if record.kind == "deal":
                return (Intent("explain_score", {"key": record.key}),)
            return (Intent("account_brief", {"customer": record.key}),)
        view = metrics.views()[entity]
        worth = {"deal_value": ("won_value", "open_value")} if record.kind == "account" else {}
        fields = [name for concept in slots.fields for name in worth.get(concept, (concept,))]
        columns = tuple(self._name(view, name, entity) for name in fields)
        silent = record.kind == "deal" and "last_touch_date" in slots.fields  # of a deal how long ago is known
        if (
            slots.goal == "when"
            and not silent
            and not any((column := view.field(name)) and column.type == "day" for name in columns)
        ):
            raise Unclear(
                f"{', '.join(slots.fields).replace('_', ' ')} is no day", f"when was {record.name} last contacted?"
            )
        return (Records(entity, where, columns=tuple(dict.fromkeys((key, "customer_name", *columns)))),)
