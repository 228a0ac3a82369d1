"""The model by the rules of Microsoft's Best Practice Analyzer: what breaks one is written down in docs/POWER_BI.md.

Rules that look at what the model never has (calculated columns and tables, relationships of many to many or in both
directions, perspectives, data sources of their own) are left out, and those that need the rows of a server.
"""

from __future__ import annotations

import re

import duckdb
import pytest

from conftest import ROOT
from medallion.access import Person
from medallion.powerbi import m, model, roles
from medallion.powerbi.model import Model

COLUMN = re.compile(r"'([^']+)'\[([^\]]+)\]")
BARE = re.compile(r"(?<!')\[([^\]]+)\]")
TRANSFORMS = ("Table.Combine(", "Table.Join(", "Table.NestedJoin(", "Table.AddColumn(", "Table.Group(", "Table.Sort(", "Table.Distinct(",
              "Value.NativeQuery")  # fmt: skip
SLOW = re.compile(r"\b(RIGHT|LEFT|UPPER|LOWER|FIND)\(", re.IGNORECASE)
AGGREGATE = r"(?:COUNT|COUNTBLANK|SUM|AVERAGE|VALUES|DISTINCT|DISTINCTCOUNT|MIN|MAX)\("
NUMBERS = ("Int64", "Decimal", "Double")


def broken(whole: Model) -> dict[str, set[str]]:
    """What breaks each rule, by the name that Microsoft gives it."""
    found: dict[str, set[str]] = {}

    def say(rule: str, *things: str) -> None:
        found.setdefault(rule, set()).update(things)

    measures = {one.name: one.expression for one in whole.measures}
    every = [*measures.values(), *(item.expression for table in whole.tables for item in table.items)]
    secured = [text for _, text in whole.permissions]
    links = whole.relationships
    used = {pair for text in (*every, *secured) for pair in COLUMN.findall(text)}
    linked = {(one.table, one.column) for one in links} | {(one.to, one.to_column) for one in links}
    _columns(whole, say, used, linked)
    for table in whole.tables:
        both = any(one.table == table.name for one in links) and any(one.to == table.name for one in links)
        if both:
            say("SNOWFLAKE_SCHEMA_ARCHITECTURE", table.name)
        if re.search("date|calendar", table.name, re.IGNORECASE) and not (table.kind == "dates" and table.key):
            say("DATE/CALENDAR_TABLES_SHOULD_BE_MARKED_AS_A_DATE_TABLE", table.name)
        if not table.items and any(one in m.partition(table, whole, m.Folder()) for one in TRANSFORMS):
            say("MINIMIZE_POWER_QUERY_TRANSFORMATIONS", table.name)
        if not any(table.name in (one.table, one.to) for one in links):
            say("ENSURE_TABLES_HAVE_RELATIONSHIPS", table.name)
        if not table.description and not table.hidden:
            say("OBJECTS_WITH_NO_DESCRIPTION", table.name)
        for name in (table.name, *(one.name for one in table.hierarchies)):
            _named(name, say)
    for name, text in measures.items():
        _named(name, say)
        _measure(name, text, measures, say)
    for place, text in enumerate(every):
        _expression(list(measures)[place] if place < len(measures) else f"item {place}", text, measures, say)
    for one in (one for one in links if not one.active):
        told = f"USERELATIONSHIP('{one.table}'[{one.column}], '{one.to}'[{one.to_column}])"
        if not any(told in text for text in every):
            say("INACTIVE_RELATIONSHIPS_THAT_ARE_NEVER_ACTIVATED", one.name)
    for one in whole.measures:
        if not one.description:
            say("OBJECTS_WITH_NO_DESCRIPTION", one.name)
        if not one.form:
            say("PROVIDE_FORMAT_STRING_FOR_MEASURES", one.name)
        if "%" in one.form and one.form != "#,0.0%;-#,0.0%;#,0.0%":
            say("PERCENTAGE_FORMATTING", one.name)
        if not {"%", "$"} & {*one.form} and one.form not in ("#,0", "#,0.0"):
            say("INTEGER_FORMATTING", one.name)
    for table, text in whole.permissions:
        if SLOW.search(text):
            say("LIMIT_ROW_LEVEL_SECURITY_(RLS)_LOGIC", table)
        if "USERPRINCIPALNAME()" in text:
            say("CHECK_IF_DYNAMIC_ROW_LEVEL_SECURITY_(RLS)__IS_NECESSARY", table)
        say("REMOVE_ROLES_WITH_NO_MEMBERS", roles.NAME)
    return found


def _named(name, say):
    if re.search(r"[\t\n\r]", name):
        say("SPECIAL_CHARS_IN_OBJECT_NAMES", name)
    if name != name.strip():
        say("OBJECTS_SHOULD_NOT_START_OR_END_WITH_A_SPACE", name)
    if name[0].upper() != name[0]:
        say("FIRST_LETTER_OF_OBJECTS_MUST_BE_CAPITALIZED", name)


