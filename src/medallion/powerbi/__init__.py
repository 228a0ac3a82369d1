"""Power BI from the metrics: a semantic model, four pages, and the files that carry them."""

from medallion.powerbi.check import check
from medallion.powerbi.model import model
from medallion.powerbi.rows import read

__all__ = ["check", "model", "read"]
