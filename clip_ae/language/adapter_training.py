"""Training of a feature adapter: a fixed number of steps; the last step is the result."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clip_ae.core.config.feature_adapters import AdapterTraining
from clip_ae.core.progress import track
from clip_ae.language.adapter import JointEmbedding
from clip_ae.language.sequences import SequenceBatch, SequenceSampler
from clip_ae.losses.masked_contrast import masked_contrastive_loss

WEIGHT_DECAY = 0.02
# Share of the steps in which the learning rate rises.
WARMUP_FRACTION = 0.1


def create_joint_embedding(
    dims: Mapping[str, int], text_dim: int, settings: AdapterTraining, seed: int
) -> JointEmbedding:
    """A new network; its initial weights depend on the seed only."""
    torch.manual_seed(seed)
    return JointEmbedding(dims, text_dim, settings.width, settings.temperature, settings.learned_temperature)


def fit_adapter(
    joint_embedding: JointEmbedding,
    sampler: SequenceSampler,
    texts: Tensor,
    settings: AdapterTraining,
    seed: int,
    encoder_blocks: nn.Module | None = None,
    *,
    progress_label: str,
) -> list[dict[str, float]]:
    """Train the network in place and return a log line for each step: losses by stream, temperature.

    texts [actions, D]: the target embedding of each action. encoder_blocks: the last blocks of an encoder, trained
    too; the sampler's features are then the inputs of these blocks.
    """
    optimizer, schedule = _create_optimizer(joint_embedding, settings, encoder_blocks)
    joint_embedding.train()
    rng = np.random.default_rng(seed)
    lines: list[dict[str, float]] = []
    for step in track(range(1, settings.steps + 1), progress_label, unit="steps"):
        batch = sampler.sample_batch(rng)
        if encoder_blocks is not None:
            batch = encode_batch(encoder_blocks, batch)
        losses = contrastive_losses(joint_embedding, batch, texts, settings.dropout)
        optimizer.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        optimizer.step()
        schedule.step()
        values = {name: float(loss.detach()) for name, loss in losses.items()}
        lines.append({"step": step, **values, "temperature": 1 / float(joint_embedding.scale.detach())})
    joint_embedding.eval()
    return lines


def _create_optimizer(
    joint_embedding: JointEmbedding, settings: AdapterTraining, encoder_blocks: nn.Module | None
) -> tuple[torch.optim.AdamW, torch.optim.lr_scheduler.OneCycleLR]:
    learning_rates: dict[nn.Module, float] = {joint_embedding: settings.learning_rate}
    if encoder_blocks is not None:
        learning_rates[encoder_blocks] = settings.tuning.learning_rate
    groups = [
        {"params": [p for p in module.parameters() if p.requires_grad], "lr": rate}
        for module, rate in learning_rates.items()
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=WEIGHT_DECAY)
    # OneCycleLR divides by the length of the rise minus 1 and of the fall: it needs 2 rising steps and 1 falling step.
    steps = max(3, settings.steps)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, list(learning_rates.values()), total_steps=steps, pct_start=max(WARMUP_FRACTION, 2 / steps)
    )
    return optimizer, schedule


def encode_batch(encoder_blocks: nn.Module, batch: SequenceBatch) -> SequenceBatch:
    """The batch with its features replaced by the output of the blocks.

    Only non-zero rows inside a clip are encoded: padding, and snippets that could not be decoded, stay 0.
    """
    clip_mask = (batch.clip_weights > 0).any(dim=0)

    def encode(features: Tensor) -> Tensor:
        rows = features.flatten(0, 1)
        encoded_mask = clip_mask & rows.any(dim=-1)
        encoded: Tensor = encoder_blocks(rows[encoded_mask])
        output = encoded.new_zeros(len(rows), encoded.shape[1])
        output[encoded_mask] = encoded
        return output.view(*features.shape[:2], -1)

    return replace(batch, features={name: encode(features) for name, features in batch.features.items()})


def contrastive_losses(
    joint_embedding: JointEmbedding, batch: SequenceBatch, texts: Tensor, dropout: float = 0.0
) -> dict[str, Tensor]:
    """The masked contrastive loss of each stream: its clips against the target embeddings."""
    targets = torch.where(
        (batch.class_ids == 0)[:, None],
        joint_embedding.background_embedding,
        joint_embedding.embed_texts(texts[batch.text_rows]),
    )
    return {
        name: masked_contrastive_loss(
            joint_embedding.scale * _embed_clips(joint_embedding, name, batch, dropout) @ targets.T, batch.class_ids
        )
        for name in batch.features
    }


def _embed_clips(joint_embedding: JointEmbedding, stream: str, batch: SequenceBatch, dropout: float) -> Tensor:
    """[N, width], unit length: the mean of g over the snippets of each clip."""
    features = F.dropout(batch.features[stream], dropout, joint_embedding.training)
    g = joint_embedding.adapters[stream](features)
    return F.normalize(batch.clip_weights @ g.flatten(0, 1), dim=-1)
