"""What is in a table: per column how full it is, how many different values there are, and what they look like."""

from __future__ import annotations

import csv
import fnmatch
import glob
import re
from collections import Counter, deque
from collections.abc import Callable, Container, Iterator, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import islice

import pyarrow as pa
import pyarrow.compute as pc

from medallion import sources
from medallion.cells.texts import western
from medallion.contracts import money
from medallion.contracts.dates import day_order, inference
from medallion.contracts.dates.counts import either_calendar
from medallion.contracts.dates.day_order import DayOrder
from medallion.contracts.dates.names import without_weekday
from medallion.contracts.model import ERRORS, NO_DATES, PLACEHOLDERS
from medallion.contracts.odcs import code
from medallion.errors import SourceError
from medallion.sources import SourceFile, currencies, delivery, parsing, readers
from medallion.sources.files import UNREADABLE

#: Records of a table that are looked at, and cells where it is wide.
RECORDS, _CELLS = 50_000, 1_000_000
#: Bytes of a text that are read.
BEGINNING = 16 << 20
#: Records of a table of which columns are compared cell by cell.
COMPARED = 5_000
#: Different values of a column whose comparable forms are kept, and those that are looked at first.
_COUNTED = 10_000
_FEW = 100
#: Different values of a column that are told kinds apart by.
_SAMPLE = 400
#: More than this share of a column's other values are dates where zeros stand for none.
_MOSTLY = 0.9
#: Records that do not split of which the cells are kept.
_FOOTER = 20
#: Characters of such a record.
_LONGEST = 10_000

