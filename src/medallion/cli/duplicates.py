"""The commands `medallion duplicates list`, `show`, `merge`, `keep-apart` and `undo`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from medallion import figures
from medallion.care import duplicates
from medallion.care.duplicates import Effect
from medallion.cli.command import Call, DryRun, Yes, by, command, group, user
from medallion.config import utc_now
from medallion.identities import matching

app = group("duplicates", "Accounts and contacts that may be one: see why, merge them, keep them apart, undo it.")

Kind = Annotated[Literal["accounts", "contacts"], typer.Option("--of", help="What to compare.")]
Who = Annotated[str | None, by("decides")]
Reason = Annotated[str, typer.Option(help="Why; it is kept, so name no one in it.")]
_SHOWN = 20


@command(
    app,
    "list",
    examples=(
        "`medallion duplicates list`",
        "`medallion duplicates list --of contacts --above 0.9`",
        "`medallion duplicates list --decided` · what was merged and kept apart",
    ),
    at=True,
)
def list_pairs(
    call: Call,
    of: Kind = "accounts",
    above: Annotated[
        float, typer.Option(min=0, max=1, help="Probability from which a pair is shown.")
    ] = matching.REVIEW,
    limit: Annotated[int, typer.Option(min=1, help="How many to show.")] = 50,
    decided: Annotated[bool, typer.Option("--decided", help="List the decisions that count instead.")] = False,
) -> None:
    """List pairs that may be one, the likeliest first, each with its probability and the evidence."""
    if decided:
        decisions = duplicates.in_effect(call.settings(), of)
        rows = [
            {
                "id": decision.decision_id,
                "decision": decision.action.replace("_", " "),
                "record": decision.source_key,
                "and": decision.entity_key,
                "by": decision.decided_by,
                "when": figures.minute(decision.decided_at),
                "why": decision.reason,
            }
            for decision in decisions
        ]
        call.answer(rows, lambda: call.records(figures.count(len(rows), "decision"), rows))
        return
    candidates = duplicates.candidates(call.settings(), of, above)
    document = {
        "learned": candidates.learned,
        "pairs": [
            {
                "left": pair.left,
                "right": pair.right,
                "probability": round(pair.probability, 6),
                "evidence": list(pair.evidence),
                "automatic": pair.automatic,
                "review": pair.because,
            }
            for pair in candidates.pairs
        ],
    }

    def tell() -> None:
        rows = [
            {
                "record": pair.left,
                "and": pair.right,
                "probability": figures.percent(pair.probability),
                "evidence": "; ".join(says.partition(" (")[0] for says in pair.evidence),
                "for review, since": pair.because,
            }
            for pair in candidates.pairs[:limit]
        ]
        call.say(candidates.learned)
        call.records(figures.count(len(candidates.pairs), "pair"), rows)
        if len(candidates.pairs) > limit:
            call.say(f"The first {limit} of {len(candidates.pairs):,}; --limit shows more.")
        if candidates.pairs:
            call.next("duplicates show KEY KEY", "duplicates merge SURVIVOR KEY", "duplicates keep-apart KEY KEY")
        else:
            call.say(f"No two {of} look like one.")

    call.answer(document, tell)


@command(app, examples=("`medallion duplicates show C004 C871`",), at=True)
def show(
    call: Call,
    left: Annotated[str, typer.Argument(help="Key of a record.")],
    right: Annotated[str, typer.Argument(help="Key of the other.")],
    of: Kind = "accounts",
) -> None:
    """Show two records side by side, the evidence for and against a merge, and what it would change."""
    settings = call.settings()
    sides = [duplicates.side(settings, of, key) for key in (left, right)]
    keys = {each.key for each in sides}
    pair = duplicates.pair(settings, of, *(each.key for each in sides))
    effect = None if len(keys) < 2 else duplicates.merging(settings, of, [left, right], "", "", utc_now())
    document = {
        "records": [{"key": each.key, "made_of": each.made_of, "values": {k: str(v) for k, v in each.values.items() if v is not None}, "personal": each.personal} for each in sides],
        "probability": pair.probability if pair else None,
        "evidence": list(pair.evidence) if pair else [],
        "review": pair.because if pair else "",
        "effect": effect.document() if effect else None,
    }  # fmt: skip

    def tell() -> None:
        first, second = sides
        names = dict.fromkeys([*first.values, *second.values])
        rows = [
            {"column": name, first.key: first.values.get(name), f"{second.key} ": second.values.get(name)}
            for name in names
            if first.values.get(name) is not None or second.values.get(name) is not None
        ]
        call.records("The two records; personal columns are not shown", rows)
        for each in sides:
            if each.made_of:
                call.say(f"{each.key} was made of {', '.join(each.made_of)} too.")
        if pair is None:
            call.say("Nothing by which candidates are looked for agrees: they do not look like one.")
        else:
            call.say(f"Probability that they are one: {figures.percent(pair.probability)}")
            call.say(*(f"  {says}" for says in pair.evidence))
            if pair.because:
                call.say(f"Never merged by a threshold, since {pair.because}.")
        if effect:
            _tell(call, effect, "Merging them")

    call.answer(document, tell)


@command(
    app,
    examples=(
        "`medallion duplicates merge C004 C871` · tells what changes, then asks; C004 stays",
        "`medallion duplicates merge --above 0.99 --dry-run` · every pair from a probability on that nothing tells apart",
    ),
)
def merge(
    call: Call,
    keys: Annotated[list[str] | None, typer.Argument(help="Keys of the records, the one that stays first.")] = None,
    above: Annotated[
        float | None,
        typer.Option(
            min=0.5, max=1, help="Merge every pair from this probability on, without naming them [default: off]."
        ),
    ] = None,
    of: Kind = "accounts",
    reason: Reason = "",
    who: Who = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Merge records into the first of them: deals, touches and features follow it, and an undo brings all back."""
    settings, now, left = call.settings(), utc_now(), 0
    if (above is None) == (not keys):
        raise typer.BadParameter("name the records, the one that stays first, or a probability with --above")
    if keys:
        if len(keys) < 2:
            raise typer.BadParameter("name two records or more, the one that stays first")
        effect = duplicates.merging(settings, of, keys, user(who), reason, now)
    else:
        effect, left = duplicates.merging_above(settings, of, above or 1.0, now)
    if not effect.merged:
        call.answer(
            {"done": False, "left": left, **effect.document()},
            lambda: call.say(
                "Nothing to merge.",
                *([f"{figures.count(left, 'pair')} to look at: medallion duplicates list"] * bool(left)),
            ),
        )
        return
    if not dry_run:
        if not yes:
            _tell(call, effect, "Merging")
            typer.confirm("Merge?", abort=True, err=True)
        with call.steps() as report:
            duplicates.merge(settings, effect, now, report)

    def tell() -> None:
        _tell(call, effect, "Would change" if dry_run else "Merged")
        if left:
            call.say(
                f"{figures.count(left, 'pair')} of that probability are left to look at: medallion duplicates list"
            )
        if not dry_run:
            call.say("Undo: medallion duplicates undo KEY, with the key of a merged record")

    call.answer({"done": not dry_run, "left": left, **effect.document()}, tell)


