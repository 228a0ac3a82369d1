"""Azure and Databricks: exports up, the job and what it needs into a workspace."""
