"""The streams of a dataset: a name, a role, and the encoder that extracts the stream from videos.

The roles are the views of the CLIP-AE paper. Localizers read features by role, never by a stream's name.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

from clip_ae.core.config.dataclass_config import Variant, key
from clip_ae.core.config.registry import ENCODERS
from clip_ae.core.errors import UserError, suggest_name

Role = Literal["cbp", "vlp", "audio"]
ResolvedPrecision = Literal["fp32", "bf16"]
EncoderPrecision = Literal["auto", "fp32", "bf16"]
Backend = Literal["auto", "torch", "openvino"]
FlowAlgorithm = Literal["tvl1", "tvl1_torch", "dis", "raft"]
WINDOW_DOC = "seconds; the frames are spread over this window, centred on the snippet; null: the snippet"
# What each role is for, in errors.
ROLE_PURPOSES: dict[Role, str] = {"cbp": "every method", "vlp": "ccp", "audio": "caf"}
# Names of a folder beside those of streams, and of parameters that have no weight decay.
RESERVED_STREAM_NAMES = frozenset({"probe", "failures", "correlation", "key", "query", "scale", "uncertainty"})


@dataclass(frozen=True)
class StreamRoles:
    """The streams that a localizer reads, by role."""

    cbp: tuple[str, ...] = key(doc="streams of the classification view")
    vlp: str | None = key(None, "stream of the vision-language view, if CCP is on")
    audio: str | None = key(None, "stream of sound, if CAF is on")

    @property
    def names(self) -> tuple[str, ...]:
        """Each stream once: one stream can have several roles."""
        return tuple(dict.fromkeys(name for name in (*self.cbp, self.vlp, self.audio) if name is not None))


@dataclass(frozen=True, kw_only=True)
class Stream(Variant):
    """A stream whose features come from files."""

    role: Role | None = key(
        None, "view: cbp (classification), vlp (vision-language) or audio; rgb, flow, clip and audio have theirs"
    )

    def role_of(self, name: str) -> Role | None:
        """The role, by default that of a well-known name."""
        return self.role or (WELL_KNOWN_STREAMS[name].role if name in WELL_KNOWN_STREAMS else None)

    @classmethod
    def select_variant(cls, where: str, data: Mapping[str, Any]) -> type["Stream"]:
        """The class of an encoder: named by the key `encoder`, or that of a well-known stream."""
        name, kind = where.rpartition(".")[2], data.get("encoder")
        if kind is None:
            return WELL_KNOWN_STREAMS[name].encoder if name in WELL_KNOWN_STREAMS else Stream
        if kind not in ENCODERS:
            raise UserError(f"{where}.encoder: '{kind}' is not an encoder{suggest_name(str(kind), ENCODERS)}")
        return ENCODER_CLASSES.get(kind, FrameEncoder)

    @classmethod
    def list_variants(cls) -> Collection[type["Stream"]]:
        return (Stream, *ENCODER_CLASSES.values(), FrameEncoder)


@dataclass(frozen=True, kw_only=True)
class StreamEncoder(Stream):
    """The keys that every encoder has."""

    encoder: str = key(doc="kind of encoder")
    weights: str = key(doc="name of an entry of `weights`")
    batch_size: int = key(1, "snippets per forward pass; it changes features by rounding only", minimum=1)
    backend: Backend = key(
        "auto",
        "torch, openvino (CPUs) or auto: the fastest here whose features equal those of torch in fp32 to 1 %, measured "
        "once; state both backend and precision where equal bytes on other machines matter",
    )
    precision: EncoderPrecision = key("auto", "fp32, bf16 (features differ slightly) or auto, chosen with the backend")
    compile: bool = key(False, "compile the network with torch.compile (and tvl1_torch on a GPU); takes a minute")

    @property
    def network_kind_by_key(self) -> dict[str, str]:
        """Keys that name entries of `weights`, and the kind of network that each one needs."""
        return {"weights": self.encoder}

    @property
    def weights_names(self) -> tuple[str, ...]:
        """The entries of `weights` that the stream loads, its own network first."""
        return tuple(getattr(self, name) for name in self.network_kind_by_key if getattr(self, name) is not None)


@dataclass(frozen=True, kw_only=True)
class I3dEncoder(StreamEncoder):
    """I3D on frames."""

    NUM_CHANNELS: ClassVar = 3
    encoder: Literal["i3d"] = key("i3d", "I3D on frames")
    weights: str = key("rgb_imagenet", "name of an i3d entry of `weights` with 3 channels")


@dataclass(frozen=True, kw_only=True)
class I3dFlowEncoder(StreamEncoder):
    """I3D on optical flow."""

    NUM_CHANNELS: ClassVar = 2
    encoder: Literal["i3d_flow"] = key("i3d_flow", "I3D on optical flow")
    weights: str = key("flow_imagenet", "name of an i3d entry of `weights` with 2 channels")
    algorithm: FlowAlgorithm = key(
        "tvl1", "tvl1 (OpenCV), tvl1_torch (batched, for GPUs), dis (fast, less accurate) or raft"
    )
    clip_value: float = key(20.0, "pixels per frame; flow is clipped to +-clip_value and scaled to [-1, 1]", above=0)
    raft: str | None = key(None, "for algorithm raft: name of a raft entry of `weights`")

    @property
    def network_kind_by_key(self) -> dict[str, str]:
        return {"weights": "i3d", "raft": "raft"}


@dataclass(frozen=True, kw_only=True)
class ClipEncoder(StreamEncoder):
    """CLIP's image tower on some frames of a snippet."""

    encoder: Literal["clip"] = key("clip", "CLIP's image tower")
    weights: str = key("clip_b16_openai", "name of a clip entry of `weights`")
    batch_size: int = key(8, "snippets per forward pass; it changes features by rounding only", minimum=1)
    frames: int = key(4, "frames per snippet, evenly placed; their embeddings are averaged", minimum=1)
    window_s: float | None = key(None, WINDOW_DOC, above=0, maximum=30)


