"""The masked contrast against its equation, in loops, and what is masked."""

import numpy as np
import pytest
import torch

from clip_ae.losses.masked_contrast import masked_contrastive_loss

# Background, two actions of one kind, one of another, background.
KINDS = (0, 1, 1, 2, 0)


def equation(s, kinds):
    """-1/2N sum_i [log e_ii / sum_{j in Neg(i) + i} e_ij + log e_ii / sum_{j in Neg(i) + i} e_ji]"""
    e, total, n = np.exp(s), 0.0, len(kinds)
    for i in range(n):
        against = [i, *(j for j in range(n) if kinds[j] != kinds[i])]
        total += np.log(e[i, i] / sum(e[i, j] for j in against))
        total += np.log(e[i, i] / sum(e[j, i] for j in against))
    return -total / (2 * n)


def similarity(seed=0, n=len(KINDS)):
    return torch.tensor(np.random.default_rng(seed).normal(size=(n, n)), requires_grad=True)


@pytest.mark.parametrize("seed", range(3))
def test_it_is_its_equation(seed):
    s = similarity(seed)
    np.testing.assert_allclose(
        masked_contrastive_loss(s, torch.tensor(KINDS)).item(), equation(s.detach().numpy(), KINDS), rtol=1e-12
    )


def test_its_gradient_is_that_of_the_loss():
    assert torch.autograd.gradcheck(lambda s: masked_contrastive_loss(s, torch.tensor(KINDS)), similarity())


def test_clips_of_one_kind_are_no_negatives_of_each_other():
    s = similarity()
    (gradient,) = torch.autograd.grad(masked_contrastive_loss(s, torch.tensor(KINDS)), s)
    masked = [(1, 2), (2, 1), (0, 4), (4, 0)]
    assert all(gradient[pair] == 0 for pair in masked)
    others = [(i, j) for i in range(5) for j in range(5) if (i, j) not in masked]
    assert all(gradient[pair] != 0 for pair in others)


def test_background_is_a_negative_of_every_actions_text():
    s = similarity()
    (gradient,) = torch.autograd.grad(masked_contrastive_loss(s, torch.tensor(KINDS)), s)
    assert all(gradient[background, action] > 0 for background in (0, 4) for action in (1, 2, 3))


def test_one_kind_alone_has_nothing_to_be_told_from():
    assert masked_contrastive_loss(similarity(n=3), torch.tensor([1, 1, 1])) == 0


def test_what_fits_its_own_text_costs_less():
    kinds = torch.tensor(KINDS)
    fits, swapped = 5 * torch.eye(5), 5 * torch.eye(5)[[0, 3, 2, 1, 4]]
    assert (
        masked_contrastive_loss(fits, kinds)
        < masked_contrastive_loss(torch.zeros(5, 5), kinds)
        < masked_contrastive_loss(swapped, kinds)
    )
