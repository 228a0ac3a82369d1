"""Source files: which there are, what kind of record each holds, and how it is to be read.

Looks at files only; nothing is loaded. Works on any folder that pyarrow reaches (a path, `abfss://`).
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from functools import lru_cache
from hashlib import sha256
from itertools import islice
from typing import Any

from medallion.contracts import Column, Entity, Filling, Source
from medallion.contracts.dates.names import MONTHS
from medallion.contracts.filling import ABSENT, COMPLETE, MERGED, OF, RECORD, SNAPSHOT, WHERE, joined
from medallion.contracts.model import DATE_FORMATS
from medallion.contracts.odcs import code, names_in
from medallion.errors import SourceError
from medallion.sources import currencies, deletions, delivery, headers, quoting, readers
from medallion.sources.delivery import FORMATS, Part
from medallion.sources.files import UNREADABLE, Content, Place, fingerprint, read_through, text_lines
from medallion.sources.headers import Header, Known
from medallion.sources.memory import Memory
from medallion.sources.readers import documents

#: Rows of a sheet in which its header is looked for.
_SHEET_HEAD = 60


@dataclass(frozen=True)
class SourceFile:
    """One export table and how to read it as one entity.

    `uri`, `member` of an archive and `sheet` of a workbook (for a JSON document the path of its list) say where it
    lies. `above` has the texts of the lines above the header. `columns` pairs each header, as written, with its bronze column; `mapping` gives what fills each canonical
    column; `dates` has the formats that the values of its dates call for. `content_hash` is the SHA-256 of the unpacked
    content, so that a file delivered again under another name, or compressed, is known; for a sheet it is that of the
    workbook and its name. `accept` takes the file in whatever share of its rows is refused; `held` says why it was held
    back, and `held_under` by which contracts and limits. With `slashed` a backslash says that the quotation mark after it
    is one of the cell's, with `wrapped` each record stands in quotation marks as a whole.
    """

    uri: str
    name: str
    entity: str
    format: str
    content_hash: str
    size_bytes: int
    encoding: str = "utf-8"
    delimiter: str = ","
    quoted: bool = False
    ends_quoted: bool = False
    slashed: bool = False
    wrapped: bool = False
    member: str = ""
    sheet: str = ""
    header_line: int = 1
    above: tuple[str, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()
    mapping: dict[str, Filling] = field(default_factory=dict)
    dates: dict[str, tuple[str, ...]] = field(default_factory=dict)
    accept: bool = False
    held: str = ""
    held_under: str = ""

    @property
    def place(self) -> Place:
        """Where its bytes lie."""
        return Place.at(self.uri, self.member)

    @contextmanager
    def text(self) -> Iterator[Any]:
        """The bytes of a delimited text, its quotation marks where the standard has them."""
        with self.place.text() as stream:
            bare = quoting.Unwrapped(stream) if self.wrapped else stream
            yield quoting.Doubled(bare, self.delimiter) if self.slashed else bare

    @property
    def columns_read(self) -> set[str]:
        """Bronze columns that fill a canonical column."""
        named = {item.column for item in self.mapping.values() if item.column}
        return named.union(*(names_in(item.sql) for item in self.mapping.values() if item.sql))

    def as_dict(self) -> dict[str, Any]:
        """The record as plain values, for the batch journal."""
        mapping = {name: item.model_dump(exclude_defaults=True) for name, item in self.mapping.items()}
        return {**asdict(self), "mapping": mapping}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SourceFile:
        """The record that `as_dict` gave, of this or an earlier version, whose fillings were names of columns alone."""
        columns = tuple((str(header), str(name)) for header, name in values["columns"])
        mapping = {name: _filling(json.dumps(item)) for name, item in values["mapping"].items()}
        dates = {str(name): tuple(formats) for name, formats in values.get("dates", {}).items()}
        above = tuple(values.get("above", ()))
        return cls(**{**values, "above": above, "columns": columns, "mapping": mapping, "dates": dates})

    def with_dates(self, dates: Mapping[str, tuple[str, ...]]) -> SourceFile:
        """The file with its dates read by these formats, per canonical column, where no contract names any."""
        mapping = {
            name: item.model_copy(update={"date_formats": dates[name]})
            if name in dates and not item.date_formats and not set(dates[name]) <= set(DATE_FORMATS)
            else item
            for name, item in self.mapping.items()
        }
        return replace(self, mapping=mapping, dates=dict(dates))


@lru_cache(1024)
def _filling(written: str) -> Filling:
    """What fills a column, as a journal has it in JSON; the files of a year have a few, thousands of times."""
    item = json.loads(written)
    return Filling(column=item) if isinstance(item, str) else Filling.model_validate(item)


@dataclass(frozen=True)
class Refusal:
    """A file that is not read in this run, and why."""

    name: str
    entity: str | None
    problem: str
    remedy: str


class _UnfitError(SourceError):
    """A header that lacks a column which its entity needs."""

    def __init__(self, problem: str, remedy: str, entity: str) -> None:
        super().__init__(problem, remedy)
        self.entity = entity


@dataclass(frozen=True)
class Scan:
    """What a folder holds: files to read, files refused with a reason, files that are no CRM export.

    `unfed` names declared sources that no file is, as `entity: pattern`.
    """

    files: tuple[SourceFile, ...]
    refused: tuple[Refusal, ...]
    ignored: tuple[str, ...]
    unfed: tuple[str, ...] = ()


def scan(folder: str, entities: Mapping[str, Entity], memory: Memory | None = None) -> Scan:
    """Look at every table directly in `folder`; one may feed several entities.

    A file that is refused holds back the files whose rows refer to its entity: without their parents those
    rows would all be quarantined.

    Args:
        folder: Where the files are.
        entities: The contracts.
        memory: What earlier runs found, by these contracts; files that are as they were are not read.

    Raises:
        SourceError: The folder does not exist or holds nothing that a contract recognises.
    """
    files: list[SourceFile] = []
    refused: list[Refusal] = []
    ignored: list[str] = []
    fed: set[tuple[str, str]] = set()
    memory = memory or Memory()
    for part in delivery.parts(folder, memory.parts):
        if isinstance(part, str):
            ignored.append(part)
            continue
        claims = _claims(part, entities)
        fed |= {(claim.entities[0].name, claim.source.file) for claim in claims if claim.source}
        by_name = not any(claim.source for claim in claims)
        if isinstance(part, Part) and by_name and (deleted := _unsaid_deletions(part, entities, memory)):
            refused.append(deleted)
        elif not claims:
            if isinstance(part, Part):
                ignored.append(part.name)
            else:  # what is in it cannot be seen, so it may be anything
                refused.append(Refusal(part.name, None, part.error.problem, part.error.remedy))
        elif isinstance(part, Part):
            _take(part, claims, files, refused, memory)
        else:
            for claim in claims:
                refused.append(Refusal(part.name, claim.entities[0].name, part.error.problem, part.error.remedy))
    if not files and not refused:
        patterns = ", ".join(dict.fromkeys(pattern for entity in entities.values() for pattern in _patterns(entity)))
        raise SourceError(
            f"{folder}: no file here is recognized ({', '.join(ignored) or 'the folder is empty'})",
            f"Let `medallion init {folder}` propose a contract, or name files by what they hold: {patterns}.",
        )
    scan = hold_back(files, refused, ignored, entities)
    declared = [
        (entity.name, source.file) for entity in entities.values() for source in entity.sources if not source.ignore
    ]
    return replace(scan, unfed=tuple(f"{name}: {file}" for name, file in declared if (name, file) not in fed))


@dataclass(frozen=True)
class _Claim:
    """Who a table may feed: the entity of a declared source, or the one of these that its header fits best."""

    entities: tuple[Entity, ...]
    source: Source | None = None

    def known(self, header: Sequence[str]) -> int:
        """How many of the header's cells are asked for."""
        if self.source and self.source.columns:
            wanted = {_bare(item.column) for item in self.source.columns.values() if item.column}
            return len(wanted & {_bare(cell) for cell in header})
        return max(len(columns_of(entity, header)) for entity in self.entities)


