"""From a video file to features with a network of timm, and frames from a window longer than the snippet."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.network_options import TimmOptions
from clip_ae.core.config.streams import TimmEncoder
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import NetworkWeights, VideoInfo
from clip_ae.encoders.batch_size import BatchedEncoder
from clip_ae.encoders.frame_stream import FrameStream
from clip_ae.encoders.networks import timm_image
from clip_ae.encoders.networks.state_dict import get_tensors
from clip_ae.encoders.streams import timm_image as stream
from clip_ae.media import video
from clip_ae.media.decoder_process import Decoder
from clip_ae.media.probe import probe_video
from clip_ae.pipeline.extraction import FeatureExtractor
from tests.encoders.random_networks import perturb_weights
from tests.media_files import write_video

GRID = SnippetGrid()


def build_stream(window_s: float | None) -> FrameStream:
    options = TimmOptions("test_convnext", 32)
    metadata = {"timm": to_plain_data(options), **timm_image.get_frame_input(options).to_metadata()}
    weights = NetworkWeights(metadata, get_tensors(perturb_weights(timm_image.build(options))))
    return stream.build_stream(TimmEncoder(weights="x", frames=2, window_s=window_s), [weights], "cpu")


@pytest.mark.parametrize("window_s", [None, 1.28])
def test_features_are_those_of_every_frame_read_at_once(tmp_path: Path, window_s: float | None) -> None:
    """Frames 4 and 12 of each snippet, or the snippet's first frame and the next one's."""
    path = write_video(tmp_path / "x.mp4", frames=70, size=(120, 90))
    info = VideoInfo("x", path.name, **vars(probe_video(str(path), GRID)))
    encoder = build_stream(window_s)
    with Decoder() as decoder:
        network = BatchedEncoder(encoder.encode, 3, "cpu")
        extractor = FeatureExtractor("x", GRID, encoder, network, tmp_path, [decoder])
        [features] = extractor.extract([info])
    every_frame = SnippetGrid(frames=1, stride=1)
    windows = video.read_video_windows(str(path), replace(info, snippets=70), every_frame, encoder.frame_size)
    frames = [window.data[0].copy() for window in windows]
    frames += [frames[-1]] * 32
    offsets = (4, 12) if window_s is None else (0, 16)
    pairs = [np.stack([frames[16 * k + offset] for offset in offsets]) for k in range(info.snippets)]
    expected = encoder.encode(np.stack([encoder.prepare(pair) for pair in pairs]))
    np.testing.assert_allclose(features.feature, expected, rtol=2e-3, atol=2e-3)
    assert features.coverage.tolist() == [1, 1, 1, 1]
    assert np.abs(expected[0] - expected[1]).max() > 0.02
