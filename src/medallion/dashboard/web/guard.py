"""Who is let in, and the headers that keep every answer safe."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from medallion.dashboard import safety, words
from medallion.dashboard.web.answering import Answering
from medallion.lakehouse import locks


class Guard:
    """Lets in who may come in, and gives every answer the headers that keep it safe.

    Requests read what the last finished command left, also while a replay writes in this process.
    """

    def __init__(self, app: ASGIApp, dashboard: Answering) -> None:
        self.app, self.dashboard = app, dashboard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        with locks.reading_only():
            await self._let_in(scope, receive, send)

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in safety.HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        request, door = Request(scope, receive), self.dashboard.options.door
        if not door.answers_to(request.headers.get("host", "")):
            answer: Response = PlainTextResponse(words.say("wrong_host"), 421)
        elif scope["path"] in ("/sign-in", "/alive") or scope["path"].startswith("/static/app."):
            await self.app(scope, receive, with_headers)
            return
        elif not door.knows(request.cookies.get(safety.COOKIE), request.headers):
            if not door.asks or (door.user_header and not request.headers.get(door.user_header)):
                answer = PlainTextResponse(words.say("no_user"), 401)
            else:
                answer = RedirectResponse("/sign-in", status_code=303)
        else:
            await self.app(scope, receive, with_headers)
            return
        await answer(scope, receive, with_headers)
