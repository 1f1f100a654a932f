"""Suggest names for clusters from a vocabulary: compare CLIP text embeddings with the snippets of each cluster."""

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


def run(
    spec: NameClustersSpec,
    *,
    features: Annotated[Path, "folder of feature shards, with those of the vlp stream"],
    shards: Annotated[int, "number of shards"],
    curves: Annotated[Path, "curves.parquet of the run"],
    clip_weights: Annotated[Path, "weights of the CLIP that extracted the features"],
    vocabulary: Annotated[
        Path, "text file with one name on a line; text after a colon fills the templates in its place"
    ],
    out: Annotated[Path, "names.json to write"],
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
) -> None:
    configure_torch(spec.torch_threads)
    words, network = read_vocabulary(vocabulary), read_weights(clip_weights)
    curves_by_video = read_curves(curves)
    clip = read_stream(features, spec.vlp_stream, shards, curves_by_video.keys())
    cluster_features = compute_cluster_features(clip, curves_by_video)
    names = rank_cluster_names(spec, words, network, cluster_features, resolve_device(device))
    inputs = {
        f"features/{spec.vlp_stream}": read_stream_input_id(features, spec.vlp_stream, shards),
        "curves": read_parquet_provenance(curves).id,
        "clip_weights": network.provenance.id,
        "vocabulary": vocabulary_digest(words),
    }
    provenance = make_provenance("name_clusters", spec, inputs, ("numpy", "open_clip_torch", "torch"))
    write_json(out, {"names": names, "vocabulary": len(words), "provenance": asdict(provenance)})
    for cluster, guesses in names.items():
        log_line(f"{cluster}: " + ", ".join(f"{guess['name']} {guess['score']:.2f}" for guess in guesses))


def rank_cluster_names(
    spec: NameClustersSpec,
    words: list[VocabularyEntry],
    network: NetworkWeights,
    cluster_features: Mapping[str, Any],
    device: str,
) -> dict[str, list[dict[str, Any]]]:
    """The best names of each cluster with their scores, which are shares of all names of the vocabulary."""
    tower = TextTower(network, device)
    embeddings = tower.embed_words([word.texts for word in words], spec.templates)
    names = [word.name for word in words]
    ranked = {
        cluster: rank_names(np.asarray(feature), embeddings, names, tower.logit_scale)
        for cluster, feature in cluster_features.items()
    }
    return {
        cluster: [{"name": name, "score": round(score, 4)} for name, score in guesses[: spec.top_k]]
        for cluster, guesses in ranked.items()
    }
