"""The door to a Databricks workspace: a client that is signed in, and its errors as what a user can do about them."""

from __future__ import annotations

import configparser
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from medallion import addresses
from medallion.errors import MedallionError, extra

with extra("databricks", "Databricks"):
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.config import Config
    from databricks.sdk.errors import PermissionDenied, Unauthenticated
    from databricks.sdk.errors.base import DatabricksError

#: Seconds for which a request is tried again, and that one answer may take.
_PATIENCE, _ANSWER = 90, 30
#: Seconds for a connection.
_CONNECT = 10
_SIGN_IN = (
    "Sign in with `databricks auth login --host https://...` or `az login` and set DATABRICKS_HOST, or set "
    "DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET of a service principal; name a profile in "
    "config/databricks_config.json."
)


def client(profile: str | None = None, host: str | None = None, patience: int = _PATIENCE) -> WorkspaceClient:
    """A client signed in by the conventions of the Databricks SDK: environment, profile, Azure or CLI login.

    Args:
        profile: Section of ~/.databrickscfg; the environment's when None.
        host: Address of the workspace; the environment's or the profile's when None.
        patience: Seconds for which a request is tried again.

    Raises:
        MedallionError: Nobody is signed in, or no workspace answers.
    """
    _answers(host or _known_host(profile))
    try:
        config = Config(
            profile=profile,
            host=host,
            retry_timeout_seconds=patience,
            http_timeout_seconds=_ANSWER,
            product="medallion",
            product_version="0",
        )
        return WorkspaceClient(config=config)
    except (ValueError, OSError, TimeoutError) as error:
        raise MedallionError(f"Not signed in to Databricks: {_brief(error)}", _SIGN_IN) from error


def _known_host(profile: str | None) -> str:
    """The workspace that environment or profile name, empty when neither does."""
    if profile is None and (host := os.environ.get("DATABRICKS_HOST")):
        return host
    parser = configparser.ConfigParser()
    parser.read(Path(os.environ.get("DATABRICKS_CONFIG_FILE", "~/.databrickscfg")).expanduser())
    section = profile or os.environ.get("DATABRICKS_CONFIG_PROFILE") or "DEFAULT"
    return parser.get(section, "host", fallback="")


def _answers(host: str) -> None:
    """Refuse a host at which nothing listens: the SDK would ask it for minutes."""
    address = urlsplit(host if addresses.is_address(host) else f"https://{host}")
    if not address.hostname:
        return
    try:
        port = address.port or {"http": 80}.get(address.scheme, 443)
        with socket.create_connection((address.hostname, port), timeout=_CONNECT):
            return
    except (OSError, ValueError) as error:
        raise MedallionError(
            f"{address.hostname}: nothing answers there: {error}", "Check DATABRICKS_HOST or the profile's host."
        ) from error


@contextmanager
def told(what: str, grant: str = "") -> Iterator[None]:
    """Errors of the workspace as messages.

    Args:
        what: What was being done or reached.
        grant: What a refused user would need.
    """
    try:
        yield
    except Unauthenticated as error:
        raise MedallionError(f"{what}: the workspace does not accept the login: {_brief(error)}", _SIGN_IN) from error
    except PermissionDenied as error:
        remedy = f"Ask for it: {grant}" if grant else "Ask the owner for the permission, or deploy as another user."
        raise MedallionError(f"{what}: not permitted: {_brief(error)}", remedy) from error
    except DatabricksError as error:
        raise MedallionError(f"{what}: {_brief(error)}", "Run this again; what was done is not done twice.") from error
    except (TimeoutError, OSError, ValueError) as error:
        raise MedallionError(
            f"{what}: the workspace does not answer: {_brief(error)}",
            "Check DATABRICKS_HOST and the network, then run this again; what was done is not done twice.",
        ) from error


def _brief(error: BaseException) -> str:
    """The first line of a message, without the configuration that the SDK appends to it."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].split(". Config:")[0].split(". Env:")[0][:300].rstrip(".")
