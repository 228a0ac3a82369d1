"""The report's pages, told once: which visual shows what, where, and which question it answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal

from medallion.charts.theme import OUTCOME
from medallion.powerbi.dates import COMPARED, TIME
from medallion.powerbi.theme import COUNTED

Kind = Literal[
    "textbox", "slicer", "card", "clusteredBarChart", "clusteredColumnChart", "columnChart", "lineChart",
    "lineClusteredColumnComboChart", "scatterChart", "tableEx",
]  # fmt: skip
#: A measure by name, or a column by table and name.
Field = str | tuple[str, str]

WIDTH, HEIGHT, EDGE, GAP = 1280, 720, 24, 12
#: The page that a figure shows while the pointer is on it, and its size.
TOOLTIP, _TIP_WIDTH, _TIP_HEIGHT = "tooltip", 400, 240
_COMPARED = (TIME, (COMPARED,))


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels of a page of 1280 by 720."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Visual:
    """One visual.

    Attributes:
        kind: Its type in Power BI.
        title: What stands above it; of a text box, the heading.
        fields: Fields by role, in order.
        alt: What a screen reader tells.
        box: Where on the page, given when the page is put together.
        order: Place in the tab order, from 1.
        where: Values that a column must have, a filter of this visual alone.
        sort: Field to sort by, falling; by category, rising, without.
        text: Second line of a text box.
        colours: Colours of series that have a meaning of their own.
        tips: Whether the tooltip page is shown beside its figures.
    """

    kind: Kind
    title: str
    fields: dict[str, tuple[Field, ...]]
    alt: str
    box: Box = Box(0, 0, 0, 0)
    order: int = 0
    where: tuple[tuple[str, str], tuple[Any, ...]] | None = None
    sort: Field | None = None
    text: str = ""
    colours: dict[str, str] = field(default_factory=dict)
    tips: bool = False

    @property
    def name(self) -> str:
        """A name that is unique on its page and the same in every build."""
        plain = re.sub(r"[^a-z0-9]+", "_", f"{self.kind}_{self.title}".lower()).strip("_")
        return f"{self.order:02d}_{plain}"[:50]

    @property
    def used(self) -> Iterator[Field]:
        """All fields, those of the filter too."""
        for fields in self.fields.values():
            yield from fields
        if self.where:
            yield self.where[0]


@dataclass(frozen=True)
class Page:
    """One page.

    Attributes:
        name: Its name, the same in every build.
        title: What readers see.
        question: What it answers.
        visuals: In tab order.
        drill: The column by whose values readers drill through to it from other pages.
        width: In pixels.
        height: In pixels.
    """

    name: str
    title: str
    question: str
    visuals: tuple[Visual, ...]
    drill: tuple[str, str] | None = None
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def is_tooltip(self) -> bool:
        """Whether it is shown beside figures of other pages."""
        return self.name == TOOLTIP

    @property
    def hidden(self) -> bool:
        """Whether it is opened from other pages alone."""
        return self.is_tooltip or self.drill is not None


def _page(
    name: str, title: str, question: str, slicers: tuple[tuple[str, str], ...],
    cards: tuple[str | tuple[str, str], ...],
    charts: tuple[Visual, ...], table: Visual, beside: Visual | None = None,
) -> Page:  # fmt: skip
    """Heading and slicers, cards, charts, and a table below with room for a chart beside it, on one grid.

    The first card says up to which day the data go. Where readers choose a period, each other card has the change on the
    period before below it.
    """
    visuals: list[Visual] = []

    def put(visual: Visual, box: Box) -> None:
        visuals.append(replace(visual, box=box, order=len(visuals) + 1))

    slicer = 168
    left = WIDTH - EDGE - len(slicers) * slicer - (len(slicers) - 1) * GAP
    heading = Visual("textbox", title, {}, f"{title}. {question}", text=question)
    put(heading, Box(EDGE, 14, left - EDGE - GAP, 62))
    for place, chosen in enumerate(slicers):
        box = Box(left + place * (slicer + GAP), 14, slicer, 62)
        put(Visual("slicer", chosen[1], {"Values": (chosen,)}, f"Choose {chosen[1].lower()}"), box)
    is_dated = any(table == "Date" for table, _ in slicers)
    cards = (("As of", "Data up to"), *cards)
    for card, box in zip(cards, _across(len(cards), 88, 62 if is_dated else 84), strict=True):
        measure, label = (card, card) if isinstance(card, str) else card
        put(Visual("card", label, {"Values": (measure,)}, f"{label}: one figure"), box)
        if is_dated and measure != "As of":
            below = Box(box.x, box.y + box.height + 2, box.width, 30)
            put(Visual("card", f"{label}, compared", {"Values": (measure,)}, f"{label}: change on the period before",
                       where=_COMPARED), below)  # fmt: skip
    for chart, box in zip(
        charts, _across(len(charts), 192 if is_dated else 184, 256 if is_dated else 264), strict=True
    ):
        put(chart, box)
    columns = _across(3, 460, 244)
    last = columns[1] if beside else columns[2]
    put(table, Box(EDGE, 460, last.x + last.width - EDGE, 244))
    if beside:
        put(beside, columns[2])
    return Page(name, title, question, tuple(visuals))


def _across(count: int, y: int, height: int) -> list[Box]:
    """Boxes side by side over the whole width."""
    room = WIDTH - 2 * EDGE - (count - 1) * GAP
    edges = [EDGE + round(place * (room / count + GAP)) for place in range(count + 1)]
    return [Box(edges[n], y, edges[n + 1] - edges[n] - GAP, height) for n in range(count)]


def _chart(kind: Kind, title: str, category: Field, *values: Field, alt: str, **more: Any) -> Visual:
    return Visual(kind, title, {"Category": (category,), "Y": values}, alt, **more)


@cache
def pages() -> tuple[Page, ...]:
    """The five pages, that of an account, and the one beside figures."""
    quality, industry = ("Customers", "Lead quality"), ("Customers", "Industry")
    stage, source, owner = ("Pipeline stages", "Stage"), ("Lead sources", "Lead source"), ("Reps", "Owner")
    month, channel, customer = ("Date", "Month"), ("Channels", "Channel"), ("Customers", "Customer")
    still_open = (("Statuses", "Status"), ("open",))
    return (
        _page(
            "lead_scoring_pipeline", "Lead Scoring & Pipeline",
            "Which open deals deserve the next call, and is the pipeline enough for the target?",
            (owner, industry, ("Sales target", "Sales target")),
            ("Open pipeline", "Weighted pipeline", "Target attainment", "Hot pipeline", "Expected wins", "Silent deals", "Deals never touched"),
            (
                _chart("clusteredBarChart", "Where does the open pipeline stand?", stage, "Open pipeline",
                       alt="Bars: value of the open deals in each stage, the largest first",
                       where=still_open, sort="Open pipeline"),
                _chart("clusteredColumnChart", "Do high scores go with wins?", quality, "Win rate", tips=True,
                       alt="Columns: win rate of the closed deals of Hot, Warm, Cool and Cold customers"),
                _chart("clusteredBarChart", "Which sources win?", source, "Win rate", tips=True,
                       alt="Bars: win rate by lead source, the highest first", sort="Win rate"),
            ),
            Visual("tableEx", "Whom to call first?", {"Values": (
                customer, quality, ("Customers", "Lead score"), ("Deals", "Deal"), stage, owner, ("Deals", "Expected close"),
                "Open pipeline", "Average probability", "Weighted pipeline",
            )}, "Table: open deals by weighted value, the largest first", where=still_open, sort="Weighted pipeline"),
        ),
        _page(
            "customer_analytics", "Customer Analytics",
            "Who are our customers, what do they bring, and how much hangs on a few of them?",
            (("Customers", "Country"), ("Customers", "Company size"), ("Customers", "Account manager")),
            ("Customers", "Buying customers", "Average lead score", "Hot share",
             ("Revenue per buying customer", "Revenue per buyer"), "Top customer's share"),
            (
                _chart("clusteredBarChart", "Which industries bring revenue?", industry, "Revenue", tips=True,
                       alt="Bars: revenue by industry, the largest first", sort="Revenue"),
                _chart("clusteredBarChart", "Which segments are they in?", ("Customers", "Segment"), "Customers",
                       alt="Bars: number of customers by segment, the largest first", sort="Customers"),
                Visual("scatterChart", "Does engagement go with revenue?", {
                    "Category": (customer,), "X": ("Average engagement",), "Y": ("Revenue",),
                }, "Points: engagement score and revenue of each customer"),
            ),
            Visual("tableEx", "Who brings most?", {"Values": (
                customer, industry, ("Customers", "Country"), quality, ("Customers", "Segment"),
                ("Customers", "Preferred channel"), "Average lead score", "Revenue", "Open pipeline", "Win rate",
            )}, "Table: customers by revenue, the largest first", sort="Revenue"),
        ),
        _page(
            "interaction_analytics", "Interaction Analytics",
            "Which way of reaching out works, and when?",
            (("Date", "Quarter"), industry, channel),
            ("Touches", "Customers touched", "Positive rate of touches"),
            (
                _chart("clusteredBarChart", "Which channels get an answer?", channel, "Positive rate of touches",
                       alt="Bars: share of touches with a positive outcome by channel, the highest first",
                       sort="Positive rate of touches"),
                Visual("columnChart", "What comes of our touches?", {
                    "Category": (month,), "Series": (("Touches", "Outcome"),), "Y": ("Touches",),
                }, "Stacked columns: touches by month and outcome", colours=OUTCOME),
                _chart("clusteredColumnChart", "On which days do people answer?", ("Touches", "Weekday"),
                       "Positive rate of touches",
                       alt="Columns: share of touches with a positive outcome by day of the week"),
            ),
            Visual("tableEx", "How do the channels differ?", {"Values": (
                channel, "Touches", "Customers touched", "Positive rate of touches",
            )}, "Table: channels with touches, customers and the share of positive outcomes", sort="Touches"),
            _chart("clusteredColumnChart", "At which hour do people answer?", ("Touches", "Hour"),
                   "Positive rate of touches",
                   alt="Columns: share of touches with a positive outcome by hour of the day (UTC)"),
        ),
        _page(
            "sales_performance", "Sales Performance",
            "Are we winning more, and faster, and who does?",
            (("Date", "Quarter"), source, industry),
            ("Revenue", "Deals won", "Win rate", "Average won value", ("Sales cycle", "Sales cycle (days)")),
            (
                Visual("lineClusteredColumnComboChart", "Revenue and win rate by month closed", {
                    "Category": (month,), "Y": ("Revenue",), "Y2": ("Win rate",),
                }, "Columns: revenue by month; line: win rate"),
                _chart("clusteredColumnChart", "Do we open as many deals as we close?", month, "Deals",
                       "Deals won", "Deals lost", alt="Columns: deals opened, won and lost by month",
                       colours=COUNTED),
                _chart("clusteredBarChart", "Who wins?", owner, "Revenue", tips=True,
                       alt="Bars: revenue by owner, the largest first", sort="Revenue"),
            ),
            Visual("tableEx", "How does each rep do?", {"Values": (
                owner, "Deals won", "Deals lost", "Win rate", "Win rate by value", "Revenue", "Average won value",
                "Sales cycle",
            )}, "Table: owners by revenue, the largest first", where=(("Statuses", "Status"), ("won", "lost")),
                sort="Revenue"),
            Visual("lineChart", "How does revenue add up over the year?", {"Category": (month,), "Y": ("Revenue",)},
                   "Line: revenue from the beginning of the year to the end of each month",
                   where=(TIME, ("Year to date",))),
        ),
        _page(
            "channels", "Channels",
            "What does each channel bring over all time, and what does a win cost in attention?",
            (),
            ("Interactions", "Positive rate", "Meetings booked", "Attributed revenue",
             ("Interactions per won deal", "Touches per win"), ("Lead response time", "Hours to first touch")),
            (
                _chart("clusteredBarChart", "Which channels bring revenue?", channel, "Attributed revenue",
                       alt="Bars: attributed revenue by channel, the largest first", sort="Attributed revenue"),
                _chart("clusteredBarChart", "Which channels book meetings?", channel, "Meetings booked",
                       alt="Bars: meetings booked by channel, most first", sort="Meetings booked"),
                _chart("clusteredBarChart", "Which channels go unanswered?", channel, "No-answer rate",
                       alt="Bars: share of touches without an answer by channel, the highest first",
                       sort="No-answer rate"),
            ),
            Visual("tableEx", "What does each channel bring?", {"Values": (
                channel, "Interactions", "Positive rate", "Meetings booked", "No-answer rate",
                "Minutes per interaction", "Attributed revenue",
            )}, "Table: channels with touches, rates, time and attributed revenue", sort="Interactions"),
        ),
        _of_account(customer, stage, owner, month),
        _tooltip("Revenue", "Deals won", "Win rate", "Open pipeline"),
    )  # fmt: skip


def _of_account(customer: Field, stage: Field, owner: Field, month: Field) -> Page:
    """What is known of the account from which readers come."""
    page = _page(
        "account", "Account", "What have we sold to this account, what is open, and how do we reach it?", (),
        ("Revenue", "Open pipeline", "Weighted pipeline", "Win rate", ("Average lead score", "Lead score"), "Touches"),
        (
            _chart("clusteredColumnChart", "When did it buy?", month, "Revenue", alt="Columns: revenue of the account by month"),
            _chart("clusteredBarChart", "Where do its open deals stand?", stage, "Open pipeline",
                   alt="Bars: value of the account's open deals by stage", where=(("Statuses", "Status"), ("open",))),
            Visual("columnChart", "What came of the touches?", {
                "Category": (month,), "Series": (("Touches", "Outcome"),), "Y": ("Touches",),
            }, "Stacked columns: touches of the account by month and outcome", colours=OUTCOME),
        ),
        Visual("tableEx", "Which deals?", {"Values": (
            customer, ("Deals", "Deal"), stage, owner, ("Deals", "Day opened"), ("Deals", "Expected close"),
            "Open pipeline", "Weighted pipeline", "Revenue",
        )}, "Table: deals of the account by open value, the largest first", sort="Open pipeline"),
    )  # fmt: skip
    return replace(page, drill=("Customers", "Customer"))


def _tooltip(*cards: str) -> Page:
    """Figures of whatever a reader points at, two side by side."""
    width, height = (_TIP_WIDTH - 3 * GAP) // 2, (_TIP_HEIGHT - 3 * GAP) // 2
    visuals = [
        Visual("card", name, {"Values": (name,)}, f"{name}: one figure", order=place + 1,
               box=Box(GAP + place % 2 * (width + GAP), GAP + place // 2 * (height + GAP), width, height))
        for place, name in enumerate(cards)
    ]  # fmt: skip
    return Page(
        TOOLTIP, "Beside a figure", "What else is so of what I point at?", tuple(visuals),
        width=_TIP_WIDTH, height=_TIP_HEIGHT,
    )  # fmt: skip
