"""The shipped sample gives the figures that its README states, by honest computation."""

from __future__ import annotations

from medallion.care import status


def test_insights_of_the_sample(sample):
    figures = status.insights(sample)
    assert {name: round(value, 3) for name, value in figures.items() if name != "weighted_pipeline"} == {
        "total_deal_value": 1937000,
        "average_deal_value": 129133.333,
        "revenue": 1090000,
        "open_pipeline": 345000,
        "total_customers": 13,
        "total_interactions": 25,
        "average_lead_score": 88.692,
        "hot_lead_share": 0.846,
        "conversion_rate": 0.4,
        "win_rate": 0.545,
        "top_customer_revenue": 550000,
    }


if __name__ == "__main__":
    import pytest

    raise SystemExit(pytest.main([__file__]))
