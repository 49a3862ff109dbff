"""What ``vilax train`` and ``vilax evaluate`` share: their grammar, help, and multiruns."""

import os
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from vilax.artifacts.files import write_text
from vilax.config.compose import compose_run
from vilax.config.describe import STAGE_GROUPS, TOP_GROUPS, choices
from vilax.config.errors import ConfigError
from vilax.config.groups import compose_groups, composed_once
from vilax.config.locate import conf_dir, outputs_dir
from vilax.config.schema.run import Run
from vilax.config.searchpath import search_first

GRAMMAR = """\
  GROUP=NAME                  a file of the group, for example projector=transformer
  stages.STAGE.freeze=NAME    the stage's freeze policy; stages.STAGE.blend=NAME its data
  KEY=VALUE                   any key of the configuration, for example stages.sft.rates.llm=1e-4
  GROUP=FILE.yaml             a file of your own where a name is
  llm=FOLDER encoder=FOLDER   a folder of weights where a name is
  corpora.NAME=PATH           where a corpus lies; stages.STAGE.blend.corpora={PATH: 1.0} too
"""

Job = Callable[[Run, Sequence[str]], None]
"""Does one run; gets its configuration, and the words of the command line that say it again."""


@dataclass
class Request:
    """A parsed command line.

    Attributes:
        overrides: ``key=value`` words.
        config_dir: the user's configuration folder.
        multirun: run every combination of comma-separated values.
        show: print the composed configuration and stop.
        help: print what can be said and stop.
    """

    overrides: list[str]
    config_dir: Path | None = None
    multirun: bool = False
    show: bool = False
    help: bool = False

    def again(self, overrides: Sequence[str]) -> list[str]:
        """The words of a command line for one run with these overrides."""
        folder = [] if self.config_dir is None else [f"--config-dir={self.config_dir}"]
        return [*folder, *overrides]


def parse(argv: Sequence[str]) -> Request:
    """Tell options from overrides.

    Raises:
        ConfigError: an option that does not exist, or one without its value.
    """
    request = Request([])
    words = list(argv)
    while words:
        word = words.pop(0)
        name, _, value = word.partition("=")
        if name == "--config-dir":
            request.config_dir = Path(value or _following(words, word)).expanduser()
        elif word in ("-h", "--help"):
            request.help = True
        elif word in ("-m", "--multirun"):
            request.multirun = True
        elif name in ("--cfg", "-c"):
            wanted = value or _following(words, word)
            if wanted != "job":
                raise ConfigError(f"--cfg {wanted}: expected --cfg job")
            request.show = True
        elif word.startswith("-"):
            raise ConfigError(
                f"unknown option {word}: expected --cfg job, --config-dir DIR, -m or --help"
            )
        else:
            request.overrides.append(word)
    if request.multirun and request.show:
        raise ConfigError("--cfg job shows one run: leave -m out and give each key one value")
    return request


def _following(words: list[str], option: str) -> str:
    if not words:
        raise ConfigError(f"{option} needs a value")
    return words.pop(0)


def print_help(command: str, what: str, config_dir: Path | None = None) -> None:
    """Usage, grammar, and every choice of every group with a line each."""
    print(f"usage: vilax {command} [-m] [--cfg job] [--config-dir DIR] [KEY=VALUE ...]\n")
    print(f"{what}\n\ngrammar:\n{GRAMMAR}")
    print("options:")
    print("  --cfg job          print the composed configuration and stop")
    print("  --config-dir DIR   your own folder of the same shape as conf/; it wins over conf/")
    print("  -m, --multirun     run every combination of comma-separated values\n")
    for group in (*TOP_GROUPS, *STAGE_GROUPS):
        where = f"stages.STAGE.{group}" if group in STAGE_GROUPS else group
        print(f"{where}=")
        for name, line in choices(group, config_dir).items():
            print(f"  {name:20} {line}")
    print("\nexamples:")
    print("  vilax train projector=transformer stages.pretrain.freeze=projector_only")
    print("  vilax train until=align stages.align.budget.tokens=100000")
    print("  vilax train -m stages.pretrain.freeze=projector_only,llm_and_projector seed=0,1")


