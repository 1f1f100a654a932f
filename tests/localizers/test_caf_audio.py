"""Controls of CAF's audio, and CCP with another stream in CLIP's place."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.methods import CafSwitches, CcpSwitches
from clip_ae.core.config.specs import LocalizeSpec, TrainSpec
from clip_ae.core.config.streams import StreamRoles
from clip_ae.core.errors import UserError
from clip_ae.core.provenance import Provenance
from clip_ae.core.types import VideoFeatures
from clip_ae.localizers.attention_pool import prepare_pooling
from clip_ae.localizers.caf_audio import replace_audio
from clip_ae.localizers.feature_table import FeatureTable
from clip_ae.localizers.localizer import build
from clip_ae.localizers.model_state import module_arrays
from clip_ae.localizers.targets import TargetBuilder
from clip_ae.localizers.trainer import Trainer, create_learner, train_localizer
from clip_ae.pipeline.localization import localize_videos
from clip_ae.stages import train
from clip_ae.weights.network_file import WeightsFile
from tests.localizers.planted import CLASSES, CLIP_AE, ROWS, SETTINGS, labels_of, localizer_config, planted


def build_audio(name: str, values: list[float], covered: int | None = None) -> VideoFeatures:
    times = 0.64 * np.arange(len(values))
    coverage = (np.arange(len(values)) < (len(values) if covered is None else covered)).astype(np.float32)
    return VideoFeatures(name, times, times + 0.64, coverage, np.array(values, np.float16)[:, None] * coverage[:, None])


AUDIO = {
    "b": build_audio("b", [1, 2, 3]),
    "a": build_audio("a", [4, 5, 6, 7, 8], covered=4),
    "c": build_audio("c", [9, 9], covered=0),
}


def shift(videos: dict[str, VideoFeatures]) -> dict[str, VideoFeatures]:
    config = localizer_config("clip_ae", **CLIP_AE, caf=CafSwitches(audio="next_video"))
    streams = {"rgb": planted()["rgb"], "audio": videos}
    replaced = replace_audio(streams, config)
    assert replaced["rgb"] is streams["rgb"]
    return dict(replaced["audio"])


def test_each_video_has_the_audio_of_the_next_id_cut_or_repeated_to_its_length() -> None:
    shifted = shift(AUDIO)
    assert list(shifted) == list(AUDIO), "the order of the videos stays"
    assert shifted["a"].feature[:, 0].tolist() == [1, 2, 3, 1, 2]
    assert shifted["a"].coverage.tolist() == [1] * 5
    assert shifted["b"].coverage.tolist() == [0, 0, 0], "the next video is silent"
    assert shifted["c"].feature[:, 0].tolist() == [4, 5], "after the last comes the first"
    for name, video in shifted.items():
        assert (video.video_id, video.start.tolist()) == (name, AUDIO[name].start.tolist())


def test_the_audio_of_a_next_video_needs_two_videos() -> None:
    with pytest.raises(UserError, match=r"caf\.audio `next_video` needs at least two videos"):
        shift({"a": AUDIO["a"]})


def test_own_audio_and_runs_without_caf_change_nothing() -> None:
    streams = planted()
    assert replace_audio(streams, localizer_config("clip_ae", **CLIP_AE, caf=CafSwitches())) is streams
    assert replace_audio(streams, localizer_config("ugct")) is streams


def test_without_audio_every_video_is_as_one_that_never_had_sound() -> None:
    """The last planted video has no sound: the control makes the others equal to it."""
    config = localizer_config("clip_ae", **CLIP_AE, caf=CafSwitches(audio="none"))
    streams = planted()
    silent = replace_audio(streams, config)["audio"]
    for video in silent.values():
        assert not video.coverage.any()
        assert not video.feature.any()
    assert np.array_equal(silent["v8"].feature, streams["audio"]["v8"].feature)
    batch = FeatureTable({**streams, "audio": silent}, "cpu").batch(["v0"], {"v0": np.arange(ROWS)})
    learner = create_learner(config, SETTINGS.steps, 0)
    output = learner.localizer(batch)
    caf = output.fused["rgb"].caf
    assert caf is not None
    assert not caf.audio.any()
    assert torch.isfinite(output.streams["rgb"].attention).all()


def test_a_batch_without_any_sound_trains() -> None:
    config = localizer_config("clip_ae", **CLIP_AE, caf=CafSwitches(audio="none"), ccp=CcpSwitches())
    streams = replace_audio(planted(), config)
    table = FeatureTable(streams, "cpu")
    settings = replace(SETTINGS, steps=3)
    trainer = Trainer(
        create_learner(config, 3, 0),
        table,
        TargetBuilder(labels_of(streams), table.video_ids, CLASSES),
        settings,
        {},
        0,
        "cpu",
    )
    train_localizer(trainer)
    assert all(torch.isfinite(p).all() for p in trainer.learner.parameters())


def build_control(audio):
    """A localizer whose head reads CAF's output, its config with `caf.audio`, and features."""
    config = localizer_config("clip_ae", **CLIP_AE, caf=CafSwitches(audio=audio))
    torch.manual_seed(0)
    localizer = build(config)
    for front_end in localizer.front_end.streams.values():
        torch.nn.init.normal_(front_end.projection.weight)
    return config, localizer, {name: videos for name, videos in planted().items() if name != "clip"}


