"""The page of one customer: features, parts of the score with reasons, timeline, deals, and the rows behind."""

from __future__ import annotations

from typing import Any

from medallion import figures
from medallion.agent import drafts
from medallion.agent.rules import due
from medallion.config import end_of_day
from medallion.dashboard.reading import Reading
from medallion.gold import gold_contract
from medallion.weights import ScoreWeights

#: Events that the timeline shows at most, the newest.
EVENTS = 100
#: Columns of features that are read at a time.
COLUMNS = 8

#: People of an account that its page shows at most, those touched last first.
PEOPLE = 50


def customer(reading: Reading, weights: ScoreWeights, key: str, *, pii: bool = False) -> dict[str, Any] | None:
    """Everything about one account, or about the one that it was merged into; None when there is none of that key.

    With `pii` its people have names and numbers, and touches their notes.
    """
    from medallion.care import explain

    key, made_of = _made_of(reading, key)
    account = _account(reading, key)
    if account is None:
        return None
    scores = (
        reading.rows(
            "select * from gold.lead_scores where customer_id = ? and as_of = ? "
            "qualify row_number() over (partition by lead_id order by known_as_of desc) = 1 "
            "order by probability desc nulls last, lead_id",
            [key, account["as_of"]],
        )
        if "gold.lead_scores" in reading.tables
        else []
    )
    deals = reading.rows(
        "select d.*, c._source_file as file, c._source_row as line from gold.deals d "
        "left join silver.leads_clean c using (lead_id) where d.customer_id = ? order by d.created_at desc, d.lead_id",
        [key],
    )
    happened = events(reading, key, account["as_of"], pii=pii)
    touch = last_touch(happened)
    best = min(
        (row for row in deals if row["status"] == "open"),
        key=lambda row: (-(row["weighted_value"] or 0), row["lead_id"]),
        default=None,
    )
    return {
        "account": account,
        "opening": " ".join(
            drafts.opening(drafts.Situation.of(account["customer_name"], touch, best, account["as_of"]))
        ),
        "points": points(reading, "customer_id", key, deals, touch),
        "products": products(reading, "customer_id", key),
        "made_of": made_of,
        "score": explain.rule_score(account, weights),
        "scores": scores,
        "deals": deals,
        "people": people(reading, key, pii=pii),
        "events": happened,
        "features": _features(account),
    }


def people(reading: Reading, key: str, *, deal: str | None = None, pii: bool) -> list[dict[str, Any]] | None:
    """The people of an account, or those of them whom an export names for a deal; None where no export has any."""
    if "gold.contact_activity" not in reading.tables:
        return None
    of_deal = (
        "and a.contact_id in (select contact_id from silver.deal_contacts_clean where lead_id = ?) " if deal else ""
    )
    who = ", c.contact_name, c.job_title, c.email, c.phone" if pii else ""
    return reading.rows(
        f"select a.contact_id, a.role, a.consent, a.language, a.touches, a.last_touch_at, a.open_leads{who} "
        f"from gold.contact_activity a left join silver.contacts_clean c using (contact_id) where a.customer_id = ? {of_deal}"
        f"order by a.last_touch_at desc nulls last, a.contact_id limit {PEOPLE}",
        [key, deal] if deal else [key],
    )


def products(reading: Reading, column: str, key: str) -> list[dict[str, Any]]:
    """What an account, or a deal, by the column that names it, has bought and is offered: by product, the value won and open."""
    if "gold.line_items" in reading.tables:
        source, name, value = "gold.line_items", "product_name", "amount"
    elif any(row["column_name"] == "product_name" for row in reading.rows("describe gold.deals")):
        source, name, value = "gold.deals", "product_name", "deal_value"
    else:
        return []
    return reading.rows(
        f"select {name} as product, coalesce(sum({value}) filter (status = 'won'), 0) as won, "
        f"coalesce(sum({value}) filter (status = 'open'), 0) as open from {source} "
        f"where {column} = ? and {name} is not null group by 1 having won <> 0 or open <> 0 order by open desc, won desc, 1",
        [key],
    )


