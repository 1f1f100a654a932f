"""Score few-shot localization by episodes: classes known by k examples are found in test videos."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

from clip_ae.core.config.feature_adapters import PLAIN
from clip_ae.core.config.methods import MAIN_STREAMS
from clip_ae.core.config.schema import Localization
from clip_ae.core.config.specs import ScoreFewshotSpec
from clip_ae.core.errors import UserError
from clip_ae.core.files import write_text
from clip_ae.core.progress import track
from clip_ae.core.provenance import make_record
from clip_ae.core.timeline import Grid
from clip_ae.core.types import Annotation, Detection, Streams, VideoFeatures
from clip_ae.data.annotations import read_annotations, scored_ids, source_digest
from clip_ae.data.detections import write_json
from clip_ae.data.shards import stream_id
from clip_ae.data.streams import read_streams
from clip_ae.encoders.devices import resolve, set_threads
from clip_ae.language import embedding_space, episodes, spans
from clip_ae.language.embedding_space import Seen, Space
from clip_ae.language.few_shot import Marked, covered, curves, outside, points, shows
from clip_ae.localizers.inference import VideoCurves
from clip_ae.pages import markdown
from clip_ae.proposals.localize import localize
from clip_ae.scoring import few_shot
from clip_ae.scoring.evaluate import chance, pose, score
from clip_ae.scoring.protocols import PROTOCOLS
from clip_ae.stages.adapt_features import joint_of
from clip_ae.weights.network_file import read_weights

Floats = dict[str, dict[str, float]]


@dataclass(frozen=True)
class World:
    """Videos and what is annotated in them; classes that are drawn, with their instances in training videos."""

    videos: Mapping[str, VideoFeatures]
    test: Mapping[str, Annotation]
    pool: episodes.Pool
    covered: Marked


def run(
    spec: ScoreFewshotSpec,
    *,
    features: Annotated[Path, "folder of feature shards, {stream}/{shard}.parquet"],
    shards: Annotated[int, "number of shards"],
    models: Annotated[tuple[Path, ...], "model.safetensors of every recipe, in their order"],
    ground_truth: Annotated[Path, "annotations in ActivityNet's form, or the folder of the THUMOS14 kit's text files"],
    out: Annotated[Path, "fewshot.json to write"],
    table: Annotated[Path, "the same as a table (Markdown)"],
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
) -> None:
    set_threads(spec.math_threads)
    place, recipes = resolve(device), spec.fewshot.recipes
    if len(models) != len(recipes):
        raise UserError(f"--models: {len(models)} for {len(recipes)} recipes; expected one of each, in their order")
    files = dict(zip(recipes, map(read_weights, models), strict=True))
    known = read_annotations(ground_truth)
    streams = read_streams(features, MAIN_STREAMS, shards, set(known))
    world = _world(spec, streams, known, scored_ids(ground_truth, spec.test_subset, spec.evaluation.videos))
    episodes.check(world.pool, world.test, spec.fewshot.ways, max(spec.fewshot.shots))
    train = {
        n: {i: v for i, v in found.items() if known[i].subset == spec.train_subset} for n, found in streams.items()
    }
    plain = embedding_space.plain(train, place)
    rows = {PLAIN: plain}
    rows |= {name: embedding_space.taught(joint_of(file, place), plain) for name, file in files.items()}
    inputs = {f"features/{name}": stream_id(features, name, shards) for name in MAIN_STREAMS}
    inputs |= {name: file.record.id for name, file in files.items()} | {"annotations": source_digest(ground_truth)}
    record = make_record("score_fewshot", spec, inputs, ("numpy", "scipy", "torch"))
    scores = {name: _scored(spec, world, name, space, space.seen(streams, place)) for name, space in rows.items()}
    result = few_shot.result(spec, sorted(world.pool), scores)
    write_json(out, {**result, "protocol": _protocol(spec), "provenance": asdict(record)})
    sheet = few_shot.sheet(spec, result)
    body = markdown.table(sheet.header, sheet.rows, text=sheet.text)
    section = markdown.section(sheet.heading, body, markdown.bullets(sheet.notes))
    of = f"{spec.dataset} (simulated)" if spec.simulated else spec.dataset
    lead = few_shot.captions(spec, result)
    write_text(table, markdown.page(f"Few-shot localization on {of}", lead, [section], record.to_json()))


def found(
    video: VideoFeatures, seen: VideoCurves, labels: Sequence[str], settings: Localization, grid: Grid
) -> Iterator[Detection]:
    """The segments of one video."""
    curves = seen.attention, seen.activation, seen.scores
    return localize(video.video_id, *curves, labels=labels, settings=settings, grid=grid, end=video.end)


def _world(spec: ScoreFewshotSpec, streams: Streams, known: Mapping[str, Annotation], tested: Sequence[str]) -> World:
    videos, seen = streams[MAIN_STREAMS[0]], covered(streams)
    every = {i.label for a in known.values() for i in a.instances}
    drawn = few_shot.left_out(spec) or every
    for name in sorted(drawn - every):
        raise UserError(f"post_pretraining.without: the annotations have no class '{name}'")
    train = {i: known[i] for i in videos if known[i].subset == spec.train_subset}
    pool = {
        name: [
            span
            for i, annotation in train.items()
            for span in spans.annotated(videos[i], (x for x in annotation.instances if x.label == name), {name: 1})
            if shows(span, seen)
        ]
        for name in drawn
    }
    return World(videos, {i: known[i] for i in tested}, pool, seen)


def _scored(spec: ScoreFewshotSpec, world: World, name: str, space: Space, seen: Mapping[str, Seen]) -> few_shot.Scores:
    """By number of shots, each episode's scores and what chance gives."""
    how = spec.fewshot
    most = max(how.shots)
    drawn = [episodes.drawn(world.pool, how.ways, most, how.seed, number) for number in range(how.episodes)]
    every = [(shots, episode) for shots in how.shots for episode in drawn]
    scores: few_shot.Scores = {shots: [] for shots in how.shots}
    for shots, episode in track(every, name, unit="episodes"):
        scores[shots].append(_episode(spec, world, episode, shots, space, seen))
    return scores


def _episode(
    spec: ScoreFewshotSpec,
    world: World,
    episode: episodes.Episode,
    shots: int,
    space: Space,
    seen: Mapping[str, Seen],
) -> tuple[Floats, Floats]:
    test = episodes.asked(world.test, episode.classes)
    examples = episode.shown(shots)
    at = points(space, seen, examples, world.covered, outside(examples, world.covered))
    detections = [
        detection
        for i in test
        if i in world.videos
        for detection in found(
            world.videos[i],
            curves(space, seen[i], at, world.covered[i]),
            episode.classes,
            spec.localization,
            spec.grid,
        )
    ]
    # Many episodes tell of spread and of chance; none needs draws or many shuffles of its own.
    settings = replace(spec.evaluation, bootstrap=0, shuffles=1)
    problem = pose(test, {}, [], detections)
    return score(problem, settings), chance(problem, settings)


def _protocol(spec: ScoreFewshotSpec) -> str:
    how = spec.fewshot
    return (
        f"{how.episodes} episodes: {how.ways} classes are drawn, and examples of each among its instances in training "
        f"videos; the test videos that show any of the classes are searched for all of them. "
        f"{PROTOCOLS[spec.evaluation.protocol].words}; mean over the episode's classes, then over episodes"
    )
