"""Scores of detections with clusters: mappings, chance level, and cases without detections or clusters."""

import json
from dataclasses import replace

import pytest

from clip_ae.core.config.schema import CLUSTER_MAPPING_NAMES, Evaluation
from clip_ae.core.types import Annotation, Detection, Instance, Label
from clip_ae.scoring.eval_input import build_eval_input, find_main_class
from clip_ae.scoring.evaluate import score_clusters

SETTINGS = Evaluation(tiou=(0.5, 0.7), tiou_ranges=("0.5:0.7",), chance_permutations=10, bootstrap_samples=20)
CLASSES = "abcde"


def make_dataset(videos=10):
    """Cluster k is class k; every test video has one instance, detected exactly with its cluster."""
    train = {f"t{k}": Annotation("training", (Instance(c, 0, 1),)) for k, c in enumerate(CLASSES)}
    test = {f"v{n}": Annotation("validation", (Instance(CLASSES[n % 5], 3, 6),)) for n in range(videos)}
    labels = [Label(f"t{k}", k, f"cluster-{k:02d}") for k in range(5)]
    detections = [Detection(f"v{n}", f"cluster-{n % 5:02d}", 0.9, 3, 6) for n in range(videos)]
    return test, train, labels, detections


def test_perfect_detections_have_perfect_scores_and_a_low_chance_level():
    result = score_clusters(build_eval_input(*make_dataset()), SETTINGS)
    assert result["mAP"] == {"0.5": 1.0, "0.7": 1.0}
    assert result["average"] == {"0.5:0.7": 1.0}
    assert result["per_class"] == {c: {"0.5": 1.0, "0.7": 1.0} for c in CLASSES}
    assert result["mapping"]["hungarian"]["weights"]["cluster-02"] == {"c": 1.0}
    assert result["mapping"]["contingency"]["cluster-02"] == {"c": 1}
    assert 0 < result["chance"]["average"]["0.5:0.7"] < 0.45


def test_chance_level_equals_the_score_of_uninformative_detections():
    test, train, labels, _ = make_dataset(200)
    detections = [Detection(v, f"cluster-{k:02d}", 0.5, 3, 6) for v in test for k in range(5)]
    result = score_clusters(build_eval_input(test, train, labels, detections), SETTINGS)
    assert result["chance"]["mAP"] == pytest.approx(result["mAP"])
    assert result["mAP"]["0.5"] == pytest.approx(0.2, abs=0.05)


def test_scores_are_deterministic():
    eval_input = build_eval_input(*make_dataset())
    assert json.dumps(score_clusters(eval_input, SETTINGS)) == json.dumps(score_clusters(eval_input, SETTINGS))


def test_9_detections_outside_the_subset_are_ignored():
    test, train, labels, detections = make_dataset()
    stray = [Detection("t0", "cluster-00", 1.0, 3, 6), Detection("v0", "cluster-99", 1.0, 0, 1)]
    assert score_clusters(build_eval_input(test, train, labels, [*stray, *detections]), SETTINGS) == score_clusters(
        build_eval_input(test, train, labels, detections), SETTINGS
    )


def test_a_class_without_a_cluster_has_ap_zero_and_counts_in_the_mean():
    test, train, labels, detections = make_dataset()
    train["t4"] = Annotation("training", (Instance("a", 0, 1),))
    result = score_clusters(build_eval_input(test, train, labels, detections), SETTINGS)
    assert result["per_class"]["e"]["0.5"] == 0.0
    assert result["mAP"]["0.5"] < 0.8


def test_no_detections_give_zeros_not_nan():
    test, train, labels, _ = make_dataset()
    result = score_clusters(build_eval_input(test, train, labels, []), SETTINGS)
    assert result["average"] == {"0.5:0.7": 0.0}
    json.dumps(result, allow_nan=False)


def test_labels_that_are_classes_are_mapped_to_themselves():
    test, train, _, _ = make_dataset()
    train = {i: Annotation("training", (*a.instances, Instance("e", 0, 1))) for i, a in train.items()}
    labels = [Label(f"t{k}", k, c) for k, c in enumerate(CLASSES)]
    detections = [Detection(f"v{n}", CLASSES[n % 5], 0.9, 3, 6) for n in range(10)]
    result = score_clusters(build_eval_input(test, train, labels, detections, labels_are_classes=True), SETTINGS)
    assert result["mAP"] == {"0.5": 1.0, "0.7": 1.0}
    assert result["mapping"]["soft_majority"]["weights"]["a"] == {"a": 1.0}


def test_a_video_of_two_classes_counts_for_both_in_its_cluster():
    test, train, labels, detections = make_dataset()
    train["t0"] = Annotation("training", (Instance("a", 0, 1), Instance("b", 2, 3), Instance("b", 4, 5)))
    result = score_clusters(build_eval_input(test, train, labels, detections), SETTINGS)
    assert result["mapping"]["contingency"]["cluster-00"] == {"a": 1, "b": 1}


def test_frames_are_scored_under_every_mapping_and_at_chance_level():
    test, train, labels, detections = make_dataset()
    test = {i: replace(a, duration=10.0) for i, a in test.items()}
    # Cluster 4 has as many videos of class a as of e; only soft majority maps it to both.
    train["t4"] = Annotation("training", (Instance("a", 0, 1), Instance("e", 0, 1)))
    settings = replace(SETTINGS, frame_protocol="charades")
    result = score_clusters(build_eval_input(test, train, labels, detections), settings)
    by_mapping = {name: result["mapping"][name]["frame_mAP"]["charades"] for name in CLUSTER_MAPPING_NAMES}
    assert by_mapping["hungarian"] == pytest.approx(1.0)
    assert by_mapping["hard_majority"] < by_mapping["soft_majority"] < 1.0
    assert result["frame_mAP"] == {"charades": by_mapping["soft_majority"]}
    assert result["frame_AP"]["b"] == pytest.approx(1.0)
    assert 0 < result["chance"]["frame_mAP"]["charades"] < 0.5
    json.dumps(result, allow_nan=False)


def test_durations_change_the_ground_truth_only_if_frames_are_scored():
    def digest(duration, protocol):
        test, train, labels, detections = make_dataset()
        test = {i: replace(a, duration=duration) for i, a in test.items()}
        settings = replace(SETTINGS, frame_protocol=protocol)
        return score_clusters(build_eval_input(test, train, labels, detections), settings)["bootstrap"]["truth"]

    assert digest(10.0, None) == digest(11.0, None)
    assert digest(10.0, "charades") != digest(11.0, "charades")


def test_main_class_has_most_instances_then_the_first_name():
    instances = [Instance(c, 0, 1) for c in "bcbca"]
    assert find_main_class(Annotation("training", tuple(instances))) == "b"
