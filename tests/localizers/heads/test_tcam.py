import numpy as np
import pytest
import torch

from tests.localizers.heads.small import ORDINARY, check, convolution, every, linear, localizer, pooled, relu, task
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
    of_videos = np.array([pooled(v["embedding"], v["attention"]) for v in videos])
    return {
        "foreground": reference.foreground(every(videos, "foreground_logits"), labels),
        "separation": reference.separation(every(videos, "cas"), every(videos, "hidden"), labels),
        "triplet": reference.triplet(of_videos, labels, np.ones(len(videos), bool)),
    }


def test_tcam_is_its_equations():
    check("tcam", equations, losses)


@pytest.mark.parametrize("name", ["rgb", "flow"])
def test_curves_reach_from_0_to_1_over_the_real_snippets(name):
    built, found = localizer("tcam"), task(ORDINARY, longest=12)
    output, mask = built(found.batch).streams[name], found.batch.masks[name]
    curves = built.head.compute_curves(output, mask)
    for b in range(len(ORDINARY)):
        s, a = (x[b][mask[b]] for x in (output.cas, output.attention))
        assert a.sum().item() == pytest.approx(1)
        assert curves.attention[b].tolist() == mask[b].tolist()
        torch.testing.assert_close(
            curves.activation[b][mask[b]], (s - s.min(0).values) / (s.max(0).values - s.min(0).values)
        )
    assert not curves.activation[~mask].any()


def test_one_snippet_is_attended_but_says_nothing_about_where():
    built, found = localizer("tcam"), task([1])
    curves = built.fuse(built(found.batch), found.batch.masks, 0.5)
    assert curves.attention[0].tolist() == [1.0] + 8 * [0.0]
    assert not curves.activation.any()
