"""Published annotation files, if they are in shared/data next to the repository."""

from collections import Counter
from pathlib import Path

import pytest

from clip_ae.core.benchmark_checks import find_differences
from clip_ae.core.benchmarks import BENCHMARKS
from clip_ae.core.video_lists import VIDEO_LISTS
from clip_ae.data.annotations import read_annotations, read_evaluated_ids
from clip_ae.tools.annotations import normalize_annotations

DATA = Path(__file__).parents[3] / "shared/data"
pytestmark = [pytest.mark.real, pytest.mark.skipif(not DATA.is_dir(), reason="needs the annotation files")]


def summary(path, subset):
    """Count videos, videos with an action, actions, classes and ambiguous spans."""
    videos = [a for a in read_annotations(path).values() if a.subset == subset]
    instances = [i for a in videos for i in a.instances]
    num_ambiguous = sum(len(a.ambiguous) for a in videos)
    return (
        len(videos),
        sum(bool(a.instances) for a in videos),
        len(instances),
        len({i.label for i in instances}),
        num_ambiguous,
    )


def test_thumos14_kit_has_the_published_counts():
    kit = DATA / "thumos14_kit_txt"
    assert summary(kit, "validation")[:4] == (200, 200, 3007, 20)
    assert summary(kit, "test") == (213, 212, 3358, 20, 99)
    for name in VIDEO_LISTS:
        assert len(read_evaluated_ids(kit, "test", name)) == int(name)
    annotations = read_annotations(kit)
    actions = Counter(
        {
            name: sum(len(annotations[i].instances) for i in read_evaluated_ids(kit, "test", name))
            for name in VIDEO_LISTS
        }
    )
    assert actions == {"213": 3358, "212": 3358, "211": 3329, "210": 3311}


def test_published_thumos14_json_with_times_as_text():
    assert summary(DATA / "thumos14_gt.json", "train")[:4] == (200, 200, 3007, 20)
    assert summary(DATA / "thumos14_gt.json", "test")[:4] == (210, 210, 3311, 20)
    assert len(read_evaluated_ids(DATA / "thumos14_gt.json", "test", "210")) == 210


def test_activitynet_of_the_available_videos():
    assert summary(DATA / "activitynet12_available.json", "validation") == (2198, 2198, 3281, 100, 0)
    assert summary(DATA / "activitynet12_available.json", "training")[2] == 6588


def list_differences(benchmark, name):
    release = BENCHMARKS[benchmark]
    return list(find_differences(release, normalize_annotations(release, read_annotations(DATA / name))))


def test_differences_from_the_releases():
    assert not list_differences("thumos14", "thumos14_kit_txt")
    assert list_differences("thumos14", "thumos14_gt.json") == [
        "test: 210 videos, the release has 213; it is the list 210 of publications",
        "test: 3311 actions, the release has 3358",
    ]
    counts = list_differences("activitynet12", "activitynet12_available.json")[:3]
    assert [line.split(",")[0] for line in counts] == [
        "training: 4441 videos",
        "validation: 2198 videos",
        "validation: 3281 actions",
    ]
