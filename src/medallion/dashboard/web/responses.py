"""Answers that are no page of a template: compressed content, and files."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from medallion import temporary
from medallion.dashboard import words

KEEP = {"cache-control": "private, max-age=86400"}
FRESH = {"cache-control": "no-store", "vary": "HX-Request, Cookie"}


def compressed(request: Request, content: bytes, kind: str, headers: dict[str, str]) -> Response:
    """An answer whose content is compressed already, if the browser takes it so."""
    if "gzip" in request.headers.get("accept-encoding", ""):
        vary = ", ".join(filter(None, (headers.get("vary"), "Accept-Encoding")))
        return Response(content, media_type=kind, headers={**headers, "content-encoding": "gzip", "vary": vary})
    return Response(gzip.decompress(content), media_type=kind, headers=headers)


_MEDIA = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}


def as_file(kind: str, name: Callable[[str], str], write: Callable[[Path], None]) -> Response:
    """A file to download, which is removed when it is sent."""
    if kind not in _MEDIA:
        raise HTTPException(404, words.say("not_found"))
    folder, remove = temporary.make()
    path = Path(folder, name(kind))
    try:
        write(path)
    except BaseException:
        remove()
        raise
    return FileResponse(path, media_type=_MEDIA[kind], filename=path.name, background=BackgroundTask(remove))
