"""What the cells of the columns of a file hold, counted in one pass."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as pacsv

from medallion.cells.texts import western
from medallion.contracts import Entity
from medallion.contracts.dates import formats, inference
from medallion.contracts.filling import ABSENT, LIFE, MERGED, WHERE
from medallion.contracts.model import ERRORS, NO_DATES
from medallion.contracts.odcs import names_in
from medallion.proposal import activities, marks, systems, vocabulary
from medallion.sources import SourceFile, parsing
from medallion.sources.files import UNREADABLE

#: Distinct texts of a column that are kept.
_DISTINCT = 1_000


#: Under which names, which no column has, the pairs of state and stage are kept, and the states of deals without a day of closing.
PAIR, UNDATED = "\n", "\n\n"


#: Gives the cells of some columns of a file.
Cells = Callable[[SourceFile, list[str]], Iterator[pa.RecordBatch]]


@dataclass
class Seen:
    """What the values of one column are, without placeholders: `filled` of `rows` rows have one.

    `dates` has the distinct days written in figures, such as 31/12/2025, `days` those in the form of ISO 8601, `forms` an
    example and a count per form of other text, `ends` the first and last of the days in ISO 8601 and of the texts of a form
    that is figures alone; `words` has the distinct texts of a column with few of them, `no_dates` the texts of a column of
    dates that stand for none, such as 00000000.
    """

    rows: int = 0
    filled: int = 0
    dates: set[str] = field(default_factory=set)
    days: set[str] = field(default_factory=set)
    forms: dict[str, tuple[str, int]] = field(default_factory=dict)
    ends: set[str] = field(default_factory=set)
    words: Counter[str] = field(default_factory=Counter)
    no_dates: Counter[str] = field(default_factory=Counter)
    #: Cells that have an error of a spreadsheet in place of a value.
    errors: Counter[str] = field(default_factory=Counter)


def plain_columns(file: SourceFile) -> dict[str, str]:
    """Canonical columns that are read from a column of the file as it is."""
    named = {name: item for name, item in file.mapping.items() if name not in LIFE}
    return {name: item.column for name, item in named.items() if item.column and not item.lookup}


def _date_columns(file: SourceFile, entity: Entity) -> dict[str, list[str]]:
    """Per canonical column of dates the columns of the file that it is read from, by an expression or as they are."""
    columns = {}
    for column in entity.columns:
        item = file.mapping.get(column.name)
        if item and column.kind in ("date", "timestamp") and not item.values and not item.lookup:
            read = {item.column} if item.column else names_in(item.sql) if item.sql else set()
            columns[column.name] = [name for _, name in file.columns if name in read]
    return columns


def dates_of(file: SourceFile, entity: Entity, seen: Mapping[str, Seen]) -> dict[str, Seen]:
    """Per canonical column of dates what the columns that it is read from hold together."""
    dates = {}
    for name, columns in _date_columns(file, entity).items():
        if columns:
            dates[name] = Seen(
                filled=sum(seen[column].filled for column in columns),
                dates=set().union(*(seen[column].dates for column in columns)),
                days=set().union(*(seen[column].days for column in columns)),
                forms={form: example for column in columns for form, example in seen[column].forms.items()},
                ends=set().union(*(seen[column].ends for column in columns)),
                no_dates=Counter({text: n for column in columns for text, n in seen[column].no_dates.items()}),
            )
    return dates


def closed_lists(file: SourceFile, entity: Entity) -> dict[str, str]:
    """The bronze columns of a file that fill a closed list of its entity, by the name of that."""
    return {name: bronze for name, bronze in plain_columns(file).items() if entity.column(name).accepted}


def markers_of(file: SourceFile) -> list[str]:
    """Columns that may mark rows as deleted and that no contract reads."""
    if file.entity not in (
        "customers",
        "leads",
        "interactions",
        "stage_changes",
    ):  # a stage that is retired is still looked up
        return []
    if (ended := file.mapping.get(ABSENT)) and (ended.sql or "").strip().lower() == "true":
        return []  # every row of it says so
    unread = [
        (header, name)
        for header, name in file.columns
        if name not in file.columns_read and (marks.may_mark(header) or marks.is_no_business(header))
    ]
    old = {header for header, _ in unread if file.entity == "interactions" and marks.is_put_away(header, ())}
    if old and (system := systems.recognized([[header for header, _ in file.columns]])):
        old = {header for header in old if vocabulary.bare(header) not in system.deleted}
    return [name for header, name in unread if header not in old]


def _telling(file: SourceFile) -> str:
    """The column without which rows do not count by a contract, in the form that `init` writes; "" where none says so."""
    counts = file.mapping.get(WHERE)
    plain = re.fullmatch(r"trim\(coalesce\(`([^`]+)`, ''\)\) <> ''", (counts.sql or "") if counts else "")
    return plain[1] if plain and plain[1] in {name for _, name in file.columns} else ""


def activity_states(file: SourceFile) -> list[tuple[str, str]]:
    """Header and name of the columns that may tell activities that have taken place from others."""
    if file.entity != "interactions":
        return []
    return [(header, name) for header, name in file.columns if activities.may_tell(header)]


def _state_and_stage(file: SourceFile, entity: Entity) -> tuple[str, str] | None:
    """The columns of state and stage of deals, where they are two and no contract has said which counts."""
    status, stage = file.mapping.get("status"), file.mapping.get("stage")
    if entity.name != "leads" or any(source.columns for source in entity.sources) or not status or not stage:
        return None
    return (status.column, stage.column) if status.column and stage.column and status.column != stage.column else None


def _state_and_closing(file: SourceFile, entity: Entity) -> tuple[str, str] | None:
    """The columns of the state of deals and of their day of closing, as far as both are read as they are."""
    plain = plain_columns(file) if entity.name == "leads" else {}
    names = plain.get("status"), plain.get("closed_at")
    return (names[0], names[1]) if names[0] and names[1] and names[0] != names[1] else None


def _marks_read(file: SourceFile, entity: Entity) -> list[tuple[str, str]]:
    """Header and name of the columns that mark rows as deleted and that the contract or its key reads."""
    fillings = [item for name in (entity.key, ABSENT, MERGED) if (item := file.mapping.get(name))]
    read = set().union(*(names_in(item.sql) for item in fillings if item.sql))
    read |= {item.column for item in [file.mapping.get(MERGED)] if item and item.column}
    return [(header, name) for header, name in file.columns if name in read and marks.may_mark(header)]


def same_header(file: SourceFile) -> dict[str, list[str]]:
    """Columns that fill something by their header, each with the others of that header.

    Keys of JSON and columns of Parquet are names as they are: two that differ by case are two.
    """
    if file.format in ("json", "jsonl", "parquet"):
        return {}
    bare = {name: header.strip().casefold() for header, name in file.columns}
    mapped = [item.column for item in file.mapping.values() if item.column]
    alike = {name: [other for other in bare if other != name and bare[other] == bare[name]] for name in mapped}
    return {name: others for name, others in alike.items() if others and bare[name]}


def look(file: SourceFile, entity: Entity, cells: Cells | None = None) -> dict[str, Seen]:
    """What the columns of a file hold that its reading depends on.

    Raises:
        SourceError: The file cannot be read to its end.
    """
    dates = {column for columns in _date_columns(file, entity).values() for column in columns}
    stage = file.mapping.get("stage")
    listed = {
        *closed_lists(file, entity).values(),
        *markers_of(file),
        *([stage.column] if stage and stage.column else []),
    }
    if states := {name for _, name in activity_states(file)}:
        counts = file.mapping.get(WHERE)
        listed |= states | (
            {name for _, name in file.columns} & names_in(counts.sql) if counts and counts.sql else set()
        )
    for bronze, others in same_header(file).items():
        listed |= {bronze, *others}
    unread, read_markers = set(markers_of(file)), _marks_read(file, entity) if listed else []
    item = file.mapping.get(entity.key)
    key = {item.column} if item and item.column and listed and entity.name == "leads" else set()
    key |= {telling} if listed and (telling := _telling(file)) else set()
    with_errors = file.columns_read if cells is None and _may_have_errors(file) else set()
    read_all = dates | listed | key | with_errors | {name for _, name in read_markers}
    wanted = [name for _, name in file.columns if name in read_all]
    if not wanted:
        return {}
    empty = {*entity.placeholders}
    pair, undated = _state_and_stage(file, entity), _state_and_closing(file, entity)

    def read(batches: Iterator[pa.RecordBatch]) -> dict[str, Seen]:
        seen = {name: Seen() for name in wanted}
        for batch in batches:
            for name in with_errors & {*wanted}:
                hashed = batch.column(name).filter(pc.starts_with(pc.fill_null(batch.column(name), ""), "#"))
                texts = _counted(hashed, ())
                seen[name].errors.update({text: n for text, n in texts.items() if text.lower() in ERRORS})
            for name in key:  # a row without one is refused, or left out, whatever it says: a total, a note
                batch = batch.filter(pc.fill_null(pc.not_equal(batch.column(name), ""), False))
            if pair:
                both = [pc.utf8_trim_whitespace(pc.fill_null(batch.column(name), "")) for name in pair]
                counted = _counted(pc.binary_join_element_wise(*both, "\n"), {"\n"})
                seen.setdefault(PAIR, Seen()).words.update(dict(counted.most_common(_DISTINCT)))
            if undated:
                state_, closing = (pc.utf8_trim_whitespace(pc.fill_null(batch.column(name), "")) for name in undated)
                blank = pc.is_in(pc.utf8_lower(closing), pa.array(sorted({*empty, *NO_DATES, ""}), pa.string()))
                seen.setdefault(UNDATED, Seen()).words.update(_counted(state_.filter(blank), empty))
            unmarked = batch.filter(_unmarked(batch, read_markers, empty)) if read_markers else batch
            for name in wanted:
                cells = _western((unmarked if name in unread else batch).column(name))
                _add(seen[name], cells, empty, name in dates, name in listed)
        return seen

    if cells:
        return read(cells(file, wanted))
    if file.format == "csv":
        try:
            return read(_columns_of_csv(file, wanted))
        except (pa.ArrowException, UnicodeError, *UNREADABLE):
            pass  # read again as bronze is, which says what is wrong with it
    names = [name for _, name in file.columns]
    return read(batch.select(wanted) for batch in parsing.parse(file, names))


def whole_columns(file: SourceFile, wanted: list[str]) -> list[pa.RecordBatch]:
    """Some columns of all records of a file that could be read to its end, without those that are malformed."""
    if file.format == "csv":
        try:
            return [*_columns_of_csv(file, wanted)]
        except (pa.ArrowException, UnicodeError, *UNREADABLE):
            pass
    names = [name for _, name in file.columns]
    read = (batch.filter(batch.column(len(names) + 2).is_null()) for batch in parsing.parse(file, names))
    return [batch.select(wanted) for batch in read]


#: What may be an error of a spreadsheet in the bytes of a text, and how many of these are looked at at once.
_ERROR = re.compile(rb"#(?:N/?[A-Z]|YOK|GETTING|####|[^\s,;|#]{1,16}[!?])", re.IGNORECASE)
_CHUNK = 1 << 22


def _may_have_errors(file: SourceFile) -> bool:
    """Whether some cells may have an error of a spreadsheet: texts are searched as a whole, before columns are."""
    if file.format != "csv" or "16" in file.encoding:
        return file.format in ("csv", "workbook")
    with file.text() as stream:
        rest = b""
        while chunk := stream.read(_CHUNK):
            if _ERROR.search(rest + chunk):
                return True
            rest = chunk[-20:]
    return False


def _western(cells: pa.Array) -> pa.Array:
    """Cells with the figures of other scripts as they are read."""
    if pc.all(pc.string_is_ascii(cells)).as_py() is not False:
        return cells
    if not pc.any(pc.match_substring_regex(cells, "[٠-٩۰-۹०-९０-９]")).as_py():
        return cells
    encoded = cells.dictionary_encode()
    texts = [None if text is None else western(text) for text in encoded.dictionary.to_pylist()]
    return pa.array(texts, pa.string()).take(encoded.indices)


def _unmarked(batch: pa.RecordBatch, read_markers: Iterable[tuple[str, str]], empty: Collection[str]) -> pa.Array:
    """Which rows none of the columns that the contract reads marks as deleted."""
    ended = pa.array(np.zeros(batch.num_rows, bool))
    for header, name in read_markers:
        cells = pc.fill_null(pc.utf8_trim_whitespace(batch.column(name)), "")
        texts = pa.array(list(marks.marked(header, _counted(cells, empty))), pa.string())
        ended = pc.or_(ended, pc.is_in(cells, value_set=texts))
    return pc.invert(ended)


def _add(seen: Seen, cells: pa.Array, empty: Collection[str], dates: bool, listed: bool) -> None:
    """Add the cells of a batch. What is costly is done for distinct texts, and for dates in other forms than ISO."""
    seen.rows += len(cells)
    if listed:
        counts = _counted(cells, empty)
        if len(seen.words) < _DISTINCT:
            seen.words.update(counts)
        seen.filled += counts.total()
    if not dates:
        return
    iso = pc.match_like(cells, "____-__-__%")
    for end in "mM.T":  # am and pm, names of zones
        iso = pc.and_(iso, pc.invert(pc.ends_with(cells, end)))
    days = set(pc.unique(pc.utf8_slice_codeunits(cells.filter(iso), 0, 10)).to_pylist())
    if days & {*NO_DATES}:  # they have the form of ISO 8601
        none, cells = _no_dates(seen, cells)
        iso, days = iso.filter(none), days - {*NO_DATES}
    seen.days |= days
    plausible = [day for day in days if "198" < day < "206"]
    seen.ends |= {min(plausible), max(plausible)} if plausible else set()
    seen.filled += 0 if listed else pc.sum(iso).as_py() or 0
    texts = pc.utf8_trim_whitespace(cells.filter(pc.invert(iso)))
    texts = texts.filter(pc.invert(pc.is_in(pc.utf8_lower(texts), pa.array(sorted(empty), pa.string()))))
    _, texts = _no_dates(seen, texts)
    seen.filled += 0 if listed else len(texts)
    if len(texts):
        _add_forms(seen, texts)


def _no_dates(seen: Seen, cells: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Which cells of dates do not stand for none, and these cells; the others are counted."""
    bare = pc.utf8_trim_whitespace(cells)
    none = pc.fill_null(pc.is_in(pc.utf8_lower(bare), pa.array(NO_DATES, pa.string())), False)
    seen.no_dates.update(_counted(bare.filter(none), ()))
    kept = pc.invert(none)
    return kept, cells.filter(kept)


