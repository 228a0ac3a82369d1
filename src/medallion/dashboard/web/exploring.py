"""Questions of metrics: by a form, by an address or in words."""

from __future__ import annotations

import dataclasses
import re
from time import perf_counter
from typing import Any

import duckdb
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from medallion import metrics
from medallion.agent import audit
from medallion.config import utc_now
from medallion.dashboard import explore, pages, parameters, saved, searching, tables, words
from medallion.dashboard.listing import SHOWN
from medallion.dashboard.parameters import BadRequestError, Given
from medallion.dashboard.reading import Reading
from medallion.dashboard.web.answering import Answering
from medallion.dashboard.web.requests import form_of, from_here, plan_owner
from medallion.dashboard.web.responses import as_file
from medallion.errors import ContractError, MedallionError
from medallion.metrics.compilers.duckdb import Answer as Answered
from medallion.metrics.compilers.duckdb import answer, written_rows
from medallion.metrics.understanding import Understood


class Exploring(Answering):
    """Questions of metrics: by a form, by an address or in words."""

    def explore(self, request: Request, reading: Reading) -> Response:
        """Any question of metrics, by a form."""
        params = explore.given(request.query_params.multi_items())
        if kind := request.path_params.get("kind"):
            listed = explore.file(reading, params)
            return as_file(kind, listed.file_name, listed.write)
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
        from_here(request)
        form = await form_of(request)
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
        context = searching.page(reading, self.options.settings, text, plan_owner(request))
        response = self._html(
            request, reading, "search.html.j2", page="search", title=f"“{text}”", text=text, **context
        )
        if not context["answer"].declined or context["refused"]:  # it was a question
            seconds = round(perf_counter() - began, 4)
            response.background = BackgroundTask(
                audit.record, reading.lake, context["answer"], "dashboard", utc_now(), seconds
            )
        return response

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
