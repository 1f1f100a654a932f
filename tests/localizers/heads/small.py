"""A few small videos, some odd, for every head; a head beside its equations, written for one video without padding."""

from dataclasses import dataclass

import numpy as np
import torch

from clip_ae.core.config.methods import LocalizerConfig
from clip_ae.localizers.batch import Batch, Targets
from clip_ae.localizers.localizer import build

DIMS = {"rgb": 6, "flow": 5}
# The second video has one snippet, the third no material. The fourth class has no video, the last video two classes.
LENGTHS = (9, 1, 0, 4, 9)
LABELS = torch.tensor([[1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0, 1, 1, 0]]).double()
C = LABELS.shape[1]
# These make a pair of one cluster, and one of two.
ORDINARY = (0, 3, 4)


@dataclass
class Task:
    batch: Batch
    truth: Targets


def task(rows=range(5), longest=9, padding=0.0, gap=True):
    """Videos padded to `longest`; with a gap, the first has no flow at its fourth snippet."""
    generator = torch.Generator().manual_seed(1)
    draw = {name: torch.randn(5, 9, dim, generator=generator).double() for name, dim in DIMS.items()}
    extents = (torch.rand(5, 9, C, generator=generator) > 0.6) * LABELS[:, None]
    rows, real = list(rows), torch.arange(longest) < torch.tensor(LENGTHS)[:, None]
    mask = {"rgb": real, "flow": real.clone()}
    mask["flow"][0, 3] &= not gap
    features = {n: _longer(x, longest).masked_fill(~mask[n][..., None], padding)[rows] for n, x in draw.items()}
    truth = Targets(LABELS[rows], torch.arange(len(rows)), _longer(extents, longest)[rows])
    return Task(Batch(tuple(map(str, rows)), features, {n: m[rows] for n, m in mask.items()}), truth)


def _longer(x, longest):
    return torch.cat([x, x.new_zeros(len(x), longest, x.shape[2])], dim=1)[:, :longest]


def localizer(method, precision="fp32", dropout=0.0):
    """Nothing in it starts at exactly 0."""
    torch.manual_seed(0)
    plan = LocalizerConfig(method=method, dims=DIMS, labels=tuple("abcd"), width=8, dropout=dropout)
    built = build(plan, precision).eval()
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return built if precision == "bf16" else built.double()


def check(method, equations, losses):
    """equations(weights, x [T, D]) gives a video's outputs by name; losses(videos, labels, extents) a stream's."""
    built, found = localizer(method), task(ORDINARY, gap=False)
    output, total = built(found.batch), {}
    for name, branch in built.head.branches.items():
        weights = {key: tensor.numpy() for key, tensor in branch.state_dict().items()}
        x = torch.cat(list(found.batch.features.values()), dim=-1) if name == "both" else found.batch.features[name]
        videos = [equations(weights, rows) for rows in unpadded(x)]
        stream = output.streams["rgb" if name == "both" else name]
        for b, video in enumerate(videos):
            for field, expected in video.items():
                given = getattr(stream, field)[b].detach().numpy()
                given = (
                    given
                    if field in {"foreground_logits", "background_logits", "cluster_logits"}
                    else given[: len(expected)]
                )
                np.testing.assert_allclose(given, expected, rtol=1e-9, atol=1e-12, err_msg=f"{name} {field}")
        for key, value in losses(videos, found.truth.labels.numpy(), unpadded(found.truth.snippet_labels)).items():
            total[key] = total.get(key, 0) + value
    given = built.head.losses(output.streams, found.batch.masks, found.truth)
    assert set(given) == set(total)
    for key, value in total.items():
        assert value
        np.testing.assert_allclose(given[key].item(), value, rtol=1e-6, err_msg=key)


def unpadded(x):
    return [rows[: LENGTHS[b]].numpy() for b, rows in zip(ORDINARY, x, strict=True)]


def every(videos, field):
    return [video[field] for video in videos]


def linear(w, name, x):
    return x @ w[f"{name}.weight"].T + w.get(f"{name}.bias", 0)


def convolution(w, name, x, dilation=1):
    """Same length out as in: zeros beyond both ends."""
    kernel = w[f"{name}.weight"]
    reach = kernel.shape[2] // 2
    out = np.zeros((len(x), len(kernel))) + w[f"{name}.bias"]
    for t in range(len(x)):
        for k in range(kernel.shape[2]):
            source = t + (k - reach) * dilation
            if 0 <= source < len(x):
                out[t] += kernel[:, :, k] @ x[source]
    return out


def relu(x):
    return np.maximum(0, x)


def pooled(x, a):
    return (a[:, None] * x).sum(axis=0) / (a.sum() + 1e-6)
