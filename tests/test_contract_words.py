"""Words of a contract by which a person says how a column is read: fillDown, unit, and names that are equal but for case."""

from __future__ import annotations

import pytest

from medallion import contracts, silver
from medallion.contracts import Column, Entity, Filling, Override
from medallion.contracts.filling import Source
from medallion.errors import ContractError
from medallion.lakehouse import query
from medallion.silver import checks

HEAD = "apiVersion: v3.1.0\nkind: DataContract\nid: mine\nversion: 1.0.0\nstatus: active\nschema:\n"


def schema(entity: str, file: str, columns: str) -> str:
    return (
        f"  - name: {entity}\n    customProperties:\n      - property: sources\n        value:\n"
        f"          - file: {file}\n            columns: {columns}\n"
    )


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ("{lead_id: Id, deal_value: {column: Amount, unit: pounds}}", "unit"),
        ("{lead_id: Id, stage: {column: Stage, unit: cents}}", "a unit is for figures, not string"),
        ("{lead_id: Id, customer_id: {column: A, unit: cents, lookup: customers, by: customer_name}}", "a lookup reads none"),
        ("{lead_id: Id, owner: {sql: upper(rep), fillDown: true}}", "fillDown needs a column"),
        ("{lead_id: Id, owner: {value: Ann, fillDown: true}}", "fillDown needs a column"),
    ],
)  # fmt: skip
def test_a_word_that_cannot_be_meant_is_refused(columns, says):
    with pytest.raises(ContractError, match=says):
        contracts.entities([Override("mine.odcs.yaml", HEAD + schema("leads", "deals", columns))])


def test_the_words_are_kept_in_the_journal():
    source = Source.model_validate(
        {"file": "x", "columns": {"owner": {"column": "Rep", "fillDown": True, "unit": "cents"}}}
    )
    item = source.columns["owner"]
    assert Filling.model_validate(item.model_dump(exclude_defaults=True)) == item


@pytest.mark.slow
def test_an_empty_cell_means_the_one_above_in_its_own_file(frame):
    bronze = frame(
        "owner string, account string, id string, _source_file string, _source_row bigint, _malformed string, _batch_id string",
        *[("Ann", "Acme", "1", "a.csv", 2, None, "1"), (" ", None, "2", "a.csv", 3, None, "1"),
          ("", "", None, "a.csv", 4, "(withheld)", "1"), (None, "", "3", "a.csv", 5, None, "1"),
          (None, "Bolt", "4", "b.csv", 2, None, "1"), ("Bo", None, "5", "b.csv", 3, None, "1")],
    )  # fmt: skip
    mapping = {"owner": {Filling(column="owner", fill_down=True): ()}, "customer_id": {Filling(column="account"): ()}}
    filled = silver.filled_down(bronze, mapping).orderBy("_source_file", "_source_row").collect()
    assert [row["owner"] for row in filled] == ["Ann", "Ann", "", "Ann", None, "Bo"]
    assert [row["account"] for row in filled] == ["Acme", None, "", "", "Bolt", None]
    only = {"customer_id": {Filling(column="account", fill_down=True): ("a.csv",)}}
    filled = silver.filled_down(bronze, only).orderBy("_source_file", "_source_row").collect()
    assert [row["account"] for row in filled] == ["Acme", "Acme", "", "Acme", "Bolt", None]


@pytest.mark.slow
def test_a_record_whose_cells_are_not_known_may_be_the_head_of_a_group(frame):
    """What is below it has no value and says why, up to the next head; another delivery of the file is another file."""
    rows = [("Open", None), (None, "Won,D2,x"), ("\u00a0", None), (None, None), ("Lost", None), (None, None)]
    bronze = frame(
        "state string, _source_file string, _source_row bigint, _malformed string, _batch_id string",
        *[(state, "a.csv", line, text, "1") for line, (state, text) in enumerate(rows, 2)],
        (None, "a.csv", 9, None, "2"),
    )
    mapping = {"status": {Filling(column="state", fill_down=True): ()}}
    filled = silver.filled_down(bronze, mapping).orderBy("_batch_id", "_source_row").collect()
    assert [row["state"] for row in filled] == ["Open", None, None, None, "Lost", "Lost", None]
    assert [row["_headless"] for row in filled] == [None, None, "status", "status", None, None, None]


