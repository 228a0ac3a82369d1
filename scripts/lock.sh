#!/usr/bin/env bash
# Compile config/requirements.txt, the hashed lock for Python 3.11 and 3.12, from pyproject.toml; --check only compares.
set -euo pipefail
cd "$(dirname "$0")/.."

lock=config/requirements.txt
target=$lock
if [ "${1:-}" = --check ]; then
    target=$(mktemp)
    trap 'rm -f "$target"' EXIT
    cp "$lock" "$target"
fi
.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-header --no-emit-index-url --extra sail --extra agent --extra azure --extra databricks --extra charts --extra crm --extra dashboard --extra ml --extra mlflow --extra openlineage --extra otel --extra powerbi --extra slides --group dev \
    pyproject.toml --output-file "$target"
if grep -nE '(https?://|^--)' "$target"; then
    echo "The lock names a host or an index." >&2
    exit 1
fi
if [ "$target" != "$lock" ]; then
    diff -u "$lock" "$target" || { echo "The lock does not fit pyproject.toml: run 'just lock'." >&2; exit 1; }
fi