_TIME = r"(,? +\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?[AaPp]\.? ?[Mm]\.?)?( ?[A-Z]{1,4}[+-]?[\d:]*)?)?"
#: A month in English, whole or by its first letters.
_MONTH = r"[A-Z][a-z]{2}|January|February|March|April|June|July|August|Sept|September|October|November|December"
_DATES = {
    "iso": r"\d{4}-\d{2}-\d{2}([ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?([A-Z]{1,4}|[+-]\d{2}:?\d{2}))?)?",
    "iso with am": r"\d{4}-\d{2}-\d{2}" + _TIME,
    "slash": r"(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})" + _TIME,
    "dot": r"(\d{1,2})\.(\d{1,2})\.(\d{4}|\d{2})" + _TIME,
    "dash": r"(\d{1,2})-(\d{1,2})-(\d{4}|\d{2})" + _TIME,
    "year": r"\d{4}[/.]\d{1,2}[/.]\d{1,2}" + _TIME,
    "signs": r"\d{4}[年년] ?\d{1,2}[月월] ?\d{1,2}[日일]" + _TIME,
    "words": rf"\d{{1,2}} ({_MONTH}) \d{{4}}" + _TIME + rf"|({_MONTH}) \d{{1,2}}, \d{{4}}" + _TIME,
    "words without comma": rf"({_MONTH}) \d{{1,2}} \d{{4}}" + _TIME,
    "compact": r"(19|20)\d{2}[01]\d[0-3]\d([0-2]\d[0-5]\d[0-5]\d)?",
    "dashed words": rf"\d{{1,2}}([-/])({_MONTH})([-/])\d{{4}}" + _TIME,
}
_ANY_DATE = "|".join(f"(?:{pattern})" for pattern in _DATES.values())
#: What may name a currency beside a figure.
_SIGN = rf"(\s?({currencies.SIGN}|{'|'.join(sorted(money.CODES))})\s?)?"
_SHAPES = {
    "number": rf"[-−(]?{_SIGN}-?(\d{{1,2}}(,\d{{2}})+,\d{{3}}|\d{{1,3}}([.,\s'’]\d{{3}})+|\d+)([.,](\d+|[-–—]{{1,2}}))?(\s?/[-–—=]{{1,2}})?\)?-?(\s?[%kKmM]|{_SIGN})-?",
    "clock": r"\d{1,2}:\d{2}(:\d{2})?",
    "email": r"([^<>@]*<)?[^@\s<>]+@[^@\s<>]+\.[^@\s<>]+>?",
    "phone": r"\+?[\d\s().-]{6,}\d( ?(x|ext\.?) ?\d+)?",
    "flag": r"(?i)true|false|yes|no|y|n|0|1|ja|nein|si|sí|t|f",
    "code": r"(?=\S*\d)\S{2,}",
}
#: What is beside a figure: no digits and no marks, but the point of an abbreviation or of `S/.`.
_BESIDE = r"(?:[^\W\d_]\.|/\.|[^\d,.])*"
#: Figures with a decimal comma or a decimal point, a dash in place of decimals too, and with a mark that stands before three digits once, which may be either.
_COMMA = re.compile(
    rf"{_BESIDE}(\d{{1,3}}([.\s]\d{{3}})*,[\d–—-]{{1,2}}|\d+,([\d–—-]{{1,2}}|\d{{4,}})|0,\d+|\d{{1,3}}(\.\d{{3}}){{2,}}){_BESIDE}"
)
_POINT = re.compile(
    rf"{_BESIDE}(\d{{1,3}}([,'’\s]\d{{3}})*\.[\d–—-]{{1,2}}|\d+\.([\d–—-]{{1,2}}|\d{{4,}})|0\.\d+|\d{{1,3}}(,\d{{3}}){{2,}}){_BESIDE}"
)
_EITHER = re.compile(rf"{_BESIDE}[1-9]\d{{0,2}}\.\d{{3}}{_BESIDE}")
#: Texts with a link, as Notion, Markdown, HTML and spreadsheets write them, and what is left of each without it.
#: An address may have brackets itself, as those of Wikipedia do.
_ADDRESS = r"\(https?:[^()\s]*(?:\([^()\s]*\)[^()\s]*)*\)"
LINKS = {
    rf" {_ADDRESS}": "",
    rf"\[([^\[\]]*)\]{_ADDRESS}": "$1",
    r"<a [^<>]*>([^<>]*)</a>": "$1",
    r'=HYPERLINK\("[^"]*"[,;] ?"([^"]*)"\)': "$1",
}
#: The end of a span of time in one cell, and what is left of the text without it: `March 3, 2025 3:30 PM → 5:00 PM`.
UNTIL = r"(\s+(–|—|-|to|bis|until|hasta|a|au|al|até|tot|til|do)|\s*(→|⟶|➔|➜|⇒|->|=>))\s+(\S.*)$"
#: A time of day alone, which ends a span on the day of its beginning.
CLOCK = r"\d{1,2}:\d{2}(:\d{2})?( ?[AaPp]\.?[Mm]\.?)?"
_MAY_LINK = re.compile(r"\(https?:|<a |=HYPERLINK\(")


