"""The model card of an export: what it is, how it was made, how it was proven."""

import json
from pathlib import Path

from vilax.artifacts.files import write_text
from vilax.artifacts.run_record import versions
from vilax.artifacts.store import Entry, Store
from vilax.config.locate import store_dir
from vilax.config.schema.base import PARTS
from vilax.interop.conversations import CONVERSATIONS
from vilax.interop.model import Exported
from vilax.interop.proof import Proof

LIBRARIES = {"hf-llava": "transformers", "peft": "peft"}
"""Library that loads a format; of the others vilax, or their own code."""


def write_card(exported: Exported, folder: Path, layout: str, proof: Proof) -> None:
    """Write ``README.md``: parts, recipe, lineage, data fingerprint, results."""
    run, entry = exported.run, exported.entry
    lines = [
        "---",
        f"library_name: {LIBRARIES.get(layout, 'vilax')}",
        *_base(folder),
        "pipeline_tag: image-text-to-text",
        "---",
        f"# {run.name}, after stage {exported.stage}",
        "",
        "| part | what it is |",
        "|---|---|",
        *(f"| {part} | `{_short(getattr(run, part))}` |" for part in PARTS),
        f"| prompt template | `{exported.template}` |",
        "",
        "## Recipe",
        "",
        "| stage | identity | tokens | documents | pictures |",
        "|---|---|---|---|---|",
    ]
    for one in _lineage(entry):
        facts = [one.meta.get(name, "") for name in ("tokens", "documents", "images")]
        cells = " | ".join(f"{fact:,}" if isinstance(fact, int) else "" for fact in facts)
        lines.append(f"| {one.meta.get('name')} | `{one.identity}` | {cells} |")
    lines += ["", f"Seed {run.seed}. Data fingerprint:", "", "```json"]
    lines += [json.dumps(entry.inputs.get("data", {}), indent=1, sort_keys=True), "```", ""]
    lines += _results(entry)
    lines += [
        "## This export",
        "",
        f"Format {layout}, fp32. Loaded anew, its logits differed by at most {proof.logits:.1e} on"
        f" text and on a picture, {proof.tokens} greedy tokens were the same"
        + (
            f", and its processor's pixels differed by at most {proof.pixels:.2f} of 255."
            if layout == "hf-llava"
            else "."
        ),
        *_rendered(exported, proof),
        "",
        "Versions: " + ", ".join(f"{name} {value}" for name, value in versions().items()) + ".",
        "",
    ]
    write_text(folder / "README.md", "\n".join(lines))


def _rendered(exported: Exported, proof: Proof) -> list[str]:
    """What the chat template was compared with."""
    if not proof.rendered:
        return []
    talks = "; ".join(one.name for one in CONVERSATIONS)
    return [
        "",
        f"Its chat template is `{exported.template}`. `processor.apply_chat_template` gave the same"
        f" {proof.rendered} token ids, visual tokens included, as the prompts that vilax trains and"
        f" evaluates with, for {len(CONVERSATIONS)} conversations with a picture ({talks}).",
    ]


def _base(folder: Path) -> list[str]:
    """Where an adapter lies, the weights that it belongs to."""
    file = folder / "adapter_config.json"
    if not file.is_file():
        return []
    name = json.loads(file.read_text(encoding="utf-8"))["base_model_name_or_path"]
    return [f"base_model: {name}"]


def _short(node: object) -> str:
    dumped = node.model_dump(mode="json", exclude_defaults=False)  # type: ignore[attr-defined]
    name = dumped.get("source") or dumped.get("name") or ""
    return f"{dumped['kind']} {name}".strip()


def _lineage(entry: Entry) -> list[Entry]:
    """The result and what it was made from, oldest first."""
    store, found = Store(store_dir()), [entry]
    while (before := store.parent(found[0])) is not None:
        found.insert(0, before)
    return found


def _results(entry: Entry) -> list[str]:
    lines: list[str] = []
    for one in Store(store_dir()).entries():
        if one.kind != "evaluation" or one.parent != entry.identity:
            continue
        results = json.loads((one.folder / "results.json").read_text(encoding="utf-8"))
        for name, task in results["tasks"].items():
            for shots, share in task["scores"].items():
                if share is not None:
                    value = f"{float(task['scale']) * share:.1f}"
                    lines.append(f"| {name} | {task['primary']} | {shots} | {value} |")
    head = ["## Results", "", "| task | figure | shots | score |", "|---|---|---|---|"]
    return [*head, *lines, ""] if lines else ["## Results", "", "None in this store.", ""]
