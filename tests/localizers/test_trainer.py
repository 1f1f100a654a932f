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
from tests.localizers.planted import (
    ACTION,
    BOTH,
    CLIP_AE,
    SETTINGS,
    UGCT,
    create_trainer,
    localizer_config,
    planted,
    train,
)

STPN = Training(snippets=20, batch_size=4, steps=150, learning_rate=2e-2, log_every=50, weight_decay=1.5e-3)
SPARSE = {"sparsity": 3e-2}


@pytest.fixture(scope="module")
def result():
    streams = planted()
    return streams, *train(streams, "stpn", settings=STPN, losses=SPARSE)


def have_equal_arrays(first, second):
    return first.keys() == second.keys() and all(np.array_equal(first[k], second[k]) for k in first)


def metadata_of(config: LocalizerConfig):
    return {"localizer_config": to_plain_data(config)}


def test_losses_decrease_and_are_logged_by_name(result):
    *_, log = result
    assert [line["step"] for line in log] == [50, 100, 150]
    assert set(log[0]) == {"step", "classification", "sparsity", "total", "diagnostics"}
    assert log[-1]["classification"] < 0.5 * log[0]["classification"]
    assert log[-1]["total"] == pytest.approx(log[-1]["classification"] + 3e-2 * log[-1]["sparsity"])


@pytest.mark.parametrize(
    ("method", "switches"), [("stpn", {}), ("ugct", UGCT), ("topk_mil", {}), ("bas_net", {}), ("cola", {})]
)
def test_the_planted_class_and_time_are_found(method, switches):
    streams = planted()
    settings = STPN if method == "stpn" else replace(SETTINGS, steps=300)
    trainer, _ = train(streams, method, settings=settings, losses=SPARSE if method == "stpn" else {}, **switches)
    localizer = trainer.learner.final_localizer.eval()
    for n, video_id in enumerate(trainer.feature_table.video_ids):
        prediction = predict_video(localizer, trainer.feature_table, video_id, stream_weights={})
        assert prediction.scores.argmax() == n % 3
        weighted = prediction.attention * prediction.activation[:, n % 3]
        assert weighted[ACTION].mean() > 1.5 * np.delete(weighted, np.r_[ACTION]).mean()


@pytest.mark.parametrize(("method", "switches"), [("stpn", {}), ("tscn", {}), ("ugct", UGCT), ("clip_ae", BOTH)])
def test_training_depends_on_the_seed_only(method, switches):
    streams = planted()
    (first, log), (again, log_again), (other, _) = (train(streams, method, seed=seed, **switches) for seed in (0, 0, 1))
    assert have_equal_arrays(first.state_arrays(), again.state_arrays())
    assert log == log_again
    assert not have_equal_arrays(first.state_arrays(), other.state_arrays())


@pytest.mark.parametrize(("method", "switches"), [("stpn", {}), ("tscn", {}), ("clip_ae", BOTH)])
def test_a_resumed_training_ends_with_the_same_bytes(method, switches):
    streams = planted()
    whole, log = train(streams, method, **switches)
    cut = create_trainer(streams, method, **switches)
    lines = [line for line in (cut.step() for _ in range(40)) if line]
    resumed = create_trainer(streams, method, **switches)
    resumed.resume({name: array.copy() for name, array in cut.state_arrays().items()}, 40)
    lines += train_localizer(resumed)
    assert have_equal_arrays(resumed.state_arrays(), whole.state_arrays())
    assert lines == log


def test_parameters_of_attention_maps_have_no_weight_decay():
    """Adam's steps do not depend on the size of the gradient: decay alone would make attention maps uniform."""
    trainer = create_trainer(planted(), "clip_ae", **BOTH)
    names = {id(p): n for n, p in trainer.learner.named_parameters()}
    decay = {names[id(p)]: g["weight_decay"] for g in trainer.optimizer.param_groups for p in g["params"]}
    undecayed = {n.split(".")[-2 if n.endswith("weight") else -1] for n, value in decay.items() if not value}
    assert undecayed == {"query", "key", "correlation", "scale", "rgb", "flow"}
    assert sum(map(bool, decay.values())) > len(decay) / 2
    assert len(decay) == sum(p.requires_grad for p in trainer.learner.parameters())


