"""Approved changes into HubSpot and Salesforce, against local servers that behave like theirs."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import crm_servers
import pytest
import yaml
from pydantic import ValidationError
from typer.testing import CliRunner

from conftest import NOW
from medallion.agent import crm
from medallion.care.proposals import Actions
from medallion.config import CrmSettings
from medallion.errors import MedallionError
from medallion.lakehouse.store import Lakehouse

TOKEN = "pat-eu1-very-secret-0123456789"  # noqa: S105
TARGET = {"hubspot": "deals", "salesforce": "Opportunity"}
FIELDS = {
    "hubspot": {"next_step": "hs_next_step", "stage": "dealstage", "expected_close_date": "closedate"},
    "salesforce": {"next_step": "NextStep", "stage": "StageName", "expected_close_date": "CloseDate"},
}
STAGES = {"stage": {"Proposal": "proposal_sent", "Bad": "wrong"}}


@pytest.fixture(scope="session")
def pem(tmp_path_factory):
    return crm_servers.certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(params=["hubspot", "salesforce"])
def there(request, pem, monkeypatch):
    """A CRM with one deal, and the secrets for it in the environment."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("SALESFORCE_CONSUMER_KEY", raising=False)
    monkeypatch.setenv("HUBSPOT_TOKEN", TOKEN)
    monkeypatch.setenv("SALESFORCE_ACCESS_TOKEN", TOKEN)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
    made = (crm_servers.HubSpot if request.param == "hubspot" else crm_servers.Salesforce)(TOKEN)
    made.kind, made.fields, made.target = request.param, FIELDS[request.param], TARGET[request.param]
    made.properties = {*made.fields.values(), "Key__c", "Loose__c"}
    made.unique = {"Key__c"}
    made.add(made.target, "77", Key__c="L-1", Loose__c="L-1")
    with crm_servers.served(made, pem if request.param == "salesforce" else None):
        yield made


def executor(there, waits=None, attempts=4, **record):
    deal = {"external_id": "Key__c", "fields": there.fields, "values": STAGES, **record}
    settings = CrmSettings.model_validate(
        {"kind": there.kind, "base_url": there.address, "attempts": attempts, "deal": deal}
    )
    made = crm.executor(settings)
    made._sleep = (waits if waits is not None else []).append
    return made


@pytest.fixture
def actions(tmp_path):
    return Actions(Lakehouse(str(tmp_path / "lake")))


def approved(actions, changes, key="L-1", now=NOW):
    one = actions.propose("deal", key, changes, "asked", "agent", now)
    return actions.decide(one.action_id, "approved", "ann", now)


def applied(actions, there, changes, waits=None, key="L-1", now=NOW, **record):
    one = approved(actions, changes, key, now)
    return actions.apply(one.action_id, executor(there, waits, **record), "ann", now)


CHANGE = {"next_step": "Send the offer", "stage": "Proposal", "expected_close_date": "2025-08-01"}


def test_a_change_is_written_once_and_read_back(actions, there):
    assert applied(actions, there, CHANGE).state == "applied"
    row = there.records[there.target]["77"]
    assert [row[name] for name in there.fields.values()] == ["Send the offer", "proposal_sent", "2025-08-01"]
    assert there.writes == ["77"]
    row[there.fields["expected_close_date"]] = "2025-08-01T00:00:00Z"  # as a property with a time of day tells it
    assert applied(actions, there, CHANGE, now=NOW + timedelta(days=1)).state == "applied"
    assert there.writes == ["77"]  # the record said it already
    assert list(actions.events())[-1]["executor"] == there.kind


def test_an_empty_value_clears(actions, there):
    there.records[there.target]["77"][there.fields["expected_close_date"]] = "2025-08-01"
    assert applied(actions, there, {"expected_close_date": ""}).state == "applied"
    assert not there.records[there.target]["77"][there.fields["expected_close_date"]]


def test_by_the_crms_own_identifier(actions, there):
    assert applied(actions, there, CHANGE, key="77", external_id=None).state == "applied"
    with pytest.raises(MedallionError, match="has no deal whose"):
        applied(actions, there, CHANGE, key="78", external_id=None)
    assert there.writes == ["77"]


