#!/usr/bin/env bash
# Compile config/requirements.lock, the hashed lock for Python 3.11 and 3.12, from pyproject.toml, and from the lock
# config/requirements.txt: the package itself and the same versions, without hashes, and config/requirements.databricks.txt:
# what the job on Databricks needs, where the platform has none of its own. --check only compares.
set -euo pipefail
cd "$(dirname "$0")/.."

lock=config/requirements.lock pins=config/requirements.txt job=config/requirements.databricks.txt
platform=config/databricks_environment.txt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$lock" "$work/lock"
.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-header --no-emit-index-url --extra sail --extra agent --extra azure --extra databricks --extra charts --extra crm --extra dashboard --extra duplicates --extra ml --extra mlflow --extra openlineage --extra otel --extra powerbi --extra slides --group dev \
    pyproject.toml --output-file "$work/lock"
if grep -nE '(https?://|^--)' "$work/lock"; then
    echo "The lock names a host or an index." >&2
    exit 1
fi
{
    echo "# The package, editable, and the versions of $lock, which has their hashes too. Written by scripts/lock.sh."
    echo "# Run pip in the root of the repository, since it looks for '.' in the folder it is run in."
    echo "-e ."
    sed -nE 's/^([a-z0-9][^\\]*[^\\ ]) *\\?$/\1/p' "$work/lock"
} >"$work/pins"
# versions of the lock, but those of the platform where its own clients need them
{
    grep -v '^#' "$platform"
    sed -nE 's/^([a-z0-9][^\\]*[^\\ ]) *\\?$/\1/p' "$work/lock" | grep -vE "^($(sed -nE 's/^([a-z0-9-]+)==.*/\1/p' "$platform" | paste -sd '|'))=="
} >"$work/constraints"
{
    echo "# What the job on Databricks needs, each at the version of $lock or of $platform."
    echo "# Written by scripts/lock.sh; deployed beside the wheel, whose extras charts and ml these are."
    .venv/bin/uv pip compile --quiet --python-version 3.12 --python-platform x86_64-unknown-linux-gnu --no-header \
        --no-annotate --no-emit-index-url --extra charts --extra ml --constraint "$work/constraints" pyproject.toml
} >"$work/job"
if [ "${1:-}" = --check ]; then
    diff -u "$lock" "$work/lock" || { echo "The lock does not fit pyproject.toml: run 'just lock'." >&2; exit 1; }
    diff -u "$pins" "$work/pins" || { echo "$pins does not fit $lock: run 'just lock'." >&2; exit 1; }
    diff -u "$job" "$work/job" || { echo "$job does not fit $lock: run 'just lock'." >&2; exit 1; }
else
    cp "$work/lock" "$lock"
    cp "$work/pins" "$pins"
    cp "$work/job" "$job"
fi
