"""Pictures that a user brings are bounded as those of training data."""

from pathlib import Path

import pytest

from tests.chat.subjects import picture
from vilax.chat import pictures
from vilax.chat.pictures import read_picture
from vilax.config.errors import ConfigError


def test_a_picture_is_kept_as_its_file_is(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png", 7)
    assert read_picture(path, "a").data == path.read_bytes()


def test_what_is_no_picture_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"^none\.png: No such file"):
        read_picture(tmp_path / "none.png", "none.png")
    (tmp_path / "text.png").write_text("no picture at all")
    with pytest.raises(ConfigError, match=r"^text\.png: cannot be decoded"):
        read_picture(tmp_path / "text.png", "text.png")
    path = picture(tmp_path / "a.png", 7)
    size = path.stat().st_size
    monkeypatch.setattr(pictures, "PICTURE_BYTES", size)
    read_picture(path, "a.png")
    monkeypatch.setattr(pictures, "PICTURE_BYTES", size - 1)
    with pytest.raises(ConfigError, match=f"{size} bytes, expected at most {size - 1}"):
        read_picture(path, "a.png")
