"""Scoring functions: pure, without a model, importable alone."""

from vilax.evaluation.metrics.cider import Cider, cider
from vilax.evaluation.metrics.drop import Drop, drop
from vilax.evaluation.metrics.judged import (
    LlavaBench,
    MmVet,
    MmVetItem,
    VideoQa,
    llava_bench,
    mm_vet,
    video_qa,
)
from vilax.evaluation.metrics.mmbench import MmBench, mmbench_circular
from vilax.evaluation.metrics.mmmu import Mmmu, mmmu, mmmu_open_candidates, mmmu_open_correct
from vilax.evaluation.metrics.option_letter import option_letter
from vilax.evaluation.metrics.ptb import ptb_tokenise
from vilax.evaluation.metrics.science_qa import ScienceQa, science_qa
from vilax.evaluation.metrics.seed_bench import SeedBench, seed_bench
from vilax.evaluation.metrics.short_answer import Gqa, Mmlu, bbh_correct, gqa, mmlu
from vilax.evaluation.metrics.video_mme import VideoMme, video_mme
from vilax.evaluation.metrics.vqa import vqa_normalise, vqa_soft_accuracy
from vilax.evaluation.metrics.yes_no import (
    MME_COGNITION,
    MME_PERCEPTION,
    Mme,
    Pope,
    mme,
    mme_answer,
    pope,
    pope_answer,
)

__all__ = [
    "MME_COGNITION",
    "MME_PERCEPTION",
    "Cider",
    "Drop",
    "Gqa",
    "LlavaBench",
    "MmBench",
    "MmVet",
    "MmVetItem",
    "Mme",
    "Mmlu",
    "Mmmu",
    "Pope",
    "ScienceQa",
    "SeedBench",
    "VideoMme",
    "VideoQa",
    "bbh_correct",
    "cider",
    "drop",
    "gqa",
    "llava_bench",
    "mm_vet",
    "mmbench_circular",
    "mme",
    "mme_answer",
    "mmlu",
    "mmmu",
    "mmmu_open_candidates",
    "mmmu_open_correct",
    "option_letter",
    "pope",
    "pope_answer",
    "ptb_tokenise",
    "science_qa",
    "seed_bench",
    "video_mme",
    "video_qa",
    "vqa_normalise",
    "vqa_soft_accuracy",
]
