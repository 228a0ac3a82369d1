"""Settings: what `config/config.yaml` may say, checked on reading. Command-line options win over it."""

from __future__ import annotations

import getpass
import os
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from medallion import addresses
from medallion.contracts import yaml
from medallion.contracts.own import metrics_in
from medallion.errors import ContractError
from medallion.weights import ScoreWeights

DEFAULT_PATH = Path("config/config.yaml")
#: Where metrics of a user's own are looked for when the settings name no folder.
METRICS_PATH = Path("config/metrics")


Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]


class CrmRecord(BaseModel):
    """How a kind of record is called in the CRM.

    Attributes:
        object: Its name there; by default companies and deals (HubSpot), Account and Opportunity (Salesforce).
        external_id: The property that holds our key; by default the CRM's own identifier.
        unique: Whether the CRM keeps that property unique; if not, the record is searched for and has to be the only one.
        create: Whether a record that is not there is created.
        fields: The CRM's property per field of ours; others cannot be written.
        values: The CRM's value per value of ours, for fields with a list of values.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    object: Name | None = None
    external_id: Name | None = None
    unique: bool = True
    create: bool = False
    fields: dict[str, Name] = Field(min_length=1)
    values: dict[str, dict[str, str]] = {}

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.create and (self.external_id is None or not self.unique):
            raise ValueError("create needs an external_id that the CRM keeps unique, or the same record comes twice")
        if unknown := sorted(set(self.values) - set(self.fields)):
            raise ValueError(f"values of {', '.join(unknown)}, which fields does not name")
        if len(set(self.fields.values())) < len(self.fields):
            raise ValueError("two fields go to the same property")
        return self


class CrmSettings(BaseModel):
    """The CRM to which approved changes are written; its secrets come from the environment only."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    kind: Literal["hubspot", "salesforce"]
    base_url: str | None = None
    customer: CrmRecord | None = None
    deal: CrmRecord | None = None
    attempts: Annotated[int, Field(ge=1, le=10)] = 5
    timeout_seconds: Annotated[float, Field(gt=0)] = 20.0

    @field_validator("base_url")
    @classmethod
    def _guarded(cls, value: str | None) -> str | None:
        return value and addresses.of_service(value)


