"""Where tables are and how they are read and written: engine, store, locks, catalog, read-only serving."""
