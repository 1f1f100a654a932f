"""From feature shards to moments: index, find_moments and score_grounding on videos with known features."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clip_ae.cli import main
from clip_ae.core.config.feature_adapters import AdapterTraining
from clip_ae.core.config.schema import ClipOptions
from clip_ae.core.provenance import Provenance
from clip_ae.core.sharding import assign_shard, list_shard_names
from clip_ae.core.types import NetworkWeights, VideoFeatures
from clip_ae.data.detections import read_json_object, read_json_provenance
from clip_ae.data.moments import read_moments
from clip_ae.data.shards import write_shard
from clip_ae.data.snippet_index import read_index
from clip_ae.data.text_embeddings import write_text_embeddings
from clip_ae.encoders.networks import clip
from clip_ae.encoders.networks.state_dict import get_tensors
from clip_ae.encoders.text_encoder import TextTower
from clip_ae.language.adapter import JointEmbedding
from clip_ae.language.adapter_training import create_joint_embedding
from clip_ae.localizers.model_state import module_arrays
from clip_ae.pipeline import search
from clip_ae.provenance.read_provenance import read_provenance
from clip_ae.weights.network_file import read_weights, save_weights

PROVENANCE = Provenance("by hand", {}, "c0de")
CLIP_METADATA = {"name": "eyes", "clip": {"architecture": "tiny"}}
WORDS = ("spinning", "bouncing", "swaying", "looping")
SNIPPETS, SHARDS, STEP = 16, 2, 0.64
# Where each video shows what; elsewhere it shows the first word.
SHOWN = {"a": {"bouncing": (3, 8)}, "b": {"swaying": (9, 13)}, "c": {"bouncing": (1, 3), "looping": (8, 12)}}


@pytest.fixture(scope="module")
def network() -> NetworkWeights:
    torch.manual_seed(0)
    return NetworkWeights(CLIP_METADATA, get_tensors(clip.build(ClipOptions("tiny"))))


def video(name: str, looks: dict[str, np.ndarray], is_decoded: bool = True) -> VideoFeatures:
    feature = np.tile(looks[WORDS[0]], (SNIPPETS, 1))
    for word, (first, end) in SHOWN.get(name, {}).items():
        feature[first:end] = looks[word]
    times = np.arange(SNIPPETS) * STEP
    coverage = np.full(SNIPPETS, float(is_decoded), np.float32)
    return VideoFeatures(name, times, times + STEP, coverage, (feature * is_decoded).astype(np.float16))


def write(folder: Path, stream: str, videos: Sequence[VideoFeatures]) -> None:
    for k, name in enumerate(list_shard_names(SHARDS)):
        videos_of_shard = [v for v in videos if assign_shard(v.video_id, SHARDS) == k]
        write_shard(
            folder / stream / f"{name}.parquet", stream, videos[0].feature.shape[1], videos_of_shard, PROVENANCE
        )


def joint_space(texts: np.ndarray) -> JointEmbedding:
    """Each word, and background, has an axis of its own."""
    joint = create_joint_embedding({"rgb": 8, "flow": 8}, texts.shape[1], AdapterTraining(width=12), seed=0)
    with torch.no_grad():
        joint.text_projection.weight.zero_()
        joint.text_projection.weight[: len(texts)] = torch.from_numpy(np.linalg.pinv(texts.astype(float)).T)
        joint.background.copy_(torch.eye(12)[-1])
    return joint


@pytest.fixture
def folder(tmp_path: Path, network: NetworkWeights) -> Path:
    """Three videos with known features, one without decoded snippets, and a joint space that separates the words."""
    save_weights(tmp_path / "eyes.safetensors", dict(network.tensors), PROVENANCE, CLIP_METADATA)
    texts = TextTower(network, "cpu").embed_ensembles([[word] for word in WORDS])
    looks = dict(zip(WORDS, texts, strict=True))
    videos = [*(video(name, looks) for name in SHOWN), video("unseen", looks, is_decoded=False)]
    write(tmp_path / "features", "clip", videos)
    joint = joint_space(texts)
    save_weights(tmp_path / "joint.safetensors", module_arrays(joint), PROVENANCE, {"joint": joint.init_args})
    with torch.no_grad():
        points = dict(zip(WORDS, joint.embed_texts(torch.from_numpy(texts)).numpy(), strict=True))
    for stream in ("rgb", "flow"):
        adapted = [video(name, points) for name in SHOWN]
        adapted_features = [
            np.concatenate([np.full((SNIPPETS, 8), 9, np.float16), 3 * v.feature], axis=1) for v in adapted
        ]
        write(
            tmp_path / "adapted",
            stream,
            [
                VideoFeatures(v.video_id, v.start, v.stop, v.coverage, f)
                for v, f in zip(adapted, adapted_features, strict=True)
            ],
        )
    (tmp_path / "words.txt").write_text("\n".join(WORDS[1:]))
    sentences = {
        name: {
            "duration": SNIPPETS * STEP,
            "timestamps": [[STEP * first, STEP * end] for first, end in shown.values()],
            "sentences": list(shown),
        }
        for name, shown in SHOWN.items()
    }
    (tmp_path / "sentences.json").write_text(json.dumps(sentences))
    return tmp_path


def run(folder: Path, stage: str, *words: object, **paths: str) -> int:
    options = [str(part) for key, path in paths.items() for part in (f"--{key.replace('_', '-')}", folder / path)]
    return main([stage, *options, *map(str, words)])


def index(folder: Path, out: str = "clip.arrow", *words: object, **paths: str) -> int:
    return run(
        folder, "index", "--shards", SHARDS, "--set", "vlp_stream=clip", *words, features="features", out=out, **paths
    )


def joint_index(folder: Path) -> int:
    words = ("--set", 'cbp_streams=["rgb","flow"]')
    return index(folder, "joint.arrow", *words, adapted_features="adapted", adapter="joint.safetensors")


def find(folder: Path, *words: object, **paths: str) -> int:
    paths = {
        "index": "clip.arrow",
        "clip_weights": "eyes.safetensors",
        "vocabulary": "words.txt",
        "out": "m.json",
    } | paths
    return run(folder, "find_moments", "--device", "cpu", "--set", 'templates=["{}"]', *words, **paths)


def score(folder: Path, *words: object, indices: Sequence[str] = ("clip.arrow",), **paths: str | None) -> int:
    path_options = {
        "sentences": "sentences.json",
        "clip_weights": "eyes.safetensors",
        "out": "g.json",
        "table": "g.md",
    } | paths
    index_paths = [folder / name for name in indices]
    return run(
        folder,
        "score_grounding",
        "--device",
        "cpu",
        "--indices",
        *index_paths,
        "--set",
        "dataset=d",
        *words,
        **{key: path for key, path in path_options.items() if path},
    )


def scores(folder: Path) -> dict[str, Any]:
    return dict(read_json_object(folder / "g.json")["views"])


@pytest.mark.parametrize("space", ["clip", "joint"])
def test_each_word_is_found_where_it_is_shown_the_best_video_first(folder: Path, space: str) -> None:
    assert index(folder) == joint_index(folder) == 0
    assert find(folder, index=f"{space}.arrow", **({"adapter": "joint.safetensors"} if space == "joint" else {})) == 0
    found = read_moments(folder / "m.json")
    assert list(found) == list(WORDS[1:])
    for word, video_id, (first, end) in (
        ("bouncing", "a", (3, 8)),
        ("swaying", "b", (9, 13)),
        ("looping", "c", (8, 12)),
    ):
        best = found[word][0]
        assert best.video_id == video_id, word
        assert best.start == pytest.approx(STEP * first, abs=STEP / 2)
        assert best.stop == pytest.approx(STEP * end, abs=STEP / 2)
    assert found["bouncing"][1].video_id == "c", "shown there too, for less long"


def test_moments_of_a_word_do_not_overlap_and_fall_in_score(folder: Path) -> None:
    assert index(folder) == find(folder) == 0
    for found in read_moments(folder / "m.json").values():
        assert [d.score for d in found] == sorted((d.score for d in found), reverse=True)
        for n, d in enumerate(found):
            assert all(o.video_id != d.video_id or o.stop <= d.start or d.stop <= o.start for o in found[:n])


def test_top_k_limits_the_number_of_moments(folder: Path) -> None:
    assert index(folder) == find(folder, "--set", "top_k=1") == 0
    assert {len(found) for found in read_moments(folder / "m.json").values()} == {1}


def test_far_videos_are_not_looked_at_closely(
    folder: Path, network: NetworkWeights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "NUM_CANDIDATES", 1)
    assert index(folder) == find(folder) == 0
    assert {d.video_id for d in read_moments(folder / "m.json")["swaying"]} == {"b"}


def test_a_video_without_decoded_snippets_is_left_out_of_the_index(folder: Path) -> None:
    assert index(folder) == 0
    assert read_index(folder / "clip.arrow").video_ids == ["a", "b", "c"]


def test_points_of_the_joint_space_are_of_length_one_and_the_mean_over_streams(folder: Path) -> None:
    assert joint_index(folder) == 0
    found = read_index(folder / "joint.arrow")
    assert found.rows_of(0).shape == (SNIPPETS, 12)
    assert np.allclose(np.linalg.norm(found.rows_of(0).astype(float), axis=1), 1, atol=2e-3)


def test_a_joint_space_has_the_videos_that_all_streams_have(folder: Path) -> None:
    only_video = video("a", dict.fromkeys(WORDS, np.ones(20)))
    write(folder / "adapted", "flow", [only_video])
    assert joint_index(folder) == 0
    assert read_index(folder / "joint.arrow").video_ids == ["a"]


def test_the_same_bytes_again_and_records_of_all_that_went_in(folder: Path) -> None:
    def make_outputs() -> dict[str, bytes]:
        assert index(folder) == joint_index(folder) == find(folder) == 0
        both = ("clip.arrow", "joint.arrow")
        assert score(folder, "--set", 'search_spaces=["clip","joint"]', indices=both, adapters="joint.safetensors") == 0
        names = (*both, "m.json", "g.json", "g.md")
        return {name: (folder / name).read_bytes() for name in names}

    before = make_outputs()
    assert make_outputs() == before
    assert set(read_provenance(folder / "clip.arrow").inputs) == {"features/clip"}
    expected_inputs = {"features/clip", "features/rgb", "features/flow", "adapter"}
    assert set(read_provenance(folder / "joint.arrow").inputs) == expected_inputs
    assert set(read_json_provenance(folder / "m.json").inputs) == {"index", "clip_weights", "vocabulary"}
    scored = {"sentences", "clip_weights", "index/clip", "index/joint"}
    assert set(read_json_provenance(folder / "g.json").inputs) == scored
    assert read_provenance(folder / "g.md") == read_json_provenance(folder / "g.json")


def test_sentences_find_their_moments_and_the_whole_video_does_not(folder: Path) -> None:
    assert index(folder) == score(folder) == 0
    found = scores(folder)
    assert list(found) == ["clip", "clip, asked for another", "the whole video"]
    assert found["clip"]["sentences"] == 4
    assert found["clip"]["R@1"]["0.7"] == 1
    assert found["clip"]["mIoU"] > 0.75
    assert found["the whole video"]["R@1"]["0.5"] == 0
    table = (folder / "g.md").read_text()
    assert "# Moments of d by sentences" in table
    assert "| clip " in table
    assert " 100.0 (" in table


def test_the_control_with_sentences_of_other_videos_scores_lower(folder: Path) -> None:
    assert index(folder) == score(folder) == 0
    found = scores(folder)
    assert found["clip, asked for another"]["sentences"] == 4
    assert found["clip, asked for another"]["mIoU"] < found["clip"]["mIoU"] - 0.2


def test_without_sentences_class_names_are_the_queries(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    instances_by_video = {"a": [("bouncing", [3 * STEP, 8 * STEP])], "b": [("swaying", [9 * STEP, 13 * STEP])]}
    database = {
        name: {"subset": "validation", "annotations": [{"label": label, "segment": s} for label, s in instances]}
        for name, instances in instances_by_video.items()
    }
    (folder / "truth.json").write_text(json.dumps({"database": database}))
    assert index(folder) == 0
    plain = ("--set", 'templates=["{}"]')
    assert score(folder, *plain, sentences=None, annotations="truth.json") == 0
    assert scores(folder)["clip"]["R@1"]["0.7"] == 1
    assert scores(folder)["clip"]["sentences"] == 2
    assert "# Moments of d by class names" in (folder / "g.md").read_text()
    by_hand = TextTower(
        NetworkWeights(CLIP_METADATA, dict(read_weights(folder / "eyes.safetensors").tensors)), "cpu"
    ).embed(WORDS)
    write_text_embeddings(folder / "texts.parquet", dict(zip(WORDS, by_hand, strict=True)), PROVENANCE)
    assert (
        score(folder, sentences=None, annotations="truth.json", clip_weights=None, text_embeddings="texts.parquet") == 0
    )
    assert scores(folder)["clip"]["R@1"]["0.7"] == 1, "templates put nothing around texts that were read already"
    assert score(folder, sentences=None) == 2
    assert score(folder, sentences=None, annotations="truth.json", clip_weights=None) == 2
    (folder / "none.json").write_text(json.dumps({"database": {"a": {"subset": "validation", "annotations": []}}}))
    assert score(folder, sentences=None, annotations="none.json") == 2
    stderr = capsys.readouterr().err
    assert "subset 'validation' has no annotated action to search for" in stderr
    assert "--sentences, --annotations: missing; give one, to search" in stderr
    assert "--clip-weights: missing; words are read by a CLIP's text tower" in stderr


def test_sentences_that_are_not_read_whole_are_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sentences = json.loads((folder / "sentences.json").read_text())
    sentences["a"]["sentences"] = ["very " * 500]
    (folder / "sentences.json").write_text(json.dumps(sentences))
    assert index(folder) == score(folder) == 0
    assert "1 of 4 sentences cannot be embedded as written, as " in capsys.readouterr().err


def test_a_space_trained_with_class_names_is_marked_in_the_table(folder: Path) -> None:
    assert index(folder) == score(folder, "--set", 'class_name_spaces=["clip"]') == 0
    assert "| clip (uses class names) " in (folder / "g.md").read_text()


def test_sentences_of_other_videos_or_subsets_do_not_score_and_are_counted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = {name: {"subset": "test" if name == "a" else "training", "annotations": []} for name in SHOWN}
    (folder / "truth.json").write_text(json.dumps({"database": database}))
    sentences = json.loads((folder / "sentences.json").read_text())
    (folder / "sentences.json").write_text(json.dumps({**sentences, "elsewhere": sentences["a"]}))
    assert index(folder) == score(folder) == 0
    assert scores(folder)["clip"]["sentences"] == 4
    assert "clip: 1 of 5 sentences are of other videos" in capsys.readouterr().err
    assert score(folder, "--set", "test_subset=test", annotations="truth.json") == 0
    assert scores(folder)["clip"]["sentences"] == 1
    assert "test: 4 of 5 sentences are of other videos" in capsys.readouterr().err


def test_an_index_of_a_joint_space_is_searched_by_its_own_network_alone(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert joint_index(folder) == 0
    save_weights(folder / "other.safetensors", {"x": np.zeros(1)}, Provenance("other", {}, "c0de"), {"joint": {}})
    assert find(folder, index="joint.arrow") == find(folder, index="joint.arrow", adapter="other.safetensors") == 2
    assert score(folder, indices=("joint.arrow",)) == 2
    assert capsys.readouterr().err.count("clip-ae: --adapter: missing, or another than that of the index") == 3


def test_mistakes_end_in_a_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def error_line(code: int) -> str:
        assert code in (2, 3)
        (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("clip-ae: ")]
        return line

    assert "--adapted-features, --adapter: missing" in error_line(
        index(folder, "x.arrow", "--set", 'cbp_streams=["rgb","flow"]')
    )
    assert "none.arrow: no index" in error_line(find(folder, index="none.arrow"))
    assert index(folder) == 0
    save_weights(folder / "ears.safetensors", {"x": np.zeros(1)}, PROVENANCE, {"name": "ears", "vggish": {}})
    assert "--clip-weights: ears is no CLIP" in error_line(find(folder, clip_weights="ears.safetensors"))
    assert "templates: none; with '{}' alone" in error_line(find(folder, "--set", "templates=[]"))
    assert "--indices: 1 for the search spaces clip, other; give one for each" in error_line(
        score(folder, "--set", 'search_spaces=["clip","other"]')
    )


def test_a_word_too_long_for_every_template_is_logged(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "words.txt").write_text(f"spinning\nlong: {'very ' * 500}long; swaying\n")
    assert index(folder) == find(folder) == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "tokens" in line]
    assert line.startswith('"very very')


def test_an_average_snippet_is_what_a_word_is_held_against(folder: Path, network: NetworkWeights) -> None:
    assert index(folder) == 0
    known, tower = read_index(folder / "clip.arrow"), TextTower(network, "cpu")
    (query,) = search.build_text_queries(tower.embed(["spinning"]), known, tower.logit_scale, None)
    assert query.logits(known.mean_feature[None].astype(np.float16))[0] == pytest.approx(0, abs=0.05)
