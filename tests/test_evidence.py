"""What the records of an export decide, and what is asked where they do not: amounts, dates, keys, totals, states."""

from __future__ import annotations

from calendar import timegm
from dataclasses import replace
from datetime import date

import duckdb
import pyarrow as pa
import pytest
import sqlglot
import xlsxwriter

from medallion import contracts, proposal, sources
from medallion.cells import arrays
from medallion.contracts import CONFIDENT, Filling, Override
from medallion.contracts.odcs import code
from medallion.pipeline import amounts, conventions, hold
from medallion.proposal import profile, vocabulary
from medallion.sources import units


@pytest.fixture
def proposed(tmp_path):
    """`proposed(header, rows)` proposes a contract for one table of deals; gives what fills its columns."""

    def propose(header: str, rows: list[str], name: str = "deals.csv"):
        (tmp_path / name).write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
        found = proposal.propose(str(tmp_path), "x")
        table = next(t for t in found.tables if t["entity"] == "leads")
        return {c["column"]: c for c in found.columns if c["entity"] == "leads"}, table, found.text

    return propose


def asked(columns) -> list[str]:
    return [name for name, item in columns.items() if item["confidence"] < CONFIDENT]


def deals(count: int, *cells: str, sep: str = ",") -> list[str]:
    """Rows of deals of which every third is won, lost, open; `{n}`, `{d}` and the like are filled in."""
    states = ["Closed Won", "Closed Lost", "Prospecting"]
    rows = []
    for n in range(count):
        day = f"{n % 28 + 1:02}"
        values = {"n": n + 1, "d": day, "state": states[n % 3], "amount": 1000 + n * 37, "firm": f"Firm {n % 5}"}
        values |= {
            "end": f"2025-03-{day}" if n % 3 < 2 else "",
            "plan": f"2025-03-{day}" if n % 3 < 2 else f"2026-09-{day}",
        }
        values |= {"won": values["amount"] + 5 if n % 3 == 0 else ""}
        rows.append(sep.join(cell.format(**values) for cell in cells))
    return rows


# the day of closing in two columns

ENDS = [("Zeitpunkt des Gewinns", "Zeitpunkt des Verlusts"), ("Gagnée le", "Perdue le"), ("X1", "X2")]


@pytest.mark.parametrize(("won", "lost"), ENDS)
@pytest.mark.parametrize("dotted", [False, True], ids=["ISO", "dotted"])
def test_days_of_winning_and_of_losing_are_the_day_of_closing(proposed, won, lost, dotted):
    """Beside a planned day, which was taken where it was past for all that are closed and to come for the others."""
    rows = []
    for row in deals(18, "D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", "{plan}", "{end}"):
        *cells, end = row.split(",")
        if dotted and end:
            end = ".".join(reversed(end.split("-")))
        rows.append(",".join([*cells, end if "Won" in row else "", end if "Lost" in row else ""]))
    columns, _, _ = proposed(f"Deal ID,Company,Status,Amount,Created,Erwartetes Abschlussdatum,{won},{lost}", rows)
    first, second = code(won), code(lost)
    assert columns["closed_at"]["from"] == f"coalesce(nullif(trim(`{first}`), ''), `{second}`)"
    assert columns["expected_close_date"]["from"] == "Erwartetes Abschlussdatum"
    assert asked(columns) == (["closed_at"] if won == "X1" else [])


def test_days_that_say_they_are_none_are_filled_by_the_others(proposed):
    rows = [
        ",".join(
            [
                *row.split(",")[:-1],
                row.split(",")[-1] if "Won" in row else "N/A",
                row.split(",")[-1] if "Lost" in row else "",
            ]
        )
        for row in deals(18, "D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", "{end}")
    ]
    columns, _, _ = proposed("Deal ID,Company,Status,Amount,Created,Won on,Lost on", rows)
    assert columns["closed_at"]["from"] == "CASE WHEN trim(`won_on`) IN ('', 'N/A') THEN `lost_on` ELSE `won_on` END"


def test_a_header_whose_words_have_their_kind_before_them_is_one(tmp_path):
    """A record was taken for it, since its cells are words for columns too."""
    head = ",".join(f"Aktivität - {word}" for word in ("ID", "Betreff", "Typ", "Erledigt", "Fälligkeitsdatum"))
    (tmp_path / "activities.csv").write_text(
        f"{head}\n1,Betreff,Meeting,Erledigt,2025-03-04\n2,Termin,Anruf,Status,2025-03-05\n"
    )
    (table,) = profile.tables(str(tmp_path), vocabulary.known)
    assert [column.header for column in table.columns] == head.split(",")


# amounts

AMOUNTS = [
    # headers of the amounts expected, brought in, weighted
    ("Est. Revenue", "Actual Revenue", "Weighted Revenue"),
    ("Geschätzter Umsatz", "Tats. Umsatz", "Gew. Umsatz"),
    ("Montant prévu", "Montant réel", "Montant pondéré"),
    ("Importe estimado", "Importe real", "Importe ponderado"),
    ("Wartość szacowana", "Wartość rzeczywista", "Wartość ważona"),
]


@pytest.mark.parametrize("headers", AMOUNTS, ids=[item[0] for item in AMOUNTS])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)], ids=["", "weighted first"])
def test_the_actual_amount_counts_before_the_expected_and_never_the_weighted(proposed, headers, order):
    cells = ("{amount}", "{won}", "{n}")
    header = ";".join(["Deal ID", "Company", "Status", *(headers[place] for place in order), "Created", "Close Date"])
    rows = deals(12, "D{n}", "{firm}", "{state}", *(cells[place] for place in order), "2025-01-{d}", "{end}", sep=";")
    columns, _, _ = proposed(header, rows)
    assert columns["deal_value"]["reason"] == f"{headers[1]} where there is one, else {headers[0]}"
    assert asked(columns) == []


@pytest.mark.parametrize(
    "cell", ["43.{n}00,-", "350,-", "4'{n}00.-", "350.–", "1,{n}00.--", "1.{n}00,- USD", "$ 4{n}0.–"]
)
def test_a_dash_in_place_of_decimals_is_read(proposed, cell):
    rows = deals(9, "D{n}", "{firm}", "{state}", cell, "2025-01-{d}", "{end}", sep=";")
    columns, _, _ = proposed("Deal ID;Company;Status;Amount;Created;Close Date", rows)
    assert (columns["deal_value"]["from"], asked(columns)) == ("Amount", [])


def test_an_amount_before_the_weighted_one(proposed):
    rows = deals(9, "D{n}", "{firm}", "{state}", "{n}", "{amount}", "2025-01-{d}", "{end}")
    columns, _, _ = proposed("Deal ID,Company,Stage,Weighted Amount,Amount,Created,Close Date", rows)
    assert columns["deal_value"]["from"] == "Amount"


def test_a_weighted_amount_alone_is_asked_about(proposed):
    rows = deals(9, "D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", "{end}")
    columns, _, _ = proposed("Deal ID,Company,Stage,Montant pondéré,Created,Close Date", rows)
    assert asked(columns) == ["deal_value"]


def test_an_unnamed_amount_is_asked_about_with_its_candidates(proposed):
    rows = deals(9, "D{n}", "{firm}", "{state}", "{amount}.50", "{n}0", "2025-01-{d}", "{end}")
    columns, _, _ = proposed("Deal ID,Company,Stage,Figure A,Probability,Created,Close Date", rows)
    assert "is it 'Figure A' (" in columns["deal_value"]["reason"]
    assert asked(columns) == ["deal_value"]


