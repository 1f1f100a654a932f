"""The simulated benchmark as docs/simulation.md states it: a layout like that of real datasets, and the streams."""

import hashlib
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from benchmarks.calibrate import LAGS, compute_autocorrelation, cut_videos
from clip_ae.clustering import spectral
from clip_ae.clustering.quality import measure_quality
from clip_ae.core.config.checks import load_config
from clip_ae.core.config.dataclass_config import to_canonical_json
from clip_ae.core.config.simulation import LATENT_DIM, SimulatedWorld, list_simulated_subsets
from clip_ae.core.timeline import SnippetGrid
from clip_ae.worlds import simulated
from clip_ae.worlds.simulated import FEATURE_STATISTICS, SnippetTimes, generate_features, shrink_extent
from clip_ae.worlds.simulated_events import (
    Event,
    build_annotations,
    build_instances,
    draw_class_properties,
    plan_videos,
)
from tests.builders import ROOT, shipped_config

GRID = SnippetGrid()
SMALL = {"rgb_dim": 32, "flow_dim": 32, "clip_dim": 32, "audio_dim": 32}
# Events alone: a feature is then its offset plus the responses to events.
CLEAR = SimulatedWorld(
    nuisance=0, variation=0, distractors=0, core_jitter=0, audio_missing=0, audio_agreement=1, train_videos=40, **SMALL
)
SHIPPED = load_config(shipped_config()).datasets


def split(world):
    videos = plan_videos(world)
    return [[v for v in videos if v.subset == subset] for subset in ("training", "validation")]


def measure_layout(world, videos):
    lengths = np.array([a.stop - a.start for v in videos for a in v.actions])
    acting = np.array([sum(a.stop - a.start for a in v.actions) for v in videos])
    return {
        "annotated": np.mean([len(build_instances(world, v)) for v in videos]),
        "counts": np.array([len(v.actions) for v in videos]),
        "median": np.median(lengths),
        "mean": lengths.mean(),
        "seconds": np.mean([v.duration for v in videos]),
        "share": (acting / [v.duration for v in videos]).mean(),
        "labels": Counter(len({i.label for i in build_instances(world, v)}) for v in videos),
    }


def test_the_world_has_the_digests_that_the_docs_state():
    # docs/simulation.md states these digests: after a change, calibrate the world again and state the new ones.
    world = SimulatedWorld()
    videos = plan_videos(world)
    stated = (ROOT / "docs/simulation.md").read_text()
    for text in (to_canonical_json(world), to_canonical_json(build_annotations(world, videos))):
        assert hashlib.sha256(text.encode()).hexdigest() in stated
    # Features may differ in their last bits between processors.
    deviations = {
        s: generate_features(world, s, videos[0], GRID).feature.astype(float).std() for s in FEATURE_STATISTICS
    }
    assert deviations == pytest.approx({"rgb": 0.1635, "flow": 0.1172, "clip": 0.1247, "audio": 0.2017}, rel=2e-3)


@pytest.mark.parametrize("seed", [1, 2])
def test_round_0_clusters_are_about_as_pure_as_on_real_data(seed):
    world = SimulatedWorld(seed=seed, test_videos=1)
    videos = plan_videos(world)[:-1]
    pooled = []
    for stream in ("rgb", "flow"):
        means = np.stack([generate_features(world, stream, v, GRID).feature.mean(axis=0, dtype=float) for v in videos])
        pooled.append(means / np.linalg.norm(means, axis=1, keepdims=True))
    clusters = spectral.prepare(np.concatenate(pooled, axis=1), 0)(world.classes)
    quality = measure_quality(clusters.tolist(), [str(v.main_class) for v in videos])
    assert 0.4 < quality.purity < 0.65
    assert 15 <= quality.covered <= 20


