"""Numbers are written in one way, and amounts in the currency of the lakehouse, for whoever reads them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import functions as F
from starlette.testclient import TestClient
from typer.testing import CliRunner

from conftest import NOW, ROOT
from medallion import columns, contracts, figures, pipeline, report
from medallion.agent.answer import planned
from medallion.agent.planner import Planner
from medallion.agent.rules import Rules
from medallion.agent.serving import serve
from medallion.agent.tools import Tools
from medallion.cli import app
from medallion.config import load
from medallion.contracts import Override
from medallion.dashboard import pages, safety
from medallion.dashboard.web import application
from medallion.dashboard.web.options import Options
from medallion.lakehouse import contracts_in_use
from medallion.lakehouse.store import Lakehouse
from medallion.powerbi import build, databricks
from medallion.powerbi.m import Folder
from medallion.powerbi.model import model
from medallion.report import deck, pictures, sections
from medallion.report.text import text as as_text
from medallion.weights import ScoreWeights

NUMBERS = [
    # number, euros, short francs, share, mean
    (None, "no data", "no data", "no data", "no data"),
    (0, "€0", "CHF 0", "0.0%", "0.0"),
    (1, "€1", "CHF 1", "100.0%", "1.0"),
    (-3, "-€3", "-CHF 3", "-300.0%", "-3.0"),
    (-0.0004, "€0", "CHF 0", "0.0%", "0.0"),
    (0.5454545, "€1", "CHF 1", "54.5%", "0.5"),
    (999.5, "€1,000", "CHF 1,000", "99,950.0%", "999.5"),
    (1e9, "€1,000,000,000", "CHF 1,000.0M", "100,000,000,000.0%", "1,000,000,000.0"),
    (-2e10, "-€20,000,000,000", "-CHF 20.0B", "-2,000,000,000,000.0%", "-20,000,000,000.0"),
    (Decimal("1090000.00"), "€1,090,000", "CHF 1,090,000", "109,000,000.0%", "1,090,000.0"),
    (Decimal("12345678.90"), "€12,345,679", "CHF 12.3M", "1,234,567,890.0%", "12,345,678.9"),
]


@pytest.mark.parametrize(("number", "euros", "short", "share", "mean"), NUMBERS)
def test_a_number_is_written_in_one_way(number, euros, short, share, mean):
    assert figures.money(number, "EUR") == euros
    assert figures.money(number, "CHF", short=True) == short
    assert figures.percent(number) == share
    assert figures.ratio(number) == mean
    assert figures.percent(number, none="-") == ("-" if number is None else share)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("", "USD"),
        ("enum: [{value: EUR}]", "EUR"),
        ("enum: [{value: EUR}], customProperties: [{property: default, value: \"'EUR'\"}]", "EUR"),
        ("enum: [{value: GBP}, {value: CHF}], customProperties: [{property: default, value: \"'CHF'\"}]", "CHF"),
    ],
)
def test_the_contract_says_the_currency(said, meant):
    leads = contracts.entities([Override("own", _contract(said))])["leads"]
    assert leads.currency == leads.column("deal_value").unit == meant


def test_both_intervals_are_one(frame):
    """Wilson's interval over a DataFrame and in Python, checked against figures of his paper's formula by hand."""
    cases = [(6.0, 11.0), (0.0, 5.0), (5.0, 5.0), (1.0, 1.0), (3.5, 17.0), (400.0, 100000.0)]
    low, high = columns.wilson(F.col("part"), F.col("whole"), 1.96)
    for row in (
        frame("part double, whole double", *cases)
        .select("part", "whole", low.alias("low"), high.alias("high"))
        .collect()
    ):
        assert (row.low, row.high) == pytest.approx(figures.wilson(row.part, row.whole, 1.96), abs=1e-6)
    assert figures.wilson(6, 15, 1.645) == pytest.approx((0.2232, 0.6074), abs=5e-5)
    assert figures.wilson(0, 0, 1.96) == (0, 1)


#: Forms that only `figures` may write: a share, an amount, a space before the sign, a sign of a currency.
_OWN = re.compile(r""":[+z,]*\.\d%\}|:[+z,]*\.\df\} ?%|\d %(?! )|\} %["' ]|f["'][^"'\n]*\$\{(?!\{)|["']\$["'] [if+]""")


def test_nobody_else_writes_shares_and_amounts():
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in sorted((ROOT / "src" / "medallion").rglob("*.py"))
        if path.name != "figures.py"
        for line in path.read_text(encoding="utf-8").splitlines()
        if _OWN.search(re.sub(r"\d % \(?\w", "", line))
    ]
    assert [line for line in found if "25 % of it" not in line] == []


def test_documents_have_no_space_before_the_sign():
    texts = [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/*.md"), *ROOT.glob("analysis/*.txt")]
    assert [path.name for path in texts if re.search(r"\d %", path.read_text(encoding="utf-8"))] == []


COMMANDS = ("insights", "score", "explain L-1012", "plan", "brief C001", "metrics value revenue --by source", "monitor")
QUESTIONS = (
    "What is the win rate?",
    "What is our revenue by industry?",
    "Who are the top customers?",
    "Which channel works best?",
)


@contextmanager
def _agent(lake: Lakehouse) -> Iterator[Tools]:
    with serve(lake) as serving:
        yield Tools(serving, Rules())


def told(lake: Lakehouse) -> Iterator[tuple[str, str]]:
    """What each consumer says of a lakehouse, with its name."""
    shell = CliRunner()
    for command in COMMANDS:
        yield command, shell.invoke(app, [*command.split(), "--lakehouse", lake.root]).output
    with _agent(lake) as tools:
        planner = Planner(tools.serving)
        for question in QUESTIONS:
            yield question, planned(tools, planner, question).text
    facts, profiles = report.gathered(lake)
    yield "report", as_text(sections.document(facts, profiles))
    yield "pictures", json.dumps(pictures.pictures(facts), ensure_ascii=False, default=str)
    yield "slides", repr(deck.slides(facts, profiles, ScoreWeights()))
    options = Options(load(None, lakehouse=lake.root), safety.Door(hosts=("testserver",)))
    with TestClient(application(options)) as browser:
        addresses = [f"/{name}" for name in (*pages.PAGES, "health", "customers/C001")]
        addresses += [f"/figures/{page.name}/{part.name}" for page in pages.PAGES.values() for part in page.parts[:2]]
        for address in addresses:
            shown = browser.get(address)
            assert shown.status_code == 200, address
            yield (
                address,
                " ".join(re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", shown.text, flags=re.DOTALL).split()),
            )
        for page in pages.PAGES.values():
            for part in page.parts:
                yield (
                    part.name,
                    json.dumps(_drawn(browser.get(f"/charts/{page.name}/{part.name}.json").json()), ensure_ascii=False),
                )
    currency = contracts_in_use.currency(lake)
    for path, text in build.project(model(currency), Folder()).items():
        if path.endswith(".tmdl"):
            yield path, "\n".join(re.findall("formatString: .*|///.*", text))
    yield "AI/BI", json.dumps(databricks.dashboard("crm", currency))
    yield "metric views", databricks.statements("crm", currency).replace("AS $$", "").replace("$$;", "")


def _drawn(chart: Any) -> Any:
    return {key: value for key, value in chart.items() if key not in ("$schema", "config")}


def _contract(currency: str) -> str:
    return (
        "apiVersion: v3.1.0\nkind: DataContract\nid: own.crm\nversion: 1.0.0\nstatus: active\nschema:\n"
        f"  - name: leads\n    properties:\n      - {{name: currency, {currency}}}\n"
    )


@pytest.fixture(scope="module")
def in_euros(spark, tmp_path_factory):
    """The sample as a firm that sells in euros has it."""
    folder = tmp_path_factory.mktemp("euros")
    (folder / "exports").mkdir()
    for name in ("customers", "leads", "interactions"):
        text = (ROOT / "data" / f"{name}.csv").read_text(encoding="utf-8")
        euros = re.sub(r"us\$|usd\b", "EUR", text, flags=re.IGNORECASE).replace("$", "")
        bare = re.sub(r"EUR\s", "", euros)  # amounts alone: the column says the currency
        (folder / "exports" / f"{name}.csv").write_text(bare, encoding="utf-8")
    (folder / "own.odcs.yaml").write_text(
        _contract("enum: [{value: EUR}], customProperties: [{property: default, value: \"'EUR'\"}]")
    )
    lake = Lakehouse(str(folder / "lakehouse"))
    settings = load(None, source=str(folder / "exports"), lakehouse=lake.root, contracts=(folder / "own.odcs.yaml",))
    pipeline.run(settings, NOW)
    return lake


@pytest.fixture(scope="module")
def found(in_euros):
    return dict(told(in_euros))


@pytest.mark.slow
def test_no_consumer_parts_the_sign_from_its_figure(found):
    assert [name for name, text in found.items() if re.search(r"\d[ \u00a0]%", text)] == []
    for name in ("insights", "report", "slides", "What is the win rate?", "/sales"):
        assert "54.5%" in found[name], name


@pytest.mark.slow
def test_a_lakehouse_in_euros_shows_euros(found):
    """The sample in euros: no consumer knows another currency."""
    assert {name: text[:300] for name, text in found.items() if re.search(r"\$|\bUSD\b|dollar", text)} == {}
    for name in (
        "insights",
        "report",
        "slides",
        "What is our revenue by industry?",
        "/sales",
        "pictures",
        "brief C001",
    ):
        assert "€" in found[name], name
    assert "€1,090,000" in found["insights"]
    assert '"currencyCode": "EUR"' in found["AI/BI"]
    assert "currency_code: EUR" in found["metric views"]


@pytest.mark.slow
def test_a_replayed_lakehouse_has_the_currency_of_the_one_it_is_of(in_euros, tmp_path):
    pipeline.replay(load(None, lakehouse=in_euros.root), date(2025, 6, 30), None, str(tmp_path / "june"))
    assert contracts_in_use.currency(Lakehouse(str(tmp_path / "june"))) == "EUR"


@pytest.mark.slow
def test_a_replay_replaces_the_contracts_of_another(in_euros, sample, tmp_path):
    june = Lakehouse(str(tmp_path / "june"))
    printed = []
    for lake in (in_euros, sample, in_euros):
        given = ["replay", "2025-06-30", "--to", june.root, "--lakehouse", lake.root]
        printed.append(CliRunner().invoke(app, given, catch_exceptions=False).output)
        assert contracts_in_use.currency(june) == contracts_in_use.currency(lake)
        assert contracts_in_use.are_in_use(june, contracts_in_use.overrides(lake))
    assert ["\u20ac" in text for text in printed] == [True, False, True]
