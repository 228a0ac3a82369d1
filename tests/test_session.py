"""Which engine is taken, and what is said when it cannot be had."""

from __future__ import annotations

import os
import sys
import threading
import time
import types

import pytest

from medallion.errors import LakehouseError, MedallionError
from medallion.lakehouse import session, unity
from medallion.lakehouse.store import Lakehouse


class Session:
    """As much of a session as `session.session` touches."""

    def __init__(self):
        self.set = {}
        self.conf = types.SimpleNamespace(set=self.set.__setitem__)


@pytest.fixture
def fresh(monkeypatch):
    """No session is open, and nothing in the environment names an engine."""
    monkeypatch.setattr(session, "_open", {})
    for name in ("DATABRICKS_RUNTIME_VERSION", "SPARK_REMOTE", "DATABRICKS_CLUSTER_ID"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def connect(monkeypatch, error=None):
    """A stand-in for Databricks Connect; gives what its builder was told."""
    told = []

    class Builder:
        def serverless(self, wanted):
            told.append(("serverless", wanted))
            return self

        def getOrCreate(self):  # noqa: N802
            told.append("session")
            if error:
                raise error
            return Session()

    module = types.ModuleType("databricks.connect")
    module.DatabricksSession = types.SimpleNamespace(builder=Builder())
    monkeypatch.setitem(sys.modules, "databricks.connect", module)
    return told


def test_outside_of_databricks_its_engine_is_databricks_connect(fresh):
    told = connect(fresh)
    found = session.session("databricks")
    assert told == [("serverless", True), "session"]
    assert session.engine_name() == "databricks"
    # serverless compute refuses settings that it does not know
    assert found.set == {"spark.sql.session.timeZone": "UTC"}


def test_a_cluster_that_is_named_is_used(fresh):
    fresh.setenv("DATABRICKS_CLUSTER_ID", "0123-456789-abcdef")
    told = connect(fresh)
    session.session("databricks")
    assert told == ["session"]


def test_without_databricks_connect(fresh):
    fresh.setitem(sys.modules, "databricks.connect", None)
    with pytest.raises(MedallionError, match="Databricks Connect is not installed"):
        session.session("databricks")
    assert session.engine_name() == ""


def test_what_databricks_connect_says_is_passed_on_in_one_line(fresh):
    connect(fresh, RuntimeError("cluster 7 is gone\nlong trace"))
    with pytest.raises(MedallionError, match="Databricks Connect: cluster 7 is gone") as told:
        session.session("databricks")
    assert "long trace" not in told.value.problem


@pytest.mark.parametrize(
    ("environment", "engine"),
    [
        ({}, "sail"),
        ({"SPARK_REMOTE": "sc://127.0.0.1:1"}, "remote"),
        ({"SPARK_REMOTE": "sc://127.0.0.1:1", "DATABRICKS_RUNTIME_VERSION": "17.3"}, "databricks"),
    ],
)
def test_auto_takes_what_it_finds(fresh, environment, engine):
    for name, value in environment.items():
        fresh.setenv(name, value)
    assert session._choose("auto") == engine


@pytest.mark.parametrize(
    "root", ["uc://", "uc://a b", "uc://a`; drop table x; --", "uc://a/b", "uc://a.b", "uc://a/b_/c_", "uc://a/b`_"]
)
def test_names_that_are_no_catalog_are_refused(root):
    with pytest.raises(LakehouseError, match="names no catalog"):
        Lakehouse(root).path("gold.deals")


def test_tables_of_a_catalog_are_named_in_quotes():
    assert Lakehouse("uc://crm_dev").path("gold.deals") == "`crm_dev`.`gold`.`deals`"
    assert Lakehouse("uc://crm_dev/").path("gold.deals") == "`crm_dev`.`gold`.`deals`"
    assert Lakehouse("uc://crm_dev/dev_ann_").path("gold.deals") == "`crm_dev`.`dev_ann_gold`.`deals`"
    assert Lakehouse("uc://crm_dev/dev_ann_").catalog == "crm_dev"
    assert not Lakehouse("uc://crm_dev").place.reads_files
    assert Lakehouse("abfss://lake@account.dfs.core.windows.net/x").place.reads_files


def test_what_unity_catalog_does_itself_is_left_to_it():
    with pytest.raises(LakehouseError, match="vacuum is left to Unity Catalog"):
        unity.Table("uc://crm_dev", "gold.deals").vacuum()


def test_models_go_to_the_registry_of_the_catalog():
    from medallion.learning import tracking

    assert tracking._places("databricks", ("crm_dev", "ops")) == (
        "databricks-uc",
        "crm_dev.ops.medallion_lead_scoring",
        "/Shared/medallion_lead_scoring",
    )
    assert tracking._places("databricks://prod", ("crm", "ops"))[0] == "databricks-uc://prod"
    assert tracking._places("sqlite:///x.db", None) == ("sqlite:///x.db", tracking.MODEL, tracking.EXPERIMENT)
    with pytest.raises(MedallionError, match="the lakehouse is in no catalog"):
        tracking._places("databricks", None)


def test_forgetting_is_not_for_addresses(fresh):
    from datetime import datetime

    from medallion.care import erasure
    from medallion.config import load

    with pytest.raises(LakehouseError, match="forgetting works in a folder or a catalog"):
        erasure.forget(load(None, lakehouse="s3://bucket/lake"), "C001", "asked", "ann", datetime(2025, 7, 1))


def test_a_session_is_there_after_a_long_pause(spark):
    """The embedded engine would end it after five minutes, such as those of a long maintenance."""
    assert spark.range(1).count() == 1
    assert int(os.environ["SAIL_SPARK__SESSION_TIMEOUT_SECS"]) > 24 * 3600


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))


@pytest.mark.parametrize("fails", [False, True])
def test_an_engine_that_was_begun_is_waited_for_and_begun_once_more_where_it_failed(fresh, fails):
    begun, waiting = [], threading.Event()

    def sail(memory_gib):
        begun.append(memory_gib)
        waiting.wait()
        if fails and len(begun) == 1:
            raise MedallionError("no memory", "Take less.")
        return Session()

    fresh.setattr(session, "_sail", sail)
    session.begin(memory_gib=2)
    while not begun:
        time.sleep(0.001)
    assert session.engine_name() == ""
    threading.Timer(0.1, waiting.set).start()
    assert isinstance(session.session(memory_gib=2), Session)
    assert begun == ([2, 2] if fails else [2])
