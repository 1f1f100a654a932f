import torch

from tests.localizers.heads.small import check, every, localizer, task
from tests.localizers.heads.test_tscn import equations
from tests.losses import reference


def losses(videos, labels, _):
    attention = every(videos, "attention")
    return {
        "foreground": reference.foreground(every(videos, "foreground_logits"), labels),
        "norm": reference.norm(attention),
        "contrast": reference.contrast(every(videos, "embedding"), attention, labels),
    }


def test_apsl_reconstructed_is_its_equations():
    check("apsl_reconstructed", equations, losses)


def test_both_names_have_one_output_where_both_streams_are_real():
    built, found = localizer("apsl_reconstructed"), task()
    output, mask = built(found.batch), found.batch.masks
    assert output.streams["rgb"] is output.streams["flow"]
    assert mask["rgb"][0, 3]
    assert output.streams["rgb"].attention[0, 3] == 0
    fused = [built.fuse(output, mask, weight) for weight in (0.0, 0.3, 1.0)]
    assert all(torch.equal(fused[0].activation, other.activation) for other in fused)
    assert not fused[0].activation[0, 3].any()


def test_half_a_snippet_says_nothing():
    built, found = localizer("apsl_reconstructed"), task()
    before = built(found.batch).streams["rgb"]
    found.batch.features["rgb"][0, 3] += 100
    assert torch.equal(built(found.batch).streams["rgb"].cas, before.cas)
