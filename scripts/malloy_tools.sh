#!/usr/bin/env bash
# Fetch what `just malloy` needs into .tools/: Malloy with DuckDB (npm), at the versions of tools/malloy/package.json. What these
# need in turn is the newest that fits: npm's lock without the registry's host leaves out what other platforms need.
set -euo pipefail
cd "$(dirname "$0")/.."

mkdir -p .tools/malloy
if ! cmp -s tools/malloy/package.json .tools/malloy/installed.json; then
    cp tools/malloy/package.json .tools/malloy/package.json
    npm install --silent --no-audit --no-fund --ignore-scripts --no-package-lock --prefix .tools/malloy
    cp tools/malloy/package.json .tools/malloy/installed.json
fi
