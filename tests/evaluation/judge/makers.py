"""Predictions, settings, and a clock that jumps."""

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.evaluation.judge.server import KEY
from vilax.config.schema.judge import Judge
from vilax.evaluation.judge.patience import Clock


def set_apart(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """No account but the test's; all that is written lies under the test's folder."""
    for name in list(os.environ):
        if name.startswith("OPENAI_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("VILAX_JUDGE_API_KEY", KEY)
    monkeypatch.setenv("VILAX_OUTPUTS", str(folder / "outputs"))


class JumpingClock(Clock):
    """Waiting moves the clock and takes no time; ``waits`` has what was waited."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.waits: list[float] = []
        self._lock = threading.Lock()

    def now(self) -> float:
        return self.time

    def wait(self, seconds: float, stop: threading.Event) -> None:
        with self._lock:
            self.waits.append(seconds)
            self.time += seconds


def settings_for(url: str, **changes: Any) -> Judge:
    return Judge.model_validate(
        {"base_url": url, "prompt": "vilax", "timeout": 5.0, "parallel": 3} | changes
    )


def vet_rows(count: int) -> list[dict[str, Any]]:
    """Predictions of MM-Vet; the answer of each is its number."""
    sets = (["rec"], ["rec", "ocr"], ["math", "ocr"])
    return [
        {
            "task": "mm_vet",
            "k": 0,
            "seed": 0,
            "id": f"v1_{number}",
            "answer": f"answer {number}",
            "score": None,
            "facts": {
                "question": f"What is in picture {number}?",
                "truth": "a cat<AND>a dog",
                "capabilities": sets[number % len(sets)],
            },
        }
        for number in range(count)
    ]


def bench_rows(count: int) -> list[dict[str, Any]]:
    """Predictions of LLaVA-Bench."""
    return [
        {
            "task": "llava_bench",
            "k": 0,
            "seed": 0,
            "id": str(number),
            "answer": f"answer {number}",
            "facts": {
                "question": f"What is in picture {number}?",
                "context": "A picture of a harbour.",
                "reference": "Boats.",
                "category": ("conv", "detail", "complex")[number % 3],
                "rule": f"Rule {number % 3}.",
                "role": "Assistant",
            },
        }
        for number in range(count)
    ]


def video_rows(count: int) -> list[dict[str, Any]]:
    """Predictions of a video benchmark."""
    return [
        {
            "task": "msvd_qa",
            "k": 0,
            "seed": 0,
            "id": str(number),
            "answer": f"answer {number}",
            "facts": {"question": f"who sings song {number}?", "truth": "woman"},
        }
        for number in range(count)
    ]
