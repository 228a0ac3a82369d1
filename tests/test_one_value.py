"""Thirty questions, each asked of the command, the agent in words, the dashboard, Power BI and the metric views: one value."""

from __future__ import annotations

import asyncio
import html
import io
import json
import random
import re
from dataclasses import dataclass, field
from urllib.parse import urlencode

import pyarrow.parquet as pq
import pytest
from in_memory import in_memory
from mcp_clients import connected, document
from test_powerbi_databricks import as_metric_views_do, blocks
from typer.testing import CliRunner

from medallion import metrics
from medallion.agent import audit, mcp_server
from medallion.agent.answer import planned
from medallion.agent.current import Current
from medallion.agent.offered import Offered
from medallion.agent.planner import Planner
from medallion.agent.rules import Rules
from medallion.agent.serving import serve
from medallion.agent.tools import Tools
from medallion.cli.app import app
from medallion.errors import ContractError
from medallion.lakehouse import query
from medallion.metrics.compilers.duckdb import answer
from medallion.metrics.question import Question

pytest.importorskip("pbix_mcp.dax.engine", reason="needs the extra powerbi")

from medallion.powerbi import model
from medallion.powerbi import rows as of_model
from medallion.powerbi.evaluate import Evaluator


@dataclass(frozen=True)
class Asked:
    """A question in a form that all five can be asked.

    Attributes:
        words: As somebody types it.
        metric: The metric.
        by: A dimension that it is split by.
        where: Values by dimension.
        period: A month, quarter or year.
    """

    words: str
    metric: str
    by: str | None = None
    where: dict[str, list[str]] = field(default_factory=dict)
    period: str | None = None

    @property
    def condition(self) -> str:
        return " and ".join(f"{name} in ({', '.join(map(repr, values))})" for name, values in self.where.items())


ASKED = (
    Asked("what is our revenue?", "revenue"),
    Asked("revenue in 2025-Q1", "revenue", period="2025-Q1"),
    Asked("revenue in March 2025", "revenue", period="2025-03"),
    Asked("revenue by owner", "revenue", "owner"),
    Asked("revenue by industry in 2025-Q2", "revenue", "industry", period="2025-Q2"),
    Asked("revenue from referral in 2025", "revenue", where={"source": ["referral"]}, period="2025"),
    Asked("revenue in Germany", "revenue", where={"country": ["Germany"]}),
    Asked("win rate", "win_rate"),
    Asked("win rate by source", "win_rate", "source"),
    Asked("win rate in 2025-Q2", "win_rate", period="2025-Q2"),
    Asked("win rate of Priya Nair", "win_rate", where={"owner": ["Priya Nair"]}),
    Asked("conversion rate", "conversion_rate"),
    Asked("conversion rate in 2025-Q1", "conversion_rate", period="2025-Q1"),
    Asked("conversion by period in 2025-Q1", "conversion_rate_by_period", period="2025-Q1"),
    Asked("how many deals were won in 2025-Q2?", "won_leads", period="2025-Q2"),
    Asked("deals lost by industry", "lost_leads", "industry"),
    Asked("how many deals do we have?", "total_leads"),
    Asked("open pipeline", "open_pipeline"),
    Asked("open pipeline by stage", "open_pipeline", "stage", {"status": ["open"]}),  # of the stages that open deals are in
    Asked("open deals by owner", "open_leads", "owner"),
    Asked("weighted pipeline", "weighted_pipeline"),
    Asked("silent deals", "silent_deals"),
    Asked("deals never touched", "never_touched_deals"),
    Asked("average won value by country", "average_won_value", "country"),
    Asked("sales cycle in 2025-Q2", "average_cycle_days", period="2025-Q2"),
    Asked("average deal value", "average_deal_value"),
    Asked("how many customers do we have?", "total_customers"),
    Asked("customers by lead quality", "total_customers", "lead_quality"),
    Asked("touches by channel", "touches", "channel"),
    Asked("positive rate of touches", "touch_positive_rate"),
)  # fmt: skip


@pytest.fixture(scope="module")
def engines(sample):
    with query.connect(sample, layers=("gold", "silver")) as connection, serve(sample) as serving:
        yield {
            "duckdb": in_memory(connection),
            "model": Evaluator(model.model(), of_model.read(connection, model.model())),
            "agent": (Tools(serving, Rules()), Planner(serving)),
            "views": blocks(),
        }


def told(rows, by):
    """The values of an answer by what it is split by; what has no row or is blank everywhere is left out."""
    names = [by] if by else []
    return {tuple(row[name] for name in names): row["value"] for row in rows}


