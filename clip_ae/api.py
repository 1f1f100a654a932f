"""The functions behind `import clip_ae`: each a few lines over the code that the workflow runs."""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from clip_ae.core.config.dataclass_config import parse_dataclass, to_plain_data
from clip_ae.core.config.schema import Evaluation, LayoutName, Runtime
from clip_ae.core.config.specs import EvaluateSpec
from clip_ae.core.errors import RefusedInput, Unreadable, UserError, suggest_name
from clip_ae.core.score_columns import FRAME_KIND
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.tiou_ranges import sort_by_width
from clip_ae.core.types import Detection, FeaturesByStream, VideoFeatures
from clip_ae.data.annotations import read_annotations, read_evaluated_ids
from clip_ae.data.detections import read_detections, read_json_object
from clip_ae.data.layouts.detect import list_feature_files
from clip_ae.data.precomputed_features import PrecomputedFeatures, open_precomputed
from clip_ae.data.shards import read_shards
from clip_ae.pipeline.comparison import ComparedMetric, compare_results
from clip_ae.pipeline.evaluation import evaluate_detections
from clip_ae.provenance.run_folder import find_trained_run
from clip_ae.scoring.frame_protocols import FRAME_PROTOCOLS
from clip_ae.scoring.protocols import PROTOCOLS
from clip_ae.workflow.config_files import load_project_config

if TYPE_CHECKING:
    import pandas as pd

Pathlike = str | Path
DEFAULT_TIOU = Evaluation().tiou
# Detections that are printed; a dataset has thousands.
MAX_SHOWN = 10


class Features(Mapping[str, Mapping[str, VideoFeatures]]):
    """Features of some videos: `features["video_id"]["rgb"].feature` is an array [snippets, D]."""

    def __init__(self, by_stream: FeaturesByStream) -> None:
        self.by_stream = by_stream

    @property
    def streams(self) -> list[str]:
        return list(self.by_stream)

    def __getitem__(self, video_id: str) -> Mapping[str, VideoFeatures]:
        video = {name: videos[video_id] for name, videos in self.by_stream.items() if video_id in videos}
        if not video:
            raise KeyError(f"{video_id}: no such video{suggest_name(video_id, list(self))}")
        return video

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({video_id for videos in self.by_stream.values() for video_id in videos}))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __repr__(self) -> str:
        return f"Features of {len(self)} videos: {', '.join(self.streams)}"

    def to_dataframe(self) -> "pd.DataFrame":
        """One row per snippet and stream: video_id, stream, snippet, start, stop, coverage, feature."""
        return _dataframe(
            {
                "video_id": video_id,
                "stream": stream,
                "snippet": snippet,
                "start": float(video.start[snippet]),
                "stop": float(video.stop[snippet]),
                "coverage": float(video.coverage[snippet]),
                "feature": video.feature[snippet],
            }
            for video_id, streams in self.items()
            for stream, video in streams.items()
            for snippet in range(len(video.feature))
        )


class Detections(Sequence[Detection]):
    """Scored segments: each has video_id, label, score, start and stop (seconds)."""

    def __init__(self, detections: Sequence[Detection]) -> None:
        self._detections = list(detections)

    @overload
    def __getitem__(self, index: int) -> Detection: ...
    @overload
    def __getitem__(self, index: slice) -> "Detections": ...
    def __getitem__(self, index: int | slice) -> "Detection | Detections":
        return Detections(self._detections[index]) if isinstance(index, slice) else self._detections[index]

    def __len__(self) -> int:
        return len(self._detections)

    def __repr__(self) -> str:
        """The number of detections, and the first ones as a table."""
        lines = [f"{len(self)} detections in {len({d.video_id for d in self})} videos"]
        lines += [
            f"{d.video_id}  {d.start:8.2f} to {d.stop:8.2f} s  {d.score:.3f}  {d.label}" for d in self[:MAX_SHOWN]
        ]
        return "\n".join([*lines, "..."] if len(self) > MAX_SHOWN else lines)

    def top(self, number: int) -> "Detections":
        """The best ones by score."""
        return Detections(sorted(self._detections, key=lambda d: -d.score)[:number])

    def to_dict(self) -> dict[str, Any]:
        """ActivityNet's submission form."""
        results: dict[str, list[dict[str, Any]]] = {}
        for d in self:
            entry = {"label": d.label, "score": float(d.score), "segment": [float(d.start), float(d.stop)]}
            results.setdefault(d.video_id, []).append(entry)
        return {"version": "VERSION 1.3", "results": results, "external_data": {}}

    def to_dataframe(self) -> "pd.DataFrame":
        """One row per detection: video_id, label, score, start, stop."""
        return _dataframe(asdict(d) for d in self)


