"""What every page needs: who looks, the lakehouse as they may see it, and the template around it."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import duckdb
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from medallion import access
from medallion.access import Person
from medallion.config import utc_now
from medallion.dashboard import copies, health, pages, repairs, safety, words
from medallion.dashboard.listing import Listing
from medallion.dashboard.parameters import BadRequestError, Given
from medallion.dashboard.reading import Reading, Source
from medallion.dashboard.web.options import Options
from medallion.dashboard.web.requests import plan_owner, today_address
from medallion.dashboard.web.responses import FRESH, as_file
from medallion.dashboard.web.templates import environment
from medallion.errors import MedallionError, StateRemovedError
from medallion.lakehouse import locks, manifests, query
from medallion.lakehouse.store import Lakehouse

THEMES = ("system", "light", "dark")


class Answering:
    """What every page needs: who looks, the lakehouse as they may see it, and the template around it."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.source = Source(Lakehouse(options.settings.lakehouse), self._prepare)
        self.templates = environment()
        self.replays = repairs.Replays()
        self._scripts: dict[str, bytes] = {}

    def _prepare(self, reading: Reading) -> None:
        """In the background: copies for filters and sorts, and what the pages need as they open."""
        with locks.reading_only():
            copies.make(reading)
            if reading.person and not reading.person.sees_all:
                return
            with suppress(MedallionError, duckdb.Error):  # whoever opens the page is told
                health.health(reading, self.options.settings, utc_now())

    def _person(self, request: Request) -> Person | None:
        """Who looks; None where nothing declares who may see what.

        Raises:
            HTTPException: The user whom the proxy names is not declared.
        """
        if self.options.people is None:
            return None
        door = self.options.door
        named = door.user_header or door.passwords is not None
        person = access.named(self.options.people, self._user(request)) if named else self.options.me
        if person is None:
            raise HTTPException(403, words.say("not_declared"))
        return person

    def _user(self, request: Request) -> str | None:
        """The name of who looks; None where nobody says it."""
        return self.options.door.user(request.cookies.get(safety.COOKIE), request.headers)

    def _pii(self, reading: Reading | None) -> bool:
        """Whether personal data is shown."""
        if self.options.people is None:
            return self.options.pii
        return bool(reading and reading.person and reading.person.personal)

    def _listing(self, request: Request, reading: Reading, listed: Listing, params: Given, back: str) -> Response:
        """Rows as a page, or as a file where the address ends in its kind."""
        kind = request.path_params.get("kind")
        if kind is None:
            return self._html(
                request, reading, "listing.html.j2", page="", title=listed.title, listed=listed, back=back,
                download=request.url.path, query=params.query(),
            )  # fmt: skip
        return as_file(kind, listed.file_name, listed.write)

    def answering(self, answer: Callable[[Request, Reading], Response]) -> Callable[[Request], Response]:
        """An endpoint that reads the newest version, and reads anew when a version's files were taken away."""

        def endpoint(request: Request) -> Response:
            person = self._person(request)
            try:
                return answer(request, self.source.reading(person))
            except (duckdb.IOException, StateRemovedError):
                self.source.forget()
                reading = self.source.reading(person)
                with query.damage_in_words(manifests.as_read(reading.lake), reading.tables):
                    return answer(request, reading)
            finally:
                self.source.answered()

        return endpoint

    def failed(self, request: Request, error: Exception) -> Response:
        """A page that says what is wrong, with the right status; never a stack trace."""
        remedy = ""
        if isinstance(error, BadRequestError):
            status, title, problem = 400, words.say("bad_request"), str(error)
        elif isinstance(error, HTTPException):
            status, title, problem = (
                error.status_code,
                words.say("missing"),
                error.detail if error.status_code in (403, 404) else words.say("not_found"),
            )
        elif isinstance(error, MedallionError):
            status, title, problem, remedy = 503, words.say("unavailable"), error.problem, error.remedy
        else:
            status, title, problem = 500, words.say("broken"), words.say("broken_more")
            traceback.print_exception(error, file=sys.stderr)
        return self._html(request, None, "error.html.j2", status, page="", title=title, problem=problem, remedy=remedy)

    def _html(
        self, request: Request, reading: Reading | None, template: str, status: int = 200, **context: Any
    ) -> Response:
        theme = request.cookies.get("theme")
        text = self.templates.get_template(template).render(
            theme=theme if theme in THEMES else "system",
            themes=THEMES,
            as_of=reading.as_of if reading else None,
            age=words.age(reading.as_of, utc_now().date()) if reading else "",
            currency=reading.currency if reading else "",
            currencies=reading.currencies if reading else "",
            sign=reading.sign if reading else "",
            pii=self._pii(reading),
            signed_in=self.options.door.asks,
            by_name=self.options.door.passwords is not None,
            nav=_nav(request) if reading else (),
            asked=_asked(request),
            **context,
        )
        return HTMLResponse(text, status, headers=FRESH)


def _nav(request: Request) -> list[tuple[str, str, str]]:
    """The pages with their addresses, which keep the filters that they know."""
    current = dict(request.query_params)
    links = []
    for name, (title, _) in words.PAGES.items():
        if name == "today":
            links.append((name, title, today_address(current.get("owner") or plan_owner(request))))
            continue
        known = pages.PAGES[name].filters if name in pages.PAGES else ()
        kept = Given(tuple((key, current[key]) for key in known if current.get(key)))
        links.append((name, title, f"/{name}{kept.query()}"))
    return links


def _asked(request: Request) -> list[tuple[str, str]]:
    """What an address narrows a page to, for a print."""
    return [
        (name, text)
        for name, text in request.query_params.multi_items()
        if text and name not in ("after", "at", "sort")
    ]
