"""Files into a container of Azure storage, through the Blob API."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from medallion.deploy.upload import Advance, Fingerprint, Item, Sent, read_block
from medallion.errors import MedallionError, SourceError, extra
from medallion.sources import azure

with extra("azure", "Azure storage"):
    from azure.core import MatchConditions
    from azure.core.exceptions import (
        ClientAuthenticationError,
        HttpResponseError,
        ResourceExistsError,
        ResourceModifiedError,
        ResourceNotFoundError,
        ServiceRequestError,
        ServiceResponseError,
    )
    from azure.identity import DefaultAzureCredential
    from azure.storage.blob import BlobBlock, BlobServiceClient, ContentSettings

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient, ContainerClient

#: Seconds that a connection or an answer may take, and tries before giving up.
_PATIENCE, _TRIES = 20, 5


class Adls:
    """A folder of a container.

    A file is sent as blocks and becomes visible in one step, when all are there. Blocks that an interrupted upload
    left behind are not sent again; the service forgets them after a week.
    """

    def __init__(self, uri: str, workers: int = 4, client: ContainerClient | None = None) -> None:
        self.address = azure.address(uri)
        self.container = client or container(self.address)
        self._blocks = ThreadPoolExecutor(workers)
        self._stopped = threading.Event()

    def put(self, item: Item, checksums: Fingerprint, advance: Advance, *, replace: bool) -> Sent:
        """Send a file unless it is there with the same content; see `medallion.deploy.upload.Target`."""
        name = f"{self.address.path}/{item.name}".lstrip("/")
        blob = self.container.get_blob_client(name)
        with told(self.address):
            there = _properties(blob)
            if there and there.size == item.size and (there.metadata or {}).get("sha256") == checksums.sha256:
                advance(item.size)
                return Sent(item.name, item.size, "there", checksums.sha256)
            if there and not replace:
                problem = "is there with other content. Send it again with --replace, or under another name"
                return Sent(item.name, item.size, "refused", checksums.sha256, problem=problem)
            resumed = self._stage(blob, item, checksums, advance)
            condition = (
                {"etag": there.etag, "match_condition": MatchConditions.IfNotModified}
                if there
                else {"match_condition": MatchConditions.IfMissing}
            )
            blob.commit_block_list(
                [BlobBlock(block.id) for block in checksums.blocks],
                content_settings=ContentSettings(content_md5=bytearray(checksums.md5)),
                metadata={"sha256": checksums.sha256},
                **condition,
            )
            written = _properties(blob)
            if not written or written.size != item.size:
                raise MedallionError(f"{name}: was written, but is not there whole", "Run this again.")
        return Sent(item.name, item.size, "sent", checksums.sha256, resumed)

    def _stage(self, blob: BlobClient, item: Item, checksums: Fingerprint, advance: Advance) -> int:
        """Send the blocks that are not there; gives how many bytes were."""
        there = _uncommitted(blob)
        resumed = sum(block.size for block in checksums.blocks if block.id in there)
        advance(resumed)

        def send(block: Any) -> None:
            if self._stopped.is_set():
                return
            blob.stage_block(block.id, read_block(item, block), length=block.size, validate_content=True)
            advance(block.size)

        waiting = [self._blocks.submit(send, block) for block in checksums.blocks if block.id not in there]
        try:
            for future in waiting:
                future.result()
        except SourceError:
            raise
        except BaseException:
            self._stopped.set()
            raise
        return resumed


def container(place: azure.Address) -> ContainerClient:
    """A client of the container, signed in as azure-identity does: environment, managed identity, `az login`, ...

    Raises:
        MedallionError: The `azure` extra is not installed.
    """
    credential: Any = (
        {"account_name": azure.EMULATOR_ACCOUNT, "account_key": azure.EMULATOR_KEY}
        if azure.emulator()
        else DefaultAzureCredential()
    )
    service = BlobServiceClient(
        place.blob_url,
        credential=credential,
        retry_total=_TRIES,
        connection_timeout=_PATIENCE,
        read_timeout=_PATIENCE * 3,
    )
    return service.get_container_client(place.container)


def _properties(blob: BlobClient) -> Any:

    try:
        return blob.get_blob_properties()
    except ResourceNotFoundError as error:
        if getattr(error, "error_code", "") == "ContainerNotFound":
            raise
        return None


def _uncommitted(blob: BlobClient) -> set[str]:

    try:
        _, waiting = blob.get_block_list("all")
    except ResourceNotFoundError as error:
        if getattr(error, "error_code", "") == "ContainerNotFound":
            raise
        return set()
    return {str(block.id) for block in waiting}


@contextmanager
def told(place: azure.Address) -> Iterator[None]:
    """Errors of the service as what a user can do about them; nothing of a request or a token is repeated."""
    where = f"{place.account}/{place.container}"
    try:
        yield
    except ClientAuthenticationError as error:
        raise MedallionError(
            f"{where}: not signed in to Azure ({_code(error)})",
            "Sign in with `az login`, or run where there is a managed identity.",
        ) from error
    except (ResourceExistsError, ResourceModifiedError) as error:
        raise MedallionError(
            f"{where}: a file was written by someone else meanwhile ({_code(error)})", "Run this again."
        ) from error
    except HttpResponseError as error:
        code = _code(error)
        remedy = {
            "ContainerNotFound": "Make it with scripts/setup_azure_storage.sh, or check --at.",
            "AuthorizationPermissionMismatch": "You need the role Storage Blob Data Contributor on the container; "
            "setup_azure_storage.sh --uploader gives it. A new role takes some minutes.",
            "AuthorizationFailure": "The account's firewall does not let this address in; see --allow-ip.",
        }.get(code, "Run this again; what was sent is not sent twice.")
        raise MedallionError(f"{where}: {code} (status {error.status_code})", remedy) from error
    except (ServiceRequestError, ServiceResponseError) as error:
        raise MedallionError(
            f"{where}: does not answer: {type(error).__name__}",
            "Check the account's name and the network, then run this again; what was sent is not sent twice.",
        ) from error


def _code(error: Any) -> str:
    return str(getattr(error, "error_code", None) or getattr(error, "reason", None) or type(error).__name__)