@dataclass(frozen=True)
class Scores:
    """Scores of detections: `content` is that of map.json. mAP is a fraction between 0 and 1."""

    content: dict[str, Any]

    @property
    def map_by_tiou(self) -> dict[float, float]:
        return {float(tiou): value for tiou, value in self.content["mAP"].items()}

    @property
    def average_map(self) -> float:
        """The mean over the widest range of tIoU."""
        averages: dict[str, float] = self.content["average"]
        return averages[sort_by_width(averages)[-1]]

    @property
    def frame_map(self) -> float | None:
        """mAP of sampled frames; None if no frame protocol was given."""
        return next(iter(self.content.get(FRAME_KIND, {}).values()), None)

    def __repr__(self) -> str:
        return (
            f"average mAP {100 * self.average_map:.1f} % over tIoU {min(self.map_by_tiou)} to {max(self.map_by_tiou)}"
        )

    def to_dataframe(self) -> "pd.DataFrame":
        """One row per tIoU threshold: tiou, mAP."""
        return _dataframe({"tiou": tiou, "mAP": value} for tiou, value in self.map_by_tiou.items())


@dataclass(frozen=True)
class Comparison:
    """First result minus second, for each tIoU threshold and each tIoU average; the widest average comes last."""

    metrics: tuple[ComparedMetric, ...]

    @property
    def is_significant(self) -> bool:
        """Whether the 95 % interval of the average's difference lies on one side of 0."""
        return self.metrics[-1].comparison.is_significant

    def __repr__(self) -> str:
        result = self.metrics[-1].comparison
        difference, low, high = (f"{100 * value:+.1f}" for value in (result.difference, *result.interval))
        return f"average over {self.metrics[-1].name}: {difference} percentage points, 95 % from {low} to {high}"

    def to_dataframe(self) -> "pd.DataFrame":
        """One row per metric: name, first, second, difference, low, high, is_significant."""
        return _dataframe(
            {
                "name": metric.name,
                "first": metric.first,
                "second": metric.second,
                "difference": metric.comparison.difference,
                "low": metric.comparison.interval[0],
                "high": metric.comparison.interval[1],
                "is_significant": metric.comparison.is_significant,
            }
            for metric in self.metrics
        )


def load_features(
    features_dir: Pathlike,
    streams: Sequence[str] = (),
    grid: SnippetGrid | None = None,
    layout: LayoutName | None = None,
) -> Features:
    """Read feature files in any layout of docs/features.md: a folder, or one file.

    `streams` defaults to those that the files name. `grid` is the snippet grid of the arrays (default: 25 fps, 16
    frames per snippet); parquet files have their own. `layout` defaults to the one that fits.
    """
    files = list_feature_files(Path(features_dir), streams, layout)
    if files.layout == "shards":
        shards = {stream: [files.root_dir / path for path in paths] for stream, paths in files.shared_files.items()}
        return Features({stream: read_shards(paths) for stream, paths in shards.items()})
    source = open_precomputed(files, grid or SnippetGrid(), shard_index=0, num_shards=1)
    return Features({stream: dict(_load_stream(source, stream)) for stream in files.streams})


def _load_stream(source: PrecomputedFeatures, stream: str) -> Iterator[tuple[str, VideoFeatures]]:
    """Yield the features of each video that has the stream."""
    for video_id in sorted(source.video_paths):
        try:
            yield video_id, source.load(stream, video_id)
        except Unreadable as failure:
            if failure.kind != "missing":
                raise RefusedInput(f"{video_id}: {failure}") from None