def _tell(call: Call, effect: Effect, title: str) -> None:
    """Figures before and after."""
    rows = [
        {
            "survivor": group["survivor"],
            "name": group["name"],
            "made of": ", ".join(group["made_of"]),
            "open deals": group["open_deals"],
            "open pipeline": figures.money(group["open_value"], effect.currency),
            "before": "; ".join(
                f"{key} {figures.money(float(value), effect.currency)}"
                for key, value in group["open_value_before"].items()
            ),
        }
        for group in effect.groups[:_SHOWN]
    ]
    if effect.kind != "accounts":
        rows = [{"survivor": row["survivor"], "made of": row["made of"]} for row in rows]
    call.records(title, rows)
    if len(effect.groups) > _SHOWN:
        call.say(f"The first {_SHOWN} of {len(effect.groups):,}; --json has all.")
    call.say(*effect.says)


@command(
    app,
    "keep-apart",
    examples=("`medallion duplicates keep-apart C004 C871 --reason 'parent and subsidiary'`",),
    json=False,
)
def keep_apart(
    call: Call,
    left: Annotated[str, typer.Argument(help="Key of a record.")],
    right: Annotated[str, typer.Argument(help="Key of the other.")],
    of: Kind = "accounts",
    reason: Reason = "",
    who: Who = None,
) -> None:
    """Say that two records are two: they are not listed again, and never merged."""
    decision = duplicates.keep_apart(call.settings(), of, left, right, user(who), reason, utc_now())
    call.say(
        f"{decision.source_key} and {decision.entity_key} are kept apart. Undo: medallion duplicates undo {decision.decision_id}"
    )


@command(
    app,
    examples=(
        "`medallion duplicates undo C871` · was merged",
        "`medallion duplicates undo C004 C871` · were kept apart",
    ),
    json=False,
)
def undo(
    call: Call,
    keys: Annotated[
        list[str],
        typer.Argument(help="Key of a merged record, of two that are kept apart, or a decision of `list --decided`."),
    ],
    of: Kind = "accounts",
    reason: Reason = "",
    who: Who = None,
) -> None:
    """Take a decision back; silver and gold are as they would be without it."""
    with call.steps() as report:
        last, result = duplicates.undo(call.settings(), of, keys, user(who), reason, utc_now(), report)
    if result is None:
        call.say(f"{last.source_key} and {last.entity_key} are no longer kept apart.")
    else:
        call.say(f"{last.source_key} is a record of its own again; its deals and touches have gone back to it.")
