"""What holds for whatever head the table names."""

from dataclasses import fields

import pytest
import torch

from clip_ae.core.config.registry import HEAD_LOSSES
from clip_ae.localizers.batch import Batch
from clip_ae.localizers.head import BackgroundOutput
from tests.localizers.heads.small import LENGTHS, C, localizer, task

pytestmark = pytest.mark.parametrize("head", HEAD_LOSSES)
BACKGROUND = {"wsal_bm", "ugct"}
# Of TCAM: a softmax is the same without them.
NO_MATTER = ("nonlocal_block.phi.bias", "attention.1.bias")


def tensors(output):
    """Of all streams, by stream and name."""
    return {
        (name, field.name): getattr(stream, field.name)
        for name, stream in output.streams.items()
        for field in fields(stream)
    }


def learnt(built, found):
    """Outputs, losses and gradients."""
    built.zero_grad()
    output = built(found.batch)
    losses = built.head.losses(output.streams, found.batch.masks, found.truth)
    torch.stack(list(losses.values())).sum().backward()
    gradients = {name: parameter.grad for name, parameter in built.named_parameters()}
    return tensors(output), losses, gradients


def close(first, second):
    assert first.keys() == second.keys()
    for key, value in first.items():
        torch.testing.assert_close(value, second[key], rtol=1e-5, atol=1e-5, msg=str(key))


def test_outputs_have_their_shapes(head):
    built, found = localizer(head), task()
    for name, stream in built(found.batch).streams.items():
        mask, outputs = found.batch.masks[name], C + (head in BACKGROUND)
        width = built.head.branches[name if name in built.head.branches else "both"].width
        assert stream.embedding.shape == (5, 9, width)
        assert stream.cas.shape == (5, 9, outputs)
        assert stream.foreground_logits.shape == (5, outputs)
        assert isinstance(stream, BackgroundOutput) == (head in BACKGROUND)
        assert stream.attention.shape == (5, 9)
        assert (stream.attention[mask & found.batch.masks["flow"]] > 0).all()
        assert (stream.attention <= 1).all()
        assert not stream.attention[~mask].any()


@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0])
def test_curves_are_shares(head, weight):
    built, found = localizer(head), task()
    curves = built.fuse(built(found.batch), found.batch.masks, weight)
    assert curves.attention.shape == (5, 9)
    assert curves.activation.shape == (5, 9, C)
    assert curves.scores.shape == (5, C)
    for curve in (curves.attention, curves.activation, curves.scores):
        assert ((curve >= 0) & (curve <= 1)).all()
    masked = ~(found.batch.masks["rgb"] | found.batch.masks["flow"])
    assert not curves.attention[masked].any()
    assert not curves.activation[masked].any()


@pytest.mark.parametrize("garbage", [1e4, float("nan"), float("inf")])
def test_padding_never_leaks(head, garbage):
    built = localizer(head)
    for clean, dirty in zip(learnt(built, task()), learnt(built, task(padding=garbage)), strict=True):
        assert all(torch.equal(value, dirty[key]) for key, value in clean.items())


def test_more_padding_changes_nothing(head):
    built = localizer(head)
    outputs, *others = learnt(built, task())
    longer, *again = learnt(built, task(longest=15))
    for (name, field), value in outputs.items():
        other, mask = longer[name, field], task().batch.masks[name]
        by_snippet = value.shape[:2] == mask.shape
        close({field: value[mask]}, {field: other[:, :9][mask]}) if by_snippet else close(
            {field: value}, {field: other}
        )
    for first, second in zip(others, again, strict=True):
        close(first, second)


@pytest.mark.parametrize("row", range(5))
def test_a_video_is_seen_as_if_alone(head, row):
    built = localizer(head)
    together, alone = tensors(built(task().batch)), tensors(built(task([row]).batch))
    close({key: value[[row]] for key, value in together.items()}, alone)


