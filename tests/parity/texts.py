"""Every function of `medallion.columns` over thousands of texts: `python tests/parity/texts.py FILE` writes what came out.

Run on one engine and on the other. The texts are what cells of exports say, with every kind of sign put in, put
before, put after, or taken out: line ends, white space of other scripts, letters whose upper case is longer.
"""

from __future__ import annotations

import inspect
import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

CELLS = [
    *("350", "1,200", "-5", "12.0", "12.00", "1.234,56", "1.234", "$350,000", "(1,200)", "USD 98,000.50", "US $ 5", "0.005"),
    *("2.675", "1e5", "NaN", "Infinity", "-0", "+5", "007", "9223372036854775807", "9223372036854775808", "1_000", "5d"),
    *("99999999999999999999", "9999999999999999.995", "0.00000001", "12345678901234567890123456789012345678901.2", "1."),
    *("2025-06-12", "2025-06-12T14:30", "2025-06-12 14:30:00", "2025-06-12T14:30:00Z", "2025-06-12T14:30:00+02:00", "2025-06"),
    *("2025-06-12 03:00:00+00", "2025-06-12T", "2025-06-12 14", "2025-06-12 9:5", "2025-06-12 14:30:00.1234567", "20250612"),
    *("2025-06-12 24:00:00", "2025-06-12 14:30:60", "2025-06-12 14:30 UTC", "2025-06-12 14:30:00 +0200", "2025-06-12Z"),
    *("2025-06-12 14:30:00 America/New_York", "2025-06-12 14:30 EST", "0000-01-01", "0001-01-01", "9999-12-31 23:59:59"),
    *("1582-10-10", "1900-02-29", "2025-02-30 10:00", "2025-06-12 14:30:00-18:00", "2025-06-12t14:30:00z", "2025-06-12 0:00"),
    *("6/5/2025", "06/05/2025 9:05", "6/5/2025 2:30 PM", "6/5/2025 2:30 pm", "6/5/2025 0:30 AM", "6/5/25", "6/31/2025"),
    *("6.5.25 14:30", "45909", "45909,75", "1741777200", "1741777200000", "1741777200000000", "12. März 2025", "12-MAR-25"),
    *("3 de marzo de 2025 9:05", "2025-06-12 3:30pm", "6/5/2025 2:30 p.m.", "6/5/2025 14:30 CET", "6/5/2025 14:30 +02:00"),
    *("006/5/2025", "6/5/-72025", "6/5/+2025", "6/5/20255", "6/5/2025 009:05", "2/29/2024", "2025/06/14 7:05:09", "+6/5/2025"),
    *("12 Jun 2025", "12 JUN 2025", "12 june 2025", "June 12, 2025", "jun 12, 2025 8:15", "Sept 1, 2025", "12.06.2025"),
    *("12.6.2025 7:00", "12.006.2025", "1 Mai 2025", "12Jun2025", "6/5/2025 9:60", "May 5, 2025", "MAY 5, 2025", "5 May 2025 1:02"),
    *("Acme Corp", "ÉTAPE 2", "Größe A", "İstanbul", "ΟΔΟΣ", "straße", "Closed-Won", "closed won", "N/A", "null", "none", "?"),
    *("+1 (415) 555-0101", "415.555.0102 ext. 7", "ext", "A.B@Ex.com", "won", "$", "a_b", "谈判", "ﬁn", "L-1007", "", " "),
]  # fmt: skip
SIGNS = [
    *map(chr, range(0x30)),
    *"\x7f\x85\xa0\xad\u0130\u0131\u00df\u017f\u0149\u01c5\u03a3\u03c2\u0300\u0660\u0966\u00b2\u00bd\u2167\uff11\u180e\u2000",
    *"\u2007\u200b\u200d\u2028\u2029\u202f\u205f\u3000\ufeff\ufb01\uff0c\u2212\u2013\u20ac\u1e9e\u212a\ue000\ufffd\U0001f600",
    *"\U0001d7d8\U00010400",
]
ENDS = ["\n", "\r\n", "\u2028", "\x85", "\t", " ", "\x00", "\u3000"]


def texts(count: int, seed: int = 7) -> list[str]:
    """The cells, each before and after every line end and the like, and `count` others made of them at random."""
    chance = random.Random(seed)  # noqa: S311

    def changed(text: str) -> str:
        for _ in range(chance.randint(1, 3)):
            place, what = chance.randint(0, len(text)), chance.random()
            if what < 0.5:
                text = text[:place] + chance.choice(SIGNS) + text[place:]
            elif what < 0.6:
                text = text[:place] + text[place + 1 :]
            elif what < 0.7:
                text += chance.choice(CELLS)
            elif what < 0.8:
                text = text.upper() if chance.random() < 0.5 else text.lower()
            else:
                text = text[:place] + chance.choice("0123456789.,-+/: ") + text[place:]
        return text

    around = [text for cell in CELLS for end in ENDS for text in (cell + end, end + cell)]
    return [*CELLS, *SIGNS, *around, *(changed(chance.choice(CELLS)) for _ in range(count))]


def functions() -> dict[str, Callable[[Any], Any]]:
    """Every public function of the vocabulary, from the column of texts to a column."""
    from pyspark.sql import functions as F

    from medallion import columns as words
    from medallion.contracts.model import PLACEHOLDERS

    def number(text: Any) -> Any:
        return F.when(text.rlike(r"^-?[0-9]{1,9}(\.[0-9]+)?\z"), text).try_cast("double")

    made: dict[str, Callable[[Any], Any]] = {
        "squish": words.squish,
        "key_hash": words.key_hash,
        "null_if_placeholder": lambda text: words.null_if_placeholder(text, PLACEHOLDERS),
        "unspaced": words.unspaced,
        "identifier": words.identifier,
        "code": words.code,
        "rounded": lambda text: words.rounded(number(text), 2),
        "half_up": lambda text: words.half_up(number(text)),
        "share": lambda text: words.share(number(text), F.length(text)),
        "wilson": lambda text: words.wilson(F.length(text) % 5, F.length(text), 1.645)[0],
    }
    public = {
        name
        for name, item in inspect.getmembers(words, inspect.isfunction)
        if item.__module__ == words.__name__
        and not name.startswith("_")
        and "frame" not in inspect.signature(item).parameters
    }
    left_out = public - {name.split()[0] for name in made}
    assert not left_out, f"not compared: {left_out}"
    return made


def main(out: Path, count: int = 3000) -> None:
    from pyspark.sql import functions as F

    from medallion.lakehouse import session

    cells, called = texts(count), functions()
    frame = session.session().createDataFrame(list(enumerate(cells)), "n int, text string")
    plain = [function(F.col("text")).alias(name) for name, function in called.items()]
    found = frame.select("n", *plain).orderBy("n").collect()
    out.write_text(json.dumps([[cells[row.n], *(repr(row[name]) for name in called)] for row in found]))
    session.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
