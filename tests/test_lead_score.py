"""The rule score recomputed in plain Python, and what must and must not move it."""

from __future__ import annotations

import math
import random
from collections import Counter
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medallion.features import AsOf
from medallion.figures import wilson
from medallion.weights import ScoreWeights

DAY = date(2025, 6, 30)
AS_OF = AsOf(datetime(2025, 7, 1))

SOURCE = {"referral": 1, "website": 0.8, "event": 0.8, "linkedin": 0.7, "email": 0.6, "cold_call": 0.4}
CHANNEL = {"call": 1, "meeting": 1, "whatsapp": 0.8, "email": 0.6, "other": 0.5}
OUTCOME = {"meeting_booked": 1.5, "positive": 1.25, "neutral": 1, "no_answer": 0.3, "negative": -0.5}
INTENT = {"meeting_booked": 1, "positive": 0.8, "neutral": 0.4, "no_answer": 0.1, "negative": 0}

CUSTOMER = "customer_id string, customer_name string, industry string, country string, city string, employee_count bigint, annual_revenue decimal(18,2), account_manager string, email string, phone string, created_at timestamp"
LEAD = "lead_id string, customer_id string, source string, status string, stage string, deal_value decimal(18,2), email string, phone string, created_at timestamp, closed_at timestamp, expected_close_date date, product_id string, owner string"
TOUCH = "interaction_id string, customer_id string, channel string, direction string, occurred_at timestamp, duration_minutes bigint, outcome string"


def expected_score(employees, email, phone, sources, touches) -> int:
    """The documented formula, written down a second time."""
    size = 0.5 if not employees or employees <= 50 else 0.8 if employees <= 200 else 1
    source = max((SOURCE.get(name, 0.5) for name in sources), default=0.5)
    fit = 0.5 * source + 0.3 * size + 0.2 * (email + phone) / 2
    raw = sum(CHANNEL[c] * OUTCOME[o] * 2 ** (-age / 45) for c, o, age in touches)
    engagement = max(0, min(1, raw / 2))
    recency = 2 ** (-max(0, min(age for _, _, age in touches) - 14) / 30) if touches else 0
    intent = max((INTENT[o] for _, o, age in touches if age <= 60), default=0)
    score = round(30 * fit + 35 * engagement + 20 * recency + 15 * intent, 5)
    return int(Decimal(str(score)).quantize(Decimal(1), rounding="ROUND_HALF_UP"))


def features(frame, customers, as_of=AS_OF):
    """customer_features of (id, employees, email, phone, sources, touches), by customer."""
    from tables_of_gold import gold

    accounts, leads, touches = [], [], []
    for name, employees, email, phone, sources, touched in customers:
        contact = ("a@x.example" if email else None, "+1" if phone else None)
        accounts.append(
            (name, f"Name of {name}", None, None, None, employees, None, None, *contact, datetime(2024, 1, 1))
        )
        for number, source in enumerate(sources):
            leads.append(
                (
                    f"{name}-{number}",
                    name,
                    source,
                    "open",
                    None,
                    Decimal(10),
                    None,
                    None,
                    datetime(2025, 6, 1),
                    None,
                    None,
                    None,
                    None,
                )
            )
        for number, (channel, outcome, age) in enumerate(touched):
            happened = datetime.combine(DAY - timedelta(days=age), datetime.min.time()) + timedelta(hours=9)
            touches.append((f"{name}-{number}", name, channel, None, happened, None, outcome))
    made = gold.customer_features(frame(CUSTOMER, *accounts), frame(LEAD, *leads), frame(TOUCH, *touches), as_of)
    return {row["customer_id"]: row.asDict() for row in made.collect()}


