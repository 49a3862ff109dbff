"""``vilax measure``: alignment by layer, losses and perplexity of a trained result."""

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table


def main(argv: Sequence[str]) -> int:
    """Measure a stage's result and print what came of it.

    Raises:
        ConfigError: there is no such result.
    """
    parser = argparse.ArgumentParser(
        prog="vilax measure",
        description="Measure a trained result on held-out documents: alignment of visual and"
        " textual states by layer, loss by position and by pictures in front, loss on each corpus,"
        " perplexity on text beside the base LLM's.",
        epilog="What is stored is not measured again. Formulas: docs/measures.md.",
    )
    parser.add_argument("model", help="folder of a result, or the first digits of its identity")
    parser.add_argument("--documents", type=int, help="of each held-out corpus (default: 64)")
    parser.add_argument("--json", action="store_true", help="everything as JSON on stdout")
    options = parser.parse_args(argv)
    from vilax.ablation.measuring import FILE, find_measures, measure_entry
    from vilax.ablation.subject import find_result
    from vilax.config.errors import ConfigError

    run, stage, entry = find_result(options.model)
    if options.documents is not None:
        if options.documents < 1:
            raise ConfigError(f"--documents {options.documents}: expected a whole number from 1")
        changed = run.measures.model_copy(update={"documents": options.documents})
        run = run.model_copy(update={"measures": changed})
    found = find_measures(run, stage, entry.identity) or measure_entry(run, stage, entry)
    content = json.loads((found.folder / FILE).read_text(encoding="utf-8"))
    if options.json:
        print(json.dumps(content, indent=1))
    else:
        _show(stage, content)
    return 0


def _show(stage: str, content: Mapping[str, Any]) -> None:
    console = Console(highlight=False)
    table = Table(title=f"measures of {stage}", title_justify="left", box=None)
    table.add_column("measure", no_wrap=True)
    table.add_column("value")
    if found := content.get("alignment"):
        table.add_row("alignment by layer", " ".join(f"{v:.3f}" for v in found["values"]))
    if found := content.get("text_drift"):
        perplexity, base = found["perplexity"], found["base_perplexity"]
        table.add_row("perplexity on text", f"{perplexity:.2f} (base LLM {base:.2f})")
    for name, one in content.get("held_out", {}).items():
        table.add_row(f"loss on {name}", f"{one['loss']:.3f} ({one['tokens']} tokens)")
    for key, bins in (("loss_by_images", "images"), ("loss_by_position", "edges")):
        if found := content.get(key):
            cells = [
                f"{start}: {loss:.3f}"
                for start, loss in zip(found[bins], found["loss"], strict=True)
                if loss is not None
            ]
            table.add_row(key.replace("_", " "), "  ".join(cells))
    for name, reason in content.get("missing", {}).items():
        table.add_row(f"no {name.replace('_', ' ')}", reason)
    console.print(table)
