"""Zones of times: their names, and by how much their clocks are ahead of UTC."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

#: Hours between a zone's time and UTC; names that several zones have (CST, IST, BST) are not here.
ZONES = {
    "Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "MEZ": 1, "MESZ": 2, "EET": 2, "EEST": 3,
    "EST": -5, "EDT": -4, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "JST": 9, "AEST": 10, "AEDT": 11,
}  # fmt: skip
#: The years of which the clock changes of a zone are looked up; before and after them the nearest offset holds.
_CLOCKS = (1990, 2045)
#: A zone at the end of a text: a name, an offset, or both.
ZONE = rf" ?(?:{'|'.join(sorted(ZONES, key=len, reverse=True))})?(?:[+-][0-9]{{2}}:?[0-9]{{2}})?"
ZONED = re.compile(
    rf"(?P<text>.*[0-9mM.])(?P<zone> ?(?:{'|'.join(sorted(ZONES, key=len, reverse=True))}| ?(?:GMT|UTC)?[+-][0-9]{{2}}:?[0-9]{{2}}))"
)


def zones(formats: Iterable[str]) -> list[str]:
    """The zones in which times without one of their own are local.

    >>> zones(["d/M/yyyy", "zone Europe/Berlin"])
    ['Europe/Berlin']
    """
    return [format_.removeprefix("zone ") for format_ in formats if format_.startswith("zone ")]


@cache
def offsets(zone: str) -> tuple[tuple[int | None, int], ...]:
    """The seconds by which a zone's clock is ahead of UTC, each with the wall clock, in seconds since 1970, from which.

    >>> [(since, ahead) for since, ahead in offsets("Europe/Berlin") if since is None or since > 1_740_000_000][:2]
    [(None, 3600), (1743303600, 7200)]
    """
    home, day = ZoneInfo(zone), timedelta(days=1)

    def ahead(at: datetime) -> int:
        return int((at.replace(tzinfo=home).utcoffset() or timedelta()).total_seconds())

    at, end = (datetime(year, 1, 1, tzinfo=UTC) for year in _CLOCKS)  # as wall clocks
    changes: list[tuple[int | None, int]] = [(None, ahead(at))]
    while at < end:
        if ahead(at + day) != ahead(at):
            minute = next(m for m in range(1, 1441) if ahead(at + timedelta(minutes=m)) != ahead(at))
            since = int((at + timedelta(minutes=minute)).timestamp())
            changes.append((since, ahead(at + day)))
        at += day
    return tuple(changes)
