"""On a GPU: trainings that start where the CPU's do, in both precisions, and go on after a cut. `pytest -m gpu`."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from clip_ae.core.config.registry import METHODS
from clip_ae.encoders.devices import configure_torch, resolve_device
from clip_ae.localizers.feature_table import FeatureTable
from clip_ae.localizers.inference import predict_video
from clip_ae.localizers.targets import TargetBuilder
from clip_ae.localizers.trainer import Trainer, create_learner, train_localizer
from tests.localizers.planted import BOTH, CLASSES, SETTINGS, UGCT, blueprint, labels_of, needed, planted

pytestmark = pytest.mark.gpu
# Without dropout, whose draws differ between devices.
STILL = replace(SETTINGS, dropout=0.0)


def made(method, device, settings=STILL, **switches):
    streams = {name: video for name, video in planted().items() if name in needed(switches)}
    library = FeatureTable(streams, device)
    learner = create_learner(blueprint(method, **switches), settings.steps, 0, settings.precision)
    truths = TargetBuilder(labels_of(streams), library.video_ids, CLASSES)
    return Trainer(learner, library, truths, settings, {}, 0, device)


@pytest.fixture(scope="module")
def device():
    configure_torch(1)
    return resolve_device("cuda")


def gradient(trainer):
    """Of the step just taken, as one vector."""
    return torch.cat([p.grad.flatten().cpu() for p in trainer.learner.parameters() if p.grad is not None])


def switches_of(method):
    return {"clip_ae": BOTH, "ugct": UGCT}.get(method, {})


@pytest.mark.parametrize("method", [m for m in METHODS if m != "oracle"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_first_steps_are_those_of_the_cpu(device, method, precision):
    settings = replace(STILL, steps=10, log_every=1)
    here, there = made(method, "cpu", settings, **switches_of(method)), made(
        method, device, replace(settings, precision=precision), **switches_of(method)
    )  # fmt: skip
    pairs = [(here.step(), there.step())]
    directions = [torch.nn.functional.normalize(gradient(t), dim=0) for t in (here, there)]
    assert float(directions[0] @ directions[1]) > (0.9999 if precision == "fp32" else 0.99)
    pairs += zip(train_localizer(here), train_localizer(there), strict=True)
    assert pairs[0][1]["total"] == pytest.approx(pairs[0][0]["total"], rel=1e-4 if precision == "fp32" else 5e-2)
    assert all(np.isfinite(line["total"]) for _, line in pairs)
    video = there.feature_table.video_ids[0]
    assert np.isfinite(
        predict_video(there.learner.final_localizer.eval(), there.feature_table, video, rgb_weight=0.5).activation
    ).all()


@pytest.mark.parametrize(("method", "switches"), [("clip_ae", BOTH), ("tcam", {})])
def test_a_training_that_was_cut_goes_on_close_to_where_it_would_have_been(device, method, switches):
    whole, cut, later = (made(method, device, **switches) for _ in range(3))
    lines = train_localizer(whole)
    for _ in range(40):
        cut.step()
    later.resume(cut.state_arrays(), 40)
    last = train_localizer(later)[-1]
    assert last["step"] == lines[-1]["step"]
    assert last["total"] == pytest.approx(lines[-1]["total"], rel=0.05)
