"""Whether a lakehouse is whole: logs, files, orphans, schemas, keys, row accounts, models, proposals."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable

from medallion import contracts, sources
from medallion.care.proposals import Actions
from medallion.config import Settings
from medallion.contracts import Entity, Filling, Table
from medallion.contracts.model import ENDED, STANDING
from medallion.errors import LakehouseError, MedallionError, StateRemovedError
from medallion.gold import gold_contract, graph
from medallion.lakehouse import commits, contracts_in_use, places, query, store
from medallion.lakehouse.places import LAYERS
from medallion.lakehouse.store import Lakehouse, spark_types
from medallion.pipeline import batches, conventions, decisions, erasure_log, extensions, hold, journal, models, proof
from medallion.scoring import registry

OK, WARNING, BROKEN = "ok", "warning", "broken"


@dataclass(frozen=True)
class Finding:
    """One check: what was looked at, how it is, and what to do where it is not well."""

    check: str
    about: str
    state: str
    says: str
    remedy: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Every check on a lakehouse, the worst first. Reads only.

    Raises:
        LakehouseError: There is no lakehouse.
    """
    lake = Lakehouse(settings.lakehouse)
    findings = files(settings)
    names = readable(findings)
    findings += _unfinished(lake, names)
    findings += as_far_as_read(lake, _content(settings, lake, names))
    return worst_first(findings)


def _content(settings: Settings, lake: Lakehouse, names: list[str]) -> Iterator[Finding]:
    """What the tables hold, and what belongs to them."""
    entities = _entities(settings, lake, names)
    yield from _contracts(lake, names, entities)
    yield from lost(lake)
    yield from accounts(lake, names)
    yield from _current(lake, names, entities)
    yield from _readings(lake, names, entities)
    yield from _proof(lake, names)
    yield from _returned(lake, names, entities)
    yield from _models(settings)
    if lake.folder is not None:  # elsewhere there are none
        yield from _proposals(lake)


def files(settings: Settings) -> list[Finding]:
    """Whether the log and the files of every table are whole; elsewhere than in a folder, whether it can be opened.

    Raises:
        LakehouseError: There is no lakehouse.
    """
    lake = Lakehouse(settings.lakehouse)
    names = _folders(lake.folder) if lake.folder is not None else lake.tables()
    if not names and journal.unfinished_intent(lake) is None:
        raise LakehouseError(
            f"{lake.root}: there is no lakehouse here", "Run `medallion run` first, or check --lakehouse."
        )
    findings: list[Finding] = []
    try:
        extensions.load(settings)
    except MedallionError as error:  # all else can be examined without what is your own
        findings.append(Finding("settings", "modules", WARNING, error.problem, error.remedy))
    if lake.folder is None:
        return [*findings, *_elsewhere(lake, names)]
    for name in names:
        folder = lake.folder.joinpath(*name.split(".", 1))
        if not (folder / "_delta_log").is_dir() and not any(map(places.is_data_file, folder.rglob("*"))):
            continue  # certificates, and what somebody has beside our tables
        findings += _files(lake, name, folder)
    return findings


def _folders(root: Path) -> list[str]:
    """What is in the layers, by the names of tables, whether it has a log or not."""
    paths = (path for layer in LAYERS for path in sorted((root / layer).glob("*")) if path.is_dir())
    return [f"{path.parent.name}.{path.name}" for path in paths]


def _elsewhere(lake: Lakehouse, names: Iterable[str]) -> Iterator[Finding]:
    """The tables of an address or a catalog, whose files are not looked at one by one."""
    for name in names:
        try:
            yield Finding("files", name, OK, f"version {lake.version(name)}")
        except LakehouseError as error:
            yield Finding("log", name, BROKEN, error.problem, error.remedy or "")
    reader = "the engine" if lake.catalog else "delta-rs"
    says = f"sizes and names of data files were not compared: tables are read by {reader}"
    remedy = "FSCK REPAIR TABLE ... DRY RUN lists lost files." if lake.catalog else "Copy it into a folder to do so."
    yield Finding("not compared", lake.root, WARNING, says, remedy)