def _claims(part: Part | delivery.Unreadable, entities: Mapping[str, Entity]) -> list[_Claim]:
    declared = [
        _Claim((entity,), source)
        for entity in entities.values()
        if (source := next((item for item in entity.sources if _feeds(item, part)), None)) and not source.ignore
    ]
    named = tuple(item for item in entities.values() if not item.sources and _is_named(item, part.stems))
    return [*declared, _Claim(named)] if named else declared


def _unsaid_deletions(part: Part, entities: Mapping[str, Entity], memory: Memory) -> Refusal | None:
    """Refuse a file that is called a list of deleted records, of which no contract says anything: they would still count."""
    is_said = any(_feeds(source, part) for entity in entities.values() for source in entity.sources)
    listed = any(
        source.merged_into
        and source.merged_into.file
        and fnmatch.fnmatchcase(part.stems[-1].lower(), source.merged_into.file.lower())
        for entity in entities.values()
        for source in entity.sources
    )
    if is_said or listed or not deletions.are_named(part.stems):
        return None
    try:
        _, header = memory.looked(part, lambda: look(part, lambda cells: sum(map(bool, cells))))
    except SourceError:
        return None  # no table
    names = [cell.strip() for cell in header.cells if cell.strip()]
    if not (key := deletions.key_of(names)):
        return None  # it names no records
    of = next((each for each in entities.values() if _claimed_by_name(each, part)), entities["leads"])
    return Refusal(
        part.name,
        None,
        f"{part.name}: line {header.line}: is called a list of deleted records (header: {_shown(names)}), and no contract says what it "
        "is: the records that it names still count",
        f"Say in a contract whose records these are, such as `- {{file: {delivery.split(part.stems[-1])[0]!r}, absent: 'true', columns: "
        f"{{{of.key}: {key}}}}}` among the sources of {of.name}, or `ignore: true` in place of absent if they count.",
    )


