"""Run times of the published networks and methods on two CPU cores (docs/results.md), for `clip-ae plan` only."""

from clip_ae.core.config.schema import Dataset
from clip_ae.core.config.streams import ClipEncoder, I3dFlowEncoder, TimmEncoder, TorchvisionEncoder, VggishEncoder
from clip_ae.core.config.training import Training

# By encoder. I3D: seconds for a snippet (`python -m benchmarks.features`).
I3D_SECONDS = {"fp32": 0.374, "bf16": 0.166}
# Optical flow of the 16 frame pairs of a snippet at 340x256, seconds on one core (`python -m benchmarks.flow`).
FLOW_SECONDS = {"tvl1": 20.4, "tvl1_torch": 7.6, "dis": 0.15, "raft": 29.5}
# CLIP ViT-B/16: seconds for a frame. VGGish: seconds for a snippet (`python -m benchmarks.rates`).
CLIP_SECONDS = {"fp32": 0.157, "bf16": 0.046}
VGGISH_SECONDS = 0.008
# In bf16, of one network each (`python -m benchmarks.frame_encoders`): DINOv2-S at 224 pixels for a frame, R(2+1)D-18
# for a snippet. Other networks of these libraries differ from them by up to four times.
TIMM_SECONDS, TORCHVISION_SECONDS = 0.15, 1.3
# Probing (reading timestamps): seconds for an hour of video.
PROBE_SECONDS = 1.5
# A training step with T = 750, 16 videos and d = 1024: seconds (`python -m benchmarks.step`).
# Ridge regression has no steps.
STEP_SECONDS = {"ridge": 0.0, "stpn": 0.47, "ugct": 4.4, "clip_ae": 64.0}
PAPER_TRAINING = Training(snippets=750, batch_size=16, width=1024)
# Start of Python and its libraries, and writing the outputs: seconds for a job.
STARTUP_SECONDS = 5.0
# Length of a feature by encoder (of others: DEFAULT_DIM), and bytes of each of its numbers.
FEATURE_DIMS, DEFAULT_DIM, BYTES_PER_VALUE = {"i3d": 1024, "i3d_flow": 1024, "clip": 512, "vggish": 128}, 1024, 2


def estimate_snippet_seconds(dataset: Dataset, stream: str) -> float:
    """Seconds for a snippet of a stream with the published networks; the demo's networks are much faster."""
    encoder = dataset.encoders[stream]
    if isinstance(encoder, VggishEncoder):
        return VGGISH_SECONDS
    if isinstance(encoder, ClipEncoder):
        return CLIP_SECONDS[encoder.precision] * encoder.frames
    if isinstance(encoder, TimmEncoder):
        return TIMM_SECONDS * encoder.frames
    if isinstance(encoder, TorchvisionEncoder):
        return TORCHVISION_SECONDS
    # The two decoders compute flow in parallel with the network.
    flow_seconds = FLOW_SECONDS[encoder.algorithm] / 2 if isinstance(encoder, I3dFlowEncoder) else 0.0
    return I3D_SECONDS[encoder.precision] + flow_seconds


def estimate_snippet_bytes(dataset: Dataset, stream: str) -> int:
    """Bytes of one feature."""
    encoder = dataset.encoders.get(stream)
    return FEATURE_DIMS.get(encoder.encoder if encoder else "", DEFAULT_DIM) * BYTES_PER_VALUE


def estimate_step_seconds(method: str, training: Training) -> float:
    """Seconds for a training step, scaled by its multiplications: layers of d x d, attention of T x T.

    Methods without a measurement count as UGCT.
    """
    configured, published = (
        t.batch_size * t.snippets * t.width * (t.width + t.snippets) for t in (training, PAPER_TRAINING)
    )
    return STEP_SECONDS.get(method, STEP_SECONDS["ugct"]) * configured / published
