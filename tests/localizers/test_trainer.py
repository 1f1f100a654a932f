from dataclasses import replace

import numpy as np
import pytest
import torch

from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.methods import LocalizerConfig
from clip_ae.core.config.training import Training
from clip_ae.core.errors import UserError
from clip_ae.core.types import Label
from clip_ae.localizers import attention_pool
from clip_ae.localizers.feature_table import FeatureTable
from clip_ae.localizers.inference import predict_video
from clip_ae.localizers.model_state import module_arrays, restore_localizer
from clip_ae.localizers.trainer import create_learner, train_localizer
from tests.localizers.planted import ACTION, BOTH, CLIP_AE, SETTINGS, UGCT, blueprint, planted, trained, trainer

STPN = Training(snippets=20, batch_size=4, steps=150, learning_rate=2e-2, log_every=50, weight_decay=1.5e-3)
SPARSE = {"sparsity": 3e-2}


@pytest.fixture(scope="module")
def result():
    streams = planted()
    return streams, *trained(streams, "stpn", settings=STPN, losses=SPARSE)


def same(first, second):
    return first.keys() == second.keys() and all(np.array_equal(first[k], second[k]) for k in first)


def known(plan: LocalizerConfig):
    return {"localizer_config": to_plain_data(plan)}


def test_losses_fall_and_are_logged_by_name(result):
    *_, log = result
    assert [line["step"] for line in log] == [50, 100, 150]
    assert set(log[0]) == {"step", "classification", "sparsity", "total", "diagnostics"}
    assert log[-1]["classification"] < 0.5 * log[0]["classification"]
    assert log[-1]["total"] == pytest.approx(log[-1]["classification"] + 3e-2 * log[-1]["sparsity"])


@pytest.mark.parametrize(("method", "switches"), [("stpn", {}), ("ugct", UGCT)])
def test_the_planted_class_and_time_are_found(method, switches):
    streams = planted()
    settings = STPN if method == "stpn" else replace(SETTINGS, steps=300)
    made, _ = trained(streams, method, settings=settings, losses=SPARSE if method == "stpn" else {}, **switches)
    localizer = made.learner.final_localizer.eval()
    for n, video_id in enumerate(made.feature_table.video_ids):
        found = predict_video(localizer, made.feature_table, video_id, rgb_weight=0.5)
        assert found.scores.argmax() == n % 3
        weighted = found.attention * found.activation[:, n % 3]
        assert weighted[ACTION].mean() > 1.5 * np.delete(weighted, np.r_[ACTION]).mean()


@pytest.mark.parametrize(("method", "switches"), [("stpn", {}), ("tscn", {}), ("ugct", UGCT), ("clip_ae", BOTH)])
def test_same_seed_same_bytes_other_seed_other(method, switches):
    streams = planted()
    (first, log), (again, log_again), (other, _) = (
        trained(streams, method, seed=seed, **switches) for seed in (0, 0, 1)
    )
    assert same(first.state_arrays(), again.state_arrays())
    assert log == log_again
    assert not same(first.state_arrays(), other.state_arrays())


@pytest.mark.parametrize(("method", "switches"), [("stpn", {}), ("tscn", {}), ("clip_ae", BOTH)])
def test_a_training_that_was_cut_goes_on_to_the_same_bytes(method, switches):
    streams = planted()
    whole, log = trained(streams, method, **switches)
    cut = trainer(streams, method, **switches)
    lines = [line for line in (cut.step() for _ in range(40)) if line]
    later = trainer(streams, method, **switches)
    later.resume({name: array.copy() for name, array in cut.state_arrays().items()}, 40)
    lines += train_localizer(later)
    assert same(later.state_arrays(), whole.state_arrays())
    assert lines == log


def test_decay_leaves_attention_maps_alone():
    """Adam makes full steps of whatever gradient there is: decay alone would make maps even."""
    made = trainer(planted(), "clip_ae", **BOTH)
    names = {id(p): n for n, p in made.learner.named_parameters()}
    decay = {names[id(p)]: g["weight_decay"] for g in made.optimizer.param_groups for p in g["params"]}
    free = {n.split(".")[-2 if n.endswith("weight") else -1] for n, value in decay.items() if not value}
    assert free == {"query", "key", "correlation", "scale", "rgb", "flow"}
    assert sum(map(bool, decay.values())) > len(decay) / 2
    assert len(decay) == sum(p.requires_grad for p in made.learner.parameters())


def test_the_log_tells_whether_attention_has_collapsed():
    streams = planted()
    made, log = trained(streams, "ugct", **UGCT)
    watched = log[-1]["diagnostics"]
    assert set(watched) == {"attention rgb", "attention flow", "spread rgb", "spread flow"}
    for branch in made.learner.localizer.head.branches.values():
        torch.nn.init.zeros_(branch.attention.weight)
    batch, _ = made._draw_batch()
    flat = made.learner.diagnostics(made.learner.localizer(batch), batch)
    assert flat["spread rgb"] < 1e-6 < watched["spread rgb"]
    assert flat["attention rgb"] == pytest.approx(torch.sigmoid(branch.attention.bias).item(), abs=0.2)


