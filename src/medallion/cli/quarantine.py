"""The commands `medallion quarantine list`, `show`, `suggest`, `fix` and `replay`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from medallion import figures
from medallion.care import quarantine
from medallion.cli.command import Accept, Call, Contract, by, command, group, user
from medallion.cli.run import show_result
from medallion.config import utc_now
from medallion.errors import MedallionError

app = group("quarantine", "Refused records: see them, correct them, reprocess them.")

Reason = Annotated[
    str | None, typer.Option("--reason", help="Failed check such as `status.accepted`, or a column such as `status`.")
]


@command(
    app,
    "list",
    examples=("`medallion quarantine list`", "`medallion quarantine list --reason status.accepted`"),
    at=True,
)
def list_waiting(
    call: Call,
    reason: Reason = None,
    entity: Annotated[str | None, typer.Option(help="Only records of this entity.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many to show.")] = 50,
) -> None:
    """List the records that wait, each with its reasons and its place in the file."""
    waiting = quarantine.waiting(call.lake, reason, entity)
    rows = [
        {
            "id": row["quarantine_id"],
            "entity": row["entity"],
            "key": row["record_key"],
            "source": f"{row['source_file']}:{row['source_row']}",
            "reasons": "; ".join(row["reasons"] or ()),
            "corrected": ", ".join(f"{name}={value}" for name, value in row["corrections"].items()),
        }
        for row in waiting[:limit]
    ]

    def tell() -> None:
        call.records(figures.count(len(waiting), "waiting record"), rows)
        if len(waiting) > limit:
            call.say(f"The first {limit} of {len(waiting):,}; --limit shows more.")
        if waiting:
            call.next(
                "quarantine show ID", "quarantine suggest", "quarantine fix ID --set column=value", "quarantine replay"
            )
        else:
            call.say("Nothing waits in quarantine.")

    call.answer(waiting, tell)


@command(app, examples=("`medallion quarantine show 3F2A`",), at=True)
def show(
    call: Call, quarantine_id: Annotated[str, typer.Argument(help="Identifier of the record, or the beginning of it.")]
) -> None:
    """Show one record: its cells as they came, what fills which column, what was corrected."""
    record = quarantine.record(call.lake, quarantine_id)
    call.answer(record, lambda: _show_record(call, record))


def _show_record(call: Call, record: dict[str, Any]) -> None:
    state = f"reprocessed by {record['resolved_by']}" if record["resolved_by"] else "waiting"
    call.say(
        f"{record['quarantine_id']}  {record['entity']}  {state}",
        f"{record['source_file']}, line {record['source_row']}, read {figures.minute(record['known_at'])} UTC",
        *(f"  {reason}" for reason in record["reasons"] or ()),
    )
    call.records(
        "What fills the columns", [{"column": name, "says": filling} for name, filling in record["columns"].items()]
    )
    filled = {name for name in record["cells"] if record["cells"][name]}
    call.records("Its cells", [{"cell": name, "text": record["cells"][name]} for name in sorted(filled)])
    call.records("Corrections", record["corrections"])


@command(
    app, examples=("`medallion quarantine suggest`", "`medallion quarantine suggest --out corrections.csv`"), at=True
)
def suggest(
    call: Call,
    reason: Reason = None,
    out: Annotated[Path | None, typer.Option(help="Write them as CSV, for `fix --from`.")] = None,
) -> None:
    """Suggest likely repairs, each with its reason; nothing is changed."""
    suggestions = quarantine.suggest(call.lake, call.settings(), reason)
    if out:
        quarantine.write_suggestions(suggestions, out)
    rows = [
        {"id" if name == "quarantine_id" else name: value for name, value in row.items()} for row in suggestions[:50]
    ]

    def tell() -> None:
        call.records(figures.count(len(suggestions), "suggestion"), rows)
        if out and suggestions:
            call.say(f"Written: {out}. Read it, delete what is wrong, then medallion quarantine fix --from {out}")
        elif not suggestions:
            call.say("No suggestion for what waits.")

    call.answer(suggestions, tell)


@command(
    app,
    examples=(
        "`medallion quarantine fix 3F2A --set status=won --set deal_value=1200`",
        "`medallion quarantine fix --from corrections.csv`",
    ),
    json=False,
)
def fix(
    call: Call,
    quarantine_id: Annotated[str | None, typer.Argument(help="Identifier of the record, or its beginning.")] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", help="column=value; may be given again. An empty value is none.")
    ] = None,
    source: Annotated[Path | None, typer.Option("--from", help="CSV with quarantine_id, column, value.")] = None,
    who: Annotated[str | None, by("corrects")] = None,
) -> None:
    """Write corrections down: who, when, before and after. `replay` then reprocesses the records."""
    corrections = list(quarantine.from_csv(source)) if source else []
    if source and not corrections:
        raise MedallionError(f"{source}: has no corrections", "Write lines with quarantine_id, column and value.")
    for text in assignments or ():
        column, given, value = text.partition("=")
        if not given or not quarantine_id:
            raise typer.BadParameter(f"{text!r}: write ID --set column=value", param_hint="--set")
        corrections.append(quarantine.Correction(quarantine_id, column.strip(), value))
    if not corrections:
        raise typer.BadParameter("say what: ID --set column=value, or --from FILE", param_hint="--set")
    count = quarantine.fix(call.settings(), corrections, user(who), utc_now())
    call.say(f"{figures.count(count, 'correction')} written down.")
    call.next("quarantine replay")


@command(
    app,
    examples=(
        "`medallion quarantine replay` · the corrected ones",
        "`medallion quarantine replay --reason customer_id.reference` · missing accounts have arrived",
        "`medallion quarantine replay --all --contract crm.odcs.yaml` · the contract has changed",
    ),
)
def replay(
    call: Call,
    ids: Annotated[list[str] | None, typer.Argument(help="Identifiers of records [default: the corrected].")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every waiting record.")] = False,
    reason: Reason = None,
    contract: Contract = None,
    accept: Accept = False,
) -> None:
    """Take records through the contract again; they are accepted or refused once more, and gold follows."""
    settings = call.settings(contracts=tuple(contract) if contract else None, accept=accept or None)
    with call.steps() as report:
        result = quarantine.reprocess_refused(
            settings, utc_now(), report, everything=everything, reason=reason, ids=ids or ()
        )

    def tell() -> None:
        if result is None:
            call.say("Nothing to reprocess: no waiting record has corrections. --all tries every one.")
        else:
            show_result(call, result)

    call.answer({"row_accounts": [] if result is None else result.accounts}, tell)
