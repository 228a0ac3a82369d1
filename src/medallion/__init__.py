"""Medallion: CRM exports to trusted gold tables, an explained call list and metrics.

    import medallion
    from medallion import metrics, query

    result = medallion.run("data", "lakehouse")
    with query.connect(medallion.open("lakehouse")) as connection:
        metrics.value(connection, "win_rate")

Everything is loaded when it is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from medallion.version import VERSION

if TYPE_CHECKING:
    from medallion.api import open, run  # noqa: A004
    from medallion.care import status
    from medallion.cli import notebook
    from medallion.lakehouse import query
    from medallion.lakehouse.store import Lakehouse

__version__ = VERSION
__all__ = ["Lakehouse", "__version__", "notebook", "open", "query", "run", "status"]

#: Where what can be imported from here is.
_LAZY = {
    "Lakehouse": "medallion.lakehouse.store",
    "notebook": "medallion.cli",
    "open": "medallion.api",
    "query": "medallion.lakehouse",
    "run": "medallion.api",
    "status": "medallion.care",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'medallion' has no attribute {name!r}")
    home = import_module(_LAZY[name])
    return getattr(home, name) if hasattr(home, name) else import_module(f"{_LAZY[name]}.{name}")
