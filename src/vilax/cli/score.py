"""``vilax score``: figures of predictions that were made elsewhere."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from vilax.artifacts.files import write_json
from vilax.config.compose import compose_task
from vilax.config.describe import choices
from vilax.config.schema.benchmark import BenchmarkTask
from vilax.config.validate import validate

EXAMPLES = """\
examples:
  vilax score pope_random --predictions answers.jsonl --annotations coco_pope_random.json
  vilax score vqav2 --predictions out.json --annotations questions.json \\
      --annotations annotation=answers.json
  vilax score mmbench --predictions out.tsv --annotations mmbench_dev_20230712.tsv \\
      --id index --answer prediction
"""


def main(argv: Sequence[str]) -> int:
    """Print the figures as JSON; what was left out is said on stderr."""
    from vilax.evaluation.rescore import read_predictions, rescore, with_annotations

    words = _parser().parse_args(list(argv))
    folder = Path(words.config_dir) if words.config_dir else None
    name, content = compose_task(words.task, folder)
    task = validate(BenchmarkTask, content)
    root = Path(words.benchmarks).expanduser()
    if words.annotations:
        task, root = with_annotations(task, words.annotations)
    predictions = read_predictions(Path(words.predictions), words.id, words.answer)
    _, facts = rescore(name, task, root, predictions)
    for what in ("without_prediction", "without_question"):
        if facts[what]:
            print(f"vilax: {facts[what]} {what.replace('_', ' ')}", file=sys.stderr)
    print(json.dumps(facts, indent=1, ensure_ascii=False, sort_keys=True))
    if words.to:
        write_json(Path(words.to), facts)
    return 0 if facts["share"] is not None else 1


def _parser() -> argparse.ArgumentParser:
    tasks = "\n".join(f"  {name:20} {line}" for name, line in choices("task").items())
    parser = argparse.ArgumentParser(
        prog="vilax score",
        description="Score predictions that were made elsewhere by a benchmark's rule.",
        epilog=f"{EXAMPLES}\ntasks:\n{tasks}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("task", help="a name below, or a YAML file of the same kind")
    parser.add_argument(
        "--predictions", required=True, metavar="FILE", help="json, jsonl, csv, tsv or parquet"
    )
    parser.add_argument(
        "--annotations",
        action="append",
        metavar="[TABLE=]FILE",
        help="official annotations: the main file, a folder, or another table by its name",
    )
    parser.add_argument("--id", metavar="EXPR", help="id of a prediction, a jinja2 expression")
    parser.add_argument("--answer", metavar="EXPR", help="text of a prediction, likewise")
    parser.add_argument(
        "--benchmarks",
        default="data/benchmarks",
        metavar="DIR",
        help="where annotations lie if --annotations is not given",
    )
    parser.add_argument("--to", metavar="FILE", help="write the figures here too")
    parser.add_argument("--config-dir", metavar="DIR", help="your own folder in the shape of conf/")
    return parser