def test_a_batch_without_a_stream_is_watched_too():
    made = trainer(planted(), "ugct", **UGCT)
    made.num_steps_done = 1
    batch, _ = made._draw_batch()
    batch.masks["flow"][:] = False
    watched = made.learner.diagnostics(made.learner.localizer(batch), batch)
    assert watched["attention flow"] == watched["spread flow"] == 0.0
    assert watched["attention rgb"] > 0


def test_bf16_trains_and_stays_near_fp32():
    streams = planted()
    (_, exact), (rough, log) = (
        trained(streams, "clip_ae", settings=replace(SETTINGS, precision=p), **BOTH) for p in ("fp32", "bf16")
    )
    assert log[0]["foreground"] == pytest.approx(exact[0]["foreground"], rel=0.1)
    assert log[0]["foreground"] != exact[0]["foreground"]
    assert {a.dtype for n, a in rough.state_arrays().items() if n.startswith("learner")} == {np.dtype("float32")}


def test_a_cluster_without_videos_is_tolerated():
    streams = planted()
    labels = [Label(i, int(i == "v0"), "x") for i in streams["rgb"]]
    _, log = trained(streams, "ugct", labels=labels, **UGCT)
    assert all(np.isfinite(line["total"]) for line in log)


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_a_loss_that_is_not_finite_names_step_loss_and_videos(value):
    streams = planted()
    streams["rgb"]["v3"].feature[:] = value
    with pytest.raises(UserError, match=r"training step \d+: the foreground loss is nan on videos .*v3"):
        trained(streams, "ugct", **UGCT)


def test_a_localizer_survives_being_arrays(result):
    _, made, _ = result
    plan = blueprint("stpn")
    back = restore_localizer(module_arrays(made.learner.final_localizer), known(plan), "cpu")
    pair = [
        predict_video(net.eval(), made.feature_table, "v0", rgb_weight=0.5)
        for net in (made.learner.final_localizer, back)
    ]
    assert np.array_equal(pair[0].activation, pair[1].activation)


def test_attention_pools_the_action(result):
    streams, made, _ = result
    streams = {name: streams[name] for name in ("rgb", "flow")}
    streams["flow"]["v0"].coverage[5] = 0
    tensors = module_arrays(made.learner.final_localizer)
    pooled, weights = attention_pool.prepare_pooling(streams, tensors, known(blueprint("stpn")), "cpu", use_fused=False)
    assert pooled["rgb"] == streams["rgb"]
    for name in streams:
        for w in weights[name].values():
            assert w.sum() == pytest.approx(1)
            assert w[ACTION].mean() > 2 * np.delete(w, np.r_[ACTION]).mean()
    assert weights["flow"]["v0"][5] == 0
    streams["flow"]["v0"].coverage[5] = 1


def test_fused_descriptors_are_what_the_front_end_makes():
    streams = planted()
    made, _ = trained(streams, "clip_ae", **BOTH)
    pooled, _ = attention_pool.prepare_pooling(
        streams, module_arrays(made.learner.final_localizer), known(blueprint("clip_ae", **BOTH)), "cpu", use_fused=True
    )
    assert set(pooled) == {"rgb", "flow"}
    assert pooled["rgb"]["v1"].feature.shape == streams["rgb"]["v1"].feature.shape
    difference = pooled["rgb"]["v1"].feature - streams["rgb"]["v1"].feature.astype(np.float32)
    assert np.abs(difference).max() > 1e-3


def test_the_seed_decides_the_first_weights():
    first, again, other = (module_arrays(create_learner(blueprint("stpn"), 10, seed)) for seed in (0, 0, 1))
    assert same(first, again)
    assert not same(first, other)


def test_a_memory_of_many_videos_stays_half_precision():
    library = FeatureTable({"rgb": planted()["rgb"]}, "cpu")
    assert library.features["rgb"].dtype == torch.float16


def test_weights_of_the_config_replace_those_of_the_paper():
    made = trainer(planted(), "clip_ae", losses={"decor": 0.0, "norm": 0.5}, **BOTH)
    assert made.loss_weights["decor"] == 0.0
    assert made.loss_weights["norm"] == 0.5
    assert made.loss_weights["foreground"] == 1.0
    assert set(made.loss_weights) == {
        "foreground", "background", "norm", "guide", "attention_pseudo", "decor", "ins_dis",
    }  # fmt: skip


def test_attention_and_scale_are_watched():
    _, log = trained(planted(), "clip_ae", **BOTH)
    assert {"entropy rgb caf 1", "entropy flow caf 2", "entropy rgb ccp", "decor raw"} <= set(log[0]["diagnostics"])
    assert all(0 <= v <= 1 + 1e-6 for n, v in log[0]["diagnostics"].items() if n.startswith("entropy"))
    assert not [n for n in trained(planted(), "clip_ae", **CLIP_AE)[1][0]["diagnostics"] if n.startswith("entropy")]
