"""CLIP learns which caption goes with which generated clip (symmetric InfoNCE)."""

from collections.abc import Iterable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from clip_ae.core.config.schema import Schedule, Weights
from clip_ae.encoders.crops import CLIP_MEAN, CLIP_STD, Array, centre_crop
from clip_ae.encoders.networks import clip as clips_network
from clip_ae.encoders.networks.state_dict import tensors_of
from clip_ae.encoders.normalize import clip_input
from clip_ae.encoders.pretraining.augment import mirrored, random_crop, random_light, resized
from clip_ae.encoders.pretraining.training_loop import Clip, Figures, Tensors, learnt_from, optimise, shuffled

# Of a clip's first second every sixth frame: a thing in several poses.
SPAN, APART = 25, 6


def train(weights: Weights, schedule: Schedule, seed: int, clips: Iterable[Clip]) -> tuple[Tensors, Figures]:
    assert weights.clip is not None
    torch.manual_seed(seed)
    network = clips_network.build(weights.clip)
    size = clips_network.image_size(network)
    pairs = [(resized(clip.frames(SPAN)[::APART], size), clip.captions) for clip in clips]
    tokens = clips_network.tokenizer(weights.clip)
    frames, texts = [f for f, _ in pairs], torch.stack([tokens(list(captions)) for _, captions in pairs])
    count, rng = learnt_from(len(pairs)), np.random.default_rng(seed)

    def image(index: int) -> Array:
        """A random frame of a clip, [1, H, W, 3]."""
        frame = frames[index][rng.integers(len(frames[index]), size=1)]
        return mirrored(random_light(random_crop(frame, size, rng), rng), rng)

    def loss(batch: NDArray[np.int64]) -> Tensor:
        said = rng.integers(texts.shape[1], size=len(batch))
        features, words, scale = network(_input([image(i) for i in batch]), texts[batch, said])
        return info_nce(scale * features @ words.T)

    optimise(network, loss, shuffled(count, schedule, rng), schedule.learning_rate, "pretrain clip")
    middle = [centre_crop(f[len(f) // 2][None], size) for f in frames]
    figures = {
        "train_retrieval": _retrieval(network, middle[:count], texts[:count, 0]),
        "held_out_retrieval": _retrieval(network, middle[count:], texts[count:, 0]),
        "held_out_chance": 1 / len(middle[count:]),
    }
    return tensors_of(network), figures


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
    return clip_input(torch.from_numpy(np.stack(images)), CLIP_MEAN, CLIP_STD)
