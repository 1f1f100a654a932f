"""Teach features the borders of actions and what actions are tied to, on sequences pasted together from known spans."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray

from clip_ae.core.errors import UserError, nearest
from clip_ae.core.methods import MAIN_STREAMS
from clip_ae.core.progress import say, track
from clip_ae.core.provenance import make_record
from clip_ae.core.specs import PostPretrainSpec
from clip_ae.core.types import Label, Streams
from clip_ae.encoders.devices import resolve, set_threads
from clip_ae.encoders.texts import TextTower
from clip_ae.io.annotations import read_annotations, source_digest
from clip_ae.io.files import write_text
from clip_ae.io.labels import read_labels
from clip_ae.io.parquet import read_parquet_record
from clip_ae.io.shards import stream_id
from clip_ae.io.streams import read_streams
from clip_ae.io.texts import read_texts
from clip_ae.io.weights import WeightsFile, read_weights, save_weights
from clip_ae.localizers.checkpoint import blueprint_of, restore
from clip_ae.localizers.features import Library
from clip_ae.localizers.inference import curves
from clip_ae.post_pretraining import spans
from clip_ae.post_pretraining.adapter import arrays
from clip_ae.post_pretraining.sequences import Drawing, Table
from clip_ae.post_pretraining.spans import Span
from clip_ae.post_pretraining.training import create, train

IMAGES = "clip"
# Steps between two lines of the log.
LOG_EVERY = 50
# Both streams have the same say in where a run sees actions.
RGB_WEIGHT = 0.5
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Material:
    """Actions, the name of every kind of them, background, and the features of both."""

    actions: Sequence[Span]
    names: Mapping[int, str]
    background: Sequence[Span]
    streams: Streams


def run(
    spec: PostPretrainSpec,
    *,
    features: Annotated[Path, "folder of feature shards, {stream}/{shard}.parquet"],
    shards: Annotated[int, "number of shards"],
    model: Annotated[Path, "model.safetensors of the run that tells actions from background"],
    labels: Annotated[Path, "labels.parquet that it was trained on"],
    out: Annotated[Path, "model.safetensors to write"],
    log: Annotated[Path, "training.jsonl to write"],
    annotations: Annotated[Path | None, "annotation file, where classes are to be left out"] = None,
    clips: Annotated[Path | None, "folder of trimmed clips' feature shards, whose actions stand for the run's"] = None,
    clips_shards: Annotated[int, "number of their shards"] = 1,
    clips_annotations: Annotated[Path | None, "their annotation file"] = None,
    weights: Annotated[Path | None, "the CLIP whose text tower reads class names"] = None,
    texts: Annotated[Path | None, "texts.parquet of a simulated world, in place of a text tower"] = None,
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
) -> None:
    set_threads(spec.math_threads)
    place, seen_by = resolve(device), read_weights(model)
    told = _without(spec, read_labels(labels), annotations)
    streams = read_streams(features, spec.streams, shards, {label.video_id for label in told})
    inputs = {f"features/{name}": stream_id(features, name, shards) for name in spec.streams}
    inputs |= {"model": seen_by.record.id, "labels": read_parquet_record(labels).id}
    inputs |= {"annotations": source_digest(annotations)} if annotations and spec.recipe.without else {}
    material = _of_run(seen_by, told, streams, place)
    if clips and clips_annotations:
        trimmed = read_streams(clips, MAIN_STREAMS, clips_shards)
        material = _of_clips(spec, material, trimmed, clips_annotations)
        inputs |= {f"clips/{name}": stream_id(clips, name, clips_shards) for name in MAIN_STREAMS}
        inputs["clips/annotations"] = source_digest(clips_annotations)
    inputs |= {"texts": read_weights(weights).record.id} if weights else {}
    inputs |= {"texts": read_parquet_record(texts).id} if texts else {}
    _check(material, model)
    tied = torch.from_numpy(_tied(spec, material, weights, texts, place)).to(place)
    how, seed = spec.training, spec.recipe.seed
    main = {name: material.streams[name] for name in MAIN_STREAMS}
    joint = create({n: next(iter(v.values())).feature.shape[1] for n, v in main.items()}, tied.shape[1], how, seed)
    drawing = Drawing(Table(main, place), material.actions, material.background, how)
    steps = track(train(joint.to(place), drawing, tied, how, seed), "post-pretrain", how.steps, "steps")
    lines = [json.dumps(line) for line in steps if not line["step"] % LOG_EVERY or line["step"] == how.steps]
    write_text(log, "".join(f"{line}\n" for line in lines))
    record = make_record("post_pretrain", spec, inputs, ("numpy", "torch"))
    save_weights(out, arrays(joint), record, {"joint": joint.about})


def _without(spec: PostPretrainSpec, told: list[Label], annotations: Path | None) -> list[Label]:
    """The videos that show no class that is to be left out."""
    if not spec.recipe.without:
        return told
    if annotations is None:
        raise UserError("--annotations: missing; only they tell which videos show the classes to leave out")
    known, left_out = read_annotations(annotations), set(spec.recipe.without)
    shown = {i: {instance.label for instance in a.instances} for i, a in known.items()}
    for name in sorted(left_out - set().union(*shown.values())):
        raise UserError(f"post_pretraining.without: {annotations} has no class '{name}'")
    return [label for label in told if not shown.get(label.video_id, set()) & left_out]


def _of_run(model: WeightsFile, told: Sequence[Label], streams: Streams, device: str) -> Material:
    """Actions of every video's label, and background, as the run's model sees them."""
    localizer = restore(model.tensors, model.about, device)
    library = Library({name: streams[name] for name in blueprint_of(model.about).streams}, device)
    actions: list[Span] = []
    background: list[Span] = []
    labels: dict[str, list[Label]] = {}
    for label in told:
        labels.setdefault(label.video_id, []).append(label)
    for i in track(library.ids, "look", unit="videos"):
        seen = curves(localizer, library, i, rgb_weight=RGB_WEIGHT)
        covered = streams[MAIN_STREAMS[0]][i].coverage > 0
        background += spans.background(i, seen.attention, covered)
        for label in labels[i]:
            actions += spans.actions(i, seen.attention * seen.activation[:, label.cluster], label.cluster + 1)
    return Material(actions, {label.cluster + 1: label.label for label in told}, background, streams)


def _of_clips(spec: PostPretrainSpec, beside: Material, clips: Streams, annotations: Path) -> Material:
    """Actions of trimmed clips, as they are annotated, and a run's background."""
    known = read_annotations(annotations)
    first = clips[MAIN_STREAMS[0]]
    shown = {i.label for name in first if name in known for i in known[name].instances}
    kinds = {name: k for k, name in enumerate(sorted(shown - set(spec.recipe.without)), start=1)}
    actions = [
        span
        for name, video in first.items()
        if name in known
        for span in spans.annotated(video, (i for i in known[name].instances if i.label in kinds), kinds)
    ]
    streams = {name: {**beside.streams[name], **videos} for name, videos in clips.items()}
    return Material(actions, {k: name for name, k in kinds.items()}, beside.background, streams)


