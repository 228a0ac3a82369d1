"""Settings: what `config/config.yaml` may say, checked on reading. Command-line options win over it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from medallion.contracts import yaml
from medallion.errors import ContractError
from medallion.weights import ScoreWeights

DEFAULT_PATH = Path("config/config.yaml")


class AgentSettings(BaseModel):
    """What the sales agent is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    capacity: Annotated[int, Field(ge=1)] = 20
    rest_days: Annotated[int, Field(ge=0)] = 2
    suppressions: Path | None = None
    tone: Literal["friendly", "formal", "brief"] = "friendly"
    signature: str = ""
    model: str | None = None
    base_url: str | None = None
    timeout_seconds: Annotated[float, Field(gt=0)] = 30.0


class Settings(BaseModel):
    """Everything a run can be told, with its default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str = "data"
    lakehouse: str = "lakehouse"
    contracts: tuple[Path, ...] = ()
    accept: bool = False
    engine: Literal["auto", "sail", "remote", "databricks"] = "auto"
    memory_gib: Annotated[float, Field(gt=0)] | None = None
    as_of: str = "latest"
    score: ScoreWeights = ScoreWeights()
    models: str | None = None
    fixed_columns: tuple[Literal["owner"], ...] = ()
    mlflow: str | None = None
    agent: AgentSettings = AgentSettings()

    @field_validator("as_of", mode="before")
    @classmethod
    def _known_moment(cls, value: Any) -> str:
        text = value.isoformat() if isinstance(value, date) else str(value)
        if text not in ("latest", "today"):
            try:
                end_of_day(date.fromisoformat(text))
            except (ValueError, OverflowError):
                raise ValueError("use latest, today or a date such as 2025-06-30") from None
        return text


def load(path: Path | None = None, **overrides: Any) -> Settings:
    """Settings from a file, with `overrides` that are not None laid over them.

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
        if not isinstance(values, dict):
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
    """The moment at which a day has passed, exclusive end of `as_of` (UTC).

    >>> end_of_day(date(2025, 6, 30)).isoformat()
    '2025-07-01T00:00:00'
    """
    return datetime.combine(day + timedelta(days=1), time())


def utc_now() -> datetime:
    """The clock, in UTC without zone; read once per run and passed on."""
    return datetime.now(UTC).replace(tzinfo=None)
