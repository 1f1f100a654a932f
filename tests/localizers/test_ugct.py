import math

import numpy as np
import pytest
import torch

from clip_ae.core.config.methods import UgctSwitches
from clip_ae.core.config.registry import BASE_HEADS
from clip_ae.localizers.batch import Batch, Targets
from clip_ae.localizers.teacher import Teacher
from clip_ae.localizers.trainer import create_learner
from tests.localizers.planted import CLASSES, DIMS, localizer_config, planted, train

B, T, STEPS = 3, 7, 100


def create_batch():
    g = torch.Generator().manual_seed(0)
    mask = {name: torch.arange(T)[None] < torch.tensor([7, 4, 1])[:, None] for name in ("rgb", "flow")}
    # Flow does not cover one snippet that rgb covers: the output of its teacher there is not used.
    mask["flow"][0, 2] = False
    features = {n: torch.randn(B, T, DIMS[n], generator=g).masked_fill(~mask[n][..., None], 0.0) for n in mask}
    return Batch(("a", "b", "c"), features, mask)


def create_ugct(dropout=0.0, **switches):
    return create_learner(localizer_config("ugct", dropout=dropout, ugct=UgctSwitches(**switches)), STEPS, 0)


def pseudo_losses(learner):
    learner.train()
    return learner._pseudo_losses(learner.localizer(create_batch()), create_batch())


def to_float64(tensor):
    return tensor.detach().double().numpy()


def softplus(x):
    return np.log1p(np.exp(x))


@pytest.mark.parametrize("targets", ["mean", "half", "soft"])
def test_pseudo_labels_come_from_the_teacher_of_the_other_stream(targets):
    learner = create_ugct(attention_targets=targets)
    output, teachers, mask = (
        learner.localizer(create_batch()),
        learner.teacher(create_batch()).streams,
        create_batch().masks["flow"].numpy(),
    )
    expected = 0.0
    for name, other in (("rgb", "flow"), ("flow", "rgb")):
        a, g = to_float64(output.streams[name].attention), to_float64(teachers[other].attention)
        if targets != "soft":
            means = [[row[row_mask].mean()] for row, row_mask in zip(g, mask, strict=True)]
            g = (g > (0.5 if targets == "half" else np.array(means))).astype(float)
        u = softplus(to_float64(output.streams[name].embedding) @ to_float64(learner.uncertainty[name].weight)[0])
        terms = np.exp(-u) * (a - g) ** 2 + 0.2 * u
        expected += np.mean([terms[b][mask[b]].mean() for b in range(B)])
    assert pseudo_losses(learner)["attention_pseudo"].item() == pytest.approx(expected, rel=1e-5)


def test_the_class_loss_has_no_gradient_on_the_uncertainty():
    """Only the attention loss has the term b U that limits U."""
    learner = create_ugct(class_targets="kl")
    pseudo_losses(learner)["class_pseudo"].backward()
    assert all(p.grad is None for p in learner.uncertainty.parameters())
    assert learner.localizer.head.branches["rgb"].classifier.weight.grad.any()


@pytest.mark.parametrize("kind", ["dropout", "heads"])
def test_uncertainty_is_that_of_the_other_streams_teacher(kind):
    """If the rgb teacher has the same output in all passes and by both heads, the uncertainty of flow is 0."""
    learner = create_ugct(dropout=0.5, uncertainty=kind)
    constant = learner.teacher.localizer.head.branches["rgb"]
    for layer in (constant.attention, constant.classifier):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    # A foreground probability of 1/2, equal to the attention.
    with torch.no_grad():
        constant.classifier.bias[-1] = math.log(CLASSES)
    learner.train()
    torch.manual_seed(0)
    teachers = learner._average_teachers(learner.teacher(create_batch()).streams)
    log_uncertainties = learner._log_uncertainties(learner.localizer(create_batch()), create_batch(), teachers)
    mask = create_batch().masks["flow"]
    assert log_uncertainties["flow"][mask].abs().max() < 1e-6 < log_uncertainties["rgb"][mask].max()


@pytest.mark.parametrize("base_head", BASE_HEADS)
def test_the_foreground_probability_uses_the_probabilities_of_the_head(base_head):
    head = create_learner(localizer_config("ugct", ugct=UgctSwitches(base_head=base_head)), STEPS, 0).localizer.head
    cas = torch.randn(2, 5, CLASSES + head.has_background)
    probability = head.foreground_probability(cas)
    expected = 1 - cas.softmax(-1)[..., -1] if head.has_background else head.class_probabilities(cas).amax(-1)
    torch.testing.assert_close(probability, expected)
    if base_head != "stpn":
        torch.testing.assert_close(head.foreground_probability(cas + 8), probability)