def _check(material: Material, model: Path) -> None:
    kinds = {span.kind for span in material.actions}
    if len(kinds) < 2 or not material.background:
        raise UserError(
            f"{model}: {len(kinds)} kinds of action and {len(material.background)} stretches of background are too few "
            "to learn from; train the run longer, or name another in `post_pretraining`"
        )
    say(f"{len(material.actions)} actions of {len(kinds)} kinds, {len(material.background)} stretches of background")


def _tied(spec: PostPretrainSpec, material: Material, weights: Path | None, texts: Path | None, device: str) -> Floats:
    """[actions, D]: what each action is tied to, in the space of CLIP."""
    kinds = np.array([span.kind for span in material.actions])
    if spec.recipe.text != "names":
        images = spans.mean_of(material.actions, material.streams[IMAGES])
        return images if spec.recipe.text == "images" else _prototypes(images, kinds)
    names = [material.names[kind] for kind in sorted(set(kinds.tolist()))]
    said = _said(spec, names, weights, texts, device)
    return said[np.searchsorted(np.unique(kinds), kinds)]


def _prototypes(images: Floats, kinds: NDArray[np.int64]) -> Floats:
    """The mean image of an action's kind."""
    means = {kind: images[kinds == kind].mean(axis=0, dtype=np.float64) for kind in np.unique(kinds)}
    return spans.unit(np.stack([means[kind] for kind in kinds]))


def _said(
    spec: PostPretrainSpec, names: Sequence[str], weights: Path | None, texts: Path | None, device: str
) -> Floats:
    """[names, D]."""
    if weights:
        return TextTower(read_weights(weights), device).ensemble(
            [[t.replace("{}", name) for t in spec.templates] for name in names]
        )
    if texts is None:
        raise UserError("--weights: missing; class names are read by a CLIP's text tower")
    known = read_texts(texts)
    for name in sorted(set(names) - set(known)):
        raise UserError(f"{texts}: no text of class '{name}'{nearest(name, known)}")
    return np.stack([known[name] for name in names])
