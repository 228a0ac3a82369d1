"""Who called whom: touches of ours went out, those of theirs came in."""

from __future__ import annotations

import duckdb
import pytest
from test_planner import LAST, TABLES, Quick, told

from medallion.agent.planner import Planner


@pytest.fixture(scope="module")
def planner():
    connection = duckdb.connect()
    connection.execute(TABLES)
    return Planner(Quick(None, connection, {}, LAST))


_IN = "channel = call and direction = inbound"
_OUT = "channel = call and direction = outbound"
_LIST = "list interactions where {} and customer_id = C004"
_BY = "touches by customer_id, customer_name where {} in last week"

DIRECTED = {
    # of one account
    "has Lumen Works called us": _LIST.format(_IN),
    "did Lumen Works call us this year": f"{_LIST.format(_IN)} and date = 'this year'",
    "hat uns Lumen Works dieses Jahr angerufen": f"{_LIST.format(_IN)} and date = 'this year'",
    "Lumen Works nous a appelés cette année ?": f"{_LIST.format(_IN)} and date = 'this year'",
    "¿nos ha llamado Lumen Works este año?": f"{_LIST.format(_IN)} and date = 'this year'",
    "how often has Lumen Works called us this year": f"touches where {_IN} and customer_id = C004 in this year",
    "have we called Lumen Works": _LIST.format(_OUT),
    "did we call Lumen Works this year": f"{_LIST.format(_OUT)} and date = 'this year'",
    "haben wir Lumen Works dieses Jahr angerufen": f"{_LIST.format(_OUT)} and date = 'this year'",
    "has anybody called Lumen Works this year": f"{_LIST.format(_OUT)} and date = 'this year'",
    "when did Lumen Works last call us": "list interactions where direction = inbound and channel = call and customer_id = C004 order -date limit 1",
    "when did we last call Lumen Works": "list interactions where direction = outbound and channel = call and customer_id = C004 order -date limit 1",
    "when was the last call with Lumen Works": "list interactions where channel = call and customer_id = C004 order -date limit 1",
    # of all
    "which customers called us last week": _BY.format(_IN),
    "who called us last week": _BY.format(_IN),
    "welche Kunden haben uns letzte Woche angerufen": _BY.format(_IN),
    "wer hat uns letzte Woche angerufen": _BY.format(_IN),
    "quels clients nous ont appelés la semaine dernière": _BY.format(_IN),
    "qué clientes nos llamaron la semana pasada": _BY.format(_IN),
    "which customers emailed us last week": _BY.format("channel = email and direction = inbound"),
    "which customers have we heard from in May": "touches by customer_id, customer_name where direction = inbound in 2025-05",
    "which customers talked to us in May": "touches by customer_id, customer_name in 2025-05",
    "which customers did we call last week": _BY.format(_OUT),
    "show me which customers we called last week": _BY.format(_OUT),
    "which customers were called by us last week": _BY.format(_OUT),
    "welche Kunden haben wir letzte Woche angerufen": _BY.format(_OUT),
    "quels clients avons-nous appelés la semaine dernière": _BY.format(_OUT),
    "qué clientes hemos llamado la semana pasada": _BY.format(_OUT),
    "who called us most last month": "touches by customer_id, customer_name where direction = inbound and channel = call in last month order -touches limit 1",
    "who called most last month": "touches by owner where direction = outbound and channel = call in last month order -touches limit 1",
    "which customers did we email last week": "touches by customer_id, customer_name where direction = outbound and channel = email in last week",
    "welche Kunden wurden letzte Woche angerufen": _BY.format(_OUT),
    # not read
    "welche Kunden haben letzte Woche angerufen": "? ",
    "quels clients ont appelé la semaine dernière": "? ",
    "quels clients m'ont appelé la semaine dernière": "? ",
    "qué clientes llamaron la semana pasada": "? ",
    "who called Lumen Works": "? I do not understand 'called'",
    "which reps called us": "? I do not understand 'called'",
    "which customers have not called us this month": "? I do not understand 'not', 'called'",
    "have we been called by Lumen Works": "? I do not understand 'by'",
}  # fmt: skip


@pytest.mark.parametrize("question", DIRECTED)
def test_who_called_whom(planner, question):
    asked, expected = told(planner.understand(question)), DIRECTED[question]
    assert asked.startswith(expected) if expected.startswith("? ") else asked == expected


@pytest.mark.parametrize(
    ("question", "where"),
    [
        ("how many customers called us this month", "inbound"),
        ("wie viele Kunden haben uns diesen Monat angerufen", "inbound"),
        ("combien de clients nous ont appelés ce mois-ci", "inbound"),
        ("cuántos clientes nos llamaron este mes", "inbound"),
        ("how many accounts did we call this month", "outbound"),
        ("wie viele Kunden haben wir diesen Monat angerufen", "outbound"),
    ],
)
def test_accounts_that_called_are_counted_once_each(planner, question, where):
    [intent] = planner.understand(question).asked
    asked = intent.arguments["asked"]
    assert intent.tool == "number_of"
    assert [split.name for split in asked.by] == ["customer_id", "customer_name"]
    assert [str(part) for part in asked.where] == ["channel = call", f"direction = {where}"]
    assert (asked.period, [str(part) for part in asked.having]) == ("this month", ["value > 0"])
