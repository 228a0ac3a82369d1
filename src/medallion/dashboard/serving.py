"""The server of the dashboard: where it listens, and who may come in."""

from __future__ import annotations

import socket
import sys
import threading
import webbrowser
from collections.abc import Mapping

import uvicorn

from medallion import addresses
from medallion.access import Person
from medallion.config import Settings
from medallion.dashboard import safety
from medallion.dashboard.web import application
from medallion.dashboard.web.options import Options
from medallion.errors import MedallionError
from medallion.lakehouse.store import Lakehouse


def serve(
    settings: Settings,
    host: str,
    port: int,
    *,
    open_: bool = False,
    pii: bool = False,
    password: str | None = None,
    passwords: Mapping[str, str] | None = None,
    user_header: str | None = None,
    people: tuple[Person, ...] | None = None,
    me: Person | None = None,
) -> None:
    """Serve until interrupted; with `people` each sees what is declared, whom `user_header` names or who signed in by `passwords`, or else `me`.

    Raises:
        LakehouseError: There is no lakehouse.
        MedallionError: It would be open to others without a password or a proxy, or the port is taken.
    """
    loopback = host in addresses.LOOPBACK
    if not loopback and password is None and passwords is None and user_header is None:
        raise MedallionError(
            f"--host {host} opens the dashboard to others, and nothing asks who they are",
            "Add --passwords FILE, --password-env NAME or --user-header NAME, or leave --host at 127.0.0.1.",
        )
    Lakehouse(settings.lakehouse).delta("gold.deals")
    door = safety.Door(
        password=password,
        passwords=passwords,
        user_header=user_header,
        hosts=safety.HOSTS if loopback and not user_header else None,
        secure=not loopback,
    )
    app = application(Options(settings, door, pii, people, me))
    listening = _listen(host, port)
    address = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}/"
    sys.stdout.write(f"The dashboard is at {address} · Ctrl+C ends it.\n")
    sys.stdout.flush()
    if open_:
        threading.Timer(0.3, webbrowser.open, [address]).start()
    config = uvicorn.Config(app, log_level="warning", server_header=False, proxy_headers=False, access_log=False)
    uvicorn.Server(config).run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise MedallionError(
            f"{host}:{port}: cannot listen there: {error.strerror}", "Choose another --port."
        ) from error
    listener.listen(128)
    return listener
