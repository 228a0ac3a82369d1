"""Train the lead-scoring model of a lakehouse: `python scripts/train_ml_model.py --lakehouse lakehouse`.

The same as `medallion train`, with the same options and exit status.
"""

from __future__ import annotations

import sys

from medallion.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["train"]
    main()
