"""Blocks that learn below the joint space."""

import numpy as np
import pytest
import torch
from torch import nn

from clip_ae.core.config.feature_adapters import AdapterTraining, I3dFinetuning
from clip_ae.core.types import VideoFeatures
from clip_ae.language.adapter_training import create_joint_embedding, encode_batch, fit_adapter
from clip_ae.language.sequences import SequenceSampler
from clip_ae.language.spans import Span
from clip_ae.localizers.feature_table import FeatureTable

HOW = AdapterTraining(
    steps=60,
    batch_size=4,
    actions_per_sequence=2,
    width=4,
    learning_rate=1e-3,
    dropout=0,
    tuning=I3dFinetuning(learning_rate=1e-2),
)
KINDS, DIM = 3, 6
pytestmark = pytest.mark.usefixtures("one_thread")


class Doubling(nn.Module):
    """Tells how many rows it was given."""

    def forward(self, rows):
        self.rows = len(rows)
        return torch.cat([2 * rows, rows + 1], dim=1)


def drawing(how=HOW):
    """A video a kind: five snippets of it, then background."""
    rng = np.random.default_rng(0)
    videos, times = {}, np.arange(12.0)
    for kind in range(KINDS):
        x = 0.3 * rng.normal(size=(12, DIM))
        x[:5, kind] += 1
        videos[f"v{kind}"] = VideoFeatures(f"v{kind}", times, times + 1, np.ones(12, np.float32), x.astype(np.float16))
    actions = [Span(f"v{k}", 0, 5, k + 1) for k in range(KINDS)]
    return SequenceSampler(
        FeatureTable({"rgb": videos}, "cpu"), actions, [Span(f"v{k}", 5, 12) for k in range(KINDS)], how
    )


def test_only_rows_of_clips_are_encoded_each_at_its_place():
    batch, blocks = drawing().sample_batch(np.random.default_rng(0)), Doubling()
    found, rows = encode_batch(blocks, batch).features["rgb"], batch.features["rgb"]
    inside = (batch.clip_weights > 0).any(dim=0).view(rows.shape[:2])
    assert 0 < blocks.rows == int(inside.sum()) < inside.numel()
    torch.testing.assert_close(found[inside], torch.cat([2 * rows, rows + 1], dim=2)[inside])
    assert not found[~inside].any()


def learnt(rate=1e-2):
    torch.manual_seed(1)
    blocks = nn.Linear(DIM, 5)
    before = blocks.weight.detach().clone()
    joint, words = create_joint_embedding({"rgb": 5}, KINDS, HOW, 0), torch.eye(KINDS)
    how = AdapterTraining(**{**vars(HOW), "tuning": I3dFinetuning(learning_rate=rate)})
    lines = fit_adapter(joint, drawing(how), words, how, 0, blocks, progress_label="train")
    return [line["rgb"] for line in lines], before, blocks.weight.detach()


def test_the_loss_falls_and_the_blocks_change():
    losses, before, after = learnt()
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])
    assert not torch.equal(before, after)


def test_the_blocks_have_a_rate_of_their_own():
    """Adam's steps are about as long as its rate, whatever the gradient."""
    moved = [float((after - before).abs().max()) for _, before, after in (learnt(1e-2), learnt(1e-4))]
    assert moved[0] > 20 * moved[1] > 0


def test_the_same_again():
    (once, _, weights), (again, _, same) = learnt(), learnt()
    assert once == again
    assert torch.equal(weights, same)
