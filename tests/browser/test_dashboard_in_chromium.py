"""The dashboard in a real browser: painted, without violations in axe-core, by keyboard, live charts, one file.

Needs Chromium, Playwright and axe-core: `just browser`. Without them it is skipped. Pictures of every page are left in
the folder that `MEDALLION_SHOTS` names.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from conftest import NOW, ROOT

pytestmark = pytest.mark.skipif("MEDALLION_CHROMIUM" not in os.environ, reason="no browser: see `just browser`")

LOOKS = [("light", 1440), ("dark", 1440), ("light", 390), ("dark", 390)]
PAGES = [
    "/today", "/forecast", "/forecast/deals?part=commit", "/changes?by=owner", "/changes/steps?part=won",
    "/explore?metrics=revenue,win_rate&by=owner&period=2025-Q2", "/explore/rows?metrics=revenue&of=revenue", "/metrics", "/pipeline", "/customers", "/interactions", "/sales", "/health", "/health/quarantine", "/health/accounts", "/health/duplicates", "/customers/C001", "/deals/L-1001", "/search?q=win+rate+by+source", "/search?q=a", "/sales?from=2025-04-01&to=2025-06-30", "/metrics/win_rate?by=source",
    "/rows/deals", "/rows/quarantine", "/figures/pipeline/stages", "/sales?owner=Nobody", "/nothing",
]  # fmt: skip
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def lake(spark, tmp_path_factory):
    """The sample, its second day, and a customer whose name is a trap."""
    from medallion import pipeline
    from medallion.config import load
    from medallion.lakehouse.store import Lakehouse

    folder = tmp_path_factory.mktemp("browser")
    (folder / "evil").mkdir()
    (folder / "evil" / "customers.csv").write_text(
        f"customer_id,customer_name,industry,country,employee_count,created_at\nC900,{EVIL},{EVIL},DE,10,2025-01-01\n"
    )
    (folder / "evil" / "leads.csv").write_text(
        "lead_id,customer_id,source,status,stage,deal_value,created_at,closed_at,owner\n"
        f"L-9000,C900,website,won,closed,90000,2025-05-01,2025-06-01,{EVIL}\n"
    )
    found = Lakehouse(str(folder / "lakehouse"))
    for source in (ROOT / "data", ROOT / "data" / "updates", folder / "evil"):
        # the trap has not all columns of the sample
        pipeline.run(load(None, source=str(source), lakehouse=found.root, accept=source.name == "evil"), NOW)
    return found


@pytest.fixture(scope="module")
def address(lake):
    """A running dashboard."""
    yield from running(application_of(lake))


@pytest.fixture(scope="module")
def slow_address(lake):
    """A dashboard that takes its time now and then, so that answers overtake each other."""
    app, chance = application_of(lake), random.Random(1)  # noqa: S311

    async def slow(scope, receive, send):
        if scope["type"] == "http" and not scope["path"].startswith(("/static", "/charts")):
            await asyncio.sleep(chance.choice((0, 0, 0.3 * chance.random())))
        await app(scope, receive, send)

    yield from running(slow)


def application_of(lake):
    from medallion.config import load
    from medallion.dashboard.web import application
    from medallion.dashboard.web.options import Options

    return application(Options(load(None, lakehouse=lake.root)))


def running(app):
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ["MEDALLION_CHROMIUM"], args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium):
    """`visit(mode, width)` is a fresh tab whose complaints and outside requests fail the test."""
    contexts, trouble = [], []

    def tab(mode="light", width=1440):
        context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=mode)
        page = context.new_page()
        page.on("console", lambda m: trouble.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("dialog", lambda dialog: trouble.append(f"dialog: {dialog.message}"))
        page.on(
            "request", lambda r: trouble.append(r.url) if urlsplit(r.url).hostname not in ("127.0.0.1", None) else None
        )
        contexts.append(context)
        return page

    yield tab
    for context in contexts:
        context.close()
    expected = "Failed to load resource: the server responded with a status of 40"
    assert [one for one in trouble if not one.startswith(expected)] == []


def violations(page):
    """What axe-core finds; run beside the page's own policy, which lets no foreign script in."""
    session = page.context.new_cdp_session(page)
    session.send("Runtime.evaluate", {"expression": Path(os.environ["MEDALLION_AXE"]).read_text(encoding="utf-8")})
    found = session.send(
        "Runtime.evaluate",
        {
            "expression": "axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map(v => "
            "`${v.id}: ${v.nodes.slice(0, 3).map(n => n.target + ' ' + n.failureSummary).join(' | ')}`))",
            "awaitPromise": True,
            "returnByValue": True,
        },
    )
    return found["result"]["value"]


