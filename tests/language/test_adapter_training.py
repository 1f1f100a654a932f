"""Adapter training on planted videos: what it learns, reproducibility, and the saved network."""

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
SETTINGS = AdapterTraining(steps=60, batch_size=8, actions_per_sequence=2, width=8, learning_rate=1e-2, dropout=0.1)
DIM = 6


@pytest.fixture(scope="module")
def world():
    """Streams, actions, background and texts: 6 videos show action 1 or 2 in rows 4 to 7, each with its own mean."""
    rng, videos, actions, background = np.random.default_rng(0), {}, [], []
    for v in range(6):
        x = 0.3 * rng.normal(size=(12, DIM)) + 1.5 * rng.normal(size=DIM)
        x[4:8] += 3 * np.eye(DIM)[v % 2]
        times = 0.64 * np.arange(12)
        name = f"v{v}"
        videos[name] = VideoFeatures(name, times, times + 0.64, np.ones(12, np.float32), x.astype(np.float16))
        actions.append(Span(name, 4, 8, 1 + v % 2))
        background += [Span(name, 0, 4), Span(name, 8, 12)]
    texts = torch.eye(4)[[span.class_id for span in actions]]
    return {"rgb": videos, "flow": videos}, actions, background, texts


def train(world, settings=SETTINGS, seed=0):
    """The trained network and its log lines."""
    streams, actions, background, texts = world
    joint = create_joint_embedding(dict.fromkeys(streams, DIM), texts.shape[1], settings, seed)
    sampler = SequenceSampler(FeatureTable(streams, "cpu"), actions, background, settings)
    return joint, fit_adapter(joint, sampler, texts, settings, seed, progress_label="train")


def test_training_works_with_any_number_of_steps(world):
    for steps in range(1, 22):
        assert len(train(world, replace(SETTINGS, steps=steps, batch_size=1))[1]) == steps


def test_rows_of_zeros_stay_zero_after_the_encoder_blocks():
    clips = torch.tensor([[0.5, 0.5, 0.0]])
    rows = torch.tensor([[[1.0, 2.0], [0.0, 0.0], [3.0, 4.0]]])
    batch = SequenceBatch({"rgb": rows}, clips, torch.zeros(1), torch.zeros(1))
    encoded = encode_batch(torch.nn.Linear(2, 3), batch)
    assert encoded.features["rgb"].any(dim=-1).tolist() == [[True, False, False]]


def test_the_loss_falls_and_snippets_of_an_action_match_its_text(world):
    joint, lines = train(world)
    assert lines[-1]["rgb"] < 0.5 * lines[0]["rgb"]
    texts = joint.embed_texts(torch.eye(4)[[1, 2]])
    is_background = []
    for v, video in enumerate(world[0]["rgb"].values()):
        embeddings = embed_features(joint, {"rgb": torch.from_numpy(video.feature.astype(np.float32))})
        similarity = embeddings["rgb"] @ torch.cat([joint.background_embedding[None], texts]).detach().T
        probabilities = (joint.scale.detach() * similarity).softmax(dim=-1)
        assert probabilities.shape == (12, 3)
        assert torch.allclose(probabilities.sum(dim=1), torch.ones(12))
        assert (probabilities[5:7].argmax(dim=1) == 1 + v % 2).all()
        is_background += (probabilities[[1, 10]].argmax(dim=1) == 0).tolist()
    assert np.mean(is_background) > 0.8


def test_the_weights_depend_on_the_seed_only(world):
    first, again, other = (module_arrays(train(world, replace(SETTINGS, steps=5), seed)[0]) for seed in (0, 0, 1))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["background"], other["background"])


def test_a_fixed_temperature_stays_and_a_learned_one_changes(world):
    short = replace(SETTINGS, steps=5)
    _, fixed = train(world, replace(short, learned_temperature=False, temperature=0.2))
    assert [line["temperature"] for line in fixed] == pytest.approx([0.2] * 5)
    _, learned = train(world, short)
    assert learned[-1]["temperature"] != pytest.approx(SETTINGS.temperature, abs=1e-6)


def test_the_scale_has_the_same_maximum_as_in_clip():
    joint = create_joint_embedding({"rgb": DIM}, 4, SETTINGS, 0)
    joint.log_scale.data.fill_(9.0)
    assert joint.scale.item() == pytest.approx(np.exp(MAX_LOG_SCALE))


def test_a_saved_network_can_be_restored(world):
    joint, _ = train(world, replace(SETTINGS, steps=3))
    restored = restore_joint_embedding(module_arrays(joint), {"joint": joint.init_args}, "cpu")
    x = torch.randn(1, 9, DIM)
    assert torch.equal(joint.eval().adapters["flow"](x), restored.adapters["flow"](x))
    assert not restored.training


def test_padding_does_not_change_clip_embeddings(world):
    """In a batch with a longer sequence, a sequence is padded with zeros; alone, it has no padding."""
    streams, actions, background, _ = world
    joint, table = (
        create_joint_embedding({"rgb": DIM}, 4, SETTINGS, 0).eval(),
        FeatureTable({"rgb": streams["rgb"]}, "cpu"),
    )
    rng = np.random.default_rng(1)
    sampler = SequenceSampler(table, actions, background, SETTINGS)
    short, long = [sampler._gap(rng)], [sampler._gap(rng), sampler._action(rng), sampler._gap(rng)]
    alone = build_sequence_batch(table, [short])
    padded = build_sequence_batch(table, [short, long])
    g = joint.adapters["rgb"]
    first = alone.clip_weights @ g(alone.features["rgb"]).flatten(0, 1)
    second = (padded.clip_weights @ g(padded.features["rgb"]).flatten(0, 1))[:1]
    assert padded.features["rgb"].shape[1] > alone.features["rgb"].shape[1]
    assert torch.allclose(first, second, atol=1e-6)


def test_the_receptive_field_is_two_snippets_to_each_side():
    torch.manual_seed(0)
    g, x = StreamAdapter(DIM, 4).eval(), torch.randn(1, 11, DIM, requires_grad=True)
    (gradient,) = torch.autograd.grad(g(x)[0, 5].sum(), x)
    assert gradient[0].abs().sum(dim=1).gt(0).nonzero().flatten().tolist() == [3, 4, 5, 6, 7]


def test_only_texts_of_actions_in_the_batch_have_a_gradient(world):
    """The background embedding is learned; of the text projection, only the used texts have a gradient."""
    streams, actions, background, texts = world
    joint, rng = create_joint_embedding({"rgb": DIM}, 4, SETTINGS, 0), np.random.default_rng(0)
    batch = SequenceSampler(FeatureTable({"rgb": streams["rgb"]}, "cpu"), actions, background, SETTINGS).sample_batch(
        rng
    )
    contrastive_losses(joint, batch, texts)["rgb"].backward()
    assert joint.background.grad.abs().sum() > 0
    assert joint.text_projection.weight.grad.abs().sum() > 0
    assert joint.text_projection.weight.grad[:, [0, 3]].abs().sum() == 0
