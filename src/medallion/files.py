"""Files as streams and text: where they lie, how they are packed and encoded, and their fingerprint."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs

from medallion.errors import SourceError

_CHUNK = 1 << 20
_HEAD = 1 << 18
_TAIL = 1 << 12


def filesystem(uri: str) -> tuple[pa.fs.FileSystem, str]:
    """The file system and path of a folder or file, given as a local path or a URI."""
    if re.match(r"^[a-z][a-z0-9+]*://", uri):
        found, path = pa.fs.FileSystem.from_uri(uri)
        return found, str(path)
    return pa.fs.LocalFileSystem(), uri


@dataclass
class Content:
    """What one pass over a text file tells: SHA-256 of the unpacked content, its size, encoding and beginning.

    `quoted` says that there are quotation marks, `ends_quoted` that one closes the text.
    """

    digest: str
    size: int
    encoding: str
    head: bytes
    quoted: bool
    ends_quoted: bool = False


def read_through(fs: pa.fs.FileSystem, path: str, name: str) -> Content:
    """One pass over the text: its hash and encoding; refuses what is empty, cut short or binary."""
    digest = hashlib.sha256()
    head, size, lines, quoted, utf8 = b"", 0, 1, False, True
    rest = end = b""
    accented = False  # a letter outside ASCII was read as UTF-8
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
                if utf8 and (rest or not chunk.isascii()):
                    data = rest + chunk
                    utf8, rest = _utf8(data)
                    fine = data[: len(data) - len(rest)] if utf8 else data[: _wrong_at(data)]
                    accented = accented or not fine.isascii()
                    if not utf8 and accented:
                        raise _mixed(name, lines + fine.count(b"\n"))
                lines += chunk.count(b"\n")
                end = (end + chunk[-_TAIL:]).rstrip(b"\r\n\0")[-1:] or end
    except OSError as error:
        raise SourceError(f"{name}: cannot be read: {error}", "Check the file is complete; export it again.") from error
    if not head.strip(b"\xef\xbb\xbf \t\r\n"):
        raise SourceError(f"{name}: the file is empty", "Export it again, or remove it.")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif utf8 and not rest:
        encoding = "utf-8"
    elif accented:
        raise _mixed(name, lines)
    else:
        encoding = "cp1252" if _is_cp1252(fs, path) else "latin-1"
    return Content(digest.hexdigest(), size, encoding, head, quoted, end == b'"')


def _mixed(name: str, line: int) -> SourceError:
    return SourceError(
        f"{name}: line {line}: holds a byte that is not UTF-8, though the text before it is",
        "The file is damaged or joined from two; export it again as UTF-8.",
    )


def _wrong_at(data: bytes) -> int:
    """Where data stops being UTF-8."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start
    return len(data)


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


def text_lines(fs: pa.fs.FileSystem, path: str) -> Iterator[pa.Table]:
    """The lines of a UTF-8 file as tables of one column `line`, in order, a few MiB at a time."""
    rest, begun = b"", False
    with open_stream(fs, path) as stream:
        while chunk := stream.read(_CHUNK * 16):
            data = rest + (chunk if begun else chunk.removeprefix(b"\xef\xbb\xbf"))
            cut = data.rfind(b"\n") + 1
            rest, begun = data[cut:], True
            if cut:
                yield _lines(data[: cut - 1])
    if rest:
        yield _lines(rest)


def _lines(data: bytes) -> pa.Table:
    whole = pa.array([data.decode("utf-8")], pa.large_string())
    return pa.table({"line": pc.split_pattern(whole, "\n").flatten().cast(pa.string())})
