"""Which files feed an entity, and what fills each of its columns there: the custom property `sources` of a contract."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.alias_generators import to_camel

from medallion.contracts.dates import inference
from medallion.errors import ContractError

#: What is said with less confidence than this is a guess, and nothing runs on a guess.
CONFIDENT = 0.8
#: What a source says of whole records, among the fillings of a file: names that no column can have.
WHERE, ABSENT, MERGED = "_where", "_absent", "_merged"
#: By which source a file is read: whether its deliveries are complete, or else only that a condition leaves out rows.
COMPLETE, OF = "_complete", "_of"
#: By which source a file is read of which each state of the records is a whole, named by its date.
SNAPSHOT = "_snapshot"
#: What a record says of itself there: whether it counts, whether it has ended, which record it was merged into.
LIFE = (WHERE, ABSENT, MERGED)
#: The text of a record that does not split into the header's cells, by which `where` may leave it out.
RECORD = "_malformed"


class _Declared(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, validate_by_name=True, coerce_numbers_to_str=True
    )


class Dates(_Declared):
    """How dates are written, where `dateFormats` cannot say it: which of day, month and year comes `order` first, the
    year from which two digits count (`century`), the unit of times counted from 1970 (`epoch`), which of Excel's
    calendars counts the days (`serial`), and the `zone` of times without one.
    """

    order: Literal["day", "month", "year"] | None = None
    century: int | None = Field(default=None, ge=1900, le=2000)
    epoch: Literal["s", "ms", "us"] | None = None
    serial: Literal[1900, 1904] | None = None
    zone: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _numbers(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and str(given.get("serial", "")) in ("1900", "1904"):
            return {**given, "serial": int(given["serial"])}
        return given

    @model_validator(mode="after")
    def _possible(self) -> Dates:
        if self.century is not None and self.order is None:
            raise ValueError("dates: say the order (day, month or year first) with the century")
        if self.zone is not None:
            try:
                ZoneInfo(self.zone)
            except (ZoneInfoNotFoundError, ValueError) as error:
                raise ValueError(f"dates: there is no zone {self.zone!r}; write one such as Europe/Berlin") from error
        return self

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats that it stands for."""
        return inference.declared(self.order, self.century, self.epoch, self.serial, self.zone)


class _Dated(_Declared):
    """What may say how dates are written, by `date_formats` or by `dates`, which becomes formats too."""

    dates: Dates | None = None
    date_formats: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.dates and not set(self.dates.formats) <= set(self.date_formats):
            object.__setattr__(self, "date_formats", (*self.date_formats, *self.dates.formats))
        return self


class Filling(_Dated):
    """What fills one canonical column in the rows of one file: a `column`, a constant `value` or an `sql` expression.

    `values` maps spellings to values, `otherwise` stands for a spelling that is not listed, `empty` for an empty cell.
    With `lookup` the text is
    looked for in the column `by` of that entity, and the row takes its column `take` (its key, unless said). In a
    contract `column` is a header as written; for a file that has been looked at it is the bronze column. `unit` says in
    what the figures are written, where that is not the unit of the column. With `fill_down` an empty cell means the one
    above it in the file.
    """

    column: str | None = None
    value: str | None = None
    sql: str | None = None
    values: tuple[tuple[str, str], ...] = ()
    otherwise: str | None = None
    empty: str | None = None
    lookup: str | None = None
    by: str | None = None
    take: str | None = None
    decimal_comma: bool = False
    unit: (
        Literal[
            "cents",
            "percent",
            "thousands",
            "ten thousands",
            "lakhs",
            "millions",
            "crores",
            "hundred millions",
            "billions",
        ]
        | None
    ) = None
    fill_down: bool = False
    confidence: float | None = Field(default=None, ge=0, le=1)
    reason: str = ""

    @field_validator("values", mode="before")
    @classmethod
    def _pairs(cls, given: Any) -> Any:
        if isinstance(given, Mapping):
            return tuple((_text(key), _text(value)) for key, value in given.items())
        return given

    @field_validator("value", "otherwise", "empty", mode="before")
    @classmethod
    def _plain(cls, given: Any) -> Any:
        return _text(given) if given is not None else None

    @model_validator(mode="after")
    def _one_origin(self) -> Filling:
        if sum(item is not None for item in (self.column, self.value, self.sql)) != 1:
            raise ValueError("say one of column, value and sql")
        if (self.lookup is None) != (self.by is None) or (self.take and not self.lookup):
            raise ValueError("lookup and by go together, and take needs both")
        if self.fill_down and self.column is None:
            raise ValueError("fillDown needs a column")
        if self.unit and self.lookup:
            raise ValueError("a unit is that of figures, and a lookup reads none")
        return self


