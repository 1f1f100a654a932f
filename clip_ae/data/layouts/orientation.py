"""Find the length of a feature and the order of the axes from the shapes of all arrays."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

# Fewer arrays can share their number of rows by chance.
MIN_ARRAYS = 3


@dataclass(frozen=True)
class Orientation:
    # The length of a feature; 0 if there is no array.
    width: int
    # Whether the arrays are [D, T].
    is_transposed: bool


def find_orientation(shapes: Sequence[tuple[int, int]]) -> Orientation:
    """Return the most common number of columns; that of rows if videos share it and have no common number of columns.

    Videos differ in length, and features do not: the axis whose length the arrays share is D.
    """
    if not shapes:
        return Orientation(0, False)
    width, num_same_columns = Counter(columns for _, columns in shapes).most_common(1)[0]
    height, num_same_rows = Counter(rows for rows, _ in shapes).most_common(1)[0]
    half = len(shapes) / 2
    if len(shapes) >= MIN_ARRAYS and num_same_rows > half > num_same_columns:
        return Orientation(height, True)
    return Orientation(width, False)
