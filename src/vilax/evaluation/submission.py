"""Files that the benchmarks' evaluation servers accept."""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vilax.artifacts.files import replacing, write_text
from vilax.evaluation.asking import Source
from vilax.evaluation.benchmark import BenchmarkSource
from vilax.evaluation.journal import Part
from vilax.evaluation.metrics.vqa import vqa_normalise
from vilax.evaluation.question import Question

Answered = Sequence[tuple[Question, str]]
FOLDER = "submission"


def write_submissions(
    sources: Sequence[Source], answers: Mapping[Part, Mapping[str, Mapping[str, Any]]], folder: Path
) -> list[Path]:
    """Write ``submission/TASK.json`` (or ``.xlsx``) of each task whose server takes a file.

    Args:
        sources: the tasks.
        answers: part to item to what the journal says of it.
        folder: where results lie.

    Returns:
        The files, one for each number of shots and seed; the name says which where there are more.
    """
    written = []
    for source in sources:
        if not isinstance(source, BenchmarkSource) or source.task.submission == "none":
            continue
        parts = [part for part in answers if part[0] == source.name]
        for part in parts:
            rows = answers[part]
            answered = [(q, str(rows[q.id]["answer"])) for q in source.questions if q.id in rows]
            suffix = "" if len(parts) == 1 else f"-{part[1]}-shots-seed-{part[2]}"
            made = FORMATS[source.task.submission](source, answered)
            ending = "json" if isinstance(made, str) else "xlsx"
            path = folder / FOLDER / f"{source.name}{suffix}.{ending}"
            if isinstance(made, str):
                write_text(path, made)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                with replacing(path) as temporary:
                    temporary.write_bytes(made)
            written.append(path)
    return written


def vqa(source: BenchmarkSource, answered: Answered) -> str:
    """VQAv2's server: {question_id, answer} of every question of the split, '' where not asked.

    Answers are normalised as LLaVA's upload script does, for the server normalises only where the
    ten people differ (protocols.md 1.3).
    """
    said = {int(q.record["question_id"]): vqa_normalise(text, "evalai") for q, text in answered}
    every = [*said, *(number for number in source.unasked() if number not in said)]
    return _json([{"question_id": number, "answer": said.get(number, "")} for number in every])


def vizwiz(source: BenchmarkSource, answered: Answered) -> str:
    """VizWiz's server: {image, answer}, normalised likewise."""
    return _json(
        [
            {"image": q.record["image"], "answer": vqa_normalise(text, "evalai")}
            for q, text in answered
        ]
    )


def captions(source: BenchmarkSource, answered: Answered) -> str:
    """The COCO caption server: {image_id, caption}."""
    return _json([{"image_id": int(q.id), "caption": text} for q, text in answered])


def mmmu(source: BenchmarkSource, answered: Answered) -> str:
    """MMMU's server: id to answer."""
    return _json({q.id: text for q, text in answered})


def gqa(source: BenchmarkSource, answered: Answered) -> str:
    """GQA's format: {questionId, prediction}, cleaned as LLaVA's script does."""
    return _json(
        [{"questionId": q.id, "prediction": text.rstrip(".").lower()} for q, text in answered]
    )


DROPPED_COLUMNS = ("hint", "category", "source", "image", "comment", "l2-category")
"""Columns of MMBench's table that its server does not want back (LLaVA's script)."""
OWN_NAMES = ("answers", "facts", "file", "main", "options", "row", "stem")
"""Names of a question's record that are no columns of its table."""


def mmbench(source: BenchmarkSource, answered: Answered) -> bytes:
    """MMBench's server: a sheet of index, question, options, prediction and what else is left."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    header: list[str] = []
    for question, text in answered:
        row = {n: v for n, v in question.record.items() if n not in OWN_NAMES}
        if not header:
            header = [name for name in row if name not in DROPPED_COLUMNS]
            header.insert(min(6, len(header)), "prediction")
            sheet.append(header)
        cells = {**row, "index": int(row["index"]), "prediction": text}
        sheet.append([_cell(sheet, cells[name]) for name in header])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _cell(sheet: Any, value: Any) -> Any:
    from openpyxl.cell import WriteOnlyCell

    if not isinstance(value, str):
        return value
    # XML knows no control characters; text that begins with an equals sign is no formula here.
    cell = WriteOnlyCell(sheet, "".join(c for c in value if c >= " " or c in "\n\t"))
    cell.data_type = "s"
    return cell


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


FORMATS: Mapping[str, Callable[[BenchmarkSource, Answered], str | bytes]] = {
    "captions": captions,
    "gqa": gqa,
    "mmbench": mmbench,
    "mmmu": mmmu,
    "vizwiz": vizwiz,
    "vqa": vqa,
}
"""Format by the name that ``submission`` takes."""
