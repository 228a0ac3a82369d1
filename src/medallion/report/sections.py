"""The report's sections, from facts and profiles: the same content for the text and for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from medallion import metrics
from medallion.charts import sales
from medallion.figures import count, percent, ratio, span
from medallion.report.document import Block, Bullets, Document, Paragraph, Picture, Section, Table
from medallion.report.facts import CORRELATED, MOST, SAMPLE, Facts, folded
from medallion.report.findings import TOLD, caveats, findings, safe
from medallion.report.profile import Cells, Profile
from medallion.report.wording import name, number, plainly, spaced

#: Columns that the chart of untidy cells shows.
_WORST = 15


def document(facts: Facts, profiles: Sequence[Profile]) -> Document:
    """The whole report."""
    rows = sum(item.accounts["rows_read"] for item in profiles)
    day = f"as of {facts.as_of}" if facts.as_of else "without any dated event"
    return Document(
        "Exploratory analysis",
        f"{count(int(facts.figures['total_leads'] or 0), 'deal')}, {count(int(facts.figures['total_customers'] or 0), 'customer')}, "
        f"{count(int(facts.figures['total_interactions'] or 0), 'touch').replace('touchs', 'touches')}, {day}; {count(rows, 'record')} read",
        [
            _short(facts, profiles),
            _quality(profiles),
            _deals(facts),
            _interactions(facts),
            _customers(facts),
            _industries(facts),
            _statistics(facts),
            _correlations(facts),
            Section("What the numbers cannot say", [Bullets(caveats(facts, profiles))]),
        ],
    )


def _short(facts: Facts, profiles: Sequence[Profile]) -> Section:
    rows = [
        (metrics.metrics()[key].measure.display_name, facts.written(key), metrics.metrics()[key].measure.comment)
        for key in facts.figures
    ]
    return Section(
        "In short",
        [
            Bullets(findings(facts, profiles)),
            Table("Key figures", ("figure", "value", "definition"), rows, frozenset({1})),
        ],
    )


def _quality(profiles: Sequence[Profile]) -> Section:
    title = "Data quality, before and after cleaning"
    if not any(item.accounts["rows_read"] for item in profiles):
        return Section(title, [Paragraph("No records have been read here: there is nothing to compare.")])
    later = [a for a in ("excluded", "withdrawn", "merged", "erased") if any(item.accounts[a] for item in profiles)]
    accounts = ("rows_read", "accepted", "duplicate", "superseded", "quarantined", *later)
    blocks: list[Block] = [
        Table(
            "What happened to every record",
            ("entity", "records read", *accounts[1:]),
            [(item.entity, *(f"{item.accounts[a]:,}" for a in accounts)) for item in profiles],
            frozenset(range(1, 1 + len(accounts))),
            f"records read = {' + '.join(accounts[1:])}",
        )
    ]
    worst = [
        {"column": f"{item.entity}.{cell.column}", "share": cell.untidy / cell.filled, "filled": cell.filled}
        for item in profiles
        for cell in item.cells
        if cell.untidy
    ]
    worst.sort(key=lambda row: (-float(row["share"]), str(row["column"])))  # type: ignore[arg-type]
    if worst:
        blocks.append(Picture("quality", sales.untidy(worst[:_WORST])))
    blocks += [_cells(item) for item in profiles if item.accounts["rows_read"]]
    return Section(title, blocks)


def _cells(item: Profile) -> Table:
    def spelled(cell: Cells) -> str:
        if cell.spellings is None and cell.distinct is None:
            return ""
        about = "~" if cell.about else ""
        return f"{about}{cell.spellings or 0:,} to {about}{cell.distinct or 0:,}"

    def share(part: int, whole: int) -> str:
        return percent(part / whole) if whole else ""

    rows = [
        (
            cell.column,
            share(cell.filled, cell.cells) or "not given",
            f"{cell.placeholders:,}" if cell.placeholders else "",
            share(cell.untidy, cell.filled) if cell.filled else "",
            spelled(cell),
            share(cell.values, cell.rows),
            plainly(cell.least),
            plainly(cell.most),
            ", ".join(f"{check} {n:,}" for check, n in cell.failed.items()),
        )
        for cell in item.cells
    ]
    header = (
        "column",
        "filled before",
        "says none",
        "rewritten",
        "spellings",
        "filled after",
        "least",
        "greatest",
        "refused for",
    )
    kept = [place for place in range(len(header)) if any(row[place] for row in rows)]
    notes = {
        "says none": "says none: cells such as N/A or a dash.",
        "rewritten": "rewritten: share of filled cells not written as the contract has them.",
        "spellings": "spellings: distinct values before and after.",
        "refused for": "refused for: failed checks of records that wait in quarantine.",
    }
    return Table(
        f"{item.entity}: {count(item.accounts['rows_read'], 'record')} before, {count(item.cells[0].rows, 'row')} after",
        [header[place] for place in kept],
        [[row[place] for place in kept] for row in rows],
        frozenset(place for place, column in enumerate(kept) if 0 < column < len(header) - 1),
        " ".join(note for heading, note in notes.items() if header.index(heading) in kept),
    )  # fmt: skip


def _breakdown(facts: Facts, title: str, field: str, rows: Sequence[Mapping[str, Any]], known: str = "") -> Table:
    header = (
        known or field.replace("_", " "),
        "deals",
        "open",
        "won",
        "lost",
        "value",
        "revenue",
        "win rate",
        "95% interval",
    )
    return Table(
        title,
        header,
        [
            (
                name(spaced(row[field])),
                *(f"{row[n]:,}" for n in ("total_leads", "open_leads", "won_leads", "lost_leads")),
                facts.money(row["total_deal_value"]),
                facts.money(row["revenue"]),
                percent(row["win_rate"]),
                span(row["win_rate_low"], row["win_rate_high"]) if row["closed_leads"] else "",
            )
            for row in rows
        ],
        frozenset(range(1, 9)),
    )  # fmt: skip


def _deals(facts: Facts) -> Section:
    if not facts.figures["total_leads"]:
        return Section("Deals", [Paragraph("There are no deals.")])
    status, sources = facts.by["status"], folded(facts.by["source"], "source")
    opened = [row for row in facts.by["stage"] if row["open_leads"]]
    overall = facts.figures["win_rate"]
    blocks: list[Block] = [
        Picture("status", sales.deal_status(status, facts.currency)),
        Table(
            "Deals by status",
            ("status", "deals", "value", "average value"),
            [
                (
                    r["status"],
                    f"{r['total_leads']:,}",
                    facts.money(r["total_deal_value"]),
                    facts.money(r["average_deal_value"]),
                )
                for r in status
            ],
            frozenset({1, 2, 3}),
        ),
        Picture("sources", sales.lead_sources(sources)),
        Picture("win-rate-by-source", sales.rates(sources, "source", "Win rate by source", overall=overall)),
        _breakdown(facts, "Deals by source", "source", sources),
        Picture("months", sales.months(facts.months, facts.currency)),
    ]
    if opened:
        blocks.append(
            Table(
                "Open deals by stage",
                ("stage", "open deals", "open value"),
                [
                    (name(spaced(r["stage"])), f"{r['open_leads']:,}", facts.money(r["open_pipeline"]))
                    for r in opened[:MOST]
                ],
                frozenset({1, 2}),
            )
        )
    else:
        blocks.append(Paragraph("No deal is open."))
    return Section("Deals", blocks)


def _interactions(facts: Facts) -> Section:
    used = [row for row in facts.channels if row["interactions"]]
    if not used:
        return Section("Interactions", [Paragraph("There are no interactions.")])
    whole = sum(row["interactions"] for row in facts.outcomes)
    rows = [
        (
            name(spaced(row["channel"])),
            f"{row['interactions']:,}",
            f"{row['customers']:,}",
            percent(row["positive_rate"]),
            span(row["positive_rate_low"], row["positive_rate_high"]),
            number(row["average_duration_minutes"]),
            facts.money(row["attributed_revenue"]),
        )
        for row in used
    ]
    note = "minutes: mean length, 0 where none is kept; attributed revenue: wins shared among the touches of 90 days before"
    return Section(
        "Interactions",
        [
            Picture("channels", sales.channels(facts.channels)),
            Picture(
                "positive-rate",
                sales.rates(used, "channel", "Positive rate by channel", rate="positive_rate", of="interactions", noun="touches", overall=facts.figures["positive_rate"]),
            ),
            Table("Touches by channel", ("channel", "touches", "customers", "positive rate", "95% interval", "minutes", "attributed revenue"), rows, frozenset(range(1, 7)), note),
            Picture("outcomes", sales.outcomes(facts.outcomes)),
            Table(
                "Touches by outcome",
                ("outcome", "touches", "share"),
                [(str(spaced(r["outcome"])), f"{r['interactions']:,}", percent(r["interactions"] / whole)) for r in facts.outcomes if whole],
                frozenset({1, 2}),
            ),
        ],
    )  # fmt: skip


def _customers(facts: Facts) -> Section:
    whole = facts.figures["total_customers"]
    if not whole:
        return Section("Customers and scores", [Paragraph("There are no customers.")])
    conversion = {row["lead_quality"]: row for row in facts.by["lead_quality"]}
    order = ["Hot", "Warm", "Cool", "Cold"]
    bands = []
    for row in sorted(facts.customers_by["lead_quality"], key=lambda row: order.index(row["lead_quality"])):
        deals = conversion.get(row["lead_quality"])
        closed = deals["closed_leads"] if deals else 0
        bands.append(
            (
                row["lead_quality"],
                f"{row['total_customers']:,}",
                percent(row["total_customers"] / whole),
                ratio(row["average_lead_score"]),
                facts.money(row["revenue"]),
                f"{deals['won_leads']:,} of {closed:,}" if deals else "",
                percent(deals["win_rate"]) if deals and closed else "",
                span(deals["win_rate_low"], deals["win_rate_high"]) if deals and closed else "",
            )
        )
    segments = [
        (
            name(row["segment"]),
            f"{row['total_customers']:,}",
            ratio(row["average_lead_score"]),
            facts.money(row["revenue"]),
        )
        for row in facts.customers_by["segment"]
    ]
    blocks: list[Block] = [
        Picture("scores", sales.score_distribution(facts.scores)),
        Picture("bands", sales.quality_bands(facts.customers_by["lead_quality"])),
        Table(
            "Quality bands, and how their deals ended",
            ("band", "customers", "share", "mean score", "revenue", "won of closed", "win rate", "95% interval"),
            bands,
            frozenset(range(1, 8)),
            "A band is a priority, not a probability; its win rate is described, not predicted.",
        ),
        Table("Segments by recency, frequency and value", ("segment", "customers", "mean score", "revenue"), segments, frozenset({1, 2, 3})),
    ]  # fmt: skip
    if facts.top:
        blocks += [
            Picture(
                "top-customers", sales.top_customers(facts.top, float(facts.figures["revenue"] or 0), facts.currency)
            ),
            Table(
                "Top customers",
                ("rank", "customer", "industry", "revenue", "share", "deals won", "open value", "score"),
                [
                    (
                        str(row["rank"]),
                        name(row["customer_name"] or row["customer_id"], 40),
                        name(row["industry"], 24),
                        facts.money(row["won_value"]),
                        percent(row["revenue_share"]),
                        str(row["won_leads"]),
                        facts.money(row["open_value"]),
                        f"{row['lead_score']} {row['lead_quality']}",
                    )
                    for row in facts.top
                ],
                frozenset({0, 3, 4, 5, 6, 7}),
            ),
        ]
    else:
        blocks.append(Paragraph("No customer has brought revenue yet."))
    return Section("Customers and scores", blocks)


def _industries(facts: Facts) -> Section:
    title = "Industries and company size"
    if not facts.figures["total_leads"]:
        return Section(title, [Paragraph("There are no deals to split.")])
    industries = folded(facts.by["industry"], "industry")
    sizes = sales.by_size(facts.by["size_band"])
    overall = facts.figures["win_rate"]
    blocks: list[Block] = []
    if all(row["industry"] is None for row in industries):
        blocks.append(Paragraph("No deal's account has a known industry; what stands here is all of them together."))
    return Section(
        title,
        [
            *blocks,
            Picture("industries", sales.revenue_by(industries, "industry", "Revenue by industry", facts.currency)),
            Picture(
                "win-rate-by-industry", sales.rates(industries, "industry", "Win rate by industry", overall=overall)
            ),
            _breakdown(facts, "Deals by industry of the account", "industry", industries),
            Picture("sizes", sales.company_size(facts.customers_by["size_band"])),
            Picture("revenue-by-size", sales.revenue_by(sizes, "size_band", "Revenue by company size", facts.currency)),
            _breakdown(facts, "Deals by company size", "size_band", sizes, "employees"),
        ],
    )


def _statistics(facts: Facts) -> Section:
    rows = [
        (
            row["label"],
            facts.currency if row["unit"] == "money" else row["unit"],
            f"{row['n']:,}",
            f"{row['missing']:,}" if row["missing"] else "",
            *(
                number(row[k], row["unit"], facts.currency)
                for k in ("mean", "sd", "least", "q1", "median", "q3", "most")
            ),
        )
        for row in facts.described
        if row["n"]
    ]
    if not rows:
        return Section("Descriptive statistics", [Paragraph("There are no figures to describe.")])
    header = ("figure", "unit", "n", "missing", "mean", "sd", "least", "25%", "median", "75%", "greatest")
    return Section(
        "Descriptive statistics",
        [
            Table(
                "Figures of deals and customers",
                header,
                rows,
                frozenset(range(2, 11)),
                "sd: standard deviation of the sample; quartiles are interpolated.",
            )
        ],
    )


def _correlations(facts: Facts) -> Section:
    title = "Correlations worth a look"
    if not facts.correlations:
        return Section(title, [Paragraph("Too few customers with known figures: no correlation can be computed.")])
    drawn = (
        f", drawn by a hash of their key from {int(facts.figures['total_customers'] or 0):,}"
        if facts.correlated == SAMPLE
        else ""
    )
    beyond = safe(facts)
    text = (
        f"Spearman's rank correlation of {facts.pairs} pairs of figures, over {count(facts.correlated, 'customer')}{drawn}. Pairs that share an "
        f"ingredient go together by construction and are left out. An interval that is corrected for {facts.pairs} looks "
        f"(Bonferroni) and leaves 0 out is beyond chance; {len(beyond)} of them {'does' if len(beyond) == 1 else 'do'}. "
    )
    if facts.correlated < 30:
        text += f"At n = {facts.correlated} only very strong ones can: treat the others as questions, not as answers. "
    text += "Going together is not causing: size, age and luck may stand behind both."
    rows = [
        (
            f"{row['a']} and {row['b']}",
            f"{row['n']:,}",
            f"{row['rho']:+.2f}",
            f"{row['low']:+.2f} to {row['high']:+.2f}",
            f"{row['safe_low']:+.2f} to {row['safe_high']:+.2f}",
            "yes" if row in beyond else "no",
        )
        for row in facts.correlations[:TOLD]
    ]
    header = ("pair", "n", "rho", "95% interval", "corrected", "beyond chance")
    looked = ", ".join(words for words, _ in CORRELATED.values())
    return Section(
        title,
        [
            Paragraph(text),
            Picture("correlations", sales.correlations(facts.correlations[:TOLD], facts.pairs)),
            Table(f"The {min(TOLD, facts.pairs)} strongest", header, rows, frozenset({1, 2, 3, 4}), f"Figures: {looked}."),
        ],
    )  # fmt: skip
