"""Which documents of a corpus are used: by keys, scores, at random, or up to a budget."""

from vilax.data.selection.selected import Measure, Selected, select

__all__ = ["Measure", "Selected", "select"]
