"""What two arms, or two results, differ in: settings, data and their order, counts, scores."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vilax.ablation.comparison import resolve
from vilax.ablation.control import ABSENT, flatten
from vilax.ablation.first_documents import Opening, opening
from vilax.ablation.measuring import FILE, find_measures
from vilax.ablation.nodes import find_evaluation
from vilax.ablation.subject import find_result
from vilax.artifacts.identity import science_dump
from vilax.artifacts.store import Entry
from vilax.config.errors import ConfigError, unknown
from vilax.config.schema.run import Run
from vilax.training.recipe import find_stage, stage_seed
from vilax.training.sources import corpus_settings, data_fingerprint

COUNTS = ("tokens", "images", "documents", "supervised", "seconds")

Pair = tuple[Any, Any]


@dataclass(frozen=True)
class Side:
    """One of the two.

    Attributes:
        label: what it was called.
        run: its configuration.
        stage: the stage whose result is meant.
        entry: that result, where it was named by it.
    """

    label: str
    run: Run
    stage: str
    entry: Entry | None = None

    @property
    def stages(self) -> tuple[str, ...]:
        """Stages up to the one that is meant."""
        order = self.run.order
        return order[: order.index(self.stage) + 1]

    def stored(self, stage: str) -> Entry | None:
        """A stage's result, where the store has it."""
        if self.entry is not None and stage == self.stage:
            return self.entry
        return find_stage(self.run, stage)

    def opening(self, stage: str, count: int) -> Opening:
        """The documents that a stage reads first."""
        return opening(self.run, stage, count, self.entry if stage == self.stage else None)


@dataclass(frozen=True)
class Difference:
    """What two sides differ in; each value is a pair, one of each side.

    Attributes:
        settings: science key to values.
        data: stage to corpus to fingerprints, where they differ.
        order: stage to why its documents do not come in the same order.
        documents: stage to the documents that each side reads first, where their order differs.
        policies: stage to part to freeze policies, where they differ.
        counts: stage to count to what was seen, for stages that both have stored.
        scores: task to shots to scores, where both were evaluated.
        measures: measure to values, where both were measured.
    """

    settings: Mapping[str, Pair]
    data: Mapping[str, Mapping[str, Pair]]
    order: Mapping[str, str]
    documents: Mapping[str, tuple[Opening, Opening]]
    policies: Mapping[str, Mapping[str, Pair]]
    counts: Mapping[str, Mapping[str, Pair]]
    scores: Mapping[str, Mapping[str, Pair]]
    measures: Mapping[str, Pair]


def side(text: str, scale: str) -> Side:
    """``COMPARISON:ARM``, ``COMPARISON:ARM:SEED``, a result's folder or its identity.

    Raises:
        ConfigError: there is no such comparison, arm or result.
    """
    name, colon, rest = text.partition(":")
    if not colon:
        run, stage, entry = find_result(text)
        return Side(text, _trusting(run), stage, entry)
    arm, _, seed = rest.partition(":")
    if seed and not seed.isdigit():
        raise ConfigError(f"{text}: expected COMPARISON:ARM or COMPARISON:ARM:SEED")
    resolved = resolve(name, (int(seed),) if seed else (), scale)
    runs = {one.arm: one for one in reversed(resolved.runs)}
    if arm not in runs:
        raise unknown(f"arm of {name}", arm, runs)
    return Side(text, _trusting(runs[arm].run), runs[arm].stage)


def _trusting(run: Run) -> Run:
    """The run as one that only looks: results of older source code are shown too."""
    return run.model_copy(update={"store": run.store.model_copy(update={"trust": "versions"})})


def compare(one: Side, other: Side, first: int) -> Difference:
    """Everything that the configurations, the store and the data say.

    Args:
        one: a side.
        other: the other one.
        first: documents to show of each stage whose order differs; 0 reads no data.
    """
    shared = [stage for stage in one.stages if stage in other.stages]
    order = {stage: why for stage in shared if (why := _order(one.run, other.run, stage))}
    return Difference(
        _settings(one.run, other.run),
        {stage: found for stage in shared if (found := _data(one.run, other.run, stage))},
        order,
        {s: (one.opening(s, first), other.opening(s, first)) for s in order if first},
        {stage: found for stage in shared if (found := _policies(one.run, other.run, stage))},
        {stage: found for stage in shared if (found := _counts(one, other, stage))},
        _scores(one, other),
        _measures(one, other),
    )


