"""Properties of all heads in the registry."""

from dataclasses import fields

import pytest
import torch

from clip_ae.core.config.registry import HEAD_LOSSES
from clip_ae.localizers.batch import Batch
from clip_ae.localizers.head import BackgroundOutput
from tests.localizers.heads.head_checks import LENGTHS, C, create_localizer, create_task

# Ridge regression has no losses.
pytestmark = pytest.mark.parametrize("head", [name for name in HEAD_LOSSES if name != "ridge"])
# Heads that pool the background, and those with a background class.
POOLED_BACKGROUND = {"wsal_bm", "ugct"}
BACKGROUND = {*POOLED_BACKGROUND, "bas_net"}
# Heads whose attention has no sigmoid of its own: it is computed from the classifier, a softmax or 1.
WITHOUT_SIGMOID = {"oracle", "tcam", "topk_mil", "cola"}
# Biases of TCAM without gradient: a softmax does not depend on them.
NO_GRADIENT = ("nonlocal_block.phi.bias", "attention.1.bias")


def tensors(output):
    """All tensors of an output, by stream and field name."""
    return {
        (name, field.name): getattr(stream, field.name)
        for name, stream in output.streams.items()
        for field in fields(stream)
    }


def run_backward(localizer, task):
    """Outputs, losses and gradients."""
    localizer.zero_grad()
    output = localizer(task.batch)
    losses = localizer.head.losses(output.streams, task.batch.masks, task.targets)
    torch.stack(list(losses.values())).sum().backward()
    gradients = {name: parameter.grad for name, parameter in localizer.named_parameters()}
    return tensors(output), losses, gradients


def assert_close(first, second):
    assert first.keys() == second.keys()
    for key, value in first.items():
        torch.testing.assert_close(value, second[key], rtol=1e-5, atol=1e-5, msg=str(key))


def test_outputs_have_their_shapes(head):
    localizer, task = create_localizer(head), create_task()
    for name, stream in localizer(task.batch).streams.items():
        mask, outputs = task.batch.masks[name], C + (head in BACKGROUND)
        width = localizer.head.branches[name if name in localizer.head.branches else "both"].width
        assert stream.embedding.shape == (5, 9, width)
        assert stream.cas.shape == (5, 9, outputs)
        assert stream.foreground_logits.shape == (5, outputs)
        assert isinstance(stream, BackgroundOutput) == (head in POOLED_BACKGROUND)
        assert stream.attention.shape == (5, 9)
        # CoLA's is 0 where no class has a positive activation.
        assert (stream.attention[mask & task.batch.masks["flow"]] > (-1 if head == "cola" else 0)).all()
        assert (stream.attention <= 1).all()
        assert not stream.attention[~mask].any()


@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0])
def test_curves_are_in_0_to_1(head, weight):
    localizer, task = create_localizer(head), create_task()
    curves = localizer.fuse(localizer(task.batch), task.batch.masks, {"rgb": weight, "flow": 1 - weight})
    assert curves.attention.shape == (5, 9)
    assert curves.activation.shape == (5, 9, C)
    assert curves.scores.shape == (5, C)
    for curve in (curves.attention, curves.activation, curves.scores):
        assert ((curve >= 0) & (curve <= 1)).all()
    masked = ~(task.batch.masks["rgb"] | task.batch.masks["flow"])
    assert not curves.attention[masked].any()
    assert not curves.activation[masked].any()


@pytest.mark.parametrize("garbage", [1e4, float("nan"), float("inf")])
def test_padding_does_not_change_outputs_losses_or_gradients(head, garbage):
    localizer = create_localizer(head)
    for clean, dirty in zip(
        run_backward(localizer, create_task()), run_backward(localizer, create_task(padding=garbage)), strict=True
    ):
        assert all(torch.equal(value, dirty[key]) for key, value in clean.items())


def test_more_padding_changes_nothing(head):
    localizer = create_localizer(head)
    outputs, *others = run_backward(localizer, create_task())
    longer, *again = run_backward(localizer, create_task(longest=15))
    for (name, field), value in outputs.items():
        other, mask = longer[name, field], create_task().batch.masks[name]
        by_snippet = value.shape[:2] == mask.shape
        assert_close({field: value[mask]}, {field: other[:, :9][mask]}) if by_snippet else assert_close(
            {field: value}, {field: other}
        )
    for first, second in zip(others, again, strict=True):
        assert_close(first, second)


@pytest.mark.parametrize("row", range(5))
def test_a_video_does_not_depend_on_its_batch(head, row):
    localizer = create_localizer(head)
    in_batch, single_video = tensors(localizer(create_task().batch)), tensors(localizer(create_task([row]).batch))
    assert_close({key: value[[row]] for key, value in in_batch.items()}, single_video)


