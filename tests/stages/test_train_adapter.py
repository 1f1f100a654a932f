"""train_adapter and adapt_features on tiny planted shards: from attention to adapted features, and a run on these."""

import json
from dataclasses import replace

import numpy as np
import pytest

from clip_ae.cli import main
from clip_ae.core.config.feature_adapters import AdapterTraining, FeatureAdapter
from clip_ae.core.config.specs import AdaptFeaturesSpec, ClusterSpec, TrainAdapterSpec
from clip_ae.core.config.streams import StreamRoles
from clip_ae.core.errors import RefusedInput, UserError
from clip_ae.core.provenance import Provenance
from clip_ae.core.sharding import assign_shard, format_shard_name
from clip_ae.core.types import VideoFeatures
from clip_ae.data.labels import read_labels
from clip_ae.data.parquet import read_parquet_provenance
from clip_ae.data.shards import read_stream, write_shard
from clip_ae.data.text_embeddings import write_text_embeddings
from clip_ae.language import training_spans
from clip_ae.pipeline.adapted_features import adapt_videos, restore_joint_space
from clip_ae.pipeline.text_encoder_files import TextEncoderFiles
from clip_ae.pipeline.training_spans import SpanFiles, exclude_held_out
from clip_ae.stages import adapt_features, cluster, train_adapter
from clip_ae.weights.network_file import read_weights, read_weights_provenance, save_weights
from tests.stages.test_learning import CLASSES, DIM, SHARDS, do_cluster, do_train, planted, write

TRAINING = AdapterTraining(steps=40, batch_size=4, actions_per_sequence=2, width=5, learning_rate=1e-2)
NAMES = dict(zip("abc", np.eye(4, dtype=np.float32), strict=False))
pytestmark = pytest.mark.usefixtures("one_thread")


