"""FEEL's released clusters of THUMOS14's training videos: our measures give their published quality.

The folder of the files (CoLA-thumos/data of its repository) is in the variable CLIP_AE_FEEL_CLUSTERS.
"""

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from clip_ae.clustering.quality import measure_quality
from clip_ae.data.annotations import read_annotations

CLUSTERS = Path(os.environ.get("CLIP_AE_FEEL_CLUSTERS", ""))
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif("CLIP_AE_FEEL_CLUSTERS" not in os.environ, reason="needs FEEL's clusters of THUMOS14"),
]
# NMI and ARI by round; the first and the last are published.
BY_ROUND = [(0.573, 0.202), (0.619, 0.279), (0.640, 0.302), (0.650, 0.287), (0.658, 0.308)]


@pytest.mark.parametrize("round_number", range(5))
def test_quality_of_released_clusters(round_number: int) -> None:
    videos = json.loads((CLUSTERS / f"{round_number}/gt.json").read_text())["database"]
    clusters = {i: video["annotations"][0]["label"] for i, video in videos.items() if video["subset"] == "train"}
    annotations = read_annotations(CLUSTERS / "gt.json")
    # The main class of a video is that of most of its instances.
    classes = [Counter(i.label for i in annotations[name].instances).most_common(1)[0][0] for name in clusters]
    quality = measure_quality(list(clusters.values()), classes)
    assert (quality.videos, quality.clusters) == (200, 20)
    assert (quality.nmi, quality.ari) == pytest.approx(BY_ROUND[round_number], abs=6e-4)
    assert 0.5 <= quality.purity < 0.6
