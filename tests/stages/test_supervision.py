"""Every method from features to mAP; runs with true labels; missing streams; checkpoints."""

import fcntl
import json
import os
import threading

import numpy as np
import pytest

from clip_ae.core.config.methods import CafSwitches, CcpSwitches, SelfSupervision, TscnSwitches, UgctSwitches
from clip_ae.core.config.registry import METHODS
from clip_ae.core.config.specs import EvaluateSpec
from clip_ae.core.config.streams import StreamRoles
from clip_ae.core.config.training import Training
from clip_ae.core.errors import RefusedInput, UserError
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import VideoFeatures
from clip_ae.data.detections import read_detections
from clip_ae.data.labels import read_labels
from clip_ae.localizers.trainer import Trainer
from clip_ae.stages import evaluate, train
from clip_ae.weights import training_checkpoint
from tests.stages.test_learning import CLASSES, ROLES, STREAMS, do_cluster, do_localize, do_train, planted, write

SHORT = Training(snippets=24, batch_size=6, steps=60, learning_rate=1e-2, log_every=20, width=8, dropout=0.0)
UGCT = {"method": "ugct", "ugct": UgctSwitches(), "losses": {}, "training": SHORT}
ALL = StreamRoles(STREAMS, "clip", "audio")
BOTH = {"caf": CafSwitches(), "ccp": CcpSwitches(), "fusion_input": "centred", "self_supervision": SelfSupervision()}
CLIP_AE = {**UGCT, **BOTH, "method": "clip_ae", "roles": ALL}


def four_streams():
    """Planted videos whose CLIP and audio streams follow the action too."""
    features, database = planted()
    for name in ("clip", "audio"):
        features[name] = [
            VideoFeatures(v.video_id, v.start, v.stop, v.coverage.copy(), v.feature.copy()) for v in features["rgb"]
        ]
    return features, database


@pytest.fixture(scope="module")
def clustered_dir(tmp_path_factory):
    at = write(tmp_path_factory.mktemp("four"), *four_streams())
    do_cluster(at)
    return at


def switches_of(method):
    if method == "clip_ae":
        return CLIP_AE
    own = {"ugct": UgctSwitches() if method == "ugct" else None, "tscn": TscnSwitches() if method == "tscn" else None}
    return {**UGCT, "method": method, **own}


def score(at, supervision="unsupervised", labels="labels.parquet"):
    evaluate.run(
        EvaluateSpec(supervision=supervision), detections=at / "detections.json", labels=(at / labels,),
        ground_truth=at / "annotations.json", out=at / "map.json",
    )  # fmt: skip
    return json.loads((at / "map.json").read_text())


@pytest.mark.parametrize("method", [m for m in METHODS if m != "oracle"])
def test_every_method_goes_from_features_to_map(clustered_dir, method):
    spec = switches_of(method)
    do_train(clustered_dir, **spec)
    do_localize(clustered_dir, method=method, roles=spec.get("roles", ROLES))
    result = score(clustered_dir)
    assert result["mAP"]["0.1"] > 0.2
    later = do_cluster(clustered_dir, "later.parquet", model=clustered_dir / "model.safetensors", method=method)
    assert set(later) == {f"v{n:02d}" for n in range(12)}


def test_weak_supervision_learns_the_true_labels_by_name(tmp_path):
    features, database = planted()
    database["v00"]["annotations"].append({"label": "b", "segment": [0.0, 1.0]})
    at = write(tmp_path, features, database)
    do_cluster(at, supervision="weak")
    labels = read_labels(at / "labels.parquet")
    assert [(x.cluster, x.label, x.segments) for x in labels if x.video_id == "v00"] == [(0, "a", ()), (1, "b", ())]
    do_train(at, supervision="weak", **UGCT)
    do_localize(at, method="ugct")
    assert {d.label for d in read_detections(at / "detections.json")} <= {"a", "b", "c"}
    result = score(at, "weak")
    assert result["rounds"] == []
    assert result["mapping"]["hungarian"]["weights"]["a"] == {"a": 1.0}
    assert result["mAP"]["0.1"] > 0.5


def test_the_oracle_trains_on_extents_and_finds_them(tmp_path):
    features, database = planted()
    at = write(tmp_path, features, database)
    do_cluster(at, supervision="full")
    [first] = [x for x in read_labels(at / "labels.parquet") if x.video_id == "v00"]
    assert first.segments == (tuple(database["v00"]["annotations"][0]["segment"]),)
    do_train(at, supervision="full", grid=SnippetGrid(), **{**UGCT, "method": "oracle", "ugct": None})
    do_localize(at, method="oracle")
    assert score(at, "full")["mAP"]["0.7"] > 0.9


