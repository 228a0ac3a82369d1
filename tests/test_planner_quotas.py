"""Questions about quotas and teams, in a lakehouse that has them."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import duckdb
import pytest
from test_planner import LAST, TABLES, Quick, swallowed, told

from medallion import contracts
from medallion.agent.answer import verdict
from medallion.agent.planner import Declined, Planner
from medallion.agent.planner.slots import Rows
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


_COVERED = "open_value_due in this quarter + quota_coverage,quota_gap,quota in this quarter"
UNDERSTOOD = {
    # a quota without a time is that of this quarter
    "which reps are above their quota": "quota_attainment by owner in this quarter having value > '100%'",
    "quota attainment by quarter": "quota_attainment by time:quarter",
    # by whom
    "who hit quota this quarter": "quota_attainment by owner in this quarter having value >= '100%'",
    "which teams hit quota": "team_quota_attainment by team in this quarter having value >= '100%'",
    "which reps did not hit quota": "quota_attainment by owner in this quarter having value < '100%'",
    "who hit quota this quarter and who didn't?": "quota_attainment,quota_gap by owner in this quarter order -quota_attainment",
    "wer hat die Quote erreicht und wer nicht": "quota_attainment,quota_gap by owner in this quarter order -quota_attainment",
    "qui a atteint son quota ce trimestre et qui ne l'a pas fait ?": "quota_attainment,quota_gap by owner in this quarter order -quota_attainment",
    "¿quién alcanzó la cuota este trimestre y quién no?": "quota_attainment,quota_gap by owner in this quarter order -quota_attainment",
    "who is short and by how much": "quota_attainment,quota_gap by owner in this quarter having quota_attainment < '100%'",
    # who is first and last of those
    "who is furthest behind quota": "quota_attainment by owner in this quarter order quota_attainment limit 1",
    "which rep is most ahead of quota last quarter": "quota_attainment by owner in last quarter order -quota_attainment limit 1",
    "who's closest to target": "quota_attainment by owner in this quarter having value < '100%' order -quota_attainment limit 1",
    # in some quarter of a year
    "did Ben Haddad ever hit his quota last year": "quota_attainment by time:quarter where owner = 'Ben Haddad' in last year",
    "hat Ben Haddad letztes Jahr irgendwann seine Quote geschafft": "quota_attainment by time:quarter where owner = 'Ben Haddad' in last year",
    # of one rep, and of a team
    "how far is Ben Haddad from his quota": "quota_gap,quota,quota_attainment where owner = 'Ben Haddad' in this quarter",
    "wie weit ist Ben Haddad von seiner Quote entfernt": "quota_gap,quota,quota_attainment where owner = 'Ben Haddad' in this quarter",
    "combien manque-t-il à Ben Haddad pour atteindre son quota": "quota_gap,quota,quota_attainment where owner = 'Ben Haddad' in this quarter",
    "¿cuánto le falta a Ben Haddad para llegar a su cuota?": "quota_gap,quota,quota_attainment where owner = 'Ben Haddad' in this quarter",
    "did Ben Haddad hit his quota last quarter": "quota_gap,quota,quota_attainment where owner = 'Ben Haddad' in last quarter",
    # by other names, and of a team
    "which reps missed their target": "quota_attainment by owner in this quarter having value < '100%'",
    "Welche Vertriebler haben ihr Ziel nicht erreicht?": "quota_attainment by owner in this quarter having value < '100%'",
    "Quels commerciaux n'ont pas atteint leur objectif ce trimestre ?": "quota_attainment by owner in this quarter having value < '100%'",
    "¿Qué vendedores no alcanzaron su objetivo?": "quota_attainment by owner in this quarter having value < '100%'",
    "How is the West team doing against its quota this quarter?": "team_quota,team_quota_attainment where team = West in this quarter",
    # whether what is open covers it
    "do we have enough pipeline to make our quota": _COVERED,
    "reicht die Pipeline für die Quote": _COVERED,
    "avons-nous assez de pipeline pour atteindre le quota": _COVERED,
    "¿tenemos suficiente pipeline para alcanzar la cuota?": _COVERED,
    "do we have enough pipeline to make q3 quota": "open_value_due in 2025-Q3",
    # beside what was won, and missed by how much
    "quota vs won in the first half of 2025": "quota_gap,quota,quota_attainment in 2025-01-01 to 2025-06-30",
    "won vs quota this year": "quota_gap,quota,quota_attainment in this year",
    "who missed their quota by more than half last quarter": "quota_attainment by owner in last quarter having value < '50%'",
    "who missed by more than half": "quota_attainment by owner in this quarter having value < '50%'",
    "wer hat die Quote um mehr als die Hälfte verfehlt": "quota_attainment by owner in this quarter having value < '50%'",
    # who leads whom, and teams with nothing
    "who leads West": "total_leads by owner_manager where owner_team = West",
    "who is Ben Haddad's manager": "total_leads by owner_manager where owner = 'Ben Haddad'",
    "wer ist der Vorgesetzte von Ben Haddad": "total_leads by owner_manager where owner = 'Ben Haddad'",
    "qui dirige West": "total_leads by owner_manager where owner_team = West",
    "quién es el jefe de Ben Haddad": "total_leads by owner_manager where owner = 'Ben Haddad'",
    "which team won nothing in March": "won_leads,lost_leads,total_leads by owner_team in 2025-03 having won_leads = 0",
    # why one was missed: the figures, which show whether it was
    "why did Ben Haddad miss his quota": "quota_gap,quota,quota_attainment where owner = 'Ben Haddad' in this quarter",
    "why did we miss quota last quarter": "quota_gap,quota,quota_attainment in last quarter",
    "warum hat Ben Haddad seine Quote verfehlt": "quota_gap,quota,quota_attainment where owner = 'Ben Haddad' in this quarter",
    "pourquoi Ben Haddad a-t-il manqué son quota": "quota_gap,quota,quota_attainment where owner = 'Ben Haddad' in this quarter",
    "¿por qué Ben Haddad no alcanzó su cuota?": "quota_gap,quota,quota_attainment where owner = 'Ben Haddad' in this quarter",
    "is Ben Haddad on track": "pipeline forecast: period 2025-Q2, owner Ben Haddad",
    "How far is Ben Haddad's team on its quota this quarter": "team_quota,team_quota_attainment where team = West in this quarter",
    "wie weit ist das Team von Ben Haddad von der Quote entfernt": "team_quota,team_quota_attainment where team = West in this quarter",
    "win rate of Ben Haddad's team": "win_rate where owner_team = West",
    "Umsatz von Ben Haddads Team": "revenue where owner_team = West",
    "chiffre d'affaires de l'équipe de Ben Haddad": "revenue where owner_team = West",
    "ingresos del equipo de Ben Haddad": "revenue where owner_team = West",
}  # fmt: skip


@pytest.mark.parametrize("question", UNDERSTOOD)
def test_what_is_understood_of_quotas_and_teams(planner, question):
    assert told(planner.understand(question)) == UNDERSTOOD[question]


@pytest.mark.parametrize(
    ("dialog", "expected"),
    [
        (["Which reps missed their quota last quarter?", "by how much?"], "quota_attainment,quota_gap by owner in last quarter having quota_attainment < '100%'"),
        (["wer hat letztes Quartal seine Quote verfehlt", "um wie viel?"], "quota_attainment,quota_gap by owner in last quarter having quota_attainment < '100%'"),
        (["how is Ben Haddad doing this quarter", "and the others in his team?"], "revenue,won_leads,win_rate,average_won_value by owner where owner_team = West and owner != 'Ben Haddad' in this quarter"),
        (["revenue of Ben Haddad", "and his team"], "revenue where owner_team = West"),
        (["revenue of Ben Haddad this quarter", "her quota?"], "quota where owner = 'Ben Haddad' in this quarter"),
        (["revenue of Ben Haddad this quarter", "so where does that leave her against quota"], "quota_attainment where owner = 'Ben Haddad' in this quarter"),
        (["revenue this quarter", "did I hit my quota"], "quota_gap,quota,quota_attainment where owner = 'Tess Nair' in this quarter"),
        (["revenue in May", "so where does that leave me against quota for the quarter"], "quota_attainment where owner = 'Tess Nair' in this quarter"),
    ],
)  # fmt: skip
def test_a_quota_goes_on_from_the_rep_before(planner, dialog, expected):
    before, mine = None, Planner(planner.serving, "Tess Nair")
    for question in dialog:
        before = mine.understand(question, before)
    assert told(before) == expected


def test_who_owns_no_deal_is_in_a_team_too(planner):
    assert planner.names.team("Ann Lee").owners == ("Ann Lee", "Ben Haddad")
    assert told(Planner(planner.serving, "Ann Lee").understand("touches of my team")) == (
        "touches where owner in ('Ann Lee', 'Ben Haddad')"
    )


def test_who_of_those_before_made_it(planner):
    first = planner.understand("Which reps missed their quota last quarter?")
    rows = Rows("owner", ("Ben Haddad", "Tess Nair"))
    before = replace(first, slots=replace(first.slots, rows=rows))
    both = "where owner in ('Ben Haddad', 'Tess Nair') in this quarter"
    for question in ("and did any of them make it this quarter", "haben es welche von ihnen dieses Quartal geschafft"):
        assert told(planner.understand(question, before)) == f"quota_attainment by owner {both} having value >= '100%'"
    assert isinstance(planner.understand("did any of them make it", planner.understand("revenue by owner")), Declined)


@pytest.mark.parametrize(
    "question",
    [
        "who will hit quota",
        "why did Ben Haddad and Tess Nair miss their quota",
        "why did Ben Haddad hit his quota",
        "did all reps hit quota",
        "revenue of Ben Haddad and Tess Nair's team",
        "which team is Ben Haddad in",
        "his team",
        "the others in his team",
        "by how much?",
        "revenue for the month before",
        "short deals",
        "who never hit quota",
        "will my team hit quota",
        "revenue of Ben Haddad's team vs Tess Nair's team",
    ],
)
def test_what_is_near_to_a_question_about_quotas_or_teams_is_asked_back(planner, question):
    found = planner.understand(question)
    assert isinstance(found, Declined), told(found)


def test_owners_without_any_deal_are_named_where_those_who_won_nothing_are_asked_for(planner):
    assert planner.understand("who won nothing this quarter").notes == ("Owners without any deal: Ann Lee.",)


def test_a_time_without_a_quota_is_said_to_have_none(planner):
    understood = planner.understand("do we have enough pipeline to make q3 quota")
    assert "There is no quota for 2025-07-01 to 2025-09-30" in understood.notes[0]
    assert not planner.understand("do we have enough pipeline to make our quota").notes


@pytest.mark.parametrize("number", [100, pytest.param(1000, marks=[pytest.mark.slow, pytest.mark.nightly])])
def test_a_word_that_matters_changes_a_question_about_quotas_or_declines_it(planner, monkeypatch, number):
    monkeypatch.setattr(Planner, "closest", lambda self, text: ("another question",))
    assert swallowed(planner, number, UNDERSTOOD) == []


@pytest.mark.parametrize(("attained", "says"), [(1.2, "The quota was not missed."), (0.6, ""), (None, "")])
def test_a_quota_that_was_not_missed_is_told_to_who_asks_why(planner, attained, says):
    asked = planner.understand("why did Ben Haddad miss his quota")
    assert verdict(asked, [SimpleNamespace(rows=[{"quota_attainment": attained}])]) == says
    assert "not computed" in asked.notes[0]


_SHORT = "quota_attainment,quota_gap by owner in last quarter having quota_attainment < '100%'"


@pytest.mark.parametrize(
    ("dialog", "expected"),
    [
        (["which reps missed their quota last quarter", "how far is Ben Haddad from quota"],
         "quota_gap,quota,quota_attainment where owner = 'Ben Haddad' in last quarter"),
        (["how much did Ben Haddad win last quarter", "did he hit his quota"],
         "quota_gap,quota,quota_attainment where owner = 'Ben Haddad' in last quarter"),
        (["deals lost last quarter", "who missed quota"], "quota_attainment by owner in last quarter having value < '100%'"),
        (["revenue by owner last quarter", "quota attainment by quarter"], "quota_attainment by time:quarter"),
        (["which reps missed their quota last quarter", "how much is each short"], _SHORT),
        (["Welche Vertriebler haben letztes Quartal ihr Ziel nicht erreicht?", "wie viel fehlt jedem"], _SHORT),
        (["Quels commerciaux n'ont pas atteint leur objectif le trimestre dernier ?", "Combien manque-t-il à chacun ?"], _SHORT),
        (["¿Qué vendedores no alcanzaron su objetivo el trimestre pasado?", "¿cuánto le falta a cada uno?"], _SHORT),
    ],
)  # fmt: skip
def test_quotas_are_of_the_time_that_was_asked_for(planner, dialog, expected):
    before = None
    for question in dialog:
        before = planner.understand(question, before)
    assert told(before) == expected
