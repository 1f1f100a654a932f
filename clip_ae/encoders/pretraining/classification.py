"""I3D and VGGish learn to tell generated clips apart by class."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from clip_ae.core.config.registry import FLOW_ALGORITHMS, NETWORKS, load_module
from clip_ae.core.config.schema import FlowEncoder, I3dOptions, PretrainSchedule, Weights
from clip_ae.encoders.crops import Array, centre_crop
from clip_ae.encoders.log_mel import compute_log_mel
from clip_ae.encoders.networks.state_dict import get_tensors
from clip_ae.encoders.normalize import normalize_flow, normalize_rgb
from clip_ae.encoders.pretraining.augment import (
    Rng,
    random_crop,
    random_flip,
    random_flip_flow,
    random_gain,
    random_reverse,
    random_reverse_flow,
    resize_frames,
)
from clip_ae.encoders.pretraining.training_loop import (
    Metrics,
    Tensors,
    TrainingClip,
    count_training_clips,
    make_batches,
    optimise,
)

# As the demo's flow stream is set in config.yaml; a test holds them together.
DEMO_FLOW_ENCODER = FlowEncoder(algorithm="dis", bound=2.0)
NUM_FRAMES = 16


@dataclass(frozen=True)
class ClipTransforms:
    """What a network sees of a clip: what is kept of it, as extracted, varied for training; a batch of it as input."""

    keep: Callable[[TrainingClip], Array]
    plain: Callable[[Array], Array]
    varied: Callable[[Array, Rng], Array]
    input: Callable[[torch.Tensor], torch.Tensor]


def train(
    weights: Weights, schedule: PretrainSchedule, seed: int, clips: Iterable[TrainingClip]
) -> tuple[Tensors, Metrics]:
    torch.manual_seed(seed)
    network = load_module(NETWORKS[weights.network]).build(weights.i3d or weights.vggish)
    view = build_transforms(weights)
    kept, labels = _gathered(clips, view)
    count, rng = count_training_clips(len(kept)), np.random.default_rng(seed)

    def loss(batch: NDArray[np.int64]) -> torch.Tensor:
        varied = torch.from_numpy(np.stack([view.varied(kept[i], rng) for i in batch]))
        return F.cross_entropy(network(view.input(varied)), labels[batch])

    batches = make_batches(count, schedule, rng)
    optimise(network, loss, batches, schedule.learning_rate, f"pretrain {weights.network}")
    right = _right(network, view, kept, labels, schedule.batch)
    figures = {"train_accuracy": float(right[:count].mean()), "held_out_accuracy": float(right[count:].mean())}
    return get_tensors(network), figures


def build_transforms(weights: Weights) -> ClipTransforms:
    if weights.i3d is None:
        return _sound()
    return _rgb(weights.i3d) if weights.i3d.channels == 3 else _flow(weights.i3d)


def _rgb(options: I3dOptions) -> ClipTransforms:
    def varied(frames: Array, rng: Rng) -> Array:
        return random_reverse(random_flip(random_crop(frames, options.crop, rng), rng), rng)

    return ClipTransforms(
        keep=lambda clip: resize_frames(clip.frames(NUM_FRAMES), options.short_side),
        plain=lambda frames: centre_crop(frames, options.crop),
        varied=varied,
        input=normalize_rgb,
    )


def _flow(options: I3dOptions) -> ClipTransforms:
    flow = load_module(FLOW_ALGORITHMS[DEMO_FLOW_ENCODER.algorithm]).build("cpu")

    def kept(clip: TrainingClip) -> Array:
        frames = resize_frames(clip.frames(NUM_FRAMES + 1), options.short_side)
        found: Array = flow(torch.from_numpy(frames)[None])[0].numpy()
        return found

    def varied(flow: Array, rng: Rng) -> Array:
        return random_reverse_flow(random_flip_flow(random_crop(flow, options.crop, rng), rng), rng)

    return ClipTransforms(
        keep=kept,
        plain=lambda flow: centre_crop(flow, options.crop),
        varied=varied,
        input=partial(normalize_flow, bound=DEMO_FLOW_ENCODER.bound),
    )


def _sound() -> ClipTransforms:
    return ClipTransforms(
        keep=lambda clip: compute_log_mel(clip.wave())[None],
        plain=lambda patch: patch,
        varied=random_gain,
        input=lambda patches: patches,
    )


def _gathered(clips: Iterable[TrainingClip], view: ClipTransforms) -> tuple[list[Array], torch.Tensor]:
    """Only what a network sees is kept: the clips themselves would fill the memory."""
    pairs = [(view.keep(clip), clip.label) for clip in clips]
    return [kept for kept, _ in pairs], torch.tensor([label for _, label in pairs])


@torch.inference_mode()
def _right(
    network: nn.Module, view: ClipTransforms, kept: list[Array], labels: torch.Tensor, batch: int
) -> NDArray[np.bool_]:
    chunks = [np.stack([view.plain(k) for k in kept[i : i + batch]]) for i in range(0, len(kept), batch)]
    answers = torch.cat([network(view.input(torch.from_numpy(chunk))).argmax(1) for chunk in chunks])
    return (answers == labels).numpy()
