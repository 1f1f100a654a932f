"""Features of the simulated benchmark: they stand for the outputs of four networks for a video's events.

The latent vector of a snippet is the sum of events, scene, drift and noise, in a space of fixed width. One isometry per
stream maps it to the stream's features. So distances keep their ratios in a wider stream, which is not easier.
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
from clip_ae.worlds.simulated_events import Event, Floats, SimulatedVideo, class_name, make_rng

# VGGish reads 0.96 s of sound for each snippet of 0.64 s: 0.16 s more at both ends.
AUDIO_PADDING_S = 0.16


@dataclass(frozen=True)
class FeatureStatistics:
    """A feature without any input (mean and sd over its dimensions), and a factor on all features."""

    mean: float
    sd: float
    scale: float


# At full width, norms and the share of zeros in audio are those of real features.
FEATURE_STATISTICS: dict[str, FeatureStatistics] = {
    "rgb": FeatureStatistics(0.3, 0.2, 0.6),
    "flow": FeatureStatistics(0.25, 0.2, 0.44),
    "clip": FeatureStatistics(0.0, 0.4, 1.0),
    "audio": FeatureStatistics(0.0, 0.1, 1.4),
}


@dataclass(frozen=True)
class StreamSpace:
    """A stream's prototypes of actions [classes, modes, phases, latent] and of scenes [classes, latent].

    Its map to features is an isometry [latent, dim] and an offset [dim].
    """

    action_prototypes: Floats
    scene_prototypes: Floats
    isometry: Floats
    offset: Floats


@dataclass(frozen=True)
class SnippetTimes:
    """The snippets of a video: starts [snippets] in seconds, and their grid."""

    starts: Floats
    grid: SnippetGrid

    def compute_overlap(self, start: Floats, stop: Floats, border: float = 0.0) -> Floats:
        """[snippets, events]: share of each snippet, widened by `border` seconds at both ends, inside each event."""
        low, high = self.starts[:, None] - border, self.starts[:, None] + self.grid.snippet_s + border
        seconds_inside: Floats = np.minimum(high, stop) - np.maximum(low, start)
        return np.clip(seconds_inside, 0, None) / (self.grid.snippet_s + 2 * border)


def generate_features(world: SimulatedWorld, stream: str, video: SimulatedVideo, grid: SnippetGrid) -> VideoFeatures:
    """The features of one video in one stream."""
    times = np.array([grid.start(k) for k in range(grid.count_snippets(video.duration))])
    coverage = np.clip((video.duration - times) / grid.snippet_s, 0, 1)
    latent = _generate_latent(world, stream, video, SnippetTimes(times, grid))
    feature = _map_to_features(_build_space(world, stream), stream, latent)
    if stream == "audio" and video.mute:
        coverage, feature = np.zeros_like(coverage), np.zeros_like(feature)
    return VideoFeatures(
        video.video_id, times, times + grid.snippet_s, coverage.astype(np.float32), feature.astype(np.float16)
    )


def generate_text_embeddings(world: SimulatedWorld) -> dict[str, NDArray[np.float32]]:
    """Text embeddings of the class names: the direction of the class in clip features, with noise."""
    space, rng = _build_space(world, "clip"), make_rng(world, "texts")
    latent = space.action_prototypes.mean(axis=(1, 2)) + world.text_noise * _draw_directions(rng, world.classes)
    embeddings = _normalize_rows(latent @ space.isometry).astype(np.float32)
    return {class_name(class_index): embedding for class_index, embedding in enumerate(embeddings)}


def shrink_extent(start: Floats, stop: Floats, share: float, position: Floats) -> tuple[Floats, Floats]:
    """Start and stop of a share of each extent, at a position from 0 (its start) to 1 (its end).

    At the same position, a larger share contains a smaller one.
    """
    part_start = start + position * (1 - share) * (stop - start)
    return part_start, part_start + share * (stop - start)


@functools.cache
def _build_space(world: SimulatedWorld, stream: str) -> StreamSpace:
    rng = make_rng(world, stream)
    dim = world.dim_of(stream)
    confusion = {"clip": world.clip_confusion, "audio": 0.0}.get(stream, world.i3d_confusion)
    orthonormal = np.linalg.qr(rng.normal(size=(dim, LATENT_DIM)))[0].T
    statistics = FEATURE_STATISTICS[stream]
    # Arguments are evaluated in this order; each draws from the same generator.
    return StreamSpace(
        action_prototypes=_draw_action_prototypes(world, confusion, rng),
        scene_prototypes=_draw_prototypes(world, world.scene_confusion, rng),
        isometry=statistics.scale * math.sqrt(dim / LATENT_DIM) * orthonormal,
        offset=statistics.scale * rng.normal(statistics.mean, statistics.sd, dim),
    )


def _draw_action_prototypes(world: SimulatedWorld, cosine: float, rng: np.random.Generator) -> Floats:
    """One unit vector for each look and phase of a class; `cosine` as in `_draw_prototypes`."""
    phases = [
        _draw_prototypes(world, 1.0 if phase < world.shared_phases else cosine, rng) for phase in range(world.phases)
    ]
    prototypes = np.repeat(np.stack(phases, axis=1)[:, None], world.modes, axis=1)
    if world.modes == 1:
        return prototypes
    own = _draw_directions(rng, world.classes * world.modes).reshape(world.classes, world.modes, 1, LATENT_DIM)
    return _normalize_rows(math.sqrt(world.mode_cosine) * prototypes + math.sqrt(1 - world.mode_cosine) * own)


def _draw_prototypes(world: SimulatedWorld, cosine: float, rng: np.random.Generator) -> Floats:
    """One unit vector per class [classes, latent]; `cosine` is the mean cosine of two classes of a group."""
    own = _draw_directions(rng, world.classes)
    groups = _draw_directions(rng, world.classes)[np.arange(world.classes) // world.group_size]
    return _normalize_rows(math.sqrt(cosine) * groups + math.sqrt(1 - cosine) * own)


def _generate_latent(world: SimulatedWorld, stream: str, video: SimulatedVideo, times: SnippetTimes) -> Floats:
    """Latent vectors [snippets, latent]: the events, and the scene, drift and noise that do not depend on them."""
    space = _build_space(world, stream)
    rng = make_rng(world, stream, video.subset, video.index)
    own_scene, style = _draw_directions(rng, 2)
    drift = world.drift * _draw_drift(world, times, rng)
    noise = world.noise * _draw_directions(rng, len(times.starts))
    scene = _compute_scene(world, stream, own_scene, space.scene_prototypes[video.main_class])
    latent: Floats = world.nuisance * (scene + drift + noise)
    for events, strength in _visible_events(world, stream, video):
        directions = _draw_event_directions(world, space, events, style, rng)
        responses = _compute_responses(world, stream, events, times, rng)
        for phase in range(world.phases):
            latent = latent + strength * (responses * _phase_shares(world, events, times, phase)) @ directions[:, phase]
    return latent


def _visible_events(
    world: SimulatedWorld, stream: str, video: SimulatedVideo
) -> Iterator[tuple[tuple[Event, ...], float]]:
    """The groups of events that a stream responds to, and the strength of the response."""
    factor = world.clip_distractors if stream == "clip" else 1.0
    visual_groups = ((video.actions, 1.0), (video.distractors, factor * world.distractor_strength))
    for events, strength in ((video.sounds, 1.0),) if stream == "audio" else visual_groups:
        if events:
            yield events, strength


def _draw_event_directions(
    world: SimulatedWorld, space: StreamSpace, events: tuple[Event, ...], style: Floats, rng: np.random.Generator
) -> Floats:
    """[events, phases, latent]: an event's prototypes, plus the video's style and the event's own variation."""
    variation = world.variation * math.sqrt(0.5) * (style + _draw_directions(rng, len(events)))
    modes = rng.integers(world.modes, size=len(events)) if world.modes > 1 else np.zeros(len(events), int)
    prototypes = np.stack(
        [space.action_prototypes[list(e.class_indices), m].mean(axis=0) for e, m in zip(events, modes, strict=True)]
    )
    return _normalize_rows(prototypes) + variation[:, None]


