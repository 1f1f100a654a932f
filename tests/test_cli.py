"""The command line is run()'s signature; errors end in one line and their exit code."""

import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Annotated

import pytest

import clip_ae
from clip_ae import cli
from clip_ae.core.config.schema import DEFAULT_RUNTIME, Runtime
from clip_ae.core.config.specs import ProbeSpec
from clip_ae.core.errors import RefusedInput, UserError

CALLS: list[dict[str, object]] = []


def run(
    spec: ProbeSpec,
    *,
    videos: Annotated[Path, "folder"],
    count: Annotated[int, "how many, in %"] = 3,
    extra: Annotated[Path | None, "maybe"] = None,
) -> None:
    CALLS.append({"spec": spec, "videos": videos, "count": count, "extra": extra})
    if videos.name == "mine":
        raise UserError("mine: not there; put it there")
    if videos.name == "hostile":
        raise RefusedInput("hostile: refused")
    if videos.name == "bug":
        raise RuntimeError("a bug of ours")
    if videos.name == "stopped":
        raise KeyboardInterrupt


@dataclass(frozen=True)
class Files:
    videos: Annotated[Path, "folder"]
    probe: Annotated[tuple[Path, ...], "tables"] = ()


def grouped(
    *, files: Files, runtime: Annotated[Runtime, "device num_workers"] = DEFAULT_RUNTIME, top: Annotated[int, "n"] = 1
) -> None:
    CALLS.append({"files": files, "runtime": runtime, "top": top})


def listing(
    words: Annotated[tuple[Path, ...], "files, 100 % of them"],
    *,
    weights: Annotated[tuple[Path, ...], "one or more"] = (),
    count: Annotated[int, "how many"] = 3,
) -> None:
    CALLS.append({"words": list(words), "weights": list(weights), "count": count})


@pytest.fixture(autouse=True)
def stage(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, command in (
        ("clip_ae.stages.probe", run),
        ("clip_ae.tools.schema", listing),
        ("clip_ae.tools.show", grouped),
    ):
        module = ModuleType(name)
        module.run = command  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, name, module)
    CALLS.clear()


def test_options_come_from_the_signature() -> None:
    assert cli.main(["probe", "--videos", "a b", "--spec", '{"grid": {"fps": 10}}', "--set", "grid.frames=8"]) == 0
    (call,) = CALLS
    spec = call["spec"]
    assert isinstance(spec, ProbeSpec)
    assert (spec.grid.fps, spec.grid.frames, spec.grid.stride) == (10.0, 8, 16)
    assert (call["videos"], call["count"], call["extra"]) == (Path("a b"), 3, None)


def test_parameters_before_the_star_are_words_and_tuples_take_several() -> None:
    assert cli.main(["schema", "a b", "c", "--count", "4", "--weights", "x", "y"]) == 0
    assert cli.main(["schema", "d", "--weights", "z"]) == 0
    assert cli.main(["schema", "--count", "5", "e"]) == 0
    assert cli.main(["schema", "f", "--weights", "x", "--weights", "y", "z"]) == 0
    found = list(CALLS)
    assert found == [
        {"words": [Path("a b"), Path("c")], "weights": [Path("x"), Path("y")], "count": 4},
        {"words": [Path("d")], "weights": [Path("z")], "count": 3},
        {"words": [Path("e")], "weights": [], "count": 5},
        {"words": [Path("f")], "weights": [Path("x"), Path("y"), Path("z")], "count": 3},
    ]


def test_a_dataclass_is_an_option_for_each_of_its_fields() -> None:
    assert cli.main(["show", "--videos", "v", "--probe", "a", "b", "--device", "cpu"]) == 0
    assert cli.main(["show", "--videos", "v", "--num-workers", "3", "--top", "2"]) == 0
    first: dict[str, object] = {
        "files": Files(Path("v"), (Path("a"), Path("b"))), "runtime": Runtime(device="cpu"), "top": 1,
    }  # fmt: skip
    found = list(CALLS)
    assert found == [first, {"files": Files(Path("v")), "runtime": Runtime(num_workers=3), "top": 2}]


