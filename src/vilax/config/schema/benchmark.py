"""Schema of a benchmark: which files it has, what a question is made of, how it is scored.

Values marked *expression* are jinja2 expressions over a record's fields, values marked *template*
are jinja2 templates over the same names; both run in jinja2's sandbox. Beside the record's own
fields they see ``file`` (path of the annotation file, relative), ``stem`` (its name), ``row`` (the
record's number in it), one name for each joined table, ``fields`` (all of these as a mapping, for
names such as ``l2-category``), and the filters of ``vilax.evaluation.expressions``. Paths are
relative to ``evaluation.benchmarks``.
"""

from typing import Literal

from pydantic import Field

from vilax.config.schema.base import Node, execution
from vilax.config.schema.data import Template
from vilax.config.schema.task import TaskBase
from vilax.config.schema.video import FrameSampling

TableFormat = Literal["auto", "json", "jsonl", "csv", "tsv", "parquet", "text", "folder"]
Metric = Literal[
    "accuracy",
    "bbh",
    "caption",
    "drop",
    "gqa",
    "judged_llava_bench",
    "judged_mm_vet",
    "judged_video_qa",
    "mmbench",
    "mme",
    "mmlu",
    "mmmu",
    "option",
    "pope",
    "science_qa",
    "seed_bench",
    "submission",
    "video_mme",
    "vqa",
]
Submission = Literal["none", "vqa", "vizwiz", "mmbench", "captions", "mmmu", "gqa"]


class Table(Node):
    """Annotation files of one layout, read as records."""

    path: str = Field(min_length=1)
    """File, or a pattern of files, of the benchmarks folder."""
    format: TableFormat = "auto"
    """Layout; auto tells it from the suffix and the content. folder: one record per file."""
    at: str = ""
    """Dotted path to the records inside a JSON file; empty: the whole file."""
    key: str | None = None
    """Where a JSON mapping holds the records: the field that takes its keys."""
    value: str | None = None
    """Where records are plain values: the field that takes them."""
    flatten: str | None = None
    """List of a record that is to become one record each, with the outer record's fields."""
    columns: tuple[str, ...] = ()
    """Names of the columns of a csv or tsv without a header."""
    match: str | None = None
    """Joined tables: *expression* over the main record that finds the partner."""
    to: str | None = None
    """Joined tables: *expression* over a record of this table that must equal ``match``."""
    many: bool = False
    """Joined tables: all partners as a list, instead of the one."""
    optional: bool = False
    """Joined tables: may be absent, as answers of a test split are."""
    where: str | None = None
    """*Expression*; records for which it is false are left out."""


class FewShot(Node):
    """Where shots come from and which are taken."""

    files: dict[str, Table]
    """Training split: tables of the same names as the benchmark's own."""
    pictures: str | None = None
    """*Expression* of a shot's pictures; null: as a question's."""
    answer: str = "answers[0]"
    """*Expression* of the answer that a shot shows."""
    select: Literal["random", "similar", "fixed"] = "random"
    """random: by seed and question; similar: nearest pictures (RICES); fixed: the first ones."""
    balance: str | None = None
    """*Expression* of a label: shots take turns among its values; null: none."""
    within: str | None = None
    """*Expression* that must be the same of shot and question, as a subject; null: any."""
    pool: int | None = Field(None, ge=1)
    """Training items among which shots are chosen, drawn by seed; null: all."""


class Binding(Node):
    """New words bound to classes within the prompt (fast mapping; Frozen, open-ended miniImageNet).

    The benchmark's records are pictures with a class; each question draws other classes, gives each
    a word without meaning, shows pictures of each with their word and asks for the word of a new
    one. ``shots`` counts the pictures of each class (inner shots): a prompt has ways times as many.
    """

    label: str = Field(min_length=1)
    """*Expression* of a picture's class."""
    ways: int = Field(2, ge=2)
    """Classes in a prompt."""
    words: tuple[str, ...] = ("dax", "blicket", "wug", "toma", "fep", "ziv", "kiki", "bouba")
    """Words without meaning, given to the classes in an order drawn by seed."""
    questions: int = Field(500, ge=1)
    """Questions to make."""


class BenchmarkTask(TaskBase):
    """A public benchmark, read from its official annotation files."""

    kind: Literal["benchmark"] = "benchmark"
    """Task kind."""
    title: str
    """Name in tables."""
    cite: str
    """Who published it."""
    source: str
    """Where its files come from, and what to put where."""
    licence: str
    """Terms of annotations and pictures."""
    items: int | None = Field(None, ge=1)
    """Questions at most, drawn by a fixed seed, whole units; null: all."""
    count: int | None = execution(None, ge=1)
    """Questions of the published files, for plans made where these do not lie; null: not known."""
    shots: tuple[int, ...] = (0,)
    """Numbers of examples in the prompt."""
    files: dict[str, Table] = Field(min_length=1)
    """Tables by name; the first is the main one, the others are joined to it."""
    where: str | None = None
    """*Expression*; records for which it is false are not asked."""
    id: str = Field(min_length=1)
    """*Expression*, unique within the benchmark."""
    unit: str | None = None
    """*Expression* of what is drawn and resampled as a whole (an image's questions); null: id."""
    question: str = "question"
    """*Expression* of the question's text."""
    pictures: str | None = None
    """*Expression*: a list of paths, bytes or {bytes, path}; null: none."""
    video: str | None = None
    """*Expression*: the path of a video, whose sampled frames are the pictures; null: none."""
    frames: FrameSampling = FrameSampling()
    """Which frames of a video are shown."""
    span: str | None = None
    """*Expression* of [start, end] in seconds, where only a part of the video is meant."""
    suffixes: tuple[str, ...] = ()
    """Endings tried behind a path that has no file."""
    subtitles: str | None = None
    """*Expression*: the path of a video's subtitles; the prompt has them as ``subtitles``."""
    answers: str | None = None
    """*Expression*: the right answer, or a list of them; null: held by a server or a judge."""
    options: str | None = None
    """*Expression*: texts of the choices, a list (lettered from A) or a mapping; null: none."""
    rank: str | None = None
    """*Expression*: candidates to choose among by likelihood; null: the answer is generated."""
    facts: dict[str, str] = Field(default_factory=dict)
    """*Expressions* kept with each prediction: what the metric, tables or a judge need."""
    by: tuple[str, ...] = ()
    """Facts by whose values the reported figure is also tabulated."""
    intro: str = ""
    """*Template* before the first example."""
    prompt: str = Field(min_length=1)
    """*Template* of a question. ``image`` in it is the next picture; without any, all go first."""
    template: Template = "vicuna_v1"
    """How turns become text; raw: the prompt is continued as it stands."""
    between: str = "\n\n"
    """Between examples of a raw prompt."""
    space: str = " "
    """Before a shown answer in a raw prompt."""
    few_shot: FewShot | None = None
    """Where shots come from; null: 0 shots only."""
    binding: Binding | None = None
    """Bind new words to classes in the prompt; null: no."""
    max_new_tokens: int = Field(16, ge=1)
    """Longest answer, in tokens."""
    stop: tuple[str, ...] = ()
    """Texts that end an answer, besides end of text."""
    metric: Metric
    """How answers are scored."""
    styles: tuple[str, ...] = ()
    """Rules of the metric, all shown; the first is the one that is reported."""
    submission: Submission = "none"
    """File written for an evaluation server."""
    unasked: Table | None = None
    """Questions that the server's file must name too, with an empty answer: the test split."""
