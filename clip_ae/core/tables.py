"""What can be named in the config, and the module behind each name.

Modules are imported only when a job's spec names them, so that an edit to one of them
re-runs just the jobs that use it.
"""

import importlib
from dataclasses import dataclass
from types import ModuleType


@dataclass(frozen=True)
class Head:
    """A localizer: its module, the streams it reads, the losses it weighs."""

    module: str
    streams: tuple[str, ...]
    losses: tuple[str, ...]


STREAMS = {
    "rgb": "clip_ae.encoders.streams.rgb",
    "flow": "clip_ae.encoders.streams.flow",
    "clip": "clip_ae.encoders.streams.clip",
    "audio": "clip_ae.encoders.streams.audio",
}
NETWORKS = {
    "i3d": "clip_ae.encoders.networks.i3d",
    "clip": "clip_ae.encoders.networks.clip",
    "vggish": "clip_ae.encoders.networks.vggish",
    "vggish_pca": "clip_ae.encoders.networks.vggish_pca",
    "raft": "clip_ae.encoders.networks.raft",
}
PRETRAINERS = {
    "i3d": "clip_ae.encoders.pretraining.classify",
    "vggish": "clip_ae.encoders.pretraining.classify",
    "clip": "clip_ae.encoders.pretraining.contrast",
}
FLOWS = {
    "dis": "clip_ae.encoders.flows.dis",
    "raft": "clip_ae.encoders.flows.raft",
    "tvl1": "clip_ae.encoders.flows.tvl1",
    "tvl1_torch": "clip_ae.encoders.flows.tvl1_torch",
}
CLUSTERINGS = {
    "spectral": "clip_ae.clustering.spectral",
    "kmeans": "clip_ae.clustering.kmeans",
}
DESCRIPTORS = {
    "mean": "clip_ae.clustering.mean_pool",
    "attention": "clip_ae.localizers.attention_pool",
}
HEADS = {
    "stpn": Head("clip_ae.localizers.stpn", ("rgb", "flow"), ("classification", "sparsity")),
}


def load(module: str) -> ModuleType:
    return importlib.import_module(module)
