"""TV-L1 flow (Zach et al. 2007) of many pairs at once, where the network runs: the scheme of OpenCV's DualTVL1.

Pyramid, warps, iterations, median filter and stopping rule are OpenCV's, pair by pair. Two things differ. OpenCV adds
up a pair's update pixel after pixel in single precision and we by rows, so a pair may stop an iteration sooner or
later. Where the squared gradient is below machine epsilon, we divide by epsilon and OpenCV not at all: 2e-5 pixels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from clip_ae.encoders.crops import LUMA_WEIGHTS
from clip_ae.encoders.normalize import FlowFunction

ON_DEVICE = True
# Pixels that are worked on together: what a processor's cache holds, what keeps a GPU busy in 6 GB.
MAX_PIXELS = {"cpu": 1 << 17, "cuda": 1 << 24}
# Iterations between two looks at which pairs have converged: a look makes a GPU wait. They divide `inner`.
CHECK_EVERY = {"cpu": 1, "cuda": 10}
# An image of the pyramid has no shorter side.
MIN_SIDE = 16
EPSILON = torch.finfo(torch.float32).eps
# Put these in order, one after another, and five values are sorted.
SORTING_NETWORK_5 = ((0, 1), (3, 4), (2, 4), (2, 3), (0, 3), (0, 2), (1, 4), (1, 3), (1, 2))


@dataclass(frozen=True)
class Tvl1Parameters:
    """OpenCV's defaults. Symbols are those of Zach et al. 2007 and of Sanchez et al., IPOL 2013."""

    # tau: time step of the dual variable.
    time_step: float = 0.25
    # lambda: weight of the data term; smaller is smoother.
    data_weight: float = 0.15
    # theta: how far the flow u and its data-driven twin v may part; smaller is tighter.
    coupling: float = 0.3
    # epsilon: a pair has converged once its update is no longer than this, in pixels, root mean square.
    tolerance: float = 0.01
    # N_scales: images of the pyramid.
    num_scales: int = 5
    # eta: the side of each, as a part of the finer one's.
    scale_step: float = 0.8
    # N_warps: how often the second image is warped on each scale.
    num_warps: int = 5
    # Iterations of a warp are at most outer times inner, with a median filter before each `inner`.
    outer_iterations: int = 10
    inner_iterations: int = 30


class DataTerm(NamedTuple):
    """The data term about one warp: rho(u) over the squared gradient of the second image is offset + slope * u."""

    gradient: Tensor
    slope: Tensor
    offset: Tensor


def build(device: str, *, compile: bool = False) -> FlowFunction:
    # A CPU gains nothing: what it works on together lies in its cache.
    if not compile or device == "cpu":
        return compute_flow
    return partial(
        compute_flow, kernels=Kernels(torch.compile(iterate, dynamic=True), torch.compile(median_filter, dynamic=True))
    )


