"""Features of a user's own: modules that config.yaml names add columns to gold.customer_features."""

from __future__ import annotations

import sys

import pytest

from conftest import NOW
from medallion import query
from medallion.config import load
from medallion.errors import ContractError, MedallionError
from medallion.features import OWN
from medallion.pipeline import extensions

HEAD = "from pyspark.sql import functions as F\nfrom medallion.features import OWN\n\n\n"
DEFINED = """@OWN.add("double", "USD")
def won_value_per_touch(won_value, interactions):
    \"\"\"Revenue per touch of the account; null without touches.\"\"\"
    return F.when(interactions > 0, won_value.cast("double") / interactions)


@OWN.add("boolean")
def is_worth_a_visit(won_value_per_touch, win_rate):
    \"\"\"Whether each touch brought more than 10,000, and half of the closed deals were won.\"\"\"
    return (won_value_per_touch > 10_000) & (win_rate >= 0.5)
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module of features into the working folder; gives the settings that name it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def written(text, name="my_features"):
        (tmp_path / f"{name}.py").write_text(HEAD + text)
        return load(None, features=(name,))

    yield written
    OWN.clear()
    extensions.texts.clear()
    sys.modules.pop("my_features", None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (DEFINED.replace("win_rate)", "win_rat)"), "is_worth_a_visit reads 'win_rat', which is no feature"),
        (DEFINED.replace("won_value_per_touch(won_value", "won_value_per_touch(is_worth_a_visit, won_value"), "in a circle"),
        ('@OWN.add("double")\ndef win_rate(won_value):\n    """Mine."""\n    return won_value\n', "win_rate: there is a column"),
        ('@OWN.add("double")\ndef Win_Rate(won_value):\n    """Mine."""\n    return won_value\n', "Win_Rate: there is a column"),
        ('@OWN.add("dubble")\ndef mine(won_value):\n    """Mine."""\n    return won_value\n', "'dubble' is no type"),
        ('@OWN.add("double")\ndef mine(won_value):\n    return won_value\n', "mine: has no docstring"),
    ],
)  # fmt: skip
def test_what_cannot_be_computed_is_refused_when_it_is_loaded(module, text, says):
    with pytest.raises(MedallionError) as error:
        extensions.load(module(text))
    assert says in error.value.problem
    assert error.value.remedy


@pytest.mark.parametrize("text", ["import nothing_of_that_name\n", "1 / 0\n"])
def test_a_module_that_cannot_be_imported_is_named(module, text):
    with pytest.raises(ContractError, match="features: my_features cannot be imported: "):
        extensions.load(module(text))


def test_another_run_of_the_process_has_its_own_features_and_no_others(module):
    settings = module(DEFINED)
    extensions.load(settings)
    assert [one.name for one in OWN] == ["won_value_per_touch", "is_worth_a_visit"]
    first = dict(extensions.texts)
    module(DEFINED.replace("10_000", "20_000"))
    extensions.load(settings)
    assert [one.name for one in OWN] == ["won_value_per_touch", "is_worth_a_visit"]
    assert extensions.texts != first
    assert 20_000 in OWN[1].function.__code__.co_consts
    extensions.load(settings.model_copy(update={"features": ()}))
    assert (list(OWN), extensions.texts) == ([], {})


@pytest.mark.slow
def test_own_features_are_columns_of_gold(module, own_sample):
    from medallion import pipeline
    from medallion.care import doctor, erasure

    settings = module(DEFINED).model_copy(
        update={"lakehouse": own_sample.root, "source": str(own_sample.root) + "/../none"}
    )
    result = pipeline.run(settings, NOW, stages=[pipeline.SILVER_TO_GOLD])
    assert result.rebuilt["gold.customer_features"] == "its definition changed"
    with query.connect(own_sample, only={"gold.customer_features"}) as connection:
        rows = query.rows(
            connection,
            "select customer_id, won_value, interactions, win_rate, won_value_per_touch, is_worth_a_visit from gold.customer_features",
        )
    assert any(row["is_worth_a_visit"] for row in rows)
    for row in rows:
        expected = float(row["won_value"]) / row["interactions"] if row["interactions"] else None
        assert row["won_value_per_touch"] == pytest.approx(expected)
    assert not [one for one in doctor.examine(settings) if one.state == doctor.BROKEN]
    assert not pipeline.run(settings, NOW, stages=[pipeline.SILVER_TO_GOLD]).changed
    OWN.clear()  # as in another process
    erasure.forget(settings, "C004", "asked for it", "me", NOW)
    columns = {field.name for field in own_sample.delta("gold.customer_features").schema().fields}
    assert "won_value_per_touch" in columns, "an erasure computes gold as a run does"
    without = settings.model_copy(update={"features": ()})
    assert (
        pipeline.run(without, NOW, stages=[pipeline.SILVER_TO_GOLD]).rebuilt["gold.customer_features"]
        == "its definition changed"
    )
    assert "won_value_per_touch" not in {
        field.name for field in own_sample.delta("gold.customer_features").schema().fields
    }
