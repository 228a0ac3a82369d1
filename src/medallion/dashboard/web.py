"""The dashboard as a web application: addresses, checks, pages, pictures, downloads."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import re
import sys
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from time import perf_counter
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import anyio
import anyio.to_thread
import duckdb
from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from medallion import access, charts, figures, metrics, temporary
from medallion.access import Person
from medallion.agent import audit
from medallion.care import follow_ups
from medallion.config import Settings, utc_now
from medallion.dashboard import (
    changes,
    copies,
    deals,
    explore,
    health,
    origins,
    outlook,
    pages,
    parameters,
    people,
    repairs,
    safety,
    saved,
    searching,
    tables,
    today,
    words,
    writing,
)
from medallion.dashboard.listing import SHOWN, Listing, file_name
from medallion.dashboard.parameters import BadRequestError, Given
from medallion.dashboard.reading import Reading, Source
from medallion.errors import ContractError, MedallionError, StateRemovedError
from medallion.lakehouse import locks, manifests, query
from medallion.lakehouse.store import Lakehouse
from medallion.metrics.compilers.duckdb import Answer as Answered
from medallion.metrics.compilers.duckdb import answer, written_rows
from medallion.metrics.understanding import Understood
from medallion.version import VERSION

THEMES = ("system", "light", "dark")
_STATIC = {
    "app.css": "text/css", "app.js": "text/javascript", "htmx.min.js": "text/javascript", "icon.svg": "image/svg+xml",
}  # fmt: skip
#: Cookie with the owner whose plan opens first.
MINE = "mine"
_MOST_FORM = 8192
#: Requests that are answered at a time; the others wait. Each thread keeps memory of its own.
THREADS = 12


@dataclass
class Options:
    """How a dashboard is shown.

    Attributes:
        settings: Lakehouse, weights of the score, contracts, models.
        door: Who may come in.
        pii: Whether personal data is shown, where nothing declares who may see what.
        people: Who may see what, where a file declares it.
        me: Who looks, where no proxy names the user.
        debug: Whether the terminal gets tracebacks.
    """

    settings: Settings
    door: safety.Door = field(default_factory=safety.Door)
    pii: bool = False
    people: tuple[Person, ...] | None = None
    me: Person | None = None
    debug: bool = False


def environment() -> Environment:
    """The environment of the templates, which escapes everything."""
    templates = Environment(
        loader=PackageLoader("medallion.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals.update(
        words=words,
        cell=_cell,
        written=_written,
        count=figures.count,
        ratio=figures.ratio,
        NUMBERS=tables.NUMBERS,
        ANSWERED=searching.NUMBERS,
        LINKED=searching.LINKED,
        version=_version(),
    )
    templates.filters["spaced"] = lambda text: "" if text is None else str(text).replace("_", " ")
    templates.filters["fitting"] = writing.fitting
    templates.filters["commands"] = words.commands
    return templates


@pass_context
def _cell(context: Context, kind: str, value: Any) -> str:
    return writing.cell(kind, value, context["currency"])


@pass_context
def _written(context: Context, name: str, value: Any) -> str:
    return metrics.written(name, value, context["currency"])


def _version() -> str:
    """Changes with the package's own files, so that a browser does not keep old ones."""
    content = b"".join((files("medallion.dashboard") / "static" / name).read_bytes() for name in ("app.css", "app.js"))
    return f"{VERSION}-{hashlib.sha256(content).hexdigest()[:8]}"


