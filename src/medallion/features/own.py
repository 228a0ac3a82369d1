"""Features of a user's own: columns that modules named in config.yaml add to `gold.customer_features`."""

from __future__ import annotations

from medallion.features.registry import Features

#: Each is of one row, and may read every other feature.
OWN = Features("your own modules")
