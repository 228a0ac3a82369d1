"""The deal that a touch was about, and the product of a deal."""

from __future__ import annotations

from medallion.contracts import Filling
from medallion.contracts.odcs import code
from medallion.figures import percent
from medallion.proposal import junctions, links
from medallion.proposal.draft import Draft, sure
from medallion.proposal.feeds import Feed, feed_of
from medallion.proposal.profile import Column


def lead(draft: Draft, feed: Feed) -> None:
    """The deal that a touch was about."""
    if feed.entity != "interactions" or not draft.keys["leads"]:
        return
    filling = feed.fillings.get("lead_id")
    named = feed.table.column(filling.column) if filling and filling.column else None
    best: tuple[Column, float] | None = None
    if named is not None and named.filled:
        forms = named.forms
        share = round(len(forms & draft.keys["leads"]) / max(len(forms), 1), 2)
        best = (named, share) if share >= 0.5 else None
    if best is None:
        other = draft.best(feed.table, draft.keys["leads"], None)
        used = {item.column for item in feed.fillings.values()}
        codes = other is not None and other[0].header not in used and not all(t.isdigit() for t in other[0].counts)
        best = other if codes else None
    if best:
        column, share = best
        reason = f"{percent(share, 0)} of its values are known deals"
        feed.fillings["lead_id"] = Filling(column=column.header, confidence=sure(share), reason=reason)
        return
    own = draft.own(feed)
    link = (
        links.between(draft.free(feed), (feed.entity, draft.keys_of_all(feed)), ("leads", draft.keys["leads"]))
        if own
        else None
    )
    if own and link:
        deal = Filling(column=link.to.header, confidence=0.95, reason="known deals")
        junctions.through(draft, feed, own, link, "lead_id", deal)
        return
    if filling and filling.column:
        forms = feed.table.column(filling.column).forms
        if forms and len(forms & draft.keys["leads"]) < 0.2 * len(forms):
            feed.fillings.pop("lead_id")
            feed.comments.append(f"perhaps lead_id: {filling.column}, but its values are not identifiers of deals")


def product(draft: Draft, feed: Feed) -> None:
    """The product of a deal: by identifier or by name."""
    filling = feed.fillings.get("product_id")
    if feed.entity != "leads" or not draft.keys["products"]:
        return
    first = filling.column if filling else None
    by_key, by_name = (
        draft.best(feed.table, draft.keys["products"], first),
        draft.best(feed.table, draft.named["products"], first),
    )
    if by_name and (not by_key or by_name[1] >= by_key[1]):
        column, share = by_name
        feed.fillings["product_id"] = Filling(
            column=column.header,
            lookup="products",
            by="product_name",
            confidence=sure(share),
            reason=f"{percent(share, 0)} of its values are names of products",
            values=_almost(column, feed_of(draft.feeds, "products"), "product_name"),
        )
    elif by_key:
        column, share = by_key
        feed.fillings["product_id"] = Filling(
            column=column.header,
            confidence=sure(share),
            reason=f"{percent(share, 0)} of its values are known products",
        )


def _almost(column: Column, feed: Feed | None, canonical: str) -> tuple[tuple[str, str], ...]:
    """Spellings that lead nowhere but differ from a known name by spaces and signs alone."""
    item = feed.fillings.get(canonical) if feed else None
    if feed is None or item is None or item.column is None:
        return ()
    names = {code(text).replace("_", ""): text for text in feed.table.column(item.column).counts}
    exact = {code(text) for text in feed.table.column(item.column).counts}
    return tuple(
        (text, names[bare])
        for text in column.counts
        if code(text) not in exact and (bare := code(text).replace("_", "")) in names
    )