def _claimed_by_name(entity: Entity, part: Part) -> bool:
    return any(
        fnmatch.fnmatchcase(stem.lower(), pattern.lower()) for stem in part.stems for pattern in entity.file_patterns
    )


def _patterns(entity: Entity) -> tuple[str, ...]:
    return tuple(source.file for source in entity.sources) or entity.file_patterns


def _feeds(source: Source, part: Part | delivery.Unreadable) -> bool:
    stem, suffix = delivery.split(source.file)
    pattern = (stem if suffix in FORMATS else source.file).lower()
    sheet = part.sheet if isinstance(part, Part) else ""
    if source.sheet is not None:
        named = bool(sheet) and fnmatch.fnmatchcase(sheet.lower(), source.sheet.lower())
        return named and fnmatch.fnmatchcase(part.stems[-1].lower(), pattern)
    return any(fnmatch.fnmatchcase(stem.lower(), pattern) for stem in part.stems)


def _is_named(entity: Entity, stems: Iterable[str]) -> bool:
    """Whether a pattern of the entity fits a name from one of its words on, such as `crm_leads_2025`."""
    ends = [
        lower[start:]
        for lower in map(str.lower, stems)
        for start in (0, *(m.end() for m in re.finditer(r"[_\-. ]", lower)))
    ]
    return any(fnmatch.fnmatchcase(end, pattern.lower()) for end in ends for pattern in entity.file_patterns)


def _take(part: Part, claims: list[_Claim], files: list[SourceFile], refused: list[Refusal], memory: Memory) -> None:
    def known(cells: Sequence[str]) -> int:
        return max(claim.known(cells) for claim in claims)

    try:
        content, header = memory.looked(part, lambda: look(part, known, _line(claims)))
    except SourceError as error:
        refused += [Refusal(part.name, claim.entities[0].name, error.problem, error.remedy) for claim in claims]
        return
    for claim in claims:
        try:
            files.append(_fit(part, content, header, claim))
        except _UnfitError as error:
            refused.append(Refusal(part.name, error.entity, error.problem, error.remedy))


def without(scan: Scan, refused: Iterable[Refusal], entities: Mapping[str, Entity]) -> Scan:
    """A scan without files that are refused on a second look, and without those whose rows refer to them."""
    refused = list(refused)
    names = {(item.name, item.entity) for item in refused}
    kept = [file for file in scan.files if (file.name, file.entity) not in names]
    left = hold_back(kept, [*scan.refused, *refused], scan.ignored, entities)
    return replace(left, unfed=scan.unfed)


def hold_back(
    files: Iterable[SourceFile],
    refused: Iterable[Refusal],
    ignored: Iterable[str],
    entities: Mapping[str, Entity],
    to_load: bool = False,
) -> Scan:
    """What can be read now: without the refused files, and without those whose rows refer to their entities.

    Of files that are about to be loaded, those are refused too that with a refused one make up a complete delivery or a
    snapshot: what the refused one holds would end.
    """
    refused = list(refused)
    if to_load:
        files = list(files)
        parts = [part for file in files if (part := _part_of_refused(file, refused, entities[file.entity]))]
        names = {(part.name, part.entity) for part in parts}
        files = [file for file in files if (file.name, file.entity) not in names]
        refused += parts
    missing = {item.entity for item in refused}
    kept = []
    for file in sorted(files, key=lambda item: list(entities).index(item.entity)):
        waits_for = entities[file.entity].depends_on & missing
        if waits_for:
            missing.add(file.entity)
            parents = " and ".join(sorted(str(name) for name in waits_for))
            refused.append(
                Refusal(
                    file.name,
                    file.entity,
                    f"{file.name}: held back, since its rows refer to {parents}, which could not be read",
                    f"Mend the {parents} file and run again.",
                )
            )
        else:
            kept.append(file)
    return Scan(tuple(kept), tuple(refused), tuple(ignored))


