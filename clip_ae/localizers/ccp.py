"""CCP, cross-view collaboration (CLIP-AE eq. 4-6), of one cbp stream and the vlp stream.

    M = [X_CBP; X_VLP]                      concatenated features, [B, T, d_c + d_v]      (4)
    Q = M W^Q,  K = M W^K,  V = X W^V       X is one view's features                      (5)
    Z = softmax(Q K^T / sqrt d) V           for each view                                 (6)

Concatenation over channels is the only reading with consistent shapes: T x T attention on T values. In the paper, W^Q
and W^K have no subscript for the view; by default each view has its own here.
"""

import torch
from torch import Tensor, nn

from clip_ae.core.config.methods import CcpSwitches
from clip_ae.localizers.attention import attend, attention_entropy
from clip_ae.localizers.fusion_outputs import CcpOutput


class ViewAttention(nn.Module):
    """W^V, W^Q and W^K of one view."""

    def __init__(self, dim: int, joint_dim: int, width: int, switches: CcpSwitches) -> None:
        super().__init__()
        self.query = nn.Linear(joint_dim, width, bias=False)
        self.key = nn.Linear(joint_dim, width, bias=False)
        self.value = nn.Linear(dim, width, bias=False)
        self.residual = switches.residual

    def forward(self, joint_features: Tensor, x: Tensor, key_mask: Tensor, query_mask: Tensor) -> Tensor:
        """Z [B, T, d]; 0 outside query_mask."""
        value = self.value(x)
        z = attend(self.query(joint_features), self.key(joint_features), value, key_mask)
        return (z + value if self.residual else z) * query_mask[..., None]


class Ccp(nn.Module):
    """The attention of both views."""

    def __init__(self, cbp_dim: int, vlp_dim: int, width: int, switches: CcpSwitches) -> None:
        super().__init__()
        self.cbp = ViewAttention(cbp_dim, cbp_dim + vlp_dim, width, switches)
        self.vlp = ViewAttention(vlp_dim, cbp_dim + vlp_dim, width, switches)
        if switches.shared_qk:
            self.vlp.query, self.vlp.key = self.cbp.query, self.cbp.key

    def forward(self, cbp: Tensor, vlp: Tensor, video_mask: Tensor, clip_mask: Tensor) -> CcpOutput:
        m = torch.cat([cbp, vlp], dim=-1)
        return CcpOutput(self.cbp(m, cbp, video_mask, video_mask), self.vlp(m, vlp, clip_mask, video_mask))

    def attention_entropy(self, cbp: Tensor, vlp: Tensor, video_mask: Tensor) -> float:
        """The entropy of the attention map of view CBP; 1 is uniform."""
        m = torch.cat([cbp, vlp], dim=-1)
        return attention_entropy(self.cbp.query(m), self.cbp.key(m), video_mask, video_mask)
