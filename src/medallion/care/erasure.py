"""Forget an account and its people: out of every layer, out of every older version, and not back with the next export.

The order is that of safety: the hashes are written down first, so that nothing comes back meanwhile; what is removed
last is what tells the rest apart. An erasure that was interrupted is completed, by `resume` or before the next one; its
intent holds what that needs, since the rows that told it may be gone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from pyspark.sql import Window
from pyspark.sql import functions as F

from medallion import bronze, contracts, door, silver
from medallion.care import proposals, status
from medallion.care.proposals import Actions
from medallion.config import Settings
from medallion.contracts import Column as Declared
from medallion.contracts import Entity
from medallion.errors import LakehouseError
from medallion.gold import graph
from medallion.lakehouse import contracts_in_use, locks, manifests, places, query, store
from medallion.lakehouse.session import session
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import batches, erasure_log, extensions, journal, models
from medallion.pipeline.context import Context
from medallion.pipeline.silver_to_gold import silver_to_gold
from medallion.pipeline.steps import Report, Steps
from medallion.silver import mentions, redaction
from medallion.silver.mentions import Mentions, Name
from medallion.silver.redaction import ErasureLog

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

_SHORTEST = 4
#: A name that records of so many other accounts bear is not looked for in texts: it is no one's in particular.
_COMMON = 3
#: Tables of `ops` that hold counts, hashes and versions only; the log of erasures must not be changed.
_WITHOUT_TEXTS = frozenset({"ops.erasures", "ops.manifests", "ops.row_accounts", "ops.quality_metrics"})
_FILE_NAMES = frozenset({"_source_file", "source_file"})
#: Provenance that is no text of an export.
_KEPT = frozenset({"_batch_id", "batch_id", "run_id", "_outcome", "_version_hash", "quarantine_id", "resolved_by", "entity", "record_key", "failed_checks", "entry_id"})  # fmt: skip
#: Stands between the parts of a place; no file name has it.
_MARK = "\x01"
_PROVENANCE = ("_batch_id", "_source_file", "_source_row")
_AGENT_LOG = "ops.agent_log"


@dataclass
class _Subject:
    """Whom to erase: keys by entity, and the texts by which they would be recognised."""

    keys: dict[str, set[str]] = field(default_factory=dict)
    names: dict[str, set[str]] = field(default_factory=dict)
    texts: set[str] = field(default_factory=set)
    spoken: set[str] = field(default_factory=set)
    companies: set[str] = field(default_factory=set)
    shared: set[str] = field(default_factory=set)
    common: set[str] = field(default_factory=set)
    theirs: set[str] = field(default_factory=set)
    switchboards: set[str] = field(default_factory=set)
    files: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> _Subject:
        """From what `told` gave."""
        keys, names = ({name: set(known) for name, known in told[what].items()} for what in ("keys", "names"))
        return cls(keys, names, *(set(told.get(name, ())) for name in _TEXTS))

    def told(self) -> dict[str, Any]:
        """As values that JSON has."""
        keys, names = ({name: sorted(known) for name, known in what.items()} for what in (self.keys, self.names))
        return {"keys": keys, "names": names, **{name: sorted(getattr(self, name)) for name in _TEXTS}}

    def is_account(self, customer_id: str) -> bool:
        """Whether it is the account of that key, as someone writes it."""
        return bool({re.sub(r"\s+", "", customer_id).upper(), customer_id.strip()} & self.keys["customers"])

    def _own_numbers(self) -> set[str]:
        """Numbers of the account that no other account has as its own."""
        numbers = {text for text in self.texts if "@" not in text}
        if not self.switchboards:
            return numbers
        parts = {part for text in numbers for part in mentions.numbers(text)}
        return {part for part in parts if not _number_forms(part) & self.switchboards}

    def mentions(self, salt: str) -> Mentions:
        """What must not be found anywhere: addresses, numbers, keys that are no common figure, and names in texts."""
        return Mentions(
            emails=frozenset(text for text in self.texts if "@" in text),
            phones=frozenset(self._own_numbers()),
            keys=frozenset(key for known in self.keys.values() for key in known - self.theirs if _is_telling(key)),
            names=frozenset(
                {*(Name(text) for text in self.spoken), *(Name(text, person=False) for text in self.companies)}
            ),
            shared=frozenset(self.shared),
            common=frozenset(self.common),
            files=frozenset(self.files),
            salt=salt,
        )


_TEXTS = ("texts", "spoken", "companies", "shared", "common", "theirs", "switchboards", "files")


def _number_forms(text: str) -> set[str]:
    return erasure_log.contacts((), [text])[erasure_log.PHONE]


def _is_telling(key: str) -> bool:
    return (len(key) >= _SHORTEST and bool(re.search(r"\d", key)) and bool(re.search(r"[^\W\d]", key))) or len(key) >= 8


def forget(
    settings: Settings,
    customer_id: str,
    reason: str,
    who: str,
    now: datetime,
    report: Report = lambda name, seconds: None,
    *,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Remove an account, its deals and touches from a lakehouse; gives the certificate, which holds none of it.

    Args:
        settings: Which lakehouse, and how gold is scored.
        customer_id: Key of the account.
        reason: Why, for the record.
        who: Who asks for it.
        now: When, UTC without zone.
        report: Is told of each step.
        dry_run: Only count what would go.

    Raises:
        LakehouseError: There is no such account, another run is writing, or something of it is still found after all.
    """
    steps = Steps(report)
    if dry_run:
        work = _Erasure(settings, customer_id, now, steps)
        return {"dry_run": True, "erasure_id": work.erasure_id, "tables": work.count()}
    lake = _in_a_folder(settings)
    lake.delta("silver.customers_history")
    with _locked(settings, steps) as (writer, completed):
        if completed is not None and completed.is_about(customer_id):
            return completed.proved()
        if again := _searched_again(settings, steps, customer_id):
            return again[-1].proved()
        work = _Erasure(settings, customer_id, now, steps)
        arguments = work.arguments(reason, who)
        with writer.intent(journal.FORGET, (), **arguments):
            work.do(arguments)
        return work.proved()


