"""How features that were read were made: by which encoder and networks, and what was put beside them."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from clip_ae.core.config.dataclass_config import parse_dataclass, to_plain_data
from clip_ae.core.config.schema import Encoders
from clip_ae.core.config.specs import ExtractSpec
from clip_ae.core.errors import UserError
from clip_ae.core.provenance import Provenance
from clip_ae.core.types import VideoFeatures
from clip_ae.data.shards import read_stream_input_id, write_shard
from clip_ae.provenance.feature_lineage import FeatureLineage
from clip_ae.weights.network_file import read_weights_provenance, save_weights

SPEC = ExtractSpec(parse_dataclass(Encoders, {"rgb": {"weights": "eyes"}}, "encoders"))
TAUGHT = "adapters/words"


def write(folder: Path, record: Provenance) -> None:
    one = VideoFeatures("v", np.zeros(1), np.ones(1), np.ones(1, np.float32), np.ones((1, 2), np.float16))
    write_shard(folder / "rgb/0000-of-0001.parquet", "rgb", 2, [one], record)


def network(path: Path, stage: str) -> str:
    save_weights(path, {"x": np.zeros(1)}, Provenance(stage, {}, "c0de"), {"name": path.stem})
    return read_weights_provenance(path).id


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Features that were extracted, and what a network that was taught put beside them."""
    made_by = network(tmp_path / "results/weights/eyes.safetensors", "weights")
    folder = tmp_path / "results/d"
    extracted = Provenance("extract", to_plain_data(SPEC), "c0de", {"eyes": made_by, "source_files": "f"})
    write(folder / "features", extracted)
    model = network(folder / TAUGHT / "model.safetensors", "train_adapter")
    write(
        folder / TAUGHT / "features",
        Provenance("adapt_features", {}, "c0de", {"features": extracted.id, "adapter": model}),
    )
    return folder


def origin(dataset: Path, features: str = "features") -> FeatureLineage:
    inputs = {"features/rgb": read_stream_input_id(dataset / features, "rgb", 1)}
    if features != "features":
        inputs["adapter"] = read_weights_provenance(dataset / TAUGHT / "model.safetensors").id
    return FeatureLineage(dataset, inputs)


def test_extracted_features_tell_their_encoder_and_its_network(dataset: Path) -> None:
    found = origin(dataset)
    spec, networks = found.read_encoder("rgb")
    assert spec == SPEC
    assert [n.metadata["name"] for n in networks] == ["eyes"]
    assert found.read_adapter("rgb") is None
    assert found.joint_space_weights is None


def test_taught_features_tell_what_was_put_beside_and_what_is_behind(dataset: Path) -> None:
    found = origin(dataset, f"{TAUGHT}/features")
    spec, networks = found.read_encoder("rgb")
    assert spec == SPEC
    assert [n.metadata["name"] for n in networks] == ["eyes"]
    adapter, joint = found.read_adapter("rgb"), found.joint_space_weights
    assert adapter is not None
    assert joint is not None
    assert adapter.provenance.id == joint.provenance.id == found.inputs["adapter"]


def test_features_of_an_encoder_that_learnt_tell_the_tuned_network(dataset: Path) -> None:
    tuned = network(dataset / TAUGHT / "weights/eyes.safetensors", "tuned")
    write(dataset / TAUGHT / "encoded", Provenance("extract", to_plain_data(SPEC), "c0de", {"eyes": tuned}))
    _, networks = origin(dataset, f"{TAUGHT}/encoded").read_encoder("rgb")
    assert networks[0].provenance.stage == "tuned"


def test_what_a_recipe_learnt_from_was_read_by_its_tuned_network(dataset: Path) -> None:
    tuned = network(dataset / TAUGHT / "weights/eyes.safetensors", "tuned")
    write(dataset / TAUGHT / "encoded", Provenance("extract", to_plain_data(SPEC), "c0de", {"eyes": tuned}))
    inputs = {f"{kind}/rgb": read_stream_input_id(place, "rgb", 1) for kind, place in (
        ("features", dataset / "features"), ("tuned_features", dataset / TAUGHT / "encoded")
    )}  # fmt: skip
    _, networks = FeatureLineage(dataset, inputs).read_encoder("rgb")
    assert networks[0].provenance.stage == "tuned"


def refused(found: FeatureLineage, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        found.read_encoder("rgb")
    assert "\n" not in str(caught.value)


def test_a_network_that_is_another_since_is_refused(dataset: Path) -> None:
    found = origin(dataset)
    network(dataset.parent / "weights/eyes.safetensors", "another")
    refused(found, r"eyes\.safetensors: the network that the features were extracted with is not there any more")


def test_a_joint_space_that_was_taught_anew_is_refused(dataset: Path) -> None:
    found = origin(dataset, f"{TAUGHT}/features")
    network(dataset / TAUGHT / "model.safetensors", "another")
    with pytest.raises(UserError, match="the network of the joint space is not there any more"):
        _ = found.joint_space_weights
    with pytest.raises(UserError, match="the network that adapted its rgb features is not there any more"):
        found.read_adapter("rgb")


def test_shards_that_are_others_since_are_refused(dataset: Path) -> None:
    plainly, taught = origin(dataset), origin(dataset, f"{TAUGHT}/features")
    write(dataset / "features", Provenance("extract", to_plain_data(SPEC), "edited", {"eyes": "x"}))
    refused(plainly, "the rgb shards that were read are missing or changed; run it again")
    refused(taught, "the rgb shards that were adapted are missing or changed; run it again")


def test_of_ready_features_nobody_knows_how_to_make_more(dataset: Path) -> None:
    write(dataset / "features", Provenance("import_features", {}, "c0de"))
    refused(origin(dataset), "the rgb features are precomputed")


def test_shards_of_another_number_beside_are_not_taken(dataset: Path) -> None:
    found = origin(dataset)
    shutil.copy(dataset / TAUGHT / "features/rgb/0000-of-0001.parquet", dataset / "features/rgb/0000-of-0003.parquet")
    assert found.read_encoder("rgb")[0] == SPEC
