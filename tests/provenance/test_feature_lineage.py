"""Feature lineage: the encoder, networks and feature adapter of features that were read."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.specs import ExtractSpec
from clip_ae.core.config.streams import I3dEncoder
from clip_ae.core.errors import UserError
from clip_ae.core.provenance import Provenance
from clip_ae.core.types import VideoFeatures
from clip_ae.data.shards import read_stream_input_id, write_shard
from clip_ae.provenance.feature_lineage import FeatureLineage
from clip_ae.weights.network_file import read_weights_provenance, save_weights

SPEC = ExtractSpec("rgb", I3dEncoder(weights="eyes"))
ADAPTER_DIR = "adapters/words"


def write(folder: Path, provenance: Provenance) -> None:
    one = VideoFeatures("v", np.zeros(1), np.ones(1), np.ones(1, np.float32), np.ones((1, 2), np.float16))
    write_shard(folder / "rgb/0000-of-0001.parquet", "rgb", 2, [one], provenance)


def write_network(path: Path, stage: str) -> str:
    save_weights(path, {"x": np.zeros(1)}, Provenance(stage, {}, "c0de"), {"name": path.stem})
    return read_weights_provenance(path).id


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A dataset with extracted features and with features of an adapter."""
    network_id = write_network(tmp_path / "results/weights/eyes.safetensors", "weights")
    folder = tmp_path / "results/d"
    extracted = Provenance("extract", to_plain_data(SPEC), "c0de", {"eyes": network_id, "source_files": "f"})
    write(folder / "features", extracted)
    model = write_network(folder / ADAPTER_DIR / "model.safetensors", "train_adapter")
    write(
        folder / ADAPTER_DIR / "features",
        Provenance("adapt_features", {}, "c0de", {"features": extracted.id, "adapter": model}),
    )
    return folder


def lineage_of(dataset: Path, features: str = "features") -> FeatureLineage:
    inputs = {"features/rgb": read_stream_input_id(dataset / features, "rgb", 1)}
    if features != "features":
        inputs["adapter"] = read_weights_provenance(dataset / ADAPTER_DIR / "model.safetensors").id
    return FeatureLineage(dataset, inputs)


def test_extracted_features_have_an_encoder_and_its_network(dataset: Path) -> None:
    lineage = lineage_of(dataset)
    spec, networks = lineage.read_encoder("rgb")
    assert spec == SPEC
    assert [n.metadata["name"] for n in networks] == ["eyes"]
    assert lineage.read_adapter("rgb") is None
    assert lineage.joint_space_weights is None


def test_adapted_features_have_an_adapter_and_the_encoder_of_their_input(dataset: Path) -> None:
    lineage = lineage_of(dataset, f"{ADAPTER_DIR}/features")
    spec, networks = lineage.read_encoder("rgb")
    assert spec == SPEC
    assert [n.metadata["name"] for n in networks] == ["eyes"]
    adapter, joint = lineage.read_adapter("rgb"), lineage.joint_space_weights
    assert adapter is not None
    assert joint is not None
    assert adapter.provenance.id == joint.provenance.id == lineage.inputs["adapter"]


def test_features_of_a_tuned_encoder_have_the_tuned_network(dataset: Path) -> None:
    tuned = write_network(dataset / ADAPTER_DIR / "weights/eyes.safetensors", "tuned")
    write(dataset / ADAPTER_DIR / "encoded", Provenance("extract", to_plain_data(SPEC), "c0de", {"eyes": tuned}))
    _, networks = lineage_of(dataset, f"{ADAPTER_DIR}/encoded").read_encoder("rgb")
    assert networks[0].provenance.stage == "tuned"


def test_tuned_features_among_the_inputs_are_preferred(dataset: Path) -> None:
    tuned = write_network(dataset / ADAPTER_DIR / "weights/eyes.safetensors", "tuned")
    write(dataset / ADAPTER_DIR / "encoded", Provenance("extract", to_plain_data(SPEC), "c0de", {"eyes": tuned}))
    inputs = {f"{kind}/rgb": read_stream_input_id(folder, "rgb", 1) for kind, folder in (
        ("features", dataset / "features"), ("tuned_features", dataset / ADAPTER_DIR / "encoded")
    )}  # fmt: skip
    _, networks = FeatureLineage(dataset, inputs).read_encoder("rgb")
    assert networks[0].provenance.stage == "tuned"


def assert_refused(lineage: FeatureLineage, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        lineage.read_encoder("rgb")
    assert "\n" not in str(caught.value)


def test_changed_network_is_refused(dataset: Path) -> None:
    lineage = lineage_of(dataset)
    write_network(dataset.parent / "weights/eyes.safetensors", "another")
    assert_refused(
        lineage, r"eyes\.safetensors: the network that the features were extracted with is not there any more"
    )


def test_retrained_adapter_is_refused(dataset: Path) -> None:
    lineage = lineage_of(dataset, f"{ADAPTER_DIR}/features")
    write_network(dataset / ADAPTER_DIR / "model.safetensors", "another")
    with pytest.raises(UserError, match="the network of the joint space is not there any more"):
        _ = lineage.joint_space_weights
    with pytest.raises(UserError, match="the network that adapted its rgb features is not there any more"):
        lineage.read_adapter("rgb")


def test_changed_shards_are_refused(dataset: Path) -> None:
    of_extracted, of_adapted = lineage_of(dataset), lineage_of(dataset, f"{ADAPTER_DIR}/features")
    write(dataset / "features", Provenance("extract", to_plain_data(SPEC), "edited", {"eyes": "x"}))
    assert_refused(of_extracted, "the rgb shards that were read are missing or changed; run it again")
    assert_refused(of_adapted, "the rgb shards that were adapted are missing or changed; run it again")


def test_precomputed_features_have_no_encoder(dataset: Path) -> None:
    write(dataset / "features", Provenance("import_features", {}, "c0de"))
    assert_refused(lineage_of(dataset), "the rgb features are precomputed")


def test_shards_of_another_number_of_shards_are_ignored(dataset: Path) -> None:
    lineage = lineage_of(dataset)
    shutil.copy(
        dataset / ADAPTER_DIR / "features/rgb/0000-of-0001.parquet", dataset / "features/rgb/0000-of-0003.parquet"
    )
    assert lineage.read_encoder("rgb")[0] == SPEC
