"""CAF beside a transcription of eq. 1-3 in the paper's own orientation, d x L, in float64."""

import numpy as np
import pytest
import torch

from clip_ae.core.config.methods import CafSwitches
from clip_ae.localizers.caf import Caf

B, T, AUDIO, VISUAL, D = 2, 6, 4, 5, 7


def made(**switches):
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


def transcribed(caf, audio, visual, switches):
    """One video; X are d x L."""
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
def test_equals_the_equations(switches):
    caf, (audio, visual, heard, seen) = made(**switches), inputs()
    fused = caf(audio, visual, heard, seen)
    for b in range(B):
        chi_a, chi_v = transcribed(caf, audio[b].numpy(), visual[b].numpy(), CafSwitches(**switches))
        np.testing.assert_allclose(fused.audio[b].detach(), chi_a, rtol=1e-10)
        np.testing.assert_allclose(fused.visual[b].detach(), chi_v, rtol=1e-10)


def test_gradients_are_right():
    caf, (audio, visual, heard, seen) = made(), inputs()
    audio, visual = audio[:1, :3].requires_grad_(), visual[:1, :3].requires_grad_()
    names, weights = zip(*caf.named_parameters(), strict=True)

    def outputs(a, v, *values):
        fused = torch.func.functional_call(
            caf, dict(zip(names, values, strict=True)), (a, v, heard[:1, :3], seen[:1, :3])
        )
        return fused.audio, fused.visual

    assert torch.autograd.gradcheck(outputs, (audio, visual, *weights))


def test_what_is_mixed_is_a_modalitys_own_and_lies_at_the_others_times():
    """Audio in another order: X~_a stays where it is, X~_v moves along, so one stage shows both."""
    caf, (audio, visual, heard, seen) = made(num_layers=1), inputs()
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    stage = caf.layers[0]
    a, v = caf.audio(audio), caf.visual(visual)
    mixed_a, mixed_v = stage(a, v, heard, seen)
    moved_a, moved_v = stage(a[:, order], v, heard, seen)
    torch.testing.assert_close(moved_a, mixed_a)
    torch.testing.assert_close(moved_v, mixed_v[:, order])
    assert not torch.allclose(mixed_v, mixed_v[:, order])


def test_a_masked_snippet_is_never_attended_and_gives_nothing():
    caf, (audio, visual, heard, seen) = made(), inputs()
    heard[0, 4:], seen[0, 5:] = False, False
    found = caf(audio, visual, heard, seen)
    audio[0, 4:], visual[0, 5:] = 1e3, -1e3
    again = caf(audio, visual, heard, seen)
    assert torch.equal(found.audio, again.audio)
    assert torch.equal(found.visual, again.visual)
    assert not found.audio[0, 5:].any()
    assert not found.visual[0, 5:].any()


def test_a_gap_in_the_sound_is_filled_and_then_heard():
    """Stage 1 mixes what was heard; its features lie wherever there is a picture, and stage 2 mixes those."""
    caf, (audio, visual, heard, seen) = made(), inputs()
    heard[0, 4:], seen[0, 1] = False, False
    a, v = caf.audio(audio) * heard[..., None], caf.visual(visual) * seen[..., None]
    mixed_a, mixed_v = caf.layers[0](a, v, heard, seen)
    a1, v1 = torch.tanh(a + mixed_a) * seen[..., None], torch.tanh(v + mixed_v) * seen[..., None]
    mixed_a, mixed_v = caf.layers[1](a1, v1, seen, seen)
    fused = caf(audio, visual, heard, seen)
    torch.testing.assert_close(fused.audio, torch.tanh(a + a1 + mixed_a) * seen[..., None])
    torch.testing.assert_close(fused.visual, torch.tanh(v + v1 + mixed_v) * seen[..., None])


def test_without_sound_nothing_is_heard_and_the_picture_passes():
    caf, (audio, visual, heard, seen) = made(), inputs()
    heard[0] = False
    fused = caf(audio, visual, heard, seen)
    assert not fused.audio[0].any()
    x = caf.visual(visual[:1])
    first = torch.tanh(x)
    torch.testing.assert_close(fused.visual[:1], torch.tanh(x + first))
    fused.visual.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in caf.parameters() if p.grad is not None)


def test_entropy_of_eq_1_is_almost_that_of_an_even_map_and_a_scale_sharpens_it():
    torch.manual_seed(0)
    width = 256
    audio, visual = torch.randn(1, 100, 128), torch.randn(1, 100, width)
    real = torch.ones(1, 100, dtype=torch.bool)
    plain, sharp = (
        next(Caf(128, width, width, CafSwitches(scale=s)).attention_entropies(audio, visual, real, real))
        for s in (1.0, 20.0)
    )
    assert plain > 0.99
    assert sharp < plain - 1e-3


def test_layer_norm_keeps_tanh_from_its_ends():
    audio, visual, heard, seen = inputs()
    loud, normed = (made(layer_norm=on)(100 * audio, 100 * visual, heard, seen).visual for on in (False, True))
    assert (loud.abs() > 0.999).double().mean() > 0.9
    assert (normed.abs() > 0.999).double().mean() < 0.1
