"""TensorBoard shows the values of the log; steps that are trained again after a resume are shown once."""

import sys

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from clip_ae.core.errors import UserError
from clip_ae.localizers.tensorboard import open_tensorboard


def create_line(step, total=0.5):
    return {"step": step, "norm": -0.25, "total": total, "diagnostics": {"spread rgb": 0.125}}


def read_scalars(log_dir):
    events = EventAccumulator(str(log_dir)).Reload()
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_all_values_of_a_line_are_shown(tmp_path):
    with open_tensorboard(tmp_path / "a", last_step=0) as write_line:
        write_line(create_line(10))
        assert read_scalars(tmp_path / "a")["loss/norm"] == [(10, -0.25)]  # before the end of training
        write_line({"step": 20, "total": 0.25})
    assert read_scalars(tmp_path / "a") == {
        "loss/norm": [(10, -0.25)], "loss/total": [(10, 0.5), (20, 0.25)], "diagnostics/spread rgb": [(10, 0.125)]
    }  # fmt: skip


def test_values_after_the_last_checkpoint_of_a_killed_training_are_removed(tmp_path, monkeypatch):
    # Files are read in the order of their names, which start with the time in seconds: give the files different times.
    for number, (last_step, steps) in enumerate([(0, (10, 20, 30)), (10, (20, 30, 40))]):
        monkeypatch.setattr("time.time", lambda now=1e9 + number: now)
        with open_tensorboard(tmp_path, last_step) as write_line:
            for step in steps:
                write_line(create_line(step, total=float(number)))
    assert read_scalars(tmp_path)["loss/total"] == [(10, 0.0), (20, 1.0), (30, 1.0), (40, 1.0)]


def test_without_a_log_dir_the_package_is_not_needed(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with open_tensorboard(None, last_step=0) as write_line:
        write_line(create_line(10))


def test_a_missing_package_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with (
        pytest.raises(UserError, match=r"runtime.tensorboard: .* pip install"),
        open_tensorboard(tmp_path, last_step=0),
    ):
        pass