@pytest.mark.parametrize("subset", [0, 1], ids=["training", "test"])
def test_default_layout_is_like_thumos14(subset):
    # One world varies like a sample of 20 classes; the mean of five worlds is stable.
    layouts = [measure_layout(w, split(w)[subset]) for w in (SimulatedWorld(seed=s) for s in range(5))]
    counts = np.concatenate([f["counts"] for f in layouts])
    assert np.mean([f["annotated"] for f in layouts]) == pytest.approx(15.4, abs=1.6)
    assert np.percentile(counts, [25, 50, 75, 90]) == pytest.approx([3.5, 8, 18.5, 35], rel=0.25)
    assert (counts.min(), (counts == 1).mean()) == (1, pytest.approx(0.08, abs=0.04))
    assert 90 < counts.max() < 220
    assert np.mean([f["median"] for f in layouts]) == pytest.approx(3.2, abs=0.4)
    assert np.mean([f["mean"] for f in layouts]) == pytest.approx(4.5, abs=0.5)
    assert np.mean([f["seconds"] for f in layouts]) == pytest.approx(205, abs=25)
    assert np.mean([f["share"] for f in layouts]) == pytest.approx(0.3, abs=0.03)
    assert np.mean([f["labels"][2] for f in layouts]) == pytest.approx(27 if subset == 0 else 33, abs=10)
    assert max(f["labels"][3] for f in layouts) <= 6


def test_the_activitynet_world_has_few_and_long_instances():
    world = SHIPPED["simulated_activitynet"].simulate
    assert world
    for videos, size in zip(split(world), (1000, 500), strict=True):
        layout = measure_layout(world, videos)
        assert len(videos) == size
        assert layout["annotated"] == pytest.approx(1.48, abs=0.12)
        assert (layout["counts"] == 1).mean() == pytest.approx(0.76, abs=0.05)
        assert layout["median"] == pytest.approx(28, abs=4)
        assert layout["mean"] == pytest.approx(50, abs=5)
        assert layout["seconds"] == pytest.approx(115, abs=12)
        assert layout["share"] == pytest.approx(0.64, abs=0.07)
        assert layout["labels"][1] >= 0.99 * size
        assert len({v.main_class for v in videos}) == 100


def test_classes_are_unequal_but_none_is_rare():
    for videos in split(SimulatedWorld()):
        counts = Counter(v.main_class for v in videos)
        assert len(counts) == 20
        assert 5 <= min(counts.values()) <= 9
        assert 12 <= max(counts.values()) <= 18


def test_ids_and_annotations():
    world = SimulatedWorld(train_videos=2, test_videos=1)
    assert list_simulated_subsets(world) == {
        "sim_train_0000": "training", "sim_train_0001": "training", "sim_test_0000": "validation",
    }  # fmt: skip
    videos = plan_videos(world)
    database = build_annotations(world, videos)["database"]
    assert list(database) == [v.video_id for v in videos] == list(list_simulated_subsets(world))
    entry = database["sim_test_0000"]
    assert (entry["subset"], entry["duration"]) == ("validation", videos[2].duration)
    assert len(entry["annotations"]) == len(build_instances(world, videos[2]))


def test_actions_and_distractors_do_not_overlap():
    for video in plan_videos(SimulatedWorld(train_videos=60, test_videos=1)):
        edges = [0.0, *(e for a in video.actions for e in (a.start, a.stop)), video.duration]
        assert all(a <= b for a, b in pairwise(edges))
        for d in video.distractors:
            assert 0 <= d.start < d.stop <= video.duration + 0.01
            assert all(d.stop <= a.start + 0.01 or d.start >= a.stop - 0.01 for a in video.actions)


def test_a_twin_class_shares_all_instances():
    world = SimulatedWorld()
    for video in plan_videos(world):
        named = Counter((i.label, i.start) for i in build_instances(world, video))
        first = {start for label, start in named if label == "action-00"}
        assert first <= {start for label, start in named if label == "action-01"}


def test_distractors_have_the_configured_rate():
    videos = plan_videos(SimulatedWorld())
    background = sum(v.duration - sum(a.stop - a.start for a in v.actions) for v in videos)
    assert sum(len(v.distractors) for v in videos) / background * 60 == pytest.approx(3.0, rel=0.1)


