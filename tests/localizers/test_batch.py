import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clip_ae.core.types import VideoFeatures
from clip_ae.localizers.batch import collate, sample, shuffled, whole


def video(name, length, dim=2, coverage=None):
    start = np.arange(length) * 0.64
    coverage = np.ones(length, np.float32) if coverage is None else np.array(coverage, np.float32)
    feature = (np.arange(length * dim).reshape(length, dim) + 1).astype(np.float16)
    return VideoFeatures(name, start, start + 0.64, coverage, feature)


@given(st.integers(1, 200), st.integers(1, 50), st.integers(0, 9))
def test_sampling_takes_one_row_from_each_equal_part(length, snippets, seed):
    rows = sample(length, snippets, np.random.default_rng(seed))
    if length <= snippets:
        assert rows.tolist() == list(range(length))
    else:
        edges = np.linspace(0, length, snippets + 1).astype(int)
        assert len(rows) == snippets
        assert (edges[:-1] <= rows).all()
        assert (rows < edges[1:]).all()


def test_sampling_reaches_every_row():
    rng = np.random.default_rng(0)
    assert {int(r) for _ in range(200) for r in sample(10, 4, rng)} == set(range(10))


def test_padding_and_snippets_without_coverage_are_masked():
    streams = {
        "rgb": {"a": video("a", 3), "b": video("b", 1)},
        "audio": {"a": video("a", 3, 4, [1, 0, 0.2]), "b": video("b", 1, 4, [0])},
    }
    batch = collate(streams, ["b", "a"], {"a": np.array([0, 1, 2]), "b": np.array([0])}, 4)
    assert batch.ids == ("b", "a")
    assert batch.features["audio"].shape == (2, 4, 4)
    assert batch.mask["rgb"].int().tolist() == [[1, 0, 0, 0], [1, 1, 1, 0]]
    assert batch.mask["audio"].int().tolist() == [[0, 0, 0, 0], [1, 0, 1, 0]]
    assert whole(streams, "a").features["rgb"][0].tolist() == [[1, 2], [3, 4], [5, 6]]


@given(st.integers(1, 7), st.integers(1, 10))
def test_batches_go_through_all_videos_before_any_again(videos, size):
    ids = [str(k) for k in range(videos)]
    batches = shuffled(ids, size, np.random.default_rng(0))
    drawn = [i for _ in range(videos) for i in next(batches)]
    assert all(drawn.count(i) == size for i in ids)
