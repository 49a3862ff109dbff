"""The files of a new comparison, which teach by comments and hold as they stand."""

import re
import shutil
import tempfile
from pathlib import Path

from vilax.config.errors import ConfigError

COMPARISON = """\
# {title}
title: {title}
question: >-
  What is asked, in a sentence?

# What all arms share, in the grammar of the command line (vilax train --help).
base:
  recipe: vila
  stages.pretrain.blend: pages
  stages.sft.blend: sft
  evaluation: ablation

# Keys in which arms may differ; `vilax check` proves that they differ in nothing else.
varies: [projector]
# What arms see equally much of in every stage: images, documents, tokens or supervised.
held_equal: images
# Whether settings were tuned once for all arms (shared) or for each by the same procedure.
tuning: shared
seeds: [0]
# The stage whose result is evaluated.
stage: sft

# Measured quantities: means over tasks of the evaluation, or a measure (docs/measures.md).
endpoints:
  average:
    title: Mean of the tasks
    tasks: [open_answer, caption, relation]
  in_context:
    title: Relation told only by the shots
    tasks: [relation]

# The base LLM must solve a task in text before pictures may decide a claim by it.
controls:
  relation: text_relation
control_stage: text

# Figures to be shown beside ours; none here.
paper: {{source: none, columns: [], rows: {{}}}}

# Written before the seeds that are reported have run. Kinds: order, gap, equal, gain, interaction
# (docs/statistics.md). Verdicts need five seeds: vilax compare {name} --seeds 0,1,2,3,4
claims:
  two_layers_help:
    kind: order
    text: Two layers are better than one.
    paper: ""
    endpoint: average
    k: 0
    higher: b
    lower: a
  shots_help_both_alike:
    kind: equal
    text: With four shots it makes no difference of three points.
    paper: ""
    endpoint: average
    k: 4
    first: a
    second: b
    margin: 3.0
  two_layers_gain_more:
    kind: interaction
    text: Two layers gain more from shots.
    paper: ""
    endpoint: in_context
    k_low: 0
    k_high: 4
    higher: b
    lower: a

# Another scale may call the same things by other names; see experiments/resolution.
# at:
#   paper: {{base: {{evaluation: paper_ablation}}, controls: {{}}, endpoints: {{...}}}}
"""

ARMS = {
    "a": "# What this arm changes in the base, 3 to 10 lines\n"
    "title: One layer\noverrides:\n  projector: linear\n",
    "b": "# What this arm changes in the base, 3 to 10 lines\n"
    "title: Two layers\noverrides:\n  projector: mlp\n",
}


def scaffold(name: str, root: Path) -> Path:
    """Write a comparison's folder, which appears only when complete.

    Args:
        name: of lower-case letters, digits and underscores.
        root: folder of comparisons; made if it is not there.

    Raises:
        ConfigError: the name is none, or the folder exists.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        near = re.sub(r"\W+", "_", name.lower()).strip("_") or "second_layer"
        raise ConfigError(
            f"{name!r} is no name of a comparison: expected lower-case letters, digits and"
            f" underscores, such as {near}"
        )
    folder = root / name
    if folder.exists():
        raise ConfigError(f"{folder} exists: expected a new name")
    root.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=root))
    try:
        title = name.replace("_", " ").capitalize()
        (place / "comparison.yaml").write_text(COMPARISON.format(title=title, name=name))
        (place / "arms").mkdir()
        for arm, text in ARMS.items():
            (place / "arms" / f"{arm}.yaml").write_text(text)
        place.chmod(0o755)
        place.rename(folder)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return folder
