"""Gold follows its inputs and its code: what changed is rebuilt, with what depends on it, and nothing else."""

from __future__ import annotations

import ast
import importlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import date, timedelta
from io import StringIO
from types import SimpleNamespace

import pytest
from rich.console import Console

from conftest import NOW, ROOT
from medallion import pipeline
from medallion.cli.command import Call
from medallion.cli.run import show_result
from medallion.config import load
from medallion.gold import SCORED, STEPS, possible
from medallion.pipeline import freshness
from medallion.pipeline.freshness import Freshness, definition, recorded, sources
from medallion.pipeline.result import Result
from medallion.pipeline.work import Work

PACKAGE = ROOT / "src" / "medallion"
DAY = date(2025, 6, 30)
DATED = ("silver.customers_clean", "silver.leads_clean", "silver.interactions_clean", "silver.stage_changes_clean")
ALL = {step.table.removeprefix("gold.") for step in STEPS if not step.needs}
ACCOUNTS = {"customer_features", "score_bands", "deals", "top_customers"}
GIVEN = {"": "no overrides", "as_of": {"half_life": 45}, SCORED: None}


class Versions(dict):
    """As much of a lakehouse as the versions of its tables."""

    root, place = "lake", SimpleNamespace(key="lake", reads_files=False, head=lambda: "")  # no manifests

    def version(self, name: str) -> int:
        return self.get(name, -1)


@pytest.fixture(autouse=True)
def _nothing_cached():
    """What is read of a module's imports is kept for the process; tests pretend that modules are others."""
    freshness._imports.cache_clear()
    yield
    freshness._imports.cache_clear()


@pytest.fixture
def lake():
    named = {name for step in STEPS for name in (step.table, *step.inputs) if "." in name} - {SCORED}
    return Versions(dict.fromkeys(named, 3))


def now(lake, goal=None, refresh=False, last=None, **given):
    """What gold depends on now; `model` and `as_of` are given otherwise than before."""
    given = {**GIVEN, **({SCORED: given.pop("model")} if "model" in given else {}), **given}
    return Freshness(lake, DATED, goal, given, last or {}, refresh)


def rebuilt(fresh, day=DAY):
    return {table.removeprefix("gold."): why for table, why in fresh.stale(day).tables.items()}


@pytest.fixture
def edit(monkeypatch):
    """`edit("gold/deals.py")` is another source of that module, in what freshness sees."""
    read = freshness._module

    def change(path: str, text: str | None = "") -> None:
        assert read(path) is not None, path
        found = None if text is None else f"{read(path)}\n# {text}\n"
        before = freshness._module
        monkeypatch.setattr(freshness, "_module", lambda asked: found if asked == path else before(asked))

    return change


def test_imports_are_found_in_the_text_as_python_finds_them():
    """In every module that is followed; `import medallion...`, relative imports and `*` are not used in these."""
    paths = [
        path
        for path in PACKAGE.rglob("*.py")
        if path.relative_to(PACKAGE).parts[0].removesuffix(".py") in freshness.ROOMS
    ]
    assert len(paths) > 25
    for path in [*paths, PACKAGE / "silver" / "rewinding.py"]:
        expected = []
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert not any(alias.name.startswith("medallion") for alias in node.names), path
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, path
                assert all(alias.name != "*" for alias in node.names), path
                place, _, within = (node.module or "").partition(".")
                if place == "medallion":
                    names = [(alias.name, alias.asname or alias.name) for alias in node.names]
                    expected += [(within.replace(".", "/"), *pair) for pair in names]
        assert sorted(freshness._imports(str(path.relative_to(PACKAGE)))) == sorted(expected), path


def test_comments_and_other_names_within_an_import(monkeypatch):
    text = "from medallion.features import (  # why, and more\n    one,  # noqa\n    two as three,\n)\n"
    text += "def f():\n    from medallion import columns  # here, too\n"
    monkeypatch.setattr(freshness, "_module", lambda path: text)
    found = freshness._imports("gold/imagined.py")
    assert found == (("features", "one", "one"), ("features", "two", "three"), ("", "columns", "columns"))


def test_every_feature_and_signal_is_defined_in_a_module_that_is_followed():
    """A function joins its group by a decorator: nothing says that the group's module imports the function's."""
    from medallion.gold.customer_features import FEATURES
    from medallion.scoring.signals import SIGNALS

    for found, starts in ((FEATURES, ["gold/customer_features.py"]), (SIGNALS, freshness._SCORED_BY)):
        modules = {feature.function.__module__.removeprefix("medallion.") for feature in found}
        assert {f"{module.replace('.', '/')}.py" for module in modules} <= set(sources(*starts))