def shot(page, name):
    if folder := os.environ.get("MEDALLION_SHOTS"):
        page.screenshot(path=str(Path(folder, f"{name}.png")), full_page=True)


@pytest.mark.parametrize(("mode", "width"), LOOKS)
def test_every_page_is_painted_and_without_violations(visit, address, mode, width):
    page = visit(mode, width)
    for one in PAGES:
        page.goto(address + one, wait_until="networkidle")
        shot(page, f"{one.strip('/').split('?')[0].replace('/', '_')}-{mode}-{width}")
        assert violations(page) == [], (one, mode, width)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, (one, width)
        pictures = page.eval_on_selector_all(
            "main img", "all => all.map(i => [i.complete, i.naturalWidth, i.clientWidth])"
        )
        assert all(done and natural > 100 and 100 < shown <= width for done, natural, shown in pictures), (
            one,
            pictures,
        )
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(int(part) for part in ground[4:-1].split(",")) < 200) is (mode == "dark"), one


def test_filters_and_tables_answer_without_loading_the_page_anew(visit, address):
    page = visit()
    page.goto(address + "/pipeline", wait_until="networkidle")
    page.evaluate("window.mark = 1")
    page.select_option("#filter-owner", "Priya Nair")
    page.wait_for_url("**/pipeline?owner=Priya%20Nair")
    page.wait_for_function("document.querySelectorAll('#calls tbody tr').length === 2")
    live = page.locator(".cards").inner_text()
    page.click("#calls-by-customer_name")
    page.wait_for_url("**sort=customer_name**")
    assert page.evaluate("document.activeElement.id") == "calls-by-customer_name"
    assert page.locator("#calls th[aria-sort=ascending]").inner_text().startswith("Customer")
    page.fill("#calls-q", "bright")
    page.wait_for_url("**q=bright**")
    page.wait_for_function("document.querySelectorAll('#calls tbody tr').length === 1")
    assert page.evaluate("document.activeElement.id") == "calls-q"
    assert page.evaluate("window.mark") == 1
    page.reload(wait_until="networkidle")
    assert page.locator("#calls tbody tr").count() == 1
    assert page.locator(".cards").inner_text() == live
    page.go_back()
    page.wait_for_url("**sort=customer_name")


def test_the_keyboard_goes_all_the_way(visit, address):
    page = visit()
    page.goto(address + "/pipeline", wait_until="networkidle")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "filter-industry"
    page.focus(".card h2 a")
    page.wait_for_timeout(400)
    assert page.locator(".card .means").first.evaluate("e => getComputedStyle(e).visibility") == "visible"
    page.keyboard.press("Escape")
    page.wait_for_timeout(400)
    assert page.locator(".card .means").first.evaluate("e => getComputedStyle(e).visibility") == "hidden"
    page.focus("#calls-by-deal_value")
    page.keyboard.press("Enter")
    page.wait_for_url("**sort=-deal_value**")
    seen = page.evaluate(
        "[...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, [tabindex=\"0\"]')]"
        ".filter(e => e.checkVisibility()).length"
    )
    reached = set()
    for _ in range(seen + 20):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("(e => [...document.querySelectorAll('*')].indexOf(e))(document.activeElement)"))
    assert len(reached) >= seen - 2


