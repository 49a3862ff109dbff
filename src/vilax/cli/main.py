"""Finds the command; nothing heavy is imported before it is known."""

import sys
from collections.abc import Sequence
from importlib import import_module

from vilax.config.errors import ConfigError, unknown

COMMANDS = {
    "train": "train a recipe, or the part of it up to a stage",
    "plan": "memory, hours and cost of a recipe or comparison, without a GPU",
    "evaluate": "evaluate a result, or a recipe's last stage, by tasks and benchmarks",
    "measure": "alignment by layer, losses and perplexity of a result",
    "score": "score predictions that were made elsewhere",
    "judge": "let a judge score what an evaluation left to one",
    "gallery": "answers of several models to the same prompts, on one page",
    "harness": "evaluate by lm-eval or lmms-eval",
    "chat": "talk with a trained model, in the terminal or on a page",
    "import": "make a model folder of a LLaVA or VILA checkpoint",
    "export": "write a trained result in another layout, proven by reloading it",
    "compare": "run the arms of comparisons and write the report",
    "report": "write the report again from stored results",
    "dashboard": "make the wandb workspace and report of comparisons",
    "new": "the files of a comparison of your own",
    "diff": "what two arms, or two results, differ in",
    "check": "prove that a comparison's arms differ only in what it declares",
    "data": "look into data and prepare it: inspect, lint, build, select ...",
    "store": "look into the stage store: list, show, why-not, prune",
}


MODULES = {"import": "import_model"}
"""Commands whose name cannot be a module's."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 if what was asked was done, 1 if it failed, 2 for a bad request, 130 if interrupted.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help", "help"):
        print("usage: vilax COMMAND ...\n")
        for name, line in COMMANDS.items():
            print(f"  {name:10} {line}")
        print("\nvilax COMMAND --help says more; vilax --version prints the version")
        return 0
    if words[0] == "--version":
        from vilax import __version__

        print(f"vilax {__version__}")
        return 0
    try:
        if words[0] not in COMMANDS:
            raise unknown("command", words[0], COMMANDS)
        code: int = import_module(f"vilax.cli.{MODULES.get(words[0], words[0])}").main(words[1:])
    except ConfigError as error:
        print(f"vilax: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("vilax: interrupted; a run goes on from here by the same command", file=sys.stderr)
        return 130
    return code


if __name__ == "__main__":
    sys.exit(main())