@dataclass
class Column:
    """One column of a table. `counts` has its values without placeholders, and how often each occurs."""

    header: str
    name: str
    rows: int
    counts: Counter[str] = field(default_factory=Counter)
    #: Whether FALSE is written where it is empty: it has other values, none of them yes or no.
    denied: bool = False
    #: Texts that stand for no date in a column of dates, such as 00000000, and are left out of `counts`.
    no_dates: frozenset[str] = frozenset()
    #: The pattern of the links that its texts have and `counts` leaves out, a key of `LINKS`; else "".
    linked: str = ""
    #: Whether some of its texts are spans of time, of which `counts` has the beginnings.
    has_ends: bool = False
    #: Cells that have an error of a spreadsheet, which `counts` leaves out.
    errors: Counter[str] = field(default_factory=Counter)
    #: Rows with such a link, and the first text with one.
    links: int = 0
    link: str = ""

    @property
    def sql(self) -> str:
        """The Spark SQL that gives its cells as `counts` has them: without their links."""
        pattern = self.linked.replace("\\", "\\\\")
        return f"regexp_replace(`{self.name}`, '{pattern}', '{LINKS[self.linked]}')" if pattern else f"`{self.name}`"

    @property
    def is_partly_linked(self) -> bool:
        """Whether some of its texts have a link, and not nearly all."""
        return 0 < self.links <= _MOSTLY * self.filled

    @property
    def filled(self) -> int:
        """Rows with a value."""
        return self.counts.total()

    @property
    def distinct(self) -> int:
        """Different values."""
        return len(self.counts)

    @property
    def is_unique(self) -> bool:
        """Whether every row has a value of its own."""
        return self.rows > 0 and self.filled == self.rows == self.distinct

    @property
    def repeats(self) -> float:
        """Share of rows whose value another row has too."""
        return 1 - self.distinct / self.filled if self.filled else 0.0

    @property
    def counted_dates(self) -> float:
        """Share of different values that would be times in a column that is known to hold them: a count of seconds
        since 1970 or of Excel's days, and months of any language.
        """
        sample = list(islice(self.counts, _SAMPLE))
        unread = [text for text in inference.called_for(sample, False)[1] if not either_calendar([text])]
        return 1 - len(unread) / len(sample) if sample else 0.0

    def share(self, shape: str) -> float:
        """Share of different values that look like a number, email, phone, flag, code or date."""
        return _share(shape, tuple(islice(self.counts, _SAMPLE)))

    @property
    def comma(self) -> bool:
        """Whether figures have a decimal comma."""
        sample = list(islice(self.counts, _SAMPLE))
        commas, points = (sum(bool(shape.fullmatch(text)) for text in sample) for shape in (_COMMA, _POINT))
        return commas > points

    @property
    def dotted(self) -> str:
        """A figure such as 93.333 where figures have either such a dot or no mark, so that it may be thousands; else ""."""
        marked = [text for text in islice(self.counts, _SAMPLE) if re.search(r"\d[.,]\d", text)]
        return marked[0] if marked and all(map(_EITHER.fullmatch, marked)) else ""

    @property
    def forms(self) -> frozenset[str]:
        """Its values in the form in which identifiers and names are compared; cached where there are few."""
        forms = self.__dict__.get("_forms") or frozenset(form for text in self.counts if (form := code(text)))
        if self.distinct <= _COUNTED:
            self.__dict__["_forms"] = forms
        return forms

    def among(self, keys: Set[str], least: float) -> bool:
        """Whether that share of its values, or more, are among keys; a few of them tell most columns apart."""
        few = [code(text) for text in islice(self.counts, _FEW)]
        if not few or sum(form in keys for form in few) < (least - 0.3) * len(few):
            return False
        return len(self.forms & keys) >= least * len(self.forms) > 0

    @cached_property
    def day_order(self) -> DayOrder:
        """What its dates in figures say about the order of day and month."""
        return day_order.day_order(self.counts)

    def examples(self, count: int = 3) -> str:
        """A few of its values, to be read."""
        return ", ".join(re.sub(r"\s+", " ", text)[:30] for text, _ in self.counts.most_common(count))


@lru_cache(maxsize=2_000)
def _share(shape: str, sample: tuple[str, ...]) -> float:
    pattern = re.compile(_ANY_DATE if shape == "date" else _SHAPES[shape])
    if shape == "date":
        sample = tuple(without_weekday(text)[1] for text in sample)
    return sum(map(bool, map(pattern.fullmatch, sample))) / max(len(sample), 1)


