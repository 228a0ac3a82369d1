"""Conditions of a question: a tree, and the one text that it is written as and read from.

    open and days_silent > 30 and (country in (Germany, Netherlands) or not industry = 'Health Care')

Every word is read or refused; nothing is left over. What names and values mean is decided afterwards, by what is
declared (`meaning`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from medallion.errors import ContractError


@dataclass(frozen=True)
class Beside:
    """Another column of the same row, in the place of a value: `closed_date > expected_close_date`."""

    name: str


#: A value: text as it was written, or as its dimension reads it.
Value = str | bool | Decimal | date | Beside
KEYWORDS = ("and", "or", "not", "in", "is", "between", "contains", "unknown", "known", "null", "true", "false")
COMPARISONS = ("<", "<=", ">", ">=")
LONGEST, DEEPEST = 4_000, 40
_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<string>'(?:[^']|'')*'(?=[\s(),=<>!]|$)|"(?:[^"]|"")*"(?=[\s(),=<>!]|$))
    |(?P<op>!=|<>|>=|<=|=|>|<)
    |(?P<mark>[(),])
    |(?P<word>(?:[^\s(),=<>!]|!(?!=))+)""",
    re.VERBOSE,
)
#: Half of a character: what bytes that are not UTF-8 become on a command line.
_BROKEN = re.compile("[\ud800-\udfff]")
_THOUSANDS = re.compile(r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])")
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:+-]*|[+-][0-9][0-9.]*")
_HOW = "Such as: open and days_silent > 30 and country in (Germany, Netherlands). Texts may stand in quotes."


@dataclass(frozen=True)
class Test:
    """A condition on one dimension or field.

    Attributes:
        name: Its name.
        op: `=` or `!=` (one of several values, or none of them), a comparison, `between`, `contains`, `unknown`,
            `known`, or `is` for what is true or false by itself.
        values: The values; none for the last three.
    """

    name: str
    op: str
    values: tuple[Value, ...] = ()

    def __str__(self) -> str:
        values = [written(value) for value in self.values]
        if self.op in ("=", "!=") and len(values) != 1:
            return f"{self.name} {'' if self.op == '=' else 'not '}in ({', '.join(values)})"
        if self.op == "between":
            return f"{self.name} between {' and '.join(values)}"
        if self.op in ("unknown", "known"):
            return f"{self.name} is {'not ' if self.op == 'known' else ''}unknown"
        return self.name if self.op == "is" else f"{self.name} {self.op} {values[0]}"


@dataclass(frozen=True)
class Not:
    """What must not hold. A row whose value is not known fulfills it."""

    part: Condition

    def __str__(self) -> str:
        return f"not {self.part}" if isinstance(self.part, Test) and self.part.op == "is" else f"not ({self.part})"


@dataclass(frozen=True)
class And:
    """All must hold."""

    parts: tuple[Condition, ...]

    def __str__(self) -> str:
        return " and ".join(f"({part})" if isinstance(part, Or) else str(part) for part in self.parts)


@dataclass(frozen=True)
class Or:
    """At least one must hold."""

    parts: tuple[Condition, ...]

    def __str__(self) -> str:
        return " or ".join(str(part) for part in self.parts)


Condition = Test | Not | And | Or


