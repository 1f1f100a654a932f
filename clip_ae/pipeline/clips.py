"""Detections as clips of their video, an mp4 each."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from clip_ae.core.errors import RefusedInput, Unreadable
from clip_ae.core.files import atomic_write
from clip_ae.core.progress import log_line, track
from clip_ae.core.sharding import encode_file_name
from clip_ae.core.types import Detection
from clip_ae.media.decoder_process import Decoder

# Characters of a video's name, and of an action's, in that of a clip.
MAX_NAME_LENGTH = 60


def cut_clips(
    decoder: Decoder,
    video: Path,
    video_id: str,
    detections: Sequence[Detection],
    names: Mapping[str, str],
    clips_dir: Path,
) -> None:
    lost = 0
    for number, d in enumerate(track(detections, "cut", unit="clips"), start=1):
        # Short enough for any file system, beside what a file is called while it is written.
        action = encode_file_name(names.get(d.label, d.label))[:MAX_NAME_LENGTH]
        name = f"{encode_file_name(video_id)[:MAX_NAME_LENGTH]}-{number:02}-{action}"
        try:
            with atomic_write(clips_dir / f"{name}.mp4") as temporary:
                decoder.cut_segment(video, temporary, d.start, d.stop)
        except Unreadable as failure:
            log_line(f"{d.start:.2f} to {d.stop:.2f} s: {failure.kind}: {failure}")
            lost += 1
    if lost and lost == len(detections):
        raise RefusedInput(f"{video}: no clip could be written; the lines above say why")
