"""Layouts that a YAML describes, on files written as they are published."""

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from tests.data.test_video import write as write_video
from tests.data.writers import add, picture, write_lines, write_pairs, write_pictures
from vilax.config.errors import ConfigError
from vilax.data.document import Document, Image, Text
from vilax.data.formats import BUILT_IN, BadSample, Reader, open_corpus, told_format
from vilax.data.formats.layout import shipped

IMAGE = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])


def table(path: Path, rows: list[dict[str, Any]], **types: Any) -> Path:
    """Parquet as Hugging Face's datasets write it."""
    columns = {
        name: pyarrow.array([row[name] for row in rows], types.get(name)) for name in rows[0]
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.table(columns), path)
    return path


def turns(*said: str) -> list[dict[str, str]]:
    return [{"from": ("human", "gpt")[n % 2], "value": text} for n, text in enumerate(said)]


def onevision(folder: Path) -> Path:
    rows = [
        {
            "id": f"r{n}",
            "image": {"bytes": picture(n), "path": f"{n}.png"} if n else None,
            "conversations": turns("<image>\nwhat ?" if n else "what ?", f"a {n}"),
            "data_source": "x",
        }
        for n in range(3)
    ]
    return table(folder / "train-00000-of-00001.parquet", rows, image=IMAGE)


def cauldron(folder: Path) -> Path:
    said = [{"user": "q1", "assistant": "a1", "source": "s"}, {"user": "q2", "assistant": "a2"}]
    said = [{"source": "s", **one} for one in said]
    shown = [{"bytes": picture(n), "path": None} for n in range(2)]
    rows = [{"images": shown, "texts": said}, {"images": shown[:1], "texts": said[:1]}]
    return table(folder / "train.parquet", rows, images=pyarrow.list_(IMAGE))


def m3it(folder: Path) -> Path:
    inline = base64.b64encode(picture(1, size=(40, 30))).decode()
    base = {"instruction": "Describe.", "inputs": "", "outputs": "a dog"}
    rows = [
        {**base, "image_base64_str": [inline], "meta": "x"},
        {**base, "inputs": "In one word.", "image_base64_str": inline},
    ]
    return write_lines(folder / "train.jsonl", rows)


def obelics(folder: Path) -> Path:
    address = "https://example.org/pics/cat%201.png?w=3"
    other = "https://example.org/x.php?id=7"
    write_pictures(folder / "images", ["cat 1.png"])
    (folder / "images" / f"{hashlib.sha256(other.encode()).hexdigest()}.png").write_bytes(picture())
    rows = [
        {
            "images": [None, address, None, other, None],
            "metadata": "[]",
            "general_metadata": "{}",
            "texts": ["one", None, "two\n\nthree", None, "four"],
        }
    ]
    return table(folder / "obelics.parquet", rows)


def coyo_metadata(folder: Path) -> Path:
    write_pictures(folder / "images", ["8110.jpg", "8112.webp"])
    rows = [
        {
            "id": 8110 + n,
            "url": f"https://example.org/{n}",
            "text": f"caption {n}",
            "width": 8,
            "height": 6,
            "clip_similarity_vitb32": 0.1 * n,
            "clip_similarity_vitl14": 0.2 * n,
        }
        for n in range(3)
    ]
    return table(folder / "part-00000.parquet", rows)


def sharegpt4v(folder: Path) -> Path:
    write_pictures(folder, ["coco/train2017/1.jpg", "sam/images/2.jpg"])
    rows = [
        {"id": "1", "image": "coco/train2017/1.jpg", "conversations": turns("q\n<image>", "a")},
        {"id": "2", "image": "sam/images/2.jpg", "conversations": turns("<image> q", "a")},
    ]
    path = folder / "sharegpt4v.json"
    path.write_text(json.dumps(rows))
    return path


def messages(folder: Path) -> Path:
    write_pictures(folder, ["a.png", "b.png"])
    said = [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "<image><image> which ?"},
        {"role": "assistant", "content": "both"},
    ]
    path = folder / "m.json"
    path.write_text(json.dumps([{"messages": said, "images": ["a.png", "b.png"]}]))
    return path