class Dashboard:
    """Answers requests from one lakehouse."""

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

    # pages ---------------------------------------------------------------------------------------------------------

    def page(self, request: Request, reading: Reading) -> Response:
        """One of the pages with metrics, figures and a table."""
        page = pages.PAGES[request.path_params["page"]]
        given = parameters.given(request.query_params.multi_items(), page.allowed)
        try:
            params = parameters.checked(given, reading)
        except BadRequestError as error:  # the filters stay on the page, to be changed there
            return self._html(
                request, reading, "refused.html.j2", 400, problem=str(error), **_head(page, given, reading)
            )

        def render() -> bytes:
            context = page_context(page, params, reading, pii=self._pii(reading))
            return bytes(self._html(request, reading, "page.html.j2", **context).body)

        today = utc_now().date()  # the page says how old its figures are
        content = reading.written(("page", page.name, params, _look(request), today), render)
        return _compressed(request, content, "text/html; charset=utf-8", _FRESH)

    def today(self, request: Request, reading: Reading) -> Response:
        """Whom to contact, from the plan of the agent."""
        params = parameters.given(request.query_params.multi_items(), ("owner",))
        owner, known = params.get("owner"), today.owners(reading)
        if owner is not None and owner not in known:
            raise BadRequestError(words.say("no_such_owner", owner=owner))
        plan = today.today(reading, self.options.settings, owner, pii=self._pii(reading))
        return self._html(
            request, reading, "today.html.j2", page="today", title=words.PAGES["today"][0], owner=owner, owners=known, told=plan,
            snoozes=today.SNOOZES, mine=_plan_owner(request),
        )  # fmt: skip

    async def remember(self, request: Request) -> Response:
        """Remember whose plan opens first."""
        owner = (await _form(request)).get("owner", "")
        _from_here(request)
        response = RedirectResponse(_today(owner), status_code=303)
        secure = self.options.door.secure
        response.set_cookie(
            MINE, quote(owner), max_age=31_536_000 if owner else 0, httponly=True, samesite="strict", secure=secure
        )
        return response

    async def follow_up(self, request: Request) -> Response:
        """Record what was done with an account of the plan."""
        _from_here(request)
        form = await _form(request)
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
        return RedirectResponse(_today(form.get("owner", "")), status_code=303)

    def forecast(self, request: Request, reading: Reading) -> Response:
        """The forecast of a period beside its quota."""
        params = parameters.given(request.query_params.multi_items(), outlook.PARAMETERS)
        context = outlook.page(reading, self.options.settings, params)
        return self._html(
            request, reading, "forecast.html.j2", page="forecast", title=words.PAGES["forecast"][0], splits=outlook.SPLITS, **context
        )  # fmt: skip

    def forecast_deals(self, request: Request, reading: Reading) -> Response:
        """The deals behind a figure of the forecast."""
        params = parameters.given(request.query_params.multi_items(), (*outlook.PARAMETERS, "part", "group"))
        back = f"/forecast{params.query(only=outlook.PARAMETERS)}"
        return self._listing(request, reading, outlook.listed(reading, self.options.settings, params), params, back)

    def changes(self, request: Request, reading: Reading) -> Response:
        """How the open pipeline of one day became that of another."""
        params = parameters.given(request.query_params.multi_items(), changes.PARAMETERS)
        try:
            context, problem = changes.page(reading, params), ""
        except BadRequestError as error:  # the days stay on the page, to be changed there
            context, problem = {"start": None, "end": None, "by": params.get("by")}, str(error)
        return self._html(
            request, reading, "changes.html.j2", 400 if problem else 200, page="changes", title=words.PAGES["changes"][0],
            splits=changes.SPLITS, found=params, problem=problem, **context,
        )  # fmt: skip

    def steps(self, request: Request, reading: Reading) -> Response:
        """The steps behind a part of what changed."""
        params = parameters.given(request.query_params.multi_items(), (*changes.PARAMETERS, "part", "group"))
        back = f"/changes{params.query(only=changes.PARAMETERS)}"
        return self._listing(request, reading, changes.listed(reading, params), params, back)

    def explore(self, request: Request, reading: Reading) -> Response:
        """Any question of metrics, by a form."""
        params = explore.given(request.query_params.multi_items())
        if kind := request.path_params.get("kind"):
            listed = explore.file(reading, params)
            return _file(kind, listed.file_name, listed.write)
        context: dict[str, Any] = {}
        try:
            context, problem = explore.page(reading, params), ""
        except BadRequestError as error:  # the question stays on the page, to be changed there
            problem = str(error)
        return self._html(
            request, reading, "explore.html.j2", 400 if problem else 200, page="explore",
            title=words.PAGES["explore"][0] if problem else str(context["understood"]), found=params, problem=problem,
            form=explore.form(reading, params), views=saved.views(), place=saved.folder(), **context,
        )  # fmt: skip

    def behind(self, request: Request, reading: Reading) -> Response:
        """The rows behind a figure of Explore."""
        keys = [name for name in request.query_params if re.fullmatch(r"key\d", name)]
        params = explore.given(request.query_params.multi_items(), ("of", *keys))
        back = f"/explore{params.query(only=parameters.QUESTION)}"
        most = None if "kind" in request.path_params else SHOWN
        return self._listing(request, reading, explore.listed(reading, params, most), params, back)

    def catalogue(self, request: Request, reading: Reading) -> Response:
        """All metrics."""
        parameters.given(request.query_params.multi_items(), ())
        return self._html(
            request, reading, "catalogue.html.j2", page="explore", title="Metrics", every=list(metrics.metrics().values())
        )  # fmt: skip

    async def save_view(self, request: Request) -> Response:
        """Keep a question under a name."""
        _from_here(request)
        form = await _form(request)
        name = form.pop("view", "")
        params = explore.given(list(form.items()))
        return await run_in_threadpool(self._save_view, request, name, params)

    def _save_view(self, request: Request, name: str, params: Given) -> Response:
        reading = self.source.reading(self._person(request))
        explore.answered(reading, explore.question(params))
        try:
            view = saved.save(name, params)
        except MedallionError as error:
            return self._html(
                request, reading, "error.html.j2", 409, page="explore", title=words.say("not_kept"), problem=error.problem,
                remedy=error.remedy,
            )  # fmt: skip
        return RedirectResponse(view.address, status_code=303)

    def search(self, request: Request, reading: Reading) -> Response:
        """The answer to what was typed into the search box, and whatever has that text in its name."""
        text = parameters.given(request.query_params.multi_items(), ("q",), searching.LONGEST).get("q") or ""
        if not text:
            return self._html(
                request, reading, "search.html.j2", page="search", title="Ask or search", text=text, answer=None
            )
        began = perf_counter()
        context = searching.page(reading, self.options.settings, text, _plan_owner(request))
        response = self._html(
            request, reading, "search.html.j2", page="search", title=f"“{text}”", text=text, **context
        )
        if not context["answer"].declined or context["refused"]:  # it was a question
            seconds = round(perf_counter() - began, 4)
            response.background = BackgroundTask(
                audit.record, reading.lake, context["answer"], "dashboard", utc_now(), seconds
            )
        return response

    def _listing(self, request: Request, reading: Reading, listed: Listing, params: Given, back: str) -> Response:
        """Rows as a page, or as a file where the address ends in its kind."""
        kind = request.path_params.get("kind")
        if kind is None:
            return self._html(
                request, reading, "listing.html.j2", page="", title=listed.title, listed=listed, back=back,
                download=request.url.path, query=params.query(),
            )  # fmt: skip
        return _file(kind, listed.file_name, listed.write)

    def health(self, request: Request, reading: Reading) -> Response:
        """The page about the data, for who sees all of them."""
        _for_who_sees_all(reading)
        parameters.given(request.query_params.multi_items(), ())
        minute = utc_now().replace(second=0, microsecond=0)

        def render() -> bytes:
            summary = health.health(reading, self.options.settings, minute)
            answer = self._html(
                request, reading, "health.html.j2", page="health", title=words.PAGES["health"][0], health=summary, nothing=Given()
            )  # fmt: skip
            return bytes(answer.body)

        content = reading.written(("health", minute, _look(request)), render)
        return _compressed(request, content, "text/html; charset=utf-8", _FRESH)

    def accounts(self, request: Request, reading: Reading) -> Response:
        """All row accounts."""
        _for_who_sees_all(reading)
        params = parameters.given(request.query_params.multi_items(), ())
        return self._listing(request, reading, health.accounts(reading), params, "/health")

    def origins(self, request: Request, reading: Reading) -> Response:
        """The rows behind a part of a row account."""
        _for_who_sees_all(reading)
        params = parameters.given(request.query_params.multi_items(), ())
        named = {name: request.path_params[name] for name in origins.PARAMETERS}
        return self._listing(request, reading, origins.listed(reading, Given(tuple(named.items()))), params, "/health")

    def proof(self, request: Request, reading: Reading) -> Response:
        """What the deals came to when something was read."""
        _for_who_sees_all(reading)
        parameters.given(request.query_params.multi_items(), ())
        proof, newest = health.proof_of(reading, request.path_params["run"])
        if proof is None:
            raise HTTPException(404, words.say("not_found"))
        return self._html(
            request, reading, "proof.html.j2", page="health", title=words.SECTIONS["proof"], told=proof, newest=newest
        )

    def duplicates(self, request: Request, reading: Reading) -> Response:
        """Pairs of records that may be one."""
        _for_who_sees_all(reading)
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
        _for_who_sees_all(reading)
        params = parameters.given(request.query_params.multi_items(), repairs.PARAMETERS)
        replay = self.replays.last  # before the records: once it has ended, they are as it left them
        waiting = repairs.waiting(reading, self.options.settings, params, pii=self._pii(reading))
        return self._html(
            request, reading, "quarantine.html.j2", page="health", title=words.SECTIONS["quarantine"], told=waiting, found=params,
            replay=replay, corrected=waiting["corrected"], back=f"/health/quarantine{params.query()}",
        )  # fmt: skip

    def refused_record(self, request: Request, reading: Reading) -> Response:
        """One record of the quarantine."""
        _for_who_sees_all(reading)
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
        _from_here(request)
        form = await _form(request)
        return await run_in_threadpool(
            self._repaired, request, lambda who: self._correct(request, form, who), request.url.path
        )

    def _correct(self, request: Request, form: dict[str, str], who: str) -> None:
        repairs.correct(self.options.settings, form, request.path_params["key"], who, utc_now())

    async def replay(self, request: Request) -> Response:
        """Begin a replay of the corrected records."""
        _from_here(request)
        back = (await _form(request)).get("back", "")
        to = back if re.fullmatch(r"/health/quarantine[^\\]*", back) else "/health/quarantine"
        settings = self.options.settings
        return await run_in_threadpool(
            self._repaired, request, lambda who: self.replays.start(settings, who, utc_now()), to
        )

    def _repaired(self, request: Request, repair: Callable[[str], object], to: str) -> Response:
        """Do a repair in the name of whoever asks, if they see everything with its values."""
        reading, door = self.source.reading(self._person(request)), self.options.door
        _for_who_sees_all(reading)
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

    def metric(self, request: Request, reading: Reading) -> Response:
        """What a metric is, what it is worth, and where it comes from."""
        name = request.path_params["name"]
        try:
            metric = metrics.named(name)
        except ContractError as error:
            raise HTTPException(404, words.say("no_such_metric", name=name[:60])) from error
        dimensions = metric.view.dimensions
        params = parameters.given(request.query_params.multi_items(), [*parameters.allowed_of(dimensions), "by"])
        where = parameters.to_filters(params, dimensions, reading.known)
        by = params.get("by")
        if by is not None and metric.view.dimension(by) is None:
            raise BadRequestError(words.say("no_such_dimension", metric=name, name=by))
        try:
            metrics.understand(metric, [by] if by else [], where, reading.known, reading.last_day)
            metric.settled({})
        except ContractError as error:
            raise BadRequestError(words.refused(error)) from error
        answer = reading.ask(name, where=where)
        split = reading.ask(name, (by,), where, largest=200) if by else None
        rows, n = tables.behind(reading, {name: where})[name]
        behind = tables.behind_split(reading, name, by, where) if by else None
        return self._html(
            request, reading, "metric.html.j2", page="", title=metric.measure.display_name, metric=metric, answer=answer, by=by,
            split=split, found=params, rows=rows, n=n, above=tables.above_address(reading, name, where), behind=behind, label=pages.label,
            row_address=lambda key: tables.rows_address(name, (*where, metrics.Filter(by or "", (key or "",)))),
        )  # fmt: skip

    def question(self, request: Request, reading: Reading) -> Response:
        """The answer to a question, or a list of records, as an address asks it."""
        entity, items = request.path_params.get("entity"), request.query_params.multi_items()
        params = parameters.given(items, parameters.RECORDS if entity else parameters.QUESTION)
        asked = parameters.records(entity, params) if entity else parameters.question(params)

        def compute(cursor: duckdb.DuckDBPyConnection) -> Answered:
            return answer(cursor, asked)

        try:
            result = reading.once(("question", asked), lambda: reading.answer(compute))
        except ContractError as error:
            raise BadRequestError(words.refused(error)) from error
        totals = (
            written_rows(dataclasses.replace(result, rows=[result.totals]), reading.currency) if result.totals else [{}]
        )
        return self._html(
            request, reading, "question.html.j2", page="", title=str(result.understood), answer=result, totals=totals[0],
            rows=written_rows(result, reading.currency), told=result.understood.metrics if isinstance(result.understood, Understood) else (),
        )  # fmt: skip

    def rows(self, request: Request, reading: Reading) -> Response:
        """The rows of a table."""
        table = tables.TABLES.get(request.path_params["table"])
        if table is None:
            raise HTTPException(404, words.say("not_found"))
        params = parameters.given(request.query_params.multi_items(), table.allowed)
        where = table.understood(params, reading)
        slice_ = tables.page(reading, table, params, where, pii=self._pii(reading), size=50)
        narrowing = _narrowing(params, where)
        return self._html(
            request, reading, "rows.html.j2", page="", title=table.title, slice=slice_, found=params, told=narrowing,
            base=f"/rows/{table.name}", download=f"/rows/{table.name}",
        )  # fmt: skip

    def download(self, request: Request, reading: Reading) -> Response:
        """The rows of a table as a file."""
        table, kind = tables.TABLES.get(request.path_params["table"]), request.path_params["kind"]
        if table is None:
            raise HTTPException(404, words.say("not_found"))
        params = parameters.given(request.query_params.multi_items(), table.allowed)
        where = table.understood(params, reading)
        searched = [("search", text)] if (text := params.get("q")) else []
        narrowing = [*_narrowing(params, where), *searched, ("as of", str(reading.last_day))]
        return _file(
            kind,
            lambda kind: file_name(table.name, narrowing, kind),
            lambda path: tables.download(reading, table, params, where, path, narrowing, pii=self._pii(reading)),
        )

    def customer(self, request: Request, reading: Reading) -> Response:
        """One customer."""
        parameters.given(request.query_params.multi_items(), ())
        key = request.path_params["key"]
        customer = people.customer(reading, self.options.settings.score, key, pii=self._pii(reading))
        if customer is None:
            raise HTTPException(404, words.say("no_customer", key=key[:60]))
        name = customer["account"]["customer_name"] or key
        return self._html(request, reading, "customer.html.j2", page="customers", title=name, told=customer)

    def deal(self, request: Request, reading: Reading) -> Response:
        """One deal."""
        parameters.given(request.query_params.multi_items(), ())
        key = request.path_params["key"]
        deal = deals.deal(reading, key, pii=self._pii(reading))
        if deal is None:
            raise HTTPException(404, words.say("no_deal", key=key[:60]))
        return self._html(request, reading, "deal.html.j2", page="pipeline", title=key, told=deal)

    # figures -------------------------------------------------------------------------------------------------------

    def figure(self, request: Request, reading: Reading) -> Response:
        """A figure as a table, each row with the rows behind it."""
        page, part, params = self._part(request, reading, ())
        if isinstance(part, pages.Trend):
            return RedirectResponse(
                f"/rows/days{Given(params.values).query(only=(), day_from=params.get('from'), day_to=params.get('to'))}"
            )
        split = pages.split(part, params, reading)
        first = metrics.named(part.metrics[0])
        where = (*part.where, *parameters.filters(first, params))
        return self._html(
            request, reading, "figure.html.j2", page=page.name, title=part.title, part=part, split=split, found=params, owner=page,
            columns=[metrics.named(name) for name in part.metrics],
            left_out={name: parameters.left_out(metrics.named(name), params) for name in part.metrics},
            unknown={name: parameters.unknown(metrics.named(name), params) for name in part.metrics},
            row_address=lambda key: tables.rows_address(first.name, (*where, metrics.Filter(part.by, (key or "",)))),
        )  # fmt: skip

    def picture(self, request: Request, reading: Reading) -> Response:
        """A figure as SVG, or as JSON for Vega-Embed."""
        from medallion.dashboard import pictures

        kind = request.path_params["kind"]
        if kind not in ("svg", "json"):
            raise HTTPException(404, words.say("not_found"))
        draw, params = self._drawing(request, reading)
        mode, size = params.get("mode") or "light", params.get("size") or "normal"
        if mode not in ("light", "dark") or size not in pictures.ACROSS:
            raise BadRequestError(words.say("no_such_look"))
        key = ("drawn", request.url.path, params)
        if kind == "json":
            return JSONResponse(pictures.document(draw(size), mode), headers=_KEEP)  # type: ignore[arg-type]
        drawn = reading.written(key, lambda: pictures.svg(draw(size), mode).encode())  # type: ignore[arg-type]
        return _compressed(request, drawn, "image/svg+xml", _KEEP)

    def _drawing(self, request: Request, reading: Reading) -> tuple[Callable[[Any], dict[str, Any]], Given]:
        """What draws the figure of an address in some size, and the parameters."""
        from medallion.dashboard import pictures

        look = ("mode", "size", "v")
        if request.path_params["page"] == "health" and request.path_params["part"] == "reliability":
            _for_who_sees_all(reading)
            model = health.model(reading, self.options.settings)
            if not model.get("reliability"):
                raise HTTPException(404, words.say("not_found"))
            given = parameters.given(request.query_params.multi_items(), look)
            return lambda size: pictures.reliability(model["reliability"], model["horizon_days"], size), given
        _page, part, params = self._part(request, reading, look)
        if isinstance(part, pages.Trend):
            return lambda size: pictures.trend(part, part.rows(params, reading), size, reading.currency), params
        return lambda size: pictures.draw(pages.split(part, params, reading), size, reading.currency), params

    def _part(
        self, request: Request, reading: Reading, more: tuple[str, ...]
    ) -> tuple[pages.Page, pages.Part | pages.Trend, Given]:
        page = pages.PAGES.get(request.path_params["page"])
        part = pages.part_of(page, request.path_params["part"]) if page else None
        if page is None or part is None:
            raise HTTPException(404, words.say("not_found"))
        params = parameters.given(request.query_params.multi_items(), [*page.filters, *more])
        return page, part, parameters.checked(params, reading)

    # the rest ------------------------------------------------------------------------------------------------------

    def static(self, request: Request) -> Response:
        """The package's own files."""
        name = request.path_params["name"]
        if name == "vega.js":
            if name not in self._scripts:
                self._scripts[name] = charts.javascript().encode()
            return Response(self._scripts[name], media_type="text/javascript", headers=_KEEP)
        if name not in _STATIC:
            raise HTTPException(404, words.say("not_found"))
        content = (files("medallion.dashboard") / "static" / name).read_bytes()
        return Response(content, media_type=_STATIC[name], headers=_KEEP)

    async def theme(self, request: Request) -> Response:
        """Remember light, dark or what the system says, and go back."""
        chosen = (await _form(request)).get("theme", "")
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
        form = await _form(request)
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
        return HTMLResponse(text, status, headers=_FRESH)


