#!/usr/bin/env bash
# Make what a lakehouse on Azure needs: resource group, storage account with the `lakehouse` container, access
# connector and its roles. Safe to run twice: what is there stays, nothing is ever deleted, a closed network is never
# opened, copies are kept where they are. Sign in first: az login.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    cat <<'TEXT'
usage: scripts/setup_azure_storage.sh --group NAME --account NAME --location REGION [options]

  --group NAME          resource group, made when it is not there
  --account NAME        storage account, 3 to 24 lower-case letters and digits, unique in all of Azure
  --location REGION     such as westeurope
  --subscription ID     the subscription [default: the one that az is set to]
  --replication SKU     Standard_ZRS, Standard_LRS, Standard_GRS or Standard_GZRS
                        [default: as it is; of a new account Standard_ZRS]
  --uploader ID         object id of the user who uploads exports, who is given access to the container
  --uploader-type TYPE  User (default), Group or ServicePrincipal
  --allow-ip CIDR       only these public addresses and subnets may reach the account; may be given again
  --allow-subnet ID     resource id of a subnet with the service endpoint Microsoft.Storage; may be given again
  --open-network        all networks may reach the account again, which let only some in before
  --logs-to ID          resource id of a Log Analytics workspace for audit logs of storage, key vault and Databricks
  --with-key-vault      a key vault too
  --with-workspace      a Databricks workspace too (Premium), named GROUP-workspace
  --with-data-factory URL JOB_ID
                        a Data Factory too that starts the job and waits for it
  --what-if             let Azure tell what would change, and change nothing but the group
  --dry-run             print the commands, run none
  --help                this text

Exit status: 0 done; 1 Azure refused, its message says why; 2 the command line is wrong.
TEXT
}

fail() {
    printf 'setup_azure_storage.sh: %s\n' "$1" >&2
    exit 2
}

group='' account='' location='' subscription='' uploader='' factory_url='' factory_job=''
replication='' uploader_type=User logs=''
with_key_vault=false with_workspace=false dry_run=false what_if=false open_network=false
allowed=() subnets=()

while [ $# -gt 0 ]; do
    case $1 in
        --group | --account | --location | --subscription | --replication | --uploader | --uploader-type | --allow-ip | --allow-subnet | --logs-to)
            [ $# -ge 2 ] && [ -n "$2" ] && [ "${2#--}" = "$2" ] || fail "$1 needs a value"
            ;;
    esac
    case $1 in
        --group) group=$2 && shift 2 ;;
        --account) account=$2 && shift 2 ;;
        --location) location=$2 && shift 2 ;;
        --subscription) subscription=$2 && shift 2 ;;
        --replication) replication=$2 && shift 2 ;;
        --uploader) uploader=$2 && shift 2 ;;
        --uploader-type) uploader_type=$2 && shift 2 ;;
        --allow-ip) allowed+=("$2") && shift 2 ;;
        --allow-subnet) subnets+=("$2") && shift 2 ;;
        --open-network) open_network=true && shift ;;
        --logs-to) logs=$2 && shift 2 ;;
        --with-key-vault) with_key_vault=true && shift ;;
        --with-workspace) with_workspace=true && shift ;;
        --with-data-factory)
            [ $# -ge 3 ] || fail "$1 needs the workspace's URL and the job's number"
            factory_url=$2 factory_job=$3
            shift 3
            ;;
        --what-if) what_if=true && shift ;;
        --dry-run) dry_run=true && shift ;;
        --help) usage && exit 0 ;;
        *) fail "unknown option $1; --help tells them" ;;
    esac
done

[ -n "$group" ] || fail "--group is missing"
[ -n "$location" ] || fail "--location is missing"
[[ $account =~ ^[a-z0-9]{3,24}$ ]] || fail "--account '$account' is not 3 to 24 lower-case letters and digits"
[[ $group =~ ^[A-Za-z0-9._()-]{1,90}$ && $group != *. ]] || fail "--group '$group' is not a name of a resource group"
[[ $location =~ ^[a-z0-9]+$ ]] || fail "--location '$location' is not a region such as westeurope"
case $replication in
    '' | Standard_LRS | Standard_ZRS | Standard_GRS | Standard_GZRS) ;;
    *) fail "--replication '$replication' is not Standard_LRS, Standard_ZRS, Standard_GRS or Standard_GZRS" ;;
esac
case $uploader_type in
    User | Group | ServicePrincipal) ;;
    *) fail "--uploader-type '$uploader_type' is not User, Group or ServicePrincipal" ;;
