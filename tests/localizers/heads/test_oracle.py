import pytest
import torch

from clip_ae.localizers.heads.oracle import pool_class_logits
from tests.localizers.heads.head_checks import (
    ORDINARY,
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
    s = linear(w, "classifier", e)
    p = reference.sigmoid(s)
    return {
        "embedding": e,
        "cas": s,
        "attention": p.max(axis=1),
        "foreground_logits": (p * s).sum(axis=0) / p.sum(axis=0),
    }


def losses(videos, labels, snippet_labels):
    return {
        "extent": reference.extent(field_of(videos, "cas"), snippet_labels),
        "classification": reference.classification(field_of(videos, "foreground_logits"), labels),
    }


def test_the_oracle_equals_its_equations():
    check_equations("oracle", equations, losses)


@pytest.mark.parametrize("level", [-500.0, 500.0])
def test_video_logits_are_stable_for_extreme_activations(level):
    cas, mask = torch.full((2, 3, 1), level, requires_grad=True), torch.tensor([[True, True, False], [False] * 3])
    video = pool_class_logits(cas, mask)
    video.sum().backward()
    assert video.tolist() == [[level], [0.0]]
    assert cas.grad.isfinite().all()


def test_curves_of_the_oracle_have_attention_1():
    localizer, task = create_localizer("oracle"), create_task(ORDINARY)
    output, mask = localizer(task.batch).streams["rgb"], task.batch.masks["rgb"]
    curves = localizer.head.compute_curves(output, mask)
    assert curves.attention.tolist() == mask.tolist()
    torch.testing.assert_close(curves.activation, output.cas.sigmoid() * mask[..., None])
