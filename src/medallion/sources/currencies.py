"""Which currency an export is in: in a column of its own, in the header of an amount, or beside the figures.

Nothing becomes the currency of the lakehouse by default beside a word for another one.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from medallion.contracts.money import CODES, NAMES, SHARED, SIGNS, WORDS


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


#: How a cell may name a currency, besides its code.
SPELLINGS = {**{sign.lower(): code for sign, code in SIGNS.items() if code in CODES}, **NAMES}
_CURRENCY = _set(
    "currency curr ccy wahrung waehrung wahrungscode devise moneda divisa moeda valuta valute munteenheid waluta mena "
    "valyuta valiuta penznem monnaie"
)
_BESIDE = _set(
    "deal deals opportunity opp lead amount value price code iso isocode id name type of the record c local original "
    "transaction transactioncurrencyid des de la del von der montant betrag importe valor montante bedrag sales "
    "property hs"
)
#: Names that stand beside figures, the longest first.
_BESIDE_FIGURES = sorted((name for name in NAMES if " " not in name), key=len, reverse=True)
_FIGURE = r"[-+−(]?\s*\d[\d.,'’\s\u00a0]*(?:(?<=[.,])[-–—]{1,2}\s*|/[-–—=]{1,2}\s*)?"
#: What stands for a currency beside a figure, as a regular expression.
SIGN = f"{'|'.join(re.escape(sign) for sign in sorted(SIGNS, key=len, reverse=True))}|(?i:{'|'.join(_BESIDE_FIGURES)})"
_PRICED = re.compile(
    rf"(?:[-+−(]\s*)?(?P<before>[A-Za-z]{{3}}|{SIGN})\s*{_FIGURE}[kKmM]?\)?|{_FIGURE}[kKmM]?[-−]?\s*(?P<after>[A-Za-z]{{3}}|{SIGN})\)?-?"
)
#: More ways to write a currency than any column has: what has more different values mostly holds something else.
_SPELLINGS = 500
_NUMBER = re.compile(rf"{_FIGURE}\)?-?")


def _words(text: str) -> list[str]:
    """Words of a header in lower case, without accents, camel case split."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", text)
    plain = unicodedata.normalize("NFKD", split)
    return re.findall(r"[^\W_]+", "".join(letter for letter in plain if not unicodedata.combining(letter)).lower())


def is_named(header: str) -> bool:
    """Whether a header names the currency of a record, and not an amount in some currency.

    >>> [is_named(name) for name in ("CurrencyIsoCode", "Deal Currency", "Währung", "property_deal_currency_code")]
    [True, True, True, True]
    >>> [is_named(name) for name in ("Amount in company currency", "Amount", "Currency Rate", "Devise du devis")]
    [False, False, False, False]
    """
    words = set(_words(header))
    return bool(words & _CURRENCY) and words <= _CURRENCY | _BESIDE


def names_one(header: str) -> bool:
    """Whether a header has a word for a currency, of whatever it is.

    >>> names_one("Account Currency"), names_one("Amount")
    (True, False)
    """
    return bool(set(_words(header)) & _CURRENCY)


def in_company_currency(header: str) -> bool:
    """Whether a header is that of amounts in the company's own currency.

    >>> in_company_currency("Amount in company currency"), in_company_currency("Amount (converted)")
    (True, True)
    """
    words = set(_words(header))
    own = {"company", "base", "home", "corporate", "reporting", "firmenwahrung", "hauswahrung", "unternehmenswahrung"}
    says = bool(words & own) and bool(words & _CURRENCY)
    return says or "converted" in words or bool(words & {"firmenwahrung", "hauswahrung", "unternehmenswahrung"})


def code_beside(amount: Cells, columns: Iterable[Cells]) -> tuple[str, str] | None:
    """Header and ISO code of what names the one currency of a column of amounts; "" for the column's own header."""
    amount_words = set(_words(amount.header))
    for column in columns:
        words = set(_words(column.header))
        if (
            column.is_currency
            and column.name != amount.name
            and words - _CURRENCY == amount_words - _CURRENCY
            and words & _CURRENCY
        ):
            codes = column.codes()
            return (column.header, next(iter(codes))) if len(codes) == 1 and "?" not in codes else None
    code = in_header(amount.header)
    return ("", code) if code else None


def code_of(text: str) -> str | None:
    """The ISO code that a cell of a currency column stands for.

    >>> [code_of(text) for text in ("EUR", "€", "Euro", "usd", "EUR - Euro", "open", "12")]
    ['EUR', 'EUR', 'EUR', 'USD', 'EUR', None, None]
    """
    bare = text.strip()
    if bare in SIGNS:
        return SIGNS[bare]
    if bare.upper() in CODES and (bare.isupper() or bare.lower() not in WORDS):
        return bare.upper()
    if match := re.match(r"([A-Z]{3})\s*[-–:(]", bare):
        return str(match[1]) if match[1] in CODES else None
    name: str | None = NAMES.get(" ".join(_words(bare)))
    return name


