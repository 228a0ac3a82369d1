#!/usr/bin/env bash
# Run a command with what the browser tests need: Playwright for Python, axe-core from npm, and a Chromium.
#
#     bash scripts/with_browser.sh .venv/bin/python -m pytest -n 0 tests/browser
#
# Playwright and axe-core come into .browser/ on first use, in the versions pinned here; Chromium is the system's, from
# Debian's packages when it is missing and this user may install it. Nothing is downloaded by Playwright itself.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
home=$root/.browser
axe=4.14.1

if ! cmp -s "$root/config/browser/requirements.txt" "$home/requirements.txt"; then
    rm -rf "$home/python"
    "$root/.venv/bin/uv" pip install --quiet --require-hashes --python "$root/.venv/bin/python" --target "$home/python" \
        -r "$root/config/browser/requirements.txt"
    cp "$root/config/browser/requirements.txt" "$home/requirements.txt"
fi
if [ ! -f "$home/axe-$axe/node_modules/axe-core/axe.min.js" ]; then
    npm install --silent --no-fund --no-audit --no-save --ignore-scripts --prefix "$home/axe-$axe" "axe-core@$axe"
fi
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
if [ -z "$chromium" ]; then
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    $sudo apt-get update -qq && $sudo apt-get install -qq -y --no-install-recommends chromium fonts-liberation >/dev/null
    chromium=$(command -v chromium)
fi
MEDALLION_CHROMIUM=$chromium \
MEDALLION_AXE=$home/axe-$axe/node_modules/axe-core/axe.min.js \
PYTHONPATH=$home/python${PYTHONPATH:+:$PYTHONPATH} \
    "$@"
