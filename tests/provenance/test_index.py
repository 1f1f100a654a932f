"""The index of provenance: outputs, jobs and ancestors of a results folder."""

from pathlib import Path

import pytest

from clip_ae.core.provenance import Provenance, digest_ids
from clip_ae.data.detections import write_detections
from clip_ae.data.shards import write_shard
from clip_ae.provenance.index import ProvenanceIndex

SHARDS = [Provenance("extract", {"shard": index}, "c0de") for index in range(2)]
SHARDS_ID = digest_ids(shard.id for shard in SHARDS)
DETECTIONS = Provenance("localize", {}, "c0de", {"features/rgb": SHARDS_ID, "annotations": "not an output"})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    results = tmp_path / "results/d"
    for index, provenance in enumerate(SHARDS):
        write_shard(results / f"features/rgb/000{index}-of-0002.parquet", "rgb", 2, [], provenance)
    # The only shard of an earlier number of shards.
    write_shard(results / "features/rgb/0000-of-0001.parquet", "rgb", 2, [], Provenance("extract", {}, "old"))
    write_detections(results / "runs/stpn/seed-0/detections.json", [], DETECTIONS)
    return tmp_path


def test_an_input_id_stands_for_all_shards_of_one_number(root: Path) -> None:
    index = ProvenanceIndex(root)
    assert index.jobs_by_input_id[SHARDS_ID] == {shard.id for shard in SHARDS}
    assert index.jobs_by_input_id[SHARDS[0].id] == {SHARDS[0].id}


def test_ancestors_are_the_jobs_behind_all_inputs(root: Path) -> None:
    assert ProvenanceIndex(root).collect_ancestors(DETECTIONS) == {shard.id: shard for shard in SHARDS}


def test_unreadable_output_has_no_provenance(root: Path) -> None:
    (root / "results/d/runs/stpn/seed-0/detections.json").write_text("{}")
    (output,) = [output for output in ProvenanceIndex(root).outputs if output.stage == "localize"]
    assert output.provenance is None