def _part_of_refused(file: SourceFile, refused: Iterable[Refusal], entity: Entity) -> Refusal | None:
    """Refuse a file that says what has ended, where one that is refused may belong to the same delivery or snapshot."""
    if not {COMPLETE, SNAPSHOT} & {*file.mapping}:
        return None
    shown = file.mapping.get(str(entity.version_column)) if SNAPSHOT in file.mapping else None
    day = shown and shown.value  # None of a complete delivery, or where a column tells it
    for other in refused:
        if other.entity == file.entity and not (day and (named := named_day(other.name)) and named.isoformat() != day):
            what = "snapshot" if SNAPSHOT in file.mapping else "complete delivery"
            return Refusal(
                file.name,
                file.entity,
                f"{file.name}: is a {what} by the contract, but a file of it that is refused lies beside: {other.name}",
                f"Give this {what} alone and whole: what it lacks has ended.",
            )
    return None


def _line(claims: Iterable[_Claim]) -> int | None:
    return next((claim.source.header_line for claim in claims if claim.source and claim.source.header_line), None)


def look(part: Part, known: Known, line: int | None = None) -> tuple[Content, Header]:
    """Read a table through once: what it is as text, and its header.

    Args:
        part: The table.
        known: How many cells of a header are known.
        line: Where the header is, where that has been said.

    Raises:
        SourceError: It is damaged, empty, or has no header.
    """
    header: Header | None
    if part.format in ("workbook", "json", "page", "parquet"):
        try:
            digest, size = fingerprint(part.place)
        except UNREADABLE as error:
            raise SourceError(
                f"{part.name}: cannot be read: {error}", "Check the file is complete; export it again."
            ) from error
        digest = sha256(f"{digest} {part.sheet}".encode()).hexdigest() if part.sheet else digest
        content = Content(digest, size, "utf-8", b"", False)
    if part.format == "parquet":
        return content, Header(tuple(readers.header(part.place, part.name)), 1)
    if part.format == "json":
        return content, Header(tuple(readers.header(part.place, part.name, part.sheet)), 1)
    if part.format in ("workbook", "page"):
        rows = readers.rows(part.place, part.name, part.format, part.sheet)
        header = headers.of_rows(list(islice(rows, max(_SHEET_HEAD, line or 0))), known, line)
        deque(rows, maxlen=0)  # a workbook that cannot be read to its end is refused here, before anything is loaded
    else:
        content = read_through(part.place, part.name)
        if part.format == "jsonl":
            return content, Header(tuple(_json_names(part, content.encoding)), 1)
        text = content.head.decode(content.encoding, errors="replace").lstrip("\ufeff")
        bare = quoting.unwrapped(text) if content.quoted else None
        if bare and (within := headers.of_text(bare, known, line)):
            content = replace(content, wrapped=quoting.wraps(part.place, content.encoding, within))
        header = within if content.wrapped else headers.of_text(text, known, line)
    if header and content.slashed:
        content = replace(content, slashed=quoting.escapes(part.place, content.encoding, header.delimiter))
    if header is None:
        where = f"line {line}: is blank or not there" if line else "line 1: nothing here looks like a header"
        raise SourceError(f"{part.name}: {where}", "Put the header on the first line, or say headerLine in a contract.")
    return content, header


def _json_names(part: Part, encoding: str) -> list[str]:
    """Every column of the records, in order of first appearance."""
    if encoding != "utf-8":
        raise SourceError(f"{part.name}: JSON lines must be UTF-8, this looks like {encoding}", "Export it as UTF-8.")
    read = (documents.record(line) for lines in text_lines(part.place) for line in lines)
    names = documents.names(document for document in read if document is not None)
    if not names:
        raise SourceError(f"{part.name}: line 1: is not a JSON object", "Write one JSON object per line.")
    return names


