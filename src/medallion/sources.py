"""Source files: which there are, what kind of record each holds, and how it is to be read.

Looks at files only; nothing is loaded. Works on any folder that pyarrow reaches (a path, `abfss://`).
"""

from __future__ import annotations

import csv
import fnmatch
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq

from medallion.contracts import Entity
from medallion.contracts.odcs import code
from medallion.errors import SourceError
from medallion.files import Content, filesystem, fingerprint, read_through, text_lines

FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv",
    ".jsonl": "jsonl", ".ndjson": "jsonl",
    ".parquet": "parquet",
}  # fmt: skip
_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class SourceFile:
    """One export file and how to read it.

    `columns` pairs each header, as written, with its bronze column; `mapping` gives per canonical column the
    bronze column that holds it. `content_hash` is the SHA-256 of the uncompressed content, so that a file
    delivered again under another name, or compressed, is known.
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
    columns: tuple[tuple[str, str], ...] = ()
    mapping: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The record as plain values, for the batch journal."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SourceFile:
        """The record that `as_dict` gave."""
        columns = tuple((str(header), str(name)) for header, name in values["columns"])
        return cls(**{**values, "columns": columns})


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
    """What a folder holds: files to read, files refused with a reason, files that are no CRM export."""

    files: tuple[SourceFile, ...]
    refused: tuple[Refusal, ...]
    ignored: tuple[str, ...]


def scan(folder: str, entities: Mapping[str, Entity]) -> Scan:
    """Look at every file directly in `folder`.

    A file that is refused holds back the files whose rows refer to its entity: without their parents those
    rows would all be quarantined.

    Raises:
        SourceError: The folder does not exist or holds nothing that a contract recognises.
    """
    fs, base = filesystem(folder)
    if fs.get_file_info(base).type != pa.fs.FileType.Directory:
        raise SourceError(f"{folder}: there is no such folder", "Name the folder of your exports with --source.")
    home = folder.rstrip("/") if "://" in folder else str(Path(folder).absolute())
    found: list[SourceFile] = []
    refused: list[Refusal] = []
    ignored: list[str] = []
    listing = sorted(fs.get_file_info(pa.fs.FileSelector(base)), key=lambda info: str(info.path))
    for info in listing:
        name = str(info.base_name)
        if info.type != pa.fs.FileType.File or name.startswith((".", "_")):
            continue
        candidates = _by_name(name, entities)
        if not candidates:
            ignored.append(name)
            continue
        try:
            found.append(_inspect(fs, str(info.path), f"{home}/{name}", name, candidates))
        except _UnfitError as error:
            refused.append(Refusal(name, error.entity, error.problem, error.remedy))
        except SourceError as error:
            refused.append(Refusal(name, candidates[0].name, error.problem, error.remedy))
    if not found and not refused:
        patterns = ", ".join(pattern for entity in entities.values() for pattern in entity.file_patterns)
        raise SourceError(
            f"{folder}: no file here is recognised ({', '.join(ignored) or 'the folder is empty'})",
            f"Name files by what they hold ({patterns}, as .csv, .jsonl or .parquet), or say it in a contract.",
        )
    return _hold_back(found, refused, ignored, entities)


def _hold_back(
    found: list[SourceFile], refused: list[Refusal], ignored: list[str], entities: Mapping[str, Entity]
) -> Scan:
    missing = {item.entity for item in refused}
    kept = []
    for file in sorted(found, key=lambda item: list(entities).index(item.entity)):
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


def _by_name(name: str, entities: Mapping[str, Entity]) -> list[Entity]:
    """Entities of which a pattern fits the name from one of its words on, such as `crm_leads_2025`."""
    stem, suffix = _split(name)
    if suffix not in FORMATS:
        return []
    lower = stem.lower()
    ends = [lower, *(lower[found.end() :] for found in re.finditer(r"[_\-. ]", lower))]
    return [
        entity
        for entity in entities.values()
        if any(fnmatch.fnmatchcase(end, pattern.lower()) for end in ends for pattern in entity.file_patterns)
    ]


def _split(name: str) -> tuple[str, str]:
    bare = name.removesuffix(".gz").removesuffix(".GZ")
    stem, dot, suffix = bare.rpartition(".")
    return (stem, f".{suffix.lower()}") if dot else (bare, "")


def _inspect(fs: pa.fs.FileSystem, path: str, uri: str, name: str, candidates: list[Entity]) -> SourceFile:
    form = FORMATS[_split(name)[1]]
    if form == "parquet":
        return _inspect_parquet(fs, path, uri, name, candidates)
    content = read_through(fs, path, name)
    if form == "jsonl":
        names = _json_names(fs, path, content.encoding, name)
        return _fit(uri, name, form, content, ",", names, candidates)
    head = content.head.decode(content.encoding, errors="replace").lstrip("\ufeff")
    delimiter, header = _header(head, candidates)
    if not header:
        raise SourceError(f"{name}: line 1: is blank, and no header", "Put the header on the first line.")
    return _fit(uri, name, form, content, delimiter, header, candidates)


def _header(head: str, candidates: list[Entity]) -> tuple[str, list[str]]:
    """Delimiter and header cells: the delimiter under which most cells are known headers, then most cells."""

    def cells(delimiter: str) -> list[str]:
        return next(csv.reader(io.StringIO(head, newline=""), delimiter=delimiter), [])

    def known(header: list[str]) -> int:
        return max(len(columns_of(entity, header)) for entity in candidates)

    try:
        best = max(_DELIMITERS, key=lambda delimiter: (known(cells(delimiter)), len(cells(delimiter))))
        return best, cells(best)
    except csv.Error:  # a cell of more than 128 KiB
        return ",", [head[:80]]


def _json_names(fs: pa.fs.FileSystem, path: str, encoding: str, name: str) -> list[str]:
    """Every key of the records, in order of first appearance."""
    import duckdb

    if encoding != "utf-8":
        raise SourceError(f"{name}: JSON lines must be UTF-8, this looks like {encoding}", "Export it as UTF-8.")
    names: dict[str, None] = {}
    with duckdb.connect() as connection:
        for batch in text_lines(fs, path):
            connection.register("lines", batch)
            rows = connection.sql(
                "select distinct unnest(json_keys(document)) from "
                "(select try_cast(line as json) as document from lines) where json_type(document) = 'OBJECT'"
            ).fetchall()
            names.update(dict.fromkeys(sorted(str(row[0]) for row in rows)))
    if not names:
        raise SourceError(f"{name}: line 1: is not a JSON object", "Write one JSON object per line.")
    return list(names)


def _inspect_parquet(fs: pa.fs.FileSystem, path: str, uri: str, name: str, candidates: list[Entity]) -> SourceFile:
    try:
        digest, size = fingerprint(fs, path)
        names = pq.read_schema(path, filesystem=fs).names
    except (OSError, pa.ArrowInvalid) as error:
        raise SourceError(f"{name}: is not a readable Parquet file: {error}", "Export it again.") from error
    content = Content(digest, size, "utf-8", b"", False)
    return _fit(uri, name, "parquet", content, ",", list(names), candidates)


def unchanged(file: SourceFile) -> None:
    """Look again at a file that an interrupted run was to read.

    Raises:
        SourceError: It is gone, or holds something else by now.
    """
    fs, path = filesystem(file.uri)
    try:
        parquet = file.format == "parquet"
        digest = fingerprint(fs, path)[0] if parquet else read_through(fs, path, file.name).digest
    except (OSError, SourceError) as error:
        raise SourceError(f"{file.name}: is gone or damaged since a run was interrupted: {error}") from error
    if digest != file.content_hash:
        raise SourceError(f"{file.name}: has changed since a run was interrupted")


def columns_of(entity: Entity, header: Iterable[str]) -> dict[str, str]:
    """Per canonical column the header that holds it: its own name first, then its synonyms in their order."""
    by_code: dict[str, str] = {}
    for written in header:
        if bare := code(written).replace("_", ""):
            by_code.setdefault(bare, written)
    found = {}
    for column in entity.columns:
        for name in (column.name, *column.synonyms):
            written_as = by_code.get(code(name).replace("_", ""))
            if written_as is not None:
                found[column.name] = written_as
                break
    return found


def bronze_names(header: Iterable[str]) -> list[str]:
    """Column names for headers as written: lower case, `_` for what Delta does not allow, made unique."""
    names: list[str] = []
    for position, written in enumerate(header, start=1):
        bare = re.sub(r"\W+", "_", written.strip().lower()).strip("_")[:200] or f"column_{position}"
        name, count = bare, 1
        while name in names:
            count += 1
            name = f"{bare}_{count}"
        names.append(name)
    return names


def _fit(
    uri: str,
    name: str,
    form: str,
    content: Content,
    delimiter: str,
    header: list[str],
    candidates: list[Entity],
) -> SourceFile:
    """The file as the candidate entity that its header fits best; refused when a required column is missing."""
    entity = max(candidates, key=lambda item: (item.key in columns_of(item, header), len(columns_of(item, header))))
    found = columns_of(entity, header)
    for column in entity.columns:
        needed = column.checks.get("null") == "reject" and column.default is None and column.derive is None
        if needed and column.name not in found:
            accepted = ", ".join((column.name, *column.synonyms))
            shown = ", ".join(header[:12]) + (" ..." if len(header) > 12 else "")
            raise _UnfitError(
                f"{name}: line 1: no column holds {column.name}, which {entity.name} need (header: {shown})",
                f"Rename the column to one of: {accepted}; or map it in a contract.",
                entity.name,
            )
    names = bronze_names(header)
    by_header = dict(reversed(list(zip(header, names, strict=True))))
    return SourceFile(
        uri=uri,
        name=name,
        entity=entity.name,
        format=form,
        content_hash=content.digest,
        size_bytes=content.size,
        encoding=content.encoding,
        delimiter=delimiter,
        quoted=content.quoted,
        ends_quoted=content.ends_quoted,
        columns=tuple(zip(header, names, strict=True)),
        mapping={canonical: by_header[written] for canonical, written in found.items()},
    )
