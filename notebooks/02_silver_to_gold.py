# Databricks notebook source
# MAGIC %md
# MAGIC # Silver to gold
# MAGIC `customer_features`, `deals`, `sales_summary`, `channel_performance` and `top_customers` as of a day, with
# MAGIC their invariants checked, and the figures that follow from them.
# MAGIC
# MAGIC Runs here as a job task with widgets, and on a laptop as
# MAGIC `python notebooks/02_silver_to_gold.py --lakehouse lakehouse --as-of latest`.

# COMMAND ----------

try:
    from medallion import notebook, pipeline
    from medallion.config import utc_now
except ModuleNotFoundError as missing:
    raise SystemExit(f"{missing}. In the root of the repository run: pip install -r config/requirements.txt") from None

settings = notebook.settings(globals())
notebook.need_silver(settings)

# COMMAND ----------

result = pipeline.run(settings, utc_now(), notebook.say, stages=[pipeline.SILVER_TO_GOLD])

# COMMAND ----------

# MAGIC %md
# MAGIC The insights, each by its one definition.

# COMMAND ----------

from medallion import metrics, status
from medallion import Lakehouse
from medallion.lakehouse import contracts_in_use

lakehouse = Lakehouse(settings.lakehouse)
currency = contracts_in_use.currency(lakehouse)
for name, value in status.insights(lakehouse).items():
    measure = metrics.metrics()[name].measure
    print(f"{measure.display_name:<24}{metrics.written(name, value, currency):>14}   {measure.comment}")
