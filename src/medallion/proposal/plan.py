"""What a contract for a folder would say: which table feeds which entity, and what fills each column there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from datetime import date, timedelta
from operator import attrgetter
from typing import Any

from rapidfuzz import fuzz

from medallion.contracts import CONFIDENT, Entity, Filling, formats, money, yaml
from medallion.contracts.filling import Condition, Merged, joined
from medallion.contracts.model import DATE_FORMATS
from medallion.contracts.odcs import code, names_in
from medallion.figures import percent
from medallion.proposal import (
    activities,
    cells,
    evidence,
    funnel,
    links,
    marks,
    match,
    merges,
    optional,
    profile,
    repeats,
    snapshots,
    stages,
    state,
    systems,
    vocabulary,
)
from medallion.proposal.feeds import Feed, Proposal, feed_of
from medallion.proposal.match import Match
from medallion.proposal.profile import Column, Table
from medallion.proposal.systems import System
from medallion.sources import currencies

#: Share of rows that may lack a required value before the requirement is questioned.
_FEW = 0.02
#: Share of a column's values that lead to another table, from which it is filled by them.
_REFERS = 0.5
_ASKED_OF_FLAGS = 0.6
#: Optional entities whose records may be marked as deleted.
_WITH_LIFE = ("contacts", "deal_contacts", "deal_products")
#: What of an owner is told by the column that deals name them by, and by the one with the names.
_OF_OWNERS = {"owner_id", "owner_name", "first_name", "last_name"}
_CHANNELS = {
    "call": {"call", "calls", "phone", "phonecall", "phonecalls", "anruf", "anrufe", "llamada", "llamadas"},
    "email": {"email", "emails", "mails", "correo", "correos"},
    "meeting": {"meeting", "meetings", "appointment", "appointments", "event", "events", "reunion", "reuniones", "termin", "termine"},
    "whatsapp": {"whatsapp"},
}  # fmt: skip
_SIGNS = {"€": "EUR", "euro": "EUR", "euros": "EUR", "£": "GBP", "pounds": "GBP"}
_PLAIN_KEY = re.compile(r"[A-Z0-9][A-Z0-9_.:-]*")
_NAMES = {"name", "nombre", "nom", "nome", "naam"}
_FIRST = {"first", "firstname", "given", "vorname", "prenom"}
_LAST = {"last", "lastname", "family", "nachname", "surname", "apellido", "apellidos"}
_OF_PERSONS = {*_NAMES, *_FIRST, *_LAST}
_OTHER_NAMES = {*_FIRST, *_LAST, "user", "company", "team"}
#: A number with letters before it, as CRMs give them.
_CODE = re.compile(r"[^\W\d_]{1,4}[-_/#]?\d+")
_NUMBER_WORDS = {"number", "id", "key", "code", "ref", "no", "nr", "nummer", "numero", "numer", "codigo", "codice", "n"}
#: What no number of a record has: a decimal point, a thousands mark, a percent sign, a sign of a currency.
_NO_NUMBER = re.compile(r"[.,%$€£¥₹\s]")
#: The identifier of the first object in a list of JSON; Spark reads the expression too.
_LISTED = re.compile('"id":"?([^",}]+)')


def plan(
    tables: list[Table], entities: Mapping[str, Entity], preset: System | None = None, today: date | None = None
) -> Proposal:
    """A proposal for the tables of a folder; without a preset, of the system that their headers suggest.

    What has happened lies before the end of `today`, where that is given.
    """
    system = preset or systems.recognized([column.header for column in table.columns] for table in tables)
    matches = _without_junctions(_without_histories(match.kinds(tables, entities, system)))
    if not matches:
        matches = [found for table in tables if (found := evidence.nearest(table, entities["leads"]))]
    settled = funnel.settle(matches, tables, entities, system)
    planner = _Planner(tables, entities, settled, system, today)
    feeds = [planner.feed(item) for item in settled.matches]
    planner.complete(feeds)
    used = {id(feed.table) for feed in planner.feeds}
    left = {
        table.file.name: settled.left.get(table.file.name)
        or planner.listing.get(id(table))
        or _why_not(table, entities, system)
        for table in tables
        if id(table) not in used
    }
    proposal = Proposal(system.name if system else None, planner.feeds, planner.properties, planner.further, left)
    named = {"customers": planner.named["customers"]}
    known, stems = planner.known_keys(), {stem for feed in planner.feeds for stem in feed.table.stems}
    for table in tables:
        told = id(table) in {*used, *planner.listing} or table.file.name in settled.left or stems & {*table.stems}
        if not told and (asked := merges.unclear(table, known) or merges.unclear(table, named)):
            proposal.unclear.append(asked)
            del left[table.file.name]
    snapshots.propose(planner.feeds, entities)
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
    said = {"deal_value", "direction", "outcome", "duration_minutes", "notes"}
    bare = [item for item in matches if not said & {*item.columns}]

    def pairs(item: Match) -> bool:
        keys: dict[str, set[str]] = {}
        for other in matches:
            if other is not item and (held := other.columns.get(other.entity.key)):
                keys.setdefault(other.entity.name, set()).update(_forms(held[0]))
        return links.is_junction(item.table, keys)

    return [item for item in matches if item not in bare or not pairs(item)]


def _norm(text: str) -> str:
    return code(text)


def _forms(column: Column) -> frozenset[str]:
    return column.forms


class _Planner:
    """Works the feeds out together: keys of one are what the references of another are compared with."""

    def __init__(
        self,
        tables: list[Table],
        entities: Mapping[str, Entity],
        settled: funnel.Settled,
        system: System | None,
        today: date | None,
    ) -> None:
        self.system, self.today = system, today
        self.tables, self.entities, self.matches = tables, entities, settled.matches
        self.settled = settled
        self.feeds: list[Feed] = []
        self.properties: dict[str, dict[str, dict[str, Any]]] = {}
        self.further: dict[str, tuple[str, ...]] = {}
        self.listing: dict[int, str] = {}
        #: Entities whose keys are compared without leading zeros, each with why.
        self.padded: dict[str, str] = {}
        self.foreign = any(column.comma for table in tables for column in table.columns)
        self.named = {
            name: self._values(name, "customer_name" if name == "customers" else "product_name")
            for name in ("customers", "products")
        }
        self.keys = {name: self._values(name, entities[name].key) for name in ("customers", "products", "leads")}

    def _values(self, entity: str, canonical: str) -> set[str]:
        values: set[str] = set()
        for item in self.matches:
            if item.entity.name == entity and canonical in item.columns:
                values |= _forms(item.columns[canonical][0])
        return values

    def _day_first(self, table: Table) -> bool | None:
        found = self._agreed(table, "decided")
        return found if found is not None or self.today is None else self._by_present(table, self.today)

    def _by_present(self, table: Table, today: date) -> bool | None:
        """The order of day and month that a table's dates of what has happened tell, none of which is yet to come."""
        votes = {
            formats.by_present(column.counts, today + timedelta(days=1))
            for item in self.matches
            for name, (column, _) in item.columns.items()
            if item.table is table and item.entity.column(name).event and column.day_order.decided is None
            and not column.day_order.contradicts and column.day_order.years is False
        }  # fmt: skip
        votes.discard(None)
        return votes.pop() if len(votes) == 1 else None

    def _agreed(self, table: Table, of: str) -> bool | None:
        """What other columns tell of an order of dates: those of the table, else those of the folder."""
        for tables in ([table], self.tables):
            votes = {attrgetter(of)(column.day_order) for each in tables for column in each.columns} - {None}
            if votes:
                return votes.pop() if len(votes) == 1 else None
        return None

    def _span(self, table: Table) -> formats.Span | None:
        """The dates whose year is plain: those of the table, else those of the folder."""
        for tables in ([table], self.tables):
            columns = [column for each in tables for column in each.columns if column.share("date") > 0.5]
            if span := formats.span_of(column.counts for column in columns):
                return span
        return None

    # one table

    def feed(self, matched: Match) -> Feed:
        """A table's own columns; what has to be looked up elsewhere comes later."""
        feed = Feed(matched.table, matched.entity.name, matched.confidence, matched.reason)
        for canonical, (column, meant) in matched.columns.items():
            declared = matched.entity.column(canonical)
            item = Filling(column=column.header, confidence=meant.confidence, reason=meant.reason)
            if declared.kind in ("date", "timestamp"):
                item = self._dated(item, column, matched.table)
                if canonical == "closed_at":
                    item = cells.won_or_lost(item, column, feed.table)
            elif declared.kind == "money":
                item = cells.amount(item, column)
                if canonical == "deal_value" and item.column:
                    item = cells.actual(item, column, feed.table)
                elif canonical != "deal_value":
                    item = evidence.scaled(item, [column])
            elif canonical == "duration_minutes":
                item = cells.duration(item, column, feed.table, meant.standard)
            elif canonical == "currency" and currencies.in_company_currency(column.header):
                continue  # amounts
            elif canonical == "currency":
                item = self._currency(item, column, feed)
            elif canonical in ("source", "channel", "direction", "outcome"):
                item = self._valued(item, column, feed, declared)
            feed.fillings[canonical] = item
        closing = feed.fillings.get("closed_at")
        words = set(vocabulary.tokens(str(closing.column))) if closing else set()
        planned = words & {"close", "closing", "cierre", "cloture", "abschluss"} and "actual" not in words
        if closing and planned and "expected_close_date" not in feed.fillings:
            reason = "one date for both: planned while the deal is open"
            feed.fillings["expected_close_date"] = closing.model_copy(update={"reason": reason})
        for canonical, (column, meant) in matched.unread.items():
            feed.fillings[canonical] = cells.unread(column, meant.reason, matched.entity.column(canonical).is_time)
        if feed.entity == "leads":
            evidence.amounts(feed)
            evidence.value(feed, matched.entity)
            evidence.closing_roles(feed, matched.entity)
        _twins(feed)
        if feed.entity == "leads":
            evidence.unit(feed)
            evidence.accounts(feed)
            self._amounts(feed)
        elif feed.entity in self.entities and "currency" not in self.entities[feed.entity].column_names:
            self._amounts_of_accounts(feed)
        if doubt := self.settled.doubts.get(id(feed.table)):
            feed.confidence, feed.reason = min(feed.confidence, 0.7), f"{feed.reason}; {doubt}"
        for canonical, (column, meant) in matched.perhaps.items():
            named = Filling(column=column.header, confidence=meant.confidence)
            read = cells.duration(named, column, feed.table) if canonical == "duration_minutes" else named
            origin = f"{{sql: {yaml.quoted(read.sql)}}}" if read.sql else column.header
            feed.comments.append(f"perhaps {canonical}: {origin} ({meant.confidence:.2f}: {meant.reason})")
        self.feeds.append(feed)
        return feed

    def _closing(self, feed: Feed) -> None:
        """When deals were won and lost, by a column that no name gives away, in the form that its dates have."""
        before, expected = feed.fillings.get("closed_at"), feed.fillings.get("expected_close_date")
        evidence.closing(feed, self.entities["leads"])
        item = feed.fillings.get("closed_at")
        if (
            before is None
            and item
            and item.column
            and not item.date_formats
            and (expected is None or expected.column != item.column)
        ):
            feed.fillings["closed_at"] = self._dated(item, feed.table.column(item.column), feed.table)
            feed.comments = [each for each in feed.comments if not each.startswith("perhaps closed_at:")]

    def _dated(self, item: Filling, column: Column, table: Table) -> Filling:
        """A column of dates with the formats that it needs, by what the rest of the folder says."""
        first, years = self._day_first(table), self._agreed(table, "year_elsewhere")
        others = {kind: self._agreed(table, f"{kind}.vote") for kind in ("dots", "after_year")}
        return cells.dated(item, column, first, self.foreign, self._span(table), years, **others)

    def _amounts(self, feed: Feed) -> None:
        """A word for another currency beside amounts: mapped where it is a column, and in any case asked about."""
        used = {item.column for name, item in feed.fillings.items() if name not in ("deal_value", "currency")}
        columns = [
            currencies.Cells(c.header, c.name, c.counts, c.rows - c.filled)
            for c in feed.table.columns
            if c.header not in used
        ]
        named = {cell.header: cell.name for cell in columns}
        currency = feed.fillings.get("currency")
        if self._in_company_currency(feed, columns, currency):
            return
        if currency is None and (own := [c for c in columns if c.is_currency]):
            column = feed.table.column(own[0].header)
            item = Filling(column=column.header, confidence=0.7, reason="its values are currencies")
            currency = feed.fillings["currency"] = self._currency(item, column, feed)
        if "deal_value" not in feed.fillings:
            for cell in (c for c in columns if c.has_figures and currencies.only([c], {c.name: ""})):
                item = Filling(column=cell.header, confidence=0.6, reason="amounts in a currency")
                feed.fillings["deal_value"] = cells.amount(item, feed.table.column(cell.header))
                break
        value = feed.fillings.get("deal_value")
        amounts = {}
        if value is not None:
            headers = [value.column] if value.column else [c.header for c in columns if f"`{c.name}`" in str(value.sql)]
            amounts = {named[header]: "deal_value" for header in headers if header}
        if currency is None and (code := currencies.only(columns, amounts)) and code != "USD" and value is not None:
            reason = f"{value.reason}; every amount is in {code}, and so is every figure that is shown"
            if several := money.SHARED.get(code):
                code = several[0]
                reason = f"{value.reason}: is it {', '.join(several)}? {code} is written as the currency"
            self._in_one_currency(feed.entity, code)
            feed.fillings["deal_value"] = value = value.model_copy(update={"confidence": 0.6, "reason": reason})
        elif currency is None and value is not None and (told := self._currency_beside(feed, columns, amounts)):
            place, codes = told
            code = next(iter(codes)) if len(codes) == 1 else None
            if code:
                self._in_one_currency(feed.entity, code)
                reason = f"{place} says {code}, and nothing else says in which currency these are: every figure is shown in {code}"
            else:
                reason = ". ".join(vars(currencies.not_said(place, codes, "USD")).values())
            reason = f"{value.reason}; {reason}"
            feed.fillings["deal_value"] = value = value.model_copy(update={"confidence": 0.6, "reason": reason})
        changed = self.properties.get(feed.entity, {}).get("currency", {}).get("enum")
        default = changed[0]["value"] if changed else "USD"
        mapped = named.get(currency.column or "") if currency else None
        said = currency is not None and currency.column is None
        if doubt := currencies.doubt(columns, amounts, mapped, default, said):
            feed.comments.append(f"currency: {doubt.problem}. {doubt.remedy}")
            target = "deal_value" if value is not None else "currency" if currency is not None else ""
            if target:
                item = feed.fillings[target]
                update = {"confidence": min(item.confidence or 0.6, 0.6), "reason": f"{doubt.problem}. {doubt.remedy}"}
                feed.fillings[target] = item.model_copy(update=update)
            else:
                feed.confidence, feed.reason = min(feed.confidence, 0.7), f"{doubt.problem}. {doubt.remedy}"

    def _currency_beside(
        self, feed: Feed, columns: list[currencies.Cells], amounts: Mapping[str, str]
    ) -> tuple[str, Mapping[str, int]] | None:
        """What names a currency where the amounts of deals name none: other figures of the table, or a column of another."""
        if found := currencies.figures_beside(columns, amounts):
            return (found[0], {found[1]: 1}) if found[1] != "USD" else None
        if any(cell.is_currency for cell in columns):
            return None
        for table in (each for each in self.tables if each is not feed.table):
            cells_of = (currencies.Cells(c.header, c.name, c.counts, c.rows - c.filled) for c in table.columns)
            if found_in := currencies.elsewhere(cells_of, "USD"):
                return f"{found_in[0]} of {table.file.name}", found_in[1]
        return None

    def _in_company_currency(self, feed: Feed, columns: list[currencies.Cells], currency: Filling | None) -> bool:
        """Amounts in several currencies beside the same in the company's own, whose currency the file names."""
        own = next((c for c in columns if currencies.in_company_currency(c.header) and c.has_figures), None)
        if own is None or currency is None or currency.column is None:
            return False
        codes = next(c for c in columns if c.header == currency.column).codes()
        beside = currencies.code_beside(own, columns)
        code = beside[1] if beside else None
        if code is None or not set(codes) - {code}:
            return False
        item = Filling(column=own.header, confidence=0.6)
        foreign = ", ".join(f"{name} ({count:,})" for name, count in codes.most_common(5))
        reason = f"amounts are in {foreign}; {own.header} has all of them in {code}, which is then the currency of every figure"
        feed.fillings["deal_value"] = cells.amount(item, feed.table.column(own.header)).model_copy(
            update={"reason": reason}
        )
        header = beside[0] if beside else ""
        filled = {"column": header} if header else {"value": code}
        feed.fillings["currency"] = Filling(**filled, confidence=0.9, reason=f"that of {own.header}")
        if code != "USD":
            self._in_one_currency(feed.entity, code)
        return True

    def _amounts_of_accounts(self, feed: Feed) -> None:
        """Amounts in records that have no currency of their own: asked about where something else says another one."""
        amounts = {
            source: name
            for name, item in feed.fillings.items()
            if self.entities[feed.entity].column(name).kind == "money"
            for source in ([feed.table.column(item.column).name] if item.column else names_in(item.sql or "''"))
        }
        columns = [currencies.Cells(c.header, c.name, c.counts, c.rows - c.filled) for c in feed.table.columns]
        if doubt := currencies.of_accounts(columns, amounts, "USD"):
            for name in amounts.values():
                update = {"confidence": 0.6, "reason": f"{doubt.problem}. {doubt.remedy}"}
                feed.fillings[name] = feed.fillings[name].model_copy(update=update)

    def _currency(self, item: Filling, column: Column, feed: Feed) -> Filling:
        """One foreign currency may become the one of the lakehouse; of several, all but dollars are refused."""
        dollars = self.entities[feed.entity].column("currency").spellings
        codes: dict[str, list[str]] = {}
        for text in column.counts:
            if text.strip().lower() not in dollars:
                codes.setdefault(_SIGNS.get(text.strip().lower(), text.strip().upper()), []).append(text)
        if not codes:
            return item
        counted = ", ".join(f"{name} ({sum(column.counts[text] for text in texts)})" for name, texts in codes.items())
        foreign = sum(len(texts) for texts in codes.values())
        if len(codes) > 1 or foreign < column.distinct:
            problem = f"unless config.yaml names a table of rates (`rates:`), these rows are refused: {counted}"
            return item.model_copy(
                update={"confidence": min(item.confidence or 0.6, 0.6), "reason": f"{item.reason}; {problem}"}
            )
        name, texts = next(iter(codes.items()))
        self._in_one_currency(feed.entity, name, sorted({text.strip().lower() for text in texts} - {name.lower()}))
        reason = f"every amount is in {name}, and so is every figure that is shown"
        return item.model_copy(update={"confidence": 0.6, "reason": reason})

    def _in_one_currency(self, entity: str, name: str, others: Iterable[str] = ()) -> None:
        """Make a currency that of the lakehouse."""
        properties: list[dict[str, Any]] = [{"property": "default", "value": f"'{name}'"}]
        if others := list(others):
            properties.append({"property": "spellings", "value": {name: others}})
        self._change(entity, "currency", {"enum": [{"value": name}], "customProperties": properties})

    def _valued(self, item: Filling, column: Column, feed: Feed, declared: Any) -> Filling:
        values, unknown = cells.spellings(feed.entity, declared, column)
        if feed.entity == "interactions" and declared.name == "outcome":  # what is yet to come does not count
            coming = activities.not_done(column.header, column.counts)
            values += tuple((text, "neutral") for text, _ in unknown if text in coming)
            unknown = [pair for pair in unknown if pair[0] not in coming]
        update: dict[str, Any] = {"values": values}
        if unknown:
            shown = ", ".join(f"{text!r} ({count})" for text, count in unknown[:8])
            feed.comments.append(f"{declared.name}: not understood: {shown}")
            if declared.name in ("channel", "outcome"):
                item = item.model_copy(update={"confidence": 0.6, "reason": f"{item.reason}; what are {shown}?"})
        lacking = 1 - column.filled / max(column.rows, 1)
        if declared.name == "outcome" and lacking > 0:
            update |= {
                "empty": "neutral",
                "confidence": min(item.confidence or 0, 0.75 if lacking > _FEW else 0.8),
                "reason": f"{item.reason}; {percent(lacking, 0)} are empty, taken as neutral",
            }
        elif declared.name == "channel" and lacking > 0:
            update["empty"] = _channel_of(feed.table) or "other"
        return item.model_copy(update=update)

    # what one table says of another

    def complete(self, feeds: list[Feed]) -> None:
        """Keys, references, states and what is required and missing."""
        for feed in list(feeds):
            self._key(feed)
        self._as_beside(feeds)
        self._padded(feeds)
        for feed in list(feeds):
            if feed.entity in self.entities:
                evidence.sums(feed, self.entities[feed.entity])
        for feed in [item for item in feeds if item.entity == "leads"]:
            told = feed.fillings.get("status"), feed.fillings.get("stage")
            state.status(feed, self.entities["leads"])
            self._stages(feed)
            state.contradicted(feed, self.entities["leads"], *told)
            evidence.outcome(feed, self.entities["leads"])
            evidence.flags(feed, self.entities["leads"])
            self._closing(feed)
            evidence.order(feed)
            self._undated(feed)
            self._credits(feed)
        if not self.named["customers"]:
            self._customers_from_deals(feeds)
        for feed in [item for item in feeds if item.entity in ("leads", "interactions")]:
            self._product(feed)
            self._customer(feed)
            self._lead(feed)
        for feed in [item for item in feeds if item.entity == "interactions"]:
            self._by_deal(feed)
            if "customer_id" not in feed.fillings:
                self._linked(feed, several=True)
            _interaction(feed)
            self._occurred(feed)
        for before in self.settled.before:
            self._before(before)
        for feed in [item for item in feeds if item.entity == "leads"]:
            self._history(feed)
        self._optional("contacts")
        for feed in [item for item in self.feeds if item.entity in ("leads", "customers", "contacts")]:
            self._owner(feed, "account_manager" if feed.entity == "customers" else "owner")
        self._optional("owners", "quotas", "deal_contacts", "deal_products")
        self._all_short()
        self._confirm()
        self._same_ids([item for item in feeds if item.entity == "interactions"])
        for feed in list(self.feeds):
            for deals in (other for other in feeds if other.entity == "leads" and other.table is feed.table):
                evidence.grouped(feed, deals)
            if feed.entity in self.entities:
                evidence.gaps(feed, self.entities[feed.entity])
            self._required(feed)
            self._ended(feed)
            for name, item in feed.fillings.items():
                if item.column and not item.values and feed.table.column(item.column).denied:
                    feed.fillings[name] = cells.without_denied(item, feed.table.column(item.column))
            evidence.one_order(feed)
            _asked_once(feed)
        self._without_zeros()
        order = ["owners", "customers", "products", "contacts", *self.further, "leads", "interactions", "stage_changes"]
        order += ["deal_contacts", "deal_products", "quotas"]
        self.feeds = sorted((f for f in self.feeds if self._possible(f)), key=lambda feed: order.index(feed.entity))

    def _undated(self, feed: Feed) -> None:
        """Deals won or lost without a day of closing count on another day: that is said, and asked where they are many."""
        item = feed.fillings.get("closed_at")
        if item is None or item.column is None:
            return
        ended = [
            bool(day)
            for state_, day in evidence.states(feed, self.entities["leads"], feed.table.column(item.column))
            if state_ in ("won", "lost")
        ]
        lacking = len(ended) - sum(ended)
        if not lacking:
            return
        other = next((feed.fillings[name] for name in ("updated_at", "created_at") if name in feed.fillings), None)
        day = f"the day in {other.column}" if other and other.column else "no day"
        reason = f"{item.reason}; {lacking:,} of {len(ended):,} deals won or lost have none and count on {day}"
        update: dict[str, Any] = {"reason": reason}
        if lacking > _FEW * len(ended):
            reason += (
                ": is that so? to leave it empty, write {name: closed_at, transformLogic: \"CASE WHEN status IN ('won', 'lost') THEN "
                'closed_at END"} under the properties of leads'
            )
            update = {"reason": reason, "confidence": min(item.confidence or 0, 0.7)}
        feed.fillings["closed_at"] = item.model_copy(update=update)

    def _credits(self, feed: Feed) -> None:
        """Amounts below 0 count where a contract says so: proposed, and asked about."""
        if not (count := evidence.below_zero(feed)):
            return
        self._change(
            feed.entity, "deal_value", {"logicalTypeOptions": {"minimum": -100_000_000_000, "maximum": 100_000_000_000}}
        )
        item = feed.fillings["deal_value"]
        reason = (
            f"{item.reason}; {count:,} are below 0: credits that lessen revenue? without `minimum` they are refused"
        )
        update = {"confidence": min(item.confidence or 1, 0.6), "reason": reason}
        feed.fillings["deal_value"] = item.model_copy(update=update)

    def _possible(self, feed: Feed) -> bool:
        needed = {"leads": ("lead_id", "status"), "interactions": ("interaction_id", "occurred_at")}
        return all(name in feed.fillings for name in needed.get(feed.entity, ()))

    def _repeated(self, feed: Feed, header: str | None = None) -> repeats.Repeated | None:
        """A key that several rows share, asked about with what these rows are; `header` is that of a file beside it."""
        entity = self.entities[feed.entity]
        found = None if self._is_derived(feed) else repeats.own(feed, entity, self.system, header)
        if found is None:
            return None
        others = {name: item for name, item in feed.fillings.items() if item.column != found.column.header}
        others.pop(entity.key, None)
        feed.fillings = {entity.key: repeats.key(feed, found), **others}
        feed.key = ()
        feed.comments = [each for each in feed.comments if not each.startswith(f"perhaps {entity.key}:")]
        if feed.entity in self.keys:
            self.keys[feed.entity] |= _forms(found.column)
        written = [text for (text,) in feed.table.together(found.column)]
        if not all(_PLAIN_KEY.fullmatch(text.upper()) for text in written if text) or _told_apart_by_case(written):
            self._as_written(feed.entity, entity.key)
        return found

    def _as_beside(self, feeds: list[Feed]) -> None:
        """Files of one kind have one key: where a column is the key of one, it is that of the others, also if it repeats there."""
        for feed in feeds:
            own = feed.fillings.get(self.entities[feed.entity].key) if feed.entity in self.entities else None
            if own is None or not str(own.sql).startswith(("md5(", "concat(nullif(")) or "?" in own.reason:
                continue
            headers = {column.header for column in feed.table.columns}
            alike = (f for f in feeds if f.entity == feed.entity and {c.header for c in f.table.columns} == headers)
            keys = [item.column for f in alike if (item := f.fillings.get(self.entities[f.entity].key)) and item.column]
            if keys:
                held = feed.fillings.pop(self.entities[feed.entity].key)
                if self._repeated(feed, keys[0]) is None:
                    feed.fillings = {self.entities[feed.entity].key: held, **feed.fillings}

    def _key(self, feed: Feed) -> None:
        entity = self.entities[feed.entity]
        key = entity.key
        if self._repeated(feed):
            return
        name = {"customers": "customer_name", "products": "product_name"}.get(feed.entity)
        if key not in feed.fillings and name and (found := self._referred_to(feed)):
            own, other, table = found
            reason = f"every row has its own, and {other.header} of {table.file.name} refers to it"
            feed.fillings = {key: Filling(column=own.header, confidence=0.9, reason=reason), **feed.fillings}
            self.keys[feed.entity] |= _forms(own)
            for deals in (item for item in self.feeds if item.table is table and item.entity == "leads"):
                deals.fillings.setdefault(
                    key, Filling(column=other.header, confidence=0.9, reason="as the accounts call it")
                )
        if key not in feed.fillings and name in feed.fillings:
            item, reason, sure = feed.fillings[name], "no other identifier; names are keys", 1.0
            column = feed.table.column(item.column) if item.column else None
            if column and (often := [(text, count) for text, count in column.counts.most_common() if count > 1]):
                text, count = often[0]
                reason += f", and {len(often):,} of them stand in several rows, such as {text[:40]!r} in {count}: each becomes one"
                sure = 0.6
            update = {"reason": reason, "confidence": min(item.confidence or 0, sure)}
            feed.fillings = {key: item.model_copy(update=update), **feed.fillings}
        elif name and name not in feed.fillings and key in feed.fillings:
            feed.fillings[name] = feed.fillings[key].model_copy(update={"reason": "no name; the identifier is used"})
        if key not in feed.fillings and (column := _own_number(feed)):
            words = {*vocabulary.tokens(column.header), *vocabulary.words_of(column.header)}
            named = bool(words & _NUMBER_WORDS)
            reason = "every row has its own, and nothing else tells them apart"
            coded = all(map(_CODE.fullmatch, column.counts))
            if feed.table.of is not None:
                named, coded, reason = False, False, f"{reason}, in the first {column.rows:,} rows"
            if not named and not coded:
                reason += ": is it a number that the CRM gives, or happens none to stand twice?"
            item = Filling(column=column.header, confidence=0.88 if named else 0.8 if coded else 0.7, reason=reason)
            feed.fillings = {key: item, **feed.fillings}
            if feed.entity in self.keys:
                self.keys[feed.entity] |= _forms(column)
        if key not in feed.fillings and (pair := evidence.key_of_two(feed)):
            of_lines = [own for own, line in (pair, pair[::-1]) if repeats.numbers_lines(line)]
            if of_lines and self._repeated(feed, of_lines[0].header):
                return
            feed.key = tuple(column.header for column in pair)
            sure = 0.85 if feed.table.rows <= profile.COMPARED else 0.7
            reason = f"{' and '.join(feed.key)} tell the rows apart together, neither does alone"
            feed.fillings = {
                key: Filling(sql=joined(column.name for column in pair), confidence=sure, reason=reason),
                **feed.fillings,
            }
            written = [":".join(cells) for cells in feed.table.together(*pair)]
            if not all(_PLAIN_KEY.fullmatch(text.upper()) for text in written) or _told_apart_by_case(written):
                self._as_written(feed.entity, key)
            return
        if key not in feed.fillings:
            cells = ", ".join(f"`{column.name}`" for column in feed.table.columns)
            feed.fillings = {
                key: Filling(
                    sql=f"md5(concat_ws('|', {cells}))", confidence=0.65, reason="no identifier; a hash of all cells"
                ),
                **feed.fillings,
            }
            return
        held = feed.fillings[key]
        if held.column is None:
            return
        own = feed.table.column(held.column)
        if evidence.is_asked(held) and _numbers_rows(feed.table, own):
            held = feed.fillings[key] = held.model_copy(update={"confidence": 0.85})
        dated = "updated_at" in feed.fillings or self._is_derived(feed)
        if not dated and (several := _in_several_rows(feed, own)):
            keys = "1 key" if len(several) == 1 else f"{len(several):,} keys"
            reason = (
                f"{held.reason}; {keys}, such as {several[0]!r}, in several rows that differ, and no column says which is the "
                "newest: the last row counts"
            )
            feed.fillings[key] = held.model_copy(
                update={"confidence": min(held.confidence or 0, 0.7), "reason": reason}
            )
        texts = own.counts
        upper = {re.sub(r"\s+", "", text).upper() for text in texts}
        plain = all(_PLAIN_KEY.fullmatch(text) for text in upper)
        if plain and len(upper) >= 0.999 * len(texts) and not _told_apart_by_case(texts):
            return
        why = "has other characters than a code" if not plain else "differs by case alone"
        feed.comments.append(f"{key} {why}, so it is compared as written")
        self._as_written(feed.entity, key)

    def _referred_to(self, feed: Feed) -> tuple[Column, Column, Table] | None:
        """The column of a table without a known key that numbers its rows, as the deals show: theirs lead to it."""
        used = {item.column for item in feed.fillings.values()}
        for column in feed.table.columns:
            told = column.share("code") + column.share("number") > 0.9 and column.share("date") < 0.5
            if (
                not column.is_unique
                or column.header in used
                or not told
                or column.distinct < 5
                or evidence.says_amount(column)
            ):
                continue
            small = all(text.isdigit() and len(text) < 4 for text in column.counts)  # are among any that count from one
            for item in self.matches:
                for other in item.table.columns if item.entity.name == "leads" else ():
                    alike = fuzz.ratio(vocabulary.bare(column.header), vocabulary.bare(other.header)) >= 85
                    if (alike or not small) and other.among(column.forms, 0.9):
                        return column, other, item.table
        return None

    def _as_written(self, entity: str, key: str) -> None:
        """Compare a key, and what refers to it, letter by letter."""
        self._change(
            entity, key, {"primaryKey": True, "semanticType": "text", "logicalTypeOptions": {"pattern": r"^\S.*$"}}
        )
        for other in self.entities.values():
            for declared in other.columns:
                if declared.reference and declared.reference.entity == entity:
                    self._change(other.name, declared.name, {"semanticType": "text"})

    def _change(self, entity: str, column: str, what: dict[str, Any]) -> None:
        self.properties.setdefault(entity, {}).setdefault(column, {}).update(what)

    def _customers_from_deals(self, feeds: list[Feed]) -> None:
        """Without a table of accounts, the deals tell which there are."""
        for feed in [
            item for item in feeds if item.entity == "leads" and {"company", "customer_id"} & {*item.fillings}
        ]:
            name = feed.fillings.get("company") or feed.fillings["customer_id"]
            key = feed.fillings.get("customer_id") or name
            if name.column is None or key.column is None:
                continue
            reason = "no table of accounts; those that deals name"
            column = feed.table.column(key.column)
            if key.column == name.column and len(_forms(column)) < column.distinct:
                sql = f"trim(regexp_replace(lower(`{column.name}`), '[^\\\\p{{L}}\\\\p{{N}}]+', ' '))"
                several = f"{column.distinct} spellings of {len(_forms(column))} names, without case and punctuation"
                key = Filling(sql=sql, confidence=0.85, reason=f"{reason}; {several}")
                feed.fillings["customer_id"] = key
                self._as_written("customers", "customer_id")
            if feed.reason.endswith("if not, delete this source"):
                feed.reason += ", and that of customers with its accounts"
            customers = Feed(feed.table, "customers", 0.8, reason)
            asked = {"reason": reason}  # with the deal, unless the names are none
            if not _is_opaque(feed.table.column(name.column)):
                asked["confidence"] = max(name.confidence or 0, CONFIDENT)  # type: ignore[assignment]
            customers.fillings = {
                "customer_id": key if key.sql else key.model_copy(update=asked),
                "customer_name": name.model_copy(update=asked),
            }
            self.feeds.append(customers)
            self._key(customers)
            self.named["customers"] |= _forms(feed.table.column(name.column))
            self.keys["customers"] |= _forms(column)

    def _best(
        self, table: Table, wanted: Set[str], first: str | None, but: str | None = None
    ) -> tuple[Column, float] | None:
        """The column whose values are most among those wanted; the one already matched by name wins a tie."""
        if not wanted:
            return None
        shares = []
        for column in table.columns:
            if column.header == but and but != first:
                continue
            forms = _forms(column) if column.among(wanted, 0.5) else frozenset()
            if forms and (column.header == first or len(forms) >= min(3, len(wanted))):
                shares.append((round(len(forms & wanted) / len(forms), 2), column.header == first, column))
        shares.sort(key=lambda item: (round(item[0] + 0.02 * item[1], 2), item[1]), reverse=True)
        return (shares[0][2], shares[0][0]) if shares and shares[0][0] >= 0.5 else None

    def _customer(self, feed: Feed) -> None:
        """Who the row is about: by identifier, by name, or through a table of contacts."""
        held = feed.fillings.get("customer_id")
        first = held.column if held else None
        own = feed.fillings.get(self.entities[feed.entity].key) if feed.entity != "customers" else None
        by_key = self._best(feed.table, self.keys["customers"], first, own.column if own else None)
        company = feed.fillings.get("company")
        by_name = self._best(feed.table, self.named["customers"], company.column if company else first)
        if held and held.sql:
            return
        if max((found[1] for found in (by_key, by_name) if found), default=0) < 0.9 and self._linked(feed):
            return
        if (
            by_key
            and (not by_name or by_key[1] >= by_name[1] - 0.05)
            and self.keys["customers"] != self.named["customers"]
        ):
            column, share = by_key
            feed.fillings["customer_id"] = Filling(
                column=column.header,
                confidence=_sure(share),
                reason=f"{percent(share, 0)} of its values are known accounts",
            )
        elif by_name:
            column, share = by_name
            feed.fillings["customer_id"] = Filling(
                column=column.header,
                lookup="customers",
                by="customer_name",
                confidence=_sure(share),
                reason=f"{percent(share, 0)} of its values are names of accounts",
            )
        elif (
            not self._first_of_several(feed, first)
            and not self._in_list(feed)
            and not self._bridge(feed)
            and held
            and self.keys["customers"]
        ):
            forms = _forms(feed.table.column(first)) if first else set()
            known = len(forms & self.keys["customers"])
            reason = f"{held.reason}; but {known or 'none'} of its {len(forms)} values are known accounts"
            if self._short(feed, str(first), forms):
                return
            if _stems(forms) & _stems(self.keys["customers"]):
                reason += (
                    "; they are the short (15) and long (18 characters) forms of Salesforce identifiers: fill both "
                    'customer_id with {sql: "substring(COLUMN, 1, 15)"}'
                )
            update = {"confidence": min(held.confidence or 0, 0.7), "reason": reason}
            feed.fillings["customer_id"] = held.model_copy(update=update)
            if not known:
                feed.comments.append("customer_id: rows of unknown accounts are kept and counted as warnings")
                check = {"type": "custom", "engine": "medallion", "implementation": "reference", "severity": "warn"}
                self._change(feed.entity, "customer_id", {"quality": [check]})

    def _short(self, feed: Feed, header: str, forms: Set[str]) -> bool:
        """Cut identifiers to 15 characters where the accounts have 18 and what refers to them 15, or the reverse."""
        accounts = feed_of(self.feeds, "customers")
        key = self._own(accounts) if accounts else None
        if accounts is None or key is None or accounts.table is feed.table:
            return False
        lengths = {len(text) for text in key.counts}, {len(form) for form in forms}
        cut = {text[:15] for text in key.counts}
        known = forms & _forms(key) or {form[:15] for form in forms} & {_norm(text) for text in cut}
        if lengths not in (({18}, {15}), ({15}, {18})) or len(cut) < key.distinct or len(known) < 0.9 * len(forms):
            return False
        why = "Salesforce identifiers of 15 characters in one file and 18 in the other: the first 15 are the same"
        for other, column in ((accounts, key), (feed, feed.table.column(header))):
            said = accounts.fillings["customer_id"].sql if other is accounts else None
            sql = f"substring({said or f'`{column.name}`'}, 1, 15)"
            other.fillings["customer_id"] = Filling(sql=sql, confidence=0.92, reason=why)
        self._as_written("customers", "customer_id")
        self.keys["customers"] |= {_norm(text) for text in cut}
        return True

    def _padded(self, feeds: list[Feed]) -> None:
        """Numbers of records that one file writes with leading zeros and another without: the same but for these."""
        for entity in ("customers", "leads", "products"):
            name = self.entities[entity].key
            owners = [feed for feed in feeds if feed.entity == entity and self._own(feed)]
            texts = {text for feed in owners for text in feed.column_of(name).counts}  # type: ignore[union-attr]
            bare = {text.lstrip("0") for text in texts}
            if not texts or "" in bare or len(bare) < len(texts) or not all(map(str.isdecimal, texts)):
                continue
            for feed in (other for other in feeds if other.entity != entity):
                refers = feed.column_of(name)
                written = {*refers.counts} if refers else set()
                known = {text for text in written if text.lstrip("0") in bare}
                if refers and len(written & texts) < 0.5 * len(written) <= len(written) * 0.9 <= len(known):
                    self.padded[entity] = (
                        f"{refers.header} of {feed.table.file.name} and {owners[0].column_of(name).header} of "  # type: ignore[union-attr]
                        f"{owners[0].table.file.name} are the same but for leading zeros"
                    )
                    self.keys[entity] |= {_norm(text) for text in known}
                    for each in owners:
                        each.confidence = max(each.confidence, 0.9)

    def _without_zeros(self) -> None:
        """Keys that one file writes with leading zeros are read without them, and so is what refers to them."""
        for entity, why in self.padded.items():
            key = self.entities[entity].key
            for feed in self.feeds:
                for name, item in feed.fillings.items():
                    if not ((name == key and not item.lookup) or (item.lookup == entity and item.by == key)):
                        continue
                    text = f"`{feed.table.column(item.column).name}`" if item.column else item.sql
                    if text:
                        update = {"column": None, "sql": f"regexp_replace(trim({text}), '^0+', '')"}
                        feed.fillings[name] = item.model_copy(update=update | {"reason": f"{item.reason}; {why}"})

    def _all_short(self) -> None:
        """What refers to accounts whose identifiers are cut is cut too."""
        accounts = feed_of(self.feeds, "customers")
        key = accounts.fillings.get("customer_id") if accounts else None
        if accounts is None or key is None or not str(key.sql).startswith("substring("):
            return
        for feed in self.feeds:
            item = feed.fillings.get("customer_id")
            if item and item.column and item.lookup is None and feed is not accounts:
                sql = f"substring(`{feed.table.column(item.column).name}`, 1, 15)"
                feed.fillings["customer_id"] = item.model_copy(update={"column": None, "sql": sql})

    def _confirm(self) -> None:
        """A table of accounts is one for sure where others refer to its records by their identifiers."""
        for accounts in [feed for feed in self.feeds if feed.entity == "customers"]:
            key = self._own(accounts)
            if (
                key is None
                or not key.is_unique
                or accounts.confidence >= 0.8
                or any(f.table is accounts.table for f in self.feeds if f is not accounts)
            ):
                continue
            for feed in self.feeds:
                item = feed.fillings.get("customer_id")
                if feed is accounts or item is None or not item.column or item.lookup:
                    continue
                forms = _forms(feed.table.column(item.column))
                if forms and len(forms & _forms(key)) >= 0.9 * len(forms) and len(forms) > 1:
                    accounts.confidence = 0.9
                    accounts.reason += f"; {feed.table.file.name} refers to its records"
                    break

    def _free(self, feed: Feed) -> list[Table]:
        """The tables that hold no entity."""
        used = {id(item.table) for item in self.feeds if item.entity not in self.further}
        used |= {id(before.match.table) for before in self.settled.before}
        return [table for table in self.tables if id(table) not in used and table is not feed.table]

    def _further(self, table: Table, reason: str, fillings: dict[str, Filling], confidence: float = 0.9) -> str:
        """A further entity that a table feeds, to be looked up in; the one that is there already if it says the same."""
        name = self._further_name(table)
        for other in self.feeds:
            if other.table is table and other.entity in self.further and _bare(other.fillings) == _bare(fillings):
                return other.entity
        while name in self.further:
            name = f"{name}_too"
        self.further[name] = tuple(fillings)
        self.feeds.append(Feed(table, name, confidence, reason, fillings))
        return name

    def _own(self, feed: Feed) -> Column | None:
        """The column with the identifiers of a feed's records."""
        return feed.column_of(self.entities[feed.entity].key)

    def _stages(self, feed: Feed) -> None:
        """The state of a deal's stage as the CRM's own table of stages tells it, before any guess by words."""
        held = [item.column for name in ("stage", "status") if (item := feed.fillings.get(name)) and item.column]
        found = [told for table in self._free(feed) if (told := stages.of(table))]
        use = stages.used(found, feed.table, held)
        if use is None:
            return
        table, pipeline = use.stages.table, use.stages.pipeline
        key = Filling(column=use.by.header, confidence=0.95, reason="what deals name a stage by")
        text = Filling(column=use.column.header)
        if use.pipeline and pipeline:
            key = Filling(
                sql=_joined(pipeline, use.by), confidence=0.9, reason="names repeat from one pipeline to another"
            )
            text = Filling(sql=_joined(use.pipeline, use.column))
        fillings = {"record_id": key}
        for name, column in (
            ("label", use.stages.label),
            ("position", use.stages.position),
            ("probability", use.stages.probability),
        ):
            if column:
                fillings[name] = Filling(column=column.header, confidence=0.9, reason="its name")
        sure, reason = stages.explained(use)
        fillings["state"] = Filling(sql=use.stages.sql, confidence=0.95, reason=use.stages.basis)
        status = feed.fillings["status"]
        keeps = status.sql is not None or (status.column not in (None, use.column.header) and self._tells(feed))
        by_label = use.by is use.stages.label
        if keeps and by_label:
            return
        name = self._further(table, f"the stages that {use.column.header} of {feed.table.file.name} names", fillings)
        looked_up = text.model_copy(update={"lookup": name, "by": "record_id", "confidence": sure, "reason": reason})
        if not keeps:
            feed.fillings["status"] = looked_up.model_copy(update={"take": "state"})
        if not by_label and use.stages.label:
            reason = f"the names that {table.file.name} has for its values"
            feed.fillings["stage"] = looked_up.model_copy(
                update={"take": "label", "confidence": max(sure, 0.9), "reason": reason}
            )
        else:
            stage = feed.fillings.get("stage") or Filling(column=use.column.header)
            feed.fillings["stage"] = stage.model_copy(
                update={
                    "column": use.column.header,
                    "confidence": 0.9,
                    "reason": f"its values are stages in {table.file.name}",
                }
            )

    def _tells(self, feed: Feed) -> bool:
        """Whether a column of states, all of which are understood, tells how deals ended."""
        column = feed.table.column(str(feed.fillings["status"].column))
        meant = [match.meaning("leads", self.entities["leads"].column("status"), text) for text in column.counts]
        return all(meant) and bool({"won", "lost"} & {meaning.value for meaning in meant if meaning})

    def _linked(self, feed: Feed, several: bool = False) -> bool:
        """The account of a record by a junction file, of several the primary one; through contacts where these have it."""
        own = self._own(feed)
        if own is None:
            return False
        free, mine = self._free(feed), (feed.entity, self._keys_of_all(feed))
        link = links.between(free, mine, ("customers", self.keys["customers"]))
        customer = None
        if link:
            customer = Filling(column=link.to.header, confidence=0.95, reason="known accounts")
        for table in free if link is None else []:
            for key in [c for c in table.columns if c.filled and c.is_unique and c.share("date") < 0.5]:
                knows = self._knows_account(table)
                others = [other for other in free if other is not table]
                link = links.between(others, mine, ("contacts", _forms(key))) if knows else None
                if link is not None and knows is not None:
                    record = Filling(column=key.header, confidence=0.95, reason="every row has its own")
                    reason = f"leads from {link.table.file.name} to accounts"
                    name = self._further(table, reason, {"record_id": record, "customer_id": knows}, 0.85)
                    customer = Filling(
                        column=link.to.header, lookup=name, by="record_id", take="customer_id",
                        confidence=0.9, reason=f"known in {table.file.name}",
                    )  # fmt: skip
                    break
            if link is not None:
                break
        if link is None or customer is None:
            return False
        if link.several and feed.entity == "interactions" and not several:
            told = f"{link.table.file.name} has several accounts for {link.several:,} of {link.records:,} and marks none as primary"
            feed.comments.append(f"customer_id: {told}; where the deal tells one, that one counts")
            return False
        self._through(feed, own, link, "customer_id", customer)
        return True

    def _keys_of_all(self, feed: Feed) -> frozenset[str]:
        """Keys of the records of all files of an entity: one junction may be for calls, meetings and e-mails alike."""
        own = [self._own(other) for other in self.feeds if other.entity == feed.entity]
        return frozenset().union(*(_forms(column) for column in own if column))

    def _through(self, feed: Feed, own: Column, link: links.Link, canonical: str, target: Filling) -> None:
        """Fill a column by a junction file, and say what it does not tell."""
        pair = f"concat_ws('|', {', '.join(f'`{c.name}`' for c in link.table.columns if c.distinct > 1 or c in (link.of, link.to))})"
        of = Filling(column=link.of.header, confidence=0.95, reason=f"{feed.entity} of {feed.table.file.name}")
        if link.one:
            of = Filling(sql=link.one, confidence=0.9, reason=link.because)
        fillings = {
            "record_id": Filling(sql=pair, confidence=0.9, reason="one row for each pair"),
            "of_record": of,
            canonical: target,
        }
        if canonical == "lead_id":
            reason = "the account of the deal"
            fillings["customer_id"] = target.model_copy(
                update={"lookup": "leads", "by": "lead_id", "take": "customer_id", "reason": reason}
            )
        table = link.table.file.name
        name = self._further(link.table, f"tells what {feed.table.file.name} belongs to", fillings)
        forms = _forms(own)
        absent = len(forms - _forms(link.of))
        what = "accounts" if canonical == "customer_id" else "deals"
        reason, confidence = f"{table} tells the {what} of {percent(1 - absent / len(forms), 0)}", 0.93
        if link.because:
            reason += f"; {link.because}"
        if link.further:
            reason += f", and {link.further:,} further {what} of the same records do not count"
        if link.guessed:
            reason, confidence = f"{reason}: is it the primary one?", 0.75
        if link.several:
            reason += f"; {link.several} have several and nothing marks one of them, so these get none"
            confidence = 0.7
        if link.lacking:
            reason += f"; of {link.lacking} none is marked, so these get none"
            confidence = min(confidence, 0.75)
        if canonical == "customer_id" and absent + link.several + link.lacking:
            if absent > _FEW * len(forms):
                reason, confidence = f"{reason}; {absent} have none", min(confidence, 0.75)
            check = {"metric": "nullValues", "mustBe": 0, "severity": "warn"}
            self._change(feed.entity, "customer_id", {"required": False, "quality": [check]})
        feed.fillings[canonical] = Filling(
            column=own.header, lookup=name, by="of_record", take=canonical, confidence=confidence, reason=reason
        )

    def _before(self, before: funnel.Before) -> None:
        """Leads that became deals: read as a table of their own, so that none counts twice."""
        item = before.match
        reason = f"the stage before the deals of {before.deals.table.file.name}, which are not counted twice"
        fillings = {"record_id": Filling(column=before.key.header, confidence=0.95, reason="every row has its own")}
        if before.deal:
            count = f"{before.deal.filled} of {before.deal.rows} became a deal"
            fillings["deal_id"] = Filling(column=before.deal.header, confidence=0.95, reason=count)
        feed = Feed(item.table, "leads", 0.9, reason)
        for name in ("status", "source", "created_at"):
            column = item.columns[name][0] if name in item.columns else None
            if column is not None and column not in (before.key, before.deal):
                filling = Filling(column=column.header, confidence=0.9, reason=item.columns[name][1].reason)
                if name == "source":
                    filling = self._valued(filling, column, feed, self.entities["leads"].column("source"))
                fillings[name] = filling
        name = self._further(item.table, reason, fillings)
        deals = next((f for f in self.feeds if f.table is before.deals.table and f.entity == "leads"), None)
        if deals is None or "source" in deals.fillings or "source" not in fillings:
            return
        own = self._own(deals)
        link = (before.named_by, "record_id") if before.named_by else (own, "deal_id")
        if link[0] is not None:
            deals.fillings["source"] = Filling(
                column=link[0].header, lookup=name, by=link[1], take="source",
                confidence=0.9, reason=f"where its lead in {item.table.file.name} came from",
            )  # fmt: skip

    def _history(self, feed: Feed) -> None:
        """Changes of stage that a table beside the deals tells."""
        own, stage = self._own(feed), feed.fillings.get("stage")
        if own is None or stage is None or stage.column is None:
            return
        known = _forms(feed.table.column(stage.column))
        tables = [f for f in self.feeds if stage.lookup and f.entity == stage.lookup]
        for told in tables:
            held = told.fillings["record_id"].column
            known |= _forms(told.table.column(held)) if held else frozenset()
        used = {id(f.table) for f in self.feeds}
        for table in [t for t in self._free(feed) if id(t) not in used]:
            found = funnel.history(table, _forms(own), known)
            if found is None:
                continue
            reason = f"each row is a deal of {feed.table.file.name} and a stage that it entered"
            changes = Feed(table, "stage_changes", found.confidence, reason)
            if found.key:
                changes.fillings["change_id"] = Filling(
                    column=found.key.header, confidence=0.9, reason="every row has its own"
                )
            entered = Filling(column=found.entered.header, confidence=found.confidence, reason="its name; dates")
            changes.fillings |= {
                "lead_id": Filling(column=found.deal.header, confidence=0.95, reason="known deals"),
                "stage": stage.model_copy(
                    update={"column": found.stage.header, "confidence": 0.9, "reason": "stages of the deals"}
                ),
                "entered_at": self._dated(entered, found.entered, table),
            }
            self.feeds.append(changes)

    def _first_of_several(self, feed: Feed, first: str | None) -> bool:
        """A cell that lists several identifiers counts for the first of them."""
        if first is None:
            return False
        column = feed.table.column(first)
        for mark in (";", ",", "|"):
            forms = {_norm(text.split(mark)[0]) for text in column.counts if text}
            sql = f"trim(substring_index(`{column.name}`, '{mark}', 1))"
            if any(mark in text for text in column.counts) and self._known_by(
                feed, sql, forms, "the first where several are listed"
            ):
                return True
        return False

    def _in_list(self, feed: Feed) -> bool:
        """The identifier of the first object in a list, as APIs tell what a record belongs to."""
        for column in feed.table.columns:
            lists = [_LISTED.search(text) for text in column.counts if text.startswith("[{")]
            forms = {_norm(match[1]) for match in lists if match}
            sql = f"nullif(regexp_extract(`{column.name}`, '{_LISTED.pattern}', 1), '')"
            if sum(map(bool, lists)) >= 0.5 * max(column.distinct, 1) and self._known_by(
                feed, sql, forms, f"the first identifier in {column.header}"
            ):
                return True
        return False

    def _known_by(self, feed: Feed, sql: str, forms: Set[str], reason: str) -> bool:
        """Fill the account by an expression if half of what it gives, or more, are known accounts."""
        share = len(forms & self.keys["customers"]) / max(len(forms), 1)
        if share < 0.5:
            return False
        explained = f"{reason}; {percent(share, 0)} are known accounts"
        feed.fillings["customer_id"] = Filling(sql=sql, confidence=_sure(share), reason=explained)
        return True

    def _bridge(self, feed: Feed) -> bool:
        """Through another table: its key is in this one, and it knows the account."""
        used = {id(item.table) for item in self.feeds}
        for table in self.tables:
            if id(table) in used:
                continue
            keys = [
                column for column in table.columns if column.filled and column.is_unique and column.share("date") < 0.5
            ]
            for key in keys:
                here = self._best(feed.table, _forms(key), None)
                customer = self._knows_account(table)
                if not here or customer is None or here[1] < 0.6:
                    continue
                record = Filling(column=key.header, confidence=0.95, reason="every row has its own")
                name = self._further(
                    table,
                    f"leads from {feed.table.file.name} to its account",
                    {"record_id": record, "customer_id": customer},
                    0.85,
                )
                feed.fillings["customer_id"] = Filling(
                    column=here[0].header,
                    lookup=name,
                    by="record_id",
                    take="customer_id",
                    confidence=_sure(here[1]),
                    reason=f"{percent(here[1], 0)} of its values are in {table.file.name}, which knows the account",
                )
                return True
        return False

    def _knows_account(self, table: Table) -> Filling | None:
        """What tells the account of a table's rows, by key or by name."""
        keyed = self._best(table, self.keys["customers"], None)
        named = self._best(table, self.named["customers"], None)
        if not keyed and not named:
            return None
        by_key = keyed is not None and (named is None or keyed[1] >= named[1])
        column, share = keyed if by_key and keyed else named  # type: ignore[misc]
        reason = f"{percent(share, 0)} of its values are {'known accounts' if by_key else 'names of accounts'}"
        customer = Filling(column=column.header, confidence=_sure(share), reason=reason)
        return customer if by_key else customer.model_copy(update={"lookup": "customers", "by": "customer_name"})

    def _further_name(self, table: Table) -> str:
        name = re.sub(r"[^a-z0-9]+", "_", table.stems[0].lower()).strip("_")
        return name if re.match(r"[a-z]", name) and name not in self.entities else f"further_{name}"

    def _owner(self, feed: Feed, canonical: str) -> None:
        """An owner named by an identifier is looked up in the table of users that the folder has."""
        item = feed.fillings.get(canonical)
        if item is None or item.column is None:
            return
        wanted = _forms(feed.table.column(item.column))
        used = {id(each.table) for each in self.feeds if each.entity not in (*self.further, "owners")}
        for table in self.tables:
            if id(table) in used or not wanted:
                continue
            for key in table.columns:
                known = _forms(key) if key.filled and key.is_unique else set()
                if len(known & wanted) < 0.5 * len(wanted) or not (named := _person(table, key)):
                    continue
                by = self._people(table, key, named, f"the people behind {item.column} of {feed.table.file.name}")
                if by is None:
                    continue
                share = len(known & wanted) / len(wanted)
                feed.fillings[canonical] = Filling(
                    column=item.column,
                    lookup="owners",
                    by=by,
                    take="owner_name",
                    confidence=_sure(share),
                    reason=f"{percent(share, 0)} of its values are in {table.file.name}, which has the names",
                )
                return
        if _is_opaque(feed.table.column(item.column)):
            reason = f"{item.reason}; identifiers, and no table here has the names"
            feed.fillings[canonical] = item.model_copy(update={"reason": reason})

    def _people(self, table: Table, key: Column, named: Filling, reason: str) -> str | None:
        """The column of owners that has these identifiers; None where another table holds them, or they are another key."""
        owners = feed_of(self.feeds, "owners")
        if owners is None:
            chosen, perhaps, _ = match.pairs(table, self.entities["owners"], self.system)
            taken = {key.name, *([table.column(named.column).name] if named.column else ())}
            kept = {name: pair for name, pair in chosen.items() if pair[0].name not in taken and name not in _OF_OWNERS}
            owners = self.feed(Match(table, self.entities["owners"], 0.9, reason, kept, perhaps, {}))
            own = Filling(column=key.header, confidence=0.95, reason="every row has its own")
            owners.fillings = {"owner_id": own, "owner_name": named, **owners.fillings}
            self._key(owners)
        if owners.table is not table:
            return None
        return next((name for name in ("owner_id", "email") if owners.column_of(name) is key), None)

    def _optional(self, *names: str) -> None:
        """Optional entities of these names, from tables that hold none of the others."""
        used = {id(feed.table) for feed in self.feeds if feed.entity not in self.further} | {*self.listing}
        used |= {id(before.match.table) for before in self.settled.before}
        tables = [table for table in self.tables if id(table) not in used and table.file.name not in self.settled.left]
        known = {item.entity for item in self.feeds}
        for item in optional.matches(tables, [self.entities[name] for name in names], self.system, self.keys):
            name = item.entity.name
            if name == "owners" and name in known:
                continue
            feed = self.feed(item)
            if item.entity.key in feed.fillings:
                self._key(feed)
                self.keys.setdefault(name, set()).update(_forms(c) if (c := self._own(feed)) else ())
            if "customer_id" in item.entity.column_names and "customer_id" not in feed.fillings:
                self._by_name(feed, "customer_id", "company", "customers")
            if name == "deal_products" and "product_id" not in feed.fillings:
                self._by_name(feed, "product_id", "product_name", "products")
            if name == "contacts":
                self._in_place_of_further(feed)
        for feed in [item for item in self.feeds if item.entity == "interactions" and "contacts" in names]:
            held = feed.fillings.get("contact_id")
            found = self._best(feed.table, self.keys.get("contacts", set()), held.column if held else None)
            if found and found[1] >= _REFERS:
                reason = f"{percent(found[1], 0)} of its values are known contacts"
                reached = Filling(column=found[0].header, confidence=_sure(found[1]), reason=reason)
                feed.fillings["contact_id"] = reached

    def _in_place_of_further(self, contacts: Feed) -> None:
        """What is looked up in a table of contacts is looked up in them, and in nothing else that the table feeds."""
        for other in [each for each in self.feeds if each.table is contacts.table and each.entity in self.further]:
            key, account = other.fillings.get("record_id"), other.fillings.get("customer_id")
            own = contacts.fillings.get("contact_id")
            if not key or not account or not own or key.column != own.column:
                continue
            contacts.fillings["customer_id"] = account
            to = {"lookup": "contacts", "by": "contact_id"}
            for feed in self.feeds:
                for name, item in feed.fillings.items():
                    if item.lookup == other.entity:
                        feed.fillings[name] = item.model_copy(update=to)
            del self.further[other.entity]
            self.feeds.remove(other)

    def _by_name(self, feed: Feed, canonical: str, written: str, entity: str) -> None:
        """Look a reference up by the name that is written in a row, where the other table has most of these names."""
        item = feed.fillings.get(written)
        forms = _forms(feed.table.column(item.column)) if item and item.column else frozenset()
        share = len(forms & self.named[entity]) / max(len(forms), 1)
        if item and share >= _REFERS:
            by = {"customers": "customer_name", "products": "product_name"}[entity]
            reason = f"{percent(share, 0)} of its values are names of {'accounts' if entity == 'customers' else entity}"
            found = Filling(column=item.column, lookup=entity, by=by, confidence=_sure(share), reason=reason)
            feed.fillings[canonical] = found

    def _lead(self, feed: Feed) -> None:
        """The deal that a touch was about."""
        if feed.entity != "interactions" or not self.keys["leads"]:
            return
        held = feed.fillings.get("lead_id")
        named = feed.table.column(held.column) if held and held.column else None
        best: tuple[Column, float] | None = None
        if named is not None and named.filled:
            forms = _forms(named)
            share = round(len(forms & self.keys["leads"]) / max(len(forms), 1), 2)
            best = (named, share) if share >= 0.5 else None
        else:
            other = self._best(feed.table, self.keys["leads"], None)
            used = {item.column for item in feed.fillings.values()}
            codes = other is not None and other[0].header not in used and not all(t.isdigit() for t in other[0].counts)
            best = other if codes else None
        if best:
            column, share = best
            reason = f"{percent(share, 0)} of its values are known deals"
            feed.fillings["lead_id"] = Filling(column=column.header, confidence=_sure(share), reason=reason)
            return
        own = self._own(feed)
        link = (
            links.between(self._free(feed), (feed.entity, self._keys_of_all(feed)), ("leads", self.keys["leads"]))
            if own
            else None
        )
        if own and link:
            deal = Filling(column=link.to.header, confidence=0.95, reason="known deals")
            self._through(feed, own, link, "lead_id", deal)
            return
        if held and held.column:
            forms = _forms(feed.table.column(held.column))
            if forms and len(forms & self.keys["leads"]) < 0.2 * len(forms):
                feed.fillings.pop("lead_id")
                feed.comments.append(f"perhaps lead_id: {held.column}, but its values are not identifiers of deals")

    def _by_deal(self, feed: Feed) -> None:
        """The account of a touch is that of its deal, where nothing else tells it."""
        lead = feed.fillings.get("lead_id")
        if "customer_id" in feed.fillings or lead is None or not self.keys["leads"]:
            return
        update = {"take": "customer_id", "reason": "the account of the deal"}
        if lead.lookup is None:
            update |= {"lookup": "leads", "by": "lead_id"}
        feed.fillings["customer_id"] = lead.model_copy(update=update)

    def _named_days(self, feed: Feed) -> list[tuple[Column, Any]]:
        """Columns of dates whose names say that something took place then, the surest first."""
        entity = self.entities["interactions"]
        dates = [column for column in feed.table.columns if column.filled and column.share("date") > 0.7]
        named = [(column, vocabulary.header(column.header, entity, "occurred_at")) for column in dates]
        sure = [(column, meant) for column, meant in named if meant and meant.confidence >= CONFIDENT]
        return sorted(sure, key=lambda pair: -pair[1].confidence)

    def _occurred(self, feed: Feed) -> None:
        """The best day that there is of a touch: its own, else when it was done, due, entered or last changed."""
        item = feed.fillings.get("occurred_at")
        if item is None or item.column is None or evidence.is_asked(item):
            return
        held, others = feed.table.column(item.column), []
        own = [c for c, meant in self._named_days(feed) if activities.is_late(held) and not activities.is_late(c)]
        if own:  # created or changed is the last resort
            held = own[0]
            item = Filling(column=held.header, confidence=item.confidence, reason="its name; dates")
            item = self._dated(item, held, feed.table)
            if evidence.is_asked(item):
                feed.fillings["occurred_at"] = item
                return
        needed, usual = {*item.date_formats}, not item.date_formats
        for column, what in activities.days(feed, held):
            dated = self._dated(Filling(column=column.header), column, feed.table)
            if dated.confidence is None:  # nothing is in doubt
                others.append((column, what))
                usual = usual and not dated.date_formats
                needed |= {*dated.date_formats}
        taken = activities.occurred(feed, item, held, others)
        if taken is not item:
            formats_of_all = () if usual else (*sorted(needed), *(one for one in DATE_FORMATS if one not in needed))
            feed.fillings["occurred_at"] = taken.model_copy(update={"date_formats": formats_of_all})

    def _product(self, feed: Feed) -> None:
        held = feed.fillings.get("product_id")
        if feed.entity != "leads" or not self.keys["products"]:
            return
        first = held.column if held else None
        by_key, by_name = (
            self._best(feed.table, self.keys["products"], first),
            self._best(feed.table, self.named["products"], first),
        )
        if by_name and (not by_key or by_name[1] >= by_key[1]):
            column, share = by_name
            feed.fillings["product_id"] = Filling(
                column=column.header,
                lookup="products",
                by="product_name",
                confidence=_sure(share),
                reason=f"{percent(share, 0)} of its values are names of products",
                values=_almost(column, feed_of(self.feeds, "products"), "product_name"),
            )
        elif by_key:
            column, share = by_key
            feed.fillings["product_id"] = Filling(
                column=column.header,
                confidence=_sure(share),
                reason=f"{percent(share, 0)} of its values are known products",
            )

    def _same_ids(self, feeds: list[Feed]) -> None:
        """Tables that number their touches each from one get a mark before the number."""
        for feed in feeds:
            held = feed.fillings.get("interaction_id")
            if held is None or held.column is None or len(feeds) < 2:
                continue
            mine = _forms(feed.table.column(held.column))
            for other in feeds:
                theirs = other.fillings.get("interaction_id")
                if other is feed or theirs is None or (theirs.column is None and theirs.sql is None):
                    continue
                column = theirs.column or next(
                    (c.header for c in other.table.columns if f"`{c.name}`" in str(theirs.sql)), None
                )
                if column and mine & _forms(other.table.column(column)):
                    mark = re.sub(r"[^A-Z0-9]+", "-", feed.table.stems[0].upper())[:12].strip("-")
                    name = feed.table.column(held.column).name
                    feed.fillings["interaction_id"] = Filling(
                        sql=f"concat('{mark}-', `{name}`)",
                        confidence=0.85,
                        reason=f"the same numbers are used in {other.table.file.name}",
                    )
                    break

    def _required(self, feed: Feed) -> None:
        """Requirements of the shipped contract that this export cannot keep."""
        if feed.entity not in self.entities:
            return
        entity = self.entities[feed.entity]
        for column in entity.columns:
            if column.checks.get("null") != "reject" or column.default or column.derive or column.name == entity.key:
                continue
            item = feed.fillings.get(column.name)
            lacking = 1.0
            if item is not None:
                held = feed.table.column(item.column) if item.column else None
                lacking = 1 - held.filled / max(_records(feed, entity), 1) if held and item.empty is None else 0.0
            if lacking > _FEW and column.name not in ("status", "occurred_at", "channel", "outcome"):
                what = {"required": False, "quality": [{"metric": "nullValues", "mustBe": 0, "severity": "warn"}]}
                self._change(feed.entity, column.name, what)
                if item is None:  # columns that could hold it have been asked about
                    feed.comments.append(f"no column holds {column.name}, so it is not required")
                elif item.confidence is None or item.confidence >= CONFIDENT:
                    problem = f"{percent(lacking, 0)} of the rows have no {column.name}, so it is not required"
                    feed.reason += f"; {problem}"
                    feed.confidence = min(feed.confidence, 0.75)

    def _ended(self, feed: Feed) -> None:
        """What ends a record of a table, by the columns that mark it and the files that list merges.

        An account that is only named in rows of another entity does not end with one of them: such a row does not count.
        """
        if feed.entity not in ("leads", "customers", "interactions", "stage_changes", *_WITH_LIFE):
            return
        if feed.entity == "interactions" and (counts := activities.planned(feed)):
            feed.life["where"] = counts
        columns = [column for column in feed.unmapped if self._may_end(feed, column)]
        if feed.entity == "leads" and (told := feed.column_of("status")) and marks.marked(told.header, told.counts):
            columns.append(told)
        telling = [
            c for c in columns if not marks.is_pointer(c.header) and (_is_sure(c) or marks.marked(c.header, c.counts))
        ]
        said = [self._mark(feed, column, len(telling) < 2) for column in columns]
        conditions = [condition for condition in said if condition]
        if conditions:
            sql = " OR ".join(item.when if len(conditions) == 1 else f"({item.when})" for item in conditions)
            sure = min(item.confidence or 0 for item in conditions)
            condition = Condition(when=sql, confidence=sure, reason="; ".join(item.reason for item in conditions))
            if self._is_derived(feed):
                feed.life["where"] = condition.model_copy(
                    update={"when": f"NOT coalesce(try_cast({sql} AS boolean), false)"}
                )
            else:
                feed.life["absent"] = condition
        self._no_business(feed)
        if "mergedInto" not in feed.life and not self._is_derived(feed) and (merged := self._merges(feed)):
            feed.life["mergedInto"] = merged

    def _no_business(self, feed: Feed) -> None:
        """Rows that a flag says to be tests, copies, templates or the like: they count unless someone says no."""
        flags = [
            (c, told) for c in feed.unmapped if marks.is_no_business(c.header) and (told := marks.flagged(c.counts))
        ]
        if not flags:
            return
        shown = " and ".join(f"{c.header} marks {sum(told.values()):,} of {c.rows:,} rows" for c, told in flags)
        said = feed.life.get("where")
        conditions = [said.when] if isinstance(said, Condition) else []
        every = " AND ".join([*conditions, *(marks.counts_all(column.name) for column, _ in flags)])
        reason = (
            f"{shown}: are these tests, copies or others that do not count? Then delete this confidence, and they are left out; "
            f"else write where: {yaml.quoted(every)}, and they count"
        )
        if self._is_derived(feed):
            reason = f"{shown}: as for the deals, change both"
        if isinstance(said, Condition) and said.reason:
            reason = f"{said.reason}; {reason}"
        when = " AND ".join(
            [*(f"({each})" for each in conditions), *(marks.unflagged(c.name, told) for c, told in flags)]
        )
        feed.life["where"] = Condition(
            when=when, confidence=CONFIDENT if self._is_derived(feed) else _ASKED_OF_FLAGS, reason=reason
        )

    def _mark(self, feed: Feed, column: Column, alone: bool) -> Condition | None:
        """By which condition a column marks rows as ended; where it names survivors, that is said of the feed."""
        marked = marks.marked(column.header, column.counts)
        rows = sum(marked.values())
        if marks.is_pointer(column.header):
            if self._is_derived(feed):
                return None
            if not marked and marks.may_mark(column.header) and column.share("code") + column.share("number") < 0.9:
                return None
            known = len({_norm(text) for text in marked} & self._own_keys(feed))
            sure = 0.95 if known >= 0.9 * len(marked) else 0.85
            reason = f"its name; {rows} records were merged, {known} of {len(marked)} survivors are in the table"
            feed.life["mergedInto"] = Merged(column=column.header, confidence=sure, reason=reason)
            return None
        sure = _is_sure(column) or self._says_deleted(column)
        if not marked and not sure:
            return None
        told = f"{column.header} marks {rows:,} of {column.rows:,} rows"
        if not sure:
            shown = ", ".join(repr(text) for text in list(marked)[:3])
            told += (
                f" ({shown}): have these ended? Then delete this confidence and they leave the figures ({rows:,} rows are "
                'withdrawn); else write when: "false", and they count'
            )
        return Condition(
            when=marks.ended(column.header, column.name, column.counts, alone),
            confidence=0.95 if sure else 0.6,
            reason=told,
        )

    def _may_end(self, feed: Feed, column: Column) -> bool:
        """Whether a column may say that records have ended; an archived activity is an old one."""
        old = feed.entity == "interactions" and marks.is_put_away(
            column.header, marks.marked(column.header, column.counts)
        )
        return marks.may_mark(column.header) and (not old or self._says_deleted(column))

    def _says_deleted(self, column: Column) -> bool:
        """Whether the system that the export comes from means deleted by such a header, and nothing else."""
        return self.system is not None and vocabulary.bare(column.header) in self.system.deleted

    def _is_derived(self, feed: Feed) -> bool:
        """Whether a table holds accounts only as far as its deals or touches name them."""
        others = (other for other in self.feeds if other.table is feed.table)
        return feed.entity == "customers" and any(other.entity != "customers" for other in others)

    def _own_keys(self, feed: Feed) -> set[str]:
        own = self._own(feed)
        return set(_forms(own)) if own else set()

    def known_keys(self) -> dict[str, set[str]]:
        """Per entity the keys of its tables, where they are a column."""
        keys: dict[str, set[str]] = {}
        for feed in self.feeds:
            if feed.entity in ("leads", "customers", "interactions") and not self._is_derived(feed):
                keys.setdefault(feed.entity, set()).update(self._own_keys(feed))
        return keys

    def _live_keys(self, entity: str) -> set[str]:
        """Keys of an entity's records that no column marks as ended; of a table with such columns those of its first records."""
        keys: set[str] = set()
        for feed in self.feeds:
            held = self._own(feed) if feed.entity == entity else None
            if held is None or self._is_derived(feed):
                continue
            marking = [c for c in feed.table.columns if c is not held and marks.may_mark(c.header)]
            told = [(c, found) for c in marking if (found := marks.marked(c.header, c.counts))]
            if not told:
                keys |= _forms(held)
                continue
            rows = feed.table.together(held, *(column for column, _ in told))
            there = {
                (_norm(key), any(cell in found for cell, (_, found) in zip(cells, told, strict=True)))
                for key, *cells in rows
            }
            keys |= {key for key, ended in there if not ended} - {key for key, ended in there if ended}
        return keys - {""}

    def _merges(self, feed: Feed) -> Merged | None:
        """The table that lists which records of a feed were merged into which."""
        keys = self.known_keys()
        used = {id(other.table) for other in self.feeds}
        for table in self.tables if keys.get(feed.entity) else ():
            if id(table) in used and (table is feed.table or not merges.is_named(table)):
                continue
            if merged := merges.is_listed_in(table, feed.entity, keys, lambda: self._live_keys(feed.entity)):
                before = self.listing.get(id(table))
                self.listing[id(table)] = f"{before} and {feed.entity}" if before else f"lists merges of {feed.entity}"
                return merged
        return None


