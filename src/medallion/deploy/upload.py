"""Exports from a folder into the landing place: in parallel, checksummed, resumable, each file whole or not at all."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, Protocol

from medallion.errors import MedallionError, SourceError

BLOCK_BYTES = 8 << 20
_MOST_BLOCKS = 50_000
_LONGEST_NAME = 1000
#: Characters that a name may not have: controls, what Windows or a URL reads as something else.
_ODD = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|]')
Advance = Callable[[int], None]


@dataclass(frozen=True)
class Item:
    """A file to send: where it lies, and its name below the target, with `/` between folders."""

    path: Path
    name: str
    size: int


@dataclass(frozen=True)
class Block:
    """A piece of a file. `id` names its place and content, so that a piece sent earlier is known again."""

    offset: int
    size: int
    id: str


@dataclass(frozen=True)
class Fingerprint:
    """What one pass over a file tells: SHA-256 (hex) and MD5 of all of it, and its pieces."""

    sha256: str
    md5: bytes
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Sent:
    """The outcome of a file; `resumed_bytes` of it had been sent before, `problem` is set when it was refused."""

    name: str
    size: int
    outcome: Literal["sent", "there", "refused"]
    sha256: str = ""
    resumed_bytes: int = 0
    problem: str = ""


class Target(Protocol):
    """A place that files are sent to."""

    def put(self, item: Item, checksums: Fingerprint, advance: Advance, *, replace: bool) -> Sent:
        """Send a file unless it is there; `advance` is called with the number of bytes sent.

        Raises:
            MedallionError: The place cannot be reached or written.
        """
        ...


def listed(folder: str | Path) -> list[Item]:
    """The files of a folder and of those below it, in order of name; hidden ones and those in `_...` are left out.

    Raises:
        SourceError: There is no such folder, nothing is in it, or a name is not safe to use elsewhere.
    """
    home = Path(folder)
    if not home.is_dir():
        raise SourceError(f"{folder}: there is no such folder", "Name the folder of your exports.")
    items = []
    for path in sorted(_files(home)):
        name = safe_name(path.relative_to(home).as_posix())
        if not path.resolve().is_relative_to(home.resolve()):
            raise SourceError(f"{name}: is a link that leads out of {folder}", "Copy the file into the folder.")
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise SourceError(f"{name}: is not a file", "Remove it from the folder.")
        items.append(Item(path, name, status.st_size))
    if not items:
        raise SourceError(f"{folder}: there is no file in it", "Name the folder of your exports.")
    return items


def _files(home: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(home):
        folders[:] = [name for name in folders if not name.startswith((".", "_"))]
        for name in (*names, *(entry for entry in folders if Path(folder, entry).is_symlink())):
            if not name.startswith((".", "_")):
                yield Path(folder, name)


def safe_name(name: str) -> str:
    r"""A relative name as it may be written elsewhere.

    Raises:
        SourceError: It is absolute, leads upwards, or has characters that another system reads as something else.

    >>> safe_name("2025/leads.csv")
    '2025/leads.csv'
    >>> safe_name("../leads.csv")
    Traceback (most recent call last):
    medallion.errors.SourceError: '../leads.csv': is not a name that can be used elsewhere
    Rename the file: no '..', no leading '/', no control characters, none of \ : * ? " < > |
    """
    parts = name.split("/")
    try:
        long = len(name.encode("utf-8")) > _LONGEST_NAME
    except UnicodeEncodeError:
        long = True
    spaced = any(part != part.strip() or part.endswith(".") for part in parts)
    if long or spaced or _ODD.search(name) or {"", ".", ".."} & set(parts) or PurePosixPath(name).is_absolute():
        raise SourceError(
            f"{name!a}: is not a name that can be used elsewhere",
            "Rename the file: no '..', no leading '/', no control characters, none of \\ : * ? \" < > |",
        )
    return name


def fingerprint(item: Item) -> Fingerprint:
    """Read a file once for its checksums.

    Raises:
        SourceError: It cannot be read, or changes meanwhile.
    """
    size = max(BLOCK_BYTES, -(-item.size // _MOST_BLOCKS))
    whole, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    blocks: list[Block] = []
    offset = 0
    try:
        with item.path.open("rb") as stream:
            while data := stream.read(size):
                whole.update(data)
                md5.update(data)
                blocks.append(Block(offset, len(data), _block_id(len(blocks), data)))
                offset += len(data)
    except OSError as error:
        raise SourceError(f"{item.name}: cannot be read: {error.strerror}", "Check its permissions.") from error
    if offset != item.size:
        raise _changed(item)
    return Fingerprint(whole.hexdigest(), md5.digest(), tuple(blocks))


def read_block(item: Item, block: Block) -> bytes:
    """The bytes of a piece.

    Raises:
        SourceError: They are no longer those that were fingerprinted.
    """
    with item.path.open("rb") as stream:
        stream.seek(block.offset)
        data = stream.read(block.size)
    if _block_id(int(base64.b64decode(block.id)[:6]), data) != block.id:
        raise _changed(item)
    return data


def _block_id(place: int, data: bytes) -> str:
    """All of one length, as the service wants it: six digits and the first half of the SHA-256."""
    return base64.b64encode(f"{place:06d}{hashlib.sha256(data).hexdigest()[:32]}".encode()).decode()


def _changed(item: Item) -> SourceError:
    return SourceError(f"{item.name}: changes while it is sent", "Wait until it is written, then run this again.")


def upload(
    items: list[Item], target: Target, advance: Advance, *, replace: bool = False, workers: int = 4
) -> list[Sent]:
    """Send files, several at a time; returns the outcome of each, in their order.

    A file that is refused stops no other; an error of the place stops all, and running again goes on from there.

    Raises:
        MedallionError: The place cannot be reached or written.
    """

    def send(item: Item) -> Sent:
        try:
            return target.put(item, fingerprint(item), advance, replace=replace)
        except SourceError as error:
            return Sent(item.name, item.size, "refused", problem=f"{error.problem}. {error.remedy}")

    with ThreadPoolExecutor(workers) as pool:
        waiting = [pool.submit(send, item) for item in items]
        try:
            return [future.result() for future in waiting]
        except MedallionError:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
