"""From files to silver: raw cell to clean value, and every record in the account it belongs to."""

from __future__ import annotations

import gzip
import json
from datetime import datetime, timedelta
from decimal import Decimal as D

try:
    import pytest

    from conftest import NOW, ROOT
    from medallion.errors import ConservationError
except ModuleNotFoundError as missing:
    raise SystemExit(f"{missing}. In the root of the repository run: pip install -r config/requirements.txt") from None

CUSTOMERS = "customer_id,customer_name,employee_count,created_at,updated_at\n"
LEADS = "lead_id,customer_id,source,status,deal_value,created_at,updated_at,closed_at\n"
TOUCHES = "interaction_id,customer_id,channel,occurred_at,outcome\n"
ONE_CUSTOMER = CUSTOMERS + "C1,Acme,10,2025-01-01,2025-01-01\n"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def stamped(rows):
    """Timestamps without their zone, which is UTC throughout."""
    return [{k: v.replace(tzinfo=None) if isinstance(v, datetime) else v for k, v in row.items()} for row in rows]


def accounts(result):
    names = ("rows_read", "accepted", "duplicate", "superseded", "quarantined")
    return {account["entity"]: tuple(account[name] for name in names) for account in result.accounts}


# --- raw row -> clean row ---------------------------------------------------------------------------------

LEAD_ROWS = [
    # raw                                                                    -> source, status, value, created, closed
    ("L1,C1,Referral, Closed-Won ,\"$350,000\",2025-01-02,,06/14/2025 14:30", "referral", "won", D("350000.00"), "2025-01-02", "2025-06-14 14:30"),
    ("l2,c1 ,Web Site,CLOSED_LOST,USD 98000.505,2 Jan 2025,2025-03-01,", "website", "lost", D("98000.51"), "2025-01-02", "2025-03-01"),
    (" L3 ,C1,Billboard,In Progress,N/A,\"Jan 2, 2025\",,2025-09-01", "other", "open", None, "2025-01-02", None),
    ("L4,C1,,won,\"1.234,56\",2025/01/02,,-", None, "won", D("1234.56"), "2025-01-02", "2025-01-02"),
    ("L5,C1,linked in,Open,(5),2025-01-02T10:00:00+02:00,,", None, None, None, None, None),  # refused: below 0
]  # fmt: skip


def test_leads_raw_to_clean(to_silver, rows):
    raw = LEADS + "".join(f"{line[0]}\n" for line in LEAD_ROWS)
    _, lake = to_silver({"customers.csv": ONE_CUSTOMER, "leads.csv": raw})
    clean = stamped(
        rows(
            lake, "select lead_id, source, status, deal_value, created_at, closed_at from silver.leads_clean order by 1"
        )
    )
    expected = [
        {
            "lead_id": f"L{place}",
            "source": source,
            "status": status,
            "deal_value": value,
            "created_at": at(created),
            "closed_at": at(closed) if closed else None,
        }
        for place, (_, source, status, value, created, closed) in enumerate(LEAD_ROWS[:4], start=1)
    ]
    assert clean == expected
    refused = rows(lake, "select record_key, reasons, failed_checks, source_row from silver.quarantine")
    assert refused == [
        {
            "record_key": "L5",
            "reasons": ["deal_value: is outside 0 to 100,000,000,000: '-5.00'"],
            "failed_checks": ["deal_value.range"],
            "source_row": 6,
        }
    ]


def test_interactions_raw_to_clean(to_silver, rows):
    raw = (
        "Activity ID,Account ID,Activity Type,Direction,Activity Date,Duration,Result,Comments\n"
        'i1, c1,Phone ,IN,2025-06-01 09:00:00,"1,200",Meeting-Booked,"a, b"\n'
        'I2,C1,Fax,sideways,06/15/2025 14:30,n/a,no answer,"two\nlines"\n'
    )
    _, lake = to_silver({"customers.csv": ONE_CUSTOMER, "activities.csv": raw})
    clean = stamped(
        rows(lake, "select * exclude (known_at, _batch_id, _version_hash) from silver.interactions_clean order by 1")
    )
    assert clean == [
        {"interaction_id": "I1", "customer_id": "C1", "lead_id": None, "channel": "call", "direction": "inbound",
         "occurred_at": at("2025-06-01 09:00"), "duration_minutes": 1200, "outcome": "meeting_booked", "notes": "a, b",
         "contact_id": None, "_source_file": "activities.csv", "_source_row": 2},
        {"interaction_id": "I2", "customer_id": "C1", "lead_id": None, "channel": "other", "direction": None,
         "occurred_at": at("2025-06-15 14:30"), "duration_minutes": None, "outcome": "no_answer", "notes": "two\nlines",
         "contact_id": None, "_source_file": "activities.csv", "_source_row": 3},
    ]  # fmt: skip


