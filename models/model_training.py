"""Train the shipped model again, on the same simulated world: `python models/model_training.py`.

The model is written to build/models and compared with the shipped one; `--out models` replaces that one.
Calls `publish.py` beside it. For your own deals: `medallion train`.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

try:
    import publish

    from medallion import notebook
    from medallion.errors import LakehouseError
    from medallion.scoring import registry
except ModuleNotFoundError as missing:
    if missing.name == "publish":  # it is beside this file, where `python -m` does not look
        raise SystemExit(
            f"{missing}. Run the file itself, python models/model_training.py, after: pip install -r config/requirements.txt"
        ) from None
    raise SystemExit(f"{missing}. In the root of the repository run: pip install -r config/requirements.txt") from None

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Simulate, train, write, compare."""
    notebook.in_words()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--days", type=int, default=730)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=HERE.parent / "build" / "models")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        entry = publish.train_on_simulation(Path(work), given.customers, given.days, given.seed, notebook.say)
        for path in publish.publish(entry, given.out):
            print(path)
    try:
        shipped = registry.champion(HERE)
    except LakehouseError:  # of another version of the product
        shipped = None
    if shipped is not None and shipped.scorer.version == entry.scorer.version:
        print(f"This is the shipped model, {entry.scorer.version}.")
    else:
        print(f"This is not the shipped model. To ship it: python models/model_training.py --out {HERE.name}")


if __name__ == "__main__":
    main()
