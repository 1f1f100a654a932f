"""The audio that CAF reads. Two controls show whether CAF uses sound at all (`caf.audio`):

next_video  each video has the audio of the next one, by sorted id, of the videos that are read together: those of its
            subset. The last has the audio of the first. The audio is cut to the length of the video, or repeated.
none        no video has audio, as one without sound: zeros, and coverage 0.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from clip_ae.core.config.methods import LocalizerConfig
from clip_ae.core.errors import UserError
from clip_ae.core.types import FeaturesByStream, VideoFeatures


def replace_audio(streams: FeaturesByStream, config: LocalizerConfig) -> FeaturesByStream:
    """The streams that a localizer reads, with the audio that its `caf.audio` names."""
    audio = config.roles.audio
    if config.caf is None or audio is None or config.caf.audio == "own":
        return streams
    if config.caf.audio == "none":
        return {**streams, audio: {i: _silence(video) for i, video in streams[audio].items()}}
    return {**streams, audio: _shift_audio(streams[audio])}


def _shift_audio(videos: Mapping[str, VideoFeatures]) -> dict[str, VideoFeatures]:
    ids = sorted(videos)
    if len(ids) < 2:
        raise UserError("caf.audio `next_video` needs at least two videos, and there is one; use a run with `own`")
    next_ids = dict(zip(ids, [*ids[1:], ids[0]], strict=True))
    return {i: _with_audio_of(video, videos[next_ids[i]]) for i, video in videos.items()}


def _with_audio_of(video: VideoFeatures, other: VideoFeatures) -> VideoFeatures:
    """A video's times with the features and the coverage of another."""
    rows = np.arange(len(video.feature)) % len(other.feature)
    return replace(video, feature=other.feature[rows], coverage=other.coverage[rows], loudness=None)


def _silence(video: VideoFeatures) -> VideoFeatures:
    feature, coverage = np.zeros_like(video.feature), np.zeros_like(video.coverage)
    return replace(video, feature=feature, coverage=coverage, loudness=None)