def _columns(whole, say, used, linked):
    keys = {(one.to, one.to_column) for one in whole.relationships}
    foreign = {(one.table, one.column) for one in whole.relationships}
    above = {(one.table, one.to) for one in whole.relationships}
    every = " ".join(one.expression for one in whole.measures)
    for table in whole.tables:
        levels = {level for one in table.hierarchies for level in one.levels}
        sorting = {one.sort_by for one in table.columns}
        for one in table.columns:
            at, told = (table.name, one.name), f"{table.name}[{one.name}]"
            hidden, ordered = one.hidden or table.hidden, one.name in sorting | levels
            if one.type == "Double":
                say("AVOID_FLOATING_POINT_DATA_TYPES", told)
            if hidden and not ordered:
                say("ISAVAILABLEINMDX_FALSE_NONATTRIBUTE_COLUMNS", told)
            if hidden and not ordered and at not in used | linked:
                say("UNNECESSARY_COLUMNS", told)
            if not one.source:
                say("DATA_COLUMNS_MUST_HAVE_A_SOURCE_COLUMN", told)
            if not one.description and not hidden:
                say("OBJECTS_WITH_NO_DESCRIPTION", told)
            if one.name.startswith("Is") and one.type == "Int64" and not hidden:
                say("FORMAT_FLAG_COLUMNS_AS_YES/NO_VALUE_STRINGS", told)
            if "date" in one.name.lower() and one.type == "DateTime" and one.form != "mm/dd/yyyy":
                say("DATECOLUMN_FORMATSTRING", told)
            if "month" in one.name.lower() and one.type == "String" and not one.sort_by:
                say("MONTH_(AS_A_STRING)_MUST_BE_SORTED", told)
            if at in linked and one.type != "Int64":
                say("RELATIONSHIP_COLUMNS_SHOULD_BE_OF_INTEGER_DATA_TYPE", told)
            if one.name in ("Country", "Continent") and not one.category:
                say("ADD_DATA_CATEGORY_FOR_COLUMNS", told)
            if at in foreign and not one.hidden:
                say("HIDE_FOREIGN_KEYS", told)
            if at in keys and table.kind != "dates":
                say("MARK_PRIMARY_KEYS", told)
            if (
                not one.hidden
                and one.type in NUMBERS
                and re.search(AGGREGATE + re.escape(f"'{at[0]}'[{at[1]}]"), every)
            ):
                say("HIDE_FACT_TABLE_COLUMNS", told)
            alike = {other.name for other in whole.tables for column in other.columns if column.name == one.name}
            if at not in linked and any((table.name, other) in above for other in alike):
                say("REMOVE_REDUNDANT_COLUMNS_IN_RELATED_TABLES", told)


def _measure(name, text, measures, say):
    plain = re.sub(r"\s", "", text)
    if any(re.sub(r"\s", "", other) == plain for label, other in measures.items() if label != name):
        say("AVOID_DUPLICATE_MEASURES", name)
    if text in {f"[{other}]" for other in measures}:
        say("MEASURES_SHOULD_NOT_BE_DIRECT_REFERENCES_OF_OTHER_MEASURES", name)


def _expression(name, text, measures, say):
    if not text.strip():
        say("EXPRESSION_RELIANT_OBJECTS_MUST_HAVE_AN_EXPRESSION", name)
    bare = COLUMN.sub("", text)
    if {*BARE.findall(bare)} - measures.keys():
        say("DAX_COLUMNS_FULLY_QUALIFIED", name)
    if {column for _, column in COLUMN.findall(text)} & measures.keys() - {
        column for _, column in COLUMN.findall(text)
    }:
        say("DAX_MEASURES_UNQUALIFIED", name)
    for rule, form in (
        ("USE_THE_TREATAS_FUNCTION_INSTEAD_OF_INTERSECT", r"INTERSECT\s*\("),
        ("USE_THE_DIVIDE_FUNCTION_FOR_DIVISION", r"[\])]\s*/(?![/*])"),
        ("AVOID_USING_THE_IFERROR_FUNCTION", r"IFERROR\s*\("),
        (
            "FILTER_COLUMN_VALUES",
            r"CALCULATE(?:TABLE)?\s*\(\s*[^,]+,\s*FILTER\s*\(\s*'*[\w ]+'*\s*,\s*'*[\w ]+'*\[[\w ]+\]",
        ),
        ("FILTER_MEASURE_VALUES_BY_COLUMNS", r"CALCULATE(?:TABLE)?\s*\(\s*[^,]+,\s*FILTER\s*\(\s*'*[\w ]+'*\s*,\s*\["),
    ):
        if re.search(form, text, re.IGNORECASE):
            say(rule, name)


def written_down() -> set[str]:
    """The rules that docs/POWER_BI.md names as broken on purpose."""
    text = (ROOT / "docs" / "POWER_BI.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"## Best practices\n(.*?)\n## ", text, re.S)
    return set(re.findall(r"^\| `([A-Z/_()-]+)` \|", table, re.M))


@pytest.fixture(scope="module")
def whole():
    from dataclasses import replace

    plain = model.model()
    rep = Person("ann@example.com", "rep", ("Ann Lee",), (), False, 1)
    with duckdb.connect() as nothing:
        secured = roles.permissions(nothing, [rep], [table.name for table in plain.tables])
    return replace(plain, permissions=secured)


def test_what_breaks_a_rule_is_written_down(whole):
    assert broken(whole).keys() == written_down()


def test_what_breaks_a_rule_is_found(whole):
    """Seen on a model with something wrong in it."""
    from dataclasses import replace

    first, *others = whole.measures
    wrong = replace(
        whole,
        measures=(
            replace(first, expression="IFERROR('Deals'[Value] / 2, [Value])", form="", description=""),
            replace(first, name="copy", expression=others[0].expression),
            *others,
        ),
        relationships=tuple(replace(one, active=False) for one in whole.relationships),
    )
    assert {
        "USE_THE_DIVIDE_FUNCTION_FOR_DIVISION", "AVOID_USING_THE_IFERROR_FUNCTION", "DAX_COLUMNS_FULLY_QUALIFIED",
        "PROVIDE_FORMAT_STRING_FOR_MEASURES", "OBJECTS_WITH_NO_DESCRIPTION", "AVOID_DUPLICATE_MEASURES",
        "FIRST_LETTER_OF_OBJECTS_MUST_BE_CAPITALIZED", "INACTIVE_RELATIONSHIPS_THAT_ARE_NEVER_ACTIVATED",
    } <= broken(wrong).keys()  # fmt: skip
