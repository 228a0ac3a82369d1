"""A random walk through the dashboard: whatever was clicked and typed, in whatever order, page and address agree.

After each action the page is compared with what its address gives when it is opened anew: title, texts, controls, figures.
A choice leaves the other choices as they were.
"""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

#: Where a walk may go: first pages, and those that links lead to.
STARTS = (
    "/pipeline",
    "/customers",
    "/interactions",
    "/sales",
    "/forecast",
    "/changes",
    "/explore",
    "/today",
    "/health",
)
#: What an address says of a place in a table; it ends with the next filter.
PLACE = ("after", "at")
_COMPARED = """async () => {
  const of = (page) => {
    const copy = page.querySelector("#page").cloneNode(true);
    for (const one of copy.querySelectorAll(".drawn, option")) one.remove();
    return {
      title: page.title,
      text: copy.textContent.replace(/\\s+/g, " ").trim(),
      figures: [...page.querySelectorAll("[data-chart]")].map((one) => one.dataset.chart),
      controls: [...page.querySelectorAll("main form.filters :is(select, input:not([type=hidden])), main form.search input[type=search]")]
        .map((one) => [one.name, one.value]),
    };
  };
  const shown = of(document);
  const answer = await fetch(location.href);
  const fresh = of(new DOMParser().parseFromString(await answer.text(), "text/html"));
  const different = Object.keys(shown).filter((name) => JSON.stringify(shown[name]) !== JSON.stringify(fresh[name]));
  return different.map((name) => {
    const [one, other] = [JSON.stringify(shown[name]), JSON.stringify(fresh[name])];
    const at = [...one].findIndex((letter, place) => letter !== other[place]);
    return `${name}: shown ${one.slice(Math.max(0, at - 60), at + 120)}, address gives ${other.slice(Math.max(0, at - 60), at + 120)}`;
  });
}"""


