"""Local servers that behave like the CRMs' APIs, as far as the executors use them: written from their documentation."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


class Crm:
    """A CRM with records, and a plan of what goes wrong.

    Attributes:
        records: Per object, identifier and properties.
        plan: What to do with the next requests instead: (status, headers, body), "drop" (after the work), or "ok".
        seen: Method and path of every request.
        writes: How often something was created or changed.
        ignores: Properties whose new values are thrown away without a word.
    """

    def __init__(self, token: str) -> None:
        self.token = token
        self.records: dict[str, dict[str, dict[str, str | None]]] = {}
        self.plan: list[Any] = []
        self.seen: list[tuple[str, str]] = []
        self.writes: list[str] = []
        self.ignores: set[str] = set()
        self.properties: set[str] = set()
        self.unique: set[str] = set()
        self.page = 1
        self.address = ""

    def add(self, target: str, identifier: str, **values: str | None) -> None:
        self.records.setdefault(target, {})[identifier] = {**dict.fromkeys(self.properties), **values}

    def change(self, target: str, identifier: str, values: dict[str, Any]) -> None:
        self.writes.append(identifier)
        self.records[target][identifier] |= {k: v for k, v in values.items() if k not in self.ignores}

    def create(self, target: str, values: dict[str, Any]) -> str:
        identifier = str(9000 + len(self.records.setdefault(target, {})))
        self.add(target, identifier)
        self.change(target, identifier, values)
        return identifier

    def by(self, target: str, name: str, value: str) -> list[str]:
        return [i for i, one in self.records.get(target, {}).items() if (one.get(name) or "").lower() == value.lower()]

    def answer(self, method: str, path: list[str], query: dict[str, str], body: Any) -> tuple[int, Any]:
        raise NotImplementedError

    def unauthorised(self) -> tuple[int, Any]:
        raise NotImplementedError


class HubSpot(Crm):
    """Objects, search and batch upsert of version 3."""

    def unauthorised(self) -> tuple[int, Any]:
        return 401, {
            "status": "error",
            "message": "Authentication credentials not found.",
            "category": "INVALID_AUTHENTICATION",
        }

    def answer(self, method: str, path: list[str], query: dict[str, str], body: Any) -> tuple[int, Any]:
        assert path[:3] == ["crm", "v3", "objects"], path
        target, rest = path[3], path[4:]
        if (method, rest) == ("POST", ["search"]):
            wanted = body["filterGroups"][0]["filters"][0]
            found = self.by(target, wanted["propertyName"], wanted["value"])
            start = int(body.get("after", 0))
            told: dict[str, Any] = {
                "total": len(found),
                "results": [self._one(target, i, body["properties"]) for i in found[start : start + self.page]],
            }
            if start + self.page < len(found):
                told["paging"] = {"next": {"after": str(start + self.page)}}
            return 200, told
        if (method, rest) == ("POST", ["batch", "upsert"]):
            (one,) = body["inputs"]
            if one["idProperty"] not in self.unique:
                return 400, {
                    "status": "error",
                    "category": "VALIDATION_ERROR",
                    "message": f"{one['idProperty']} is not unique",
                }
            wrong = self._wrong(one["properties"])
            if wrong:
                return 207, {"status": "COMPLETE", "results": [], "numErrors": 1, "errors": [wrong]}
            found = self.by(target, one["idProperty"], one["id"])
            if found:
                self.change(target, found[0], one["properties"])
            identifier = found[0] if found else self.create(target, {one["idProperty"]: one["id"], **one["properties"]})
            return 200, {"status": "COMPLETE", "results": [{**self._one(target, identifier, []), "new": not found}]}
        name = query.get("idProperty", "hs_object_id")
        if name != "hs_object_id" and name not in self.unique:
            return 400, {"status": "error", "category": "VALIDATION_ERROR", "message": f"{name} is not unique"}
        known = (
            self.by(target, name, rest[0])
            if name in self.unique
            else [i for i in self.records.get(target, {}) if i == rest[0]]
        )
        if not known:
            return 404, {"status": "error", "message": "resource not found", "category": "OBJECT_NOT_FOUND"}
        if method == "PATCH":
            wrong = self._wrong(body["properties"])
            if wrong:
                return 400, wrong
            self.change(target, known[0], body["properties"])
        return 200, self._one(target, known[0], query.get("properties", "").split(","))

    def _one(self, target: str, identifier: str, names: list[str]) -> dict[str, Any]:
        values = self.records[target][identifier]
        return {"id": identifier, "properties": {name: values.get(name) for name in names}, "archived": False}

    def _wrong(self, values: dict[str, str]) -> dict[str, Any] | None:
        bad = [
            {
                "isValid": False,
                "message": f"{value} was not one of the allowed options for {name}",
                "error": "INVALID_OPTION",
                "name": name,
            }
            for name, value in values.items()
            if value == "wrong"
        ] + [
            {
                "isValid": False,
                "message": f'Property "{name}" does not exist',
                "error": "PROPERTY_DOESNT_EXIST",
                "name": name,
            }
            for name in values
            if name not in self.properties
        ]
        message = f"Property values were not valid: {json.dumps(bad)}"
        return {"status": "error", "category": "VALIDATION_ERROR", "message": message} if bad else None


class Salesforce(Crm):
    """sObject rows, by identifier and by external identifier, and queries."""

    def unauthorised(self) -> tuple[int, Any]:
        return 401, [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]

    def answer(self, method: str, path: list[str], query: dict[str, str], body: Any) -> tuple[int, Any]:
        assert path[:2] == ["services", "data"], path
        if path[3] == "query":
            if len(path) > 4:
                start = int(path[4].split("-")[1])
            else:
                self.asked = query["q"]
                start = 0
            target = self.asked.split(" FROM ")[1].split()[0]
            name, value = self.asked.split(" WHERE ")[1].split(" = ", 1)
            found = self.by(target, name, value[1:-1].replace("\\'", "'"))
            told: dict[str, Any] = {
                "totalSize": len(found),
                "done": start + self.page >= len(found),
                "records": [{"Id": i, **self.records[target][i]} for i in found[start : start + self.page]],
            }
            if not told["done"]:
                told["nextRecordsUrl"] = f"/services/data/{path[2]}/query/01g-{start + self.page}"
            return 200, told
        target, rest = path[4], path[5:]
        if len(rest) == 2:
            if rest[0] not in self.unique:
                return 404, [
                    {
                        "errorCode": "NOT_FOUND",
                        "message": f"Provided external ID field does not exist or is not accessible: {rest[0]}",
                    }
                ]
            found = self.by(target, rest[0], rest[1])
        else:
            found = [i for i in self.records.get(target, {}) if i == rest[0]]
        if len(found) > 1:
            return 300, [f"/services/data/v59.0/sobjects/{target}/{i}" for i in found]
        if not found and (method == "GET" or len(rest) == 1):
            return 404, [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}]
        if method == "GET":
            return 200, {
                "Id": found[0],
                **{n: self.records[target][found[0]].get(n) for n in query["fields"].split(",") if n != "Id"},
            }
        for name, value in body.items():
            if name not in self.properties:
                return 400, [
                    {"message": f"No such column '{name}' on sobject of type {target}", "errorCode": "INVALID_FIELD"}
                ]
            if value == "wrong":
                return 400, [
                    {
                        "message": f"{name}: bad value for restricted picklist field: wrong",
                        "errorCode": "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
                        "fields": [name],
                    }
                ]
        if found:
            self.change(target, found[0], body)
            return 204, None
        return 201, {
            "id": self.create(target, {rest[0]: rest[1], **body}),
            "success": True,
            "errors": [],
            "created": True,
        }


@contextmanager
def served(crm: Crm, certificate: Path | None = None) -> Iterator[Crm]:
    """The CRM at an address of this machine; over TLS with a certificate."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: Any) -> None:
            pass

        def _do(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            told = urlsplit(self.path)
            crm.seen.append((self.command, told.path))
            planned = crm.plan.pop(0) if crm.plan else "ok"
            headers: dict[str, str] = {}
            if isinstance(planned, tuple):
                status, headers, answer = planned
            elif self.headers.get("authorization") != f"Bearer {crm.token}":
                status, answer = crm.unauthorised()
            else:
                query = {name: one[0] for name, one in parse_qs(told.query).items()}
                path = [unquote(one) for one in told.path.strip("/").split("/")]
                status, answer = crm.answer(self.command, path, query, body)
            if planned == "drop":
                self.close_connection = True
                return
            raw = b"" if answer is None else answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(raw)))
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = do_PATCH = _do  # noqa: N815 - names that the library looks for

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    scheme = "http"
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    crm.address = f"{scheme}://127.0.0.1:{server.server_address[1]}"
    try:
        yield crm
    finally:
        server.shutdown()
        server.server_close()


def certificate(folder: Path) -> Path:
    """A certificate of this machine for itself, with its key, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file
