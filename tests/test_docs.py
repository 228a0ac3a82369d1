"""Docs cannot rot: what exists is documented, and what is written holds."""

from __future__ import annotations

import re

import pytest

from conftest import ROOT
from medallion import contracts, metrics, status
from medallion.gold.customer_features import FEATURES
from medallion.pipeline.silver_to_gold import STEPS

README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = README + "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").rglob("*.md")))


@pytest.mark.parametrize("name", [*contracts.tables(), *(step.table for step in STEPS)])
def test_every_table_is_documented(name):
    assert name in DOCS


@pytest.mark.parametrize("name", [*(feature.name for feature in FEATURES), *metrics.metrics()])
def test_every_feature_and_metric_is_documented(name):
    assert f"`{name}`" in DOCS


def test_every_command_is_documented():
    from medallion.cli import app

    for command in app.registered_commands:
        assert f"`medallion {command.name or command.callback.__name__}" in README


def test_the_readme_tells_the_figures_of_the_sample(sample):
    for name, value in status.insights(sample).items():
        label = metrics.metrics()[name].measure.display_name
        assert re.search(rf"^ {re.escape(label)} +{re.escape(metrics.written(name, value))} ", README, re.MULTILINE), (
            name
        )


def test_the_contract_in_the_readme_works(tmp_path):
    (text,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    path = tmp_path / "readme.odcs.yaml"
    path.write_text(text)
    leads = contracts.entities([path])["leads"]
    status_column = next(column for column in leads.columns if column.name == "status")
    assert status_column.spellings["gewonnen"] == "won"


def test_example_contracts_work():
    for path in sorted((ROOT / "examples").rglob("*.odcs.yaml")):
        assert contracts.entities([path])


def test_links_lead_somewhere():
    for page in [
        ROOT / "README.md",
        ROOT / "ARCHITECTURE.md",
        ROOT / "SETUP_GUIDE.md",
        ROOT / "CONTRIBUTING.md",
        *(ROOT / "docs").rglob("*.md"),
    ]:
        for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
