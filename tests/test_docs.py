"""Docs cannot rot: what exists is documented, and what is written holds."""

from __future__ import annotations

import ast
import re

import pytest

from conftest import ROOT
from medallion import contracts, metrics
from medallion.care import status
from medallion.gold import STEPS, gold_contract
from medallion.gold.customer_features import FEATURES

README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = README + "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").rglob("*.md")))


@pytest.mark.parametrize("name", [*contracts.tables(), *(step.table for step in STEPS)])
def test_every_table_is_documented(name):
    assert name in DOCS


ENTITIES = contracts.entities().values()
SHIPPED = [
    *(silver for entity in ENTITIES for silver in (entity.clean, entity.history)),
    *(gold_contract(step.table) for step in STEPS),
    *(contracts.table(name) for name in contracts.tables() if not name.startswith("gold.")),
]


@pytest.mark.parametrize("table", SHIPPED, ids=lambda table: table.name)
def test_every_column_is_described(table):
    entity = table.name.removeprefix("silver.").rpartition("_")[0]
    assert table.name in DOCS or table.name.replace(entity, "<entity>") in DOCS
    assert table.grain.startswith("one row per ")
    assert table.key
    for column in table.columns:
        assert column.description.endswith("."), column.name
        counted = column.name.endswith(("_days", "_hours", "_minutes", "_value", "_revenue", "_rate", "_share"))
        if counted and column.type != "boolean":
            assert column.unit, column.name
    assert {*table.key} <= {*table.column_names}


def test_every_metric_is_described():
    for name, metric in metrics.metrics().items():
        assert metric.measure.comment.endswith("."), name
        assert metric.measure.format.type == "currency" or metric.measure.format.currency_code is None, name
        for dimension in metric.view.dimensions:
            assert dimension.display_name, name
            assert dimension.comment, name


@pytest.mark.parametrize("name", [*(feature.name for feature in FEATURES), *metrics.metrics()])
def test_every_feature_and_metric_is_documented(name):
    assert f"`{name}`" in DOCS


def test_every_command_is_documented():
    from typer.main import get_command

    from medallion.cli import app
    from tools.reference import _leaves

    for name, _ in _leaves(get_command(app).commands):
        assert f"`medallion {name}" in README, name


def test_the_list_of_commands_says_what_they_say_themselves():
    from typer.main import get_command

    from medallion.cli.app import COMMANDS, app

    commands = get_command(app).commands
    assert {name: commands[name].help.split("\n")[0] for name in COMMANDS} == {
        name: about for name, (_, about) in COMMANDS.items()
    }


def test_the_readme_tells_the_figures_of_the_sample(sample):
    for name, value in status.insights(sample).items():
        label = metrics.metrics()[name].measure.display_name
        assert re.search(
            rf"^ {re.escape(label)} +{re.escape(metrics.written(name, value, 'USD'))} ", README, re.MULTILINE
        ), name


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
        ROOT / "dashboards" / "dashboard_guide.md",
        *(ROOT / "docs").rglob("*.md"),
    ]:
        for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))


def late_imports():
    """What functions of the package import: the outside package, or the room of the package."""
    for path in sorted((ROOT / "src" / "medallion").rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.Import):
                        yield from ((path.name, node.lineno, alias.name) for alias in node.names)
                    elif isinstance(node, ast.ImportFrom):
                        inside = node.module == "medallion"
                        names = [f"medallion.{alias.name}" for alias in node.names] if inside else [node.module]
                        yield from ((path.name, node.lineno, name) for name in names)


def test_every_import_in_a_function_has_its_reason():
    section = (
        (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").split("### Imported in a function")[1].split("## ")[0]
    )
    listed = set(re.findall(r"`([\w.]+)`", section))
    used, found = set(), list(late_imports())
    for file, line, name in found:
        own = name.removeprefix("medallion.")
        inside = name.startswith("medallion.")
        matching = (
            {word for word in listed if own == word or own.startswith(f"{word}.")} if inside else {name.split(".")[0]}
        )
        assert matching & listed, (
            f"{file}:{line}: {name} is imported in a function, and ARCHITECTURE.md does not say why"
        )
        used |= matching & listed
    assert used == listed, f"no function imports {sorted(listed - used)}"
    places = {(file, line) for file, line, _ in found}
    assert len(places) <= 115


#: How a value was come by, not what it is.
VAGUE = {"found", "told", "made", "mine", "held", "one", "here", "said", "such", "got"}


def test_a_variable_is_named_for_what_it_holds():
    vague = []
    for file in sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "tools").rglob("*.py")]):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        fields = {id(node.target) for node in ast.walk(tree) if isinstance(node, ast.AnnAssign)}
        for node in ast.walk(tree):
            stored = isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and id(node) not in fields
            if (name := node.id if stored else node.arg if isinstance(node, ast.arg) else None) in VAGUE:
                vague.append(f"{file.relative_to(ROOT)}:{node.lineno} {name}")
    assert not vague
