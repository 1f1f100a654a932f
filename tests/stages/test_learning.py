"""cluster, train, localize, evaluate on tiny planted shards: the whole path from features to mAP."""

import json
import re
import shutil
from dataclasses import replace
from unittest import mock

import numpy as np
import pyarrow.parquet as pq
import pytest

from clip_ae.core.config.schema import Evaluation
from clip_ae.core.config.specs import ClusterSpec, EvaluateSpec, LocalizeSpec, TrainSpec
from clip_ae.core.config.streams import StreamRoles
from clip_ae.core.config.training import Localization, Training
from clip_ae.core.errors import RefusedInput, UserError
from clip_ae.core.provenance import Provenance
from clip_ae.core.sharding import assign_shard, format_shard_name
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import VideoFeatures
from clip_ae.data.detections import read_detections, read_json_provenance, read_submission
from clip_ae.data.labels import read_labels, read_silhouettes
from clip_ae.data.parquet import read_parquet_provenance, read_rows
from clip_ae.data.shards import write_shard
from clip_ae.stages import cluster, evaluate, localize, train
from clip_ae.weights import training_checkpoint
from clip_ae.weights.network_file import read_weights, read_weights_metadata, read_weights_provenance

CLASSES, SHARDS, DIM, GRID = 3, 2, 8, SnippetGrid()
TRAINING = Training(snippets=24, batch_size=6, steps=400, learning_rate=1e-2, log_every=100, weight_decay=1.5e-3)
SPARSE = {"classification": 1.0, "sparsity": 3e-2}
STREAMS = ("rgb", "flow")
ROLES = StreamRoles(STREAMS)


def planted(videos=18, seed=0):
    """Features and annotations: video n shows class n mod 3 somewhere; a third of the videos are test videos."""
    rng = np.random.default_rng(seed)
    prototypes = 2 * np.eye(DIM)
    features, database = {"rgb": [], "flow": []}, {}
    for n in range(videos):
        rows = int(rng.integers(16, 30))
        first = int(rng.integers(2, 6))
        action = slice(first, first + 8)
        times = np.arange(rows) * GRID.stride_s
        for videos_of in features.values():
            x = prototypes[-1] + 0.1 * rng.normal(size=(rows, DIM))
            x[action] += prototypes[n % CLASSES] - prototypes[-1]
            videos_of.append(
                VideoFeatures(
                    f"v{n:02d}", times, times + GRID.snippet_s, np.ones(rows, np.float32), x.astype(np.float16)
                )
            )
        database[f"v{n:02d}"] = {
            "subset": "validation" if n >= videos * 2 // 3 else "training",
            "annotations": [{"label": "abc"[n % CLASSES], "segment": [GRID.start(first), GRID.stop(first + 7)]}],
        }
    return features, database


def write(folder, features, database):
    for stream, videos in features.items():
        for k in range(SHARDS):
            inside = [v for v in videos if assign_shard(v.video_id, SHARDS) == k]
            path = folder / "features" / stream / f"{format_shard_name(k, SHARDS)}.parquet"
            write_shard(path, stream, DIM, inside, Provenance("extract", {}, ""))
    (folder / "annotations.json").write_text(json.dumps({"database": database}))
    return folder


def do_cluster(at, name="labels.parquet", *, annotated=True, model=None, **spec):
    spec = {"classes": CLASSES, "streams": STREAMS, **spec}
    if model:
        spec = {"descriptor": "attention", "method": "stpn", **spec}
    annotations = at / "annotations.json" if annotated else None
    cluster.run(
        ClusterSpec(**spec), features=at / "features", shards=SHARDS, out=at / name, annotations=annotations,
        previous_model=model, device="cpu",
    )  # fmt: skip
    return {label.video_id: label.cluster for label in read_labels(at / name)}


