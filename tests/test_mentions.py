"""What counts as a mention of someone who is forgotten, and what does not."""

from __future__ import annotations

import json
import re
import unicodedata
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medallion.silver.mentions import Mentions, Name, cleaner

WHO = Mentions(
    emails=frozenset({"juergen.mueller@brandt-ma.example"}),
    phones=frozenset({"+49 30 5551 2345"}),
    keys=frozenset({"ACC-0031"}),
    names=frozenset({Name("Jürgen Müller-Özdemir"), Name("Brandt Maschinenbau GmbH", person=False), Name("Mark")}),
)
FOUND = {
    "Call Jürgen Müller-Özdemir tomorrow": "Call [erased] tomorrow",
    "MÜLLER-ÖZDEMIR, JÜRGEN agreed": "[erased] agreed",
    "J. Müller-Özdemir will sign": "[erased] will sign",
    "Müller-Özdemir, J. will sign": "[erased]. will sign",
    "met Juergen Mueller-Oezdemir": "met [erased]",
    "met Jurgen Muller-Ozdemir": "met [erased]",
    "Dr. Jürgen  Müller-Özdemir": "Dr. [erased]",
    "Herr Müller-Özdemir called": "Herr [erased] called",
    "Jürgen Müller Özdemir": "[erased]",
    "Müller-Özdemir's offer": "[erased]'s offer",
    "Jürgen\nMüller-Özdemir": "[erased]",
    unicodedata.normalize("NFD", "met Jürgen Müller-Özdemir"): "met [erased]",
    "call 030 5551 2345 now": "call [erased] now",
    "0049-30-55512345": "[erased]",
    "+49 (0)30 5551-2345 ext. 12, ok": "[erased], ok",
    "4930555 12345; (030) 555.123.45": "[erased]; [erased]",
    "on 2025-01-01 030 5551 2345": "on 2025-01-01 [erased]",
    "+493055512345x7": "[erased]",
    "tel:+493055512345": "tel:[erased]",
    "JUERGEN.MUELLER@BRANDT-MA.EXAMPLE": "[erased]",
    "to juergen.mueller+crm@brandt-ma.example.": "to [erased].",
    "<mailto:juergen.mueller@brandt-ma.example?subject=x>": "<mailto:[erased]?subject=x>",
    "juergen.mueller%40brandt-ma.example": "[erased]",
    "juergen.mueller (at) brandt-ma.example": "[erased]",
    "a juergen.mueller@brandt-ma.example juergen.mueller@brandt-ma.example": "a [erased] [erased]",
    "deal with BRANDT MASCHINENBAU and Brandt Maschinenbau GmbH": "deal with [erased] and [erased] GmbH",
    "see acc-0031.": "see [erased].",
    "J&uuml;rgen M&uuml;ller-&Ouml;zdemir": "[erased]",
    "<b>Jürgen</b> <i>Müller-Özdemir</i>": "<b>[erased]</i>",
    "Jürgen K. Müller-Özdemir": "[erased]",
    "Jürgen\u00a0Müller\u2011Özdemir": "[erased]",
    "Müller-Özdemir Jürgen": "[erased]",
    "juergen.mueller @ brandt-ma.example": "[erased]",
    "+49/30/55512345 or 49 30 5551 2345": "[erased] or [erased]",
    "\uff10\uff13\uff10 \uff15\uff15\uff15\uff11 2345": "[erased]",
}
STAYS = [
    "Müller, Hans",
    "Jürgen Schmidt and Hans Müller",
    "030 5551 2346",
    "order 4930555123459, DE4930555123456789",
    "xjuergen.mueller@brandt-ma.example juergen.mueller@brandt-ma.example.org",
    "Anna Brandt bought a brandt",
    "mark as done; Mark the date; Mark Twain",
    "55512345.00 and 3055512345.00",
    "ACC-00310, ACC-0031-B, XACC-0031",
    "J. Schmidt-Özdemir of Özdemir GmbH",
    "Jürgen Müller-Özdemir-Schmidt",
    "Jürgen, who met Müller",
    "Jürgen; K. Müller-Schmidt",
    "juergen.mueller-oezdemir@other.example",
    "juergen-mueller-oezdemir @ other.example of C9",
]


@pytest.mark.parametrize("text", FOUND)
def test_usual_forms_are_found(text):
    assert WHO.without(text) == FOUND[text]
    assert WHO.found(text)


@pytest.mark.parametrize("text", STAYS)
def test_near_misses_stay(text):
    assert WHO.without(text) == text
    assert not WHO.found(text)


