"""Totals name what is wrong with a blend."""

import dataclasses

from tests.data.inspect.pages import island, page_of, question
from tests.data.writers import tokenizer
from vilax.data.inspect.content import Facts
from vilax.data.inspect.remarks import remarks
from vilax.data.inspect.tally import CorpusTally, Tally
from vilax.data.intake import Counts
from vilax.data.packing import pack
from vilax.data.prompt import PromptEncoder

FACTS = Facts(
    stage="sft",
    command="",
    settings=(),
    asked={"a": 0.5, "b": 0.5},
    per="images",
    sizes={"a": 1000, "b": 10},
    templates={"a": "raw", "b": "qa"},
    length=64,
    side=0,
    seed=0,
    spelling="words",
)


def test_a_sound_blend_gets_no_remark() -> None:
    documents = [question(f"q{n}", "what?", "a dog " * 8) for n in range(9)]
    _, tally = page_of(documents)
    page, _ = page_of(documents, tally.total.tokens // 3)
    assert island(page)["remarks"] == []
    assert "Worth a look" not in page


def test_what_is_worth_a_look_is_said() -> None:
    tally = Tally(["a", "b"])
    tally.positions = 20_000
    tally.corpora["a"] = CorpusTally(300, 10_000, 100, 290, 500)
    tally.corpora["b"] = CorpusTally(100, 2_000, 1_000, 10, 0)
    tally.intake = {"a": Counts(read=400, bad=30), "b": Counts(read=95, dropped={"x": 1})}
    said = remarks(FACTS, tally)
    assert [line.partition(":")[0] for line in said[:-1]] == ["a", "a", "a", "b", "a", "b"]
    for number, word in enumerate(
        ("1.00%", "30 left out of 400", "5.0% of its tokens are unknown", "9.5 times",
         "96.7% of the images", "3.3% of the images", "40% of all positions are padding")
    ):  # fmt: skip
        assert word in said[number]
    none = Tally(["a", "b"])
    assert remarks(dataclasses.replace(FACTS), none)[0] == "a: no document of it is in these rows."


def test_unknown_tokens_and_unseen_pictures_are_counted() -> None:
    chosen = tokenizer()
    encoder = PromptEncoder(chosen, 0)
    document = question("q", "what is zebra ?", "a zebra")
    row = pack([encoder.document(document, "raw")], 32, encoder.pad_id)
    tally = Tally(["web"], chosen.unk_token_id)
    tally.add(dataclasses.replace(row, images=(b"picture",), spans=(0,)))
    assert tally.total.unknown == 2
    assert tally.total.images == 0 and tally.unseen == 1
