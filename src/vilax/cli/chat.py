"""``vilax chat``: a conversation with a trained model, in the terminal or on a page."""

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from vilax.chat.settings import HOTTEST, Settings
from vilax.config.errors import ConfigError, unknown

if TYPE_CHECKING:
    from vilax.chat.talk import Talk
    from vilax.data.document import Segment

EXAMPLES = """\
MODEL is a result's folder, a folder of vilax import, or the first digits of an identity.

In the terminal a line is a turn; pictures stand where their names are, in square brackets:
  you: [cat.jpg] [dog.jpg] which of the two is asleep ?

  /shot [a.jpg] => an apple    an example that stands before the conversation; again for more
  /reset                       forget the conversation, keep the examples
  /clear                       forget both
  /quit                        leave (so does the end of the input)

--web serves the same conversation as a page of this machine alone; its address is printed, and
Ctrl-C ends it. Answers are greedy unless --temperature is above 0: the same conversation gives
the same answer. Exit code 0; 2 for a bad request.
"""


def main(argv: Sequence[str]) -> int:
    """Talk until the input or the page ends.

    Raises:
        ConfigError: there is no such model or template, or a setting is out of range.
    """
    words = _parser().parse_args(list(argv))
    settings = Settings(words.max_new_tokens, words.temperature, words.seed)
    if words.port is not None and not words.web:
        raise ConfigError(f"--port {words.port}: expected with --web alone")
    if words.web:
        from vilax.cli.chat_web import listen

        at = listen(words.port)
    from vilax.ablation.subject import find_result
    from vilax.chat.talk import Talk
    from vilax.config.schema.data import Template
    from vilax.evaluation.subject import Subject
    from vilax.training.load import load_result

    run, stage, entry = find_result(words.model)
    template = words.template or run.template_of(stage)
    if template not in get_args(Template):
        raise unknown("template", template, get_args(Template))
    subject = Subject(*load_result(run, entry, stage))
    if words.web:
        from vilax.cli.chat_web import serve

        return serve(subject, template, settings, entry.label, at)
    print(f"{entry.label}, template {template}; /quit leaves", file=sys.stderr)
    read = lambda: input("you: " if sys.stdin.isatty() else "")  # noqa: E731
    return converse(Talk(subject, template), settings, read)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "vilax chat",
        description="Talk with a trained model.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    shown = Settings()
    parser.add_argument("model", metavar="MODEL", help="a trained result or imported model")
    parser.add_argument(
        "--template", metavar="NAME", help="conversation template; default: that of its last stage"
    )
    parser.add_argument(
        "--max-new-tokens",
        type=int,
        default=shown.max_new_tokens,
        metavar="N",
        help="tokens of an answer, at most (%(default)s)",
    )
    parser.add_argument(
        "--temperature",
        type=float,
        default=shown.temperature,
        metavar="T",
        help=f"0: greedy (default); up to {HOTTEST:g}: tokens are drawn",
    )
    parser.add_argument(
        "--seed", type=int, default=shown.seed, metavar="S", help="of the draws (%(default)s)"
    )
    parser.add_argument("--web", action="store_true", help="a page in the browser")
    parser.add_argument(
        "--port", type=int, metavar="N", help="of the page (default: a free one, printed)"
    )
    return parser


def converse(talk: "Talk", settings: Settings, read: Callable[[], str]) -> int:
    """Read turns and print answers as they come."""
    while True:
        try:
            line = read().strip()
        except EOFError:
            return 0
        if line in ("/quit", "/exit"):
            return 0
        try:
            if line == "/reset":
                talk.turns.clear()
            elif line == "/clear":
                talk.turns.clear()
                talk.shots.clear()
            elif line.startswith("/shot "):
                _add_shot(talk, line.removeprefix("/shot "))
            elif line.startswith("/"):
                raise unknown("command", line, ("/shot", "/reset", "/clear", "/quit"))
            elif line:
                for piece in talk.answer(talk.prepare(segments(line), settings), settings):
                    print(piece, end="", flush=True)
                print()
        except ConfigError as error:
            print(f"vilax: {error}", file=sys.stderr)


def _add_shot(talk: "Talk", text: str) -> None:
    """Put an example, ``question => answer``, before the conversation."""
    from vilax.chat.talk import Exchange

    question, arrow, answer = text.partition("=>")
    if not arrow or not answer.strip():
        raise ConfigError(f"/shot {text}: expected QUESTION => ANSWER")
    talk.shots.append(Exchange(tuple(segments(question)), answer.strip()))


def segments(line: str) -> "list[Segment]":
    """Pictures and text of a line, in their order.

    Raises:
        ConfigError: a picture cannot be read.
    """
    from vilax.chat.pictures import read_picture
    from vilax.chat.talk import said

    found: list[Segment] = []
    for number, part in enumerate(re.split(r"\[([^\[\]]+)\]", line)):
        if number % 2:
            found.append(read_picture(Path(part).expanduser(), f"[{part}]"))
        elif part.strip():
            found.append(said(part.strip(), "user"))
    return found