def compute_flow(frames: Tensor, kernels: "Kernels | None" = None) -> Tensor:
    greys = convert_to_grey_tensor(frames)
    pairs = torch.stack((greys[:, :-1], greys[:, 1:]), dim=2)
    together = max(1, MAX_PIXELS[frames.device.type] // greys[0, 0].numel())
    found = torch.cat(
        [compute_tvl1(part, kernels=kernels or EAGER_KERNELS) for part in pairs.flatten(0, 1).split(together)]
    )
    return found.permute(0, 2, 3, 1).reshape(*pairs.shape[:2], *pairs.shape[3:], 2).contiguous()


def convert_to_grey_tensor(frames: Tensor) -> Tensor:
    """RGB [..., 3] to the whole numbers of BT.601 luma, float32."""
    red, green, blue = frames.float().unbind(-1)
    of_red, of_green, of_blue = (float(part) for part in LUMA_WEIGHTS)
    return (of_red * red + of_green * green + of_blue * blue).round_()


def compute_tvl1(
    pairs: Tensor, parameters: Tvl1Parameters = Tvl1Parameters(), kernels: "Kernels | None" = None
) -> Tensor:
    """Grey pairs [P, 2, H, W] to flows [P, 2, H, W]; on a CPU a pair's flow does not depend on what is beside it."""
    scales = build_pyramid(pairs, parameters)
    u = torch.zeros_like(scales[-1])
    for images in reversed(scales):
        u = resize(u, images.shape[-2:]) / parameters.scale_step
        q = torch.zeros_like(u)[:, None].repeat(1, 2, 1, 1, 1)
        for _ in range(parameters.num_warps):
            u, q = solve(linearise(images, u), u, q, parameters, kernels or EAGER_KERNELS)
    return u


def build_pyramid(images: Tensor, parameters: Tvl1Parameters) -> list[Tensor]:
    """The images themselves, then ever smaller ones."""
    scales = [images]
    while len(scales) < parameters.num_scales:
        size = [round(side * parameters.scale_step) for side in scales[-1].shape[-2:]]
        if min(size) < MIN_SIDE:
            break
        scales.append(resize(scales[-1], size, 1 / parameters.scale_step))
    return scales


def resize(images: Tensor, size: Sequence[int], ratio: float | None = None) -> Tensor:
    """Bilinear. `ratio` is that of the sides, old to new, where the new ones are rounded."""
    height, width = size
    return _resize_rows(_resize_rows(images, width, ratio).mT, height, ratio).mT.contiguous()


def _resize_rows(images: Tensor, width: int, ratio: float | None) -> Tensor:
    last = images.shape[-1] - 1
    step = (last + 1) / width if ratio is None else ratio
    places = ((torch.arange(width, device=images.device) + 0.5) * step - 0.5).clamp(0, last)
    left = places.long()
    return torch.lerp(images[..., left], images[..., (left + 1).clamp(max=last)], places - left)


def linearise(images: Tensor, u: Tensor) -> DataTerm:
    """The second image, warped by u, to first order about u."""
    first, second = images.split(1, dim=1)
    warped = warp(torch.cat((second, centred_gradient(second[:, 0])), dim=1), u)
    gradient = warped[:, 1:].contiguous()
    squared = gradient.square().sum(1).clamp_(min=EPSILON)
    residual = warped[:, 0] - first[:, 0] - (gradient * u).sum(1)
    return DataTerm(gradient, gradient / squared[:, None], residual / squared)


def warp(images: Tensor, u: Tensor) -> Tensor:
    """Images [P, C, H, W] at x + u(x), bicubic; black outside."""
    height, width = u.shape[-2:]
    x = torch.arange(width, device=u.device) + u[:, 0]
    y = torch.arange(height, device=u.device)[:, None] + u[:, 1]
    places = torch.stack((x * (2 / (width - 1)) - 1, y * (2 / (height - 1)) - 1), dim=-1)
    return F.grid_sample(images, places, mode="bicubic", padding_mode="zeros", align_corners=True)


def centred_gradient(image: Tensor) -> Tensor:
    """[P, H, W] to [P, 2, H, W] as (x, y)."""
    padded = F.pad(image, (1, 1, 1, 1), mode="replicate")
    x = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    y = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    return torch.stack((x, y), dim=1) / 2


def solve(
    data_term: DataTerm, u: Tensor, q: Tensor, parameters: Tvl1Parameters, kernels: "Kernels"
) -> tuple[Tensor, Tensor]:
    """Iterates each pair until its flow stands still; pairs that have converged leave the working set."""
    solved, dual, rows = torch.empty_like(u), torch.empty_like(q), torch.arange(len(u), device=u.device)
    moving = torch.ones(len(u), 1, 1, 1, device=u.device)
    stride = CHECK_EVERY[u.device.type]
    for n in range(0, parameters.outer_iterations * parameters.inner_iterations, stride):
        if n % parameters.inner_iterations == 0:
            u = kernels.median_filter(u)
        for _ in range(stride):
            u, q, moving = kernels.iterate(data_term, u, q, moving, parameters)
        kept = moving.flatten() > 0
        if not kept.all():
            solved.index_copy_(0, rows, u)
            dual.index_copy_(0, rows, q)
            rows, u, q, moving = rows[kept], u[kept], q[kept], moving[kept]
            data_term = DataTerm(*(part[kept] for part in data_term))
        if not len(rows):
            break
    return solved.index_copy_(0, rows, u), dual.index_copy_(0, rows, q)


def iterate(
    data_term: DataTerm, u: Tensor, q: Tensor, active_mask: Tensor, parameters: Tvl1Parameters
) -> tuple[Tensor, Tensor, Tensor]:
    """One step of the primal and of the dual variable, of which q is theta times p: [P, 2 directions, 2, H, W].

    `moving` [P, 1, 1, 1] is 1, or 0 where a pair has converged: its steps have no length, and nothing of it changes.
    """
    gradient, slope, offset = data_term
    reach = parameters.data_weight * parameters.coupling
    pull = torch.addcmul(offset, slope[:, 0], u[:, 0]).addcmul_(slope[:, 1], u[:, 1]).clamp_(-reach, reach)
    change = divergence(q).addcmul_(pull[:, None], gradient, value=-1)
    u = torch.addcmul(u, change, active_mask)
    slant = forward_gradient(u)
    length = torch.mul(slant[:, 0], slant[:, 0]).addcmul_(slant[:, 1], slant[:, 1]).sqrt_()
    damping = torch.addcmul(length.new_ones(()), length, active_mask, value=parameters.time_step / parameters.coupling)
    q = torch.addcmul(q, slant, active_mask[:, None], value=parameters.time_step).div_(damping[:, None])
    # By rows first: the order of a sum over all would depend on how many pairs there are.
    update = torch.linalg.vector_norm(change, dim=-1).square_().sum((1, 2)) / u[0, 0].numel()
    return u, q, active_mask * (update > parameters.tolerance**2).view_as(active_mask)


def divergence(q: Tensor) -> Tensor:
    """[P, 2, 2, H, W] to [P, 2, H, W]: the adjoint of the forward gradient, negated."""
    total = q[:, 0] + q[:, 1]
    total[..., 1:].sub_(q[:, 0, ..., :-1])
    total[..., 1:, :].sub_(q[:, 1, ..., :-1, :])
    return total


def forward_gradient(u: Tensor) -> Tensor:
    """[P, 2, H, W] to [P, 2 directions, 2, H, W]; none across the border."""
    slant = u.new_zeros(len(u), 2, *u.shape[1:])
    slant[:, 0, ..., :-1] = u[..., 1:] - u[..., :-1]
    slant[:, 1, ..., :-1, :] = u[..., 1:, :] - u[..., :-1, :]
    return slant


def median_filter(images: Tensor) -> Tensor:
    """Over 5 x 5 pixels; the border is repeated.

    With columns and then rows of the 25 in order, all but three are known to lie on one side of the median: the
    highest of the diagonal below the middle one, the lowest of that above it, and the middle one's own median.
    """
    height, width = images.shape[-2:]
    padded = F.pad(images, (2, 2, 2, 2), mode="replicate")
    columns = _sorted([padded[..., k : k + height, :] for k in range(5)])
    table = [_sorted([rank[..., k : k + width] for k in range(5)]) for rank in columns]
    low = reduce(torch.maximum, (table[i][3 - i] for i in range(4)))
    high = reduce(torch.minimum, (table[i][5 - i] for i in range(1, 5)))
    middle = _sorted([table[i][4 - i] for i in range(5)])[2]
    return torch.maximum(torch.minimum(low, high), torch.minimum(torch.maximum(low, high), middle))


def _sorted(values: list[Tensor]) -> list[Tensor]:
    for i, j in SORTING_NETWORK_5:
        values[i], values[j] = torch.minimum(values[i], values[j]), torch.maximum(values[i], values[j])
    return values


class Kernels(NamedTuple):
    """What is done hundreds of times: plain, or translated into kernels that read and write everything once."""

    iterate: Callable[[DataTerm, Tensor, Tensor, Tensor, Tvl1Parameters], tuple[Tensor, Tensor, Tensor]]
    median_filter: Callable[[Tensor], Tensor]


EAGER_KERNELS = Kernels(iterate, median_filter)