def by_command(asked, lake):
    line = ["metrics", "value", asked.metric, "--json", "--lakehouse", lake.root]
    for option, text in (("--by", asked.by), ("--where", asked.condition), ("--period", asked.period)):
        line += [option, text] if text else []
    found = CliRunner().invoke(app, line)
    assert found.exit_code == 0, found.output
    return told(json.loads(found.stdout)["rows"], asked.by)


def by_agent(asked, engines):
    answer = planned(*engines["agent"], asked.words)
    assert not answer.declined, answer.declined
    found = next(one for one in answer.found if one.fields[-1].name == "n")
    return told(found.rows, asked.by)


def by_dashboard(asked, client):
    address = {"metrics": asked.metric, "by": asked.by, "where": asked.condition, "period": asked.period}
    file = client.get(f"/explore.parquet?{urlencode({name: text for name, text in address.items() if text})}")
    assert file.status_code == 200, file.text
    return told(pq.read_table(io.BytesIO(file.content)).to_pylist(), asked.by)


def by_power_bi(asked, engines, keys):
    """The measure for each of the groups, and for values that have none."""
    metric, evaluator = metrics.named(asked.metric), engines["model"]
    label = metric.measure.display_name
    context = {model.dimension(metric, name): values for name, values in asked.where.items()}
    if asked.period:
        unit = "Quarter" if "Q" in asked.period else "Month" if "-" in asked.period else "Year"
        context["Date", unit] = [int(asked.period) if unit == "Year" else asked.period]
    if not asked.by:
        return {(): evaluator.values([label], context)[label]}
    column = model.dimension(metric, asked.by)
    every = dict.fromkeys([*evaluator.distinct(column), *(key for (key,) in keys)])
    found = {(one,): evaluator.values([label], {**context, column: [one]}, by=[column])[label] for one in every}
    return {key: value for key, value in found.items() if value is not None or key in keys}


def by_metric_view(asked, engines):
    """What Databricks is asked: MEASURE over a view, by day where there is a period."""
    declared = engines["views"]
    name = next(
        name for name, view in declared.items()
        if name.endswith("_by_day_metrics") == bool(asked.period) and asked.metric in [one["name"] for one in view["measures"]]
    )  # fmt: skip
    conditions = [f"{one} IN ({', '.join(map(repr, values))})" for one, values in asked.where.items()]
    if asked.period:
        unit = "quarter" if "Q" in asked.period else "month" if "-" in asked.period else "year"
        conditions.append(f"{unit} = {asked.period!r}" if unit != "year" else f"year = {asked.period}")
    columns = [asked.by] if asked.by else []
    sql = f"SELECT {', '.join([*columns, f'MEASURE({asked.metric}) AS value'])} FROM `crm`.gold.{name}"
    sql += f" WHERE {' AND '.join(conditions)}" if conditions else ""
    sql += " GROUP BY ALL" if columns else ""
    found = engines["duckdb"].execute(as_metric_views_do(sql, declared)).fetchall()
    return {tuple(row[:-1]): metrics.plain(row[-1]) for row in found}


@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.slow) for part in (1, 2))])
def test_thirty_questions_have_one_value_whoever_is_asked(sample, engines, dashboard, part):
    assert len({asked.words for asked in ASKED}) == 30
    client, different = dashboard(sample), []
    for asked in ASKED[part::3]:
        expected = by_command(asked, sample)
        answers = {
            "agent": by_agent(asked, engines),
            "dashboard": by_dashboard(asked, client),
            "power bi": by_power_bi(asked, engines, expected),
            "metric view": by_metric_view(asked, engines),
        }
        for who, found in answers.items():
            every = found.keys() | expected.keys()
            # a group that has only rows of another measure's day is 0 in a view by day; a question does not show it
            same = found.keys() == expected.keys() or (who == "metric view" and asked.period and asked.by)
            if not same or any(
                (found.get(key) or 0) != pytest.approx(expected.get(key) or 0, rel=1e-6, abs=1e-6) for key in every
            ):
                different.append(f"{asked.words}: command {expected}, {who} {found}")
        assert any(value is not None for value in expected.values()), asked.words
    assert different == []


