"""Whether an amount is in hundredths or thousands: by its header, or by a column beside it that holds the same amounts
otherwise.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from medallion.sources import currencies

#: Records that must agree, and the share of them.
_LEAST, _MOST = 3, 0.95
#: How far a rounded twin may be off.
_OFF = Decimal("0.006")
_CENTS = frozenset(
    {"cents", "cent", "centimes", "centavos", "centesimi", "pence", "minor", "grosze", "ore", "orer", "haler", "rappen"}
)
_FIGURE = re.compile(r"\d[\d.,'’\s\u00a0\u202f]*")
_TIMES = {"k": 1_000, "m": 1_000_000}
_SIGN = rf"\s*(?:{currencies.SIGN}|[A-Z]{{3}})?\s*"
_BELOW = re.compile(rf"{_SIGN}[-−(]{_SIGN}\d|.*\d{_SIGN}[-−]{_SIGN}$")


@dataclass(frozen=True)
class Twin:
    """An amount and the same amount beside it: how many times as large it is, and one pair of cells."""

    times: Decimal
    mine: str
    other: str


def figure(text: str, comma: bool | None = None) -> Decimal | None:
    """The size of an amount as people write it; None for what is none. `comma` says whether decimals follow a comma.

    >>> [figure(text) for text in ("$88,247.38", "88.247,38 €", "1 200", "(1,200)", "12.5k", "soon", "1,234,567")]
    [Decimal('88247.38'), Decimal('88247.38'), Decimal('1200'), Decimal('1200'), Decimal('12500.0'), None, Decimal('1234567')]
    >>> figure("1.234"), figure("1.234", comma=False), figure("1.234", comma=True)
    (Decimal('1234'), Decimal('1.234'), Decimal('1234'))
    """
    match = _FIGURE.search(text)
    if match is None or len(re.findall(r"\d", text)) != len(re.findall(r"\d", match[0])):
        return None
    bare = re.sub(r"[^\d.,]", "", match[0]).strip(".,")
    mark = max(".,", key=bare.rfind) if comma is None else "," if comma else "."
    whole, _, rest = bare.rpartition(mark)
    is_thousands = bare.count(mark) != 1 or (comma is None and len(rest) == 3 and len({*bare} & {*".,"}) == 1)
    digits = re.sub(r"\D", "", bare)
    number = Decimal(digits) if is_thousands else Decimal(f"{re.sub(r'[.,]', '', whole) or 0}.{rest}")
    return number * _TIMES.get(text[match.end() :].strip().lower(), 1)


def signed(text: str, comma: bool | None = None) -> Decimal | None:
    """An amount with its sign, as `figure` reads it.

    >>> signed("(150.00)"), signed("1.200,00-"), signed("−3"), signed("2-1")
    (Decimal('-150.00'), Decimal('-1200.00'), Decimal('-3'), None)
    >>> [str(signed(text)) for text in ("-USD 5", "USD -5", "(USD 5)", "CHF (5)", "R$ -5", "5- EUR", "5 EUR-", "kr -5", "5 EUR", "5-10")]
    ['-5', '-5', '-5', '-5', '-5', '-5', '-5', '-5', '5', 'None']
    """
    size = figure(text, comma)
    return -size if size and is_below(text) else size


def is_below(text: str) -> bool:
    """Whether an amount is written as one below 0."""
    return bool(_BELOW.match(text))


def says_cents(header: str) -> bool:
    """Whether a header says that its amounts are in hundredths.

    >>> says_cents("amount_cents"), says_cents("Amount (in cents)"), says_cents("AmountInMinorUnits"), says_cents("Center")
    (True, True, True, False)
    """
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", header)
    return bool(_CENTS & set(re.findall(r"[a-z]+", split.lower())))


#: How much one of each unit is that a header may name.
SIZES = {
    "thousands": 1_000,
    "ten thousands": 10_000,
    "lakhs": 100_000,
    "millions": 1_000_000,
    "crores": 10_000_000,
    "hundred millions": 100_000_000,
    "billions": 1_000_000_000,
}
_SIGNS = r"€|\$|£|eur|euros?|usd|gbp|chf|dollars?|pln|zł|sek|nok|dkk|czk|huf"
_RUPEES = r"(?:₹|rs\.?|inr|rupees?)"
_SCALES = (
    ("thousands", rf"(k|t)\s*({_SIGNS})|({_SIGNS})\s*(k|t)|k|tsd|tausend|thousands?|milliers|miles|migliaia|milhares|duizend(en)?|tys|tis|"
                  r"tusen|['’]?000s?|[x×*] ?1[.,]?000|тыс"),
    ("millions", rf"(m|mio|mn|mln)\s*({_SIGNS})|({_SIGNS})\s*(m|mm|mio|mn|mln)|mio|mln|mn|millions?|millionen|millones|milioni|milhoes|"
                 r"miljoen(en)?|mil[jl]oner|млн"),
    ("billions", rf"(b|bn)\s*({_SIGNS})|({_SIGNS})\s*(b|bn)|bn|billions?|mrd|milliarden?|milliards?|miliardi|miljard(en|er)?|mld|млрд"),
    ("lakhs", rf"({_RUPEES} ?)?(lakhs?|lacs?)|{_RUPEES} ?l"),
    ("crores", rf"crores?|{_RUPEES} ?crs?|crs?[. ]*{_RUPEES}"),
)  # fmt: skip
#: What `cr` stands for beside one of these is crores, unless debits and credits are meant.
_WORTH = re.compile(
    r"(?<![^\W_])(amounts?|amt|values?|revenues?|prices?|total|sales|turnover|worth|size|budget|tcv|acv|arr|mrr|deal|contract|bookings?|"
    rf"investment|{_RUPEES})(?![^\W_])"
)
_CR, _DEBIT = (re.compile(rf"(?<![^\W_])({words})(?![^\W_])") for words in ("crs?", "dr|debit"))
#: Words for amounts in a title.
_AMOUNTS = re.compile(
    r"(?<![^\W_])(amounts?|values?|figures|money|revenues?|sales|beträge|betrag|werte|umsätze|umsatz|angaben|montants?|valeurs?|chiffres|importes?|"
    r"valores|importi|valori|bedragen|kwoty|belopp|beløb|金額|金额|单位|單位|単位|단위)"
)
#: Years, quarters and ways to write thousands, whose digits are no amount.
_YEARS = re.compile(r"(?i)(?<!\d)(?:19|20)\d\d(?!\d)|q[1-4](?!\d)|['’]?(?<!\d)000s?(?!\d)|[x×*] ?1[.,]?000(?!\d)")
#: What a title filters by: a comparison, or an amount, which is large or has its unit.
_FILTERS = re.compile(
    r"(?i)[<>=≥≤]|\d{3}|\d[\d.,]*\s?(k|t|m|mm|mn|mio|mln|b|bn|mrd|tsd|teur|tusd|keur|kusd|thousand|million|billion|tausend|millionen|"
    r"mille|miles|millones|lakh|crore)s?(?![^\W_])"
)
#: Numerals of Chinese, Japanese and Korean, and how much each is.
_NUMERALS = {
    10: "十拾십",
    100: "百佰백",
    1_000: "千仟천",
    10_000: "万萬만",
    100_000_000: "億亿억",
}
_TIMES_OF = {sign: times for times, signs in _NUMERALS.items() for sign in signs}
#: Such numerals before a unit of money wherever it is, or by themselves or behind a word for an amount.
_COUNTED = re.compile(
    rf"([{''.join(_TIMES_OF)}]+)(?:[元円圓圆원]|日元|美元|美金|欧元|港[元币幣]|台币|台幣|人民[币幣]|ドル|ユーロ|ウォン|달러)|"
    rf"(?:(?<![^\W_])|(?<=[额額上액출价價位高]))([{''.join(_TIMES_OF)}]+)(?![^\W_])"
)


def scale(header: str) -> str | None:
    """The unit that a header says its amounts to be in, as a contract calls it; "" for one that no contract has, None for
    whole ones and where it says nothing.

    >>> [scale(text) for text in ("Angebotswert (kEUR)", "Umsatz (T€)", "Amount ($K)", "Amount (in thousands)", "Value '000", "Betrag in Tsd. EUR")]
    ['thousands', 'thousands', 'thousands', 'thousands', 'thousands', 'thousands']
    >>> [scale(text) for text in ("Auftragswert in Mio. EUR", "Amount ($M)", "Amount", "Market Value", "Betrag EUR", "Deal 2000", "Umsatz Mrd. €")]
    ['millions', 'millions', None, None, None, None, 'billions']
    >>> [scale(text) for text in ("预计销售金额(万元)", "売上（千円）", "Deal Value (Rs. Lakhs)", "Amount in Cr", "金额（亿元）", "Crew")]
    ['ten thousands', 'thousands', 'lakhs', 'crores', 'hundred millions', None]
    """
    text = unicodedata.normalize("NFKC", header).lower()
    if counted := _counted(text):
        return next((unit for unit, size in SIZES.items() if size == counted), "")
    edge = r"(?<![^\W_]){}(?![^\W_])"
    if unit := next((unit for unit, words in _SCALES if re.search(edge.format(f"({words})"), text)), None):
        return unit
    return "crores" if _CR.search(text) and _WORTH.search(text) and not _DEBIT.search(text) else None


def above(texts: Iterable[str]) -> tuple[str, str] | None:
    """What stands above a header and says a unit of amounts, and that unit, as `scale` gives it; None where none does.

    >>> above(["Deals 2025", "All amounts in k EUR"]), above(["Beträge in Tsd."]), above(["Team K", "2,000 rows"])
    (('All amounts in k EUR', 'thousands'), ('Beträge in Tsd.', 'thousands'), None)
    >>> [above([text])[1] for text in ("Amounts in USD '000", "Pipeline 2025 - all values in thousands of USD", "Pipeline Q1 2025 (kEUR)")]
    ['thousands', 'thousands', 'thousands']
    >>> above(["Deals with an amount above 10 k EUR"]), above(["Revenue more than 1 million"]), above(["Amounts over 500 k EUR"])
    (None, None, None)
    """
    for text in texts:
        says_amounts = currencies.in_header(text) or _AMOUNTS.search(unicodedata.normalize("NFKC", text).lower())
        if says_amounts and not _FILTERS.search(_YEARS.sub("", text)) and (unit := scale(text)) is not None:
            return text, unit
    return None


def _counted(text: str) -> int:
    """How much numerals of Chinese, Japanese or Korean in a header are together, from a thousand on; else 0.

    >>> _counted("金额万元"), _counted("금액(백만원)"), _counted("売上（千円）"), _counted("十億円"), _counted("千葉"), _counted("万科")
    (10000, 1000000, 1000, 1000000000, 0, 0)
    """
    for match in _COUNTED.finditer(text):
        times = math.prod(_TIMES_OF[sign] for sign in match[1] or match[2])
        if times >= SIZES["thousands"]:
            return times
    return 0


def twin(pairs: Iterable[tuple[str, str]]) -> Twin | None:
    """How many times as large an amount is as the same amount in another column; None where it is another amount.

    >>> twin([("8824738", "$88,247.38"), ("1942856", "$19,428.56"), ("5118254", "$51,182.54")]).times
    Decimal('100')
    >>> twin([("10", "1"), ("20", "7"), ("30", "9")]) is twin([("5", "$5"), ("6", "$6"), ("7", "$7")]) is None
    True
    """
    met: Counter[Decimal] = Counter()
    examples: dict[Decimal, tuple[str, str]] = {}
    total = 0
    for text, other_text in pairs:
        amount, other_amount = figure(text), figure(other_text)
        if not amount or not other_amount:
            continue
        total += 1
        for times in (Decimal(100), Decimal(1000), Decimal("0.01"), Decimal("0.001")):
            if abs(amount / other_amount / times - 1) < _OFF:
                met[times] += 1
                examples.setdefault(times, (text, other_text))
    if not met:
        return None
    times, count = met.most_common(1)[0]
    return Twin(times, *examples[times]) if total >= _LEAST and count >= _MOST * total else None


def looks_formatted(header: str, texts: Iterable[str]) -> bool:
    """Whether a column holds amounts as people read them: with a sign, with marks for thousands, or with decimals."""
    texts = list(texts)[:200]
    written = sum(bool(currencies.in_amount(text) or re.search(r"\d[.,]\d", text)) for text in texts)
    return bool(texts) and written > 0.5 * len(texts)
