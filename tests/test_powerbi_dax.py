"""Each form of an expression in DAX, evaluated under filters, and what is refused."""

from __future__ import annotations

import pytest
import sqlglot

from medallion.errors import ContractError
from medallion.powerbi import dax

pytest.importorskip("pbix_mcp.dax.engine", reason="needs the extra powerbi")

#: Deals of every kind that matters: no value, no owner, no day, a zero.
COLUMNS = ["status", "owner", "value", "known", "days", "due", "as_of"]
ROWS = [
    ["won", "Ann", 100.0, True, 10, 1, 5],
    ["won", "Bob", 50.0, True, 40, 9, 5],
    ["won", None, None, False, None, None, 5],
    ["lost", "Ann", 30.0, True, 0, 4, 5],
    ["lost", "Ann", 0.0, True, 31, None, 5],
    ["open", "Bob", 70.0, True, None, 5, 5],
    ["open", "Cid", None, False, 31, 2, 5],
]
#: The reader's filters, as a slicer sets them.
CONTEXTS = [
    {},
    {"status": ["won"]},
    {"status": ["lost"]},
    {"status": ["lost", "open"]},
    {"owner": ["Ann"]},
    {"owner": [None]},
    {"owner": ["Bob", "Cid"], "status": ["open"]},
    {"owner": ["nobody"]},
]
FORMS = [
    "COUNT(1)",
    "COUNT(*)",
    "COUNT(owner)",
    "COUNT(DISTINCT owner)",
    "COUNT(CASE WHEN status = 'won' THEN 1 END)",
    "COUNT(CASE WHEN status IN ('won', 'lost') THEN 1 END)",
    "COUNT(CASE WHEN status <> 'won' THEN 1 END)",
    "COUNT(CASE WHEN owner <> 'Ann' THEN 1 END)",
    "COUNT(CASE WHEN known THEN 1 END)",
    "COUNT(CASE WHEN owner IS NULL THEN 1 END)",
    "COUNT(CASE WHEN owner IS NOT NULL AND known THEN 1 END)",
    "COUNT(CASE WHEN days > 30 THEN 1 END)",
    "COUNT(CASE WHEN days <= 31 THEN 1 END)",
    "COUNT(CASE WHEN days < 10 THEN 1 END)",
    "COUNT(CASE WHEN days = 0 THEN 1 END)",
    "COUNT(CASE WHEN due < as_of THEN 1 END)",
    "COUNT(CASE WHEN due = as_of THEN 1 END)",
    "COUNT(CASE WHEN status = 'open' AND COALESCE(days, 9999) > 30 THEN 1 END)",
    "COUNT(CASE WHEN status = 'won' OR (days > 30 AND owner = 'Cid') THEN 1 END)",
    "COUNT(CASE WHEN days >= -1 THEN 1 END)",
    "SUM(value)",
    "AVG(value)",
    "MEDIAN(value)",
    "MAX(value)",
    "MIN(value)",
    "SUM(CASE WHEN status = 'won' THEN value END)",
    "AVG(CASE WHEN status = 'won' THEN days END)",
    "MEDIAN(CASE WHEN known THEN CAST(value AS DOUBLE) END)",
    "COALESCE(SUM(CASE WHEN status = 'won' THEN value END), 0)",
    "CAST(SUM(value) AS DOUBLE) / NULLIF(COUNT(CASE WHEN known THEN 1 END), 0)",
    "COUNT(CASE WHEN status = 'won' THEN 1 END) / NULLIF(COUNT(1), 0)",
    "COUNT(CASE WHEN status = 'won' THEN 1 END) / NULLIF(COUNT(CASE WHEN status IN ('won', 'lost') THEN 1 END), 0)",
    "SUM(value) / NULLIF(SUM(days), 0)",
    "SUM(value) / 4",
    "SUM(value) + 1",
    "SUM(value) - SUM(days)",
    "COUNT(1) / NULLIF(CASE WHEN :target > SUM(value) THEN :target - SUM(value) END, 0)",
    "COUNT(1) * (SUM(value) / NULLIF(COUNT(1), 0)) * AVG(days)",
    "CAST(SUM(value) AS DOUBLE) / NULLIF(:target, 0)",
    "SUM(CASE WHEN status = 'won' THEN CAST(value AS DOUBLE) * days END)",
]
PLACE = dax.Place("Pipe line", {name: name.upper() for name in COLUMNS}, {"target": "1000"})


def in_dax(expression, context, condition=None):
    from pbix_mcp.dax.engine import evaluate_measures_batch

    tables = {PLACE.table: {"columns": list(PLACE.columns.values()), "rows": ROWS}}
    filters = {f"{PLACE.table}.{column.upper()}": values for column, values in context.items()}
    measures = {"it": dax.whole(expression, PLACE, condition)}
    return evaluate_measures_batch(["it"], tables, measures, filters)["it"]


