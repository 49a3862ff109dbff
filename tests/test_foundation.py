"""The project's own files fit together."""

import re
import subprocess
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def locked() -> dict[str, Requirement]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(pin.name): pin for pin in pins}


def test_the_lock_has_every_dependency_within_its_range() -> None:
    pins = locked()
    for line in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]:
        wanted = Requirement(line)
        pin = pins[canonicalize_name(wanted.name)]
        (exact,) = pin.specifier
        assert exact.operator == "=="
        assert exact.version in wanted.specifier, f"{line} against {pin}"


def test_the_lock_names_no_place() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert not re.search(r"^\s*-|://|@", text, re.MULTILINE)


def test_libraries_that_only_linux_has_are_marked() -> None:
    for name, pin in locked().items():
        if name.startswith(("nvidia-", "cuda-")) or name == "triton":
            assert str(pin.marker) == 'platform_system == "Linux"'


def test_old_pythons_are_refused() -> None:
    assert "3.10" not in SpecifierSet(PROJECT["requires-python"])


def test_make_alone_prints_every_target() -> None:
    shown = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony
    for target in phony.group(1).split():
        assert re.search(rf"^  {target} +\S", shown, re.MULTILINE), target
    assert "freezing" in shown


def test_setup_refuses_an_old_python_in_words(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text(
        "#!/bin/sh\n# Answers the question for its version as Python 3.9 would.\n"
        'echo "vilax needs Python 3.11 or newer, and it is 3.9" >&2\nexit 1\n'
    )
    old.chmod(0o755)
    done = subprocess.run(
        ["make", "setup", f"PYTHON={old}"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert "3.11 or newer" in done.stderr
    missing = subprocess.run(
        ["make", "setup", "PYTHON=no-such-python"], cwd=ROOT, capture_output=True, text=True
    )
    assert missing.returncode != 0
    assert "no-such-python" in missing.stderr


def test_reproduce_ablations_calls_compare_with_its_variables() -> None:
    def shown(*words: str) -> str:
        command = ["make", "-n", "reproduce-ablations", *words]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        lines = done.stdout.replace("\\\n", "").splitlines()
        return " ".join(next(line for line in lines if "vilax compare" in line).split())

    core = "compare freezing corpus joint_sft --scale micro --seeds 0 --launcher local"
    assert shown().endswith(core)
    # All that run at the scale are what none is named for.
    assert "compare --scale micro" in shown("FULL=1")
    given = shown("ONLY=freezing,corpus", "SEEDS=0,1", "SCALE=mini", "JOBS=4")
    wanted = "compare freezing corpus --scale mini --seeds 0,1 --launcher local --jobs 4"
    assert given.endswith(wanted)


def test_the_licence_is_apache() -> None:
    assert PROJECT["license"] == "Apache-2.0"
    assert "Version 2.0, January 2004" in (ROOT / "LICENSE").read_text()
