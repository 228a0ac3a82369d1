"""Accounts and contacts that may be one: pairs with evidence, what a merge would change, decisions."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from medallion import contracts, figures, pipeline
from medallion.care import compared
from medallion.config import Settings
from medallion.contracts import Entity
from medallion.errors import LakehouseError
from medallion.identities import decisions as decided
from medallion.identities import forms, matching
from medallion.identities.decisions import KEEP_APART, MERGE, UNDO, Decision
from medallion.identities.matching import Candidates, Pair
from medallion.lakehouse import contracts_in_use, query
from medallion.lakehouse.session import session
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import decisions, journal
from medallion.pipeline.result import Result
from medallion.pipeline.steps import Report

#: What can have duplicates, with the entity of each.
KINDS = {"accounts": "customers", "contacts": "contacts"}
#: Columns that a contract may have for what is compared, by what they are called.
_MEANT = {
    "name": ("customer_name", "contact_name"), "first": ("first_name",), "last": ("last_name",), "email": ("email",),
    "website": ("website", "domain", "url", "homepage"), "phone": ("phone", "mobile"), "country": ("country",), "city": ("city",),
    "street": ("street", "address", "billing_street"), "postcode": ("postal_code", "postcode", "zip", "zip_code"),
}  # fmt: skip
#: So many accounts at most share a deal by which they may be one.
_OF_FEW = 3
#: The probability from which two records that someone asks about are compared.
_HOWEVER_UNLIKELY = 0.0001


@dataclass(frozen=True)
class Side:
    """One record of a pair, as far as it is not personal; `personal` are columns that have a value."""

    key: str
    values: Mapping[str, Any]
    personal: tuple[str, ...]
    made_of: tuple[str, ...] = ()


@dataclass(frozen=True)
class Effect:
    """What a merge changes, in figures.

    Attributes:
        kind: accounts or contacts.
        before: How many there are.
        merged: How many of them go into others.
        groups: Per survivor its key, name, keys of what it is made of, deals and open pipeline of each and of all.
        deals: Deals that lead to another account than before.
        touches: Touches that do.
        currency: The currency of amounts.
    """

    kind: str
    before: int
    merged: int
    groups: tuple[dict[str, Any], ...]
    deals: int
    touches: int
    currency: str
    decisions: tuple[Decision, ...] = field(default=())

    @property
    def says(self) -> list[str]:
        """In sentences."""
        of = self.kind.removesuffix("s")
        sentences = [f"{figures.count(self.before, of)} become {self.before - self.merged:,}."]
        if self.kind == "accounts":
            moved = f"{figures.count(self.deals, 'deal')} and {figures.count(self.touches, 'touch')}"
            sentences.append(
                f"{moved.replace('touchs', 'touches')} lead to the survivor; none is counted twice or lost."
            )
            changed = sum(1 for group in self.groups if len(group["with_open_deals"]) > 1)
            whole = figures.money(sum((group["open_value"] for group in self.groups), Decimal(0)), self.currency)
            sentences.append(
                f"Open pipeline by account changes for {figures.count(changed, 'survivor')}: {whole} in all, before and after."
            )
        return sentences

    def document(self) -> dict[str, Any]:
        """As values that JSON has."""
        groups = [
            {name: str(value) if isinstance(value, Decimal) else value for name, value in group.items()}
            for group in self.groups
        ]
        return {
            "kind": self.kind,
            "before": self.before,
            "after": self.before - self.merged,
            "deals": self.deals,
            "touches": self.touches,
            "groups": groups,
        }


def candidates(settings: Settings, kind: str, threshold: float = matching.REVIEW) -> Candidates:
    """Pairs of records that may be one, without those that someone has decided to keep apart.

    Args:
        settings: Which lakehouse.
        kind: accounts or contacts.
        threshold: Probability from which a pair counts.

    Raises:
        LakehouseError: There is no such entity in the lakehouse.
        MedallionError: Splink is not installed.
    """
    lake = Lakehouse(settings.lakehouse)
    entity = _entity(lake, settings, kind)
    records, matches = _compare(lake, entity, kind)
    if threshold < matching.REVIEW:
        matches = matching.candidates(records, kind, threshold)
    apart = decided.kept_apart(decisions.read(lake), entity.name)
    left = (pair for pair in matches.pairs if pair.probability >= threshold)
    return replace(matches, pairs=tuple(pair for pair in left if frozenset((pair.left, pair.right)) not in apart))


def last_compared(lake: Lakehouse, kind: str) -> list[Pair] | None:
    """Pairs of the last comparison that may be one, without those decided since; None where nothing was compared."""
    kept = compared.read(lake, kind)
    if kept is None:
        return None
    known = decisions.read(lake)
    apart, merged = decided.kept_apart(known, KINDS[kind]), {
        decision.source_key for decision in decided.in_effect(known) if decision.entity == KINDS[kind] and decision.action == MERGE
    }  # fmt: skip
    return [
        pair
        for pair in kept.found.pairs
        if frozenset((pair.left, pair.right)) not in apart and not merged & {pair.left, pair.right}
    ]


def pair(settings: Settings, kind: str, left: str, right: str) -> Pair | None:
    """Two records as a pair, however unlikely; None where nothing by which candidates are looked for agrees.

    Args:
        settings: Which lakehouse.
        kind: accounts or contacts.
        left: Key of a record.
        right: Key of the other.

    Raises:
        LakehouseError: There is no such entity in the lakehouse.
        MedallionError: Splink is not installed.
    """
    lake = Lakehouse(settings.lakehouse)
    records, matches = _compare(lake, _entity(lake, settings, kind), kind)
    if matches.weights is None:
        return None
    pairs = matching.candidates_of(records, kind, [left], matches.weights, _HOWEVER_UNLIKELY)
    return next((pair for pair in pairs if {pair.left, pair.right} == {left, right}), None)


def _compare(lake: Lakehouse, entity: Entity, kind: str) -> tuple[pa.Table, Candidates]:
    """The records in the forms that are compared, and their pairs; only records that are new or have changed since the
    last time are compared.
    """
    before = compared.read(lake, kind)
    own, fresh = _own(lake, entity, kind, before)
    records = forms.compared(own.drop_columns(["content"]), kind)
    gone = before is not None and before.own.num_rows > own.num_rows - len(fresh)
    changed = len(fresh) + (before.changed if before else 0)
    if before is None or before.found.weights is None or changed > compared.LEARNED_FOR * own.num_rows:
        matches, changed = matching.candidates(records, kind), 0
    elif fresh or gone:
        unchanged = set(own["unique_id"].to_pylist()) - fresh
        new = matching.candidates_of(records, kind, fresh, before.found.weights)
        matches = compared.joined(before.found, unchanged, new)
    else:
        return records, before.found
    compared.keep(lake, kind, compared.Compared(own, matches, changed), uuid.uuid4().hex)
    return records, matches


def _own(lake: Lakehouse, entity: Entity, kind: str, before: compared.Compared | None) -> tuple[pa.Table, set[str]]:
    """The forms of all records, with `content`, and the keys of those that are new or have changed since."""
    tables, sql = _records(lake, entity, kind)
    with query.connect(lake, layers=["silver"], only=tables) as connection:
        connection.execute(f"create temp table asked as select *, hash(one)::varchar as content from ({sql}) one")
        if before is not None:
            connection.register("kept", before.own)
            alike = "asked.key = kept.unique_id and asked.content = kept.content"
            kept = connection.sql(f"select * from kept where exists (from asked where {alike})").to_arrow_table()
            rows = query.rows(
                connection, f"select * from asked where not exists (from kept where {alike}) order by key"
            )
            connection.unregister("kept")
        else:
            kept, rows = None, query.rows(connection, "select * from asked order by key")
    changed = (forms.of_accounts if kind == "accounts" else forms.of_contacts)(rows)
    changed = changed.append_column("content", pa.array([row["content"] for row in rows], pa.string()))
    whole = changed if kept is None else pa.concat_tables([kept.cast(changed.schema), changed]).sort_by("unique_id")
    return whole, {row["key"] for row in rows}


def _entity(lake: Lakehouse, settings: Settings, kind: str) -> Entity:
    entities = contracts.entities(contracts_in_use.overrides(lake, settings.contracts))
    entity = entities.get(KINDS[kind])
    if entity is None or not lake.exists(entity.clean.name):
        raise LakehouseError(f"{lake.root}: has no {kind}", "Run `medallion run` on exports with them first.")
    return entity


def _records(lake: Lakehouse, entity: Entity, kind: str) -> tuple[set[str], str]:
    """The tables and the query of the records of silver with what is compared, under the names that `forms` knows."""
    meant = {
        name: column for name, columns in _MEANT.items() if (column := _first(columns, entity.column_names)) is not None
    }
    chosen = ", ".join(f'c."{column}"::varchar as "{name}"' for name, column in {"key": entity.key, **meant}.items())
    tables, joined = {entity.clean.name}, ""
    if kind == "contacts":
        company = 'c."company"' if "company" in entity.column_names else "null"
        if "customer_id" in entity.column_names and lake.exists("silver.customers_clean"):
            tables.add("silver.customers_clean")
            chosen += f", coalesce(a.customer_name, {company}) as employer"
            joined = "left join silver.customers_clean a using (customer_id)"
        else:
            chosen += f", {company} as employer"
    elif lake.exists("silver.leads_clean"):
        tables.add("silver.leads_clean")
        chosen += ", coalesce(d.deals, []) as deals"
        joined = (
            "left join (with told as (select customer_id, lower(lead_name) || '|' || deal_value || '|' || created_at::date as deal "
            "from silver.leads_clean where customer_id is not null), shared as (select deal from told where deal is not null "
            f"group by 1 having count(distinct customer_id) between 2 and {_OF_FEW}) "
            "select customer_id as account, list(distinct deal order by deal) as deals from told semi join shared using (deal) group by 1"
            f') d on d.account = c."{entity.key}"'
        )
    return tables, f"select {chosen} from {entity.clean.name} c {joined}"


def _first(names: Iterable[str], there: Sequence[str]) -> str | None:
    return next((name for name in names if name in there), None)


def side(settings: Settings, kind: str, key: str) -> Side:
    """One record, without what is personal of it.

    Raises:
        LakehouseError: There is no such record.
    """
    lake = Lakehouse(settings.lakehouse)
    entity = _entity(lake, settings, kind)
    with query.connect(lake, layers=["silver"], only={entity.clean.name}) as connection:
        sql = f'select * from {entity.clean.name} where "{entity.key}" = ?'
        rows = query.rows(connection, sql, [_root(lake, entity, key)])
    if not rows:
        raise LakehouseError(
            f"{lake.root}: there is no {kind.removesuffix('s')} {key}", "Write the key as silver has it."
        )
    row = rows[0]
    personal = [c.name for c in entity.columns if c.pii]
    plain = {c.name: row[c.name] for c in entity.columns if not c.pii and c.name != entity.key}
    members = decisions.groups(lake, {entity.name: entity}).get(entity.name, [])
    made_of = tuple(member.key for member in members if member.root == row[entity.key] and member.rank)
    return Side(str(row[entity.key]), plain, tuple(name for name in personal if row[name] is not None), made_of)


def _root(lake: Lakehouse, entity: Entity, key: str) -> str:
    members = decisions.groups(lake, {entity.name: entity}).get(entity.name, [])
    roots = {member.key: member.root for member in members}
    for form in (key, key.strip().upper()):
        if form in roots:
            return roots[form]
        with query.connect(lake, layers=["silver"], only={entity.clean.name}) as connection:
            sql = f'select 1 from {entity.clean.name} where "{entity.key}" = ?'
            if query.rows(connection, sql, [form]):
                return form
    return key


def merging(settings: Settings, kind: str, keys: Sequence[str], who: str, reason: str, now: datetime) -> Effect:
    """What merging records into the first of them would change; nothing is written.

    Args:
        settings: Which lakehouse.
        kind: accounts or contacts.
        keys: Keys of the records, the survivor first.
        who: Who decides.
        reason: Why, for the record.
        now: When, UTC without zone.

    Raises:
        LakehouseError: There is no such record, they are one already, or someone has said that they are two.
    """
    lake = Lakehouse(settings.lakehouse)
    entity = _entity(lake, settings, kind)
    roots = list(dict.fromkeys(side(settings, kind, key).key for key in keys))
    if len(roots) < 2:
        raise LakehouseError(
            f"{', '.join(keys)}: are one {kind.removesuffix('s')} already", "See `medallion duplicates list --decided`."
        )
    _needs_none_apart(lake, entity, roots)
    merges = [_decision(entity, MERGE, key, roots[0], who, reason, now) for key in roots[1:]]
    return _effect(lake, settings, kind, entity, merges)


def _needs_none_apart(lake: Lakehouse, entity: Entity, keys: Sequence[str]) -> None:
    for pair in decided.kept_apart(decisions.read(lake), entity.name):
        if pair <= set(keys):
            left, right = sorted(pair)
            raise LakehouseError(
                f"{left} and {right}: someone has decided to keep them apart",
                f"Take that back with `medallion duplicates undo {left} {right}`.",
            )


def merging_above(settings: Settings, kind: str, threshold: float, now: datetime) -> tuple[Effect, int]:
    """What merging every pair from a probability on would change, and how many such pairs are left for someone to look at.

    Pairs with evidence against them are left, and so are groups that contain such a pair. The survivor is the record
    with most deals, then the one that is oldest in the CRM.

    Raises:
        LakehouseError: There is no such entity.
        MedallionError: Splink is not installed.
    """
    lake = Lakehouse(settings.lakehouse)
    entity = _entity(lake, settings, kind)
    matches = candidates(settings, kind)
    sure = [pair for pair in matches.pairs if pair.automatic and pair.probability >= threshold]
    apart = {frozenset((pair.left, pair.right)) for pair in matches.pairs if not pair.automatic}
    apart |= decided.kept_apart(decisions.read(lake), entity.name)
    groups = [group for group in _groups(sure) if not any(pair <= group for pair in apart)]
    order = _standing(lake, entity, kind)
    best: dict[str, Pair] = {}
    for pair in sure:
        for key in (pair.left, pair.right):
            if key not in best or pair.probability > best[key].probability:
                best[key] = pair
    merges = []
    for group in groups:
        first, *rest = sorted(group, key=lambda key: (*order.get(key, (0, "9999")), key))
        merges += [
            _decision(
                entity,
                MERGE,
                key,
                first,
                f"threshold {threshold:g}",
                "; ".join(best[key].evidence),
                now,
                best[key].probability,
            )
            for key in rest
        ]
    left = sum(1 for pair in matches.pairs if pair.probability >= threshold) - sum(
        1 for pair in sure if any({pair.left, pair.right} <= group for group in groups)
    )
    return _effect(lake, settings, kind, entity, merges), left


def _groups(pairs: Iterable[Pair]) -> list[set[str]]:
    """Records that pairs lead to from one another."""
    of: dict[str, set[str]] = {}
    for pair in pairs:
        whole = of.get(pair.left, {pair.left}) | of.get(pair.right, {pair.right})
        for key in whole:
            of[key] = whole
    return list({min(group): group for group in of.values()}.values())


def _standing(lake: Lakehouse, entity: Entity, kind: str) -> dict[str, tuple[int, str]]:
    """Per record how many deals it has, negative, and since when the CRM has it."""
    created = "coalesce(c.created_at::varchar, '9999')" if "created_at" in entity.column_names else "'9999'"
    deals = "0"
    if kind == "accounts" and lake.exists("silver.leads_clean"):
        deals = "(select count(*) from silver.leads_clean l where l.customer_id = c.customer_id)"
    with query.connect(lake, layers=["silver"], only={entity.clean.name, "silver.leads_clean"}) as connection:
        rows = query.rows(
            connection,
            f'select c."{entity.key}" as key, {deals} as deals, {created} as since from {entity.clean.name} c',
        )
    return {row["key"]: (-int(row["deals"]), str(row["since"])) for row in rows}


def _decision(
    entity: Entity, action: str, key: str, other: str, who: str, reason: str, now: datetime, probability: float | None = None, undoes: str | None = None
) -> Decision:  # fmt: skip
    name = hashlib.sha256(f"{entity.name} {action} {key} {other} {now.isoformat()}".encode()).hexdigest()[:8].upper()
    return Decision(name, entity.name, action, key, other, now, who, reason, probability, undoes)


def _effect(lake: Lakehouse, settings: Settings, kind: str, entity: Entity, merges: Sequence[Decision]) -> Effect:
    into = {decision.source_key: decision.entity_key for decision in merges}
    keys = sorted({*into, *into.values()})
    currency = contracts_in_use.currency(lake)
    names = {"customers": "customer_name"}.get(entity.name)
    with query.connect(lake) as connection:
        before = int(query.rows(connection, f"select count(*) as n from {entity.clean.name}")[0]["n"])
        shown = f'any_value("{names}")' if names else "null"
        sql = f'select "{entity.key}" as key, {shown} as name from {entity.clean.name} where list_contains(?, "{entity.key}") group by 1'
        known = {row["key"]: row["name"] for row in query.rows(connection, sql, [keys])}
        deals: dict[str, dict[str, Any]] = {}
        touches: dict[str, int] = {}
        if kind == "accounts":
            if lake.exists("gold.deals"):
                sql = (
                    "select customer_id as key, count(*) as deals, count(*) filter (status = 'open') as open_deals, "
                    "coalesce(sum(deal_value) filter (status = 'open'), 0) as open_value from gold.deals "
                    "where list_contains(?, customer_id) group by 1"
                )
                deals = {row["key"]: row for row in query.rows(connection, sql, [keys])}
            if lake.exists("silver.interactions_clean"):
                sql = "select customer_id as key, count(*) as n from silver.interactions_clean where list_contains(?, customer_id) group by 1"
                touches = {row["key"]: int(row["n"]) for row in query.rows(connection, sql, [keys])}
    groups = []
    for root in dict.fromkeys(into.values()):
        members = [root, *(key for key, to in into.items() if to == root)]
        value = sum((Decimal(str(deals[key]["open_value"])) for key in members if key in deals), Decimal(0))
        groups.append(
            {
                "survivor": root,
                "name": known.get(root),
                "made_of": {key: known.get(key) for key in members[1:]},
                "open_deals": sum(int(deals[key]["open_deals"]) for key in members if key in deals),
                "open_value": value,
                "with_open_deals": [key for key in members if key in deals and deals[key]["open_deals"]],
                "open_value_before": {
                    key: str(deals[key]["open_value"]) for key in members if key in deals and deals[key]["open_deals"]
                },
            }
        )
    moved = sum(int(deals[key]["deals"]) for key in into if key in deals)
    return Effect(
        kind, before, len(into), tuple(groups), moved, sum(touches.get(key, 0) for key in into), currency, tuple(merges)
    )


def merge(settings: Settings, effect: Effect, now: datetime, report: Report) -> Result:
    """Do what `merging` or `merging_above` told, as a whole or not at all.

    Raises:
        LakehouseError: Another run is writing, or a batch is unfinished.
    """
    return pipeline.decide(settings, now, effect.decisions, report)


def keep_apart(settings: Settings, kind: str, left: str, right: str, who: str, reason: str, now: datetime) -> Decision:
    """Record that two records are not one: they are not shown as a pair again, and not merged.

    Raises:
        LakehouseError: There is no such record, or they were merged.
    """
    lake = Lakehouse(settings.lakehouse)
    entity = _entity(lake, settings, kind)
    keys = [side(settings, kind, key).key for key in (left, right)]
    if keys[0] == keys[1]:
        raise LakehouseError(
            f"{left} and {right}: are one {kind.removesuffix('s')} by a decision",
            f"Take it back with `medallion duplicates undo {right}`.",
        )
    decision = _decision(entity, KEEP_APART, keys[0], keys[1], who, reason, now)
    _append(lake, settings, decision)
    return decision


def _append(lake: Lakehouse, settings: Settings, decision: Decision) -> None:
    with journal.writing(lake) as writer, writer.intent(journal.DUPLICATES, [decisions.TABLE]):
        decisions.record(session(settings.engine, settings.memory_gib), lake, [decision])


def undo(
    settings: Settings, kind: str, keys: Sequence[str], who: str, reason: str, now: datetime, report: Report
) -> tuple[Decision, Result | None]:
    """Take back the merge of a record, or that two are kept apart; gives the decision, and what the run did for a merge.

    Args:
        settings: Which lakehouse.
        kind: accounts or contacts.
        keys: Key of the record that was merged; of both that are kept apart; or the identifier of the decision.
        who: Who takes it back.
        reason: Why, for the record.
        now: When, UTC without zone.
        report: Is told of each step.

    Raises:
        LakehouseError: There is no such decision, or more than one.
    """
    lake = Lakehouse(settings.lakehouse)
    entity = _entity(lake, settings, kind)
    asked = [key.strip().upper() for key in keys]
    known = [decision for decision in decided.in_effect(decisions.read(lake)) if decision.entity == entity.name]

    def is_meant(decision: Decision) -> bool:
        named = {decision.source_key.upper(), decision.entity_key.upper()}
        if len(asked) > 1:
            return set(asked) == named
        return asked[0] == decision.decision_id or (
            decision.action == MERGE and asked[0] == decision.source_key.upper()
        )

    meant = [decision for decision in known if is_meant(decision)]
    if len(meant) != 1:
        much = "no decision is" if not meant else f"{len(meant)} decisions are"
        raise LakehouseError(f"{much} about {' and '.join(keys)}", "See `medallion duplicates list --decided`.")
    last = meant[0]
    reversal = _decision(entity, UNDO, last.source_key, last.entity_key, who, reason, now, undoes=last.decision_id)
    if last.action == MERGE:
        return last, pipeline.decide(settings, now, [reversal], report)
    _append(lake, settings, reversal)
    return last, None


def in_effect(settings: Settings, kind: str) -> list[Decision]:
    """The decisions that count, newest first."""
    lake = Lakehouse(settings.lakehouse)
    entity = _entity(lake, settings, kind)
    return [decision for decision in decided.in_effect(decisions.read(lake)) if decision.entity == entity.name][::-1]
