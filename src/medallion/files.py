"""Files as streams and text: where they lie, how they are packed and encoded, and their fingerprint."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.fs
from pyarrow import csv as pacsv

from medallion.errors import SourceError

_CHUNK = 1 << 20
_HEAD = 1 << 18


def filesystem(uri: str) -> tuple[pa.fs.FileSystem, str]:
    """The file system and path of a folder or file, given as a local path or a URI."""
    if re.match(r"^[a-z][a-z0-9+]*://", uri):
        found, path = pa.fs.FileSystem.from_uri(uri)
        return found, str(path)
    return pa.fs.LocalFileSystem(), uri


@dataclass
class Content:
    """What one pass over a text file tells: SHA-256 of the unpacked content, its size, encoding and beginning."""

    digest: str
    size: int
    encoding: str
    head: bytes
    quoted: bool


def read_through(fs: pa.fs.FileSystem, path: str, name: str) -> Content:
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
    return Content(digest.hexdigest(), size, encoding, head, quoted)


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


def fingerprint(fs: pa.fs.FileSystem, path: str) -> tuple[str, int]:
    """SHA-256 of a file's bytes as they are, and how many."""
    digest, size = hashlib.sha256(), 0
    with fs.open_input_stream(path, compression=None) as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def open_stream(fs: pa.fs.FileSystem, path: str) -> pa.NativeFile:
    """The uncompressed bytes of a file; `.gz` is unpacked on the way."""
    compression = "gzip" if path.lower().endswith(".gz") else None
    return fs.open_input_stream(path, compression=compression)


def json_lines(fs: pa.fs.FileSystem, path: str) -> Iterator[pa.Table]:
    """The lines of a text file as tables of one column `line`, in order, a few MiB at a time."""
    with open_stream(fs, path) as stream:
        reader = pacsv.open_csv(
            stream,
            read_options=pacsv.ReadOptions(column_names=["line"], use_threads=False, block_size=_CHUNK * 16),
            parse_options=pacsv.ParseOptions(delimiter="\x01", quote_char=False, ignore_empty_lines=False),
            convert_options=pacsv.ConvertOptions(column_types={"line": pa.string()}, strings_can_be_null=False),
        )
        for batch in reader:
            yield pa.Table.from_batches([batch])
