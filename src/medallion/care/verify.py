"""Whether a lakehouse is what its manifests say: chain, versions, rows and, on request, content.

In a folder the files are compared, without the engine. Elsewhere they are not, and what cannot be compared is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from medallion import pipeline, temporary
from medallion.care import doctor, status
from medallion.care.doctor import BROKEN, OK, WARNING, Finding
from medallion.config import Settings
from medallion.errors import LakehouseError
from medallion.gold import graph
from medallion.lakehouse import commits, manifests, publishing
from medallion.lakehouse.manifests import Manifest
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import journal

#: What gold holds beside the state of the data: scores once given are not computed again.
_GIVEN = frozenset({"gold.lead_scores"})


def verify(settings: Settings, deep: bool = False) -> list[Finding]:
    """Compare the tables with the manifests, the worst first; in a folder without the engine.

    Args:
        settings: Which lakehouse.
        deep: Hash the content of every table, look at keys and references, and compute gold anew from silver to compare it.

    Raises:
        LakehouseError: There is no lakehouse.
    """
    lake = Lakehouse(settings.lakehouse)
    findings = doctor.files(settings)
    known, problem = _history(lake)
    findings += problem or chain(known)
    if known:
        readable = doctor.readable(findings)
        findings += doctor.as_far_as_read(lake, _versions(lake, known[-1], readable))
        whole = all(finding.state != BROKEN for finding in findings)
        findings += doctor.as_far_as_read(lake, doctor.accounts(lake, readable))
        if deep and whole and (journal.unfinished_intent(lake) or {}).get("kind") != journal.FORGET:
            findings += _contents(lake, known[-1])
            keys = [
                finding for finding in doctor.keys(settings, readable) if finding.state != WARNING
            ]  # columns that will come
            findings += keys
            if all(finding.state != BROKEN for finding in keys):
                findings += _gold(settings, lake)
    return doctor.worst_first(findings)


def _history(lake: Lakehouse) -> tuple[list[Manifest], list[Finding]]:
    try:
        known = manifests.history(lake)
    except LakehouseError as error:
        return [], [Finding("manifests", manifests.TABLE, BROKEN, error.problem, error.remedy or "")]
    if not known:
        says = "there are none yet: no command has ended since they are kept"
        return [], [Finding("manifests", lake.root, WARNING, says, "The next command that writes adds the first.")]
    return known, []


def chain(known: list[Manifest]) -> Iterator[Finding]:
    """Every manifest has its hash and names the one before it."""
    before = ""
    for place, manifest in enumerate(known, 1):
        wrong = []
        if manifest.number != place:
            wrong.append(
                f"number {place} is missing"
                if manifest.number > place
                else f"there are two of number {manifest.number}"
            )
        if manifest.computed() != manifest.hash:
            wrong.append("it was changed after it was written: its hash is another")
        if manifest.previous != before:
            wrong.append("it does not follow the one before it")
        if wrong:
            about = f"manifest {manifest.number}"
            yield Finding("manifests", about, BROKEN, "; ".join(wrong), "Restore the lakehouse from a backup.")
            return
        before = manifest.hash
    yield Finding("manifests", f"manifest {known[-1].number}", OK, f"{len(known)} in an unbroken chain")


def _versions(lake: Lakehouse, manifest: Manifest, readable: list[str]) -> Iterator[Finding]:
    """Every table is at the version that the newest manifest names; none is below it even while work is unfinished."""
    lost = doctor.lost(lake)
    yield from lost
    about = f"manifest {manifest.number}"
    if begun := journal.unfinished(lake):
        kinds = ", ".join(work["what"] for work in begun)
        lower = "" if begun[0]["what"] == journal.FORGET else " above it"
        says = f"tables{lower} were not compared: {kinds} is unfinished ({begun[0]['state']})"
        yield Finding("state", about, WARNING, says, f"{_sentence(begun[0]['what_to_do'])}, then verify again.")
        return  # in the middle of a command they differ
    there = {name for name in lake.tables() if journal.is_kept_track_of(name)}
    for name in sorted({*manifest.tables} - there - {finding.about for finding in lost}):
        yield Finding("state", name, BROKEN, f"is not there, but {about} has it", "`medallion restore`, or a backup.")
    for name in sorted(there - {*manifest.tables}):
        yield Finding("state", name, WARNING, f"is not in {about}", "Something else has written it.")
    for name, kept in sorted(manifest.tables.items()):
        if name not in there or name not in readable:
            continue
        now = lake.version(name)
        if now < kept.version:
            says = f"is at version {now}, {about} has {kept.version}: its newest commits are lost"
            yield Finding("state", name, BROKEN, says, f"{commits.GO_BACK}, or a backup.")
        elif not publishing.is_as(lake, name, kept, now):
            says = f"is at version {now}, {about} has {kept.version}"
            remedy = "Something else has written it; readers go on with the manifest's version."
            yield Finding("state", name, WARNING, says, remedy)
    if not lost:
        yield Finding("state", about, OK, f"{len(manifest.tables)} tables as `{manifest.kind}` left them")


def _sentence(text: str) -> str:
    return text if text.startswith("`") else text[:1].upper() + text[1:]


def _contents(lake: Lakehouse, manifest: Manifest) -> Iterator[Finding]:
    """The rows of every table have the hash that the newest manifest has of them."""
    if manifest.hashed_by != publishing.hashed_by(lake):
        says = "was hashed by another version of Medallion, DuckDB or the engine, whose hashes do not compare"
        yield Finding(
            "content", f"manifest {manifest.number}", WARNING, says, "The next command that writes hashes anew."
        )
        return
    pinned = manifests.opened(lake)
    for name, kept in publishing.kept(pinned):
        wanted = manifest.tables[name]
        if (kept.content, kept.rows) != (wanted.content, wanted.rows):
            says = f"its content is not what it was: {kept.rows:,} rows, hash {kept.content}; written were {wanted.rows:,}, {wanted.content}"
            yield Finding("content", name, BROKEN, says, "`medallion restore`, or a backup.")
        else:
            yield Finding("content", name, OK, f"{kept.rows:,} rows, unchanged")


def _gold(settings: Settings, lake: Lakehouse) -> Iterator[Finding]:
    """Gold is the same when computed anew from silver."""
    day = status.as_of(lake) if lake.exists("gold.sales_summary") else None
    if day is None:
        return
    if lake.catalog:
        says = "gold was not computed anew: the engine of a catalog cannot write to a folder of this machine"
        remedy = "`medallion run --full-refresh` rebuilds it."
        yield Finding("not compared", lake.root, WARNING, says, remedy)
        return
    with temporary.folder() as folder:
        target = str(Path(folder, "gold"))
        pipeline.replay(settings, day, None, target)
        again = dict(publishing.kept(Lakehouse(target)))
    current = dict(publishing.kept(manifests.opened(lake)))
    for step in graph():
        name = step.table
        if step.adds or name in _GIVEN or name not in again or name not in current:
            continue  # rows of sums say when they were added; what is computed from them is compared
        if again[name].content == current[name].content:
            yield Finding("recomputed", name, OK, f"{current[name].rows:,} rows, the same when computed anew")
        else:
            yield Finding(
                "recomputed",
                name,
                WARNING,
                f"computed anew from silver it has {again[name].rows:,} rows, here it has {current[name].rows:,}, and they differ",
                "`medallion run --full-refresh` rebuilds it.",
            )
