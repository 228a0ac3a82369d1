"""Spans of OpenTelemetry around questions and tool calls, where its API is installed; without an SDK they go nowhere.

Names and attributes follow the semantic conventions for generative AI. What was asked and answered is content: it is
written only where `agent.trace_content` says so, without e-mail addresses and telephone numbers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from medallion.agent.personal import without_personal

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from medallion.agent.answer import Answer


@contextmanager
def _span(name: str, attributes: Mapping[str, str]) -> Iterator[Span | None]:
    try:
        from opentelemetry import trace
    except ImportError:
        yield None
        return
    tracer = trace.get_tracer("medallion.agent")
    # An error's text may hold what was asked, so the span has its type but neither its text nor its traceback.
    with tracer.start_as_current_span(
        name, attributes=dict(attributes), record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield span
        except Exception as error:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(trace.StatusCode.ERROR)
            raise


@contextmanager
def question(door: str, text: str, content: bool) -> Iterator[list[Answer]]:
    """A span around a question; the answer is put into the list that it gives.

    Args:
        door: Where it came in: ask, chat, mcp.
        text: The question.
        content: Whether question and answer are written.
    """
    answers: list[Answer] = []
    attributes = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "medallion", "medallion.door": door}
    if content:
        attributes["medallion.question"] = without_personal(text)
    with _span("invoke_agent medallion", attributes) as span:
        yield answers
        if span is None:
            return
        for answer in answers:
            span.set_attribute("medallion.by", answer.by)
            span.set_attribute("medallion.declined", bool(answer.declined))
            span.set_attribute("medallion.receipts", len(answer.receipts))
            if content:
                span.set_attribute("medallion.answer", without_personal(answer.text or answer.declined))


@contextmanager
def tool(name: str, arguments: Mapping[str, Any], content: bool) -> Iterator[None]:
    """A span around a tool call, below that of the question."""
    attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name}
    if content:
        attributes["gen_ai.tool.call.arguments"] = without_personal(json.dumps(dict(arguments), default=str))
    with _span(f"execute_tool {name}", attributes):
        yield
