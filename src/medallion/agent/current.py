"""The newest state of a lakehouse, for those who ask again and again: opened anew when a command has ended since."""

from __future__ import annotations

import copy
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

from medallion.access import Person
from medallion.agent.planner import Planner
from medallion.agent.rules import Rules
from medallion.agent.serving import serve, speaker
from medallion.agent.tools import Tools
from medallion.contracts import own
from medallion.lakehouse import manifests
from medallion.lakehouse.store import Lakehouse

#: Views of different people that stay open.
OPEN = 4


@dataclass
class View:
    """What someone sees of a state: the tools over it, and the planner that understands questions about it."""

    tools: Tools
    planner: Planner
    readers: int = 0
    stack: ExitStack = field(default_factory=ExitStack)


class Current:
    """Gives the view of the newest state; calls side by side share it, and an older one is closed once none reads it."""

    def __init__(
        self,
        lake: Lakehouse,
        rules: Callable[[], Rules] = Rules,
        me: Callable[[Tools], str | None] = lambda tools: None,
        trace_content: bool = False,
    ) -> None:
        """Of a lakehouse.

        Args:
            lake: The lakehouse.
            rules: Gives the rules as they are now: the list of whom not to contact, and what people did with the plans.
            me: Gives the owner whom `I` and `my` mean.
            trace_content: Whether spans hold what was asked and answered.
        """
        self.lake = lake
        self._rules, self._me, self._trace_content = rules, me, trace_content
        self._changed = threading.Condition()
        self._number = -1
        self._views: OrderedDict[Person | None, View] = OrderedDict()

    @contextmanager
    def view(self, person: Person | None = None, user: str = "") -> Iterator[View]:
        """The view of the newest state: what a person sees, or what the process may see.

        Without a person, `I` and `my` mean the `user` who asks, where one gave a name.

        Raises:
            LakehouseError: There is no gold yet.
        """
        with self._changed:
            self._look()
            view = self._views.get(person) or self._open(person)
            self._views.move_to_end(person)
            view.readers += 1
        own.opened(self.lake.root)  # another thread may have opened it
        try:
            planner = view.planner
            if user and person is None:
                planner = copy.copy(planner)
                planner.me = user
            yield replace(view, tools=replace(view.tools, rules=self._rules()), planner=planner)
        finally:
            with self._changed:
                view.readers -= 1
                self._changed.notify_all()

    def close(self) -> None:
        """Let go of what is open."""
        with self._changed:
            for view in self._views.values():
                view.stack.close()
            self._views.clear()

    def _look(self) -> None:
        """Close what is older than the newest manifest, once nobody reads it: two states may not fit into memory."""
        number = self._number if self.lake.pinned is not None and self._views else manifests.number(self.lake)
        if number != self._number:
            self._changed.wait_for(lambda: not any(view.readers for view in self._views.values()))
            if number == self._number:  # another call has opened it meanwhile
                return
            for view in self._views.values():
                view.stack.close()
            self._views.clear()
            self._number = number

    def _open(self, person: Person | None) -> View:
        idle = [known for known, view in self._views.items() if not view.readers]
        for known in idle[: max(0, len(self._views) - OPEN + 1)]:
            self._views.pop(known).stack.close()
        stack = ExitStack()
        lake = self.lake if person is None else replace(self.lake, person=person)
        serving = stack.enter_context(serve(lake, locked=True))
        tools = Tools(serving, self._rules(), self._trace_content)
        tools.prepare()
        me = self._me(tools) if person is None else speaker(tools.serving, person)
        planner = Planner(serving, me)
        planner.names.read()
        self._views[person] = View(tools, planner, stack=stack)
        return self._views[person]
