"""Items, shots and prompts."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vilax.config.errors import ConfigError
from vilax.config.schema.data import Template
from vilax.data.document import Document, Image, Text
from vilax.data.prompt import PromptEncoder
from vilax.evaluation.few_shot import choose_shots, prompt_document, prompt_text
from vilax.evaluation.items import Item, read_split
from vilax.micro.tokenizer import build_tokenizer


def item(name: str, subject: str = "cat", **extra) -> Item:
    values = {
        "id": name,
        "image": f"images/{subject}.png",
        "subject": subject,
        "relation": "kind",
        "format": "colon",
        "between": ":",
        "after": ";",
        "question": None,
        "answers": ("mammal",),
        "candidates": ("mammal", "bird"),
        "novel": (),
        "shots": None,
        "shot_order": "draw",
    }
    return Item(**(values | extra))


def shown(document: Document, template: Template = "raw") -> str:
    tokenizer = build_tokenizer()
    prompt = PromptEncoder(tokenizer, 4).prompt(document, template)
    return prompt_text(prompt, tokenizer)


POOL = {f"s{i}": item(f"s{i}", subject=f"thing{i}") for i in range(12)}


@given(seed=st.integers(0, 10**6), k=st.integers(0, 8), more=st.integers(0, 4))
def test_fewer_shots_are_a_prefix_of_more(seed: int, k: int, more: int) -> None:
    query = item("q", shots=tuple(POOL))
    few = choose_shots(query, POOL, seed, k)
    many = choose_shots(query, POOL, seed, k + more)
    assert many[:k] == few
    assert len({shot.id for shot in many}) == k + more


@given(seed=st.integers(0, 1000), order=st.permutations(list(POOL)))
def test_shots_do_not_depend_on_the_order_of_anything(seed: int, order: list[str]) -> None:
    shuffled = {name: POOL[name] for name in order}
    one = choose_shots(item("q", shots=tuple(POOL)), POOL, seed, 4)
    other = choose_shots(item("q", shots=tuple(order)), shuffled, seed, 4)
    assert one == other


def test_another_seed_draws_others_and_never_the_items_own_subject() -> None:
    query = item("q", subject="thing3", shots=tuple(POOL))
    drawn = [tuple(s.id for s in choose_shots(query, POOL, seed, 4)) for seed in range(20)]
    assert len(set(drawn)) > 10
    assert all("s3" not in names for names in drawn)


def test_a_prefix_is_taken_in_order() -> None:
    query = item("q", shots=("s4", "s2", "s9"), shot_order="prefix")
    assert [s.id for s in choose_shots(query, POOL, 5, 2)] == ["s4", "s2"]


def test_a_prefix_may_show_the_subject_but_never_the_items_own_picture() -> None:
    pool = {
        "same": item("same"),
        "other drawing": item("other drawing", image="images/cat-1.png"),
        "other": item("other", subject="dog"),
    }
    query = item("q", shots=tuple(pool), shot_order="prefix")
    assert [s.id for s in choose_shots(query, pool, 0, 2)] == ["other drawing", "other"]
    with pytest.raises(ConfigError, match="item q has 2 possible shots, 3 are asked for"):
        choose_shots(query, pool, 0, 3)


def test_too_few_shots_are_named() -> None:
    with pytest.raises(ConfigError, match="item q has 1 possible shots, 4 are asked for"):
        choose_shots(item("q", shots=("s1",)), POOL, 0, 4)


def test_prompts_interleave_each_picture_with_its_own_text() -> None:
    shot = item("s", subject="dog")
    document = prompt_document(item("q"), [shot])
    assert [s.data if isinstance(s, Image) else s.text for s in document.segments] == [
        b"images/dog.png",
        ": mammal ;",
        b"images/cat.png",
        ":",
    ]
    assert shown(document) == "<image> : mammal ; <image> :"
    text = prompt_document(item("q"), [shot], "text")
    assert shown(text) == "dog : mammal ; cat :"
    assert len(text.segments) == 1
    assert not any(s.loss for s in document.segments if isinstance(s, Text))


def test_questions_become_turns() -> None:
    asked = {"question": "what is this ?", "format": None, "between": None, "after": None}
    document = prompt_document(item("q", **asked), [item("s", **asked)])
    roles = [s.role for s in document.segments if isinstance(s, Text)]
    assert roles == ["user", "assistant", "user"]
    turn = "<image> question : what is this ? answer :"
    assert shown(document, "qa") == f"{turn} mammal {turn}"


def write(path, rows) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_a_bad_line_is_named(tmp_path) -> None:
    write(tmp_path / "x.jsonl", [{"id": "only"}])
    write(tmp_path / "x_shots.jsonl", [])
    with pytest.raises(
        ConfigError, match=r"x\.jsonl line 1 is not an item: field 'image' is missing"
    ):
        read_split(tmp_path, "x", 0, 10)
    with pytest.raises(ConfigError, match=r"no y\.jsonl"):
        read_split(tmp_path, "y", 0, 10)


def test_development_seeds_see_other_items_and_a_subset_is_fixed(tmp_path) -> None:
    from dataclasses import asdict

    (tmp_path / "dev").mkdir()
    for folder, prefix in ((tmp_path, "t"), (tmp_path / "dev", "d")):
        write(folder / "x.jsonl", [asdict(item(f"{prefix}{i}")) for i in range(20)])
        write(folder / "x_shots.jsonl", [])
    test, again = read_split(tmp_path, "x", 0, 5), read_split(tmp_path, "x", 7, 5)
    assert [i.id for i in test.items] == [i.id for i in again.items]
    assert len(test.items) == 5
    assert {i.id[0] for i in read_split(tmp_path, "x", 100, 99).items} == {"d"}