def test_the_projection_of_the_front_end_learns_at_a_tenth_of_the_rate():
    settings = replace(SETTINGS, weight_decay=0.0)
    trainer = create_trainer(planted(), "clip_ae", settings=settings, **BOTH)
    before = {name: p.detach().clone() for name, p in trainer.learner.localizer.named_parameters()}
    trainer.step()
    # Adam's first step is the learning rate, wherever there is a gradient.
    moved = {n: float((p - before[n]).abs().max()) for n, p in trainer.learner.localizer.named_parameters()}
    projections = {n for n in moved if "front_end" in n and "projection" in n}
    assert len(projections) == 4
    assert all(moved[n] == pytest.approx(0.1 * settings.learning_rate, rel=1e-3) for n in projections)
    assert moved["head.branches.rgb.classifier.weight"] == pytest.approx(settings.learning_rate, rel=1e-3)


def test_diagnostics_show_collapsed_attention():
    streams = planted()
    trainer, log = train(streams, "ugct", **UGCT)
    diagnostics = log[-1]["diagnostics"]
    assert set(diagnostics) == {"attention rgb", "attention flow", "spread rgb", "spread flow"}
    for branch in trainer.learner.localizer.head.branches.values():
        torch.nn.init.zeros_(branch.attention.weight)
    batch, _ = trainer._draw_batch()
    flat = trainer.learner.diagnostics(trainer.learner.localizer(batch), batch)
    assert flat["spread rgb"] < 1e-6 < diagnostics["spread rgb"]
    assert flat["attention rgb"] == pytest.approx(torch.sigmoid(branch.attention.bias).item(), abs=0.2)


def test_diagnostics_of_a_batch_without_a_stream_are_0():
    trainer = create_trainer(planted(), "ugct", **UGCT)
    trainer.num_steps_done = 1
    batch, _ = trainer._draw_batch()
    batch.masks["flow"][:] = False
    diagnostics = trainer.learner.diagnostics(trainer.learner.localizer(batch), batch)
    assert diagnostics["attention flow"] == diagnostics["spread flow"] == 0.0
    assert diagnostics["attention rgb"] > 0


def test_bf16_training_is_close_to_fp32():
    streams = planted()
    (_, fp32_log), (bf16_trainer, bf16_log) = (
        train(streams, "clip_ae", settings=replace(SETTINGS, precision=p), **BOTH) for p in ("fp32", "bf16")
    )
    assert bf16_log[0]["foreground"] == pytest.approx(fp32_log[0]["foreground"], rel=0.1)
    assert bf16_log[0]["foreground"] != fp32_log[0]["foreground"]
    assert {a.dtype for n, a in bf16_trainer.state_arrays().items() if n.startswith("learner")} == {np.dtype("float32")}


def test_a_cluster_without_videos_is_tolerated():
    streams = planted()
    labels = [Label(i, int(i == "v0"), "x") for i in streams["rgb"]]
    _, log = train(streams, "ugct", labels=labels, **UGCT)
    assert all(np.isfinite(line["total"]) for line in log)


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_a_non_finite_loss_is_an_error_with_step_loss_and_videos(value):
    streams = planted()
    streams["rgb"]["v3"].feature[:] = value
    with pytest.raises(UserError, match=r"training step \d+: the foreground loss is nan on videos .*v3"):
        train(streams, "ugct", **UGCT)


def test_a_localizer_can_be_saved_as_arrays_and_restored(result):
    _, trainer, _ = result
    localizer = trainer.learner.final_localizer
    restored = restore_localizer(module_arrays(localizer), metadata_of(localizer_config("stpn")), "cpu")
    first, second = (
        predict_video(network.eval(), trainer.feature_table, "v0", stream_weights={})
        for network in (localizer, restored)
    )
    assert np.array_equal(first.activation, second.activation)


