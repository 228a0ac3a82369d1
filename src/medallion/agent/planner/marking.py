"""Spans that are marked as understood, one after the other."""

from __future__ import annotations

from medallion.agent.planner.lexer import Lexed
from medallion.agent.planner.lexicon import Sense
from medallion.agent.planner.slots import About, Average, Rank, Rows, Slots, Threshold
from medallion.agent.planner.times import Time
from medallion.metrics.conditions import Condition, Test
from medallion.metrics.periods import Today

RANKS = ("desc", "asc", "best", "worst", "newest", "oldest", "likeliest")
#: Signs of a pause.
DASHES = ("-", "\u2013")
#: Kinds of spans beside which a question says the same, where they are left over.
QUIET = frozenset(
    {
        "neutral",
        "be",
        "comma",
        "prep",
        "joined",
        "during",
        "it",
        "unnamed",
        "exists",
        "ones_of",
        "inside",
        "ourselves",
        "to_us",
        "row_of",
    }
)


class Unclear(Exception):  # noqa: N818 - no error: the question is asked back
    """A question that is not understood, or may mean several things.

    Attributes:
        reason: Why, in words.
        closest: Questions that can be answered instead; none where nothing is near.
        without: The question without the words that are not understood, which may be one that can be answered.
        remedy: What to do that is no question, a sentence; empty where a question is all that helps.
        unknown: Phrases of words that mean nothing, as they were written.
    """

    def __init__(
        self, reason: str, *closest: str, without: str = "", remedy: str = "", unknown: tuple[str, ...] = ()
    ) -> None:
        super().__init__(reason)
        self.reason, self.closest, self.without, self.remedy = reason, closest, without, remedy
        self.unknown = unknown


def without_quotas(*closest: str, so: str = "") -> Unclear:
    """That quotas are asked for and there are none, with questions that can be answered instead."""
    reason = ", ".join(["there are no quotas in this lakehouse", *([so] if so else [])])
    remedy = "docs/PROPOSALS.md says which files have them."
    return Unclear(reason, *closest, "forecast for this quarter", remedy=remedy)


class Marking:
    """The spans of a question being read, and what was found so far: what is understood is marked as used."""

    def __init__(self, lexed: Lexed, today: Today, currency: str, before: Slots | None = None) -> None:
        self.spans, self.lexed, self.today, self.currency = lexed.spans, lexed, today, currency
        self.before = before  #: what was asked before, which pronouns stand for
        self.goal, self.entity, self.deed, self.turn, self.compare = "", "", "", "", ""
        self.states: list[tuple[str, bool]] = []
        self.where: list[Condition] = []
        self.by: list[str] = []
        self.fields: list[str] = []
        self.metrics: list[str] = []
        self.thresholds: list[Threshold] = []
        self.about: list[About] = []
        self.rank: Rank | None = None
        self.times: list[Time] = []
        self.share = self.versus = self.against = self.me = self.past = self.follows = self.refers = False
        self.average: Average | None = None
        self.contrast = ""
        self.total = False
        self.anded = False  #: whether an `and` joins products, of which a deal has one
        self.led = False  #: whether a split follows a word such as `per` or `each`
        self.yes_no = bool(self.spans and self.spans[0].of("yes_no"))
        self.team = self.with_total = False
        self.team_of = ""  #: the owner whose team it is about
        self.lacks: list[Test] = []  #: products that accounts have not bought
        self.judged = False  #: whether it is said how good something is
        self.speaker = ""  #: the owner who says who they are
        self.asker = ""  #: the owner whom `I` and `my` mean in this question
        self.of_entity = ""  #: the records before that a figure is of
        self.greets = False  #: whether somebody says who they are, and nothing else
        self.without: tuple[str, str] | None = (
            None  #: touches of which channel, or any, and in which time there were none
        )
        self.moving = False  #: whether a figure is said to be rising or falling now
        self.mean_too = False  #: whether a mean is asked for beside a median
        self.of_row = False  #: whether it is about a row of the answer before
        self.passage: tuple[str, str] | None = None  #: from which stage to which
        self.further: int | None = None  #: how many more rows of the answer before are asked for
        self.columns: list[str] = []  #: what a list shows beside
        self.counted = 0  #: how often `how many` was said of figures beside one another
        self.bands: list[tuple[Threshold, ...]] = []  #: of values, each of which is asked about
        self.premise = ""  #: what a question takes for granted
        self.other_way = ""  #: the other end of an order, where both are asked for
        self.listed: Rows | None = None  #: the rows of which it is about one by its number
        self.running = False  #: whether figures by time are added up
        self.apart = False  #: whether a number is asked for of each of several values
        self.number_of = False  #: whether the values of a split are counted
        self.worth_too = False  #: whether what is open at an account is asked for, with what it comes to
        self.everyone = False  #: whether nobody is left out who was
        self.notes: list[str] = []

    def has(self, place: int, *kinds: str) -> Sense | None:
        """The sense of an unused span of one of some kinds."""
        if not 0 <= place < len(self.spans) or self.spans[place].used:
            return None
        return self.spans[place].of(*kinds)

    def places(self, *kinds: str) -> list[int]:
        """Where unused spans of some kinds stand."""
        return [place for place in range(len(self.spans)) if self.has(place, *kinds)]

    def use(self, *places: int) -> None:
        """Mark spans as understood."""
        for place in places:
            self.spans[place].used = True

    def quiet(self, place: int) -> bool:
        """Whether a span says nothing by itself."""
        return bool(self.spans[place].senses) and all(sense.kind in QUIET for sense in self.spans[place].senses)

    def near(self, place: int, step: int, *, over: tuple[str, ...] = ()) -> int:
        """The next place in a direction whose span says something; -1 or the number of spans where there is none."""
        place += step
        while 0 <= place < len(self.spans) and (self.quiet(place) or (over and self.spans[place].of(*over))):
            place += step
        return place

    def near_word(self, place: int, step: int, *, over: tuple[str, ...]) -> int:
        """The next place in a direction whose span is of none of some kinds."""
        place += step
        while 0 <= place < len(self.spans) and self.spans[place].of(*over):
            place += step
        return place

    def take(self, *kinds: str) -> bool:
        """Mark all spans of some kinds as understood; whether there are any."""
        places = self.places(*kinds)
        self.use(*places)
        return bool(places)
