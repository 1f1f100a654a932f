"""TSCN's refinements: what is learnt from, since when, and when it is made anew."""

import pytest
import torch

from clip_ae.localizers.batch import Batch, Targets
from clip_ae.localizers.trainer import create_learner
from tests.localizers.planted import CLASSES, DIMS, blueprint
from tests.losses import reference

B, T, STEPS = 2, 6, 40
LENGTH = STEPS // 4
TRUTH = Targets(torch.eye(B, CLASSES), torch.arange(B), None)


def batch():
    g = torch.Generator().manual_seed(0)
    mask = {name: torch.ones(B, T, dtype=torch.bool) for name in ("rgb", "flow")}
    mask["rgb"][1, 4:] = mask["flow"][1, 3:] = False
    features = {n: 3 * torch.randn(B, T, DIMS[n], generator=g) * mask[n][..., None] for n in mask}
    return Batch(("a", "b"), features, mask)


def made():
    """A learner whose frozen copy says something else than it does itself."""
    learner = create_learner(blueprint("tscn"), STEPS, 0)
    other = create_learner(blueprint("tscn"), STEPS, 1).localizer
    learner.previous.update_ema(other, 0.0)
    return learner.eval()


def loss(learner, step):
    return learner.losses(learner.localizer(batch()), batch(), TRUTH, step)["pseudo_truth"].item()


def test_from_the_second_refinement_on_streams_learn_what_they_said_together():
    learner = made()
    assert loss(learner, 1) == loss(learner, LENGTH) == 0.0
    own, earlier = learner.localizer(batch()).streams, learner.previous(batch()).streams
    fused = 0.4 * earlier["rgb"].attention + 0.6 * earlier["flow"].attention
    target = (fused > 0.5).double()
    # Else the weights of the streams would not show.
    assert not torch.equal(target > 0.5, earlier["rgb"].attention > 0.5)
    lengths = (6, 3)
    parts = [
        reference.pseudo_truth(*([x[b, :n].detach().double().numpy() for b, n in enumerate(lengths)] for x in pair))
        for pair in ((own["rgb"].attention, target), (own["flow"].attention, target))
    ]
    assert sum(parts) > 0
    assert loss(learner, LENGTH + 1) == pytest.approx(sum(parts), rel=1e-5)


def test_the_frozen_copy_is_made_anew_at_the_end_of_each_refinement():
    learner = made()
    before = [p.clone() for p in learner.previous.parameters()]
    for step in (LENGTH - 1, LENGTH + 1, 2 * LENGTH - 1):
        learner.after_step(learner.localizer(batch()), TRUTH, step)
        assert all(torch.equal(a, b) for a, b in zip(before, learner.previous.parameters(), strict=True))
    for step in (LENGTH, 3 * LENGTH):
        with torch.no_grad():
            next(learner.localizer.parameters()).add_(1.0)
        learner.after_step(learner.localizer(batch()), TRUTH, step)
        pairs = zip(learner.localizer.parameters(), learner.previous.parameters(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)