def do_train(at, *, labels="labels.parquet", checkpoint_interval_s=1e9, **spec):
    given = {"method": "stpn", "losses": SPARSE, "roles": ROLES, **spec}
    with mock.patch.object(training_checkpoint, "CHECKPOINT_INTERVAL_S", checkpoint_interval_s):
        train.run(
            TrainSpec(**{"classes": CLASSES, "training": TRAINING, "torch_threads": 1, **given}),
            features=at / "features", shards=SHARDS, labels=at / labels, out=at / "model.safetensors",
            log=at / "training.jsonl", device="cpu",
        )  # fmt: skip


def do_localize(at, annotated=True, **spec):
    localize.run(
        LocalizeSpec(torch_threads=1, **{"method": "stpn", "roles": ROLES, **spec}), features=at / "features",
        shards=SHARDS, model=at / "model.safetensors",
        outputs=localize.Outputs(at / "detections.json", at / "other.json", at / "curves.parquet"),
        annotations=at / "annotations.json" if annotated else None, device="cpu",
    )  # fmt: skip
    return read_detections(at / "detections.json")


def do_evaluate(at, frame_protocol=None, **spec):
    evaluate.run(
        EvaluateSpec(Evaluation(chance_permutations=5, frame_protocol=frame_protocol), **spec),
        detections=at / "detections.json", other_curve=at / "other.json",
        labels=(at / "labels.parquet",), ground_truth=at / "annotations.json", out=at / "map.json",
    )  # fmt: skip
    return json.loads((at / "map.json").read_text())


@pytest.fixture(scope="module")
def finished_dir(tmp_path_factory):
    at = write(tmp_path_factory.mktemp("learn"), *planted())
    do_cluster(at)
    do_train(at)
    do_localize(at)
    do_evaluate(at)
    return at


def test_planted_actions_are_found_from_features_alone(finished_dir):
    result = json.loads((finished_dir / "map.json").read_text())
    assert [r["purity"] for r in result["rounds"]] == [1.0]
    assert result["mAP"]["0.5"] > 0.9
    assert result["mAP"]["0.5"] > result["chance"]["mAP"]["0.5"] + 0.3
    assert result["counts"] | {"detections": 0} == {
        "videos": 6, "videos_with_detections": 6, "videos_without_features": 0, "instances": 6, "classes": 3,
        "detections": 0, "detections_outside_subset": 0, "detections_without_cluster": 0, "detections_before_start": 0,
        "detections_beyond_end": 0, "detections_without_length": 0, "ambiguous": 0, "instances_without_length": 0,
    }  # fmt: skip


def test_both_curves_are_scored_and_the_files_say_which_is_which(finished_dir, tmp_path):
    """The map of a run that is cut from the other curve has the same two scores, exchanged."""
    result = json.loads((finished_dir / "map.json").read_text())
    at = shutil.copytree(finished_dir, tmp_path / "at")
    arrays = read_weights(finished_dir / "model.safetensors").tensors.values()
    assert result["num_parameters"] == sum(array.size for array in arrays)
    other_curve = result["other_curve"]["cut_from"]["curve"]
    assert {result["cut_from"]["curve"], other_curve} == {"weighted", "activation"}
    do_localize(at, localization=Localization(curve=other_curve))
    exchanged = do_evaluate(at)
    assert exchanged["cut_from"] == result["other_curve"]["cut_from"]
    for kind in ("mAP", "average"):
        assert exchanged[kind] == result["other_curve"][kind]
        assert exchanged["other_curve"][kind] == result[kind]


def test_segments_score_more_frames_than_whole_videos_do(finished_dir, tmp_path):
    """Clusters, classes and frames together; both readings are of the same model."""
    at = shutil.copytree(finished_dir, tmp_path / "at")
    database = json.loads((at / "annotations.json").read_text())["database"]
    timed = {i: {**entry, "duration": 20.0} for i, entry in database.items()}
    (at / "annotations.json").write_text(json.dumps({"database": timed}))
    results = {}
    for segments in ("curves", "whole_video"):
        found = do_localize(at, localization=Localization(segments=segments))
        whole = [d for d in found if d.start == 0 and d.stop > 10]
        assert (len(whole) == len(found)) == (segments == "whole_video")
        results[segments] = do_evaluate(at, frame_protocol="charades")
    frame_map = {name: result["frame_mAP"]["charades"] for name, result in results.items()}
    assert frame_map["curves"] > 0.85
    assert frame_map["curves"] > frame_map["whole_video"] + 0.2
    assert frame_map["whole_video"] > results["whole_video"]["chance"]["frame_mAP"]["charades"] + 0.1


