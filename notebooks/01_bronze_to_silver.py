# Databricks notebook source
# MAGIC %md
# MAGIC # Bronze to silver
# MAGIC New export files become bronze rows (every cell as the text it was) and silver rows (typed, checked,
# MAGIC one current version per key). Refused records go to `silver.quarantine` with their reasons.
# MAGIC
# MAGIC Runs here as a job task with widgets, and on a laptop as
# MAGIC `python notebooks/01_bronze_to_silver.py --source data --lakehouse lakehouse`.

# COMMAND ----------

try:
    from medallion import notebook, pipeline
    from medallion.config import utc_now
except ModuleNotFoundError as missing:
    raise SystemExit(f"{missing}. In the root of the repository run: pip install -r config/requirements.txt") from None

settings = notebook.settings(globals())

# COMMAND ----------

result = pipeline.run(settings, utc_now(), notebook.say, stages=[pipeline.BRONZE_TO_SILVER])

# COMMAND ----------

# MAGIC %md
# MAGIC Where every record went: rows read = accepted + duplicate + superseded + quarantined.

# COMMAND ----------

for account in result.accounts:
    counts = {name: account[name] for name in ("rows_read", "accepted", "duplicate", "superseded", "quarantined")}
    notebook.tell(f"{account['entity']:<13} {counts}")
notebook.tell_wrong(result)
if not result.changed:
    print("Nothing new; every table is as it was.")

# COMMAND ----------

if result.wrong:
    raise SystemExit(1)
