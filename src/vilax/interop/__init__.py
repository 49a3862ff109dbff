"""Models of other layouts: import and export of checkpoints."""
