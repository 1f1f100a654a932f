"""The whole story of post-pre-training: fixed steps, the last step is the result."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clip_ae.core.config.feature_adapters import AdapterTraining
from clip_ae.language.adapter import JointEmbedding
from clip_ae.language.sequences import SequenceBatch, SequenceSampler
from clip_ae.losses.masked_contrast import masked_contrastive_loss

WEIGHT_DECAY = 0.02
# Share of the steps in which the learning rate rises.
WARMUP_FRACTION = 0.1


def create_joint_embedding(
    dims: Mapping[str, int], text_dim: int, settings: AdapterTraining, seed: int
) -> JointEmbedding:
    """A fresh network; the seed alone decides its weights."""
    torch.manual_seed(seed)
    return JointEmbedding(dims, text_dim, settings.width, settings.temperature, settings.learned_temperature)


def fit_adapter(
    joint_embedding: JointEmbedding,
    sampler: SequenceSampler,
    texts: Tensor,
    settings: AdapterTraining,
    seed: int,
    encoder_blocks: nn.Module | None = None,
) -> Iterator[dict[str, float]]:
    """Learn, a step an item; texts [actions, D] are what each action is tied to.

    Where the table holds what the last blocks of an encoder read, these blocks learn too.
    """
    rates = {joint_embedding: settings.learning_rate} | (
        {encoder_blocks: settings.tuning.learning_rate} if encoder_blocks else {}
    )
    groups = [{"params": [p for p in m.parameters() if p.requires_grad], "lr": rate} for m, rate in rates.items()]
    optimizer = torch.optim.AdamW(groups, weight_decay=WEIGHT_DECAY)
    # OneCycleLR divides by the length of rise and of fall, less one step: two and one are the least.
    steps = max(3, settings.steps)
    rise = max(WARMUP_FRACTION, 2 / steps)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, list(rates.values()), total_steps=steps, pct_start=rise)
    joint_embedding.train()
    rng = np.random.default_rng(seed)
    for step in range(1, settings.steps + 1):
        drawn = sampler.sample_batch(rng)
        losses = contrastive_losses(
            joint_embedding, encode_batch(encoder_blocks, drawn) if encoder_blocks else drawn, texts, settings.dropout
        )
        optimizer.zero_grad()
        total = torch.stack(list(losses.values())).sum()
        total.backward()
        optimizer.step()
        cycle.step()
        values = {name: float(loss.detach()) for name, loss in losses.items()}
        yield {"step": step, **values, "temperature": 1 / float(joint_embedding.scale.detach())}
    joint_embedding.eval()


def encode_batch(encoder_blocks: nn.Module, batch: SequenceBatch) -> SequenceBatch:
    """What the blocks make of the rows that are of a clip; padding, and what could not be read, stay 0."""
    of_clips = (batch.clip_weights > 0).any(dim=0)

    def features(rows: Tensor) -> Tensor:
        flat = rows.flatten(0, 1)
        inside = of_clips & flat.any(dim=-1)
        seen: Tensor = encoder_blocks(flat[inside])
        placed = seen.new_zeros(len(inside), seen.shape[1])
        placed[inside] = seen
        return placed.view(*rows.shape[:2], -1)

    return replace(batch, features={name: features(rows) for name, rows in batch.features.items()})


def contrastive_losses(
    joint_embedding: JointEmbedding, batch: SequenceBatch, texts: Tensor, dropout: float = 0.0
) -> dict[str, Tensor]:
    """The loss of every stream: its clips against the texts."""
    words = torch.where(
        (batch.class_ids == 0)[:, None],
        joint_embedding.background_embedding,
        joint_embedding.embed_texts(texts[batch.text_rows]),
    )
    return {
        name: masked_contrastive_loss(
            joint_embedding.scale * _clips(joint_embedding, name, batch, dropout) @ words.T, batch.class_ids
        )
        for name in batch.features
    }


def _clips(joint: JointEmbedding, stream: str, batch: SequenceBatch, dropout: float) -> Tensor:
    """[N, width] of length 1: the mean of g over every clip."""
    g = joint.adapters[stream](F.dropout(batch.features[stream], dropout, joint.training))
    return F.normalize(batch.clip_weights @ g.flatten(0, 1), dim=-1)
