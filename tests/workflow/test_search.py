"""Moments by text in the workflow: what runs, what runs again, and what the provenance states."""

import json

import pytest

from clip_ae.cli import main
from clip_ae.data.moments import read_moments
from clip_ae.data.vocabulary import read_vocabulary
from tests.builders import video_dataset
from tests.workflow.conftest import Project

GROUNDING = "results/demo_grounding.json"
MOMENTS = "results/demo/moments.json"


def test_the_page_is_searched_by_the_words_of_the_vocabulary(finished: Project) -> None:
    words = [word.name for word in read_vocabulary(finished.folder / "workflow/vocabularies/demo.txt")]
    found = read_moments(finished.folder / MOMENTS)
    assert sorted(found) == sorted(words)
    assert any(found.values())
    assert 'type="search"' in (finished.folder / "results/demo_report.html").read_text()


def test_other_words_in_the_file_are_searched_again_and_comments_are_not(tiny: Project) -> None:
    tiny.rewrite("workflow/vocabularies/demo.txt", lambda text: f"# a remark\n{text}")
    assert tiny.planned() == {}
    tiny.rewrite("workflow/vocabularies/demo.txt", lambda text: f"{text}\nwaving a hand\n")
    assert tiny.planned() == {"find_moments": 1, "report": 1}


def test_sentences_score_moments_and_provenance_names_them(tiny: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert tiny.planned(GROUNDING) == {"score_grounding": 1}
    done = tiny.run(GROUNDING)
    assert done.returncode == 0, done.stdout + done.stderr
    scored = json.loads((tiny.folder / GROUNDING).read_text())
    assert list(scored["views"]) == ["clip", "clip, asked for another", "the whole video"]
    sentences = json.loads((tiny.folder / "results/demo/world/sentences.json").read_text())
    tested = [text for video_id, entry in sentences.items() if "test" in video_id for text in set(entry["sentences"])]
    assert scored["views"]["clip"]["sentences"] == len(tested), "those of training videos do not score"
    assert "0 out of date" in tiny.run("verify").stdout
    assert main(["explain", str(tiny.folder / GROUNDING), "--root", str(tiny.folder)]) == 0
    lines = capsys.readouterr().out
    assert "sentences" in lines
    assert "results/demo/index/clip.arrow" in lines
    assert tiny.planned(GROUNDING) == {}
    tiny.change("datasets.demo.test_subset", "training")
    tiny.change("datasets.demo.train_subset", "validation")
    assert tiny.planned(GROUNDING) == {"score_grounding": 1}


def test_without_sentences_class_names_are_the_queries_also_in_a_simulated_world(tiny: Project) -> None:
    tiny.change("datasets.simulated.simulate", {"train_videos": 40, "test_videos": 20})
    tiny.change("datasets.simulated.search_spaces", ["clip"])
    target = "results/simulated_grounding.json"
    planned = tiny.planned(target)
    assert {rule: planned[rule] for rule in ("simulate", "index", "score_grounding")} == {
        "simulate": 1,
        "index": 1,
        "score_grounding": 1,
    }
    done = tiny.run(target)
    assert done.returncode == 0, done.stdout + done.stderr
    scored = json.loads((tiny.folder / target).read_text())
    assert set(scored["provenance"]["inputs"]) == {"annotations", "text_embeddings", "index/clip"}
    right, wrong = (scored["views"][row]["mIoU"] for row in ("clip", "clip, asked for another"))
    assert right > wrong + 0.05, "what is read tells where to look"
    assert "results/simulated_grounding" not in tiny.run("verify").stdout, "its inputs are those that are there"
    assert "Moments of simulated by class names" in (tiny.folder / "results/simulated_grounding.md").read_text()
    assert tiny.planned(target) == {}


def test_an_adapted_space_is_trained_before_it_is_searched(tiny: Project) -> None:
    tiny.change("datasets.demo.search_spaces", ["clip", "post_pretrained"])
    planned = tiny.planned(GROUNDING)
    assert {rule: planned[rule] for rule in ("train_adapter", "adapt_features", "index", "score_grounding")} == {
        "train_adapter": 1,
        "adapt_features": 4,
        "index": 1,
        "score_grounding": 1,
    }
    assert "find_moments" not in planned


def test_the_page_is_searched_in_the_first_space(tiny: Project) -> None:
    tiny.change("datasets.demo.search_spaces", ["post_pretrained", "clip"])
    planned = tiny.planned(MOMENTS)
    assert {rule: planned[rule] for rule in ("index", "find_moments")} == {"index": 1, "find_moments": 1}


def test_mistakes_end_in_a_line_before_any_job(tiny: Project) -> None:
    assert "index/wrods.arrow: 'wrods' is not defined" in tiny.error_line("-n", "results/demo/index/wrods.arrow")
    tiny.change("datasets.demo.vocabulary", None)
    assert "datasets.demo.vocabulary: missing; give a text file of words" in tiny.error_line("-n", MOMENTS)
    tiny.change("datasets.demo.search_spaces", [])
    assert "datasets.demo.search_spaces: empty; name at least clip" in tiny.error_line("-n", MOMENTS)
    tiny.change("datasets.demo.search_spaces", ["clipp"])
    assert "datasets.demo.search_spaces: 'clipp' is not defined; did you mean 'clip'?" in tiny.error_line("-n", MOMENTS)


def test_a_dataset_without_sentences_or_a_clip_stream_is_refused(tiny: Project) -> None:
    tiny.change("datasets.mine", video_dataset("mine"))
    (tiny.folder / "mine").mkdir()
    (tiny.folder / "mine/a.mp4").touch()
    assert "mine has no sentences and no annotations to score by" in tiny.error_line(
        "-n", "results/mine_grounding.json"
    )
    assert "only CLIP features can be searched by text, and mine has no vlp stream" in tiny.error_line(
        "-n", "results/mine/index/clip.arrow"
    )
