"""Evaluation pictures and texts that occur in training data."""

from vilax.data.overlap.find import Found, Item, Searched, Wanted, search

__all__ = ["Found", "Item", "Searched", "Wanted", "search"]
