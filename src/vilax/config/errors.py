"""Errors for people: the key, its value, what was expected, and the nearest valid choice."""

from collections.abc import Iterable
from difflib import get_close_matches


class ConfigError(ValueError):
    """A bad request; the command line prints it alone and exits with code 2."""


def nearest(name: str, choices: Iterable[str]) -> str | None:
    """The choice most like ``name``, or None where none is alike."""
    found = get_close_matches(name, list(choices), n=1, cutoff=0.4)
    return found[0] if found else None


def unknown(what: str, name: str, choices: Iterable[str]) -> ConfigError:
    """The error for a name that is not among the choices.

    Args:
        what: kind of thing named, such as ``encoder`` or ``key``.
        name: what was given.
        choices: valid names.
    """
    every = sorted(choices)
    guess = nearest(name, every)
    hint = f"; did you mean {guess!r}?" if guess else ";"
    listed = ", ".join(every[:24]) + (", ..." if len(every) > 24 else "")
    return ConfigError(f"unknown {what} {name!r}{hint} choices: {listed or 'none'}")
