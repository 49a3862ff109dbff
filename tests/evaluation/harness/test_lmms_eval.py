"""lmms-eval asks a vilax model with pictures: the same numbers and answers as by our own code."""

import importlib
import io
import tomllib
from pathlib import Path

import datasets
import numpy as np
import PIL.Image
import pytest
import yaml
from lmms_eval.api.instance import Instance
from lmms_eval.evaluator import simple_evaluate
from lmms_eval.models.registry_v2 import ModelRegistryV2
from lmms_eval.tasks import TaskManager

from tests.evaluation.benchmark_files.pictures import video
from tests.evaluation.models import random_subject
from vilax.cli import harness_lmms
from vilax.config.errors import ConfigError
from vilax.config.schema.video import FrameSampling
from vilax.data.document import Document, Image, Text
from vilax.data.video import sample_frames
from vilax.evaluation.harness.lmms_eval import VilaxLmms
from vilax.evaluation.harness.visuals import read_visuals
from vilax.evaluation.subject import Subject
from vilax.models.decoding import generate, score

QUESTIONS = ["what is this ?", "is it a cat ?", "is it a dog or a cat ?"]
CHOICES = ["cat", "a dog", "it is a cat"]
UTILS = """\
def shown(doc):
    return [picture.convert("RGB") for picture in doc["pictures"]]

def asked(doc, lmms_eval_specific_kwargs=None):
    return doc["question"]
"""


def picture(number: int) -> PIL.Image.Image:
    pixels = np.random.default_rng(number).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    return PIL.Image.fromarray(pixels)