def resume(settings: Settings, report: Report = lambda name, seconds: None) -> dict[str, Any]:
    """Complete the erasure that was interrupted; gives its certificate, which counts the rows that were left to remove.

    Where none was, repeat the search of erasures that found something, such as a file of the user.

    Raises:
        LakehouseError: There is neither, another run is writing, or something of the account is still found after all.
    """
    _in_a_folder(settings)
    steps = Steps(report)
    with _locked(settings, steps) as (_, completed):
        done = _searched_again(settings, steps) if completed is None else [completed]
        if not done:
            raise LakehouseError(
                f"{settings.lakehouse}: no erasure was interrupted",
                "Begin one with `medallion forget KEY --reason ...`; `medallion status` shows what is unfinished.",
            )
        return [one.proved() for one in done][-1]


def _searched_again(settings: Settings, steps: Steps, customer_id: str | None = None) -> list[_Erasure]:
    """Erasures whose search found something, all or those of an account, after it was repeated."""
    found = []
    for arguments in erasure_log.left(Lakehouse(settings.lakehouse)).values():
        if customer_id is not None and not _Subject.of(arguments["subject"]).is_account(customer_id):
            continue
        work = _Erasure(settings, "", datetime.fromisoformat(arguments["now"]), steps, arguments)
        work.search_again(arguments)
        found.append(work)
    return found


@contextmanager
def _locked(settings: Settings, steps: Steps) -> Iterator[tuple[journal.Writer, _Erasure | None]]:
    """Hold the lakehouse for writing, after an interrupted erasure was completed; gives that one where there was one."""
    extensions.load(settings)
    lake = Lakehouse(settings.lakehouse)
    with journal.writing(lake, recover=False) as writer:
        for found in journal.damaged(lake):
            _without(found, writer)
        intent, work = writer.held.intent, None
        for lost in journal.lost_commits(lake).values():
            raise lost
        if intent and intent["kind"] == journal.FORGET:
            _grow(settings, lake)
            arguments = intent["arguments"]
            work = _Erasure(settings, "", datetime.fromisoformat(arguments["now"]), steps, arguments)
            work.do(arguments)
            writer.kind = journal.FORGET
            writer.publish()
            writer.held.note(None)
        writer.recover()
        if work is None:
            _grow(settings, lake)
        yield writer, work


def _without(found: store.Damage, writer: journal.Writer) -> None:
    """Set aside a commit that an interrupted erasure did not write whole: completing it starts from the version before.

    Raises:
        LakehouseError: No erasure wrote it, or the version before is not whole either.
    """
    lake = writer.lake
    if not writer.is_erasing():
        raise found.error()
    if not found.version and found.table in {erasure_log.TABLE, *(step.table for step in graph())}:
        store.drop(lake, [found.table])  # made by the erasure, and made again
        return
    folder = Path(lake.path(found.table))
    try:
        files = DeltaTable(str(folder), version=found.version - 1).file_uris()
        whole = all((folder / unquote(uri.rsplit("/", 1)[-1])).exists() for uri in files)
    except (DeltaError, OverflowError):
        whole = False
    if not whole:
        raise LakehouseError(
            f"{found.error().problem}; the erasure that was interrupted needs it, and the version before is not there",
            "Restore the lakehouse from a backup, and forget the account there.",
        )
    found.set_aside()


def _grow(settings: Settings, lake: Lakehouse) -> None:
    """Give tables of an earlier version the columns that their contracts have gained since."""
    entities = contracts.entities(contracts_in_use.overrides(lake, settings.contracts)).values()
    declared = [table for name, table in contracts.tables().items() if name.split(".")[0] in ("silver", "ops")]
    for table in [*declared, *(one for entity in entities for one in (entity.history, entity.clean))]:
        store.grow(lake, table)


def _in_a_folder(settings: Settings) -> Lakehouse:
    lake = Lakehouse(settings.lakehouse)
    if lake.folder is None:
        raise LakehouseError(
            f"{lake.root}: forgetting works on the files of a folder, so that it can prove that nothing is left; "
            "nothing was removed",
            "In Unity Catalog delete by key, then REORG TABLE ... APPLY (PURGE) and VACUUM; bring a lakehouse of an object "
            "store into a folder first. docs/ERASURE.md has both step by step.",
        )
    return lake


#: Columns with the name of a company.
_COMPANIES = ("customer_name", "company")


def _is_name(column: Declared) -> bool:
    return column.name in _COMPANIES or (column.pii and column.kind not in ("email", "phone", "free_text"))


def _vocabulary(entities: Iterable[Entity]) -> frozenset[str]:
    """Values of enumerated columns, as exports may spell them."""
    columns = [column for entity in entities for column in entity.columns if column.accepted]
    known = {text.casefold() for column in columns for text in (*column.accepted, *column.spellings)}
    return frozenset(known | {text.replace("_", " ") for text in known})


