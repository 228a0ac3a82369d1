"""The account of a record: by identifier, by name, through other tables, or as the deals alone name it."""

from __future__ import annotations

import re
from collections.abc import Set
from typing import Any

from medallion.contracts import CONFIDENT, Filling
from medallion.contracts.odcs import code
from medallion.figures import percent
from medallion.proposal import asking, junctions, key_columns, vocabulary
from medallion.proposal.draft import Draft, is_opaque, sure
from medallion.proposal.feeds import Feed

#: The identifier of the first object in a list of JSON; Spark reads the expression too.
_LISTED = re.compile('"id":"?([^",}]+)')
#: So sure is a header that names the account plainly.
_PLAIN = 0.9
#: Share of its values that are accounts in a column that names them, and of the rows that have two from which one is asked about.
_MOSTLY, _SELDOM = 0.9, 0.1
#: Rows of unknown accounts are kept and counted as warnings.
_WARNED = {"type": "custom", "engine": "medallion", "implementation": "reference", "severity": "warn"}


def from_deals(draft: Draft, feeds: list[Feed]) -> None:
    """Without a table of accounts, the deals tell which there are."""
    for feed in [item for item in feeds if item.entity == "leads" and {"company", "customer_id"} & {*item.fillings}]:
        name = feed.fillings.get("company") or feed.fillings["customer_id"]
        key = feed.fillings.get("customer_id") or name
        if name.column is None or key.column is None:
            continue
        reason = "no table of accounts; those that deals name"
        column = feed.table.column(key.column)
        if key.column == name.column and len(column.forms) < column.distinct:
            sql = f"trim(regexp_replace(lower(`{column.name}`), '[^\\\\p{{L}}\\\\p{{N}}]+', ' '))"
            several = f"{column.distinct} spellings of {len(column.forms)} names, without case and punctuation"
            key = Filling(sql=sql, confidence=0.85, reason=f"{reason}; {several}")
            feed.fillings["customer_id"] = key
            draft.as_written("customers", "customer_id")
        if feed.may_be_none:
            feed.reason += ", and that of customers with its accounts"
        customers = Feed(feed.table, "customers", 0.8, reason)
        asked = {"reason": reason}  # with the deal, unless the names are none
        if not is_opaque(feed.table.column(name.column)):
            asked["confidence"] = max(name.confidence or 0, CONFIDENT)  # type: ignore[assignment]
        customers.fillings = {
            "customer_id": key if key.sql else key.model_copy(update=asked),
            "customer_name": name.model_copy(update=asked),
        }
        draft.feeds.append(customers)
        key_columns.settle(draft, customers)
        draft.named["customers"] |= feed.table.column(name.column).forms
        draft.keys["customers"] |= column.forms


def of_records(draft: Draft, feed: Feed) -> None:
    """Who the row is about: by identifier, by name, or through a table of contacts."""
    filling = feed.fillings.get("customer_id")
    first = filling.column if filling else None
    own = feed.fillings.get(draft.entities[feed.entity].key) if feed.entity != "customers" else None
    by_key = draft.best(feed.table, draft.keys["customers"], first, own.column if own else None)
    company = feed.fillings.get("company")
    by_name = draft.best(feed.table, draft.named["customers"], company.column if company else first)
    if filling and filling.sql:
        return
    if max((candidate[1] for candidate in (by_key, by_name) if candidate), default=0) < 0.9 and junctions.linked(
        draft, feed
    ):
        return
    if (
        by_key
        and (not by_name or by_key[1] >= by_name[1] - 0.05)
        and draft.keys["customers"] != draft.named["customers"]
    ):
        column, share = by_key
        feed.fillings["customer_id"] = Filling(
            column=column.header,
            confidence=sure(share),
            reason=f"{percent(share, 0)} of its values are known accounts",
        )
    elif by_name:
        column, share = by_name
        feed.fillings["customer_id"] = Filling(
            column=column.header,
            lookup="customers",
            by="customer_name",
            confidence=sure(share),
            reason=f"{percent(share, 0)} of its values are names of accounts",
        )
    elif (
        not _first_of_several(draft, feed, first)
        and not _in_list(draft, feed)
        and not _bridge(draft, feed)
        and filling
        and draft.keys["customers"]
    ):
        forms = feed.table.column(first).forms if first else set()
        known = len(forms & draft.keys["customers"])
        reason = f"{filling.reason}; but {known or 'none'} of its {len(forms)} values are known accounts"
        if key_columns.cut_short(draft, feed, str(first), forms):
            return
        if key_columns.stems(forms) & key_columns.stems(draft.keys["customers"]):
            reason += (
                "; they are the short (15) and long (18 characters) forms of Salesforce identifiers: fill both "
                'customer_id with {sql: "substring(COLUMN, 1, 15)"}'
            )
        update = {"confidence": min(filling.confidence or 0, 0.7), "reason": reason}
        feed.fillings["customer_id"] = filling.model_copy(update=update)
        if not known:
            feed.comments.append("customer_id: rows of unknown accounts are kept and counted as warnings")
            draft.change(feed.entity, "customer_id", {"quality": [_WARNED]})
    if feed.entity == "leads":
        _mostly_unknown(draft, feed)
        _of_two(draft, feed)


