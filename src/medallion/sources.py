"""Source files: which there are, what kind of record each holds, and how it is to be read.

Looks at files only; nothing is loaded. Works on any folder that pyarrow reaches (a path, `abfss://`).
"""

from __future__ import annotations

import csv
import fnmatch
import hashlib
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq

from medallion.contracts import Entity
from medallion.contracts.odcs import code
from medallion.errors import SourceError

FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv",
    ".jsonl": "jsonl", ".ndjson": "jsonl",
    ".parquet": "parquet",
}  # fmt: skip
_DELIMITERS = (",", ";", "\t", "|")
_CHUNK = 1 << 20
_HEAD = 1 << 18


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


@dataclass(frozen=True)
class Scan:
    """What a folder holds: files to read, files refused with a reason, files that are no CRM export."""

    files: tuple[SourceFile, ...]
    refused: tuple[Refusal, ...]
    ignored: tuple[str, ...]


def filesystem(uri: str) -> tuple[pa.fs.FileSystem, str]:
    """The file system and path of a folder or file, given as a local path or a URI."""
    if re.match(r"^[a-z][a-z0-9+]*://", uri):
        found, path = pa.fs.FileSystem.from_uri(uri)
        return found, str(path)
    return pa.fs.LocalFileSystem(), uri


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
            found.append(_inspect(fs, str(info.path), f"{folder.rstrip('/')}/{name}", name, candidates))
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
    content = _read_through(fs, path, name)
    if form == "jsonl":
        names = _json_names(fs, path, content.encoding, name)
        return _fit(uri, name, form, content, ",", names, candidates)
    head = content.head.decode(content.encoding, errors="replace").lstrip("\ufeff")
    delimiter, header = _header(head, candidates)
    return _fit(uri, name, form, content, delimiter, header, candidates)


@dataclass
class _Content:
    digest: str
    size: int
    encoding: str
    head: bytes
    quoted: bool


def _read_through(fs: pa.fs.FileSystem, path: str, name: str) -> _Content:
    """One pass over the text: its hash and encoding; refuses what is empty, cut short or binary."""
    digest = hashlib.sha256()
    head, size, lines, quoted, utf8 = b"", 0, 1, False, True
    rest = b""
    try:
        with open_stream(fs, path) as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
                head += chunk[: _HEAD - len(head)] if len(head) < _HEAD else b""
                quoted = quoted or b'"' in chunk
                if b"\0" in chunk and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
                    line = lines + chunk[: chunk.index(b"\0")].count(b"\n")
                    raise SourceError(
                        f"{name}: line {line}: holds a NUL byte, so this is not text",
                        "Export it as CSV in UTF-8 (a workbook renamed to .csv is not one).",
                    )
                lines += chunk.count(b"\n")
                if utf8 and (rest or not chunk.isascii()):
                    utf8, rest = _utf8(rest + chunk)
    except OSError as error:
        raise SourceError(f"{name}: cannot be read: {error}", "Check the file is complete; export it again.") from error
    if not head.strip(b"\xef\xbb\xbf \t\r\n"):
        raise SourceError(f"{name}: the file is empty", "Export it again, or remove it.")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif utf8 and not rest:
        encoding = "utf-8"
    else:
        encoding = "cp1252" if _is_cp1252(fs, path) else "latin-1"
    return _Content(digest.hexdigest(), size, encoding, head, quoted)


def _utf8(data: bytes) -> tuple[bool, bytes]:
    """Whether data is UTF-8, and the unfinished character at its end."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        cut = error.reason == "unexpected end of data" and len(data) - error.start < 4
        return cut, data[error.start :] if cut else b""
    return True, b""


def _is_cp1252(fs: pa.fs.FileSystem, path: str) -> bool:
    undefined = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
    with open_stream(fs, path) as stream:
        while chunk := stream.read(_CHUNK):
            if undefined.search(chunk):
                return False
    return True


def open_stream(fs: pa.fs.FileSystem, path: str) -> pa.NativeFile:
    """The uncompressed bytes of a file; `.gz` is unpacked on the way."""
    compression = "gzip" if path.lower().endswith(".gz") else None
    return fs.open_input_stream(path, compression=compression)


def _header(head: str, candidates: list[Entity]) -> tuple[str, list[str]]:
    """Delimiter and header cells: the delimiter under which most cells are known headers, then most cells."""

    def cells(delimiter: str) -> list[str]:
        return next(csv.reader(io.StringIO(head, newline=""), delimiter=delimiter), [])

    def known(header: list[str]) -> int:
        return max(len(columns_of(entity, header)) for entity in candidates)

    best = max(_DELIMITERS, key=lambda delimiter: (known(cells(delimiter)), len(cells(delimiter))))
    return best, cells(best)


def _json_names(fs: pa.fs.FileSystem, path: str, encoding: str, name: str) -> list[str]:
    """Every key of the records, in order of first appearance."""
    import duckdb

    if encoding != "utf-8":
        raise SourceError(f"{name}: JSON lines must be UTF-8, this looks like {encoding}", "Export it as UTF-8.")
    names: dict[str, None] = {}
    with duckdb.connect() as connection:
        for batch in json_lines(fs, path):
            connection.register("lines", batch)
            rows = connection.sql(
                "select distinct unnest(json_keys(document)) from "
                "(select try_cast(line as json) as document from lines) where json_type(document) = 'OBJECT'"
            ).fetchall()
            names.update(dict.fromkeys(sorted(str(row[0]) for row in rows)))
    if not names:
        raise SourceError(f"{name}: line 1: is not a JSON object", "Write one JSON object per line.")
    return list(names)


def json_lines(fs: pa.fs.FileSystem, path: str) -> Iterable[pa.Table]:
    """The lines of a text file as tables of one column `line`, in order, a few MiB at a time."""
    from pyarrow import csv as pacsv

    with open_stream(fs, path) as stream:
        reader = pacsv.open_csv(
            stream,
            read_options=pacsv.ReadOptions(column_names=["line"], use_threads=False, block_size=_CHUNK * 16),
            parse_options=pacsv.ParseOptions(delimiter="\x01", quote_char=False, ignore_empty_lines=False),
            convert_options=pacsv.ConvertOptions(column_types={"line": pa.string()}, strings_can_be_null=False),
        )
        for batch in reader:
            yield pa.Table.from_batches([batch])


def _inspect_parquet(fs: pa.fs.FileSystem, path: str, uri: str, name: str, candidates: list[Entity]) -> SourceFile:
    digest, size = hashlib.sha256(), 0
    try:
        with fs.open_input_stream(path, compression=None) as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
        names = pq.read_schema(path, filesystem=fs).names
    except (OSError, pa.ArrowInvalid) as error:
        raise SourceError(f"{name}: is not a readable Parquet file: {error}", "Export it again.") from error
    content = _Content(digest.hexdigest(), size, "utf-8", b"", False)
    return _fit(uri, name, "parquet", content, ",", list(names), candidates)


def columns_of(entity: Entity, header: Iterable[str]) -> dict[str, str]:
    """Per canonical column the header that holds it: its own name first, then its synonyms in their order."""
    by_code: dict[str, str] = {}
    for written in header:
        by_code.setdefault(code(written).replace("_", ""), written)
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
    content: _Content,
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
            raise SourceError(
                f"{name}: line 1: no column holds {column.name}, which {entity.name} need (header: {shown})",
                f"Rename the column to one of: {accepted}; or map it in a contract.",
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
        columns=tuple(zip(header, names, strict=True)),
        mapping={canonical: by_header[written] for canonical, written in found.items()},
    )
