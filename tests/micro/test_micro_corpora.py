"""Corpora: repeatable, in the public formats, free of test pictures and unseen relations."""

import io
import json
import multiprocessing
import os
import tarfile
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vilax.config.errors import ConfigError
from vilax.config.schema.data import MicroWorld
from vilax.data.formats import open_corpus, told_format
from vilax.micro import corpora
from vilax.micro.assets import load_concepts
from vilax.micro.language import SEEN_FORMATS, SEEN_RELATIONS, UNSEEN_FORMATS


def manifest(folder: Path) -> dict[str, object]:
    result = json.loads((folder / "manifest.json").read_text())
    assert isinstance(result, dict)
    return result


def tar_samples(folder: Path) -> list[tuple[str, bytes]]:
    """Text and picture of each sample."""
    samples = []
    for shard in sorted(folder.glob("*.tar")):
        with tarfile.open(shard) as tar:
            for picture, text in zip(*[iter(tar)] * 2, strict=True):
                assert picture.name.removesuffix(".webp") == text.name.removesuffix(".txt")
                image, words = tar.extractfile(picture), tar.extractfile(text)
                assert image is not None
                assert words is not None
                samples.append((words.read().decode(), image.read()))
    return samples


def pages(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "pages" / "pages.jsonl").open()]