@dataclass(frozen=True, kw_only=True)
class VggishEncoder(StreamEncoder):
    """VGGish on 0.96 s centred on the snippet."""

    encoder: Literal["vggish"] = key("vggish", "VGGish on sound")
    weights: str = key("vggish", "name of a vggish entry of `weights`")
    batch_size: int = key(32, "snippets per forward pass; it changes features by rounding only", minimum=1)
    relu: bool = key(False, "set negative values of the embedding to 0, as torchvggish does")
    pca: str | None = key(
        None, "name of a vggish_pca entry of `weights`: PCA and 8-bit quantisation of the AudioSet release"
    )

    @property
    def network_kind_by_key(self) -> dict[str, str]:
        return {"weights": "vggish", "pca": "vggish_pca"}


@dataclass(frozen=True, kw_only=True)
class FrameEncoder(StreamEncoder):
    """An encoder of sampled frames. One without a class of its own has these keys."""

    encoder: str = key(doc="kind of encoder: a row of SINGLE_FILE_ENCODERS (docs/encoders.md)")
    frames: int = key(4, "frames per snippet, evenly spread over the window", minimum=1, maximum=256)
    window_s: float | None = key(None, WINDOW_DOC, above=0, maximum=30)


@dataclass(frozen=True, kw_only=True)
class LibraryEncoder(FrameEncoder):
    """An encoder with a network of a library. Exactly one of `weights` and `model` is given."""

    weights: str | None = key(None, "name of an entry of `weights`")  # type: ignore[assignment]
    model: str | None = key(None, "in place of `weights`: pretrained weights by their name in the library")


@dataclass(frozen=True, kw_only=True)
class TimmEncoder(LibraryEncoder):
    """An image network of timm on frames; their embeddings are averaged."""

    encoder: Literal["timm"] = key("timm", "an image network of timm")
    batch_size: int = key(8, "snippets per forward pass; it changes features by rounding only", minimum=1)


@dataclass(frozen=True, kw_only=True)
class TorchvisionEncoder(LibraryEncoder):
    """A video network of torchvision on a clip of frames."""

    encoder: Literal["torchvision"] = key("torchvision", "a video network of torchvision")
    frames: int = key(16, "frames per snippet, evenly spread over the window", minimum=1, maximum=256)


# The keys of each row of registry.ENCODERS; those of a row that is not here: FrameEncoder.
ENCODER_CLASSES: dict[str, type[StreamEncoder]] = {
    "i3d": I3dEncoder,
    "i3d_flow": I3dFlowEncoder,
    "clip": ClipEncoder,
    "vggish": VggishEncoder,
    "timm": TimmEncoder,
    "torchvision": TorchvisionEncoder,
}


class WellKnownStream(NamedTuple):
    """The role of a stream by its name alone, and its encoder if it is extracted from videos."""

    role: Role
    encoder: type[StreamEncoder]


WELL_KNOWN_STREAMS = {
    "rgb": WellKnownStream("cbp", I3dEncoder),
    "flow": WellKnownStream("cbp", I3dFlowEncoder),
    "clip": WellKnownStream("vlp", ClipEncoder),
    "audio": WellKnownStream("audio", VggishEncoder),
}


def order_streams(names: Iterable[str]) -> tuple[str, ...]:
    """The names in one order, whatever the order of the config: well-known ones first, then the others by name."""
    known = list(WELL_KNOWN_STREAMS)
    return tuple(sorted(names, key=lambda name: (known.index(name) if name in known else len(known), name)))
