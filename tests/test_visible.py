"""Whoever reads a lakehouse sees what is declared for them, through every reader; nobody sees another's rows by trying."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
import sqlite3
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest
from mcp.shared.memory import create_connected_server_and_client_session
from starlette.testclient import TestClient
from typer.testing import CliRunner

from medallion import access, metrics
from medallion.access import Person
from medallion.agent import drafts
from medallion.agent.answer import planned
from medallion.agent.mcp_server import server
from medallion.agent.planner import Planner
from medallion.agent.rules import Rules
from medallion.agent.serving import serve
from medallion.agent.tools import Tools
from medallion.care import explain
from medallion.care.export import export
from medallion.cli.app import app
from medallion.config import load
from medallion.dashboard import tables, words
from medallion.dashboard.export import export as as_one_file
from medallion.dashboard.safety import Door
from medallion.dashboard.web import Options, application
from medallion.errors import MedallionError
from medallion.lakehouse import query, totals, visible
from medallion.lakehouse.store import Lakehouse
from medallion.metrics.compilers.duckdb import answer
from medallion.metrics.question import Records

DECLARED = """
people:
  - {user: ann@us.example, role: rep, owner: Ann Lee}
  - {user: west, role: manager, team: west, personal: true}
  - {user: kim, role: analyst}
  - {user: root, role: admin, personal: true}
"""
ANOTHERS = ("SECRET", "Z1", "Z2", "Z3", "Z4", "Z5", "Z6", "90009", "90,009", "80008", "80,008")
REP = Person("ann@us.example", "rep", ("Ann Lee",), (), False, 1)


@pytest.fixture(scope="module")
def lake(two_reps):
    folder = Path(two_reps.root).parent
    (folder / "access.yaml").write_text(DECLARED)
    (folder / "config.yaml").write_text(f"lakehouse: {two_reps.root}\naccess: {folder / 'access.yaml'}\n")
    return two_reps


@pytest.fixture(scope="module")
def people(lake):
    return {one.user: one for one in access.read(Path(lake.root).parent / "access.yaml")}


def texts(lake, person):
    """Everything that a connection gives, table by table."""
    with query.connect(Lakehouse(lake.root, person=person), layers=("bronze", "silver", "gold", "ops")) as connection:
        names = query.readable(connection, lake.tables())
        return {name: str(connection.execute(f"select * from {name}").fetchall()) for name in names}


def holds_nothing_of_another(said, personal=False):
    said = said if isinstance(said, str) else json.dumps(said, default=str, ensure_ascii=False)
    assert said
    assert not [one for one in (*ANOTHERS, *(() if personal else ("PERSON",))) if one in said], said[:300]


def test_a_connection_has_the_rows_of_who_looks(lake, people):
    for said in texts(lake, people["ann@us.example"]).values():
        holds_nothing_of_another(said)
    assert "Shared Freight" in texts(lake, people["ann@us.example"])["gold.customer_features"]
    of_west = texts(lake, people["west"])
    assert "SECRET" in of_west["gold.deals"] + of_west["silver.contacts_clean"]
    assert "Acme" not in str(of_west)
    of_everyone = texts(lake, people["kim"])
    assert "SECRET" in str(of_everyone)
    assert "PERSON" not in str(of_everyone)
    assert not [name for name in of_everyone if name.startswith("bronze.")]
    assert texts(lake, people["root"]) == texts(lake, None)


def test_totals_are_those_of_gold_over_what_is_seen(lake, people):
    everyone = Person("max", "rep", ("Ann Lee", "max@us.example"), (), True, 1)
    whole, seen = texts(lake, None), texts(lake, everyone)
    assert all(seen[name] == whole[name] for name in totals.QUERIES)
    with query.connect(Lakehouse(lake.root, person=people["ann@us.example"])) as connection:
        last = query.rows(connection, "from gold.sales_summary order by day desc limit 1")[0]
    assert (float(last["cumulative_revenue"]), float(last["open_pipeline"]), last["cumulative_interactions"]) == (
        1000,
        5000,
        2,
    )


def test_a_name_that_two_owners_have_shows_the_deals_of_neither():
    owners = [{"owner_id": "U1", "email": None, "owner_name": "Ann Lee", "team": "East"},
              {"owner_id": "U2", "email": "a2@us.example", "owner_name": "ANN  LEE", "team": "West"}]  # fmt: skip
    assert visible.owners_of(REP, owners) == (set(), set())
    assert visible.owners_of(Person("b", "rep", ("A2@us.example",), (), False, 1), owners) == (
        {"U2"},
        {"u2", "a2@us.example"},
    )
    assert visible.owners_of(Person("c", "rep", ("Gone",), (), False, 1), owners) == (set(), {"gone"})


def tries(tools):
    """Calls of every tool of the agent, those that ask for what is another's too; what is refused is said as well."""
    every = [
        lambda: tools.call_plan(), lambda: tools.call_plan(owner="Ann Lee"), lambda: tools.call_plan(owner="Max Poole"),
        *(lambda key=key: tools.account_brief(key) for key in ("C1", "C2", "Acme")),
        *(lambda key=key: tools.explain_score(key) for key in ("L1", "C2")),
        *(lambda name=name: tools.metric_value(name) for name in metrics.metrics()),
        lambda: tools.metric_value("revenue", by=["owner"]), lambda: tools.metric_value("total_leads", by=["month"]),
        *(lambda one=one: tools.records(one, limit=500) for one in ("deals", "accounts", "interactions", "stage_changes", "channels")),
        lambda: tools.top_customers(50), tools.compare_channels, tools.pipeline_forecast,
        lambda: tools.find_customer("works"), lambda: tools.find_customer("nobody"),
        lambda: tools.run_safe_sql("select * from gold.deals"),
        lambda: tools.run_safe_sql("select * from silver.interactions_clean i left join gold.deals d on true"),
        lambda: tools.run_safe_sql("select * from seen.deals"), lambda: tools.run_safe_sql("select * from bronze.leads"),
        lambda: tools.run_safe_sql("select * from agent_gold.deals"),
    ]  # fmt: skip
    for each in every:
        try:
            found = each()
            for one in found if isinstance(found, list) else [found]:
                yield one.title, one.rows, one.note, one.count
        except (MedallionError, duckdb.Error) as error:
            yield str(error).replace("'Max Poole'", "")


