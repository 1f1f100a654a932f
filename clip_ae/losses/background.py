"""Background classification of the snippets without attention (WSAL-BM, ICCV 2019)."""

from torch import Tensor


def background_loss(logits: Tensor) -> Tensor:
    """-mean_b log p_background, where p is the softmax of video logits [B, C + 1] with background last."""
    return -logits.log_softmax(dim=1)[:, -1].mean()
