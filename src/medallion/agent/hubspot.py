"""Approved changes into HubSpot, over the documented API for objects, version 3.

Plain httpx and not HubSpot's own client: that is four megabytes of generated modules without a release since May 2025, and
four endpoints are needed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import quote

from medallion.agent.crm import Crm, Later, Record, patience
from medallion.care.proposals import Proposal
from medallion.config import CrmRecord
from medallion.errors import MedallionError, extra

with extra("crm", "HubSpot"):
    import httpx

TOKEN = "HUBSPOT_TOKEN"  # noqa: S105 - the name of the variable
ADDRESS = "https://api.hubapi.com"


class HubSpot(Crm):
    """Companies and deals of HubSpot; the access token of a private app is in HUBSPOT_TOKEN."""

    name = "hubspot"
    label = "HubSpot"
    objects: ClassVar[Mapping[str, str]] = {"customer": "companies", "deal": "deals"}
    own = "hs_object_id"

    @cached_property
    def _client(self) -> httpx.Client:

        return httpx.Client(
            base_url=self.settings.base_url or ADDRESS,
            headers={"authorization": f"Bearer {self._secret(TOKEN)}"},
            timeout=self.settings.timeout_seconds,
        )

    def _find(self, record: CrmRecord, proposal: Proposal, names: list[str]) -> Record | None:
        if record.external_id is not None and not record.unique:
            return self._only(record.external_id, proposal, names)
        asked = {"properties": ",".join(names)}
        if record.external_id is not None:
            asked["idProperty"] = record.external_id
        answer = self._call("GET", self._path(proposal, proposal.key), proposal, params=asked)
        return None if answer is None else _record(answer, names)

    def _only(self, external_id: str, proposal: Proposal, names: list[str]) -> Record | None:
        """The one record that a search finds, over all its pages; the search does not tell upper case from lower."""
        records: dict[str, Record] = {}
        body: dict[str, Any] = {
            "filterGroups": [{"filters": [{"propertyName": external_id, "operator": "EQ", "value": proposal.key}]}],
            "properties": [external_id, *names],
            "limit": 100,
        }
        seen: set[str] = set()
        while True:
            answer = self._call("POST", self._path(proposal, "search"), proposal, json=body) or {}
            for document in answer.get("results", []):
                if document["properties"].get(external_id) == proposal.key:
                    records[document["id"]] = _record(document, names)
            after = str(((answer.get("paging") or {}).get("next") or {}).get("after") or "")
            if len(records) > 1:
                raise MedallionError(
                    f"HubSpot has several {self.target(proposal)} whose {external_id} is {proposal.key!r}: "
                    f"{self._clean(', '.join(sorted(records)))}",
                    "Merge them there.",
                )
            if not after or after in seen:
                return next(iter(records.values()), None)
            seen.add(after)
            body["after"] = after

    def _update(self, record: CrmRecord, proposal: Proposal, identifier: str, values: Mapping[str, str]) -> None:
        if self._call("PATCH", self._path(proposal, identifier), proposal, json={"properties": dict(values)}) is None:
            raise MedallionError(f"the {proposal.kind} was deleted in HubSpot meanwhile", "")

    def _upsert(self, record: CrmRecord, proposal: Proposal, values: Mapping[str, str]) -> None:
        item = {"idProperty": record.external_id, "id": proposal.key, "properties": dict(values)}
        answer = self._call("POST", self._path(proposal, "batch", "upsert"), proposal, json={"inputs": [item]}) or {}
        if answer.get("errors") or len(answer.get("results", [])) != 1:
            reasons = [reason for error in answer.get("errors", [{}]) for reason in _reasons(error)]
            raise self._refused(207, proposal, reasons, TOKEN)

    def _path(self, proposal: Proposal, *rest: str) -> str:
        return "/".join(["/crm/v3/objects", self.target(proposal), *(quote(part, safe="") for part in rest)])

    def _call(self, method: str, path: str, proposal: Proposal, **more: Any) -> dict[str, Any] | None:
        """The answer as JSON; None where there is no such record."""
        try:
            response = self._client.request(method, path, **more)
        except httpx.RequestError as error:
            raise Later(f"cannot be reached: {self._clean(error) or type(error).__name__}") from None
        wait = patience(response.status_code, response.headers.get("retry-after"))
        if wait is not None:
            raise wait
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            answer = {"message": "an answer that is not JSON"}
            if response.is_success:
                raise self._refused(response.status_code, proposal, _reasons(answer), TOKEN)
        if response.status_code == 404 and str(answer.get("category")).endswith("NOT_FOUND"):
            return None
        if not response.is_success:
            raise self._refused(response.status_code, proposal, _reasons(answer), TOKEN)
        return answer


def _record(document: Mapping[str, Any], names: list[str]) -> Record:
    values = document.get("properties") or {}
    return Record(str(document["id"]), {name: "" if values.get(name) is None else str(values[name]) for name in names})


def _reasons(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Property and message of each error; some errors are JSON inside the message."""
    message = str(document.get("message", "no reason given"))
    head, bracket, rest = message.partition("[")
    try:
        inside = json.loads(bracket + rest)
        reasons = [(str(error["name"]), str(error.get("message", error.get("error", head)))) for error in inside]
    except (ValueError, TypeError, KeyError):
        reasons = []
    for error in document.get("errors") or []:
        named = (error.get("context") or {}).get("propertyName") or [error.get("in") or ""]
        reasons.append((str(named[0] if isinstance(named, list) else named), str(error.get("message", ""))))
    yield from reasons or [("", message)]