@pytest.mark.parametrize("locked", [False, True])
def test_the_agent_gives_nothing_of_another(lake, people, locked):
    with lake.looking(REP), serve(lake, locked=locked) as serving:
        tools, settings = Tools(serving, Rules()), load(None).agent
        if locked:
            tools.prepare()
        said = list(tries(tools))
        assert len(said) > 60
        assert "Acme Works" in str(said)
        holds_nothing_of_another(said)
        planner = Planner(serving)
        for asked in (
            "What is the revenue by owner?",
            "Which deals are open?",
            "open deals of Max Poole",
            "total revenue",
        ):
            told = planned(tools, planner, asked).document()
            holds_nothing_of_another({name: told[name] for name in told if name != "question"})
        holds_nothing_of_another(drafts.draft(tools, settings, "C1", "call-script"))
        for key in ("Z1", "SECRET Labs"):
            with pytest.raises(MedallionError, match="there is no account") as error:
                drafts.draft(tools, settings, key, "email")
            holds_nothing_of_another(str(error.value).replace(key, ""))


def test_mcp_gives_nothing_of_another(lake):
    with lake.looking(REP), serve(lake, locked=True) as serving:
        made = server(Tools(serving, Rules()))

        async def told():
            async with create_connected_server_and_client_session(made._mcp_server) as session:
                change = {"kind": "deal", "key": "Z3", "changes": {"next_step": "call"}, "reason": "to see"}
                return [
                    await session.call_tool("records", {"entity": "deals"}),
                    await session.call_tool("run_safe_sql", {"sql": "select * from gold.customer_features"}),
                    await session.call_tool("ask", {"question": "What is the revenue by owner?"}),
                    await session.call_tool("propose_action", change),
                ]

        *read, proposed = asyncio.run(told())
        for one in read:
            assert not one.isError, one
            holds_nothing_of_another(str(one))
        assert proposed.isError
        assert "there is no deal" in str(proposed)


def test_questions_and_explanations_give_nothing_of_another(lake):
    with lake.looking(REP):
        with query.connect(lake) as connection:
            for entity in sorted(metrics.views()):
                holds_nothing_of_another(answer(connection, Records.read(entity, limit=500)).document())
            for where in ("owner = 'Max Poole'", "customer_id = Z1"):
                with pytest.raises(MedallionError):
                    answer(connection, Records.read("deals", [where]))
        with suppress(MedallionError):  # without scores
            explain.explain(load(None, lakehouse=lake.root), "Z3")
            pytest.fail("another's deal is explained")


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_exports_have_nothing_of_another(lake, tmp_path, form):
    with lake.looking(REP):
        written = export(lake, tmp_path / "out", form)
        assert {"gold.deals", "silver.contacts_clean"} <= {one["table"] for one in written}
        for name in ("bronze.leads", "silver.quarantine", "gold.touch_days"):
            with pytest.raises(MedallionError, match="no table"):
                export(lake, tmp_path / "out", form, [name])
        with pytest.raises(MedallionError, match="may not see personal data"):
            export(lake, tmp_path / "out", form, pii=True)
    with duckdb.connect() as connection:
        for file in (tmp_path / "out").iterdir():
            holds_nothing_of_another(str(connection.sql(f"select * from '{file}'").fetchall()))