@pytest.mark.parametrize("rows", [[2], [2, 2], [1], [1, 1], [1, 2]], ids=str)
def test_nothing_and_one_snippet_are_finite(head, rows):
    found = task(rows)
    for values in learnt(localizer(head), found):
        assert all(value.isfinite().all() for value in values.values() if value is not None)


def test_dropout_makes_no_snippet_be_attended_more_than_its_like(head):
    """A loss that asks attention to differ would be content with that, and nothing of it be left without dropout."""
    if head == "oracle":
        pytest.skip("what attends there is what is classified, and no loss asks for differences")
    alike = {name: x[:, :1].expand(-1, 24, -1) for name, x in task([4], gap=False).batch.features.items()}
    batch = Batch(("4",), alike, {name: torch.ones(1, 24, dtype=torch.bool) for name in alike})
    for stream in localizer(head, dropout=0.5).train()(batch).streams.values():
        inner = stream.attention[0, 5:-5]
        torch.testing.assert_close(inner, inner[:1].expand_as(inner))


def test_what_has_no_material_is_not_attended(head):
    assert LENGTHS[2] == 0
    for stream in localizer(head)(task().batch).streams.values():
        assert not stream.attention[2].any()


def test_losses_are_those_of_the_table(head):
    built = localizer(head)
    _, losses, _ = learnt(built, task())
    assert set(losses) == set(HEAD_LOSSES[head]) == set(built.head.loss_weights)
    assert all(loss.shape == () for loss in losses.values())


def test_every_weight_learns(head):
    *_, gradients = learnt(localizer(head), task())
    assert all(gradient.any() for name, gradient in gradients.items() if not name.endswith(NO_MATTER))


def test_fusion_with_one_stream_is_that_stream(head):
    built, found = localizer(head), task(gap=False)
    output, mask = built(found.batch), found.batch.masks
    for name, weight in (("rgb", 1.0), ("flow", 0.0)):
        fused, own = built.fuse(output, mask, weight), built.head.compute_curves(output.streams[name], mask[name])
        assert all(torch.equal(getattr(fused, f.name), getattr(own, f.name)) for f in fields(fused))


def test_classes_exclude_each_other_where_cross_entropy_taught_so(head):
    logits = torch.randn(3, C + (head in BACKGROUND))
    expected = logits.sigmoid() if head in {"stpn", "oracle"} else logits.softmax(dim=-1)[:, :C]
    assert torch.equal(localizer(head).head.class_probabilities(logits), expected)


def test_a_few_steps_lower_the_loss(head):
    built, found = localizer(head), task()
    optimizer, totals = torch.optim.Adam(built.parameters(), lr=1e-2), []
    for _ in range(12):
        losses = built.head.losses(built(found.batch).streams, found.batch.masks, found.truth)
        total = torch.stack([built.head.loss_weights[name] * loss for name, loss in losses.items()]).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(total.item())
    assert totals[-1] < totals[0] - 0.2


def test_half_precision_does_not_end_attention(head):
    """bf16's sigmoid is exactly 1 from 7 on."""
    if head in {"oracle", "tcam"}:
        pytest.skip("no sigmoid of an attention's own")
    built, found = localizer(head, "bf16"), task()
    for branch in built.head.branches.values():
        last = branch.attention[-1] if isinstance(branch.attention, torch.nn.Sequential) else branch.attention
        torch.nn.init.constant_(last.bias, 8.0)
        last.weight.data.mul_(1e-3)
    single = {name: x.float() for name, x in found.batch.features.items()}
    output = built(Batch(found.batch.video_ids, single, found.batch.masks))
    assert (output.streams["rgb"].attention < 1).all()


def test_half_precision_ends_at_the_outputs(head):
    found = task()
    half, full = localizer(head, "bf16"), localizer(head)
    single = {name: x.float() for name, x in found.batch.features.items()}
    rough = tensors(half(type(found.batch)(found.batch.video_ids, single, found.batch.masks)))
    for key, value in tensors(full(found.batch)).items():
        assert rough[key].dtype == torch.float32
        torch.testing.assert_close(rough[key].double(), value, rtol=0.1, atol=0.1, msg=str(key))