def generated(count: int, seed: int):
    """Customers of every kind, among them some without deals or touches."""
    pick = random.Random(seed)  # noqa: S311
    made = []
    for number in range(count):
        touches = [
            (pick.choice(list(CHANNEL)), pick.choice(list(OUTCOME)), pick.randrange(0, 120))
            for _ in range(pick.choice([0, 1, 1, 2, 3, 8]))
        ]
        sources = [pick.choice([*SOURCE, "other", None]) for _ in range(pick.choice([0, 1, 1, 2]))]
        employees = pick.choice([None, 0, 1, 50, 51, 200, 201, 1000, 1001])
        made.append((f"G{number:03}", employees, pick.random() < 0.5, pick.random() < 0.5, sources, touches))
    return made


def test_the_engine_scores_as_the_formula_says(frame):
    customers = generated(300, seed=7)
    found = {name: row["lead_score"] for name, row in features(frame, customers).items()}
    assert found == {name: expected_score(*rest) for name, *rest in customers}


def test_scores_of_the_sample(sample, rows):
    found = {
        row["customer_id"]: row["lead_score"]
        for row in rows(sample, "select customer_id, lead_score from gold.customer_features")
    }
    wanted = [95, 96, 96, 96, 95, 90, 95, 89, 96, 96, 45, 86, 78]
    assert found == {f"C{number:03}": score for number, score in enumerate(wanted, start=1)}


@pytest.mark.parametrize(
    ("score", "band"),
    [(100, "Hot"), (80, "Hot"), (79, "Warm"), (60, "Warm"), (59, "Cool"), (40, "Cool"), (39, "Cold"), (0, "Cold")],
)
def test_bands(frame, score, band):
    assert bands(frame, [(score, 199)]) == {score: band}


def bands(frame, accounts, thresholds=None):
    """The band of each score, from (score, open deals) of accounts."""
    from medallion.scoring.rules import RULES, with_thresholds

    as_of = AsOf(AS_OF.time, weights=ScoreWeights(bands=thresholds or {}))
    row = with_thresholds(frame("lead_score bigint, open_leads bigint", *accounts), as_of)
    (band,) = (feature for feature in RULES if feature.name == "lead_quality")
    found = row.select("lead_score", band.column(as_of).alias("band"))
    return {row["lead_score"]: row["band"] for row in found.collect()}


def quarters(accounts):
    """The band of each score as documented: that of the quarter in which the middle of its open deals lies."""
    total, above, found = sum(n for _, n in accounts), 0, {}
    for score in sorted({score for score, _ in accounts}, reverse=True):
        mine = sum(n for other, n in accounts if other == score)
        found[score] = ("Hot", "Warm", "Cool", "Cold")[min(3, math.floor(4 * (above + mine / 2) / total))]
        above += mine
    return found


@pytest.mark.parametrize(
    ("accounts", "wanted"),
    [
        ([(90, 50), (85, 50), (82, 50), (81, 50)], "Hot Warm Cool Cold"),
        ([(90, 149), (85, 50), (30, 1)], "Warm Cold Cold"),  # one score cannot be divided
        ([(90, 60), (80, 0), (70, 80), (10, 60), (9, 0)], "Hot Warm Cool Cold Cold"),
        ([(90, 200)], "Cool"),
    ],
)
def test_two_hundred_open_deals_are_divided_into_quarters(frame, accounts, wanted):
    assert " ".join(band for _, band in sorted(bands(frame, accounts).items(), reverse=True)) == wanted
    assert quarters(accounts) == bands(frame, accounts)


def test_no_band_holds_more_than_half_of_the_open_deals(frame):
    pick = random.Random(3)  # noqa: S311
    for skew in (0.2, 1, 5):
        accounts = [(round(100 * pick.random() ** skew), pick.choice([0, 0, 1, 1, 2, 9])) for _ in range(300)]
        found, total = bands(frame, accounts), sum(n for _, n in accounts)
        assert found == quarters(accounts)
        held = Counter()
        for score, n in accounts:
            held[found[score]] += n
        of_one_score = Counter()
        for score, n in accounts:
            of_one_score[score] += n
        assert max(of_one_score.values()) <= total / 2 >= max(held.values())


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 60)), min_size=1, max_size=8))
def test_quarters_hold_more_than_half_only_of_one_score(accounts):
    total, found = sum(n for _, n in accounts), {}
    if not total:
        return
    for score, band in quarters(accounts).items():
        if mine := sum(n for other, n in accounts if other == score):
            found.setdefault(band, []).append(mine)
    assert all(sum(held) <= total / 2 or len(held) == 1 for held in found.values())