def test_customers_and_products_raw_to_clean(to_silver, rows):
    _, lake = to_silver(
        {
            "customers.csv": "Company ID;Company Name;Country;Employees;Phone;Email\n c7 ;Ünï  Co;USA;1,200;+1 (415) 555-0101; Info@X.Example \n",
            "products.csv": "SKU|Name|Price|Currency Code|Launched\np-1|Widget|US$ 10|usd|Mar 1, 2025\n",
        }
    )
    names = "customer_id, customer_name, country, employee_count, phone, email"
    assert rows(lake, f"select {names} from silver.customers_clean") == [
        {"customer_id": "C7", "customer_name": "Ünï Co", "country": "United States", "employee_count": 1200,
         "phone": "+14155550101", "email": "info@x.example"}
    ]  # fmt: skip
    product = rows(
        lake, "select product_id, product_name, list_price, currency, launch_date from silver.products_clean"
    )
    assert product == [
        {"product_id": "P-1", "product_name": "Widget", "list_price": D("10.00"), "currency": "USD",
         "launch_date": at("2025-03-01").date()}
    ]  # fmt: skip


# --- accounts of the sample and its second day -------------------------------------------------------------

SECOND_DAY = {
    # key -> the account that data/README.md says the record belongs to
    ("customers", 2): ("C014", "accepted"), ("customers", 3): ("C005", "accepted"),
    ("customers", 4): ("C007", "duplicate"), ("customers", 5): ("C011", "superseded"),
    ("customers", 6): (None, "quarantined"),
    ("leads", 2): ("L-1014", "accepted"), ("leads", 3): ("L-1016", "accepted"), ("leads", 4): ("L-1017", "accepted"),
    ("leads", 5): ("L-1007", "duplicate"), ("leads", 6): ("L-1012", "superseded"), ("leads", 7): ("???", "quarantined"),
    ("leads", 8): ("L-1018", "quarantined"), ("leads", 9): ("L-1019", "quarantined"),
    ("leads", 10): ("L-1020", "quarantined"), ("leads", 11): (None, "quarantined"), ("leads", 12): ("L-1016", "duplicate"),
    ("interactions", 2): ("I-2026", "accepted"), ("interactions", 3): ("I-2027", "accepted"),
    ("interactions", 4): ("I-2010", "duplicate"), ("interactions", 5): ("I-2028", "quarantined"),
    ("interactions", 6): ("I-2029", "quarantined"), ("interactions", 7): ("I-2030", "quarantined"),
    ("interactions", 8): ("I-2031", "quarantined"), ("interactions", 9): ("I-2032", "accepted"),
}  # fmt: skip


@pytest.fixture(scope="module")
def two_days(spark, tmp_path_factory):
    """Silver of the sample and its updates in one lakehouse, and the results of both runs."""
    from medallion import pipeline
    from medallion.config import load
    from medallion.lakehouse.store import Lakehouse

    lake = Lakehouse(str(tmp_path_factory.mktemp("two_days") / "lakehouse"))
    first, second = (
        pipeline.run(
            load(None, source=str(ROOT / folder), lakehouse=lake.root),
            NOW + timedelta(hours=hours),
            stages=[pipeline.BRONZE_TO_SILVER],
        )
        for folder, hours in (("data", 0), ("data/updates", 4))
    )
    return lake, first, second


def test_first_day_accounts(two_days):
    assert accounts(two_days[1]) == {
        "customers": (13, 13, 0, 0, 0),
        "products": (8, 7, 1, 0, 0),
        "leads": (15, 15, 0, 0, 0),
        "interactions": (25, 25, 0, 0, 0),
    }


