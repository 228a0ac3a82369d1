"""Power BI from the metrics: a semantic model, four pages, and the files that carry them."""
