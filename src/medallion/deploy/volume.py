"""Files into a volume of Unity Catalog, through the Files API of a workspace."""

from __future__ import annotations

import hashlib
import io
import json
import re
from typing import TYPE_CHECKING

from medallion.deploy.upload import Advance, Fingerprint, Item, Sent, fingerprint
from medallion.deploy.workspace import told
from medallion.errors import MedallionError, SourceError, extra

with extra("databricks", "Databricks"):
    from databricks.sdk.errors import NotFound

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

_PLACE = re.compile(r"/Volumes/[\w-]+/[\w-]+/[\w-]+(/[\w.=-]+)*")


class Volume:
    """A folder of a volume, such as /Volumes/crm_dev/bronze/landing.

    The API takes a file whole, so what an interrupted upload left is the files that were done. Their checksums lie
    beside them in `_uploads/`, a name that the pipeline does not read.
    """

    def __init__(self, client: WorkspaceClient, place: str) -> None:
        if not _PLACE.fullmatch(place.rstrip("/")) or ".." in place.split("/"):
            raise MedallionError(f"{place}: is no folder of a volume", "Write /Volumes/CATALOG/SCHEMA/VOLUME.")
        self.client, self.place = client, place.rstrip("/")

    def put(self, item: Item, checksums: Fingerprint, advance: Advance, *, replace: bool) -> Sent:
        """Send a file unless it is there with the same content; see `medallion.deploy.upload.Target`."""
        path, note = f"{self.place}/{item.name}", f"{self.place}/_uploads/{item.name}.json"
        with told(self.place):
            try:
                size = self.client.files.get_metadata(path).content_length
            except NotFound:
                size = None
            if size == item.size and self._noted(note) == checksums.sha256:
                advance(item.size)
                return Sent(item.name, item.size, "there", checksums.sha256)
            # a file of that size without a note may be ours, interrupted between the two, or another's
            if size is not None and not replace and self._content(path) != checksums.sha256:
                problem = "is there with other content. Send it again with --replace, or under another name"
                return Sent(item.name, item.size, "refused", checksums.sha256, problem=problem)
            for folder in (path, note):
                self.client.files.create_directory(folder.rpartition("/")[0])
            if size is None or replace:
                with item.path.open("rb") as stream:
                    self.client.files.upload(path, stream, overwrite=True)
                if fingerprint(item).sha256 != checksums.sha256:
                    if size is None:
                        self.client.files.delete(path)
                    raise SourceError(f"{item.name}: changes while it is sent", "Wait until it is written.")
            text = json.dumps({"sha256": checksums.sha256, "size": item.size}).encode()
            self.client.files.upload(note, io.BytesIO(text), overwrite=True)
        advance(item.size)
        return Sent(item.name, item.size, "sent", checksums.sha256)

    def _noted(self, note: str) -> str | None:

        try:
            contents = self.client.files.download(note).contents
            return str(json.loads(contents.read())["sha256"]) if contents else None
        except (NotFound, ValueError, KeyError, TypeError):
            return None

    def _content(self, path: str) -> str:

        digest = hashlib.sha256()
        if contents := self.client.files.download(path).contents:
            while chunk := contents.read(1 << 20):
                digest.update(chunk)
        return digest.hexdigest()