def test_second_day_every_planted_row_is_in_its_account(two_days, rows):
    from medallion.lakehouse import query

    lake, _, second = two_days
    found = {}
    for entity in ("customers", "leads", "interactions"):
        key = {"customers": "customer_id", "leads": "lead_id", "interactions": "interaction_id"}[entity]
        kept = rows(
            lake,
            f"select _source_row as line, {key} as key, _outcome as account from silver.{entity}_history where _batch_id = '{second.batch_id}'",
        )
        found |= {(entity, row["line"]): (row["key"], row["account"]) for row in kept}
    refused = rows(lake, f"select * from silver.quarantine where batch_id = '{second.batch_id}'")
    found |= {(row["entity"], row["source_row"]): (row["record_key"], "quarantined") for row in refused}
    with query.connect(lake, layers=("bronze",)) as connection:
        for entity in ("customers", "leads", "interactions"):
            read = query.rows(
                connection,
                f"select _source_row as line, upper(trim({entity[:-1]}_id)) as key from bronze.{entity} where {of_batch(second)}",
            )
            found |= {
                (entity, row["line"]): (row["key"], "duplicate") for row in read if (entity, row["line"]) not in found
            }
    assert found == SECOND_DAY
    assert accounts(second) == {
        "customers": (5, 2, 1, 1, 1),
        "leads": (11, 3, 2, 1, 5),
        "interactions": (8, 3, 1, 0, 4),
    }
    reasons = {(row["entity"], row["source_row"]): row["reasons"] for row in refused}
    assert reasons["leads", 8] == ["deal_value: cannot be read as an amount in USD: 'call me'"]
    assert reasons["leads", 11] == ["record: cannot be read: 19 cells, the header has 18"]
    assert reasons["interactions", 8] == [
        "customer_id: is not a known customer: 'C998'",
        "occurred_at: cannot be read as a date and time: '31/02/2025 11:00'",
    ]
    assert all(row["source_file"] == f"{row['entity']}_2025-07-01.csv" for row in refused)
    raw = {(row["entity"], row["source_row"]): json.loads(row["raw"]) for row in refused}
    assert raw["leads", 8]["deal_value"] == "call me"
    lines = (ROOT / "data/updates/leads_2025-07-01.csv").read_text(encoding="utf-8").splitlines()
    assert raw["leads", 11] == {"_record": lines[10]}


def test_second_day_current_versions(two_days, rows):
    lake, _, _ = two_days
    leads = rows(
        lake,
        "select lead_id, status, deal_value from silver.leads_clean where lead_id in ('L-1014', 'L-1012') order by 1",
    )
    assert leads == [
        {"lead_id": "L-1012", "status": "open", "deal_value": leads[0]["deal_value"]},
        {"lead_id": "L-1014", "status": "won", "deal_value": D("72000.00")},
    ]
    assert leads[0]["deal_value"] != D("140000.00")  # the older correction arrived later and stays history
    assert rows(lake, "select count(*) as n, count(distinct lead_id) as keys from silver.leads_clean") == [
        {"n": 17, "keys": 17}
    ]


def test_new_column_is_kept_in_bronze_and_told(two_days, rows):
    from medallion.lakehouse import query

    lake, _, second = two_days
    assert second.new_columns == {"leads_2025-07-01.csv": ["campaign"]}
    with query.connect(lake, layers=("bronze",)) as connection:
        found = query.rows(
            connection, "select count(campaign) as n from bronze.leads where _batch_id = ?", [second.batch_id]
        )
    assert found[0]["n"] > 0


def test_raw_cells_survive_exactly(two_days):
    from medallion.lakehouse import query

    with query.connect(two_days[0], layers=("bronze",)) as connection:
        found = query.rows(
            connection,
            "select deal_value, status from bronze.leads where _source_row in (5, 8) and _source_file = 'leads.csv' order by _source_row",
        )
    lines = (ROOT / "data/leads.csv").read_text(encoding="utf-8").splitlines()
    for row, line in zip(found, (lines[4], lines[7]), strict=True):
        assert row["deal_value"] in line
        assert row["status"] in line
        assert row["status"] != row["status"].strip() or row["status"]


# --- versions ------------------------------------------------------------------------------------------------

VERSIONS = [
    # what arrives later (known: 100, updated 2025-03-01)        -> account, value that counts then
    ("L1,C1,event,open,200,2025-01-01,2025-04-01,", "accepted", D("200.00")),
    ("L2,C1,event,open,200,2025-01-01,2025-02-01,", "superseded", D("100.00")),
    ("L3,C1,event,open,200,2025-01-01,2025-03-01,", "accepted", D("200.00")),  # same version time: known later wins
    ("L4,C1,event,open,200,2025-01-01,,", "superseded", D("100.00")),  # no version time: not newer
    ("l5 ,c1,Trade Show,OPEN,\"$100.00\",01/01/2025,2025-03-01 00:00,n/a", "duplicate", D("100.00")),
    ("L6,C1,event,maybe,200,2025-01-01,2025-04-01,", "quarantined", D("100.00")),
]  # fmt: skip