def test_a_record_that_is_not_there(actions, there):
    with pytest.raises(MedallionError, match="has no deal whose Key__c is 'L-2'"):
        applied(actions, there, CHANGE, key="L-2")
    assert there.writes == []
    later = NOW + timedelta(hours=1)
    assert applied(actions, there, CHANGE, key="L-2", create=True, now=later).state == "applied"
    assert len(there.by(there.target, "Key__c", "L-2")) == 1
    assert applied(actions, there, {"next_step": "Call"}, key="L-2", create=True).state == "applied"
    assert len(there.records[there.target]) == 2
    assert len(there.writes) == 2


def test_a_key_is_never_part_of_the_address(actions, there):
    key = "../x?y=1#'z' OR Id!=''"
    there.add(there.target, "78", Key__c=key, Loose__c=key)
    assert applied(actions, there, {"next_step": "a"}, key=key).state == "applied"
    assert applied(actions, there, {"next_step": "b"}, key=key, external_id="Loose__c", unique=False).state == "applied"
    assert there.writes == ["78", "78"]


def test_a_property_that_is_not_unique_is_searched_over_all_pages(actions, there):
    loose = {"external_id": "Loose__c", "unique": False}
    there.add(there.target, "78", Loose__c="l-1")  # a search does not tell upper case from lower: not ours
    there.records[there.target]["76"] = there.records[there.target].pop("77")  # ours comes second
    assert applied(actions, there, CHANGE, **loose).state == "applied"
    assert there.writes == ["76"]
    assert len([one for one in there.seen if "search" in one[1] or "query" in one[1]]) >= 4
    there.add(there.target, "79", Loose__c="L-1")
    with pytest.raises(MedallionError, match=r"several.*76, 79"):
        applied(actions, there, {"next_step": "x"}, **loose)
    assert there.writes == ["76"]


def test_busy_and_ill_servers(actions, there):
    waits = []
    there.plan = [(429, {"retry-after": "7"}, {}), "ok", (500, {}, "<html>"), (503, {}, {}), "ok"]
    assert applied(actions, there, CHANGE, waits).state == "applied"
    assert waits[0] == 7.0
    assert len(waits) == 3
    assert all(0 <= one <= 8 for one in waits[1:])
    assert there.writes == ["77"]


def test_a_server_that_stays_ill(actions, there):
    waits = []
    there.plan = [(500, {}, {})] * 20
    with pytest.raises(MedallionError, match=r"has a fault \(500\) \(tried 4 times; nothing was changed"):
        applied(actions, there, CHANGE, waits)
    assert len(there.seen) == 4
    assert len(waits) == 3
    assert list(actions.events())[-1]["event"] == "failed"


@pytest.mark.parametrize(
    "after",
    ["86400", "inf", "nan", format_datetime(datetime.now(UTC) + timedelta(hours=3))],
    ids=["a day", "inf", "nan", "a date"],  # the date itself would differ from worker to worker
)
def test_a_wait_that_is_too_long(actions, there, after):
    there.plan = [(429, {"retry-after": after}, {})]
    with pytest.raises(MedallionError, match="longer than 60 seconds"):
        applied(actions, there, CHANGE)
    assert len(there.seen) == 1


def test_a_connection_that_drops_after_the_change(actions, there):
    there.plan = ["ok", "drop"]
    assert applied(actions, there, CHANGE).state == "applied"
    assert len(there.records[there.target]) == 1
    there.plan = ["ok", "drop"]
    assert applied(actions, there, CHANGE, key="L-9", create=True).state == "applied"
    assert len(there.by(there.target, "Key__c", "L-9")) == 1


def test_a_connection_that_drops_for_good(actions, there):
    there.plan = ["ok"] + ["drop"] * 10
    with pytest.raises(MedallionError, match="whether the change was made is not known"):
        applied(actions, there, CHANGE)