def test_thresholds_of_ones_own_hold_however_many_deals_are_open(frame):
    accounts = [(90, 150), (85, 100), (70, 100)]
    assert set(bands(frame, accounts, {"hot": 80, "cool": 40}).values()) == {"Hot", "Cool", "Cold"}
    assert bands(frame, accounts, {"hot": 75}) == {90: "Hot", 85: "Hot", 70: "Warm"}
    assert bands(frame, accounts, {"hot": 75, "quarters_from": 200}) == bands(frame, accounts)
    assert bands(frame, accounts, {"quarters_from": None}) == {90: "Hot", 85: "Hot", 70: "Warm"}


def test_renaming_a_customer_changes_nothing(frame):
    customers = generated(20, seed=1)
    renamed = [(f"R{name}", *rest) for name, *rest in customers]
    before, after = features(frame, customers), features(frame, renamed)
    for name, *_ in customers:
        assert before[name]["lead_score"] == after[f"R{name}"]["lead_score"]


@pytest.mark.slow
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10**6))
def test_fresher_positive_engagement_never_lowers_the_score(frame, seed):
    customers = [c for c in generated(40, seed) if c[5]]
    fresher = [
        (
            *c[:5],
            [(ch, o, max(0, age - 5)) if o in ("positive", "meeting_booked") else (ch, o, age) for ch, o, age in c[5]],
        )
        for c in customers
    ]
    before, after = features(frame, customers), features(frame, fresher)
    assert all(after[name]["lead_score"] >= before[name]["lead_score"] for name in before)


def test_weights_change_the_score(frame):
    customers = [("A", 10, True, True, ["cold_call"], [("email", "neutral", 3)])]
    heavier = AsOf(AS_OF.time, weights=ScoreWeights(source={"cold_call": 1.0, "other": 0.5}))
    assert features(frame, customers, heavier)["A"]["score_fit"] == pytest.approx(0.5 + 0.15 + 0.2)
    assert features(frame, customers)["A"]["score_fit"] == pytest.approx(0.2 + 0.15 + 0.2)


def test_given_weights_change_only_what_they_name():
    weights = ScoreWeights(source={"cold_call": 0.9, "partner": 0.3}, intent={"neutral": 0.5})
    assert weights.source == {**SOURCE, "other": 0.5, "cold_call": 0.9, "partner": 0.3}
    assert weights.intent == {**INTENT, "neutral": 0.5}
    assert weights.outcome == OUTCOME


WRONG_WEIGHTS = [
    ({"parts": {"fit": 40}}, "add up to 110, not to 100"),
    ({"fit": {"size": 0.5}}, "add up to 1.2, not to 1"),
    ({"bands": {"hot": 50}}, "hot 50, warm 60 and cool 40 do not fall"),
    ({"bands": {"hot": 101}}, "do not fall from 100 to 0"),
    ({"outcome": {"postive": 1}}, "postive is not one of meeting_booked, positive"),
    ({"size": {"1-49": 1}}, "1-49 is not one of 1-50"),
    ({"channel": {"call": 20}}, "less than or equal to 2"),
]


@pytest.mark.parametrize(("given", "says"), WRONG_WEIGHTS)
def test_weights_that_make_no_score_are_refused(given, says):
    with pytest.raises(ValueError, match=says):
        ScoreWeights(**given)


