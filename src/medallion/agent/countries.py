"""Where an account is: the language in which it is written to, and the hours of its day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from medallion.contracts import yaml

#: The first hour of a working day, and the one after its last.
WORKING = (8, 18)


@dataclass(frozen=True)
class Place:
    """What is known of a country.

    Attributes:
        language: `en`, `de`, `fr` or `es`; empty where it has another one, or several.
        zone: Its time zone, by the name of the IANA; `UTC` where it is not known.
    """

    language: str = ""
    zone: str = "UTC"

    @property
    def city(self) -> str:
        """The city that its time zone is called by."""
        return self.zone.rpartition("/")[2].replace("_", " ")


@cache
def countries() -> dict[str, Place]:
    """What is known, by country."""
    text = files("medallion.agent").joinpath("countries.yaml").read_text(encoding="utf-8")
    return {name: Place(**attributes) for name, attributes in yaml.load(text).items()}


def place(country: str | None) -> Place:
    """What is known of a country; nothing of one that is not listed.

    >>> place("Germany").language, place("Atlantis").zone, place(None).language
    ('de', 'UTC', '')
    """
    return countries().get((country or "").strip(), Place())


def in_utc(day: date, hour: int, zone: str) -> int:
    """An hour of a day in a time zone, as the hour in UTC.

    >>> in_utc(date(2025, 7, 1), 10, "Europe/Berlin"), in_utc(date(2025, 1, 7), 10, "Europe/Berlin")
    (8, 9)
    """
    return datetime(day.year, day.month, day.day, hour, tzinfo=ZoneInfo(zone)).astimezone(UTC).hour
