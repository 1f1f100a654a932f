import math

import numpy as np
import pytest
import torch

from clip_ae.core.config.methods import UgctSwitches
from clip_ae.core.config.registry import BASE_HEADS
from clip_ae.localizers.batch import Batch, Targets
from clip_ae.localizers.teacher import Teacher
from clip_ae.localizers.trainer import create_learner
from tests.localizers.planted import CLASSES, DIMS, blueprint, planted, trained

B, T, STEPS = 3, 7, 100


def batch(padding=0.0):
    g = torch.Generator().manual_seed(0)
    mask = {name: torch.arange(T)[None] < torch.tensor([7, 4, 1])[:, None] for name in ("rgb", "flow")}
    # Flow lacks a snippet that rgb has: what its teacher says there is nothing.
    mask["flow"][0, 2] = False
    features = {n: torch.randn(B, T, DIMS[n], generator=g).masked_fill(~mask[n][..., None], padding) for n in mask}
    return Batch(("a", "b", "c"), features, mask)


def made(dropout=0.0, **switches):
    return create_learner(blueprint("ugct", dropout=dropout, ugct=UgctSwitches(**switches)), STEPS, 0)


def pseudo(learner, at=batch):
    learner.train()
    return learner._pseudo_losses(learner.localizer(at()), at())


def array(tensor):
    return tensor.detach().double().numpy()


def softplus(x):
    return np.log1p(np.exp(x))


@pytest.mark.parametrize("targets", ["mean", "half", "soft"])
def test_pseudo_labels_are_the_other_streams_teachers(targets):
    learner = made(attention_targets=targets)
    output, taught, mask = learner.localizer(batch()), learner.teacher(batch()).streams, batch().masks["flow"].numpy()
    expected = 0.0
    for name, other in (("rgb", "flow"), ("flow", "rgb")):
        a, g = array(output.streams[name].attention), array(taught[other].attention)
        if targets != "soft":
            share = [[row[real].mean()] for row, real in zip(g, mask, strict=True)]
            g = (g > (0.5 if targets == "half" else np.array(share))).astype(float)
        u = softplus(array(output.streams[name].embedding) @ array(learner.uncertainty[name].weight)[0])
        terms = np.exp(-u) * (a - g) ** 2 + 0.2 * u
        expected += np.mean([terms[b][mask[b]].mean() for b in range(B)])
    assert pseudo(learner)["attention_pseudo"].item() == pytest.approx(expected, rel=1e-5)


def test_what_classes_learn_does_not_raise_the_doubt():
    """U is paid for in the attention loss alone: through the class loss it would be free."""
    learner = made(class_targets="kl")
    pseudo(learner)["class_pseudo"].backward()
    assert all(p.grad is None for p in learner.uncertainty.parameters())
    assert learner.localizer.head.branches["rgb"].classifier.weight.grad.any()


@pytest.mark.parametrize("kind", ["dropout", "heads"])
def test_the_doubt_is_about_the_other_streams_teacher(kind):
    """Where rgb's teacher says the same in every pass and by both heads, flow has nothing to doubt."""
    learner = made(dropout=0.5, uncertainty=kind)
    sure = learner.teacher.localizer.head.branches["rgb"]
    for layer in (sure.attention, sure.classifier):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    # As sure that there is action, half and half, as attention is.
    with torch.no_grad():
        sure.classifier.bias[-1] = math.log(CLASSES)
    learner.train()
    torch.manual_seed(0)
    doubts = learner._log_uncertainties(learner.localizer(batch()), batch(), learner.teacher(batch()).streams)
    real = batch().masks["flow"]
    assert doubts["flow"][real].abs().max() < 1e-6 < doubts["rgb"][real].max()


@pytest.mark.parametrize("base", BASE_HEADS)
def test_a_share_of_foreground_is_made_of_the_heads_own_probabilities(base):
    head = create_learner(blueprint("ugct", ugct=UgctSwitches(base_head=base)), STEPS, 0).localizer.head
    cas = torch.randn(2, 5, CLASSES + head.has_background)
    share = head.foreground_probability(cas)
    expected = 1 - cas.softmax(-1)[..., -1] if head.has_background else head.class_probabilities(cas).amax(-1)
    torch.testing.assert_close(share, expected)
    if base != "stpn":
        torch.testing.assert_close(head.foreground_probability(cas + 8), share)


