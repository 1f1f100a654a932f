"""The networks behind features of new videos, as inputs of a provenance."""

from collections.abc import Iterable

from clip_ae.provenance.feature_lineage import FeatureLineage


def list_network_inputs(lineage: FeatureLineage, streams: Iterable[str]) -> dict[str, str]:
    """Provenance ids of the networks that `extract_like` uses: weights/{name}, and adapter/{stream} if adapted."""
    inputs: dict[str, str] = {}
    for stream in streams:
        spec, networks = lineage.read_encoder(stream)
        for name, network in zip(spec.encoder.weights_names, networks, strict=True):
            inputs[f"weights/{name}"] = network.provenance.id
        adapter = lineage.read_adapter(stream)
        if adapter:
            inputs[f"adapter/{stream}"] = adapter.provenance.id
    return inputs
