import pytest
import torch

from clip_ae.core.config.methods import CafSwitches, CcpSwitches
from clip_ae.localizers.batch import Batch
from clip_ae.localizers.front_end import FusionFrontEnd
from clip_ae.localizers.localizer import build
from tests.localizers.planted import CLIP_AE, DIMS, blueprint

B, T = 2, 5


def batch():
    g = torch.Generator().manual_seed(0)
    features = {name: torch.randn(B, T, dim, generator=g) for name, dim in DIMS.items()}
    mask = {name: torch.arange(T)[None] < torch.tensor([T, 3])[:, None] for name in DIMS}
    return Batch(("a", "b"), features, mask)


def front_end(**switches):
    torch.manual_seed(0)
    return FusionFrontEnd(blueprint("clip_ae", **{**CLIP_AE, **switches}))


def test_at_the_start_the_head_sees_the_features_themselves():
    seen = front_end(caf=CafSwitches(), ccp=CcpSwitches())(batch())
    for name in ("rgb", "flow"):
        real = batch().masks[name]
        assert torch.equal(seen[name].features[real], batch().features[name][real])
        assert not seen[name].features[~real].any()


def test_only_the_modules_that_are_on_exist():
    caf, ccp = front_end(caf=CafSwitches()), front_end(ccp=CcpSwitches())
    assert not [name for name, _ in caf.named_parameters() if "ccp" in name]
    assert not [name for name, _ in ccp.named_parameters() if "caf" in name]
    assert caf.streams["rgb"].projection.in_features == ccp.streams["rgb"].projection.in_features == 2 * 8
    found = caf(batch())["rgb"]
    assert found.caf is not None
    assert found.ccp is None


def test_audio_may_be_fed_to_rgb_alone():
    both, rgb = front_end(caf=CafSwitches()), front_end(caf=CafSwitches(audio_to="rgb"))
    assert both.streams["flow"].projection.in_features == 2 * 8
    assert rgb.streams["flow"].projection.in_features == 8
    assert rgb.streams["rgb"].projection.in_features == 2 * 8


def moved(feed, dropout=0.0):
    """A front end whose P is not zero, what it is fed, and what comes out."""
    made = front_end(fusion_input=feed, caf=CafSwitches(), ccp=CcpSwitches(), dropout=dropout)
    part = made.streams["rgb"]
    torch.nn.init.normal_(part.projection.weight)
    seen = made(batch())["rgb"]
    parts = torch.cat([seen.caf.visual, seen.caf.audio, seen.ccp.cbp, seen.ccp.vlp], dim=-1)
    return part, parts, seen.features


def test_what_is_fed_says_nothing_that_holds_for_the_whole_video():
    part, parts, features = moved("centred")
    for b, length in enumerate((T, 3)):
        own = parts[b, :length]
        expected = batch().features["rgb"][b, :length] + part.projection(own - own.mean(dim=0))
        torch.testing.assert_close(features[b, :length], expected)
        assert not features[b, length:].any()


def test_residual_feeds_all_of_it():
    part, parts, features = moved("residual")
    real = batch().masks["rgb"]
    torch.testing.assert_close(features[real], (batch().features["rgb"] + part.projection(parts))[real])


@pytest.mark.parametrize("feed", ["centred", "residual", "layer_norm"])
def test_dropout_takes_a_dimension_from_the_whole_video(feed):
    part, *_ = moved(feed, dropout=0.5)
    kept = part.train()._drop_channels(torch.ones(2, T, 40))
    assert torch.equal(kept, kept[:, :1].expand_as(kept))
    assert set(kept.unique().tolist()) == {0.0, 2.0}
    assert not torch.equal(kept[0], kept[1])
    x, seen = torch.zeros(2, T, DIMS["rgb"]), torch.ones(2, T, dtype=torch.bool)
    made = torch.randn(2, T, part.projection.in_features - (DIMS["rgb"] if part.norm else 0))
    assert not torch.equal(part._fuse(x, made, seen), part._fuse(x, made, seen))
    assert torch.equal(part.eval()._fuse(x, made, seen), part._fuse(x, made, seen))


def test_layer_norm_is_the_other_way_to_feed():
    made = front_end(fusion_input="layer_norm", ccp=CcpSwitches())
    part, seen = made.streams["rgb"], made(batch())["rgb"]
    x = torch.cat([batch().features["rgb"], seen.ccp.cbp, seen.ccp.vlp], dim=-1)
    expected = part.norm(part.projection(x))
    real = batch().masks["rgb"]
    torch.testing.assert_close(seen.features[real], expected[real])


def test_streams_have_modules_of_their_own():
    made = front_end(caf=CafSwitches(), ccp=CcpSwitches())
    rgb, flow = (made.streams[name].caf.layers[0].correlation.weight for name in ("rgb", "flow"))
    assert not torch.equal(rgb, flow)


def test_a_head_starts_the_same_whatever_stands_before_it():
    def head(**switches):
        torch.manual_seed(3)
        return build(blueprint("clip_ae", **CLIP_AE, **switches)).head.state_dict()

    plain, full = head(), head(caf=CafSwitches(), ccp=CcpSwitches())
    assert all(torch.equal(plain[name], full[name]) for name in plain)