class Condition(_Declared):
    """A Spark SQL condition over the bronze columns of a row: which records count, or which have ended."""

    when: str = Field(min_length=1)
    confidence: float | None = Field(default=None, ge=0, le=1)
    reason: str = ""


class Expression(_Declared):
    """An `sql` expression over the columns of a row."""

    sql: str


class Merged(_Declared):
    """Which record a merged one went into: a `column` or an `sql` expression of its own row, or the columns `from` (the
    merged one) and `to` of a `file` that lists the merges, each perhaps an expression, of its rows those for which `where`
    holds.
    """

    column: str | None = None
    sql: str | None = None
    file: str | None = None
    from_: str | Expression | None = Field(default=None, alias="from")
    to: str | Expression | None = None
    where: str | None = None
    confidence: float | None = Field(default=None, ge=0, le=1)
    reason: str = ""

    @model_validator(mode="after")
    def _one_form(self) -> Merged:
        listed = [self.file, self.from_, self.to]
        if sum(item is not None for item in (self.column, self.sql, self.file)) != 1 or 0 < listed.count(None) < 3:
            raise ValueError("say a column, or file, from and to")
        if self.where and self.file is None:
            raise ValueError("where says which rows of a file count")
        return self

    @property
    def is_listed(self) -> bool:
        """Whether a file of its own lists the merges."""
        return self.file is not None


class Snapshot(_Declared):
    """What tells the day of a state: the name of its file (`true`), or a column."""

    value: bool | str
    confidence: float | None = Field(default=None, ge=0, le=1)
    reason: str = ""


