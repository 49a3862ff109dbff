"""``vilax judge``: scores of answers that only a judge can score."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vilax.config.errors import ConfigError
from vilax.config.schema.judge import Judge
from vilax.config.validate import validate
from vilax.evaluation.judge.cost import Prices

TEACHING = """\
MM-Vet, LLaVA-Bench and open-ended video QA are scored by a language model. vilax evaluate writes
their predictions; this command puts each to a judge, writes judgements.jsonl beside them and the
figures into results.json (tasks.NAME.judge). A stored evaluation stays as it is: predictions,
results and judgements then go to outputs/judged/IDENTITY, or where --to says.

Every reply is kept as it comes (outputs/cache/judge): after a kill the same command goes on from
there, and what is stored is never asked again. Answers without a score are listed and make the exit
code 1; those that got no reply are asked for again the next time.

The key comes from the environment alone: VILAX_JUDGE_API_KEY, else OPENAI_API_KEY. It is sent to
the endpoint that you name; one of your own needs none.

Wordings (--prompt):
  reference   the benchmark's own: MM-Vet's and Video-ChatGPT's are read from an installed lmms-eval
              (extra: eval), LLaVA-Bench's comes with its rule.json
  vilax       ours; works without lmms-eval, figures compare with others of the same wording only
  FILE        a jinja2 template with {{ question }}, {{ truth }} and {{ prediction }}; blocks named
              system and user, if it has them, become the two messages

  vilax judge outputs/store/evaluation/50e9... --model gpt-4-0613 --plan
  vilax judge FOLDER --model gpt-4-0613 --price-in PRICE --price-out PRICE
  vilax judge FOLDER --task mm_vet --runs 5
  vilax judge FOLDER --base-url http://localhost:8000/v1 --model my-model --prompt vilax
