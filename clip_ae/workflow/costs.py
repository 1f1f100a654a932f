"""What the published networks and methods cost, for `clip-ae plan` only: work measured once, rates of this machine."""

from clip_ae.core.config.schema import Dataset
from clip_ae.core.config.streams import ClipEncoder, I3dFlowEncoder, TimmEncoder, TorchvisionEncoder, VggishEncoder
from clip_ae.core.config.training import Training
from clip_ae.core.machine_rates import MachineRates

# Work of a network, two operations for a multiply-add: I3D for a snippet, CLIP ViT-B/16 and DINOv2-S (of timm) for a
# frame, VGGish and R(2+1)D-18 (of torchvision) for a snippet. Other networks of timm and torchvision differ from these
# by up to four times.
I3D_GFLOP, CLIP_GFLOP, TIMM_GFLOP, VGGISH_GFLOP, TORCHVISION_GFLOP = 54.0, 35.1, 11.0, 1.7, 81.0
# Share of the matrix rate that extraction reaches with these networks (`python -m benchmarks.features`).
MATRIX_SHARE = 0.6
# The following were measured on two cores of a processor with this fp32 matrix rate, and count in proportion.
REFERENCE_GFLOPS = 203.0
# Optical flow of the 16 frame pairs of a snippet at 340x256, seconds on one core (`python -m benchmarks.flow`).
FLOW_SECONDS = {"tvl1": 20.4, "tvl1_torch": 7.6, "dis": 0.15, "raft": 29.5}
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


def estimate_snippet_seconds(dataset: Dataset, stream: str, rates: MachineRates) -> float:
    """Seconds for a snippet of a stream with the published networks; the demo's networks are much faster."""
    encoder = dataset.encoders[stream]
    if isinstance(encoder, VggishEncoder):
        work = VGGISH_GFLOP
    elif isinstance(encoder, ClipEncoder):
        work = CLIP_GFLOP * encoder.frames
    elif isinstance(encoder, TimmEncoder):
        work = TIMM_GFLOP * encoder.frames
    elif isinstance(encoder, TorchvisionEncoder):
        work = TORCHVISION_GFLOP
    else:
        work = I3D_GFLOP
    # The two decoders compute flow in parallel with the network.
    flow_seconds = FLOW_SECONDS[encoder.algorithm] / 2 if isinstance(encoder, I3dFlowEncoder) else 0.0
    return work / (MATRIX_SHARE * rates.of(encoder.precision)) + flow_seconds * REFERENCE_GFLOPS / rates.fp32


def estimate_snippet_bytes(dataset: Dataset, stream: str) -> int:
    """Bytes of one feature."""
    encoder = dataset.encoders.get(stream)
    return FEATURE_DIMS.get(encoder.encoder if encoder else "", DEFAULT_DIM) * BYTES_PER_VALUE


def estimate_step_seconds(method: str, training: Training, rates: MachineRates) -> float:
    """Seconds for a training step, scaled by its multiplications: layers of d x d, attention of T x T.

    Methods without a measurement count as UGCT.
    """
    configured, published = (
        t.batch_size * t.snippets * t.width * (t.width + t.snippets) for t in (training, PAPER_TRAINING)
    )
    seconds = STEP_SECONDS.get(method, STEP_SECONDS["ugct"]) * configured / published
    return seconds * REFERENCE_GFLOPS / rates.fp32