def as_far_as_read(lake: Lakehouse, findings: Iterator[Finding]) -> Iterator[Finding]:
    """Findings up to the first table that cannot be read, with that as the last; not during an erasure, which is reported."""
    try:
        yield from findings
    except StateRemovedError:  # while a command writes: the next look is at the state after it
        raise
    except LakehouseError as error:
        if store.erasing(lake) is None:
            says = f"what is asked next was not: {error.problem}"
            yield Finding("not examined", lake.root, BROKEN, says, error.remedy or "")


def readable(findings: Iterable[Finding]) -> list[str]:
    """The tables that `files` found whole."""
    return [finding.about for finding in findings if finding.check == "files" and finding.state == OK]


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Broken first, then warnings, then what is well."""
    return sorted(
        findings, key=lambda finding: ((BROKEN, WARNING, OK).index(finding.state), finding.check, finding.about)
    )


def keys(settings: Settings, names: list[str]) -> Iterator[Finding]:
    """Columns, types and keys of every table are those of its contract, and what it refers to is known.

    Args:
        settings: Which lakehouse.
        names: Its tables that can be read.
    """
    lake = Lakehouse(settings.lakehouse)
    entities = _entities(settings, lake, names)
    yield from _contracts(lake, names, entities)
    for entity in entities.values():
        for column in entity.references:
            parent = entities[column.reference.entity] if column.reference else entity
            tables = {entity.clean.name, parent.history.name}
            if column.checks.get("reference") == "reject" and tables <= set(names):
                yield _reference(lake, entity, column.name, parent)


def _reference(lake: Lakehouse, entity: Entity, column: str, parent: Entity) -> Finding:
    """Records that the other entity never had, not those that have ended."""
    table, known = entity.clean.name, parent.history.name
    with query.connect(lake, LAYERS, only={table, known}, newest=True) as connection:
        (lost,) = connection.execute(
            f'select count(*) from {table} where "{column}" not in '
            f'(select "{parent.key}" from {known} where "{parent.key}" is not null)'
        ).fetchone() or (0,)
    about = f"{table}.{column}"
    if not lost:
        return Finding("reference", about, OK, f"every one is known to {known}")
    return Finding("reference", about, BROKEN, f"{lost:,} rows name none of {known}", "Report this as a defect.")


def _entities(settings: Settings, lake: Lakehouse, names: list[str]) -> dict[str, Entity]:
    """Entities as the lakehouse has them; gold is told of them too. None where no batch can be read."""
    if "ops.batches" not in names:
        return {}
    entities = contracts.entities(contracts_in_use.overrides(lake, settings.contracts))
    contracts_in_use.for_readers(lake)
    return entities


def _contracts(lake: Lakehouse, names: list[str], entities: Mapping[str, Entity]) -> list[Finding]:
    known: dict[str, Table] = {step.table: gold_contract(step.table) for step in graph()}
    known |= {table.name: table for entity in entities.values() for table in (entity.clean, entity.history)}
    return [finding for name in names if name in known for finding in _contract(lake, known[name])]


def _files(lake: Lakehouse, name: str, folder: Path) -> Iterator[Finding]:
    """The log can be read, its last commit is whole, every file that it names is there in its size, and no other lies about."""
    if damage := commits.damage(lake, name, data=False):
        yield Finding("log", name, BROKEN, f"the last commit, {damage.path.name}, {damage.says}", damage.remedy)
        return
    broken = commits.broken_checkpoints(lake, name)
    for error in broken:
        says = error.problem.removeprefix(f"{name}: ")
        yield Finding("log", name, WARNING if error.remedy == commits.MENDED else BROKEN, says, error.remedy or "")
    try:
        table = DeltaTable(str(folder))
        actions = table.get_add_actions(flatten=True)
        named = dict(zip(actions.column("path").to_pylist(), actions.column("size_bytes").to_pylist(), strict=True))
    except Exception as error:  # noqa: BLE001 - whatever a damaged log makes of the library
        if broken:
            return
        yield Finding(
            "log", name, BROKEN, f"cannot be read: {str(error).splitlines()[0][:200]}", "Restore it from a backup."
        )
        return
    lost = [path for path in named if not (folder / _local(path)).is_file()]
    cut = [p for p, size in named.items() if p not in lost and (folder / _local(p)).stat().st_size != size]
    for what, paths in (("missing", lost), ("of another size than written", cut)):
        if paths:
            yield Finding(
                "files", name, BROKEN, f"{len(paths)} of {len(named)} data files {what}, such as {paths[0]}",
                f"`medallion restore --table {name} --to VERSION`, then `medallion score`; or a backup."
                if name.startswith("gold.")
                else f"{commits.GO_BACK}, or a backup.",
            )  # fmt: skip
    if not lost and not cut:
        yield Finding("files", name, OK, f"version {table.version()}, {len(named)} files")
    kept = {_local(path) for path in named}
    spare = [
        p for p in folder.rglob("*.parquet") if "_delta_log" not in p.parts and str(p.relative_to(folder)) not in kept
    ]
    if spare:
        size = sum(path.stat().st_size for path in spare)
        yield Finding("old files", name, OK, f"{len(spare)} files of earlier versions, {size / 1e6:,.1f} MB")


def _local(path: str) -> str:

    return unquote(path)


def _contract(lake: Lakehouse, contract: Table) -> Iterator[Finding]:
    """Columns, types and key are those of the contract."""
    types = dict(spark_types(lake, contract.name))
    odd = [c.name for c in contract.columns if c.name in types and types[c.name] != c.type]
    lacking = [c.name for c in contract.columns if c.name not in types]
    if odd:
        yield Finding(
            "schema", contract.name, BROKEN, f"columns of another type: {', '.join(odd)}", "Start a new lakehouse."
        )
    elif lacking:
        yield Finding(
            "schema", contract.name, WARNING, f"columns not there yet: {', '.join(lacking)}", "`medallion run`."
        )
    if contract.name.endswith("_history") or odd or not set(contract.key) <= set(types):
        return
    keys = ", ".join(f'"{key}"' for key in contract.key)
    with query.connect(lake, LAYERS, only={contract.name}, newest=True) as connection:
        rows, distinct = connection.execute(
            f"select (select count(*) from {contract.name}), (select count(*) from (select distinct {keys} from {contract.name}))"
        ).fetchone() or (0, 0)
    if rows != distinct:
        yield Finding(
            "key", contract.name, BROKEN, f"{rows - distinct:,} rows repeat a key", "Report this as a defect."
        )


def _unfinished(lake: Lakehouse, names: list[str]) -> Iterator[Finding]:
    """No work is left unfinished, least of all an erasure."""
    is_damaged = bool({"ops.batches", "ops.erasures"} & set(lake.tables()) - set(names))
    for work in journal.under_way(lake) if is_damaged else journal.unfinished(lake):
        if work["state"] == "interrupted":
            yield Finding(
                "journal",
                work["what"].removeprefix("batch "),
                BROKEN if work["what"] == journal.FORGET else WARNING,
                f"was interrupted; it began at {work['began_at']} UTC",
                work["what_to_do"],
            )
    if is_damaged:
        return  # the damage is reported already
    for erasure_id in erasure_log.left(lake):
        says = f"the search of erasure {erasure_id} found something of the account, which its certificate names"
        yield Finding(
            "journal", journal.FORGET, WARNING, says, f"Remove it, then search again with `{journal.RESUME}`."
        )
    for batch in hold.waiting(batches.history(lake)):
        refusal = hold.told(batch)
        yield Finding("journal", batch.batch_id, WARNING, f"held back: {refusal.problem}", refusal.remedy)


def lost(lake: Lakehouse) -> list[Finding]:
    """Tables that are below the version which the newest manifest names, whatever is unfinished besides."""
    try:
        gone = journal.lost_commits(lake)
    except LakehouseError:  # the manifests cannot be read, which is told already
        return []
    return [
        Finding("state", name, BROKEN, error.problem.removeprefix(f"{name}: "), error.remedy or "")
        for name, error in gone.items()
    ]


def accounts(lake: Lakehouse, names: list[str]) -> Iterator[Finding]:
    """The rows that were counted when a batch was read are still in bronze, history and quarantine."""
    if not {batches.ACCOUNTS, batches.JOURNAL} <= set(names):
        return
    erased = batches.erased_sql(lake)
    known = batches.history(lake)
    files = {batch.batch_id for batch in known if not batch.origin or batch.is_held_file}
    held_files = [(file.entity, f"{batch.origin} {file.name}") for batch in known
            if batch.is_held_file and batch.state != batches.FINISHED for file in batch.files]  # fmt: skip
    with query.connect(lake, LAYERS, only=names, newest=True) as connection:
        columns = "*, 0 as erased" if erased == "0" else f"* replace ({erased} as erased)"
        rows = query.rows(connection, f"select {columns} from {batches.ACCOUNTS}")
        # what was erased before there was a count of it can only be told apart from a loss by the erasure itself
        uncounted = None
        if "ops.erasures" in names and not any(row["erased"] for row in rows):
            uncounted = query.rows(connection, "select max(recorded_at) as last from ops.erasures")[0]["last"]
        for entity in sorted({row["entity"] for row in rows}):
            entity_rows = [row for row in rows if row["entity"] == entity]
            of_entity = [place for name, place in held_files if name == entity]
            yield _account(connection, names, entity, entity_rows, files, of_entity, uncounted)


def _account(
    connection: Any,
    names: list[str],
    entity: str,
    rows: list[dict[str, Any]],
    files: set[str],
    held_files: list[str],
    uncounted: datetime | None,
) -> Finding:
    """One entity: its row accounts add up, and every count is that of the rows that are there.

    An erasure that did not count the rows it removed explains missing rows of earlier batches only; `uncounted` is the
    time of the last one.
    """
    total = {name: sum(int(row.get(name) or 0) for row in rows) for name in ("rows_read", *_PARTS, "implied")}
    if total["rows_read"] != sum(total[name] for name in _PARTS):
        counted = sum(total[name] for name in _PARTS)
        return Finding(
            "accounts", entity, BROKEN, f"{total['rows_read']:,} rows read, {counted:,} accounted for",
            "Report this as a defect.",
        )  # fmt: skip
    known = sorted({row["batch_id"] for row in rows})
    read = [row for row in rows if row["batch_id"] in files]
    wanted = {
        f"bronze.{entity}": sum(int(row["rows_read"]) - int(row["erased"]) for row in read),
        f"silver.{entity}_history": sum(
            total[name] for name in ("accepted", "merged", "superseded", "withdrawn", "implied")
        ),
        "silver.quarantine": total["quarantined"],
    }
    for name, count in wanted.items():
        if name not in names:
            continue
        there = _rows_of(connection, name, entity, known, held_files)
        if there != count:
            says = f"{name} has {there:,} rows, the accounts say {count:,}"
            if uncounted and there < count:
                later = [row for row in rows if row["known_at"] > uncounted]
                if (
                    later
                    and (lost := _account(connection, names, entity, later, files, held_files, None)).state == BROKEN
                ):
                    return lost
                return Finding(
                    "accounts",
                    entity,
                    WARNING,
                    f"{says}; an erasure of an earlier version did not count what it removed",
                )
            return Finding("accounts", entity, BROKEN, says, "`medallion restore --to NUMBER`, or a backup.")
    erased = f", {total['erased']:,} of them erased since" if total["erased"] else ""
    return Finding("accounts", entity, OK, f"{total['rows_read']:,} rows read, all accounted for{erased}")


def _rows_of(connection: Any, name: str, entity: str, known: list[str], held_files: list[str]) -> int:
    """How many rows of an entity's batches a table has, without those of files that are held back.

    Added up per batch first: a list of batches would be searched for every row.
    """
    given: list[Any] = []
    parts = f"select _batch_id as batch, '' as file, count(*) as n from {name} group by all"
    if name == "silver.quarantine":
        parts = f"select batch_id as batch, '' as file, count(*) as n from {name} where entity = ? group by all"
        given = [entity]
    elif name.startswith("bronze."):
        parts = f"select _batch_id as batch, _source_file as file, count(*) as n from {name} group by all"
    (rows,) = connection.execute(
        f"select coalesce(sum(n), 0)::bigint from ({parts}) where list_contains(?, batch) "
        "and not list_contains(?, concat(batch, ' ', file))",
        [*given, known, held_files],
    ).fetchone()
    return int(rows)


def _current(lake: Lakehouse, names: list[str], entities: Mapping[str, Entity]) -> Iterator[Finding]:
    """The clean table of every entity has the current version of every key that its history has."""
    if "ops.batches" in lake.tables() and "ops.batches" not in names:
        return
    if journal.unfinished(lake):
        return  # in the middle of a batch they differ
    replaced = batches.replaced(batches.history(lake))
    merged = decisions.groups(lake, entities)
    for entity in entities.values():
        history, clean = entity.history.name, entity.clean.name
        there = {history, clean} & set(lake.tables())
        if not there or not there <= set(names):
            continue
        if there != {history, clean}:
            (lacking,) = {history, clean} - there
            yield Finding(
                "current", entity.name, BROKEN, f"there is no table {lacking}", f"{commits.GO_BACK}, or a backup."
            )
            continue
        with query.connect(lake, LAYERS, only=there, newest=True) as connection:
            members = merged.get(entity.name, [])
            sql = _differences(entity, replaced.get(entity.name, ()), [member.key for member in members])
            counted = connection.execute(sql).fetchone() or (0, 0, 0, 0)
            roots = [member.root for member in members if not member.rank]
            sql = f'select count(*) from {clean} where list_contains(?, "{entity.key}")'
            survive = int((connection.execute(sql, [roots]).fetchone() or (0,))[0])
        keys, *odd = (int(count) for count in counted)
        says = zip(odd, ("missing", "not in its history", "at an earlier version"), strict=True)
        differences = ", ".join(f"{count:,} {what}" for count, what in says if count)
        if differences:
            yield Finding(
                "current",
                entity.name,
                BROKEN,
                f"{clean}: of {keys:,} keys {differences}",
                f"{commits.GO_BACK}, or a backup.",
            )
        else:
            merging = (
                f"; {len(members) - len(roots):,} more were merged into {survive:,} by decisions" if members else ""
            )
            yield Finding("current", entity.name, OK, f"{keys:,} keys, each at its current version{merging}")


def _readings(lake: Lakehouse, names: list[str], entities: Mapping[str, Entity]) -> Iterator[Finding]:
    """Every file was read as the contract of today would read it."""
    if "ops.batches" not in names:
        return
    read = batches.readings(batches.history(lake))
    unlike = list(_other_evidence(lake, names, entities, read))
    yield from unlike
    for entity in entities.values():
        odd: dict[str, list[str]] = {}
        for _, file in read:
            if file.entity == entity.name and (columns := otherwise(file, entities)):
                odd.setdefault(", ".join(columns), []).append(file.name)
        for differing, files in odd.items():
            yield Finding(
                "reading",
                entity.name,
                WARNING,
                f"{', '.join(files[:3])}{f' and {len(files) - 3} more' * (len(files) > 3)}: the contract of today fills "
                f"{differing} otherwise than these rows were read",
                f"`medallion reprocess --entity {entity.name} --dry-run` shows what changes.",
            )
        doubtful = odd or any(finding.about == entity.name for finding in unlike)
        if not doubtful and any(file.entity == entity.name for _, file in read):
            yield Finding("reading", entity.name, OK, "read as the contract of today says")


def _other_evidence(
    lake: Lakehouse,
    names: list[str],
    entities: Mapping[str, Entity],
    read: list[tuple[batches.Batch, sources.SourceFile]],
) -> Iterator[Finding]:
    """Date columns whose values in bronze are, by today's rules, in another form than the one they were read in."""
    bronze = {f"bronze.{name}" for name in entities} & set(names)
    if not bronze:
        return
    with query.connect(lake, ["bronze"], only=bronze, newest=True) as connection:
        for batch in {batch.batch_id: batch for batch, _ in read}.values():
            kept = [file for of, file in read if of is batch and not file.accept and f"bronze.{file.entity}" in bronze]
            kept = [file for file in kept if not otherwise(file, entities)]

            def cells(
                file: sources.SourceFile, columns: list[str], batch: batches.Batch = batch
            ) -> Iterator[pa.RecordBatch]:
                shown = ", ".join(f'coalesce("{name}", \'\') as "{name}"' for name in columns)
                sql = f"select {shown} from bronze.{file.entity} where _batch_id = ? and _source_file = ? and _malformed is null"
                yield from connection.sql(sql, params=[batch.in_bronze, file.name]).to_arrow_table().to_batches()

            earlier = [file for of, file in read if of.known_at < batch.known_at]
            now = [sources.undated(sources.remapped(file, entities)) for file in kept]
            today = batch.known_at.date()
            settled = conventions.settle(now, entities, earlier, today=today, cells=cells)
            dates = {(file.name, file.entity): file.dates for file in settled.files}
            for file in kept:
                problems = [
                    f"{name} was read as {', '.join(file.dates.get(name, ())) or 'ISO 8601'}, but its values are in {', '.join(forms)}"
                    for name, forms in dates.get((file.name, file.entity), {}).items()
                    if set(forms) - set(file.dates.get(name, ()))
                ]
                problems += [item.problem.removeprefix(f"{file.name}: ") for item in settled.refused
                         if (item.name, item.entity) == (file.name, file.entity)]  # fmt: skip
                if problems:
                    says = f"{file.name}: {'; '.join(problems)}"
                    remedy = f"`medallion reprocess --entity {file.entity} --dry-run` shows what changes."
                    yield Finding("reading", file.entity, WARNING, says, remedy)


