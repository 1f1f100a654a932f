import numpy as np

from clip_ae.core.types import VideoFeatures
from clip_ae.pipeline.feature_dims import get_feature_dims


def video(dim: int) -> VideoFeatures:
    times = np.arange(3.0)
    return VideoFeatures("a", times, times + 1, np.ones(3, np.float32), np.zeros((3, dim), np.float16))


def test_feature_dims_are_the_row_lengths_of_each_stream() -> None:
    assert get_feature_dims({"rgb": {"a": video(8)}, "audio": {"a": video(5), "b": video(5)}}) == {"rgb": 8, "audio": 5}
