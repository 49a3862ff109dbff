"""Videos and what is said of them become documents; those that are broken are named."""

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.data.test_video import grey, write
from tests.data.writers import add, write_lines
from vilax.config.errors import ConfigError
from vilax.config.schema.video import FrameSampling, VideoRecords
from vilax.data.build import Source, build, plan_build
from vilax.data.document import Document, Image, Text
from vilax.data.formats import open_corpus
from vilax.data.formats.files import BadSample, Reader
from vilax.data.formats.video_open import open_videos
from vilax.data.video import sample_frames

FOUR = {"count": 4}


def opened(files: Path | list[Path], images: Path | None = None, **layout: Any) -> Reader:
    listed = files if isinstance(files, list) else [files]
    return open_videos("v", listed, VideoRecords(**({"frames": FOUR} | layout)), images)


def write_json(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def shape(document: Document) -> list[str]:
    """Texts, and runs of pictures as their number."""
    found: list[str] = []
    for segment in document.segments:
        if isinstance(segment, Text):
            found.append(segment.text)
        elif found and found[-1].startswith("#"):
            found[-1] = f"#{int(found[-1][1:]) + 1}"
        else:
            found.append("#1")
    return found


def frames(document: Document) -> list[int]:
    """Numbers of the frames, by their shades."""
    return [round(grey(s.data)) for s in document.segments if isinstance(s, Image)]


def reasons(reader: Reader) -> dict[str, str]:
    found = {}
    for index in range(len(reader)):
        try:
            reader[index]
        except BadSample as error:
            found[error.key] = error.reason
    return found


def said(*turns: str, **more: Any) -> dict[str, Any]:
    roles = ("human", "gpt")
    turned = [{"from": roles[n % 2], "value": text} for n, text in enumerate(turns)]
    return {"conversations": turned, **more}


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".mkv"])
def test_conversations(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "clips").mkdir()
    write(tmp_path / f"clips/a{suffix}")
    records = [
        said("<video>\nwhat ?", "a dog", "sure ?", "yes", id="1", video=f"clips/a{suffix}"),
        said("what ?\n<image>", "a dog", video="clips/a"),
        said("what ?", "a dog", video="clips/a.mov"),
        said("hello ?", "hi"),
        said("<video> or <video> ?", "both", video=["clips/a", "clips/a"]),
        {"q": "what ?", "a": "a dog", "video_id": "clips/a"},
    ]
    path = write_json(tmp_path / "chat.json", records)
    reader = opened(path)
    found = [reader[index] for index in range(len(reader))]
    assert [shape(d) for d in found] == [
        ["#4", "what ?", "a dog", "sure ?", "yes"],
        ["#4", "what ?", "a dog"],
        ["#4", "what ?", "a dog"],
        ["hello ?", "hi"],
        ["#4", "or", "#4", "?", "both"],
        ["#4", "what ?", "a dog"],
    ]
    assert [(d.loss, d.role) for d in found[0].segments if isinstance(d, Text)] == [
        (False, "user"), (True, "assistant"), (False, "user"), (True, "assistant"),
    ]  # fmt: skip
    assert frames(found[0]) == [0, 13, 26, 39]
    assert found[0].key == "chat.json[0] (1)" == reader.key(0)
    assert reader.shard(0) == "chat.json" and reader.facts(0) == records[0]
    lines = write_lines(tmp_path / "chat.jsonl", records)
    assert [opened(lines)[n].segments for n in range(6)] == [d.segments for d in found]


