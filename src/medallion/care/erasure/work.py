"""Remove an account, search what is left, and certify it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pyspark.sql import functions as F

from medallion import door, temporary
from medallion.care import compared, proposals, status
from medallion.care.erasure import accounts, certificate
from medallion.care.erasure.about import KEPT, About, with_marks
from medallion.care.erasure.search import search, search_tables, texts
from medallion.care.proposals import Actions
from medallion.errors import LakehouseError
from medallion.gold import graph
from medallion.lakehouse import contracts_in_use, locks, manifests, places, publishing, removal, store, unity
from medallion.pipeline import batches, erasure_log, journal, models
from medallion.pipeline.context import Context
from medallion.pipeline.silver_to_gold import silver_to_gold
from medallion.silver.mentions.cleaning import cleaner

#: Tables of `ops` that hold counts, hashes and versions only; the log of erasures must not be changed.
_WITHOUT_TEXTS = frozenset(
    {"ops.erasures", "ops.manifests", "ops.row_accounts", "ops.quality_metrics", certificate.TABLE}
)
_FILE_NAMES = frozenset({"_source_file", "source_file"})


class Erasure(About):
    """One erasure, from the start or where a killed one had come to."""

    def arguments(self, reason: str, who: str) -> dict[str, Any]:
        """All that completing the erasure needs once some of the rows are gone. Kept until it is complete, not longer."""
        day = status.as_of(self.lake) if self.lake.exists("gold.sales_summary") else None
        compared.drop(self.lake)
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
            "accounts": accounts.changed(self),
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
        before = certificate.read(self.lake, self.erasure_id)
        self.tables, self.alike = before["tables"], before["names_that_stay"]
        self._certify(arguments)

    def _remove(self, arguments: Mapping[str, Any]) -> None:
        """Remove, blank out, compute gold again, purge. Done again from the start after a kill, it comes to the same."""
        day = None if arguments["day"] is None else date.fromisoformat(arguments["day"])
        erasure = (self.erasure_id, arguments["who"], arguments["reason"])
        with self.steps.step("write down the hashes"):
            erasure_log.record(self.spark, self.lake, self.own_log, erasure, erasure_log.STARTED, self.now)
        self.refused = self._quarantined()
        removal.drop(
            self.lake, [name for name in self.lake.tables() if name.endswith(publishing.WORK)]
        )  # of failed runs
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
            accounts.save(self, arguments["accounts"])
        keys = {kind: self.subject.keys.get(entity, set()) for kind, entity in proposals.ENTITIES.items()}
        theirs = self.subject.theirs
        Actions(self.lake).forget(keys, lambda text: bool(self.mentions.found(text)), theirs)
        self._sweep()
        if self.lake.exists("gold.sales_summary"):  # without a dated event there is no day, but there is gold
            model = models.champion(self.settings)
            context = Context(self.spark, self.lake, self.entities, self.steps, self.now)
            silver_to_gold(
                context, day, self.settings.score, champion=model, anew=True, time_zone=self.settings.time_zone
            )
        self.tables = []
        for name in self.lake.tables():
            with self.steps.step(f"purge: {name}"):
                purged = self._purge(name)
            gone, blanked = removed.get(name, (0, 0))
            self.tables.append({"table": name, "rows_removed": gone, "rows_blanked": blanked, **purged})
        erasure_log.record(self.spark, self.lake, self.own_log, erasure, erasure_log.FINISHED, self.now)

    def _purge(self, name: str) -> dict[str, Any]:
        """Remove the earlier versions of a table; gives what the certificate says of it."""
        if self.lake.folder is not None:
            versions, files = removal.purge(self.lake, name)
            return {"versions_purged": versions, "files_removed": files}
        with door.through(self.lake.path(name)):
            versions, removed, left = unity.purge(self.lake.root, name, beside=name in places.BESIDE)
        if left:
            return {"versions_purged": 0, "files_removed": 0, certificate.LEFT: left}
        return {"versions_purged": versions, "files_removed": removed}

    def _sweep(self) -> None:
        """Remove what killed writers have left, files half written and data of tables that never came to be, and the list
        of source files.

        Only what has the name of a file of ours: whatever else is there is searched, and named if it tells of them.
        """
        if self.lake.folder is None:
            return
        root = Path(self.lake.root)
        for folder in (folder for layer in places.LAYERS for folder in (root / layer).glob("*")):
            name = f"{folder.parent.name}.{folder.name}"
            if (folder / "_delta_log").is_dir() or not manifests.is_ours(name):
                continue
            for path in [path for path in folder.rglob("*") if places.is_data_file(path)]:
                with door.through(path), suppress(OSError):  # the folder has something of somebody's own in it
                    path.unlink()
                    path.parent.rmdir()
        listed = root / locks.SOURCES_FILE  # has first rows of files without a header; the next run writes it anew
        for path in [listed, *(root / "agent").rglob("*.part"), *(root / "ops" / "certificates").glob("*.part")]:
            if path.exists():
                with door.through(path):
                    path.unlink()

    def _certify(self, arguments: Mapping[str, Any]) -> None:
        """Search what is left, and write the certificate."""
        in_files = self.lake.folder is not None
        with self.steps.step("search every remaining file" if in_files else "search every table"):
            self.journal = batches.history(self.lake)
            self.temporary = temporary.sweep()
            searched, findings = (
                search(Path(self.lake.root), self.mentions, {places.INTENT_FILE, erasure_log.LEFT_FILE})
                if in_files
                else search_tables(self.spark, self.lake, self.mentions)
            )
        left = [row for row in self.count() if row["about_the_account"]]
        remaining = [*findings, *(f"{row['table']}: {row['about_the_account']} rows" for row in left)]
        searched_for = self.mentions.searched()
        document = {
            "erasure_id": self.erasure_id,
            "account": sorted(self.own_log.hashes[f"customers.{self.entities['customers'].key}"])[0],
            "forgotten_at": self.now.isoformat(sep=" ", timespec="seconds"),
            "forgotten_by": arguments["who"],
            "reason": arguments["reason"],
            "records": {name: len(keys) for name, keys in self.subject.keys.items()},
            "tables": self.tables,
            "gold_computed_again_as_of": arguments["day"],
            "files_searched" if in_files else "tables_searched": searched,
            "terms_searched": sum(term["count"] for term in searched_for),
            "searched_for": searched_for,
            "searched_in": certificate.searched_in(self.lake),
            "older_versions": certificate.older_versions(self.tables),
            "contact_hashes": {kind: sorted(self.own_log.hashes.get(kind, ())) for kind in erasure_log.CONTACTS},
            "names_that_stay": dict(sorted(self.alike.items())),
            "numbers_that_stay": len(self.subject.switchboards),
            "found": remaining,
            "temporary_folders": {"removed": self.temporary[0], "in_use": self.temporary[1]},
            "not_searched": certificate.not_searched(self.lake, self.tables, self.temporary[1]),
            "not_touched": "the exports that were read: "
            + ", ".join(sorted({file.name for batch in self.journal for file in batch.files})),
        }
        place = certificate.write(self.lake, self.erasure_id, document)
        erasure_log.leave(self.lake, self.erasure_id, arguments if remaining else None)
        self.certificate = {**document, "certificate": place}

    def proved(self) -> dict[str, Any]:
        """The certificate.

        Raises:
            LakehouseError: Something of the account is still there.
        """
        if remaining := self.certificate["found"]:
            raise LakehouseError(
                f"{self.lake.root}: after the erasure something of the account is still there, or cannot be read: {remaining[:5]}",
                f"See {self.certificate['certificate']}. Files that are yours, such as copies of exports, remove yourself; then "
                f"search again with `{journal.RESUME}`.",
            )
        return self.certificate

    def _rewrite(self, name: str) -> tuple[int, int]:
        """Take the account's rows out of a table, and its addresses, numbers, keys and names out of the others."""
        if name in _WITHOUT_TEXTS or name in {step.table for step in graph()}:
            return 0, 0
        marked = self.marked(name)
        if marked is None:
            # checked without the engine, whose planning alone takes longer
            if self.lake.folder is not None and not self._is_mentioned_in(name):
                return 0, 0
            marked = store.read(self.spark, self.lake, name).withColumn("_about", F.lit(False))
        kept, own_names = self._columns(name, marked.columns)
        wanted = (
            self.mentions if name != contracts_in_use.TABLE else replace(self.mentions, mark="erased")
        )  # brackets are YAML
        clean = cleaner(wanted, kept, own_names, _FILE_NAMES)
        cleaned = marked.mapInArrow(clean, with_marks(marked))
        stays = ~F.col("_about")
        gone, changed, alike = (
            int(count)
            for count in cleaned.agg(
                F.count_if("_about"), F.count_if(stays & F.col("_touched")), F.count_if(stays & F.col("_alike"))
            ).collect()[0]
        )
        headers = (
            {c: new for c in marked.columns if (new := self.mentions.in_file_name(c)) != c}
            if name.startswith("bronze.")
            else {}
        )
        if gone or changed or headers:
            rows = cleaned.filter(stays).drop("_about", "_touched", "_alike")
            rows = rows.withColumnsRenamed(headers) if headers else rows
            store.replace(rows, self.lake, name, anew=bool(headers))
        if alike and name.endswith("_clean"):
            self.alike[name] = alike
        return gone, changed

    def _is_mentioned_in(self, name: str) -> bool:
        """Whether any text of a table mentions them."""
        folder = Path(self.lake.path(name))
        files = (folder / unquote(uri.rsplit("/", 1)[-1]) for uri in self.lake.delta(name).file_uris())
        return any(self.mentions.found(text) for file in files for text in texts(file))

    def _columns(self, name: str, columns: Collection[str]) -> tuple[set[str], set[str]]:
        """Columns of a table that stay as they are, and those that may hold the name of somebody else's record."""
        layer, table = name.split(".")
        if layer == "ops" or name == "silver.quarantine":
            return {*KEPT}, set()
        entity = self.entities.get(table.removesuffix("_history").removesuffix("_clean"))
        known = list(self.entities.values()) if entity is None else [entity]
        free = {c.name for each in known for c in each.columns if c.kind == "free_text"}
        keys = {c.name for each in known for c in each.columns if c.kind == "identifier" or c.reference}
        keys |= {each.key for each in known}
        if layer != "bronze" or entity is None:
            return {*KEPT, *keys}, {column for column in columns if column not in free}
        files = [file for batch in self.journal if batch.has_files for file in batch.files_of(table)]
        filled = {c: {str(f.mapping[c].column) for f in files if c in f.mapping and f.mapping[c].column} for c in entity.column_names}  # fmt: skip
        texts = {column for field in free for column in filled.get(field, ())}
        read = {column for file in files for column in file.columns_read}
        others = {column for field, named in filled.items() if field not in keys for column in named}
        key_columns = {column for field in keys for column in filled.get(field, ())}
        return {*KEPT, *(key_columns - others)}, read - texts


def _place(name: str, last: list[str]) -> int:
    return last.index(name) if name in last else 0
