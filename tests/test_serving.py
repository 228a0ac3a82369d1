"""What readers get: DuckDB views over Delta, and exported files."""

from __future__ import annotations

import csv
import json

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from medallion.care.export import export
from medallion.errors import LakehouseError, MedallionError
from medallion.lakehouse import query, store
from medallion.lakehouse.store import Lakehouse


def test_views_are_the_delta_tables(sample, spark):
    with query.connect(sample, layers=("silver", "gold", "ops")) as connection:
        for name in sample.tables():
            if name.startswith("bronze."):
                continue
            served = connection.execute(f"select count(*) from {name}").fetchone()[0]
            assert served == store.read(spark, sample, name).count(), name
            names = [row[0] for row in connection.execute(f"describe {name}").fetchall()]
            assert names == store.read(spark, sample, name).columns


def test_an_empty_table_keeps_its_types(sample):
    with query.connect(sample) as connection:
        types = {row[0]: row[1] for row in connection.execute("describe silver.quarantine").fetchall()}
    assert types["reasons"] == "VARCHAR[]"
    assert types["known_at"] == "TIMESTAMP WITH TIME ZONE"
    assert types["source_row"] == "BIGINT"


def test_there_must_be_a_lakehouse(tmp_path):
    with pytest.raises(LakehouseError, match="no lakehouse here"), query.connect(Lakehouse(str(tmp_path))):
        pass


def test_names_of_tables_are_checked(tmp_path):
    for name in ("gold", "../x", "gold.x/../../y", "gold.X", "silver.a b"):
        with pytest.raises(ValueError, match="not a table name"):
            Lakehouse(str(tmp_path)).path(name)


def test_deletion_vectors_are_refused(sample, monkeypatch):
    class Protocol:
        reader_features = ("deletionVectors",)

    real = DeltaTable.protocol
    manifests = sample.path("ops.manifests")
    monkeypatch.setattr(
        "deltalake.DeltaTable.protocol", lambda self: real(self) if manifests in self.table_uri else Protocol()
    )
    with pytest.raises(LakehouseError, match="deletion vectors"), query.connect(sample):
        pass


NASTY = ["=SUM(A1)", "+1", "-1", "@x", "\tx", "\rx", 'say "hi"', "two\nlines", "名前, Größe", "'", "plain"]


@pytest.fixture(scope="module")
def nasty(spark, tmp_path_factory):
    """A lakehouse whose customers have names that spreadsheets and CSV readers stumble over."""
    from conftest import NOW
    from medallion import pipeline
    from medallion.config import load

    folder = tmp_path_factory.mktemp("nasty")
    with (folder / "customers.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [["customer_id", "customer_name"], *([f"C{n:02}", name] for n, name in enumerate(NASTY))]
        )
    lake = Lakehouse(str(folder / "lakehouse"))
    pipeline.run(load(None, source=str(folder), lakehouse=lake.root), NOW)
    return lake


def test_csv_export_is_safe_for_spreadsheets(nasty, tmp_path):
    (written,) = export(nasty, tmp_path, "csv", ["silver.customers_clean"])
    with open(written["path"], newline="", encoding="utf-8") as file:
        names = {row["customer_id"]: row["customer_name"] for row in csv.DictReader(file)}
    assert len(names) == written["rows"] == len(NASTY)
    clean = {f"C{n:02}": " ".join(name.split()) for n, name in enumerate(NASTY)}
    for key, name in clean.items():
        assert names[key] == (f"'{name}" if name[0] in "=+-@" else name)


def test_parquet_export_is_exact(nasty, tmp_path):
    (written,) = export(nasty, tmp_path, "parquet", ["silver.customers_clean"])
    names = pq.read_table(written["path"]).to_pydict()["customer_name"]
    assert sorted(names) == sorted(" ".join(name.split()) for name in NASTY)


def test_everything_of_silver_and_gold_is_exported(sample, tmp_path):
    written = export(sample, tmp_path / "new" / "folder", "csv")
    assert {row["table"] for row in written} == {
        name for name in sample.tables() if name.split(".")[0] in ("silver", "gold")
    }
    assert not list(tmp_path.rglob("*.part"))
    assert sum(row["rows"] for row in written if row["table"] == "gold.customer_features") == 13


def test_export_says_what_is_wrong(sample, tmp_path):
    with pytest.raises(MedallionError, match=r"There is no table gold\.nope"):
        export(sample, tmp_path, "csv", ["gold.nope"])
    (tmp_path / "file").write_text("")
    with pytest.raises(MedallionError, match="cannot be written"):
        export(sample, tmp_path / "file", "csv", ["gold.deals"])


def test_lists_are_json_in_csv(deliver, tmp_path):
    _, lake = deliver({"customers.csv": "customer_id,customer_name\n?,x\n!,y\n"})
    (written,) = export(lake, tmp_path / "out", "csv", ["silver.quarantine"])
    with open(written["path"], newline="") as file:
        reasons = [json.loads(row["reasons"]) for row in csv.DictReader(file)]
    assert sorted(reasons) == [["customer_id: is missing"], ["customer_id: is not a well-formed identifier: '!'"]]


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
