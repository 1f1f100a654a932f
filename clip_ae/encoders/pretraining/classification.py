"""I3D and VGGish learn to tell generated clips apart by class."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from clip_ae.core.config.registry import FLOWS, NETWORKS, load
from clip_ae.core.config.schema import FlowEncoder, I3dOptions, Schedule, Weights
from clip_ae.encoders.crops import Array, centre_crop
from clip_ae.encoders.log_mel import log_mel
from clip_ae.encoders.networks.state_dict import tensors_of
from clip_ae.encoders.normalize import flow_input, rgb_input
from clip_ae.encoders.pretraining.augment import (
    Rng,
    mirrored,
    mirrored_flow,
    random_crop,
    random_gain,
    resized,
    reversed_flow_or_not,
    reversed_or_not,
)
from clip_ae.encoders.pretraining.training_loop import Clip, Figures, Tensors, learnt_from, optimise, shuffled

# As the demo's flow stream is set in config.yaml; a test holds them together.
FLOW = FlowEncoder(algorithm="dis", bound=2.0)
FRAMES = 16


@dataclass(frozen=True)
class View:
    """What a network sees of a clip: what is kept of it, as extracted, varied for training; a batch of it as input."""

    keep: Callable[[Clip], Array]
    plain: Callable[[Array], Array]
    varied: Callable[[Array, Rng], Array]
    input: Callable[[torch.Tensor], torch.Tensor]


def train(weights: Weights, schedule: Schedule, seed: int, clips: Iterable[Clip]) -> tuple[Tensors, Figures]:
    torch.manual_seed(seed)
    network = load(NETWORKS[weights.network]).build(weights.i3d or weights.vggish)
    view = view_of(weights)
    kept, labels = _gathered(clips, view)
    count, rng = learnt_from(len(kept)), np.random.default_rng(seed)

    def loss(batch: NDArray[np.int64]) -> torch.Tensor:
        varied = torch.from_numpy(np.stack([view.varied(kept[i], rng) for i in batch]))
        return F.cross_entropy(network(view.input(varied)), labels[batch])

    batches = shuffled(count, schedule, rng)
    optimise(network, loss, batches, schedule.learning_rate, f"pretrain {weights.network}")
    right = _right(network, view, kept, labels, schedule.batch)
    figures = {"train_accuracy": float(right[:count].mean()), "held_out_accuracy": float(right[count:].mean())}
    return tensors_of(network), figures


def view_of(weights: Weights) -> View:
    if weights.i3d is None:
        return _sound()
    return _rgb(weights.i3d) if weights.i3d.channels == 3 else _flow(weights.i3d)


def _rgb(options: I3dOptions) -> View:
    def varied(frames: Array, rng: Rng) -> Array:
        return reversed_or_not(mirrored(random_crop(frames, options.crop, rng), rng), rng)

    return View(
        keep=lambda clip: resized(clip.frames(FRAMES), options.short_side),
        plain=lambda frames: centre_crop(frames, options.crop),
        varied=varied,
        input=rgb_input,
    )


def _flow(options: I3dOptions) -> View:
    flow = load(FLOWS[FLOW.algorithm]).build("cpu")

    def kept(clip: Clip) -> Array:
        frames = resized(clip.frames(FRAMES + 1), options.short_side)
        found: Array = flow(torch.from_numpy(frames)[None])[0].numpy()
        return found

    def varied(flow: Array, rng: Rng) -> Array:
        return reversed_flow_or_not(mirrored_flow(random_crop(flow, options.crop, rng), rng), rng)

    return View(
        keep=kept,
        plain=lambda flow: centre_crop(flow, options.crop),
        varied=varied,
        input=partial(flow_input, bound=FLOW.bound),
    )


def _sound() -> View:
    return View(
        keep=lambda clip: log_mel(clip.wave())[None],
        plain=lambda patch: patch,
        varied=random_gain,
        input=lambda patches: patches,
    )


def _gathered(clips: Iterable[Clip], view: View) -> tuple[list[Array], torch.Tensor]:
    """Only what a network sees is kept: the clips themselves would fill the memory."""
    pairs = [(view.keep(clip), clip.label) for clip in clips]
    return [kept for kept, _ in pairs], torch.tensor([label for _, label in pairs])


@torch.inference_mode()
def _right(network: nn.Module, view: View, kept: list[Array], labels: torch.Tensor, batch: int) -> NDArray[np.bool_]:
    chunks = [np.stack([view.plain(k) for k in kept[i : i + batch]]) for i in range(0, len(kept), batch)]
    answers = torch.cat([network(view.input(torch.from_numpy(chunk))).argmax(1) for chunk in chunks])
    return (answers == labels).numpy()
