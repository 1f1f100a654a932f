"""Options of the networks of timm and torchvision: entries of `weights` have them."""

from dataclasses import dataclass

from clip_ae.core.config.dataclass_config import key


@dataclass(frozen=True)
class TimmOptions:
    """An image network of the library timm, without its classifier."""

    model: str = key(doc="name in timm, with or without the tag of its weights: vit_small_patch14_dinov2.lvd142m")
    image_size: int | None = key(
        None, "pixels; side of the square input; null: that of the library's record", minimum=16, maximum=2048
    )


@dataclass(frozen=True)
class TorchvisionOptions:
    """A video network of the library torchvision, without its classifier."""

    model: str = key(doc="name in torchvision.models.video: r2plus1d_18, s3d, mvit_v2_s, swin3d_t, ...")
