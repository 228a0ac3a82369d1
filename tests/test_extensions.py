"""What a user's own modules add: columns of gold.customer_features, and tables of gold."""

from __future__ import annotations

import json
import os
import sys
from datetime import timedelta
from itertools import count
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from typer.testing import CliRunner

from conftest import NOW
from medallion import query
from medallion.care import doctor
from medallion.cli import app
from medallion.config import load
from medallion.errors import ConservationError, ContractError, MedallionError
from medallion.features import OWN
from medallion.gold import OWN_STEPS, STEPS, Step
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import extensions, freshness, silver_to_gold

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
    OWN_STEPS.clear()
    extensions.texts.clear()
    for name in ("my_features", "open_tickets", "deals", "mine", "mine.open_tickets", "mine.limits"):
        sys.modules.pop(name, None)


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
    from medallion.care import erasure

    settings = module(DEFINED).model_copy(
        update={"lakehouse": own_sample.root, "source": str(own_sample.root) + "/../none"}
    )
    hours = (NOW + timedelta(hours=hour) for hour in count(1))  # the last run is that of the latest time
    result = pipeline.run(settings, next(hours), stages=[pipeline.SILVER_TO_GOLD])
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
    assert not pipeline.run(settings, next(hours), stages=[pipeline.SILVER_TO_GOLD]).changed
    OWN.clear()  # as in another process
    erasure.forget(settings, "C004", "asked for it", "me", next(hours))
    columns = {field.name for field in own_sample.delta("gold.customer_features").schema().fields}
    assert "won_value_per_touch" in columns, "an erasure computes gold as a run does"
    without = settings.model_copy(update={"features": ()})
    assert (
        pipeline.run(without, next(hours), stages=[pipeline.SILVER_TO_GOLD]).rebuilt["gold.customer_features"]
        == "its definition changed"
    )
    assert "won_value_per_touch" not in {
        field.name for field in own_sample.delta("gold.customer_features").schema().fields
    }


TICKETS = """
from pyspark.sql import functions as F

from medallion.contracts import Column, Table

INPUTS = ("silver.customers_clean", "silver.tickets_clean", "as_of")


def contract():
    return Table(
        name="gold.open_tickets",
        grain="one row per customer with an open ticket",
        description="Tickets that wait.",
        key=("customer_id",),
        columns=(
            Column("customer_id", "string", "The account."),
            Column("customer_name", "string", "Its name."),
            Column("open_tickets", "bigint", "How many wait.", "tickets"),
        ),
    )


def open_tickets(customers, tickets, as_of):
    counted = tickets.filter(F.col("state") == "open").groupBy("customer_id").agg(F.count(F.lit(1)).alias("open_tickets"))
    return customers.join(counted, on="customer_id", how="inner").select("customer_id", "customer_name", "open_tickets")
"""
ENTITY = """kind: DataContract
apiVersion: v3.1.0
id: tickets
version: 1.0.0
status: active
schema:
  - name: tickets
    customProperties:
      - property: sources
        value:
          - file: "tickets*"
            columns: {ticket_id: Id, customer_id: Account, state: State}
    properties:
      - {name: ticket_id, primaryKey: true, required: true, logicalType: string, physicalType: string}
      - {name: customer_id, logicalType: string, physicalType: string}
      - {name: state, logicalType: string, physicalType: string}
"""


def own_table(tmp_path, text, name="open_tickets", **more):
    (tmp_path / f"{name}.py").write_text(text)
    return load(None, gold=(name,), **more)


