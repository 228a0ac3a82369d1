"""What real exports do to data, at stated shares: spellings, dates, repeats, strangers, corrections, lateness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from medallion.simulate.world import CHANNELS, ENDS, OUTCOMES, SOURCES, STAGES, Ints


@dataclass(frozen=True)
class Mess:
    """Shares of rows, each in [0, 1].

    A row has at most one of `repeated`, `unknown_customer`, `unreadable_date` and `date_format`; the others are
    independent of these.

    Attributes:
        spelling: Coded cells (channel, outcome, direction, source, status, stage, currency, country) of a row that
            are written in another accepted way.
        repeated: Rows that come twice, byte for byte.
        unknown_customer: Deals and touches of an account that is in no export; they must be refused.
        unreadable_date: Deals, touches and stage changes with a date that cannot be read; they must be refused.
        date_format: Dates written in another readable way.
        correction: Deals whose first value was wrong and was corrected later, as a newer version.
        late: Touches that come some days after they happened, where there are several deliveries.
    """

    spelling: float = 0.0
    repeated: float = 0.0
    unknown_customer: float = 0.0
    unreadable_date: float = 0.0
    date_format: float = 0.0
    correction: float = 0.0
    late: float = 0.0


MESS = {
    "none": Mess(),
    "some": Mess(0.05, 0.01, 0.002, 0.002, 0.05, 0.02, 0.02),
    "much": Mess(0.25, 0.05, 0.010, 0.010, 0.25, 0.05, 0.10),
}
#: What can be planted in a row, at most one of them; numbers as in `kinds`, 0 is a clean row.
PLANTED = ("repeated", "unknown_customer", "unreadable_date", "date_format")
REPEATED, UNKNOWN, UNREADABLE, REFORMATTED = 1, 2, 3, 4

#: Accepted spellings of every coded value, the canonical one first.
_SPELLINGS = {
    "call": ("Call", "Phone"), "email": ("E-mail", "Email "), "whatsapp": ("WhatsApp", "Whats App"),
    "meeting": ("Meeting", " MEETING"), "meeting_booked": ("Meeting Booked", "meeting scheduled"),
    "positive": ("Positive ", "Interested"), "neutral": ("Neutral", "left message"),
    "negative": ("NEGATIVE", "not interested"), "no_answer": ("No Answer", "voicemail"),
    "inbound": ("Inbound", "incoming"), "outbound": ("Outbound", "OUT"),
    "referral": ("Referral", "partner referral"), "website": ("Web Site", "WEBSITE"), "event": ("Trade Show", "Event"),
    "linkedin": ("LinkedIn", "Linked In"), "cold_call": ("cold-call", "Cold Calling"),
    "open": ("Open", "In Progress"), "won": ("Closed Won", "WON"), "lost": ("Closed Lost", "Lost "),
    "new": ("New", " new"), "qualified": ("Qualified", "QUALIFIED"), "proposal": ("Proposal", "proposal "),
    "negotiation": ("Negotiation", "NEGOTIATION"), "closed_won": ("Closed Won", "closed-won"),
    "closed_lost": ("Closed Lost", "closed-lost"), "USD": ("usd", "US$"),
    "United States": ("USA", "us"), "United Kingdom": ("UK", "Great Britain"), "Germany": ("Deutschland", "DE"),
    "Netherlands": ("Holland", "NL"),
}  # fmt: skip
COUNTRIES = ("United States", "United Kingdom", "Germany", "Netherlands")
DIRECTIONS = ("outbound", "inbound")
STATUSES = ("open", "won", "lost")
ALL_STAGES = (*STAGES, *ENDS)
CODES = {
    "channel": CHANNELS, "outcome": OUTCOMES, "direction": DIRECTIONS, "source": SOURCES, "status": STATUSES,
    "stage": ALL_STAGES, "currency": ("USD",), "country": COUNTRIES,
}  # fmt: skip
_FORMATS = ("%Y-%m-%dT%H:%M:%SZ", "%m/%d/%Y %H:%M", "%d %b %Y %H:%M")
_UNREADABLE = ("31/02/2025 11:00", "2025-13-45 10:00:00", "last week")


def kinds(mess: Mess, rng: np.random.Generator, count: int, *, strangers: bool, unreadable: bool) -> Ints:
    """What is planted in each of `count` rows: 0 for nothing, else the place in `PLANTED` from 1."""
    shares = [mess.repeated, mess.unknown_customer * strangers, mess.unreadable_date * unreadable, mess.date_format]
    drawn = np.searchsorted(np.cumsum(shares), rng.random(count), side="right")
    return np.asarray((drawn + 1) % (len(PLANTED) + 1), dtype=np.int64)


def spelled(mess: Mess, rng: np.random.Generator, name: str, codes: Ints) -> pa.Array:
    """The texts of a coded column, a share of them in another accepted spelling."""
    values = CODES[name]
    words = pa.array([word for value in values for word in (value, *_SPELLINGS[value])])
    place = codes * 3
    if mess.spelling:
        place = place + np.where(rng.random(len(codes)) < mess.spelling, rng.integers(1, 3, len(codes)), 0)
    return words.take(pa.array(place))


def dated(rng: np.random.Generator, times: pa.Array, planted: Ints) -> pa.Array:
    """Timestamps as texts, ISO 8601 except those that are planted in another format or as unreadable."""
    texts = pc.cast(times, pa.string())
    if not planted.any():
        return texts
    form = rng.integers(0, 3, len(planted))
    for place, (format_, unreadable) in enumerate(zip(_FORMATS, _UNREADABLE, strict=True)):
        chosen = (form == place) & (planted == REFORMATTED)
        if chosen.any():
            mask = pa.array(chosen)
            texts = pc.replace_with_mask(texts, mask, pc.strftime(times.filter(mask), format_))
        texts = pc.if_else(pa.array((form == place) & (planted == UNREADABLE)), unreadable, texts)
    return texts
