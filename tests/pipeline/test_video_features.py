import pytest

from clip_ae.core.types import Failure
from clip_ae.pipeline.video_features import MAX_LOGGED, log_failures


def test_many_failures_of_one_kind_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    kinds = ["not-a-video"] * (MAX_LOGGED + 5) + ["empty"] * MAX_LOGGED
    log_failures(Failure(f"v{k}", "probe", kind, "words") for k, kind in enumerate(kinds))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith("v0: probe: not-a-video: words")
    assert sum("words" in line for line in lines) == 2 * MAX_LOGGED
    assert lines[-1].endswith("probe: not-a-video: 5 more videos")
