"""Cut the detections out of a video: one mp4 file each."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from clip_ae.core.errors import RefusedInput, Unreadable
from clip_ae.core.files import atomic_write
from clip_ae.core.progress import log_line, track
from clip_ae.core.sharding import encode_file_name
from clip_ae.core.types import Detection
from clip_ae.media.decoder_process import Decoder

# Longest part of a clip's file name that comes from a video id, and from an action: a temporary name needs room, too.
MAX_NAME_LENGTH = 60


def cut_clips(
    decoder: Decoder,
    video: Path,
    video_id: str,
    detections: Sequence[Detection],
    names: Mapping[str, str],
    clips_dir: Path,
) -> None:
    """Write an mp4 file for each detection; `names` has the class names of clusters."""
    num_failed = 0
    for number, d in enumerate(track(detections, "cut", unit="clips"), start=1):
        file_name = _clip_name(video_id, number, names.get(d.label, d.label))
        try:
            with atomic_write(clips_dir / file_name) as temporary:
                decoder.cut_segment(video, temporary, d.start, d.stop)
        except Unreadable as failure:
            log_line(f"{d.start:.2f} to {d.stop:.2f} s: {failure.kind}: {failure}")
            num_failed += 1
    if num_failed and num_failed == len(detections):
        raise RefusedInput(f"{video}: no clip could be written; the messages above give the reason of each")


def _clip_name(video_id: str, number: int, action: str) -> str:
    video_part, action_part = (encode_file_name(name)[:MAX_NAME_LENGTH] for name in (video_id, action))
    return f"{video_part}-{number:02}-{action_part}.mp4"
