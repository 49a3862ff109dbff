"""What must not stand as a shot."""

from pathlib import Path

import pytest

from tests.evaluation.shot_questions import asked, item
from vilax.config.errors import ConfigError
from vilax.config.schema.video import FrameSampling
from vilax.evaluation.contamination import Guard
from vilax.evaluation.expressions import Expressions
from vilax.evaluation.pictures import FilePicture, FramePicture
from vilax.evaluation.question import Question


def bars(question: Question, shot: Question, *others: Question) -> bool:
    prompt = Expressions("task").template("prompt", "{{ passage | default('') }} {{ question }}")
    return Guard([shot, *others], prompt).bars(question, shot)


def written(path: Path, data: bytes) -> FilePicture:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return FilePicture(path)


def test_an_item_is_barred_from_its_own_prompt_only_in_its_own_file() -> None:
    assert bars(asked("1", b"x"), item("1", b"y", file="test.json"))
    assert not bars(asked("1", b"x"), item("1", b"y", file="train.json"))


def test_the_same_bytes_are_the_same_picture_wherever_they_lie(tmp_path: Path) -> None:
    one = written(tmp_path / "a/one.jpg", b"same")
    other = written(tmp_path / "b/other.png", b"same")
    assert bars(asked("q", one), item("s", other))
    assert bars(asked("q", b"same"), item("s", other))
    assert bars(asked("q", one), item("s", b"same"))
    assert bars(asked("q", b"same"), item("s", b"same"))
    assert not bars(asked("q", b"some"), item("s", other))


def test_a_picture_in_another_format_is_known_by_its_stem(tmp_path: Path) -> None:
    query = asked("q", written(tmp_path / "test/000042.png", b"lossless"))
    copy = item("s", written(tmp_path / "train/000042.JPG", b"lossy"))
    others = [item(f"o{n}", written(tmp_path / f"train/{n:06}.jpg", bytes(n))) for n in range(3)]
    assert bars(query, copy, *others)
    assert not bars(query, others[2], copy, *others)


def test_a_stem_that_most_pictures_bear_says_nothing(tmp_path: Path) -> None:
    """ScienceQA calls each picture ``image.png``, in a folder for each question."""
    query = asked("q", written(tmp_path / "test/7/image.png", b"seven"))
    pool = [item(str(n), written(tmp_path / f"train/{n}/image.png", bytes(n))) for n in range(4)]
    assert not any(bars(query, shot, *pool) for shot in pool)


def test_frames_of_one_video_are_the_same_picture(tmp_path: Path) -> None:
    video = written(tmp_path / "v.mp4", b"video").path
    frames = [FramePicture(video, number, FrameSampling(), None) for number in (0, 5)]
    assert bars(asked("q", frames[0]), item("s", frames[1]))


def test_one_of_several_pictures_is_enough() -> None:
    several = asked("q")
    object.__setattr__(several, "pictures", (*item("a").pictures, *item("b").pictures))
    assert bars(several, item("b", file="x"))
    assert not bars(several, item("c"))


def test_without_pictures_the_whole_prompt_tells_items_apart() -> None:
    query = asked("q", None, question="How many?", passage="Two goals.")
    assert bars(query, item("s", None, question="How many?", passage="Two goals."))
    assert not bars(query, item("s", None, question="How many?", passage="Three goals."))
    assert not bars(query, item("s", b"x", question="How many?", passage="Two goals."))


def test_a_picture_that_is_gone_is_named(tmp_path: Path) -> None:
    gone = FilePicture(tmp_path / "gone.png")
    with pytest.raises(ConfigError, match=r"gone\.png cannot be read: No such file"):
        bars(asked("q", b"x"), item("s", gone))
