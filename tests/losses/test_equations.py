"""Every loss against its equation (plain.py), its gradient against differences, and the edges."""

from functools import partial

import numpy as np
import pytest
import torch

from clip_ae.losses import class_pseudo
from clip_ae.losses.attention_pseudo import attention_pseudo_loss
from clip_ae.losses.background import background_loss
from clip_ae.losses.classification import classification_loss
from clip_ae.losses.clustering import clustering_loss
from clip_ae.losses.contrastive_loss import contrastive_loss
from clip_ae.losses.extent import extent_loss
from clip_ae.losses.foreground import foreground_loss
from clip_ae.losses.guide import guide_loss
from clip_ae.losses.norm import attention_norm_loss
from clip_ae.losses.pseudo_ground_truth import pseudo_ground_truth_loss
from clip_ae.losses.separation import separation_loss
from clip_ae.losses.smoothing import smooth
from clip_ae.losses.sparsity import sparsity_loss
from clip_ae.losses.triplet import triplet_loss
from tests.losses import plain

pytestmark = pytest.mark.usefixtures("one_thread")

# The fourth video has no material; the third, one snippet. The last of 4 classes has no video.
LENGTHS, SPAN = (9, 4, 1, 0, 23), 28
LABELS = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 1, 1, 0]], float)

# The loss, its equation, and what it takes: see Inputs.
CASES = {
    "foreground": (foreground_loss, plain.foreground, "v y"),
    "foreground beside a background": (foreground_loss, plain.foreground, "w y"),
    "background": (background_loss, plain.background, "w"),
    "classification": (classification_loss, plain.classification, "v y"),
    "clustering": (clustering_loss, plain.clustering, "k"),
    "sparsity": (sparsity_loss, plain.sparsity, "a m"),
    "norm": (attention_norm_loss, plain.norm, "a m"),
    "guide": (guide_loss, plain.guide, "a p y m"),
    "pseudo_truth": (pseudo_ground_truth_loss, plain.pseudo_truth, "a g m"),
    "attention_pseudo": (partial(attention_pseudo_loss, uncertainty_weight=0.2), plain.attention_pseudo, "a g u m"),
    "class_pseudo kl": (class_pseudo.kl_loss, plain.class_kl, "s t u m"),
    "class_pseudo mse": (class_pseudo.mse_loss, plain.class_mse, "s t u m"),
    "separation": (separation_loss, plain.separation, "s x y m"),
    "triplet": (triplet_loss, plain.triplet, "f y r"),
    "contrast": (contrastive_loss, plain.contrast, "x a y m"),
    "extent": (extent_loss, plain.extent, "s e m"),
}
MASKED = [name for name, (*_, takes) in CASES.items() if "m" in takes]
LEARNT = "a u s p x v w f k"


class Inputs:
    """Random videos whose real snippets lie scattered among others, that hold garbage."""

    def __init__(self, lengths=LENGTHS, labels=LABELS, seed=0):
        self.rng, self.lengths, self.labels = np.random.default_rng(seed), lengths, labels
        self.places = [np.sort(self.rng.choice(SPAN, length, replace=False)) for length in lengths]

    def draw(self, kind):
        """As a tensor, and as the equations take it."""
        n, classes = self.labels.shape
        whole = {"v": (n, classes), "w": (n, classes + 1), "k": (n, 2, 2), "f": (n, 6)}
        if kind == "y":
            return torch.tensor(self.labels), self.labels
        if kind == "r":
            return torch.tensor(self.lengths) > 0, np.array(self.lengths) > 0
        if kind in whole:
            array = self.rng.normal(size=whole[kind])
            return torch.tensor(array), array
        return self.padded([self.video(kind, length) for length in self.lengths])

    def video(self, kind, length):
        classes = self.labels.shape[1]
        x = self.rng.normal(size=(length, {"x": 6, "p": classes + 1}.get(kind, classes)))
        forms = {"a": plain.sigmoid(x[:, 0]), "u": x[:, 0], "g": (x[:, 0] > 0) + 0.0, "e": (x > 1) + 0.0}
        return plain.softmax(x) if kind == "p" else forms.get(kind, x)

    def padded(self, videos):
        array = self.rng.random((len(videos), SPAN, *videos[0].shape[1:]))
        for b, video in enumerate(videos):
            array[b, self.places[b]] = video
        return torch.tensor(array), videos

    @property
    def mask(self):
        mask = torch.zeros(len(self.lengths), SPAN, dtype=torch.bool)
        for b, places in enumerate(self.places):
            mask[b, places] = True
        return mask


