import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clip_ae.core.types import VideoFeatures
from clip_ae.localizers.batch import Batch
from clip_ae.localizers.feature_table import FeatureTable, sample_snippets, select_batch_videos


def video(name, length, dim=2, coverage=None):
    start = np.arange(length) * 0.64
    coverage = np.ones(length, np.float32) if coverage is None else np.array(coverage, np.float32)
    feature = (np.arange(length * dim).reshape(length, dim) + 1).astype(np.float16)
    return VideoFeatures(name, start, start + 0.64, coverage, feature)


@given(st.integers(1, 200), st.integers(1, 50), st.integers(0, 9))
def test_sampling_takes_one_row_from_each_equal_part(length, max_snippets, seed):
    rows = sample_snippets(length, max_snippets, np.random.default_rng(seed))
    if length <= max_snippets:
        assert rows.tolist() == list(range(length))
    else:
        edges = np.linspace(0, length, max_snippets + 1).astype(int)
        assert len(rows) == max_snippets
        assert (edges[:-1] <= rows).all()
        assert (rows < edges[1:]).all()


def test_sampling_can_draw_all_rows():
    rng = np.random.default_rng(0)
    assert {int(r) for _ in range(200) for r in sample_snippets(10, 4, rng)} == set(range(10))


def test_padding_and_snippets_without_coverage_are_masked():
    streams = {
        "rgb": {"a": video("a", 3), "b": video("b", 1)},
        "audio": {"a": video("a", 3, 4, [1, 0, 0.2]), "b": video("b", 1, 4, [0])},
    }
    table = FeatureTable(streams, "cpu")
    batch = table.batch(["b", "a"], {"a": np.array([0, 1, 2]), "b": np.array([0])})
    assert batch.video_ids == ("b", "a")
    assert batch.features["audio"].shape == (2, 3, 4)
    assert batch.features["rgb"].dtype == torch.float32
    assert batch.features["rgb"][0].tolist() == [[1, 2], [0, 0], [0, 0]]
    assert batch.masks["rgb"].int().tolist() == [[1, 0, 0], [1, 1, 1]]
    assert batch.masks["audio"].int().tolist() == [[0, 0, 0], [1, 0, 1]]
    assert next(table.full_video_batches("a")).features["rgb"][0].tolist() == [[1, 2], [3, 4], [5, 6]]
    assert table.batch(["a"], {"a": np.array([2, 0])}).features["rgb"][0].tolist() == [[5, 6], [1, 2]]


@given(st.integers(1, 9), st.integers(1, 10), st.integers(0, 3))
def test_an_epoch_repeats_no_video_and_skips_less_than_a_batch(num_videos, batch_size, seed):
    video_ids = [str(k) for k in range(num_videos)]
    batch_size = min(batch_size, num_videos)
    steps = num_videos // batch_size
    for first in (0, steps, 5 * steps):
        drawn = [
            i for step in range(first, first + steps) for i in select_batch_videos(video_ids, batch_size, step, seed)
        ]
        assert len(drawn) == len(set(drawn)) == steps * batch_size > num_videos - batch_size
    drawn = {i for step in range(60) for i in select_batch_videos(video_ids, batch_size, step, seed)}
    assert drawn == set(video_ids)


def test_a_batch_size_above_the_number_of_videos_gives_all_videos():
    assert sorted(select_batch_videos(["a", "b", "c"], 16, 7, 0)) == ["a", "b", "c"]


def test_the_videos_of_a_step_depend_on_step_and_seed_only():
    video_ids = [str(k) for k in range(5)]
    steps = [select_batch_videos(video_ids, 3, step, 0) for step in range(20)]
    assert [select_batch_videos(video_ids, 3, step, 0) for step in reversed(range(20))] == steps[::-1]
    assert [select_batch_videos(video_ids, 3, step, 1) for step in range(20)] != steps


def test_a_batch_checks_its_shapes():
    mask = {"rgb": torch.ones(2, 4, dtype=torch.bool), "flow": torch.ones(2, 4, dtype=torch.bool)}
    good = {"rgb": torch.zeros(2, 4, 3), "flow": torch.zeros(2, 4, 5)}
    Batch(("a", "b"), good, mask)
    for bad in (torch.zeros(2, 3, 5), torch.zeros(1, 4, 5), torch.zeros(2, 4)):
        with pytest.raises(ValueError, match="flow: features"):
            Batch(("a", "b"), {**good, "flow": bad}, mask)