def otherwise(file: sources.SourceFile, entities: Mapping[str, Entity]) -> list[str]:
    """Columns that a file was read into, or would be, otherwise than the present contracts fill them."""
    before, now = (_bare(sources.undated(each)) for each in (file, sources.remapped(file, entities)))
    return sorted(name for name in {*before, *now} if before.get(name) != now.get(name))


def _bare(file: sources.SourceFile) -> dict[str, Filling]:
    """What fills the columns, without how sure someone was of it."""
    unsure = {"confidence": None, "reason": ""}
    return {name: item.model_copy(update=unsure) for name, item in file.mapping.items()}


def _proof(lake: Lakehouse, names: list[str]) -> Iterator[Finding]:
    """What the deals came to in the newest run that read something."""
    if proof.PROOFS in names and (recorded := proof.recorded(lake)):
        yield Finding("proof", "silver.leads_clean", OK, recorded[-1]["question"])


def _returned(lake: Lakehouse, names: list[str], entities: Mapping[str, Entity]) -> Iterator[Finding]:
    """Nobody who was forgotten has come back under another key."""
    if erasure_log.TABLE not in names or any(entity.clean.name in lake.tables() and entity.clean.name not in names for entity in entities.values()):  # fmt: skip
        return
    today = {(record.entity, record.key): record for record in erasure_log.returned(lake, entities)}
    back = [
        *today.values(),
        *(record for record in erasure_log.waiting(lake, entities) if (record.entity, record.key) not in today),
    ]
    for entity in dict.fromkeys(record.entity for record in back):
        records = [record for record in back if record.entity == entity]
        more = f", and {len(records) - 1:,} more like it" if len(records) > 1 else ""
        yield Finding("erasure", entity, WARNING, f"{records[0].says}{more}", erasure_log.TO_DO)
    if not back:
        yield Finding("erasure", erasure_log.TABLE, OK, "nobody who was forgotten is here under another key")