def _add_forms(seen: Seen, texts: pa.Array) -> None:
    """Add dates in other forms than ISO. Texts that differ in their digits alone are of one form, so that regular
    expressions are tried on the few forms and not on every cell.
    """
    shapes = _without_digits(texts).dictionary_encode()
    rows: dict[str, list[int]] = {}
    for place, shape in enumerate(shapes.dictionary.to_pylist()):
        rows.setdefault(_form(shape), []).append(place)
    counts = Counter({item["values"]: item["counts"] for item in pc.value_counts(shapes.indices).to_pylist()})
    for form, places in islice(rows.items(), _DISTINCT):
        example, count = seen.forms.get(form, ("", 0))
        is_figure = bool(re.fullmatch("[0.,]+", form))
        days = {place: match.end(1) for place in places if (match := _DAY.match(shapes.dictionary[place].as_py()))}
        if is_figure or not count or days:
            of_form = texts.filter(pc.is_in(shapes.indices, pa.array(places, shapes.indices.type)))
            ends = set(pc.min_max(of_form).as_py().values())
            seen.ends |= ends if is_figure else set()
            example = example or str(min(ends))
        for place, end in days.items():
            of_shape = of_form if len(places) == 1 else texts.filter(pc.equal(shapes.indices, place))
            seen.dates |= set(pc.unique(pc.utf8_slice_codeunits(of_shape, 0, end)).to_pylist())
        seen.forms[form] = (example, count + sum(counts[place] for place in places))