def shown(run: Run) -> str:
    """The composed configuration as YAML; as overrides file or input it gives the same run."""
    return yaml.safe_dump(run.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def combinations(overrides: Sequence[str]) -> list[list[str]]:
    """Every combination of comma-separated values, the last key varying fastest.

    Raises:
        ConfigError: a value cannot be read, or names no list of values.
    """
    axes = []
    for text in overrides:
        key, _, raw = text.partition("=")
        try:
            parsed = OverridesParser.create().parse_override(f"key={raw}")
            if parsed.is_sweep_override() and not parsed.is_discrete_sweep():
                raise ConfigError(f"{text}: expected values with commas, or range(0, 5)")
            swept = list(parsed.sweep_string_iterator()) if parsed.is_sweep_override() else [raw]
        except HydraException as error:
            reason = str(error).splitlines()[0]
            raise ConfigError(f"cannot read the value of {text!r}: {reason}") from error
        axes.append([f"{key}={value}" for value in swept] if "=" in text else [text])
    return [list(chosen) for chosen in product(*axes)]


@dataclass(frozen=True)
class Multirun:
    """Combinations that are to run, each validated.

    Attributes:
        chosen: each one's overrides and run.
        words: each one's words of a command line.
        settings: Hydra's own overrides, such as its launcher.
        config_dir: the user's configuration folder.
    """

    chosen: list[tuple[list[str], Run]]
    words: list[list[str]]
    settings: list[str]
    config_dir: Path | None


def combined(request: Request) -> Multirun:
    """Every combination of a request, validated before the first one starts.

    Raises:
        ConfigError: a combination is bad, or Hydra has no such launcher.
    """
    settings = [word for word in request.overrides if word.startswith(("hydra/", "hydra."))]
    every = combinations([word for word in request.overrides if word not in settings])
    with composed_once():
        chosen = [(overrides, compose_run(overrides, request.config_dir)) for overrides in every]
    compose_groups(settings, request.config_dir)
    words = [request.again(overrides) for overrides in every]
    return Multirun(chosen, words, settings, request.config_dir)


def multirun(made: Multirun, task: Job) -> None:
    """Run every combination through Hydra's own multirun, so that its launchers work.

    Hydra is handed the number of each, for our grammar is not its own; each job's folder gets the
    job's configuration.
    """
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import DictConfig

    def job(config: DictConfig) -> None:
        number = int(config.job)
        again = shlex.join(made.words[number])
        run = made.chosen[number][1]
        print(f"job {number + 1} of {len(made.chosen)}: {again}", file=sys.stderr)
        folder = Path(HydraConfig.get().runtime.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / "config.yaml", f"# {again}\n{shown(run)}")
        task(run, made.words[number])

    search_first(made.config_dir)
    place = str(outputs_dir() / "multirun").replace("'", "\\'")
    before = sys.argv, os.environ.get("HYDRA_FULL_ERROR")
    numbers = ",".join(str(number) for number in range(len(made.chosen)))
    sys.argv = [sys.argv[0], "--multirun", f"+job={numbers}"]
    sys.argv += [
        f"hydra.sweep.dir='{place}/${{now:%Y-%m-%d_%H-%M-%S}}'",
        "hydra.output_subdir=null",
    ]
    sys.argv += ["hydra/job_logging=none", "hydra/hydra_logging=none", *made.settings]
    # Otherwise Hydra prints what went wrong in its own words and exits with 1.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")(job)()
    finally:
        sys.argv = before[0]
        del os.environ["HYDRA_FULL_ERROR"]
        if before[1] is not None:
            os.environ["HYDRA_FULL_ERROR"] = before[1]
