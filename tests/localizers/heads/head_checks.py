"""A small batch with edge cases for all heads, and a check of a head against its equations for single videos."""

from dataclasses import dataclass

import numpy as np
import torch

from clip_ae.core.config.methods import LocalizerConfig
from clip_ae.localizers.batch import Batch, Targets
from clip_ae.localizers.localizer import build
from tests.builders import roles_of

DIMS = {"rgb": 6, "flow": 5}
# The second video has one snippet, the third none. The fourth class has no video; the last video has two classes.
LENGTHS = (9, 1, 0, 4, 9)
LABELS = torch.tensor([[1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0, 1, 1, 0]]).double()
C = LABELS.shape[1]
# Videos for the check of equations: they contain a pair of one cluster and pairs of two clusters.
ORDINARY = (0, 3, 4)


# Fields of an output with one row for each video, not for each snippet.
VIDEO_FIELDS = {"foreground_logits", "background_logits", "base_logits", "cluster_logits"}


@dataclass
class Task:
    """A batch and its targets."""

    batch: Batch
    targets: Targets


def create_task(rows=range(5), longest=9, padding=0.0, gap=True):
    """The videos `rows`, padded to `longest`. With a gap, flow does not cover the fourth snippet of the first video."""
    generator = torch.Generator().manual_seed(1)
    drawn = {name: torch.randn(5, 9, dim, generator=generator).double() for name, dim in DIMS.items()}
    snippet_labels = (torch.rand(5, 9, C, generator=generator) > 0.6) * LABELS[:, None]
    rows, lengths_mask = list(rows), torch.arange(longest) < torch.tensor(LENGTHS)[:, None]
    masks = {"rgb": lengths_mask, "flow": lengths_mask.clone()}
    masks["flow"][0, 3] &= not gap
    features = {n: _pad(x, longest).masked_fill(~masks[n][..., None], padding)[rows] for n, x in drawn.items()}
    targets = Targets(LABELS[rows], torch.arange(len(rows)), _pad(snippet_labels, longest)[rows])
    return Task(Batch(tuple(map(str, rows)), features, {n: m[rows] for n, m in masks.items()}), targets)


def _pad(x, longest):
    return torch.cat([x, x.new_zeros(len(x), longest, x.shape[2])], dim=1)[:, :longest]


def create_localizer(method, precision="fp32", dropout=0.0):
    """A localizer of a method; noise is added to all parameters, so that none is exactly 0."""
    torch.manual_seed(0)
    config = LocalizerConfig(
        method=method, roles=roles_of(DIMS), dims=DIMS, labels=tuple("abcd"), width=8, dropout=dropout
    )
    localizer = build(config, precision).eval()
    with torch.no_grad():
        for parameter in localizer.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return localizer if precision == "bf16" else localizer.double()


def check_equations(method, equations, losses):
    """Compare a head with its equations.

    equations(weights, x [T, D]) returns the outputs of one video by name; losses(videos, labels, snippet_labels) the
    losses of one stream by name.
    """
    localizer, task = create_localizer(method), create_task(ORDINARY, gap=False)
    output, expected_losses = localizer(task.batch), {}
    for name, branch in localizer.head.branches.items():
        weights = {key: tensor.numpy() for key, tensor in branch.state_dict().items()}
        x = torch.cat(list(task.batch.features.values()), dim=-1) if name == "both" else task.batch.features[name]
        videos = [equations(weights, rows) for rows in unpadded(x)]
        stream = output.streams["rgb" if name == "both" else name]
        for b, video in enumerate(videos):
            for field, expected in video.items():
                values = getattr(stream, field)[b].detach().numpy()
                values = values if field in VIDEO_FIELDS else values[: len(expected)]
                np.testing.assert_allclose(values, expected, rtol=1e-9, atol=1e-12, err_msg=f"{name} {field}")
        for key, value in losses(videos, task.targets.labels.numpy(), unpadded(task.targets.snippet_labels)).items():
            expected_losses[key] = expected_losses.get(key, 0) + value
    head_losses = localizer.head.losses(output.streams, task.batch.masks, task.targets)
    assert set(head_losses) == set(expected_losses)
    for key, value in expected_losses.items():
        assert value
        np.testing.assert_allclose(head_losses[key].item(), value, rtol=1e-6, err_msg=key)


def unpadded(x):
    return [rows[: LENGTHS[b]].numpy() for b, rows in zip(ORDINARY, x, strict=True)]


def field_of(videos, field):
    return [video[field] for video in videos]


def linear(w, name, x):
    return x @ w[f"{name}.weight"].T + w.get(f"{name}.bias", 0)


def convolution(w, name, x, dilation=1):
    """A convolution with zero padding: the output has the length of the input."""
    kernel = w[f"{name}.weight"]
    radius = kernel.shape[2] // 2
    out = np.zeros((len(x), len(kernel))) + w[f"{name}.bias"]
    for t in range(len(x)):
        for k in range(kernel.shape[2]):
            source = t + (k - radius) * dilation
            if 0 <= source < len(x):
                out[t] += kernel[:, :, k] @ x[source]
    return out


def relu(x):
    return np.maximum(0, x)


def pooled(x, a):
    return (a[:, None] * x).sum(axis=0) / (a.sum() + 1e-6)
