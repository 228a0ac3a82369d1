"""Starts Apache Spark with the sample's silver tables in it and lets `spark-pipelines` dry-run and run pipelines/gold.py.

usage: dry_run.py LAKEHOUSE WORK. Needs the `spark` extra with pipelines and a JVM; prints one JSON document.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pyspark
from deltalake import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

ROOT = Path(__file__).resolve().parents[2]
SPEC = """name: medallion-gold
storage: file://{work}/storage
catalog: spark_catalog
database: gold_views
libraries:
  - glob:
      include: pipelines/gold.py
configuration:
  medallion.as_of: "2025-06-30"
"""


def main(lakehouse: Path, work: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = Path(pyspark.__file__).parent
    environment = {
        **os.environ,
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_NO_DAEMONIZE": "1",
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    line = [
        home / "bin" / "spark-submit",
        "--class",
        "org.apache.spark.sql.connect.service.SparkConnectServer",
        "--conf",
        f"spark.connect.grpc.binding.port={port}",
    ]
    line += [
        "--conf",
        f"spark.sql.warehouse.dir={work}/warehouse",
        "--conf",
        "spark.sql.shuffle.partitions=2",
        "--driver-memory",
        "2g",
        "spark-internal",
    ]
    server = subprocess.Popen(
        line, env=environment, cwd=work, stdout=(work / "server.log").open("w"), stderr=subprocess.STDOUT
    )
    try:
        for _ in range(300):
            with socket.socket() as knock:
                if knock.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.2)
        remote = f"sc://127.0.0.1:{port}"
        spark = SparkSession.builder.remote(remote).getOrCreate()
        spark.conf.set("spark.sql.session.timeZone", "UTC")
        for database in ("silver", "gold_views"):
            spark.sql(f"CREATE DATABASE {database}").collect()
        for log in sorted(lakehouse.glob("silver/*/_delta_log")):
            rows = DeltaTable(log.parent).to_pyarrow_table()
            frame = (
                spark.createDataFrame(rows) if len(rows) else spark.createDataFrame([], from_arrow_schema(rows.schema))
            )
            frame.write.saveAsTable(f"silver.{log.parent.name}")
        (work / "pipelines").mkdir(exist_ok=True)
        (work / "pipelines" / "gold.py").write_text((ROOT / "pipelines" / "gold.py").read_text())
        (work / "spark-pipeline.yml").write_text(SPEC.format(work=work))
        tool = Path(sys.executable).with_name("spark-pipelines")
        told = {}
        for verb in ("dry-run", "run"):
            done = subprocess.run(
                [tool, "--remote", remote, verb, "--spec", "spark-pipeline.yml"],
                cwd=work,
                env=environment,
                capture_output=True,
                text=True,
            )
            told[verb] = [done.returncode, done.stdout[-20000:] + done.stderr[-4000:]]
        told["rows"] = {}
        for row in spark.sql("SHOW TABLES IN gold_views").collect():
            table = spark.table(f"gold_views.{row['tableName']}")
            found = [item.asDict(recursive=True) for item in table.collect()]
            told["rows"][row["tableName"]] = sorted(json.dumps(item, default=str, sort_keys=True) for item in found)
        spark.stop()
        print(json.dumps(told))
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
