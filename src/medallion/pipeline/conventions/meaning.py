"""Doubts about what values mean: spellings, states, marks and rows that contradict each other."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import duckdb
import sqlglot

from medallion import figures
from medallion.contracts import CONFIDENT, Column, Entity, Filling, yaml
from medallion.contracts.filling import WHERE
from medallion.contracts.odcs import code, names_in
from medallion.lakehouse import query
from medallion.pipeline import drift
from medallion.pipeline.conventions.cells import (
    PAIR,
    UNDATED,
    Seen,
    activity_states,
    closed_lists,
    markers_of,
    plain_columns,
    same_header,
    whole_columns,
)
from medallion.pipeline.conventions.doubts import MESSAGES, Doubt, header_of
from medallion.proposal import (
    activities,
    asking,
    closing_dates,
    evidence,
    marks,
    profile,
    snapshots,
    stages,
    state,
    vocabulary,
)
from medallion.proposal.feeds import Feed
from medallion.sources import SourceFile, parsing, units

#: An unknown spelling of a closed list in so many rows, and in this share of them, is a word and not a slip.
_ROWS, _SHARE = 2, 0.01


#: Closed lists whose unknown spellings stop a file, also where the contract has a value for them.
_ASKED = ("status", "channel", "outcome")


#: Combinations of cells that a condition is tried with.
_COMBINATIONS = 10_000


def doubts_of(file: SourceFile, entity: Entity, seen: Mapping[str, Seen], *, has_rows: bool) -> list[Doubt]:
    """All doubts about what the values of a file mean.

    Args:
        file: The file.
        entity: What it holds.
        seen: What its columns hold.
        has_rows: Whether its rows can be read, for what one cell says of another.
    """
    return [
        *_twin_columns(file, seen),
        *_marked_rows(file, seen),
        *_planned_activities(file, seen),
        *_without_closing(file, entity, seen),
        *(_contradicted_values(file, entity) if has_rows else ()),
        *(_in_several_rows(file, entity) if has_rows else ()),
        *_unknown_spellings(file, entity, seen),
        *_never_won(file, entity, seen),
        *_ended_otherwise(file, entity, seen),
    ]


def _unknown(file: SourceFile, entity: Entity, seen: Mapping[str, Seen]) -> Iterator[tuple[str, Seen, Counter[str]]]:
    """Closed columns with spellings that nothing knows: the column, what it holds, and those spellings with their rows."""
    for name, bronze in closed_lists(file, entity).items():
        column, filling = entity.column(name), file.mapping[name]
        if not filling.otherwise and name in _ASKED:
            words = seen[bronze].words
            unknown = Counter({text: n for text, n in words.items() if meant(text, column, filling) is None})
            if unknown:
                yield name, seen[bronze], unknown


def _is_slip(name: str, seen: Seen, unknown: Counter[str]) -> bool:
    """Whether so few rows have an unknown spelling that it is told with its row, and is no word of the export.

    A state that is a word for won or lost is none, however few rows have it: a deal would keep the state it had before.
    """
    ends = (vocabulary.value("leads.status", text) for text in unknown) if name == "status" else ()
    return unknown.total() < max(_ROWS, _SHARE * seen.filled) and not any(
        end and end.value in ("won", "lost") and end.confidence >= CONFIDENT for end in ends
    )


def _unknown_spellings(file: SourceFile, entity: Entity, seen: Mapping[str, Seen]) -> list[Doubt]:
    """A doubt about a closed column with spellings that nothing knows, however its contract goes on with them."""
    doubts = []
    for name, seen_column, unknown in _unknown(file, entity, seen):
        if not _is_slip(name, seen_column, unknown):
            header = header_of(file, file.mapping[name].column or "")
            doubts.append(
                Doubt(
                    f"{header!r}: {_shown(unknown)} is no known spelling of {name}",
                    f"Say what it means under `spellings` or `values` of {file.entity}.{name} in a contract "
                    f"({', '.join(entity.column(name).accepted)}).",
                )
            )
    return doubts


def slips_of(file: SourceFile, entity: Entity, seen: Mapping[str, Seen]) -> list[str]:
    """What is taken for another value though nothing knows its spelling, since few rows have it."""
    return [
        f"{file.name}: {_shown(unknown)} is no known spelling of {name} and counts as {entity.column(name).fallback}"
        for name, seen_column, unknown in _unknown(file, entity, seen)
        if _is_slip(name, seen_column, unknown) and entity.column(name).fallback
    ]


def _shown(unknown: Counter[str]) -> str:
    rows = ((text, f"{count} row{'' if count == 1 else 's'}") for text, count in unknown.most_common(MESSAGES))
    more = f" and {len(unknown) - MESSAGES} more" if len(unknown) > MESSAGES else ""
    return ", ".join(f"{text!r} ({count})" for text, count in rows) + more


def meant(text: str, column: Column, filling: Filling) -> str | None:
    """The value that a text of a closed column stands for; None for a spelling that nobody knows."""
    forms = (text.strip().lower(), code(text))
    listed = {form: value for written, value in filling.values for form in (written.strip().lower(), code(written))}
    known = (listed.get(form) or column.spellings.get(form) for form in forms)
    return next((value for value in known if value), filling.otherwise)


def _without_closing(file: SourceFile, entity: Entity, seen: Mapping[str, Seen]) -> list[Doubt]:
    """A doubt about deals won and lost that would count on the day they were opened, beside a column of other dates."""
    expected = file.mapping.get("expected_close_date")
    if entity.name != "leads" or "closed_at" in file.mapping or not expected or expected.column not in seen:
        return []
    planned = seen[str(expected.column)]
    filling, column = file.mapping.get("status"), entity.column("status")
    states = seen[str(filling.column)].words if filling and filling.column in seen else Counter()
    by_table = filling is not None and filling.lookup is not None
    ended = sum(
        n for text, n in states.items() if filling and (by_table or meant(text, column, filling) in ("won", "lost"))
    )
    if not ended or not planned.filled or _has_updates(file):
        return []
    header = header_of(file, str(expected.column))
    return [
        Doubt(
            f"{ended} deals are won or lost and no column says when, though {header!r} has dates: they would count on the "
            "day they were opened",
            f"If {header!r} is that day for closed deals, let a contract say `closed_at: {header}`.",
        )
    ]


def undated_deals(file: SourceFile, entity: Entity, seen: Mapping[str, Seen]) -> list[str]:
    """What is said of deals won or lost in rows without a day of closing: the contract fills it from another day."""
    filling = file.mapping.get("status")
    if UNDATED not in seen or filling is None:
        return []
    column = entity.column("status")
    ended = sum(n for text, n in seen[UNDATED].words.items() if meant(text, column, filling) in ("won", "lost"))
    if not ended or "updated_at" not in (entity.column("closed_at").derive or ""):
        return []
    day = "last changed" if _has_updates(file) else "opened" if "created_at" in file.mapping else ""
    how = f"count on the day they were {day}" if day else "have no closing date"
    header = header_of(file, str(file.mapping["closed_at"].column))
    return [f"{file.name}: deals won or lost without {header!r}: {ended:,}; they {how}"]


def _has_updates(file: SourceFile) -> bool:
    return "updated_at" in file.mapping


def _never_won(file: SourceFile, entity: Entity, seen: Mapping[str, Seen]) -> list[Doubt]:
    """A doubt about deals of which none is won though stages that mean won are there."""
    filling = file.mapping.get("status")
    stage = file.mapping.get("stage")
    if entity.name != "leads" or filling is None or filling.sql or filling.lookup:
        return []
    column = entity.column("status")
    states = seen[filling.column].words if filling.column else Counter({str(filling.value): 1})
    if any(meant(text, column, filling) == "won" for text in states):
        return []
    texts = Counter(states)
    if stage and stage.column and stage.column in seen:
        texts.update(seen[stage.column].words)
    won = [text for text in texts if (meaning := vocabulary.value("leads.status", text)) and meaning.value == "won"]
    if not won:
        return []
    return [
        Doubt(
            f"no deal is won, though {won[0]!r} ({texts[won[0]]} rows) says so",
            "Fill status from that column in a contract, or say there what the spelling means.",
        )
    ]


def _ended_otherwise(file: SourceFile, entity: Entity, seen: Mapping[str, Seen]) -> list[Doubt]:
    """A doubt about deals whose stage says won or lost, and whose state says something else."""
    if PAIR not in seen or not (filling := file.mapping.get("status")):
        return []
    pairs = {(text, stage): n for pair, n in seen[PAIR].words.items() for text, _, stage in [pair.partition("\n")]}
    column = entity.column("status")
    others = state.ended_otherwise(pairs, lambda text: meant(text, column, filling))
    if not others:
        return []
    (text, stage), _ = others.most_common(1)[0]
    by_status, by_stage = (header_of(file, str(file.mapping[name].column)) for name in ("status", "stage"))
    return [
        Doubt(
            f"{others.total()} of {sum(pairs.values())} deals are such as {text!r} in {by_status!r} and {stage!r} in {by_stage!r}: which counts?",
            f"Let a contract say it: `status: {{column: {by_status}}}` or `status: {{column: {by_stage}}}` (`medallion init` has the figures "
            "of both).",
        )
    ]


def _contradicted_values(file: SourceFile, entity: Entity) -> list[Doubt]:
    """What the records of a table of deals that no contract knows contradict, by the evidence of `medallion init`."""
    if entity.name != "leads" or entity.sources or "status" not in file.mapping:
        return []
    telling = {*stages.FLAG_WORDS, *evidence.CHANCE, "active"}
    read = {file.mapping[name].column for name in ("status", "created_at", "closed_at") if name in file.mapping}
    beside = {name for header, name in file.columns if telling & {*vocabulary.words_of(header)}}
    if not beside and "closed_at" not in file.mapping:
        return []
    wanted = [name for _, name in file.columns if name in read | beside]
    of_days = {file.mapping[name].column for name in ("created_at", "closed_at") if name in file.mapping}
    table = profile.of_columns(file, wanted, whole_columns(file, wanted), of_days)
    feed = Feed(table, "leads", 1.0, "")
    headers = {column.name: column.header for column in table.columns}
    for name in ("status", "created_at", "closed_at"):
        item = file.mapping.get(name)
        if item and item.column and not item.lookup:
            feed.fillings[name] = item.model_copy(
                update={"column": headers[item.column], "confidence": 1.0, "reason": ""}
            )
    evidence.outcome(feed, entity)
    evidence.flags(feed, entity)
    days = [
        table.column(str(feed.fillings[name].column)) for name in ("created_at", "closed_at") if name in feed.fillings
    ]
    if all(each.day_order.decided is not None or not each.day_order.either for each in days):
        closing_dates.order(feed)
    return [
        Doubt(
            f"{item.column!r}: {doubt.removeprefix('; ').removeprefix('but ')}",
            f"Say in a contract what fills {file.entity}.{name} (`medallion init` proposes one).",
        )
        for name, item in feed.fillings.items()
        for doubt in asking.doubts(item)
    ]


def _in_several_rows(file: SourceFile, entity: Entity) -> list[Doubt]:
    """A doubt about deals that stand in several rows with different amounts, of which nothing tells the newest."""
    plain = plain_columns(file)
    known = entity.name == "leads" and not entity.sources and {entity.key, "deal_value"} <= plain.keys()
    if not known or "updated_at" in file.mapping:
        return []
    wanted = [plain[entity.key], plain["deal_value"]]
    table = profile.of_columns(file, wanted, whole_columns(file, wanted), ())
    met: dict[str, tuple[str, list[str]]] = {}
    for key, amount in table.counted(*table.columns):
        if key:
            met.setdefault(code(key), (key, []))[1].append(amount)
    several = [record for record in met.values() if len(record[1]) > 1]
    if len(several) < max(_ROWS, _SHARE * len(met)):
        return []
    key, amounts = several[0]
    return [
        Doubt(
            f"{len(several):,} of {len(met):,} deals stand in several rows with different amounts, such as {key!r} "
            f"({', '.join(amount or 'empty' for amount in amounts[:3])}), and no column says which is the newest: only the last row "
            "would count",
            "Let `medallion init` write a contract: it asks whether these are lines of a deal or versions of it.",
        )
    ]


def errors_of(file: SourceFile, seen: Mapping[str, Seen]) -> tuple[list[Doubt], list[str]]:
    """What is said of cells with an error of a spreadsheet, which are empty: a doubt about a column where they are most."""
    doubts, notes = [], []
    for bronze, column in seen.items():
        if not (n := column.errors.total()):
            continue
        header, example = header_of(file, bronze), column.errors.most_common(1)[0][0]
        has, are = ("has", "is") if n == 1 else ("have", "are")
        says = f"{header!r}: {figures.count(n, 'cell')} of {column.rows:,} {has} an error of a spreadsheet such as {example!r}"
        if 2 * n > column.rows and n >= _ROWS:
            doubts.append(
                Doubt(f"{says}, and would be empty", "Mend the formulas, and save or export the table again.")
            )
        else:
            notes.append(f"{file.name}: {says} and {are} empty")
    return doubts, notes


def emptied_columns(file: SourceFile, entity: Entity, earlier: Sequence[SourceFile]) -> list[Doubt]:
    """A doubt about what a file would empty in known records, since it lacks columns that the file before it had."""
    gone = drift.emptied(file, entity, earlier)
    if not gone:
        return []
    had = {column for other in earlier if other.entity == file.entity for _, column in other.columns}
    new = [header for header, name in file.columns if name not in had and name not in file.columns_read]
    of_header = {header: [name for name in gone if gone[name] == header] for header in gone.values()}
    shown = ", ".join(f"{header!r} ({', '.join(names)})" for header, names in of_header.items())
    beside = f" (new here: {', '.join(map(repr, new[:MESSAGES]))})" if new else ""
    named = {
        name: max(guesses, key=lambda header: guesses[header].confidence)
        for name in gone
        if (guesses := {header: meant for header in new if (meant := vocabulary.header(header, entity, name))})
    }
    as_named = "; ".join(f"`{name}: {{column: {yaml.quoted(header)}}}`" for name, header in named.items())
    renamed = (
        f"If columns have other names now, say so in a contract{f', as {as_named}' * bool(as_named)}; else export"
        if new
        else "Export"
    )
    return [
        Doubt(
            f"lacks columns that the file before it had: {shown}{beside}; its records would be left without",
            f"{renamed} it with {', '.join(map(repr, of_header))}.",
        )
    ]


def repeated_deliveries(files: Sequence[SourceFile], entities: Mapping[str, Entity]) -> dict[int, list[Doubt]]:
    """Doubts about files of one kind that no contract knows and that may be states of several days, per file."""
    doubts: dict[int, list[Doubt]] = {}
    unknown = [file for file in files if not entities[file.entity].sources and entities[file.entity].version_column]
    for group in snapshots.alike(unknown):
        asks = snapshots.asked(group, lambda file: _records(file, entities[file.entity]))
        remedy = (
            f"Let `medallion init` write a contract: `snapshot: true` for {group[0].entity} says that each is a complete state; "
            "without it all of their records count."
        )
        doubts |= {id(file): [Doubt(asks, remedy)] for file in group if asks}
    deals = [
        file for file in unknown if file.entity == "leads" and entities["leads"].version_column not in file.mapping
    ]
    for group in snapshots.copies(deals):
        differs = snapshots.contradicted(group, lambda file: _records(file, entities[file.entity]))
        remedy = (
            "Remove the files that do not count from the folder, name each by its day (deals_2025-01-31.csv), or export the deals "
            "once, with the day of their last change."
        )
        doubts |= {id(file): [Doubt(differs, remedy)] for file in group if differs and id(file) not in doubts}
    return doubts


def _records(file: SourceFile, entity: Entity) -> snapshots.Records:
    """Per key of a file the state and value of the record, where these are columns."""
    plain = plain_columns(file)
    if entity.key not in plain:
        return {}
    names = [plain[name] for name in (entity.key, "status", "deal_value") if name in plain]
    states = entity.column("status") if len(names) == 3 else None
    records: dict[str, tuple[str, str]] = {}
    for batch in parsing.parse(file, [name for _, name in file.columns]):
        for key, *texts in zip(*(batch.column(name).to_pylist() for name in names), strict=True):
            if key:
                records[code(key)] = (texts[0] or "", texts[1] or "") if states else ("", "")
    comma = profile.Column("", "", 0, Counter(value for _, value in records.values() if value)).comma
    return {
        key: (
            (states and (meant(text, states, file.mapping["status"]) or states.default)) or "",
            units.signed(value, comma),
        )
        for key, (text, value) in records.items()
    }


def _twin_columns(file: SourceFile, seen: Mapping[str, Seen]) -> list[Doubt]:
    """A doubt about two columns of one name that hold different things; which of them counts nobody said."""
    doubts = []
    for bronze, others in same_header(file).items():
        for other in others:
            if seen[other].filled and seen[bronze].words != seen[other].words:
                doubts.append(
                    Doubt(
                        f"two columns are named {header_of(file, bronze)!r} and hold different values "
                        f"({_example(seen[bronze])} and {_example(seen[other])})",
                        f"Rename one of the columns, or fill it in a contract by `sql: {other}` or `sql: {bronze}`.",
                    )
                )
    return doubts


def _example(seen: Seen) -> str:
    return next((repr(text[:40]) for text in seen.words), "empty")


def _marked_rows(file: SourceFile, seen: Mapping[str, Seen]) -> list[Doubt]:
    """A doubt about rows that a column marks as deleted or merged away."""
    doubts = []
    for bronze in markers_of(file):
        header = header_of(file, bronze)
        if marks.is_no_business(header):
            if texts := marks.flagged(seen[bronze].words):
                doubts.append(
                    Doubt(
                        f"{header!r} marks {sum(texts.values())} of {seen[bronze].rows} rows as tests, copies or the like "
                        f"({', '.join(map(repr, texts))})",
                        "Let `medallion init` write a contract, or say it in yours beside the columns of the file: `where: "
                        f"{yaml.quoted(marks.unflagged(bronze, texts))}`. If they count like the others, write `where: "
                        f"{yaml.quoted(marks.counts_all(bronze))}` (docs/SOURCES.md).",
                    )
                )
            continue
        texts = marks.marked(header, seen[bronze].words)
        is_state = not marks.is_put_away(header, ())  # activities that are archived took place
        if texts and not (file.entity == "interactions" and is_state and marks.is_put_away(header, texts)):
            word = (
                f"`mergedInto: {header}`"
                if marks.is_pointer(header)
                else f"`absent: {{when: {yaml.quoted(marks.ended(header, bronze, texts))}}}`"
            )
            shown = ", ".join(repr(text[:40]) for text in list(texts)[:3])
            doubts.append(
                Doubt(
                    f"{header_of(file, bronze)!r} marks {sum(texts.values())} of {seen[bronze].rows} rows as deleted or "
                    f"merged away ({shown})",
                    f"Let `medallion init` write a contract, or say it in yours beside the columns of the file: {word}. "
                    f"If they count like the others, write `absent: {{when: {yaml.quoted(f'`{bronze}` IS NULL AND false')}}}` (docs/SOURCES.md).",
                )
            )
    return doubts


def _planned_activities(file: SourceFile, seen: Mapping[str, Seen]) -> list[Doubt]:
    """A doubt about activities that a column tells to be yet to come, or called off, and that would count as touches."""
    pending = {
        name: {text: n for text, n in texts.items() if _may_count(file, seen, name, text)}
        for header, name in activity_states(file)
        if (texts := activities.not_done(header, seen[name].words))
    }
    pending = {name: texts for name, texts in pending.items() if texts}
    if not pending:
        return []
    shown = "; ".join(
        f"{header_of(file, name)!r} {', '.join(repr(text[:40]) for text in list(texts)[:3])}"
        for name, texts in pending.items()
    )
    rows = max(sum(texts.values()) for texts in pending.values())
    words = " AND ".join(activities.when(name, texts) for name, texts in pending.items())
    if where := file.mapping.get(WHERE):
        words = f"({where.sql}) AND {words}"
    return [
        Doubt(
            f"{rows} of {max(seen[name].rows for name in pending)} activities have not taken place ({shown}), but would count as "
            "touches",
            f"Let `medallion init` write a contract, or say which count in yours: `where: {yaml.quoted(words)}`; "
            '`where: "true"` counts all.',
        )
    ]


def _may_count(file: SourceFile, seen: Mapping[str, Seen], name: str, text: str) -> bool:
    """Whether activities of that state may count by the contract, which does not mention it: beside any of the cells that
    the other columns in its condition have. Where that cannot be told, they may.
    """
    where = file.mapping.get(WHERE)
    if where is None or where.sql is None:
        return True
    columns = names_in(where.sql)
    if not columns or repr(text.strip().lower()) in where.sql.lower():
        return False  # every activity, or this one, as somebody has decided
    if name not in columns:
        return True
    others = sorted(columns - {name})
    most = round(_COMBINATIONS ** (1 / max(len(others), 1)))
    cells = [[text], *([None, *islice(seen[other].words if other in seen else (), most)] for other in others)]
    listed = ", ".join(f'(select unnest(?::varchar[]) as "{each}")' for each in (name, *others))
    try:
        condition = sqlglot.transpile(re.sub(r"'\$1'", r"'\\\\1'", where.sql), read="spark", write="duckdb")[0]
        with query.empty() as connection:
            (row,) = query.rows(connection, f"select bool_or(({condition})::boolean) as counts from {listed}", cells)
    except (duckdb.Error, sqlglot.ParseError):
        return True
    return row["counts"] is True
