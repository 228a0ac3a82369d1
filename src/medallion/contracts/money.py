"""Currencies as people write them beside figures: codes, signs and names."""

from __future__ import annotations

import re
from functools import cache

#: ISO 4217, currencies in use.
CODES = frozenset([
    "AED", "AFN", "ALL", "AMD", "ANG", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BGN", "BHD", "BIF", "BMD",
    "BND", "BOB", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF", "CHF", "CLF", "CLP", "CNY", "COP", "CRC", "CUP",
    "CVE", "CZK", "DJF", "DKK", "DOP", "DZD", "EGP", "ERN", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP", "GMD",
    "GNF", "GTQ", "GYD", "HKD", "HNL", "HTG", "HUF", "IDR", "ILS", "INR", "IQD", "IRR", "ISK", "JMD", "JOD", "JPY", "KES",
    "KGS", "KHR", "KMF", "KPW", "KRW", "KWD", "KYD", "KZT", "LAK", "LBP", "LKR", "LRD", "LSL", "LYD", "MAD", "MDL", "MGA",
    "MKD", "MMK", "MNT", "MOP", "MRU", "MUR", "MVR", "MWK", "MXN", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD",
    "OMR", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "PYG", "QAR", "RON", "RSD", "RUB", "RWF", "SAR", "SBD", "SCR", "SDG",
    "SEK", "SGD", "SHP", "SLE", "SOS", "SRD", "SSP", "STN", "SVC", "SYP", "SZL", "THB", "TJS", "TMT", "TND", "TOP", "TRY",
    "TTD", "TWD", "TZS", "UAH", "UGX", "USD", "UYU", "UZS", "VED", "VES", "VND", "VUV", "WST", "XAF", "XCD", "XOF", "XPF",
    "YER", "ZAR", "ZMW", "ZWL",
])  # fmt: skip
#: Codes that are words as well; they count as codes in capital letters alone.
WORDS = frozenset(
    ["all", "amd", "bam", "bob", "cop", "cup", "gel", "lak", "mad", "mop", "pen", "ron", "sos", "top", "try", "std"]
)
SIGNS = {
    "US$": "USD", "A$": "AUD", "AU$": "AUD", "C$": "CAD", "CA$": "CAD", "HK$": "HKD", "MX$": "MXN", "NZ$": "NZD",
    "R$": "BRL", "S$": "SGD", "$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "￥": "JPY", "円": "JPY", "₹": "INR", "₽": "RUB", "₺": "TRY",
    "₩": "KRW", "₪": "ILS", "₫": "VND", "₴": "UAH", "฿": "THB", "zł": "PLN", "Kč": "CZK", "Fr.": "CHF", "sFr.": "CHF",
    "Ft": "HUF", "kr": "kr", "kr.": "kr", "元": "CNY", "원": "KRW", "₣": "CHF", "zl": "PLN",
    "zł.": "PLN", "руб": "RUB", "руб.": "RUB", "р.": "RUB", "лв": "BGN", "лв.": "BGN", "грн": "UAH", "грн.": "UAH", "дин.": "RSD",
    "din.": "RSD", "ден.": "MKD", "lei": "RON", "S/": "PEN", "S/.": "PEN", "Rs": "Rs", "Rs.": "Rs", "Rp": "IDR", "Rp.": "IDR",
    "RM": "MYR", "₸": "KZT", "₾": "GEL", "₡": "CRC", "₦": "NGN", "₱": "PHP", "₲": "PYG", "₵": "GHS", "৳": "BDT", "₮": "MNT",
    "KSh": "KES", "Ksh": "KES", "KSh.": "KES", "USh": "UGX", "TSh": "TZS",
}  # fmt: skip
NAMES = {
    "euro": "EUR", "euros": "EUR", "dollar": "USD", "dollars": "USD", "us dollar": "USD", "us dollars": "USD",
    "pound": "GBP", "pounds": "GBP", "pound sterling": "GBP", "british pound": "GBP", "swiss franc": "CHF",
    "schweizer franken": "CHF", "franken": "CHF", "franc suisse": "CHF", "yen": "JPY", "japanese yen": "JPY",
    "canadian dollar": "CAD", "australian dollar": "AUD", "mexican peso": "MXN", "peso mexicano": "MXN", "real": "BRL",
    "brazilian real": "BRL", "indian rupee": "INR", "rupee": "INR", "zloty": "PLN", "swedish krona": "SEK",
    "norwegian krone": "NOK", "danish krone": "DKK", "yuan": "CNY", "renminbi": "CNY", "人民币": "CNY", "人民幣": "CNY",
    "日元": "JPY", "日圓": "JPY", "日本円": "JPY", "美元": "USD", "米ドル": "USD", "欧元": "EUR", "ユーロ": "EUR", "英镑": "GBP",
    "港币": "HKD", "港元": "HKD", "рубль": "RUB", "рубли": "RUB", "рублей": "RUB", "рубля": "RUB", "российский рубль": "RUB", "доллар сша": "USD", "доллары сша": "USD", "евро": "EUR",
    "ريال سعودي": "SAR", "درهم إماراتي": "AED", "دولار أمريكي": "USD", "جنيه مصري": "EGP", "دينار كويتي": "KWD", "يورو": "EUR", "שקל": "ILS", "דולר": "USD", "אירו": "EUR",
}  # fmt: skip
#: Signs that several currencies have, besides the one that they are usually taken for.
SHARED = {
    "kr": ("SEK", "NOK", "DKK", "ISK"), "kr.": ("SEK", "NOK", "DKK", "ISK"),
    "Rs": ("INR", "PKR", "LKR", "NPR", "MUR"), "Rs.": ("INR", "PKR", "LKR", "NPR", "MUR"), "¥": ("CNY",), "￥": ("CNY",),
    "$": ("AUD", "CAD", "NZD", "HKD", "SGD", "TWD", "MXN", "CLP", "COP", "ARS", "UYU"),
}  # fmt: skip


def spellings(code: str) -> list[str]:
    """How a currency is written beside a figure, the longest first.

    >>> spellings("EUR"), spellings("SEK")
    (['euros', 'euro', 'евро', 'يورو', 'אירו', 'EUR', 'ユーロ', '欧元', '€'], ['swedish krona', 'SEK', 'kr.', 'kr'])
    """
    signs = [code, *(sign for sign, meant in (*SIGNS.items(), *NAMES.items()) if meant == code)]
    return sorted([*signs, *(sign for sign, codes in SHARED.items() if code in codes)], key=len, reverse=True)


@cache
def before(code: str) -> re.Pattern[str]:
    """What stands for a currency before a figure, whose sign may stand before that (group 1)."""
    return re.compile(rf"\A(-?\(?) ?(?:{_listed(code)}) ?", re.IGNORECASE)


@cache
def after(code: str) -> re.Pattern[str]:
    """What stands for a currency after a figure, whose sign or bracket may stand after that (group 1)."""
    return re.compile(rf" ?(?:{_listed(code)})(\)?-?)\Z", re.IGNORECASE)


def _listed(code: str) -> str:
    return "|".join(re.escape(sign).replace(r"US\$", r"US ?\$") for sign in spellings(code))