@pytest.mark.parametrize("weights_of", ["softmax", "attention"])
def test_attention_pools_the_action(result, weights_of):
    streams, trainer, _ = result
    streams = {name: streams[name] for name in ("rgb", "flow")}
    streams["flow"]["v0"].coverage[5] = 0
    tensors = module_arrays(trainer.learner.final_localizer)
    pooled, weights = attention_pool.prepare_pooling(
        streams,
        tensors,
        metadata_of(localizer_config("stpn")),
        "cpu",
        use_fused=False,
        descriptor_weights=weights_of,
    )
    assert pooled["rgb"] == streams["rgb"]
    for name in streams:
        for w in weights[name].values():
            assert w.sum() == pytest.approx(1)
            assert w[ACTION].mean() > 2 * np.delete(w, np.r_[ACTION]).mean()
    assert weights["flow"]["v0"][5] == 0
    streams["flow"]["v0"].coverage[5] = 1


@pytest.mark.parametrize("method", ["stpn", "tcam", "cola"])
def test_descriptor_weights_are_a_softmax_over_time_where_attention_has_a_logit(method):
    """TCAM's attention is a softmax itself; CoLA's is a share of the largest actionness, and stays as it is."""
    streams = {name: videos for name, videos in planted().items() if name in ("rgb", "flow")}
    learner = create_learner(localizer_config(method), 10, 0)
    _, weights = attention_pool.prepare_pooling(
        streams,
        module_arrays(learner.localizer),
        metadata_of(localizer_config(method)),
        "cpu",
        use_fused=False,
        descriptor_weights="softmax",
    )
    table = FeatureTable(streams, "cpu")
    output = learner.localizer.eval()(next(table.full_video_batches("v0"))).streams["rgb"].attention[0].double()
    logits = output.logit() if method == "stpn" else output.log()
    assert weights["rgb"]["v0"] == pytest.approx(logits.softmax(dim=0).detach().numpy(), abs=1e-5)


def test_saturated_attention_gives_even_descriptor_weights():
    ones = np.ones(4)
    assert attention_pool._normalize(attention_pool._odds(ones)).tolist() == [0.25] * 4
    assert attention_pool._normalize(attention_pool._odds(np.zeros(4))).tolist() == [0.0] * 4


def test_fused_descriptors_pool_the_output_of_the_front_end():
    streams = planted()
    trainer, _ = train(streams, "clip_ae", **BOTH)
    pooled, _ = attention_pool.prepare_pooling(
        streams,
        module_arrays(trainer.learner.final_localizer),
        metadata_of(localizer_config("clip_ae", **BOTH)),
        "cpu",
        use_fused=True,
        descriptor_weights="softmax",
    )
    assert set(pooled) == {"rgb", "flow"}
    assert pooled["rgb"]["v1"].feature.shape == streams["rgb"]["v1"].feature.shape
    difference = pooled["rgb"]["v1"].feature - streams["rgb"]["v1"].feature.astype(np.float32)
    assert np.abs(difference).max() > 1e-3


def test_initial_weights_depend_on_the_seed_only():
    first, again, other = (module_arrays(create_learner(localizer_config("stpn"), 10, seed)) for seed in (0, 0, 1))
    assert have_equal_arrays(first, again)
    assert not have_equal_arrays(first, other)


def test_a_feature_table_is_in_half_precision():
    table = FeatureTable({"rgb": planted()["rgb"]}, "cpu")
    assert table.features["rgb"].dtype == torch.float16


def test_weights_of_the_config_replace_those_of_the_paper():
    trainer = create_trainer(planted(), "clip_ae", losses={"decor": 0.0, "norm": 0.5}, **BOTH)
    assert trainer.loss_weights["decor"] == 0.0
    assert trainer.loss_weights["norm"] == 0.5
    assert trainer.loss_weights["foreground"] == 1.0
    assert set(trainer.loss_weights) == {
        "foreground", "background", "norm", "guide", "attention_pseudo", "decor", "ins_dis",
    }  # fmt: skip


def test_diagnostics_contain_entropies_and_scales():
    _, log = train(planted(), "clip_ae", **BOTH)
    assert {"entropy rgb caf 1", "entropy flow caf 2", "entropy rgb ccp", "decor raw"} <= set(log[0]["diagnostics"])
    assert all(0 <= v <= 1 + 1e-6 for n, v in log[0]["diagnostics"].items() if n.startswith("entropy"))
    assert not [n for n in train(planted(), "clip_ae", **CLIP_AE)[1][0]["diagnostics"] if n.startswith("entropy")]
