"""Expressions and templates of a benchmark's YAML, in jinja2's sandbox."""

import ast
import base64
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jinja2 import StrictUndefined, TemplateError, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from vilax.config.errors import ConfigError

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
NEXT_PICTURE = "\ue000\ue001"
"""Stands in a rendered prompt where the next picture goes. Private characters, so that no text of a
corpus (``<image>`` least of all) can be taken for a picture."""
PICTURE_MARK = re.compile("\ue000(\\d*)\ue001")
"""A picture's place in a rendered prompt; with a number, the picture of that number, from 1."""

Compiled = Callable[[Mapping[str, Any]], Any]


def tagged(text: str) -> str:
    """``<image 2>`` becomes the place of the second picture (MMMU's questions and options)."""
    return re.sub(r"<image (\d+)>", "\ue000\\1\ue001", text)


def marked(text: str) -> str:
    """Each ``<image>`` becomes the place of the next picture (MuirBench)."""
    return text.replace("<image>", NEXT_PICTURE)


def lettered(texts: Sequence[Any] | Mapping[str, Any]) -> dict[str, str]:
    """A list of choices as letter to text, from A on; a mapping stays, in its order."""
    if isinstance(texts, Mapping):
        return {str(letter): str(text) for letter, text in texts.items()}
    return {LETTERS[place]: str(text) for place, text in enumerate(texts)}


def present(texts: Mapping[str, Any]) -> dict[str, str]:
    """Choices up to the first that is missing: nothing, an empty cell, or not a number.

    The text ``None`` is a choice, where LLaVA's script takes it for a missing one (protocols.md 6).
    """
    kept: dict[str, str] = {}
    for letter, text in texts.items():
        if text is None or str(text).strip() in ("", "nan", "NaN"):
            break
        kept[str(letter)] = str(text)
    return kept


def option_lines(options: Mapping[str, str], mark: str = ".") -> str:
    """Choices one a line: ``A. text``."""
    return "\n".join(f"{letter}{mark} {text}" for letter, text in options.items())


def _literal(text: str) -> Any:
    return ast.literal_eval(text)


def _regex(text: str, pattern: str) -> str:
    found = re.search(pattern, text)
    return found.group(found.lastindex or 0) if found else ""


FILTERS: Mapping[str, Callable[..., Any]] = {
    "base64": lambda text: base64.b64decode(text),
    "lettered": lettered,
    "present": present,
    "option_lines": option_lines,
    "literal": _literal,
    "tagged": tagged,
    "marked": marked,
    "regex": _regex,
    "zfill": lambda number, width: str(number).zfill(width),
}
"""What expressions may use besides jinja2's own filters."""


class Expressions:
    """Compiles the expressions of one task; errors name the task, the key and the record.

    Args:
        where: how messages call the task, for example ``evaluation.tasks.pope``.
    """

    def __init__(self, where: str) -> None:
        self.where = where
        self._environment = ImmutableSandboxedEnvironment(
            undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False
        )
        self._environment.filters.update(FILTERS)

    def value(self, key: str, expression: str) -> Compiled:
        """An expression as a function of a record.

        Raises:
            ConfigError: it is no jinja2 expression. The function raises it where a field is missing
                or the expression fails on a record.
        """
        try:
            compiled = self._environment.compile_expression(expression, undefined_to_none=False)
        except TemplateError as error:
            raise ConfigError(
                f"{self.where}.{key}={expression!r}: expected a jinja2 expression: {error}"
            ) from error

        def evaluated(record: Mapping[str, Any]) -> Any:
            try:
                found = compiled(**record, fields=record)
                if isinstance(found, Undefined):
                    # Comparing is what makes jinja2 say which name is missing.
                    bool(found)
                return found
            except (TemplateError, ValueError, TypeError, KeyError, SyntaxError) as error:
                raise self._failed(key, expression, record, error) from error

        return evaluated

    def template(self, key: str, template: str) -> Callable[[Mapping[str, Any]], str]:
        """A template as a function of a record.

        Raises:
            ConfigError: as ``value``.
        """
        try:
            compiled = self._environment.from_string(template)
        except TemplateError as error:
            raise ConfigError(f"{self.where}.{key}: expected a jinja2 template: {error}") from error

        def rendered(record: Mapping[str, Any]) -> str:
            try:
                return compiled.render(**record, fields=record)
            except (TemplateError, ValueError, TypeError, KeyError, SyntaxError) as error:
                raise self._failed(key, template, record, error) from error

        return rendered

    def _failed(
        self, key: str, text: str, record: Mapping[str, Any], error: Exception
    ) -> ConfigError:
        fields = ", ".join(sorted(str(name) for name in record))
        return ConfigError(
            f"{self.where}.{key}={text!r} fails on a record of {record.get('file', '?')}: {error};"
            f" its fields: {fields}"
        )
