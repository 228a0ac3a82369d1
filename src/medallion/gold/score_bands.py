"""`gold.score_bands`: what became of the deals of each band of the score, and what a new deal has to expect there."""

from __future__ import annotations

from pyspark.sql import DataFrame

from medallion.features import AsOf, leads_as_of
from medallion.scoring.base_rate import by_band


def score_bands(customer_features: DataFrame, leads: DataFrame, as_of: AsOf) -> DataFrame:
    """One row per band of the score that a customer has, at most four.

    Args:
        customer_features: `gold.customer_features` of the same time.
        leads: `silver.leads_clean`, or its rewound history.
        as_of: The as-of time.
    """
    return by_band(customer_features, leads_as_of(leads, as_of), as_of)
