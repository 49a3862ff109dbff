"""``vilax export``: a trained result in another layout."""

import argparse
from collections.abc import Sequence
from pathlib import Path

EXAMPLES = """\
formats:
  hf-llava  LlavaForConditionalGeneration of transformers, with processor and chat template
  llava     LLaVA-1.5's own layout, the vision tower in vision_tower/
  vila      VILA-1.5's own layout: llm/, vision_tower/ and mm_projector/
  peft      the stage's LoRA or DoRA as peft's adapter, the projector in LLaVA's names
  vilax     a folder that evaluates and trains anywhere: start=DIR, vilax evaluate DIR

RUN is a result's folder or the first digits of its identity (vilax store list). Adapters are
merged, but for peft. Before it is reported the export is loaded anew in a fresh process, hf-llava
by transformers and peft by peft alone: logits on text and on a picture must agree within 1e-4,
greedy answers be the same, and hf-llava's chat template must give conversations with pictures the
token ids of vilax's own prompts.

examples:
  vilax export 3f2a91 --format hf-llava --to exported/
  vilax export models/llava --format hf-llava --template vicuna_v1 --to exported/
"""


def main(argv: Sequence[str]) -> int:
    """Write, reload, compare.

    Raises:
        ConfigError: a bad request, what the format cannot express, or a difference.
    """
    parser = argparse.ArgumentParser(
        "vilax export",
        description="Write a trained result in another layout.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", metavar="RUN", help="a stage's result")
    parser.add_argument("--format", required=True, metavar="NAME", help="a name of the list below")
    parser.add_argument("--to", required=True, metavar="DIR", help="a new folder")
    parser.add_argument(
        "--template",
        metavar="NAME",
        help="conversation template of hf-llava's chat template; default: that of its last stage,"
        " raw where that has none",
    )
    words = parser.parse_args(list(argv))

    from vilax.ablation.subject import find_result
    from vilax.cli.progress import steps_bar
    from vilax.interop.export import export

    run, stage, entry = find_result(words.run)
    with steps_bar() as tell:
        to = Path(words.to).expanduser()
        done = export(run, stage, entry, words.format, to, words.template, tell)
    proof = done.proof
    print(
        f"{done.folder} (logits within {proof.logits:.1e}, {proof.tokens} greedy tokens the same)"
    )
    return 0
