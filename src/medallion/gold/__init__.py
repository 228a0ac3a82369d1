"""Gold tables: one module each, with the function of its name, and `STEPS`, the graph by which they are computed."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, cast

from medallion import contracts
from medallion.contracts import GIVING_WAY, Table
from medallion.contracts.own import own_columns

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

#: A model's scores of open deals, an input that is there when a model is.
SCORED = "ops.scored_leads"
#: What amounts in other currencies are in the reporting one.
CONVERSIONS = "silver.conversions"

#: What a model scores open deals from.
SCORED_FROM = (
    "silver.customers_clean",
    "silver.leads_clean",
    "silver.interactions_clean",
    "silver.leads_history",
    "silver.stage_changes_clean",
)


@dataclass(frozen=True)
class Step:
    """One gold table, and what the function of its name is given, in order.

    Attributes:
        table: Its name, such as `gold.deals`.
        inputs: Tables, `as_of` (the `AsOf`), `high_watermark` (when the newest touch was learned) and `time_zone` (that of
            the business).
        adds: Where touches have only been added since the last run, rows of these are added to the table.
        by: Rows are kept but for the keys, in this column, that `changed` of the module gives: it is given the table, the
            added touches and the inputs; the function is then given `only`. A step that reads touches keeps rows only
            where touches have only been added.
        only_if: Inputs that are None unless a fact of the lakehouse holds, each with the fact.
        needs: Inputs without which there is no such table.
        module: Where the function is; `medallion.gold` has those of the package.
    """

    table: str
    inputs: tuple[str, ...]
    adds: bool = False
    by: str = ""
    only_if: Mapping[str, str] = field(default_factory=dict)
    module: str = ""
    needs: tuple[str, ...] = ()

    @property
    def function(self) -> Callable[..., DataFrame]:
        """The transformation; its module is loaded with the first use."""
        return cast("Callable[..., DataFrame]", getattr(self._home, self.table.removeprefix("gold.")))

    @property
    def changed(self) -> Callable[..., DataFrame]:
        """The keys whose rows have to be computed again."""
        return cast("Callable[..., DataFrame]", self._home.changed)

    @property
    def contract(self) -> Table:
        """The table's contract: a file of its own, or what `contract()` of its module gives."""
        return contracts.declared(self.table) or cast(Table, self._home.contract())

    @property
    def _home(self) -> ModuleType:
        return import_module(self.module or f"medallion.{self.table}")


_CUSTOMERS, _LEADS, _TOUCHES = "silver.customers_clean", "silver.leads_clean", "silver.interactions_clean"
_VERSIONS, _CHANGES = "silver.leads_history", "silver.stage_changes_clean"
_PRODUCTS, _CONTACTS, _OWNERS = "silver.products_clean", "silver.contacts_clean", "silver.owners_clean"
_QUOTAS, _LINKS, _LINES = "silver.quotas_clean", "silver.deal_contacts_clean", "silver.deal_products_clean"

#: Any order: a table is computed once the tables that it is given are there; of those that can be, the first goes first.
STEPS: tuple[Step, ...] = (
    Step("gold.touch_totals", (_TOUCHES, "as_of", "high_watermark"), adds=True),
    Step(
        "gold.customer_features",
        (_CUSTOMERS, _LEADS, _TOUCHES, "as_of", SCORED, "gold.touch_totals", _OWNERS, "gold.stage_history"),
        only_if={"gold.stage_history": "a file tells stages"},
    ),
    Step("gold.score_bands", ("gold.customer_features", _LEADS, "as_of")),
    Step(
        "gold.deals",
        (
            *(_LEADS, "gold.customer_features", "gold.score_bands", "as_of", SCORED, "gold.stage_history"),
            *(_PRODUCTS, _OWNERS),
        ),
    ),
    Step("gold.touch_days", (_TOUCHES, "as_of", "high_watermark"), adds=True),
    Step("gold.attribution", (_LEADS, _TOUCHES, "as_of"), by="lead_id"),
    Step("gold.sales_summary", (_LEADS, _TOUCHES, "as_of", "gold.deal_changes", "gold.touch_days")),
    Step(
        "gold.channel_performance",
        (_LEADS, _TOUCHES, "as_of", "gold.touch_days", "gold.attribution", "gold.touch_totals"),
        only_if={"gold.touch_totals": "every channel is counted"},
    ),
    Step("gold.top_customers", ("gold.customer_features",)),
    Step("gold.stage_history", (_VERSIONS, _CHANGES, "as_of", _LEADS)),
    Step("gold.deal_changes", (_VERSIONS, _CHANGES, "gold.stage_history", "as_of", "time_zone"), by="lead_id"),
    Step("gold.contact_activity", (_CONTACTS, _TOUCHES, "as_of", _LINKS, "gold.deals"), needs=(_CONTACTS,)),
    Step("gold.deal_people", (_LINKS, "gold.deals", _TOUCHES, "as_of", _CONTACTS), needs=(_LINKS,)),
    Step("gold.identity_links", (_CONTACTS, _LEADS, _CUSTOMERS, "as_of"), needs=(_CONTACTS,)),
    Step("gold.line_items", (_LINES, "gold.deals", _PRODUCTS, CONVERSIONS), needs=(_LINES,)),
    Step("gold.attainment", (_QUOTAS, "gold.deals", "as_of", _OWNERS), needs=(_QUOTAS,)),
)

#: Steps that a user's own modules add.
OWN_STEPS: list[Step] = []


def graph() -> tuple[Step, ...]:
    """Every step: those of the package, then a user's own."""
    return (*STEPS, *OWN_STEPS)


def possible(there: Container[str]) -> tuple[Step, ...]:
    """The steps that have what they need, where these tables of optional entities are there."""
    return tuple(step for step in graph() if all(name in there for name in step.needs))


def written_names() -> tuple[str, ...]:
    """Every table that computing gold may write."""
    return (*(step.table for step in graph()), "gold.lead_scores", SCORED, CONVERSIONS)


def gold_contract(name: str) -> Table:
    """The contract of a gold table; those of customer_features and lead_snapshots are made from their features."""
    if name == "gold.lead_snapshots":
        from medallion.scoring import snapshots

        return snapshots.CONTRACT
    declared = next((step.contract for step in graph() if step.table == name), None) or contracts.table(name)
    own = own_columns(name)
    given_way = {column.name for column in own} & {*GIVING_WAY}
    kept = (column for column in declared.columns if column.name not in given_way)
    return replace(declared, columns=(*kept, *own))