class AgentSettings(BaseModel):
    """What the sales agent is told.

    Attributes:
        me: The owner whom `I` and `my` mean in a question.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    capacity: Annotated[int, Field(ge=1)] = 20
    rest_days: Annotated[int, Field(ge=0)] = 2
    suppressions: Path | None = None
    tone: Literal["friendly", "formal", "brief"] = "friendly"
    signature: str = ""
    model: str | None = None
    base_url: str | None = None
    timeout_seconds: Annotated[float, Field(gt=0)] = 30.0
    trace_content: bool = False
    crm: CrmSettings | None = None


class HoldBack(BaseModel):
    """When a file is held back: nothing of it enters silver until it is corrected or accepted.

    Attributes:
        rows: Files with fewer rows than this are loaded, whatever is refused of them.
        refused: Largest share of rows that the contract may refuse.
        empty: Largest share of rows that may lack one required value.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    rows: Annotated[int, Field(ge=1)] = 50
    refused: Annotated[float, Field(ge=0, le=1)] = 0.2
    empty: Annotated[float, Field(ge=0, le=1)] = 0.2


Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class Notify(BaseModel):
    """Who is told when a run fails, holds files back, or finds drift.

    Attributes:
        command: Program and arguments; it is started without a shell and gets the message as JSON on standard input.
        webhook: Address to which the message is posted as JSON.
        webhook_env: Variable of the environment that has this address, where whoever knows it may post.
        token_env: Variable of the environment whose value is sent as a bearer token.
        on: What is told.
        details: Tell the messages too, which may quote a cell of an export.
        timeout_seconds: How long program and address are waited for.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    command: tuple[str, ...] = ()
    webhook: str | None = None
    webhook_env: Variable | None = None
    token_env: Variable | None = None
    on: tuple[Literal["failure", "held", "drift"], ...] = ("failure", "held", "drift")
    details: bool = False
    timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 10.0

    @field_validator("command", mode="before")
    @classmethod
    def _list(cls, value: Any) -> Any:
        if isinstance(value, str):
            raise ValueError("write program and arguments as a list, such as [mail, -s, medallion]; there is no shell")
        return value

    @field_validator("webhook")
    @classmethod
    def _guarded(cls, value: str | None) -> str | None:
        return value and addresses.of_service(value)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.webhook and self.webhook_env:
            raise ValueError("webhook and webhook_env are two addresses; leave one out")
        if self.token_env and not (self.webhook or self.webhook_env):
            raise ValueError("token_env is for a webhook, and there is none")
        if not (self.command or self.webhook or self.webhook_env):
            raise ValueError("says nobody to be told; add command, webhook or webhook_env")
        return self


class Settings(BaseModel):
    """Everything a run can be told, with its default."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    source: str = "data"
    lakehouse: str = "lakehouse"
    contracts: tuple[Path, ...] = ()
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    rates: Path | None = None
    access: Path | None = None
    me: str | None = None
    accept: bool = False
    hold_back: HoldBack = HoldBack()
    engine: Literal["auto", "sail", "remote", "databricks"] = "auto"
    memory_gib: Annotated[float, Field(gt=0)] | None = None
    as_of: str = "latest"
    time_zone: str = "UTC"
    score: ScoreWeights = ScoreWeights()
    models: str | None = None
    metrics: Path | None = None
    features: tuple[str, ...] = ()
    gold: tuple[str, ...] = ()
    fixed_columns: tuple[Literal["owner"], ...] = ()
    mlflow: str | None = None
    agent: AgentSettings = AgentSettings()
    notify: Notify | None = None

    @field_validator("source")
    @classmethod
    def _of_source(cls, value: str) -> str:
        return addresses.of_source(value)

    @field_validator("lakehouse")
    @classmethod
    def _of_lakehouse(cls, value: str) -> str:
        return addresses.of_lakehouse(value)

    @field_validator("models")
    @classmethod
    def _of_models(cls, value: str | None) -> str | None:
        return value and addresses.of_path(value)

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            _ = value == "UTC" or ZoneInfo(value)  # UTC is known without a list of zones
        except (KeyError, ValueError, OSError):
            raise ValueError("is no time zone; use a name such as Europe/Berlin") from None
        return value

    @field_validator("as_of", mode="before")
    @classmethod
    def _known_as_of(cls, value: Any) -> str:
        text = value.isoformat() if isinstance(value, date) else str(value)
        if text not in ("latest", "today"):
            try:
                end_of_day(date.fromisoformat(text))
            except (ValueError, OverflowError):
                raise ValueError("use latest, today or a date such as 2025-06-30") from None
        return text

    def with_own_metrics(self) -> Self:
        """The same settings; from now on the metrics of their folder count beside the shipped ones.

        Raises:
            ContractError: The settings name a folder that is not there.
        """
        if self.metrics is not None and not self.metrics.is_dir():
            raise ContractError(f"metrics: {self.metrics} is no folder", "Make it, or leave the setting out.")
        metrics_in(self.metrics or (METRICS_PATH if METRICS_PATH.is_dir() else None))
        return self


def load(path: Path | None = None, **overrides: Any) -> Settings:
    """Settings from a file; those of `overrides` that are not None take precedence.

    Without `path`, `config/config.yaml` is read where it exists. Paths of contracts in the file are relative to
    the working folder, as all paths are.

    Raises:
        ContractError: The file is missing or says something unknown or wrong; names file, key and reason.
    """
    chosen = path or (DEFAULT_PATH if DEFAULT_PATH.is_file() else None)
    values: dict[str, Any] = {}
    if chosen:
        try:
            values = yaml.load(chosen.read_text(encoding="utf-8")) or {}
        except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
            raise ContractError(f"{chosen}: cannot be read: {error}", "Check the path and the YAML.") from error
        if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
            raise ContractError(f"{chosen}: is not a list of `key: value` lines", "See config/config.yaml.")
    given = {key: value for key, value in overrides.items() if value is not None}
    try:
        return Settings(**{**values, **given})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        source = "the command line" if first["loc"] and first["loc"][0] in given else str(chosen)
        known = ", ".join(Settings.model_fields)
        reason = (
            "is not a setting" if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
        )
        shown = "" if first["type"] == "extra_forbidden" else f" (value: {first.get('input')!r})"
        raise ContractError(f"{source}: {key}: {reason}{shown}", f"Settings: {known}.") from error


def end_of_day(day: date) -> datetime:
    """The time at which a day has passed: the exclusive end of `as_of` (UTC).

    >>> end_of_day(date(2025, 6, 30)).isoformat()
    '2025-07-01T00:00:00'
    """
    return datetime.combine(day + timedelta(days=1), time())


def system_user() -> str:
    """Who runs this: the name of the user of this system, or their number where they have no name, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def utc_now() -> datetime:
    """The clock, in UTC without zone; read once per run and passed on."""
    return datetime.now(UTC).replace(tzinfo=None)