"""
SHOWN = 20
"""Unscored answers named on the screen; judgements.jsonl has them all."""


def main(argv: Sequence[str]) -> int:
    """Judge an evaluation's predictions.

    Returns:
        0 if every answer has a score, 1 if some have none or the user says no.

    Raises:
        ConfigError: a bad request.
    """
    options = parser().parse_args(argv)
    settings = read_settings(options)
    prices = read_prices(options)
    # What asks and scores takes a second to import; --help and bad options need not wait for it.
    from vilax.evaluation.judge.cache import ReplyCache
    from vilax.evaluation.judge.cost import Estimate
    from vilax.evaluation.judge.endpoint import Endpoint
    from vilax.evaluation.judge.folder import (
        copy,
        read_tasks,
        reply_folder,
        target_of,
        write_judged,
    )
    from vilax.evaluation.judge.patience import Clock, Patience
    from vilax.evaluation.judge.plan import Plan
    from vilax.evaluation.judge.run import carry_out

    target = target_of(options.folder, options.to)
    cache = ReplyCache(reply_folder())
    plans = {
        name: Plan(rows, protocol, settings, cache, options.again)
        for name, (protocol, rows) in read_tasks(options.folder, options.task).items()
    }
    total = Estimate()
    for name, plan in plans.items():
        left = plan.estimate()
        total += left
        say(f"{name}, judge {plan.model}, prompt {plan.prompt.version}: {left.sentence(prices)}")
    if options.plan:
        return 0
    asker = None
    if total.calls:
        asker = Patience(Endpoint(settings), settings, Clock())
        if not options.yes and not confirmed(total.calls, settings.base_url):
            say("nothing was asked")
            return 1
    copy(options.folder, target)
    judged = {name: carry_out(plan, asker, sys.stderr.isatty()) for name, plan in plans.items()}
    lines = {name: one.lines for name, one in judged.items()}
    write_judged(target, lines, {name: one.summary for name, one in judged.items()})
    for name, one in judged.items():
        tell(name, one.summary, prices)
    print(target)
    missing = [line for one in judged.values() for line in one.unscored]
    for line in missing[:SHOWN]:
        say(
            f"unscored: {line['task']} {line['id']} at {line['k']} shots, seed {line['seed']},"
            f" run {line['run']}: {line['unscored']}"
        )
    if missing:
        rest = f", {SHOWN} of them above" if len(missing) > SHOWN else ""
        last = f"; the endpoint said: {asker.last}" if asker and asker.last else ""
        say(f"{len(missing)} judgements have no score{rest}{last}")
        say("the same command asks for what failed again; --again also where a reply was unusable")
    return 1 if missing else 0


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    made = argparse.ArgumentParser(
        prog="vilax judge",
        description="Score answers that only a judge can score, by any OpenAI-compatible endpoint.",
        epilog=TEACHING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("folder", type=Path, metavar="FOLDER", help="an evaluation's folder")
    made.add_argument(
        "--task",
        action="append",
        default=[],
        metavar="NAME",
        help="judge this task (repeatable; default: all that are judged)",
    )
    for name, metavar, said in (
        ("model", "NAME", "the judge (default: the one that the benchmark's reference asks)"),
        ("base-url", "URL", "address of the endpoint (default: OpenAI's)"),
        ("prompt", "WORDING", "reference (default), vilax, or a template's file"),
        ("runs", "N", "judge every answer N times; MM-Vet's paper has 5 (default: 1)"),
        ("max-tokens", "N", "longest reply (default: the reference's)"),
        ("parallel", "N", "requests under way at one time (default: 8)"),
        ("timeout", "SECONDS", "for one request (default: 60)"),
        ("retries", "N", "tries again after a failure (default: 6)"),
        ("patience", "SECONDS", "for one request with all its tries and pauses (default: 600)"),
    ):
        made.add_argument(f"--{name}", metavar=metavar, help=said)
    for side, what in (("in", "sent"), ("out", "received")):
        made.add_argument(
            f"--price-{side}", type=float, metavar="P", help=f"price of a million tokens {what}"
        )
    made.add_argument("--to", type=Path, metavar="DIR", help="write there and leave FOLDER as is")
    made.add_argument(
        "--again", action="store_true", help="ask anew where stored replies gave no score"
    )
    made.add_argument("--plan", action="store_true", help="print the estimate, and ask nothing")
    made.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    return made


def read_settings(options: argparse.Namespace) -> Judge:
    """The judge that the options describe.

    Raises:
        ConfigError: a value that it cannot have.
    """
    given = {name: getattr(options, name) for name in Judge.model_fields}
    said = {name: value for name, value in given.items() if value is not None}
    try:
        return validate(Judge, said)
    except ConfigError as error:
        text = str(error)
        key = next((name for name in said if text.startswith(name)), "")
        raise ConfigError(f"--{key.replace('_', '-')}{text.removeprefix(key)}") from error


def read_prices(options: argparse.Namespace) -> Prices | None:
    """Prices, where both are given; None where neither is.

    Raises:
        ConfigError: only one, or one below 0.
    """
    given = (options.price_in, options.price_out)
    if given == (None, None):
        return None
    if None in given or not all(price >= 0 for price in given):
        raise ConfigError(
            f"--price-in {given[0]} --price-out {given[1]}: expected both, each 0 or more"
        )
    return Prices(*given)


def confirmed(calls: int, address: str) -> bool:
    """Whether the user says yes; where nobody is there to ask, they did by starting this."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    say(f"send {calls:,} requests to {address}? [y/N] ", end="")
    try:
        return input().strip().lower() in ("y", "yes")
    except EOFError:
        return False


def tell(name: str, summary: Mapping[str, Any], prices: Prices | None) -> None:
    """Print a task's figures, and say what it took."""
    for which, note in (("figures", ""), ("scored_only", " (over scored answers only)")):
        for k, figures in summary[which].items():
            shown = [f"{key} {v:.2f}" for key, v in figures.items() if isinstance(v, int | float)]
            if shown:
                print(f"{name}, {k} shots: {', '.join(shown)}{note}")
    for what in ("troubles", "faults"):
        if summary[what]:
            counted = ", ".join(f"{n} {each}" for each, n in summary[what].items())
            say(f"{name}: {what} on the way: {counted}")
    used = summary["tokens"]
    cost = f", price {prices.of(used['in'], used['out']):,.2f}" if prices is not None else ""
    say(f"{name}: {used['in']:,} tokens in, {used['out']:,} out, as the endpoint counts{cost}")


def say(text: str, end: str = "\n") -> None:
    """A message for the user."""
    print(f"vilax: {text}", end=end, file=sys.stderr, flush=True)
