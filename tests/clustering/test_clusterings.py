from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform

from clip_ae.clustering import kmeans, num_clusters, nystroem, spectral
from clip_ae.clustering.num_clusters import choose_num_clusters, compute_silhouettes
from clip_ae.clustering.relabel import relabel_by_appearance
from clip_ae.clustering.spectral import affinity_matrix
from clip_ae.core.config.registry import CLUSTERINGS, load_module


def planted(videos=40, classes=4, noise=0.1):
    """Noisy descriptors around one random centre for each class, and the true classes."""
    rng = np.random.default_rng(3)
    true_classes = rng.integers(0, classes, videos)
    return rng.normal(size=(classes, 16))[true_classes] + noise * rng.normal(size=(videos, 16)), true_classes


@pytest.mark.parametrize("name", CLUSTERINGS)
def test_planted_clusters_are_found_and_clustering_is_deterministic(name):
    z, true_classes = planted()
    prepare = load_module(CLUSTERINGS[name]).prepare
    clusters = relabel_by_appearance(prepare(z, 0)(4))
    assert clusters.dtype == np.int32
    assert (clusters == relabel_by_appearance(true_classes)).all()
    partition = prepare(z, 7)
    assert (partition(4) == prepare(z, 7)(4)).all()
    # Another number in between changes nothing.
    assert not (partition(3) == partition(4)).all()
    assert (partition(4) == prepare(z, 7)(4)).all()


@pytest.mark.parametrize("name", CLUSTERINGS)
@pytest.mark.parametrize("videos", [4, 5])
def test_as_many_videos_as_clusters_or_one_more(name, videos):
    z = np.random.default_rng(0).normal(size=(videos, 8))
    clusters = load_module(CLUSTERINGS[name]).prepare(z, 0)(4)
    assert clusters.shape == (videos,)
    assert set(clusters) <= set(range(4))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CLUSTERINGS)
def test_identical_videos_can_be_clustered(name):
    assert load_module(CLUSTERINGS[name]).prepare(np.ones((6, 3)), 0)(2).shape == (6,)


def test_affinity_equals_its_equation():
    z = np.array([[0.0, 0], [3, 4], [0, 8]])
    b = (5 + 8 + 5) / 6
    distances = np.array([[0, 5, 8], [5, 0, 5], [8, 5, 0]])
    np.testing.assert_allclose(affinity_matrix(z), np.exp(-(distances**2) / (2 * b * b)))


@pytest.mark.parametrize("size", [1, 2, 3, 40])
def test_the_width_of_the_affinity_has_the_bits_of_a_mean_over_the_triangle(size):
    z = np.random.default_rng(0).normal(size=(size, 5))
    distances = squareform(pdist(z))
    b = distances[np.triu_indices(size)].mean()
    expected = np.exp(-np.square(distances) / (2 * b * b)) if b else np.ones((1, 1))
    assert (affinity_matrix(z) == expected).all()


def test_with_every_point_a_landmark_the_nystroem_embedding_is_the_exact_one():
    z, _ = planted(noise=1.0)
    w = affinity_matrix(z)
    degree = w.sum(axis=1)
    _, vectors = np.linalg.eigh(w / np.sqrt(np.outer(degree, degree)))
    exact = (vectors / np.sqrt(degree)[:, None])[:, ::-1][:, :4]
    # The exact width counts the diagonal once and here twice: a little smoother.
    with mock.patch.object(nystroem, "MIN_POINTS", 1):
        embedding = nystroem.prepare_embedding(z, 0)(4)
    cosines = np.sum(exact * embedding, axis=0) / np.linalg.norm(exact, axis=0) / np.linalg.norm(embedding, axis=0)
    assert (np.abs(cosines) > 0.999).all()


@pytest.mark.parametrize("dim", [16, 1000])
def test_many_videos_are_clustered_by_the_nystroem_method(dim):
    rng = np.random.default_rng(0)
    true_classes = rng.integers(0, 4, 300)
    # In 1,000 dimensions, clusters of landmarks that are points would be those of landmarks and of other points.
    z = rng.normal(size=(4, dim))[true_classes] + (0.5 if dim == 16 else 4.0) * rng.normal(size=(300, dim))
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    with mock.patch.object(spectral, "MAX_EXACT", 299), mock.patch.object(nystroem, "NUM_LANDMARKS", 60):
        clusters = relabel_by_appearance(spectral.prepare(z, 0)(4))
    assert np.mean(clusters == relabel_by_appearance(true_classes)) > 0.97


@pytest.mark.filterwarnings("ignore")
def test_identical_videos_have_a_nystroem_embedding():
    assert nystroem.prepare(np.ones((20, 3)), 0)(2).shape == (20,)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20), st.permutations(range(6)))
def test_cluster_numbers_depend_on_the_partition_only(labels, permutation):
    labels = np.array(labels, np.int32)
    relabelled = relabel_by_appearance(labels)
    assert (relabelled == relabel_by_appearance(np.array(permutation, np.int32)[labels])).all()
    assert list(dict.fromkeys(relabelled.tolist())) == list(range(len(set(labels.tolist()))))
    assert len({*zip(labels.tolist(), relabelled.tolist(), strict=True)}) == len(set(labels.tolist()))


@pytest.mark.parametrize("name", CLUSTERINGS)
@pytest.mark.parametrize("classes", [3, 6])
def test_the_number_of_planted_clusters_is_found(name, classes):
    z, _ = planted(classes=classes)
    silhouettes = compute_silhouettes(z, load_module(CLUSTERINGS[name]).prepare(z, 0), 0)
    assert list(silhouettes) == list(range(2, 21))
    assert choose_num_clusters(silhouettes) == classes


def test_the_smaller_of_two_equally_good_numbers_is_chosen():
    assert choose_num_clusters({2: 0.1, 3: 0.5, 4: 0.5}) == 3


def test_silhouettes_of_many_videos_are_of_a_sample():
    z, _ = planted(videos=400, classes=3)
    with mock.patch.object(num_clusters, "MAX_COMPARED", 100):
        silhouettes = compute_silhouettes(z, kmeans.prepare(z, 0), 0)
    assert choose_num_clusters(silhouettes) == 3
    assert silhouettes != compute_silhouettes(z, kmeans.prepare(z, 0), 0)


def test_a_number_whose_smallest_cluster_is_not_in_the_sample_is_left_out():
    z, _ = planted(videos=300, classes=3)
    with mock.patch.object(num_clusters, "MAX_COMPARED", 50):
        silhouettes = compute_silhouettes(z, lambda k: np.minimum(np.arange(len(z)), k - 1)[::-1], 1)
    assert silhouettes == {}


def test_identical_videos_give_no_silhouettes():
    assert not compute_silhouettes(np.ones((8, 4)), lambda k: np.zeros(8, np.int32), 0)
