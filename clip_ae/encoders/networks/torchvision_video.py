"""Video networks of the library torchvision (R(2+1)D, S3D, MViT, Swin3D and others) without their classifier."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from clip_ae.core.config.network_options import TorchvisionOptions
from clip_ae.core.errors import UserError, suggest_name
from clip_ae.encoders.frame_input import FrameInput
from clip_ae.encoders.networks.published import PublishedWeights
from clip_ae.encoders.networks.state_dict import unwrap_state_dict

# torchvision writes the first digits of a file's sha256 into its name.
DIGEST_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.pth$")


@dataclass(frozen=True)
class Architecture:
    """Name of the classifier, length of its input, and the numbers of frames that the network can read."""

    classifier: str
    dim: int
    min_frames: int = 1
    max_frames: int | None = None


ARCHITECTURES = {
    "r3d_18": Architecture("fc", 512),
    "mc3_18": Architecture("fc", 512),
    "r2plus1d_18": Architecture("fc", 512),
    "s3d": Architecture("classifier", 1024, min_frames=14),
    "mvit_v1_b": Architecture("head", 768, min_frames=16, max_frames=16),
    "mvit_v2_s": Architecture("head", 768, min_frames=16, max_frames=16),
    "swin3d_t": Architecture("head", 768),
    "swin3d_s": Architecture("head", 768),
    "swin3d_b": Architecture("head", 1024),
}


class Fp32AvgPool3d(nn.AvgPool3d):
    """Average pooling in fp32: on CPUs torch has none for bf16."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.float()).to(x.dtype)


def input_description(options: TorchvisionOptions) -> str:
    """The network's input, for the metadata of network files."""
    return get_frame_input(options).describe()


def build(options: TorchvisionOptions) -> nn.Module:
    """The network with random weights. It returns the globally pooled input [B, dim] of the classifier."""
    from torchvision.models import get_model

    architecture = get_architecture(options)
    network: nn.Module = get_model(options.model, weights=None)
    setattr(network, architecture.classifier, nn.Identity())
    if options.model == "s3d":
        network.avgpool = Fp32AvgPool3d(network.avgpool.kernel_size, network.avgpool.stride)  # type: ignore[union-attr, arg-type]
    return network


def get_architecture(options: TorchvisionOptions) -> Architecture:
    """The facts of a video network; a UserError names the nearest for an unknown one."""
    if options.model not in ARCHITECTURES:
        suggestion = suggest_name(options.model, ARCHITECTURES)
        raise UserError(f"torchvision.model: {options.model} is not a video network of torchvision{suggestion}")
    return ARCHITECTURES[options.model]


def check_num_frames(options: TorchvisionOptions, num_frames: int) -> None:
    """Raise a UserError if the network cannot read this number of frames."""
    architecture = get_architecture(options)
    low, high = architecture.min_frames, architecture.max_frames
    if num_frames < low or (high is not None and num_frames > high):
        expected = str(low) if low == high else f"at least {low}"
        raise UserError(f"frames: {num_frames}, but {options.model} reads {expected} frames a snippet")


def convert_state_dict(state_dict: Mapping[str, Any], options: TorchvisionOptions) -> dict[str, Any]:
    """A published state dict without its classifier."""
    classifier = get_architecture(options).classifier
    state = unwrap_state_dict(state_dict)
    return {name: value for name, value in state.items() if not name.startswith(f"{classifier}.")}


def find_published(options: TorchvisionOptions, name: str) -> PublishedWeights:
    """torchvision's record of the weights MODEL/TAG; the tag DEFAULT is the library's choice."""
    model, _, tag = name.partition("/")
    if model != options.model:
        raise UserError(f"torchvision:{name}: weights for {model}, but torchvision.model is {options.model}")
    url = _get_record(options, tag).url
    digest = DIGEST_IN_NAME.search(url)
    integrity = f"sha256-prefix:{digest[1]}" if digest else None
    return PublishedWeights(url, integrity=integrity, metadata=get_frame_input(options, name).to_metadata())


def get_frame_input(options: TorchvisionOptions, name: str | None = None) -> FrameInput:
    """The input of the weights MODEL/TAG, or of the model's default weights, by torchvision's record."""
    transforms = _get_record(options, (name or "").partition("/")[2]).transforms()
    size, (crop, _) = transforms.resize_size, transforms.crop_size
    return FrameInput(
        size[0] if len(size) == 1 else (size[0], size[1]),
        crop,
        tuple(transforms.mean),
        tuple(transforms.std),
        transforms.interpolation.value,
    )


def _get_record(options: TorchvisionOptions, tag: str) -> Any:
    """torchvision's record of weights of a model."""
    from torchvision.models import get_model_weights

    get_architecture(options)
    records = get_model_weights(options.model)
    tag = tag or "DEFAULT"
    if tag not in records.__members__:
        suggestion = suggest_name(tag, records.__members__)
        raise UserError(f"torchvision:{options.model}/{tag}: torchvision has no such weights{suggestion}")
    return records[tag]