_KEEP = {"cache-control": "private, max-age=86400"}
_FRESH = {"cache-control": "no-store", "vary": "HX-Request, Cookie"}


def _compressed(request: Request, content: bytes, kind: str, headers: dict[str, str]) -> Response:
    """An answer whose content is compressed already, if the browser takes it so."""
    if "gzip" in request.headers.get("accept-encoding", ""):
        vary = ", ".join(filter(None, (headers.get("vary"), "Accept-Encoding")))
        return Response(content, media_type=kind, headers={**headers, "content-encoding": "gzip", "vary": vary})
    return Response(gzip.decompress(content), media_type=kind, headers=headers)


_MEDIA = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}


def _file(kind: str, name: Callable[[str], str], write: Callable[[Path], None]) -> Response:
    """A file to download, which is removed when it is sent."""
    if kind not in _MEDIA:
        raise HTTPException(404, words.say("not_found"))
    folder, remove = temporary.make()
    path = Path(folder, name(kind))
    try:
        write(path)
    except BaseException:
        remove()
        raise
    return FileResponse(path, media_type=_MEDIA[kind], filename=path.name, background=BackgroundTask(remove))


def page_context(
    page: pages.Page, params: Given, reading: Reading, *, pii: bool, size: int | None = None
) -> dict[str, Any]:
    """What the template of a page needs."""
    head = _head(page, params, reading)
    filters = head["filters"]
    context: dict[str, Any] = {
        **head,
        "cards": pages.cards(page, filters, reading),
        "slice": _slice(page.table, page, params, filters, reading, pii=pii, size=size or page.size)
        if page.table
        else None,
        "more": [_slice(name, page, filters, filters, reading, pii=pii, size=10) for name in page.more],
        "observed": pages.observed(reading) if page.name == "pipeline" else [],
        "left_out": _left_out(page.table, filters) if page.table else (),
        "download": f"/rows/{page.table}",
        "table_query": _table_filters(page.table, filters).query() if page.table else "",
    }
    return context


