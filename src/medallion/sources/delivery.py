"""What is in a folder of exports: files, members of zip archives, sheets of workbooks and lists of JSON documents,
each one table.

What a file is, its first bytes say and not its name: a workbook called `.csv` is a workbook.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.fs

from medallion import addresses
from medallion.errors import SourceError
from medallion.sources import azure, readers
from medallion.sources.files import BOMB_BYTES, BOMB_RATIO, UNREADABLE, Place, filesystem
from medallion.sources.readers import documents, web_tables
from medallion.sources.readers.opened import INSIDE

#: Kinds of table by the ending of a name.
FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json",
    ".parquet": "parquet",
    ".xlsx": "workbook", ".xlsm": "workbook", ".xlsb": "workbook", ".xls": "workbook", ".ods": "workbook",
    ".zip": "archive",
}  # fmt: skip
_ZIP, _OLE, _PARQUET = b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"PAR1"
#: Folders in folders that are looked into where there are no tables further up.
_DEPTH = 3
#: Bytes by which a file tells what it is.
_START = 4096
#: Members of an archive that are looked at; one of more is no export.
_MOST_MEMBERS = 200_000


#: Name and path of what is in a folder, and whether it is a file; or why that cannot be told.
_Entry = tuple[str, str, bool | OSError]


@dataclass(frozen=True)
class Part:
    """One table of a delivery.

    `uri` is the file, `name` tells the table as in `export.zip/Deals.csv` or `book.xlsx#Deals`; `stems` are the names
    by which it may be recognised, the most telling first.
    """

    uri: str
    name: str
    format: str
    place: Place
    stems: tuple[str, ...]
    sheet: str = ""


@dataclass(frozen=True)
class Unreadable:
    """A file that cannot be opened, and why; `cells` are those of its first line, where that can be read."""

    name: str
    stems: tuple[str, ...]
    error: SourceError
    cells: tuple[str, ...] = ()


#: Gives the tables of a file instead of those that are read: the file, its address, how its tables are read.
Cached = Callable[[Place, str, Iterable[Part | Unreadable | str]], Iterable[Part | Unreadable | str]]


def parts(folder: str, cached: Cached = lambda place, uri, read: read) -> Iterator[Part | Unreadable | str]:
    """Every table directly in `folder`, in order of name; a name alone is a file that can hold none.

    Where there is no table directly in it, those of its folders, named by their path: a folder per month, say.

    Raises:
        SourceError: There is no such folder.
    """
    folder = addresses.of_source(folder)
    fs, base = filesystem(folder)
    try:
        kind = fs.get_file_info(base).type
    except (OSError, pa.ArrowException) as cause:
        raise SourceError(f"{folder}: cannot be reached: {azure.reason(cause)}", addresses.sign_in(folder)) from cause
    except ValueError as cause:
        raise SourceError(f"{folder!a}: is not the name of a folder: {cause}", "Name it in UTF-8.") from cause
    if kind != pa.fs.FileType.Directory:
        raise SourceError(f"{folder}: there is no such folder", "Name the folder of your exports with --source.")
    home = folder.rstrip("/") if addresses.is_address(folder) else str(Path(folder).absolute())
    try:
        listed: list[_Entry] = [*_listed(fs, base)]
    except OSError as cause:
        problem = f"{folder}: cannot be read: {cause.strerror or cause}"
        raise SourceError(problem, "Make the folder readable for this user.") from cause
    if below := not any(
        is_file and split(name)[1] in FORMATS and not name.startswith((".", "_", "~$")) for name, _, is_file in listed
    ):
        listed = list(_below(fs, listed))
    for name, path, is_file in listed:
        if name.startswith((".", "~$")):
            continue
        problem = ""
        is_read = split(name)[1] in FORMATS or (below and not is_file)
        if not _sayable(name):
            problem, remedy = f"{name!a}: a file name that is not UTF-8", "Rename the file."
        elif isinstance(is_file, OSError):
            problem = f"{name}: cannot be read: {is_file.strerror or is_file}"
            remedy = "Make the folder readable for this user."
        elif is_read and isinstance(fs, pa.fs.LocalFileSystem) and _leads_out(path, base):
            problem, remedy = f"{name}: is a link to something outside of the folder", "Put the file itself there."
        if problem:
            shown = name.encode("utf-8", "replace").decode()
            yield Unreadable(shown, (split(name.rpartition("/")[2])[0],), SourceError(problem, remedy))
        elif is_file and not name.rpartition("/")[2].startswith(("_", ".", "~$")):
            place, uri = Place(fs, path), f"{home}/{name}"
            yield from cached(place, uri, _parts(place, uri, name, name.rpartition("/")[2]))
        elif is_file or split(name)[1] in FORMATS:
            yield name


def _below(fs: pa.fs.FileSystem, listed: Sequence[_Entry], depth: int = 1) -> Iterator[_Entry]:
    """Files of the folders in a folder that has no tables itself, such as one per month, each named by its path."""
    for name, path, is_file in listed:
        if is_file or name.rpartition("/")[2].startswith((".", "_")) or split(name)[1] in FORMATS:
            yield name, path, is_file
        elif Path(path).is_symlink():
            yield name, path, False
        elif depth <= _DEPTH:
            try:
                inner = [(f"{name}/{own}", inside, file) for own, inside, file in _listed(fs, path)]
            except OSError as cause:
                yield name, path, cause
            else:
                yield from _below(fs, inner, depth + 1)


def _listed(fs: pa.fs.FileSystem, base: str) -> list[tuple[str, str, bool]]:
    """Name and path of everything in a folder, in order of name, and whether it is a file."""
    if isinstance(fs, pa.fs.LocalFileSystem):
        with os.scandir(base) as entries:
            return sorted((entry.name, entry.path, _is_file(entry)) for entry in entries)
    infos = fs.get_file_info(pa.fs.FileSelector(base))
    return sorted((str(info.base_name), str(info.path), info.type == pa.fs.FileType.File) for info in infos)


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link to itself
        return False


def _leads_out(path: str, base: str) -> bool:
    """Whether a path, or a folder on it, is a link that leads out of the folder `base`."""
    try:
        whole, home = os.path.realpath(path), os.path.realpath(base)
    except OSError:  # where it leads nobody may know
        return True
    return whole != home and not whole.startswith(home.rstrip(os.sep) + os.sep)


def _sayable(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _parts(
    place: Place, uri: str, name: str, own: str, outer: str = "", start: bytes = b""
) -> Iterator[Part | Unreadable | str]:
    stem, suffix = split(own)
    if suffix not in FORMATS:
        yield name
        return
    try:
        form = _format(start or place.beginning(_START), name, FORMATS[suffix])
        if form == "archive":
            if outer:
                raise SourceError(f"{name}: an archive in an archive in an archive is not opened", "Unpack it first.")
            yield from _members(place, uri, name)
        elif form == "workbook":
            shown, hidden = readers.sheets(place, name)
            yield from (f"{name}#{sheet}" for sheet in hidden)
            for sheet in shown:
                stems = (sheet, stem) if len(shown) == 1 or not _by_default(sheet) else (stem,)
                yield Part(uri, f"{name}#{sheet}", form, place, stems, sheet)
        elif form == "page":
            tables = readers.pages(place, name)
            for table in tables:
                yield Part(uri, f"{name}#{table}", form, place, (table, stem) if len(tables) == 1 else (stem,), table)
        elif form == "json" and (lists := readers.lists(place, name)) is not None:
            if not lists:
                yield name
            for path in lists:
                own_name = path.rpartition(".")[2]
                file_stem = () if documents.INNER in path else (stem,)
                stems = (stem,) if _by_default(path) else (own_name, *file_stem)
                yield Part(uri, f"{name}#{path}" if path else name, form, place, stems, path)
        elif form == "json":
            yield Part(uri, name, "jsonl", place, (stem,))
        else:
            yield Part(uri, name, form, place, (stem,))
    except SourceError as error:
        yield Unreadable(name, (stem,), error)
    except UNREADABLE as error:
        unreadable = SourceError(f"{name}: cannot be read: {error}", "Check the file is complete; export it again.")
        yield Unreadable(name, (stem,), unreadable)


def _by_default(sheet: str) -> bool:
    """Whether a sheet or list has a name that tells nothing: the one that the program gave it."""
    usual = (
        r"(sheet|table|tabelle|hoja|feuil|foglio|planilha) ?\d*|(.*\.)?(data|results?|records|values?|items|rows|list)|"
    )
    return bool(re.fullmatch(usual, sheet.lower()))


def split(name: str) -> tuple[str, str]:
    """A file's name without its ending and that of `.gz`, and the ending.

    >>> split("Deals 2025.CSV.gz"), split("README")
    (('Deals 2025', '.csv'), ('README', ''))
    """
    bare = re.sub(r"\.gz$", "", name, flags=re.IGNORECASE)
    stem, dot, suffix = bare.rpartition(".")
    return (stem, f".{suffix.lower()}") if dot else (bare, "")


def _format(start: bytes, name: str, named: str) -> str:
    if start.startswith(_ZIP):
        is_workbook = re.search(rb"\[Content_Types\]\.xml|mimetypeapplication/vnd\.oasis|_rels/\.rels", start)
        return "workbook" if is_workbook or named == "workbook" else "archive"
    if start.startswith(_OLE):
        return "workbook"
    if named == "csv" and start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b'{"'):
        return "jsonl"
    if named in ("csv", "jsonl") and re.match(rb"(\xef\xbb\xbf)?\s*\[\s*\{", start):
        return "json"
    if start.startswith(b"PK\x05\x06"):
        raise SourceError(f"{name}: is an empty archive", "Export it again.")
    if start.startswith(_PARQUET):
        return "parquet"
    if web_tables.is_page(start):
        return "page"
    if re.match(rb"(\xef\xbb\xbf)?\s*<(!doctype|html|table|\?xml|meta|head)", start, re.IGNORECASE):
        raise SourceError(
            f"{name}: is a web page (HTML or XML), whatever its name says",
            "Open it in a spreadsheet program and save it as .xlsx or .csv.",
        )
    if named in ("archive", "parquet"):
        kind = "a zip archive" if named == "archive" else "a Parquet file"
        raise SourceError(f"{name}: is not {kind}, or is cut short", "Export it again.")
    return "csv" if named == "workbook" else named


def _members(place: Place, uri: str, name: str) -> Iterator[Part | Unreadable | str]:
    members, size, packed = [], 0, 0
    for member in place.members():
        members.append(member)
        size, packed = size + member[1], packed + member[2]
        if len(members) > _MOST_MEMBERS:
            raise SourceError(f"{name}: has more than {_MOST_MEMBERS:,} members", "Pack the exports alone.")
    if size > BOMB_BYTES and size > BOMB_RATIO * max(packed, 1):
        problem = f"{name}: would unpack to {size >> 20:,} MiB, {BOMB_RATIO} times its size"
        raise SourceError(problem, "Unpack it first, if you trust it.")
    kept, problems = list[str](), dict[str, tuple[str, str]]()
    for path, _, _, encrypted in members:
        own = path.rpartition("/")[2]
        is_table = split(own)[1] in FORMATS
        if is_table and (re.match(r"[/\\]|[A-Za-z]:", path) or ".." in re.split(r"[/\\]", path)):
            problems[path] = "is a member whose name leads out of the archive", "Pack the exports again."
        elif own.startswith((".", "_")) or path.startswith("__MACOSX/"):
            if own.startswith("_") and not path.startswith("__MACOSX/"):
                yield f"{name}/{path}"
        elif path in kept[-1:]:
            problems[path] = "is the second member of that name", "Unpack it first, if you trust it."
        elif encrypted:
            problems[path] = "is encrypted", "Unpack it first, if you trust it."
        else:
            kept.append(path)
    for path, (problem, remedy) in problems.items():
        shown_name = f"{name}/{path}"
        stem = split(path.rpartition("/")[2])[0]
        yield Unreadable(shown_name, (stem,), SourceError(f"{shown_name}: {problem}", remedy))
    tables = [path for path in kept if split(path)[1] in FORMATS]
    with closing(place.beginnings(tables, _START)) as starts:
        known = iter(zip(tables, starts, strict=True))
        for path in kept:
            start = next(known)[1] if split(path)[1] in FORMATS else b""
            lies = Place(place.fs, place.path, f"{place.member}{INSIDE}{path}" if place.member else path)
            yield from _parts(lies, uri, f"{name}/{path}", path.rpartition("/")[2], place.member, start)
