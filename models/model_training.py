"""Train the shipped model on a simulated world and write it into this folder: `python models/model_training.py`.

A door to `medallion.pipeline.publishing`. For your own deals: `medallion train`.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from medallion.notebook import say
from medallion.pipeline import publishing

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Simulate, train, publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--days", type=int, default=730)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=HERE)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        entry = publishing.train_on_simulation(Path(work), given.customers, given.days, given.seed, say)
        for path in publishing.publish(entry, given.out):
            print(path)


if __name__ == "__main__":
    main()
