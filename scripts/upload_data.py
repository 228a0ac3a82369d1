"""Send exports to Azure storage or a volume: `python scripts/upload_data.py data --to adls --at abfss://...`.

The same as `medallion upload`, with the same options and exit status.
"""

from __future__ import annotations

import sys

try:
    from medallion.cli import main
except ModuleNotFoundError as missing:
    raise SystemExit(f"{missing}. In the root of the repository run: pip install -r config/requirements.txt") from None

if __name__ == "__main__":
    sys.argv[1:1] = ["upload"]
    main()
