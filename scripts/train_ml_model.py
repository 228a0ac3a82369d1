"""Train the lead-scoring model of a lakehouse: `python scripts/train_ml_model.py --lakehouse lakehouse`.

The same as `medallion train`, with the same options and exit status.
"""

from __future__ import annotations

import sys

try:
    from medallion.cli import main
except ModuleNotFoundError as missing:
    raise SystemExit(f"{missing}. In the root of the repository run: pip install -r config/requirements.txt") from None

if __name__ == "__main__":
    sys.argv[1:1] = ["train"]
    main()
