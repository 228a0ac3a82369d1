"""Deploy to a Databricks workspace without its CLI: `python scripts/deploy_to_databricks.py plan --target dev`.

The same as `medallion databricks`, with the same commands, options and exit status.
"""

from __future__ import annotations

import sys

try:
    from medallion.cli import main
except ModuleNotFoundError as missing:
    raise SystemExit(f"{missing}. In the root of the repository run: pip install -r config/requirements.txt") from None

if __name__ == "__main__":
    sys.argv[1:1] = ["databricks"]
    main()