def _compute_responses(
    world: SimulatedWorld, stream: str, events: tuple[Event, ...], times: SnippetTimes, rng: np.random.Generator
) -> Floats:
    """[snippets, events]: response of the stream to each event, from 0 to 1."""
    start, stop, position = np.array([(e.start, e.stop, e.core_position) for e in events]).T
    if stream == "audio":
        return times.compute_overlap(start, stop, AUDIO_PADDING_S)
    if stream == "clip":
        return times.compute_overlap(*shrink_extent(start, stop, world.clip_extent, position), world.clip_border)
    jittered = np.clip(position + world.core_jitter * rng.normal(size=len(events)), 0, 1)
    core = times.compute_overlap(*shrink_extent(start, stop, world.core_share, jittered))
    return world.i3d_outer * times.compute_overlap(start, stop) + (1 - world.i3d_outer) * core


def _phase_shares(world: SimulatedWorld, events: tuple[Event, ...], times: SnippetTimes, phase: int) -> Floats:
    """[snippets, events]: share of each snippet that is in a phase of the event; 1 with a single phase."""
    if world.phases == 1:
        return np.ones((len(times.starts), len(events)))
    start, stop = np.array([(e.start, e.stop) for e in events]).T
    first, last = (start + part / world.phases * (stop - start) for part in (phase, phase + 1))
    # A stream responds a little before and after an event too: with the event's first and last phase.
    if phase == 0:
        first = np.full_like(first, -np.inf)
    if phase == world.phases - 1:
        last = np.full_like(last, np.inf)
    return times.compute_overlap(first, last)


def _compute_scene(world: SimulatedWorld, stream: str, own: Floats, usual: Floats) -> Floats:
    """Scene of a video [latent]: partly the usual scene of its class. In audio no class has a usual scene."""
    factor = {"flow": world.flow_scene, "clip": world.clip_scene, "audio": world.audio_scene}.get(stream, 1.0)
    share = 0.0 if stream == "audio" else world.scene_class
    return world.scene * factor * (math.sqrt(share) * usual + math.sqrt(1 - share) * own)


def _draw_drift(world: SimulatedWorld, times: SnippetTimes, rng: np.random.Generator) -> Floats:
    """Slow change [snippets, latent]: a stationary autoregression of order 1 over snippets."""
    memory = math.exp(-times.grid.stride_s / world.drift_seconds)
    drift = _draw_directions(rng, len(times.starts))
    for row in range(1, len(drift)):
        drift[row] = memory * drift[row - 1] + math.sqrt(1 - memory**2) * drift[row]
    return drift


def _map_to_features(space: StreamSpace, stream: str, latent: Floats) -> Floats:
    """Features [snippets, dim] of latent vectors: normalised to length 1 for clip, after a ReLU for the others."""
    raw: Floats = space.offset + latent @ space.isometry
    return _normalize_rows(raw) if stream == "clip" else np.maximum(raw, 0)


def _draw_directions(rng: np.random.Generator, count: int) -> Floats:
    """Random vectors [count, latent] with mean squared norm 1."""
    return rng.normal(size=(count, LATENT_DIM)) / math.sqrt(LATENT_DIM)


def _normalize_rows(vectors: Floats) -> Floats:
    norms: Floats = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / norms
