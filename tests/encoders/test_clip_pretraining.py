"""Pre-training of CLIP: the loss equals its formula, and other networks are an error."""

import numpy as np
import pytest
import torch

from clip_ae.core.config.schema import I3dOptions, PretrainSchedule, Weights
from clip_ae.encoders.pretraining import clip_pretraining


def test_info_nce_equals_its_formula():
    s = np.random.default_rng(0).normal(size=(4, 4))
    rows = [s[i, i] - np.log(np.exp(s[i]).sum()) for i in range(4)]
    columns = [s[i, i] - np.log(np.exp(s[:, i]).sum()) for i in range(4)]
    expected = -np.mean(np.add(rows, columns)) / 2
    assert float(clip_pretraining.info_nce(torch.from_numpy(s))) == pytest.approx(expected)


def test_weights_of_another_network_are_an_error():
    weights = Weights("pretrain", i3d=I3dOptions())
    with pytest.raises(ValueError, match="weights of the kind i3d; only a CLIP is trained on captions"):
        clip_pretraining.train(weights, PretrainSchedule(), 0, [])
