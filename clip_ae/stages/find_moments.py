"""Find the moments of a dataset's videos that look like the words of a vocabulary, for the page to be searched by."""

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
    index: Annotated[Path, "index of the dataset"],
    clip_weights: Annotated[Path, "the CLIP whose text tower reads the words"],
    vocabulary: Annotated[Path, "text file of words, a line each; after a colon, what to read instead"],
    out: Annotated[Path, "moments.json to write"],
    adapter: Annotated[Path | None, "model.safetensors of the joint space, where that is searched"] = None,
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
) -> None:
    configure_torch(spec.torch_threads)
    words, network, known = read_vocabulary(vocabulary), read_weights(clip_weights), read_index(index)
    joint = find_index_adapter(known, [read_weights(adapter)] if adapter else [])
    tower, searcher = TextTower(network, resolve_device(device)), MomentSearcher(known)
    embedded = tower.embed_words([word.texts for word in words], spec.templates)
    asked = build_text_queries(embedded, known, tower.logit_scale, joint)
    pairs = track(list(zip(words, asked, strict=True)), "search", unit="words")
    texts = [
        {"text": word.name, "moments": [_plain(d) for d in searcher.search_all(question, word.name, spec.top_k)]}
        for word, question in pairs
    ]
    inputs = {
        "index": known.provenance.id,
        "clip_weights": network.provenance.id,
        "vocabulary": vocabulary_digest(words),
    }
    record = make_provenance("find_moments", spec, inputs, ("numpy", "open_clip_torch", "torch"))
    write_json(out, {"texts": texts, "provenance": asdict(record)})


def _plain(d: Detection) -> list[str | float]:
    return [d.video_id, *(round(value, DECIMALS) for value in (d.start, d.stop, d.score))]
