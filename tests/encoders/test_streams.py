"""Every stream's contract: shapes, value ranges, neighbours, misfits."""

from typing import Any

import numpy as np
import pytest

from clip_ae.core.config import (
    AudioEncoder,
    ClipEncoder,
    ClipOptions,
    FlowEncoder,
    I3dOptions,
    RgbEncoder,
    VggishOptions,
)
from clip_ae.core.tables import NETWORKS, STREAMS, load
from clip_ae.core.typed import plain
from clip_ae.encoders.networks.fit import tensors_of

SMALL = {
    "rgb": (RgbEncoder(), {"i3d": I3dOptions(3, 0.125, 40, 32)}, 128),
    "flow": (FlowEncoder(algorithm="dis"), {"i3d": I3dOptions(2, 0.125, 40, 32)}, 128),
    "clip": (ClipEncoder(), {"clip": ClipOptions("tiny")}, 64),
    "audio": (AudioEncoder(), {"vggish": VggishOptions(0.125)}, 16),
}
PREPARED = {"rgb": (3, 16, 32, 32), "flow": (2, 16, 32, 32), "clip": (4, 3, 48, 48), "audio": (1, 96, 64)}


@pytest.fixture(scope="module", params=SMALL)
def stream(request: Any) -> Any:
    return request.param, make(request.param)


def make(name: str) -> Any:
    encoder, options, _ = SMALL[name]
    ((kind, value),) = options.items()
    tensors = tensors_of(load(NETWORKS[kind]).build(value))
    return load(STREAMS[name]).build(encoder, {kind: plain(value)}, tensors, "cpu")


def window(stream: Any, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    if stream.short_side is None:
        return rng.uniform(-0.3, 0.3, 15360).astype(np.float32)
    shape = (16 + stream.lookahead, stream.short_side, stream.short_side + 13, 3)
    return rng.integers(0, 256, shape, dtype=np.uint8)


def test_shapes_and_types(stream):
    name, encoder = stream
    prepared = encoder.prepare(window(encoder, 0))
    assert prepared.shape == PREPARED[name]
    assert prepared.dtype == np.float32
    encoded = encoder.encode(np.stack([prepared] * 2))
    assert encoded.shape == (2, encoder.dim) == (2, SMALL[name][2])
    assert encoded.dtype == np.float32
    assert np.isfinite(encoded).all()


def test_neighbours_do_not_change_a_row(stream):
    _, encoder = stream
    a, b, c = (encoder.prepare(window(encoder, i)) for i in range(3))
    one, two = encoder.encode(np.stack([a, b])), encoder.encode(np.stack([a, c]))
    assert one[0].tobytes() == two[0].tobytes()
    assert one[1].tobytes() != two[1].tobytes()
