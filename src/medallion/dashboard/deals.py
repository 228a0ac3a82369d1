"""The page of one deal, to call from: what to say, what is open, people, reasons, stages and timeline."""

from __future__ import annotations

from typing import Any

from medallion.agent import drafts
from medallion.dashboard import people
from medallion.dashboard.reading import Reading


def deal(reading: Reading, key: str, *, pii: bool) -> dict[str, Any] | None:
    """Everything about one deal; None when there is none of that key.

    With `pii` its people have names and numbers, and touches their notes.
    """
    rows = reading.rows(
        "select d.*, c._source_file as file, c._source_row as line from gold.deals d "
        "left join silver.leads_clean c using (lead_id) where d.lead_id = ?",
        [key],
    )
    if not rows:
        return None
    (row,) = rows
    events = people.events(reading, key, row["as_of"], "lead_id", pii=pii)
    touch = people.last_touch(events)
    steps = reading.rows("select next_step from gold.customer_features where customer_id = ?", [row["customer_id"]])
    return {
        "deal": row,
        "score": _score(reading, key, row["as_of"]),
        "opening": " ".join(
            drafts.opening(
                drafts.Situation.of(row["customer_name"], touch, row if row["status"] == "open" else None, row["as_of"])
            )
        ),
        "next_step": steps[0]["next_step"] if steps else None,
        "points": people.points(reading, "lead_id", key, [row], touch),
        "products": people.products(reading, "lead_id", key),
        "people": _people(reading, row, pii=pii),
        "stages": _stages(reading, key),
        "events": events,
    }


def _score(reading: Reading, key: str, day: Any) -> dict[str, Any] | None:
    """The last score of an open deal."""
    if "gold.lead_scores" not in reading.tables:
        return None
    rows = reading.rows(
        "from gold.lead_scores where lead_id = ? and as_of = ? order by known_as_of desc limit 1", [key, day]
    )
    return rows[0] if rows else None


def _people(reading: Reading, row: dict[str, Any], *, pii: bool) -> list[dict[str, Any]] | None:
    """The people of the deal with their roles, or those of its account where no export links people to deals; None where
    no export has people.
    """
    if "silver.deal_contacts_clean" not in reading.tables:
        return people.people(reading, row["customer_id"], pii=pii)
    links = reading.rows("select contact_id, role from silver.deal_contacts_clean where lead_id = ?", [row["lead_id"]])
    roles = {link["contact_id"]: link["role"] for link in links}
    known = people.people(reading, row["customer_id"], deal=row["lead_id"], pii=pii)
    return known and [{**person, "role": roles[person["contact_id"]] or person["role"]} for person in known]


def _stages(reading: Reading, key: str) -> list[dict[str, Any]]:
    if "gold.stage_history" not in reading.tables:
        return []
    return reading.rows(
        "select stage, entered_at, left_at, days_in_stage from gold.stage_history where lead_id = ? order by entered_at",
        [key],
    )
