"""Medallion: CRM exports to trusted gold tables, an explained call list and metrics."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("medallion-crm")
except PackageNotFoundError:  # a source tree on the path that was never installed
    __version__ = "0+unknown"
