"""What stands out, in sentences with the figures in them, and what the figures cannot say.

A difference is called one only when its interval, corrected for all differences looked at together, leaves zero out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from medallion import metrics
from medallion.figures import count, percent, ratio, span, wilson
from medallion.report import uncertainty
from medallion.report.facts import SAMPLE, Facts
from medallion.report.profile import Profile
from medallion.report.wording import among, enumerated, name, spaced

#: Share of one band from which the bands no longer rank a list.
_CROWDED = 0.7
#: Closed deals below which one more win moves the win rate visibly.
_SMALL = 100
#: Correlations that are told.
TOLD = 10


def findings(facts: Facts, profiles: Sequence[Profile]) -> list[str]:
    """The findings, one or two sentences each, from outcomes to data."""
    sentences = [
        _outcome(facts),
        _pipeline(facts),
        _concentration(facts),
        _differences(facts.by["source"], "source", "source", "win rate", "won_leads", "closed_leads", "closed deals"),
        _differences(
            facts.by["industry"], "industry", "industry", "win rate", "won_leads", "closed_leads", "closed deals"
        ),
        _differences(
            facts.channels, "channel", "channel", "positive rate", "positive_touches", "interactions", "touches"
        ),
        _bands(facts),
        _attention(facts),
        _weekend(facts),
        _correlated(facts),
        cleaned(profiles),
        gaps(profiles),
    ]
    return [sentence for sentence in sentences if sentence]


def _closed(facts: Facts) -> tuple[int, int, int]:
    """Deals won, lost and open."""
    rows = facts.by["status"]
    won, lost, opened = (sum(row[field] for row in rows) for field in ("won_leads", "lost_leads", "open_leads"))
    return won, lost, opened


def _outcome(facts: Facts) -> str:
    won, lost, opened = _closed(facts)
    whole = won + lost + opened
    if not whole:
        return "There are no deals yet: nothing can be said about winning."
    if not won + lost:
        return f"All {count(opened, 'deal')} are open: there is no win rate yet."
    low, high = wilson(won, won + lost, uncertainty.z())
    so_far = f"; of all {count(whole, 'deal')}, open ones included, {facts.written('conversion_rate')} are won so far"
    return (
        f"{won:,} of {count(won + lost, 'closed deal')} were won, a win rate of {facts.written('win_rate')} "
        f"(95% interval {span(low, high)}){so_far if opened else '; no deal is open'}."
    )


def _pipeline(facts: Facts) -> str:
    _, _, opened = _closed(facts)
    if not facts.figures["total_leads"]:
        return ""
    weighted = facts.figures["weighted_pipeline"]
    tail = "" if weighted is None else f", worth {facts.written('weighted_pipeline')} by its probability of being won"
    if not opened:
        return f"The deals won brought {facts.written('revenue')}."
    return (
        f"The deals won brought {facts.written('revenue')}; {count(opened, 'open deal')} hold "
        f"{facts.written('open_pipeline')}{tail}."
    )


def _concentration(facts: Facts) -> str:
    concentration, revenue = facts.concentration, float(facts.concentration["revenue"])
    if not concentration["buyers"] or not facts.top:
        return ""
    first = facts.top[0]
    who = name(first["customer_name"] or first["customer_id"])
    text = f"{who} alone brought {facts.money(concentration['first'])}, {percent(float(concentration['first']) / revenue)} of the revenue"
    if concentration["buyers"] > 30:
        text = (
            f"The tenth of the buying customers with most revenue ({concentration['tenth_count']:,} of {concentration['buyers']:,}) brought "
            f"{percent(float(concentration['tenth']) / revenue)} of it; {who}, the first, {percent(float(concentration['first']) / revenue)}"
        )
    elif concentration["buyers"] > 3:
        text += f", the first three {percent(float(concentration['three']) / revenue)}"
    return f"{text}."


def _differences(
    rows: Sequence[dict[str, Any]], field: str, noun: str, rate: str, part: str, whole: str, of: str
) -> str:
    compared = [row for row in rows if row[field] is not None and row[whole]]
    if not compared:
        everything = sum(row[whole] for row in rows)
        return f"No {noun} is known for any of the {everything:,} {of}." if everything else ""
    if len(compared) == 1:
        return f"All {of} with a known {noun} are of one: {name(spaced(compared[0][field]))}."
    parts, wholes = sum(row[part] for row in rows), sum(row[whole] for row in rows)
    beyond = []
    for row in compared:
        low, high = uncertainty.difference(
            row[part], row[whole], parts - row[part], wholes - row[whole], looks=len(compared)
        )
        if low > 0 or high < 0:
            others = (parts - row[part]) / (wholes - row[whole])
            beyond.append((min(abs(low), abs(high)), row, others))
    if not beyond:
        most = max(compared, key=lambda row: row[whole])
        return (
            f"No {noun} differs in {rate} from the others beyond chance, with {len(compared)} compared: the largest, "
            f"{name(spaced(most[field]))}, has {among(most[part], most[whole])} of its {of}, all together "
            f"{among(parts, wholes)}."
        )
    beyond.sort(key=lambda gap: -gap[0])
    sentences = [
        f"{name(spaced(row[field]))} {percent(row[part] / row[whole])} of {row[whole]:,} (the others {percent(others)})"
        for _, row, others in beyond[:4]
    ]
    more = f" and {len(beyond) - 4} more" if len(beyond) > 4 else ""
    return (
        f"By {noun}, {len(beyond)} of {len(compared)} differ in {rate} from the others beyond chance: "
        f"{enumerated(sentences)}{more}."
    )


def _bands(facts: Facts) -> str:
    rows, whole = facts.customers_by["lead_quality"], facts.figures["total_customers"]
    if not whole:
        return "There are no customers yet."
    largest = max(rows, key=lambda row: (row["total_customers"], row["lead_quality"]))
    text = (
        f"The mean lead score is {facts.written('average_lead_score')}; "
        f"{among(largest['total_customers'], int(whole))} customers are {largest['lead_quality']}"
    )
    if whole > 1 and largest["total_customers"] / whole >= _CROWDED:
        return f"{text}, so the bands alone hardly rank this list: go by score and value within the band."
    return f"{text}, the largest band; {facts.written('hot_lead_share')} are Hot."


def _attention(facts: Facts) -> str:
    attention = facts.attention
    if not attention["open_leads"]:
        return ""
    parts = []
    if attention["overdue"]:
        parts.append(
            f"{attention['overdue']:,} worth {facts.money(attention['overdue_value'])} have passed their expected close"
        )
    if attention["silent"]:
        parts.append(
            f"{attention['silent']:,} worth {facts.money(attention['silent_value'])} belong to customers last touched more than {metrics.threshold('silent_days'):g} days ago"
        )
    if attention["never_touched"]:
        parts.append(
            f"{attention['never_touched']:,} worth {facts.money(attention['never_touched_value'])} belong to customers never touched"
        )
    if not parts:
        return (
            f"None of the {count(attention['open_leads'], 'open deal')} is past its expected close, and every one had a touch "
            f"within {metrics.threshold('silent_days'):g} days."
        )
    return f"Of {count(attention['open_leads'], 'open deal')}, {enumerated(parts)}."


def _weekend(facts: Facts) -> str:
    weekdays = facts.weekdays
    if not weekdays["interactions"]:
        return "There are no interactions yet."
    return (
        f"{among(weekdays['weekend'], weekdays['interactions'])} touches fell on a Saturday or Sunday (UTC); "
        f"they run from {weekdays['first']} to {weekdays['last']}."
    )


def safe(facts: Facts) -> list[dict[str, Any]]:
    """Correlations whose interval, corrected for all pairs, leaves zero out, strongest first."""
    return [row for row in facts.correlations if row["safe_low"] > 0 or row["safe_high"] < 0]


def _correlated(facts: Facts) -> str:
    if not facts.pairs:
        return ""
    beyond = safe(facts)
    if not beyond:
        return (
            f"None of {facts.pairs} pairs of customer figures goes together beyond chance at n = {facts.correlated:,}; "
            f"about {max(1, round(facts.pairs * 0.05))} would at 5% by chance alone."
        )
    named = [f"{row['a']} and {row['b']} (rho {row['rho']:+.2f}, n = {row['n']:,})" for row in beyond[:3]]
    if len(beyond) == 1:
        return f"Of {facts.pairs} pairs of customer figures one goes together beyond chance: {named[0]}."
    return (
        f"Of {facts.pairs} pairs of customer figures {len(beyond)} go together beyond chance, most of all "
        f"{enumerated(named)}."
    )


def cleaned(profiles: Sequence[Profile]) -> str:
    """What cleaning had to do."""
    filled, untidy = sum(item.filled for item in profiles), sum(item.untidy for item in profiles)
    if not filled:
        return "No records have been read here, so nothing can be said about their quality."
    read = sum(item.accounts["rows_read"] for item in profiles)
    refused = sum(item.accounts["quarantined"] for item in profiles)
    doubles = sum(item.accounts["duplicate"] for item in profiles)
    none = sum(item.placeholders for item in profiles)
    where, worst = max(
        ((f"{item.entity}.{cell.column}", cell) for item in profiles for cell in item.cells if cell.filled),
        key=lambda pair: (pair[1].untidy / pair[1].filled, pair[1].filled, pair[0]),
    )
    text = f"Of {filled:,} filled cells in {count(read, 'record')}, {untidy:,} ({percent(untidy / filled)}) were not written as the contract has them"
    text += f", most often {where} ({worst.untidy:,} of {worst.filled:,})" if untidy else ""
    text += f"; {count(none, 'cell')} said that there is no value in a word such as N/A" if none else ""
    return (
        f"{text}. Cleaning left {'no record' if not refused else count(refused, 'record')} refused and found "
        f"{'no duplicate' if not doubles else count(doubles, 'duplicate')}."
    )  # fmt: skip


def gaps(profiles: Sequence[Profile]) -> str:
    """What is still missing after cleaning."""
    every = [(f"{item.entity}.{cell.column}", cell) for item in profiles for cell in item.cells if cell.rows]
    absent = [where for where, cell in every if not cell.values]
    missing = [(1 - cell.values / cell.rows, where) for where, cell in every if 0 < cell.values < cell.rows]
    if not every:
        return ""
    nowhere = (
        f"{count(len(absent), 'column')} {'has' if len(absent) == 1 else 'have'} no value at all" if absent else ""
    )
    if not missing:
        return (
            f"After cleaning {nowhere}, and no other cell is empty." if absent else "After cleaning no cell is empty."
        )
    missing.sort(key=lambda gap: (-gap[0], gap[1]))
    named = [f"{where} ({percent(share)})" for share, where in missing[:4]]
    text = f"Cleaning invents nothing: {count(len(missing), 'column')} still {'has' if len(missing) == 1 else 'have'} gaps, widest {enumerated(named)}"
    return f"{text}; {nowhere}." if absent else f"{text}."


def caveats(facts: Facts, profiles: Sequence[Profile]) -> list[str]:
    """What the figures cannot say."""
    won, lost, opened = _closed(facts)
    closed = won + lost
    sentences = []
    if 0 < closed < _SMALL:
        sentences.append(
            f"How good the team is. With {count(closed, 'closed deal')}, one deal more or less won moves the win rate by "
            f"{ratio(100 / closed)} points; the intervals say how far off it may be."
        )
    sentences.append(
        "What causes what. These are observations, not an experiment: a source or channel with a better rate may have "
        "had the better accounts."
    )
    if opened:
        sentences.append(
            "How the open deals end. A young deal that is lost later is open today, so rates by month or by source "
            "still move; win rates count closed deals only."
        )
    if facts.figures["total_customers"]:
        sentences.append(
            "Whether the lead score foresees wins. It counts touches after a close as well, so a band's win rate here is a "
            "description; `medallion train` tests forecasts on later deals."
        )
    sources = {row["probability_source"] for row in facts.probability}
    if "base_rate_by_band" in sources:
        sentences.append(
            "The probability of a single deal. Where no model is active, a probability is the base rate of its score "
            "band and age, the same for every such deal."
        )
    sentences.append(
        f"What was earned. Revenue is the value of won deals in {facts.currency} as the CRM has it: no invoices, no costs, no margin."
    )
    if facts.currencies:
        sentences.append(f"What deals in other currencies came to on the day of payment. {facts.currencies}")
    if facts.weekdays["interactions"]:
        sentences.append(
            f"What happened outside the exports. Touches are known from {facts.weekdays['first']} to "
            f"{facts.weekdays['last']} only, and calls nobody logged are in no figure."
        )
        sentences.append(
            "What a channel is worth. Attributed revenue shares a win among the touches of the 90 days before it; that is bookkeeping, not effect."
        )
    missing = facts.attention["without_value"]
    if missing:
        sentences.append(
            f"The whole pipeline. {count(missing, 'open deal')} {'has' if missing == 1 else 'have'} no value, counted as 0."
        )
    turned = facts.attention["reversed"]
    if turned:
        sentences.append(
            f"Every cycle time. {count(turned, 'deal')}, such as {facts.attention['reversed_example']}, closed before the day "
            f"of {'its' if turned == 1 else 'their'} opening; {'it is' if turned == 1 else 'they are'} in no mean of days."
        )
    if facts.correlated == SAMPLE:
        sentences.append(
            f"Correlations beyond the third decimal: they are computed from {SAMPLE:,} customers drawn by a hash of their key."
        )
    if any(cell.about for item in profiles for cell in item.cells):
        sentences.append(
            "Exact numbers of spellings in the largest tables: they are estimates, about 2% off, and marked with ~."
        )
    return sentences