VALUES = [
    # headers of two amounts, and the one that is proposed as the value of a deal
    ("MRR", "TCV", "TCV"),
    ("ARR", "TCV", "TCV"),
    ("Budget", "Offer Value", "Offer Value"),
    ("Monatlicher Wert", "Angebotswert", "Angebotswert"),
    ("Target Value", "Order Value", "Order Value"),
    ("Gross Amount", "Net Amount", "Net Amount"),
]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("one", "two", "chosen"), VALUES, ids=[item[0] for item in VALUES])
def test_of_several_amounts_that_may_be_the_value_of_a_deal_all_are_named(proposed, one, two, chosen, turned):
    headers = (two, one) if turned else (one, two)
    rows = deals(9, "D{n}", "{firm}", "{state}", "1{amount}.50", "{amount}.25", "2025-01-{d}", "{end}")
    columns, _, _ = proposed(f"Deal ID,Company,Stage,{','.join(headers)},Created,Close Date", rows)
    assert (columns["deal_value"]["from"], asked(columns)) == (chosen, ["deal_value"])
    assert f"which is the value of a deal: {chosen} (" in columns["deal_value"]["reason"]
    assert one in columns["deal_value"]["reason"]


@pytest.mark.parametrize(
    "header", ["MRR", "Kundenbudget Budget", "Einzelpreis Summe", "Discount Amount", "Monthly Amount"]
)
def test_an_amount_that_is_no_value_of_a_deal_is_asked_about_alone(proposed, header):
    rows = deals(9, "D{n}", "{firm}", "{state}", "{amount}.50", "2025-01-{d}", "{end}")
    columns, _, _ = proposed(f"Deal ID,Company,Stage,{header},Created,Close Date", rows)
    assert asked(columns) == ["deal_value"]


def test_a_price_per_piece_is_asked_about_as_what_it_comes_to_with_the_quantity(proposed):
    rows = deals(9, "D{n}", "{firm}", "{state}", "{amount}.50", "{n}", "2025-01-{d}", "{end}")
    columns, _, _ = proposed("Deal ID,Company,Stage,Unit Price,Quantity,Created,Close Date", rows)
    assert asked(columns) == ["deal_value"]
    assert "is the value of a deal Unit Price times Quantity?" in columns["deal_value"]["reason"]
    assert "`unit_price`" in columns["deal_value"]["from"]
    assert "`quantity`" in columns["deal_value"]["from"]


@pytest.mark.parametrize(
    "price",
    ["1.500,- €", "€ 1.500,-", "1.500,– EUR", "CHF 1'500.-", "Fr. 1'500.00", "1.500,00 €", "1500.50", "1.500,00 Fr.", "Fr. 1.500,00",
     "1,500.00 Fr.", "1.500,00 руб.", "1 500,00 руб", "1.500,00 лв.", "1 500,00 грн.", "Rs. 1,500.00", "S/. 1,500.00", "1.500,00 kr."],
)  # fmt: skip
def test_a_price_per_piece_times_its_quantity_is_what_its_cells_say(proposed, price):
    rows = deals(9, "D{n}", "{firm}", "{state}", price, "3", "2025-01-{d}", "{end}", sep=";")
    columns, _, _ = proposed("Deal ID;Company;Stage;Unit Price;Quantity;Created;Close Date", rows)
    product = sqlglot.transpile(columns["deal_value"]["from"], read="spark", write="duckdb")[0]
    ((value,),) = duckdb.execute(f"select {product} from (select ? as unit_price, '3' as quantity)", [price]).fetchall()
    assert float(value) == (4501.5 if price == "1500.50" else 4500)


@pytest.mark.parametrize(
    ("usual", "other"),
    [("1,500.50", "1.500,50"), ("1.500,50 €", "1,500.50 €"), ("1500.50", "1500,5"), ("15.50", "(15.50)"), ("15.50", "15.50-"), ("15.50", "−15.50")],
)  # fmt: skip
def test_a_price_that_is_not_written_as_the_others_is_none_rather_than_another(proposed, usual, other):
    rows = deals(9, "D{n}", "{firm}", "{state}", usual, "3", "2025-01-{d}", "{end}", sep=";")
    columns, _, _ = proposed("Deal ID;Company;Stage;Unit Price;Quantity;Created;Close Date", rows)
    product = sqlglot.transpile(columns["deal_value"]["from"], read="spark", write="duckdb")[0]
    ((value,),) = duckdb.execute(f"select {product} from (select ? as unit_price, '3' as quantity)", [other]).fetchall()
    assert value is None


@pytest.mark.parametrize("beside", ["MRR", "ARR", "Budget", "Unit Price", "Discount Amount", "Margin", "Cost"])
def test_a_plain_amount_is_the_value_of_a_deal_whatever_is_beside_it(proposed, beside):
    rows = deals(9, "D{n}", "{firm}", "{state}", "1{n}.25", "{amount}.50", "2025-01-{d}", "{end}")
    columns, _, _ = proposed(f"Deal ID,Company,Stage,{beside},Amount,Created,Close Date", rows)
    assert (columns["deal_value"]["from"], asked(columns)) == ("Amount", [])


TWINS = [
    # header and cell of the amount, of its twin
    ("value", "{amount}00", "value_formatted", '"${amount}.00"'),
    ("Amount", "{amount}50", "Printed", "${amount}.50"),
    ("deal_amount", "{amount}00", "Betrag lesbar", '"{amount},00 €"'),
    ("amount_cents", "{amount}00", "Stufe", "A"),
]


@pytest.mark.parametrize("twin", TWINS, ids=[item[0] for item in TWINS])
def test_hundredths_are_told_by_a_twin_or_by_the_header(proposed, tmp_path, twin):
    mine, cell, other, formatted = twin
    rows = deals(9, "D{n}", "{firm}", "{state}", cell, formatted, "2025-01-{d}", "{end}")
    columns, _, _ = proposed(f"Deal ID,Company,Stage,{mine},{other},Created,Close Date", rows)
    assert (columns["deal_value"]["from"], columns["deal_value"]["unit"]) == (mine, "cents")


@pytest.mark.parametrize(("own", "twin"), [("12", "1200"), ("1.5", "1500.00")])
def test_thousands_beside_a_twin_are_asked_about_or_left(proposed, own, twin):
    """A column in thousands is no amount in hundredths."""
    rows = deals(9, "D{n}", "{firm}", "{state}", own, f"${twin}", "2025-01-{d}", "{end}")
    columns, _, _ = proposed("Deal ID,Company,Stage,Amount,Printed,Created,Close Date", rows)
    assert "/ 100" not in str(columns["deal_value"]["from"])


SCALES = [
    # header, cell, unit, and what the cell comes to
    ("Angebotswert (kEUR)", '"52,75"', "thousands", "52,750.00"),
    ("Umsatz (T€)", '"52,75"', "thousands", "52,750.00"),
    ("Amount ($K)", "52.75", "thousands", "52,750.00"),
    ("Amount (in thousands)", "52.75", "thousands", "52,750.00"),
    ("Value '000", "52.75", "thousands", "52,750.00"),
    ("Auftragswert in Mio. EUR", '"1,25"', "millions", "1,250,000.00"),
    ("Betrag (Mio. EUR)", '"0,0925"', "millions", "92,500.00"),
    ("Umsatz (Mrd. EUR)", '"1,25"', "billions", "1,250,000,000.00"),
    ("金额万元", "52.75", "ten thousands", "527,500.00"),
    ("売上千円", "52.75", "thousands", "52,750.00"),
    ("金額（千圓）", "52.75", "thousands", "52,750.00"),
    ("金額（百萬）", "52.75", "millions", "52,750,000.00"),
    ("금액(백만원)", "52.75", "millions", "52,750,000.00"),
    ("금액(천원)", "52.75", "thousands", "52,750.00"),
    ("금액(십억원)", "1.25", "billions", "1,250,000,000.00"),
    ("Amount (Rs. Crs)", "1.25", "crores", "12,500,000.00"),
    ("Deal Value (₹ Cr)", "1.25", "crores", "12,500,000.00"),
]
#: What numbers records, sets debits beside credits or is a name says no unit of an amount.
NO_SCALES = [
    "CR Number",
    "Amount Dr/Cr",
    "Amount (Debit/Cr)",
    "Account CR",
    "Cr",
    "万科",
    "千葉",
    "Crew",
    "百分比",
    "Amount",
]