def _head(page: pages.Page, params: Given, reading: Reading) -> dict[str, Any]:
    """What stands at the top of a page: its name and its filters as they were given."""
    return {
        "page": page.name,
        "title": page.title,
        "says": words.PAGES[page.name][1],
        "shown": page,
        "base": f"/{page.name}",
        "found": params,
        "filters": Given(tuple((name, value) for name, value in params.values if name in page.filters)),
        "presets": _presets(page, params, reading),
        "options": {name: parameters.options(name, reading) for name in page.filters if name in parameters.CHOICES},
    }


def _presets(page: pages.Page, params: Given, reading: Reading) -> list[tuple[str, str, bool]]:
    """Periods to choose from on a page with dates: name, address, and whether it is the one that is shown."""
    if "from" not in page.filters:
        return []
    kept, shown = (*page.filters, "sort", "q"), (params.get("from"), params.get("to"))
    presets = [("all time", f"/{page.name}{params.query(only=kept, from_=None, to=None)}", shown == (None, None))]
    for name, span in parameters.presets(reading.last_day).items():
        days = (str(span.first), str(min(span.last, reading.last_day)))
        presets.append((name, f"/{page.name}{params.query(only=kept, from_=days[0], to=days[1])}", shown == days))
    return presets


def _narrowing(params: Given, where: tuple[metrics.Filter, ...]) -> list[tuple[str, str]]:
    """What narrows rows, by name."""
    narrowing = list(parameters.of_dimensions(where).items())
    if of := params.get(tables.OF):
        kind = "numerator of" if params.get(tables.PART) else "rows of"
        narrowing.insert(0, (kind, metrics.named(of).measure.display_name))
    return narrowing


