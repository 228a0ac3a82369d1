"""The page of what changed: the bridge is the command's, its bars add up, and each opens the steps that it is made of."""

from __future__ import annotations

import html
import io
import json
import re
from datetime import date

import pyarrow.parquet as pq
import pytest

from medallion import figures
from medallion.lakehouse import query
from medallion.metrics import over_time


def body(client, address, status=200):
    answer = client.get(address)
    assert answer.status_code == status, (address, answer.text[:400])
    return html.unescape(answer.text)


@pytest.mark.parametrize("by", [None, "industry"])
def test_every_bar_and_cell_is_what_its_steps_add_up_to(dashboard, sample, by):
    client, span = dashboard(sample), "from=2025-04-30&to=2025-06-30"
    text = body(client, f"/changes?{span}{f'&by={by}' if by else ''}")
    links = re.findall(r'<a href="([^"]+)" data-part="(\w+)"(?: data-group="([^"]*)")?>([^<]*)</a>', text)
    with query.connect(sample) as connection:
        (whole,) = over_time.movement(connection, date(2025, 4, 30), date(2025, 6, 30))
    shown = {part: value for _, part, group, value in links if not group}
    assert shown == {part: figures.money(whole[part], "USD") for part in shown}
    assert {"start", "opened", "won", "lost", "end"} <= {*shown}
    assert whole["start"] + sum(whole[part] for part in shown if part not in ("start", "end")) == whole["end"]
    assert bool(by) == any(group for _, _, group, _ in links)
    for address, part, group, value in links:
        file = client.get(address.replace("/steps?", "/steps.parquet?"))
        table = pq.read_table(io.BytesIO(file.content))
        told = json.loads(table.schema.metadata[b"medallion"])
        assert (told["from the end of"], told["to the end of"], told["as of"]) == (
            "2025-04-30",
            "2025-06-30",
            "2025-06-30",
        )
        assert told.get(by) == (group or None)
        assert figures.money(sum(row["value"] for row in table.to_pylist()), "USD") == value, (part, group)
        assert "2025-04-30" in file.headers["content-disposition"]


def test_the_bars_begin_where_the_one_before_ended(dashboard, sample):
    text = body(dashboard(sample), "/changes?from=2025-04-30&to=2025-06-30")
    bars = [
        (kind, float(x), float(width))
        for kind, x, width in re.findall(r'class="step (\w+)"><rect x="([\d.]+)" width="([\d.]+)"', text)
    ]
    at = bars[0][2]
    for kind, x, width in bars[1:-1]:
        assert (x if kind == "up" else x + width) == pytest.approx(at, abs=2.1)
        at = x + width if kind == "up" else x
    assert (bars[-1][1], bars[-1][2]) == (0, pytest.approx(at, abs=2.1))


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("/changes?from=2026-01-01", "2026-01-01"),
        ("/changes?to=2031-01-01", "after 2025-06-30, the last day"),
        ("/changes?from=2025-06-01&to=2025-05-01", "is after the end, 2025-05-01"),
        ("/changes?from=soon", "soon"),
        ("/changes?by=mood", "not split by 'mood'"),
        ("/changes/steps?part=luck", "no part 'luck'"),
        ("/changes/steps?part=won&by=owner&group=Nobody", "No owner here is called 'Nobody'"),
        ("/changes/steps?part=won&group=Nobody", "not split"),
        ("/changes/steps?part=slipped&by=owner&group=Priya+Nair", "not split"),
    ],
)
def test_days_that_cannot_be_shown_are_said_and_stay(dashboard, sample, address, says):
    text = body(dashboard(sample), address, 400)
    assert says in text
    assert "data-part" not in text
    if "from=2025" in address:
        assert 'name="from" value="2025-06-01"' in text


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))


def test_a_slider_goes_over_the_days_of_the_history(dashboard, sample, rows):
    text = body(dashboard(sample), "/changes?from=2025-04-30&to=2025-05-31")
    (slider,) = re.findall(r'<input type="range"[^>]*>', text)
    (first,) = rows(sample, "select min(from_day) as day from gold.deal_changes")
    told = {name: int(number) for name, number in re.findall(r'(min|max|value)="(\d+)"', slider)}
    assert told["min"] == first["day"].toordinal()
    assert told["value"] == date(2025, 5, 31).toordinal()
    assert date.fromordinal(told["max"]) > date(2025, 6, 1)