def images(videos):
    """A CLIP stream: a linear map of the rgb features."""
    return [replace(v, feature=(v.feature @ np.arange(DIM * 4).reshape(DIM, 4)).astype(np.float16)) for v in videos]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Planted videos, their clusters, and a localizer that was trained on these."""
    folder = tmp_path_factory.mktemp("world")
    features, database = planted()
    write(folder, features, database)
    for k in range(SHARDS):
        inside = [v for v in images(features["rgb"]) if assign_shard(v.video_id, SHARDS) == k]
        write_shard(
            folder / f"features/clip/{format_shard_name(k, SHARDS)}.parquet", "clip", 4, inside, Provenance("e", {}, "")
        )
    do_cluster(folder)
    do_train(folder)
    write_text_embeddings(folder / "texts.parquet", NAMES, Provenance("simulate", {}, ""))
    return folder


def run_train_adapter(
    world,
    out_dir,
    *,
    text="prototypes",
    seed=0,
    training=TRAINING,
    labels="labels.parquet",
    held_out_classes=(),
    **options,
):
    adapter = FeatureAdapter("stpn", align_to=text, seed=seed, held_out_classes=held_out_classes)
    roles = StreamRoles(("rgb", "flow"), None if text == "names" else "clip")
    out_dir.mkdir(exist_ok=True)
    files = SpanFiles(
        world / "features", SHARDS, world / "model.safetensors", world / labels, options.pop("annotations", None)
    )
    text_files = TextEncoderFiles(text_embeddings=options.pop("text_embeddings", None))
    train_adapter.run(
        TrainAdapterSpec(adapter, roles, training, "stpn", torch_threads=1), files=files,
        text_files=text_files, out=out_dir / "model.safetensors", log=out_dir / "training.jsonl", device="cpu",
        **options,
    )  # fmt: skip
    return out_dir


def run_adapt_features(world, out_dir, stream="rgb"):
    for k in range(SHARDS):
        shard = f"{stream}/{format_shard_name(k, SHARDS)}.parquet"
        adapt_features.run(
            AdaptFeaturesSpec(stream, torch_threads=1),
            features=world / "features" / shard,
            adapter=out_dir / "model.safetensors",
            out=out_dir / "features" / shard,
            device="cpu",
        )
    return out_dir / "features"


@pytest.fixture(scope="module")
def adapter_dir(world, tmp_path_factory):
    out_dir = run_train_adapter(world, tmp_path_factory.mktemp("adapters") / "free")
    for stream in ("rgb", "flow"):
        run_adapt_features(world, out_dir, stream)
    return out_dir


def test_adapted_features_follow_the_extracted_ones_with_the_same_times(world, adapter_dir):
    before, after = (read_stream(folder / "features", "rgb", SHARDS) for folder in (world, adapter_dir))
    assert list(before) == list(after)
    for video_id, video in after.items():
        assert video.feature.shape[1] == DIM + TRAINING.width
        np.testing.assert_array_equal(video.feature[:, :DIM], before[video_id].feature)
        np.testing.assert_array_equal(video.start, before[video_id].start)
        assert video.feature[:, DIM:].any(axis=1).all()


def test_provenance_names_the_inputs(world, adapter_dir):
    adapter_provenance = read_weights_provenance(adapter_dir / "model.safetensors")
    assert adapter_provenance.stage == "train_adapter"
    assert adapter_provenance.inputs["localizer"] == read_weights_provenance(world / "model.safetensors").id
    assert adapter_provenance.inputs["labels"] == read_parquet_provenance(world / "labels.parquet").id
    shard = read_parquet_provenance(adapter_dir / f"features/rgb/{format_shard_name(0, SHARDS)}.parquet")
    extracted = read_parquet_provenance(world / f"features/rgb/{format_shard_name(0, SHARDS)}.parquet")
    assert (shard.stage, shard.inputs) == (
        "adapt_features",
        {"features": extracted.id, "adapter": adapter_provenance.id},
    )


def test_every_fiftieth_step_and_the_last_are_logged(adapter_dir, world, tmp_path):
    assert [json.loads(line)["step"] for line in (adapter_dir / "training.jsonl").read_text().splitlines()] == [40]
    long = run_train_adapter(world, tmp_path / "long", training=replace(TRAINING, steps=120))
    assert [json.loads(line)["step"] for line in (long / "training.jsonl").read_text().splitlines()] == [50, 100, 120]


def test_the_same_job_writes_the_same_bytes_and_another_seed_others(world, adapter_dir, tmp_path):
    again, other = run_train_adapter(world, tmp_path / "again"), run_train_adapter(world, tmp_path / "other", seed=1)
    model = (adapter_dir / "model.safetensors").read_bytes()
    assert (again / "model.safetensors").read_bytes() == model
    assert (other / "model.safetensors").read_bytes() != model
    shard = run_adapt_features(world, again) / f"rgb/{format_shard_name(1, SHARDS)}.parquet"
    assert shard.read_bytes() == (adapter_dir / f"features/rgb/{shard.name}").read_bytes()


def test_a_run_reads_adapted_features_in_place_of_extracted_ones(world, adapter_dir, tmp_path):
    cluster.run(
        ClusterSpec(CLASSES, ("rgb", "flow")), features=(world / "features", adapter_dir / "features"), shards=SHARDS,
        out=tmp_path / "labels.parquet", annotations=world / "annotations.json", device="cpu",
    )  # fmt: skip
    found = read_parquet_provenance(tmp_path / "labels.parquet")
    plain = read_parquet_provenance(world / "labels.parquet")
    assert found.inputs["features/rgb"] != plain.inputs["features/rgb"]
    assert len({label.cluster for label in read_labels(tmp_path / "labels.parquet")}) == CLASSES


def test_a_videos_rows_do_not_depend_on_its_neighbours(world, adapter_dir):
    joint = restore_joint_space(read_weights(adapter_dir / "model.safetensors"), "cpu")
    videos = list(read_stream(world / "features", "rgb", SHARDS).values())
    together = list(adapt_videos(joint, "rgb", videos, "cpu"))
    (alone,) = adapt_videos(joint, "rgb", videos[3:4], "cpu")
    np.testing.assert_array_equal(alone.feature, together[3].feature)


def test_adapted_features_are_zero_where_nothing_was_decoded(world, adapter_dir):
    joint = restore_joint_space(read_weights(adapter_dir / "model.safetensors"), "cpu")
    video = next(iter(read_stream(world / "features", "rgb", SHARDS).values()))
    unseen = video.coverage.copy()
    unseen[2:5] = 0
    (found,) = adapt_videos(joint, "rgb", [replace(video, coverage=unseen)], "cpu")
    assert not found.feature[2:5, DIM:].any()
    assert found.feature[5:, DIM:].any()


def write_weak_labels(world, name):
    """Write the labels of a weak run: classes by name."""
    do_cluster(world, name, supervision="weak")
    return name


def test_with_names_actions_are_tied_to_the_texts_of_their_classes(world, tmp_path):
    labels = write_weak_labels(world, "weak.parquet")
    named = run_train_adapter(
        world, tmp_path / "named", text="names", labels=labels, text_embeddings=world / "texts.parquet"
    )
    provenance = read_weights_provenance(named / "model.safetensors")
    assert provenance.inputs["text_embeddings"] == read_parquet_provenance(world / "texts.parquet").id
    assert "features/clip" not in provenance.inputs
    swapped = {name: NAMES[other] for name, other in zip("abc", "bca", strict=True)}
    write_text_embeddings(tmp_path / "swapped.parquet", swapped, Provenance("simulate", {}, ""))
    other = run_train_adapter(
        world, tmp_path / "other", text="names", labels=labels, text_embeddings=tmp_path / "swapped.parquet"
    )
    assert (other / "training.jsonl").read_text() != (named / "training.jsonl").read_text()


def test_each_action_may_be_tied_to_its_own_image(world, adapter_dir, tmp_path):
    own = run_train_adapter(world, tmp_path / "own", text="images")
    assert (own / "training.jsonl").read_text() != (adapter_dir / "training.jsonl").read_text()
    assert "features/clip" in read_weights_provenance(own / "model.safetensors").inputs


def test_prototypes_are_the_mean_image_of_a_kind():
    found = training_spans.average_images_by_class(np.eye(3, dtype=np.float32), np.array([1, 1, 2]))
    np.testing.assert_allclose(found, [[0.5**0.5, 0.5**0.5, 0]] * 2 + [[0, 0, 1]], rtol=1e-6)


def test_videos_of_held_out_classes_are_not_trained_on(world, tmp_path):
    spec = TrainAdapterSpec(FeatureAdapter("stpn", held_out_classes=("b",)), StreamRoles(("rgb", "flow")), TRAINING)
    labels = exclude_held_out(spec, read_labels(world / "labels.parquet"), world / "annotations.json")
    shown = json.loads((world / "annotations.json").read_text())["database"]
    assert labels
    assert all(shown[label.video_id]["annotations"][0]["label"] != "b" for label in labels)
    with_annotations = run_train_adapter(
        world, tmp_path / "ac", held_out_classes=("b",), annotations=world / "annotations.json"
    )
    assert "annotations" in read_weights_provenance(with_annotations / "model.safetensors").inputs


def test_trimmed_clips_stand_for_what_a_run_sees(world, tmp_path):
    """Clips of other videos, all action: their labels are the classes, and the run gives the background."""
    features, database = planted(videos=9, seed=5)
    clips = {name: [replace(v, video_id=f"clip-{v.video_id}") for v in videos] for name, videos in features.items()}
    whole = {f"clip-{i}": {**entry, "annotations": [{**entry["annotations"][0]}]} for i, entry in database.items()}

    def train_on_clips(folder, clips, database):
        write(folder, clips, database)
        out_dir = run_train_adapter(
            world, folder / "named", text="names", text_embeddings=world / "texts.parquet",
            trimmed=train_adapter.TrimmedClipFiles(folder / "features", SHARDS, folder / "annotations.json"),
        )  # fmt: skip
        return read_weights(out_dir / "model.safetensors")

    named = train_on_clips(tmp_path, clips, whole)
    expected_inputs = {"trimmed_features/rgb", "trimmed_features/flow", "trimmed_annotations", "features/rgb"}
    assert expected_inputs <= set(named.provenance.inputs)
    # Clips with the ids of the dataset's videos; then also clips of the test subset, which are not used.
    called = {name: list(videos) for name, videos in features.items()}
    known = {i: {**entry, "annotations": [{**entry["annotations"][0]}]} for i, entry in database.items()}
    same = train_on_clips(tmp_path / "called", called, known).tensors
    tests = {f"t{i}": {**entry, "subset": "validation"} for i, entry in known.items()}
    more = {name: [*v, *(replace(x, video_id=f"t{x.video_id}") for x in v)] for name, v in features.items()}
    with_tests = train_on_clips(tmp_path / "more", more, {**known, **tests}).tensors
    first = named.tensors
    assert all(np.array_equal(first[key], same[key]) for key in first)
    assert all(np.array_equal(first[key], with_tests[key]) for key in first)


def test_mistakes_end_in_one_line(world, adapter_dir, tmp_path):
    with pytest.raises(UserError, match="no class 'jumping'"):
        run_train_adapter(world, tmp_path / "x", held_out_classes=("jumping",), annotations=world / "annotations.json")
    with pytest.raises(UserError, match="--annotations: missing"):
        run_train_adapter(world, tmp_path / "x", held_out_classes=("b",))
    with pytest.raises(UserError, match="--clip-weights: missing"):
        run_train_adapter(world, tmp_path / "x", text="names", labels=write_weak_labels(world, "weak.parquet"))
    write_text_embeddings(tmp_path / "few.parquet", {"a": NAMES["a"], "b": NAMES["b"]}, Provenance("simulate", {}, ""))
    with pytest.raises(UserError, match="have no text 'c'"):
        run_train_adapter(
            world, tmp_path / "x", text="names", labels="weak.parquet", text_embeddings=tmp_path / "few.parquet"
        )
    with pytest.raises(UserError, match="1 action classes"):
        run_train_adapter(world, tmp_path / "x", held_out_classes=("a", "b"), annotations=world / "annotations.json")
    videos = [VideoFeatures("v", *np.zeros((3, 4)), np.zeros((4, DIM + 1), np.float16))]
    joint = restore_joint_space(read_weights(adapter_dir / "model.safetensors"), "cpu")
    with pytest.raises(RefusedInput, match=f"rgb features of {DIM + 1} numbers; the adapter was trained on {DIM}"):
        list(adapt_videos(joint, "rgb", videos, "cpu"))


def test_a_network_of_another_kind_is_refused(world, tmp_path, capsys):
    save_weights(tmp_path / "other.safetensors", {"x": np.zeros(1)}, Provenance("weights", {}, ""), {"name": "other"})
    shard = world / f"features/rgb/{format_shard_name(0, SHARDS)}.parquet"
    options = ["--features", str(shard), "--adapter", str(tmp_path / "other.safetensors"), "--out", str(tmp_path / "o")]
    assert main(["adapt_features", "--set", 'stream="rgb"', *options]) == 2
    assert "not a feature adapter; give the model.safetensors of train_adapter" in capsys.readouterr().err
