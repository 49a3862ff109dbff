"""Schema of evaluation: tasks, shots, decoding."""

from typing import Annotated, Literal

from pydantic import Field

from vilax.config.schema.base import Node, execution
from vilax.config.schema.benchmark import BenchmarkTask
from vilax.config.schema.data import Template
from vilax.config.schema.task import TaskBase


class OpenAnswerTask(TaskBase):
    """A question about a picture, answered by greedy generation; VQA accuracy."""

    kind: Literal["open_answer"] = "open_answer"
    """Task kind."""
    template: Template = "qa"
    """How question and answer become text; the one that sft used."""
    split: str = "open_answer"
    """Question file of the evaluation data."""
    max_new_tokens: int = Field(8, ge=1)
    """Longest answer."""


class CaptionTask(TaskBase):
    """A caption by greedy generation; CIDEr-D."""

    kind: Literal["caption"] = "caption"
    """Task kind."""
    template: Template = "qa"
    """How question and answer become text; the one that sft used."""
    split: str = "caption"
    """Caption file of the evaluation data."""
    max_new_tokens: int = Field(16, ge=1)
    """Longest caption."""


class ClassifyTask(TaskBase):
    """Choose the name of a picture among ``ways`` by likelihood; accuracy."""

    kind: Literal["classify"] = "classify"
    """Task kind."""
    template: Template = "qa"
    """How question and answer become text; the one that sft used."""
    split: str = "classify"
    """Item file of the evaluation data."""


class RelationTask(TaskBase):
    """Infer from the shots which relation is asked for; accuracy of the likeliest candidate."""

    kind: Literal["relation"] = "relation"
    """Task kind."""
    split: str = "relation_seen"
    """Item file of the evaluation data."""
    modality: Literal["image", "text"] = "image"
    """Items shown as pictures, or named in text (the positive control)."""


class BindingTask(TaskBase):
    """Bind new words to pictures within the prompt; accuracy of the likeliest word."""

    kind: Literal["binding"] = "binding"
    """Task kind."""
    split: str = "binding"
    """Item file of the evaluation data."""
    modality: Literal["image", "text"] = "image"
    """Items shown as pictures, or named in text (the positive control)."""


WorldTask = OpenAnswerTask | CaptionTask | ClassifyTask | RelationTask | BindingTask
"""Tasks over the evaluation data of the micro world."""

Task = Annotated[WorldTask | BenchmarkTask, Field(discriminator="kind")]


class Evaluation(Node):
    """What is asked of a stage's result."""

    tasks: dict[str, Task] = Field(default_factory=dict)
    """Name to task."""
    data: str = "micro:evaluation"
    """Folder of evaluation data, or the micro world's."""
    benchmarks: str = execution("data/benchmarks")
    """Folder that holds the files of public benchmarks."""
    limit: int | None = Field(None, ge=1)
    """Ask no more than this many items a task, drawn by a fixed seed; for a quick look only."""
    shot_seeds: tuple[int, ...] = ()
    """Seeds of the choice of shots, each asked apart; empty: ``seed`` alone."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Numbers that the model computes with."""
    seed: int | None = Field(None, ge=0)
    """Seed of the choice of shots; null: the run's. From 100 up, development items are used."""
    batch: int = execution(64, ge=1)
    """Prompts in one forward pass."""
    batch_tokens: int = execution(65536, ge=1)
    """Tokens in one forward pass at most, padding included."""
    processes: int = execution(1, ge=1, le=1024)
    """Processes that share the items on one machine; torchrun or SLURM may start them instead."""
    threads: int = Field(1, ge=1, le=256)
    """CPU threads."""
