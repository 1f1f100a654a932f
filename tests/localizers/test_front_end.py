import pytest
import torch

from clip_ae.core.config.methods import CafSwitches, CcpSwitches
from clip_ae.localizers.batch import Batch
from clip_ae.localizers.front_end import FusionFrontEnd
from clip_ae.localizers.localizer import build
from tests.localizers.planted import CLIP_AE, DIMS, localizer_config

B, T = 2, 5


def create_batch():
    g = torch.Generator().manual_seed(0)
    features = {name: torch.randn(B, T, dim, generator=g) for name, dim in DIMS.items()}
    mask = {name: torch.arange(T)[None] < torch.tensor([T, 3])[:, None] for name in DIMS}
    return Batch(("a", "b"), features, mask)


def create_front_end(**switches):
    torch.manual_seed(0)
    return FusionFrontEnd(localizer_config("clip_ae", **{**CLIP_AE, **switches}))


def test_at_initialisation_the_output_equals_the_features():
    fused = create_front_end(caf=CafSwitches(), ccp=CcpSwitches())(create_batch())
    for name in ("rgb", "flow"):
        mask = create_batch().masks[name]
        assert torch.equal(fused[name].features[mask], create_batch().features[name][mask])
        assert not fused[name].features[~mask].any()


def test_only_the_modules_that_are_on_exist():
    caf, ccp = create_front_end(caf=CafSwitches()), create_front_end(ccp=CcpSwitches())
    assert not [name for name, _ in caf.named_parameters() if "ccp" in name]
    assert not [name for name, _ in ccp.named_parameters() if "caf" in name]
    assert caf.streams["rgb"].projection.in_features == ccp.streams["rgb"].projection.in_features == 2 * 8
    fused = caf(create_batch())["rgb"]
    assert fused.caf is not None
    assert fused.ccp is None


def test_audio_can_be_limited_to_rgb():
    both, rgb = create_front_end(caf=CafSwitches()), create_front_end(caf=CafSwitches(audio_to="first"))
    assert both.streams["flow"].projection.in_features == 2 * 8
    assert rgb.streams["flow"].projection.in_features == 8
    assert rgb.streams["rgb"].projection.in_features == 2 * 8


def run_front_end(fusion_input, dropout=0.0):
    """A stream's front end with a random P, its M and its F."""
    front_end = create_front_end(fusion_input=fusion_input, caf=CafSwitches(), ccp=CcpSwitches(), dropout=dropout)
    stream = front_end.streams["rgb"]
    torch.nn.init.normal_(stream.projection.weight)
    fused = front_end(create_batch())["rgb"]
    module_features = torch.cat([fused.caf.visual, fused.caf.audio, fused.ccp.cbp, fused.ccp.vlp], dim=-1)
    return stream, module_features, fused.features


def test_centred_input_has_no_mean_over_the_video():
    stream, module_features, features = run_front_end("centred")
    for b, length in enumerate((T, 3)):
        m = module_features[b, :length]
        expected = create_batch().features["rgb"][b, :length] + stream.projection(m - m.mean(dim=0))
        torch.testing.assert_close(features[b, :length], expected)
        assert not features[b, length:].any()


def test_residual_input_keeps_the_mean():
    stream, module_features, features = run_front_end("residual")
    mask = create_batch().masks["rgb"]
    expected = create_batch().features["rgb"] + stream.projection(module_features)
    torch.testing.assert_close(features[mask], expected[mask])


@pytest.mark.parametrize("fusion_input", ["centred", "residual", "layer_norm"])
def test_dropout_drops_dimensions_in_the_whole_video(fusion_input):
    stream, *_ = run_front_end(fusion_input, dropout=0.5)
    dropped = stream.train()._drop_channels(torch.ones(2, T, 40))
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert not torch.equal(dropped[0], dropped[1])
    x, mask = torch.zeros(2, T, DIMS["rgb"]), torch.ones(2, T, dtype=torch.bool)
    m = torch.randn(2, T, stream.projection.in_features - (DIMS["rgb"] if stream.norm else 0))
    assert not torch.equal(stream._fuse(x, m, mask), stream._fuse(x, m, mask))
    assert torch.equal(stream.eval()._fuse(x, m, mask), stream._fuse(x, m, mask))


def test_layer_norm_input_equals_its_equation():
    front_end = create_front_end(fusion_input="layer_norm", ccp=CcpSwitches())
    stream, fused = front_end.streams["rgb"], front_end(create_batch())["rgb"]
    x = torch.cat([create_batch().features["rgb"], fused.ccp.cbp, fused.ccp.vlp], dim=-1)
    expected = stream.norm(stream.projection(x))
    mask = create_batch().masks["rgb"]
    torch.testing.assert_close(fused.features[mask], expected[mask])


def test_each_stream_has_its_own_modules():
    front_end = create_front_end(caf=CafSwitches(), ccp=CcpSwitches())
    rgb, flow = (front_end.streams[name].caf.layers[0].correlation.weight for name in ("rgb", "flow"))
    assert not torch.equal(rgb, flow)


def test_the_head_is_initialised_the_same_with_and_without_a_front_end():
    def head(**switches):
        torch.manual_seed(3)
        return build(localizer_config("clip_ae", **CLIP_AE, **switches)).head.state_dict()

    without, with_modules = head(), head(caf=CafSwitches(), ccp=CcpSwitches())
    assert all(torch.equal(without[name], with_modules[name]) for name in without)
