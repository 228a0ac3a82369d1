"""Whom to contact, and what was done about it."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from medallion.care import follow_ups
from medallion.config import utc_now
from medallion.dashboard import parameters, today, words
from medallion.dashboard.parameters import BadRequestError
from medallion.dashboard.reading import Reading
from medallion.dashboard.web.answering import Answering
from medallion.dashboard.web.requests import MINE, form_of, from_here, plan_owner, today_address
from medallion.errors import MedallionError


class Plan(Answering):
    """Whom to contact, and what was done about it."""

    def today(self, request: Request, reading: Reading) -> Response:
        """Whom to contact, from the plan of the agent."""
        params = parameters.given(request.query_params.multi_items(), ("owner",))
        owner, known = params.get("owner"), today.owners(reading)
        if owner is not None and owner not in known:
            raise BadRequestError(words.say("no_such_owner", owner=owner))
        plan = today.today(reading, self.options.settings, owner, pii=self._pii(reading))
        return self._html(
            request, reading, "today.html.j2", page="today", title=words.PAGES["today"][0], owner=owner, owners=known, told=plan,
            snoozes=today.SNOOZES, mine=plan_owner(request),
        )  # fmt: skip

    async def remember(self, request: Request) -> Response:
        """Remember whose plan opens first."""
        owner = (await form_of(request)).get("owner", "")
        from_here(request)
        response = RedirectResponse(today_address(owner), status_code=303)
        secure = self.options.door.secure
        response.set_cookie(
            MINE, quote(owner), max_age=31_536_000 if owner else 0, httponly=True, samesite="strict", secure=secure
        )
        return response

    async def follow_up(self, request: Request) -> Response:
        """Record what was done with an account of the plan."""
        from_here(request)
        form = await form_of(request)
        return await run_in_threadpool(self._follow_up, request, form)

    def _follow_up(self, request: Request, form: dict[str, str]) -> Response:
        reading, door = self.source.reading(self._person(request)), self.options.door
        kind, days, key = form.get("kind", ""), form.get("days", ""), form.get("customer_id", "")
        known = reading.rows("select lead_id from gold.deals where customer_id = ? and status = 'open'", [key])
        day, lead = today.day_of(reading), form.get("lead_id") or None
        if day is None or not known or lead not in (None, *(deal["lead_id"] for deal in known)):
            raise BadRequestError(words.say("not_planned", key=key[:60]))
        until = None
        if kind == "snoozed":
            until = day + timedelta(days=next((n for n in today.SNOOZES if str(n) == days), 0))
        note = form.get("note", "") if kind == "note" else ""
        who = today.user(self._user(request), shared=door.password is not None)
        try:
            follow_ups.add(reading.lake, kind, day, key, lead, who, utc_now(), until=until, note=note)
        except MedallionError as error:
            return self._html(
                request, reading, "error.html.j2", 409, page="today", title=words.say("not_kept"), problem=error.problem,
                remedy=error.remedy,
            )  # fmt: skip
        return RedirectResponse(today_address(form.get("owner", "")), status_code=303)
