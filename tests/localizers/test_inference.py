"""A very long video is localized in parts, each as a video of its own."""

from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np
import pytest

from clip_ae.clustering.pooling import pool_descriptors
from clip_ae.core import long_videos
from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.types import VideoFeatures
from clip_ae.localizers import attention_pool
from clip_ae.localizers.feature_table import FeatureTable
from clip_ae.localizers.inference import predict_branches, predict_video
from clip_ae.localizers.model_state import module_arrays
from tests.localizers.planted import BOTH, ROWS, create_trainer, localizer_config, planted

METHODS = (("stpn", {}), ("clip_ae", BOTH), ("topk_mil", {}))


def cut(video: VideoFeatures, rows: slice, name: str) -> VideoFeatures:
    columns = {key: getattr(video, key)[rows] for key in ("start", "stop", "coverage", "feature")}
    return replace(video, video_id=name, **columns)


@pytest.mark.parametrize(("method", "switches"), METHODS)
def test_parts_are_predicted_like_videos_and_joined(method: str, switches: dict[str, Any]) -> None:
    streams = planted()
    third = -(-ROWS // 3)
    localizer = create_trainer(streams, method, **switches).learner.final_localizer.eval()
    with mock.patch.object(long_videos, "MAX_PART_ROWS", third):
        parts = long_videos.split_rows(ROWS)
        table = FeatureTable(streams, "cpu")
        whole = predict_video(localizer, table, "v0", stream_weights={})
        branches = predict_branches(localizer, table, "v0")
    pieces = {
        name: {f"p{k}": cut(videos["v0"], part, f"p{k}") for k, part in enumerate(parts)}
        for name, videos in streams.items()
    }
    apart = FeatureTable(pieces, "cpu")
    predictions = [predict_video(localizer, apart, name, stream_weights={}) for name in pieces["rgb"]]
    np.testing.assert_array_equal(whole.attention, np.concatenate([p.attention for p in predictions]))
    np.testing.assert_array_equal(whole.activation, np.concatenate([p.activation for p in predictions]))
    lengths = [part.stop - part.start for part in parts]
    np.testing.assert_allclose(whole.scores, np.average([p.scores for p in predictions], axis=0, weights=lengths))
    assert all(len(branch.attention) == ROWS for branch in branches.values())


def test_descriptors_of_a_long_video_have_the_attention_of_its_parts() -> None:
    streams = planted()
    trainer = create_trainer(streams, "stpn")
    localizer = trainer.learner.final_localizer.eval()
    given = {"use_fused": False, "descriptor_weights": "attention"}
    metadata = {"localizer_config": to_plain_data(localizer_config("stpn", width=8, dropout=0.2))}
    with mock.patch.object(long_videos, "MAX_PART_ROWS", 6):
        pooled, weights = attention_pool.prepare_pooling(streams, module_arrays(localizer), metadata, "cpu", **given)
        branches = predict_branches(localizer, FeatureTable(streams, "cpu"), "v0")
        descriptors = pool_descriptors(pooled, weights)
    attention = branches["rgb"].attention
    np.testing.assert_allclose(weights["rgb"]["v0"], attention / attention.sum())
    assert descriptors.shape == (len(streams["rgb"]), sum(videos["v0"].feature.shape[1] for videos in pooled.values()))
