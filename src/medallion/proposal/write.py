"""A proposal as a contract file to be read and edited: every guess with its confidence and its reason."""

from __future__ import annotations

import fnmatch
import glob
import re
from collections.abc import Iterable
from typing import Any

from medallion import contracts
from medallion.contracts import CONFIDENT, Filling, yaml
from medallion.figures import count
from medallion.proposal.feeds import Feed, Proposal
from medallion.proposal.profile import Column, opened


def contract(proposal: Proposal, name: str, folder: str) -> str:
    """The ODCS contract override as YAML."""
    guesses = sum(1 for feed in proposal.feeds for _ in _doubtful(feed)) + sum(map(len, proposal.unread.values()))
    guesses += len(proposal.unclear)
    lines = [
        f"# Proposed by `medallion init` for {_plain(folder)}"
        + (f", which looks like {proposal.system}." if proposal.system else "."),
        "# Read it, correct it, and delete the `confidence` of what you have checked: nothing runs on a guess below "
        f"{CONFIDENT:.2f}.",
        f"# {guesses} of its entries are such guesses." if guesses else "# None of its entries is such a guess.",
        *(
            f"# Proposed from {table.sampled} in {_plain(table.file.name)}; a run looks at every row."
            for table in proposal.sampled
        ),
        "# docs/SOURCES.md tells what may stand here.",
        "apiVersion: v3.1.0",
        "kind: DataContract",
        f"id: {_scalar(f'source.{name}')}",
        f"name: {_scalar(name)}",
        "version: 1.0.0",
        "status: draft",
        "description:",
        f"  purpose: {_scalar(f'How the exports in {_plain(folder)} are read.')}",
        "schema:",
    ]
    for entity in dict.fromkeys([*(feed.entity for feed in proposal.feeds), *proposal.unread]):
        lines += _entity(entity, proposal)
    for entity in contracts.entities():
        if not proposal.of(entity) and entity not in (*proposal.unread, *contracts.OPTIONAL_NAMES):
            lines += [
                f"  - name: {entity}  # nothing here holds any",
                "    customProperties: [{property: filePatterns, value: []}]",
            ]
    if proposal.left:
        lines += ["", "# Not used:"]
        lines += [f"#   {_plain(table)}: {_plain(why)}" for table, why in proposal.left.items()]
    return "\n".join(lines) + "\n"


def _entity(entity: str, proposal: Proposal) -> list[str]:
    lines = [f"  - name: {entity}"]
    further = proposal.further.get(entity)
    if further:
        lines += [
            "    description: Looked up by others; not used beyond that.",
            "    dataGranularityDescription: one row per record",
        ]
    lines += ["    customProperties:", "      - property: sources", "        value:"]
    written: set[str] = set()
    for unused in (item for item in (*proposal.unclear, *proposal.ignored) if item.entity == entity):
        lines += [f"          - file: {_scalar(glob.escape(unused.table.stems[-1]))}", "            ignore: true"]
        if unused in proposal.unclear:
            lines += ["            confidence: 0.50", f"            reason: {_scalar(unused.reason)}"]
    for feed in proposal.of(entity):
        source = _source(feed, proposal)
        content = "\n".join(line for line in source if not line.lstrip().startswith("#"))
        if content not in written:  # files of one shape and one name but for a date
            written.add(content)
            lines += [f"          {line}" for line in source]
    stems = [feed.table.stems[-1] for feed in proposal.of(entity)]
    for item in proposal.unread.get(entity, []):
        if item.stems[-1] not in stems:
            lines += [
                f"          # {_plain(item.error.problem)}",
                f"          - file: {_scalar(glob.escape(item.stems[-1]))}",
                "            confidence: 0.50",
                '            reason: "could not be read; correct the file and run init again"',
            ]
    if further:
        key, *taken = further
        lines += [
            "    properties:",
            f"      - {{name: {key}, primaryKey: true, required: true, logicalType: string, physicalType: string}}",
            *(f"      - {{name: {name}, logicalType: string, physicalType: string}}" for name in taken),
        ]
    elif changes := proposal.properties.get(entity):
        lines.append("    properties:")
        lines += [f"      - {_flow({'name': name, **what})}" for name, what in changes.items()]
    return lines


def _source(feed: Feed, proposal: Proposal) -> list[str]:
    file = feed.table.file
    lines = [f"- file: {_scalar(pattern(feed, proposal.feeds))}"]
    more = f" and {len(feed.table.more)} more" if feed.table.more else ""
    lines.append(f"  # {_plain(file.name)}{more}: {feed.table.rows:,} rows, {len(feed.table.columns)} columns")
    lines += [
        f"  # {_plain(column.header)}: {count(column.errors.total(), 'cell')} with an error of a spreadsheet such as "
        f"{_plain(next(iter(column.errors)))}, taken as empty"
        for column in feed.table.columns
        if column.errors
    ]
    if file.sheet:
        lines.append(f"  sheet: {_scalar(glob.escape(file.sheet))}")
    if file.header_line > 1:
        lines.append(f"  headerLine: {file.header_line}")
    if feed.date_formats:
        lines.append(f"  dateFormats: {_flow(list(feed.date_formats))}")
    if feed.key:
        lines.append(f"  key: {_flow(list(feed.key))}")
    lines += [f"  confidence: {feed.confidence:.2f}", f"  reason: {_scalar(feed.reason)}"]
    lines += [
        f"  {word}: {_flow(item.model_dump(exclude_defaults=True, by_alias=True))}" for word, item in feed.life.items()
    ]
    lines += ["  columns:"]
    own = contracts.entities()[feed.entity].key if feed.key else ""  # said above
    lines += [f"    {name}: {_filling(item)}" for name, item in _in_order(feed) if name != own]
    lines += [f"    # {_plain(comment)}" for comment in feed.comments]
    if feed.unmapped:
        lines.append("    # not mapped, kept in bronze:")
        lines += [f"    #   {_plain(column.header)}: {_plain(column.examples())}" for column in feed.unmapped]
    return lines


