"""Named steps with their seconds, and the order of things that depend on one another."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from graphlib import TopologicalSorter

#: How the caller hears of progress: a step's name before it, and again with its seconds after it.
Report = Callable[[str, float | None], None]


class Steps:
    """Runs steps by name, tells of them and keeps their seconds."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time what happens inside and report it under this name."""
        self.report(name, None)
        started = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - started, 3)
        self.report(name, self.seconds[name])


def in_order(needs: Mapping[str, set[str]], work: Callable[[str], None], workers: int) -> None:
    """Do `work` for every name once those that it needs are done, several at a time.

    The first error ends it: what runs is let finish, nothing new is started.

    Raises:
        graphlib.CycleError: The needs go in a circle.
    """
    sorter = TopologicalSorter(needs)
    sorter.prepare()
    running: dict[Future[None], str] = {}
    with ThreadPoolExecutor(workers) as pool:
        while sorter.is_active():
            for name in sorter.get_ready():
                running[pool.submit(work, name)] = name
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                name = running.pop(future)
                if error := future.exception():
                    for waiting in running:
                        waiting.cancel()
                    raise error
                sorter.done(name)
