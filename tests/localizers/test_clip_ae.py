from dataclasses import replace

import numpy as np
import pytest
import torch

from clip_ae.core.config.methods import CafSwitches, CcpSwitches, SelfSupervision
from clip_ae.localizers.ugct import Ugct
from clip_ae.losses.ins_dis import instance_discrimination_loss
from tests.localizers.planted import BOTH, CLIP_AE, SETTINGS, UGCT, create_trainer, planted, train


def test_without_both_modules_the_method_equals_ugct_bit_for_bit():
    streams = planted()
    (clip_ae, log), (base, base_log) = (
        train(streams, method, **switches) for method, switches in (("clip_ae", CLIP_AE), ("ugct", UGCT))
    )
    assert type(clip_ae.learner) is Ugct
    assert log == base_log
    first, second = clip_ae.state_arrays(), base.state_arrays()
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    ("modules", "expected"),
    [
        ({"caf": CafSwitches()}, {"decor"}),
        ({"ccp": CcpSwitches()}, {"ins_dis"}),
        ({"caf": CafSwitches(), "ccp": CcpSwitches()}, {"decor", "ins_dis"}),
    ],
)
def test_each_module_adds_its_loss(modules, expected):
    base = set(create_trainer(planted(), "ugct", **UGCT).loss_weights)
    trainer, log = train(planted(), "clip_ae", **CLIP_AE, **modules)
    assert set(trainer.loss_weights) - base == expected
    assert set(log[0]) - {"step", "total", "diagnostics"} - base == expected


def test_the_losses_of_the_first_step_are_those_of_the_baseline():
    streams = planted()
    settings = replace(SETTINGS, steps=1, dropout=0.0)
    (_, [full]), (_, [base]) = (
        train(streams, m, settings=settings, **s) for m, s in (("clip_ae", BOTH), ("ugct", UGCT))
    )
    for name in ("foreground", "background", "norm", "guide", "attention_pseudo"):
        assert full[name] == pytest.approx(base[name], abs=1e-4), name


def run_localizer(**self_supervision):
    """A learner with its output, batch and targets of step 1."""
    switches = {**BOTH, "self_supervision": SelfSupervision(**self_supervision)}
    trainer = create_trainer(planted(), "clip_ae", **switches)
    trainer.num_steps_done = 1
    torch.manual_seed(0)
    batch, targets = trainer._draw_batch()
    return trainer.learner, trainer.learner.localizer(batch), batch, targets


@pytest.mark.parametrize("pairing", ["within", "cross"])
def test_each_view_is_compared_with_the_bank_of_the_pairing(pairing):
    learner, output, batch, targets = run_localizer(pairing=pairing)
    expected = 0.0
    for stream in ("rgb", "flow"):
        for view, other in (("cbp", "vlp"), ("vlp", "cbp")):
            mask = batch.masks[stream][..., None]
            mean = (output.fused[stream].ccp.by_view[view] * mask).sum(dim=1) / mask.sum(dim=1)
            z = torch.nn.functional.normalize(mean, dim=-1)
            bank = learner.memory_banks[f"{stream}_{view if pairing == 'within' else other}"].bank
            expected += instance_discrimination_loss(z, bank, targets.video_indices, 1.0).item()
    assert learner.losses(output, batch, targets, 1)["ins_dis"].item() == pytest.approx(expected, rel=1e-5)


def test_after_a_step_the_bank_rows_of_the_batch_are_updated():
    learner, output, _, targets = run_localizer()
    before = {name: m.bank.clone() for name, m in learner.memory_banks.items()}
    learner.after_step(output, targets, 1)
    for name, memory in learner.memory_banks.items():
        changed_mask = (memory.bank != before[name]).any(dim=1)
        assert set(changed_mask.nonzero()[:, 0].tolist()) == set(targets.video_indices.tolist())
    assert set(before) == {"rgb_cbp", "rgb_vlp", "flow_cbp", "flow_vlp"}


def test_decor_has_three_forms():
    values = {}
    for form in ("mean", "literal", "softmax"):
        learner, output, batch, targets = run_localizer(decor=form)
        values[form] = learner.losses(output, batch, targets, 1)["decor"].item()
    assert values["literal"] == pytest.approx(8 * 8 * values["mean"], rel=1e-4)
    assert len(set(values.values())) == 3


def test_training_works_without_coverage_of_clip_and_audio():
    streams = planted()
    for video in streams["clip"].values():
        video.coverage[:] = 0
    for video in streams["audio"].values():
        video.coverage[:] = 0
    _, log = train(streams, "clip_ae", **BOTH)
    assert np.isfinite(log[-1]["total"])


@pytest.mark.parametrize("garbage", [1e4, float("nan"), float("inf")])
def test_padding_does_not_change_outputs_losses_or_gradients(garbage):
    learner, _, batch, targets = run_localizer()
    results = []
    for padding in (0.0, garbage):
        features = {}
        for name, x in batch.features.items():
            batch.masks[name][0, 9:] = False
            features[name] = x.masked_fill(~batch.masks[name][..., None], padding)
        padded = replace(batch, features=features)
        torch.manual_seed(0)
        learner.zero_grad()
        output = learner.localizer(padded)
        losses = learner.losses(output, padded, targets, 1)
        sum(losses.values()).backward()
        results.append([*losses.values(), *(p.grad.clone() for p in learner.localizer.parameters())])
        results[-1] += [
            v for s in output.streams.values() for v in (s.cas, s.attention, s.foreground_logits, s.background_logits)
        ]
    assert all(torch.equal(clean, dirty) for clean, dirty in zip(*results, strict=True))
