"""CCP against a transcription of eq. 4-6 in float64."""

import numpy as np
import pytest
import torch

from clip_ae.core.config.methods import CcpSwitches
from clip_ae.localizers.ccp import Ccp

B, T, CBP, VLP, D = 2, 6, 5, 3, 7


def create_ccp(**switches):
    torch.manual_seed(0)
    return Ccp(CBP, VLP, D, CcpSwitches(**switches)).double()


def inputs():
    g = torch.Generator().manual_seed(0)
    cbp, vlp = (torch.randn(B, T, dim, generator=g, dtype=torch.float64) for dim in (CBP, VLP))
    return cbp, vlp, torch.ones(B, T, dtype=torch.bool), torch.ones(B, T, dtype=torch.bool)


def reference_ccp(ccp, cbp, vlp, residual):
    w = {name: p.detach().numpy() for name, p in ccp.state_dict().items()}
    m = np.concatenate([cbp, vlp], axis=1)
    for view, x in (("cbp", cbp), ("vlp", vlp)):
        q, k, v = m @ w[f"{view}.query.weight"].T, m @ w[f"{view}.key.weight"].T, x @ w[f"{view}.value.weight"].T
        scores = q @ k.T / np.sqrt(D)
        weights = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        yield weights @ v + residual * v


@pytest.mark.parametrize("switches", [{}, {"shared_qk": True}, {"residual": True}])
def test_ccp_equals_its_equations(switches):
    ccp, (cbp, vlp, video_mask, clip_mask) = create_ccp(**switches), inputs()
    views = ccp(cbp, vlp, video_mask, clip_mask)
    for b in range(B):
        z_cbp, z_vlp = reference_ccp(ccp, cbp[b].numpy(), vlp[b].numpy(), switches.get("residual", False))
        np.testing.assert_allclose(views.cbp[b].detach(), z_cbp, rtol=1e-10)
        np.testing.assert_allclose(views.vlp[b].detach(), z_vlp, rtol=1e-10)


def test_gradients_equal_finite_differences():
    ccp, (cbp, vlp, video_mask, clip_mask) = create_ccp(), inputs()
    cbp, vlp = cbp[:1, :3].requires_grad_(), vlp[:1, :3].requires_grad_()
    names, weights = zip(*ccp.named_parameters(), strict=True)

    def outputs(c, v, *values):
        views = torch.func.functional_call(
            ccp, dict(zip(names, values, strict=True)), (c, v, video_mask[:1, :3], clip_mask[:1, :3])
        )
        return views.cbp, views.vlp

    assert torch.autograd.gradcheck(outputs, (cbp, vlp, *weights))


def test_with_a_shared_map_both_views_have_the_same_weights():
    shared, own = create_ccp(shared_qk=True), create_ccp()
    num_joint_weights = (CBP + VLP) * D
    assert (
        sum(p.numel() for p in own.parameters()) - sum(p.numel() for p in shared.parameters()) == 2 * num_joint_weights
    )


def test_a_masked_snippet_is_not_attended_and_has_output_zero():
    ccp, (cbp, vlp, video_mask, clip_mask) = create_ccp(), inputs()
    video_mask[0, 4:], clip_mask[0, 4:], clip_mask[1] = False, False, False
    cbp, vlp = cbp * video_mask[..., None], vlp * clip_mask[..., None]
    full = ccp(cbp, vlp, video_mask, clip_mask)
    cut = ccp(cbp[:1, :4], vlp[:1, :4], video_mask[:1, :4], clip_mask[:1, :4])
    torch.testing.assert_close(full.cbp[:1, :4], cut.cbp)
    assert not full.cbp[0, 4:].any()
    assert not full.vlp[1].any()
    assert full.cbp[1].any()
