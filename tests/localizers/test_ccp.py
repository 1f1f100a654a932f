"""CCP beside a transcription of eq. 4-6 in float64."""

import numpy as np
import pytest
import torch

from clip_ae.core.config.methods import CcpSwitches
from clip_ae.localizers.ccp import Ccp

B, T, CBP, VLP, D = 2, 6, 5, 3, 7


def made(**switches):
    torch.manual_seed(0)
    return Ccp(CBP, VLP, D, CcpSwitches(**switches)).double()


def inputs():
    g = torch.Generator().manual_seed(0)
    cbp, vlp = (torch.randn(B, T, dim, generator=g, dtype=torch.float64) for dim in (CBP, VLP))
    return cbp, vlp, torch.ones(B, T, dtype=torch.bool), torch.ones(B, T, dtype=torch.bool)


def transcribed(ccp, cbp, vlp, residual):
    w = {name: p.detach().numpy() for name, p in ccp.state_dict().items()}
    m = np.concatenate([cbp, vlp], axis=1)
    for view, x in (("cbp", cbp), ("vlp", vlp)):
        q, k, v = m @ w[f"{view}.query.weight"].T, m @ w[f"{view}.key.weight"].T, x @ w[f"{view}.value.weight"].T
        scores = q @ k.T / np.sqrt(D)
        share = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        yield share @ v + residual * v


@pytest.mark.parametrize("switches", [{}, {"shared_qk": True}, {"residual": True}])
def test_equals_the_equations(switches):
    ccp, (cbp, vlp, seen, viewed) = made(**switches), inputs()
    views = ccp(cbp, vlp, seen, viewed)
    for b in range(B):
        z_cbp, z_vlp = transcribed(ccp, cbp[b].numpy(), vlp[b].numpy(), switches.get("residual", False))
        np.testing.assert_allclose(views.cbp[b].detach(), z_cbp, rtol=1e-10)
        np.testing.assert_allclose(views.vlp[b].detach(), z_vlp, rtol=1e-10)


def test_gradients_are_right():
    ccp, (cbp, vlp, seen, viewed) = made(), inputs()
    cbp, vlp = cbp[:1, :3].requires_grad_(), vlp[:1, :3].requires_grad_()
    names, weights = zip(*ccp.named_parameters(), strict=True)

    def outputs(c, v, *values):
        views = torch.func.functional_call(
            ccp, dict(zip(names, values, strict=True)), (c, v, seen[:1, :3], viewed[:1, :3])
        )
        return views.cbp, views.vlp

    assert torch.autograd.gradcheck(outputs, (cbp, vlp, *weights))


def test_a_shared_map_has_one_set_of_weights():
    shared, own = made(shared_qk=True), made()
    joint = (CBP + VLP) * D
    assert sum(p.numel() for p in own.parameters()) - sum(p.numel() for p in shared.parameters()) == 2 * joint


def test_a_masked_snippet_is_never_attended_and_gives_nothing():
    ccp, (cbp, vlp, seen, viewed) = made(), inputs()
    seen[0, 4:], viewed[0, 4:], viewed[1] = False, False, False
    cbp, vlp = cbp * seen[..., None], vlp * viewed[..., None]
    found = ccp(cbp, vlp, seen, viewed)
    cut = ccp(cbp[:1, :4], vlp[:1, :4], seen[:1, :4], viewed[:1, :4])
    torch.testing.assert_close(found.cbp[:1, :4], cut.cbp)
    assert not found.cbp[0, 4:].any()
    assert not found.vlp[1].any()
    assert found.cbp[1].any()