def captions(folder: Path) -> Path:
    write_pictures(folder / "images", ["GCC_1.jpg"])
    rows = [{"id": "GCC_1", "image": "GCC_1.jpg", "caption": "a cat", "url": "x"}]
    path = folder / "metadata.json"
    path.write_text(json.dumps(rows))
    return path


def vflan(folder: Path) -> Path:
    write_pictures(folder, ["v.jpg"])
    return write_lines(folder / "v.jsonl", [{"question": "q", "answer": "a", "image": ["v.jpg"]}])


def shape(document: Document) -> list[str]:
    return ["#" if isinstance(s, Image) else s.text for s in document.segments]


def read(reader: Reader) -> tuple[list[Document], dict[str, str]]:
    good, bad = [], {}
    for index in range(len(reader)):
        try:
            good.append(reader[index])
            assert reader.key(index) == good[-1].key
        except BadSample as error:
            bad[error.key] = error.reason
    return good, bad


EXPECTED: list[tuple[Callable[[Path], Path], str, list[list[str]]]] = [
    (
        onevision,
        "llava_onevision",
        [["what ?", "a 0"], ["#", "what ?", "a 1"], ["#", "what ?", "a 2"]],
    ),
    (cauldron, "cauldron", [["#", "#", "q1", "a1", "q2", "a2"], ["#", "q1", "a1"]]),
    (m3it, "m3it", [["#", "Describe.", "a dog"], ["#", "Describe.\nIn one word.", "a dog"]]),
    (obelics, "obelics", [["one", "#", "two\n\nthree", "#", "four"]]),
    (coyo_metadata, "coyo_metadata", [["#", "caption 0"], ["#", "caption 2"]]),
    (sharegpt4v, "llava", [["#", "q", "a"], ["#", "q", "a"]]),
    (messages, "messages", [["#", "#", "which ?", "both"]]),
    (captions, "captions", [["#", "a cat"]]),
    (vflan, "vflan", [["#", "q", "a"]]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("write", "name", "shapes"), EXPECTED, ids=[write.__name__ for write, _, _ in EXPECTED]
)
def test_published_layouts(
    tmp_path: Path, write: Callable[[Path], Path], name: str, shapes: list[list[str]]
) -> None:
    path = write(tmp_path)
    assert told_format(path) == name
    reader = open_corpus("c", path)
    good, bad = read(reader)
    assert [shape(document) for document in good] == shapes
    assert len(bad) == (1 if name == "coyo_metadata" else 0)
    for document in good:
        spoken = [s for s in document.segments if isinstance(s, Text)]
        assert all(s.loss == (s.role != "user") for s in spoken)
        assert any(s.loss for s in spoken)
    assert reader.shard(0) == path.name
    assert open_corpus("c", path).fingerprint() == reader.fingerprint()
    assert [shape(d) for d in read(open_corpus("c", path, name))[0]] == shapes


def test_pictures_of_conversations_are_those_of_the_record(tmp_path: Path) -> None:
    document = open_corpus("c", onevision(tmp_path))[2]
    assert [s.data for s in document.segments if isinstance(s, Image)] == [picture(2)]
    assert document.key.endswith("(r2)")


def test_scores_of_metadata_are_facts(tmp_path: Path) -> None:
    reader = open_corpus("c", coyo_metadata(tmp_path))
    assert reader.facts(2)["clip_similarity_vitl14"] == pytest.approx(0.4)
    assert read(reader)[1] == {"part-00000.parquet:0:2 (8111)": "picture '8111' is missing"}


def test_pictures_may_lie_elsewhere_or_in_a_tar(tmp_path: Path) -> None:
    import tarfile

    path = captions(tmp_path / "a")
    (tmp_path / "a/images").rename(tmp_path / "elsewhere")
    assert list(read(open_corpus("c", path))[1].values()) == ["picture 'GCC_1.jpg' is missing"]
    assert len(read(open_corpus("c", path, images=tmp_path / "elsewhere"))[0]) == 1
    with tarfile.open(tmp_path / "pictures.tar", "w") as tar:
        add(tar, "GCC_1.jpg", picture())
    assert len(read(open_corpus("c", path, images=tmp_path / "pictures.tar"))[0]) == 1
    with pytest.raises(ConfigError, match=r"corpora.c.images=.* does not exist"):
        open_corpus("c", path, images=tmp_path / "none")


def test_a_yaml_of_ones_own(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["p.png"])
    chat = [{"who": "user", "words": "q"}, {"who": "assistant", "words": "a"}]
    path = write_lines(tmp_path / "x.jsonl", [{"dialogue": chat, "photo": "p.png"}])
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "kind: conversation\nturns: dialogue\nspeaker: who\nsaid: words\nimage: photo\n"
    )
    assert shape(open_corpus("c", path, str(mine))[0]) == ["#", "q", "a"]
    mine.write_text("kind: conversation\nturn: dialogue\n")
    with pytest.raises(ConfigError, match=r"mine.yaml: .*turn.*turns"):
        open_corpus("c", path, str(mine))
    with pytest.raises(ConfigError, match=r"'obelic'.*obelics"):
        open_corpus("c", path, "obelic")


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"messages": 3}, "'messages': expected list"),
        ({"messages": [{"role": "bot", "content": "x"}]}, "'bot'; expected human"),
        ({"messages": [{"role": "user", "content": "x"}]}, "without an answer"),
        ({"messages": [{"role": "assistant", "content": " "}]}, "empty answer"),
    ],
)
def test_faulty_conversations(tmp_path: Path, record: dict[str, Any], reason: str) -> None:
    path = write_lines(tmp_path / "m.jsonl", [record])
    (found,) = read(open_corpus("c", path, "messages"))[1].values()
    assert reason in found


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("../secret.png", "outside"),
        ("/etc/passwd", "outside"),
        ("link.png", "outside"),
        ("none.png", "missing"),
        ("", "nothing"),
        (3.5, "float"),
        ("empty.png", "empty"),
        ("A" * 65, "base64"),
    ],
)
def test_faulty_pictures(tmp_path: Path, image: object, reason: str) -> None:
    (tmp_path / "secret.png").write_bytes(picture())
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    (folder / "empty.png").write_bytes(b"")
    path = write_lines(folder / "c.jsonl", [{"image": image, "caption": "a"}])
    (found,) = read(open_corpus("c", path, "captions"))[1].values()
    assert reason in found