class _Erasure:
    def __init__(
        self,
        settings: Settings,
        customer_id: str,
        now: datetime,
        steps: Steps,
        saved: Mapping[str, Any] | None = None,
    ) -> None:
        """`saved` are the arguments of an erasure that was interrupted; the account is then who it was."""
        self.settings, self.now, self.steps = settings, now, steps
        self.lake = _in_a_folder(settings)
        self.lake.delta("silver.customers_history")
        self.entities = contracts.entities(contracts_in_use.overrides(self.lake, settings.contracts))
        self.erasure_id = f"{now:%Y%m%dT%H%M%S%f}" if saved is None else saved["erasure_id"]
        self.journal = batches.history(self.lake)
        if journal.half_done(self.lake):
            raise LakehouseError(
                f"{self.lake.root}: a run was interrupted and its batch is unfinished",
                "Run `medallion run` first, so that nothing is half read while it is searched.",
            )
        with steps.step("start the engine"):
            self.spark: SparkSession = session(settings.engine, settings.memory_gib)
        known = erasure_log.read(self.lake)
        key = self.entities["customers"].column(self.entities["customers"].key)
        customer_id = re.sub(r"\s+", "", customer_id).upper() if key.kind == "identifier" else customer_id.strip()
        with steps.step("find what is about the account"):
            self.subject = self._subject(customer_id) if saved is None else _Subject.of(saved["subject"])
        hashes = {
            f"{entity}.{self.entities[entity].key}": frozenset(
                known.hashed(
                    f"{entity}.{self.entities[entity].key}", self._form(entity, self.entities[entity].key, value)
                )
                for value in values
            )
            for entity, values in self.subject.keys.items()
            if entity != "interactions"
        }
        for kind, values in self.subject.names.items():
            entity, _, column = kind.partition(".")
            forms = {self._form(entity, column, value) for value in values} - {""}
            hashes[kind] = hashes.get(kind, frozenset()) | {known.hashed(kind, form) for form in forms}
        self.mine = ErasureLog(known.salt)
        self.mentions = self._looked_for()
        contacts = erasure_log.contacts(self.mentions.emails, self.mentions.phones)
        for kind, forms in contacts.items():
            hashes[kind] = frozenset(known.hashed(kind, form) for form in forms)
        self.mine = ErasureLog(known.salt, hashes)
        self.alike: dict[str, int] = {}
        self.tables: list[dict[str, Any]] = []

    def _looked_for(self) -> Mentions:
        """Whom to look for, names of files that mention them among it."""
        vocabulary = _vocabulary(self.entities.values())
        plain = replace(self.subject.mentions(self.mine.salt), vocabulary=vocabulary)
        named = {part for b in self.journal for f in b.files for part in (*f.uri.split("/"), f.name, f.member, f.sheet)}
        self.subject.files |= {name for name in named if name and plain.in_file_name(name) != name}
        columns = {pair for b in self.journal for f in b.files for pair in f.columns}
        self.subject.files |= {name for header, name in columns if plain.in_file_name(header) != header}
        return replace(plain, files=frozenset(self.subject.files))

    def _form(self, entity: str, column: str, text: str) -> str:
        return redaction.comparable(text, self.entities[entity].column(column))

    # what is about the account

    def _subject(self, customer_id: str) -> _Subject:
        """Keys of the account, its deals, touches and further records, from every version that was ever known."""
        subject = _Subject({"customers": self._merged_into({customer_id})})
        looked_by = {
            (str(item.lookup), str(item.by))
            for entity in self.entities.values()
            for source in entity.sources
            for item in (source.columns or {}).values()
            if item.lookup
        } | {("customers", "customer_name")}
        with query.connect(self.lake) as connection:
            for entity in self.entities.values():
                if entity.name == "products" or not self.lake.exists(entity.history.name):
                    continue
                where, values = self._links_sql(entity, subject)
                rows = query.rows(connection, f"select * from {entity.history.name} where {where}", values)
                subject.keys.setdefault(entity.name, set()).update(str(row[entity.key]) for row in rows)
                for column in entity.columns:
                    said = {str(row[column.name]) for row in rows if row[column.name] is not None}
                    if (entity.name, column.name) in looked_by:
                        subject.names.setdefault(f"{entity.name}.{column.name}", set()).update(said)
                    if column.kind in ("email", "phone"):
                        subject.texts |= said
                    elif column.name in _COMPANIES:
                        subject.companies |= said
                    elif column.pii:
                        subject.spoken |= said
                if entity.name == "customers" and not rows and self._was_begun(customer_id):
                    if not erasure_log.unfinished(self.lake):
                        raise LakehouseError(
                            f"{self.lake.root}: customer {customer_id} was forgotten already; its names and addresses are no "
                            "longer known, so nothing could be searched for",
                            "Its certificate is in ops/certificates of the lakehouse. Where that found something, `medallion forget --resume` searches again.",
                        )
                elif entity.name == "customers" and not rows:
                    raise LakehouseError(
                        f"{self.lake.root}: there is no customer {customer_id}",
                        "Look it up in silver.customers_clean; the key is written as there.",
                    )
            self._compare(connection, subject)
        return subject

    def _compare(self, connection: Any, subject: _Subject) -> None:
        """Note which surnames, names and keys others have too."""
        mine = {Name(text) for text in subject.spoken} | {Name(text, person=False) for text in subject.companies}
        accounts: dict[str, set[str]] = {}
        for entity in self.entities.values():
            if entity.name == "products" or not self.lake.exists(entity.history.name):
                continue
            where, values = self._links_sql(entity, subject)
            keys = sorted(key for name, known in subject.keys.items() if name != entity.name for key in known)
            sql = f'select distinct "{entity.key}" as key from {entity.history.name} where list_contains(?, "{entity.key}") and not coalesce({where}, false)'
            subject.theirs |= {str(row["key"]) for row in query.rows(connection, sql, [keys, *values])}
        for entity in self.entities.values():
            columns = [column.name for column in entity.columns if _is_name(column)]
            if not columns or not self.lake.exists(entity.clean.name):
                continue
            where, values = self._links_sql(entity, subject)
            account = '"customer_id"' if "customer_id" in entity.column_names else f'"{entity.key}"'
            for name in columns:
                sql = f'select distinct "{name}" as name, {account} as account from {entity.clean.name} where "{name}" is not null and not coalesce({where}, false)'
                for row in query.rows(connection, sql, values):
                    accounts.setdefault(str(row["name"]), set()).add(str(row["account"]))
        subject.switchboards = self._switchboards(connection, subject)
        folded: dict[str, set[str]] = {}
        for text, known in accounts.items():
            folded.setdefault(text.casefold(), set()).update(known)
        subject.common = {one.text for one in mine if len(folded.get(one.text.casefold(), ())) >= _COMMON}
        people = [one for one in mine if one.person and one.surname]
        for text in accounts if people else ():
            other = Name(text)
            subject.shared |= {
                one.text for one in people if one.has_surname_of(other) and one.text.casefold() != text.casefold()
            }

    def _switchboards(self, connection: Any, subject: _Subject) -> set[str]:
        """Numbers of theirs that the record of another account has too, in the forms in which they are hashed."""
        wanted = {form for text in subject.texts if "@" not in text for form in _number_forms(text)}
        entity, found = self.entities["customers"], set()
        columns = [column.name for column in entity.columns if column.kind == "phone"]
        if not wanted or not columns or not self.lake.exists(entity.clean.name):
            return set()
        ends = {form[-_SHORTEST:] for form in wanted}
        where, values = self._links_sql(entity, subject)
        for name in columns:
            sql = f'select distinct "{name}" as said from {entity.clean.name} where "{name}" is not null and not coalesce({where}, false)'
            for row in query.rows(connection, sql, values):
                digits = re.sub(r"\D", "", str(row["said"]))
                if any(end in digits for end in ends):  # its forms take longer
                    found |= wanted & _number_forms(str(row["said"]))
        return found

    def _merged_into(self, keys: set[str]) -> set[str]:
        """These accounts, and those that were merged into them, however many merges ago."""
        entity = self.entities["customers"]
        if not self.lake.exists(entity.history.name) or "_merged_into" not in dict(
            store.spark_types(self.lake, entity.history.name)
        ):
            return keys
        found, more = set(keys), set(keys)
        with query.connect(self.lake, layers=["silver"], only={entity.history.name}) as connection:
            while more:
                sql = f'select distinct "{entity.key}" as key from {entity.history.name} where list_contains(?, _merged_into)'
                more = {str(row["key"]) for row in query.rows(connection, sql, [sorted(more)])} - found
                found |= more
        return found

    def _was_begun(self, customer_id: str) -> bool:
        known = erasure_log.read(self.lake)
        kind = f"customers.{self.entities['customers'].key}"
        form = self._form("customers", self.entities["customers"].key, customer_id)
        return known.hashed(kind, form) in known.hashes.get(kind, frozenset())

    def _links_sql(self, entity: Entity, subject: _Subject) -> tuple[str, list[Any]]:
        tests, values = [], []
        for column, (target, _) in redaction.links(entity, self.entities).items():
            if known := subject.keys.get(target):
                tests.append(f'list_contains(?, "{column}")')
                values.append(sorted(known))
        return " or ".join(tests) or "false", values

    def _about_silver(self, entity: Entity) -> Column:
        """True for rows of the entity's silver tables, or others with its columns, that are about the account."""
        tests = [
            F.coalesce(F.col(column).isin(sorted(known)), F.lit(False))
            for column, (target, _) in redaction.links(entity, self.entities).items()
            if (known := self.subject.keys.get(target))
        ]
        return reduce(lambda one, other: one | other, tests, F.lit(False))

    def _quarantined(self) -> set[str]:
        """Refused records that name the account; those reprocessed since then as well."""
        found = set()
        files = {(b.batch_id, f.entity, f.name): f for b in self.journal for f in b.files}
        customer = f"customers.{self.entities['customers'].key}"
        with query.connect(self.lake) as connection:
            rows = (
                query.rows(connection, "select * from silver.quarantine")
                if self.lake.exists("silver.quarantine")
                else []
            )
        for row in rows:
            entity, cells = self.entities[row["entity"]], json.loads(row["raw"] or "{}")
            file = files.get((row["batch_id"], row["entity"], row["source_file"]))
            if str(row["record_key"]) in self.subject.keys.get(row["entity"], set()):
                found.add(row["quarantine_id"])
                continue
            has_owner = False
            for name, (target, column) in redaction.links(entity, self.entities).items():
                item = file.mapping.get(name) if file else None
                texts = [cells.get(f"={name}"), cells.get(item.column) if item and item.column else None]
                looked_in, by = (item.lookup, str(item.by)) if item and item.lookup else (target, column)
                for where, what, text in ((target, column, texts[0]), (looked_in, by, texts[1])):
                    kind = f"{where}.{what}"
                    known = self.mine.hashes.get(kind, frozenset())
                    if text and self.mine.hashed(kind, self._form(where, what, text)) in known:
                        found.add(row["quarantine_id"])
                if name != entity.key or entity.name == "customers":
                    has_owner |= any(str(text or "").strip() for text in texts)
            for text in re.split(r"[,;|\t\"]+", str(cells.get("_record") or "")):
                form = self._form("customers", self.entities["customers"].key, text)
                if form and self.mine.hashed(customer, form) in self.mine.hashes[customer]:
                    found.add(row["quarantine_id"])
            # the number of a switchboard is that of many: it says whose a record is only where nothing else does
            if not has_owner and any(self.mentions.is_contact(str(text).strip()) for text in cells.values() if text):
                found.add(row["quarantine_id"])
        return found

    # table by table

    def _marked(self, name: str) -> DataFrame | None:
        """A table with `_about`, true for rows that go; None for a table that knows no accounts."""
        frame = store.read(self.spark, self.lake, name)
        layer, table = name.split(".")
        if layer == "bronze":
            entity = self.entities.get(table)
            if entity is None:
                return None
            files = [file for batch in self.journal if batch.has_files for file in batch.files_of(table)]
            mapping = bronze.mapping_of(files)
            places = self._bronze_places(frame, entity, mapping)
            filled, written = redaction.filled_beside(frame, mapping)
            told = filled.join(places.withColumn("_place", F.lit(True)), on=list(_PROVENANCE), how="left")
            told = told.withColumn("_about", F.col("_place").isNotNull()).drop("_place")
            # what was the head of a group when it went is so no more: the next row of the group says what it said
            above = F.lag("_about").over(Window.partitionBy("_batch_id", "_source_file").orderBy("_source_row"))
            cells = {name: F.when(above, F.col(f"`{name}`")).otherwise(F.col(at)) for name, at in written.items()}
            return (told.withColumns(cells) if cells else told).select(*frame.columns, "_about")
        if name in ("silver.quarantine", "ops.corrections"):
            ids = sorted(self.refused)
            return frame.withColumn("_about", F.col("quarantine_id").isin(ids) if ids else F.lit(False))
        if name == _AGENT_LOG:
            told = frame.mapInArrow(mentions.cleaner(self.mentions, _KEPT, (), ()), _with_marks(frame))
            ids = [row["entry_id"] for row in told.filter("_touched").select("entry_id").collect()]
            return frame.withColumn("_about", F.col("entry_id").isin(ids) if ids else F.lit(False))
        entity = self.entities.get(table.removesuffix("_history").removesuffix("_clean"))
        if layer == "silver" and entity is not None:
            return frame.withColumn("_about", self._about_silver(entity))
        if layer == "gold" and name not in {step.table for step in graph()}:
            return self._marked_gold(frame)
        return None

    def _marked_gold(self, frame: DataFrame) -> DataFrame | None:

        keys = {entity.key: self.subject.keys.get(entity.name, set()) for entity in self.entities.values()}
        tests = [F.col(name).isin(sorted(keys[name])) for name in frame.columns if keys.get(name)]
        if not tests:
            return None
        either = reduce(lambda one, other: one | other, [F.coalesce(test, F.lit(False)) for test in tests])
        return frame.withColumn("_about", either)

    def _bronze_places(self, frame: DataFrame, entity: Entity, mapping: Any) -> DataFrame:
        """Where in the files the account's rows of an entity stood: by their cells, by silver, by quarantine, and
        the same rows delivered again.
        """
        filled = silver.filled_down(frame, mapping)
        about = redaction.about(filled, entity, self.entities, mapping, self.mine)
        place = F.concat_ws(_MARK, "_batch_id", "_source_file", F.col("_source_row").cast("string"))
        listed = filled.agg(F.collect_list(F.when(about, place)).alias("places")).collect()[0]["places"]
        schema = "_batch_id string, _source_file string, _source_row bigint"
        rows = [tuple(text.split(_MARK)) for text in listed or ()]
        found = self.spark.createDataFrame([(batch, file, int(row)) for batch, file, row in rows], schema)
        if self.lake.exists(entity.history.name):
            versions = store.read(self.spark, self.lake, entity.history.name)
            rows = versions.filter(self._about_silver(entity)).filter(F.col("_source_row").isNotNull())
            found = found.unionByName(rows.select(*_PROVENANCE))
        quarantine = store.read(self.spark, self.lake, "silver.quarantine")
        ids = sorted(self.refused) or [""]
        refused = quarantine.filter((F.col("entity") == entity.name) & F.col("quarantine_id").isin(ids))
        found = found.unionByName(
            refused.select(
                F.col("batch_id").alias("_batch_id"),
                F.col("source_file").alias("_source_file"),
                F.col("source_row").alias("_source_row"),
            )
        )
        for ending in (batches.OF_REREAD, batches.OF_HELD_FILE):
            found = found.withColumn("_batch_id", F.regexp_replace("_batch_id", ending, ""))
        # the same row is that of another account below another head of its group
        same = [F.coalesce(F.col(f"`{name}`"), F.lit(_MARK)) for name in sorted(silver.filled_columns(mapping))]
        rows = filled.select(*_PROVENANCE, F.concat_ws(_MARK, "_row_hash", *same).alias("_same"))
        mine = rows.join(found, on=list(_PROVENANCE), how="left_semi").select("_same").distinct()
        again = rows.join(mine, on="_same", how="left_semi").select(*_PROVENANCE)
        collected = {tuple(row) for row in found.unionByName(again).collect()}
        return self.spark.createDataFrame(sorted(collected), schema)

    def count(self) -> list[dict[str, Any]]:
        """Per table the rows that are about the account."""
        self.refused = self._quarantined()
        found = []
        for name in self.lake.tables():
            marked = self._marked(name)
            if marked is not None:
                row = marked.agg(F.count(F.lit(1)), F.count_if(F.col("_about"))).collect()[0]
                found.append({"table": name, "rows": int(row[0]), "about_the_account": int(row[1])})
        return found

    def arguments(self, reason: str, who: str) -> dict[str, Any]:
        """All that completing the erasure needs once some of the rows are gone. Kept until it is complete, not longer."""
        day = status.as_of(self.lake) if self.lake.exists("gold.sales_summary") else None
        self.refused = self._quarantined()
        self.subject.texts |= self._as_written()
        self.mentions = self._looked_for()
        return {
            "erasure_id": self.erasure_id,
            "now": self.now.isoformat(),
            "reason": reason,
            "who": who,
            "day": None if day is None else day.isoformat(),
            "subject": self.subject.told(),
            "accounts": self._accounts(),
        }

    def is_about(self, customer_id: str) -> bool:
        """Whether it is the erasure of that account."""
        return self.subject.is_account(customer_id)

    def do(self, arguments: Mapping[str, Any]) -> None:
        """Remove, search, certify."""
        self._remove(arguments)
        self._certify(arguments)

    def search_again(self, arguments: Mapping[str, Any]) -> None:
        """Repeat the search of an erasure that is complete but for what it found."""
        before = json.loads(self._certificate_file().read_text(encoding="utf-8"))
        self.tables, self.alike = before["tables"], before["names_that_stay"]
        self._certify(arguments)

    def _certificate_file(self) -> Path:
        return Path(self.lake.root, "ops", "certificates", f"erasure-{self.erasure_id}.json")

    def _remove(self, arguments: Mapping[str, Any]) -> None:
        """Remove, blank out, compute gold again, purge. Done again from the start after a kill, it comes to the same."""
        day = None if arguments["day"] is None else date.fromisoformat(arguments["day"])
        erasure = (self.erasure_id, arguments["who"], arguments["reason"])
        with self.steps.step("write down the hashes"):
            erasure_log.record(self.spark, self.lake, self.mine, erasure, erasure_log.STARTED, self.now)
        self.refused = self._quarantined()
        removed = {}
        order = {"bronze": 0, "ops": 1, "gold": 2, "silver": 3}
        last = [entity.history.name for entity in self.entities.values()][::-1]
        names = sorted(
            self.lake.tables(), key=lambda name: (order[name.split(".")[0]], name in last, _place(name, last))
        )
        for name in names:
            with self.steps.step(f"erase: {name}"):
                removed[name] = self._rewrite(name)
        with self.steps.step("erase: ops.row_accounts"):
            self._save_accounts(arguments["accounts"])
        keys = {kind: self.subject.keys.get(entity, set()) for kind, entity in proposals.ENTITIES.items()}
        theirs = self.subject.theirs
        Actions(self.lake).forget(keys, lambda text: bool(self.mentions.found(text)), theirs)
        self._sweep()
        if self.lake.exists("gold.sales_summary"):  # without a dated event there is no day, but there is gold
            model = models.champion(self.settings)
            context = Context(self.spark, self.lake, self.entities, self.steps, self.now)
            silver_to_gold(context, day, self.settings.score, champion=model, anew=True)
        self.tables = []
        for name in self.lake.tables():
            with self.steps.step(f"purge: {name}"):
                versions, files = store.purge(self.lake, name)
            gone, blanked = removed.get(name, (0, 0))
            self.tables.append(
                {
                    "table": name,
                    "rows_removed": gone,
                    "rows_blanked": blanked,
                    "versions_purged": versions,
                    "files_removed": files,
                }
            )
        erasure_log.record(self.spark, self.lake, self.mine, erasure, erasure_log.FINISHED, self.now)

    def _sweep(self) -> None:
        """Remove what killed writers have left, files half written and data of tables that never came to be, and the list
        of source files.

        Only what has the name of a file of ours: whatever else is there is searched, and named if it tells of them.
        """
        root = Path(self.lake.root)
        for folder in (folder for layer in places.LAYERS for folder in (root / layer).glob("*")):
            name = f"{folder.parent.name}.{folder.name}"
            if (folder / "_delta_log").is_dir() or not manifests.is_ours(name):
                continue
            for path in [path for path in folder.rglob("*") if store.is_data_file(path)]:
                with door.through(path), suppress(OSError):  # the folder has something of somebody's own in it
                    path.unlink()
                    path.parent.rmdir()
        listed = root / locks.SOURCES_FILE  # has first rows of files without a header; the next run writes it anew
        for path in [listed, *(root / "agent").rglob("*.part"), *(root / "ops" / "certificates").glob("*.part")]:
            if path.exists():
                with door.through(path):
                    path.unlink()

    def _certify(self, arguments: Mapping[str, Any]) -> None:
        """Search what is left, and write down what was done."""
        with self.steps.step("search every remaining file"):
            self.journal = batches.history(self.lake)
            searched, findings = search(
                Path(self.lake.root), self.mentions, {places.INTENT_FILE, erasure_log.LEFT_FILE}
            )
        left = [row for row in self.count() if row["about_the_account"]]
        found = [*findings, *(f"{row['table']}: {row['about_the_account']} rows" for row in left)]
        searched_for = self.mentions.searched()
        certificate = {
            "erasure_id": self.erasure_id,
            "account": sorted(self.mine.hashes[f"customers.{self.entities['customers'].key}"])[0],
            "forgotten_at": self.now.isoformat(sep=" ", timespec="seconds"),
            "forgotten_by": arguments["who"],
            "reason": arguments["reason"],
            "records": {name: len(keys) for name, keys in self.subject.keys.items()},
            "tables": self.tables,
            "gold_computed_again_as_of": arguments["day"],
            "files_searched": searched,
            "terms_searched": sum(one["count"] for one in searched_for),
            "searched_for": searched_for,
            "searched_in": _SEARCHED_IN,
            "contact_hashes": {kind: sorted(self.mine.hashes.get(kind, ())) for kind in erasure_log.CONTACTS},
            "names_that_stay": dict(sorted(self.alike.items())),
            "numbers_that_stay": len(self.subject.switchboards),
            "found": found,
            "not_searched": _NOT_SEARCHED,
            "not_touched": "The exports themselves, copies made with `medallion export`, and backups: "
            + ", ".join(sorted({file.name for batch in self.journal for file in batch.files})),
        }
        path = self._certificate_file()
        door.write(path, json.dumps(certificate, indent=2) + "\n", door.SHARED)
        erasure_log.leave(self.lake, self.erasure_id, arguments if found else None)
        self.certificate = {**certificate, "certificate": str(path)}

    def proved(self) -> dict[str, Any]:
        """The certificate.

        Raises:
            LakehouseError: Something of the account is still there.
        """
        if found := self.certificate["found"]:
            raise LakehouseError(
                f"{self.lake.root}: after the erasure something of the account is still there, or cannot be read: {found[:5]}",
                f"See {self.certificate['certificate']}. Files that are yours, such as copies of exports, remove yourself; then "
                f"search again with `{journal.RESUME}`.",
            )
        return self.certificate

    def _accounts(self) -> list[dict[str, Any]]:
        """The row accounts of batches of which rows will go, as they are to be: what goes is `erased`, and no longer
        what it was. Counted before anything is removed, so that a row lost otherwise still shows.
        """
        if not self.lake.exists(batches.ACCOUNTS):
            return []
        gone = self._gone()
        again = {batch.batch_id for batch in self.journal if not (batch.has_files or batch.is_reread)}
        reread = {batch.batch_id: batch.origin for batch in self.journal if batch.is_reread}
        with query.connect(self.lake, layers=["ops"]) as connection:
            sql = f"select * replace (known_at::timestamp::varchar as known_at) from {batches.ACCOUNTS} order by all"
            known = query.rows(connection, sql)
        changed = []
        for row in known:
            key = (row["batch_id"], row["entity"])
            rows = (reread.get(row["batch_id"], row["batch_id"]), row["entity"])
            read = gone["reprocessed"].get(key, 0) if row["batch_id"] in again else gone["read"].get(rows, 0)
            if not read and not gone["implied"].get(key, 0):
                continue
            parts = {name: gone[name].get(key, 0) for name in ("accepted", "superseded", "withdrawn", "quarantined")}
            parts["duplicate"] = min(read - sum(parts.values()), row["duplicate"])
            parts["excluded"] = read - sum(parts.values())
            parts["implied"] = gone["implied"].get(key, 0)
            left = {name: (row.get(name) or 0) - count for name, count in parts.items()}
            if any(count < 0 for count in left.values()):
                raise LakehouseError(
                    f"{self.lake.root}: {read} rows of {row['entity']} in batch {row['batch_id']} are about the account, "
                    "which is more than its row accounts say there are; nothing was removed",
                    "See what `medallion doctor` says of the accounts, and report this as a defect if it finds them well.",
                )
            changed.append({**row, **left, "erased": (row.get("erased") or 0) + read})
        return changed

    def _gone(self) -> dict[str, dict[tuple[str, str], int]]:
        """How many rows of each batch and entity go: of those read, reprocessed, accepted, superseded, withdrawn,
        quarantined, and implied by others.

        Rows of a held file are in bronze under the batch that it came with. They count for the file's own batch, and
        for none until the file is accepted.
        """
        counted = ("read", "reprocessed", "accepted", "superseded", "withdrawn", "quarantined", "implied")
        found: dict[str, dict[tuple[str, str], int]] = {name: {} for name in counted}

        def count(name: str, by: Iterable[str]) -> list[Any]:
            marked = self._marked(name) if self.lake.exists(name) else None
            return (
                []
                if marked is None
                else marked.filter("_about").groupBy(*by).agg(F.count(F.lit(1)).alias("n")).collect()
            )

        held = {(b.origin, f.entity, f.name): b for b in self.journal if b.is_held_file for f in b.files}
        for entity in self.entities.values():
            for row in count(f"bronze.{entity.name}", ["_batch_id", "_source_file"]):
                own = held.get((row["_batch_id"], entity.name, row["_source_file"]))
                if own is None or own.state == batches.FINISHED:
                    key = (own.batch_id if own else row["_batch_id"], entity.name)
                    found["read"][key] = found["read"].get(key, 0) + row["n"]
            if entity.name != "products":
                for row in count(entity.history.name, ["_batch_id", "_outcome"]):
                    name = "implied" if row["_outcome"] in silver.IMPLIED else row["_outcome"]
                    key = (row["_batch_id"], entity.name)
                    found[name][key] = found[name].get(key, 0) + row["n"]
        for row in count("silver.quarantine", ["batch_id", "resolved_by", "entity"]):
            for what, batch in (("quarantined", row["batch_id"]), ("reprocessed", row["resolved_by"])):
                if batch is not None:
                    key = (batch, row["entity"])
                    found[what][key] = found[what].get(key, 0) + row["n"]
        return found

    def _save_accounts(self, changed: Iterable[Mapping[str, Any]]) -> None:

        contract = contracts.table(batches.ACCOUNTS)
        rows = [tuple(row[name] for name in contract.column_names) for row in changed]
        if not rows:
            return
        types = {column.name: "string" if column.name == "known_at" else column.type for column in contract.columns}
        new = self.spark.createDataFrame(rows, ", ".join(f"`{name}` {kind}" for name, kind in types.items()))
        kept = store.read(self.spark, self.lake, contract.name)
        lacking = [name for name in contract.column_names if name not in kept.columns]
        if lacking:
            kept = kept.withColumns({name: F.lit(None).cast(contract.column(name).type) for name in lacking})
        kept = kept.join(new.select(*contract.key), on=list(contract.key), how="left_anti")
        new = new.withColumn("known_at", F.col("known_at").cast("timestamp"))
        whole = kept.select(*contract.column_names).unionByName(new)
        store.save(whole, self.spark, self.lake, contract, whole=True)

    def _as_written(self) -> set[str]:
        """Addresses and numbers of the account as the exports wrote them."""
        found: set[str] = set()
        for entity in self.entities.values():
            name = f"bronze.{entity.name}"
            if not self.lake.exists(name) or entity.name == "products":
                continue
            marked = self._marked(name)
            assert marked is not None  # noqa: S101 - bronze of an entity always is
            files = [file for batch in self.journal if batch.has_files for file in batch.files_of(entity.name)]
            mapping = bronze.mapping_of(files)
            wanted = [
                text
                for column in entity.columns
                if column.kind in ("email", "phone")
                for _, text in silver.texts_of(column.name, mapping.get(column.name, {}), entity, marked.columns)
            ]
            for text in wanted:
                rows = marked.filter("_about").select(F.trim(text).alias("text")).distinct().collect()
                found |= {row["text"] for row in rows if row["text"]}
        return found

    def _rewrite(self, name: str) -> tuple[int, int]:
        """Take the account's rows out of a table, and its addresses, numbers, keys and names out of the others."""
        if name in _WITHOUT_TEXTS or name in {step.table for step in graph()}:
            return 0, 0
        marked = self._marked(name)
        if marked is None:
            if not self._is_mentioned_in(name):  # asked without the engine, which plans for longer than that takes
                return 0, 0
            marked = store.read(self.spark, self.lake, name).withColumn("_about", F.lit(False))
        kept, own_names = self._columns(name, marked.columns)
        wanted = (
            self.mentions if name != contracts_in_use.TABLE else replace(self.mentions, mark="erased")
        )  # brackets are YAML
        clean = mentions.cleaner(wanted, kept, own_names, _FILE_NAMES)
        told = marked.mapInArrow(clean, _with_marks(marked))
        stays = ~F.col("_about")
        gone, changed, alike = (
            int(count)
            for count in told.agg(
                F.count_if("_about"), F.count_if(stays & F.col("_touched")), F.count_if(stays & F.col("_alike"))
            ).collect()[0]
        )
        headers = (
            {c: new for c in marked.columns if (new := self.mentions.in_file_name(c)) != c}
            if name.startswith("bronze.")
            else {}
        )
        if gone or changed or headers:
            rows = told.filter(stays).drop("_about", "_touched", "_alike")
            rows = rows.withColumnsRenamed(headers) if headers else rows
            store.replace(rows, self.lake, name, anew=bool(headers))
        if alike and name.endswith("_clean"):
            self.alike[name] = alike
        return gone, changed

    def _is_mentioned_in(self, name: str) -> bool:
        """Whether any text of a table mentions them."""
        folder = Path(self.lake.path(name))
        files = (folder / unquote(uri.rsplit("/", 1)[-1]) for uri in self.lake.delta(name).file_uris())
        return any(self.mentions.found(text) for file in files for text in _texts(file))

    def _columns(self, name: str, columns: Collection[str]) -> tuple[set[str], set[str]]:
        """Columns of a table that stay as they are, and those that may hold the name of somebody else's record."""
        layer, table = name.split(".")
        if layer == "ops" or name == "silver.quarantine":
            return {*_KEPT}, set()
        entity = self.entities.get(table.removesuffix("_history").removesuffix("_clean"))
        known = list(self.entities.values()) if entity is None else [entity]
        free = {c.name for each in known for c in each.columns if c.kind == "free_text"}
        keys = {c.name for each in known for c in each.columns if c.kind == "identifier" or c.reference}
        keys |= {each.key for each in known}
        if layer != "bronze" or entity is None:
            return {*_KEPT, *keys}, {column for column in columns if column not in free}
        files = [file for batch in self.journal if batch.has_files for file in batch.files_of(table)]
        filled = {c: {str(f.mapping[c].column) for f in files if c in f.mapping and f.mapping[c].column} for c in entity.column_names}  # fmt: skip
        texts = {column for one in free for column in filled.get(one, ())}
        read = {column for file in files for column in file.columns_read}
        others = {column for one, named in filled.items() if one not in keys for column in named}
        mine = {column for one in keys for column in filled.get(one, ())}
        return {*_KEPT, *(mine - others)}, read - texts


