"""Each loss against its equation (reference.py), its gradient against finite differences, and edge cases."""

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
from clip_ae.losses.snippet_contrast import snippet_contrast_loss
from clip_ae.losses.softmax_classification import softmax_classification_loss
from clip_ae.losses.sparsity import mean_attention_loss, sparsity_loss
from clip_ae.losses.triplet import triplet_loss
from tests.losses import reference

pytestmark = pytest.mark.usefixtures("one_thread")

# The third video has one snippet, the fourth none. The last of the 4 classes has no video.
LENGTHS, PADDED_LENGTH = (9, 4, 1, 0, 23), 28
LABELS = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 1, 1, 0]], float)

# The loss, its equation, and the kinds of its arguments: see Inputs.draw.
CASES = {
    "foreground": (foreground_loss, reference.foreground, "v y"),
    "foreground with a background class": (foreground_loss, reference.foreground, "w y"),
    "background": (background_loss, reference.background, "w"),
    "classification": (classification_loss, reference.classification, "v y"),
    "softmax_classification": (softmax_classification_loss, reference.softmax_classification, "v y"),
    "clustering": (clustering_loss, reference.clustering, "k"),
    "sparsity": (sparsity_loss, reference.sparsity, "a m"),
    "mean_attention": (mean_attention_loss, reference.mean_attention, "a m"),
    "norm": (attention_norm_loss, reference.norm, "a m"),
    "guide": (guide_loss, reference.guide, "a p y m"),
    "pseudo_truth": (pseudo_ground_truth_loss, reference.pseudo_truth, "a g m"),
    "attention_pseudo": (partial(attention_pseudo_loss, uncertainty_weight=0.2), reference.attention_pseudo, "a g u m"),
    "class_pseudo kl": (class_pseudo.kl_loss, reference.class_kl, "s t u m"),
    "class_pseudo mse": (class_pseudo.mse_loss, reference.class_mse, "s t u m"),
    "separation": (separation_loss, reference.separation, "s x y m"),
    "triplet": (triplet_loss, reference.triplet, "f y r"),
    "contrast": (contrastive_loss, reference.contrast, "x a y m"),
    "snippet_contrast": (snippet_contrast_loss, reference.snippet_contrast, "x h q m"),
    "extent": (extent_loss, reference.extent, "s e m"),
}
MASKED = [name for name, (*_, kinds) in CASES.items() if "m" in kinds]
# Kinds of arguments with a gradient.
DIFFERENTIABLE = "a u s p x v w f k h"


class Inputs:
    """Random videos. Their real snippets are at random positions; the other snippets contain random numbers."""

    def __init__(self, lengths=LENGTHS, labels=LABELS, seed=0):
        self.rng, self.lengths, self.labels = np.random.default_rng(seed), lengths, labels
        self.positions = [np.sort(self.rng.choice(PADDED_LENGTH, length, replace=False)) for length in lengths]

    def draw(self, kind):
        """An argument as a tensor, and as the equations take it."""
        n, classes = self.labels.shape
        video_shapes = {"v": (n, classes), "w": (n, classes + 1), "k": (n, 2, 2), "f": (n, 6)}
        if kind == "y":
            return torch.tensor(self.labels), self.labels
        if kind == "r":
            return torch.tensor(self.lengths) > 0, np.array(self.lengths) > 0
        if kind in video_shapes:
            array = self.rng.normal(size=video_shapes[kind])
            return torch.tensor(array), array
        return self.pad([self.draw_video(kind, length) for length in self.lengths])

    def draw_video(self, kind, length):
        classes = self.labels.shape[1]
        x = self.rng.normal(size=(length, {"x": 6, "p": classes + 1}.get(kind, classes)))
        # Actions of several snippets.
        wave = 2 + np.sin(np.arange(length) / 2) + 0.1 * reference.sigmoid(x[:, 0])
        forms = {"a": reference.sigmoid(x[:, 0]), "u": x[:, 0], "g": (x[:, 0] > 0) + 0.0, "e": (x > 1) + 0.0, "h": wave}
        forms["q"] = forms["g"]
        return reference.softmax(x) if kind == "p" else forms.get(kind, x)

    def pad(self, videos):
        array = self.rng.random((len(videos), PADDED_LENGTH, *videos[0].shape[1:]))
        for b, video in enumerate(videos):
            array[b, self.positions[b]] = video
        return torch.tensor(array), videos

    @property
    def mask(self):
        mask = torch.zeros(len(self.lengths), PADDED_LENGTH, dtype=torch.bool)
        for b, positions in enumerate(self.positions):
            mask[b, positions] = True
        return mask


