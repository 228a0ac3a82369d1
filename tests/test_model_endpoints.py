"""Endpoints of language models that fail: each failure has its true reason, within limits of time and size."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from medallion.agent import model
from medallion.agent.planner import Planner
from medallion.agent.rules import Rules
from medallion.agent.serving import serve
from medallion.agent.tools import Tools
from medallion.config import AgentSettings


def said(text):
    message = {"role": "assistant", "content": text}
    return {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [
        {"index": 0, "finish_reason": "stop", "message": message}]}  # fmt: skip


def wrong(text, code=None):
    return json.dumps({"error": {"message": text, "type": "x", "code": code}}).encode()


def flood(out):
    for _ in range(200):
        out.write(b" " * 65536)


def drip(out):
    for _ in range(50):
        out.write(b" ")
        out.flush()
        time.sleep(0.1)


#: Status, headers, and the body or what writes it; with the words that the reason must have.
CASES = {
    "no key": (401, {}, wrong("bad key"), "did not accept the key"),
    "not allowed": (403, {}, wrong("not yours"), "did not accept the key"),
    "no model": (404, {}, wrong("no such model", "model_not_found"), "knows no model 'm'"),
    "too many": (429, {"retry-after": "7"}, wrong("slow down"), "no more requests for now (status 429)"),
    "too long": (413, {}, wrong("too large"), "answered with status 413"),
    "refused": (400, {}, wrong("what?"), "rejected the request (status 400)"),
    "broken": (500, {}, wrong("oops"), "its endpoint failed (status 500)"),
    "away": (503, {}, wrong("later"), "(status 503)"),
    "html": (200, {"content-type": "text/html"}, b"<html>Sign in</html>", "endpoint sent"),
    "cut json": (200, {}, b'{"id": "1", "choices": [', "endpoint sent"),
    "other json": (200, {}, b'{"hello": "world"}', "endpoint sent"),
    "empty": (200, {}, b"", "endpoint sent"),
    "flood": (200, {}, flood, "more than 1,000,000 bytes"),
    "drip": (200, {}, drip, "longer than 1 s"),
    "stall": (None, {}, b"", "longer than 1 s"),
    "hangs up": (0, {}, b"", "cannot be reached, or its answer broke off"),
    "own figures": (200, {}, json.dumps(said("The win rate is 99%.")).encode(), "its text was refused"),
}  # fmt: skip


class Endpoint(BaseHTTPRequestHandler):
    case = ""

    def do_POST(self):
        status, headers, body, _ = CASES[self.case]
        self.rfile.read(int(self.headers.get("content-length", 0)))
        if status is None:
            time.sleep(3)
            return
        if status == 0:
            self.connection.close()
            return
        self.send_response(status)
        for name, value in {"content-type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):  # whoever asked has gone
            body(self.wfile) if callable(body) else self.wfile.write(body)

    def log_message(self, *given):
        pass


@pytest.fixture(scope="module")
def endpoint():
    with ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


@pytest.fixture(scope="module")
def tools(sample):
    with serve(sample) as serving:
        yield Tools(serving, Rules())


def test_an_endpoint_is_reached_through_the_proxy_of_the_machine(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:8080")
    settings = AgentSettings(model="m", base_url="https://models.example/v1")
    http = model.resolved(settings).client._client
    assert any(mount is not None for mount in http._mounts.values())


@pytest.mark.parametrize("case", CASES)
def test_a_failure_has_its_true_reason(tools, endpoint, monkeypatch, case):
    monkeypatch.setattr(Endpoint, "case", case)
    settings = AgentSettings(model="m", base_url=endpoint, timeout_seconds=1 if case in ("drip", "stall") else 30)
    started = time.monotonic()
    answer = model.answered(tools, Planner(tools.serving), settings, "What is the win rate?")
    assert time.monotonic() - started < 15
    assert answer.by == "planner"
    assert "54.5%" in answer.text
    assert "99" not in answer.text
    assert CASES[case][3] in answer.notes[-1]
