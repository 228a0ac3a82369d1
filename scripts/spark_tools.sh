#!/usr/bin/env bash
# Fetch what `just declarative` needs into .tools/: Apache Spark with its pipelines, in an environment of its own.
set -euo pipefail
cd "$(dirname "$0")/.."

spark=4.3.0
mkdir -p .tools
if [ "$(cat .tools/spark.version 2>/dev/null || true)" != "$spark" ]; then
    .venv/bin/uv venv --quiet --clear .tools/spark
    .venv/bin/uv pip install --quiet --python .tools/spark/bin/python "pyspark[connect,pipelines]==$spark" "pandas<3"
    .venv/bin/uv pip install --quiet --python .tools/spark/bin/python -e .
    echo "$spark" >.tools/spark.version
fi
