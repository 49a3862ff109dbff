"""What sharing saved over all comparisons of a report."""

from pathlib import Path

import pytest

from tests.ablation.report import samples
from tests.ablation.report.reading import parse
from vilax.ablation.report.accumulate import publish
from vilax.ablation.report.content import comparison
from vilax.ablation.report.model import Report
from vilax.ablation.report.sharing import saved
from vilax.ablation.report.write import read, report_folder
from vilax.ablation.savings import savings


def test_the_index_and_the_json_say_what_the_store_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path))
    one = samples.collected(tmp_path / "made", (0, 1))
    index = publish([one], "micro")
    report = read(report_folder("micro"))
    assert report.savings is not None
    every = report.savings.every
    assert vars(savings([one])) == pytest.approx(vars(every), abs=2.0)
    # Eight runs of four stages and an evaluation; text is trained once, align twice a seed ...
    assert (every.wanted, every.distinct) == (40, 1 + 2 * (2 + 3 + 4) + 8)
    assert report.savings.base_stages == ("text",)
    without = report.savings.without_base
    assert every.apart - without.apart == pytest.approx(8 * samples.BUDGETS["text"] / 9000, abs=1)
    assert every.shared - without.shared == pytest.approx(samples.BUDGETS["text"] / 9000, abs=1)
    text = parse(index.read_text()).text
    assert "What sharing saved" in text and "text left out" in text
    assert f"{100 * every.shared / every.apart:.0f} %" in text
    assert "What sharing saved" in (index.parent / "report.md").read_text()


def test_comparisons_share_with_each_other(tmp_path: Path) -> None:
    one = comparison(samples.collected(tmp_path), has_examples=False)
    alone, twice = saved({"one": one}), saved({"one": one, "other": one})
    assert alone is not None and twice is not None
    assert twice.every.apart == pytest.approx(2 * alone.every.apart)
    assert twice.every.shared == pytest.approx(alone.every.shared)
    assert saved({}) is None


def test_a_report_of_before_is_read() -> None:
    assert Report(scale="micro", generated="", versions={}, comparisons={}).savings is None