def test_times_are_written_where_asked_for(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4")
    path = write_json(tmp_path / "chat.json", [said("<video>\nwhen ?", "now", video="a.mp4")])
    document = opened(path, timestamps=True)[0]
    assert shape(document) == [
        "0.0 s: ", "#1", "1.3 s: ", "#1", "2.6 s: ", "#1", "3.9 s: ", "#1", "when ?", "now",
    ]  # fmt: skip
    texts = [s for s in document.segments if isinstance(s, Text)]
    assert all(not text.loss and text.role == "user" for text in texts[:-1])


@pytest.mark.parametrize(
    ("sampling", "numbers"),
    [
        ({"count": 3}, [0, 19, 39]),
        ({"rate": 1.0}, [0, 13, 26, 39]),
        ({"rate": 10.0, "most": 2}, [0, 39]),
        ({"count": 2, "how": "middle"}, [10, 30]),
    ],
)
def test_frames_by_count_rate_and_key_frame(
    tmp_path: Path, sampling: dict[str, Any], numbers: list[int]
) -> None:
    write(tmp_path / "a.mp4")
    path = write_json(tmp_path / "x.json", [{"video": "a", "caption": "grey"}])
    assert frames(opened(path, says="caption", frames=sampling)[0]) == numbers


def test_frames_that_are_coded_whole(tmp_path: Path) -> None:
    video = write(tmp_path / "a.webm")
    sampling = {"count": 40, "how": "key_frames"}
    wanted = [frame.number for frame in sample_frames(video, FrameSampling(**sampling))]
    path = write_json(tmp_path / "x.json", [{"video": "a", "caption": "grey"}])
    found = frames(opened(path, says="caption", frames=sampling)[0])
    assert 0 < len(found) < 40 and found == pytest.approx(wanted, abs=1)


def test_a_part_of_a_video(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4")
    records = [
        {"video": "a", "caption": "x", "from": 1.0, "to": 2},
        {"video": "a", "caption": "x", "from": 2.0, "to": 1.0},
        {"video": "a", "caption": "x", "from": "1", "to": 2},
    ]
    path = write_json(tmp_path / "x.json", records)
    reader = opened(path, says="caption", start="from", end="to", frames={"count": 3})
    assert frames(reader[0]) == [10, 15, 20]
    assert [r.split(",")[0] for r in reasons(reader).values()] == ["ends at 1.0 s", "from"]


def test_msrvtt_captions_and_questions(tmp_path: Path) -> None:
    videos = tmp_path / "TrainValVideo"
    videos.mkdir()
    write(videos / "video0.mp4")
    write(videos / "video7.webm")
    info = {
        "info": {"contributor": "x"},
        "videos": [{"video_id": "video0", "split": "train", "start time": 137.7}],
        "sentences": [
            {"caption": "a cartoon", "video_id": "video0", "sen_id": 0},
            {"caption": "a car", "video_id": "video7", "sen_id": 1},
        ],
    }
    path = write_json(tmp_path / "train_val_videodatainfo.json", info)
    reader = opened(path, videos, says="caption", rows="sentences")
    assert [shape(reader[n]) for n in range(2)] == [["#4", "a cartoon"], ["#4", "a car"]]
    assert reader.key(1) == "train_val_videodatainfo.json[1] (1)"
    asked = [{"answer": "couch", "id": 1, "question": "what ?", "video_id": 7}]
    path = write_json(tmp_path / "train_qa.json", asked)
    reader = opened(path, says="question", name="video{}")
    assert shape(reader[0]) == ["#4", "what ?", "couch"]
    with pytest.raises(ConfigError, match="expected a list 'sentences'; found info"):
        opened(write_json(tmp_path / "x.json", {"info": 1}), says="caption", rows="sentences")


def test_msvd_captions_and_questions(tmp_path: Path) -> None:
    clips = tmp_path / "YouTubeClips"
    clips.mkdir()
    write(clips / "-4wsuPCjDBc_5_15.avi")
    text = tmp_path / "AllVideoDescriptions.txt"
    text.write_text("# header\n\n-4wsuPCjDBc_5_15 a squirrel eats\n-4wsuPCjDBc_5_15\nx_1_2 gone\n")
    reader = opened(text, says="caption", columns=True)
    assert shape(reader[0]) == ["#4", "a squirrel eats"]
    assert [reason.split("(")[0].strip() for reason in reasons(reader).values()] == [
        "empty caption", "video 'x_1_2' is missing",
    ]  # fmt: skip
    (tmp_path / "youtube_mapping.txt").write_text("-4wsuPCjDBc_5_15 vid1\n")
    asked = [{"answer": "nuts", "id": 0, "question": "what ?", "video_id": 1}]
    path = write_json(tmp_path / "train_qa.json", asked)
    layout = {"says": "question", "name": "vid{}", "names": "youtube_mapping.txt"}
    assert shape(opened(path, clips, **layout)[0]) == ["#4", "what ?", "nuts"]
    (tmp_path / "youtube_mapping.txt").unlink()
    with pytest.raises(ConfigError, match="names=youtube_mapping"):
        opened(path, clips, **layout)


def test_sharegpt4video(tmp_path: Path) -> None:
    (tmp_path / "panda").mkdir()
    write(tmp_path / "panda/x.mp4")
    record = {
        "video_id": "x",
        "video_path": "panda/x.mp4",
        "timestamp": ["0.0", "1.0", "3.0"],
        "keyframe": [0, 10, 30],
        "captions": [{"idx": "1", "content": "first"}, {"idx": "-1", "content": "the whole"}],
        "zip_folder": "panda_1.zip",
    }
    several = record | {"captions": record["captions"] * 2}
    wrong = record | {"keyframe": [0, 400]}
    path = write_lines(tmp_path / "sharegpt4video_40k.jsonl", [record, several, wrong])
    reader = opened(path, says="caption", video="video_path", keyframes=True)
    assert shape(reader[0]) == ["#3", "the whole"]
    assert frames(reader[0]) == [0, 10, 30]
    two, many = reasons(reader).values()
    assert "2 captions of the whole" in two and "has 40 frames" in many
    assert frames(opened(path, says="caption", video="video_path")[2]) == [0, 13, 26, 39]


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".mkv"])
def test_folders_and_tars_of_videos(tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / "clips"
    (folder / "sub").mkdir(parents=True)
    write(folder / f"a{suffix}")
    write(folder / f"sub/b{suffix}", 12)
    (folder / "a.txt").write_text("a field\n")
    (folder / "sub/b.json").write_text('{"caption": "another", "score": 0.5}')
    write(folder / f"c{suffix}")
    (folder / f"d{suffix}").write_bytes(b"")
    (folder / "d.txt").write_text("empty")
    reader = opened(folder, says="file")
    assert [reader.key(n) for n in range(4)] == [f"{n}{suffix}" for n in ("a", "c", "d", "sub/b")]
    assert [shape(reader[n]) for n in (0, 3)] == [["#4", "a field"], ["#4", "another"]]
    assert reader.facts(3) == {"caption": "another", "score": 0.5}
    assert list(reasons(reader).values()) == [
        "no caption: neither .txt nor .json",
        "the video is empty",
    ]
    with tarfile.open(tmp_path / "0.tar", "w") as tar:
        for name in (f"a{suffix}", "a.txt", f"sub/b{suffix}", "sub/b.json", f"c{suffix}", "d.txt"):
            add(tar, name, (folder / name).read_bytes())
        add(tar, f"e{suffix}", b"no video")
        add(tar, "e.txt", b"x")
        add(tar, f"f{suffix}", (folder / f"a{suffix}").read_bytes())
        add(tar, "f.txt", b"\xff")
    archive = opened(tmp_path / "0.tar", says="file")
    assert archive[0].segments == reader[0].segments
    assert archive[1].segments == reader[3].segments
    assert archive.key(1) == "0.tar/sub/b" and archive.shard(1) == "0.tar"
    found = reasons(archive)
    assert found.pop("0.tar/e").startswith("video video: cannot be decoded")
    assert found.pop("0.tar/f").startswith("the caption (.txt) cannot be read")
    assert found == {
        "0.tar/c": "no caption: neither .txt nor .json",
        "0.tar/d": "no video (.mp4, .webm, .mkv, .avi, .mov)",
    }
    assert set(reasons(archive)) == {archive.key(n) for n in (2, 3, 4, 5)}


def test_a_cut_tar_of_videos_loses_its_end(tmp_path: Path) -> None:
    video = write(tmp_path / "a.mp4").read_bytes()
    path = tmp_path / "0.tar"
    with tarfile.open(path, "w") as tar:
        for key in ("a", "b"):
            add(tar, f"{key}.mp4", video)
            add(tar, f"{key}.txt", b"x")
    path.write_bytes(path.read_bytes()[: len(video) + 2400])
    reader = opened(path, says="file")
    assert len(reader[0].segments) == 5
    assert list(reasons(reader).values()) == ["the archive ends within this file"]


def test_videos_in_a_tar_beside_the_annotations(tmp_path: Path) -> None:
    data = write(tmp_path / "x.webm").read_bytes()
    (tmp_path / "x.webm").unlink()
    with tarfile.open(tmp_path / "clips.tar", "w") as tar:
        add(tar, "deep/a.webm", data)
        add(tar, "deep/e.mp4", b"")
    records = [{"video": name, "caption": "grey"} for name in ("deep/a.mp4", "deep/e", "deep/n")]
    path = write_json(tmp_path / "x.json", records)
    for images in (None, tmp_path / "clips.tar"):
        reader = opened(path, images, says="caption")
        assert frames(reader[0]) == [0, 13, 26, 39]
        assert [reason.split(" (")[0] for reason in reasons(reader).values()] == [
            "video 'deep/e.mp4' is empty", "video 'deep/n' is missing",
        ]  # fmt: skip


def test_broken_videos_and_records_are_named(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.mp4").read_bytes()
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 3])
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / "twice.mp4", 2)
    expected = {
        "outside": said("q", "a", video="../a.mp4"),
        "outside the": said("q", "a", video="/etc/a.mp4"),
        "is missing": said("q", "a", video="gone.mp4"),
        "'empty.mp4' is empty": said("q", "a", video="empty"),
        "cannot be decoded": said("q", "a", video="text"),
        "video cut.mp4": said("q", "a", video="cut"),
        "is not unique": said("q", "a", video="twice"),
        "2 placeholders for 1": said("<video><image>", "a", video="a"),
        "1 placeholders for 0": said("<video> ?", "a"),
        "a picture and no video": said("q", "a", image="a.jpg"),
        "empty answer": said("q", " ", video="a"),
        "without an answer": said("q", video="a"),
        "expected from": {"conversations": [{"from": "system", "value": "x"}], "video": "a"},
        "expected a list": {"video": "a", "conversations": "x"},
        "no field names": {"q": "x", "a": "y", "video": {"a": 1}},
        "no question": {"video": "a", "q": 1, "a": "x"},
        "expected a JSON object": [1],
    }
    path = write_lines(tmp_path / "x.jsonl", list(expected.values()))
    found = reasons(opened(path))
    assert list(found) == [f"x.jsonl:{n}" for n in range(1, 1 + len(expected))]
    for wanted, reason in zip(expected, found.values(), strict=True):
        assert wanted in reason, (wanted, reason)