def _left_out(name: str, filters: Given) -> tuple[str, ...]:
    """Filters of a page that a table is not narrowed by."""
    known = tables.TABLES[name].filters
    given = [key for key, _ in filters.values if parameters.CHOICES.get(key) not in known]
    return tuple(dict.fromkeys("dates" if key in parameters.DATES else key for key in given))


def _slice(
    name: str, page: pages.Page, params: Given, filters: Given, reading: Reading, *, pii: bool, size: int
) -> tables.Slice:
    table = tables.TABLES[name]
    return tables.page(reading, table, params, _where(table, filters), pii=pii, size=size)


def _where(table: tables.Table, filters: Given) -> tuple[metrics.Filter, ...]:
    given = _table_filters(table.name, filters)
    return tuple(metrics.Filter(name, (parameters.stored(text),)) for name, text in given.values)


def _table_filters(name: str, filters: Given) -> Given:
    """The filters of a page as a table names them; those that it does not know are left out."""
    known = tables.TABLES[name].filters
    renamed = {dimension: filters.get(choice) for choice, dimension in parameters.CHOICES.items() if dimension in known}
    return Given(tuple((key, value) for key, value in renamed.items() if value))


def _nav(request: Request) -> list[tuple[str, str, str]]:
    """The pages with their addresses, which keep the filters that they know."""
    current = dict(request.query_params)
    links = []
    for name, (title, _) in words.PAGES.items():
        if name == "today":
            links.append((name, title, _today(current.get("owner") or _plan_owner(request))))
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


