"""When attention says nothing."""

# Attention whose standard deviation within a video is no larger a share of its mean tells no snippet from another.
MAX_FLAT_RATIO = 0.01


def is_flat(mean: float, std: float) -> bool:
    """Of one video's attention, or on average over videos; attention of 0 is flat too."""
    return std <= MAX_FLAT_RATIO * mean
