"""The pages about the data: row accounts, proofs, duplicates, the quarantine and its repairs."""

from __future__ import annotations

import re
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from medallion.config import utc_now
from medallion.dashboard import health, origins, parameters, repairs, today, words
from medallion.dashboard.parameters import BadRequestError, Given
from medallion.dashboard.reading import Reading
from medallion.dashboard.web.answering import Answering
from medallion.dashboard.web.requests import for_who_sees_all, form_of, from_here, look
from medallion.dashboard.web.responses import FRESH, compressed
from medallion.errors import MedallionError


class DataHealth(Answering):
    """The pages about the data, for who sees all of them."""

    def health(self, request: Request, reading: Reading) -> Response:
        """The page about the data, for who sees all of them."""
        for_who_sees_all(reading)
        parameters.given(request.query_params.multi_items(), ())
        minute = utc_now().replace(second=0, microsecond=0)

        def render() -> bytes:
            summary = health.health(reading, self.options.settings, minute)
            answer = self._html(
                request, reading, "health.html.j2", page="health", title=words.PAGES["health"][0], health=summary, nothing=Given()
            )  # fmt: skip
            return bytes(answer.body)

        content = reading.written(("health", minute, look(request)), render)
        return compressed(request, content, "text/html; charset=utf-8", FRESH)

    def accounts(self, request: Request, reading: Reading) -> Response:
        """All row accounts."""
        for_who_sees_all(reading)
        params = parameters.given(request.query_params.multi_items(), ())
        return self._listing(request, reading, health.accounts(reading), params, "/health")

    def origins(self, request: Request, reading: Reading) -> Response:
        """The rows behind a part of a row account."""
        for_who_sees_all(reading)
        params = parameters.given(request.query_params.multi_items(), ())
        named = {name: request.path_params[name] for name in origins.PARAMETERS}
        return self._listing(request, reading, origins.listed(reading, Given(tuple(named.items()))), params, "/health")

    def proof(self, request: Request, reading: Reading) -> Response:
        """What the deals came to when something was read."""
        for_who_sees_all(reading)
        parameters.given(request.query_params.multi_items(), ())
        proof, newest = health.proof_of(reading, request.path_params["run"])
        if proof is None:
            raise HTTPException(404, words.say("not_found"))
        return self._html(
            request, reading, "proof.html.j2", page="health", title=words.SECTIONS["proof"], told=proof, newest=newest
        )

    def duplicates(self, request: Request, reading: Reading) -> Response:
        """Pairs of records that may be one."""
        for_who_sees_all(reading)
        kind = parameters.given(request.query_params.multi_items(), ("of",)).get("of") or health.KINDS[0]
        if kind not in health.KINDS:
            raise BadRequestError(words.say("no_such_kind", name=kind[:40], known=", ".join(health.KINDS)))
        pairs, names = health.duplicates(reading, kind)
        return self._html(
            request, reading, "duplicates.html.j2", page="health", title=words.SECTIONS["duplicates"], kind=kind, kinds=health.KINDS,
            pairs=pairs, names=names,
        )  # fmt: skip

    def quarantine(self, request: Request, reading: Reading) -> Response:
        """The records that wait, with likely repairs."""
        for_who_sees_all(reading)
        params = parameters.given(request.query_params.multi_items(), repairs.PARAMETERS)
        replay = self.replays.last  # before the records: once it has ended, they are as it left them
        waiting = repairs.waiting(reading, self.options.settings, params, pii=self._pii(reading))
        return self._html(
            request, reading, "quarantine.html.j2", page="health", title=words.SECTIONS["quarantine"], told=waiting, found=params,
            replay=replay, corrected=waiting["corrected"], back=f"/health/quarantine{params.query()}",
        )  # fmt: skip

    def refused_record(self, request: Request, reading: Reading) -> Response:
        """One record of the quarantine."""
        for_who_sees_all(reading)
        parameters.given(request.query_params.multi_items(), ())
        key = request.path_params["key"]
        replay = self.replays.last  # before the record
        record = repairs.record(reading, self.options.settings, key, pii=self._pii(reading))
        if record is None:
            raise HTTPException(404, words.say("no_record", key=key[:60]))
        waits = record["resolved_by"] is None and bool(record["corrections"])
        return self._html(
            request, reading, "refused_record.html.j2", page="health", title=key, told=record, replay=replay,
            corrected=int(waits), back=request.url.path,
        )  # fmt: skip

    async def correct(self, request: Request) -> Response:
        """Write down what a record of the quarantine is to say."""
        from_here(request)
        form = await form_of(request)
        return await run_in_threadpool(
            self._repaired, request, lambda who: self._correct(request, form, who), request.url.path
        )

    def _correct(self, request: Request, form: dict[str, str], who: str) -> None:
        repairs.correct(self.options.settings, form, request.path_params["key"], who, utc_now())

    async def replay(self, request: Request) -> Response:
        """Begin a replay of the corrected records."""
        from_here(request)
        back = (await form_of(request)).get("back", "")
        to = back if re.fullmatch(r"/health/quarantine[^\\]*", back) else "/health/quarantine"
        settings = self.options.settings
        return await run_in_threadpool(
            self._repaired, request, lambda who: self.replays.start(settings, who, utc_now()), to
        )

    def _repaired(self, request: Request, repair: Callable[[str], object], to: str) -> Response:
        """Do a repair in the name of whoever asks, if they see everything with its values."""
        reading, door = self.source.reading(self._person(request)), self.options.door
        for_who_sees_all(reading)
        if not self._pii(reading):
            raise HTTPException(403, words.say("no_values"))
        try:
            repair(today.user(self._user(request), shared=door.password is not None))
        except MedallionError as error:
            return self._html(
                request, reading, "error.html.j2", 409, page="health", title=words.say("not_kept"), problem=error.problem,
                remedy=error.remedy,
            )  # fmt: skip
        return RedirectResponse(to, status_code=303)
