"""What is offered (`offered`) over the Model Context Protocol, by whichever library of it is installed.

Version 2 of the library implements the specification of 2026-07-28, which has no sessions, and the earlier ones with clients
that know no other. Version 1 implements those up to 2025-11-25; it is there where another package needs it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from medallion.access import Person
from medallion.agent.offered import INSTRUCTIONS, Offered
from medallion.errors import MedallionError, extra
from medallion.version import VERSION

with extra("mcp", "MCP"):
    import anyio
    from anyio import to_thread
    from mcp import types
    from mcp.server import lowlevel
    from mcp.server.stdio import stdio_server
    from mcp.shared import exceptions

#: Where a door in front of the server says who asks, in the scope of a request.
PERSON, USER = "medallion.person", "medallion.user"
_INVALID = -32602
_IS_2 = not hasattr(lowlevel.Server, "call_tool")
_Answer = Callable[[Offered, Mapping[str, Any], Any], Any]


def server(offered: Offered) -> Any:
    """The server over what is offered, of the library's lower level."""
    server: Any = lowlevel.Server("medallion", version=VERSION, instructions=INSTRUCTIONS)
    for method, (asks, gives, answers) in _METHODS.items():
        if _IS_2:
            parameters = getattr(types, f"{asks}RequestParams", None) or types.PaginatedRequestParams
            server.add_request_handler(method, parameters, partial(_second, offered, gives, answers))
        else:
            request = getattr(types, f"{asks}Request")
            server.request_handlers[request] = partial(_first, server, offered, gives, answers)
    return server


def serve(server: Any) -> None:
    """Serve one client over standard input and output until it ends."""
    logging.getLogger("mcp").setLevel(logging.ERROR)

    async def run() -> None:
        async with stdio_server() as (reads, writes):
            await server.run(reads, writes, server.create_initialization_options())

    anyio.run(run)


async def _first(server: Any, offered: Offered, gives: str, answers: _Answer, request: Any) -> Any:
    """Answer a request by version 1 of the library."""
    given = request.params.model_dump(by_alias=True, mode="json") if request.params else {}
    result = await _answered(offered, answers, given, server.request_context.request)
    return types.ServerResult(getattr(types, gives).model_validate(result))


async def _second(offered: Offered, gives: str, answers: _Answer, context: Any, parameters: Any) -> Any:
    """Answer a request by version 2 of the library."""
    given = parameters.model_dump(by_alias=True, mode="json") if parameters else {}
    result = await _answered(offered, answers, given, context.request)
    return getattr(types, gives).model_validate(result)


async def _answered(offered: Offered, answers: _Answer, given: Mapping[str, Any], request: Any) -> Any:
    """What is answered, found in a thread of its own, so that calls run side by side.

    Raises:
        McpError: There is nothing of that name, or an argument of a prompt is wrong.
    """
    try:
        return await to_thread.run_sync(answers, offered, given, request)
    except KeyError as error:
        raise _refused(f"there is no {error.args[0]!r}") from error
    except MedallionError as error:
        raise _refused(f"{error.problem}. {error.remedy}") from error


def _refused(text: str) -> Exception:
    if _IS_2:
        return exceptions.MCPError(_INVALID, text)  # type: ignore[attr-defined,no-any-return]
    return exceptions.McpError(types.ErrorData(code=_INVALID, message=text))


def _person(request: Any) -> Person | None:
    person: Person | None = request.scope.get(PERSON) if request is not None else None
    return person


def _user(request: Any) -> str:
    return str(request.scope.get(USER, "")) if request is not None else ""


def _session(request: Any) -> str | None:
    """What tells a conversation from others: over standard input and output there is one; none without sessions."""
    if request is None:
        return "one"
    session = request.headers.get("mcp-session-id")
    return f"{_user(request)} {session}" if session else None


#: By method: the names of its request and result in the library, and what answers it.
_METHODS: dict[str, tuple[str, str, _Answer]] = {
    "tools/list": ("ListTools", "ListToolsResult", lambda offered, given, request: {"tools": offered.tools()}),
    "tools/call": (
        "CallTool",
        "CallToolResult",
        lambda offered, given, request: offered.call(
            given["name"], given.get("arguments") or {}, _session(request), _person(request), _user(request)
        ),
    ),
    "resources/list": (
        "ListResources",
        "ListResourcesResult",
        lambda offered, given, request: {"resources": offered.resources()},
    ),
    "resources/read": (
        "ReadResource",
        "ReadResourceResult",
        lambda offered, given, request: offered.resource(given["uri"], _person(request)),
    ),
    "prompts/list": ("ListPrompts", "ListPromptsResult", lambda offered, given, request: {"prompts": offered.prompts()}),
    "prompts/get": (
        "GetPrompt",
        "GetPromptResult",
        lambda offered, given, request: offered.prompt(given["name"], given.get("arguments") or {}),
    ),
}  # fmt: skip
