"""Deploy to a Databricks workspace without its CLI: `python scripts/deploy_to_databricks.py plan --target dev`.

The same as `medallion databricks`, with the same commands, options and exit status.
"""

from __future__ import annotations

import sys

from medallion.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["databricks"]
    main()
