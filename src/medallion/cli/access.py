"""The command `medallion access`."""

from __future__ import annotations

import typer

from medallion import access as declared
from medallion.cli.command import Call, command, group
from medallion.errors import ContractError
from medallion.lakehouse import query, visible

app = group()
_OWNERS = "silver.owners_clean"


@command(app, examples=("`medallion access`", "`medallion access --json | jq '.people[].user'`"))
def access(call: Call) -> None:
    """Check the declaration of who may see what. Ends with 1 when it names an owner or a team that nobody has."""
    path = call.settings().access
    if path is None:
        raise ContractError(
            "No file declares who may see what",
            "Name one in config.yaml: `access: config/access.yaml` (docs/ACCESS.md).",
        )
    people = declared.read(path)
    lake = call.lake
    unknown: list[tuple[declared.Person, str]] = []
    if lake.exists(_OWNERS):
        with query.connect(lake, layers=["silver"], only={_OWNERS}) as connection:
            rows = query.rows(connection, f"select owner_id, email, owner_name, team from {_OWNERS}")
        called: dict[str, set[str]] = {}
        for row in rows:
            for name in ("owner_id", "email", "owner_name"):
                if row[name]:
                    called.setdefault(visible.comparable(str(row[name])), set()).add(str(row["owner_id"]))
        counts = {text: len(keys) for text, keys in called.items()}
        unknown = [*declared.unknown(people, counts, {visible.comparable(row["team"] or "") for row in rows})]
    shown = [
        {
            "user": person.user,
            "role": person.role,
            "sees": person.scope,
            "personal data": "yes" if person.personal else "no",
        }
        for person in people
    ]
    problems = [f"{path}: line {person.line}: {person.user}: {problem}" for person, problem in unknown]

    def tell() -> None:
        call.records("Declared", shown)
        for problem in problems:
            call.say(problem)

    call.answer({"people": shown, "unknown": problems}, tell)
    if problems:
        raise typer.Exit(1)
