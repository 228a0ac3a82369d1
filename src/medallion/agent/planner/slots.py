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
        speaker: The owner who says so of themselves, here or before: `hi, it's Tess Nair`.
        asker: The owner whom `I` and `my` mean in this question: the speaker, or who is named for it alone.
        of_entity: The records of the question before that a figure is of: accounts, of `how much did they bring`.
        greets: Whether somebody says who they are, and nothing else.
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
    asker: str = field(default="", compare=False, kw_only=True)
    of_entity: str = field(default="", compare=False, kw_only=True)
    greets: bool = field(default=False, compare=False, kw_only=True)
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

    def spoken(self) -> Slots:
        """What it asks, with who says who they are in place of `I` and `my`, unless somebody else is named too."""
        named = any("owner" in names_of(part) for part in self.where)
        if not (self.asker and self.me) or self.team or named:
            return self
        return replace(self, where=(Test("owner", "=", (self.asker,)), *self.where), me=False)

    @property
    def is_bare(self) -> bool:
        """Whether it has none of what restricts, splits or orders, but for conditions by name."""
        return not (self.goal or self.times or self.by or self.rank or self.states or self.thresholds or self.about)

    @property
    def is_figure_alone(self) -> bool:
        """Whether it names figures, and nothing that they are of: no time, condition, split or comparison."""
        others = (
            self.where or self.me or self.team or self.compare or self.turn or self.share or self.versus or self.bands
        )
        return bool(self.metrics) and replace(self, goal="").is_bare and not (others or self.average or self.without)

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

    @property
    def of_all(self) -> bool:
        """Whether it goes on from what was asked before, or says nothing of which records it is."""
        return self.follows or (self.is_bare and not (self.where or self.me))

    @property
    def is_of_quotas(self) -> bool:
        """Whether it asks for quotas, or whether they are reached."""
        asked = {*self.metrics, *(threshold.column for threshold in self.thresholds)}
        return self.goal == "attain" or bool(asked & {*meanings()["current"]})

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

    @property
    def shown(self) -> int | None:
        """How many rows of an order its answer shows, after which there may be more; None where it has none."""
        listed = self.entity == "deals" and not (self.metrics or self.by) and self.goal in ("", "list")
        if self.rank is None or self.rank.limit is None:
            return LISTED if listed and (self.rank is None or self.rank.way == "desc") else None
        return self.rank.limit

    @property
    def moved(self) -> bool:
        """Whether those values of a split are asked for whose figure rose or fell: `which reps dropped`."""
        split = self.by and not any(name.startswith("time:") for name in self.by)
        return self.turn in ("up", "down") and bool(split) and self.goal in ("", "list") and not self.yes_no

    @property
    def has_own_deals(self) -> bool:
        """Whether it says itself which records it is about."""
        return bool(self.metrics or self.entity or self.about)


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
