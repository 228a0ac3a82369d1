"""Files that are held back: too many of their rows are refused, or their identifiers cannot be told apart.

Every file of a batch is judged on its staged rows, before any of them is kept. A file that is held back becomes a batch
of its own in the state `held`: its rows stay in bronze, nothing of it enters silver, and every run says so until the
file is corrected or accepted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from medallion import addresses, sources
from medallion.cells import amounts
from medallion.config import HoldBack
from medallion.contracts import Entity, Override
from medallion.figures import percent
from medallion.lakehouse import contracts_in_use, query
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import batches
from medallion.pipeline.batches import Batch
from medallion.sources import Refusal, SourceFile

if TYPE_CHECKING:
    pass

#: A small file is loaded, but the run ends with exit status 1 when more than this share of its rows is refused.
_MOST = 0.5
#: A column of at least so many values of which more than half cannot be read is not understood.
_VALUES = 3


@dataclass(frozen=True)
class Reason:
    """Why rows of a file are refused or doubtful: how many, and the first of them."""

    says: str
    rows: int
    line: int
    value: str = ""

    def told(self, values: bool) -> str:
        """As text; without values where it is written down, since a value may be someone's name."""
        shown = f": {self.value}" if values and self.value else ""
        return f"{self.says} ({self.rows:,} row{'' if self.rows == 1 else 's'}, such as line {self.line}{shown})"


@dataclass(frozen=True)
class Counts:
    """What the staged rows of one file come to. `empty` has the rows without a value per required column, `unread` those
    whose value cannot be read, and those that have one, per column that is null then.
    """

    rows: int
    refused: int
    empty: Mapping[str, int] = field(default_factory=dict)
    unread: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """What is wrong with a file: `held` back, or loaded with a warning that ends the run with exit status 1."""

    file: SourceFile
    held: bool
    says: str
    reasons: tuple[Reason, ...]
    remedy: str

    def told(self, values: bool = True) -> str:
        """As one sentence with the reasons, the most frequent first."""
        return (
            f"{self.says}: {'; '.join(reason.told(values) for reason in self.reasons)}" if self.reasons else self.says
        )

    @property
    def refusal(self) -> Refusal:
        """As a message."""
        return Refusal(self.file.name, self.file.entity, self.told(), self.remedy)


def judged(file: SourceFile, counts: Counts, limits: HoldBack, parent_held: bool = False) -> str | None:
    """Why a file is held back by its counts, None when it is not.

    Args:
        file: The file.
        counts: Its counts.
        limits: When a file is held back.
        parent_held: Whether a file that its rows refer to is held back; then a small file waits as well.
    """
    least = 1 if parent_held else limits.rows
    if file.accept:
        return None
    for column, (unread, filled) in counts.unread.items():
        if filled >= _VALUES and unread * 2 > filled:
            return f"{file.name}: {unread:,} of {filled:,} values of {column} cannot be read"
    if counts.rows < least:
        return None
    if counts.refused > limits.refused * counts.rows:
        return f"{file.name}: {part_of(counts.refused, counts.rows)} are refused (limit {percent(limits.refused, 0)})"
    for column, empty in counts.empty.items():
        if empty > limits.empty * counts.rows:
            return f"{file.name}: {part_of(empty, counts.rows)} have no {column} (limit {percent(limits.empty, 0)})"
    return None


def poor(file: SourceFile, counts: Counts) -> str | None:
    """What to say of a file that is loaded although most of it is refused; None when most is accepted."""
    if counts.rows and counts.refused == counts.rows:
        return f"No row of {file.name} was accepted"
    if counts.refused > _MOST * counts.rows:
        return f"{file.name}: {part_of(counts.refused, counts.rows)} are refused"
    return None


def part_of(part: int, whole: int, what: str = "rows") -> str:
    """Such as `5 of 20 rows`."""
    return f"{part:,} of {whole:,} {what}"


def remedy(file: SourceFile) -> str:
    """What to do about a file that is held back."""
    return (
        f"Put the corrected file in the place of {file.uri}, or correct the contract and give it with --contract; "
        "--accept takes the file in as it is."
    )


def conversion(entity: str, reasons: Iterable[Reason]) -> str:
    """What reads amounts that are refused though they are figures: those with a decimal comma, or dots for thousands."""
    for reason in reasons:
        name, _, says = reason.says.partition(": ")
        text = reason.value.strip("'")
        if says.startswith("cannot be read as an amount") and amounts.figures(amounts.decimal_point(text)) is not None:
            value = amounts.figures(amounts.decimal_point(text))
            return f"If {text!r} is {value}, say `decimalComma: true` for {entity}.{name} in a contract. "
    return ""


def case_sensitive(file: SourceFile, entity: str, key: str) -> str:
    """What to do about identifiers that differ by case alone."""
    words = "primaryKey: true, semanticType: text, logicalTypeOptions: {pattern: '^\\S.*$'}"
    return (
        "If these are different records, let a contract compare the key as written "
        f"({entity}: properties: - {{name: {key}, {words}}}; semanticType: text for columns that refer to it; "
        f"`medallion init` writes both). Otherwise spell them alike. {remedy(file)}"
    )


def cut(file: SourceFile) -> str:
    """What to do about short and long forms of one identifier."""
    return (
        "If these are the same records, export both with 18 characters, or let a contract cut the long ones, such as "
        f'customer_id: {{sql: "substring(id, 1, 15)"}}. {remedy(file)}'
    )


