"""What is in a table: per column how full it is, how many different values there are, and what they look like."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

from medallion import sources
from medallion.contracts import formats
from medallion.contracts.formats import DayOrder
from medallion.contracts.model import PLACEHOLDERS
from medallion.errors import SourceError
from medallion.sources import SourceFile, delivery, parsing
from medallion.sources.files import UNREADABLE

#: Records of a table that are looked at.
_RECORDS = 50_000
#: Different values of a column that are told kinds apart by.
_SAMPLE = 400

_TIME = r"(,? +\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?[AaPp]\.? ?[Mm]\.?)?( ?[A-Z]{1,4}[+-]?[\d:]*)?)?"
_DATES = {
    "iso": r"\d{4}-\d{2}-\d{2}([ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?([A-Z]{1,4}|[+-]\d{2}:?\d{2}))?)?",
    "iso with am": r"\d{4}-\d{2}-\d{2}" + _TIME,
    "slash": r"(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})" + _TIME,
    "dot": r"(\d{1,2})\.(\d{1,2})\.(\d{4}|\d{2})" + _TIME,
    "dash": r"(\d{1,2})-(\d{1,2})-(\d{4}|\d{2})" + _TIME,
    "year": r"\d{4}/\d{1,2}/\d{1,2}" + _TIME,
    "words": r"\d{1,2} [A-Z][a-z]{2} \d{4}" + _TIME + r"|[A-Z][a-z]{2} \d{1,2}, \d{4}" + _TIME,
    "words without comma": r"[A-Z][a-z]{2} \d{1,2} \d{4}" + _TIME,
    "compact": r"(19|20)\d{2}[01]\d[0-3]\d([0-2]\d[0-5]\d[0-5]\d)?",
    "dashed words": r"\d{1,2}-[A-Z][a-z]{2}-\d{4}" + _TIME,
}
_SHAPES = {
    "number": r"[-(]?[$€£]?\s?(USD|EUR)?\s?-?\d{1,3}(([.,\s'’]\d{3})+|\d*)([.,]\d+)?\)?\s?(%|[$€£]|USD|EUR|[kKmM])?",
    "clock": r"\d{1,2}:\d{2}(:\d{2})?",
    "email": r"[^@\s]+@[^@\s]+\.[^@\s]+",
    "phone": r"\+?[\d\s().-]{6,}\d( ?(x|ext\.?) ?\d+)?",
    "flag": r"(?i)true|false|yes|no|y|n|0|1|ja|nein|si|sí|t|f",
    "code": r"(?=\S*\d)\S{2,}",
}
_COMMA = re.compile(r"[^\d,.]*\d{1,3}([.\s]\d{3})*,\d{1,2}[^\d,.]*|[^\d,.]*\d+,\d{1,2}[^\d,.]*")
_POINT = re.compile(r"[^\d,.]*\d{1,3}([,'’\s]\d{3})*\.\d{1,2}[^\d,.]*|[^\d,.]*\d+\.\d{1,2}[^\d,.]*")


@dataclass
class Column:
    """One column of a table. `counts` has its values without placeholders, and how often each occurs."""

    header: str
    name: str
    rows: int
    counts: Counter[str] = field(default_factory=Counter)

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
        unread = [text for text in formats.called_for(sample, False)[1] if not formats.either_calendar([text])]
        return 1 - len(unread) / len(sample) if sample else 0.0

    def share(self, shape: str) -> float:
        """Share of different values that look like a number, email, phone, flag, code or date."""
        sample = list(islice(self.counts, _SAMPLE))
        if not sample:
            return 0.0
        if shape == "date":
            return sum(any(re.fullmatch(pattern, text) for pattern in _DATES.values()) for text in sample) / len(sample)
        return sum(bool(re.fullmatch(_SHAPES[shape], text)) for text in sample) / len(sample)

    @property
    def comma(self) -> bool:
        """Whether figures have a decimal comma."""
        sample = list(islice(self.counts, _SAMPLE))
        commas, points = (sum(bool(shape.fullmatch(text)) for text in sample) for shape in (_COMMA, _POINT))
        return commas > points

    @cached_property
    def day_order(self) -> DayOrder:
        """What its dates in figures say about the order of day and month."""
        return formats.day_order(self.counts)

    def examples(self, count: int = 3) -> str:
        """A few of its values, to be read."""
        return ", ".join(re.sub(r"\s+", " ", text)[:30] for text, _ in self.counts.most_common(count))


@dataclass
class Table:
    """One table of a delivery and its columns."""

    file: SourceFile
    stems: tuple[str, ...]
    rows: int
    columns: list[Column]

    def column(self, header: str) -> Column:
        """The column of that header."""
        return next(column for column in self.columns if column.header == header)


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


def _first_cells(part: delivery.Part) -> tuple[str, ...]:
    """The cells of the first line of a file that is damaged further down; none where there is no such line."""
    try:
        head = part.place.beginning(1 << 14).replace(b"\0", b"").decode("utf-8", "replace")
    except UNREADABLE:
        return ()
    line = next(iter(head.lstrip("\ufeff\r\n").splitlines()), "")
    return tuple(cell.strip(' "') for cell in re.split(r"[,;\t|]", line))


def _profiled(file: SourceFile, stems: tuple[str, ...]) -> Table:
    names = [name for _, name in file.columns]
    columns = [Column(header, name, 0) for header, name in file.columns]
    rows = 0
    for batch in parsing.parse(file, names):
        whole = batch.column(len(names) + 2).is_null()
        good = batch.filter(whole).slice(0, _RECORDS - rows)
        rows += good.num_rows
        for place, column in enumerate(columns):
            cells = (text.strip() for text in good.column(place).to_pylist() if text)
            column.counts.update(text for text in cells if text.lower() not in PLACEHOLDERS)
        if rows >= _RECORDS:
            break
    for column in columns:
        column.rows = rows
    return Table(file, stems, rows, columns)
