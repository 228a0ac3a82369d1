"""Accounts and deals of records that a table between them tells."""

from __future__ import annotations

from medallion.contracts import Filling
from medallion.figures import percent
from medallion.proposal import links
from medallion.proposal.draft import FEW, Draft, sure
from medallion.proposal.feeds import Feed
from medallion.proposal.profile import Column, Table


def linked(draft: Draft, feed: Feed, several: bool = False) -> bool:
    """Fill the account of a record from a junction file, or through its contacts; of several accounts the primary one."""
    own = draft.own(feed)
    if own is None:
        return False
    free, kind = draft.free(feed), (feed.entity, draft.keys_of_all(feed))
    link = links.between(free, kind, ("customers", draft.keys["customers"]))
    customer = None
    if link:
        customer = Filling(column=link.to.header, confidence=0.95, reason="known accounts")
    for table in free if link is None else []:
        for key in [c for c in table.columns if c.filled and c.is_unique and c.share("date") < 0.5]:
            knows = knows_account(draft, table)
            others = [other for other in free if other is not table]
            link = links.between(others, kind, ("contacts", key.forms)) if knows else None
            if link is not None and knows is not None:
                record = Filling(column=key.header, confidence=0.95, reason="every row has its own")
                reason = f"leads from {link.table.file.name} to accounts"
                name = draft.add_further(table, reason, {"record_id": record, "customer_id": knows}, 0.85)
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
        problem = f"{link.table.file.name} has several accounts for {link.several:,} of {link.records:,} and marks none as primary"
        feed.comments.append(f"customer_id: {problem}; where the deal tells one, that one counts")
        return False
    through(draft, feed, own, link, "customer_id", customer)
    return True


def through(draft: Draft, feed: Feed, own: Column, link: links.Link, canonical: str, target: Filling) -> None:
    """Fill a column from a junction file, and say what the file leaves open."""
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
    name = draft.add_further(link.table, f"tells what {feed.table.file.name} belongs to", fillings)
    forms = own.forms
    absent = len(forms - link.of.forms)
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
        if absent > FEW * len(forms):
            reason, confidence = f"{reason}; {absent} have none", min(confidence, 0.75)
        check = {"metric": "nullValues", "mustBe": 0, "severity": "warn"}
        draft.change(feed.entity, "customer_id", {"required": False, "quality": [check]})
    feed.fillings[canonical] = Filling(
        column=own.header, lookup=name, by="of_record", take=canonical, confidence=confidence, reason=reason
    )


def knows_account(draft: Draft, table: Table) -> Filling | None:
    """The column that names the account of a table's rows, by key or by name."""
    keyed = draft.best(table, draft.keys["customers"], None)
    named = draft.best(table, draft.named["customers"], None)
    if not keyed and not named:
        return None
    by_key = keyed is not None and (named is None or keyed[1] >= named[1])
    column, share = keyed if by_key and keyed else named  # type: ignore[misc]
    reason = f"{percent(share, 0)} of its values are {'known accounts' if by_key else 'names of accounts'}"
    customer = Filling(column=column.header, confidence=sure(share), reason=reason)
    return customer if by_key else customer.model_copy(update={"lookup": "customers", "by": "customer_name"})