def test_nobody_listens(actions, there):
    there.address = there.address.rsplit(":", 1)[0] + ":1"
    with pytest.raises(MedallionError, match="cannot be reached"):
        applied(actions, there, CHANGE)


def test_a_field_is_refused(actions, there):
    before = dict(there.records[there.target]["77"])
    with pytest.raises(MedallionError, match=r"refused, and changed nothing \(400\): stage \(\w+\): .*wrong"):
        applied(actions, there, {"next_step": "x", "stage": "Bad"})
    assert there.records[there.target]["77"] == before
    assert actions.all(NOW)[0].state == "failed"
    with pytest.raises(MedallionError, match=r"refused, and changed nothing \((207|400)\): stage"):
        applied(actions, there, {"stage": "Bad"}, key="L-5", create=True)
    assert there.writes == []


def test_a_field_is_dropped_without_a_word(actions, there):
    there.ignores = {there.fields["next_step"]}
    with pytest.raises(MedallionError, match="says otherwise afterwards in next_step\n"):
        applied(actions, there, CHANGE)
    assert list(actions.events())[-1]["error"] == "read back otherwise: next_step"


def test_a_property_that_the_crm_does_not_have(actions, there):
    with pytest.raises(MedallionError, match="Nothing__c"):
        applied(actions, there, CHANGE, external_id="Nothing__c")
    with pytest.raises(MedallionError, match="Nowhere"):
        applied(actions, there, {"next_step": "x"}, fields={"next_step": "Nowhere"}, values={})
    assert there.writes == []


def test_not_allowed(actions, there):
    body = {"message": "missing scopes: crm.objects.deals.write"}
    there.plan = ["ok", (403, {}, body if there.kind == "hubspot" else [{"errorCode": "INSUFFICIENT_ACCESS", **body}])]
    with pytest.raises(MedallionError, match=r"does not allow this \(403\): .*missing scopes"):
        applied(actions, there, CHANGE)


@pytest.mark.parametrize("body", ["<html>hello", "[]", "{}", '"x"', "null", '[{"a": 1}]'])
def test_answers_that_mean_nothing(actions, there, body):
    there.plan = [(200, {}, body)]
    with pytest.raises(MedallionError, match="failed: "):
        applied(actions, there, CHANGE)
    assert actions.all(NOW)[0].state == "failed"
    assert there.writes == []


def test_what_the_settings_do_not_name(actions, there):
    for change, told in (({"note": "x"}, "note of a deal has no property"), ({"stage": "Lost"}, "'Lost' has no value")):
        with pytest.raises(MedallionError, match=told):
            applied(actions, there, change)
    one = actions.propose("customer", "C-1", {"note": "x"}, "asked", "agent", NOW)
    actions.decide(one.action_id, "approved", "ann", NOW)
    with pytest.raises(MedallionError, match="names no fields of a customer"):
        actions.apply(one.action_id, executor(there), "ann", NOW)
    assert there.seen == []
    with pytest.raises(MedallionError, match=r"amount may not be changed"):
        executor(there, fields={"amount": "amount"}, values={})


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"base_url": "http://crm.example.com"}, "https"),
        ({"base_url": "https://me:pw@crm.example.com"}, "https"),
        ({"base_url": "https://[x"}, "no address"),
        ({"deal": {"fields": {"stage": "a/b"}}}, "pattern"),
        ({"deal": {"fields": {"stage": "a", "note": "a"}}}, "same property"),
        ({"deal": {"fields": {"stage": "a"}, "create": True}}, "unique"),
        ({"deal": {"fields": {"stage": "a"}, "create": True, "external_id": "K", "unique": False}}, "unique"),
        ({"deal": {"fields": {"stage": "a"}, "values": {"note": {}}}}, "which fields does not name"),
        ({"token": TOKEN}, "Extra inputs"),
    ],
)
def test_settings_that_cannot_be(settings, told):
    with pytest.raises(ValidationError, match=told):
        CrmSettings.model_validate({"kind": "hubspot", **settings})


