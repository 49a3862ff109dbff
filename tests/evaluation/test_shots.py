"""Which training items become shots."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluation.shot_questions import Eyes, asked, item, task
from vilax.config.errors import ConfigError
from vilax.evaluation.question import Question
from vilax.evaluation.shots import ShotChooser

POOL = [item(f"s{n}", label=f"l{n % 3}", subject=n % 2) for n in range(40)]
QUERY = asked("q", subject=1)

RULES: dict[str, dict[str, Any]] = {
    "random": {},
    "fixed": {"select": "fixed"},
    "balanced": {"balance": "label"},
    "fixed and balanced": {"select": "fixed", "balance": "label"},
    "within": {"within": "subject"},
    "pool": {"pool": 20},
    "all": {"balance": "label", "within": "subject", "pool": 30},
}


def chooser(
    items: Sequence[Question] = POOL, questions: Sequence[Question] = (QUERY,), **few: Any
) -> ShotChooser:
    eyes = Eyes() if few.get("select") == "similar" else None
    return ShotChooser("things", task(few), items, eyes, questions)


def ids(shots: Sequence[Question]) -> list[str]:
    return [shot.id for shot in shots]


@pytest.mark.parametrize("rule", RULES)
@given(name=st.text(max_size=5), seed=st.integers(0, 10**6), k=st.integers(0, 4))
def test_fewer_shots_are_a_prefix_of_more(rule: str, name: str, seed: int, k: int) -> None:
    query = asked(name, subject=0)
    many = ids(chooser(**RULES[rule]).choose(query, 8, seed))
    assert len(set(many)) == 8
    assert ids(chooser(**RULES[rule]).choose(query, k, seed)) == many[:k]


@pytest.mark.parametrize("rule", RULES)
@given(data=st.data(), seed=st.integers(0, 100))
def test_shots_do_not_depend_on_the_order_of_evaluation(
    rule: str, data: st.DataObject, seed: int
) -> None:
    queries = [asked(f"q{n}", subject=n % 2) for n in range(5)]
    together = chooser(questions=queries, **RULES[rule])
    order = data.draw(st.permutations(queries))
    found = {query.id: ids(together.choose(query, 3, seed)) for query in order}
    for query in queries:
        assert ids(chooser(**RULES[rule]).choose(query, 3, seed)) == found[query.id]


def test_seeds_and_questions_draw_differently_and_every_item_is_drawn() -> None:
    choose = chooser().choose
    assert len({tuple(ids(choose(QUERY, 4, seed))) for seed in range(20)}) == 20
    assert len({tuple(ids(choose(asked(f"q{n}"), 4, 0))) for n in range(20)}) == 20
    counts = Counter(name for seed in range(400) for name in ids(choose(QUERY, 4, seed)))
    assert set(counts) == {shot.id for shot in POOL}
    assert all(15 < count < 70 for count in counts.values())


def test_fixed_shots_are_the_first_of_the_file_for_every_seed() -> None:
    choose = chooser(select="fixed").choose
    assert ids(choose(QUERY, 3, 0)) == ids(choose(asked("other"), 3, 9)) == ["s0", "s1", "s2"]
    within = chooser(select="fixed", within="subject").choose
    assert ids(within(QUERY, 3, 0)) == ["s1", "s3", "s5"]


@given(seed=st.integers(0, 10**4), rounds=st.integers(1, 4))
def test_labels_take_turns(seed: int, rounds: int) -> None:
    shots = chooser(balance="label").choose(QUERY, 3 * rounds, seed)
    turns = [shots[start : start + 3] for start in range(0, len(shots), 3)]
    order = [shot.record["label"] for shot in turns[0]]
    assert sorted(order) == ["l0", "l1", "l2"]
    assert all([shot.record["label"] for shot in turn] == order for turn in turns)


def test_the_order_of_labels_is_drawn_and_a_label_that_runs_out_steps_aside() -> None:
    choose = chooser(balance="label").choose
    first = Counter(choose(QUERY, 1, seed)[0].record["label"] for seed in range(300))
    assert len(first) == 3 and all(60 < count < 140 for count in first.values())
    pool = [item("only", label="rare"), *(item(f"s{n}", label="often") for n in range(5))]
    shots = chooser(pool, balance="label").choose(QUERY, 5, 0)
    assert Counter(shot.record["label"] for shot in shots) == {"rare": 1, "often": 4}


def test_labels_are_expressions_over_what_a_shot_shows() -> None:
    pool = [item(f"s{n}", answers=("yes" if n < 8 else "no",)) for n in range(10)]
    shots = chooser(pool, balance="answers[0]").choose(QUERY, 4, 1)
    assert Counter(shot.answers[0] for shot in shots) == {"yes": 2, "no": 2}


@given(seed=st.integers(0, 1000))
def test_a_pool_is_drawn_once_for_all_questions_of_a_seed(seed: int) -> None:
    drawn = chooser(pool=6)
    seen = {name for n in range(40) for name in ids(drawn.choose(asked(f"q{n}"), 4, seed))}
    assert len(seen) == 6


def test_another_seed_has_another_pool() -> None:
    drawn = chooser(pool=6)
    assert len({frozenset(ids(drawn.choose(QUERY, 6, seed))) for seed in range(10)}) > 5


@given(
    data=st.data(),
    k=st.integers(1, 6),
    rule=st.sampled_from(["random", "fixed", "balanced", "pool"]),
)
def test_no_shot_shows_the_questions_picture_or_is_the_question(
    data: st.DataObject, k: int, rule: str
) -> None:
    """Half of the pool are the question's own items: it never comes across them."""
    shows = data.draw(st.lists(st.sampled_from([b"mine", b"other", b"third"]), min_size=30))
    pool = [item(f"s{n}", data, label=n % 2) for n, data in enumerate(shows)]
    query = asked("s3", b"mine", file="train.json")
    clean = [shot for shot in pool if shot.pictures[0].read() != b"mine" and shot.id != "s3"]
    few = RULES[rule]
    one = chooser(pool, [query], **few)
    try:
        shots = one.choose(query, k, 0)
    except ConfigError:
        assert rule == "pool" or len(clean) < k
        return
    assert len(set(ids(shots))) == k
    assert set(ids(shots)) <= set(ids(clean))


