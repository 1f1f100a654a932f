"""Write the snippet index of a dataset, for search by text: CLIP image features, or the joint space of an adapter."""

from pathlib import Path
from typing import Annotated

from clip_ae.core.config.specs import IndexSpec
from clip_ae.core.errors import UserError
from clip_ae.core.provenance import make_provenance
from clip_ae.data.shards import read_stream, read_stream_input_id
from clip_ae.data.snippet_index import build_index, write_index
from clip_ae.pipeline.search_index import average_streams, read_adapter_outputs
from clip_ae.weights.network_file import read_weights_metadata, read_weights_provenance


def run(
    spec: IndexSpec,
    *,
    features: Annotated[Path, "folder of feature shards; texts must be embedded with the CLIP of its vlp stream"],
    shards: Annotated[int, "number of shards"],
    out: Annotated[Path, "snippet index to write (Arrow)"],
    adapted_features: Annotated[Path | None, "folder of adapted feature shards, for a joint space"] = None,
    adapter: Annotated[Path | None, "model.safetensors of the feature adapter"] = None,
) -> None:
    inputs = {f"features/{spec.vlp_stream}": read_stream_input_id(features, spec.vlp_stream, shards)}
    if adapted_features and adapter:
        width = read_weights_metadata(adapter)["joint"]["width"]
        videos = average_streams(
            {name: read_adapter_outputs(adapted_features, name, shards, width) for name in spec.cbp_streams}
        )
        inputs |= {
            f"features/{name}": read_stream_input_id(adapted_features, name, shards) for name in spec.cbp_streams
        }
        inputs["adapter"] = read_weights_provenance(adapter).id
    elif not spec.cbp_streams:
        videos = iter(read_stream(features, spec.vlp_stream, shards).values())
    else:
        raise UserError("--adapted-features, --adapter: missing; the index of a joint space needs both")
    write_index(out, build_index(videos, make_provenance("index", spec, inputs, ("numpy", "pyarrow"))))
