r"""The vocabulary of cleaning: small functions from Column to Column.

Nothing here knows a table, a path or a clock. Each function keeps null as null and gives null for a text that
it cannot read; whether that refuses the row is for `medallion.silver.checks` to say. Only calls that give the same
result on Sail and on Apache Spark are used, and the fast test comes before the slow regular expression. Patterns
end in `\z`: for Java `$` also stands before a last line end.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import NullType, StructField, StructType

from medallion.cells.texts import ODD_SPACE

_SPACES = " " + ODD_SPACE.replace("\u2000-\u200b", "".join(map(chr, range(0x2000, 0x200C))))


def with_known_names(frame: DataFrame, names: Iterable[str]) -> DataFrame:
    """A frame that nobody else has yet and that has the columns `names`, so that it need not ask the engine for them.

    `columns` and `mapInArrow` ask, and the engine then analyzes the whole plan. A client of Spark Connect takes these as
    what it was told before, any other does not look. Their types are not known.
    """
    known: Any = frame
    known._cached_schema = StructType([StructField(name, NullType()) for name in names])
    return frame


def squish(text: Column) -> Column:
    r"""Trim, and make every run of white space (no-break spaces and line ends too) one space.

    >>> show(["  Acme   Corp ", "A\u00a0B", None], squish)
    ['Acme Corp', 'A B', None]
    """
    odd = text.rlike(f"[{ODD_SPACE}]|  ")
    return F.trim(F.when(odd, F.regexp_replace(text, f"[ {ODD_SPACE}]+", " ")).otherwise(text))


def null_if_placeholder(text: Column, placeholders: Iterable[str]) -> Column:
    r"""Null where the text without white space around it, in lower case, is one of `placeholders`.

    >>> show(["N/A", "-", "          ", "\u00a0", "Nash"], lambda c: null_if_placeholder(c, ["", "-", "n/a"]))
    [None, None, None, None, 'Nash']
    """
    words = sorted(set(placeholders))
    longest = max((len(word) for word in words), default=0)
    bare = F.btrim(text, F.lit(_SPACES))
    return F.when((F.length(bare) <= longest) & F.lower(bare).isin(words), F.lit(None)).otherwise(text)


def identifier(text: Column) -> Column:
    """A key as written in upper case without any white space.

    >>> show([" c004 ", "l-10 07"], identifier)
    ['C004', 'L-1007']
    """
    return F.upper(unspaced(text))


def key_hash(key: Column) -> Column:
    """64 bits of a key, for grouping and joining; two keys may have the same.

    Not `xxhash64`: on Sail 0.7 it fails on a file of several rows that all have one key.

    >>> show(["L1", "L2", None], lambda c: key_hash(c) == key_hash(F.lit("L1")))
    [True, False, None]
    """
    return F.hash(key).cast("bigint") * F.lit(1 << 32) + F.crc32(key)


def unspaced(text: Column) -> Column:
    """A text without any white space.

    >>> show([" c004 ", "l-10 07"], unspaced)
    ['c004', 'l-1007']
    """
    spaced = text.rlike(f"[ {ODD_SPACE}]")
    return F.when(spaced, F.regexp_replace(text, f"[ {ODD_SPACE}]+", "")).otherwise(text)


def code(text: Column) -> Column:
    """Lower case, every run of other characters than letters and digits (of any script) one underscore.

    >>> show(["Closed - Won", " Proposal/Quote ", "Größe A"], code)
    ['closed_won', 'proposal_quote', 'größe_a']
    """
    return F.trim(F.regexp_replace(F.lower(text), r"[^\p{L}\p{N}]+", "_"), F.lit("_"))


def rounded(number: Column, places: int = 0) -> Column:
    """A double rounded to some decimal places, halves up; the same on every engine, which `round` is not.

    Apache Spark rounds what the shortest text of a number says, others its binary value: 1.005 gives 1.01 or 1.0.
    Multiplication, addition and `floor` are the same everywhere.

    >>> show(["0.125", "1.005", "-0.125", None], lambda c: rounded(c.cast("double"), 2))
    [0.13, 1.0, -0.12, None]
    """
    scale = F.lit(float(10**places))
    return F.floor(number * scale + F.lit(0.5)).cast("bigint").cast("double") / scale


def half_up(number: Column) -> Column:
    """A double rounded half up to a whole number, as BIGINT.

    Rounded to six decimals first, so that 95.49999999999999, which is 95.5 summed in another order, is 96 on
    every engine.

    >>> show(["95.5", "95.49999999999999", "44.4"], lambda c: half_up(c.cast("double")))
    [96, 96, 44]
    """
    return F.floor(rounded(number, 6) + F.lit(0.5)).cast("bigint")


def share(part: Column, whole: Column) -> Column:
    """`part / whole` as a double rounded to six decimals, null when `whole` is zero."""
    return F.when(whole != 0, rounded(part.cast("double") / whole.cast("double"), 6))


def wilson(successes: Column, trials: Column, z: float) -> tuple[Column, Column]:
    """Lower and upper end of Wilson's score interval for a share, null for no trials.

    E. B. Wilson, Probable inference, JASA 22 (1927). `z` is the normal quantile: 1.96 for 95%, 1.645 for 90%.

    >>> low, high = wilson(F.lit(6.0), F.lit(15.0), 1.645)
    >>> show(["x"], lambda c: rounded(low, 2)), show(["x"], lambda c: rounded(high, 2))
    ([0.22], [0.61])
    """
    n, won = trials.cast("double"), successes.cast("double")
    spread = F.lit(z) * F.sqrt(won - won * won / n + F.lit(z * z / 4))
    middle, below = won + F.lit(z * z / 2), n + F.lit(z * z)
    low = F.greatest(rounded((middle - spread) / below, 6), F.lit(0.0))
    high = F.least(rounded((middle + spread) / below, 6), F.lit(1.0))
    return F.when(trials > 0, low), F.when(trials > 0, high)
