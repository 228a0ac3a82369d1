"""Random questions asked of DuckDB and of Malloy: `python -m tools.malloy --random 300 --seed 7 --lakehouse FOLDER`."""

from __future__ import annotations

import argparse
import sys

from medallion.care import metric_random
from medallion.lakehouse import contracts_in_use
from medallion.lakehouse.store import Lakehouse
from tools.malloy.executor import asked_of


def main() -> int:
    """Compare, tell what is different, and give the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.malloy", description=__doc__)
    parser.add_argument("--random", type=int, default=300, help="how many questions are answered")
    parser.add_argument("--seed", type=int, default=1, help="the same seed asks the same questions")
    parser.add_argument("--lakehouse", default="lakehouse", help="folder of the lakehouse")
    given = parser.parse_args()
    lake = Lakehouse(given.lakehouse)
    contracts_in_use.for_readers(lake)
    with asked_of(lake) as (connection, differences):
        outcome = metric_random.compared_with(connection, differences, given.random, given.seed)
    for difference in outcome["different"]:
        print(difference["question"], *difference["differences"], sep="\n    ")
    for text, times in differences.not_asked.items():
        print(f"Not asked, {times} times: {text}")
    print(
        f"{outcome['asked']:,} questions each way, {outcome['refused']:,} refused, {outcome['not_asked']:,} that Malloy cannot be "
        f"asked, {len(outcome['different'])} different."
    )
    return 1 if outcome["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
