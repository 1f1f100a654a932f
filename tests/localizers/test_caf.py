"""CAF against a transcription of eq. 1-3 in float64, in the orientation of the paper (d x L)."""

import numpy as np
import pytest
import torch

from clip_ae.core.config.methods import CafSwitches
from clip_ae.localizers.caf import Caf

B, T, AUDIO, VISUAL, D = 2, 6, 4, 5, 7


def create_caf(**switches):
    torch.manual_seed(0)
    return Caf(AUDIO, VISUAL, D, CafSwitches(**switches)).double()


def inputs(seed=0):
    g = torch.Generator().manual_seed(seed)
    audio = torch.randn(B, T, AUDIO, generator=g, dtype=torch.float64)
    visual = torch.randn(B, T, VISUAL, generator=g, dtype=torch.float64)
    return audio, visual, torch.ones(B, T, dtype=torch.bool), torch.ones(B, T, dtype=torch.bool)


def softmax_columns(m):
    e = np.exp(m - m.max(axis=0, keepdims=True))
    return e / e.sum(axis=0, keepdims=True)


def reference_caf(caf, audio, visual, switches):
    """chi_a and chi_v of one video; X are d x L."""
    w = {name: p.detach().numpy() for name, p in caf.state_dict().items()}
    x_a = w["audio.weight"] @ audio.T + w["audio.bias"][:, None]
    x_v = w["visual.weight"] @ visual.T + w["visual.bias"][:, None]
    sum_a, sum_v = x_a, x_v
    for t in range(switches.num_layers):
        n_a, n_v = (x / np.linalg.norm(x, axis=0, keepdims=True) for x in (x_a, x_v))
        lam = w[f"layers.{t}.scale"] * n_a.T @ w[f"layers.{t}.correlation.weight"] @ n_v
        v_a, v_v = (n_a, n_v) if switches.normalized_values else (x_a, x_v)
        mixed_a, mixed_v = v_a @ softmax_columns(lam), v_v @ softmax_columns(lam.T)
        x_a, x_v = np.tanh(sum_a + mixed_a), np.tanh(sum_v + mixed_v)
        sum_a, sum_v = sum_a + x_a, sum_v + x_v
    return x_a.T, x_v.T


@pytest.mark.parametrize(
    "switches", [{}, {"num_layers": 1}, {"num_layers": 3, "scale": 20.0}, {"normalized_values": True}]
)
def test_caf_equals_its_equations(switches):
    caf, (audio, visual, audio_mask, video_mask) = create_caf(**switches), inputs()
    fused = caf(audio, visual, audio_mask, video_mask)
    for b in range(B):
        chi_a, chi_v = reference_caf(caf, audio[b].numpy(), visual[b].numpy(), CafSwitches(**switches))
        np.testing.assert_allclose(fused.audio[b].detach(), chi_a, rtol=1e-10)
        np.testing.assert_allclose(fused.visual[b].detach(), chi_v, rtol=1e-10)


def test_gradients_equal_finite_differences():
    caf, (audio, visual, audio_mask, video_mask) = create_caf(), inputs()
    audio, visual = audio[:1, :3].requires_grad_(), visual[:1, :3].requires_grad_()
    names, weights = zip(*caf.named_parameters(), strict=True)

    def outputs(a, v, *values):
        fused = torch.func.functional_call(
            caf, dict(zip(names, values, strict=True)), (a, v, audio_mask[:1, :3], video_mask[:1, :3])
        )
        return fused.audio, fused.visual

    assert torch.autograd.gradcheck(outputs, (audio, visual, *weights))


def test_values_are_those_of_the_own_modality_at_the_times_of_the_other():
    """If the audio snippets are reordered, X~_a stays the same and X~_v is reordered in the same way."""
    caf, (audio, visual, audio_mask, video_mask) = create_caf(num_layers=1), inputs()
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    layer = caf.layers[0]
    a, v = caf.audio(audio), caf.visual(visual)
    mixed_a, mixed_v = layer(a, v, audio_mask, video_mask)
    reordered_a, reordered_v = layer(a[:, order], v, audio_mask, video_mask)
    torch.testing.assert_close(reordered_a, mixed_a)
    torch.testing.assert_close(reordered_v, mixed_v[:, order])
    assert not torch.allclose(mixed_v, mixed_v[:, order])


def test_a_masked_snippet_is_not_attended_and_has_output_zero():
    caf, (audio, visual, audio_mask, video_mask) = create_caf(), inputs()
    audio_mask[0, 4:], video_mask[0, 5:] = False, False
    before = caf(audio, visual, audio_mask, video_mask)
    audio[0, 4:], visual[0, 5:] = 1e3, -1e3
    after = caf(audio, visual, audio_mask, video_mask)
    assert torch.equal(before.audio, after.audio)
    assert torch.equal(before.visual, after.visual)
    assert not before.audio[0, 5:].any()
    assert not before.visual[0, 5:].any()


def test_a_gap_in_the_audio_is_filled_by_the_first_layer():
    """Layer 1 mixes the audio; its output exists wherever there is video, and layer 2 mixes that output."""
    caf, (audio, visual, audio_mask, video_mask) = create_caf(), inputs()
    audio_mask[0, 4:], video_mask[0, 1] = False, False
    a, v = caf.audio(audio) * audio_mask[..., None], caf.visual(visual) * video_mask[..., None]
    mixed_a, mixed_v = caf.layers[0](a, v, audio_mask, video_mask)
    a1, v1 = torch.tanh(a + mixed_a) * video_mask[..., None], torch.tanh(v + mixed_v) * video_mask[..., None]
    mixed_a, mixed_v = caf.layers[1](a1, v1, video_mask, video_mask)
    fused = caf(audio, visual, audio_mask, video_mask)
    torch.testing.assert_close(fused.audio, torch.tanh(a + a1 + mixed_a) * video_mask[..., None])
    torch.testing.assert_close(fused.visual, torch.tanh(v + v1 + mixed_v) * video_mask[..., None])


def test_without_audio_the_audio_output_is_zero_and_video_is_unchanged():
    caf, (audio, visual, audio_mask, video_mask) = create_caf(), inputs()
    audio_mask[0] = False
    fused = caf(audio, visual, audio_mask, video_mask)
    assert not fused.audio[0].any()
    x = caf.visual(visual[:1])
    first = torch.tanh(x)
    torch.testing.assert_close(fused.visual[:1], torch.tanh(x + first))
    fused.visual.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in caf.parameters() if p.grad is not None)


def test_the_map_of_eq_1_is_almost_uniform_and_a_scale_sharpens_it():
    torch.manual_seed(0)
    width = 256
    audio, visual = torch.randn(1, 100, 128), torch.randn(1, 100, width)
    mask = torch.ones(1, 100, dtype=torch.bool)
    unscaled, scaled = (
        next(Caf(128, width, width, CafSwitches(scale=s)).attention_entropies(audio, visual, mask, mask))
        for s in (1.0, 20.0)
    )
    assert unscaled > 0.99
    assert scaled < unscaled - 1e-3


def test_layer_norm_prevents_saturation_of_tanh():
    audio, visual, audio_mask, video_mask = inputs()
    saturated, normalized = (
        create_caf(layer_norm=on)(100 * audio, 100 * visual, audio_mask, video_mask).visual for on in (False, True)
    )
    assert (saturated.abs() > 0.999).double().mean() > 0.9
    assert (normalized.abs() > 0.999).double().mean() < 0.1
