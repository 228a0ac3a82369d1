"""What the values of a delivery say about how they are written, and what stops a file."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from medallion import contracts, proposal, sources
from medallion.care import doctor
from medallion.cells import arrays
from medallion.lakehouse.store import Lakehouse
from medallion.pipeline import conventions
from medallion.pipeline.batches import Batch
from medallion.pipeline.conventions import cells
from medallion.sources import parsing

LEADS = "lead_id,customer_id,status,stage,deal_value,created_at,closed_at"
CUSTOMERS = "customer_id,customer_name\nC1,Anvil\nC2,Bolt\n"
#: A contract with a key that refuses what a column marks as deleted.
EXCLUDED = """apiVersion: v3.1.0
kind: DataContract
id: own
version: 1.0.0
status: active
schema:
  - name: leads
    customProperties:
      - property: sources
        value:
          - file: "leads*"
            columns:
              lead_id: {sql: "CASE WHEN lower(deleted) NOT IN ('true', '1') THEN lead_id END"}
              customer_id: customer_id
              status: status
              created_at: created_at
"""


def settle(folder, files: dict[str, str], *, overrides=(), earlier=(), accept=False):
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    entities = contracts.entities(list(overrides))
    scan = sources.scan(str(folder), entities)
    assert not scan.refused, scan.refused
    return conventions.settle(scan.files, entities, earlier, accept=accept)


def leads(*rows: str, header: str = LEADS) -> str:
    return "\n".join((header, *rows)) + "\n"


def dated(*dates: str) -> str:
    return leads(*(f"L{n},C1,open,,5,{date}," for n, date in enumerate(dates)))


@pytest.mark.parametrize(
    ("dates", "formats"),
    [
        (["2025-01-31", "2025-02-01 10:00"], ()),
        (["01/31/2025", "02/03/2025"], ("M/d/yyyy",)),
        (["31/01/2025", "02/03/2025"], ("d/M/yyyy",)),
        (["02/03/2025", "31/01/2025 14:30"], ("d/M/yyyy", "d/M/yyyy H:mm")),
        (["31-01-2025", "02-03-2025"], ("d-M-yyyy",)),
        (["31.01.2025", "02.03.2025"], ("d.M.yyyy",)),
        (["02.03.2025"], ("d.M.yyyy",)),  # a dot is written day first
        (["05/05/2025", "6/6/2025"], ("M/d/yyyy",)),  # one day by either reading
        (["31/02/2025", "04/25/2025"], ("M/d/yyyy",)),  # what is no date at all is no evidence
        (["20250131", "31-Jan-2025", "31 Jan 2025"], ("d MMM yyyy", "d-MMM-yyyy", "yyyyMMdd")),
        (["2025-22-11", "2025-23-11", "2025-04-08 10:00:00Z"], ("yyyy-d-M",)),
        (["2025/22/11", "2025/23/11", "2025/04/08"], ("yyyy/d/M",)),
        (["2025.11.22", "2025.04.08"], ("yyyy.M.d",)),
        (["20252211", "20252311", "20250408"], ("yyyyddMM",)),
        (["12.31.2025", "12.30.2025", "04.05.2025 9:15"], ("M.d.yyyy", "M.d.yyyy H:mm")),
        (["2025-11-22", "2025-11-23", "2025-13-11", "2025-04-08"], ()),  # one slip, which is refused with its row
        (["Mo 20.01.2025", "Di 21.01.2025"], ("E, d.M.yyyy",)),
        (["/Date(1741777200000)/", "/Date(1741777200000+0100)/"], ("epoch ms",)),
        (["2025年3月5日", "2025年12月31日(水)"], ("yyyy年M月d日",)),
    ],
    ids=str,
)
def test_the_values_of_a_column_decide_its_order_of_day_and_month(tmp_path, dates, formats):
    settled = settle(tmp_path, {"leads.csv": dated(*dates)})
    assert not settled.refused
    assert settled.files[0].dates["created_at"] == formats


@pytest.mark.parametrize(
    ("dates", "told"),
    [
        (["02/03/2025", "04/05/2025"], ["'02/03/2025'", "2025-03-02 (day first)", "2025-02-03 (month first)"]),
        (["02-03-2025"], ["2025-03-02 (day first)", "2025-02-03 (month first)"]),
        (["31/01/2025", "01/31/2025"], ["'31/01/2025' has the day first", "'01/31/2025' the month"]),
        (
            ["2025-22-11", "2025-23-11", "2025-11-22", "2025-11-23"],
            ["'2025-11-22' has the month after the year", "'2025-22-11' has the day"],
        ),
        (["2025-22-11", "2025-04-08"], ["'2025-22-11' has the day", "'2025-04-08' may be either"]),
        (
            ["31.12.2025", "30.12.2025", "12.31.2025", "12.30.2025"],
            ["'30.12.2025' has the day first", "'12.30.2025' has the month"],
        ),
        (["45292", "45300", "45310"], ["'45292' may be 2024-01-01", "2028-01-02", "no other date tells"]),
        (["2/1/25", "2/3/25", "2/4/25"], ["2025-01-02 (day first) or 2025-02-01 (month first)"]),
        (["1.7E+12", "1.75E+12", "1.8E+12"], ["3 of 3 values cannot be read as dates"]),
        (["3 листопада 2025", "4 листопада 2025", "5 листопада 2025"], ["cannot be read as dates"]),
        (["1/31/2025 3:30 IST", "2/1/2025 3:30 IST", "2/3/2025 3:30 IST"], ["cannot be read as dates"]),
    ],
    ids=str,
)
def test_dates_that_are_not_understood_stop_their_file(tmp_path, dates, told):
    settled = settle(tmp_path, {"leads.csv": dated(*dates)})
    (refusal,) = settled.refused
    assert not settled.files
    assert all(part in refusal.problem for part in ("leads.csv", "'created_at'", *told)), refusal.problem
    assert "dateFormats" in refusal.remedy or "`dates: {serial: 1900}`" in refusal.remedy
    assert settle(tmp_path, {}, accept=True).files, "with --accept it is read by the shipped formats"


@pytest.mark.parametrize(
    ("dates", "remedy", "filled"),
    [
        (["08/2025", "11/2025", "12/2025"], "`dateFormats: [M/yyyy]` of leads.created_at", 'dateFormats: ["M/yyyy"]'),
        (["2025-W33", "2025-W34", "2025-W01"], "`sql: ", "7 * try_cast(regexp_extract(`created_at`, 'W([0-9]+)', 1)"),
    ],
)
def test_months_and_weeks_have_a_remedy_that_reads_them(tmp_path, dates, remedy, filled):
    (refusal,) = settle(tmp_path, {"leads.csv": dated(*dates)}).refused
    assert "is to count as its first day" in refusal.remedy
    assert remedy in refusal.remedy
    text = proposal.propose(str(tmp_path), "x").text
    assert filled in next(line for line in text.splitlines() if "created_at: {" in line)


@pytest.mark.parametrize(
    "none", ["00000000", "0000-00-00", "00.00.0000 00:00:00", "1900-01-00", "0001-01-01T00:00:00", "0"]
)
def test_zeros_are_no_date(tmp_path, none):
    """They are told, and left empty by silver and by a proposal."""
    rows = [
        f"L{n},C1,{'won' if n < 6 else 'open'},,5,2025-01-0{n + 1},{f'2025-02-0{n + 1}' if n < 6 else none}"
        for n in range(9)
    ]
    settled = settle(tmp_path, {"leads.csv": leads(*rows)})
    assert not settled.refused
    assert f"leads.csv: 'closed_at': cells such as {none!r} (3) stand for no date" in settled.notes
    assert settled.files[0].dates["closed_at"] == ()
    leads_ = contracts.entities()["leads"]
    assert none.lower() in leads_.empty("closed_at")
    assert none.lower() not in leads_.empty("deal_value")
    columns = {c["column"]: c for c in proposal.propose(str(tmp_path), "x").columns if c["entity"] == "leads"}
    assert columns["closed_at"]["confidence"] > 0.8
    assert f"no date: {none}" in columns["closed_at"]["reason"]


def test_other_columns_files_and_deliveries_decide_where_a_column_does_not(tmp_path):
    both = leads("L1,C1,won,,5,02/03/2025,31/03/2025")
    settled = settle(tmp_path, {"leads.csv": both})
    assert settled.files[0].dates["created_at"] == ("d/M/yyyy",), "another column of the file"
    touches = "interaction_id,customer_id,channel,occurred_at,outcome\nI1,C1,call,02/03/2025,positive\n"
    settled = settle(tmp_path, {"interactions.csv": touches})
    assert [file.dates["occurred_at"] for file in settled.files if file.entity == "interactions"] == [("d/M/yyyy",)]
    earlier = settled.files
    (tmp_path / "leads.csv").unlink()
    (tmp_path / "interactions.csv").write_text(touches.replace("02/03", "04/05"))
    assert settle(tmp_path, {}).refused
    assert not settle(tmp_path, {}, earlier=earlier).refused, "how an earlier delivery was written"


#: Dates that are real days with the day, the month and the year first, or with two of these.
SHORT = [
    (["05/06/24", "07/08/24"], ("2024-06-05 (day first)", "2024-05-06 (month first)", "2005-06-24 (year first)")),
    (["24/05/06", "24/07/08"], ("2006-05-24 (day first)", "2024-05-06 (year first)")),
    (["24-05-06", "23-12-01"], ("2001-12-23 (day first)", "2023-12-01 (year first)")),
]


@pytest.mark.parametrize(("dates", "readings"), SHORT, ids=str)
@pytest.mark.parametrize("name", ["created_at", "occurred_at"])
def test_years_of_two_digits_that_may_come_first_are_asked_about_with_every_reading(tmp_path, dates, readings, name):
    header = "interaction_id,customer_id,channel,outcome,occurred_at"
    touches = leads(*(f"I{n},C1,call,positive,{date}" for n, date in enumerate(dates)), header=header)
    files = {"leads.csv": dated(*dates)} if name == "created_at" else {"interactions.csv": touches}
    (refusal,) = settle(tmp_path, files).refused
    assert all(reading in refusal.problem for reading in readings), refusal.problem
    assert "`dates: {order: day}`, `month` or `year` for" in refusal.remedy


@pytest.mark.parametrize(
    ("opened", "closed", "first"),
    [
        ("24/05/25", "32/05/06", True),  # a column that is decided
        ("24/05/25", "1/7/24", False),
        ("24/05/25", "31/12/2024", False),
        ("24/05/06", "2024-07-01", True),  # 2006 is far from it
        ("24/05/06", "2006-07-01", False),
    ],
)
def test_other_columns_decide_whether_years_of_two_digits_come_first(tmp_path, opened, closed, first):
    rows = leads(f"L1,C1,won,,5,{opened},{closed}", f"L2,C1,won,,5,{opened},{closed}")
    (file,) = settle(tmp_path, {"leads.csv": rows}).files
    assert file.dates["created_at"][0].startswith("yy/M/d" if first else "d/M/yy")
    later = dated("23/05/15", "23/06/16")
    (tmp_path / "next").mkdir()
    assert settle(tmp_path / "next", {"leads.csv": later}).refused
    (again,) = settle(tmp_path / "next", {}, earlier=[file]).files
    assert again.dates["created_at"][0][:2] == file.dates["created_at"][0][:2], "as it was written before"


@pytest.mark.parametrize("order", ["day", "month", "year"])
def test_one_answer_about_the_order_of_dates_holds_for_its_column(tmp_path, order):
    contract = contracts.Override(
        "own.yaml",
        EXCLUDED.replace("created_at: created_at", f"created_at: {{column: created_at, dates: {{order: {order}}}}}"),
    )
    rows = leads("L1,C1,open,,5,05/06/04,,0", "L2,C1,open,,5,07/08/04,,0", header=f"{LEADS},deleted")
    settled = settle(tmp_path, {"leads.csv": rows}, overrides=[contract])
    assert not settled.refused, settled.refused


def test_dates_with_dots_decide_nothing_for_others_and_an_accepted_guess_is_no_precedent(tmp_path):
    (refusal,) = settle(tmp_path, {"leads.csv": dated("12.01.2025", "03/04/2025")}).refused
    assert "'03/04/2025' may be" in refusal.problem
    guessed = [replace(file, accept=True) for file in settle(tmp_path, {}, accept=True).files]
    assert settle(tmp_path, {}, earlier=guessed).refused


@pytest.mark.parametrize("dates", [("02/06/2025", "03/11/2025"), ("31/01/2025", "01/31/2025")], ids=str)
def test_dates_of_an_expression_are_settled_too(tmp_path, dates):
    contract = contracts.Override(
        "own.yaml", EXCLUDED.replace("created_at: created_at", 'created_at: {sql: "coalesce(created_at, closed_at)"}')
    )
    rows = leads(*(f"L{n},C1,open,,5,,{date},0" for n, date in enumerate(dates)), header=f"{LEADS},deleted")
    (refusal,) = settle(tmp_path, {"leads.csv": rows}, overrides=[contract]).refused
    assert "coalesce(created_at, closed_at)" in refusal.problem
    decided = rows.replace("01/31", "30/01").replace("03/11", "31/10")
    (file,) = settle(tmp_path, {"leads.csv": decided}, overrides=[contract]).files
    assert file.mapping["created_at"].date_formats == ("d/M/yyyy",)


@pytest.mark.parametrize(
    ("column", "values", "stops"),
    [
        ("channel", ["Anruf", "Anruf", "call"], True),
        ("channel", ["Fax", "call", "email"], False),  # once is a slip: `other`, counted as a warning
        ("outcome", ["Ruf mich", "Ruf mich", "positive"], True),
        ("outcome", ["No answer", "Booked Meeting", "ok"], False),
    ],
    ids=str,
)
def test_an_unknown_channel_or_outcome_stops_the_file(tmp_path, column, values, stops):
    header = "interaction_id,customer_id,occurred_at,channel,outcome"
    rows = [f"I{n},C1,2025-01-0{n + 1},{'call' if column == 'outcome' else value},{value if column == 'outcome' else 'ok'}"
            for n, value in enumerate(values)]  # fmt: skip
    settled = settle(tmp_path, {"interactions.csv": leads(*rows, header=header)})
    assert [f"no known spelling of {column}" in item.problem for item in settled.refused] == [True] * stops


def test_a_state_that_is_looked_up_is_not_asked_about(tmp_path):
    contract = contracts.Override(
        "own.yaml",
        EXCLUDED.replace("status: status", "status: {column: stage, lookup: stages, by: stage_id, take: state}")
        + "  - name: stages\n    dataGranularityDescription: one row per stage\n"
        "    customProperties: [{property: filePatterns, value: [stages]}]\n    properties:\n"
        "      - {name: stage_id, primaryKey: true, required: true, logicalType: string, physicalType: string}\n"
        "      - {name: state, logicalType: string, physicalType: string}\n",
    )
    rows = leads("L1,C1,,7,5,2025-01-01,,0", header=f"{LEADS},deleted")
    assert not settle(tmp_path, {"leads.csv": rows}, overrides=[contract]).refused


def test_a_text_cut_inside_a_character_is_refused_alone(tmp_path):
    (tmp_path / "leads.csv").write_bytes(leads("L1,C1,won,,5,2025-01-01,").encode("utf-16")[:-1])
    settled = settle(tmp_path, {"customers.csv": CUSTOMERS})
    assert [file.entity for file in settled.files] == ["customers"]
    assert "leads.csv: cannot be read to its end" in settled.refused[0].problem


def test_two_columns_of_a_file_may_be_written_in_two_orders(tmp_path):
    settled = settle(tmp_path, {"leads.csv": leads("L1,C1,won,,5,31/01/2025,03/31/2025")})
    assert settled.files[0].dates == {"created_at": ("d/M/yyyy",), "closed_at": ("M/d/yyyy",)}
    third = leads("L1,C1,won,,5,31/01/2025,03/31/2025,04/05/2025", header=f"{LEADS},updated_at")
    (refusal,) = settle(tmp_path, {"leads.csv": third}).refused
    assert "'updated_at'" in refusal.problem


@pytest.mark.parametrize(
    ("told", "other"), [("2025-22-11,2025-23-11", "2025-04-08"), ("12.31.2025,12.30.2025", "04.05.2025")]
)
def test_other_columns_and_deliveries_tell_an_unusual_order(tmp_path, told, other):
    first, second = told.split(",")
    header = f"{LEADS},updated_at"
    rows = leads(f"L1,C1,won,,5,{first},{other},{other}", f"L2,C1,won,,5,{second},{other},{other}", header=header)
    (file,) = settle(tmp_path, {"leads.csv": rows}).files
    assert file.dates["closed_at"] == file.dates["created_at"]
    (tmp_path / "next").mkdir()
    (again,) = settle(tmp_path / "next", {"leads.csv": dated(other)}, earlier=[file]).files
    assert again.dates["created_at"] == file.dates["created_at"], "as it was written before"


def test_a_contract_that_names_both_orders_reads_each_date_by_the_first_that_can(tmp_path):
    dates = "31/01/2025", "01/31/2025", "02/03/2025"
    (refusal,) = settle(tmp_path, {"leads.csv": dated(*dates)}).refused
    assert "`dateFormats: [d/M/yyyy, M/d/yyyy]`" in refusal.remedy
    both = "created_at: {column: created_at, dateFormats: [d/M/yyyy, M/d/yyyy]}"
    contract = contracts.Override("own.yaml", EXCLUDED.replace("created_at: created_at", both))
    rows = leads(*(f"L{n},C1,open,,5,{date},,0" for n, date in enumerate(dates)), header=f"{LEADS},deleted")
    (file,) = settle(tmp_path, {"leads.csv": rows}, overrides=[contract]).files
    column = contracts.entities([contract])["leads"].column("created_at")
    read = arrays.reader(column, file.mapping["created_at"])(pa.array(dates))
    assert [at.day for at in read.to_pylist()] == [31, 31, 2]


def test_what_has_happened_is_not_yet_to_come(tmp_path):
    """Month first would put two days of opening after the day of the run, so the other column is day first as well."""
    rows = leads(
        "L1,C1,won,,5,12/03/2025,12/05/2025", "L2,C1,won,,5,12/04/2025,12/05/2025", "L3,C1,open,,5,01/02/2025,"
    )
    (tmp_path / "leads.csv").write_text(rows)
    files = sources.scan(str(tmp_path), entities := contracts.entities()).files
    assert conventions.settle(files, entities, (), today=date(2026, 7, 1)).refused, (
        "one reading is as good as the other"
    )
    (file,) = conventions.settle(files, entities, (), today=date(2025, 6, 1)).files
    assert file.dates == {"created_at": ("d/M/yyyy",), "closed_at": ("d/M/yyyy",)}
    text = proposal.propose(str(tmp_path), "x", today=date(2025, 6, 1)).text
    assert text.count('dateFormats: ["d/M/yyyy"]') == 2
    assert "of its entries are such guesses" not in text


def test_a_contract_that_names_the_other_order_stops_the_file(tmp_path):
    named = contracts.Override(
        "own.yaml",
        "apiVersion: v3.1.0\nkind: DataContract\nid: own\nversion: 1.0.0\nstatus: active\nschema:\n"
        "  - name: leads\n    customProperties: [{property: dateFormats, value: [M/d/yyyy]}]\n",
    )
    assert not settle(tmp_path, {"leads.csv": dated("02/03/2025")}, overrides=[named]).refused
    (refusal,) = settle(tmp_path, {"leads.csv": dated("02/03/2025", "31/03/2025")}, overrides=[named]).refused
    assert "reads the month first, but '31/03/2025' has the day first" in refusal.problem


@pytest.mark.parametrize(
    ("statuses", "told"),
    [
        (["won", "Credit check", "Credit check"], "'Credit check' (2 rows) is no known spelling of status"),
        (["Wygrana", "Przegrana", "Wygrana", "Otwarta", "Otwarta"], "'Wygrana' (2 rows)"),
        (["won", "Credit check", "Approved", "Parked"], "'Credit check' (1 row), 'Approved' (1 row), 'Parked' (1 row)"),
        (["won", "maybe", "lost"], None),  # one row is a slip; it is refused alone
        (["Closed-Won", "IN PROGRESS", "lost"], None),
    ],
    ids=str,
)
def test_an_unknown_state_of_deals_stops_their_file(tmp_path, statuses, told):
    rows = [f"L{n},C1,{status},,5,2025-01-0{n + 1}," for n, status in enumerate(statuses)]
    settled = settle(tmp_path, {"leads.csv": leads(*rows)})
    assert [told in item.problem for item in settled.refused] == ([True] if told else [])


@pytest.mark.parametrize(("channels", "stops"), [(["Fax", "call"], False), (["Fax", "Telegram", "call"], True)])
def test_an_unknown_channel_is_told_where_it_counts_as_another(tmp_path, channels, stops):
    rows = [f"I{n},C1,{channel},neutral,2025-01-02" for n, channel in enumerate(channels)]
    header = "interaction_id,customer_id,channel,outcome,occurred_at"
    settled = settle(tmp_path, {"interactions.csv": leads(*rows, header=header)})
    assert ["is no known spelling of channel" in item.problem for item in settled.refused] == [True] * stops
    told = "interactions.csv: 'Fax' (1 row) is no known spelling of channel and counts as other"
    assert settled.notes == [told] * (not stops)


def test_stages_that_mean_won_without_a_won_deal_stop_the_file(tmp_path):
    rows = leads("L1,C1,open,Closed Won,5,2025-01-01,", "L2,C1,open,Proposal,5,2025-01-01,")
    (refusal,) = settle(tmp_path, {"leads.csv": rows}).refused
    assert "no deal is won, though 'Closed Won' (1 rows) says so" in refusal.problem
    assert not settle(tmp_path, {"leads.csv": rows.replace("open,Closed Won", "won,Closed Won")}).refused


@pytest.mark.parametrize(
    ("header", "values", "marked"),
    [
        ("IsDeleted", ["0", "1"], 1),
        ("_fivetran_deleted", ["false", "true"], 1),
        ("archived", ["FALSE", "FALSE"], 0),
        ("MasterRecordId", ["", "0015g00000A1bCd"], 1),
        ("MasterRecordId", ["000000000000000AAA", ""], 0),
        ("deleted_at", ["", "2025-03-01"], 1),
        ("Gelöscht", ["nein", "ja"], 1),
        ("merged_into_id", ["17", ""], 1),
        ("Record Status", ["Active", "Archived"], 1),
        ("Estado del registro", ["Activo", "Eliminado"], 1),
        ("Record State", ["Deleted on 2025-01-01 by Bob", "Live"], 1),
        ("Deletion Flag", ["", "X"], 1),
        ("hs_merged_object_ids", ["", "12;13"], 0),  # the record that stays
        ("Not deleted", ["yes", "yes"], 0),
    ],
    ids=str,
)
def test_rows_marked_as_deleted_or_merged_stop_their_file(tmp_path, header, values, marked):
    rows = [f"L{n},C1,won,,5,2025-01-01,,{value}" for n, value in enumerate(values)]
    settled = settle(tmp_path, {"leads.csv": leads(*rows, header=f"{LEADS},{header}")})
    assert [f"{header!r} marks {marked} of 2 rows" in item.problem for item in settled.refused] == [True] * bool(marked)


def test_a_contract_that_reads_the_mark_has_answered(tmp_path):
    rows = leads("L1,C1,won,,5,2025-01-01,,0", "L2,C1,won,,5,2025-01-01,,1", header=f"{LEADS},deleted")
    assert not settle(tmp_path, {"leads.csv": rows}, overrides=[contracts.Override("own.yaml", EXCLUDED)]).refused


@pytest.mark.parametrize(("merged", "refused"), [(("", "L1"), False), (("L2", ""), True)], ids=["told", "not told"])
def test_a_second_mark_matters_where_the_first_says_nothing(tmp_path, merged, refused):
    rows = [f"L{n},C1,won,,5,2025-01-01,,{n - 1},{into}" for n, into in enumerate(merged, 1)]
    files = {"leads.csv": leads(*rows, header=f"{LEADS},deleted,merged_into_id")}
    settled = settle(tmp_path, files, overrides=[contracts.Override("own.yaml", EXCLUDED)])
    assert ["'merged_into_id' marks 1 of" in item.problem for item in settled.refused] == [True] * refused


@pytest.mark.parametrize(("second", "refused"), [("7", True), ("5", False), ("", False)])
def test_two_columns_of_one_name_with_different_values_stop_the_file(tmp_path, second, refused):
    rows = leads(f"L1,C1,won,,5,2025-01-01,,{second}", header=f"{LEADS},Deal_Value")
    settled = settle(tmp_path, {"leads.csv": rows, "customers.csv": CUSTOMERS})
    assert ["two columns are named" in item.problem for item in settled.refused] == [True] * refused
    assert [file.entity for file in settled.files] == ["customers"] + ["leads"] * (not refused)


@pytest.mark.parametrize(
    ("texts", "forms", "ends", "dates"),
    [
        ([str(1_741_777_200_000 + n) for n in range(3_000)], {"0" * 13: ("1741777200000", 3_000)},
         {"1741777200000", "1741777202999"}, set()),
        ([f"{45_000 + n}.5" for n in range(2_000)], {"00000.0": ("45000.5", 2_000)}, {"45000.5", "46999.5"}, set()),
        ([f"{n % 28 + 1}. März 2025" for n in range(2_000)], {"0. März 0000": ("1. März 2025", 648), "00. März 0000": ("10. März 2025", 1_352)},
         set(), set()),
        ([f"{n % 28 + 1:02}/07/25 9:{n % 60:02}pm" for n in range(2_000)], {"00/00/00 0:00pm": ("01/07/25 9:00pm", 2_000)}, set(),
         {f"{n + 1:02}/07/25" for n in range(28)}),
        ([f"{n % 9 + 1}/3/2025" for n in range(1_000)] + ["31/12/2024 10:00"], {"M/d/yyyy": ("1/3/2025", 1_000), "M/d/yyyy H:mm": ("31/12/2024 10:00", 1)},
         set(), {"31/12/2024", *(f"{n + 1}/3/2025" for n in range(9))}),
    ],
    ids=["epoch", "serial", "month", "short", "slash"],
)  # fmt: skip
def test_what_dates_look_like_is_found_per_form_and_not_per_cell(monkeypatch, texts, forms, ends, dates):
    tried = []
    monkeypatch.setattr(cells, "_form", lambda shape, form=cells._form: (tried.append(shape), form(shape))[1])
    seen = cells.Seen()
    for batch in (texts[: len(texts) // 2], texts[len(texts) // 2 :]):
        cells._add(seen, pa.array([*batch, "", "2025-01-31"]), {"", "n/a"}, dates=True, listed=False)
    assert {form: (text, count) for form, (text, count) in seen.forms.items()} == forms
    assert ends <= seen.ends
    assert seen.dates == dates
    assert seen.filled == len(texts) + 2
    assert len(tried) <= 6


FLAGS = [
    ("Is Won", ["false", "true", "true", "false", "false", "false"], True),
    ("IsWon", ["1", "0", "0", "0", "0", "0"], False),
    ("Gewonnen", ["ja", "nein", "ja", "nein", "ja", "nein"], True),
    ("IsClosed", ["true", "true", "true", "true", "true", "true"], True),
    ("is_closed", ["1", "1", "0", "0", "0", "0"], False),
    ("Probability", ["100", "0", "0", "0", "0", "20"], True),
    ("Wahrscheinlichkeit (%)", ["100", "0", "100", "100", "100", "20"], True),
    ("Probability (%)", ["100", "0", "10", "30", "20", "20"], False),
]


@pytest.mark.parametrize(("header", "cells", "asked"), FLAGS, ids=[item[0] for item in FLAGS])
def test_a_run_without_a_contract_compares_states_with_what_the_system_says(tmp_path, header, cells, asked):
    states = ["won", "lost", "open", "open", "open", "open"]
    rows = [f"L{n},C1,{states[n]},,5,2025-01-0{n + 1},2025-02-01,{cell}" for n, cell in enumerate(cells)]
    settled = settle(tmp_path, {"leads.csv": leads(*rows, header=f"{LEADS},{header}")})
    assert ["'status': " in item.problem and header in item.problem for item in settled.refused] == [True] * asked


@pytest.mark.parametrize(
    ("header", "cells", "closed", "says"),
    [("Is Won", ("false", "true"), "2025-02-01", "6,000 of 12,000 deals that status says are open have Is Won true"),
     ("Probability", ("20", "100"), "2025-02-01", "6000 open deals have Probability 100: are they won?"),
     ("Note", ("a", "b"), "2024-02-01 10:00:00", "6000 of 11000 deals close before created_at")],
)  # fmt: skip
def test_a_run_without_a_contract_compares_every_row(tmp_path, header, cells, closed, says):
    first = [f"L{n},C1,open,,5,2025-01-01,{'' if n < 1000 else '2025-02-01'},{cells[0]}" for n in range(6000)]
    rows = [*first, *(f"M{n},C1,open,,5,2025-01-01,{closed},{cells[1]}" for n in range(6000))]
    (refusal,) = settle(tmp_path, {"leads.csv": leads(*rows, header=f"{LEADS},{header}")}).refused
    assert says in refusal.problem


@pytest.mark.parametrize(("closed", "asked"), [("2024-02-01", True), ("2025-12-01", False), ("01.02.2024", True)])
def test_a_run_without_a_contract_asks_when_most_deals_close_before_they_are_opened(tmp_path, closed, asked):
    rows = [f"L{n},C1,won,,5,2025-01-0{n + 1},{closed}" for n in range(6)]
    settled = settle(tmp_path, {"leads.csv": leads(*rows)})
    assert ["6 of 6 deals close before created_at" in item.problem for item in settled.refused] == [True] * asked
    assert settle(tmp_path, {}, accept=True).files


@pytest.mark.parametrize(
    ("dates", "kept", "told"),
    [
        (
            ["31/01/2025", "02/03/2025"],
            ("M/d/yyyy",),
            "created_at was read as M/d/yyyy, but its values are in d/M/yyyy",
        ),
        (["31/01/2025", "02/03/2025"], ("d/M/yyyy",), ""),
        (["24/05/06", "24/07/08"], ("d/M/yy since 1950",), "2024-05-06 (year first)"),
        (["1741777200000", "1741777300000"], (), "created_at was read as ISO 8601, but its values are in epoch ms"),
        (["2025-01-31", "2025-02-01"], (), ""),
    ],
    ids=str,
)
def test_doctor_names_tables_that_todays_evidence_reads_otherwise(tmp_path, dates, kept, told):
    """Bronze and the record of batches are enough: the exports are gone."""
    entities = contracts.entities([])
    (tmp_path / "leads.csv").write_text(dated(*dates))
    (file,) = sources.scan(str(tmp_path), entities).files
    batch = Batch.of((file.with_dates({"created_at": kept}),), datetime(2026, 1, 1))
    lake = Lakehouse(str(tmp_path / "lake"))
    table = pa.concat_tables(
        map(
            pa.table,
            ({n: b.column(n) for n in b.schema.names} for b in parsing.parse(file, [n for _, n in file.columns])),
        )
    )
    table = table.append_column("_batch_id", pa.array([batch.batch_id] * len(table)))
    write_deltalake(lake.path("bronze.leads"), table)
    row = {"batch_id": batch.batch_id, "state": "finished", "known_at": batch.known_at.replace(tzinfo=UTC), "recorded_at": batch.known_at.replace(tzinfo=UTC),
           "files": json.dumps([each.as_dict() for each in batch.files]), "origin": ""}  # fmt: skip
    write_deltalake(lake.path("ops.batches"), pa.Table.from_pylist([row]))
    (tmp_path / "leads.csv").unlink()
    (finding,) = doctor._readings(lake, ["ops.batches", "bronze.leads"], entities)
    assert (finding.about, finding.state) == ("leads", doctor.WARNING if told else doctor.OK)
    if told:
        assert finding.says.startswith("leads.csv: ")
        assert told in finding.says, finding.says
        assert "`medallion reprocess --entity leads --dry-run`" in finding.remedy


@pytest.mark.parametrize(
    ("name", "header", "says"),
    [
        ("leads.csv", "lead_id,customer_id,status,created_at,closed_at,Opportunity Value", "'deal_value' (deal_value)"),
        ("leads_2026-02.csv", "lead_id,customer_id,status,created_at,Ended,deal_value", "'closed_at' (closed_at)"),
        ("leads.csv", "lead_id,customer_id,status,created_at,closed_at,deal_value,Colour", ""),
        ("leads_de.csv", "lead_id,customer_id,status,created_at,closed_at", ""),  # a file of another kind
    ],
)
def test_a_later_file_of_a_kind_does_not_empty_what_the_one_before_it_filled(tmp_path, name, header, says):
    (tmp_path / "before").mkdir()
    whole = "lead_id,customer_id,status,deal_value,created_at,closed_at"
    before = settle(tmp_path / "before", {"leads.csv": leads("L1,C1,won,5,2025-01-02,2025-02-03", header=whole)}).files
    settled = settle(tmp_path, {name: leads("L1,C1,won,2025-01-02,2025-02-03,9", header=header)}, earlier=before)
    assert [says in item.problem for item in settled.refused] == [True] * bool(says)
    if "Opportunity" in header:
        assert 'as `deal_value: {column: "Opportunity Value"}`' in settled.refused[0].remedy


def test_a_word_for_the_end_of_a_deal_is_no_slip(tmp_path):
    rows = [f"L{n},C1,{status},,5,2025-01-02," for n, status in enumerate(["open"] * 9 + ["Abandoned"])]
    (refusal,) = settle(tmp_path, {"leads.csv": leads(*rows)}).refused
    assert "'Abandoned' (1 row) is no known spelling of status" in refusal.problem


@pytest.mark.parametrize("error", ["#N/A", "#REF!", "#NV", "#BEZUG!", "#VALEUR!", "#DIV/0!", "#########"])
def test_errors_of_spreadsheets_are_told_and_empty(tmp_path, error):
    rows = [f"L{n},C1,open,,{error if n == 2 else 5},2025-01-02," for n in range(4)]
    assert settle(tmp_path, {"leads.csv": leads(*rows)}).notes == [
        f"leads.csv: 'deal_value': 1 cell of 4 has an error of a spreadsheet such as {error!r} and is empty"
    ]
    (refusal,) = settle(
        tmp_path, {"leads.csv": leads(*(f"L{n},C1,open,,{error},2025-01-02," for n in range(4)))}
    ).refused
    assert "4 cells of 4 have an error of a spreadsheet" in refusal.problem
    assert error.lower() in contracts.entities()["leads"].placeholders


@pytest.mark.parametrize(
    ("named", "written"),
    [("{sql: date_2}", "closed_date"), ("{column: Date}", "created_date"), ("{column: Shade}", "")],
)
def test_a_contract_that_names_a_column_as_before_two_header_rows_is_told_its_name(tmp_path, named, written):
    contract = contracts.Override(
        "own",
        EXCLUDED.partition("          - file")[0]
        + f"""          - file: "leads*"
            columns:
              lead_id: lead_id
              customer_id: customer_id
              status: status
              created_at: {{sql: created_date}}
              closed_at: {named}
""",
    )
    (tmp_path / "leads.csv").write_text(
        ",,,Created,,Closed,\nlead_id,customer_id,status,Date,By,Date,By\nL1,C1,won,2025-01-02,Ann,2025-02-03,Ben\n"
    )
    refused = sources.scan(str(tmp_path), contracts.entities([contract])).refused
    assert [item.remedy for item in refused] == [f"Write {written} in the contract."] * bool(written)