@pytest.mark.parametrize(("header", "cell", "unit", "whole"), SCALES, ids=[item[0] for item in SCALES])
def test_the_unit_that_a_header_says_is_proposed_and_asked_about(proposed, header, cell, unit, whole):
    rows = deals(9, "D{n}", "{firm}", "{state}", cell, "2025-01-{d}", "{end}")
    columns, _, text = proposed(f"Deal ID,Company,Stage,{header},Created,Close Date", rows)
    assert "deal_value" in asked(columns)
    shown = cell.strip('"')
    assert f"says {unit}: is '{shown}' {whole} (`unit: {unit}`)?" in columns["deal_value"]["reason"]
    (source,) = contracts.entities([Override("x", text)])["leads"].sources
    assert source.columns["deal_value"].unit == unit


@pytest.mark.parametrize("header", NO_SCALES)
def test_what_says_no_unit_is_not_read_as_one(header):
    assert units.scale(header) is None


@pytest.mark.parametrize("header", ["금액(백만원)", "金额万元", "Zuschlag Mio. EUR"])
def test_whole_figures_that_differ_are_no_numbers_of_records_under_a_unit(proposed, header):
    rows = deals(9, "D{n}", "{firm}", "{state}", "1{n}", "2025-01-{d}", "{end}")
    columns, _, _ = proposed(f"Deal ID,Company,Stage,{header},Created,Close Date", rows)
    assert (columns["deal_value"]["from"], asked(columns)) == (header, ["deal_value"])
    assert units.scale(header) == columns["deal_value"]["unit"]


def test_a_unit_that_no_contract_has_is_asked_about(proposed):
    rows = deals(9, "D{n}", "{firm}", "{state}", "52.75", "2025-01-{d}", "{end}")
    columns, _, _ = proposed("Deal ID,Company,Stage,金額（千億円）,Created,Close Date", rows)
    assert "deal_value" in asked(columns)
    assert "says a unit that no contract has" in columns["deal_value"]["reason"]


def test_thousands_that_the_cells_say_too_are_not_counted_twice(proposed):
    rows = deals(9, "D{n}", "{firm}", "{state}", "{n}.5k", "2025-01-{d}", "{end}")
    columns, _, _ = proposed("Deal ID,Company,Stage,Amount (k),Created,Close Date", rows)
    assert "unit" not in columns["deal_value"] or columns["deal_value"]["unit"] is None


