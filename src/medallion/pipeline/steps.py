"""Named steps with their seconds, and the order of things that depend on one another."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context
from graphlib import TopologicalSorter
from typing import TypeVar

from medallion import log

T = TypeVar("T", bound=Hashable)

#: How the caller hears of progress: a step's name before it, and again with its seconds after it.
Report = Callable[[str, float | None], None]


class Steps:
    """Runs steps by name, tells of them and keeps their seconds, and the name of the first that failed."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.seconds: dict[str, float] = {}
        self.failed: str | None = None

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time what happens inside and report it under this name."""
        self.report(name, None)
        log.event("step started", logging.DEBUG, step=name)
        started = time.perf_counter()
        try:
            yield
        except BaseException as error:
            seconds, self.failed = round(time.perf_counter() - started, 3), self.failed or name
            log.event("step failed", logging.ERROR, step=name, seconds=seconds, error=type(error).__name__)
            raise
        self.seconds[name] = round(time.perf_counter() - started, 3)
        log.event("step finished", step=name, seconds=self.seconds[name])
        self.report(name, self.seconds[name])


def in_order(needs: Mapping[T, set[T]], work: Callable[[T], None], workers: int) -> None:
    """Do `work` for every task once those that it needs are done, several at a time; the first named goes first.

    The first error ends it: what runs is let finish, nothing new is started.

    Raises:
        graphlib.CycleError: The needs go in a circle.
    """
    sorter = TopologicalSorter(needs)
    sorter.prepare()
    place = {task: at for at, task in enumerate(needs)}
    ready: list[T] = []
    running: dict[Future[None], T] = {}
    with ThreadPoolExecutor(workers) as pool:
        while sorter.is_active():
            ready = sorted([*ready, *sorter.get_ready()], key=place.__getitem__)
            while ready and len(running) < workers:
                task = ready.pop(0)
                running[pool.submit(copy_context().run, work, task)] = task
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                task = running.pop(future)
                if error := future.exception():
                    raise error
                sorter.done(task)