@pytest.mark.slow
def test_a_later_version_of_a_lead(to_silver, rows):
    known = "".join(f"L{n},C1,event,open,100,2025-01-01,2025-03-01,\n" for n in range(1, 7))
    to_silver({"customers.csv": ONE_CUSTOMER, "leads.csv": LEADS + known})
    late, lake = to_silver(
        {"leads.csv": LEADS + "".join(f"{line}\n" for line, _, _ in VERSIONS)}, now=NOW + timedelta(days=1)
    )
    kept = rows(
        lake, f"select _source_row as line, _outcome as account from silver.leads_history where {of_batch(late)}"
    )
    refused = rows(lake, "select source_row as line, 'quarantined' as account from silver.quarantine")
    found = {row["line"]: row["account"] for row in (*kept, *refused)}
    assert [found.get(line, "duplicate") for line in range(2, 8)] == [account for _, account, _ in VERSIONS]
    assert accounts(late)["leads"] == (6, 2, 1, 2, 1)
    counted = rows(lake, "select deal_value from silver.leads_clean order by lead_id")
    assert [row["deal_value"] for row in counted] == [value for _, _, value in VERSIONS]


def of_batch(result):
    return f"_batch_id = '{result.batch_id}'"


RETURNS = [
    # deliveries of one product's price           -> account of the last, price that counts then
    (["10", "12", "10"], "accepted", 10),  # a price that comes back counts again
    (["10", "12", "12"], "duplicate", 12),
    (["10", "10", "10"], "duplicate", 10),
    (["10", "12", "10", "10"], "duplicate", 10),
]


@pytest.mark.slow
def test_a_value_that_comes_back(frame):
    """Products have no version time, so the one known last counts, however often its value was seen before."""
    from pyspark.sql import functions as F

    from medallion import contracts, silver

    entity = contracts.entities()["products"]
    kept, judged = None, None
    for number in range(4):
        coming = [
            (f"P{place}", D(prices[number]), NOW + timedelta(days=number), "b", "f", place)
            for place, (prices, _, _) in enumerate(RETURNS)
            if number < len(prices)
        ]
        raw = frame(
            "product_id string, list_price decimal(18,2), known_at timestamp, _batch_id string, _source_file string, _source_row bigint",
            *coming,
        )
        staged = raw.select(
            *(
                F.col(c.name) if c.name in raw.columns else F.lit(None).cast(c.type).alias(c.name)
                for c in entity.columns
            ),
            *silver._SOURCE,
            F.xxhash64("product_id", "list_price").alias("_version_hash"),
            F.lit(None).cast("array<string>").alias("_reasons"),
        )
        last = silver.outcomes(staged, silver.conflicting_keys(staged, kept, entity), kept, entity)
        judged = {**(judged or {}), **{row.product_id: row._outcome for row in last.collect()}}
        added = silver.versions(last)
        kept = added if kept is None else kept.unionByName(added)
    current = silver.rewind(kept, entity, F.lit("2100-01-01").cast("timestamp"), None).collect()
    assert judged == {f"P{place}": account for place, (_, account, _) in enumerate(RETURNS)}
    assert {row.product_id: row.list_price for row in current} == {
        f"P{n}": D(price) for n, (_, _, price) in enumerate(RETURNS)
    }


def test_a_header_means_something_in_its_own_file_only(spark, tmp_path):
    """`Name` is the contact in one file; in the next, beside `Contact Name`, it is the deal and nobody's name."""
    from medallion import bronze, contracts, silver, sources

    (tmp_path / "leads_a.csv").write_text("lead_id,customer_id,status,created_at,Name\nL1,C1,open,2025-01-01,Ana\n")
    (tmp_path / "leads_b.csv").write_text(
        "lead_id,customer_id,status,created_at,Name,Contact Name\nL2,C1,open,2025-01-01,Big deal,Ben\nL3,C1,open,2025-01-01,Deal 3,\n"
    )
    files = sources.scan(str(tmp_path), contracts.entities()).files
    listed = spark.createDataFrame([(json.dumps(file.as_dict()),) for file in files], "file string")
    raw = bronze.rows(listed, bronze.columns_of(files), "b1", NOW.isoformat(sep=" "))
    entity = contracts.entities()["leads"]
    staged = silver.conform(silver.readings(raw, entity, bronze.mapping_of(files)), entity, {})
    found = {row.lead_id: row.lead_name for row in staged.collect()}
    assert found == {"L1": "Ana", "L2": "Ben", "L3": None}


