"""Curves and scores as files: TensorBoard's events, and CSV."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from vilax.ablation.dashboards.wandb_runs import metrics_rows, scores
from vilax.artifacts.files import replacing
from vilax.config.errors import ConfigError
from vilax.config.locate import outputs_dir

if TYPE_CHECKING:
    from vilax.ablation.dashboards.publish import Published


def publish_tensorboard(published: "Published") -> Path:
    """Write curves and scores below ``outputs/tensorboard/COMPARISON/ARM/seedN``.

    A folder is named by what is in it, so that a change of results makes a new one.

    Raises:
        ConfigError: tensorboard is not installed.
    """
    folder = _folder("tensorboard", published) / published.stages[-1][1].identity[:12]
    if (folder / "done").exists():
        return folder
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ConfigError(
            "logger.tensorboard=true: tensorboard is not installed; expected"
            " pip install 'vilax[dashboards]', or logger.csv=true"
        ) from error
    with SummaryWriter(str(folder)) as writer:
        for name, entry in published.stages:
            for row in metrics_rows(entry.folder / "metrics.jsonl"):
                for key, value in row.items():
                    if key != "step":
                        writer.add_scalar(f"{name}/{key}", value, int(row["step"]))
        for name, value in _figures(published):
            writer.add_scalar(name, value, 0)
    (folder / "done").touch()
    return folder


def publish_csv(published: "Published") -> list[Path]:
    """Write a file of rows for each stage and one of scores, below ``outputs/csv``."""
    folder = _folder("csv", published)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, entry in published.stages:
        rows = list(metrics_rows(entry.folder / "metrics.jsonl"))
        columns = list(dict.fromkeys(key for row in rows for key in row))
        written.append(folder / f"{name}.csv")
        with replacing(written[-1]) as place, place.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
    written.append(folder / "figures.csv")
    with replacing(written[-1]) as place, place.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["figure", "value"])
        table.writerows(_figures(published))
    return written


def _figures(published: "Published") -> list[tuple[str, float]]:
    found = [(f"measures/{name}", value) for name, value in published.measures]
    if published.evaluation is not None:
        found += [(f"evaluation/{name}", value) for name, value in scores(published.evaluation)]
    return found


def _folder(kind: str, published: "Published") -> Path:
    return outputs_dir() / kind / published.comparison / published.arm / f"seed{published.seed}"
