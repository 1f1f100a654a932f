import numpy as np
import pytest

from clip_ae.clustering import mean_pool
from clip_ae.clustering.pooling import pool_descriptors
from clip_ae.core.types import VideoFeatures


def video(name, feature, coverage):
    start = np.arange(len(feature)) * 0.64
    return VideoFeatures(name, start, start + 0.64, np.array(coverage, np.float32), np.array(feature, np.float16))


def test_a_descriptor_is_one_unit_vector_for_each_stream():
    rgb = {"a": video("a", [[3, 0], [0, 4], [100, 100]], [1, 0.5, 0]), "b": video("b", [[0, 2]], [1])}
    flow = {"a": video("a", [[1, 0, 0]] * 3, [1, 1, 1]), "b": video("b", [[5, 5, 5]], [0])}
    streams = {"rgb": rgb, "flow": flow}
    z = pool_descriptors(*mean_pool.prepare_pooling(streams))
    # b has no flow: its part is 0, not nan.
    np.testing.assert_allclose(z, [[0.6, 0.8, 1, 0, 0], [0, 1, 0, 0, 0]])


@pytest.mark.parametrize("factor", [0.5, 8.0])
def test_the_scale_of_a_stream_does_not_change_descriptors(factor):
    rng = np.random.default_rng(0)
    x = rng.integers(1, 9, (3, 4, 5))
    streams = {"rgb": {str(k): video(str(k), v, [1] * 4) for k, v in enumerate(x)}}
    scaled = {"rgb": {str(k): video(str(k), v * factor, [1] * 4) for k, v in enumerate(x)}}
    np.testing.assert_allclose(
        pool_descriptors(*mean_pool.prepare_pooling(streams)),
        pool_descriptors(*mean_pool.prepare_pooling(scaled)),
        rtol=1e-12,
    )
