"""Quotation marks after a backslash or around whole records: which files have them so, and what their cells are."""

from __future__ import annotations

import io

import pytest

from medallion import contracts, sources
from medallion.pipeline.conventions.cells import look
from medallion.sources import parsing
from medallion.sources.quoting import Doubled, Unwrapped

HEAD = b"customer_id,customer_name,city\n"


def cells(tmp_path, content: bytes, name: str = "customers.csv"):
    """The records of a file of customers: its good ones, and how many are malformed."""
    (tmp_path / name).write_bytes(content)
    (file,) = sources.scan(str(tmp_path), contracts.entities()).files
    columns = [column for _, column in file.columns]
    rows = [row for batch in parsing.parse(file, columns) for row in batch.to_pylist()]
    good = [tuple(row[column] for column in columns) for row in rows if row["_malformed"] is None]
    return good, len(rows) - len(good), [row["_source_row"] for row in rows]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (HEAD + b'C1,"Acme ""A"" Ltd",Ulm\n', ("C1", 'Acme "A" Ltd', "Ulm")),
        (HEAD + b'C1,"Acme \\"A\\" Ltd",Ulm\n', ("C1", 'Acme "A" Ltd', "Ulm")),
        (HEAD.replace(b",", b";") + b'"C1";"Acme \\"A; B\\"";"Ulm"\n', ("C1", 'Acme "A; B"', "Ulm")),
        (HEAD.replace(b",", b"\t") + 'C1\t"\\"Größe\\" GmbH"\t"C:\\tmp"\n'.encode("cp1252"), ("C1", '"Größe" GmbH', "C:\\tmp")),
        (HEAD + b'C1,"\\\\server\\share\\\\",Ulm\n', ("C1", "\\\\server\\share\\\\", "Ulm")),
        (HEAD + b'C1,"ends in C:\\",Ulm\n', ("C1", "ends in C:\\", "Ulm")),
        (HEAD + b'C1,"Acme \\"A\\"",Ulm 3\\" x\n', ("C1", 'Acme "A"', 'Ulm 3" x')),
        (HEAD + b'C1,"Acme \\"A\\", ""B""",3" Ulm\n', ("C1", 'Acme "A", "B"', '3" Ulm')),
        (HEAD + b'C1,"""Acme"" says \\"hi\\"",Ulm\n', ("C1", '"Acme" says "hi"', "Ulm")),
        (HEAD + b'C1,"""A"" Ltd,","p \\"q\\""\n', ("C1", '"A" Ltd,', 'p "q"')),
        (HEAD + b'C1,"""","\\""\n', ("C1", '"', '"')),
        (HEAD + b'C1,"","a \\"b\\", c"\n', ("C1", "", 'a "b", c')),
        (HEAD + b'C1,"x""","\\"y\\"""z"\n', ("C1", 'x"', '"y""z')),
        (HEAD + b'C1,"two\nlines \\"so\\"",Ulm\n', ("C1", 'two\nlines "so"', "Ulm")),
    ],
)  # fmt: skip
def test_the_way_that_leaves_every_mark_in_its_place_is_taken(tmp_path, content, found):
    good, malformed, lines = cells(tmp_path, content + content.split(b"\n", 1)[1].replace(b"C1", b"C2"))
    assert good == [found, ("C2", *found[1:])]
    assert malformed == 0
    assert lines == [2, 4 if b"two\n" in content else 3]


WRAPPED = [
    b'"C1,""Acme, Inc"",Ulm"\n"C2,Bolt,""3"""" x\nnext line"""\n',
    b'"C1;Acme, Inc;Ulm"\n"C2;Bolt;""3"""" x\nnext line"""\n',
    b'"C1\tAcme, Inc\tUlm"\n"C2\tBolt\t""3"""" x\nnext line"""',
]


