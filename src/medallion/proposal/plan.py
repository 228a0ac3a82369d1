"""What a contract for a folder would say: which table feeds which entity, and what fills each column there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from medallion.contracts import Entity, Filling, formats
from medallion.contracts.odcs import code, names_in
from medallion.figures import percent
from medallion.proposal import cells, marks, match, state, systems, vocabulary
from medallion.proposal.feeds import Feed, Proposal, feed_of
from medallion.proposal.match import Match
from medallion.proposal.profile import Column, Table
from medallion.proposal.systems import System
from medallion.sources import currencies

#: Share of rows that may lack a required value before the requirement is questioned.
_FEW = 0.02
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
_OTHER_NAMES = {*_FIRST, *_LAST, "user", "company", "team"}
#: The identifier of the first object in a list of JSON; Spark reads the expression too.
_LISTED = re.compile('"id":"?([^",}]+)')


def plan(tables: list[Table], entities: Mapping[str, Entity], preset: System | None = None) -> Proposal:
    """A proposal for the tables of a folder; without a preset, of the system that their headers suggest."""
    system = preset or systems.recognized([column.header for column in table.columns] for table in tables)
    matches = _without_histories(match.kinds(tables, entities, system))
    planner = _Planner(tables, entities, matches)
    feeds = [planner.feed(item) for item in matches]
    planner.complete(feeds)
    used = {id(feed.table) for feed in planner.feeds}
    left = {table.file.name: _why_not(table, entities, system) for table in tables if id(table) not in used}
    return Proposal(system.name if system else None, planner.feeds, planner.properties, planner.further, left)


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


def _norm(text: str) -> str:
    return code(text)


def _forms(column: Column) -> set[str]:
    return {form for text in column.counts if (form := _norm(text))}


class _Planner:
    """Works the feeds out together: keys of one are what the references of another are compared with."""

    def __init__(self, tables: list[Table], entities: Mapping[str, Entity], matches: list[Match]) -> None:
        self.tables, self.entities, self.matches = tables, entities, matches
        self.feeds: list[Feed] = []
        self.properties: dict[str, dict[str, dict[str, Any]]] = {}
        self.further: dict[str, tuple[str, str]] = {}
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
        """The order of day and month that the other columns tell: those of the table, else those of the folder."""
        for tables in ([table], self.tables):
            votes = {column.day_order.decided for each in tables for column in each.columns} - {None}
            if votes:
                return votes.pop() if len(votes) == 1 else None
        return None

    def _span(self, table: Table) -> formats.Span | None:
        """The dates whose year is plain: those of the table, else those of the folder."""
        for tables in ([table], self.tables):
            columns = [column for each in tables for column in each.columns if column.share("date") > 0.5]
            if span := formats.Span.of(day for column in columns for day in formats.about(column.counts)):
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
                span = self._span(matched.table)
                item = cells.dated(item, column, self._day_first(matched.table), self.foreign, span)
                if canonical == "closed_at":
                    item = cells.won_or_lost(item, column, feed.table)
            elif declared.kind == "money":
                item = cells.amount(item, column)
                if canonical == "deal_value" and item.column:
                    item = cells.actual(item, column, feed.table)
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
            reason = f"{meant.reason}; but its values cannot be read so: {column.examples()}"
            feed.fillings[canonical] = Filling(column=column.header, confidence=0.3, reason=reason)
        _twins(feed)
        if feed.entity == "leads":
            self._amounts(feed)
        elif feed.entity in self.entities and "currency" not in self.entities[feed.entity].column_names:
            self._amounts_of_accounts(feed)
        for canonical, (column, meant) in matched.perhaps.items():
            feed.comments.append(f"perhaps {canonical}: {column.header} ({meant.confidence:.2f}: {meant.reason})")
        self.feeds.append(feed)
        return feed

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
            self._in_one_currency(feed.entity, code)
            reason = f"{value.reason}; every amount is in {code}, and so is every figure that is shown"
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
            feed.comments.append(f"currency: amounts are never converted, so these rows are refused: {counted}")
            return item
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
        for feed in [item for item in feeds if item.entity == "leads"]:
            state.status(feed, self.entities["leads"])
        if not self.named["customers"]:
            self._customers_from_deals(feeds)
        for feed in [item for item in feeds if item.entity in ("leads", "interactions")]:
            self._product(feed)
            self._customer(feed)
            self._lead(feed)
        for feed in [item for item in feeds if item.entity == "interactions"]:
            self._by_deal(feed)
            _interaction(feed)
        for feed in [item for item in feeds if item.entity in ("leads", "customers")]:
            self._owner(feed, "owner" if feed.entity == "leads" else "account_manager")
        self._same_ids([item for item in feeds if item.entity == "interactions"])
        for feed in list(self.feeds):
            self._required(feed)
            self._ended(feed)
        order = ["customers", "products", *self.further, "leads", "interactions"]
        self.feeds = sorted((f for f in self.feeds if self._possible(f)), key=lambda feed: order.index(feed.entity))

    def _possible(self, feed: Feed) -> bool:
        needed = {"leads": ("lead_id", "status"), "interactions": ("interaction_id", "occurred_at")}
        return all(name in feed.fillings for name in needed.get(feed.entity, ()))

    def _key(self, feed: Feed) -> None:
        entity = self.entities[feed.entity]
        key = entity.key
        name = {"customers": "customer_name", "products": "product_name"}.get(feed.entity)
        if key not in feed.fillings and name in feed.fillings:
            item = feed.fillings[name]
            feed.fillings = {
                key: item.model_copy(update={"reason": "no other identifier; names are keys"}),
                **feed.fillings,
            }
        elif name and name not in feed.fillings and key in feed.fillings:
            feed.fillings[name] = feed.fillings[key].model_copy(update={"reason": "no name; the identifier is used"})
        if key not in feed.fillings and (column := _own_number(feed)):
            named = bool({"number", "id", "key", "code", "ref"} & set(vocabulary.tokens(column.header)))
            reason = "every row has its own, and nothing else tells them apart"
            item = Filling(column=column.header, confidence=0.88 if named else 0.8, reason=reason)
            feed.fillings = {key: item, **feed.fillings}
            if feed.entity in self.keys:
                self.keys[feed.entity] |= _forms(column)
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
        texts = feed.table.column(held.column).counts
        upper = {re.sub(r"\s+", "", text).upper() for text in texts}
        plain = all(_PLAIN_KEY.fullmatch(text) for text in upper)
        if plain and len(upper) >= 0.999 * len(texts) and not _told_apart_by_case(texts):
            return
        why = "has other characters than a code" if not plain else "differs by case alone"
        feed.comments.append(f"{key} {why}, so it is compared as written")
        self._as_written(feed.entity, key)

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
            customers = Feed(feed.table, "customers", 0.8, reason)
            customers.fillings = {
                "customer_id": key if key.sql else key.model_copy(update={"reason": reason}),
                "customer_name": name.model_copy(update={"reason": reason}),
            }
            self.feeds.append(customers)
            self._key(customers)
            self.named["customers"] |= _forms(feed.table.column(name.column))
            self.keys["customers"] |= _forms(column)

    def _best(self, table: Table, wanted: set[str], first: str | None) -> tuple[Column, float] | None:
        """The column whose values are most among those wanted; the one already matched by name wins a tie."""
        if not wanted:
            return None
        shares = []
        for column in table.columns:
            forms = _forms(column)
            if forms and (column.header == first or len(forms) >= min(3, len(wanted))):
                shares.append((round(len(forms & wanted) / len(forms), 2), column.header == first, column))
        shares.sort(key=lambda item: (item[0], item[1]), reverse=True)
        return (shares[0][2], shares[0][0]) if shares and shares[0][0] >= 0.5 else None

    def _customer(self, feed: Feed) -> None:
        """Who the row is about: by identifier, by name, or through a table of contacts."""
        held = feed.fillings.get("customer_id")
        first = held.column if held else None
        by_key = self._best(feed.table, self.keys["customers"], first)
        company = feed.fillings.get("company")
        by_name = self._best(feed.table, self.named["customers"], company.column if company else first)
        if held and held.sql:
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

    def _known_by(self, feed: Feed, sql: str, forms: set[str], reason: str) -> bool:
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
                keyed = self._best(table, self.keys["customers"], None)
                named = self._best(table, self.named["customers"], None)
                if not here or not (keyed or named) or here[1] < 0.6:
                    continue
                name = self._further_name(table)
                by_key = keyed is not None and (named is None or keyed[1] >= named[1])
                column, share = keyed if by_key and keyed else named  # type: ignore[misc]
                reason = f"{percent(share, 0)} of its values are {'known accounts' if by_key else 'names of accounts'}"
                customer = Filling(column=column.header, confidence=_sure(share), reason=reason)
                if not by_key:
                    customer = customer.model_copy(update={"lookup": "customers", "by": "customer_name"})
                further = Feed(table, name, 0.85, f"leads from {feed.table.file.name} to its account")
                further.fillings = {
                    "record_id": Filling(column=key.header, confidence=0.95, reason="every row has its own"),
                    "customer_id": customer,
                }
                self.further[name] = ("record_id", "customer_id")
                self.feeds.append(further)
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

    def _further_name(self, table: Table) -> str:
        name = re.sub(r"[^a-z0-9]+", "_", table.stems[0].lower()).strip("_")
        return name if re.match(r"[a-z]", name) and name not in self.entities else f"further_{name}"

    def _owner(self, feed: Feed, canonical: str) -> None:
        """An owner named by an identifier is looked up in the table of users that the folder has."""
        item = feed.fillings.get(canonical)
        if item is None or item.column is None:
            return
        wanted = _forms(feed.table.column(item.column))
        used = {id(each.table) for each in self.feeds if each.entity not in self.further}
        for table in self.tables:
            if id(table) in used or not wanted:
                continue
            for key in table.columns:
                known = _forms(key) if key.filled and key.is_unique else set()
                if len(known & wanted) < 0.5 * len(wanted) or not (named := _person(table, key)):
                    continue
                name = self._further_name(table)
                if name not in self.further:
                    people = Feed(table, name, 0.9, f"the people behind {item.column} of {feed.table.file.name}")
                    people.fillings = {
                        "record_id": Filling(column=key.header, confidence=0.95, reason="every row has its own"),
                        "full_name": named,
                    }
                    self.further[name] = ("record_id", "full_name")
                    self.feeds.append(people)
                share = len(known & wanted) / len(wanted)
                feed.fillings[canonical] = Filling(
                    column=item.column,
                    lookup=name,
                    by="record_id",
                    take="full_name",
                    confidence=_sure(share),
                    reason=f"{percent(share, 0)} of its values are in {table.file.name}, which has the names",
                )
                return
        if _is_opaque(feed.table.column(item.column)):
            reason = f"{item.reason}; identifiers, and no table here has the names"
            feed.fillings[canonical] = item.model_copy(update={"reason": reason})

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
        feed.fillings["customer_id"] = lead.model_copy(
            update={"lookup": "leads", "by": "lead_id", "take": "customer_id", "reason": "the account of the deal"}
        )

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
                lacking = 1 - held.filled / max(held.rows, 1) if held and item.empty is None else 0.0
            if lacking > _FEW and column.name not in ("status", "occurred_at", "channel", "outcome"):
                what = {"required": False, "quality": [{"metric": "nullValues", "mustBe": 0, "severity": "warn"}]}
                self._change(feed.entity, column.name, what)
                problem = f"{percent(lacking, 0)} of the rows have no" if item else "no column holds"
                feed.reason += f"; {problem} {column.name}, so it is not required"
                feed.confidence = min(feed.confidence, 0.75)

    def _ended(self, feed: Feed) -> None:
        """Rows that a column marks as deleted or merged away get no key, so that they are refused."""
        if feed.entity not in ("leads", "customers", "interactions"):
            return
        key = self.entities[feed.entity].key
        for column in feed.unmapped:
            item = feed.fillings[key]
            marked = marks.marked(column.header, column.counts) if marks.may_mark(column.header) else {}
            if not marked or (item.column is None and item.sql is None):
                continue
            read = item.sql or f"`{feed.table.column(str(item.column)).name}`"
            feed.fillings[key] = Filling(
                sql=f"CASE WHEN {marks.kept(column.header, column.name)} THEN {read} END",
                confidence=0.6,
                reason=f"{item.reason}; {sum(marked.values())} rows that {column.header} marks are refused",
            )


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


def _is_opaque(column: Column) -> bool:
    return column.share("code") + column.share("number") > 0.9 and column.share("email") == 0


def _person(table: Table, key: Column) -> Filling | None:
    """The column that has the name of a contact, or first and last name together."""
    said = [(column, set(vocabulary.words_of(column.header))) for column in table.columns if column.filled]
    said = [(column, words) for column, words in said if column is not key]
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


def _stems(forms: set[str]) -> set[str]:
    """The first 15 characters of identifiers of 15 or 18 characters."""
    return {form[:15] for form in forms if len(form) in (15, 18)}


def _own_number(feed: Feed) -> Column | None:
    """The first column that numbers the rows, of those that fill nothing yet."""
    used = {item.column for item in feed.fillings.values()}
    for column in feed.table.columns:
        full = column.filled >= 0.97 * column.rows and column.distinct >= 0.97 * column.filled and column.filled > 1
        number = column.share("code") + column.share("number") > 0.9 and not any("." in text for text in column.counts)
        other = column.share("date") > 0.5 or column.share("email") > 0.5 or column.share("phone") > 0.9
        if full and number and not other and column.header not in used:
            return column
    return None


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
