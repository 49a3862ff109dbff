"""Small copies of public benchmarks in their published layouts, written field by field.

Nothing in here reads ``conf/task``: a task's YAML is right if it reads what these write.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from tests.evaluation.benchmark_files import captions, choices, judged, texts, videos, vqa, yes_no

WRITERS: Mapping[str, Callable[[Path], None]] = {
    "activitynet_qa": videos.activitynet_qa,
    "bbh": texts.bbh,
    "coco_caption": captions.coco,
    "coco_completion": captions.coco,
    "drop": texts.drop,
    "flickr30k_caption": captions.flickr30k,
    "flickr30k_completion": captions.flickr30k,
    "gqa": vqa.gqa,
    "llava_bench": judged.llava_bench,
    "mm_vet": judged.mm_vet,
    "mmbench": choices.mmbench,
    "mmbench_cn": choices.mmbench_cn,
    "mme": yes_no.mme,
    "mmlu": texts.mmlu,
    "mmmu": choices.mmmu,
    "msrvtt_qa": videos.msrvtt_qa,
    "msvd_qa": videos.msvd_qa,
    "okvqa": vqa.okvqa,
    "okvqa_completion": vqa.okvqa,
    "perception_test": videos.perception_test,
    "pope_adversarial": yes_no.pope,
    "pope_popular": yes_no.pope,
    "pope_random": yes_no.pope,
    "science_qa": choices.science_qa,
    "seed_bench": choices.seed_bench,
    "seed_bench_image": choices.seed_bench,
    "seed_bench_video": choices.seed_bench,
    "textvqa": vqa.textvqa,
    "textvqa_completion": vqa.textvqa,
    "textvqa_ocr": vqa.textvqa,
    "tgif_qa": videos.tgif_qa,
    "video_mme": videos.video_mme,
    "video_mme_subtitles": videos.video_mme,
    "vizwiz": vqa.vizwiz,
    "vizwiz_test": vqa.vizwiz,
    "vqav2": vqa.vqav2,
    "vqav2_test": vqa.vqav2,
}
"""Task to the function that writes its files below a benchmarks folder."""
