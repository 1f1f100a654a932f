"""The demo's own networks: training is reproducible, and extraction can use them."""

import numpy as np
import pytest

from clip_ae.core.config.schema import ClipOptions, I3dOptions, PretrainSchedule, VggishOptions, Weights
from clip_ae.core.config.specs import PretrainSpec, WeightsSpec
from clip_ae.core.errors import UserError
from clip_ae.encoders.pretraining.training_loop import count_training_clips, make_batches
from clip_ae.stages import pretrain, weights
from clip_ae.weights.network_file import read_weights
from clip_ae.worlds.trimmed import CLASSES

NETWORKS = {
    "rgb": {"i3d": I3dOptions(3, 1 / 16, 24, 24, len(CLASSES))},
    "flow": {"i3d": I3dOptions(2, 1 / 16, 24, 24, len(CLASSES))},
    "sound": {"vggish": VggishOptions(1 / 32, len(CLASSES))},
    "clip": {"clip": ClipOptions("tiny")},
}
BRIEF = PretrainSchedule(epochs=1, batch_size=5)


def spec_of(name: str, seed: int = 3) -> PretrainSpec:
    return PretrainSpec(name, Weights("pretrain", **NETWORKS[name]), seed, 12, BRIEF, torch_threads=1)


@pytest.mark.parametrize("name", NETWORKS)
def test_training_twice_gives_the_same_bytes_and_the_weights_stage_accepts_them(tmp_path, name):
    spec, once, again = spec_of(name), tmp_path / "once.safetensors", tmp_path / "again.safetensors"
    pretrain.run(spec, out=once)
    pretrain.run(spec, out=again)
    assert once.read_bytes() == again.read_bytes()
    made = read_weights(once)
    assert made.metadata["name"] == name
    assert all(0 <= metric <= 1 for metric in made.metadata["metrics"].values())
    assert all(np.isfinite(tensor).all() for tensor in made.tensors.values())
    out = tmp_path / "out.safetensors"
    weights.run(WeightsSpec(name, spec.weights), out=out, pretrained=once)
    taken = read_weights(out)
    assert taken.tensors.keys() == made.tensors.keys()
    for key, tensor in taken.tensors.items():
        assert tensor.dtype == np.float32
        assert made.tensors[key].dtype == (np.float16 if tensor.ndim > 1 else np.float32)
        assert np.array_equal(tensor, made.tensors[key])
    assert taken.provenance.inputs == {"pretrained": made.provenance.id}
    assert taken.metadata["metrics"] == made.metadata["metrics"]


def test_other_seeds_give_other_weights(tmp_path):
    digests = set()
    for seed in (3, 4):
        out = tmp_path / f"{seed}.safetensors"
        pretrain.run(spec_of("sound", seed), out=out)
        digests.add(read_weights(out).metadata["sha256"])
    assert len(digests) == 2


def test_a_head_of_other_classes_is_refused(tmp_path):
    spec = PretrainSpec("ears", Weights("pretrain", vggish=VggishOptions(1 / 32)), 3, 12, BRIEF)
    with pytest.raises(UserError, match=r"weights.ears.vggish.classes: 0; the generated clips have 12"):
        pretrain.run(spec, out=tmp_path / "out.safetensors")


def test_batches_are_full_and_every_epoch_takes_other_orders():
    rng = np.random.default_rng(0)
    batches = make_batches(10, PretrainSchedule(epochs=2, batch_size=4), rng)
    assert [len(batch) for batch in batches] == [4] * 4
    assert all(len(set(np.concatenate(batches[i : i + 2]))) == 8 for i in (0, 2))
    assert not np.array_equal(batches[0], batches[2])


def test_fewer_clips_than_a_batch_are_one_smaller_batch():
    batches = make_batches(3, PretrainSchedule(epochs=1, batch_size=4), np.random.default_rng(0))
    assert [len(batch) for batch in batches] == [3]


def test_some_clips_are_always_held_out():
    assert count_training_clips(12) == 10
    assert count_training_clips(2) == 1
