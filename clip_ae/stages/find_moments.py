"""Find the moments of a dataset's videos that match the words of a vocabulary, for the search on the report page."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from clip_ae.core.config.specs import FindMomentsSpec
from clip_ae.core.progress import track
from clip_ae.core.provenance import make_provenance
from clip_ae.core.types import Detection
from clip_ae.data.detections import DECIMALS, write_json
from clip_ae.data.snippet_index import read_index
from clip_ae.data.vocabulary import read_vocabulary, vocabulary_digest
from clip_ae.encoders.devices import configure_torch, resolve_device
from clip_ae.encoders.text_encoder import TextTower
from clip_ae.pipeline.search import MomentSearcher, build_text_queries, find_index_adapter
from clip_ae.weights.network_file import read_weights


def run(
    spec: FindMomentsSpec,
    *,
    index: Annotated[Path, "snippet index of the dataset"],
    clip_weights: Annotated[Path, "CLIP weights, whose text tower embeds the words"],
    vocabulary: Annotated[Path, "text file with one word on a line; text after a colon is embedded in its place"],
    out: Annotated[Path, "moments.json to write"],
    adapter: Annotated[
        Path | None, "model.safetensors of the feature adapter, if the index is of its joint space"
    ] = None,
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
) -> None:
    configure_torch(spec.torch_threads)
    words, network, snippet_index = read_vocabulary(vocabulary), read_weights(clip_weights), read_index(index)
    adapter_weights = find_index_adapter(snippet_index, [read_weights(adapter)] if adapter else [])
    tower, searcher = TextTower(network, resolve_device(device)), MomentSearcher(snippet_index)
    embeddings = tower.embed_words([word.texts for word in words], spec.templates)
    queries = build_text_queries(embeddings, snippet_index, tower.logit_scale, adapter_weights)
    pairs = track(list(zip(words, queries, strict=True)), "search", unit="words")
    texts = [
        {"text": word.name, "moments": [_moment_row(d) for d in searcher.search_all(query, word.name, spec.top_k)]}
        for word, query in pairs
    ]
    inputs = {
        "index": snippet_index.provenance.id,
        "clip_weights": network.provenance.id,
        "vocabulary": vocabulary_digest(words),
    }
    provenance = make_provenance("find_moments", spec, inputs, ("numpy", "open_clip_torch", "torch"))
    write_json(out, {"texts": texts, "provenance": asdict(provenance)})


def _moment_row(moment: Detection) -> list[str | float]:
    return [moment.video_id, *(round(value, DECIMALS) for value in (moment.start, moment.stop, moment.score))]
