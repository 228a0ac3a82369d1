"""Customer features: hand-computed rows, and the laws of time and order."""

from __future__ import annotations

import dataclasses
import importlib
import itertools
import random
import sys
from datetime import date, datetime, timedelta
from decimal import Decimal as D

import pytest
from pyspark.sql import Column
from pyspark.sql import functions as F
from test_lead_score import CUSTOMER, LEAD, TOUCH

from medallion.errors import MedallionError
from medallion.features import AsOf, Features, around
from medallion.scoring import base_rate

AS_OF = AsOf(datetime(2025, 7, 1))
LEAD_NAMES = [item.split()[0] for item in LEAD.split(", ")]


def account(name, **more):
    values = {"employee_count": 60, "created_at": datetime(2025, 6, 20), "email": "a@x.example", **more}
    names = [item.split()[0] for item in CUSTOMER.split(", ")]
    return tuple({"customer_id": name, "customer_name": name, **values}.get(column) for column in names)


def lead(name, customer, status, value, opened, closed=None, **more):
    values = {
        "lead_id": name,
        "customer_id": customer,
        "status": status,
        "deal_value": value,
        "created_at": opened,
        "closed_at": closed,
        "source": "event",
        **more,
    }
    return tuple(values.get(column) for column in LEAD_NAMES)


def touch(name, customer, channel, outcome, at, minutes=None, direction=None):
    return (name, customer, channel, direction, at, minutes, outcome)


def made(frame, accounts, leads=(), touches=(), as_of=AS_OF):
    from tables_of_gold import gold

    result = gold.customer_features(frame(CUSTOMER, *accounts), frame(LEAD, *leads), frame(TOUCH, *touches), as_of)
    return {row["customer_id"]: row.asDict() for row in result.collect()}


def at(day: str, hour: int = 9) -> datetime:
    return datetime.fromisoformat(day) + timedelta(hours=hour)


ACCOUNTS = [account("A"), account("B", email=None, employee_count=None)]
LEADS = [
    lead("L1", "A", "won", D(300), at("2025-01-01"), at("2025-02-01"), phone="1"),
    lead("L2", "A", "lost", D(100), at("2025-03-01"), at("2025-04-01")),
    lead("L3", "A", "open", None, at("2025-06-01"), expected_close_date=date(2025, 8, 1), source="referral"),
    lead("L4", "A", "won", D("50.50"), at("2025-05-02"), at("2025-05-12")),
]
TOUCHES = [
    touch("1", "A", "call", "positive", at("2025-06-29"), 10, "outbound"),
    touch("2", "A", "call", "no_answer", at("2025-06-01"), 0, "outbound"),
    touch("3", "A", "email", "meeting_booked", at("2025-05-01"), None, "inbound"),
    touch("4", "A", "whatsapp", "negative", at("2025-01-02"), 5),
]
EXPECTED_A = {
    "leads": 4, "open_leads": 1, "won_leads": 2, "lost_leads": 1,
    "total_deal_value": D("450.50"), "open_value": D("0.00"), "won_value": D("350.50"), "lost_value": D("100.00"),
    "largest_deal_value": D("300.00"), "first_lead_at": at("2025-01-01"), "last_won_at": at("2025-05-12"),
    "last_closed_at": at("2025-05-12"), "next_expected_close": date(2025, 8, 1), "won_cycle_days": 41,
    "mature_leads": 2, "converted_leads": 1, "best_source_weight": 1.0,
    "interactions": 4, "calls": 2, "emails": 1, "whatsapps": 1, "meetings": 0, "other_touches": 0,
    "inbound": 1, "outbound": 2, "meetings_booked": 1, "positive_touches": 2, "neutral_touches": 0,
    "negative_touches": 1, "unanswered_touches": 1, "first_interaction_at": at("2025-01-02"),
    "last_interaction_at": at("2025-06-29"), "last_positive_at": at("2025-06-29"), "total_duration_minutes": 15,
    "interactions_30d": 2, "interactions_90d": 3, "best_recent_intent": 1.0,
    "preferred_channel": "email", "has_email": True, "has_phone": True, "days_since_last_interaction": 1,
    "days_since_last_activity": 1, "average_duration_minutes": 3.75, "positive_rate": 0.5, "response_rate": 0.75,
    "hours_to_first_touch": 24.0, "activity_trend": 2.0, "win_rate": 0.666667, "conversion_rate": 0.5,
    "average_deal_value": D("150.17"), "average_cycle_days": 20.5, "rfm_recency": 5, "rfm_frequency": 3, "rfm_monetary": 4,
    "rfm_score": "534", "segment": "Champion", "size_band": "51-200", "account_age_days": 10,
    "as_of": date(2025, 6, 30),
}  # fmt: skip


