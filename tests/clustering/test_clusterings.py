import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clip_ae.clustering.num_clusters import choose_num_clusters, compute_silhouettes
from clip_ae.clustering.relabel import relabel_by_appearance
from clip_ae.clustering.spectral import affinity_matrix
from clip_ae.core.config.registry import CLUSTERINGS, load_module


def planted(videos=40, classes=4, noise=0.1):
    rng = np.random.default_rng(3)
    truth = rng.integers(0, classes, videos)
    return rng.normal(size=(classes, 16))[truth] + noise * rng.normal(size=(videos, 16)), truth


@pytest.mark.parametrize("name", CLUSTERINGS)
def test_planted_clusters_are_found_and_found_again(name):
    z, truth = planted()
    cluster = load_module(CLUSTERINGS[name]).cluster
    found = relabel_by_appearance(cluster(z, 4, 0))
    assert found.dtype == np.int32
    assert (found == relabel_by_appearance(truth)).all()
    assert (cluster(z, 4, 7) == cluster(z, 4, 7)).all()


@pytest.mark.parametrize("name", CLUSTERINGS)
@pytest.mark.parametrize("videos", [4, 5])
def test_hardly_more_videos_than_clusters(name, videos):
    z = np.random.default_rng(0).normal(size=(videos, 8))
    found = load_module(CLUSTERINGS[name]).cluster(z, 4, 0)
    assert found.shape == (videos,)
    assert set(found) <= set(range(4))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CLUSTERINGS)
def test_identical_videos_are_no_error(name):
    assert load_module(CLUSTERINGS[name]).cluster(np.ones((6, 3)), 2, 0).shape == (6,)


def test_affinity_is_tcams():
    z = np.array([[0.0, 0], [3, 4], [0, 8]])
    b = (5 + 8 + 5) / 6
    distance = np.array([[0, 5, 8], [5, 0, 5], [8, 5, 0]])
    np.testing.assert_allclose(affinity_matrix(z), np.exp(-(distance**2) / (2 * b * b)))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20), st.permutations(range(6)))
def test_numbers_depend_on_the_partition_alone(labels, names):
    labels = np.array(labels, np.int32)
    found = relabel_by_appearance(labels)
    assert (found == relabel_by_appearance(np.array(names, np.int32)[labels])).all()
    assert list(dict.fromkeys(found.tolist())) == list(range(len(set(labels.tolist()))))
    assert len({*zip(labels.tolist(), found.tolist(), strict=True)}) == len(set(labels.tolist()))


@pytest.mark.parametrize("name", CLUSTERINGS)
@pytest.mark.parametrize("classes", [3, 6])
def test_the_number_of_planted_clusters_is_found(name, classes):
    z, _ = planted(classes=classes)
    curve = compute_silhouettes(z, load_module(CLUSTERINGS[name]).cluster, 0)
    assert list(curve) == list(range(2, 21))
    assert choose_num_clusters(curve) == classes


def test_of_two_numbers_as_good_the_smaller_is_chosen():
    assert choose_num_clusters({2: 0.1, 3: 0.5, 4: 0.5}) == 3


def test_videos_that_are_alike_tell_no_number():
    assert not compute_silhouettes(np.ones((8, 4)), lambda z, k, seed: np.zeros(len(z), np.int32), 0)
