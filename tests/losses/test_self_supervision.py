"""L_de-cor (eq. 7) and L_ins-dis (eq. 8) beside float64 transcriptions; gradients; what was measured of them."""

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
def test_decor_is_its_equation_over_the_real_snippets(form, centred):
    x, mask = samples()
    real = x[mask]
    real = real - real.mean(axis=0) if centred else real
    v = real / np.linalg.norm(real, axis=0)
    gram = v.T @ v
    squares = ((gram - np.eye(6)) ** 2).sum()
    share = np.exp(gram / 2) / np.exp(gram / 2).sum(axis=1, keepdims=True)
    expected = {"literal": squares, "mean": squares / 36, "softmax": -np.log(np.diag(share)).mean()}[form]
    found = decorrelation_loss(torch.tensor(x), torch.tensor(mask), form, centred=centred)
    assert found.item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("form", ["literal", "mean", "softmax"])
def test_gradients_of_decor(form):
    x, mask = samples(n=12, d=3)
    torch.autograd.gradcheck(
        lambda t: decorrelation_loss(t, torch.tensor(mask), form, centred=True), torch.tensor(x, requires_grad=True)
    )


def test_padding_never_enters_decor():
    x, mask = samples()
    dirty = np.where(mask[..., None], x, np.nan)
    assert decorrelation_loss(torch.tensor(dirty), torch.tensor(mask)) == decorrelation_loss(
        torch.tensor(x), torch.tensor(mask)
    )


def test_the_plain_sum_has_the_scale_that_makes_it_swamp_other_losses():
    """Measured: 65,605 with 16 samples of 1,024 dimensions; not below d (d / n - 1). Divided by d^2 it is below 1."""
    x = torch.randn(1, 16, 1024, generator=torch.Generator().manual_seed(0))
    mask = torch.ones(1, 16, dtype=torch.bool)
    literal = decorrelation_loss(x, mask, "literal").item()
    assert 1024 * (1024 / 16 - 1) < literal < 67_000
    assert decorrelation_loss(x, mask).item() == pytest.approx(literal / 1024**2)


def test_a_mean_dominates_decor_unless_it_is_subtracted():
    x = torch.randn(1, 2000, 32, generator=torch.Generator().manual_seed(0)) + 3.0
    mask = torch.ones(1, 2000, dtype=torch.bool)
    assert decorrelation_loss(x, mask).item() > 0.7
    assert decorrelation_loss(x, mask, centred=True).item() < 0.01


def test_one_direction_for_all_is_the_worst_and_no_snippet_is_finite():
    same = torch.ones(1, 8, 4) * torch.arange(1.0, 9.0)[None, :, None]
    mask = torch.ones(1, 8, dtype=torch.bool)
    assert decorrelation_loss(same, mask, "literal").item() == pytest.approx(4 * 3)
    assert torch.isfinite(decorrelation_loss(same, ~mask))


def unit(rng, *shape):
    z = rng.normal(size=shape)
    return z / np.linalg.norm(z, axis=-1, keepdims=True)


def test_ins_dis_is_its_equation():
    rng = np.random.default_rng(0)
    z, bank, videos = unit(rng, 4, 6), unit(rng, 9, 6), np.array([3, 0, 8, 3])
    for temperature in (1.0, 0.07):
        likelihood = np.exp(z @ bank.T / temperature)
        chosen = likelihood[np.arange(4), videos] / likelihood.sum(axis=1)
        found = instance_discrimination_loss(torch.tensor(z), torch.tensor(bank), torch.tensor(videos), temperature)
        assert found.item() == pytest.approx(-np.log(chosen).mean(), rel=1e-12)


def test_gradients_of_ins_dis():
    rng = np.random.default_rng(1)
    bank, videos = torch.tensor(unit(rng, 5, 3)), torch.tensor([4, 1])
    z = torch.tensor(unit(rng, 2, 3), requires_grad=True)
    torch.autograd.gradcheck(lambda t: instance_discrimination_loss(t, bank, videos, 1.0), z)


def test_ins_dis_is_weak_by_construction():
    """At tau = 1 even a perfect match among random rows stays near ln N - 1: a flat curve is no fault."""
    bank = torch.tensor(unit(np.random.default_rng(2), 200, 1024))
    loss = instance_discrimination_loss(bank[:16], bank, torch.arange(16), 1.0).item()
    assert loss == pytest.approx(4.31, abs=0.02)
    assert np.log(200) - 2 < loss < np.log(200) + 2
