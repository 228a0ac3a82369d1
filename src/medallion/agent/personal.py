"""What looks personal in free text: e-mail addresses and telephone numbers."""

from __future__ import annotations

import re

_PERSONAL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+|\+?\d[\d ()/-]{6,}\d")


def without_personal(text: str) -> str:
    """A text without e-mail addresses and telephone numbers; dates and amounts stay.

    >>> without_personal("call ann@example.com or +49 170 1234567 about 2025-06-30")
    'call [removed] or [removed] about 2025-06-30'
    """
    return _PERSONAL.sub(lambda m: m[0] if re.fullmatch(r"\d{4}-\d{2}-\d{2}", m[0]) else "[removed]", text)