def test_a_class_without_a_training_video_is_an_error(tmp_path):
    features, database = planted()
    for n in range(12):
        if n % CLASSES == 2:
            database[f"v{n:02d}"]["annotations"][0]["label"] = "a"
    at = write(tmp_path, features, database)
    with pytest.raises(UserError, match="the training videos show 2 classes, not 3"):
        do_cluster(at, supervision="weak")
    do_cluster(at)
    do_train(at)
    do_localize(at)
    assert score(at)["per_class"]["c"]["0.1"] == 0.0


def test_weak_supervision_needs_annotations(clustered_dir):
    with pytest.raises(UserError, match="--annotations: missing; `weak` supervision needs them"):
        do_cluster(clustered_dir, "x.parquet", supervision="weak", annotated=False)


def test_a_stream_that_some_videos_lack_counts_as_missing_there(tmp_path, capsys):
    features, database = four_streams()
    features["audio"] = features["audio"][3:]
    for video in features["clip"]:
        video.coverage[:] = 0 if video.video_id == "v05" else 1
    at = write(tmp_path, features, database)
    do_cluster(at)
    do_train(at, **CLIP_AE)
    assert "features/audio: lacks 3 videos, as 'v00'" in capsys.readouterr().err
    found = do_localize(at, method="clip_ae", roles=ALL)
    assert {d.video_id for d in found} == {f"v{n:02d}" for n in range(12, 18)}


def test_a_stream_that_all_videos_lack_is_an_error(tmp_path):
    features, database = four_streams()
    features["audio"] = []
    at = write(tmp_path, features, database)
    do_cluster(at)
    with pytest.raises(UserError, match=r"features/audio: has none of the 12 videos; extract the audio stream first"):
        do_train(at, **CLIP_AE)


class Killed(Exception):
    pass


@pytest.fixture
def killed_at(monkeypatch):
    """Kill a training in the middle of a step."""

    def arrange(step):
        update_weights = Trainer._update_weights

        def dying(self):
            if self.num_steps_done == step:
                raise Killed
            return update_weights(self)

        monkeypatch.setattr(Trainer, "_update_weights", dying)
        return lambda: monkeypatch.setattr(Trainer, "_update_weights", update_weights)

    return arrange


def test_a_killed_training_goes_on_to_the_same_bytes(tmp_path, clustered_dir, killed_at, capsys):
    do_train(clustered_dir, **CLIP_AE)
    whole = [(clustered_dir / name).read_bytes() for name in ("model.safetensors", "training.jsonl")]
    at = write(tmp_path, *four_streams())
    do_cluster(at)
    revive = killed_at(50)
    with pytest.raises(Killed):
        do_train(at, checkpoint_interval_s=0.0, **CLIP_AE)
    assert not (at / "model.safetensors").exists()
    assert len(list(at.glob(".model.*.checkpoint"))) == 1
    revive()
    do_train(at, checkpoint_interval_s=0.0, **CLIP_AE)
    assert "going on at step 40" in capsys.readouterr().err
    assert [(at / name).read_bytes() for name in ("model.safetensors", "training.jsonl")] == whole
    assert not [p for p in os.listdir(at) if p.startswith(".model")]


def test_another_configs_checkpoint_is_never_taken(tmp_path, killed_at, capsys):
    at = write(tmp_path, *four_streams())
    do_cluster(at)
    revive = killed_at(50)
    with pytest.raises(Killed):
        do_train(at, checkpoint_interval_s=0.0, **UGCT)
    revive()
    [old] = at.glob(".model.*.checkpoint")
    do_train(at, checkpoint_interval_s=0.0, **UGCT, seed=1)
    assert "going on" not in capsys.readouterr().err
    assert not old.exists()


def test_a_checkpoint_under_a_wrong_name_is_refused_by_its_digest(tmp_path, killed_at, monkeypatch):
    at = write(tmp_path, *four_streams())
    do_cluster(at)
    revive = killed_at(50)
    with pytest.raises(Killed):
        do_train(at, checkpoint_interval_s=0.0, **UGCT)
    [old] = at.glob(".model.*.checkpoint")
    with pytest.raises(Killed):
        do_train(at, checkpoint_interval_s=0.0, **UGCT, seed=1)
    [other] = [p for p in at.glob(".model.*.checkpoint") if p != old]
    old.replace(other)
    revive()
    with pytest.raises(RefusedInput, match="a checkpoint of another config or code"):
        do_train(at, checkpoint_interval_s=0.0, **UGCT, seed=1)