def test_a_picture_named_otherwise_is_noted(tmp_path: Path) -> None:
    (tmp_path / "p.jpg").write_bytes(picture())
    path = write_lines(tmp_path / "c.jsonl", [{"image": "p.jpg", "caption": "a"}])
    assert open_corpus("c", path)[0].notes == ("named .jpg, but holds a png",)


def test_faulty_pages(tmp_path: Path) -> None:
    rows = [
        {"images": [None], "texts": ["a", "b"], "metadata": ""},
        {"images": [None], "texts": [None], "metadata": ""},
        {"images": [None], "texts": [" "], "metadata": ""},
    ]
    reasons = list(read(open_corpus("c", table(tmp_path / "o.parquet", rows)))[1].values())
    assert [r.split(";")[0].split(":")[0] for r in reasons] == [
        "2 texts beside 1 images",
        "place 0",
        "a page without text",
    ]


def test_videos_and_pairs_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "v").mkdir()
    write_video(tmp_path / "v/a.mp4")
    (tmp_path / "v/a.txt").write_text("a clip")
    assert told_format(tmp_path / "v") == "video_captions"
    assert shape(open_corpus("v", tmp_path / "v")[0])[-1] == "a clip"
    chat = [{"video": "a.mp4", "conversations": turns("<video> what ?", "a clip")}]
    (tmp_path / "v/chat.json").write_text(json.dumps(chat))
    assert told_format(tmp_path / "v/chat.json") == "video_llava"
    assert shape(open_corpus("v", tmp_path / "v/chat.json")[0])[-1] == "a clip"
    asked = write_lines(tmp_path / "v/qa.jsonl", [{"video_id": "a", "q": "what ?", "a": "a clip"}])
    assert told_format(asked) == "video_chatgpt"
    assert shape(open_corpus("v", asked)[0])[-2:] == ["what ?", "a clip"]
    assert told_format(write_pairs(tmp_path / "p.tar", ["a"])) == "coyo"


def test_every_shipped_format_has_a_line_and_a_name_of_its_own() -> None:
    from vilax.config.describe import choices

    described = choices("format")
    assert set(described) == set(shipped())
    assert all(described.values())
    assert not set(shipped()) & set(BUILT_IN)
