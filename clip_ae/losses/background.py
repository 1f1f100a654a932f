"""The snippets that are not attended are background (WSAL-BM, ICCV 2019, its background classification)."""

from torch import Tensor


def background_loss(logits: Tensor) -> Tensor:
    """-mean_b log p_background with p = softmax(video [B, C + 1]), background last."""
    return -logits.log_softmax(dim=1)[:, -1].mean()
