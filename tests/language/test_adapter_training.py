"""What the adapter learns on a planted world, the same bytes again, and what is kept of it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from clip_ae.core.config.feature_adapters import AdapterTraining
from clip_ae.core.types import VideoFeatures
from clip_ae.language.adapter import MAX_LOG_SCALE, StreamAdapter, restore_joint_embedding
from clip_ae.language.adapter_training import contrastive_losses, create_joint_embedding, encode_batch, fit_adapter
from clip_ae.language.embedding_space import embed_features
from clip_ae.language.sequences import SequenceBatch, SequenceSampler, build_sequence_batch
from clip_ae.language.spans import Span
from clip_ae.localizers.feature_table import FeatureTable
from clip_ae.localizers.model_state import module_arrays

pytestmark = pytest.mark.usefixtures("one_thread")
HOW = AdapterTraining(steps=60, batch_size=8, actions_per_sequence=2, width=8, learning_rate=1e-2, dropout=0.1)
DIM = 6


@pytest.fixture(scope="module")
def world():
    """Each of 6 videos shows action 1 or 2 (two directions) in rows 4 to 8, in a scene of its own."""
    rng, found, actions, background = np.random.default_rng(0), {}, [], []
    for v in range(6):
        x = 0.3 * rng.normal(size=(12, DIM)) + 1.5 * rng.normal(size=DIM)
        x[4:8] += 3 * np.eye(DIM)[v % 2]
        times = 0.64 * np.arange(12)
        name = f"v{v}"
        found[name] = VideoFeatures(name, times, times + 0.64, np.ones(12, np.float32), x.astype(np.float16))
        actions.append(Span(name, 4, 8, 1 + v % 2))
        background += [Span(name, 0, 4), Span(name, 8, 12)]
    texts = torch.eye(4)[[span.class_id for span in actions]]
    return {"rgb": found, "flow": found}, actions, background, texts


def learnt(world, how=HOW, seed=0):
    streams, actions, background, texts = world
    joint = create_joint_embedding(dict.fromkeys(streams, DIM), texts.shape[1], how, seed)
    drawing = SequenceSampler(FeatureTable(streams, "cpu"), actions, background, how)
    return joint, fit_adapter(joint, drawing, texts, how, seed, progress_label="train")


def test_every_number_of_steps_can_be_learnt(world):
    for steps in range(1, 22):
        assert len(learnt(world, replace(HOW, steps=steps, batch_size=1))[1]) == steps


def test_rows_that_could_not_be_read_stay_nothing_behind_blocks():
    clips = torch.tensor([[0.5, 0.5, 0.0]])
    rows = torch.tensor([[[1.0, 2.0], [0.0, 0.0], [3.0, 4.0]]])
    made = encode_batch(torch.nn.Linear(2, 3), SequenceBatch({"rgb": rows}, clips, torch.zeros(1), torch.zeros(1)))
    assert made.features["rgb"].any(dim=-1).tolist() == [[True, False, False]]


def test_the_loss_falls_and_the_snippets_of_an_action_look_like_its_text(world):
    joint, lines = learnt(world)
    assert lines[-1]["rgb"] < 0.5 * lines[0]["rgb"]
    words = joint.embed_texts(torch.eye(4)[[1, 2]])
    outside = []
    for v, video in enumerate(world[0]["rgb"].values()):
        seen = embed_features(joint, {"rgb": torch.from_numpy(video.feature.astype(np.float32))})
        nearness = seen["rgb"] @ torch.cat([joint.background_embedding[None], words]).detach().T
        share = (joint.scale.detach() * nearness).softmax(dim=-1)
        assert share.shape == (12, 3)
        assert torch.allclose(share.sum(dim=1), torch.ones(12))
        assert (share[5:7].argmax(dim=1) == 1 + v % 2).all()
        outside += (share[[1, 10]].argmax(dim=1) == 0).tolist()
    assert np.mean(outside) > 0.8


def test_the_same_seed_makes_the_same_bytes_and_another_others(world):
    first, again, other = (module_arrays(learnt(world, replace(HOW, steps=5), seed)[0]) for seed in (0, 0, 1))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["background"], other["background"])


def test_a_fixed_temperature_stays_and_a_learned_one_moves(world):
    short = replace(HOW, steps=5)
    _, fixed = learnt(world, replace(short, learned_temperature=False, temperature=0.2))
    assert [line["temperature"] for line in fixed] == pytest.approx([0.2] * 5)
    _, free = learnt(world, short)
    assert free[-1]["temperature"] != pytest.approx(HOW.temperature, abs=1e-6)


def test_the_scale_ends_where_clips_does():
    joint = create_joint_embedding({"rgb": DIM}, 4, HOW, 0)
    joint.log_scale.data.fill_(9.0)
    assert joint.scale.item() == pytest.approx(np.exp(MAX_LOG_SCALE))


def test_what_is_saved_is_what_is_restored(world):
    joint, _ = learnt(world, replace(HOW, steps=3))
    again = restore_joint_embedding(module_arrays(joint), {"joint": joint.init_args}, "cpu")
    x = torch.randn(1, 9, DIM)
    assert torch.equal(joint.eval().adapters["flow"](x), again.adapters["flow"](x))
    assert not again.training


def test_padding_changes_no_clip(world):
    """A sequence beside a longer one is followed by zeros, as by the end of its features when alone."""
    streams, actions, background, _ = world
    joint, table = create_joint_embedding({"rgb": DIM}, 4, HOW, 0).eval(), FeatureTable({"rgb": streams["rgb"]}, "cpu")
    rng = np.random.default_rng(1)
    drawing = SequenceSampler(table, actions, background, HOW)
    short, long = [drawing._gap(rng)], [drawing._gap(rng), drawing._action(rng), drawing._gap(rng)]
    alone = build_sequence_batch(table, [short])
    beside = build_sequence_batch(table, [short, long])
    g = joint.adapters["rgb"]
    first = alone.clip_weights @ g(alone.features["rgb"]).flatten(0, 1)
    second = (beside.clip_weights @ g(beside.features["rgb"]).flatten(0, 1))[:1]
    assert beside.features["rgb"].shape[1] > alone.features["rgb"].shape[1]
    assert torch.allclose(first, second, atol=1e-6)


def test_an_adapter_sees_two_snippets_to_each_side():
    torch.manual_seed(0)
    g, x = StreamAdapter(DIM, 4).eval(), torch.randn(1, 11, DIM, requires_grad=True)
    (gradient,) = torch.autograd.grad(g(x)[0, 5].sum(), x)
    assert gradient[0].abs().sum(dim=1).gt(0).nonzero().flatten().tolist() == [3, 4, 5, 6, 7]


def test_only_what_a_clip_shows_is_tied_to_its_text(world):
    """The text of background is learned, those of actions are given: a step moves both ways in."""
    streams, actions, background, texts = world
    joint, rng = create_joint_embedding({"rgb": DIM}, 4, HOW, 0), np.random.default_rng(0)
    batch = SequenceSampler(FeatureTable({"rgb": streams["rgb"]}, "cpu"), actions, background, HOW).sample_batch(rng)
    contrastive_losses(joint, batch, texts)["rgb"].backward()
    assert joint.background.grad.abs().sum() > 0
    assert joint.text_projection.weight.grad.abs().sum() > 0
    assert joint.text_projection.weight.grad[:, [0, 3]].abs().sum() == 0