def test_records_form_a_chain(finished_dir):
    labels = read_parquet_provenance(finished_dir / "labels.parquet").id
    model = read_weights_provenance(finished_dir / "model.safetensors")
    detections = read_json_provenance(finished_dir / "detections.json")
    assert model.inputs["labels"] == labels
    assert detections.inputs["model"] == model.id
    assert read_json_provenance(finished_dir / "map.json").inputs["detections"] == detections.id
    assert read_parquet_provenance(finished_dir / "curves.parquet") == detections


def test_same_bytes_again(finished_dir, tmp_path):
    at = write(tmp_path, *planted())
    do_cluster(at)
    do_train(at)
    do_localize(at)
    do_evaluate(at)
    for name in (
        "labels.parquet", "model.safetensors", "training.jsonl", "detections.json", "curves.parquet", "map.json"
    ):  # fmt: skip
        assert (at / name).read_bytes() == (finished_dir / name).read_bytes(), name


def test_only_the_right_subset_enters(finished_dir):
    database = json.loads((finished_dir / "annotations.json").read_text())["database"]
    assert {label.video_id for label in read_labels(finished_dir / "labels.parquet")} == {
        i for i, e in database.items() if e["subset"] == "training"
    }
    tested = {i for i, e in database.items() if e["subset"] == "validation"}
    assert {d.video_id for d in read_detections(finished_dir / "detections.json")} <= tested
    assert {row["video_id"] for row in read_rows(finished_dir / "curves.parquet")} == tested


def test_curves_have_every_snippet_and_the_selected_labels(finished_dir):
    rows = read_rows(finished_dir / "curves.parquet")
    assert pq.read_schema(finished_dir / "curves.parquet").names == ["video_id", "snippet", "attention", "activation"]
    by_video = {}
    for row in rows:
        assert 0 <= row["attention"] <= 1
        by_video.setdefault(row["video_id"], []).append((row["snippet"], dict(row["activation"])))
    labels = {d.video_id: set() for d in read_detections(finished_dir / "detections.json")}
    for d in read_detections(finished_dir / "detections.json"):
        labels[d.video_id].add(d.label)
    for video_id, snippets in by_video.items():
        assert [s for s, _ in snippets] == list(range(len(snippets)))
        assert labels[video_id] <= set(snippets[0][1])


def test_annotated_times_never_reach_learning(finished_dir, tmp_path):
    features, database = planted()
    for entry in database.values():
        entry["annotations"] = []
    at = write(tmp_path, features, database)
    do_cluster(at)
    do_train(at)
    do_localize(at)
    for name in ("labels.parquet", "model.safetensors", "detections.json"):
        assert (at / name).read_bytes() == (finished_dir / name).read_bytes(), name
    with pytest.raises(UserError, match="subset 'validation' has no annotated action"):
        do_evaluate(at)


def test_each_stream_counts_as_much_as_the_config_says(finished_dir, tmp_path):
    shutil.copytree(finished_dir, tmp_path / "it")
    found = {}
    for weight in (0.0, 0.25, 1.0):
        do_localize(tmp_path / "it", localization=Localization(stream_weights={"rgb": weight, "flow": 1 - weight}))
        rows = read_rows(tmp_path / "it" / "curves.parquet")
        found[weight] = np.array([row["attention"] for row in rows])
    np.testing.assert_allclose(found[0.25], 0.25 * found[1.0] + 0.75 * found[0.0], atol=1e-7)
    assert np.abs(found[1.0] - found[0.0]).max() > 1e-3


