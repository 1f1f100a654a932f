"""Score few-shot localization by episodes: classes known by k examples are found in test videos."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

from clip_ae.core.config.feature_adapters import UNADAPTED
from clip_ae.core.config.methods import I3D_STREAMS
from clip_ae.core.config.specs import ScoreFewshotSpec
from clip_ae.core.config.training import Localization
from clip_ae.core.errors import UserError
from clip_ae.core.files import write_text
from clip_ae.core.progress import track
from clip_ae.core.provenance import make_provenance
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Annotation, Detection, FeaturesByStream, VideoFeatures
from clip_ae.data.annotations import annotations_digest, read_annotations, read_evaluated_ids
from clip_ae.data.detections import write_json
from clip_ae.data.shards import read_stream_input_id
from clip_ae.data.streams import read_streams
from clip_ae.encoders.devices import configure_torch, resolve_device
from clip_ae.language import embedding_space, episodes, spans
from clip_ae.language.embedding_space import EmbeddingSpace, SnippetEmbeddings
from clip_ae.language.few_shot import (
    SnippetMasks,
    build_prototypes,
    compute_coverage_masks,
    has_decoded_snippet,
    mask_outside_examples,
    predict_from_prototypes,
)
from clip_ae.localizers.inference import VideoPrediction
from clip_ae.pages import markdown
from clip_ae.proposals.localize import localize
from clip_ae.scoring import few_shot
from clip_ae.scoring.evaluate import build_eval_input, score_chance, score_classes
from clip_ae.scoring.protocols import PROTOCOLS
from clip_ae.stages.adapt_features import restore_joint_space
from clip_ae.weights.network_file import read_weights

ScoresByMetric = dict[str, dict[str, float]]


@dataclass(frozen=True)
class EpisodeData:
    """Videos and what is annotated in them; classes that are drawn, with their instances in training videos."""

    videos: Mapping[str, VideoFeatures]
    test_annotations: Mapping[str, Annotation]
    instances: episodes.SupportPool
    covered_masks: SnippetMasks


def run(
    spec: ScoreFewshotSpec,
    *,
    features: Annotated[Path, "folder of feature shards, {stream}/{shard}.parquet"],
    shards: Annotated[int, "number of shards"],
    adapters: Annotated[tuple[Path, ...], "model.safetensors of every recipe, in their order"],
    ground_truth: Annotated[Path, "annotations in ActivityNet's form, or the folder of the THUMOS14 kit's text files"],
    out: Annotated[Path, "fewshot.json to write"],
    table: Annotated[Path, "the same as a table (Markdown)"],
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
) -> None:
    configure_torch(spec.torch_threads)
    place, recipes = resolve_device(device), spec.fewshot.feature_adapters
    if len(adapters) != len(recipes):
        raise UserError(f"--adapters: {len(adapters)} for {len(recipes)} recipes; expected one of each, in their order")
    files = dict(zip(recipes, map(read_weights, adapters), strict=True))
    known = read_annotations(ground_truth)
    streams = read_streams(features, I3D_STREAMS, shards, set(known))
    world = _world(spec, streams, known, read_evaluated_ids(ground_truth, spec.test_subset, spec.evaluation.video_list))
    episodes.check_episodes(world.instances, world.test_annotations, spec.fewshot.ways, max(spec.fewshot.shots))
    train = {
        n: {i: v for i, v in found.items() if known[i].subset == spec.train_subset} for n, found in streams.items()
    }
    plain = embedding_space.extracted_space(train, place)
    rows = {UNADAPTED: plain}
    rows |= {
        name: embedding_space.adapted_space(restore_joint_space(file, place), plain) for name, file in files.items()
    }
    inputs = {f"features/{name}": read_stream_input_id(features, name, shards) for name in I3D_STREAMS}
    inputs |= {name: file.provenance.id for name, file in files.items()} | {
        "annotations": annotations_digest(ground_truth)
    }
    record = make_provenance("score_fewshot", spec, inputs, ("numpy", "scipy", "torch"))
    scores = {
        name: _scored(spec, world, name, space, space.embed_streams(streams, place)) for name, space in rows.items()
    }
    result = few_shot.build_fewshot_result(spec, sorted(world.instances), scores)
    write_json(out, {**result, "protocol": _protocol(spec), "provenance": asdict(record)})
    sheet = few_shot.build_fewshot_table(spec, result)
    body = markdown.render_markdown_table(sheet.header, sheet.rows, num_text_columns=sheet.num_text_columns)
    section = markdown.render_section(sheet.heading, body, markdown.render_bullets(sheet.notes))
    of = f"{spec.dataset} (simulated)" if spec.simulated else spec.dataset
    lead = few_shot.build_fewshot_captions(spec, result)
    write_text(
        table, markdown.render_markdown_page(f"Few-shot localization on {of}", lead, [section], record.to_json())
    )


def detect(
    video: VideoFeatures, seen: VideoPrediction, labels: Sequence[str], settings: Localization, grid: SnippetGrid
) -> list[Detection]:
    """The segments of one video."""
    curves = seen.attention, seen.activation, seen.scores
    return localize(video.video_id, *curves, labels=labels, settings=settings, grid=grid, duration=video.covered_end)


def _world(
    spec: ScoreFewshotSpec, streams: FeaturesByStream, known: Mapping[str, Annotation], tested: Sequence[str]
) -> EpisodeData:
    videos, seen = streams[I3D_STREAMS[0]], compute_coverage_masks(streams)
    every = {i.label for a in known.values() for i in a.instances}
    drawn = few_shot.collect_held_out_classes(spec) or every
    for name in sorted(drawn - every):
        raise UserError(f"feature_adapters.held_out_classes: the annotations have no class '{name}'")
    train = {i: known[i] for i in videos if known[i].subset == spec.train_subset}
    pool = {
        name: [
            span
            for i, annotation in train.items()
            for span in spans.instances_to_spans(
                videos[i], (x for x in annotation.instances if x.label == name), {name: 1}
            )
            if has_decoded_snippet(span, seen)
        ]
        for name in drawn
    }
    return EpisodeData(videos, {i: known[i] for i in tested}, pool, seen)


def _scored(
    spec: ScoreFewshotSpec, world: EpisodeData, name: str, space: EmbeddingSpace, seen: Mapping[str, SnippetEmbeddings]
) -> few_shot.EpisodeScores:
    """By number of shots, each episode's scores and what chance gives."""
    how = spec.fewshot
    most = max(how.shots)
    drawn = [
        episodes.sample_episode(world.instances, how.ways, most, how.seed, number) for number in range(how.episodes)
    ]
    every = [(shots, episode) for shots in how.shots for episode in drawn]
    scores: few_shot.EpisodeScores = {shots: [] for shots in how.shots}
    for shots, episode in track(every, name, unit="episodes"):
        scores[shots].append(_episode(spec, world, episode, shots, space, seen))
    return scores


