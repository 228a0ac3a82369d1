"""One way to write a number: money, shares, counts, other figures, days and durations, for every reader alike.

What is not known is written `no data`, or as `none` says. Thousands have commas, the point is the decimal point, a
minus stands before everything, and zero has none.

Money carries the sign of its currency where that sign means no other currency (`$`, `€`, `£`, `₹`), and else its ISO
code before the amount: `€1,090,000`, `CHF 1,090,000`. The currency comes from the contract of the lakehouse
(`Entity.currency`); nothing is converted.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from math import sqrt

Number = float | Decimal

NO_DATA = "no data"
#: Currencies that are written with a sign; `$` is the US dollar and no other.
SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "INR": "₹"}
#: Amounts from which a short form has millions, and billions.
_MILLIONS, _BILLIONS = 10**7, 10**10


def sign(currency: str) -> str:
    """What stands before an amount.

    >>> sign("USD"), sign("EUR"), sign("CHF"), sign("CAD")
    ('$', '€', 'CHF ', 'CAD ')
    """
    return SIGNS.get(currency, f"{currency} ")


def ratio(number: Number | None, places: int = 1, *, before: str = "", after: str = "", none: str = NO_DATA) -> str:
    """A figure with decimals: a mean, a score, a coefficient; `before` and `after` are its units.

    >>> ratio(88.7), ratio(-1234.5678, 2), ratio(-0.04), ratio(None), ratio(1.5, before="€")
    ('88.7', '-1,234.57', '0.0', 'no data', '€1.5')
    """
    if number is None:
        return none
    digits = f"{number:z,.{places}f}"
    return f"-{before}{digits[1:]}{after}" if digits.startswith("-") else f"{before}{digits}{after}"


def money(
    amount: Number | None, currency: str, places: int = 0, *, short: bool = False, none: str = NO_DATA
) -> str:  # fmt: skip
    """An amount in whole units; `short` gives millions from ten of them on, and billions.

    >>> money(1090000, "USD"), money(Decimal("1090000.00"), "EUR"), money(-500, "CHF"), money(None, "EUR")
    ('$1,090,000', '€1,090,000', '-CHF 500', 'no data')
    >>> money(1090000, "USD", short=True), money(571961900, "GBP", short=True), money(12_345_678_900, "EUR", short=True)
    ('$1,090,000', '£572.0M', '€12.3B')
    """
    before = sign(currency)
    whole = abs(float(amount or 0)) if short else 0
    if whole >= _BILLIONS:
        return ratio(float(amount or 0) / 1e9, before=before, after="B")
    if whole >= _MILLIONS:
        return ratio(float(amount or 0) / 1e6, before=before, after="M")
    return ratio(amount, places, before=before, none=none)


def percent(share: Number | None, places: int = 1, *, none: str = NO_DATA) -> str:
    """A share of one.

    >>> percent(0.545455), percent(1), percent(-0.0004), percent(0.8, 0), percent(None)
    ('54.5%', '100.0%', '0.0%', '80%', 'no data')
    """
    return none if share is None else f"{share:z,.{places}%}"


def change(share: float, *, points: bool = False) -> str:
    """By how much something has changed, as a share of what it was; in points where it is a share itself.

    >>> change(0.041), change(-0.5), change(0.041, points=True)
    ('+4.1%', '-50.0%', '+4.1 points')
    """
    return f"{100 * share:+.1f} points" if points else f"{share:+,.1%}"


def span(low: Number, high: Number) -> str:
    """The ends of an interval of shares.

    >>> span(0.28, 0.787)
    '28.0% to 78.7%'
    """
    return f"{percent(low)} to {percent(high)}"


def count(number: int, noun: str = "") -> str:
    """How many there are, with a noun where it is given.

    >>> count(1200), count(1, "deal"), count(1200, "deal"), count(2, "industry"), count(0, "cell")
    ('1,200', '1 deal', '1,200 deals', '2 industries', '0 cells')
    """
    if not noun:
        return f"{number:,}"
    plural = noun if number == 1 else noun[:-1] + "ies" if noun.endswith("ry") else noun + "s"
    return f"{number:,} {plural}"


def day(value: date | None, *, none: str = NO_DATA) -> str:
    """A day.

    >>> day(date(2025, 6, 1)), day(datetime(2025, 6, 1, 10, 20)), day(None)
    ('2025-06-01', '2025-06-01', 'no data')
    """
    return none if value is None else f"{value:%Y-%m-%d}"


def minute(value: datetime | None, *, none: str = NO_DATA) -> str:
    """A timestamp to the minute.

    >>> minute(datetime(2025, 6, 1, 10, 20, 59)), minute(None, none="")
    ('2025-06-01 10:20', '')
    """
    return none if value is None else f"{value:%Y-%m-%d %H:%M}"


def duration(seconds: float, places: int = 1) -> str:
    """How long something took.

    >>> duration(0.42, 2), duration(7.06), duration(4000)
    ('0.42 s', '7.1 s', '4,000.0 s')
    """
    return ratio(seconds, places, after=" s")


def sheet_form(currency: str, *, short: bool = False) -> str:
    """The number format of a spreadsheet that writes amounts as `money` does.

    >>> sheet_form("EUR"), sheet_form("CHF", short=True)
    ('"€"#,##0', '"CHF "#,##0.0,,"M"')
    """
    before = sign(currency).replace('"', "")
    return f'"{before}"#,##0' + ('.0,,"M"' if short else "")


def wilson(part: float, whole: float, z: float) -> tuple[float, float]:
    """Lower and upper end of Wilson's score interval for a share; 0 to 1 without rows.

    E. B. Wilson, Probable inference, JASA 22 (1927). `z` is the normal quantile: 1.96 for 95%, 1.645 for 90%.
    `columns.wilson` is the same over a DataFrame.

    >>> [round(end, 3) for end in wilson(6, 11, 1.96)]
    [0.28, 0.787]
    """
    if not whole:
        return 0.0, 1.0
    spread = z * sqrt(part - part * part / whole + z * z / 4)
    middle, below = part + z * z / 2, whole + z * z
    return max(0.0, (middle - spread) / below), min(1.0, (middle + spread) / below)
