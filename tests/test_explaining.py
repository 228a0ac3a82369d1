"""Why a figure changed, shares, stages and what changed: parts that add up, on the shipped sample."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace

import pytest

from medallion.agent.answer import _course, planned
from medallion.agent.planner import Planner
from medallion.agent.rules import Rules
from medallion.agent.serving import serve
from medallion.agent.tools import Tools
from medallion.errors import ContractError
from medallion.metrics.changes import explain
from medallion.metrics.question import Question


@pytest.fixture(scope="module")
def tools(sample):
    with serve(sample) as serving:
        yield Tools(serving, Rules())


@pytest.mark.parametrize(
    ("metric", "splits"),
    [("revenue", {"how"}), ("won_leads", set()), ("open_pipeline", {"how"}), ("touches", set()), ("win_rate", set())],
)
def test_the_parts_of_a_change_add_up_to_it(tools, metric, splits):
    found = tools.reading(explain, Question((metric,), period="2025-Q2"))
    of = {one.of for one in found.effects}
    assert splits <= of
    assert of - {"how"}
    for name in of:
        total = sum((one.effect for one in found.effects if one.of == name), Decimal(0))
        assert abs(total - found.change) < Decimal("0.000001"), name


def test_a_change_without_a_figure_is_refused(tools):
    with pytest.raises(ContractError, match="needs a period"):
        tools.reading(explain, Question(("revenue",)))


def test_a_running_total_stands_beside_what_it_adds_up(tools):
    planner = Planner(tools.serving)
    by_month = planned(tools, planner, "revenue and won deals by month in 2025")
    added = planned(tools, planner, "cumulative", by_month.context)
    rows = added.found[0].rows
    assert [row["revenue"] for row in rows] == [row["revenue"] for row in by_month.found[0].rows]
    assert rows[-1]["revenue_so_far"] == sum(row["revenue"] for row in rows)
    assert rows[-1]["won_leads_so_far"] == sum(row["won_leads"] for row in rows)
    assert "so far" in planned(tools, planner, "revenue by month in 2025, cumulative").text


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ("why did revenue change in Q2 2025?", "The effects add up to the change."),
        ("what changed since June 2025", "Movement of the pipeline, 2025-06-01 to 2025-06-30"),
        ("conversion by stage", "Conversion by stage"),
        ("what share of revenue comes from referral", "72.9%"),
        ("share of revenue by source", "72.9%"),
        ("which deals slipped this year", "Open deals whose expected close was moved later"),
        ("how is the win rate calculated", "Won deals as a share of closed deals."),
        ("is revenue up this quarter compared to the one before", "Yes."),
        ("did Marcus Oyelaran sell more than Tom Brannigan", "Yes."),
        ("did we lose more than we won in Q2 2025", "No."),
        ("is the win rate of deals above 100k any worse than of smaller ones", "No."),
        ("is the win rate of deals above 100k better than of smaller ones", "Yes."),
        ("is the win rate going up", "No.\nWin rate by quarter closed"),
        (
            "customers without a meeting in Q2 2025",
            "Accounts without touches where channel = meeting, 2025-04-01 to 2025-06-30",
        ),
        ("open deals not touched this month", "Deals where open, without touches, "),
    ],
)
def test_questions_beside_figures(tools, question, says):
    answer = planned(tools, Planner(tools.serving), question)
    assert says in answer.text, answer.declined
    assert answer.receipts or "none" in answer.text


def test_whether_figures_rise_is_said_of_those_that_follow_one_another():
    def course(*values, way="up", few=0):
        rows = [{"quarter": str(place), "value": value, "n": 9} for place, value in enumerate(values)]
        before = [{"quarter": "0", "value": 0, "n": 1}] * few
        return _course(
            SimpleNamespace(rows=[*before, *rows, {"quarter": None, "value": 9, "n": 9}], key=("quarter",)),
            way,
            "quarter",
        )

    assert course(1, 2, 3) == "Yes, from each quarter to the next."
    assert course(1, 2, few=1) == "Yes, from each quarter to the next, but for the first with fewer than five records."
    assert course(3, 2, 2) == "No."
    assert course(1, 3, 2) == (
        "Not steadily: it rose in some quarters and fell in others, and the last one is above the first and below the one before it."
    )
    assert course(1, 3, 2, way="down").startswith("No: it rose in some")
    assert course(1, None, 2) == course(1) == ""


def test_accounts_without_a_touch_are_those_that_nobody_touched_in_the_time(tools):
    [finding] = planned(tools, Planner(tools.serving), "accounts not touched in Q2 2025").found
    touched = tools.asked(Question(("touched_customers",), period="2025-Q2")).rows[0]["value"]
    every = tools.asked(Question(("total_customers",))).rows[0]["value"]
    assert finding.count == every - touched


def test_deals_of_existing_and_new_customers_are_all_that_closed(tools):
    [finding] = planned(tools, Planner(tools.serving), "win rate of existing vs new customers").found
    closed = tools.asked(Question(("won_leads", "lost_leads", "revenue"))).rows[0]
    assert [row["customer"] for row in finding.rows] == ["existing", "new"]
    assert sum(row["won_leads"] for row in finding.rows) == closed["won_leads"]
    assert sum(row["lost_leads"] for row in finding.rows) == closed["lost_leads"]
    assert sum(row["revenue"] for row in finding.rows) == float(closed["revenue"])


def test_deals_are_furthest_along_by_what_others_have_passed(sample):
    with serve(sample) as serving:
        tools, planner, question = Tools(serving, Rules()), Planner(serving), "which open deals are furthest along"
        declined = planned(tools, planner, question).declined
        assert "no deal has passed between negotiation and proposal yet" in declined
        serving.connection.execute(
            "create table passed as from gold.stage_history union all by name select * replace ('negotiation' as stage, "
            "entered_at + interval 1 day as entered_at) from gold.stage_history where stage = 'proposal'; "
            "create or replace view gold.stage_history as from passed"
        )
        (finding,) = planned(tools, planner, question).found
        assert {row["stage"] for row in finding.rows} == {"negotiation"}


def test_a_share_of_each_month_is_of_that_month(tools):
    planner = Planner(tools.serving)
    first = planned(tools, planner, "how many calls in 2025")
    some = planned(tools, planner, "how many of them got no answer", first.understood)
    shares = planned(tools, planner, "as a percentage per month", some.understood)
    (finding,) = shares.found
    assert finding.rows
    assert sum(row["value"] for row in finding.rows) == some.found[0].rows[0]["value"]
    assert all(abs(row["share"] - row["value"] / row["whole"]) < 1e-9 for row in finding.rows)
    assert sum(row["whole"] for row in finding.rows) <= first.found[0].rows[0]["value"]


def test_why_goes_on_from_a_figure(tools):
    planner = Planner(tools.serving)
    first = planned(tools, planner, "revenue in Q2 2025")
    why = planned(tools, planner, "why?", first.understood)
    assert "Change of revenue by its parts" in why.text
    assert any("Carried over" in note for note in why.notes)


def test_what_follows_a_ranking_is_about_its_rows(tools):
    planner = Planner(tools.serving)
    first = planned(tools, planner, "top 3 open deals")
    keys = tuple(row["lead_id"] for row in first.found[0].rows)
    assert first.understood.slots.rows.keys == keys
    worth = planned(tools, planner, "what are they worth", first.understood)
    assert worth.found[0].rows[0]["value"] == sum(row["deal_value"] for row in first.found[0].rows)
    assert "Of the 3 rows of the answer before." in worth.notes
    after = planned(tools, planner, "next two", first.understood)
    every = planned(tools, planner, "top 5 open deals")
    assert [row["lead_id"] for row in after.found[0].rows] == [row["lead_id"] for row in every.found[0].rows[3:]]
    second = planned(tools, planner, "second biggest open deal")
    assert [row["lead_id"] for row in second.found[0].rows] == [keys[1]]
    owner = planned(tools, planner, "who owns it", second.understood)
    assert [row["lead_id"] for row in owner.found[0].rows] == [keys[1]]


def test_the_share_of_the_first_is_their_sum_of_all(tools):
    answer = planned(tools, Planner(tools.serving), "what share of revenue comes from our top 2 customers")
    together, each = answer.found
    assert together.rows[0]["value"] == sum(row["value"] for row in each.rows)
    assert together.rows[0]["share"] == pytest.approx(sum(row["share"] for row in each.rows))
    assert len(each.rows) == 2


def test_a_figure_has_no_rows_that_what_follows_could_be_about(tools):
    answer = planned(tools, Planner(tools.serving), "revenue")
    assert answer.understood.slots.rows is None
