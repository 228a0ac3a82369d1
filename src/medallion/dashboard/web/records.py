"""Rows of tables, and the page of one customer or deal."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from medallion import metrics
from medallion.dashboard import deals, parameters, people, tables, words
from medallion.dashboard.listing import file_name
from medallion.dashboard.parameters import Given
from medallion.dashboard.reading import Reading
from medallion.dashboard.web.answering import Answering
from medallion.dashboard.web.responses import as_file


class Records(Answering):
    """Rows of tables, and the page of one customer or deal."""

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
        return as_file(
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


def _narrowing(params: Given, where: tuple[metrics.Filter, ...]) -> list[tuple[str, str]]:
    """What narrows rows, by name."""
    narrowing = list(parameters.of_dimensions(where).items())
    if of := params.get(tables.OF):
        kind = "numerator of" if params.get(tables.PART) else "rows of"
        narrowing.insert(0, (kind, metrics.named(of).measure.display_name))
    return narrowing
