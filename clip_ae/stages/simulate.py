"""Write the simulated benchmark: feature shards, and annotations beside them."""

import hashlib
import json
from pathlib import Path
from typing import Annotated

from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.simulation import SIMULATED_SHARDS
from clip_ae.core.config.specs import SimulateSpec
from clip_ae.core.files import write_text
from clip_ae.core.progress import track
from clip_ae.core.provenance import make_provenance
from clip_ae.core.sharding import assign_shard, list_shard_names
from clip_ae.data.shards import write_shard
from clip_ae.data.text_embeddings import write_text_embeddings
from clip_ae.worlds import simulated, simulated_events


def run(
    spec: SimulateSpec,
    *,
    features: Annotated[Path, "folder for the shards, {stream}/{shard}.parquet"],
    annotations: Annotated[Path, "ActivityNet-form JSON to write"],
    text_embeddings: Annotated[Path, "texts.parquet to write: the class names, as a text tower would embed them"],
    manifest: Annotated[Path, "JSON to write last: every file's sha256"],
) -> None:
    videos = simulated_events.plan_videos(spec.world)
    paths = {
        (stream, index): features / stream / f"{name}.parquet"
        for stream in simulated.FEATURE_STATISTICS
        for index, name in enumerate(list_shard_names(SIMULATED_SHARDS))
    }
    manifest.unlink(missing_ok=True)
    _clear(features, set(paths.values()))
    record = make_provenance("simulate", spec, libraries=("numpy",))
    for (stream, index), path in track(paths.items(), "simulating", len(paths), "shard"):
        inside = (v for v in videos if assign_shard(v.video_id, SIMULATED_SHARDS) == index)
        rows = (simulated.generate_features(spec.world, stream, v, spec.grid) for v in inside)
        write_shard(path, stream, getattr(spec.world, f"{stream}_dim"), rows, record)
    write_text_embeddings(text_embeddings, simulated.generate_text_embeddings(spec.world), record)
    write_text(annotations, _json(simulated_events.build_annotations(spec.world, videos)))
    digests = {path.relative_to(features).as_posix(): _sha256(path) for path in paths.values()}
    stated = {
        "features": digests,
        "annotations": _sha256(annotations),
        "texts": _sha256(text_embeddings),
        "provenance": to_plain_data(record),
    }
    write_text(manifest, _json(stated))


def _clear(folder: Path, wanted: set[Path]) -> None:
    """Remove shards that another cut left."""
    for path in folder.glob("*/*.parquet"):
        if path not in wanted:
            path.unlink()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _json(value: object) -> str:
    return json.dumps(value, indent=1, sort_keys=True) + "\n"
