"""Files, settings, contracts and lakehouses with something wrong in them, by chance: refused in words, or read whole.

Whatever a user hands over, there is a message with a remedy and no traceback, no other file suffers, memory stays
bounded, and every letter and figure of a text that is read is in bronze.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import random
import shlex
import shutil
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
import xlsxwriter
import yaml

from medallion import config, contracts, sources
from medallion.errors import ContractError, MedallionError, SourceError
from medallion.pipeline import amounts, conventions
from medallion.sources import parsing

#: How many mutations are tried, and from which seed on: 500 in CI, others each night (`just nightly-fuzz`).
MUTATIONS, SEED = int(os.environ.get("MEDALLION_MUTATIONS", "500")), int(os.environ.get("MEDALLION_SEED", "0"))
ENTITIES = contracts.entities()
HEADERS = {
    "customers": ("customer_id", "customer_name", "annual_revenue", "created_at"),
    "leads": ("lead_id", "customer_id", "status", "deal_value", "created_at", "closed_at", "IsDeleted"),
}
PIECES = (
    "Acme", "Größe", "東京", "x" * 300, "O'Neil", 'a "quoted" word', "a, b; c\td|e", "two\nlines", "", " ", "-", "N/A",
    "2025-01-31", "31.01.2025", "1,234.50", "0001-01-01", "45000.5", "1e400", "1750000000", "Jan 5, 25", "EUR 5", "true", "won", "=1+1", "\\", '\\"', "'", "👍🏽", "\u202e", "\x0b", "e\u0301", "9" * 40, "[]", "{}",
)  # fmt: skip
BYTES = (b"\0", b'"', b'""', b"\n", b"\r", b"\r\n", b",", b";", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"{", b"]", b"\\", b"'",
         b"<", b"</", b"PK\x03\x04", b"PAR1", b"\x1f\x8b", b"A" * 5000, b"[" * 5000, b"1e999999", b"&#0;", b"\xed\xa0\x80")  # fmt: skip


def table(chance: random.Random) -> list[list[str]]:
    """A header and some records."""
    header = HEADERS[chance.choice(list(HEADERS))]
    rows = [[f"C{n}", *(chance.choice(PIECES) for _ in header[1:])] for n in range(chance.randint(0, 30))]
    return [[*header], *rows]


def delimited(rows: list[list[str]], chance: random.Random) -> bytes:
    import csv

    out = io.StringIO()
    writer = csv.writer(
        out,
        delimiter=chance.choice(",;\t|"),
        quoting=chance.choice((csv.QUOTE_ALL, csv.QUOTE_MINIMAL)),
        lineterminator=chance.choice(("\n", "\r\n")),
    )
    writer.writerows(rows)
    return out.getvalue().encode(chance.choice(("utf-8", "utf-8-sig", "utf-16", "utf-16-le")))


def lines(rows: list[list[str]], chance: random.Random) -> bytes:
    escaped = chance.random() < 0.5
    return "".join(
        f"{json.dumps(dict(zip(rows[0], row, strict=True)), ensure_ascii=escaped)}\n" for row in rows[1:]
    ).encode()


def document(rows: list[list[str]], chance: random.Random) -> bytes:
    records = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    shape = chance.choice((records, {"data": records}, {"result": {"page": 1, "items": records}}))
    return json.dumps(shape, ensure_ascii=chance.random() < 0.5, indent=chance.choice((None, 1))).encode()


def page(rows: list[list[str]], chance: random.Random) -> bytes:
    from html import escape

    cells = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
    return ("<html><table>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table></html>").encode()


def workbook(rows: list[list[str]], chance: random.Random) -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(
        out, {"strings_to_formulas": False, "strings_to_numbers": False, "strings_to_urls": False}
    )
    sheet = book.add_worksheet()
    for place, row in enumerate(rows):
        for column, cell in enumerate(row):
            sheet.write_string(place, column, cell)
    book.close()
    return out.getvalue()


def parquet(rows: list[list[str]], chance: random.Random) -> bytes:
    out = io.BytesIO()
    cells = {name: pa.array([row[place] for row in rows[1:]], pa.string()) for place, name in enumerate(rows[0])}
    pq.write_table(pa.table(cells), out, compression=chance.choice(("none", "snappy", "gzip", "zstd")))
    return out.getvalue()


Maker = Callable[[list[list[str]], random.Random], bytes]
MAKERS: dict[str, Maker] = {
    ".csv": delimited, ".jsonl": lines, ".json": document, ".xls": page, ".xlsx": workbook, ".parquet": parquet,
}  # fmt: skip


def mutated(content: bytes, chance: random.Random) -> bytes:
    """A content with one to three things wrong in it, mostly further down."""
    for _ in range(chance.randint(1, 3)):
        low = min(120, len(content)) if chance.random() < 0.9 else 0
        start, end = sorted(chance.randint(low, len(content)) for _ in range(2))
        at, end = start, end if chance.random() < 0.3 else min(end, start + 40)
        content = chance.choice(
            (
                content[: max(at, end)],
                content[:start] + content[end:],
                content[:start] + content[start:end] * 2 + content[end:],
                content[:at] + chance.choice(BYTES) + content[at:],
                content[:at] + chance.choice(BYTES) + content[at:],
                content[:at] + bytes([chance.randint(0, 255)]) + content[at + 1 :],
                content[:at] + bytes([chance.randint(0, 255)]) + content[at + 1 :],
            )
        )
    return content


def within(content: bytes, change: Callable[[bytes], bytes], chance: random.Random) -> bytes:
    """An archive or workbook of which one member is changed, packed again as it should be."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as after:
        members = before.infolist()
        chosen = chance.choice(members).filename if members else ""
        for member in members:
            part = before.read(member)
            after.writestr(member.filename, change(part) if member.filename == chosen else part)
    return out.getvalue()


