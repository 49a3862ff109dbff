"""A public benchmark as the runner sees it: prompts from its YAML, shots, scores."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vilax.config.errors import ConfigError
from vilax.config.schema.benchmark import BenchmarkTask
from vilax.data.document import Document, Image, Role, Segment, Text
from vilax.evaluation.asking import Ask, Readable, Scored
from vilax.evaluation.binding import bind
from vilax.evaluation.expressions import NEXT_PICTURE, PICTURE_MARK, Expressions
from vilax.evaluation.question import Question, QuestionReader, draw, missing_files
from vilax.evaluation.records import annotation_prints, read_records
from vilax.evaluation.scorers import JUDGED, check_scoring, score
from vilax.evaluation.shots import ShotChooser, Similarity


class BenchmarkSource:
    """A task over a benchmark's annotation files.

    Args:
        name: the task's name.
        task: its settings.
        root: the benchmarks folder.
        limit: items at most, beside the task's own.
        similarity: features by which similar shots are found; None where the model sees nothing.

    Raises:
        ConfigError: a file is missing or does not fit the task's expressions.
    """

    def __init__(
        self,
        name: str,
        task: BenchmarkTask,
        root: Path,
        limit: int | None = None,
        similarity: Similarity | None = None,
    ) -> None:
        missing = missing_files(name, task, root)
        if missing:
            raise ConfigError(missing)
        self.name, self.task, self.root = name, task, root
        self.shots = task.shots
        self.template = task.template
        self.max_new_tokens = task.max_new_tokens
        self.generates = task.rank is None and task.binding is None
        reader = QuestionReader(name, task, root)
        every = list(reader.read(task.files, task.where))
        if not every:
            raise ConfigError(f"evaluation.tasks.{name}: its files hold no question")
        self._pool: list[Question] = []
        if task.binding is not None:
            every, self._pool = bind(name, task.binding, every, max(task.shots))
        elif task.few_shot is not None and max(task.shots) > 0:
            shown = QuestionReader(name, task, root, task.few_shot.pictures)
            self._pool = list(shown.read(task.few_shot.files, None))
        self.available = len(every)
        most = [count for count in (task.items, limit) if count is not None]
        self.questions = draw(every, min(most, default=None))
        check_scoring(name, task, self.questions)
        self._chooser = ShotChooser(name, task, self._pool, similarity, self.questions)
        expressions = Expressions(f"evaluation.tasks.{name}")
        self._prompt = expressions.template("prompt", task.prompt)
        self._intro = expressions.template("intro", task.intro)
        self._answer = (
            None
            if task.few_shot is None
            else expressions.value("few_shot.answer", task.few_shot.answer)
        )

    def __len__(self) -> int:
        return len(self.questions)

    def id(self, index: int) -> str:
        """Name of a question."""
        return self.questions[index].id

    def ask(self, index: int, k: int, seed: int) -> Ask:
        """The prompt of a question with k shots; each picture stands where the template says."""
        question = self.questions[index]
        shots = self._chooser.choose(question, k, seed)
        pictures: dict[bytes, Readable] = {}
        segments: list[Segment] = []
        intro = self._intro({**question.record, "k": k})
        if self.template == "raw":
            text = intro
            for shot in shots:
                text = self._lay(segments, pictures, shot, text, "")
                text += f"{self.task.space}{self._shown_answer(shot)}{self.task.between}"
            text = self._lay(segments, pictures, question, text, "")
            _put(segments, text, "")
        else:
            for shot in shots:
                _put(segments, self._lay(segments, pictures, shot, intro, "user"), "user")
                _put(segments, self._shown_answer(shot), "assistant")
                intro = ""
            _put(segments, self._lay(segments, pictures, question, intro, "user"), "user")
        names = tuple(shot.id for shot in shots)
        return Ask(
            question.id,
            Document(question.id, "evaluation", tuple(segments)),
            pictures,
            question.candidates,
            names,
            (names, intro if self.template == "raw" else ""),
        )

    def _lay(
        self,
        segments: list[Segment],
        pictures: dict[bytes, Readable],
        question: Question,
        before: str,
        role: Role,
    ) -> str:
        """Append a question's pictures and the text between them; returns the text that is left."""
        for picture in question.pictures:
            pictures[picture.key] = picture
        names = dict(question.record) | {"image": NEXT_PICTURE, "options": question.options}
        rendered = self._prompt(names)
        order = _places(rendered, question, f"evaluation.tasks.{self.name}.prompt")
        if not PICTURE_MARK.search(rendered):
            if before and question.pictures:
                _put(segments, before, role)
                before = ""
            segments.extend(Image(picture.key) for picture in question.pictures)
            return before + rendered
        unnamed = [n for n in range(len(question.pictures)) if n not in order]
        if unnamed:
            # Pictures that a question does not call by their numbers stand before it.
            _put(segments, before, role)
            before = ""
            segments.extend(Image(question.pictures[place].key) for place in unnamed)
        texts = PICTURE_MARK.split(rendered)[::2]
        text = before + texts[0]
        for place, following in zip(order, texts[1:], strict=True):
            _put(segments, text, role)
            segments.append(Image(question.pictures[place].key))
            text = following
        return text

    def _shown_answer(self, shot: Question) -> str:
        if self._answer is None:
            return shot.answers[0]
        return str(self._answer(shot.record))

    def clean(self, text: str) -> str:
        """A generated answer up to the first of the task's stops, stripped."""
        for stop in self.task.stop:
            text = text.partition(stop)[0]
        return text.strip()

    def score(self, answers: Sequence[str]) -> Scored:
        """Score the answers of all questions by the task's metric."""
        return score(self.name, self.task, self.questions, answers)

    def unasked(self) -> list[int]:
        """Ids of all questions that a server's file must name."""
        if self.task.unasked is None:
            return []
        where = f"evaluation.tasks.{self.name}.unasked"
        rows = read_records(where, {"unasked": self.task.unasked}, self.root)
        return [int(row["question_id"]) for row in rows]

    def row(self, index: int) -> Mapping[str, Any]:
        """The question's references and facts."""
        question = self.questions[index]
        row: dict[str, Any] = {"reference": list(question.answers)}
        if question.options:
            row["options"] = dict(question.options)
        return row | {"facts": dict(question.facts)}

    def describe(self) -> Mapping[str, Any]:
        """What was asked, of which files, by which rule."""
        task = self.task
        return {
            "title": task.title,
            "cite": task.cite,
            "metric": task.metric,
            "rule": ", ".join(task.styles) or task.metric,
            "styles": list(task.styles),
            "prompt": task.prompt,
            "files": annotation_prints(task, self.root),
            "available": self.available,
            "chance": self._guess(),
            "barred_shots": self._chooser.barred,
            "judge_protocol": JUDGED.get(task.metric),
        }

    def _guess(self) -> float | None:
        shares = [
            len(set(q.answers) & set(q.candidates)) / len(q.candidates)
            for q in self.questions
            if q.candidates
        ]
        return sum(shares) / len(shares) if shares else None


def _places(rendered: str, question: Question, where: str) -> list[int]:
    """Which picture stands at each mark of a rendered prompt.

    Raises:
        ConfigError: a mark has no picture, or marks without numbers leave a picture out.
    """
    places: list[int] = []
    following = 0
    for number in PICTURE_MARK.findall(rendered):
        place = int(number) - 1 if number else following
        following += not number
        if not 0 <= place < len(question.pictures):
            raise ConfigError(
                f"{where}: question {question.id!r} has {len(question.pictures)} pictures, its"
                f" prompt asks for picture {place + 1}"
            )
        places.append(place)
    numbered = any(PICTURE_MARK.findall(rendered))
    if places and not numbered and len(places) != len(question.pictures):
        raise ConfigError(
            f"{where}: question {question.id!r} has {len(question.pictures)} pictures, its prompt"
            f" shows {len(set(places))}"
        )
    return places


def _put(segments: list[Segment], text: str, role: Role) -> None:
    if role:
        # As training documents have the pieces of a turn, before and after its pictures.
        text = text.strip()
    if text:
        segments.append(Text(text, loss=False, role=role))
