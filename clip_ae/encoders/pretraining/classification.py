"""Pre-train I3D or VGGish to classify generated clips."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from clip_ae.core.config.registry import FLOW_ALGORITHMS, NETWORKS, load_module
from clip_ae.core.config.schema import I3dOptions, PretrainSchedule, Weights
from clip_ae.core.config.streams import I3dFlowEncoder
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
    optimize,
)

# Equal to the demo's flow stream in configs/demo.yaml; a test compares them.
DEMO_FLOW_ENCODER = I3dFlowEncoder(algorithm="dis", clip_value=2.0)
NUM_FRAMES = 16


@dataclass(frozen=True)
class ClipTransforms:
    """The steps from a clip to a network's input.

    `extract` computes the array that is kept in memory for a clip; `eval_transform` crops the array, `train_transform`
    crops and augments it at random; `normalize` converts a batch of the results.
    """

    extract: Callable[[TrainingClip], Array]
    eval_transform: Callable[[Array], Array]
    train_transform: Callable[[Array, Rng], Array]
    normalize: Callable[[Tensor], Tensor]


def train(
    weights: Weights, schedule: PretrainSchedule, seed: int, clips: Iterable[TrainingClip]
) -> tuple[Tensors, Metrics]:
    """Tensors of the trained network, and its accuracy on training and held-out clips."""
    torch.manual_seed(seed)
    network = load_module(NETWORKS[weights.network_kind]).build(weights.i3d or weights.vggish)
    transforms = build_transforms(weights)
    inputs, labels = _extract_clips(clips, transforms)
    num_training, rng = count_training_clips(len(inputs)), np.random.default_rng(seed)

    def compute_loss(batch: NDArray[np.int64]) -> Tensor:
        augmented = torch.from_numpy(np.stack([transforms.train_transform(inputs[i], rng) for i in batch]))
        return F.cross_entropy(network(transforms.normalize(augmented)), labels[batch])

    batches = make_batches(num_training, schedule, rng)
    optimize(network, compute_loss, batches, schedule.learning_rate, f"pretrain {weights.network_kind}")
    correct = _predict_labels(network, transforms, inputs, schedule.batch_size) == labels
    metrics = {
        "train_accuracy": float(correct[:num_training].numpy().mean()),
        "held_out_accuracy": float(correct[num_training:].numpy().mean()),
    }
    return get_tensors(network), metrics


def build_transforms(weights: Weights) -> ClipTransforms:
    """The transforms for RGB I3D, flow I3D or VGGish."""
    if weights.i3d is None:
        return _build_audio_transforms()
    return _build_rgb_transforms(weights.i3d) if weights.i3d.channels == 3 else _build_flow_transforms(weights.i3d)


def _build_rgb_transforms(options: I3dOptions) -> ClipTransforms:
    def augment(frames: Array, rng: Rng) -> Array:
        return random_reverse(random_flip(random_crop(frames, options.crop, rng), rng), rng)

    return ClipTransforms(
        extract=lambda clip: resize_frames(clip.render_frames(NUM_FRAMES), options.short_side),
        eval_transform=lambda frames: centre_crop(frames, options.crop),
        train_transform=augment,
        normalize=normalize_rgb,
    )


def _build_flow_transforms(options: I3dOptions) -> ClipTransforms:
    compute_flow = load_module(FLOW_ALGORITHMS[DEMO_FLOW_ENCODER.algorithm]).build("cpu")

    def extract(clip: TrainingClip) -> Array:
        frames = resize_frames(clip.render_frames(NUM_FRAMES + 1), options.short_side)
        flow: Array = compute_flow(torch.from_numpy(frames)[None])[0].numpy()
        return flow

    def augment(flow: Array, rng: Rng) -> Array:
        return random_reverse_flow(random_flip_flow(random_crop(flow, options.crop, rng), rng), rng)

    return ClipTransforms(
        extract=extract,
        eval_transform=lambda flow: centre_crop(flow, options.crop),
        train_transform=augment,
        normalize=partial(normalize_flow, clip_value=DEMO_FLOW_ENCODER.clip_value),
    )


def _build_audio_transforms() -> ClipTransforms:
    return ClipTransforms(
        extract=lambda clip: compute_log_mel(clip.render_audio())[None],
        eval_transform=lambda patch: patch,
        train_transform=random_gain,
        normalize=lambda patches: patches,
    )


def _extract_clips(clips: Iterable[TrainingClip], transforms: ClipTransforms) -> tuple[list[Array], Tensor]:
    """The extracted array of each clip, and the labels. The clips are not kept: they would fill the memory."""
    pairs = [(transforms.extract(clip), clip.label) for clip in clips]
    return [extracted for extracted, _ in pairs], torch.tensor([label for _, label in pairs])


@torch.inference_mode()
def _predict_labels(network: nn.Module, transforms: ClipTransforms, inputs: list[Array], batch_size: int) -> Tensor:
    """The class with the highest logit for each extracted clip."""
    batches = [inputs[i : i + batch_size] for i in range(0, len(inputs), batch_size)]
    arrays = [np.stack([transforms.eval_transform(extracted) for extracted in batch]) for batch in batches]
    return torch.cat([network(transforms.normalize(torch.from_numpy(array))).argmax(1) for array in arrays])