@pytest.mark.parametrize("header_in_marks", [True, False])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b"All customers\n"])
@pytest.mark.parametrize("content", WRAPPED)
def test_records_in_marks_as_a_whole_are_read_as_what_stands_in_them(tmp_path, content, start, header_in_marks):
    delimiter = content[3:4]
    header = HEAD.strip().replace(b",", delimiter)
    text = start + (b'"%s"\n' if header_in_marks else b"%s\n") % header + content
    good, malformed, lines = cells(tmp_path, text)
    assert good == [("C1", "Acme, Inc", "Ulm"), ("C2", "Bolt", '3" x\nnext line')]
    assert malformed == 0
    first = 2 + (b"All" in start)
    assert lines == [first, first + 1]


@pytest.mark.parametrize("records", [1, 2, 40])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n\r\n"])
def test_a_file_of_one_record_in_marks_has_it(tmp_path, records, end):
    lines = [b'"C%d,""Acme, Inc"",Ulm"' % n for n in range(records)]
    good, malformed, _ = cells(tmp_path, b"\r\n".join([HEAD.strip(), *lines]) + end)
    assert (len(good), malformed) == (records, 0)


@pytest.mark.parametrize("size", range(1, 40))
def test_a_record_in_marks_may_come_in_pieces(size):
    content = b'"customer_id,customer_name"\r\n' + b'"C1,""Acme, """"A"""""""\r\n"C2,\r\nBolt"\r\nC3,x\r\n' * 3
    stream = Unwrapped(io.BytesIO(content))
    pieces = list(iter(lambda: stream.read(size), b""))
    assert b"".join(pieces) == b"customer_id,customer_name\r\n" + b'C1,"Acme, ""A"""\r\nC2,\r\nBolt\r\nC3,x\r\n' * 3


@pytest.mark.parametrize(
    "content",
    [
        HEAD + b'"C1,Acme,Ulm"\nC2,Bolt,Bonn\n',  # one such record among others is malformed
        HEAD + b'"C1,Acme,Ulm"\n"C2,Bolt"\n',  # of other widths
    ],
)
def test_a_record_in_marks_among_others_is_malformed(tmp_path, content):
    good, malformed, _ = cells(tmp_path, content)
    assert malformed == 2 - len(good) >= 1


def test_what_decides_the_dates_reads_the_same_cells(tmp_path):
    """With the marks misread, the days of the second record would be those of a note."""
    (tmp_path / "leads.csv").write_text(
        'lead_id,customer_id,status,notes,created_at\nL1,C1,won,"a \\"b\\", c",25/02/2025\nL2,C1,won,"\\"x\\"",03/04/2025\n'
    )
    entities = contracts.entities()
    (file,) = sources.scan(str(tmp_path), entities).files
    seen = look(file, entities["leads"])["created_at"]
    assert (seen.rows, seen.dates) == (2, {"25/02/2025", "03/04/2025"})


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_marks_are_doubled_wherever_the_stream_is_cut(size):
    """Within marks only: in a cell without them a doubled mark would be two."""
    written = b'"a\\"b\\\\",c\\"d,"","\\\\\\"d\\e",\\"f\n"g ""h"" \\"",i"j\\"'
    stream, found = Doubled(io.BytesIO(written), ","), b""
    while part := stream.read(size):
        found += part
    assert found == b'"a""b\\\\",c"d,"","\\\\""d\\e",\\"f\n"g ""h"" """,i"j"'


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
@pytest.mark.parametrize(
    ("written", "standard"),
    [
        (b'"""Acme"" says \\"hi\\"",x\n"y, \\"z\\"",w\n', b'"""Acme"" says ""hi""",x\n"y, ""z""",w\n'),
        (b'"""A"" Ltd,",x\n"p \\"q\\"",w\n', b'"""A"" Ltd,",x\n"p ""q""",w\n'),
        (b'"","""",""""""\n"\\"",""\n', b'"","""",""""""\n"""",""\n'),
    ],
)
def test_a_cell_may_begin_with_a_doubled_mark(written, standard, size):
    stream, found = Doubled(io.BytesIO(written), ","), b""
    while part := stream.read(size):
        found += part
    assert found == standard
