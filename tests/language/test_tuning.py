"""Training of encoder blocks below the joint space."""

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

SETTINGS = AdapterTraining(
    steps=60,
    batch_size=4,
    actions_per_sequence=2,
    width=4,
    learning_rate=1e-3,
    dropout=0,
    tuning=I3dFinetuning(learning_rate=1e-2),
)
CLASSES, DIM = 3, 6
pytestmark = pytest.mark.usefixtures("one_thread")


class Doubling(nn.Module):
    """Blocks that record the number of their input rows."""

    def forward(self, rows):
        self.num_rows = len(rows)
        return torch.cat([2 * rows, rows + 1], dim=1)


def create_sampler(settings=SETTINGS):
    """Sequences from one video for each class: five snippets of an action, then background."""
    rng = np.random.default_rng(0)
    videos, times = {}, np.arange(12.0)
    for k in range(CLASSES):
        x = 0.3 * rng.normal(size=(12, DIM))
        x[:5, k] += 1
        videos[f"v{k}"] = VideoFeatures(f"v{k}", times, times + 1, np.ones(12, np.float32), x.astype(np.float16))
    actions = [Span(f"v{k}", 0, 5, k + 1) for k in range(CLASSES)]
    return SequenceSampler(
        FeatureTable({"rgb": videos}, "cpu"), actions, [Span(f"v{k}", 5, 12) for k in range(CLASSES)], settings
    )


def test_only_rows_of_clips_are_encoded_and_keep_their_position():
    batch, blocks = create_sampler().sample_batch(np.random.default_rng(0)), Doubling()
    encoded, rows = encode_batch(blocks, batch).features["rgb"], batch.features["rgb"]
    clip_mask = (batch.clip_weights > 0).any(dim=0).view(rows.shape[:2])
    assert 0 < blocks.num_rows == int(clip_mask.sum()) < clip_mask.numel()
    torch.testing.assert_close(encoded[clip_mask], torch.cat([2 * rows, rows + 1], dim=2)[clip_mask])
    assert not encoded[~clip_mask].any()


def train(learning_rate=1e-2):
    """The losses of all steps, and the blocks' weights before and after."""
    torch.manual_seed(1)
    blocks = nn.Linear(DIM, 5)
    before = blocks.weight.detach().clone()
    joint, texts = create_joint_embedding({"rgb": 5}, CLASSES, SETTINGS, 0), torch.eye(CLASSES)
    settings = AdapterTraining(**{**vars(SETTINGS), "tuning": I3dFinetuning(learning_rate=learning_rate)})
    lines = fit_adapter(joint, create_sampler(settings), texts, settings, 0, blocks, progress_label="train")
    return [line["rgb"] for line in lines], before, blocks.weight.detach()


def test_the_loss_falls_and_the_blocks_change():
    losses, before, after = train()
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])
    assert not torch.equal(before, after)


def test_the_blocks_have_their_own_learning_rate():
    """The length of Adam's steps is about the learning rate, whatever the gradient."""
    changes = [float((after - before).abs().max()) for _, before, after in (train(1e-2), train(1e-4))]
    assert changes[0] > 20 * changes[1] > 0


def test_training_is_deterministic():
    (losses, _, weights), (losses_again, _, weights_again) = train(), train()
    assert losses == losses_again
    assert torch.equal(weights, weights_again)
