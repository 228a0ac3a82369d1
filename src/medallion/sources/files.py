"""Files as streams and text: where they lie, how they are packed and encoded, and their fingerprint."""

from __future__ import annotations

import codecs
import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.fs

from medallion import addresses
from medallion.errors import SourceError
from medallion.sources import azure, confined, encodings

_CHUNK = 1 << 20
_HEAD = 1 << 18
_TAIL = 1 << 12
_LONGEST_LINE = 8 << 20
#: Marks of UTF-16 and UTF-32.
_MARKS = (b"\xff\xfe", b"\xfe\xff")
#: A text may hold a zero byte in one of so many lines, whose records are refused; one with more is no text.
_ZEROS = 5


def filesystem(uri: str) -> tuple[pa.fs.FileSystem, str]:
    """The file system and path of a folder or file, given as a local path or a URI.

    Raises:
        SourceError: It is no address of a kind that can be read.
    """
    uri = addresses.of_source(uri)
    if azure.is_address(uri) and (azure.emulator() or azure.is_outside(uri)):
        return _azure(uri)
    if addresses.is_address(uri):
        try:
            fs, path = pa.fs.FileSystem.from_uri(uri)
        except (pa.ArrowException, OSError, ValueError) as error:
            reason = str(error).strip().split("\n")[0][:200]
            raise SourceError(
                f"{uri!r} is no address that can be read: {reason}", "Use a folder, or abfss://..."
            ) from error
        return fs, str(path)
    return pa.fs.LocalFileSystem(), uri


def _azure(uri: str) -> tuple[pa.fs.FileSystem, str]:
    """The emulator, or a store like OneLake, whose addresses pyarrow takes for an account of another name."""
    target, emulator = azure.address(uri), azure.emulator()
    if emulator:
        at = urlsplit(emulator)
        place = {"blob_storage_authority": at.netloc, "dfs_storage_authority": at.netloc}
        scheme = {"blob_storage_scheme": at.scheme, "dfs_storage_scheme": at.scheme}
        fs = pa.fs.AzureFileSystem(azure.EMULATOR_ACCOUNT, account_key=azure.EMULATOR_KEY, **place, **scheme)
    else:
        place = {f"{kind}_storage_authority": f".{kind}.{target.suffix}" for kind in ("blob", "dfs")}
        fs = pa.fs.AzureFileSystem(target.account, **place)
    return fs, f"{target.container}/{target.path}".rstrip("/")


def folders(uri: str) -> list[str]:
    """Names of the folders directly in a folder, in order; none where there is no such folder."""
    fs, path = filesystem(uri)
    infos = fs.get_file_info(pa.fs.FileSelector(path, allow_not_found=True))
    return sorted(str(info.base_name) for info in infos if info.type == pa.fs.FileType.Directory)


def remove_folder(uri: str, ours: Callable[[str], bool]) -> None:
    """Remove a folder, where there is one, with those files in it of which a test of their path holds."""
    fs, path = filesystem(uri)
    if fs.get_file_info(path).type != pa.fs.FileType.Directory:
        return
    within = fs.get_file_info(pa.fs.FileSelector(path, recursive=True))
    there = [info.path for info in within if info.type != pa.fs.FileType.Directory]
    gone = [file for file in there if ours(file.removeprefix(path).lstrip("/"))]
    if len(gone) == len(there):
        fs.delete_dir(path)
        return
    for file in sorted(gone):
        fs.delete_file(file)


#: What opening or unpacking a damaged file may raise.
UNREADABLE = (
    OSError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
    RuntimeError,
    NotImplementedError,
    pa.ArrowInvalid,
)


#: An archive or packed file that unpacks to more than this, and to so many times its size, is taken for a bomb.
BOMB_BYTES, BOMB_RATIO = 1 << 30, 500


#: Bytes of a text that are read, 0 for all.
_BEGINNING: ContextVar[int] = ContextVar("beginning", default=0)


@contextmanager
def beginnings(size: int) -> Iterator[None]:
    """Within, no more than so many bytes of a text are read: enough to propose how it is to be read."""
    token = _BEGINNING.set(size)
    try:
        yield
    finally:
        _BEGINNING.reset(token)


