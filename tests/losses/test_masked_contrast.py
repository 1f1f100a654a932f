"""The masked contrastive loss against its equation as loops, and its masked pairs."""

import numpy as np
import pytest
import torch

from clip_ae.losses.masked_contrast import masked_contrastive_loss

# Background, two actions of one class, one action of another, background.
CLASS_IDS = (0, 1, 1, 2, 0)


def equation(s, class_ids):
    """-1/2N sum_i [log e_ii / sum_{j in Neg(i) + i} e_ij + log e_ii / sum_{j in Neg(i) + i} e_ji]"""
    e, total, n = np.exp(s), 0.0, len(class_ids)
    for i in range(n):
        compared = [i, *(j for j in range(n) if class_ids[j] != class_ids[i])]
        total += np.log(e[i, i] / sum(e[i, j] for j in compared))
        total += np.log(e[i, i] / sum(e[j, i] for j in compared))
    return -total / (2 * n)


def similarity(seed=0, n=len(CLASS_IDS)):
    return torch.tensor(np.random.default_rng(seed).normal(size=(n, n)), requires_grad=True)


@pytest.mark.parametrize("seed", range(3))
def test_the_loss_equals_its_equation(seed):
    s = similarity(seed)
    np.testing.assert_allclose(
        masked_contrastive_loss(s, torch.tensor(CLASS_IDS)).item(), equation(s.detach().numpy(), CLASS_IDS), rtol=1e-12
    )


def test_the_gradient_equals_finite_differences():
    assert torch.autograd.gradcheck(lambda s: masked_contrastive_loss(s, torch.tensor(CLASS_IDS)), similarity())


def test_clips_of_one_class_are_not_negatives_of_each_other():
    s = similarity()
    (gradient,) = torch.autograd.grad(masked_contrastive_loss(s, torch.tensor(CLASS_IDS)), s)
    masked = [(1, 2), (2, 1), (0, 4), (4, 0)]
    assert all(gradient[pair] == 0 for pair in masked)
    unmasked = [(i, j) for i in range(5) for j in range(5) if (i, j) not in masked]
    assert all(gradient[pair] != 0 for pair in unmasked)


def test_background_clips_are_negatives_of_all_action_texts():
    s = similarity()
    (gradient,) = torch.autograd.grad(masked_contrastive_loss(s, torch.tensor(CLASS_IDS)), s)
    assert all(gradient[background, action] > 0 for background in (0, 4) for action in (1, 2, 3))


def test_the_loss_of_a_single_class_is_0():
    assert masked_contrastive_loss(similarity(n=3), torch.tensor([1, 1, 1])) == 0


def test_clips_that_match_their_texts_have_a_lower_loss():
    class_ids = torch.tensor(CLASS_IDS)
    matched, swapped = 5 * torch.eye(5), 5 * torch.eye(5)[[0, 3, 2, 1, 4]]
    assert (
        masked_contrastive_loss(matched, class_ids)
        < masked_contrastive_loss(torch.zeros(5, 5), class_ids)
        < masked_contrastive_loss(swapped, class_ids)
    )
