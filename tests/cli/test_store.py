"""``vilax store`` as a user types it."""

import json

import pytest

from tests.artifacts.makers import family
from vilax.artifacts.store import Entry, Store
from vilax.cli.main import main
from vilax.config.locate import store_dir


@pytest.fixture
def some(tmp_path, monkeypatch) -> dict[str, Entry]:
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path))
    return family(Store(store_dir()))


def test_list_has_a_whole_line_per_result(some, capsys) -> None:
    assert main(["store", "list"]) == 0
    shown = capsys.readouterr().out
    for entry in some.values():
        (line,) = [x for x in shown.splitlines() if x.startswith(f"│ {entry.identity[:12]}")]
        assert entry.kind in line
        assert (entry.parent or "-")[:12] in line


def test_an_empty_store_says_so_on_stderr(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("VILAX_OUTPUTS", str(tmp_path))
    assert main(["store", "list"]) == 0
    shown = capsys.readouterr()
    assert shown.out == "" and "nothing is stored" in shown.err


def test_show_is_json_and_finds_damage(some, capsys) -> None:
    identity = some["align"].identity
    assert main(["store", "show", identity[:10]]) == 0
    assert json.loads(capsys.readouterr().out)["inputs"]["seed"] == 0
    (some["align"].folder / "w.txt").write_text("y")
    assert main(["store", "show", identity]) == 1
    assert "w.txt is not what was published" in capsys.readouterr().err


def test_why_not_speaks(some, capsys) -> None:
    one, other = some["pretrain"].identity, some["other"].identity
    assert main(["store", "why-not", one, other]) == 0
    assert capsys.readouterr().out == "name: pretrain in A, other in B\n"
    assert main(["store", "why-not", one, one]) == 0
    assert "one and the same" in capsys.readouterr().out


def test_prune_says_first_and_removes_on_yes(some, capsys) -> None:
    store = Store(store_dir())
    assert main(["store", "prune", "--unreachable"]) == 0
    shown = capsys.readouterr()
    assert f"would remove stage other {some['other'].identity[:12]}" in shown.out
    assert "nothing removed" in shown.err
    assert len(store.entries()) == 4
    assert main(["store", "prune", "--unreachable", "--yes"]) == 0
    assert len(store.entries()) == 3
    assert main(["store", "prune", "--unreachable", "--yes"]) == 0
    assert "nothing to remove" in capsys.readouterr().out


def test_prune_spares_ancestors_unless_their_descendants_go_too(some, capsys) -> None:
    words = ["store", "prune", "--identity", some["align"].identity[:9], "--yes"]
    assert main(words) == 0
    assert f"keep stage align {some['align'].identity[:12]}: " in capsys.readouterr().out
    assert main([*words, "--descendants"]) == 0
    assert not Store(store_dir()).entries()


def test_a_sweep_waits_for_those_at_work(some, capsys) -> None:
    store = Store(store_dir())
    with store.claim("stage", "busy", {}):
        assert main(["store", "prune", "--unreachable"]) == 0
        assert "not before the end of process" in capsys.readouterr().err
        assert main(["store", "prune", "--older-than", "0", "--yes"]) == 2
        assert "to finish stage-busy is at work" in capsys.readouterr().err
        assert len(store.entries()) == 4
        named = ["store", "prune", "--identity", some["other"].identity, "--yes"]
        assert main(named) == 0
        assert len(store.entries()) == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lst"], "did you mean 'list'"),
        (["show", "zzz"], "unknown identity 'zzz'"),
        (["prune"], "give --identity"),
        (["prune", "--older-than", "-1"], "expected days"),
    ],
)
def test_bad_requests_exit_2_in_one_line(some, capsys, words, message) -> None:
    assert main(["store", *words]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and len(shown.err.strip().splitlines()) == 1
    assert message in shown.err


def test_help_teaches(capsys) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["store", "--help"])
    shown = capsys.readouterr().out
    assert "identity: a hash of all that" in shown
    assert all(verb in shown for verb in ("list", "show", "why-not", "prune"))
