"""Median filter over 5 x 5 pixels, from minima and maxima of whole images."""

from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor

# Sorting these pairs of positions, one after another, sorts five values.
SORTING_NETWORK_5 = ((0, 1), (3, 4), (2, 4), (2, 3), (0, 3), (0, 2), (1, 4), (1, 3), (1, 2))


def median_filter(images: Tensor) -> Tensor:
    """Median over 5 x 5 pixels of [..., H, W]; the border is repeated.

    After sorting the columns and then the rows of the 25 values, the median is the median of three: the largest value
    of the diagonal below the middle diagonal, the smallest value of the diagonal above it, and the median of the
    middle diagonal itself. All other values are on a known side of the median.
    """
    height, width = images.shape[-2:]
    padded = F.pad(images, (2, 2, 2, 2), mode="replicate")
    columns = _sort_five([padded[..., k : k + height, :] for k in range(5)])
    table = [_sort_five([rank[..., k : k + width] for k in range(5)]) for rank in columns]
    low = reduce(torch.maximum, (table[i][3 - i] for i in range(4)))
    high = reduce(torch.minimum, (table[i][5 - i] for i in range(1, 5)))
    middle = _sort_five([table[i][4 - i] for i in range(5)])[2]
    return torch.maximum(torch.minimum(low, high), torch.minimum(torch.maximum(low, high), middle))


def _sort_five(values: list[Tensor]) -> list[Tensor]:
    """Five tensors, sorted element by element in place."""
    for i, j in SORTING_NETWORK_5:
        values[i], values[j] = torch.minimum(values[i], values[j]), torch.maximum(values[i], values[j])
    return values
