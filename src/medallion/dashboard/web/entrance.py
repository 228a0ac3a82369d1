"""Signing in and out, the theme, and the package's own files."""

from __future__ import annotations

from importlib.resources import files
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from medallion import charts
from medallion.dashboard import safety, words
from medallion.dashboard.parameters import BadRequestError
from medallion.dashboard.web.answering import THEMES, Answering
from medallion.dashboard.web.requests import form_of
from medallion.dashboard.web.responses import KEEP

_STATIC = {
    "app.css": "text/css", "app.js": "text/javascript", "htmx.min.js": "text/javascript", "icon.svg": "image/svg+xml",
}  # fmt: skip


class Entrance(Answering):
    """Signing in and out, the theme, and the package's own files."""

    def static(self, request: Request) -> Response:
        """The package's own files."""
        name = request.path_params["name"]
        if name == "vega.js":
            if name not in self._scripts:
                self._scripts[name] = charts.javascript().encode()
            return Response(self._scripts[name], media_type="text/javascript", headers=KEEP)
        if name not in _STATIC:
            raise HTTPException(404, words.say("not_found"))
        content = (files("medallion.dashboard") / "static" / name).read_bytes()
        return Response(content, media_type=_STATIC[name], headers=KEEP)

    async def theme(self, request: Request) -> Response:
        """Remember light, dark or what the system says, and go back."""
        chosen = (await form_of(request)).get("theme", "")
        if chosen not in THEMES:
            raise BadRequestError(words.say("no_such_theme", name=chosen[:20]))
        response = RedirectResponse(_back(request), status_code=303)
        response.set_cookie(
            "theme", chosen, max_age=31_536_000, httponly=True, samesite="strict", secure=self.options.door.secure
        )
        return response

    async def sign_in(self, request: Request) -> Response:
        """Ask for the password, and let in who knows it."""

        def again(status: int, problem: str) -> Response:
            return self._html(request, None, "sign_in.html.j2", status, page="", title="Sign in", problem=problem)

        door = self.options.door
        if request.method == "GET":
            return again(200, "")
        who = request.client.host if request.client else ""
        form = await form_of(request)
        user = form.get("user", "").strip()
        attempt = door.attempt(who, user)
        if attempt is None:
            return again(429, words.say("too_many"))
        if not await run_in_threadpool(door.admits, form.get("password", ""), user):
            return again(403, words.say("sign_in_failed_by_name" if door.passwords is not None else "sign_in_failed"))
        token = door.enter(who, attempt, user)
        response = RedirectResponse("/", status_code=303)
        response.set_cookie(
            safety.COOKIE, token, max_age=safety.SESSION_SECONDS, httponly=True, samesite="strict", secure=door.secure
        )
        return response

    async def sign_out(self, request: Request) -> Response:
        """End the session."""
        self.options.door.leave(request.cookies.get(safety.COOKIE))
        response = RedirectResponse("/sign-in", status_code=303)
        response.delete_cookie(safety.COOKIE)
        return response


def _back(request: Request) -> str:
    """Where a form was sent from, on this server."""
    came = urlsplit(request.headers.get("referer", ""))
    if came.netloc != request.headers.get("host") or not came.path.startswith("/") or came.path.startswith("//"):
        return "/pipeline"
    return came.path + (f"?{came.query}" if came.query else "")
