"""What a contract says, as plain frozen records that the transformations read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal

from medallion.contracts.filling import Expression, Source
from medallion.errors import ContractError

Severity = Literal["reject", "warn"]

_CODE = re.compile("[A-Z]{3}")
#: Errors in the cells of spreadsheets, in English, German, French, Spanish and Portuguese, Italian, Dutch, Polish, the
#: Nordic languages, Turkish and Czech, and figures that are wider than their column.
ERRORS: tuple[str, ...] = (
    "#n/a", "#ref!", "#div/0!", "#value!", "#name?", "#num!", "#null!", "#spill!", "#calc!", "#error!", "#getting_data",
    "#nv", "#bezug!", "#wert!", "#zahl!", "#überlauf!", "#valeur!", "#nom?", "#nombre!", "#nul!",
    "#n/d", "#¡ref!", "#¡valor!", "#valor!", "#¿nombre?", "#¡num!", "#núm!", "#¡div/0!", "#nome?", "#rif!", "#valore!", "#nullo!",
    "#n/b", "#verw!", "#waarde!", "#naam?", "#getal!", "#deel/0!", "#leeg!", "#n/d!", "#adr!", "#arg!", "#nazwa?", "#liczba!",
    "#dziel/0!", "#saknas!", "#referens!", "#värdefel!", "#namn?", "#ogiltigt!", "#yok", "#başv!", "#değer!", "#ad?", "#sayı!",
    "#sayı/0!", "#odkaz!", "#hodnota!", "#název?", "#číslo!", *("#" * width for width in range(5, 41)),
)  # fmt: skip
#: Cells that mean "no value", compared after trimming and lower-casing.
PLACEHOLDERS: tuple[str, ...] = (
    "", "-", "--", "n/a", "na", "none", "null", "nil", "nan", "select", "unknown", "(blank)", "?", r"\n", *ERRORS,
)  # fmt: skip

#: What systems write into a column of dates where there is none: zeros, and the day 0 of a calendar. Compared likewise.
NO_DATES: tuple[str, ...] = (
    "0", "00000000", "00000000000000", "00.00.00", "00/00/00",
    *(f"{day}{time}"
      for day in ("0000-00-00", "0000/00/00", "00.00.0000", "00/00/0000", "00-00-0000", "1900-01-00", "00.01.1900", "00/01/1900",
                  "01/00/1900", "1/0/1900", "0.1.1900", "0/1/1900", "0001-01-01", "01.01.0001", "01/01/0001", "1/1/0001")
      for time in ("", " 00:00", " 00:00:00", " 0:00:00", " 12:00:00 am", "t00:00:00", "t00:00:00z")),
)  # fmt: skip

#: Formats tried, in order, for a date or timestamp that is not ISO 8601. Month comes first where a slash
#: date is ambiguous; a source whose exports are day-first says so in its own contract.
DATE_FORMATS: tuple[str, ...] = (
    "M/d/yyyy", "M/d/yyyy H:mm", "M/d/yyyy H:mm:ss", "M/d/yyyy h:mm a", "M/d/yyyy h:mm:ss a",
    "yyyy/M/d", "yyyy/M/d H:mm", "yyyy/M/d H:mm:ss",
    "d MMM yyyy", "d MMM yyyy H:mm", "MMM d, yyyy", "MMM d, yyyy H:mm",
    "d.M.yyyy", "d.M.yyyy H:mm",
)  # fmt: skip


@dataclass(frozen=True)
class Reference:
    """A foreign key: the column's value must be a key of `entity`."""

    entity: str
    column: str


