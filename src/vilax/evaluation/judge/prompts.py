"""What a judge is shown: the reference's wording, our own, or a user's template."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from jinja2 import StrictUndefined, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from vilax.artifacts.identity import canonical
from vilax.config.errors import ConfigError, nearest, unknown
from vilax.evaluation.judge import harness
from vilax.evaluation.judge.cache import Message

Protocol = Literal["mm_vet", "llava_bench", "video_qa"]
"""How a judged benchmark is asked and scored."""

WORDING = Path(__file__).parent / "wording"
OURS = "vilax"
OURS_VERSION = 1
REFERENCE = "reference"

FIELDS: Mapping[Protocol, tuple[str, ...]] = {
    "mm_vet": ("question", "truth", "prediction", "ask"),
    "video_qa": ("question", "truth", "prediction", "ask"),
    "llava_bench": (
        "question",
        "truth",
        "prediction",
        "ask",
        "context",
        "category",
        "rule",
        "role",
    ),
}
"""What a template may name: ``truth`` is the right or the reference's answer, ``ask`` the number of
the request, from 1, after replies that could not be read."""

HEADER = ("gpt_query_prompt | Ground truth |", "Question | Ground truth |")
"""lmms-eval's table has the name of a variable where MM-Vet's evaluator has ``Question``."""
ASK_AGAIN = "\nThe score, as a number:"
"""Stands below MM-Vet's table row when a reply was no score. The reference has such a line of its
own, which lmms-eval lacks; this one is ours."""


@dataclass(frozen=True)
class JudgePrompt:
    """A wording.

    Attributes:
        version: hash of the wording with its kind; part of the cache's key.
        source: where it was read.
        messages: from an item's fields to the chat.
    """

    version: str
    source: str
    messages: Callable[[Mapping[str, Any]], tuple[Message, ...]]


def judge_prompt(
    protocol: Protocol, chosen: str, items: Sequence[Mapping[str, Any]]
) -> JudgePrompt:
    """The wording to judge by.

    Args:
        protocol: of the task.
        chosen: ``reference``, ``vilax``, or the path of a template.
        items: fields of the answers to judge; LLaVA-Bench's own wording comes with them.

    Raises:
        ConfigError: the wording is not to be had, or a template has faults.
    """
    if chosen == OURS:
        text = (WORDING / f"{protocol}.j2").read_text(encoding="utf-8")
        return _template(protocol, text, f"{OURS} {OURS_VERSION}", "wording of vilax")
    if chosen != REFERENCE:
        path = Path(chosen).expanduser()
        if not path.is_file():
            guess = nearest(chosen, (REFERENCE, OURS))
            raise ConfigError(
                f"judge prompt {chosen!r}: no such file; expected {REFERENCE}, {OURS} or the path"
                f" of a template{f'; did you mean {guess!r}?' if guess else ''}"
            )
        return _template(protocol, _read(path), "file", path.name)
    if protocol == "mm_vet":
        return _mm_vet()
    return _video_qa() if protocol == "video_qa" else _llava_bench(items)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigError(f"judge prompt {path}: cannot be read as text: {error}") from error


def _template(protocol: Protocol, text: str, kind: str, source: str) -> JudgePrompt:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True, autoescape=False
    )
    try:
        named = meta.find_undeclared_variables(environment.parse(text))
        template = environment.from_string(text)
    except TemplateError as error:
        raise ConfigError(f"judge prompt {source}: {error}") from error
    for name in sorted(named):
        if name not in FIELDS[protocol]:
            raise unknown(f"name in judge prompt {source}", name, FIELDS[protocol])
    if "prediction" not in named:
        raise ConfigError(f"judge prompt {source}: expected {{{{ prediction }}}} in it")
    blocks = template.blocks
    for block in blocks:
        if block not in ("system", "user"):
            raise unknown(f"block in judge prompt {source}", block, ("system", "user"))
    if "system" in blocks and "user" not in blocks:
        raise ConfigError(f"judge prompt {source}: has a block system, expected a block user too")

    def messages(fields: Mapping[str, Any]) -> tuple[Message, ...]:
        try:
            if not blocks:
                return _chat(None, template.render(fields))
            said = {
                name: "".join(make(template.new_context(dict(fields))))
                for name, make in blocks.items()
            }
            return _chat(said.get("system"), said["user"])
        except Exception as error:
            # A template computes, and may fail in any way that a program can.
            raise ConfigError(f"judge prompt {source}: {error}") from error

    return JudgePrompt(f"{kind} {_digest(text)}", source, messages)


def _mm_vet() -> JudgePrompt:
    """MM-Vet's table, the new row left open at its end (MM-Vet, mm-vet_evaluator.ipynb)."""
    table = harness.constant(harness.MM_VET, "MM_VET_PROMPT").replace(*HEADER)

    def messages(fields: Mapping[str, Any]) -> tuple[Message, ...]:
        truth = str(fields["truth"]).replace("<AND>", " <AND> ").replace("<OR>", " <OR> ")
        row = " | ".join([str(fields["question"]), truth, str(fields["prediction"]), ""])
        again = ASK_AGAIN if fields["ask"] > 1 else ""
        return _chat(None, f"{table}\n{row}{again}")

    source = f"{_harness(harness.MM_VET)}; head of its table and end of its row as MM-Vet has them"
    return JudgePrompt(f"{REFERENCE} {_digest(table, ASK_AGAIN)}", source, messages)


