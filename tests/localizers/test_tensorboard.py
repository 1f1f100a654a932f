"""What TensorBoard would show is what the log says, and what was learnt twice is shown once."""

import sys

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from clip_ae.core.errors import UserError
from clip_ae.localizers.tensorboard import open_tensorboard


def line(step, total=0.5):
    return {"step": step, "norm": -0.25, "total": total, "diagnostics": {"spread rgb": 0.125}}


def shown(folder):
    events = EventAccumulator(str(folder)).Reload()
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_every_figure_of_a_line_is_shown(tmp_path):
    with open_tensorboard(tmp_path / "a", last_step=0) as show:
        show(line(10))
        assert shown(tmp_path / "a")["loss/norm"] == [(10, -0.25)]  # while training goes on
        show({"step": 20, "total": 0.25})
    assert shown(tmp_path / "a") == {
        "loss/norm": [(10, -0.25)], "loss/total": [(10, 0.5), (20, 0.25)], "diagnostics/spread rgb": [(10, 0.125)]
    }  # fmt: skip


def test_what_a_killed_training_showed_after_its_checkpoint_is_forgotten(tmp_path, monkeypatch):
    # Files are read in the order of their names, which begin with the time in seconds.
    for number, (done, steps) in enumerate([(0, (10, 20, 30)), (10, (20, 30, 40))]):
        monkeypatch.setattr("time.time", lambda now=1e9 + number: now)
        with open_tensorboard(tmp_path, done) as show:
            for step in steps:
                show(line(step, total=float(number)))
    assert shown(tmp_path)["loss/total"] == [(10, 0.0), (20, 1.0), (30, 1.0), (40, 1.0)]


def test_without_a_folder_nothing_is_needed(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with open_tensorboard(None, last_step=0) as show:
        show(line(10))


def test_without_the_package_one_line_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with (
        pytest.raises(UserError, match=r"runtime.tensorboard: .* pip install"),
        open_tensorboard(tmp_path, last_step=0),
    ):
        pass
