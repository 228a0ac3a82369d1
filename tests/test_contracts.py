"""Contracts that cannot be used are refused with file, path and reason; overrides say only what differs."""

from __future__ import annotations

import pytest

from medallion import contracts
from medallion.errors import ContractError, LakehouseError

HEAD = "apiVersion: v3.1.0\nkind: DataContract\nid: x\nversion: 1.0.0\nstatus: active\n"


def lead(column: str) -> str:
    return f"{HEAD}schema:\n  - name: leads\n    properties:\n      - {column}\n"


BROKEN = [
    ("kind: [", "is not valid YAML"),
    ("kind: Something\n", "kind is not DataContract"),
    ("kind: DataContract\napiVersion: v2.2\n", "apiVersion is 'v2.2'"),
    (HEAD, "schema is empty"),
    (HEAD + "owner: me\nschema: [{name: leads}]\n", "owner: Extra inputs"),
    (HEAD + "schema: [{name: deals}]\n", "schema 'deals' is not an entity"),
    (lead("{name: x, logicalType: string}"), "leads.x: has no physicalType"),
    (lead("{name: x, physicalType: varchar}"), "leads.x: physicalType 'varchar' is not known"),
    (lead("{name: source, semanticType: feeling}"), "semanticType 'feeling' is not known"),
    (lead("{name: lead_id, logicalTypeOptions: {pattern: '('}}"), "pattern '\\('"),
    (lead("{name: customer_id, primaryKey: true, relationships: [{to: customers}]}"), "relationship to 'customers'"),
    (lead("{name: source, customProperties: [{property: speling, value: {}}]}"), "unknown custom property 'speling'"),
    (lead("{name: source, customProperties: [{property: spellings, value: [a]}]}"), "spellings is not a mapping"),
    (
        lead("{name: status, customProperties: [{property: spellings, value: {open: [won]}}]}"),
        "spelling 'won' stands for 'won' and 'open'",
    ),
    (lead("{name: source, quality: [{metric: niceness}]}"), "quality check 'niceness' is not known"),
    (lead("{name: source, quality: [{metric: nullValues, severity: shout}]}"), "severity 'shout' is not known"),
    (
        HEAD + "schema:\n  - name: leads\n    customProperties: [{property: versionColumn, value: nope}]\n",
        "versionColumn 'nope'",
    ),
    (lead("{name: product_id, relationships: [{type: foreignKey, to: planets.id}]}"), "refers to planets.id"),
]


@pytest.mark.parametrize(("text", "message"), BROKEN, ids=[message for _, message in BROKEN])
def test_a_broken_contract_is_refused(tmp_path, text, message):
    path = tmp_path / "mine.odcs.yaml"
    path.write_text(text)
    with pytest.raises(ContractError, match=message) as refused:
        contracts.entities([path])
    assert refused.value.remedy
    if "refers to" not in message:
        assert str(path) in refused.value.problem


def test_a_missing_contract_is_refused(tmp_path):
    with pytest.raises(ContractError, match="nope.yaml: cannot be read"):
        contracts.entities([tmp_path / "nope.yaml"])


def test_an_override_says_only_what_differs(tmp_path):
    path = tmp_path / "mine.odcs.yaml"
    path.write_text(
        lead(
            "{name: status, synonyms: [{synonym: Phase}], required: false, "
            "customProperties: [{property: spellings, value: {won: [Gewonnen]}}]}"
        )
    )
    shipped = contracts.entities()["leads"]
    mine = contracts.entities([path])["leads"]
    status = next(column for column in mine.columns if column.name == "status")
    assert status.synonyms[0] == "Phase"
    assert status.spellings["gewonnen"] == "won"
    assert status.spellings["closed_won"] == "won"
    assert "null" not in status.checks
    assert mine.column_names == shipped.column_names
    assert [c for c in mine.columns if c.name != "status"] == [c for c in shipped.columns if c.name != "status"]


@pytest.mark.slow
def test_a_column_of_ones_own(to_silver, rows, tmp_path):
    """A contract that gains a column: tables grow, earlier rows have null there; a changed type is refused."""
    mine = tmp_path / "mine.odcs.yaml"
    mine.write_text(
        f"{HEAD}schema:\n  - name: customers\n    properties:\n"
        "      - {name: tier, logicalType: integer, physicalType: bigint, description: Support tier.}\n"
    )
    to_silver({"customers.csv": "customer_id,customer_name\nC1,Acme\n"})
    to_silver({"customers.csv": "customer_id,customer_name,Tier\nC2,Bolt,3\n"}, contracts=(mine,))
    _, lake = to_silver({"customers.csv": "customer_id,customer_name\nC3,Cog\n"})
    assert rows(lake, "select customer_id, tier from silver.customers_clean order by 1") == [
        {"customer_id": "C1", "tier": None},
        {"customer_id": "C2", "tier": 3},
        {"customer_id": "C3", "tier": None},
    ]
    before = lake.version("silver.customers_clean")
    mine.write_text(mine.read_text().replace("bigint", "string").replace("integer", "string"))
    with pytest.raises(LakehouseError, match="column tier is bigint, but its contract now says string"):
        to_silver({"customers.csv": "customer_id,customer_name,Tier\nC4,Dot,gold\n"}, contracts=(mine,))
    assert lake.version("silver.customers_clean") == before


def test_shipped_contracts_are_whole():
    for entity in contracts.entities().values():
        assert entity.key in entity.column_names
        assert all(column.description for column in entity.columns)
    for table in contracts.tables().values():
        assert set(table.key) <= set(table.column_names)
        assert all(column.description for column in table.columns)
        assert table.grain.startswith("one row per")


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))


def test_bounds_do_not_outlive_the_type_that_they_were_for(tmp_path):
    (tmp_path / "products.odcs.yaml").write_text(
        "apiVersion: v3.1.0\nkind: DataContract\nid: p\nname: p\nversion: 1.0.0\nstatus: active\nschema:\n  - name: products\n"
        "    properties:\n      - {name: launch_date, logicalType: string, physicalType: string}\n"
        "      - {name: list_price, logicalType: number, physicalType: 'decimal(18,4)'}\n"
    )
    shipped, changed = (contracts.entities(given)["products"] for given in ((), (tmp_path / "products.odcs.yaml",)))
    assert shipped.column("launch_date").minimum is not None
    assert changed.column("launch_date").minimum is None
    assert changed.column("list_price").maximum == shipped.column("list_price").maximum
