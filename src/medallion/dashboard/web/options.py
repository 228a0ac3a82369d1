"""How a dashboard is shown."""

from __future__ import annotations

from dataclasses import dataclass, field

from medallion.access import Person
from medallion.config import Settings
from medallion.dashboard import safety


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
