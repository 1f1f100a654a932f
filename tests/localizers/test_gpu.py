"""On a GPU: the first steps equal those of the CPU in both precisions; training resumes. Run with `pytest -m gpu`."""

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
from tests.localizers.planted import BOTH, CLASSES, SETTINGS, UGCT, labels_of, localizer_config, planted, streams_of

pytestmark = pytest.mark.gpu
# Without dropout, whose random numbers differ between devices.
NO_DROPOUT = replace(SETTINGS, dropout=0.0)


def create_trainer(method, device, settings=NO_DROPOUT, **switches):
    streams = {name: video for name, video in planted().items() if name in streams_of(switches)}
    table = FeatureTable(streams, device)
    learner = create_learner(localizer_config(method, **switches), settings.steps, 0, settings.precision)
    targets = TargetBuilder(labels_of(streams), table.video_ids, CLASSES)
    return Trainer(learner, table, targets, settings, {}, 0, device)


@pytest.fixture(scope="module")
def device():
    configure_torch(1)
    return resolve_device("cuda")


def gradient(trainer):
    """The gradient of the last step as one vector."""
    return torch.cat([p.grad.flatten().cpu() for p in trainer.learner.parameters() if p.grad is not None])


def switches_of(method):
    return {"clip_ae": BOTH, "ugct": UGCT}.get(method, {})


@pytest.mark.parametrize("method", [m for m in METHODS if m != "oracle"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_first_steps_are_close_to_those_of_the_cpu(device, method, precision):
    settings = replace(NO_DROPOUT, steps=10, log_every=1)
    cpu = create_trainer(method, "cpu", settings, **switches_of(method))
    gpu = create_trainer(method, device, replace(settings, precision=precision), **switches_of(method))
    pairs = [(cpu.step(), gpu.step())]
    directions = [torch.nn.functional.normalize(gradient(trainer), dim=0) for trainer in (cpu, gpu)]
    assert float(directions[0] @ directions[1]) > (0.9999 if precision == "fp32" else 0.99)
    pairs += zip(train_localizer(cpu), train_localizer(gpu), strict=True)
    assert pairs[0][1]["total"] == pytest.approx(pairs[0][0]["total"], rel=1e-4 if precision == "fp32" else 5e-2)
    assert all(np.isfinite(line["total"]) for _, line in pairs)
    video_id, localizer = gpu.feature_table.video_ids[0], gpu.learner.final_localizer.eval()
    assert np.isfinite(predict_video(localizer, gpu.feature_table, video_id, stream_weights={}).activation).all()


@pytest.mark.parametrize(("method", "switches"), [("clip_ae", BOTH), ("tcam", {})])
def test_a_resumed_training_ends_close_to_an_uninterrupted_one(device, method, switches):
    whole, cut, resumed = (create_trainer(method, device, **switches) for _ in range(3))
    lines = train_localizer(whole)
    for _ in range(40):
        cut.step()
    resumed.resume(cut.state_arrays(), 40)
    last = train_localizer(resumed)[-1]
    assert last["step"] == lines[-1]["step"]
    assert last["total"] == pytest.approx(lines[-1]["total"], rel=0.05)