def unchanged(file: SourceFile) -> None:
    """Look again at a file that an interrupted run was to read.

    Raises:
        SourceError: It is gone, or holds something else by now.
    """
    try:
        place = file.place
        if file.format in ("parquet", "workbook", "json"):
            digest = fingerprint(place)[0]
            digest = sha256(f"{digest} {file.sheet}".encode()).hexdigest() if file.sheet else digest
        else:
            digest = read_through(place, file.name).digest
    except (*UNREADABLE, KeyError, SourceError) as error:
        raise SourceError(f"{file.name}: is gone or damaged since a run was interrupted: {error}") from error
    if digest != file.content_hash:
        raise SourceError(f"{file.name}: has changed since a run was interrupted")


def columns_of(entity: Entity, header: Iterable[str]) -> dict[str, str]:
    """Per canonical column the header that holds it: its own name first, then its synonyms in their order."""
    header = list(header)
    by_code: dict[str, str] = {}
    for written in sorted(header, key=lambda cell: cell != cell.lower()):  # a key in lower case is the plainest
        if bare := _bare(written):
            by_code.setdefault(bare, written)
    spellings = {}
    for column in entity.columns:
        for name in (column.name, *column.synonyms):
            written_as = by_code.get(_bare(name))
            if written_as is not None:
                spellings[column.name] = written_as
                break
    return spellings


def bronze_names(header: Iterable[str]) -> list[str]:
    """Column names for headers as written: lower case, `_` for what Delta does not allow, made unique."""
    names: list[str] = []
    taken: set[str] = set()
    for position, written in enumerate(header, start=1):
        bare = re.sub(r"\W+", "_", written.strip().lower()).strip("_")[:200] or f"column_{position}"
        name, count = bare, 1
        while name in taken:
            count += 1
            name = f"{bare}_{count}"
        taken.add(name)
        names.append(name)
    return names


@lru_cache(maxsize=1 << 14)
def _bare(name: str) -> str:
    """The form in which headers are compared: letters and digits alone, in lower case."""
    return code(name).replace("_", "")


def _fit(part: Part, content: Content, header: Header, claim: _Claim) -> SourceFile:
    """The table as the claim's entity that its header fits best; refused when a required column is missing."""
    cells = header.cells
    entity = max(claim.entities, key=lambda entity: _fitness(entity, cells))
    names = bronze_names(cells)
    by_header = dict(reversed(list(zip(cells, names, strict=True))))
    if claim.source and claim.source.columns is not None:
        mapping = _declared(part, header, entity, claim.source, names)
    else:
        mapping = {name: Filling(column=by_header[cell]) for name, cell in columns_of(entity, cells).items()}
        named = [cell for cell in cells if currencies.is_named(cell)]
        if "currency" in entity.column_names and "currency" not in mapping and len(named) == 1:
            mapping["currency"] = Filling(column=by_header[named[0]])
        for column in entity.columns:
            if _is_needed(column) and column.name not in mapping:
                accepted = ", ".join((column.name, *column.synonyms))
                raise _UnfitError(
                    f"{part.name}: line {header.line}: no column holds {column.name}, which {entity.name} need "
                    f"(header: {_shown(cells)})",
                    f"Rename the column to one of: {accepted}; or map it in a contract (`medallion init`).",
                    entity.name,
                )
    if claim.source and claim.source.snapshot:
        snapshot = claim.source.snapshot.value
        mapping[str(entity.version_column)] = _snapshot(part, header, entity, snapshot, names)
    if claim.source:
        mapping = {name: _as_source(item, entity.column(name), claim.source) for name, item in mapping.items()}
        mapping |= _life(part, header, entity, claim.source, names)
    return described(part, content, header, entity.name, mapping)


def _fitness(entity: Entity, cells: Sequence[str]) -> tuple[bool, bool, int]:
    """How well a header fits an entity: nothing needed is missing, its key is there, how many columns are."""
    columns = columns_of(entity, cells)
    is_keyed = entity.key in columns or entity.column(entity.key).default is not None
    return all(c.name in columns for c in entity.columns if _is_needed(c)), is_keyed, len(columns)


def described(
    part: Part, content: Content, header: Header, entity: str, mapping: Mapping[str, Filling] | None = None
) -> SourceFile:
    """How a table that has been looked at is to be read."""
    return SourceFile(
        uri=part.uri,
        name=part.name,
        entity=entity,
        format=part.format,
        content_hash=content.digest,
        size_bytes=content.size,
        encoding=content.encoding,
        delimiter=header.delimiter,
        quoted=content.quoted,
        ends_quoted=content.ends_quoted,
        slashed=content.slashed,
        wrapped=content.wrapped,
        member=part.place.member,
        sheet=part.sheet,
        header_line=header.line,
        above=header.above,
        columns=tuple(zip(header.cells, bronze_names(header.cells), strict=True)),
        mapping=dict(mapping or {}),
    )


