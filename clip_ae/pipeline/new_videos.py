"""Extract features of new videos with the encoders and the adapter of a trained run."""

from collections.abc import Sequence
from pathlib import Path

from clip_ae.core.errors import RefusedInput, Unreadable
from clip_ae.core.progress import log_line
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import VideoFeatures, VideoInfo
from clip_ae.data import source_folder
from clip_ae.media.decoder_process import Decoder
from clip_ae.pipeline.adapted_features import adapt_videos, restore_joint_space
from clip_ae.pipeline.stream_encoder import build_extractor
from clip_ae.pipeline.video_features import log_failures
from clip_ae.provenance.feature_lineage import FeatureLineage


def probe_new_video(decoder: Decoder, video: Path, grid: SnippetGrid) -> VideoInfo:
    """Length, frame rate, size and sound of a video; its id is the file name without suffix."""
    try:
        facts = decoder.probe_video(video, grid)
    except Unreadable as failure:
        raise RefusedInput(f"{video}: {failure.kind}: {failure}") from None
    if facts.reason:
        log_line(f"{video}: {facts.status}: {facts.reason}")
    return VideoInfo(source_folder.escape_undecodable(video.stem), str(video), **vars(facts))


def extract_like(
    lineage: FeatureLineage,
    stream: str,
    infos: Sequence[VideoInfo],
    videos_dir: Path,
    decoders: Sequence[Decoder],
    device: str,
) -> list[VideoFeatures]:
    """Features of one stream, with the networks, the grid and the adapter of the lineage."""
    spec, networks = lineage.read_encoder(stream)
    extractor = build_extractor(spec, networks, decoders, device, videos_dir=videos_dir)
    features = list(extractor.extract(infos))
    log_failures(extractor.failures)
    adapter = lineage.read_adapter(stream)
    return list(adapt_videos(restore_joint_space(adapter, device), stream, features, device)) if adapter else features
