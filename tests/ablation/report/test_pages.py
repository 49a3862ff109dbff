"""The pages as everybody must be able to use them: without network, eyes, colours or a mouse."""

import base64
import hashlib
import itertools
import json
import re
from typing import Any

import pytest

from tests.ablation.report.reading import Reader, parse
from tests.ablation.report.samples import collected
from vilax.ablation.report.content import content
from vilax.ablation.report.model import Report, SweepProgress
from vilax.ablation.report.page import anchor, comparison_page, file_name, index
from vilax.ablation.report.unrun import unrun

SWEEP = SweepProgress(
    host="here",
    pid=7,
    since="2026-01-01T00:00:00+00:00",
    updated="2026-01-01T00:01:00+00:00",
    comparisons=("freezing",),
    done=3,
    failed=1,
    total=12,
    running=("pretrain (b/0)",),
)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    made = content([collected(tmp_path_factory.mktemp("pages"), (0, 1, 2, 3, 4))], "micro")
    one = made.comparisons["freezing"]
    assert one.examples is not None
    first = one.examples.items[0].model_copy(update={"pictures": ("data:image/webp;base64,AA",)})
    examples = one.examples.model_copy(update={"items": (first, *one.examples.items[1:])})
    one = one.model_copy(update={"examples": examples})
    found = unrun("micro", made.comparisons)
    return made.model_copy(
        update={"comparisons": {"freezing": one}, "open": found, "sweeps": (SWEEP,)}
    )


@pytest.fixture(scope="module")
def pages(report: Report) -> dict[str, str]:
    made = {"report": index(report)}
    for name, one in (report.comparisons | report.open).items():
        made[name] = comparison_page(name, one, report)
    return made


@pytest.fixture(scope="module")
def readers(pages: dict[str, str]) -> dict[str, Reader]:
    return {name: parse(page) for name, page in pages.items()}


def of(reader: Reader, wanted: str) -> list[dict[str, str | None]]:
    return [attributes for tag, attributes in reader.tags if tag == wanted]


def test_pages_load_nothing(pages: dict[str, str], readers: dict[str, Reader]) -> None:
    for name, reader in readers.items():
        for tag, attributes in reader.tags:
            assert tag not in ("link", "iframe", "object", "embed", "base", "form"), name
            assert not {"srcset", "background", "style"} & set(attributes)
            assert not any(key.startswith("on") for key in attributes)
            assert (attributes.get("src") or "data:image/").startswith("data:image/")
            target = attributes.get("href") or "#"
            assert target.startswith("#") or re.fullmatch(
                r"[\w-]+\.(html|csv|tex|json|md)(#.+)?", target
            )
        style = re.search(r"<style>(.*?)</style>", pages[name], re.S)
        assert style is not None and "url(" not in style[1] and "@import" not in style[1]
        assert "http://" not in pages[name] and "https://" not in pages[name]


def test_links_lead_somewhere(readers: dict[str, Reader]) -> None:
    ids = {name: {a["id"] for _, a in r.tags if "id" in a} for name, r in readers.items()}
    for name, reader in readers.items():
        for link in of(reader, "a"):
            page, _, target = str(link["href"]).partition("#")
            stem, _, ending = page.partition(".")
            if ending in ("", "html"):
                assert not target or target in ids[stem or name], (name, link)


def test_ids_are_unique_and_those_named_exist(readers: dict[str, Reader]) -> None:
    for name, reader in readers.items():
        ids = [a["id"] for _, a in reader.tags if "id" in a]
        assert len(ids) == len(set(ids)), name
        for key in ("aria-labelledby", "data-copy"):
            assert {a[key] for _, a in reader.tags if key in a} <= set(ids)


def test_drawings_pictures_and_tables_have_words(
    pages: dict[str, str], readers: dict[str, Reader]
) -> None:
    for name, page in pages.items():
        for drawing in re.findall(r"<svg .*?</svg>", page, re.S):
            is_said = re.match(r'<svg [^>]*role="img">\s*<title>[^<]+</title><desc>[^<]+', drawing)
            assert is_said or 'aria-hidden="true"' in drawing.partition(">")[0], drawing[:200]
        assert page.count("<table") == page.count("<caption"), name
        for picture in of(readers[name], "img"):
            assert picture["alt"]
        assert all(head.get("scope") for head in of(readers[name], "th"))
    assert pages["freezing"].count("<svg ") > 20
    assert of(readers["freezing"], "img")


def test_every_chart_has_its_data(pages: dict[str, str]) -> None:
    charts = re.findall(r"<figure>.*?</figure>", pages["freezing"], re.S)
    assert len(charts) > 8
    assert all("<details>" in one and "<table>" in one for one in charts)