def in_header(header: str) -> str | None:
    """The ISO code that the header of an amount names.

    >>> [in_header(name) for name in ("Amount (EUR)", "Umsatz in CHF", "deal_value_gbp", "Wert €", "Amount", "Try again")]
    ['EUR', 'CHF', 'GBP', 'EUR', None, None]
    """
    for word in re.findall(r"[A-Za-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", header)):
        if len(word) == 3 and word.upper() in CODES and (word.isupper() or word.lower() not in WORDS):
            return str(word).upper()
    symbols = sorted((sign for sign in SIGNS if re.search(r"[^\w./]", sign)), key=len, reverse=True)
    return next((SIGNS[sign] for sign in symbols if sign in header), None)


def above(texts: Iterable[str]) -> tuple[str, Counter[str]] | None:
    """What stands above a header and names a currency, and the ISO codes that such texts name; None where none does.

    >>> above(["Pipeline report", "All amounts in k EUR"]), above(["SHOW ALL", "As of 2026-11-20 EST"])
    (('All amounts in k EUR', Counter({'EUR': 1})), None)
    """
    named = [
        (text, code) for text in texts if (code := in_header(text)) and not (text.isupper() and code.lower() in WORDS)
    ]
    return (named[0][0], Counter(code for _, code in named)) if named else None


def in_amount(text: str) -> str | None:
    """The ISO code that stands beside a figure; None for a figure alone, or for no amount.

    >>> [in_amount(text) for text in ("€ 1.200", "1 200 EUR", "CHF 5'000.00", "$5k", "R$ 10", "(£5)", "5.– CHF", "12", "soon", "5 pcs")]
    ['EUR', 'EUR', 'CHF', 'USD', 'BRL', 'GBP', 'CHF', None, None, None]
    >>> [in_amount(text) for text in ("1.234,50 руб.", "1 234,50 лв", "S/. 10", "Rs. 1,100")]
    ['RUB', 'BGN', 'PEN', 'Rs']
    """
    match = _PRICED.fullmatch(text.strip())
    if not match:
        return None
    sign = match["before"] or match["after"]
    return SIGNS.get(sign) or NAMES.get(sign.lower()) or (sign.upper() if sign.upper() in CODES else None)


@dataclass(frozen=True)
class Cells:
    """A column of an export: its header, its bronze column, its texts with counts, and how many cells are empty."""

    header: str
    name: str
    counts: Counter[str]
    empty: int = 0

    def codes(self) -> Counter[str]:
        """Per ISO code how many cells stand for it; `?` for those that stand for none."""
        codes: Counter[str] = Counter()
        for text, count in self.counts.items():
            codes[code_of(text) or "?"] += count
        return codes

    @cached_property
    def is_currency(self) -> bool:
        """Whether it holds currencies: nearly all of its values are, or its header says so and they are no figures."""
        if not self.counts:
            return False
        if len(self.counts) - _SPELLINGS < 0.1 * self.counts.total() and self.codes()["?"] < 0.1 * self.counts.total():
            return True
        return is_named(self.header) and self._figures < 0.5 * len(self.counts)

    @property
    def has_figures(self) -> bool:
        """Whether most of its values are figures."""
        return bool(self.counts) and self._figures > 0.7 * len(self.counts)

    @cached_property
    def _figures(self) -> int:
        return sum(bool(_NUMBER.fullmatch(text)) or in_amount(text) is not None for text in self.counts)


@dataclass(frozen=True)
class Doubt:
    """What is wrong about the currency of a file's amounts, and what to do about it."""

    problem: str
    remedy: str


