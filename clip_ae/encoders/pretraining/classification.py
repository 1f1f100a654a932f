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
DEMO_FLOW_ENCODER = FlowEncoder(algorithm="dis", clip_value=2.0)
NUM_FRAMES = 16


@dataclass(frozen=True)
class ClipTransforms:
    """What a network sees of a clip: what is kept of it, as extracted, varied for training; a batch of it as input."""

    extract: Callable[[TrainingClip], Array]
    eval_transform: Callable[[Array], Array]
    train_transform: Callable[[Array, Rng], Array]
    normalize: Callable[[torch.Tensor], torch.Tensor]


def train(
    weights: Weights, schedule: PretrainSchedule, seed: int, clips: Iterable[TrainingClip]
) -> tuple[Tensors, Metrics]:
    torch.manual_seed(seed)
    network = load_module(NETWORKS[weights.network_kind]).build(weights.i3d or weights.vggish)
    view = build_transforms(weights)
    kept, labels = _gathered(clips, view)
    count, rng = count_training_clips(len(kept)), np.random.default_rng(seed)

    def loss(batch: NDArray[np.int64]) -> torch.Tensor:
        varied = torch.from_numpy(np.stack([view.train_transform(kept[i], rng) for i in batch]))
        return F.cross_entropy(network(view.normalize(varied)), labels[batch])

    batches = make_batches(count, schedule, rng)
    optimise(network, loss, batches, schedule.learning_rate, f"pretrain {weights.network_kind}")
    right = _right(network, view, kept, labels, schedule.batch_size)
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
        extract=lambda clip: resize_frames(clip.render_frames(NUM_FRAMES), options.short_side),
        eval_transform=lambda frames: centre_crop(frames, options.crop),
        train_transform=varied,
        normalize=normalize_rgb,
    )


def _flow(options: I3dOptions) -> ClipTransforms:
    flow = load_module(FLOW_ALGORITHMS[DEMO_FLOW_ENCODER.algorithm]).build("cpu")

    def kept(clip: TrainingClip) -> Array:
        frames = resize_frames(clip.render_frames(NUM_FRAMES + 1), options.short_side)
        found: Array = flow(torch.from_numpy(frames)[None])[0].numpy()
        return found

    def varied(flow: Array, rng: Rng) -> Array:
        return random_reverse_flow(random_flip_flow(random_crop(flow, options.crop, rng), rng), rng)

    return ClipTransforms(
        extract=kept,
        eval_transform=lambda flow: centre_crop(flow, options.crop),
        train_transform=varied,
        normalize=partial(normalize_flow, clip_value=DEMO_FLOW_ENCODER.clip_value),
    )


def _sound() -> ClipTransforms:
    return ClipTransforms(
        extract=lambda clip: compute_log_mel(clip.render_audio())[None],
        eval_transform=lambda patch: patch,
        train_transform=random_gain,
        normalize=lambda patches: patches,
    )


def _gathered(clips: Iterable[TrainingClip], view: ClipTransforms) -> tuple[list[Array], torch.Tensor]:
    """Only what a network sees is kept: the clips themselves would fill the memory."""
    pairs = [(view.extract(clip), clip.label) for clip in clips]
    return [kept for kept, _ in pairs], torch.tensor([label for _, label in pairs])


@torch.inference_mode()
def _right(
    network: nn.Module, view: ClipTransforms, kept: list[Array], labels: torch.Tensor, batch: int
) -> NDArray[np.bool_]:
    chunks = [np.stack([view.eval_transform(k) for k in kept[i : i + batch]]) for i in range(0, len(kept), batch)]
    answers = torch.cat([network(view.normalize(torch.from_numpy(chunk))).argmax(1) for chunk in chunks])
    return (answers == labels).numpy()