def test_a_card_is_worked_off_by_hand_and_printed(visit, address, lake):
    """On a phone the first card is above the fold; done takes it away, undo brings it back, and it prints without buttons."""
    from medallion.care import follow_ups

    page = visit("light", 390)
    page.goto(address + "/", wait_until="networkidle")
    first = page.locator(".call").first
    box = first.bounding_box()
    assert box["y"] + box["height"] < 900
    key = first.get_attribute("data-customer")
    assert min(first.locator("button").nth(n).bounding_box()["height"] for n in range(4)) >= 44
    first.locator("text=Done").click()
    page.wait_for_selector("text=Dealt with")
    assert key not in page.eval_on_selector_all(".call", "all => all.map(c => c.dataset.customer)")
    assert follow_ups.every(lake)[-1].customer_id == key
    shot(page, "today-done")
    assert violations(page) == []
    page.emulate_media(media="print")
    assert not page.locator(".acts").first.is_visible()
    assert page.locator(".printed").first.inner_text().startswith("Medallion · figures as of")
    page.emulate_media(media="screen")
    page.click("text=Undo")
    page.wait_for_function("key => document.querySelector('.call').dataset.customer === key", arg=key)


def test_a_question_is_asked_narrowed_and_taken_back(visit, address):
    """By hand: a split is chosen, a bar is clicked, its condition is crossed out, and going back shows what its address says."""
    page = visit()
    page.goto(address + "/explore", wait_until="networkidle")
    page.select_option("#by-1", "source")  # the second alone
    page.wait_for_url("**by=source**")
    page.wait_for_selector("tbody .barred a")
    page.goto(address + "/explore", wait_until="networkidle")
    page.select_option("#by-0", "owner")
    page.wait_for_url("**by=owner**")
    page.wait_for_selector("tbody .barred a")
    whole = page.locator("tfoot a").first.inner_text()
    owner, value = (page.locator(f"tbody tr:first-child {one}").first.inner_text() for one in ("td a", "td.n a"))
    page.locator("tbody .barred a").first.click()
    page.wait_for_selector(".chip")
    assert owner in page.locator(".chip").inner_text()
    assert page.locator("tbody td.n a").first.inner_text() == value
    page.click(".chip a")
    page.wait_for_function("!document.querySelector('.chip')")
    assert page.locator("tbody td.n a").first.inner_text() == whole
    page.go_back()
    page.wait_for_selector(".chip")
    page.locator("tbody td.n a").first.click()
    page.wait_for_url("**/explore/rows**")
    assert value in page.locator("h1").inner_text()


def test_the_box_is_reached_by_a_key_and_asks(visit, address):
    page = visit()
    page.goto(address + "/sales", wait_until="networkidle")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "ask"
    page.keyboard.type("win rate by source/")
    assert page.locator("#ask").input_value() == "win rate by source/"
    page.keyboard.press("Backspace")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=win+rate+by+source")
    assert page.locator("#answer-1").inner_text() == "Win rate by lead source"
    page.click("text=Open in Explore")
    page.wait_for_url("**/explore?by=source&metrics=win_rate")


def test_the_slider_says_its_day_and_asks_when_it_is_let_go(visit, address):
    page = visit()
    page.goto(address + "/changes?from=2025-03-31&to=2025-06-10", wait_until="networkidle")
    page.focus("#slide")
    page.keyboard.press("ArrowLeft")
    page.wait_for_url("**/changes?from=2025-03-31&to=2025-06-09")
    page.wait_for_selector("h2:has-text('to 2025-06-09')")
    assert page.locator("output").inner_text() == "2025-06-09"
    assert page.locator("#filter-to").input_value() == "2025-06-09"


