"""Pages of metrics, their figures and pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from medallion import metrics
from medallion.config import utc_now
from medallion.dashboard import health, pages, parameters, tables, words
from medallion.dashboard.parameters import BadRequestError, Given
from medallion.dashboard.reading import Reading
from medallion.dashboard.web.answering import Answering
from medallion.dashboard.web.requests import for_who_sees_all, look
from medallion.dashboard.web.responses import FRESH, KEEP, compressed


class Figures(Answering):
    """Pages of metrics, their figures and pictures."""

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
        content = reading.written(("page", page.name, params, look(request), today), render)
        return compressed(request, content, "text/html; charset=utf-8", FRESH)

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
            return JSONResponse(pictures.document(draw(size), mode), headers=KEEP)  # type: ignore[arg-type]
        drawn = reading.written(key, lambda: pictures.svg(draw(size), mode).encode())  # type: ignore[arg-type]
        return compressed(request, drawn, "image/svg+xml", KEEP)

    def _drawing(self, request: Request, reading: Reading) -> tuple[Callable[[Any], dict[str, Any]], Given]:
        """What draws the figure of an address in some size, and the parameters."""
        from medallion.dashboard import pictures

        look = ("mode", "size", "v")
        if request.path_params["page"] == "health" and request.path_params["part"] == "reliability":
            for_who_sees_all(reading)
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
