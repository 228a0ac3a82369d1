"""The dashboard as its readers meet it: cold start, filters and sorts, page weight, memory, fifty readers at once.

    python benchmarks/dashboard.py --lakehouse lakehouse --runs 5

Cold start is from the start of the process to the last byte of the first page with its figures. Filters and sorts are
asked with values that no request before had, so that nothing is remembered. Fifty readers walk the pages, each with
a filter of its own.
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


def asked(address: str) -> dict[str, list[str]]:
    """Addresses by kind, none of which was asked before."""
    page = get(f"{address}/pipeline")[1].decode()

    def options(name: str) -> list[str]:
        block = re.search(rf'<select id="filter-{name}".*?</select>', page, re.DOTALL)
        return re.findall(r"<option(?: selected)?>([^<]+)", block.group(0))[:12] if block else []

    owners, industries = options("owner"), options("industry")
    quoted = urllib.parse.quote
    columns = [
        "customer_name",
        "-deal_value",
        "-probability",
        "days_since_last_interaction",
        "owner",
        "-weighted_value",
    ]
    return {
        "filter, pipeline": [f"/pipeline?owner={quoted(one)}" for one in owners] + [f"/pipeline?industry={quoted(one)}" for one in industries],
        "filter, customers": [f"/customers?industry={quoted(one)}" for one in industries],
        "filter, interactions": [f"/interactions?from=2024-{month:02d}-01" for month in range(1, 13)],
        "filter, sales": [f"/sales?from=2024-{month:02d}-01" for month in range(1, 13)],
        "sort, call list": [f"/pipeline?sort={one}" for one in columns],
        "sort, customers": [f"/customers?sort={one}" for one in ("customer_name", "-won_value", "-interactions", "segment", "-open_value")],
        "search, customers": [f"/customers?q={one}" for one in ("amber", "1234", "zz", "9", "iron")],
        "a customer": re.findall(r'href="(/customers/[^"]+)"', page)[:10],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lakehouse", default="lakehouse")
    parser.add_argument("--runs", default=5, type=int)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "dashboard.json")
    given = parser.parse_args()
    found: dict[str, Any] = {"cold_start": []}
    for _ in range(given.runs):
        server, address, seconds = start(given.lakehouse)
        found["cold_start"].append(round(seconds, 2))
        server.terminate()
        server.wait()
    server, address, _ = start(given.lakehouse)
    try:
        html = get(f"{address}/pipeline")
        parts = [html[2]] + [
            get(address + one)[2] for one in re.findall(r'(?:src|href)="(/static/[^"]+)"', html[1].decode())
        ]
        parts += [
            get(address + one.replace("&amp;", "&"))[2] for one in re.findall(r'<img src="([^"]+)"', html[1].decode())
        ]
        found["first_visit_kb"] = round(sum(parts) / 1000)
        found["vega_kb"] = round(get(f"{address}/static/vega.js")[2] / 1000)
        found["milliseconds"] = {}
        for kind, addresses in asked(address).items():
            times = [get(address + one)[0] * 1000 for one in addresses]
            if times:
                found["milliseconds"][kind] = {
                    "n": len(times),
                    "median": round(statistics.median(times)),
                    "p95": round(p95(times)),
                }
        pages = [("pipeline", ""), ("customers", ""), ("interactions", ""), ("sales", ""), ("health", "")]
        readers = [f"{address}/{pages[turn % 5][0]}" for turn in range(500)]
        with ThreadPoolExecutor(50) as crowd:
            times = [seconds * 1000 for seconds, _, _ in crowd.map(get, readers)]
        found["fifty_readers"] = {
            "requests": len(times),
            "median": round(statistics.median(times)),
            "p95": round(p95(times)),
        }
        found["memory_mib"], found["memory_most_mib"] = memory(server)
    finally:
        server.terminate()
        server.wait()
    given.out.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
