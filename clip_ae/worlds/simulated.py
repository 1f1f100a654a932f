"""Features of the simulated benchmark: what four networks would make of a video's events.

Events, scene, drift and noise add up in a latent space of fixed width; one isometry a stream carries the sum into the
stream's features. So distances keep their ratios in a wider stream, and it is no easier.
"""

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.config.simulation import LATENT_DIM, SimulatedWorld
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import VideoFeatures
from clip_ae.worlds.simulated_events import Event, Floats, SimulatedVideo, StreamName, class_name, make_rng

# VGGish hears 0.96 s for each snippet of 0.64 s.
AUDIO_PADDING_S = 0.16


@dataclass(frozen=True)
class FeatureStatistics:
    """What a feature holds without any input (mean and sd over its dimensions), and the scale of the whole."""

    mean: float
    sd: float
    scale: float


# Norms at full width are those of real features, and so is the share of zeros in audio.
FEATURE_STATISTICS: dict[StreamName, FeatureStatistics] = {
    "rgb": FeatureStatistics(0.3, 0.2, 0.6),
    "flow": FeatureStatistics(0.25, 0.2, 0.44),
    "clip": FeatureStatistics(0.0, 0.4, 1.0),
    "audio": FeatureStatistics(0.0, 0.1, 1.4),
}


@dataclass(frozen=True)
class StreamSpace:
    """How a stream sees: looks [classes, latent] of actions and usual scenes, the way to features [latent, dim]."""

    action_prototypes: Floats
    scene_prototypes: Floats
    isometry: Floats
    offset: Floats


@dataclass(frozen=True)
class SnippetTimes:
    """The snippets of a video, by their starts in seconds."""

    starts: Floats
    grid: SnippetGrid

    def compute_overlap(self, start: Floats, stop: Floats, border: float = 0.0) -> Floats:
        """[snippets, events]: share of each snippet, widened by a border, that lies within each event."""
        low, high = self.starts[:, None] - border, self.starts[:, None] + self.grid.snippet_s + border
        inside: Floats = np.minimum(high, stop) - np.maximum(low, start)
        return np.clip(inside, 0, None) / (self.grid.snippet_s + 2 * border)


def generate_features(
    world: SimulatedWorld, stream: StreamName, video: SimulatedVideo, grid: SnippetGrid
) -> VideoFeatures:
    """One video's rows of one stream."""
    times = np.array([grid.start(k) for k in range(grid.count_snippets(video.duration))])
    coverage = np.clip((video.duration - times) / grid.snippet_s, 0, 1)
    feature = _sense(_view(world, stream), stream, _latent(world, stream, video, SnippetTimes(times, grid)))
    if stream == "audio" and video.mute:
        coverage, feature = np.zeros_like(coverage), np.zeros_like(feature)
    return VideoFeatures(
        video.video_id, times, times + grid.snippet_s, coverage.astype(np.float32), feature.astype(np.float16)
    )


def generate_text_embeddings(world: SimulatedWorld) -> dict[str, NDArray[np.float32]]:
    """What a text tower would make of the class names: where clip's features of the class point, roughly."""
    view, rng = _view(world, "clip"), make_rng(world, "texts")
    meant = view.action_prototypes + world.text_noise * _directions(rng, world.classes)
    embeddings = _unit(meant @ view.isometry).astype(np.float32)
    return {class_name(kind): embedding for kind, embedding in enumerate(embeddings)}


def shrink_extent(start: Floats, stop: Floats, share: float, position: Floats) -> tuple[Floats, Floats]:
    """A share of each extent: at the same place a larger share contains a smaller one."""
    begin = start + position * (1 - share) * (stop - start)
    return begin, begin + share * (stop - start)


@functools.cache
def _view(world: SimulatedWorld, stream: StreamName) -> StreamSpace:
    rng = make_rng(world, stream)
    dim = world.dim_of(stream)
    confusion = {"clip": world.clip_confusion, "audio": 0.0}.get(stream, world.i3d_confusion)
    orthonormal = np.linalg.qr(rng.normal(size=(dim, LATENT_DIM)))[0].T
    optics = FEATURE_STATISTICS[stream]
    return StreamSpace(
        action_prototypes=_related(world, confusion, rng),
        scene_prototypes=_related(world, world.scene_confusion, rng),
        isometry=optics.scale * math.sqrt(dim / LATENT_DIM) * orthonormal,
        offset=optics.scale * rng.normal(optics.mean, optics.sd, dim),
    )


