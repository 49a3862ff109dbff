"""``vilax data lint`` and ``vilax data stats`` as a user types them."""

import json
from pathlib import Path

import pytest

from tests.data.bad.pictures import encoded, noise
from tests.data.writers import conversation, write_lines, write_pairs
from vilax.cli.main import main
from vilax.data.tiles import InternvlTiling, TileTokens


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    folder = tmp_path / "sound"
    write_pairs(folder / "0.tar", [f"a dog w{n}" for n in range(20)], "png")
    return folder


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    folder = tmp_path / "mixed"
    records = [{"text": f"a w{n}"} for n in range(10)]
    write_lines(folder / "t.jsonl", [*records, {"text": 3}, {"text": "a\u0000b"}, "{broken"])
    return folder


def test_exit_codes(sound: Path, mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "lint", str(sound)]) == 0
    assert "documents: 20, pictures: 20; 0 errors, 0 warnings" in capsys.readouterr().out
    assert main(["data", "lint", str(mixed)]) == 1
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert lines[0] == "t.jsonl:11: error: field 'text': expected str, found int  [sample]"
    assert lines[1].startswith("t.jsonl:12: warning: control characters: 1, the first at")
    assert lines[2].startswith("t.jsonl:13: error: not JSON")
    assert "error           2  sample" in said.out
    assert lines[-1] == "documents: 13, pictures: 0; 2 errors, 1 warning, 0 notes"
    assert said.err == ""


def test_strict_counts_warnings(tmp_path: Path) -> None:
    write_lines(tmp_path / "t.jsonl", [{"text": "a\u0000b"}, {"text": "a"}])
    assert main(["data", "lint", str(tmp_path)]) == 0
    assert main(["data", "lint", str(tmp_path), "--strict"]) == 1


def test_bad_requests(tmp_path: Path, sound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in (
        ([str(tmp_path / "gone")], "does not exist; expected a file or folder"),
        ([str(sound), "--images", str(tmp_path / "gone")], "--images"),
        ([str(sound), "--format", "coyi"], "did you mean 'coyo'"),
        ([str(sound), "--length", "9"], "--tokenizer FOLDER, or micro"),
        ([str(sound), "--tokenizer", str(tmp_path)], "no tokenizer could be read"),
    ):
        assert main(["data", "lint", *words]) == 2
        assert said in capsys.readouterr().err
    with pytest.raises(SystemExit) as error:
        main(["data", "lint", str(sound), "--limit", "0"])
    assert error.value.code == 2


def test_the_report_holds_every_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_lines(tmp_path / "d" / "t.jsonl", [{"text": ""} for _ in range(9)])
    to = tmp_path / "new" / "report.jsonl"
    assert main(["data", "lint", str(tmp_path / "d"), "--to", str(to), "--show", "2"]) == 1
    said = capsys.readouterr().out
    assert said.count("empty text  [sample]") == 2
    assert "7 more findings" in said
    records = [json.loads(line) for line in to.read_text().splitlines()]
    assert [r["key"] for r in records] == [f"t.jsonl:{n}" for n in range(1, 10)]
    assert set(records[0]) == {
        "severity", "kind", "shard", "key", "field", "expected", "message"
    }  # fmt: skip
    assert main(["data", "lint", str(tmp_path / "d"), "--show", "0"]) == 1
    assert capsys.readouterr().out.count("empty text  [sample]") == 9


def test_tokens_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_lines(tmp_path / "c.jsonl", [conversation(["what is it", "a dog " * 20])])
    words = ["data", "lint", str(tmp_path), "--tokenizer", "micro", "--template", "qa"]
    assert main([*words, "--length", "16"]) == 0
    assert "rows of 16 at most  [long]" in capsys.readouterr().out


def test_stats(sound: Path, mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "stats", str(sound), str(mixed)]) == 0
    said = capsys.readouterr()
    assert "20 documents; 0 bad (0.00%)" in said.out
    assert "13 documents; 2 bad (15.38%)" in said.out
    assert "pictures: png 20" in said.out
    assert said.err == ""
    assert main(["data", "stats", str(sound), "--json", "--tokenizer", "micro"]) == 0
    (figures,) = json.loads(capsys.readouterr().out)
    assert figures["documents"] == 20
    assert figures["per_document"]["tokens"]["count"] == 20
    assert main(["data", "stats", str(sound), str(sound / "gone")]) == 2


def test_pictures_in_tiles_take_what_their_size_asks_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = {"square": (64, 64), "wide": (128, 64), "strip": (20, 200)}
    for name, size in sizes.items():
        (tmp_path / f"{name}.png").write_bytes(encoded(noise().resize(size), "PNG"))
    (tmp_path / "broken.png").write_bytes(b"<html>gone</html>")
    records = [
        conversation(["<image> what ?", "a dog"]) | {"id": name, "image": f"{name}.png"}
        for name in (*sizes, "broken")
    ]
    (tmp_path / "c.json").write_text(json.dumps(records))
    tiles = ["--tokenizer", "micro", "--image-policy", "internvl", "--image-size", "64"]
    words = [str(tmp_path / "c.json"), *tiles, "--image-tokens", "9"]
    assert main(["data", "stats", *words, "--json"]) == 0
    (figures,) = json.loads(capsys.readouterr().out)
    rule = TileTokens(InternvlTiling(64, 12), 9)
    visual = [rule(size) for size in sizes.values()]
    assert len(set(visual)) == 3
    found = figures["per_document"]["tokens"]
    assert found["count"] == 3 and figures["bad"] == 1
    text = found["total"] - sum(visual)
    assert 0 < text == 3 * (text // 3)
    # A picture that cannot be read is named once.
    assert main(["data", "lint", *words]) == 1
    said = capsys.readouterr().out
    assert "4, pictures: 4; 1 error, 0 warnings" in said and "it is HTML" in said
    for wrong, message in (
        (["--image-policy", "anyres", "--image-tokens", "5"], "expected a square, such as 576"),
        (["--image-size", "64"], "expected --image-policy anyres or internvl"),
        (["--image-tokens", "0"], "--image-tokens 0: expected at least 1"),
    ):
        assert main(["data", "lint", str(tmp_path / "c.json"), *wrong]) == 2
        assert message in capsys.readouterr().err