def remapped(file: SourceFile, entities: Mapping[str, Entity]) -> SourceFile:
    """A file that was read before, as the present contracts map it; as it was where they no longer know it.

    The formats of its dates are kept for columns that are filled as before.
    """
    known = {entity.name: entity for entity in entities.values() if entity.name == file.entity}
    base = file.name.removesuffix(f"#{file.sheet}").rpartition("/")[2]
    stem = delivery.split(base)[0]
    part = Part(file.uri, file.name, file.format, file.place, (file.sheet, stem) if file.sheet else (stem,), file.sheet)
    header = Header(tuple(written for written, _ in file.columns), file.header_line, file.delimiter, file.above)
    content = Content(
        digest=file.content_hash,
        size=file.size_bytes,
        encoding=file.encoding,
        head=b"",
        quoted=file.quoted,
        ends_quoted=file.ends_quoted,
        slashed=file.slashed,
        wrapped=file.wrapped,
    )
    for claim in _claims(part, known):
        try:
            fitted = _fit(part, content, header, claim)
            as_before = {
                name: formats
                for name, formats in file.dates.items()
                if _unsettled(file, name) == fitted.mapping.get(name)
                and entities[file.entity].column(name).date_formats == DATE_FORMATS
            }
            fitted = fitted.with_dates(as_before)
            return replace(fitted, accept=file.accept, held=file.held, held_under=file.held_under)
        except _UnfitError:
            continue
    return file


def _unsettled(file: SourceFile, name: str) -> Filling | None:
    """What the contract fills a column with, without the formats that its values called for."""
    item = file.mapping.get(name)
    if item and item.date_formats and item.date_formats == file.dates.get(name):
        return item.model_copy(update={"date_formats": ()})
    return item


def undated(file: SourceFile) -> SourceFile:
    """A file as its contract maps it, without the formats that its dates called for when it was read."""
    mapping = {name: item for name in file.mapping if (item := _unsettled(file, name))}
    return replace(file, mapping=mapping, dates={})


def refilled(before: SourceFile, now: SourceFile, entity: Entity) -> list[str]:
    """Columns of dates and amounts that another contract fills otherwise, without saying how they are written."""
    names = []
    for name, item in now.mapping.items():
        if name not in entity.column_names:
            continue
        column = entity.column(name)
        is_date = column.is_time and item.column and not item.lookup
        is_said = item.date_formats or column.date_formats != DATE_FORMATS
        if (column.kind == "money" or name == "currency" or (is_date and not is_said)) and (
            _unsettled(before, name) != _unsettled(now, name)
        ):
            names.append(name)
    return names


def _is_needed(column: Column) -> bool:
    return column.checks.get("null") == "reject" and column.default is None and column.derive is None


def _shown(cells: Sequence[str]) -> str:
    return ", ".join(cells[:12]) + (" ..." if len(cells) > 12 else "")


def _declared(part: Part, header: Header, entity: Entity, source: Source, names: list[str]) -> dict[str, Filling]:
    """What fills each canonical column by a declared source; a column that is not there is left out if it may be."""
    exact = dict(reversed(list(zip(header.cells, names, strict=True))))
    loose = dict(reversed([(_bare(cell), name) for cell, name in exact.items()]))
    mapping = {}
    given = dict(source.columns or {})
    if source.key:
        given[entity.key] = _of_several(part, header, entity, source, exact, loose)
    for name, item in given.items():
        lacking: list[str] = []
        if item.column is not None:
            bronze = exact.get(item.column) or loose.get(_bare(item.column))
            lacking = [] if bronze else [item.column]
            item = item.model_copy(update={"column": bronze})
        elif item.sql is not None:
            lacking = _lacking(part, header, f"sql of {entity.name}.{name}", item.sql, names, entity)
        if lacking and header.line > 1 and (grouped := _grouped(lacking[0], names)):
            raise _UnfitError(
                f"{part.name}: line {header.line}: has no column {lacking[0]!r}, from which the contract fills {entity.name}.{name}: "
                f"below two rows of headers each has its group before it ({_shown(header.cells)})",
                f"Write {grouped} in the contract.",
                entity.name,
            )
        if not lacking:
            mapping[name] = item.model_copy(update={"confidence": None, "reason": ""})
        elif _is_needed(entity.column(name)) and not (source.is_of_ended and name != entity.key):
            raise _UnfitError(
                f"{part.name}: line {header.line}: has no column {lacking[0]!r}, which {entity.name}.{name} is filled "
                f"from (header: {_shown(header.cells)})",
                "Export it with that column, or change the contract.",
                entity.name,
            )
    for column in entity.columns:
        if _is_needed(column) and column.name not in given and not (source.is_of_ended and column.name != entity.key):
            raise _UnfitError(
                f"{part.name}: the contract says nothing of {entity.name}.{column.name}, which is required",
                f"Add it to the columns of {source.file}, or say `required: false` of the column.",
                entity.name,
            )
    return mapping