def test_features_of_a_busy_account(frame):
    row = made(frame, ACCOUNTS, LEADS, TOUCHES)["A"]
    assert {name: row[name] for name in EXPECTED_A} == EXPECTED_A


def test_features_of_a_silent_account(frame):
    row = made(frame, ACCOUNTS, LEADS, TOUCHES)["B"]
    counts = ("leads", "open_leads", "won_leads", "interactions", "calls", "total_duration_minutes", "won_value")
    assert {name: row[name] for name in counts} == dict.fromkeys(counts, 0)
    unknown = ("preferred_channel", "days_since_last_interaction", "win_rate", "conversion_rate", "positive_rate",
               "average_deal_value", "average_cycle_days", "hours_to_first_touch", "activity_trend")  # fmt: skip
    assert {name: row[name] for name in unknown} == dict.fromkeys(unknown)
    assert (row["has_email"], row["has_phone"], row["size_band"], row["segment"]) == (
        False,
        False,
        "unknown",
        "Dormant",
    )
    assert (row["score_engagement"], row["score_recency"], row["score_intent"]) == (0, 0, 0)
    assert row["lead_score"] == 12  # 30 * (.5 * .5 + .3 * .5), half up


PREFERENCES = [
    # touches (channel, outcome, day in June)                        -> preferred channel
    ([("call", "positive", 1)], "call"),
    ([("call", "positive", 1), ("email", "positive", 2)], "email"),  # a tie goes to the one used last
    ([("email", "neutral", 1), ("call", "neutral", 1)], "call"),  # and then by name
    ([("call", "positive", 9), ("call", "negative", 9), ("other", "positive", 1)], "other"),
    ([("call", "positive", 1)] * 3 + [("meeting", "positive", 2)], "call"),  # smoothing: 4/5 beats 2/3
    ([("call", "negative", 1)] * 3 + [("email", "no_answer", 1)], "email"),  # 1/3 beats 1/5
]


def each(frame, column, cases, leads_and_touches):
    """A column of an account per case, of which each has the deals and touches that a function makes of it."""
    leads, touches = [], []
    for name, given in enumerate(cases):
        of_case = leads_and_touches(str(name), given)
        leads += of_case[0]
        touches += of_case[1]
    found = made(frame, [account(str(name)) for name in range(len(cases))], leads, touches)
    return [(given, found[str(name)][column]) for name, given in enumerate(cases)]


def test_preferred_channel(frame):
    def touches(name, touched):
        return [], [touch(f"{name}-{i}", name, c, o, at(f"2025-06-{d:02}")) for i, (c, o, d) in enumerate(touched)]

    assert each(frame, "preferred_channel", [touched for touched, _ in PREFERENCES], touches) == PREFERENCES


SMS = touch("1", "A", "sms", "positive", at("2025-06-29"), 10)  # a channel that a contract has added


def test_a_channel_without_a_name_of_its_own_is_other(frame):
    row = made(frame, ACCOUNTS, [], [SMS, touch("2", "A", "email", "neutral", at("2025-06-30"))])["A"]
    assert (row["interactions"], row["emails"], row["other_touches"]) == (2, 1, 1)
    assert row["preferred_channel"] == "other"


CYCLES = [
    # won deals (opened, closed)                                                   -> average cycle in days
    ([("2025-01-01", "2025-01-11"), ("2025-01-01", "2025-01-31")], 20.0),
    ([("2025-01-01", "2025-01-11"), (None, "2025-01-31")], 10.0),  # one whose opening is not known says nothing
    ([(None, "2025-01-31")], None),
    ([("2025-01-01", "2025-01-11"), ("2025-06-01", "2025-01-01")], 10.0),  # closed before it was opened: no cycle
    ([], None),
]


