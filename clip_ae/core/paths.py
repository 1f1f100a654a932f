"""Where every artefact lies: the one source of paths, shared by the rules and by `verify`."""

import re
from collections.abc import Mapping

from clip_ae.core.config.registry import STREAMS

DATASET = "results/{dataset}"
RUN = f"{DATASET}/runs/{{run}}/seed-{{seed}}"
ROUND = f"{RUN}/round-{{round}}"

WORLD_VIDEOS = f"{DATASET}/world/videos"
WORLD_FEATURES = f"{DATASET}/world/features"
WORLD_ANNOTATIONS = f"{DATASET}/world/annotations.json"
WORLD_TEXTS = f"{DATASET}/world/texts.parquet"
WORLD_SENTENCES = f"{DATASET}/world/sentences.json"
WORLD_MANIFEST = f"{DATASET}/world/manifest.json"
PRETRAINED = "results/pretrained/{name}.safetensors"
WEIGHTS = "results/weights/{name}.safetensors"
PROBE = f"{DATASET}/probe/{{shard}}.parquet"
EXTRACTED_IN = f"{DATASET}/features"
FEATURES = f"{EXTRACTED_IN}/{{stream}}/{{shard}}.parquet"
# `stage` is probe or the name of a stream.
FAILURES_OF = f"{DATASET}/failures/{{stage}}/{{shard}}.parquet"
TUNED = f"{DATASET}/post_pretrained/{{post}}/weights/{{stream}}.safetensors"
TUNING = f"{DATASET}/post_pretrained/{{post}}/tuning/{{stream}}.jsonl"
ENCODED_IN = f"{DATASET}/post_pretrained/{{post}}/encoded"
ENCODED = f"{ENCODED_IN}/{{stream}}/{{shard}}.parquet"
# Beside them, where catalog does not count the same videos again.
ENCODED_FAILURES = f"{DATASET}/post_pretrained/{{post}}/failures/{{stream}}/{{shard}}.parquet"
POST_PRETRAINED = f"{DATASET}/post_pretrained/{{post}}/model.safetensors"
POST_TRAINING = f"{DATASET}/post_pretrained/{{post}}/training.jsonl"
ADAPTED_IN = f"{DATASET}/post_pretrained/{{post}}/features"
ADAPTED = f"{ADAPTED_IN}/{{stream}}/{{shard}}.parquet"
FEWSHOT = "results/{dataset}_fewshot.json"
FEWSHOT_TABLE = "results/{dataset}_fewshot.md"
VIDEOS = f"{DATASET}/videos.parquet"
FAILURES = f"{DATASET}/failures.parquet"
LABELS = f"{ROUND}/labels.parquet"
MODEL = f"{ROUND}/model.safetensors"
TRAINING = f"{ROUND}/training.jsonl"
TENSORBOARD = f"{DATASET}/tensorboard/{{run}}/seed-{{seed}}/round-{{round}}"
DETECTIONS = f"{RUN}/detections.json"
CURVES = f"{RUN}/curves.parquet"
NAMES = f"{RUN}/names.json"
MAP = f"{RUN}/map.json"
INDEX = f"{DATASET}/index/{{view}}.arrow"
MOMENTS = f"{DATASET}/moments.json"
SUMMARY = "results/{dataset}_{summary}"
DIAGNOSIS = "results/{dataset}_diagnosis.json"
GROUNDING = "results/{dataset}_grounding.json"
GROUNDING_TABLE = "results/{dataset}_grounding.md"
REPORT = "results/{dataset}_report.html"
REPRO = "results/{dataset}_repro.json"

# Which stage makes what, in the order of the workflow. What carries no record is not listed: logs of trainings,
# whose record is their model's, and the demo's videos, annotations and sentences, whose record is their manifest's.
OUTPUTS = (
    ("make_demo", WORLD_MANIFEST),
    ("pretrain", PRETRAINED),
    ("weights", WEIGHTS),
    ("probe", PROBE),
    ("probe", FAILURES_OF.replace("{stage}", "probe")),
    ("extract", FEATURES),
    ("extract", FAILURES_OF.replace("{stage}", "{stream}")),
    ("catalog", VIDEOS),
    ("catalog", FAILURES),
    ("tune_encoder", TUNED),
    ("extract", ENCODED),
    ("extract", ENCODED_FAILURES),
    ("train_adapter", POST_PRETRAINED),
    ("adapt_features", ADAPTED),
    ("score_fewshot", FEWSHOT),
    ("score_fewshot", FEWSHOT_TABLE),
    ("cluster", LABELS),
    ("train", MODEL),
    ("localize", DETECTIONS),
    ("localize", CURVES),
    ("name_clusters", NAMES),
    ("index", INDEX),
    ("find_moments", MOMENTS),
    ("score_grounding", GROUNDING),
    ("score_grounding", GROUNDING_TABLE),
    ("evaluate", MAP),
    ("diagnose", DIAGNOSIS),
    ("summarize", SUMMARY),
    ("report", REPORT),
    ("freeze", REPRO),
)
ORDER = tuple(dict.fromkeys(stage for stage, _ in OUTPUTS))
CONSTRAINTS = {
    "dataset": r"[A-Za-z0-9][A-Za-z0-9_-]*",
    "run": r"[A-Za-z0-9][A-Za-z0-9_-]*",
    "name": r"[A-Za-z0-9][A-Za-z0-9_-]*",
    "view": r"[A-Za-z0-9][A-Za-z0-9_-]*",
    "post": r"[A-Za-z0-9][A-Za-z0-9_-]*",
    "stream": "|".join(STREAMS),
    "stage": "|".join(["probe", *STREAMS]),
    "shard": r"\d{4}-of-\d{4}",
    "seed": r"\d+",
    "round": r"\d+",
    "summary": r"map\.json|detections\.json|table\.md|table\.csv|ablation\.md",
}


def rank(path: str) -> tuple[int, str]:
    """A key to sort outputs by: the order of the workflow."""
    places = (i for i, (_, pattern) in enumerate(OUTPUTS) if match(pattern, path))
    return (next(places, len(OUTPUTS)), path)


def match(pattern: str, path: str) -> Mapping[str, str] | None:
    """The wildcards of a path made from a pattern, or None where it was not."""
    expression = re.escape(pattern).replace(r"\{", "{").replace(r"\}", "}")
    for name, constraint in CONSTRAINTS.items():
        expression = expression.replace(f"{{{name}}}", f"(?P<{name}>{constraint})", 1)
        expression = expression.replace(f"{{{name}}}", f"(?P={name})")
    found = re.fullmatch(expression, path)
    return found.groupdict() if found else None