def _of_two(draft: Draft, feed: Feed) -> None:
    """Take the plain one of two columns that name accounts, and ask where neither is: one may have who buys, and one who uses."""
    item = feed.fillings.get("customer_id")
    if item is None or item.column is None or asking.is_asked(item) or _says_account(draft, item.column):
        return
    known = (draft.named if item.by == "customer_name" else draft.keys)["customers"]
    column = feed.table.column(item.column)
    for rival in feed.table.columns:
        if rival is column or not rival.among(known, _MOSTLY):
            continue
        pairs = [(code(own), code(beside)) for own, beside in feed.table.together(column, rival) if own and beside]
        apart = sum(own != beside for own, beside in pairs if known.issuperset((own, beside)))
        if len(pairs) < _SELDOM * feed.table.rows or 2 * apart < len(pairs):
            continue
        if _says_account(draft, rival.header):
            update: dict[str, Any] = {"column": rival.header, "reason": f"{item.reason}; {rival.header} says so too"}
        else:
            reason = (
                f"{item.reason}; {rival.header} names accounts too, another one in {apart:,} of {len(pairs):,} deals: which is the "
                "account of the deal?"
            )
            update = {"confidence": asking.ASKED, "reason": reason}
        feed.fillings["customer_id"] = item.model_copy(update=update)
        return


def _says_account(draft: Draft, header: str) -> bool:
    """Whether a header says the account and nothing beside it."""
    leads = draft.entities["leads"]
    meant = (vocabulary.header(header, leads, name) for name in ("customer_id", "company"))
    return any(each and each.confidence >= _PLAIN for each in meant)


def _mostly_unknown(draft: Draft, feed: Feed) -> None:
    """Ask about deals most of which name their accounts otherwise than the table of accounts does: they would have none."""
    name = "customer_id" if "customer_id" in feed.fillings else "company"
    item = feed.fillings.get(name)
    if item is None or item.column is None or item.lookup not in (None, "customers") or asking.is_asked(item):
        return
    column, by_name = feed.table.column(item.column), name == "company" or item.by == "customer_name"
    accounts = (draft.named if by_name else draft.keys)["customers"]
    known = sum(count for text, count in column.counts.items() if code(text) in accounts)
    if not accounts or 2 * known >= column.filled:
        return
    lacking = (
        f"but {column.filled - known:,} of {column.filled:,} deals name accounts that are not in the table of accounts"
    )
    reason = (
        f"{item.reason}; {lacking}, so these deals have no account: delete this confidence if that is so, else write an "
        "expression that gives the names, or a key"
    )
    update: dict[str, Any] = {"confidence": asking.ASKED, "reason": reason}
    if known and name == "company":  # the others are kept
        name, update = "customer_id", {**update, "lookup": "customers", "by": "customer_name"}
        empty = {"metric": "nullValues", "mustBe": 0, "severity": "warn"}
        draft.change("leads", name, {"required": False, "quality": [empty, _WARNED]})
    feed.fillings[name] = item.model_copy(update=update)


