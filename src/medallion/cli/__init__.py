"""The `medallion` command: one module per group of commands."""

from medallion.cli.app import app, main

__all__ = ["app", "main"]