def test_a_video_depends_on_its_index_alone():
    few, many = (
        plan_videos(SimulatedWorld(train_videos=3, test_videos=2)),
        plan_videos(SimulatedWorld(train_videos=9, test_videos=4)),
    )
    assert {v.video_id: v for v in few}.items() <= {v.video_id: v for v in many}.items()
    small, large = SimulatedWorld(train_videos=3, **SMALL), SimulatedWorld(train_videos=9, **SMALL)
    for stream in FEATURE_STATISTICS:
        one, two = (generate_features(w, stream, few[1], GRID).feature for w in (small, large))
        assert one.tobytes() == two.tobytes()
        assert one.tobytes() != generate_features(replace(small, seed=1), stream, few[1], GRID).feature.tobytes()
    assert plan_videos(SimulatedWorld(seed=1, train_videos=3))[1].actions != few[1].actions


@pytest.mark.parametrize(
    ("key", "changed_stream"),
    [
        ("clip_extent", "clip"),
        ("clip_confusion", "clip"),
        ("audio_misleading", "audio"),
        ("audio_helpful", "audio"),
        ("audio_agreement", "audio"),
    ],
)
def test_a_key_of_one_stream_changes_no_other_stream(key, changed_stream):
    world = SimulatedWorld(train_videos=12, test_videos=1, **SMALL)
    other = replace(world, **{key: 0.5 * getattr(world, key)})
    changed = set()
    for one, two in zip(plan_videos(world), plan_videos(other), strict=True):
        assert (one.actions, one.distractors, one.duration, one.mute) == (
            two.actions, two.distractors, two.duration, two.mute,
        )  # fmt: skip
        for stream in FEATURE_STATISTICS:
            a, b = (generate_features(w, stream, v, GRID).feature for w, v in ((world, one), (other, two)))
            changed |= {stream} if a.tobytes() != b.tobytes() else set()
    assert changed == {changed_stream}


def response(world, stream, video):
    """Distance of each snippet's feature to the feature without input, as a share of the largest distance."""
    at_rest = simulated._map_to_features(simulated._build_space(world, stream), stream, np.zeros((1, LATENT_DIM)))
    distance = np.linalg.norm(generate_features(world, stream, video, GRID).feature - at_rest, axis=1)
    return distance / distance.max()


def snippets_inside(intervals, rows):
    start = np.arange(rows) * GRID.stride_s
    return np.any([(start >= a) & (start + GRID.snippet_s <= b) for a, b in intervals], axis=0)


def snippets_touching(intervals, rows):
    start = np.arange(rows) * GRID.stride_s
    return np.any([(start < b) & (start + GRID.snippet_s > a) for a, b in intervals], axis=0)


def long_video(world, is_wanted=lambda main: True):
    """A video whose first action is long enough for a core and an outer part."""
    return next(v for v in plan_videos(world) if is_wanted(v.main_class) and v.actions[0].stop - v.actions[0].start > 6)


def regions(world, video, rows):
    """Masks [snippets]: fully in cores, fully in the rest of the extents, fully outside actions."""
    extents = [(a.start, a.stop) for a in video.actions]
    cores = [shrink_extent(a.start, a.stop, world.core_share, a.core_position) for a in video.actions]
    outer = [piece for (a, b), (c, d) in zip(extents, cores, strict=True) for piece in ((a, c), (d, b))]
    around = [(a - 2.0, b + 2.0) for a, b in extents]
    return snippets_inside(cores, rows), snippets_inside(outer, rows), ~snippets_touching(around, rows)


@pytest.mark.parametrize("stream", ["rgb", "flow"])
def test_i3d_streams_respond_to_the_core(stream):
    video = long_video(CLEAR)
    strength = response(CLEAR, stream, video)
    core, outer, outside = regions(CLEAR, video, len(strength))
    assert core.any()
    assert outer.any()
    assert strength[core].min() > 0.95
    # The ReLU changes the ratio of responses, 0.25, slightly.
    assert 0.15 < strength[outer].mean() < 0.35
    assert strength[outside].max() < 0.01
    flat = response(replace(CLEAR, i3d_outer=1.0), stream, video)
    assert flat[outer].min() > 0.95


