"""Name clusters by a vocabulary, with CLIP's text tower on their attended snippets: names are guesses, with scores."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from clip_ae.clustering.naming import compute_cluster_features, rank_names
from clip_ae.core.config.specs import NameClustersSpec
from clip_ae.core.progress import log_line
from clip_ae.core.provenance import make_provenance
from clip_ae.core.types import NetworkWeights
from clip_ae.data.curves import read_curves
from clip_ae.data.detections import write_json
from clip_ae.data.parquet import read_parquet_provenance
from clip_ae.data.shards import read_stream, read_stream_input_id
from clip_ae.data.vocabulary import VocabularyEntry, read_vocabulary, vocabulary_digest
from clip_ae.encoders.devices import configure_torch, resolve_device
from clip_ae.encoders.text_encoder import TextTower
from clip_ae.weights.network_file import read_weights

CLIP_STREAM = "clip"


def run(
    spec: NameClustersSpec,
    *,
    features: Annotated[Path, "folder of feature shards, clip/{shard}.parquet"],
    shards: Annotated[int, "number of shards"],
    curves: Annotated[Path, "curves.parquet of the run"],
    clip_weights: Annotated[Path, "the CLIP that the features are of"],
    vocabulary: Annotated[Path, "text file of names, a line each; after a colon, what to put into templates instead"],
    out: Annotated[Path, "names.json to write"],
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
) -> None:
    configure_torch(spec.torch_threads)
    words, network = read_vocabulary(vocabulary), read_weights(clip_weights)
    attended = read_curves(curves)
    clip = read_stream(features, CLIP_STREAM, shards, attended.keys())
    names = rank_cluster_names(spec, words, network, compute_cluster_features(clip, attended), resolve_device(device))
    inputs = {
        "features/clip": read_stream_input_id(features, CLIP_STREAM, shards),
        "curves": read_parquet_provenance(curves).id,
        "clip_weights": network.provenance.id,
        "vocabulary": vocabulary_digest(words),
    }
    record = make_provenance("name_clusters", spec, inputs, ("numpy", "open_clip_torch", "torch"))
    write_json(out, {"names": names, "vocabulary": len(words), "provenance": asdict(record)})
    for cluster, guesses in names.items():
        shown = [f"{guess['name']} {guess['score']:.2f}" for guess in guesses]
        log_line(f"{cluster}: {', '.join(shown)}")


def rank_cluster_names(
    spec: NameClustersSpec,
    words: list[VocabularyEntry],
    network: NetworkWeights,
    cluster_embeddings: Mapping[str, Any],
    device: str,
) -> dict[str, list[dict[str, Any]]]:
    """The best names of each cluster."""
    tower = TextTower(network, device)
    embeddings = tower.embed_words([word.texts for word in words], spec.templates)
    return {
        label: [{"name": name, "score": round(p, 4)} for name, p in guesses[: spec.top_k]]
        for label, look in cluster_embeddings.items()
        for guesses in [rank_names(np.asarray(look), embeddings, [w.name for w in words], tower.logit_scale)]
    }
