"""Encoders of frames: an entry of `weights`, or a model of a library, which stands for an entry."""

import re

import pytest

from clip_ae.core.config.dataclass_config import parse_dataclass, to_plain_data
from clip_ae.core.config.model_weights import check_library_encoder, implicit_weights, name_weights
from clip_ae.core.config.network_options import TimmOptions, TorchvisionOptions
from clip_ae.core.config.schema import Weights
from clip_ae.core.config.streams import LibraryEncoder, TimmEncoder, TorchvisionEncoder
from clip_ae.core.errors import UserError

DINO = "vit_small_patch14_dinov2.lvd142m"


@pytest.mark.parametrize(
    ("encoder", "name", "weights"),
    [
        (
            TimmEncoder(model=DINO),
            "timm-vit_small_patch14_dinov2-lvd142m",
            Weights(f"timm:{DINO}", timm=TimmOptions(DINO)),
        ),
        (
            TorchvisionEncoder(model="swin3d_t"),
            "torchvision-swin3d_t",
            Weights("torchvision:swin3d_t/DEFAULT", torchvision=TorchvisionOptions("swin3d_t")),
        ),
        (
            TorchvisionEncoder(model="swin3d_b.KINETICS400_IMAGENET22K_V1"),
            "torchvision-swin3d_b-KINETICS400_IMAGENET22K_V1",
            Weights("torchvision:swin3d_b/KINETICS400_IMAGENET22K_V1", torchvision=TorchvisionOptions("swin3d_b")),
        ),
    ],
)
def test_a_model_stands_for_an_entry_of_weights(encoder: LibraryEncoder, name: str, weights: Weights) -> None:
    assert implicit_weights(encoder) == (name, weights)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", name)
    assert weights.network_kind == encoder.network_kind_by_key["weights"]
    assert name_weights(encoder) == type(encoder)(weights=name)
    assert name_weights(encoder).weights_names == (name,)
    assert "model" not in to_plain_data(name_weights(encoder))


def test_an_encoder_with_weights_stays_as_it_is() -> None:
    assert name_weights(TimmEncoder(weights="mine")) == TimmEncoder(weights="mine")


@pytest.mark.parametrize(
    ("encoder", "message"),
    [(TimmEncoder(), "neither is given"), (TimmEncoder(weights="a", model="b"), "both are given")],
)
def test_exactly_one_of_weights_and_model_is_given(encoder: LibraryEncoder, message: str) -> None:
    with pytest.raises(UserError, match=rf"^datasets.d.streams.dino: give one of .*; {message}$"):
        check_library_encoder("datasets.d.streams.dino", encoder)
    check_library_encoder("x", TimmEncoder(weights="a"))


@pytest.mark.parametrize(
    ("keys", "message"),
    [({"frames": 0}, "at least 1"), ({"window_s": 0}, "more than 0"), ({"window_s": 31}, "at most 30")],
)
def test_limits(keys: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_dataclass(TorchvisionEncoder, {"weights": "a", **keys})