def in_sql(connection, expression, context, condition=None):
    """The value, None also where no row is: what a visual shows."""
    wheres = [condition or "TRUE"]
    for column, values in context.items():
        listed = ", ".join(f"'{value}'" for value in values if value is not None) or "''"
        wheres.append(f"({column} IN ({listed}){f' OR {column} IS NULL' if None in values else ''})")
    text = f"SELECT {expression.replace(':target', '1000')}, COUNT(1) FROM deals WHERE {' AND '.join(wheres)}"
    value, rows = connection.execute(sqlglot.transpile(text, read="spark", write="duckdb")[0]).fetchone()
    return None if rows == 0 else value


@pytest.fixture(scope="module")
def deals():
    import duckdb

    with duckdb.connect() as connection:
        connection.execute(
            "create table deals (status text, owner text, value double, known boolean, days int, due int, as_of int)"
        )
        connection.executemany("insert into deals values (?, ?, ?, ?, ?, ?, ?)", ROWS)
        yield connection


@pytest.mark.parametrize("expression", FORMS)
def test_a_form_is_the_same_under_every_filter(deals, expression):
    for context in CONTEXTS:
        assert in_dax(expression, context) == pytest.approx(in_sql(deals, expression, context)), context


def test_a_view_with_a_filter_of_its_own(deals):
    for context in CONTEXTS:
        both = [way(*given, "COUNT(1)", context, "status = 'won'") for way, given in ((in_dax, ()), (in_sql, (deals,)))]
        assert both[0] in (both[1], 0 if both[1] is None else both[1]), context


def test_naive_dax_is_wrong_where_this_is_right():
    """A filter without KEEPFILTERS replaces the reader's: among lost deals, all deals won would be counted."""
    from pbix_mcp.dax.engine import evaluate_measures_batch

    share = "COUNT(CASE WHEN status = 'won' THEN 1 END) / NULLIF(COUNT(1), 0)"
    tables = {PLACE.table: {"columns": list(PLACE.columns.values()), "rows": ROWS}}
    naive = dax.whole(share, PLACE).replace("KEEPFILTERS(", "(")
    wrong = evaluate_measures_batch(["it"], tables, {"it": naive}, {f"{PLACE.table}.STATUS": ["lost"]})["it"]
    assert (wrong, in_dax(share, {"status": ["lost"]})) == (1.5, 0)


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        ("SUM(value) / SUM(days)", "a division by what may be zero"),
        ("SUM(value) / 0", "a division by what may be zero"),
        ("SUM(value * 2)", "a product of anything but two columns"),
        ("SUM(CASE WHEN known THEN value ELSE 0 END)", "a CASE with ELSE"),
        ("SUM(CASE status WHEN 'won' THEN value END)", "a CASE with ELSE, an operand"),
        ("SUM(CASE WHEN known THEN 1 WHEN days > 1 THEN 2 END)", "several branches"),
        ("COUNT(CASE WHEN NOT known THEN 1 END)", "NOT of anything but IS NULL"),
        ("COUNT(CASE WHEN status NOT IN ('won') THEN 1 END)", "NOT of anything but IS NULL"),
        ("COUNT(CASE WHEN owner LIKE 'A%' THEN 1 END)", "Like"),
        ("COUNT(CASE WHEN owner > 'A' THEN 1 END)", "an order of texts"),
        ("COUNT(CASE WHEN days BETWEEN 1 AND 2 THEN 1 END)", "Between"),
        ("COUNT(CASE WHEN LOWER(owner) = 'a' THEN 1 END)", "a comparison with Lower"),
        ("COUNT(DISTINCT owner, status)", "of more than a column"),
        ("STDDEV(value)", "Stddev"),
        ("MAX(value) OVER ()", "Window"),
        ("SUM(amount)", "a column that the model's table Pipe line does not have"),
        ("SUM(value) / NULLIF(:quota, 0)", "a parameter that is not declared"),
        ("NULLIF(SUM(value), 0)", "Nullif"),
        ("CAST(SUM(value) AS INT)", "Cast"),
        ("MEASURE(won)", "a metric that the view does not have"),
        ("CASE WHEN SUM(value) = 1 THEN SUM(days) END", "a condition on figures that is no order"),
    ],
)
def test_what_is_refused_is_named(expression, named):
    with pytest.raises(ContractError, match="has no translation into DAX") as told:
        dax.whole(expression, PLACE)
    assert named in told.value.problem


def test_hostile_names_and_texts_stay_texts():
    place = dax.Place("a'b", {"x": "c]d"}, {})
    found = dax.scalar("""COUNT(CASE WHEN x = 'say "hi" \\'' THEN 1 END)""", place)
    assert """'a''b'[c]]d] == "say ""hi"" '\"""" in found
