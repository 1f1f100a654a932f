"""A dataset's folder means the main run, which any of its summaries names."""

from dataclasses import asdict
from pathlib import Path

import pytest

from clip_ae.core.config.specs import ReportSpec, SummarizeSpec
from clip_ae.core.errors import UserError
from clip_ae.core.provenance import Provenance, make_provenance
from clip_ae.data.detections import write_detections, write_json
from clip_ae.pages.markdown import render_markdown_page
from clip_ae.pages.page import render_html_page
from clip_ae.provenance.run_folder import find_trained_run


@pytest.fixture
def dataset_dir(tmp_path: Path) -> Path:
    """results/mine with two finished runs of two seeds."""
    for run in ("stpn", "ugct"):
        for seed in (1, 2):
            path = tmp_path / f"results/mine/runs/{run}/seed-{seed}/detections.json"
            path.parent.mkdir(parents=True)
            path.write_text("{}")
    return tmp_path / "results/mine"


def summary_provenance(main_run: str) -> Provenance:
    return make_provenance("summarize", SummarizeSpec("mine", main_run, (2, 1)), {})


def write_summary(dataset_dir: Path, name: str, main_run: str) -> None:
    """One of results/mine_{name}, as the stages write it, with no more than its provenance."""
    path, provenance = dataset_dir.with_name(f"mine_{name}"), summary_provenance(main_run)
    if name == "detections.json":
        write_detections(path, [], provenance)
    elif name == "map.json":
        write_json(path, {"provenance": asdict(provenance)})
    elif name == "table.md":
        path.write_text(render_markdown_page("mine", [], [], provenance.to_json()))
    else:
        report = make_provenance("report", ReportSpec("mine", main_run, (2, 1), 1, ("rgb",), "ugct"), {})
        path.write_text(render_html_page("mine", "", {}, "{}", report.to_json()))


@pytest.mark.parametrize("name", ["detections.json", "map.json", "table.md", "report.html"])
def test_any_summary_names_the_main_run(dataset_dir: Path, name: str) -> None:
    write_summary(dataset_dir, name, "ugct")
    assert find_trained_run(dataset_dir).run_dir == dataset_dir / "runs/ugct/seed-2"


def test_a_summary_of_a_run_that_is_gone_is_no_answer(dataset_dir: Path) -> None:
    write_summary(dataset_dir, "map.json", "removed")
    write_summary(dataset_dir, "report.html", "stpn")
    assert find_trained_run(dataset_dir).run_dir == dataset_dir / "runs/stpn/seed-2"


def test_without_a_summary_several_runs_are_an_error_and_a_seed_is_itself(dataset_dir: Path) -> None:
    with pytest.raises(UserError, match=r"several finished runs; name one of .*stpn/seed-1, .*ugct/seed-2$"):
        find_trained_run(dataset_dir)
    assert find_trained_run(dataset_dir / "runs/stpn/seed-1").run_dir.name == "seed-1"