def _differences(entity: Entity, replaced: Collection[str], merged: Collection[str]) -> str:
    """SQL that counts the keys of a history, those that its clean table lacks, those that it has besides, and those of
    another version there: neither the newest by the contract nor the one that was learned last. Keys of `merged` records and
    of those that they are in are left out.
    """

    def listed(*outcomes: str) -> str:
        return ", ".join(f"'{outcome}'" for outcome in outcomes)

    arrival = "known_at, _source_file, _source_row"
    column = entity.version_column
    gone = ", ".join(f"'{batch_id}'" for batch_id in sorted(replaced)) or "''"
    newest = f'"{column}" is not null, "{column}", {arrival}' if column else arrival
    left_out = ", ".join("'" + key.replace("'", "''") + "'" for key in sorted(merged)) or "''"
    return f"""
        with wanted as (
            select "{entity.key}" as key, arg_max(_version_hash, row({newest})) as newest,
                arg_max(_version_hash, row({arrival})) as learned_last
            from {entity.history.name} where _outcome in ({listed(*STANDING, *ENDED)}) and _batch_id not in ({gone})
                and "{entity.key}" not in ({left_out}) group by 1
            having arg_max(_outcome, row({arrival})) in ({listed(*STANDING)})
        ), present as (select "{entity.key}" as key, _version_hash as version from {entity.clean.name}
            where "{entity.key}" not in ({left_out}))
        select count(wanted.key), count(*) filter (present.key is null), count(*) filter (wanted.key is null),
            count(*) filter (version not in (newest, learned_last))
        from wanted full join present on wanted.key = present.key
    """


