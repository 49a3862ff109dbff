"""Settings that cannot go together with pictures in tiles."""

from collections.abc import Iterator

from vilax.config.schema.benchmark import BenchmarkTask
from vilax.config.schema.model import (
    FusedEncoder,
    MlpDownsampleProjector,
    ResamplerProjector,
)
from vilax.config.schema.run import Run

WHOLE = ("pad", "resize", "crop")
"""Image policies that leave a picture whole."""

READ_BY = {"pinpoints": "anyres", "max_tiles": "internvl"}
"""The image policy that reads a key."""

MOST_TILES = 64


def tile_faults(run: Run) -> Iterator[str]:
    """What is wrong with the settings of tiles, the first the most telling."""
    encoder = run.encoder
    if isinstance(encoder, FusedEncoder):
        return
    policy = encoder.image_policy
    for key, reader in READ_BY.items():
        value = getattr(encoder, key)
        if policy != reader and value != type(encoder).model_fields[key].default:
            yield (
                f"encoder.{key}={_shown(value)} with encoder.image_policy={policy}: only {reader}"
                " reads it; expected that policy, or the key left out"
            )
    if policy in WHOLE:
        return
    shown = f"encoder.image_policy={policy}"
    if encoder.scales:
        yield (
            f"{shown} with encoder.scales={list(encoder.scales)}: S2 has tiles of its own;"
            f" expected one of the two, such as encoder.image_policy={WHOLE[1]}"
        )
    for name, task in run.evaluation.tasks.items():
        if isinstance(task, BenchmarkTask) and task.video is not None:
            yield (
                f"{shown} with evaluation.tasks.{name}, which shows videos: every frame would be"
                f" cut into tiles; expected {', '.join(WHOLE)}, or no task with videos"
            )
    if policy == "anyres":
        yield from _anyres(run, shown)


def _anyres(run: Run, shown: str) -> Iterator[str]:
    encoder, projector = run.encoder, run.projector
    assert not isinstance(encoder, FusedEncoder)
    for grid in encoder.pinpoints:
        if grid[0] * grid[1] > MOST_TILES:
            yield f"encoder.pinpoints: {list(grid)}: expected at most {MOST_TILES} tiles"
        if encoder.pinpoints.count(grid) > 1:
            yield f"encoder.pinpoints: {list(grid)}: expected once, not twice"
    if encoder.class_token:
        yield f"{shown} with encoder.class_token=true: tiles are joined to a grid without one"
    if isinstance(projector, ResamplerProjector | MlpDownsampleProjector):
        why = "learned queries" if isinstance(projector, ResamplerProjector) else "column by column"
        yield (
            f"{shown} with projector.kind={projector.kind}: rows of tiles are joined, and its"
            f" tokens are {why}, not a grid row by row; expected linear, mlp, transformer,"
            " downsample, pixel_shuffle or average_pool"
        )


def _shown(value: object) -> str:
    return str([list(grid) for grid in value]) if isinstance(value, tuple) else str(value)
