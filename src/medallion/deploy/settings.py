"""What `config/databricks_config.json` may say, checked on reading."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medallion.errors import ContractError

DEFAULT_PATH = Path("config/databricks_config.json")


class TargetSettings(BaseModel):
    """One target: how to sign in, what computes, and values of the bundle's variables."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    profile: Annotated[str, Field(pattern=r"^[\w.@ -]*$")] = ""
    host: Annotated[str, Field(pattern=r"^(https?://[\w.:-]+)?$")] = ""
    compute: Literal["serverless", "cluster"] = "serverless"
    variables: dict[str, str | list[str]] = {}


class DeploySettings(BaseModel):
    """The file: which bundle, and its targets."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bundle: str = "databricks.yml"
    targets: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,30}$")], TargetSettings]


def load(path: Path | None = None) -> DeploySettings:
    """The settings of a file.

    Raises:
        ContractError: The file is missing, is no JSON, or says something unknown or wrong; names file, key and reason.
    """
    chosen = path or DEFAULT_PATH
    try:
        values: Any = json.loads(chosen.read_text(encoding="utf-8"))
    except OSError as error:
        raise ContractError(f"{chosen}: cannot be read: {error.strerror}", "Name the file with --config.") from error
    except ValueError as error:
        raise ContractError(f"{chosen}: is no JSON: {error}", "Mend it; every key is in double quotes.") from error
    try:
        return DeploySettings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"] if part != "[key]")
        secret = (
            "" if first["type"] != "extra_forbidden" else " Tokens and secrets have no place here; sign in instead."
        )
        reason = "is not a setting" if first["type"] == "extra_forbidden" else first["msg"]
        raise ContractError(f"{chosen}: {key}: {reason}", f"See docs/DEPLOYMENT.md.{secret}") from error
