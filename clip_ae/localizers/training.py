"""The whole story of one round's training: fixed steps, no validation, the last step is the result."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from clip_ae.core.config import Training
from clip_ae.core.errors import UserError
from clip_ae.core.tables import HEADS, load
from clip_ae.core.types import Streams
from clip_ae.localizers.batch import Batch, collate, sample, shuffled
from clip_ae.localizers.head import Head

# A line of the log: the step, and the mean of every loss since the last line.
Line = dict[str, float]


def create(method: str, dims: Mapping[str, int], classes: int, seed: int) -> Head:
    """A freshly initialised head; the seed alone decides its weights."""
    torch.manual_seed(seed)
    head: Head = load(HEADS[method].module).build(dims, classes)
    return head


def train(
    head: Head,
    streams: Streams,
    clusters: Mapping[str, int],
    *,
    classes: int,
    settings: Training,
    loss_weights: Mapping[str, float],
    seed: int,
    device: str,
) -> Iterator[Line | None]:
    """Train the head in place, one step an item; an item is a line of the log every `log_every` steps."""
    weights = {**head.loss_weights, **loss_weights}
    head.to(device).train()
    optimizer = torch.optim.Adam(head.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    since: list[dict[str, float]] = []
    batches = _batches(streams, sorted(clusters), settings, seed)
    for step, batch in zip(range(1, settings.steps + 1), batches, strict=False):
        losses = _losses(head, batch.to(device), _one_hot(batch, clusters, classes).to(device))
        losses["total"] = torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()
        since.append({name: loss.item() for name, loss in losses.items()})
        _refuse_non_finite(since[-1], step, batch)
        optimizer.zero_grad()
        losses["total"].backward()
        optimizer.step()
        if step % settings.log_every == 0 or step == settings.steps:
            yield {"step": step, **{name: float(np.mean([s[name] for s in since])) for name in losses}}
            since = []
        else:
            yield None


def _batches(streams: Streams, ids: list[str], settings: Training, seed: int) -> Iterator[Batch]:
    rng = np.random.default_rng(seed)
    videos = next(iter(streams.values()))
    for chosen in shuffled(ids, settings.batch, rng):
        rows = {i: sample(len(videos[i].feature), settings.snippets, rng) for i in chosen}
        yield collate(streams, chosen, rows, settings.snippets)


def _losses(head: Head, batch: Batch, labels: Tensor) -> dict[str, Tensor]:
    return head.losses(head(batch.features, batch.mask), batch.mask, labels)


def _one_hot(batch: Batch, clusters: Mapping[str, int], classes: int) -> Tensor:
    labels = torch.zeros(len(batch.ids), classes)
    labels[torch.arange(len(batch.ids)), torch.tensor([clusters[i] for i in batch.ids])] = 1.0
    return labels


def _refuse_non_finite(losses: Mapping[str, float], step: int, batch: Batch) -> None:
    for name, value in losses.items():
        if not np.isfinite(value):
            raise UserError(
                f"training step {step}: the {name} loss is {value} on videos {', '.join(batch.ids)}; "
                "lower training.learning_rate, or look at these videos' features"
            )