@dataclass(frozen=True)
class Place:
    """Where the bytes of a table lie: a file, or a member of a zip archive, packed by gzip or not."""

    fs: Any
    path: str
    member: str = ""

    @classmethod
    def at(cls, uri: str, member: str = "") -> Place:
        """The place of a file given as a local path or a URI."""
        return cls(*filesystem(uri), member)

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The unpacked bytes; nothing is written anywhere on the way."""
        if self.member:
            with closing(confined.ask(self, self.path, "archives.content")) as chunks:
                yield cast(BinaryIO, io.BufferedReader(_Chunks(chunks), _CHUNK))
            return
        packed = self.path.lower().endswith(".gz")
        with self.fs.open_input_stream(self.path, compression="gzip" if packed else None) as stream:
            size = self.fs.get_file_info(self.path).size if packed else 0
            yield cast(BinaryIO, io.BufferedReader(_Chunks(_unpacked(stream, size)), _CHUNK)) if packed else stream

    @contextmanager
    def text(self) -> Iterator[BinaryIO]:
        """The unpacked bytes of a text; within `beginnings` only the first, to the end of a line."""
        most = _BEGINNING.get()
        with self.open() as stream:
            if not most:
                yield stream
                return
            head = bytes(stream.read(most + 2))
        if len(head) > most and (at := head.rfind(b"\n", 0, most)) >= 0:
            is_pair = at % 2 == 0 and head[at + 1] == 0  # of UTF-16
            head = head[: at + 1 + is_pair]
        yield io.BytesIO(head)

    @property
    def is_cut(self) -> bool:
        """Whether a text is longer than what is read of it within `beginnings`."""
        most = _BEGINNING.get()
        return bool(most) and (self._size or len(self.beginning(most + 1))) > most

    @property
    def _size(self) -> int:
        """Its bytes; 0 for a packed one, which does not tell."""
        packed = self.member or self.path.lower().endswith(".gz")
        return 0 if packed else int(self.fs.get_file_info(self.path).size)

    def lines(self) -> int:
        """About how many lines a text has, by those of what is read of it; 0 where a packed one does not tell."""
        read = count = 0
        with self.text() as stream:
            while chunk := stream.read(_CHUNK):
                read, count = read + len(chunk), count + chunk.count(b"\n")
        return round(count * self._size / max(read, 1)) if self._size or self.is_cut else count

    def members(self) -> Iterator[tuple[str, int, int, bool]]:
        """Name, unpacked and packed size of each member of a zip archive in order of name, and whether it is encrypted."""
        for part in confined.ask(self, self.path, "archives.members"):
            yield from part

    def beginnings(self, members: list[str], size: int) -> Generator[bytes, None, None]:
        """The first bytes of members of a zip archive, none of one that cannot be read."""
        for part in confined.ask(self, self.path, "archives.beginnings", members, size):
            yield from (start.encode("latin-1") for start in part)

    def beginning(self, size: int = 8) -> bytes:
        """The first bytes, unpacked."""
        if self.member:
            return b"".join(confined.ask(self, self.path, "archives.content", size))
        with self.open() as stream:
            return bytes(stream.read(size))


class _Chunks(io.RawIOBase):
    """Chunks of bytes as a stream."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._rest = chunks, b""

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with what comes next."""
        self._rest = self._rest or next(self._chunks, b"")
        part, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


def _unpacked(stream: Any, size: int) -> Iterator[bytes]:
    """The bytes of an unpacked stream, from a packed file of that size.

    Raises:
        OSError: There are so many that they are meant to do harm.
    """
    read = 0
    while chunk := bytes(stream.read(_CHUNK)):
        read += len(chunk)
        if read > BOMB_BYTES and read > BOMB_RATIO * size:
            raise OSError(f"it unpacks to more than {BOMB_RATIO} times its size")
        yield chunk


@dataclass
class Content:
    """What one pass over a text file tells: SHA-256 of the unpacked content, its size, encoding and beginning.

    `quoted` says that there are quotation marks, `ends_quoted` that one closes the text, `slashed` that a backslash stands
    before one, `wrapped` that whole records stand in them.
    """

    digest: str
    size: int
    encoding: str
    head: bytes
    quoted: bool
    ends_quoted: bool = False
    slashed: bool = False
    wrapped: bool = False


def read_through(place: Place, name: str) -> Content:
    """One pass over the text: its hash and encoding; refuses what is empty, cut short or binary."""
    digest = hashlib.sha256()
    head, size, lines, quoted, slashed, utf8 = b"", 0, 1, False, False, True
    rest = end = b""
    wide, zeros, first_zero = None, 0, 0
    accented = False  # a letter outside ASCII was read as UTF-8
    try:
        with place.text() as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
                head += chunk[: _HEAD - len(head)] if len(head) < _HEAD else b""
                quoted = quoted or b'"' in chunk
                slashed = slashed or b'\\"' in chunk or (end == b"\\" and chunk.startswith(b'"'))
                if not size - len(chunk):
                    wide = None if head.startswith(_MARKS) else encodings.without_mark(head)
                if b"\0" in chunk and not wide and not head.startswith(_MARKS):
                    first_zero = first_zero or lines + chunk[: chunk.index(b"\0")].count(b"\n")
                    zeros += sum(b"\0" in line for line in chunk.split(b"\n"))
                if utf8 and not wide and (rest or not chunk.isascii()):
                    data = rest + chunk
                    utf8, rest = _utf8(data)
                    fine = data[: len(data) - len(rest)] if utf8 else data[: _wrong_at(data)]
                    accented = accented or not fine.isascii()
                    if not utf8 and accented:
                        raise _mixed(name, lines + fine.count(b"\n"))
                lines += chunk.count(b"\n")
                end = (end + chunk[-_TAIL:]).rstrip(b"\r\n\0")[-1:] or end
    except UNREADABLE as error:
        raise SourceError(f"{name}: cannot be read: {error}", "Check the file is complete; export it again.") from error
    if not head.strip(b"\xef\xbb\xbf \t\r\n"):
        raise SourceError(f"{name}: the file is empty", "Export it again, or remove it.")
    if zeros and (zeros * _ZEROS > lines or re.search(rb"[\x01-\x08\x0e-\x1a]", head)):
        raise SourceError(
            f"{name}: line {first_zero}: holds a NUL byte, so this is not text",
            "Export it as CSV in UTF-8 (a workbook renamed to .csv is not one).",
        )
    if head.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        raise SourceError(f"{name}: is UTF-32, which is not read", "Export it as UTF-8.")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif wide:
        encoding = wide
    elif utf8 and not rest:
        encoding = "utf-8"
    elif accented:
        raise _mixed(name, lines)
    else:
        encoding = _single_byte(place, name)
    return Content(digest.hexdigest(), size, encoding, head, quoted, end == b'"', slashed)


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


def _single_byte(place: Place, name: str) -> str:
    """The encoding of a text that is not UTF-8; refused when two readings are as likely."""
    if (east_asian := encodings.east_asian(place.beginning(_HEAD))) and _is_all(place, east_asian):
        return east_asian
    with place.text() as stream:
        encoding, examples = encodings.of_chunks(iter(lambda: stream.read(_CHUNK), b""))
    if encoding:
        return encoding
    if not examples:
        return "latin-1"
    formats = " or ".join(f"{text!r} ({known})" for known, text in examples.items())
    raise SourceError(
        f"{name}: is not UTF-8, and its letters do not tell which encoding it is in: {formats}",
        "Export it as UTF-8 (in a spreadsheet: save as CSV UTF-8).",
    )


def _is_all(place: Place, encoding: str) -> bool:
    """Whether a text is in an encoding to its end."""
    with place.text() as stream:
        try:
            for _ in codecs.iterdecode(iter(lambda: stream.read(_CHUNK), b""), encoding):
                pass
        except UnicodeDecodeError:
            return False
    return True


def fingerprint(place: Place) -> tuple[str, int]:
    """SHA-256 of the unpacked bytes, and how many."""
    digest, size = hashlib.sha256(), 0
    with place.text() as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def text_lines(place: Place) -> Iterator[list[str]]:
    """The lines of a UTF-8 file in order, a few MiB at a time.

    Raises:
        SourceError: A line is longer than any record can be.
    """
    rest, begun = b"", False
    with place.text() as stream:
        while chunk := stream.read(_CHUNK * 16):
            data = rest + (chunk if begun else chunk.removeprefix(b"\xef\xbb\xbf"))
            cut = data.rfind(b"\n") + 1
            rest, begun = data[cut:], True
            if len(rest) > _LONGEST_LINE:
                name = (place.member or place.path).rpartition("/")[2]
                raise SourceError(f"{name}: a line is longer than {_LONGEST_LINE >> 20} MiB", "Write a record a line.")
            if cut:
                yield data[: cut - 1].decode("utf-8").split("\n")
    if rest:
        yield rest.decode("utf-8").split("\n")
