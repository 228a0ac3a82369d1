"""The `medallion` command, to which `file://` is an address as that of an object store is."""

from medallion import addresses, cli

if __name__ == "__main__":
    addresses.of_lakehouse = str
    cli.main()