def _is_sure(column: Column) -> bool:
    return marks.is_sure(column.header, column.counts, column.share("date") > 0.9)


def _twins(feed: Feed) -> None:
    """Columns of one header: the one with values counts where the others are empty, else someone has to say which."""
    for canonical, item in feed.fillings.items():
        if item.column is None:
            continue
        bare = _norm(item.column)
        same = [column for column in feed.table.columns if _norm(column.header) == bare]
        filled = [column for column in same if column.filled]
        if len(same) < 2 or not filled or all(column.counts == same[0].counts for column in same):
            continue
        examples = " and ".join(column.examples(1) or "nothing" for column in same)
        reason = f"{item.reason}; {len(same)} columns have this name and hold {examples}"
        confidence = 0.85 if len(filled) == 1 else 0.5
        update = {"column": None, "sql": f"`{filled[0].name}`", "reason": reason}
        feed.fillings[canonical] = item.model_copy(
            update={**update, "confidence": min(item.confidence or 0, confidence)}
        )


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


def _joined(*columns: Column) -> str:
    return f"concat_ws('|', {', '.join(f'`{column.name}`' for column in columns)})"


def _is_opaque(column: Column) -> bool:
    return column.share("code") + column.share("number") > 0.9 and column.share("email") == 0


def _person(table: Table, key: Column) -> Filling | None:
    """The column that has the name of a contact, or first and last name together."""
    said = [(column, set(vocabulary.words_of(column.header))) for column in table.columns if column.filled]
    said = [(column, words) for column, words in said if column is not key]
    if match.PLACES & {word for stem in table.stems for word in vocabulary.words_of(stem)}:
        return None
    said = [(column, words) for column, words in said if not words & match.PLACES]
    for longest in (1, 2):
        for column, words in said:
            if words & _NAMES and len(words) <= longest and not words & _OTHER_NAMES:
                return Filling(column=column.header, confidence=0.9, reason="its name")
    first, last = (next((column for column, words in said if words & names), None) for names in (_FIRST, _LAST))
    if first and last:
        sql = f"trim(concat_ws(' ', `{first.name}`, `{last.name}`))"
        return Filling(sql=sql, confidence=0.9, reason="first and last name")
    return None


