"""Conversations as a record states them."""

from itertools import pairwise
from typing import Any

_ROLES = {
    "human": "user",
    "user": "user",
    "prompter": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "chatgpt": "assistant",
}
_NAMES = (("from", "value"), ("role", "content"))


def turns_of(facts: dict[str, Any]) -> list[str]:
    """Roles of the turns of a record, as ``user`` and ``assistant``; empty if it has no turns.

    Understands lists of ``from`` and ``value`` or of ``role`` and ``content``, under any name.
    Roles of neither, such as ``system``, are left out.
    """
    for value in facts.values():
        if not isinstance(value, list) or not value or not isinstance(value[0], dict):
            continue
        for role, text in _NAMES:
            if role in value[0] and text in value[0]:
                said = [turn.get(role) for turn in value if isinstance(turn, dict)]
                return [
                    _ROLES[r.lower()] for r in said if isinstance(r, str) and r.lower() in _ROLES
                ]
    return []


def turns_fault(roles: list[str]) -> str:
    """What is wrong with the order of turns; empty if user and assistant alternate."""
    if not roles:
        return ""
    if roles[0] == "assistant":
        return "turns do not alternate: the first is the assistant's"
    for number, (one, other) in enumerate(pairwise(roles)):
        if one == other:
            return f"turns do not alternate: {number + 1} and {number + 2} are both the {one}'s"
    if roles[-1] == "user":
        return "the last turn is the user's: it has no answer"
    return ""
