"""``vilax data build`` as a user types it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.data.writers import picture, write_pairs
from vilax.cli import data_build
from vilax.cli.main import main
from vilax.config.errors import ConfigError
from vilax.data.formats import open_corpus


def write_photos(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / f"{number}.jpg").write_bytes(picture(number, "jpeg", (64, 48)))
        (folder / f"{number}.txt").write_text(f"photo {number}")
    return folder


def tree(to: Path) -> dict[str, bytes]:
    found = (p for p in sorted(to.rglob("*")) if p.is_file() and ".build" not in p.parts)
    return {str(path.relative_to(to)): path.read_bytes() for path in found}


def test_photos_become_shards_and_broken_ones_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos, to = write_photos(tmp_path / "photos", 7), tmp_path / "to"
    words = ["data", "build", str(photos), "--to", str(to), "--shard-size", "3", "--jobs", "2"]
    assert main(words) == 0
    assert "pairs: 7 documents in 3 shards (0 done before)" in capsys.readouterr().out
    assert len(open_corpus("photos", to)) == 7
    assert main(words) == 0
    assert "(3 done before)" in capsys.readouterr().out
    (photos / "3.jpg").write_bytes(b"<html>")
    with pytest.raises(ConfigError, match="--overwrite"):
        data_build.main(words[2:])
    assert main([*words, "--overwrite"]) == 1
    shown = capsys.readouterr()
    assert "1 left out" in shown.out and "3: a picture cannot be read: not a picture" in shown.err
    [line] = (to / "report/quarantine.jsonl").read_text().splitlines()
    assert json.loads(line) == {
        "corpus": "photos",
        "shard": ".",
        "key": "3",
        "reason": "a picture cannot be read: not a picture (png, jpeg, webp, bmp, tiff or gif):"
        " it is HTML",
        "kept": False,
    }


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_killed_and_started_again_is_the_same(tmp_path: Path, jobs: str) -> None:
    photos = write_photos(tmp_path / "photos", 1500)
    words = [str(photos), "--shard-size", "50", "--seed", "7"]
    assert data_build.main([*words, "--to", str(tmp_path / "whole"), "--jobs", "1"]) == 0
    killed = tmp_path / "killed"
    command = [sys.executable, "-m", "vilax.cli.main", "data", "build", *words, "--to", str(killed)]
    process = subprocess.Popen([*command, "--jobs", jobs], start_new_session=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and len(list(killed.glob("*.tar"))) < 2:
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (killed / "index.json").exists()
    assert data_build.main([*words, "--to", str(killed), "--jobs", jobs]) == 0
    assert tree(killed) == tree(tmp_path / "whole")
    assert not list((killed / ".build").glob("*.part"))


def test_bad_requests(tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "photos", 2)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    write_pairs(tmp_path / "mine/x.tar", ["a"])
    to = tmp_path / "to"
    for words, said in (
        ([tmp_path / "gone", "--to", to], "does not exist"),
        ([tmp_path / "empty", "--to", to], "empty"),
        ([photos, "--to", photos], "give another folder"),
        ([photos, "--to", tmp_path / "file"], "is a file"),
        ([photos, "--to", tmp_path / "mine"], "holds x.tar, which no build here wrote"),
        ([photos, "--to", to, "--shard-size", "5TB"], "expected a number of documents"),
        ([photos, "--to", to, "--jobs", "0"], "expected 1 or more"),
        ([photos, "--to", to, "--images", tmp_path / "gone"], "does not exist"),
    ):
        with pytest.raises(ConfigError, match=said):
            data_build.main([str(word) for word in words])
    assert not to.exists()