def _told_apart_by_case(texts: Iterable[str]) -> bool:
    """Whether two identifiers differ by case alone, and not because one was typed in another case throughout."""
    spelled: dict[str, set[str]] = {}
    for text in {re.sub(r"\s+", "", text) for text in texts}:
        spelled.setdefault(text.upper(), set()).add(text)
    alike = (text for forms in spelled.values() if len(forms) > 1 for text in forms)
    return any(text not in (text.upper(), text.lower()) for text in alike)


def _stems(forms: Set[str]) -> set[str]:
    """The first 15 characters of identifiers of 15 or 18 characters."""
    return {form[:15] for form in forms if len(form) in (15, 18)}


def _in_several_rows(feed: Feed, key: Column) -> list[str]:
    """Keys of which several rows say different things."""
    if key.distinct == key.filled or any(f.header != key.header for f in feed.table.columns if f.name == key.name):
        return []
    place = feed.table.columns.index(key)
    met: dict[str, set[tuple[str, ...]]] = {}
    for record in feed.table.together(*feed.table.columns):
        if key.counts[record[place]] > 1:
            met.setdefault(record[place], set()).add(record)
    return [text for text, records in met.items() if len(records) > 1]


def _numbers_rows(table: Table, column: Column) -> bool:
    """Whether each row has a code of its own, such as OP-17, or a number under a header that says number or code."""
    if not column.is_unique or column.rows < 2 or table.of is not None or any(map(_NO_NUMBER.search, column.counts)):
        return False
    plain = column.share("number") > 0.9 and bool({*vocabulary.tokens(column.header)} & _NUMBER_WORDS)
    return plain or all(map(_CODE.fullmatch, column.counts))


