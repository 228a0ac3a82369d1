"""JSON as records: an object per line, or a list of objects in a document. Nested objects become columns of their own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from medallion.errors import SourceError

if TYPE_CHECKING:
    from medallion.sources.readers.opened import File

#: A document is held in memory, ten times its size.
_LARGEST = 64 << 20
#: Objects in objects that become columns; what lies deeper stays JSON.
_DEPTH = 4
#: A nested object with more keys is a map and no record, and stays JSON.
_WIDEST = 500
#: Keys down to which a list of objects is looked for.
_REACH = 3
#: Objects that are handed over at once.
_AT_ONCE = 1000

#: What stands between the path to a list and that to a list of its records.
INNER = "[]."
#: Keys of lists that say nothing of what is in them; then the file's name does.
_PLAIN_KEYS = frozenset({"", "data", "result", "results", "records", "values", "value", "items", "rows", "list"})
#: Keys of a record that tell it from others, and those of its identifiers.
_NAMES, _IDS = re.compile(r"(?i)(^|_)(id|name|label|title)$"), re.compile(r"(?i)(^|_)(id|key|uuid|guid)$")
#: Plain values that a record of its own has at least.
_LEAST = 3

#: Names of nested objects, None for a value that stays one cell.
_Tree = dict[str, Any]


class _Figure(str):
    """A number as it was written."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; one with a key that stands twice would lose a value.

    Raises:
        ValueError: One does: two records that have run together, say.
    """
    values = dict(pairs)
    if len(values) < len(pairs):
        twice = next(key for place, (key, _) in enumerate(pairs) if key in dict(pairs[:place]))
        raise ValueError(f"an object has the key {twice!r} twice")
    return values


def record(line: str) -> dict[str, Any] | None:
    """The JSON object of a line, its numbers as the text they were; None when it is none.

    >>> record('{"amount": 1.50}'), record('[1]'), record('{"id": 1, "id": 2}')
    ({'amount': '1.50'}, None, None)
    """
    try:
        document = json.loads(line, parse_float=_Figure, parse_int=_Figure, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _document(file: File, name: str) -> dict[str, list[Any]] | None:
    """The lists of objects in a document by the path to each, "" for the document itself; None for JSON lines."""
    with file.stream() as stream:
        content = stream.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        if record(content.partition(b"\n")[0].decode("utf-8", "replace").removeprefix("\ufeff")) is not None:
            return None
        problem = f"{name}: is a JSON document of more than {_LARGEST >> 20} MiB"
        raise SourceError(problem, "Write one object per line, for example with `jq -c '.[]'`.")
    if not content.strip(b"\xef\xbb\xbf \t\r\n"):
        raise SourceError(f"{name}: the file is empty", "Export it again, or remove it.")
    try:
        document = json.loads(content, parse_float=_Figure, parse_int=_Figure, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            return None
        problem = f"{name}: line {error.lineno}, column {error.colno}: is not JSON: {error.msg}"
        raise SourceError(problem, "Export it again.") from error
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{name}: is not readable JSON: {error}", "Export it again, as UTF-8.") from error
    values: dict[str, list[Any]] = {}
    for path, items in _lists(document, (), _REACH):
        values[path] = values.get(path, []) + items  # a key may hold a dot, so that two have one path
    for path, items in list(values.items()):
        values |= _within(path, items, name)
    return values


def _within(path: str, items: list[Any], name: str) -> dict[str, list[Any]]:
    """The lists of records that the records of a list have, such as the stages of a pipeline, by the path to each; every
    record with the identifier and the names of the one that it belongs to.
    """
    key = path.rpartition(".")[2]
    whole = key if key not in _PLAIN_KEYS else name.rpartition("/")[2].partition(".")[0]
    owner = re.sub(r"ies$", "y", whole) if whole.endswith("ies") else whole.removesuffix("s")
    lists: dict[str, list[Any]] = {}
    for item in (item for item in items if isinstance(item, dict)):
        of_owner = {f"{owner}.{key}": value for key, value in item.items() if _NAMES.search(key) and _is_plain(value)}
        for inner, records in _lists(item, (), _REACH):
            of_item = [{**record, **of_owner} if isinstance(record, dict) else record for record in records]
            lists.setdefault(f"{path}{INNER}{inner}", []).extend(of_item)
    return {inner: records for inner, records in lists.items() if _are_records(records, owner)}


def _are_records(records: list[Any], owner: str) -> bool:
    """Whether objects are records of their own, with an identifier and more than a label: no list of references."""
    plain = [
        {key for key, value in record.items() if _is_plain(value) and not key.startswith(f"{owner}.")}
        for record in records
        if isinstance(record, dict)
    ]
    return bool(plain) and all(len(keys) >= _LEAST and any(_IDS.search(key) for key in keys) for keys in plain)


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | bool | int | float)


def lists(file: File, name: str) -> Iterator[list[str] | None]:
    """The paths to the lists of objects in a document, None for JSON lines.

    Raises:
        SourceError: It is empty, no JSON, or too large to be held.
    """
    by_path = file.made(lambda: _document(file, name))
    yield None if by_path is None else list(by_path)


def header(file: File, name: str, path: str) -> Iterator[list[str]]:
    """The columns of the objects in a list of a document."""
    by_path = file.made(lambda: _document(file, name)) or {}
    yield names(item for item in by_path.get(path, ()) if isinstance(item, dict))


def rows(file: File, name: str, path: str, columns: list[str]) -> Iterator[list[tuple[str | None, list[str | None]]]]:
    """The cells of the objects in a list of a document, some at once; of what is no object its text."""
    items = iter((file.made(lambda: _document(file, name)) or {}).get(path, ()))
    while part := list(islice(items, _AT_ONCE)):
        yield [
            (None, [cell(item, column) for column in columns]) if isinstance(item, dict) else (text(item), [])
            for item in part
        ]


def _lists(value: Any, path: tuple[str, ...], reach: int) -> Iterator[tuple[str, list[Any]]]:
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        yield ".".join(path), value
    elif isinstance(value, dict) and reach:
        for key, inner in value.items():
            yield from _lists(inner, (*path, key), reach - 1)


def names(records: Iterable[dict[str, Any]]) -> list[str]:
    """The columns of records in order of first appearance, those of nested objects by their path: `value.amount`.

    An object that is something else in another record, has very many keys or lies very deep stays JSON.

    >>> names([{"id": 1, "value": {"amount": 5}, "tags": ["a"]}, {"id": 2, "value": None, "won": True}])
    ['id', 'value.amount', 'tags', 'won']
    >>> names([{"value": {"amount": 5}}, {"value": 6}]), names([{"a.b": 1, "a": {"b": 2}}])
    (['value'], ['a.b', 'a'])
    """
    tree: _Tree = {}
    for document in records:
        _grow(tree, document, _DEPTH)
    paths = [".".join(path) for path in _paths(tree)]
    return paths if len(paths) == len(set(paths)) else list(tree)


def _grow(tree: _Tree, document: dict[str, Any], depth: int) -> None:
    for key, value in document.items():
        if value is None or value == {}:
            tree.setdefault(key, {})
        elif not isinstance(value, dict) or depth == 1:
            tree[key] = None
        elif (inner := tree.setdefault(key, {})) is not None:
            _grow(inner, value, depth - 1)
            if len(inner) > _WIDEST:
                tree[key] = None


def _paths(tree: _Tree) -> Iterator[tuple[str, ...]]:
    for key, inner in tree.items():
        if inner:
            yield from ((key, *rest) for rest in _paths(inner))
        else:
            yield (key,)


def cell(document: dict[str, Any], name: str) -> str | None:
    """The text of a record's column, None where it has none.

    >>> deal = {"id": "7", "value": {"amount": 5, "net.of": {"tax": True}}}
    >>> [cell(deal, name) for name in ("id", "value.amount", "value.net.of.tax", "value", "owner.name")]
    ['7', '5', 'true', '{"amount":5,"net.of":{"tax":true}}', None]
    """
    if name in document:
        value = document[name]
        return value if value is None or isinstance(value, str) else text(value)
    place = name.find(".")
    while place >= 0:
        inner = document.get(name[:place])
        if isinstance(inner, dict) and (nested := cell(inner, name[place + 1 :])) is not None:
            return nested
        place = name.find(".", place + 1)
    return None


def text(value: Any) -> str:
    """A value as JSON again, its numbers as they were written."""
    if isinstance(value, _Figure):
        return value
    if isinstance(value, list):
        return "[" + ",".join(map(text, value)) + "]"
    if isinstance(value, dict):
        inside = (f"{json.dumps(key, ensure_ascii=False)}:{text(item)}" for key, item in value.items())
        return "{" + ",".join(inside) + "}"
    return json.dumps(value, ensure_ascii=False)
