"""Programs of benchmarks/: the numbers that they print, and the configs that they build."""

import json
from contextlib import nullcontext
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.methods import FUSED, INTERPRETATIONS, WORLD_CHANGES, build_sweep
from benchmarks.world_scores import (
    TABLE,
    WorldScore,
    add_scores,
    format_differences,
    format_table,
    read_map,
    read_scores,
    update_tables,
)
from clip_ae.core.config.checks import load_config
from clip_ae.core.config.methods import with_defaults
from clip_ae.core.config.schema import Config
from clip_ae.core.types import VideoInfo
from tests.builders import ROOT, shipped_config


@pytest.fixture(scope="module")
def swept_config() -> Config:
    """The shipped config with the datasets and runs of `python -m benchmarks.methods --sweep`."""
    data, sweep = shipped_config(), build_sweep()
    return load_config({**data, **{key: {**data[key], **entries} for key, entries in sweep.items()}})


@pytest.mark.parametrize(("name", "change"), [*INTERPRETATIONS.items(), ("fused", FUSED)])
def test_a_variant_changes_only_its_own_keys_of_clip_ae(
    swept_config: Config, name: str, change: dict[str, Any]
) -> None:
    main_run, variant = swept_config.runs["clip_ae"], swept_config.runs[name]
    assert {f.name for f in fields(variant) if getattr(variant, f.name) != getattr(main_run, f.name)} == set(change)
    for switch, values in change.items():
        for key, value in values.items() if isinstance(values, dict) else ():
            assert getattr(getattr(variant, switch), key) == value != getattr(with_defaults(main_run)[switch], key)


def test_every_change_of_the_world_gives_another_world(swept_config: Config) -> None:
    worlds = {name: data for name, data in swept_config.datasets.items() if name.startswith("sweep_")}
    assert len({data.simulate for data in worlds.values()}) == len(WORLD_CHANGES)
    assert worlds["sweep_as_it_is"].simulate == swept_config.datasets["simulated"].simulate
    assert set(worlds["sweep_interpretations"].runs) == set(INTERPRETATIONS)


def test_decords_rate_is_the_median_of_its_times(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("decord")
    from benchmarks import features

    decord_seconds = [1.0, 2.0, 4.0, 2.0, 8.0]
    seconds = iter([value for pair in zip([2.0] * 5, decord_seconds, strict=True) for value in pair])
    decoder = SimpleNamespace(read_video_windows=lambda *_: [])
    monkeypatch.setattr(features, "Decoder", lambda: nullcontext(decoder))
    monkeypatch.setattr(features, "measure_seconds", lambda _: next(seconds))
    features.measure_decoding(Path("film.mp4"), VideoInfo("film", "film.mp4", frames=100, width=480, height=360))
    assert capsys.readouterr().out.splitlines()[0].split()[-2:] == ["50", "frames/s"]


def test_memory_is_counted_in_kib(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("decord")
    from benchmarks import long

    rollup = SimpleNamespace(read_text=lambda: "Rss: 9000 kB\nPss:  1000 kB\nPss_Anon: 500 kB\n")
    monkeypatch.setattr(long, "Path", lambda _: rollup)
    monkeypatch.setattr(long, "list_descendants", lambda _: [2])
    assert long.measure_memory(1) == pytest.approx(2 * 1.024)


def make_score(run: str, world: int, average: float, **changes: Any) -> WorldScore:
    values: dict[str, Any] = {
        "tiou_range": "0.1:0.7",
        "chance": 1.0,
        "curve": "weighted",
        "other_average": average + 1,
        "purities": [50.0, 70.0],
        "parameters": 1234,
        "machine": "cpu",
    }
    return WorldScore(run=run, world=world, average=average, **{**values, **changes})


def test_a_table_of_worlds_pairs_them_by_number() -> None:
    scores = [make_score("ugct", 0, 20.0), make_score("ugct", 1, 30.0), make_score("ugct", 2, 99.0)]
    scores += [make_score("ccp", 1, 34.0, curve="activation", purities=[60.0, 90.0]), make_score("ccp", 0, 22.0)]
    rows = format_table(scores, ["ugct", "ccp"])[2:]
    assert rows[0] == "| ugct | 49.7 ± 43.0 | 20.0, 30.0, 99.0 |  |  | weighted 3 | 50.7 | 50, 70 | 1,234 |"
    # Differences are 2 and 4: mean 3, sd 2^0.5, so 12.706 of Student's t with one degree of freedom.
    assert rows[1] == (
        "| ccp | 28.0 ± 8.5 | 22.0, 34.0, - | +3.0 | -9.7 to 15.7 | activation 1, weighted 1 | 29.0 | 55, 80 | 1,234 |"
    )


def test_a_difference_is_over_the_worlds_that_both_runs_have() -> None:
    scores = [make_score("ugct", 0, 20.0), make_score("ugct", 1, 30.0), make_score("ugct", 2, 99.0)]
    scores += [make_score("ccp", 1, 34.0), make_score("ccp", 0, 19.0)]
    # -1 and 4: mean 1.5, half of the interval 12.706 * 2.5.
    assert format_differences(scores, ["ccp minus ugct"])[2:] == [
        "| ccp minus ugct | -1.0, +4.0 | +1.5 | -30.3 to 33.3 |"
    ]
    assert format_differences(scores[-1:] + scores[:1], ["ugct minus ccp"])[2:] == [
        "| ugct minus ccp | +1.0 | +1.0 |  |"
    ]


def test_a_table_has_rows_without_clusters_or_a_second_world() -> None:
    bound = make_score("whole_video_weak", 0, 5.0, purities=[], parameters=0)
    assert format_table([make_score("ugct", 0, 4.0), bound], ["ugct", "whole_video_weak"])[3] == (
        "| whole_video_weak | 5.0 | 5.0 | +1.0 |  | weighted 1 | 6.0 |  | 0 |"
    )


def test_the_score_of_a_map_is_that_of_its_range(tmp_path: Path) -> None:
    averages = {"0.1:0.5": 0.9, "0.1:0.7": 0.25, "0.3:0.7": 0.1}
    scored = {"average": averages, "cut_from": {"curve": "activation"}, "num_parameters": 7}
    others = {"other_curve": {"average": averages}, "chance": {"average": averages}, "rounds": [{"purity": 0.5}]}
    (tmp_path / "map.json").write_text(json.dumps(scored | others))
    score = read_map(tmp_path / "map.json", "ugct", 3, "0.1:0.7", "cpu")
    assert (score.average, score.other_average, score.chance, score.purities) == (25.0, 25.0, 25.0, [50.0])


def test_recorded_scores_replace_those_of_the_same_run_and_world(tmp_path: Path) -> None:
    path = tmp_path / "measured" / "world.jsonl"
    add_scores(path, [make_score("ugct", 1, 1.0), make_score("ccp", 0, 2.0)])
    add_scores(path, [make_score("ccp", 0, 3.0), make_score("ugct", 0, 4.0)])
    found = [(score.run, score.world, score.average) for score in read_scores(path)]
    assert found == [("ugct", 0, 4.0), ("ugct", 1, 1.0), ("ccp", 0, 3.0)]


def test_the_tables_of_the_results_are_those_of_the_recorded_scores() -> None:
    text = (ROOT / "docs/results.md").read_text()
    assert TABLE.search(text)
    assert update_tables(text) == text
