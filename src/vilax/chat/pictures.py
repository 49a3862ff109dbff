"""Pictures that a user brings."""

from pathlib import Path

from vilax.config.errors import ConfigError
from vilax.data.convert.records import PICTURE_BYTES
from vilax.data.decoding import decode
from vilax.data.document import Image
from vilax.data.formats.files import BadSample


def read_picture(path: Path, name: str) -> Image:
    """A picture within the bounds of training data.

    Args:
        path: its file.
        name: what the user calls it, for messages.

    Raises:
        ConfigError: the file cannot be read, is larger than ``PICTURE_BYTES``, or holds no picture
            that training would take.
    """
    try:
        size = path.stat().st_size
        if size > PICTURE_BYTES:
            raise ConfigError(f"{name}: {size:,} bytes, expected at most {PICTURE_BYTES:,}")
        data = path.read_bytes()
        decode(data)
    except OSError as error:
        raise ConfigError(f"{name}: {error.strerror}") from error
    except BadSample as error:
        raise ConfigError(f"{name}: {error.reason}") from error
    return Image(data)