def test_i3d_streams_misplace_cores_independently():
    world = replace(CLEAR, core_jitter=0.15)
    video = long_video(world)
    rgb, flow = (response(world, s, video) > 0.6 for s in ("rgb", "flow"))
    assert (rgb != flow).any()
    assert np.mean(rgb == flow) > 0.8


def test_clip_responds_to_the_configured_share_of_the_extent():
    video = long_video(CLEAR)
    strength = response(CLEAR, "clip", video)
    core, outer, outside = regions(CLEAR, video, len(strength))
    # Half of the range of a snippet at a border is outside.
    assert strength[core].min() > 0.8
    assert strength[outer].mean() > 0.75
    assert strength[outside].max() < 0.01
    narrow = response(replace(CLEAR, clip_extent=CLEAR.core_share), "clip", video)
    assert narrow[core].mean() > 2 * narrow[outer].mean()


def test_a_larger_share_of_an_extent_contains_a_smaller_one():
    for position in (0.0, 0.3, 1.0):
        (a, b), (c, d) = shrink_extent(2.0, 12.0, 0.45, position), shrink_extent(2.0, 12.0, 0.8, position)
        assert 2 <= c <= a < b <= d <= 12
        assert (b - a, d - c) == (pytest.approx(4.5), pytest.approx(8))


