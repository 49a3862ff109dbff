"""``vilax chat``: a conversation with a trained model, in the terminal."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from vilax.config.errors import ConfigError, unknown

if TYPE_CHECKING:
    from vilax.data.document import Segment
    from vilax.evaluation.subject import Subject

EXAMPLES = """\
MODEL is a result's folder, a folder of vilax import, or the first digits of an identity.

In the conversation a line is a turn; pictures stand where their names are, in square brackets:
  you: [cat.jpg] [dog.jpg] which of the two is asleep ?

  /shot [a.jpg] => an apple    an example that stands before the conversation; again for more
  /reset                       forget the conversation, keep the examples
  /clear                       forget both
  /quit                        leave (so does the end of the input)

Answers are greedy: the same conversation gives the same answer. Exit code 0; 2 for a bad request.
"""


def main(argv: Sequence[str]) -> int:
    """Talk until the input ends.

    Raises:
        ConfigError: there is no such model or template.
    """
    parser = argparse.ArgumentParser(
        "vilax chat",
        description="Talk with a trained model.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL", help="a trained result or imported model")
    parser.add_argument(
        "--template", metavar="NAME", help="conversation template; default: that of its last stage"
    )
    parser.add_argument("--max-new-tokens", type=int, default=256, metavar="N")
    words = parser.parse_args(list(argv))
    if words.max_new_tokens < 1:
        raise ConfigError(f"--max-new-tokens {words.max_new_tokens}: expected at least 1")

    from vilax.ablation.subject import find_result
    from vilax.config.schema.data import Template
    from vilax.evaluation.subject import Subject
    from vilax.training.load import load_result

    run, stage, entry = find_result(words.model)
    template = words.template or run.template_of(stage)
    if template not in get_args(Template):
        raise unknown("template", template, get_args(Template))
    subject = Subject(*load_result(run, entry, stage))
    talk = Talk(subject, template, words.max_new_tokens)
    print(f"{entry.label}, template {template}; /quit leaves", file=sys.stderr)
    return converse(talk, lambda: input("you: " if sys.stdin.isatty() else ""))


def converse(talk: "Talk", read: Callable[[], str]) -> int:
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
                talk.add_shot(line.removeprefix("/shot "))
            elif line.startswith("/"):
                raise unknown("command", line, ("/shot", "/reset", "/clear", "/quit"))
            elif line:
                for piece in talk.ask(line):
                    print(piece, end="", flush=True)
                print()
        except ConfigError as error:
            print(f"vilax: {error}", file=sys.stderr)


@dataclass
class Talk:
    """A conversation.

    Attributes:
        subject: the model.
        template: name of its conversation template.
        most: tokens of an answer, at most.
        shots: segments of the examples.
        turns: segments of the conversation so far.
    """

    subject: "Subject"
    template: str
    most: int
    shots: "list[Segment]" = field(default_factory=list)
    turns: "list[Segment]" = field(default_factory=list)

    def add_shot(self, text: str) -> None:
        """Put an example, ``question => answer``, before the conversation.

        Raises:
            ConfigError: it has no answer, or a picture cannot be read.
        """
        question, arrow, answer = text.partition("=>")
        if not arrow or not answer.strip():
            raise ConfigError(f"/shot {text}: expected QUESTION => ANSWER")
        self.shots += [*self._segments(question), self._text(answer.strip(), "assistant")]

    def ask(self, line: str) -> Iterator[str]:
        """The answer, piece by piece.

        Raises:
            ConfigError: a picture cannot be read, or the context is full.
        """
        import queue
        import threading

        from vilax.data.document import Document
        from vilax.models.decoding import generate

        asked = self._segments(line)
        document = Document("chat", "chat", (*self.shots, *self.turns, *asked))
        prompts, tokenizer = self.subject.prompts, self.subject.tokenizer
        prompt = prompts.prompt(document, self.template)  # type: ignore[arg-type]
        context = self.subject.context
        if context is not None and len(prompt.tokens) + self.most > context:
            raise ConfigError(
                f"the conversation takes {len(prompt.tokens)} tokens and an answer up to"
                f" {self.most}, the LLM's context has {context}: /reset, or --max-new-tokens"
            )
        if prompt.images and self.subject.features is None:
            raise ConfigError("this model is text-only: expected no picture")
        features = None
        if prompt.images and self.subject.features is not None:
            features = self.subject.features(prompt.images).to(self.subject.model.device)
        said: queue.Queue[str | BaseException | None] = queue.Queue()
        shown = [""]

        def watch(tokens: Sequence[int]) -> bool:
            text = str(tokenizer.decode(list(tokens), skip_special_tokens=True))
            # A character of several tokens is shown once it is whole.
            if not text.endswith("\ufffd") and len(text) > len(shown[0]):
                said.put(text[len(shown[0]) :])
                shown[0] = text
            return False

        def work() -> None:
            try:
                stops = prompts.stops(self.template)  # type: ignore[arg-type]
                given = [prompt.tokens.tolist()], [features], self.most, stops, prompts.pad_id
                (answer,) = generate(self.subject.model, *given, finished=watch)
                watch(answer)
                said.put(None)
            except BaseException as error:
                said.put(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        while (piece := said.get()) is not None:
            if isinstance(piece, BaseException):
                raise piece
            yield piece
        self.turns += [*asked, self._text(shown[0].strip(), "assistant")]

    def _segments(self, line: str) -> "list[Segment]":
        """Pictures and text of a user's turn, in their order."""
        import re

        from vilax.data.document import Image
        from vilax.data.formats.files import BadSample
        from vilax.data.images import decode

        found: list[Segment] = []
        for number, part in enumerate(re.split(r"\[([^\[\]]+)\]", line)):
            if number % 2 == 0:
                if part.strip():
                    found.append(self._text(part.strip(), "user"))
                continue
            path = Path(part).expanduser()
            try:
                data = path.read_bytes()
                decode(data)
            except OSError as error:
                raise ConfigError(f"[{part}]: {error.strerror}") from error
            except BadSample as error:
                raise ConfigError(f"[{part}]: {error}") from error
            found.append(Image(data))
        if not any(not isinstance(one, Image) for one in found):
            raise ConfigError("expected a question beside the pictures")
        return found

    @staticmethod
    def _text(text: str, role: str) -> "Segment":
        from vilax.data.document import Text

        return Text(text, loss=False, role=role)  # type: ignore[arg-type]