def test_what_the_guard_bars_is_counted_once_a_question_and_seed() -> None:
    pool = [item(f"s{n}", b"mine" if n in (0, 2, 9) else b"") for n in range(12)]
    query = asked("q", b"mine")
    one = chooser(pool, [query], select="fixed")
    assert ids(one.choose(query, 2, 0)) == ["s1", "s3"]
    assert one.barred == 2
    one.choose(query, 1, 0)
    one.choose(query, 2, 0)
    assert one.barred == 2
    one.choose(query, 8, 0)
    assert one.barred == 3
    one.choose(query, 2, 1)
    assert one.barred == 5


def test_too_few_shots_are_named() -> None:
    pool = [item("s1", b"mine", subject=1), item("s2", subject=1), item("s3", subject=2)]
    query = asked("q7", b"mine", subject=1)
    with pytest.raises(ConfigError) as caught:
        chooser(pool, [query], within="subject").choose(query, 2, 0)
    for fact in ("evaluation.tasks.things.shots", "'q7' has 1 possible shots", "2 are asked for",
                 "2 training items of the same subject", "1 are the question itself"):  # fmt: skip
        assert fact in str(caught.value)
    with pytest.raises(ConfigError, match="0 training items"):
        chooser([]).choose(QUERY, 1, 0)
    assert chooser([]).choose(QUERY, 0, 0) == []


ANGLES = [10, 50, 20, 90, 21, 180, 45, 300]


def turned(angles: Sequence[int] = ANGLES, **more: Any) -> list[Question]:
    return [item(f"at {a}", str(a).encode(), parity=a % 2, **more) for a in angles]


