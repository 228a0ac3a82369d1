"""Whoever reads a lakehouse sees what is declared for them, through every reader; nobody sees another's rows by trying."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import shutil
import sqlite3
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path

import duckdb
import pytest
from mcp_clients import OverHttp
from starlette.testclient import TestClient
from typer.testing import CliRunner

from medallion import access, contracts, metrics
from medallion.access import Person
from medallion.agent import drafts, mcp_http
from medallion.agent.answer import planned
from medallion.agent.current import Current
from medallion.agent.mcp_server import server
from medallion.agent.offered import Offered
from medallion.agent.planner import Planner, names
from medallion.agent.rules import Rules
from medallion.agent.serving import serve
from medallion.agent.tools import Tools
from medallion.care import explain, follow_ups
from medallion.care.export import export
from medallion.cli.app import app
from medallion.config import load
from medallion.dashboard import tables, words
from medallion.dashboard.export import export as as_one_file
from medallion.dashboard.safety import Door
from medallion.dashboard.web import application
from medallion.dashboard.web.options import Options
from medallion.errors import ContractError, MedallionError
from medallion.lakehouse import contracts_in_use, query, totals, visible
from medallion.lakehouse.store import Lakehouse
from medallion.metrics.compilers.duckdb import answer
from medallion.metrics.question import Records
from medallion.pipeline import proof

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
    folder = Path(two_reps.root).parent  # of this worker alone
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
    assert not [name for name in texts(lake, REP) if name.startswith("ops.")]  # totals of everyone are in them
    assert "ops.proofs" in of_everyone


def test_what_is_personal_is_said_by_contracts_of_every_table():
    of = visible.personal(contracts.entities().values())
    assert set(of("silver.contacts_staged")) == set(of("silver.contacts_clean")) >= {"contact_name", "email", "phone"}
    assert of("ops.follow_ups") == ("note",)
    assert of("ops.corrections") == ("before", "after")
    assert of("silver.quarantine") == ("reasons", "raw")
    assert of("ops.agent_log") == ("question", "declined")
    assert not of("gold.deals")
    assert contracts.Column("phone_2", "string", kind="phone").is_personal


def test_what_was_done_is_seen_with_the_account_and_its_note_by_permission(lake, people, tmp_path):
    shutil.copytree(lake.root, tmp_path / "lake")
    own = Lakehouse(str(tmp_path / "lake"))
    day = date(2025, 6, 30)
    for key, lead, note in (
        ("C2", None, "wrote to PERSON"),
        ("C2", "Z2", "SECRET"),
        ("Z1", None, "SECRET"),
        ("C1", "L1", ""),
    ):
        follow_ups.add(own, "note" if note else "done", day, key, lead, "somebody", datetime(2025, 7, 1), note=note)
    said = {user: texts(own, person).get("ops.follow_ups", "") for user, person in people.items()}
    assert ("'C2'" in said["ann@us.example"], "'C1'" in said["ann@us.example"]) == (True, True)
    holds_nothing_of_another(said["ann@us.example"])
    assert "PERSON" not in said["kim"]
    assert "PERSON" in said["root"]


def test_totals_are_those_of_gold_over_what_is_seen(lake, people):
    everyone = Person("max", "rep", ("Ann Lee", "max@us.example"), (), True, 1)
    whole, seen = texts(lake, None), texts(lake, everyone)
    assert all(seen[name] == whole[name] for name in totals.QUERIES)
    assert "'C1'" in whole["gold.top_customers"]
    with query.connect(Lakehouse(lake.root, person=people["ann@us.example"])) as connection:
        (best,) = query.rows(connection, "from gold.top_customers where customer_id = 'C1'")
        everything = query.rows(connection, "select sum(won_value) as won from gold.customer_features")[0]["won"]
        assert best["revenue_share"] == round(float(best["won_value"]) / float(everything), 6)
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


@pytest.mark.parametrize("locked", [False, True])
def test_teams_are_known_and_a_dimension_that_cannot_be_computed_stops_no_other_question(lake, locked, monkeypatch):
    with lake.looking(REP), serve(lake, locked=locked) as serving:
        tools = Tools(serving, Rules())
        for asked in ("What is the revenue by team?", "What is the revenue of team East?"):
            assert "$1,000" in planned(tools, Planner(serving), asked).text
        of = names.facts_of

        def without(connection):
            facts = of(connection)

            def known(view, dimension, given):
                if dimension.name == "owner_team":
                    raise ContractError("cannot be computed", "")
                return facts.known(view, dimension, given)

            return dataclasses.replace(facts, known=known)

        monkeypatch.setattr(names, "facts_of", without)
        assert "$1,000" in planned(tools, Planner(serving), "What is the revenue by owner?").text


def test_the_agent_reads_no_column_that_a_contract_in_use_calls_personal(lake, monkeypatch):
    known = contracts.entities()
    touches = known["interactions"]
    said = {"direction": {"pii": True}, "duration_minutes": {"kind": "free_text"}}
    columns = [dataclasses.replace(one, **said.get(one.name, {})) for one in touches.columns]
    own = {**known, "interactions": dataclasses.replace(touches, columns=tuple(columns))}
    monkeypatch.setattr(contracts_in_use, "for_readers", lambda lake: own)
    with serve(lake, locked=True) as serving:
        there = {row["column_name"] for row in serving.rows("describe silver.interactions_clean")}
    assert "channel" in there
    assert not {"direction", "duration_minutes", "notes"} & there


def test_what_is_said_of_all_amounts_is_for_who_sees_all(lake, people, monkeypatch):
    monkeypatch.setattr(proof, "recorded", lambda lake: [{"document": json.dumps({"foreign": [1], "currency": "USD"})}])
    monkeypatch.setattr(proof, "in_currencies", lambda foreign, currency: "9 deals in EUR")
    said = [proof.note(Lakehouse(lake.root, person=people[user])) for user in ("ann@us.example", "west", "kim")]
    assert (said, proof.note(lake)) == (["", "", "9 deals in EUR"], "9 deals in EUR")


def test_mcp_gives_each_user_their_own_and_nothing_of_another(lake, people):
    now = Current(lake)
    tokens = {hashlib.sha256(user.encode()).hexdigest(): user for user in ("ann@us.example", "kim", "eve")}
    made = mcp_http.application(
        server(Offered(now)), mcp_http.Door(tokens, None, tuple(people.values())), loopback=False
    )
    with TestClient(made) as client:
        ann = OverHttp(client, authorization="Bearer ann@us.example").open()
        for name, given in (
            ("records", {"entity": "deals"}), ("run_safe_sql", {"sql": "select * from gold.customer_features"}),
            ("ask", {"question": "What is the revenue by owner?"}), ("dimension_values", {"of": "deals", "dimension": "owner"}),
        ):  # fmt: skip
            told = ann.call(name, **given)
            assert not told["isError"], told
            holds_nothing_of_another(str(told))
        change = {"kind": "deal", "key": "Z3", "changes": {"next_step": "call"}, "reason": "to see"}
        assert "there is no deal" in str(ann.call("propose_action", **change))
        kim = OverHttp(client, authorization="Bearer kim").open()
        assert "Z3" in str(kim.call("records", entity="deals"))
        assert OverHttp(client, authorization="Bearer eve").post("initialize", {}).status_code == 403
    now.close()


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


@pytest.mark.parametrize("form", ["parquet", pytest.param("csv", marks=pytest.mark.slow)])
def test_exports_have_nothing_of_another(lake, tmp_path, form):
    with lake.looking(REP):
        written = export(lake, tmp_path / "out", form)
        assert {"gold.deals", "silver.contacts_clean"} <= {one["table"] for one in written}
        for name in ("bronze.leads", "silver.quarantine", "gold.touch_days", "ops.proofs", "ops.runs", "ops.erasures"):
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
            "/deals/L1", "/search?q=secr", "/search?q=Max", "/search?q=revenue+by+owner", "/search?q=list+the+deals", "/search?q=who+should+I+call",
            "/search?q=top+customers+by+revenue", "/search?q=how+many+deals+has+each+owner",
        ]  # fmt: skip
        for address in addresses:
            found = get(address, "ann@us.example").text
            holds_nothing_of_another(found.replace("SECRET", "") if "SECRET" in address else found)
        forms = [
            *(("/today/done", {"kind": kind, "customer_id": "Z1", "lead_id": "Z3"}) for kind in ("done", "undone")),
            ("/explore/views", {"view": "x", "metrics": "revenue", "where": "customer_name = 'Secret Lab'"}),
            ("/explore/views", {"view": "x", "metrics": "revenue", "where": "owner = 'Max'"}),
        ]
        for address, form in forms:
            answers = {
                user: client.post(address, data=form, headers={"x-user": user, "sec-fetch-site": "same-origin"})
                for user in ("ann@us.example", "somebody")
            }
            assert [one.status_code for one in answers.values()] == [400, 403]
            for one in answers.values():
                holds_nothing_of_another(re.sub("Z1|Secret Lab", "", one.text))
                assert "Max Poole" not in one.text
        signs = {tuple({*re.findall(r"v=([0-9a-f]{12})\b", get("/pipeline", user).text)}) for user in people}
        assert len(signs) == len(people)  # what a browser keeps of one user is not shown to the next
        assert get("/customers/Z1", "ann@us.example").status_code == 404
        for address in ("/health", "/charts/health/reliability.svg"):
            assert get(address, "ann@us.example").status_code == 403
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
        (["forecast"], 1, "nothing says who you are"),
        *(([*one.split(), "--me", "ann@us.example"], 1, "shows everyone's") for one in
          ("status", "tables", "gate", "monitor", "models", "doctor", "verify", "actions list", "duplicates list")),
        (["actions", "list", "--me", "kim"], 1, "may not see personal data"),
        (["duplicates", "list", "--me", "kim"], 1, "may not see personal data"),
        (["dashboard", "--export", "x.html", "--me", "kim", "--show-pii"], 1, "may not see personal data"),
    ],
)  # fmt: skip
def test_commands_know_who_looks(lake, arguments, code, says):
    config = Path(lake.root).parent / "config.yaml"
    found = CliRunner().invoke(app, [*arguments, "--config", str(config)])
    assert (found.exit_code, says in found.output or says in str(found.exception)) == (code, True), found.output


def test_the_role_of_power_bi_knows_each_user(lake, people):
    from medallion.powerbi import model, roles

    with query.connect(lake) as connection:
        found = dict(roles.permissions(connection, list(people.values()), ["Deals", "Customers", "Daily", "Date"]))
    assert list(found) == ["Deals", "Customers", "Daily"]
    every = {table.name for table in model.model().tables}
    assert {"Deals", "Customers", "Daily", "Deal changes"} == every - roles.OPEN
    assert every >= roles.OPEN
    more = dict(roles.permissions(duckdb.connect(), [REP], ["Deal changes", "My own"]))
    assert more["Deal changes"].startswith(
        "SWITCH(LOWER(USERPRINCIPALNAME()), \"ann@us.example\", 'Deal changes'[lead_id] IN "
        "SELECTCOLUMNS(FILTER('Deals', 'Deals'[Owner] IN {\"ann lee\"}), \"key\", 'Deals'[Deal])"
    )
    assert more["My own"] == 'SWITCH(LOWER(USERPRINCIPALNAME()), "ann@us.example", FALSE(), FALSE())'
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
