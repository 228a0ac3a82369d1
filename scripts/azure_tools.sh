#!/usr/bin/env bash
# Fetch what `just azure` needs into .tools/: the storage emulator (npm) and the Azure CLI in an environment of its own.
set -euo pipefail
cd "$(dirname "$0")/.."

azurite=3.37.0 azure_cli=2.91.0
mkdir -p .tools
if [ "$(cat .tools/azurite.version 2>/dev/null || true)" != "$azurite" ]; then
    npm install --silent --no-audit --no-fund --ignore-scripts --prefix .tools/azurite "azurite@$azurite"
    echo "$azurite" >.tools/azurite.version
fi
if [ "$(cat .tools/az.version 2>/dev/null || true)" != "$azure_cli" ]; then
    .venv/bin/uv venv --quiet --clear .tools/az
    .venv/bin/uv pip install --quiet --python .tools/az/bin/python "azure-cli==$azure_cli"
    echo "$azure_cli" >.tools/az.version
fi