def test_versions_within_one_file(to_silver, rows):
    result, lake = to_silver(
        {
            "customers.csv": ONE_CUSTOMER,
            "leads.csv": LEADS
            + "L1,C1,event,open,100,2025-01-01,2025-03-01,\n"
            + "L1,C1,event,open,300,2025-01-01,2025-05-01,\n"
            + "L1,C1,event,open,200,2025-01-01,2025-04-01,\n"
            + "L1,C1,event,open,300.00,2025-01-01,2025-05-01,\n"
            + "L2,C1,event,open,1,2025-01-01,,\n"
            + "L2,C1,event,open,2,2025-01-01,,\n",  # no version time: the row further down counts
        }
    )
    assert accounts(result)["leads"] == (6, 2, 1, 3, 0)
    assert rows(lake, "select lead_id, deal_value from silver.leads_clean order by 1") == [
        {"lead_id": "L1", "deal_value": D("300.00")},
        {"lead_id": "L2", "deal_value": D("2.00")},
    ]


def test_a_file_delivered_again_adds_nothing(to_silver):
    files = {"customers.csv": ONE_CUSTOMER, "interactions.csv": TOUCHES + "I1,C1,call,2025-06-01,positive\n"}
    _, lake = to_silver(files)
    before = {name: lake.version(name) for name in lake.tables()}
    again, _ = to_silver(
        {"customers.csv": ONE_CUSTOMER, "interactions_copy.csv.gz": gzip.compress(files["interactions.csv"].encode())}
    )
    assert not again.changed
    assert sorted(again.already_known) == ["customers.csv", "interactions_copy.csv.gz"]
    assert {name: lake.version(name) for name in lake.tables()} == before


def test_rows_of_an_unknown_customer_are_refused(to_silver, rows):
    result, lake = to_silver(
        {"customers.csv": ONE_CUSTOMER, "interactions.csv": TOUCHES + "I1,C9,call,2025-06-01,positive\n"}
    )
    assert accounts(result)["interactions"] == (1, 0, 0, 0, 1)
    assert rows(lake, "select reasons from silver.quarantine") == [
        {"reasons": ["customer_id: is not a known customer: 'C9'"]}
    ]


@pytest.mark.parametrize("few", [300, 1])
def test_keys_that_lead_nowhere_are_named_whether_few_or_many(to_silver, rows, monkeypatch, few):
    import importlib

    monkeypatch.setattr(importlib.import_module("medallion.pipeline.bronze_to_silver"), "_FEW", few)
    touches = "".join(f"I{n},C{n},call,2025-06-01,positive\n" for n in range(1, 5)) + "I5,,call,2025-06-01,positive\n"
    to_silver({"customers.csv": ONE_CUSTOMER}, now=NOW - timedelta(hours=1))
    _, lake = to_silver({"interactions.csv": TOUCHES + touches})
    refused = rows(lake, "select record_key, reasons[1] as reason from silver.quarantine order by record_key")
    assert [row["record_key"] for row in refused] == ["I2", "I3", "I4", "I5"]
    assert [row["reason"] for row in refused[:3]] == [
        f"customer_id: is not a known customer: 'C{n}'" for n in (2, 3, 4)
    ]
    assert [row["interaction_id"] for row in rows(lake, "select interaction_id from silver.interactions_clean")] == [
        "I1"
    ]


# --- when things break -----------------------------------------------------------------------------------------

FILES = {
    "customers.csv": ONE_CUSTOMER,
    "leads.csv": LEADS + "L1,C1,event,won,100,2025-01-01,2025-03-01,2025-03-01\nL2,C1,event,maybe,1,2025-01-01,,\n",
    "interactions.csv": TOUCHES + "I1,C1,call,2025-06-01,positive\nI1,C1,call,2025-06-01,positive\n",
}
STATE = "select * exclude (known_at, _batch_id) from {} order by all"