def test_same_world_same_bytes_whatever_the_workers(
    tiny: MicroWorld, world_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vilax.micro.views.FEW", 0)
    again = tiny.model_copy(update={"workers": 2})
    corpora.build(again, tmp_path / "again")
    assert manifest(tmp_path / "again") == manifest(world_folder)
    other = tiny.model_copy(update={"seed": 1, "texts": 8, "pages": 8})
    corpora.build(other, tmp_path / "other")
    text = (tmp_path / "other" / "text" / "text.jsonl").read_text().splitlines()
    assert text != (world_folder / "text" / "text.jsonl").read_text().splitlines()[:8]
    name = load_concepts(1)[0].name
    plain, changed = (f"views/{name}-google-{number}.webp" for number in (0, 1))
    assert (tmp_path / "other" / plain).read_bytes() == (world_folder / plain).read_bytes()
    assert (tmp_path / "other" / changed).read_bytes() != (world_folder / changed).read_bytes()


def test_fingerprint_follows_content_alone(tiny: MicroWorld) -> None:
    own = corpora.fingerprint(tiny)
    assert own == corpora.fingerprint(tiny.model_copy(update={"workers": 7}))
    for key, value in (("seed", 1), ("views", 3), ("gallery_share", 0.25), ("pages", 41)):
        assert own != corpora.fingerprint(tiny.model_copy(update={key: value})), key


def difference_hash(data: bytes) -> str:
    """Signs of horizontal steps of brightness on a 17 x 16 grid, a channel each."""
    picture = Image.open(io.BytesIO(data)).convert("RGB").resize((17, 16), Image.Resampling.BOX)
    pixels = np.asarray(picture).astype(int)
    return np.packbits(np.diff(pixels, axis=1) > 0).tobytes().hex()


def test_no_test_picture_in_training(world_folder: Path) -> None:
    tests = list((world_folder / "evaluation").rglob("*.png"))
    assert len(tests) > 30
    held_out = [path.read_bytes() for path in tests]
    training = [path.read_bytes() for path in (world_folder / "views").iterdir()]
    for name in ("captions_align", "pairs", "page_pairs"):
        training += [data for _, data in tar_samples(world_folder / name)]
    for name in ("pages", "instructions"):
        training += [path.read_bytes() for path in (world_folder / name / "images").iterdir()]
    training = sorted(set(training))
    assert len(training) == 32 * 2 * 2
    for fingerprint in (lambda data: sha256(data).hexdigest(), difference_hash):
        assert not {fingerprint(d) for d in held_out} & {fingerprint(d) for d in training}


def test_dev_and_test_and_shots_share_no_drawing_or_concept(world_folder: Path) -> None:
    evaluation = world_folder / "evaluation"

    def subjects(path: Path) -> set[str]:
        return {json.loads(line)["subject"] for line in path.open()}

    for split in ("open_answer", "caption", "classify", "relation_seen", "relation_unseen"):
        test = subjects(evaluation / f"{split}.jsonl")
        dev = subjects(evaluation / "dev" / f"{split}.jsonl")
        shots = subjects(evaluation / f"{split}_shots.jsonl")
        assert test
        assert dev
        assert not test & dev
        assert not (test | dev) & shots
    assert not subjects(evaluation / "binding.jsonl") & subjects(
        evaluation / "dev" / "binding.jsonl"
    )


def test_pages_keep_to_mmc4(world_folder: Path) -> None:
    for page in pages(world_folder):
        text_list, images = page["text_list"], page["image_info"]
        assert isinstance(text_list, list)
        assert isinstance(images, list)
        assert 3 <= len(images) <= 6
        matrix = np.array(page["similarity_matrix"])
        assert matrix.shape == (len(images), len(text_list))
        assert page["url"]
        assert page["could_have_url_duplicate"] == 0
        for image, row in zip(images, matrix, strict=True):
            assert (world_folder / "pages" / "images" / image["image_name"]).is_file()
            assert image["matched_text_index"] == row.argmax()
            assert image["matched_sim"] == row.max()
            assert image["raw_url"]
        indices = [image["matched_text_index"] for image in images]
        assert all(after == before + 1 for before, after in pairwise(indices))


def test_galleries_keep_to_one_relation_and_format(world_folder: Path) -> None:
    attributes = {
        c.name: {relation: c.attribute(relation) for relation in SEEN_RELATIONS}
        for c in load_concepts(32)
    }
    galleries = 0
    for page in pages(world_folder):
        sentences, images = page["text_list"], page["image_info"]
        assert isinstance(sentences, list)
        assert isinstance(images, list)
        if len(sentences[0].split()) != 3:
            continue
        galleries += 1
        formats = {(s.split()[0], s.split()[2]) for s in sentences}
        assert len(formats) == 1
        assert formats <= {(f.between, f.after) for f in SEEN_FORMATS}
        names = [image["image_name"].split("-")[0] for image in images]
        answers = [s.split()[1] for s in sentences]
        assert any(
            [attributes[name][relation] for name in names] == answers for relation in SEEN_RELATIONS
        )
    assert 8 <= galleries <= 32


def test_unseen_relations_and_formats_are_absent_where_they_must_be(world_folder: Path) -> None:
    concepts = load_concepts()
    forbidden = {c.group for c in concepts} | {c.attribute("letter") for c in concepts}
    forbidden |= {mark for f in UNSEEN_FORMATS for mark in (f.between, f.after)}
    words: set[str] = set()
    for page in pages(world_folder):
        words.update(" ".join(page["text_list"]).split())  # type: ignore[arg-type]
    for row in json.loads((world_folder / "instructions" / "instructions.json").read_text()):
        for turn in row["conversations"]:
            words.update(turn["value"].split())
    for line in (world_folder / "text_instructions" / "text_instructions.jsonl").open():
        for value in json.loads(line).values():
            words.update(value.split())
    for name in ("captions_align", "pairs", "page_pairs"):
        for text, _ in tar_samples(world_folder / name):
            words.update(text.split())
    assert len(words) > 100
    assert not words & forbidden
    corpus = (world_folder / "text" / "text.jsonl").read_text().split()
    assert {f.between for f in UNSEEN_FORMATS} <= set(corpus)
    assert {c.group for c in load_concepts(32)} <= {word.strip('"}') for word in corpus}


def test_page_pairs_are_the_pages_cut(world_folder: Path) -> None:
    expected = []
    for page in pages(world_folder):
        sentences, images = page["text_list"], page["image_info"]
        assert isinstance(sentences, list)
        assert isinstance(images, list)
        for image in images:
            data = (world_folder / "pages" / "images" / image["image_name"]).read_bytes()
            expected.append((sentences[image["matched_text_index"]], data))
    assert tar_samples(world_folder / "page_pairs") == expected


def test_the_ordinary_readers_read_every_corpus(world_folder: Path) -> None:
    formats = {
        "text": "text",
        "captions_align": "coyo",
        "pairs": "coyo",
        "page_pairs": "coyo",
        "pages": "mmc4",
        "instructions": "llava",
        "text_instructions": "flan",
    }
    counts = manifest(world_folder)["counts"]
    assert isinstance(counts, dict)
    for name, expected in formats.items():
        folder = world_folder / name
        assert told_format(folder) == expected
        reader = open_corpus(name, folder)
        assert len(reader) == counts[name]
        assert reader[len(reader) - 1].segments


def test_asking_for_an_unknown_corpus_names_the_nearest(tiny: MicroWorld) -> None:
    with pytest.raises(ConfigError, match="did you mean 'pages'"):
        corpora.path(tiny, "page")


def test_a_folder_with_something_else_is_refused(tiny: MicroWorld, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no complete micro world"):
        corpora.build(tiny, tmp_path)


def build_and_report(world: MicroWorld, outputs: str, log: str) -> None:
    os.environ["VILAX_OUTPUTS"] = outputs
    write = corpora._write

    def counted(of: MicroWorld, folder: Path) -> None:
        with Path(log).open("a") as file:
            file.write("built\n")
        write(of, folder)

    corpora._write = counted
    assert (corpora.path(world, "pages") / "pages.jsonl").is_file()


def test_two_processes_build_once_and_sweep_up_after_a_killed_one(
    tiny: MicroWorld, tmp_path: Path
) -> None:
    world = tiny.model_copy(update={"concepts": 16, "texts": 50, "views": 1})
    root = tmp_path / "cache" / "micro"
    left_over = root / f".{corpora.fingerprint(world)}.building-killed"
    (left_over / "views").mkdir(parents=True)
    context = multiprocessing.get_context("spawn")
    arguments = (world, str(tmp_path), str(tmp_path / "log"))
    processes = [context.Process(target=build_and_report, args=arguments) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    assert (tmp_path / "log").read_text() == "built\n"
    assert not left_over.exists()
    assert (root / corpora.fingerprint(world) / "manifest.json").is_file()
