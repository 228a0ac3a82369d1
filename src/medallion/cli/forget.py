"""The command `medallion forget`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from medallion.care import erasure
from medallion.cli.command import Call, Yes, by, command, group, user
from medallion.config import utc_now

app = group()


@command(
    app,
    examples=(
        "`medallion forget C004 --reason 'GDPR request 2025-17' --dry-run`",
        "`medallion forget C004 --reason 'GDPR request 2025-17'`",
        "`medallion forget --resume` · complete an erasure that was interrupted",
        "`medallion forget C900 --keep --reason 'a shared mailbox'` · C900 is somebody else",
    ),
)
def forget(
    call: Call,
    customer_id: Annotated[str | None, typer.Argument(help="Key of the account, as in silver.customers_clean.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why; it is kept, so name no one in it.")] = None,
    who: Annotated[str | None, by("asks for it")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would go.")] = False,
    yes: Yes = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Complete the erasure that was interrupted, or repeat a search that found something."
        ),
    ] = False,
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Forget nothing: the account that was flagged is somebody else's."),
    ] = False,
) -> None:
    """Forget an account and its people: out of every layer and version, and not back with the next export."""
    settings = call.settings()
    if resume:
        if customer_id is not None:
            raise typer.BadParameter("takes no key: it completes the erasure that was begun", param_hint="--resume")
        with call.steps() as report:
            result = erasure.resume(settings, report)
    else:
        if customer_id is None:
            raise typer.BadParameter("name the account, or complete an interrupted erasure with --resume")
        if reason is None:
            raise typer.BadParameter("say why", param_hint="--reason")
        if keep:
            kept = erasure.keep(settings, customer_id, reason, user(who), utc_now())
            call.answer(kept, lambda: call.say(*(f"{flagged}; this is flagged no more." for flagged in kept["kept"])))
            return
        if not (dry_run or yes):
            typer.confirm(f"Remove everything about {customer_id}? It cannot be undone", abort=True, err=True)
        with call.steps() as report:
            result = erasure.forget(settings, customer_id, reason, user(who), utc_now(), report, dry_run=dry_run)
    call.answer(result, lambda: _show(call, result))


def _searched(result: dict[str, Any]) -> str:
    """How much was searched, in words."""
    if "tables_searched" in result:
        return f"All rows of {result['tables_searched']} tables"
    return f"{result['files_searched']} remaining files"


def _show(call: Call, result: dict[str, Any]) -> None:
    """What an erasure removed, or would remove."""
    if result.get("dry_run"):
        rows = [row for row in result["tables"] if row["about_the_account"]]
        call.records("Would be removed", rows, "gold is computed again without the account")
        return
    rows = [row for row in result["tables"] if row["rows_removed"] or row["rows_blanked"]]
    call.records("Removed", rows)
    versions = sum(row["versions_purged"] for row in result["tables"])
    call.say(
        f"{versions} older versions purged in {len(result['tables'])} tables; time travel into them is gone.",
        result["older_versions"],
        f"{_searched(result)} searched for {result['terms_searched']} terms: nothing found.",
        *(
            f"Searched for {term['kind']} ({term['count']}): {term['forms']}. Not searched for: {term['not_searched']}."
            for term in result["searched_for"]
            if term["count"]
        ),
        *(
            f"{count:,} rows of {name} have a name of the account, but no address or number of it. If one is the same person, forget its account too."
            for name, count in result["names_that_stay"].items()
        ),
        *(
            [
                f"{stay} telephone numbers of the account are also those of other accounts, such as a switchboard's, and stay in their records."
            ]
            if (stay := result["numbers_that_stay"])
            else []
        ),
        *(f"Searched {place['where']}: {place['how']}." for place in result["searched_in"]),
        f"Not searched: {'; '.join(result['not_searched'])}.",
        f"Not touched: {result['not_touched']}",
        f"Certificate: {result['certificate']}",
    )
