"""Where a finished run keeps what it takes to apply it to other videos: model, settings, names, origin of features."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from clip_ae.core.config.dataclass_config import parse_dataclass
from clip_ae.core.config.specs import LocalizeSpec
from clip_ae.core.errors import UserError
from clip_ae.core.provenance import Provenance
from clip_ae.data.detections import read_json_object, read_json_provenance
from clip_ae.provenance.feature_lineage import FeatureLineage
from clip_ae.weights.network_file import WeightsFile, read_weights, read_weights_provenance


@dataclass(frozen=True)
class TrainedRun:
    """results/{dataset}/runs/{run}/seed-{seed}."""

    run_dir: Path

    @cached_property
    def provenance(self) -> Provenance:
        """What made the run's detections: they name the model and the features that they are of."""
        return read_json_provenance(self.run_dir / "detections.json")

    @property
    def spec(self) -> LocalizeSpec:
        return parse_dataclass(LocalizeSpec, self.provenance.spec)

    @property
    def model(self) -> WeightsFile:
        """Of the last round; earlier settings may have left rounds after it."""
        for path in sorted(self.run_dir.glob("round-*/model.safetensors")):
            if read_weights_provenance(path).id == self.provenance.inputs["model"]:
                return read_weights(path)
        raise UserError(f"{self.run_dir}: the model of its detections is not there any more; train the run again")

    @property
    def cluster_names(self) -> dict[str, Sequence[dict[str, Any]]]:
        """What its clusters may be called, where a vocabulary was given."""
        path = self.run_dir / "names.json"
        return dict(read_json_object(path)["names"]) if path.is_file() else {}

    @property
    def lineage(self) -> FeatureLineage:
        """How its features were made."""
        return FeatureLineage(self.run_dir.parents[2], self.provenance.inputs)


def find_trained_run(results_dir: Path) -> TrainedRun:
    """The run in a folder: of a seed, or of a dataset, whose headline run or only run it is."""
    results_dir = results_dir.resolve()
    if (results_dir / "detections.json").is_file():
        return TrainedRun(results_dir)
    seeds = sorted(path.parent for path in results_dir.glob("runs/*/seed-*/detections.json"))
    chosen = _headline(results_dir) or (seeds[0] if len(seeds) == 1 else None)
    if chosen is None:
        found = f"; name one of {', '.join(map(str, seeds))}" if seeds else ""
        raise UserError(
            f"{results_dir}: no finished run{found or ', as results/{dataset} or its runs/{run}/seed-{seed} is'}"
        )
    return TrainedRun(chosen)


def _headline(place: Path) -> Path | None:
    """What results/{dataset}_detections.json is of."""
    summary = place.parent / f"{place.name}_detections.json"
    if not summary.is_file():
        return None
    spec = read_json_provenance(summary).spec
    folder = place / "runs" / str(spec["main_run"]) / f"seed-{spec['seeds'][0]}"
    return folder if (folder / "detections.json").is_file() else None
