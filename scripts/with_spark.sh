#!/usr/bin/env bash
# Start an Apache Spark Connect server with Delta Lake on a free port of this machine, run a command against it, stop it.
#
#     bash scripts/with_spark.sh .venv/bin/medallion run --lakehouse /tmp/lake
#
# The server has its own environment under .spark/, made on first use: pyspark from PyPI, Delta's jars from Maven,
# the system's Java 17 or later. Its Python workers run in .venv, which has what the pipeline's functions import.
# SPARK_MEMORY (4g) is its heap, SPARK_CORES (2) its threads. SPARK_SMALL=1 interprets plans instead of compiling each,
# for tests: with little data nearly all the time goes into compilers.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
home=$root/.spark
log=$(mktemp -t spark.XXXXXX.log)
unset SPARK_REMOTE # of another server; this one would refuse to start

if ! cmp -s "$root/config/spark/requirements.txt" "$home/requirements.txt"; then
    rm -rf "$home/venv"
    python3 -m venv "$home/venv"
    "$home/venv/bin/python" -m pip install -q -r "$root/config/spark/requirements.txt"
    cp "$root/config/spark/requirements.txt" "$home/requirements.txt"
fi
if ! cmp -s "$root/config/spark/pom.xml" "$home/pom.xml"; then
    rm -rf "$home/jars"
    mvn -q -f "$root/config/spark/pom.xml" dependency:copy-dependencies \
        -DincludeGroupIds=io.delta,io.unitycatalog -DoutputDirectory="$home/jars"
    cp "$root/config/spark/pom.xml" "$home/pom.xml"
fi

small=()
if [ -n "${SPARK_SMALL:-}" ]; then
    small=(
        --conf spark.sql.codegen.wholeStage=false
        --conf spark.sql.codegen.factoryMode=NO_CODEGEN
        --conf spark.sql.adaptive.enabled=false
        --driver-java-options "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
    )
fi
work=$(mktemp -d)
SPARK_HOME=$("$home/venv/bin/python" -c 'import pathlib, pyspark; print(pathlib.Path(pyspark.__file__).parent)')
export SPARK_HOME
(
    cd "$work"
    PYSPARK_PYTHON=${SPARK_WORKERS:-$root/.venv/bin/python} SPARK_LOCAL_IP=127.0.0.1 exec setsid "$SPARK_HOME/bin/spark-submit" \
        --class org.apache.spark.sql.connect.service.SparkConnectServer \
        --master "local[${SPARK_CORES:-2}]" \
        --driver-memory "${SPARK_MEMORY:-4g}" \
        --jars "$(printf '%s\n' "$home"/jars/*.jar | paste -sd,)" \
        --conf spark.connect.grpc.binding.address=127.0.0.1 \
        --conf spark.connect.grpc.binding.port=0 \
        --conf spark.sql.extensions=io.delta.sql.DeltaSparkSessionExtension \
        --conf spark.sql.catalog.spark_catalog=org.apache.spark.sql.delta.catalog.DeltaCatalog \
        --conf spark.sql.session.timeZone=UTC \
        --conf spark.sql.shuffle.partitions="${SPARK_CORES:-2}" \
        --conf spark.default.parallelism="${SPARK_CORES:-2}" \
        --conf spark.databricks.delta.snapshotPartitions=1 \
        --conf spark.ui.enabled=false \
        "${small[@]}" \
        --conf spark.local.dir="$work" \
        --conf spark.sql.warehouse.dir="$work/warehouse" \
        --conf spark.connect.session.manager.defaultSessionTimeout=6h \
        spark-internal >"$log" 2>&1
) &
server=$!
# shellcheck disable=SC2329 # called by the trap
stop() {
    kill -- "-$server" 2>/dev/null || kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap stop EXIT

fail() {
    tail -30 "$log" >&2
    echo "$1; the log of Apache Spark: $log" >&2
    exit 1
}
# The server picks the port itself, so that no other program can take it between the choice and the start.
port=""
for _ in $(seq 1 180); do
    port=$(sed -n 's/.*Spark Connect server started at: .*:\([0-9]*\).*/\1/p' "$log" | head -1)
    [ -z "$port" ] || break
    kill -0 "$server" 2>/dev/null || fail "Apache Spark did not start"
    sleep 1
done
[ -n "$port" ] || fail "Apache Spark did not start within three minutes"
status=0
SPARK_REMOTE="sc://127.0.0.1:$port" "$@" || status=$?
kill -0 "$server" 2>/dev/null || fail "Apache Spark stopped meanwhile"
[ "$status" = 0 ] || echo "The log of Apache Spark: $log" >&2
exit "$status"
