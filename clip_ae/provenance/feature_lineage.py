"""How features that were read were made, told by records: the encoder, its networks, and what they were taught."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from clip_ae.core.config.dataclass_config import parse_dataclass
from clip_ae.core.config.specs import ExtractSpec
from clip_ae.core.errors import UserError
from clip_ae.core.provenance import Provenance, digest_ids
from clip_ae.data.parquet import read_parquet_provenance
from clip_ae.weights.network_file import WeightsFile, read_weights, read_weights_provenance


@dataclass(frozen=True)
class FeatureLineage:
    """A dataset's folder of results, and the inputs of whatever read its features."""

    dataset_dir: Path
    inputs: Mapping[str, str]

    def read_encoder(self, stream: str) -> tuple[ExtractSpec, list[WeightsFile]]:
        """How the stream was extracted, and by which networks."""
        record = self._read(stream)
        if record.stage == "adapt_features":
            record = self._found(stream, record.inputs["features"])
        if record.stage != "extract":
            raise UserError(f"{self.dataset_dir}: the {stream} features are ready ones; nobody knows how to make more")
        spec = parse_dataclass(ExtractSpec, record.spec)
        return spec, [self._network(name, record.inputs[name]) for name in spec.encoder.weights_names]

    def read_adapter(self, stream: str) -> WeightsFile | None:
        """What was put beside the stream's features, if anything."""
        record = self._read(stream)
        if record.stage != "adapt_features":
            return None
        paths = self.dataset_dir.glob("adapters/*/model.safetensors")
        return _of(
            paths, record.inputs["adapter"], f"{self.dataset_dir}: the network that adapted its {stream} features"
        )

    @property
    def joint_space_weights(self) -> WeightsFile | None:
        """The network of the joint space that was read, if that was read."""
        if "adapter" not in self.inputs:
            return None
        paths = self.dataset_dir.glob("adapters/*/model.safetensors")
        return _of(paths, self.inputs["adapter"], f"{self.dataset_dir}: the network of the joint space")

    def _read(self, stream: str) -> Provenance:
        """Of one of the shards that were read, by a tuned encoder where there was one; other cuts may lie beside."""
        read_from = self.inputs.get(f"tuned_features/{stream}", self.inputs[f"features/{stream}"])
        for place in self._places(stream):
            cuts: dict[str, list[Provenance]] = {}
            for path in sorted(place.glob("*-of-*.parquet")):
                cuts.setdefault(path.stem.partition("-of-")[2], []).append(read_parquet_provenance(path))
            for records in cuts.values():
                if digest_ids(record.id for record in records) == read_from:
                    return records[0]
        raise UserError(f"{self.dataset_dir}: not the {stream} shards that were read; run it again")

    def _found(self, stream: str, made_by: str) -> Provenance:
        records = (
            read_parquet_provenance(p) for place in self._places(stream) for p in sorted(place.glob("*.parquet"))
        )
        record = next((r for r in records if r.id == made_by), None)
        if record is None:
            raise UserError(f"{self.dataset_dir}: not the {stream} shards that were adapted; run it again")
        return record

    def _places(self, stream: str) -> Iterator[Path]:
        yield self.dataset_dir / "features" / stream
        for kind in ("features", "encoded"):
            yield from sorted(self.dataset_dir.glob(f"adapters/*/{kind}/{stream}"))

    def _network(self, name: str, made_by: str) -> WeightsFile:
        """The very network that the features are of; a tuned one lies with the recipe."""
        path = self.dataset_dir.parent / "weights" / f"{name}.safetensors"
        tuned = sorted(self.dataset_dir.glob("adapters/*/weights/*.safetensors"))
        return _of([path, *tuned], made_by, f"{path}: the network that the features were extracted with")


def _of(paths: Iterator[Path] | list[Path], made_by: str, what: str) -> WeightsFile:
    for path in paths:
        if path.is_file() and read_weights_provenance(path).id == made_by:
            return read_weights(path)
    raise UserError(f"{what} is not there any more, or was made otherwise since; run it again")