@pytest.fixture
def hold_training_lock(tmp_path):
    """Another process that holds the lock of a training of some config, as long as the test wants."""

    def arrange(at, key):
        lock = (at / ".model.lock").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(key)
        lock.flush()
        return lock

    return arrange


def test_in_parallel_with_a_process_of_the_same_config_it_trains_without_a_checkpoint(
    tmp_path, clustered_dir, hold_training_lock, capsys, monkeypatch
):
    do_train(clustered_dir, **UGCT)
    expected = (clustered_dir / "model.safetensors").read_bytes()
    at = write(tmp_path, *four_streams())
    do_cluster(at)
    monkeypatch.setattr(training_checkpoint, "digest", lambda text: "x" * 64)
    with hold_training_lock(at, "x" * 16):
        do_train(at, checkpoint_interval_s=0.0, **UGCT)
    assert "another process is training this too" in capsys.readouterr().err
    assert (at / "model.safetensors").read_bytes() == expected
    assert not list(at.glob(".model.*.checkpoint"))


def test_another_configs_process_is_waited_for(tmp_path, hold_training_lock, capsys):
    """One that outlived its killed workflow would otherwise write its model over the new one."""
    at = write(tmp_path, *four_streams())
    do_cluster(at)
    lock = hold_training_lock(at, "of an older config")
    ended = []

    def end():
        ended.append(not (at / "model.safetensors").exists())
        lock.close()

    timer = threading.Timer(1.0, end)
    timer.start()
    do_train(at, **UGCT)
    timer.join()
    assert ended == [True]
    assert "waiting for it to end" in capsys.readouterr().err


def test_a_video_with_sound_alone_is_in_no_round(tmp_path):
    features, database = four_streams()
    for name in STREAMS:
        video = features[name][1]
        video.coverage[:], video.feature[:] = 0, 0
    at = write(tmp_path, features, database)
    assert "v01" not in do_cluster(at)
    do_train(at, **CLIP_AE)
    again = do_cluster(at, "later.parquet", model=at / "model.safetensors", method="clip_ae")
    assert set(again) == {label.video_id for label in read_labels(at / "labels.parquet")}


def test_a_loss_that_explodes_stops_with_its_name(tmp_path):
    at = write(tmp_path, *four_streams())
    do_cluster(at)
    wild = Training(snippets=24, batch_size=6, steps=60, learning_rate=1e30, log_every=20, width=8, dropout=0.0)
    with pytest.raises(UserError, match=r"training step \d+: the \w+ loss is (nan|inf) on videos v"):
        do_train(at, **{**UGCT, "training": wild})
    assert not (at / "model.safetensors").exists()


def test_attention_and_scale_are_logged(clustered_dir):
    do_train(clustered_dir, **CLIP_AE)
    lines = [json.loads(line) for line in (clustered_dir / "training.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [20, 40, 60]
    assert lines[0]["diagnostics"]["entropy rgb caf 1"] > 0.9
    assert 0.7 < lines[0]["diagnostics"]["scale flow caf 2"] < 1.3
    assert np.isfinite(lines[-1]["decor"])


@pytest.mark.parametrize(("flat", "num_lines"), [(0.0, 0), (100.0, 2)])
def test_collapsed_attention_is_logged(clustered_dir, monkeypatch, capsys, flat, num_lines):
    monkeypatch.setattr("clip_ae.proposals.flat_attention.MAX_FLAT_RATIO", flat)
    do_train(clustered_dir, **UGCT)
    assert capsys.readouterr().err.count("is constant in each video") == num_lines


def test_a_stream_has_collapsed_where_attention_hardly_differs():
    watched = {"attention rgb": 0.999, "spread rgb": 1e-4, "attention flow": 0.02, "spread flow": 0.01}
    assert train.find_collapsed_streams(watched, STREAMS) == ["rgb"]
    assert train.find_collapsed_streams({**watched, "attention flow": 0.0, "spread flow": 0.0}, STREAMS) == [
        "rgb",
        "flow",
    ]