@pytest.mark.parametrize(
    ("text", "name", "says"),
    [
        (TICKETS.replace("INPUTS", "GIVEN"), "open_tickets", "open_tickets has no INPUTS"),
        (TICKETS.replace("def contract", "def agreement"), "open_tickets", "open_tickets has no contract"),
        (TICKETS, "deals", "no table can be called deals"),
        (TICKETS, "lead_scores", "no table can be called lead_scores"),
        (TICKETS, "lead_snapshots", "no table can be called lead_snapshots"),
        (TICKETS.replace('"gold.open_tickets"', '"silver.leads_clean"'), "open_tickets", "that of silver.leads_clean"),
        (TICKETS.replace("return Table(", "return dict("), "open_tickets", "gives dict, not a Table"),
        (TICKETS.replace("def contract():", "def contract():\n    1 / 0"), "open_tickets", "contract() fails: ZeroDivision"),
        (TICKETS.replace("def contract():", "def contract():\n    exit(3)"), "open_tickets", "contract() fails: SystemExit"),
        (TICKETS + "\n\ncontract = contract()\n", "open_tickets", "contract is no function"),
        (TICKETS + "\n\nopen_tickets = 3\n", "open_tickets", "open_tickets is no function"),
        (TICKETS + '\n\nINPUTS = "as_of"\n', "open_tickets", "INPUTS is 'as_of', which is no tuple"),
        (TICKETS + "\n\nINPUTS = (1,)\n", "open_tickets", "INPUTS is (1,), which is no tuple"),
        (TICKETS + '\n\nINPUTS = ("gold.open_tickets",)\n', "open_tickets", "in a circle: gold.open_tickets to gold.open_t"),
        ("import sys\nsys.exit(3)\n", "open_tickets", "open_tickets cannot be imported: SystemExit: 3"),
        (HEAD + DEFINED + TICKETS, "open_tickets", "open_tickets adds the feature won_value_per_touch"),
    ],
)  # fmt: skip
def test_a_module_that_makes_no_table_is_refused(module, tmp_path, text, name, says):
    with pytest.raises(ContractError) as error:
        extensions.load(own_table(tmp_path, text, name))
    assert says in error.value.problem
    assert error.value.remedy


def test_two_modules_cannot_make_one_table(module, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "open_tickets.py").write_text(TICKETS)
    own_table(tmp_path, TICKETS)
    with pytest.raises(ContractError, match="mine.open_tickets makes gold.open_tickets, and so does open_tickets"):
        extensions.load(load(None, gold=("open_tickets", "mine.open_tickets")))
    assert (OWN_STEPS, extensions.texts) == ([], {}), "all of it or nothing"


def test_a_table_of_ones_own_leaves_the_accounts_as_they_are(module, tmp_path):
    accounts = next(step for step in STEPS if step.table == "gold.customer_features")
    settings = module(DEFINED)
    extensions.load(settings)
    before = freshness.definition(accounts)
    own_table(tmp_path, TICKETS)
    extensions.load(settings.model_copy(update={"gold": ("open_tickets",)}))
    assert freshness.definition(accounts) == before
    own = freshness.definition(OWN_STEPS[0])
    own_table(tmp_path, TICKETS.replace("that wait", "that waited"))
    extensions.load(settings.model_copy(update={"gold": ("open_tickets",)}))
    assert (freshness.definition(accounts), freshness.definition(OWN_STEPS[0]) == own) == (before, False)


def test_the_contract_of_a_table_of_ones_own_is_part_of_its_definition(module, tmp_path, monkeypatch):
    text = TICKETS.replace('"Tickets that wait."', 'os.environ["SAID"]').replace("INPUTS", "import os\n\nINPUTS", 1)
    found = set()
    for said in ("This.", "That."):
        monkeypatch.setenv("SAID", said)
        extensions.load(own_table(tmp_path, text))
        found.add(freshness.definition(OWN_STEPS[0]))
    assert len(found) == 2


def test_a_module_is_used_as_it_is_now_and_so_is_its_package(module, tmp_path):
    package = tmp_path / "mine"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "limits.py").write_text("MOST = 1\n")
    text = "from mine.limits import MOST\n" + TICKETS.replace('"Tickets that wait."', "f'Up to {MOST}.'")
    (package / "open_tickets.py").write_text(text)
    settings = load(None, gold=("mine.open_tickets",))
    for most in (1, 2):
        (package / "limits.py").write_text(f"MOST = {most}\n")
        extensions.load(settings)
        assert OWN_STEPS[0].contract.description == f"Up to {most}."
        assert extensions.own_texts("mine.open_tickets")["mine.limits"] == f"MOST = {most}\n"
    another = tmp_path / "another"
    another.mkdir()
    (another / "open_tickets.py").write_text(TICKETS.replace("that wait", "of another folder"))
    os.chdir(another)
    extensions.load(load(None, gold=("open_tickets",)))
    assert OWN_STEPS[0].contract.description == "Tickets of another folder."


