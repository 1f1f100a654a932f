"""Foreground and background as two clusters, each with a learned vector (WSAL-BM, ICCV 2019)."""

from torch import Tensor


def clustering_loss(cluster_logits: Tensor) -> Tensor:
    """-mean_b [ log z_fg(f_fg) + log z_bg(f_bg) ], where z(f) = softmax(u_fg . f, u_bg . f).

    cluster_logits [B, 2, 2]: rows are f_fg and f_bg, columns u_fg and u_bg. The diagonal contains the matching pairs.
    """
    return -cluster_logits.log_softmax(dim=2).diagonal(dim1=1, dim2=2).sum(dim=1).mean()
