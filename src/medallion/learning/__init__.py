"""Models of a lakehouse: training, monitoring, choosing the active one, tracking."""
