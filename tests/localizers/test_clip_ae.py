from dataclasses import replace

import numpy as np
import pytest
import torch

from clip_ae.core.config.methods import CafSwitches, CcpSwitches, SelfSupervision
from clip_ae.localizers.ugct import Ugct
from clip_ae.losses.ins_dis import instance_discrimination_loss
from tests.localizers.planted import BOTH, CLIP_AE, SETTINGS, UGCT, planted, trained, trainer


def test_with_both_modules_off_it_is_ugct_bit_for_bit():
    streams = planted()
    (plain, log), (base, base_log) = (
        trained(streams, method, **switches) for method, switches in (("clip_ae", CLIP_AE), ("ugct", UGCT))
    )
    assert type(plain.learner) is Ugct
    assert log == base_log
    first, second = plain.state_arrays(), base.state_arrays()
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    ("modules", "own"),
    [
        ({"caf": CafSwitches()}, {"decor"}),
        ({"ccp": CcpSwitches()}, {"ins_dis"}),
        ({"caf": CafSwitches(), "ccp": CcpSwitches()}, {"decor", "ins_dis"}),
    ],
)
def test_each_module_brings_its_own_loss(modules, own):
    base = set(trainer(planted(), "ugct", **UGCT).loss_weights)
    made, log = trained(planted(), "clip_ae", **CLIP_AE, **modules)
    assert set(made.loss_weights) - base == own
    assert set(log[0]) - {"step", "total", "diagnostics"} - base == own


def test_the_first_step_starts_from_the_baseline():
    streams = planted()
    settings = replace(SETTINGS, steps=1, dropout=0.0)
    (_, [full]), (_, [base]) = (
        trained(streams, m, settings=settings, **s) for m, s in (("clip_ae", BOTH), ("ugct", UGCT))
    )
    for name in ("foreground", "background", "norm", "guide", "attention_pseudo"):
        assert full[name] == pytest.approx(base[name], abs=1e-4), name


def outputs(**self_supervision):
    switches = {**BOTH, "self_supervision": SelfSupervision(**self_supervision)}
    made = trainer(planted(), "clip_ae", **switches)
    made.num_steps_done = 1
    torch.manual_seed(0)
    batch, truth = made._draw_batch()
    return made.learner, made.learner.localizer(batch), batch, truth


@pytest.mark.parametrize("pairing", ["within", "cross"])
def test_each_view_is_told_apart_by_the_bank_that_the_pairing_names(pairing):
    learner, output, batch, truth = outputs(pairing=pairing)
    expected = 0.0
    for stream in ("rgb", "flow"):
        for view, other in (("cbp", "vlp"), ("vlp", "cbp")):
            real = batch.masks[stream][..., None]
            mean = (getattr(output.fused[stream].ccp, view) * real).sum(dim=1) / real.sum(dim=1)
            z = torch.nn.functional.normalize(mean, dim=-1)
            bank = learner.memory_banks[f"{stream}_{view if pairing == 'within' else other}"].bank
            expected += instance_discrimination_loss(z, bank, truth.video_indices, 1.0).item()
    assert learner.losses(output, batch, truth, 1)["ins_dis"].item() == pytest.approx(expected, rel=1e-5)


def test_memories_follow_the_views_of_the_batch():
    learner, output, _, truth = outputs()
    before = {name: m.bank.clone() for name, m in learner.memory_banks.items()}
    learner.after_step(output, truth, 1)
    for name, memory in learner.memory_banks.items():
        moved = (memory.bank != before[name]).any(dim=1)
        assert set(moved.nonzero()[:, 0].tolist()) == set(truth.video_indices.tolist())
    assert set(before) == {"rgb_cbp", "rgb_vlp", "flow_cbp", "flow_vlp"}


def test_forms_of_decor_are_switches():
    values = {}
    for form in ("mean", "literal", "softmax"):
        learner, output, batch, truth = outputs(decor=form)
        values[form] = learner.losses(output, batch, truth, 1)["decor"].item()
    assert values["literal"] == pytest.approx(8 * 8 * values["mean"], rel=1e-4)
    assert len(set(values.values())) == 3


def test_a_video_without_sound_or_picture_of_clip_trains():
    streams = planted()
    for video in streams["clip"].values():
        video.coverage[:] = 0
    for video in streams["audio"].values():
        video.coverage[:] = 0
    _, log = trained(streams, "clip_ae", **BOTH)
    assert np.isfinite(log[-1]["total"])


@pytest.mark.parametrize("garbage", [1e4, float("nan"), float("inf")])
def test_padding_never_leaks_through_the_modules(garbage):
    learner, _, batch, truth = outputs()
    found = []
    for padding in (0.0, garbage):
        features = {}
        for name, x in batch.features.items():
            batch.masks[name][0, 9:] = False
            features[name] = x.masked_fill(~batch.masks[name][..., None], padding)
        dirty = replace(batch, features=features)
        torch.manual_seed(0)
        learner.zero_grad()
        output = learner.localizer(dirty)
        losses = learner.losses(output, dirty, truth, 1)
        sum(losses.values()).backward()
        found.append([*losses.values(), *(p.grad.clone() for p in learner.localizer.parameters())])
        found[-1] += [
            v for s in output.streams.values() for v in (s.cas, s.attention, s.foreground_logits, s.background_logits)
        ]
    assert all(torch.equal(clean, dirty) for clean, dirty in zip(*found, strict=True))
