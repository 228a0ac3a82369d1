"""Addresses in Azure storage, and the emulator that replaces it.

An address is `abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH`; in OneLake the workspace is the container and
`onelake` the account, and the domain is `fabric.microsoft.com`. With `AZURE_STORAGE_USE_EMULATOR=true` every
address leads to the emulator at `AZURITE_BLOB_STORAGE_URL` instead, whatever its account; the engine and delta-rs
obey the same two variables.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from medallion.errors import MedallionError

#: Account and key that every emulator has, published by its makers; they open nothing else.
EMULATOR_ACCOUNT = "devstoreaccount1"
EMULATOR_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_ADDRESS = re.compile(
    r"abfss?://(?P<container>[a-z0-9](?:-?[a-z0-9]){2,62}|[^/@]+(?=@[a-z0-9-]*onelake\.))"
    r"@(?P<account>[a-z0-9]{3,24}|[a-z0-9-]+-onelake)\.dfs\.(?P<suffix>[a-z0-9.-]+)"
    r"(?:/(?P<path>.*))?"
)


@dataclass(frozen=True)
class Address:
    """A folder or file of a container; `path` has no slash at its ends."""

    account: str
    container: str
    path: str
    suffix: str = "core.windows.net"

    @property
    def blob_url(self) -> str:
        """Where the account answers the Blob API, which accounts with a hierarchical namespace answer too."""
        emulated = emulator()
        return f"{emulated}/{EMULATOR_ACCOUNT}" if emulated else f"https://{self.account}.blob.{self.suffix}"

    def __str__(self) -> str:
        return f"abfss://{self.container}@{self.account}.dfs.{self.suffix}/{self.path}"


def address(uri: str) -> Address:
    """The parts of an address.

    Raises:
        MedallionError: It is none.
    """
    match = _ADDRESS.fullmatch(uri)
    if not match:
        raise MedallionError(
            f"{uri}: is no address in Azure storage",
            "Write abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/FOLDER.",
        )
    return Address(match["account"], match["container"], (match["path"] or "").strip("/"), match["suffix"])


def emulator() -> str | None:
    """Address of the emulator to use in place of Azure, without a slash at its end; None as a rule."""
    if os.environ.get("AZURE_STORAGE_USE_EMULATOR", "").lower() not in ("true", "1"):
        return None
    return os.environ.get("AZURITE_BLOB_STORAGE_URL", "http://127.0.0.1:10000").rstrip("/")


def is_outside(uri: str) -> bool:
    """Whether an address is in OneLake or another cloud than the public one, which pyarrow takes for another account."""
    match = _ADDRESS.fullmatch(uri)
    return match is not None and match["suffix"] != "core.windows.net"


def is_address(uri: str) -> bool:
    """Whether a path is meant as an address in Azure storage."""
    return uri.partition(":")[0].lower() in ("abfs", "abfss")


def reason(error: BaseException) -> str:
    """Why a library could not reach an address, one line without colours and frames."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    text = re.sub(r"[^\x20-\x7e]+", " ", text)
    return re.sub(r"\s+", " ", text).strip()[:300] or type(error).__name__
