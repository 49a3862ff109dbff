"""Scoring functions: pure, without a model, importable alone."""
