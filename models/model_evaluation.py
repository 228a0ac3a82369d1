"""Compare the model of this folder with the known truth of another simulated world: `python models/model_evaluation.py`.

Calls `publish.py` beside it. For your own deals: the model card that `medallion train` writes, and
`medallion monitor`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

try:
    import publish

    from medallion import notebook
except ModuleNotFoundError as missing:
    if missing.name == "publish":  # it is beside this file, where `python -m` does not look
        raise SystemExit(
            f"{missing}. Run the file itself, python models/model_evaluation.py, after: pip install -r config/requirements.txt"
        ) from None
    raise SystemExit(f"{missing}. In the root of the repository run: pip install -r config/requirements.txt") from None

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Simulate a world that the model has not seen, score its open deals, compare with the truth."""
    notebook.in_words()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--models", type=Path, default=HERE)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        found = publish.against_truth(Path(work), given.models, given.customers, given.seed)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
