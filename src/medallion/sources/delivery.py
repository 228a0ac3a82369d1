"""What is in a folder of exports: files, members of zip archives, sheets of workbooks and lists of JSON documents,
each one table.

What a file is, its first bytes say and not its name: a workbook called `.csv` is a workbook.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.fs

from medallion.errors import SourceError
from medallion.sources import azure
from medallion.sources.files import INSIDE, UNREADABLE, Place, filesystem
from medallion.sources.readers import documents, web_tables, workbooks

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
#: An archive whose member unpacks to more than this, and to so many times its size, is taken for a bomb.
_BOMB_BYTES, _BOMB_RATIO = 1 << 30, 500


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


def parts(folder: str) -> Iterator[Part | Unreadable | str]:
    """Every table directly in `folder`, in order of name; a name alone is a file that can hold none.

    Where there is no table directly in it, those of its folders, named by their path: a folder per month, say.

    Raises:
        SourceError: There is no such folder.
    """
    fs, base = filesystem(folder)
    try:
        kind = fs.get_file_info(base).type
    except (OSError, pa.ArrowException) as cause:
        raise SourceError(f"{folder}: cannot be reached: {azure.reason(cause)}", azure.SIGN_IN) from cause
    if kind != pa.fs.FileType.Directory:
        raise SourceError(f"{folder}: there is no such folder", "Name the folder of your exports with --source.")
    home = folder.rstrip("/") if "://" in folder else str(Path(folder).absolute())
    listed = _listed(fs, base)
    if not any(
        is_file and split(name)[1] in FORMATS and not name.startswith((".", "_", "~$")) for name, _, is_file in listed
    ):
        listed = list(_below(fs, listed))
    for name, path, is_file in listed:
        if name.startswith((".", "~$")):
            continue
        if not _sayable(name):
            error = SourceError(f"{name!a}: a file name that is not UTF-8", "Rename the file.")
            yield Unreadable(name.encode("utf-8", "replace").decode(), (split(name)[0],), error)
        elif is_file and not name.rpartition("/")[2].startswith(("_", ".", "~$")):
            yield from _parts(Place(fs, path), f"{home}/{name}", name, name.rpartition("/")[2])
        elif is_file or split(name)[1] in FORMATS:
            yield name


def _below(
    fs: pa.fs.FileSystem, listed: list[tuple[str, str, bool]], depth: int = 1
) -> Iterator[tuple[str, str, bool]]:
    """Files of the folders in a folder that has no tables itself, such as one per month, each named by its path."""
    for name, path, is_file in listed:
        if is_file or name.rpartition("/")[2].startswith((".", "_")) or split(name)[1] in FORMATS:
            yield name, path, is_file
        elif depth <= _DEPTH and not Path(path).is_symlink():
            inner = [(f"{name}/{own}", inside, file) for own, inside, file in _listed(fs, path)]
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


def _sayable(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _parts(place: Place, uri: str, name: str, own: str) -> Iterator[Part | Unreadable | str]:
    stem, suffix = split(own)
    if suffix not in FORMATS:
        yield name
        return
    try:
        form = _format(place, name, FORMATS[suffix])
        if form == "archive":
            if INSIDE in place.member:
                raise SourceError(f"{name}: an archive in an archive in an archive is not opened", "Unpack it first.")
            yield from _members(place, uri, name)
        elif form == "workbook":
            shown, hidden = workbooks.sheets(place, name)
            yield from (f"{name}#{sheet}" for sheet in hidden)
            for sheet in shown:
                stems = (sheet, stem) if len(shown) == 1 or not _by_default(sheet) else (stem,)
                yield Part(uri, f"{name}#{sheet}", form, place, stems, sheet)
        elif form == "page":
            found = web_tables.tables(place, name)
            for table in found:
                yield Part(uri, f"{name}#{table}", form, place, (table, stem) if len(found) == 1 else (stem,), table)
        elif form == "json" and (lists := documents.lists(place, name)) is not None:
            if not lists:
                yield name
            for path in lists:
                stems = (stem,) if _by_default(path) else (path.rpartition(".")[2], stem)
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


def _format(place: Place, name: str, named: str) -> str:
    start = place.beginning(4096)
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
    with place.archive() as archive:
        infos = sorted((info for info in archive.infolist() if not info.is_dir()), key=lambda info: info.filename)
    seen: set[str] = set()
    for info in infos:
        own = info.filename.rpartition("/")[2]
        shown_name = f"{name}/{info.filename}"
        if own.startswith((".", "_")) or info.filename.startswith("__MACOSX/"):
            if own.startswith("_") and not info.filename.startswith("__MACOSX/"):
                yield shown_name
            continue
        problem = ""
        if info.filename in seen:
            problem = "is the second member of that name"
        elif info.flag_bits & 1:
            problem = "is encrypted"
        elif info.file_size > _BOMB_BYTES and info.file_size > _BOMB_RATIO * max(info.compress_size, 1):
            problem = f"would unpack to {info.file_size >> 20:,} MiB, {_BOMB_RATIO} times its size"
        if problem:
            error = SourceError(f"{shown_name}: {problem}", "Unpack it first, if you trust it.")
            yield Unreadable(shown_name, (split(own)[0],), error)
        else:
            seen.add(info.filename)
            member = f"{place.member}{INSIDE}{info.filename}" if place.member else info.filename
            yield from _parts(Place(place.fs, place.path, member), uri, shown_name, own)
