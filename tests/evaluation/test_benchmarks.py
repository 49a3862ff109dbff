"""Every task of ``conf/task``, from its published files to predictions, results and submission."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.evaluation.benchmark_files import WRITERS
from tests.evaluation.models import random_subject
from vilax.config.compose import compose_task
from vilax.config.describe import choices
from vilax.config.errors import ConfigError
from vilax.config.schema.benchmark import BenchmarkTask
from vilax.config.schema.evaluation import Evaluation
from vilax.config.validate import validate
from vilax.evaluation.evaluate import evaluate
from vilax.evaluation.open_tasks import check_files
from vilax.evaluation.subject import Subject

COUNTS = {
    "activitynet_qa": 2, "bbh": 6, "coco_caption": 3, "coco_completion": 3, "drop": 6,
    "flickr30k_caption": 2, "flickr30k_completion": 2, "gqa": 6, "llava_bench": 4, "mm_vet": 4,
    "mmbench": 9, "mmbench_cn": 9, "mme": 14, "mmlu": 8, "mmmu": 6, "msrvtt_qa": 2, "msvd_qa": 2,
    "okvqa": 12, "okvqa_completion": 12, "perception_test": 4, "pope_adversarial": 12,
    "pope_popular": 12, "pope_random": 12, "science_qa": 5, "seed_bench": 6,
    "seed_bench_image": 4, "seed_bench_video": 2, "textvqa": 6, "textvqa_completion": 6,
    "textvqa_ocr": 6, "tgif_qa": 1, "video_mme": 6, "video_mme_subtitles": 6, "vizwiz": 5,
    "vizwiz_test": 5, "vqav2": 12, "vqav2_test": 5,
}  # fmt: skip
"""Questions that each writer makes of the split that the task asks."""


@pytest.fixture(scope="module")
def subject() -> Subject:
    return random_subject(context=4096)


composed = cache(compose_task)


def load(name: str, **changes: Any) -> BenchmarkTask:
    return validate(BenchmarkTask, composed(name)[1] | changes)


def ask(subject: Subject, name: str, task: BenchmarkTask, root: Path) -> tuple[dict, list[dict]]:
    settings = Evaluation(tasks={name: task}, benchmarks=str(root), batch=8)
    out = root / f"out-{name}"
    report = evaluate(subject, settings, [name], None, 0, out, "stage")
    rows = [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]
    return report["tasks"][name], rows


def test_every_task_has_a_writer() -> None:
    multi_image = {"open_mini_imagenet", "nlvr2", "blink", "muirbench"}
    assert set(choices("task")) - multi_image == set(WRITERS) == set(COUNTS)


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_from_files_to_results(subject: Subject, tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path)
    task = load(name, max_new_tokens=3)
    results, rows = ask(subject, name, task, tmp_path)
    assert len(rows) == COUNTS[name] * len(task.shots)
    assert results["items"] == COUNTS[name]
    assert set(results["scores"]) == {str(k) for k in task.shots}
    for row in rows:
        pictures = row["prompt"].count("<image>")
        assert (pictures > 0) == (task.pictures is not None or task.video is not None) or (
            name == "science_qa" and not row["facts"]["has_image"]
        )
        assert len(row["shots"]) == row["k"]
        assert row["id"] not in row["shots"]
    is_open = task.metric == "submission" or task.metric.startswith("judged_")
    for k, share in results["scores"].items():
        assert (share is None) == is_open
        if not is_open:
            low, high = results["interval"][k]
            assert 0 <= low <= high <= 1 and 0 <= share <= 1
            assert results["primary"] in results["figures"][k]
    assert results["files"] and results["cite"] and results["prompt"]
    assert not list((tmp_path / f"out-{name}").glob(".*"))


def test_a_perfect_model_has_perfect_figures(tmp_path: Path) -> None:
    """Each rule gives its largest value to the reference answers themselves."""
    from vilax.evaluation.benchmark import BenchmarkSource

    for name in sorted(WRITERS):
        root = tmp_path / name
        root.mkdir()
        WRITERS[name](root)
        task = load(name)
        if task.metric == "submission" or task.metric.startswith("judged_"):
            continue
        source = BenchmarkSource(name, task, root)
        answers = [perfect(name, question) for question in source.questions]
        scored = source.score(answers)
        if task.metric == "caption":
            assert scored.share is not None and scored.share > 0.05
        elif task.metric == "drop":
            # One output stands for one span, so a gold of two is out of its reach.
            assert scored.figures["f1 (spans split at commas)"] == pytest.approx(100)
            assert scored.share is not None and 0.7 < scored.share < 1
        else:
            assert scored.share == pytest.approx(1.0), name


def perfect(name: str, question: Any) -> str:
    if name == "bbh":
        return f"So the answer is {question.answers[0]}."
    if name.startswith("video_mme"):
        return f"The best answer is: {question.answers[0]}"
    return str(max(question.answers, key=question.answers.count))


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_what_is_missing_is_said_once_with_source_place_and_licence(
    tmp_path: Path, name: str
) -> None:
    settings = Evaluation(tasks={name: load(name), "other": load("pope_random")})
    settings = settings.model_copy(update={"benchmarks": str(tmp_path)})
    with pytest.raises(ConfigError) as caught:
        check_files(settings, [name, "other"])
    message = str(caught.value)
    task = load(name)
    assert "2 of 2 tasks" in message
    for fact in (task.title, task.source, task.licence, str(tmp_path), "AoiDragon/POPE"):
        assert fact in message


def test_prompts_are_the_papers(subject: Subject, tmp_path: Path) -> None:
    """The words that protocols.md asks for, around each benchmark's own fields."""
    from vilax.data.document import Text
    from vilax.evaluation.benchmark import BenchmarkSource

    single = "Answer the question using a single word or phrase."
    letter = "Answer with the option's letter from the given choices directly."
    wanted = {
        "vqav2": f"What color is the bus?\n{single}",
        "textvqa": f"what brand is number 0?\n{single}",
        "textvqa_ocr": (f"what brand is number 0?\nReference OCR token: NOKIA, 10:30\n{single}"),
        "vizwiz": (
            "What is in this can?\nWhen the provided information is insufficient, respond with"
            f" 'Unanswerable'.\n{single}"
        ),
        "mme": f"Is there a bus in this image?\n{single}",
        "mmbench": f"Which picture is it?\nA. a dog\nB. None\n{letter}",
        "seed_bench": (
            "How many towels are in the image?\nA. One\nB. Two\nC. Three\nD. Four\n" + letter
        ),
        "mm_vet": "What is x in the equation?",
        "msvd_qa": "what is a man doing",
    }
    for name, text in wanted.items():
        root = tmp_path / name
        root.mkdir()
        WRITERS[name](root)
        source = BenchmarkSource(name, load(name), root)
        asked = source.ask(0, 0, 0).document.segments
        assert [s.text for s in asked if isinstance(s, Text)] == [text], name


