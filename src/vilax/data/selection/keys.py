"""Lists of keys, one a line, held as sorted hashes."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vilax.config.errors import ConfigError


def key_hash(key: str) -> int:
    """64 bits of a key."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")


class KeyList:
    """The keys of a file; eight bytes each, however long they are.

    Args:
        path: UTF-8 text with a key a line; empty lines do not count.

    Raises:
        ConfigError: the file cannot be read or holds no key.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open(encoding="utf-8") as lines:
                hashes = np.fromiter(
                    (key_hash(key) for line in lines if (key := line.rstrip("\r\n"))), np.uint64
                )
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot read the keys in {path}: {error}") from error
        if not len(hashes):
            raise ConfigError(f"{path} holds no key; expected one a line")
        self._hashes = np.unique(hashes)
        self._met = np.zeros(len(self._hashes), dtype=bool)

    def holds(self, keys: Sequence[str]) -> "np.ndarray":
        """Which of the keys are in the list: bool [keys]; they are noted as met."""
        wanted = np.array([key_hash(key) for key in keys], dtype=np.uint64)
        places = np.minimum(np.searchsorted(self._hashes, wanted), len(self._hashes) - 1)
        found: np.ndarray = self._hashes[places] == wanted
        self._met[places[found]] = True
        return found

    def unmet(self, most: int = 5) -> tuple[int, list[str]]:
        """How many keys were never asked for, and the first of them."""
        missing = set(self._hashes[~self._met].tolist())
        named: list[str] = []
        if missing:
            with self.path.open(encoding="utf-8") as lines:
                for line in lines:
                    if key_hash(line.rstrip("\r\n")) in missing and len(named) < most:
                        named.append(line.rstrip("\r\n"))
        return len(missing), named
