"""What is expected of the open pipeline, and how it changed."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from medallion.dashboard import changes, outlook, parameters, words
from medallion.dashboard.parameters import BadRequestError
from medallion.dashboard.reading import Reading
from medallion.dashboard.web.answering import Answering


class Pipeline(Answering):
    """What is expected of the open pipeline, and how it changed."""

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
