"""Schema of a run: a recipe on a model, with data, devices and evaluation."""

from pydantic import Field, model_validator

from vilax.config.schema.base import Node, execution
from vilax.config.schema.data import Corpus, MicroWorld, Template
from vilax.config.schema.evaluation import Evaluation
from vilax.config.schema.execution import Features, Logger, Store, Trainer
from vilax.config.schema.measures import Measures
from vilax.config.schema.model import Encoder, Kernels, Llm, Projector
from vilax.config.schema.stage import Stage


class Run(Node):
    """Everything that ``vilax train`` needs: the composed and validated configuration."""

    name: str = execution("run")
    """Shown on dashboards and used for the run's folder."""
    seed: int = Field(0, ge=0)
    """Seeds initialisation, data order, dropout and shot choice."""
    scale: str = execution("micro")
    """Name of the scale that was composed."""
    encoder: Encoder
    """Image encoder."""
    projector: Projector
    """Projector."""
    llm: Llm
    """Language model."""
    kernels: Kernels = Kernels()
    """How the model computes."""
    start: str | None = execution(None)
    """Folder of a model to start from (``vilax import``, ``vilax export``, a stage's result): its
    encoder, projector and LLM are taken. Its identity is hashed in place of its path."""
    order: tuple[str, ...] = Field(min_length=1)
    """Stages, in the order they run."""
    stages: dict[str, Stage]
    """Stage by name."""
    until: str | None = execution(None)
    """Stop after this stage; null: run all."""
    corpora: dict[str, Corpus] = Field(default_factory=dict)
    """Corpus by the name that blends use."""
    micro: MicroWorld = MicroWorld()
    """The micro world, read where a path begins with ``micro:``."""
    features: Features = Features()
    """Feature cache of a frozen encoder."""
    trainer: Trainer = Trainer()
    """Devices and parallelism."""
    logger: Logger = Logger()
    """Dashboards."""
    store: Store = Store()
    """Stage store."""
    evaluation: Evaluation = Evaluation()
    """What ``vilax evaluate`` and comparisons ask."""
    measures: Measures = Measures()
    """What comparisons and ``vilax measure`` measure beside the tasks."""

    def template_of(self, stage: str) -> Template:
        """The conversation template of a stage's corpora, or ``raw``."""
        named = self.stages[stage].blend.corpora
        found = [self.corpora[name].template for name in named if name in self.corpora]
        return next((name for name in found if name not in ("raw", "plain")), "raw")

    @model_validator(mode="after")
    def _order_names_stages(self) -> "Run":
        missing = [name for name in self.order if name not in self.stages]
        if missing:
            raise ValueError(f"order names stages that do not exist: {', '.join(missing)}")
        return self