def _with_marks(frame: DataFrame) -> str:
    """The columns of a frame as SQL declares them, with those that `cleaner` adds."""
    told = [f"`{field.name.replace('`', '``')}` {field.dataType.simpleString()}" for field in frame.schema.fields]
    return ", ".join([*told, "_touched boolean", "_alike boolean"])


_SEARCHED_IN = (
    "every row of every table but those of gold, which are computed again; then every file of the lakehouse and its name: data, "
    "statistics, commits, checkpoints, proposals and models. Names are not looked for in cells that hold nothing but the name of "
    "somebody else's record, unless that record has an address or number of the account"
)
_NOT_SEARCHED = (
    "the folder of exports, with what a later delivery says of the person in notes of others",
    "copies made with `medallion export`, `query --output` or the dashboard, and dashboards that are running",
    "folders `medallion-*` that a killed dashboard or report left where the system keeps temporary files",
    "reports, slides and Power BI files", "models that are kept outside the lakehouse", "backups and snapshots of the disk",
    "the CRM and every other system",
)  # fmt: skip


def _place(name: str, last: list[str]) -> int:
    return last.index(name) if name in last else 0


def search(root: Path, wanted: Mentions, but: Collection[str] = ()) -> tuple[int, list[str]]:
    """Look for someone in every file below a folder, and in its name; gives how many files, and where they were found.

    Files directly in the folder whose names are in `but` are left out.

    Of Parquet every text is read, nested values, names of columns and statistics included; other files are read line by
    line. A name that is all that a text of Parquet or of a Delta log says may be that of somebody else's record. A file
    that cannot be read, such as Parquet that is not whole, counts as found: nobody can say what it holds.
    """
    files = sorted(path for path in root.rglob("*") if path.is_file() and str(path.relative_to(root)) not in but)
    found = []
    for path in files:
        place = str(path.relative_to(root))
        says = _says if path.suffix == ".parquet" or path.parent.name == "_delta_log" else _mentions
        try:
            if any(wanted.found(text) for text in (place, path.stem)) or any(
                says(text, wanted) for text in _texts(path)
            ):
                found.append(place)
        except (pa.ArrowException, OSError, ValueError):
            found.append(f"{place}: cannot be read")
    return len(files), found