def _in_order(feed: Feed) -> list[tuple[str, Filling]]:
    """What fills the columns, in the order that their contract has them."""
    entity = contracts.entities().get(feed.entity)
    order = entity.column_names if entity else tuple(feed.fillings)
    return sorted(feed.fillings.items(), key=lambda pair: order.index(pair[0]))


def _filling(item: Filling) -> str:
    given = item.model_dump(exclude_defaults=True, by_alias=True)
    if "values" in given:
        given["values"] = dict(given["values"])
    if "dateFormats" in given:
        given["dateFormats"] = list(given["dateFormats"])
    return _flow(given)


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(name)}: {_flow(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:g}"
    return _scalar(str(value))


def _scalar(text: str) -> str:
    """A YAML scalar: as it is where that is safe, else in quotation marks."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", text) and text.lower() not in _WORDS:
        return text
    return yaml.quoted(text)


_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


def _plain(text: str) -> str:
    """A text for a comment: one line, without control characters."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:200])


def pattern(feed: Feed, feeds: Iterable[Feed]) -> str:
    """The pattern of the table's files: its name, open where a date or a number stands, unless that fits others too."""
    stem = feed.table.stems[-1]
    exact = glob.escape(stem)
    wide = opened(stem)
    if not wide:
        return exact
    columns = [column.header for column in feed.table.columns]
    for other in feeds:
        same = other.entity == feed.entity and [column.header for column in other.table.columns] == columns
        if (
            other.table is not feed.table
            and not same
            and fnmatch.fnmatchcase(other.table.stems[-1].lower(), wide.lower())
        ):
            return exact
    return wide


def _doubtful(feed: Feed) -> Iterable[tuple[str, Filling | None]]:
    if feed.confidence < CONFIDENT:
        yield "", None
    for name, item in feed.fillings.items():
        if item.confidence is not None and item.confidence < CONFIDENT:
            yield name, item
    for word, clause in feed.life.items():
        if clause.confidence is not None and clause.confidence < CONFIDENT:
            yield word, None


def summary(proposal: Proposal) -> list[dict[str, Any]]:
    """One record per table and entity: how much of it is mapped, and what should be looked at."""
    return [
        {
            "table": feed.table.file.name + (f" and {len(feed.table.more)} more" if feed.table.more else ""),
            "rows": feed.table.rows,
            "entity": feed.entity,
            "confidence": feed.confidence,
            "columns": f"{len(feed.fillings)} filled, {len(feed.unmapped)} not mapped",
            "to_review": [name or "the entity" for name, _ in _doubtful(feed)],
        }
        for feed in proposal.feeds
    ] + [
        {
            "table": item.table.file.name,
            "rows": item.table.rows,
            "entity": item.entity,
            "confidence": 0.5,
            "columns": "not used",
            "to_review": ["ignore"],
        }
        for item in proposal.unclear
    ]


def details(proposal: Proposal) -> list[dict[str, Any]]:
    """One record per filled column, with its confidence and reason."""
    return [
        {
            "table": feed.table.file.name,
            "entity": feed.entity,
            "column": name,
            **item.model_dump(exclude_defaults=True, by_alias=True, exclude={"column"}),
            "from": item.column or item.sql or item.value,
        }
        for feed in proposal.feeds
        for name, item in _in_order(feed)
    ] + [
        {"table": table, "entity": entity, "column": word, "confidence": sure, "reason": reason, "from": origin}
        for table, entity, word, sure, reason, origin in _of_whole(proposal)
    ]


def _of_whole(proposal: Proposal) -> Iterable[tuple[str, str, str, float, str, str]]:
    """What is in doubt of tables as a whole: words about their records, and tables that nothing uses."""
    for feed in proposal.feeds:
        for word, clause in feed.life.items():
            if clause.confidence is not None and clause.confidence < CONFIDENT:
                yield feed.table.file.name, feed.entity, word, clause.confidence, clause.reason, "its rows"
    for item in proposal.unclear:
        yield item.table.file.name, item.entity, "ignore", 0.5, item.reason, item.column.header


def not_mapped(proposal: Proposal) -> dict[str, list[Column]]:
    """Per table the columns with values that fill nothing in any entity."""
    unmapped: dict[str, list[Column]] = {}
    for feed in proposal.feeds:
        name = feed.table.file.name
        kept = feed.unmapped
        unmapped[name] = [column for column in kept if name not in unmapped or column in unmapped[name]]
    return {name: columns for name, columns in unmapped.items() if columns}