def test_average_cycle(frame):
    def leads(name, won):
        return [
            lead(f"{name}-{n}", name, "won", D(1), opened and at(opened), at(closed))
            for n, (opened, closed) in enumerate(won)
        ], []

    assert each(frame, "average_cycle_days", [won for won, _ in CYCLES], leads) == CYCLES


MONETARY = [
    # won by A, by B, by no account -> digit of A (the average buyer has half of what A and B have together)
    (300, 100, None, 4),
    (300, 100, 10_000, 4),  # a deal without an account has no buyer
    pytest.param(100, 100, None, 4, marks=pytest.mark.slow),
    (100, 300, None, 3),
    (100, 301, None, 2),
    (0, 300, None, 1),
    pytest.param(100, 0, None, 4, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("mine", "others", "nobodys", "digit"), MONETARY)
def test_monetary_value_is_against_the_average_buyer(frame, mine, others, nobodys, digit):
    sums = {"A": mine, "B": others, None: nobodys}
    leads = [lead(str(who), who, "won", D(n), at("2025-01-01"), at("2025-02-01")) for who, n in sums.items() if n]
    assert made(frame, ACCOUNTS, leads)["A"]["rfm_monetary"] == digit


SEGMENTS = [
    # days since the last touch, days since each win -> recency, frequency, segment (who bought did for the same sum)
    (14, [200], 5, 2, "Champion"),
    (15, [200], 4, 2, "Champion"),
    (30, [], 4, 1, "Prospect"),
    (31, [], 3, 1, "Prospect"),
    (60, [200], 3, 2, "Champion"),
    (61, [200, 300], 2, 3, "At risk"),
    (91, [90], 2, 2, "At risk"),
    (91, [91], 1, 2, "At risk"),
    (91, [3], 5, 2, "Champion"),  # a purchase is activity too
    (91, [], 1, 1, "Dormant"),
    (None, [], 1, 1, "Dormant"),
    (None, [0, 0, 0, 0, 0, 0], 5, 5, "Champion"),
]


def test_segments(frame):
    today = at("2025-06-30")
    leads, touches = [], []
    for name, (quiet, wins, *_) in enumerate(SEGMENTS):
        if quiet is not None:
            touches.append(touch(str(name), str(name), "call", "neutral", today - timedelta(days=quiet)))
        for n, days in enumerate(wins):
            value, closed = D(60) / len(wins), today - timedelta(days=days)
            leads.append(lead(f"{name}-{n}", str(name), "won", value, at("2024-01-01"), closed))
    found = made(frame, [account(str(name)) for name in range(len(SEGMENTS))], leads, touches)
    rows = [found[str(name)] for name in range(len(SEGMENTS))]
    told = [(row["rfm_recency"], row["rfm_frequency"], row["segment"]) for row in rows]
    assert list(zip(SEGMENTS, told, strict=True)) == [(case, case[2:]) for case in SEGMENTS]


def test_a_small_buyer_is_no_champion(frame):
    leads = [lead(who, who, "won", D(n), at("2025-06-01"), at("2025-06-20")) for who, n in (("A", 10), ("B", 90))]
    found = made(frame, ACCOUNTS, leads)
    assert (found["A"]["segment"], found["B"]["segment"]) == ("Customer", "Champion")


TOUCHED = [
    # first touch, hours after the first deal was opened
    (timedelta(hours=1, minutes=30), 1.5),
    (timedelta(0), 0.0),
    (timedelta(days=2), 48.0),
    (timedelta(seconds=-1), None),
]


def test_hours_to_first_touch(frame):
    def of_account(name, later):
        opened = at("2025-06-01")
        leads = [lead(f"{name}-{n}", name, "open", None, opened + timedelta(days=n)) for n in range(2)]
        return leads, [touch(name, name, "call", "neutral", opened + later)]

    assert each(frame, "hours_to_first_touch", [later for later, _ in TOUCHED], of_account) == TOUCHED


def crowd(seed: int):
    """Accounts, deals and touches of a half year at random."""
    pick = random.Random(seed)  # noqa: S311
    start = at("2025-01-01")
    leads, touches = [], []
    for n in range(80):
        status, opened = pick.choice(["won", "lost", "open"]), start + timedelta(days=pick.randrange(160))
        closed = None if status == "open" else opened + timedelta(days=pick.randrange(60))
        leads.append(lead(f"L{n}", f"C{pick.randrange(20)}", status, D(pick.randrange(10**6)) / 100, opened, closed))
    for n in range(300):
        channel, outcome = pick.choice(["call", "email", "other"]), pick.choice(["positive", "neutral", "negative"])
        when = start + timedelta(days=pick.randrange(180), hours=pick.randrange(12))
        touches.append(touch(f"T{n}", f"C{pick.randrange(20)}", channel, outcome, when, n))
    return [account(f"C{n}", created_at=start) for n in range(20)], leads, touches


OPENED, CLOSED, STATUS = (LEAD_NAMES.index(name) for name in ("created_at", "closed_at", "status"))


def test_what_happens_later_changes_nothing(frame):
    """Later deals, closes and touches, whatever they say, leave the features of an earlier as-of time as they were."""
    accounts, leads, touches = crowd(seed=4)
    early = AsOf(datetime(2025, 4, 15))
    then = early.time
    before = [row for row in leads if row[OPENED] < then]
    kept = [row for row in touches if row[4] < then]
    assert 20 < len(before) < len(leads)
    assert any(row[CLOSED] and row[CLOSED] >= then for row in before)

    def changed(row, **values):
        return tuple(values.get(name, value) for name, value in zip(LEAD_NAMES, row, strict=True))

    futures = {
        "as it came": (leads, touches),
        "cut off": (before, kept),
        "never closed": (
            [
                changed(row, status="open", closed_at=None) if row[CLOSED] and row[CLOSED] >= then else row
                for row in leads
            ],
            touches,
        ),
        "won and lost the other way round": (
            [
                changed(row, status={"won": "lost", "lost": "won"}[row[STATUS]])
                if row[CLOSED] and row[CLOSED] >= then
                else row
                for row in leads
            ],
            [row if row[4] < then else (*row[:2], "meeting", None, row[4], 999, "positive") for row in touches],
        ),
        "moved": (
            leads,
            [row if row[4] < then else (*row[:4], row[4] + timedelta(days=99), *row[5:]) for row in touches],
        ),
    }
    found = {name: made(frame, accounts, *rows, early) for name, rows in futures.items()}
    for name, features in found.items():
        assert features == found["as it came"], name


def test_what_was_learned_later_changes_nothing(frame):
    """A as_of of the past, known as it was then, has the same features after corrections have arrived."""
    from tables_of_gold import gold

    from medallion import contracts, silver

    entity = contracts.entities()["leads"]
    kinds = ", ".join(f"{column.name} {column.type}" for column in entity.history.columns)

    def version(name, status, value, opened, closed, known):
        values = {
            "lead_id": name, "customer_id": "A", "status": status, "deal_value": D(value), "created_at": at(opened),
            "closed_at": closed and at(closed), "updated_at": at(closed or opened), "known_at": at(known),
            "_source_file": "f", "_source_row": 1,
        }  # fmt: skip
        return tuple(values.get(column) for column in entity.history.column_names)

    first = [
        version("L1", "won", 300, "2025-01-01", "2025-02-01", "2025-03-01"),
        version("L2", "open", 100, "2025-02-01", None, "2025-03-01"),
    ]
    later = [
        version("L1", "lost", 300, "2025-01-01", "2025-02-20", "2025-06-01"),  # corrected
        version("L3", "won", 900, "2025-01-05", "2025-02-10", "2025-06-01"),  # learned late
        version("L2", "won", 150, "2025-02-01", "2025-05-01", "2025-06-01"),
    ]
    as_of, known = AsOf(datetime(2025, 4, 1)), datetime(2025, 4, 2)

    def features(history, known_as_of):
        from pyspark.sql import functions as F

        cut = known_as_of and F.lit(known_as_of.isoformat(sep=" ")).cast("timestamp")
        leads = silver.rewind(frame(kinds, *history), entity, as_of.instant, cut)
        accounts = frame(CUSTOMER, *[account("A", created_at=None)])
        return [row.asDict() for row in gold.customer_features(accounts, leads, frame(TOUCH), as_of).collect()]

    (then,) = features(first, None)
    assert (then["won_leads"], then["won_value"], then["open_value"]) == (1, D("300.00"), D("100.00"))
    assert features([*first, *later], known) == [then]
    (now,) = features([*first, *later], None)
    assert (now["won_leads"], now["lost_leads"], now["won_value"]) == (1, 1, D("900.00"))
    assert now["open_value"] == D("100.00")  # its new value came after the as-of time


def test_a_deal_that_closes_later_is_open(frame):
    accounts = [account("A", created_at=None)]
    row = made(frame, accounts, LEADS, TOUCHES, AsOf(datetime(2025, 1, 15)))["A"]
    assert (row["leads"], row["open_leads"], row["won_leads"], row["open_value"]) == (1, 1, 0, D("300.00"))
    assert row["interactions"] == 1


def test_the_as_of_time_itself_is_not_included(frame):
    midnight = [
        touch("1", "A", "call", "positive", datetime(2025, 7, 1)),
        touch("2", "A", "call", "positive", datetime(2025, 6, 30, 23, 59, 59, 999999)),
    ]
    row = made(frame, ACCOUNTS, [], midnight)["A"]
    assert (row["interactions"], row["days_since_last_interaction"]) == (1, 0)


def test_order_and_place_of_rows_never_matter(spark, frame):
    from tables_of_gold import gold

    pick = random.Random(3)  # noqa: S311
    accounts = [account(f"C{n}") for n in range(30)]
    leads = [
        lead(
            f"L{n}",
            f"C{pick.randrange(30)}",
            pick.choice(["won", "lost", "open"]),
            D(pick.randrange(1, 10**6)) / 100,
            at("2025-01-01") + timedelta(days=pick.randrange(90)),
            at("2025-05-01"),
        )
        for n in range(80)
    ]
    touches = [
        touch(
            f"T{n}",
            f"C{pick.randrange(30)}",
            pick.choice(["call", "email", "other"]),
            pick.choice(["positive", "neutral", "negative"]),
            at("2025-03-01") + timedelta(days=pick.randrange(120)),
            n,
        )
        for n in range(500)
    ]
    one = gold.customer_features(frame(CUSTOMER, *accounts), frame(LEAD, *leads), frame(TOUCH, *touches), AS_OF)
    for rows in (accounts, leads, touches):
        pick.shuffle(rows)
    other = gold.customer_features(
        frame(CUSTOMER, *accounts).repartition(3),
        frame(LEAD, *leads).repartition(5),
        frame(TOUCH, *touches).repartition(7),
        AS_OF,
    )
    assert sorted(map(tuple, one.collect())) == sorted(map(tuple, other.collect()))


def test_engagement_is_summed_in_whole_numbers(frame):
    """Exactly the sum of rounded billionths, so no order of rows can change it."""
    from tables_of_gold import gold

    from medallion.features import TOUCHES

    pick = random.Random(5)  # noqa: S311
    ages = [pick.randrange(200) for _ in range(300)]
    touches = [
        touch(str(n), "A", "call", "positive", at("2025-06-30") - timedelta(days=age)) for n, age in enumerate(ages)
    ]
    (feature,) = (feature for feature in TOUCHES if feature.name == "engagement_nano")
    found = gold.touch_totals(frame(TOUCH, *touches), AS_OF).agg(feature.column(AS_OF).alias("value"))
    assert found.schema["value"].dataType.simpleString() == "bigint"
    in_block = 19  # days since the block of 90 days began, counted from 1970
    weighed = sum(round(1.25 * 2 ** ((in_block - age) / 45) * 10**9) for age in ages)
    assert found.collect()[0]["value"] == round(weighed * 2 ** (-in_block / 45))


def test_totals_are_computed_anew_on_the_day_that_their_touches_are_weighed_anew(frame):
    """Else they would be faded from another day than the one that they were weighed as of."""
    from medallion.features import engagement

    days = [AsOf(datetime(2025, 1, 1) + timedelta(days=n)) for n in range(200)]
    bases = frame("n int", (0,)).select(*(engagement._fading_base(day).alias(str(n)) for n, day in enumerate(days)))
    keys = [engagement.totals_cache_key(day) for day in days]
    base = list(bases.collect()[0])
    assert [one != next_ for one, next_ in itertools.pairwise(keys)] == [a != b for a, b in itertools.pairwise(base)]
    assert len({*keys}) == 3


def test_a_value_without_a_weight_weighs_as_other_or_nothing(frame):
    from medallion.features.engagement import weight_of

    values = frame("value string", ("call",), ("fax",), (None,))
    weighed = [weight_of(F.col("value"), {"call": 0.5, **more}) for more in ({}, {"other": 0.25})]
    assert [tuple(row) for row in values.select(*weighed).collect()] == [(0.5, 0.5), (0.0, 0.25), (0.0, 0.25)]


def test_bands_and_probabilities_are_planned_for_what_they_read_alone(frame, monkeypatch):
    """Not for the whole row: the engine plans each of their steps for every column."""
    from tables_of_gold import gold

    module, seen = sys.modules[gold.customer_features.__module__], []
    given = module.with_thresholds
    monkeypatch.setattr(module, "with_thresholds", lambda row, *rest: given(seen.append(row.columns) or row, *rest))
    gold.customer_features(frame(CUSTOMER, *ACCOUNTS), frame(LEAD, *LEADS), frame(TOUCH, *TOUCHES), AS_OF)
    assert seen == [[*base_rate.reads(AS_OF, False), "_carried"]]


@pytest.fixture
def with_features():
    """Adds features to the derived ones, in this order, and gives the module of the table as it then is."""
    from medallion.features import DERIVED
    from medallion.gold.customer_features import customer_features as table

    module = sys.modules[table.__module__]
    kept = list(DERIVED)

    def add(*functions):
        for function in functions:
            DERIVED.add("double")(function)
        return importlib.reload(module)

    yield add
    DERIVED[:] = kept
    importlib.reload(module)


def test_a_feature_reads_any_feature(frame, with_features):
    """Whatever their order, and a forecast too."""

    def odds(lost_share: Column, probability_to_convert: Column) -> Column:
        """Reads one that comes later, and what is counted from the score."""
        return lost_share + probability_to_convert

    def lost_share(win_rate: Column) -> Column:
        """Reads a derived one."""
        return F.lit(1.0) - win_rate

    changed = with_features(odds, lost_share)
    found = changed.customer_features(frame(CUSTOMER, *ACCOUNTS), frame(LEAD, *LEADS), frame(TOUCH, *TOUCHES), AS_OF)
    row = next(row for row in found.collect() if row["customer_id"] == "A")
    assert row["lost_share"] == pytest.approx(1 - row["win_rate"])
    assert row["odds"] == pytest.approx(row["lost_share"] + row["probability_to_convert"])
    assert [column.name for column in changed.contract().columns if column.name in ("odds", "lost_share")] == [
        "odds",
        "lost_share",
    ]


def test_a_feature_that_reads_none_is_refused_by_name(with_features):
    def lost_share(win_rat: Column) -> Column:
        """Misspelt."""
        return win_rat

    with pytest.raises(MedallionError, match="feature lost_share reads 'win_rat'") as told:
        with_features(lost_share)
    assert "win_rate" in told.value.remedy


def test_features_that_read_each_other_are_refused_by_name(with_features):
    def one(other: Column) -> Column:
        """Reads the other."""
        return other

    def other(one: Column) -> Column:
        """Reads the one."""
        return one

    with pytest.raises(MedallionError, match="in a circle: one reads other reads one|other reads one reads other"):
        with_features(one, other)


def test_what_a_probability_is_counted_from_cannot_read_it():
    forecast, scores = Features("base rate"), Features("rule score")
    forecast.add("double")(lambda: None)
    forecast[0] = dataclasses.replace(forecast[0], name="probability_to_convert")

    def lead_quality(probability_to_convert: Column) -> Column:
        """Reads what reads it."""
        return probability_to_convert

    scores.add("string")(lead_quality)
    with pytest.raises(MedallionError, match="circle: lead_quality reads by way of others base rate"):
        around(forecast, ["lead_quality"], scores, ())


def test_every_feature_is_defined():
    from medallion.gold.customer_features import FEATURES, contract

    assert len(contract().columns) >= 40
    for feature in FEATURES:
        assert feature.definition.endswith("."), feature.name
        assert feature.unit or feature.type in ("string", "boolean", "timestamp", "date"), feature.name


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
