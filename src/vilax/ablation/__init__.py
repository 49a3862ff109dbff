"""Comparisons: arms as one graph of stages, claims with their tests, the report."""