def test_later_rounds_pool_by_attention(finished_dir):
    labels = do_cluster(finished_dir, "round-1.parquet", model=finished_dir / "model.safetensors")
    assert [labels[f"v{n:02d}"] for n in range(12)] == [0, 1, 2] * 4
    assert set(read_parquet_provenance(finished_dir / "round-1.parquet").inputs) == {
        "features/rgb",
        "features/flow",
        "previous_model",
    }
    with pytest.raises(UserError, match="needs a model"):
        do_cluster(finished_dir, "x.parquet", descriptor="attention", method="stpn")


def test_without_annotations_all_videos_are_used(finished_dir, tmp_path):
    at = write(tmp_path, *planted())
    assert len(do_cluster(at, annotated=False)) == 18
    (at / "model.safetensors").write_bytes((finished_dir / "model.safetensors").read_bytes())
    assert len({d.video_id for d in do_localize(at, annotated=False)}) == 18


def test_a_test_video_without_features_is_listed_counted_and_said(finished_dir, tmp_path, capsys):
    at = tmp_path / "lost"
    shutil.copytree(finished_dir, at)
    content = json.loads((at / "annotations.json").read_text())
    content["database"]["lost"] = {"subset": "validation", "duration": 9.0, "annotations": []}
    (at / "annotations.json").write_text(json.dumps(content))
    do_localize(at)
    assert "warning: 1 test videos, as 'lost', are not localized: a stream lacks them" in capsys.readouterr().err
    submission = json.loads((at / "detections.json").read_text())
    assert len(submission["results"]) == 7
    assert submission["results"]["lost"] == []
    assert read_submission(at / "detections.json").list_videos_without_features() == ["lost"]
    counts = do_evaluate(at)["counts"]
    assert (counts["videos"], counts["videos_without_features"]) == (7, 1)
    assert "1 without features (of 7 test videos): their actions count as missed" in capsys.readouterr().out


def test_kmeans_finds_the_same_clusters(finished_dir):
    assert do_cluster(finished_dir, "kmeans.parquet", clustering="kmeans") == {
        label.video_id: label.cluster for label in read_labels(finished_dir / "labels.parquet")
    }


@pytest.mark.parametrize(("share", "count"), [(0.25, 1), (0.5, 2), (1.0, 4)])
def test_only_the_confident_videos_of_each_cluster_get_labels(finished_dir, tmp_path, share, count):
    """The same clusters with the same numbers; a training reads the videos of its labels only."""
    at = shutil.copytree(finished_dir, tmp_path / "at")
    every = do_cluster(at, "every.parquet")
    confident = do_cluster(at, confident_share=share)
    assert confident.items() <= every.items()
    assert np.bincount(list(confident.values())).tolist() == [count] * CLASSES
    do_train(at, training=replace(TRAINING, steps=100))
    assert read_weights_metadata(at / "model.safetensors")["localizer_config"]["num_videos"] == CLASSES * count


def test_two_rounds_of_feel_label_more_videos_in_the_second(finished_dir, tmp_path):
    at = shutil.copytree(finished_dir, tmp_path / "at")
    feel = {"clustering": "kmeans", "cluster_refinement": "k_reciprocal"}
    first = do_cluster(at, confident_share=0.5, **feel)
    do_train(at, method="cola", losses={}, training=replace(TRAINING, steps=50))
    second = do_cluster(at, model=at / "model.safetensors", method="cola", confident_share=1.0, **feel)
    assert (len(first), len(second)) == (6, 12)
    assert first.items() <= second.items()


def test_k_reciprocal_distances_move_no_video_of_separate_clusters(finished_dir):
    """The provenance of the labels says which distances they are from."""
    refined = do_cluster(finished_dir, "refined.parquet", cluster_refinement="k_reciprocal")
    assert refined == {label.video_id: label.cluster for label in read_labels(finished_dir / "labels.parquet")}
    ids = [read_parquet_provenance(finished_dir / name).id for name in ("refined.parquet", "labels.parquet")]
    assert ids[0] != ids[1]