def _settings(one: Run, other: Run) -> dict[str, Pair]:
    first, second = dict(flatten(science_dump(one))), dict(flatten(science_dump(other)))
    pairs = {key: (first.get(key, ABSENT), second.get(key, ABSENT)) for key in {**first, **second}}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def _data(one: Run, other: Run, stage: str) -> dict[str, Pair]:
    first, second = (data_fingerprint(run, run.stages[stage]) for run in (one, other))
    pairs = {name: (first.get(name), second.get(name)) for name in {**first, **second}}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _order(one: Run, other: Run, stage: str) -> str:
    """Why documents come in another order or other rows; empty: they do not."""
    reasons = []
    first, second = one.stages[stage], other.stages[stage]
    if stage_seed(one, first) != stage_seed(other, second):
        reasons.append(f"seed {stage_seed(one, first)} and {stage_seed(other, second)}")
    if _data(one, other, stage):
        reasons.append("other data")
    for key in ("blend", "length", "batch", "images"):
        if getattr(first, key) != getattr(second, key):
            reasons.append(f"another {key}")
    if corpus_settings(one, first) != corpus_settings(other, second):
        reasons.append("corpora are read otherwise")
    if science_dump(one.llm) != science_dump(other.llm):
        reasons.append("another LLM, whose tokenizer may cut rows elsewhere")
    if "encoder" in first.parts and science_dump(one.encoder) != science_dump(other.encoder):
        reasons.append("another encoder, whose pictures may take other numbers of tokens")
    return ", ".join(reasons)


def _policies(one: Run, other: Run, stage: str) -> dict[str, Pair]:
    found: dict[str, Pair] = {}
    for part in one.stages[stage].parts:
        first, second = (
            science_dump(getattr(run.stages[stage].freeze, part)) for run in (one, other)
        )
        if first != second:
            found[part] = (_policy(first), _policy(second))
    return found


def _policy(policy: Mapping[str, Any]) -> str:
    if policy["mode"] == "adapted":
        return f"{policy['lora']['method']} of rank {policy['lora']['rank']}"
    only = f" ({', '.join(policy['only'])})" if policy["only"] else ""
    return f"{policy['mode']}{only}"


def _counts(one: Side, other: Side, stage: str) -> dict[str, Pair]:
    first, second = one.stored(stage), other.stored(stage)
    if first is None or second is None:
        return {}
    return {count: (first.meta.get(count), second.meta.get(count)) for count in COUNTS}


def _scores(one: Side, other: Side) -> dict[str, dict[str, Pair]]:
    first, second = _evaluated(one), _evaluated(other)
    return {
        task: {k: (first[task][k], second[task][k]) for k in first[task] if k in second[task]}
        for task in first
        if task in second
    }


def _evaluated(one: Side) -> dict[str, dict[str, float | None]]:
    identity = None if one.entry is None else one.entry.identity
    entry = find_evaluation(one.run, one.stage, identity)
    if entry is None:
        return {}
    tasks = json.loads((entry.folder / "results.json").read_text(encoding="utf-8"))["tasks"]
    return {task: dict(facts["scores"]) for task, facts in tasks.items()}


def _measures(one: Side, other: Side) -> dict[str, Pair]:
    first, second = _measured(one), _measured(other)
    return {name: (first[name], second[name]) for name in first if name in second}


def _measured(one: Side) -> dict[str, float]:
    identity = None if one.entry is None else one.entry.identity
    entry = find_measures(one.run, one.stage, identity)
    if entry is None:
        return {}
    content = json.loads((entry.folder / FILE).read_text(encoding="utf-8"))
    found = {}
    for layer, value in enumerate(content.get("alignment", {}).get("values", [])):
        found[f"alignment, layer {layer}"] = value
    if "text_drift" in content:
        found["perplexity on text"] = content["text_drift"]["perplexity"]
    for corpus, loss in content.get("held_out", {}).items():
        found[f"loss on {corpus}"] = loss["loss"]
    return found
