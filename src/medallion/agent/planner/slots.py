"""What a question says, slot by slot, before it is put into the form of `Question`, `Records` or an intent."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from medallion import metrics
from medallion.agent.planner.lexicon import meanings
from medallion.agent.planner.times import Time
from medallion.metrics.conditions import Beside, Condition, Test, tests

#: The states of deals that what happens to them means.
OF_DEED = {"win": {"won"}, "sell": {"won"}, "lose": {"lost"}, "close": {"won", "lost"}}


#: States that a deal is in one after the other.
OF_LIFE = frozenset({"open", "won", "lost", "closed"})


#: States that open deals alone are in.
OF_OPEN = ("overdue", "silent", "untouched", "never_touched")


#: Names of the dimension of teams.
TEAMS = frozenset({"team", "owner_team"})


#: Conditions that what one account has may have.
OF_RECORD = frozenset({"channel", "direction", "outcome", "positive", "stage", "product", "category", "role", "language", "consent"})  # fmt: skip


#: Rows of a list where the question says no number.
LISTED = 25


@dataclass(frozen=True)
class Rank:
    """Which end of an order is asked for, and how many of it.

    Attributes:
        way: `desc`, `asc`, `best`, `worst`, `newest`, `oldest` or `likeliest`.
        count: How many; None where the question does not say.
        word: As it was said.
        several: Whether more than one is asked for, where no number is said.
        sized: Whether the word is about size, which a number of records has not.
        records: Whether records are ranked, not the values of a split: `the biggest deal of each rep`.
        sorts: Whether it is only an order for what was asked before: `sort by value`.
        skip: How many of the first are passed over: one for the second biggest.
        lasts: Whether the word is about time: fastest, longest.
    """

    way: str
    count: int | None = None
    word: str = ""
    several: bool = False
    sized: bool = False
    records: bool = False
    sorts: bool = False
    skip: int = 0
    lasts: bool = False

    @property
    def limit(self) -> int | None:
        """How many are asked for; None for all, in their order."""
        return self.count if self.count is not None or self.several else 1


@dataclass(frozen=True)
class Threshold:
    """A comparison with a number, of a column or of the figure asked for where none is named."""

    column: str
    op: str
    value: str
    money: bool = False
    percent: bool = False


@dataclass(frozen=True)
class Average:
    """A comparison with the average of a column: of the records that are listed, or of those of the same group.

    Attributes:
        column: What is compared; empty for what the records are worth.
        op: `>` or `<`.
        group: The dimension within which the average is; empty for all records of the list.
    """

    column: str
    op: str
    group: str = ""


@dataclass(frozen=True)
class About:
    """An account or a deal that a question names."""

    kind: str
    key: str
    name: str


@dataclass(frozen=True)
class Rows:
    """The rows of an answer, which the next question may be about.

    Attributes:
        name: What they are of: `lead_id`, `customer_id`, or the dimension of a split.
        keys: Their keys or values, in order.
        accounts: The accounts of deals, where all are known.
    """

    name: str
    keys: tuple[str, ...]
    accounts: tuple[str, ...] = ()

    @property
    def entity(self) -> str:
        """Of which records they are; empty for the values of a split."""
        return {"lead_id": "deals", "customer_id": "accounts"}.get(self.name, "")

    def one(self, kind: str = "") -> About | None:
        """The one deal or account that they are, or the account of that deal; None where they are several or neither."""
        if len(self.keys) != 1 or not self.entity:
            return None
        if kind == "accounts" and self.entity == "deals":
            return About("account", self.accounts[0], self.accounts[0]) if self.accounts else None
        return About("deal" if self.entity == "deals" else "account", self.keys[0], self.keys[0])


@dataclass(frozen=True)
class Slots:
    """What a question says.

    Attributes:
        goal: What is wanted: `count`, `amount`, `average`, `median`, `list`, `when`, an intent, or nothing said.
        metrics: Metrics by name.
        fields: Columns that are asked for.
        entity: Of what: deals, accounts, interactions.
        states: States of the records, each with whether they are in it.
        where: Conditions; names are of words, which a view may have under another.
        times: Periods, in order.
        deed: What happens to deals in the period: `create`, `close`, `win`, `lose`, `due`, `move`.
        by: What to split by: a dimension, or a unit of time as `time:month`.
        rank: Which end of an order.
        thresholds: Comparisons with numbers.
        compare: `previous` or `year-ago`.
        versus: Whether two things are to be compared.
        turn: `up`, `down` or `change`: whether and how a figure moved.
        share: Whether a part of the whole is asked for.
        me: Whether it is about who asks.
        team: Whether it is about a team: that of who asks, `me` is set as well, or that of `team_of`.
        team_of: The owner whose team it is about, who stands in `where`.
        about: Accounts and deals that are named.
        yes_no: Whether it is answered by yes or no.
        average: A comparison with an average.
        contrast: `more` or `fewer`, where two values or times are put against each other.
        narrow: The slot with the last condition: of what is before it a share is asked for.
        notes: What a reader should know of how it was read.
        follows: Whether it says that it goes on from what was asked before.
        refers: Whether it is about what was found before: `how many of those`.
        past: Whether it is told in the past.
        narrows: Whether it only narrows what was asked before: `only won deals`.
        whole: Whether all or a total is asked for.
        exists: Whether it is asked if there is such a thing.
        against: Whether it begins with what is to be put beside what was asked before: `vs April`.
        anded: Whether an `and` joins products.
        ones: Whether it begins with `the ones`, which are of what was asked before.
        restricted: Whether it begins with a word that leads to what it is of: `for deals above 50k`.
        further: How many more rows of the answer before are asked for.
        picks: Whether it begins with what picks some of the rows before: `just the ones due in May`.
        rows: The rows of the answer, where it has few.
        listed: The rows of which it is about one by its number: `who owns the second one`.
        each: Whether a split is said as `each` or `per`, not as `by`.
        with_total: Whether a split is asked for with its total.
        columns: What a list shows beside its usual columns.
        worth_too: Whether what is open at an account is asked for: the list, and what it comes to.
        bands: Bands of values, each of which is asked about by itself.
        premise: What it takes for granted of a quota: that it was `missed`.
        other_way: The other end of an order, where both are asked for: `best and worst month`.
        without: The channel, or nothing for any, and the time, or nothing for ever, in which there were no touches.
        passage: The stage that deals were in, and the one that they came to, or `won`.
        of_before: Whether a share is asked for of what was asked before: `as a percentage per month`.
        running: Whether figures by time are added up from one to the next: `cumulative`.
        too: Whether it ends with `too`, or begins with `and`.
        everyone: Whether nobody is left out who was: `and west, everyone`.
        number_of: Whether the values of a split are counted: `how many reps have more than 50 open deals`.
        typical: Whether the size of deals is asked for, which is that of the deals won where it is not said of which.
        judged: Whether it says how good something is: `June looks great`.
        lacks: Products that accounts have not bought, each as a condition on deals.
        speaker: The owner who says so of themselves: `hi, it's Tess Nair`.
        fragment: Whether it leaves open of what it asks: `last 3 touches?`, `was there a blocker`, `just the open ones`.
        complete: Whether it stands by itself, whatever was asked before (`standing`).
        nounless: Whether it asks how much or how many are in some state, and of no records: `how much is overdue`.
        points: Whether it has a word for something before it: `it`, `those`, `there`.
    """

    goal: str = ""
    metrics: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    entity: str = ""
    states: tuple[tuple[str, bool], ...] = ()
    where: tuple[Condition, ...] = ()
    times: tuple[Time, ...] = ()
    deed: str = ""
    by: tuple[str, ...] = ()
    rank: Rank | None = None
    thresholds: tuple[Threshold, ...] = ()
    compare: str = ""
    versus: bool = False
    turn: str = ""
    share: bool = False
    me: bool = False
    about: tuple[About, ...] = ()
    yes_no: bool = False
    average: Average | None = None
    team: bool = field(default=False, kw_only=True)
    team_of: str = field(default="", kw_only=True)
    contrast: str = ""
    narrow: str = field(default="", compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)
    follows: bool = field(default=False, compare=False)
    refers: bool = field(default=False, compare=False)
    past: bool = field(default=False, compare=False)
    narrows: bool = field(default=False, compare=False)
    whole: bool = field(default=False, compare=False)
    exists: bool = field(default=False, compare=False)
    against: bool = field(default=False, compare=False)
    restricted: bool = field(default=False, compare=False)
    anded: bool = field(default=False, compare=False)
    ones: bool = field(default=False, compare=False)
    further: int | None = field(default=None, compare=False)
    each: bool = field(default=False, compare=False)
    with_total: bool = field(default=False, compare=False)
    passage: tuple[str, str] | None = None
    without: tuple[str, str] | None = field(default=None, kw_only=True)
    columns: tuple[str, ...] = field(default=(), kw_only=True)
    worth_too: bool = field(default=False, kw_only=True)
    bands: tuple[tuple[Threshold, ...], ...] = field(default=(), kw_only=True)
    other_way: str = field(default="", kw_only=True)
    premise: str = field(default="", compare=False, kw_only=True)
    of_before: bool = field(default=False, compare=False, kw_only=True)
    running: bool = field(default=False, kw_only=True)
    too: bool = field(default=False, compare=False, kw_only=True)
    everyone: bool = field(default=False, compare=False, kw_only=True)
    number_of: bool = field(default=False, kw_only=True)
    typical: bool = field(default=False, compare=False, kw_only=True)
    fragment: bool = field(default=False, compare=False, kw_only=True)
    complete: bool = field(default=False, compare=False, kw_only=True)
    nounless: bool = field(default=False, compare=False, kw_only=True)
    points: bool = field(default=False, compare=False, kw_only=True)
    speaker: str = field(default="", compare=False, kw_only=True)
    judged: bool = field(default=False, compare=False, kw_only=True)
    lacks: tuple[Test, ...] = field(default=(), kw_only=True)
    picks: bool = field(default=False, compare=False, kw_only=True)
    rows: Rows | None = field(default=None, compare=False)
    listed: Rows | None = field(default=None, compare=False)

    @property
    def has_subject(self) -> bool:
        """Whether it says by itself what is asked for."""
        deed = self.deed and (
            self.by or self.rank or self.contrast or self.goal in ("amount", "count", "average", "median", "when")
        )
        amount = self.goal == "amount" and self.states
        best = self.ranks_values
        figure = self.by and any(threshold.column in metrics.metrics() for threshold in self.thresholds)
        figure = figure or (self.by and any(limit.money and not limit.column for limit in self.thresholds))
        figure = figure or any(threshold.column == "days_in_stage" for threshold in self.thresholds)
        return bool(
            figure
            or (self.number_of and self.by)
            or (self.share and self.rank and self.entity)
            or self.passage
            or self.metrics
            or self.entity
            or self.fields
            or self.about
            or self.goal in INTENTS
            or deed
            or amount
            or best
        )

    @property
    def says_nothing(self) -> bool:
        """Whether nothing is asked, not even that it goes on: `ok thanks`."""
        return self == Slots() and not (self.follows or self.refers or self.narrows or self.whole or self.exists)

    @property
    def ranks_values(self) -> bool:
        """Whether the best values of a split are asked for, and not by what: `who is our best rep`."""
        word = self.rank.word.casefold().split()[0] if self.rank and self.rank.word else ""
        best = bool(self.rank) and (self.rank.way in ("best", "worst") or word in ("top", "bottom"))  # type: ignore[union-attr]
        return bool(best and self.by and not (self.rank and self.rank.records))

    def ranks_as(self, before: Slots) -> bool:
        """Whether the best values of a split are asked for by the figure before, which was split in the same way."""
        own = self.metrics or self.entity or self.goal not in ("", "list")
        return bool(self.ranks_values and before.metrics and not own and {*self.by} <= {*before.by})

    def spoken(self) -> Slots:
        """What it asks, with who says who they are in place of `I` and `my`, unless somebody else is named too."""
        named = any("owner" in names_of(part) for part in self.where)
        if not (self.speaker and self.me) or self.team or named:
            return self
        return replace(self, where=(Test("owner", "=", (self.speaker,)), *self.where), me=False)

    def of_those(self, before: Slots) -> Slots:
        """Value alone, after deals were asked for, is what they come to: `total value?`."""
        worth = self.metrics == ("total_deal_value",) or (self.fields == ("deal_value",) and not self.rank)
        bare = worth and not (self.entity or self.about or self.by or self.rank or self.goal in ("average", "median"))
        of_deals = before.entity == "deals" or (before.deed and not before.entity)
        cut = before.rank is not None and before.rank.limit is not None
        if bare and cut:
            return replace(self, refers=True)
        if not bare or not of_deals:
            return self
        return replace(self, metrics=(), fields=(), goal="amount", refers=True)

    @property
    def _is_bare(self) -> bool:
        return not (self.goal or self.times or self.by or self.rank or self.states or self.thresholds or self.about)

    @property
    def is_figure_alone(self) -> bool:
        """Whether it names figures, and nothing that they are of: no time, condition, split or comparison."""
        others = (
            self.where or self.me or self.team or self.compare or self.turn or self.share or self.versus or self.bands
        )
        return bool(self.metrics) and replace(self, goal="")._is_bare and not (others or self.average or self.without)

    @property
    def is_kind_alone(self) -> bool:
        """Whether no condition and no time describes the records or figures that it asks for: `calls?`, `last 3 touches?`."""
        return self.conditions == bool(self.rank)

    @property
    def names_records_only(self) -> bool:
        """Whether records are named and nothing is asked of them."""
        asks = self.goal or self.metrics or self.fields or self.by or self.rank or self.about or self.deed
        return bool(self.entity) and not asks

    @property
    def says_whose(self) -> bool:
        """Whether it says whose its records are, or splits them: what a record has of itself does not."""
        own = {name for condition in self.where for name in names_of(condition)}
        return bool(self.about or self.me or self.team or self.by) or not own <= OF_RECORD

    @property
    def conditions(self) -> int:
        """How many conditions, times and orders describe its records."""
        kinds = (
            {"channel", "direction"}
            if self.entity == "interactions"
            else {"role"}
            if self.metrics == ("contacts",)
            else set()
        )
        own = [condition for condition in self.where if not {*names_of(condition)} <= kinds]
        others = (self.deed, self.rank, self.average, self.without, self.passage, self.share, self.compare, self.turn)
        return (
            len(self.states)
            + len(own)
            + len(self.bands)
            + len(self.times)
            + len(self.thresholds)
            + sum(map(bool, others))
        )

    def measures(self, before: Slots) -> bool:
        """Whether it names a figure alone that is one of the deals which were asked for before, as a list or in number."""
        alone = self._is_bare and len(self.metrics) == 1 and not (self.where or self.me or self.compare or self.turn)
        listed = before.entity == "deals" and not (before.metrics or before.by or before.rank)
        if not alone or not listed:
            return False
        metric = metrics.metrics()[self.metrics[0]]
        states = {state for state, is_in in before.states if is_in} & {"open", "won", "lost"}
        states |= {"open"} if before.deed == "due" else OF_DEED.get(before.deed, set())
        return metric.view.entity == "deals" and not metrics.contradicted(
            metric, [metrics.Filter("status", tuple(states))] if states else []
        )

    def widens(self, before: Slots) -> bool:
        """Whether it names a figure or records alone, and what was asked before was of some rows only."""
        worth = self.goal == "amount" and self.deed != "" and replace(self, goal="")._is_bare
        alone = not (self.where or self.me) and (worth or self.nounless or (self._is_bare and bool(self.metrics)))
        own = {name for condition in self.where for name in names_of(condition)} <= OF_RECORD
        alone |= (
            self.fragment and own and bool(self.entity) and self.entity != before.entity and not (self.me or self.by)
        )
        cut = before.rank is not None and before.rank.limit is not None
        return alone and bool(before.where or before.times or before.states or before.thresholds or before.me or cut)

    @property
    def record(self) -> About | None:
        """The one account or deal that it is about, or that its answer found."""
        if self.about:
            return self.about[0] if len(self.about) == 1 else None
        return self.rows.one() if self.rows else None

    @property
    def is_of_record(self) -> bool:
        """Whether nothing but one account or deal is asked for: a summary of it, or a column."""
        return len(self.about) == 1 and not (self.metrics or self.entity or self.by or self.rank or self.states)

    def of_owner(self, before: Slots) -> Slots | None:
        """A fragment as one about the owner of the question before, or who asks: `win rate?`, `calls?`; None where it is none."""
        owners = [part for part in before.where if names_of(part) == ["owner"]]
        others = (
            self.by or self.about or self.me or self.team or self.follows or self.refers or before.by or before.about
        )
        conditions = {name for condition in self.where for name in names_of(condition)}
        overview = before.goal == "overview" and len(owners) == len(before.where)
        subject = (overview and self.metrics) or (
            self.entity in ("deals", "interactions") and self.entity != before.entity
        )
        of_one_owner = (len(owners) == 1) != before.me and not before.team
        if (
            not (self.fragment and subject and of_one_owner)
            or others
            or not conditions <= OF_RECORD
            or self.is_of_quotas
        ):
            return None
        times = self.times or (before.times if overview and self.metrics else ())
        return replace(self, where=(*owners, *self.where), me=before.me, times=times)

    def of_record(self, before: Slots) -> Slots | None:
        """A fragment as a question about the one account or deal of the question before: `last 3 touches?`; None where it is none."""
        record = before.record
        worth = self.goal == "amount"
        subject = (
            self.metrics or self.entity in ("deals", "interactions") or (not self.entity and (self.states or worth))
        )
        others = self.by or self.me or self.team or self.compare or self.versus or self.share or self.turn or self.deed
        conditions = {name for condition in self.where for name in names_of(condition)}
        if record is None or not (self.fragment and subject) or self.about or others or not conditions <= OF_RECORD:
            return None
        counts = {metrics.metrics()[name].measure.unit for name in self.metrics} == {"accounts"}
        if self.is_of_quotas or counts or (not before.is_of_record and self.goes_on(before)):
            return None
        of_people = "contacts" in self.metrics
        entity = self.entity or ("" if self.metrics else "deals")
        if record.kind == "deal" and not (of_people or entity == "interactions"):
            return None
        return replace(self, about=(record,), entity=entity, follows=False, refers=False, narrows=False)

    @property
    def of_all(self) -> bool:
        """Whether it goes on from what was asked before, or says nothing of which records it is."""
        return self.follows or (self._is_bare and not (self.where or self.me))

    def leans(self, named: Slots | None) -> bool:
        """Whether it cannot be answered after a question that was not, of which nothing is known but whom it named."""
        if named is not None and (self.of_record(named) or self.refers):
            return False
        open_ended = (
            self.fragment
            and self.goal not in INTENTS
            and not (self.times or self.by or self.me or self.states or self.thresholds)
        )
        open_ended &= {name for part in self.where for name in names_of(part)} <= OF_RECORD
        return not self.has_subject or (self.fragment and self.follows) or (open_ended and not self.about)

    def of_everything(self, before: Slots) -> bool:
        """Whether it is a whole question about the records of all accounts, after one about a single account or deal."""
        own = self.about or self.where or self.me or self.team or "customer_name" in self.by
        subject = self.entity in ("deals", "interactions") or ((self.metrics or self.deed) and not self.entity)
        return len(before.about) == 1 and bool(subject) and not (own or self.goal in INTENTS or self.is_of_quotas)

    def goes_on(self, before: Slots | None) -> bool:
        """Whether it goes on from what was asked before: it has no subject, says so, or is but another kind of touch."""
        if before is None:
            return False
        if self.restricts(before) or self.narrows or self.ranks_as(before) or self.measures(before):
            return True
        ordered = (
            self.rank is not None and bool(self.fields) and not (self.entity or self.metrics or self.about or self.by)
        )
        kind = self._is_bare and self.entity == before.entity == "interactions" and len(self.where) == 1
        return (
            not self.has_subject
            or (bool(before.bands) and self.by == ("size_band",))
            or self.follows
            or self.refers
            or kind
            or ordered
            or (self.nounless and before.of_deals_worth and not self._is_open_after_closed(before))
            or (self.goal == "why" and not self.metrics)
        )

    def _is_open_after_closed(self, before: Slots) -> bool:
        """Whether it asks for what open deals alone are, after deals that were closed: `how much is overdue`, after revenue."""
        closed = {state for state, is_in in before.states if is_in} | OF_DEED.get(before.deed, set())
        closed |= {state for state in map(_state_of_measure, before.metrics) if state}
        return bool(closed & {"won", "lost", "closed"} and {state for state, _ in self.states} & {"open", *OF_OPEN})

    @property
    def of_deals_worth(self) -> bool:
        """Whether it asks for deals, their number or their value, which some of them have too."""
        return bool(_values(self.metrics)) if self.metrics else self.entity == "deals"

    @property
    def is_of_quotas(self) -> bool:
        """Whether it asks for quotas, or whether they are reached."""
        asked = {*self.metrics, *(threshold.column for threshold in self.thresholds)}
        return self.goal == "attain" or bool(asked & {*meanings()["current"]})

    def lacks_time_of(self, before: Slots) -> bool:
        """Whether it asks for quotas of no time, after a question of one: `did he hit his quota`."""
        timed = len(before.times) == 1 and not before.times[0].edge and not (before.compare or self.compare)
        return self.is_of_quotas and not self.times and timed and not any(name.startswith("time:") for name in self.by)

    @property
    def restrictions(self) -> frozenset[str]:
        """What restricts the records it asks for, whatever the values."""
        slots = ("times", "me", "about", "thresholds", "compare")
        return frozenset(
            (
                *(name for name in slots if getattr(self, name)),
                *(name for condition in self.where for name in names_of(condition)),
            )
        )

    def is_of_nothing(self) -> bool:
        """Whether it asks for an average or for all, and says of nothing that it does: `and on average?`."""
        own = self.metrics or self.entity or self.fields or self.deed or self.by or self.about
        if own:
            return False
        more = self.where or self.times or self.states or self.rank or self.thresholds or self.compare or self.me
        return self.goal in ("average", "median") or bool(self.whole and not (more or self.goal))

    def restricts(self, before: Slots) -> bool:
        """Whether it names but the records that what was asked before is to be of: `for deals above 50k`."""
        return self.restricted and self.names_records_only and bool(before.metrics or before.by or before.goal)

    def picks_of(self, before: Slots) -> bool:
        """Whether it is of some of the rows of a list that a ranking had cut: `just the ones due in May`."""
        cut = before.rank is not None and before.rank.limit is not None and before.entity and not before.by
        restricts = self.where or self.times or self.states or self.thresholds
        alone = not (self.rank or self.metrics or self.by or self.about or self.goal not in ("", "list"))
        return bool(self.picks and cut and restricts and alone and self.entity in ("", before.entity))

    def cuts(self, before: Slots) -> bool:
        """Whether it is about the first rows of an order, which what goes on from it would lose."""
        cut = before.rank is not None and before.rank.limit is not None
        if cut and self.by and not (self.rank or before.by or self.has_own_deals):
            return True  # who owns it, after the biggest deal
        if self.rank is not None:
            return cut and self.rank.sorts
        return cut and (self.refers or self.goal in ("count", "amount", "list"))

    @property
    def shown(self) -> int | None:
        """How many rows of an order its answer shows, after which there may be more; None where it has none."""
        listed = self.entity == "deals" and not (self.metrics or self.by) and self.goal in ("", "list")
        if self.rank is None or self.rank.limit is None:
            return LISTED if listed and (self.rank is None or self.rank.way == "desc") else None
        return self.rank.limit

    def ranks_split_of(self, before: Slots) -> bool:
        """Whether it asks for the first of the values that the figure before was split by: `which is worst this year`."""
        other_split = self.by and self.by != before.by
        own = self.metrics or self.entity or self.fields or other_split or self.about or self.turn or self.deed
        split = before.metrics and before.by and not before.rank
        return bool(self.rank and self.rank.way in ("best", "worst", "desc", "asc") and split) and not own

    def ranks_deals_of(self, before: Slots) -> bool:
        """Whether it asks for the biggest or newest deal of those whose value or number was asked for."""
        alone = not (
            self.metrics or self.entity or self.fields or self.by or self.about or self.goal not in ("", "list")
        )
        ranks = (self.rank is None and self.refers and self.goal == "list") or (
            self.rank is not None and not self.rank.sorts and (self.rank.sized or self.rank.way in ("newest", "oldest"))
        )
        whole = not (
            before.by or before.rank or before.entity or before.deed or before.compare or before.turn or before.versus
        )
        measured = len(before.metrics) == 1 and _state_of_measure(before.metrics[0]) is not None
        return alone and ranks and whole and measured and len(before.times) < 2

    def of_person(self, before: Slots) -> bool:
        """Whether a pronoun stands for the one value that the answer before found: `his win rate`."""
        rows = before.rows
        return rows is not None and not rows.entity and Test(rows.name, "=", rows.keys) in self.where

    def of_rows(self, rows: Rows, before: Slots) -> Slots:
        """The same of the rows of the answer before, which a ranking had cut."""
        test = Test(rows.name, "=", rows.keys)
        where = self.where if test in self.where else (*self.where, test)
        worth = self.goal == "amount" and before.metrics and rows.entity != "deals"
        counts = _counts(before.metrics) if self.goal == "count" and self.refers and self.entity == "deals" else ()
        if counts and rows.entity != "deals":  # how many deals was that, after which rep won the most
            return replace(self, goal="", entity="", metrics=counts).of_rows(rows, replace(before, metrics=counts))
        entity = self.entity or ("" if self.metrics or worth else rows.entity)
        counted = self.metrics and self.metrics == before.metrics and self.refers
        if not (worth or counted or not (self.metrics or self.by or self.fields or entity)):
            return replace(self, entity=entity, where=where, refers=False, follows=False)
        kept = {name: getattr(before, name) for name in ("metrics", "times", "states", "thresholds", "deed", "me")}
        own = {name: getattr(self, name) or value for name, value in kept.items()}
        return replace(self, where=(*before.where, *where), refers=False, follows=False, **own)

    def lost(self, before: Slots) -> str:
        """What of the question before could not be kept, in words, so that this one would answer another; empty for nothing."""
        if before.bands and (self.thresholds or self.share):
            return "the question before is of several bands"
        if before.other_way and self.rank is None and (self.goal in ("count", "amount", "list") or self.by):
            return "the question before asked for both ends of an order"
        if self.against:
            values = not self.times and _beside_values(before.where, self.where) is None
            if (
                values
                or (self.times and len(before.times) != 1)
                or before.by
                or before.rank
                or before.share
                or before.turn
                or before.compare
            ):
                return "the question before has nothing that this can be put beside alone"
        if (
            self.rank
            and self.rank.sorts
            and ((self.metrics and before.metrics and self.metrics != before.metrics) or self.by)
        ):
            return "what was asked before is sorted by its own figure only"
        if (
            self.rank
            and self.rank.sorts
            and before.by
            and (self.metrics or self.goal or self.entity)
            and self.metrics != before.metrics
        ):
            return "what was asked before is sorted by its own figure only"
        if self.measures(before) and before.times and self.metrics:
            measure = metrics.metrics()[_of_state(self.metrics[0], before)].measure
            if measure.period not in (None, _day_of(before)):
                return (
                    f"{measure.display_name.lower()} counts deals by another day than those that were asked for before"
                )
        bare = not (self.metrics or self.fields or self.entity or self.deed or self.beside_mean(before))
        if bare and self.goal in ("average", "median") and before.metrics and self.goal not in before.metrics[0]:
            return f"the {self.goal} of {' and '.join(before.metrics).replace('_', ' ')} is another figure"
        if self.goal == "amount" and self.refers and bare and before.metrics and not _values(before.metrics):
            return f"{' and '.join(before.metrics).replace('_', ' ')} is no number of records that are worth something"
        done = {state for state, is_in in before.states if is_in} | OF_DEED.get(before.deed, set())
        closes = self.deed == "close" or ("closed", True) in self.states
        if closes and not self.has_own_deals and done & {"won", "lost"} and not (self.rank and "lost" not in done):
            return "closed deals are won or lost, and the question before was of some of them"
        return ""

    def beside_mean(self, before: Slots) -> tuple[str, ...]:
        """The mean of the question before and its median, where `median too` is said; nothing where it is not, or there is none."""
        means = meanings()["averages"]["median"]
        median = means.get(before.metrics[0]) if len(before.metrics) == 1 else None
        too = self.too and self.goal == "median" and not (self.metrics or self.fields or self.entity or self.deed)
        return (before.metrics[0], median) if too and median not in (None, before.metrics[0]) else ()

    @property
    def moved(self) -> bool:
        """Whether those values of a split are asked for whose figure rose or fell: `which reps dropped`."""
        split = self.by and not any(name.startswith("time:") for name in self.by)
        return self.turn in ("up", "down") and bool(split) and self.goal in ("", "list") and not self.yes_no

    @property
    def has_own_deals(self) -> bool:
        """Whether it says itself which records it is about."""
        return bool(self.metrics or self.entity or self.about)

    def carried(self, before: Slots) -> tuple[Slots, list[str]]:
        """The slots as a continuation of what was asked before, and what was taken over from it, in words."""
        if self.goal == "list" and before.number_of and self.refers and not (self.where or self.times or self.by):
            return replace(before, number_of=False, goal="", rows=None), ["all"]  # which ones
        if self.goal == "list" and not self.by and replace(self, by=before.by).moved:
            return replace(self, by=before.by, refers=False).carried(before)  # which ones dropped
        if self.goal == "list" and self.ranks_split_of(before):
            return replace(self, goal="").carried(before)  # which is the worst
        rates = self.metrics == ("win_rate",)
        if before.bands and self.by == ("size_band",) and (rates or not self.metrics):
            states = tuple(state for state in before.states if not (rates and state[0] in OF_LIFE))
            bare = replace(self, by=(), goal="" if rates else self.goal, refers=False, entity="")
            was = replace(before, states=states, goal="" if rates else before.goal)
            was = replace(was, deed="" if rates else was.deed, entity="" if rates else was.entity)
            return bare.carried(was)  # and the win rate of each size
        if mean := self.beside_mean(before):
            return replace(self, goal="", too=False).carried(replace(before, metrics=mean))
        if self.everyone:
            everybody = tuple(part for part in before.where if not left_out_owner(part))
            return replace(self, everyone=False).carried(replace(before, where=everybody))
        if self.ranks_deals_of(before):
            state = _state_of_measure(before.metrics[0])
            states = (*before.states, *(((state, True),) if state and (state, True) not in before.states else ()))
            return self.carried(replace(before, metrics=(), entity="deals", goal="list", states=states))
        if self.restricts(before):
            worth = tuple(replace(threshold, column=threshold.column or "deal_value") for threshold in self.thresholds)
            bare = replace(
                self, entity="", restricted=False, thresholds=worth if self.entity == "deals" else self.thresholds
            )
            return bare.carried(before)
        if self.narrows and before.entity in ("", self.entity):
            worth = tuple(replace(threshold, column=threshold.column or "deal_value") for threshold in self.thresholds)
            bare = replace(
                self, narrows=False, entity="", thresholds=worth if self.entity == "deals" else self.thresholds
            )
            only = [state for state, is_in in self.states if is_in]
            if before.deed == "close" and only in (["won"], ["lost"]):  # of those closed
                bare = replace(bare, states=(), deed="win" if only == ["won"] else "lose")
            return bare.carried(before)
        same = self.about and self.about == before.about and before.entity == "interactions"
        if same and self.metrics and metrics.metrics()[self.metrics[0]].view.entity != before.entity:
            return self, []  # how much they have bought, after the last meeting with them
        finer = {("won", True), ("lost", True)} & {*before.states}
        if finer and ("closed", True) in self.states:  # who closed the largest, of those won
            states = tuple(state for state in self.states if state != ("closed", True))
            return replace(self, states=states).carried(before)
        if self.deed == "close" and (finer or before.deed in ("win", "lose")):
            return replace(self, deed="").carried(before)
        if self.further:
            rank = before.rank or Rank("desc")
            passed = rank.skip + (before.shown or 0)
            return replace(before, rank=replace(rank, count=self.further, skip=passed), rows=None), ["all but the rows"]
        changes: dict[str, object] = {}
        subject = ("metrics", "fields", "entity")
        own_subject = self.goal == "attain" or any(getattr(self, name) for name in subject)
        kept: list[str] = []
        for name in ("goal", *subject, "states", "where", "times", "deed", "by", "rank", "thresholds", "bands", "without", "lacks", "average", "compare", "turn", "about",
                     "me", "team", "team_of", "versus", "running", "number_of"):  # fmt: skip
            own, was = getattr(self, name), getattr(before, name)
            sorts = self.rank is not None and bool(self.fields) and name in ("entity", "deed")
            if own or not was or (own_subject and name in (*subject, "deed") and not sorts):
                continue
            if name == "by" and (self.whole or (self.share and self.where)):
                continue  # how much in total, what share of that is in negotiation
            if (name in ("team", "team_of") and (self.me or (self.where and not self.team))) or (
                name == "goal" and was == "overview" and own_subject
            ):
                continue
            ranks = name == "rank" and not (self.goal == "amount" and before.by and self.follows)
            if self.goal in ("count", "amount", "list") and (ranks or (name == "by" and self.goal == "list")):
                continue
            if self.goal == "list" and name in ("metrics", "turn", "compare") and not self.moved:
                continue
            if name == "number_of" and (self.by or self.goal == "list"):
                continue
            if self.goal == "why" and name in ("by", "rank"):
                continue  # a change is explained whole
            changes[name] = was
            kept.append(name)
        if "metrics" in kept or "goal" in kept:
            changes["typical"] = self.typical or before.typical
        if "rank" in kept:
            changes["other_way"] = before.other_way
        both = _beside_values(before.where, self.where) if self.versus and not self.times else None
        if both is not None:
            changes["where"], changes["by"] = both
            kept.append("where")
        elif self.refers and {name for part in self.where for name in names_of(part)} & {
            name for part in before.where for name in names_of(part)
        }:
            changes["where"] = (*before.where, *(part for part in self.where if part not in before.where))
            kept.append("where")
        elif self.where and before.where:
            own_names = {name for part in self.where for name in names_of(part)}
            other_conditions = tuple(part for part in before.where if not own_names & {*names_of(part)})
            changes["where"] = (*other_conditions, *self.where)
            kept += ["where"] * bool(other_conditions)
        if self.states and before.states and self.entity in ("", before.entity):
            own_states = {state for state, _ in self.states}
            other_states = tuple(
                state
                for state in before.states
                if not (own_states & OF_LIFE and state[0] in OF_LIFE) and state[0] not in own_states
            )
            changes["states"] = (*other_states, *self.states)
            kept += ["states"] * bool(other_states)
        if self.versus and self.times and before.times and not self.compare:
            changes["times"] = (*before.times, *self.times)
            kept.append("times")
        if self.thresholds and before.thresholds:
            if before.number_of and len(self.thresholds) == 1 and not self.thresholds[0].column:
                changes["thresholds"] = (replace(self.thresholds[0], column=before.thresholds[-1].column),)
                return replace(self, **changes), kept  # type: ignore[arg-type]  # and more than 40
            columns = {threshold.column for threshold in self.thresholds}
            others = tuple(threshold for threshold in before.thresholds if threshold.column not in columns)
            changes["thresholds"] = (*others, *self.thresholds)
        if self.by and before.rank and not self.rank:
            changes["rank"] = None
        if self.by and before.versus and before.by and not self.versus and len(before.by) == len(self.by) == 1:
            changes["by"] = (*self.by, *(name for name in before.by if name not in self.by))  # won vs lost, by product
        if (
            self.rank
            and not own_subject
            and changes.get("goal") in ("count", "amount")
            and before.entity
            and not (self.by or before.by)
        ):
            changes["goal"] = "list"  # the biggest of those that were counted
        if self.measures(before):
            done = [(state, True) for state in _STATE_OF.get(before.deed, ())]
            changes |= {"goal": "", "states": (*before.states, *done), "deed": "" if done else before.deed}
        if self.goal == "count" and not self.metrics and before.metrics:
            changes["metrics"] = _counts(before.metrics)
        if self.goal == "amount" and (self.refers or self.nounless) and not self.metrics and before.metrics:
            changes["metrics"] = _values(before.metrics)
        if not self.narrow:
            changes["narrow"] = before.narrow
            changes["of_before"] = self.share and not self.where and before.refers
        return replace(self, **changes), kept  # type: ignore[arg-type]


def _day_of(slots: Slots) -> str | None:
    """The day by which a list or number of deals is meant."""
    events = (slots.deed, *(state for state, is_in in slots.states if is_in))
    return next((meanings()["days"][event] for event in events if event in meanings()["days"]), None)


def _of_state(name: str, slots: Slots) -> str:
    """The metric that one of all deals is of those in the state that slots are of: the average value of won deals."""
    family: dict[str, str] = next((of for of in meanings()["measures"]["deals"].values() if of.get("") == name), {})
    states = {*OF_DEED.get(slots.deed, ()), *(state for state, is_in in slots.states if is_in)}
    return next((str(family[state]) for state in family if state in states), name)


_STATE_OF = {"win": ("won",), "sell": ("won",), "lose": ("lost",), "close": ("closed",)}


def _state_of_measure(name: str) -> str | None:
    """The state of the deals that a metric is the number or value of; None where it is neither."""
    of = meanings()["measures"]["deals"]
    return next((state for kind in ("value", "count") for state, metric in of[kind].items() if metric == name), None)


def _values(names: tuple[str, ...]) -> tuple[str, ...]:
    """What the records are worth that metrics are the number or the value of; nothing where one of them is neither."""
    of = meanings()["measures"]["deals"]
    worth = {number: of["value"][state] for state, number in of["count"].items()}
    values = [name if name in of["value"].values() or _is_money(name) else worth.get(name, "") for name in names]
    return tuple(dict.fromkeys(values)) if all(values) else ()


def _is_money(name: str) -> bool:
    measure = metrics.metrics()[name].measure
    return measure.additivity == "flow" and measure.format.type == "currency"


def _counts(names: tuple[str, ...]) -> tuple[str, ...]:
    """What counts the records that metrics are of; nothing where one of them is neither a number nor a value of records."""
    of = meanings()["measures"]["deals"]
    counts = [
        name
        if metrics.metrics()[name].measure.unit in ("deals", "accounts", "touches", "contacts")
        else next((of["count"][state] for state, value in of["value"].items() if value == name), "")
        for name in names
    ]
    return tuple(counts) if all(counts) else ()


def _beside_values(
    before: tuple[Condition, ...], own: tuple[Condition, ...]
) -> tuple[tuple[Condition, ...], tuple[str, ...]] | None:
    """Conditions and split that put a value beside that of the question before: `vs Kavya`; None where they are of different things."""
    (condition,) = own if len(own) == 1 else (None,)
    was = [
        part
        for part in before
        if isinstance(part, Test) and isinstance(condition, Test) and part.name == condition.name
    ]
    if not isinstance(condition, Test) or len(was) != 1 or (condition.op, was[0].op) != ("=", "="):
        return None
    both = Test(condition.name, "=", (*was[0].values, *condition.values))
    return (*(part for part in before if part is not was[0]), both), (condition.name,)


#: Goals that need nothing else to be asked for.
INTENTS = (
    "call",
    "existing",
    "cover",
    "overview",
    "attain",
    "plan",
    "forecast",
    "changed",
    "channels",
    "define",
    "brief",
    "score",
    "draft",
    "why",
)


def beside(condition: Condition) -> bool:
    """Whether a condition compares a column with another."""
    return any(isinstance(value, Beside) for test in tests(condition) for value in test.values)


def left_out_owner(condition: Condition) -> bool:
    """Whether a condition leaves out an owner: `excluding Ben`."""
    return isinstance(condition, Test) and condition.name == "owner" and condition.op == "!="


def names_of(condition: Condition) -> list[str]:
    """What a condition is about."""
    return [test.name for test in tests(condition)]


def selected(metric: metrics.Metric) -> frozenset[str]:
    """The states of deals that a metric looks at by itself."""
    return frozenset(state for state in ("open", "won", "lost") if f"'{state}'" in metric.expanded)