@pytest.mark.parametrize("twin", TWINS[:2], ids=[item[0] for item in TWINS[:2]])
def test_a_run_without_a_contract_does_not_take_hundredths_for_the_whole(tmp_path, twin):
    _, cell, other, formatted = twin
    rows = deals(9, "D{n}", "A1", "won", cell, formatted, "2025-01-{d}", "{end}")
    header = f"lead_id,customer_id,status,deal_value,{other},created_at,closed_at"
    (tmp_path / "leads.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    entities = contracts.entities()
    (file,) = sources.scan(str(tmp_path), entities).files
    (refusal,) = amounts.refused([file], entities)
    assert "has 100 times the amounts of" in refusal.problem or "amounts such as" in refusal.problem


DOTTED = [
    # amounts                                     -> decimal comma, and whether it is asked
    (["93.333", "1.250", "850"], True, True),
    (["1.234.567", "93.333"], True, False),
    (["0,0925", "0,125", "2,5"], True, False),
    (["93.333", "1.250,50"], True, False),
    (["93333.250", "850.125"], False, False),
    (["93,333", "1,250"], False, False),
]


@pytest.mark.parametrize(("amounts_", "comma", "is_asked"), DOTTED, ids=[str(item[0]) for item in DOTTED])
def test_dots_that_may_be_thousands_are_asked_about(proposed, amounts_, comma, is_asked):
    rows = deals(12, "D{n}", "{firm}", "{state}", "@", "2025-01-{d}", "{end}", sep=";")
    rows = [row.replace("@", amounts_[n % len(amounts_)]) for n, row in enumerate(rows)]
    columns, _, text = proposed("Deal ID;Company;Stage;Amount;Created;Close Date", rows)
    assert ("decimalComma: true" in text) == comma
    assert asked(columns) == ["deal_value"] * is_asked


def test_amounts_that_a_decimal_comma_would_read_are_refused_with_that_remedy():
    reason = hold.Reason("deal_value: cannot be read as an amount in USD", 30, 2, "'93.333'")
    assert "say `decimalComma: true` for leads.deal_value" in hold.conversion("leads", [reason])
    assert hold.conversion("leads", [replace(reason, value="'call me'")]) == ""


def test_durations_of_hours_minutes_and_seconds_have_a_hint_that_reads_them(proposed, tmp_path):
    """The header is too unsure to be taken: what is written there can be taken as it stands."""
    rows = ["T1,F1,Call,2025-01-02,Done,00:30:00", "T2,F1,Call,2025-01-03,Done,01:15:31"]
    calls = "Record ID,Account,Type,Activity date,Outcome,Call duration (HH:mm:ss)\n"
    (tmp_path / "calls.csv").write_text(calls + "\n".join(rows) + "\n")
    _, _, text = proposed(
        "Deal ID,Company,Stage,Amount,Created,Close Date",
        deals(9, "D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", "{end}"),
    )
    assert "duration_minutes: {sql: " in text
    column = contracts.entities()["interactions"].column("duration_minutes")
    read = arrays.reader(column, Filling(column="x"))(pa.array(["00:30:00", "01:15:31", "45", "1:30"]))
    assert read.to_pylist() == [30, 76, 45, None]


CREDITS = ["-250.00", "(250.00)", "250.00-"]


@pytest.mark.parametrize("credit", CREDITS)
def test_credits_are_proposed_and_asked_about(proposed, credit):
    rows = [*deals(9, "D{n}", "{firm}", "{state}", "{amount}.00", "2025-01-{d}", "{end}"),
            f"D99,Firm 1,Closed Won,{credit},2025-01-05,2025-02-05"]  # fmt: skip
    columns, _, text = proposed("Deal ID,Company,Stage,Amount,Created,Close Date", rows)
    assert asked(columns) == ["deal_value"]
    assert "1 are below 0" in columns["deal_value"]["reason"]
    entities = contracts.entities([Override("x", text)])
    assert entities["leads"].column("deal_value").minimum is not None
    assert float(entities["leads"].column("deal_value").minimum) < 0


COMPANY = [
    ("Amount (converted) Currency,Amount (converted)", "Amount Currency"),
    ("Amount in company currency (EUR)", "Currency"),
    ("Betrag in Firmenwährung EUR", "Währung"),
]


@pytest.mark.parametrize(("own", "named"), COMPANY, ids=[item[0] for item in COMPANY])
def test_amounts_in_the_currency_of_the_company_count_where_the_file_names_it(proposed, own, named):
    mine = ("EUR", "{amount}") if "," in own else ("{amount}",)
    rows = [row.replace("XXX", ("USD", "EUR", "CHF")[n % 3])
            for n, row in enumerate(deals(9, "D{n}", "{firm}", "{state}", "XXX", "{n}00", *mine, "2025-01-{d}", "{end}"))]  # fmt: skip
    columns, _, text = proposed(f"Deal ID,Company,Stage,{named},Amount,{own},Created,Close Date", rows)
    assert columns["deal_value"]["from"] == own.split(",")[-1]
    assert asked(columns) == ["deal_value"]
    assert contracts.entities([Override("x", text)])["leads"].currency == "EUR"


# dates

CLOSING = [
    ("Est. Close Date", "Actual Close Date"),
    ("Target close", "Close date"),
    ("Gesch. Abschlussdatum", "Tats. Abschlussdatum"),
    ("Date de clôture prévue", "Date de clôture réelle"),
    ("Fecha de cierre prevista", "Fecha de cierre real"),
]


@pytest.mark.parametrize(("plan", "end"), CLOSING, ids=[item[0] for item in CLOSING])
@pytest.mark.parametrize("turned", [False, True])
def test_deals_close_on_the_actual_day_and_not_on_the_planned_one(proposed, plan, end, turned):
    pairs = [(plan, "{plan}"), (end, "{end}")][:: -1 if turned else 1]
    rows = deals(12, "D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", *(cell for _, cell in pairs))
    columns, _, _ = proposed(",".join(["Deal ID,Company,Stage,Amount,Created", *(header for header, _ in pairs)]), rows)
    assert (columns["closed_at"]["from"], columns["expected_close_date"]["from"]) == (end, plan)


def test_a_day_that_was_planned_is_that_of_closing_when_it_is_past_for_closed_deals_alone(proposed):
    rows = deals(24, "D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", "{plan}")
    columns, _, _ = proposed("Deal ID,Company,Stage,Amount,Created,Expected Close Date", rows)
    assert (columns["closed_at"]["from"], asked(columns)) == ("Expected Close Date", [])


@pytest.mark.parametrize("header", ["Expected Close Date", "Voraussichtlicher Abschluss", "Cierre previsto"])
def test_closed_deals_never_silently_count_on_the_day_they_were_opened(proposed, tmp_path, header):
    """The planned day of closed deals is to come, so that the values do not tell."""
    rows = deals(24, "D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", "2026-09-{d}")
    columns, _, _ = proposed(f"Deal ID,Company,Stage,Amount,Created,{header}", rows)
    assert asked(columns) == ["closed_at"]


def test_a_run_without_a_contract_asks_when_deals_were_closed(tmp_path):
    header = "lead_id,customer_id,status,deal_value,created_at,expected_close_date"
    rows = deals(9, "D{n}", "A1", "won", "{amount}", "2025-01-{d}", "2025-03-{d}")
    (tmp_path / "leads.csv").write_text("\n".join([header, *rows]) + "\n")
    entities = contracts.entities()
    files = sources.scan(str(tmp_path), entities).files
    settled = conventions.settle(files, entities, [])
    assert "9 deals are won or lost and no column says when" in settled.refused[0].problem
    assert conventions.settle(files, entities, [], accept=True).refused == []


@pytest.mark.parametrize("header", ["Ended", "Decided", "Ukończono"])
def test_a_column_that_only_closed_deals_have_is_the_day_of_closing(proposed, header):
    rows = deals(18, "D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", "{end}")
    columns, _, _ = proposed(f"Deal ID,Company,Stage,Amount,Created,{header}", rows)
    assert (columns["closed_at"]["from"], asked(columns)) == (header, [])


@pytest.mark.parametrize("header", ["Final Price", "Final Contract No", "Closed Amount", "Terminal"])
def test_figures_under_a_name_for_something_else_are_no_days_of_closing(proposed, header):
    rows = [
        f"{row}{45000 + n if n % 3 < 2 else ''}"
        for n, row in enumerate(deals(18, "D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", ""))
    ]
    columns, _, _ = proposed(f"Deal ID,Company,Stage,Amount,Created,{header}", rows)
    assert columns.get("closed_at", {}).get("from") != header


@pytest.mark.parametrize("header", ["Final Payment", "Terminal", "Closed Contract Sent"])
def test_a_day_of_something_final_of_few_deals_is_no_day_of_closing_unasked(proposed, header):
    rows = deals(6, "D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", "{end}")
    columns, _, _ = proposed(f"Deal ID,Company,Stage,Amount,Created,{header}", rows)
    assert asked(columns) == ["closed_at"]


@pytest.mark.parametrize("header", ["Closed", "Geschlossen", "Cerrada el"])
@pytest.mark.parametrize("count", [3, 6, 12])
def test_a_column_named_closed_of_few_deals_is_the_day_of_closing(proposed, header, count):
    rows = deals(count, "D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", "{end}")
    columns, _, _ = proposed(f"Deal ID,Company,Stage,Amount,Opened,{header}", rows)
    assert (columns["closed_at"]["from"], asked(columns)) == (header, [])


@pytest.mark.parametrize(
    ("month", "read"),
    [("2025-03", 'dateFormats: ["yyyy-M"]'), ("03/2025", 'dateFormats: ["M/yyyy"]'), ("2025-W12", "make_date(")],
)
def test_the_month_of_closing_counts_before_a_planned_day_and_is_asked_about(proposed, month, read):
    rows = [
        f"{row}{month if n % 3 < 2 else ''}"
        for n, row in enumerate(deals(12, "D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", "2026-09-{d}", ""))
    ]
    columns, _, text = proposed("Deal ID,Company,Stage,Amount,Created,Expected Close,Closed Month", rows)
    assert (columns["expected_close_date"]["from"], asked(columns)) == ("Expected Close", ["closed_at"])
    assert "is each to count as its first day?" in columns["closed_at"]["reason"]
    assert read in text


@pytest.mark.parametrize(
    ("header", "form", "needed"),
    [
        ("Closed", lambda day: f"{(day - date(1899, 12, 30)).days}.71875", ["serial 1900"]),
        ("Abschluss am", lambda day: f"{day:%d.%m.%y}", ["d.M.yy since 1950"]),
        ("Clôture", lambda day: str(timegm(day.timetuple()) * 1000), ["epoch ms"]),
    ],
)
def test_the_day_of_closing_is_found_however_its_column_is_written(proposed, header, form, needed):
    """Figures that would be dates, and years of two digits, in a column that only closed deals have."""
    rows = [
        f"{row}{form(date(2025, 3, n % 28 + 1)) if n % 3 < 2 else ''}"
        for n, row in enumerate(deals(30, "D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", ""))
    ]
    columns, _, text = proposed(f"Deal ID,Company,Stage,Amount,Created,{header}", rows)
    assert columns["closed_at"]["from"] == header
    assert all(each in text for each in needed)


def test_deals_that_close_before_they_open_are_asked_about(proposed):
    rows = deals(12, "D{n}", "{firm}", "{state}", "{amount}", "2025-06-{d}", "{end}")
    columns, _, _ = proposed("Deal ID,Company,Stage,Amount,Created,Close Date", rows)
    assert "8 of 8 deals close before Created" in columns["closed_at"]["reason"]
    assert asked(columns) == ["closed_at"]


def test_one_order_of_days_is_one_question(proposed):
    rows = ["D1,Firm 1,won,5,03/05/2025,04/06/2025", "D2,Firm 1,lost,5,03/06/2025,05/07/2025"]
    columns, table, text = proposed("Deal ID,Company,Status,Amount,Created,Close Date", rows)
    assert asked(columns) == []
    assert table["to_review"] == ["the entity"]
    assert "day or month first in '03/05/2025'? in Created and Close Date: dateFormats has the answer" in text
    (source,) = contracts.entities([Override("x", text)])["leads"].sources
    assert "M/d/yyyy" in source.date_formats


# keys, totals, groups

PAIRS = [
    ("Branch,Number", ("Graz", "Ulm")),
    ("Mandant,Nr", ("10", "20")),
    ("Oddział,Numer", ("Łódź", "Kraków")),
]


@pytest.mark.parametrize(("headers", "places"), PAIRS, ids=[item[0] for item in PAIRS])
def test_two_columns_are_the_key_where_neither_is(proposed, tmp_path, headers, places):
    rows = [f"{places[n % 2]},{n // 2 + 1},{row}"
            for n, row in enumerate(deals(12, "{firm}", "{state}", "{amount}", "2025-01-{d}", "{end}"))]  # fmt: skip
    columns, _, text = proposed(f"{headers},Company,Stage,Amount,Created,Close Date", rows)
    assert asked(columns) == []
    entities = contracts.entities([Override("x", text)])
    (source,) = entities["leads"].sources
    assert source.key == tuple(headers.split(","))
    (file,) = [file for file in sources.scan(str(tmp_path), entities).files if file.entity == "leads"]
    assert str(file.mapping["lead_id"].sql).startswith("concat(nullif(trim(`")


FLAGS = [
    ("Is Test", "TRUE", "FALSE"),
    ("Dummy", "x", ""),
    ("Intern", "Ja", "Nein"),
    ("Es prueba", "sí", "no"),
    ("Duplicate", "1", "0"),
]


@pytest.mark.parametrize(("header", "yes", "no"), FLAGS, ids=[item[0] for item in FLAGS])
def test_a_flag_of_tests_and_copies_is_asked_about(proposed, tmp_path, header, yes, no):
    rows = deals(9, "D{n}", "A{n}", "won", "{amount}", "2025-01-{d}", "2025-02-{d}")
    rows = [f"{row},{yes if n < 2 else no}" for n, row in enumerate(rows)]
    _, _, text = proposed(f"Deal ID,Account ID,Status,Amount,Created Date,Close Date,{header}", rows)
    (line,) = [line for line in text.splitlines() if line.strip().startswith("where:") and "confidence: 0.6" in line]
    assert f"{header} marks 2 of 9 rows: are these tests, copies or others that do not count?" in line
    entities = contracts.entities()
    (refusal,) = conventions.settle(sources.scan(str(tmp_path), entities).files, entities, []).refused
    assert f"'{header}' marks 2 of 9 rows as tests, copies or the like" in refusal.problem
    counted = contracts.entities([Override("x", text.replace("confidence: 0.6, ", ""))])
    assert conventions.settle(sources.scan(str(tmp_path), counted).files, counted, []).refused == []


def test_a_flag_of_tests_that_no_row_has_is_not_asked_about(proposed):
    rows = deals(9, "D{n}", "A{n}", "won", "{amount}", "2025-01-{d}", "2025-02-{d}", "FALSE")
    _, _, text = proposed("Deal ID,Account ID,Status,Amount,Created Date,Close Date,Is Test", rows)
    assert "where:" not in text


def lines(count: int, *cells: str) -> list[str]:
    """Rows of deals in two or three lines each; `{line}` numbers them, `{part}` is an amount of the line alone."""
    rows = []
    for n, row in enumerate(deals(count, *cells)):
        rows += [row.replace("LINE", f"{line + 1}0").replace("PART", str(50 + n + line)) for line in range(2 + n % 2)]
    return rows


def test_a_deal_in_several_lines_is_asked_about_and_counts_once(proposed):
    rows = lines(9, "D{n}", "{firm}", "{state}", "{amount}", "LINE", "Pump LINE", "2025-01-{d}", "{end}")
    columns, _, text = proposed("Deal ID,Company,Stage,Amount,Quantity,Product Name,Created,Close Date", rows)
    key = columns["lead_id"]
    assert (key["from"], "lead_id" in asked(columns)) == ("Deal ID", True)
    assert "Deal ID names 9 deals in 22 rows" in key["reason"]
    assert "lines of one deal?" in key["reason"]
    assert (
        "deal_products reads the lines (lead_id: Deal ID, product_name: Product Name, quantity: Quantity)"
        in key["reason"]
    )
    assert "`key: [Deal ID, Quantity]`" in key["reason"]
    contracts.entities([Override("x", text)])


@pytest.mark.parametrize("header", ["Belegnr", "Opportunity ID", "Order No", "Zeichen"])
def test_lines_that_each_have_an_amount_are_asked_about_with_what_they_come_to(proposed, header):
    rows = lines(9, "D{n}", "LINE", "{firm}", "{state}", "PART", "2025-01-{d}", "{end}")
    columns, _, _ = proposed(f"{header},Pos,Company,Stage,Amount,Created,Close Date", rows)
    key = columns["lead_id"]
    assert "lead_id" in asked(columns)
    assert str(key["from"]).startswith("concat(nullif(trim(`")
    assert "each of the 22 lines counts as a deal" in key["reason"]
    assert f"export one row per {header} with the sum" in key["reason"]


@pytest.mark.parametrize("dated", ["Last Modified Date", ""])
def test_versions_of_a_record_have_one_key_and_are_asked_about(proposed, dated):
    rows = [row for each in deals(9, "D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", "{end}", "2025-02-{d}")
            for row in (each, each.replace("Closed Won", "Prospecting").replace("2025-02", "2025-01").replace(",1", ",2"))]  # fmt: skip
    header = f"Deal ID,Company,Stage,Amount,Created,Close Date,{dated or 'Note'}"
    columns, _, _ = proposed(header, rows)
    key = columns["lead_id"]
    assert (key["from"], "lead_id" in asked(columns)) == ("Deal ID", True)
    assert f"{'the newest by Last Modified Date' if dated else 'the last row of the file'} counts" in key["reason"]


def test_files_of_one_kind_have_one_key(proposed, tmp_path):
    header = "Zeichen,Company,Stage,Amount,Created,Close Date"
    rows = deals(6, "D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", "{end}")
    (tmp_path / "deals_2025-01.csv").write_text("\n".join([header, *rows]))
    _, _, text = proposed(header, [*rows, rows[0].replace("Closed Won", "Prospecting")], "deals_2025-02.csv")
    assert text.count("lead_id: {column: Zeichen") == 2
    assert "md5(" not in text


def test_a_number_within_a_company_is_no_line_of_it(proposed):
    rows = [
        f"{n % 3 + 1},{row}"
        for n, row in enumerate(deals(9, "Firm {n}", "{state}", "{amount}", "2025-01-{d}", "{end}"))
    ]
    columns, _, _ = proposed("Deal ID,Company,Stage,Amount,Created,Close Date", rows)
    assert "lines of one deal" not in columns["lead_id"]["reason"]


def test_a_run_without_a_contract_does_not_take_the_last_line_for_the_deal(tmp_path):
    rows = lines(9, "D{n}", "A{n}", "won", "PART", "2025-01-{d}", "2025-02-{d}")
    (tmp_path / "deals.csv").write_text("\n".join(["Deal ID,Account ID,Status,Amount,Created Date,Close Date", *rows]))
    entities = contracts.entities()
    files = sources.scan(str(tmp_path), entities).files
    (refusal,) = conventions.settle(files, entities, []).refused
    assert "9 of 9 deals stand in several rows with different amounts, such as 'D1' (50, 51)" in refusal.problem


@pytest.mark.parametrize("of", ["the records", "every line"])
def test_a_total_with_fewer_cells_is_compared_with_the_records(proposed, of):
    rows = lines(9, "D{n}", "{firm}", "{state}", "{amount}", "Pump LINE", "2025-01-{d}", "{end}")
    total = sum(
        float(row.split(",")[3]) for row in (rows if of == "every line" else {row[:2]: row for row in rows}.values())
    )
    columns, table, text = proposed(
        "Deal ID,Company,Stage,Amount,Product,Created,Close Date", [*rows, f"Grand Totals,,,{total}"]
    )
    if of == "the records":
        assert f"a total says {total:,.2f}, which is what they come to counted once" in columns["lead_id"]["reason"]
    else:
        assert f"its total row says {total:,.2f}, but its records come to" in text
        assert table["confidence"] < CONFIDENT


def test_a_key_names_the_column_that_is_not_there(tmp_path):
    text = """
apiVersion: v3.1.0
kind: DataContract
id: x
version: 1.0.0
status: draft
schema:
  - name: leads
    customProperties:
      - property: sources
        value:
          - file: deals
            key: [Branch, Number]
            columns: {customer_id: Company, status: Stage, created_at: Created}
"""
    (tmp_path / "deals.csv").write_text("Branch,Company,Stage,Created\nUlm,A,won,2025-01-01\n")
    (refusal,) = sources.scan(str(tmp_path), contracts.entities([Override("x", text)])).refused
    assert "has no column 'Number', which is part of the key of leads" in refusal.problem


TOTALS = [("Total", ""), ("Razem", "12"), ("Summe", ""), ("合計", ""), ("Grand Total (12)", "")]


@pytest.mark.parametrize(("word", "of_key"), TOTALS, ids=[item[0] for item in TOTALS])
def test_a_total_row_is_no_deal_and_proves_the_amounts(proposed, word, of_key):
    rows = deals(12, "D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", "{end}")
    total = sum(1000 + n * 37 for n in range(12))
    columns, table, text = proposed("Deal ID,Company,Stage,Amount,Created,Close Date", [*rows, f"{word},,,{total},,"])
    assert str(columns["lead_id"]["from"]).startswith("CASE WHEN lower(trim(`deal_id`)) IN (")
    assert (asked(columns), table["to_review"]) == ([], [])
    assert f"its total row says {total:,}.00, and so do its records" in text


def test_a_note_below_the_total_row_hinders_nothing(proposed):
    """It is no record of the table's width, and is given in a batch of its own that has no record."""
    rows = deals(12, "D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", "{end}")
    note = ["Total,,,14442,,", "", "Note: amounts are list prices"]
    columns, table, text = proposed("Deal ID,Company,Stage,Amount,Created,Close Date", [*rows, *note])
    assert (asked(columns), table["to_review"]) == ([], [])
    assert "its total row says 14,442.00, and so do its records" in text


def test_a_total_row_that_says_something_else_is_told_with_both_sums(proposed):
    rows = deals(12, "D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", "{end}")
    _, table, text = proposed("Deal ID,Company,Stage,Amount,Created,Close Date", [*rows, "Total,,,22000,,"])
    assert "its total row says 22,000.00, but its records come to 14,442.00" in text
    assert table["to_review"] == ["the entity"]


def test_a_company_named_total_is_an_account(proposed):
    rows = [
        row.replace("Firm 1", "Total")
        for row in deals(12, "D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", "{end}")
    ]
    columns, table, _ = proposed("Deal ID,Company,Stage,Amount,Created,Close Date", rows)
    assert (columns["lead_id"]["from"], table["to_review"]) == ("Deal ID", [])


@pytest.mark.parametrize(
    ("name", "header"),
    [("owner", "Deal Owner"), ("owner", "Verkäufer"), ("company", "Firma"), ("source", "Lead Source")],
)
def test_what_a_report_is_grouped_by_is_filled_down(proposed, name, header):
    heads = {0: "Partner Referral", 4: "Web", 9: "Event"}
    rows = [f"{heads.get(n, '')},D{n},Closed Won,{100 + n},2025-01-{n + 1:02},2025-03-{n + 1:02}" for n in range(14)]
    rows.insert(4, "Subtotal,,,406,,")
    columns, _, _ = proposed(f"{header},Deal ID,Stage,Amount,Created,Close Date", rows)
    assert columns[name]["fillDown"]
    told = [item["reason"] for item in columns.values() if item.get("fillDown")]
    assert (
        sum("filled in 3 of 14 rows, as the head of a group ('Partner Referral' first)" in reason for reason in told)
        == 1
    )
    assert len(set(asked(columns)) & {name, "company", "customer_id"}) == 1


def test_a_column_that_few_deals_have_is_not_filled_down(proposed):
    rows = deals(14, "D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", "{end}", "")
    rows = [f"{row}{'Web' if n in (0, 3, 7) else ''}" for n, row in enumerate(rows)]
    columns, _, _ = proposed("Deal ID,Company,Stage,Amount,Created,Close Date,Lead Source", rows)
    assert not any("fillDown" in item for item in columns.values())


@pytest.mark.parametrize("header", ["Stage", "Phase", "Etapa"])
def test_a_stage_that_heads_its_group_is_asked_about(proposed, header):
    groups = [("Closed Won", 5), ("Closed Lost", 4), ("Negotiation", 5)]
    rows = [f"{state if not at else ''},D{state[-3:]}{at},Firm {at},{100 + at},2025-01-0{at + 1},2025-02-0{at + 1}"
            for state, count in groups for at in range(count)]  # fmt: skip
    columns, _, _ = proposed(f"{header},Deal ID,Company,Amount,Created,Close Date", rows)
    assert "filled in 3 of 14 rows, as the head of a group" in columns["status"]["reason"]
    assert "status" in asked(columns)


# states


@pytest.mark.parametrize(
    ("text", "guess"), [("Nicht gewonnen", "lost"), ("Fast gewonnen", "open"), ("Not lost", "open")]
)
def test_a_state_that_is_denied_or_nearly_reached_is_asked_about(proposed, text, guess):
    rows = [
        row.replace("Prospecting", text) for row in deals(12, "D{n}", "{state}", "{amount}", "2025-01-{d}", "{end}")
    ]
    columns, _, contract = proposed("Deal ID,Status,Amount,Created Date,Close Date", rows)
    assert "status" in asked(columns)
    assert f"{text!r} (4)" in columns["status"]["reason"]
    assert f'"{text}": {guess}' in contract


def test_a_state_is_found_by_its_values_whatever_its_header(proposed):
    for header in ("Stand", "Wie steht es", "Bucket"):
        rows = deals(9, "D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", "{end}")
        columns, _, _ = proposed(f"Deal ID,Company,{header},Amount,Created,Close Date", rows)
        assert columns["status"]["from"] == header


BY_FLAGS = [
    # headers, cells of a deal won, lost, open
    ("Won,Lost", "1,0", "0,1", "0,0"),
    ("Won,Lost", "x,", ",x", ","),
    ("Wygrana,Przegrana", "tak,nie", "nie,tak", "nie,nie"),
    ("Won?,Note", "Y,a", "N,b", ",c"),
    ("Probability,Note", "1,a", "0,b", "0.5,c"),
    ("Probability (%),Note", "100,a", "0,b", "40,c"),
]


@pytest.mark.parametrize(
    ("headers", "won", "lost", "still"), BY_FLAGS, ids=[f"{item[0]} {item[1]}" for item in BY_FLAGS]
)
def test_flags_and_a_probability_tell_the_state_where_nothing_else_does(proposed, headers, won, lost, still):
    cells = {"Closed Won": won, "Closed Lost": lost, "Prospecting": still}
    rows = [row.replace(state, cells[state]) for row, state in zip(
        deals(12, "D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", "{end}"), [*cells] * 4, strict=True)]  # fmt: skip
    columns, _, _ = proposed(f"Deal ID,Company,{headers},Amount,Created,Close Date", rows)
    item = columns["status"]
    assert "status" in asked(columns)
    assert item["reason"].startswith(f"no column of states; {headers.split(',')[0]} ")
    read = {state: _one(str(item["from"]), headers.split(","), row.split(",")) for state, row in cells.items()}
    assert read == {"Closed Won": "won", "Closed Lost": "lost", "Prospecting": "open"}


TWO_FLAGS = [
    ("Gewonnen,Geschlossen", "Ja", "Nein"),
    ("Vinta,Chiusa", "sì", "no"),
    ("Ganha,Fechada", "Sim", "Não"),
    ("Kazanıldı,Kapandı", "Evet", "Hayır"),
    ("Vyhráno,Uzavřeno", "ano", "ne"),
    ("Gewonnen,Gesloten", "ja", "nee"),
    ("Wygrana,Zamknięta", "tak", "nie"),
]


@pytest.mark.parametrize(("headers", "yes", "no"), TWO_FLAGS, ids=[item[0] for item in TWO_FLAGS])
@pytest.mark.parametrize("is_odd", [False, True])
def test_a_flag_of_winning_and_one_of_closing_tell_the_state(proposed, headers, yes, no, is_odd):
    cells = {"Closed Won": f"{yes},{yes}", "Closed Lost": f"{no},{yes}", "Prospecting": f"{no},{no}"}
    rows = [row.replace(state, cells[state]) for row, state in zip(
        deals(12, "D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", "{end}"), [*cells] * 4, strict=True)]  # fmt: skip
    if is_odd:
        rows[2] = rows[2].replace(f"{no},{no}", f"{yes},{no}")
    columns, _, _ = proposed(f"Deal ID,Company,{headers},Amount,Created,Close Date", rows)
    item = columns["status"]
    assert ("status" in asked(columns), "1 deal is won and not closed" in item["reason"]) == (is_odd, is_odd)
    read = {state: _one(str(item["from"]), headers.split(","), row.split(",")) for state, row in cells.items()}
    assert read == {"Closed Won": "won", "Closed Lost": "lost", "Prospecting": "open"}


def test_a_column_of_states_is_read_where_flags_contradict_it(proposed):
    states = {"Closed Won": "Won,yes,yes", "Closed Lost": "Lost,no,yes", "Prospecting": "Open,no,no"}
    rows = [row.replace(state, states[state]) for row, state in zip(
        deals(12, "D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", "{end}"), [*states] * 4, strict=True)]  # fmt: skip
    for contradicts in (False, True):
        rows[2] = rows[2].replace("Open,no,no", "Open,no,yes" if contradicts else "Open,no,no")
        columns, _, _ = proposed("Deal ID,Company,Status,Won,Final,Amount,Created,Close Date", rows)
        assert (columns["status"]["from"] == "Status") == contradicts


PERIODS = {
    "2025-W14": ("weeks", "2025-04-06"), "KW 14/2025": ("weeks", "2025-04-06"), "W22 2025": ("weeks", "2025-06-01"),
    "Q1 2025": ("quarters", "2025-03-31"), "2025-Q2": ("quarters", "2025-06-30"), "1. Quartal 2025": ("quarters", "2025-03-31"),
    "4T 2025": ("quarters", "2025-12-31"), "H1 2025": ("half years", "2025-06-30"), "2. Halbjahr 2025": ("half years", "2025-12-31"),
}  # fmt: skip


@pytest.mark.parametrize("period", PERIODS)
def test_a_deal_closed_in_a_period_is_asked_about_and_closed_on_its_last_day(proposed, period):
    what, day = PERIODS[period]
    ends = [period, "2025-05-09", ""]
    rows = [
        f"{row}{ends[n % 3]}"
        for n, row in enumerate(deals(12, "D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", ""))
    ]
    columns, _, _ = proposed("Deal ID,Company,Stage,Amount,Created,Closed", rows)
    item = columns["closed_at"]
    assert asked(columns) == ["closed_at"]
    assert item["reason"].endswith(f"{what} such as {period!r}: is each to count as its last day?")
    assert [_one(str(item["from"]), ["closed"], [cell])[:10] for cell in ends[:2]] == [day, "2025-05-09"]


@pytest.mark.parametrize(("month", "day"), [("mars 2025", "2025-03-01"), ("Dezember 2025", "2025-12-01")])
def test_months_in_words_are_read_as_their_first_day(proposed, month, day):
    rows = [
        f"{row}{month if n % 3 < 2 else ''}"
        for n, row in enumerate(deals(12, "D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", ""))
    ]
    columns, _, _ = proposed("Deal ID,Company,Stage,Amount,Created,Closed", rows)
    assert "is each to count as its first day?" in columns["closed_at"]["reason"]
    assert _one(str(columns["closed_at"]["from"]), ["closed"], [month])[:10] == day


@pytest.mark.parametrize(
    ("header", "cells", "name"),
    [
        ("Closed", ["soon", "later", ""], "closed_at"),
        ("Closed", ["FY25 Q1", "FY25 Q2", ""], "closed_at"),
        ("Chiusa il", ["presto", "dopo", ""], "closed_at"),
        ("Owner", ["yes", "no", "yes"], "owner"),
    ],
)
def test_a_column_that_is_named_for_something_and_cannot_be_read_is_asked_about(proposed, header, cells, name):
    rows = [
        f"{row}{cells[n % 3]}"
        for n, row in enumerate(deals(12, "D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", ""))
    ]
    columns, _, _ = proposed(f"Deal ID,Company,Stage,Amount,Created,{header}", rows)
    assert asked(columns) == [name]
    assert "its values cannot be read so" in columns[name]["reason"]


def test_sheets_by_month_are_states_of_these_months(tmp_path):
    with xlsxwriter.Workbook(tmp_path / "Pipeline 2025.xlsx") as book:
        for month, won in (("April", 3), ("March", 1)):
            sheet = book.add_worksheet(month)
            rows = [["Deal ID", "Company", "Stage", "Amount", "Created"]]
            rows += [
                [f"D{n}", f"Firm {n}", "Won" if n < won else "Proposal", 100 + n, f"2025-01-{n + 10}"] for n in range(8)
            ]
            for place, row in enumerate(rows[: 8 if month == "April" else 9]):
                sheet.write_row(place, 0, row)
    proposed = proposal.propose(str(tmp_path), "x")
    (asks,) = {item["reason"] for item in proposed.columns if item["column"] == "snapshot"}
    assert "dated 2025-03-01 to 2025-04-01" in asks
    assert "# updated_at: {value: 2025-04-01}, where these have only changes" in proposed.text


@pytest.mark.parametrize(
    ("header", "cell", "expression"),
    [
        ("Deal / Owner", "Chillers {n} / Ines", "trim(split_part(`deal_owner`, ' / ', 2))"),
        ("Deal / Owner", "A/S Holm {n} / Ines", "trim(split_part(`deal_owner`, ' / ', 2))"),
        ("Owner", "Ines / Petra", None),
        ("Deal Owner", "Ines", None),
    ],
)
def test_two_things_in_one_cell_are_asked_about(proposed, header, cell, expression):
    rows = deals(9, "D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", "{end}", cell)
    columns, _, text = proposed(f"Deal ID,Company,Stage,Amount,Created,Close Date,{header}", rows)
    assert asked(columns) == (["owner"] if expression else [])
    assert expression is None or expression in text


@pytest.mark.parametrize(
    ("name", "is_test"),
    [
        ("TEST - please ignore", True),
        ("Test Account", True),
        ("Test Equipment Ltd", False),
        ("Penetration test", False),
    ],
)
def test_records_that_are_named_as_tests_are_asked_about(proposed, name, is_test):
    rows = deals(9, "D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", "{end}")
    rows[3] = rows[3].replace("Firm 3", name)
    _, _, text = proposed("Deal ID,Company,Stage,Amount,Created,Close Date", rows)
    assert ("are these tests, copies or others that do not count?" in text) == is_test
    assert (f"NOT IN ('{name.lower()}')" in text) == is_test


def test_a_column_of_operations_ends_records(proposed):
    rows = deals(9, "D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", "{end}", "UPDATE")
    rows[3] = rows[3].replace("UPDATE", "DELETE")
    _, _, text = proposed("Deal ID,Company,Stage,Amount,Created,Close Date,Operation", rows)
    assert "Operation marks 1 of 9 rows" in text


def test_days_beside_sums_of_groups_are_read(proposed):
    rows = deals(4, "Ann,D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", "{end}")
    groups = [f"{text},,,,{amount},{word}," for text, amount, word in (("", "1,234", "Sum"), ("", "2", "Count"))]
    rows = [
        *rows[:2],
        *(row.replace("1,234", "2037") for row in groups),
        *rows[2:],
        *(row.replace("1,234", "2185") for row in groups),
    ]
    columns, _, text = proposed("Owner,Deal ID,Company,Stage,Amount,Created Date,Close Date", rows)
    assert "where:" in text
    assert (columns["created_at"]["from"], asked(columns)) == ("Created Date", [])


def _one(sql: str, headers: list[str], cells: list[str]) -> str:
    """What an expression gives for one row."""
    named = zip(headers, cells, strict=True)
    row = ", ".join(f'{repr(cell) if cell else "NULL"}::varchar AS "{code(header).lower()}"' for header, cell in named)
    written = sqlglot.transpile(sql, read="spark", write="duckdb")[0]
    return str(duckdb.sql(f"SELECT {written} FROM (SELECT {row})").fetchall()[0][0])


def test_a_column_of_states_of_which_no_value_is_known_is_named(proposed):
    rows = [row.replace("Closed Won", "Order").replace("Closed Lost", "No order").replace("Prospecting", "Blue")
            for row in deals(12, "D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", "{end}")]  # fmt: skip
    columns, _, _ = proposed("Deal ID,Company,Status,Amount,Created,Close Date", rows)
    assert "'Order' (4), 'No order' (4), 'Blue' (4)?" in columns["status"]["reason"]


@pytest.mark.parametrize(("header", "scale"), [("Probability", 100), ("Wahrscheinlichkeit", 100), ("Probabilité", 1)])
def test_stages_in_own_words_are_told_by_their_probability(proposed, header, scale):
    words = {"Closed Won": ("Kettle on", scale), "Closed Lost": ("Teacup", 0), "Prospecting": ("Saucer", scale / 2)}
    rows = []
    for row in deals(12, "D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", "{end}"):
        state = next(word for word in words if word in row)
        rows.append(f"{row.replace(state, words[state][0])},{words[state][1]:g}")
    columns, _, _ = proposed(f"Deal ID,Company,Stage,Amount,Created,Close Date,{header}", rows)
    assert dict(columns["status"]["values"]) == {"Kettle on": "won", "Teacup": "lost", "Saucer": "open"}
    assert asked(columns) == []


def test_open_deals_with_no_chance_are_asked_about(proposed):
    rows = [f"{row},{0 if 'Prospecting' in row else 50}"
            for row in deals(12, "D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", "{end}")]  # fmt: skip
    columns, _, _ = proposed("Deal ID,Company,Stage,Amount,Created,Close Date,Probability", rows)
    assert "4 open deals have Probability 0: are they lost?" in columns["status"]["reason"]
    assert asked(columns) == ["status"]


# accounts, tables in other words


@pytest.mark.parametrize(
    ("code", "name"), [("lead_id", "lead_name"), ("mandant_id", "mandant_name"), ("buyer_id", "buyer_name")]
)
def test_a_pair_of_identifier_and_name_is_asked_about_as_the_accounts(proposed, code, name):
    rows = deals(24, "D{n}", "B{firm}x", "{firm} Ltd", "{state}", "{amount}", "2025-01-{d}", "{end}")
    rows = [row.replace("BFirm ", "B") for row in rows]
    columns, table, _ = proposed(f"id,{code},{name},status,value,date_created,date_closed", rows, "opportunities.csv")
    assert (columns["customer_id"]["from"], columns["company"]["from"]) == (code, name)
    assert (asked(columns), table["to_review"]) == (["company"], ["company"])


FOREIGN = [
    ("Nr szansy;Klient;Etap;Wartość netto;Data utworzenia;Data zamknięcia", ("Wygrana", "Przegrana", "Oferta"), 0),
    ("案件番号;顧客名;商談フェーズ;金額;作成日;完了日", ("受注", "失注", "提案"), 0),
    ("Kód;Ügyfél;Szakasz;Összeg;Létrehozva;Lezárva", ("Megnyert", "Elveszett", "Ajánlat"), 0),
    ("Aa;Bb;Cc;Dd;Ee;Ff", ("Xa", "Xb", "Xc"), 2),  # words that nobody knows: the table and its states are asked about
]


@pytest.mark.parametrize(("header", "states", "questions"), FOREIGN, ids=["pl", "ja", "hu", "unknown"])
def test_a_list_of_deals_in_other_words_is_never_left_alone(proposed, header, states, questions):
    rows = deals(24, "D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", "{end}", sep=";")
    for mine, theirs in zip(("Closed Won", "Closed Lost", "Prospecting"), states, strict=True):
        rows = [row.replace(mine, theirs) for row in rows]
    columns, table, _ = proposed(header, rows, "lista.csv")
    names = header.split(";")
    assert [
        columns[name]["from"] for name in ("lead_id", "company", "stage", "deal_value", "created_at", "closed_at")
    ] == names
    assert len(table["to_review"]) == questions


def test_a_log_of_measurements_is_no_list_of_deals(tmp_path):
    rows = [f"2025-01-0{n % 9 + 1},s{n % 3},{n}.5" for n in range(20)]
    (tmp_path / "readings.csv").write_text("\n".join(["time,sensor,celsius", *rows]) + "\n")
    with pytest.raises(
        sources.SourceError if hasattr(sources, "SourceError") else Exception, match="nothing here looks like"
    ):
        proposal.propose(str(tmp_path), "x")


# what is accepted although most of it is refused


def test_a_file_of_which_most_rows_are_refused_is_told_also_when_it_was_accepted(tmp_path):
    (tmp_path / "leads.csv").write_text("lead_id,customer_id,status,created_at\nD1,A1,won,2025-01-01\n")
    (file,) = sources.scan(str(tmp_path), contracts.entities()).files
    from dataclasses import replace

    accepted = replace(file, accept=True)
    assert hold.poor(accepted, hold.Counts(10, 6)) == "leads.csv: 6 of 10 rows are refused"
    assert hold.poor(accepted, hold.Counts(10, 5)) is None


# two rows of headers


@pytest.mark.parametrize(
    ("groups", "header"),
    [
        (";;;;;Création;;Clôture;", "N° affaire;Client;Statut;Montant;Origine;Date;Par;Date;Par"),
        ("Deal;;;;;Created;;Closed;", "ID;Company;Status;Amount;Source;Date;By;Date;By"),
    ],
    ids=["French", "English"],
)
def test_names_that_repeat_have_the_group_above_them(proposed, groups, header):
    """The first of two columns of dates was taken for the day of closing."""
    rows = deals(12, "D{n}", "{firm}", "{state}", "{amount}", "web", "2025-01-{d}", "Ines", "{end}", "Tom", sep=";")
    columns, _, _ = proposed(groups, [header, *rows])
    created, closed = groups.split(";")[5], groups.split(";")[7]
    assert (columns["created_at"]["from"], columns["closed_at"]["from"]) == (f"{created} Date", f"{closed} Date")
    assert columns["lead_id"]["from"] == header.split(";")[0]


def test_two_columns_of_states_are_asked_about(proposed):
    rows = deals(12, "D{n}", "{firm}", "{state}", "{amount}", "2025-01-{d}", "Active")
    columns, _, _ = proposed("Deal ID,Company,Status,Amount,Created,Status", rows)
    assert "status" in asked(columns)


# a board: groups with their own header and sum, parts below the items


def test_a_board_has_its_items_alone(proposed):
    """Parts and headers of groups were proposed as deals under a hash of all cells, and their file was held back."""
    head = "Name,Subitems,Owner,Stage,Deal Value,Account,Closed on,Creation log,Item ID (auto generated)"
    items = deals(
        12,
        "Deal {n}",
        "",
        "Ines",
        "{state}",
        "{amount}",
        "{firm}",
        "{end}",
        '"Ines Duarte Jan {d}, 2025 01:01 PM"',
        "18933{n:02}1",
    )
    parts = ["Subitems,Name,Owner,Status,Deal Value,Item ID (auto generated),,,", ",Part 1,Ines,Done,50,1893500001,,,"]
    rows = ["Active deals,,,,,,,,", head]
    for n, item in enumerate(items):
        rows += [item, *([parts[0], parts[1].replace("0001", f"{n:04}")] if n % 3 == 0 else [])]
        rows += [",,,,2000,,,,", ",,,,,,,,", "Closed deals,,,,,,,,", head] if n == 5 else []
    columns, _, text = proposed("Deals,,,,,,,,", rows)
    assert columns["lead_id"]["from"] == "Item ID (auto generated)"
    assert columns["created_at"]["from"].startswith("regexp_extract(`creation_log`")
    assert asked(columns) == [], columns["status"]
    assert (
        text.count("where: {when: \"trim(coalesce(`item_id_auto_generated`, '')) <> ''\"") == 2
    )  # of the accounts too
    assert "Part 1" not in text
