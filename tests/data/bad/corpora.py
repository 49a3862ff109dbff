"""Every kind of bad input, over all formats."""

from tests.data.bad import lines, records, tars, videos
from tests.data.bad.kind import Bad

KINDS: dict[str, Bad] = {**tars.KINDS, **lines.KINDS, **records.KINDS, **videos.KINDS}
"""Each is streamed among good documents, and named in the quarantine."""
