import pytest
import torch

from clip_ae.localizers.heads.oracle import pool_class_logits
from tests.localizers.heads.small import ORDINARY, check, convolution, every, linear, localizer, relu, task
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


def losses(videos, labels, extents):
    return {
        "extent": reference.extent(every(videos, "cas"), extents),
        "classification": reference.classification(every(videos, "foreground_logits"), labels),
    }


def test_the_oracle_is_its_equations():
    check("oracle", equations, losses)


@pytest.mark.parametrize("level", [-500.0, 500.0])
def test_video_logits_stand_extreme_activations(level):
    cas, mask = torch.full((2, 3, 1), level, requires_grad=True), torch.tensor([[True, True, False], [False] * 3])
    video = pool_class_logits(cas, mask)
    video.sum().backward()
    assert video.tolist() == [[level], [0.0]]
    assert cas.grad.isfinite().all()


def test_its_curves_are_its_activations_alone():
    built, found = localizer("oracle"), task(ORDINARY)
    output, mask = built(found.batch).streams["rgb"], found.batch.masks["rgb"]
    curves = built.head.compute_curves(output, mask)
    assert curves.attention.tolist() == mask.tolist()
    torch.testing.assert_close(curves.activation, output.cas.sigmoid() * mask[..., None])