def test_the_dashboard_shows_each_user_their_own(lake, people, tmp_path):
    options = Options(
        load(None, lakehouse=lake.root), Door(user_header="x-user", hosts=None), people=tuple(people.values())
    )
    with TestClient(application(options), follow_redirects=False) as client:

        def get(address, user):
            return client.get(address, headers={"x-user": user})

        addresses = [
            *(f"/{name}" for name in words.PAGES), *(f"/rows/{name}" for name in tables.TABLES),
            *(f"/rows/{name}.csv" for name in tables.TABLES), *(f"/metrics/{name}?by=owner" for name in ("revenue", "open_leads")),
            "/question?metrics=revenue&by=owner", *(f"/records/{name}" for name in ("deals", "accounts", "interactions")),
            "/customers/C1", "/customers/C2", "/rows/deals?q=SECRET", "/rows/deals?owner=Max+Poole",
        ]  # fmt: skip
        for address in addresses:
            found = get(address, "ann@us.example").text
            holds_nothing_of_another(found.replace("SECRET", "") if "SECRET" in address else found)
        assert get("/customers/Z1", "ann@us.example").status_code == 404
        assert get("/health", "ann@us.example").status_code == 403
        assert get("/pipeline", "somebody").status_code == 403
        assert "SECRET" in get("/rows/deals", "WEST").text
        assert "Acme" not in get("/rows/deals", "west").text
        assert "PERSON" in get("/customers/C2", "west").text
        assert "PERSON" not in get("/customers/C2", "kim").text
    as_one_file(load(None, lakehouse=lake.root), tmp_path / "mine.html", person=REP)
    said = re.sub(r"base64,[\w+/=]+|sha256-[\w+/=]+", "", (tmp_path / "mine.html").read_text())
    holds_nothing_of_another(said)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["records", "deals"], 1, "nothing says who you are"),
        (["records", "deals", "--me", "max"], 1, "declares no user 'max'"),
        (["records", "deals", "--me", "ANN@us.example", "--json"], 0, '"shown": 2'),
        (["insights", "--me", "ann@us.example", "--json"], 0, '"revenue": 1000'),
        (["status", "--me", "ann@us.example"], 1, "shows everyone's"),
        (["duplicates", "list", "--me", "kim"], 1, "may not see personal data"),
        (["dashboard", "--export", "x.html", "--me", "kim", "--show-pii"], 1, "may not see personal data"),
    ],
)  # fmt: skip
def test_commands_know_who_looks(lake, arguments, code, says):
    config = Path(lake.root).parent / "config.yaml"
    found = CliRunner().invoke(app, [*arguments, "--config", str(config)])
    assert (found.exit_code, says in found.output or says in str(found.exception)) == (code, True), found.output


def test_the_role_of_power_bi_knows_each_user(lake, people):
    from medallion.powerbi import roles

    with query.connect(lake) as connection:
        found = dict(roles.permissions(connection, list(people.values()), ["Deals", "Customers", "Daily", "Date"]))
    assert list(found) == ["Deals", "Customers", "Daily"]
    assert found["Deals"] == (
        'SWITCH(LOWER(USERPRINCIPALNAME()), "ann@us.example", \'Deals\'[Owner] IN {"ann lee", "ann@us.example", "u1"}, '
        '"west", \'Deals\'[Owner] IN {"max poole", "max@us.example", "u2"}, "kim", TRUE(), "root", TRUE(), FALSE())'
    )
    assert found["Daily"].count("FALSE()") == 3
    assert found["Customers"].count("'Customers'[Account manager] IN") == 2


def test_the_role_is_in_every_file_of_power_bi():
    from medallion.powerbi import m, model, pbix, roles, tmdl

    whole = dataclasses.replace(
        model.model(), permissions=(("Deals", "'Deals'[Owner] IN {\"ann\"}"), ("Daily", "FALSE()"))
    )
    found = tmdl.tmdl(whole, m.Folder())
    assert "\ttablePermission Deals = 'Deals'[Owner] IN {\"ann\"}\n" in found[f"roles/{roles.NAME}.tmdl"]
    assert "ref role 'Declared access'" in found["model.tmdl"]
    (role,) = tmdl.tmsl(whole, m.Folder())["model"]["roles"]
    assert [one["name"] for one in role["tablePermissions"]] == ["Deals", "Daily"]
    assert "roles" not in tmdl.tmsl(model.model(), m.Folder())["model"]
    pytest.importorskip("pbix_mcp")
    from pbix_mcp.formats.metadata_schema import create_empty_metadata_db

    connection = sqlite3.connect(":memory:")
    connection.deserialize(create_empty_metadata_db())
    connection.executemany("insert into [Table] (ID, ModelID, Name) values (?, 1, ?)", [(900, "Deals"), (901, "Daily")])
    pbix._role(connection, whole)
    kept = connection.execute("select r.Name, t.Name, FilterExpression from TablePermission p join Role r on r.ID = RoleID "
                              "join [Table] t on t.ID = TableID order by p.ID").fetchall()  # fmt: skip
    assert kept == [(roles.NAME, table, text) for table, text in whole.permissions]
