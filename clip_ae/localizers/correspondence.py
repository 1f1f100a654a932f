"""Whether the sound of a video follows its picture, from features alone: no labels and no training.

Two streams agree if snippets that are alike in one are alike in the other, that is if their Gram matrices correlate.
Slow change makes any two streams of a video agree somewhat. So the agreement is compared with that of the same audio,
shifted in a circle by at least a tenth of the video:
    z = (agreement - mean over shifts) / sd over shifts
"""

from collections.abc import Sequence

import torch
from torch import Tensor

NUM_SHIFTS = 24
# The smallest shift is the length of the video, divided by this and rounded up.
MIN_SHIFT_DIVISOR = 10
# One-sided 5 % of a normal distribution.
MIN_Z = 1.64
EPSILON = 1e-12


@torch.no_grad()
def audio_gate(audio: Tensor, audio_mask: Tensor, views: Sequence[Tensor], video_mask: Tensor) -> Tensor:
    """[B]: 1 for videos whose audio [B, T, D] follows the views [B, T, D], 0 for others and for silent ones.

    Only the snippets of the batch are compared: during training those that were sampled, at inference the whole video.
    """
    gates = []
    for b, real in enumerate(video_mask):
        sound = (audio[b] * audio_mask[b][:, None])[real]
        z = correspondence_z(sound, [view[b][real] for view in views]) if audio_mask[b].any() else 0.0
        gates.append(float(z > MIN_Z))
    return torch.tensor(gates, device=audio.device, dtype=audio.dtype)


def correspondence_z(audio: Tensor, views: Sequence[Tensor]) -> float:
    """z of one video; 0 for a video with fewer than three different shifts."""
    length = len(audio)
    first = -(-length // MIN_SHIFT_DIVISOR)
    if length - 2 * first < 2:
        return 0.0
    shifts = torch.linspace(first, length - first, NUM_SHIFTS).round().int().unique().tolist()
    visual_gram = torch.stack([_standardised_gram(view) for view in views]).sum(dim=0)
    audio_gram = _standardised_gram(audio)
    # The norms of both matrices do not depend on the shift: products stand for correlations.
    agreements = torch.stack([(visual_gram * audio_gram.roll((s, s), (0, 1))).sum() for s in (0, *shifts)])
    spread = agreements[1:].std()
    return float((agreements[0] - agreements[1:].mean()) / spread) if spread > EPSILON else 0.0


def _standardised_gram(features: Tensor) -> Tensor:
    """Gram matrix [T, T] of features [T, D] less their mean, with a diagonal of 0, over the sd of the other entries."""
    centred = features.float() - features.float().mean(dim=0)
    gram = (centred @ centred.T).fill_diagonal_(0.0)
    return gram / gram.std().clamp(min=EPSILON)
