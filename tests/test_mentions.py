"""What counts as a mention of someone who is forgotten, and what does not."""

from __future__ import annotations

import json
import re
import time
import unicodedata
from dataclasses import replace
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medallion.silver.mentions import Mentions
from medallion.silver.mentions.cleaning import cleaner
from medallion.silver.mentions.contacts import addresses, phone_forms
from medallion.silver.mentions.names import Name

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
    "ACC-00310, ACC-0031-B, XACC-0031, B-ACC-0031, B_ACC-0031",
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
    ("Jürgen Müller", "Jürgen Müller Jürgen; -Jürgen Müller"): "[erased]; -[erased]",
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


def test_only_a_long_number_may_begin_with_a_country_code():
    assert phone_forms("30 5551 2345") == {"3055512345"}
    assert phone_forms("4930 5551 234") == {"49305551234", "305551234"}


@pytest.mark.parametrize(
    ("cell", "is_one"),
    [
        ("juergen.mueller@brandt-ma.example", True),
        ("anna.mueller@brandt-ma.example", False),
        ("030 5551 2345", True),
        ("030 5551 2346", False),
    ],
)
def test_a_whole_cell_is_one_of_the_contacts(cell, is_one):
    assert WHO.is_contact(cell) is is_one


def test_a_particle_that_is_a_first_name_is_no_part_of_the_last_one():
    assert Name("Van Nguyen").surname == ["Nguyen"]
    assert Name("Ludwig van Beethoven").surname == ["van", "Beethoven"]


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


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()], ids=str)
def test_texts_of_every_arrow_type_are_cleaned(kind):
    (new,) = cleaner(WHO, set(), set(), set())([pa.record_batch([pa.array(["met Jürgen Müller-Özdemir", None], kind)], ["notes"])])  # fmt: skip
    assert new["notes"].type == kind
    assert new["notes"].to_pylist() == ["met [erased]", None]


SCRIPTS = {
    ("דוד כהן", "פגישה עם דוד כהן; לדוד כהן; כהן, דוד"): "פגישה עם [erased]; ל[erased]; [erased]",
    ("דוד כהן", "דָּוִד כֹּהֵן"): "[erased]",
    ("محمد علي", "اتصل محمد علي أمس، ومحمد علي"): "اتصل [erased] أمس، و[erased]",
    ("أحمد الشمري", "احمد الشمرى وصل"): "[erased] وصل",
    ("رضا کریمی", "رضا كريمي زنگ زد"): "[erased] زنگ زد",
    ("김 민수", "김민수 씨와 통화, 김 민수"): "[erased] 씨와 통화, [erased]",
    ("김민수", "김민수는 내일; 김 민수"): "[erased]는 내일; [erased]",
    ("佐藤 花子", "佐藤花子さん、佐藤\u3000花子、花子 佐藤"): "[erased]さん、[erased]、[erased]",
    ("王 小明", "与王小明通话"): "与[erased]通话",
    ("李明", "李明, 13:00; 李明先生说"): "[erased], 13:00; [erased]先生说",
    ("ジョン・スミス", "ジョン・スミス様 ジョン スミス ジョンスミス"): "[erased]様 [erased] [erased]",
    ("राम कुमार", "राम कुमार ने कहा; कुमार, राम"): "[erased] ने कहा; [erased]",
    ("สมชาย ใจดี", "คุณสมชาย ใจดีโทรมา"): "คุณ[erased]โทรมา",
    ("அருண் குமார்", "அருண் குமார் பேசினார்"): "[erased] பேசினார்",
    ("አበበ ቢቂላ", "ከአበበ ቢቂላ; አበበ ቢቂላ"): "ከ[erased]; [erased]",
    ("გიორგი ბერიძე", "დარეკა გიორგი ბერიძე"): "დარეკა [erased]",
    ("Γιώργος Παπαδόπουλος", "ΓΙΩΡΓΟΣ ΠΑΠΑΔΟΠΟΥΛΟΣ"): "[erased]",
    ("Նարեկ Սարգսյան", "ՆԱՐԵԿ ՍԱՐԳՍՅԱՆ"): "[erased]",
    ("anna schmidt", "anna schmidt; Anna Schmidt; schmidt, anna"): "[erased]; [erased]; [erased]",
    ("jonas weber", "spoke to jonas weber"): "spoke to [erased]",
    ("Jonas Weber", "spoke to jonas weber"): "spoke to [erased]",
    (
        "José García López",
        "José García called. García López, José; García, José",
    ): "[erased] called. [erased]; [erased]",
    ("Maria dos Santos Silva", "Maria dos Santos, Maria Silva"): "[erased], [erased]",
    ("박서준", "박서준님께, 박서준이"): "[erased]님께, [erased]이",
    ("Chan Tai Man 陳大文", "與陳大文通話; Chan Tai Man"): "與[erased]通話; [erased]",
    ("محمد علي حسن", "محمد علي، محمد علي صالح"): "[erased]، محمد علي صالح",
    ("José Luis García López", "José García López; José Luis García; José L. López"): "[erased]; [erased]; [erased]",
    ("Mark Will", "Mark Will; MARK WILL; Will, Mark"): "[erased]; [erased]; [erased]",
    ("Annual Renewal", "The Annual Renewal is due"): "The [erased] is due",
}
OF_OTHERS = {
    "דוד כהן": "דוד לוי וכהן; כהן דויד",
    "محمد علي": "محمد حسن وعلي",
    "김 민수": "김민호 김민 민수",
    "김민수": "이김민수 김민호",
    "佐藤 花子": "佐藤太郎と花子",
    "王 小明": "王小红",
    "李明": "李明博说, 高李明天",
    "राम कुमार": "राम सिंह; रमा कुमार",
    "สมชาย ใจดี": "สมชาย มีสุข",
    "남궁 민": "남궁 민수",
    "かとう はな": "がとう はな",
    "Mark Will": "Mark will call; I asked if mark will come; will mark it; Will mark; Will Mark come?",
    "Will Long": "This will long be remembered",
    "Grace May": "grace may be needed",
    "Hope Price": "we hope price is right",
    "Website Redesign": "they want a website redesign soon; new website. Redesign later; redesign website; Redesign Website",
    "website redesign": "they want a website redesign soon",
    "Jonas Weber": "They know Jonas. Weber is new",
    "José García López": "José García Pérez and José Pérez; Pedro García, José Luis; Pedro García, José",
    "Jürgen Müller": "Hans-Jürgen Müller; ask Hans-J. Müller",
    "Zephyr rollout": "about the zephyr rollout",
    "Anna Maria Schmidt": "Anna Maria Braun; Anna Maria called",
    "Hans Peter Wolf": "Hans Peter; Peter Wolf",
}


