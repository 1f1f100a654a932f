"""The real I3D on real videos: needs the network or a cache, and the videos beside the checkout.

CLIP_AE_CACHE names a folder that keeps the converted weights between runs; without it they are fetched again.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from clip_ae.core.config.checks import load_config
from clip_ae.core.config.schema import I3dOptions, RgbEncoder, Weights
from clip_ae.core.config.specs import WeightsSpec
from clip_ae.core.errors import UserError
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import VideoInfo
from clip_ae.encoders.streams import rgb
from clip_ae.media import video
from clip_ae.media.probe import probe_video
from clip_ae.stages import weights
from clip_ae.weights.network_file import read_weights
from tests.builders import shipped_config

ROOT = Path(__file__).resolve().parents[2]
MEDIA = ROOT.parent / "shared/media"
# Snippets of 64 frames side by side, at 25 frames a second: what I3D's authors trained on.
GRID = SnippetGrid(fps=25, frames=64, stride=64)
# Rows of data/label_map.txt in DeepMind's kinetics-i3d, counted from 0.
CLEAN_AND_JERK, WALKING_THE_DOG = 59, 378

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not MEDIA.is_dir(), reason="no ../shared/media"),
]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """rgb_scratch as config.yaml describes it."""
    out = Path(os.environ.get("CLIP_AE_CACHE") or tmp_path_factory.mktemp("weights")) / "rgb_scratch.safetensors"
    if not out.exists():
        entry = load_config(shipped_config()).weights["rgb_scratch"]
        try:
            weights.run(WeightsSpec("rgb_scratch", entry), out=out)
        except UserError as error:
            pytest.skip(str(error))
    return read_weights(out)


def features(network, name):
    """Rows [snippets, 1024] of the rgb stream."""
    path = str(MEDIA / name)
    encoder = rgb.build(RgbEncoder("there"), [network], "cpu")
    info = VideoInfo(name, name, **vars(probe_video(path, GRID)))
    windows = video.read_video_windows(path, info, GRID, encoder.short_side, 0)
    return np.concatenate([encoder.encode(encoder.prepare(window.data)[None]) for window in windows])


@pytest.mark.parametrize(
    ("name", "label"), [("v_GGSY1Qvo990.mp4", CLEAN_AND_JERK), ("v_ZNVhz7ctTq0.mp4", WALKING_THE_DOG)]
)
def test_a_real_video_is_seen_for_what_it_is(scratch, name, label):
    """Softmax of the mean of the snippets' logits; measured 0.999 and 0.999 (16 frames: 0.992 and 0.906).

    Kernels with two axes swapped, lost shifts or pixels in 0..255 fall far below. Blue for red, pixels in 0..1 and
    time reversed do not show: these videos are too easy for that.
    """
    weight, bias = scratch.tensors["logits.conv3d.weight"], scratch.tensors["logits.conv3d.bias"]
    logits = (features(scratch, name) @ weight.reshape(len(bias), -1).T + bias).mean(axis=0)
    scores = np.exp(logits - logits.max())
    scores /= scores.sum()
    assert scores.argmax() == label
    assert scores[label] >= 0.8


@pytest.mark.skipif("CLIP_AE_WEIGHTS_RGB_IMAGENET" not in os.environ, reason="names rgb_imagenet.pt, which few have")
def test_published_features_come_out_again(tmp_path):
    """Another implementation's rows of the same network: its frames and resizing differ, so they are only near."""
    out = tmp_path / "rgb_imagenet.safetensors"
    entry = Weights(os.environ["CLIP_AE_WEIGHTS_RGB_IMAGENET"], i3d=I3dOptions())
    weights.run(WeightsSpec("rgb_imagenet", entry), out=out)
    wanted = np.load(MEDIA / "women_long_jump_rgb.npy")
    found = features(read_weights(out), "women_long_jump.mp4")[: len(wanted)]
    norms = np.linalg.norm(found, axis=1) * np.linalg.norm(wanted, axis=1)
    assert ((found * wanted).sum(axis=1) / norms).min() > 0.9