def test_base_rate_by_band(sample, rows):
    """The sample's probabilities from its own deals, in plain Python."""
    deals = rows(
        sample, "select status, created_at::date as opened, closed_at::date as closed, lead_quality from gold.deals"
    )
    mature = [d for d in deals if (DAY - d["opened"]).days >= 90]
    converted = [d for d in mature if d["status"] == "won" and (d["closed"] - d["opened"]).days < 90]
    base = (len(converted) + 0.5) / (len(mature) + 1)
    accounts = rows(sample, "select * from gold.customer_features")
    bands = {row["lead_quality"]: row for row in rows(sample, "select * from gold.score_bands")}
    assert {band: row["customers"] for band, row in bands.items()} == Counter(row["lead_quality"] for row in accounts)
    for band, row in bands.items():
        n = sum(d["lead_quality"] == band for d in mature)
        won = sum(d["lead_quality"] == band for d in converted)
        assert (row["mature_leads"], row["converted_leads"], row["as_of"]) == (n, won, DAY)
        n, won = n + 10, won + 10 * base
        assert row["probability"] == pytest.approx(won / n, abs=1e-6)
        assert (row["probability_low"], row["probability_high"]) == pytest.approx(wilson(won, n, 1.645), abs=1e-5)
        closed = [d["status"] for d in deals if d["lead_quality"] == band and d["status"] != "open"]
        assert (row["closed_leads"], row["won_leads"]) == (len(closed), closed.count("won"))
        assert row["win_rate"] == (pytest.approx(closed.count("won") / len(closed), abs=1e-6) if closed else None)
    for row in accounts:
        p = 1 - (1 - bands[row["lead_quality"]]["probability"]) ** row["open_leads"]
        assert row["probability_to_convert"] == pytest.approx(p, abs=1e-5)
        assert row["probability_source"] == "base_rate_by_band"


def in_order(rates, ranked):
    """Rates of bands, halfway between their bounds: the largest rate of those that won no larger a share than the band,
    and the smallest of those that won no smaller one.
    """
    shares = {band: share for share, band in ranked}
    bounds = {
        band: (
            max(rates[other] for other in shares if shares[other] <= shares[band]),
            min(rates[other] for other in shares if shares[other] >= shares[band]),
        )
        for band in shares
    }
    return {band: sum(both) / 2 for band, both in bounds.items()}


def base_rates(deals, bands):
    """Rate of each band and age by the documentation, in plain Python, from (band, status, opened, closed)."""

    def told(age, band=None):
        mature = [
            (b, status, (closed - opened).days if closed else None)
            for b, status, opened, closed in deals
            if (DAY - opened).days >= age + 90
            and (closed is None or (closed - opened).days >= age)
            and band in (None, b)
        ]
        return len(mature), sum(status == "won" and days < age + 90 for _, status, days in mature)

    ages = [0] + [age for age in (30, 90, 180) if told(age)[0] >= 40]
    whole = {age: (told(age)[1] + 0.5) / (told(age)[0] + 1) for age in ages}
    counts = {band: told(0, band) for band in bands}
    shrunk = {band: (won + 10 * whole[0], n + 10) for band, (n, won) in counts.items()}
    closed = {band: [status for b, status, *_ in deals if b == band and status != "open"] for band in bands}
    ranked = sorted((c.count("won") / len(c), band) for band, c in closed.items() if c)
    new = {band: successes / trials for band, (successes, trials) in shrunk.items()}
    new |= in_order(new, ranked)

    def rate(band, age):
        nearest = max((a for a in ages if a == 0 or age >= midpoint(a)), default=0)
        odds = whole[nearest] / (1 - whole[nearest]) * new[band] / (1 - new[band]) / whole[0] * (1 - whole[0])
        return odds / (1 + odds), min(counts[band][0], told(nearest)[0]) + 10

    return rate, new, {band: rank for rank, band in ranked}, ages


def midpoint(age):
    known = (0, 30, 90, 180)
    return (known[known.index(age) - 1] + age) / 2


