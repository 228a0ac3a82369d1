"""The import path of 0.1 for `medallion.lakehouse.store`."""

from medallion.lakehouse.store import Lakehouse

__all__ = ["Lakehouse"]