def png(image: PIL.Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


def pictures_of(number: int) -> list[PIL.Image.Image]:
    """One, two and three pictures."""
    return [picture(10 * number + place) for place in range(number + 1)]


@pytest.fixture
def tasks(tmp_path: Path) -> TaskManager:
    """Tasks over a parquet file with pictures in it."""
    rows = [
        {
            "question": text, "answer": number, "choices": CHOICES,
            "pictures": [{"bytes": png(one), "path": None} for one in pictures_of(number)],
        }
        for number, text in enumerate(QUESTIONS)
    ]  # fmt: skip
    features = datasets.Features(
        {
            "question": datasets.Value("string"), "answer": datasets.Value("int64"),
            "choices": datasets.List(datasets.Value("string")),
            "pictures": datasets.List(datasets.Image()),
        }
    )  # fmt: skip
    data = tmp_path / "items.parquet"
    datasets.Dataset.from_list(rows, features=features).to_parquet(str(data))
    folder = tmp_path / "tasks"
    folder.mkdir()
    (folder / "utils.py").write_text(UTILS)
    shared = {
        "dataset_path": "parquet", "dataset_kwargs": {"data_files": {"test": str(data)}},
        "test_split": "test",
    }  # fmt: skip
    functions = "doc_to_visual: !function utils.shown\ndoc_to_text: !function utils.asked\n"
    own = {
        "local_choice": {
            "output_type": "multiple_choice", "doc_to_choice": "choices", "doc_to_target": "answer",
            "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
        },
        "local_answer": {
            "output_type": "generate_until", "doc_to_target": "{{choices[answer]}}",
            "generation_kwargs": {"max_new_tokens": 5, "temperature": 0, "do_sample": False},
            "metric_list": [
                {"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}
            ],
        },
    }  # fmt: skip
    for name, task in own.items():
        text = yaml.safe_dump({**shared, "task": name, **task})
        (folder / f"{name}.yaml").write_text(text + functions)
    return TaskManager(include_path=str(folder), include_defaults=False, model_name="vilax")


def our_prompts(subject) -> tuple[list[list[int]], list]:
    prompts, features = [], []
    for number, text in enumerate(QUESTIONS):
        shown = [png(one) for one in pictures_of(number)]
        segments = (*map(Image, shown), Text(text, loss=False, role="user"))
        encoded = subject.prompts.prompt(Document("", "", segments), "vicuna_v1")
        prompts.append(encoded.tokens.tolist())
        features.append(subject.features(shown))
    return prompts, features


def request(doc: object, model: VilaxLmms, context: str, settings: object, to_visual) -> Instance:
    model.task_dict["local"] = {"test": [doc]}
    arguments = (context, settings, to_visual, 0, "local", "test")
    meta = {"task": "local", "doc_id": 0, "repeats": 1}
    return Instance("generate_until", arguments, 0, metadata=meta)


def test_choices_are_as_likely_as_by_our_score(subject, tasks) -> None:
    model = VilaxLmms(subject, batch=2)
    found = simple_evaluate(model, tasks=["local_choice"], task_manager=tasks)
    prompts, features = our_prompts(subject)
    tokens = [[subject.prompts.continuation(c, "vicuna_v1") for c in CHOICES] for _ in QUESTIONS]
    ours = score(subject.model, prompts, tokens, features, 0)
    right = []
    for sample in found["samples"]["local_choice"]:
        number = sample["doc_id"]
        theirs = [loss for ((loss, _),) in sample["resps"]]
        each = [-v / len(t) for v, t in zip(ours[number], tokens[number], strict=True)]
        assert theirs == pytest.approx(each, abs=1e-4)
        # A loss: the harness takes the smallest.
        assert sample["acc"] == float(int(np.argmin(each)) == number)
        right.append(sample["acc"])
    assert len(right) == 3
    assert found["results"]["local_choice"]["acc,none"] == pytest.approx(np.mean(right))


def test_answers_are_those_of_our_generate(subject, tasks) -> None:
    model = VilaxLmms(subject, batch=2)
    found = simple_evaluate(model, tasks=["local_answer"], task_manager=tasks)
    prompts, features = our_prompts(subject)
    ours = generate(subject.model, prompts, features, 5, [subject.tokenizer.eos_token_id], 0)
    said = [subject.tokenizer.decode(one, skip_special_tokens=True) for one in ours]
    samples = sorted(found["samples"]["local_answer"], key=lambda one: one["doc_id"])
    assert [sample["resps"][0][0] for sample in samples] == said
    assert len(set(said)) > 1


def test_pictures_stand_where_the_text_says(subject) -> None:
    model = VilaxLmms(subject)
    a, b = Image(b"a"), Image(b"b")

    def text(said: str) -> Text:
        return Text(said, loss=False, role="user")

    marked = model.document("Compare <image> with <image> now", [(b"a",), (b"b",)])
    assert marked.segments == (text("Compare"), a, text("with"), b, text("now"))
    assert model.document("what?", [(b"a",), (b"b",)]).segments == (a, b, text("what?"))
    # A video has one mark; a number of marks that does not fit counts as none.
    assert model.document("<image> what?", [(b"a", b"b")]).segments == (a, b, text("what?"))
    assert model.document("x <image> y", []).segments == (text("x <image> y"),)
    two = model.document("<image> <image> <image>", [(b"a",), (b"b",)])
    assert two.segments[:2] == (a, b)
    raw = VilaxLmms(subject, template="raw").document(" <image> what? ", [(b"a",)])
    assert raw.segments == (Text(" ", loss=False), a, Text(" what? ", loss=False))


def test_a_video_is_shown_as_frames(subject, tmp_path) -> None:
    path = tmp_path / "moving.mp4"
    video(path, frames=12)
    seen: list[list[bytes]] = []

    def features(pictures):
        seen.append(list(pictures))
        return subject.features(pictures)

    watched = Subject(subject.model, subject.tokenizer, features)
    model = VilaxLmms(watched, frames=3)
    asked = request({}, model, "what is this ?", {"max_new_tokens": 3}, lambda doc: [str(path)])
    (answer,) = model.generate_until([asked])
    frames = [one.data for one in sample_frames(path, FrameSampling(count=3))]
    assert seen == [frames]
    encoded = subject.prompts.prompt(model.document("what is this ?", [tuple(frames)]), "vicuna_v1")
    tokens = [encoded.tokens.tolist()]
    ours = generate(subject.model, tokens, [subject.features(frames)], 3, [1], 0)[0]
    assert answer == subject.tokenizer.decode(ours, skip_special_tokens=True)


def test_a_picture_keeps_its_pixels() -> None:
    for mode in ("RGB", "L", "RGBA", "P", "1", "CMYK"):
        original = picture(3).convert(mode)
        ((data,),) = read_visuals([original], FrameSampling(), "task")
        wanted = np.asarray(original.convert("RGB"))
        assert (np.asarray(PIL.Image.open(io.BytesIO(data)).convert("RGB")) == wanted).all()


def test_a_picture_s_file_is_shown_as_it_is(tmp_path) -> None:
    picture(1).save(tmp_path / "one.JPG")
    shown = [[str(tmp_path / "one.JPG")], None, tmp_path / "one.JPG"]
    data = (tmp_path / "one.JPG").read_bytes()
    assert read_visuals(shown, FrameSampling(), "task") == [(data,), (data,)]


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        ([{"array": [0.0], "sampling_rate": 8000}], "dict"),
        (["no/such.mp4"], "no/such.mp4"),
        (["no/such.png"], "no/such.png"),
    ],
)
def test_what_is_no_picture_is_refused(shown, said) -> None:
    with pytest.raises(ConfigError, match=said):
        read_visuals(shown, FrameSampling(), "task")


