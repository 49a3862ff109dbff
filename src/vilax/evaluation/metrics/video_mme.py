"""Video-MME's accuracy in the official result layout (protocols.md 12.1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vilax.evaluation.metrics.option_letter import option_letter


@dataclass(frozen=True)
class Accuracy:
    """Accuracy in percent over questions; 0 where there are none.

    Attributes:
        overall: over all questions.
        duration: short, medium, long to accuracy.
        domain: domain to accuracy.
        sub_category: sub-category to accuracy.
        task_type: type of task to accuracy.
    """

    overall: float
    duration: Mapping[str, float]
    domain: Mapping[str, float]
    sub_category: Mapping[str, float]
    task_type: Mapping[str, float]


@dataclass(frozen=True)
class VideoMme(Accuracy):
    """As the official tool counts: responses without a letter leave the denominator.

    Attributes:
        strict: the same with responses without a letter counted as wrong.
        unanswered: responses without a letter.
    """

    strict: Accuracy
    unanswered: int


def video_mme(videos: Sequence[Mapping[str, Any]]) -> VideoMme:
    """Score responses by the official tool's rule (style ``videomme`` of ``option_letter``).

    Videos marked ``missing`` are left out, as with the tool's ``--skip_missing``; without that flag
    it insists on 300 videos of each duration, which is not asked for here. A group of which nothing
    is answered has accuracy 0.

    Args:
        videos: with ``duration``, ``domain``, ``sub_category``, ``questions`` (each with
            ``task_type``, ``answer``, ``response``) and perhaps ``missing``.

    Raises:
        KeyError: a video or question lacks a field; a note names the video.
    """
    answered = _Counts()
    every = _Counts()
    unanswered = 0
    for number, video in enumerate(videos):
        if video.get("missing"):
            continue
        try:
            asked = [_read(video, question) for question in video["questions"]]
        except KeyError as error:
            error.add_note(f"video {number} of video_mme, counted from 0")
            raise
        for names, answer, response in asked:
            letter = option_letter(response, {}, "videomme")
            is_right = letter == answer
            every.add(names, is_right)
            if letter is None:
                unanswered += 1
                answered.see(names)
            else:
                answered.add(names, is_right)
    return VideoMme(**answered.figures(), strict=Accuracy(**every.figures()), unanswered=unanswered)


def _read(video: Mapping[str, Any], question: Mapping[str, Any]) -> tuple[dict[str, str], str, str]:
    """Names of the groups that a question belongs to, its answer, its response."""
    names = {name: str(video[name]) for name in ("duration", "domain", "sub_category")}
    names["task_type"] = str(question["task_type"])
    return names, str(question["answer"]), str(question["response"] or "")


class _Counts:
    """Right and all answers, over all and by each name."""

    def __init__(self) -> None:
        self._groups: dict[str, dict[str, list[bool]]] = {
            name: {} for name in ("duration", "domain", "sub_category", "task_type")
        }
        self._all: list[bool] = []

    def see(self, names: Mapping[str, str]) -> None:
        """Note that there is such a group, though nothing in it may be answered."""
        for name, value in names.items():
            self._groups[name].setdefault(value, [])

    def add(self, names: Mapping[str, str], is_right: bool) -> None:
        self.see(names)
        self._all.append(is_right)
        for name, value in names.items():
            self._groups[name][value].append(is_right)

    def figures(self) -> dict[str, Any]:
        groups = {
            name: {value: _percent(some) for value, some in group.items()}
            for name, group in self._groups.items()
        }
        return {"overall": _percent(self._all), **groups}


def _percent(values: Sequence[bool]) -> float:
    return 100 * sum(values) / len(values) if values else 0.0
