"""Files that are the same bytes whenever they are written: tars and lines, with checksums."""

import hashlib
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from vilax.artifacts.files import sync_file, sync_folder

_BLOCK = 512
_BUFFER = 1 << 20


class Output:
    """A file that is visible under its name only when whole.

    It grows under another name in ``scratch``, which lies on the same file system; what an earlier
    run left there is written over.

    Args:
        path: where it ends up.
        scratch: folder of unfinished files.
    """

    def __init__(self, path: Path, scratch: Path) -> None:
        self.path = path
        self._growing = scratch / f"{path.name}.part"
        self._file: BinaryIO = self._growing.open("wb", buffering=_BUFFER)
        self._digest = hashlib.sha256()
        self.bytes = 0

    def write(self, data: bytes) -> None:
        """Append bytes.

        Raises:
            OSError: the disk is full, or cannot be written.
        """
        self._file.write(data)
        self._digest.update(data)
        self.bytes += len(data)

    def add(self, name: str, data: bytes) -> None:
        """Append a file of a tar: no owner, no time, so that equal content is equal bytes."""
        info = tarfile.TarInfo(name)
        info.size = len(data)
        self.write(info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape"))
        self.write(data)
        self.write(b"\0" * (-len(data) % _BLOCK))

    def end_tar(self) -> None:
        """The two blocks that end a tar."""
        self.write(b"\0" * 2 * _BLOCK)

    def finish(self) -> dict[str, Any]:
        """Make it durable and visible; its size and checksum."""
        self._file.close()
        sync_file(self._growing)
        self._growing.replace(self.path)
        sync_folder(self.path.parent)
        return {"bytes": self.bytes, "sha256": self._digest.hexdigest()}

    def discard(self) -> None:
        """Remove what was written."""
        self._file.close()
        self._growing.unlink(missing_ok=True)


@contextmanager
def discarded_on_failure(*outputs: Output) -> Iterator[None]:
    """Removes unfinished outputs where the block fails."""
    try:
        yield
    except BaseException:
        for output in outputs:
            output.discard()
        raise
