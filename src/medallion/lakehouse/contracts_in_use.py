"""The contracts in use: contract files given once apply to every later command on the lakehouse."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from medallion.contracts import Entity, Override, entities, odcs, table
from medallion.contracts.own import bring
from medallion.lakehouse import manifests, query, store
from medallion.lakehouse.store import Lakehouse

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

#: How the contract is named that the setting `currency` stands for.
_SETTING = "setting currency"
TABLE, RATES = query.CONTRACTS, "ops.rates"
#: Tables of optional entities that metrics look at.
OF_OPTIONAL = ("silver.owners_clean", "gold.attainment", "gold.contact_activity", "gold.deal_people", "gold.line_items")


def overrides(lake: Lakehouse, given: Iterable[Path] = (), newest: bool = False) -> tuple[Override, ...]:
    """The contract files to use: those given, with the setting `currency` as far as it is in use, else those in use.

    With `newest` those that a run was killed with are in use, since the next run continues it; for readers they are not.

    Raises:
        ContractError: A given file cannot be read.
    """
    used, own = _in_use(lake, newest), tuple(Override.read(path) for path in given)
    return in_currency(lake, own, entities(used)["leads"].currency if is_set(used) else None, newest) if own else used


def is_set(used: Iterable[Override]) -> bool:
    """Whether the setting `currency` is among contract files."""
    return any(each.path == _SETTING for each in used)


def for_readers(lake: Lakehouse) -> dict[str, Entity]:
    """The contracts that a lakehouse was last used with; the metrics have the columns that they bring to gold."""
    in_use = entities(overrides(lake))
    read = manifests.as_read(lake)
    bring(in_use, lake.root, (name for name in OF_OPTIONAL if read.exists(name)))
    return in_use


def currency(lake: Lakehouse) -> str:
    """ISO code of the amounts of a lakehouse: that of the deals in the contract that it was last used with."""
    return for_readers(lake)["leads"].currency


def are_in_use(lake: Lakehouse, used: tuple[Override, ...]) -> bool:
    """Whether exactly these are in use, so that someone has accepted what they guess."""
    return fingerprint(used) == fingerprint(_in_use(lake, newest=True))


def _in_use(lake: Lakehouse, newest: bool) -> tuple[Override, ...]:
    lake = lake if newest else manifests.as_read(lake)
    if not lake.exists(TABLE):
        return ()
    with query.connect(lake, layers=["ops"], only={TABLE}, newest=newest) as connection:
        rows = query.rows(connection, query.contract_files(TABLE))
    return tuple(Override(row["path"], row["content"]) for row in rows)


def in_currency(
    lake: Lakehouse, used: tuple[Override, ...], code: str | None, newest: bool = False
) -> tuple[Override, ...]:
    """The contract files with the setting `currency` as the last; unchanged without the setting.

    The currency of amounts that name none stays as it is if a contract sets it, or if deals have been read: the setting is
    then the currency that figures are shown in, and does not relabel amounts.
    """
    if code is None:
        return used
    own = tuple(each for each in used if each.path != _SETTING)
    read = lake.exists("silver.leads_history")
    tables = ""
    for name in ("leads", "products"):
        says = _says_default(own, name)
        column = entities(own if says or not read else _in_use(lake, newest))[name].column("currency")
        default, accepted, unit = f"'{code}'", [code], ""
        if (says or read) and column.default and column.default != default:
            default, accepted = column.default, [*column.accepted]
            if name == "leads":
                accepted = [*dict.fromkeys([code, *accepted])]
                unit = f", {{property: unit, value: {code}}}"
        definition = "enum: [" + ", ".join(f"{{value: {each}}}" for each in accepted) + "], customProperties: "
        definition += f'[{{property: default, value: "{default}"}}{unit}]'
        tables += f"\n  - name: {name}\n    properties:\n      - {{name: currency, {definition}}}"
    head = "apiVersion: v3.1.0\nkind: DataContract\nid: settings.currency\nversion: 1.0.0\nstatus: active\nschema:"
    return (*own, Override(_SETTING, f"{head}{tables}\n"))


def _says_default(used: Iterable[Override], entity: str) -> bool:
    """Whether contract files say in which currency an amount is of which nothing is said."""
    return any(
        str(item.property) == "default"
        for each in used
        for declared, _ in odcs.read_objects(each)
        if declared.name == entity
        for column in declared.properties or []
        if column.name == "currency"
        for item in column.customProperties or []
    )


def rates(
    lake: Lakehouse, given: Path | None = None, known_as_of: datetime | None = None, newest: bool = False
) -> Override | None:
    """The table of exchange rates to use: the given one, else the one in use, or the one that was known before a time.

    `newest` is as in `overrides`.

    Raises:
        ContractError: The given one cannot be read.
    """
    if given is not None:
        return Override.read(given)
    lake = lake if newest else manifests.as_read(lake)
    if not lake.exists(RATES):
        return None
    with query.connect(lake, layers=["ops"], only={RATES}, newest=newest) as connection:
        sql = f"select path, content from {RATES} where known_at < coalesce(?, 'infinity'::timestamp) order by known_at desc limit 1"
        rows = query.rows(connection, sql, [known_as_of])
    return Override(rows[0]["path"], rows[0]["content"]) if rows else None


def record_rates(spark: SparkSession, lake: Lakehouse, used: Override | None, now: datetime) -> None:
    """Record the table of exchange rates that a run uses, unless it is in use already."""
    known = rates(lake)
    if used is not None and (known is None or known.text != used.text):
        store.append_rows([(now, used.path, used.text)], spark, lake, table(RATES))


def record(spark: SparkSession, lake: Lakehouse, used: tuple[Override, ...], now: datetime) -> None:
    """Record the contract files that a run uses, unless they are in use already."""
    if not used or are_in_use(lake, used):
        return
    rows = [(now, position, item.path, item.text) for position, item in enumerate(used)]
    store.append_rows(rows, spark, lake, table(TABLE))


def put(spark: SparkSession, lake: Lakehouse, used: tuple[Override, ...], now: datetime) -> None:
    """Record the contract files of a lakehouse in place of those recorded before; none are the shipped ones."""
    if not are_in_use(lake, used):
        store.delete_rows(spark, lake, TABLE, "position >= 0")
        record(spark, lake, used, now)


def fingerprint(used: Iterable[Override]) -> str:
    """A hash of the texts of contract files, in their order."""
    return hashlib.sha256("\0".join(item.text for item in used).encode()).hexdigest()[:16]
