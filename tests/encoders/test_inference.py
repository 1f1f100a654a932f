"""Inference of a network: from and to numpy, in its own precision."""

import numpy as np
import torch

from clip_ae.core.config.streams import I3dEncoder
from clip_ae.encoders.inference import DTYPES, compile_forward, infer


def test_inference_returns_fp32_arrays():
    layer = torch.nn.Linear(2, 3).to(DTYPES["bf16"])
    output = infer(lambda x: layer(x.to(DTYPES["bf16"])), np.ones((4, 2), np.float32), "cpu")
    assert output.shape == (4, 3)
    assert output.dtype == np.float32


def test_a_network_is_compiled_only_if_configured():
    def forward(x):
        return x

    assert compile_forward(forward, I3dEncoder()) is forward
    assert compile_forward(forward, I3dEncoder(compile=True)) is not forward
