import numpy as np
import pytest
import torch

from tests.localizers.heads.head_checks import (
    ORDINARY,
    check_equations,
    convolution,
    create_localizer,
    create_task,
    field_of,
    linear,
    pooled,
    relu,
)
from tests.losses import reference


def multi_dilation(w, name, e):
    dilations = enumerate((1, 2, 3, 1))
    return np.hstack([relu(convolution(w, f"{name}.convolutions.{k}", e, d)) for k, d in dilations])


def non_local(w, x):
    theta, phi, g = (linear(w, f"nonlocal_block.{part}", x) for part in ("theta", "phi", "g"))
    return x + linear(w, "nonlocal_block.output", reference.softmax(theta @ phi.T) @ g)


def equations(w, x):
    e = relu(convolution(w, "embedding", x))
    h = np.hstack([non_local(w, relu(linear(w, "reduction", e))), multi_dilation(w, "dilated", e)])
    s = linear(w, "classifier", h)
    a = reference.softmax(linear(w, "attention.1", multi_dilation(w, "attention.0", e))[:, 0])
    return {"embedding": e, "hidden": h, "cas": s, "attention": a, "foreground_logits": a @ s}


def losses(videos, labels, _):
    pooled_embeddings = np.array([pooled(v["embedding"], v["attention"]) for v in videos])
    return {
        "foreground": reference.foreground(field_of(videos, "foreground_logits"), labels),
        "separation": reference.separation(field_of(videos, "cas"), field_of(videos, "hidden"), labels),
        "triplet": reference.triplet(pooled_embeddings, labels, np.ones(len(videos), bool)),
    }


def test_tcam_equals_its_equations():
    check_equations("tcam", equations, losses)


@pytest.mark.parametrize("name", ["rgb", "flow"])
def test_activations_are_scaled_to_0_to_1_over_the_real_snippets(name):
    localizer, task = create_localizer("tcam"), create_task(ORDINARY, longest=12)
    output, mask = localizer(task.batch).streams[name], task.batch.masks[name]
    curves = localizer.head.compute_curves(output, mask)
    for b in range(len(ORDINARY)):
        s, a = (x[b][mask[b]] for x in (output.cas, output.attention))
        assert a.sum().item() == pytest.approx(1)
        assert curves.attention[b].tolist() == mask[b].tolist()
        torch.testing.assert_close(
            curves.activation[b][mask[b]], (s - s.min(0).values) / (s.max(0).values - s.min(0).values)
        )
    assert not curves.activation[~mask].any()


def test_a_single_snippet_has_attention_1_and_activation_0():
    localizer, task = create_localizer("tcam"), create_task([1])
    curves = localizer.fuse(localizer(task.batch), task.batch.masks, {})
    assert curves.attention[0].tolist() == [1.0] + 8 * [0.0]
    assert not curves.activation.any()