def _grouped(lacking: str, names: Sequence[str]) -> str:
    """The column that a name of earlier versions stands for, such as `date_2` for the second of several that end in `_date`."""
    match = re.fullmatch(r"(.+?)(?:_([0-9]+))?", code(lacking).lower())
    alike = [name for name in names if match and name.endswith(f"_{match[1]}")]
    place = int(match[2] or 1) if match else 0
    return alike[place - 1] if len(alike) > 1 and 0 < place <= len(alike) else ""


def _lacking(part: Part, header: Header, what: str, sql: str, names: list[str], entity: Entity) -> list[str]:
    """Columns that an expression names and a file does not have."""
    lacking = sorted(names_in(sql) - {*names})
    bronze = {header: name for header, name in zip(header.cells, names, strict=False) if header in lacking}
    if bronze:
        raise _UnfitError(
            f"{part.name}: {what} names {', '.join(map(repr, bronze))} as the header does; "
            "an expression uses the names in bronze",
            f"Write {', '.join(bronze.values())}.",
            entity.name,
        )
    return lacking


def _life(part: Part, header: Header, entity: Entity, source: Source, names: list[str]) -> dict[str, Filling]:
    """What a source says of whole records of a file: nothing of it may be left out, or ended records would count."""
    exact = dict(reversed(list(zip(header.cells, names, strict=True))))
    loose = dict(reversed([(_bare(cell), name) for cell, name in exact.items()]))
    mapping = {}
    for name, item in source.life.items():
        word = {WHERE: "where", ABSENT: "absent", MERGED: "mergedInto"}[name]
        if item.column is not None:
            bronze = exact.get(item.column) or loose.get(_bare(item.column))
            lacking, item = [] if bronze else [item.column], item.model_copy(update={"column": bronze})
        else:
            lacking = _lacking(part, header, f"{word} of {source.file}", str(item.sql), [*names, RECORD], entity)
        if lacking:
            raise _UnfitError(
                f"{part.name}: line {header.line}: has no column {lacking[0]!r}, by which the contract tells "
                f"{word} of {entity.name} (header: {_shown(header.cells)})",
                "Export it with that column, or change the contract.",
                entity.name,
            )
        mapping[name] = item
    if source.complete or source.where or source.snapshot:
        word = COMPLETE if source.complete else SNAPSHOT if source.snapshot else OF
        mapping[word] = Filling(value=f"{source.file} {source.sheet or ''}".strip())
    return mapping


def _snapshot(part: Part, header: Header, entity: Entity, snapshot: bool | str, names: list[str]) -> Filling:
    """What says as of when a row, or the whole file, shows the state."""
    if snapshot is True:
        if day := named_day(part.name):
            return Filling(value=day.isoformat())
        problem, remedy = "its name has no date, or several", "Name it by its day, such as deals_2025-01-31.csv."
    else:
        by_code = dict(reversed([(_bare(cell), name) for cell, name in zip(header.cells, names, strict=True)]))
        if bronze := by_code.get(_bare(str(snapshot))):
            return Filling(column=bronze)
        problem, remedy = f"has no column {snapshot!r}", "Export it with that column, or change the contract."
    raise _UnfitError(f"{part.name}: is a snapshot by the contract, but {problem}", remedy, entity.name)