@pytest.mark.parametrize("kind", ["kl", "mse"])
def test_class_pseudo_labels_can_be_switched_on(kind):
    learner = create_ugct(class_targets=kind)
    assert learner.loss_weights["class_pseudo"] == 1.0
    assert pseudo_losses(learner)["class_pseudo"].item() > 0
    assert "class_pseudo" not in pseudo_losses(create_ugct())
    assert "class_pseudo" not in create_ugct().loss_weights


def test_uncertainty_is_bounded():
    learner = create_ugct()
    for value in (-1e4, 1e4):
        for layer in learner.uncertainty.values():
            torch.nn.init.constant_(layer.weight, value)
        loss = pseudo_losses(learner)["attention_pseudo"].item()
        assert -1e-6 <= loss <= 2 * (1 + 0.2 * 5)


@pytest.mark.parametrize("kind", ["dropout", "heads", "none"])
def test_other_forms_of_uncertainty_reduce_the_loss(kind):
    losses = []
    for learner in (create_ugct(dropout=0.5, uncertainty=kind), create_ugct(dropout=0.5, uncertainty="none")):
        assert not list(learner.uncertainty.parameters())
        torch.manual_seed(0)
        losses.append(pseudo_losses(learner)["attention_pseudo"].item())
    weighted, unweighted = losses
    assert 0 < weighted <= unweighted
    assert (weighted < unweighted) == (kind != "none")


def test_the_ramp_weight_rises_to_1():
    learner = create_ugct(ramp_fraction=0.3)
    assert learner.ramp_weight(0) == pytest.approx(math.exp(-5))
    assert learner.ramp_weight(15) == pytest.approx(math.exp(-5 * 0.25))
    assert learner.ramp_weight(30) == learner.ramp_weight(100) == 1.0


@pytest.mark.parametrize("ramp_norm_loss", [True, False])
def test_the_norm_loss_is_ramped_with_the_pseudo_labels_or_not(ramp_norm_loss):
    learner = create_ugct(ramp_fraction=0.3, ramp_norm_loss=ramp_norm_loss)
    output, targets = learner.localizer(create_batch()), Targets(torch.eye(CLASSES)[:B], torch.arange(B))
    early, late = (learner.losses(output, create_batch(), targets, step) for step in (15, 30))
    weights = {name: (early[name] / late[name]).item() for name in late}
    expected = {"attention_pseudo", *(["norm"] if ramp_norm_loss else [])}
    assert {name for name, weight in weights.items() if weight != pytest.approx(1)} == expected
    assert all(weights[name] == pytest.approx(math.exp(-5 * 0.25)) for name in expected)


def test_the_ema_decay_is_0_in_warm_up_and_then_rises():
    learner = create_ugct(warmup_fraction=0.1)
    assert [learner.ema_decay(step) for step in (1, 9, 10)] == [0.0, 0.0, 0.0]
    assert learner.ema_decay(11) == pytest.approx(0.5)
    assert learner.ema_decay(100) == pytest.approx(0.9)
    long_training = create_learner(localizer_config("ugct", ugct=UgctSwitches()), 100_000, 0)
    assert long_training.ema_decay(90_000) == 0.999
    assert long_training.ema_decay(8_000 + 99) == pytest.approx(0.99)


def test_a_teacher_is_a_moving_average_of_its_student():
    learner = create_ugct()
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


def test_a_teacher_has_no_gradient_and_no_dropout():
    learner = create_ugct(dropout=0.9)
    assert torch.equal(
        learner.teacher(create_batch()).streams["rgb"].cas, learner.teacher(create_batch()).streams["rgb"].cas
    )
    pseudo_losses(learner)["attention_pseudo"].backward()
    assert all(p.grad is None for p in learner.teacher.parameters())


def test_the_final_localizer_is_the_teacher():
    trainer, _ = train(planted(), "ugct", ugct=UgctSwitches())
    final, student = trainer.learner.final_localizer.state_dict(), trainer.learner.localizer.state_dict()
    assert final.keys() == student.keys()
    assert not all(torch.equal(final[n], student[n]) for n in final)


@pytest.mark.parametrize("base_head", BASE_HEADS)
def test_all_base_heads_can_be_trained(base_head):
    trainer, log = train(planted(), "ugct", ugct=UgctSwitches(base_head=base_head))
    assert np.isfinite(log[-1]["total"])
    assert "attention_pseudo" in log[-1]
    assert set(log[-1]) - {"step", "total", "diagnostics", "attention_pseudo"} == set(
        trainer.learner.localizer.head.loss_weights
    )
