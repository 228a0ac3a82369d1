"""What a request says: its form, where it comes from, and whose plan it opens."""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request

from medallion.dashboard import parameters, words
from medallion.dashboard.parameters import BadRequestError, Given
from medallion.dashboard.reading import Reading

#: Cookie with the owner whose plan opens first.
MINE = "mine"
_MOST_FORM = 8192


async def form_of(request: Request) -> dict[str, str]:
    """What a form says, by field.

    Raises:
        BadRequestError: It is too long.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_FORM:
            raise BadRequestError(words.say("not_text", name="form", longest=_MOST_FORM))
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def for_who_sees_all(reading: Reading) -> None:
    """Refuse what is of everyone to who sees only some.

    Raises:
        HTTPException: The user sees only some.
    """
    if reading.person and not reading.person.sees_all:
        raise HTTPException(403, words.say("of_everyone"))


def from_here(request: Request) -> None:
    """Refuse a form that a page elsewhere has sent: browsers say where a form comes from, and pages cannot change that.

    Raises:
        HTTPException: It does not come from this dashboard.
    """
    site, origin = request.headers.get("sec-fetch-site"), urlsplit(request.headers.get("origin", ""))
    if not (site == "same-origin" if site else origin.netloc and origin.netloc == request.headers.get("host")):
        raise HTTPException(403, words.say("not_from_here"))


def plan_owner(request: Request) -> str:
    """Whose plan opens first; empty for everyone's."""
    return unquote(request.cookies.get(MINE, ""))[: parameters.LONGEST]


def look(request: Request) -> tuple[str | None, str]:
    """What a page has that depends on the viewer: the theme, and whose plan the first link opens."""
    return request.cookies.get("theme"), plan_owner(request)


def today_address(owner: str) -> str:
    """Where the plan of an owner is."""
    return f"/today{Given().query(owner=owner)}"