def confirm(draft: Draft) -> None:
    """A table of accounts is one for sure where others refer to its records by their identifiers."""
    for accounts in [feed for feed in draft.feeds if feed.entity == "customers"]:
        key = draft.own(accounts)
        if (
            key is None
            or not key.is_unique
            or accounts.confidence >= 0.8
            or any(f.table is accounts.table for f in draft.feeds if f is not accounts)
        ):
            continue
        for feed in draft.feeds:
            item = feed.fillings.get("customer_id")
            if feed is accounts or item is None or not item.column or item.lookup:
                continue
            forms = feed.table.column(item.column).forms
            if forms and len(forms & key.forms) >= 0.9 * len(forms) and len(forms) > 1:
                accounts.confidence = 0.9
                accounts.reason += f"; {feed.table.file.name} refers to its records"
                break


def _first_of_several(draft: Draft, feed: Feed, first: str | None) -> bool:
    """A cell that lists several identifiers counts for the first of them."""
    if first is None:
        return False
    column = feed.table.column(first)
    for mark in (";", ",", "|"):
        forms = {code(text.split(mark)[0]) for text in column.counts if text}
        sql = f"trim(substring_index(`{column.name}`, '{mark}', 1))"
        if any(mark in text for text in column.counts) and _known_by(
            draft, feed, sql, forms, "the first where several are listed"
        ):
            return True
    return False


def _in_list(draft: Draft, feed: Feed) -> bool:
    """The identifier of the first object in a list, as APIs tell what a record belongs to."""
    for column in feed.table.columns:
        lists = [_LISTED.search(text) for text in column.counts if text.startswith("[{")]
        forms = {code(match[1]) for match in lists if match}
        sql = f"nullif(regexp_extract(`{column.name}`, '{_LISTED.pattern}', 1), '')"
        if sum(map(bool, lists)) >= 0.5 * max(column.distinct, 1) and _known_by(
            draft, feed, sql, forms, f"the first identifier in {column.header}"
        ):
            return True
    return False


def _known_by(draft: Draft, feed: Feed, sql: str, forms: Set[str], reason: str) -> bool:
    """Fill the account by an expression if half of what it gives, or more, are known accounts."""
    share = len(forms & draft.keys["customers"]) / max(len(forms), 1)
    if share < 0.5:
        return False
    explained = f"{reason}; {percent(share, 0)} are known accounts"
    feed.fillings["customer_id"] = Filling(sql=sql, confidence=sure(share), reason=explained)
    return True


def _bridge(draft: Draft, feed: Feed) -> bool:
    """Through another table: its key is in this one, and it knows the account."""
    used = {id(item.table) for item in draft.feeds}
    for table in draft.tables:
        if id(table) in used:
            continue
        keys = [column for column in table.columns if column.filled and column.is_unique and column.share("date") < 0.5]
        for key in keys:
            referring = draft.best(feed.table, key.forms, None)
            customer = junctions.knows_account(draft, table)
            if not referring or customer is None or referring[1] < 0.6:
                continue
            record = Filling(column=key.header, confidence=0.95, reason="every row has its own")
            name = draft.add_further(
                table,
                f"leads from {feed.table.file.name} to its account",
                {"record_id": record, "customer_id": customer},
                0.85,
            )
            feed.fillings["customer_id"] = Filling(
                column=referring[0].header,
                lookup=name,
                by="record_id",
                take="customer_id",
                confidence=sure(referring[1]),
                reason=f"{percent(referring[1], 0)} of its values are in {table.file.name}, which knows the account",
            )
            return True
    return False


def by_deal(draft: Draft, feed: Feed) -> None:
    """The account of a touch is that of its deal, where nothing else tells it."""
    lead = feed.fillings.get("lead_id")
    if "customer_id" in feed.fillings or lead is None or not draft.keys["leads"]:
        return
    update = {"take": "customer_id", "reason": "the account of the deal"}
    if lead.lookup is None:
        update |= {"lookup": "leads", "by": "lead_id"}
    feed.fillings["customer_id"] = lead.model_copy(update=update)
