"""Send exports to Azure storage or a volume: `python scripts/upload_data.py data --to adls --at abfss://...`.

The same as `medallion upload`, with the same options and exit status.
"""

from __future__ import annotations

import sys

from medallion.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["upload"]
    main()