def test_a_module_of_features_and_a_table_is_imported_once(module, tmp_path):
    settings = own_table(tmp_path, HEAD + DEFINED + TICKETS, features=("open_tickets",))
    extensions.load(settings)
    assert [one.name for one in OWN] == ["won_value_per_touch", "is_worth_a_visit"]
    assert [step.table for step in OWN_STEPS] == ["gold.open_tickets"]


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("division by zero"), SystemExit(3), ConservationError("3 rows", "")]
)
def test_an_error_of_ones_own_table_names_the_module(error):
    step = Step("gold.open_tickets", (), module="mine.open_tickets")
    with pytest.raises(MedallionError, match=r"mine\.open_tickets: ") as told, silver_to_gold._of_module(step):
        raise error
    assert "the module" in told.value.remedy
    with pytest.raises(type(error)) as passed, silver_to_gold._of_module(STEPS[0]):
        raise error
    assert passed.value is error


def test_tables_of_ones_own_are_listed_with_their_grain(module, tmp_path):
    lake = Lakehouse(str(tmp_path / "lakehouse"))
    for name in ("gold.open_tickets", "silver.leads_clean"):
        write_deltalake(lake.path(name), pa.table({"customer_id": ["C1"]}))
    own_table(tmp_path, TICKETS)
    (tmp_path / "config.yaml").write_text("gold: [open_tickets]\n")
    given = ["tables", "--json", "--lakehouse", lake.root, "--config", "config.yaml"]
    listed = CliRunner().invoke(app, given, catch_exceptions=False)
    grains = {row["table"]: row["grain"] for row in json.loads(listed.stdout)}
    assert grains["gold.open_tickets"] == "one row per customer with an open ticket"
    (tmp_path / "open_tickets.py").write_text("1 / 0\n")
    listed = CliRunner().invoke(app, given, catch_exceptions=False)
    assert "open_tickets cannot be imported" in listed.stderr
    assert {row["table"] for row in json.loads(listed.stdout)} == set(grains)
    broken = load(Path("config.yaml"), lakehouse=lake.root)
    assert [one.about for one in doctor.examine(broken) if one.check == "settings"] == ["modules"]


@pytest.mark.slow
def test_an_entity_of_ones_own_reaches_gold(module, spark, tmp_path):
    from medallion import pipeline

    exports = tmp_path / "exports"
    exports.mkdir()
    (exports / "customers.csv").write_text(
        "customer_id,customer_name,created_at,updated_at\nC1,Acme,2025-01-01,2025-01-01\nC2,Bolt,2025-01-01,2025-01-01\n"
    )
    (exports / "leads.csv").write_text(
        "lead_id,customer_id,source,status,deal_value,created_at,updated_at\nL1,C1,event,open,10,2025-01-02,2025-01-02\n"
    )
    (tmp_path / "tickets.odcs.yaml").write_text(ENTITY)
    settings = own_table(
        tmp_path,
        TICKETS,
        source=str(exports),
        lakehouse=str(tmp_path / "lakehouse"),
        contracts=(tmp_path / "tickets.odcs.yaml",),
    )
    pipeline.run(settings, NOW)
    with query.connect(Lakehouse(settings.lakehouse), only={"gold.open_tickets"}) as connection:
        assert query.rows(connection, "from gold.open_tickets") == [], "no file of tickets has come"
    (exports / "tickets.csv").write_text("Id,Account,State\nT1,C1,open\nT2,C1,closed\nT3,C1,open\nT4,C2,closed\n")
    result = pipeline.run(settings, NOW.replace(year=NOW.year + 1))
    assert "gold.open_tickets" in result.rebuilt
    with query.connect(Lakehouse(settings.lakehouse), only={"gold.open_tickets"}) as connection:
        assert query.rows(connection, "from gold.open_tickets") == [
            {"customer_id": "C1", "customer_name": "Acme", "open_tickets": 2}
        ]
    wrong = TICKETS.replace("silver.tickets_clean", "silver.ticket_clean")
    sys.modules.pop("open_tickets")
    with pytest.raises(ContractError, match="open_tickets: reads 'silver.ticket_clean'") as error:
        pipeline.run(own_table(tmp_path, wrong, source=settings.source, lakehouse=settings.lakehouse), NOW)
    assert "silver.tickets_clean" in error.value.remedy