class Walk:
    """One visitor with a tab, who never waits long."""

    def __init__(self, context, address: str, seed: int, last: date) -> None:
        self.context, self.address, self.last = context, address, last
        self.chance = random.Random(seed)  # noqa: S311 - a walk that can be walked again
        context.set_default_timeout(120_000)
        self.page = context.new_page()
        self.waiting: set[object] = set()
        self.page.on("request", lambda one: self.waiting.add(one))
        for ended in ("requestfinished", "requestfailed"):
            self.page.on(ended, lambda one: self.waiting.discard(one))
        self.done: list[str] = []
        self.expected: dict[str, str] | None = None
        self.page.goto(address + "/pipeline", wait_until="load")

    def go(self, actions: int) -> None:
        """So many actions, each with the check."""
        kinds = (
            *[self.choose] * 4, *[self.choose_twice] * 3, *[self.type_a_day] * 3, *[self.choose_and_sort] * 2, *[self.sort] * 2,
            *[self.search] * 2, self.search_and_choose, *[self.follow] * 3, *[self.other_page] * 3, *[self.back] * 3, self.forward,
            self.reload, self.back_while_loading, self.next_page, self.second_tab,
        )  # fmt: skip
        for _ in range(actions):
            self.expected = None
            action = self.chance.choice(kinds)
            said = action()
            self.done.append(f"{action.__name__} {said}")
            self.settle()
            self.check()

    def settle(self) -> None:
        """Until nothing is on its way any more."""
        quiet = 0
        for _ in range(600):
            self.page.wait_for_timeout(20)
            quiet = quiet + 1 if not self.waiting else 0
            if quiet >= 5 and self.evaluated("document.readyState") == "complete":
                return
        raise AssertionError(f"it never ends: {self.story()}")

    def check(self) -> None:
        """What is shown is what the address asks for."""
        different = ["it changes"]
        for _ in range(3):  # an answer may have been slower than the wait for it
            different = self.evaluated(_COMPARED) or []
            if not different:
                break
            self.settle()
        assert not different, f"{self.page.url}: {different}\n{self.story()}"
        if self.expected is not None:
            assert self.parameters() == self.expected, f"{self.page.url}, expected {self.expected}\n{self.story()}"

    def evaluated(self, script: str) -> Any:
        """What a script gives; while the page changes, that it does."""
        try:
            return self.page.evaluate(script)
        except Exception as error:  # noqa: BLE001 - Playwright, whose error it is, is there for browsers alone
            return [str(error)]

    def story(self) -> str:
        """The last actions, to be done again by hand."""
        return " | ".join(self.done[-6:])

    def parameters(self) -> dict[str, str]:
        """What the address says."""
        return dict(parse_qsl(urlsplit(self.page.url).query))

    # actions: each says what it did ----------------------------------------------------------------------------------

    def choose(self) -> str:
        """Choose a filter."""
        selects = self.page.locator("form.filters select")
        if not selects.count():
            return self.other_page()
        return self._chosen(selects.nth(self.chance.randrange(selects.count())))

    def _chosen(self, select) -> str:
        name, value = select.evaluate(
            "(e, n) => [e.name, e.options[Math.floor(n * e.options.length)].value]", self.chance.random()
        )
        before = self.expected if self.expected is not None else self.parameters()
        many = self.page.locator(f'form.filters select[name="{name}"]').count() > 1  # of one question
        explores = urlsplit(self.page.url).path in (
            "/explore",
            "/changes",
            "/forecast",
        )  # their forms fill in what is meant
        changed = {key: text for key, text in before.items() if key != name and key not in PLACE}
        self.expected = None if many or explores else changed | ({name: value} if value else {})
        if select.input_value() == value:
            self.expected = None if self.expected is None else before
        select.select_option(value, timeout=5000)
        return f"{name}={value}"

    def choose_twice(self) -> str:
        """Choose two filters at once."""
        if self.page.locator("form.filters select").count() < 2:
            return self.choose()
        said = []
        for place in self.chance.sample(range(self.page.locator("form.filters select").count()), 2):
            said.append(self._chosen(self.page.locator("form.filters select").nth(place)))
            self.page.wait_for_timeout(self.chance.choice((0, 5, 40)))
        return ", ".join(said)

    def type_a_day(self) -> str:
        """Type a day, digit by digit, slowly enough for an answer between two of them; sometimes a turned range."""
        days = self.page.locator("form.filters input[type=date]")
        if not days.count():
            return self.choose()
        place = self.chance.randrange(days.count())
        day = self.last - timedelta(days=self.chance.randrange(0, 200))
        name, before = days.nth(place).get_attribute("name"), self.parameters()
        days.nth(place).focus()
        for digit in f"{day:%m%d%Y}":
            self.page.keyboard.type(digit)
            self.page.wait_for_timeout(self.chance.choice((0, 0, 30, 150)))
        self.page.keyboard.press(self.chance.choice(("Enter", "Tab")))
        self.page.locator("main h1").click(position={"x": 1, "y": 1})
        if urlsplit(self.page.url).path != "/changes":
            self.expected = {key: text for key, text in before.items() if key not in (name, *PLACE)} | {name: str(day)}
        return f"{name}={day}"

    def sort(self) -> str:
        """Sort a table."""
        heads = self.page.locator("th a[hx-get]")
        if not heads.count():
            return self.choose()
        head = heads.nth(self.chance.randrange(heads.count()))
        said = head.get_attribute("id")
        head.evaluate("e => e.click()")
        return str(said)

    def choose_and_sort(self) -> str:
        """Sort while a filter is on its way."""
        said = self.choose()
        if not self.page.locator("th a[hx-get]").count():
            return said
        before, self.expected = self.expected, None
        self.page.wait_for_timeout(self.chance.choice((0, 5, 40)))
        said = f"{said}, {self.sort()}"
        self.settle()
        kept = {key: text for key, text in (before or {}).items() if key not in ("sort", *PLACE)}
        assert before is None or kept.items() <= self.parameters().items(), (
            f"{self.page.url}, expected {before}: {said}\n{self.story()}"
        )
        return said

    def search(self) -> str:
        """Search by letters."""
        fields = self.page.locator("form.search input[type=search]")
        if not fields.count():
            return self.sort()
        before, word = self.parameters(), self.chance.choice(("a", "an", "C00", "x-y", "<b>", "é", ""))
        fields.first.focus()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.press("Delete")
        self.page.keyboard.type(word, delay=self.chance.choice((0, 60)))
        self.page.wait_for_timeout(340)
        self.expected = {key: text for key, text in before.items() if key not in ("q", *PLACE)} | (
            {"q": word} if word else {}
        )
        if before.get("q", "") == word:
            self.expected = None
        return repr(word)

    def search_and_choose(self) -> str:
        """Choose a filter while a search is typed."""
        if (
            not self.page.locator("form.search input[type=search]").count()
            or not self.page.locator("form.filters select").count()
        ):
            return self.choose()
        self.page.locator("form.search input[type=search]").first.focus()
        self.page.keyboard.type("a")
        word = self.page.locator("form.search input[type=search]").first.input_value()
        said = self._chosen(self.page.locator("form.filters select").first)
        self.settle()
        self.page.wait_for_timeout(340)
        self.settle()
        self.expected = None
        assert self.parameters().get("q") == word, f"{self.page.url}, expected q={word!r}: {said}\n{self.story()}"
        return f"q={word}, {said}"

    def next_page(self) -> str:
        """The next page of a table."""
        link = self.page.locator(".foot a[hx-get]")
        if not link.count():
            return self.other_page()
        link.last.evaluate("e => e.click()")
        return ""

    def follow(self) -> str:
        """Follow a link of the page."""
        addresses = self.page.eval_on_selector_all(
            "main a[href]:not([download], [hx-get], [href^='mailto:'], [href^='tel:'], [href^='#'])",
            "all => all.map(e => e.getAttribute('href'))",
        )
        if not addresses:
            return self.other_page()
        place = self.chance.randrange(len(addresses))
        self.page.locator("main a[href]:not([download], [hx-get], [href^='mailto:'], [href^='tel:'], [href^='#'])").nth(
            place
        ).evaluate("e => e.click()")
        self.page.wait_for_timeout(30)
        return addresses[place]

    def other_page(self) -> str:
        """Another page of the list."""
        start = self.chance.choice(STARTS)
        link = self.page.locator(f'.side nav a[href^="{start}"]')
        if link.count():
            link.first.evaluate("e => e.click()")
        else:  # a page that has gone wrong has no list
            self.page.goto(self.address + start, wait_until="load")
        self.page.wait_for_timeout(30)
        return start

    def back(self) -> str:
        """Back, sometimes twice at once."""
        times = self.chance.choice((1, 1, 2))
        for _ in range(times):
            self.evaluated("history.back()")
        self.page.wait_for_timeout(60)
        return self._here() or str(times)

    def forward(self) -> str:
        """Forward."""
        self.evaluated("history.forward()")
        self.page.wait_for_timeout(60)
        return self._here()

    def _here(self) -> str:
        """Come home where the tab was empty before."""
        self.settle()
        if not self.page.url.startswith(self.address):
            self.page.goto(self.address + "/sales", wait_until="load")
            return "to the empty tab"
        return ""

    def back_while_loading(self) -> str:
        """Back before a filter has answered."""
        said = self.choose()
        self.expected = None
        self.evaluated("history.back()")
        self.page.wait_for_timeout(60)
        return f"{said} {self._here()}"

    def reload(self) -> str:
        """Load the page anew."""
        before = self.parameters()
        self.page.reload(wait_until="load")
        self.expected = before
        return ""

    def second_tab(self) -> str:
        """Open the address in another tab, narrow it there, and see that this one stays."""
        before, tab = self.page.url, self.context.new_page()
        tab.goto(before, wait_until="load")
        if tab.locator("form.filters select").count():
            tab.locator("form.filters select").first.select_option(index=0)
        tab.close()
        assert self.page.url == before
        return ""