def test_a_client_that_is_not_installed(there, monkeypatch):
    monkeypatch.setattr(crm, "find_spec", lambda _: None)
    with pytest.raises(MedallionError, match=r"is not installed\npip install 'medallion-crm\[crm\]'"):
        executor(there)


# secrets


def test_a_token_is_nowhere(tmp_path, there, monkeypatch, caplog):
    """A wrong, a broken and a right token: through the command, with all logging on, and an echo by the server."""
    from medallion.cli import app

    caplog.set_level(logging.DEBUG)
    config = tmp_path / "config.yaml"
    deal = {"external_id": "Key__c", "fields": there.fields, "values": STAGES}
    told = {"kind": there.kind, "base_url": there.address, "attempts": 1, "deal": deal}
    config.write_text(yaml.safe_dump({"lakehouse": str(tmp_path / "lake"), "agent": {"crm": told}}))
    actions, shown = Actions(Lakehouse(str(tmp_path / "lake"))), []

    def run(*more):
        one = actions.propose(
            "deal", "L-1", {"next_step": f"Step {len(shown)}"}, "asked", "agent", datetime.now(UTC).replace(tzinfo=None)
        )
        actions.decide(one.action_id, "approved", "ann", datetime.now(UTC).replace(tzinfo=None))
        done = CliRunner().invoke(app, ["actions", "apply", one.action_id, "--config", str(config), *more])
        shown.append(done.output + "".join(f"{e!r} {e} {e.args}" for e in _chain(done.exception)))
        return done

    name = "HUBSPOT_TOKEN" if there.kind == "hubspot" else "SALESFORCE_ACCESS_TOKEN"
    assert run().output.startswith(
        f"Written to {'HubSpot, deals' if there.kind == 'hubspot' else 'Salesforce, Opportunity'}: deal L-1:"
    )
    there.plan = [(400, {}, {"message": f"I saw Bearer {TOKEN} \x1b[31m"})]
    run()
    assert "I saw Bearer [secret] [31m" in shown[-1]
    there.token = TOKEN[::-1]
    run()
    assert f"does not accept {name} (401)" in shown[-1]
    monkeypatch.setenv(name, f"{TOKEN}\nX: y")
    run()
    assert f"{name} holds spaces" in shown[-1]
    monkeypatch.delenv(name)
    run()
    assert f"{name} is not set" in shown[-1]
    assert run("--dry-run").output.startswith("Would be written to ")  # asks for no secret
    assert "Written to" in run("--outbox", str(tmp_path / "out")).output
    assert len(list((tmp_path / "out").iterdir())) == 1
    everything = "".join(shown) + caplog.text + repr(executor(there))
    everything += "".join(one.read_text(errors="replace") for one in tmp_path.rglob("*") if one.is_file())
    assert "Step 1" in everything
    assert TOKEN not in everything


def _chain(error):
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def test_salesforce_by_client_credentials(actions, there, monkeypatch):
    import simple_salesforce.api

    if there.kind != "salesforce":
        pytest.skip("only Salesforce signs in")
    asked = {}

    def login(**given):
        asked.update(given)
        return TOKEN, there.address.removeprefix("https://")

    monkeypatch.setattr(simple_salesforce.api, "SalesforceLogin", login)
    monkeypatch.setenv("SALESFORCE_CONSUMER_KEY", "key")
    monkeypatch.setenv("SALESFORCE_CONSUMER_SECRET", "secret")
    monkeypatch.setenv("SALESFORCE_DOMAIN", "acme.my/x")
    with pytest.raises(MedallionError, match="SALESFORCE_DOMAIN is no domain"):
        applied(actions, there, CHANGE)
    monkeypatch.setenv("SALESFORCE_DOMAIN", "acme.my")
    assert applied(actions, there, CHANGE).state == "applied"
    assert (asked["consumer_key"], asked["consumer_secret"], asked["domain"]) == ("key", "secret", "acme.my")
    there.token = TOKEN[::-1]  # a session that is refused for ever ends at once
    with pytest.raises(MedallionError, match=r"\(401\)"):
        applied(actions, there, {"next_step": "x"})
