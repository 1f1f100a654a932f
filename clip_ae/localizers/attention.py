"""Attention over the real snippets of a video: softmax(queries keys^T) values, without the T x T map in memory."""

import torch
import torch.nn.functional as F
from torch import Tensor


def attend(queries: Tensor, keys: Tensor, values: Tensor, key_mask: Tensor, scale: float | None = None) -> Tensor:
    """[B, L, d], [B, S, d], [B, S, e] and the keys' mask [B, S] -> [B, L, e]; 0 where a video has no key.

    scale multiplies the correlation; None is 1 / sqrt(d).
    """
    some = key_mask.any(dim=1)
    # A softmax over nothing is nan: such a video attends to all, and is set to 0 afterwards.
    allowed = (key_mask | ~some[:, None])[:, None, None]
    # Only with a dimension for heads and an additive mask is the fast kernel taken.
    mask = torch.zeros_like(allowed, dtype=queries.dtype).masked_fill(~allowed, -torch.inf)
    q, k, v = (x[:, None] for x in (queries, keys, values))
    mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale)[:, 0]
    return mixed.masked_fill(~some[:, None, None], 0.0)


@torch.no_grad()
def attention_entropy(
    queries: Tensor, keys: Tensor, query_mask: Tensor, key_mask: Tensor, scale: float | None = None
) -> float:
    """Mean entropy of the map's real rows, divided by that of an even map: 1 means that it points nowhere."""
    factor = queries.shape[-1] ** -0.5 if scale is None else scale
    known = query_mask & (key_mask.sum(dim=1, keepdim=True) > 1)
    logits = (factor * queries @ keys.transpose(1, 2)).masked_fill(~key_mask[:, None], -torch.inf)
    log_share = logits.masked_fill(~known[..., None], 0.0).log_softmax(dim=-1)
    terms = (log_share.exp() * log_share).masked_fill(~key_mask[:, None], 0.0)
    even = key_mask.sum(dim=1, keepdim=True).clamp(min=2).log()
    found = (-terms.sum(dim=-1) / even)[known]
    return float(found.mean()) if len(found) else 1.0
