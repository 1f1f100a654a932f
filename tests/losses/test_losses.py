import numpy as np
import torch

from clip_ae.losses.classification import classification
from clip_ae.losses.sparsity import sparsity


def test_classification_is_its_equation():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4, 5)), rng.integers(0, 2, (4, 5)).astype(float)
    p = 1 / (1 + np.exp(-x))
    expected = -(y * np.log(p) + (1 - y) * np.log(1 - p)).sum(axis=1).mean()
    np.testing.assert_allclose(classification(torch.tensor(x), torch.tensor(y)).item(), expected, rtol=1e-12)


def test_more_classes_do_not_make_the_true_one_weigh_less():
    few, many = (torch.full((2, classes), -20.0) for classes in (2, 200))
    loss = [classification(x, torch.eye(2, x.shape[1])).item() for x in (few, many)]
    assert abs(loss[0] - loss[1]) < 1e-3


def test_sparsity_is_the_l1_norm_of_real_snippets():
    rng = np.random.default_rng(1)
    a, mask = rng.random((3, 7)), rng.random((3, 7)) < 0.6
    expected = np.mean([sum(a[b, t] for t in range(7) if mask[b, t]) for b in range(3)])
    np.testing.assert_allclose(sparsity(torch.tensor(a), torch.tensor(mask)).item(), expected, rtol=1e-12)


def test_sparsity_pushes_attention_down_on_real_snippets_only():
    a = torch.full((2, 3), 0.5, requires_grad=True)
    sparsity(a, torch.tensor([[True, True, False], [True, False, False]])).backward()
    assert a.grad.tolist() == [[0.5, 0.5, 0], [0.5, 0, 0]]