@pytest.mark.parametrize("audio", ["next_video", "none"])
def test_later_rounds_pool_with_the_audio_of_the_training(audio: str) -> None:
    config, localizer, streams = build_control(audio)

    def pool(caf: CafSwitches, given: object) -> np.ndarray:
        metadata = {"localizer_config": to_plain_data(replace(config, caf=caf))}
        _, weights = prepare_pooling(
            given, module_arrays(localizer), metadata, "cpu", use_fused=False, descriptor_weights="softmax"
        )
        return weights["rgb"]["v0"]

    controlled = pool(config.caf or CafSwitches(), streams)
    assert np.array_equal(controlled, pool(CafSwitches(), replace_audio(streams, config)))
    assert not np.array_equal(controlled, pool(CafSwitches(), streams))


def run_localize(streams, caf, localizer, config):
    """The attention of each video, as the stage localize has it."""
    metadata = {
        "localizer_config": to_plain_data(replace(config, caf=caf)),
        "curve_statistics": {"attention_share": 1.0, "activation_share": 1.0, "smoothing_snippets": 1},
    }
    model = WeightsFile(metadata, module_arrays(localizer), Provenance("train", {}, "code"))
    spec = LocalizeSpec(method="clip_ae", roles=config.roles)
    predictions = localize_videos(spec, model, streams, "cpu").predictions
    return {i: prediction.attention for i, prediction in predictions.items()}


@pytest.mark.parametrize("audio", ["next_video", "none"])
def test_localization_has_the_audio_of_the_training(audio):
    config, localizer, streams = build_control(audio)
    controlled = run_localize(streams, config.caf, localizer, config)
    expected = run_localize(replace_audio(streams, config), CafSwitches(), localizer, config)
    assert all(np.array_equal(controlled[i], expected[i]) for i in streams["rgb"])
    own = run_localize(streams, CafSwitches(), localizer, config)
    assert not np.array_equal(controlled["v0"], own["v0"])


def test_training_reads_the_replaced_audio():
    streams = {name: videos for name, videos in planted().items() if name != "clip"}
    for audio, mask in (("own", True), ("none", False)):
        config = localizer_config("clip_ae", **CLIP_AE, caf=CafSwitches(audio=audio))
        spec = TrainSpec(method="clip_ae", roles=config.roles, classes=CLASSES, training=SETTINGS)
        trainer = train._create_trainer(spec, config, streams, labels_of(streams), "cpu")
        assert bool(next(trainer.feature_table.full_video_batches("v0")).masks["audio"].any()) is mask


def test_a_stream_in_two_roles_is_read_once() -> None:
    assert StreamRoles(("rgb", "flow"), "rgb", "audio").names == ("rgb", "flow", "audio")


def test_ccp_with_rgb_in_the_place_of_clip_trains_and_gates() -> None:
    dims = {"rgb": 8, "flow": 8, "audio": 4}
    config = localizer_config(
        "clip_ae", dims=dims, **CLIP_AE, caf=CafSwitches(gate="correspondence"), ccp=CcpSwitches()
    )
    config = replace(config, roles=StreamRoles(("rgb", "flow"), "rgb", "audio"))
    learner = create_learner(config, SETTINGS.steps, 0)
    streams = planted(dims=dims)
    batch = FeatureTable(streams, "cpu").batch(["v0", "v1"], {i: np.arange(ROWS) for i in ("v0", "v1")})
    output = learner.localizer(batch)
    ccp = output.fused["flow"].ccp
    assert ccp is not None
    assert ccp.vlp.shape == (2, ROWS, config.width)
    assert set(learner.memory_banks) == {"rgb_cbp", "rgb_vlp", "flow_cbp", "flow_vlp"}


def test_the_gate_compares_each_view_once() -> None:
    """A stream that is both views counts as one: the gate equals that of a run without CCP."""
    dims = {"rgb": 8, "flow": 8, "audio": 4}
    base = localizer_config("clip_ae", dims=dims, **CLIP_AE, caf=CafSwitches(gate="correspondence"), ccp=CcpSwitches())
    both = build(replace(base, roles=StreamRoles(("rgb", "flow"), "rgb", "audio"))).front_end
    alone = build(replace(base, ccp=None, roles=StreamRoles(("rgb", "flow"), None, "audio"))).front_end
    views: list[int] = []

    def count(audio: object, mask: object, seen: list[object], video_mask: object) -> torch.Tensor:
        views.append(len(seen))
        return torch.zeros(1)

    batch = next(FeatureTable(planted(dims=dims), "cpu").full_video_batches("v0"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("clip_ae.localizers.front_end.audio_gate", count)
        for front_end in (both, alone):
            front_end._gate(batch)
    assert views == [2, 2]