def padded(file: SourceFile, column: str, width: int) -> str:
    """What to do about numbers that have lost their leading zeros, or got some."""
    filling = file.mapping.get(column)
    written = f"`{filling.column}`" if filling and filling.column else "`id`"
    sql = (
        f"CASE WHEN length(trim({written})) < {width} THEN lpad(trim({written}), {width}, '0') ELSE trim({written}) END"
    )
    return (
        "If these are the same records, a spreadsheet has changed the numbers: export them again as text, or let a contract "
        f'give them back their zeros, such as {column}: {{sql: "{sql}"}}. {remedy(file)}'
    )


def under(limits: HoldBack, overrides: Iterable[Override]) -> str:
    """By which contracts and limits files are held back, as a text: when it differs, they are tried again."""
    return f"{contracts_in_use.fingerprint(overrides)} {limits.rows} {limits.refused} {limits.empty}"


def waiting(known: Iterable[Batch]) -> list[Batch]:
    """Files that are held back."""
    return [batch for batch in known if batch.state == batches.HELD]


def to_try(
    known: Iterable[Batch],
    held_under: str,
    accept: bool,
    entities: Mapping[str, Entity],
    arriving: Collection[str] = (),
) -> list[Batch]:
    """Held files to take through silver in this run.

    All of them with `accept`; else those that were held back under another contract, and those whose rows refer to
    an entity of which files arrive.
    """

    def is_due(file: SourceFile) -> bool:
        waits_for = entities[file.entity].depends_on & set(arriving)
        return accept or file.held_under != held_under or bool(waits_for)

    due = [batch for batch in waiting(known) if batch.files[0].entity in entities and is_due(batch.files[0])]
    order = list(entities)
    due.sort(key=lambda batch: order.index(batch.files[0].entity))
    return [
        replace(
            batch,
            state=batches.INGESTED,
            files=tuple(replace(sources.remapped(file, entities), accept=accept) for file in batch.files),
        )
        for batch in due
    ]


def replaced(known: Iterable[Batch]) -> list[Batch]:
    """Held files in whose place other content has come later, whether it was read before or now."""
    known = list(known)
    held_files = [(_place(file), file.content_hash, batch) for batch in waiting(known) for file in batch.files]
    if not held_files:
        return []
    read = [
        (_place(file), file.content_hash, batch.known_at)
        for batch in known
        if batch.state != batches.ABANDONED and (not batch.origin or batch.state == batches.HELD)
        for file in batch.files
    ]
    return [
        batch
        for place, content_hash, batch in held_files
        if any(at == place and content != content_hash and when > batch.known_at for at, content, when in read)
    ]


def _place(file: SourceFile) -> tuple[str, str, str, str]:
    return addresses.same(file.uri), file.member, file.sheet, file.entity


def told(batch: Batch) -> Refusal:
    """A file that an earlier run held back, as a message."""
    file = batch.files[0]
    return Refusal(file.name, file.entity, file.held, remedy(file))


def left_behind(lake: Lakehouse, entity: Entity, batch: Batch, limits: HoldBack) -> Refusal | None:
    """Why a held file stays held though there is other content in its place, None when it may be given up.

    It may when its records are in the new content or in the tables, all but the share that may be refused; or when the
    new content has no rows, which withdraws it. A file of changed rows alone takes the place of the one before it and
    replaces nothing.
    """
    file, bronze = batch.files[0], f"bronze.{entity.name}"
    filling = file.mapping.get(entity.key)
    key = "upper(regexp_replace(\"{}\", '\\s', '', 'g'))"
    rows_sql = f"select {key.format(filling.column)} as k" if filling and filling.column else "select _source_row as k"
    rows_sql += f" from {bronze} where _source_file = ? and _batch_id "
    known = (
        f"select upper({entity.key}) from {entity.history.name}" if lake.exists(entity.history.name) else "select ''"
    )
    with query.connect(lake, layers=["bronze", "silver"], only={bronze, entity.history.name}) as connection:
        counts = query.rows(
            connection,
            f"with held as (select distinct k from ({rows_sql} = ?) where k is not null), later as (select k from ({rows_sql} > ?)) "
            "select (select count(*) from held) as n, (select count(*) from later) as later, "
            "(select count(*) from held where k not in (select k from later where k is not null) "
            f"and cast(k as varchar) not in ({known})) as missing",
            [file.name, batch.origin, file.name, batch.origin],
        )[0]
    if not counts["later"] or counts["missing"] <= limits.refused * counts["n"]:
        return None
    problem = (
        f"{file.held}; other content has taken its place, but {part_of(counts['missing'], counts['n'], 'records')} are "
        "in none that was read"
    )
    way_out = (
        f"Put the whole corrected file in the place of {file.uri} (one with the header alone withdraws it), or correct the "
        "contract and give it with --contract; --accept takes the held rows in as they are."
    )
    return Refusal(file.name, file.entity, problem, way_out)


def given_up(lake: Lakehouse, batch: Batch) -> str:
    """What to say of a held file in whose place there is other content."""
    file = batch.files[0]
    name = f"bronze.{file.entity}"
    with query.connect(lake, layers=["bronze"], only={name}) as connection:
        sql = f"select count(*) as n from {name} where _batch_id = ? and _source_file = ?"
        rows = query.rows(connection, sql, [batch.origin, file.name])[0]["n"]
    return (
        f"{file.name}: the version that was held back on {batch.known_at:%Y-%m-%d} ({rows:,} row{'' if rows == 1 else 's'}) "
        "is given up, since other content is in its place"
    )
