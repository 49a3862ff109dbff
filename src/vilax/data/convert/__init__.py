"""VILA's pickled shards to tars and JSON Lines; nothing that a pickle names is imported or run."""

from vilax.data.convert.job import REPORT, Summary, convert, plan
from vilax.data.convert.records import LAYOUTS

__all__ = ["LAYOUTS", "REPORT", "Summary", "convert", "plan"]
