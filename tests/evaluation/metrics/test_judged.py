"""What becomes of a judge's scores."""

import pytest

from vilax.config.errors import ConfigError
from vilax.evaluation.metrics import MmVetItem, llava_bench, mm_vet, video_qa
from vilax.evaluation.metrics.judged import (
    parse_llava_bench_reply,
    parse_mm_vet_reply,
    parse_video_qa_reply,
)


def test_mm_vet_overlapping_capabilities_and_exact_sets() -> None:
    items = [
        MmVetItem("1", ["ocr", "math"], [1.0, 0.5]),
        MmVetItem("2", ["rec"], [0.0, 0.0]),
        MmVetItem("3", ["math", "ocr", "rec"], [0.5, 0.5]),
    ]
    found = mm_vet(items)
    assert found.total == 41.7 and found.std == 8.3
    assert found.capability == {"ocr": 62.5, "math": 62.5, "rec": 25.0}
    assert found.integration == {"ocr_math": 75.0, "rec": 0.0, "rec_ocr_math": 50.0}
    as_mappings = [{"id": i.id, "capabilities": i.capabilities, "scores": i.scores} for i in items]
    assert mm_vet(as_mappings) == found
    assert mm_vet(items, decimals=None).total == pytest.approx(125 / 3)
    assert mm_vet([]).total == 0.0
    assert mm_vet([MmVetItem("1", ["ocr"], [])]).capability == {"ocr": 0.0}
    with pytest.raises(ConfigError, match="2 has 1 runs and 1 has 2"):
        mm_vet([MmVetItem("1", ["ocr"], [1.0, 0.5]), MmVetItem("2", ["ocr"], [1.0])])


def test_mm_vet_rounds_halves_as_numpy_adds() -> None:
    scores = ([0.3, 0.8], [0.0, 0.8], [0.4, 1.0], [0.2, 0.0])
    found = mm_vet([MmVetItem(str(n), ["rec"], one) for n, one in enumerate(scores)])
    assert (found.total, found.std) == (43.8, 21.3)  # the deviation is 21.25 and some last bits


def test_llava_bench_rounds_means_first_and_keeps_lost_reviews() -> None:
    items = [("conv", 8.0, 7.0), ("conv", 9.0, 8.0), ("detail", -1.0, -1.0)]
    found = llava_bench(items)
    assert found.overall == round(round(14 / 3, 3) / round(16 / 3, 3) * 100, 1)
    assert found.categories["conv"] == 88.2 and found.lost == 1
    assert found.overall_without_lost == 88.2
    assert llava_bench([("conv", 0.0, 1.0)]).overall == 0.0


def test_llava_bench_adds_all_in_the_order_of_the_file() -> None:
    items = [
        ("b", 2.6, 9.2), ("a", 4.2, 2.6), ("b", 9.6, 2.4), ("a", 6.5, 8.6),
        ("b", 5.9, 8.5), ("b", 4.4, 10.0), ("a", 9.4, 4.0), ("a", 4.6, 3.2),
    ]  # fmt: skip
    assert llava_bench(items).overall == 102.7  # category by category it would be 102.8


def test_video_qa() -> None:
    items = [("yes", 4.8), ("No", 0.0), ("YES, maybe no", 3.0), ("unclear", 2.0), None]
    found = video_qa(items)
    assert found.accuracy == pytest.approx(200 / 3)
    assert found.score == pytest.approx(9 / 4)
    assert (found.neither, found.lost) == (1, 1)
    assert video_qa([]).accuracy == 0.0


def test_replies() -> None:
    assert parse_mm_vet_reply("0.5 because") == 0.5
    assert parse_mm_vet_reply("1.5") is None and parse_mm_vet_reply("good") is None
    assert parse_llava_bench_reply("8, 9\nbecause") is None
    assert parse_llava_bench_reply("8,9") == (8.0, 9.0)
    assert parse_llava_bench_reply("8 9 ") is None and parse_llava_bench_reply("\n8 9") is None
    assert parse_video_qa_reply("Sure: {'pred': 'yes', 'score': 4.8} done {}") == ("yes", 4.8)
    assert parse_video_qa_reply("{'pred': __import__('os')}") is None
    assert parse_video_qa_reply("yes") is None
    assert parse_mm_vet_reply("nan") is None


@pytest.mark.parametrize(
    "reply",
    [
        "{'pred': 'yes', 'score': 'nan'}", "{'pred': 'yes', 'score': 1e999}",
        f"{{'pred': 'yes', 'score': 1{'0' * 400}}}", "{'pred': True, 'score': 4}",
        "{'pred': 'yes'}", "{'yes', 4}", "{'pred': 'yes', 'score': None}",
    ],
)  # fmt: skip
def test_a_reply_that_would_stop_the_reference_is_lost(reply: str) -> None:
    found = video_qa([parse_video_qa_reply(reply), ("yes", 4.0)])
    assert (found.accuracy, found.score, found.lost) == (100.0, 4.0, 1)