def spelled(text: str, but: str = "") -> Counter[str]:
    """The characters of a text that are neither blank nor among those that quote and separate: what has to be left of it."""
    return Counter(letter for letter in text if letter not in but and not letter.isspace())


def read(folder: Path) -> tuple[list[sources.SourceFile], dict[str, list[list[str]]]]:
    """The tables of a folder and their cells; what is malformed is a record of one cell."""
    found = sources.scan(str(folder), ENTITIES)
    cells = {}
    for file in found.files:
        names = [name for _, name in file.columns]
        cells[file.name] = [
            [row["_malformed"]] if row["_malformed"] is not None else [row[name] or "" for name in names]
            for batch in parsing.parse(file, names)
            for row in batch.to_pylist()
        ]
    return list(found.files), cells


def try_a_file(folder: Path, chance: random.Random) -> None:
    """One mutated file beside a good one."""
    ending, make = chance.choices(list(MAKERS.items()), (10, 4, 2, 2, 3, 2))[0]
    rows = table(chance)
    entity = next(name for name, header in HEADERS.items() if [*header] == rows[0])
    name = f"{entity}{ending}"
    content = whole = make(rows, chance)
    if name.endswith(".xlsx") and chance.random() < 0.7:
        content = within(content, lambda part: mutated(part, chance), chance)
    elif chance.random() < 0.9:
        content = mutated(content, chance)
    plain = content
    if chance.random() < 0.2:
        name, content = f"{name}.gz", gzip.compress(content)
        content = mutated(content, chance) if chance.random() < 0.3 else content
    elif chance.random() < 0.2:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, content)
        name, content = f"{entity}.zip", out.getvalue()
        content = mutated(content, chance) if chance.random() < 0.3 else content
    (folder / name).write_bytes(content)
    (folder / "products.csv").write_text("product_id,product_name\nP1,Anvil\n")
    refused = None
    try:
        files, cells = read(folder)
    except SourceError as error:  # found while it is read to its end
        refused = error
    if refused:
        assert entity in refused.problem
        assert refused.remedy
        return
    assert "products.csv" in cells
    for accept in (False, True):
        amounts.refused(files, ENTITIES)
        conventions.settle(files, ENTITIES, [], accept=accept, today=date(2026, 7, 1))
    for file in files:
        if file.entity == entity and file.format in ("csv", "jsonl"):
            conserved(plain, file, cells[file.name])
        elif file.entity == entity and plain == whole:
            assert spelled("".join(map("".join, cells[file.name]))) == spelled("".join(map("".join, rows[1:])))


def conserved(content: bytes, file: sources.SourceFile, cells: list[list[str]]) -> None:
    """Every character of a text that was read is in its header, in a cell or in a malformed record, but what quotes and separates."""
    text = content.decode(file.encoding).removeprefix("\ufeff")
    marks = f'"{file.delimiter}' + "\\" * file.slashed if file.format == "csv" else ""
    there = spelled("".join(written for written, _ in file.columns), marks)
    for row in cells:
        there += spelled("".join(row), marks)
    if file.format == "csv":
        above = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[: file.header_line - 1]
        lacking = spelled(text, marks) - spelled("\n".join(above), marks) - there
    else:
        malformed = {row[0] for row in cells if len(row) == 1}  # as they stand in the file
        lacking = sum((of_a_record(line) for line in text.split("\n") if line not in malformed), Counter()) - there
    assert lacking == Counter(), (lacking, file.header_line, file.encoding, file.delimiter)


