"""What the model sees of a blend, as one HTML page."""

from vilax.data.inspect.content import Facts, Shown, show_row
from vilax.data.inspect.marking import MarkedEncoder
from vilax.data.inspect.page import inspection_page
from vilax.data.inspect.tally import CorpusTally, Tally

__all__ = [
    "CorpusTally",
    "Facts",
    "MarkedEncoder",
    "Shown",
    "Tally",
    "inspection_page",
    "show_row",
]