def test_base_rate_of_generated_deals(frame):
    """Age, shrinkage, order, interval and the probability of several open deals, in plain Python, over all bands."""
    from tables_of_gold import gold

    pick = random.Random(9)  # noqa: S311
    customers = [(f"B{n:02}", 500) for n in range(60)]
    accounts = [(c, c, None, None, None, size, None, None, "a", "1", datetime(2024, 1, 1)) for c, size in customers]
    touches, leads = [], []
    for n, (customer, _) in enumerate(customers):
        for place in range(n % 4):
            when = datetime(2025, 6, 29) - timedelta(days=pick.randrange(90))
            touches.append((f"{customer}-{place}", customer, "call", None, when, None, "positive"))
        for place in range(pick.randrange(15)):
            opened = datetime(2025, 6, 30) - timedelta(days=pick.choice([0, 8, 22, 60, 89, 90, 91, 150, 300, 400]))
            closed = opened + timedelta(days=pick.choice([-3, 0, 30, 61, 89, 90, 91, 150]))
            # touched accounts win less in time, but more in all
            won = closed - opened > timedelta(days=60) if n % 4 else pick.random() < 0.4
            status = "open" if closed >= AS_OF.time else pick.choice(["won" if won else "lost", "open"])
            ended = None if status == "open" else closed
            leads.append((f"{customer}-{place}", customer, "event", status, None, Decimal(10), None, None, opened, ended, *[None] * 3))  # fmt: skip
    silver = frame(LEAD, *leads)
    found = gold.customer_features(frame(CUSTOMER, *accounts), silver, frame(TOUCH, *touches), AS_OF)
    rows = {row["customer_id"]: row.asDict() for row in found.collect()}
    rated = gold.score_bands(found, silver, AS_OF)
    bands = {name: row["lead_quality"] for name, row in rows.items()}
    deals = [(bands[x[1]], x[3], x[8].date(), x[9].date() if x[9] else None) for x in leads]
    rate, new, ranks, ages = base_rates(deals, set(bands.values()))
    assert ages == [0, 30, 90, 180]
    assert len(new) >= 3
    assert len({round(p, 9) for p in new.values()}) < len(new), "no bands were brought into order"
    assert max(row["open_leads"] for row in rows.values()) > 1
    for name, row in rows.items():
        band, mine = (
            row["lead_quality"],
            [d for d, x in zip(deals, leads, strict=True) if x[1] == name and d[1] == "open"],
        )
        told = [rate(band, (DAY - opened).days) for _, _, opened, _ in mine]
        assert row["probability_to_convert"] == pytest.approx(1 - math.prod(1 - p for p, _ in told), abs=1e-5)
        assert float(row["weighted_pipeline"]) == pytest.approx(10 * sum(p for p, _ in told), abs=0.01)
    by_band = {row["lead_quality"]: row for row in rated.collect()}
    assert set(by_band) == set(new)
    for band, row in by_band.items():
        assert row["probability"] == pytest.approx(new[band], abs=1e-6)
        p, n = rate(band, 0)
        assert (row["probability_low"], row["probability_high"]) == pytest.approx(wilson(p * n, n, 1.645), abs=3e-6)
        assert row["win_rate"] == (pytest.approx(ranks[band], abs=1e-6) if band in ranks else None)
    by_deal = gold.deals(silver, found, rated, AS_OF).collect()
    for row in by_deal:
        if row["status"] == "open":
            p, n = rate(row["lead_quality"], row["age_days"])
            assert row["probability_to_convert"] == pytest.approx(p, abs=2e-6)
            assert (row["probability_low"], row["probability_high"]) == pytest.approx(wilson(p * n, n, 1.645), abs=3e-6)
            assert row["probability_low"] <= row["probability_to_convert"] <= row["probability_high"]
        else:
            assert row["probability_to_convert"] is None
            turned = row["closed_at"] < row["created_at"]
            assert row["cycle_days"] == (None if turned else (row["closed_at"] - row["created_at"]).days)
    # at every age no band gets less than one that won a smaller share
    for age in ages:
        ranked = [rate(band, age)[0] for band in sorted(ranks, key=ranks.get)]
        assert ranked == sorted(ranked)