OTHERS = {
    (
        "Siobhán O'Brien",
        "SIOBHAN OBRIEN; O'Brien, Siobhan; S. O’Brien; Pat O'Brien",
    ): "[erased]; [erased]; [erased]; Pat O'Brien",
    (
        "Anne-Marie de Vries",
        "Annemarie de Vries, Mevr. de Vries, A. de Vries, Jan de Vries",
    ): "[erased], Mevr. [erased], [erased], Jan de Vries",
    ("Łukasz Żółć", "Lukasz Zolc called"): "[erased] called",
    ("İbrahim Şahin", "IBRAHIM SAHIN"): "[erased]",
    ("王小明", "与王小明通话"): "与[erased]通话",
    (
        "Dr. Ada B. Byron",
        "Ada Byron; A. Byron; Ada Byron's; Ada, and Byron",
    ): "[erased]; [erased]; [erased]'s; Ada, and Byron",
    ("Иван Петров", "звонил ИВАН ПЕТРОВ"): "звонил [erased]",
}
NUMBERS = {
    (
        "+44 20 7946 0958",
        "020 7946 0958, (020)79460958, 44-20-7946-0958, 7946 0958",
    ): "[erased], [erased], [erased], 7946 0958",
    ("020 7946 0958", "+44 20 7946 0958; +44 (0) 20 7946 0958"): "[erased]; [erased]",
    ("+1 (415) 555-0101", "415.555.0101 1-415-555-0101 +14155550101"): "[erased] [erased] [erased]",
    ("4155550102x7", "(415) 555 0102 ext 7, 4155550102 and 94155550102"): "[erased], [erased] and 94155550102",
    ("+45 12 34 56 78", "tlf 12345678, 12 34 56 79"): "tlf [erased], 12 34 56 79",
    ("110", "call 110 or 1100"): "call 110 or 1100",
    ("55123", "55123 euros"): "55123 euros",
    ("555-0101", "(212) 555-0101, 555.0101, 5550101 euros"): "(212) 555-0101, [erased], 5550101 euros",
    ("551-23", "call 551-23 for 55123"): "call [erased] for 55123",
    ("+1 415 555 0101 / +1 415 555 0103", "4155550103"): "[erased]",
}


def test_a_key_may_be_an_address():
    assert (
        Mentions(keys=frozenset({"Ann@x.example"})).without("to ann@x.example, zann@x.example")
        == "to [erased], zann@x.example"
    )


@pytest.mark.parametrize(("name", "text"), OTHERS)
def test_names_of_many_kinds(name, text):
    assert Mentions(names=frozenset({Name(name)})).without(text) == OTHERS[name, text]


@pytest.mark.parametrize(("number", "text"), NUMBERS)
def test_numbers_of_many_countries(number, text):
    assert Mentions(phones=frozenset({number})).without(text) == NUMBERS[number, text]


def test_documents_stay_documents():
    assert json.loads(WHO.without('{"phone": 493055512345, "value": 493055512346}')) == {"phone": "[erased]", "value": 493055512346}  # fmt: skip
    told = {"contact": {"mail": "Juergen.Mueller@brandt-ma.example"}, "n": [1, "Jürgen Müller-Özdemir"], "x": json.dumps({"a": "ü ACC-0031"})}  # fmt: skip
    clean = {"contact": {"mail": "[erased]"}, "n": [1, "[erased]"], "x": json.dumps({"a": "ü [erased]"})}
    for ascii_only in (True, False):
        text = json.dumps(told, ensure_ascii=ascii_only)
        assert json.loads(WHO.without(text)) == clean
        assert WHO.found(text) == {"email", "name", "key"}


def test_file_names_keep_apart():
    one = WHO.in_file_name("/exports/2025/export_juergen.mueller@brandt-ma.example.csv")
    assert one.startswith("/exports/2025/erased_")
    assert one.endswith(".csv")
    assert one != WHO.in_file_name("/exports/2025/Müller-Özdemir.csv")
    told = json.loads(WHO.without(json.dumps({"name": "Müller-Özdemir.csv", "columns": [["ACC-0031", "b"]], "x": "Müller-Özdemir"})))  # fmt: skip
    assert told == {"name": WHO.in_file_name("Müller-Özdemir.csv"), "columns": [[WHO.in_file_name("ACC-0031"), "b"]], "x": "[erased]"}  # fmt: skip
    cited = Mentions(files=frozenset({"C004", "leads_ann.csv"}))
    assert cited.without("C0042 and leads_ann.csv, row 2").startswith("C0042 and erased_")
    assert WHO.in_file_name("/exports/leads.csv") == "/exports/leads.csv"


