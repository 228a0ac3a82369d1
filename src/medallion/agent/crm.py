"""Approved changes into a CRM: what HubSpot and Salesforce have in common.

A record is looked for first. If it says already what it should, nothing is written; so the same change twice, or once more
after a connection that dropped, changes nothing twice. Only fields that the settings name are written, and only the CRM's
own words about a refusal are passed on, without what is secret.
"""

from __future__ import annotations

import os
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.util import find_spec
from typing import ClassVar, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from medallion.care.proposals import FIELDS, Proposal
from medallion.config import CrmRecord, CrmSettings
from medallion.errors import MedallionError

#: Seconds that a CRM may ask us to wait; beyond that the change fails and says so.
MOST_WAIT = 60.0
_BACKOFF = wait_random_exponential(multiplier=0.5, max=8)
_T = TypeVar("_T")


class Later(Exception):  # noqa: N818 - not an error yet
    """The CRM is busy, ill or out of reach: worth another try.

    Args:
        reason: Why, in words.
        after: Seconds that it asks us to wait; None where it does not say.
    """

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


@dataclass(frozen=True)
class Record:
    """A record that the CRM has: its own identifier, and the values that were asked for as texts."""

    identifier: str
    values: Mapping[str, str]


class Crm(ABC):
    """An executor over a CRM's API; see `medallion.care.proposals.Executor`.

    Args:
        settings: `agent.crm` of the settings.
        sleep: How it waits between tries.
    """

    name: str
    label: str
    #: The CRM's name for each kind of record, and for its own identifier.
    objects: ClassVar[Mapping[str, str]]
    own: ClassVar[str]

    def __init__(self, settings: CrmSettings, sleep: Callable[[float], None] = time.sleep) -> None:
        self.settings = settings
        self._sleep = sleep
        self._secrets: list[str] = []
        for kind in FIELDS:
            record: CrmRecord | None = getattr(settings, kind)
            unknown = sorted(set(record.fields) - set(FIELDS[kind])) if record else []
            if unknown:
                raise MedallionError(
                    f"agent.crm.{kind}.fields: {', '.join(unknown)} may not be changed",
                    f"Fields of a {kind}: {', '.join(FIELDS[kind])}.",
                )

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def apply(self, proposal: Proposal) -> None:
        """Make the change, if the record does not say it already.

        Raises:
            MedallionError: There is no such record or more than one, a field or value is not in the settings, the CRM
                refuses, or it cannot be reached in as many tries as the settings allow.
        """
        wanted = self.wanted(proposal)
        record = self.record(proposal)
        existing = self._again(lambda: self._find(record, proposal, list(wanted)))
        if existing is not None and all(_same(existing.values.get(name, ""), value) for name, value in wanted.items()):
            return
        if existing is not None:
            identifier = existing.identifier
            self._again(lambda: self._update(record, proposal, identifier, wanted), writing=True)
        elif record.create:
            self._again(lambda: self._upsert(record, proposal, wanted), writing=True)
        else:
            raise MedallionError(
                f"{self.label} has no {proposal.kind} whose {record.external_id or self.own} is {proposal.key!r}",
                f"Check the key, or set `agent.crm.{proposal.kind}.create`.",
            )

    def read_back(self, proposal: Proposal) -> Mapping[str, str]:
        """What the record says now, in our fields and values.

        Raises:
            MedallionError: It is gone, or the CRM cannot be read.
        """
        record, wanted = self.record(proposal), self.wanted(proposal)
        existing = self._again(lambda: self._find(record, proposal, list(wanted)))
        if existing is None:
            raise MedallionError(
                f"{self.label} does not have the {proposal.kind} after the change", "Look for it there."
            )
        values = {}
        for field, value in proposal.changes.items():
            name = record.fields[field]
            there = existing.values.get(name, "")
            values[field] = value if _same(there, wanted[name]) else there
        return values

    def record(self, proposal: Proposal) -> CrmRecord:
        """How the settings call this kind of record.

        Raises:
            MedallionError: They do not.
        """
        record: CrmRecord | None = getattr(self.settings, proposal.kind, None)
        if record is None:
            raise MedallionError(f"agent.crm names no fields of a {proposal.kind}", f"Set `agent.crm.{proposal.kind}`.")
        return record

    def target(self, proposal: Proposal) -> str:
        """The CRM's name for this kind of record."""
        return self.record(proposal).object or self.objects[proposal.kind]

    def wanted(self, proposal: Proposal) -> dict[str, str]:
        """The change in the CRM's properties and values.

        Raises:
            MedallionError: The settings do not name a field or value of it.
        """
        record, values = self.record(proposal), {}
        for field, value in proposal.changes.items():
            if field not in record.fields:
                raise MedallionError(
                    f"{field} of a {proposal.kind} has no property in {self.label}",
                    f"Name it in `agent.crm.{proposal.kind}.fields`.",
                )
            known = record.values.get(field)
            if known is not None and value and value not in known:
                raise MedallionError(
                    f"{field} {value!r} has no value in {self.label}", f"Known: {', '.join(known) or 'none'}."
                )
            values[record.fields[field]] = known[value] if known and value else value
        return values

    @abstractmethod
    def _find(self, record: CrmRecord, proposal: Proposal, names: list[str]) -> Record | None:
        """The one record of the proposal's key, or None."""

    @abstractmethod
    def _update(self, record: CrmRecord, proposal: Proposal, identifier: str, values: Mapping[str, str]) -> None:
        """Change a record that is there."""

    @abstractmethod
    def _upsert(self, record: CrmRecord, proposal: Proposal, values: Mapping[str, str]) -> None:
        """Create the record by its external identifier, or change it if it has come meanwhile."""

    def _again(self, call: Callable[[], _T], *, writing: bool = False) -> _T:
        """Call, and call again while the CRM asks for patience."""
        tries = Retrying(
            stop=stop_after_attempt(self.settings.attempts),
            wait=_wait,
            retry=retry_if_exception_type(Later),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return tries(call)
        except Later as error:
            unknown = "; whether the change was made is not known" if writing else "; nothing was changed by this try"
            raise MedallionError(
                f"{self.label} {error} (tried {tries.statistics['attempt_number']} times{unknown})",
                "Try again later.",
            ) from None
        except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
            raise MedallionError(
                f"{self.label} answers what cannot be understood ({type(error).__name__})",
                f"Check that {self.settings.base_url or 'the address'} is its API.",
            ) from error

    def _secret(self, name: str) -> str:
        """A secret of the environment, never shown.

        Raises:
            MedallionError: It is not set, or is nothing that goes into a header; the message does not show it.
        """
        value = os.environ.get(name, "").strip()
        if not value:
            raise MedallionError(f"{name} is not set", f"Put the secret for {self.label} into this variable.")
        self._secrets.append(value)
        if not re.fullmatch(r"[!-~]+", value):
            raise MedallionError(f"{name} holds spaces or letters that no token has", "Copy the token anew.")
        return value

    def _clean(self, text: object) -> str:
        """Words of the CRM on one line without secrets."""
        words = str(text)
        for secret in self._secrets:
            words = words.replace(secret, "[secret]")
        return " ".join("".join(character if character.isprintable() else " " for character in words).split())[:200]

    def _refused(
        self, status: int, proposal: Proposal, reasons: Iterable[tuple[str, str]], secret: str
    ) -> MedallionError:
        """A refusal in words: which secret, which right, or which fields.

        Args:
            status: Of HTTP.
            proposal: What was to be done.
            reasons: Property (or nothing) and the CRM's words.
            secret: Name of the variable with the secret.
        """
        fields = {name: field for field, name in self.record(proposal).fields.items()}
        explanation = "; ".join(
            f"{fields.get(name, name)} ({self._clean(name)}): {self._clean(words)}" if name else self._clean(words)
            for name, words in reasons
        )
        if status == 401:
            return MedallionError(f"{self.label} does not accept {secret} (401)", "It may have expired; set a new one.")
        if status == 403:
            return MedallionError(
                f"{self.label} does not allow this (403): {explanation}", f"Check the rights of {secret}."
            )
        return MedallionError(f"{self.label} refused, and changed nothing ({status}): {explanation}", "")


def executor(settings: CrmSettings) -> Crm:
    """The executor of the settings; it connects, and asks for its secrets, when it is first used.

    Raises:
        MedallionError: The client is not installed, or the settings name a field that may not be changed.
    """
    library = {"hubspot": "httpx", "salesforce": "simple_salesforce"}[settings.kind]
    if find_spec(library) is None:
        raise MedallionError(f"{library} is not installed", "pip install 'medallion-crm[crm]'")
    if settings.kind == "hubspot":
        from medallion.agent.hubspot import HubSpot

        return HubSpot(settings)
    from medallion.agent.salesforce import Salesforce

    return Salesforce(settings)


def patience(status: int, header: str | None) -> Later | None:
    """A wait where the status asks for one: 429, or 5xx but 501; `header` is Retry-After, seconds or a date.

    Raises:
        MedallionError: It asks for more than a minute.

    >>> patience(429, "3").after
    3.0
    >>> patience(400, None) is None
    True
    """
    if status != 429 and (status < 500 or status == 501):
        return None
    after = None
    if header:
        try:
            after = float(header)
        except ValueError:
            try:
                then = parsedate_to_datetime(header)
                then = then if then.tzinfo else then.replace(tzinfo=UTC)
                after = (then - datetime.now(UTC)).total_seconds()
            except ValueError:
                after = None
    if after is not None and not after <= MOST_WAIT:
        raise MedallionError(
            f"the CRM asks to wait ({status}) longer than {MOST_WAIT:.0f} seconds; nothing was changed by this try",
            "Apply it later.",
        )
    return Later(
        f"has too many requests ({status})" if status == 429 else f"has a fault ({status})",
        None if after is None else max(after, 0.0),
    )


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    after = error.after if isinstance(error, Later) else None
    return after if after is not None else float(_BACKOFF(state))


def _same(there: str, wanted: str) -> bool:
    """Whether the CRM says what it should: spaces at the ends do not count, and a day may come as its midnight."""
    there, wanted = there.strip(), wanted.strip()
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", wanted):
        return re.fullmatch(re.escape(wanted) + r"(T00:00(:00(\.0+)?)?(Z|\+00:?00)?)?", there) is not None
    return there == wanted
