"""The wandb workspace and report of comparisons, from code (wandb-workspaces)."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vilax.ablation.comparison import Resolved
from vilax.config.errors import ConfigError
from vilax.config.locate import outputs_dir

CURVES = ("loss", "gradient_norm", "supervised_per_second")
"""What is drawn of every stage."""


def workspace(compared: Sequence[Resolved], entity: str, project: str) -> Any:
    """A workspace with a section for each comparison: curves by stage, scores by task.

    Raises:
        ConfigError: wandb-workspaces is not installed.
    """
    ws, _ = _library()
    sections = [
        ws.Section(name=_heading(one), panels=_panels(one), is_open=place == 0)
        for place, one in enumerate(compared)
    ]
    return ws.Workspace(
        entity=entity,
        project=project,
        name="vilax",
        sections=sections,
        runset_settings=ws.RunsetSettings(groupby=[ws.Metric("Group"), ws.Metric("JobType")]),
    )


def report(compared: Sequence[Resolved], entity: str, project: str) -> Any:
    """A wandb report: each comparison's question, its claims with the paper's figures, its panels.

    Raises:
        ConfigError: wandb-workspaces is not installed.
    """
    _, wr = _library()
    blocks: list[Any] = [wr.TableOfContents()]
    for one in compared:
        comparison = one.comparison
        claims = [f"{claim.text} (paper: {claim.paper})" for claim in comparison.claims.values()]
        runs = wr.Runset(
            entity=entity,
            project=project,
            name=one.name,
            filters=f"Metric('Group') in ['{one.name}']",
        )
        blocks += [
            wr.H1(text=_heading(one)),
            wr.P(text=comparison.question),
            *([wr.UnorderedList(items=claims)] if claims else []),
            wr.PanelGrid(runsets=[runs], panels=_panels(one)),
        ]
    title = "vilax: " + ", ".join(one.name for one in compared)
    return wr.Report(entity=entity, project=project, title=title, blocks=blocks)


def sync(entity: str, project: str) -> list[Path]:
    """Send runs that were written offline to the server; returns their folders.

    Raises:
        ConfigError: wandb refuses one, with what it said.
    """
    folders = sorted((outputs_dir() / "wandb").glob("offline-run-*"))
    for folder in folders:
        words = [sys.executable, "-m", "wandb", "sync", "--project", project]
        words += ["--entity", entity] if entity else []
        done = subprocess.run(  # noqa: S603
            [*words, str(folder)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise ConfigError(f"wandb sync {folder}: {done.stderr.strip() or done.stdout.strip()}")
    return folders


def _heading(one: Resolved) -> str:
    return f"{one.name}: {one.comparison.title}"


def _panels(one: Resolved) -> list[Any]:
    _, wr = _library()
    stages = list(dict.fromkeys(name for run in one.arms.values() for name in run.order))
    panels = [
        wr.LinePlot(title=f"{stage}: {curve}", x=f"{stage}/step", y=[f"{stage}/{curve}"])
        for stage in stages
        for curve in CURVES
    ]
    tasks = next(iter(one.arms.values())).evaluation.tasks
    panels += [
        wr.BarPlot(
            title=f"{name} by shots",
            metrics=[f"evaluation/{name}/{k}-shot" for k in task.shots],
        )
        for name, task in tasks.items()
    ]
    return [*panels, wr.WeavePanelSummaryTable(table_name="evaluation/predictions")]


def _library() -> tuple[Any, Any]:
    try:
        import wandb_workspaces.reports.v2 as wr
        import wandb_workspaces.workspaces as ws
    except ImportError as error:
        raise ConfigError(
            "wandb-workspaces is not installed: expected pip install 'vilax[dashboards]'"
        ) from error
    return ws, wr
