"""The box on every page: questions are answered with receipts and can be pinned, names find pages, and what is neither is said."""

from __future__ import annotations

import html
import re
from urllib.parse import urlencode

import pytest

from medallion import metrics
from medallion.dashboard import parameters
from medallion.lakehouse import query
from medallion.metrics.question import Question


def body(client, address, status=200):
    answer = client.get(address)
    assert answer.status_code == status, (address, answer.text[:400])
    return html.unescape(answer.text)


def test_a_question_is_answered_with_receipts_and_opens_in_explore(dashboard, own_sample):
    client = dashboard(own_sample)
    text = body(client, "/search?q=What+is+the+win+rate+by+source%3F")
    with query.connect(own_sample) as connection:
        rows = metrics.ask(connection, "win_rate", ("source",)).rows
    for row in rows:
        assert metrics.written("win_rate", row["value"], "USD") in text
    assert "gold.deals" in text.split("<details")[1]
    (address,) = re.findall(r'href="(/explore\?[^"]*)"', text)
    assert address == "/explore?by=source&metrics=win_rate"
    assert body(client, address)


def test_what_was_asked_is_logged_as_elsewhere(dashboard, own_sample, rows):
    client = dashboard(own_sample)
    for asked in ("revenue+by+owner", "what+is+the+meaning+of+life", "Northgate"):
        body(client, f"/search?q={asked}")
    log = rows(own_sample, "select door, question, declined from ops.agent_log order by asked_at")
    assert [(row["door"], row["question"], bool(row["declined"])) for row in log] == [
        ("dashboard", "revenue by owner", False),
        ("dashboard", "what is the meaning of life", True),
    ]


@pytest.mark.parametrize(
    ("asked", "kind", "address"),
    [
        ("northgate", "Accounts", "/customers/C00"),
        ("L-10", "Deals", "/deals/L-10"),
        ("weighted", "Metrics", "/metrics/weighted_pipeline"),
        ("data health", "Pages", "/health"),
    ],
)
def test_names_find_their_pages(dashboard, own_sample, asked, kind, address):
    found = (
        body(dashboard(own_sample), f"/search?q={asked.replace(' ', '+')}")
        .split(f">{kind}</h2>")[1]
        .split("</section>")[0]
    )
    assert f'href="{address}' in found


def test_what_is_not_understood_is_said_with_the_nearest_questions(dashboard, own_sample):
    client = dashboard(own_sample)
    text = body(client, "/search?q=what+is+the+meaning+of+life")
    assert "I do not understand 'life'" in text
    nearest = re.findall(r'href="(/search\?q=[^"]*)"', text)
    assert nearest
    assert "You can ask" not in body(client, nearest[0])


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("revenue next year compared with last year", "Compare a period that the data reaches."),
        ("delete all deals now please", "Propose it with"),
        ("draft an email to C001", "Run <code>medallion draft C001 --kind email</code>."),
    ],
)
def test_what_to_do_is_said_and_only_questions_are_offered_as_questions(dashboard, own_sample, asked, says):
    text = body(dashboard(own_sample), "/search?" + urlencode({"q": asked}))
    assert says in text.split('role="status">')[1].split("</p>")[0]
    offered = re.findall(r'href="/search\?q=[^"]*">([^<]*)</a>', text)
    assert offered
    assert not [one for one in offered if one.startswith("medallion ") or one in says]


def test_yes_and_how_many_rows_stand_on_the_page(dashboard, own_sample):
    client = dashboard(own_sample)
    text = body(client, "/search?q=did+we+win+any+deals+in+2025")
    assert ">Yes.</strong>" in text
    assert "rows.</p>" in text
    assert ">No.</strong>" in body(client, "/search?q=did+we+lose+any+deals+yesterday")


def test_figures_come_from_somewhere_only_where_there_are_some(dashboard, own_sample):
    client = dashboard(own_sample)
    assert "figures come from" not in body(client, "/search?q=which+deals+are+stuck")
    assert "figures come from" in body(client, "/search?q=win+rate+by+source")


def test_hostile_text_stays_text(dashboard, own_sample):
    answer = dashboard(own_sample).get("/search", params={"q": "<img src=x onerror=alert(1)>' or 1=1 --%"})
    assert answer.status_code == 200
    assert "<img src=x" not in answer.text


def test_no_personal_column_is_read_by_a_question(dashboard, own_sample, rows):
    notes = [
        row["notes"]
        for row in rows(own_sample, "select notes from silver.interactions_clean where notes is not null limit 20")
    ]
    for asked in ("list the touches of C001", "list interactions", "brief for C001"):
        text = html.unescape(dashboard(own_sample, pii=True).get("/search", params={"q": asked}).text)
        assert not [one for one in notes if one in text], asked


@pytest.mark.parametrize(
    "asked",
    [
        Question.read("revenue,win_rate", "owner,month", "source = referral or source = event", "ytd", "previous"),
        Question.read("revenue", "owner", ["status = won", "deal_value > 10 or owner = 'A or B'"], having="revenue > 5", order="-revenue", limit=3),
        Question.read("open_pipeline", as_of="2025-05-31"),
    ],
    ids=str,
)  # fmt: skip
def test_a_question_is_its_address(asked):
    assert parameters.of_question(parameters.question(parameters.of_question(asked))) == parameters.of_question(asked)
    assert parameters.question(parameters.of_question(asked)).metrics == asked.metrics
