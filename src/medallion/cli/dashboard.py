"""The command `medallion dashboard`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from medallion import access
from medallion.cli.command import Call, UserHeader, command, group
from medallion.errors import MedallionError, look_for

app = group()


@command(
    app,
    examples=(
        "`medallion dashboard --open`",
        "`medallion dashboard --export june.html` · one file to send, no server",
        "`DASHBOARD_PASSWORD=... medallion dashboard --host 0.0.0.0 --password-env DASHBOARD_PASSWORD` · for a team, "
        "behind TLS",
    ),
    json=False,
    at=True,
    shows=None,
    live=True,
)
def dashboard(
    call: Call,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8787,
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    export: Annotated[Path | None, typer.Option(metavar="FILE.html", help="Write one file instead of serving.")] = None,
    show_pii: Annotated[bool, typer.Option("--show-pii", help="Show personal data, such as notes of touches.")] = False,
    password_env: Annotated[
        str | None, typer.Option(metavar="NAME", help="Environment variable with a password that visitors must give.")
    ] = None,
    passwords: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File with a password of each user, who then sign in by name.")
    ] = None,
    set_password: Annotated[
        str | None,
        typer.Option(metavar="USER", help="Ask for a password of this user, write it into --passwords FILE, and end."),
    ] = None,
    user_header: UserHeader = None,
) -> None:
    """Show the dashboard in the browser, or write it as one file."""
    settings = call.settings()
    look_for("dashboard", "The dashboard", "cachetools", "jinja2", "starlette", "uvicorn")
    if set_password is not None:
        _set_password(call, passwords, set_password)
        return
    people = access.read(settings.access) if settings.access else None
    call.use_of_me(None)
    named = user_header is not None or passwords is not None
    me = call.person if people is None or not named or export is not None else None
    if show_pii and me and not me.personal:
        raise MedallionError(f"{me.user} may not see personal data", "Leave --show-pii out.")
    if export is not None:
        from medallion.dashboard.export import export as write

        write(settings, export, pii=show_pii, person=me)
        call.say(f"{export}: {export.stat().st_size / 1000:,.0f} kB, opens without a server or network.")
        return
    if passwords is not None and (password_env or user_header):
        raise MedallionError(
            "with --passwords users sign in by name, and in no other way", "Leave --password-env and --user-header out."
        )
    password = None
    if password_env is not None:
        password = os.environ.get(password_env, "")
        if len(password) < 8:
            raise MedallionError(
                f"--password-env {password_env}: the variable is not set, or shorter than 8 characters",
                f"Set it first: {password_env}=... medallion dashboard --password-env {password_env}",
            )
    from medallion.dashboard import safety, serving

    serving.serve(
        settings,
        host,
        port,
        open_=open_,
        pii=show_pii,
        password=password,
        passwords=safety.passwords(passwords) if passwords else None,
        user_header=user_header,
        people=people,
        me=me,
    )


def _set_password(call: Call, file: Path | None, user: str) -> None:
    """Ask for a password twice, where it is not seen, and write down what is kept of it."""
    from medallion.dashboard import safety

    if file is None:
        raise MedallionError("--set-password: there is no file to write to", "Add --passwords FILE.")
    safety.set_password(file, user, typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    call.say(f"{file}: {user} signs in with it after the next start of the dashboard.")