def _episode(
    spec: ScoreFewshotSpec,
    world: EpisodeData,
    episode: episodes.Episode,
    shots: int,
    space: EmbeddingSpace,
    seen: Mapping[str, SnippetEmbeddings],
) -> tuple[ScoresByMetric, ScoresByMetric]:
    test = episodes.select_query_videos(world.test_annotations, episode.classes)
    examples = episode.support_set(shots)
    at = build_prototypes(
        space, seen, examples, world.covered_masks, mask_outside_examples(examples, world.covered_masks)
    )
    detections = [
        detection
        for i in test
        if i in world.videos
        for detection in detect(
            world.videos[i],
            predict_from_prototypes(space, seen[i], at, world.covered_masks[i]),
            episode.classes,
            spec.localization,
            spec.grid,
        )
    ]
    # Many episodes tell of spread and of chance; none needs draws or many shuffles of its own.
    settings = replace(spec.evaluation, bootstrap_samples=0, chance_permutations=1)
    problem = build_eval_input(test, {}, [], detections)
    return score_classes(problem, settings), score_chance(problem, settings)


def _protocol(spec: ScoreFewshotSpec) -> str:
    how = spec.fewshot
    return (
        f"{how.episodes} episodes: {how.ways} classes are drawn, and examples of each among its instances in training "
        f"videos; the test videos that show any of the classes are searched for all of them. "
        f"{PROTOCOLS[spec.evaluation.protocol].description}; mean over the episode's classes, then over episodes"
    )