def written(value: Value) -> str:
    """A value as conditions are written: in quotes where it would be read as something else.

    >>> written("Germany"), written("Health Care"), written("and"), written(date(2025, 1, 31)), written(True)
    ('Germany', "'Health Care'", "'and'", '2025-01-31', 'true')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Beside):
        return value.name
    if not isinstance(value, str):
        return f"{value:f}" if isinstance(value, Decimal) else value.isoformat()
    if _PLAIN.fullmatch(value) and value.casefold() not in KEYWORDS:
        return value
    return "'" + value.replace("'", "''") + "'"


def tests(condition: Condition | None) -> Iterator[Test]:
    """The tests of a condition, from left to right."""
    if isinstance(condition, Test):
        yield condition
    elif isinstance(condition, Not):
        yield from tests(condition.part)
    elif condition is not None:
        for part in condition.parts:
            yield from tests(part)


def conjuncts(condition: Condition | None) -> tuple[Condition, ...]:
    """The parts all of which must hold."""
    if condition is None:
        return ()
    return condition.parts if isinstance(condition, And) else (condition,)


def both(*given: Condition | None) -> Condition | None:
    """All of several conditions; None where there are none."""
    parts = tuple(part for condition in given for part in conjuncts(condition))
    return And(parts) if len(parts) > 1 else parts[0] if parts else None


def parse(text: str) -> Condition | None:
    """A condition from text; None where there is nothing in it.

    Raises:
        ContractError: It cannot be read whole; says where.
    """
    if len(text) > LONGEST:
        raise ContractError(f"the condition has {len(text):,} characters", f"Use at most {LONGEST:,}.")
    if broken := _BROKEN.search(text):
        place = broken.start() + 1
        raise ContractError(f"the condition has an unreadable character at {place}", "Write it in UTF-8.")
    reader = _Reader(text)
    if not reader.tokens:
        return None
    condition = reader.alternatives(0)
    reader.end()
    return condition


def one_value(text: str) -> Test | None:
    """`NAME=VALUE` whose value is all that follows, as in `owner=Smith and Jones (UK)`; None where it is not so.

    For a text that `parse` does not read, or that means nothing as it reads it.
    """
    match = re.fullmatch(r"\s*([A-Za-z_]\w*)\s*(=|!=)\s*([^'\"<>=,\s](?:[^'\"<>=]*[^'\"<>=,\s])?)\s*", text)
    return Test(match[1], match[2], (match[3],)) if match and not _BROKEN.search(text) else None


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    place: int

    @property
    def word(self) -> str:
        """The keyword that it may be; empty for what is in quotes."""
        return self.text.casefold() if self.kind in ("word", "mark") else ""


class _Reader:
    """Reads tokens from left to right, by recursive descent."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.tokens = text, 0, list(_tokens(text))

    @property
    def next(self) -> _Token:
        """The token to read; one of kind `end` after the last."""
        return self.tokens[self.at] if self.at < len(self.tokens) else _Token("end", "", len(self.text))

    def take(self, *words: str) -> bool:
        """Whether the next token is one of these words or marks, which is then read."""
        matches = self.next.word in words and self.next.kind != "end"
        self.at += matches
        return matches

    def refuse(self, expected: str) -> ContractError:
        """The error about the next token."""
        token = self.next
        what = "it ends" if token.kind == "end" else f"{token.text[:40]!r} stands"
        return ContractError(
            f"cannot read {self.text[:80]!r}: {what} at character {token.place + 1}, where {expected} is expected", _HOW
        )

    def end(self) -> None:
        """Refuse what is left over."""
        if self.next.kind != "end":
            raise self.refuse("`and`, `or` or the end")

    def alternatives(self, depth: int) -> Condition:
        """Conditions with `or` between them."""
        if depth > DEEPEST:
            raise ContractError(f"the condition has more than {DEEPEST} parentheses in each other", "Write it simpler.")
        parts = [self.together(depth)]
        while self.take("or"):
            parts.append(self.together(depth))
        return parts[0] if len(parts) == 1 else Or(_flat(Or, parts))

    def together(self, depth: int) -> Condition:
        """Conditions with `and` between them."""
        parts = [self.negated(depth)]
        while self.take("and"):
            parts.append(self.negated(depth))
        return parts[0] if len(parts) == 1 else And(_flat(And, parts))

    def negated(self, depth: int) -> Condition:
        """A condition, perhaps with `not` before it, or one in parentheses."""
        if self.take("not"):
            if depth > DEEPEST:
                raise self.refuse("fewer `not`")
            return Not(self.negated(depth + 1))
        if self.take("("):
            condition = self.alternatives(depth + 1)
            if not self.take(")"):
                raise self.refuse("`)`")
            return condition
        return self.test()

    def test(self) -> Condition:
        """A condition on one name."""
        token = self.next
        if token.kind != "word" or not re.fullmatch(r"[A-Za-z_]\w*", token.text) or token.word in KEYWORDS:
            raise self.refuse("the name of a dimension")
        self.at += 1
        name, op = token.text, self.next
        if op.kind == "op":
            self.at += 1
            return self.compared(name, "!=" if op.text == "<>" else op.text)
        if self.take("is"):
            known = self.take("not")
            if self.take("known"):
                known = not known
            elif not self.take("unknown", "null"):
                raise self.refuse("`unknown` or `not unknown`")
            return Test(name, "known" if known else "unknown")
        if self.take("not"):
            if self.take("in"):
                return Test(name, "!=", self.values())
            if self.take("between"):
                return Not(self.between(name))
            if self.take("contains"):
                return Not(self.containing(name))
            raise self.refuse("`in`, `between` or `contains`")
        if self.take("in"):
            return Test(name, "=", self.values())
        if self.take("between"):
            return self.between(name)
        if self.take("contains"):
            return self.containing(name)
        return Test(name, "is")

    def containing(self, name: str) -> Test:
        """A part of a text. Nothing tells a quote that is not closed from one of the text, so it is not guessed."""
        if self.next.kind == "word" and self.next.text[0] in "'\"":
            raise self.refuse("a text in quotes that are closed")
        return Test(name, "contains", (self.value(),))

    def compared(self, name: str, op: str) -> Test:
        """What follows an operator."""
        if op in COMPARISONS:
            return Test(name, op, (self.value(),))
        if self.next.kind == "end" and self.at == 2:  # `closed_date=` and nothing else
            return Test(name, "unknown" if op == "=" else "known")
        values = self.listed()
        if values == ("",):
            return Test(name, "unknown" if op == "=" else "known")
        return Test(name, op, values)

    def between(self, name: str) -> Test:
        """`A and B`."""
        first = self.value()
        if not self.take("and"):
            raise self.refuse("`and` and the last value")
        return Test(name, "between", (first, self.value()))

    def values(self) -> tuple[str, ...]:
        """Values in parentheses, or without them."""
        if not self.take("("):
            return self.listed()
        values = self.listed()
        if not self.take(")"):
            raise self.refuse("`,` or `)`")
        return values

    def listed(self) -> tuple[str, ...]:
        """Values separated by commas."""
        values = [self.value()]
        while self.take(","):
            values.append(self.value())
        return tuple(dict.fromkeys(values))

    def value(self) -> str:
        """A text in quotes, or words up to the next `and`, `or`, mark or operator."""
        token = self.next
        if token.kind == "string":
            self.at += 1
            mark = token.text[0]
            return token.text[1:-1].replace(mark * 2, mark)
        if match := _THOUSANDS.match(self.text, token.place):
            number, count = match[0], match[0].count(",") + 1
            raise ContractError(
                f"{number!r} may be one number or {count}",
                f"Write {number.replace(',', '')} for one, or {number.replace(',', ', ')} for {count}.",
            )
        words = []
        while self.next.kind == "word" and self.next.word not in ("and", "or"):
            words.append(self.next.text)
            self.at += 1
        if not words:
            raise self.refuse("a value")
        return " ".join(words)


def _tokens(text: str) -> Iterator[_Token]:
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise ContractError(f"cannot read {text[:80]!r}: {text[place]!r} at character {place + 1}", _HOW)
        if match.lastgroup != "space":
            yield _Token(str(match.lastgroup), match[0], place)
        place = match.end()


def _flat(kind: type[And] | type[Or], parts: Sequence[Condition]) -> tuple[Condition, ...]:
    return tuple(inner for part in parts for inner in (part.parts if isinstance(part, kind) else (part,)))
