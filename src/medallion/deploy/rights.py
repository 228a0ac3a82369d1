"""Who may do what in a target: privileges on schemas and volumes, and who may read the folder of the code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from medallion.deploy.bundle import Bundle
from medallion.deploy.changes import Change, there
from medallion.deploy.workspace import told
from medallion.errors import MedallionError, extra

with extra("databricks", "Databricks"):
    from databricks.sdk.service.catalog import PermissionsChange, Privilege
    from databricks.sdk.service.iam import AccessControlRequest

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

#: Levels at which a folder can be written to.
_WRITES = frozenset({"CAN_EDIT", "CAN_MANAGE"})
#: Levels of a bundle that have another name for a folder.
_FOLDER = {"CAN_VIEW": "CAN_READ"}


def grants(client: WorkspaceClient, bundle: Bundle) -> Iterator[Change]:
    """The privileges that are missing; those beyond the bundle stay."""
    for (kind, full), wanted in bundle.grants.items():
        existing = there(partial(client.grants.get, kind), full, f"grants on {full}")
        granted = {
            assignment.principal: set(assignment.privileges or ())
            for assignment in (existing and existing.privilege_assignments) or ()
        }
        lacking = {
            principal: [Privilege(name) for name in sorted(names) if Privilege(name) not in granted.get(principal, ())]
            for principal, names in wanted.items()
        }
        changes = [PermissionsChange(principal=name, add=more) for name, more in lacking.items() if more]
        if not changes:
            continue

        def grant(kind: str = kind, full: str = full, changes: list[PermissionsChange] = changes) -> None:
            client.grants.update(kind, full, changes=changes)

        reason = "; ".join(f"{name} lacks {', '.join(p.value for p in more)}" for name, more in lacking.items() if more)
        yield Change("grant", f"{kind} {full}", "update", reason, grant)


def folder(client: WorkspaceClient, bundle: Bundle) -> Iterator[Change]:
    """The change that gives the folder of the code the bundle's permissions; none where it has them, or the bundle sets none.

    Raises:
        MedallionError: A folder above lets others write to it.
    """
    # of a folder, seeing is reading
    listed = [{**entry, "level": _FOLDER.get(entry["level"], entry["level"])} for entry in bundle.folder_permissions]
    wanted = {next(str(entry[key]) for key in entry if key != "level"): entry["level"] for entry in listed}
    if not wanted:
        return
    path = bundle.root_path
    status = there(client.workspace.get_status, path, f"folder {path}")
    direct, inherited = _may(client, str(status.object_id)) if status else ({}, {})
    known = {*wanted, "admins"}
    if others := sorted(name for name, level in inherited.items() if level in _WRITES and name not in known):
        raise MedallionError(
            f"folder {path}: {others[0]} may change the code, by what a folder above it says",
            "Deploy below the home folder of the deploying service principal: root_path in databricks.yml.",
        )
    if direct.items() - wanted.items() or wanted.items() - direct.items() - inherited.items():

        def give() -> None:
            client.workspace.mkdirs(path)
            number = str(client.workspace.get_status(path).object_id)
            allowed = [AccessControlRequest.from_dict(permission(entry)) for entry in listed]
            client.permissions.set("directories", number, access_control_list=allowed)

        reason = "who may read and change it is not as it should be" if status else "is not there"
        yield Change("folder", path, "update" if status else "create", reason, give)


def _may(client: WorkspaceClient, number: str) -> tuple[dict[str, str], dict[str, str]]:
    """Who may do what with a folder, by what it says itself and by what those above it say."""
    direct: dict[str, str] = {}
    inherited: dict[str, str] = {}
    with told("permissions of the code's folder", "CAN MANAGE on it"):
        listed = client.permissions.get("directories", number).access_control_list or ()
    for entry in listed:
        name = entry.service_principal_name or entry.user_name or entry.group_name or ""
        for permission in entry.all_permissions or ():
            (inherited if permission.inherited else direct)[name] = (
                permission.permission_level.value if permission.permission_level else ""
            )
    return direct, inherited


def permission(item: Mapping[str, Any]) -> dict[str, Any]:
    """A permission of the bundle as the API names it."""
    return {("permission_level" if key == "level" else key): value for key, value in item.items()}