def test_a_quick_look_draws_whole_units_and_says_so(subject: Subject, tmp_path: Path) -> None:
    WRITERS["mme"](tmp_path)
    settings = Evaluation(tasks={"mme": load("mme")}, benchmarks=str(tmp_path), limit=3)
    report = evaluate(subject, settings, ["mme"], None, 0, tmp_path / "out", "stage")
    results = report["tasks"]["mme"]
    assert results["items"] == 4
    assert results["available"] == 14
    assert "evaluation.limit=3: 4 of 14 items" in results["notes"][0]


def test_what_cannot_be_shown_is_counted_and_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    """One broken picture and one broken video cost their own items alone."""
    from vilax.data.formats.files import BadSample

    subject = random_subject(context=4096)
    features = subject.features
    assert features is not None

    def strict(pictures: Any) -> Any:
        if b"broken" in pictures:
            raise BadSample("picture", "cannot be decoded")
        return features(pictures)

    subject.features = strict
    WRITERS["pope_random"](tmp_path)
    (tmp_path / "coco/val2014/COCO_val2014_000000310197.jpg").write_bytes(b"broken")
    results, rows = ask(subject, "pope_random", load("pope_random", max_new_tokens=2), tmp_path)
    assert [row["id"] for row in rows if "failed" in row] == [str(n) for n in range(7, 13)]
    assert results["counts"]["0"]["0"]["not asked"] == 6
    assert "6 items could not be asked" in results["notes"][0]

    WRITERS["msvd_qa"](tmp_path)
    (tmp_path / "msvd_qa/videos/vid1452.avi").write_bytes(b"no video")
    results, rows = ask(subject, "msvd_qa", load("msvd_qa", max_new_tokens=2), tmp_path)
    assert ["failed" in row for row in rows] == [False, True]
    assert "vid1452.avi" in rows[1]["failed"]
