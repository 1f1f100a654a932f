"""An encoder whose one module has the network, too: its one row in the registry gives it keys and weights."""

from typing import Any

import pytest

from clip_ae.core.config import registry
from clip_ae.core.config.checks import load_config
from clip_ae.core.config.dataclass_config import parse_dataclass, to_plain_data
from clip_ae.core.config.specs import ExtractSpec, WeightsSpec
from clip_ae.core.config.stages import build_stage_spec
from clip_ae.core.config.streams import FrameEncoder
from clip_ae.core.errors import UserError
from tests.builders import video_dataset

MODULE = "clip_ae.encoders.streams.small3d"


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    for table in (registry.SINGLE_FILE_ENCODERS, registry.ENCODERS, registry.NETWORKS):
        monkeypatch.setitem(table, "small3d", MODULE)


def config(stream: dict[str, Any], **weights: Any) -> dict[str, Any]:
    streams = {"small": {"role": "cbp", "encoder": "small3d", "weights": "mine", **stream}}
    return {
        "weights": {"mine": {"network": "small3d", "source": "mine.pt", **weights}},
        "runs": {"stpn": {"method": "stpn"}},
        "datasets": {"videos": video_dataset("videos", streams=streams)},
    }


def test_the_module_is_that_of_both_jobs_and_the_keys_are_those_of_frame_encoders() -> None:
    loaded = load_config(config({"frames": 16, "window_s": 2.56, "precision": "bf16"}))
    extract = build_stage_spec(loaded, "extract", {"dataset": "videos", "stream": "small"})
    assert isinstance(extract, ExtractSpec)
    expected = FrameEncoder(
        role="cbp", encoder="small3d", weights="mine", frames=16, window_s=2.56, precision="bf16", batch_size=1
    )
    assert extract.encoder == expected
    assert extract.encoder.weights_names == ("mine",)
    assert parse_dataclass(ExtractSpec, to_plain_data(extract)) == extract
    weights = build_stage_spec(loaded, "weights", {"name": "mine"})
    assert isinstance(weights, WeightsSpec)
    assert weights.weights.network_kind == "small3d"
    assert weights.weights.network_arguments == ()
    assert extract.modules == weights.modules == (MODULE,)


@pytest.mark.parametrize(
    ("stream", "weights", "message"),
    [
        ({"model": "x"}, {}, r"streams\.small\.model: unknown key"),
        ({"encoder": "small3b"}, {}, r"streams\.small\.encoder: 'small3b' is not an encoder; did you mean 'small3d'"),
        ({"encoder": "i3d"}, {}, r"streams\.small\.weights: mine is a small3d network; small needs i3d here"),
        ({}, {"network": None, "clip": {}}, r"mine is a clip network; small needs small3d here"),
        ({}, {"network": "small"}, r"weights\.mine\.network: 'small' is not a row of .*; did you mean 'small3d'"),
        ({}, {"source": "pretrain"}, r"weights\.mine\.source: the workflow cannot train a small3d network"),
    ],
)
def test_mistakes(stream: dict[str, Any], weights: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_config(config(stream, **weights))


def test_a_stream_without_weights_is_refused() -> None:
    data = config({})
    del data["datasets"]["videos"]["streams"]["small"]["weights"]
    with pytest.raises(UserError, match=r"streams\.small\.weights: missing; name of an entry of `weights`"):
        load_config(data)


def test_features_from_files_have_no_encoder_even_under_a_well_known_name() -> None:
    data = config({})
    dataset = data["datasets"]["videos"]
    dataset["features_dir"] = dataset.pop("videos_dir")
    dataset["streams"] = {"rgb": {"encoder": "small3d", "weights": "mine"}}
    with pytest.raises(UserError, match=r"streams\.rgb: only `role` can be set here"):
        load_config(data)
