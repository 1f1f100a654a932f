"""VGGish features of a real video, compared with those of v-iashin/video_features.

The media are in ../shared/media; CLIP_AE_VGGISH names torchvggish's vggish-10086976.pth.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.schema import VggishOptions
from clip_ae.core.config.streams import VggishEncoder
from clip_ae.core.types import NetworkWeights
from clip_ae.encoders.log_mel import compute_log_mel
from clip_ae.encoders.networks import vggish
from clip_ae.encoders.streams import vggish as stream
from clip_ae.media import audio
from clip_ae.media.packet_scan import scan_packets
from clip_ae.pipeline.network_weights import read_state_dict

MEDIA = Path(__file__).resolve().parents[3] / "shared/media"
VIDEO = MEDIA / "women_long_jump.mp4"
WEIGHTS = os.environ.get("CLIP_AE_VGGISH")
pytestmark = [pytest.mark.real, pytest.mark.skipif(not VIDEO.exists(), reason=f"needs {VIDEO.name} in shared/media")]


def read_published_windows() -> np.ndarray:
    """Waves [n, 15600], one every 0.96 s from the first sample: the published features have no snippet grid."""
    wave = np.concatenate(
        [samples for _, samples in audio.decode_audio(str(VIDEO), scan_packets(str(VIDEO)).start_time)]
    )
    return np.lib.stride_tricks.sliding_window_view(wave, 15600)[::15360]


def load_published_features() -> np.ndarray:
    """Published features [36, 128], after the ReLU."""
    return np.load(MEDIA / "women_long_jump_vggish.npy")


def test_the_published_grid_gives_as_many_patches_as_published_features():
    patches = compute_log_mel(read_published_windows())
    assert patches.shape == (len(load_published_features()), 96, 64)
    assert np.isfinite(patches).all()


@pytest.mark.skipif(WEIGHTS is None, reason="needs CLIP_AE_VGGISH=vggish-10086976.pth")
def test_features_are_close_to_published_ones():
    tensors = {
        name: value.numpy()
        for name, value in vggish.convert_state_dict(
            read_state_dict("vggish", Path(str(WEIGHTS))), VggishOptions()
        ).items()
    }
    network = NetworkWeights({"vggish": to_plain_data(VggishOptions())}, tensors)
    encoder = stream.build_stream(VggishEncoder(relu=True), [network], "cpu")
    features, expected = (
        encoder.encode(np.stack([encoder.prepare(wave) for wave in read_published_windows()])),
        load_published_features(),
    )
    # Decoders and resamplers differ in their last bits, so only the distance of whole rows has a bound.
    distance = np.linalg.norm(features - expected, axis=1) / np.linalg.norm(expected, axis=1)
    assert distance.max() < 0.01
