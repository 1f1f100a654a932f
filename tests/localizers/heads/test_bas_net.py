import numpy as np
import torch

from tests.localizers.heads.head_checks import (
    check_equations,
    convolution,
    create_localizer,
    create_task,
    field_of,
    linear,
)
from tests.losses import reference


def leaky_relu(x):
    return np.where(x > 0, x, 0.01 * x)


def classify(w, x):
    e = leaky_relu(convolution(w, "second", leaky_relu(convolution(w, "first", x))))
    return e, linear(w, "classifier", e)


def equations(w, x):
    a = reference.sigmoid(linear(w, "attention.2", leaky_relu(linear(w, "attention.0", x))))[:, 0]
    _, base = classify(w, x)
    e, s = classify(w, a[:, None] * x)
    return {
        "embedding": e,
        "cas": s,
        "attention": a,
        "foreground_logits": reference.top_k_mean(s, 8),
        "base_logits": reference.top_k_mean(base, 8),
    }


def losses(videos, labels, _):
    base_labels, suppressed_labels = (np.pad(labels, ((0, 0), (0, 1)), constant_values=value) for value in (1, 0))
    return {
        "base": reference.softmax_classification(field_of(videos, "base_logits"), base_labels),
        "suppressed": reference.softmax_classification(field_of(videos, "foreground_logits"), suppressed_labels),
        "sparsity": reference.mean_attention(field_of(videos, "attention")),
    }


def test_bas_net_equals_its_equations():
    check_equations("bas_net", equations, losses)


def test_with_an_open_filter_both_branches_are_the_same():
    """They have the same weights, and differ in the filter only."""
    localizer = create_localizer("bas_net")
    last = localizer.head.branches["both"].attention[2]
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.constant_(last.bias, 100.0)
    output = localizer(create_task().batch).streams["rgb"]
    torch.testing.assert_close(output.base_logits, output.foreground_logits)


def test_curves_are_those_of_the_suppressed_branch_without_background():
    localizer, task = create_localizer("bas_net"), create_task(gap=False)
    output, mask = localizer(task.batch).streams["rgb"], task.batch.masks["rgb"]
    curves = localizer.head.compute_curves(output, mask)
    assert torch.equal(curves.attention, output.attention)
    assert torch.equal(curves.scores, output.foreground_logits.softmax(dim=1)[:, :-1])
    rises = output.cas[0, :, 0].argsort()
    assert (curves.activation[0, rises, 0].diff() >= 0).all()
