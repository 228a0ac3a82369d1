"""A Databricks workspace on the loopback interface: the real SDK talks to it, and it is strict.

It knows the calls that a deployment makes, checks what they say, and refuses what the real one refuses: no login, missing
parents, missing grants, unknown fields of a job, parts of a job that point nowhere. Faults are put in its way with
`fail`. What was asked for is in `calls`, whatever is stored in the attributes.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
import threading
import time
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN, CLIENT_ID, CLIENT_SECRET = (
    "dapi-of-a-person-0123456789",
    "11111111-2222-3333-4444-555555555555",
    "s3cr3t-of-a-machine",
)
USER, DEPLOYER = "ann@example.com", "99999999-8888-7777-6666-555555555555"
JOB_FIELDS = {
    "name", "description", "max_concurrent_runs", "queue", "timeout_seconds", "schedule", "health", "email_notifications",
    "tags", "parameters", "environments", "job_clusters", "tasks", "run_as", "access_control_list",
    "performance_target", "trigger",
}  # fmt: skip
TASK_KINDS = {"notebook_task", "python_wheel_task"}
TASK_FIELDS = TASK_KINDS | {
    "task_key", "depends_on", "environment_key", "job_cluster_key", "libraries", "max_retries",
    "min_retry_interval_millis", "retry_on_timeout", "timeout_seconds", "disable_auto_optimization",
}  # fmt: skip


class RefusedError(Exception):
    """An answer that is not 200."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def missing(what: str) -> RefusedError:
    return RefusedError(404, "RESOURCE_DOES_NOT_EXIST", f"{what} does not exist.")


