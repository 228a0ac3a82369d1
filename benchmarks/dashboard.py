"""The dashboard as its readers meet it: cold start, filters and sorts, page weight, memory, fifty readers at once.

    python benchmarks/dashboard.py --lakehouse lakehouse --runs 5

Cold start is from the start of the process to the last byte of the first page with its figures. The rest is measured
when the server has made its copies, which is when it no longer uses the processor; how long that took is told, and
what a filter costs before. Filters and sorts are asked with values that no request before had, so that nothing is
remembered. Fifty readers at once walk the five pages as they open, and then pages with filters of their own. Each
figure is the median of the runs, each with a server of its own.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


def get(address: str) -> tuple[float, bytes, int]:
    """Seconds, the content, and bytes on the wire."""
    began = time.perf_counter()
    request = urllib.request.Request(address, headers={"accept-encoding": "gzip"})  # noqa: S310
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        raw = answer.read()
    seconds = time.perf_counter() - began
    if answer.headers.get("content-encoding") == "gzip":
        import gzip

        return seconds, gzip.decompress(raw), len(raw)
    return seconds, raw, len(raw)


def start(lakehouse: str) -> tuple[subprocess.Popen[str], str, float]:
    """A server, its address, and seconds until its first page was whole."""
    began = time.perf_counter()
    server = subprocess.Popen(
        [sys.executable, "-m", "medallion", "dashboard", "--lakehouse", lakehouse, "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None  # noqa: S101
    address = re.search(r"http://\S+", server.stdout.readline()).group(0).rstrip("/")  # type: ignore[union-attr]
    get(f"{address}/pipeline")
    return server, address, time.perf_counter() - began


def memory(server: subprocess.Popen[str]) -> tuple[int, int]:
    """MiB resident now, and at most so far."""
    text = Path(f"/proc/{server.pid}/status").read_text(encoding="utf-8")
    now, most = (int(re.search(rf"{name}:\s+(\d+)", text).group(1)) // 1024 for name in ("VmRSS", "VmHWM"))  # type: ignore[union-attr]
    return now, most


def p95(values: list[float]) -> float:
    """The value that one in twenty exceeds."""
    return sorted(values)[max(0, round(0.95 * len(values)) - 1)]


def rest(server: subprocess.Popen[str]) -> float:
    """Seconds until the server no longer uses the processor."""

    def used() -> int:
        return sum(
            map(int, Path(f"/proc/{server.pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[11:13])
        )

    began, before, still = time.perf_counter(), used(), 0
    while still < 3:
        time.sleep(0.5)
        now = used()
        before, still = now, still + 1 if now - before <= 2 else 0
    return time.perf_counter() - began - 1.5


def options(page: str, name: str) -> list[str]:
    """What a filter of a page may be set to."""
    block = re.search(rf'<select id="filter-{name}".*?</select>', page, re.DOTALL)
    return re.findall(r"<option(?: selected)?>([^<]+)", block.group(0)) if block else []


def asked(address: str) -> dict[str, list[str]]:
    """Addresses by kind, none of which was asked before."""
    page = get(f"{address}/pipeline")[1].decode()
    owners, industries, bands = (options(page, name) for name in ("owner", "industry", "band"))
    quoted = urllib.parse.quote
    months = [f"2024-{month:02d}" for month in range(1, 13)]
    spans = [f"from=2023-{month:02d}-17&to=2025-{month % 6 + 1:02d}-1{month % 10}" for month in range(2, 8)]
    calls = (
        "customer_name",
        "-deal_value",
        "-probability",
        "days_since_last_interaction",
        "owner",
        "-weighted_value",
        "lead_id",
        "-trend",
        "lead_quality",
    )
    customers = (
        "customer_name",
        "-won_value",
        "-interactions",
        "segment",
        "-open_value",
        "-win_rate",
        "industry",
        "-lead_score",
        "lead_quality",
    )
    deals = ("-deal_value", "lead_id", "-created_at", "customer_name", "-cycle_days", "owner")
    return {
        "filter, pipeline": [f"/pipeline?owner={quoted(one)}" for one in owners[:12]]
        + [f"/pipeline?industry={quoted(one)}" for one in industries]
        + [f"/pipeline?owner={quoted(owners[-1])}&band={one}" for one in bands],
        "filter, customers": [f"/customers?industry={quoted(one)}" for one in industries]
        + [f"/customers?band={band}" for band in bands]
        + [f"/customers?industry={quoted(industries[0])}&band={band}" for band in bands],
        "filter, interactions": [f"/interactions?from={month}-01" for month in months]
        + [f"/interactions?{span}" for span in spans]
        + [f"/interactions?channel=email&{span}" for span in spans],
        "filter, sales": [f"/sales?from={month}-01" for month in months]
        + [f"/sales?{span}" for span in spans]
        + [f"/sales?owner={quoted(one)}&{span}" for one, span in zip(owners, spans, strict=False)],
        "sort, call list": [f"/pipeline?sort={one}" for one in calls] + [f"/pipeline?sort={one}&industry={quoted(industries[0])}" for one in calls],
        "sort, customers": [f"/customers?sort={one}" for one in customers] + [f"/customers?sort={one}&band=Cold" for one in customers],
        "sort, deals": [f"/rows/deals?sort={one}" for one in deals] + [f"/rows/deals?sort={one}&status=won" for one in deals],
        "search, customers": [f"/customers?q={one}" for one in ("amber", "1234", "zz", "9", "iron")],
        "a customer": re.findall(r'href="(/customers/[^"]+)"', page)[:10],
    }  # fmt: skip


def figures(address: str, pages: list[str]) -> list[str]:
    """Addresses of the figures of pages."""
    found = []
    for page in pages:
        found += re.findall(r'<img src="([^"]+)"', get(address + page)[1].decode())
    return [one.replace("&amp;", "&") for one in found]


def crowd(address: str, pages: list[str]) -> dict[str, int]:
    """Fifty readers at once; an answer other than 200 is an error."""
    with ThreadPoolExecutor(50) as readers:
        times = [seconds * 1000 for seconds, _, _ in readers.map(get, [address + one for one in pages])]
    return {"n": len(times), "median": round(statistics.median(times)), "p95": round(p95(times))}


def run(lakehouse: str) -> dict[str, Any]:
    """One server from its start to its end."""
    server, address, seconds = start(lakehouse)
    try:
        early = [
            get(address + one)[0] * 1000
            for one in ("/interactions?from=2023-11-05", "/sales?from=2023-11-05", "/pipeline?band=Warm")
        ]
        found: dict[str, Any] = {"cold_start": round(seconds, 2), "filters_at_once": [round(one) for one in early]}
        found["ready"] = round(seconds + sum(early) / 1000 + rest(server), 1)
        html = get(f"{address}/pipeline")
        static = re.findall(r'(?:src|href)="(/static/[^"]+)"', html[1].decode())
        parts = [html[2], *(get(address + one)[2] for one in [*static, *figures(address, ["/pipeline"])])]
        found["first_visit_kb"] = round(sum(parts) / 1000)
        found["vega_kb"] = round(get(f"{address}/static/vega.js")[2] / 1000)
        found["milliseconds"] = {}
        kinds = asked(address)
        kinds["figure, dates of interactions"] = figures(address, kinds["filter, interactions"][12:])
        kinds["figure, filters of pipeline"] = figures(address, kinds["filter, pipeline"][:6])
        for kind in sorted(kinds, key=lambda name: name.startswith("figure"), reverse=False):
            times = [get(address + one)[0] * 1000 for one in kinds[kind]]
            if times:
                found["milliseconds"][kind] = {
                    "n": len(times),
                    "median": round(statistics.median(times)),
                    "p95": round(p95(times)),
                }
        found["fifty_readers"] = crowd(address, ["/pipeline", "/customers", "/interactions", "/sales", "/health"] * 100)
        page = get(f"{address}/pipeline")[1].decode()
        owners, industries = options(page, "owner"), options(page, "industry")
        own = []
        for turn in range(100):
            owner, industry = (urllib.parse.quote(several[turn % len(several)]) for several in (owners, industries))
            start_day = f"from=2024-{turn % 12 + 1:02d}-{turn % 25 + 2:02d}"
            own += [
                f"/pipeline?owner={owner}&industry={industry}",
                f"/customers?industry={industry}",
                f"/interactions?{start_day}",
                f"/sales?owner={owner}&{start_day}",
                "/health",
            ]
        found["fifty_readers_with_filters"] = {**crowd(address, own), "different": len(set(own))}
        found["memory_mib"], found["memory_most_mib"] = memory(server)
    finally:
        server.terminate()
        server.wait()
    return found


def middle(several: list[Any]) -> Any:
    """The median of each figure."""
    if isinstance(several[0], dict):
        return {name: middle([one[name] for one in several]) for name in several[0]}
    if isinstance(several[0], list):
        return [middle(list(values)) for values in zip(*several, strict=True)]
    return statistics.median(several)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lakehouse", default="lakehouse")
    parser.add_argument("--runs", default=5, type=int)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "dashboard.json")
    given = parser.parse_args()
    runs = [run(given.lakehouse) for _ in range(given.runs)]
    found = {"runs": given.runs, **middle(runs), "cold_starts": [one["cold_start"] for one in runs]}
    given.out.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
