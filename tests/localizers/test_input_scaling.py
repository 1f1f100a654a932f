"""Scaled and standardized inputs: the numbers of every stream, and a localizer that applies them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from clip_ae.core.types import VideoFeatures
from clip_ae.localizers import localizer
from clip_ae.localizers.input_scaling import compute_input_scaling
from tests.localizers.planted import create_trainer, localizer_config, planted


def video(values: NDArray[Any], coverage: list[float]) -> VideoFeatures:
    times = np.arange(len(values)) * 1.0
    return VideoFeatures("v", times, times + 1, np.array(coverage, np.float32), values.astype(np.float16))


VALUES = np.array([[3.0, 4.0], [0.0, 0.0], [100.0, 100.0]])


def streams() -> dict[str, dict[str, VideoFeatures]]:
    return {
        "rgb": {"v": video(VALUES, [1, 0.5, 0]), "w": video(np.array([[3.0, 2.0]]), [1])},
        "zero": {"v": video(0 * VALUES, [1, 1, 1])},
        "mute": {"v": video(VALUES, [0, 0, 0])},
    }


def test_raw_inputs_have_no_numbers() -> None:
    assert compute_input_scaling(streams(), "raw") == {}


def test_scaled_inputs_have_a_root_mean_square_of_1_over_covered_snippets() -> None:
    assert compute_input_scaling(streams(), "scaled") == {
        "input_factors": {"rgb": (pytest.approx((38 / 6) ** -0.5),), "zero": (1.0,), "mute": (1.0,)}
    }


def test_standardized_inputs_have_mean_0_and_sd_1_in_each_dimension() -> None:
    found = compute_input_scaling(streams(), "standardized")
    assert found["input_means"]["rgb"] == pytest.approx((2.0, 2.0))
    assert found["input_factors"]["rgb"] == pytest.approx((2**-0.5, (8 / 3) ** -0.5))
    assert (found["input_means"]["zero"], found["input_factors"]["zero"]) == ((0.0, 0.0), (1.0, 1.0))


@pytest.mark.parametrize("means", [{}, {"rgb": (0.5,) * 6, "flow": (0.1,) * 6}], ids=["scaled", "standardized"])
def test_a_localizer_with_numbers_equals_one_on_features_scaled_by_hand(means: dict[str, tuple[float, ...]]) -> None:
    batch = next(create_trainer(planted(), "stpn").feature_table.full_video_batches("v0"))
    config = localizer_config("stpn")
    means = {name: values[:1] * config.dims[name] for name, values in means.items()}
    factors = {"rgb": (3.0,), "flow": tuple(np.linspace(0.5, 2, config.dims["flow"]).tolist())}
    torch.manual_seed(0)
    plain = localizer.build(config).eval()
    torch.manual_seed(0)
    scaled = localizer.build(replace(config, input_means=means, input_factors=factors)).eval()
    assert plain.state_dict().keys() == scaled.state_dict().keys()
    by_hand = {
        name: (x - torch.tensor(means.get(name, (0.0,)))) * torch.tensor(factors[name])
        for name, x in batch.features.items()
    }
    expected, found = plain(replace(batch, features=by_hand)).streams, scaled(batch).streams
    for name in factors:
        torch.testing.assert_close(found[name].cas, expected[name].cas)
    assert not torch.allclose(plain(batch).streams["rgb"].cas, found["rgb"].cas)


def test_standardized_inputs_are_0_in_masked_snippets() -> None:
    config = replace(localizer_config("stpn"), input_means={"rgb": (5.0,), "flow": (5.0,)})
    batch = next(create_trainer(planted(), "stpn").feature_table.full_video_batches("v0"))
    masks = {name: mask.clone() for name, mask in batch.masks.items()}
    masks["rgb"][0, 1] = False
    features = {name: x.clone() for name, x in batch.features.items()}
    features["rgb"][0, 1] = torch.nan
    prepared = localizer.build(config).prepare_batch(replace(batch, features=features, masks=masks))
    assert prepared.features["rgb"][0, 1].eq(0).all()
    assert prepared.features["rgb"][0, 0] == pytest.approx(batch.features["rgb"][0, 0].numpy() - 5)
