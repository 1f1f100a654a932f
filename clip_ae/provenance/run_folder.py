"""Read a finished run: its model, settings, cluster names, and the lineage of its features."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from clip_ae.core.config.dataclass_config import parse_dataclass
from clip_ae.core.config.specs import LocalizeSpec
from clip_ae.core.errors import RefusedInput, UserError
from clip_ae.core.paths import SUMMARIES
from clip_ae.core.provenance import Provenance
from clip_ae.data.detections import read_json_object, read_json_provenance
from clip_ae.provenance.feature_lineage import FeatureLineage
from clip_ae.provenance.read_provenance import read_provenance
from clip_ae.weights.network_file import WeightsFile, read_weights, read_weights_provenance


@dataclass(frozen=True)
class TrainedRun:
    """One seed of a run: the folder results/{dataset}/runs/{run}/seed-{seed}."""

    run_dir: Path

    @cached_property
    def provenance(self) -> Provenance:
        """The provenance of the run's detections; its inputs name the model and the features."""
        return read_json_provenance(self.run_dir / "detections.json")

    @property
    def spec(self) -> LocalizeSpec:
        return parse_dataclass(LocalizeSpec, self.provenance.spec)

    @property
    def model(self) -> WeightsFile:
        """The model of the last round."""
        return read_weights(self.model_path)

    @property
    def model_path(self) -> Path:
        """The path of the last round's model.

        It is found by its id: an earlier setting with more rounds may have left later folders.
        """
        for path in sorted(self.run_dir.glob("round-*/model.safetensors")):
            if read_weights_provenance(path).id == self.provenance.inputs["model"]:
                return path
        raise UserError(f"{self.run_dir}: the model of its detections is not there any more; train the run again")

    @property
    def cluster_names(self) -> dict[str, str]:
        """The best name of each cluster; empty without a vocabulary."""
        path = self.run_dir / "names.json"
        if not path.is_file():
            return {}
        try:
            return {c: str(best["name"]) for c, (best, *_) in read_json_object(path)["names"].items()}
        except (KeyError, TypeError, ValueError, AttributeError):
            raise RefusedInput(f"{path}: has no names of clusters; make it again") from None

    @property
    def lineage(self) -> FeatureLineage:
        return FeatureLineage(self.run_dir.parents[2], self.provenance.inputs)


def find_trained_run(folder: Path) -> TrainedRun:
    """Return the run in a folder. If it is a seed's folder: that seed.

    If it is a dataset's folder: the first seed of the main run, or else the only finished seed of any run.
    """
    folder = folder.resolve()
    if (folder / "detections.json").is_file():
        return TrainedRun(folder)
    seed_dirs = sorted(path.parent for path in folder.glob("runs/*/seed-*/detections.json"))
    run_dir = _find_main_run_dir(folder) or (seed_dirs[0] if len(seed_dirs) == 1 else None)
    if run_dir is not None:
        return TrainedRun(run_dir)
    if seed_dirs:
        raise UserError(f"{folder}: several finished runs; name one of {', '.join(map(str, seed_dirs))}")
    raise UserError(f"{folder}: no finished run; give results/{{dataset}} or its runs/{{run}}/seed-{{seed}}")


def _find_main_run_dir(dataset_dir: Path) -> Path | None:
    """Return the folder of the main run's first seed, by the dataset's first summary that has it; None without one."""
    for name in (*SUMMARIES, "report.html"):
        summary_path = dataset_dir.parent / f"{dataset_dir.name}_{name}"
        if summary_path.is_file():
            spec = read_provenance(summary_path).spec
            try:
                run_dir = dataset_dir / "runs" / str(spec["main_run"]) / f"seed-{spec['seeds'][0]}"
            except (KeyError, IndexError, TypeError):
                raise RefusedInput(f"{summary_path}: names no main run and seeds; make it again") from None
            if (run_dir / "detections.json").is_file():
                return run_dir
    return None
