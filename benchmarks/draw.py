"""Draw what benchmarks/pipeline.py kept: docs/pictures/pipeline.svg and pipeline-dark.svg.

python benchmarks/draw.py
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path

from medallion.charts import render, theme
from tools.reference import CONTESTANTS

HERE = Path(__file__).resolve().parent
SIZES = ("5m", "20m", "50m")


def rows() -> list[dict]:
    found = []
    for size in SIZES:
        path = HERE / "results" / f"pipeline-{size}.json"
        if not path.exists():
            continue
        kept = json.loads(path.read_text())
        for name, runs in kept["runs"].items():
            if runs:
                seconds = statistics.median(run["wall"] for run in runs)
                per = seconds / (kept["interactions"] / 1e6)
                text = f"{seconds:,.0f} s"
                found.append({"size": f"{size[:-1]} million rows", "who": CONTESTANTS[name], "per": per, "text": text})
    return found


def chart() -> dict:
    data = rows()
    sizes = list(dict.fromkeys(row["size"] for row in data))
    who = [name for name in CONTESTANTS.values() if any(row["who"] == name for row in data)]
    shared = {"y": {"field": "who", "type": "nominal", "sort": who, "title": None}}
    x = {"field": "per", "type": "quantitative", "title": "seconds per million interactions", "axis": {"tickCount": 5}}
    return {
        "title": {"text": "Exports to gold, whole process", "subtitle": "Two cores; shorter is better; beside each bar the seconds in all"},
        "data": {"values": data},
        "facet": {"row": {"field": "size", "type": "nominal", "sort": sizes, "title": None, "header": {"labelAngle": 0, "labelAlign": "left", "labelFontSize": 12, "labelColor": theme.INK}}},
        "spec": {
            "width": 440, "height": {"step": 24},
            "layer": [
                {"mark": {"type": "bar", "height": 15}, "encoding": {**shared, "x": x, "color": {"condition": {"test": f"datum.who == '{who[0]}'", "value": theme.BLUE}, "value": theme.PALE}}},
                {"mark": {"type": "text", "align": "left", "dx": 5}, "encoding": {**shared, "x": x, "text": {"field": "text"}}},
            ],
        },
        "resolve": {"scale": {"y": "independent"}},
    }  # fmt: skip


if __name__ == "__main__":
    for mode, name in (("light", "pipeline.svg"), ("dark", "pipeline-dark.svg")):
        target = HERE.parent / "docs" / "pictures" / name
        target.write_text(render.svg(theme.themed(chart(), mode)), encoding="utf-8")
        print(target)
