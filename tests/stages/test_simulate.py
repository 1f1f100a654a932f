"""The simulated benchmark's files: correct readable shards, the same bytes again, no old files left."""

import hashlib
import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from clip_ae.core.config.simulation import SIMULATED_SHARDS, SimulatedWorld, list_simulated_subsets
from clip_ae.core.config.specs import SimulateSpec
from clip_ae.core.sharding import assign_shard, list_shard_names
from clip_ae.core.timeline import SnippetGrid
from clip_ae.data.annotations import read_annotations, read_subset_ids
from clip_ae.data.parquet import read_parquet_provenance
from clip_ae.data.shards import read_stream
from clip_ae.data.text_embeddings import read_text_embeddings
from clip_ae.stages import simulate
from clip_ae.worlds.simulated import FEATURE_STATISTICS, generate_features
from clip_ae.worlds.simulated_events import plan_videos

SPEC = SimulateSpec(
    SimulatedWorld(seed=3, train_videos=7, test_videos=4, rgb_dim=48, flow_dim=40, clip_dim=32, audio_dim=36)
)


def make(folder, spec=SPEC):
    simulate.run(
        spec, features=folder / "features", annotations=folder / "a.json", text_embeddings=folder / "t.parquet",
        manifest=folder / "m.json",
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def world_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated")
    (folder / "features/rgb").mkdir(parents=True)
    (folder / "features/rgb/0000-of-0002.parquet").write_bytes(b"of another cut")
    (folder / "m.json").write_text('{"features": {"rgb/0000-of-0002.parquet": "sha256"}}')
    return make(folder)


def content(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_manifest_names_every_file_by_its_digest(world_dir):
    manifest = json.loads((world_dir / "m.json").read_text())
    files = content(world_dir)
    names = {
        f"{stream}/{shard}.parquet" for stream in FEATURE_STATISTICS for shard in list_shard_names(SIMULATED_SHARDS)
    }
    assert set(files) == {"a.json", "m.json", "t.parquet", *(f"features/{name}" for name in names)}
    assert manifest["features"] == {n: hashlib.sha256(files[f"features/{n}"]).hexdigest() for n in names}
    assert manifest["annotations"] == hashlib.sha256(files["a.json"]).hexdigest()
    assert manifest["texts"] == hashlib.sha256(files["t.parquet"]).hexdigest()
    assert manifest["provenance"]["stage"] == "simulate"
    assert manifest["provenance"]["spec"]["world"]["seed"] == 3


def test_every_class_has_a_text_that_clips_features_of_it_are_nearest_to(world_dir):
    """On average: a class name is nearer to its own actions than to those of another group."""
    texts = read_text_embeddings(world_dir / "t.parquet")
    assert list(texts) == [f"action-{k:02d}" for k in range(SPEC.world.classes)]
    assert np.linalg.norm(list(texts.values()), axis=1) == pytest.approx(1)
    features, known = (
        read_stream(world_dir / "features", "clip", SIMULATED_SHARDS),
        read_annotations(world_dir / "a.json"),
    )
    similarities = {True: [], False: []}
    for video_id, video in features.items():
        middles = (video.start + video.stop) / 2
        for i in known[video_id].instances:
            snippets = video.feature[(middles >= i.start) & (middles < i.stop)].astype(float) - video.feature.mean(
                axis=0
            )
            for name, text in texts.items():
                if (len(snippets) and int(name[-2:]) // 4 != int(i.label[-2:]) // 4) or name == i.label:
                    similarities[name == i.label] += (snippets @ text).tolist()
    assert np.mean(similarities[True]) > np.mean(similarities[False]) + 0.05


def test_annotations_are_read_by_the_project(world_dir):
    found = read_annotations(world_dir / "a.json")
    subsets = list_simulated_subsets(SPEC.world)
    assert {i: a.subset for i, a in found.items()} == subsets
    assert all(a.instances and a.duration and a.instances[-1].stop <= a.duration for a in found.values())
    assert sorted(read_subset_ids(world_dir / "a.json", "training")) == [
        i for i, s in subsets.items() if s == "training"
    ]


@pytest.mark.parametrize("stream", FEATURE_STATISTICS)
def test_shards_hold_the_world_on_one_grid(world_dir, stream):
    videos = {v.video_id: v for v in plan_videos(SPEC.world)}
    found = read_stream(world_dir / "features", stream, SIMULATED_SHARDS)
    assert set(found) == set(videos)
    for video_id, rows in found.items():
        expected = generate_features(SPEC.world, stream, videos[video_id], SnippetGrid())
        for name in ("start", "stop", "coverage", "feature"):
            np.testing.assert_array_equal(getattr(rows, name), getattr(expected, name))
        assert rows.feature.dtype == np.float16
        assert np.isfinite(rows.feature).all()


def test_videos_are_in_their_shards_with_provenance(world_dir):
    for index, name in enumerate(list_shard_names(SIMULATED_SHARDS)):
        path = world_dir / "features/clip" / f"{name}.parquet"
        ids = set(pq.read_table(path, columns=["video_id"])["video_id"].to_pylist())
        assert ids == {i for i in list_simulated_subsets(SPEC.world) if assign_shard(i, SIMULATED_SHARDS) == index}
        assert read_parquet_provenance(path).stage == "simulate"


def test_same_bytes_again(world_dir, tmp_path):
    assert content(make(tmp_path)) == content(world_dir)


def test_another_grid_has_its_own_rows(tmp_path):
    coarse = SimulateSpec(SPEC.world, SnippetGrid(fps=25.0, frames=64, stride=64))
    found = read_stream(make(tmp_path, coarse) / "features", "rgb", SIMULATED_SHARDS)
    for video in plan_videos(SPEC.world):
        assert len(found[video.video_id].feature) == coarse.grid.count_snippets(video.duration)


def test_a_run_that_fails_leaves_no_manifest(world_dir, tmp_path, monkeypatch):
    make(tmp_path)
    monkeypatch.setattr(simulate, "write_shard", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        make(tmp_path)
    assert not (tmp_path / "m.json").exists()
