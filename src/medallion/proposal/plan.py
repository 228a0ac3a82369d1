"""What a contract for a folder would say: which table feeds which entity, and what fills each column there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from medallion.contracts import CONFIDENT, Entity
from medallion.figures import percent
from medallion.proposal import (
    account_columns,
    asking,
    cells,
    closing_dates,
    currency_columns,
    date_columns,
    deletions,
    ending,
    evidence,
    feeding,
    funnel,
    hyperlinks,
    junctions,
    key_columns,
    links,
    match,
    merges,
    people,
    reference_columns,
    reports,
    snapshots,
    stage_tables,
    state,
    systems,
    totals,
    vocabulary,
)
from medallion.proposal.draft import FEW, Draft
from medallion.proposal.feeds import Feed, Proposal
from medallion.proposal.match import Match
from medallion.proposal.profile import Table
from medallion.proposal.systems import System


def plan(
    tables: list[Table], entities: Mapping[str, Entity], preset: System | None = None, today: date | None = None
) -> Proposal:
    """A proposal for the tables of a folder; without a preset, of the system that their headers suggest.

    What has happened lies before the end of `today`, where that is given.
    """
    system = preset or systems.recognized([column.header for column in table.columns] for table in tables)
    matches = _without_junctions(_without_histories(match.kinds(tables, entities, system)))
    if not any(item.entity.name == "leads" for item in matches):
        matched = {id(item.table) for item in matches}
        others = [table for table in tables if id(table) not in matched]
        matches += [deals for table in others if (deals := evidence.nearest(table, entities["leads"], system))]
        if not any(item.entity.name == "leads" for item in matches):
            matches += [deals for table in others if (deals := evidence.by_state(table, entities["leads"], system))]
    settled = funnel.settle(matches, tables, entities, system)
    draft = Draft(tables, entities, settled, system, today)
    feeds = [feeding.feed(draft, item) for item in settled.matches]
    _complete(draft, feeds)
    used = {id(feed.table) for feed in draft.feeds}
    left = {
        name: settled.left.get(table.file.name) or draft.listing.get(id(table)) or _why_not(table, entities, system)
        for table in tables
        if id(table) not in used
        for name in (table.file.name, *table.more)
    }
    proposal = Proposal(system.name if system else None, draft.feeds, draft.properties, draft.further, left)
    named = {"customers": draft.named["customers"]}
    known, stems = draft.known_keys(), {stem for feed in draft.feeds for stem in feed.table.stems}
    for table in tables:
        is_settled = id(table) in {*used, *draft.listing} or table.file.name in settled.left or stems & {*table.stems}
        if not is_settled and (asked := merges.unclear(table, known) or merges.unclear(table, named)):
            proposal.unclear.append(asked)
            del left[table.file.name]
    snapshots.propose(draft.feeds, entities)
    return proposal


def _why_not(table: Table, entities: Mapping[str, Entity], system: System | None) -> str:
    if not table.rows:
        return "no rows"
    best = max((match.assign(table, entities[name], system) for name in match.TELLING), key=lambda m: m.confidence)
    if not best.confidence:
        return "nothing in it suggests an entity"
    return f"most like {best.entity.name} ({best.confidence:.2f}), but not enough"


def _without_histories(matches: list[Match]) -> list[Match]:
    """Leave out tables named as something else, such as a history, where another table holds the same entity."""

    def doubtful(item: Match) -> bool:
        return max(vocabulary.kind_of_file(stem, item.entity.name) for stem in item.table.stems) < 0

    plain = {item.entity.name for item in matches if not doubtful(item)}
    return [item for item in matches if not doubtful(item) or item.entity.name not in plain]


def _without_junctions(matches: list[Match]) -> list[Match]:
    """Leave out tables that pair the keys of two others and say nothing more."""
    telling = {"deal_value", "direction", "outcome", "duration_minutes", "notes"}
    bare = [item for item in matches if not telling & {*item.columns}]

    def pairs(item: Match) -> bool:
        keys: dict[str, set[str]] = {}
        for other in matches:
            if other is not item and (key := other.columns.get(other.entity.key)):
                keys.setdefault(other.entity.name, set()).update(key[0].forms)
        return links.is_junction(item.table, keys)

    return [item for item in matches if item not in bare or not pairs(item)]


def _complete(draft: Draft, feeds: list[Feed]) -> None:
    """Fill keys, references and states, and relax what is required but missing."""
    for feed in feeds:
        if feed.entity == "leads":
            reports.settle(feed, has_key="lead_id" in feed.fillings)
    for feed in list(feeds):
        key_columns.settle(draft, feed)
    key_columns.as_beside(draft, feeds)
    key_columns.find_padded(draft, feeds)
    for feed in list(feeds):
        if feed.entity in draft.entities and (left_out := totals.sums(feed, draft.entities[feed.entity])):
            feed.life["where"] = left_out
        if feed.entity in draft.entities:
            feeding.without_totals(draft, feed)
    for feed in [item for item in feeds if item.entity == "leads"]:
        as_mapped = feed.fillings.get("status"), feed.fillings.get("stage")
        state.status(feed, draft.entities["leads"], draft.system)
        stage_tables.of_deals(draft, feed)
        state.contradicted(feed, draft.entities["leads"], *as_mapped)
        evidence.outcome(feed, draft.entities["leads"])
        evidence.flags(feed, draft.entities["leads"])
        date_columns.closing(draft, feed)
        closing_dates.order(feed)
        date_columns.undated(draft, feed)
        currency_columns.below_zero(draft, feed)
    if not draft.named["customers"]:
        account_columns.from_deals(draft, feeds)
    for feed in [item for item in draft.feeds if draft.is_derived(item)]:
        feed.life |= next((other.life for other in feeds if other.table is feed.table and other.life), {})
    for feed in [item for item in feeds if item.entity in ("leads", "interactions")]:
        reference_columns.product(draft, feed)
        account_columns.of_records(draft, feed)
        reference_columns.lead(draft, feed)
    for feed in [item for item in feeds if item.entity == "interactions"]:
        account_columns.by_deal(draft, feed)
        if "customer_id" not in feed.fillings:
            junctions.linked(draft, feed, several=True)
        feeding.channel_and_outcome(feed)
        date_columns.occurred(draft, feed)
    for before in draft.settled.before:
        stage_tables.before(draft, before)
    for feed in [item for item in feeds if item.entity == "leads"]:
        stage_tables.history(draft, feed)
    people.add_optional(draft, "contacts")
    for feed in [item for item in draft.feeds if item.entity in ("leads", "customers", "contacts")]:
        people.owner(draft, feed, "account_manager" if feed.entity == "customers" else "owner")
    people.add_optional(draft, "owners", "quotas", "deal_contacts", "deal_products")
    account_columns.confirm(draft)
    key_columns.tell_apart(draft, [item for item in feeds if item.entity == "interactions"])
    for feed in list(draft.feeds):
        for deals in (other for other in feeds if other.entity == "leads" and other.table is feed.table):
            totals.grouped(feed, deals)
        if feed.entity in draft.entities:
            evidence.gaps(feed, draft.entities[feed.entity])
        _required(draft, feed)
        ending.settle(draft, feed)
        for name, item in feed.fillings.items():
            if item.column and not item.values and feed.table.column(item.column).denied:
                feed.fillings[name] = cells.without_denied(item, feed.table.column(item.column))
            elif item.column and feed.table.column(item.column).has_ends:
                is_closing = name in ("closed_at", "expected_close_date")
                feed.fillings[name] = cells.beginning(item, feed.table.column(item.column), is_closing)
        closing_dates.one_order(feed)
        if feed.entity in draft.entities and not draft.is_derived(feed):
            hyperlinks.ask(feed, draft.entities[feed.entity])
        _asked_once(feed)
    deletions.add(draft)
    key_columns.all_short(draft)
    key_columns.without_zeros(draft)
    order = ["owners", "customers", "products", "contacts", *draft.further, "leads", "interactions", "stage_changes"]
    order += ["deal_contacts", "deal_products", "quotas"]
    draft.feeds = sorted((f for f in draft.feeds if _possible(draft, f)), key=lambda feed: order.index(feed.entity))


def _possible(draft: Draft, feed: Feed) -> bool:
    needed = {"leads": ("lead_id", "status"), "interactions": ("interaction_id", "occurred_at")}
    return deletions.is_list(feed) or all(name in feed.fillings for name in needed.get(feed.entity, ()))


def _required(draft: Draft, feed: Feed) -> None:
    """Requirements of the shipped contract that this export cannot keep."""
    if feed.entity not in draft.entities:
        return
    entity = draft.entities[feed.entity]
    if feed.entity == "interactions" and not {"customer_id", "lead_id"} & {*feed.fillings}:
        feed.reason += "; no column says of whom, so no account and no deal gets any of these: is it so?"
        feed.confidence = min(feed.confidence, asking.ASKED)
    for column in entity.columns:
        if column.checks.get("null") != "reject" or column.default or column.derive or column.name == entity.key:
            continue
        item = feed.fillings.get(column.name)
        lacking = 1.0
        if item is not None:
            source = feed.table.column(item.column) if item.column else None
            lacking = 1 - source.filled / max(_records(feed, entity), 1) if source and item.empty is None else 0.0
        if lacking > FEW and column.name not in ("status", "occurred_at", "channel", "outcome"):
            what = {"required": False, "quality": [{"metric": "nullValues", "mustBe": 0, "severity": "warn"}]}
            draft.change(feed.entity, column.name, what)
            if item is None:  # columns that could hold it have been asked about
                feed.comments.append(f"no column holds {column.name}, so it is not required")
            elif item.confidence is None or item.confidence >= CONFIDENT:
                problem = f"{percent(lacking, 0)} of the rows have no {column.name}, so it is not required"
                feed.reason += f"; {problem}"
                feed.confidence = min(feed.confidence, 0.75)


def _records(feed: Feed, entity: Entity) -> int:
    """The rows that have a key."""
    key = feed.fillings.get(entity.key)
    rows = max((column.rows for column in feed.table.columns), default=0)
    return feed.table.column(key.column).filled if key and key.column else rows


def _asked_once(feed: Feed) -> None:
    """A column that fills two is asked about once; the answer to the first holds for the second."""
    asked: dict[str, tuple[str, str]] = {}
    for name, item in feed.fillings.items():
        if item.column is None or item.confidence is None or item.confidence >= CONFIDENT:
            continue
        answered = item.reason.startswith("one date for both") and (item.column in asked or feed.date_formats)
        if answered or item.reason == asked.get(item.column, ("", ""))[1]:
            formats = () if feed.date_formats else item.date_formats
            update = {
                "date_formats": formats,
                "confidence": CONFIDENT,
                "reason": f"{item.reason}; as {asked.get(item.column, ('the source', ''))[0]}",
            }
            feed.fillings[name] = item.model_copy(update=update)
        else:
            asked.setdefault(item.column, (name, item.reason))