def test_run_time_settings_have_the_help_and_defaults_of_the_config(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["show", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "--num-workers INT processes that decode (or generate) videos" in text
    assert f"(default: {Runtime().num_workers})" in text
    assert "--gpu-batch-size" not in text


def test_words_stand_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["schema", "--help"])
    text = capsys.readouterr().out
    for words in ("WORDS [WORDS ...]", "files, 100 % of them", "--weights PATH [PATH ...]"):
        assert words in text


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (["probe", "--videos", "mine"], 2, "clip-ae: mine: not there; put it there"),
        (["probe", "--videos", "hostile"], 3, "clip-ae: hostile: refused"),
        (["probe", "--videos", "stopped"], 130, "clip-ae: interrupted; nothing half-written is left behind"),
        (["probe"], 2, "clip-ae: the following arguments are required: --videos; see clip-ae probe --help"),
        (["probe", "--videos", "x", "--count", "y"], 2, "clip-ae: argument --count: invalid int value: 'y'; see"),
        (["probe", "--videos", "x", "--spec", "{"], 2, "clip-ae: --spec: not JSON"),
        (["probe", "--videos", "x", "--set", "grid"], 2, "clip-ae: --set grid: expected KEY=VALUE"),
        (["probe", "--videos", "x", "--set", "grid.fps=-1"], 2, "clip-ae: --spec.grid.fps: -1.0 must be more than 0"),
        (
            ["probe", "--videos", "x", "--set", "gird.fps=1"],
            2,
            "clip-ae: --spec.gird: unknown key; did you mean 'grid'",
        ),
        (["schema"], 2, "clip-ae: the following arguments are required: WORDS; see clip-ae schema --help"),
        (["schema", "a", "--weights"], 2, "clip-ae: argument --weights: expected at least one argument; see"),
        (["show", "--videos", "v", "--num-workers", "0"], 2, "clip-ae: runtime.num_workers: 0 must be at least 1"),
        (["show", "--videos", "v", "--device", "gpu"], 2, 'clip-ae: runtime.device: "gpu" is not allowed'),
        (["show", "--probe", "a"], 2, "clip-ae: the following arguments are required: --videos; see"),
        (["show", "--vidoes", "v"], 2, "clip-ae: --vidoes: no such option; did you mean '--videos'"),
        (["show", "--videos", "v", "--tpo=3"], 2, "clip-ae: --tpo: no such option; did you mean '--top'"),
        (["porbe"], 2, "clip-ae: porbe: no such command; did you mean 'probe'?"),
    ],
)
def test_mistakes_end_in_one_line(words: list[str], code: int, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == code
    error = capsys.readouterr().err
    assert error.startswith(line)
    assert error.count("\n") == 1


def test_our_own_bugs_keep_their_traceback() -> None:
    with pytest.raises(RuntimeError):
        cli.main(["probe", "--videos", "bug"])


def test_help_tells_every_option_and_key_with_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["probe", "--help"])
    text = capsys.readouterr().out
    assert ended.value.code == 0
    for words in ("--videos PATH", "how many, in % (default: 3)", "grid.fps", "(default: 25.0)", "--spec JSON"):
        assert words in text


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"clip-ae {clip_ae.__version__}\n"


def test_overview_lists_stages_and_tools_with_their_first_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    text = capsys.readouterr().out
    for command in (*cli.STAGES, *cli.TOOLS):
        line = next(row for row in text.splitlines() if row.startswith(f"  {command} "))
        assert len(line.split()) > 3, f"{command} has no summary"


def test_a_job_extracts_a_stream_with_a_named_encoder() -> None:
    from clip_ae.core.config.dataclass_config import parse_dataclass, to_plain_data
    from clip_ae.core.config.specs import ExtractSpec

    with pytest.raises(UserError, match=r"encoder.encoder: missing; kind of encoder"):
        parse_dataclass(ExtractSpec, {"stream": "dino", "encoder": {}})
    spec = parse_dataclass(ExtractSpec, {"stream": "dino", "encoder": {"encoder": "clip", "frames": 2}})
    assert spec.encoder.weights_names == ("clip_b16_openai",)
    assert parse_dataclass(ExtractSpec, to_plain_data(spec)) == spec
