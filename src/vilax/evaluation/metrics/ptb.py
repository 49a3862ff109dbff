"""Penn Treebank tokens of captions, without Java (protocols.md 10).

Equals pycocoevalcap's ``PTBTokenizer`` (https://github.com/salaniz/pycocoevalcap), which runs the
tokeniser of Stanford CoreNLP 3.4.1 with ``-preserveLines -lowerCase`` and drops punctuation: its
automaton and the one built from :mod:`~vilax.evaluation.metrics.ptb_grammar` accept the same.
"""

from vilax.evaluation.metrics.ptb_grammar import grammar

DROPPED = frozenset(["''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"])
"""Tokens that pycocoevalcap removes. Brackets are not among them: its list has them in capitals,
which lower-case output never equals."""

_FIRST_HALF = "\ud800"


def ptb_tokenise(text: str) -> str:
    """Lower-case tokens of a caption without punctuation, joined by single spaces.

    Quirks of the reference that are kept: brackets stay, as ``-lrb-`` and so on, also within faces
    (``:-rrb-``); runs such as ``!!`` and ``-----`` stay; the euro becomes ``$``, the pound ``#``,
    the cent ``cents``; telephone numbers, fractions and tags keep their spaces as no-break spaces,
    at which :func:`~vilax.evaluation.metrics.cider.cider` parts them; emoji vanish.

    Known differences, all outside of ordinary captions:

    - The reference reads a file of captions and may look at the line that follows. Here a caption
      is followed by the end of its line. It matters to a caption that ends in one letter and a
      stop, which loses the stop if the next caption begins with ``A``, ``The`` or another of some
      words; and to one that ends in ``no.``, ``fig.`` and the like, which keeps it if the next
      begins with a digit. The last caption of a file has no end of line there: its ``:)`` and
      ``'90`` at the very end fall apart.
    - At a carriage return, form feed or Unicode line separator the reference begins another line
      and falls out of step with its captions; here they count as spaces.
    - The capital sigma in one word with digits or signs of other scripts may become the other of
      the two small ones.

    Args:
        text: one caption; line breaks count as spaces.

    Returns:
        For ``It isn't a $5.00 (used) cup.``: ``it is n't a $ 5.00 -lrb- used -rrb- cup``.
    """
    text = text.replace("\n", " ")
    beyond = max(text, default="") >= _FIRST_HALF
    found = " ".join(grammar().tokens((_halves(text) if beyond else text) + "\n"))
    if beyond:
        found = _whole(found)
    tokens = found.lower().rstrip().split(" ")
    return " ".join(token for token in tokens if token not in DROPPED)


def _halves(text: str) -> str:
    """Characters beyond U+FFFF as the two units that the reference's machine has for them."""
    units = text.encode("utf-16-le", "surrogatepass")
    return "".join(map(chr, memoryview(units).cast("H")))


def _whole(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