def test_a_name_comes_from_where_a_package_has_it_from():
    assert sources("gold/top_customers.py") == ["columns.py", "gold/top_customers.py"]
    assert "features/registry.py" in sources("gold/attribution.py")  # `AsOf`, which the package passes on
    assert "features/__init__.py" not in sources("gold/attribution.py")
    assert list(freshness._paths("features", "account")) == ["features/account.py"]
    assert list(freshness._paths("features", "defined_there")) == ["features/__init__.py"]


@pytest.mark.parametrize(
    "module",
    [path.name for path in sorted((PACKAGE / "features").glob("*.py")) if " = Features(" in path.read_text("utf-8")],
)
def test_a_changed_feature_rebuilds_the_features_and_their_dependants_and_nothing_else(lake, edit, module):
    last = recorded(now(lake).document(DAY))
    assert rebuilt(now(lake, last=last)) == {}
    assert now(lake, last=last).is_current()
    edit(f"features/{module}")
    found = now(lake, last=last)
    assert set(rebuilt(found)) == ACCOUNTS
    assert rebuilt(found)["customer_features"] == "its definition changed"
    assert rebuilt(found)["top_customers"] == "customer_features is rebuilt"
    assert not found.is_current()
    assert not found.stale(DAY).anew  # no touch is added up again


@pytest.mark.parametrize(
    ("path", "redefined", "follow"),
    [
        ("scoring/rules.py", {"customer_features"}, {"score_bands", "deals", "top_customers"}),
        ("scoring/base_rate.py", {"customer_features", "score_bands", "deals"}, {"top_customers"}),
        ("gold/score_bands.py", {"score_bands"}, {"deals"}),
        (
            "features/engagement.py",
            {"touch_totals", "customer_features", "channel_performance"},
            {"score_bands", "deals", "top_customers"},
        ),
        (
            "gold/touch_totals.py",
            {"touch_totals", "customer_features"},
            {"score_bands", "deals", "top_customers", "channel_performance"},
        ),
        ("gold/touch_days.py", {"touch_days", "sales_summary", "channel_performance"}, set()),
        ("gold/attribution.py", {"attribution", "channel_performance"}, set()),
        (
            "gold/stage_history.py",
            {"stage_history"},
            {"customer_features", "score_bands", "top_customers", "deals", "deal_changes", "sales_summary"},
        ),
        ("gold/deal_changes.py", {"deal_changes"}, {"sales_summary"}),
        ("gold/deals.py", {"deals"}, set()),
        ("gold/top_customers.py", {"top_customers"}, set()),
        ("contracts/tables/attribution.odcs.yaml", {"attribution"}, {"channel_performance"}),
        ("columns.py", ALL - {"touch_days", "deal_changes"}, {"deal_changes"}),
        ("silver/rewinding.py", ALL - {"top_customers"}, {"top_customers"}),
        ("gold/lead_scores.py", set(), set()),  # a score once given stays
        ("scoring/predict.py", set(), set()),  # without a model
        ("silver/checks.py", set(), set()),
        ("contracts/tables/lead_scores.odcs.yaml", set(), set()),
    ],
)
def test_what_a_changed_module_or_contract_rebuilds(lake, edit, path, redefined, follow):
    last = recorded(now(lake).document(DAY))
    edit(path)
    found = rebuilt(now(lake, last=last))
    assert {table for table, why in found.items() if why == "its definition changed"} == redefined
    assert {table for table, why in found.items() if why.endswith(" is rebuilt")} == follow
    assert set(found) == redefined | follow


TOUCHED = {"touch_totals", "touch_days", "attribution", "sales_summary", "channel_performance", *ACCOUNTS}


@pytest.mark.parametrize(
    ("changed", "tables"),
    [
        ({"silver.interactions_clean": 4}, TOUCHED),
        ({"silver.customers_clean": 4}, ACCOUNTS),
        ({"silver.stage_changes_clean": 4}, {"stage_history", "deal_changes", "sales_summary", *ACCOUNTS}),
        ({"silver.products_clean": 4}, {"deals"}),
        ({"silver.owners_clean": 4}, ACCOUNTS),
        ({"gold.attribution": 4}, {"attribution", "channel_performance"}),
        ({"gold.customer_features": -1}, ACCOUNTS),
        ({"gold.lead_scores": 4}, set()),
    ],
)
def test_what_a_changed_table_rebuilds(lake, changed, tables):
    last = recorded(now(lake).document(DAY))
    lake.update(changed)
    assert set(rebuilt(now(lake, last=last))) == tables