@dataclass(frozen=True)
class Column:
    """One canonical column: what it means, how to read it and what to refuse.

    `spellings` maps a lower-case spelling to the canonical value; `accepted` is the closed list of values,
    empty when the vocabulary is open. `checks` holds the severity of each check: `null`, `readable`,
    `accepted`, `range`, `pattern`, `future`, `reference`. With `gold` the column goes on to gold and its metrics, where
    people see `label`. With `signal`, models learn from it: it is the value at the `opening` of the deal, or one that is
    only known from the `delivery` that says it.
    """

    name: str
    type: str
    description: str = ""
    kind: str = "text"
    unit: str = ""
    pii: bool = False
    synonyms: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    spellings: dict[str, str] = field(default_factory=dict, hash=False)
    fallback: str | None = None
    default: str | None = None
    derive: str | None = None
    date_formats: tuple[str, ...] = DATE_FORMATS
    pattern: str | None = None
    minimum: float | date | None = None
    maximum: float | date | None = None
    event: bool = False
    reference: Reference | None = None
    checks: dict[str, Severity] = field(default_factory=dict, hash=False)
    label: str = ""
    gold: bool = False
    signal: str = ""

    @property
    def is_personal(self) -> bool:
        """Whether it says who people are, how they can be reached, or what is written of them: a contract need not call it so."""
        return self.pii or self.kind in ("email", "phone", "free_text")

    @property
    def shown(self) -> str:
        """What people read in place of its name."""
        return self.label or self.name.replace("_", " ").capitalize()

    @property
    def is_time(self) -> bool:
        """Whether it holds days or times."""
        return self.kind in ("date", "timestamp")

    @property
    def lookup_severity(self) -> Severity:
        """What a text that leads to no row of another entity means: as bad as a missing value or a wrong key."""
        return "reject" if "reject" in (self.checks.get("null"), self.checks.get("reference")) else "warn"


class _Columns:
    """What a table and an entity have in common: a name and columns."""

    name: str
    columns: tuple[Column, ...]

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns in their order."""
        return tuple(column.name for column in self.columns)

    @property
    def personal(self) -> tuple[str, ...]:
        """Names of the personal columns."""
        return tuple(column.name for column in self.columns if column.is_personal)

    def column(self, name: str) -> Column:
        """The column of that name; KeyError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name} has no column {name}")


