"""TSCN's refinements: the target, when it is used, and when the frozen copy is updated."""

import pytest
import torch

from clip_ae.core.config.methods import TscnSwitches
from clip_ae.localizers.batch import Batch, Targets
from clip_ae.localizers.trainer import create_learner
from tests.localizers.planted import CLASSES, DIMS, localizer_config
from tests.losses import reference

B, T, STEPS = 2, 6, 40
REFINEMENT_STEPS = STEPS // 4
TARGETS = Targets(torch.eye(B, CLASSES), torch.arange(B), None)


def create_batch():
    g = torch.Generator().manual_seed(0)
    mask = {name: torch.ones(B, T, dtype=torch.bool) for name in ("rgb", "flow")}
    mask["rgb"][1, 4:] = mask["flow"][1, 3:] = False
    features = {n: 3 * torch.randn(B, T, DIMS[n], generator=g) * mask[n][..., None] for n in mask}
    return Batch(("a", "b"), features, mask)


def create_tscn(attention_targets="mean"):
    """A learner whose frozen copy has other weights."""
    config = localizer_config("tscn", tscn=TscnSwitches(attention_targets))
    learner = create_learner(config, STEPS, 0)
    other_localizer = create_learner(localizer_config("tscn"), STEPS, 1).localizer
    learner.previous.update_ema(other_localizer, 0.0)
    return learner.eval()


def pseudo_truth_loss(learner, step):
    return learner.losses(learner.localizer(create_batch()), create_batch(), TARGETS, step)["pseudo_truth"].item()


@pytest.mark.parametrize("attention_targets", ["mean", "half", "soft"])
def test_from_the_second_refinement_on_the_target_is_the_fused_attention_of_the_copy(attention_targets):
    learner = create_tscn(attention_targets)
    assert pseudo_truth_loss(learner, 1) == pseudo_truth_loss(learner, REFINEMENT_STEPS) == 0.0
    own, previous = learner.localizer(create_batch()).streams, learner.previous(create_batch()).streams
    fused = 0.4 * previous["rgb"].attention + 0.6 * previous["flow"].attention
    lengths = (6, 3)
    thresholds = {
        "mean": torch.stack([fused[b, :n].mean() for b, n in enumerate(lengths)])[:, None],
        "half": torch.full((B, 1), 0.5),
    }
    target = fused if attention_targets == "soft" else (fused > thresholds[attention_targets]).double()
    # The target must depend on the weights of the streams.
    assert not torch.equal(target, (previous["rgb"].attention > 0.5).double())
    losses = [
        reference.pseudo_truth(*([x[b, :n].detach().double().numpy() for b, n in enumerate(lengths)] for x in pair))
        for pair in ((own["rgb"].attention, target), (own["flow"].attention, target))
    ]
    assert sum(losses) > 0
    assert pseudo_truth_loss(learner, REFINEMENT_STEPS + 1) == pytest.approx(sum(losses), rel=1e-5)


def test_the_copy_is_updated_at_the_end_of_each_refinement_only():
    learner = create_tscn()
    before = [p.clone() for p in learner.previous.parameters()]
    for step in (REFINEMENT_STEPS - 1, REFINEMENT_STEPS + 1, 2 * REFINEMENT_STEPS - 1):
        learner.after_step(learner.localizer(create_batch()), TARGETS, step)
        assert all(torch.equal(a, b) for a, b in zip(before, learner.previous.parameters(), strict=True))
    for step in (REFINEMENT_STEPS, 3 * REFINEMENT_STEPS):
        with torch.no_grad():
            next(learner.localizer.parameters()).add_(1.0)
        learner.after_step(learner.localizer(create_batch()), TARGETS, step)
        pairs = zip(learner.localizer.parameters(), learner.previous.parameters(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)