#: A day in figures at the beginning of a text whose digits are all 0.
_DAY = re.compile(r"((?:0{1,2}[/.-]0{1,2}[/.-](?:0000|00)|0000[/.-]0{1,2}[/.-]0{1,2})(?=[^0]|$)|0{8}(?=(?:0{6})?$))")


_ZEROS = np.array([ord("0") if chr(byte).isdecimal() else byte for byte in range(256)], np.uint8)


def _without_digits(texts: pa.Array) -> pa.Array:
    """Texts with every digit 0: done on their bytes at once."""
    texts = pa.concat_arrays([texts])  # from its own beginning
    _, offsets, data = texts.buffers()
    zeros = pa.py_buffer(_ZEROS[np.frombuffer(data, np.uint8)].tobytes())
    return pa.StringArray.from_buffers(len(texts), offsets, zeros, offset=texts.offset)


@cache
def _form(shape: str) -> str:
    """The format that reads dates of a shape, whichever of day and month is first; for others the shape itself."""
    for format_ in inference.candidates(day_first=False):
        if re.fullmatch(formats.reader(format_), shape):
            return format_
    return shape


def _counted(cells: pa.Array, empty: Collection[str]) -> Counter[str]:
    """How often each text occurs, without white space around it and without placeholders."""
    counts: Counter[str] = Counter()
    for item in pc.value_counts(cells.drop_null()).to_pylist():
        text = item["values"].strip()
        if text.lower() not in empty:
            counts[text] += item["counts"]
    return counts


def _columns_of_csv(file: SourceFile, wanted: list[str]) -> Iterator[pa.RecordBatch]:
    """Some columns of a delimited text, without records that do not split into the header's cells."""
    names = [name for _, name in file.columns]
    with file.text() as stream:
        yield from pacsv.open_csv(
            stream,
            read_options=pacsv.ReadOptions(
                use_threads=True,
                block_size=8 << 20,
                encoding="utf8" if file.encoding == "utf-8" else file.encoding,
                column_names=names,
                skip_rows=file.header_line - 1,
                skip_rows_after_names=1,
            ),
            parse_options=pacsv.ParseOptions(
                delimiter=file.delimiter, newlines_in_values=file.quoted, invalid_row_handler=lambda record: "skip"
            ),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, include_columns=wanted
            ),
        )