@dataclass
class Table:
    """One table of a delivery and its columns."""

    file: SourceFile
    stems: tuple[str, ...]
    rows: int
    columns: list[Column]
    #: The first records, as batches with one field per column.
    records: list[pa.RecordBatch] = field(default_factory=list)
    #: About how many rows it has where only the first were looked at, 0 where that cannot be told; None where all were.
    of: int | None = None
    #: The last records that do not split into the header's cells, such as a total with fewer, each as its cells.
    short: list[tuple[str, ...]] = field(default_factory=list)
    #: Names of further files with rows of the same table.
    more: list[str] = field(default_factory=list)

    @property
    def sampled(self) -> str:
        """How much of it was looked at, where that is not all."""
        if self.of is None:
            return ""
        return f"the first {self.rows:,} of " + (f"about {self.of:,} rows" if self.of else "more rows")

    def together(self, *columns: Column) -> Iterator[tuple[str, ...]]:
        """The cells of some columns record by record, "" for an empty one, of the first records."""
        places = [next(place for place, each in enumerate(self.columns) if each is column) for column in columns]
        for batch in self.records:
            cells = (batch.column(place).to_pylist() for place in places)
            yield from (
                tuple(_cell(text, column) for text, column in zip(record, columns, strict=True))
                for record in zip(*cells, strict=True)
            )

    def counted(self, *columns: Column, length: int | None = None) -> Counter[tuple[str, ...]]:
        """How often the cells of some columns stand together, or their first characters, as `together` gives them."""
        names = [str(n) for n in range(len(columns))]
        cells = []
        for column in columns:
            place = next(place for place, each in enumerate(self.columns) if each is column)
            whole = pa.chunked_array([batch.column(place) for batch in self.records], pa.string())
            texts = pc.utf8_trim_whitespace(pc.fill_null(whole, ""))
            cells.append(pc.utf8_slice_codeunits(texts, 0, length) if length else texts)
        grouped = pa.table(cells, names).group_by(names).aggregate([([], "count_all")])
        counts: Counter[tuple[str, ...]] = Counter()
        for *row, count in zip(*(grouped[name].to_pylist() for name in (*names, "count_all")), strict=True):
            counts[tuple(map(_cell, row, columns))] += count
        return counts

    def column(self, header: str) -> Column:
        """The column of that header."""
        return next(column for column in self.columns if column.header == header)

    @cached_property
    def as_records(self) -> list[dict[str, str]]:
        """Its rows as cells by bronze column, without placeholders; read again, so ask this of narrow tables only."""
        names = [column.name for column in self.columns]
        records: list[dict[str, str]] = []
        for batch in parsing.parse(self.file, names):
            good = batch.filter(batch.column(len(names) + 2).is_null()).slice(0, RECORDS - len(records))
            for row in zip(*(good.column(place).to_pylist() for place in range(len(names))), strict=True):
                texts = [(text or "").strip() for text in row]
                records.append({n: "" if t.lower() in PLACEHOLDERS else t for n, t in zip(names, texts, strict=True)})
            if len(records) >= RECORDS:
                break
        return records


def tables(folder: str, known: Callable[[Sequence[str]], int]) -> Iterator[Table | delivery.Unreadable | str]:
    """Every table of a folder; why one cannot be read, and a name for a file that holds none.

    Raises:
        SourceError: There is no such folder.
    """
    for part in delivery.parts(folder):
        if isinstance(part, str | delivery.Unreadable):
            yield part
        else:
            try:
                content, header = sources.look(part, known)
                file = sources.described(part, content, header, "")
                yield _profiled(file, part.stems)
            except SourceError as error:
                yield delivery.Unreadable(part.name, part.stems, error, _first_cells(part))


def without_link(text: str, pattern: str) -> str:
    """A text without its links.

    >>> without_link("Halden AS (https://example.com/a?b=1), Lumen (https://example.com/c)", next(iter(LINKS)))
    'Halden AS, Lumen'
    """
    return re.sub(pattern, LINKS[pattern].replace("$", "\\"), text) if pattern else text


def opened(stem: str) -> str:
    """A file's name as the pattern of those that have another date or number in it; "" where it has none.

    >>> opened("Deals_001"), opened("deals 2025-01-31"), opened("accounts")
    ('Deals*', 'deals*', '')
    """
    cut = re.sub(r"[ _-]*(\d{1,4}[-_.]\d{1,2}[-_.]\d{1,4}|\d{1,2}[A-Z][a-z]{2}\d{4}|(?<=[ _-])\d{3,}).*$", "", stem)
    return "" if cut == stem or len(cut) < 3 else f"{glob.escape(cut)}*"


def together(tables: Sequence[Table], keys_of: Callable[[Table], Container[str]]) -> list[Table]:
    """Tables, those that are parts of one as one: files of a name but for its number, with the same columns and other keys.

    Files that have keys in common are states or changes of the same records, and stay apart. `keys_of` gives the headers of
    the columns that may be the key of a table.
    """
    groups: dict[tuple[str, ...], list[Table]] = {}
    for table in tables:
        name = opened(table.stems[-1]) if table.rows and not table.file.sheet else ""
        groups.setdefault((name or table.file.name, *(column.header for column in table.columns)), []).append(table)
    whole: list[Table] = []
    for (name, *_), parts in groups.items():
        others = (table for table in tables if not any(table is part for part in parts))
        alone = not any(fnmatch.fnmatchcase(table.stems[-1].lower(), name.lower()) for table in others)
        whole += [_joined(parts)] if len(parts) > 1 and alone and _are_parts(parts, keys_of) else parts
    return whole


