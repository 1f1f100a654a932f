"""Paths of all results, as patterns with wildcards: the only place where they are written down."""

import re
from collections.abc import Mapping

DATASET_DIR = "results/{dataset}"
RUN_DIR = f"{DATASET_DIR}/runs/{{run}}/seed-{{seed}}"
ROUND_DIR = f"{RUN_DIR}/round-{{round}}"

WORLD_VIDEOS_DIR = f"{DATASET_DIR}/world/videos"
WORLD_FEATURES_DIR = f"{DATASET_DIR}/world/features"
WORLD_ANNOTATIONS = f"{DATASET_DIR}/world/annotations.json"
WORLD_TEXT_EMBEDDINGS = f"{DATASET_DIR}/world/texts.parquet"
WORLD_SENTENCES = f"{DATASET_DIR}/world/sentences.json"
WORLD_MANIFEST = f"{DATASET_DIR}/world/manifest.json"
PRETRAINED = "results/pretrained/{name}.safetensors"
WEIGHTS = "results/weights/{name}.safetensors"
PROBE = f"{DATASET_DIR}/probe/{{shard}}.parquet"
FEATURES_DIR = f"{DATASET_DIR}/features"
FEATURES = f"{FEATURES_DIR}/{{stream}}/{{shard}}.parquet"
# {stage} is probe or the name of a stream.
SHARD_FAILURES = f"{DATASET_DIR}/failures/{{stage}}/{{shard}}.parquet"
TUNED_WEIGHTS = f"{DATASET_DIR}/adapters/{{adapter}}/weights/{{stream}}.safetensors"
TUNING_LOG = f"{DATASET_DIR}/adapters/{{adapter}}/tuning/{{stream}}.jsonl"
TUNED_FEATURES_DIR = f"{DATASET_DIR}/adapters/{{adapter}}/encoded"
TUNED_FEATURES = f"{TUNED_FEATURES_DIR}/{{stream}}/{{shard}}.parquet"
# In a folder of their own: catalog must not count the same videos twice.
TUNED_FAILURES = f"{DATASET_DIR}/adapters/{{adapter}}/failures/{{stream}}/{{shard}}.parquet"
ADAPTER_MODEL = f"{DATASET_DIR}/adapters/{{adapter}}/model.safetensors"
ADAPTER_LOG = f"{DATASET_DIR}/adapters/{{adapter}}/training.jsonl"
ADAPTED_FEATURES_DIR = f"{DATASET_DIR}/adapters/{{adapter}}/features"
ADAPTED_FEATURES = f"{ADAPTED_FEATURES_DIR}/{{stream}}/{{shard}}.parquet"
FEWSHOT = "results/{dataset}_fewshot.json"
FEWSHOT_TABLE = "results/{dataset}_fewshot.md"
VIDEOS = f"{DATASET_DIR}/videos.parquet"
FAILURES = f"{DATASET_DIR}/failures.parquet"
LABELS = f"{ROUND_DIR}/labels.parquet"
MODEL = f"{ROUND_DIR}/model.safetensors"
TRAINING_LOG = f"{ROUND_DIR}/training.jsonl"
TENSORBOARD_DIR = f"{DATASET_DIR}/tensorboard/{{run}}/seed-{{seed}}/round-{{round}}"
DETECTIONS = f"{RUN_DIR}/detections.json"
OTHER_CURVE_DETECTIONS = f"{RUN_DIR}/other_curve_detections.json"
CURVES = f"{RUN_DIR}/curves.parquet"
CLUSTER_NAMES = f"{RUN_DIR}/names.json"
MAP = f"{RUN_DIR}/map.json"
PERFECT_CURVES_MAP = f"{DATASET_DIR}/perfect_curves_map.json"
# Written by Snakemake, {run}/seed-{seed}/round-{round}.tsv.
TRAINING_TIMES_DIR = f"{DATASET_DIR}/benchmarks/train"
TRAINING_TIME = "{run}/seed-{seed}/round-{round}.tsv"
INDEX = f"{DATASET_DIR}/index/{{space}}.arrow"
MOMENTS = f"{DATASET_DIR}/moments.json"
SUMMARY = "results/{dataset}_{summary}"
RESULT_TABLES = ("table.md", "table.csv")
SUMMARY_TABLES = (*RESULT_TABLES, "ablation.md")
SUMMARIES = ("map.json", "detections.json", *SUMMARY_TABLES)
DIAGNOSIS = "results/{dataset}_diagnosis.json"
GROUNDING = "results/{dataset}_grounding.json"
GROUNDING_TABLE = "results/{dataset}_grounding.md"
REPORT = "results/{dataset}_report.html"
REPRO = "results/{dataset}_repro.json"

WILDCARD_CONSTRAINTS = {
    "dataset": r"[A-Za-z0-9][A-Za-z0-9_-]*",
    "run": r"[A-Za-z0-9][A-Za-z0-9_-]*",
    "name": r"[A-Za-z0-9][A-Za-z0-9_-]*",
    "space": r"[A-Za-z0-9][A-Za-z0-9_-]*",
    "adapter": r"[A-Za-z0-9][A-Za-z0-9_-]*",
    # Failures of probe are in a folder beside those of the streams.
    "stream": r"(?!probe/)[A-Za-z0-9][A-Za-z0-9_-]*",
    "stage": r"[A-Za-z0-9][A-Za-z0-9_-]*",
    "shard": r"\d{4}-of-\d{4}",
    "seed": r"\d+",
    "round": r"\d+",
    "summary": "|".join(map(re.escape, SUMMARIES)),
}


def parse_wildcards(pattern: str, path: str) -> Mapping[str, str] | None:
    """The wildcards of a path that matches a pattern; None if it does not match."""
    expression = re.escape(pattern).replace(r"\{", "{").replace(r"\}", "}")
    for name, constraint in WILDCARD_CONSTRAINTS.items():
        expression = expression.replace(f"{{{name}}}", f"(?P<{name}>{constraint})", 1)
        expression = expression.replace(f"{{{name}}}", f"(?P={name})")
    found = re.fullmatch(expression, path)
    return found.groupdict() if found else None
