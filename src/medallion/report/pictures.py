"""The three pictures of the report: panels of charts, for slides, mails and documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medallion.charts import marks, sales
from medallion.report.facts import Facts, folded

#: Categories in a picture, which nobody can scroll; the page has more.
_PRINTED = 15


def pictures(facts: Facts) -> dict[str, Mapping[str, Any]]:
    """Charts by the name of their file."""
    until = f"As of {facts.as_of}" if facts.as_of else "No dated event yet"
    industries = folded(facts.by["industry"], "industry", _PRINTED)
    overall = facts.figures["win_rate"]
    return {
        "01_deals_and_interactions": marks.panels(
            [
                [sales.deal_status(facts.by["status"], facts.currency), sales.lead_sources(folded(facts.by["source"], "source", _PRINTED))],
                [sales.channels(facts.channels), sales.outcomes(facts.outcomes)],
            ],
            "Deals and interactions",
            until,
        ),
        "02_customer_features": marks.panels(
            [
                [sales.score_distribution(facts.scores)],
                [
                    sales.quality_bands(facts.customers_by["lead_quality"]),
                    sales.top_customers(facts.top[:10], float(facts.figures["revenue"] or 0), facts.currency),
                ],
            ],
            "Customers, scores and revenue",
            until,
        ),
        "03_industry_analysis": marks.panels(
            [
                [
                    sales.revenue_by(industries, "industry", "Revenue by industry", facts.currency),
                    sales.rates(industries, "industry", "Win rate by industry", overall=overall),
                ],
                [
                    sales.company_size(facts.customers_by["size_band"]),
                    sales.revenue_by(sales.by_size(facts.by["size_band"]), "size_band", "Revenue by company size", facts.currency),
                ],
            ],
            "Industries and company size",
            until,
        ),
    }  # fmt: skip