def extract(
    videos: Pathlike | Sequence[Pathlike],
    streams: Sequence[str] | None = None,
    *,
    dataset: str = "thumos14",
    weights_root: Pathlike = Path(),
    device: str = "auto",
    num_workers: int = 2,
) -> Features:
    """Extract features of videos, or of folders of them, with the encoders of a dataset of the config.

    Without `streams` all of the dataset's are extracted.
    Converted weights are kept in `weights_root`/results/weights and fetched first where they are missing.
    """
    # Needs torch and av, which scoring does not.
    from clip_ae.encoders.devices import configure_torch, resolve_device
    from clip_ae.media.decoder_process import create_decoders
    from clip_ae.pipeline import video_features as pipeline
    from clip_ae.pipeline.stream_encoder import build_extractor

    sources = [videos] if isinstance(videos, str | Path) else list(videos)
    choice = pipeline.choose_encoders(load_project_config(Path()), dataset, Path(weights_root))
    names = list(choice.encoders) if streams is None else streams
    for stream in names:
        pipeline.check_known("streams:", stream, list(choice.encoders))
    configure_torch(choice.config.torch_threads)
    settings = {**to_plain_data(choice.config.runtime), "device": device, "num_workers": num_workers}
    decoders = create_decoders(parse_dataclass(Runtime, settings))
    infos, failures = pipeline.probe_video_files(
        pipeline.list_video_files(map(Path, sources)), choice.grid, decoders[0]
    )
    if not infos:
        raise RefusedInput("; ".join(f"{f.video_id}: {f.kind}: {f.message}" for f in failures) or "no videos given")
    by_stream = {}
    for stream in names:
        spec = choice.spec(stream)
        extractor = build_extractor(spec, choice.networks(spec), decoders, resolve_device(device))
        by_stream[stream] = {video.video_id: video for video in extractor.extract(infos)}
        failures += extractor.failures
    pipeline.log_failures(failures)
    return Features(by_stream)


