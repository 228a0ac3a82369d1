# Databricks notebook source
# MAGIC %md
# MAGIC # Exploratory analysis
# MAGIC Data quality before and after cleaning, deals, interactions, customers, industries, correlations and what the
# MAGIC numbers cannot say: as text, as one page with charts, as pictures, and the customer features as CSV.
# MAGIC
# MAGIC Runs here as a job task with widgets, and on a laptop as
# MAGIC `python notebooks/03_eda_analysis.py --lakehouse lakehouse --out analysis`. On a laptop it also brings the exports
# MAGIC to gold where there is no gold yet.

# COMMAND ----------

try:
    from medallion import notebook, report
    from medallion import Lakehouse
except ModuleNotFoundError as missing:
    raise SystemExit(f"{missing}. In the root of the repository run: pip install -r config/requirements.txt") from None

settings = notebook.settings(globals())
out = notebook.out(globals(), "analysis")
notebook.bring_to_gold(globals(), settings)

# COMMAND ----------

written = report.eda(Lakehouse(settings.lakehouse), out, notebook.say)

# COMMAND ----------

# MAGIC %md
# MAGIC The report as text; the page beside it has the charts. In a job the files alone have it: the report names customers,
# MAGIC and whoever may see the job sees what it prints.

# COMMAND ----------

notebook.show(globals(), out / "EDA_REPORT.txt")
for path in written:
    print(f"Written: {path}")
