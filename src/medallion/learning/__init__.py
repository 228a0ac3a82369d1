"""Models of a lakehouse: training, monitoring, publishing, tracking."""
