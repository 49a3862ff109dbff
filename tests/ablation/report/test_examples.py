"""Items on which arms disagree: which are shown, and their pictures."""

import base64
import io
import json
from dataclasses import replace
from pathlib import Path

import PIL.Image
import pytest

from tests.ablation.fakes import freezing
from tests.ablation.report.samples import collected
from tests.training.test_stage import TINY
from vilax.ablation.collect import Collected
from vilax.ablation.report.examples import SIDE, examples, thumbnail
from vilax.data.formats.files import BadSample
from vilax.evaluation.items import read_split
from vilax.training.sources import corpus_path


def drawn(one: Collected) -> list[tuple[str, int, str]]:
    found = examples(one, (0, 4))
    assert found is not None
    return [(item.task, item.k, item.id) for item in found.items]


def test_items_are_few_of_the_endpoints_and_at_the_most_claimed_shots(tmp_path: Path) -> None:
    one = collected(tmp_path)
    found = examples(one, (0, 4))
    assert found is not None
    tasks = [item.task for item in found.items]
    assert tasks == ["open_answer"] * 2 + ["caption"] * 2 + ["relation"] * 2
    assert {item.k for item in found.items} == {4}
    for item in found.items:
        assert len({said.score for said in item.answers.values()}) > 1
        assert set(item.answers) == {"a", "b", "c", "d"}
        assert item.reference == "red"
        assert item.pictures == ()
    assert "seed 0" in found.rule and "SHA-256" in found.rule


def test_the_same_items_are_drawn_whatever_the_order_of_answers(tmp_path: Path) -> None:
    one = collected(tmp_path)
    before = drawn(one)
    for entry in one.results.values():
        file = entry.folder / "predictions.jsonl"
        if file.exists():
            file.write_text("\n".join(reversed(file.read_text().splitlines())) + "\n")
    assert drawn(one) == before


def test_where_arms_agree_nothing_is_shown(tmp_path: Path) -> None:
    one = collected(tmp_path)
    same = next(e for (_, _, stage), e in one.results.items() if stage == "evaluation")
    results = {
        place: same if place[2] == "evaluation" else entry for place, entry in one.results.items()
    }
    assert examples(replace(one, results=results), (0, 4)) is None
    assert examples(replace(one, results={}), (0, 4)) is None


def test_pictures_of_a_prompt_are_found_and_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path / "outputs"))
    one = collected(tmp_path / "invented")
    resolved = freezing((0,), tuple(w for w in TINY if w.startswith("micro.")))
    run = resolved.runs[0].run
    data = corpus_path(run, run.evaluation.data)
    items = read_split(data, "relation_seen", 0, 100).items
    for arm, score in (("a", 0.0), ("b", 1.0)):
        rows = [
            {"task": "relation", "k": 2, "seed": 0, "id": item.id, "score": score, "answer": arm}
            for item in items[:3]
        ]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (one.results[arm, 0, "evaluation"].folder / "predictions.jsonl").write_text(text)
    results = {
        place: entry
        for place, entry in one.results.items()
        if place[2] == "evaluation" and place[0] in "ab"
    }
    found = examples(replace(one, resolved=resolved, results=results), ())
    assert found is not None and len(found.items) == 2
    for item in found.items:
        assert item.k == 2
        assert len(item.pictures) == 3
        for uri in item.pictures:
            kind, _, content = uri.partition(",")
            assert kind == "data:image/webp;base64"
            picture = PIL.Image.open(io.BytesIO(base64.b64decode(content)))
            assert max(picture.size) <= SIDE
            assert len(content) < 6000


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(BadSample):
        thumbnail(b"no picture")
