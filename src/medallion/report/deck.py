"""What the six slides say, with the speaker's words: from facts and profiles, before anything is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from medallion import metrics
from medallion.charts.theme import OUTCOME, QUALITY, STATUS
from medallion.figures import count, percent, sheet_form, span, wilson
from medallion.report import uncertainty
from medallion.report.facts import Facts, folded
from medallion.report.findings import findings, gaps
from medallion.report.profile import Profile
from medallion.report.wording import among, name, spaced
from medallion.scoring.readiness import MIN_LOST, MIN_WON
from medallion.weights import ScoreWeights

#: Categories that a chart on a slide has room for.
_FEW = 8
#: Entities that a table on a slide has room for.
_ENTITIES = 7


@dataclass(frozen=True)
class Slide:
    """One slide: what is claimed, what carries it, and what is said to it."""

    title: str
    notes: Sequence[str]
    tiles: Sequence[tuple[str, str]] = ()
    bullets: Sequence[str] = ()
    table: Sequence[Sequence[str]] = ()
    second: Sequence[Sequence[str]] = ()
    bars: Sequence[Bars] = ()
    caption: str = ""


@dataclass(frozen=True)
class Bars:
    """A native bar chart: series over categories, largest first; `form` is a spreadsheet's number format."""

    title: str
    categories: Sequence[str]
    series: Mapping[str, Sequence[float]]
    colours: Sequence[str]
    form: str = "#,##0"
    each: bool = False


def slides(facts: Facts, profiles: Sequence[Profile], weights: ScoreWeights) -> list[Slide]:
    """The six slides in their order; `weights` are those of the rule score."""
    return [
        _problem(facts, profiles),
        _architecture(facts, profiles),
        _data(profiles),
        _scores(facts, weights),
        _results(facts, profiles),
        _deployment(facts),
    ]


def _quality(profiles: Sequence[Profile]) -> tuple[int, int, int, int]:
    """Records read, filled cells, cells rewritten, records refused."""
    return (
        sum(item.accounts["rows_read"] for item in profiles),
        sum(item.filled for item in profiles),
        sum(item.untidy for item in profiles),
        sum(item.accounts["quarantined"] for item in profiles),
    )


def _share(part: int, whole: int) -> str:
    return percent(part / whole if whole else None)


def _problem(facts: Facts, profiles: Sequence[Profile]) -> Slide:
    read, filled, untidy, _ = _quality(profiles)
    worst = max(
        (cell for item in profiles for cell in item.cells if (cell.spellings or 0) > (cell.distinct or 0)),
        key=lambda cell: (cell.spellings or 0) - (cell.distinct or 0),
        default=None,
    )
    bullets = [
        "Totals differ from tool to tool, as each counts by a definition of its own.",
        f"{count(int(facts.attention['open_leads']), 'open deal')} worth {facts.money(facts.attention['open_value'])} wait, and a list sorted by name does not say which to call first.",
        "A score that has seen the outcome looks brilliant on paper and fails on the next deal.",
    ]
    if untidy:
        bullets.insert(
            0,
            f"Exports disagree with themselves: {among(untidy, filled)} filled cells are not written as they must be read.",
        )
    if worst:
        bullets.insert(
            1,
            f"{worst.column.replace('_', ' ').capitalize()} alone comes in {worst.spellings:,} spellings of {worst.distinct:,} values.",
        )
    return Slide(
        "A CRM knows whom to call next, but its exports hide it",
        [
            f"We start from what every sales team has: exports. These hold {count(read, 'record')}.",
            f"Of their filled cells {_share(untidy, filled)} are not written the way they have to be read{': dates in several forms, amounts as text, one value in many spellings' if untidy else ''}.",
            f"Meanwhile {count(int(facts.attention['open_leads']), 'deal')} worth {facts.money(facts.attention['open_value'])} are open, and somebody has to decide whom to call first.",
        ],
        tiles=[
            (f"{read:,}", "records in the exports"),
            (_share(untidy, filled), "of filled cells need cleaning"),
            (facts.written("open_pipeline"), f"open in {count(int(facts.attention['open_leads']), 'deal')}"),
        ],
        bullets=bullets,
    )  # fmt: skip


def _architecture(facts: Facts, profiles: Sequence[Profile]) -> Slide:
    read, *_ = _quality(profiles)
    return Slide(
        "Each layer keeps a promise that the next one builds on",
        [
            "Bronze keeps every cell as the text it was, with file and line. Silver holds what a contract accepts, in every version; what it refuses waits in quarantine with its reasons. Gold answers questions.",
            f"Four laws hold on every run or the run fails: {count(read, 'record')} read here are all accounted for; figures count only what had happened and was known; a metric is declared once; and every engine gives the same result.",
            f"Behind the figures stand {len(metrics.metrics())} declared metrics.",
        ],
        tiles=[
            ("Conservation", "read = accepted + duplicate + superseded + quarantined"),
            ("Known time", "only what had happened, and was known"),
            ("One definition", f"{len(metrics.metrics())} metrics, each declared once"),
            ("Same result", "one code on every engine"),
        ],
    )  # fmt: skip


