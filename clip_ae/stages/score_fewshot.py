"""Score few-shot localization by episodes: classes with k support examples each are localized in test videos."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from clip_ae.core.config.feature_adapters import UNADAPTED
from clip_ae.core.config.specs import ScoreFewshotSpec
from clip_ae.core.config.streams import StreamRoles
from clip_ae.core.errors import UserError
from clip_ae.core.files import write_text
from clip_ae.core.progress import track
from clip_ae.core.provenance import make_provenance
from clip_ae.core.types import Annotation, FeaturesByStream, VideoFeatures
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
from clip_ae.pages import markdown
from clip_ae.pipeline.adapted_features import restore_joint_space
from clip_ae.pipeline.detection import detect
from clip_ae.proposals.curve_choice import PROBABILITY_CURVES, choose_curve
from clip_ae.scoring import few_shot
from clip_ae.scoring.eval_input import build_eval_input
from clip_ae.scoring.evaluate import score_chance, score_classes
from clip_ae.scoring.protocols import PROTOCOLS
from clip_ae.weights.network_file import WeightsFile, read_weights

ScoresByMetric = dict[str, dict[str, float]]


@dataclass(frozen=True)
class EpisodeData:
    """Videos, test annotations, and the possible support examples of each class, in training videos."""

    videos: Mapping[str, VideoFeatures]
    test_annotations: Mapping[str, Annotation]
    support_pool: episodes.SupportPool
    covered_masks: SnippetMasks


def run(
    spec: ScoreFewshotSpec,
    *,
    features: Annotated[Path, "folder of feature shards, {stream}/{shard}.parquet"],
    shards: Annotated[int, "number of shards"],
    adapters: Annotated[tuple[Path, ...], "model.safetensors of every feature adapter, in the order of the spec"],
    ground_truth: Annotated[
        Path, "annotations in the ActivityNet format, or the folder of the THUMOS14 kit's text files"
    ],
    out: Annotated[Path, "fewshot.json to write"],
    table: Annotated[Path, "table of the same results to write (Markdown)"],
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
) -> None:
    configure_torch(spec.torch_threads)
    torch_device = resolve_device(device)
    models = _read_adapters(spec, adapters)
    annotations = read_annotations(ground_truth)
    streams = read_streams(features, StreamRoles(spec.streams), shards, set(annotations))
    test_ids = read_evaluated_ids(ground_truth, spec.test_subset, spec.evaluation.video_list)
    data = _collect_episode_data(spec, streams, annotations, test_ids)
    episodes.check_episodes(data.support_pool, data.test_annotations, spec.fewshot.ways, max(spec.fewshot.shots))
    inputs = {f"features/{name}": read_stream_input_id(features, name, shards) for name in spec.streams}
    inputs |= {name: model.provenance.id for name, model in models.items()}
    inputs["annotations"] = annotations_digest(ground_truth)
    provenance = make_provenance("score_fewshot", spec, inputs, ("numpy", "scipy", "torch"))
    train_streams = {
        name: {i: v for i, v in videos.items() if annotations[i].subset == spec.train_subset}
        for name, videos in streams.items()
    }
    scores = {
        name: _score_space(spec, data, name, space, space.embed_streams(streams, torch_device))
        for name, space in _build_spaces(train_streams, models, torch_device).items()
    }
    result = few_shot.build_fewshot_result(spec, sorted(data.support_pool), scores)
    write_json(out, {**result, "protocol": _describe_protocol(spec), "provenance": asdict(provenance)})
    write_text(table, _render_table(spec, result, provenance.to_json()))


def _read_adapters(spec: ScoreFewshotSpec, paths: Sequence[Path]) -> dict[str, WeightsFile]:
    names = spec.fewshot.feature_adapters
    if len(paths) != len(names):
        raise UserError(
            f"--adapters: {len(paths)} files for {len(names)} feature adapters; give one for each, in their order"
        )
    return dict(zip(names, map(read_weights, paths), strict=True))


def _build_spaces(
    train_streams: FeaturesByStream, adapters: Mapping[str, WeightsFile], device: str
) -> dict[str, EmbeddingSpace]:
    """The space of the extracted features, and the joint space of every adapter."""
    extracted = embedding_space.extracted_space(train_streams, device)
    adapted = {
        name: embedding_space.adapted_space(restore_joint_space(adapter, device), extracted)
        for name, adapter in adapters.items()
    }
    return {UNADAPTED: extracted, **adapted}


def _collect_episode_data(
    spec: ScoreFewshotSpec,
    streams: FeaturesByStream,
    annotations: Mapping[str, Annotation],
    test_ids: Sequence[str],
) -> EpisodeData:
    videos, covered_masks = streams[spec.streams[0]], compute_coverage_masks(streams)
    all_classes = {instance.label for a in annotations.values() for instance in a.instances}
    classes = few_shot.collect_held_out_classes(spec) or all_classes
    for name in sorted(classes - all_classes):
        raise UserError(f"feature_adapters.held_out_classes: the annotations have no class '{name}'")
    train = {i: annotations[i] for i in videos if annotations[i].subset == spec.train_subset}
    pool = {
        name: [
            span
            for i, annotation in train.items()
            for span in spans.instances_to_spans(
                videos[i], (x for x in annotation.instances if x.label == name), {name: 1}
            )
            if has_decoded_snippet(span, covered_masks)
        ]
        for name in classes
    }
    return EpisodeData(videos, {i: annotations[i] for i in test_ids}, pool, covered_masks)


def _score_space(
    spec: ScoreFewshotSpec,
    data: EpisodeData,
    name: str,
    space: EmbeddingSpace,
    embeddings: Mapping[str, SnippetEmbeddings],
) -> few_shot.EpisodeScores:
    """For each number of shots, the scores and the chance level of every episode."""
    settings = spec.fewshot
    sampled = [
        episodes.sample_episode(data.support_pool, settings.ways, max(settings.shots), settings.seed, number)
        for number in range(settings.episodes)
    ]
    jobs = [(shots, episode) for shots in settings.shots for episode in sampled]
    scores: few_shot.EpisodeScores = {shots: [] for shots in settings.shots}
    for shots, episode in track(jobs, name, unit="episodes"):
        scores[shots].append(_score_episode(spec, data, episode, shots, space, embeddings))
    return scores


def _score_episode(
    spec: ScoreFewshotSpec,
    data: EpisodeData,
    episode: episodes.Episode,
    shots: int,
    space: EmbeddingSpace,
    embeddings: Mapping[str, SnippetEmbeddings],
) -> tuple[ScoresByMetric, ScoresByMetric]:
    test = episodes.select_query_videos(data.test_annotations, episode.classes)
    examples = episode.support_set(shots)
    background_masks = mask_outside_examples(examples, data.covered_masks)
    prototypes = build_prototypes(space, embeddings, examples, data.covered_masks, background_masks)
    detections = [
        detection
        for i in test
        if i in data.videos
        for detection in detect(
            i,
            data.videos[i].covered_end,
            predict_from_prototypes(space, embeddings[i], prototypes, data.covered_masks[i]),
            episode.classes,
            spec.localization,
            choose_curve(spec.localization, PROBABILITY_CURVES, spec.grid.stride_s),
            spec.grid,
        )
    ]
    # Spread and chance level come from many episodes: one episode needs no bootstrap and one permutation.
    settings = replace(spec.evaluation, bootstrap_samples=0, chance_permutations=1, frame_protocol=None)
    eval_input = build_eval_input(test, {}, [], detections)
    return score_classes(eval_input, settings), score_chance(eval_input, settings)


def _render_table(spec: ScoreFewshotSpec, result: Mapping[str, Any], provenance: str) -> str:
    table = few_shot.build_fewshot_table(spec, result)
    body = markdown.render_markdown_table(table.header, table.rows, num_text_columns=table.num_text_columns)
    section = markdown.render_section(table.heading, body, markdown.render_bullets(table.notes))
    dataset = f"{spec.dataset} (simulated)" if spec.simulated else spec.dataset
    captions = few_shot.build_fewshot_captions(spec, result)
    return markdown.render_markdown_page(f"Few-shot localization on {dataset}", captions, [section], provenance)


def _describe_protocol(spec: ScoreFewshotSpec) -> str:
    settings = spec.fewshot
    return (
        f"{settings.episodes} episodes: {settings.ways} classes are drawn, and examples of each among its instances in "
        f"training videos; the test videos that show any of the classes are searched for all of them. "
        f"{PROTOCOLS[spec.evaluation.protocol].description}; mean over the episode's classes, then over episodes"
    )