def points(
    reading: Reading, column: str, key: str, deals: list[dict[str, Any]], last: dict[str, Any] | None
) -> list[str]:
    """What is open, one sentence each: dates that have passed or are near, people who were not reached, no answer."""
    sentences = []
    for deal in deals:
        closes = deal["expected_close_date"]
        nears = due(closes, deal["as_of"]) if deal["status"] == "open" else ""
        if nears == "passed":
            sentences.append(f"{deal['lead_id']} was expected to close on {closes} and is still open.")
        elif nears == "near":
            sentences.append(f"{deal['lead_id']} is expected to close on {closes}.")
    if "gold.deal_people" in reading.tables:
        rows = reading.rows(
            f"select lead_id, contacts, contacts_touched from gold.deal_people where {column} = ? and status = 'open' "
            "and contacts_touched < contacts order by lead_id",
            [key],
        )
        sentences += [
            f"{row['lead_id']}: {row['contacts_touched']} of {row['contacts']} contacts were touched." for row in rows
        ]
    if last and last["outcome"] == "no_answer":
        day = figures.day(last["occurred_at"])
        inbound = last["direction"] == "inbound"
        sentences.append(
            f"They tried to reach us on {day}, and nobody answered."
            if inbound
            else f"The last touch, on {day}, was not answered."
        )
    return sentences


def _made_of(reading: Reading, key: str) -> tuple[str, list[str]]:
    """The key of the survivor, and the keys of the accounts that were merged into it."""
    if "silver.identities" not in reading.tables:
        return key, []
    rows = reading.rows(
        "select source_key, entity_key from silver.identities where entity = 'customers' and entity_key in "
        "(select entity_key from silver.identities where entity = 'customers' and source_key = ?) order by source_key",
        [key],
    )
    to = str(rows[0]["entity_key"]) if rows else key
    return to, [str(row["source_key"]) for row in rows if row["source_key"] != to]


def _account(reading: Reading, key: str) -> dict[str, Any] | None:
    """All features, a few columns at a time: all columns of a large file at once take a hundred megabytes."""
    names = [row["column_name"] for row in reading.rows("describe gold.customer_features")]
    account: dict[str, Any] = {}
    for start in range(0, len(names), COLUMNS):
        some = ", ".join(names[start : start + COLUMNS])
        rows = reading.rows(f"select {some} from gold.customer_features where customer_id = ?", [key])
        if not rows:
            return None
        account.update(rows[0])
    return account


def last_touch(happened: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The newest event that is a touch; only touches have a place in a file."""
    last = next((event for event in happened if event["file"] is not None), None)
    return last and {
        "channel": last["what"],
        "outcome": last["detail"],
        "direction": last["direction"],
        "occurred_at": last["happened"],
    }


def events(reading: Reading, key: str, day: Any, column: str = "customer_id", *, pii: bool) -> list[dict[str, Any]]:
    """What happened at an account, or with the deal that `column` names, until a day: newest first, at most `EVENTS`."""
    notes = "notes" if pii else "null"
    parts = [
        "select created_at as happened, 'deal opened' as what, lead_id as about, source as detail, null as file, null as line, null as notes, null as direction "
        f"from gold.deals where {column} = $1 and created_at is not null",
        f"select closed_at, 'deal ' || status, lead_id, null, null, null, null, null from gold.deals where {column} = $1 and closed_at is not null",
    ]
    if "silver.interactions_clean" in reading.tables:
        parts.append(
            f"select occurred_at, channel, lead_id, outcome, _source_file, _source_row, {notes}, direction from silver.interactions_clean "
            f"where {column} = $1 and occurred_at < $2"
        )
    if "gold.stage_history" in reading.tables:
        parts.append(
            "select entered_at, 'stage', lead_id, stage, null, null, null, null from gold.stage_history "
            f"where lead_id in (select lead_id from gold.deals where {column} = $1)"
        )
    # one after the other: large tables that are read in parallel need memory each
    rows = [
        row
        for part in parts
        for row in reading.rows(
            f"select * from ({part}) as told(happened, what, about, detail, file, line, notes, direction) "
            f"where $2 is not null and happened is not null order by happened desc, what, about limit {EVENTS}",
            [key, end_of_day(day)],
        )
    ]
    rows.sort(key=lambda row: (row["what"], row["about"] or ""))
    return sorted(rows, key=lambda row: row["happened"], reverse=True)[:EVENTS]


#: Columns of gold that the head of the page already shows.
_SHOWN = {"customer_id", "customer_name", "as_of", "lead_score", "lead_quality"}


def _features(account: dict[str, Any]) -> list[dict[str, Any]]:

    table = gold_contract("gold.customer_features")
    units = {"USD": "money", "share": "percent", "probability": "percent"}
    kinds = {"bigint": "number", "int": "number", "double": "decimal", "timestamp": "timestamp", "date": "day"}
    return [
        {
            "name": column.name,
            "label": column.name.replace("_", " "),
            "value": account[column.name],
            "kind": units.get(column.unit or "", kinds.get(column.type, "text")),
            "unit": column.unit if column.unit in ("days", "hours", "minutes") else None,
            "means": column.description,
        }
        for column in table.columns
        if column.name not in _SHOWN and column.name in account and not column.pii
    ]