@dataclass(frozen=True)
class Table(_Columns):
    """One table: its grain, key and columns. `name` is qualified by layer, such as `gold.sales_summary`."""

    name: str
    grain: str
    description: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    invariants: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entity(_Columns):
    """One kind of CRM record, the contract between an export and its silver tables.

    Files are known by `sources` where a contract declares them, else by `file_patterns`. Of records that were decided to be
    one, the values of the `newest` or the most `complete` count by `survivorship`, or those of the files that match the
    first of the `preferred` patterns.
    """

    name: str
    grain: str
    description: str
    columns: tuple[Column, ...]
    key: str
    version_column: str | None
    file_patterns: tuple[str, ...]
    placeholders: tuple[str, ...] = PLACEHOLDERS
    freshness_hours: float | None = None
    sources: tuple[Source, ...] = ()
    survivorship: str = "newest"
    preferred: tuple[str, ...] = ()

    def empty(self, name: str) -> tuple[str, ...]:
        """Cells of a column that mean "no value"."""
        is_time = name in self.column_names and self.column(name).is_time
        return (*self.placeholders, *NO_DATES) if is_time else self.placeholders

    @property
    def merges(self) -> Entity | None:
        """The files that list which of its records were merged into which, as an entity of their own; None without."""
        listed = tuple(
            Source(
                file=str(merged.file),
                columns={
                    name: item.model_dump() if isinstance(item, Expression) else {"column": item}
                    for name, item in (("merged", merged.from_), ("survivor", merged.to))
                },
                where=merged.where,
            )
            for merged in dict.fromkeys(source.merged_into for source in self.sources)
            if merged and merged.is_listed
        )
        if not listed:
            return None
        key = self.column(self.key)
        plain = Column("merged", "string", kind=key.kind, checks={"null": "reject"})
        return Entity(
            name=f"{self.name}_merges",
            grain="one row per merged record",
            description=f"Which of the {self.name} were merged into which.",
            columns=(
                replace(plain, description="Key of the record that was merged."),
                replace(plain, name="survivor", description="Key of the record that it went into."),
            ),
            key="merged",
            version_column=None,
            file_patterns=(),
            placeholders=self.placeholders,
            sources=listed,
        )

    @property
    def merges_records(self) -> bool:
        """Whether a source says which of its records were merged into which."""
        return any(source.merged_into for source in self.sources)

    @property
    def ends_records(self) -> bool:
        """Whether a source says that records of it are deleted, or gone from a complete delivery."""
        return any(source.absent or source.complete or source.snapshot for source in self.sources)

    @property
    def references(self) -> tuple[Column, ...]:
        """Columns that must be keys of another entity."""
        return tuple(column for column in self.columns if column.reference)

    @property
    def in_gold(self) -> tuple[Column, ...]:
        """Columns that the contract brings to gold."""
        return tuple(column for column in self.columns if column.gold)

    @property
    def referring(self) -> Entity:
        """The entity with nothing but its references, as far as these are read from cells of their own alone."""
        if any(column.default or column.derive for column in self.references):
            return self
        return replace(self, columns=self.references)

    @property
    def depends_on(self) -> frozenset[str]:
        """Entities whose rows must be known first, or rows of this one would be refused."""
        return frozenset(
            {
                column.reference.entity
                for column in self.columns
                if column.reference and column.checks.get("reference") == "reject"
            }
            | {
                filling.lookup
                for source in self.sources
                for name, filling in (source.columns or {}).items()
                if filling.lookup and self.column(name).lookup_severity == "reject"
            }
        )

    @property
    def parents(self) -> frozenset[str]:
        """Other entities that its rows refer to or are looked up in, and that are therefore loaded before it."""
        named = {column.reference.entity for column in self.references if column.reference}
        if self.merges:
            named.add(self.merges.name)
        return frozenset(named.union(*(source.lookups for source in self.sources)) - {self.name})

    @property
    def currency(self) -> str:
        """ISO code of its amounts: the one that is accepted, else what an empty cell means; USD where nothing is said."""
        declared = next((column for column in self.columns if column.name == "currency"), None)
        if declared and _CODE.fullmatch(declared.unit):
            return declared.unit
        if declared and len(declared.accepted) == 1:
            return declared.accepted[0]
        return ((declared and declared.default) or "'USD'").strip("'")

    @property
    def unsaid(self) -> str:
        """ISO code of amounts of which nothing is said, where that is not the currency that figures are shown in."""
        declared = next((column for column in self.columns if column.name == "currency"), None)
        default = ((declared and declared.default) or "").strip("'")
        return default if declared and _CODE.fullmatch(declared.unit) and _CODE.fullmatch(default) else self.currency

    def in_currency(self, code: str) -> Entity:
        """The entity with its amounts in its own currency, or in `code` where it has none of its own."""
        unit = self.currency if "currency" in self.column_names else code
        return replace(self, columns=tuple(replace(c, unit=unit) if c.kind == "money" else c for c in self.columns))

    def in_any_currency(self, spellings: Mapping[str, str]) -> Entity:
        """The entity with amounts in whatever currency a record names; its own stays the one that they are shown in.

        Raises:
            ContractError: It brings an amount to gold, where only `deal_value` is converted.
        """
        for column in self.in_gold:
            if column.type.startswith("decimal"):
                raise ContractError(
                    f"{self.name}.{column.name}: gold: it is an amount, and with exchange rates only deal_value is "
                    "converted, so amounts of several currencies would be shown as one",
                    "Leave gold out, or run without rates. If it is not an amount of money, write physicalType: double.",
                )
        named = self.column("currency")
        checks = {name: severity for name, severity in named.checks.items() if name != "accepted"}
        opened = replace(
            named,
            kind="identifier",
            accepted=(),
            unit=self.currency,
            spellings={**spellings, **named.spellings},
            pattern="^[A-Z]{3}$",
            checks={**checks, "pattern": "reject"},
        )
        return replace(self, columns=tuple(opened if column is named else column for column in self.columns))

    @property
    def clean(self) -> Table:
        """`silver.<entity>_clean`: the current version of every key."""
        return self._silver("clean", f"{self.grain}, its current version", (self.key,))

    @property
    def history(self) -> Table:
        """`silver.<entity>_history`: every valid version that ever arrived."""
        outcome = Column(
            "_outcome",
            "string",
            "accepted (current when it arrived), merged (so, of a record that was merged into another by a decision), "
            "superseded (a newer one was known), withdrawn (it says that the record "
            "has ended), gone (a complete delivery lacks the record, or it no longer counts) or moved (a reference "
            "follows a merged record).",
        )
        return self._silver(
            "history",
            f"one row per version of {self.grain.removeprefix('one row per ')}",
            (self.key, "known_at", "_source_file", "_source_row"),
            (outcome, *END),
        )

    @property
    def staged(self) -> Table:
        """`silver.<entity>_staged`: the rows of the batch in work, conformed, with what is wrong with each."""
        flags = (
            Column("_reasons", "array<string>", "Why the row is refused; null when it is not."),
            Column("_failed_checks", "array<string>", "Codes of all failed checks, tolerated ones too; or null."),
            Column("_raw", "string", "The refused row as it came, as JSON."),
            Column("_spelling", "string", "The key as written, where that is not the upper case it is compared in."),
            Column("_fate", "string", "withdrawn: the record has ended; excluded: it does not count; or null."),
            *(column for column in END if column.name != "_ended_at"),
        )
        return self._silver("staged", f"one row per record of the batch ({self.name})", (), flags)

    @property
    def orphan_keys(self) -> Table:
        """`silver.<entity>_strays`: keys of the batch in work that refer to nothing known, where there are many."""
        columns = (
            Column("referring", "string", "Column that refers to another entity."),
            Column("key", "string", "Key that no row of that entity has."),
        )
        return Table(f"silver.{self.name}_strays", "one row per column and key", self.description, (), columns)

    @property
    def conflicting_keys(self) -> Table:
        """`silver.<entity>_contested`: keys of the batch in work that have more than one version."""
        columns = (
            Column("key_hash", "bigint", "Hash of the key."),
            Column("known", "boolean", "Whether a version was known before the batch."),
        )
        return Table(f"silver.{self.name}_contested", "one row per key", self.description, (), columns)

    @property
    def survivors(self) -> Table:
        """`silver.<entity>_survivors`: merged records, and the one that each is in now."""
        columns = (
            Column("_from", "string", "Key of the merged record."),
            Column("_to", "string", "Key of the record that it is in."),
        )
        return Table(f"silver.{self.name}_survivors", "one row per merged record", self.description, (), columns)

    @property
    def work(self) -> tuple[str, ...]:
        """Names of the tables that only hold a batch in work."""
        return tuple(table.name for table in (self.staged, self.orphan_keys, self.conflicting_keys, self.survivors))

    def _silver(self, suffix: str, grain: str, key: tuple[str, ...], extra: tuple[Column, ...] = ()) -> Table:
        return Table(f"silver.{self.name}_{suffix}", grain, self.description, key, (*self.columns, *PROVENANCE, *extra))


#: How a record ended, in its history.
END: tuple[Column, ...] = (
    Column(
        "_ended_at", "timestamp", "When the record ended: its version time, else when it was learned; null for others."
    ),
    Column("_ended_by", "string", "What ended it: absent, merged, complete or where; null for others."),
    Column("_merged_into", "string", "Key of the record that it was merged into; null for others."),
)
#: Outcomes that make a version the current one, and those that end a record.
STANDING, ENDED = ("accepted", "merged", "moved"), ("withdrawn", "gone")
#: Columns that every silver row carries, so that each number can be traced to a line of a file.
PROVENANCE: tuple[Column, ...] = (
    Column("known_at", "timestamp", "When the row was learned: the time of the run that read it (UTC)."),
    Column("_batch_id", "string", "Batch that brought the row."),
    Column("_source_file", "string", "File the row came from."),
    Column("_source_row", "bigint", "Line of the file on which the row starts."),
    Column("_version_hash", "bigint", "xxhash64 of the canonical values; equal for equal versions."),
)