def test_a_surname_that_others_have_is_not_looked_for_alone():
    others = Mentions(names=frozenset({Name("Jürgen Müller")}), shared=frozenset({"Jürgen Müller"}))
    assert others.without("Herr Müller, J. Müller, Jürgen Müller") == "Herr Müller, J. Müller, [erased]"
    alone = Mentions(names=frozenset({Name("Jürgen Müller")}))
    assert alone.without("Herr Müller, J. Müller, Jürgen Müller; Müller") == "Herr [erased], [erased], [erased]; Müller"


def test_the_title_of_a_deal_is_no_common_phrase():
    title = Mentions(names=frozenset({Name("Website redesign")}))
    assert title.without("about the website redesign: Website redesign") == "about the website redesign: [erased]"


def test_a_company_of_common_words_is_no_phrase():
    company = Mentions(names=frozenset({Name("Best Buy Inc.", person=False), Name("Security", person=False)}))
    assert (
        company.without("the best buy at Best Buy: security of Security")
        == "the best buy at [erased]: security of [erased]"
    )


def test_the_name_of_another_record_stays_as_its_name():
    assert WHO.without("Dr. Jürgen Müller-Özdemir", whole=False) == "Dr. Jürgen Müller-Özdemir"
    assert WHO.without("Referral by Jürgen Müller-Özdemir", whole=False) == "Referral by [erased]"


def test_what_is_searched_names_no_one():
    text = json.dumps(WHO.searched())
    assert not WHO.found(text)
    assert "1 names of one word" in text


PIECES = (
    "Jürgen|Müller|Özdemir|J.|Herr|+49|030|5551|2345|(0)|juergen.mueller|@brandt-ma.example|ACC|0031|Brandt|Maschinenbau|GmbH"
    "| |, |-|.|+|_|<b>|&uuml;|\n|ext. 4|[|\"|'"
)
FRAGMENTS = st.lists(st.sampled_from([*FOUND, *STAYS, *re.split(r"\|", PIECES)]), max_size=9)


@given(FRAGMENTS, st.sampled_from(["", " ", "-"]))
@settings(max_examples=100, deadline=None)
def test_what_is_blanked_is_not_found_again(parts, between):
    """Else an erasure could never end; what is left alone as somebody else's name is a name and nothing else."""
    text = between.join(parts)
    assert not WHO.found(WHO.without(text))
    left = WHO.without(text, whole=False)
    assert not WHO.found(left) or (WHO.found(left) == {"name"} and WHO.names_all(left))
    document = json.dumps({"a": [text]})
    assert not WHO.found(WHO.without(document))
    assert WHO.without(WHO.without(document)) == WHO.without(document)


def test_a_table_is_cleaned_row_by_row():
    """Keys stay, a name of somebody else's record stays unless the record is the person's; rows that change are told."""
    rows = {
        "lead_id": ["ACC-0031", "L-2", "L-3", "L-4"],
        "lead_name": ["Müller-Özdemir, Jürgen", "Jürgen Müller-Özdemir", "for Jürgen Müller-Özdemir", None],
        "email": [None, "JUERGEN.MUELLER+x@brandt-ma.example", "b@b.example", ""],
        "notes": [None, "x", "Jürgen Müller-Özdemir", "y"],
        "reasons": [[], ["acc-0031"], None, [None, "z"]],
        "value": [Decimal("1.50"), None, Decimal("2.00"), Decimal("3055512345.00")],
        "_source_file": ["a.csv", "Müller-Özdemir_J.csv", "a.csv", "a.csv"],
    }
    batch = pa.RecordBatch.from_pydict(rows)
    clean = cleaner(WHO, {"lead_id"}, {"lead_name", "email"}, {"_source_file"})
    (new,) = clean([batch])
    assert new.schema.names == [*batch.schema.names, "_touched", "_alike"]
    assert [field.type for field in new.schema][:7] == [field.type for field in batch.schema]
    found = new.to_pydict()
    assert found["lead_id"] == rows["lead_id"]
    assert found["lead_name"] == ["Müller-Özdemir, Jürgen", "[erased]", "for [erased]", None]
    assert found["email"] == [None, "[erased]", "b@b.example", ""]
    assert found["notes"] == [None, "x", "[erased]", "y"]
    assert found["reasons"] == [[], ["[erased]"], None, [None, "z"]]
    assert found["_source_file"][1].startswith("erased_")
    assert found["_touched"] == [False, True, True, False]
    assert found["_alike"] == [True, False, False, False]