_PARTS = ("accepted", "superseded", "duplicate", "quarantined", "excluded", "withdrawn", "merged", "erased")


def _models(settings: Settings) -> Iterator[Finding]:
    """Every model can be loaded, and the active one is unchanged."""
    folder = models.folder(settings)
    if folder is None or not folder.is_dir():
        return
    for version in registry.versions(folder):
        try:
            registry.load(folder / version)
        except LakehouseError as error:
            yield Finding("models", version, WARNING, error.problem, error.remedy or "")
    try:
        champion = registry.champion(folder)
    except registry.EarlierModelError as error:
        yield Finding("models", "champion", WARNING, error.problem, error.remedy or "")
        return
    except LakehouseError as error:
        yield Finding("models", "champion", BROKEN, error.problem, error.remedy or "")
        return
    if champion:
        yield Finding("models", champion.scorer.version, OK, "active, unchanged since it was registered")


def _proposals(lake: Lakehouse) -> Iterator[Finding]:
    """The record of proposed changes is whole."""
    try:
        count = sum(1 for _ in Actions(lake).events())
    except MedallionError as error:
        yield Finding("proposals", "actions.jsonl", BROKEN, error.problem, error.remedy or "")
        return
    if count:
        yield Finding("proposals", "actions.jsonl", OK, f"{count:,} entries, chain whole")


def document(findings: list[Finding]) -> dict[str, Any]:
    """As JSON: the worst state and all findings."""
    worst = next((state for state in (BROKEN, WARNING) if any(finding.state == state for finding in findings)), OK)
    return {"state": worst, "findings": [finding.__dict__ for finding in findings]}
