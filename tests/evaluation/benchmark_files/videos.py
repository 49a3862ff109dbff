"""Video-MME, Video-LLaVA's question files, Perception Test."""

from pathlib import Path

import pyarrow
import pyarrow.parquet

from tests.evaluation.benchmark_files.pictures import dump, video

SRT = """1
00:00:00,000 --> 00:00:00,900
<font color="white" size=".72c">Hello there</font>

2
00:00:00,900 --> 00:00:02,000
Good bye
"""


def video_mme(root: Path) -> None:
    rows = []
    for number, duration in enumerate(("short", "long")):
        name = f"fFjv93ACGo{number}"
        video(root / f"video_mme/videos/{name}.mp4")
        if duration == "long":
            (root / "video_mme/subtitles").mkdir()
            (root / f"video_mme/subtitles/{name}.srt").write_text(SRT)
        for asked in range(3):
            rows.append(
                {
                    "video_id": f"{number + 1:03d}",
                    "duration": duration,
                    "domain": ("Knowledge", "Sports Competition")[number],
                    "sub_category": ("Astronomy", "Basketball")[number],
                    "url": "https://www.youtube.com/watch?v=x",
                    "videoID": name,
                    "question_id": f"{number + 1:03d}-{asked + 1}",
                    "task_type": ("Counting Problem", "OCR Problems", "Action Recognition")[asked],
                    "question": "When were the red apples shown?",
                    "options": ["A. Apples.", "B. Candles.", "C. Berries.", "D. All of them."],
                    "answer": "ABC"[asked],
                }
            )
    path = root / "video_mme/test-00000-of-00001.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)


def _pairs(root: Path, task: str, names: list[str], prefix: str = "", suffix: str = ".mp4") -> None:
    asked, truths = [], []
    for number, name in enumerate(names):
        video(root / f"{task}/videos/{prefix}{name}{suffix}")
        asked.append(
            {
                "video_name": name,
                "question": "what is a man doing",
                "question_id": f"{name}_{number}",
            }
        )
        truths.append({"answer": "riding", "type": 3, "question_id": f"{name}_{number}"})
    dump(root / task / "test_q.json", asked)
    dump(root / task / "test_a.json", truths)


def msvd_qa(root: Path) -> None:
    _pairs(root, "msvd_qa", ["vid1451", "vid1452"], suffix=".avi")


def msrvtt_qa(root: Path) -> None:
    _pairs(root, "msrvtt_qa", ["video7010", "video7011"])


def tgif_qa(root: Path) -> None:
    _pairs(root, "tgif_qa", ["tumblr_nk172bbdPI1u1lr18o1_250"], suffix=".gif")


def activitynet_qa(root: Path) -> None:
    _pairs(root, "activitynet_qa", ["1QIUV7WYKXg", "_-abc"], prefix="v_")


def perception_test(root: Path) -> None:
    found = {}
    for number in range(2):
        name = f"video_{number}"
        video(root / f"perception_test/videos/{name}.mp4")
        found[name] = {
            "metadata": {"split": "valid", "video_id": name, "frame_rate": 10.0, "num_frames": 20},
            "mc_question": [
                {
                    "id": place,
                    "question": "Is the camera moving or static?",
                    "options": ["moving", "static or shaking", "I don't know"],
                    "answer_id": place,
                    "area": "Physics",
                    "reasoning": "Descriptive",
                    "tag": ["motion"],
                }
                for place in range(2)
            ],
        }
    dump(root / "perception_test/mc_question_valid.json", found)
