"""The index of provenance: outputs, jobs and ancestors of a results folder."""

from pathlib import Path

import pytest

from clip_ae.core.provenance import Provenance, digest_ids
from clip_ae.data.detections import write_detections
from clip_ae.data.shards import read_stream_input_id, write_shard
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


def test_shards_of_equal_provenance_have_the_input_id_that_readers_record(tmp_path: Path) -> None:
    """Imported shards share one provenance: their spec and inputs do not name the shard."""
    shared = Provenance("import_features", {}, "c0de")
    for index in range(3):
        write_shard(tmp_path / f"results/d/features/rgb/000{index}-of-0003.parquet", "rgb", 2, [], shared)
    input_id = read_stream_input_id(tmp_path / "results/d/features", "rgb", 3)
    assert ProvenanceIndex(tmp_path).jobs_by_input_id == {input_id: {shared.id}, shared.id: {shared.id}}


def test_ancestors_are_the_jobs_behind_all_inputs(root: Path) -> None:
    assert ProvenanceIndex(root).collect_ancestors(DETECTIONS) == {shard.id: shard for shard in SHARDS}


def test_unreadable_output_has_no_provenance(root: Path) -> None:
    (root / "results/d/runs/stpn/seed-0/detections.json").write_text("{}")
    (output,) = [output for output in ProvenanceIndex(root).outputs if output.stage == "localize"]
    assert output.provenance is None
