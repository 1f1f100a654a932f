import pytest
import torch

from clip_ae.localizers.activation_scaling import scale_activations
from clip_ae.losses.snippet_contrast import snippet_contrast_loss
from tests.localizers.heads.head_checks import (
    check_equations,
    convolution,
    create_localizer,
    create_task,
    field_of,
    linear,
    relu,
)
from tests.losses import reference


def equations(w, x):
    e = relu(convolution(w, "embedding.convolution", x))
    s = relu(linear(w, "classifier", e))
    actionness = s.sum(axis=1)
    return {
        "embedding": e,
        "cas": s,
        "attention": actionness / actionness.max(),
        "foreground_logits": reference.top_k_mean(s, 5),
        "actionness": actionness,
        "easy_candidates": [1.0] * len(x),
    }


def losses(videos, labels, _):
    fields = (field_of(videos, name) for name in ("embedding", "actionness", "easy_candidates"))
    return {
        "classification": reference.softmax_classification(field_of(videos, "foreground_logits"), labels),
        "snippet_contrast": reference.snippet_contrast(*map(as_arrays, fields)),
    }


def as_arrays(videos):
    return [torch.as_tensor(video).double().numpy() for video in videos]


def test_cola_equals_its_equations():
    check_equations("cola", equations, losses)


def test_easy_snippets_come_from_four_tenths_of_the_real_snippets_in_training():
    localizer, task = create_localizer("cola"), create_task([0] * 200, gap=False)
    assert localizer(task.batch).streams["rgb"].easy_candidates.all()
    torch.manual_seed(0)
    candidates = localizer.train()(task.batch).streams["rgb"].easy_candidates
    assert set(candidates.unique().tolist()) == {0.0, 1.0}
    assert candidates.mean().item() == pytest.approx(0.4, abs=0.05)


def test_hard_snippets_are_pulled_to_easy_snippets_of_their_kind():
    """One action in the middle: its second snippet (hard) is like the background, and its loss falls as it changes."""
    actionness = torch.tensor([[0, 0, 0, 0, 0, 1, 2, 3, 4, 3, 2, 0.5, 0, 0, 0, 0.0]])
    action, background = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    ones, mask = torch.ones_like(actionness), torch.ones_like(actionness, dtype=torch.bool)
    values = []
    for hard in (background, (action + background) / 2, action):
        x = torch.where((actionness > 0)[..., None], action, background)
        # Erosion by 3 and by 6 differ at the snippets 6, 7 and 10, of which 7 has the highest actionness.
        x[0, 7] = hard
        values.append(snippet_contrast_loss(x, actionness, ones, mask).item())
    assert values[0] > values[1] > values[2]


def test_without_positive_activations_nothing_is_attended():
    localizer, task = create_localizer("cola"), create_task()
    torch.nn.init.zeros_(localizer.head.branches["both"].classifier.weight)
    curves = localizer.fuse(localizer(task.batch), task.batch.masks, {})
    assert not curves.attention.any()
    assert not curves.activation.any()


def test_activations_are_scaled_by_class_over_the_real_snippets():
    cas = torch.tensor([[[4.0, -2.0, 3.0], [1.0, 6.0, 3.0], [2.0, 3.0, 3.0], [9.0, 9.0, 9.0]]])
    mask = torch.tensor([[True, True, True, False]])
    expected = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1 / 3, 0.5, 0.0], [0.0, 0.0, 0.0]]])
    torch.testing.assert_close(scale_activations(cas, mask), expected)
    assert not scale_activations(-cas.abs(), mask).any()
    assert not scale_activations(cas, torch.zeros_like(mask)).any()