async def _form(request: Request) -> dict[str, str]:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_FORM:
            raise BadRequestError(words.say("not_text", name="form", longest=_MOST_FORM))
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def _for_who_sees_all(reading: Reading) -> None:
    """Refuse what is of everyone to who sees only some.

    Raises:
        HTTPException: The user sees only some.
    """
    if reading.person and not reading.person.sees_all:
        raise HTTPException(403, words.say("of_everyone"))


def _from_here(request: Request) -> None:
    """Refuse a form that a page elsewhere has sent: browsers say where a form comes from, and pages cannot change that.

    Raises:
        HTTPException: It does not come from this dashboard.
    """
    site, origin = request.headers.get("sec-fetch-site"), urlsplit(request.headers.get("origin", ""))
    if not (site == "same-origin" if site else origin.netloc and origin.netloc == request.headers.get("host")):
        raise HTTPException(403, words.say("not_from_here"))


def _plan_owner(request: Request) -> str:
    """Whose plan opens first; empty for everyone's."""
    return unquote(request.cookies.get(MINE, ""))[: parameters.LONGEST]


def _look(request: Request) -> tuple[str | None, str]:
    """What a page has that depends on the viewer: the theme, and whose plan the first link opens."""
    return request.cookies.get("theme"), _plan_owner(request)


