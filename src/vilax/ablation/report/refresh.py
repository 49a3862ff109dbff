"""The report gathered afresh from the store: nothing is trained, nothing is evaluated."""

import sys
from dataclasses import replace
from pathlib import Path

from vilax.ablation.collect import Collected, StageFacts, collect
from vilax.ablation.comparison import Resolved, resolve
from vilax.ablation.graph import Lookup, build
from vilax.ablation.report.content import comparison
from vilax.ablation.report.model import ComparisonReport, Report, Request
from vilax.config.errors import ConfigError
from vilax.config.groups import composed_once


class Gatherer:
    """Makes the content of comparisons; one whose results are the same is not computed again.

    Args:
        has_examples: look up answers on which arms differ, with their pictures.
    """

    def __init__(self, has_examples: bool = True) -> None:
        self._has_examples = has_examples
        self._known: dict[str, tuple[object, ComparisonReport]] = {}

    def content(self, one: Collected) -> ComparisonReport:
        """One comparison's part of the report."""
        name = one.resolved.name
        state = (
            one.resolved.seeds,
            {place: entry.identity for place, entry in one.results.items()},
            sorted(one.controls),
            {
                a: (f.failed, f.waiting, len(f.stages), sorted(f.scores))
                for a, f in one.arms.items()
            },
            sorted(one.measures),
        )
        if name not in self._known or self._known[name][0] != state:
            self._known[name] = (state, comparison(one, self._has_examples))
        return self._known[name][1]


class Refresher:
    """Gathers the comparisons of a report from the store again.

    Args:
        scale: name of the scale.
        lookup: where results are found.
    """

    def __init__(self, scale: str, lookup: Lookup) -> None:
        self._scale = scale
        self._lookup = lookup
        self._gatherer = Gatherer()
        self._resolved: dict[Request, Resolved] = {}
        self._told: set[str] = set()

    @composed_once()
    def refresh(self, report: Report) -> dict[str, ComparisonReport]:
        """The comparisons of which the store knows as much as the report does, by name.

        One that cannot be gathered (its files are gone, its results were made by other source
        code or were removed) stays as it was, and stderr says so, once.
        """
        found = {}
        for name, last in report.comparisons.items():
            if last.request is None:
                continue
            try:
                fresh = self._gatherer.content(self._collect(last.request, last))
            except ConfigError as error:
                self._stays(name, last, str(error))
                continue
            if _results(fresh) < _results(last):
                self._stays(name, last, "the store holds fewer of its results now")
                continue
            found[name] = fresh
        return found

    def _collect(self, request: Request, last: ComparisonReport) -> Collected:
        if request not in self._resolved:
            folder = Path(request.config_dir) if request.config_dir else None
            self._resolved[request] = resolve(
                request.name, request.seeds, self._scale, request.extra, folder
            )
        resolved = self._resolved[request]
        collected = collect(resolved, build([resolved], self._lookup), {}, self._lookup)
        _keep_history(collected, last)
        return collected

    def _stays(self, name: str, last: ComparisonReport, why: str) -> None:
        line = f"vilax: {name} stays as of {last.generated or 'its last call'}: {why}"
        if line not in self._told:
            self._told.add(line)
            print(line, file=sys.stderr)


def _results(one: ComparisonReport) -> int:
    return sum(len(arm.seeds) + len(arm.stages) for arm in one.arms.values())


def _keep_history(collected: Collected, last: ComparisonReport) -> None:
    """What the store does not know: which stages a call trained, and why a seed failed."""
    reused = {
        (arm, stage.seed, stage.identity): stage.reused
        for arm, facts in last.arms.items()
        for stage in facts.stages
    }
    seen: set[str] = set()
    for arm, facts in collected.arms.items():
        stages: list[StageFacts] = []
        for stage in facts.stages:
            place = (arm, stage.seed, stage.identity)
            stages.append(replace(stage, reused=reused.get(place, stage.identity in seen)))
            seen.add(stage.identity)
        facts.stages[:] = stages
        before = last.arms.get(arm)
        if facts.waiting and before is not None and before.failed:
            facts.failed, facts.retry = before.failed, before.retry or before.command
            facts.waiting = ""