esac
[[ -z $uploader || $uploader =~ ^[0-9a-fA-F-]{36}$ ]] || fail "--uploader '$uploader' is not an object id (a GUID)"
[[ -z $factory_url || $factory_url =~ ^https://[A-Za-z0-9.-]+$ ]] || fail "'$factory_url' is not https://HOST, without a slash at its end"
[[ -z $factory_job || $factory_job =~ ^[0-9]+$ ]] || fail "'$factory_job' is not the number of a job"

addresses=''
for address in ${allowed[@]+"${allowed[@]}"}; do
    [[ $address =~ ^[0-9]{1,3}(\.[0-9]{1,3}){3}(/([0-9]|[12][0-9]|30))?$ ]] || fail "--allow-ip '$address' is not an IPv4 address or range"
    addresses+="${addresses:+,}\"$address\""
done

networks=''
for subnet in ${subnets[@]+"${subnets[@]}"}; do
    [[ $subnet =~ ^/subscriptions/[0-9a-fA-F-]{36}/resourceGroups/[^/\"]+/providers/Microsoft\.Network/virtualNetworks/[^/\"]+/subnets/[^/\"]+$ ]] || fail "--allow-subnet '$subnet' is not the resource id of a subnet"
    networks+="${networks:+,}\"$subnet\""
done
[[ -z $logs || $logs =~ ^/subscriptions/[0-9a-fA-F-]{36}/resourceGroups/[^/\"]+/providers/Microsoft\.OperationalInsights/workspaces/[^/\"]+$ ]] || fail "--logs-to '$logs' is not the resource id of a Log Analytics workspace"
! $open_network || [ -z "$addresses$networks" ] || fail "--open-network lets all in, and --allow-ip or --allow-subnet only some: give one of them"

scope=()
[ -z "$subscription" ] || scope=(--subscription "$subscription")

run() {
    if $dry_run; then
        printf '+ az'
        printf ' %q' "$@" ${scope[@]+"${scope[@]}"}
        printf '\n'
    else
        az "$@" ${scope[@]+"${scope[@]}"}
    fi
}

say() { printf '\n== %s\n' "$1"; }

deploy() { # name of the deployment, template, parameters
    local name=$1 template=$2 verb=create
    shift 2
    $what_if && verb=what-if
    local arguments=(deployment group "$verb" --resource-group "$group" --name "$name" --template-file "$template" --mode Incremental --parameters "$@")
    $what_if || arguments+=(--query properties.outputs --output json)
    run "${arguments[@]}"
}

if ! $dry_run && ! command -v az >/dev/null; then
    fail "az, the Azure CLI, is not installed"
fi

say "signed in?"
if ! run account show --query '{subscription: name, tenant: tenantId}' --output table; then
    echo "Sign in with: az login" >&2
    exit 1
fi

say "resource providers"
providers=(Microsoft.Storage Microsoft.Databricks)
! $with_key_vault || providers+=(Microsoft.KeyVault)
[ -z "$logs" ] || providers+=(Microsoft.Insights)
[ -z "$factory_url" ] || providers+=(Microsoft.DataFactory)
for provider in "${providers[@]}"; do
    run provider register --namespace "$provider" --wait --output none
done

say "resource group $group"
exists=false
$dry_run || exists=$(run group exists --name "$group" --output tsv)
if [ "$exists" = true ]; then
    echo "is there already"
else
    run group create --name "$group" --location "$location" --tags product=medallion --output none
fi

say "storage account $account, container lakehouse, access connector, roles"
if [ "$exists" = true ]; then
    # the template says all of the account, and what an option does not name would change
    query() { run storage account list --resource-group "$group" --query "[?name=='$account'].$1 | [0]" --output tsv; }
    [ -n "$replication" ] || replication=$(query sku.name)
    if [ -z "$addresses$networks" ] && ! $open_network && [ "$(query networkRuleSet.defaultAction)" = Deny ]; then
        echo "Only some networks may reach $account. Give --allow-ip and --allow-subnet again, or --open-network." >&2
        exit 1
    fi
fi
deploy medallion-storage infra/storage.json \
    "accountName=$account" "location=$location" "replication=${replication:-Standard_ZRS}" "allowedIpRanges=[$addresses]" \
    "allowedSubnetIds=[$networks]" "uploaderObjectId=$uploader" "uploaderType=$uploader_type" \
    "withKeyVault=$with_key_vault" "logAnalyticsId=$logs"

if $with_workspace; then
    say "Databricks workspace $group-workspace"
    deploy medallion-databricks infra/databricks.json "location=$location" "logAnalyticsId=$logs"
fi

if [ -n "$factory_url" ]; then
    say "Data Factory $account-factory"
    deploy medallion-factory infra/adf/factory.json \
        "factoryName=$account-factory" "location=$location" "workspaceUrl=$factory_url" "jobId=$factory_job"
fi

say "done"
if $dry_run; then
    echo "Nothing was run."
elif $what_if; then
    echo "Nothing was changed but the resource group."
else
    echo "Tables go to abfss://lakehouse@$account.dfs.core.windows.net/, exports to its folder landing/."
    echo "Next: docs/DEPLOYMENT.md, the storage credential and the external location of Unity Catalog."
fi