def test_similar_shots_are_the_nearest_with_the_most_alike_last() -> None:
    query = asked("q", b"22")
    one = chooser(turned(), [query], select="similar")
    assert ids(one.choose(query, 3, 0)) == ["at 10", "at 20", "at 21"]
    assert ids(one.choose(query, 3, 5)) == ids(one.choose(query, 3, 0))
    assert ids(one.choose(query, 5, 0))[-3:] == ids(one.choose(query, 3, 0))


@given(
    angles=st.lists(st.integers(60, 179), min_size=8, unique=True),
    at=st.integers(180, 230),
    k=st.integers(1, 8),
)
def test_fewer_similar_shots_are_the_nearest_of_more(angles: list[int], at: int, k: int) -> None:
    query = asked("q", str(at).encode())
    one = chooser(turned(angles), [query], select="similar")
    many = ids(one.choose(query, 8, 0))
    assert ids(one.choose(query, k, 0)) == many[8 - k :]
    assert many == [f"at {angle}" for angle in sorted(angles, key=lambda a: at - a)[:8][::-1]]


def test_similar_shots_keep_to_labels_groups_pools_and_the_guard() -> None:
    query = asked("q", b"21", subject=1, parity=0)
    one = chooser(turned(), [query], select="similar")
    assert ids(one.choose(query, 2, 0)) == ["at 10", "at 20"]
    assert one.barred == 1
    balanced = chooser(turned([1, 3, 5, 20, 24, 28]), [query], select="similar", balance="parity")
    assert ids(balanced.choose(query, 4, 0)) == ["at 3", "at 5", "at 24", "at 20"]
    within = chooser(turned([19, 23, 90, 100]), [query], select="similar", within="parity")
    assert ids(within.choose(query, 2, 0)) == ["at 100", "at 90"]
    pooled = chooser(turned(), [query], select="similar", pool=3)
    assert len({frozenset(ids(pooled.choose(query, 2, seed))) for seed in range(12)}) > 3


def test_every_picture_is_encoded_once_and_equals_stand_in_the_order_of_the_file() -> None:
    queries = [asked(f"q{n}", str(n % 2 + 200).encode()) for n in range(300)]
    pool = [item(f"s{n}", str(n % 3 * 10).encode()) for n in range(30)]
    eyes = Eyes()
    one = ShotChooser("things", task({"select": "similar"}), pool, eyes, queries)
    shots = {query.id: ids(one.choose(query, 4, 0)) for query in queries}
    assert shots["q0"] == ["s9", "s6", "s3", "s0"]
    # The pool's once, and two in each of the three blocks of questions.
    assert Counter(eyes.seen) == {b"0": 1, b"10": 1, b"20": 1, b"200": 3, b"201": 3}


def test_of_several_pictures_the_mean_counts_and_of_none_nothing() -> None:
    def pair(name: str, *angles: int) -> Question:
        made = item(name)
        pictures = tuple(item("", str(a).encode()).pictures[0] for a in angles)
        object.__setattr__(made, "pictures", pictures)
        return made

    pool = [pair("none"), pair("wide", 0, 80), pair("far", 150, 170), pair("near", 30, 38)]
    query = asked("q", b"35")
    one = chooser(pool, [query], select="similar")
    assert ids(one.choose(query, 4, 0)) == ["far", "none", "wide", "near"]
    blank = asked("blank", None)
    assert len(chooser(pool, [blank], select="similar").choose(blank, 2, 0)) == 2


def test_likeness_needs_eyes_and_pictures() -> None:
    blind = ShotChooser("things", task({"select": "similar"}), POOL, None, [QUERY])
    with pytest.raises(ConfigError, match=r"select='similar': the model has no pictures"):
        blind.choose(QUERY, 1, 0)
    assert blind.choose(QUERY, 0, 0) == []
    with pytest.raises(ConfigError, match="the training split has no pictures"):
        chooser([item("s", None)], select="similar").choose(QUERY, 1, 0)