_YEAR, _DAY = r"(?P<y>20\d\d)(?!\d)", r"(?P<d>0?[1-9]|[12]\d|3[01])"
_MONTH = r"(?<![^\W\d_])(?P<name>[^\W\d_]{3,12})(?![^\W\d_])"
_NAMED_DAYS = (
    r"(?<!\d)(?P<y>20\d\d)[-_. ]?(?P<m>0[1-9]|1[0-2])[-_. ]?(?P<d>0[1-9]|[12]\d|3[01])((?:[01]\d|2[0-3])[0-5]\d([0-5]\d)?)?(?!\d)",
    rf"(?<!\d){_DAY}\.(?P<m>0?[1-9]|1[0-2])\.{_YEAR}",
    rf"(?<!\d)(?P<m>0?[1-9]|1[0-2])[-_ ](?P<d>1[3-9]|2\d|3[01])[-_ ]{_YEAR}",
    rf"(?<!\d)(?P<d>1[3-9]|2\d|3[01])[-_ ](?P<m>0?[1-9]|1[0-2])[-_ ]{_YEAR}",
    r"(?<!\d)(?P<y>20\d\d)[-_. ]?(?P<m>0[1-9]|1[0-2])(?![-_. ]?\d)",
    rf"(?:(?<!\d){_DAY}[-_. ]*)?{_MONTH}[-_., ]*{_YEAR}",
    rf"{_MONTH}[-_. ]*{_DAY}(?:st|nd|rd|th)?[-_., ]+{_YEAR}",
    rf"(?<!\d){_YEAR}[-_. ]*{_MONTH}(?:[-_. ]*{_DAY}(?!\d))?",
    rf"(?<!\d){_YEAR}[-_ ]*(?i:w|kw|cw|week)[-_ ]?(?P<w>0?[1-9]|[1-4]\d|5[0-3])(?!\d)",
)


def named_day(name: str) -> date | None:
    """The one day in the name of a file, its sheet or its folder, of a month its first, of a week its Monday; None without, or with
    more than one.

    >>> [str(named_day(name)) for name in ("deals_2025-01-31.csv", "31.1.2025 Deals.xlsx", "202502/deals.csv", "03-04-2025.csv")]
    ['2025-01-31', '2025-01-31', '2025-02-01', 'None']
    >>> [str(named_day(name)) for name in ("a_20250131093000.csv", "a 01-31-2025.csv", "Marketing 2025.csv", "2025-02-30.csv")]
    ['2025-01-31', '2025-01-31', 'None', 'None']
    >>> [str(named_day(name)) for name in ("Jan_2025/a.csv", "a-28-febrero-2025.csv", "2025 März.csv", "May 5th, 2025.csv", "2025_W05.csv")]
    ['2025-01-01', '2025-02-28', '2025-03-01', '2025-05-05', '2025-01-27']
    >>> str(named_day("Pipeline 2025.xlsx#March"))
    '2025-03-01'
    """
    name = re.sub(r"\.(xls[xmb]?|ods)#", " ", name)  # Pipeline 2025.xlsx#March
    for part in (*reversed(name.split("/")), "-".join(name.split("/"))):
        for pattern in _NAMED_DAYS:
            try:
                days = {day for match in re.finditer(pattern, part) if (day := _day(match.groupdict()))}
            except ValueError:
                return None
            if days:
                return days.pop() if len(days) == 1 else None
    return None


def _day(parts: Mapping[str, str | None]) -> date | None:
    """The day that a pattern has found; None where the word in it is no month."""
    year = int(parts["y"] or 0)
    if week := parts.get("w"):
        return date.fromisocalendar(year, int(week), 1)
    month = parts.get("m") or MONTHS.get((parts.get("name") or "").lower())
    return date(year, int(month), int(parts.get("d") or 1)) if month else None


def _of_several(
    part: Part, header: Header, entity: Entity, source: Source, exact: dict[str, str], loose: dict[str, str]
) -> Filling:
    """The key of a record from several columns; none where one of them is empty."""
    names = [exact.get(column) or loose.get(_bare(column)) for column in source.key]
    if None in names:
        missing = source.key[names.index(None)]
        raise _UnfitError(
            f"{part.name}: line {header.line}: has no column {missing!r}, which is part of the key of {entity.name} "
            f"(header: {_shown(header.cells)})",
            "Export it with that column, or change `key` in the contract.",
            entity.name,
        )
    return Filling(sql=joined(name for name in names if name))


def _as_source(item: Filling, column: Column, source: Source) -> Filling:
    """A filling with what its source says of dates and amounts, where it says nothing itself."""
    if column.is_time and not item.date_formats:
        return item.model_copy(update={"date_formats": source.date_formats})
    if column.kind in ("money", "integer") and source.decimal_comma:
        return item.model_copy(update={"decimal_comma": True})
    return item
