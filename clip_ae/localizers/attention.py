"""Attention over the real snippets of a video: softmax(queries keys^T) values, without storing the T x T map."""

import torch
import torch.nn.functional as F
from torch import Tensor


def attend(queries: Tensor, keys: Tensor, values: Tensor, key_mask: Tensor, scale: float | None = None) -> Tensor:
    """Attention output [B, L, e] of queries [B, L, d], keys [B, S, d], values [B, S, e] and key_mask [B, S].

    scale multiplies the correlation; None is 1 / sqrt(d). The output is 0 for a video without keys.
    """
    has_keys = key_mask.any(dim=1)
    # A softmax over nothing is nan: a video without keys attends to all of them, and its output is set to 0.
    allowed_mask = (key_mask | ~has_keys[:, None])[:, None, None]
    # PyTorch uses the fast kernel only with a head dimension and an additive mask.
    bias = torch.zeros_like(allowed_mask, dtype=queries.dtype).masked_fill(~allowed_mask, -torch.inf)
    q, k, v = (x[:, None] for x in (queries, keys, values))
    output = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=scale)[:, 0]
    return output.masked_fill(~has_keys[:, None, None], 0.0)


@torch.no_grad()
def attention_entropy(
    queries: Tensor, keys: Tensor, query_mask: Tensor, key_mask: Tensor, scale: float | None = None
) -> float:
    """Mean entropy of the attention map's real rows, divided by that of a uniform map: 1 is uniform.

    Videos with fewer than two keys are ignored; without any other video the value is 1.
    """
    factor = queries.shape[-1] ** -0.5 if scale is None else scale
    row_mask = query_mask & (key_mask.sum(dim=1, keepdim=True) > 1)
    logits = (factor * queries @ keys.transpose(1, 2)).masked_fill(~key_mask[:, None], -torch.inf)
    log_probabilities = logits.masked_fill(~row_mask[..., None], 0.0).log_softmax(dim=-1)
    terms = (log_probabilities.exp() * log_probabilities).masked_fill(~key_mask[:, None], 0.0)
    uniform_entropy = key_mask.sum(dim=1, keepdim=True).clamp(min=2).log()
    entropies = (-terms.sum(dim=-1) / uniform_entropy)[row_mask]
    return float(entropies.mean()) if len(entropies) else 1.0