def prepare(name, **options):
    """The loss as a function of tensors, these tensors, the equation, and the tensors with a gradient."""
    loss, equation, all_kinds = CASES[name]
    inputs = Inputs(**options)
    kinds = [k for k in all_kinds.split() if k != "m"]
    tensors, arrays = zip(*(inputs.draw(k) for k in kinds), strict=True)
    call = (lambda *t: loss(*t, mask=inputs.mask)) if "m" in all_kinds else loss
    differentiable = [t.requires_grad_() for k, t in zip(kinds, tensors, strict=True) if k in DIFFERENTIABLE]
    return call, tensors, partial(equation, *arrays), differentiable


def gradients(value, tensors):
    """Gradients; zeros for a tensor that the loss uses for selection only."""
    return torch.autograd.grad(value, tensors, allow_unused=True, materialize_grads=True)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", CASES)
def test_a_loss_equals_its_equation(name, seed):
    call, tensors, equation, _ = prepare(name, seed=seed)
    assert equation() != 0
    np.testing.assert_allclose(call(*tensors).item(), equation(), rtol=1e-9)


@pytest.mark.parametrize("name", ["foreground", "softmax_classification", "classification"])
def test_soft_labels_are_allowed(name):
    soft = np.array([[0.25, 0.75, 0, 0], [0.5, 0.5, 0, 0], [1, 0, 0, 0], [0.1, 0.2, 0.3, 0.4], [2, 1, 1, 0]])
    call, tensors, equation, _ = prepare(name, labels=soft)
    np.testing.assert_allclose(call(*tensors).item(), equation(), rtol=1e-9)


def test_softmax_classification_is_finite_for_certain_predictions():
    """log(1 - p) of a probability that rounds to 1."""
    logits = torch.tensor([[200.0, 0.0, 0.0]], requires_grad=True)
    for labels, expected in (([[1.0, 0, 0]], 0.0), ([[0.0, 1, 0]], 200 - np.log(2) + 200)):
        loss = softmax_classification_loss(logits, torch.tensor(labels))
        assert loss.item() == pytest.approx(expected, abs=1e-4)
        assert torch.autograd.grad(loss, logits)[0].isfinite().all()


@pytest.mark.parametrize("name", CASES)
def test_gradients_equal_finite_differences(name):
    call, tensors, *_ = prepare(name)
    assert torch.autograd.gradcheck(call, tensors)


@pytest.mark.parametrize("name", MASKED)
def test_only_real_snippets_have_a_gradient(name):
    call, tensors, _, differentiable = prepare(name)
    mask, values = Inputs().mask, gradients(call(*tensors), differentiable)
    assert not any(gradient[~mask].any() for gradient in values)
    assert any(gradient[mask].any() for gradient in values)


@pytest.mark.parametrize("lengths", [(0, 0, 0, 0, 0), (1, 1, 1, 1, 1), (2, 1, 0, 0, 0)], ids=str)
@pytest.mark.parametrize("name", CASES)
def test_losses_and_gradients_are_finite_with_few_or_no_snippets(name, lengths):
    call, tensors, _, differentiable = prepare(name, lengths=lengths)
    value = call(*tensors)
    assert value.isfinite()
    assert all(gradient.isfinite().all() for gradient in gradients(value, differentiable))
    assert name not in MASKED or any(lengths) or value == 0


@pytest.mark.parametrize("name", ["separation", "triplet", "contrast"])
def test_without_a_pair_of_one_cluster_the_loss_is_0(name):
    call, tensors, _, differentiable = prepare(name, labels=np.eye(5))
    value = call(*tensors)
    assert value == 0
    assert not any(gradient.any() for gradient in gradients(value, differentiable))


def test_triplet_loss_of_a_single_cluster_is_0():
    call, tensors, *_ = prepare("triplet", labels=np.ones((5, 1)))
    assert call(*tensors) == 0


@pytest.mark.parametrize("seed", range(3))
def test_smoothing_equals_its_equation_and_ignores_padding(seed):
    inputs = Inputs(seed=seed)
    values = torch.tensor(inputs.rng.normal(size=(5, PADDED_LENGTH, 4)), requires_grad=True)
    smoothed = smooth(values, inputs.mask)
    expected = [reference.smooth(v, m) for v, m in zip(values.detach().numpy(), inputs.mask.numpy(), strict=True)]
    np.testing.assert_allclose(smoothed.detach(), expected, rtol=1e-9, atol=1e-12)
    smoothed.square().sum().backward()
    assert not values.grad[~inputs.mask].any()
    assert torch.autograd.gradcheck(partial(smooth, mask=inputs.mask), values)


def test_smoothed_probabilities_sum_to_1():
    inputs = Inputs()
    probabilities, _ = inputs.draw("p")
    torch.testing.assert_close(smooth(probabilities, inputs.mask).sum(dim=-1)[inputs.mask], torch.ones(37).double())


def test_the_weight_of_the_true_class_does_not_depend_on_the_number_of_classes():
    few, many = (torch.full((2, classes), -20.0) for classes in (2, 200))
    losses = [classification_loss(x, torch.eye(2, x.shape[1])).item() for x in (few, many)]
    assert abs(losses[0] - losses[1]) < 1e-3