def test_related_classes_are_similar_in_clip_only():
    world = SimulatedWorld(classes=40, **SMALL)
    same = (np.arange(40)[:, None] // 4 == np.arange(40) // 4) & ~np.eye(40, dtype=bool)
    for stream, expected in (("rgb", 0.2), ("flow", 0.2), ("clip", 0.9), ("audio", 0.0)):
        prototypes = simulated._build_space(world, stream).action_prototypes[:, 0, 0]
        assert (prototypes @ prototypes.T)[same].mean() == pytest.approx(expected, abs=0.08)
        assert (prototypes @ prototypes.T)[~same & ~np.eye(40, dtype=bool)].mean() == pytest.approx(0, abs=0.05)


def test_sounds_are_helpful_misleading_or_absent_by_class():
    properties = draw_class_properties(CLEAR)
    assert (len(properties.helpful_audio), len(properties.misleading_audio)) == (10, 5)
    assert not properties.helpful_audio & properties.misleading_audio
    helpful_video = long_video(CLEAR, lambda main: main in properties.helpful_audio)
    strength = response(CLEAR, "audio", helpful_video)
    extents = snippets_inside([(a.start, a.stop) for a in helpful_video.actions], len(strength))
    outside = ~snippets_touching([(a.start - 1, a.stop + 1) for a in helpful_video.actions], len(strength))
    assert strength[extents].min() > 0.85
    assert strength[outside].max() < 0.01
    misleading_videos = [v for v in plan_videos(CLEAR) if v.main_class in properties.misleading_audio]
    assert misleading_videos
    assert all(
        len(v.sounds) == len(v.actions) for v in misleading_videos if len({a.class_indices for a in v.actions}) == 1
    )
    overlaps = [
        any(s.start < a.stop and a.start < s.stop for a in v.actions) for v in misleading_videos for s in v.sounds
    ]
    assert 0.05 < np.mean(overlaps) < 0.8
    silent_video = next(
        v
        for v in plan_videos(CLEAR)
        if v.main_class not in properties.helpful_audio | properties.misleading_audio and len(v.actions) == 1
    )
    assert silent_video.sounds == ()


@pytest.mark.parametrize("agreement", [0.0, 0.75, 1.0])
def test_a_share_of_the_sounds_does_the_opposite_of_its_class(agreement):
    world = replace(CLEAR, audio_agreement=agreement, train_videos=400)
    properties = draw_class_properties(world)

    def share_in_extents(classes):
        videos = [v for v in plan_videos(world) if {k for a in v.actions for k in a.class_indices} <= classes]
        pairs = [(a, s) for v in videos for a, s in zip(v.actions, v.sounds, strict=True)]
        return np.mean([abs(s.start + world.audio_border - a.start) < 1e-9 for a, s in pairs])

    assert share_in_extents(properties.helpful_audio) == pytest.approx(agreement, abs=0.03)
    assert share_in_extents(properties.misleading_audio) == pytest.approx(1 - agreement, abs=0.03)


def test_a_class_has_several_looks_with_the_configured_cosine():
    world = SimulatedWorld(classes=40, modes=3, mode_cosine=0.5, **SMALL)
    prototypes = simulated._build_space(world, "rgb").action_prototypes
    assert prototypes.shape == (40, 3, 1, LATENT_DIM)
    looks = prototypes[:, :, 0]
    cosines = looks @ looks.transpose(0, 2, 1)
    assert cosines[:, ~np.eye(3, dtype=bool)].mean() == pytest.approx(0.5, abs=0.05)
    world = replace(CLEAR, modes=3, mode_cosine=0.0, core_share=1.0)
    video = next(v for v in plan_videos(world) if len({a.class_indices for a in v.actions}) == 1 and len(v.actions) > 9)
    feature = generate_features(world, "rgb", video, GRID).feature.astype(float)
    middles = [
        feature[round((a.start + a.stop) / 2 / GRID.stride_s - 0.5)] for a in video.actions if a.stop - a.start > 2
    ]
    assert len({tuple(np.round(row, 2)) for row in middles}) == 3


def test_phases_follow_each_other_and_related_classes_share_the_first():
    world = replace(CLEAR, phases=2, shared_phases=1, core_share=1.0, i3d_outer=1.0)
    prototypes = simulated._build_space(world, "rgb").action_prototypes[:, 0]
    assert prototypes[0, 0] == pytest.approx(prototypes[1, 0])
    assert abs(prototypes[0, 1] @ prototypes[1, 1]) < 0.8
    video = long_video(world)
    starts = np.arange(0, video.duration, GRID.stride_s)
    latent = simulated._generate_latent(world, "rgb", video, SnippetTimes(starts, GRID))
    action = video.actions[0]
    middle = (action.start + action.stop) / 2
    for phase, (first, last) in enumerate(((action.start, middle), (middle, action.stop))):
        rows = latent[(starts >= first) & (starts + GRID.snippet_s <= last)]
        assert rows == pytest.approx(np.broadcast_to(prototypes[action.class_indices[0], phase], rows.shape), abs=1e-9)


def test_mute_videos_lack_coverage_in_audio_only():
    world = SimulatedWorld(**SMALL)
    videos = plan_videos(world)
    assert np.mean([v.mute for v in videos]) == pytest.approx(0.1, abs=0.04)
    video = next(v for v in videos if v.mute)
    for stream in FEATURE_STATISTICS:
        rows = generate_features(world, stream, video, GRID)
        assert len(rows.feature) == GRID.count_snippets(video.duration)
        if stream == "audio":
            assert not rows.coverage.any()
            assert not rows.feature.any()
        else:
            assert (rows.coverage[:-1] == 1).all()
            assert 0.4 < rows.coverage[-1] <= 1
            assert rows.feature.any(axis=1).all()


@pytest.mark.parametrize(
    ("stream", "low", "high"), [("rgb", 0.8, 0.95), ("flow", 0.75, 0.95), ("clip", 0.8, 0.95), ("audio", 0.5, 0.8)]
)
def test_features_have_the_statistics_of_real_ones(stream, low, high):
    world = SimulatedWorld(train_videos=6, test_videos=1)
    features = [
        generate_features(world, stream, v, GRID).feature.astype(float) for v in plan_videos(world) if not v.mute
    ]
    rows = np.concatenate(features)
    assert rows.shape[1] == getattr(world, f"{stream}_dim")
    if stream == "clip":
        assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=2e-3)
    else:
        assert rows.min() == 0
        assert 0.1 < (rows == 0).mean() < 0.65
    units = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in features]
    assert low < np.concatenate([(u[1:] * u[:-1]).sum(axis=1) for u in units]).mean() < high


