"""Which columns of a joint array belong to a stream."""

from collections.abc import Sequence

from clip_ae.core.errors import UserError
from clip_ae.data.layouts.conventions import HALVES


def find_columns(streams: Sequence[str], stream: str, width: int) -> slice:
    """Return the columns of one stream: all of them for a single stream; the first half for rgb, the second for flow.

    UserError for other streams, as nothing says where their columns are.
    """
    if len(streams) == 1:
        return slice(0, width)
    if set(streams) != set(HALVES):
        raise UserError(
            f"the arrays have the columns of all streams, and only {' and '.join(HALVES)} (two halves) or a single "
            f"stream can be found in them; got streams {', '.join(streams) or 'none'}"
        )
    if width % 2:
        raise UserError(
            f"the arrays have {width} columns, an odd number, so they are not {' and '.join(HALVES)}; name one stream"
        )
    half = width // 2
    return slice(half, width) if stream == HALVES[1] else slice(0, half)
