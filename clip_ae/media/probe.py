"""Read a video's facts (duration, size, tracks) from its container. Only the first frame is decoded."""

import os
from dataclasses import dataclass
from typing import Any

from clip_ae.core.errors import Unreadable
from clip_ae.core.timeline import SnippetGrid
from clip_ae.media.container import get_audio_stream, get_video_stream, open_container
from clip_ae.media.packet_scan import PacketScan, scan_packets

# Seconds by which a stated length may exceed the packets' span. A longer one is ignored.
MAX_MISSING_S = 86400.0
# The longest duration of a video: BASE_DURATION_S, plus MAX_FRAME_DURATION_S for each frame in the file, in seconds.
# Each second needs features: a file of two frames must not cause a day of them.
BASE_DURATION_S, MAX_FRAME_DURATION_S = 600.0, 10.0
# A stated length above this multiple of the packets' span is ignored, too.
MAX_CLAIM_RATIO = 10.0


@dataclass(frozen=True)
class ProbeResult:
    """The fields of a VideoInfo that come from the file itself."""

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
    """Return the facts of a video; Unreadable if it is empty, has no usable video track or implausible timestamps."""
    if os.path.isfile(path) and not os.path.getsize(path):
        raise Unreadable("empty", "is an empty file; its download or copy failed")
    scan = scan_packets(path, with_audio=True)
    _check_duration(scan)
    with open_container(path) as container:
        video, audio = get_video_stream(container), get_audio_stream(container)
        claimed_s = _claimed_duration(container, video, scan, grid.snippet_s)
        width, height = video.width, video.height
        audio_rate, audio_channels = (int(audio.rate or 0), int(audio.channels or 0)) if audio else (0, 0)
    if scan.rotation % 180:
        width, height = height, width
    duration, status, reason = _reconcile_duration(scan, claimed_s, grid.snippet_s)
    return ProbeResult(
        duration, scan.fps, len(scan.frame_times), grid.count_snippets(duration), width, height,
        audio is not None, audio_rate, audio_channels, status, reason,
    )  # fmt: skip


def _check_duration(scan: PacketScan) -> None:
    num_frames = scan.num_stored_frames
    if scan.duration > BASE_DURATION_S + MAX_FRAME_DURATION_S * num_frames:
        raise Unreadable("timestamps", f"has too few frames, {num_frames} in {scan.duration / 3600:.1f} hours")


def _claimed_duration(container: Any, stream: Any, scan: PacketScan, tolerance_s: float) -> float:
    """Return the seconds of video that the container states; 0 if it states no more than its packets contain.

    A track's own length ignores edit lists, and a container's length is that of its longest track: the smaller of the
    two is the video's. If the track states no length, audio that lasts longer than the video must not be mistaken for
    missing video.
    """
    container_s = (container.duration or 0) / 1e6
    if stream.duration is None:
        # Matroska counts from zero, not from the first timestamp.
        return container_s - scan.start_time if container_s > scan.container_end + tolerance_s else 0.0
    if container.format.name == "avi":
        # FFmpeg shortens the length of a file that is cut off; the number of frames stays as in the header.
        return float(stream.frames * stream.time_base)
    track_s = float(stream.duration * stream.time_base)
    return min(track_s, container_s) if container_s else track_s


def _reconcile_duration(scan: PacketScan, claimed_s: float, tolerance_s: float) -> tuple[float, str, str]:
    """Return (duration, status, reason). A truncated file keeps its stated length, so that its missing part shows."""
    if claimed_s <= scan.duration + tolerance_s:
        return scan.duration, "ok", ""
    reason = f"{scan.duration:.2f} of {claimed_s:.2f} claimed seconds are there"
    is_plausible = claimed_s <= MAX_CLAIM_RATIO * scan.duration and claimed_s <= scan.duration + MAX_MISSING_S
    return (claimed_s if is_plausible else scan.duration), "partial", reason
