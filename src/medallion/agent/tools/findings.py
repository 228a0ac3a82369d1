"""What every tool works with: what is read, the rules, and findings with receipts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from medallion.agent.facts import Field, Found
from medallion.agent.rules import Rules
from medallion.agent.serving import Serving
from medallion.agent.tools.prepared import FEATURES, NEEDS, PREPARED


@dataclass
class Findings:
    """What every tool works with: what is read, the rules, and findings with receipts.

    Attributes:
        serving: What is read.
        rules: Capacity, rest after a contact, who must not be contacted.
        trace_content: Whether spans hold what was asked and answered.
    """

    serving: Serving
    rules: Rules
    trace_content: bool = False

    def prepare(self) -> None:
        """Compute once what the tools share, so that no call waits for it: for a process that answers many questions."""
        self._prepare(*(name for name in PREPARED if NEEDS.get(name, FEATURES) in self.serving.versions))

    def reading(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What a function of the metrics reads from the connection."""
        with self.serving.reading() as connection:
            return function(connection, *arguments)

    def _prepare(self, *names: str) -> None:
        for name in names:
            self.serving.prepare(name, PREPARED[name])

    @property
    def day(self) -> date:
        """The last day of the data."""
        return self.serving.as_of or date(1970, 1, 1)

    def found(
        self,
        tool: str,
        title: str,
        fields: tuple[Field, ...],
        key: tuple[str, ...],
        rows: list[dict[str, Any]],
        tables: Iterable[str] = (),
        sql: str = "",
        bindings: Iterable[Any] = (),
        note: str = "",
        total: int | None = None,
    ) -> Found:
        """What a tool found, with the receipts of what is read now."""
        read = self.serving.read(*tables)
        return Found(
            tool,
            title,
            fields,
            key,
            rows,
            read,
            sql,
            tuple(bindings),
            self.serving.as_of,
            note,
            total,
            self.serving.currency,
        )

    def _count(self, sql: str, bindings: Any = ()) -> int:
        """How many rows there are, of which a tool gives the first."""
        return int(self.serving.rows(f"select count(*) as n from {sql}", bindings)[0]["n"])
