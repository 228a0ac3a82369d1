"""``python -m medallion`` is the ``medallion`` command."""

from medallion.cli import main

if __name__ == "__main__":
    main()
