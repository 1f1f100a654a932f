"""Find the encoder, the networks and the feature adapter of a dataset's features, from provenance."""

from collections.abc import Iterable, Iterator, Mapping
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
    """A dataset's folder of results, and the input ids in the provenance of a job that read its features."""

    dataset_dir: Path
    inputs: Mapping[str, str]

    def read_encoder(self, stream: str) -> tuple[ExtractSpec, list[WeightsFile]]:
        """Return the spec with which the stream was extracted, and the weights of its networks."""
        provenance = self._stream_provenance(stream)
        if provenance.stage == "adapt_features":
            provenance = self._extracted_provenance(stream, provenance.inputs["features"])
        if provenance.stage != "extract":
            raise UserError(
                f"{self.dataset_dir}: the {stream} features are precomputed; "
                "this needs features that were extracted from videos"
            )
        spec = parse_dataclass(ExtractSpec, provenance.spec)
        return spec, [self._read_network(name, provenance.inputs[name]) for name in spec.encoder.weights_names]

    def read_adapter(self, stream: str) -> WeightsFile | None:
        """Return the feature adapter behind the stream's features; None if they are not adapted."""
        provenance = self._stream_provenance(stream)
        if provenance.stage != "adapt_features":
            return None
        description = f"{self.dataset_dir}: the network that adapted its {stream} features"
        return _read_weights_by_id(self._adapter_paths(), provenance.inputs["adapter"], description)

    @property
    def joint_space_weights(self) -> WeightsFile | None:
        """The network of the joint space that the job read; None if it read none."""
        if "adapter" not in self.inputs:
            return None
        description = f"{self.dataset_dir}: the network of the joint space"
        return _read_weights_by_id(self._adapter_paths(), self.inputs["adapter"], description)

    def _stream_provenance(self, stream: str) -> Provenance:
        """Return the provenance of one of the shards that the job read, those of a tuned encoder if there is one.

        A folder may contain the shards of several numbers of shards: only a complete set has the input's id.
        """
        input_id = self.inputs.get(f"tuned_features/{stream}", self.inputs[f"features/{stream}"])
        for shard_dir in self._shard_dirs(stream):
            shard_sets: dict[str, list[Provenance]] = {}
            for path in sorted(shard_dir.glob("*-of-*.parquet")):
                shard_sets.setdefault(path.stem.partition("-of-")[2], []).append(read_parquet_provenance(path))
            for shard_set in shard_sets.values():
                if digest_ids(provenance.id for provenance in shard_set) == input_id:
                    return shard_set[0]
        raise UserError(f"{self.dataset_dir}: the {stream} shards that were read are missing or changed; run it again")

    def _extracted_provenance(self, stream: str, provenance_id: str) -> Provenance:
        for shard_dir in self._shard_dirs(stream):
            for path in sorted(shard_dir.glob("*.parquet")):
                provenance = read_parquet_provenance(path)
                if provenance.id == provenance_id:
                    return provenance
        raise UserError(
            f"{self.dataset_dir}: the {stream} shards that were adapted are missing or changed; run it again"
        )

    def _shard_dirs(self, stream: str) -> Iterator[Path]:
        """Yield the folders that may contain shards of a stream: extracted, adapted, of a tuned encoder."""
        yield self.dataset_dir / "features" / stream
        for kind in ("features", "encoded"):
            yield from sorted(self.dataset_dir.glob(f"adapters/*/{kind}/{stream}"))

    def _adapter_paths(self) -> Iterator[Path]:
        return self.dataset_dir.glob("adapters/*/model.safetensors")

    def _read_network(self, name: str, provenance_id: str) -> WeightsFile:
        """Read the network that extracted the features. A tuned network is in the folder of its adapter."""
        path = self.dataset_dir.parent / "weights" / f"{name}.safetensors"
        tuned_paths = sorted(self.dataset_dir.glob("adapters/*/weights/*.safetensors"))
        description = f"{path}: the network that the features were extracted with"
        return _read_weights_by_id([path, *tuned_paths], provenance_id, description)


def _read_weights_by_id(paths: Iterable[Path], provenance_id: str, description: str) -> WeightsFile:
    for path in paths:
        if path.is_file() and read_weights_provenance(path).id == provenance_id:
            return read_weights(path)
    raise UserError(f"{description} is not there any more, or was made again with other settings; run it again")
