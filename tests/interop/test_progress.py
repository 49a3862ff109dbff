"""Import and export tell how far they have come."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from transformers import Qwen2Config

from tests.interop.foreign import save_hf, text_config
from tests.interop.test_interop import _result, outputs
from vilax.cli.main import main
from vilax.cli.progress import steps_bar
from vilax.interop.export import export
from vilax.interop.folder import import_model
from vilax.interop.layouts import read_source

__all__ = ["outputs"]


def test_steps_are_told_with_their_bytes(tmp_path: Path) -> None:
    save_hf(tmp_path / "hf", text_config(Qwen2Config), saving={"max_shard_size": "60KB"})
    told: list[tuple[str, int, int]] = []

    def tell(what: str, done: int, total: int) -> None:
        assert 0 <= done <= total
        told.append((what, done, total))

    source = read_source(tmp_path / "hf", tell=tell)[1]
    size = sum(file.stat().st_size for file in (tmp_path / "hf").glob("*.safetensors"))
    reading = [(done, total) for what, done, total in told if what.startswith("reading")]
    assert len(reading) > 3 and reading == sorted(reading) and reading[-1] == (size, size)
    import_model(source, "hf", tmp_path / "ours", tell)
    assert [step for step in dict.fromkeys(what for what, *_ in told) if "reading" not in step] == [
        "writing",
        "checksums",
        "making it durable",
    ]
    checked = [(done, total) for what, done, total in told if what == "checksums"]
    files = [file for file in (tmp_path / "ours").rglob("*") if file.name != "entry.json"]
    size = sum(file.stat().st_size for file in files if file.is_file())
    assert checked[-1] == (size, size)
    told.clear()
    run, entry, stage = _result(tmp_path / "ours")
    export(run, stage, entry, "vilax", tmp_path / "out", tell=tell)
    assert [*dict.fromkeys(what for what, *_ in told)] == [
        "loading",
        "writing",
        "loading it anew and comparing",
        "making it durable",
    ]


def test_a_disk_that_is_too_small_is_told_before_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save_hf(tmp_path / "hf", text_config(Qwen2Config))
    monkeypatch.setattr("shutil.disk_usage", lambda place: SimpleNamespace(free=1000))
    before = sorted(tmp_path.iterdir())
    assert main(["import", str(tmp_path / "hf"), "--to", str(tmp_path / "ours")]) == 2
    assert "has 1,000 bytes free" in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


def test_a_terminal_shows_the_step_at_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with steps_bar() as tell:
        tell("reading", 1, 2)
    assert capsys.readouterr().err == "", "no terminal, no bar"
    monkeypatch.setenv("FORCE_COLOR", "1")
    with steps_bar() as tell:
        tell("reading", 1_000_000, 4_000_000)
        tell("comparing", 0, 0)
        tell("writing", 2_000_000, 4_000_000)
    shown = capsys.readouterr().err
    assert "writing" in shown and "2.0 MB of 4.0 MB" in shown and "bytes" not in shown