def test_neighbours_are_as_alike_as_those_of_a_real_network():
    """Autocorrelation of features less their video's mean, of I3D on three real videos (docs/simulation.md)."""
    real = [0.495, 0.356, 0.230, 0.130, 0.052]
    videos = cut_videos(SimulatedWorld(**SMALL), "rgb")
    assert [compute_autocorrelation(videos, lag) for lag in LAGS] == pytest.approx(real, abs=0.03)


def test_width_changes_neither_scale_nor_ratio_of_variances():
    def measure_variances(dim):
        world = SimulatedWorld(rgb_dim=dim, train_videos=16, test_videos=1)
        features = [generate_features(world, "rgb", v, GRID).feature.astype(float) for v in plan_videos(world)]
        within = np.mean([x.var(axis=0).sum() for x in features])
        between = np.stack([x.mean(axis=0) for x in features]).var(axis=0).sum()
        return np.square(np.concatenate(features)).mean(), within / dim, between / dim

    assert measure_variances(1024) == pytest.approx(measure_variances(128), rel=0.15)


def test_distractors_are_weaker_than_actions_most_of_all_in_clip():
    world = replace(CLEAR, i3d_outer=1.0)
    action = Event((3,), 20.0, 30.0, 0.5)
    blank = replace(
        plan_videos(world)[0], duration=100.0, actions=(action,), distractors=(replace(action, start=60.0, stop=70.0),)
    )
    for stream, expected in (("rgb", 0.6), ("flow", 0.6), ("clip", 0.18)):
        rows = simulated.SnippetTimes(GRID.stride_s * np.arange(GRID.count_snippets(100.0)), GRID)
        latent = np.linalg.norm(simulated._generate_latent(world, stream, blank, rows), axis=1)
        assert latent[rows.starts > 50].max() / latent[rows.starts < 40].max() == pytest.approx(expected)


@pytest.mark.parametrize(("stream", "scene"), [("rgb", 1.0), ("flow", 0.4), ("clip", 1.0), ("audio", 0.5)], ids=str)
def test_strengths_are_root_mean_squares(stream, scene):
    rows = simulated.SnippetTimes(GRID.stride_s * np.arange(1000), GRID)
    video = replace(plan_videos(CLEAR)[0], actions=(), distractors=(), sounds=())
    for name, expected in (("scene", scene), ("drift", 1.0), ("noise", 1.0)):
        world = SimulatedWorld(**SMALL, **{"scene": 0.0, "drift": 0.0, "noise": 0.0, name: 1.0})
        videos = [replace(video, index=i, main_class=i) for i in range(20)]
        latent = np.stack([simulated._generate_latent(world, stream, v, rows) for v in videos])
        assert np.sqrt(np.square(latent).sum(axis=2).mean()) == pytest.approx(expected, rel=0.12), name


@pytest.mark.parametrize(("name", "change"), [("scene", 0.0), ("drift", 2 * (1 - np.exp(-0.16))), ("noise", 2.0)])
def test_scene_drift_and_noise_change_at_their_own_rates(name, change):
    """Squared difference of neighbours, in variances: 0 for a constant, 2 for independent snippets."""
    quiet = SimulatedWorld(nuisance=0, **SMALL)
    alone = replace(quiet, **{"nuisance": 1.0, "scene": 0.0, "drift": 0.0, "noise": 0.0, name: 1.0})
    empty = replace(
        plan_videos(replace(quiet, train_videos=1))[0], duration=800.0, actions=(), distractors=(), sounds=()
    )
    still, changing = (generate_features(w, "clip", empty, GRID).feature.astype(float) for w in (quiet, alone))
    assert np.ptp(still, axis=0).max() == 0
    assert np.abs(changing - still).max() > 0.01
    variance = changing.var(axis=0).mean()
    assert np.square(np.diff(changing, axis=0)).mean() == pytest.approx(change * variance, rel=0.2, abs=1e-9)
