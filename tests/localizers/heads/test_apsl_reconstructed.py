import torch

from tests.localizers.heads.head_checks import check_equations, create_localizer, create_task, field_of
from tests.localizers.heads.test_tscn import equations
from tests.losses import reference


def losses(videos, labels, _):
    attention = field_of(videos, "attention")
    return {
        "foreground": reference.foreground(field_of(videos, "foreground_logits"), labels),
        "norm": reference.norm(attention),
        "contrast": reference.contrast(field_of(videos, "embedding"), attention, labels),
    }


def test_apsl_reconstructed_equals_its_equations():
    check_equations("apsl_reconstructed", equations, losses)


def test_both_streams_have_the_same_output_where_both_are_covered():
    localizer, task = create_localizer("apsl_reconstructed"), create_task()
    output, mask = localizer(task.batch), task.batch.masks
    assert output.streams["rgb"] is output.streams["flow"]
    assert mask["rgb"][0, 3]
    assert output.streams["rgb"].attention[0, 3] == 0
    fused = [localizer.fuse(output, mask, {"rgb": weight, "flow": 1 - weight}) for weight in (0.0, 0.3, 1.0)]
    assert all(torch.equal(fused[0].activation, other.activation) for other in fused)
    assert not fused[0].activation[0, 3].any()


def test_a_snippet_covered_by_one_stream_only_is_ignored():
    localizer, task = create_localizer("apsl_reconstructed"), create_task()
    before = localizer(task.batch).streams["rgb"]
    task.batch.features["rgb"][0, 3] += 100
    assert torch.equal(localizer(task.batch).streams["rgb"].cas, before.cas)
