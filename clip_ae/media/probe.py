"""What a video is, from its container's own words: no frame is decoded but the first."""

import os
from dataclasses import dataclass
from typing import Any

from clip_ae.core.errors import Unreadable
from clip_ae.core.timeline import SnippetGrid
from clip_ae.media.container import PacketScan, get_audio_stream, get_video_stream, open_container, scan_packets

MAX_MISSING_S = 86400.0
# Seconds that a video may last, and so many more for each of its frames. Every second costs features: two frames must
# not ask for a day of them.
BASE_DURATION_S, MAX_FRAME_DURATION_S = 600.0, 10.0
# A container that claims more than this times what its packets span is not believed.
MAX_CLAIM_RATIO = 10.0


@dataclass(frozen=True)
class ProbeResult:
    """The fields of a VideoInfo that the file itself decides."""

    duration: float
    fps: float
    frames: int
    snippets: int
    width: int
    height: int
    has_audio: bool
    audio_rate: int
    audio_channels: int
    status: str = "ok"
    reason: str = ""


def probe_video(path: str, grid: SnippetGrid) -> ProbeResult:
    """The facts of a video; Unreadable where there is no video to speak of."""
    if os.path.isfile(path) and not os.path.getsize(path):
        raise Unreadable("empty", "is an empty file; its download or copy failed")
    found = scan_packets(path, with_audio=True)
    if found.duration > BASE_DURATION_S + MAX_FRAME_DURATION_S * len(found.frame_times):
        raise Unreadable(
            "timestamps", f"its frames are too few, {len(found.frame_times)} in {found.duration / 3600:.1f} hours"
        )
    with open_container(path) as container:
        stream, sound = get_video_stream(container), get_audio_stream(container)
        claim = _claim(container, stream, found, grid.snippet_s)
        width, height = stream.width, stream.height
        audio_rate, audio_channels = (int(sound.rate or 0), int(sound.channels or 0)) if sound else (0, 0)
    if found.rotation % 180:
        width, height = height, width
    duration, status, reason = _duration(found, claim, grid.snippet_s)
    return ProbeResult(
        duration, found.fps, len(found.frame_times), grid.count_snippets(duration), width, height,
        sound is not None, audio_rate, audio_channels, status, reason,
    )  # fmt: skip


def _claim(container: Any, stream: Any, found: PacketScan, slack: float) -> float:
    """Seconds of video that the container promises; 0 where it promises none that its packets do not keep.

    A track's own length ignores edit lists, and a container's is that of its longest track: the lesser of the two
    is the video's. Without the former, sound that outlasts the picture must not pass for a missing picture.
    """
    whole = (container.duration or 0) / 1e6
    if stream.duration is None:
        # Matroska counts from zero, not from the first timestamp.
        return whole - found.start_time if whole > found.container_end + slack else 0.0
    if container.format.name == "avi":
        # FFmpeg shortens the length of one that breaks off; the number of frames stays what the header says.
        return float(stream.frames * stream.time_base)
    own = float(stream.duration * stream.time_base)
    return min(own, whole) if whole else own


def _duration(found: PacketScan, claim: float, slack: float) -> tuple[float, str, str]:
    """(duration, status, reason). A truncated file keeps its claimed length, so that its missing part shows."""
    if claim <= found.duration + slack:
        return found.duration, "ok", ""
    reason = f"{found.duration:.2f} of {claim:.2f} claimed seconds are there"
    believed = claim <= MAX_CLAIM_RATIO * found.duration and claim <= found.duration + MAX_MISSING_S
    return (claim if believed else found.duration), "partial", reason
