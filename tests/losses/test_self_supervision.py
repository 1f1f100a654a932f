"""L_de-cor (eq. 7) and L_ins-dis (eq. 8) against float64 transcriptions; gradients; measured magnitudes."""

import numpy as np
import pytest
import torch

from clip_ae.losses.decor import decorrelation_loss
from clip_ae.losses.ins_dis import instance_discrimination_loss


def samples(n=40, d=6, seed=0):
    x = np.random.default_rng(seed).normal(size=(2, n // 2, d))
    mask = np.random.default_rng(seed + 1).random((2, n // 2)) < 0.8
    return x, mask


@pytest.mark.parametrize("form", ["literal", "mean", "softmax"])
@pytest.mark.parametrize("centred", [False, True])
def test_decor_equals_its_equation_on_the_real_snippets(form, centred):
    x, mask = samples()
    real = x[mask]
    real = real - real.mean(axis=0) if centred else real
    v = real / np.linalg.norm(real, axis=0)
    gram = v.T @ v
    squares = ((gram - np.eye(6)) ** 2).sum()
    probabilities = np.exp(gram / 2) / np.exp(gram / 2).sum(axis=1, keepdims=True)
    expected = {"literal": squares, "mean": squares / 36, "softmax": -np.log(np.diag(probabilities)).mean()}[form]
    loss = decorrelation_loss(torch.tensor(x), torch.tensor(mask), form, centred=centred)
    assert loss.item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("form", ["literal", "mean", "softmax"])
def test_gradients_of_decor_equal_finite_differences(form):
    x, mask = samples(n=12, d=3)
    torch.autograd.gradcheck(
        lambda t: decorrelation_loss(t, torch.tensor(mask), form, centred=True), torch.tensor(x, requires_grad=True)
    )


def test_decor_ignores_padding():
    x, mask = samples()
    with_nan = np.where(mask[..., None], x, np.nan)
    assert decorrelation_loss(torch.tensor(with_nan), torch.tensor(mask)) == decorrelation_loss(
        torch.tensor(x), torch.tensor(mask)
    )


def test_the_literal_sum_is_much_larger_than_other_losses():
    """Measured: 65,605 for 16 samples of 1,024 dimensions; at least d (d / n - 1). Divided by d^2 it is below 1."""
    x = torch.randn(1, 16, 1024, generator=torch.Generator().manual_seed(0))
    mask = torch.ones(1, 16, dtype=torch.bool)
    literal = decorrelation_loss(x, mask, "literal").item()
    assert 1024 * (1024 / 16 - 1) < literal < 67_000
    assert decorrelation_loss(x, mask).item() == pytest.approx(literal / 1024**2)


def test_a_common_mean_dominates_decor_unless_it_is_subtracted():
    x = torch.randn(1, 2000, 32, generator=torch.Generator().manual_seed(0)) + 3.0
    mask = torch.ones(1, 2000, dtype=torch.bool)
    assert decorrelation_loss(x, mask).item() > 0.7
    assert decorrelation_loss(x, mask, centred=True).item() < 0.01


def test_parallel_dimensions_have_the_largest_loss_and_no_snippets_a_finite_one():
    parallel = torch.ones(1, 8, 4) * torch.arange(1.0, 9.0)[None, :, None]
    mask = torch.ones(1, 8, dtype=torch.bool)
    assert decorrelation_loss(parallel, mask, "literal").item() == pytest.approx(4 * 3)
    assert torch.isfinite(decorrelation_loss(parallel, ~mask))


def random_unit_vectors(rng, *shape):
    z = rng.normal(size=shape)
    return z / np.linalg.norm(z, axis=-1, keepdims=True)


def test_ins_dis_equals_its_equation():
    rng = np.random.default_rng(0)
    z, bank, videos = random_unit_vectors(rng, 4, 6), random_unit_vectors(rng, 9, 6), np.array([3, 0, 8, 3])
    for temperature in (1.0, 0.07):
        likelihood = np.exp(z @ bank.T / temperature)
        probabilities = likelihood[np.arange(4), videos] / likelihood.sum(axis=1)
        loss = instance_discrimination_loss(torch.tensor(z), torch.tensor(bank), torch.tensor(videos), temperature)
        assert loss.item() == pytest.approx(-np.log(probabilities).mean(), rel=1e-12)


def test_gradients_of_ins_dis_equal_finite_differences():
    rng = np.random.default_rng(1)
    bank, videos = torch.tensor(random_unit_vectors(rng, 5, 3)), torch.tensor([4, 1])
    z = torch.tensor(random_unit_vectors(rng, 2, 3), requires_grad=True)
    torch.autograd.gradcheck(lambda t: instance_discrimination_loss(t, bank, videos, 1.0), z)


def test_ins_dis_is_weak_by_construction():
    """At tau = 1 even a perfect match among random rows is near ln N - 1: a flat training curve is normal."""
    bank = torch.tensor(random_unit_vectors(np.random.default_rng(2), 200, 1024))
    loss = instance_discrimination_loss(bank[:16], bank, torch.arange(16), 1.0).item()
    assert loss == pytest.approx(4.31, abs=0.02)
    assert np.log(200) - 2 < loss < np.log(200) + 2
