"""Extract one stream's features from the videos of a shard: one row for each snippet, even if it cannot be read."""

from itertools import chain, islice
from pathlib import Path
from typing import Annotated

from clip_ae.core.config.schema import DEFAULT_RUNTIME, Runtime
from clip_ae.core.config.specs import ExtractSpec
from clip_ae.core.types import VideoInfo
from clip_ae.data.parquet import FAILURES_SCHEMA, read_parquet_provenance, read_rows, write_rows
from clip_ae.data.shards import write_shard
from clip_ae.encoders.devices import configure_torch, resolve_device
from clip_ae.media.decoder_process import create_decoders
from clip_ae.pipeline.stream_encoder import build_extractor, make_extract_provenance
from clip_ae.weights.network_file import read_weights


def run(
    spec: ExtractSpec,
    *,
    videos: Annotated[Path, "folder of raw videos"],
    probe: Annotated[Path, "the shard's table of videos, from the probe stage"],
    weights: Annotated[tuple[Path, ...], "weights of the stream's network, then of its second network if it has one"],
    out: Annotated[Path, "feature shard to write (parquet)"],
    failures: Annotated[Path, "table of failures to write (parquet)"],
    runtime: Annotated[
        Runtime, "device num_workers gpu_batch_size decoder_timeout_s decoder_memory_gib"
    ] = DEFAULT_RUNTIME,
) -> None:
    configure_torch(spec.torch_threads)
    networks = [read_weights(path) for path in weights]
    decoders, device = create_decoders(runtime), resolve_device(runtime.device)
    extractor = build_extractor(spec, networks, decoders, device, runtime.gpu_batch_size, videos)
    infos = [info for info in (VideoInfo(**row) for row in read_rows(probe)) if info.status != "failed"]
    encoder, rows = extractor.encoder, extractor.extract(infos)
    # Provenance states what has been chosen for the first video.
    first_rows = list(islice(rows, 1))
    inputs = {"probe": read_parquet_provenance(probe).id}
    provenance, rows = make_extract_provenance(spec, networks, inputs, extractor.chosen), chain(first_rows, rows)
    write_shard(out, spec.stream, encoder.dim, rows, provenance, with_loudness=encoder.frame_size is None)
    write_rows(failures, FAILURES_SCHEMA, sorted(extractor.failures, key=lambda f: (f.video_id, f.kind)), provenance)
    extractor.log_idle_share()