@pytest.mark.parametrize("kind", ["kl", "mse"])
def test_class_pseudo_labels_are_a_switch(kind):
    learner = made(class_targets=kind)
    assert learner.loss_weights["class_pseudo"] == 1.0
    assert pseudo(learner)["class_pseudo"].item() > 0
    assert "class_pseudo" not in pseudo(made())
    assert "class_pseudo" not in made().loss_weights


def test_uncertainty_cannot_run_away():
    learner = made()
    for value in (-1e4, 1e4):
        for layer in learner.uncertainty.values():
            torch.nn.init.constant_(layer.weight, value)
        loss = pseudo(learner)["attention_pseudo"].item()
        assert -1e-6 <= loss <= 2 * (1 + 0.2 * 5)


@pytest.mark.parametrize("kind", ["dropout", "heads", "none"])
def test_other_readings_of_uncertainty(kind):
    losses = []
    for learner in (made(dropout=0.5, uncertainty=kind), made(dropout=0.5, uncertainty="none")):
        assert not list(learner.uncertainty.parameters())
        torch.manual_seed(0)
        losses.append(pseudo(learner)["attention_pseudo"].item())
    weighed, certain = losses
    assert 0 < weighed <= certain
    assert (weighed < certain) == (kind != "none")


def test_the_ramp_rises_to_one():
    learner = made(ramp_fraction=0.3)
    assert learner.ramp_weight(0) == pytest.approx(math.exp(-5))
    assert learner.ramp_weight(15) == pytest.approx(math.exp(-5 * 0.25))
    assert learner.ramp_weight(30) == learner.ramp_weight(100) == 1.0


@pytest.mark.parametrize("ramped", [True, False])
def test_attention_is_asked_to_differ_when_pseudo_labels_come_in_or_at_once(ramped):
    learner = made(ramp_fraction=0.3, ramp_norm_loss=ramped)
    output, truth = learner.localizer(batch()), Targets(torch.eye(CLASSES)[:B], torch.arange(B))
    early, late = (learner.losses(output, batch(), truth, step) for step in (15, 30))
    weights = {name: (early[name] / late[name]).item() for name in late}
    slow = {"attention_pseudo", *(["norm"] if ramped else [])}
    assert {name for name, weight in weights.items() if weight != pytest.approx(1)} == slow
    assert all(weights[name] == pytest.approx(math.exp(-5 * 0.25)) for name in slow)


def test_a_teacher_copies_then_follows_ever_more_slowly():
    learner = made(warmup_fraction=0.1)
    assert [learner.ema_decay(step) for step in (1, 9, 10)] == [0.0, 0.0, 0.0]
    assert learner.ema_decay(11) == pytest.approx(0.5)
    assert learner.ema_decay(100) == pytest.approx(0.9)
    long = create_learner(blueprint("ugct", ugct=UgctSwitches()), 100_000, 0)
    assert long.ema_decay(90_000) == 0.999
    assert long.ema_decay(8_000 + 99) == pytest.approx(0.99)


def test_a_teacher_is_the_moving_average_of_its_student():
    learner = made()
    student = learner.localizer
    teacher = Teacher(student)
    before = [p.clone() for p in teacher.localizer.parameters()]
    with torch.no_grad():
        for p in student.parameters():
            p.add_(1.0)
    teacher.update_ema(student, 0.75)
    for old, new in zip(before, teacher.localizer.parameters(), strict=True):
        torch.testing.assert_close(new, old + 0.25)
        assert not new.requires_grad


def test_no_gradient_reaches_a_teacher_and_it_never_drops():
    learner = made(dropout=0.9)
    assert torch.equal(learner.teacher(batch()).streams["rgb"].cas, learner.teacher(batch()).streams["rgb"].cas)
    pseudo(learner)["attention_pseudo"].backward()
    assert all(p.grad is None for p in learner.teacher.parameters())


def test_the_teacher_is_what_remains():
    run, _ = trained(planted(), "ugct", ugct=UgctSwitches())
    kept, student = run.learner.final_localizer.state_dict(), run.learner.localizer.state_dict()
    assert kept.keys() == student.keys()
    assert not all(torch.equal(kept[n], student[n]) for n in kept)


@pytest.mark.parametrize("base", BASE_HEADS)
def test_any_head_of_two_streams_can_be_its_base(base):
    run, log = trained(planted(), "ugct", ugct=UgctSwitches(base_head=base))
    assert np.isfinite(log[-1]["total"])
    assert "attention_pseudo" in log[-1]
    assert set(log[-1]) - {"step", "total", "diagnostics", "attention_pseudo"} == set(
        run.learner.localizer.head.loss_weights
    )
