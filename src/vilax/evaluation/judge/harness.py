"""Wording of judge prompts, read out of an installed lmms-eval without running any of it."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from vilax.config.errors import ConfigError

PACKAGE = "lmms-eval"
MM_VET = "tasks/mmvet/utils.py"
VIDEO_QA = "tasks/activitynetqa/utils.py"
LLAVA_BENCH = "tasks/multilingual-llava-bench-in-the-wild/utils.py"


@dataclass(frozen=True)
class Gap:
    """A place in a text that takes a value.

    Attributes:
        name: of the value, as the harness calls it.
    """

    name: str


Pieces = tuple[str | Gap, ...]
"""A text with gaps."""


def installed() -> str | None:
    """The version of lmms-eval; None where it is not installed."""
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return None


def constant(module: str, name: str) -> str:
    """Text of a module's constant.

    Raises:
        ConfigError: lmms-eval or the constant is not there.
    """
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            if name in names and isinstance(node.value.value, str):
                return node.value.value
    raise changed(module, name)


def message(module: str, role: str) -> Pieces:
    """Content of a module's first chat message of a role whose content is written out.

    Raises:
        ConfigError: lmms-eval or such a message is not there.
    """
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Dict):
            fields = {
                key.value: value
                for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant)
            }
            said = fields.get("role")
            content = fields.get("content")
            if isinstance(said, ast.Constant) and said.value == role and content is not None:
                try:
                    return tuple(_pieces(content))
                except ValueError:
                    continue
    raise changed(module, f"a message of role {role}")


def _pieces(node: ast.expr) -> Iterator[str | Gap]:
    """Texts and gaps of a string or f-string.

    Raises:
        ValueError: it is something else, or a gap holds more than a name.
    """
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    for part in parts:
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value
        elif isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.Name):
            yield Gap(part.value.id)
        else:
            raise ValueError("no plain text")


def _tree(module: str) -> ast.Module:
    spec = find_spec(PACKAGE.replace("-", "_"))
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    path = next((p for p in (Path(f) / module for f in folders) if p.is_file()), None)
    if path is None:
        raise ConfigError(
            f"judge prompt 'reference': its wording is read from {PACKAGE}, which is not installed"
            " (or without its tasks): install vilax[eval], or give --prompt FILE with a wording of"
            " your own, or --prompt vilax for ours"
        )
    return ast.parse(path.read_text(encoding="utf-8"))


def changed(module: str, what: str) -> ConfigError:
    """The error for a version of lmms-eval in which a wording is not where it was."""
    return ConfigError(
        f"judge prompt 'reference': {PACKAGE} {installed()} has no {what} in {module}: give"
        " --prompt FILE with the wording, or --prompt vilax for ours"
    )
