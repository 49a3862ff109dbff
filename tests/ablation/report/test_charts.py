import pytest

from vilax.ablation.report.charts import Level, Series, bounds, compact, lines, mark, ticks
from vilax.ablation.report.forest import interval


def test_ticks_are_round_and_within() -> None:
    assert ticks(0, 100) == [0, 25, 50, 75, 100]
    assert ticks(-20, 20) == [-20, -10, 0, 10, 20]
    assert ticks(0.03, 0.11) == [0.04, 0.06, 0.08, 0.1]
    assert ticks(1, 1) == [1]


@pytest.mark.parametrize("values", [[3.0, 47.0], [0.0, 0.0], [5.0], [-3.0, 2.0], [1.42, 1.57]])
@pytest.mark.parametrize("zero", [True, False])
def test_bounds_hold_all_values(values: list[float], zero: bool) -> None:
    low, high = bounds(values, zero)
    assert low <= min(values) <= max(values) <= high
    assert low < high
    assert not zero or low <= 0 <= high


def test_no_points_no_chart() -> None:
    assert lines("empty", [], "shots", [0]) == ""
    assert lines("empty", [Series("a", [], 0)], "shots", [0]) == ""


def test_labels_do_not_overlap() -> None:
    series = [Series(str(i), [(0, 50), (4, 0.1 * i)], i) for i in range(6)]
    drawn = lines("many", series, "shots", [0, 4], [Level("chance", 0.0)])
    places = [
        float(part.split('y="')[1].split('"')[0])
        for part in drawn.split("<text ")
        if 'class="end' in part or 'class="small' in part
    ]
    assert len(places) == 7
    assert all(b - a >= 11.99 for a, b in zip(sorted(places), sorted(places)[1:], strict=False))
    assert max(places) < 190


def test_one_point_is_drawn() -> None:
    assert "<circle" in lines("one", [Series("a", [(0, 3)], 0)], "shots", [0])


def test_an_interval_beyond_the_scale_ends_in_an_arrow() -> None:
    inside = interval(0, -1, 1, 5, (-2, 2), "v-holds")
    beyond = interval(0, -9, 1, 5, (-2, 2), "v-holds")
    assert "<polygon" not in inside
    assert beyond.count("<polygon") == 1


def test_styles_differ_without_colour() -> None:
    assert len({mark(0, 0, style).split("class")[0] for style in range(2)}) == 2
    assert len({mark(0, 0, style).replace(f"s{style}", "") for style in range(4)}) == 4


def test_long_names_are_cut_and_many_marks_thinned() -> None:
    points = [(float(x), 1.0 + x) for x in range(30)]
    drawn = lines("deep", [Series("pages_cut_into_pairs", points, 0)], "layer", list(range(30)))
    assert "pages_c…to_pairs" in drawn
    assert "pages_cut_into_pairs from 1 to 30" in drawn.partition("</desc>")[0]
    assert drawn.count('text-anchor="middle"') <= 7


def test_large_numbers_on_axes_are_short() -> None:
    assert [compact(x) for x in (0, 12, 2500, 1_500_000, 2e9)] == ["0", "12", "2.5k", "1.5M", "2G"]


def test_the_papers_effect_is_a_mark_of_its_own() -> None:
    plain = interval(0, -1, 1, 5, (-2, 2), "v-holds")
    with_paper = interval(0, -1, 1, 5, (-2, 2), "v-holds", paper=3.0)
    assert "hollow" not in plain and "hollow" in with_paper
    assert "the paper&#x27;s effect +3" in with_paper