#: A condition that is not understood, and what is said of it, by all in the same words.
REFUSED = (
    ({"where": "status = Win"}, "Nearest: won"),
    ({"where": "country in (Germany, Germny)"}, "Nearest: Germany"),
    ({"where": "closed_date >= 06/01/2025"}, "Perhaps 2025-06-01"),
    ({"where": "deal_value > lots"}, "is not a number"),
    ({"where": "open = maybe"}, "is not yes or no"),
    ({"where": "owner > 3"}, "is text"),
    ({"where": "ownr = Ann"}, "Nearest: owner"),
    ({"where": "country = Germany owner = Ann"}, "stands at character"),
    ({"by": "ownr"}, "Nearest: owner"),
    ({"by": "closed_at:mnth"}, "no unit of time"),
    ({"period": "last fortnight"}, "no period of time"),
    ({"period": "2031"}, "the data ends on"),
    ({"having": "reveneu > 3"}, "Nearest: revenue"),
    ({"order": "-owners_"}, "no such figure"),
    ({"compare": "last year", "period": "ytd"}, "is no comparison"),
    ({"as_of": "2025-02-30"}, "is not a day"),
)  # fmt: skip


async def over_mcp(now, name, arguments):
    async with connected(mcp_server.server(Offered(now))) as client:
        return document(await client.call_tool(name, arguments))


@pytest.mark.parametrize("part", range(2))
def test_what_is_not_understood_is_refused_by_all(sample, engines, dashboard, monkeypatch, request, part):
    monkeypatch.setattr(audit, "record", lambda *given: None)
    now = Current(sample)
    request.addfinalizer(now.close)
    client, tools = dashboard(sample), engines["agent"][0]
    for given, says in REFUSED[part::2]:
        line = [word for name, text in given.items() for word in (f"--{name.replace('_', '-')}", text)]
        found = CliRunner().invoke(app, ["metrics", "value", "revenue", *line, "--lakehouse", sample.root])
        assert isinstance(found.exception, ContractError), (given, found.output)
        assert says in str(found.exception)
        address = urlencode({"metrics": "revenue", **given})
        for page in ("question", "explore.parquet"):
            found = client.get(f"/{page}?{address}")
            assert found.status_code == 400, (given, page)
            assert says in html.unescape(found.text), (given, page)
        told = {name: [text] if name in ("by", "where", "having", "order") else text for name, text in given.items()}
        with pytest.raises(ContractError, match=re.escape(says)):
            tools.metric_value("revenue", **told)
        answered = asyncio.run(over_mcp(now, "metric_value", {"metric": "revenue", **told}))
        assert answered["isError"], given
        assert says in answered["content"][0]["text"], given


#: Values by the type of a dimension, right ones first.
VALUES = {
    "text": ("open", "Germany", "Retail", "Germny", "'a b'", "''", '"', "(a, b)"),
    "number": ("5", "50000", "1.5", "50%", "100,000", "NaN", "9" * 40, "-5", "lots"),
    "day": ("2025-Q1", "2025-05", "ytd", "06/01/2025", "0001-01-01", "9999-12-31", "next 99999999 years"),
    "month": ("2025-05", "2025-Q1", "2025-02-30", "9999"),
    "boolean": ("true", "no", "maybe"),
}
OPERATORS = ("=", "!=", "<", ">=", "in", "contains", "between", "not in", "is unknown", "==")
PERIODS = (
    "2025-Q1",
    "2025",
    "ytd",
    "last 0 days",
    "next 99999999 years",
    "0001",
    "9999",
    "2025-W53",
    "9999 years ago",
    "..",
)


def test_any_question_is_answered_or_refused(engines):
    """Words of the grammar put together at random: no other error, and no condition that is dropped."""
    pick, answered = random.Random(4), 0  # noqa: S311 - chance that can be repeated
    refusals = []

    def tested(view):
        one = pick.choice((*view.dimensions, *view.fields))
        value = "" if (operator := pick.choice(OPERATORS)).startswith("is ") else pick.choice(VALUES[one.type])
        return f"{pick.choice((one.name, *one.aliases, 'nope'))} {operator} {value}"

    for name, metric in list(metrics.metrics().items()) * 6:
        view = metric.view
        where = f"{tested(view)} {pick.choice(('and', 'or', 'or not', ','))} {tested(view)}"
        split = pick.choice((*view.dimensions, *view.fields)).name + pick.choice(("", "", ":month", ":fiscal_year"))
        try:
            question = Question.read(
                name,
                by=pick.choice(("", split)),
                where=pick.choice((None, tested(view), where)),
                period=pick.choice((None, None, pick.choice(PERIODS))),
                having=pick.choice((None, None, f"value {pick.choice(OPERATORS)} {pick.choice(VALUES['number'])}")),
                order=pick.choice(("", "", "-value", "-change")),
                as_of=pick.choice((None, None, None, "2025-03-31", "0001-01-01")),
            )
            found = answer(engines["duckdb"], question)
        except ContractError as error:
            refusals.append(error)
            continue
        answered += 1
        assert (found.understood.where is None) == (not question.where)
    assert answered > 15
    assert [str(one) for one in refusals if not one.remedy] == []
