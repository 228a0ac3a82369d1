"""Figures of cells: amounts, whole numbers, and what units they are in."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation

from medallion.cells.texts import ODD_SPACE, squish
from medallion.contracts import money

_BETWEEN_FIGURES = re.compile(f"([0-9])[ {ODD_SPACE}]([0-9])")
#: Plain figures. One to three digits, a point and three more is either: 1.234 may be 1234 written on the Continent.
_PLAIN = r"0+\.[0-9]+|[0-9]+(?:\.(?:[0-9]{1,2}|[0-9]{4,}))?|[0-9]{4,}\.[0-9]{3}"
_ANY = r"[0-9]+(?:\.[0-9]+)?"
_GROUPED = r"(?:[0-9]{1,3}(?:(?:,[0-9]{3})+|(?: [0-9]{3})+|(?:['’][0-9]{3})+)|[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3})"
_FIGURES = {few: re.compile(f"-?(?:{plain})") for few, plain in ((True, _PLAIN), (False, _ANY))}
_ENGLISH = re.compile(rf"-?{_GROUPED}(?:\.[0-9]+)?")
_CONTINENTAL = re.compile(r"-?[0-9]{1,3}(?:(?:\.[0-9]{3})+|(?: [0-9]{3})+),[0-9]+")
#: A whole amount with a dash in place of its decimals, `43.500,-` or `350.-`: its other marks stand for thousands.
_ROUND = re.compile(r"(-?(?:[0-9]{1,3}(?:([. ,'’])[0-9]{3})(?:\2[0-9]{3})*|[0-9]+))[.,][-–—]{1,2}")
#: What closes an amount so that nothing can be added, `3,75,000/-` in India and `95,000/=` in East Africa.
_CLOSED = re.compile(r"(?<=[0-9]) ?/[-–—=]{1,2}(?=[^0-9]*\Z)")
_CREDIT, _MINUS_AFTER = re.compile(r"\( ?([^()-]*[^() -](?:[.,]-{1,2})?) ?\)"), re.compile(r"([^()-]*[0-9]) ?-")
_COMMA = re.compile(r"[^0-9.,]*(?:[0-9]{1,3}(?:\.[0-9]{3})*|[0-9]+)(?:,[0-9]+)?[^0-9.,]*")
_HOURS = re.compile(r"([0-9]{1,4}):([0-5][0-9]):([0-5][0-9])(?:\.0+)?")
_WHOLE = re.compile(rf"-?(?:{_GROUPED}|[0-9]+)(?:\.00?)?")
_MARKS = str.maketrans("", "", ", '’")
#: How much one of each is.
_UNITS = {
    "cents": Decimal("0.01"),
    "percent": Decimal("0.01"),
    "thousands": Decimal(1_000),
    "ten thousands": Decimal(10_000),
    "lakhs": Decimal(100_000),
    "millions": Decimal(1_000_000),
    "crores": Decimal(10_000_000),
    "hundred millions": Decimal(100_000_000),
    "billions": Decimal(1_000_000_000),
}
#: Enough digits for any figure that a decimal of 38 may hold.
_EXACT = Context(prec=80)


def figures(text: str, few: bool = True, currency: str = "USD") -> str | None:
    """An amount in a currency as plain figures.

    Reads the currency's sign, code or name before or after, thousands commas, spaces or apostrophes, `1,23,456` of
    India, `1.234,56` and `1 234,56` (two marks, so not ambiguous), a dash in place of decimals, a minus after the figure and
    accountants' parentheses. Another currency, a word, a bare `1,5` is not read, nor `1.234` where amounts have `few` decimals, at
    most two.

    >>> [figures(text) for text in ("$350,000", "USD 98,000.50 ", "(1,200)", "1.234,56", "call me", "€5", "1.234")]
    ['350000', '98000.50', '-1200', '1234.56', None, None, None]
    >>> [figures(text) for text in ("43 308,50", "1'234.50", "1 234 567", "1,5", "1 23,5")]
    ['43308.50', '1234.50', '1234567', None, None]
    >>> [figures(text) for text in ("1,200.00-", "1.234,50- USD", "$50-", "\u2212300.00", "51-200")]
    ['-1200.00', '-1234.50', '-50', '-300.00', None]
    >>> [figures(text) for text in ("350.-", "43.500,-", "1'500.– USD", "-1,200.--", "(350,-)", "1.5,-", "12,34.-")]
    ['350', '43500', '1500', '-1200', '-350', None, None]
    >>> [figures(text, currency="GBP") for text in ("(£15,134.05)", "£5-", "5 GBP", "€5")]
    ['-15134.05', '-5', '5', None]
    >>> [figures(text, currency="INR") for text in ("Rs. 3,75,000/-", "₹ 12,50,000/- ", "95,000 /= INR", "(5/-)", "5/-3")]
    ['375000', '1250000', '95000', '-5', None]
    """
    if _FIGURES[few].fullmatch(text):
        return text
    bare = without_currency(_CLOSED.sub("", text), currency)
    if credit := _CREDIT.fullmatch(bare):
        bare = f"-{credit[1]}"
    if minus := _MINUS_AFTER.fullmatch(bare):
        bare = f"-{minus[1]}"
    if whole := _ROUND.fullmatch(bare):
        return re.sub(r"[^0-9-]", "", whole[1])
    if _ENGLISH.fullmatch(bare) or _FIGURES[few].fullmatch(bare):
        return bare.translate(_MARKS)
    if _CONTINENTAL.fullmatch(bare):
        return bare.replace(".", "").replace(" ", "").replace(",", ".")
    return None


def without_currency(text: str, currency: str) -> str:
    """An amount without the sign, code or name of its currency; that of the dollar goes by default.

    >>> without_currency("Fr. 1'234.50", "CHF"), without_currency("1.234,50 Euro", "EUR"), without_currency("₹5", "EUR")
    ("1'234.50", '1.234,50', '₹5')
    """
    bare = squish(text.replace("\u2212", "-"))
    for code in dict.fromkeys((currency, "USD")):
        bare = money.after(code).sub(r"\1", money.before(code).sub(r"\1", bare))
    return bare


def decimal(figures: str | int | Decimal, precision: int, scale: int) -> Decimal | None:
    """Plain figures rounded half up to `scale` decimals, None where that takes more than `precision` digits.

    >>> decimal("0.125", 18, 2), decimal("-0.005", 18, 2), decimal("1000", 5, 2)
    (Decimal('0.13'), Decimal('-0.01'), None)
    """
    try:
        value = Decimal(figures).quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP, _EXACT)
    except InvalidOperation:
        return None
    return value if value.adjusted() < precision - scale or not value else None


def decimal_point(text: str) -> str:
    """Figures written with a decimal comma, `1.234,5` or `1.234`, with a decimal point; other texts as they are.

    >>> [decimal_point(text) for text in ("1.234,56", "98,5", "1.234", "12.5", "$ 7 500,00", "soon")]
    ['1234.56', '98.5', '1234', '12.5', '$ 7500.00', 'soon']
    """
    bare = _BETWEEN_FIGURES.sub(r"\1\2", text)
    return bare.replace(".", "").replace(",", ".") if _COMMA.fullmatch(bare) else text


def in_unit(text: str, unit: str, currency: str = "USD") -> Decimal | None:
    """Figures written in a unit of `_UNITS`; read as amounts, a percent sign after them is left out.

    Cents are whole: what has decimals is none.

    >>> [in_unit(text, "percent") for text in ("75", "75%", "1,250", "-3.125", "soon")]
    [Decimal('0.7500000000'), Decimal('0.7500000000'), Decimal('12.5000000000'), Decimal('-0.0312500000'), None]
    """
    written = figures(re.sub(r" ?%\Z", "", text) if unit == "percent" else text, False, currency)
    read = None if written is None else decimal(written, 24, 8)
    if read is None or (unit == "cents" and read != read.to_integral_value()):
        return None
    return _EXACT.multiply(read, _UNITS[unit])


def minutes(text: str) -> int | None:
    """Minutes: a whole number, or hours, minutes and seconds. `1:30` alone does not say what it counts in.

    >>> [minutes(text) for text in ("45", "00:45:00", "1:02:31", "0:75:00", "1:30")]
    [45, 45, 63, None, None]
    """
    if not (clock := _HOURS.fullmatch(text.strip(" "))):
        return integer(text)
    hours, rest, seconds = (int(part) for part in clock.groups())
    return hours * 60 + rest + (seconds >= 30)


def integer(text: str) -> int | None:
    """A whole number of 64 bits; thousands commas, spaces or apostrophes and one or two decimal zeros are allowed.

    >>> [integer(text) for text in ("1,200", " 350 ", "12.0", "12.5", "1.200", "12.000", "a few", "1 200", "1'200")]
    [1200, 350, 12, None, None, None, None, 1200, 1200]
    """
    bare = text.strip(" ")
    if not _WHOLE.fullmatch(bare):
        return None
    whole = bare.translate(_MARKS).partition(".")[0]
    return int(whole) if len(whole) < 1000 and -(2**63) <= int(whole) < 2**63 else None