def test_a_video_of_one_snippet_and_one_without_material(tmp_path):
    features, database = planted()
    for videos in features.values():
        one, empty = videos[0], videos[1]
        videos[0] = VideoFeatures(one.video_id, one.start[:1], one.stop[:1], one.coverage[:1], one.feature[:1])
        videos[1] = VideoFeatures(
            empty.video_id, empty.start, empty.stop, np.zeros_like(empty.coverage), np.zeros_like(empty.feature)
        )
        videos[12] = VideoFeatures(
            videos[12].video_id, one.start[:1], one.stop[:1], one.coverage[:1], videos[12].feature[4:5]
        )
    at = write(tmp_path, features, database)
    labels = do_cluster(at)
    assert "v01" not in labels
    do_train(at)
    detections = do_localize(at)
    assert all(d.stop <= GRID.snippet_s + 1e-6 for d in detections if d.video_id == "v12")
    do_evaluate(at)


def test_a_cluster_of_one_video(tmp_path):
    features, database = planted()
    for videos in features.values():
        for n in (2, 5, 8):
            videos[n].feature[:] = np.resize(videos[0].feature, videos[n].feature.shape)
    at = write(tmp_path, features, database)
    assert sorted(np.bincount(list(do_cluster(at).values())))[0] == 1
    do_train(at)
    do_localize(at)
    assert np.isfinite(do_evaluate(at)["mAP"]["0.5"])


def test_nan_is_refused_by_name(tmp_path):
    features, database = planted()
    features["flow"][4].feature[7, 3] = np.nan
    at = write(tmp_path, features, database)
    with pytest.raises(RefusedInput, match=r"flow/000\d-of-0002.parquet: video 'v04': snippet 7 is not finite"):
        do_cluster(at)


def test_streams_on_different_grids_are_refused(tmp_path):
    features, database = planted()
    v = features["flow"][4]
    features["flow"][4] = VideoFeatures(v.video_id, v.start[:9], v.stop[:9], v.coverage[:9], v.feature[:9])
    at = write(tmp_path, features, database)
    with pytest.raises(RefusedInput, match="video 'v04': streams differ in snippets"):
        do_cluster(at)


def test_fewer_videos_than_clusters(finished_dir):
    with pytest.raises(UserError, match="/features: 12 training videos are too few to form 13 clusters; lower `cl"):
        do_cluster(finished_dir, "x.parquet", classes=13)
    assert not (finished_dir / "x.parquet").exists()


def test_an_automatic_number_of_clusters_is_chosen_in_round_0_only(tmp_path):
    at = write(tmp_path, *planted())
    labels = do_cluster(at, classes="auto")
    number = 1 + max(labels.values())
    curve = read_silhouettes(at / "labels.parquet")
    assert curve[number] == max(curve.values())
    do_train(at, classes="auto", training=replace(TRAINING, steps=50))
    model = at / "model.safetensors"
    assert len(read_weights_metadata(model)["localizer_config"]["labels"]) == number
    later = do_cluster(at, "round-1.parquet", classes="auto", model=model)
    assert 1 + max(later.values()) == number
    assert not read_silhouettes(at / "round-1.parquet")


def test_too_few_videos_to_tell_a_number(tmp_path):
    at = write(tmp_path, *planted(videos=6))
    message = (
        f"{at / 'features'}: 4 training videos are too few for `classes: auto`, which needs at least 6; add videos, or "
        "set `classes` to a number"
    )
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        do_cluster(at, classes="auto")


def test_an_unknown_subset_is_named_with_the_valid_ones(finished_dir):
    with pytest.raises(UserError, match="no video is of subset 'test'; known: training, validation"):
        do_evaluate(finished_dir, test_subset="test")
    with pytest.raises(UserError, match="no cluster can be named"):
        do_evaluate(finished_dir, train_subset="validation")


def test_labels_that_do_not_fit_are_refused(finished_dir, tmp_path):
    features, database = planted()
    at = write(tmp_path, {name: videos[1:] for name, videos in features.items()}, database)
    (at / "labels.parquet").write_bytes((finished_dir / "labels.parquet").read_bytes())
    with pytest.raises(UserError, match="video 'v00' has no features"):
        do_train(at)
