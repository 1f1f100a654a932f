"""What the published networks and methods cost, as measured on two CPU cores (docs/results.md): for plans alone."""

from typing import Any

from clip_ae.core.config.schema import Dataset
from clip_ae.core.config.training import Training

# I3D, seconds a snippet (`python -m benchmarks.features`).
I3D_SECONDS = {"fp32": 0.374, "bf16": 0.166}
# Optical flow of the 16 pairs of a snippet at 340x256 on one core, by algorithm (`python -m benchmarks.flow`).
FLOW_SECONDS = {"tvl1": 20.4, "tvl1_torch": 7.6, "dis": 0.15, "raft": 29.5}
# CLIP ViT-B/16, seconds a frame, and VGGish, seconds a snippet (`python -m benchmarks.rates`).
CLIP_SECONDS = {"fp32": 0.157, "bf16": 0.046}
VGGISH_SECONDS = 0.008
# Reading timestamps: seconds for an hour of video.
PROBE_SECONDS = 1.5
# A training step at T = 750, 16 videos, d = 1024 (`python -m benchmarks.step`).
STEP_SECONDS = {"stpn": 0.47, "ugct": 4.4, "clip_ae": 64.0}
PAPER_TRAINING = Training(snippets=750, batch_size=16, width=1024)
# Starting Python and libraries, and writing.
STARTUP_SECONDS = 5.0
# Length of a feature, and bytes of a number of it.
FEATURE_DIMS, BYTES_PER_VALUE = {"rgb": 1024, "flow": 1024, "clip": 512, "audio": 128}, 2


def estimate_snippet_seconds(dataset: Dataset, stream: str) -> float:
    """Of the published networks at full width; the demo's are far cheaper."""
    encoder: Any = dataset.encoders.by_stream[stream] if dataset.encoders else None
    if stream == "audio":
        return VGGISH_SECONDS
    if stream == "clip":
        return float(CLIP_SECONDS[encoder.precision] * encoder.frames)
    # The two decoders' threads make flow, beside the network.
    return float(I3D_SECONDS[encoder.precision]) + (FLOW_SECONDS[encoder.algorithm] / 2 if stream == "flow" else 0.0)


def estimate_step_seconds(method: str, training: Training) -> float:
    """Scaled by what a step multiplies: layers of d x d, attention of T x T. What was not measured counts as UGCT."""
    own, paper = (t.batch_size * t.snippets * t.width * (t.width + t.snippets) for t in (training, PAPER_TRAINING))
    return STEP_SECONDS.get(method, STEP_SECONDS["ugct"]) * own / paper
