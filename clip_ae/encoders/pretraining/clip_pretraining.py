"""Pre-train CLIP on generated clips and their captions (symmetric InfoNCE)."""

from collections.abc import Iterable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from clip_ae.core.config.schema import PretrainSchedule, Weights
from clip_ae.encoders.crops import CLIP_MEAN, CLIP_STD, Array, centre_crop
from clip_ae.encoders.networks import clip as clip_network
from clip_ae.encoders.networks.state_dict import get_tensors
from clip_ae.encoders.normalize import normalize_images
from clip_ae.encoders.pretraining.augment import random_color_jitter, random_crop, random_flip, resize_frames
from clip_ae.encoders.pretraining.training_loop import (
    Metrics,
    Tensors,
    TrainingClip,
    count_training_clips,
    make_batches,
    optimize,
)

# Every sixth frame of a clip's first second shows the object in several poses.
SPAN_FRAMES, FRAME_STRIDE = 25, 6


def train(
    weights: Weights, schedule: PretrainSchedule, seed: int, clips: Iterable[TrainingClip]
) -> tuple[Tensors, Metrics]:
    """Tensors of the trained network, and its caption retrieval on training and held-out clips."""
    if weights.clip is None:
        raise ValueError(f"weights of the kind {weights.network_kind}; only a CLIP is trained on captions")
    torch.manual_seed(seed)
    network = clip_network.build(weights.clip)
    size = clip_network.get_image_size(network)
    pairs = [(resize_frames(clip.render_frames(SPAN_FRAMES)[::FRAME_STRIDE], size), clip.captions) for clip in clips]
    tokenize = clip_network.get_tokenizer(weights.clip)
    frames, texts = [f for f, _ in pairs], torch.stack([tokenize(list(captions)) for _, captions in pairs])
    num_training, rng = count_training_clips(len(pairs)), np.random.default_rng(seed)

    def draw_image(index: int) -> Array:
        """A random frame of a clip, augmented, [1, H, W, 3]."""
        frame = frames[index][rng.integers(len(frames[index]), size=1)]
        return random_flip(random_color_jitter(random_crop(frame, size, rng), rng), rng)

    def compute_loss(batch: NDArray[np.int64]) -> Tensor:
        caption_indices = rng.integers(texts.shape[1], size=len(batch))
        images = _normalize_images([draw_image(i) for i in batch])
        image_features, text_features, scale = network(images, texts[batch, caption_indices])
        return info_nce(scale * image_features @ text_features.T)

    optimize(network, compute_loss, make_batches(num_training, schedule, rng), schedule.learning_rate, "pretrain clip")
    images = [centre_crop(f[len(f) // 2][None], size) for f in frames]
    metrics = {
        "train_retrieval": _measure_retrieval(network, images[:num_training], texts[:num_training, 0]),
        "held_out_retrieval": _measure_retrieval(network, images[num_training:], texts[num_training:, 0]),
        "held_out_chance": 1 / len(images[num_training:]),
    }
    return get_tensors(network), metrics


def info_nce(logits: Tensor) -> Tensor:
    """-1/2 mean_i [log softmax_j(s_ij) + log softmax_j(s_ji)] at j = i, for similarities s of images and texts."""
    targets = torch.arange(len(logits))
    return (F.cross_entropy(logits, targets) + F.cross_entropy(logits.T, targets)) / 2


@torch.inference_mode()
def _measure_retrieval(network: torch.nn.Module, images: list[Array], texts: Tensor) -> float:
    """Share of images whose nearest text is their own full caption."""
    image_features, text_features, _ = network(_normalize_images(images), texts)
    nearest = (image_features @ text_features.T).argmax(1)
    return float((nearest == torch.arange(len(images))).float().mean())


def _normalize_images(images: list[Array]) -> Tensor:
    return normalize_images(torch.from_numpy(np.stack(images)), CLIP_MEAN, CLIP_STD)