def of_a_record(line: str) -> Counter[str]:
    """The characters of a line's values, each as often as the line says it; of the whole line where it is no object."""
    said: Counter[str] = Counter()

    def add(pairs: list[tuple[str, object]]) -> str:
        said.update(spelled("".join(value for _, value in pairs if isinstance(value, str))))
        return ""

    try:
        json.loads(line, object_pairs_hook=add, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        return spelled(line)
    return said


def each(count: int, attempt: Callable[[random.Random], None]) -> None:
    """Try with so many seeds; a failure names its own, which `MEDALLION_MUTATIONS=1 MEDALLION_SEED=...` tries again."""
    for seed in range(SEED, SEED + count):
        try:
            attempt(random.Random(seed))  # noqa: S311
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error


@pytest.mark.slow
def test_files_with_something_wrong_in_them(tmp_path):
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def attempt(chance: random.Random) -> None:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        try_a_file(folder, chance)
        shutil.rmtree(folder)

    each(MUTATIONS, attempt)
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert more * (1 if sys.platform == "darwin" else 1024) < 1 << 30


CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: mine
name: mine
version: 1.0.0
status: active
slaProperties: [{property: latency, value: 2, unit: d, element: leads}]
schema:
  - name: stages
    properties:
      - {name: stage_id, logicalType: string, physicalType: string, primaryKey: true, required: true}
      - {name: status, logicalType: string, physicalType: string}
      - {name: score, logicalType: integer, physicalType: bigint, logicalTypeOptions: {minimum: 0, maximum: 5}}
      - {name: since, logicalType: date, physicalType: date, logicalTypeOptions: {minimum: 2000-01-01, maximum: '2100-01-01'}}
    customProperties: [{property: sources, value: [{file: stages, columns: {stage_id: Id, status: Name}}]}]
  - name: leads
    properties:
      - name: region
        logicalType: string
        physicalType: string
        synonyms: [{synonym: Area}]
        enum: [{value: a}, {value: b}]
        customProperties: [{property: spellings, value: {a: [A, AA]}}, {property: fallback, value: b}, {property: gold, value: true}]
    customProperties:
      - property: sources
        value:
          - file: deals
            sheet: X
            headerLine: 2
            decimalComma: true
            dateFormats: [d/M/yyyy]
            key: [A, B]
            where: "x = 1"
            absent: "IsDeleted = '1'"
            columns:
              customer_id: {column: Account}
              deal_value: {column: Amount, unit: cents}
              status: {column: Stage, lookup: stages, by: stage_id, take: status, values: {closed: won}, otherwise: open, empty: open}
              region: {sql: "upper(x)"}
              source: {value: web}
              created_at: {column: Created, dateFormats: [epoch s], fillDown: true}
          - {file: old*, ignore: true}
      - {property: placeholders, value: [none, '-']}
      - {property: dateFormats, value: [d/M/yyyy]}
      - {property: filePatterns, value: [deal*]}
"""
SETTINGS = """
source: data
lakehouse: lake
contracts: [a.yaml]
currency: EUR
rates: rates.csv
accept: true
hold_back: {rows: 5, refused: 0.2, empty: 0.1}
engine: sail
memory_gib: 4
as_of: 2025-01-01
score: {fit: {}, bands: {hot: 80}}
models: m
features: [a.py]
gold: [b.py]
fixed_columns: [owner]
agent:
  capacity: 4
  suppressions: s.csv
  tone: brief
  base_url: http://x
  timeout_seconds: 4
  crm: {kind: hubspot, base_url: https://x, customer: {object: companies, fields: {owner: owner_id}, values: {owner: {a: b}}}}
"""
VALUES = (
    None, True, False, 0, -1, 1.5, 10**30, float("nan"), float("inf"), "", "x", "\0", "*", "[", "'", [], {}, [None], [[]], {"a": 1},
    {1: 2}, [1, "a"], "a.b.c", "1e400", "9999-99-99", "select 1", "(" * 3000, "x" * 3000, "lead_id", ["lead_id"], "string",
    "decimal(99,2)", "decimal(0,0)", "^(a+)+$", "(?=a)", "reject", "yyyy", "`a``b`", date(2025, 1, 1), {"column": None},
)  # fmt: skip
TEXTS = (
    "\x00",
    "[" * 3000,
    "a: &a [*a]\n",
    "x: 2025-02-30\n",
    "\t",
    ": :",
    "? [a]\n",
    "!!python/name:os.system\n",
    "&",
    "\ud7ff",
    "%YAML 9\n",
)
LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


def paths(document: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    inner = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    return [path, *(found for key, value in inner for found in paths(value, (*path, key)))]


def declared(text: str, chance: random.Random) -> str:
    """A declaration with one or two things wrong in it: values, names, what is left out, or the text itself."""
    if chance.random() < 0.1:
        at = chance.randint(0, len(text))
        return text[:at] + chance.choice(TEXTS) + text[at + chance.randint(0, 9) :]
    document = yaml.safe_load(text)
    for _ in range(chance.randint(1, 2)):
        *way, last = chance.choice([path for path in paths(document) if path] or [("source",)])
        holder: Any = document
        for key in way:
            holder = holder[key]
        if chance.random() < 0.6:
            holder[last] = chance.choice(VALUES)
        elif isinstance(holder, dict) and chance.random() < 0.5 and last in holder:
            holder[chance.choice(["zzz", 1, None, "name", "", True])] = holder.pop(last)
        elif isinstance(holder, list):
            holder.append(holder[last])
        else:
            holder.pop(last, None)
    return yaml.safe_dump(document, allow_unicode=True)


def test_declarations_with_something_wrong_in_them(tmp_path):
    """A contract or a file of settings is used or refused, and a refusal says what to do."""
    path = tmp_path / "config.yaml"

    def attempt(chance: random.Random) -> None:
        with contextlib.suppress(ContractError):
            contracts.entities([contracts.Override("mine.yaml", declared(CONTRACT, chance))])
        path.write_text(declared(SETTINGS, chance))
        with contextlib.suppress(ContractError):
            config.load(path)

    contracts.entities([contracts.Override("mine.yaml", CONTRACT)])
    for text in (LAUGHS, "a: &a [*a]", "[" * 5000, "as_of: 2025-02-30", 'source: "a\\0b"', "1: 2"):
        path.write_text(text)
        with pytest.raises(ContractError):
            config.load(path)
    path.write_text(SETTINGS)
    assert config.load(path).memory_gib == 4
    each(max(60, MUTATIONS // 20), attempt)


@pytest.mark.parametrize("address", ["s3://[::1", "foo://bar", "abfss://", "", "x" * 5000, "/dev/null", "a\udc80"])
def test_an_address_that_is_none_is_told_in_words(address, capsys, monkeypatch):
    from medallion import cli

    with pytest.raises(SourceError) as refused:
        sources.scan(address, ENTITIES)
    assert refused.value.remedy
    if "://" in address:
        return
    monkeypatch.setattr(sys, "argv", ["medallion", "doctor", "--lakehouse", address or " "])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr().err
    assert (ended.value.code, "Unexpected" in said) == (1, False), said


COMMANDS = [
    "tables", "insights", "status", "metrics value revenue", "plan", "brief C004", "explain L-1012", "doctor", "gate",
    "quarantine list", "models", "actions list", "ask 'how many deals are open?'", "export --to {out}",
]  # fmt: skip
ENTRIES = (b"", b"\0" * 50, b"{", b"[]", b"null", b"\xff\xfe\x00", b'{"add":null}', b'{"commitInfo":5}', b'{"metaData":{}}\n', b"PAR1",
           b'{"add":{"path":"no.parquet","partitionValues":{},"size":1,"modificationTime":1,"dataChange":true}}\n',
           b'{"protocol":{"minReaderVersion":99,"minWriterVersion":99}}\n')  # fmt: skip


def damage(lake: Path, chance: random.Random) -> None:
    """Do a lakehouse harm: a file or folder that is gone, cut short, or holds something else."""
    files = sorted(path for path in lake.rglob("*") if path.is_file())
    path = chance.choice([path for path in files if "_delta_log" in path.parts] if chance.random() < 0.6 else files)
    content = path.read_bytes()
    at = chance.randint(0, max(len(content) - 1, 0))
    match chance.randint(0, 6):
        case 0:
            path.unlink()
        case 1:
            shutil.rmtree(path.parent)
        case 2:
            path.unlink()
            path.mkdir()
        case 3:
            path.write_bytes(content[:at])
        case 4:
            path.write_bytes(content[:at] + bytes([chance.randint(0, 255)]) + content[at + 1 :])
        case 5:
            path.write_bytes(chance.choice(ENTRIES))
        case 6:
            path.write_bytes(content + chance.choice(ENTRIES))


@pytest.mark.slow
def test_a_lakehouse_with_something_wrong_in_it(sample, tmp_path):
    """Reading commands say what is damaged and how to go on."""
    from medallion.cli import app

    def attempt(chance: random.Random) -> None:
        lake = tmp_path / "lakehouse"
        shutil.rmtree(lake, ignore_errors=True)
        shutil.copytree(sample.root, lake)
        damage(lake, chance)
        for command in chance.sample(COMMANDS, 2):
            line = [*shlex.split(command.format(out=tmp_path / "out")), "--lakehouse", str(lake)]
            shutil.rmtree(tmp_path / "out", ignore_errors=True)
            silent = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
            with silent[0], silent[1], contextlib.suppress(MedallionError, SystemExit, typer.Exit):
                app(line, standalone_mode=False)

    each(max(20, MUTATIONS // 25), attempt)


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
