"""Identities: a hash over everything that determines a result, and nothing else."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from vilax.config.schema.base import Node

VERSIONS: dict[str, int] = {
    "crop": 1,
    "encoder": 2,
    "engine": 2,
    "evaluation": 2,
    "formats": 1,
    "freeze": 1,
    "llm": 1,
    "loss": 1,
    "measures": 1,
    "optimisation": 1,
    "packing": 2,
    "projector": 2,
    "prompt": 1,
}
"""Version of each component that shapes results; raised by hand when its results change."""


def versions(components: Iterable[str], policy: str | None = None) -> dict[str, int]:
    """Versions of the components that shape a result.

    Args:
        components: their names.
        policy: the ``image_policy`` of pictures that are read; ``crop`` has a version of its own,
            as it was mended alone.
    """
    found = {name: VERSIONS[name] for name in components}
    return found | {policy: VERSIONS[policy]} if policy in VERSIONS else found


def canonical(payload: Any) -> str:
    """JSON with sorted keys and shortest floats: equal values give equal text.

    Raises:
        TypeError: the payload holds something that is not JSON, such as a path.
    """
    return json.dumps(payload, sort_keys=True, separators=(",", ":"), allow_nan=False)


def identity(payload: Mapping[str, Any]) -> str:
    """The first 24 hex digits of the sha256 of the canonical JSON."""
    return hashlib.sha256(canonical(payload).encode()).hexdigest()[:24]


def science_dump(node: Node) -> dict[str, Any]:
    """A configuration node as JSON without the keys that only change how a run executes, and
    without those that were added later and are at their default."""
    dumped: dict[str, Any] = {}
    for name, field in type(node).model_fields.items():
        extra = field.json_schema_extra
        if isinstance(extra, dict) and extra.get("execution"):
            continue
        value = getattr(node, name)
        if isinstance(extra, dict) and extra.get("added") and value == field.default:
            continue
        dumped[name] = _plain(value)
    return dumped


def _plain(value: Any) -> Any:
    if isinstance(value, Node):
        return science_dump(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


class SourceHash(str):
    """A hash over source text that also knows the hash of each module that it was made from.

    Attributes:
        modules: module to the hash of its own source.
    """

    modules: Mapping[str, str]


@cache
def sources_hash(modules: Sequence[str]) -> SourceHash:
    """The first 24 hex digits of the sha256 over the source text of modules.

    Args:
        modules: dotted names; a package counts with all that is in it.

    Raises:
        ModuleNotFoundError: a module has no source file.
    """
    total = hashlib.sha256()
    parts: dict[str, str] = {}
    for module in modules:
        own = hashlib.sha256()
        for file in _source_files(module):
            for digest in (total, own):
                digest.update(f"{module}/{file.name}\n".encode())
                digest.update(file.read_bytes())
        parts[module] = own.hexdigest()[:24]
    found = SourceHash(total.hexdigest()[:24])
    found.modules = parts
    return found


def _source_files(module: str) -> Iterator[Path]:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(module)
    origin = Path(spec.origin)
    if origin.name == "__init__.py":
        yield from sorted(origin.parent.rglob("*.py"))
    else:
        yield origin