def _are_parts(tables: Sequence[Table], keys_of: Callable[[Table], Container[str]]) -> bool:
    """Whether the records of each table are others: of the columns that may be the key some tell, and none has a value twice."""
    keys = [keys_of(table) for table in tables]
    tells = False
    for columns in zip(*(table.columns for table in tables), strict=True):
        if all(column.header in likely for column, likely in zip(columns, keys, strict=True)):
            every = set().union(*(column.forms for column in columns))
            if len(every) < sum(len(column.forms) for column in columns):
                return False
            tells = tells or all(column.is_unique for column in columns)
    return tells


def _joined(parts: Sequence[Table]) -> Table:
    """Parts of a table as one."""
    rows = sum(table.rows for table in parts)
    columns = []
    for several in zip(*(table.columns for table in parts), strict=True):
        first = several[0]
        none = frozenset().union(*(column.no_dates for column in several))
        column = Column(first.header, first.name, rows, denied=any(each.denied for each in several), no_dates=none)
        column.linked, column.link = next(((each.linked, each.link) for each in several if each.linked), ("", ""))
        column.links = sum(each.links for each in several)
        column.has_ends = any(each.has_ends for each in several)
        for each in several:
            column.counts.update(each.counts)
        columns.append(column)
    records = [batch for table in parts for batch in table.records]
    of = None if all(table.of is None for table in parts) else sum(table.of or table.rows for table in parts)
    names = [table.file.name for table in parts[1:]]
    return Table(parts[0].file, parts[0].stems, rows, columns, records, of, parts[-1].short, names)


def _in_figures(text: str) -> str:
    """A text of figures alone in those that are compared; the words of another are kept as they are written."""
    return text if text.isascii() or any(map(str.isalpha, text)) else western(text)


def _cell(text: str | None, column: Column) -> str:
    bare = without_link(_in_figures((text or "").strip()), column.linked)
    bare = re.sub(UNTIL, "", bare) if column.has_ends else bare
    return "" if bare.lower() in PLACEHOLDERS or bare in column.no_dates else bare


def _first_cells(part: delivery.Part) -> tuple[str, ...]:
    """The cells of the first line of a file that is damaged further down; none where there is no such line."""
    try:
        head = part.place.beginning(1 << 14).replace(b"\0", b"").decode("utf-8", "replace")
    except UNREADABLE:
        return ()
    line = next(iter(head.lstrip("\ufeff\r\n").splitlines()), "")
    return tuple(cell.strip(' "') for cell in re.split(r"[,;\t|]", line))


def of_columns(
    file: SourceFile, names: Sequence[str], records: list[pa.RecordBatch], days: Container[str | None]
) -> Table:
    """Some columns of a table, with all of its `records` of them, which are compared with each other; of `days` without the time."""
    header, rows = {name: header for header, name in file.columns}, sum(batch.num_rows for batch in records)
    columns = [Column(header[name], name, rows) for name in names]
    table = Table(file, (), rows, columns, records)
    for column in columns:
        counts = table.counted(column, length=10 if column.name in days else None)
        column.counts.update({text: count for (text,), count in counts.items() if text})
    return table


