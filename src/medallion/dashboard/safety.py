"""What keeps the dashboard to those it is for: headers, host names, a shared password, a sign-in proxy.

Sessions are a random name that this process remembers; nothing in a cookie is believed.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic

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
LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")
COOKIE = "medallion_session"
SESSION_SECONDS = 12 * 3600
#: Wrong passwords from one address, and from all of them, until a minute has passed.
ATTEMPTS, ATTEMPTS_OF_ALL = 5, 50
WINDOW = 60.0
_MOST_SESSIONS = 10_000


@dataclass
class Door:
    """Who may come in.

    Attributes:
        password: The shared password; None when none is asked for.
        user_header: Header in which a sign-in proxy names the user; None without a proxy.
        hosts: Host names that are answered; None for all.
        secure: Whether cookies go over TLS only.
    """

    password: str | None = None
    user_header: str | None = None
    hosts: tuple[str, ...] | None = LOOPBACK
    secure: bool = False
    _sessions: OrderedDict[str, float] = field(default_factory=OrderedDict)
    _failures: dict[str, list[float]] = field(default_factory=dict)

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
        if self.password is None:
            return True
        until = self._sessions.get(_digest(cookie)) if cookie else None
        return until is not None and until > monotonic()

    def too_many(self, who: str) -> bool:
        """Whether an address, or all of them together, have been wrong too often in the last minute."""
        since = monotonic() - WINDOW
        self._failures = {name: [t for t in times if t > since] for name, times in self._failures.items()}
        self._failures = {name: times for name, times in self._failures.items() if times}
        mine, all_of_them = len(self._failures.get(who, ())), sum(map(len, self._failures.values()))
        return mine >= ATTEMPTS or all_of_them >= ATTEMPTS_OF_ALL

    def enter(self, who: str, password: str) -> str | None:
        """The cookie of a new session; None where the password is wrong."""
        if self.password is None or not hmac.compare_digest(_digest(password), _digest(self.password)):
            self._failures.setdefault(who, []).append(monotonic())
            return None
        token = secrets.token_urlsafe(32)
        self._sessions[_digest(token)] = monotonic() + SESSION_SECONDS
        while len(self._sessions) > _MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return token

    def leave(self, cookie: str | None) -> None:
        """End a session."""
        if cookie:
            self._sessions.pop(_digest(cookie), None)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
