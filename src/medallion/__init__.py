"""Medallion: CRM exports to trusted gold tables, an explained call list and metrics."""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

try:
    __version__ = version("medallion-crm")
except PackageNotFoundError:  # a source tree on the path that was never installed
    __version__ = "0+unknown"

#: What can be imported from here too, with the module that it is in; loaded when it is asked for.
_LAZY = {
    "Lakehouse": "medallion.lakehouse.store",
    "notebook": "medallion.cli.notebook",
    "query": "medallion.lakehouse.query",
    "status": "medallion.care.status",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'medallion' has no attribute {name!r}")
    module = import_module(_LAZY[name])
    return module if _LAZY[name].endswith(f".{name}") else getattr(module, name)