def _mentions(text: str, wanted: Mentions) -> bool:
    return bool(wanted.found(text))


def _says(text: str, wanted: Mentions) -> bool:
    """Whether a text of a file tells of them; statistics in a checkpoint are a document, of which each text counts."""
    kinds = wanted.found(text)
    if kinds != {mentions.NAME}:
        return bool(kinds)
    try:
        each = list(mentions.texts_in(json.loads(text)))
    except (ValueError, RecursionError):
        each = [text]
    return any(wanted.found(one) and not wanted.names_all(one) for one in each)


def _texts(path: Path) -> Iterator[str]:
    """Every text of a file."""
    if path.suffix == ".parquet":
        with pq.ParquetFile(path) as file:
            yield from file.schema_arrow.names
            for text in (file.metadata.metadata or {}).values():
                yield text.decode("utf-8", "replace")
            for group in range(file.metadata.num_row_groups):
                for column in range(file.metadata.num_columns):
                    known = file.metadata.row_group(group).column(column).statistics
                    if known is not None and known.has_min_max:
                        yield from (text for text in (known.min, known.max) if isinstance(text, str))
            for batch in file.iter_batches():
                for column in batch.columns:
                    yield from _texts_of(column)
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            document = json.loads(line) if path.parent.name == "_delta_log" else None
        except (ValueError, RecursionError):
            document = None
        if document is None:
            yield line
        else:
            yield from mentions.texts_in(document)


def _texts_of(column: Any) -> Iterator[str]:
    """Every different text of a column, nested ones included."""
    kind = column.type
    if pa.types.is_struct(kind):
        for each in column.flatten():
            yield from _texts_of(each)
    elif pa.types.is_map(kind):
        yield from _texts_of(column.keys)
        yield from _texts_of(column.items)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        yield from _texts_of(column.flatten())
    elif pa.types.is_dictionary(kind):
        yield from _texts_of(column.dictionary)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        yield from (text for text in column.unique().to_pylist() if text)


__all__ = ["forget", "resume", "search"]
