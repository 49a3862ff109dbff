"""What the nodes of comparisons take on GPUs: equal stages are planned once."""

from collections.abc import Callable
from dataclasses import replace

from vilax.artifacts.identity import canonical, science_dump
from vilax.config.schema.run import Run
from vilax.planning.asking import evaluation_seconds, measures_seconds
from vilax.planning.hardware import Gpu
from vilax.planning.plan import Machine, StagePlan, plan_stage
from vilax.training.sources import corpus_config

Ask = Callable[[Run, str, Gpu, float], float]


class Pricing:
    """Plans of stages and seconds of evaluations, each distinct one worked out once.

    Args:
        machine: which GPU, at what price, used how well; how many, the trainer of a run says.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._stages: dict[str, StagePlan] = {}
        self._asked: dict[str, float] = {}

    def stage(self, run: Run, name: str) -> StagePlan:
        """The plan of a stage; its seed and what was trained before it make no difference."""
        stage = run.stages[name]
        key = canonical(
            {
                "model": [
                    run.llm.model_dump(mode="json"),
                    self._seeing(run, name),
                    run.kernels.model_dump(mode="json"),
                ],
                "stage": stage.model_dump(mode="json", exclude={"seed", "rates", "schedule"}),
                "corpora": [science_dump(corpus_config(run, one)) for one in stage.blend.corpora],
                "trainer": run.trainer.model_dump(mode="json"),
                "world": science_dump(run.micro),
            }
        )
        if key not in self._stages:
            gpus = run.trainer.devices * run.trainer.nodes
            self._stages[key] = plan_stage(run, name, replace(self.machine, gpus=gpus))
        return self._stages[key]

    def evaluation(self, run: Run, name: str) -> float:
        """Seconds of one GPU for the tasks that a stage is asked."""
        return self._once(evaluation_seconds, run, name, run.evaluation.model_dump_json())

    def measures(self, run: Run, name: str) -> float:
        """Seconds of one GPU for a stage's measures."""
        settings = canonical(
            [run.measures.model_dump(mode="json"), list(run.stages[name].blend.corpora)]
        )
        return self._once(measures_seconds, run, name, settings)

    def _once(self, ask: Ask, run: Run, name: str, settings: str) -> float:
        model = [run.llm.model_dump(mode="json"), self._seeing(run, name), name]
        key = canonical([ask.__name__, model, settings])
        if key not in self._asked:
            self._asked[key] = ask(run, name, self.machine.gpu, self.machine.used)
        return self._asked[key]

    def _seeing(self, run: Run, name: str) -> object:
        if "encoder" not in run.stages[name].parts:
            return None
        return [run.encoder.model_dump(mode="json"), run.projector.model_dump(mode="json")]
