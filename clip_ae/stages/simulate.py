"""Generate the simulated benchmark: feature shards, annotations and text embeddings of the class names."""

import json
from pathlib import Path
from typing import Annotated

from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.simulation import SIMULATED_SHARDS
from clip_ae.core.config.specs import SimulateSpec
from clip_ae.core.files import remove_listed_files, write_text
from clip_ae.core.progress import track
from clip_ae.core.provenance import make_provenance
from clip_ae.core.sharding import assign_shard, list_shard_names
from clip_ae.data.shards import write_shard
from clip_ae.data.text_embeddings import write_text_embeddings
from clip_ae.weights.integrity import file_digest
from clip_ae.worlds import simulated, simulated_events


def run(
    spec: SimulateSpec,
    *,
    features: Annotated[Path, "folder to write the shards to, {stream}/{shard}.parquet"],
    annotations: Annotated[Path, "annotations to write (JSON, ActivityNet format)"],
    text_embeddings: Annotated[
        Path, "texts.parquet to write: embeddings of the class names, in place of those of a text tower"
    ],
    manifest: Annotated[Path, "JSON file to write last: sha256 of every file"],
) -> None:
    videos = simulated_events.plan_videos(spec.world)
    paths = {
        (stream, index): features / stream / f"{name}.parquet"
        for stream in simulated.FEATURE_STATISTICS
        for index, name in enumerate(list_shard_names(SIMULATED_SHARDS))
    }
    remove_listed_files(manifest, "features", features)
    provenance = make_provenance("simulate", spec, libraries=("numpy",))
    for (stream, index), path in track(paths.items(), "simulating", len(paths), "shard"):
        in_shard = (v for v in videos if assign_shard(v.video_id, SIMULATED_SHARDS) == index)
        rows = (simulated.generate_features(spec.world, stream, v, spec.grid) for v in in_shard)
        write_shard(path, stream, spec.world.dim_of(stream), rows, provenance)
    write_text_embeddings(text_embeddings, simulated.generate_text_embeddings(spec.world), provenance)
    write_text(annotations, _json(simulated_events.build_annotations(spec.world, videos)))
    digests = {path.relative_to(features).as_posix(): file_digest(path) for path in paths.values()}
    content = {
        "features": digests,
        "annotations": file_digest(annotations),
        "texts": file_digest(text_embeddings),
        "provenance": to_plain_data(provenance),
    }
    write_text(manifest, _json(content))


def _json(value: object) -> str:
    return json.dumps(value, indent=1, sort_keys=True) + "\n"