def _related(world: SimulatedWorld, cosine: float, rng: np.random.Generator) -> Floats:
    """A unit vector a class; within a group they have the given cosine, on average."""
    own = _directions(rng, world.classes)
    groups = _directions(rng, world.classes)[np.arange(world.classes) // world.group_size]
    return _unit(math.sqrt(cosine) * groups + math.sqrt(1 - cosine) * own)


def _latent(world: SimulatedWorld, stream: StreamName, video: SimulatedVideo, rows: SnippetTimes) -> Floats:
    """[snippets, latent]: the events, and what has nothing to do with them."""
    view = _view(world, stream)
    rng = make_rng(world, stream, video.subset, video.index)
    own_scene, style = _directions(rng, 2)
    drift = world.drift * _drift(world, rows, rng)
    noise = world.noise * _directions(rng, len(rows.starts))
    total: Floats = world.nuisance * (
        _scene(world, stream, own_scene, view.scene_prototypes[video.main_class]) + drift + noise
    )
    for events, strength in _events(world, stream, video):
        looks = _looks(world, view, events, style, rng)
        total = total + strength * _responses(world, stream, events, rows, rng) @ looks
    return total


def _events(
    world: SimulatedWorld, stream: StreamName, video: SimulatedVideo
) -> Iterator[tuple[tuple[Event, ...], float]]:
    """What a stream notices, and how strongly."""
    factor = world.clip_distractors if stream == "clip" else 1.0
    seen = ((video.actions, 1.0), (video.distractors, factor * world.distractor_strength))
    for events, strength in ((video.sounds, 1.0),) if stream == "audio" else seen:
        if events:
            yield events, strength


def _looks(
    world: SimulatedWorld, view: StreamSpace, events: tuple[Event, ...], style: Floats, rng: np.random.Generator
) -> Floats:
    """[events, latent]: the look of the event's classes, the video's style and the event's own."""
    kinds = _unit(np.stack([view.action_prototypes[list(e.class_indices)].mean(axis=0) for e in events]))
    return kinds + world.variation * math.sqrt(0.5) * (style + _directions(rng, len(events)))


def _responses(
    world: SimulatedWorld, stream: StreamName, events: tuple[Event, ...], rows: SnippetTimes, rng: np.random.Generator
) -> Floats:
    """[snippets, events]: how much of each event a snippet sees or hears."""
    start, stop, place = np.array([(e.start, e.stop, e.core_position) for e in events]).T
    if stream == "audio":
        return rows.compute_overlap(start, stop, AUDIO_PADDING_S)
    if stream == "clip":
        return rows.compute_overlap(*shrink_extent(start, stop, world.clip_extent, place), world.clip_border)
    misplaced = np.clip(place + world.core_jitter * rng.normal(size=len(events)), 0, 1)
    core = rows.compute_overlap(*shrink_extent(start, stop, world.core_share, misplaced))
    return world.i3d_outer * rows.compute_overlap(start, stop) + (1 - world.i3d_outer) * core


def _scene(world: SimulatedWorld, stream: StreamName, own: Floats, usual: Floats) -> Floats:
    """Partly the usual scene of the video's class; but no class has a usual sound around it."""
    factor = {"flow": world.flow_scene, "clip": world.clip_scene, "audio": world.audio_scene}.get(stream, 1.0)
    share = 0.0 if stream == "audio" else world.scene_class
    return world.scene * factor * (math.sqrt(share) * usual + math.sqrt(1 - share) * own)


def _drift(world: SimulatedWorld, rows: SnippetTimes, rng: np.random.Generator) -> Floats:
    """Slow change: an autoregression of order 1 over snippets, equally strong all along."""
    memory = math.exp(-rows.grid.stride_s / world.drift_seconds)
    drift = _directions(rng, len(rows.starts))
    for row in range(1, len(drift)):
        drift[row] = memory * drift[row - 1] + math.sqrt(1 - memory**2) * drift[row]
    return drift


def _sense(view: StreamSpace, stream: StreamName, latent: Floats) -> Floats:
    """From latent to features: on the unit sphere for clip, after a ReLU for the others."""
    raw: Floats = view.offset + latent @ view.isometry
    return _unit(raw) if stream == "clip" else np.maximum(raw, 0)


def _directions(rng: np.random.Generator, rows: int) -> Floats:
    """Random vectors of mean square norm 1."""
    return rng.normal(size=(rows, LATENT_DIM)) / math.sqrt(LATENT_DIM)


def _unit(vectors: Floats) -> Floats:
    norms: Floats = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / norms
