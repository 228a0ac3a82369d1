"""Customer features: each a small function named as its column, its docstring the definition.

`FEATURES` lists them in the order of `gold.customer_features`; those of scoring join there.
"""

from medallion.features.account import ACCOUNT
from medallion.features.as_of import customers_as_of, interactions_as_of, leads_as_of, recent_interactions
from medallion.features.deals import DEALS
from medallion.features.derived import DERIVED
from medallion.features.own import OWN
from medallion.features.registry import AsOf, Feature, Features, Moment, around, in_order
from medallion.features.touches import RECENT, TOUCHES
from medallion.weights import ScoreWeights

__all__ = [
    "ACCOUNT",
    "DEALS",
    "DERIVED",
    "OWN",
    "RECENT",
    "TOUCHES",
    "AsOf",
    "Feature",
    "Features",
    "Moment",
    "ScoreWeights",
    "around",
    "customers_as_of",
    "in_order",
    "interactions_as_of",
    "leads_as_of",
    "recent_interactions",
]
