"""The learning rate of pre-training: any number of steps works, and the rate rises only at the start."""

import numpy as np
import pytest
import torch

from clip_ae.encoders.pretraining.training_loop import WARMUP_FRACTION, compute_warmup_fraction, optimize


@pytest.mark.parametrize("num_steps", [1, 2, 9, 10, 11, 30])
def test_any_number_of_steps_trains(num_steps: int) -> None:
    """10 steps have a warm-up of exactly one step, for which OneCycleLR divides by zero."""
    network = torch.nn.Linear(1, 1)
    batches = [np.array([0])] * num_steps
    losses = []

    def compute_loss(batch: np.ndarray) -> torch.Tensor:
        losses.append(network(torch.ones(len(batch), 1)).square().mean())
        return losses[-1]

    optimize(network, compute_loss, batches, 1e-3, "test")
    assert len(losses) == num_steps
    assert all(torch.isfinite(parameter).all() for parameter in network.parameters())


def test_only_ten_steps_have_another_warmup_fraction() -> None:
    assert [n for n in range(1, 100_000) if compute_warmup_fraction(n) != WARMUP_FRACTION] == [10]