def looked_at(file: SourceFile) -> int:
    """How many records of a table are looked at, the first ones."""
    return min(RECORDS, _CELLS // max(len(file.columns), 1))


def _profiled(file: SourceFile, stems: tuple[str, ...]) -> Table:
    names = [name for _, name in file.columns]
    columns = [Column(header, name, 0) for header, name in file.columns]
    rows, records, most = 0, list[pa.RecordBatch](), looked_at(file)
    texts: deque[str] = deque(maxlen=_FOOTER)
    is_cut = file.format in ("csv", "jsonl") and file.place.is_cut
    for batch in parsing.parse(file, names):
        good = batch.filter(batch.column(len(names) + 2).is_null())
        if good.num_rows < batch.num_rows:
            texts.extend(batch.column(len(names) + 2).drop_null().to_pylist())
        is_cut = is_cut or good.num_rows > most - rows
        good = good.slice(0, most - rows)
        if rows < COMPARED:
            records.append(good.slice(0, COMPARED - rows))
        rows += good.num_rows
        for place, column in enumerate(columns):
            counted = pc.value_counts(pc.utf8_trim_whitespace(good.column(place).drop_null()))
            for text, count in zip(*(counted.field(name).to_pylist() for name in ("values", "counts")), strict=True):
                if text.lower() not in PLACEHOLDERS:
                    column.counts[_in_figures(text)] += count
                elif text.lower() in ERRORS:
                    column.errors[text] += count
        if is_cut and rows >= most:
            break
    for column in columns:
        column.rows = rows
        _leave_out_links(column)
        _leave_out_ends(column)
        denials = {text for text in column.counts if text.lower() == "false"}
        others = column.counts.keys() - denials
        if denials and others and not any(re.fullmatch(_SHAPES["flag"], text) for text in others):
            column.denied = True
            for text in denials:
                del column.counts[text]
        _leave_out_no_dates(column)
    lines = (re.sub(r"[\r\n\0]+", " ", text[:_LONGEST]) for text in texts)
    short = [tuple(cell.strip() for cell in cells) for cells in csv.reader(lines, delimiter=file.delimiter)]
    return Table(file, stems, rows, columns, records, _all_rows(file) if is_cut else None, short)


def _leave_out_links(column: Column) -> None:
    """In a column of texts with a link, the texts are what counts; of several kinds of links the most frequent is left out."""
    texts = [text for text in column.counts if _MAY_LINK.search(text)]
    by_kind = {pattern: [text for text in texts if re.search(pattern, text)] for pattern in LINKS} if texts else {}
    rows = {pattern: sum(column.counts[text] for text in some) for pattern, some in by_kind.items()}
    column.links = max(rows.values(), default=0)
    if not column.links:
        return
    column.linked = max(rows, key=lambda pattern: rows[pattern])
    column.link = by_kind[column.linked][0]
    counts = Counter[str]()
    for text, count in column.counts.items():
        counts[without_link(text, column.linked)] += count
    column.counts = counts


def _leave_out_ends(column: Column) -> None:
    """In a column of dates of which some go on to another, or to a time of the same day, the beginnings are what counts."""
    sample = list(islice(column.counts, _SAMPLE))
    ends = [span[4] for text in sample if (span := re.search(UNTIL, text))]
    others = tuple(text for text in ends if not re.fullmatch(CLOCK, text))
    if not ends or _share("date", others or ("2025-01-01",)) <= _MOSTLY:
        return
    if not others and not any(":" in re.sub(UNTIL, "", text) for text in sample):
        return  # a dash between a day and its time: 2024-03-01 - 08:30
    if _share("date", tuple(re.sub(UNTIL, "", text) for text in sample)) <= _MOSTLY:
        return
    column.has_ends = True
    counts = Counter[str]()
    for text, count in column.counts.items():
        counts[re.sub(UNTIL, "", text)] += count
    column.counts = counts


def _leave_out_no_dates(column: Column) -> None:
    """In a column of dates, zeros and the like stand for none."""
    none = {text for text in column.counts if text.lower() in NO_DATES}
    others = [text for text in islice(column.counts, _SAMPLE) if text not in none]
    if not none or _share("date", tuple(others)) <= _MOSTLY:
        return
    column.no_dates = frozenset(none)
    for text in none:
        del column.counts[text]


def _all_rows(file: SourceFile) -> int:
    """About how many rows a table has, 0 where only reading it to its end would tell."""
    if file.format == "parquet":
        return readers.count(file.place, file.name)
    lines = file.place.lines() - file.header_line if file.format in ("csv", "jsonl") else 0
    return max(0, round(lines, 2 - len(str(lines))))