class Localizer:
    """A trained run: `Localizer.load("results/demo").localize(features)`."""

    def __init__(self, run_dir: Path, device: str) -> None:
        run = find_trained_run(run_dir)
        self.spec, self.weights, self.device = run.spec, run.model, device
        self.cluster_names = run.cluster_names

    @staticmethod
    def load(results_dir: Pathlike, device: str = "auto") -> "Localizer":
        """From results/{dataset}, which means its main run, or from results/{dataset}/runs/{run}/seed-{seed}."""
        from clip_ae.encoders.devices import resolve_device

        return Localizer(Path(results_dir), resolve_device(device))

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams that the model reads."""
        return self.spec.roles.names

    def __repr__(self) -> str:
        return f"Localizer: {self.spec.method} on {', '.join(self.streams)}"

    def localize(self, features: "Features | FeaturesByStream") -> Detections:
        """Find actions in every video of the features; labels are clusters, or classes for a supervised run."""
        from clip_ae.encoders.devices import configure_torch
        from clip_ae.pipeline.localization import check_model, localize_videos

        by_stream = features.by_stream if isinstance(features, Features) else features
        for stream in self.streams:
            if not by_stream.get(stream):
                raise UserError(f"features: no videos of the {stream} stream, which {self.spec.method} reads")
        configure_torch(self.spec.torch_threads)
        shared = sorted(set.intersection(*(set(by_stream[stream]) for stream in self.streams)))
        streams = {name: {i: by_stream[name][i] for i in shared} for name in self.streams}
        if not shared:
            raise UserError(f"features: no video has all of the streams {', '.join(self.streams)}")
        check_model(Path("model"), self.weights, self.spec.method, streams)
        return Detections(localize_videos(self.spec, self.weights, streams, self.device).detect())


def localize(features: "Features | FeaturesByStream", results_dir: Pathlike, device: str = "auto") -> Detections:
    """Find actions with a trained run; `Localizer.load(results_dir).localize(features)`."""
    return Localizer.load(results_dir, device).localize(features)


def evaluate(
    ground_truth: "Pathlike | Mapping[str, Any]",
    detections: "Pathlike | Mapping[str, Any] | Sequence[Detection]",
    *,
    subset: str | None = None,
    tiou: Sequence[float] = DEFAULT_TIOU,
    protocol: str = "activitynet",
    frame_protocol: str | None = None,
    bootstrap_samples: int = 1000,
) -> Scores:
    """Score detections whose labels are class names.

    Both are files or dictionaries in ActivityNet's form; detections may also be a list of `Detection`. `subset` is
    needed if the annotations have more than one. Without any detection mAP is 0 at every tIoU. `frame_protocol`
    "charades" scores 25 frames of each video as well; every scored video then needs its duration.
    """
    with _as_file(ground_truth, "ground_truth") as truth_path, _as_file(_submission(detections), "detections") as path:
        annotations = read_annotations(truth_path)
        subset = subset if subset is not None else _only_subset({a.subset for a in annotations.values()})
        if protocol not in PROTOCOLS:
            raise UserError(f"protocol: '{protocol}' is not one of {', '.join(PROTOCOLS)}")
        if frame_protocol not in (None, *FRAME_PROTOCOLS):
            raise UserError(f"frame_protocol: '{frame_protocol}' is not one of {', '.join(FRAME_PROTOCOLS)}")
        values = {
            "tiou": [_to_plain_number(threshold) for threshold in tiou],
            "protocol": protocol,
            "bootstrap_samples": _to_plain_number(bootstrap_samples),
        }
        frames = {} if frame_protocol is None else {"frame_protocol": frame_protocol}
        settings = parse_dataclass(Evaluation, values | frames, "evaluate")
        # weak: the labels are class names already.
        spec = EvaluateSpec(evaluation=settings, supervision="weak", train_subset=subset, test_subset=subset)
        test_ids = read_evaluated_ids(truth_path, subset, None)
        if not any(annotations[video_id].instances for video_id in test_ids):
            raise UserError(f"ground_truth: subset '{subset}' has no annotated action to score against")
        return Scores(evaluate_detections(spec, annotations, test_ids, read_detections(path)))


def _to_plain_number(value: Any) -> Any:
    """Python's number for one of numpy's."""
    return value.item() if hasattr(value, "item") else value


def compare(first: "Scores | Pathlike", second: "Scores | Pathlike") -> Comparison:
    """Whether one result beats another on the same ground truth: a paired bootstrap over its videos."""
    names = _name_of(first, "first"), _name_of(second, "second")
    return Comparison(tuple(compare_results(_content(first), _content(second), names)))


def _name_of(scores: "Scores | Pathlike", argument: str) -> str:
    """The name of a result in errors: its path, or the argument."""
    return argument if isinstance(scores, Scores) else str(scores)


def _content(scores: "Scores | Pathlike") -> dict[str, Any]:
    return scores.content if isinstance(scores, Scores) else read_json_object(Path(scores))


def _submission(detections: "Pathlike | Mapping[str, Any] | Sequence[Detection]") -> "Pathlike | Mapping[str, Any]":
    if isinstance(detections, str | Path | Mapping):
        return detections
    return Detections(detections).to_dict()


@contextmanager
def _as_file(given: "Pathlike | Mapping[str, Any]", name: str) -> Iterator[Path]:
    """A dictionary is read exactly as its JSON file would be; errors then name the argument, not a temporary file."""
    if isinstance(given, str | Path):
        yield Path(given)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.json"
        path.write_text(json.dumps(given), encoding="utf-8")
        try:
            yield path
        except (UserError, RefusedInput) as error:
            raise type(error)(str(error).replace(str(path), name)) from None


def _only_subset(subsets: set[str]) -> str:
    if len(subsets) != 1:
        raise UserError(f"ground_truth: has the subsets {', '.join(sorted(subsets)) or 'none'}; give subset=")
    return subsets.pop()


def _dataframe(rows: Iterator[dict[str, Any]]) -> "pd.DataFrame":
    try:
        import pandas as pd
    except ImportError:
        raise UserError("to_dataframe() needs pandas: pip install pandas") from None
    return pd.DataFrame(list(rows))