@pytest.mark.slow
def test_a_grouped_report_in_thousands(to_silver, rows, tmp_path):
    """Owner and account stand in the first line of a group; an account is taken by its exact name before a likeness."""
    path = tmp_path / "mine.odcs.yaml"
    path.write_text(
        HEAD
        + schema("customers", "accounts", "{customer_id: Id, customer_name: Name}")
        + schema(
            "leads",
            "report",
            "{lead_id: Deal, customer_id: {column: Account, fillDown: true, lookup: customers, by: customer_name}, "
            "owner: {column: Rep, fillDown: true}, status: Status, created_at: Opened, "
            "deal_value: {column: TUSD, unit: thousands}}",
        )
        + "            where: \"deal is not null and trim(deal) <> ''\"\n"
    )
    result, lake = to_silver(
        {
            "accounts.csv": "Id,Name\nA1,Acme\nA2,ACME\nA3,Bolt\n",
            "report.csv": "Rep,Account,Deal,Status,Opened,TUSD\nAnn,Acme,D1,won,2025-01-02,1.5\n,,D2,lost,2025-01-02,\"1,250\"\n"
            ",ACME,D3,open,2025-01-02,0.0125\nSubtotal,,,,,1251.5125\nBo,acme,D4,open,2025-01-02,2\n,bolt,D5,open,2025-01-02,soon\n",
        },
        contracts=(path,),
    )  # fmt: skip
    found = rows(
        lake, "select lead_id, customer_id, owner, deal_value::varchar as v from silver.leads_clean order by 1"
    )
    assert [tuple(row.values()) for row in found] == [
        ("D1", "A1", "Ann", "1500.00"), ("D2", "A1", "Ann", "1250000.00"), ("D3", "A2", "Ann", "12.50"),
    ]  # fmt: skip
    refused = {row["record_key"]: row["reasons"] for row in rows(lake, "select * from silver.quarantine")}
    assert refused["D4"] == ["customer_id: leads to several customers: 'acme'"]
    assert refused["D5"] == ["deal_value: cannot be read as an amount in USD: 'soon'"]
    account = next(row for row in result.accounts if row["entity"] == "leads")
    assert (account["rows_read"], account["accepted"], account["excluded"], account["quarantined"]) == (6, 3, 1, 2)
    with query.connect(lake, layers=["bronze"]) as connection:
        raw = query.rows(connection, "select coalesce(rep, '') as rep from bronze.leads order by _source_row")
    assert [row["rep"] for row in raw] == ["Ann", "", "", "Subtotal", "Bo", ""]


@pytest.mark.parametrize("severity", ["reject", "warn"])
@pytest.mark.parametrize("pattern", [None, r"^\S.*$", "^[A-Z0-9][A-Z0-9_.:-]*$"])
def test_a_key_that_a_spreadsheet_has_cut_short_is_refused(frame, pattern, severity):
    """Several records would have it, and be taken for one; however much the contract minds of its form."""
    key = Column(
        "number", "string", pattern=pattern, checks={"null": "reject"} | ({"pattern": severity} if pattern else {})
    )
    entity = Entity("tickets", "one row per ticket", "", (key,), "number", None, ())
    (judged,) = [one for one in checks.checks(entity, {}, {}, {}) if one.name == "cut"]
    assert judged.severity == "reject"
    texts = ["9.087E11", "9.08700E+11", "1,23E+11", "4.5e+12", "1E5", "3E10", "9.087", "E.1E2", "12.5E3", None]
    keys = frame("number string", *[(text,) for text in texts])
    rows = keys.select("number", judged.fails.alias("fails"), judged.message.alias("says")).collect()
    cut = {row["number"] for row in rows if row["fails"] and "cut to a few digits" in row["says"]}
    assert cut == {"9.087E11", "9.08700E+11", "1,23E+11", "4.5e+12"}
    assert not next(row for row in rows if row["number"] == "3E10")["fails"]
