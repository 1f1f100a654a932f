"""Inference of a network: from and to numpy, in its own precision."""

import numpy as np
import torch

from clip_ae.core.config.streams import I3dEncoder
from clip_ae.encoders.inference import DTYPES, accelerate, infer
from clip_ae.encoders.openvino_backend import OpenvinoForward


def test_inference_returns_fp32_arrays():
    layer = torch.nn.Linear(2, 3).to(DTYPES["bf16"])
    output = infer(lambda x: layer(x.to(DTYPES["bf16"])), np.ones((4, 2), np.float32), "cpu")
    assert output.shape == (4, 3)
    assert output.dtype == np.float32


def test_a_network_is_compiled_only_if_configured():
    layer = torch.nn.Linear(2, 3)
    assert accelerate(layer, layer, I3dEncoder()) is layer
    assert accelerate(layer, layer, I3dEncoder(compile=True)) is not layer
    assert isinstance(accelerate(layer, layer, I3dEncoder(backend="openvino")), OpenvinoForward)