def _today(owner: str) -> str:
    return f"/today{Given().query(owner=owner)}"


def _back(request: Request) -> str:
    """Where a form was sent from, on this server."""
    came = urlsplit(request.headers.get("referer", ""))
    if came.netloc != request.headers.get("host") or not came.path.startswith("/") or came.path.startswith("//"):
        return "/pipeline"
    return came.path + (f"?{came.query}" if came.query else "")


class Guard:
    """Lets in who may come in, and gives every answer the headers that keep it safe.

    Requests read what the last finished command left, also while a replay writes in this process.
    """

    def __init__(self, app: ASGIApp, dashboard: Dashboard) -> None:
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


def application(options: Options) -> Starlette:
    """The application, to be given to a server."""
    shown = Dashboard(options)

    def asked(path: str, answer: Callable[[Request, Reading], Response]) -> Route:
        return Route(path, shown.answering(answer), methods=["GET"])

    async def home(request: Request) -> Response:
        return RedirectResponse(_today(_plan_owner(request)))

    async def alive(request: Request) -> Response:
        return PlainTextResponse("alive")

    async def failed(request: Request, error: Exception) -> Response:
        return await run_in_threadpool(shown.failed, request, error)

    @asynccontextmanager
    async def open_until_the_end(_app: Starlette) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        yield
        await run_in_threadpool(shown.source.close)

    return Starlette(
        lifespan=open_until_the_end,
        routes=[
            Route("/", home),
            Route("/alive", alive),
            Route("/sign-in", shown.sign_in, methods=["GET", "POST"]),
            Route("/sign-out", shown.sign_out, methods=["POST"]),
            Route("/theme", shown.theme, methods=["POST"]),
            Route("/static/{name}", shown.static),
            asked("/today", shown.today),
            Route("/today/mine", shown.remember, methods=["POST"]),
            Route("/today/done", shown.follow_up, methods=["POST"]),
            asked("/forecast", shown.forecast),
            asked("/forecast/deals.{kind}", shown.forecast_deals),
            asked("/forecast/deals", shown.forecast_deals),
            asked("/changes", shown.changes),
            asked("/changes/steps.{kind}", shown.steps),
            asked("/changes/steps", shown.steps),
            asked("/health", shown.health),
            asked("/health/accounts.{kind}", shown.accounts),
            asked("/health/accounts", shown.accounts),
            asked("/health/rows/{batch}/{entity}/{part}.{kind}", shown.origins),
            asked("/health/rows/{batch}/{entity}/{part}", shown.origins),
            asked("/health/proofs/{run}", shown.proof),
            asked("/health/duplicates", shown.duplicates),
            asked("/health/quarantine", shown.quarantine),
            asked("/health/quarantine/{key}", shown.refused_record),
            Route("/health/quarantine/{key}", shown.correct, methods=["POST"]),
            Route("/health/replay", shown.replay, methods=["POST"]),
            asked("/explore.{kind}", shown.explore),
            asked("/explore", shown.explore),
            Route("/explore/views", shown.save_view, methods=["POST"]),
            asked("/explore/rows.{kind}", shown.behind),
            asked("/explore/rows", shown.behind),
            asked("/search", shown.search),
            asked("/metrics", shown.catalogue),
            asked("/metrics/{name}", shown.metric),
            asked("/question", shown.question),
            asked("/records/{entity}", shown.question),
            asked("/rows/{table}.{kind}", shown.download),
            asked("/rows/{table}", shown.rows),
            asked("/figures/{page}/{part}", shown.figure),
            asked("/charts/{page}/{part}.{kind}", shown.picture),
            asked("/customers/{key:path}", shown.customer),
            asked("/deals/{key:path}", shown.deal),
            *(Route(f"/{name}", _named(shown, name), methods=["GET"]) for name in pages.PAGES),
        ],
        middleware=[Middleware(Guard, dashboard=shown), Middleware(GZipMiddleware, minimum_size=600)],
        exception_handlers={
            BadRequestError: failed,
            MedallionError: failed,
            HTTPException: failed,
            Exception: failed,
        },
    )


def _named(shown: Dashboard, name: str) -> Callable[[Request], Response]:
    def page(request: Request, reading: Reading) -> Response:
        request.path_params["page"] = name
        return shown.page(request, reading)

    return shown.answering(page)
