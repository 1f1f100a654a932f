"""TV-L1 flow (Zach et al. 2007) of many pairs at once, on the network's device: the scheme of OpenCV's DualTVL1.

Pyramid, warps, iterations, median filter and stopping rule are OpenCV's, for each pair. Two details differ:
- OpenCV sums a pair's update pixel by pixel in single precision, this module row by row. A pair may stop an iteration
  earlier or later.
- Where the squared gradient is below machine epsilon, this module divides by epsilon, OpenCV does not divide. The
  flow differs by 2e-5 pixels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from clip_ae.encoders.crops import LUMA_WEIGHTS
from clip_ae.encoders.flows.median_filter import median_filter
from clip_ae.encoders.normalize import FlowFunction

ON_DEVICE = True
# Pixels that are processed together: they fit a CPU's cache, or keep a GPU busy with 6 GB of memory.
MAX_PIXELS = {"cpu": 1 << 17, "cuda": 1 << 24}
# Iterations between two checks for converged pairs: a check stalls a GPU. Each value divides `inner_iterations`.
CHECK_EVERY = {"cpu": 1, "cuda": 10}
# Shortest side of an image of the pyramid, in pixels.
MIN_SIDE = 16
EPSILON = torch.finfo(torch.float32).eps


@dataclass(frozen=True)
class Tvl1Parameters:
    """Parameters of TV-L1, with OpenCV's defaults. Symbols: Zach et al. 2007 and Sanchez et al., IPOL 2013."""

    # tau: time step of the dual variable.
    time_step: float = 0.25
    # lambda: weight of the data term; smaller is smoother.
    data_weight: float = 0.15
    # theta: allowed distance between the flow u and its auxiliary variable v; smaller is tighter.
    coupling: float = 0.3
    # epsilon: a pair has converged once the root mean square of its update is at most this, in pixels.
    tolerance: float = 0.01
    # N_scales: number of images in the pyramid.
    num_scales: int = 5
    # eta: ratio of the sides of an image to those of the next finer one.
    scale_step: float = 0.8
    # N_warps: warps of the second image on each scale.
    num_warps: int = 5
    # At most outer * inner iterations per warp, with a median filter before each block of inner iterations.
    outer_iterations: int = 10
    inner_iterations: int = 30


class DataTerm(NamedTuple):
    """The data term, linearised at one warp: rho(u) / |gradient of the second image|^2 = offset + slope * u."""

    gradient: Tensor
    slope: Tensor
    offset: Tensor


def build(device: str, *, compile: bool = False) -> FlowFunction:
    """The flow function for a device; `compile` applies to GPUs only."""
    # On a CPU compiled kernels are not faster: the pixels that are processed together already fit the cache.
    if not compile or device == "cpu":
        return compute_flow
    return partial(
        compute_flow, kernels=Kernels(torch.compile(iterate, dynamic=True), torch.compile(median_filter, dynamic=True))
    )