def test_charts_answer_to_the_pointer_and_show_texts_as_texts(visit, address):
    page = visit()
    page.goto(address + "/sales", wait_until="networkidle")
    figure = page.locator('[data-chart*="/charts/sales/reps"]')
    figure.scroll_into_view_if_needed()
    figure.hover()
    page.wait_for_selector('[data-chart*="/charts/sales/reps"][data-drawn="yes"]', timeout=30000)
    bars = figure.locator(".mark-rect path")
    seen = set()
    for place in [n for n in range(bars.count()) if (bars.nth(n).bounding_box() or {}).get("width")]:
        bars.nth(place).hover()
        page.wait_for_selector("#vg-tooltip-element.visible")
        seen.add(page.locator("#vg-tooltip-element").inner_text())
    assert any("$90,000" in text and EVIL[:20] in text for text in seen), seen
    assert page.locator("#vg-tooltip-element img").count() == 0
    shot(page, "tooltip")
    trend = page.locator('[data-chart*="/charts/sales/revenue_30d"]')
    trend.scroll_into_view_if_needed()
    trend.hover()
    page.wait_for_selector('[data-chart*="/charts/sales/revenue_30d"][data-drawn="yes"]', timeout=30000)
    labels = trend.locator(".role-axis-label").first
    before = labels.text_content()
    trend.locator("svg").hover()
    page.mouse.wheel(0, -600)
    page.wait_for_function(
        "before => document.querySelector('[data-chart*=\"revenue_30d\"] .role-axis-label').textContent !== before",
        arg=before,
    )


def test_a_random_walk_shows_what_its_address_asks_for(chromium, slow_address):
    """Some steps of the walk; `just nightly-walk` takes a thousand, from another place each night."""
    from walking import Walk

    steps, seed = int(os.environ.get("MEDALLION_WALK", "25")), int(os.environ.get("MEDALLION_WALK_SEED", "1"))
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, locale="en-US")
    walk, broken = Walk(context, slow_address, seed, date(2025, 7, 1)), []
    walk.page.on("pageerror", lambda error: broken.append(str(error)))
    walk.go(steps)
    context.close()
    assert broken == [], walk.story()


def test_a_day_typed_by_hand_asks_when_it_is_finished(visit, address):
    """Digit by digit, with time for an answer between two: one request, with the whole day, and what is typed next stays."""
    page = visit()
    page.goto(address + "/sales", wait_until="networkidle")
    asked = []
    page.on("request", lambda one: asked.append(one.url) if "/sales?" in one.url else None)
    page.focus("#filter-from")
    for digit in "03012025":
        page.keyboard.type(digit)
        page.wait_for_timeout(120)
    page.keyboard.press("Tab")  # into the picker's button
    page.keyboard.press("Tab")  # into the other day
    for digit in "05312025":
        page.keyboard.type(digit)
        page.wait_for_timeout(120)
    assert asked == []
    page.keyboard.press("Enter")
    page.wait_for_url("**/sales?from=2025-03-01&to=2025-05-31")
    assert len({one for one in asked if "/charts/" not in one}) == 1


def test_a_theme_stays(visit, address):
    page = visit()
    page.goto(address + "/sales", wait_until="networkidle")
    page.click("button[value=dark]")
    page.wait_for_selector("html[data-theme=dark]")
    page.goto(address + "/customers", wait_until="networkidle")
    assert "mode=dark" in page.locator("main img").first.evaluate("i => i.currentSrc")
    assert violations(page) == []
    shot(page, "theme-dark-chosen")


def test_the_file_stands_alone_and_prints(visit, lake, tmp_path):
    from medallion.config import load
    from medallion.dashboard.export import export

    export(load(None, lakehouse=lake.root), tmp_path / "one.html")
    for mode, width in LOOKS:
        page = visit(mode, width)
        page.goto((tmp_path / "one.html").as_uri(), wait_until="load")
        assert violations(page) == [], (mode, width)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, width
        shot(page, f"file-{mode}-{width}")
    printed = visit()
    printed.goto((tmp_path / "one.html").as_uri(), wait_until="load")
    pdf = printed.pdf(
        path=os.environ.get("MEDALLION_SHOTS", str(tmp_path)) + "/file.pdf",
        print_background=True,
        prefer_css_page_size=True,
    )
    assert 5 <= pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") <= 40


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
