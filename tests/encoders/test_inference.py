"""A network at work: from numpy and back, in its own precision."""

import numpy as np
import torch

from clip_ae.core.config.schema import RgbEncoder
from clip_ae.encoders.inference import DTYPES, compile_forward, infer


def test_numbers_come_back_in_fp32_without_a_history():
    layer = torch.nn.Linear(2, 3).to(DTYPES["bf16"])
    found = infer(lambda x: layer(x.to(DTYPES["bf16"])), np.ones((4, 2), np.float32), "cpu")
    assert found.shape == (4, 3)
    assert found.dtype == np.float32


def test_nothing_is_translated_unasked():
    def forward(x):
        return x

    assert compile_forward(forward, RgbEncoder()) is forward
    assert compile_forward(forward, RgbEncoder(compile=True)) is not forward
