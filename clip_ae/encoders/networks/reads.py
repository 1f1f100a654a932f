"""What the networks read, in words for a weights file's record."""

from clip_ae.core.config import I3dOptions, Weights
from clip_ae.encoders.log_mel import BANDS, FRAMES, RATE

RGB = "x / 255 * 2 - 1"
OTHERS = {
    "clip": "RGB, centre crop, (x / 255 - mean) / std",
    "vggish": f"sound at {RATE} Hz, log-mel patches of {FRAMES} x {BANDS}",
    "vggish_pca": "embeddings of VGGish",
    "raft": f"pairs of RGB frames, {RGB}",
}


def reads(weights: Weights) -> str:
    return _i3d(weights.i3d) if weights.i3d else OTHERS[weights.network]


def _i3d(options: I3dOptions) -> str:
    frames = f"short side {options.short_side}, centre crop {options.crop}"
    return f"RGB, {frames}, {RGB}" if options.channels == 3 else f"optical flow, {frames}, x / bound in -1..1"
