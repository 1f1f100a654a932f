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


UNSCALED = CafSwitches(scaled_to_ccp=False)


def run_front_end(fusion_input, dropout=0.0):
    """A stream's front end with a random P, its M and its F."""
    front_end = create_front_end(fusion_input=fusion_input, caf=UNSCALED, ccp=CcpSwitches(), dropout=dropout)
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


def rms(x):
    return x.square().mean().sqrt()


@pytest.mark.parametrize("fusion_input", ["centred", "residual", "layer_norm"])
def test_cafs_parts_get_the_size_of_ccps_larger_part_in_each_video(fusion_input):
    stream = create_front_end(fusion_input=fusion_input, caf=CafSwitches(), ccp=CcpSwitches()).streams["rgb"]
    g = torch.Generator().manual_seed(1)
    mask = create_batch().masks["rgb"]
    chi, z = (
        [scale * torch.randn(B, T, 8, generator=g) * mask[..., None] for scale in s] for s in ((4, 9), (0.1, 0.3))
    )
    visual, audio, cbp, vlp = stream._prepare_parts(chi, z, mask, None)
    for b in range(B):
        size = max(rms(cbp[b][mask[b]]), rms(vlp[b][mask[b]]))
        for part in (visual, audio):
            torch.testing.assert_close(rms(part[b][mask[b]]), size, rtol=1e-3, atol=0)
    if fusion_input == "residual":
        assert torch.equal(cbp, z[0])
        factor = visual[0, 0, 0] / chi[0][0, 0, 0]
        torch.testing.assert_close(visual[0], chi[0][0] * factor)


def test_without_ccp_cafs_parts_keep_their_size():
    scaled, unscaled = (create_front_end(caf=caf).streams["rgb"] for caf in (CafSwitches(), UNSCALED))
    mask = create_batch().masks["rgb"]
    chi = [torch.randn(B, T, 8), torch.randn(B, T, 8)]
    for a, b in zip(
        scaled._prepare_parts(chi, [], mask, None), unscaled._prepare_parts(chi, [], mask, None), strict=True
    ):
        assert torch.equal(a, b)


@pytest.mark.parametrize("gate", ["none", "correspondence"])
def test_silent_videos_and_zero_features_have_finite_gradients(gate):
    """Video a is silent; video b has features of zeros in every stream."""
    front_end = create_front_end(caf=CafSwitches(gate=gate), ccp=CcpSwitches())
    for stream in front_end.streams.values():
        torch.nn.init.normal_(stream.projection.weight)
    batch = create_batch()
    batch.masks["audio"][0] = False
    for features in batch.features.values():
        features[1] = 0
    fused = front_end(batch)
    sum(f.features.square().sum() for f in fused.values()).backward()
    assert all(torch.isfinite(f.features).all() for f in fused.values())
    gradients = [p.grad for p in front_end.parameters() if p.grad is not None]
    assert gradients
    assert all(torch.isfinite(g).all() for g in gradients)


def test_a_closed_gate_removes_cafs_parts_alone():
    stream = create_front_end(caf=CafSwitches(), ccp=CcpSwitches()).streams["rgb"]
    mask = create_batch().masks["rgb"]
    chi, z = ([torch.randn(B, T, 8) * mask[..., None] for _ in range(2)] for _ in range(2))
    with_gate = stream._prepare_parts(chi, z, mask, torch.tensor([1.0, 0.0]))
    without = stream._prepare_parts(chi, z, mask, None)
    for k, (gated, plain) in enumerate(zip(with_gate, without, strict=True)):
        assert torch.equal(gated[0], plain[0])
        assert torch.equal(gated[1], plain[1] if k >= 2 else torch.zeros_like(plain[1]))


@pytest.mark.parametrize("fusion_input", ["centred", "residual", "layer_norm"])
def test_dropout_drops_dimensions_in_the_whole_video(fusion_input):
    stream, *_ = run_front_end(fusion_input, dropout=0.5)
    dropped = stream.train()._drop_channels(torch.ones(2, T, 40))
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert not torch.equal(dropped[0], dropped[1])
    x = torch.zeros(2, T, DIMS["rgb"])
    m = torch.randn(2, T, stream.projection.in_features - (DIMS["rgb"] if stream.norm else 0))
    assert not torch.equal(stream._fuse(x, m), stream._fuse(x, m))
    assert torch.equal(stream.eval()._fuse(x, m), stream._fuse(x, m))


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
