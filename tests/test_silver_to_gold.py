"""The gold tables: recomputed in plain Python from silver, and their invariants."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal as D
from importlib import import_module

try:
    import pytest
    from test_features import at, lead, touch
    from test_lead_score import CUSTOMER, LEAD, TOUCH

    from conftest import NOW
    from medallion.errors import ConservationError, LakehouseError
    from medallion.features import AsOf
    from medallion.lakehouse import query
except ModuleNotFoundError as missing:
    raise SystemExit(f"{missing}. In the root of the repository run: pip install -r config/requirements.txt") from None

AS_OF = AsOf(datetime(2025, 7, 1))
#: As much of `gold.deal_changes` as counts for the open pipeline.
OPEN = "status string, valid_from timestamp, valid_to timestamp, known_to timestamp, deal_value decimal(18,2)"


@pytest.fixture(scope="module")
def world():
    """Random deals and touches, ties and gaps among them."""
    pick = random.Random(11)  # noqa: S311
    leads, touches = [], []
    for n in range(120):
        status = pick.choice(["won", "won", "lost", "open"])
        opened = at("2025-01-10") + timedelta(days=pick.randrange(120))
        closed = opened + timedelta(days=pick.randrange(0, 50), hours=3) if status != "open" else None
        value = None if n % 17 == 0 else D(pick.randrange(1, 10**7)) / 100
        leads.append(lead(f"L{n:03}", f"C{pick.randrange(25):02}", status, value, opened, closed))
    for n in range(400):
        day = at("2024-12-01") + timedelta(days=pick.randrange(210), hours=pick.randrange(9))
        channel, outcome = (
            pick.choice(["call", "email", "meeting"]),
            pick.choice(["positive", "neutral", "no_answer", "meeting_booked", "negative"]),
        )
        touches.append(touch(f"T{n:03}", f"C{pick.randrange(25):02}", channel, outcome, day, pick.randrange(60)))
    return leads, touches


def closed_by(leads, status):
    return [x for x in leads if x[3] == status]


def test_sales_summary(frame, world):
    from tables_of_gold import gold

    leads, touches = world
    opened = frame(OPEN, *(("open", x[8], x[9], None, x[5] or D(0)) for x in leads))
    summary = gold.sales_summary(frame(LEAD, *leads), frame(TOUCH, *touches), AS_OF, opened)
    rows = [r.asDict() for r in summary.orderBy("day").collect()]
    days = [row["day"] for row in rows]
    first = min([x[8].date() for x in leads] + [x[4].date() for x in touches])
    assert days == [first + timedelta(days=n) for n in range((date(2025, 6, 30) - first).days + 1)]
    revenue, running = D(0), Counter()
    for row in rows:
        day = row["day"]
        won = [x for x in closed_by(leads, "won") if x[9].date() == day]
        lost = [x for x in closed_by(leads, "lost") if x[9].date() == day]
        new = [x for x in leads if x[8].date() == day]
        assert (row["new_leads"], row["won_leads"], row["lost_leads"]) == (len(new), len(won), len(lost))
        assert row["interactions"] == sum(x[4].date() == day for x in touches)
        assert row["revenue"] == sum((x[5] or D(0) for x in won), D(0))
        assert row["lost_value"] == sum((x[5] or D(0) for x in lost), D(0))
        held = [x for x in leads if x[8].date() <= day and (x[9] is None or x[9].date() > day)]
        assert (row["open_leads"], row["open_pipeline"]) == (len(held), sum((x[5] or D(0) for x in held), D(0)))
        month = day - timedelta(days=29)
        w, lo = (sum(month <= x[9].date() <= day for x in closed_by(leads, s)) for s in ("won", "lost"))
        assert row["win_rate_30d"] == (round(w / (w + lo), 6) if w + lo else None)
        revenue += row["revenue"]
        running["leads"] += len(new)
        running["won"] += len(won)
        running["touches"] += row["interactions"]
        assert row["revenue_30d"] == sum(
            (x[5] or D(0) for x in closed_by(leads, "won") if month <= x[9].date() <= day), D(0)
        )
        assert row["cumulative_revenue"] == revenue
        assert (row["cumulative_leads"], row["cumulative_won_leads"], row["cumulative_interactions"]) == (
            running["leads"], running["won"], running["touches"],
        )  # fmt: skip


def test_attribution_adds_up_to_the_cent(frame, world):
    """Linear attribution in plain Python, and its total."""
    from tables_of_gold import gold

    leads, touches = world
    found = {
        r["channel"]: r.asDict()
        for r in gold.channel_performance(frame(LEAD, *leads), frame(TOUCH, *touches), AS_OF).collect()
    }
    expected = defaultdict(int)
    for won in closed_by(leads, "won"):
        cents = int((won[5] or 0) * 100)
        near = Counter(
            x[2] for x in touches if x[1] == won[1] and x[4] < won[9] and (won[9].date() - x[4].date()).days <= 90
        )
        if not near:
            expected["unattributed"] += cents
            continue
        parts = {channel: cents * n // near.total() for channel, n in near.items()}
        parts[min(near, key=lambda c: (-near[c], c))] += cents - sum(parts.values())
        for channel, part in parts.items():
            expected[channel] += part
    assert {name: int(row["attributed_revenue"] * 100) for name, row in found.items()} == dict(expected)
    assert sum(row["attributed_revenue"] for row in found.values()) == sum(
        (x[5] or D(0) for x in closed_by(leads, "won")), D(0)
    )
    assert sum(row["attributed_deals"] for row in found.values()) == pytest.approx(
        len(closed_by(leads, "won")), abs=0.01
    )


def test_channel_performance(frame):
    from tables_of_gold import gold

    touches = [
        touch(str(n), f"C{n % 2}", "call", "positive" if n < 6 else "neutral", at("2025-05-01"), 10) for n in range(15)
    ]
    (row,) = gold.channel_performance(frame(LEAD), frame(TOUCH, *touches), AS_OF).collect()
    assert (row.interactions, row.customers, row.positive_touches, row.total_duration_minutes) == (15, 2, 6, 150)
    assert (row.positive_rate, row.positive_rate_low, row.positive_rate_high) == pytest.approx(
        (0.4, 0.198, 0.643), abs=0.001
    )
    assert (row.minutes_per_positive, row.attributed_revenue, row.minutes_per_1000_usd) == (25.0, D(0), None)


def test_top_customers(frame):
    from tables_of_gold import gold

    names = [f"C{n:02}" for n in range(60)]
    accounts = [(n, n, None, None, None, 10, None, None, None, None, None) for n in names]
    values = {name: D(1000 if n in (3, 7) else 100 + n // 2) for n, name in enumerate(names)}
    leads = [lead(f"L{n}", n, "won", values[n], at("2025-01-01"), at("2025-02-01")) for n in names[1:]]
    features = gold.customer_features(frame(CUSTOMER, *accounts), frame(LEAD, *leads), frame(TOUCH), AS_OF)
    rows = gold.top_customers(features).orderBy("rank").collect()
    assert [row.rank for row in rows] == list(range(1, 51))
    wanted = sorted(names[1:], key=lambda n: (-values[n], n))[:50]
    assert [row.customer_id for row in rows] == wanted
    total = sum(values[n] for n in names[1:])
    assert rows[0].revenue_share == pytest.approx(float(1000 / total), abs=1e-6)
    assert rows[-1].cumulative_share == pytest.approx(float(sum(values[n] for n in wanted) / total), abs=1e-6)
    assert rows[0].next_step == "Win back: ask for news by call"


TIES = [
    # won value, touches, name: the one with more won value, then the better score, then the name comes first
    (100, 0, "Z"),
    (100, 2, "Y"),
    (100, 0, "A"),
    (200, 0, "M"),
    (0, 2, "N"),  # without revenue nobody is a top customer
]


def test_ties_among_top_customers(frame):
    from tables_of_gold import gold

    accounts = [(name, name, *[None] * 8, None) for _, _, name in TIES]
    leads = [lead(name, name, "won", D(n), at("2025-01-01"), at("2025-02-01")) for n, _, name in TIES]
    leads.append(lead("nobody's", None, "won", D(9000), at("2025-01-01"), at("2025-02-01")))
    touches = [
        touch(f"{name}{n}", name, "call", "positive", at("2025-06-20")) for _, count, name in TIES for n in range(count)
    ]
    features = gold.customer_features(frame(CUSTOMER, *accounts), frame(LEAD, *leads), frame(TOUCH, *touches), AS_OF)
    rows = gold.top_customers(features).orderBy("rank").collect()
    assert [row.customer_id for row in rows] == ["M", "Y", "A", "Z"]
    assert [row.revenue_share for row in rows] == [0.4, 0.2, 0.2, 0.2]
    assert [row.cumulative_share for row in rows] == [0.4, 0.6, 0.8, 1.0]


NEXT_STEPS = [
    # open deals, days since the last touch, days since the win, channel, outcome -> what to do next
    (1, None, 10, None, None, "Make first contact on the open deal"),
    (1, 15, 10, "email", "neutral", "Revive the open deal by email"),
    (1, 14, 10, "email", "neutral", "Move the open deal forward by email"),
    (0, None, 61, None, None, "Win back: ask for news by call"),
    (0, None, 60, None, None, "Keep in touch by call"),  # bought lately, though nobody wrote a touch down
    (0, 61, 61, "whatsapp", "positive", "Win back: ask for news by whatsapp"),
    (0, 60, 100, "other", "positive", "Open a follow-up deal by their usual channel"),
    (0, 5, 100, "meeting", "neutral", "Keep in touch by meeting"),
]


def test_next_steps(frame):
    from tables_of_gold import gold

    today, accounts, leads, touches = at("2025-06-30"), [], [], []
    for name, (open_deals, quiet, won, channel, outcome, _) in zip("ABCDEFGH", NEXT_STEPS, strict=True):
        accounts.append((name, name, *[None] * 8, None))
        leads.append(lead(f"{name}-W", name, "won", D(10), at("2025-01-01"), today - timedelta(days=won)))
        leads += [lead(f"{name}-{n}", name, "open", D(10), at("2025-06-01")) for n in range(open_deals)]
        touches += [] if quiet is None else [touch(name, name, channel, outcome, today - timedelta(days=quiet))]
    features = gold.customer_features(frame(CUSTOMER, *accounts), frame(LEAD, *leads), frame(TOUCH, *touches), AS_OF)
    found = {row.customer_id: row.next_step for row in gold.top_customers(features).collect()}
    assert found == dict(zip("ABCDEFGH", [case[-1] for case in NEXT_STEPS], strict=True))


LAST_TOUCHES = [
    # touch, hours or days before the win         -> who brought it
    ("call", timedelta(days=90, hours=2), "call"),  # the window is in days: the 90th day before counts whole
    ("call", timedelta(days=91), "unattributed"),
    ("call", timedelta(seconds=1), "call"),
    ("call", timedelta(0), "unattributed"),
    ("call", timedelta(days=-1), "unattributed"),
]


@pytest.mark.parametrize(("channel", "before", "brought"), LAST_TOUCHES)
def test_the_window_of_attribution(frame, channel, before, brought):
    from tables_of_gold import gold

    won = at("2025-05-01", 12)
    leads = [lead("L", "A", "won", D("0.01"), at("2025-01-01"), won)]
    found = gold.channel_performance(
        frame(LEAD, *leads), frame(TOUCH, touch("1", "A", channel, "positive", won - before)), AS_OF
    ).collect()
    assert [row.channel for row in found if row.attributed_revenue] == [brought]


def test_cents_that_cannot_be_divided(frame):
    """A cent each is left over of 100 in three equal parts: to the first channel by name; a busier one first."""
    from tables_of_gold import gold

    won = at("2025-05-01")
    leads = [lead("L", "A", "won", D("1.00"), at("2025-01-01"), won), lead("M", "B", "won", D("0.05"), won, won)]
    touches = [touch(c, "A", c, "neutral", at("2025-04-01")) for c in ("call", "email", "whatsapp")]
    touches += [touch(f"b{n}", "B", "whatsapp" if n else "call", "neutral", at("2025-04-01")) for n in range(3)]
    found = gold.channel_performance(frame(LEAD, *leads), frame(TOUCH, *touches), AS_OF).collect()
    assert {row.channel: (str(row.attributed_revenue), row.attributed_deals) for row in found} == {
        "call": ("0.35", 0.6667),  # 0.34 + 0.01
        "email": ("0.33", 0.3333),
        "whatsapp": ("0.37", 1.0),  # 0.33 + 0.04
    }


def test_deals(sample, rows):
    found = rows(
        sample,
        "select status, count(*) as n, sum(deal_value) as value, count(probability_to_convert) as p, count(age_days) as age, count(cycle_days) as cycle from gold.deals group by 1 order by 1",
    )
    assert found == [
        {"status": "lost", "n": 5, "value": D("502000.00"), "p": 0, "age": 0, "cycle": 5},
        {"status": "open", "n": 4, "value": D("345000.00"), "p": 4, "age": 4, "cycle": 0},
        {"status": "won", "n": 6, "value": D("1090000.00"), "p": 0, "age": 0, "cycle": 6},
    ]


def test_a_broken_table_is_noticed(frame, sample, spark):
    from medallion.gold import gold_contract
    from medallion.lakehouse import store
    from medallion.pipeline.silver_to_gold import verify

    for name in (
        "gold.customer_features",
        "gold.sales_summary",
        "gold.channel_performance",
        "gold.top_customers",
        "gold.deals",
    ):
        whole, contract = store.read(spark, sample, name), gold_contract(name)
        verify(whole, contract)
        with pytest.raises(ConservationError, match="unique"):
            verify(whole.unionByName(whole), contract)
    features = store.read(spark, sample, "gold.customer_features")
    with pytest.raises(ConservationError, match=r"won_leads \+ lost_leads \+ open_leads = leads"):
        verify(features.withColumn("won_leads", features["won_leads"] + 1), gold_contract("gold.customer_features"))


def test_two_keys_of_one_hash_are_two_keys(sample, spark, monkeypatch):
    from pyspark.sql import functions as F

    from medallion.gold import gold_contract
    from medallion.lakehouse import store
    from medallion.pipeline.silver_to_gold import verify

    monkeypatch.setattr(F, "xxhash64", lambda *columns: F.lit(1).cast("bigint"))
    whole, contract = store.read(spark, sample, "gold.attribution"), gold_contract("gold.attribution")
    verify(whole, contract)
    with pytest.raises(ConservationError, match="unique lead_id, channel"):
        verify(whole.unionByName(whole), contract)


@pytest.mark.slow
def test_scores_of_a_killed_run_are_deleted_and_others_stay(deliver, monkeypatch):
    from medallion.pipeline import work

    def killed(*given):
        raise KeyboardInterrupt

    def as_of_times(lake):
        with query.connect(lake) as connection:
            found = query.rows(
                connection, "select known_as_of, count(*) as n from gold.lead_scores group by all order by 1"
            )
        return [(row["known_as_of"].replace(tzinfo=None), row["n"]) for row in found]

    files = {
        "customers.csv": "customer_id,customer_name\nC1,Acme\n",
        "leads.csv": "lead_id,customer_id,status,deal_value,created_at\nL1,C1,open,10,2025-06-01\n",
    }
    with monkeypatch.context() as context:
        context.setattr(work, "record_run", killed)
        with pytest.raises(KeyboardInterrupt):
            deliver(files)
    first, second = NOW + timedelta(hours=1), NOW + timedelta(hours=2)
    _, lake = deliver(files, now=first)
    assert as_of_times(lake) == [(first, 1)]
    more = {"leads_2.csv": "lead_id,customer_id,status,deal_value,created_at\nL2,C1,open,10,2025-06-01\n"}
    deliver(more, now=second)
    assert as_of_times(lake) == [(first, 1), (second, 2)]


@pytest.mark.slow
@pytest.mark.parametrize("few", [pytest.param(300, marks=pytest.mark.nightly), 0])
def test_the_last_score_of_a_deal_is_found_also_where_the_day_before_has_none(deliver, monkeypatch, few):
    from medallion.pipeline import silver_to_gold

    monkeypatch.setattr(silver_to_gold, "_FEW_DEALS", few)
    header = "lead_id,customer_id,status,deal_value,created_at,updated_at,closed_at\n"
    closed = "".join(
        f"W{n},C1,{'won' if n % 2 else 'lost'},10,2025-01-0{1 + n % 9},2025-03-01,2025-03-0{1 + n % 9}\n"
        for n in range(40)
    )
    first = datetime(2025, 6, 3, 20)

    def day(n, *lines):
        touch = f"T{n},C1,call,outbound,2025-06-0{3 + n}T10:00:00\n"
        files = {
            f"leads_{n}.csv": header + "".join(f"{line}\n" for line in lines) + (closed if not n else ""),
            f"interactions_{n}.csv": "interaction_id,customer_id,channel,direction,occurred_at\n" + touch,
            **({} if n else {"customers.csv": "customer_id,customer_name\nC1,Acme\n"}),
        }
        return deliver(files, now=first + timedelta(days=n))[1]

    day(0, "L1,C1,open,10,2025-06-01,2025-06-03,")
    day(1, "L1,C1,lost,10,2025-06-01,2025-06-04,2025-06-04", "L2,C1,open,10,2025-06-02,2025-06-04,")
    lake = day(2, "L1,C1,open,10,2025-06-01,2025-06-05,", "L3,C1,open,10,2025-06-05,2025-06-05,")
    with query.connect(lake) as connection:
        found = query.rows(
            connection,
            "select lead_id, previous_as_of, previous_probability is not null as known from gold.lead_scores "
            "where as_of = DATE '2025-06-05' order by all",
        )
    assert [tuple(row.values()) for row in found] == [
        ("L1", date(2025, 6, 3), True),
        ("L2", date(2025, 6, 4), True),
        ("L3", None, False),
    ]


def test_a_broken_table_ends_the_run(deliver, monkeypatch):
    module = import_module("medallion.gold.top_customers")
    whole = module.top_customers
    monkeypatch.setattr(module, "top_customers", lambda features: whole(features).unionByName(whole(features)))
    files = {
        "customers.csv": "customer_id,customer_name\nC1,Acme\n",
        "leads.csv": "lead_id,customer_id,status,deal_value,created_at\nL1,C1,won,10,2025-06-01\n",
    }
    with pytest.raises(ConservationError, match=r"gold\.top_customers: 1 rows break the rule: unique rank"):
        deliver(files)


def test_revenue_is_one_number(deliver, monkeypatch):
    from pyspark.sql import functions as F

    module = import_module("medallion.gold.sales_summary")
    whole = module.sales_summary
    doubled = (F.col("revenue") * 2).cast("decimal(18,2)")
    monkeypatch.setattr(module, "sales_summary", lambda *inputs: whole(*inputs).withColumn("revenue", doubled))
    files = {
        "customers.csv": "customer_id,customer_name\nC1,Acme\n",
        "leads.csv": "lead_id,customer_id,status,deal_value,created_at\nL1,C1,won,10,2025-06-01\n",
    }
    with pytest.raises(ConservationError, match="Revenue differs"):
        deliver(files)


VERSIONS = [
    # value, changed, learned
    (D(100), at("2025-03-01"), NOW),
    (D(200), at("2025-05-01"), NOW),
    (D(150), at("2025-04-01"), NOW + timedelta(days=5)),  # a correction that was learned late
]


@pytest.mark.parametrize(
    ("as_of", "known_as_of", "value"),
    [
        ("2025-06-01", None, 200),
        ("2025-04-15", None, 150),
        ("2025-04-15", NOW + timedelta(days=1), 100),  # as it would have been answered then
        ("2025-03-15", None, 100),
        ("2025-05-01 09:00:00", None, 150),  # strictly before
        ("2025-02-01", None, 100),  # only later versions are known: the earliest is used
    ],
)
def test_rewind_picks_the_version_that_held(frame, as_of, known_as_of, value):
    from pyspark.sql import functions as F

    from medallion import contracts, silver

    entity = contracts.entities()["leads"]
    kinds = ", ".join(f"{column.name} {column.type}" for column in entity.history.columns)
    rows = []
    for place, (amount, changed, known) in enumerate(VERSIONS):
        values = {
            "lead_id": "L1",
            "deal_value": amount,
            "updated_at": changed,
            "known_at": known,
            "_source_file": "f",
            "_source_row": place,
        }
        rows.append(tuple(values.get(name) for name in entity.history.column_names))
    cut = None if known_as_of is None else F.lit(known_as_of.isoformat(sep=" ")).cast("timestamp")
    found = silver.rewind(frame(kinds, *rows), entity, F.lit(as_of).cast("timestamp"), cut).collect()
    assert [row["deal_value"] for row in found] == [D(value)]


@pytest.mark.parametrize(
    ("as_of", "stage", "value", "owner"),
    [
        ("2025-07-15", "proposal", 100, "Ann"),  # each version is valid from when it was learned
        ("2025-08-15", "negotiation", 200, "Bob"),
        ("2025-06-15", None, 100, "Ann"),  # only later versions are known: the earliest, in a stage not known yet
    ],
)
def test_rewind_takes_the_whole_row_that_was_known_where_no_time_of_change_is_given(frame, as_of, stage, value, owner):
    from pyspark.sql import functions as F

    from medallion import contracts, silver

    entity = contracts.entities()["leads"]
    kinds = ", ".join(f"{column.name} {column.type}" for column in entity.history.columns)
    told = [("proposal", D(100), "Ann", at("2025-07-01")), ("negotiation", D(200), "Bob", at("2025-08-01"))]
    rows = []
    for name, amount, who, known in told:
        values = {"lead_id": "L1", "status": "open", "stage": name, "deal_value": amount, "owner": who,
                  "known_at": known, "_source_file": "f", "_source_row": 2}  # fmt: skip
        rows.append(tuple(values.get(column) for column in entity.history.column_names))
    (found,) = silver.rewind(frame(kinds, *rows), entity, F.lit(as_of).cast("timestamp"), None).collect()
    assert (found["stage"], found["deal_value"], found["owner"]) == (stage, D(value), owner)


def test_amounts_that_do_not_fit_name_their_column_and_deal(frame):
    from medallion import contracts
    from medallion.pipeline.silver_to_gold import _explain_overflow

    kinds = "lead_id string, deal_value decimal(18,2), _source_file string, _source_row bigint"
    entity = contracts.entities()["leads"]
    most = D("9999999999999999.00")
    for sign in (1, -1):
        leads = frame(
            kinds, ("L1", D(5), "leads.csv", 2), ("L2", sign * most, "leads.csv", 3), ("L3", sign * most, "x", 4)
        )
        with pytest.raises(LakehouseError, match=r"deal_value adds up to more .* of lead_id L2 \(leads.csv, line 3\)"):
            _explain_overflow(leads, entity, ValueError("too large"))
    _explain_overflow(frame(kinds, ("L1", D(5), "leads.csv", 2)), entity, ValueError("something else"))


def test_a_deal_is_shared_out_to_the_cent_however_large_it_is(frame):
    """Cents times touches are more than a bigint holds, and the engine would go on below zero."""
    from medallion.features import AsOf
    from medallion.gold.attribution import attribution

    kinds = "lead_id string, customer_id string, status string, stage string, deal_value decimal(18,2), created_at timestamp, closed_at timestamp"
    values = (D("9999999999999999.99"), D("-9999999999999999.99"), D("100000000000.00"))
    deals = [(f"L{n}", "C1", "won", "", value, at("2025-01-01"), at("2025-03-01")) for n, value in enumerate(values)]
    touches = [("C1", "email" if n % 3 else "call", at("2025-02-01")) for n in range(29)]
    rows = attribution(
        frame(kinds, *deals),
        frame("customer_id string, channel string, occurred_at timestamp", *touches),
        AsOf(at("2025-04-01")),
    ).collect()
    for n, value in enumerate(values):
        parts = {row["channel"]: row["attributed_revenue"] for row in rows if row["lead_id"] == f"L{n}"}
        assert sum(parts.values()) == value
        assert all(
            abs(part - value * count / 29) < 1
            for part, count in zip(map(parts.get, ("call", "email")), (10, 19), strict=True)
        )


LIFTED = (
    "apiVersion: v3.1.0\nkind: DataContract\nid: x\nname: x\nversion: 1.0.0\nstatus: active\nschema:\n"
    "  - name: leads\n    properties: [{name: deal_value, logicalTypeOptions: {maximum: 9999999999999999}}]\n"
)


@pytest.mark.slow
def test_an_implausible_amount_waits_in_quarantine_and_one_let_in_can_be_put_right(deliver, rows, tmp_path):
    header = "lead_id,customer_id,status,deal_value,created_at,closed_at\n"
    both = "L1,C1,won,{0},2025-06-01,2025-06-02\nL2,C1,won,{0},2025-06-01,2025-06-02\n"
    files = {
        "customers.csv": "customer_id,customer_name\nC1,Acme\n",
        "leads.csv": header
        + both.format("9999999999999999")
        + "L3,C1,won,100000000000,2025-06-01,2025-06-02\nL5,C1,won,1,0205-06-01,2025-06-02\nL6,C1,won,1,2025-06-01,1979-12-31\n",
    }
    _, lake = deliver(files)
    refused = rows(lake, "select record_key, reasons from silver.quarantine order by 1")
    assert [tuple(row.values()) for row in refused] == [
        *((key, ["deal_value: is outside 0 to 100,000,000,000: '9999999999999999.00'"]) for key in ("L1", "L2")),
        ("L5", ["created_at: is outside 1980-01-01 to 2099-12-31: '0205-06-01 00:00:00'"]),
        ("L6", ["closed_at: is outside 1980-01-01 to 2099-12-31: '1979-12-31 00:00:00'"]),
    ]
    assert rows(lake, "select sum(deal_value) as total from gold.deals") == [{"total": D("100000000000.00")}]
    contract = tmp_path / "lifted.odcs.yaml"
    contract.write_text(LIFTED)
    again = {"leads_2.csv": files["leads.csv"] + "L4,C1,open,1,2025-06-01,\n"}
    with pytest.raises(LakehouseError, match="deal_value adds up to more than DECIMAL"):
        deliver(again, now=NOW + timedelta(days=1), contracts=(contract,))
    deliver({"leads_3.csv": header + both.format("7")}, now=NOW + timedelta(days=2), contracts=(contract,))
    assert rows(lake, "select sum(deal_value) as total from gold.deals") == [{"total": D("100000000015.00")}]


@pytest.mark.slow
def test_an_earlier_as_of(deliver, rows):
    from conftest import ROOT

    files = {path.name: path.read_bytes() for path in (ROOT / "data").glob("*.csv")}
    result, lake = deliver(files, as_of="2025-03-31")
    assert result.as_of == date(2025, 3, 31)
    assert rows(lake, "select max(day) as day from gold.sales_summary") == [{"day": date(2025, 3, 31)}]
    late = "select count(*) as n from gold.deals where created_at >= '2025-04-01' or closed_at >= '2025-04-01'"
    assert rows(lake, late) == [{"n": 0}]
    early = rows(lake, "select count(*) as n from silver.leads_clean where created_at < '2025-04-01'")
    assert rows(lake, "select count(*) as n from gold.deals") == early
    assert rows(
        lake,
        "select max(last_interaction_at) < '2025-04-01' or max(last_interaction_at) is null as ok from gold.customer_features",
    ) == [{"ok": True}]
    again, _ = deliver(files)  # nothing new, but another as-of time
    assert again.changed
    assert again.accounts == []
    assert again.as_of == date(2025, 6, 30)


def test_deals_closed_before_they_were_opened_are_told_of(frame, capsys):
    """They have no cycle time; the run says how many there are and names one."""
    from medallion.cli.command import Call
    from medallion.cli.run import show_result
    from medallion.pipeline.result import Result
    from medallion.pipeline.silver_to_gold import _compare_revenue

    deals = frame(
        "lead_id string, status string, deal_value decimal(18,2), created_at timestamp, closed_at timestamp",
        ("L1", "won", D(10), at("2025-06-01"), at("2025-05-01")),
        ("L2", "won", D(5), datetime(2025, 6, 1, 15), at("2025-06-01")),  # of a close the day alone is known
        ("L3", "open", D(1), at("2025-06-01"), None),
    )
    sums = {"gold.sales_summary": "revenue", "gold.channel_performance": "attributed_revenue"}
    frames = {name: frame(f"{column} decimal(18,2)", (D(15),)) for name, column in sums.items()}
    (odd,) = _compare_revenue({"gold.deals": deals, **frames})
    assert odd.startswith("1 deal is closed before the day on which it was opened, such as L1:")
    show_result(Call(), Result("r", changed=True, warnings=[odd]))
    assert f"Warning: {odd}" in " ".join(capsys.readouterr().out.split())


@pytest.mark.slow
def test_deals_without_account_value_or_day(deliver, rows, tmp_path):
    """What a contract of one's own lets in: the sums hold, and nothing is counted for the wrong customer."""
    contract = tmp_path / "mine.odcs.yaml"
    contract.write_text(
        "apiVersion: v3.1.0\nkind: DataContract\nid: x\nname: x\nversion: 1.0.0\nstatus: active\nschema:\n"
        "  - name: interactions\n    properties: [{name: channel, enum: [{value: sms}]}]\n"
        "  - name: leads\n    properties: [{name: customer_id, required: false}, {name: created_at, required: false}]\n"
    )
    files = {
        "customers.csv": "customer_id,customer_name\nC1,Acme\n",
        "leads.csv": "lead_id,customer_id,status,deal_value,created_at,closed_at\n"
        "L1,C1,won,10,2025-06-01,2025-06-11\nL2,,won,1000,2025-06-01,2025-06-03\nL3,C1,won,5,,2025-06-04\n"
        "L4,,open,77,2025-05-01,\nL5,C1,lost,,2025-01-01,2025-02-01\n",
        "interactions.csv": "interaction_id,customer_id,channel,occurred_at,outcome\nI1,C1,sms,2025-06-02,positive\n",
    }
    _, lake = deliver(files, contracts=(contract,))
    (row,) = rows(lake, "select * from gold.customer_features")
    assert (row["leads"], row["won_value"], row["average_cycle_days"]) == (3, D("15.00"), 10.0)
    assert (row["other_touches"], row["preferred_channel"], row["rfm_monetary"]) == (1, "other", 4)
    assert rows(lake, "select channel, attributed_revenue from gold.channel_performance order by 1") == [
        {"channel": "sms", "attributed_revenue": D("15.00")},
        {"channel": "unattributed", "attributed_revenue": D("1000.00")},
    ]
    assert rows(lake, "select rank, won_value, revenue_share from gold.top_customers") == [
        {"rank": 1, "won_value": D("15.00"), "revenue_share": 1.0}
    ]
    last = "select open_leads, open_pipeline, cumulative_revenue from gold.sales_summary order by day desc limit 1"
    assert rows(lake, last) == [{"open_leads": 1, "open_pipeline": D("77.00"), "cumulative_revenue": D("1015.00")}]


def test_nothing_at_all(frame):
    from tables_of_gold import gold

    customers, leads, touches = frame(CUSTOMER), frame(LEAD), frame(TOUCH)
    features = gold.customer_features(customers, leads, touches, AS_OF)
    for made in (
        features,
        gold.deals(leads, features, gold.score_bands(features, leads, AS_OF), AS_OF),
        gold.sales_summary(leads, touches, AS_OF, frame(OPEN)),
        gold.channel_performance(leads, touches, AS_OF),
        gold.top_customers(features),
    ):
        assert made.collect() == []


@pytest.mark.slow
def test_there_may_be_nothing_of_something(deliver, rows):
    files = {
        "customers.csv": "customer_id,customer_name\nC1,Acme\n",
        "leads.csv": "lead_id,customer_id,status,deal_value,created_at\nL1,C1,open,10,2025-06-01\n",
    }
    _, lake = deliver(files, now=NOW)
    assert rows(lake, "select * from gold.channel_performance") == []
    assert rows(lake, "select * from gold.top_customers") == []
    row = rows(lake, "select lead_score, open_leads, probability_source from gold.customer_features")
    assert row == [{"lead_score": 12, "open_leads": 1, "probability_source": "none"}]


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
