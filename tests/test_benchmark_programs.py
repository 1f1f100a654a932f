"""Programs of benchmarks/: the numbers that they print, and the configs that they build."""

from contextlib import nullcontext
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.methods import FUSED, INTERPRETATIONS, WORLD_CHANGES, build_sweep
from clip_ae.core.config.checks import load_config
from clip_ae.core.config.methods import with_defaults
from clip_ae.core.config.schema import Config
from clip_ae.core.types import VideoInfo
from tests.builders import shipped_config


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