def test_tables_of_optional_entities_are_made_where_these_are_there(lake):
    there = frozenset({"silver.quotas_clean", "silver.contacts_clean"})
    last = recorded(now(lake).document(DAY))
    found = rebuilt(replace(now(lake, last=last), there=there))
    assert found == dict.fromkeys(
        ("attainment", "contact_activity", "identity_links"), "no run has recorded what it was computed from"
    )
    last = recorded(replace(now(lake), there=there).document(DAY))
    assert rebuilt(replace(now(lake, last=last), there=there)) == {}
    lake["silver.deal_contacts_clean"] = 4  # no table of its own, but contacts take part in deals
    assert set(rebuilt(replace(now(lake, last=last), there=there))) == {"contact_activity"}
    lake["silver.owners_clean"] = 4
    assert set(rebuilt(replace(now(lake, last=last), there=there))) == ACCOUNTS | {"attainment", "contact_activity"}


@pytest.mark.parametrize(
    ("given", "day", "tables"),
    [
        ({"as_of": {"half_life": 30}}, DAY, ALL),
        ({"": "a contract of one's own"}, DAY, ALL),
        ({"model": "2025-06-30-logistic"}, DAY, ACCOUNTS),
        ({"time_zone": "Europe/Berlin"}, DAY, {"deal_changes", "sales_summary"}),
        ({}, DAY + timedelta(days=1), ALL),
        ({"goal": DAY}, DAY, set()),  # said, and what it was anyway
        ({"refresh": True}, DAY, ALL),
    ],
)
def test_what_changed_settings_rebuild(lake, given, day, tables):
    last = recorded(now(lake).document(DAY))
    found = now(lake, last=last, **given)
    assert set(rebuilt(found, day)) == tables


def test_a_shipped_contract_is_an_input(lake, edit):
    last = recorded(now(lake).document(DAY))
    edit("contracts/stage_changes.odcs.yaml")
    found = rebuilt(now(lake, last=last))
    assert found == {
        "stage_history": "its inputs changed",
        "deal_changes": "its inputs changed",
        "customer_features": "stage_history is rebuilt",
        "score_bands": "customer_features is rebuilt",
        "top_customers": "customer_features is rebuilt",
        "deals": "customer_features is rebuilt",
        "sales_summary": "deal_changes is rebuilt",
    }


def test_the_code_of_a_model_is_an_input_where_there_is_a_model(lake, edit):
    last = recorded(now(lake, model="one").document(DAY))
    assert rebuilt(now(lake, model="one", last=last)) == {}
    edit("scoring/predict.py")
    found = rebuilt(now(lake, model="one", last=last))
    assert found["deals"] == found["customer_features"] == "its inputs changed"
    assert set(found) == ACCOUNTS


def test_the_day_is_known_only_while_no_table_with_events_has_changed(lake):
    last = recorded(now(lake).document(DAY))
    assert now(lake, last=last).known_day() == DAY
    assert now(lake, goal=DAY, last=last).known_day() is None
    lake["silver.leads_clean"] = 4
    assert now(lake, last=last).known_day() is None


def test_every_table_with_events_tells_of_a_new_day(tmp_path):
    """One of a contract's own, too, that no table of gold is computed from."""
    settings = load(None, source=str(tmp_path), lakehouse=str(tmp_path / "lakehouse"))
    work = Work(settings, NOW, lambda name, seconds: None)
    assert set(work._freshness().dated) == set(DATED)
    products = work.entities["products"]
    launched = replace(products.columns[0], name="launched_at", type="timestamp", event=True)
    work.entities = {**work.entities, "products": replace(products, columns=(*products.columns, launched))}
    assert set(work._freshness().dated) == {*DATED, "silver.products_clean"}


@pytest.mark.parametrize("text", [None, "", "a3f09c", "1234567890123456", "12e4567890123456", "null", "[]"])
def test_what_an_earlier_version_recorded_is_nothing(lake, text):
    assert recorded(text) == {}
    found = now(lake, last=recorded(text))
    assert not found.is_current()
    assert rebuilt(found) == dict.fromkeys(ALL, "no run has recorded what it was computed from")
    assert found.stale(DAY).anew


@pytest.mark.parametrize("table", ["gold.touch_totals", "gold.touch_days"])
def test_touches_are_added_only_to_what_the_last_run_left(lake, edit, table):
    last = recorded(now(lake).document(DAY))
    lake["silver.interactions_clean"] = 4
    assert now(lake, last=last).stale(DAY).tables[table] == "its inputs changed"
    assert not now(lake, last=last).stale(DAY).anew
    assert now(lake, last=last, refresh=True).stale(DAY).anew
    assert now(Versions({**lake, table: 4}), last=last).stale(DAY).anew
    edit(f"{table.replace('.', '/')}.py")
    assert now(lake, last=last).stale(DAY).anew


