"""What is asked about what fills a column, one doubt by one, and what is only told."""

from __future__ import annotations

import re

from medallion.contracts import CONFIDENT, Filling

ASKED = 0.6
ORDER = re.compile(
    r"; (day(?: or|, month or) (?:month|year) first in '[^']*'\?|'[^']*' has the day first, '[^']*' the month"
    r"(?:, and [\d,]+ others may be either and have the (?:day|month) first by what is proposed)?)"
)
#: What is asked about a column beside what it is taken for.
_FURTHER = re.compile(
    r"; (?=but [\d,]+ of [\d,]+ deals |but it is filled in |[\d,]+ open deals have |[\d,]+ are below 0: |"
    r"[\d,]+ columns have this name |[\d,]+ of [\d,]+ cells have a link|not read as dates: )"
)


def doubts(item: Filling) -> list[str]:
    """What is asked about a filling, one by one; what is only told of it is not among it."""
    if not is_asked(item):
        return []
    order = ORDER.search(item.reason)
    first, *further = _FURTHER.split(ORDER.sub("", item.reason))
    is_told = (further or order) and "?" not in first and (" may be " not in first)
    return [*([order[1]] if order else []), *([] if is_told else [first]), *further]


def is_order(doubt: str) -> bool:
    """Whether a doubt is about the order of day, month and year."""
    return bool(ORDER.match(f"; {doubt}"))


def without(item: Filling, doubt: str) -> Filling:
    """A filling of which one doubt has been answered; sure once there is no other."""
    left = [each for each in doubts(item) if each != doubt]
    return item.model_copy(update={"reason": "; ".join(left)} if left else {"confidence": None, "reason": ""})


def is_asked(item: Filling) -> bool:
    """Whether a filling waits for a person."""
    return item.confidence is not None and item.confidence < CONFIDENT