def _text(value: Any) -> str:
    """YAML reads `yes` and `TRUE` as booleans; a cell has `true`."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def joined(names: Iterable[str]) -> str:
    """The Spark SQL for a key from several bronze columns; null where one of them is empty.

    >>> joined(["branch", "number"])
    "concat(nullif(trim(`branch`), ''), ':', nullif(trim(`number`), ''))"
    """
    parts = (f"nullif(trim(`{name}`), '')" for name in names)
    return "concat(" + ", ':', ".join(parts) + ")"


class Source(_Dated):
    """Files that feed an entity, by a pattern of their name, and how to read them.

    `columns` is complete: a canonical column that it does not name stays empty. Without it, headers are matched by
    the synonyms of the contract. `header_line` counts from 1. `key` names columns that are the key together.

    `where` says which records count; those for which `absent` holds and those that were merged into another have ended,
    and where a delivery is `complete`, those that it no longer has. With `snapshot`, the column with the date of each
    state or else the date in the file's name, the newest state is complete. Files to `ignore` feed it nothing.
    """

    file: str = Field(min_length=1)
    sheet: str | None = None
    header_line: int | None = Field(default=None, ge=1, le=1_000_000)
    decimal_comma: bool = False
    key: tuple[str, ...] = ()
    columns: dict[str, Filling] | None = None
    where: Condition | None = None
    absent: Condition | None = None
    merged_into: Merged | None = None
    complete: bool = False
    snapshot: Snapshot | None = None
    ignore: bool = False
    confidence: float | None = Field(default=None, ge=0, le=1)
    reason: str = ""

    @model_validator(mode="after")
    def _one_whole(self) -> Source:
        if self.snapshot and self.complete:
            raise ValueError("say complete or snapshot")
        return self

    @field_validator("snapshot", mode="before")
    @classmethod
    def _day_alone(cls, given: Any) -> Any:
        given = {"value": given} if isinstance(given, bool | str) else given
        return given if not isinstance(given, Mapping) or given.get("value", True) else None

    @field_validator("where", "absent", mode="before")
    @classmethod
    def _condition_alone(cls, given: Any) -> Any:
        return {"when": _text(given)} if isinstance(given, str | bool) else given

    @field_validator("merged_into", mode="before")
    @classmethod
    def _column_alone(cls, given: Any) -> Any:
        return {"column": given} if isinstance(given, str) else given

    @field_validator("columns", mode="before")
    @classmethod
    def _short_form(cls, given: Any) -> Any:
        if isinstance(given, Mapping):
            return {name: item if isinstance(item, Mapping) else {"column": item} for name, item in given.items()}
        return given

    @property
    def life(self) -> dict[str, Filling]:
        """What it says of whole records, by the names of `LIFE`."""
        fillings = {}
        if self.where:
            fillings[WHERE] = Filling(sql=self.where.when)
        if self.absent:
            fillings[ABSENT] = Filling(sql=self.absent.when)
        if self.merged_into and not self.merged_into.is_listed:
            fillings[MERGED] = Filling(column=self.merged_into.column, sql=self.merged_into.sql)
        return fillings

    @property
    def is_of_ended(self) -> bool:
        """Whether it lists records that have ended, of which a row needs no more than the key."""
        return self.absent is not None and self.absent.when.strip().lower() == "true"

    @property
    def lookups(self) -> frozenset[str]:
        """Entities that its columns are looked up in."""
        return frozenset(item.lookup for item in (self.columns or {}).values() if item.lookup)

    def guesses(self) -> list[str]:
        """What it says with too little confidence, one sentence each."""
        sentences = []
        if self.confidence is not None and self.confidence < CONFIDENT:
            does = "that {0} is ignored" if self.ignore else "that {0} feeds it"
            sentences.append(f"{does.format(self.file)} ({self.confidence:.2f}{_because(self.reason)})")
        for name, item in (self.columns or {}).items():
            if item.confidence is not None and item.confidence < CONFIDENT:
                origin = item.column or item.sql or f"the value {item.value!r}"
                sentences.append(f"{name} from {origin} in {self.file} ({item.confidence:.2f}{_because(item.reason)})")
        life = (
            ("where", self.where),
            ("absent", self.absent),
            ("mergedInto", self.merged_into),
            ("snapshot", self.snapshot),
        )
        for word, clause in life:
            if clause and clause.confidence is not None and clause.confidence < CONFIDENT:
                sentences.append(f"{word} of {self.file} ({clause.confidence:.2f}{_because(clause.reason)})")
        return sentences


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def sources(given: Any, place: str) -> tuple[Source, ...]:
    """The declared sources of an entity.

    Raises:
        ContractError: The declaration cannot be used; names the place in it.
    """
    if not isinstance(given, list):
        raise ContractError(f"{place}: sources is not a list", 'Write `- file: "Opportunity*"` and so on.')
    parsed = []
    for item in given:
        try:
            parsed.append(Source.model_validate(item))
        except ValidationError as error:
            first = error.errors()[0]
            at = ".".join(str(part) for part in first["loc"])
            name = item.get("file", "?") if isinstance(item, dict) else item
            message = first["msg"].removeprefix("Value error, ")
            raise ContractError(
                f"{place}: sources: {name}: {at}: {message}", "See docs/SOURCES.md for what a source may say."
            ) from error
    return tuple(parsed)


class Override:
    """The text of a contract file and the path by which it is named in messages."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text

    @classmethod
    def read(cls, path: Path) -> Override:
        """The file's text.

        Raises:
            ContractError: It cannot be read.
        """
        try:
            return cls(str(path), path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ContractError(f"{path}: cannot be read: {error.strerror}", "Check the path.") from error
        except UnicodeDecodeError as error:
            raise ContractError(f"{path}: is not UTF-8: {error}", "Save the file as UTF-8.") from error
