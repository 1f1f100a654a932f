"""Names that the config may use, and the module of each.

Modules are imported only when a job's spec names them, so that an edit to one of them
re-runs just the jobs that use it.
"""

import importlib
from dataclasses import dataclass
from types import ModuleType


@dataclass(frozen=True)
class Method:
    """A method: its title in tables, its head, its learner, and its losses besides the head's."""

    title: str
    head: str
    learner_module: str = "clip_ae.localizers.learner"
    extra_losses: tuple[str, ...] = ()
    # What it was reconstructed from, if neither its full text nor its code was available: tables say so.
    reconstruction_note: str = ""


# Encoders whose one module has the network, too: a row here is all that they need (docs/encoders.md).
SINGLE_FILE_ENCODERS: dict[str, str] = {}
ENCODERS = {
    "i3d": "clip_ae.encoders.streams.i3d",
    "i3d_flow": "clip_ae.encoders.streams.i3d_flow",
    "clip": "clip_ae.encoders.streams.clip",
    "vggish": "clip_ae.encoders.streams.vggish",
    "timm": "clip_ae.encoders.streams.timm_image",
    "torchvision": "clip_ae.encoders.streams.torchvision_video",
    **SINGLE_FILE_ENCODERS,
}
NETWORKS = {
    "i3d": "clip_ae.encoders.networks.i3d",
    "clip": "clip_ae.encoders.networks.clip",
    "vggish": "clip_ae.encoders.networks.vggish",
    "vggish_pca": "clip_ae.encoders.networks.vggish_pca",
    "raft": "clip_ae.encoders.networks.raft",
    "timm": "clip_ae.encoders.networks.timm_image",
    "torchvision": "clip_ae.encoders.networks.torchvision_video",
    **SINGLE_FILE_ENCODERS,
}
PRETRAINERS = {
    "i3d": "clip_ae.encoders.pretraining.classification",
    "vggish": "clip_ae.encoders.pretraining.classification",
    "clip": "clip_ae.encoders.pretraining.clip_pretraining",
}
FLOW_ALGORITHMS = {
    "dis": "clip_ae.encoders.flows.dis",
    "raft": "clip_ae.encoders.flows.raft",
    "tvl1": "clip_ae.encoders.flows.tvl1",
    "tvl1_torch": "clip_ae.encoders.flows.tvl1_torch",
}
CLUSTERINGS = {
    "spectral": "clip_ae.clustering.spectral",
    "kmeans": "clip_ae.clustering.kmeans",
}
CLUSTER_REFINEMENTS = {"k_reciprocal": "clip_ae.clustering.k_reciprocal"}
DESCRIPTORS = {
    "mean": "clip_ae.clustering.mean_pool",
    "attention": "clip_ae.localizers.attention_pool",
    "fused": "clip_ae.localizers.attention_pool",
}
HEAD_LOSSES = {
    "stpn": ("classification", "sparsity"),
    "wsal_bm": ("foreground", "background", "guide", "clustering"),
    "tscn": ("foreground", "norm"),
    "tcam": ("foreground", "separation", "triplet"),
    "ugct": ("foreground", "background", "norm", "guide"),
    "apsl_reconstructed": ("foreground", "norm", "contrast"),
    "topk_mil": ("foreground",),
    "bas_net": ("base", "suppressed", "sparsity"),
    "cola": ("classification", "snippet_contrast"),
    "oracle": ("extent",),
    "ridge": (),
}
# Heads that UGCT can use: two streams, attention and class activations for each.
BASE_HEADS = ("ugct", "stpn", "wsal_bm", "tscn")
PSEUDO_LABEL_LOSSES = ("attention_pseudo", "class_pseudo")
METHODS = {
    "stpn": Method("STPN", "stpn"),
    "wsal_bm": Method("WSAL-BM", "wsal_bm", reconstruction_note="from another method's code that has its losses"),
    "tscn": Method(
        "TSCN",
        "tscn",
        "clip_ae.localizers.pseudo_ground_truth",
        ("pseudo_truth",),
        reconstruction_note="from descriptions and from code that has its attention loss",
    ),
    "tcam": Method("TCAM", "tcam", reconstruction_note="its network from its code, which lacks two of its losses"),
    "ugct": Method(
        "UGCT", "ugct", "clip_ae.localizers.ugct", PSEUDO_LABEL_LOSSES, reconstruction_note="from descriptions"
    ),
    "clip_ae": Method(
        "CLIP-AE",
        "ugct",
        "clip_ae.localizers.clip_ae",
        (*PSEUDO_LABEL_LOSSES, "decor", "ins_dis"),
        reconstruction_note="equations from its paper, all else open; its baseline is the reconstructed UGCT",
    ),
    "apsl_reconstructed": Method(
        "after APSL", "apsl_reconstructed", reconstruction_note="from the idea of a paper alone"
    ),
    "topk_mil": Method("top-k MIL (linear)", "topk_mil"),
    "bas_net": Method("BaS-Net", "bas_net"),
    "cola": Method("CoLA", "cola"),
    "ridge": Method("ridge (linear)", "ridge", "clip_ae.localizers.ridge"),
    "oracle": Method("oracle", "oracle"),
}


FRONT_END_MODULE = "clip_ae.localizers.front_end"


def get_head_module(head: str) -> str:
    return f"clip_ae.localizers.heads.{head}"


def load_module(module: str) -> ModuleType:
    return importlib.import_module(module)