STAY = "lead_id string, stage string, entered_at timestamp, left_at timestamp, told_by string"


def staged(told_by):
    """60 deals won late in half of the cases from the stage `offer`, 60 lost from `new`, and four open ones."""
    leads, stays = [], []

    def add(name, status, opened, stage, closed=None):
        leads.append((name, "A", "event", status, stage, Decimal(100), None, None, opened, closed, *[None] * 3))
        moved = opened + timedelta(days=20)
        stays.append(
            (name, "new" if stage == "offer" else stage, opened, moved if stage == "offer" else closed, told_by)
        )
        if stage == "offer":
            stays.append((name, "offer", moved, closed, told_by))
        if closed:
            stays.append((name, f"closed_{status}", closed, None, told_by))

    for n in range(60):
        opened = datetime(2024, 1, 1) + timedelta(days=n)
        add(f"W{n:02}", "won" if n % 2 else "lost", opened, "offer", opened + timedelta(days=80))
        add(f"N{n:02}", "lost", opened, "new", opened + timedelta(days=70))
    for n, stage in enumerate(("offer", "new", "offer", "other")):
        add(f"O{n}", "open", datetime(2025, 5, 31) - timedelta(days=n), stage)
    return leads, stays


def stage_odds(leads, stays, rate):
    """Odds of each stage against those of its ages, by the documentation, in plain Python."""
    seen, won, expected = Counter(), Counter(), Counter()
    for age in (0, 30, 90, 180):
        for name, _, _, status, _, _, _, _, opened, closed, *_ in leads:
            day = opened + timedelta(days=age)
            if (AS_OF.time - opened).days - 1 < age + 90 or (closed and closed <= day):
                continue
            (stage,) = (s[1] for s in stays if s[0] == name and s[2] <= day and (s[3] is None or s[3] > day))
            seen[stage] += 1
            won[stage] += status == "won" and (closed - opened).days < age + 90
            expected[stage] += rate(age)
    odds = {}
    for stage, n in seen.items():
        usual = expected[stage] / n
        share = (won[stage] + 10 * usual) / (n + 10)
        odds[stage] = share / (1 - share) / usual * (1 - usual)
    return odds, seen


def test_base_rates_know_the_stage_of_a_deal(frame):
    from tables_of_gold import gold

    leads, stays = staged("file")
    silver, history = frame(LEAD, *leads), frame(STAY, *stays)
    account = frame(CUSTOMER, ("A", "A", None, None, None, 10, None, None, "a", "1", datetime(2023, 1, 1)))
    found = gold.customer_features(account, silver, frame(TOUCH), AS_OF, stage_history=history)
    rated = gold.score_bands(found, silver, AS_OF)
    deals = gold.deals(silver, found, rated, AS_OF, stage_history=history)
    opened = {row["lead_id"]: row for row in deals.collect() if row["status"] == "open"}
    # 120 deals were open at 0 and 30 days, and 30 of them won within 90 days from there; none was at 90
    (new,) = (row["probability"] for row in rated.collect())
    assert new == pytest.approx((30 + 10 * 30.5 / 121) / 130, abs=1e-6)
    odds, seen = stage_odds(leads, stays, lambda age: 30.5 / 121)
    assert odds["offer"] > 1.25
    assert seen == {"new": 180, "offer": 60}

    def rate(times):
        return times * new / (1 + (times - 1) * new)

    assert odds["new"] < 0.8
    wanted = {"O0": rate(odds["offer"]), "O2": rate(odds["offer"]), "O1": rate(odds["new"]), "O3": new}
    assert {name: row["probability_to_convert"] for name, row in opened.items()} == pytest.approx(wanted, abs=2e-6)
    for row in opened.values():
        assert row["probability_low"] <= row["probability_to_convert"] <= row["probability_high"]
    (row,) = found.collect()
    assert float(row["weighted_pipeline"]) == pytest.approx(100 * sum(wanted.values()), abs=0.02)
    assert row["probability_to_convert"] == pytest.approx(1 - math.prod(1 - p for p in wanted.values()), abs=1e-5)


