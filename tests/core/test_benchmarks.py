"""Known facts of a benchmark's release, and the messages about annotations that differ from it."""

import pytest

from clip_ae.core.benchmark_checks import find_differences
from clip_ae.core.benchmarks import BENCHMARKS, Benchmark, ReleasedSubset
from clip_ae.core.types import Annotation, Instance
from clip_ae.core.video_lists import VIDEO_LISTS

SMALL = Benchmark(
    "small",
    {"training": ReleasedSubset(1, 2), "test": ReleasedSubset(1)},
    num_classes=2,
    implied_classes={"CliffDiving": "Diving"},
)
DIVES = (Instance("CliffDiving", 0, 1), Instance("Diving", 0, 1))
WHOLE = {"a": Annotation("training", DIVES, 9.0), "b": Annotation("test", DIVES)}


@pytest.mark.parametrize("stated", ["train", "training", "Validation", "validation"])
def test_the_id_tells_thumos14s_subset(stated):
    assert BENCHMARKS["thumos14"].normalize_subset("video_validation_0000051", stated) == "validation"
    assert BENCHMARKS["thumos14"].normalize_subset("video_test_0000004", stated) == "test"


def test_activitynets_videos_lose_their_prefix_and_nothing_else():
    benchmark = BENCHMARKS["activitynet12"]
    assert benchmark.normalize_video_id("v_QOlSCBRmfWY") == "QOlSCBRmfWY" == benchmark.normalize_video_id("QOlSCBRmfWY")
    # Eleven characters that begin so by themselves.
    assert benchmark.normalize_video_id("v_SCBRmfWYx") == "v_SCBRmfWYx"
    assert [benchmark.normalize_subset("", word) for word in ("train", "Validation", "testing")] == [
        "training", "validation", "testing",
    ]  # fmt: skip


def test_a_complete_release_differs_in_nothing():
    assert not list(find_differences(SMALL, WHOLE))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"c": Annotation("training", ())}, "training: 2 videos, the release has 1"),
        ({"a": Annotation("training", DIVES[:1])}, "training: 1 actions, the release has 2"),
        ({"b": Annotation("test", (*DIVES, Instance("x", 0, 1)))}, "test: 3 classes, the release has 2"),
        (
            {"b": Annotation("test", (DIVES[0], Instance("Diving", 0, 2)))},
            "test: 0 of 1 CliffDiving actions are Diving",
        ),
        ({"b": Annotation("test", (*DIVES, Instance("Diving", 3, 3)))}, "actions without length: 1; b (1)"),
        ({"a": Annotation("training", DIVES, 0.5)}, "actions that end beyond their video: 2; a (2)"),
        ({"b": Annotation("test", (*DIVES, DIVES[1], DIVES[1]))}, "actions that stand twice: 2; b (2)"),
    ],
)
def test_what_differs_is_told(change, words):
    assert any(line.startswith(words) for line in find_differences(SMALL, WHOLE | change))


def test_a_duration_may_be_rounded():
    assert not list(find_differences(SMALL, WHOLE | {"a": Annotation("training", DIVES, 0.95)}))


def test_a_known_list_of_test_videos_is_named():
    whole = {f"video_test_{n:07d}": Annotation("test", ()) for n in (1292, 270, 1496, *range(2000, 2210))}
    without = {i: a for i, a in whole.items() if i not in VIDEO_LISTS["210"]}
    assert "it is the list 210 of publications" in " ".join(find_differences(BENCHMARKS["thumos14"], without))
    others = dict(list(whole.items())[:210])
    assert "it is the list" not in " ".join(find_differences(BENCHMARKS["thumos14"], others))