def _video_qa() -> JudgePrompt:
    """Video-ChatGPT's question for its judge."""
    pieces = {role: harness.message(harness.VIDEO_QA, role) for role in ("system", "user")}
    names = {"question": "question", "answer": "truth", "pred": "prediction"}

    def filled(role: str, fields: Mapping[str, Any]) -> str:
        return "".join(
            str(fields[names[piece.name]]) if isinstance(piece, harness.Gap) else piece
            for piece in pieces[role]
        )

    def messages(fields: Mapping[str, Any]) -> tuple[Message, ...]:
        return _chat(filled("system", fields), filled("user", fields))

    every = [piece for role in pieces.values() for piece in role]
    if {piece.name for piece in every if isinstance(piece, harness.Gap)} != set(names):
        raise harness.changed(harness.VIDEO_QA, "question with the gaps question, answer, pred")
    digest = _digest(*(str(piece) for piece in every))
    return JudgePrompt(f"{REFERENCE} {digest}", _harness(harness.VIDEO_QA), messages)


def _llava_bench(items: Sequence[Mapping[str, Any]]) -> JudgePrompt:
    """LLaVA's frame around the rule of the item's category (LLaVA, eval_gpt_review_bench.py)."""
    rules: dict[str, list[str]] = {}
    for fields in items:
        if not fields["rule"] or not fields["role"]:
            raise ConfigError(
                "judge prompt 'reference': expected the facts of each prediction to hold rule and"
                " role, from LLaVA-Bench's rule.json; or give --prompt FILE or --prompt vilax"
            )
        rules[str(fields["category"])] = [str(fields["role"]), str(fields["rule"])]
    system, source = None, "rule.json of the benchmark; no system message, for want of lmms-eval"
    if harness.installed() is not None:
        system = "".join(map(str, harness.message(harness.LLAVA_BENCH, "system")))
        source = f"rule.json of the benchmark; system message of {_harness(harness.LLAVA_BENCH)}"

    def messages(fields: Mapping[str, Any]) -> tuple[Message, ...]:
        parts = [f"[Context]\n{fields['context']}", f"[Question]\n{fields['question']}"]
        for number, answer in ((1, fields["truth"]), (2, fields["prediction"])):
            name = f"{fields['role']} {number}"
            parts += [f"[{name}]\n{answer}", f"[End of {name}]"]
        parts += [f"[System]\n{fields['rule']}", ""]
        return _chat(system, "\n\n".join(parts))

    return JudgePrompt(f"{REFERENCE} {_digest(system or '', canonical(rules))}", source, messages)


def _chat(system: str | None, user: str) -> tuple[Message, ...]:
    # Half a character of a cut answer cannot be sent.
    said = [("system", system), ("user", user)]
    return tuple(
        {"role": role, "content": text.encode("utf-8", "replace").decode()}
        for role, text in said
        if text is not None
    )


def _digest(*texts: str) -> str:
    return "sha256:" + hashlib.sha256(canonical(texts).encode()).hexdigest()[:16]


def _harness(module: str) -> str:
    return f"{harness.PACKAGE} {harness.installed()}, {module}"
