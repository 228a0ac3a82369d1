"""The dashboard as a web application: addresses, checks, pages, pictures, downloads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from medallion.dashboard import pages
from medallion.dashboard.parameters import BadRequestError
from medallion.dashboard.reading import Reading
from medallion.dashboard.web.data_health import DataHealth
from medallion.dashboard.web.entrance import Entrance
from medallion.dashboard.web.exploring import Exploring
from medallion.dashboard.web.figures import Figures
from medallion.dashboard.web.guard import Guard
from medallion.dashboard.web.options import Options
from medallion.dashboard.web.pipeline import Pipeline
from medallion.dashboard.web.plan import Plan
from medallion.dashboard.web.records import Records
from medallion.dashboard.web.requests import plan_owner, today_address
from medallion.errors import MedallionError

#: Requests that are answered at a time; the others wait. Each thread keeps memory of its own.
THREADS = 12


class Dashboard(Plan, Pipeline, Figures, Exploring, Records, DataHealth, Entrance):
    """Answers requests from one lakehouse."""


def application(options: Options) -> Starlette:
    """The application, to be given to a server."""
    shown = Dashboard(options)

    def asked(path: str, answer: Callable[[Request, Reading], Response]) -> Route:
        return Route(path, shown.answering(answer), methods=["GET"])

    async def home(request: Request) -> Response:
        return RedirectResponse(today_address(plan_owner(request)))

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
