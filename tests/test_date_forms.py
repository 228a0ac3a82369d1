"""Forms of dates that a column's values decide, and what a contract may say of them."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from pydantic import ValidationError

from medallion import contracts, silver
from medallion.cells import times
from medallion.contracts import Filling
from medallion.contracts.dates import day_order, formats, inference
from medallion.contracts.dates.day_order import Span

YEAR = Span(date(2025, 1, 1), date(2026, 3, 1))


@pytest.mark.parametrize(
    ("texts", "day_first", "needed"),
    [
        (["31.12.24", "1.2.25"], False, ("d.M.yy since 1950",)),
        (["12/31/24"], False, ("M/d/yy since 1950",)),
        (["31-12-24 14:30"], True, ("d-M-yy H:mm since 1950",)),
        (["25/03/14", "24/11/02", "25/06/30"], False, ("yy/M/d since 1950",)),
        (["45909", "46061.5"], False, ("serial 1900",)),
        (["45909,25"], False, ("serial 1900",)),
        (["44447", "44599"], False, ("serial 1904",)),
        (["1741777200"], False, ("epoch s",)),
        (["1741777200000"], False, ("epoch ms",)),
        (["1741777200000000"], False, ("epoch us",)),
        (["2025-02-14 03:30pm", "2025-02-14 03:30 p.m."], False, ("yyyy-MM-dd h:mm a",)),
        (["1/31/2025 3:30 CET", "1/31/2025 3:30 +0200"], False, ("M/d/yyyy H:mm z",)),
        (["12. März 2025", "1 de mayo de 2025", "3 févr. 2025"], False, ("d LLLL yyyy",)),
        (["12-MAR-25"], False, ("d LLLL yy since 1950",)),
        (["Mon, 20 Jan 2025", "Tuesday, 21 Jan 2025"], False, ("E, d MMM yyyy",)),
        (["Monday, March 03, 2025", "Tue, Mar 4, 2025"], False, ("E, MMM d, yyyy",)),
        (["Mon, 20 Jan 2025 10:00:00 +0000"], False, ("E, d MMM yyyy H:mm:ss z",)),
        (["lundi 20 janvier 2025", "mié 22 ene 2025"], False, ("E, d LLLL yyyy",)),
        (["2025年3月5日", "2025年12月31日(水) 10:30"], False, ("yyyy年M月d日", "yyyy年M月d日 H:mm")),
        (["2025-22-11", "2025-23-11"], False, ("yyyy-d-M",)),
    ],
    ids=str,
)
def test_a_column_is_read_by_the_one_form_that_its_values_have(texts, day_first, needed):
    assert inference.called_for(texts, day_first, YEAR) == (needed, [])


@pytest.mark.parametrize(
    "text", ["45909", "99", "1741777", "9999999999999", "3 листопада 2025", "1/31/2025 3:30 CST", "1.74E+12"]
)
def test_what_may_be_read_in_two_ways_or_none_is_left_unread(text):
    assert inference.called_for([text], False, None) == ((), [text])


@pytest.mark.parametrize(
    ("said", "reads"),
    [
        ({"order": "day", "century": 1950}, "31/12/24"),
        ({"order": "year"}, "24-12-31"),
        ({"serial": 1904}, "44447"),
        ({"epoch": "ms"}, "1741777200000"),
    ],
)
def test_a_contract_says_how_dates_are_written(said, reads):
    filling = Filling(column="Date", dates=said)
    assert any(formats.reads(format_, reads) for format_ in filling.date_formats)
    assert Filling.model_validate(filling.model_dump(exclude_defaults=True)) == filling


@pytest.mark.parametrize(
    "said", [{"century": 1950}, {"zone": "Berlin"}, {"serial": 1910}, {"epoch": "ns"}, {"first": "day"}]
)
def test_a_contract_that_says_half_of_it_is_refused(said):
    with pytest.raises(ValidationError):
        Filling(column="Date", dates=said)


@pytest.mark.parametrize(
    ("texts", "first"),
    [
        (["14/03/98", "10/02/25", "11/02/25"], False),  # 2014-03-98 is no day
        (["12/31/99", "10/02/25", "1/5/24"], False),
        (["25/03/14", "24/11/02", "25/06/30"], None),  # each is a real day in both readings
        (["14/03/25", "5/11/24"], False),  # no year has one digit
        (["32/03/14", "24/11/02"], True),
        (["24.05.06", "24.07.08"], False),  # dots have the day first
        (["98-03-14", "25-02-10", "25-01-31"], True),
    ],
)
def test_a_year_comes_first_only_where_every_text_is_a_day_so(texts, first):
    assert day_order.year_first(texts) is first


@pytest.mark.parametrize(
    ("texts", "first"),
    [
        (["25/03/14", "24/11/02", "25/06/30"], True),
        (["14/03/25", "02/11/24", "30/06/25"], False),
        (["25/06/24", "25/07/24"], None),
    ],
)
def test_other_dates_tell_whether_a_year_comes_first(texts, first):
    assert day_order.year_first(texts, YEAR) is first


@pytest.mark.parametrize("text", ["2025050110", "2505011030", "4155550101"])
def test_figures_far_from_the_other_dates_are_no_seconds(text):
    needed, left = inference.called_for([text], True, YEAR)
    assert (needed, left) == ((), [text])
    assert inference.called_for(["1741777200"], True, YEAR) == (("epoch s",), [])


def test_the_plan_of_a_date_grows_with_its_formats_and_not_with_their_powers(frame):
    """What a step names twice is twice in the plan, so that three steps in one expression would be a thousand times it."""
    entity = contracts.entities()["leads"]
    every = inference.declared("day", 1950, None, 1900, "Europe/Berlin")
    known = "_ingested_at timestamp, _batch_id string, _source_file string, _source_row int, _malformed string, _malformed_reason string"
    bronze = frame(f"Opened string, {known}", ("3/2/25 3:30p.m.", None, "b", "f", 1, None, None))
    sizes = []
    for count in (10, len(every) - 1):
        opened = Filling(column="Opened", date_formats=(*every[:count], every[-1]))
        read = silver.readings(bronze, entity, {"created_at": {opened: ()}}).frame.select("created_at")
        assert [str(row.created_at) for row in read.collect()] == (["None"] if count == 10 else ["2025-02-03 14:30:00"])
        sizes.append(read._plan.to_proto(read.sparkSession.client).ByteSize())
    assert len(every) > 70
    assert sizes[1] < len(every) / 10 * sizes[0]
    assert sizes[1] < 50_000


@pytest.mark.parametrize(
    ("format_", "text", "day"),
    [
        ("EEE, dd MMM yyyy", "Mon, 20 Jan 2025", "2025-01-20"),
        ("EEEE, MMMM d, yyyy", "Monday, March 3, 2025", "2025-03-03"),
        ("E, d.M.yyyy", "Mo., 20.01.2025", "2025-01-20"),
        ("E, d MMM yyyy", "Tue, 20 Jan 2025", None),  # it is a Monday
        ("yyyy年M月d日", "2025年3月5日(水)", "2025-03-05"),
        ("yyyy年M月d日", "2025年3月5日(木)", None),
    ],
)
def test_the_name_of_a_weekday_is_that_of_the_day(format_, text, day):
    at = times.timestamp(text, [format_])
    assert (None if at is None else str(datetime(1970, 1, 1) + timedelta(microseconds=at))[:10]) == day


@pytest.mark.parametrize(
    ("format_", "text", "at"),
    [
        ("M/d/yyyy H:mm z", "1/31/2025 3:30 CET", "2025-01-31 02:30:00"),
        ("M/d/yyyy H:mm z", "1/31/2025 3:30 EST", "2025-01-31 08:30:00"),
        ("M/d/yyyy H:mm z", "1/31/2025 3:30 UTC", "2025-01-31 03:30:00"),
        ("M/d/yyyy H:mm z", "1/31/2025 3:30 +0530", "2025-01-30 22:00:00"),
        ("M/d/yyyy H:mm z", "1/31/2025 3:30 GMT-03:30", "2025-01-31 07:00:00"),
        ("epoch us", "1741777200000001.9", "2025-03-12 11:00:00.000001"),
        ("epoch ms", "/Date(1741777200123+0200)/", "2025-03-12 11:00:00.123000"),
        ("serial 1904", "44447.5", "2025-09-09 12:00:00"),
        ("serial 1900", "45909.999999", "2025-09-10 00:00:00"),  # to the second
        ("d/M/yyyy K:mm a", "1/2/2025 0:30 am", "2025-02-01 00:30:00"),
        ("d/M/yyyy k:mm", "1/2/2025 24:30", "2025-02-01 00:30:00"),
        ("M/yyyy", "6/2025", "2025-06-01 00:00:00"),
    ],
)
def test_a_format_says_what_a_time_is_in_utc(format_, text, at):
    read = times.timestamp(text, [format_])
    assert str(datetime(1970, 1, 1) + timedelta(microseconds=read)) == at


@pytest.mark.parametrize(
    ("format_", "text"),
    [
        ("d-MMM-yyyy", "12-Foo-2025"),
        ("MMM d, yyyy", "Marzo 12, 2025"),
        ("d LLLL yyyy", "12 foo 2025"),
        ("d LLLL yyyy", "12 listopadu 2025"),  # October or November, by language
    ],
)
def test_a_month_of_no_known_name_is_none(format_, text):
    assert times.timestamp(text, [format_]) is None


def test_the_year_before_the_first_is_a_leap_year_of_iso_8601():
    first, day = datetime(1, 1, 1) - datetime(1970, 1, 1), timedelta(days=1)
    read = [
        times.timestamp(text, []) for text in ("0000-01-01", "0000-02-29", "0000-12-31T23:00:00+01:00", "0001-01-01")
    ]
    assert [timedelta(microseconds=at) for at in read] == [
        first - 366 * day,
        first - 307 * day,
        first - 2 / 24 * day,
        first,
    ]


def test_a_day_before_the_month_is_read_with_any_time():
    texts = ["2025-22-11", "2025-04-08 10:00", "2025-04-08T10:00:00.5Z", "2025-05-31"]
    read = [times.timestamp(text, ["yyyy-d-M"]) for text in texts]
    days = [None if at is None else str(datetime(1970, 1, 1) + timedelta(microseconds=at))[:10] for at in read]
    assert days == ["2025-11-22", "2025-08-04", "2025-08-04", None]
