# Databricks notebook source
# MAGIC %md
# MAGIC # Exploration
# MAGIC What the lakehouse holds, how clean the deliveries were, and the figures by channel.
# MAGIC
# MAGIC Runs here as a job task with widgets, and on a laptop as
# MAGIC `python notebooks/03_eda_analysis.py --lakehouse lakehouse`.

# COMMAND ----------

from medallion import notebook, query, status
from medallion.store import Lakehouse

settings = notebook.settings(globals())
lake = Lakehouse(settings.lakehouse)

# COMMAND ----------

for table in status.tables(lake):
    print(f"{table['table']:<32}{table['rows']:>9,} rows  {table['grain']}")

# COMMAND ----------

with query.connect(lake, layers=["gold"]) as connection:
    print(connection.sql("select * from gold.channel_performance order by channel"))
