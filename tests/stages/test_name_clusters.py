"""Names of clusters from the CLIP features of their attended snippets."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clip_ae.cli import main
from clip_ae.core.config.schema import ClipOptions
from clip_ae.core.provenance import Provenance
from clip_ae.core.sharding import format_shard_name
from clip_ae.core.types import NetworkWeights, VideoFeatures
from clip_ae.data.detections import read_json_object, read_json_provenance
from clip_ae.data.parquet import CURVES_SCHEMA, write_rows
from clip_ae.data.shards import write_shard
from clip_ae.encoders.networks import clip
from clip_ae.encoders.networks.state_dict import get_tensors
from clip_ae.encoders.text_encoder import TextTower
from clip_ae.weights.network_file import save_weights

PROVENANCE = Provenance("made by hand", {}, "c0de")
CLIP_METADATA = {"name": "eyes", "clip": {"architecture": "tiny"}}
WORDS = ["spinning", "bouncing", "swaying", "looping"]


@pytest.fixture(scope="module")
def network() -> NetworkWeights:
    torch.manual_seed(0)
    return NetworkWeights(CLIP_METADATA, get_tensors(clip.build(ClipOptions("tiny"))))


@pytest.fixture
def folder(tmp_path: Path, network: NetworkWeights) -> Path:
    """Cluster 0 attends to what looks like `swaying`, cluster 1 to `looping`; the rest looks like `spinning`."""
    save_weights(tmp_path / "eyes.safetensors", dict(network.tensors), PROVENANCE, CLIP_METADATA)
    (tmp_path / "words.txt").write_text("\n".join(WORDS))
    spinning, _, swaying, looping = TextTower(network, "cpu").embed_ensembles([[word] for word in WORDS])
    times = np.arange(4) * 0.64
    videos, rows = [], []
    for n, look in enumerate((swaying, looping)):
        feature = np.stack([spinning, look, look, spinning]).astype(np.float16)
        videos.append(VideoFeatures(f"v{n}", times, times + 0.64, np.ones(4, np.float32), feature))
        for k in range(4):
            attention = float(k in (1, 2))
            rows.append(
                {"video_id": f"v{n}", "snippet": k, "attention": attention, "activation": {f"cluster-0{n}": 0.9}}
            )
    write_shard(tmp_path / f"clip/{format_shard_name(0, 1)}.parquet", "clip", len(spinning), videos, PROVENANCE)
    write_rows(tmp_path / "curves.parquet", CURVES_SCHEMA, rows, PROVENANCE)
    return tmp_path


def run_name_clusters(folder: Path, *words: str, vocabulary: str = "words.txt") -> int:
    paths = {
        "curves": "curves.parquet",
        "clip_weights": "eyes.safetensors",
        "vocabulary": vocabulary,
        "out": "names.json",
    }
    options = [word for key, path in paths.items() for word in (f"--{key.replace('_', '-')}", str(folder / path))]
    return main(
        [
            "name_clusters",
            "--features",
            str(folder),
            "--shards",
            "1",
            "--device",
            "cpu",
            *options,
            "--set",
            "vlp_stream=clip",
            *words,
        ]
    )


def read_names(folder: Path) -> dict[str, Any]:
    names: dict[str, Any] = read_json_object(folder / "names.json")["names"]
    return names


PLAIN = ("--set", 'templates=["{}"]')


def test_each_cluster_gets_the_words_that_it_looks_like(folder: Path) -> None:
    assert run_name_clusters(folder, *PLAIN) == 0
    assert {cluster: guesses[0]["name"] for cluster, guesses in read_names(folder).items()} == {
        "cluster-00": "swaying",
        "cluster-01": "looping",
    }
    for guesses in read_names(folder).values():
        scores = [guess["score"] for guess in guesses]
        assert len(scores) == 3
        assert scores == sorted(scores, reverse=True)
        assert 0 < sum(scores) <= 1.0001


def test_descriptions_stand_in_the_names_place(folder: Path) -> None:
    (folder / "described.txt").write_text("spinning\nmoving to and fro: swaying\nround and round: looping; looping\n")
    assert run_name_clusters(folder, *PLAIN, vocabulary="described.txt") == 0
    assert read_names(folder)["cluster-00"][0]["name"] == "moving to and fro"
    assert read_names(folder)["cluster-01"][0]["name"] == "round and round"


def test_the_same_bytes_again_and_a_record_of_the_words(folder: Path) -> None:
    assert run_name_clusters(folder) == 0
    before = (folder / "names.json").read_bytes()
    record = read_json_provenance(folder / "names.json")
    assert set(record.inputs) == {"features/clip", "curves", "clip_weights", "vocabulary"}
    assert run_name_clusters(folder) == 0
    assert (folder / "names.json").read_bytes() == before
    (folder / "words.txt").write_text("\n".join([*WORDS, "hopping"]))
    assert run_name_clusters(folder) == 0
    assert read_json_provenance(folder / "names.json").inputs["vocabulary"] != record.inputs["vocabulary"]


def test_a_network_without_words_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_weights(folder / "eyes.safetensors", {"x": np.zeros(1)}, PROVENANCE, {"name": "ears", "vggish": {}})
    assert run_name_clusters(folder) == 2
    assert "--clip-weights: ears is no CLIP" in capsys.readouterr().err


def test_a_text_longer_than_the_tower_reads_is_cut_and_said_to_be(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "words.txt").write_text(f"spinning\n{'very ' * 500}long\n")
    assert run_name_clusters(folder) == 0
    json.dumps(read_names(folder))
    # Five words of the template, 501 of the text, two marks.
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "tokens" in line]
    assert line.startswith('"a video of a person very very')
    assert "CLIP reads 16 of its 508 tokens" in line


def test_a_text_that_many_words_share_is_remarked_on_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "words.txt").write_text("to sit: сидеть\nsitting: сидеть; sitting down\n", encoding="utf-8")
    assert run_name_clusters(folder) == 0
    assert capsys.readouterr().err.count("not in Latin letters") == 1
