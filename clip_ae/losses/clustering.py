"""Attended and other snippets are two clusters, each with a learned vector (WSAL-BM, ICCV 2019)."""

from torch import Tensor


def clustering_loss(cluster_logits: Tensor) -> Tensor:
    """-mean_b [ log z_fg(f_fg) + log z_bg(f_bg) ],  z(f) = softmax(u_fg . f, u_bg . f).

    sides [B, 2, 2] has f's row (fg, bg) and u's column: the diagonal is where they agree.
    """
    return -cluster_logits.log_softmax(dim=2).diagonal(dim1=1, dim2=2).sum(dim=1).mean()
