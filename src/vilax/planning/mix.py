"""What an average row of a stage holds: sampled from its data, or stated where there are none."""

from typing import Any

from vilax.config.errors import ConfigError
from vilax.config.schema.run import Run
from vilax.config.schema.stage import Stage
from vilax.data.tiles import TokensPerImage
from vilax.planning.work import Mix

ROWS = 64
"""Rows that are sampled."""

PAPER = {
    "coyo": (1.0, 22.7),
    "webdataset": (1.0, 22.7),
    "mmc4": (4.0, 122.5),
    "obelics": (4.0, 122.5),
}
"""Pictures per document and text tokens per picture (paper, Table 2)."""
CAPTION = PAPER["coyo"]
"""The same of other captions."""
CHAT = (1.0, 300.0)
"""The same of conversations; ours, not the paper's."""
TEXT = 200.0
"""Tokens of a document without pictures; ours."""
PICTURE = (640, 480)
"""Width and height of a picture, as most of COCO's have; ours."""
ANSWERS = 0.5
"""Share of a conversation's text that carries loss; ours."""


def mix_of(run: Run, name: str, tokens_per_image: TokensPerImage) -> Mix:
    """Sample a stage's rows, or assume the paper's figures where its data cannot be read here.

    Args:
        run: the configuration.
        name: of the stage.
        tokens_per_image: visual tokens of a picture, or what tells them by its size.
    """
    stage = run.stages[name]
    try:
        return _sampled(run, name, stage, tokens_per_image)
    except (ConfigError, OSError, ValueError):
        return _assumed(run, stage, tokens_per_image)


def _sampled(run: Run, name: str, stage: Stage, tokens_per_image: TokensPerImage) -> Mix:
    from vilax.data.decoding import header
    from vilax.data.feed import Feed
    from vilax.data.prompt import IGNORE
    from vilax.training.preview import streams_of
    from vilax.training.steps import numbers_of

    def views_of(data: Any) -> int:
        if isinstance(tokens_per_image, int):
            return 1
        return tokens_per_image.tiling.views(header(data)[1:])

    tokens = supervised = images = views = documents = rows = 0
    with streams_of(run, name, tokens_per_image) as build:
        feed = Feed(build, numbers_of(stage, 0, 1), stage.batch // stage.blend.streams)
        try:
            while rows < ROWS:
                for some in next(feed).values():
                    for row in some:
                        rows += 1
                        tokens += int((row.documents > 0).sum())
                        supervised += int((row.labels[1:] != IGNORE).sum())
                        images += len(row.images)
                        views += sum(views_of(data) for data in row.images)
                        documents += len(row.keys)
        finally:
            feed.close()
    source = f"{rows} rows of the data"
    each = views / images if images else 1.0
    return Mix(images / tokens, supervised / tokens, tokens / documents, source, each)


def _assumed(run: Run, stage: Stage, tokens_per_image: TokensPerImage) -> Mix:
    total = sum(stage.blend.corpora.values())
    pictures = text = supervised = 0.0
    for name, weight in stage.blend.corpora.items():
        corpus = run.corpora.get(name)
        kind = corpus.format if corpus is not None else "auto"
        part = weight / total
        if "text" in name or kind == "flan":
            text += part * TEXT
            supervised += part * TEXT * ANSWERS
            continue
        is_plain = corpus is not None and corpus.template == "plain"
        each, words = PAPER.get(kind, CAPTION if is_plain else CHAT)
        is_chat = kind not in PAPER and not is_plain
        pictures += part * each
        text += part * each * words
        supervised += part * each * words * (ANSWERS if is_chat else 1.0)
    views, source = 1, "assumed (paper, Table 2): no data"
    if isinstance(tokens_per_image, int):
        each = tokens_per_image
    else:
        each, views = tokens_per_image(PICTURE), tokens_per_image.tiling.views(PICTURE)
        source += f", pictures of {PICTURE[0]} x {PICTURE[1]}"
    document = pictures * each + text
    return Mix(pictures / document, supervised / document, document, source, views)
