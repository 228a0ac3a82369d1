"""One box on every page: a question in plain words gets its answer with receipts, and names find accounts, deals, metrics and pages."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from medallion import figures, metrics
from medallion.agent import serving
from medallion.agent.answer import Answer, planned
from medallion.agent.planner import Planner
from medallion.agent.rules import rules
from medallion.agent.tools import Tools
from medallion.config import Settings
from medallion.dashboard import parameters, saved, words
from medallion.dashboard.reading import MEMORY, Reading, quoted
from medallion.metrics.question import Question

#: Letters of what is typed, and hits of each kind.
LONGEST, MOST = 500, 8
#: Kinds of figures in an answer, and pages that its keys lead to.
NUMBERS = ("money", "number", "percent")
LINKED = {"customer_id": "/customers/", "lead_id": "/deals/"}
#: Words from which on something typed is taken for a question even where names are found.
WORDS = 4
_ACCOUNTS = (
    "select customer_id, customer_name, industry, country from gold.customer_features "
    "where contains(lower(customer_name), lower($1)) or contains(lower(customer_id), lower($1)) "
    "order by lower(customer_id) <> lower($1), not starts_with(lower(customer_name), lower($1)), customer_name, customer_id limit $2"
)
_DEALS = (
    "select lead_id, customer_name, status, stage, deal_value from gold.deals where contains(lower(lead_id), lower($1)) "
    "order by lower(lead_id) <> lower($1), status <> 'open', lead_id limit $2"
)


@dataclass(frozen=True)
class Hit:
    """Something of that name: what it is called, its page, and what is said beside it."""

    name: str
    address: str
    says: str = ""


def answered(reading: Reading, settings: Settings, question: str, owner: str) -> Answer:
    """The answer to a question, by the planner alone; `owner` is the rep whom `I` and `my` mean where nobody is declared.

    It reads what the agent reads, which has no personal columns.
    """

    def opened() -> Planner:
        served = reading.opened(serving.serve(reading.as_read))
        served.connection.execute(f"set memory_limit = '{MEMORY}'; set temp_directory = '{quoted(reading.folder)}'")
        return Planner(served)

    planner = copy.copy(reading.once("planner", opened))
    planner.me = serving.speaker(planner.serving, reading.person) if reading.person else owner or None
    return planned(Tools(planner.serving, rules(settings.agent, reading.lake)), planner, question)


def hits(reading: Reading, text: str) -> dict[str, list[Hit]]:
    """What has the text in its name, by kind; kinds without a hit are left out."""
    accounts = [
        Hit(
            row["customer_name"] or row["customer_id"],
            f"/customers/{quote(row['customer_id'])}",
            " · ".join(filter(None, (row["customer_id"], row["industry"], row["country"]))),
        )
        for row in reading.rows(_ACCOUNTS, [text, MOST])
    ]
    deals = [
        Hit(
            row["lead_id"],
            f"/deals/{quote(row['lead_id'])}",
            " · ".join(
                filter(
                    None,
                    (
                        row["customer_name"],
                        row["status"],
                        (row["stage"] or "").replace("_", " "),
                        figures.money(row["deal_value"], reading.currency, none=""),
                    ),
                )
            ),
        )
        for row in reading.rows(_DEALS, [text, MOST])
    ]
    known = [
        Hit(metric.measure.display_name, f"/metrics/{name}", metric.measure.comment)
        for name, metric in metrics.metrics().items()
        if _has(text, (name, metric.measure.display_name, *metric.measure.synonyms))
        and all(table in reading.tables for table in metric.view.tables)
    ]
    pages = [Hit(title, f"/{name}", says) for name, (title, says) in words.PAGES.items() if _has(text, (title, says))]
    views = [Hit(view.name, view.address) for view in saved.views() if view.address and _has(text, (view.name,))]
    by_kind = {
        "Accounts": accounts,
        "Deals": deals,
        "Metrics": known[:MOST],
        "Pages": pages,
        "Saved views": views[:MOST],
    }
    return {kind: some for kind, some in by_kind.items() if some}


def _has(text: str, names: Iterable[str]) -> bool:
    return any(text.casefold() in name.casefold() for name in names)


def page(reading: Reading, settings: Settings, text: str, owner: str) -> dict[str, Any]:
    """What the page shows."""
    answer, matches = answered(reading, settings, text, owner), hits(reading, text)
    asked = answer.understood.asked if answer.understood else ()
    question = asked[0] if len(asked) == 1 and isinstance(asked[0], Question) and not asked[0].parameters else None
    return {
        "answer": answer,
        "hits": matches,
        "refused": bool(answer.declined) and (not matches or len(text.split()) >= WORDS),
        "explored": parameters.of_question(question) if question else None,
        "place": saved.folder(),
    }
