"""What keeps the dashboard to those it is for: headers, host names, passwords, a sign-in proxy.

Sessions are a random name that this process remembers; nothing in a cookie is believed.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from medallion import addresses, door
from medallion.errors import MedallionError

#: Script and style only from the package's own files, pictures from here, nothing from elsewhere.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
HOSTS = (*addresses.LOOPBACK, "[::1]")
COOKIE = "medallion_session"
SESSION_SECONDS = 12 * 3600
#: Wrong passwords from one address, and from all of them, until a minute has passed.
ATTEMPTS, ATTEMPTS_OF_ALL = 5, 50
WINDOW = 60.0
#: Characters that a password has at least.
SHORTEST = 8
_MOST_SESSIONS = 10_000


@dataclass
class Door:
    """Who may come in.

    Attributes:
        password: The shared password; None when none is asked for.
        passwords: What is kept of the password of each user, by the user in small letters; None without a file of them.
        user_header: Header in which a sign-in proxy names the user; None without a proxy.
        hosts: Host names that are answered; None for all.
        secure: Whether cookies go over TLS only.
    """

    password: str | None = None
    passwords: Mapping[str, str] | None = None
    user_header: str | None = None
    hosts: tuple[str, ...] | None = HOSTS
    secure: bool = False
    _sessions: OrderedDict[str, tuple[float, str]] = field(default_factory=OrderedDict)
    _failures: dict[str, list[float]] = field(default_factory=dict)

    @property
    def asks(self) -> bool:
        """Whether a password is asked for."""
        return self.password is not None or self.passwords is not None

    def user(self, cookie: str | None, headers: Mapping[str, str]) -> str | None:
        """Who looks: whom the sign-in proxy names, or who signed in with a password of their own; None for nobody by name."""
        if self.user_header:
            return headers.get(self.user_header, "").strip() or None
        _, user = self._sessions.get(_digest(cookie), (0.0, "")) if cookie else (0.0, "")
        return user or None

    def answers_to(self, host: str) -> bool:
        """Whether a Host header is one of its own: a page elsewhere cannot reach it under a name of its own."""
        if self.hosts is None:
            return True
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        return name.lower() in self.hosts

    def knows(self, cookie: str | None, headers: Mapping[str, str]) -> bool:
        """Whether a request may see the pages."""
        if self.user_header and not headers.get(self.user_header, "").strip():
            return False
        if not self.asks:
            return True
        until, _ = self._sessions.get(_digest(cookie), (0.0, "")) if cookie else (0.0, "")
        return until > monotonic()

    def attempt(self, who: str, user: str = "") -> float | None:
        """Count an attempt as failed until `enter` takes it back, and return its time; None where an address, or all of
        them together, failed too often in the last minute.

        It is counted before the password is checked, which is slow, so that simultaneous guesses do not all pass.
        Where users have passwords of their own, an address is counted per user, so that one user does not lock out a
        team behind the same address.
        """
        since = monotonic() - WINDOW
        self._failures = {name: [t for t in times if t > since] for name, times in self._failures.items()}
        self._failures = {name: times for name, times in self._failures.items() if times}
        guesser, total = self._guesser(who, user), sum(map(len, self._failures.values()))
        failures = self._failures.get(guesser, [])
        if len(failures) >= ATTEMPTS or total >= ATTEMPTS_OF_ALL:
            return None
        self._failures[guesser] = [*failures, monotonic()]
        return self._failures[guesser][-1]

    def _guesser(self, who: str, user: str) -> str:
        return f"{who} {user.casefold()[:200]}" if self.passwords is not None else who

    def admits(self, password: str, user: str = "") -> bool:
        """Whether a password is the right one; slow, and for any thread: it changes nothing."""
        if self.passwords is not None:
            return fits(password, self.passwords.get(user.casefold()))
        return self.password is not None and hmac.compare_digest(_digest(password), _digest(self.password))

    def enter(self, who: str, attempt: float, user: str = "") -> str:
        """The cookie of a new session of whom `admits` admits; takes the attempt back."""
        left = self._failures.get(self._guesser(who, user), [])
        if attempt in left:
            left.remove(attempt)
        token, name = secrets.token_urlsafe(32), user.casefold() if self.passwords is not None else ""
        self._sessions[_digest(token)] = (monotonic() + SESSION_SECONDS, name)
        while len(self._sessions) > _MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return token

    def leave(self, cookie: str | None) -> None:
        """End a session."""
        if cookie:
            self._sessions.pop(_digest(cookie), None)


def kept(password: str, salt: bytes | None = None) -> str:
    """What a file of passwords stores for one: its salt and scrypt hash, in hexadecimal digits."""
    salt = salt or secrets.token_bytes(16)
    digest = hashlib.scrypt(password.encode("utf-8", "surrogatepass"), salt=salt, n=2**14, r=8, p=1, dklen=32)
    return "$".join(("scrypt", salt.hex(), digest.hex()))


def fits(password: str, known: str | None) -> bool:
    """Whether a password is the one that is kept; as slow for a user who is not known."""
    salt = bytes.fromhex((known or "$".join(("scrypt", "0" * 32, ""))).split("$")[1])
    return hmac.compare_digest(kept(password, salt), known or "")


def passwords(path: Path) -> dict[str, str]:
    """The hashes in a file of passwords by user in lower case; a line is a user, a colon, and what `kept` returns.

    Raises:
        MedallionError: The file cannot be read, or a line is not valid.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise MedallionError(
            f"{path}: cannot be read: {error}", f"Make it: medallion dashboard --passwords {path} --set-password USER"
        ) from error
    hashes: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        user, _, text = line.rpartition(":")
        if not user.strip() or not re.fullmatch(r"scrypt[$][0-9a-f]{32}[$][0-9a-f]{64}", text):
            raise MedallionError(
                f"{path}: line {number}: not a user with a password hash", "Write it with --set-password USER."
            )
        if hashes.setdefault(user.strip().casefold(), text) is not text:
            raise MedallionError(
                f"{path}: line {number}: {user.strip()} has a password already", "Keep one of the two."
            )
    return hashes


def set_password(path: Path, user: str, password: str) -> None:
    """Write the password of a user into a file of passwords, which only its owner may read.

    Raises:
        MedallionError: The name or the password is not valid, or the file cannot be read or written.
    """
    user = user.strip()
    if not user or ":" in user or not user.isprintable():
        raise MedallionError(f"{user!r} is not a valid user name", "Use the name in the access file, without a colon.")
    if len(password) < SHORTEST:
        raise MedallionError(f"the password is shorter than {SHORTEST} characters", "Choose a longer one.")
    hashes = passwords(path) if path.exists() else {}
    hashes[user.casefold()] = kept(password)
    try:
        door.write(path, "".join(f"{name}:{text}\n" for name, text in sorted(hashes.items())))
    except OSError as error:
        raise MedallionError(
            f"{path}: cannot be written: {error.strerror}", "Choose another --passwords FILE."
        ) from error


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
