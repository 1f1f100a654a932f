"""Scaled inputs: the root mean square of every stream, and a localizer that applies the factors."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from clip_ae.core.types import VideoFeatures
from clip_ae.localizers import localizer
from clip_ae.localizers.input_scales import compute_input_scales
from tests.localizers.planted import create_trainer, localizer_config, planted


def video(values: NDArray[Any], coverage: list[float]) -> VideoFeatures:
    times = np.arange(len(values)) * 1.0
    return VideoFeatures("v", times, times + 1, np.array(coverage, np.float32), values.astype(np.float16))


def test_covered_rows_have_a_root_mean_square_of_1() -> None:
    values = np.array([[3.0, 4.0], [0.0, 0.0], [100.0, 100.0]])
    scales = compute_input_scales({"rgb": {"v": video(values, [1, 1, 0])}, "zero": {"v": video(0 * values, [1, 1, 1])}})
    assert scales == {"rgb": pytest.approx((25 / 4) ** -0.5), "zero": 1.0}


def test_a_localizer_with_scales_equals_one_on_scaled_features() -> None:
    batch = create_trainer(planted(), "stpn").feature_table.full_video_batch("v0")
    config, factors = localizer_config("stpn"), {"rgb": 3.0, "flow": 0.5}
    torch.manual_seed(0)
    plain = localizer.build(config).eval()
    torch.manual_seed(0)
    scaled = localizer.build(replace(config, input_scales=factors)).eval()
    by_hand = replace(batch, features={name: factors[name] * x for name, x in batch.features.items()})
    expected, found = plain(by_hand).streams, scaled(batch).streams
    for name in factors:
        torch.testing.assert_close(found[name].cas, expected[name].cas)
    assert not torch.allclose(plain(batch).streams["rgb"].cas, found["rgb"].cas)
