"""The version of the installed package."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("medallion-crm")
except PackageNotFoundError:  # a source tree on the path that was never installed
    VERSION = "0+unknown"
