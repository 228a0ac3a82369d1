"""Where exports and tables are, as people write it: a folder, or the address of a folder elsewhere.

The only module that looks at the text of an address. A folder has one spelling below it: a `file://` address and `~`
become the path where they enter, and a scheme that nothing here can reach is refused.
"""

from __future__ import annotations

import os
import re
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from medallion.errors import LakehouseError, MedallionError, SourceError

#: Names of this machine for itself.
LOOPBACK = ("127.0.0.1", "localhost", "::1")
#: Object stores that the engine, delta-rs and pyarrow all reach.
STORES = ("abfss", "abfs", "s3", "gs")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(//?)")
#: What pyarrow reads beside them; nothing is written there.
_READ_ONLY = ("gcs", "hdfs")
#: Addresses of the same places in words of other tools, and how they are written here.
_ELSEWHERE = (
    (r"s3[an]://(.*)", r"s3://\1"),
    (r"gcs://(.*)", r"gs://\1"),
    (r"https?://([\w-]+)\.(?:blob|dfs)\.(core\.[\w.]+)/([\w-]+)/?(.*)", r"abfss://\3@\1.dfs.\2/\4"),
    (r"wasbs?://([\w-]+)@([\w-]+)\.blob\.(core\.[\w.]+)/?(.*)", r"abfss://\1@\2.dfs.\3/\4"),
    (r"https?://onelake\.(?:blob|dfs)\.fabric\.microsoft\.com/([^/]+)/(.*)", r"abfss://\1@onelake.dfs.fabric.microsoft.com/\2"),
    (r"https?://([\w.-]+?)\.s3[\w.-]*\.amazonaws\.com/(.*)", r"s3://\1/\2"),
    (r"https?://s3[\w.-]*\.amazonaws\.com/(.*)", r"s3://\1"),
    (r"https?://storage\.(?:googleapis|cloud\.google)\.com/(.*)", r"gs://\1"),
    (r"(?:az|azure|adl)://.*", "abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/FOLDER"),
    (r"dbfs:/+Volumes/(.*)", r"/Volumes/\1"),
    (r"dbfs:.*", "/Volumes/CATALOG/SCHEMA/VOLUME"),
)  # fmt: skip


#: Schemes that are meant as such, even where one of their slashes is lost.
_KNOWN = {
    *STORES,
    *_READ_ONLY,
    "uc",
    "dbfs",
    "s3a",
    "s3n",
    "az",
    "azure",
    "adl",
    "wasb",
    "wasbs",
    "http",
    "https",
    "ftp",
}


def is_address(text: str) -> bool:
    """Whether a text is an address, and not a path.

    >>> is_address("s3://bucket/lake"), is_address("lake"), is_address("/mnt/a://b")
    (True, False, False)
    """
    return (match := _SCHEME.match(text)) is not None and match[2] == "//"


def of_lakehouse(text: str) -> str:
    """A lakehouse in the one spelling that everything works with.

    >>> of_lakehouse("file:///my%20lake"), of_lakehouse("S3://bucket/lake")
    ('/my lake', 's3://bucket/lake')

    Raises:
        LakehouseError: It is an address of a kind that tables cannot be at.
    """
    return _normalized(text, (*STORES, "uc"), LakehouseError)


def of_path(text: str) -> str:
    """A folder or file of this machine by its path.

    >>> of_path("file:/my%20models")
    '/my models'

    Raises:
        MedallionError: It is an address of something else.
    """
    return _normalized(text, (), MedallionError)


def of_source(text: str) -> str:
    """A folder or file of exports in the one spelling that everything works with.

    Raises:
        SourceError: It is an address of a kind that cannot be read.
    """
    return _normalized(text, (*STORES, *_READ_ONLY), SourceError)


def of_service(text: str) -> str:
    """Check the address of a network service, and return it: it must be encrypted unless it is on this machine.

    >>> of_service("https://hooks.example/a"), of_service("http://127.0.0.1:8080")
    ('https://hooks.example/a', 'http://127.0.0.1:8080')

    Raises:
        ValueError: It is not an address, is unencrypted and on another machine, or has a user in it.
    """
    try:
        url = urlsplit(text)
        host, _ = url.hostname, url.port
    except ValueError:
        raise ValueError(f"{text!r} is no address") from None
    local = url.scheme == "http" and host in LOOPBACK
    if not host or url.username or url.password or not (url.scheme == "https" or local):
        raise ValueError("use an https address without a user; a token does not travel in the open")
    return text


def on_disk(uri: str) -> str:
    """The path of a local file as a Delta log or delta-rs names it; another address as it is.

    >>> on_disk("/my%20lake/part-0.parquet"), on_disk("file:///x"), on_disk("s3://lake/a%20b")
    ('/my lake/part-0.parquet', '/x', 's3://lake/a%20b')
    """
    path = uri.removeprefix("file://")
    return path if is_address(path) else unquote(path)


def same(uri: str) -> str:
    """What is the same for every spelling of where a file is, links and `..` followed; another address as it is.

    >>> same("file:///a%20b/../c"), same("s3://bucket/a%20b")
    ('/c', 's3://bucket/a%20b')
    """
    is_local = not is_address(uri) or uri.lower().startswith("file:")
    return os.path.realpath(of_source(uri)) if is_local else uri


def split(text: str) -> tuple[str, str]:
    """The store of an address and the path in it, without a slash at its beginning.

    >>> split("s3://bucket/a/b")
    ('s3://bucket', 'a/b')
    """
    scheme, _, rest = text.partition("://")
    host, _, path = rest.partition("/")
    return f"{scheme}://{host}", path


def sign_in(address: str) -> str:
    """What helps when an address cannot be reached."""
    return f"Check the address. {_SIGN_IN.get(address.partition(':')[0], '')}".strip()


_SIGN_IN = {
    "s3": "Set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION, or run where a role may read and write the bucket.",
    "gs": "Name the key of a service account that may read and write the bucket in GOOGLE_APPLICATION_CREDENTIALS.",
    **dict.fromkeys(
        ("abfss", "abfs"),
        "Sign in with `az login` and set AZURE_USE_AZURE_CLI=true, or run where there is a managed identity; the role "
        "Storage Blob Data Contributor on the container is needed.",
    ),
}


def _normalized(text: str, schemes: tuple[str, ...], refusal: type[MedallionError]) -> str:
    if re.match(r"[A-Za-z]:[\\/]|\\\\", text) and os.name != "nt":
        nearest = f"/mnt/{text[0].lower()}/{text[3:]}".replace("\\", "/") if text[0] != "\\" else "/mnt/DRIVE/FOLDER"
        raise refusal(f"{text}: is a path of Windows", f"Write it as WSL2 sees it, such as {nearest}.")
    if text.startswith("~"):
        try:
            return str(Path(text).expanduser())
        except RuntimeError as error:
            problem = f"{text}: there is no user {text.partition('/')[0][1:]!r}"
            raise refusal(problem, f"Write a path; a folder of that name is ./{text}.") from error
    match = _SCHEME.match(text)
    if match is None:
        return text
    scheme, rest = match[1].lower(), text[match.end() :]
    if scheme == "file":
        return _path(text, rest if match[2] == "//" else f"/{rest}", refusal)
    if match[2] == "//" and scheme in schemes:
        return f"{scheme}://{rest}"
    if match[2] == "/" and scheme not in _KNOWN:
        return text  # a folder whose name has a colon
    shown = re.split(r"[?#]", text)[0]  # what follows may be a token
    if not schemes:
        shown = re.sub(":/+", "://", shown, count=1)  # a path has lost one of its slashes
        raise refusal(f"{shown}: is not on this machine", "Write a path; copy the files from there, or to there.")
    used = "read" if refusal is SourceError else "used for tables"
    raise refusal(f"{shown}: is no address of a kind that can be {used}", _instead(scheme, shown, schemes))


def _path(text: str, rest: str, refusal: type[MedallionError]) -> str:
    """The path of a `file://` address."""
    host, slash, path = rest.partition("/")
    if host.lower() not in ("", "localhost") or not slash:
        raise refusal(f"{text}: names another machine, {host!r}", f"Write a path, such as /{rest}, or file:///{rest}.")
    if re.search(r"%(?![0-9A-Fa-f]{2})|%00|[?#]", path):
        raise refusal(
            f"{text}: is no file address: in one, %, ? and # are written %25, %3F and %23", "Write the path instead."
        )
    return f"/{os.fsdecode(unquote_to_bytes(path))}"


def _instead(scheme: str, text: str, schemes: tuple[str, ...]) -> str:
    """The nearest address that can be used."""
    for pattern, written in _ELSEWHERE:
        if match := re.fullmatch(pattern, text, re.IGNORECASE):
            return f"Write {match.expand(written)}."
    if scheme in schemes:
        return f"Write {scheme}://{text.partition(':')[2].lstrip('/')}."
    if scheme == "uc":
        return "Exports in a catalog are in a volume: write /Volumes/CATALOG/SCHEMA/VOLUME."
    if close := get_close_matches(scheme, (*schemes, "file"), 1):
        return f"Write {close[0]}://{text.partition('://')[2]}, if that was meant."
    known = ", ".join(f"{name}://..." for name in schemes if name not in ("abfs", *_READ_ONLY))
    first = (
        "Download the files into a folder, and name that"
        if scheme in ("http", "https", "ftp", "sftp")
        else "Use a folder"
    )
    return f"{first}, or one of: {known}."
