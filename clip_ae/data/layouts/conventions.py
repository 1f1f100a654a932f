"""What the field publishes in each layout, as data: how files look, which streams and which snippet grid they have."""

from dataclasses import dataclass

from clip_ae.core.timeline import SnippetGrid

# How the files of each layout look, in the order of docs/features.md.
FORMS = {
    "streams": "{stream}/ID.npy, at any depth",
    "wtalc": "one npy file of all videos' arrays, with videoname.npy beside it or in a folder beside it",
    "joint": "ID.npy or ID.npz in the folder, one array with the columns of all streams",
    "suffix": "ID_{stream}.npy in the folder",
    "hdf5": "one .h5 or .hdf5 file with a dataset for each video, or {stream}.h5",
    "npz": "one .npz file with an array for each video",
    "shards": "{stream}/*.parquet of this project",
}
# The stream of a file-name suffix, where the two have different names.
SUFFIX_ALIASES = {"vggish": "audio"}
# Suffixes that name a stream although no stream was asked for.
KNOWN_SUFFIXES = ("rgb", "flow", "vggish", "audio")
# Streams whose arrays are often stored as the two halves of one: rgb first.
HALVES = ("rgb", "flow")


@dataclass(frozen=True)
class Convention:
    """A published set of features: `source` says where the grid is stated."""

    layout: str
    name: str
    grid: SnippetGrid
    source: str


CONVENTIONS = (
    Convention(
        *("wtalc", "THUMOS14 I3D of W-TALC", SnippetGrid(25, 16, 16)),
        source="detectionMAP.py of sujoyp/wtalc-pytorch",
    ),
    Convention(
        *("streams", "THUMOS14 I3D of BaS-Net and CoLA", SnippetGrid(25, 16, 16)),
        source="core/config.py of zhang-can/CoLA",
    ),
    Convention(
        *("joint", "THUMOS14 I3D of ActionFormer", SnippetGrid(30, 16, 4)),
        source="configs/thumos_i3d.yaml of happyharrycn/actionformer_release; nearly all videos have 30 fps",
    ),
    Convention(
        *("joint", "ActivityNet I3D of ActionFormer", SnippetGrid(25, 16, 16)),
        source="configs/anet_i3d.yaml of happyharrycn/actionformer_release",
    ),
    Convention(
        *("joint", "ActivityNet TSP of ActionFormer", SnippetGrid(15, 16, 16)),
        source="configs/anet_tsp.yaml of happyharrycn/actionformer_release",
    ),
    Convention(
        *("suffix", "UnAV-100 I3D and VGGish", SnippetGrid(25, 24, 8)),
        source="libs/core/config.py of ttgeng233/UnAV",
    ),
    Convention(
        *("npz", "CLIP features of one frame a second", SnippetGrid(1, 1, 1)),
        source="usual for moment retrieval",
    ),
)
# The grids of the conventions and their usual variants, to find the grid of features by the lengths of videos.
COMMON_GRIDS = tuple(
    dict.fromkeys(
        [
            *(convention.grid for convention in CONVENTIONS),
            *(SnippetGrid(fps, 16, stride) for fps in (15, 24, 25, 30) for stride in (16, 8, 4)),
        ]
    )
)
