"""``vilax dashboard``: the wandb workspace and report of comparisons, by one command."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path


def main(argv: Sequence[str]) -> int:
    """Build the dashboard; prints its addresses, or the file that it was written to.

    Raises:
        ConfigError: there is no such comparison, no key to the server, or a package is missing.
    """
    parser = argparse.ArgumentParser(
        prog="vilax dashboard",
        description="Make the wandb workspace and report of comparisons, with a section for each:"
        " curves of every stage, scores by shots, predictions with pictures.",
        epilog="Runs are written offline unless logger=online. --sync sends them first; that and"
        " the workspace need WANDB_API_KEY. Without an account --to FILE writes the workspace as"
        " JSON, and vilax report has the same content as a page.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="comparisons (default: all)")
    parser.add_argument("--scale", default="micro", help="name of the scale (default: micro)")
    parser.add_argument("--project", default="vilax", help="wandb project (default: vilax)")
    parser.add_argument("--entity", default="", help="wandb entity (default: your own)")
    parser.add_argument("--sync", action="store_true", help="send offline runs first")
    parser.add_argument("--to", type=Path, help="write the workspace here, without the server")
    parser.add_argument("--config-dir", type=Path, help="your own configuration folder")
    options = parser.parse_intermixed_args(argv)
    from vilax.ablation.comparison import resolve_all
    from vilax.ablation.dashboards import workspace
    from vilax.artifacts.files import write_text
    from vilax.config.comparisons import comparison_names
    from vilax.config.errors import ConfigError

    names = options.names or comparison_names(options.config_dir, options.scale)
    compared = resolve_all(names, (), options.scale, (), options.config_dir)
    if options.to is None and not os.environ.get("WANDB_API_KEY"):
        raise ConfigError(
            "WANDB_API_KEY is not set: expected it in the environment, or --to FILE to write the"
            " workspace without a server"
        )
    if options.sync:
        for folder in workspace.sync(options.entity, options.project):
            print(f"sent {folder}", file=sys.stderr)
    made = workspace.workspace(compared, options.entity or "me", options.project)
    if options.to is not None:
        write_text(options.to, made._to_model().model_dump_json(by_alias=True, indent=1))
        print(options.to)
        return 0
    made.save()
    print(made.url)
    written = workspace.report(compared, options.entity, options.project)
    written.save()
    print(written.url)
    return 0
