import torch

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
    return {"embedding": e, "cas": s, "attention": [1.0] * len(x), "foreground_logits": reference.top_k_mean(s, 3)}


def losses(videos, labels, snippet_labels):
    return {"extent": reference.extent(field_of(videos, "cas"), snippet_labels)}


def test_the_oracle_equals_its_equations():
    check_equations("oracle", equations, losses)


def test_curves_of_the_oracle_are_its_activations_between_0_and_1():
    localizer, task = create_localizer("oracle"), create_task(ORDINARY)
    output, mask = localizer(task.batch).streams["rgb"], task.batch.masks["flow"]
    curves = localizer.head.compute_curves(output, mask)
    assert curves.attention.tolist() == mask.tolist()
    torch.testing.assert_close(curves.activation, output.cas.clamp(0, 1) * mask[..., None])