def state(lake):
    from medallion.lakehouse import query

    def rows(lake, sql):
        with query.connect(lake) as connection:
            return query.rows(connection, sql)

    tables = ("silver.customers_clean", "silver.leads_clean", "silver.leads_history", "silver.interactions_history",
              "gold.customer_features", "gold.sales_summary")  # fmt: skip
    found = {
        name: rows(lake, STATE.format(name) if name.startswith("silver") else f"select * from {name} order by all")
        for name in tables
    }
    found["accounts"] = rows(
        lake,
        "select entity, rows_read, accepted, duplicate, superseded, quarantined from ops.row_accounts order by all",
    )
    found["quarantine"] = rows(lake, "select entity, record_key, reasons from silver.quarantine order by all")
    return found


@pytest.fixture(scope="module")
def unbroken(spark, tmp_path_factory):
    """The tables of a run that nothing interrupted."""
    from medallion import pipeline
    from medallion.config import load
    from medallion.lakehouse.store import Lakehouse

    folder = tmp_path_factory.mktemp("unbroken")
    for name, content in FILES.items():
        (folder / name).write_text(content)
    lake = Lakehouse(str(folder / "lakehouse"))
    pipeline.run(load(None, source=str(folder), lakehouse=lake.root), NOW)
    return state(lake)


@pytest.mark.slow
@pytest.mark.parametrize("broken", ["_conserve", "_ingest", "_conform", "_accounts"])
def test_an_interrupted_batch_is_completed_by_the_next_run(deliver, unbroken, monkeypatch, broken):
    import importlib

    half = importlib.import_module("medallion.pipeline.bronze_to_silver")
    whole = getattr(half, broken)

    def interrupted(*args, **kwargs):
        whole(*args, **kwargs)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(half, broken, interrupted)
        with pytest.raises(KeyboardInterrupt):
            deliver(FILES)
    _, lake = deliver({"customers.csv": ONE_CUSTOMER}, now=NOW + timedelta(hours=1))
    assert state(lake) == unbroken


@pytest.mark.slow
def test_work_tables_half_removed_are_no_hindrance(deliver, unbroken, monkeypatch):
    import shutil
    from pathlib import Path

    from medallion.lakehouse import removal

    def interrupted(lake, names):
        first, second, *_ = [name for name in names if lake.exists(name)]
        shutil.rmtree(lake.path(first))
        Path(lake.path(second), "_delta_log", f"{0:020}.json").unlink()  # its checksum stays
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(removal, "drop", interrupted)
        with pytest.raises(KeyboardInterrupt):
            deliver(FILES)
    _, lake = deliver({"customers.csv": ONE_CUSTOMER}, now=NOW + timedelta(hours=1))
    assert state(lake) == unbroken
    left = {folder.name for folder in Path(lake.root, "silver").iterdir()}
    assert left == {name.partition(".")[2] for name in lake.tables() if name.startswith("silver.")}
    assert all(name.endswith(("_clean", "_history")) or name == "quarantine" for name in left)


def test_a_lost_row_is_noticed(to_silver, monkeypatch):
    from medallion import silver

    kept = silver.versions
    monkeypatch.setattr(
        silver,
        "versions",
        lambda judged: (
            kept(judged).filter("lead_id IS NULL OR lead_id <> 'L1'") if "lead_name" in judged.columns else kept(judged)
        ),
    )
    with pytest.raises(ConservationError, match="leads: 2 rows were read, but 0 accepted"):
        to_silver(FILES)


def test_a_second_run_changes_no_table(two_days, tmp_path):
    import shutil

    from medallion import pipeline
    from medallion.config import load
    from medallion.lakehouse.store import Lakehouse

    lake = Lakehouse(shutil.copytree(two_days[0].root, tmp_path / "lakehouse").as_posix())
    settings = load(None, source=str(ROOT / "data"), lakehouse=lake.root)
    below = {name: lake.version(name) for name in lake.tables() if name.startswith(("bronze.", "silver."))}
    pipeline.run(settings, NOW + timedelta(days=8))  # adds gold
    before = {name: lake.version(name) for name in lake.tables()}
    assert {name: version for name, version in before.items() if name.startswith(("bronze.", "silver."))} == below
    assert any(name.startswith("gold.") for name in before)
    again = pipeline.run(settings, NOW + timedelta(days=9))
    assert not again.changed
    assert {name: lake.version(name) for name in lake.tables()} == before


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
