"""A year in the life of a lakehouse, with every clock fixed: `python tests/parity/scenario.py FOLDER sample|words|world [EXPORTS]`.

Run by the tests on one engine and on the other; what is in the tables afterwards has to be the same, cell by cell.
"""

from __future__ import annotations

import sys
from datetime import date, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2025, 7, 1, 8, 0)


def sample(lake: Path) -> None:
    """The sample and its second day, corrections, an erasure, and the past again."""
    from medallion import pipeline
    from medallion.care import erasure, quarantine
    from medallion.config import load
    from medallion.lakehouse.store import Lakehouse

    settings = load(None, source=str(ROOT / "data"), lakehouse=str(lake))
    pipeline.run(settings, NOW)
    second = load(None, source=str(ROOT / "data" / "updates"), lakehouse=str(lake))
    pipeline.run(second, NOW + timedelta(days=1))
    open_ = quarantine.waiting(Lakehouse(str(lake)))
    amount = next(row for row in open_ if row["entity"] == "leads" and "call me" in str(row["reasons"]))
    quarantine.fix(
        settings,
        [quarantine.Correction(amount["quarantine_id"], "deal_value", "12000")],
        "parity",
        NOW + timedelta(days=2),
    )
    quarantine.reprocess_refused(settings, NOW + timedelta(days=2), lambda *_: None)
    pipeline.replay(settings, date(2025, 6, 30), NOW + timedelta(hours=1), str(lake.parent / "replayed"))
    erasure.forget(settings, "C004", "parity", "parity", NOW + timedelta(days=3))


CONTRACT = """apiVersion: v3.1.0
kind: DataContract
id: words
name: words
version: 1.0.0
status: active
schema:
  - name: pairs
    description: Looked up only.
    dataGranularityDescription: one row per pair
    customProperties:
      - property: sources
        value:
          - {file: pairs, columns: {deal_id: Deal, account_id: Account}}
    properties:
      - {name: deal_id, primaryKey: true, required: true, logicalType: string, physicalType: string}
      - {name: account_id, logicalType: string, physicalType: string}
  - name: customers
    customProperties:
      - property: sources
        value:
          - {file: "accounts*", snapshot: true, columns: {customer_id: Id, customer_name: Name}, mergedInto: {file: merges, from: Loser, to: Winner}}
  - name: leads
    customProperties:
      - property: sources
        value:
          - file: "report*"
            where: "deal is not null and trim(deal) <> ''"
            absent: {when: "deleted = 'yes'"}
            columns:
              lead_id: Deal
              customer_id: {column: Deal, lookup: pairs, by: deal_id, take: account_id}
              owner: {column: Rep, fillDown: true}
              status: Status
              deal_value: {column: Value, unit: thousands}
              currency: {column: Currency, empty: USD}
              created_at: {column: Opened, dates: {order: day, century: 1950}}
              closed_at: {column: Closed, dates: {serial: 1900}}
    properties:
      - {name: customer_id, required: false, quality: [{metric: nullValues, mustBe: 0, severity: warn}]}
      - {name: deal_value, logicalType: number, logicalTypeOptions: {minimum: -1000000000}}
  - name: interactions
    customProperties:
      - property: sources
        value:
          - file: "calls*"
            where: PLANNED
            columns:
              interaction_id: Id
              customer_id: {column: Account, lookup: customers, by: customer_name}
              channel: {value: call}
              outcome: {value: neutral}
              occurred_at: At
"""
ACCOUNTS = "Id,Name\nA1,Acme\nA2,ACME\nA3,Bolt \u00a0 & Söhne\nA4,Cord\n"
REPORT = "Rep,Deal,Status,Value,Currency,Opened,Closed,Deleted\n"
DELIVERIES = [
    {
        "accounts_2025-06-01.csv": ACCOUNTS,
        "merges.csv": "Loser,Winner\nA4,A3\n",
        "pairs.csv": "Deal,Account\nD1,A1\nD2,A4\nD4,A2\nD5,A9\n",
        "report.csv": REPORT
        + 'Ann,D1,won,1.5,EUR,05/02/24,45453.71875,\n,D2,lost,"1,250",USD,06/02/24,45460,\n,D3,open,2,,07/02/24,,\n'
        "Subtotal,,,1253.5,,,,\nBo,D4,won,(0.25),EUR,08/02/24,45470.5,\n\u00a0,D5,open,3,EUR,09/02/24,,\n,D6,won,7,GBP,10/02/24,45480,\n"
        ",D7,open,1,USD,31/13/24,,\n",
        "calls.csv": "Id,Account,At,State\nT1,Acme,2025-05-01,Done\nT2,ACME,2025-05-02, planned \nT3,bolt & söhne,2025-05-03,Done\n"
        "T4,Cord,2025-05-04,\u2003Not  started\u00a0\n",
    },
    {
        "report_2.csv": REPORT + "Cy,D1,won,1.75,EUR,05/02/24,45453.71875,\n,D2,lost,9,USD,06/02/24,45460,yes\n",
        "accounts_2025-06-08.csv": ACCOUNTS.replace("A2,ACME\n", ""),
        "calls_2.csv": "Id,Account,At,State\nT1,Acme,2025-05-01,Done\nT2,ACME,2025-05-02,Done\n",
    },
]


def words(lake: Path) -> None:
    """What a contract may say, in two deliveries with a table of rates that changes.

    The files lie beside the folders of both engines, since tables name the file that a row is from.
    """
    from medallion import pipeline
    from medallion.config import load
    from medallion.contracts import yaml
    from medallion.proposal import activities

    exports = lake.parents[1] / "exports"
    exports.mkdir(exist_ok=True)
    contract, rates = exports / "words.odcs.yaml", exports / "rates.csv"
    counts = activities.when("state", ["planned", "Not started"])
    contract.write_text(CONTRACT.replace("PLANNED", yaml.quoted(counts)), encoding="utf-8")
    rates.write_text("date,currency,rate\n2024-01-01,EUR,1.1\n2024-06-15,EUR,1.2\n", encoding="utf-8")
    for place, files in enumerate(DELIVERIES):
        folder = exports / f"delivery_{place}"
        folder.mkdir(exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        given = {"contracts": [contract], "rates": str(rates)}
        pipeline.run(load(None, source=str(folder), lakehouse=str(lake), **given), NOW + timedelta(days=place))
        rates.write_text("date,currency,rate\n2024-01-01,EUR,1.15\n2024-01-01,GBP,1.3\n", encoding="utf-8")


def world(lake: Path, exports: Path) -> None:
    """A messy simulated world in deliveries, learned from and scored."""
    from medallion import pipeline
    from medallion.config import load
    from medallion.learning import train

    deliveries = sorted(path for path in exports.iterdir() if path.is_dir()) or [exports]
    for place, folder in enumerate(deliveries):
        pipeline.run(load(None, source=str(folder), lakehouse=str(lake)), NOW + timedelta(days=place))
    settings = load(None, source=str(exports), lakehouse=str(lake), as_of="2025-06-30")
    train.train(settings, NOW + timedelta(days=len(deliveries)))
    pipeline.run(settings, NOW + timedelta(days=len(deliveries)), stages=[pipeline.SILVER_TO_GOLD])


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    if sys.argv[2] == "sample":
        sample(folder / "lake")
    elif sys.argv[2] == "words":
        words(folder / "lake")
    else:
        world(folder / "lake", Path(sys.argv[3]))