def test_stages_that_only_rows_of_deals_tell_add_nothing(frame):
    from tables_of_gold import gold

    leads, stays = staged("version")
    silver, history = frame(LEAD, *leads), frame(STAY, *stays)
    account = frame(CUSTOMER, ("A", "A", None, None, None, 10, None, None, "a", "1", datetime(2023, 1, 1)))
    found = gold.customer_features(account, silver, frame(TOUCH), AS_OF, stage_history=history)
    deals = gold.deals(silver, found, gold.score_bands(found, silver, AS_OF), AS_OF, stage_history=history)
    assert len({row["probability_to_convert"] for row in deals.collect() if row["status"] == "open"}) == 1


def test_forecasts_of_a_model_stand_beside_base_rates(frame):
    """Of one account a model scored two open deals of three; a won one counts for nothing."""
    from tables_of_gold import gold

    opened = datetime(2025, 6, 1)
    leads = [
        (f"L{n}", "A", "event", status, None, Decimal(100 * n), None, None, opened, closed, *[None] * 3)
        for n, (status, closed) in enumerate(
            [("open", None), ("open", None), ("open", None), ("won", datetime(2025, 6, 9))], start=1
        )
    ]
    leads += [(f"O{n}", "A", "event", "lost", None, None, None, None, datetime(2025, 1, 1), datetime(2025, 2, 1), *[None] * 3) for n in range(3)]  # fmt: skip
    schema = "lead_id string, probability double, probability_low double, probability_high double, model_version string"
    scored = frame(schema, ("L1", 0.5, 0.4, 0.6, "m1"), ("L2", 0.2, 0.1, 0.3, "m1"), ("L4", 0.9, 0.9, 0.9, "m1"))
    account = ("A", "A", None, None, None, 10, None, None, "a", "1", datetime(2024, 1, 1))
    found = gold.customer_features(frame(CUSTOMER, account), frame(LEAD, *leads), frame(TOUCH), AS_OF, scored)
    (row,) = found.collect()
    rate = gold.score_bands(found, frame(LEAD, *leads), AS_OF).collect()[0]["probability"]
    assert 0 < rate < 0.2
    assert row["probability_to_convert"] == pytest.approx(1 - 0.5 * 0.8 * (1 - rate), abs=2e-6)
    assert float(row["weighted_pipeline"]) == pytest.approx(100 * 0.5 + 200 * 0.2 + 300 * rate, abs=0.02)
    assert row["probability_source"] == "m1"


def test_no_deal_old_enough_gives_no_probability(frame):
    row = features(frame, [("A", 10, True, True, ["event"], [])])["A"]
    assert row["probability_to_convert"] is None
    assert row["weighted_pipeline"] is None
    assert row["probability_source"] == "none"


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))


def test_only_a_touch_that_changes_the_score_is_said_to_change_it():
    from medallion.care import explain

    parts = dict.fromkeys(("score_fit", "score_engagement", "score_recency", "score_intent"), 1.0)
    assert (
        explain.rule_score({**parts, "lead_score": 100, "lead_quality": "Hot"}, ScoreWeights())["what_would_change_it"]
        == []
    )
    low = {**parts, "score_recency": 0.5, "score_intent": 0.2, "lead_score": 78, "lead_quality": "Warm"}
    told = explain.rule_score(low, ScoreWeights())["what_would_change_it"]
    assert len(told) == 3
    assert all(one["lead_score"] > 78 for one in told)