def test_a_package_without_its_sources_is_another_by_its_version(monkeypatch):
    read = freshness._module
    monkeypatch.setattr(freshness, "_module", lambda path: None if path.endswith(".py") else read(path))
    before = [definition(step) for step in STEPS]
    monkeypatch.setattr(freshness, "VERSION", "0.0.1")
    assert all(old != definition(step) for old, step in zip(before, STEPS, strict=True))


def shown(result):
    out, call = StringIO(), Call()
    vars(call)["screen"] = Console(file=out, width=200)
    show_result(call, result)
    return out.getvalue()


def test_what_a_run_says():
    result = Result("r", changed=True, rebuilt={"gold.deals": "its definition changed"})
    assert "No new rows; 1 table of gold rebuilt." in shown(result)
    assert "deals is rebuilt: its definition changed" in shown(result)
    assert "No new rows; gold is as it was." in shown(Result("r", changed=True))


# with the engine


def versions(lake):
    return {name: lake.version(name) for name in lake.tables()}


@pytest.fixture
def settings(own_sample):
    return load(None, source=str(ROOT / "data"), lakehouse=own_sample.root)


SCORES = "select lead_id, as_of, known_as_of, probability from gold.lead_scores order by all"
DEALS = "select * from gold.deals order by lead_id"
LATER = NOW + timedelta(days=1)


def test_a_run_rebuilds_what_changed_and_nothing_else(own_sample, settings, edit, rows):
    before, given = versions(own_sample), rows(own_sample, SCORES)
    edit("gold/attribution.py")
    result = pipeline.run(settings, LATER)
    assert result.rebuilt == {
        "gold.attribution": "its definition changed",
        "gold.channel_performance": "its definition changed",
    }
    changed = {name for name, version in versions(own_sample).items() if version != before[name]}
    assert changed == {"gold.attribution", "gold.channel_performance", "ops.manifests", "ops.proofs", "ops.runs"}
    assert rows(own_sample, SCORES) == given
    assert not pipeline.run(settings, LATER + timedelta(days=1)).changed


@pytest.mark.slow
def test_a_full_refresh_rebuilds_everything_and_keeps_every_score(own_sample, settings, rows):
    before, given, deals = versions(own_sample), rows(own_sample, SCORES), rows(own_sample, DEALS)
    result = pipeline.run(settings, LATER, full_refresh=True)
    assert result.rebuilt == {step.table: "a full refresh was asked for" for step in possible(())}
    assert all(own_sample.version(step.table) > before[step.table] for step in possible(()))
    after = rows(own_sample, SCORES)
    assert [row for row in after if row in given] == given
    assert len(after) == 2 * len(given) > 0
    assert rows(own_sample, DEALS) == deals
    assert not pipeline.run(settings, LATER + timedelta(days=1)).changed


@pytest.mark.slow
def test_a_lakehouse_of_an_earlier_version_is_rebuilt_once(own_sample, settings, spark):
    from medallion.lakehouse import store

    runs = store.read(spark, own_sample, "ops.runs").toPandas().assign(fingerprint="1234567890123456")
    store.replace(spark.createDataFrame(runs, store.read(spark, own_sample, "ops.runs").schema), own_sample, "ops.runs")
    assert set(pipeline.run(settings, LATER).rebuilt) == {step.table for step in possible(())}
    assert not pipeline.run(settings, LATER + timedelta(days=1)).changed


@pytest.mark.slow
@pytest.mark.parametrize("edited_back", [False, True])
def test_a_run_that_is_killed_between_two_tables(own_sample, settings, edit, monkeypatch, rows, edited_back):
    half = importlib.import_module("medallion.pipeline.silver_to_gold")
    write, deals = half._write, rows(own_sample, DEALS)

    def killed(context, step, contract, *given):
        written = write(context, step, contract, *given)
        if contract.name == "gold.customer_features":
            raise KeyboardInterrupt
        return written

    with monkeypatch.context() as patch:
        patch.setattr(half, "_write", killed)
        edit("features/derived.py")
        with pytest.raises(KeyboardInterrupt):
            pipeline.run(settings, LATER)
    if edited_back:
        monkeypatch.undo()
    result = pipeline.run(settings, LATER + timedelta(days=1))
    assert "rolled back" in result.recovered[0]
    why = "it is not as the last run left it" if edited_back else "its definition changed"
    assert result.rebuilt["gold.customer_features"] == why
    assert {name.removeprefix("gold.") for name in result.rebuilt} == ACCOUNTS
    assert rows(own_sample, DEALS) == deals


