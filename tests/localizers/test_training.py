import numpy as np
import pytest
import torch

from clip_ae.core.config import Training
from clip_ae.core.errors import UserError
from clip_ae.core.types import VideoFeatures
from clip_ae.localizers import attention_pool
from clip_ae.localizers.checkpoint import about, arrays, restore
from clip_ae.localizers.inference import curves
from clip_ae.localizers.training import create, train

DIMS = {"rgb": 8, "flow": 8}
SETTINGS = Training(snippets=20, batch=4, steps=150, learning_rate=2e-2, log_every=50, weight_decay=1.5e-3)
SPARSE = {"sparsity": 3e-2}
ACTION = slice(5, 12)


def planted(videos=9, classes=3, rows=16):
    """Video n acts as class n mod 3 within ACTION; all share a background."""
    rng = np.random.default_rng(0)
    streams = {}
    for name, dim in DIMS.items():
        prototypes = 2 * np.eye(dim)
        streams[name] = {}
        for n in range(videos):
            x = prototypes[-1] + 0.1 * rng.normal(size=(rows, dim))
            x[ACTION] += prototypes[n % classes] - prototypes[-1]
            t = np.arange(rows) * 0.64
            streams[name][f"v{n}"] = VideoFeatures(
                f"v{n}", t, t + 0.64, np.ones(rows, np.float32), x.astype(np.float16)
            )
    return streams, {f"v{n}": n % classes for n in range(videos)}


def trained(streams, clusters, seed=0, settings=SETTINGS):
    head = create("stpn", DIMS, 3, seed)
    steps = train(head, streams, clusters, classes=3, settings=settings, loss_weights=SPARSE, seed=seed, device="cpu")
    return head, [line for line in steps if line]


@pytest.fixture(scope="module")
def result():
    torch.set_num_threads(1)
    streams, clusters = planted()
    return streams, clusters, *trained(streams, clusters)


def test_losses_fall_and_are_logged_by_name(result):
    *_, log = result
    assert [line["step"] for line in log] == [50, 100, 150]
    assert set(log[0]) == {"step", "classification", "sparsity", "total"}
    assert log[-1]["classification"] < 0.5 * log[0]["classification"]
    assert log[-1]["total"] == pytest.approx(log[-1]["classification"] + 3e-2 * log[-1]["sparsity"])


def test_the_planted_class_and_time_are_found(result):
    streams, clusters, head, _ = result
    for video_id, cluster in clusters.items():
        found = curves(head.eval(), streams, video_id, rgb_weight=0.5, device="cpu")
        assert found.scores.argmax() == cluster
        weighted = found.attention * found.activation[:, cluster]
        assert weighted[ACTION].min() > np.delete(weighted, np.r_[ACTION]).max()


def test_same_seed_same_bytes_other_seed_other(result):
    streams, clusters, head, log = result
    again, log_again = trained(streams, clusters)
    other, _ = trained(streams, clusters, seed=1)
    first = arrays(head)
    assert all(np.array_equal(first[k], v) for k, v in arrays(again).items())
    assert log == log_again
    assert not all(np.array_equal(first[k], v) for k, v in arrays(other).items())


def test_a_cluster_without_videos_is_tolerated():
    streams, _ = planted()
    _, log = trained(streams, {f"v{n}": int(n == 0) for n in range(9)})
    assert np.isfinite(log[-1]["total"])


def test_a_loss_that_is_not_finite_names_step_loss_and_videos():
    streams, clusters = planted()
    streams["rgb"]["v3"].feature[:] = np.inf
    with pytest.raises(UserError, match=r"training step \d+: the classification loss is nan on videos .*v3"):
        trained(streams, clusters)


def test_a_head_survives_being_arrays(result):
    streams, _, head, _ = result
    back = restore(arrays(head), about("stpn", DIMS, 3), "cpu")
    pair = (curves(h.eval(), streams, "v0", rgb_weight=0.5, device="cpu") for h in (head, back))
    first, second = pair
    assert np.array_equal(first.activation, second.activation)


def test_attention_pools_the_action(result):
    streams, _, head, _ = result
    streams["flow"]["v0"].coverage[5] = 0
    weights = attention_pool.weights(streams, arrays(head), about("stpn", DIMS, 3), "cpu")
    for name in DIMS:
        for w in weights[name].values():
            assert w.sum() == pytest.approx(1)
            assert w[ACTION].mean() > 2 * np.delete(w, np.r_[ACTION]).mean()
    assert weights["flow"]["v0"][5] == 0
    streams["flow"]["v0"].coverage[5] = 1


def test_the_seed_decides_the_first_weights():
    first, again, other = (arrays(create("stpn", DIMS, 3, seed)) for seed in (0, 0, 1))
    name = "streams.rgb.classifier.weight"
    assert np.array_equal(first[name], again[name])
    assert not np.array_equal(first[name], other[name])