def _own_number(feed: Feed) -> Column | None:
    """The first column that numbers the rows, of those that fill nothing yet; never an amount, a share, a date or a name."""
    used = {item.column for item in feed.fillings.values()}
    for column in feed.table.columns:
        number = column.share("code") + column.share("number") > 0.9 and not any(map(_NO_NUMBER.search, column.counts))
        other = column.share("date") > 0.5 or column.share("email") > 0.5 or column.share("phone") > 0.9
        other = other or evidence.says_amount(column) or bool({*vocabulary.words_of(column.header)} & _OF_PERSONS)
        if column.is_unique and column.rows > 1 and number and not other and column.header not in used:
            return column
    return None


def _bare(fillings: Mapping[str, Filling]) -> dict[str, Filling]:
    """What fills the columns, without why."""
    return {name: item.model_copy(update={"reason": ""}) for name, item in fillings.items()}


def _sure(share: float) -> float:
    return round(0.6 + 0.38 * share, 2) if share >= 0.55 else 0.7


def _almost(column: Column, feed: Feed | None, canonical: str) -> tuple[tuple[str, str], ...]:
    """Spellings that lead nowhere but differ from a known name by spaces and signs alone."""
    item = feed.fillings.get(canonical) if feed else None
    if feed is None or item is None or item.column is None:
        return ()
    names = {_norm(text).replace("_", ""): text for text in feed.table.column(item.column).counts}
    exact = {_norm(text) for text in feed.table.column(item.column).counts}
    return tuple(
        (text, names[bare])
        for text in column.counts
        if _norm(text) not in exact and (bare := _norm(text).replace("_", "")) in names
    )


def _channel_of(table: Table) -> str | None:
    words = {word for stem in table.stems for word in vocabulary.tokens(stem)}
    return next((channel for channel, names in _CHANNELS.items() if words & names), None)


def _interaction(feed: Feed) -> None:
    """Channel and outcome where the table has no column for them."""
    if "channel" not in feed.fillings:
        channel = _channel_of(feed.table)
        reason = "the table's name" if channel else "nothing tells the channel"
        feed.fillings["channel"] = Filling(value=channel or "other", confidence=0.9 if channel else 0.5, reason=reason)
    outcome = feed.fillings.get("outcome")
    if outcome is None or (outcome.column and not feed.table.column(outcome.column).filled):
        reason = "nothing tells how it went" if outcome is None else f"{outcome.column} is empty"
        feed.fillings["outcome"] = Filling(value="neutral", confidence=0.5, reason=reason)
