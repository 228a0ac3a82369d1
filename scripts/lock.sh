#!/usr/bin/env bash
# Compile the hashed locks for Python 3.11 and 3.12 from pyproject.toml: config/requirements-dev.lock, all that the tests and
# tools of a checkout need, and config/requirements.lock, what a user runs, in the same versions but for mcp; and from the latter
# config/requirements.txt, the package itself and these versions, without hashes, and config/requirements.databricks.txt: what
# the job on Databricks needs, where the platform has none of its own. --check only compares.
set -euo pipefail
cd "$(dirname "$0")/.."

everything=(sail agent azure charts crm dashboard databricks duplicates mcp ml mlflow openlineage otel powerbi slides)
used=(sail azure charts dashboard databricks mcp ml slides)
platform=config/databricks_environment.txt
declare -A files=(
    [all]=config/requirements-dev.lock [lock]=config/requirements.lock
    [pins]=config/requirements.txt [job]=config/requirements.databricks.txt
)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

compiled() { # output, then further options
    local output=$1
    shift
    .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-header --no-emit-index-url "$@" pyproject.toml --output-file "$output"
    if grep -nE '(https?://|^--)' "$output"; then
        echo "The lock names a host or an index." >&2
        exit 1
    fi
}

versions() { sed -nE 's/^([a-z0-9][^\\]*[^\\ ]) *\\?$/\1/p' "$work/lock"; }

cp "${files[all]}" "$work/all"
cp "${files[lock]}" "$work/lock"
compiled "$work/all" "${everything[@]/#/--extra=}" --group dev
# pbix-mcp holds back mcp, which those who serve MCP clients have in its current version
grep -vE '^mcp==' "$work/all" | sed -E '/^ +--hash/d; s/ \\$//' >"$work/others"
compiled "$work/lock" "${used[@]/#/--extra=}" --group first --no-annotate --constraints "$work/others"
{
    echo "# The package, editable, and the versions of ${files[lock]}, which has their hashes too. Written by scripts/lock.sh."
    echo "# Run pip in the root of the repository, since it looks for '.' in the folder it is run in."
    echo "-e ."
    versions
} >"$work/pins"
# versions of the lock, but those of the platform where its own clients need them
{
    grep -v '^#' "$platform"
    versions | grep -vE "^($(sed -nE 's/^([a-z0-9-]+)==.*/\1/p' "$platform" | paste -sd '|'))=="
} >"$work/constraints"
{
    echo "# What the job on Databricks needs, each at the version of ${files[lock]} or of $platform."
    echo "# Written by scripts/lock.sh; deployed beside the wheel, whose extras charts and ml these are."
    .venv/bin/uv pip compile --quiet --python-version 3.12 --python-platform x86_64-unknown-linux-gnu --no-header \
        --no-annotate --no-emit-index-url --extra charts --extra ml --constraint "$work/constraints" pyproject.toml
} >"$work/job"
if [ "${1:-}" = --check ]; then
    for one in "${!files[@]}"; do
        diff -u "${files[$one]}" "$work/$one" || { echo "${files[$one]} does not fit pyproject.toml: run 'just lock'." >&2; exit 1; }
    done
else
    for one in "${!files[@]}"; do cp "$work/$one" "${files[$one]}"; done
fi
