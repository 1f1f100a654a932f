"""A small valid file of each format, and the loaders that read it: what the fuzzer starts from."""

import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow.parquet as pq
import torch
from safetensors.numpy import save_file

from clip_ae.core.provenance import Provenance
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Label, VideoFeatures
from clip_ae.data.annotations import annotations_digest, read_annotation_facts, read_annotations
from clip_ae.data.curves import read_curves
from clip_ae.data.detections import read_detections, read_json_provenance
from clip_ae.data.labels import read_labels, write_labels
from clip_ae.data.layouts.detect import list_feature_files
from clip_ae.data.object_arrays import ObjectArrays, read_texts
from clip_ae.data.parquet import CURVES_SCHEMA, open_table_writer, pa, read_rows
from clip_ae.data.precomputed_features import open_precomputed
from clip_ae.data.sentences import read_sentences
from clip_ae.data.shards import read_shard, write_shard
from clip_ae.data.snippet_times import snippet_times
from clip_ae.pipeline.state_dict_file import read_state_dict
from clip_ae.provenance.read_provenance import read_provenance
from clip_ae.weights.network_file import read_weights, read_weights_metadata, save_weights
from clip_ae.workflow.config_files import parse_config_file

GRID, ROWS = SnippetGrid(), 3
PROVENANCE = Provenance("fuzz", {"a": 1}, "c0de")
Write = Callable[[Path], Any]
Read = Callable[[Path], Any]


@dataclass(frozen=True)
class Format:
    """A file name, writers of valid files, and the loaders. A loader gets the path of a mutated file."""

    file_name: str
    writers: tuple[Write, ...]
    readers: tuple[Read, ...]


def load_features(path: Path) -> None:
    """All videos of a file of features, as import does."""
    source = open_precomputed(list_feature_files(path.parent, ("rgb",)), GRID, 0, 1)
    for video_id in list(source.video_paths):
        source.count_rows("rgb", video_id)
        source.load("rgb", video_id)


def load_objects(path: Path) -> None:
    arrays = ObjectArrays(path)
    for index in range(len(arrays.records)):
        arrays.read(index)


def write_object_arrays(path: Path) -> None:
    arrays = np.empty(2, object)
    arrays[:] = [np.ones((ROWS, 4), np.float32), np.zeros((2, 4), np.float32)]
    np.save(path, arrays, allow_pickle=True)


def write_features_shard(path: Path) -> None:
    start, stop = snippet_times(GRID, ROWS)
    feature = np.arange(4 * ROWS, dtype=np.float16).reshape(ROWS, 4)
    videos = [VideoFeatures(i, start, stop, np.ones(ROWS, np.float32), feature) for i in "ab"]
    write_shard(path, "rgb", 4, videos, PROVENANCE)


def write_curves(path: Path) -> None:
    row = {"video_id": "v", "snippet": 0, "attention": 0.5, "activation": [("x", 0.1), ("y", 0.2)]}
    with open_table_writer(path, CURVES_SCHEMA, PROVENANCE) as write_table:
        write_table(pa.Table.from_pylist([row, row], schema=CURVES_SCHEMA))


def write_detection_table(path: Path) -> None:
    row = {"video_id": "v", "label": "x", "score": 0.5, "start": 1.0, "stop": 2.0}
    pq.write_table(pa.Table.from_pylist([row]), path)


def write_hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["a"], file["b"] = np.ones((ROWS, 4), np.float32), np.zeros((2, 4), np.float32)


def as_json(content: Any) -> Write:
    return lambda path: path.write_text(json.dumps(content))


def as_text(text: str) -> Write:
    return lambda path: path.write_text(text)


INSTANCE = {"label": "x", "segment": [1, "2.5"]}
ANNOTATIONS = {"database": {"v": {"subset": "a", "duration": 9.5, "annotations": [INSTANCE]}}}
SUBMISSION = {
    "version": "1",
    "results": {"v": [{"label": "x", "score": 0.5, "segment": [1.0, 2.0]}]},
    "external_data": {"provenance": {"stage": "a", "spec": {}, "code": "b", "inputs": {}, "versions": {}, "format": 2}},
}
SENTENCES = {"v": {"duration": 9.5, "timestamps": [[1, "2.5"], [2, 9]], "sentences": ["x", " y z"]}}
TENSORS = {"w": np.ones((2, 3), np.float32), "b": np.zeros(3, np.float16)}

FORMATS = {
    "npy": Format("a.npy", (lambda path: np.save(path, np.ones((ROWS, 4), np.float32)),), (load_features,)),
    "npz": Format(
        "f.npz",
        (
            lambda path: np.savez(path, a=np.ones((ROWS, 4), np.float32), b=np.zeros((2, 4))),
            lambda path: np.savez_compressed(path, a=np.ones((ROWS, 4), np.float32)),
        ),
        (load_features,),
    ),
    "hdf5": Format("f.h5", (write_hdf5,), (load_features,)),
    "object_npy": Format(
        "o.npy",
        (write_object_arrays, lambda path: np.save(path, np.array(["ab", "c"], object), allow_pickle=True)),
        (load_objects, read_texts),
    ),
    "shard": Format("0000-of-0001.parquet", (write_features_shard,), (lambda path: list(read_shard(path)),)),
    "parquet": Format(
        "t.parquet",
        (
            write_curves,
            write_detection_table,
            lambda path: write_labels(path, [Label("v", 0, "x", ((0.0, 1.0),))], PROVENANCE),
        ),
        (read_curves, read_labels, read_detections, read_rows, read_provenance),
    ),
    "network": Format(
        "w.safetensors",
        (lambda path: save_weights(path, TENSORS, PROVENANCE, {"kind": "i3d"}),),
        (read_weights, read_weights_metadata, read_provenance),
    ),
    "safetensors": Format(
        "w.safetensors", (lambda path: save_file(TENSORS, path),), (lambda path: read_state_dict("weights.x", path),)
    ),
    "pt": Format(
        "w.pt",
        (
            lambda path: torch.save({"w": torch.ones(2, 3)}, path),
            lambda path: torch.save({"w": torch.ones(2)}, path, _use_new_zipfile_serialization=False),
        ),
        (lambda path: read_state_dict("weights.x", path),),
    ),
    "ckpt": Format(
        "w.ckpt",
        (lambda path: path.write_bytes(pickle.dumps({"w": np.ones((2, 3), np.float32)}, protocol=4)),),
        (lambda path: read_state_dict("weights.x", path),),
    ),
    "json": Format(
        "x.json",
        (as_json(ANNOTATIONS), as_json(SUBMISSION), as_json(SENTENCES)),
        (
            read_annotations,
            read_annotation_facts,
            annotations_digest,
            read_detections,
            read_json_provenance,
            read_sentences,
        ),
    ),
    "text": Format("s.txt", (as_text("v 1.0 2.0##x y\n\nw 0.5 1e3##z\n"),), (read_sentences,)),
    "yaml": Format(
        "c.yaml", (as_text("a: {b: [1, 2], c: &x ~}\nd: *x\n? e\n: !!int 3\nf: 2001-01-01\n"),), (parse_config_file,)
    ),
}
