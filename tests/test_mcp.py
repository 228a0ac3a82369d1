"""The agent's tools over the Model Context Protocol, by each version of its library and each way to speak it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading

import jsonschema
import pytest
from mcp_clients import WAYS, OverHttp, connected, document
from starlette.testclient import TestClient

from medallion.agent import arguments, audit, current, mcp_http, mcp_server, offered
from medallion.agent.current import Current
from medallion.agent.offered import Offered
from medallion.agent.tools import READING, Tools
from medallion.errors import MedallionError


@pytest.fixture(scope="module")
def offers(sample):
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(audit, "record", lambda *given: None)
    now = Current(sample)
    yield Offered(now)
    now.close()
    monkeypatch.undo()


def called(offers, *calls):
    """What tools give, called one after the other by a client."""

    async def talk():
        async with connected(mcp_server.server(offers)) as client:
            return [document(await client.call_tool(name, given)) for name, given in calls]

    return asyncio.run(talk())


@pytest.mark.parametrize("way", WAYS)
def test_a_client_sees_and_calls_the_tools(offers, way):
    async def talk():
        async with connected(mcp_server.server(offers), way) as client:
            tools = document(await client.list_tools())["tools"]
            good = document(await client.call_tool("metric_value", {"metric": "win_rate", "by": ["source"]}))
            bad = document(await client.call_tool("metric_value", {"metric": "mood"}))
            with pytest.raises(Exception, match="there is no 'approve'"):
                await client.call_tool("approve", {})
            dictionary = document(await client.read_resource("medallion://metrics"))
            resources = document(await client.list_resources())["resources"]
            prompts = document(await client.list_prompts())["prompts"]
            morning = document(await client.get_prompt("morning", {"owner": "Ann"}))
            return tools, good, bad, dictionary, resources, prompts, morning

    tools, good, bad, dictionary, resources, prompts, morning = asyncio.run(talk())
    assert {one["name"] for one in tools} == {
        "call_plan", "account_brief", "metric_value", "records", "top_customers", "compare_channels", "explain_score",
        "find_customer", "pipeline_forecast", "run_safe_sql", "list_metrics", "list_dimensions", "dimension_values",
        "compile_query", "propose_action", "ask",
    }  # fmt: skip
    assert good["structuredContent"]["F1"]["tables"]["gold.deals"] >= 0
    assert "66.7%" in json.dumps(good["structuredContent"]["F1"]["rows"])
    assert json.loads(good["content"][0]["text"]) == good["structuredContent"]
    assert bad["isError"]
    assert "no metric" in bad["content"][0]["text"]
    assert len(json.loads(dictionary["contents"][0]["text"])) > 25
    assert [one["uri"] for one in resources] == ["medallion://metrics"]
    assert {one["name"] for one in prompts} == {"morning", "prepare", "review"}
    assert "'Ann'" in morning["messages"][0]["content"]["text"]


def test_each_tool_says_what_it_takes_gives_and_changes(offers):
    tools = {one["name"]: one for one in offers.tools()}
    for one in tools.values():
        jsonschema.Draft202012Validator.check_schema(one["inputSchema"])
        jsonschema.Draft202012Validator.check_schema(one["outputSchema"])
        assert one["inputSchema"]["additionalProperties"] is False
        assert one["title"]
        assert one["annotations"]["readOnlyHint"] is (one["name"] != "propose_action")
        assert not one["annotations"]["destructiveHint"]
    assert "deals" in tools["records"]["inputSchema"]["properties"]["entity"]["enum"]
    assert tools["call_plan"]["inputSchema"]["properties"]["owner"]["description"] == "Only this rep's accounts."
    assert {"enum": ["previous", "year-ago"], "type": "string"} in tools["metric_value"]["inputSchema"]["properties"][
        "compare"
    ]["anyOf"]


def test_what_a_tool_gives_is_what_its_schema_says(offers):
    calls = [
        ("call_plan", {}), ("account_brief", {"customer": "C001"}), ("metric_value", {"metric": "win_rate", "by": ["owner"]}),
        ("records", {"entity": "deals"}), ("top_customers", {}), ("compare_channels", {}), ("explain_score", {"key": "C001"}),
        ("find_customer", {"text": "tide"}), ("pipeline_forecast", {}), ("list_metrics", {"text": "win"}),
        ("run_safe_sql", {"sql": "select lead_id, deal_value from gold.deals"}), ("list_dimensions", {"of": "deals"}),
        ("dimension_values", {"of": "win_rate", "dimension": "owner"}), ("ask", {"question": "win rate by owner"}),
        ("compile_query", {"metric": "win_rate", "by": ["owner"], "dialect": "spark"}), ("ask", {"question": "churn"}),
        ("ask", {"question": "deals won by weekday"}),
    ]  # fmt: skip
    assert {name for name, _ in calls} | {"propose_action"} == set(offers.offers)
    for name, given in calls:
        found = offers.call(name, given, None, None)
        assert not found["isError"], found
        jsonschema.validate(found["structuredContent"], dict(offers.offers[name].gives))
    plan = offers.call("call_plan", {}, None, None)["structuredContent"]["F1"]
    value = plan["values"][0][plan["columns"].index("expected_value")]
    assert (value, plan["rows"][0][plan["columns"].index("expected_value")]) == (pytest.approx(23263, abs=1), "$23,263")


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("metric_value", {"metric": "win_rate", "wher": ["open"]}, "metric_value has no argument 'wher'. Nearest: where."),
        ("compare_channels", {"by": "owner"}, "compare_channels has no argument 'by'. It has none."),
        ("metric_value", {}, "the argument metric is missing"),
        ("records", {"entity": "deals", "limit": "many"}, "limit = 'many'"),
        ("records", {"entity": "deals", "page": 99}, "there is no page 99. The last one is 1."),
        ("call_plan", {"day": "soon"}, "day = 'soon'"),
        ("propose_action", {"kind": "task", "key": "1", "changes": {}, "reason": "x"}, "kind = 'task'"),
        ("list_dimensions", {"of": "moods"}, "no metric"),
        ("dimension_values", {"of": "deals", "dimension": "mood"}, "deals has no dimension 'mood'"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused(offers, name, given, told):
    found = called(offers, (name, given))[0]
    assert found["isError"]
    assert told in found["content"][0]["text"]


def test_a_model_gives_a_day_as_text():
    checked = arguments.checked(arguments.model(Tools.call_plan), {"day": "2030-01-01"})
    assert checked["day"].year == 2030
    assert all(arguments.model(one).model_config["extra"] == "forbid" for one in READING)


def test_a_list_comes_in_pages_that_make_the_whole(offers):
    whole = offers.call("records", {"entity": "deals", "page_size": 200}, None, None)["structuredContent"]["F1"]
    assert (whole["shown"], whole["next_page"]) == (whole["total"], None)
    rows, page = [], 1
    while page:
        given = {"entity": "deals", "page_size": 3, "page": page}
        one = offers.call("records", given, None, None)["structuredContent"]["F1"]
        assert one["total"] == whole["total"]
        rows += one["rows"]
        page = one["next_page"]
    assert rows == whole["rows"]
    few = offers.call("records", {"entity": "deals", "limit": 2}, None, None)["structuredContent"]["F1"]
    assert (few["shown"], few["total"], few["next_page"]) == (2, whole["total"], None)


def test_a_question_goes_on_from_the_one_before(offers):
    def rows(*questions, **more):
        return [offers.call("ask", {"question": one, **more}, "s", None)["structuredContent"] for one in questions]

    offers.before.clear()
    assert rows("by source")[0]["declined"]
    _, second = rows("win rate", "by source")
    assert "source" in second["understood"][0]
    offers.before.clear()
    alone = offers.call("ask", {"question": "by source", "before": ["win rate"]}, None, None)["structuredContent"]
    assert alone["facts"] == second["facts"]
    wrong = offers.call("ask", {"question": "by source", "before": ["churn"]}, None, None)
    assert "the question before it is not understood" in wrong["content"][0]["text"]


def test_calls_run_side_by_side(offers, monkeypatch):
    both = threading.Barrier(2, timeout=20)
    monkeypatch.setattr(audit, "record", lambda *given: both.wait())

    async def talk():
        async with connected(mcp_server.server(offers)) as client:
            given = [client.call_tool("records", {"entity": "deals"}) for _ in range(2)]
            return [document(one) for one in await asyncio.gather(*given)]

    first, second = asyncio.run(talk())
    assert not first.get("isError")
    assert first["structuredContent"] == second["structuredContent"]


def test_each_call_reads_the_newest_state(sample, monkeypatch):
    number, opened = [1], []
    monkeypatch.setattr(current.manifests, "number", lambda lake: number[0])
    serve = current.serve
    monkeypatch.setattr(current, "serve", lambda *given, **more: opened.append(1) or serve(*given, **more))
    now = Current(sample)
    with now.view() as first:
        pass
    with now.view() as again:
        assert again.tools.serving is first.tools.serving
        number[0] = 2
        newer = threading.Thread(target=lambda: now.view().__enter__())
        newer.start()
        newer.join(0.2)
        assert newer.is_alive()  # what is being read stays open
        assert again.tools.serving.rows("select 1 as one from gold.deals limit 1")
    newer.join(30)
    assert len(opened) == 2
    now._views[None].readers = 0
    now.close()


def test_a_change_is_proposed_and_not_made(own_sample):
    now = Current(own_sample)
    offers = Offered(now)
    ghost, made = called(
        offers,
        ("propose_action", {"kind": "deal", "key": "L-9", "changes": {"note": "x"}, "reason": "y"}),
        ("propose_action", {"kind": "deal", "key": "L-1012", "changes": {"note": "x"}, "reason": "y"}),
    )
    now.close()
    assert "there is no deal 'L-9'" in ghost["content"][0]["text"]
    assert made["structuredContent"]["state"] == "proposed"
    jsonschema.validate(made["structuredContent"], dict(offers.offers["propose_action"].gives))


def test_who_comes_in_over_http_says_who_they_are(offers, tmp_path):
    listed = tmp_path / "tokens.csv"
    listed.write_text(f"user,sha256\nann,{hashlib.sha256(b'open sesame').hexdigest()}\n")
    door = mcp_http.Door(mcp_http.tokens(listed))
    app = mcp_http.application(mcp_server.server(offers), door, loopback=False)
    with TestClient(app) as client:
        for header in ({}, {"authorization": "Bearer sesame"}, {"authorization": "Basic open sesame"}):
            refused = OverHttp(client, **header).post("initialize", {})
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"] == "Bearer"
        session = OverHttp(client, authorization="Bearer open sesame").open()
        assert session.call("metric_value", metric="win_rate")["structuredContent"]["F1"]["rows"][0][0] == "54.5%"
        assert session.call("ask", question="win rate")["structuredContent"]["answer"]
        assert "source" in session.call("ask", question="by source")["structuredContent"]["understood"][0]
        assert session.call("ask", question="deals of the blorps")["structuredContent"]["declined"]
        assert "not answered" in session.call("ask", question="total value?")["structuredContent"]["declined"]
        assert session.call("ask", question="why did we lose C004")["structuredContent"]["declined"]
        assert "C004" in session.call("ask", question="last 3 touches?")["structuredContent"]["understood"][0]
        other = OverHttp(client, authorization="Bearer open sesame").open()
        assert other.call("ask", question="by source")["structuredContent"]["declined"]


def test_who_asks_with_a_token_is_named_and_is_me(own_sample, monkeypatch):
    logged = []
    monkeypatch.setattr(audit, "record", lambda lake, answer, *given: logged.append(answer.by))
    now = Current(own_sample, me=lambda tools: "Priya Nair")
    offers = Offered(now)
    change = {"kind": "deal", "key": "L-1012", "changes": {"note": "x"}, "reason": "y"}
    made = offers.call("propose_action", change, None, None, "Tom Brannigan")["structuredContent"]
    mine = offers.call("ask", {"question": "my open deals"}, None, None, "Tom Brannigan")["structuredContent"]
    offers.call("list_metrics", {}, None, None, "Tom Brannigan")
    of_nobody = offers.call("ask", {"question": "my open deals"}, None, None)["structuredContent"]
    now.close()
    assert made["proposed_by"] == "Tom Brannigan"
    assert ("Tom Brannigan" in mine["understood"][0], "Priya Nair" in of_nobody["understood"][0]) == (True, True)
    assert logged == ["Tom Brannigan", "Tom Brannigan", "mcp client"]


def test_a_server_for_others_asks_who_they_are(tmp_path):
    with pytest.raises(MedallionError, match="nothing asks who they are"):
        mcp_http.serve(None, mcp_http.Door(), "0.0.0.0", 8765)  # noqa: S104
    for text, told in (
        ("user\nx\n", "no columns"),
        (f"user,sha256\nann,{'0' * 64}\nben,{'0' * 64}\n", "line 3: another user"),
        ("user,sha256\nann,abc\n", "line 2"),
        ("user,sha256\n", "no user"),
    ):
        (tmp_path / "tokens.csv").write_text(text)
        with pytest.raises(MedallionError, match=told):
            mcp_http.tokens(tmp_path / "tokens.csv")


def test_a_page_elsewhere_cannot_reach_a_server_on_this_machine(offers):
    app = mcp_http.application(mcp_server.server(offers), mcp_http.Door())
    with TestClient(app, base_url="http://evil.example") as client:
        assert OverHttp(client).post("initialize", {}).status_code == 421


def test_titles_name_every_tool(offers):
    assert set(offered._TITLES) == set(offers.offers)