@pytest.mark.slow
def test_gold_after_it_was_restored_deleted_or_written_by_something_else(own_sample, settings, rows):
    from medallion.care import restore

    deals = rows(own_sample, DEALS)
    restore.apply(own_sample, "0", "gold.deals")  # when it had no rows
    shutil.rmtree(own_sample.path("gold.top_customers"))
    result = pipeline.run(settings, LATER, stages=[pipeline.SILVER_TO_GOLD])  # `medallion score`
    assert result.rebuilt == {
        "gold.deals": "it is not as the last run left it",
        "gold.top_customers": "it does not exist",
    }
    assert rows(own_sample, DEALS) == deals


#: What takes a while to load, and a run with nothing new has no need of.
_HEAVY = ("pyspark", "pandas", "pyarrow.dataset", "pyarrow.compute", "rapidfuzz", "charset_normalizer")


@pytest.fixture
def copied_package(own_sample, settings, tmp_path):
    """Another source of the package, and the command `medallion run` with it, in another process."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    # without what this process's own session has noted there
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SPARK_")}
    environment |= {"PYTHONPATH": str(tmp_path / "src"), "PYTHONDONTWRITEBYTECODE": "1"}

    def medallion_run():
        arguments = ["run", "--source", settings.source, "--lakehouse", own_sample.root]
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "medallion", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout, {name for name in _HEAVY if re.search(rf"\| +{name}$", done.stderr, re.MULTILINE)}

    return tmp_path / "src" / "medallion", medallion_run


@pytest.mark.slow
def test_an_edited_feature_is_in_the_table_after_the_next_run(own_sample, copied_package, rows):
    package, medallion_run = copied_package
    module = package / "features" / "touches.py"
    minutes = "select customer_id, total_duration_minutes as n from gold.customer_features order by customer_id"
    before, there = rows(own_sample, minutes), versions(own_sample)
    output, loaded = medallion_run()
    assert "Nothing new" in output
    assert not loaded
    text = module.read_text(encoding="utf-8")
    assert text.count('return _total("duration_minutes")') == 1
    module.write_text(text.replace('return _total("duration_minutes")', 'return _total("duration_minutes") + F.lit(7)'))
    output, loaded = medallion_run()
    assert "pyspark" in loaded
    assert "customer_features is rebuilt: its definition changed" in output
    assert "deals is rebuilt: customer_features is rebuilt" in output
    assert [row["n"] for row in rows(own_sample, minutes)] == [row["n"] + 7 for row in before]
    changed = {name for name, version in versions(own_sample).items() if version != there[name]}
    assert changed - {"ops.manifests", "ops.proofs", "ops.runs", "gold.lead_scores"} == {
        f"gold.{name}" for name in ACCOUNTS
    }
    assert "Nothing new" in medallion_run()[0]


@pytest.mark.slow
def test_a_table_of_gold_is_one_module_and_one_line(own_sample, copied_package, rows):
    package, medallion_run = copied_package
    (package / "gold" / "open_by_source.py").write_text(OPEN_BY_SOURCE)
    steps = package / "gold" / "__init__.py"
    line = '    Step("gold.open_by_source", ("gold.deals",)),\n'
    text = steps.read_text(encoding="utf-8")
    first = '    Step("gold.top_customers"'
    assert text.count(first) == 1
    steps.write_text(text.replace(first, line + first))
    there = versions(own_sample)
    output, _ = medallion_run()
    assert "open_by_source is rebuilt: it does not exist" in output
    written = versions(own_sample)
    assert {name for name, version in written.items() if version != there.get(name)} == {
        "gold.open_by_source",
        "ops.manifests",
        "ops.proofs",
        "ops.runs",
    }
    expected = "select source, count(*) as n from gold.deals where status = 'open' group by source order by source"
    assert rows(own_sample, "select source, n from gold.open_by_source order by source") == rows(own_sample, expected)
    assert "Nothing new" in medallion_run()[0]


OPEN_BY_SOURCE = """
from pyspark.sql import functions as F

from medallion.contracts import Column, Table


def contract():
    source, n = Column("source", "string", "Where the deals came from."), Column("n", "bigint", "Open deals.", "deals")
    return Table("gold.open_by_source", "one row per source", "Open deals by source.", ("source",), (source, n))


def open_by_source(deals):
    return deals.filter(F.col("status") == "open").groupBy("source").agg(F.count(F.lit(1)).alias("n"))
"""