def _data(profiles: Sequence[Profile]) -> Slide:
    read, filled, untidy, refused = _quality(profiles)
    later = [a for a in ("excluded", "withdrawn", "merged") if any(item.accounts[a] for item in profiles)]
    accounts = ("rows_read", "accepted", "duplicate", "superseded", "quarantined", *later)
    rows = [(item.entity, *(f"{item.accounts[a]:,}" for a in accounts)) for item in profiles]
    if len(rows) > _ENTITIES:
        rest = profiles[_ENTITIES - 1 :]
        sums = (f"{sum(item.accounts[a] for item in rest):,}" for a in accounts)
        rows = [*rows[: _ENTITIES - 1], (f"{len(rest)} others", *sums)]
    total = ("all", *(f"{sum(item.accounts[a] for item in profiles):,}" for a in accounts))
    bars, caption = _worst(profiles)
    verdict = f"refused {count(refused, 'record')}, each with its reasons" if refused else "refused none"
    title = "No records have been read yet"
    if read:
        tail = f"{_share(untidy, filled)} of cells needed cleaning" if untidy else "no cell needed cleaning"
        title = f"All {read:,} records accounted for; {tail}"
    return Slide(
        title,
        [
            f"Rows read equal rows accepted, duplicate, superseded and quarantined, for each entity: {count(read, 'record')} in all. The contract {verdict}.",
            f"{among(untidy, filled)} filled cells were rewritten: spaces, spellings, currency signs, date forms. The columns at the top of the chart are where the CRM lets people type freely.",
            "A cell that is empty stays empty. Cleaning invents nothing.",
        ],
        table=[("entity", "read", "accepted", "duplicate", "superseded", "refused", *later), *rows, total],
        bars=bars,
        bullets=[text for text in (gaps(profiles),) if text],
        caption=caption,
    )  # fmt: skip


def _worst(profiles: Sequence[Profile]) -> tuple[list[Bars], str]:
    """The columns where cleaning had most to do, or else those with most gaps, and the words below the chart."""
    every = [(f"{item.entity}.{cell.column}", cell) for item in profiles for cell in item.cells]
    untidy = {where: cell.untidy / cell.filled for where, cell in every if cell.untidy}
    empty = {where: 1 - cell.values / cell.rows for where, cell in every if 0 < cell.values < cell.rows}
    shares, title, caption = (
        (untidy, "Filled cells rewritten by cleaning", "Rewritten: not written as the contract has the value. Columns with most, share of filled cells.")
        if untidy
        else (empty, "Rows without a value", "Columns of silver with most gaps, share of rows.")
    )  # fmt: skip
    most = sorted(shares, key=lambda where: (-shares[where], where))[:8]
    if not most:
        return [], ""
    return [Bars(title, most, {"share": [shares[where] for where in most]}, [OUTCOME["meeting_booked"]], "0%")], caption


def _scores(facts: Facts, weights: ScoreWeights) -> Slide:
    parts = weights.parts
    bands = {row["lead_quality"]: row["total_customers"] for row in facts.customers_by["lead_quality"]}
    ended = {row["lead_quality"]: row for row in facts.by["lead_quality"]}
    known = [band for band in QUALITY if band in bands]
    whole = int(facts.figures["total_customers"] or 0)
    sources = _probability_sources(facts)
    return Slide(
        f"A score that explains itself: {facts.written('hot_lead_share')} of customers are Hot",
        [
            f"The lead score is a sum of four parts that a salesperson can check: fit {parts.fit:g} points, engagement {parts.engagement:g}, recency {parts.recency:g}, intent {parts.intent:g}. No outcome and no revenue go into it.",
            f"Over {count(whole, 'customer')} the mean is {facts.written('average_lead_score')}; {among(bands.get('Hot', 0), whole)} are Hot." if whole else "There are no customers to score yet.",
            f"The score is a priority, not a probability. {sources}",
        ],
        table=[
            ("part", "points", "what counts"),
            ("fit", f"{parts.fit:g}", "source, company size, whether the account can be reached"),
            ("engagement", f"{parts.engagement:g}", f"touches by channel and outcome, fading by half every {weights.engagement_half_life_days:g} days"),
            ("recency", f"{parts.recency:g}", f"days since the last touch, after the first {weights.recency_grace_days:g}"),
            ("intent", f"{parts.intent:g}", f"best outcome of the last {weights.intent_window_days:g} days"),
        ],
        bars=[Bars("Customers by band", known, {"customers": [float(bands[band]) for band in known]}, [QUALITY[band] for band in known], each=True)] if known else [],
        second=[
            ("band", "customers", "closed", "win rate"),
            *(
                (band, f"{bands[band]:,}", f"{deals['closed_leads']:,}" if deals else "0", percent(deals["win_rate"]) if deals else "")
                for band in known
                for deals in [ended.get(band)]
            ),
        ],
        caption="Win rates describe deals that have ended; touches after a close count in the score, so they predict nothing.",
        bullets=[sources, f"Mean score {facts.written('average_lead_score')} of {count(whole, 'customer')}; a band is a priority, not a probability."],
    )  # fmt: skip


