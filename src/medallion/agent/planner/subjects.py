"""What a question asks for: metrics, columns and records."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from medallion import metrics
from medallion.agent.planner.lexicon import Sense, meanings
from medallion.agent.planner.marking import Unclear
from medallion.agent.planner.quotas import Quotas
from medallion.agent.planner.restricting import OF_CONTACTS
from medallion.agent.planner.slots import OF_LIFE, TEAMS, Rank, Threshold, names_of, selected
from medallion.metrics.conditions import Test


class _Figure(NamedTuple):
    """A figure beside others.

    Attributes:
        name: Its metric.
        end: The place after it.
        counted: Whether it is a number of records in a state.
        whole: Whether it is asked for as a question of its own is: `what is the win rate`.
    """

    name: str
    end: int
    counted: bool
    whole: bool = False


class Subjects(Quotas):
    """Reads which metrics, columns and records are asked for."""

    def _subject(self) -> None:
        """Metrics, columns and records that are asked for."""
        for place in self.places("metric"):
            sense = self.spans[place].of("metric")
            column = self.spans[place].of("field")
            if sense is None:
                continue
            if column and self.about and not metrics.metrics()[sense.name].measure.period:
                self.fields.append(column.name)
            elif (
                (self.spans[place].of("entity") and self.goal == "list" and not self.by)
                or self.spans[place].of("kind")
                or (self.spans[place].of("entity") and self.rank and self.rank.way in ("newest", "oldest"))
                or (self.spans[place].of("entity") and (self.metrics or self.entity))
            ):
                continue
            else:
                self.metrics += (
                    self._means(sense.name, each=column == Sense("field", "deal_value"))
                    if self.goal in ("average", "median")
                    else [sense.name]
                )
                measured = [at for at in range(place) if self.spans[at].used and self.spans[at].of("metric")]
                joints = ("and", "vs", "comma", "with", "or", "by", "gt", "lt", "from", "to")
                if (
                    len(set(self.metrics)) > 1
                    and measured
                    and not any(span.of(*joints) for span in self.spans[measured[-1] + 1 : place])
                ):
                    raise Unclear(
                        f"{self.spans[measured[-1]].text!r} or {self.spans[place].text!r}: ask for one of them, or for both with 'and'"
                    )
            self.use(place, *[at for at in (place + 1,) if self.has(at, "figure")])  # the pipeline number
            measured_in = metrics.metrics()[sense.name].measure.unit if sense.name in metrics.metrics() else ""
            if measured_in in ("days", "hours", "minutes") and self.take("how_long"):
                self._take_duration()  # how long do we take to answer
            for unit in self.places("unit"):
                if measured_in == f"{self.spans[unit].of('unit').name}s" and self.spans[unit - 1].of("prep"):  # type: ignore[union-attr]
                    self.use(unit)  # the sales cycle in days
            joint = self.near(place, -1)
            if len(self.metrics) + len(self.fields) > 1 and self.has(joint, "and", "vs"):
                self.use(joint)
        for place in self.places("entity", "kind", "outcome", "booked", "direction"):
            self._records(place)
        for place in self.places("field"):
            sense = self.has(place, "field")
            worth = sense and sense.name == "deal_value" and self.entity == "deals" and not self.about
            if worth and self.goal in ("average", "median"):
                self.use(place)  # the average size of the deals that we won
                continue
            if worth and not (self.goal or self.rank) and (self.total or not self.places("list")):
                self.goal = "amount"  # montant total des affaires ouvertes
                self.use(place)
                continue
            of_before = self.before is not None and self.before.entity == "deals" and len(self.spans) == 1
            of_before = of_before or (self.refers and self.before is not None and self.before.entity == "deals")
            asked = self.about or self.entity or self.rank or of_before or self.goal in ("when", "average", "median")
            if sense and asked:
                self.fields.append(sense.name)
                self.use(place)
        if self.about:
            for place in self.places("dim"):
                sense = self.has(place, "dim")
                self.fields.append(sense.name if sense else "")
                self.use(place)
                if sense and sense.name in ("owner", "account_manager", "owner_manager"):
                    self.take("who")
            own = [place for place in self.places("verb") if self._says(place, "verb", "own")]
            asks = own or self.fields or self.goal or self.metrics or self.places("verb") or self._of_contacts()
            if not asks and self.places("who"):
                self.fields.append("owner")  # whose deal is L-1
                self.use(*self.places("who", "entity"))
            if own and self.places("who", "list"):
                self.fields.append("owner")
                self.use(*own, *self.places("who", "list"))
            if self.goal == "amount" and self.fields and self.about[0].kind == "deal":
                self.fields, self.goal = [*self.fields, "deal_value"], ""  # stage, owner and value of L-1
            for place in self.places("and") if len({*self.fields}) + (self.goal == "when") > 1 else ():
                beside = [self.near(place, step, over=("me", "they", "its")) for step in (-1, 1)]
                asks_more = any(self.spans[at].of("when", "who") for at in beside if 0 <= at < len(self.spans))
                if not asks_more and all(0 <= at < len(self.spans) and self.spans[at].used for at in beside):
                    self.use(place)  # its value and its close date
            self._of_its_deals()
            self._day_of()
        if "probability" in self.fields and self.about:  # how likely is it to come in
            self.use(
                *[
                    place
                    for place in self.places("to", "modal")
                    if any(span.of("verb") for span in self.spans[place + 1 : place + 2])
                ]
            )
            self.take("will", "verb", "yes_no")
            self.states = [state for state in self.states if state[0] != "won"]
            self.deed = ""
        self._deals_understood()
        owned = [place for place in self.places("verb") if self._says(place, "verb", "own")]
        if owned and any("owner" in str(condition) for condition in self.where):
            self.use(*owned)
        if owned and self.refers and self.places("who"):
            self.by.append("owner")  # who owns them
            self.use(*owned, *self.places("who"))

    def _of_its_deals(self) -> None:
        """`when will the deal with Lumen Works close and how likely is it`: the open deals of the account, with these."""
        own = {*self.fields} & {"probability", "expected_close_date", "deal_value", "stage", "owner"}
        deals = self.entity == "deals" and [record.kind for record in self.about] == ["account"]
        if not own or len(own) < len({*self.fields}) or not deals or self.deed in ("win", "lose", "create"):
            return
        if self.metrics or self.goal not in ("", "list", "when") or not {"open"} >= {*dict(self.states)}:
            return
        self.columns += ["expected_close_date"] * (self.goal == "when") + self.fields
        self.fields, self.goal, self.deed = [], "list", ""
        self.states = [("open", True)]
        self.take("modal", "will")

    def _deals_understood(self) -> None:
        """`lost this quarter by rep`: what is won, lost or open are deals, where nothing else is named."""
        if self.metrics == ["new_customers"] and self.deed in ("", "win"):
            self.deed = ""  # how many new customers did we win: those of the first win
            self.states = [state for state in self.states if state != ("won", True)]
        counted = {"won_leads": "won", "lost_leads": "lost"}.get(self.metrics[0] if len(self.metrics) == 1 else "")
        done = counted or {"win": "won", "lose": "lost"}.get(self.deed)
        others = self.by or self.entity or self.fields or self.about or self.goal not in ("", "list")
        if self.rank and done and not others and self.metrics == ([f"{done}_leads"] if counted else []):
            self.entity, self.metrics = "deals", []  # the biggest losses, the fastest win
            self.states += [] if (done, True) in self.states else [(done, True)]
            return
        stated = {state for state, is_in in self.states if is_in}
        if self.rank and stated and stated <= OF_LIFE and not (others or self.metrics or self.deed):
            self.entity = "deals"
            return
        named = self.metrics or self.entity or self.fields or self.about or self.deed or self.goal or self.rank
        more = self.times or self.by or self.where
        alone = self.before is None and not self.places("they", "who", "thing", "exists")
        if stated and stated <= OF_LIFE and more and alone and not named:
            self.entity = "deals"

    def _responding(self) -> None:
        """`how quickly do we get back to new leads`, `wer antwortet am langsamsten`: the hours to the first touch."""
        swift = [at for at, span in enumerate(self.spans) if span.of("how_long", "lasts")]
        responds = self.places("responds")
        customers = self.about or any(Sense("entity", "accounts") in span.senses for span in self.spans)
        if (
            not (swift and responds)
            or customers
            or self.places("metric")
            or "lead_response_hours" not in metrics.metrics()
        ):
            return
        place = responds[0]
        if self.has(place - 1, "entity"):  # how fast leads answer us
            return
        self.metrics.append("lead_response_hours")
        self.use(place, *[at for at in (place - 1,) if self.has(at, "to", "modal", "past")])
        self.use(*self.places("how_long", "takes"))
        at = place + 1
        while at < len(self.spans) and (
            self.quiet(at) or self.has(at, "to", "from", "state", "entity", "in_answer", "ours")
        ):
            if self.has(at, "state") not in (None, Sense("state", "new")):
                break
            self.use(at)
            at += 1

    def _used(self) -> None:
        """`who uses whatsapp most`, `which channel do we use most`: the number of touches."""
        of_channel = self.by == ["channel"] or any(span.of("kind") for span in self.spans)
        if not of_channel or not self.places("uses"):
            return
        if self.by == ["channel"] and self.rank and not (self.metrics or self.places("metric")):
            self.metrics.append("touches")
        self.take("uses")

    def _managed(self) -> None:
        """`who is Ben Haddad's manager`, `who leads West`: the manager of the deals of a rep or a team."""
        owned = [
            part for part in self.where if isinstance(part, Test) and part.name in ("owner", *TEAMS) and part.op == "="
        ]
        places = [at for at in self.places("dim") if self.has(at, "dim") == Sense("dim", "owner_manager")]
        asks = self.metrics or self.entity or self.goal or self.rank or self.deed or self.states or self.times
        others = [at for at in self.places("dim", "metric", "entity", "kind", "count", "amount") if at not in places]
        split = "owner_manager" in self.by and not self.led
        if not (places or split) or len(owned) != 1 or len(self.where) != 1 or asks or others:
            return
        self.metrics.append("total_leads")
        self.by = [name for name in self.by if name not in ("owner", "owner_manager")] + ["owner_manager"]
        self.use(*places, *self.places("who", "list"))

    def _contacts(self) -> None:
        """Contacts, by what only they have where they are not named: `who are the decision makers there`."""
        named = any(span.of("people") for span in self.spans) and "contacts" in metrics.metrics()
        if named and self._of_contacts() and (self.entity == "interactions" or self.metrics == ["touches"]):
            self.entity, self.metrics = "", ["contacts"]  # wie viele Kontakte haben widersprochen
        if self._of_contacts() and not (self.metrics or self.entity or self.fields):
            self.metrics += [name for name in ("contacts",) if name in metrics.metrics()]
            if self.metrics and self.goal in ("average", "median"):
                self._averaged("contacts", each=False)  # refuses it
        if self.metrics == ["contacts"] and self._beside_contacts():
            raise Unclear("accounts and deals cannot be listed by their contacts", "decision makers in Germany")
        if self.metrics != ["contacts"] or self.rank:
            return
        if any(Sense("dim", "owner") in span.senses for span in self.spans):
            return
        for place, span in enumerate(self.spans):
            first = all(self.quiet(at) or self.spans[at].of("carry") for at in range(place))
            if span.of("who") and (first or self._is_of_contacts(self._past(place + 1))):
                self.by = [name for name in self.by if name != "owner"]
                self.use(place)
                self.goal = self.goal or "list"

    def _beside_contacts(self) -> bool:
        """Whether accounts or deals are what is asked for, by what their contacts are."""
        asked = {sense.name for span in self.spans for sense in span.all("entity")} & {"accounts", "deals"}
        return bool(asked) and self._of_contacts() and not self.about

    def _is_of_contacts(self, place: int) -> bool:
        """Whether a value that only contacts have stands at a place: `contacts who are decision makers`."""
        return place < len(self.spans) and any(sense.name in OF_CONTACTS for sense in self.spans[place].all("value"))

    def _of_contacts(self) -> bool:
        """Whether there is a condition on what only contacts have."""
        return any(name in OF_CONTACTS for part in self.where for name in names_of(part))

    def _came_of_it(self) -> None:
        """`when did we last talk to them and how did it go`: the last touch of the account, with what came of it."""
        places, last = self.places("and_how"), len(self.spans) - 1
        if self.has(last, "how") and self.has(last - 1, "and"):
            places = [last - 1, last]
        was = self.before if not (self.fields or self.about) else None
        about = list(was.about) if was is not None and was.fields == ("last_touch_date",) else self.about
        asked = self.fields == ["last_touch_date"] or about is not self.about
        if not places or not asked or {record.kind for record in about} != {"account"} or self.entity or self.rank:
            return
        self.about, self.fields, self.goal, self.entity = about, [], "", "interactions"
        self.rank = Rank("newest", 1, self.spans[places[0]].text)
        self.use(*places)

    def _bought(self) -> None:
        """`how much have they bought from us`: the revenue of an account; `what have they bought`: the deals it was."""
        bought = ("bought", True)
        records = [record for record in self._before() if record.kind == "account"]
        if (
            bought in self.states
            and len(records) == 1
            and not (self.about or self.where or self.places("entity", "dim"))
        ):
            self.about, self.follows = records, True  # cuánto nos han comprado
        if bought not in self.states or {record.kind for record in self.about} != {"account"} or self.metrics:
            return
        self.states.remove(bought)
        counted = self.goal == "count" and not self.places("entity") and any(span.of("amount") for span in self.spans)
        if self.goal == "amount" or counted:
            self.goal, self.metrics = "", ["revenue"]
        else:
            self.states.append(("won", True))
            self.entity = "deals"
            self.take("thing", "from")

    def _several_figures(self) -> None:
        """`won deals and revenue`, `how many open and how many won`: figures beside one another, records counted among them."""
        for place in self.places("count"):  # cuántos negocios ganamos y cuántos ingresos
            figure = self.has(place + 1, "metric")
            money = figure and metrics.metrics()[figure.name].measure.format.type == "currency"
            if money and self.has(place - 1, "and") and self.places("count")[0] < place and self.places("entity"):
                self.spans[place].senses = tuple(sense for sense in self.spans[place].senses if sense.kind != "count")
                self.use(place - 1, place)
        restricted = self.where or self.times or self.rank or self.thresholds or self.about
        for place in range(len(self.spans)) if not self.places("average", "median") else ():
            items: list[_Figure] = []
            at = place
            while item := self._figure_at(at) or self._worth_at(at, items):
                if items and item.whole and restricted:
                    return  # a question of its own, of which what restricts the other may be meant or not
                items.append(item)
                at = item.end
                while self.has(at, "and", "comma"):
                    at += 1
                if at == item.end:
                    break
            names = dict.fromkeys(item.name for item in items)
            if len(names) > 1 and len(names) == len(items) and any(item.counted for item in items):
                self.metrics += names
                end = items[-1].end
                self.counted = sum(self.spans[at].of("count") is not None for at in range(place, end))
                self.use(*range(place, end))
                return

    def _figure_at(self, place: int) -> _Figure | None:
        """A figure that begins at a place: `revenue`, `how much revenue`, `won deals`, `how many are open`."""
        if place and self.spans[place - 1].of("not", "no", "never", "except"):
            return None
        count = self.has(place, "count")
        at = self._past(place + 1) if count or self.has(place, "amount", "list") else place
        if at > place and at < len(self.spans) and self.spans[at].of("comma"):
            return None
        metric, state, deals = self.has(at, "metric"), self.has(at, "state"), self._is_deals(at)
        if metric and not self.spans[at].of("entity", "state", "kind") and selected(metrics.metrics()[metric.name]):
            return _Figure(metric.name, at + 1, counted=False, whole=at > place)
        after = self._past(at + 1)
        alone = bool(state and count and not self._is_deals(after))
        if deals:
            state = self.has(after, "state")
        if state is None or not (deals or alone or self._is_deals(after)):
            return None
        end = at + 1 if alone else after + 1
        number = meanings()["measures"]["deals"]["count"].get(state.name, "") if state.name else ""
        return _Figure(str(number), end, counted=True, whole=at > place and not alone) if number else None

    def _worth_at(self, place: int, before: list[_Figure]) -> _Figure | None:
        """`deals won and value`: what the deals that were counted right before are worth."""
        of = meanings()["measures"]["deals"]
        states = {str(name): state for state, name in of["count"].items() if state}
        state = states.get(before[-1].name) if before and before[-1].counted else None
        limit = self.has(self.near(place, 1), "gt", "ge", "lt", "le", "eq", "between")
        worth = self.has(place, "field") == Sense("field", "deal_value") and not limit
        return _Figure(str(of["value"][state]), place + 1, counted=False) if state and worth else None

    def _past(self, place: int) -> int:
        """The next place from one on that is no auxiliary or article."""
        while (
            place < len(self.spans)
            and (self.quiet(place) or self.spans[place].of("be"))
            and not self.has(place, "comma")
        ):
            place += 1
        return place

    def _further_columns(self) -> None:
        """`and who had them`, `with their stages`: what a list shows beside."""
        deals = [place for place in range(len(self.spans)) if self._is_deals(place)]
        if not deals or self.places("metric", "count", "amount", "average", "share"):
            return
        shown = [place for place in self.places("and_owner") if place > deals[0]]
        if shown:
            self.columns.append("owner")
            self.use(*shown)
        for place in self.places("and", "with"):
            named = self._columns_after(place) if place > deals[0] else []
            theirs = bool(named) and any(self.spans[at].of("they") for at in range(place, named[0]))
            listed = len(named) > 1 and self.has(place, "with")
            if (theirs or listed) and not self._more_follows(named[-1]):
                self.columns += [sense.name for at in named if (sense := self.has(at, "dim", "field"))]
                self.use(*range(place, named[-1] + 1))

    def _columns_after(self, place: int) -> list[int]:
        """Where columns stand after a place, one after the other: `with their owner, stage and close date`."""
        named: list[int] = []
        at = self.near(place, 1, over=("they",))
        while self.has(at, "dim", "field"):
            named.append(at)
            at = self.near(at, 1, over=("they",))
            at = self.near(at, 1, over=("they",)) if self.has(at, "and") else at
        return named

    def _more_follows(self, place: int) -> bool:
        """Whether what a column stands before makes a condition of it: `with their value above 10k`."""
        after = self.near(place, 1)
        return after < len(self.spans) and not self.spans[after].of("and", "comma") and not self.spans[after].used

    def _day_of(self) -> None:
        """`when does L-1 close`, `the value of L-1`: a column of the one account or deal."""
        days = {"close": "expected_close_date", "due": "expected_close_date", "create": "created_date", "win": "closed_date",
                "lose": "closed_date"}  # fmt: skip
        if self.goal == "when" and not self.fields and self.entity == "deals" and self.about[0].kind == "account":
            ahead = self.deed == "due" or (self.deed == "close" and not any(span.of("past") for span in self.spans))
            if ahead or self.deed in ("close", "win", "lose", "create"):  # the days are beside the deals of the account
                self.states += [("open", True)] if ahead else []
                self.goal, self.deed = "list", "" if ahead else self.deed
        elif self.goal == "when" and not self.fields:
            touched = [place for place in self.places("verb") if self._says(place, "verb", "touch")]
            if self.deed in days:
                self.fields.append(days[self.deed])
                self.take("modal")  # wann soll L-1 abgeschlossen werden
                self.deed = ""
            elif touched:
                self.fields.append("last_touch_date")
                self.use(*touched)
        elif self.goal == "amount" and not self.fields and not self.metrics and self.about[0].kind == "deal":
            self.fields.append("deal_value")

    def _means(self, name: str, *, each: bool) -> list[str]:
        """The average or the median of a metric, or both where both are said: the median cycle, and the mean."""
        means = meanings()["averages"]["median"].items()
        pairs = {median: mean for mean, median in means if mean.startswith("average")}
        if self.goal == "average" and name in pairs:
            return [name, pairs[name]]
        names = [self._averaged(name, each=each)]
        if self.goal == "median" and self.mean_too:
            self.goal = "average"
            names.append(self._averaged(name, each=each))
        return names

    @staticmethod
    def _is_median(name: str) -> bool:
        return "MEDIAN" in metrics.metrics()[name].measure.expr

    @staticmethod
    def _no_median(name: str) -> Unclear:
        label = metrics.metrics()[name].measure.display_name.lower()
        return Unclear(f"there is no median of {label}", "median deal size")

    def _averaged(self, name: str, *, each: bool) -> str:
        """The metric that an average or median of another one is; of a total there is none without saying per what.

        Args:
            name: The other metric.
            each: Whether its name is also that of what each record has: the average won deal value.
        """
        measure = metrics.metrics()[name].measure
        metric = meanings()["averages"][self.goal].get(name)
        if self.goal == "median" and metric is None and not self._is_median(name):
            raise self._no_median(name)
        if metric not in (None, name) and self.by and not each:
            raise Unclear(
                f"the {self.goal} of {measure.display_name.lower()} per what: of deals, or of the sums of the split?",
                *(f"{self.goal} deal size by owner", f"{measure.display_name.lower()} by owner"),
            )
        counts = measure.additivity == "stock" and measure.unit in ("deals", "accounts", "touches", "contacts")
        if metric is None and (counts or measure.additivity == "flow" or measure.format.type == "currency"):
            raise Unclear(
                f"the {self.goal} of {measure.display_name.lower()} per what?",
                f"{self.goal} deal size", f"{measure.display_name.lower()} by month",
            )  # fmt: skip
        return metric or name

    def _records(self, place: int) -> None:
        """A word for records: deals, accounts, touches of a kind."""
        sense = self.has(place, "kind", "outcome", "direction", "booked", "entity")
        if sense is None:
            return
        if sense.kind in ("kind", "outcome", "direction", "booked"):
            of_touches = self.before is not None and self.before.entity == "interactions"
            touching = sense.kind != "booked" or self.entity == "interactions" or of_touches or self._near_touch(place)
            if not touching or (sense.kind == "booked" and self._books_meetings()):
                return
            test = {
                "kind": Test("channel", "=", (sense.name,)), "outcome": Test("outcome", "=", (sense.name,)),
                "direction": Test("direction", "=", (sense.name,)), "booked": Test("outcome", "=", ("meeting_booked",)),
            }[sense.kind]  # fmt: skip
            if sense.kind == "outcome" and sense.name == "positive":
                test = Test("positive", "is")
            brings = "channel" in self.by and not self.versus  # which channel brings the most meetings
            if sense.kind == "kind" and sense.name == "meeting" and (self._booked() or brings):
                test = Test("outcome", "=", ("meeting_booked",))
            if sense.kind in ("kind", "direction") and self._another_kind(place, test, sense.kind):
                return
            if not self.entity or self.entity == "interactions":
                self.refers |= sense.kind == "booked" and not self.entity and not self._near_touch(place)
                self.entity = "interactions"
                self.where.append(test)
                self.use(place)
            return
        if self.entity and self.entity != sense.name:
            if {self.entity, sense.name} == {"accounts", "deals"}:
                self._both(place, sense.name)
            elif self.entity == "interactions" or sense.name == "interactions":
                self._with_touches(place, sense.name)
            return
        self.entity = sense.name
        self.use(place)

    def _another_kind(self, place: int, test: Test, kind: str) -> bool:
        """Whether a kind of touches stands beside another one: calls and emails, inbound vs outbound."""
        last = next((at for at in range(place - 1, -1, -1) if self.spans[at].used and self.spans[at].of(kind)), None)
        was = self.where[-1] if self.where else None
        if last is None or not isinstance(was, Test) or (was.name, was.op) != (test.name, "="):
            return False
        counted = [
            at for at in range(last + 1, place) if self.spans[at].of("count")
        ]  # how many calls and how many meetings
        if not self._joined(last, place, "and", "or", "vs") and not (
            counted
            and self.has(last + 1, "and")
            and all(at in counted or self.has(at, "and") for at in range(last + 1, place))
        ):
            return False
        if counted:
            self.by.append(test.name)
            self.use(*counted)
        elif self.goal == "count" and self._joined(last, place, "and") and not self.by:
            self.by.append(test.name)  # how many calls and emails: each, and together
            self.with_total = True
        if self._joined(last, place, "vs") or self.versus:
            self.versus = True
            self.by.append(test.name)
        self.where[-1] = replace(was, values=(*was.values, *test.values))
        self.use(place, *[at for at in range(last, place) if self.has(at, "and", "or", "vs")])
        return True

    def _overview(self) -> None:
        """`how is Rosa doing`, `compare Rosa and Noor`: the main figures, where none is named."""
        subject = self.metrics or self.entity or self.fields or self.goal or self.rank or self.about or self.turn
        doing = [place for place in self.places("verb") if self._says(place, "verb", "work")]
        if subject or self.deed or self.states or self.average or self.share or self.follows or self.refers:
            return
        people = [sense.name for span in self.spans for sense in span.all("dim") if sense.name in ("owner", *TEAMS)]
        if people and self.before is None and {*self.by} <= {people[0]} and self._names_nothing_else(people[0]):
            self.by = [people[0]]
            self.use(*self.places("dim", "list", "who"))
            self.goal = "overview"
        elif doing and self.places("how", "compare"):
            of_time = self._is_of_time()
            self.take("how", "compare", "past")
            self.use(*doing)
            self.goal = "overview"
            self.compare = self.compare or ("previous" if of_time else "")
        elif self.compare and len(self.times) == 1 and self.places("how", "compare"):
            self.take("how", "compare")  # how did last week compare with the week before
            self.goal = "overview"
        elif self.versus and (self.by or len(self.times) > 1) and not (self.states or self._goes_on_with_times()):
            self.goal = "overview"
        elif len(self.times) == 2 and self._sets_times_apart():
            self.goal, self.versus = "overview", True  # was May better than April
        elif self._asks_how_it_is() and self.where and self.times and not (self.by or self.thresholds):
            self.take("how", "past")  # how was May in Germany, how was Ben Haddad last month
            self.goal = "overview"
        elif self.places("how") and self._is_of_time():
            self.take("how", "past")  # how was May
            self.goal, self.compare = "overview", "previous"

    def _goes_on_with_times(self) -> bool:
        """Whether nothing but times is said after a question of a figure: `this month vs last month`."""
        figure = self.before is not None and (self.before.metrics or self.before.entity)
        return bool(figure) and not (self.by or self.where or any(span.of("how", "compare") for span in self.spans))

    def _asks_how_it_is(self) -> bool:
        """Whether it begins with `how is` or `how was`."""
        first = next((at for at, span in enumerate(self.spans) if not span.of("carry") and not self.quiet(at)), 0)
        after = self.spans[first + 1] if first + 1 < len(self.spans) else None
        return bool(self.has(first, "how") and (after is None or after.of("be", "past", "yes_no") or after.used))

    def _sets_times_apart(self) -> bool:
        """Whether a word such as `better than` stands between two times."""
        first, then = sorted(time.place for time in self.times)
        return any(span.of("gt", "lt", "best", "worst") for span in self.spans[first:then])

    def _is_of_time(self) -> bool:
        """Whether it is asked how one time was or is, and nothing of whom or what: it is put beside the one before it."""
        others = self.where or self.me or self.by or self.thresholds or self.compare or self.versus
        spans = [span for at, span in enumerate(self.spans) if not (self.quiet(at) or span.used)]
        of_whom = any(span.of("me", "person", "they", "its") for span in self.spans)
        alone = all(span.of("how", "past", "be", "verb", "ours", "so_far", "carry", "yes_no") for span in spans)
        return len(self.times) == 1 and not self.times[0].edge and not others and alone and not of_whom

    def _names_nothing_else(self, name: str) -> bool:
        """Whether nothing is said but the name of a dimension, and who asks: `our reps`, `list the teams`."""
        spans = [span for at, span in enumerate(self.spans) if not self.quiet(at)]
        named = [span for span in spans if Sense("dim", name) in span.senses]
        single = any(span.of("who") for span in spans) and not any(span.of("ours") for span in spans)
        if single and not any(span.text.casefold().endswith(("s", "x")) for span in named):
            return False  # who is the owner, of what was asked before
        return len(named) == 1 and all(span in named or span.of("list", "who", "ours", "be") for span in spans)

    def _booked(self) -> bool:
        places = self.places("booked")
        self.use(*places)
        return bool(places)

    def _books_meetings(self) -> bool:
        """Whether what is booked are meetings, which then stand for touches that ended with one."""
        return any(self._says(place, "kind", "meeting") for place in self.places("kind"))

    def _near_touch(self, place: int) -> bool:
        return bool(self.places("kind"))

    def _both(self, place: int, name: str) -> None:
        """Accounts and deals in one question: customers with open deals; deals of customers in Germany."""
        if self.entity == "accounts":
            negated = self._negated(place) or any(self._negated(p) for p in range(place) if self.spans[p].of("state"))
            if negated and not self.states:
                self.states.append(("any_deal", False))
            elif negated:
                self.states = [(state, is_in and state == "bought") for state, is_in in self.states]
            if not self.states and not self.rank:
                return
            lead = self.near(place, -1, over=("state",))
            if self.has(lead, "with"):
                self.use(lead)
        elif self.by or self.rank:
            self.by.append("customer_name")
        self.use(place)

    def _with_touches(self, place: int, name: str) -> None:
        if self.entity == "interactions" and name == "accounts" and not self.rank:
            self.use(place)

    def _duration_of_deals(self) -> None:
        """`how long does it take to win a deal`: the cycle, as far as nothing else is measured."""
        states = {state for state, is_in in self.states if is_in}
        staged = [part for part in self.where if isinstance(part, Test) and (part.name, part.op) == ("stage", "=")]
        if self.about and staged and self.places("how_long") and not (self.metrics or self.past or self.places("past")):
            self._take_duration("still")
            self.entity = "deals"
            self.use(*[place for place in self.places("entity") if self._is_deals(place)])
            self.thresholds.append(Threshold("days_in_stage", ">=", "0"))
            return
        done = self.deed in ("win", "close") or states & {"won", "closed"}
        measured = self.goal == "median" or self.places("metric", "field")
        aged = states == {"open"} and not self.deed and not self.thresholds
        lost = (self.deed == "lose" and not states) or states == {"lost"}
        takes = self.places("takes") or aged
        if measured or not ((done or lost or aged) and self.places("how_long") and takes):
            return
        if len(self.about) == 1 and self.about[0].kind == "deal":
            self._take_duration("average", "to", "past")
            self.use(*[place for place in self.places("entity") if self._is_deals(place)])
            self.fields += ["status", "age_days", "cycle_days"]  # of one deal: so long, up to now or to its end
            self.states, self.deed = [state for state in self.states if state[0] not in OF_LIFE], ""
            return
        if aged or (lost and not done):
            self.take("how_long", "takes", "average", "to", "past")
            self.use(*[place for place in self.places("entity") if self._is_deals(place)])
            self.metrics.append("average_deal_age" if aged else "average_days_to_loss")
            self.states = [state for state in self.states if state[0] not in ("open", "lost")]
            self.deed, self.goal = "", "" if self.goal == "average" else self.goal
            return
        self.take("how_long", "takes", "average", "to")
        self.use(*[place for place in self.places("entity") if self._is_deals(place)])
        self.metrics.append("average_cycle_days")
        self.states = [state for state in self.states if state[0] != "closed"]
        self.deed, self.goal = "", "" if self.goal == "average" else self.goal

    def _take_duration(self, *kinds: str) -> None:
        """Use the words for how long something lasts, and those of some kinds; `until` is of a time."""
        self.take("how_long", *kinds)
        self.use(*[place for place in self.places("takes") if not self.spans[place].of("until")])

    def _is_deals(self, place: int) -> bool:
        return self.has(place, "entity") == Sense("entity", "deals")