def test_a_text_only_model_is_not_shown_pictures(subject) -> None:
    model = VilaxLmms(Subject(subject.model, subject.tokenizer, None))
    asked = request({}, model, "what ?", {"max_new_tokens": 2}, lambda doc: [picture(0)])
    with pytest.raises(ConfigError, match="text-only"):
        model.generate_until([asked])
    # Without pictures it answers.
    assert model.generate_until([request({}, model, "what ?", {"max_new_tokens": 2}, None)])


def test_an_answer_gets_the_room_that_its_prompt_leaves() -> None:
    subject = random_subject(context=60)
    model = VilaxLmms(subject, template="qa")
    found = generate_one(model, {"max_new_tokens": 400}, "what is this ?")
    prompt = model.document("what is this ?", [(png(picture(0)),)])
    tokens = subject.prompts.prompt(prompt, "qa").tokens.tolist()
    features = [subject.features([png(picture(0))])]
    ours = generate(subject.model, [tokens], features, 60 - len(tokens), [1], 0)[0]
    assert len(ours) == 60 - len(tokens)
    assert found == subject.tokenizer.decode(ours, skip_special_tokens=True)
    with pytest.raises(ConfigError, match="context has 60"):
        generate_one(model, {"max_new_tokens": 2}, "what is this ? " * 16)


def generate_one(model: VilaxLmms, settings: dict, context: str) -> str:
    return model.generate_until([request({}, model, context, settings, lambda doc: [picture(0)])])[
        0
    ]


def test_an_answer_may_have_paragraphs_but_ends_at_a_stop(subject, monkeypatch) -> None:
    said = "one\n\ntwo # three"
    monkeypatch.setattr(type(subject.tokenizer), "decode", lambda *_, **__: said)
    model = VilaxLmms(subject)
    assert generate_one(model, {"until": ["\n\n"], "max_new_tokens": 2}, "what ?") == said
    cut = generate_one(model, {"until": ["\n\n", "#"], "max_new_tokens": 2}, "what ?")
    assert cut == "one\n\ntwo "


def test_several_rounds_are_refused(subject) -> None:
    model = VilaxLmms(subject)
    with pytest.raises(ConfigError, match="rounds"):
        model.generate_until_multi_round([request({}, model, "what ?", {}, None)])


def test_a_template_that_asks_nothing_is_refused(subject) -> None:
    with pytest.raises(ConfigError, match="plain"):
        VilaxLmms(subject, template="plain")
    with pytest.raises(ConfigError, match="vicuna_v1"):
        VilaxLmms(subject, template="vicuna")


def test_lmms_eval_s_own_command_finds_vilax(subject, monkeypatch) -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    module, _, name = project["entry-points"]["lmms_eval.models"]["vilax"].partition(":")
    registry = ModelRegistryV2()
    registry.register_manifest(getattr(importlib.import_module(module), name)())
    found = registry.get_model_class("vilax")
    opened: list[str] = []
    monkeypatch.setattr(harness_lmms, "open_subject", lambda name: opened.append(name) or subject)
    words = "model=outputs/store/stage/1a2b,template=qa,frames=2"
    model = found.create_from_arg_string(words, {"batch_size": 3, "device": "cpu"})
    assert opened == ["outputs/store/stage/1a2b"]
    assert (model.template, model.frames.count) == ("qa", 2)
    with pytest.raises(ConfigError, match="number"):
        found.create_from_arg_string("model=0123456789")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="WORLD_SIZE"):
        found.create_from_arg_string(words)
