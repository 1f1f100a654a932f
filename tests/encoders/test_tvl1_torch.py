"""TV-L1 in torch: the same flow as OpenCV's, for many pairs at once that do not affect each other."""

import cv2
import numpy as np
import pytest
import torch

from benchmarks.flow import MEDIA, load_real_pairs
from clip_ae.core.config.registry import FLOW_ALGORITHMS, load_module
from clip_ae.encoders.crops import convert_to_grey
from clip_ae.encoders.flows import tvl1_torch

# The waves of the texture: frequency in x and y, amplitude and phase.
WAVES = np.random.default_rng(0).uniform((-0.9, -0.9, 5, 0), (0.9, 0.9, 25, 6.3), (12, 4))


def texture(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Brightness at any position, not only at whole pixels."""
    return 128 + sum(height * np.sin(a * x + b * y + phase) for a, b, height, phase in WAVES) / 2


def draw_frame(motion=(0.0, 0.0), turn: float = 0.0, size=(72, 96)) -> np.ndarray:
    """A frame [H, W, 3] of the texture after a shift (x, y) and a turn about the corner, in radians."""
    y, x = np.mgrid[: size[0], : size[1]].astype(float)
    x, y = x - motion[0] + turn * y, y - motion[1] - turn * x
    return np.repeat(np.rint(texture(x, y)).clip(0, 255).astype(np.uint8)[..., None], 3, axis=-1)


def frames(*images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack(images))[None]


# Pairs that converge after few, more and many iterations.
PAIRS = [
    frames(draw_frame(size=(40, 56)), draw_frame(motion, turn, size=(40, 56)))
    for motion, turn in [((0, 0), 0.0), ((1.3, -0.6), 0.0), ((-4, 3), 0.1)]
]


def compute_opencv_flow(pairs: torch.Tensor) -> np.ndarray:
    return load_module(FLOW_ALGORITHMS["tvl1"]).build("cpu")(pairs).numpy()


def endpoint_difference(pairs: torch.Tensor) -> np.ndarray:
    return np.linalg.norm(tvl1_torch.compute_flow(pairs).numpy() - compute_opencv_flow(pairs), axis=-1)


@pytest.mark.parametrize(("motion", "turn"), [((1.3, -0.6), 0.0), ((-2, 1), 0.03), ((0, 0), -0.05)])
def test_flow_is_close_to_opencv_s(motion, turn):
    difference = endpoint_difference(frames(draw_frame(), draw_frame(motion, turn)))
    assert difference.mean() < 0.02
    assert np.percentile(difference, 95) < 0.1


def test_flow_is_close_to_opencv_s_for_a_large_motion():
    # A motion that is large on the coarsest image needs many iterations, with the median filter between them.
    assert endpoint_difference(frames(draw_frame(), draw_frame((8, 0)))).mean() < 0.1


def test_flow_is_close_to_opencv_s_with_a_short_pyramid():
    size = (22, 40)
    assert endpoint_difference(frames(draw_frame(size=size), draw_frame((1, 0.5), size=size))).mean() < 0.02


@pytest.mark.parametrize("shift", [(0, 0), (1, 0), (0, -2), (3, 2), (0.5, 0.25), (-1.7, 0.4)])
def test_exact_shifts(shift):
    flow = tvl1_torch.compute_flow(frames(draw_frame(), draw_frame(shift)))[0, 0]
    assert flow.shape == (72, 96, 2)
    assert flow.dtype == torch.float32
    inside = flow[8:-8, 8:-8]
    np.testing.assert_allclose(inside.flatten(0, 1).median(0).values, shift, atol=0.05)
    assert (inside - torch.tensor(shift)).abs().mean() < 0.1


def test_flow_is_from_each_frame_to_the_next():
    across = frames(draw_frame(), draw_frame((1, 0)), draw_frame((3, 0)))
    down = frames(draw_frame(), draw_frame((0, -1)), draw_frame((0, -1)))
    flow = tvl1_torch.compute_flow(torch.cat((across, down)))
    assert flow.shape == (2, 2, 72, 96, 2)
    middle = flow.flatten(2, 3).median(2).values
    np.testing.assert_allclose(middle, [[(1, 0), (2, 0)], [(0, -1), (0, 0)]], atol=0.03)


@pytest.mark.parametrize("check_every", [1, 10])
def test_flow_of_a_pair_does_not_depend_on_the_batch(monkeypatch, check_every):
    monkeypatch.setitem(tvl1_torch.MAX_PIXELS, "cpu", 1 << 24)
    single_flows = [tvl1_torch.compute_flow(pair) for pair in PAIRS]
    monkeypatch.setitem(tvl1_torch.CHECK_EVERY, "cpu", check_every)
    assert torch.equal(tvl1_torch.compute_flow(torch.cat(PAIRS)), torch.cat(single_flows))


def test_processing_pairs_in_chunks_gives_the_same_flow(monkeypatch):
    all_flows = tvl1_torch.compute_flow(torch.cat(PAIRS))
    monkeypatch.setitem(tvl1_torch.MAX_PIXELS, "cpu", 1)
    assert torch.equal(tvl1_torch.compute_flow(torch.cat(PAIRS)), all_flows)


def test_the_pyramid_equals_opencv_s():
    expected = [np.random.default_rng(0).normal(size=(31, 53)).astype(np.float32)]
    while len(expected) < 4:
        expected.append(cv2.resize(expected[-1], None, fx=0.8, fy=0.8, interpolation=cv2.INTER_LINEAR))
    scales = tvl1_torch.build_pyramid(torch.from_numpy(expected[0])[None, None], tvl1_torch.Tvl1Parameters())
    assert len(scales) == len(expected)
    for image, truth in zip(scales, expected, strict=True):
        np.testing.assert_allclose(image[0, 0], truth, atol=1e-5)


def test_the_median_filter_equals_opencv_s():
    noise = torch.randn(2, 3, 17, 23, generator=torch.Generator().manual_seed(0))
    expected = [[cv2.medianBlur(image.numpy(), 5) for image in images] for images in noise]
    np.testing.assert_array_equal(tvl1_torch.median_filter(noise), expected)


def test_grey_equals_that_of_the_other_flow_algorithms():
    colours = np.random.default_rng(0).integers(0, 256, (2, 30, 40, 3), np.uint8)
    np.testing.assert_array_equal(
        tvl1_torch.convert_to_grey_tensor(torch.from_numpy(colours)), convert_to_grey(colours)
    )


@pytest.mark.gpu
@pytest.mark.parametrize("compile", [False, True])
def test_gpu_flow_is_close_to_cpu_flow(compile):
    """The median filter amplifies rounding differences where there is no texture, so the mean has no bound."""
    pairs = torch.cat(PAIRS)
    flow = tvl1_torch.build("cuda", compile=compile)(pairs.cuda()).cpu()
    distance = (flow - tvl1_torch.compute_flow(pairs)).norm(dim=-1)
    assert distance.median() < 0.01
    assert distance.quantile(0.9) < 0.15


@pytest.mark.gpu
def test_gpu_flow_of_a_pair_does_not_depend_on_the_batch():
    single_flows = torch.cat([tvl1_torch.compute_flow(pair.cuda()) for pair in PAIRS])
    assert torch.equal(tvl1_torch.compute_flow(torch.cat(PAIRS).cuda()), single_flows)


@pytest.mark.real
@pytest.mark.skipif(not MEDIA.is_dir(), reason="no ../shared/media")
def test_flow_is_close_to_opencv_s_on_real_frames():
    difference = endpoint_difference(torch.cat([load_real_pairs(video, 4) for video in sorted(MEDIA.glob("*.mp4"))]))
    assert difference.mean() < 0.15
    assert np.median(difference) < 0.05
