"""Questions about quotas and teams, in a lakehouse that has them."""

from __future__ import annotations

import duckdb
import pytest
from test_planner import LAST, TABLES, Quick, mutations, told

from medallion import contracts
from medallion.agent.planner import Planner
from medallion.contracts import own

OF_QUOTAS = """
create table silver.owners_clean as select * from (values ('Tess Nair', 'North'), ('Ben Haddad', 'West'), ('Ann Lee', 'West')) t(owner_name, team);
create or replace table gold.deals as select d.*, o.team as owner_team, 'Rae Boss' as owner_manager
  from gold.deals d left join silver.owners_clean o on o.owner_name = d.owner;
create table gold.attainment as select * from (values
  ('owner', 'Tess Nair', date '2025-04-01', 1000.00, 400.00, 900.00), ('owner', 'Ben Haddad', date '2025-04-01', 500.00, 600.00, 300.00),
  ('team', 'West', date '2025-04-01', 1500.00, 1000.00, 1200.00)) t(level, who, period_start, quota, won_value, open_value);
"""


@pytest.fixture(scope="module")
def planner():
    own.bring(contracts.entities(), "a lakehouse with quotas", ("gold.attainment", "silver.owners_clean"))
    connection = duckdb.connect()
    connection.execute(TABLES)
    connection.execute(OF_QUOTAS)
    yield Planner(Quick(None, connection, {}, LAST))
    own.forget()


UNDERSTOOD = {
    # a quota without a time is that of this quarter
    "which reps are above their quota": "quota_attainment by owner in this quarter having value > '100%'",
    "quota attainment by quarter": "quota_attainment by time:quarter",
}  # fmt: skip


@pytest.mark.parametrize("question", UNDERSTOOD)
def test_what_is_understood_of_quotas_and_teams(planner, question):
    assert told(planner.understand(question)) == UNDERSTOOD[question]


@pytest.mark.parametrize("number", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_a_word_that_matters_changes_a_question_about_quotas_or_declines_it(planner, monkeypatch, number):
    monkeypatch.setattr(Planner, "closest", lambda self, text: ("another question",))
    swallowed = [
        (question, changed)
        for question, changed in mutations(planner, number, UNDERSTOOD)
        if told(planner.understand(changed), notes=True) == told(planner.understand(question), notes=True)
    ]
    assert swallowed == []
