"""What ``vilax train`` and ``vilax evaluate`` share: their grammar, help, and multiruns."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser

from vilax.config.compose import (
    STAGE_GROUPS,
    TOP_GROUPS,
    choices,
    compose_run,
    parse_override,
)
from vilax.config.errors import ConfigError
from vilax.config.locate import conf_dir, outputs_dir
from vilax.config.schema.run import Run
from vilax.config.searchpath import search_first

GRAMMAR = """\
  GROUP=NAME                  a file of the group, for example projector=transformer
  stages.STAGE.freeze=NAME    the stage's freeze policy; stages.STAGE.blend=NAME its data
  KEY=VALUE                   any key of the configuration, for example stages.sft.rates.llm=1e-4
  llm=FOLDER encoder=FOLDER   a folder of weights where a name is; corpora.NAME=PATH a corpus
  GROUP=FILE.yaml             a file of your own where a name is
"""


@dataclass
class Request:
    """A parsed command line.

    Attributes:
        overrides: ``key=value`` words.
        config_dir: the user's configuration folder.
        multirun: run every combination of comma-separated values.
        show: print the composed configuration and stop.
    """

    overrides: list[str]
    config_dir: Path | None = None
    multirun: bool = False
    show: bool = False


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
    """Every combination of comma-separated values, the last key varying fastest."""
    axes = []
    for text in overrides:
        key, _, raw = text.partition("=")
        parsed = OverridesParser.create().parse_override(f"key={raw}")
        if parsed.is_sweep_override():
            axes.append([f"{key}={value}" for value in parsed.sweep_string_iterator()])
        else:
            axes.append([text])
    return [list(chosen) for chosen in product(*axes)]


def multirun(request: Request, task: Callable[[Run], None]) -> None:
    """Run every combination through Hydra's own multirun, so that its launchers work.

    Every combination is validated before the first one starts.
    """
    launcher = [o for o in request.overrides if o.startswith("hydra")]
    ours = [o for o in request.overrides if not o.startswith("hydra")]
    for chosen in combinations(ours):
        compose_run(chosen, request.config_dir)
    import hydra
    from omegaconf import DictConfig, OmegaConf

    from vilax.config.rules import check_rules
    from vilax.config.validate import validate

    def job(config: DictConfig) -> None:
        run = validate(Run, OmegaConf.to_container(config, resolve=True))  # type: ignore[arg-type]
        check_rules(run)
        task(run)

    search_first(request.config_dir)
    words = ["--multirun"]
    words += [f"hydra.sweep.dir={outputs_dir()}/multirun/${{now:%Y-%m-%d_%H-%M-%S}}"]
    words += ["hydra/job_logging=none", "hydra/hydra_logging=none", *launcher]
    for text in ours:
        words.append(_for_hydra(text, request.config_dir))
    before = sys.argv
    sys.argv = [before[0], *words]
    try:
        hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")(job)()
    finally:
        sys.argv = before


def _for_hydra(text: str, config_dir: Path | None) -> str:
    """An override, perhaps with several values, in Hydra's words."""
    parts = [parse_override(one[0], config_dir).hydra for one in combinations([text])]
    name = parts[0].partition("=")[0]
    if len(parts) == 1:
        return parts[0]
    return f"{name}=" + ",".join(part.partition("=")[2] for part in parts)
