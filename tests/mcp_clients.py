"""Clients of the Model Context Protocol for tests, by whichever version of its library is installed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from medallion.agent import mcp_server

#: The ways in which a client of the library may speak: version 2 knows the current specification and those before it.
WAYS = ("auto", "legacy") if mcp_server._IS_2 else ("legacy",)
_OPEN = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
_HEADERS = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


@asynccontextmanager
async def connected(made: Any, way: str = WAYS[0]) -> AsyncIterator[Any]:
    """A client in this process."""
    if mcp_server._IS_2:
        from mcp.client import Client

        async with Client(made, mode=way) as client:
            yield client
    else:
        from mcp.shared.memory import create_connected_server_and_client_session

        async with create_connected_server_and_client_session(made) as client:
            yield client


def document(model: Any) -> dict[str, Any]:
    """What was sent, as JSON has it."""
    found: dict[str, Any] = model.model_dump(by_alias=True, mode="json", exclude_none=True)
    return found


class OverHttp:
    """A client that speaks the protocol of 2025 over HTTP by hand: it opens a session and calls tools in it."""

    def __init__(self, client: Any, **headers: str) -> None:
        self.client, self.headers = client, {**_HEADERS, **headers}

    def post(self, method: str, parameters: dict[str, Any], number: int | None = 1) -> Any:
        message = {"jsonrpc": "2.0", "method": method, "params": parameters}
        if number is not None:
            message["id"] = number
        return self.client.post("/mcp", json=message, headers=self.headers, follow_redirects=False)

    def open(self) -> OverHttp:
        answer = self.post("initialize", _OPEN)
        assert answer.status_code == 200, answer.text
        self.headers["mcp-session-id"] = answer.headers["mcp-session-id"]
        self.headers["mcp-protocol-version"] = "2025-06-18"
        self.post("notifications/initialized", {}, None)
        return self

    def call(self, name: str, **arguments: Any) -> dict[str, Any]:
        answer = self.post("tools/call", {"name": name, "arguments": arguments}, 2)
        assert answer.status_code == 200, answer.text
        lines = [line[5:] for line in answer.text.splitlines() if line.startswith("data:") and line[5:].strip()]
        found: dict[str, Any] = json.loads(lines[-1] if lines else answer.text)["result"]
        return found