class Workspace:
    """State and rules; `url` is where it answers."""

    def __init__(self) -> None:
        self.reset()
        self._lock = threading.RLock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def reset(self) -> None:
        """An empty workspace with one catalog, in which everything is granted."""
        self.user = USER
        self.catalogs = {"crm_dev"}
        self.principals = {USER, "users", "crm-readers", CLIENT_ID, DEPLOYER}
        self.privileges: dict[str, dict[str, set[str]]] = {}
        self.folder_permissions: dict[str, dict[str, str]] = {}
        self.grants = {"CREATE SCHEMA", "CREATE VOLUME", "WRITE VOLUME", "MANAGE JOBS"}
        self.schemas: dict[str, dict[str, Any]] = {}
        self.volumes: dict[str, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self.folders: set[str] = set()
        self.objects: dict[str, dict[str, Any]] = {}
        self.jobs: dict[int, dict[str, Any]] = {}
        self.runs: dict[int, dict[str, Any]] = {}
        self.permissions: dict[str, list[Any]] = {}
        self.results: dict[str, str] = {}
        self.calls: list[tuple[str, str]] = []
        self.tokens: dict[str, float] = {TOKEN: float("inf")}
        self.issued = 0
        self._faults: list[dict[str, Any]] = []
        self._count, self._clock = itertools.count(1001), itertools.count(1_760_000_000_000, 1000)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def fail(self, pattern: str, status: int, times: int = 1, *, after: int = 0, done: bool = False) -> None:
        """Answer calls that match `METHOD path` with a status; `done` does what was asked for all the same.

        Status 0 closes the connection without an answer. The first `after` matching calls pass.
        """
        self._faults.append({"pattern": pattern, "status": status, "times": times, "after": after, "done": done})

    def changes(self) -> list[str]:
        """Calls that changed something, reads, logins and requests for addresses left out."""
        asking = re.compile(r"^(GET|HEAD) |/oidc/|/fs/create-download-url")
        return [call for call in (f"{method} {path}" for method, path in self.calls) if not asking.search(call)]

    def _fault(self, call: str) -> dict[str, Any] | None:
        for fault in self._faults:
            if re.search(fault["pattern"], call) and fault["times"] > 0:
                if fault["after"] > 0:
                    fault["after"] -= 1
                    continue
                fault["times"] -= 1
                return fault
        return None

    # --- rules -------------------------------------------------------------------------------------------------------

    def answer(self, method: str, path: str, query: dict[str, str], body: Any, raw: bytes) -> Any:
        api = f"{method} {path}"
        if api == "GET /api/2.0/preview/scim/v2/Me":
            return {"id": "1", "userName": self.user, "displayName": "Ann"}
        for pattern, name in self.ROUTES:
            if match := re.fullmatch(pattern, api):
                return getattr(self, name)(*(unquote(part) for part in match.groups()), query=query, body=body, raw=raw)
        raise RefusedError(404, "ENDPOINT_NOT_FOUND", f"No API found for '{api}'")

    ROUTES = (
        (r"GET /api/2.1/unity-catalog/catalogs/([^/]+)", "get_catalog"),
        (r"GET /api/2.1/unity-catalog/schemas/([^/]+)", "get_schema"),
        (r"POST /api/2.1/unity-catalog/schemas", "create_schema"),
        (r"GET /api/2.1/unity-catalog/volumes/([^/]+)", "get_volume"),
        (r"POST /api/2.1/unity-catalog/volumes", "create_volume"),
        (r"GET /api/2.1/unity-catalog/permissions/(schema|volume)/([^/]+)", "get_grants"),
        (r"PATCH /api/2.1/unity-catalog/permissions/(schema|volume)/([^/]+)", "change_grants"),
        (r"GET /api/2.0/permissions/directories/(\d+)", "get_folder_permissions"),
        (r"PUT /api/2.0/permissions/directories/(\d+)", "set_folder_permissions"),
        (r"(HEAD|GET|PUT|DELETE) /api/2.0/fs/files(/.+)", "file"),
        (r"(HEAD|PUT) /api/2.0/fs/directories(/.+)", "directory"),
        (r"POST /api/2.0/workspace/mkdirs", "mkdirs"),
        (r"POST /api/2.0/workspace/import", "import_"),
        (r"GET /api/2.0/workspace/get-status", "get_status"),
        (r"POST /api/2.0/workspace/delete", "delete_object"),
        (r"GET /api/2.2/jobs/list", "list_jobs"),
        (r"POST /api/2.2/jobs/create", "create_job"),
        (r"POST /api/2.2/jobs/reset", "reset_job"),
        (r"POST /api/2.2/jobs/delete", "delete_job"),
        (r"POST /api/2.2/jobs/run-now", "run_now"),
        (r"GET /api/2.2/jobs/runs/list", "list_runs"),
        (r"GET /api/2.2/jobs/runs/get", "get_run"),
        (r"PATCH /api/2.0/permissions/jobs/(\d+)", "patch_permissions"),
    )

    def get_catalog(self, name: str, **_: Any) -> Any:
        if name not in self.catalogs:
            raise RefusedError(404, "CATALOG_DOES_NOT_EXIST", f"Catalog '{name}' does not exist.")
        return {"name": name}

    def get_schema(self, full: str, **_: Any) -> Any:
        if full not in self.schemas:
            raise RefusedError(404, "SCHEMA_DOES_NOT_EXIST", f"Schema '{full}' does not exist.")
        return self.schemas[full]

    def create_schema(self, body: Any, **_: Any) -> Any:
        self._fields(body, {"name", "catalog_name"}, {"comment"})
        full = f"{body['catalog_name']}.{body['name']}"
        self.get_catalog(body["catalog_name"])
        self._granted("CREATE SCHEMA", f"Catalog '{body['catalog_name']}'")
        if full in self.schemas:
            raise RefusedError(400, "SCHEMA_ALREADY_EXISTS", f"Schema '{full}' already exists")
        self.schemas[full] = {**body, "full_name": full}
        return self.schemas[full]

    def get_volume(self, full: str, **_: Any) -> Any:
        if full not in self.volumes:
            raise RefusedError(404, "VOLUME_DOES_NOT_EXIST", f"Volume '{full}' does not exist.")
        return self.volumes[full]

    def create_volume(self, body: Any, **_: Any) -> Any:
        self._fields(body, {"name", "catalog_name", "schema_name", "volume_type"}, {"comment"})
        schema = f"{body['catalog_name']}.{body['schema_name']}"
        self.get_schema(schema)
        self._granted("CREATE VOLUME", f"Schema '{schema}'")
        full = f"{schema}.{body['name']}"
        if full in self.volumes:
            raise RefusedError(400, "VOLUME_ALREADY_EXISTS", f"Volume '{full}' already exists")
        self.volumes[full] = {**body, "full_name": full}
        self.folders.add("/Volumes/" + full.replace(".", "/"))
        return self.volumes[full]

    def get_grants(self, kind: str, full: str, **_: Any) -> Any:
        self.get_schema(full) if kind == "schema" else self.get_volume(full)
        held = self.privileges.get(full, {})
        return {"privilege_assignments": [{"principal": k, "privileges": sorted(v)} for k, v in held.items()]}

    def change_grants(self, kind: str, full: str, body: Any, **_: Any) -> Any:
        self.get_schema(full) if kind == "schema" else self.get_volume(full)
        allowed = {"READ_VOLUME", "WRITE_VOLUME"}
        if kind == "schema":
            allowed |= {"USE_SCHEMA", "SELECT", "MODIFY", "CREATE_TABLE", "CREATE_VOLUME"}
        for change in body["changes"]:
            self._fields(change, {"principal"}, {"add", "remove"})
            if change["principal"] not in self.principals:
                raise RefusedError(404, "PRINCIPAL_DOES_NOT_EXIST", f"Could not find principal {change['principal']}")
            if unknown := set(change.get("add", [])) - allowed:
                raise RefusedError(400, "INVALID_PARAMETER_VALUE", f"{sorted(unknown)} is not applicable to a {kind}")
            self.privileges.setdefault(full, {}).setdefault(change["principal"], set()).update(change.get("add", []))
        return self.get_grants(kind, full)

    def _folder(self, number: str) -> str:
        found = [path for path, item in self.objects.items() if item["object_id"] == int(number)]
        if not found:
            raise missing(f"Folder {number}")
        return found[0]

    def get_folder_permissions(self, number: str, **_: Any) -> Any:
        path = self._folder(number)
        above = {"admins": "CAN_MANAGE"}
        if path.startswith("/Shared/"):
            above["users"] = "CAN_MANAGE"
        if path.startswith("/Users/"):
            above[path.split("/")[2]] = "CAN_MANAGE"
        listed = [(name, level, True) for name, level in above.items()]
        listed += [(name, level, False) for name, level in self.folder_permissions.get(path, {}).items()]
        return {
            "object_id": f"/directories/{number}",
            "access_control_list": [
                {
                    self._kind(name): name,
                    "all_permissions": [{"permission_level": level, "inherited": inherited}],
                }
                for name, level, inherited in listed
            ],
        }

    def _kind(self, name: str) -> str:
        return "user_name" if "@" in name else "service_principal_name" if "-" in name else "group_name"

    def set_folder_permissions(self, number: str, body: Any, **_: Any) -> Any:
        given = {}
        for item in body["access_control_list"]:
            (name,) = (value for key, value in item.items() if key != "permission_level")
            if item["permission_level"] not in ("CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"):
                raise RefusedError(
                    400, "INVALID_PARAMETER_VALUE", f"{item['permission_level']} is no level of a folder"
                )
            given[name] = item["permission_level"]
        self.folder_permissions[self._folder(number)] = given
        return {}

    def _volume_of(self, path: str) -> None:
        parts = path.split("/")
        if ".." in parts or parts[1] != "Volumes" or len(parts) < 5:
            raise RefusedError(400, "INVALID_PARAMETER_VALUE", f"Invalid path: {path}")
        if ".".join(parts[2:5]) not in self.volumes:
            raise missing(f"Volume {'.'.join(parts[2:5])}")

    def file(self, method: str, path: str, query: Any, raw: bytes, **_: Any) -> Any:
        self._volume_of(path)
        if method == "PUT":
            self._granted("WRITE VOLUME", f"Volume '{path}'")
            if path.rpartition("/")[0] not in self.folders:
                raise missing(f"The directory of {path}")
            if path in self.files and query.get("overwrite") != "true":
                raise RefusedError(409, "ALREADY_EXISTS", f"{path} already exists.")
            self.files[path] = raw
            return None
        if path not in self.files:
            raise missing(path)
        if method == "DELETE":
            del self.files[path]
            return None
        return self.files[path]

    def directory(self, method: str, path: str, **_: Any) -> Any:
        self._volume_of(path)
        path = path.rstrip("/")
        if method == "PUT":
            self._granted("WRITE VOLUME", f"Volume '{path}'")
            while path.count("/") >= 4:
                self.folders.add(path)
                path = path.rpartition("/")[0]
        elif path not in self.folders:
            raise missing(path)

    def mkdirs(self, body: Any, **_: Any) -> Any:
        self._fields(body, {"path"}, set())
        path = body["path"].removeprefix("/Workspace")
        while path:
            self.objects.setdefault(path, {"object_type": "DIRECTORY", "path": path, "object_id": next(self._count)})
            path = path.rpartition("/")[0]
        return {}

    def import_(self, body: Any, **_: Any) -> Any:
        self._fields(body, {"path", "content", "format"}, {"language", "overwrite"})
        path = body["path"].removeprefix("/Workspace")
        if path.rpartition("/")[0] not in self.objects:
            raise missing(f"The parent folder {path.rpartition('/')[0]}")
        if path in self.objects and str(body.get("overwrite")).lower() != "true":
            raise RefusedError(400, "RESOURCE_ALREADY_EXISTS", f"{path} already exists. Please pass overwrite as true.")
        content = base64.b64decode(body["content"], validate=True)
        if body["format"] == "SOURCE" and not content.startswith(b"# Databricks notebook source"):
            raise RefusedError(400, "INVALID_PARAMETER_VALUE", "not a notebook in source format")
        known = self.objects.get(path, {"object_id": next(self._count)})
        self.objects[path] = {
            "object_type": "NOTEBOOK", "path": path, "language": body.get("language"), "content": content,
            "object_id": known["object_id"], "modified_at": next(self._clock),
        }  # fmt: skip
        return {}

    def get_status(self, query: Any, **_: Any) -> Any:
        path = query["path"].removeprefix("/Workspace")
        if path not in self.objects:
            raise missing(f"Path ({path})")
        return {key: value for key, value in self.objects[path].items() if key != "content"}

    def delete_object(self, body: Any, **_: Any) -> Any:
        path = body["path"].removeprefix("/Workspace")
        self.get_status(query={"path": path})
        below = [name for name in self.objects if name.startswith(f"{path}/")]
        if below and not body.get("recursive"):
            raise RefusedError(400, "DIRECTORY_NOT_EMPTY", f"Folder ({path}) is not empty")
        for name in (*below, path):
            del self.objects[name]
        return {}

    def list_jobs(self, query: Any, **_: Any) -> Any:
        wanted = query.get("name", "").lower()
        found = [job for job in self.jobs.values() if not wanted or job["settings"]["name"].lower() == wanted]
        first, size = int(query.get("page_token") or 0), min(int(query.get("limit") or 20), 100)
        page = [
            {"job_id": j["job_id"], "settings": {k: v for k, v in j["settings"].items() if k != "tasks"}} for j in found
        ]
        more = {"next_page_token": str(first + size)} if len(found) > first + size else {}
        return {"jobs": page[first : first + size], "has_more": bool(more), **more}

    def _check_job(self, settings: Any) -> None:
        if unknown := set(settings) - JOB_FIELDS:
            raise RefusedError(400, "INVALID_PARAMETER_VALUE", f"unknown fields: {sorted(unknown)}")
        if not settings.get("name"):
            raise RefusedError(400, "INVALID_PARAMETER_VALUE", "Job needs a name")
        for key, value in settings.get("tags", {}).items():
            if not re.fullmatch(r"[\w+\-=.:/@ ]{1,127}", key + value):
                raise RefusedError(400, "INVALID_PARAMETER_VALUE", f"Invalid tag {key}={value}")
        keys = [task["task_key"] for task in settings.get("tasks", [])]
        places = {item["environment_key"] for item in settings.get("environments", [])}
        places |= {item["job_cluster_key"] for item in settings.get("job_clusters", [])}
        for item in settings.get("environments", []):
            for needed in item["spec"]["dependencies"]:
                if needed.startswith(("-r ", "/")) and needed.removeprefix("-r ") not in self.files:
                    raise missing(f"Dependency {needed}")
        if "schedule" in settings and "trigger" in settings:
            raise RefusedError(400, "INVALID_PARAMETER_VALUE", "Only one of schedule and trigger may be set")
        for task in settings.get("tasks", []):
            if unknown := set(task) - TASK_FIELDS:
                raise RefusedError(400, "INVALID_PARAMETER_VALUE", f"unknown fields: {sorted(unknown)}")
            if len(set(task) & TASK_KINDS) != 1 or keys.count(task["task_key"]) > 1:
                raise RefusedError(400, "INVALID_PARAMETER_VALUE", f"Task {task['task_key']} is malformed")
            if (task.get("environment_key") or task.get("job_cluster_key")) not in places:
                raise RefusedError(400, "INVALID_PARAMETER_VALUE", f"Task {task['task_key']} runs nowhere")
            for library in task.get("libraries", []):
                if not set(library.values()) <= set(self.files):
                    raise missing(f"Library {library}")
            if not {item["task_key"] for item in task.get("depends_on", [])} <= set(keys):
                raise RefusedError(400, "INVALID_PARAMETER_VALUE", f"Task {task['task_key']} depends on nothing known")
            if notebook := task.get("notebook_task"):
                self.get_status(query={"path": notebook["notebook_path"]})

    def create_job(self, body: Any, **_: Any) -> Any:
        self._granted("MANAGE JOBS", "Jobs")
        self._check_job(body)
        number = next(self._count)
        self.permissions[str(number)] = body.pop("access_control_list", [])
        self.jobs[number] = {"job_id": number, "settings": body}
        return {"job_id": number}

    def _job(self, number: Any) -> Any:
        if int(number) not in self.jobs:
            raise RefusedError(400, "INVALID_PARAMETER_VALUE", f"Job {number} does not exist.")
        return self.jobs[int(number)]

    def reset_job(self, body: Any, **_: Any) -> Any:
        self._fields(body, {"job_id", "new_settings"}, set())
        self._check_job(body["new_settings"])
        self._job(body["job_id"])["settings"] = body["new_settings"]
        return {}

    def delete_job(self, body: Any, **_: Any) -> Any:
        del self.jobs[self._job(body["job_id"])["job_id"]]
        return {}

    def patch_permissions(self, number: str, body: Any, **_: Any) -> Any:
        self._job(number)
        self.permissions[number] = body["access_control_list"]
        return {}

    def run_now(self, body: Any, **_: Any) -> Any:
        self._fields(body, {"job_id"}, {"idempotency_token", "job_parameters"})
        job = self._job(body["job_id"])
        for run in self.runs.values():
            if body.get("idempotency_token") and run["token"] == body["idempotency_token"]:
                return {"run_id": run["run_id"]}
        known = {item["name"] for item in job["settings"].get("parameters", [])}
        if unknown := set(body.get("job_parameters", {})) - known:
            raise RefusedError(400, "INVALID_PARAMETER_VALUE", f"unknown job parameters {sorted(unknown)}")
        number = next(self._count)
        self.runs[number] = {
            "run_id": number, "job_id": job["job_id"], "token": body.get("idempotency_token"), "looks": 0,
            "tasks": [task["task_key"] for task in job["settings"]["tasks"]], "start": next(self._clock),
            "parameters": body.get("job_parameters", {}),
        }  # fmt: skip
        return {"run_id": number}

    def _shown(self, run: Any) -> Any:
        """A run that goes on by one task each time it is looked at."""
        states, failed = [], False
        for place, key in enumerate(run["tasks"]):
            if place >= run["looks"]:
                state = {"state": "PENDING" if place > run["looks"] else "RUNNING"}
            else:
                code = "UPSTREAM_FAILED" if failed else self.results.get(key, "SUCCESS")
                failed = failed or code != "SUCCESS"
                state = {"state": "TERMINATED", "termination_details": {"code": code, "type": "SUCCESS", "message": ""}}
            item = {"task_key": key, "run_id": run["run_id"] * 100 + place, "status": state}
            if state.get("termination_details", {}).get("code") == "UPSTREAM_FAILED":  # the older field alone has it
                item |= {"status": {"state": "TERMINATED"}}
                item |= {"state": {"life_cycle_state": "TERMINATED", "result_state": "UPSTREAM_FAILED"}}
            states.append(item)
        ended = run["looks"] >= len(run["tasks"])
        codes = [item["status"].get("termination_details", {}).get("code") for item in states]
        worst = next((code for code in codes if code not in ("SUCCESS", None)), "SUCCESS")
        whole = {
            "state": "TERMINATED",
            "termination_details": {"code": worst, "type": "SUCCESS", "message": worst.lower()},
        }
        return {
            "run_id": run["run_id"], "job_id": run["job_id"], "start_time": run["start"], "tasks": states,
            "run_page_url": f"{self.url}/jobs/{run['job_id']}/runs/{run['run_id']}",
            "status": whole if ended else {"state": "RUNNING"},
        }  # fmt: skip

    def get_run(self, query: Any, **_: Any) -> Any:
        if int(query["run_id"]) not in self.runs:
            raise missing(f"Run {query['run_id']}")
        run = self.runs[int(query["run_id"])]
        run["looks"] += 1
        return self._shown(run)

    def list_runs(self, query: Any, **_: Any) -> Any:
        found = [run for run in reversed(self.runs.values()) if str(run["job_id"]) == query.get("job_id")]
        if query.get("active_only") == "true":
            found = [run for run in found if run["looks"] < len(run["tasks"])]
        return {"runs": [self._shown(run) for run in found], "has_more": False}

    def _granted(self, grant: str, what: str) -> None:
        if grant not in self.grants:
            raise RefusedError(403, "PERMISSION_DENIED", f"User does not have {grant} on {what}.")

    def _fields(self, body: Any, needed: set[str], allowed: set[str]) -> None:
        if not isinstance(body, dict) or not needed <= set(body) or not set(body) <= needed | allowed:
            raise RefusedError(400, "INVALID_PARAMETER_VALUE", f"fields {sorted(body or [])}, wanted {sorted(needed)}")

    # --- HTTP --------------------------------------------------------------------------------------------------------

    def login(self, raw: bytes, header: str) -> Any:
        told = {key: value[0] for key, value in parse_qs(raw.decode()).items()}
        pair = base64.b64decode(header.removeprefix("Basic ")).decode() if header.startswith("Basic ") else ""
        if told.get("grant_type") != "client_credentials" or pair != f"{CLIENT_ID}:{CLIENT_SECRET}":
            raise RefusedError(401, "invalid_client", "Client authentication failed")
        self.issued += 1
        token = f"machine-token-{self.issued}"
        self.tokens[token] = time.time() + 3600
        return {"access_token": token, "token_type": "Bearer", "expires_in": 3600}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        workspace = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # one packet an answer; two would wait for each other

            def log_message(self, *_: Any) -> None:
                pass

            def _serve(self) -> None:
                parts = urlsplit(self.path)
                path, query = unquote(parts.path), {key: value[0] for key, value in parse_qs(parts.query).items()}
                raw = self._body()
                call = f"{self.command} {path}"
                with workspace._lock:
                    workspace.calls.append((self.command, path))
                    fault = workspace._fault(call)
                    try:
                        if fault and not fault["done"]:
                            answer: Any = None
                        else:
                            answer = self._answer(path, query, raw)
                        status = fault["status"] if fault else 200
                    except RefusedError as refusal:
                        answer = {"error_code": refusal.code, "message": refusal.message}
                        status = fault["status"] if fault else refusal.status
                if status == 0:
                    self.close_connection = True
                    self.connection.close()
                    return
                if fault:
                    code = {429: "RESOURCE_EXHAUSTED", 503: "TEMPORARILY_UNAVAILABLE"}.get(status, "INTERNAL_ERROR")
                    answer = {"error_code": code, "message": "put in the way by a test"}
                self._send(status, answer, fault is not None)

            def _body(self) -> bytes:
                if self.headers.get("Transfer-Encoding") == "chunked":
                    whole = b""
                    while size := int(self.rfile.readline().strip() or b"0", 16):
                        whole += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                    return whole
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))

            def _answer(self, path: str, query: dict[str, str], raw: bytes) -> Any:
                if path == "/.well-known/databricks-config":
                    return {
                        "oidc_endpoint": f"{workspace.url}/oidc",
                        "account_id": "a",
                        "workspace_id": "1",
                        "host_type": "workspace",
                    }
                if path == "/oidc/.well-known/oauth-authorization-server":
                    return {
                        "authorization_endpoint": f"{workspace.url}/oidc/v1/authorize",
                        "token_endpoint": f"{workspace.url}/oidc/v1/token",
                    }
                authorization = self.headers.get("Authorization", "")
                if path == "/oidc/v1/token":
                    return workspace.login(raw, authorization)
                if workspace.tokens.get(authorization.removeprefix("Bearer "), 0) < time.time():
                    raise RefusedError(
                        401, "UNAUTHENTICATED", "Credential was not sent or was of an unsupported type for this API."
                    )
                kind = self.headers.get("Content-Type", "")
                body: Any = None
                if kind.startswith("application/json") and raw:
                    body = json.loads(raw)
                elif kind.startswith("multipart/form-data"):
                    message = BytesParser().parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + raw)
                    body = {
                        str(part.get_param("name", header="content-disposition")): part.get_payload(
                            decode=True
                        ).decode()
                        for part in message.get_payload()
                    }
                return workspace.answer(self.command, path, query, body, raw)

            def _send(self, status: int, answer: Any, fault: bool) -> None:
                content = (
                    answer if isinstance(answer, bytes) else json.dumps(answer if answer is not None else {}).encode()
                )
                self.send_response(status)
                self.send_header(
                    "Content-Type", "application/octet-stream" if isinstance(answer, bytes) else "application/json"
                )
                self.send_header("Content-Length", str(len(content)))
                self.send_header("Last-Modified", "Mon, 24 Nov 2025 10:00:00 GMT")
                if fault and status in (429, 503):
                    self.send_header("Retry-After", "0")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve  # noqa: N815

        return Handler