def test_layouts_are_told_by_their_records_or_named(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4")
    (tmp_path / "clips").mkdir()
    write(tmp_path / "clips/video7.mp4")
    (tmp_path / "clips/video7.txt").write_text("seven")
    write(tmp_path / "clips/x.mp4")
    (tmp_path / "clips/x.json").write_text('{"caption": "ten"}')
    (tmp_path / "youtube_mapping.txt").write_text("x vid7\n")
    (tmp_path / "captions.txt").write_text("video7 seven\n")
    whole = {"idx": "-1", "content": "whole"}
    share = {"video_id": "a", "video_path": "a.mp4", "keyframe": [0, 9], "captions": [whole]}
    asked = {"question": "q", "answer": "a", "video_id": 7}
    for file, content, format, wanted in (
        ("chat.json", [said("q", "a", video="a.mp4")], "auto", ["#8", "q", "a"]),
        ("gpt.json", [{"video_id": "a", "q": "q", "a": "a"}], "auto", ["#8", "q", "a"]),
        ("qa.json", [asked | {"video_id": "a"}], "auto", ["#8", "q", "a"]),
        ("share.json", [share], "auto", ["#2", "whole"]),
        ("rtt_qa.json", [asked], "msrvtt_qa", ["#8", "q", "a"]),
        ("msvd_qa.json", [asked], "msvd_qa", ["#8", "q", "a"]),
        ("captions.txt", None, "msvd", ["#8", "seven"]),
        ("rtt.json", {"sentences": [{"video_id": "a", "caption": "c"}]}, "msrvtt", ["#8", "c"]),
        ("clips", None, "auto", ["#8", "seven"]),
        ("clips", None, "video_captions", ["#8", "seven"]),
    ):
        if content is not None:
            write_json(tmp_path / file, content)
        reader = open_corpus("v", tmp_path / file, format)
        assert shape(reader[0]) == wanted, file
    wrong = open_corpus("v", tmp_path / "rtt_qa.json", "video_qa")
    assert "for numbers see the formats msrvtt_qa and msvd_qa" in reasons(wrong).popitem()[1]
    own = tmp_path / "own.yaml"
    own.write_text("kind: video\nrecords: {frames: {rate: 1.0}, timestamps: true}\n")
    assert len(open_corpus("v", tmp_path / "chat.json", str(own))[0].segments) == 10
    own.write_text("kind: video\nrecords: {frame: {rate: 1.0}}\n")
    with pytest.raises(ConfigError, match="frame"):
        open_corpus("v", tmp_path / "chat.json", str(own))


def test_videos_can_be_built_into_shards(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    write(tmp_path / "src/a.mp4")
    write_json(tmp_path / "src/chat.json", [said("q", "a", video="a.mp4")] * 3)
    source = tmp_path / "src/chat.json"
    build(plan_build(Source(str(source)), tmp_path / "to", (2, "documents")))
    built, read = open_corpus("b", tmp_path / "to"), open_corpus("v", source)
    assert [built[n].segments for n in range(3)] == [read[n].segments for n in range(3)]


def test_the_fingerprint_tells_what_shapes_documents(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4")
    path = write_json(tmp_path / "x.json", [said("q", "a", video="a")])
    first = opened(path).fingerprint()
    assert first == opened(path).fingerprint()
    assert first != opened(path, frames={"count": 5}).fingerprint()
    assert first != opened(path, timestamps=True).fingerprint()
    write(tmp_path / "a.mp4", 20)
    assert first != opened(path).fingerprint()


@pytest.mark.parametrize(
    "wrong",
    [
        {"start": "a"},
        {"rows": "x", "columns": True},
        {"keyframes": True, "start": "a", "end": "b"},
        {"name": "video"},
        {"says": "song"},
    ],
)
def test_layouts_that_make_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        VideoRecords(**wrong)
    assert VideoRecords().frames == FrameSampling()