def compute_flow(frames: Tensor, kernels: "Kernels | None" = None) -> Tensor:
    """Flow [B, n, H, W, 2] as (x, y) in pixels, from frames uint8 [B, n + 1, H, W, 3], each to the next."""
    greys = convert_to_grey_tensor(frames)
    pairs = torch.stack((greys[:, :-1], greys[:, 1:]), dim=2)
    chunk_size = max(1, MAX_PIXELS[frames.device.type] // greys[0, 0].numel())
    flow = torch.cat(
        [compute_tvl1(chunk, kernels=kernels or EAGER_KERNELS) for chunk in pairs.flatten(0, 1).split(chunk_size)]
    )
    return flow.permute(0, 2, 3, 1).reshape(*pairs.shape[:2], *pairs.shape[3:], 2).contiguous()


def convert_to_grey_tensor(frames: Tensor) -> Tensor:
    """RGB [..., 3] to BT.601 luma [...], rounded to whole numbers, float32."""
    red, green, blue = frames.float().unbind(-1)
    red_weight, green_weight, blue_weight = (float(weight) for weight in LUMA_WEIGHTS)
    return (red_weight * red + green_weight * green + blue_weight * blue).round_()


def compute_tvl1(
    pairs: Tensor, parameters: Tvl1Parameters = Tvl1Parameters(), kernels: "Kernels | None" = None
) -> Tensor:
    """Grey pairs [P, 2, H, W] to flows [P, 2, H, W]; on a CPU a pair's flow does not depend on the other pairs."""
    scales = build_pyramid(pairs, parameters)
    u = torch.zeros_like(scales[-1])
    for images in reversed(scales):
        u = resize(u, images.shape[-2:]) / parameters.scale_step
        q = torch.zeros_like(u)[:, None].repeat(1, 2, 1, 1, 1)
        for _ in range(parameters.num_warps):
            u, q = solve(linearise(images, u), u, q, parameters, kernels or EAGER_KERNELS)
    return u


def build_pyramid(images: Tensor, parameters: Tvl1Parameters) -> list[Tensor]:
    """Images [P, C, H, W] on each scale, from the finest to the coarsest."""
    scales = [images]
    while len(scales) < parameters.num_scales:
        size = [round(side * parameters.scale_step) for side in scales[-1].shape[-2:]]
        if min(size) < MIN_SIDE:
            break
        scales.append(resize(scales[-1], size, 1 / parameters.scale_step))
    return scales


def resize(images: Tensor, size: Sequence[int], ratio: float | None = None) -> Tensor:
    """Bilinear resizing of [..., H, W]. `ratio`: old side / new side before rounding; None: of the rounded sides."""
    height, width = size
    return _resize_rows(_resize_rows(images, width, ratio).mT, height, ratio).mT.contiguous()


def _resize_rows(images: Tensor, width: int, ratio: float | None) -> Tensor:
    last = images.shape[-1] - 1
    step = (last + 1) / width if ratio is None else ratio
    positions = ((torch.arange(width, device=images.device) + 0.5) * step - 0.5).clamp(0, last)
    left = positions.long()
    return torch.lerp(images[..., left], images[..., (left + 1).clamp(max=last)], positions - left)


def linearise(images: Tensor, u: Tensor) -> DataTerm:
    """The data term of images [P, 2, H, W] with the second image warped by u, to first order in u."""
    first, second = images.split(1, dim=1)
    warped = warp(torch.cat((second, centred_gradient(second[:, 0])), dim=1), u)
    gradient = warped[:, 1:].contiguous()
    squared = gradient.square().sum(1).clamp_(min=EPSILON)
    residual = warped[:, 0] - first[:, 0] - (gradient * u).sum(1)
    return DataTerm(gradient, gradient / squared[:, None], residual / squared)


def warp(images: Tensor, u: Tensor) -> Tensor:
    """Images [P, C, H, W] sampled at x + u(x), bicubic; zero outside the image."""
    height, width = u.shape[-2:]
    x = torch.arange(width, device=u.device) + u[:, 0]
    y = torch.arange(height, device=u.device)[:, None] + u[:, 1]
    positions = torch.stack((x * (2 / (width - 1)) - 1, y * (2 / (height - 1)) - 1), dim=-1)
    return F.grid_sample(images, positions, mode="bicubic", padding_mode="zeros", align_corners=True)


def centred_gradient(image: Tensor) -> Tensor:
    """Central differences of [P, H, W]: [P, 2, H, W] as (x, y)."""
    padded = F.pad(image, (1, 1, 1, 1), mode="replicate")
    x = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    y = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    return torch.stack((x, y), dim=1) / 2


def solve(
    data_term: DataTerm, u: Tensor, q: Tensor, parameters: Tvl1Parameters, kernels: "Kernels"
) -> tuple[Tensor, Tensor]:
    """Flow u and dual variable q after iterating each pair until it converges; converged pairs are set aside."""
    final_u, final_q, rows = torch.empty_like(u), torch.empty_like(q), torch.arange(len(u), device=u.device)
    active_mask = torch.ones(len(u), 1, 1, 1, device=u.device)
    stride = CHECK_EVERY[u.device.type]
    for n in range(0, parameters.outer_iterations * parameters.inner_iterations, stride):
        if n % parameters.inner_iterations == 0:
            u = kernels.median_filter(u)
        for _ in range(stride):
            u, q, active_mask = kernels.iterate(data_term, u, q, active_mask, parameters)
        pair_mask = active_mask.flatten() > 0
        if not pair_mask.all():
            final_u.index_copy_(0, rows, u)
            final_q.index_copy_(0, rows, q)
            rows, u, q, active_mask = rows[pair_mask], u[pair_mask], q[pair_mask], active_mask[pair_mask]
            data_term = DataTerm(*(term[pair_mask] for term in data_term))
        if not len(rows):
            break
    return final_u.index_copy_(0, rows, u), final_q.index_copy_(0, rows, q)


def iterate(
    data_term: DataTerm, u: Tensor, q: Tensor, active_mask: Tensor, parameters: Tvl1Parameters
) -> tuple[Tensor, Tensor, Tensor]:
    """One step of the primal variable u and of the dual variable q = theta * p [P, 2 directions, 2, H, W].

    `active_mask` [P, 1, 1, 1] is 1, or 0 where a pair has converged: the steps of that pair have length zero.
    """
    gradient, slope, offset = data_term
    reach = parameters.data_weight * parameters.coupling
    pull = torch.addcmul(offset, slope[:, 0], u[:, 0]).addcmul_(slope[:, 1], u[:, 1]).clamp_(-reach, reach)
    change = divergence(q).addcmul_(pull[:, None], gradient, value=-1)
    u = torch.addcmul(u, change, active_mask)
    gradient_u = forward_gradient(u)
    length = torch.mul(gradient_u[:, 0], gradient_u[:, 0]).addcmul_(gradient_u[:, 1], gradient_u[:, 1]).sqrt_()
    damping = torch.addcmul(length.new_ones(()), length, active_mask, value=parameters.time_step / parameters.coupling)
    q = torch.addcmul(q, gradient_u, active_mask[:, None], value=parameters.time_step).div_(damping[:, None])
    # Sum each row first: the order of one sum over all pixels would depend on the number of pairs.
    update = torch.linalg.vector_norm(change, dim=-1).square_().sum((1, 2)) / u[0, 0].numel()
    return u, q, active_mask * (update > parameters.tolerance**2).view_as(active_mask)


def divergence(q: Tensor) -> Tensor:
    """Divergence of q [P, 2, 2, H, W]: [P, 2, H, W], the negated adjoint of the forward gradient."""
    total = q[:, 0] + q[:, 1]
    total[..., 1:].sub_(q[:, 0, ..., :-1])
    total[..., 1:, :].sub_(q[:, 1, ..., :-1, :])
    return total


def forward_gradient(u: Tensor) -> Tensor:
    """Forward differences of u [P, 2, H, W]: [P, 2 directions, 2, H, W]; zero across the border."""
    gradient = u.new_zeros(len(u), 2, *u.shape[1:])
    gradient[:, 0, ..., :-1] = u[..., 1:] - u[..., :-1]
    gradient[:, 1, ..., :-1, :] = u[..., 1:, :] - u[..., :-1, :]
    return gradient


class Kernels(NamedTuple):
    """The functions that run hundreds of times: eager, or compiled into kernels that read and write data once."""

    iterate: Callable[[DataTerm, Tensor, Tensor, Tensor, Tvl1Parameters], tuple[Tensor, Tensor, Tensor]]
    median_filter: Callable[[Tensor], Tensor]


EAGER_KERNELS = Kernels(iterate, median_filter)