@pytest.mark.parametrize("rows", [[2], [2, 2], [1], [1, 1], [1, 2]], ids=str)
def test_videos_with_no_or_one_snippet_are_finite(head, rows):
    task = create_task(rows)
    for values in run_backward(create_localizer(head), task):
        assert all(value.isfinite().all() for value in values.values() if value is not None)


def test_equal_snippets_have_equal_attention_under_dropout(head):
    """Random differences would satisfy a loss that rewards differences, and they would be missing at inference."""
    if head in {"oracle", "cola"}:
        pytest.skip("its attention is computed from the classifier, and no loss rewards differences")
    constant = {name: x[:, :1].expand(-1, 24, -1) for name, x in create_task([4], gap=False).batch.features.items()}
    batch = Batch(("4",), constant, {name: torch.ones(1, 24, dtype=torch.bool) for name in constant})
    for stream in create_localizer(head, dropout=0.5).train()(batch).streams.values():
        inner = stream.attention[0, 5:-5]
        torch.testing.assert_close(inner, inner[:1].expand_as(inner))


def test_a_video_without_coverage_has_no_attention(head):
    assert LENGTHS[2] == 0
    for stream in create_localizer(head)(create_task().batch).streams.values():
        assert not stream.attention[2].any()


def test_losses_are_those_of_the_registry(head):
    localizer = create_localizer(head)
    _, losses, _ = run_backward(localizer, create_task())
    assert set(losses) == set(HEAD_LOSSES[head]) == set(localizer.head.loss_weights)
    assert all(loss.shape == () for loss in losses.values())


def test_all_parameters_have_a_gradient(head):
    *_, gradients = run_backward(create_localizer(head), create_task())
    assert all(gradient.any() for name, gradient in gradients.items() if not name.endswith(NO_GRADIENT))


def test_fusion_with_a_weight_of_1_equals_one_stream(head):
    localizer, task = create_localizer(head), create_task(gap=False)
    output, mask = localizer(task.batch), task.batch.masks
    for name, weight in (("rgb", 1.0), ("flow", 0.0)):
        fused, own = (
            localizer.fuse(output, mask, {"rgb": weight, "flow": 1 - weight}),
            localizer.head.compute_curves(output.streams[name], mask[name]),
        )
        assert all(torch.equal(getattr(fused, f.name), getattr(own, f.name)) for f in fields(fused))


def test_class_probabilities_match_the_classification_loss(head):
    logits = torch.randn(3, C + (head in BACKGROUND))
    expected = {"stpn": logits.sigmoid(), "oracle": logits.clamp(0, 1)}.get(head, logits.softmax(dim=-1)[:, :C])
    assert torch.equal(create_localizer(head).head.class_probabilities(logits), expected)


def test_a_few_steps_reduce_the_loss(head):
    localizer, task = create_localizer(head), create_task()
    optimizer, totals = torch.optim.Adam(localizer.parameters(), lr=1e-2), []
    for _ in range(30):
        losses = localizer.head.losses(localizer(task.batch).streams, task.batch.masks, task.targets)
        total = torch.stack([localizer.head.loss_weights[name] * loss for name, loss in losses.items()]).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(total.item())
    assert totals[-1] < totals[0] - 0.2


def test_attention_does_not_saturate_in_half_precision(head):
    """In bf16, sigmoid is exactly 1 for logits of 7 and more."""
    if head in WITHOUT_SIGMOID:
        pytest.skip("its attention has no sigmoid of its own")
    localizer, task = create_localizer(head, "bf16"), create_task()
    for branch in localizer.head.branches.values():
        last = branch.attention[-1] if isinstance(branch.attention, torch.nn.Sequential) else branch.attention
        torch.nn.init.constant_(last.bias, 8.0)
        last.weight.data.mul_(1e-3)
    single = {name: x.float() for name, x in task.batch.features.items()}
    output = localizer(Batch(task.batch.video_ids, single, task.batch.masks))
    assert (output.streams["rgb"].attention < 1).all()


def test_outputs_are_float32_in_half_precision(head):
    task = create_task()
    bf16, fp64 = create_localizer(head, "bf16"), create_localizer(head)
    single = {name: x.float() for name, x in task.batch.features.items()}
    bf16_tensors = tensors(bf16(type(task.batch)(task.batch.video_ids, single, task.batch.masks)))
    for key, value in tensors(fp64(task.batch)).items():
        assert bf16_tensors[key].dtype == torch.float32
        torch.testing.assert_close(bf16_tensors[key].double(), value, rtol=0.1, atol=0.1, msg=str(key))
