"""Spans around questions and tool calls: what is in them, and that content is not unless it is wanted."""

from __future__ import annotations

import json
import sys

import pytest

from medallion.agent import model, spans
from medallion.agent.answer import planned
from medallion.agent.planner import Planner
from medallion.agent.rules import Rules
from medallion.agent.serving import serve
from medallion.agent.tools import Tools
from medallion.config import AgentSettings


@pytest.fixture
def exported(monkeypatch):
    """Spans that were ended, in a provider of this test only."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    return exporter.get_finished_spans


@pytest.fixture(scope="module")
def serving(sample):
    with serve(sample) as made:
        yield made


QUESTION = "What is the open value of C001?"


def asked(serving, content):
    tools = Tools(serving, Rules(), content)
    with spans.question("ask", f"{QUESTION} ann@example.com", content) as answers:
        answers.append(planned(tools, Planner(serving), QUESTION))
    return answers[0]


def test_a_question_and_its_tool_call(serving, exported):
    answer = asked(serving, content=False)
    assert answer.text
    inner, outer = exported()
    assert (inner.name, outer.name) == (f"execute_tool {answer.calls[0]}", "invoke_agent medallion")
    assert inner.parent.span_id == outer.context.span_id
    assert outer.attributes["medallion.receipts"] == len(answer.receipts)
    assert outer.attributes["medallion.by"] == "planner"
    everything = "".join(one.to_json() for one in exported())
    for word in ("C001", "open value", answer.text):
        assert word not in everything


def test_content_where_it_is_wanted(serving, exported):
    answer = asked(serving, content=True)
    inner, outer = exported()
    assert outer.attributes["medallion.question"] == f"{QUESTION} [removed]"
    assert outer.attributes["medallion.answer"] == answer.text
    assert "C001" in inner.attributes["gen_ai.tool.call.arguments"]


def test_a_tool_that_fails_tells_its_kind_only(serving, exported):
    with pytest.raises(ValueError, match="secret"), spans.tool("run_safe_sql", {}, False):
        raise ValueError("secret")
    (one,) = exported()
    assert one.attributes["error.type"] == "ValueError"
    assert one.status.status_code.name == "ERROR"
    assert "secret" not in one.to_json()


def test_tools_that_a_model_calls_are_below_the_question(serving, exported):
    from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
    from pydantic_ai.models.function import FunctionModel

    def says(messages, _):
        if len(messages) == 1:
            return ModelResponse([ToolCallPart("find_customer", {"text": "Tidewater"})])
        return ModelResponse([TextPart("The account is {F1.0.customer_name}.")])

    with spans.question("ask", "who", False) as answers:
        tools = Tools(serving, Rules())
        answers.append(model.answered(tools, Planner(serving), AgentSettings(), "who", FunctionModel(says)))
    assert answers[0].calls == ("find_customer",), answers[0].notes
    named = {one.name: one for one in exported()}
    assert named["execute_tool find_customer"].parent.span_id == named["invoke_agent medallion"].context.span_id
    assert "Tidewater" not in json.dumps([one.to_json() for one in exported()])


def test_without_the_library(serving, monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    assert asked(serving, content=True).text
