# The project's commands, one door for people, CI and docs.

set shell := ["bash", "-euo", "pipefail", "-c"]
python := ".venv/bin/python"

# List the recipes.
default:
    @just --list

# Make the environment from the lock and install the package into it.
setup:
    python3 -m venv .venv
    {{python}} -m pip install -q -r config/requirements.txt
    {{python}} -m pip install -q --no-deps --no-build-isolation -e .

# Run the pipeline on the sample.
run *args:
    .venv/bin/medallion run {{args}}

# The default tests.
test *args:
    {{python}} -m pytest {{args}}

# Style, types and arrows.
lint:
    .venv/bin/ruff check .
    .venv/bin/ruff format --check .
    .venv/bin/mypy
    .venv/bin/lint-imports

# Format the code.
fmt:
    .venv/bin/ruff format .
    .venv/bin/ruff check --fix .

# Write the generated parts of the docs anew.
docs:
    .venv/bin/cog -r README.md ARCHITECTURE.md SETUP_GUIDE.md docs/*.md

# Check that the generated parts of the docs are current.
docs-check:
    .venv/bin/cog --check README.md ARCHITECTURE.md SETUP_GUIDE.md docs/*.md

# Compile the lock for Python 3.11 and 3.12 from pyproject.toml.
lock:
    bash scripts/lock.sh

# The dashboard in a real Chromium: painted, accessible, by keyboard, as one file.
browser *args:
    bash scripts/with_browser.sh {{python}} -m pytest -n 0 tests/browser {{args}}

# Check that the lock fits pyproject.toml.
lock-check:
    bash scripts/lock.sh --check

# Everything that CI checks.
ci:
    bash .ci/run