@pytest.mark.parametrize(("name", "text"), SCRIPTS)
def test_names_in_any_script_and_case(name, text):
    who = Mentions(names=frozenset({Name(name)}))
    assert who.without(text) == SCRIPTS[name, text]
    assert who.found(text)
    assert who.without(name.upper()) == "[erased]"


@pytest.mark.parametrize("name", OF_OTHERS)
def test_words_and_names_of_others_stay(name):
    who = Mentions(names=frozenset({Name(name)}))
    assert who.without(OF_OTHERS[name]) == OF_OTHERS[name]
    assert not who.found(OF_OTHERS[name])


def test_a_company_of_one_word_is_looked_for_in_running_text():
    """In a cell that may hold the name of somebody else's record it needs its legal form."""
    company = Mentions(names=frozenset({Name("LinkedIn Corp.", person=False)}))
    assert company.without("Sold to LinkedIn and LinkedIn Corp.") == "Sold to [erased] and [erased] Corp."
    for text in ("LinkedIn Ads", "LinkedIn"):
        assert company.without(text, whole=False) == text
        assert company.names_all(text), "so that the search lets it be"
        assert company.found(text)
    assert company.without("for LinkedIn Corp.", whole=False) == "for [erased] Corp."
    assert not company.names_all("for LinkedIn Corp.")


def test_a_company_that_is_a_common_word_needs_its_legal_form():
    company = Mentions(names=frozenset({Name("Marketing GmbH", person=False), Name("Referral Partners Ltd", person=False)}))  # fmt: skip
    for text in ("Head of Marketing", "Marketing Qualified", "Referral partners are good"):
        assert company.without(text) == text
        assert not company.found(text)
    assert company.without("Marketing GmbH and Referral Partners") == "[erased] and [erased]"


def test_a_company_in_scripts_without_spaces():
    company = Mentions(
        names=frozenset(Name(text, person=False) for text in ("株式会社 東京電力", "有限公司", "株式会社 田中", "HP"))
    )
    assert company.without("東京電力の件, 株式会社田中様") == "[erased]の件, [erased]様"
    assert not company.found("某有限公司, 田中, HP")


def test_a_value_of_an_enumerated_column_names_no_one():
    who = Mentions(
        names=frozenset({Name("Paid Search Ltd", person=False), Name("LinkedIn", person=False)}),
        vocabulary=frozenset({"paid search", "linkedin ads"}),
    )
    for text in ("Paid Search", " LinkedIn Ads", json.dumps({"source": "LinkedIn Ads", "n": 1})):
        assert who.without(text) == text
        assert not who.found(text)
    assert who.without("Paid Search called") == "[erased] called"


def test_a_mark_of_its_own_is_used_for_texts_seen_before():
    who = Mentions(names=frozenset({Name("Eva Klein")}))
    assert who.without("Eva Klein: lead") == "[erased]: lead"
    assert replace(who, mark="erased").without("Eva Klein: lead") == "erased: lead"


@pytest.mark.parametrize(
    "piece", ["a", "a.", "a-", "1", "@", "a@", "a @ ", "%40", "<a ", "Eva ", "김", "ก", "(at)", "+1 "]
)
def test_time_grows_with_the_length_of_a_cell(piece):
    who = Mentions(
        emails=frozenset({"eva@x.example"}),
        phones=frozenset({"+49 30 5551 2345"}),
        names=frozenset({Name("Eva Klein"), Name("김 민수"), Name("สมชาย ใจดี")}),
    )
    began = time.process_time()
    who.without("@ Eva " + (piece * (1 << 17))[: 1 << 17])
    addresses((piece * (1 << 17))[: 1 << 17] + "@")
    assert time.process_time() - began < 5


def test_the_vocabulary_is_that_of_the_contracts():
    from medallion import contracts
    from medallion.care.erasure import subject

    known = subject.vocabulary(contracts.entities().values())
    assert {"linked in", "cold call", "won"} <= known
    assert all(text == text.casefold() for text in known)