def prepared(name, **more):
    loss, equation, takes = CASES[name]
    inputs = Inputs(**more)
    kinds = [k for k in takes.split() if k != "m"]
    tensors, arrays = zip(*(inputs.draw(k) for k in kinds), strict=True)
    call = (lambda *t: loss(*t, mask=inputs.mask)) if "m" in takes else loss
    learnt = [t.requires_grad_() for k, t in zip(kinds, tensors, strict=True) if k in LEARNT]
    return call, tensors, partial(equation, *arrays), learnt


def gradients(value, learnt):
    """Zeros of what a loss chooses by without teaching it."""
    return torch.autograd.grad(value, learnt, allow_unused=True, materialize_grads=True)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", CASES)
def test_a_loss_is_its_equation(name, seed):
    call, tensors, equation, _ = prepared(name, seed=seed)
    assert equation() != 0
    np.testing.assert_allclose(call(*tensors).item(), equation(), rtol=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_a_gradient_is_that_of_the_loss(name):
    call, tensors, *_ = prepared(name)
    assert torch.autograd.gradcheck(call, tensors)


@pytest.mark.parametrize("name", MASKED)
def test_only_real_snippets_have_a_gradient(name):
    call, tensors, _, learnt = prepared(name)
    mask, found = Inputs().mask, gradients(call(*tensors), learnt)
    assert not any(gradient[~mask].any() for gradient in found)
    assert any(gradient[mask].any() for gradient in found)


@pytest.mark.parametrize("lengths", [(0, 0, 0, 0, 0), (1, 1, 1, 1, 1), (2, 1, 0, 0, 0)], ids=str)
@pytest.mark.parametrize("name", CASES)
def test_little_or_no_material_is_finite(name, lengths):
    call, tensors, _, learnt = prepared(name, lengths=lengths)
    value = call(*tensors)
    assert value.isfinite()
    assert all(gradient.isfinite().all() for gradient in gradients(value, learnt))
    assert name not in MASKED or any(lengths) or value == 0


@pytest.mark.parametrize("name", ["separation", "triplet", "contrast"])
def test_without_a_pair_of_one_cluster_there_is_nothing_to_learn(name):
    call, tensors, _, learnt = prepared(name, labels=np.eye(5))
    value = call(*tensors)
    assert value == 0
    assert not any(gradient.any() for gradient in gradients(value, learnt))


def test_triplet_needs_a_second_cluster():
    call, tensors, *_ = prepared("triplet", labels=np.ones((5, 1)))
    assert call(*tensors) == 0


@pytest.mark.parametrize("seed", range(3))
def test_smoothing_is_its_equation_and_leaves_padding_out(seed):
    inputs = Inputs(seed=seed)
    values = torch.tensor(inputs.rng.normal(size=(5, SPAN, 4)), requires_grad=True)
    found = smooth(values, inputs.mask)
    expected = [plain.smooth(v, m) for v, m in zip(values.detach().numpy(), inputs.mask.numpy(), strict=True)]
    np.testing.assert_allclose(found.detach(), expected, rtol=1e-9, atol=1e-12)
    found.square().sum().backward()
    assert not values.grad[~inputs.mask].any()
    assert torch.autograd.gradcheck(partial(smooth, mask=inputs.mask), values)


def test_smoothing_keeps_shares_adding_up_to_one():
    inputs = Inputs()
    shares, _ = inputs.draw("p")
    torch.testing.assert_close(smooth(shares, inputs.mask).sum(dim=-1)[inputs.mask], torch.ones(37).double())


def test_more_classes_do_not_make_the_true_one_weigh_less():
    few, many = (torch.full((2, classes), -20.0) for classes in (2, 200))
    loss = [classification_loss(x, torch.eye(2, x.shape[1])).item() for x in (few, many)]
    assert abs(loss[0] - loss[1]) < 1e-3
