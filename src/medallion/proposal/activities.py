"""Activities that have not taken place: planned, cancelled, not done; and the day on which the others did."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from medallion.cells.texts import squish
from medallion.contracts import Filling
from medallion.contracts.filling import Condition
from medallion.proposal import marks, profile, vocabulary
from medallion.proposal.feeds import Feed
from medallion.proposal.profile import Column

#: Words that head the state of an activity, and those that head a flag for one that is done.
_STATES = frozenset(
    [
        "status",
        "state",
        "statecode",
        "estado",
        "estatus",
        "statut",
        "etat",
        "stato",
        "stan",
        "zustand",
        "stav",
        "situacao",
        "situation",
    ]
)
_DONE = frozenset(
    [
        "done",
        "completed",
        "complete",
        "finished",
        "closed",
        "erledigt",
        "abgeschlossen",
        "hecho",
        "hecha",
        "completado",
        "completada",
        "finalizado",
        "finalizada",
        "terminado",
        "terminada",
        "termine",
        "terminee",
        "fait",
        "fatto",
        "completato",
        "completata",
        "svolto",
        "voltooid",
        "gereed",
        "afgerond",
        "zrobione",
        "zakonczone",
        "wykonane",
        "concluido",
        "concluida",
        "realizado",
        "realizada",
        "hotovo",
        "dokonceno",
        "klar",
        "slutford",
        "udfort",
        "fullfort",
        "tamamlandi",
    ]
)
#: Words of a header that is the state of something else, or a day.
_OTHER = frozenset(
    [
        "deal",
        "lead",
        "opportunity",
        "account",
        "contact",
        "customer",
        "stage",
        "sync",
        "sales",
        "marketing",
        "lifecycle",
        "reason",
        "date",
        "time",
        "at",
        "on",
        "by",
        "datetime",
        "datum",
        "am",
        "fecha",
        "data",
        "heure",
    ]
)
_MOST_STATES = 30
#: White space, as `cells.texts.squish` has it.
_SPACES = r"[ \t\n\r\x0b\x0c\u00a0\u2000-\u200b\u202f\u3000\ufeff]+"
#: Words that head the day of an activity where its own column is empty, in the order in which they are taken.
_DAYS = (
    (_DONE | {"end", "ended", "actual"}, "when it was done"),
    (frozenset(["start", "started", "due", "scheduled", "activity", "beginn", "fallig", "inicio", "debut", "inizio", "vencimiento"]), "when it was due"),
    (frozenset(["created", "create", "add", "added", "erstellt", "angelegt", "creado", "creada", "creacion", "cree", "creation", "creato", "utworzono", "criado"]), "when it was entered"),
    (frozenset(["modified", "changed", "updated", "update", "change", "geandert", "modificado", "modifie", "modificato", "zmieniono", "alterado"]), "when it was last changed"),
)  # fmt: skip
_NO_DAY = frozenset(
    ["deleted", "archived", "reminder", "sync", "synced", "fivetran", "recurrence", "birth", "next", "last"]
)


def _words(header: str) -> set[str]:
    return {word.removeprefix("is") for word in vocabulary.words_of(header)} | {*vocabulary.words_of(header)}


def may_tell(header: str) -> bool:
    """Whether a column of that header may say that an activity is yet to come.

    >>> [may_tell(header) for header in ("Status", "IsClosed", "is_done", "Lead Status", "Completed At", "Meeting outcome")]
    [True, True, True, False, False, True]
    """
    words = _words(header)
    return bool(words & (_STATES | _DONE) or words >= {"meeting", "outcome"}) and not words & _OTHER


def not_done(header: str, counts: Mapping[str, int]) -> dict[str, int]:
    """The texts of a column of states that say an activity has not taken place, each with its number of rows.

    >>> not_done("Status", {"Completed": 3, "Not Started": 2, "Waiting on someone else": 1, "Geplant": 1})
    {'Not Started': 2, 'Waiting on someone else': 1, 'Geplant': 1}
    >>> not_done("IsClosed", {"true": 3, "false": 2}), not_done("Done", {"Done": 1, "To do": 4}), not_done("Status", {"Sent": 1})
    ({'false': 2}, {'To do': 4}, {})
    """
    if not may_tell(header) or len(counts) > _MOST_STATES:
        return {}
    if _words(header) & _DONE and all(marks.is_yes(text) or marks.is_no(text) for text in counts):
        return {text: count for text, count in counts.items() if marks.is_no(text)}
    meant = {text: vocabulary.value("interactions.state", text) for text in counts}
    return {
        text: counts[text]
        for text, meaning in meant.items()
        if meaning and meaning.value != "done" and meaning.confidence > 0.82
    }


def planned(feed: Feed) -> Condition | None:
    """Which activities count: those of which no column says that they are yet to come, or were called off."""
    pending = [(column, texts) for column in feed.table.columns if (texts := not_done(column.header, column.counts))]
    if not pending:
        return None
    shown = "; ".join(f"{column.header} {_listed(texts)}" for column, texts in pending)
    rows = max(sum(texts.values()) for _, texts in pending)
    reason = f"not done yet, or called off: {shown}; they count once a delivery has them as done"
    sure = 0.9
    if rows >= max(column.filled for column, _ in pending):
        reason, sure = f"{reason}. That is every row: does none of them count?", 0.6
    return Condition(
        when=" AND ".join(when(column.name, texts) for column, texts in pending), confidence=sure, reason=reason
    )


def when(name: str, texts: Iterable[str]) -> str:
    r"""The Spark SQL condition under which an activity has taken place, whatever white space is around and within its state.

    >>> when("status", ["Open", "Not\u00a0 done", "Didn't"]).partition(" NOT IN ")[2]
    "('didn\\'t', 'not done', 'open')"
    """
    bare = {squish(text).lower() for text in texts}
    listed = ", ".join(f"'{_quoted(text)}'" for text in sorted(bare))
    # no engine's own idea of white space, and code points as every engine writes them
    spaces = _quoted(re.sub(r"\\u(\w{4})", r"\\x{\1}", _SPACES))
    return f"lower(trim(regexp_replace(coalesce(`{name}`, ''), '{spaces}', ' '))) NOT IN ({listed})"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


def _listed(texts: Mapping[str, int]) -> str:
    most = sorted(texts.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{text!r} ({count:,})" for text, count in most[:4]) + (", ..." if len(most) > 4 else "")


def days(feed: Feed, mapped: Column) -> list[tuple[Column, str]]:
    """Other columns that may hold the day of an activity, best first, each with what its day means."""
    dates = [c for c in feed.table.columns if c is not mapped and c.filled and c.share("date") > 0.7]
    dates = [
        c for c in dates if not _words(c.header) & _NO_DAY or _words(c.header) & {"modified", "changed", "updated"}
    ]
    candidates: dict[str, tuple[Column, str]] = {}
    for words, what in _DAYS:
        for column in dates:
            if _words(column.header) & words:
                candidates.setdefault(column.name, (column, what))
    return list(candidates.values())


def is_late(column: Column) -> bool:
    """Whether a column says no more than when a record was entered or changed.

    >>> is_late(Column("Created Date", "created_date", 1)), is_late(Column("Activity Date", "activity_date", 1))
    (True, False)
    """
    words = _words(column.header)
    return bool(words & (_DAYS[2][0] | _DAYS[3][0])) and not words & (_DAYS[0][0] | _DAYS[1][0])


def occurred(feed: Feed, item: Filling, mapped: Column, others: list[tuple[Column, str]]) -> Filling:
    """Fill the day of an activity from its own column, and where that is empty from the first other column that has one."""
    ended = (
        next((c for c, what in others if what == "when it was done" and _is_iso(c)), None) if _is_iso(mapped) else None
    )
    early, used = 0, dict.fromkeys((column.header for column, _ in others), 0)
    for own, *cells in _of_done(feed, mapped, *(column for column, _ in others)):
        if own:
            early += bool(ended and (done := cells[[c for c, _ in others].index(ended)]) and own[:10] > done[:10])
            continue
        if first := next((column.header for (column, _), cell in zip(others, cells, strict=True) if cell), ""):
            used[first] += 1
    taken = [(column, what) for column, what in others if used[column.header]]
    if not taken and not early:
        return item
    listed = ", ".join(f"nullif(trim(`{column.name}`), '')" for column in (mapped, *(column for column, _ in taken)))
    sql, reason = f"coalesce({listed})", item.reason
    more = " or more" if feed.table.rows > profile.COMPARED else ""
    if taken:
        reason += "; where it is empty " + ", else ".join(
            f"{c.header}, {what} (rows: {used[c.header]:,}{more})" for c, what in taken
        )
    if early and ended:
        done = f"nullif(trim(`{ended.name}`), '')"
        sql = f"CASE WHEN substring(`{mapped.name}`, 1, 10) > substring({done}, 1, 10) THEN {done} ELSE {sql} END"
        reason += f"; {ended.header} where that was before (rows: {early:,}{more})"
    return item.model_copy(update={"column": None, "sql": sql, "reason": reason})


def _of_done(feed: Feed, *columns: Column) -> Iterator[tuple[str, ...]]:
    """The cells of the rows that count."""
    pending = [(column, {*texts}) for column in feed.table.columns if (texts := not_done(column.header, column.counts))]
    for record in feed.table.together(*(column for column, _ in pending), *columns):
        if not any(cell in texts for cell, (_, texts) in zip(record, pending, strict=False)):
            yield record[len(pending) :]


def _is_iso(column: Column) -> bool:
    return all(text[4:5] == "-" == text[7:8] for text in column.counts)
