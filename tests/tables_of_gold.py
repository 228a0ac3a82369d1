"""The functions of the gold tables by name: `gold.deals(...)`."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class _Gold:
    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(import_module(f"medallion.gold.{name}"), name)


gold = _Gold()