def _probability_sources(facts: Facts) -> str:
    """Where the probabilities of the open deals come from."""
    if not facts.probability:
        return "No deal is open, so no probability is given."
    if all(row["probability_source"] != "base_rate_by_band" for row in facts.probability):
        return "Probabilities come from the model that did best on later deals."
    won, lost = (sum(row[field] for row in facts.by["status"]) for field in ("won_leads", "lost_leads"))
    until = "Until then probabilities are shrunken rates by age of the deal and score band."
    if won < MIN_WON or lost < MIN_LOST:
        return f"{won:,} won and {lost:,} lost are too few for a model: {MIN_WON} and {MIN_LOST} are needed. {until}"
    return f"{won:,} won and {lost:,} lost deals are enough to train a model. {until}"


def _results(facts: Facts, profiles: Sequence[Profile]) -> Slide:
    won = sum(row["won_leads"] for row in facts.by["status"])
    closed = sum(row["closed_leads"] for row in facts.by["status"])
    low, high = wilson(won, closed, uncertainty.z())
    sources = folded(facts.by["source"], "source", _FEW)
    industries = [row for row in folded(facts.by["industry"], "industry", _FEW) if row["revenue"]]
    bars = []
    if sources:
        names = [name(spaced(row["source"]), 18) for row in sources]
        bars.append(
            Bars(
                "Deals by source",
                names,
                {k: [float(row[f"{k}_leads"]) for row in sources] for k in ("won", "open", "lost")},
                [STATUS[k] for k in ("won", "open", "lost")],
            )
        )
    if industries:
        names = [name(row["industry"], 22) for row in industries]
        bars.append(
            Bars(
                f"Revenue by industry, {facts.currency}",
                names,
                {"revenue": [float(row["revenue"]) for row in industries]},
                [OUTCOME["meeting_booked"]],
                sheet_form(facts.currency, short=max(row["revenue"] for row in industries) >= 1e7),
            )
        )
    interval = (
        f"95% interval of the win rate: {span(low, high)} at {count(closed, 'closed deal')}."
        if closed
        else "No deal is closed yet."
    )
    title = f"{facts.written('revenue')} won, {facts.written('open_pipeline')} open" + (
        f", {percent(facts.figures['win_rate'])} of closed deals won" if closed else ""
    )
    return Slide(
        title,
        [*findings(facts, profiles)[:6], "What these figures cannot say: what causes what, and how the open deals end."],
        tiles=[
            (facts.written("revenue"), "revenue of the deals won"),
            (facts.written("win_rate"), f"win rate of {closed:,} closed"),
            (facts.written("open_pipeline"), "open pipeline"),
            (facts.written("weighted_pipeline"), "weighted by probability"),
        ],
        bars=bars,
        caption=f"{interval} As of {facts.as_of}." if facts.as_of else interval,
    )  # fmt: skip


def _deployment(facts: Facts) -> Slide:
    return Slide(
        "One code from laptop to Databricks, and an agent that invents no number",
        [
            "The same PySpark code runs on a laptop with Python alone and on Databricks, where the notebooks are the tasks of a job. A run that was killed is continued by the next, and a run that finds nothing new changes no table.",
            f"The agent answers from {len(metrics.metrics())} metrics with one definition each, and declines what it does not understand whole. A language model, where one is set, refers to cells; the program writes the figures, each with its receipt.",
            "Notes that people typed stay out: they are text from outside, never instructions. What changes in the CRM or goes to a customer is yours to decide.",
        ],
        table=[
            ("Deployment", "The agent"),
            ("Laptop: Python alone, embedded Spark engine, no server, no account", f"Call list, briefs and drafts, and questions over {len(metrics.metrics())} metrics"),
            ("Databricks: notebooks 01 to 03 as job tasks; a wheel that brings no engine of its own", "Reads no e-mail address, no telephone number, no free text"),
            ("Every write is one Delta commit; a killed run is continued by the next", "Every figure has a receipt: table, version, row, query"),
            ("Every earlier day can be computed again, by what was known then", "Changes are proposals; you approve them elsewhere"),
        ],
        caption=f"Figures as of {facts.as_of}, the last day in the data." if facts.as_of else "",
    )  # fmt: skip


def notes(deck: Sequence[Slide]) -> str:
    """The speaker's words as Markdown."""
    parts = ["# Speaker notes\n\nMade by `medallion slides` from the same run as the slides.\n"]
    for place, slide in enumerate(deck, 1):
        parts.append(
            f"## {place}. {_markdown(slide.title)}\n\n" + "\n\n".join(_markdown(text) for text in slide.notes) + "\n"
        )
    return "\n".join(parts)


def _markdown(text: str) -> str:
    """Text from the data as Markdown shows it, not as it would obey it."""
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>#|" else letter for letter in text)