def test_the_structure_is_for_screen_readers_and_keys(readers: dict[str, Reader]) -> None:
    for name, reader in readers.items():
        tags = [tag for tag, _ in reader.tags]
        for landmark in ("header", "main", "footer", "nav", "h1"):
            assert tags.count(landmark) == 1, (name, landmark)
        levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
        assert all(b - a <= 1 for a, b in itertools.pairwise(levels)), name
        skip = of(reader, "a")[0]
        assert (skip["class"], skip["href"]) == ("skip", "#content")
        assert of(reader, "html")[0]["lang"] == "en"
        for _, attributes in reader.tags:
            if attributes.get("tabindex") == "0":
                assert attributes.get("aria-label") and attributes.get("role")
        for button in of(reader, "button"):
            assert button["type"] == "button"


def test_verdicts_are_words_and_signs(pages: dict[str, str], report: Report) -> None:
    text = parse(pages["report"]).text
    for claim in report.comparisons["freezing"].claims.values():
        assert claim.text in text and claim.paper in text and claim.verdict in text
    assert "✓" in text and "○" in text


def test_a_running_sweep_is_seen_and_the_page_reads_itself_again(report: Report) -> None:
    live = index(report)
    assert "3 of 12" in parse(live).text and "1 failed" in parse(live).text
    assert "pretrain (b/0)" in live
    assert '<body data-refresh="10">' in live and 'http-equiv="refresh"' in live
    still = index(report.model_copy(update={"sweeps": ()}))
    assert "data-refresh=" not in still and 'http-equiv="refresh"' not in still


def test_the_policy_lets_only_our_script_and_style_in(pages: dict[str, str]) -> None:
    page = pages["freezing"]
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    rules = policy[1].replace("&#39;", "'")
    for tag in ("style", "script"):
        inside = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.S)
        assert inside is not None
        digest = base64.b64encode(hashlib.sha256(inside[1].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in rules
    assert "default-src 'none'" in rules


def palette(css: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z0-9]+):(#[0-9a-f]{3,6})(?=[;}])", css))


def brightness(colour: str) -> float:
    """Relative luminance (WCAG 2)."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * d for d in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((brightness(one), brightness(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_colours_can_be_told_from_their_ground(pages: dict[str, str]) -> None:
    style = re.search(r"<style>(.*?)</style>", pages["report"], re.S)
    assert style is not None
    light, _, rest = style[1].partition("@media(prefers-color-scheme:dark)")
    dark = rest.partition("}}")[0] + "}"
    for css in (light.partition("}")[0] + "}", dark):
        colours = palette(css)
        text = ["fg", "soft", "good", "bad", "open", *(f"c{i}" for i in range(7))]
        assert set(text) <= set(colours)
        for name in text:
            for ground in ("bg", "card"):
                assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)


def test_names_become_safe_files() -> None:
    assert file_name("joint_sft") == "joint_sft"
    for name in ("report", "../../etc/passwd", "a b", "", "x" * 300, "Ünï"):
        made = file_name(name)
        assert re.fullmatch(r"[\w-]{1,80}", made, re.A)
        assert made.lower() != "report"
    assert file_name("a b") != file_name("a/b")
    assert re.fullmatch(r"claim-[\w-]+", anchor("one: two"))


def bare(report: Report, **changes: Any) -> Report:
    """A sweep without paper, claims, measures or endpoints."""
    stored = json.loads(report.model_dump_json())
    one = stored["comparisons"]["freezing"]
    one |= {"paper": {"source": "", "columns": [], "rows": {}, "note": ""}, "claims": {}}
    one |= {"endpoints": {}, "controls": {}, "base": {}, "base_measures": {}, "examples": None}
    one |= {"proof": None, "request": None, "command": "vilax train -m seed=0"}
    one["arms"] = {"a": one["arms"]["a"] | {"measures": {}}} | changes.pop("arms", {})
    one["seeds"] = [0]
    return Report.model_validate(stored | {"open": {}, "sweeps": []})


def test_an_ad_hoc_sweep_of_one_arm_is_a_page_too(report: Report) -> None:
    made = bare(report)
    text = parse(comparison_page("freezing", made.comparisons["freezing"], made)).text
    assert "vilax train -m seed=0" in text
    assert "Scores by number of shots" in text
    for absent in ("Claims", "Alignment by layer", "Proof of control", "The paper", "Average:"):
        assert absent not in text.replace("All claims", "") or absent == "Average:"
    assert "No comparison with claims was run" in parse(index(made)).text


def test_nothing_but_names_is_a_page_too(report: Report) -> None:
    empty: dict[str, Any] = {
        "seeds": {},
        "stages": [],
        "measures": {},
        "failed": None,
        "waiting": "seed 0: not yet",
    }
    stored = json.loads(bare(report).model_dump_json())
    one = stored["comparisons"]["freezing"]
    one["arms"]["a"] |= empty
    one |= {"tasks": {}, "curves": {}, "training": {}, "seeds": []}
    made = Report.model_validate(stored)
    text = parse(comparison_page("freezing", made.comparisons["freezing"], made)).text
    assert "Not complete: seed 0: not yet." in text
