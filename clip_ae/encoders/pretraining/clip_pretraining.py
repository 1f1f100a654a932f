"""CLIP learns which caption goes with which generated clip (symmetric InfoNCE)."""

from collections.abc import Iterable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from clip_ae.core.config.schema import PretrainSchedule, Weights
from clip_ae.encoders.crops import CLIP_MEAN, CLIP_STD, Array, centre_crop
from clip_ae.encoders.networks import clip as clips_network
from clip_ae.encoders.networks.state_dict import get_tensors
from clip_ae.encoders.normalize import normalize_clip
from clip_ae.encoders.pretraining.augment import random_color_jitter, random_crop, random_flip, resize_frames
from clip_ae.encoders.pretraining.training_loop import (
    Metrics,
    Tensors,
    TrainingClip,
    count_training_clips,
    make_batches,
    optimise,
)

# Of a clip's first second every sixth frame: a thing in several poses.
SPAN_FRAMES, FRAME_STRIDE = 25, 6


def train(
    weights: Weights, schedule: PretrainSchedule, seed: int, clips: Iterable[TrainingClip]
) -> tuple[Tensors, Metrics]:
    assert weights.clip is not None
    torch.manual_seed(seed)
    network = clips_network.build(weights.clip)
    size = clips_network.get_image_size(network)
    pairs = [(resize_frames(clip.render_frames(SPAN_FRAMES)[::FRAME_STRIDE], size), clip.captions) for clip in clips]
    tokens = clips_network.get_tokenizer(weights.clip)
    frames, texts = [f for f, _ in pairs], torch.stack([tokens(list(captions)) for _, captions in pairs])
    count, rng = count_training_clips(len(pairs)), np.random.default_rng(seed)

    def image(index: int) -> Array:
        """A random frame of a clip, [1, H, W, 3]."""
        frame = frames[index][rng.integers(len(frames[index]), size=1)]
        return random_flip(random_color_jitter(random_crop(frame, size, rng), rng), rng)

    def loss(batch: NDArray[np.int64]) -> Tensor:
        said = rng.integers(texts.shape[1], size=len(batch))
        features, words, scale = network(_input([image(i) for i in batch]), texts[batch, said])
        return info_nce(scale * features @ words.T)

    optimise(network, loss, make_batches(count, schedule, rng), schedule.learning_rate, "pretrain clip")
    middle = [centre_crop(f[len(f) // 2][None], size) for f in frames]
    figures = {
        "train_retrieval": _retrieval(network, middle[:count], texts[:count, 0]),
        "held_out_retrieval": _retrieval(network, middle[count:], texts[count:, 0]),
        "held_out_chance": 1 / len(middle[count:]),
    }
    return get_tensors(network), figures


def info_nce(logits: Tensor) -> Tensor:
    """-1/2 mean_i [log softmax_j(s_ij) + log softmax_j(s_ji)] at j = i, for similarities s of images and texts."""
    own = torch.arange(len(logits))
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


@torch.inference_mode()
def _retrieval(network: torch.nn.Module, images: list[Array], texts: Tensor) -> float:
    """Share of images whose nearest text is their own, said in full."""
    features, words, _ = network(_input(images), texts)
    nearest = (features @ words.T).argmax(1)
    return float((nearest == torch.arange(len(images))).float().mean())


def _input(images: list[Array]) -> Tensor:
    return normalize_clip(torch.from_numpy(np.stack(images)), CLIP_MEAN, CLIP_STD)
