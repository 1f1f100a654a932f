"""TV-L1 in torch: OpenCV's flow, many pairs at once, none of which feels the others."""

import cv2
import numpy as np
import pytest
import torch

from benchmarks.flow import MEDIA, real
from clip_ae.core.config.registry import FLOW_ALGORITHMS, load_module
from clip_ae.encoders.crops import convert_to_grey
from clip_ae.encoders.flows import tvl1_torch

# Numbers of waves across and down, brightness and phase of what makes a texture.
WAVES = np.random.default_rng(0).uniform((-0.9, -0.9, 5, 0), (0.9, 0.9, 25, 6.3), (12, 4))


def texture(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Brightness at any place, not only at whole pixels."""
    return 128 + sum(height * np.sin(a * x + b * y + phase) for a, b, height, phase in WAVES) / 2


def picture(motion=(0.0, 0.0), turn: float = 0.0, size=(72, 96)) -> np.ndarray:
    """A frame [H, W, 3] of the texture after a shift (x, y) and a turn about the corner, in radians."""
    y, x = np.mgrid[: size[0], : size[1]].astype(float)
    x, y = x - motion[0] + turn * y, y - motion[1] - turn * x
    return np.repeat(np.rint(texture(x, y)).clip(0, 255).astype(np.uint8)[..., None], 3, axis=-1)


def frames(*pictures: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack(pictures))[None]


# Pairs that converge after few, some and many iterations.
PAIRS = [
    frames(picture(size=(40, 56)), picture(motion, turn, size=(40, 56)))
    for motion, turn in [((0, 0), 0.0), ((1.3, -0.6), 0.0), ((-4, 3), 0.1)]
]


def opencv(pairs: torch.Tensor) -> np.ndarray:
    return load_module(FLOW_ALGORITHMS["tvl1"]).build("cpu")(pairs).numpy()


def endpoint_difference(pairs: torch.Tensor) -> np.ndarray:
    return np.linalg.norm(tvl1_torch.compute_flow(pairs).numpy() - opencv(pairs), axis=-1)


@pytest.mark.parametrize(("motion", "turn"), [((1.3, -0.6), 0.0), ((-2, 1), 0.03), ((0, 0), -0.05)])
def test_as_opencv(motion, turn):
    difference = endpoint_difference(frames(picture(), picture(motion, turn)))
    assert difference.mean() < 0.02
    assert np.percentile(difference, 95) < 0.1


def test_as_opencv_where_a_warp_takes_long():
    # Further than the coarsest image sees: the median filter has its turn again and again.
    assert endpoint_difference(frames(picture(), picture((8, 0)))).mean() < 0.1


def test_as_opencv_where_the_pyramid_is_cut_short():
    size = (22, 40)
    assert endpoint_difference(frames(picture(size=size), picture((1, 0.5), size=size))).mean() < 0.02


@pytest.mark.parametrize("shift", [(0, 0), (1, 0), (0, -2), (3, 2), (0.5, 0.25), (-1.7, 0.4)])
def test_an_exact_shift(shift):
    found = tvl1_torch.compute_flow(frames(picture(), picture(shift)))[0, 0]
    assert found.shape == (72, 96, 2)
    assert found.dtype == torch.float32
    inside = found[8:-8, 8:-8]
    np.testing.assert_allclose(inside.flatten(0, 1).median(0).values, shift, atol=0.05)
    assert (inside - torch.tensor(shift)).abs().mean() < 0.1


def test_flow_runs_from_each_frame_to_its_next():
    across = frames(picture(), picture((1, 0)), picture((3, 0)))
    down = frames(picture(), picture((0, -1)), picture((0, -1)))
    found = tvl1_torch.compute_flow(torch.cat((across, down)))
    assert found.shape == (2, 2, 72, 96, 2)
    middle = found.flatten(2, 3).median(2).values
    np.testing.assert_allclose(middle, [[(1, 0), (2, 0)], [(0, -1), (0, 0)]], atol=0.03)


@pytest.mark.parametrize("look_every", [1, 10])
def test_a_pair_does_not_feel_its_neighbours(monkeypatch, look_every):
    monkeypatch.setitem(tvl1_torch.MAX_PIXELS, "cpu", 1 << 24)
    alone = [tvl1_torch.compute_flow(pair) for pair in PAIRS]
    monkeypatch.setitem(tvl1_torch.CHECK_EVERY, "cpu", look_every)
    assert torch.equal(tvl1_torch.compute_flow(torch.cat(PAIRS)), torch.cat(alone))


def test_pairs_are_worked_on_in_parts(monkeypatch):
    together = tvl1_torch.compute_flow(torch.cat(PAIRS))
    monkeypatch.setitem(tvl1_torch.MAX_PIXELS, "cpu", 1)
    assert torch.equal(tvl1_torch.compute_flow(torch.cat(PAIRS)), together)


def test_the_pyramid_is_opencvs():
    expected = [np.random.default_rng(0).normal(size=(31, 53)).astype(np.float32)]
    while len(expected) < 4:
        expected.append(cv2.resize(expected[-1], None, fx=0.8, fy=0.8, interpolation=cv2.INTER_LINEAR))
    scales = tvl1_torch.build_pyramid(torch.from_numpy(expected[0])[None, None], tvl1_torch.Tvl1Parameters())
    assert len(scales) == len(expected)
    for image, truth in zip(scales, expected, strict=True):
        np.testing.assert_allclose(image[0, 0], truth, atol=1e-5)


def test_the_median_is_opencvs():
    noise = torch.randn(2, 3, 17, 23, generator=torch.Generator().manual_seed(0))
    expected = [[cv2.medianBlur(image.numpy(), 5) for image in images] for images in noise]
    np.testing.assert_array_equal(tvl1_torch.median_filter(noise), expected)


def test_grey_is_that_of_the_other_flows():
    colours = np.random.default_rng(0).integers(0, 256, (2, 30, 40, 3), np.uint8)
    np.testing.assert_array_equal(
        tvl1_torch.convert_to_grey_tensor(torch.from_numpy(colours)), convert_to_grey(colours)
    )


@pytest.mark.gpu
@pytest.mark.parametrize("compile", [False, True])
def test_a_gpu_finds_the_same(compile):
    """The median feeds rounded numbers back, so last bits grow where there is no texture: no bound on the mean."""
    pairs = torch.cat(PAIRS)
    found = tvl1_torch.build("cuda", compile=compile)(pairs.cuda()).cpu()
    distance = (found - tvl1_torch.compute_flow(pairs)).norm(dim=-1)
    assert distance.median() < 0.01
    assert distance.quantile(0.9) < 0.15


@pytest.mark.gpu
def test_neighbours_change_nothing_on_a_gpu():
    alone = torch.cat([tvl1_torch.compute_flow(pair.cuda()) for pair in PAIRS])
    assert torch.equal(tvl1_torch.compute_flow(torch.cat(PAIRS).cuda()), alone)


@pytest.mark.real
@pytest.mark.skipif(not MEDIA.is_dir(), reason="no ../shared/media")
def test_as_opencv_on_real_frames():
    difference = endpoint_difference(torch.cat([real(video, 4) for video in sorted(MEDIA.glob("*.mp4"))]))
    assert difference.mean() < 0.15
    assert np.median(difference) < 0.05
