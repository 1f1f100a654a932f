"""The published benchmarks: spellings of ids and subsets, and the size of a complete release."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

YOUTUBE_ID = re.compile(r"(?:v_)?([\w-]{11})", re.ASCII)
SUBSET_SYNONYMS = {"train": "training", "val": "validation", "test": "testing"}


@dataclass(frozen=True)
class ReleasedSubset:
    """One subset of the release."""

    num_videos: int
    # None where no trusted source states it.
    num_instances: int | None = None


@dataclass(frozen=True)
class Benchmark:
    """A benchmark; `subsets` are the training and the test subset of its published protocol."""

    title: str
    subsets: Mapping[str, ReleasedSubset]
    num_classes: int
    # Classes whose every instance is also annotated as another class.
    implied_classes: Mapping[str, str] = field(default_factory=dict)

    def normalize_video_id(self, name: str) -> str:
        """The canonical id of a video, from a file name or an annotation's id."""
        return name

    def normalize_subset(self, video_id: str, stated: str) -> str:
        """The canonical name of the video's subset."""
        return stated


class Thumos14(Benchmark):
    def normalize_subset(self, video_id: str, stated: str) -> str:
        """From the id: files in circulation call the validation videos train, training or Validation."""
        return next((name for name in self.subsets if video_id.startswith(f"video_{name}_")), stated)


class ActivityNet12(Benchmark):
    def normalize_video_id(self, name: str) -> str:
        """Without the v_ that downloads and some annotations put before YouTube's id."""
        found = YOUTUBE_ID.fullmatch(name)
        return found[1] if found else name

    def normalize_subset(self, video_id: str, stated: str) -> str:
        word = stated.lower()
        return SUBSET_SYNONYMS.get(word, word)


BENCHMARKS: dict[str, Benchmark] = {
    "thumos14": Thumos14(
        "THUMOS14",
        {"validation": ReleasedSubset(200, 3007), "test": ReleasedSubset(213, 3358)},
        num_classes=20,
        implied_classes={"CliffDiving": "Diving"},
    ),
    "activitynet12": ActivityNet12(
        "ActivityNet v1.2",
        {"training": ReleasedSubset(4819), "validation": ReleasedSubset(2383, 3582)},
        num_classes=100,
    ),
}
