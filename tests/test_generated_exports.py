"""Exports in conventions picked at random, read back by the reader and the conventions: right or asked, never wrong."""

from __future__ import annotations

import os
import random
import re
from datetime import date, datetime, timedelta

import pytest

from medallion import contracts, sources
from medallion.contracts.dates import counts, day_order, formats, names
from medallion.pipeline import conventions
from medallion.proposal import profile
from medallion.sources import parsing

#: Exports that are written and read: 100 by default, 2,000 each night (`just nightly-exports`).
COMBINATIONS = int(os.environ.get("MEDALLION_COMBINATIONS", "100"))
LETTERS = {
    "utf-8": ("Łódź Größe", "青山物流", "Acme", "Ünal Çağ"), "utf-8-sig": ("Café Łoś",), "utf-16": ("Größe", "青山"),
    "utf-16-le": ("Größe", "Łódź"), "cp1252": ("Größe Müller", "Núñez Peña"), "cp1250": ("Ślęza Małgorzata Łódź Żak",),
    "cp932": ("青山物流株式会社",), "gb18030": ("北京科技有限公司",), "cp949": ("서울물산주식회사",),
}  # fmt: skip
GERMAN = ("Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Okt.", "Nov.", "Dez.")
SPANISH = ("enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "sept.", "octubre", "nov.", "dic.")
ENTITIES = contracts.entities([])
TODAY = date(2026, 7, 1)


def written(way: str, day: datetime) -> str:
    """A day as an export writes it."""
    d, m, y, yy = day.day, day.month, day.year, f"{day.year % 100:02}"
    clock, half = f"{day:%H:%M}", f"{day:%I:%M}"
    serial = (day - datetime(1899, 12, 30)) / timedelta(days=1)
    seconds = round((day - datetime(1970, 1, 1)).total_seconds())
    return {
        "iso": f"{day:%Y-%m-%d}", "iso time": f"{day:%Y-%m-%d %H:%M}:00", "iso pm": f"{day:%Y-%m-%d} {half}{'ap'[day.hour > 11]}m",
        "d/m/y": f"{d}/{m}/{y}", "m/d/y": f"{m}/{d}/{y}", "m/d/y pm": f"{m}/{d}/{y} {half} {'ap'[day.hour > 11]}.m.",
        "d.m.y": f"{d:02}.{m:02}.{y} {clock}", "d.m.yy": f"{d:02}.{m:02}.{yy}", "d/m/yy": f"{d}/{m}/{yy}", "m/d/yy": f"{m}/{d}/{yy}",
        "yy-m-d": f"{yy}-{m:02}-{d:02}", "d-m-y": f"{d:02}-{m:02}-{y}", "y/m/d": f"{y}/{m:02}/{d:02}",
        "serial": str(int(serial)), "serial time": f"{serial:.6f}", "serial 1904": str(int(serial) - 1462),
        "epoch s": str(seconds), "epoch ms": str(seconds * 1000), "epoch us": str(seconds * 1_000_000),
        "german": f"{d}. {GERMAN[m - 1]} {y}",
        "spanish": f"{d} de {SPANISH[m - 1]} de {y}",
        "oracle": f"{d:02}-{day:%b}-{yy}".upper(),
        "zone": f"{day + timedelta(hours=1):%Y-%m-%d %H:%M} CET",
    }[way]  # fmt: skip


WAYS = (
    *(
        "iso",
        "iso time",
        "iso pm",
        "d/m/y",
        "m/d/y",
        "m/d/y pm",
        "d.m.y",
        "d.m.yy",
        "d/m/yy",
        "m/d/yy",
        "yy-m-d",
        "d-m-y",
    ),
    *(
        "y/m/d",
        "serial",
        "serial time",
        "serial 1904",
        "epoch s",
        "epoch ms",
        "epoch us",
        "german",
        "spanish",
        "oracle",
        "zone",
    ),
)


def moment(text: str, needed: tuple[str, ...]) -> date:
    """The day that a cell stands for by the formats that were decided: what silver does, without an engine."""
    if formats.is_iso(text):
        return date.fromisoformat(text[:10])
    form = next(form for form in needed if formats.reads(form, text))
    if counted := counts.instant(text, form):
        return counted.date()
    bare, since = formats.without_century(form.removesuffix(" z"))
    figures = re.findall("[0-9]+", text)
    if "LLLL" in bare or "MMM" in bare:
        month = names.month_in(text)
        day, year = figures[:2]
    else:
        order = re.findall("[dMy]", re.sub(r"(.)\1+", r"\1", bare))
        parts = dict(zip(order, figures, strict=False))
        day, month, year = parts["d"], parts["M"], parts["y"]
    found = datetime(day_order.in_full(year, since) if since else int(year), int(month), int(day))
    hour = re.search(r"(\d\d):\d\d", text)
    if form.endswith(" z") and hour and int(hour[1]) < 1:
        found -= timedelta(days=1)
    return found.date()


@pytest.mark.parametrize("part", range(4))
def test_an_export_in_any_conventions_is_read_right_or_asked_about(tmp_path, part):
    asked = 0
    for seed in range(part, COMBINATIONS, 4):
        chance = random.Random(seed)  # noqa: S311
        encoding, delimiter = chance.choice(list(LETTERS)), chance.choice(",;\t|")
        company, quote = chance.choice(LETTERS[encoding]), chance.choice(("", '"'))
        comma, null = chance.random() < 0.5 and delimiter != ",", chance.choice(("", "-", "N/A", "null"))
        ways = [chance.choice(WAYS), chance.choice(WAYS)]
        start, days = datetime(2022, 1, 1) + timedelta(days=chance.randint(0, 900)), []
        for _ in range(chance.randint(3, 40)):
            opened = start + timedelta(minutes=chance.randint(0, 500 * 1440))
            days.append((opened, opened + timedelta(days=chance.randint(1, 200)) if chance.random() < 0.8 else None))
        lines = [["lead_id", "customer_id", "created_at", "closed_at", "company", "status", "deal_value"]]
        amounts = [f"{chance.randint(100, 99_999)}.{chance.randint(0, 99):02}" for _ in days]
        for n, ((opened, closed), amount) in enumerate(zip(days, amounts, strict=True)):
            shown = amount.replace(".", ",") if comma else amount
            ended = written(ways[1], closed) if closed else null
            lines.append([f"L{n}", "C1", written(ways[0], opened), ended, company, "open", shown])
        end = chance.choice(("\n", "\r\n"))
        records = [delimiter.join(f"{quote}{cell}{quote}" for cell in line) for line in lines]
        if chance.random() < 0.2:  # all pasted into the first column of a sheet
            records = ['"{}"'.format(record.replace('"', '""')) for record in records]
        text = end.join(records) + end
        folder = tmp_path / str(seed)
        folder.mkdir()
        try:
            content = text.encode(encoding)
        except UnicodeEncodeError:  # a month that the encoding has no letters for
            content = text.encode("utf-8")
        (folder / "leads.csv").write_bytes(content)
        told = f"seed {seed}: {encoding} {delimiter!r} {ways} {days[:3]}"
        found = sources.scan(str(folder), ENTITIES)
        settled = conventions.settle(found.files, ENTITIES, [], today=TODAY)
        if found.refused or settled.refused:
            asked += 1
            continue
        (file,) = settled.files
        rows = [row for batch in parsing.parse(file, [name for _, name in file.columns]) for row in batch.to_pylist()]
        assert [row["company"] for row in rows] == [company] * len(days), told
        for name, expected in (("created_at", [o for o, _ in days]), ("closed_at", [c for _, c in days])):
            for row, day in zip(rows, expected, strict=True):
                cell = row[name] or ""
                if day is None:
                    assert cell.lower() in (null.lower(), ""), told
                else:
                    assert moment(cell, file.dates[name]) == day.date(), f"{told}: {cell} by {file.dates[name]}"
        column = profile.Column("deal_value", "deal_value", len(rows))
        column.counts.update(row["deal_value"] for row in rows)
        assert column.comma == comma, told
    assert asked < 0.4 * COMBINATIONS / 4  # what a file tells is not asked
