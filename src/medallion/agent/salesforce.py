"""Approved changes into Salesforce, through simple-salesforce."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from medallion.agent.crm import Crm, Later, Record, patience
from medallion.care.proposals import Proposal
from medallion.config import CrmRecord
from medallion.errors import MedallionError, extra

with extra("crm", "Salesforce"):
    import requests
    from requests.adapters import HTTPAdapter
    from simple_salesforce.api import Salesforce as Client
    from simple_salesforce.exceptions import SalesforceAuthenticationFailed, SalesforceError
    from simple_salesforce.format import format_soql

if TYPE_CHECKING:
    from simple_salesforce.api import SFType

TOKEN, INSTANCE = "SALESFORCE_ACCESS_TOKEN", "SALESFORCE_INSTANCE_URL"
KEY, SECRET, DOMAIN = "SALESFORCE_CONSUMER_KEY", "SALESFORCE_CONSUMER_SECRET", "SALESFORCE_DOMAIN"


class Salesforce(Crm):
    """Accounts and opportunities of Salesforce.

    Either SALESFORCE_ACCESS_TOKEN with SALESFORCE_INSTANCE_URL (or `agent.crm.base_url`), or the client credentials of a
    connected app: SALESFORCE_CONSUMER_KEY, SALESFORCE_CONSUMER_SECRET and SALESFORCE_DOMAIN (the part of My Domain before
    `.salesforce.com`, such as `acme.my`).
    """

    name = "salesforce"
    label = "Salesforce"
    objects: ClassVar[Mapping[str, str]] = {"customer": "Account", "deal": "Opportunity"}
    own = "Id"

    @cached_property
    def _client(self) -> Client:

        session = _session(self.settings.timeout_seconds)
        if os.environ.get(KEY):
            key, secret = self._secret(KEY), self._secret(SECRET)
            domain = os.environ.get(DOMAIN, "").strip()
            if not re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", domain) or domain in ("login", "test"):
                raise MedallionError(
                    f"{DOMAIN} is no domain of yours", "Set it, such as acme.my for acme.my.salesforce.com."
                )
            client = Client(session=session, consumer_key=key, consumer_secret=secret, domain=domain)
        else:
            address = self.settings.base_url or os.environ.get(INSTANCE, "").strip()
            if not address.startswith("https://"):
                raise MedallionError(
                    f"{INSTANCE} is no https address", "Set it, such as https://acme.my.salesforce.com."
                )
            client = Client(session=session, instance_url=address, session_id=self._secret(TOKEN))
        # The client signs in again on a 401, and for objects counts no tries: an answer of 401 for ever never ends.
        client._salesforce_login_partial = None
        self._secrets.append(client.session_id)
        return client

    def _find(self, record: CrmRecord, proposal: Proposal, names: list[str]) -> Record | None:

        if record.external_id is not None and not record.unique:
            query = (
                f"SELECT Id, {', '.join([record.external_id, *names])} FROM {self.target(proposal)} "
                f"WHERE {record.external_id} = "
            )
            records = self._call(
                proposal, lambda client, _: client.query_all(query + format_soql("{}", proposal.key))["records"]
            )
            matches = [candidate for candidate in records or [] if candidate.get(record.external_id) == proposal.key]
            if len(matches) > 1:
                raise self._several(proposal, ", ".join(str(match["Id"]) for match in matches))
            return _record(matches[0], names) if matches else None
        place = quote(proposal.key, safe="")
        if record.external_id is not None:
            place = f"{record.external_id}/{place}"
        answer = self._call(proposal, lambda _, kind: kind.get(place, params={"fields": ",".join(["Id", *names])}))
        return None if answer is None else _record(answer, names)

    def _update(self, record: CrmRecord, proposal: Proposal, identifier: str, values: Mapping[str, str]) -> None:
        done = self._call(proposal, lambda _, kind: kind.update(quote(identifier, safe=""), _sent(values)))
        if done is None:
            raise MedallionError(f"the {proposal.kind} was deleted in Salesforce meanwhile", "")

    def _upsert(self, record: CrmRecord, proposal: Proposal, values: Mapping[str, str]) -> None:
        place = f"{record.external_id}/{quote(proposal.key, safe='')}"
        self._call(proposal, lambda _, kind: kind.upsert(place, _sent(values)))

    def _call(self, proposal: Proposal, call: Any) -> Any:
        """What the client gives; None where there is no such record."""
        secret = KEY if os.environ.get(KEY) else TOKEN
        try:
            kind: SFType = getattr(self._client, self.target(proposal))
            return call(self._client, kind)
        except SalesforceAuthenticationFailed as error:
            wrong = MedallionError(f"Salesforce does not accept {secret}: {self._clean(error)}", "Check it.")
        except SalesforceError as error:
            reasons = list(_reasons(error.content))
            if error.status == 404 and all("NOT_FOUND" in words and "ield" not in words for _, words in reasons):
                return None
            if error.status == 300:
                wrong = self._several(proposal, str(error.content))
            else:
                wrong = self._refused(error.status, proposal, reasons, secret)
        except requests.exceptions.SSLError as error:
            wrong = MedallionError(f"Salesforce's certificate is not trusted: {self._clean(error)}", "")
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            raise Later(f"cannot be reached: {type(error).__name__}") from None
        except requests.RequestException as error:
            wrong = MedallionError(f"Salesforce answers what cannot be read: {self._clean(error)}", "")
        raise wrong  # outside of the handler: the library's error holds the answer as it came

    def _several(self, proposal: Proposal, which: str) -> MedallionError:
        return MedallionError(
            f"Salesforce has several {self.target(proposal)} records for {proposal.key!r}: {self._clean(which)}",
            "Merge them there.",
        )


def _session(seconds: float) -> requests.Session:
    """A session that does not wait for ever, follows nobody elsewhere, and turns a busy answer into `Later`."""

    class Timed(HTTPAdapter):
        def send(self, request: Any, *rest: Any, **more: Any) -> requests.Response:
            return super().send(request, *rest, **{**more, "timeout": more.get("timeout") or seconds})

    def look(answer: requests.Response, **_: Any) -> None:
        wait = patience(answer.status_code, answer.headers.get("retry-after"))
        if wait is not None:
            raise wait

    session = requests.Session()
    session.mount("https://", Timed())
    session.max_redirects = 0
    session.hooks["response"].append(look)
    return session


def _sent(values: Mapping[str, str]) -> dict[str, str | None]:
    """Values as Salesforce takes them: an empty text clears, which a date only knows as null."""
    return {name: value or None for name, value in values.items()}


def _record(document: Mapping[str, Any], names: list[str]) -> Record:
    return Record(
        str(document["Id"]), {name: "" if document.get(name) is None else str(document[name]) for name in names}
    )


def _reasons(content: Any) -> Iterator[tuple[str, str]]:
    """Field and words of each error, with Salesforce's code."""
    for error in content if isinstance(content, list) else [content]:
        if isinstance(error, dict):
            words = f"{error.get('errorCode', '')} {error.get('message', '')}".strip()
            yield from [(str(name), words) for name in error.get("fields") or []] or [("", words)]
        else:
            yield "", "an answer that is not JSON"