def _listed(codes: Mapping[str, int]) -> str:
    shown = sorted(codes.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{code} ({count:,})" for code, count in shown[:6])


def doubt(
    columns: Iterable[Cells],
    amounts: Mapping[str, str],
    mapped: str | None,
    default: str,
    declared: bool = False,
    converted: bool = False,
    above_header: Iterable[str] = (),
) -> Doubt | None:
    """What keeps a file's amounts from counting in the currency `default`; None when nothing does.

    Args:
        columns: The columns of the file.
        amounts: Bronze columns of amounts, each with the canonical column that it fills.
        mapped: Bronze column that fills `currency`.
        default: Currency of an amount of which nothing is said.
        declared: Whether the contract itself says the currency of every row, or what an empty cell means.
        converted: Whether there is a table of rates for amounts in other currencies.
        above_header: The texts of the lines above the header.
    """
    columns = list(columns)
    mapped_column = next((column for column in columns if column.name == mapped), None)
    own = next((c for c in columns if in_company_currency(c.header) and c.has_figures and c.name not in amounts), None)
    other_way = f" {own.header!r} may hold them in one currency: map it to deal_value then." if own else ""
    say = f"or say `currency: {{value: {default}}}` if every amount is in {default}."
    if mapped_column is not None and mapped_column.counts:
        foreign = Counter({code: n for code, n in mapped_column.codes().items() if code not in (default, "?")})
        if foreign and mapped_column.empty and not declared:
            return Doubt(
                f"column {mapped_column.header!r} is empty in {mapped_column.empty:,} of its rows and says {_listed(foreign)} in "
                f"others: an empty cell is not {default} by default",
                f"Fill in the cells, or say what an empty one means: `currency: {{column: {mapped_column.header}, empty: EUR}}`.{other_way}",
            )
        if foreign and own and not converted:
            named = code_beside(own, columns)
            default = named[1] if named else default
            return Doubt(
                f"column {mapped_column.header!r}: amounts in {_listed(foreign)} are not converted, so these rows would be "
                f"refused, and {own.header!r} is ignored",
                f"If {own.header!r} is in {default}, let a contract say `deal_value: {own.header}` and "
                f"`currency: {{value: {default}}}`; or give a table of rates, `rates:` in config.yaml.",
            )
        codes = mapped_column.codes()
        for column in columns:
            code = in_header(column.header)
            if column.name in amounts and code is not None and code not in codes and not declared:
                return Doubt(
                    f"the header of {column.header!r} says {code}, but {mapped_column.header!r} says {_listed(codes)}",
                    f"Say in a contract which of them is right: `currency: {{value: {code}}}`, or another column for amounts.",
                )
        return _without_value(columns, amounts)
    if declared:
        return None
    for column in columns:
        codes = column.codes() if column.is_currency and column.name not in amounts else Counter()
        if set(codes) - {default}:
            return Doubt(
                f"column {column.header!r} holds currencies ({_listed(codes)}) and is not mapped to currency: every "
                f"amount would count as {default}",
                f"Map it in a contract, `currency: {column.header}`, {say}{other_way}",
            )
    for column in columns:
        canonical = amounts.get(column.name)
        code = in_header(column.header)
        if canonical and code not in (None, default):
            return Doubt(
                f"column {column.header!r}: its header says {code}, and nothing maps a currency: every amount would "
                f"count as {default}",
                f"{_in_one([str(code)])} Else say `currency: {{value: {code}}}` and give a table of rates, `rates:` in config.yaml; "
                f"{say}{other_way}",
            )
        if canonical:
            beside = Counter(
                {c: n for c, n in _beside(column).items() if c != default and default not in SHARED.get(c, ())}
            )
            if beside:
                text = next(text for text in column.counts if in_amount(text) in beside)
                return Doubt(
                    f"column {column.header!r}: amounts such as {text!r} are in {_listed(beside)}, and nothing maps a "
                    f"currency",
                    f"{_in_one(beside)} Else say their currency in a contract and give a table of rates, `rates:` in "
                    f"config.yaml; {say}{other_way}",
                )
    if (named := figures_beside(columns, amounts)) and named[1] != default:
        cells = next(column.counts.total() for column in columns if column.header == named[0])
        return not_said(f"column {named[0]!r}", {named[1]: cells}, default)
    title = (
        None
        if any(in_header(column.header) or _beside(column) for column in columns if column.name in amounts)
        else above(above_header)
    )
    if title and amounts and {*title[1]} - {default}:
        return not_said(f"the line {title[0]!r} above the header", title[1], default)
    return _without_value(columns, amounts)


def not_shown(code: str, default: str) -> Doubt:
    """That a contract says of all deals that they are in another currency than the one that figures are shown in."""
    return Doubt(
        f"the contract says `currency: {{value: {code}}}`, and figures are in {default}: none of these amounts would be accepted",
        f"{_in_one([code])} Else give a table of rates, `rates:` in config.yaml.",
    )


def _in_one(codes: Iterable[str]) -> str:
    """How to show every figure in the one currency that amounts are in."""
    listed = [*codes]
    if len(listed) != 1 or listed[0] not in CODES:
        return "Name their currencies."
    return (
        f"If all deals are in {listed[0]}, make it the currency of every figure: `- {{name: currency, enum: [{{value: {listed[0]}}}]}}` under "
        "the `properties` of leads in a contract (`medallion init` writes it; docs/CURRENCIES.md)."
    )


def _without_value(columns: Iterable[Cells], amounts: Mapping[str, str]) -> Doubt | None:
    """A doubt about amounts of deals that are there and fill nothing."""
    if "deal_value" not in amounts.values():
        for column in columns:
            if column.has_figures and (code := in_header(column.header)):
                return Doubt(
                    f"column {column.header!r} holds amounts in {code} and is not mapped to deal_value: the deals would "
                    "have no value",
                    f"Map it in a contract (`medallion init`), and say `currency: {{value: {code}}}`.",
                )
    return None


def of_accounts(columns: Iterable[Cells], amounts: Mapping[str, str], default: str) -> Doubt | None:
    """What hinders amounts in records that have no currency of their own, such as accounts, from counting in `default`.

    Args:
        columns: The columns of the file.
        amounts: Bronze columns of amounts, each with the canonical column that it fills.
        default: Currency in which they would count.
    """
    columns = list(columns)
    for column in columns:
        codes = column.codes() if column.is_currency and column.name not in amounts else Counter()
        foreign = Counter({code: n for code, n in codes.items() if code not in (default, "?")})
        if foreign and amounts:
            source, canonical = next(iter(amounts.items()))
            return Doubt(
                f"column {column.header!r} holds currencies ({_listed(foreign)}): every {canonical} would count as {default}",
                f'Amounts are not converted. Leave the others out in a contract: `{canonical}: {{sql: "CASE WHEN '
                f"`{column.name}` = '{default}' THEN `{source}` END\"}}`.",
            )
    for column in columns:
        canonical = amounts.get(column.name, "")
        beside = Counter({c: n for c, n in _beside(column).items() if c != default}) if canonical else Counter()
        code = in_header(column.header) if canonical else None
        if (code not in (None, default)) or beside:
            foreign = beside or Counter({str(code): column.counts.total()})
            return Doubt(
                f"column {column.header!r} holds amounts in {_listed(foreign)}: they would count as {default}, or be empty",
                f'Amounts are not converted. Convert them, or leave them out in a contract: `{canonical}: {{value: ""}}`.',
            )
    return None


def figures_beside(columns: Iterable[Cells], amounts: Mapping[str, str]) -> tuple[str, str] | None:
    """Header and ISO code of figures that name their one currency, where the amounts of deals beside them name none."""
    columns = list(columns)
    deal_values = [column for column in columns if amounts.get(column.name) == "deal_value"]
    if not deal_values or any(in_header(column.header) or _beside(column) for column in deal_values):
        return None
    by_code: dict[str, str] = {}
    for column in columns:
        if column.name not in amounts and column.has_figures and not in_company_currency(column.header):
            named, signed = in_header(column.header), _beside(column)
            for code in {named} if named else {*signed} if signed.total() > 1 else ():
                by_code.setdefault(str(code), column.header)
    return next(((header, code) for code, header in by_code.items()), None) if len(by_code) == 1 else None


def elsewhere(columns: Iterable[Cells], default: str) -> tuple[str, Counter[str]] | None:
    """Header and ISO codes of a column of currencies in a table beside the deals, where one of them is not `default`."""
    for column in columns:
        if names_one(column.header) and column.counts:
            codes = column.codes()
            if codes["?"] < 0.1 * codes.total() and {*codes} - {default, "?"}:
                return column.header, Counter({code: count for code, count in codes.items() if code != "?"})
    return None


def not_said(place: str, listed: Mapping[str, int], default: str) -> Doubt:
    """That nothing but what stands in another `place` says in which currency the amounts of deals are."""
    code = max(listed, key=lambda code: listed[code])
    return Doubt(
        f"{place} says {_listed(listed)}, and nothing says in which currency the deals are: every amount would count as {default}",
        f"Say it in a contract: `currency: {{value: {default}}}` if every amount is in {default}; if all are in {code}, the contract "
        f"gives that currency to the lakehouse (`medallion init` writes it). Amounts are not converted.",
    )


def only(columns: Iterable[Cells], amounts: Mapping[str, str]) -> str | None:
    """The one ISO code that headers and cells of amounts name; None when they name none, or several."""
    codes: set[str] = set()
    for column in columns:
        if column.name in amounts:
            codes |= set(_beside(column)) or {code for code in [in_header(column.header)] if code}
    return codes.pop() if len(codes) == 1 else None


def _beside(column: Cells) -> Counter[str]:
    """The currencies beside the figures of a column; a sign of several is the one of them that as many others are in, as `Rs.` beside `₹`."""
    counts: Counter[str] = Counter()
    for text, count in column.counts.items():
        if code := in_amount(text):
            counts[code] += count
    for sign in [code for code in counts if code in SHARED]:
        plain = [code for code in SHARED[sign] if code in counts]
        if len(plain) == 1 and counts[plain[0]] >= counts[sign]:
            counts[plain[0]] += counts.pop(sign)
    return counts
