"""Files of each dataset on disk: listed once, when they are first needed, and checked before any job starts."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

from clip_ae.core import paths
from clip_ae.core.config.schema import Dataset
from clip_ae.core.config.simulation import list_simulated_subsets
from clip_ae.core.errors import UserError, suggest_name
from clip_ae.core.sharding import assign_shard, list_demo_subsets, parse_shard_name
from clip_ae.data import source_folder
from clip_ae.data.annotations import read_annotation_facts, read_subsets
from clip_ae.data.layouts.detect import list_feature_files
from clip_ae.data.layouts.files import FeatureFiles


class DatasetFiles:
    """Source files, annotations and subsets of one dataset."""

    def __init__(self, name: str, data: Dataset, root: Path = Path()) -> None:
        self.name, self.data, self.root = name, data, root
        self.is_checked = False

    @property
    def source_dir(self) -> Path:
        """The folder of videos or feature files; a generated dataset has its own below results/."""
        generated = paths.WORLD_FEATURES_DIR if self.data.simulate else paths.WORLD_VIDEOS_DIR
        return Path(self.data.videos_dir or self.data.features_dir or self.root / generated.format(dataset=self.name))

    @property
    def has_precomputed_features(self) -> bool:
        """Whether features are imported, not extracted."""
        return bool(self.data.features_dir or self.data.simulate)

    @property
    def annotations_path(self) -> str:
        return self.data.annotations or str(self.root / paths.WORLD_ANNOTATIONS.format(dataset=self.name))

    @property
    def ground_truth_path(self) -> str:
        """The annotations for scoring: `annotations`, or `partial_annotations` if only these are given."""
        return self.data.partial_annotations or self.annotations_path

    @property
    def sentences_path(self) -> str | None:
        """The sentences of the config, or those of a demo dataset."""
        demo_path = str(self.root / paths.WORLD_SENTENCES.format(dataset=self.name)) if self.data.demo else None
        return self.data.sentences or demo_path

    @cached_property
    def videos(self) -> dict[str, str]:
        """Path by video id; an error names the folder and its config key."""
        return source_folder.list_videos(self.source_dir, hint=self._hint("videos_dir"))

    @cached_property
    def feature_files(self) -> FeatureFiles:
        """Precomputed feature files by stream."""
        hint = self._hint("features_dir")
        return list_feature_files(self.source_dir, self.data.stream_names, self.data.layout, hint)

    @cached_property
    def videos_by_shard(self) -> list[list[str]]:
        """The paths of the videos in every shard. Ids are hashed once for all shards."""
        shards: list[list[str]] = [[] for _ in range(self.data.shards)]
        for video_id, path in self.videos.items():
            shards[assign_shard(video_id, self.data.shards)].append(path)
        return shards

    def files_of_shard(self, shard: str) -> Iterable[str]:
        """The source files that one shard reads: its own videos or arrays, and all files of many videos."""
        index, num_shards = parse_shard_name(shard)
        if self.has_precomputed_features:
            return self.feature_files.files_of_shard(index, num_shards)
        if num_shards == self.data.shards:
            return self.videos_by_shard[index]
        return source_folder.select_shard(self.videos, index, num_shards).values()

    def source_files_digest(self, shard: str, with_mtime: bool) -> str:
        """Digest of the paths and sizes of one shard's source files.

        Rules add the modification times; provenance does not, as a copied folder is the same input.
        """
        # The source of features may be one file.
        root_dir = self.feature_files.root_dir if self.has_precomputed_features else self.source_dir
        return source_folder.files_digest(root_dir, self.files_of_shard(shard), with_mtime)

    @cached_property
    def subsets(self) -> Mapping[str, str]:
        """Subset by video id; empty if the dataset has no annotations."""
        if self.data.demo:
            return list_demo_subsets(self.data.demo.train_videos, self.data.demo.test_videos)
        if self.data.simulate:
            return list_simulated_subsets(self.data.simulate)
        try:
            return read_subsets(Path(self.data.annotations)) if self.data.annotations else {}
        except UserError as error:
            raise UserError(f"{error}{self._hint('annotations')}") from None

    def ids_of(self, subset: str) -> list[str]:
        """The ids of a subset; all ids if the dataset has no annotations."""
        video_ids = self.subsets.keys() if self.data.world else self._ids_on_disk()
        return [i for i in video_ids if not self.data.is_annotated or self.subsets.get(i) == subset]

    def _ids_on_disk(self) -> Iterable[str]:
        """Ids of the source files; the annotated ids for files of many videos, as those would need reading."""
        if self.data.features_dir:
            return self.feature_files.video_ids() or self.subsets.keys()
        return self.videos.keys()

    def check(self) -> None:
        """Refuse a missing folder or a misspelt subset before extraction, which may take hours."""
        if self.is_checked:
            return
        if not self.data.world:
            self._ids_on_disk()
        if self.data.is_scored:
            self._check_subsets()
        if self.data.annotations and self.data.evaluation.frame_protocol:
            self._check_durations(Path(self.data.annotations))
        self.is_checked = True

    def _check_subsets(self) -> None:
        partial = self.data.partial_annotations
        subset_names = set((read_subsets(Path(partial)) if partial else self.subsets).values())
        for key, subset in (("train_subset", self.data.train_subset), ("test_subset", self.data.test_subset)):
            if subset not in subset_names:
                raise UserError(
                    f"datasets.{self.name}.{key}: '{subset}' is not a subset of the annotations"
                    f"{suggest_name(subset, subset_names)}"
                )

    def _check_durations(self, annotations: Path) -> None:
        """Frames cannot be sampled from a video of unknown duration; scoring, the last step, would refuse it."""
        for video_id, (subset, duration) in read_annotation_facts(annotations).items():
            if subset == self.data.test_subset and not (duration or 0) > 0:
                raise UserError(
                    f"{annotations}: video '{video_id}' has no duration above 0, which datasets.{self.name}.evaluation."
                    'frame_protocol needs; add "duration" in seconds, or remove this key'
                )

    def _hint(self, key: str) -> str:
        page = "docs/features.md" if key == "features_dir" else "docs/datasets.md"
        return f" (datasets.{self.name}.{key} in config.yaml; {page} explains it)"
