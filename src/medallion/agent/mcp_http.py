"""The server over streamable HTTP: where it listens, who may come in, and what each of them sees.

A client says who it is by a token (`Authorization: Bearer ...`), or a sign-in proxy in front of the server names the user in
a header. Where a file declares who may see what, each sees what is declared for them.
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion import access, addresses
from medallion.access import Person
from medallion.agent.mcp_server import PERSON, USER
from medallion.errors import MedallionError, extra

with extra("mcp", "MCP over HTTP"):
    import uvicorn
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
    from mcp.server.transport_security import TransportSecuritySettings
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

PATH = "/mcp"
_NAMES = [f"{name}:*" for name in ("127.0.0.1", "localhost", "[::1]")]


@dataclass(frozen=True)
class Door:
    """Who may come in.

    Attributes:
        tokens: Users by the SHA-256 of their token, in hexadecimal.
        user_header: Header in which a sign-in proxy names the user.
        people: Who may see what, where that is declared.
    """

    tokens: Mapping[str, str] = field(default_factory=dict)
    user_header: str | None = None
    people: tuple[Person, ...] | None = None

    def user(self, headers: Mapping[str, str]) -> str | None:
        """Who asks; empty where nobody is asked who they are, None where they have to say and do not."""
        if self.user_header is not None:
            return headers.get(self.user_header, "").strip() or None
        if not self.tokens:
            return ""
        kind, _, token = headers.get("authorization", "").partition(" ")
        digest = hashlib.sha256(token.strip().encode("utf-8", "surrogatepass")).hexdigest()
        users = [user for known, user in self.tokens.items() if hmac.compare_digest(known, digest)]
        return users[0] if users and kind.casefold() == "bearer" else None


def tokens(path: Path) -> dict[str, str]:
    """Users by the hash of their token, from a CSV with `user` and `sha256`.

    Raises:
        MedallionError: It cannot be read, or a line has no hash; names file and line.
    """
    users: dict[str, str] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if not {"user", "sha256"} <= {*(reader.fieldnames or ())}:
                raise MedallionError(f"{path}: has no columns user and sha256", "Header: user,sha256.")
            for row in reader:
                user, digest = ((row.get(name) or "").strip() for name in ("user", "sha256"))
                if not user or not re.fullmatch(r"[0-9a-fA-F]{64}", digest):
                    raise MedallionError(
                        f"{path}, line {reader.line_num}: not a user and the SHA-256 of a token",
                        "Write the hash that `printf %s TOKEN | sha256sum` prints.",
                    )
                if users.setdefault(digest.casefold(), user) != user:
                    raise MedallionError(
                        f"{path}, line {reader.line_num}: another user has this token",
                        "Give each user one of their own.",
                    )
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise MedallionError(f"{path}: cannot be read: {error}", "Check --tokens.") from error
    if not users:
        raise MedallionError(f"{path}: names no user, so nobody could come in", "Add a line: user,sha256.")
    return users


def application(server: Any, door: Door, *, loopback: bool = True) -> Starlette:
    """The server as an ASGI application at `/mcp`."""
    # the host's name is checked where a page elsewhere could reach the server under a name of its own
    names = TransportSecuritySettings(
        enable_dns_rebinding_protection=loopback,
        allowed_hosts=[*_NAMES, *(name[:-2] for name in _NAMES)],
        allowed_origins=[f"http://{name}" for name in _NAMES],
    )
    manager = StreamableHTTPSessionManager(app=server, security_settings=names)

    return Starlette(
        routes=[Route(path, _Entrance(door, manager)) for path in (PATH, f"{PATH}/")],
        lifespan=lambda app: manager.run(),
    )


@dataclass(frozen=True)
class _Entrance:
    """The address itself: a client that is sent on to another one may lose what says who it is."""

    door: Door
    manager: StreamableHTTPSessionManager

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        door = self.door
        user = door.user(Request(scope).headers)
        if user is None:
            body = {"error": "send a token: `Authorization: Bearer TOKEN`"}
            if door.user_header is not None:
                body = {"error": "the sign-in proxy in front names no user"}
            response = JSONResponse(body, 401, headers={"www-authenticate": "Bearer"})
            await response(scope, receive, send)
            return
        if door.people is not None and user:
            person = access.named(door.people, user)
            if person is None:
                await JSONResponse({"error": f"{user} is not declared"}, 403)(scope, receive, send)
                return
            scope[PERSON] = person
        scope[USER] = user
        await self.manager.handle_request(scope, receive, send)


def serve(server: Any, door: Door, host: str, port: int) -> None:
    """Serve until interrupted.

    Raises:
        MedallionError: It would be open to others, and nothing asks who they are.
    """
    loopback = host in addresses.LOOPBACK
    if not loopback and not door.tokens and door.user_header is None:
        raise MedallionError(
            f"--host {host} opens the server to others, and nothing asks who they are",
            "Add --tokens FILE or --user-header NAME, or leave --host at 127.0.0.1.",
        )
    app = application(server, door, loopback=loopback and door.user_header is None)
    uvicorn.run(app, host=host, port=port, log_level="warning", server_header=False, proxy_headers=False)
