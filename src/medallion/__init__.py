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
    from medallion import metrics
    from medallion.api import open, run  # noqa: A004
    from medallion.care import status
    from medallion.cli import notebook
    from medallion.lakehouse import query
    from medallion.lakehouse.store import Lakehouse

__version__ = VERSION
__all__ = ["Lakehouse", "__version__", "metrics", "notebook", "open", "query", "run", "status"]

#: What can be imported from here too: modules, and names of modules.
_MODULES = {
    "metrics": "medallion.metrics",
    "notebook": "medallion.cli.notebook",
    "query": "medallion.lakehouse.query",
    "status": "medallion.care.status",
}
_NAMES = {"Lakehouse": "medallion.lakehouse.store", "open": "medallion.api", "run": "medallion.api"}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(_MODULES[name])
    if name in _NAMES:
        return getattr(import_module(_NAMES[name]), name)
    raise AttributeError(f"module 'medallion' has no attribute {name!r}")
